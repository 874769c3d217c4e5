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
	k := record.AgentKey(m.tx.From)
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

func (m *Machine) notRegistered(s State) step {
	return m.fail(s, &abi.NotRegistered{Agent: m.tx.From})
}

func stepUpdateAgent(m *Machine, s State) step {
	c := m.args.(*abi.UpdateAgentCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas(s)
	}
	if why := checkAgentFields(c.Name, c.Version); why != nil {
		return m.fail(s, why)
	}
	k, old, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered(s)
	}
	a.Name, a.Version, a.ImageDigest = c.Name, c.Version, c.ImageDigest
	m.set(s, k, old, a.Encode())
	m.emit((&abi.AgentUpdatedEvent{Agent: m.tx.From, ImageDigest: c.ImageDigest, Name: c.Name, Version: c.Version}).Log(abi.Address))
	return txEnd
}

// stepReadOwnAgent begins updateCapabilities: it learns the epoch and the count.
func stepReadOwnAgent(m *Machine, s State) step {
	c := m.args.(*abi.UpdateCapabilitiesCall)
	if !m.use(gas.AgentOperation(&m.Params, recordsPerCapability*(len(c.Upserts)+len(c.Removals)))) {
		return m.outOfGas(s)
	}
	if why := checkCapabilities(c.Upserts); why != nil {
		return m.fail(s, why)
	}
	if len(c.Removals) > maxListedElements {
		return m.fail(s, outOfRange("removals"))
	}
	_, _, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered(s)
	}
	m.r.epoch, m.r.count = a.Epoch, a.CapabilityCount
	return m.nextCapability(0)
}

func (m *Machine) nextRemoval(i int) step {
	m.r.index = i
	if i < len(m.args.(*abi.UpdateCapabilitiesCall).Removals) {
		return removeCapability
	}
	return writeCapabilityCount
}

func stepRemoveCapability(m *Machine, s State) step {
	id := m.args.(*abi.UpdateCapabilitiesCall).Removals[m.r.index]
	k := record.CapabilityKey(m.tx.From, id)
	old := m.get(s, k)
	if !m.live(old) {
		return m.fail(s, &abi.CapabilityUnknown{Callee: m.tx.From, Capability: id})
	}
	m.r.count--
	m.set(s, k, old, nil)
	m.emit((&abi.CapabilityRemovedEvent{Agent: m.tx.From, Capability: id}).Log(abi.Address))
	return removeCapabilityDetail
}

func stepRemoveCapabilityDetail(m *Machine, s State) step {
	k := record.CapabilityDetailKey(m.tx.From, m.args.(*abi.UpdateCapabilitiesCall).Removals[m.r.index])
	m.set(s, k, m.get(s, k), nil)
	return m.nextRemoval(m.r.index + 1)
}

func stepWriteCapabilityCount(m *Machine, s State) step {
	if m.r.count > m.Params.MaxCapabilities {
		return m.fail(s, &abi.TooManyCapabilities{Count: *uint256.NewInt(uint64(m.r.count)), Maximum: *uint256.NewInt(uint64(m.Params.MaxCapabilities))})
	}
	k, old, a := m.activeAgent(s)
	a.CapabilityCount = m.r.count
	m.set(s, k, old, a.Encode())
	return txEnd
}

func stepTopUpStake(m *Machine, s State) step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas(s)
	}
	if m.tx.Value.IsZero() {
		return m.fail(s, outOfRange("value"))
	}
	if _, _, a := m.activeAgent(s); a == nil {
		return m.notRegistered(s)
	}
	m.r.stakeAdd = m.tx.Value
	var stake uint256.Int
	stake.Add(&m.r.stake, &m.tx.Value)
	m.emit((&abi.StakeAddedEvent{Agent: m.tx.From, AmountWei: m.tx.Value, StakeWei: stake}).Log(abi.Address))
	return txEnd
}

func stepDeregisterAgent(m *Machine, s State) step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas(s)
	}
	k, old, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered(s)
	}
	a.Status = uint8(Deregistered)
	a.DeregisteredAt = m.Block.Time
	m.set(s, k, old, a.Encode())
	m.r.setRegistered = becomeUnregistered
	m.emit((&abi.AgentDeregisteredEvent{Agent: m.tx.From, WithdrawableAt: m.withdrawableAt(a)}).Log(abi.Address))
	return txEnd
}

// withdrawableAt: the cooldown outlasts every interaction that was pending at deregistration.
func (m *Machine) withdrawableAt(a *record.Agent) uint64 {
	return a.DeregisteredAt + uint64(m.Params.StakeCooldownSeconds)
}

func stepWithdrawStake(m *Machine, s State) step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas(s)
	}
	b := m.get(s, record.AgentKey(m.tx.From))
	if b == nil || m.r.stake.IsZero() {
		return m.fail(s, &abi.NothingToWithdraw{Agent: m.tx.From})
	}
	a := decoded(record.DecodeAgent(b))
	if a.Status != uint8(Deregistered) {
		return m.fail(s, &abi.CooldownActive{}) // 0: the cooldown starts with deregister
	}
	if at := m.withdrawableAt(&a); m.Block.Time < at {
		return m.fail(s, &abi.CooldownActive{WithdrawableAt: at})
	}
	m.r.stakeTake = true
	m.emit((&abi.StakeWithdrawnEvent{Agent: m.tx.From, AmountWei: m.r.stake}).Log(abi.Address))
	return txEnd
}

func stepHeartbeat(m *Machine, s State) step {
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas(s)
	}
	k, old, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered(s)
	}
	a.LastHeartbeat = m.Block.Time
	m.set(s, k, old, a.Encode())
	m.emit((&abi.HeartbeatEvent{Agent: m.tx.From, Timestamp: m.Block.Time}).Log(abi.Address))
	return txEnd
}
