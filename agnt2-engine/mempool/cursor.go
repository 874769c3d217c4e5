package mempool

import (
	"container/heap"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// maxCursors bounds the blocks that are open at a time; opening one more closes the oldest.
const maxCursors = 16

// Cursor feeds one open block: it hands out each executable transaction, and each nonce of a sender, at most once,
// those that arrive later included. The order is: best effective tip first among the senders' next transactions, then
// earliest arrival; within a sender by nonce. A replacement is handed out if the nonce was not.
//
// A Reset does not end a cursor; it goes on from the new head's nonces without repeating any. Safe for concurrent use.
type Cursor struct {
	pool    *Pool
	arrived chan struct{}

	// All guarded by pool.mu.
	closed  bool
	started bool // the lanes exist: since the first Take
	baseFee uint256.Int
	lanes   map[common.Address]*lane
	ready   laneHeap
	dirty   []*lane
}

// lane is one sender's part of the block.
type lane struct {
	addr    common.Address
	account *account // nil: no pooled transactions
	next    uint64   // nonces below were handed out, or used before
	dropped bool
	dirty   bool

	heapIndex int   // -1: nothing executable at this base fee
	item      *item // the next to hand out, if in the heap
	tip       uint256.Int
}

type laneHeap []*lane

func (h laneHeap) Len() int { return len(h) }
func (h laneHeap) Less(i, j int) bool {
	if c := h[i].tip.Cmp(&h[j].tip); c != 0 {
		return c > 0
	}
	return h[i].item.seq < h[j].item.seq
}
func (h laneHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i, j
}
func (h *laneHeap) Push(x any) {
	l := x.(*lane)
	l.heapIndex = len(*h)
	*h = append(*h, l)
}
func (h *laneHeap) Pop() any {
	old := *h
	l := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	l.heapIndex, l.item = -1, nil
	return l
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
	c.lanes, c.ready, c.dirty = nil, nil, nil
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
		l := c.ready[0]
		out = append(out, l.item.tx)
		l.next = l.item.nonce + 1
		if c.load(l) {
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
	if c.lanes == nil {
		c.lanes = make(map[common.Address]*lane)
	}
	l := c.lanes[sender]
	if l == nil {
		l = &lane{addr: sender, heapIndex: -1}
		c.lanes[sender] = l
	}
	l.dropped = true
	c.mark(l)
}

// start makes a lane of every sender in one go.
func (c *Cursor) start(baseFee *uint256.Int) {
	p := c.pool
	c.started, c.baseFee = true, *baseFee
	dropped := c.lanes // before the first Take there is nothing else in it
	c.lanes = make(map[common.Address]*lane, len(p.order)+len(dropped))
	for addr, l := range dropped {
		c.lanes[addr] = l
	}
	all := make([]lane, len(p.order))
	c.ready = make(laneHeap, 0, len(p.order))
	for i, a := range p.order {
		if c.lanes[a.addr] != nil {
			continue
		}
		all[i] = lane{addr: a.addr, heapIndex: -1}
		c.lanes[a.addr] = &all[i]
		c.enqueue(&all[i], a)
	}
	heap.Init(&c.ready)
}

// enqueue appends a lane to the heap's slice without ordering it.
func (c *Cursor) enqueue(l *lane, a *account) {
	if l.account = a; c.load(l) {
		c.ready.Push(l)
	}
}

// reload recomputes every lane, for another base fee.
func (c *Cursor) reload() {
	for _, l := range c.ready {
		l.heapIndex, l.item = -1, nil
	}
	c.ready, c.dirty = c.ready[:0], c.dirty[:0]
	for _, l := range c.lanes { // the heap's order is total, so the order of insertion does not show
		l.dirty = false
		c.enqueue(l, c.pool.accounts[l.addr])
	}
	heap.Init(&c.ready)
}

// update brings a lane in line with the pool.
func (c *Cursor) update(l *lane) {
	l.account = c.pool.accounts[l.addr]
	switch ok := c.load(l); {
	case ok && l.heapIndex >= 0:
		heap.Fix(&c.ready, l.heapIndex)
	case ok:
		heap.Push(&c.ready, l)
	case l.heapIndex >= 0:
		heap.Remove(&c.ready, l.heapIndex)
	}
}

// load finds the lane's next transaction; false if there is none now. An item already in place stays there if there is
// none, because the heap still compares it until the lane is removed.
func (c *Cursor) load(l *lane) bool {
	a := l.account
	if a == nil || l.dropped {
		return false
	}
	l.next = max(l.next, a.nonce)
	i := l.next - a.nonce
	if i >= uint64(a.executable) {
		return false
	}
	tip, ok := a.txs[i].tx.EffectiveTip(&c.baseFee)
	if !ok {
		return false
	}
	l.item, l.tip = a.txs[i], tip
	return true
}

func (c *Cursor) mark(l *lane) {
	if !l.dirty && c.started {
		l.dirty = true
		c.dirty = append(c.dirty, l)
	}
}

// touch tells the open cursors that an account's transactions have changed.
func (p *Pool) touch(a *account) {
	for _, c := range p.cursors {
		if !c.started {
			continue
		}
		l := c.lanes[a.addr]
		if l == nil {
			l = &lane{addr: a.addr, heapIndex: -1}
			c.lanes[a.addr] = l
		}
		c.mark(l)
	}
}
