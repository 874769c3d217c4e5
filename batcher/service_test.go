package batcher

import (
	"context"
	"encoding/json"
	"math/big"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	opbatcher "github.com/ethereum-optimism/optimism/op-batcher/batcher"
	"github.com/ethereum-optimism/optimism/op-batcher/flags"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/agnt2/manifest/frames/framestest"
	"github.com/agnt2/agnt2/batcher/inboxtest"
	"github.com/agnt2/agnt2/da"
)

// sequencer answers op-batcher as the engine and the node of a chain do whose safe block the test sets.
type sequencer struct {
	t      *testing.T
	l1     *inboxtest.L1
	cfg    *rollup.Config
	blocks []*types.Block // from number 1
	safe   atomic.Uint64
	asked  atomic.Uint64 // times that the sync status was asked for
}

func (s *sequencer) ref(number uint64) eth.L2BlockRef {
	if number == 0 {
		return eth.L2BlockRef{Hash: s.cfg.Genesis.L2.Hash, Time: s.cfg.Genesis.L2Time, L1Origin: s.cfg.Genesis.L1}
	}
	b := s.blocks[number-1]
	return eth.L2BlockRef{Hash: b.Hash(), Number: number, ParentHash: b.ParentHash(), Time: b.Time(), L1Origin: s.cfg.Genesis.L1}
}

func (s *sequencer) answer(method string, params []json.RawMessage) (any, error) {
	switch method {
	case "optimism_rollupConfig":
		return s.cfg, nil
	case "optimism_syncStatus":
		s.asked.Add(1)
		head, err := s.l1.Client.HeaderByNumber(context.Background(), nil)
		if err != nil {
			return nil, err
		}
		ref := eth.InfoToL1BlockRef(eth.HeaderBlockInfo(head))
		safe := s.ref(s.safe.Load())
		return &eth.SyncStatus{
			CurrentL1: ref, HeadL1: ref, SafeL1: ref, FinalizedL1: ref, UnsafeL2: s.ref(uint64(len(s.blocks))), SafeL2: safe, LocalSafeL2: safe, FinalizedL2: safe,
		}, nil
	case "eth_getBlockByNumber":
		var number hexutil.Uint64
		if err := json.Unmarshal(params[0], &number); err != nil {
			return nil, err
		}
		b := s.blocks[number-1]
		raw, err := json.Marshal(b.Header())
		if err != nil {
			return nil, err
		}
		out := map[string]any{}
		if err := json.Unmarshal(raw, &out); err != nil {
			return nil, err
		}
		out["hash"], out["uncles"], out["transactions"] = b.Hash(), []common.Hash{}, b.Transactions()
		return out, nil
	}
	return nil, http.ErrNotSupported
}

func (s *sequencer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply := map[string]any{"jsonrpc": "2.0", "id": call.ID}
	if result, err := s.answer(call.Method, call.Params); err != nil {
		reply["error"] = map[string]any{"code": -32601, "message": err.Error()}
	} else {
		reply["result"] = result
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply)
}

// service is op-batcher, configured as for a chain of this project, but without waiting for the node.
func service(t *testing.T, l1, l2, daServer string) *opbatcher.BatcherService {
	var out *opbatcher.BatcherService
	app := cli.NewApp()
	app.Flags = flags.Flags
	app.Action = func(c *cli.Context) (err error) {
		cfg := opbatcher.NewConfig(c)
		if err := cfg.Check(); err != nil {
			return err
		}
		out, err = newService(t.Context(), func(err error) { t.Error("op-batcher gives up: ", err) }, "test", cfg, log.Root(), 50*time.Millisecond)
		return err
	}
	require.NoError(t, app.Run([]string{"batcher", "--l1-eth-rpc", l1, "--l2-eth-rpc", l2, "--rollup-rpc", l2,
		"--private-key", common.Bytes2Hex(crypto.FromECDSA(inboxtest.BatcherKey)),
		"--altda.enabled", "--altda.da-service", "--altda.da-server", daServer, "--altda.verify-on-read=false", "--altda.max-concurrent-da-requests", "1",
		"--data-availability-type", "calldata", "--batch-type", "1", "--max-channel-duration", "1", "--sub-safety-margin", "4",
		"--max-l1-tx-size-bytes", "1000", "--target-num-frames", "1", "--throttle.unsafe-da-bytes-lower-threshold", "0",
		"--poll-interval", "100ms", "--num-confirmations", "1", "--txmgr.receipt-query-interval", "50ms", "--max-pending-tx", "8", "--rpc.port", strconv.Itoa(0)}))
	return out
}

// A batcher that was killed between its SEAL and the node's reading of it: the real op-batcher offers blocks that LayerRoot
// has. It must neither hang nor leave a gap.
func TestBatcherContinuesBehindWhatIsOnL1(t *testing.T) {
	l1 := inboxtest.Start(t)
	cfg := framestest.Config()
	cfg.L1ChainID = l1.ChainID
	cfg.BatchInboxAddress, cfg.DepositContractAddress = l1.Inbox, common.Address{1}
	cfg.Genesis.L1.Hash, cfg.Genesis.L2.Hash = common.Hash{1}, common.Hash{2}
	cfg.Genesis.SystemConfig = eth.SystemConfig{BatcherAddr: inboxtest.Batcher, Scalar: eth.Bytes32{1}, GasLimit: 30_000_000}
	cfg.AltDAConfig = &rollup.AltDAConfig{CommitmentType: "GenericCommitment", DAChallengeWindow: 5, DAResolveWindow: 5}

	rng := rand.New(rand.NewSource(1))
	var txs [][]*types.Transaction
	for range 12 {
		txs = append(txs, framestest.Txs(rng, 2, 400))
	}
	seq := &sequencer{t: t, l1: l1, cfg: cfg, blocks: framestest.BlocksOn(t, rng, 1, &l1.Origin, txs...)}
	seq.safe.Store(3)
	rpc := httptest.NewServer(seq)
	defer rpc.Close()
	daCfg := da.DefaultConfig()
	daCfg.Addr, daCfg.DataDir, daCfg.Chain = "127.0.0.1:0", t.TempDir(), framestest.Chain()
	server, err := da.New(daCfg)
	require.NoError(t, err)
	defer server.Close()

	// The run before: up to block 8, which the node has not derived.
	l1.Receipt(l1.Send(inboxtest.BatcherKey, &l1.Inbox, l1.OnOrigin(seal("the run before", 0, 1, 8)), 0, 1_000_000))
	require.Equal(t, uint64(8), lastBlock(t, l1))
	l1.MineEvery(1)

	s := service(t, l1.URL, rpc.URL, "http://"+server.Addr())
	require.NoError(t, s.Start(t.Context()))
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	}()
	// Several resyncs, in which nothing is accepted: the node still says 3.
	before := seq.asked.Load()
	require.Eventually(t, func() bool { return seq.asked.Load() > before+20 }, 20*time.Second, 20*time.Millisecond)
	require.Equal(t, uint64(8), lastBlock(t, l1))
	// The node has read L1.
	seq.safe.Store(8)
	require.Eventually(t, func() bool { return lastBlock(t, l1) == 12 }, 25*time.Second, 50*time.Millisecond)

	next := uint64(1)
	for i := range count(t, l1) {
		first, last := submission(t, l1, i)
		require.Equal(t, next, first, "submission %d", i)
		next = last + 1
	}
	require.Equal(t, uint64(13), next)
}

func count(t *testing.T, l1 *inboxtest.L1) uint64 {
	return view(t, l1, "submissionCount")[0].(*big.Int).Uint64()
}

func submission(t *testing.T, l1 *inboxtest.L1, index uint64) (first, last uint64) {
	raw, err := json.Marshal(view(t, l1, "submissions", new(big.Int).SetUint64(index))[0])
	require.NoError(t, err)
	var s struct {
		FirstBlock uint64 `json:"firstBlock"`
		LastBlock  uint64 `json:"lastBlock"`
	}
	require.NoError(t, json.Unmarshal(raw, &s))
	return s.FirstBlock, s.LastBlock
}
