package game

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/internal/solidity"
)

const (
	splitDepth = 4 // 16 blocks
	maxDepth   = 18
	traceDepth = maxDepth - splitDepth - 1 // 8,192 micro-steps

	clockSeconds     = 3_600
	extensionSeconds = 300
	wethDelaySeconds = 60

	// maxTxGas bounds one transaction on L1 (EIP-7825), its base and calldata included.
	maxTxGas = 1 << 24
	// maxTxBytes is the largest transaction that L1's nodes pass on, with room for what stands around the calldata.
	maxTxBytes = 131_072 - 1_000
)

var (
	owner  = common.HexToAddress("0x0000000000000000000000000000000000000a11")
	honest = common.HexToAddress("0x0000000000000000000000000000000000000bee")
	liar   = common.HexToAddress("0x0000000000000000000000000000000000000bad")

	gameType = uint32(0)
	initBond = big.NewInt(80_000_000_000_000_000)
)

// verifierConfig is IAGNT2StepVerifier.Config.
type verifierConfig struct {
	ChainId, BlockTimeSeconds, ProofLagBlocks, SeqWindowBlocks, BlobFraction uint64
	LayerRoot, Portal, SystemConfig, Leaves, Oracle                          common.Address
	GenesisNumber                                                            uint64
	GenesisHash, GenesisBatcherHash                                          common.Hash
	GenesisBaseFeeScalar, GenesisBlobBaseFeeScalar                           uint32
}

// stage is an L1 with OP's dispute contracts and our verifier.
type stage struct {
	t              testing.TB
	evm            *solidity.EVM
	factory        *solidity.Contract
	registry       *solidity.Contract
	weth           *solidity.Contract
	oracle         *solidity.Contract
	leaves         *solidity.Contract
	verifier       *solidity.Contract
	implementation *solidity.Contract // of the game
	clean          *state.StateDB     // before the first game
	depth          types.Depth        // of a game
	traces         map[machine.Game]*machine.Trace
}

func depthOf(n int) types.Depth { return types.Depth(n) }

// wrapper makes the machine of a stage's games from the verifier.
type wrapper func(s *stage) *solidity.Contract

// newStage deploys everything for a world's constants.
func newStage(t testing.TB, w *world, depth types.Depth, wrap wrapper) *stage {
	t.Helper()
	s := &stage{t: t, evm: solidity.New(), depth: depth, traces: map[machine.Game]*machine.Trace{}}
	cfg := s.evm.Config()
	cfg.Origin = owner
	cfg.BlockNumber = new(big.Int).SetUint64(uint64(len(w.L1)))
	cfg.Time = w.L1[len(w.L1)-1].Header.Time + 12
	cfg.GetHashFn = func(n uint64) common.Hash { return w.L1[n].Header.Hash() }
	for _, a := range []common.Address{owner, honest, liar} {
		cfg.State.AddBalance(a, uint256.MustFromDecimal("1000000000000000000000000"), tracing.BalanceChangeUnspecified)
	}
	proxied := func(name string, init string, initArgs []any, args ...any) *solidity.Contract {
		impl := s.deploy(name, args...)
		proxy := s.deploy("Proxy", owner)
		if init == "" {
			s.must(owner, nil, proxy, "upgradeTo", impl.Address)
		} else {
			data, err := impl.ABI.Pack(init, initArgs...)
			require.NoError(t, err)
			s.must(owner, nil, proxy, "upgradeToAndCall", impl.Address, data)
		}
		return &solidity.Contract{Name: name, Address: proxy.Address, ABI: impl.ABI}
	}
	superchain := s.deploy("SuperchainConfig")
	s.factory = proxied("DisputeGameFactory", "initialize", []any{owner})
	s.registry = proxied("AnchorStateRegistry", "", nil, s.factory.Address)
	s.weth = proxied("DelayedWETH", "initialize", []any{owner, superchain.Address}, big.NewInt(wethDelaySeconds))
	s.oracle = s.deploy("PreimageOracle", big.NewInt(126_000), big.NewInt(86_400))
	s.leaves = s.deploy("OriginLeaves")
	env := w.Env(0, common.Hash{})
	s.verifier = s.deploy("AGNT2StepVerifier", verifierConfig{
		ChainId: env.ChainID, BlockTimeSeconds: env.BlockTime, ProofLagBlocks: env.ProofLag, SeqWindowBlocks: env.SeqWindow,
		BlobFraction: env.BlobFraction, LayerRoot: env.LayerRoot, Portal: env.Portal, SystemConfig: env.SystemConfig,
		Leaves: s.leaves.Address, Oracle: s.oracle.Address, GenesisNumber: env.Genesis.Number, GenesisHash: env.Genesis.Hash,
		GenesisBatcherHash: env.Genesis.BatcherHash, GenesisBaseFeeScalar: env.Genesis.BaseFeeScalar,
		GenesisBlobBaseFeeScalar: env.Genesis.BlobBaseFeeScalar,
	})
	vm := s.verifier
	if wrap != nil {
		vm = wrap(s)
	}
	prestate := machine.Prestate()
	s.implementation = s.deploy("FaultDisputeGame", gameType, prestate.Claim(), big.NewInt(int64(depth)), big.NewInt(splitDepth),
		uint64(extensionSeconds), uint64(clockSeconds), vm.Address, s.weth.Address, s.registry.Address, new(big.Int).SetUint64(env.ChainID))
	version := s.view(s.implementation, "version")
	require.Equal(t, "1.2.0", version[0])
	s.must(owner, nil, s.factory, "setImplementation", gameType, s.implementation.Address)
	s.must(owner, nil, s.factory, "setInitBond", gameType, initBond)
	s.clean = cfg.State.Copy()
	return s
}

func (s *stage) deploy(name string, args ...any) *solidity.Contract {
	s.t.Helper()
	c, err := s.evm.Deploy(name, args...)
	require.NoError(s.t, err)
	s.evm.Config().State.Finalise(true)
	return c
}

// send is a transaction, with the gas that one may have; its error is that of the execution.
func (s *stage) send(from common.Address, value *big.Int, c *solidity.Contract, method string, args ...any) (out []any, gas uint64, err error) {
	s.t.Helper()
	data, err := c.ABI.Pack(method, args...)
	require.NoError(s.t, err, "%s.%s", c.Name, method)
	require.LessOrEqual(s.t, len(data), maxTxBytes, "%s.%s", c.Name, method)
	cfg := s.evm.Config()
	base, floor := calldataGas(data)
	cfg.Origin, cfg.Value, cfg.GasLimit = from, value, maxTxGas-base
	ret, used, err := s.evm.CallRaw(c, data)
	cfg.Value, cfg.GasLimit = nil, solidity.CallGas
	cfg.State.Finalise(true)
	gas = max(base+used, floor)
	if err != nil {
		return nil, gas, fmt.Errorf("%s.%s: %w", c.Name, method, err)
	}
	out, err = c.ABI.Unpack(method, ret)
	return out, gas, err
}

// calldataGas is what a transaction pays before it is executed, and the least that it pays (EIP-2028, EIP-7623).
func calldataGas(data []byte) (base, floor uint64) {
	tokens := uint64(0)
	for _, b := range data {
		if b == 0 {
			tokens++
		} else {
			tokens += 4
		}
	}
	return 21_000 + 4*tokens, 21_000 + 10*tokens
}

func (s *stage) must(from common.Address, value *big.Int, c *solidity.Contract, method string, args ...any) []any {
	s.t.Helper()
	out, _, err := s.send(from, value, c, method, args...)
	require.NoError(s.t, err)
	return out
}

func (s *stage) view(c *solidity.Contract, method string, args ...any) []any {
	s.t.Helper()
	out, _, err := s.evm.Call(c, method, args...)
	require.NoError(s.t, err, "%s.%s", c.Name, method)
	return out
}

// wait lets time pass on L1.
func (s *stage) wait(seconds uint64) {
	cfg := s.evm.Config()
	cfg.Time += seconds
	cfg.BlockNumber = new(big.Int).Add(cfg.BlockNumber, new(big.Int).SetUint64(max(1, seconds/12)))
}

// refused says whether an error is a transaction's that was executed and reverted, and not for want of gas.
func refused(err error) bool {
	var r *solidity.Revert
	return errors.As(err, &r) && !errors.Is(err, vm.ErrOutOfGas)
}

// match is one dispute.
type match struct {
	*stage
	w               *world
	game            *solidity.Contract
	anchor, claimed uint64 // blocks
	root            common.Hash
	proposer        common.Address

	claims []types.Claim
	paid   map[common.Address]*big.Int // bonds
	gas    map[string]uint64           // the most of a kind
}

type outputRoot struct {
	Root          [32]byte
	L2BlockNumber *big.Int
}

type anchorRoot struct {
	GameType   uint32
	OutputRoot outputRoot
}

// propose begins a match on a stage without other games: a root for the claimed block, over the honest output of the anchor.
func (s *stage) propose(w *world, by common.Address, anchor, claimed uint64, root common.Hash) *match {
	s.t.Helper()
	cfg := s.evm.Config()
	cfg.State = s.clean.Copy()
	cfg.BlockNumber = new(big.Int).SetUint64(uint64(len(w.L1)))
	cfg.Time = w.L1[len(w.L1)-1].Header.Time + 12
	s.must(owner, nil, s.registry, "initialize", []anchorRoot{{gameType, outputRoot{w.Output(anchor), new(big.Int).SetUint64(anchor)}}})
	extra := common.BigToHash(new(big.Int).SetUint64(claimed)).Bytes()
	out := s.must(by, initBond, s.factory, "create", gameType, root, extra)
	m := &match{
		stage: s, w: w, anchor: anchor, claimed: claimed, root: root, proposer: by, gas: map[string]uint64{},
		paid: map[common.Address]*big.Int{honest: new(big.Int), liar: new(big.Int)},
		game: &solidity.Contract{Name: "FaultDisputeGame", Address: out[0].(common.Address), ABI: s.implementation.ABI},
	}
	m.paid[by].Add(m.paid[by], initBond)
	require.Equal(s.t, w.L1[len(w.L1)-1].Header.Hash(), common.Hash(s.view(m.game, "l1Head")[0].([32]byte)))
	require.Equal(s.t, claimed, s.view(m.game, "l2BlockNumber")[0].(*big.Int).Uint64())
	m.read()
	return m
}

// read takes the claims from the contract.
func (m *match) read() {
	m.t.Helper()
	n := int(m.view(m.game, "claimDataLen")[0].(*big.Int).Int64())
	for i := range n {
		if i < len(m.claims) && m.claims[i].Depth() != m.depth {
			continue // only claims at the bottom are countered before the end
		}
		v := m.view(m.game, "claimData", big.NewInt(int64(i)))
		c := types.Claim{
			ClaimData: types.ClaimData{
				Value: v[4].([32]byte), Bond: v[3].(*big.Int), Position: types.NewPositionFromGIndex(v[5].(*big.Int)),
			},
			CounteredBy: v[1].(common.Address), Claimant: v[2].(common.Address), Clock: types.DecodeClock(v[6].(*big.Int)),
			ContractIndex: i, ParentContractIndex: int(v[0].(uint32)),
		}
		if i == 0 {
			c.ParentContractIndex = math.MaxInt64
		}
		if i < len(m.claims) {
			m.claims[i] = c
		} else {
			m.claims = append(m.claims, c)
		}
	}
}

func (m *match) state() types.Game { return types.NewGameState(m.claims, m.depth) }

// move makes a claim.
func (m *match) move(from common.Address, parent types.Claim, value common.Hash, attack bool) error {
	m.t.Helper()
	pos := parent.Attack()
	if !attack {
		pos = parent.Defend()
	}
	bond := m.view(m.game, "getRequiredBond", pos.ToGIndex())[0].(*big.Int)
	_, gas, err := m.send(from, bond, m.game, "move", parent.Value, big.NewInt(int64(parent.ContractIndex)), value, attack)
	if err == nil {
		m.paid[from].Add(m.paid[from], bond)
		m.gas["move"] = max(m.gas["move"], gas)
	}
	return err
}

// step counters a claim at the bottom. Before the first micro-step the game's local data is loaded.
func (m *match) step(from common.Address, claim types.Claim, attack bool, state, witness []byte) error {
	m.t.Helper()
	if len(state) > 1 && state[1] == byte(machine.Begin) {
		for ident := int64(1); ident <= 5; ident++ {
			m.must(from, nil, m.game, "addLocalData", big.NewInt(ident), big.NewInt(int64(claim.ContractIndex)), big.NewInt(8))
		}
	}
	_, gas, err := m.send(from, nil, m.game, "step", big.NewInt(int64(claim.ContractIndex)), attack, state, witness)
	if err == nil {
		m.gas["step"] = max(m.gas["step"], gas)
	}
	return err
}

// Outcomes of a game.
const (
	inProgress     = 0
	challengerWins = 1
	defenderWins   = 2
)

// resolve runs the clocks out, resolves every claim from the bottom up, and checks where the bonds go.
func (m *match) resolve() uint8 {
	m.t.Helper()
	m.wait(2*clockSeconds + 1)
	m.read()
	for i := len(m.claims) - 1; i >= 0; i-- {
		m.must(honest, nil, m.game, "resolveClaim", big.NewInt(int64(i)), new(big.Int))
	}
	m.must(honest, nil, m.game, "resolve")
	m.claims = nil
	m.read()
	total, credits := new(big.Int), new(big.Int)
	for _, c := range m.claims {
		total.Add(total, c.Bond)
	}
	for _, a := range []common.Address{honest, liar} {
		credits.Add(credits, m.credit(a))
	}
	require.Equal(m.t, total, credits, "all bonds are given to the two players")
	return m.view(m.game, "status")[0].(uint8)
}

func (m *match) credit(a common.Address) *big.Int {
	return m.view(m.game, "credit", a)[0].(*big.Int)
}

// collect takes a player's credit out and returns it.
func (m *match) collect(a common.Address) *big.Int {
	m.t.Helper()
	state := m.evm.Config().State
	before := state.GetBalance(a).ToBig()
	_, _, err := m.send(a, nil, m.game, "claimCredit", a)
	require.Error(m.t, err, "before DelayedWETH's delay")
	m.wait(wethDelaySeconds + 1)
	m.must(a, nil, m.game, "claimCredit", a)
	return new(big.Int).Sub(state.GetBalance(a).ToBig(), before)
}

// honestWins requires that the root claim's fate is the right one, that no honest claim has fallen, and that the honest player
// has its own bonds back and, if it has beaten the root, the proposer's.
func (m *match) honestWins(rootIsRight bool) {
	m.t.Helper()
	want := uint8(challengerWins)
	if rootIsRight {
		want = defenderWins
	}
	require.Equal(m.t, want, m.resolve(), "seeded game over block %d, anchor %d", m.claimed, m.anchor)
	least := new(big.Int).Set(m.paid[honest])
	for _, c := range m.claims {
		if c.Claimant == honest {
			require.Zero(m.t, c.CounteredBy, "the honest claim %d at %s has fallen", c.ContractIndex, c.Position)
		}
	}
	if !rootIsRight && m.proposer == liar {
		least.Add(least, initBond)
	}
	credit := m.credit(honest)
	require.GreaterOrEqual(m.t, credit.Cmp(least), 0, "the honest player has %v for bonds of %v", credit, least)
	if m.paid[honest].Sign() > 0 || credit.Sign() > 0 {
		require.Equal(m.t, credit, m.collect(honest))
	}
	anchor := m.view(m.registry, "anchors", gameType)
	if rootIsRight {
		require.Equal(m.t, m.root, common.Hash(anchor[0].([32]byte)), "the anchor moves on to the root")
	} else {
		require.Equal(m.t, m.w.Output(m.anchor), common.Hash(anchor[0].([32]byte)), "the anchor stays")
	}
}

var background = context.Background()
