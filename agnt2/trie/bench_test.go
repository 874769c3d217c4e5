package trie

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func sortedKeys(n int) []Key {
	r := rand.New(rand.NewPCG(7, 7))
	keys := make([]Key, n)
	for i := range keys {
		for w := 0; w < 32; w += 8 {
			binary.BigEndian.PutUint64(keys[i][w:], r.Uint64())
		}
	}
	slices.SortFunc(keys, func(a, b Key) int {
		x, y := binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(b[:])
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	return keys
}

func buildKeys(b *testing.B, keys []Key) *Trie {
	n := 0
	t, err := Build(func() (Key, Hash, bool) {
		if n == len(keys) {
			return Key{}, Hash{}, false
		}
		n++
		return keys[n-1], Hash{1}, true
	})
	require.NoError(b, err)
	return t
}

// BenchmarkUpdate is a batch of which half updates and half inserts, with its root. The trie starts at the named size.
func BenchmarkUpdate(b *testing.B) {
	for _, size := range []struct{ leaves, batch int }{{1 << 20, 20_000}, {4 << 20, 60_000}} {
		b.Run(fmt.Sprintf("leaves=%d/batch=%d", size.leaves, size.batch), func(b *testing.B) {
			keys := sortedKeys(size.leaves)
			t := buildKeys(b, keys)
			t.Root()
			r := rand.New(rand.NewPCG(8, 8))
			changes := make([]Change, size.batch)
			for b.Loop() {
				b.StopTimer()
				for i := range changes {
					c := &changes[i]
					binary.BigEndian.PutUint64(c.ValueHash[:], r.Uint64())
					if c.Key = keys[r.IntN(len(keys))]; i&1 == 0 {
						for w := 0; w < 32; w += 8 {
							binary.BigEndian.PutUint64(c.Key[w:], r.Uint64())
						}
					}
				}
				b.StartTimer()
				t.Update(changes)
				t.Root()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size.batch), "ns/key")
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	keys := sortedKeys(1 << 20)
	for b.Loop() {
		t := buildKeys(b, keys)
		t.Root()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), "ns/key")
}

func BenchmarkHashMany(b *testing.B) {
	for _, size := range []int{64, 256, 512} {
		inputs, out := make([][]byte, 1024), make([]Hash, 1024)
		for i := range inputs {
			inputs[i] = make([]byte, size)
		}
		b.Run(fmt.Sprintf("bytes=%d/many", size), func(b *testing.B) {
			for b.Loop() {
				HashMany(inputs, out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(inputs)), "ns/record")
		})
		b.Run(fmt.Sprintf("bytes=%d/single", size), func(b *testing.B) {
			for b.Loop() {
				for i := range inputs {
					out[i] = HashRecord(inputs[i])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(inputs)), "ns/record")
		})
	}
}

func BenchmarkProve(b *testing.B) {
	keys := sortedKeys(1 << 20)
	t := buildKeys(b, keys)
	root := t.Root()
	r := rand.New(rand.NewPCG(9, 9))
	for b.Loop() {
		k := keys[r.IntN(len(keys))]
		if VerifyInclusion(root, k, Hash{1}, t.Prove(k)) != nil {
			b.Fatal("proof refused")
		}
	}
}
