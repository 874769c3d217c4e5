package vm

import (
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Operations on the caller's own agent record: UPDATE_CAPABILITIES, DEREGISTER (paper App. A.1) and what the paper's
// sidecar needs beside them (heartbeat, stake, new version).

// activeAgent loads the caller's agent; nil if there is no active one, and then the caller must return the step.
func (m *Machine) activeAgent(s State) (record.Key, []byte, *record.Agent) {
	k := record.AgentKey(m.Op.From)
	old := m.get(s, k)
	if old == nil {
		return k, nil, nil
	}
	a := decoded(record.DecodeAgent(old))
	if a.Status != uint8(Active) {
		return k, old, nil
	}
	return k, old, &a
}

func (m *Machine) notRegistered() Step {
	return m.fail(&abi.NotRegistered{Agent: m.Op.From})
}

func stepUpdateAgent(m *Machine, s State) Step {
	c := m.args.(*abi.UpdateAgentCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	if why := checkAgentFields(c.Name, c.Version); why != nil {
		return m.fail(why)
	}
	k, old, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered()
	}
	a.Name, a.Version, a.ImageDigest = c.Name, c.Version, c.ImageDigest
	m.set(s, k, old, a.Encode())
	m.emit((&abi.AgentUpdatedEvent{Agent: m.Op.From, ImageDigest: c.ImageDigest, Name: c.Name, Version: c.Version}).Log(abi.Address))
	return TxEnd
}

// stepReadOwnAgent begins updateCapabilities: it learns the epoch and the count.
func stepReadOwnAgent(m *Machine, s State) Step {
	c := m.args.(*abi.UpdateCapabilitiesCall)
	if !m.use(gas.AgentOperation(&m.Params, recordsPerCapability*len(c.Upserts)+recordsPerRemoval*len(c.Removals))) {
		return m.outOfGas()
	}
	if why := checkCapabilities(c.Upserts); why != nil {
		return m.fail(why)
	}
	if len(c.Removals) > maxListedElements {
		return m.fail(outOfRange("removals"))
	}
	_, _, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered()
	}
	m.Op.Epoch, m.Op.Count = a.Epoch, a.CapabilityCount
	return m.nextCapability(0)
}

// recordsPerRemoval: both of the capability, and in its index the count, the last entry, the one that it goes to, and
// the moved agent's capability, which says where it is.
const recordsPerRemoval = 6

func (m *Machine) nextRemoval(i uint32) Step {
	m.Op.Index = i
	if int(i) < len(m.args.(*abi.UpdateCapabilitiesCall).Removals) {
		return RemoveCapability
	}
	return WriteCapabilityCount
}

func stepRemoveCapability(m *Machine, s State) Step {
	id := m.args.(*abi.UpdateCapabilitiesCall).Removals[m.Op.Index]
	k := record.CapabilityKey(m.Op.From, id)
	old := m.get(s, k)
	if !m.live(old) {
		return m.fail(&abi.CapabilityUnknown{Callee: m.Op.From, Capability: id})
	}
	m.Op.Count--
	m.set(s, k, old, nil)
	m.emit((&abi.CapabilityRemovedEvent{Agent: m.Op.From, Capability: id}).Log(abi.Address))
	return m.removeFromIndex(id, decoded(record.DecodeCapability(old)).Slot)
}

func stepRemoveCapabilityDetail(m *Machine, s State) Step {
	k := record.CapabilityDetailKey(m.Op.From, m.args.(*abi.UpdateCapabilitiesCall).Removals[m.Op.Index])
	m.set(s, k, m.get(s, k), nil)
	return m.nextRemoval(m.Op.Index + 1)
}

func stepWriteCapabilityCount(m *Machine, s State) Step {
	if m.Op.Count > m.Params.MaxCapabilities {
		return m.fail(&abi.TooManyCapabilities{Count: *uint256.NewInt(uint64(m.Op.Count)), Maximum: *uint256.NewInt(uint64(m.Params.MaxCapabilities))})
	}
	k, old, a := m.activeAgent(s)
	a.CapabilityCount = m.Op.Count
	m.set(s, k, old, a.Encode())
	return TxEnd
}

func stepTopUpStake(m *Machine, s State) Step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	if m.Op.Value.IsZero() {
		return m.fail(outOfRange("value"))
	}
	if _, _, a := m.activeAgent(s); a == nil {
		return m.notRegistered()
	}
	m.Op.Effect |= effectStakeValue
	var stake uint256.Int
	stake.Add(&m.Op.Stake, &m.Op.Value)
	m.emit((&abi.StakeAddedEvent{Agent: m.Op.From, AmountWei: m.Op.Value, StakeWei: stake}).Log(abi.Address))
	return TxEnd
}

func stepDeregisterAgent(m *Machine, s State) Step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	k, old, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered()
	}
	a.Status = uint8(Deregistered)
	a.DeregisteredAt = m.Block.Time
	m.set(s, k, old, a.Encode())
	m.Op.Effect |= effectUnregister
	m.emit((&abi.AgentDeregisteredEvent{Agent: m.Op.From, WithdrawableAt: m.withdrawableAt(a)}).Log(abi.Address))
	return TxEnd
}

// withdrawableAt: the cooldown outlasts every interaction that was pending at deregistration.
func (m *Machine) withdrawableAt(a *record.Agent) uint64 {
	return a.DeregisteredAt + uint64(m.Params.StakeCooldownSeconds)
}

func stepWithdrawStake(m *Machine, s State) Step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	b := m.get(s, record.AgentKey(m.Op.From))
	if b == nil || m.Op.Stake.IsZero() {
		return m.fail(&abi.NothingToWithdraw{Agent: m.Op.From})
	}
	a := decoded(record.DecodeAgent(b))
	if a.Status != uint8(Deregistered) {
		return m.fail(&abi.CooldownActive{}) // 0: the cooldown starts with deregister
	}
	if at := m.withdrawableAt(&a); m.Block.Time < at {
		return m.fail(&abi.CooldownActive{WithdrawableAt: at})
	}
	if m.Op.Holds > 0 {
		return m.fail(&abi.StakeHeld{Agent: m.Op.From, Holds: m.Op.Holds})
	}
	m.Op.Effect |= effectStakeOut
	m.emit((&abi.StakeWithdrawnEvent{Agent: m.Op.From, AmountWei: m.Op.Stake}).Log(abi.Address))
	return TxEnd
}

func stepHeartbeat(m *Machine, s State) Step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	k, old, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered()
	}
	a.LastHeartbeat = m.Block.Time
	m.set(s, k, old, a.Encode())
	m.emit((&abi.HeartbeatEvent{Agent: m.Op.From, Timestamp: m.Block.Time}).Log(abi.Address))
	return TxEnd
}
