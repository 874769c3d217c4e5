package ethapi

import (
	"slices"
	"sync"
	"time"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	headQueue = 256  // head events that the backend can post while the hub is busy
	poolQueue = 4096 // the same for pool events

	// maxHeadStep bounds the blocks between two heads that are told one by one. A longer step (a node that catches up)
	// tells newHeads the head only, and ends log consumers, which would otherwise miss logs without noticing.
	maxHeadStep = 1024
)

// topic is what a consumer follows.
type topic int

const (
	topicHeads topic = iota
	topicLogs
	topicPool
	topicReceipts
	topics // number of them
)

// change is one step of the chain or the pool. Its contents are shared: consumers must not modify them.
type change struct {
	heads []*types.Header    // new canonical blocks, ascending
	logs  []*types.Log       // removed ones first, newest first; then new ones, ascending
	txs   []*abi.Transaction // new in the pool
}

// consumer is a filter or a subscription.
type consumer interface {
	// deliver must not block.
	deliver(change)
	// lose tells the consumer that events are missing and none will follow.
	lose()
}

// hub follows the backend and hands changes to consumers. Logs are derived from the change of heads, not taken from a
// feed of their own: so removed logs, new logs and heads have one order, which two feeds could not promise.
type hub struct {
	b   Backend
	cfg Config

	quit chan struct{}
	done sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	consumers [topics]map[consumer]struct{}
	perClient map[*rpc.Client]int
	subs      int
	filters   map[rpc.ID]*filter
}

func newHub(b Backend, cfg Config, m *metrics) *hub {
	h := &hub{b: b, cfg: cfg, quit: make(chan struct{}), perClient: map[*rpc.Client]int{}, filters: map[rpc.ID]*filter{}}
	for i := range h.consumers {
		h.consumers[i] = map[consumer]struct{}{}
	}
	heads, txs := make(chan core.ChainHeadEvent, headQueue), make(chan []*abi.Transaction, poolQueue)
	headSub, txSub := b.SubscribeHeads(heads), b.SubscribePoolTransactions(txs)
	last := b.HeaderByNumber(rpc.LatestBlockNumber) // after subscribing: a head in between is told twice, not lost
	h.done.Add(2)
	go func() {
		defer h.done.Done()
		defer headSub.Unsubscribe()
		for {
			select {
			case ev := <-heads:
				ev = newest(heads, ev)
				if last == nil || ev.Header.Hash() != last.Hash() {
					h.advance(last, ev.Header)
				}
				last = ev.Header
			case <-headSub.Err():
				return
			case <-h.quit:
				return
			}
		}
	}()
	go func() {
		defer h.done.Done()
		defer txSub.Unsubscribe()
		expiry := time.NewTicker(max(cfg.FilterExpiry/4, 10*time.Millisecond))
		defer expiry.Stop()
		for {
			select {
			case ev := <-txs:
				h.publish(topicPool, change{txs: ev})
			case now := <-expiry.C:
				h.expire(now)
			case <-txSub.Err():
				txs, txSub = nil, noSubscription{}
			case <-h.quit:
				return
			}
		}
	}()
	m.watch(h)
	return h
}

// noSubscription stands for a feed that has ended.
type noSubscription struct{}

func (noSubscription) Err() <-chan error { return nil }
func (noSubscription) Unsubscribe()      {}

// newest drains a channel: heads that were overtaken while the hub was busy need no announcement of their own, for
// advance walks from the last announced one.
func newest[T any](ch <-chan T, ev T) T {
	for {
		select {
		case ev = <-ch:
		default:
			return ev
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return
	}
	h.closed = true
	h.mu.Unlock()
	close(h.quit)
	h.done.Wait()
}

func (h *hub) wants(t topic) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.consumers[t]) > 0
}

func (h *hub) publish(t topic, ev change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.consumers[t] {
		c.deliver(ev)
	}
}

func (h *hub) lose(ts ...topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range ts {
		for c := range h.consumers[t] {
			c.lose()
		}
	}
}

// advance tells consumers how the canonical chain got from one head to the next.
func (h *hub) advance(from, to *types.Header) {
	removed, added, ok := h.path(from, to)
	if !ok {
		h.publish(topicHeads, change{heads: []*types.Header{to}})
		h.lose(topicLogs, topicReceipts)
		return
	}
	if h.wants(topicLogs) {
		logs, ok := h.changedLogs(removed, added)
		if !ok {
			h.lose(topicLogs)
		} else if len(logs) > 0 {
			h.publish(topicLogs, change{logs: logs})
		}
	}
	if len(added) > 0 {
		h.publish(topicReceipts, change{heads: added})
		h.publish(topicHeads, change{heads: added})
	} else { // the head went back to an ancestor
		h.publish(topicHeads, change{heads: []*types.Header{to}})
	}
}

// path walks from both heads to their common ancestor. removed is descending, added ascending. ok is false if a block on
// the way is gone or the way is too long.
func (h *hub) path(from, to *types.Header) (removed, added []*types.Header, ok bool) {
	if from == nil {
		return nil, []*types.Header{to}, true
	}
	parent := func(x *types.Header) *types.Header { return h.b.HeaderByHash(x.ParentHash) }
	for from.Hash() != to.Hash() {
		if len(removed)+len(added) >= maxHeadStep {
			return nil, nil, false
		}
		f, t := from.Number.Uint64(), to.Number.Uint64()
		if t >= f {
			added = append(added, to)
			to = parent(to)
		}
		if f >= t {
			removed = append(removed, from)
			from = parent(from)
		}
		if from == nil || to == nil {
			return nil, nil, false
		}
	}
	slices.Reverse(added)
	return removed, added, true
}

// changedLogs collects what an unwinding and rewinding of blocks does to the logs, in that order. ok is false if a
// block's receipts are gone.
func (h *hub) changedLogs(removed, added []*types.Header) (out []*types.Log, ok bool) {
	collect := func(x *types.Header, add func(l *types.Log)) bool {
		if x.Bloom == (types.Bloom{}) {
			return true
		}
		receipts := h.b.Receipts(x.Hash())
		for _, r := range receipts {
			for _, l := range r.Logs {
				add(l)
			}
		}
		return receipts != nil
	}
	for _, x := range removed {
		start := len(out)
		if !collect(x, func(l *types.Log) {
			gone := *l
			gone.Removed = true
			out = append(out, &gone)
		}) {
			return nil, false
		}
		slices.Reverse(out[start:])
	}
	for _, x := range added {
		if !collect(x, func(l *types.Log) { out = append(out, l) }) {
			return nil, false
		}
	}
	return out, true
}

// listener is one subscription's queue.
type listener struct {
	ch   chan change
	lost chan struct{}
	once sync.Once
}

func (l *listener) deliver(ev change) {
	select {
	case <-l.lost: // nothing may follow a gap
		return
	default:
	}
	select {
	case l.ch <- ev:
	default:
		l.lose()
	}
}

func (l *listener) lose() { l.once.Do(func() { close(l.lost) }) }

// listen adds a subscription of a connection; client may be nil for the API's own use, which does not count.
func (h *hub) listen(t topic, client *rpc.Client, queue int) (*listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errClosed
	}
	if client != nil {
		if h.perClient[client] >= h.cfg.MaxSubscriptionsPerConnection {
			return nil, limitExceeded("%d subscriptions on this connection: unsubscribe from one first", h.cfg.MaxSubscriptionsPerConnection)
		}
		if h.subs >= h.cfg.MaxSubscriptions {
			return nil, limitExceeded("the engine serves %d subscriptions already: use filters, or retry later", h.subs)
		}
		h.perClient[client]++
		h.subs++
	}
	l := &listener{ch: make(chan change, queue), lost: make(chan struct{})}
	h.consumers[t][l] = struct{}{}
	return l, nil
}

func (h *hub) unlisten(t topic, l *listener, client *rpc.Client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.consumers[t], l)
	if client != nil {
		h.subs--
		if h.perClient[client]--; h.perClient[client] == 0 {
			delete(h.perClient, client)
		}
	}
}

// filter is one polled filter. Its fields are guarded by the hub's lock.
type filter struct {
	topic    topic
	criteria Criteria
	limit    int
	lastPoll time.Time

	hashes []common.Hash // topicHeads, topicPool
	logs   []*types.Log  // topicLogs
	broken bool          // events are missing
}

func (f *filter) deliver(ev change) {
	if f.broken {
		return
	}
	switch f.topic {
	case topicHeads:
		for _, x := range ev.heads {
			f.hashes = append(f.hashes, x.Hash())
		}
	case topicPool:
		for _, tx := range ev.txs {
			f.hashes = append(f.hashes, tx.Hash)
		}
	case topicLogs:
		for _, l := range ev.logs {
			if f.criteria.matchesLive(l) {
				f.logs = append(f.logs, l)
			}
		}
	}
	if len(f.hashes) > f.limit || len(f.logs) > f.limit {
		f.lose()
	}
}

func (f *filter) lose() { f.broken, f.hashes, f.logs = true, nil, nil }

func (h *hub) addFilter(t topic, c Criteria) (rpc.ID, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return "", errClosed
	}
	if len(h.filters) >= h.cfg.MaxFilters {
		return "", limitExceeded("the engine holds %d filters already: use eth_subscribe, or retry later", len(h.filters))
	}
	f := &filter{topic: t, criteria: c, limit: h.cfg.MaxLogResults, lastPoll: time.Now()}
	id := rpc.NewID()
	h.filters[id] = f
	h.consumers[t][f] = struct{}{}
	return id, nil
}

func (h *hub) removeFilter(id rpc.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.drop(id)
}

func (h *hub) drop(id rpc.ID) bool {
	f, ok := h.filters[id]
	if ok {
		delete(h.filters, id)
		delete(h.consumers[f.topic], f)
	}
	return ok
}

func (h *hub) expire(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, f := range h.filters {
		if now.Sub(f.lastPoll) > h.cfg.FilterExpiry {
			h.drop(id)
		}
	}
}

// poll takes what a filter has gathered. A filter that lost events is removed.
func (h *hub) poll(id rpc.ID) (f filter, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.filters[id]
	if !ok {
		return f, errFilterNotFound
	}
	if p.broken {
		h.drop(id)
		return f, limitExceeded("the filter missed events, because more than %d waited or the chain jumped: "+
			"read them with eth_getLogs and install a new filter", p.limit)
	}
	p.lastPoll = time.Now()
	f = *p
	p.hashes, p.logs = nil, nil
	return f, nil
}

// criteriaOf a log filter; keeps it alive like poll.
func (h *hub) criteriaOf(id rpc.ID) (Criteria, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f, ok := h.filters[id]
	if !ok || f.topic != topicLogs {
		return Criteria{}, errFilterNotFound
	}
	f.lastPoll = time.Now()
	return f.criteria, nil
}

// counts are the hub's gauges.
func (h *hub) counts() (subscriptions, filters int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.subs, len(h.filters)
}
