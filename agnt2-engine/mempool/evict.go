package mempool

import (
	"container/heap"

	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// When the pool is full, what is worth least to the coming blocks goes. Only ever the last transaction of a sender goes,
// so that nobody else's eviction opens a gap, and because it cannot be executed before those in front of it, it is worth
// no more than the cheapest of them: a generous last transaction does not shield free ones.

const (
	classQueued     = iota // a nonce or funds are missing
	classBelowBase         // the fee cap of it or of one in front is below the base fee
	classExecutable        //
)

// rank orders last transactions, the least wanted first.
type rank struct {
	class uint8
	// tip is the effective tip in the class of executables, the least fee cap in the others.
	tip uint256.Int
	// Senders that use more of their slots go first; so stake protects.
	count, slots uint64
	seq          uint64 // later arrivals go first
}

func worth(executable bool, minTip, minFee, baseFee *uint256.Int) (r rank) {
	switch {
	case !executable:
		r.class, r.tip = classQueued, *minFee
	case minFee.Lt(baseFee):
		r.class, r.tip = classBelowBase, *minFee
	default:
		r.class = classExecutable
		r.tip.Sub(minFee, baseFee)
		if minTip.Lt(&r.tip) {
			r.tip = *minTip
		}
	}
	return r
}

// cheaper compares what counts against a newcomer: only who pays more may push another out.
func (r *rank) cheaper(s *rank) bool {
	return r.class < s.class || r.class == s.class && r.tip.Lt(&s.tip)
}

func (r *rank) less(s *rank) bool {
	if r.class != s.class {
		return r.class < s.class
	}
	if c := r.tip.Cmp(&s.tip); c != 0 {
		return c < 0
	}
	if x, y := r.count*s.slots, s.count*r.slots; x != y {
		return x > y
	}
	return r.seq > s.seq
}

// evictor ranks the accounts by their last transaction. It is built when the pool is full for the first time after a
// Reset (the ranks depend on the base fee), so that a pool with room pays nothing for it.
type evictor struct {
	valid bool
	heap  evictHeap
}

type evictHeap []*account

func (h evictHeap) Len() int           { return len(h) }
func (h evictHeap) Less(i, j int) bool { return h[i].evictRank.less(&h[j].evictRank) }
func (h evictHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].evictIndex, h[j].evictIndex = i, j
}
func (h *evictHeap) Push(x any) {
	a := x.(*account)
	a.evictIndex = len(*h)
	*h = append(*h, a)
}
func (h *evictHeap) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.evictIndex = -1
	return a
}

func (p *Pool) rankOf(a *account) rank {
	i := len(a.txs) - 1 - a.cut
	it := a.txs[i]
	r := worth(i < a.executable, &it.minTip, &it.minFee, &p.head.BaseFee)
	r.count, r.slots, r.seq = uint64(i+1), a.slots, it.seq
	return r
}

// rerank keeps the evictor up to date after a change of an account.
func (p *Pool) rerank(a *account) {
	if !p.evict.valid {
		return
	}
	switch {
	case len(a.txs)-a.cut == 0:
		if a.evictIndex >= 0 {
			heap.Remove(&p.evict.heap, a.evictIndex)
		}
	case a.evictIndex < 0:
		a.evictRank = p.rankOf(a)
		heap.Push(&p.evict.heap, a)
	default:
		a.evictRank = p.rankOf(a)
		heap.Fix(&p.evict.heap, a.evictIndex)
	}
}

func (p *Pool) buildEvictor() {
	p.evict.valid = true
	p.evict.heap = append(p.evict.heap[:0], p.order...)
	for i, a := range p.evict.heap {
		a.evictIndex, a.evictRank = i, p.rankOf(a)
	}
	heap.Init(&p.evict.heap)
}

// makeRoom evicts until a newcomer fits that is worth w, or changes nothing and returns ErrPoolFull if that would take
// a transaction that is not cheaper.
func (p *Pool) makeRoom(tx *abi.Transaction, w *rank) error {
	floor, ok := p.evictCheapest(len(p.all)+1-p.cfg.MaxTransactions, p.bytes+int64(tx.Size)-p.cfg.MaxBytes, w)
	if ok {
		return nil
	}
	r := &Rejection{Hash: tx.Hash, Reason: ErrPoolFull}
	if floor.class == classExecutable && w.class == classExecutable {
		r.Have = w.tip
		r.Want.AddUint64(&floor.tip, 1)
	}
	return r
}

// evictCheapest evicts at least so many transactions and bytes, all of them cheaper than w (nil: whatever they are
// worth), or none: then it returns what the first that is not cheaper is worth.
func (p *Pool) evictCheapest(count int, size int64, w *rank) (floor rank, ok bool) {
	if count <= 0 && size <= 0 {
		return floor, true
	}
	if !p.evict.valid {
		p.buildEvictor()
	}
	var plan []*account
	for count > 0 || size > 0 {
		if len(p.evict.heap) > 0 {
			floor = p.evict.heap[0].evictRank
		}
		if len(p.evict.heap) == 0 || w != nil && !floor.cheaper(w) {
			for _, a := range plan {
				a.cut = 0
				p.rerank(a)
			}
			return floor, false
		}
		a := p.evict.heap[0]
		if a.cut == 0 {
			plan = append(plan, a)
		}
		count--
		size -= int64(a.txs[len(a.txs)-1-a.cut].tx.Size)
		a.cut++
		p.rerank(a)
	}
	for _, a := range plan {
		n := a.cut
		a.cut = 0
		p.removeRange(a, len(a.txs)-n, len(a.txs), removedEvicted)
	}
	return floor, true
}
