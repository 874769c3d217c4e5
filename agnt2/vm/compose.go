package vm

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// COMPOSE (paper App. A.1, A.4, A.5): escrows a graph of calls and prepays its gas. Nothing is invoked yet: the sweep of the
// next block activates the constituents that depend on nothing.

// composeProgram is COMPOSE, what constituents' answers do, CANCEL, and the sweeps of compositions. Numbers 64 to 87, and 227.
var composeProgram = map[Step]instruction{
	ComposeArgs:         {"composeArgs", OpensBlock | OpensOp | OpensParams | OpensData | OpensPolicy, OpensComposition, stepComposeArgs},
	ComposeComposition:  {"composeComposition", OpensOp | OpensComposition, 0, stepComposeComposition},
	QueueEntry:          {"queueEntry", OpensOp, 0, stepQueueEntry},
	ComposeLoad:         {"composeLoad", OpensOp | OpensData, OpensConstituent, stepComposeLoad},
	ComposeCallee:       {"composeCallee", OpensOp | OpensConstituent, 0, stepComposeCallee},
	ComposeCapability:   {"composeCapability", OpensOp | OpensParams | OpensConstituent, 0, stepComposeCapability},
	ComposeConstituent:  {"composeConstituent", OpensBlock | OpensOp | OpensConstituent, 0, stepComposeConstituent},
	RespondConstituent:  {"respondConstituent", OpensOp | OpensCall, 0, stepRespondConstituent},
	RespondComposition:  {"respondComposition", OpensBlock | OpensOp | OpensCall, 0, stepRespondComposition},
	OpenArgs:            {"openArgs", OpensOp | OpensParams | OpensData, 0, stepOpenArgs},
	OpenInteraction:     {"openInteraction", OpensBlock | OpensOp, OpensCall, stepOpenInteraction},
	CancelInteraction:   {"cancelInteraction", OpensBlock | OpensOp | OpensParams | OpensData, OpensCall, stepCancelInteraction},
	CancelCallee:        {"cancelCallee", OpensBlock | OpensOp | OpensCall | OpensParams, 0, stepCancelCallee},
	CancelComposition:   {"cancelComposition", OpensBlock | OpensOp | OpensCall, 0, stepCancelComposition},
	SweepConstituent:    {"sweepConstituent", OpensBlock | OpensOp | OpensCall, 0, stepSweepConstituent},
	SweepAdvance:        {"sweepAdvance", OpensBlock | OpensOp | OpensParams, OpensCall, stepSweepAdvance},
	ActivateConstituent: {"activateConstituent", OpensOp | OpensCall, 0, stepActivateConstituent},
	ActivateInput:       {"activateInput", OpensOp | OpensCall, 0, stepActivateInput},
	ActivateInteraction: {"activateInteraction", OpensSums | OpensOp | OpensCall, 0, stepActivateInteraction},
	SettleConstituent:   {"settleConstituent", OpensOp | OpensCall, 0, stepSettleConstituent},
	SettleInteraction:   {"settleInteraction", OpensBlock | OpensOp, 0, stepSettleInteraction},
	SettleInitiator:     {"settleInitiator", OpensOp | OpensCall | OpensParams, 0, stepSettleInitiator},
	SettleCallee:        {"settleCallee", OpensSums | OpensOp | OpensCall, 0, stepSettleCallee},
	SettlePair:          {"settlePair", OpensOp | OpensCall, 0, stepSettlePair},
	SettleReputation:    {"settleReputation", OpensBlock | OpensOp | OpensCall, 0, stepSettleReputation},
}

// Micro-steps of compositions.
const (
	ComposeArgs Step = iota + 64
	ComposeComposition
	QueueEntry
	ComposeLoad
	ComposeCallee
	ComposeCapability
	ComposeConstituent
	RespondConstituent
	RespondComposition
	OpenInteraction
	CancelInteraction
	CancelCallee
	CancelComposition
	SweepConstituent
	SweepAdvance
	ActivateConstituent
	ActivateInput
	ActivateInteraction
	SettleConstituent
	SettleInteraction
	SettleInitiator
	SettleCallee
	SettlePair
	SettleReputation
)

// OpenArgs came later.
const OpenArgs Step = 227

var composeOperations = map[[4]byte]operation{
	abi.ComposeSelector:    op(abi.DecodeComposeCall, true, ComposeArgs),
	abi.OpenResultSelector: op(abi.DecodeOpenResultCall, false, OpenArgs),
	abi.CancelSelector:     op(abi.DecodeCancelCall, false, CancelInteraction),
}

// plan is what the graph of a COMPOSE amounts to.
type plan struct {
	edges    [MaxConstituents]uint64
	depth    [MaxConstituents]uint64 // dependencies on the longest way to it
	prepaid  [MaxConstituents]uint8  // iterations
	feedback [MaxConstituents]uint8
	needed   uint32
	window   uint32      // seconds, of the longest ttl
	seconds  uint64      // of the longest path, loops unrolled
	total    uint256.Int // wei
}

// planner checks a graph in the order of indices.
type planner struct {
	plan
	cs    []abi.ConstituentSpec
	ends  [MaxConstituents]uint64 // seconds from the start until it has answered at the latest
	slack uint64                  // seconds that an activation may take
	inner uint32                  // members of loops, their ends excepted
	free  uint8                   // first index that is in no loop yet
}

// check reports which rule of the graph constituent i breaks; empty if none.
func (g *planner) check(i uint8, initiator common.Address, value *uint256.Int, p *record.Params) string {
	x := &g.cs[i]
	if x.Callee == initiator {
		return "callee"
	}
	for j := range i {
		if g.cs[j].Callee == x.Callee {
			return "callee"
		}
	}
	switch {
	case x.TtlSeconds < p.MinTtlSeconds || x.TtlSeconds > p.MaxTtlSeconds:
		return "ttlSeconds"
	case value.Lt(&x.PaymentWei):
		return "paymentWei"
	case x.DependsOn>>i != 0 || x.DependsOn&g.inner != 0:
		return "dependsOn"
	case !g.guarded(i):
		return "guard"
	case !g.looped(i):
		return "loop"
	}
	return ""
}

func (g *planner) guarded(i uint8) bool {
	x := &g.cs[i]
	if Guard(x.Guard) == NoGuard {
		return x.GuardOn == 0 && x.GuardBranch == 0
	}
	return x.Guard < uint8(guards) && x.GuardOn < i && x.DependsOn>>x.GuardOn&1 != 0
}

// looped checks the loop that constituent i ends, if any: it is apart from other loops, and its end waits for all of its
// members, so that nothing is under way when it starts again.
func (g *planner) looped(i uint8) bool {
	x := &g.cs[i]
	if x.MaxIterations == 0 {
		return x.LoopFrom == 0 && x.LoopBranch == 0
	}
	if x.MaxIterations < 2 || x.MaxIterations > MaxLoopIterations || x.LoopFrom > i || x.LoopFrom < g.free {
		return false
	}
	members := uint32(loopMask(x.LoopFrom, i)) &^ (1 << i)
	return members&^x.DependsOn == 0
}

// add takes constituent i, which breaks no rule, into the plan.
func (g *planner) add(i uint8) {
	x := &g.cs[i]
	g.edges[i] = edgesOf(x)
	g.prepaid[i] = 1
	g.needed |= x.DependsOn
	g.window = max(g.window, x.TtlSeconds)
	for j := range i {
		if x.DependsOn>>j&1 != 0 {
			g.depth[i] = max(g.depth[i], g.depth[j]+1)
			g.ends[i] = max(g.ends[i], g.ends[j])
		}
	}
	g.ends[i] += uint64(x.TtlSeconds) + g.slack
	if x.MaxIterations != 0 {
		g.loop(x.LoopFrom, i)
	}
	g.seconds = max(g.seconds, g.ends[i])
}

// loop closes the loop from one constituent to another: its time is that of one round, from the moment when all that it needs
// from outside is there, times the iterations.
func (g *planner) loop(from, end uint8) {
	var round [MaxConstituents]uint64
	var start uint64
	members := uint32(loopMask(from, end))
	for i := from; i <= end; i++ {
		x := &g.cs[i]
		for j := range i {
			switch {
			case x.DependsOn>>j&1 == 0:
			case members>>j&1 != 0:
				round[i] = max(round[i], round[j])
			default:
				start = max(start, g.ends[j])
			}
		}
		round[i] += uint64(x.TtlSeconds) + g.slack
		g.prepaid[i] = g.cs[end].MaxIterations
	}
	g.ends[end] = start + round[end]*uint64(g.cs[end].MaxIterations)
	g.inner |= members &^ (1 << end)
	g.needed |= 1 << end
	g.feedback[from] = end + 1
	g.free = end + 1
}

// gasOf is what the constituents cost beside their classes, all iterations.
func (g *planner) gasOf(p *record.Params, policy *record.Policy) (sum uint64) {
	for i := range g.cs {
		sum += uint64(g.prepaid[i]) * gas.Constituent(p, policy, g.cs[i].LengthBytes, g.depth[i])
	}
	return sum
}

func (g *planner) sum() {
	for i := range g.cs {
		var wei uint256.Int
		g.total.Add(&g.total, wei.Mul(&g.cs[i].PaymentWei, uint256.NewInt(uint64(g.prepaid[i]))))
	}
}

// planned checks the graph of the COMPOSE in progress. It charges nothing, and needs no more than calldata and Params.
func (m *Machine) planned(c *abi.ComposeCall) (*planner, abi.Revert) {
	g := &planner{cs: c.Constituents, slack: uint64(m.Params.MinTtlSeconds)}
	for i := range uint8(len(c.Constituents)) {
		if rule := g.check(i, m.Op.From, &m.Op.Value, &m.Params); rule != "" {
			return nil, &abi.BadConstituent{Index: uint32(i), Rule: rule}
		}
		g.add(i)
	}
	g.sum()
	return g, nil
}

// stepComposeArgs checks the graph and prepares the composition.
func stepComposeArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.ComposeCall)
	if !m.use(m.Policy.GasCompose) {
		return m.outOfGas()
	}
	n := len(c.Constituents)
	switch {
	case n == 0 || n > MaxConstituents:
		return m.fail(outOfRange("constituents"))
	case m.Op.Value.BitLen() > mostValueBits:
		return m.fail(outOfRange("value"))
	case c.TtlSeconds > m.Policy.MaxCompositionSeconds:
		return m.fail(&abi.TtlOutOfBounds{TtlSeconds: c.TtlSeconds, Minimum: m.Params.MinTtlSeconds, Maximum: m.Policy.MaxCompositionSeconds})
	}
	g, why := m.planned(c)
	if why != nil {
		return m.fail(why)
	}
	if !m.use(g.gasOf(&m.Params, &m.Policy)) {
		return m.outOfGas()
	}
	if g.total != m.Op.Value {
		return m.fail(&abi.CompositionTotalMismatch{TotalWei: g.total, ValueWei: m.Op.Value})
	}
	if uint64(c.TtlSeconds) < g.seconds {
		return m.fail(&abi.CompositionTooShort{TtlSeconds: c.TtlSeconds, NeededSeconds: uint32(min(g.seconds, math.MaxUint32))})
	}
	m.Op.Id = CompositionID(m.Op.From, c.Salt)
	m.Op.Count = uint32(n)
	m.Composition = record.Composition{
		Status: uint8(CompositionActive), Initiator: m.Op.From, Atomic: c.Atomic, Count: uint8(n), CreatedAt: m.Block.Time,
		Deadline: m.Block.Time + uint64(c.TtlSeconds), EscrowWei: m.Op.Value, WindowSeconds: g.window, Edges: g.edges,
	}
	m.emit((&abi.ComposedEvent{
		Id: m.Op.Id, Initiator: m.Op.From, Atomic: c.Atomic, Count: uint8(n), TotalWei: m.Op.Value, Deadline: m.Composition.Deadline,
	}).Log(abi.Address))
	return ComposeComposition
}

func stepComposeComposition(m *Machine, s State) Step {
	k := record.CompositionKey(m.Op.Id)
	if m.get(s, k) != nil {
		return m.fail(&abi.DuplicateComposition{Id: m.Op.Id})
	}
	m.set(s, k, nil, m.Composition.Encode())
	return m.queueLater(m.Composition.Deadline, record.DueComposition, m.Op.Id, ComposeLoad)
}

// stepComposeLoad takes the next constituent out of the calldata, so that the steps that need it do not carry it.
func stepComposeLoad(m *Machine, _ State) Step {
	c := m.args.(*abi.ComposeCall)
	i := m.Op.Index
	g := planner{cs: c.Constituents}
	for j := range uint8(len(c.Constituents)) {
		g.add(j)
	}
	x := &c.Constituents[i]
	m.Constituent = record.Constituent{
		Callee: x.Callee, Capability: x.Capability, Template: x.Template, PaymentWei: x.PaymentWei, TtlSeconds: x.TtlSeconds,
		DependsOn: x.DependsOn, LoopBranch: x.LoopBranch, LoopFrom: x.LoopFrom, MaxIterations: x.MaxIterations,
		Feedback: g.feedback[i], Prepaid: g.prepaid[i], Needed: g.needed>>i&1 != 0,
	}
	return ComposeCallee
}

func stepComposeCallee(m *Machine, s State) Step {
	callee := m.Constituent.Callee
	b := m.get(s, record.AgentKey(callee))
	if b == nil {
		return m.fail(&abi.CalleeUnknown{Callee: callee})
	}
	a := decoded(record.DecodeAgent(b))
	if a.Status != uint8(Active) {
		return m.fail(&abi.CalleeInactive{Callee: callee})
	}
	m.Op.Epoch = a.Epoch
	return ComposeCapability
}

func stepComposeCapability(m *Machine, s State) Step {
	x := &m.Constituent
	b := m.get(s, record.CapabilityKey(x.Callee, x.Capability))
	if !m.live(b) {
		return m.fail(&abi.CapabilityUnknown{Callee: x.Callee, Capability: x.Capability})
	}
	offer := decoded(record.DecodeCapability(b))
	if !m.use(uint64(x.Prepaid) * gas.Class(&m.Params, offer.Class, m.Op.Discount)) {
		return m.outOfGas()
	}
	if x.PaymentWei.Lt(&offer.PriceWei) {
		return m.fail(&abi.PaymentBelowPrice{PaymentWei: x.PaymentWei, PriceWei: offer.PriceWei})
	}
	return ComposeConstituent
}

func stepComposeConstituent(m *Machine, s State) Step {
	k := record.ConstituentKey(m.Op.Id, uint8(m.Op.Index))
	m.set(s, k, m.get(s, k), m.Constituent.Encode())
	if m.Op.Index++; m.Op.Index < m.Op.Count {
		return ComposeLoad
	}
	m.ret = m.Op.Id[:]
	return m.advanceLater(m.Op.Id, TxEnd)
}
