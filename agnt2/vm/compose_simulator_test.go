package vm_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

// checkComposition asserts what holds of every composition between blocks.
func (s *simulator) checkComposition(v []byte) {
	c := must(record.DecodeComposition(v))
	vmtest.CheckComposition(s.t, &c)
	s.compositions[vm.CompositionStatus(c.Status)]++
}

// checkNothingHeld: at the end nothing is left in any composition, and each kind of end was met.
func (s *simulator) checkNothingHeld(t *testing.T) {
	for k, v := range s.state {
		if record.Namespace(k[0]) != record.NSComposition {
			continue
		}
		c := must(record.DecodeComposition(v))
		require.NotEqual(t, uint8(vm.CompositionActive), c.Status, "a composition never ends")
		require.True(t, c.EscrowWei.IsZero() && c.OwedWei.IsZero(), "%s wei are left in a composition", c.EscrowWei.Dec())
	}
	for status := vm.CompositionActive; status <= vm.CompositionSettled; status++ {
		require.NotZero(t, s.compositions[status], "no composition was ever in status %d", status)
	}
}

// queued counts the entries of the deadline queue.
func (s *simulator) queued() (n int) {
	for k := range s.state {
		if record.Namespace(k[0]) == record.NSDeadline {
			n++
		}
	}
	return n
}
