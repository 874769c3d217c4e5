package vm

import (
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// TIMEOUT (paper App. A.1, A.2): the protocol itself ends overdue interactions at the start of every block, in the order
// of (deadline, id), so that no sequencer can withhold one. A block sweeps at most Params.SweepsPerBlock; the rest carries
// over, and since every operation compares deadlines, being swept late changes nothing but when the refund arrives.

// stepSweepNext takes the head of the queue if it is overdue.
func stepSweepNext(m *Machine, s State) Step {
	if m.Op.Count >= m.Params.SweepsPerBlock || m.Op.Pruned >= m.Policy.PrunesPerBlock {
		return TxEnd
	}
	k, ok := s.NextDeadline()
	if !ok || record.DeadlineOf(k) >= m.Block.Time {
		return TxEnd
	}
	d := decoded(record.DecodeDeadline(m.get(s, k)))
	m.put(s, k, nil)
	due := record.DueOf(k)
	if due == record.DueHistory || due == record.DueCompositionHistory { // has no event, so it needs no room in the receipt
		m.Op.Pruned++
	} else {
		m.Op.Count++
	}
	m.Op.Id = d.Id
	m.Op.Value.Clear() // a register of the sweeps
	next, ok := sweeps[due]
	assert(ok, "nothing sweeps what is queued")
	return next
}

// sweeps says which micro-step deals with what falls due.
var sweeps = map[record.DeadlineKind]Step{
	record.DueInteraction: SweepInteraction,
	record.DueChannel:     SweepChannel,
	record.DueHistory:     PruneDispute,
	record.DueDispute:     SweepDispute,
	record.DueCommitment:  SweepCommitment,
	record.DueComposition: SweepAdvance,

	record.DueCompositionHistory: PruneComposition,
}

func stepSweepInteraction(m *Machine, s State) Step {
	k := record.InteractionKey(m.Op.Id)
	m.Call = decoded(record.DecodeInteraction(m.get(s, k)))
	i := &m.Call
	if i.Status != uint8(Pending) && i.Status != uint8(Tentative) { // answered before: Machine.answered
		m.Op.Count-- // has no event
		m.Op.Pruned++
		return SweepHistory
	}
	i.Status = uint8(TimedOut)
	i.SettledAt = m.Block.Time
	m.put(s, k, i.Encode())
	if i.Constituent != 0 {
		return SweepConstituent
	}
	return SweepCaller
}

func stepSweepCaller(m *Machine, s State) Step {
	i := &m.Call
	k := record.AccountKey(i.Caller)
	a := account(m.get(s, k))
	m.releaseEscrow(&a)
	a.Balance.Add(&a.Balance, &i.PaymentWei)
	m.put(s, k, a.Encode())
	return SweepReputation
}

func stepSweepReputation(m *Machine, s State) Step {
	i := &m.Call
	k := record.ReputationKey(i.Callee)
	r := reputationOf(m.get(s, k))
	r.Timeouts++
	r.PenaltyUnits += reputation.PenaltyTimeout
	r.LastActiveAt = m.Block.Time
	r.InteractionHistoryRoot = history.Extend(r.InteractionHistoryRoot, m.Op.Id, i)
	m.put(s, k, r.Encode())
	m.emit((&abi.TimedOutEvent{Id: m.Op.Id, Caller: i.Caller, Callee: i.Callee, RefundedWei: i.PaymentWei}).Log(abi.Address))
	if i.Constituent != 0 { // it leaves with its composition
		return SweepNext
	}
	return SweepHistory
}

// releaseEscrow takes the interaction in progress off its caller's books.
func (m *Machine) releaseEscrow(a *record.Account) {
	i := &m.Call
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
