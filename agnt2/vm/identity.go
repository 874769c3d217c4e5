package vm

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Who acts for an agent, and what it says of itself (paper App. D.1, D.2; ERC-8004): session keys, its owner, its URI, metadata
// and wallet, its sessions. Acting itself is act.go.

// Micro-steps of acting, of keys, and of an agent's identity.
const (
	ActOperation Step = 49 + iota
	ActAgent
	ActKey
	ActAccount
	RegisterFor
	AuthorizeKey
	WriteKey
	RevokeKey
	TransferOwnership
	SetAgentURI
	SetMetadata
	SetAgentWallet
	WriteAgentWallet
	Pay
	RespondKey
)

// Micro-steps of sessions.
const (
	OpenSession Step = 104 + iota
	CloseSession
)

var identityProgram = map[Step]instruction{
	ActOperation:      {"actOperation", OpensOp | OpensParams | OpensData, 0, stepActOperation},
	ActAgent:          {"actAgent", OpensOp, 0, stepActAgent},
	ActKey:            {"actKey", OpensBlock | OpensOp, 0, stepActKey},
	ActAccount:        {"actAccount", OpensBlock | OpensOp, 0, stepActAccount},
	RegisterFor:       {"registerFor", OpensOp | OpensParams | OpensData, 0, stepRegisterFor},
	AuthorizeKey:      {"authorizeKey", agentFrames, 0, stepAuthorizeKey},
	WriteKey:          {"writeKey", agentFrames, 0, stepWriteKey},
	RevokeKey:         {"revokeKey", agentFrames, 0, stepRevokeKey},
	TransferOwnership: {"transferOwnership", agentFrames, 0, stepTransferOwnership},
	SetAgentURI:       {"setAgentURI", agentFrames, 0, stepSetAgentURI},
	SetMetadata:       {"setMetadata", agentFrames, 0, stepSetMetadata},
	SetAgentWallet:    {"setAgentWallet", agentFrames, 0, stepSetAgentWallet},
	WriteAgentWallet:  {"writeAgentWallet", OpensOp, 0, stepWriteAgentWallet},
	Pay:               {"pay", agentFrames, 0, stepPay},
	RespondKey:        {"respondKey", OpensBlock | OpensOp | OpensCall, 0, stepRespondKey},
	OpenSession:       {"openSession", agentFrames, 0, stepOpenSession},
	CloseSession:      {"closeSession", agentFrames, 0, stepCloseSession},
}

var identityOperations = map[[4]byte]operation{
	abi.ActForSelector:            op(abi.DecodeActForCall, false, ActOperation),
	abi.RegisterForSelector:       op(abi.DecodeRegisterForCall, true, RegisterFor),
	abi.AuthorizeKeySelector:      op(abi.DecodeAuthorizeKeyCall, false, AuthorizeKey),
	abi.RevokeKeySelector:         op(abi.DecodeRevokeKeyCall, false, RevokeKey),
	abi.TransferOwnershipSelector: op(abi.DecodeTransferOwnershipCall, false, TransferOwnership),
	abi.SetAgentURISelector:       op(abi.DecodeSetAgentURICall, false, SetAgentURI),
	abi.SetMetadataSelector:       op(abi.DecodeSetMetadataCall, false, SetMetadata),
	abi.SetAgentWalletSelector:    op(abi.DecodeSetAgentWalletCall, false, SetAgentWallet),
	abi.PaySelector:               op(abi.DecodePayCall, true, Pay),
	abi.OpenSessionSelector:       op(abi.DecodeOpenSessionCall, false, OpenSession),
	abi.CloseSessionSelector:      op(abi.DecodeCloseSessionCall, false, CloseSession),
}

// stepAuthorizeKey learns under which ownership the key is to live.
func stepAuthorizeKey(m *Machine, s State) Step {
	c := m.args.(*abi.AuthorizeKeyCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	switch {
	case c.Key == common.Address{} || c.Key == m.Op.From:
		return m.fail(outOfRange("key"))
	case c.Expiry < m.Block.Time:
		return m.fail(outOfRange("expiry"))
	case len(c.Operations) > maxListedElements:
		return m.fail(outOfRange("operations"))
	case len(c.Capabilities) > maxListedElements:
		return m.fail(outOfRange("capabilities"))
	}
	_, _, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered()
	}
	m.Op.Epoch = a.Ownership
	return WriteKey
}

func stepWriteKey(m *Machine, s State) Step {
	c := m.args.(*abi.AuthorizeKeyCall)
	x := record.Delegation{Ownership: m.Op.Epoch, Expiry: c.Expiry, SpendLimitWei: c.SpendLimitWei}
	for i := range c.Operations {
		x.Operations = append(x.Operations, c.Operations[i][:]...)
	}
	for i := range c.Capabilities {
		x.Capabilities = append(x.Capabilities, c.Capabilities[i][:]...)
	}
	k := record.DelegationKey(m.Op.From, c.Key)
	m.set(s, k, m.get(s, k), x.Encode())
	m.emit((&abi.KeyAuthorizedEvent{
		Agent: m.Op.From, Key: c.Key, Expiry: c.Expiry, SpendLimitWei: c.SpendLimitWei, Operations: c.Operations, Capabilities: c.Capabilities,
	}).Log(abi.Address))
	return TxEnd
}

// stepRevokeKey needs no agent: only an agent has keys.
func stepRevokeKey(m *Machine, s State) Step {
	c := m.args.(*abi.RevokeKeyCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	k := record.DelegationKey(m.Op.From, c.Key)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.KeyUnknown{Agent: m.Op.From, Key: c.Key})
	}
	m.set(s, k, old, nil)
	m.emit((&abi.KeyRevokedEvent{Agent: m.Op.From, Key: c.Key}).Log(abi.Address))
	return TxEnd
}

// stepTransferOwnership ends all keys and the wallet with one number.
func stepTransferOwnership(m *Machine, s State) Step {
	c := m.args.(*abi.TransferOwnershipCall)
	if !m.use(gas.AgentOperation(&m.Params, 2)) {
		return m.outOfGas()
	}
	k, old, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered()
	}
	if c.NewOwner == (common.Address{}) || c.NewOwner == a.Owner {
		return m.fail(outOfRange("newOwner"))
	}
	previous := a.Owner
	a.Owner = c.NewOwner
	a.Ownership++
	m.set(s, k, old, a.Encode())
	m.Op.Effect |= effectOwner
	if m.Op.Owner = c.NewOwner; c.NewOwner == m.Op.From {
		m.Op.Owner = common.Address{}
	}
	m.emit((&abi.OwnershipTransferredEvent{Agent: m.Op.From, PreviousOwner: previous, NewOwner: c.NewOwner}).Log(abi.Address))
	m.emitTransfer(previous, c.NewOwner)
	m.Op.Actor, m.Op.Word, m.Op.Flag = previous, common.BytesToHash(c.NewOwner[:]), false
	return CountHolding
}

func stepSetAgentURI(m *Machine, s State) Step {
	c := m.args.(*abi.SetAgentURICall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	switch {
	case len(c.AgentURI) > maxURI:
		return m.fail(outOfRange("agentURI"))
	case !m.Op.Registered:
		return m.notRegistered()
	}
	k := record.AgentURIKey(m.Op.From)
	old := m.get(s, k)
	var v []byte
	if c.AgentURI != "" {
		v = (&record.AgentURI{Uri: c.AgentURI}).Encode()
	}
	m.set(s, k, old, v)
	m.emit((&abi.AgentURISetEvent{Agent: m.Op.From, AgentURI: c.AgentURI}).Log(abi.Address))
	m.emitURI(c.AgentURI)
	return TxEnd
}

func stepSetMetadata(m *Machine, s State) Step {
	c := m.args.(*abi.SetMetadataCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	switch {
	case len(c.Key) == 0 || len(c.Key) > maxMetadataKey || c.Key == erc8004.WalletKey:
		return m.fail(outOfRange("key"))
	case len(c.Value) > maxMetadataValue:
		return m.fail(outOfRange("value"))
	case !m.Op.Registered:
		return m.notRegistered()
	}
	k := record.MetadataKey(m.Op.From, c.Key)
	old := m.get(s, k)
	var v []byte
	if len(c.Value) > 0 {
		v = (&record.Metadata{Key: c.Key, Value: c.Value}).Encode()
	}
	m.set(s, k, old, v)
	m.emit((&abi.MetadataSetEvent{
		Agent: m.Op.From, IndexedMetadataKey: c.Key, MetadataKey: c.Key, MetadataValue: c.Value,
	}).Log(abi.Address))
	m.emitMetadata(c.Key, c.Value)
	return TxEnd
}

// walletDeadlineSeconds is how far ahead a wallet's signature may be valid (ERC-8004's reference registry).
const walletDeadlineSeconds = 300

var (
	registryDomainName  = crypto.Keccak256([]byte("ERC8004IdentityRegistry"))
	agentWalletSetType  = crypto.Keccak256([]byte("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)"))
	registryDomainWords = common.LeftPadBytes(abi.IdentityRegistryAddress[:], 32)
)

// WalletConsent is what a wallet signs to become an agent's, as ERC-8004 has it.
type WalletConsent struct {
	Agent, Wallet, Owner common.Address
	Deadline             uint64 // Unix seconds
}

// Digest is the EIP-712 hash that is signed.
func (w *WalletConsent) Digest(chainID uint64) common.Hash {
	domain := crypto.Keccak256(domainType, registryDomainName, domainVersion, wordOf(chainID), registryDomainWords)
	message := crypto.Keccak256(agentWalletSetType, common.LeftPadBytes(w.Agent[:], 32), common.LeftPadBytes(w.Wallet[:], 32),
		common.LeftPadBytes(w.Owner[:], 32), wordOf(w.Deadline))
	return crypto.Keccak256Hash([]byte{0x19, 0x01}, domain, message)
}

// stepSetAgentWallet checks the wallet's signature, which names the agent's owner.
func stepSetAgentWallet(m *Machine, s State) Step {
	c := m.args.(*abi.SetAgentWalletCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	none := c.Wallet == common.Address{}
	length := signatureLength
	if none {
		length = 0
	}
	switch {
	case none != (c.Deadline == 0), !none && (c.Deadline < m.Block.Time || c.Deadline-m.Block.Time > walletDeadlineSeconds):
		return m.fail(outOfRange("deadline"))
	case len(c.Signature) != length:
		return m.fail(outOfRange("signature"))
	}
	_, _, a := m.activeAgent(s)
	if a == nil {
		return m.notRegistered()
	}
	if !none {
		w := WalletConsent{Agent: m.Op.From, Wallet: c.Wallet, Owner: a.Owner, Deadline: c.Deadline}
		if signer := recoverSigner(w.Digest(m.ChainID), c.Signature); signer != c.Wallet {
			return m.fail(&abi.BadWalletSignature{Recovered: signer, Wallet: c.Wallet})
		}
	}
	m.Op.Epoch, m.Op.Actor = a.Ownership, c.Wallet
	return WriteAgentWallet
}

func stepWriteAgentWallet(m *Machine, s State) Step {
	k := record.WalletKey(m.Op.From)
	m.set(s, k, m.get(s, k), (&record.Wallet{Ownership: m.Op.Epoch, Wallet: m.Op.Actor}).Encode())
	m.emit((&abi.AgentWalletSetEvent{Agent: m.Op.From, Wallet: m.Op.Actor}).Log(abi.Address))
	var wallet []byte
	if m.Op.Actor != (common.Address{}) {
		wallet = m.Op.Actor[:]
	}
	m.emitMetadata(erc8004.WalletKey, wallet)
	return TxEnd
}

func stepPay(m *Machine, s State) Step {
	c := m.args.(*abi.PayCall)
	if !m.use(m.Params.GasTransfer) {
		return m.outOfGas()
	}
	if c.To == abi.Address || c.To == abi.MessagePasserAddress { // where a plain transfer means something else
		return m.fail(outOfRange("to"))
	}
	k := record.AccountKey(c.To)
	old := m.get(s, k)
	a := account(old)
	a.Balance.Add(&a.Balance, &m.Op.Value)
	m.set(s, k, old, a.Encode())
	m.emit((&abi.PaidEvent{From: m.Op.From, To: c.To, AmountWei: m.Op.Value}).Log(abi.Address))
	return TxEnd
}

// stepOpenSession: INVOKEs name sessions without being held to them, so that they need no further record.
func stepOpenSession(m *Machine, s State) Step {
	c := m.args.(*abi.OpenSessionCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	switch {
	case c.Peer == common.Address{} || c.Peer == m.Op.From:
		return m.fail(outOfRange("peer"))
	case c.Expiry <= m.Block.Time:
		return m.fail(outOfRange("expiry"))
	case !m.Op.Registered:
		return m.notRegistered()
	}
	id := InteractionID(m.Op.From, c.Salt)
	k := record.SessionKey(id)
	if m.get(s, k) != nil {
		return m.fail(&abi.DuplicateSession{Id: id})
	}
	m.set(s, k, nil, (&record.Session{
		Agent: m.Op.From, Peer: c.Peer, ContextHash: c.ContextHash, OpenedAt: m.Block.Time, Expiry: c.Expiry,
	}).Encode())
	m.emit((&abi.SessionOpenedEvent{Id: id, Agent: m.Op.From, Peer: c.Peer, ContextHash: c.ContextHash, Expiry: c.Expiry}).Log(abi.Address))
	m.ret = id[:]
	return TxEnd
}

func stepCloseSession(m *Machine, s State) Step {
	c := m.args.(*abi.CloseSessionCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	k := record.SessionKey(c.Id)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.SessionUnknown{Id: c.Id})
	}
	x := decoded(record.DecodeSession(old))
	switch {
	case m.Op.From != x.Agent && m.Op.From != x.Peer:
		return m.fail(&abi.NotParty{Id: c.Id, Sender: m.Op.From})
	case x.ClosedAt != 0:
		return m.fail(&abi.SessionIsClosed{Id: c.Id, ClosedAt: x.ClosedAt})
	}
	x.ClosedAt, x.ContextHash = m.Block.Time, c.ContextHash
	m.set(s, k, old, x.Encode())
	m.emit((&abi.SessionClosedEvent{Id: c.Id, Agent: x.Agent, Peer: x.Peer, ContextHash: c.ContextHash}).Log(abi.Address))
	return TxEnd
}

// stepRespondKey lets a session key attest in place of the callee's owner.
func stepRespondKey(m *Machine, s State) Step {
	o := &m.Op
	b := m.get(s, record.DelegationKey(o.From, o.Actor))
	if b == nil {
		return m.fail(&abi.BadAttestation{Recovered: o.Actor, Callee: o.From})
	}
	k := decoded(record.DecodeDelegation(b))
	if k.Ownership != o.Epoch || m.Block.Time > k.Expiry ||
		len(k.Operations) > 0 && !lists(k.Operations, abi.RespondSelector[:]) ||
		len(k.Capabilities) > 0 && !lists(k.Capabilities, m.Call.Capability[:]) {
		return m.fail(&abi.BadAttestation{Recovered: o.Actor, Callee: o.From})
	}
	return m.answered()
}

// lists reports whether a concatenation of elements as long as x has x.
func lists(list, x []byte) bool {
	for len(list) >= len(x) {
		if bytes.Equal(list[:len(x)], x) {
			return true
		}
		list = list[len(x):]
	}
	return false
}
