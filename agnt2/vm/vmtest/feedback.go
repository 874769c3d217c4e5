package vmtest

import (
	"encoding/binary"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// feedback is the family of ERC-8004's Reputation and Validation registries.
func (g *Generator) feedback(from common.Address) Draft {
	switch n := g.Rnd.IntN(20); {
	case n < 9:
		return g.giveFeedback(from)
	case n < 11:
		return g.about(from, func(agent erc8004Agent, client common.Address, index uint64) (common.Address, []byte) {
			if g.chance(8) {
				client = g.anyone()
			}
			return client, (&abi.RevokeFeedbackCall{AgentId: agent.id, FeedbackIndex: index}).Encode()
		})
	case n < 14:
		return g.about(from, func(agent erc8004Agent, client common.Address, index uint64) (common.Address, []byte) {
			return from, (&abi.AppendResponseCall{
				AgentId: agent.id, ClientAddress: client, FeedbackIndex: index, ResponseURI: "rr"[:min(2, g.Rnd.IntN(12))],
			}).Encode()
		})
	case n < 17:
		return g.validationRequest()
	}
	return g.validationResponse(from)
}

type erc8004Agent struct {
	address common.Address
	id      uint256.Int
}

func agentOf(a common.Address) erc8004Agent { return erc8004Agent{a, erc8004.AgentID(a)} }

// either sends an operation to its registry or to the AGNT2 address, or now and then to the other registry.
func (g *Generator) either(registry *common.Address) *common.Address {
	switch g.Rnd.IntN(12) {
	case 0:
		return &abi.ValidationRegistryAddress
	case 1, 2, 3, 4:
		return &abi.Address
	}
	return registry
}

// giveFeedback rates somebody, mostly for an interaction that the sender has had.
func (g *Generator) giveFeedback(from common.Address) Draft {
	c := &abi.GiveFeedbackCall{Value: codec.NewInt128(g.Rnd.Int64N(200) - 100), ValueDecimals: uint8(g.Rnd.IntN(19)), Tag1: []string{"", "starred", "uptime"}[g.Rnd.IntN(3)]}
	agent := g.agent()
	id := g.interaction()
	for range 12 {
		b := g.Get(record.InteractionKey(id))
		if b == nil {
			id = g.interaction()
			continue
		}
		i := must(record.DecodeInteraction(b))
		if i.Status == uint8(vm.Pending) && !g.chance(8) || !slices.Contains(g.Accounts, i.Caller) {
			id = g.interaction()
			continue
		}
		if agent = i.Callee; !g.chance(10) {
			from = i.Caller
		}
		break
	}
	if !g.chance(3) {
		c.Endpoint = vm.InteractionEndpoint(id)
	}
	switch g.Rnd.IntN(24) {
	case 0:
		c.Endpoint = "agnt2:0x"
	case 1:
		c.ValueDecimals = 19
	case 2:
		c.Value = codec.Int128{0x7f, 0xff}
	case 3:
		agent = g.anyone()
	case 4:
		agent = from
	}
	c.AgentId = erc8004.AgentID(agent)
	if g.chance(40) {
		c.AgentId.SetAllOne()
	}
	d := Draft{From: from, To: g.either(&abi.ReputationRegistryAddress), Data: c.Encode()}
	if owner := g.account(from).Owner; owner != (common.Address{}) { // who acts for it
		d = Draft{From: owner, To: &abi.Address, Data: (&abi.ActForCall{Agent: from, Operation: d.Data}).Encode()}
	}
	return d
}

// about makes an operation about feedback that is mostly there.
func (g *Generator) about(from common.Address, call func(agent erc8004Agent, client common.Address, index uint64) (common.Address, []byte)) Draft {
	agent, client, index := g.anyone(), g.anyone(), g.Rnd.Uint64N(3)
	for range 30 {
		if b := g.Get(record.ListCountKey(record.ListClients, agent)); b != nil {
			n := must(record.DecodeListCount(b)).Count
			entry := must(record.DecodeListEntry(g.Get(record.ListEntryKey(record.ListClients, agent, 1+g.Rnd.Uint64N(n)))))
			client = common.BytesToAddress(entry.Item[:])
			index = 1 + g.Rnd.Uint64N(must(record.DecodeFeedbackCount(g.Get(record.FeedbackCountKey(agent, client)))).Count)
			break
		}
		agent = g.anyone()
	}
	d := Draft{To: g.either(&abi.ReputationRegistryAddress)}
	if d.From, d.Data = call(agentOf(agent), client, index); !slices.Contains(g.Accounts, d.From) {
		d.From = from
	}
	return d
}

// validationRequest is one of an agent, sent by itself or by one who may act for it, or may not.
func (g *Generator) validationRequest() Draft {
	agent, sender := g.neighbour(2)
	if b := g.Get(record.AgentKey(agent)); b != nil && !g.chance(3) {
		if sender = must(record.DecodeAgent(b)).Owner; !slices.Contains(g.Accounts, sender) {
			sender = agent
		}
	}
	if g.chance(3) {
		owner := g.anyone()
		agent, sender = vm.OwnedAgent(owner, g.Rnd.Uint64N(ownedIndices)), owner
	}
	c := &abi.ValidationRequestCall{
		ValidatorAddress: g.anyone(), AgentId: erc8004.AgentID(agent), RequestURI: "u"[:g.Rnd.IntN(2)], RequestHash: g.request(),
	}
	if g.chance(20) {
		c.ValidatorAddress = common.Address{}
	}
	return Draft{From: sender, To: g.either(&abi.ValidationRegistryAddress), Data: c.Encode()}
}

// request is the hash of a new request, or now and then of one that somebody has made.
func (g *Generator) request() (hash common.Hash) {
	if g.chance(6) {
		if _, hash, ok := g.requested(); ok {
			return hash
		}
	}
	binary.BigEndian.PutUint64(hash[:], g.Rnd.Uint64())
	return hash
}

// requested finds a validator and one of its requests.
func (g *Generator) requested() (validator common.Address, hash common.Hash, ok bool) {
	for range 30 {
		validator = g.anyone()
		if b := g.Get(record.ListCountKey(record.ListValidatorRequests, validator)); b != nil {
			i := 1 + g.Rnd.Uint64N(must(record.DecodeListCount(b)).Count)
			entry := must(record.DecodeListEntry(g.Get(record.ListEntryKey(record.ListValidatorRequests, validator, i))))
			return validator, entry.Item, true
		}
	}
	return validator, hash, false
}

func (g *Generator) validationResponse(from common.Address) Draft {
	c := &abi.ValidationResponseCall{Response: uint8(g.Rnd.IntN(104)), Tag: []string{"", "soft", "hard"}[g.Rnd.IntN(3)]}
	if validator, hash, ok := g.requested(); ok && !g.chance(20) {
		c.RequestHash = hash
		if !g.chance(8) {
			from = validator
		}
	}
	return Draft{From: from, To: g.either(&abi.ValidationRegistryAddress), Data: c.Encode()}
}
