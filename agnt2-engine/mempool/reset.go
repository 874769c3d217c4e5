package mempool

import (
	"bytes"
	"slices"
	"sort"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// revalidatedPerReset is how many senders each Reset looks at beyond those that the blocks touched. Balances also change
// by what other accounts do and by sweeps, and queued transactions expire: a round through all senders in small parts
// finds that without making a Reset cost as much as the pool is large. Add looks at the sender in any case.
const revalidatedPerReset = 512

// refreshedAtOnce is how many senders a Reset looks at before it lets others at the pool.
const refreshedAtOnce = 256

// Reset moves the pool to a new head. included are the transactions of the blocks adopted since the last one that used their
// senders' nonces up; others the rest of them, deposits and void ones; dropped those of the blocks abandoned, which come back
// into the pool where the new head allows it. Each in any order. The new blocks must be durable already, because the journal may
// forget what they include. The cost is proportional to the transactions given and the pooled ones of their senders.
func (p *Pool) Reset(head Head, included, others, dropped []*abi.Transaction) {
	back := make([]*abi.Transaction, 0, len(dropped))
	for _, tx := range dropped {
		if !tx.Deposit {
			back = append(back, tx)
		}
	}
	sort.Slice(back, func(i, j int) bool {
		if back[i].Nonce != back[j].Nonce {
			return back[i].Nonce < back[j].Nonce
		}
		return bytes.Compare(back[i].Hash[:], back[j].Hash[:]) < 0
	})

	p.resetMu.Lock()
	defer p.resetMu.Unlock()

	// The state is read before the lock is taken: that is most of the work, and the builder need not wait for it.
	touched, prefetched := p.touchedBy(included, others, dropped)
	read(head.State, touched)
	for addr := range prefetched {
		prefetched[addr] = head.State.Account(addr)
	}

	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.move(head)
	p.prefetched = prefetched
	p.evict = evictor{heap: p.evict.heap[:0]}
	// In parts: whoever adds a transaction meanwhile brings its sender up to date first, and must not wait for all of a block's.
	for part := range slices.Chunk(touched, refreshedAtOnce) {
		for i := range part {
			switch t := &part[i]; {
			case !p.listed(t.account) || t.account.readAt == p.epoch:
			case t.done():
				t.nonce, t.readAt = t.next, p.epoch
				p.prune(t.account)
			case t.read:
				p.refresh(t.account, &accountRead{t.now, p.epoch})
			default: // more of its transactions have come meanwhile
				p.refresh(t.account, nil)
			}
		}
		p.mu.Unlock()
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return
		}
	}
	for _, a := range p.newcomers { // some of them may be touched too
		if p.listed(a) && a.readAt != p.epoch {
			p.refresh(a, nil)
		}
	}
	p.watched, p.newcomers = false, nil
	// Twice the length is enough to meet everybody of a small pool even if those that go move others to places passed.
	budget := revalidatedPerReset
	for range 2 * min(revalidatedPerReset, len(p.order)) {
		if len(p.order) == 0 || budget == 0 {
			break
		}
		if p.round >= len(p.order) {
			p.round = 0
		}
		a := p.order[p.round]
		if a.readAt != p.epoch {
			p.refresh(a, nil)
			budget--
		}
		if p.round < len(p.order) && p.order[p.round] == a { // else another one has taken its place
			p.round++
		}
	}
	var returned []*abi.Transaction
	for _, tx := range back {
		if err := p.insert(tx, nil, true); err == nil {
			returned = append(returned, tx)
		} else {
			p.log.Debug("Transaction of an abandoned block does not come back", "err", err)
		}
	}
	p.prefetched = nil
	p.publish()
	p.mu.Unlock()

	if p.journal != nil {
		p.journal.append(returned)
		p.journal.reconsider()
	}
}

// touched is an account that blocks may have changed.
type touched struct {
	*account
	next uint64  // nonce after its included transactions; 0: none
	read bool    // now matters, and is read
	now  Account // at the new head
}

// done reports that all of its pooled transactions are included, or others with their nonces: then it leaves the pool, and what it
// has at the new head does not matter.
func (t *touched) done() bool { return len(t.txs) > 0 && t.txs[len(t.txs)-1].nonce < t.next }

// touchedBy lists, in the order of appearance, the senders and recipients (they may have been paid) of transactions that
// have pooled transactions; and the senders of dropped ones that have none. From here on newcomers are noted.
func (p *Pool) touchedBy(included, others, dropped []*abi.Transaction) (out []touched, absent map[common.Address]Account) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	p.resets++
	p.watched = true
	visit := func(addr common.Address) *touched {
		a := p.accounts[addr]
		if a == nil {
			return nil
		}
		if a.visited != p.resets {
			a.visited, a.visitedAt = p.resets, len(out)
			out = append(out, touched{account: a})
		}
		return &out[a.visitedAt]
	}
	var recipient common.Address // the last one: nearly always the same
	for k, txs := range [][]*abi.Transaction{included, others, dropped} {
		for _, tx := range txs {
			switch t := visit(tx.From); {
			case t != nil && k == 0:
				t.next = max(t.next, tx.Nonce+1)
			case t == nil && k == 2:
				if absent == nil {
					absent = make(map[common.Address]Account)
				}
				absent[tx.From] = Account{}
			}
			if tx.To != nil && *tx.To != recipient {
				recipient = *tx.To
				visit(recipient)
			}
		}
	}
	for i := range out {
		out[i].read = !out[i].done()
	}
	return out, absent
}

// read reads those accounts that are to be read, many at a time if the state can.
func read(s State, accounts []touched) {
	const together = 64
	ahead, _ := s.(Prefetcher)
	var addrs [together]common.Address
	for part := range slices.Chunk(accounts, together) {
		wanted := addrs[:0]
		for i := range part {
			if part[i].read {
				wanted = append(wanted, part[i].addr)
			}
		}
		if ahead != nil {
			ahead.Prefetch(wanted)
		}
		for i := range part {
			if t := &part[i]; t.read {
				t.now = s.Account(t.addr)
			}
		}
	}
}

// listed: the account is in the pool.
func (p *Pool) listed(a *account) bool {
	return a.orderIndex < len(p.order) && p.order[a.orderIndex] == a
}

// refresh reads an account again after the head has moved.
func (p *Pool) refresh(a *account, read *accountRead) {
	p.readState(a, read)
	p.prune(a)
}

// prune drops what can never be included: used nonces, gas limits above the block's, and what has been queued for too long. With
// its last transaction an account leaves the pool.
func (p *Pool) prune(a *account) {
	stale := 0
	for stale < len(a.txs) && a.txs[stale].nonce < a.nonce {
		p.forget(a.txs[stale], removedStale)
		stale++
	}
	a.executable = max(0, a.executable-stale)
	a.txs = slices.Delete(a.txs, 0, stale)
	for _, it := range a.txs {
		it.cost = p.head.cost(it.tx)
	}
	p.settle(a, 0)
	for i := len(a.txs) - 1; i >= 0; i-- {
		if a.txs[i].tx.GasLimit > p.head.GasLimit {
			p.removeRange(a, i, i+1, removedGasLimit)
		}
	}
	for i := len(a.txs) - 1; i >= a.executable; i-- {
		if it := a.txs[i]; p.head.Now > it.queuedSince && p.head.Now-it.queuedSince >= p.cfg.QueuedLifetime {
			p.removeRange(a, i, i+1, removedExpired)
		}
	}
}
