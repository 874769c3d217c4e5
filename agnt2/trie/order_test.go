package trie

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestOrder compares with a comparison sort, over keys that share their first 64 bits, or all, with others.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 2, 50, radixFrom - 1, radixFrom, 3 * radixFrom}).Draw(t, "keys")
		heads := rapid.Uint64Range(1, 1<<20).Draw(t, "heads")
		tails := rapid.Uint64Range(1, 50).Draw(t, "tails")
		seed := rapid.Uint64().Draw(t, "seed")
		keys := make([]Key, n)
		for i := range keys {
			seed = seed*6364136223846793005 + 1442695040888963407
			binary.BigEndian.PutUint64(keys[i][:], seed>>20%heads<<30)
			binary.BigEndian.PutUint64(keys[i][20:], seed>>40%tails)
		}
		last := map[Key]uint32{}
		for i, k := range keys {
			last[k] = uint32(i)
		}
		want := make([]uint32, 0, n)
		for _, i := range last {
			want = append(want, i)
		}
		slices.SortFunc(want, func(x, y uint32) int { return bytes.Compare(keys[x][:], keys[y][:]) })
		require.Equal(t, want, Order(n, func(i int) *Key { return &keys[i] }))
	})
}
