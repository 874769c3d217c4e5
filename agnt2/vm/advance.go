package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// The sweeps of compositions. Whatever changes a composition's state queues an entry that the next block takes; sweepAdvance
// looks at the composition alone, does what comes next (one constituent to activate or to settle, a refund, an abort to count)
// by a short chain of micro-steps that comes back to it, and stops for this block when the sweeps are used up.

// What a settlement is, in Op.Status.
const (
	settlePay uint8 = iota
	settleExpire
	settleAbort
)

// abandon gives an active composition up: an atomic one reverts, another one invokes nothing more. It reports whether the next
// block's sweep has something to do.
func (m *Machine) abandon(c *record.Composition, id common.Hash) (more bool) {
	if c.Atomic {
		m.end(c, id, CompositionReverted)
		return true
	}
	stop(c)
	return m.progress(c, id)
}

// stepSweepConstituent books a constituent's timeout in the composition.
func stepSweepConstituent(m *Machine, s State) Step {
	i, id := &m.Call, m.Call.CompositionId
	k := record.CompositionKey(id)
	c := composition(m.get(s, k))
	if c.Status != uint8(CompositionActive) { // it has ended already
		return SweepNext
	}
	_, bit := constituentOf(i)
	then, more := SweepNext, true
	if c.Atomic {
		c.Culprit = i.Callee
		m.end(&c, id, CompositionReverted)
	} else {
		then = SweepReputation
		c.Active &^= bit
		c.Failed |= bit
		more = m.progress(&c, id)
	}
	m.put(s, k, c.Encode())
	if more {
		return m.advanceLater(id, then)
	}
	return then
}

// stepSweepAdvance goes on with a composition. Op.Value is what the chain before has taken out of its escrow.
func stepSweepAdvance(m *Machine, s State) Step {
	id := m.Op.Id
	k := record.CompositionKey(id)
	b := m.get(s, k)
	if b == nil { // its first deadline was later than all that it did
		m.Call = record.Interaction{}
		return SweepNext
	}
	c := composition(b)
	m.Op.Branch = uint32(SweepAdvance)
	m.leaveEscrow(&c)
	var ready uint32
	if c.Status == uint8(CompositionActive) {
		if m.Block.Time > c.Deadline {
			m.abandon(&c, id)
		} else {
			ready = m.conclude(&c, id)
		}
	}
	m.Call = record.Interaction{Caller: c.Initiator, CompositionId: id, InvokedAt: m.Block.Time, Deadline: c.Deadline}
	next := m.advance(&c, id, ready)
	m.put(s, k, c.Encode())
	return next
}

// leaveEscrow books what was paid or refunded. Credits are left alone by a refund of what nobody is owed.
func (m *Machine) leaveEscrow(c *record.Composition) {
	c.EscrowWei.Sub(&c.EscrowWei, &m.Op.Value)
	if c.EscrowWei.Lt(&c.OwedWei) {
		c.OwedWei = c.EscrowWei
	}
	m.Op.Value.Clear()
}

// advance chooses what to do.
func (m *Machine) advance(c *record.Composition, id common.Hash, ready uint32) Step {
	switch CompositionStatus(c.Status) {
	case CompositionActive:
		return m.activate(c, id, ready)
	case CompositionCommitted:
		var refund uint256.Int
		if refund.Sub(&c.EscrowWei, &c.OwedWei); !refund.IsZero() { // branches not taken, iterations not run
			return m.refund(c, id, &refund)
		}
		return m.settle(c, id)
	case CompositionReverted:
		if !c.EscrowWei.IsZero() {
			return m.refund(c, id, &c.EscrowWei)
		}
		if c.Culprit != (common.Address{}) && c.Paid == 0 {
			c.Paid = all(c)
			m.Call.Callee, m.Op.Status = c.Culprit, settleAbort
			return SettleReputation
		}
		return ComposeHistory
	}
	if !c.EscrowWei.IsZero() { // of those that failed, too
		return m.refund(c, id, &c.EscrowWei)
	}
	return ComposeHistory
}

// sweptEnough reports whether this block may do no more; what was taken from the queue gets at least one thing done.
func (m *Machine) sweptEnough() bool { return m.Op.Count > m.Params.SweepsPerBlock }

// activate begins the next constituent of those that can be.
func (m *Machine) activate(c *record.Composition, id common.Hash, ready uint32) Step {
	if ready == 0 {
		return SweepNext
	}
	if m.sweptEnough() {
		return m.advanceLater(id, SweepNext)
	}
	i := lowest(ready)
	c.Active |= 1 << i
	m.Op.Count += weightOfStep
	m.Op.Index = uint32(i)
	m.Op.Pairs = c.Edges[i] & edgeDepends & uint64(c.Done)
	m.Call.Constituent = i + 1
	if c.Atomic {
		m.Call.Constituent |= constituentAtomic
	}
	return ActivateConstituent
}

// refund gives the initiator back a part of the escrow.
func (m *Machine) refund(c *record.Composition, id common.Hash, wei *uint256.Int) Step {
	m.Op.Value = *wei
	m.Op.Count++ // the event counts
	m.Op.Epoch = uint32(SweepAdvance)
	m.emit((&abi.CompositionRefundedEvent{Id: id, Initiator: c.Initiator, RefundedWei: *wei}).Log(abi.Address))
	return SettleInitiator
}

// settle pays the next constituent of a committed composition; after the time for openings, those that were not opened are
// refunded.
func (m *Machine) settle(c *record.Composition, id common.Hash) Step {
	unpaid := c.Credited &^ c.Paid
	due := unpaid & c.Opened
	m.Op.Status, m.Op.Epoch = settlePay, uint32(SettleCallee)
	if due == 0 && m.Block.Time > c.Deadline {
		due = unpaid
		m.Op.Status, m.Op.Epoch = settleExpire, uint32(SettleReputation)
	}
	switch {
	case unpaid == 0:
		return ComposeHistory
	case due == 0: // until results are opened, or until it is too late
		return m.queueLater(c.Deadline, record.DueComposition, id, SweepNext)
	case m.sweptEnough():
		return m.advanceLater(id, SweepNext)
	}
	i := lowest(due)
	c.Paid |= 1 << i
	m.Op.Count += weightOfStep
	m.Op.Index = uint32(i)
	m.Call = record.Interaction{Caller: c.Initiator, Branch: c.Branches[i]}
	return SettleConstituent
}

// stepActivateConstituent makes the call of a constituent.
func stepActivateConstituent(m *Machine, s State) Step {
	i, index := &m.Call, uint8(m.Op.Index)
	k := record.ConstituentKey(m.Op.Id, index)
	old := m.get(s, k)
	x := decoded(record.DecodeConstituent(old))
	if x.Feedback != 0 && x.Iteration > 0 { // the loop's last result goes into its next round
		m.Op.Pairs |= 1 << (x.Feedback - 1)
	}
	x.Iteration++
	assert(x.Iteration <= x.Prepaid, "an iteration is not paid for")
	x.InteractionId = ConstituentID(m.Op.Id, index, x.Iteration)
	m.put(s, k, x.Encode())
	i.Status, i.Callee, i.Capability, i.ParamsHash, i.PaymentWei = uint8(Pending), x.Callee, x.Capability, x.Template, x.PaymentWei
	i.Deadline = min(i.InvokedAt+uint64(x.TtlSeconds), i.Deadline)
	if x.Needed {
		i.Constituent |= constituentNeeded
	}
	m.Op.Word = x.InteractionId
	return m.nextInput()
}

func (m *Machine) nextInput() Step {
	if m.Op.Pairs != 0 {
		return ActivateInput
	}
	return ActivateInteraction
}

// stepActivateInput folds one result into the params hash. One at a time: nineteen results and a Merkle path would be too
// much for one proof.
func stepActivateInput(m *Machine, s State) Step {
	from := lowest(uint32(m.Op.Pairs))
	x := decoded(record.DecodeConstituent(m.get(s, record.ConstituentKey(m.Op.Id, from))))
	m.Call.ParamsHash = FoldInput(m.Call.ParamsHash, x.ResultHash)
	m.Op.Pairs &^= 1 << from
	return m.nextInput()
}

// stepActivateInteraction writes the call, which its callee sees as any INVOKE.
func stepActivateInteraction(m *Machine, s State) Step {
	i, id := &m.Call, m.Op.Word
	k := record.InteractionKey(id)
	assert(m.get(s, k) == nil, "a constituent's interaction exists")
	m.put(s, k, i.Encode())
	m.Sums.Interactions++
	m.emit((&abi.InvokedEvent{
		Id: id, Caller: i.Caller, Callee: i.Callee, Capability: i.Capability, ParamsHash: i.ParamsHash, PaymentWei: i.PaymentWei,
		Deadline: i.Deadline, CompositionId: i.CompositionId, Da: abi.DAPointer{ContentHash: i.ParamsHash},
	}).Log(abi.Address))
	return m.queueLater(i.Deadline, record.DueInteraction, id, SweepAdvance)
}

// stepSettleConstituent learns whom to pay, and how much.
func stepSettleConstituent(m *Machine, s State) Step {
	i := &m.Call
	x := decoded(record.DecodeConstituent(m.get(s, record.ConstituentKey(m.Op.Id, uint8(m.Op.Index)))))
	i.Callee, i.PaymentWei, i.ResultHash = x.Callee, x.PaymentWei, x.ResultHash
	m.Op.Word, m.Op.Index = x.InteractionId, uint32(x.Iteration)
	if m.Op.Status == settleExpire {
		m.Op.Value = x.PaymentWei // needed by nobody, so in no loop: once
	}
	return SettleInteraction
}

// stepSettleInteraction gives the interaction its final status.
func stepSettleInteraction(m *Machine, s State) Step {
	k := record.InteractionKey(m.Op.Word)
	i := decoded(record.DecodeInteraction(m.get(s, k)))
	i.Status = uint8(Completed)
	if m.Op.Status == settleExpire {
		i.Status = uint8(TimedOut)
	}
	i.SettledAt = m.Block.Time
	m.put(s, k, i.Encode())
	return SettleInitiator
}

// stepSettleInitiator gives the initiator its refund, if any, and learns whether it counts for reputation.
func stepSettleInitiator(m *Machine, s State) Step {
	i := &m.Call
	k := record.AccountKey(i.Caller)
	old := m.get(s, k)
	a := account(old)
	a.Balance.Add(&a.Balance, &m.Op.Value)
	m.set(s, k, old, a.Encode())
	m.Op.Flag = m.counts(&a)
	next, owner := Step(m.Op.Epoch), ownerOf(a.Owner, i.Caller)
	if next == SettleCallee { // compares the owners: the callee is not the one who acts
		m.Op.Actor = owner
		return next
	}
	m.Op.Flag = m.Op.Flag && owner != m.actingOwner()
	switch {
	case next == RespondPair && !m.Op.Flag:
		return RespondReputation
	case next == SettlePair && !m.Op.Flag:
		return SettleReputation
	}
	return next
}

// stepSettleCallee turns a provisional credit into balance.
func stepSettleCallee(m *Machine, s State) Step {
	i := &m.Call
	m.Op.Value.Mul(&i.PaymentWei, uint256.NewInt(uint64(m.Op.Index)))
	k := record.AccountKey(i.Callee)
	a := account(m.get(s, k))
	a.Balance.Add(&a.Balance, &m.Op.Value)
	m.put(s, k, a.Encode())
	m.Sums.VolumeWei.Add(&m.Sums.VolumeWei, &m.Op.Value)
	m.emitResponded(m.Op.Word, &m.Op.Value)
	m.Op.Flag = m.Op.Flag && ownerOf(a.Owner, i.Callee) != m.Op.Actor
	m.Op.Actor = common.Address{}
	if m.Op.Flag {
		return SettlePair
	}
	return SettleReputation
}

// stepSettlePair counts the pair's interactions, one for each iteration.
func stepSettlePair(m *Machine, s State) Step {
	k := record.PairKey(m.Call.Callee, m.Call.Caller)
	old := m.get(s, k)
	var p record.Pair
	if old != nil {
		p = decoded(record.DecodePair(old))
	}
	m.Op.Pairs = p.Completed
	p.Completed += uint64(m.Op.Index)
	p.Latest = m.Op.Word
	m.set(s, k, old, p.Encode())
	return SettleReputation
}

// stepSettleReputation scores the callee as RESPOND or a timeout would. An abort is counted and not scored.
func stepSettleReputation(m *Machine, s State) Step {
	i, n := &m.Call, uint64(m.Op.Index)
	k := record.ReputationKey(i.Callee)
	old := m.get(s, k)
	r := reputationOf(old)
	switch m.Op.Status {
	case settlePay:
		r.LastActiveAt = m.Block.Time
		r.Completed += n
		r.SoftStreak = 0
		if m.Op.Flag {
			r.CountedCompleted += n
			if m.Op.Pairs == 0 {
				r.DistinctCallers++
			}
			r.SumOfSquares.AddUint64(&r.SumOfSquares, n*(2*m.Op.Pairs+n)) // (p+n)² − p²
		}
	case settleExpire:
		r.LastActiveAt = m.Block.Time
		r.Timeouts++
		r.PenaltyUnits += reputation.PenaltyTimeout
		m.emit((&abi.TimedOutEvent{Id: m.Op.Word, Caller: i.Caller, Callee: i.Callee, RefundedWei: m.Op.Value}).Log(abi.Address))
	default:
		r.Aborts++
	}
	m.set(s, k, old, r.Encode())
	return Step(m.Op.Branch)
}
