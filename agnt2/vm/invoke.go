package vm

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
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

// invokeCall is the INVOKE that the operation in progress asks for.
func (m *Machine) invokeCall() *abi.InvokeCall {
	switch c := m.args.(type) {
	case *abi.InvokeCall:
		return c
	case *abi.DiscoverInvokeCall:
		return m.discovered(c)
	case *abi.RevealCall:
		return revealed(c)
	}
	panic("operation invokes nothing")
}

// Quotas of a caller (paper App. A.6). They count on its own account, so that calls of one callee do not wait for each other.
const (
	maxStakedInvokes      = 1 << 16 // pending INVOKEs that stake can allow beyond Params.MaxPendingInvokes
	microsecondsPerSecond = 1_000_000
)

// maxPending is how many pending INVOKEs the sender may have.
func (m *Machine) maxPending() uint32 {
	n := uint64(m.Params.MaxPendingInvokes)
	if per := &m.Policy.WeiPerPendingInvoke; !per.IsZero() {
		staked := new(uint256.Int).Div(&m.Op.Stake, per)
		if staked.LtUint64(maxStakedInvokes) {
			n += staked.Uint64()
		} else {
			n += maxStakedInvokes
		}
	}
	return uint32(min(n, math.MaxUint32))
}

// pace takes one INVOKE out of the sender's rate bucket (the generic cell rate algorithm: one number says when the bucket is
// full again). If it is empty, pace returns the Unix second in which it is not.
func (m *Machine) pace() (retryAt uint64) {
	if m.Policy.InvokesPerSecond == 0 {
		return 0
	}
	interval := max(microsecondsPerSecond/uint64(m.Policy.InvokesPerSecond), 1)
	now := m.Block.Time * microsecondsPerSecond
	full := max(m.Op.Paced, now)
	room := interval * (max(uint64(m.Policy.InvokesBurst), 1) - 1)
	if full-now > room {
		return (full - room + microsecondsPerSecond - 1) / microsecondsPerSecond
	}
	m.Op.Paced = full + interval
	return 0
}

// stepInvokeArgs checks what needs no record and prepares the interaction and its event; the steps after it do not read
// the calldata, which keeps their witnesses small.
func stepInvokeArgs(m *Machine, _ State) Step {
	c := m.invokeCall()
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
	case m.Op.Pending >= m.maxPending():
		return m.fail(&abi.TooManyPendingInvokes{Pending: m.Op.Pending, Maximum: m.maxPending()})
	}
	if retryAt := m.pace(); retryAt != 0 {
		return m.fail(&abi.RateLimited{RetryAt: retryAt})
	}
	m.Op.Id = InteractionID(m.Op.From, c.Salt)
	m.Op.Word = c.MaxPriceWei.Bytes32()
	m.Op.Branch = uint32(m.Policy.EligibilityScore)
	m.Op.Data = common.Hash{} // no later step reads the calldata
	m.forgetSender()
	m.Op.Actor = c.Callee
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

// stepInvokeCallee checks that the callee is an active agent. An Agent can be large, so the callee is in a register and the
// interaction is not opened.
func stepInvokeCallee(m *Machine, s State) Step {
	callee := m.Op.Actor
	m.Op.Actor = common.Address{}
	b := m.get(s, record.AgentKey(callee))
	if b == nil {
		return m.refuse(callee, &abi.CalleeUnknown{Callee: callee})
	}
	a := decoded(record.DecodeAgent(b))
	if a.Status != uint8(Active) {
		return m.refuse(callee, &abi.CalleeInactive{Callee: callee})
	}
	m.Op.Epoch = a.Epoch
	if m.Op.Branch != 0 {
		return InvokeReputation
	}
	return InvokeCapability
}

// stepInvokeReputation refuses a callee that has a history and answers too few of its calls.
func stepInvokeReputation(m *Machine, s State) Step {
	i := &m.Call
	r := reputationOf(m.get(s, record.ReputationKey(i.Callee)))
	if !reputation.Eligible(&r, m.Op.Branch) {
		return m.refuse(i.Callee, &abi.CalleeIneligible{
			Callee: i.Callee, Reliability: *uint256.NewInt(reputation.Reliability(&r)), Minimum: *uint256.NewInt(uint64(m.Op.Branch)),
		})
	}
	return InvokeCapability
}

func stepInvokeCapability(m *Machine, s State) Step {
	i := &m.Call
	b := m.get(s, record.CapabilityKey(i.Callee, i.Capability))
	if !m.live(b) {
		return m.refuse(i.Callee, &abi.CapabilityUnknown{Callee: i.Callee, Capability: i.Capability})
	}
	offer := decoded(record.DecodeCapability(b))
	if !m.use(gas.Class(&m.Params, offer.Class, m.Op.Discount)) {
		return m.outOfGas()
	}
	if offer.CommitRequired && !m.Op.Flag {
		return m.fail(&abi.CommitRequired{Callee: i.Callee, Capability: i.Capability})
	}
	maxPrice := new(uint256.Int).SetBytes32(m.Op.Word[:])
	if maxPrice.Lt(&offer.PriceWei) {
		return m.refuse(i.Callee, &abi.PriceAboveMaximum{PriceWei: offer.PriceWei, MaxPriceWei: *maxPrice})
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
