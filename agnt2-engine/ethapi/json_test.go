package ethapi

import (
	"encoding/json"
	"maps"
	"math/big"
	"os"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

type jsonObject = map[string]any

func parse[T any](t testing.TB, raw []byte) (x T) {
	t.Helper()
	require.NoError(t, json.Unmarshal(raw, &x), "%s", raw)
	return x
}

func golden(t testing.TB, name string) []byte {
	raw, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return raw
}

func keys(m jsonObject) []string { return slices.Sorted(maps.Keys(m)) }

// What op-geth answered, read into a header and written by us, is what op-geth answered.
func TestHeaderEqualsOpGeth(t *testing.T) {
	want := parse[jsonObject](t, golden(t, "op-geth-block.json"))
	h := parse[types.Header](t, golden(t, "op-geth-block.json"))
	require.Equal(t, want["hash"], h.Hash().Hex())
	got := parse[jsonObject](t, headerJSON(&h))
	for _, k := range []string{"size", "transactions", "uncles", "withdrawals"} { // the block's, not the header's
		delete(want, k)
	}
	require.Equal(t, want, got)
}

func TestDepositEqualsOpGeth(t *testing.T) {
	want := parse[jsonObject](t, golden(t, "op-geth-deposit.json"))
	tx := parse[types.Transaction](t, golden(t, "op-geth-deposit.json"))
	require.Equal(t, want["hash"], tx.Hash().Hex())
	at := parse[struct {
		BlockHash                    common.Hash
		BlockNumber, BlockTimestamp  hexutil.Uint64
		Nonce, DepositReceiptVersion hexutil.Uint64
	}](t, golden(t, "op-geth-deposit.json"))
	x := newTestAPI(t, nil)
	p := place{included: true, hash: at.BlockHash, number: uint64(at.BlockNumber), time: uint64(at.BlockTimestamp), baseFee: big.NewInt(1)}
	got := parse[jsonObject](t, x.transactionJSON(&tx, p, &types.Receipt{
		DepositNonce: (*uint64)(&at.Nonce), DepositReceiptVersion: (*uint64)(&at.DepositReceiptVersion)}))
	require.Equal(t, want, got)
}

func TestBlock(t *testing.T) {
	x := newTestAPI(t, nil)
	user := x.chain.signed(t, 0, abi.HeartbeatSelector[:])
	block := x.chain.extend(payload{txs: []*types.Transaction{user}})
	shape := parse[jsonObject](t, golden(t, "op-geth-block.json"))
	depositShape := parse[jsonObject](t, golden(t, "op-geth-deposit.json"))

	for _, full := range []bool{false, true} {
		raw := get[json.RawMessage](t, x, "eth_getBlockByNumber", "latest", full)
		require.JSONEq(t, string(raw), string(get[json.RawMessage](t, x, "eth_getBlockByHash", block.Hash(), full)))
		h := parse[types.Header](t, raw)
		require.Equal(t, block.Hash(), h.Hash())
		got := parse[jsonObject](t, raw)
		require.Equal(t, keys(shape), keys(got))
		require.Equal(t, block.Hash().Hex(), got["hash"])
		require.Equal(t, hexutil.EncodeUint64(block.Size()), got["size"])
		require.Equal(t, []any{}, got["uncles"])
		require.Equal(t, []any{}, got["withdrawals"])
		if !full {
			require.Equal(t, []any{block.Transactions()[0].Hash().Hex(), user.Hash().Hex()}, got["transactions"])
			continue
		}
		txs := parse[struct{ Transactions []json.RawMessage }](t, raw).Transactions
		require.Len(t, txs, 2)
		for i, tx := range txs {
			back := parse[types.Transaction](t, tx)
			require.Equal(t, block.Transactions()[i].Hash(), back.Hash())
			require.Equal(t, block.Transactions()[i].Type(), back.Type())
			for _, other := range []json.RawMessage{
				get[json.RawMessage](t, x, "eth_getTransactionByHash", back.Hash()),
				get[json.RawMessage](t, x, "eth_getTransactionByBlockHashAndIndex", block.Hash(), hexNumber(uint64(i))),
				get[json.RawMessage](t, x, "eth_getTransactionByBlockNumberAndIndex", "0x1", hexNumber(uint64(i))),
			} {
				require.JSONEq(t, string(tx), string(other))
			}
		}
		require.Equal(t, keys(depositShape), keys(parse[jsonObject](t, txs[0])))
		second := parse[jsonObject](t, txs[1])
		require.Equal(t, []string{"accessList", "blockHash", "blockNumber", "blockTimestamp", "chainId", "from", "gas", "gasPrice", "hash",
			"input", "maxFeePerGas", "maxPriorityFeePerGas", "nonce", "r", "s", "to", "transactionIndex", "type", "v", "value", "yParity"}, keys(second))
		require.Equal(t, "0x2", second["type"])
		require.Equal(t, "0x1", second["transactionIndex"])
		require.Equal(t, alice, common.HexToAddress(second["from"].(string)))
		require.Equal(t, hexutil.EncodeUint64(1_000_000_000+testTip), second["gasPrice"])
	}
}

func TestReceipt(t *testing.T) {
	x := newTestAPI(t, nil)
	user := x.chain.signed(t, 0, abi.HeartbeatSelector[:])
	block := x.chain.extend(payload{txs: []*types.Transaction{user}, logs: [][]*types.Log{{heartbeatLog(alice, 5)}}})

	raw := get[json.RawMessage](t, x, "eth_getTransactionReceipt", user.Hash())
	got := parse[jsonObject](t, raw)
	require.Equal(t, []string{"blockHash", "blockNumber", "contractAddress", "cumulativeGasUsed", "effectiveGasPrice", "from", "gasUsed",
		"l1BaseFeeScalar", "l1BlobBaseFee", "l1BlobBaseFeeScalar", "l1Fee", "l1GasPrice", "l1GasUsed", "logs", "logsBloom", "status", "to",
		"transactionHash", "transactionIndex", "type"}, keys(got))
	require.Nil(t, got["contractAddress"])
	require.Equal(t, "0x7", got["l1Fee"])
	require.Equal(t, "0x1", got["status"])
	back := parse[types.Receipt](t, raw)
	want := x.chain.Receipts(block.Hash())[1]
	require.Equal(t, want, &back)
	log := parse[jsonObject](t, mustJSON(t, want.Logs[0]))
	require.Equal(t, log, got["logs"].([]any)[0], "our log JSON is go-ethereum's")

	deposit := get[jsonObject](t, x, "eth_getTransactionReceipt", block.Transactions()[0].Hash())
	require.Equal(t, "0x0", deposit["depositNonce"])
	require.Equal(t, "0x1", deposit["depositReceiptVersion"])
	require.Equal(t, "0x7e", deposit["type"])
	require.Equal(t, []any{}, deposit["logs"])
	require.NotContains(t, deposit, "l1Fee")

	all := get[[]jsonObject](t, x, "eth_getBlockReceipts", "latest")
	require.Equal(t, []jsonObject{deposit, got}, all)
	require.Equal(t, all, get[[]jsonObject](t, x, "eth_getBlockReceipts", block.Hash()))
	require.Nil(t, get[any](t, x, "eth_getBlockReceipts", "0x99"))
	require.Nil(t, get[any](t, x, "eth_getTransactionReceipt", common.Hash{1}))
}

func mustJSON(t testing.TB, x any) []byte {
	raw, err := json.Marshal(x)
	require.NoError(t, err)
	return raw
}

// The hand-written JSON must stay JSON whatever the values are.
func TestContractCreationAndNils(t *testing.T) {
	x := newTestAPI(t, nil)
	tx := types.NewTx(&types.DepositTx{Mint: big.NewInt(9), Value: big.NewInt(1), IsSystemTransaction: true})
	got := parse[jsonObject](t, x.transactionJSON(tx, place{}, nil))
	require.Nil(t, got["to"])
	require.Nil(t, got["blockHash"])
	require.Equal(t, "0x9", got["mint"])
	require.Equal(t, true, got["isSystemTx"])
	require.Equal(t, "0x", got["input"])
	back := parse[types.Transaction](t, x.transactionJSON(tx, place{}, nil))
	require.Equal(t, tx.Hash(), back.Hash())
	h := &types.Header{Number: new(big.Int), Difficulty: new(big.Int)}
	require.NotContains(t, parse[jsonObject](t, headerJSON(h)), "withdrawalsRoot")
}

func BenchmarkFullBlock(b *testing.B) {
	x := newTestAPI(b, nil)
	var txs []*types.Transaction
	for i := range 1000 {
		txs = append(txs, x.chain.signed(b, uint64(i), make([]byte, 400)))
	}
	block := x.chain.extend(payload{txs: txs})
	x.blockJSON(block, true) // recover senders once
	b.ResetTimer()
	for b.Loop() {
		b.SetBytes(int64(len(x.blockJSON(block, true))))
	}
}
