package challenger

import (
	"bytes"
	"context"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	gameTypes "github.com/ethereum-optimism/optimism/op-challenger/game/types"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func countingInputs(disputed common.Hash) TraceInputs {
	return TraceInputs{L1Head: common.Hash{9}, Agreed: outputRoot(3), Disputed: disputed, AgreedBlock: 3, ClaimedBlock: 6, ChainID: l2ChainID}
}

func TestStepProviderFollowsPositions(t *testing.T) {
	ctx := t.Context()
	prover := countingProver{vmSteps}
	tr, err := prover.NewTrace(ctx, countingInputs(common.Hash{1}))
	require.NoError(t, err)
	p, err := newStepProvider(ctx, tr, 5, prover.AbsolutePrestate(), new(preparations))
	require.NoError(t, err)
	at := func(depth types.Depth, index int64) types.Position {
		return types.NewPosition(depth, big.NewInt(index))
	}

	// The root of the lower half is the trace's end, which is the last leaf too.
	root, err := p.Get(ctx, types.RootPosition)
	require.NoError(t, err)
	last, err := p.Get(ctx, at(5, 31))
	require.NoError(t, err)
	require.Equal(t, last, root)
	require.Equal(t, StatusInvalid, root[0], "the disputed root is wrong")
	first, err := p.Get(ctx, at(5, 0))
	require.NoError(t, err)
	require.Equal(t, StatusUnfinished, first[0])

	state, witness, local, err := p.GetStepData(ctx, at(5, 0))
	require.NoError(t, err)
	require.Equal(t, countingState{Steps: vmSteps}.encode(), state)
	require.Equal(t, opening(3), witness)
	require.True(t, local.IsLocal, "the first step reads local data")
	_, witness, local, err = p.GetStepData(ctx, at(5, 7))
	require.NoError(t, err)
	require.Empty(t, witness)
	require.Nil(t, local)

	_, err = p.Get(ctx, at(6, 0))
	require.ErrorIs(t, err, ErrTrace, "deeper than the game")
	_, err = newStepProvider(ctx, tr, 4, prover.AbsolutePrestate(), new(preparations))
	require.ErrorIs(t, err, ErrTraceTooLong, "20 steps do not fit 16 positions")
}

// badTrace has another state than its hashes say.
type badTrace struct{ Trace }

func (b badTrace) StepData(context.Context, uint64) ([]byte, []byte, error) {
	return []byte("x"), nil, nil
}

func TestStepProviderChecksPreimages(t *testing.T) {
	tr, err := countingProver{vmSteps}.NewTrace(t.Context(), countingInputs(outputRoot(4)))
	require.NoError(t, err)
	p := &stepProvider{trace: badTrace{tr}, depth: 5, prestate: countingProver{vmSteps}.AbsolutePrestate()}
	for _, i := range []int64{0, 3} {
		_, _, _, err = p.GetStepData(t.Context(), types.NewPosition(5, big.NewInt(i)))
		require.ErrorIs(t, err, ErrTrace)
	}
}

func TestProofHead(t *testing.T) {
	require.EqualValues(t, 90, proofHead(100, 10))
	require.EqualValues(t, 0, proofHead(10, 10))
	require.EqualValues(t, 0, proofHead(3, 10), "L1 is younger than the window")
}

func TestForecast(t *testing.T) {
	claim := func(i, parent int) types.Claim { return types.Claim{ContractIndex: i, ParentContractIndex: parent} }
	root := claim(0, math.MaxUint32)
	stepped := claim(2, 1)
	stepped.CounteredBy = common.Address{1}
	for name, c := range map[string]struct {
		claims     []types.Claim
		challenged bool
		want       gameTypes.GameStatus
	}{
		"alone":                     {[]types.Claim{root}, false, gameTypes.GameStatusDefenderWon},
		"attacked":                  {[]types.Claim{root, claim(1, 0)}, false, gameTypes.GameStatusChallengerWon},
		"defended":                  {[]types.Claim{root, claim(1, 0), claim(2, 1)}, false, gameTypes.GameStatusDefenderWon},
		"one of two attacks stands": {[]types.Claim{root, claim(1, 0), claim(2, 1), claim(3, 0)}, false, gameTypes.GameStatusChallengerWon},
		"defence stepped against":   {[]types.Claim{root, claim(1, 0), stepped}, false, gameTypes.GameStatusChallengerWon},
		"number disproved":          {[]types.Claim{root, claim(1, 0), claim(2, 1)}, true, gameTypes.GameStatusChallengerWon},
	} {
		require.Equal(t, c.want, forecast(c.claims, c.challenged), name)
	}
}

// value reads a metric without labels, or of one set of labels.
func value(t *testing.T, c prometheus.Collector) float64 {
	r := prometheus.NewPedanticRegistry()
	require.NoError(t, r.Register(c))
	f, err := r.Gather()
	require.NoError(t, err)
	m := f[0].GetMetric()[0]
	return m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

func TestWatchRaisesAlarms(t *testing.T) {
	m := NewMetrics()
	w := newWatch(log.NewLogger(log.DiscardHandler()), m)
	game, start := common.Address{7}, time.Unix(1000, 0)
	o := observation{agree: false, outcome: gameTypes.GameStatusDefenderWon, patience: time.Minute}
	w.observe(game, o, start)
	require.Zero(t, value(t, m.losing), "there is time to act")
	require.EqualValues(t, 1, value(t, m.games.WithLabelValues("disagree", "defender_ahead")))
	w.observe(game, o, start.Add(61*time.Second))
	require.EqualValues(t, 1, value(t, m.losing))
	o.outcome = gameTypes.GameStatusChallengerWon
	w.observe(game, o, start.Add(62*time.Second))
	require.Zero(t, value(t, m.losing))

	o.outcome, o.resolved = gameTypes.GameStatusDefenderWon, true
	w.observe(game, o, start.Add(63*time.Second))
	w.observe(game, o, start.Add(64*time.Second))
	require.EqualValues(t, 1, value(t, m.lost), "counted once")

	w.refuse(common.Address{8}, ErrSafeDB)
	require.EqualValues(t, 1, value(t, m.unplayable))
	require.NotEmpty(t, w.refused())
	w.keep([]gameTypes.GameMetadata{{Proxy: game}})
	require.Zero(t, value(t, m.unplayable))
	require.Empty(t, w.refused())
}

func TestListsAndSteps(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	svc, err := s.service()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, svc.Stop(context.Background())) })
	right, wrong := s.propose(s.honest, outputRoot(4), 4), s.propose(s.liar, common.Hash{5}, 5)
	var out bytes.Buffer
	require.NoError(t, ListGames(t.Context(), &out, s.log, svc.m, svc.clients, s.endpoints.Factory, 0, time.Hour))
	require.Regexp(t, right.Hex()+`.* 0–4 .*In Progress  right`, out.String())
	require.Regexp(t, wrong.Hex()+`.* 0–5 .*In Progress  wrong`, out.String())
	out.Reset()
	require.NoError(t, ListClaims(t.Context(), &out, s.log, svc.m, svc.clients, wrong))
	require.Regexp(t, `0 .*root .*block 5 .*`+common.Hash{5}.Hex(), out.String())

	// Every step on L1, as a game sees it and without a game.
	prover := countingProver{vmSteps}
	for _, d := range []Dispute{{Block: 5}, {Block: 5, Game: &wrong}, {Block: 3, Disputed: common.Hash{1}}} {
		tr, in, err := svc.clients.Trace(t.Context(), s.log, svc.m, prover, d)
		require.NoError(t, err)
		for i := range uint64(vmSteps + 2) {
			r, err := svc.clients.VerifyStep(t.Context(), svc.m, s.endpoints.Factory, 0, tr, in, prover, i)
			require.NoError(t, err, "step %d", i)
			require.Equal(t, s.vm, r.Verifier)
		}
		out.Reset()
		require.NoError(t, PrintTrace(t.Context(), &out, tr, in, 0, 0))
		if d.Disputed == (common.Hash{}) {
			require.Contains(t, out.String(), ": valid")
		} else {
			require.Contains(t, out.String(), ": invalid")
		}
	}
	// A trace that says something else is found out.
	tr, in, err := svc.clients.Trace(t.Context(), s.log, svc.m, prover, Dispute{Block: 5})
	require.NoError(t, err)
	in.Disputed = common.Hash{3} // the verifier reads another disputed root than the trace is about
	_, err = svc.clients.VerifyStep(t.Context(), svc.m, s.endpoints.Factory, 0, tr, in, prover, 0)
	require.ErrorIs(t, err, ErrStepDiffers)
}

// A receipt of several transactions' size ends up in OriginLeaves, once.
func TestLargeLeafIsStored(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	if _, err := s.arts.Own("OriginLeaves"); err != nil {
		t.Skipf("needs compiled contracts: %v", err)
	}
	svc, err := s.service()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, svc.Stop(context.Background())) })
	at := batching.NewBoundContract(leavesABI, s.create(s.arts.Own, "OriginLeaves"))
	store := &leafStore{log: s.log, caller: svc.clients.Caller}
	leaf := bytes.Repeat([]byte("a large receipt "), 6_000)
	sent := 0
	send := func(purpose string, txs ...txmgr.TxCandidate) error {
		sent += len(txs)
		return svc.board.sender().SendAndWaitSimple(purpose, txs...)
	}
	require.NoError(t, store.storeIn(t.Context(), at, send, leaf))
	require.Greater(t, sent, 1)
	out, err := svc.clients.Caller.SingleCall(t.Context(), rpcblock.Latest, at.Call("leaf", [32]byte(crypto.Keccak256(leaf))))
	require.NoError(t, err)
	require.EqualValues(t, len(leaf), out.GetUint64(1))
	before := sent
	require.NoError(t, store.storeIn(t.Context(), at, send, leaf))
	require.Equal(t, before, sent, "it is known")
}
