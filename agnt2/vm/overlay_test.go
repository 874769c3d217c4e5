package vm_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// TestOverlayExpectation: however many records are expected, before the first or in between, the same are found.
func TestOverlayExpectation(t *testing.T) {
	const records = 3000
	for _, expected := range []int{0, 1, 40, 41, records, 10 * records} {
		o := vm.NewOverlay(memory{})
		for i := range records {
			if i%1000 == 0 {
				o.Expect(expected)
			}
			var k record.Key
			binary.BigEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
			o.Set(k, binary.BigEndian.AppendUint64(nil, uint64(i)))
		}
		require.Equal(t, records, o.Len())
		cs := o.Changes()
		require.Len(t, cs, records)
		for _, c := range cs {
			require.Equal(t, binary.BigEndian.Uint64(c.Key[:]), binary.BigEndian.Uint64(c.New)*0x9e3779b97f4a7c15)
			require.Equal(t, c.New, o.Get(c.Key))
		}
		require.Equal(t, records, o.Len(), "none was read again")
	}
}
