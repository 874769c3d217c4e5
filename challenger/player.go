package challenger

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/contracts"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/responder"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace/outputs"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace/split"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace/utils"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	"github.com/ethereum-optimism/optimism/op-challenger/game/generic"
	"github.com/ethereum-optimism/optimism/op-challenger/game/scheduler"
	gameTypes "github.com/ethereum-optimism/optimism/op-challenger/game/types"
	"github.com/ethereum-optimism/optimism/op-service/clock"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum/go-ethereum/common"
	gethtypes "github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
)

// L1Source is what the challenger asks of L1 apart from contracts.
type L1Source interface {
	BlockRefByHash(ctx context.Context, hash common.Hash) (eth.BlockRef, error)
	BlockRefByLabel(ctx context.Context, label eth.BlockLabel) (eth.BlockRef, error)
}

// L2Headers are headers of the chain's engine, for challengeRootL2Block.
type L2Headers interface {
	HeaderByNumber(ctx context.Context, number *big.Int) (*gethtypes.Header, error)
}

// board is what every game is played with.
type board struct {
	log      log.Logger
	m        *Metrics
	caller   *batching.MultiCaller
	l1       L1Source
	rollup   RollupClient
	l2       L2Headers
	prover   Prover
	window   uint64 // L1 blocks between a game's L1 head and its proof head
	chainID  uint64 // of L2
	l1Clock  types.ClockReader
	sync     gameTypes.SyncValidator
	watch    *watch
	sender   func() fault.TxSender // one for each game; nil if only looked at
	claimers []common.Address      // whose bonds are claimed
}

// game is a game's contract and the outputs that it is about.
type game struct {
	addr       common.Address
	contract   contracts.FaultDisputeGameContract
	first      uint64 // L2 block of the starting root
	claimed    uint64 // L2 block of the root claim
	root       common.Hash
	l1Head     eth.BlockRef
	proofHead  uint64
	splitDepth types.Depth
	maxDepth   types.Depth
	outputs    *outputs.OutputTraceProvider
	starting   types.PrestateProvider
}

// open reads what does not change about a game.
func (b *board) open(ctx context.Context, addr common.Address) (*game, error) {
	contract, err := contracts.NewFaultDisputeGameContract(ctx, b.m, addr, b.caller)
	if err != nil {
		return nil, fmt.Errorf("game %s: %w", addr, err)
	}
	g := &game{addr: addr, contract: contract}
	fail := func(what string, err error) (*game, error) {
		return nil, fmt.Errorf("game %s: %s: %w", addr, what, err)
	}
	if g.first, g.claimed, err = contract.GetGameRange(ctx); err != nil {
		return fail("block range", err)
	}
	if g.splitDepth, err = contract.GetSplitDepth(ctx); err != nil {
		return fail("split depth", err)
	}
	if g.maxDepth, err = contract.GetMaxGameDepth(ctx); err != nil {
		return fail("maximum depth", err)
	}
	meta, err := contract.GetMetadata(ctx, rpcblock.Latest)
	if err != nil {
		return fail("metadata", err)
	}
	g.root = meta.ProposedRoot
	if g.l1Head, err = b.l1.BlockRefByHash(ctx, meta.L1Head); err != nil {
		return fail("L1 head "+meta.L1Head.Hex(), err)
	}
	g.proofHead = proofHead(g.l1Head.Number, b.window)
	g.starting = outputs.NewPrestateProvider(b.rollup, g.first)
	// The provider clamps to the safe head at this L1 block's number, and uses nothing else of it.
	g.outputs = outputs.NewTraceProvider(b.log, g.starting, b.rollup, b.l2, eth.BlockID{Number: g.proofHead}, g.splitDepth, g.first, g.claimed)
	return g, nil
}

// trace lays out the micro-steps between two output roots of a game.
func (b *board) trace(ctx context.Context, g *game, agreed, disputed utils.Proposal) (Trace, error) {
	began := time.Now()
	t, err := b.prover.NewTrace(ctx, TraceInputs{
		Game: g.addr, L1Head: g.l1Head.Hash, Agreed: agreed.OutputRoot, Disputed: disputed.OutputRoot,
		AgreedBlock: agreed.L2BlockNumber.Uint64(), ClaimedBlock: g.claimed, ChainID: b.chainID,
	})
	if err != nil {
		return nil, fmt.Errorf("prove block %v: %w", new(big.Int).Add(agreed.L2BlockNumber, common.Big1), err)
	}
	n, err := t.Len(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.compare(ctx, g, t, n, agreed, disputed); err != nil {
		b.log.Error("Machine and node disagree: no move is made on this block", "alert", "unplayable", "game", g.addr, "err", err)
		return nil, err
	}
	b.m.proveSeconds.Observe(time.Since(began).Seconds())
	b.m.traceLength.Set(float64(n))
	b.log.Info("Block is laid out", "game", g.addr, "block", agreed.L2BlockNumber.Uint64()+1, "steps", n, "agreed", agreed.OutputRoot,
		"disputed", disputed.OutputRoot, "took", time.Since(began))
	return t, nil
}

// ErrDisagree says that the machine's verdict on a block is not the rollup node's. One of them is wrong, and a move would put
// a bond on whichever the game does not follow.
var ErrDisagree = errors.New("machine and rollup node disagree")

// compare checks a trace's verdict against what the node derives up to the proof head.
func (b *board) compare(ctx context.Context, g *game, t Trace, steps uint64, agreed, disputed utils.Proposal) error {
	end, err := t.StateHash(ctx, steps-1)
	if err != nil {
		return err
	}
	safe, err := safeHead(ctx, b.rollup, g.proofHead)
	if err != nil {
		return err
	}
	block, expected := agreed.L2BlockNumber.Uint64()+1, agreed.OutputRoot
	if block <= min(g.claimed, safe.Number) {
		out, err := b.rollup.OutputAtBlock(ctx, block)
		if err != nil {
			return fmt.Errorf("output of block %d: %w", block, err)
		}
		expected = common.Hash(out.OutputRoot)
	}
	if want := disputed.OutputRoot == expected; want != (end[0] == StatusValid) {
		return fmt.Errorf("%w: block %d, output root %s, node derives %s, machine ends with status %d", ErrDisagree, block, disputed.OutputRoot, expected, end[0])
	}
	return nil
}

// accessor returns the honest values of every position of a game.
func (b *board) accessor(g *game, queue *preparations, laidOut func(Trace)) *trace.Accessor {
	create := func(ctx context.Context, _ common.Hash, depth types.Depth, agreed, disputed utils.Proposal) (types.TraceProvider, error) {
		t, err := b.trace(ctx, g, agreed, disputed)
		if err != nil {
			return nil, err
		}
		laidOut(t)
		return newStepProvider(ctx, t, depth, b.prover.AbsolutePrestate(), queue)
	}
	cache := outputs.NewProviderCache(b.m, "agnt2_trace", create)
	return trace.NewAccessor(split.NewSplitProviderSelector(g.outputs, g.splitDepth, outputs.OutputRootSplitAdapter(g.outputs, cache.GetOrCreate)))
}

// agrees says whether this node derives the root claim, for the block that it claims, up to the proof head.
func (b *board) agrees(ctx context.Context, g *game) (bool, error) {
	safe, err := safeHead(ctx, b.rollup, g.proofHead)
	if err != nil {
		return false, err
	}
	if g.claimed > safe.Number {
		return false, nil
	}
	out, err := b.rollup.OutputAtBlock(ctx, g.claimed)
	if err != nil {
		return false, fmt.Errorf("output of block %d: %w", g.claimed, err)
	}
	return common.Hash(out.OutputRoot) == g.root, nil
}

// look is an observation of a game as it is.
func (b *board) look(ctx context.Context, g *game) (o observation, err error) {
	o.block, o.root = g.claimed, g.root
	if o.agree, err = b.agrees(ctx, g); err != nil {
		return o, err
	}
	status, err := g.contract.GetStatus(ctx)
	if err != nil {
		return o, err
	}
	if o.resolved = status != gameTypes.GameStatusInProgress; o.resolved {
		o.outcome = status
		return o, nil
	}
	clock, err := g.contract.GetMaxClockDuration(ctx)
	if err != nil {
		return o, err
	}
	o.patience = clock / 4
	challenged, err := g.contract.IsL2BlockNumberChallenged(ctx, rpcblock.Latest)
	if err != nil {
		return o, err
	}
	claims, err := g.contract.GetAllClaims(ctx, rpcblock.Latest)
	if err != nil {
		return o, err
	}
	o.outcome = forecast(claims, challenged)
	return o, nil
}

// machinePrestate is the state that every trace begins with.
type machinePrestate struct{ Prover }

func (p machinePrestate) AbsolutePreStateCommitment(context.Context) (common.Hash, error) {
	return p.AbsolutePrestate(), nil
}

// player plays one game, under watch.
type player struct {
	scheduler.GamePlayer
	b *board
	g *game
}

// errStale says that the node has not derived far enough to have an opinion; it passes.
var errStale = gameTypes.ErrNotInSync

// newPlayer begins or continues a game. ctx is the program's.
func (b *board) newPlayer(ctx context.Context, meta gameTypes.GameMetadata) (scheduler.GamePlayer, error) {
	g, err := b.open(ctx, meta.Proxy)
	if err != nil {
		return nil, err
	}
	lifetime := ctx
	actor := func(ctx context.Context, l log.Logger, _ eth.BlockID) (generic.Actor, error) {
		maxClock, err := g.contract.GetMaxClockDuration(ctx)
		if err != nil {
			return nil, fmt.Errorf("clock: %w", err)
		}
		vm, err := g.contract.Vm(ctx)
		if err != nil {
			return nil, fmt.Errorf("verifier: %w", err)
		}
		send, queue, leaves := b.sender(), new(preparations), &leafStore{log: l, caller: b.caller, verifier: vm.Addr()}
		// No oracle: every preimage is a marker of the queue, which needs no look-up.
		r, err := responder.NewFaultResponder(l, send, g.contract, &uploader{send, g.contract, queue, leaves}, nil)
		if err != nil {
			return nil, err
		}
		accessor := b.accessor(g, queue, func(t Trace) { go leaves.prepare(lifetime, send.SendAndWaitSimple, t) })
		return fault.NewAgent(b.m, clock.SystemClock, b.l1Clock, g.contract, g.maxDepth, maxClock, accessor, r, l, false, b.claimers, 0, 0), nil
	}
	inner, err := generic.NewGenericGamePlayer(ctx, b.log, g.addr, g.contract, b.sync, []generic.PrestateValidator{
		fault.NewPrestateValidator("machine", g.contract.GetAbsolutePrestateHash, machinePrestate{b.prover}),
		fault.NewPrestateValidator("output root", g.contract.GetStartingRootHash, g.starting),
	}, b.l1, actor)
	if err != nil {
		return nil, err
	}
	p := &player{GamePlayer: inner, b: b, g: g}
	if inner.Status() != gameTypes.GameStatusInProgress {
		p.observe(ctx) // it may have been lost while nobody was here; it is not progressed any more
	}
	return p, nil
}

// ValidatePrestate refuses games of another machine, and games that start from a root that this node does not derive.
func (p *player) ValidatePrestate(ctx context.Context) error {
	if p.Status() != gameTypes.GameStatusInProgress {
		return nil
	}
	err := p.GamePlayer.ValidatePrestate(ctx)
	if m, ok := p.b.prover.(Matcher); ok && err == nil {
		vm, verr := p.g.contract.Vm(ctx)
		if verr != nil {
			return fmt.Errorf("verifier of game %s: %w", p.g.addr, verr)
		}
		err = m.Match(ctx, vm.Addr())
	}
	if errors.Is(err, gameTypes.ErrInvalidPrestate) || errors.Is(err, ErrMachine) {
		p.b.watch.refuse(p.g.addr, err)
	}
	return err
}

// ProgressGame plays and resolves only with an opinion: op-challenger by itself resolves first, and without safe heads it
// would never have moved before.
func (p *player) ProgressGame(ctx context.Context) gameTypes.GameStatus {
	if _, err := safeHead(ctx, p.b.rollup, p.g.proofHead); err != nil {
		p.b.m.safeDBErrors.Inc()
		p.b.watch.refuse(p.g.addr, err)
		return p.Status()
	}
	status := p.GamePlayer.ProgressGame(ctx)
	p.observe(ctx)
	return status
}

func (p *player) observe(ctx context.Context) {
	if err := p.b.sync.ValidateNodeSynced(ctx, p.g.l1Head.ID()); err != nil {
		if !errors.Is(err, errStale) {
			p.b.log.Warn("No look at game", "game", p.g.addr, "err", err)
		}
		return
	}
	o, err := p.b.look(ctx, p.g)
	if err != nil {
		p.b.log.Warn("No look at game", "game", p.g.addr, "err", err)
		return
	}
	p.b.watch.observe(p.g.addr, o, p.b.l1Clock.Now())
}
