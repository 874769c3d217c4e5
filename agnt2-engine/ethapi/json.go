package ethapi

import (
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// object writes one JSON object. Blocks, transactions, receipts and logs are written by hand because a full block of
// thousands of transactions crosses this path several times a second; field names and hex forms are go-ethereum's.
type object struct {
	b     []byte
	comma bool
}

func openObject(b []byte) object { return object{b: append(b, '{')} }

func (o *object) close() []byte { return append(o.b, '}') }

func (o *object) key(k string) {
	if o.comma {
		o.b = append(o.b, ',')
	}
	o.comma = true
	o.b = append(append(append(o.b, '"'), k...), '"', ':')
}

func (o *object) null(k string) { o.key(k); o.b = append(o.b, "null"...) }

func (o *object) bool(k string, v bool) { o.key(k); o.b = strconv.AppendBool(o.b, v) }

func (o *object) uint(k string, v uint64) { o.key(k); o.b = appendUint(o.b, v) }

func (o *object) bytes(k string, v []byte) { o.key(k); o.b = appendBytes(o.b, v) }

func (o *object) hash(k string, v common.Hash) { o.bytes(k, v[:]) }

func (o *object) address(k string, v common.Address) { o.bytes(k, v[:]) }

// big writes null for nil.
func (o *object) big(k string, v *big.Int) { o.key(k); o.b = appendBig(o.b, v) }

func (o *object) optionalUint(k string, v *uint64) {
	if v != nil {
		o.uint(k, *v)
	}
}

func (o *object) optionalBig(k string, v *big.Int) {
	if v != nil {
		o.big(k, v)
	}
}

func (o *object) optionalHash(k string, v *common.Hash) {
	if v != nil {
		o.hash(k, *v)
	}
}

func appendUint(b []byte, v uint64) []byte {
	return append(strconv.AppendUint(append(b, `"0x`...), v, 16), '"')
}

func appendBytes(b, v []byte) []byte { return append(hex.AppendEncode(append(b, `"0x`...), v), '"') }

func appendBig(b []byte, v *big.Int) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return append(v.Append(append(b, `"0x`...), 16), '"')
}

// appendArray writes a JSON array of n elements.
func appendArray(b []byte, n int, element func(b []byte, i int) []byte) []byte {
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = element(b, i)
	}
	return append(b, ']')
}

func writeHeader(o *object, h *types.Header, hash common.Hash) {
	o.optionalBig("baseFeePerGas", h.BaseFee)
	o.optionalUint("blobGasUsed", h.BlobGasUsed)
	o.big("difficulty", h.Difficulty)
	o.optionalUint("excessBlobGas", h.ExcessBlobGas)
	o.bytes("extraData", h.Extra)
	o.uint("gasLimit", h.GasLimit)
	o.uint("gasUsed", h.GasUsed)
	o.hash("hash", hash)
	o.bytes("logsBloom", h.Bloom[:])
	o.address("miner", h.Coinbase)
	o.hash("mixHash", h.MixDigest)
	o.bytes("nonce", h.Nonce[:])
	o.big("number", h.Number)
	o.optionalHash("parentBeaconBlockRoot", h.ParentBeaconRoot)
	o.hash("parentHash", h.ParentHash)
	o.hash("receiptsRoot", h.ReceiptHash)
	o.optionalHash("requestsHash", h.RequestsHash)
	o.hash("sha3Uncles", h.UncleHash)
	o.hash("stateRoot", h.Root)
	o.uint("timestamp", h.Time)
	o.hash("transactionsRoot", h.TxHash)
	o.optionalHash("withdrawalsRoot", h.WithdrawalsHash)
}

// headerJSON is what newHeads sends.
func headerJSON(h *types.Header) json.RawMessage {
	o := openObject(make([]byte, 0, 2048))
	writeHeader(&o, h, h.Hash())
	return o.close()
}

// blockJSON writes a block with full transactions or with their hashes.
func (a *API) blockJSON(block *types.Block, full bool) json.RawMessage {
	header, hash, txs := block.Header(), block.Hash(), block.Transactions()
	size := 2048 + len(txs)*68
	if full {
		size = 2048 + int(block.Size())*2 + len(txs)*900
	}
	o := openObject(make([]byte, 0, size))
	writeHeader(&o, header, hash)
	o.uint("size", block.Size())
	o.key("transactions")
	if full {
		receipts := a.depositReceipts(hash, txs)
		place := placeIn(header, hash)
		o.b = appendArray(o.b, len(txs), func(b []byte, i int) []byte {
			var r *types.Receipt
			if i < len(receipts) {
				r = receipts[i]
			}
			return a.appendTransaction(b, txs[i], place.at(i), r)
		})
	} else {
		o.b = appendArray(o.b, len(txs), func(b []byte, i int) []byte {
			h := txs[i].Hash()
			return appendBytes(b, h[:])
		})
	}
	o.key("uncles")
	o.b = append(o.b, "[]"...)
	if header.WithdrawalsHash != nil {
		// After Isthmus the list is always empty: withdrawalsRoot is the message passer's storage root.
		o.key("withdrawals")
		o.b = append(o.b, "[]"...)
	}
	return o.close()
}

// depositReceipts are needed for deposits only: their nonce is not part of the transaction.
func (a *API) depositReceipts(hash common.Hash, txs types.Transactions) types.Receipts {
	for _, tx := range txs {
		if tx.IsDepositTx() {
			return a.b.Receipts(hash)
		}
	}
	return nil
}

// place is where a transaction is included; the zero place is the pool.
type place struct {
	included bool
	hash     common.Hash
	number   uint64
	time     uint64
	index    uint64
	baseFee  *big.Int
}

func placeIn(h *types.Header, hash common.Hash) place {
	return place{included: true, hash: hash, number: h.Number.Uint64(), time: h.Time, baseFee: h.BaseFee}
}

func (p place) at(i int) place { p.index = uint64(i); return p }

// appendTransaction writes a transaction as op-geth does. receipt is used for deposits only and may be nil.
func (a *API) appendTransaction(b []byte, tx *types.Transaction, p place, receipt *types.Receipt) []byte {
	o := openObject(b)
	if p.included {
		o.hash("blockHash", p.hash)
		o.uint("blockNumber", p.number)
		o.uint("blockTimestamp", p.time)
	} else {
		o.null("blockHash")
		o.null("blockNumber")
		o.null("blockTimestamp")
	}
	o.address("from", a.sender(tx))
	o.uint("gas", tx.Gas())
	deposit := tx.IsDepositTx()
	if deposit {
		o.uint("gasPrice", 0)
	} else {
		o.big("gasPrice", effectiveGasPrice(tx, p.baseFee))
		o.big("maxFeePerGas", tx.GasFeeCap())
		o.big("maxPriorityFeePerGas", tx.GasTipCap())
	}
	o.hash("hash", tx.Hash())
	o.bytes("input", tx.Data())
	if deposit && receipt != nil && receipt.DepositNonce != nil {
		o.uint("nonce", *receipt.DepositNonce)
	} else {
		o.uint("nonce", tx.Nonce())
	}
	if to := tx.To(); to != nil {
		o.address("to", *to)
	} else {
		o.null("to")
	}
	if p.included {
		o.uint("transactionIndex", p.index)
	} else {
		o.null("transactionIndex")
	}
	o.big("value", tx.Value())
	o.uint("type", uint64(tx.Type()))
	if deposit {
		for _, k := range []string{"v", "r", "s"} {
			o.uint(k, 0)
		}
		o.hash("sourceHash", tx.SourceHash())
		mint := tx.Mint()
		if mint == nil {
			mint = common.Big0
		}
		o.big("mint", mint)
		if tx.IsSystemTx() {
			o.bool("isSystemTx", true)
		}
		if receipt != nil {
			o.optionalUint("depositReceiptVersion", receipt.DepositReceiptVersion)
		}
		return o.close()
	}
	o.key("accessList")
	o.b = append(o.b, "[]"...) // a transaction with one is malformed on this chain
	o.big("chainId", tx.ChainId())
	v, r, s := tx.RawSignatureValues()
	o.big("v", v)
	o.big("r", r)
	o.big("s", s)
	o.big("yParity", v)
	return o.close()
}

func (a *API) transactionJSON(tx *types.Transaction, p place, receipt *types.Receipt) json.RawMessage {
	return a.appendTransaction(make([]byte, 0, 1024+2*len(tx.Data())), tx, p, receipt)
}

// appendReceipt writes a receipt as op-geth does. The L1 fee fields appear where the backend derived them.
func (a *API) appendReceipt(b []byte, r *types.Receipt, tx *types.Transaction, p place) []byte {
	o := openObject(b)
	o.hash("blockHash", p.hash)
	o.uint("blockNumber", p.number)
	o.null("contractAddress") // nothing can be deployed
	o.uint("cumulativeGasUsed", r.CumulativeGasUsed)
	price := r.EffectiveGasPrice
	if price == nil {
		price = effectiveGasPrice(tx, p.baseFee)
	}
	o.big("effectiveGasPrice", price)
	o.address("from", a.sender(tx))
	o.uint("gasUsed", r.GasUsed)
	if tx.IsDepositTx() {
		o.optionalUint("depositNonce", r.DepositNonce)
		o.optionalUint("depositReceiptVersion", r.DepositReceiptVersion)
	} else {
		o.optionalBig("l1GasPrice", r.L1GasPrice)
		o.optionalBig("l1GasUsed", r.L1GasUsed)
		o.optionalBig("l1Fee", r.L1Fee)
		o.optionalBig("l1BlobBaseFee", r.L1BlobBaseFee)
		o.optionalUint("l1BaseFeeScalar", r.L1BaseFeeScalar)
		o.optionalUint("l1BlobBaseFeeScalar", r.L1BlobBaseFeeScalar)
		o.optionalUint("operatorFeeScalar", r.OperatorFeeScalar)
		o.optionalUint("operatorFeeConstant", r.OperatorFeeConstant)
		if r.DAFootprintGasScalar != nil {
			o.uint("daFootprintGasScalar", *r.DAFootprintGasScalar)
			o.uint("blobGasUsed", r.BlobGasUsed)
		}
	}
	o.key("logs")
	o.b = appendLogs(o.b, r.Logs)
	o.bytes("logsBloom", r.Bloom[:])
	o.uint("status", r.Status)
	if to := tx.To(); to != nil {
		o.address("to", *to)
	} else {
		o.null("to")
	}
	o.hash("transactionHash", tx.Hash())
	o.uint("transactionIndex", p.index)
	o.uint("type", uint64(tx.Type()))
	return o.close()
}

func appendLog(b []byte, l *types.Log) []byte {
	o := openObject(b)
	o.address("address", l.Address)
	o.key("topics")
	o.b = appendArray(o.b, len(l.Topics), func(b []byte, i int) []byte { return appendBytes(b, l.Topics[i][:]) })
	o.bytes("data", l.Data)
	o.uint("blockNumber", l.BlockNumber)
	o.hash("transactionHash", l.TxHash)
	o.uint("transactionIndex", uint64(l.TxIndex))
	o.hash("blockHash", l.BlockHash)
	o.uint("blockTimestamp", l.BlockTimestamp)
	o.uint("logIndex", uint64(l.Index))
	o.bool("removed", l.Removed)
	return o.close()
}

func appendLogs(b []byte, logs []*types.Log) []byte {
	return appendArray(b, len(logs), func(b []byte, i int) []byte { return appendLog(b, logs[i]) })
}

func logsJSON(logs []*types.Log) json.RawMessage {
	return appendLogs(make([]byte, 0, 2+len(logs)*900), logs)
}
