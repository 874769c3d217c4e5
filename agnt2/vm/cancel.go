package vm

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// CANCEL (paper App. A.4; docs/spec/operations/cancel.md). It never takes a valid RESPOND's place: an INVOKE is not ended but
// gets an earlier deadline, which still leaves the callee the least time that any callee has, and only after the callee has
// deregistered; a composition is ended before its atomic point or not at all.

// stepCancelInteraction finds out what the id is: an INVOKE's interaction, a constituent's, or else a composition. The record
// of an INVOKE gets its new deadline at once; the interaction in progress keeps the old one, which is what is queued.
func stepCancelInteraction(m *Machine, s State) Step {
	c := m.args.(*abi.CancelCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	m.Op.Id = c.Id
	m.Op.Data = common.Hash{} // no later step reads the calldata
	m.forgetSender()
	k := record.InteractionKey(c.Id)
	old := m.get(s, k)
	if old == nil {
		m.Call = record.Interaction{CompositionId: c.Id}
		return CancelComposition
	}
	m.Call = decoded(record.DecodeInteraction(old))
	i := &m.Call
	if i.Constituent != 0 {
		if i.Callee != m.Op.From {
			return m.fail(&abi.NotCallee{Sender: m.Op.From, Callee: i.Callee})
		}
		return CancelComposition
	}
	deadline := m.cancelledDeadline()
	switch {
	case i.Caller != m.Op.From:
		return m.fail(&abi.NotCaller{Sender: m.Op.From, Caller: i.Caller})
	case i.Status != uint8(Pending):
		return m.fail(&abi.InteractionSettled{Id: c.Id, Status: i.Status})
	case deadline >= i.Deadline: // nothing to gain
		return m.fail(&abi.NotCancellable{Id: c.Id})
	}
	earlier := *i
	earlier.Deadline = deadline
	m.set(s, k, old, earlier.Encode())
	return CancelCallee
}

// cancelledDeadline leaves the callee the least TTL to answer with.
func (m *Machine) cancelledDeadline() uint64 { return m.Block.Time + uint64(m.Params.MinTtlSeconds) }

// stepCancelCallee requires that the callee has deregistered, and moves the deadline.
func stepCancelCallee(m *Machine, s State) Step {
	i, deadline := &m.Call, m.cancelledDeadline()
	a := decoded(record.DecodeAgent(m.get(s, record.AgentKey(i.Callee))))
	if a.Status == uint8(Active) {
		return m.fail(&abi.NotCancellable{Id: m.Op.Id})
	}
	m.emit((&abi.InvokeCancelledEvent{Id: m.Op.Id, Caller: i.Caller, Callee: i.Callee, Deadline: deadline}).Log(abi.Address))
	m.queueLater(deadline, record.DueInteraction, m.Op.Id, TxEnd)
	return RespondDeadline
}

// stepCancelComposition ends a composition: for its initiator, or for a downstream callee of an atomic one.
func stepCancelComposition(m *Machine, s State) Step {
	i, id := &m.Call, m.Call.CompositionId
	k := record.CompositionKey(id)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.CompositionUnknown{Id: id})
	}
	c := composition(old)
	if i.Constituent == 0 && c.Initiator != m.Op.From {
		return m.fail(&abi.NotCaller{Sender: m.Op.From, Caller: c.Initiator})
	}
	switch {
	case c.Status != uint8(CompositionActive):
		return m.fail(&abi.CompositionFinal{Id: id, Status: c.Status})
	case m.Block.Time > c.Deadline:
		return m.fail(&abi.CompositionExpired{Id: id, Deadline: c.Deadline})
	case i.Constituent != 0 && !mayWithdraw(&c, i):
		return m.fail(&abi.NotCancellable{Id: m.Op.Id})
	}
	m.emit((&abi.CompositionCancelledEvent{Id: id, By: m.Op.From}).Log(abi.Address))
	if i.Constituent != 0 {
		c.Culprit = m.Op.From
	}
	more := m.abandon(&c, id)
	m.set(s, k, old, c.Encode())
	if more {
		return m.advanceLater(id, TxEnd)
	}
	return TxEnd
}

// mayWithdraw: a callee that has nobody upstream has no payload that could be wrong; and where nothing is atomic, REJECTED says
// the same.
func mayWithdraw(c *record.Composition, i *record.Interaction) bool {
	index, _ := constituentOf(i)
	return c.Atomic && c.Edges[index]&edgeDepends != 0
}
