// Package conformance_test holds an engine against op-node's own clients, over the authenticated port. It is apart from the
// engine's other tests because it compiles op-node's packages.
package conformance_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/client"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum-optimism/optimism/op-service/sources"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	gethnode "github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
)

// sequencer drives an engine as op-node does, with op-node's types and calls.
type sequencer struct {
	t       *testing.T
	node    *engine.Node
	cfg     *rollup.Config
	engine  *sources.EngineClient
	l2      *sources.L2Client // trusts nothing: recomputes every hash
	wallet  *ethclient.Client
	l1      *types.Header
	l1Chain *params.ChainConfig
	config  eth.SystemConfig
}

func newSequencer(t *testing.T, g *genesis.Genesis, auth string) *sequencer {
	secret := [32]byte{42}
	n, err := engine.New(engine.Config{
		Genesis: g, DataDir: t.TempDir(), CacheBytes: 32 << 20, HistoryBlocks: 64, AuthAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", JWTSecret: secret,
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Close() })

	zero := uint64(0)
	l1 := &types.Header{Number: big.NewInt(5), Time: uint64(g.Timestamp) - 20, BaseFee: big.NewInt(1e9), Difficulty: new(big.Int), GasLimit: 30e6}
	canyon := g.EIP1559Denominator
	config := eth.SystemConfig{
		BatcherAddr: enginetest.Address(9), GasLimit: uint64(g.GasLimit), Scalar: eth.EncodeScalar(eth.EcotoneScalars{BaseFeeScalar: 1368, BlobBaseFeeScalar: 810949}),
	}
	cfg := &rollup.Config{
		Genesis: rollup.Genesis{
			L1: eth.BlockID{Hash: l1.Hash(), Number: 5}, L2: eth.BlockID{Hash: g.Block().Hash()}, L2Time: uint64(g.Timestamp), SystemConfig: config,
		},
		BlockTime: 1, MaxSequencerDrift: 600, SeqWindowSize: 100, ChannelTimeoutBedrock: 50, L1ChainID: big.NewInt(900),
		L2ChainID: new(big.Int).SetUint64(g.ChainID), RegolithTime: &zero, CanyonTime: &zero, DeltaTime: &zero, EcotoneTime: &zero,
		FjordTime: &zero, GraniteTime: &zero, HoloceneTime: &zero, IsthmusTime: &zero, BatchInboxAddress: common.Address{1},
		DepositContractAddress: common.Address{2}, L1SystemConfigAddress: common.Address{3},
		ChainOpConfig: &params.OptimismConfig{EIP1559Elasticity: g.EIP1559Elasticity, EIP1559Denominator: g.EIP1559Denominator, EIP1559DenominatorCanyon: &canyon},
	}
	require.NoError(t, cfg.Check())

	c, err := rpc.DialOptions(context.Background(), auth+"://"+n.Addr("auth"), rpc.WithHTTPAuth(gethnode.NewJWTAuth(secret)))
	require.NoError(t, err)
	base := client.NewBaseRPCClient(c)
	t.Cleanup(base.Close)
	e, err := sources.NewEngineClient(base, log.Root(), nil, sources.EngineClientDefaultConfig(cfg))
	require.NoError(t, err)
	l2, err := sources.NewL2Client(base, log.Root(), nil, sources.L2ClientDefaultConfig(cfg, false))
	require.NoError(t, err)
	wallet, err := ethclient.Dial("http://" + n.Addr("http"))
	require.NoError(t, err)
	t.Cleanup(wallet.Close)
	return &sequencer{t: t, node: n, cfg: cfg, engine: e, l2: l2, wallet: wallet, l1: l1, l1Chain: params.MergedTestChainConfig, config: config}
}

// block sequences one block: attributes, forkchoice, getPayload, newPayload, forkchoice.
func (s *sequencer) block(noTxPool bool, forced ...*types.Transaction) *eth.ExecutionPayloadEnvelope {
	t, ctx := s.t, context.Background()
	parent, err := s.engine.L2BlockRefByLabel(ctx, eth.Unsafe)
	require.NoError(t, err)
	raw, err := derive.L1InfoDepositBytes(s.cfg, s.l1Chain, s.config, parent.SequenceNumber+1, eth.HeaderBlockInfo(s.l1), parent.Time+1)
	require.NoError(t, err)
	txs := []eth.Data{raw}
	for _, tx := range forced {
		b, err := tx.MarshalBinary()
		require.NoError(t, err)
		txs = append(txs, b)
	}
	limit, beacon := eth.Uint64Quantity(s.config.GasLimit), common.Hash{3}
	attrs := &eth.PayloadAttributes{
		Timestamp: eth.Uint64Quantity(parent.Time + 1), PrevRandao: eth.Bytes32{5}, SuggestedFeeRecipient: abi.SequencerFeeVault,
		Withdrawals: &types.Withdrawals{}, ParentBeaconBlockRoot: &beacon, Transactions: txs, NoTxPool: noTxPool, GasLimit: &limit,
		EIP1559Params: &eth.Bytes8{},
	}
	genesisHash := s.cfg.Genesis.L2.Hash
	r, err := s.engine.ForkchoiceUpdate(ctx, &eth.ForkchoiceState{HeadBlockHash: parent.Hash, SafeBlockHash: genesisHash, FinalizedBlockHash: genesisHash}, attrs)
	require.NoError(t, err)
	require.Equal(t, eth.ExecutionValid, r.PayloadStatus.Status)
	require.NotNil(t, r.PayloadID)
	env, err := s.engine.GetPayload(ctx, eth.PayloadInfo{ID: *r.PayloadID, Timestamp: uint64(attrs.Timestamp)})
	require.NoError(t, err)
	require.Equal(t, &beacon, env.ParentBeaconBlockRoot)
	got, ok := env.CheckBlockHash()
	require.True(t, ok, "payload says %s, its header hashes to %s", env.ExecutionPayload.BlockHash, got)
	st, err := s.engine.NewPayload(ctx, env.ExecutionPayload, env.ParentBeaconBlockRoot)
	require.NoError(t, err)
	require.Equal(t, eth.ExecutionValid, st.Status)
	r, err = s.engine.ForkchoiceUpdate(ctx, &eth.ForkchoiceState{HeadBlockHash: env.ExecutionPayload.BlockHash, SafeBlockHash: genesisHash, FinalizedBlockHash: genesisHash}, nil)
	require.NoError(t, err)
	require.Equal(t, eth.ExecutionValid, r.PayloadStatus.Status)
	return env
}

func TestOpNodeClients(t *testing.T) {
	for _, transport := range []string{"http", "ws"} {
		t.Run(transport, func(t *testing.T) {
			g := enginetest.Genesis(3)
			s := newSequencer(t, g, transport)
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()

			ref, err := s.l2.L2BlockRefByNumber(ctx, 0)
			require.NoError(t, err)
			require.Equal(t, s.cfg.Genesis.L2.Hash, ref.Hash, "op-node would refuse this genesis")
			id, err := s.l2.ChainID(ctx)
			require.NoError(t, err)
			require.Equal(t, g.ChainID, id.Uint64())

			to := enginetest.Address(1)
			tx := enginetest.Sign(enginetest.Key(0), g.ChainID, 0, &to, big.NewInt(7), 50_000, nil)
			withdrawal := enginetest.Sign(enginetest.Key(0), g.ChainID, 1, &abi.MessagePasserAddress, big.NewInt(3), 50_000, nil)
			deposit := enginetest.Deposit(common.Address{9}, nil, big.NewInt(5), new(big.Int), []byte{1}, 1)
			s.block(true, deposit)
			env := s.block(true, tx, withdrawal, tx)
			s.block(true)
			const number = 2

			// a foreign verifier's reads, every hash recomputed
			p, err := s.l2.PayloadByNumber(ctx, number)
			require.NoError(t, err)
			require.Equal(t, env.ExecutionPayload, p.ExecutionPayload)
			got, ok := p.CheckBlockHash()
			require.True(t, ok, "%s", got)
			p, err = s.l2.PayloadByLabel(ctx, eth.Unsafe)
			require.NoError(t, err)
			require.Equal(t, uint64(3), uint64(p.ExecutionPayload.BlockNumber))
			info, txs, err := s.l2.InfoAndTxsByHash(ctx, env.ExecutionPayload.BlockHash)
			require.NoError(t, err)
			require.Len(t, txs, 4)
			require.Equal(t, tx.Hash(), txs[1].Hash())
			raw, err := info.HeaderRLP()
			require.NoError(t, err)
			require.Equal(t, env.ExecutionPayload.BlockHash, crypto.Keccak256Hash(raw))
			ref, err = s.l2.L2BlockRefByNumber(ctx, number)
			require.NoError(t, err)
			require.Equal(t, s.cfg.Genesis.L1, ref.L1Origin)
			require.Equal(t, uint64(2), ref.SequenceNumber)
			config, err := s.l2.SystemConfigByL2Hash(ctx, ref.Hash)
			require.NoError(t, err)
			require.Equal(t, s.config.GasLimit, config.GasLimit)
			require.Equal(t, s.config.BatcherAddr, config.BatcherAddr)
			require.Equal(t, s.config.Scalar, config.Scalar)

			out, err := s.l2.OutputV0AtBlockNumber(ctx, number)
			require.NoError(t, err)
			require.Equal(t, eth.Bytes32(*env.ExecutionPayload.WithdrawalsRoot), out.MessagePasserStorageRoot)
			require.Equal(t, env.ExecutionPayload.StateRoot, out.StateRoot)
			before, err := s.l2.OutputV0AtBlockNumber(ctx, 1)
			require.NoError(t, err)
			require.NotEqual(t, before.MessagePasserStorageRoot, out.MessagePasserStorageRoot)

			// receipts: the list's root is recomputed from what the RPC says
			_, rs, err := s.l2.FetchReceipts(ctx, env.ExecutionPayload.BlockHash)
			require.NoError(t, err)
			require.Len(t, rs, 4)
			require.Equal(t, types.ReceiptStatusSuccessful, rs[1].Status)
			require.Equal(t, types.ReceiptStatusFailed, rs[3].Status, "the replay is void")

			for label, want := range map[eth.BlockLabel]uint64{eth.Unsafe: 3, eth.Safe: 0, eth.Finalized: 0} {
				ref, err := s.l2.L2BlockRefByLabel(ctx, label)
				require.NoError(t, err)
				require.Equal(t, want, ref.Number, label)
			}
			_, err = s.l2.L2BlockRefByNumber(ctx, 99)
			require.Error(t, err)
			_, err = s.l2.PayloadByHash(ctx, common.Hash{1})
			require.Error(t, err)
		})
	}
}

// TestOpNodeSequencesFromTheMempool: what a wallet sends ends up in a block that op-node's client built.
func TestOpNodeSequencesFromTheMempool(t *testing.T) {
	g := enginetest.Genesis(2)
	s := newSequencer(t, g, "http")
	ctx := context.Background()
	to := enginetest.Address(1)
	tx := enginetest.Sign(enginetest.Key(0), g.ChainID, 0, &to, big.NewInt(7), 50_000, nil)
	require.NoError(t, s.wallet.SendTransaction(ctx, tx))
	deadline := time.Now().Add(10 * time.Second)
	for {
		s.block(false)
		if rc, err := s.wallet.TransactionReceipt(ctx, tx.Hash()); err == nil {
			require.Equal(t, types.ReceiptStatusSuccessful, rc.Status)
			return
		}
		require.True(t, time.Now().Before(deadline), "the transaction never got in")
	}
}

// TestOpNodeErrors: the codes that op-node's engine controller tells apart.
func TestOpNodeErrors(t *testing.T) {
	s := newSequencer(t, enginetest.Genesis(2), "http")
	ctx := context.Background()
	head := s.cfg.Genesis.L2.Hash
	code := func(err error) eth.ErrorCode {
		var e rpc.Error
		require.ErrorAs(t, err, &e)
		return eth.ErrorCode(e.ErrorCode())
	}
	limit := eth.Uint64Quantity(30e6)
	attrs := &eth.PayloadAttributes{
		Timestamp: eth.Uint64Quantity(uint64(s.cfg.Genesis.L2Time) + 1), Withdrawals: &types.Withdrawals{}, ParentBeaconBlockRoot: &common.Hash{},
		Transactions: []eth.Data{{2, 1}}, NoTxPool: true, GasLimit: &limit, EIP1559Params: &eth.Bytes8{},
	}
	_, err := s.engine.ForkchoiceUpdate(ctx, &eth.ForkchoiceState{HeadBlockHash: head}, attrs)
	require.Equal(t, eth.InvalidPayloadAttributes, code(err))
	_, err = s.engine.ForkchoiceUpdate(ctx, &eth.ForkchoiceState{HeadBlockHash: head, SafeBlockHash: common.Hash{1}}, nil)
	require.Equal(t, eth.InvalidForkchoiceState, code(err))
	_, err = s.engine.GetPayload(ctx, eth.PayloadInfo{ID: eth.PayloadID{3}, Timestamp: uint64(attrs.Timestamp)})
	require.Equal(t, eth.UnknownPayload, code(err))
	r, err := s.engine.ForkchoiceUpdate(ctx, &eth.ForkchoiceState{HeadBlockHash: common.Hash{7}}, attrs)
	require.NoError(t, err)
	require.Equal(t, eth.ExecutionSyncing, r.PayloadStatus.Status)
}
