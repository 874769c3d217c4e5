package simulation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	altda "github.com/ethereum-optimism/optimism/op-alt-da"
	"github.com/ethereum-optimism/optimism/op-node/metrics"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	agnt2engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/engineapi"
)

// replica is an engine that op-node's derivation pipeline drives from L1 alone, beside the sequencer. What the sequencer
// tells it are only the headers that it has to arrive at.
type replica struct {
	cfg      *rollup.Config
	l1       *l1Chain
	node     *agnt2engine.Node
	api      *engineapi.API
	pipeline *derive.DerivationPipeline
	safe     eth.L2BlockRef

	mu      sync.Mutex
	more    *sync.Cond
	news    bool
	closed  bool
	want    []*types.Header // from block 1 on
	err     error
	done    chan struct{}
	derived int // transactions
}

func newReplica(t *testing.T, p *population) *replica {
	quiet := log.NewLogger(log.DiscardHandler())
	n, err := agnt2engine.New(agnt2engine.Config{Genesis: p.genesis, DataDir: t.TempDir(), CacheBytes: 256 << 20, HistoryBlocks: 16, DisableMetrics: true, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{cfg: p.rollup, l1: p.l1, node: n, api: n.Engine(), safe: p.ref, done: make(chan struct{})}
	r.more = sync.NewCond(&r.mu)
	r.pipeline = derive.NewDerivationPipeline(quiet, p.rollup, nil, p.l1, p.l1, noAltDA{}, r, metrics.NoopMetrics, false, l1Config)
	go func() {
		defer close(r.done)
		err := r.run()
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
	}()
	t.Cleanup(func() {
		r.finish()
		n.Close()
	})
	return r
}

// wake says that L1 has a new block.
func (r *replica) wake() {
	r.mu.Lock()
	r.news = true
	r.mu.Unlock()
	r.more.Signal()
}

// expect names the next header.
func (r *replica) expect(h *types.Header) {
	r.mu.Lock()
	r.want = append(r.want, h)
	r.mu.Unlock()
}

// failed is what has gone wrong so far.
func (r *replica) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// finish waits until all of L1 is derived.
func (r *replica) finish() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.more.Signal()
	<-r.done
	return r.failed()
}

func (r *replica) run() error {
	ctx := context.Background()
	for {
		attrs, err := r.pipeline.Step(ctx, r.safe)
		switch {
		case attrs != nil:
			if err := r.execute(ctx, attrs.Attributes); err != nil {
				return fmt.Errorf("block %d: %w", r.safe.Number+1, err)
			}
		case err == nil, errors.Is(err, derive.NotEnoughData):
		case errors.Is(err, derive.ErrEngineResetReq):
			r.pipeline.ConfirmEngineReset()
		case errors.Is(err, io.EOF):
			if origin := r.pipeline.Origin().Number; origin > 60 {
				r.l1.drop(origin - 60)
			}
			r.mu.Lock()
			for !r.news && !r.closed {
				r.more.Wait()
			}
			stop := !r.news
			r.news = false
			r.mu.Unlock()
			if stop {
				return nil
			}
		default:
			return err
		}
	}
}

// execute lets the engine build the block that attributes describe, as op-node does, and compares it.
func (r *replica) execute(ctx context.Context, a *eth.PayloadAttributes) error {
	txs := make([][]byte, len(a.Transactions))
	for i, tx := range a.Transactions {
		txs[i] = tx
	}
	limit := uint64(*a.GasLimit)
	finalized := r.cfg.Genesis.L2.Hash
	at := engine.ForkchoiceStateV1{HeadBlockHash: r.safe.Hash, SafeBlockHash: r.safe.Hash, FinalizedBlockHash: finalized}
	f, err := r.api.ForkchoiceUpdatedV3(ctx, at, &engine.PayloadAttributes{
		Timestamp: uint64(a.Timestamp), Random: common.Hash(a.PrevRandao), SuggestedFeeRecipient: a.SuggestedFeeRecipient, Withdrawals: *a.Withdrawals,
		BeaconRoot: a.ParentBeaconBlockRoot, Transactions: txs, NoTxPool: true, GasLimit: &limit, EIP1559Params: a.EIP1559Params[:],
	})
	if err != nil {
		return err
	}
	if f.PayloadStatus.Status != engine.VALID || f.PayloadID == nil {
		return fmt.Errorf("forkchoice answered %s without a payload", f.PayloadStatus.Status)
	}
	env, err := r.api.GetPayloadV4(*f.PayloadID)
	if err != nil {
		return err
	}
	got := env.ExecutionPayload
	r.mu.Lock()
	known := uint64(len(r.want)) >= got.Number
	var want *types.Header
	if known {
		want = r.want[got.Number-1]
	}
	r.mu.Unlock()
	switch {
	case !known:
		return errors.New("derived before it was sequenced")
	case got.StateRoot != want.Root:
		return fmt.Errorf("state root %s, the model's is %s", got.StateRoot, want.Root)
	case *got.WithdrawalsRoot != *want.WithdrawalsHash:
		return fmt.Errorf("withdrawals root %s, the model's is %s", got.WithdrawalsRoot, want.WithdrawalsHash)
	case got.BlockHash != want.Hash():
		return fmt.Errorf("block hash %s, the sequencer's is %s", got.BlockHash, want.Hash())
	}
	s, err := r.api.NewPayloadV4(ctx, *got, []common.Hash{}, a.ParentBeaconBlockRoot, []hexutil.Bytes{})
	if err != nil {
		return err
	}
	if s.Status != engine.VALID {
		return fmt.Errorf("own payload is %s", s.Status)
	}
	b := r.node.Chain().BlockByHash(got.BlockHash)
	if r.safe, err = derive.L2BlockToBlockRef(r.cfg, b); err != nil {
		return err
	}
	r.derived += len(txs)
	at.HeadBlockHash, at.SafeBlockHash = got.BlockHash, got.BlockHash
	f, err = r.api.ForkchoiceUpdatedV3(ctx, at, nil)
	if err == nil && f.PayloadStatus.Status != engine.VALID {
		err = fmt.Errorf("forkchoice answered %s", f.PayloadStatus.Status)
	}
	return err
}

// What the pipeline asks of L2: the engine's own chain.

func (r *replica) ref(b *types.Block) (eth.L2BlockRef, error) {
	if b == nil {
		return eth.L2BlockRef{}, errors.New("unknown block")
	}
	if b.NumberU64() == 0 {
		return eth.L2BlockRef{Hash: b.Hash(), Time: b.Time(), L1Origin: r.cfg.Genesis.L1}, nil
	}
	return derive.L2BlockToBlockRef(r.cfg, b)
}

func (r *replica) byNumber(n uint64) *types.Block {
	c := r.node.Chain()
	h := c.HeaderByNumber(rpc.BlockNumber(n))
	if h == nil {
		return nil
	}
	return c.BlockByHash(h.Hash())
}

func (r *replica) payload(b *types.Block) (*eth.ExecutionPayloadEnvelope, error) {
	if b == nil {
		return nil, errors.New("unknown block")
	}
	return eth.BlockAsPayloadEnv(b, r.node.Chain().Config())
}

func (r *replica) PayloadByHash(_ context.Context, hash common.Hash) (*eth.ExecutionPayloadEnvelope, error) {
	return r.payload(r.node.Chain().BlockByHash(hash))
}

func (r *replica) PayloadByNumber(_ context.Context, n uint64) (*eth.ExecutionPayloadEnvelope, error) {
	return r.payload(r.byNumber(n))
}

func (r *replica) L2BlockRefByLabel(context.Context, eth.BlockLabel) (eth.L2BlockRef, error) {
	return r.safe, nil
}

func (r *replica) L2BlockRefByHash(_ context.Context, hash common.Hash) (eth.L2BlockRef, error) {
	return r.ref(r.node.Chain().BlockByHash(hash))
}

func (r *replica) L2BlockRefByNumber(_ context.Context, n uint64) (eth.L2BlockRef, error) {
	return r.ref(r.byNumber(n))
}

// SystemConfigByL2Hash reads it from the block's L1-attributes deposit, which is all of the body that matters for it.
func (r *replica) SystemConfigByL2Hash(_ context.Context, hash common.Hash) (eth.SystemConfig, error) {
	b := r.node.Chain().BlockByHash(hash)
	if b == nil {
		return eth.SystemConfig{}, errors.New("unknown block")
	}
	head := b.WithBody(types.Body{Transactions: b.Transactions()[:min(1, len(b.Transactions()))], Withdrawals: types.Withdrawals{}})
	env, err := r.payload(head)
	if err != nil {
		return eth.SystemConfig{}, err
	}
	return derive.PayloadToSystemConfig(r.cfg, env.ExecutionPayload)
}

// noAltDA: frames are in the transactions themselves; the way over the DA server is da's and the devnet's to test.
type noAltDA struct{}

func (noAltDA) GetInput(context.Context, altda.L1Fetcher, altda.CommitmentData, eth.L1BlockRef) (eth.Data, error) {
	return nil, errors.New("no DA server")
}
func (noAltDA) AdvanceL1Origin(context.Context, altda.L1Fetcher, eth.BlockID) error { return nil }
func (noAltDA) Reset(context.Context, eth.L1BlockRef, eth.SystemConfig) error       { return io.EOF }
