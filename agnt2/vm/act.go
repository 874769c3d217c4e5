package vm

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Acting for an agent (design D3): the sender's transaction runs an operation of an agent that it owns or has a key of. A few
// micro-steps look at the right to do so and put the agent in the sender's place; then the operation runs as if the agent had
// sent it, and txEnd settles with both.

// ownerOperations are those that no session key executes: they decide who acts for the agent.
var ownerOperations = map[[4]byte]bool{
	abi.AuthorizeKeySelector: true, abi.RevokeKeySelector: true, abi.TransferOwnershipSelector: true, abi.SetAgentWalletSelector: true,
}

// acts reports whether an operation puts somebody in its sender's place, which happens once in a transaction.
func acts(selector [4]byte) bool {
	return selector == abi.ActForSelector || selector == abi.RegisterForSelector
}

// inner checks the operation that an actFor wraps, as the dispatch checks a transaction's, and decodes its arguments.
func inner(c *abi.ActForCall) (operation, any, abi.Revert) {
	var selector [4]byte
	copy(selector[:], c.Operation)
	o, ok := operations[selector]
	switch {
	case !ok || len(c.Operation) < len(selector) || acts(selector):
		return o, nil, &abi.UnknownOperation{Selector: selector}
	case !o.payable && !c.ValueWei.IsZero():
		return o, nil, &abi.ValueNotAccepted{}
	}
	args, err := o.decode(c.Operation[len(selector):])
	if err != nil {
		return o, nil, &abi.MalformedCalldata{}
	}
	return o, args, nil
}

// enter makes the machine execute another calldata than the transaction's.
func (m *Machine) enter(data []byte, args any) {
	m.data, m.args = data, args
	m.Op.Data = crypto.Keccak256Hash(data)
	m.Op.Branch = binary.BigEndian.Uint32(data)
}

// capabilityAt is where an INVOKE's calldata has the capability: behind selector, salt and callee.
const capabilityAt = 4 + 2*32

// stepActOperation unwraps the operation. What the next steps need of it they find in registers.
func stepActOperation(m *Machine, _ State) Step {
	c := m.args.(*abi.ActForCall)
	if !m.use(gas.AgentOperation(&m.Params, 1)) {
		return m.outOfGas()
	}
	if c.Agent == m.Op.From {
		return m.fail(outOfRange("agent"))
	}
	_, args, why := inner(c)
	if why != nil {
		return m.fail(why)
	}
	m.Op.From, m.Op.Actor, m.Op.Value, m.Op.Flag = c.Agent, m.Op.From, c.ValueWei, true
	m.enter(c.Operation, args)
	if [4]byte(c.Operation) == abi.InvokeSelector {
		m.Op.Id = common.Hash(c.Operation[capabilityAt : capabilityAt+32])
	}
	return ActAgent
}

// stepActAgent asks whether the sender is the agent's owner. An agent that has deregistered still has one.
func stepActAgent(m *Machine, s State) Step {
	b := m.get(s, record.AgentKey(m.Op.From))
	if b == nil {
		return m.notRegistered()
	}
	a := decoded(record.DecodeAgent(b))
	if a.Owner == m.Op.Actor {
		return ActAccount
	}
	m.Op.Epoch = a.Ownership
	return ActKey
}

// selector is the operation that acting leads to.
func (m *Machine) selector() (s [4]byte) {
	binary.BigEndian.PutUint32(s[:], m.Op.Branch)
	return s
}

// stepActKey checks what the sender's key may do, and books what it spends.
func stepActKey(m *Machine, s State) Step {
	o := &m.Op
	at := record.DelegationKey(o.From, o.Actor)
	old := m.get(s, at)
	if old == nil {
		return m.fail(&abi.NotAuthorized{Agent: o.From, Sender: o.Actor})
	}
	k := decoded(record.DecodeDelegation(old))
	operation := m.selector()
	invoke := operation == abi.InvokeSelector
	switch {
	case k.Ownership != o.Epoch:
		return m.fail(&abi.NotAuthorized{Agent: o.From, Sender: o.Actor})
	case m.Block.Time > k.Expiry:
		return m.fail(&abi.KeyExpired{Key: o.Actor, Expiry: k.Expiry})
	case ownerOperations[operation],
		len(k.Operations) > 0 && !lists(k.Operations, operation[:]),
		len(k.Operations) == 0 && len(k.Capabilities) > 0 && !invoke:
		return m.fail(&abi.OperationNotAllowed{Key: o.Actor, Operation: operation})
	case invoke && len(k.Capabilities) > 0 && !lists(k.Capabilities, o.Id[:]):
		return m.fail(&abi.CapabilityNotAllowed{Key: o.Actor, Capability: o.Id})
	}
	spent, overflow := new(uint256.Int).AddOverflow(&k.SpentWei, &o.Value)
	if overflow || k.SpendLimitWei.Lt(spent) {
		return m.fail(&abi.SpendLimitExceeded{Key: o.Actor, SpentWei: k.SpentWei, ValueWei: o.Value, SpendLimitWei: k.SpendLimitWei})
	}
	k.SpentWei = *spent
	m.set(s, at, old, k.Encode())
	return ActAccount
}

// stepActAccount puts the agent in the sender's place. The value of actFor comes from the agent, that of registerFor from the
// sender.
func stepActAccount(m *Machine, s State) Step {
	o := &m.Op
	k := record.AccountKey(o.From)
	old := m.get(s, k)
	a := account(old)
	if o.Flag {
		if a.Balance.Lt(&o.Value) {
			return m.fail(&abi.InsufficientBalance{BalanceWei: a.Balance, NeededWei: o.Value})
		}
		a.Balance.Sub(&a.Balance, &o.Value)
		m.set(s, k, old, a.Encode())
		m.emit((&abi.ActedForEvent{Agent: o.From, Actor: o.Actor, Operation: m.selector(), ValueWei: o.Value}).Log(abi.Address))
		o.Actor = common.Address{}
	}
	m.senderRegisters(&a, m.discountOf(&a))
	if !o.Flag {
		o.Owner = o.Actor
	}
	first := operations[m.selector()].first
	o.Flag, o.Branch, o.Epoch, o.Id = false, 0, 0, common.Hash{}
	return first
}

// OwnedAgent is the address of the agent that an owner registers under an index.
func OwnedAgent(owner common.Address, index uint64) (agent common.Address) {
	var b [64]byte
	copy(b[12:], owner[:])
	binary.BigEndian.PutUint64(b[56:], index)
	copy(agent[:], crypto.Keccak256(b[:])[12:])
	return agent
}

// stepRegisterFor goes on as the new agent's register; Actor stays the owner.
func stepRegisterFor(m *Machine, _ State) Step {
	c := m.args.(*abi.RegisterForCall)
	if !m.use(gas.AgentOperation(&m.Params, 1)) {
		return m.outOfGas()
	}
	r := &abi.RegisterCall{
		Name: c.Name, Version: c.Version, AgentURI: c.AgentURI, ImageDigest: c.ImageDigest, Capabilities: c.Capabilities, Metadata: c.Metadata,
	}
	m.Op.From, m.Op.Actor = OwnedAgent(m.Op.From, c.Index), m.Op.From
	m.Op.Effect |= effectOwner
	m.enter(r.Encode(), r)
	return ActAccount
}
