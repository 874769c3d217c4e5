package trie

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/trie/lanes"
)

// eachWidth runs a test with every width that this processor has.
func eachWidth(t *testing.T, f func(t *testing.T)) {
	real := wide
	defer func() { wide = real }()
	for _, wide = range []width{one, four, eight} {
		if wide <= real {
			t.Run(fmt.Sprintf("width %d", wide), f)
		}
	}
}

func TestHashMany(t *testing.T) {
	eachWidth(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			sizes := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]int{0, 1, 64, 135, 136, 137, 271, 272, 273, 64*rate - 1, 64 * rate, 70 * rate, 90 * rate}),
				rapid.IntRange(0, 1500)), 0, 23).Draw(t, "sizes")
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			inputs, out := make([][]byte, len(sizes)), make([]Hash, len(sizes))
			for i, n := range sizes {
				inputs[i] = make([]byte, n)
				for j := range inputs[i] {
					inputs[i][j] = byte(r.Uint32())
				}
			}
			HashMany(inputs, out)
			for i, in := range inputs {
				require.Equal(t, Hash(crypto.Keccak256(in)), out[i], "%d bytes", len(in))
				require.Equal(t, HashRecord(in), out[i])
			}
		})
	})
}

func TestTagged(t *testing.T) {
	eachWidth(t, func(t *testing.T) {
		h := NewHasher()
		for n := range 2*lanes.Most + 1 { // partial groups
			in, out := make([][64]byte, n), make([]Hash, n)
			for i := range in {
				for j := range in[i] {
					in[i][j] = byte(rand.Uint32())
				}
				h.addTagged(byte(i&1), &in[i], &out[i])
			}
			h.flush()
			for i := range in {
				require.Equal(t, Hash(crypto.Keccak256([]byte{byte(i & 1)}, in[i][:])), out[i])
			}
		}
	})
}

func TestHashesDoNotAllocate(t *testing.T) {
	var k Key
	h, in := NewHasher(), make([][]byte, 16)
	out := make([]Hash, 16)
	h.HashMany(in, out)
	require.Zero(t, testing.AllocsPerRun(100, func() { k = InnerHash(k, LeafHash(k, HashRecord(k[:]))) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { h.HashMany(in, out) }))
}
