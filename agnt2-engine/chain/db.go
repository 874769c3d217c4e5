package chain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

func labelKey(name string) []byte { return append([]byte{'L'}, name...) }

func hashKey(prefix byte, h common.Hash) []byte { return append([]byte{prefix}, h[:]...) }

// blockKey begins with the number, so that what is large ascends with time: compactions need not touch it again.
func blockKey(prefix byte, n uint64, h common.Hash) []byte {
	return append(append([]byte{prefix}, be64(n)...), h[:]...)
}

func numberKey(n uint64) []byte { return append([]byte{'n'}, be64(n)...) }

// get returns nil for an absent key.
func get(db *pebble.DB, k []byte) ([]byte, error) {
	v, closer, err := db.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(v)
	return out, closer.Close()
}

// mustGet is get for readers that cannot report a failing disk.
func (c *Chain) mustGet(k []byte) []byte {
	v, err := get(c.db, k)
	if err != nil {
		panic(fmt.Sprintf("chain store: %v", err))
	}
	return v
}

// writeBlock stores a block and makes it canonical at its height.
func (c *Chain) writeBlock(batch *pebble.Batch, x *Executed) error {
	hash, n := x.Block.Hash(), x.Block.NumberU64()
	header, err := rlp.EncodeToBytes(x.Block.Header())
	if err != nil {
		return err
	}
	if x.Txs != nil {
		err = appended(batch, blockKey('B', n, hash), block.BodySize(x.Txs), func(dst []byte) []byte { return block.AppendBody(dst, x.Txs) })
	} else {
		var body []byte
		if body, err = rlp.EncodeToBytes(x.Block.Body()); err == nil {
			err = batch.Set(blockKey('B', n, hash), body, nil)
		}
	}
	if err != nil {
		return err
	}
	if err := appended(batch, blockKey('R', n, hash), block.StoredReceiptsSize(x.Receipts), func(dst []byte) []byte {
		return block.AppendStoredReceipts(dst, x.Receipts)
	}); err != nil {
		return err
	}
	for _, kv := range []struct{ k, v []byte }{{hashKey('H', hash), header}, {hashKey('N', hash), be64(n)}, {numberKey(n), hash[:]}} {
		if err := batch.Set(kv.k, kv.v, nil); err != nil {
			return err
		}
	}
	return nil
}

// appended sets a key to what f appends, size bytes, in the batch's own memory.
func appended(batch *pebble.Batch, k []byte, size int, f func(dst []byte) []byte) error {
	op := batch.SetDeferred(len(k), size)
	copy(op.Key, k)
	if got := len(f(op.Value[:0])); got != size {
		return fmt.Errorf("encoding of %d bytes, expected %d", got, size)
	}
	return op.Finish()
}

func isVoid(r *types.Receipt) bool { return r.Type != types.DepositTxType && r.GasUsed == 0 }

// index makes transactions and interactions of newly canonical blocks, oldest first, findable. What is on disk counts up
// to their common ancestor with the old chain. Void copies are entered first, so they never hide the real inclusion.
func (c *Chain) index(batch *pebble.Batch, blocks []*Executed, ancestor uint64) error {
	for _, void := range []bool{true, false} {
		for _, x := range blocks {
			if err := c.indexTransactions(batch, x, void, ancestor); err != nil {
				return err
			}
		}
	}
	for _, x := range blocks {
		n := be64(x.Block.NumberU64())
		if err := eachInteraction(x, func(prefix byte, id, tx common.Hash) error {
			return batch.Set(hashKey(prefix, id), append(bytes.Clone(tx[:]), n...), nil)
		}); err != nil {
			return err
		}
		if err := eachParty(x, func(k []byte, id common.Hash) error { return batch.Set(k, id[:], nil) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) indexTransactions(batch *pebble.Batch, x *Executed, void bool, ancestor uint64) error {
	for i, r := range x.Receipts {
		if isVoid(r) != void {
			continue
		}
		k := hashKey('t', r.TxHash)
		flag := byte(0)
		if void {
			flag = 1
			known, err := get(c.db, k)
			if err != nil {
				return err
			}
			if known != nil && known[16] == 0 && binary.BigEndian.Uint64(known) <= ancestor {
				continue
			}
		}
		v := append(append(be64(x.Block.NumberU64()), be64(uint64(i))...), flag)
		if err := batch.Set(k, v, nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chain) unindex(batch *pebble.Batch, x *Executed) error {
	if err := batch.Delete(numberKey(x.Block.NumberU64()), nil); err != nil {
		return err
	}
	for _, tx := range x.Block.Transactions() {
		k := hashKey('t', tx.Hash())
		v, err := get(c.db, k)
		if err != nil {
			return err
		}
		if v != nil && binary.BigEndian.Uint64(v) == x.Block.NumberU64() {
			if err := batch.Delete(k, nil); err != nil {
				return err
			}
		}
	}
	if err := eachParty(x, func(k []byte, _ common.Hash) error { return batch.Delete(k, nil) }); err != nil {
		return err
	}
	return eachInteraction(x, func(prefix byte, id, _ common.Hash) error { return batch.Delete(hashKey(prefix, id), nil) })
}

// eachInteraction calls f with the index prefix for every interaction that the block opens or settles.
func eachInteraction(x *Executed, f func(prefix byte, id, tx common.Hash) error) error {
	for _, r := range x.Receipts {
		for _, l := range r.Logs {
			if l.Address != abi.Address || len(l.Topics) < 2 {
				continue
			}
			var prefix byte
			switch l.Topics[0] {
			case abi.InvokedTopic:
				prefix = 'I'
			case abi.RespondedTopic, abi.TimedOutTopic:
				prefix = 'J'
			default:
				continue
			}
			if err := f(prefix, l.Topics[1], l.TxHash); err != nil {
				return err
			}
		}
	}
	return nil
}

// CanonicalHash returns the hash of the canonical block of a height; zero above the head.
func (c *Chain) CanonicalHash(n uint64) common.Hash {
	return common.BytesToHash(c.mustGet(numberKey(n)))
}

// NumberOf returns the number of a block that was adopted at some time.
func (c *Chain) NumberOf(hash common.Hash) (uint64, bool) {
	v := c.mustGet(hashKey('N', hash))
	if v == nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(v), true
}

func (c *Chain) pending(hash common.Hash) *Executed {
	c.pendMu.Lock()
	defer c.pendMu.Unlock()
	return c.pend[hash]
}

// HeaderByHash returns a known block's header, adopted or not; nil otherwise.
func (c *Chain) HeaderByHash(hash common.Hash) *types.Header {
	if h, ok := c.headers.Get(hash); ok {
		return h
	}
	if x := c.pending(hash); x != nil {
		return x.Block.Header()
	}
	raw := c.mustGet(hashKey('H', hash))
	if raw == nil {
		return nil
	}
	h := new(types.Header)
	if err := rlp.DecodeBytes(raw, h); err != nil {
		panic(fmt.Sprintf("chain store: header %s: %v", hash, err))
	}
	c.headers.Add(hash, h)
	return h
}

// HeaderByNumber resolves a number or label on the canonical chain; nil if there is none.
func (c *Chain) HeaderByNumber(n rpc.BlockNumber) *types.Header {
	switch n {
	case rpc.LatestBlockNumber, rpc.PendingBlockNumber:
		return c.Head()
	case rpc.SafeBlockNumber:
		return c.Safe()
	case rpc.FinalizedBlockNumber:
		return c.Finalized()
	case rpc.EarliestBlockNumber:
		return c.genesis.Header()
	}
	if n < 0 {
		return nil
	}
	hash := c.CanonicalHash(uint64(n))
	if hash == (common.Hash{}) {
		return nil
	}
	return c.HeaderByHash(hash)
}

// Executed returns a known block with its receipts; nil if unknown.
func (c *Chain) Executed(hash common.Hash) *Executed {
	if x := c.pending(hash); x != nil {
		return x
	}
	if x, ok := c.executed.Get(hash); ok {
		return x
	}
	b := c.readBlock(hash)
	if b == nil {
		return nil
	}
	x := &Executed{Block: b, Receipts: c.readReceipts(b)}
	c.executed.Add(hash, x)
	return x
}

// BlockByHash returns a known block, adopted or not.
func (c *Chain) BlockByHash(hash common.Hash) *types.Block {
	if x := c.Executed(hash); x != nil {
		return x.Block
	}
	return nil
}

// Receipts returns a known block's receipts with all derived fields.
func (c *Chain) Receipts(hash common.Hash) types.Receipts {
	if x := c.Executed(hash); x != nil {
		return x.Receipts
	}
	return nil
}

func (c *Chain) readBlock(hash common.Hash) *types.Block {
	h := c.HeaderByHash(hash)
	if h == nil {
		return nil
	}
	raw := c.mustGet(blockKey('B', h.Number.Uint64(), hash))
	if raw == nil {
		return nil
	}
	body := new(types.Body)
	if err := rlp.DecodeBytes(raw, body); err != nil {
		panic(fmt.Sprintf("chain store: body %s: %v", hash, err))
	}
	if body.Withdrawals == nil {
		body.Withdrawals = types.Withdrawals{}
	}
	return types.NewBlockWithHeader(h).WithBody(*body)
}

// readReceipts restores what storage leaves out.
func (c *Chain) readReceipts(b *types.Block) types.Receipts {
	var stored []*types.ReceiptForStorage
	if raw := c.mustGet(blockKey('R', b.NumberU64(), b.Hash())); len(raw) > 0 {
		if err := rlp.DecodeBytes(raw, &stored); err != nil {
			panic(fmt.Sprintf("chain store: receipts %s: %v", b.Hash(), err))
		}
	}
	var l1 record.L1Info
	if txs := b.Transactions(); len(txs) > 0 {
		if p, err := vm.ParseL1Attributes(txs[0].Data()); err == nil {
			l1 = *p
		}
	}
	out := make(types.Receipts, len(stored))
	var cumulative uint64
	var logIndex uint
	for i, s := range stored {
		r, tx := (*types.Receipt)(s), b.Transactions()[i]
		r.Type, r.TxHash, r.BlockHash, r.BlockNumber, r.TransactionIndex = tx.Type(), tx.Hash(), b.Hash(), b.Number(), uint(i)
		r.GasUsed = r.CumulativeGasUsed - cumulative
		cumulative = r.CumulativeGasUsed
		r.EffectiveGasPrice = new(big.Int)
		if r.Logs == nil {
			r.Logs = []*types.Log{}
		}
		for _, l := range r.Logs {
			l.BlockNumber, l.BlockHash, l.BlockTimestamp = b.NumberU64(), b.Hash(), b.Time()
			l.TxHash, l.TxIndex, l.Index = r.TxHash, uint(i), logIndex
			logIndex++
		}
		r.Bloom = types.CreateBloom(r)
		if tx.Type() != types.DepositTxType {
			setFeeFields(r, tx, &l1, b.BaseFee())
		}
		out[i] = r
	}
	return out
}

func setFeeFields(r *types.Receipt, tx *types.Transaction, l1 *record.L1Info, baseFee *big.Int) {
	r.L1GasPrice, r.L1BlobBaseFee = l1.BaseFee.ToBig(), l1.BlobBaseFee.ToBig()
	r.L1GasUsed = new(big.Int).SetUint64(16 * tx.Size())
	scalar, blobScalar := uint64(l1.BaseFeeScalar), uint64(l1.BlobBaseFeeScalar)
	r.L1BaseFeeScalar, r.L1BlobBaseFeeScalar = &scalar, &blobScalar
	r.L1Fee = new(big.Int)
	if isVoid(r) {
		return
	}
	fee := gas.L1DataFee(l1, int(tx.Size()))
	r.L1Fee = fee.ToBig()
	tip, _ := tx.EffectiveGasTip(baseFee)
	r.EffectiveGasPrice.Add(baseFee, tip)
}

// Location is where a transaction is included.
type Location struct {
	Block  common.Hash
	Number uint64
	Index  uint64
	Void   bool
}

// Transaction finds a transaction on the canonical chain: its non-void inclusion if there is one.
func (c *Chain) Transaction(hash common.Hash) (Location, bool) {
	v := c.mustGet(hashKey('t', hash))
	if len(v) != 17 {
		return Location{}, false
	}
	l := Location{Number: binary.BigEndian.Uint64(v), Index: binary.BigEndian.Uint64(v[8:]), Void: v[16] == 1}
	l.Block = c.CanonicalHash(l.Number)
	return l, true
}

// Trace of an interaction: the transactions that opened and settled it; zero hashes where there is none yet.
type Trace struct {
	Invoke, Settle           common.Hash
	InvokeBlock, SettleBlock uint64
}

// Interaction finds the transactions of an interaction on the canonical chain.
func (c *Chain) Interaction(id common.Hash) (t Trace, ok bool) {
	if v := c.mustGet(hashKey('I', id)); len(v) == 40 {
		t.Invoke, t.InvokeBlock, ok = common.Hash(v[:32]), binary.BigEndian.Uint64(v[32:]), true
	}
	if v := c.mustGet(hashKey('J', id)); len(v) == 40 {
		t.Settle, t.SettleBlock = common.Hash(v[:32]), binary.BigEndian.Uint64(v[32:])
	}
	return t, ok
}
