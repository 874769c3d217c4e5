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

	"github.com/agnt2/agnt2/agnt2-engine/hashindex"
	"github.com/agnt2/agnt2/agnt2-engine/seglog"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

func labelKey(name string) []byte { return append([]byte{'L'}, name...) }

func hashKey(prefix byte, h common.Hash) []byte { return append([]byte{prefix}, h[:]...) }

func blockKey(n uint64, h common.Hash) []byte {
	return append(append([]byte{'B'}, be64(n)...), h[:]...)
}

func canonicalKey(n uint64) []byte { return append([]byte{'C'}, be64(n)...) }

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

// refs are where a block's parts are in the log.
type refs struct{ body, receipts, index seglog.Ref }

func (r *refs) encode() []byte { return r.index.Append(r.receipts.Append(r.body.Append(nil))) }

func decodeRefs(b []byte) (r refs, ok bool) {
	if len(b) != 3*seglog.RefBytes {
		return r, false
	}
	r.body, _ = seglog.DecodeRef(b)
	r.receipts, _ = seglog.DecodeRef(b[seglog.RefBytes:])
	r.index, _ = seglog.DecodeRef(b[2*seglog.RefBytes:])
	return r, true
}

// refs returns where the parts of a block are that was adopted at some time; ok is false if there is none.
func (c *Chain) refs(n uint64, hash common.Hash) (r refs, ok bool) {
	raw := c.mustGet(blockKey(n, hash))
	if raw == nil {
		return r, false
	}
	if r, ok = decodeRefs(raw); !ok {
		panic(fmt.Sprintf("chain store: references of block %s", hash))
	}
	return r, true
}

func (c *Chain) mustRead(r seglog.Ref) []byte {
	b, err := c.blocks.Read(r)
	if err != nil {
		panic(fmt.Sprintf("chain store: %v", err))
	}
	return b
}

// appended is a block whose large parts are in the log.
type appended struct {
	*Executed
	refs
	hashes []hashindex.Entry
}

// appendBlocks writes the large parts of blocks to the log. They are on disk when it returns.
func (c *Chain) appendBlocks(blocks []*Executed) ([]appended, error) {
	out := make([]appended, len(blocks))
	for i, x := range blocks {
		out[i].Executed = x
		if err := c.appendBlock(&out[i]); err != nil {
			return nil, err
		}
	}
	return out, c.blocks.Sync()
}

func (c *Chain) appendBlock(x *appended) (err error) {
	if x.body, err = c.blocks.Append(block.BodySize(x.Raws), func(dst []byte) []byte { return block.AppendBody(dst, x.Raws) }); err != nil {
		return err
	}
	if x.receipts, err = c.blocks.Append(block.StoredReceiptsSize(x.Receipts), func(dst []byte) []byte {
		return block.AppendStoredReceipts(dst, x.Receipts)
	}); err != nil {
		return err
	}
	is := interactions(x.Executed)
	var malformed error
	x.index, err = c.blocks.Append(indexSize(len(x.Receipts), is), func(dst []byte) []byte {
		dst = appendIndex(dst, x.Executed, is)
		x.hashes, malformed = hashEntries(x.Number(), dst)
		return dst
	})
	return errors.Join(err, malformed)
}

// writeBlock stores what else there is of a block and makes it canonical at its height.
func writeBlock(batch *pebble.Batch, x *appended) error {
	hash, n := x.Hash, x.Number()
	header, err := rlp.EncodeToBytes(x.Header)
	if err != nil {
		return err
	}
	for _, kv := range []struct{ k, v []byte }{
		{blockKey(n, hash), x.refs.encode()}, {canonicalKey(n), hash[:]}, {hashKey('H', hash), header}, {hashKey('I', hash), be64(n)},
	} {
		if err := batch.Set(kv.k, kv.v, nil); err != nil {
			return err
		}
	}
	return nil
}

func isVoid(r *types.Receipt) bool { return r.Type != types.DepositTxType && r.GasUsed == 0 }

// CanonicalHash returns the hash of the canonical block of a height; zero above the head.
func (c *Chain) CanonicalHash(n uint64) common.Hash {
	return common.BytesToHash(c.mustGet(canonicalKey(n)))
}

// NumberOf returns the number of a block that was adopted at some time.
func (c *Chain) NumberOf(hash common.Hash) (uint64, bool) {
	v := c.mustGet(hashKey('I', hash))
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
		return x.Header
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
	x := c.read(hash)
	if x != nil {
		c.executed.Add(hash, x)
	}
	return x
}

// BlockByHash returns a known block, adopted or not.
func (c *Chain) BlockByHash(hash common.Hash) *types.Block {
	if x := c.Executed(hash); x != nil {
		return x.Block()
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

// read reads a block that was adopted at some time; nil if there is none.
func (c *Chain) read(hash common.Hash) *Executed {
	h := c.HeaderByHash(hash)
	if h == nil {
		return nil
	}
	r, ok := c.refs(h.Number.Uint64(), hash)
	if !ok {
		return nil
	}
	x, body, raw := &Executed{Header: h, Hash: hash}, new(types.Body), c.mustRead(r.body)
	var err error
	if x.Raws, err = block.SplitBody(raw); err == nil {
		err = rlp.DecodeBytes(raw, body)
	}
	if err != nil {
		panic(fmt.Sprintf("chain store: body %s: %v", hash, err))
	}
	x.ethereum.Store(types.NewBlockWithHeader(h).WithBody(types.Body{Transactions: body.Transactions, Withdrawals: types.Withdrawals{}}))
	var stored []*types.ReceiptForStorage
	if err := rlp.DecodeBytes(c.mustRead(r.receipts), &stored); err != nil {
		panic(fmt.Sprintf("chain store: receipts %s: %v", hash, err))
	}
	x.Receipts = derived(x.Block(), stored)
	return x
}

// derived restores what storage leaves out of receipts.
func derived(b *types.Block, stored []*types.ReceiptForStorage) types.Receipts {
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
