package ethapi

import (
	"context"
	"encoding/json"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

// ChainId implements eth_chainId.
func (e *ethAPI) ChainId() *hexutil.Big { return (*hexutil.Big)(e.a.b.ChainConfig().ChainID) }

// BlockNumber implements eth_blockNumber.
func (e *ethAPI) BlockNumber() (hexutil.Uint64, error) {
	h, err := e.a.head()
	if err != nil {
		return 0, err
	}
	return hexutil.Uint64(h.Number.Uint64()), nil
}

// Syncing implements eth_syncing: the rollup node drives the engine, which is never behind by itself.
func (e *ethAPI) Syncing() bool { return false }

// Accounts implements eth_accounts: the engine holds no keys.
func (e *ethAPI) Accounts() []common.Address { return []common.Address{} }

// blockByNumber is nil for an unknown height, an error for an unset label.
func (a *API) blockByNumber(number rpc.BlockNumber) (*types.Block, error) {
	h := a.b.HeaderByNumber(number)
	if h == nil {
		if number == rpc.SafeBlockNumber || number == rpc.FinalizedBlockNumber {
			return a.noLabel(number)
		}
		return nil, nil
	}
	return a.b.BlockByHash(h.Hash()), nil
}

func (a *API) noLabel(number rpc.BlockNumber) (*types.Block, error) {
	_, err := a.headerByNumber(number)
	return nil, err
}

// GetBlockByNumber implements eth_getBlockByNumber: null for an unknown height.
func (e *ethAPI) GetBlockByNumber(ctx context.Context, number rpc.BlockNumber, full bool) (json.RawMessage, error) {
	block, err := e.a.blockByNumber(number)
	if block == nil {
		return nil, err
	}
	return e.block(ctx, block, full)
}

// GetBlockByHash implements eth_getBlockByHash: null for an unknown hash.
func (e *ethAPI) GetBlockByHash(ctx context.Context, hash common.Hash, full bool) (json.RawMessage, error) {
	block := e.a.b.BlockByHash(hash)
	if block == nil {
		return nil, nil
	}
	return e.block(ctx, block, full)
}

// block renders a block. A full one takes megabytes, so strangers queue for it; the rollup node, whose derivation waits
// for the answer, does not.
func (e *ethAPI) block(ctx context.Context, block *types.Block, full bool) (json.RawMessage, error) {
	if full && !e.trusted {
		_, done, err := e.a.bounded(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
	}
	return e.a.blockJSON(block, full), nil
}

// GetHeaderByNumber implements eth_getHeaderByNumber.
func (e *ethAPI) GetHeaderByNumber(number rpc.BlockNumber) (json.RawMessage, error) {
	h := e.a.b.HeaderByNumber(number)
	if h == nil {
		_, err := e.a.blockByNumber(number)
		return nil, err
	}
	return headerJSON(h), nil
}

// GetHeaderByHash implements eth_getHeaderByHash.
func (e *ethAPI) GetHeaderByHash(hash common.Hash) json.RawMessage {
	h := e.a.b.HeaderByHash(hash)
	if h == nil {
		return nil
	}
	return headerJSON(h)
}

func count(block *types.Block) *hexutil.Uint {
	if block == nil {
		return nil
	}
	n := hexutil.Uint(len(block.Transactions()))
	return &n
}

// GetBlockTransactionCountByNumber implements eth_getBlockTransactionCountByNumber.
func (e *ethAPI) GetBlockTransactionCountByNumber(number rpc.BlockNumber) (*hexutil.Uint, error) {
	block, err := e.a.blockByNumber(number)
	return count(block), err
}

// GetBlockTransactionCountByHash implements eth_getBlockTransactionCountByHash.
func (e *ethAPI) GetBlockTransactionCountByHash(hash common.Hash) *hexutil.Uint {
	return count(e.a.b.BlockByHash(hash))
}

// There are no uncles on a rollup: none is ever found, and every known block has zero.

// GetUncleByBlockNumberAndIndex implements eth_getUncleByBlockNumberAndIndex.
func (e *ethAPI) GetUncleByBlockNumberAndIndex(rpc.BlockNumber, hexutil.Uint) json.RawMessage {
	return nil
}

// GetUncleByBlockHashAndIndex implements eth_getUncleByBlockHashAndIndex.
func (e *ethAPI) GetUncleByBlockHashAndIndex(common.Hash, hexutil.Uint) json.RawMessage { return nil }

// GetUncleCountByBlockNumber implements eth_getUncleCountByBlockNumber.
func (e *ethAPI) GetUncleCountByBlockNumber(number rpc.BlockNumber) *hexutil.Uint {
	if e.a.b.HeaderByNumber(number) == nil {
		return nil
	}
	return new(hexutil.Uint)
}

// GetUncleCountByBlockHash implements eth_getUncleCountByBlockHash.
func (e *ethAPI) GetUncleCountByBlockHash(hash common.Hash) *hexutil.Uint {
	if e.a.b.HeaderByHash(hash) == nil {
		return nil
	}
	return new(hexutil.Uint)
}

func (a *API) transactionInBlock(block *types.Block, index uint64) json.RawMessage {
	if block == nil || index >= uint64(len(block.Transactions())) {
		return nil
	}
	tx := block.Transactions()[index]
	var receipt *types.Receipt
	if tx.IsDepositTx() {
		if rs := a.b.Receipts(block.Hash()); index < uint64(len(rs)) {
			receipt = rs[index]
		}
	}
	return a.transactionJSON(tx, placeIn(block.Header(), block.Hash()).at(int(index)), receipt)
}

// GetTransactionByHash implements eth_getTransactionByHash: the included transaction (its non-void inclusion if there is
// one), else the pool's, else null.
func (e *ethAPI) GetTransactionByHash(hash common.Hash) json.RawMessage {
	if loc, ok := e.a.b.Transaction(hash); ok {
		if tx := e.a.transactionInBlock(e.a.b.BlockByHash(loc.BlockHash), loc.Index); tx != nil {
			return tx
		}
	}
	if tx := e.a.b.PoolTransaction(hash); tx != nil {
		return e.a.transactionJSON(tx, place{}, nil)
	}
	return nil
}

// GetTransactionByBlockNumberAndIndex implements eth_getTransactionByBlockNumberAndIndex.
func (e *ethAPI) GetTransactionByBlockNumberAndIndex(number rpc.BlockNumber, index hexutil.Uint) (json.RawMessage, error) {
	block, err := e.a.blockByNumber(number)
	return e.a.transactionInBlock(block, uint64(index)), err
}

// GetTransactionByBlockHashAndIndex implements eth_getTransactionByBlockHashAndIndex.
func (e *ethAPI) GetTransactionByBlockHashAndIndex(hash common.Hash, index hexutil.Uint) json.RawMessage {
	return e.a.transactionInBlock(e.a.b.BlockByHash(hash), uint64(index))
}

// GetRawTransactionByHash implements eth_getRawTransactionByHash: the EIP-2718 bytes.
func (e *ethAPI) GetRawTransactionByHash(hash common.Hash) (hexutil.Bytes, error) {
	tx := e.a.b.PoolTransaction(hash)
	if loc, ok := e.a.b.Transaction(hash); ok {
		if block := e.a.b.BlockByHash(loc.BlockHash); block != nil && loc.Index < uint64(len(block.Transactions())) {
			tx = block.Transactions()[loc.Index]
		}
	}
	if tx == nil {
		return nil, nil
	}
	return tx.MarshalBinary()
}

// receipt of an included transaction; nil if it is not included.
func (a *API) receipt(hash common.Hash) json.RawMessage {
	loc, ok := a.b.Transaction(hash)
	if !ok {
		return nil
	}
	block, receipts := a.b.BlockByHash(loc.BlockHash), a.b.Receipts(loc.BlockHash)
	if block == nil || loc.Index >= uint64(len(receipts)) || len(receipts) != len(block.Transactions()) {
		return nil
	}
	r := receipts[loc.Index]
	p := placeIn(block.Header(), loc.BlockHash).at(int(loc.Index))
	return a.appendReceipt(make([]byte, 0, 2048+len(r.Logs)*900), r, block.Transactions()[loc.Index], p)
}

// GetTransactionReceipt implements eth_getTransactionReceipt: null until the transaction is in a block.
func (e *ethAPI) GetTransactionReceipt(hash common.Hash) json.RawMessage { return e.a.receipt(hash) }

// receipts of a block as a JSON array; keep selects some of them, nil all.
func (a *API) receiptsJSON(block *types.Block, receipts types.Receipts, keep func(common.Hash) bool) (json.RawMessage, int) {
	txs, p := block.Transactions(), placeIn(block.Header(), block.Hash())
	b, n := append(make([]byte, 0, 2+len(txs)*2048), '['), 0
	for i, r := range receipts {
		if keep != nil && !keep(txs[i].Hash()) {
			continue
		}
		if n > 0 {
			b = append(b, ',')
		}
		n++
		b = a.appendReceipt(b, r, txs[i], p.at(i))
	}
	return append(b, ']'), n
}

// GetBlockReceipts implements eth_getBlockReceipts: null for an unknown block.
func (e *ethAPI) GetBlockReceipts(ctx context.Context, at rpc.BlockNumberOrHash) (json.RawMessage, error) {
	h, err := e.a.header(&at)
	if err != nil {
		return nil, nil
	}
	_, done, err := e.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	block, receipts := e.a.b.BlockByHash(h.Hash()), e.a.b.Receipts(h.Hash())
	if block == nil || len(receipts) != len(block.Transactions()) {
		return nil, nil
	}
	out, _ := e.a.receiptsJSON(block, receipts, nil)
	return out, nil
}

// BlobBaseFee implements eth_blobBaseFee: there are no blobs here, so the price stays at its minimum of 1 wei.
func (e *ethAPI) BlobBaseFee() *hexutil.Big { return (*hexutil.Big)(big.NewInt(1)) }
