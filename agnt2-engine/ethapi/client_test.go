package ethapi

import (
	"context"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/ethclient/gethclient"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	gethparams "github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	gethtrie "github.com/ethereum/go-ethereum/trie"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// Every method of go-ethereum's client works, but SimulateV1, which needs bytecode.
func TestEthClient(t *testing.T) {
	x := newTestAPI(t, nil)
	c, ctx := ethclient.NewClient(x.client), context.Background()
	user := x.chain.signed(t, 0, abi.HeartbeatSelector[:])
	block := x.chain.extend(payload{txs: []*types.Transaction{user}, logs: [][]*types.Log{{heartbeatLog(alice, 5)}}})
	hash := block.Hash()

	id, err := c.ChainID(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 901, id.Uint64())
	id, err = c.NetworkID(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 901, id.Uint64())
	number, err := c.BlockNumber(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, number)
	peers, err := c.PeerCount(ctx)
	require.NoError(t, err)
	require.Zero(t, peers)
	syncing, err := c.SyncProgress(ctx)
	require.NoError(t, err)
	require.Nil(t, syncing)

	for _, fetch := range []func() (*types.Block, error){
		func() (*types.Block, error) { return c.BlockByHash(ctx, hash) },
		func() (*types.Block, error) { return c.BlockByNumber(ctx, big.NewInt(1)) },
		func() (*types.Block, error) { return c.BlockByNumber(ctx, nil) },
	} {
		b, err := fetch()
		require.NoError(t, err)
		require.Equal(t, hash, b.Hash())
		require.Equal(t, types.DeriveSha(block.Transactions(), gethtrie.NewStackTrie(nil)), types.DeriveSha(b.Transactions(), gethtrie.NewStackTrie(nil)))
	}
	h, err := c.HeaderByHash(ctx, hash)
	require.NoError(t, err)
	require.Equal(t, hash, h.Hash())
	h, err = c.HeaderByNumber(ctx, big.NewInt(1))
	require.NoError(t, err)
	require.Equal(t, hash, h.Hash())
	_, err = c.HeaderByNumber(ctx, big.NewInt(99))
	require.ErrorIs(t, err, ethereum.NotFound)
	_, err = c.BlockByHash(ctx, common.Hash{1})
	require.ErrorIs(t, err, ethereum.NotFound)
	_, err = c.HeaderByNumber(ctx, big.NewInt(int64(rpc.SafeBlockNumber)))
	require.ErrorContains(t, err, "safe block not found")
	_, err = c.HeaderByNumber(ctx, big.NewInt(int64(rpc.FinalizedBlockNumber)))
	require.ErrorContains(t, err, "finalized block not found")
	zero := uint64(0)
	x.chain.safe = &zero
	h, err = c.HeaderByNumber(ctx, big.NewInt(int64(rpc.FinalizedBlockNumber)))
	require.NoError(t, err)
	require.Zero(t, h.Number.Sign())

	tx, pending, err := c.TransactionByHash(ctx, user.Hash())
	require.NoError(t, err)
	require.False(t, pending)
	require.Equal(t, user.Hash(), tx.Hash())
	_, _, err = c.TransactionByHash(ctx, common.Hash{1})
	require.ErrorIs(t, err, ethereum.NotFound)
	from, err := c.TransactionSender(ctx, user, hash, 1)
	require.NoError(t, err)
	require.Equal(t, alice, from)
	tx, err = c.TransactionInBlock(ctx, hash, 1)
	require.NoError(t, err)
	require.Equal(t, user.Hash(), tx.Hash())
	_, err = c.TransactionInBlock(ctx, hash, 9)
	require.ErrorIs(t, err, ethereum.NotFound)
	n, err := c.TransactionCount(ctx, hash)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = c.PendingTransactionCount(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	receipt, err := c.TransactionReceipt(ctx, user.Hash())
	require.NoError(t, err)
	require.Equal(t, x.chain.Receipts(hash)[1], receipt)
	receipts, err := c.BlockReceipts(ctx, rpc.BlockNumberOrHashWithHash(hash, true))
	require.NoError(t, err)
	require.Len(t, receipts, 2)

	balance, err := c.BalanceAt(ctx, alice, nil)
	require.NoError(t, err)
	require.EqualValues(t, gethparams.Ether, balance.Uint64())
	balance, err = c.BalanceAtHash(ctx, nobody, hash)
	require.NoError(t, err)
	require.Zero(t, balance.Sign())
	_, err = c.BalanceAt(ctx, alice, big.NewInt(99))
	require.ErrorContains(t, err, "header not found")
	_, err = c.PendingBalanceAt(ctx, alice)
	require.NoError(t, err)
	nonce, err := c.NonceAt(ctx, alice, nil)
	require.NoError(t, err)
	require.Zero(t, nonce)
	nonce, err = c.NonceAtHash(ctx, alice, hash)
	require.NoError(t, err)
	require.Zero(t, nonce)
	nonce, err = c.PendingNonceAt(ctx, alice)
	require.NoError(t, err)
	require.EqualValues(t, 42, nonce)
	for who, want := range map[common.Address][]byte{abi.Address: {0xfe}, abi.L1BlockAddress: {0xfe}, abi.MessagePasserAddress: {0xfe},
		abi.GasPriceOracleAddress: {0xfe}, alice: {}, abi.BaseFeeVault: {}} {
		code, err := c.CodeAt(ctx, who, nil)
		require.NoError(t, err)
		require.Equal(t, want, code)
	}
	_, err = c.CodeAtHash(ctx, alice, hash)
	require.NoError(t, err)
	_, err = c.PendingCodeAt(ctx, alice)
	require.NoError(t, err)
	word, err := c.StorageAt(ctx, abi.MessagePasserAddress, withdrawal.Slot(sent), nil)
	require.NoError(t, err)
	require.Equal(t, common.LeftPadBytes([]byte{1}, 32), word)
	word, err = c.StorageAtHash(ctx, abi.MessagePasserAddress, common.Hash{1}, hash)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), word)
	word, err = c.PendingStorageAt(ctx, alice, common.Hash{1})
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), word)

	msg := ethereum.CallMsg{From: alice, To: &abi.Address, Data: (&abi.InteractionIdCall{Caller: alice, Salt: common.Hash{7}}).Encode()}
	want := crypto.Keccak256(common.LeftPadBytes(alice[:], 32), common.Hash{7}.Bytes())
	out, err := c.CallContract(ctx, msg, nil)
	require.NoError(t, err)
	require.Equal(t, want, out)
	out, err = c.CallContractAtHash(ctx, msg, hash)
	require.NoError(t, err)
	require.Equal(t, want, out)
	out, err = c.PendingCallContract(ctx, msg)
	require.NoError(t, err)
	require.Equal(t, want, out)
	beat := ethereum.CallMsg{From: alice, To: &abi.Address, Data: abi.HeartbeatSelector[:]}
	for _, estimate := range []func() (uint64, error){
		func() (uint64, error) { return c.EstimateGas(ctx, beat) },
		func() (uint64, error) { return c.EstimateGasAtBlock(ctx, beat, big.NewInt(1)) },
		func() (uint64, error) { return c.EstimateGasAtBlockHash(ctx, beat, hash) },
	} {
		gas, err := estimate()
		require.NoError(t, err)
		require.EqualValues(t, 6_000, gas)
	}

	price, err := c.SuggestGasPrice(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1_000_000_000+testTip, price.Uint64())
	tip, err := c.SuggestGasTipCap(ctx)
	require.NoError(t, err)
	require.EqualValues(t, testTip, tip.Uint64())
	blob, err := c.BlobBaseFee(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, blob.Uint64())
	fees, err := c.FeeHistory(ctx, 5, nil, []float64{10, 90})
	require.NoError(t, err)
	require.Zero(t, fees.OldestBlock.Sign())
	require.Len(t, fees.BaseFee, 3)
	require.EqualValues(t, testTip, fees.Reward[1][0].Uint64())
	require.Zero(t, fees.Reward[0][1].Sign())

	logs, err := c.FilterLogs(ctx, ethereum.FilterQuery{Addresses: []common.Address{abi.Address}, Topics: [][]common.Hash{{abi.HeartbeatTopic}}})
	require.NoError(t, err)
	require.Len(t, logs, 1)
	logs, err = c.FilterLogs(ctx, ethereum.FilterQuery{BlockHash: &hash})
	require.NoError(t, err)
	require.Len(t, logs, 1)

	next := x.chain.signed(t, 1, abi.HeartbeatSelector[:])
	require.NoError(t, c.SendTransaction(ctx, next))
	_, pending, err = c.TransactionByHash(ctx, next.Hash())
	require.NoError(t, err)
	require.True(t, pending)
	x.chain.onSubmit = func(tx *types.Transaction) { go x.chain.extend(payload{txs: []*types.Transaction{tx}}) }
	third := x.chain.signed(t, 2, abi.HeartbeatSelector[:])
	wait := 5 * time.Second
	receipt, err = c.SendTransactionSync(ctx, third, &wait)
	require.NoError(t, err)
	require.Equal(t, third.Hash(), receipt.TxHash)
	x.chain.onSubmit = nil

	heads, seen, mined := make(chan *types.Header, 8), make(chan types.Log, 8), make(chan []*types.Receipt, 8)
	fourth := x.chain.signed(t, 3, abi.HeartbeatSelector[:])
	s1, err := c.SubscribeNewHead(ctx, heads)
	require.NoError(t, err)
	defer s1.Unsubscribe()
	s2, err := c.SubscribeFilterLogs(ctx, ethereum.FilterQuery{Addresses: []common.Address{abi.Address}}, seen)
	require.NoError(t, err)
	defer s2.Unsubscribe()
	s3, err := c.SubscribeTransactionReceipts(ctx, &ethereum.TransactionReceiptsQuery{TransactionHashes: []common.Hash{fourth.Hash()}}, mined)
	require.NoError(t, err)
	defer s3.Unsubscribe()
	block = x.chain.extend(payload{txs: []*types.Transaction{fourth}, logs: [][]*types.Log{{heartbeatLog(bob, 1)}}})
	require.Equal(t, block.Hash(), receive(t, heads).Hash())
	require.Equal(t, fourth.Hash(), receive(t, seen).TxHash)
	require.Equal(t, fourth.Hash(), receive(t, mined)[0].TxHash)

	g := gethclient.New(x.client)
	txs := make(chan common.Hash, 8)
	s4, err := g.SubscribePendingTransactions(ctx, txs)
	require.NoError(t, err)
	defer s4.Unsubscribe()
	full := make(chan *types.Transaction, 8)
	s5, err := g.SubscribeFullPendingTransactions(ctx, full)
	require.NoError(t, err)
	defer s5.Unsubscribe()
	fifth := x.chain.signed(t, 4, nil)
	require.NoError(t, c.SendTransaction(ctx, fifth))
	require.Equal(t, fifth.Hash(), receive(t, txs))
	require.Equal(t, fifth.Hash(), receive(t, full).Hash())
}

// receive waits for a value with a deadline.
func receive[T any](t testing.TB, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(5 * time.Second):
		require.FailNow(t, "nothing came")
	}
	return v
}

// A proof of the message passer verifies against the header's withdrawalsRoot with go-ethereum's verifier, as the
// portal does it on L1.
func TestMessagePasserProof(t *testing.T) {
	x := newTestAPI(t, nil)
	block := x.chain.extend(payload{})
	slot, absent := withdrawal.Slot(sent), common.Hash{9}
	p, err := gethclient.New(x.client).GetProof(context.Background(), abi.MessagePasserAddress, []string{slot.Hex(), absent.Hex(), "0x1"}, nil)
	require.NoError(t, err)
	require.Equal(t, *block.Header().WithdrawalsHash, p.StorageHash)
	require.Empty(t, p.AccountProof)
	require.Equal(t, "0x1", p.StorageProof[2].Key)
	for i, key := range []common.Hash{slot, absent} {
		require.Equal(t, key.Hex(), p.StorageProof[i].Key)
		db := memorydb.New()
		for _, n := range p.StorageProof[i].Proof {
			raw := hexutil.MustDecode(n)
			require.NoError(t, db.Put(crypto.Keccak256(raw), raw))
		}
		v, err := gethtrie.VerifyProof(p.StorageHash, crypto.Keccak256(key[:]), db)
		require.NoError(t, err)
		if key == slot {
			require.Equal(t, []byte{1}, v)
			require.EqualValues(t, 1, p.StorageProof[i].Value.Uint64())
		} else {
			require.Empty(t, v)
			require.Zero(t, p.StorageProof[i].Value.Sign())
		}
	}
	raw := get[jsonObject](t, x, "eth_getProof", abi.MessagePasserAddress, []string{}, block.Hash())
	require.Equal(t, []any{}, raw["accountProof"])
	require.Equal(t, []any{}, raw["storageProof"])

	err = fails(t, x, codeInvalidParams, "eth_getProof", alice, []string{}, "latest")
	require.ErrorContains(t, err, "agnt2_getProof")
	fails(t, x, codeInvalidParams, "eth_getProof", abi.MessagePasserAddress, []string{"0xzz"}, "latest")
	fails(t, x, codeInvalidParams, "eth_getProof", abi.MessagePasserAddress, []string{"0x" + strings.Repeat("0", 65)}, "latest")
	fails(t, x, codeInvalidParams, "eth_getProof", abi.MessagePasserAddress, make([]string, maxProofKeys+1), "latest")
}

func TestUnknownAndPrunedBlocks(t *testing.T) {
	x := newTestAPI(t, nil)
	old := x.chain.head()
	side := x.chain.build(old, payload{seed: 1})
	x.chain.extend(payload{})
	x.chain.pruned[old.Hash()] = true

	require.ErrorContains(t, fails(t, x, codeServer, "eth_getBalance", alice, "0x0"), "--history.blocks")
	require.ErrorContains(t, fails(t, x, codeServer, "eth_getBalance", alice, "0x77"), "header not found")
	require.ErrorContains(t, fails(t, x, codeServer, "eth_getBalance", alice, common.Hash{1}), "header for hash not found")
	require.Equal(t, "0xde0b6b3a7640000", get[string](t, x, "eth_getBalance", alice, map[string]any{"blockHash": side.Hash()}))
	fails(t, x, codeServer, "eth_getBalance", alice, map[string]any{"blockHash": side.Hash(), "requireCanonical": true})
	require.Equal(t, "0xde0b6b3a7640000", get[string](t, x, "eth_getBalance", alice), "the block argument defaults to latest")
	for _, method := range []string{"eth_getBlockByNumber", "eth_getBlockByHash"} {
		at := any("0x77")
		if method == "eth_getBlockByHash" {
			at = common.Hash{1}
		}
		require.Nil(t, get[any](t, x, method, at, true))
	}
	require.Nil(t, get[any](t, x, "eth_getBlockTransactionCountByNumber", "0x77"))
	require.Equal(t, "0x1", get[any](t, x, "eth_getBlockTransactionCountByHash", side.Hash()))
	require.Nil(t, get[any](t, x, "eth_getUncleByBlockNumberAndIndex", "latest", "0x0"))
	require.Nil(t, get[any](t, x, "eth_getUncleByBlockHashAndIndex", old.Hash(), "0x0"))
	require.Equal(t, "0x0", get[any](t, x, "eth_getUncleCountByBlockNumber", "latest"))
	require.Equal(t, "0x0", get[any](t, x, "eth_getUncleCountByBlockHash", old.Hash()))
	require.Nil(t, get[any](t, x, "eth_getUncleCountByBlockHash", common.Hash{1}))
	require.Nil(t, get[any](t, x, "eth_getTransactionByHash", common.Hash{1}))
	require.Equal(t, "0x", get[any](t, x, "eth_getRawTransactionByHash", common.Hash{1}), "as go-ethereum")
	require.Equal(t, false, get[any](t, x, "eth_syncing"))
	require.Equal(t, []any{}, get[any](t, x, "eth_accounts"))
	require.Equal(t, old.Hash().Hex(), get[jsonObject](t, x, "eth_getHeaderByNumber", "0x0")["hash"])
	require.Equal(t, old.Hash().Hex(), get[jsonObject](t, x, "eth_getHeaderByHash", old.Hash())["hash"])
	require.Nil(t, get[any](t, x, "eth_getHeaderByHash", common.Hash{1}))
	fails(t, x, -32601, "eth_close") // the API's own methods are not served
	fails(t, x, -32601, "eth_aPIs")
}

func TestNodeMethods(t *testing.T) {
	x := newTestAPI(t, func(c *Config) { c.ClientVersion = "agnt2-engine/test"; c.MaxPoolContent = 2 })
	require.Equal(t, "901", get[string](t, x, "net_version"))
	require.Equal(t, true, get[bool](t, x, "net_listening"))
	require.Equal(t, "agnt2-engine/test", get[string](t, x, "web3_clientVersion"))
	require.Equal(t, crypto.Keccak256Hash([]byte("x")).Hex(), get[string](t, x, "web3_sha3", "0x78"))

	require.True(t, get[bool](t, x, "miner_setMaxDASize", "0x0", "0x1fbd0"))
	require.EqualValues(t, 0x1fbd0, x.chain.maxBlock)
	require.Zero(t, x.chain.maxTx)

	tx := x.chain.signed(t, 3, nil)
	require.Equal(t, tx.Hash().Hex(), get[string](t, x, "eth_sendRawTransaction", raw(t, tx)))
	require.Equal(t, map[string]string{"pending": "0x1", "queued": "0x0"}, get[map[string]string](t, x, "txpool_status"))
	content := get[map[string]map[string]map[string]*types.Transaction](t, x, "txpool_content")
	require.Equal(t, tx.Hash(), content["pending"][alice.Hex()]["3"].Hash())
	require.NotNil(t, content["queued"])
	from := get[map[string]map[string]*types.Transaction](t, x, "txpool_contentFrom", alice)
	require.Equal(t, tx.Hash(), from["pending"]["3"].Hash())
	lines := get[map[string]map[string]map[string]string](t, x, "txpool_inspect")
	require.Equal(t, abi.Address.Hex()+": 123 wei + 100000 gas × 5000000000 wei", lines["pending"][alice.Hex()]["3"])
	require.Equal(t, raw(t, tx), get[string](t, x, "eth_getRawTransactionByHash", tx.Hash()))
	x.chain.extend(payload{txs: []*types.Transaction{tx}})
	require.Equal(t, raw(t, tx), get[string](t, x, "eth_getRawTransactionByHash", tx.Hash()))

	for i := range uint64(3) {
		get[string](t, x, "eth_sendRawTransaction", raw(t, x.chain.signed(t, i+4, nil)))
	}
	require.ErrorContains(t, fails(t, x, codeLimitExceeded, "txpool_content"), "txpool_contentFrom")

	require.Len(t, x.APIs("eth", "net"), 2)
}

func raw(t testing.TB, tx *types.Transaction) string {
	b, err := tx.MarshalBinary()
	require.NoError(t, err)
	return hexutil.Encode(b)
}

func TestFeeHistory(t *testing.T) {
	x := newTestAPI(t, func(c *Config) { c.MaxFeeHistoryBlocks, c.MaxFeeRewardBlocks = 4, 2 })
	var txs []*types.Transaction
	for i := range uint64(10) {
		txs = append(txs, x.chain.signedBy(t, aliceKey, i, 100*(10-i), nil))
	}
	for range 5 {
		x.chain.extend(payload{})
	}
	head := x.chain.extend(payload{txs: txs})

	f := get[feeHistory](t, x, "eth_feeHistory", "0x400", "latest", nil)
	require.EqualValues(t, 3, f.OldestBlock.ToInt().Uint64())
	require.Len(t, f.GasUsedRatio, 4)
	require.Len(t, f.BaseFee, 5)
	require.Nil(t, f.Reward)
	require.InDelta(t, float64(head.GasUsed())/float64(head.GasLimit()), f.GasUsedRatio[3], 1e-12)
	require.Negative(t, f.BaseFee[4].ToInt().Cmp(f.BaseFee[3].ToInt()), "a nearly empty block lowers the base fee")

	f = get[feeHistory](t, x, "eth_feeHistory", 4, hexutil.EncodeUint64(6), []float64{0, 50, 100})
	require.Len(t, f.Reward, 2)
	var got []uint64
	for _, r := range f.Reward[1] {
		got = append(got, r.ToInt().Uint64())
	}
	require.Equal(t, []uint64{100, 500, 1000}, got)

	for _, bad := range [][]float64{{50, 50}, {-1}, {101}, {60, 50}, make([]float64, maxPercentiles+1)} {
		fails(t, x, codeInvalidParams, "eth_feeHistory", 4, "latest", bad)
	}
	fails(t, x, codeServer, "eth_feeHistory", 4, "0x55", nil)
	require.Zero(t, get[feeHistory](t, x, "eth_feeHistory", 0, "latest", nil).OldestBlock.ToInt().Sign())
}
