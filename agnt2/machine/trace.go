package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sort"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/machine/origin"
	"github.com/agnt2/agnt2/agnt2/machine/patricia"
	"github.com/agnt2/agnt2/agnt2/machine/witness"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
)

var (
	// ErrSource: L1 or the engine answered with something that does not fit what is proven.
	ErrSource = errors.New("machine: source")
	// ErrBehind: the trace ends before that step.
	ErrBehind = errors.New("machine: step behind the end")
)

// chunkTxs is how many transactions a tracer makes witnesses for at once: it keeps what it needs to begin there.
const chunkTxs = 16

// maxL1Walk bounds the L1 headers that a tracer reads.
const maxL1Walk = 200_000

// Entry is one micro-step of a trace.
type Entry struct {
	State   State // before it
	Witness []byte
	Key     *record.Key // the record that it touches, if any
	Old     []byte      // the record before it; nil: absent
	New     []byte      // the record after it
}

// Trace is every micro-step of one disputed block, of which those of the transactions are made when they are asked for.
// Safe for concurrent use.
type Trace struct {
	env *Env
	l1  L1
	l2  L2

	block  *witness.Block
	base   *witness.State
	txTree *manifest.Tree // of the signed transactions

	origin   *origin.Trace // nil if the block's L1 origin is its parent's
	originAt uint64        // index of its first micro-step

	head   []Entry // before execution; the whole trace if the block is not executed
	starts []*cursor
	steps  uint64 // of the whole trace
	final  State

	mu     sync.Mutex
	cached map[int][]Entry
	order  []int // of cached, oldest first
}

// NewTrace runs the disputed block. The context bounds the questions to L1 and the engine; nothing is asked for later.
func NewTrace(ctx context.Context, env *Env, l1 L1, l2 L2) (*Trace, error) {
	own := *env
	t := &Trace{env: &own, l1: l1, l2: l2, cached: map[int][]Entry{}}
	c := &cursor{t: t, state: Prestate()}
	c.state.frames = frameStore{}
	if err := t.locate(ctx, c); err != nil {
		return nil, err
	}
	if c.state.Status == Unfinished {
		if err := t.run(c); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Len is the number of micro-steps after which the state repeats itself.
func (t *Trace) Len() uint64 { return t.steps }

// Final is the state at the end.
func (t *Trace) Final() State { return t.final }

// Entry is the micro-step with an index below Len.
func (t *Trace) Entry(i uint64) (*Entry, error) {
	if i >= t.steps {
		return nil, fmt.Errorf("%w: %d of %d", ErrBehind, i, t.steps)
	}
	if i < uint64(len(t.head)) {
		return &t.head[i], nil
	}
	n := sort.Search(len(t.starts), func(n int) bool { return t.starts[n].index > i }) - 1
	es, err := t.chunk(n)
	if err != nil {
		return nil, err
	}
	return &es[i-t.starts[n].index], nil
}

// Upload is the receipt that micro-step i needs in OriginLeaves (origin.Upload makes the calls); nil if its witness is enough.
func (t *Trace) Upload(i uint64) ([]byte, error) {
	if i >= uint64(len(t.head)) || t.origin == nil {
		return nil, nil
	}
	e := &t.head[i]
	if e.State.Step != OriginBase+stepKind(origin.Open) {
		return nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.origin.Upload(i - t.originAt)
}

// State is the state before micro-step i; from Len on the final one.
func (t *Trace) State(i uint64) (State, error) {
	if i >= t.steps {
		return t.final, nil
	}
	e, err := t.Entry(i)
	if err != nil {
		return State{}, err
	}
	return e.State, nil
}

// maxCached bounds the chunks whose entries are kept.
const maxCached = 64

// chunk returns the entries from one start to the next.
func (t *Trace) chunk(n int) ([]Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if es, ok := t.cached[n]; ok {
		return es, nil
	}
	end := t.steps
	if n+1 < len(t.starts) {
		end = t.starts[n+1].index
	}
	c := t.starts[n].clone()
	es, err := c.entries(end - c.index)
	if err != nil {
		return nil, err
	}
	if n+1 < len(t.starts) {
		if want := t.starts[n+1].state; c.state.Claim() != want.Claim() {
			return nil, fmt.Errorf("machine: fast and slow mode differ before transaction %d", t.starts[n+1].tx)
		}
	} else {
		t.final = c.state
	}
	if len(t.order) == maxCached {
		delete(t.cached, t.order[0])
		t.order = t.order[1:]
	}
	t.cached[n], t.order = es, append(t.order, n)
	return es, nil
}

// version is a record's value from a chunk on.
type version struct {
	chunk int
	value []byte
}

// attempt is one execution of the block: with its batch, or again with the deposits only.
type attempt struct {
	versions map[record.Key][]version
	messages []common.Hash
}

// cursor is a place in the execution from which micro-steps can be made.
type cursor struct {
	t     *Trace
	index uint64 // of the next micro-step
	state State
	tx    int // index of the next transaction in the block
	chunk int

	attempt  *attempt
	messages int           // of attempt.messages, those already sent
	partial  *trie.Partial // the record trie
	changed  map[record.Key][]byte

	txEdge, receiptEdge *patricia.Edge
	heldTx, heldReceipt []byte // what the edges hold back
	bloom               types.Bloom
	deposits            []common.Hash // the stack below each deposit, in order

	// The transaction in progress.
	raw, data, receipt []byte
	logs               [][]byte
	began              *trie.Partial // when its operation began
	beganWith          map[record.Key][]byte

	// Before execution.
	header                                     func(common.Hash) ([]byte, error)
	originTrace                                *origin.Trace
	originStep                                 uint64
	beginWitness, parentWitness, locateWitness []byte
}

// clone makes a place that can be left while the original stays.
func (c *cursor) clone() *cursor {
	d := *c
	d.partial = c.partial.Snapshot()
	d.txEdge, d.receiptEdge = c.txEdge.Clone(), c.receiptEdge.Clone()
	d.changed = map[record.Key][]byte{}
	d.state.frames = frameStore{}
	for h, f := range c.state.frames {
		d.state.frames[h] = f
	}
	return &d
}

func frameAt[T any](c *cursor, h common.Hash) T {
	f, _ := c.state.frames[h].(T)
	return f
}

func (c *cursor) run() frame.Run     { return frameAt[frame.Run](c, c.state.Run) }
func (c *cursor) block() frame.Block { return frameAt[frame.Block](c, c.state.Block) }
func (c *cursor) sums() frame.Sums   { return frameAt[frame.Sums](c, c.state.Sums) }
func (c *cursor) txFrame() frame.Tx  { return frameAt[frame.Tx](c, c.state.Tx) }
func (c *cursor) op() frame.Op       { return frameAt[frame.Op](c, c.state.Op) }

// get is a record as of the cursor.
func (c *cursor) get(k record.Key) []byte {
	if v, ok := c.changed[k]; ok {
		return v
	}
	vs := c.attempt.versions[k]
	n := sort.Search(len(vs), func(n int) bool { return vs[n].chunk >= c.chunk })
	if n > 0 {
		return vs[n-1].value
	}
	return c.t.base.Get(k)
}

// locate makes the micro-steps before execution, and the cursor ready for it.
func (t *Trace) locate(ctx context.Context, c *cursor) error {
	number := uint64(0)
	headers := map[common.Hash][]byte{}
	c.header = func(h common.Hash) ([]byte, error) {
		if b, ok := headers[h]; ok {
			return b, nil
		}
		if len(headers) >= maxL1Walk {
			return nil, fmt.Errorf("%w: L1 origin is more than %d blocks away", ErrSource, maxL1Walk)
		}
		hd, err := t.l1.Header(ctx, h)
		if err != nil {
			return nil, fmt.Errorf("L1 header %s: %w", h, err)
		}
		headers[h] = headerRLP(hd)
		return headers[h], nil
	}
	c.partial = trie.NewPartial(trie.Hash{})
	c.txEdge, c.receiptEdge = new(patricia.Edge), new(patricia.Edge)
	for c.state.Status == Unfinished && c.state.Step != OpenBlock {
		switch c.state.Step {
		case Begin:
			h, err := t.l2.Header(ctx, t.env.Game.AgreedBlock)
			if err != nil {
				return fmt.Errorf("agreed block: %w", err)
			}
			if h.WithdrawalsHash == nil {
				return fmt.Errorf("%w: header without withdrawals root", ErrSource)
			}
			number = h.Number.Uint64()
			hash := h.Hash()
			c.beginWitness = append(append(append(append([]byte{}, h.Root[:]...), h.WithdrawalsHash[:]...), hash[:]...), headerRLP(h)...)
		case Parent:
			value, proof, err := t.l2.Record(ctx, record.L1InfoKey, number)
			if err != nil {
				return fmt.Errorf("L1 information of block %d: %w", number, err)
			}
			w, err := recordWitness(record.L1InfoKey, value, proof)
			if err != nil {
				return err
			}
			run := c.run()
			c.parentWitness = append(run.AppendPacked(nil), w...)
		case Locate:
			if err := c.locateSubmission(ctx); err != nil {
				return err
			}
		case Origin:
			run := c.run()
			receipts, err := t.l1.Receipts(ctx, run.OriginHash)
			if err != nil {
				return fmt.Errorf("receipts of L1 block %s: %w", common.Hash(run.OriginHash), err)
			}
			env := &origin.Env{Portal: t.env.Portal, SystemConfig: t.env.SystemConfig, Leaves: t.env.Leaves}
			if c.originTrace, err = origin.NewTrace(env, *originOf(&run), receipts); err != nil {
				return err
			}
			if t.env.Leaves, err = c.originTrace.Leaves(); err != nil { // as they will be once they have been uploaded
				return err
			}
		}
		if err := c.add(&t.head); err != nil {
			return err
		}
		if c.state.Step == OriginBase && c.originStep == 0 {
			t.originAt = c.index
		}
	}
	t.steps, t.final = uint64(len(t.head)), c.state
	t.origin = c.originTrace
	if c.state.Status != Unfinished {
		return nil
	}
	var err error
	if t.block, err = t.l2.Witness(ctx, number+1); err != nil {
		return fmt.Errorf("block %d: %w", number+1, err)
	}
	run := c.run()
	if t.block.Parent.Hash() != run.ParentHash {
		return fmt.Errorf("%w: block %d is built on %s, the agreed one is %s", ErrSource, number+1, t.block.Parent.Hash(), common.Hash(run.ParentHash))
	}
	if t.base, err = t.block.Open(); err != nil {
		return err
	}
	if n := uint64(len(t.block.Txs)); n != 1+run.DepositCount+run.TxCount {
		return fmt.Errorf("%w: the engine's block %d has %d transactions, L1 gives it 1 + %d + %d", ErrSource, number+1, n, run.DepositCount, run.TxCount)
	}
	var signed []common.Hash
	for _, raw := range t.block.Txs[1+run.DepositCount:] {
		signed = append(signed, crypto.Keccak256Hash(raw))
	}
	t.txTree = manifest.NewTxTree(signed)
	if c.originTrace != nil {
		var h common.Hash
		hashes := c.originTrace.Deposits()
		c.deposits = make([]common.Hash, len(hashes))
		for i := len(hashes) - 1; i >= 0; i-- { // the first is on top
			c.deposits[i] = h
			h = crypto.Keccak256Hash(h[:], hashes[i][:])
		}
	}
	return nil
}

// locateSubmission makes the witness of LOCATE.
func (c *cursor) locateSubmission(ctx context.Context) error {
	run, t := c.run(), c.t
	ask := func(slots ...common.Hash) (*Storage, error) {
		s, err := t.l1.Storage(ctx, run.Walk, t.env.LayerRoot, slots)
		if err == nil && len(s.Slots) != len(slots) {
			err = fmt.Errorf("%w: %d slots for %d", ErrSource, len(s.Slots), len(slots))
		}
		if err != nil {
			return nil, fmt.Errorf("LayerRoot at L1 block %s: %w", common.Hash(run.Walk), err)
		}
		return s, nil
	}
	answer := func(s *Storage, kind byte, index ...uint64) []byte {
		w := append(appendNodes(run.AppendPacked(nil), s.Account), kind)
		for _, i := range index {
			w = binary.BigEndian.AppendUint64(w, i)
		}
		for _, slot := range s.Slots {
			w = appendNodes(w, slot.Nodes)
		}
		return w
	}
	s, err := ask(SubmissionCountSlot)
	if err != nil {
		return err
	}
	v := s.Slots[0].Value
	count := (&reader{b: v[24:]}).uint64()
	// The first submission that ends at the block or above it.
	low, high := uint64(0), count
	for low < high {
		mid := (low + high) / 2
		if s, err = ask(SubmissionSlot(mid, wordRange)); err != nil {
			return err
		}
		if _, last, _ := submissionRange(s.Slots[0].Value); last < run.Number {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == count {
		slots := []common.Hash{SubmissionCountSlot}
		if count > 0 {
			slots = append(slots, SubmissionSlot(count-1, wordRange))
		}
		if s, err = ask(slots...); err != nil {
			return err
		}
		c.locateWitness = answer(s, locateBeyond)
		return nil
	}
	if s, err = ask(SubmissionSlot(low, wordRange)); err != nil {
		return err
	}
	first, last, _ := submissionRange(s.Slots[0].Value)
	if run.Number < first {
		slots := []common.Hash{SubmissionSlot(low, wordRange)}
		if low > 0 {
			slots = append(slots, SubmissionSlot(low-1, wordRange))
		}
		if s, err = ask(slots...); err != nil {
			return err
		}
		c.locateWitness = answer(s, locateGap, low)
		return nil
	}
	slots := []common.Hash{SubmissionSlot(low, wordRange), SubmissionSlot(low, wordRecordsRoot)}
	if run.Number == first {
		slots = append(slots, SubmissionSlot(low, wordParentCheck))
	}
	if s, err = ask(slots...); err != nil {
		return err
	}
	records, err := t.l2.BlockRecords(ctx, first, last)
	if err != nil {
		return fmt.Errorf("records of blocks %d to %d: %w", first, last, err)
	}
	if uint64(len(records)) != last-first+1 || manifest.RecordsRoot(records) != s.Slots[1].Value {
		return fmt.Errorf("%w: the engine's blocks %d to %d are not those of submission %d", ErrSource, first, last, low)
	}
	path, err := manifest.ProveRecord(records, int(run.Number-first))
	if err != nil {
		return err
	}
	w := append(answer(s, locateCommitted, low), records[run.Number-first].Encode()...)
	c.locateWitness = appendHashes(w, path)
	return nil
}

// add makes the next micro-step and appends it to es.
func (c *cursor) add(es *[]Entry) error {
	e := Entry{State: c.state}
	e.State.frames = nil
	var err error
	if e.Witness, err = c.witness(&e); err != nil {
		return fmt.Errorf("micro-step %d, %s: %w", c.index, Name(c.state.Step), err)
	}
	next, err := c.t.env.step(c.state, e.Witness)
	if err != nil {
		return fmt.Errorf("micro-step %d: %w", c.index, err)
	}
	next.frames = c.state.frames
	c.state = next
	c.index++
	*es = append(*es, e)
	return nil
}

// entries makes n micro-steps.
func (c *cursor) entries(n uint64) ([]Entry, error) {
	es := make([]Entry, 0, n)
	for range n {
		if err := c.add(&es); err != nil {
			return nil, err
		}
	}
	return es, nil
}

// witness is that of the next micro-step; what the step changes outside of frames is moved on.
func (c *cursor) witness(e *Entry) ([]byte, error) {
	k := c.state.Step
	if k < vm.Steps {
		return c.execute(k, e)
	}
	run, sums, tx, op := c.run(), c.sums(), c.txFrame(), c.op()
	switch k {
	case Begin:
		return c.beginWitness, nil
	case Parent:
		return c.parentWitness, nil
	case Walk:
		h, err := c.header(run.Walk)
		return append(run.AppendPacked(nil), h...), err
	case Locate:
		return c.locateWitness, nil
	case OriginEnd:
		_, o, err := c.originTrace.State(c.originTrace.Steps())
		return append(run.AppendPacked(nil), o.Encode()...), err
	case Origin, OpenBlock, Next:
		return run.AppendPacked(nil), nil
	case TxAttributes:
		c.raw = attributes(&run)
		return run.AppendPacked(nil), nil
	case TxDeposit:
		c.raw = c.t.block.Txs[c.tx]
		w := run.AppendPacked(nil)
		w = append(w, c.deposits[c.tx-1][:]...)
		return append(w, c.raw...), nil
	case TxSigned:
		c.raw = c.t.block.Txs[c.tx]
		path, err := c.t.txTree.Prove(int(run.TxNext))
		if err != nil {
			return nil, err
		}
		return append(appendHashes(run.AppendPacked(nil), path), c.raw...), nil
	case TxList:
		w := tx.AppendPacked(sums.AppendPacked(nil))
		w = append(appendBytes(w, c.txEdge.Encode()), c.heldTx...)
		if err := c.txEdge.Append(tx.Hash, tx.Size, c.heldTx); err != nil {
			return nil, err
		}
		c.heldTx = c.raw
		t, err := c.t.env.decode(c.raw)
		if err != nil {
			return nil, err
		}
		c.data, c.logs = t.Data, nil
		return w, nil
	case Receipt:
		block := c.block()
		w := tx.AppendPacked(sums.AppendPacked(block.AppendPacked(nil)))
		if !tx.IsVoid {
			w = op.AppendPacked(w)
		}
		w = append(w, c.bloom[:]...)
		for _, l := range c.logs {
			w = append(append(w, byte(len(l)>>16), byte(len(l)>>8), byte(len(l))), l...)
		}
		raw, bloom, err := receiptBytes(tx.Deposit, !tx.IsVoid && !op.Failed, block.GasUsed, c.logs)
		for i := range bloom {
			c.bloom[i] |= bloom[i]
		}
		c.receipt = raw
		return w, err
	case ReceiptList:
		w := tx.AppendPacked(sums.AppendPacked(nil))
		if !tx.IsVoid {
			w = op.AppendPacked(w)
		}
		w = append(appendBytes(w, c.receiptEdge.Encode()), c.heldReceipt...)
		if err := c.receiptEdge.Append(tx.Receipt, tx.ReceiptSize, c.heldReceipt); err != nil {
			return nil, err
		}
		c.heldReceipt = c.receipt
		c.tx++
		return w, nil
	case Passer:
		p, err := c.t.block.Passer()
		if err != nil {
			return nil, err
		}
		if err := p.Insert(c.attempt.messages[:c.messages]...); err != nil {
			return nil, err
		}
		nodes, err := p.Path(op.Message)
		if err != nil {
			return nil, err
		}
		c.messages++
		return appendNodes(op.AppendPacked(sums.AppendPacked(nil)), nodes), nil
	case TxRoot:
		return append(appendBytes(sums.AppendPacked(nil), c.txEdge.Encode()), c.heldTx...), nil
	case ReceiptRoot:
		return append(appendBytes(sums.AppendPacked(nil), c.receiptEdge.Encode()), c.heldReceipt...), nil
	case Header:
		block := c.block()
		w := sums.AppendPacked(block.AppendPacked(run.AppendPacked(nil)))
		return append(w, c.bloom[:]...), nil
	}
	if k >= OriginBase {
		_, o, err := c.originTrace.State(c.originStep)
		if err != nil {
			return nil, err
		}
		w, err := c.originTrace.Witness(c.originStep)
		c.originStep++
		return append(o.Encode(), w...), err
	}
	return nil, fmt.Errorf("%w: no micro-step %d", ErrState, k)
}

// liveState is the record trie under a micro-step of execution, which it watches.
type liveState struct {
	c       *cursor
	key     record.Key
	touched bool
	old     []byte
	written bool
	value   []byte
	queue   bool
	empty   bool
}

func (l *liveState) touch(k record.Key) {
	if !l.touched {
		l.touched, l.key, l.old = true, k, l.c.get(k)
	}
}

func (l *liveState) Get(k record.Key) []byte {
	l.touch(k)
	return l.old
}

func (l *liveState) Set(k record.Key, v []byte) {
	l.touch(k)
	l.written, l.value = true, v
}

func (l *liveState) NextDeadline() (record.Key, bool) {
	l.queue = true
	_, key, _, ok, err := l.c.partial.ProveFirst(byte(record.NSDeadline))
	if err != nil {
		panic(err)
	}
	if l.empty = !ok; ok {
		l.touch(record.Key(key))
	}
	return record.Key(key), ok
}

// Restore is done with the roots: see execute.
func (l *liveState) Restore(common.Hash) {}

// proof is part 3 of a witness.
func (l *liveState) proof() ([]byte, error) {
	p := l.c.partial
	if l.queue && l.empty {
		proof, _, _, _, err := p.ProveFirst(byte(record.NSDeadline))
		return append([]byte{0}, proof.Encode()...), err
	}
	prove := p.Prove
	if l.written && l.value == nil && l.old != nil {
		prove = p.ProveDelete
	}
	proof, err := prove(trie.Key(l.key))
	if err != nil {
		return nil, err
	}
	if l.queue {
		d, err := record.DecodeDeadline(l.old)
		if err != nil {
			return nil, err
		}
		w := append([]byte{1}, l.key[1:7]...) // time and kind
		return append(append(w, d.Id[:]...), proof.Encode()...), nil
	}
	return recordWitness(l.key, l.old, proof)
}

func recordWitness(k record.Key, value []byte, proof trie.Proof) ([]byte, error) {
	if value == nil {
		return append([]byte{0}, proof.Encode()...), nil
	}
	w, err := recordCodecOf(k).pack(value, []byte{1})
	if err != nil {
		return nil, fmt.Errorf("%v: %w", k, err)
	}
	return append(w, proof.Encode()...), nil
}

// execute makes the witness of a micro-step of execution, by taking it.
func (c *cursor) execute(k vm.Step, e *Entry) ([]byte, error) {
	m := &vm.Machine{ChainID: c.t.env.ChainID, Coinbase: abi.SequencerFeeVault}
	for _, x := range slots {
		if k.Opens()&x.bit != 0 {
			x.load(m, &c.state)
		}
	}
	if k.Opens()&vm.OpensData != 0 {
		if err := m.SetData(k, c.data); err != nil {
			return nil, err
		}
	}
	w := packFrames(m, k.Opens())
	l := &liveState{c: c}
	m.Micro(l, k)
	for _, log := range m.Logs() {
		c.logs = append(c.logs, logRLP(log))
	}
	switch {
	case k == vm.TxUndo:
		c.partial, c.changed = c.began, c.beganWith
		return w, nil
	case m.Op.Failed:
		c.logs = nil
	}
	if l.touched || l.queue {
		proof, err := l.proof()
		if err != nil {
			return nil, err
		}
		w = append(w, proof...)
	}
	if l.touched {
		e.Key, e.Old, e.New = &l.key, l.old, l.old
	}
	if l.written {
		e.New = l.value
		if err := c.set(l.key, l.value); err != nil {
			return nil, err
		}
	}
	if k == vm.TxBegin || k == vm.DepositBegin {
		c.began, c.beganWith = c.partial.Snapshot(), maps.Clone(c.changed)
	}
	return w, nil
}

func (c *cursor) set(k record.Key, v []byte) error {
	c.changed[k] = v
	if v == nil {
		return c.partial.Set(trie.Key(k), nil)
	}
	h := trie.HashRecord(v)
	return c.partial.Set(trie.Key(k), &h)
}

// closing is the number of micro-steps from SealBaseFees to the end.
const closing = 7

// dirtyState is the records during execution in the fast mode, and which ones have been written since the last cursor.
type dirtyState struct {
	*vm.Overlay
	dirty map[record.Key]bool
}

func (d *dirtyState) Set(k record.Key, v []byte) {
	d.dirty[k] = true
	d.Overlay.Set(k, v)
}

// run executes the block in the fast mode, counts its micro-steps, and keeps a cursor for every few transactions.
func (t *Trace) run(c *cursor) error {
	for again := true; again; {
		c.partial = t.base.Partial.Snapshot()
		c.tx, c.chunk, c.messages = 0, len(t.starts), 0
		c.txEdge, c.receiptEdge = new(patricia.Edge), new(patricia.Edge)
		c.heldTx, c.heldReceipt, c.bloom = nil, nil, types.Bloom{}
		c.attempt = &attempt{versions: map[record.Key][]version{}}
		c.changed = map[record.Key][]byte{}
		t.starts = append(t.starts, c.clone())
		var err error
		if again, err = t.execute(c); err != nil {
			return err
		}
	}
	t.steps = c.index + closing
	_, err := t.chunk(len(t.starts) - 1) // for the final state
	return err
}

// execute is one attempt; again says that a malformed transaction asks for another one, at c.
func (t *Trace) execute(c *cursor) (again bool, err error) {
	run := c.run()
	block, _ := openFrames(&run)
	m := vm.New(vm.Block{
		ChainID: t.env.ChainID, Number: block.Number, Time: block.Time, GasLimit: block.GasLimit, BaseFee: block.BaseFee,
		Coinbase: abi.SequencerFeeVault,
	})
	s := &dirtyState{vm.NewOverlay(t.base), map[record.Key]bool{}}
	m.Begin(s)
	m.Block.Policy = commit(&m.Policy)
	c.index += 1 + m.Steps()
	var passer *witness.Passer // once a message has been sent
	for i := 0; i == 0 || nextTransaction(&run) != vm.SealBaseFees; i++ {
		raw := t.block.Txs[i]
		c.index += 2 // read, and listed
		switch {
		case i == 0:
			raw = attributes(&run)
		case run.DepositsLeft > 0:
			run.Deposits = c.deposits[i-1]
			run.DepositsLeft--
		default:
			run.TxNext++
		}
		tx, err := t.env.decode(raw)
		if err != nil || tx.Deposit != (run.TxNext == 0) {
			c.index-- // not listed
			c.state = c.state.reopened(&run)
			return true, nil
		}
		if err := c.txEdge.Append(tx.Hash, uint32(tx.Size), c.heldTx); err != nil {
			return false, err
		}
		before := m.Steps()
		m.Apply(s, tx)
		c.index += m.Steps() - before
		var logs [][]byte
		if !m.Tx.IsVoid {
			for _, l := range m.Logs() {
				logs = append(logs, logRLP(l))
			}
		}
		receipt, bloom, err := receiptBytes(tx.Deposit, !m.Tx.IsVoid && !m.Op.Failed, m.Block.GasUsed, logs)
		if err != nil {
			return false, err
		}
		for j := range bloom {
			c.bloom[j] |= bloom[j]
		}
		if err := c.receiptEdge.Append(crypto.Keccak256Hash(receipt), uint32(len(receipt)), c.heldReceipt); err != nil {
			return false, err
		}
		c.heldTx, c.heldReceipt = raw, receipt
		c.index += 3 // receipt, listed, next
		if !m.Tx.IsVoid && sent(&m.Op) {
			c.index++
			c.attempt.messages = append(c.attempt.messages, m.Op.Message)
			if passer == nil {
				if passer, err = t.block.Passer(); err != nil {
					return false, err
				}
			}
			if err := passer.Insert(m.Op.Message); err != nil {
				return false, err
			}
		}
		last := nextTransaction(&run) == vm.SealBaseFees
		if (i+1)%chunkTxs != 0 && !last {
			continue
		}
		for k := range s.dirty {
			v := s.Overlay.Get(k)
			if err := c.set(k, v); err != nil {
				return false, err
			}
			c.attempt.versions[k] = append(c.attempt.versions[k], version{c.chunk, v})
		}
		clear(s.dirty)
		clear(c.changed)
		c.chunk, c.tx, c.messages = len(t.starts), i+1, len(c.attempt.messages)
		at := State{Status: Unfinished, Step: nextTransaction(&run), Root: c.partial.Root(), frames: frameStore{}}
		sums := m.Sums
		sums.Passer, sums.Index = run.ParentPasser, uint64(i+1)
		if passer != nil {
			sums.Passer = passer.Root()
		}
		sums.Transactions, sums.Receipts, sums.Bloom = c.txEdge.Hash(), c.receiptEdge.Hash(), crypto.Keccak256Hash(c.bloom[:])
		at.Run, at.Block, at.Sums, at.Params = put(&at, &run), put(&at, &m.Block), put(&at, &sums), put(&at, &m.Params)
		put(&at, &m.Policy) // the block frame has its hash
		c.state = at
		t.starts = append(t.starts, c.clone())
	}
	return false, nil
}

// appendHashes appends a path: its length in one byte, and the hashes.
func appendHashes(w []byte, path []common.Hash) []byte {
	w = append(w, byte(len(path)))
	for _, h := range path {
		w = append(w, h[:]...)
	}
	return w
}
