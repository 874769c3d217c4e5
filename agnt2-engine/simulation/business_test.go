package simulation

import (
	"math"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// memory is what the population knows from events. The generator draws at random, so among thousands of agents it seldom
// hits one that has just what an operation needs.
type memory struct {
	agents   []common.Address
	offers   []offer
	calls    []call
	grants   []grant
	sessions []session
	leaving  []common.Address // deregistered: what they had may be withdrawn and reclaimed
	moved    []common.Address // of another owner
	composed []composition
}

type offer struct {
	agent      common.Address
	capability common.Hash
	price      uint256.Int
}

type call struct {
	id     common.Hash
	callee common.Address
}

type grant struct{ agent, key common.Address }

type composition struct {
	id        common.Hash
	initiator common.Address
}

type session struct {
	agent common.Address
	id    common.Hash
}

// learn remembers what a transaction's events say.
func (p *population) learn(r *vm.Result) {
	for _, l := range r.Logs {
		if l.Address != abi.Address {
			continue
		}
		switch l.Topics[0] {
		case abi.AgentRegisteredTopic:
			p.agents = append(p.agents, must(abi.DecodeAgentRegisteredEvent(l)).Agent)
		case abi.AgentDeregisteredTopic:
			p.leaving = append(p.leaving, must(abi.DecodeAgentDeregisteredEvent(l)).Agent)
		case abi.OwnershipTransferredTopic:
			if e := must(abi.DecodeOwnershipTransferredEvent(l)); e.NewOwner != e.Agent {
				p.moved = append(p.moved, e.Agent)
			}
		case abi.ComposedTopic:
			e := must(abi.DecodeComposedEvent(l))
			p.composed = append(p.composed, composition{e.Id, e.Initiator})
		case abi.CapabilityUpdatedTopic:
			e := must(abi.DecodeCapabilityUpdatedEvent(l))
			p.offers = append(p.offers, offer{e.Agent, e.Capability, e.PriceWei})
		case abi.InvokedTopic:
			e := must(abi.DecodeInvokedEvent(l))
			if e.CompositionId == (common.Hash{}) {
				p.calls = append(p.calls, call{e.Id, e.Callee})
				p.IDs = append(p.IDs, e.Id)
			}
		case abi.KeyAuthorizedTopic:
			e := must(abi.DecodeKeyAuthorizedEvent(l))
			p.grants = append(p.grants, grant{e.Agent, e.Key})
		case abi.SessionOpenedTopic:
			e := must(abi.DecodeSessionOpenedEvent(l))
			p.sessions = append(p.sessions, session{e.Agent, e.Id})
		}
	}
	p.agents, p.leaving, p.moved, p.composed = forget(p.agents, 4*accounts), forget(p.leaving, 1000), forget(p.moved, 2*accounts), forget(p.composed, 1000)
	p.offers = forget(p.offers, 4*accounts) // many of the oldest have changed since
	p.calls, p.grants, p.sessions = forget(p.calls, 4*blockTxs), forget(p.grants, 2000), forget(p.sessions, 2000)
	p.IDs, p.Old = forget(p.IDs, 10_000), forget(p.Old, 1000)
	p.Disputes, p.Compositions = forget(p.Disputes, 1500), forget(p.Compositions, 10_000)
}

// forget drops the older half of a list that is longer than most.
func forget[T any](list []T, most int) []T {
	if len(list) <= most {
		return list
	}
	return slices.Clone(list[len(list)/2:])
}

func pick[T any](p *population, list []T) T { return list[p.Rnd.IntN(len(list))] }

func (p *population) anyone() common.Address { return pick(p, p.Accounts) }

func (p *population) invocation() (*abi.InvokeCall, uint256.Int) {
	o := pick(p, p.offers)
	for range 8 { // mostly one that stands
		if p.stands(o) || p.Rnd.IntN(16) == 0 {
			break
		}
		o = pick(p, p.offers)
	}
	return &abi.InvokeCall{
		Salt: common.BigToHash(new(uint256.Int).SetUint64(p.Rnd.Uint64()).ToBig()), Callee: o.agent, Capability: o.capability, TtlSeconds: 5 + p.Rnd.Uint32N(20),
		MaxPriceWei: o.price, ParamsHash: common.Hash{1}, Da: abi.DAPointer{ContentHash: common.Hash{1}, LengthBytes: 64},
	}, o.price
}

// stands reports whether an offer can be taken.
func (p *population) stands(o offer) bool {
	b := p.Get(record.CapabilityKey(o.agent, o.capability))
	if b == nil || !p.isAgent(o.agent) {
		return false
	}
	c := must(record.DecodeCapability(b))
	return c.Epoch == must(record.DecodeAgent(p.Get(record.AgentKey(o.agent)))).Epoch && !c.PriceWei.Gt(&o.price)
}

func (p *population) invoke() *abi.Transaction {
	c, price := p.invocation()
	return p.business(p.anyone(), price, c.Encode())
}

func (p *population) respond() *abi.Transaction {
	at := p.Rnd.IntN(len(p.calls))
	c := p.calls[at]
	p.calls[at] = p.calls[len(p.calls)-1]
	p.calls = p.calls[:len(p.calls)-1]
	a := &abi.RespondCall{Id: c.id, ResultHash: common.Hash{2}, Da: abi.DAPointer{ContentHash: common.Hash{2}, LengthBytes: 64}}
	if p.Rnd.IntN(8) == 0 {
		a.Status, a.ResultHash, a.Da = 1+uint8(p.Rnd.IntN(4)), common.Hash{}, abi.DAPointer{}
	}
	return p.business(c.callee, uint256.Int{}, a.Encode())
}

// agentBusiness is something that only agents do, by one that is or has been registered.
func (p *population) agentBusiness() *abi.Transaction {
	agent := pick(p, p.agents)
	var none, id uint256.Int
	id = erc8004.AgentID(agent)
	owner := p.ownerOf(agent)
	standard := func(from common.Address, value uint256.Int, data []byte) *abi.Transaction {
		tx := p.business(from, value, data)
		tx.To = &abi.IdentityRegistryAddress
		return tx
	}
	switch p.Rnd.IntN(26) {
	case 0, 1:
		return p.business(agent, none, (&abi.HeartbeatCall{}).Encode())
	case 2:
		return p.business(agent, none, (&abi.UpdateAgentCall{Name: "better", Version: "3"}).Encode())
	case 3:
		c := &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{{Name: string(rune('a' + p.Rnd.IntN(26))), PriceWei: *uint256.NewInt(p.Rnd.Uint64N(50))}}}
		if p.Rnd.IntN(2) == 0 {
			o := pick(p, p.offers)
			agent, c.Removals = o.agent, append(c.Removals, o.capability)
		}
		return p.business(agent, none, c.Encode())
	case 4:
		return p.business(agent, *uint256.NewInt(p.Rnd.Uint64N(90)), (&abi.TopUpStakeCall{}).Encode())
	case 5:
		return p.business(agent, none, (&abi.DeregisterCall{}).Encode())
	case 6:
		for range 20 {
			if len(p.leaving) == 0 {
				break
			}
			a := pick(p, p.leaving)
			x, acc := must(record.DecodeAgent(p.Get(record.AgentKey(a)))), p.account(a)
			if x.Status == uint8(vm.Deregistered) && !acc.Stake.IsZero() || p.Rnd.IntN(30) == 0 {
				return p.business(a, none, (&abi.WithdrawStakeCall{}).Encode())
			}
		}
	case 7:
		for range 20 {
			o := pick(p, p.offers)
			b := p.Get(record.CapabilityKey(o.agent, o.capability))
			if b == nil || p.isAgent(o.agent) {
				continue
			}
			if slot := must(record.DecodeCapability(b)).Slot; slot != 0 {
				return p.business(p.anyone(), none, (&abi.ReclaimSlotCall{Capability: o.capability, Slot: slot}).Encode())
			}
		}
	case 8:
		return p.business(agent, none, (&abi.SetAgentURICall{AgentURI: "uri"}).Encode())
	case 9:
		return p.business(agent, none, (&abi.SetMetadataCall{Key: "key", Value: []byte{byte(p.Rnd.IntN(9))}}).Encode())
	case 10:
		c := &abi.OpenSessionCall{Salt: common.BigToHash(new(uint256.Int).SetUint64(p.Rnd.Uint64()).ToBig()), Peer: p.anyone(), Expiry: math.MaxUint64}
		return p.business(agent, none, c.Encode())
	case 11:
		if len(p.sessions) > 0 {
			s := pick(p, p.sessions)
			return p.business(s.agent, none, (&abi.CloseSessionCall{Id: s.id}).Encode())
		}
	case 12:
		c := &abi.AuthorizeKeyCall{Key: p.anyone(), Expiry: p.head.Time + p.Rnd.Uint64N(600), SpendLimitWei: *uint256.NewInt(p.Rnd.Uint64N(500))}
		if p.Rnd.IntN(3) == 0 {
			c.Operations = [][4]byte{abi.InvokeSelector, abi.PaySelector}
		}
		if p.Rnd.IntN(4) == 0 {
			c.Capabilities = []common.Hash{pick(p, p.offers).capability}
		}
		return p.business(agent, none, c.Encode())
	case 13:
		if len(p.grants) > 0 {
			g := pick(p, p.grants)
			return p.business(g.agent, none, (&abi.RevokeKeyCall{Key: g.key}).Encode())
		}
	case 14, 15, 16:
		if len(p.grants) > 0 {
			return p.keyBusiness(pick(p, p.grants))
		}
	case 17:
		wallet := p.anyone()
		c := &abi.SetAgentWalletCall{Wallet: wallet, Deadline: p.head.Time + 200}
		c.Signature = p.consent(agent, wallet, c.Deadline)
		return p.business(agent, none, c.Encode())
	case 18:
		wallet := p.anyone()
		c := &erc8004.SetAgentWalletCall{AgentId: id, NewWallet: wallet, Deadline: *uint256.NewInt(p.head.Time + 200)}
		c.Signature = p.consent(agent, wallet, p.head.Time+200)
		return standard(owner, none, c.Encode())
	case 19, 20: // to somebody else, or, more often, back to the agent's own account
		to := p.anyone()
		for range 20 {
			if len(p.moved) == 0 || p.Rnd.IntN(24) == 0 {
				break
			}
			at := p.Rnd.IntN(len(p.moved))
			a := p.moved[at]
			if o := p.ownerOf(a); o != a {
				agent, owner, to, id = a, o, a, erc8004.AgentID(a)
				break
			}
			p.moved[at] = p.moved[len(p.moved)-1]
			p.moved = p.moved[:len(p.moved)-1]
		}
		switch p.Rnd.IntN(4) {
		case 0:
			return standard(owner, none, (&erc8004.TransferFromCall{From: owner, To: to, TokenId: id}).Encode())
		case 1:
			return standard(owner, none, (&erc8004.SafeTransferFromCall{From: owner, To: to, TokenId: id}).Encode())
		case 2:
			return p.business(agent, none, (&abi.TransferOwnershipCall{NewOwner: to}).Encode())
		}
		return standard(owner, none, (&erc8004.SafeTransferFrom0Call{From: owner, To: to, TokenId: id, Data: []byte{1}}).Encode())
	case 21:
		switch p.Rnd.IntN(3) {
		case 0:
			return standard(owner, none, (&erc8004.SetAgentURICall{AgentId: id, NewURI: "standard"}).Encode())
		case 1:
			return standard(owner, none, (&erc8004.SetMetadataCall{AgentId: id, MetadataKey: "key", MetadataValue: []byte{1}}).Encode())
		}
		return standard(owner, none, (&erc8004.UnsetAgentWalletCall{AgentId: id}).Encode())
	case 23, 24: // what runs is cancelled by who began it
		for range 20 {
			if len(p.composed) == 0 {
				break
			}
			c := pick(p, p.composed)
			b := p.Get(record.CompositionKey(c.id)) // nil when it has left the state
			if b != nil && must(record.DecodeComposition(b)).Status == uint8(vm.CompositionActive) {
				return p.business(c.initiator, none, (&abi.CancelCall{Id: c.id}).Encode())
			}
		}
	case 22:
		from, stake := p.anyone(), *uint256.NewInt(80 + p.Rnd.Uint64N(300))
		for range 2 { // mostly one who can
			if p.isAgent(from) && p.Rnd.IntN(4) > 0 {
				from = p.anyone()
			}
		}
		switch p.Rnd.IntN(3) {
		case 0:
			return standard(from, stake, (&erc8004.RegisterCall{}).Encode())
		case 1:
			return standard(from, stake, (&erc8004.Register1Call{AgentURI: "standard"}).Encode())
		}
		c := &erc8004.Register0Call{AgentURI: "v", Metadata: []erc8004.MetadataEntry{{MetadataKey: "k", MetadataValue: []byte{1}}}}
		return standard(from, stake, c.Encode())
	}
	return p.business(agent, *uint256.NewInt(p.Rnd.Uint64N(50)), (&abi.PayCall{To: p.anyone()}).Encode())
}

// keyBusiness is what a session key does for its agent.
func (p *population) keyBusiness(g grant) *abi.Transaction {
	c := &abi.ActForCall{Agent: g.agent}
	switch p.Rnd.IntN(3) {
	case 0:
		i, price := p.invocation()
		c.ValueWei, c.Operation = price, i.Encode()
	case 1:
		c.ValueWei, c.Operation = *uint256.NewInt(p.Rnd.Uint64N(60)), (&abi.PayCall{To: p.anyone()}).Encode()
	default:
		c.Operation = (&abi.HeartbeatCall{}).Encode()
	}
	return p.business(g.key, uint256.Int{}, c.Encode())
}

func (p *population) isAgent(a common.Address) bool {
	return p.account(a).Roles&vm.RoleAgent != 0
}

// ownerOf an agent, itself if it is none.
func (p *population) ownerOf(agent common.Address) common.Address {
	if b := p.Get(record.AgentKey(agent)); b != nil {
		return must(record.DecodeAgent(b)).Owner
	}
	return agent
}

// consent is a wallet's signature, mostly for the agent's present owner.
func (p *population) consent(agent, wallet common.Address, deadline uint64) []byte {
	c := vm.WalletConsent{Agent: agent, Wallet: wallet, Owner: p.ownerOf(agent), Deadline: deadline}
	if p.Rnd.IntN(8) == 0 {
		c.Owner = wallet
	}
	digest := c.Digest(chainID)
	sig := must(crypto.Sign(digest[:], p.keys[wallet]))
	sig[64] += 27
	return sig
}
