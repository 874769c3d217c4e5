package game

import (
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/machine/machinetest"
	"github.com/agnt2/agnt2/agnt2/passport"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/internal/solidity"
)

const sourceChain = 5901

// export is an agent at the end of a block, as agnt2_exportAgent answers it.
func (w *world) export(n uint64, agent common.Address) *passport.Export {
	h, after := w.L2[n].Header, w.before[n+1]
	e := &passport.Export{
		ChainID: sourceChain, BlockNumber: hexutil.Uint64(n), Agent: agent, OutputRoot: w.Output(n),
		Output: passport.Output{StateRoot: h.Root, MessagePasserStorageRoot: *h.WithdrawalsHash, LatestBlockhash: h.Hash()},
	}
	ak, rk := record.AgentKey(agent), record.ReputationKey(agent)
	e.Identity, e.IdentityProof = after.state[ak], after.tree.Prove(trie.Key(ak)).Encode()
	e.ReputationProof = after.tree.Prove(trie.Key(rk)).Encode()
	if r := after.state[rk]; r != nil {
		e.Reputation = (*hexutil.Bytes)(&r)
	}
	return e
}

// agents are those that have answered or missed calls, and those that nobody has called, at the end of a block.
func (w *world) agents(n uint64) (known, fresh []common.Address) {
	after := w.before[n+1].state
	for _, a := range w.Accounts {
		switch {
		case after[record.AgentKey(a)] == nil:
		case after[record.ReputationKey(a)] == nil:
			fresh = append(fresh, a)
		case must(record.DecodeReputation(after[record.ReputationKey(a)])).LastActiveAt != 0:
			known = append(known, a)
		}
	}
	return known, fresh
}

// proxied deploys one of OP's contracts behind its proxy.
func (s *stage) proxied(name string, ctor []any, init ...any) *solidity.Contract {
	s.t.Helper()
	impl, proxy := s.deploy(name, ctor...), s.deploy("Proxy", owner)
	data, err := impl.ABI.Pack("initialize", init...)
	require.NoError(s.t, err)
	s.must(owner, nil, proxy, "upgradeToAndCall", impl.Address, data)
	return &solidity.Contract{Name: name, Address: proxy.Address, ABI: impl.ABI}
}

type resourceConfig struct {
	MaxResourceLimit            uint32
	ElasticityMultiplier        uint8
	BaseFeeMaxChangeDenominator uint8
	MinimumBaseFee              uint32
	SystemTxMaxGas              uint32
	MaximumBaseFee              *big.Int
}

type systemAddresses struct {
	L1CrossDomainMessenger, L1ERC721Bridge, L1StandardBridge, DisputeGameFactory, OptimismPortal, OptimismMintableERC20Factory, GasPayingToken common.Address
}

type passportSource struct {
	ChainId  uint64
	Registry common.Address
	GameType uint32
}

// portalOf deploys the portal of the chain that agents are brought to.
func (s *stage) portalOf() *solidity.Contract {
	superchain := s.proxied("SuperchainConfig", nil, owner, false)
	system := s.proxied("SystemConfig", nil, owner, uint32(1), uint32(1), [32]byte{31: 1}, uint64(100_000_000), owner,
		resourceConfig{20_000_000, 10, 8, 1_000_000_000, 1_000_000, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))},
		common.Address{1}, systemAddresses{DisputeGameFactory: s.factory.Address})
	return s.proxied("OptimismPortal2", []any{big.NewInt(60), big.NewInt(60)}, s.factory.Address, system.Address, superchain.Address, gameType)
}

// importArgs are the arguments of AgentPassport.importAgent, as an ABI of L1 has them.
func importArgs(t *testing.T, c *solidity.Contract, e *passport.Export, change func(*passport.ImportAgentCall)) []any {
	t.Helper()
	identity, err := record.DecodeAgent(e.Identity)
	require.NoError(t, err)
	call := &passport.ImportAgentCall{
		SourceChainId: uint64(e.ChainID), Output: passport.OutputRootProof(e.Output), Agent: e.Agent,
		Identity: passport.IRecordsAgent(identity), IdentityProof: slices.Clone(e.IdentityProof), ReputationProof: slices.Clone(e.ReputationProof),
	}
	if e.Reputation != nil {
		call.Reputation = passport.IRecordsReputation(must(record.DecodeReputation(*e.Reputation)))
	}
	if change != nil {
		change(call)
	}
	data := call.Encode()
	args, err := c.ABI.Methods["importAgent"].Inputs.Unpack(data[4:])
	require.NoError(t, err)
	return args
}

// TestPassport brings agents of one chain to another: the source's anchor moves by a real game, the proofs are checked on L1, and
// the other chain derives the deposit of OP's portal.
func TestPassport(t *testing.T) {
	w := newWorld(3, 30, 3)
	n := w.safe
	known, fresh := w.agents(n)
	require.NotEmpty(t, known)
	require.NotEmpty(t, fresh)
	s := newStage(t, w, depthOf(maxDepth), nil)
	m := s.propose(w, honest, n-4, n, w.Output(n))
	portal := s.portalOf()
	source := passportSource{sourceChain, s.registry.Address, gameType}
	p := s.deploy("AgentPassport", portal.Address, owner, []passportSource{source})
	sends := func(from common.Address, e *passport.Export, change func(*passport.ImportAgentCall)) error {
		t.Helper()
		_, gas, err := s.send(from, nil, p, "importAgent", importArgs(t, p, e, change)...)
		if err == nil {
			t.Logf("importAgent: %d gas on L1", gas)
		}
		return err
	}
	refuses := func(name string, e *passport.Export, change func(*passport.ImportAgentCall)) {
		t.Helper()
		before := len(s.evm.Config().State.Logs())
		var r *solidity.Revert
		require.ErrorAs(t, sends(liar, e, change), &r, name)
		require.Equal(t, name, r.Name)
		require.Len(t, s.evm.Config().State.Logs(), before)
	}

	e := w.export(n, known[0])
	_, _, err := e.Verify(w.Output(n))
	require.NoError(t, err)
	refuses("NotAnchor", e, nil) // the game is not resolved
	require.EqualValues(t, defenderWins, m.resolve())
	anchor := s.view(s.registry, "anchors", gameType)
	require.Equal(t, n, anchor[1].(*big.Int).Uint64())

	refuses("NotAnchor", w.export(n-1, known[0]), nil)
	refuses("SourceUnknown", e, func(c *passport.ImportAgentCall) { c.SourceChainId++ })
	refuses("OutputVersion", e, func(c *passport.ImportAgentCall) { c.Output.Version[31] = 1 })
	refuses("NotAnchor", e, func(c *passport.ImportAgentCall) { c.Output.StateRoot[0] ^= 1 })
	refuses("ProofRoot", e, func(c *passport.ImportAgentCall) { c.Agent = known[1] })
	refuses("ProofRoot", e, func(c *passport.ImportAgentCall) { c.Identity.Owner = liar })
	refuses("ProofRoot", e, func(c *passport.ImportAgentCall) { c.Identity.Name += "!" })
	refuses("ProofRoot", e, func(c *passport.ImportAgentCall) { c.Reputation.Completed++ })
	refuses("ProofExcess", e, func(c *passport.ImportAgentCall) { c.IdentityProof = append(c.IdentityProof, 0) })
	refuses("ProofExcess", e, func(c *passport.ImportAgentCall) { c.ReputationProof = append(c.ReputationProof, 0) })
	refuses("ProofEncoding", e, func(c *passport.ImportAgentCall) { c.IdentityProof = c.IdentityProof[:40] })
	refuses("ProofRoot", e, func(c *passport.ImportAgentCall) { c.IdentityProof[len(c.IdentityProof)-1] ^= 1 })
	// Counters that are withheld, those of another agent, and those that nobody has earned.
	require.Error(t, sends(liar, e, func(c *passport.ImportAgentCall) { c.Reputation = passport.IRecordsReputation{} }))
	other := w.export(n, known[1])
	require.Error(t, sends(liar, e, func(c *passport.ImportAgentCall) {
		c.Reputation = passport.IRecordsReputation(must(record.DecodeReputation(*other.Reputation)))
		c.ReputationProof = other.ReputationProof
	}))
	novice := w.export(n, fresh[0])
	require.Error(t, sends(liar, novice, func(c *passport.ImportAgentCall) { c.Reputation.Completed = 1 }))
	require.Error(t, sends(liar, novice, func(c *passport.ImportAgentCall) { c.ReputationProof = e.ReputationProof }))

	// Sources.
	var r *solidity.Revert
	_, _, err = s.send(liar, nil, p, "setSource", passportSource{1, liar, 0})
	require.ErrorAs(t, err, &r)
	require.Equal(t, "NotGovernance", r.Name)
	governed := s.deploy("AgentPassport", portal.Address, abi.Alias(honest), []passportSource{}) // as if honest were a contract
	_, _, err = s.send(owner, nil, governed, "setSource", source)
	require.ErrorAs(t, err, &r)
	s.must(honest, nil, governed, "setSource", source)
	nobodys := s.deploy("AgentPassport", portal.Address, common.Address{}, []passportSource{source})
	_, _, err = s.send(owner, nil, nobodys, "setSource", source)
	require.ErrorAs(t, err, &r)
	s.must(owner, nil, p, "setSource", passportSource{ChainId: sourceChain})
	refuses("SourceUnknown", e, nil)
	s.must(owner, nil, p, "setSource", passportSource{sourceChain, s.registry.Address, gameType + 1})
	refuses("NotAnchor", e, nil) // no game of that type has ever been
	s.must(owner, nil, p, "setSource", source)
	got := s.view(p, "sourceOf", uint64(sourceChain))
	require.Equal(t, []any{s.registry.Address, gameType}, got)

	// Anybody brings an agent, as often as wanted. A deposit without the contract brings none.
	before := len(s.evm.Config().State.Logs())
	require.NoError(t, sends(liar, e, nil))
	require.NoError(t, sends(honest, e, nil))
	require.NoError(t, sends(honest, novice, nil))
	forged := (&abi.ImportAgentCall{SourceChainId: sourceChain, SourceBlock: n + 1, Agent: known[0], Identity: abi.IRecordsAgent{Owner: liar}}).Encode()
	s.must(liar, nil, portal, "depositTransaction", abi.Address, new(big.Int), uint64(200_000), false, forged)
	var deposits []*types.Log
	for _, l := range s.evm.Config().State.Logs()[before:] {
		if l.Address == portal.Address && l.Topics[0] == depositTopic {
			deposits = append(deposits, l)
		}
	}
	require.Len(t, deposits, 4)

	// The destination, where the same accounts do business of their own.
	dest := newWorld(8, 14, 0)
	policy := must(record.DecodePolicy(dest.State[record.PolicyKey]))
	governance := policy.Governance
	policy.AgentPassport = abi.Alias(p.Address)
	through := func(logs ...*types.Log) types.Receipts { // of the destination's L1
		for i, l := range logs {
			l.Address, l.Index = machinetest.Portal, uint(i)
		}
		dest.AddL1(types.Receipts{receiptOf(1_000_000, logs...)})
		for {
			out := dest.Next().Seal()
			if must(record.DecodeL1Info(dest.State[record.L1InfoKey])).Number == uint64(len(dest.L1)-1) {
				return out.Receipts[1:]
			}
		}
	}
	s.must(governance, nil, portal, "depositTransaction", abi.Address, new(big.Int), uint64(100_000), false,
		(&abi.SetPolicyCall{Policy: abi.IRecordsPolicy(policy)}).Encode())
	logs := s.evm.Config().State.Logs()
	require.EqualValues(t, 1, through(logs[len(logs)-1])[0].Status)
	local := map[record.Key][]byte{}
	for _, a := range []common.Address{known[0], fresh[0]} {
		for _, k := range []record.Key{record.AgentKey(a), record.ReputationKey(a)} {
			local[k] = dest.State[k]
		}
	}
	receipts := through(deposits...)
	var status []uint64
	for _, rc := range receipts {
		status = append(status, rc.Status)
	}
	require.Equal(t, []uint64{1, 0, 1, 0}, status, "the first one, not the second one of that block, the other agent, not the forged one")
	identity, counters := must(record.DecodeAgent(e.Identity)), must(record.DecodeReputation(*e.Reputation))
	x := must(record.DecodeForeign(dest.State[record.ForeignKey(vm.ForeignAgent(sourceChain, known[0]))]))
	require.Equal(t, []any{uint64(sourceChain), n, known[0], identity.Owner, identity.Name, counters.Completed, counters.InteractionHistoryRoot, counters.LastActiveAt},
		[]any{x.SourceChainId, x.SourceBlock, x.Agent, x.Owner, x.Name, x.Completed, x.InteractionHistoryRoot, x.LastActiveAt})
	require.NotZero(t, x.LastActiveAt)
	x = must(record.DecodeForeign(dest.State[record.ForeignKey(novice.ForeignID())]))
	require.Zero(t, x.LastActiveAt)
	for k, v := range local {
		require.Equal(t, v, dest.State[k], "an import touched %v", k)
	}
}
