package ethapi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// Version implements net_version: the chain id in decimal.
func (n *netAPI) Version() string { return n.a.b.ChainConfig().ChainID.String() }

// Listening implements net_listening.
func (n *netAPI) Listening() bool { return true }

// PeerCount implements net_peerCount: peers are the rollup node's.
func (n *netAPI) PeerCount() hexutil.Uint { return 0 }

// ClientVersion implements web3_clientVersion.
func (w *web3API) ClientVersion() string { return w.a.cfg.ClientVersion }

// Sha3 implements web3_sha3: keccak256.
func (w *web3API) Sha3(input hexutil.Bytes) hexutil.Bytes { return crypto.Keccak256(input) }

// SetMaxDASize implements OP's miner_setMaxDASize: limits in bytes for one transaction and one block, 0 for none.
func (m *minerAPI) SetMaxDASize(maxTx, maxBlock hexutil.Big) (bool, error) {
	tx, block := maxTx.ToInt(), maxBlock.ToInt()
	if !tx.IsUint64() || !block.IsUint64() {
		return false, invalidParams("DA size limits exceed 64 bits")
	}
	m.a.b.SetMaxDASize(tx.Uint64(), block.Uint64())
	return true, nil
}

// Status implements txpool_status.
func (t *txPoolAPI) Status() map[string]hexutil.Uint {
	pending, queued := t.a.b.PoolStats()
	return map[string]hexutil.Uint{"pending": hexutil.Uint(pending), "queued": hexutil.Uint(queued)}
}

// byNonce is the pool's transactions of one sender, keyed by decimal nonce.
func byNonce[T any](txs []*types.Transaction, show func(*types.Transaction) T) map[string]T {
	out := make(map[string]T, len(txs))
	for _, tx := range txs {
		out[strconv.FormatUint(tx.Nonce(), 10)] = show(tx)
	}
	return out
}

func poolContent[T any](ctx context.Context, t *txPoolAPI, show func(*types.Transaction) T) (map[string]map[string]map[string]T, error) {
	if p, q := t.a.b.PoolStats(); p+q > t.a.cfg.MaxPoolContent {
		return nil, limitExceeded("the pool holds %d transactions, more than the %d that one answer may: use txpool_contentFrom",
			p+q, t.a.cfg.MaxPoolContent)
	}
	_, done, err := t.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	pending, queued := t.a.b.PoolContent()
	out := map[string]map[string]map[string]T{"pending": {}, "queued": {}}
	for kind, senders := range map[string]map[common.Address][]*types.Transaction{"pending": pending, "queued": queued} {
		for who, txs := range senders {
			out[kind][who.Hex()] = byNonce(txs, show)
		}
	}
	return out, nil
}

func (t *txPoolAPI) show(tx *types.Transaction) json.RawMessage {
	return t.a.transactionJSON(tx, place{}, nil)
}

// Content implements txpool_content.
func (t *txPoolAPI) Content(ctx context.Context) (map[string]map[string]map[string]json.RawMessage, error) {
	return poolContent(ctx, t, t.show)
}

// ContentFrom implements txpool_contentFrom.
func (t *txPoolAPI) ContentFrom(ctx context.Context, who common.Address) (map[string]map[string]json.RawMessage, error) {
	_, done, err := t.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	pending, queued := t.a.b.PoolContent()
	return map[string]map[string]json.RawMessage{
		"pending": byNonce(pending[who], t.show), "queued": byNonce(queued[who], t.show),
	}, nil
}

// Inspect implements txpool_inspect: a line for each transaction.
func (t *txPoolAPI) Inspect(ctx context.Context) (map[string]map[string]map[string]string, error) {
	return poolContent(ctx, t, func(tx *types.Transaction) string {
		to := "contract creation"
		if tx.To() != nil {
			to = tx.To().Hex()
		}
		return fmt.Sprintf("%s: %v wei + %v gas × %v wei", to, tx.Value(), tx.Gas(), tx.GasFeeCap())
	})
}
