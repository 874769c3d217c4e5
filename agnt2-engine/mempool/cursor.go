package mempool

import (
	"container/heap"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// maxCursors bounds the blocks that are open at a time; opening one more closes the oldest.
const maxCursors = 16

// Cursor feeds one open block: it hands out each executable transaction, and each nonce of a sender, at most once,
// those that arrive later included. The order is: best effective tip first among the senders' next transactions, then
// earliest arrival; within a sender by nonce. Tips of more than 64 bits count alike. A replacement is handed out if the nonce was not.
//
// A Reset does not end a cursor; it goes on from the new head's nonces without repeating any. Safe for concurrent use.
type Cursor struct {
	pool    *Pool
	arrived chan struct{}

	// All guarded by pool.mu.
	closed  bool
	started bool // the lanes exist: since the first Take
	baseFee uint256.Int
	ready   laneHeap
	dirty   []*lane
	gone    map[common.Address]*lane // of senders without pooled transactions; nil: none
}

// lane is one sender's part of the block. The sender's account has it, together with those of other open blocks.
type lane struct {
	cursor  *Cursor
	sibling *lane    // the account's next
	account *account // nil: no pooled transactions
	next    uint64   // nonces below were handed out, or used before
	dropped bool
	dirty   bool

	item *item // the next to hand out, in the heap; nil: nothing is executable at this base fee
}

// entry of the heap: a lane's next transaction. When another one takes its place, that has an entry of its own, and this one is
// passed over when it comes up.
type entry struct {
	tip  uint64 // effective, wei per gas; more than 64 bits can hold counts as the largest value
	seq  uint64 // of the transaction, by which the lane knows whether it still is the next
	lane *lane
}

// laneHeap has what it compares in place: the lanes of a hundred thousand senders do not lie in the processor's cache.
type laneHeap []entry

func (h laneHeap) Len() int { return len(h) }
func (h laneHeap) Less(i, j int) bool {
	return h[i].tip > h[j].tip || h[i].tip == h[j].tip && h[i].seq < h[j].seq
}
func (h laneHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *laneHeap) Push(x any)   { *h = append(*h, x.(entry)) }
func (h *laneHeap) Pop() any {
	old := *h
	last := len(old) - 1
	old[last] = entry{}
	*h = old[:last]
	return nil // nobody asks: what is first is looked at in its place
}

// NewCursor opens a cursor for one block. Close it when the block is sealed or given up.
func (p *Pool) NewCursor() *Cursor {
	c := &Cursor{pool: p, arrived: make(chan struct{}, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.closed = true
		return c
	}
	if len(p.cursors) == maxCursors {
		p.log.Warn("Too many open blocks: the oldest gets no more transactions", "open", maxCursors)
		p.cursors[0].release()
	}
	p.cursors = append(p.cursors, c)
	return c
}

// Close releases the cursor. Take hands out nothing more.
func (c *Cursor) Close() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.release()
}

func (c *Cursor) release() {
	if c.closed {
		return
	}
	c.closed = true
	c.ready, c.dirty, c.gone = nil, nil, nil
	for i, o := range c.pool.cursors {
		if o == c {
			c.pool.cursors = append(c.pool.cursors[:i:i], c.pool.cursors[i+1:]...)
			return
		}
	}
}

// Arrived receives a value after transactions became executable; several arrivals may be one value. It is never closed.
func (c *Cursor) Arrived() <-chan struct{} { return c.arrived }

// Take hands out up to max transactions, those that can pay baseFee (wei per gas). It does not wait: nothing more for
// now is an empty result.
func (c *Cursor) Take(max int, baseFee *uint256.Int) []*abi.Transaction {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.closed || p.closed || max <= 0 {
		return nil
	}
	switch {
	case !c.started:
		c.start(baseFee)
	case !c.baseFee.Eq(baseFee):
		c.baseFee = *baseFee
		c.reload()
	default:
		for _, l := range c.dirty {
			l.dirty = false
			c.update(l)
		}
		c.dirty = c.dirty[:0]
	}
	out := make([]*abi.Transaction, 0, min(max, p.pending))
	for len(out) < max && len(c.ready) > 0 {
		top := c.ready[0]
		l := top.lane
		if l.item == nil || l.item.seq != top.seq {
			heap.Pop(&c.ready)
			continue
		}
		out = append(out, l.item.tx)
		l.next = l.item.nonce + 1
		if e, ok := l.load(); ok {
			c.ready[0] = e
			heap.Fix(&c.ready, 0)
		} else {
			heap.Pop(&c.ready)
		}
	}
	p.metrics.taken.Add(float64(len(out)))
	return out
}

// Drop hands out nothing more of a sender in this block, because one of its transactions did not fit or was void.
func (c *Cursor) Drop(sender common.Address) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.closed {
		return
	}
	var l *lane
	if a := c.pool.accounts[sender]; a != nil {
		l = c.lane(a, nil)
	} else if l = c.gone[sender]; l == nil {
		l = &lane{cursor: c}
		c.leaves(sender, l)
	}
	l.dropped = true
	c.mark(l)
}

// lane returns an account's lane. If it has none yet it gets the one that its sender had before, or fresh, or a new one if that is
// nil.
func (c *Cursor) lane(a *account, fresh *lane) *lane {
	for l := a.lanes; l != nil; l = l.sibling {
		if l.cursor == c {
			return l
		}
	}
	l := fresh
	if old := c.gone[a.addr]; old != nil {
		l = old
		delete(c.gone, a.addr)
	} else if l == nil {
		l = new(lane)
	}
	l.cursor, l.account, l.sibling = c, a, open(a.lanes)
	a.lanes = l
	return l
}

// open leaves those lanes in an account's list whose blocks are open.
func open(l *lane) *lane {
	for l != nil && l.cursor.closed {
		l = l.sibling
	}
	if l != nil {
		l.sibling = open(l.sibling)
	}
	return l
}

// leaves keeps the lane of a sender whose account has left the pool, or was not there.
func (c *Cursor) leaves(sender common.Address, l *lane) {
	if c.gone == nil {
		c.gone = make(map[common.Address]*lane)
	}
	c.gone[sender] = l
	l.account, l.sibling = nil, nil
}

// start makes a lane of every sender in one go.
func (c *Cursor) start(baseFee *uint256.Int) {
	p := c.pool
	c.started, c.baseFee = true, *baseFee
	all := make([]lane, len(p.order))
	c.ready = make(laneHeap, 0, len(p.order))
	for i, a := range p.order {
		c.enqueue(c.lane(a, &all[i]))
	}
	heap.Init(&c.ready)
}

// enqueue appends a lane's next transaction to the heap's slice without ordering it.
func (c *Cursor) enqueue(l *lane) {
	if e, ok := l.load(); ok {
		c.ready = append(c.ready, e)
	}
}

// reload recomputes every lane, for another base fee.
func (c *Cursor) reload() {
	for _, l := range c.dirty {
		l.dirty = false
	}
	clear(c.ready)
	c.ready, c.dirty = c.ready[:0], c.dirty[:0]
	for _, a := range c.pool.order { // the heap's order is total, so the order of insertion does not show
		c.enqueue(c.lane(a, nil))
	}
	heap.Init(&c.ready)
}

// update brings a lane in line with the pool.
func (c *Cursor) update(l *lane) {
	before := l.item
	if e, ok := l.load(); ok && l.item != before {
		heap.Push(&c.ready, e)
	}
}

// load finds the lane's next transaction; false if there is none now.
func (l *lane) load() (entry, bool) {
	a := l.account
	l.item = nil
	if a == nil || l.dropped {
		return entry{}, false
	}
	l.next = max(l.next, a.nonce)
	i := l.next - a.nonce
	if i >= uint64(a.executable) {
		return entry{}, false
	}
	it := a.txs[i]
	tip, ok := it.tx.EffectiveTip(&l.cursor.baseFee)
	if !ok {
		return entry{}, false
	}
	l.item = it
	if !tip.IsUint64() {
		tip.SetUint64(math.MaxUint64)
	}
	return entry{tip.Uint64(), it.seq, l}, true
}

func (c *Cursor) mark(l *lane) {
	if !l.dirty && c.started {
		l.dirty = true
		c.dirty = append(c.dirty, l)
	}
}

// touch tells the open cursors that an account's transactions have changed.
func (p *Pool) touch(a *account) {
	if len(a.txs) > 0 {
		for _, c := range p.cursors {
			if c.started {
				c.mark(c.lane(a, nil))
			}
		}
		return
	}
	// It has left the pool.
	for l := a.lanes; l != nil; {
		left := l
		if l = l.sibling; !left.cursor.closed {
			left.cursor.leaves(a.addr, left)
			left.cursor.mark(left)
		}
	}
	a.lanes = nil
}
