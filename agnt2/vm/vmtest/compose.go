package vmtest

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// compose is the family of compositions: COMPOSE, answers to constituents, openings and CANCEL.
func (g *Generator) compose(from common.Address) Draft {
	switch n := g.Rnd.IntN(24); {
	case n == 0:
		return g.cancel(from)
	case n < 3:
		if d, ok := g.composition(from); ok {
			return d
		}
	}
	if d, ok := g.answer(); ok {
		return d
	}
	if d, ok := g.composition(from); ok {
		return d
	}
	return g.cancel(from)
}

func operation(from common.Address, value uint256.Int, call interface{ Encode() []byte }) Draft {
	return Draft{from, &abi.Address, value, call.Encode()}
}

// offer is a capability that an agent other than those listed sells.
func (g *Generator) offer(besides []common.Address) (x abi.ConstituentSpec, ok bool) {
next:
	for range 60 {
		a := g.anyone()
		b := g.Get(record.AgentKey(a))
		if b == nil || g.account(a).Roles&vm.RoleAgent == 0 {
			continue
		}
		for _, o := range besides {
			if o == a {
				continue next
			}
		}
		id := vm.CapabilityID(g.capability())
		c := g.Get(record.CapabilityKey(a, id))
		if c == nil {
			continue
		}
		terms := must(record.DecodeCapability(c))
		if terms.Epoch != must(record.DecodeAgent(b)).Epoch || !terms.PriceWei.LtUint64(100) {
			continue
		}
		x = abi.ConstituentSpec{Callee: a, Capability: id, Template: common.Hash{5}, TtlSeconds: 8 + uint32(g.Rnd.IntN(22)), LengthBytes: g.Rnd.Uint32N(50)}
		x.PaymentWei.AddUint64(&terms.PriceWei, g.Rnd.Uint64N(20))
		return x, true
	}
	return x, false
}

// graph gives constituents their places: a loop at the beginning, perhaps, then whatever depends on what is before it.
func (g *Generator) graph(cs []abi.ConstituentSpec) {
	end := -1
	if g.chance(4) {
		end = g.Rnd.IntN(min(2, len(cs)))
		cs[end].MaxIterations = 2 + uint8(g.Rnd.IntN(2))
		for i := 1; i <= end; i++ {
			cs[i].DependsOn = 1<<i - 1
		}
	}
	for i := max(end, 0) + 1; i < len(cs); i++ {
		x := &cs[i]
		for j := max(end, 0); j < i; j++ {
			if !g.chance(3) {
				x.DependsOn |= 1 << j
				x.GuardOn = uint8(j)
			}
		}
		if x.DependsOn == 0 || !g.chance(3) {
			x.GuardOn = 0
			continue
		}
		x.Guard, x.GuardBranch = 1+uint8(g.Rnd.IntN(2)), uint16(g.Rnd.IntN(2))
	}
}

func (g *Generator) composition(from common.Address) (d Draft, ok bool) {
	c := &abi.ComposeCall{Salt: common.Hash{byte(g.Rnd.Uint32()), byte(g.Rnd.IntN(3))}, Atomic: !g.chance(3), TtlSeconds: 150 + uint32(g.Rnd.IntN(140))}
	others := []common.Address{from}
	for range 1 + g.Rnd.IntN(5) {
		x, ok := g.offer(others)
		if !ok {
			break
		}
		c.Constituents = append(c.Constituents, x)
		others = append(others, x.Callee)
	}
	if len(c.Constituents) == 0 {
		return d, false
	}
	g.graph(c.Constituents)
	var value uint256.Int
	times := uint64(1)
	for i := len(c.Constituents) - 1; i >= 0; i-- {
		x := &c.Constituents[i]
		if x.MaxIterations != 0 {
			times = uint64(x.MaxIterations)
		}
		value.Add(&value, new(uint256.Int).Mul(&x.PaymentWei, uint256.NewInt(times)))
	}
	if g.chance(8) {
		g.spoil(c, &value)
	}
	g.Compositions = append(g.Compositions, vm.CompositionID(from, c.Salt))
	return operation(from, value, c), true
}

// spoil breaks a rule, mostly.
func (g *Generator) spoil(c *abi.ComposeCall, value *uint256.Int) {
	x := &c.Constituents[g.Rnd.IntN(len(c.Constituents))]
	switch g.Rnd.IntN(12) {
	case 0:
		x.Callee = c.Constituents[0].Callee
	case 1:
		x.TtlSeconds = g.Rnd.Uint32N(40)
	case 2:
		x.PaymentWei = g.number(50)
	case 3:
		x.DependsOn ^= 1 << g.Rnd.IntN(32)
	case 4:
		x.Guard = uint8(g.Rnd.IntN(4))
	case 5:
		x.GuardOn = uint8(g.Rnd.IntN(256))
	case 6:
		x.MaxIterations, x.LoopFrom = uint8(g.Rnd.IntN(18)), uint8(g.Rnd.IntN(6))
	case 7:
		c.TtlSeconds = g.Rnd.Uint32N(400)
	case 8:
		*value = g.number(1000)
	case 9:
		x.Callee = g.anyone()
	case 10:
		x.Capability = common.Hash{1}
	case 11:
		c.Constituents = append(c.Constituents, make([]abi.ConstituentSpec, g.Rnd.IntN(22))...)
	}
}

// answer is one that somebody owes: of a constituent's call, or the opening of an answer.
func (g *Generator) answer() (d Draft, ok bool) {
	recent := latest(g, g.Compositions, 24)
	for range recent {
		id := recent[g.Rnd.IntN(len(recent))]
		b := g.Get(record.CompositionKey(id))
		if b == nil {
			continue
		}
		c := must(record.DecodeComposition(b))
		owing := c.Active
		if c.Status == uint8(vm.CompositionCommitted) {
			owing = c.Credited &^ c.Paid
		}
		for i := range c.Count {
			if owing>>i&1 == 0 || g.chance(4) {
				continue
			}
			x := must(record.DecodeConstituent(g.Get(record.ConstituentKey(id, i))))
			call := must(record.DecodeInteraction(g.Get(record.InteractionKey(x.InteractionId))))
			if d, ok = g.reply(x.InteractionId, &call); ok {
				return d, true
			}
		}
	}
	return d, false
}

// constituentCall is an interaction of a composition, mostly a recent one.
func (g *Generator) constituentCall() (id common.Hash, ok bool) {
	n := len(g.Compositions)
	if n == 0 {
		return id, false
	}
	composition := g.Compositions[max(0, n-1-g.Rnd.IntN(24))]
	b := g.Get(record.CompositionKey(composition))
	if b == nil {
		return id, false
	}
	index := uint8(g.Rnd.IntN(int(must(record.DecodeComposition(b)).Count)))
	if b = g.Get(record.ConstituentKey(composition, index)); b == nil { // it is in the history
		return id, false
	}
	iteration := must(record.DecodeConstituent(b)).Iteration
	return vm.ConstituentID(composition, index, iteration), iteration > 0
}

var (
	tentativeResult = common.Hash{7}
	tentativeSalt   = common.Hash{8}
)

func (g *Generator) reply(id common.Hash, call *record.Interaction) (d Draft, ok bool) {
	from := call.Callee
	if g.chance(30) {
		from = g.anyone()
	}
	if g.chance(60) {
		return operation(from, uint256.Int{}, &abi.CancelCall{Id: id}), true
	}
	switch vm.InteractionStatus(call.Status) {
	case vm.Pending:
		c := &abi.RespondCall{Id: id, Branch: uint32(g.Rnd.IntN(2)), ResultHash: tentativeResult}
		if call.Constituent&0x80 != 0 {
			c.ResultHash = vm.ResultCommitment(tentativeResult, tentativeSalt)
		}
		if g.chance(12) {
			c.Status, c.ResultHash = 1+uint8(g.Rnd.IntN(4)), common.Hash{}
		}
		c.Da.ContentHash = c.ResultHash
		if g.chance(12) {
			c.Attestation = make([]byte, 65)
		}
		return operation(from, uint256.Int{}, c), true
	case vm.Tentative:
		c := &abi.OpenResultCall{Id: id, ResultHash: tentativeResult, Branch: uint32(g.Rnd.IntN(2)), Salt: tentativeSalt}
		switch g.Rnd.IntN(30) {
		case 0:
			c.Salt = common.Hash{1}
		case 1:
			c.ResultHash = common.Hash{}
		}
		return operation(from, uint256.Int{}, c), true
	}
	return d, false
}

func (g *Generator) cancel(from common.Address) Draft {
	if n := len(g.Compositions); n > 0 && g.chance(2) {
		id := g.Compositions[max(0, n-1-g.Rnd.IntN(g.remembered(6)))]
		if b := g.Get(record.CompositionKey(id)); b != nil && !g.chance(4) {
			from = must(record.DecodeComposition(b)).Initiator
		}
		return operation(from, uint256.Int{}, &abi.CancelCall{Id: id})
	}
	id := g.interaction()
	for range 30 { // one that is pending, best if its callee is gone
		other := g.interaction()
		b := g.Get(record.InteractionKey(other))
		if b == nil {
			continue
		}
		i := must(record.DecodeInteraction(b))
		if i.Status != uint8(vm.Pending) {
			continue
		}
		id, from = other, i.Caller
		if g.account(i.Callee).Roles&vm.RoleAgent == 0 {
			break
		}
	}
	if g.chance(6) {
		from = g.anyone()
	}
	return operation(from, uint256.Int{}, &abi.CancelCall{Id: id})
}
