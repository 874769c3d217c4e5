package block

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/stretchr/testify/require"
)

// items is a list of encodings.
type items [][]byte

func (l items) Len() int                             { return len(l) }
func (l items) EncodeIndex(i int, buf *bytes.Buffer) { buf.Write(l[i]) }

// TestListRoot: the root over lists of every length up to some hundreds, and of some beyond, is go-ethereum's.
func TestListRoot(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	lengths := []int{511, 512, 513, 4095, 4096, 4097, 65_535, 65_536, 65_537, 70_000}
	for n := range 300 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		l := make(items, n)
		for i := range l {
			l[i] = make([]byte, leastItem+rnd.IntN(150))
			for j := range l[i] {
				l[i][j] = byte(rnd.Uint32())
			}
		}
		derived := false
		mine := list{n, func(dst []byte, i int) []byte { return append(dst, l[i]...) }, func() common.Hash { derived = true; return deriveSha(l) }}
		require.Equal(t, deriveSha(l), mine.root(), "%d items", n)
		require.Equal(t, n < listFrom, derived)
	}
	short := make(items, 100)
	for i := range short {
		short[i] = []byte{byte(i)}
	}
	mine := list{100, func(dst []byte, i int) []byte { return append(dst, short[i]...) }, func() common.Hash { return deriveSha(short) }}
	require.Equal(t, deriveSha(short), mine.root(), "nodes that stand in their parents as they are")
}

// TestReceiptEncoding: what is encoded here is what go-ethereum encodes.
func TestReceiptEncoding(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var all types.Receipts
	var stored []*types.ReceiptForStorage
	for range 300 {
		r := &types.Receipt{Type: types.DynamicFeeTxType, Status: uint64(rnd.IntN(2)), CumulativeGasUsed: rnd.Uint64() >> rnd.IntN(64), Logs: []*types.Log{}}
		for range rnd.IntN(4) {
			l := &types.Log{Address: common.Address{byte(rnd.Uint32())}, Data: make([]byte, rnd.IntN(400))}
			if len(l.Data) == 1 {
				l.Data[0] = byte(rnd.Uint32())
			}
			for range rnd.IntN(5) {
				l.Topics = append(l.Topics, common.Hash{byte(rnd.Uint32())})
			}
			r.Logs = append(r.Logs, l)
		}
		r.Bloom = types.CreateBloom(r)
		var want bytes.Buffer
		types.Receipts{r}.EncodeIndex(0, &want)
		require.Equal(t, want.Bytes(), appendReceipt(nil, r))
		if len(all)%3 == 0 {
			nonce, version := rnd.Uint64()>>rnd.IntN(64), types.CanyonDepositReceiptVersion
			r.DepositNonce, r.DepositReceiptVersion = &nonce, &version
		}
		all, stored = append(all, r), append(stored, (*types.ReceiptForStorage)(r))
		if n := len(all); n < 10 || n == 300 {
			want, err := rlp.EncodeToBytes(stored)
			require.NoError(t, err)
			require.Equal(t, want, AppendStoredReceipts(nil, all))
			require.Equal(t, len(want), StoredReceiptsSize(all))
		}
	}
}

// TestBodyEncoding: the same for bodies.
func TestBodyEncoding(t *testing.T) {
	var raws [][]byte
	body := &types.Body{Withdrawals: types.Withdrawals{}}
	for n := range 40 {
		want, err := rlp.EncodeToBytes(body)
		require.NoError(t, err)
		require.Equal(t, want, AppendBody(nil, raws))
		require.Equal(t, len(want), BodySize(raws))
		split, err := SplitBody(want)
		require.NoError(t, err)
		require.Len(t, split, n)
		for i := range split {
			require.Equal(t, raws[i], split[i])
		}
		inner := types.NewTx(&types.DepositTx{Value: big.NewInt(int64(n)), Data: make([]byte, n*n)})
		raw, err := inner.MarshalBinary()
		require.NoError(t, err)
		raws, body.Transactions = append(raws, raw), append(body.Transactions, inner)
	}
}
