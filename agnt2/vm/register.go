package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// REGISTER (paper App. A.1): identity, URI, capabilities, metadata, one record a micro-step; the stake is the account's.

func checkAgentFields(name, version string) abi.Revert {
	switch {
	case len(name) == 0 || len(name) > maxName:
		return outOfRange("name")
	case len(version) > maxVersion:
		return outOfRange("version")
	}
	return nil
}

func checkCapabilities(cs []abi.Capability) abi.Revert {
	if len(cs) > maxListedElements {
		return outOfRange("capabilities")
	}
	for i := range cs {
		c := &cs[i]
		switch {
		case len(c.Name) == 0 || len(c.Name) > maxName:
			return outOfRange("capabilities.name")
		case len(c.Endpoint) > maxEndpoint:
			return outOfRange("capabilities.endpoint")
		case c.Class >= capabilityClasses:
			return outOfRange("capabilities.class")
		}
		for j := range i {
			if cs[j].Name == c.Name {
				return outOfRange("capabilities.name")
			}
		}
	}
	return nil
}

func checkMetadata(ms []abi.MetadataEntry) abi.Revert {
	if len(ms) > maxListedElements {
		return outOfRange("metadata")
	}
	for i := range ms {
		switch {
		case len(ms[i].Key) == 0 || len(ms[i].Key) > maxMetadataKey || ms[i].Key == erc8004.WalletKey:
			return outOfRange("metadata.key")
		case len(ms[i].Value) > maxMetadataValue:
			return outOfRange("metadata.value")
		}
		for j := range i {
			if ms[j].Key == ms[i].Key {
				return outOfRange("metadata.key")
			}
		}
	}
	return nil
}

// recordsPerCapability: what an INVOKE needs, the rest, and for a new one its place in the index.
const recordsPerCapability = 4

func stepRegisterAgent(m *Machine, s State) Step {
	c := m.args.(*abi.RegisterCall)
	if !m.use(gas.AgentOperation(&m.Params, 1+recordsPerCapability*len(c.Capabilities)+len(c.Metadata))) {
		return m.outOfGas()
	}
	if why := checkAgentFields(c.Name, c.Version); why != nil {
		return m.fail(why)
	}
	if len(c.AgentURI) > maxURI {
		return m.fail(outOfRange("agentURI"))
	}
	if why := checkCapabilities(c.Capabilities); why != nil {
		return m.fail(why)
	}
	if why := checkMetadata(c.Metadata); why != nil {
		return m.fail(why)
	}
	if uint32(len(c.Capabilities)) > m.Params.MaxCapabilities {
		return m.fail(&abi.TooManyCapabilities{Count: *uint256.NewInt(uint64(len(c.Capabilities))), Maximum: *uint256.NewInt(uint64(m.Params.MaxCapabilities))})
	}
	var stake uint256.Int
	if stake.Add(&m.Op.Stake, &m.Op.Value); stake.Lt(&m.Params.MinStakeWei) {
		return m.fail(&abi.StakeBelowMinimum{StakeWei: stake, MinimumWei: m.Params.MinStakeWei})
	}

	k := record.AgentKey(m.Op.From)
	old := m.get(s, k)
	var a record.Agent
	if old != nil {
		a = decoded(record.DecodeAgent(old))
	}
	registerFor := m.Op.Actor != common.Address{} // which is for agents that never were
	if a.Status == uint8(Active) || registerFor && old != nil {
		return m.fail(&abi.AlreadyRegistered{Agent: m.Op.From})
	}
	owner := a.Owner
	if m.Op.Flag = old == nil; m.Op.Flag { // the first registration
		owner = m.newOwner()
	}
	a = record.Agent{
		Status: uint8(Active), Owner: owner, Ownership: a.Ownership, Epoch: a.Epoch + 1, CapabilityCount: uint32(len(c.Capabilities)),
		RegisteredAt: m.Block.Time, LastHeartbeat: m.Block.Time, ImageDigest: c.ImageDigest, Name: c.Name, Version: c.Version,
	}
	m.set(s, k, old, a.Encode())
	m.Op.Epoch = a.Epoch
	m.Op.Effect |= effectStakeValue | effectRegister
	m.emit((&abi.AgentRegisteredEvent{
		Agent: m.Op.From, StakeWei: stake, ImageDigest: c.ImageDigest, Name: c.Name, Version: c.Version, AgentURI: c.AgentURI,
	}).Log(abi.Address))
	return RegisterURI
}

func stepRegisterURI(m *Machine, s State) Step {
	k := record.AgentURIKey(m.Op.From)
	old := m.get(s, k)
	var v []byte
	uri := m.args.(*abi.RegisterCall).AgentURI
	if uri != "" {
		v = (&record.AgentURI{Uri: uri}).Encode()
	}
	m.set(s, k, old, v)
	if m.Op.Flag {
		m.mint(uri)
	}
	return m.nextCapability(0)
}

// upserts are the capabilities that the operation in progress writes.
func (m *Machine) upserts() []abi.Capability {
	switch c := m.args.(type) {
	case *abi.RegisterCall:
		return c.Capabilities
	case *abi.UpdateCapabilitiesCall:
		return c.Upserts
	}
	panic("operation writes no capabilities")
}

// nextCapability goes to capability i, or past the last one.
func (m *Machine) nextCapability(i uint32) Step {
	m.Op.Index = i
	if int(i) < len(m.upserts()) {
		return WriteCapability
	}
	if _, ok := m.args.(*abi.RegisterCall); ok {
		return m.nextMetadata(0)
	}
	return m.nextRemoval(0)
}

// CapabilityID is the id of a capability's name.
func CapabilityID(name string) common.Hash { return crypto.Keccak256Hash([]byte(name)) }

func stepWriteCapability(m *Machine, s State) Step {
	c := &m.upserts()[m.Op.Index]
	id := CapabilityID(c.Name)
	k := record.CapabilityKey(m.Op.From, id)
	old := m.get(s, k)
	slot := uint32(m.Op.Pairs) // taken for it just now
	if old != nil && slot == 0 {
		slot = decoded(record.DecodeCapability(old)).Slot
	}
	if slot == 0 {
		return m.addToIndex(id)
	}
	m.Op.Pairs = 0
	if _, update := m.args.(*abi.UpdateCapabilitiesCall); update && !m.live(old) {
		m.Op.Count++
	}
	m.set(s, k, old, (&record.Capability{
		Epoch: m.Op.Epoch, Class: c.Class, LatencyMsP99: c.LatencyMsP99, PriceWei: c.PriceWei,
		CommitRequired: c.CommitRequired, Slot: slot,
	}).Encode())
	m.emit((&abi.CapabilityUpdatedEvent{
		Agent: m.Op.From, Capability: id, PriceWei: c.PriceWei, LatencyMsP99: c.LatencyMsP99, Class: c.Class,
		CommitRequired: c.CommitRequired, Name: c.Name,
	}).Log(abi.Address))
	return WriteCapabilityDetail
}

// live reports whether a stored capability belongs to the agent's present registration.
func (m *Machine) live(b []byte) bool {
	return b != nil && decoded(record.DecodeCapability(b)).Epoch == m.Op.Epoch
}

func stepWriteCapabilityDetail(m *Machine, s State) Step {
	c := &m.upserts()[m.Op.Index]
	k := record.CapabilityDetailKey(m.Op.From, CapabilityID(c.Name))
	m.set(s, k, m.get(s, k), (&record.CapabilityDetail{
		InputSchemaHash: c.InputSchemaHash, OutputSchemaHash: c.OutputSchemaHash, Name: c.Name, Endpoint: c.Endpoint,
	}).Encode())
	return m.nextCapability(m.Op.Index + 1)
}

func (m *Machine) nextMetadata(i uint32) Step {
	m.Op.Index = i
	if int(i) < len(m.args.(*abi.RegisterCall).Metadata) {
		return WriteMetadata
	}
	if m.Op.Flag {
		return CountHolding
	}
	return TxEnd
}

func stepWriteMetadata(m *Machine, s State) Step {
	e := &m.args.(*abi.RegisterCall).Metadata[m.Op.Index]
	k := record.MetadataKey(m.Op.From, e.Key)
	m.set(s, k, m.get(s, k), (&record.Metadata{Key: e.Key, Value: e.Value}).Encode())
	m.emit((&abi.MetadataSetEvent{
		Agent: m.Op.From, IndexedMetadataKey: e.Key, MetadataKey: e.Key, MetadataValue: e.Value,
	}).Log(abi.Address))
	m.emitMetadata(e.Key, e.Value)
	return m.nextMetadata(m.Op.Index + 1)
}
