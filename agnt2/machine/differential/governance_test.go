package differential

import (
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// governance takes every way of the operations on parameters and fee vaults. It begins and ends between two blocks.
func (s *scenario) governance() {
	s.open(1)
	params, policy := s.params, s.policy
	setParams := func(change func(*abi.IRecordsParams)) *abi.SetParamsCall {
		c := &abi.SetParamsCall{Params: abi.IRecordsParams(params)}
		change(&c.Params)
		return c
	}
	setPolicy := func(change func(*abi.IRecordsPolicy)) *abi.SetPolicyCall {
		c := &abi.SetPolicyCall{Policy: abi.IRecordsPolicy(policy)}
		change(&c.Policy)
		return c
	}
	for field, change := range map[string]func(*abi.IRecordsParams){
		"minTtlSeconds":     func(p *abi.IRecordsParams) { p.MinTtlSeconds = 0 },
		"maxTtlSeconds":     func(p *abi.IRecordsParams) { p.MaxTtlSeconds = 1 },
		"sweepsPerBlock":    func(p *abi.IRecordsParams) { p.SweepsPerBlock = 501 },
		"gasTransfer":       func(p *abi.IRecordsParams) { p.GasTransfer = 0 },
		"gasAgentOperation": func(p *abi.IRecordsParams) { p.GasAgentOperation = 0 },
		"gasInvokeBase":     func(p *abi.IRecordsParams) { p.GasInvokeBase = 0 },
		"gasRespond":        func(p *abi.IRecordsParams) { p.GasRespond = 0 },
		"gasWithdrawal":     func(p *abi.IRecordsParams) { p.GasWithdrawal = 0 },
	} {
		s.fails("setParamsArgs FieldOutOfRange "+field, "governance", 0, setParams(change), deposit)
	}
	s.fails("setParamsArgs FieldOutOfRange sweepsPerBlock", "governance", 0, setParams(func(p *abi.IRecordsParams) { p.SweepsPerBlock = 0 }), deposit)
	for field, change := range map[string]func(*abi.IRecordsPolicy){
		"eligibilityScore": func(p *abi.IRecordsPolicy) { p.EligibilityScore = 10_001 },
		"gasCompose":       func(p *abi.IRecordsPolicy) { p.GasCompose = 0 },
		"gasChannel":       func(p *abi.IRecordsPolicy) { p.GasChannel = 0 },
		"gasDispute":       func(p *abi.IRecordsPolicy) { p.GasDispute = 0 },
		"disputeFeeWei":    func(p *abi.IRecordsPolicy) { p.DisputeFeeWei = *uint256.NewInt(51) },
		"gasDiscover":      func(p *abi.IRecordsPolicy) { p.GasDiscover = 0 },
		"prunesPerBlock":   func(p *abi.IRecordsPolicy) { p.PrunesPerBlock = 0 },
	} {
		s.fails("setPolicyArgs FieldOutOfRange "+field, "governance", 0, setPolicy(change), deposit)
	}
	s.fails("setPolicyArgs FieldOutOfRange prunesPerBlock", "governance", 0, setPolicy(func(p *abi.IRecordsPolicy) { p.PrunesPerBlock = 100_001 }), deposit)
	s.fund(address("governance"), uint256.NewInt(50_000_000_000))
	s.state.Root = s.tree.Root()
	same := func(*abi.IRecordsParams) {}
	s.fails("setParamsArgs NotGovernance", "governance", 0, setParams(same)) // not a deposit
	s.fails("setParamsArgs NotGovernance", "caller", 0, setParams(same), deposit)
	s.fails("setParamsArgs OutOfGas", "governance", 0, setParams(same), deposit, gasLimit(6600))
	s.fails("setPolicyArgs NotGovernance", "governance", 0, setPolicy(func(*abi.IRecordsPolicy) {}))
	s.fails("setPolicyArgs NotGovernance", "caller", 0, setPolicy(func(*abi.IRecordsPolicy) {}), deposit)
	s.fails("setPolicyArgs OutOfGas", "governance", 0, setPolicy(func(*abi.IRecordsPolicy) {}), deposit, gasLimit(6600))
	fees := func(vault common.Address) *abi.WithdrawFeesCall { return &abi.WithdrawFeesCall{Vault: vault} }
	s.fails("withdrawFeesArgs FeeRecipientUnset", "caller", 0, fees(abi.BaseFeeVault))
	s.do("governance", 0, setParams(func(p *abi.IRecordsParams) { p.GasTransfer, p.SweepsPerBlock = 4001, 500 }), deposit)
	s.do("governance", 0, setPolicy(func(p *abi.IRecordsPolicy) {
		p.EligibilityScore, p.PrunesPerBlock, p.DisputeFeeWei, p.FeeRecipient = 10_000, 100_000, policy.DisputeBondWei, common.Address{0x66}
	}), deposit)
	require.Equal(s.t, params, s.params, "parameters change in the middle of a block")
	s.seal()

	s.open(1)
	require.Equal(s.t, uint64(4001), s.params.GasTransfer)
	require.Equal(s.t, uint16(10_000), s.policy.EligibilityScore)
	s.do("governance", 0, setParams(same), deposit)
	s.do("governance", 0, setPolicy(func(p *abi.IRecordsPolicy) { p.FeeRecipient = common.Address{0x66} }), deposit)
	s.fails("withdrawFeesArgs OutOfGas", "caller", 0, fees(abi.BaseFeeVault), gasLimit(20_000))
	s.fails("withdrawFeesArgs FieldOutOfRange vault", "caller", 0, fees(address("caller")))
	for _, vault := range []common.Address{abi.BaseFeeVault, abi.SequencerFeeVault, abi.L1FeeVault} {
		s.do("caller", 0, fees(vault))
		s.fails("withdrawVault NothingToWithdraw", "caller", 0, fees(vault))
	}
	s.seal()
}

// disputes takes every way of disputes and of the history.
func (s *scenario) disputes() {
	for range 12 { // what has happened so far becomes history
		s.open(70)
		s.seal()
	}
	s.open(1)
	if s.account(address("agent")).Roles&vm.RoleAgent == 0 {
		s.do("agent", 0, &abi.RegisterCall{Name: "disputed"})
	}
	s.do("agent", 0, &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{capability("a", 0)}})
	salt := byte(0)
	invoke := func() common.Hash {
		salt++
		c := &abi.InvokeCall{
			Salt: common.Hash{0xd1, salt}, Callee: address("agent"), Capability: vm.CapabilityID("a"), TtlSeconds: 30, MaxPriceWei: *uint256.NewInt(20),
		}
		s.do("caller", 20, c)
		return vm.InteractionID(address("caller"), c.Salt)
	}
	settled := func() common.Hash {
		id := invoke()
		s.do("agent", 0, &abi.RespondCall{Id: id, Status: 1})
		return id
	}
	a, b, c, d, pending := settled(), settled(), settled(), settled(), invoke()
	dispute := func(target common.Hash, kind uint8, change ...func(*abi.DisputeCall)) *abi.DisputeCall {
		c := &abi.DisputeCall{
			Kind: kind, Target: target, EvidenceHash: common.Hash{3}, Da: abi.DAPointer{ContentHash: common.Hash{3}, LengthBytes: 100, Backend: 1},
		}
		if kind == uint8(vm.Computational) {
			c.Game = common.Address{0x55}
		}
		for _, f := range change {
			f(c)
		}
		return c
	}
	const judged, counted = uint8(vm.Computational), uint8(vm.Qualitative)
	s.fails("disputeArgs OutOfGas", "caller", 50, dispute(a, judged), gasLimit(12_300))
	s.fails("disputeArgs FieldOutOfRange kind", "caller", 50, dispute(a, 0))
	s.fails("disputeArgs FieldOutOfRange kind", "caller", 50, dispute(a, 3))
	s.fails("disputeArgs FieldOutOfRange game", "caller", 50, dispute(a, judged, func(c *abi.DisputeCall) { c.Game = common.Address{} }))
	s.fails("disputeArgs FieldOutOfRange game", "caller", 50, dispute(a, counted, func(c *abi.DisputeCall) { c.Game = common.Address{1} }))
	s.fails("disputeArgs FieldOutOfRange da.backend", "caller", 50, dispute(a, judged, func(c *abi.DisputeCall) { c.Da.Backend = 4 }))
	s.fails("disputeArgs DACommitmentMismatch", "caller", 50, dispute(a, judged, func(c *abi.DisputeCall) { c.Da.ContentHash = common.Hash{} }))
	s.fails("disputeArgs BondTooLow", "caller", 49, dispute(a, judged))
	s.fails("disputeInteraction InteractionUnknown", "caller", 50, dispute(common.Hash{1}, judged))
	s.fails("disputeInteraction NotCaller", "other", 50, dispute(a, judged))
	s.fails("disputeInteraction InteractionPending", "caller", 50, dispute(pending, judged))
	s.do("caller", 50, dispute(a, judged))
	s.fails("disputeRecord DisputeExists", "caller", 50, dispute(a, counted))
	s.do("caller", 60, dispute(b, counted))
	s.do("caller", 50, dispute(c, judged), deposit)
	s.do("agent", 0, &abi.DeregisterCall{})
	s.seal()

	s.open(45) // pending has timed out
	s.fails("withdrawStake StakeHeld", "agent", 0, &abi.WithdrawStakeCall{})
	resolve := func(id common.Hash, upheld bool) *abi.ResolveDisputeCall {
		return &abi.ResolveDisputeCall{Target: id, Upheld: upheld, Game: common.Address{0x55}}
	}
	s.fund(address("resolver"), uint256.NewInt(50_000_000_000))
	s.state.Root = s.tree.Root()
	s.fails("resolveArgs OutOfGas", "resolver", 0, resolve(a, true), deposit, gasLimit(6000))
	s.fails("resolveArgs NotResolver", "resolver", 0, resolve(a, true))
	s.fails("resolveArgs NotResolver", "caller", 0, resolve(a, true), deposit)
	s.fails("resolveRecord DisputeUnknown", "resolver", 0, resolve(d, true), deposit)
	s.fails("resolveRecord NotAdjudicated", "resolver", 0, resolve(b, true), deposit)
	another := resolve(a, true)
	another.Game = common.Address{0x56}
	s.fails("resolveRecord GameMismatch", "resolver", 0, another, deposit)
	s.do("governance", 0, resolve(c, false), deposit) // still recent
	s.seal()

	s.open(20) // four are due, and a block takes three
	require.Equal(s.t, uint32(3), s.op.Pruned)
	s.seal()
	s.open(1)
	require.Equal(s.t, uint32(1), s.op.Pruned)
	for _, id := range []common.Hash{a, b} {
		require.NotNil(s.t, s.records[record.InteractionKey(id)])
	}
	for _, id := range []common.Hash{c, d} {
		require.Nil(s.t, s.records[record.InteractionKey(id)])
	}
	s.do("governance", 0, resolve(a, true), deposit)
	s.fails("resolveRecord DisputeUnknown", "resolver", 0, resolve(a, true), deposit)
	s.seal()

	s.open(1) // a leaves
	require.Nil(s.t, s.records[record.InteractionKey(a)])
	policy := abi.IRecordsPolicy(s.policy)
	policy.DisputeWindowSeconds, policy.DisputeFeeWei, policy.DisputeBondWei = 3, *uint256.NewInt(55), *uint256.NewInt(55)
	s.do("governance", 0, &abi.SetPolicyCall{Policy: policy}, deposit)
	s.do("agent", 0, &abi.RegisterCall{Name: "again", Capabilities: []abi.Capability{capability("a", 0)}})
	e := settled()
	s.do("caller", 50, dispute(e, judged)) // the bond is below the fee when it ends
	s.seal()

	s.open(100) // b and e lapse; what is left becomes history, as much as fits
	s.seal()
	for range 8 {
		s.open(70)
		s.seal()
	}
	for k := range s.records {
		ns := record.Namespace(k[0])
		require.NotContains(s.t, []record.Namespace{record.NSDispute, record.NSInteraction}, ns)
	}
	s.open(1)
	f := settled()
	s.do("caller", 55, dispute(f, counted))
	s.seal()
	s.open(5) // lapses while recent
	require.NotNil(s.t, s.records[record.DisputeKey(f)])
	s.do("agent", 0, &abi.DeregisterCall{})
	s.seal()
	s.open(80)
	s.do("agent", 0, &abi.WithdrawStakeCall{})
	s.seal()
}

// prunedDisputes takes every way of disputes of what is in the history.
func (s *scenario) prunedDisputes() {
	s.setPolicy(func(p *record.Policy) {
		p.RecentSeconds, p.DisputeWindowSeconds, p.DisputeBondWei, p.PrunesPerBlock = 2, 40, *uint256.NewInt(50), 3
	})
	s.open(1)
	s.do("agent", 200, &abi.RegisterCall{Name: "disputed", Capabilities: []abi.Capability{capability("a", 0)}})
	settled := func(salt byte) common.Hash {
		c := &abi.InvokeCall{
			Salt: common.Hash{0xd2, salt}, Callee: address("agent"), Capability: vm.CapabilityID("a"), TtlSeconds: 2, MaxPriceWei: *uint256.NewInt(20),
		}
		s.do("caller", 20, c)
		id := vm.InteractionID(address("caller"), c.Salt)
		s.do("agent", 0, &abi.RespondCall{Id: id, Status: 1})
		return id
	}
	a, b, c := settled(1), settled(2), settled(3)
	plain := func(target common.Hash, kind vm.DisputeKind) *abi.DisputeCall {
		c := &abi.DisputeCall{Kind: uint8(kind), Target: target, EvidenceHash: common.Hash{3}, Da: abi.DAPointer{ContentHash: common.Hash{3}, LengthBytes: 100}}
		if kind == vm.Computational {
			c.Game = common.Address{0x55}
		}
		return c
	}
	dispute := func(target common.Hash, kind vm.DisputeKind, change ...func(*abi.DisputePrunedCall)) *abi.DisputePrunedCall {
		index, ok := s.history.Last(target)
		require.True(s.t, ok)
		x := s.history.Dispute(plain(target, kind), index)
		for _, f := range change {
			f(x)
		}
		return x
	}
	s.do("caller", 50, plain(c, vm.Computational))
	s.do("resolver", 0, &abi.ResolveDisputeCall{Target: c, Game: common.Address{0x55}}, deposit)
	s.seal()
	s.open(5)
	for _, id := range []common.Hash{a, b, c} {
		require.Nil(s.t, s.records[record.InteractionKey(id)])
	}
	require.NotNil(s.t, s.records[record.DisputeKey(c)], "until its deadline")
	const judged, counted = vm.Computational, vm.Qualitative
	s.fails("disputePrunedArgs OutOfGas", "caller", 50, dispute(a, judged), gasLimit(12_900))
	s.fails("disputePrunedArgs FieldOutOfRange kind", "caller", 50, dispute(a, 0))
	s.fails("disputePrunedArgs FieldOutOfRange game", "caller", 50, dispute(a, judged, func(c *abi.DisputePrunedCall) { c.Game = common.Address{} }))
	s.fails("disputePrunedArgs FieldOutOfRange da.backend", "caller", 50, dispute(a, judged, func(c *abi.DisputePrunedCall) { c.Da.Backend = 4 }))
	s.fails("disputePrunedArgs DACommitmentMismatch", "caller", 50, dispute(a, judged, func(c *abi.DisputePrunedCall) { c.Da.ContentHash = common.Hash{} }))
	s.fails("disputePrunedArgs BondTooLow", "caller", 49, dispute(a, judged))
	for _, n := range []int{64, 2_000} {
		s.fails("disputePrunedArgs FieldOutOfRange path", "caller", 50, dispute(a, judged, func(c *abi.DisputePrunedCall) { c.Path = make([]common.Hash, n) }))
	}
	s.fails("disputePrunedArgs NotCaller", "other", 50, dispute(a, judged))
	s.fails("disputePrunedArgs DisputeWindowOver", "caller", 50, dispute(a, judged, func(c *abi.DisputePrunedCall) { c.Interaction.SettledAt -= 36 }))
	s.fails("disputePrunedArgs DisputeWindowOver", "caller", 50, dispute(a, judged, func(c *abi.DisputePrunedCall) { c.Interaction.SettledAt = math.MaxUint64 }))
	for _, change := range []func(*abi.DisputePrunedCall){
		func(c *abi.DisputePrunedCall) { c.Interaction.SettledAt++ },
		func(c *abi.DisputePrunedCall) { c.Interaction.Status = 255 },
		func(c *abi.DisputePrunedCall) { c.Target = b },
		func(c *abi.DisputePrunedCall) { c.Index ^= 1 },
		func(c *abi.DisputePrunedCall) { c.Index = uint64(len(s.history.Interactions)) },
		func(c *abi.DisputePrunedCall) { c.Index = math.MaxUint64 },
		func(c *abi.DisputePrunedCall) { c.Path = nil },
		func(c *abi.DisputePrunedCall) { c.Path = append(c.Path, common.Hash{}) },
		func(c *abi.DisputePrunedCall) { c.Path = make([]common.Hash, 63) },
	} {
		s.fails("disputeHistory BadHistoryProof", "caller", 50, dispute(a, counted, change))
	}
	s.fails("disputeRecord DisputeExists", "caller", 50, dispute(c, counted))
	s.do("caller", 50, dispute(a, counted), deposit)
	s.do("caller", 50, dispute(b, judged))
	s.do("resolver", 0, &abi.ResolveDisputeCall{Target: b, Upheld: true, Game: common.Address{0x55}}, deposit)
	s.fails("resolveRecord DisputeUnknown", "resolver", 0, &abi.ResolveDisputeCall{Target: b}, deposit)
	s.seal()

	// The id of b once more. It leaves after the deadline of its old dispute, whose entry of the queue finds the dispute about the
	// second one, or none.
	s.open(30)
	settled(2)
	s.seal()
	s.setPolicy(func(p *record.Policy) { p.PrunesPerBlock = 1 })
	s.open(20)
	require.Nil(s.t, s.records[record.DisputeKey(b)])
	s.do("caller", 50, dispute(b, counted))
	s.seal()
	for range 4 {
		s.open(1)
		s.seal()
	}
	require.NotNil(s.t, s.records[record.DisputeKey(b)])
	require.Nil(s.t, s.records[record.DisputeKey(a)])
	require.Nil(s.t, s.records[record.DisputeKey(c)])
	s.open(60)
	require.Nil(s.t, s.records[record.DisputeKey(b)])
	s.seal()
}
