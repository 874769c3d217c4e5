package vm

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// ERC-8004's Identity registry. A write of the standard means one of our operations, executed for the agent that it names; so it
// is rewritten to that operation, and no rule stands here twice. The standard's events are emitted where the records are written,
// whichever way the operation was called.

// Micro-steps of the registries.
const (
	Registry Step = 106 + iota
	CountHolding
)

var registryProgram = map[Step]instruction{
	Registry:     {"registry", OpensOp | OpensParams | OpensData, 0, stepRegistry},
	CountHolding: {"countHolding", OpensOp, 0, stepCountHolding},
}

// registryAgentName is the name of an agent that registers by the standard, which has none outside of the registration file.
const registryAgentName = "agent"

type nativeCall interface{ Encode() []byte }

// wrote says what a write of the standard means.
type wrote struct {
	agent common.Address  // whom it is about
	call  nativeCall      // the operation
	from  *common.Address // transfers: who is said to be the owner
	id    *uint256.Int    // register: returned
}

// registryCall reads calldata of the Identity registry.
func registryCall(sender common.Address, data []byte) (w wrote, payable bool, why abi.Revert) {
	var selector [4]byte
	copy(selector[:], data)
	unknown := &abi.UnknownOperation{Selector: selector}
	if len(data) < len(selector) {
		return w, false, unknown
	}
	args := data[len(selector):]
	var id uint256.Int
	var err error
	own := func(r *abi.RegisterCall) {
		r.Name = registryAgentName
		payable, w.call, w.agent = true, r, sender
		n := erc8004.AgentID(sender)
		w.id = &n
		id = n
	}
	transfer := func(from, to common.Address, token uint256.Int) {
		id, w.from, w.call = token, &from, &abi.TransferOwnershipCall{NewOwner: to}
	}
	switch selector {
	case erc8004.RegisterSelector:
		own(&abi.RegisterCall{})
		_, err = erc8004.DecodeRegisterCall(args)
	case erc8004.Register1Selector:
		var c erc8004.Register1Call
		c, err = erc8004.DecodeRegister1Call(args)
		own(&abi.RegisterCall{AgentURI: c.AgentURI})
	case erc8004.Register0Selector:
		var c erc8004.Register0Call
		c, err = erc8004.DecodeRegister0Call(args)
		r := &abi.RegisterCall{AgentURI: c.AgentURI}
		for i := range c.Metadata {
			r.Metadata = append(r.Metadata, abi.MetadataEntry{Key: c.Metadata[i].MetadataKey, Value: c.Metadata[i].MetadataValue})
		}
		own(r)
	case erc8004.SetAgentURISelector:
		var c erc8004.SetAgentURICall
		c, err = erc8004.DecodeSetAgentURICall(args)
		id, w.call = c.AgentId, &abi.SetAgentURICall{AgentURI: c.NewURI}
	case erc8004.SetMetadataSelector:
		var c erc8004.SetMetadataCall
		c, err = erc8004.DecodeSetMetadataCall(args)
		id, w.call = c.AgentId, &abi.SetMetadataCall{Key: c.MetadataKey, Value: c.MetadataValue}
	case erc8004.SetAgentWalletSelector:
		var c erc8004.SetAgentWalletCall
		c, err = erc8004.DecodeSetAgentWalletCall(args)
		deadline, overflow := c.Deadline.Uint64WithOverflow()
		if overflow { // later than any that is accepted
			deadline = math.MaxUint64
		}
		id, w.call = c.AgentId, &abi.SetAgentWalletCall{Wallet: c.NewWallet, Deadline: deadline, Signature: c.Signature}
	case erc8004.UnsetAgentWalletSelector:
		var c erc8004.UnsetAgentWalletCall
		c, err = erc8004.DecodeUnsetAgentWalletCall(args)
		id, w.call = c.AgentId, &abi.SetAgentWalletCall{}
	case erc8004.TransferFromSelector:
		var c erc8004.TransferFromCall
		c, err = erc8004.DecodeTransferFromCall(args)
		transfer(c.From, c.To, c.TokenId)
	case erc8004.SafeTransferFromSelector:
		var c erc8004.SafeTransferFromCall
		c, err = erc8004.DecodeSafeTransferFromCall(args)
		transfer(c.From, c.To, c.TokenId)
	case erc8004.SafeTransferFrom0Selector:
		var c erc8004.SafeTransferFrom0Call
		c, err = erc8004.DecodeSafeTransferFrom0Call(args)
		transfer(c.From, c.To, c.TokenId)
	default:
		return w, false, unknown
	}
	if err != nil {
		return w, payable, &abi.MalformedCalldata{}
	}
	agent, ok := erc8004.Agent(&id)
	if !ok {
		return w, payable, outOfRange("agentId")
	}
	w.agent = agent
	return w, payable, nil
}

// stepRegistry rewrites a write of the standard. Who is not the agent itself goes the way of those who act for it.
func stepRegistry(m *Machine, _ State) Step {
	if !m.use(gas.AgentOperation(&m.Params, 1)) {
		return m.outOfGas()
	}
	o, sender := &m.Op, m.Op.From
	w, payable, why := registryCall(sender, m.data)
	switch {
	case why != nil:
		return m.fail(why)
	case !payable && !o.Value.IsZero():
		return m.fail(&abi.ValueNotAccepted{})
	case w.from != nil && *w.from != sender: // no session key transfers an agent
		return m.fail(&abi.NotAuthorized{Agent: w.agent, Sender: sender})
	}
	m.enter(w.call.Encode(), w.call)
	if w.id != nil {
		id := w.id.Bytes32()
		m.ret = id[:]
	}
	if w.agent == sender {
		first := operations[m.selector()].first
		o.Branch = 0
		return first
	}
	o.From, o.Actor, o.Flag = w.agent, sender, true
	return ActAgent
}

// stepCountHolding keeps ERC-721's balances. A transfer comes here twice: for its previous owner, then for the new one.
func stepCountHolding(m *Machine, s State) Step {
	o := &m.Op
	owner := m.newOwner()
	k := record.HoldingKey(owner)
	old := m.get(s, k)
	var h record.Holding
	if old != nil {
		h = decoded(record.DecodeHolding(old))
	}
	if o.Flag {
		h.Agents++
		m.set(s, k, old, h.Encode())
		return TxEnd
	}
	assert(h.Agents > 0, "an owner has fewer agents than it owns")
	h.Agents--
	m.set(s, k, old, h.Encode())
	o.Actor, o.Flag = common.Address(o.Word[12:]), true
	return CountHolding
}

// newOwner is whom a registration makes an agent's owner: who registers it, or the agent itself.
func (m *Machine) newOwner() common.Address {
	if m.Op.Actor != (common.Address{}) {
		return m.Op.Actor
	}
	return m.Op.From
}

// mint emits what the registry says of a new agent.
func (m *Machine) mint(uri string) {
	id, owner := erc8004.AgentID(m.Op.From), m.newOwner()
	m.emit((&erc8004.TransferEvent{To: owner, TokenId: id}).Log(abi.IdentityRegistryAddress))
	m.emit((&erc8004.RegisteredEvent{AgentId: id, AgentURI: uri, Owner: owner}).Log(abi.IdentityRegistryAddress))
}

func (m *Machine) emitURI(uri string) {
	m.emit((&erc8004.URIUpdatedEvent{AgentId: erc8004.AgentID(m.Op.From), NewURI: uri, UpdatedBy: m.Op.From}).Log(abi.IdentityRegistryAddress))
}

func (m *Machine) emitMetadata(key string, value []byte) {
	m.emit((&erc8004.MetadataSetEvent{
		AgentId: erc8004.AgentID(m.Op.From), IndexedMetadataKey: key, MetadataKey: key, MetadataValue: value,
	}).Log(abi.IdentityRegistryAddress))
}

func (m *Machine) emitTransfer(from, to common.Address) {
	m.emit((&erc8004.TransferEvent{From: from, To: to, TokenId: erc8004.AgentID(m.Op.From)}).Log(abi.IdentityRegistryAddress))
}
