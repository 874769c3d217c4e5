package vm

import (
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// TIMEOUT (paper App. A.1, A.2): the protocol itself ends overdue interactions at the start of every block, in the order
// of (deadline, id), so that no sequencer can withhold one. A block sweeps at most Params.SweepsPerBlock; the rest carries
// over, and since every operation compares deadlines, being swept late changes nothing but when the refund arrives.

// stepSweepNext takes the head of the queue if it is overdue.
func stepSweepNext(m *Machine, s State) step {
	k, ok := s.NextDeadline()
	if !ok || record.DeadlineOf(k) >= m.Block.Time || m.Swept >= m.Params.SweepsPerBlock {
		return txEnd
	}
	d := decoded(record.DecodeDeadline(m.get(s, k)))
	s.Set(k, nil)
	m.Swept++
	m.r.id = d.Id
	return sweepInteraction
}

func stepSweepInteraction(m *Machine, s State) step {
	k := record.InteractionKey(m.r.id)
	m.r.inter = decoded(record.DecodeInteraction(m.get(s, k)))
	i := &m.r.inter
	assert(i.Status == uint8(Pending), "queued interaction is not pending")
	i.Status = uint8(TimedOut)
	i.SettledAt = m.Block.Time
	s.Set(k, i.Encode())
	return sweepCaller
}

func stepSweepCaller(m *Machine, s State) step {
	i := &m.r.inter
	k := record.AccountKey(i.Caller)
	a := account(m.get(s, k))
	m.releaseEscrow(&a)
	a.Balance.Add(&a.Balance, &i.PaymentWei)
	s.Set(k, a.Encode())
	return sweepReputation
}

func stepSweepReputation(m *Machine, s State) step {
	i := &m.r.inter
	k := record.ReputationKey(i.Callee)
	r := reputationOf(m.get(s, k))
	r.Timeouts++
	r.PenaltyUnits += reputation.PenaltyTimeout
	r.LastActiveAt = m.Block.Time
	s.Set(k, r.Encode())
	m.emit((&abi.TimedOutEvent{Id: m.r.id, Caller: i.Caller, Callee: i.Callee, RefundedWei: i.PaymentWei}).Log(abi.Address))
	return sweepNext
}

// releaseEscrow takes the interaction in progress off its caller's books.
func (m *Machine) releaseEscrow(a *record.Account) {
	i := &m.r.inter
	assert(!a.Escrowed.Lt(&i.PaymentWei) && a.PendingInvokes > 0, "caller's escrow does not cover a pending interaction")
	a.Escrowed.Sub(&a.Escrowed, &i.PaymentWei)
	a.PendingInvokes--
}

func reputationOf(b []byte) (r record.Reputation) {
	if b != nil {
		r = decoded(record.DecodeReputation(b))
	}
	return r
}
