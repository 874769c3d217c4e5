package vmtest

import (
	"encoding/hex"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// ownedIndices is how many agents every account may register for itself.
const ownedIndices = 2

// Owned lists the agents that the accounts may have registered for themselves.
func (g *Generator) Owned() (out []common.Address) {
	for _, a := range g.Accounts {
		for i := range uint64(ownedIndices) {
			out = append(out, vm.OwnedAgent(a, i))
		}
	}
	return out
}

// someSignature is valid for somebody, whatever it is said to sign.
var someSignature = must(hex.DecodeString("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
	"0000000000000000000000000000000000000000000000000000000000000001" + "1b"))

// neighbour is the account that stands some places behind another one: whom it gives keys to, so that keys are found again.
func (g *Generator) neighbour(n int) (a, next common.Address) {
	i := g.Rnd.IntN(len(g.Accounts))
	return g.Accounts[i], g.Accounts[(i+1+g.Rnd.IntN(n))%len(g.Accounts)]
}

// identity is the family of those who act for agents, of keys, owners and what an agent says of itself.
func (g *Generator) identity(from common.Address) Draft {
	switch {
	case g.chance(3):
		return g.acting()
	case g.chance(8):
		return g.registry()
	}
	to := &abi.Address
	var none uint256.Int
	switch g.Rnd.IntN(10) {
	case 0:
		c := &abi.RegisterForCall{Index: g.Rnd.Uint64N(ownedIndices), Name: "o", AgentURI: "u"[:g.Rnd.IntN(2)], Capabilities: g.upserts()}
		return Draft{from, to, g.number(400), c.Encode()}
	case 1, 2:
		agent, key := g.neighbour(2)
		if g.chance(5) {
			return Draft{agent, to, none, (&abi.RevokeKeyCall{Key: key}).Encode()}
		}
		return Draft{agent, to, none, g.authorize(key).Encode()}
	case 3:
		if g.chance(3) {
			agent, owner := g.neighbour(1)
			return Draft{agent, to, none, (&abi.TransferOwnershipCall{NewOwner: owner}).Encode()}
		}
		return Draft{from, to, g.number(50), (&abi.PayCall{To: g.payee()}).Encode()}
	case 4:
		return Draft{from, to, none, (&abi.SetAgentURICall{AgentURI: "uv"[:g.Rnd.IntN(3)]}).Encode()}
	case 5:
		return Draft{from, to, none, (&abi.SetMetadataCall{Key: "k"[:min(1, g.Rnd.IntN(8))], Value: []byte("v")[:g.Rnd.IntN(2)]}).Encode()}
	case 6:
		c := &abi.SetAgentWalletCall{}
		if g.chance(4) {
			c = &abi.SetAgentWalletCall{Wallet: g.anyone(), Deadline: g.Rnd.Uint64N(2000), Signature: someSignature}
		}
		return Draft{from, to, none, c.Encode()}
	case 7:
		c := &abi.OpenSessionCall{Salt: common.Hash{byte(g.Rnd.IntN(4))}, Peer: g.anyone(), Expiry: math.MaxUint64}
		return Draft{from, to, none, c.Encode()}
	}
	if g.chance(2) { // an attestation by somebody
		c := &abi.RespondCall{Id: g.interaction(), Status: uint8(vm.Error), Attestation: someSignature}
		if b := g.Get(record.InteractionKey(c.Id)); b != nil {
			from = must(record.DecodeInteraction(b)).Callee
		}
		if (g.account(from).Owner == common.Address{}) && g.mine(from) {
			return Draft{from, to, none, c.Encode()}
		}
	}
	c := &abi.CloseSessionCall{Id: vm.InteractionID(from, common.Hash{byte(g.Rnd.IntN(4))})}
	return Draft{from, to, none, c.Encode()}
}

func (g *Generator) authorize(key common.Address) *abi.AuthorizeKeyCall {
	c := &abi.AuthorizeKeyCall{Key: key, Expiry: math.MaxUint64, SpendLimitWei: g.number(300)}
	if g.chance(4) {
		c.Operations = [][4]byte{abi.InvokeSelector, abi.PaySelector}
	}
	if g.chance(4) {
		c.Capabilities = []common.Hash{vm.CapabilityID(g.capability())}
	}
	return c
}

func (g *Generator) payee() common.Address {
	if g.chance(2) {
		n := g.Rnd.IntN(ownedIndices * len(g.Accounts))
		return vm.OwnedAgent(g.Accounts[n/ownedIndices], uint64(n%ownedIndices))
	}
	return g.anyone()
}

// registry is a write to the Identity registry, mostly by one who may.
func (g *Generator) registry() Draft {
	agent, other := g.neighbour(1)
	sender := agent
	if b := g.Get(record.AgentKey(agent)); b != nil {
		sender = must(record.DecodeAgent(b)).Owner
	}
	if g.chance(6) || !g.mine(sender) {
		sender = other
	}
	id := erc8004.AgentID(agent)
	d := Draft{From: sender, To: &abi.IdentityRegistryAddress}
	switch g.Rnd.IntN(6) {
	case 0:
		d.Data = (&erc8004.SetAgentURICall{AgentId: id, NewURI: "w"}).Encode()
	case 1:
		d.Data = (&erc8004.SetMetadataCall{AgentId: id, MetadataKey: "k", MetadataValue: []byte{1}}).Encode()
	case 2:
		d.Data = (&erc8004.UnsetAgentWalletCall{AgentId: id}).Encode()
	case 3:
		d.Data = (&erc8004.TransferFromCall{From: sender, To: agent, TokenId: id}).Encode()
	case 4:
		d.Data = (&erc8004.SafeTransferFromCall{From: sender, To: other, TokenId: id}).Encode()
	default:
		d.Data, d.Value = (&erc8004.Register1Call{AgentURI: "u"}).Encode(), g.number(400)
	}
	return d
}

// acting wraps an operation, mostly from one who may execute it.
func (g *Generator) acting() Draft {
	agent, sender := g.neighbour(2)
	if g.chance(2) {
		owner := g.anyone()
		agent = vm.OwnedAgent(owner, g.Rnd.Uint64N(ownedIndices))
		if !g.chance(4) {
			sender = owner
		}
	}
	delegated := (g.account(agent).Owner != common.Address{})
	if b := g.Get(record.AgentKey(agent)); b != nil && delegated && !g.chance(4) {
		sender = must(record.DecodeAgent(b)).Owner
	}
	value, operation := g.executed(agent, delegated)
	c := &abi.ActForCall{Agent: agent, ValueWei: value, Operation: operation}
	return Draft{From: sender, To: &abi.Address, Data: c.Encode()}
}

// executed is an operation for an agent.
func (g *Generator) executed(agent common.Address, delegated bool) (value uint256.Int, operation []byte) {
	switch {
	case delegated && g.chance(3): // so that not every account ends up with another owner
		return value, (&abi.TransferOwnershipCall{NewOwner: agent}).Encode()
	case g.chance(4):
		return *uint256.NewInt(g.Rnd.Uint64N(60)), (&abi.PayCall{To: g.anyone()}).Encode()
	case g.chance(4):
		return value, g.authorize(g.anyone()).Encode()
	}
	to, value, operation := g.operation(agent)
	if to != &abi.Address {
		return value, (&abi.HeartbeatCall{}).Encode()
	}
	return value, operation
}
