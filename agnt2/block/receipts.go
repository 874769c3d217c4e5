package block

import (
	"bytes"
	"math/big"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/vm"
)

// receipts makes the block's receipts, all of them at once: a block's worth of small pieces costs less in large ones.
func (e *Execution) receipts() types.Receipts {
	out, all := make(types.Receipts, len(e.Txs)), make([]types.Receipt, len(e.Txs))
	ints := bigInts{ints: make([]big.Int, 0, 3*len(e.Txs)), words: make([]big.Word, 0, 3*len(e.Txs))}
	l1 := &e.Machine.L1 // deposits, which may change it, come first: for all others it is what it is now
	gasPrice, blobBaseFee := l1.BaseFee.ToBig(), l1.BlobBaseFee.ToBig()
	scalar, blobScalar := uint64(l1.BaseFeeScalar), uint64(l1.BlobBaseFeeScalar)
	// A deposit uses no nonce of the sender's; the field keeps Canyon's receipt encoding.
	nonce, version := uint64(0), types.CanyonDepositReceiptVersion
	number, logs := e.Header.Number.Uint64(), uint(0)
	for i, tx := range e.Txs {
		r, rc := e.Results[i], &all[i]
		out[i] = rc
		*rc = types.Receipt{
			Type:              types.DynamicFeeTxType,
			CumulativeGasUsed: e.gas[i],
			Logs:              r.Logs,
			TxHash:            tx.Hash,
			GasUsed:           r.GasUsed,
			EffectiveGasPrice: ints.of(&r.GasPrice),
			BlockNumber:       e.Header.Number,
			TransactionIndex:  uint(i),
		}
		if r.Outcome == vm.Succeeded {
			rc.Status = types.ReceiptStatusSuccessful
		}
		if rc.Logs == nil {
			rc.Logs = []*types.Log{}
		}
		for _, l := range rc.Logs {
			l.BlockNumber, l.BlockTimestamp = number, e.Header.Time
			l.TxHash, l.TxIndex, l.Index = tx.Hash, uint(i), logs
			logs++
		}
		if tx.Deposit {
			rc.Type = types.DepositTxType
			rc.DepositNonce, rc.DepositReceiptVersion = &nonce, &version
		} else {
			rc.L1GasPrice, rc.L1BlobBaseFee = gasPrice, blobBaseFee
			rc.L1BaseFeeScalar, rc.L1BlobBaseFeeScalar = &scalar, &blobScalar
			rc.L1GasUsed, rc.L1Fee = ints.of(uint256.NewInt(16*uint64(tx.Size))), ints.of(&r.L1Fee)
		}
	}
	setBlooms(out)
	return out
}

// bigInts makes integers in shared pieces of memory.
type bigInts struct {
	ints  []big.Int
	words []big.Word
}

func (b *bigInts) of(v *uint256.Int) *big.Int {
	n := (v.BitLen() + 63) / 64
	b.ints = append(b.ints, big.Int{})
	x := &b.ints[len(b.ints)-1]
	if n == 0 {
		return x
	}
	if bits.UintSize != 64 {
		return x.SetBytes(v.Bytes())
	}
	from := len(b.words)
	for _, w := range v[:n] {
		b.words = append(b.words, big.Word(w))
	}
	return x.SetBits(b.words[from : from+n : from+n])
}

// TransactionsRoot is the root over transactions' EIP-2718 encodings.
func TransactionsRoot(raws [][]byte) common.Hash {
	l := list{len(raws), func(dst []byte, i int) []byte { return append(dst, raws[i]...) }, func() common.Hash { return deriveSha(encodings(raws)) }}
	return l.root()
}

// encodings is a types.DerivableList.
type encodings [][]byte

func (e encodings) Len() int { return len(e) }

func (e encodings) EncodeIndex(i int, w *bytes.Buffer) { w.Write(e[i]) }

// receiptsRoot is the root over the receipts' consensus encodings.
func receiptsRoot(rs types.Receipts) common.Hash {
	var buf bytes.Buffer
	l := list{len(rs), func(dst []byte, i int) []byte {
		if rs[i].Type == types.DynamicFeeTxType {
			return appendReceipt(dst, rs[i])
		}
		buf.Reset()
		rs.EncodeIndex(i, &buf)
		return append(dst, buf.Bytes()...)
	}, func() common.Hash { return deriveSha(rs) }}
	return l.root()
}

// appendReceipt appends the EIP-2718 encoding of an EIP-1559 transaction's receipt.
func appendReceipt(dst []byte, r *types.Receipt) []byte {
	logs := logsSize(r.Logs)
	size := 1 + rlp.IntSize(r.CumulativeGasUsed) + headSize(types.BloomByteLength) + types.BloomByteLength + headSize(logs) + logs
	dst = appendHead(append(dst, r.Type), size, 0xc0)
	dst = appendStatus(dst, r)
	dst = rlp.AppendUint64(dst, r.CumulativeGasUsed)
	dst = appendString(dst, r.Bloom[:])
	return appendLogs(dst, r.Logs, logs)
}

// appendStatus appends a receipt's status as its encodings have it.
func appendStatus(dst []byte, r *types.Receipt) []byte {
	if r.Status == types.ReceiptStatusSuccessful {
		return append(dst, 1)
	}
	return append(dst, 0x80)
}

// logsSize is the length of the logs' RLP, without the head of their list.
func logsSize(logs []*types.Log) (size int) {
	for _, l := range logs {
		n := logSize(l)
		size += headSize(n) + n
	}
	return size
}

func logSize(l *types.Log) int {
	topics := 33 * len(l.Topics)
	return 21 + headSize(topics) + topics + stringSize(l.Data)
}

// appendLogs appends the RLP of a list of logs whose logsSize is size.
func appendLogs(dst []byte, logs []*types.Log, size int) []byte {
	dst = appendHead(dst, size, 0xc0)
	for _, l := range logs {
		dst = appendHead(dst, logSize(l), 0xc0)
		dst = appendString(dst, l.Address[:])
		dst = appendHead(dst, 33*len(l.Topics), 0xc0)
		for i := range l.Topics {
			dst = appendString(dst, l.Topics[i][:])
		}
		dst = appendString(dst, l.Data)
	}
	return dst
}

// BodySize is the length of what AppendBody appends.
func BodySize(raws [][]byte) int {
	n := transactionsSize(raws)
	n += headSize(n) + 2
	return headSize(n) + n
}

func transactionsSize(raws [][]byte) (size int) {
	for _, raw := range raws {
		size += stringSize(raw)
	}
	return size
}

// AppendBody appends the RLP of a types.Body of typed transactions, given as EIP-2718 encodings, without uncles and withdrawals.
func AppendBody(dst []byte, raws [][]byte) []byte {
	n := transactionsSize(raws)
	dst = appendHead(dst, headSize(n)+n+2, 0xc0)
	dst = appendHead(dst, n, 0xc0)
	for _, raw := range raws {
		dst = appendString(dst, raw)
	}
	return append(dst, 0xc0, 0xc0)
}

// SplitBody returns the encodings in what AppendBody has appended. They share its memory.
func SplitBody(body []byte) (raws [][]byte, err error) {
	content, _, err := rlp.SplitList(body)
	if err != nil {
		return nil, err
	}
	rest, _, err := rlp.SplitList(content)
	if err != nil {
		return nil, err
	}
	raws = [][]byte{}
	for len(rest) > 0 {
		var raw []byte
		if raw, rest, err = rlp.SplitString(rest); err != nil {
			return nil, err
		}
		raws = append(raws, raw)
	}
	return raws, nil
}

// StoredReceiptsSize is the length of what AppendStoredReceipts appends.
func StoredReceiptsSize(rs types.Receipts) int {
	n := storedSize(rs)
	return headSize(n) + n
}

func storedSize(rs types.Receipts) (size int) {
	for _, r := range rs {
		n := storedReceiptSize(r, logsSize(r.Logs))
		size += headSize(n) + n
	}
	return size
}

func storedReceiptSize(r *types.Receipt, logs int) int {
	size := 1 + rlp.IntSize(r.CumulativeGasUsed) + headSize(logs) + logs
	if r.DepositNonce != nil {
		size += rlp.IntSize(*r.DepositNonce) + rlp.IntSize(*r.DepositReceiptVersion)
	}
	return size
}

// AppendStoredReceipts appends the RLP of a list of types.ReceiptForStorage. A deposit's has nonce and version both.
func AppendStoredReceipts(dst []byte, rs types.Receipts) []byte {
	dst = appendHead(dst, storedSize(rs), 0xc0)
	for _, r := range rs {
		logs := logsSize(r.Logs)
		dst = appendHead(dst, storedReceiptSize(r, logs), 0xc0)
		dst = appendStatus(dst, r)
		dst = rlp.AppendUint64(dst, r.CumulativeGasUsed)
		dst = appendLogs(dst, r.Logs, logs)
		if r.DepositNonce != nil {
			dst = rlp.AppendUint64(rlp.AppendUint64(dst, *r.DepositNonce), *r.DepositReceiptVersion)
		}
	}
	return dst
}
