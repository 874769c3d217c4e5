package state

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
)

// TestHeadTable compares the table with a map under random writes, with room for everything and without.
func TestHeadTable(t *testing.T) {
	for _, limit := range []int{1 << 30, 100 << 10} {
		rnd := rand.New(rand.NewPCG(uint64(limit), 1))
		table, model := newHeadTable(limit), map[record.Key][]byte{}
		key := func() (k record.Key) {
			binary.BigEndian.PutUint64(k[24:], uint64(rnd.IntN(4000)))
			k[0] = byte(rnd.IntN(3))
			return k
		}
		for range 60_000 {
			k := key()
			switch rnd.IntN(4) {
			case 0:
				table.set(&k, nil)
				delete(model, k)
			default:
				v := make([]byte, rnd.IntN(300))
				if rnd.IntN(1000) == 0 {
					v = make([]byte, 5000) // larger than any entry may be
				}
				for i := range v {
					v[i] = byte(rnd.Uint32())
				}
				table.set(&k, v)
				model[k] = v
			}
		}
		require.True(t, table.partial, "some record was too large")
		require.LessOrEqual(t, table.bytes, limit)
		found := 0
		for k, want := range model {
			got, ok := table.appendTo([]byte("x"), &k)
			require.Equal(t, byte('x'), got[0])
			if ok {
				found++
				require.True(t, bytes.Equal(want, got[1:]))
			} else if limit > 1<<20 {
				require.Greater(t, unitsOf(len(want)), freeClasses-1)
			}
		}
		require.Equal(t, table.count, found)
		require.Greater(t, found, 100)
		for range 1000 { // absent keys
			k := key()
			if _, ok := model[k]; !ok {
				_, ok := table.appendTo(nil, &k)
				require.False(t, ok)
			}
		}
	}
}
