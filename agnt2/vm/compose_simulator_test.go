package vm_test

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// isOpen: its deadline is queued. A tentative answer that others need is, until it is opened.
func isOpen(i *record.Interaction) bool {
	return i.Status == uint8(vm.Pending) || i.Status == uint8(vm.Tentative) && i.Constituent&(1<<5) != 0
}

// checkComposition asserts what holds of every composition between blocks.
func (s *simulator) checkComposition(v []byte) {
	t, c := s.t, must(record.DecodeComposition(v))
	all := uint32(1)<<c.Count - 1
	require.Zero(t, (c.Active|c.Done|c.Skipped|c.Failed|c.Credited|c.Opened|c.Paid)&^all, "masks of constituents that are not there")
	sum := bits.OnesCount32(c.Active) + bits.OnesCount32(c.Done) + bits.OnesCount32(c.Skipped) + bits.OnesCount32(c.Failed)
	require.Equal(t, sum, bits.OnesCount32(c.Active|c.Done|c.Skipped|c.Failed), "a constituent has two fates")
	require.False(t, c.EscrowWei.Lt(&c.OwedWei), "credits are not covered")
	switch status := vm.CompositionStatus(c.Status); status {
	case vm.CompositionActive:
		require.Zero(t, c.SettledAt)
		require.Zero(t, c.Paid)
		if c.Atomic {
			require.Zero(t, c.Failed, "an atomic composition outlives a failure")
		}
	case vm.CompositionCommitted:
		require.True(t, c.Atomic)
		require.Equal(t, all, c.Done|c.Skipped)
		require.Zero(t, c.Paid&^c.Credited)
		if c.Paid == c.Credited {
			require.Equal(t, c.EscrowWei.IsZero(), c.OwedWei.IsZero())
		}
	case vm.CompositionReverted:
		require.True(t, c.Atomic)
	case vm.CompositionSettled:
		require.False(t, c.Atomic)
		require.Equal(t, all, c.Done|c.Skipped|c.Failed)
	default:
		require.Fail(t, "a composition without status")
	}
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
