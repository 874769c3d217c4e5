// Package node is what AGNT2 adds to op-node: a view of L1 in which only those batches exist that LayerRoot accepted.
//
// Derivation itself looks at sender and recipient of an L1 transaction, not at its receipt, so a reverted batcher transaction
// would be read like any other, and what nodes derive would differ from what LayerRoot recorded and the fault proof sees.
package node

import (
	"context"
	"fmt"

	opnode "github.com/ethereum-optimism/optimism/op-node/node"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
)

// acceptedBlocks bounds the cache of filtered blocks. It is keyed by block hash, so a reorg cannot make it stale.
const acceptedBlocks = 1024

// AcceptedSource is an L1Source whose blocks hold, of all transactions to the inbox, only those that LayerRoot accepted.
type AcceptedSource struct {
	opnode.L1Source
	inbox common.Address
	log   log.Logger
	cache *lru.Cache[common.Hash, types.Transactions]
}

// NewAcceptedSource filters inner, which verifies what it fetches. inbox is the LayerRoot contract.
func NewAcceptedSource(inner opnode.L1Source, inbox common.Address, l log.Logger) *AcceptedSource {
	return &AcceptedSource{L1Source: inner, inbox: inbox, log: l, cache: lru.NewCache[common.Hash, types.Transactions](acceptedBlocks)}
}

// InfoAndTxsByHash returns a block without the inbox transactions that LayerRoot refused.
func (s *AcceptedSource) InfoAndTxsByHash(ctx context.Context, hash common.Hash) (eth.BlockInfo, types.Transactions, error) {
	info, txs, err := s.L1Source.InfoAndTxsByHash(ctx, hash)
	if err != nil {
		return nil, nil, err
	}
	if kept, ok := s.cache.Get(hash); ok {
		return info, kept, nil
	}
	kept, err := s.filter(ctx, hash, txs)
	if err != nil {
		return nil, nil, err
	}
	s.cache.Add(hash, kept)
	return info, kept, nil
}

func (s *AcceptedSource) filter(ctx context.Context, hash common.Hash, txs types.Transactions) (types.Transactions, error) {
	var receipts types.Receipts
	kept := make(types.Transactions, 0, len(txs))
	for i, tx := range txs {
		if to := tx.To(); to == nil || *to != s.inbox {
			kept = append(kept, tx)
			continue
		}
		if receipts == nil {
			var err error
			if _, receipts, err = s.L1Source.FetchReceipts(ctx, hash); err != nil {
				return nil, fmt.Errorf("receipts of L1 block %s: %w", hash, err)
			}
			if len(receipts) != len(txs) {
				return nil, fmt.Errorf("L1 block %s has %d transactions and %d receipts", hash, len(txs), len(receipts))
			}
		}
		if s.accepted(receipts[i]) {
			kept = append(kept, tx)
		} else {
			s.log.Warn("LayerRoot refused a transaction to the inbox; it is not derived from", "block", hash, "tx", tx.Hash())
		}
	}
	return kept, nil
}

// accepted reports whether LayerRoot recorded the transaction: its fallback logs every commitment it takes and reverts on
// every other.
func (s *AcceptedSource) accepted(r *types.Receipt) bool {
	if r.Status != types.ReceiptStatusSuccessful {
		return false
	}
	for _, l := range r.Logs {
		if l.Address == s.inbox {
			return true
		}
	}
	return false
}
