package ethapi

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
)

// maxReceiptHashes bounds the transactions that one transactionReceipts subscription follows.
const maxReceiptHashes = 200

// subscribe serves one subscription. A subscriber that cannot keep up has its connection closed: the protocol has no
// way to say that events are missing, while every client knows how to reconnect and read up.
func (a *API) subscribe(ctx context.Context, t topic, send func(ev change, notify func(any) error) error) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	client, known := rpc.ClientFromContext(ctx)
	if !ok || !known {
		return nil, rpc.ErrNotificationsUnsupported
	}
	l, err := a.hub.listen(t, client, a.cfg.SubscriptionQueue)
	if err != nil {
		return nil, err
	}
	sub := notifier.CreateSubscription()
	notify := func(x any) error { return notifier.Notify(sub.ID, x) }
	go func() {
		defer a.hub.unlisten(t, l, client)
		for {
			select {
			case ev := <-l.ch:
				if send(ev, notify) != nil {
					return // the connection is closed
				}
			case <-l.lost:
				a.cfg.Log.Warn("Closing connection of a subscriber that missed events", "subscription", sub.ID)
				client.Close()
				return
			case <-sub.Err():
				return
			case <-a.hub.quit:
				return
			}
		}
	}()
	return sub, nil
}

// NewHeads implements the newHeads subscription: every block that becomes canonical, also those between two heads.
func (e *ethAPI) NewHeads(ctx context.Context) (*rpc.Subscription, error) {
	return e.a.subscribe(ctx, topicHeads, func(ev change, notify func(any) error) error {
		for _, h := range ev.heads {
			if err := notify(headerJSON(h)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Logs implements the logs subscription. After a reorg, logs of removed blocks come again with removed = true, newest
// first, before the new chain's logs.
func (e *ethAPI) Logs(ctx context.Context, c Criteria) (*rpc.Subscription, error) {
	if c.BlockHash != nil {
		return nil, invalidParams("a subscription follows new blocks: use eth_getLogs for blockHash")
	}
	return e.a.subscribe(ctx, topicLogs, func(ev change, notify func(any) error) error {
		for _, l := range ev.logs {
			if !c.matchesLive(l) {
				continue
			}
			if err := notify(json.RawMessage(appendLog(nil, l))); err != nil {
				return err
			}
		}
		return nil
	})
}

// NewPendingTransactions implements the newPendingTransactions subscription: hashes, or with full = true objects.
func (e *ethAPI) NewPendingTransactions(ctx context.Context, full *bool) (*rpc.Subscription, error) {
	return e.a.subscribe(ctx, topicPool, func(ev change, notify func(any) error) error {
		for _, tx := range ev.txs {
			var what any = tx.Hash
			if full != nil && *full {
				what = e.a.transactionJSON(tx.Ethereum(), place{}, nil)
			}
			if err := notify(what); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReceiptsQuery selects transactions by hash; none selects all.
type ReceiptsQuery struct {
	TransactionHashes []common.Hash `json:"transactionHashes"`
}

// TransactionReceipts implements go-ethereum's transactionReceipts subscription: for each new block, the receipts of
// the transactions asked for, as one list.
func (e *ethAPI) TransactionReceipts(ctx context.Context, q *ReceiptsQuery) (*rpc.Subscription, error) {
	var keep func(common.Hash) bool
	if q != nil && len(q.TransactionHashes) > 0 {
		if len(q.TransactionHashes) > maxReceiptHashes {
			return nil, invalidParams("%d transaction hashes, at most %d", len(q.TransactionHashes), maxReceiptHashes)
		}
		keep = func(h common.Hash) bool { return slices.Contains(q.TransactionHashes, h) }
	}
	return e.a.subscribe(ctx, topicReceipts, func(ev change, notify func(any) error) error {
		for _, h := range ev.heads {
			block, receipts := e.a.b.BlockByHash(h.Hash()), e.a.b.Receipts(h.Hash())
			if block == nil || len(receipts) != len(block.Transactions()) {
				continue
			}
			out, n := e.a.receiptsJSON(block, receipts, keep)
			if n == 0 {
				continue
			}
			if err := notify(out); err != nil {
				return err
			}
		}
		return nil
	})
}
