package ethapi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	maxTopics          = 4    // a log has at most four
	maxTopicChoices    = 1000 // alternatives for one topic
	maxFilterAddresses = 1000
)

// Criteria select logs: the parameter of eth_getLogs, eth_newFilter and the logs subscription.
type Criteria struct {
	BlockHash *common.Hash
	FromBlock *rpc.BlockNumber
	ToBlock   *rpc.BlockNumber
	Addresses []common.Address
	Topics    [][]common.Hash // by position; an empty list matches anything
}

// UnmarshalJSON reads the execution API's filter object: address is one or a list, each topic null, one or a list.
func (c *Criteria) UnmarshalJSON(data []byte) error {
	var raw struct {
		BlockHash *common.Hash      `json:"blockHash"`
		FromBlock *rpc.BlockNumber  `json:"fromBlock"`
		ToBlock   *rpc.BlockNumber  `json:"toBlock"`
		Address   json.RawMessage   `json:"address"`
		Topics    []json.RawMessage `json:"topics"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	if raw.BlockHash != nil && (raw.FromBlock != nil || raw.ToBlock != nil) {
		return fmt.Errorf("cannot specify both blockHash and fromBlock/toBlock, choose one or the other")
	}
	*c = Criteria{BlockHash: raw.BlockHash, FromBlock: raw.FromBlock, ToBlock: raw.ToBlock}
	var err error
	if c.Addresses, err = oneOrMany[common.Address](raw.Address, maxFilterAddresses); err != nil {
		return fmt.Errorf("invalid address: %w", err)
	}
	if len(raw.Topics) > maxTopics {
		return fmt.Errorf("%d topics, at most %d", len(raw.Topics), maxTopics)
	}
	for i, t := range raw.Topics {
		choices, err := oneOrMany[common.Hash](t, maxTopicChoices)
		if err != nil {
			return fmt.Errorf("invalid topic %d: %w", i, err)
		}
		c.Topics = append(c.Topics, choices)
	}
	return nil
}

// oneOrMany reads null, a value or a list of values; a null inside a list makes the list match anything.
func oneOrMany[T any](raw json.RawMessage, most int) ([]T, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '[' {
		var one T
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, err
		}
		return []T{one}, nil
	}
	var list []*T
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	if len(list) > most {
		return nil, fmt.Errorf("%d choices, at most %d", len(list), most)
	}
	out := make([]T, 0, len(list))
	for _, x := range list {
		if x == nil {
			return nil, nil
		}
		out = append(out, *x)
	}
	return out, nil
}

func (c *Criteria) matches(l *types.Log) bool {
	if len(c.Topics) > len(l.Topics) || !among(c.Addresses, l.Address) {
		return false
	}
	for i, choices := range c.Topics {
		if !among(choices, l.Topics[i]) {
			return false
		}
	}
	return true
}

// matchesLive also applies the block range, for filters and subscriptions, which see blocks as they come.
func (c *Criteria) matchesLive(l *types.Log) bool {
	if c.FromBlock != nil && *c.FromBlock >= 0 && l.BlockNumber < uint64(*c.FromBlock) {
		return false
	}
	if c.ToBlock != nil && *c.ToBlock >= 0 && l.BlockNumber > uint64(*c.ToBlock) {
		return false
	}
	return c.matches(l)
}

// among: an empty list matches anything.
func among[T comparable](list []T, x T) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return len(list) == 0
}

// bloomFilter holds the bloom masks of criteria, so that one header costs a few byte tests.
type bloomFilter [][]types.Bloom

// newBloomFilter has one group for the addresses and one for each position; a bloom passes if every group has a member
// whose bits are all in it.
func newBloomFilter(c *Criteria) bloomFilter {
	var f bloomFilter
	group := func(n int, item func(i int) []byte) {
		if n == 0 {
			return
		}
		g := make([]types.Bloom, n)
		for i := range g {
			g[i].Add(item(i))
		}
		f = append(f, g)
	}
	group(len(c.Addresses), func(i int) []byte { return c.Addresses[i][:] })
	for _, choices := range c.Topics {
		group(len(choices), func(i int) []byte { return choices[i][:] })
	}
	return f
}

func (f bloomFilter) passes(bloom *types.Bloom) bool {
	if *bloom == (types.Bloom{}) {
		return false
	}
	for _, group := range f {
		found := false
		for i := range group {
			if contains(bloom, &group[i]) {
				found = true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func contains(bloom, mask *types.Bloom) bool {
	for i, m := range mask {
		if bloom[i]&m != m {
			return false
		}
	}
	return true
}

// GetLogs implements eth_getLogs, by block hash or over a bounded range.
func (e *ethAPI) GetLogs(ctx context.Context, c Criteria) (json.RawMessage, error) {
	logs, err := e.a.logs(ctx, &c)
	if err != nil {
		return nil, err
	}
	return logsJSON(logs), nil
}

func (a *API) logs(ctx context.Context, c *Criteria) ([]*types.Log, error) {
	ctx, done, err := a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	filter := newBloomFilter(c)
	if c.BlockHash != nil {
		h := a.b.HeaderByHash(*c.BlockHash)
		if h == nil {
			return nil, errUnknownBlock
		}
		return a.blockLogs(nil, h, c, filter)
	}
	first, last, err := a.logRange(c)
	if err != nil {
		return nil, err
	}
	var out []*types.Log
	for n := first; n <= last; n++ {
		if err := ctx.Err(); err != nil {
			return nil, expired("eth_getLogs", err)
		}
		h := a.b.HeaderByNumber(rpc.BlockNumber(n))
		if h == nil { // the head went back meanwhile
			break
		}
		if out, err = a.blockLogs(out, h, c, filter); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// logRange resolves fromBlock and toBlock (latest if absent) and cuts them at the head.
func (a *API) logRange(c *Criteria) (first, last uint64, err error) {
	resolve := func(n *rpc.BlockNumber) (uint64, error) {
		switch {
		case n == nil:
			h, err := a.head()
			if err != nil {
				return 0, err
			}
			return h.Number.Uint64(), nil
		case *n >= 0:
			return uint64(*n), nil
		}
		h, err := a.headerByNumber(*n)
		if err != nil {
			return 0, err
		}
		return h.Number.Uint64(), nil
	}
	if first, err = resolve(c.FromBlock); err != nil {
		return 0, 0, err
	}
	if last, err = resolve(c.ToBlock); err != nil {
		return 0, 0, err
	}
	if c.FromBlock != nil && c.ToBlock != nil && first > last {
		return 0, 0, invalidParams("invalid block range: fromBlock %d is above toBlock %d", first, last)
	}
	head, err := a.head()
	if err != nil {
		return 0, 0, err
	}
	last = min(last, head.Number.Uint64())
	if first <= last && last-first >= a.cfg.MaxLogBlocks {
		return 0, 0, invalidParams("block range of %d is above the limit of %d: ask for smaller ranges", last-first+1, a.cfg.MaxLogBlocks)
	}
	return first, last, nil
}

func (a *API) blockLogs(out []*types.Log, h *types.Header, c *Criteria, filter bloomFilter) ([]*types.Log, error) {
	if !filter.passes(&h.Bloom) {
		return out, nil
	}
	for _, r := range a.b.Receipts(h.Hash()) {
		for _, l := range r.Logs {
			if !c.matches(l) {
				continue
			}
			if len(out) >= a.cfg.MaxLogResults {
				return nil, limitExceeded("query returned more than %d results: ask for a smaller range or filter by address and topics",
					a.cfg.MaxLogResults)
			}
			out = append(out, l)
		}
	}
	return out, nil
}
