package mempool

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/log"
	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// admitChunk is how many transactions are put in under one lock, so that a large batch does not keep the builder out.
const admitChunk = 256

// verifiedAtOnce is how many transactions one processor decodes, hashes, verifies and looks up in one go: so few that a
// lone transaction does not wait long for its turn.
const verifiedAtOnce = 8

// Why transactions leave the pool, as metric labels.
const (
	removedStale     = "stale" // the nonce is used at the head: included, or another one was
	removedReplaced  = "replaced"
	removedEvicted   = "evicted"
	removedExpired   = "expired"
	removedGasLimit  = "gas_limit"
	removedRequested = "requested"
)

// Pool is safe for concurrent use.
type Pool struct {
	cfg     Config
	log     log.Logger
	metrics *metrics
	journal *journal // nil: off

	workers  chan struct{} // one token per processor: sender recovery and PreCheck
	inflight atomic.Int64  // bytes

	resetMu sync.Mutex // one Reset at a time; before mu

	// now is head and epoch for those who check transactions beside each other: they must not wait for who puts some in.
	now atomic.Pointer[numberedHead]

	mu   sync.RWMutex
	head Head
	// prefetched is what a Reset has read of the new head, beside touched accounts, before it took the lock; nil otherwise.
	prefetched map[common.Address]Account
	resets     uint64     // that have begun
	watched    bool       // a Reset is reading: newcomers are noted
	newcomers  []*account // since then
	epoch      uint64     // counts Resets
	all        map[common.Hash]*item
	accounts   map[common.Address]*account
	order      []*account // all accounts, for the slow round of Reset
	round      int        // where that round is
	bytes      int64
	pending    int
	seq        uint64
	evict      evictor
	fresh      []*abi.Transaction // executable, not yet announced
	promoted   bool               // something became executable, announced before or not
	cursors    []*Cursor          // oldest first
	subs       map[*subscriber]struct{}
	closed     bool
	quit       chan struct{}
}

// New opens a pool on a head. With a journal configured, it first reads back what an earlier process had accepted and
// the head has not used up. If the journal cannot be opened or written, every Add fails with ErrJournal until it can.
// reg may be nil. Close releases the pool.
func New(cfg Config, head Head, reg prometheus.Registerer) *Pool {
	p := &Pool{
		cfg:      cfg.withDefaults(),
		log:      log.New("module", "mempool"),
		workers:  make(chan struct{}, runtime.GOMAXPROCS(0)),
		all:      make(map[common.Hash]*item),
		accounts: make(map[common.Address]*account),
		subs:     make(map[*subscriber]struct{}),
		quit:     make(chan struct{}),
	}
	p.move(head)
	p.metrics = newMetrics(reg, p)
	if p.cfg.JournalPath != "" {
		p.openJournal(osFiles{})
	}
	return p
}

// numberedHead is a head and its epoch.
type numberedHead struct {
	Head
	epoch uint64
}

// move makes a head the pool's. Called with the lock held.
func (p *Pool) move(head Head) {
	p.head = head
	p.epoch++
	p.now.Store(&numberedHead{head, p.epoch})
}

// Close flushes the journal and ends subscriptions and cursors. Add fails with ErrClosed afterwards.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.cursors = nil
	close(p.quit)
	p.mu.Unlock()
	if p.journal != nil {
		p.journal.close()
	}
}

// Add is AddEncoded for transactions as go-ethereum has them.
func (p *Pool) Add(ctx context.Context, txs []*types.Transaction) []error {
	raws := make([][]byte, len(txs))
	for i, tx := range txs {
		if tx != nil {
			raws[i], _ = tx.MarshalBinary() // what does not encode does not decode either
		}
	}
	return p.AddEncoded(ctx, raws)
}

// AddEncoded admits signed transactions, given as EIP-2718 encodings, and returns one error for each, nil if it was accepted (and
// is on disk, if a journal is configured). Senders are recovered in parallel. The encodings belong to the pool then. When ctx
// ends, those not decided yet fail with its error; one that was only waiting for the disk stays in the pool.
func (p *Pool) AddEncoded(ctx context.Context, raws [][]byte) []error {
	errs := make([]error, len(raws))
	var size int64
	for _, raw := range raws {
		size += int64(len(raw))
	}
	hash := func(i int) common.Hash { return crypto.Keccak256Hash(raws[i]) }
	if !p.reserve(size) {
		return p.fail(errs, hash, ErrBusy)
	}
	defer p.inflight.Add(-size)

	decoded, reads := make([]*abi.Transaction, len(raws)), make([]accountRead, len(raws))
	p.parallel(ctx, (len(raws)+verifiedAtOnce-1)/verifiedAtOnce, func(n int, cancelled error) {
		from, to := n*verifiedAtOnce, min((n+1)*verifiedAtOnce, len(raws))
		if cancelled != nil {
			for i := from; i < to; i++ {
				errs[i] = reject(hash(i), cancelled)
			}
			return
		}
		p.verify(raws[from:to], decoded[from:to], errs[from:to])
		var senders [verifiedAtOnce]common.Address
		recovered := senders[:0]
		for _, tx := range decoded[from:to] {
			if tx != nil {
				recovered = append(recovered, tx.From)
			}
		}
		p.prefetch(recovered)
		for i := from; i < to; i++ {
			if errs[i] == nil {
				errs[i] = p.precheck(decoded[i], &reads[i])
			}
		}
	})
	p.admit(ctx, decoded, reads, errs)
	return errs
}

// verify decodes a part of a batch and recovers the senders. Everything that is done to a transaction here finds it in the
// processor's cache. What the pool has already costs a map look-up, not a signature recovery, if that is seen in time; at the
// latest it is refused when the batch is admitted.
func (p *Pool) verify(raws [][]byte, decoded []*abi.Transaction, errs []error) {
	prepared, malformed := abi.Prepare(raws, p.cfg.ChainID)
	var known [verifiedAtOnce]bool
	if p.mu.TryRLock() { // not to wait for those who put transactions in: an idle processor costs more than a few recoveries
		for i, u := range prepared {
			known[i] = u != nil && p.all[u.Hash()] != nil
		}
		p.mu.RUnlock()
	}
	for i, u := range prepared {
		switch {
		case malformed[i] != nil:
			errs[i] = reject(crypto.Keccak256Hash(raws[i]), malformed[i])
		case u.Deposit():
			errs[i] = reject(u.Hash(), abi.ErrDepositSigned)
		case known[i]:
			errs[i] = reject(u.Hash(), ErrAlreadyKnown)
		default:
			continue
		}
		prepared[i] = nil
	}
	verified, forged := abi.VerifyMany(prepared)
	for i, u := range prepared {
		if decoded[i] = verified[i]; forged[i] != nil {
			errs[i] = reject(u.Hash(), forged[i])
		}
	}
}

// AddDecoded is Add for transactions that are decoded already.
func (p *Pool) AddDecoded(txs []*abi.Transaction) []error {
	errs := make([]error, len(txs))
	var size int64
	for i, tx := range txs {
		switch {
		case tx == nil:
			errs[i] = reject(common.Hash{}, abi.ErrUndecodable)
		case tx.Deposit:
			errs[i] = reject(tx.Hash, abi.ErrDepositSigned)
		default:
			size += int64(tx.Size)
		}
	}
	if !p.reserve(size) {
		return p.fail(errs, func(i int) common.Hash { return txs[i].Hash }, ErrBusy)
	}
	defer p.inflight.Add(-size)
	reads := make([]accountRead, len(txs))
	check := func(i int, _ error) {
		if errs[i] == nil {
			errs[i] = p.precheck(txs[i], &reads[i])
		}
	}
	if p.cfg.PreCheck != nil {
		p.parallel(context.Background(), len(txs), check)
	} else {
		for i := range txs {
			check(i, nil)
		}
	}
	p.admit(context.Background(), txs, reads, errs)
	return errs
}

// reserve counts bytes in flight. A batch larger than the bound gets through when it is alone.
func (p *Pool) reserve(size int64) bool {
	if now := p.inflight.Add(size); now > p.cfg.MaxInflightBytes && now != size {
		p.inflight.Add(-size)
		return false
	}
	return true
}

func (p *Pool) fail(errs []error, hash func(int) common.Hash, reason error) []error {
	for i := range errs {
		if errs[i] == nil {
			errs[i] = reject(hash(i), reason)
		}
		p.metrics.rejected.WithLabelValues(reasonLabel(errs[i])).Inc()
	}
	return errs
}

// parallel calls f for 0 … n-1, never more at a time in the whole pool than there are processors. Once ctx ends, the
// remaining calls are told so.
func (p *Pool) parallel(ctx context.Context, n int, f func(i int, cancelled error)) {
	one := func(i int) {
		select {
		case p.workers <- struct{}{}:
			err := ctx.Err()
			f(i, err)
			<-p.workers
		case <-ctx.Done():
			f(i, ctx.Err())
		}
	}
	if n == 1 {
		one(0)
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, cap(p.workers)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				one(i)
			}
		}()
	}
	wg.Wait()
}

// prefetch tells the head's state which accounts are asked for next.
func (p *Pool) prefetch(senders []common.Address) {
	if p.cfg.PreCheck == nil || len(senders) < 2 {
		return
	}
	if s, ok := p.now.Load().State.(Prefetcher); ok {
		s.Prefetch(senders)
	}
}

// accountRead is a sender's account as precheck has read it, so that admission need not read it again.
type accountRead struct {
	Account
	epoch uint64 // of the head that it belongs to; 0: not read
}

// precheck applies the rules that need no lock, the cheap ones first so that nobody triggers PreCheck's work for free.
func (p *Pool) precheck(tx *abi.Transaction, read *accountRead) error {
	if tx.TipCap.Lt(&p.cfg.MinTip) {
		return &Rejection{Hash: tx.Hash, Reason: ErrTipTooLow, Have: tx.TipCap, Want: p.cfg.MinTip}
	}
	if p.cfg.IntrinsicGas != nil {
		if need := p.cfg.IntrinsicGas(tx); tx.GasLimit < need {
			return rejectNumbers(tx, ErrIntrinsicGas, tx.GasLimit, need, 0)
		}
	}
	if p.cfg.PreCheck == nil {
		return nil
	}
	head := p.now.Load()
	if tx.GasLimit > head.GasLimit {
		return rejectNumbers(tx, ErrGasLimitAboveBlock, tx.GasLimit, head.GasLimit, 0)
	}
	*read = accountRead{head.State.Account(tx.From), head.epoch}
	if read.Delegated {
		return reject(tx.Hash, &abi.AccountDelegated{Account: tx.From})
	}
	if tx.Nonce < read.Nonce {
		return rejectNumbers(tx, ErrNonceTooLow, tx.Nonce, read.Nonce, 0)
	}
	if cost := head.cost(tx); read.Balance.Lt(&cost) {
		return &Rejection{Hash: tx.Hash, Reason: ErrInsufficientFunds, Have: read.Balance, Want: cost}
	}
	if err := p.cfg.PreCheck(tx); err != nil {
		return reject(tx.Hash, err)
	}
	return nil
}

// admit puts in the transactions that have no error yet and waits until they are durable.
func (p *Pool) admit(ctx context.Context, txs []*abi.Transaction, reads []accountRead, errs []error) {
	var accepted []int
	for from := 0; from < len(txs); from += admitChunk {
		p.mu.Lock()
		for i := from; i < min(from+admitChunk, len(txs)); i++ {
			if errs[i] == nil {
				if errs[i] = p.insert(txs[i], &reads[i], false); errs[i] == nil {
					accepted = append(accepted, i)
				}
			}
		}
		p.publish()
		p.mu.Unlock()
	}
	if p.journal != nil && len(accepted) > 0 {
		batch := make([]*abi.Transaction, len(accepted))
		for k, i := range accepted {
			batch[k] = txs[i]
		}
		if err := p.journal.commit(ctx, batch); err != nil {
			durable := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) // or will be
			for _, i := range accepted {
				errs[i] = reject(txs[i].Hash, err)
				if !durable {
					p.Remove(txs[i].Hash)
				}
			}
		}
	}
	ok := 0
	for _, err := range errs {
		if err == nil {
			ok++
		} else {
			p.metrics.rejected.WithLabelValues(reasonLabel(err)).Inc()
		}
	}
	p.metrics.added.Add(float64(ok))
}

// insert applies the rules that depend on the head and the pool, in this order, and puts the transaction in. One that
// returns (from the journal or an abandoned block) was accepted once: it may wait for nonces and funds as if it had been
// here all the time. read is the sender's account if somebody has read it already, else nil.
func (p *Pool) insert(tx *abi.Transaction, read *accountRead, returns bool) error {
	if p.closed {
		return reject(tx.Hash, ErrClosed)
	}
	if p.all[tx.Hash] != nil {
		return reject(tx.Hash, ErrAlreadyKnown)
	}
	if tx.GasLimit > p.head.GasLimit {
		return rejectNumbers(tx, ErrGasLimitAboveBlock, tx.GasLimit, p.head.GasLimit, 0)
	}
	a := p.accounts[tx.From]
	if a == nil {
		a = p.load(tx.From, read) // joins the pool only with its first transaction
	} else if a.readAt != p.epoch {
		p.refresh(a, read) // may drop stale transactions, and the account with the last of them
	}

	if tx.Nonce < a.nonce {
		return rejectNumbers(tx, ErrNonceTooLow, tx.Nonce, a.nonce, 0)
	}
	i, taken := a.search(tx.Nonce)
	if !taken {
		// A deep reorg gives a sender back more than its slots at once; dropping what was acknowledged would leave a gap.
		if !returns && tx.Nonce-a.nonce >= a.slots {
			return rejectNumbers(tx, ErrSenderLimit, tx.Nonce, a.nonce+a.slots, a.slots)
		}
		if next := a.next(); !returns && tx.Nonce > next && tx.Nonce-next > p.cfg.MaxNonceGap {
			return rejectNumbers(tx, ErrNonceGap, tx.Nonce, next, p.cfg.MaxNonceGap)
		}
	}

	cost := p.head.cost(tx)
	sumCost, minTip, minFee := a.before(i)
	sumCost = addSaturating(&sumCost, &cost)
	affordable := !a.balance.Lt(&sumCost)
	if !affordable && !returns {
		return &Rejection{Hash: tx.Hash, Reason: ErrInsufficientFunds, Have: a.balance, Want: sumCost}
	}

	if taken {
		if err := p.replaceable(a.txs[i].tx, tx); err != nil {
			return err
		}
		p.forget(a.txs[i], removedReplaced)
	} else {
		if tx.TipCap.Lt(&minTip) {
			minTip = tx.TipCap
		}
		if tx.FeeCap.Lt(&minFee) {
			minFee = tx.FeeCap
		}
		executable := affordable && i <= a.executable && tx.Nonce == a.nonce+uint64(i)
		w := worth(executable, &minTip, &minFee, &p.head.BaseFee)
		if err := p.makeRoom(tx, &w); err != nil {
			return err
		}
		if p.accounts[a.addr] == nil { // new, or its last transaction was evicted just now
			p.enlist(a)
		}
		i, _ = a.search(tx.Nonce)
		a.insert(i, nil)
	}
	p.seq++
	it := &item{tx: tx, nonce: tx.Nonce, seq: p.seq, cost: cost, queuedSince: p.head.Now}
	a.txs[i] = it
	p.all[tx.Hash] = it
	p.bytes += int64(tx.Size)
	p.settle(a, i)
	return nil
}

// replaceable: both fees must rise by the percentage, rounded up, and by 1 wei at least. A larger replacement must fit:
// a full pool does not evict others for it.
func (p *Pool) replaceable(old, tx *abi.Transaction) error {
	fee, tip := p.bumped(&old.FeeCap), p.bumped(&old.TipCap)
	if tx.FeeCap.Lt(&fee) || tx.TipCap.Lt(&tip) {
		return &Rejection{Hash: tx.Hash, Reason: ErrUnderpriced, Have: tx.FeeCap, Want: fee, HaveTip: tx.TipCap, WantTip: tip, Limit: p.cfg.PriceBumpPercent}
	}
	if grows := int64(tx.Size - old.Size); grows > 0 && p.bytes+grows > p.cfg.MaxBytes {
		return &Rejection{Hash: tx.Hash, Reason: ErrPoolFull}
	}
	return nil
}

func (p *Pool) bumped(fee *uint256.Int) (z uint256.Int) {
	hundred := uint256.NewInt(100)
	if _, overflow := z.MulDivOverflow(fee, uint256.NewInt(100+p.cfg.PriceBumpPercent), hundred); overflow {
		return *z.SetAllOne()
	}
	var rest uint256.Int
	if rest.MulMod(fee, uint256.NewInt(p.cfg.PriceBumpPercent), hundred); !rest.IsZero() || z.Eq(fee) {
		z.AddUint64(&z, 1)
	}
	return z
}

// load makes an account of the head.
func (p *Pool) load(addr common.Address, read *accountRead) *account {
	a := &account{addr: addr, evictIndex: -1}
	p.readState(a, read)
	return a
}

// readState brings an account up to the head.
func (p *Pool) readState(a *account, read *accountRead) {
	var s Account
	if read != nil && read.epoch == p.epoch {
		s = read.Account
	} else if known, ok := p.prefetched[a.addr]; ok {
		s = known
	} else {
		s = p.head.State.Account(a.addr)
	}
	a.nonce, a.balance, a.readAt = s.Nonce, s.Balance, p.epoch
	a.slots = p.cfg.slots(&s.Stake)
}

func (p *Pool) enlist(a *account) {
	a.orderIndex = len(p.order)
	p.order = append(p.order, a)
	p.accounts[a.addr] = a
	if p.watched {
		p.newcomers = append(p.newcomers, a)
	}
}

func (p *Pool) delist(a *account) {
	last := p.order[len(p.order)-1]
	p.order[a.orderIndex], last.orderIndex = last, a.orderIndex
	p.order[len(p.order)-1] = nil
	p.order = p.order[:len(p.order)-1]
	delete(p.accounts, a.addr)
}

// settle brings an account, the counts and the cursors up to date after a change of its transactions from position i on.
func (p *Pool) settle(a *account, i int) {
	if len(a.txs) == 0 {
		a.executable = 0
		p.rerank(a)
		p.delist(a)
		p.touch(a)
		return
	}
	a.accumulate(i)
	before, n := a.executable, min(i, a.executable)
	for n < len(a.txs) && a.txs[n].nonce == a.nonce+uint64(n) && !a.balance.Lt(&a.txs[n].sumCost) {
		n++
	}
	a.executable = n
	for j := i; j < min(len(a.txs), max(n, before+1)); j++ {
		switch it := a.txs[j]; {
		case j < n && !it.executable:
			it.executable = true
			p.pending++
			p.promoted = true
			if !it.announced {
				it.announced = true
				p.fresh = append(p.fresh, it.tx)
			}
		case j >= n && it.executable:
			it.executable = false
			it.queuedSince = p.head.Now
			p.pending--
		}
	}
	p.rerank(a)
	p.touch(a)
}

// forget takes a transaction out of everything but its account.
func (p *Pool) forget(it *item, reason string) {
	delete(p.all, it.tx.Hash)
	p.bytes -= int64(it.tx.Size)
	if it.executable {
		p.pending--
	}
	p.metrics.removed.WithLabelValues(reason).Inc()
}

// removeRange removes the transactions [i, j) of an account.
func (p *Pool) removeRange(a *account, i, j int, reason string) {
	if i == j {
		return
	}
	for _, it := range a.txs[i:j] {
		p.forget(it, reason)
	}
	n := copy(a.txs[i:], a.txs[j:])
	clear(a.txs[i+n:])
	a.txs = a.txs[:i+n]
	p.settle(a, i)
}

// Remove drops a transaction, for example one that is known to be void. Later ones of the sender are queued until the
// nonce is filled.
func (p *Pool) Remove(hash common.Hash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.publish()
	it := p.all[hash]
	if it == nil {
		return
	}
	a := p.accounts[it.tx.From]
	i, _ := a.search(it.nonce)
	p.removeRange(a, i, i+1, removedRequested)
}

// Nonce is the account's next nonce after its executable transactions.
func (p *Pool) Nonce(addr common.Address) uint64 {
	p.mu.RLock()
	a, state := p.accounts[addr], p.head.State
	if a != nil {
		defer p.mu.RUnlock()
		return a.next()
	}
	p.mu.RUnlock()
	return state.Account(addr).Nonce
}

// Get returns a pooled transaction, nil if there is none of that hash.
func (p *Pool) Get(hash common.Hash) *abi.Transaction {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if it := p.all[hash]; it != nil {
		return it.tx
	}
	return nil
}

// Content returns copies of the executable and of the queued transactions by sender, each in nonce order.
func (p *Pool) Content() (pending, queued map[common.Address][]*abi.Transaction) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	pending, queued = make(map[common.Address][]*abi.Transaction), make(map[common.Address][]*abi.Transaction)
	for addr, a := range p.accounts {
		for i, it := range a.txs {
			if i < a.executable {
				pending[addr] = append(pending[addr], it.tx)
			} else {
				queued[addr] = append(queued[addr], it.tx)
			}
		}
	}
	return pending, queued
}

// Stats counts the executable and the queued transactions.
func (p *Pool) Stats() (pending, queued int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.pending, len(p.all) - p.pending
}

// subscriber's channel is only ever written to with room in it.
type subscriber struct{ ch chan<- []*abi.Transaction }

// SubscribeTransactions delivers transactions when they become executable for the first time since they came in. A
// subscriber whose channel is full misses what comes meanwhile (counted in a metric): give the channel room. The slices
// are shared and must not be modified. The subscription ends with the pool.
func (p *Pool) SubscribeTransactions(ch chan<- []*abi.Transaction) event.Subscription {
	s := &subscriber{ch: ch}
	p.mu.Lock()
	p.subs[s] = struct{}{}
	p.mu.Unlock()
	return event.NewSubscription(func(unsubscribed <-chan struct{}) error {
		select {
		case <-unsubscribed:
		case <-p.quit:
		}
		p.mu.Lock()
		delete(p.subs, s)
		p.mu.Unlock()
		return nil
	})
}

// publish announces what became executable. It never blocks. Called with the lock held, so that announcements keep the
// order of the changes.
func (p *Pool) publish() {
	if !p.promoted {
		return
	}
	p.promoted = false
	for _, c := range p.cursors {
		select {
		case c.arrived <- struct{}{}:
		default:
		}
	}
	if len(p.fresh) == 0 {
		return
	}
	p.metrics.promoted.Add(float64(len(p.fresh)))
	for s := range p.subs {
		select {
		case s.ch <- p.fresh:
		default:
			p.metrics.eventsDropped.Add(float64(len(p.fresh)))
		}
	}
	if len(p.subs) > 0 {
		p.fresh = nil
	} else {
		clear(p.fresh)
		p.fresh = p.fresh[:0]
	}
}
