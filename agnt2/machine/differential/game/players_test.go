package game

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/solver"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace/outputs"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace/split"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace/utils"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	gethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// node answers op-challenger as a node would that follows the world.
type node struct{ *world }

func (n node) OutputAtBlock(_ context.Context, number uint64) (*eth.OutputResponse, error) {
	if number >= uint64(len(n.L2)) {
		return nil, fmt.Errorf("no block %d", number)
	}
	h := n.L2[number].Header
	return &eth.OutputResponse{
		OutputRoot: eth.Bytes32(n.Output(number)), BlockRef: eth.L2BlockRef{Hash: h.Hash(), Number: number},
		WithdrawalStorageRoot: *h.WithdrawalsHash, StateRoot: h.Root,
	}, nil
}

func (n node) SafeHeadAtL1Block(context.Context, uint64) (*eth.SafeHeadResponse, error) {
	return &eth.SafeHeadResponse{SafeHead: eth.BlockID{Number: n.safe}}, nil
}

func (n node) HeaderByNumber(_ context.Context, number *big.Int) (*gethtypes.Header, error) {
	return n.L2[number.Uint64()].Header, nil
}

// trace lays out the machine between two outputs for a game about block claimed, each once.
func (m *match) trace(agreed, disputed common.Hash, agreedBlock, claimed uint64) (*machine.Trace, error) {
	env := m.w.Env(agreedBlock, disputed)
	env.Game.Agreed, env.Game.Claimed = agreed, claimed
	if t := m.traces[env.Game]; t != nil {
		return t, nil
	}
	t, err := machine.NewTrace(background, env, m.w.L1Source(), m.w.World)
	if err == nil {
		m.traces[env.Game] = t
	}
	return t, err
}

// steps is a machine's trace as the lower half of a game.
type steps struct {
	*machine.Trace
	depth types.Depth
}

var _ types.TraceProvider = steps{}

func (s steps) Get(_ context.Context, pos types.Position) (common.Hash, error) {
	state, err := s.State(pos.TraceIndex(s.depth).Uint64() + 1)
	return state.Claim(), err
}

func (s steps) GetStepData(_ context.Context, pos types.Position) ([]byte, []byte, *types.PreimageOracleData, error) {
	i := pos.TraceIndex(s.depth).Uint64()
	state, err := s.State(i)
	if err != nil || i >= s.Len() {
		return state.Encode(), nil, nil, err
	}
	e, err := s.Entry(i)
	if err != nil {
		return nil, nil, nil, err
	}
	return state.Encode(), e.Witness, nil, nil
}

func (s steps) AbsolutePreStateCommitment(context.Context) (common.Hash, error) {
	p := machine.Prestate()
	return p.Claim(), nil
}

func (s steps) GetL2BlockNumberChallenge(context.Context) (*types.InvalidL2BlockNumberChallenge, error) {
	return nil, types.ErrL2BlockNumberValid
}

// player plays by op-challenger's solver.
type player struct {
	*match
	who      common.Address
	accessor types.TraceAccessor
	solver   *solver.GameSolver
	done     map[string]bool // steps that failed
	stepped  int             // steps that were made
	kinds    map[string]int  // of these
	fails    bool            // may fail: all but the honest player over the right machine
}

func (m *match) player(who common.Address, accessor types.TraceAccessor) *player {
	return &player{match: m, who: who, accessor: accessor, solver: solver.NewGameSolver(m.depth, accessor), done: map[string]bool{}, kinds: map[string]int{}, fails: who != honest}
}

// honest plays what op-challenger would over the machine.
func (m *match) honest() *player {
	n := node{m.w}
	top := outputs.NewTraceProvider(log.NewLogger(log.DiscardHandler()), outputs.NewPrestateProvider(n, m.anchor), n, n, eth.BlockID{}, splitDepth, m.anchor, m.claimed)
	lower := func(_ context.Context, _ common.Hash, depth types.Depth, agreed, disputed utils.Proposal) (types.TraceProvider, error) {
		t, err := m.trace(agreed.OutputRoot, disputed.OutputRoot, agreed.L2BlockNumber.Uint64(), m.claimed)
		if err != nil {
			return nil, err
		}
		if t.Len() > 1<<depth {
			return nil, fmt.Errorf("a trace of %d micro-steps for a game of depth %d", t.Len(), depth)
		}
		return steps{t, depth}, nil
	}
	return m.player(honest, trace.NewAccessor(split.NewSplitProviderSelector(top, splitDepth, outputs.OutputRootSplitAdapter(top, lower))))
}

type outputProof struct {
	Version, StateRoot, MessagePasserStorageRoot, LatestBlockhash [32]byte
}

// act makes all moves that the player wants to make, and returns how many. The honest player's must all succeed.
func (p *player) act() (made int) {
	p.t.Helper()
	actions, err := p.solver.CalculateNextActions(background, p.state())
	if !p.fails {
		require.NoError(p.t, err, "the honest player does not know what to do")
	}
	for _, a := range actions {
		claim := p.claims[a.ParentClaim.ContractIndex]
		var err error
		switch a.Type {
		case types.ActionTypeMove:
			err = p.move(p.who, claim, a.Value, a.IsAttack)
		case types.ActionTypeStep:
			id := fmt.Sprint(claim.ContractIndex, a.IsAttack)
			if p.done[id] {
				continue
			}
			if err = p.step(p.who, claim, a.IsAttack, a.PreState, a.ProofData); err != nil {
				p.done[id] = true
			} else {
				p.stepped++
				p.kinds[machine.Name(vm.Step(a.PreState[1]))]++
			}
		case types.ActionTypeChallengeL2BlockNumber:
			o := a.InvalidL2BlockNumberChallenge.Output
			raw, e := rlp.EncodeToBytes(a.InvalidL2BlockNumberChallenge.Header)
			require.NoError(p.t, e)
			if p.view(p.game, "l2BlockNumberChallenged")[0].(bool) {
				continue
			}
			_, _, err = p.send(p.who, nil, p.game, "challengeRootL2Block", outputProof{
				o.Version, o.StateRoot, o.WithdrawalStorageRoot, o.BlockRef.Hash,
			}, raw)
		}
		if !p.fails {
			require.NoError(p.t, err, "honest %v on claim %d at depth %d, attack %v", a.Type, claim.ContractIndex, claim.Depth(), a.IsAttack)
		} else if err != nil {
			require.True(p.t, refused(err), "%v", err)
			continue
		}
		made++
	}
	p.read()
	return made
}

// lies are a dishonest player's values: what the honest player has up to a point, and something else behind it, in both halves
// of the game.
type lies struct {
	m         *match
	salt      []byte
	from      uint64                                // the first block with another output
	output    common.Hash                           // of that block
	root      common.Hash                           // what it takes for the output of the claimed block; zero: made up
	diverges  func(length, positions uint64) uint64 // the first wrong state of a trace
	machines  map[common.Hash]*lyingMachine
	unclamped bool // goes on with the chain behind the claimed block
}

// blockOf is the block with an output; 0 if there is none.
func (w *world) blockOf(output common.Hash) uint64 {
	for n := range w.L2 {
		if w.Output(uint64(n)) == output {
			return uint64(n)
		}
	}
	return 0
}

// block is the one at a position of the upper half.
func (l *lies) block(pos types.Position) uint64 {
	n := l.m.anchor + 1 + pos.TraceIndex(splitDepth).Uint64()
	if l.unclamped { // the game's local data 4
		return n
	}
	return min(n, l.m.claimed)
}

func (l *lies) at(n uint64) common.Hash {
	switch {
	case n < l.from && n <= l.m.w.safe:
		return l.m.w.Output(n)
	case n == l.m.claimed && l.root != (common.Hash{}):
		return l.root
	case n == l.from:
		return l.output
	}
	return crypto.Keccak256Hash(l.salt, common.BigToHash(new(big.Int).SetUint64(n)).Bytes())
}

func (l *lies) Get(_ context.Context, pos types.Position) (common.Hash, error) {
	return l.at(l.block(pos)), nil
}

var errNotHere = errors.New("nothing to execute in the upper half")

func (l *lies) GetStepData(context.Context, types.Position) ([]byte, []byte, *types.PreimageOracleData, error) {
	return nil, nil, nil, errNotHere
}

func (l *lies) AbsolutePreStateCommitment(context.Context) (common.Hash, error) {
	return l.m.w.Output(l.m.anchor), nil
}

func (l *lies) GetL2BlockNumberChallenge(context.Context) (*types.InvalidL2BlockNumberChallenge, error) {
	return nil, types.ErrL2BlockNumberValid
}

// lower makes the machine between two outputs.
func (l *lies) lower(_ context.Context, depth types.Depth, pre, post types.Claim) (types.TraceProvider, error) {
	agreed := l.m.w.Output(l.m.anchor)
	if pre != (types.Claim{}) {
		agreed = pre.Value
	}
	id := split.CreateLocalContext(pre, post)
	if v := l.machines[id]; v != nil {
		return v, nil
	}
	v := &lyingMachine{depth: depth, salt: append(bytes.Clone(l.salt), id[:]...), end: 1 << depth}
	claimed := l.m.claimed
	if l.unclamped {
		claimed = l.block(post.Position)
	}
	if t, err := l.m.trace(agreed, post.Value, l.m.w.blockOf(agreed), claimed); err == nil {
		v.honest = &steps{t, depth}
		v.from = l.diverges(t.Len(), 1<<depth)
		v.end = max(t.Len(), v.from+1)
		if v.from == 1<<depth {
			v.end = v.from
		}
	}
	l.machines[id] = v
	return v, nil
}

// lyingMachine is a trace that is right below position from. The wrong end is the opposite one.
type lyingMachine struct {
	depth     types.Depth
	honest    *steps
	salt      []byte
	from, end uint64
}

func (v *lyingMachine) Get(ctx context.Context, pos types.Position) (common.Hash, error) {
	i := pos.TraceIndex(v.depth).Uint64()
	if v.honest != nil && i < v.from {
		return v.honest.Get(ctx, pos)
	}
	if i+1 >= v.end {
		s := machine.State{Status: machine.Invalid}
		if v.honest == nil || v.honest.Final().Status == machine.Invalid {
			s.Status = machine.Valid
		}
		return s.Claim(), nil
	}
	h := crypto.Keccak256Hash(v.salt, pos.TraceIndex(v.depth).Bytes())
	h[0] = byte(machine.Unfinished)
	return h, nil
}

func (v *lyingMachine) GetStepData(ctx context.Context, pos types.Position) ([]byte, []byte, *types.PreimageOracleData, error) {
	if v.honest == nil {
		return make([]byte, machine.StateBytes), nil, nil, nil
	}
	return v.honest.GetStepData(ctx, pos)
}

func (v *lyingMachine) AbsolutePreStateCommitment(context.Context) (common.Hash, error) {
	p := machine.Prestate()
	return p.Claim(), nil
}

func (v *lyingMachine) GetL2BlockNumberChallenge(context.Context) (*types.InvalidL2BlockNumberChallenge, error) {
	return nil, types.ErrL2BlockNumberValid
}

// liar plays by the same rules with other values: about block from and what is behind it.
func (m *match) liar(seed string, from uint64, output, root common.Hash, diverges func(length, positions uint64) uint64) *player {
	l := &lies{
		m: m, salt: []byte(seed), from: from, output: output, root: root, diverges: diverges,
		machines: map[common.Hash]*lyingMachine{},
	}
	return m.player(liar, trace.NewAccessor(split.NewSplitProviderSelector(l, splitDepth, l.lower)))
}

// noise is a player without a plan: it counters whatever is there with whatever it can think of.
type noise struct {
	*match
	rnd       *rand.Rand
	values    []types.TraceAccessor // whose values it repeats at times
	moves     int                   // left
	attempts  int                   // of steps, left
	attempted int
}

func (n *noise) act() (made int) {
	n.t.Helper()
	for range 1 + n.rnd.IntN(4) {
		if n.moves == 0 {
			break
		}
		n.moves--
		claim := n.claims[n.rnd.IntN(len(n.claims))]
		if k := len(n.claims) - 1 - n.rnd.IntN(min(6, len(n.claims))); n.rnd.IntN(3) > 0 {
			claim = n.claims[k] // the latest are the deepest
		}
		if claim.Depth() == n.depth {
			continue
		}
		attack := n.rnd.IntN(2) == 0
		pos := claim.Attack()
		if !attack {
			pos = claim.Defend()
		}
		value := anyHash(n.rnd)
		value[0] = byte([]machine.Status{machine.Valid, machine.Invalid, 2, machine.Unfinished}[n.rnd.IntN(4)])
		if n.rnd.IntN(3) == 0 {
			if v, err := n.values[n.rnd.IntN(len(n.values))].Get(background, n.state(), claim, pos); err == nil {
				value = v
			}
		}
		if err := n.move(liar, claim, value, attack); err != nil {
			require.True(n.t, refused(err), "%v", err)
			continue
		}
		made++
	}
	n.read()
	for _, c := range n.claims {
		if c.Claimant == honest && c.Depth() == n.depth && n.attempts > 0 && n.rnd.IntN(2) == 0 {
			n.attempts--
			n.refuted(c)
		}
	}
	return made
}

// refuted attacks and defends an honest claim at the bottom with the right data and with wrong data, which must fail.
func (n *noise) refuted(c types.Claim) {
	n.t.Helper()
	for _, attack := range []bool{true, false} {
		pos := c.Position
		if !attack {
			pos = pos.MoveRight()
		}
		state, witness, _, err := n.values[0].GetStepData(background, n.match.state(), c, pos)
		if err != nil {
			continue
		}
		for _, w := range [][]byte{witness, spoiled(n.rnd, witness)} {
			err := n.step(liar, c, attack, state, w)
			require.Error(n.t, err, "a step counters the honest claim %d at %s, attack %v", c.ContractIndex, c.Position, attack)
			require.True(n.t, refused(err), "%v", err)
			n.attempted++
		}
	}
}

func spoiled(rnd *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) == 0 || rnd.IntN(5) == 0 {
		return append(b, byte(rnd.Uint32()))
	}
	if i := rnd.IntN(len(b)); rnd.IntN(4) == 0 {
		return b[:i]
	} else {
		b[i] ^= 1 << rnd.IntN(8)
	}
	return b
}

// play lets the dishonest players and the honest one move in turn until nobody does.
func (m *match) play(h *player, dishonest ...interface{ act() int }) {
	m.t.Helper()
	for round := 0; ; round++ {
		require.Less(m.t, round, 150, "the game does not end")
		made := 0
		for _, d := range dishonest {
			made += d.act()
		}
		m.wait(6)
		made += h.act()
		m.wait(6)
		if made > 0 {
			continue
		}
		idle := true
		for _, d := range dishonest {
			if n, ok := d.(*noise); ok && n.moves > 0 {
				idle = false
			}
		}
		if idle {
			return
		}
	}
}
