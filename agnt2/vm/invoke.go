package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// INVOKE (paper App. A.1, A.2): creates the pending interaction, escrows the payment, queues the deadline. It writes no
// record of the callee, so that calls of a popular agent do not wait for each other (this removes App. E.2's bottleneck).

// InteractionID is keccak256(abi.encode(caller, salt)).
func InteractionID(caller common.Address, salt common.Hash) common.Hash {
	var b [64]byte
	copy(b[12:], caller[:])
	copy(b[32:], salt[:])
	return crypto.Keccak256Hash(b[:])
}

// stepInvokeCallee checks what needs no record, then that the callee is an active agent.
func stepInvokeCallee(m *Machine, s State) step {
	c := m.args.(*abi.InvokeCall)
	if !m.use(gas.InvokeBase(&m.Params, c.Da.LengthBytes)) {
		return m.outOfGas(s)
	}
	switch {
	case c.Callee == m.tx.From:
		return m.fail(s, &abi.SelfInvocation{Agent: m.tx.From})
	case c.TtlSeconds < m.Params.MinTtlSeconds || c.TtlSeconds > m.Params.MaxTtlSeconds:
		return m.fail(s, &abi.TtlOutOfBounds{TtlSeconds: c.TtlSeconds, Minimum: m.Params.MinTtlSeconds, Maximum: m.Params.MaxTtlSeconds})
	case c.Da.Backend >= daBackends:
		return m.fail(s, outOfRange("da.backend"))
	case c.Da.ContentHash != c.ParamsHash:
		return m.fail(s, &abi.DACommitmentMismatch{Expected: c.ParamsHash, ContentHash: c.Da.ContentHash})
	case m.r.pending >= m.Params.MaxPendingInvokes:
		return m.fail(s, &abi.TooManyPendingInvokes{Pending: m.r.pending, Maximum: m.Params.MaxPendingInvokes})
	}
	b := m.get(s, record.AgentKey(c.Callee))
	if b == nil {
		return m.fail(s, &abi.CalleeUnknown{Callee: c.Callee})
	}
	a := decoded(record.DecodeAgent(b))
	if a.Status != uint8(Active) {
		return m.fail(s, &abi.CalleeInactive{Callee: c.Callee})
	}
	m.r.epoch = a.Epoch
	return invokeCapability
}

func stepInvokeCapability(m *Machine, s State) step {
	c := m.args.(*abi.InvokeCall)
	b := m.get(s, record.CapabilityKey(c.Callee, c.Capability))
	if !m.live(b) {
		return m.fail(s, &abi.CapabilityUnknown{Callee: c.Callee, Capability: c.Capability})
	}
	offer := decoded(record.DecodeCapability(b))
	if !m.use(gas.Class(&m.Params, offer.Class)) {
		return m.outOfGas(s)
	}
	if c.MaxPriceWei.Lt(&offer.PriceWei) {
		return m.fail(s, &abi.PriceAboveMaximum{PriceWei: offer.PriceWei, MaxPriceWei: c.MaxPriceWei})
	}
	if m.tx.Value.Lt(&offer.PriceWei) {
		return m.fail(s, &abi.PaymentBelowPrice{PaymentWei: m.tx.Value, PriceWei: offer.PriceWei})
	}
	return invokeInteraction
}

func stepInvokeInteraction(m *Machine, s State) step {
	c := m.args.(*abi.InvokeCall)
	m.r.id = InteractionID(m.tx.From, c.Salt)
	k := record.InteractionKey(m.r.id)
	if m.get(s, k) != nil {
		return m.fail(s, &abi.DuplicateInteraction{Id: m.r.id})
	}
	deadline := m.Block.Time + uint64(c.TtlSeconds)
	m.set(s, k, nil, (&record.Interaction{
		Status: uint8(Pending), Caller: m.tx.From, Callee: c.Callee, Capability: c.Capability, ParamsHash: c.ParamsHash,
		PaymentWei: m.tx.Value, InvokedAt: m.Block.Time, Deadline: deadline, CompositionId: c.CompositionId,
	}).Encode())
	m.emit((&abi.InvokedEvent{
		Id: m.r.id, Caller: m.tx.From, Callee: c.Callee, Capability: c.Capability, ParamsHash: c.ParamsHash,
		PaymentWei: m.tx.Value, Deadline: deadline, SessionId: c.SessionId, CompositionId: c.CompositionId, Da: c.Da,
	}).Log(abi.Address))
	return invokeDeadline
}

func stepInvokeDeadline(m *Machine, s State) step {
	c := m.args.(*abi.InvokeCall)
	k := record.DeadlineKey(m.Block.Time+uint64(c.TtlSeconds), m.r.id)
	m.set(s, k, nil, (&record.Deadline{Id: m.r.id}).Encode())
	m.r.escrowAdd, m.r.pendingAdd = m.tx.Value, 1
	m.Totals.Interactions++
	m.r.ret = m.r.id[:]
	return txEnd
}
