package vm_test

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// named is a script's account: of a key of its own, or "owner#index", an agent that an owner has registered.
func named(name string) common.Address {
	if at := strings.LastIndex(name, "#"); at >= 0 {
		return vm.OwnedAgent(named(name[:at]), must(strconv.ParseUint(name[at+1:], 10, 64)))
	}
	return addressOf(name)
}

func signed(digest common.Hash, name string) []byte {
	sig := must(crypto.Sign(digest[:], keyOf(name)))
	sig[64] += 27
	return sig
}

// selector is an operation's: its number in hexadecimal or an operation's name.
func selectorOf(name string) (out [4]byte) {
	named := map[string][4]byte{
		"invoke": abi.InvokeSelector, "respond": abi.RespondSelector, "heartbeat": abi.HeartbeatSelector, "pay": abi.PaySelector,
		"revokeKey": abi.RevokeKeySelector,
	}
	if s, ok := named[name]; ok {
		return s
	}
	copy(out[:], must(hex.DecodeString(name)))
	return out
}

// identityCall builds the operations of identity and delegation. "actFor agent=NAME act=OPERATION …" takes the arguments of the
// operation inside.
func (s *script) identityCall(from, op string, a args) (to *common.Address, data []byte) {
	to = &abi.Address
	switch op {
	case "actFor":
		agent := a.text("agent", "bob")
		c := &abi.ActForCall{Agent: s.address(agent), ValueWei: a.wei("wei", 0)}
		_, c.Operation = s.call(agent, a.text("act", "heartbeat"), a)
		return to, c.Encode()
	case "registerFor":
		c := &abi.RegisterForCall{
			Index: a.number("index", 0), Name: a.text("name", from), Version: a.text("version", "1"), AgentURI: a.text("uri", ""),
			ImageDigest: s.hash(a.text("image", "")), Capabilities: s.capabilities(a.list("cap")), Metadata: s.metadata(a.list("meta")),
		}
		s.address(from + "#" + strconv.FormatUint(c.Index, 10))
		return to, c.Encode()
	case "authorizeKey":
		c := &abi.AuthorizeKeyCall{Expiry: a.number("expiry", 2000), SpendLimitWei: a.wei("limit", 100)}
		if k := a.text("key", ""); k != "" {
			c.Key = s.address(k)
		}
		for _, o := range a.list("op") {
			c.Operations = append(c.Operations, selectorOf(o))
		}
		for _, n := range a.list("cap") {
			c.Capabilities = append(c.Capabilities, s.capability(n))
		}
		for range a.number("ops", 0) {
			c.Operations = append(c.Operations, [4]byte{1})
		}
		for range a.number("caps", 0) {
			c.Capabilities = append(c.Capabilities, common.Hash{1})
		}
		return to, c.Encode()
	case "revokeKey":
		return to, (&abi.RevokeKeyCall{Key: s.address(a.text("key", ""))}).Encode()
	case "transferOwnership":
		c := &abi.TransferOwnershipCall{}
		if n := a.text("to", ""); n != "" {
			c.NewOwner = s.address(n)
		}
		return to, c.Encode()
	case "setAgentURI":
		return to, (&abi.SetAgentURICall{AgentURI: a.text("uri", "")}).Encode()
	case "setMetadata":
		c := &abi.SetMetadataCall{Key: a.text("key", "k"), Value: []byte(a.text("is", ""))}
		s.metas = append(s.metas, c.Key)
		return to, c.Encode()
	case "setAgentWallet":
		c := &abi.SetAgentWalletCall{Deadline: a.number("deadline", 0)}
		if n := a.text("wallet", ""); n != "" {
			c.Wallet = s.address(n)
			w := vm.WalletConsent{Agent: s.address(from), Wallet: c.Wallet, Owner: s.address(a.text("owner", from)), Deadline: c.Deadline}
			c.Signature = signed(w.Digest(testChainID), a.text("by", n))
		}
		return to, c.Encode()
	case "erc8004":
		return &abi.IdentityRegistryAddress, s.registryCall(from, a)
	case "pay":
		return to, (&abi.PayCall{To: s.address(a.text("to", ""))}).Encode()
	case "openSession":
		salt := a.text("salt", "1")
		c := &abi.OpenSessionCall{Salt: s.hash(salt), ContextHash: s.hash(a.text("context", "context")), Expiry: a.number("expiry", 2000)}
		if n := a.text("peer", ""); n != "" {
			c.Peer = s.address(n)
		}
		s.id(from + "/" + salt)
		return to, c.Encode()
	case "closeSession":
		return to, (&abi.CloseSessionCall{Id: s.id(a.text("id", "")), ContextHash: s.hash(a.text("context", "end"))}).Encode()
	}
	panic("unknown operation " + op)
}

// registryCall builds a write to the Identity registry: "erc8004 is=WRITE …".
func (s *script) registryCall(from string, a args) []byte {
	write := a.text("is", "")
	id := erc8004.AgentID(s.address(a.text("agent", from)))
	switch write {
	case "register":
		return new(erc8004.RegisterCall).Encode()
	case "registerURI":
		return (&erc8004.Register1Call{AgentURI: a.text("uri", "")}).Encode()
	case "registerMetadata":
		c := &erc8004.Register0Call{AgentURI: a.text("uri", "")}
		for _, m := range s.metadata(a.list("meta")) {
			c.Metadata = append(c.Metadata, erc8004.MetadataEntry{MetadataKey: m.Key, MetadataValue: m.Value})
		}
		return c.Encode()
	case "setAgentURI":
		return (&erc8004.SetAgentURICall{AgentId: id, NewURI: a.text("uri", "")}).Encode()
	case "setMetadata":
		key := a.text("key", "k")
		s.metas = append(s.metas, key)
		return (&erc8004.SetMetadataCall{AgentId: id, MetadataKey: key, MetadataValue: []byte(a.text("set", ""))}).Encode()
	case "setAgentWallet":
		w := vm.WalletConsent{Agent: common.Address(id.Bytes20()), Wallet: s.address(a.text("wallet", "")), Owner: s.address(from), Deadline: a.number("deadline", 0)}
		return (&erc8004.SetAgentWalletCall{
			AgentId: id, NewWallet: w.Wallet, Deadline: *uint256.NewInt(w.Deadline), Signature: signed(w.Digest(testChainID), a.text("by", "")),
		}).Encode()
	case "unsetAgentWallet":
		return (&erc8004.UnsetAgentWalletCall{AgentId: id}).Encode()
	case "transferFrom":
		return (&erc8004.TransferFromCall{From: s.address(a.text("owner", from)), To: s.address(a.text("to", "")), TokenId: id}).Encode()
	}
	panic("unknown write " + write)
}

// registryEvents by topic.
var registryEvents = map[common.Hash]func(*types.Log) any{
	erc8004.RegisteredTopic:  func(l *types.Log) any { v := must(erc8004.DecodeRegisteredEvent(l)); return &v },
	erc8004.MetadataSetTopic: func(l *types.Log) any { v := must(erc8004.DecodeMetadataSetEvent(l)); return &v },
	erc8004.URIUpdatedTopic:  func(l *types.Log) any { v := must(erc8004.DecodeURIUpdatedEvent(l)); return &v },
	erc8004.TransferTopic:    func(l *types.Log) any { v := must(erc8004.DecodeTransferEvent(l)); return &v },
}

// showAgentID names an agent's number.
func (s *script) showAgentID(id *uint256.Int) (string, bool) {
	for _, n := range s.names {
		if want := erc8004.AgentID(named(n)); want.Eq(id) {
			return n, true
		}
	}
	return "", false
}
