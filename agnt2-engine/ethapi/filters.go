package ethapi

import (
	"context"
	"encoding/json"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"
)

// NewFilter implements eth_newFilter: logs from now on, also those that a reorg removes.
func (e *ethAPI) NewFilter(c Criteria) (rpc.ID, error) {
	if c.BlockHash != nil {
		return "", invalidParams("a filter follows new blocks: use eth_getLogs for blockHash")
	}
	return e.a.hub.addFilter(topicLogs, c)
}

// NewBlockFilter implements eth_newBlockFilter.
func (e *ethAPI) NewBlockFilter() (rpc.ID, error) { return e.a.hub.addFilter(topicHeads, Criteria{}) }

// NewPendingTransactionFilter implements eth_newPendingTransactionFilter: hashes of what enters the pool.
func (e *ethAPI) NewPendingTransactionFilter() (rpc.ID, error) {
	return e.a.hub.addFilter(topicPool, Criteria{})
}

// UninstallFilter implements eth_uninstallFilter.
func (e *ethAPI) UninstallFilter(id rpc.ID) bool { return e.a.hub.removeFilter(id) }

// GetFilterChanges implements eth_getFilterChanges: what is new since the last poll.
func (e *ethAPI) GetFilterChanges(id rpc.ID) (any, error) {
	f, err := e.a.hub.poll(id)
	if err != nil {
		return nil, err
	}
	if f.topic == topicLogs {
		return logsJSON(f.logs), nil
	}
	if f.hashes == nil {
		return []common.Hash{}, nil
	}
	return f.hashes, nil
}

// GetFilterLogs implements eth_getFilterLogs: everything that a log filter's criteria match, as eth_getLogs.
func (e *ethAPI) GetFilterLogs(ctx context.Context, id rpc.ID) (json.RawMessage, error) {
	c, err := e.a.hub.criteriaOf(id)
	if err != nil {
		return nil, err
	}
	return e.GetLogs(ctx, c)
}
