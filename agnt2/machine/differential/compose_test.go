package differential

import (
	"fmt"
	"math"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// composeWays are those of compositions; see ways.
const composeWays = `
composeArgs: BadConstituent, CompositionTooShort, CompositionTotalMismatch, FieldOutOfRange constituents, FieldOutOfRange value, OutOfGas, TtlOutOfBounds, composeComposition
composeComposition: DuplicateComposition, queueEntry
queueEntry: composeLoad, pruneInteraction, respondReputation, settleInitiator, sweepAdvance, sweepNext, sweepReputation, txEnd
composeLoad: composeCallee
composeCallee: CalleeInactive, CalleeUnknown, composeCapability
composeCapability: CapabilityUnknown, OutOfGas, PaymentBelowPrice, composeConstituent
composeConstituent: composeLoad, queueEntry
respondConstituent: respondComposition
respondComposition: CompositionExpired, CompositionFinal, CompositionNotCommitted, queueEntry, respondReputation, settleInitiator, txEnd
openArgs: OutOfGas, ResultHashInvalid, openInteraction
openInteraction: BadOpening, InteractionExpired, InteractionUnknown, NotCallee, NothingToOpen, respondConstituent, respondDeadline
cancelInteraction: InteractionSettled, NotCallee, NotCaller, NotCancellable, OutOfGas, cancelCallee, cancelComposition
cancelCallee: NotCancellable, respondDeadline
cancelComposition: CompositionExpired, CompositionFinal, CompositionUnknown, NotCaller, NotCancellable, queueEntry, txEnd
sweepConstituent: queueEntry, sweepNext, sweepReputation
sweepAdvance: activateConstituent, composeHistory, queueEntry, settleConstituent, settleInitiator, settleReputation, sweepNext
activateConstituent: activateInput, activateInteraction
activateInput: activateInput, activateInteraction
activateInteraction: queueEntry
settleConstituent: settleInteraction
settleInteraction: settleInitiator
settleInitiator: respondPair, respondReputation, settleCallee, settlePair, settleReputation, sweepAdvance
settleCallee: settlePair, settleReputation
settlePair: settleReputation
settleReputation: sweepAdvance, txEnd
composeHistory: queueEntry, sweepNext
pruneComposition: pruneConstituent
pruneConstituent: dropComposition, pruneCallDispute, pruneConstituent, queueEntry
pruneCallDispute: pruneCall, queueEntry
pruneCall: pruneHistory
dropComposition: sweepNext
`

// composer drives compositions: "buyer" is a registered initiator, "stranger" one that is none, "s0" … "s19" sell "work".
type composer struct {
	*scenario
	salt byte
}

const sellers = 20

func seller(i int) string { return fmt.Sprint("s", i) }

var composerResult, composerSalt = common.Hash{0xaa, 31: 1}, common.Hash{0xbb, 31: 2}

// spec is constituent i with a payment of 20 wei and 12 seconds.
func spec(i int, dependsOn uint32) abi.ConstituentSpec {
	return abi.ConstituentSpec{
		Callee: address(seller(i)), Capability: vm.CapabilityID("work"), Template: common.Hash{0xcc, byte(i)}, PaymentWei: *uint256.NewInt(20),
		TtlSeconds: 12, DependsOn: dependsOn,
	}
}

func (c *composer) call(atomic bool, specs ...abi.ConstituentSpec) *abi.ComposeCall {
	c.salt++
	return &abi.ComposeCall{Salt: common.Hash{c.salt}, Atomic: atomic, TtlSeconds: 300, Constituents: specs}
}

func (c *composer) compose(from string, value uint64, call *abi.ComposeCall) common.Hash {
	c.t.Helper()
	c.do(from, value, call)
	return vm.CompositionID(address(from), call.Salt)
}

// next seals the block and opens another.
func (c *composer) next(after uint64) {
	c.seal()
	c.open(after)
}

// callee is the seller who answers for constituent i.
func (c *composer) callee(id common.Hash, i int) string {
	x, err := record.DecodeConstituent(c.records[record.ConstituentKey(id, uint8(i))])
	require.NoError(c.t, err)
	for n := range sellers {
		if address(seller(n)) == x.Callee {
			return seller(n)
		}
	}
	require.Fail(c.t, "no seller")
	return ""
}

func (c *composer) interaction(id common.Hash, i int) common.Hash {
	x, err := record.DecodeConstituent(c.records[record.ConstituentKey(id, uint8(i))])
	require.NoError(c.t, err)
	require.NotZero(c.t, x.InteractionId, "constituent %d is not active", i)
	return x.InteractionId
}

func (c *composer) answerCall(id common.Hash, i int, status uint8) *abi.RespondCall {
	r := &abi.RespondCall{Id: c.interaction(id, i), Status: status}
	b, err := record.DecodeComposition(c.records[record.CompositionKey(id)])
	require.NoError(c.t, err)
	if status == 0 {
		r.ResultHash = composerResult
		if b.Atomic {
			r.ResultHash = vm.ResultCommitment(composerResult, composerSalt)
		}
	}
	r.Da.ContentHash = r.ResultHash
	return r
}

func (c *composer) answer(id common.Hash, i int) {
	c.t.Helper()
	c.do(c.callee(id, i), 0, c.answerCall(id, i, 0))
}

func (c *composer) openCall(id common.Hash, i int, branch uint32) *abi.OpenResultCall {
	return &abi.OpenResultCall{Id: c.interaction(id, i), ResultHash: composerResult, Branch: branch, Salt: composerSalt}
}

func (c *composer) opened(id common.Hash, i int, branch uint32) {
	c.t.Helper()
	c.do(c.callee(id, i), 0, c.openCall(id, i, branch))
}

func (c *composer) status(id common.Hash, want vm.CompositionStatus) {
	c.t.Helper()
	b, err := record.DecodeComposition(c.records[record.CompositionKey(id)])
	require.NoError(c.t, err)
	require.Equal(c.t, uint8(want), b.Status)
	if want != vm.CompositionActive {
		return
	}
	require.False(c.t, b.EscrowWei.IsZero())
}

// drain runs blocks until the sweeps have nothing left that is due soon.
func (c *composer) drain(blocks int) {
	for range blocks {
		c.next(2)
	}
}

// compositions takes every way of the micro-steps of compositions.
func (s *scenario) compositions() {
	// Nothing else is in the queue, and what settles stays out of it.
	s.setPolicy(func(p *record.Policy) { p.RecentSeconds = 1 << 30 })
	for range 25 {
		s.open(6)
		s.seal()
	}
	t := s.t
	c := &composer{scenario: s}
	names := []string{"buyer", "stranger", "bystander"}
	for i := range sellers {
		names = append(names, seller(i))
	}
	for _, n := range names {
		s.fund(address(n), uint256.NewInt(50_000_000_000))
	}
	s.open(2)
	s.do("buyer", 200, &abi.RegisterCall{Name: "buyer"})
	for i := range sellers {
		s.do(seller(i), 200, &abi.RegisterCall{Name: "seller", Capabilities: []abi.Capability{capability("work", 3)}})
	}
	c.refused()
	c.pipeline()
	c.largest()
	c.atOnce()
	c.reverts()
	c.cancels()
	c.late()
	c.leaves()
	c.drain(3)
	s.seal()
	require.Less(t, s.time, uint64(1_700_000_900), "the filler's deadlines are near")
}

func (c *composer) refused() {
	one := c.call(true, spec(0, 0))
	change := func(f func(*abi.ComposeCall)) *abi.ComposeCall {
		x := c.call(true, spec(0, 0))
		f(x)
		return x
	}
	c.fails("composeArgs OutOfGas", "buyer", 20, one, gasLimit(5000))
	long := c.call(true, spec(0, 0))
	long.Constituents[0].LengthBytes = 10_000
	c.fails("composeArgs OutOfGas", "buyer", 20, long, gasLimit(12_000))
	c.fails("composeArgs FieldOutOfRange constituents", "buyer", 20, c.call(true))
	c.fails("composeArgs FieldOutOfRange constituents", "buyer", 20, c.call(true, make([]abi.ConstituentSpec, 21)...))
	c.fails("composeArgs FieldOutOfRange constituents", "buyer", 20, c.call(true, make([]abi.ConstituentSpec, 230)...))
	c.fails("composeArgs FieldOutOfRange value", "buyer", 0, one, deposit, func(tx *abi.Transaction) {
		tx.Value = *new(uint256.Int).Lsh(uint256.NewInt(1), 128)
		tx.Mint = tx.Value
	})
	c.fails("composeArgs TtlOutOfBounds", "buyer", 20, change(func(x *abi.ComposeCall) { x.TtlSeconds = 301 }))
	for _, f := range []func(*abi.ConstituentSpec){
		func(x *abi.ConstituentSpec) { x.Callee = address("buyer") },
		func(x *abi.ConstituentSpec) { x.Callee = address(seller(0)) },
		func(x *abi.ConstituentSpec) { x.TtlSeconds = 1 },
		func(x *abi.ConstituentSpec) { x.TtlSeconds = 31 },
		func(x *abi.ConstituentSpec) { x.PaymentWei = *uint256.NewInt(41) },
		func(x *abi.ConstituentSpec) { x.DependsOn = 2 },
		func(x *abi.ConstituentSpec) { x.DependsOn = 1 << 31 },
		func(x *abi.ConstituentSpec) { x.Guard = 3 },
		func(x *abi.ConstituentSpec) { x.Guard, x.DependsOn = 3, 1 },
		func(x *abi.ConstituentSpec) { x.Guard, x.GuardOn, x.DependsOn = 1, 1, 1 },
		func(x *abi.ConstituentSpec) { x.Guard, x.GuardOn, x.DependsOn = 1, 255, 1 },
		func(x *abi.ConstituentSpec) { x.Guard = 1 },
		func(x *abi.ConstituentSpec) { x.GuardOn = 1 },
		func(x *abi.ConstituentSpec) { x.GuardBranch = 1 },
		func(x *abi.ConstituentSpec) { x.LoopFrom = 1 },
		func(x *abi.ConstituentSpec) { x.LoopBranch = 1 },
		func(x *abi.ConstituentSpec) { x.MaxIterations = 1 },
		func(x *abi.ConstituentSpec) { x.MaxIterations = 17 },
		func(x *abi.ConstituentSpec) { x.MaxIterations, x.LoopFrom = 2, 2 },
		func(x *abi.ConstituentSpec) { x.MaxIterations, x.LoopFrom = 2, 255 },
		func(x *abi.ConstituentSpec) { x.MaxIterations = 2 }, // does not wait for constituent 0
	} {
		x := spec(1, 0)
		f(&x)
		c.fails("composeArgs BadConstituent", "buyer", 40, c.call(true, spec(0, 0), x))
	}
	loop := spec(1, 1)
	loop.MaxIterations = 2
	c.fails("composeArgs BadConstituent", "buyer", 100, c.call(true, spec(0, 0), loop, spec(2, 1)))
	again := spec(2, 2)
	again.MaxIterations, again.LoopFrom = 2, 1
	c.fails("composeArgs BadConstituent", "buyer", 120, c.call(true, spec(0, 0), loop, again))
	c.fails("composeArgs CompositionTotalMismatch", "buyer", 60, c.call(true, spec(0, 0), loop))
	short := c.call(true, spec(0, 0), loop, spec(2, 2))
	short.TtlSeconds = 5*14 - 1
	c.fails("composeArgs CompositionTooShort", "buyer", 100, short)
	c.fails("composeCallee CalleeUnknown", "buyer", 20, change(func(x *abi.ComposeCall) { x.Constituents[0].Callee = address("bystander") }))
	c.fails("composeCallee CalleeInactive", "buyer", 20, change(func(x *abi.ComposeCall) { x.Constituents[0].Callee = address("agent") }))
	c.fails("composeCapability CapabilityUnknown", "buyer", 20, change(func(x *abi.ComposeCall) { x.Constituents[0].Capability = common.Hash{1} }))
	c.fails("composeCapability PaymentBelowPrice", "buyer", 19, change(func(x *abi.ComposeCall) { x.Constituents[0].PaymentWei = *uint256.NewInt(19) }))
	c.fails("composeCapability OutOfGas", "buyer", 20, one, gasLimit(7000))
}

// pipeline is an atomic one with a guard, a loop and all that an opening can meet.
func (c *composer) pipeline() {
	loop := spec(1, 1)
	loop.MaxIterations, loop.LoopBranch = 3, 7
	taken, other := spec(2, 2), spec(3, 2)
	taken.Guard, taken.GuardOn, taken.GuardBranch = 1, 1, 9
	other.Guard, other.GuardOn, other.GuardBranch = 2, 1, 9
	call := c.call(true, spec(0, 0), loop, taken, other, spec(4, 4|8))
	id := c.compose("buyer", 180, call)
	c.fails("composeComposition DuplicateComposition", "buyer", 180, call)
	c.next(2)
	c.fails("openArgs OutOfGas", seller(0), 0, c.openCall(id, 0, 0), gasLimit(6000))
	c.fails("openArgs ResultHashInvalid", seller(0), 0, &abi.OpenResultCall{})
	c.fails("openInteraction InteractionUnknown", seller(0), 0, &abi.OpenResultCall{ResultHash: composerResult})
	c.fails("openInteraction NotCallee", seller(1), 0, c.openCall(id, 0, 0))
	c.fails("openInteraction NothingToOpen", seller(0), 0, c.openCall(id, 0, 0))
	c.answer(id, 0)
	bad := c.openCall(id, 0, 0)
	bad.Salt = common.Hash{}
	c.fails("openInteraction BadOpening", seller(0), 0, bad)
	c.opened(id, 0, 0)
	for _, branch := range []uint32{7, 9} {
		c.next(2)
		c.answer(id, 1)
		c.opened(id, 1, branch)
		if branch == 7 {
			c.next(2)
			c.answer(id, 0)
			c.opened(id, 0, 0)
		}
	}
	c.next(2)
	c.answer(id, 2)
	c.opened(id, 2, 0)
	c.next(2)
	c.answer(id, 4)
	c.status(id, vm.CompositionCommitted)
	c.next(1)
	c.opened(id, 4, 0)
	c.drain(4)
}

// largest has twenty constituents, the last of which needs all others; its initiator is no agent.
func (c *composer) largest() {
	var specs []abi.ConstituentSpec
	for i := range sellers - 1 {
		x := spec(i, 0)
		x.TtlSeconds = 30
		specs = append(specs, x)
	}
	last := spec(sellers-1, 1<<(sellers-1)-1)
	last.Guard, last.GuardOn, last.GuardBranch = 1, 18, math.MaxUint16
	specs = append(specs, last)
	id := c.compose("stranger", 20*sellers, c.call(true, specs...))
	for i := range sellers - 1 {
		if i%2 == 0 { // a block activates two
			c.next(1)
		}
		c.answer(id, i)
		c.opened(id, i, math.MaxUint16)
	}
	c.next(1)
	c.answer(id, sellers-1)
	c.status(id, vm.CompositionCommitted)
	for range 12 { // a block pays two
		c.next(1)
	}
	b, err := record.DecodeComposition(c.records[record.CompositionKey(id)])
	require.NoError(c.t, err)
	require.Equal(c.t, uint32(1<<19-1), b.Paid)
	c.opened(id, sellers-1, 3)
	c.drain(1)
}

// failed has constituent i answer with a failure.
func (c *composer) failed(id common.Hash, i int) {
	c.t.Helper()
	c.do(c.callee(id, i), 0, c.answerCall(id, i, 1))
}

func (c *composer) withTTL(x abi.ConstituentSpec, seconds uint32) abi.ConstituentSpec {
	x.TtlSeconds = seconds
	return x
}

// atOnce are compositions that are not atomic.
func (c *composer) atOnce() {
	loop := spec(3, 0)
	loop.MaxIterations, loop.LoopFrom = 2, 3
	id := c.compose("buyer", 100, c.call(false, spec(0, 0), spec(1, 1), spec(2, 0), loop))
	c.next(1)
	c.next(1)
	c.answer(id, 2) // nothing follows
	c.answer(id, 0) // constituent 1 follows
	c.answer(id, 3) // and the loop goes on
	c.next(1)
	c.next(1)
	c.answer(id, 3)
	c.next(13) // constituent 1 was the last
	c.status(id, vm.CompositionSettled)

	two := c.compose("stranger", 40, c.call(false, spec(0, 0), spec(1, 0)))
	one := c.compose("stranger", 20, c.call(false, spec(2, 0)))
	early := c.compose("buyer", 40, c.call(false, c.withTTL(spec(3, 0), 4), c.withTTL(spec(4, 0), 30)))
	c.drain(1)
	c.next(1)
	c.next(1)
	c.failed(two, 0)
	c.failed(two, 1)
	c.attested(one, 0)
	c.next(5)
	c.status(early, vm.CompositionActive)
	c.answer(early, 1)
	c.status(early, vm.CompositionSettled)
	c.drain(3)
}

// attested answers with a detached attestation by the callee.
func (c *composer) attested(id common.Hash, i int) {
	signed := c.answerCall(id, i, 0)
	call, err := record.DecodeInteraction(c.records[record.InteractionKey(signed.Id)])
	require.NoError(c.t, err)
	att := vm.Attestation{ID: signed.Id, ParamsHash: call.ParamsHash, ResultHash: signed.ResultHash}
	h := att.Digest(stepsChainID)
	signed.Attestation, err = crypto.Sign(h[:], key(c.callee(id, i)))
	require.NoError(c.t, err)
	signed.Attestation[64] += 27
	c.do(c.callee(id, i), 0, signed)
}

// reverts are the ends of atomic ones.
func (c *composer) reverts() {
	id := c.compose("buyer", 60, c.call(true, spec(0, 0), spec(1, 1), spec(2, 0)))
	c.next(1)
	c.attested(id, 0)
	c.next(1)
	c.failed(id, 2)
	c.fails("respondInteraction InteractionSettled", seller(2), 0, c.answerCall(id, 2, 0))
	c.fails("respondComposition CompositionFinal", seller(0), 0, c.openCall(id, 0, 0))
	c.status(id, vm.CompositionReverted)
	c.next(1)
	c.next(13) // the interaction that was left
	missed := c.compose("buyer", 40, c.call(true, spec(0, 0), spec(1, 0)))
	c.next(1)
	c.next(13)
	c.status(missed, vm.CompositionReverted)
	c.drain(2)
}

func (c *composer) cancels() {
	cancel := func(id common.Hash) *abi.CancelCall { return &abi.CancelCall{Id: id} }
	id := c.compose("buyer", 40, c.call(true, spec(0, 0), spec(1, 1)))
	other := c.compose("buyer", 60, c.call(false, spec(2, 0), spec(3, 1), spec(4, 0)))
	idle := c.compose("buyer", 20, c.call(false, spec(5, 0)))
	c.do("buyer", 0, cancel(idle))
	c.drain(3)
	c.fails("cancelInteraction OutOfGas", "buyer", 0, cancel(id), gasLimit(6000))
	c.fails("cancelComposition CompositionUnknown", "buyer", 0, cancel(common.Hash{1}))
	c.fails("cancelComposition NotCaller", "stranger", 0, cancel(id))
	c.fails("cancelInteraction NotCallee", "buyer", 0, cancel(c.interaction(id, 0)))
	c.fails("cancelComposition NotCancellable", seller(0), 0, cancel(c.interaction(id, 0)))
	c.fails("cancelComposition NotCancellable", seller(2), 0, cancel(c.interaction(other, 0)))
	c.do("buyer", 0, cancel(other)) // what is pending goes on
	c.answer(id, 0)
	c.opened(id, 0, 0)
	c.next(1)
	c.do(seller(1), 0, cancel(c.interaction(id, 1)))
	c.status(id, vm.CompositionReverted)
	c.fails("cancelComposition CompositionFinal", "buyer", 0, cancel(id))
	c.drain(2)

	var calls []common.Hash
	for i, ttl := range []uint32{20, 20, 2} {
		call := &abi.InvokeCall{
			Salt: common.Hash{0xc0, byte(i)}, Callee: address(seller(19)), Capability: vm.CapabilityID("work"), TtlSeconds: ttl, MaxPriceWei: *uint256.NewInt(20),
		}
		c.do("buyer", 20, call)
		calls = append(calls, vm.InteractionID(address("buyer"), call.Salt))
	}
	c.fails("cancelCallee NotCancellable", "buyer", 0, cancel(calls[0]))
	c.do(seller(19), 0, &abi.RespondCall{Id: calls[1], Status: 1})
	c.do(seller(19), 0, &abi.DeregisterCall{})
	c.fails("cancelInteraction NotCaller", "stranger", 0, cancel(calls[0]))
	c.fails("cancelInteraction InteractionSettled", "buyer", 0, cancel(calls[1]))
	c.fails("cancelInteraction NotCancellable", "buyer", 0, cancel(calls[2]))
	c.do("buyer", 0, cancel(calls[0]))
	c.next(3)
	i, err := record.DecodeInteraction(c.records[record.InteractionKey(calls[0])])
	require.NoError(c.t, err)
	require.Equal(c.t, uint8(vm.TimedOut), i.Status)
}

// late is what happens past deadlines that the sweeps have not come to.
func (c *composer) late() {
	call := c.call(true, spec(0, 0), spec(1, 1))
	call.TtlSeconds = 28
	id := c.compose("buyer", 40, call)
	leaves := c.compose("buyer", 40, c.call(true, spec(2, 0), spec(3, 0)))
	for range 3 {
		c.next(1)
	}
	c.answer(id, 0)
	c.answer(leaves, 0)
	c.fails("respondComposition CompositionNotCommitted", seller(2), 0, c.openCall(leaves, 0, 0))
	c.answer(leaves, 1)
	c.status(leaves, vm.CompositionCommitted)
	c.next(1)
	for i := range byte(6) {
		for _, from := range []string{"buyer", "stranger"} {
			c.do(from, 20, &abi.InvokeCall{
				Salt: common.Hash{0xd0, i}, Callee: address(seller(18)), Capability: vm.CapabilityID("work"), TtlSeconds: 2, MaxPriceWei: *uint256.NewInt(20),
			})
		}
	}
	c.next(30)
	c.fails("openInteraction InteractionExpired", seller(0), 0, c.openCall(id, 0, 0))
	c.fails("respondComposition CompositionExpired", seller(2), 0, c.openCall(leaves, 0, 0))
	c.fails("cancelComposition CompositionExpired", "buyer", 0, &abi.CancelCall{Id: id})
	c.drain(8)
}

// leaves is how compositions leave the state: one that was reverted while a call was pending, one that commits long before its
// first deadline, after two rounds of a loop, and with a dispute; a block moves three interactions.
func (c *composer) leaves() {
	c.seal()
	c.setPolicy(func(p *record.Policy) { p.RecentSeconds, p.DisputeWindowSeconds = 3, 30 })
	c.open(1)
	failing := c.call(true, spec(0, 0), spec(1, 0), spec(2, 0))
	failing.TtlSeconds = 14
	reverted := c.compose("buyer", 60, failing)
	loop := spec(3, 0)
	loop.MaxIterations, loop.LoopBranch = 2, 7
	early := c.call(true, loop, spec(4, 0), c.withTTL(spec(5, 1), 2))
	early.TtlSeconds = 50
	committed := c.compose("buyer", 80, early)
	c.drain(3)
	c.answer(reverted, 0)
	c.failed(reverted, 1)
	for _, branch := range []uint32{7, 1} {
		c.answer(committed, 0)
		c.opened(committed, 0, branch)
		if branch == 7 {
			c.drain(2)
		}
	}
	c.answer(committed, 1)
	c.next(1)
	c.answer(committed, 2)
	c.status(committed, vm.CompositionCommitted)
	first := vm.ConstituentID(committed, 0, 1)
	c.do("buyer", 50, &abi.DisputeCall{
		Kind: uint8(vm.Qualitative), Target: first, EvidenceHash: common.Hash{3}, Da: abi.DAPointer{ContentHash: common.Hash{3}},
	})
	c.next(1)
	c.opened(committed, 1, 0)
	c.opened(committed, 2, 0)
	count := c.pruned()
	c.drain(12)
	require.Nil(c.t, c.records[record.CompositionKey(reverted)])
	require.NotNil(c.t, c.records[record.InteractionKey(first)], "disputed")
	require.Equal(c.t, count+6, c.pruned())
	c.drain(5)
	require.Equal(c.t, count+7, c.pruned())
	for k := range c.records {
		require.NotEqual(c.t, record.CompositionKey(committed), k)
	}
	c.drain(10) // beyond its first deadline
}

// pruned is how many interactions are in the history.
func (c *composer) pruned() uint64 {
	h, err := record.DecodeHistory(c.records[record.HistoryKey])
	require.NoError(c.t, err)
	return h.Count
}

// TestComposeGas: a COMPOSE is cheaper than as many INVOKEs, with calldata, for the longest chain of dependencies and for none.
func TestComposeGas(t *testing.T) {
	p, policy := genesis.DefaultParams(), genesis.DefaultPolicy()
	one := gas.Calldata(&p, len((&abi.InvokeCall{}).Encode())) + gas.InvokeBase(&p, 100) + gas.Class(&p, 2, 0)
	for _, chain := range []bool{false, true} {
		for n := range uint64(vm.MaxConstituents) {
			call := &abi.ComposeCall{Constituents: make([]abi.ConstituentSpec, n+1)}
			sum := gas.Calldata(&p, len(call.Encode())) + policy.GasCompose
			for depth := range n + 1 {
				if !chain {
					depth = 0
				}
				sum += gas.Class(&p, 2, 0) + gas.Constituent(&p, &policy, 100, depth)
			}
			require.Less(t, sum, (n+1)*one, "%d constituents, chain: %v", n+1, chain)
		}
	}
}
