package vm_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

// checkComposition asserts what holds of every composition between blocks.
func (s *simulator) checkComposition(k record.Key, v []byte) {
	t, c := s.t, must(record.DecodeComposition(v))
	vmtest.CheckComposition(t, &c)
	s.compositions[vm.CompositionStatus(c.Status)]++
	if c.LeavesAt != 0 {
		require.NotEqual(t, uint8(vm.CompositionActive), c.Status)
		require.True(t, c.EscrowWei.IsZero() && c.OwedWei.IsZero(), "%s wei are left in a composition that is over", c.EscrowWei.Dec())
	}
	require.Equal(t, c.LeavesAt != 0, s.inQueue(k, record.DueCompositionHistory) == 1, "no composition record outlives its time")
	if c.LeavesAt == 0 && c.Status != uint8(vm.CompositionActive) {
		require.NotZero(t, s.inQueue(k, record.DueComposition), "a composition that has ended is not settled")
	}
}

// inQueue counts a composition's entries of the queue.
func (s *simulator) inQueue(composition record.Key, kind record.DeadlineKind) (n int) {
	for k, v := range s.state {
		if record.Namespace(k[0]) == record.NSDeadline && record.DueOf(k) == kind && record.CompositionKey(must(record.DecodeDeadline(v)).Id) == composition {
			n++
		}
	}
	return n
}

// checkLeaving: a composition that is over leaves at its time, or in the block after if that has moved all that it may, or at the end
// of a dispute.
func (s *simulator) checkLeaving(k record.Key, id common.Hash, swept uint32) {
	t, at := s.t, record.DeadlineOf(k)
	c := must(record.DecodeComposition(s.state[record.CompositionKey(id)]))
	require.NotZero(t, c.LeavesAt)
	require.False(t, at < s.time && swept < s.params.SweepsPerBlock, "no composition record outlives its time")
	if at == c.LeavesAt || at == s.time {
		return
	}
	require.Greater(t, at, c.LeavesAt)
	disputed := false
	for i := range c.Count {
		for n := range uint8(vm.MaxLoopIterations) {
			if d := s.state[record.DisputeKey(vm.ConstituentID(id, i, n+1))]; d != nil {
				disputed = disputed || must(record.DecodeDispute(d)).Deadline == at
			}
		}
	}
	require.True(t, disputed || at < s.time, "a composition stays without a reason")
}

// checkConstituents: all belong to a composition that is there, and only one that leaves has lost some.
func (s *simulator) checkConstituents() {
	n := 0
	for k := range s.state {
		if record.Namespace(k[0]) == record.NSConstituent {
			n++
		}
	}
	seen := map[common.Hash]bool{}
	for _, id := range s.Compositions {
		b := s.state[record.CompositionKey(id)]
		if b == nil || seen[id] {
			continue
		}
		seen[id] = true
		c := must(record.DecodeComposition(b))
		for i := range c.Count {
			if s.state[record.ConstituentKey(id, i)] != nil {
				n--
			} else {
				require.NotZero(s.t, c.LeavesAt, "a constituent is missing")
			}
		}
	}
	require.Zero(s.t, n, "constituents without a composition")
}

// checkEveryEnd: compositions end in every way.
func (s *simulator) checkEveryEnd(t *testing.T) {
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
