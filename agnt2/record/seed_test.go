package record

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSeed: keys that differ in one word only fall into different slots, whichever bits choose the slot.
func TestSeed(t *testing.T) {
	const keys, slots = 1 << 12, 1 << 16
	for word := range 4 {
		for _, shift := range []uint{0, 16, 32, 48} {
			s := NewSeed()
			used := map[uint64]bool{}
			for n := range keys {
				var k Key
				binary.BigEndian.PutUint64(k[8*word:], uint64(n))
				used[s.Hash(&k)>>shift%slots] = true
			}
			// Of 4096 balls in 65536 bins some 125 share one.
			require.Greater(t, len(used), keys-keys/16, "word %d, bits from %d", word, shift)
		}
	}
	var k Key
	a, b := NewSeed(), NewSeed()
	require.NotEqual(t, a.Hash(&k), b.Hash(&k))
}
