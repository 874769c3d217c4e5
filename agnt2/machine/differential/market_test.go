package differential

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// marketWays are those of discovery, commit–reveal and eligibility.
const marketWays = `
indexCount: NoProviderMatches, indexSlot
indexSlot: NoProviderMatches, SlotUnknown, candidateAgent, indexMoved, indexSlot, invokeArgs, removeCapabilityDetail, txEnd, writeCapability
indexMoved: removeCapabilityDetail, txEnd
candidateAgent: NoProviderMatches, candidateCapability, indexSlot, invokeArgs
candidateCapability: NoProviderMatches, SlotInUse, candidateDetail, candidateReputation, indexCount, indexSlot, invokeArgs
candidateDetail: NoProviderMatches, candidateReputation, indexSlot, invokeArgs
candidateReputation: NoProviderMatches, indexSlot, invokeArgs
discoverArgs: FieldOutOfRange filter.maxLatencyMs, FieldOutOfRange filter.maxPriceWei, OutOfGas, indexCount, indexSlot
invokeReputation: CalleeIneligible, invokeCapability, txEnd
commitment: CommitmentUnknown, DepositBelowMinimum, DuplicateCommitment, OutOfGas, RevealTooEarly, RevealTooLate, commitmentDeadline
commitmentDeadline: invokeArgs, txEnd
sweepCommitment: sweepNext
`

// setPolicy changes the policy of the blocks to come.
func (s *scenario) setPolicy(change func(*record.Policy)) {
	p, err := record.DecodePolicy(s.records[record.PolicyKey])
	require.NoError(s.t, err)
	change(&p)
	s.set(record.PolicyKey, p.Encode())
}

// market takes the ways of discovery, commit–reveal, quotas and eligibility.
func (s *scenario) market() {
	names := []string{"p1", "p2", "p3", "p4", "buyer"}
	for _, name := range names {
		s.fund(address(name), uint256.NewInt(50_000_000_000))
	}
	m := vm.CapabilityID("m")
	register := func(name string, offers ...abi.Capability) {
		s.do(name, 100, &abi.RegisterCall{Name: name, Capabilities: offers})
	}
	offer := func(price, latency uint64, schema byte) abi.Capability {
		c := capability("m", 1)
		c.PriceWei, c.LatencyMsP99, c.InputSchemaHash = *uint256.NewInt(price), uint32(latency), common.Hash{schema}
		return c
	}
	salts := uint64(0)
	// find is a discoverInvoke by somebody whose scan of n slots begins at the first-th, from 0.
	find := func(from string, n, first uint64, change ...func(*abi.ProviderFilter)) *abi.DiscoverInvokeCall {
		c := &abi.DiscoverInvokeCall{
			Capability: m, TtlSeconds: 20, Filter: abi.ProviderFilter{MaxPriceWei: *uint256.NewInt(40), MaxLatencyMs: 1000},
			SessionId: common.Hash{8}, CompositionId: common.Hash{9}, Da: abi.DAPointer{LengthBytes: 10, Backend: 1, Locator: common.Hash{4}},
		}
		for _, f := range change {
			f(&c.Filter)
		}
		for {
			salts++
			c.Salt = common.Hash(uint256.NewInt(1<<40 + salts).Bytes32())
			id := vm.InteractionID(address(from), c.Salt)
			v := new(uint256.Int).SetBytes32(id[:])
			if v.Mod(v, uint256.NewInt(n)).Uint64() == first {
				return c
			}
		}
	}
	price := func(n uint64) func(*abi.ProviderFilter) {
		return func(f *abi.ProviderFilter) { f.MaxPriceWei = *uint256.NewInt(n) }
	}
	schema := func(in, out byte) func(*abi.ProviderFilter) {
		return func(f *abi.ProviderFilter) { f.InputSchemaHash, f.OutputSchemaHash = common.Hash{in}, common.Hash{out} }
	}
	takes := func(way string, do func()) {
		s.t.Helper()
		n := s.seen[way]
		do()
		require.Equal(s.t, n+1, s.seen[way], "did not go %q", way)
	}
	found := func(way, provider string, value uint64, c *abi.DiscoverInvokeCall, from string) {
		s.t.Helper()
		takes(way, func() { s.do(from, value, c) })
		i, err := record.DecodeInteraction(s.records[record.InteractionKey(vm.InteractionID(address(from), c.Salt))])
		require.NoError(s.t, err)
		require.Equal(s.t, address(provider), i.Callee)
	}

	s.open(1)
	s.fails("indexCount NoProviderMatches", "buyer", 40, find("buyer", 1, 0))
	s.fails("discoverArgs OutOfGas", "buyer", 40, find("buyer", 1, 0), gasLimit(24_000))
	s.fails("discoverArgs FieldOutOfRange filter.maxPriceWei", "buyer", 40, find("buyer", 1, 0, price(0)))
	s.fails("discoverArgs FieldOutOfRange filter.maxPriceWei", "buyer", 40, find("buyer", 1, 0, func(f *abi.ProviderFilter) {
		f.MaxPriceWei = *new(uint256.Int).Lsh(uint256.NewInt(1), 128)
	}))
	s.fails("discoverArgs FieldOutOfRange filter.maxLatencyMs", "buyer", 40, find("buyer", 1, 0, func(f *abi.ProviderFilter) { f.MaxLatencyMs = 0 }))
	register("p1", offer(20, 300, 1))
	s.fails("indexSlot NoProviderMatches", "p1", 40, find("p1", 1, 0))
	s.fails("candidateCapability NoProviderMatches", "buyer", 40, find("buyer", 1, 0, price(19)))
	s.fails("candidateCapability NoProviderMatches", "buyer", 19, find("buyer", 1, 0))
	s.fails("candidateCapability NoProviderMatches", "buyer", 40, find("buyer", 1, 0, func(f *abi.ProviderFilter) { f.MaxLatencyMs = 299 }))
	s.fails("candidateDetail NoProviderMatches", "buyer", 40, find("buyer", 1, 0, schema(3, 0)))
	s.fails("candidateDetail NoProviderMatches", "buyer", 40, find("buyer", 1, 0, schema(1, 3)))
	s.fails("candidateReputation NoProviderMatches", "buyer", 40, find("buyer", 1, 0, func(f *abi.ProviderFilter) { f.MinReputation = 1 }))
	found("candidateReputation invokeArgs", "p1", 40, find("buyer", 1, 0, schema(1, 2)), "buyer")
	found("candidateReputation invokeArgs", "p1", 20, find("buyer", 1, 0, func(f *abi.ProviderFilter) {
		f.MaxPriceWei.SetUint64(0).Not(&f.MaxPriceWei).Rsh(&f.MaxPriceWei, 128)
		f.MaxLatencyMs = 300
	}), "buyer")

	register("p2", offer(30, 300, 1), capability("solo", 0))
	found("candidateCapability invokeArgs", "p1", 25, find("buyer", 2, 0), "buyer")
	found("candidateCapability indexSlot", "p1", 25, find("buyer", 2, 1), "buyer")
	found("indexSlot invokeArgs", "p1", 40, find("p2", 2, 0), "p2")
	found("indexSlot indexSlot", "p1", 40, find("p2", 2, 1), "p2")
	register("p3", offer(20, 300, 7))
	found("candidateDetail invokeArgs", "p1", 40, find("p4", 3, 0, schema(1, 0)), "p4")
	found("candidateDetail indexSlot", "p1", 40, find("p4", 3, 2, schema(1, 0)), "p4")
	same := "p1" // of two alike the lower one
	if p1, p3 := address("p1"), address("p3"); p3.Cmp(p1) < 0 {
		same = "p3"
	}
	for first := range uint64(3) {
		found("candidateReputation invokeArgs", same, 40, find("p4", 3, first), "p4")
	}
	s.seal()

	s.set(record.ReputationKey(address("p2")), (&record.Reputation{
		Completed: 900, CountedCompleted: 800, DistinctCallers: 40, ScoredCompleted: 800, ScoredCallers: 40, LastActiveAt: s.time,
	}).Encode())
	s.open(1)
	for first := range uint64(3) { // reputation is worth more than a price
		found("candidateReputation invokeArgs", "p2", 40, find("third", 3, first), "third")
	}
	s.do("p2", 0, &abi.DeregisterCall{})
	found("candidateAgent invokeArgs", same, 40, find("third", 3, 2), "third")
	found("candidateAgent indexSlot", same, 40, find("third", 3, 1), "third")
	solo := find("third", 1, 0)
	solo.Capability = vm.CapabilityID("solo")
	s.fails("candidateAgent NoProviderMatches", "third", 40, solo)

	reclaim := func(capability string, slot uint32) *abi.ReclaimSlotCall {
		return &abi.ReclaimSlotCall{Capability: vm.CapabilityID(capability), Slot: slot}
	}
	s.fails("discoverArgs OutOfGas", "buyer", 0, reclaim("m", 2), gasLimit(16_000))
	s.fails("indexSlot SlotUnknown", "buyer", 0, reclaim("m", 4))
	s.fails("indexSlot SlotUnknown", "buyer", 0, reclaim("m", 0))
	s.fails("candidateCapability SlotInUse", "buyer", 0, reclaim("m", 1))
	takes("indexSlot txEnd", func() { s.do("buyer", 0, reclaim("solo", 1)) })
	takes("indexMoved txEnd", func() { s.do("buyer", 0, reclaim("m", 2)) })
	s.do("p2", 1, &abi.RegisterCall{Name: "again", Capabilities: []abi.Capability{offer(30, 300, 1)}})
	s.do("p2", 0, &abi.DeregisterCall{})
	s.do("p2", 1, &abi.RegisterCall{Name: "without"})
	takes("indexSlot txEnd", func() { s.do("buyer", 0, reclaim("m", 3)) }) // active, but its offer is an old one
	takes("indexMoved removeCapabilityDetail", func() { s.do("p1", 0, &abi.UpdateCapabilitiesCall{Removals: []common.Hash{m}}) })
	s.do("p2", 0, &abi.DeregisterCall{})

	// Commit–reveal.
	secret := offer(20, 300, 7)
	secret.CommitRequired = true
	s.do("p3", 0, &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{secret}})
	s.fails("candidateCapability NoProviderMatches", "buyer", 40, find("buyer", 1, 0))
	reveal := func(callee string, change ...func(*abi.RevealCall)) *abi.RevealCall {
		salts++
		c := &abi.RevealCall{
			CommitSalt: common.Hash{1}, Salt: common.Hash(uint256.NewInt(1<<41 + salts).Bytes32()), Callee: address(callee), Capability: m,
			TtlSeconds: 20, MaxPriceWei: *uint256.NewInt(20), SessionId: common.Hash{2}, Da: abi.DAPointer{LengthBytes: 10},
		}
		for _, f := range change {
			f(c)
		}
		return c
	}
	plain := func(c *abi.RevealCall) *abi.InvokeCall {
		return &abi.InvokeCall{
			Salt: c.Salt, Callee: c.Callee, Capability: c.Capability, ParamsHash: c.ParamsHash, TtlSeconds: c.TtlSeconds,
			MaxPriceWei: c.MaxPriceWei, SessionId: c.SessionId, CompositionId: c.CompositionId, Da: c.Da,
		}
	}
	commit := func(c *abi.RevealCall) *abi.CommitCall {
		return &abi.CommitCall{Commitment: vm.CommitmentHash(stepsChainID, address("other"), c.CommitSalt, plain(c).Encode())}
	}
	good := reveal("p3")
	s.fails("invokeCapability CommitRequired", "other", 20, plain(good))
	s.fails("commitment OutOfGas", "other", 20, commit(good), gasLimit(10_000))
	s.fails("commitment DepositBelowMinimum", "other", 19, commit(good))
	s.do("other", 20, commit(good))
	s.fails("commitment DuplicateCommitment", "other", 20, commit(good))
	inactive, ineligible := reveal("p2"), reveal("p4")
	unknown := reveal("p3", func(c *abi.RevealCall) { c.Capability = vm.CapabilityID("gone") })
	dear := reveal("p3", func(c *abi.RevealCall) { c.MaxPriceWei = *uint256.NewInt(19) })
	refunded := []*abi.RevealCall{inactive, ineligible, unknown, dear}
	for _, c := range refunded {
		s.do("other", 30, commit(c))
	}
	s.fails("commitment RevealTooEarly", "other", 20, good)
	s.seal()
	bad := (&record.Reputation{Completed: 1, PenaltyUnits: 60}).Encode()
	s.set(record.ReputationKey(address("p4")), bad)
	s.open(1)
	s.fails("commitment RevealTooEarly", "other", 20, good)
	register("p4", offer(20, 300, 1))
	s.fails("invokeReputation CalleeIneligible", "other", 20, plain(ineligible))
	s.fails("candidateReputation NoProviderMatches", "third", 40, find("third", 2, 0))
	s.seal()
	s.open(1)
	s.fails("commitment OutOfGas", "other", 20, good, gasLimit(4000))
	s.fails("commitment CommitmentUnknown", "third", 20, good)
	s.fails("commitment CommitmentUnknown", "other", 20, reveal("p3"))
	s.fails("invokeCapability PaymentBelowPrice", "other", 19, good)
	takes("commitmentDeadline invokeArgs", func() { s.do("other", 20, good) })
	takes("invokeCallee txEnd", func() { s.do("other", 20, inactive) })
	takes("invokeReputation txEnd", func() { s.do("other", 20, ineligible) })
	takes("invokeCapability txEnd", func() { s.do("other", 20, unknown) })
	takes("invokeCapability txEnd", func() { s.do("other", 20, dear) })
	var late []*abi.RevealCall
	for range 6 {
		c := reveal("p3")
		s.do("other", 20, commit(c))
		late = append(late, c)
	}
	s.seal()
	s.open(1)
	s.seal()
	s.open(8) // as many as a block sweeps
	require.NotZero(s.t, s.seen["sweepNext sweepCommitment"])
	left := 0
	for _, c := range late {
		id := vm.CommitmentID(address("other"), commit(c).Commitment)
		if s.records[record.CommitmentKey(id)] != nil {
			left++
			s.fails("commitment RevealTooLate", "other", 20, c)
		}
	}
	require.NotZero(s.t, left)
	s.seal()

	// A slow caller, and no judgement of callees.
	s.setPolicy(func(p *record.Policy) { p.InvokesPerSecond, p.InvokesBurst, p.EligibilityScore = 1, 1, 0 })
	s.open(1)
	s.do("p1", 20, plain(reveal("p4")))
	s.fails("invokeArgs RateLimited", "p1", 20, plain(reveal("p4")))
	s.seal()
	for _, rate := range []uint32{7, 3_000_000, 0} {
		s.setPolicy(func(p *record.Policy) { p.InvokesPerSecond, p.InvokesBurst = rate, 0 })
		s.open(2)
		s.do("p1", 20, plain(reveal("p4")))
		s.seal()
	}
	// An agent with a reputation pays less for its own INVOKEs, from its next answer on.
	famous := (&record.Reputation{
		Completed: 5000, CountedCompleted: 5000, DistinctCallers: 90, SumOfSquares: *uint256.NewInt(9_000_000), ScoredCompleted: 5000, ScoredCallers: 90,
	}).Encode()
	s.set(record.ReputationKey(address("p3")), famous)
	s.setPolicy(func(p *record.Policy) { p.InvokesPerSecond = 0 })
	s.open(30)
	s.do("p3", 0, &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{offer(20, 300, 1)}})
	invokeGas := func(want uint64) {
		s.t.Helper()
		s.do("p3", 20, plain(reveal("p4")))
		require.Equal(s.t, want, s.op.GasUsed-uint64(len(s.data)))
	}
	answer := func(status uint8) {
		c := reveal("p3")
		s.do("p1", 20, plain(c))
		r := &abi.RespondCall{Id: vm.InteractionID(address("p1"), c.Salt), Status: status}
		if status == 0 {
			r.ResultHash = common.Hash{1}
			r.Da.ContentHash = r.ResultHash
		}
		s.do("p3", 0, r)
	}
	invokeGas(6010 + 1000)
	answer(0)
	first := s.account(address("p3"))
	require.NotZero(s.t, first.Discount)
	require.Equal(s.t, s.time+7*86_400, first.DiscountUntil)
	invokeGas(6010 + 1000*(10_000-uint64(first.Discount))/10_000)
	s.seal()
	s.set(record.ReputationKey(address("p3")), (&record.Reputation{Completed: 10, Timeouts: 1}).Encode())
	s.open(1)
	answer(1)
	require.Zero(s.t, s.account(address("p3")).Discount)
	invokeGas(6010 + 1000)
	s.seal()
	s.set(record.ReputationKey(address("p3")), famous)
	s.open(1)
	answer(0)
	s.seal()
	old := s.account(address("p3"))
	require.NotZero(s.t, old.Discount)
	old.DiscountUntil = s.time
	s.set(record.AccountKey(address("p3")), old.Encode())
	s.open(1)
	invokeGas(6010 + 1000) // too long ago
	s.seal()

	// Stake allows more pending INVOKEs.
	s.setPolicy(func(p *record.Policy) { p.InvokesPerSecond, p.WeiPerPendingInvoke = 0, *uint256.NewInt(100) })
	for range 30 { // everything ends
		s.open(30)
		s.seal()
	}
	s.open(1)
	if acc := s.account(address("other")); acc.Stake.IsZero() {
		s.do("other", 100, &abi.TopUpStakeCall{})
	}
	for range 7 { // six for everybody, one for its stake
		s.do("other", 20, plain(reveal("p4")))
	}
	s.fails("invokeArgs TooManyPendingInvokes", "other", 20, plain(reveal("p4")))
	s.seal()
}
