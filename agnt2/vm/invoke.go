package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

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
	return record.Keccak256(b[:])
}

// stepInvokeArgs checks what needs no record and prepares the interaction and its event; the steps after it do not read
// the calldata, which keeps their witnesses small.
func stepInvokeArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.InvokeCall)
	if !m.use(gas.InvokeBase(&m.Params, c.Da.LengthBytes)) {
		return m.outOfGas()
	}
	switch {
	case c.Callee == m.Op.From:
		return m.fail(&abi.SelfInvocation{Agent: m.Op.From})
	case c.TtlSeconds < m.Params.MinTtlSeconds || c.TtlSeconds > m.Params.MaxTtlSeconds:
		return m.fail(&abi.TtlOutOfBounds{TtlSeconds: c.TtlSeconds, Minimum: m.Params.MinTtlSeconds, Maximum: m.Params.MaxTtlSeconds})
	case c.Da.Backend >= daBackends:
		return m.fail(outOfRange("da.backend"))
	case c.Da.ContentHash != c.ParamsHash:
		return m.fail(&abi.DACommitmentMismatch{Expected: c.ParamsHash, ContentHash: c.Da.ContentHash})
	case m.Op.Pending >= m.Params.MaxPendingInvokes:
		return m.fail(&abi.TooManyPendingInvokes{Pending: m.Op.Pending, Maximum: m.Params.MaxPendingInvokes})
	}
	m.Op.Id = InteractionID(m.Op.From, c.Salt)
	m.Op.Word = c.MaxPriceWei.Bytes32()
	m.Op.Data = common.Hash{} // no later step reads the calldata
	m.Call = record.Interaction{
		Status: uint8(Pending), Caller: m.Op.From, Callee: c.Callee, Capability: c.Capability, ParamsHash: c.ParamsHash,
		PaymentWei: m.Op.Value, InvokedAt: m.Block.Time, Deadline: m.Block.Time + uint64(c.TtlSeconds), CompositionId: c.CompositionId,
	}
	m.emit((&abi.InvokedEvent{
		Id: m.Op.Id, Caller: m.Op.From, Callee: c.Callee, Capability: c.Capability, ParamsHash: c.ParamsHash,
		PaymentWei: m.Op.Value, Deadline: m.Call.Deadline, SessionId: c.SessionId, CompositionId: c.CompositionId, Da: c.Da,
	}).Log(abi.Address))
	return InvokeCallee
}

// stepInvokeCallee checks that the callee is an active agent.
func stepInvokeCallee(m *Machine, s State) Step {
	i := &m.Call
	b := m.get(s, record.AgentKey(i.Callee))
	if b == nil {
		return m.fail(&abi.CalleeUnknown{Callee: i.Callee})
	}
	a := decoded(record.DecodeAgent(b))
	if a.Status != uint8(Active) {
		return m.fail(&abi.CalleeInactive{Callee: i.Callee})
	}
	m.Op.Epoch = a.Epoch
	return InvokeCapability
}

func stepInvokeCapability(m *Machine, s State) Step {
	i := &m.Call
	b := m.get(s, record.CapabilityKey(i.Callee, i.Capability))
	if !m.live(b) {
		return m.fail(&abi.CapabilityUnknown{Callee: i.Callee, Capability: i.Capability})
	}
	offer := decoded(record.DecodeCapability(b))
	if !m.use(gas.Class(&m.Params, offer.Class)) {
		return m.outOfGas()
	}
	maxPrice := new(uint256.Int).SetBytes32(m.Op.Word[:])
	if maxPrice.Lt(&offer.PriceWei) {
		return m.fail(&abi.PriceAboveMaximum{PriceWei: offer.PriceWei, MaxPriceWei: *maxPrice})
	}
	if m.Op.Value.Lt(&offer.PriceWei) {
		return m.fail(&abi.PaymentBelowPrice{PaymentWei: m.Op.Value, PriceWei: offer.PriceWei})
	}
	return InvokeInteraction
}

func stepInvokeInteraction(m *Machine, s State) Step {
	k := record.InteractionKey(m.Op.Id)
	if m.get(s, k) != nil {
		return m.fail(&abi.DuplicateInteraction{Id: m.Op.Id})
	}
	m.set(s, k, nil, m.Call.Encode())
	return InvokeDeadline
}

func stepInvokeDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(m.Call.Deadline, record.DueInteraction, m.Op.Id)
	m.set(s, k, nil, (&record.Deadline{Id: m.Op.Id}).Encode())
	m.Op.Effect |= effectEscrow
	m.ret = m.Op.Id[:]
	return TxEnd
}
