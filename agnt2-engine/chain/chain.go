// Package chain owns the engine's blocks: it executes foreign ones in full, adopts the head that the rollup node names,
// and keeps labels, indices and state consistent through one atomic, synced batch per adoption, so that after a crash the
// engine stands on a block that it had acknowledged.
//
// Layout in pebble beside the state store's (agnt2-engine/state):
//
// H ‖ hash → header RLP I ‖ hash → number C ‖ number → canonical hash
// B ‖ number ‖ hash → where body RLP, receipts (status, cumulative gas, logs) and index are in the log
// M ‖ height, index → node of the history P ‖ id, index → pruned interaction Q ‖ index → its id
// A ‖ agent, role, block, log → id of an interaction
// Lhead, Lsafe, Lfinalized → hash Lgenesis → hash Lformat → what layout this is
//
// Beside it, Options.Dir/blocks is the log (agnt2-engine/seglog), and Options.Dir/hashes leads from the hashes of
// transactions and interactions to blocks (agnt2-engine/hashindex).
package chain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/event"
	"github.com/ethereum/go-ethereum/log"
	gethparams "github.com/ethereum/go-ethereum/params"
	"golang.org/x/sync/errgroup"

	"github.com/agnt2/agnt2/agnt2-engine/hashindex"
	"github.com/agnt2/agnt2/agnt2-engine/seglog"
	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/genesis"
)

var (
	// ErrUnknownParent: the block's parent is not known here.
	ErrUnknownParent = errors.New("unknown parent block")
	// ErrUnknownBlock: no such block here.
	ErrUnknownBlock = errors.New("unknown block")
	// ErrInvalid: the block breaks a rule, or execution gives another block than the header claims.
	ErrInvalid = errors.New("invalid block")
	// ErrNotCanonical: a safe or finalized label that is not an ancestor of the head.
	ErrNotCanonical = errors.New("not an ancestor of the head")
	// ErrOtherGenesis: the data directory belongs to another chain.
	ErrOtherGenesis = errors.New("data directory was made for another genesis")
	// ErrOtherFormat: another version of the engine has written the data directory.
	ErrOtherFormat = errors.New("data directory has another version's layout: derive the chain again in a new one")
)

// Options of Open.
type Options struct {
	// FS and Dir are where blocks and history lie, beside the database.
	FS  vfs.FS
	Dir string
	// IndexMemory is how many hashes, and as many changes of records, may wait to be indexed on disk; 0: 2²⁰.
	IndexMemory   int
	CacheBytes    int    // record cache; default 256 MiB
	AgentIndex    bool   // whether the interactions of an agent can be listed
	HistoryBlocks uint64 // blocks whose state stays readable below the head; default 20000
	// PrunedInteractions is how many of the newest pruned interactions keep their record in the store; 0: all.
	PrunedInteractions uint64
	// Sender may return a transaction that is decoded already (the mempool's), or nil.
	Sender func(hash common.Hash) *abi.Transaction
	// OnAdopted is called after every change of head, before SetLabels returns: what builds on the head next must already
	// know of it.
	OnAdopted func(*Adopted)
	Log       log.Logger
}

// Bounds of the cache of recent blocks and receipts. A transaction with its receipt takes some 5 KB in many small pieces,
// all of which the garbage collector visits.
const (
	blocksInMemory       = 256
	transactionsInMemory = 50_000
)

// batchBytesPerTx is about what adopting a block adds to the batch for each transaction: changed records. A large batch that
// grows to its size is copied twice on the way.
const batchBytesPerTx = 448

// format is the layout of the data directory.
const format = "3"

// Executed is a block with everything that executing it gave. It must not be modified.
type Executed struct {
	Header   *types.Header
	Hash     common.Hash
	Raws     [][]byte // the transactions' EIP-2718 encodings
	Receipts types.Receipts
	Txs      []*abi.Transaction // nil if the block was read from disk

	ethereum atomic.Pointer[types.Block] // set from the start if Txs is nil
}

// Number is the block's.
func (x *Executed) Number() uint64 { return x.Header.Number.Uint64() }

// Block returns the block as go-ethereum has it. Its transactions are decoded when it is asked for first.
func (x *Executed) Block() *types.Block {
	if b := x.ethereum.Load(); b != nil {
		return b
	}
	b := block.Ethereum(x.Header, x.Txs)
	x.ethereum.Store(b)
	return b
}

// Chain is safe for concurrent use.
type Chain struct {
	db      *pebble.DB
	cfg     *gethparams.ChainConfig
	chainID *big.Int
	opts    Options
	log     log.Logger
	genesis *types.Block
	store   *state.Store
	blocks  *seglog.Log
	hashes  *hashindex.Index

	// writeMu serialises execution results and adoptions.
	writeMu sync.Mutex

	mu                    sync.RWMutex // guards the labels
	head, safe, finalized *types.Header

	executed *blockCache // recent blocks, adopted or not
	pendMu   sync.Mutex
	pend     map[common.Hash]*Executed // executed and not on disk
	headers  *lru.Cache[common.Hash, *types.Header]

	heads event.FeedOf[core.ChainHeadEvent]
}

// Adopted tells what a change of head did.
type Adopted struct {
	Head    *types.Header
	Applied []*Executed // oldest first
	Undone  []*Executed // newest first
}

// Close ends the files beside the database, which the caller closes then.
func (c *Chain) Close() error {
	var err error
	if c.store != nil {
		err = c.store.Close()
	}
	if c.blocks != nil {
		err = errors.Join(err, c.blocks.Close())
	}
	if c.hashes != nil {
		err = errors.Join(err, c.hashes.Close())
	}
	return err
}

// Open opens or creates the chain in db. The caller closes db after Close.
func Open(db *pebble.DB, g *genesis.Genesis, o Options) (_ *Chain, err error) {
	if o.CacheBytes == 0 {
		o.CacheBytes = 256 << 20
	}
	if o.HistoryBlocks == 0 {
		o.HistoryBlocks = 20_000
	}
	if o.Log == nil {
		o.Log = log.Root()
	}
	c := &Chain{
		db: db, cfg: g.ChainConfig(), chainID: new(big.Int).SetUint64(g.ChainID), opts: o, log: o.Log,
		executed: newBlockCache(), pend: make(map[common.Hash]*Executed),
		headers: lru.NewCache[common.Hash, *types.Header](8192),
	}
	c.genesis = g.Block()
	if c.blocks, err = seglog.Open(o.FS, o.FS.PathJoin(o.Dir, "blocks")); err != nil {
		return nil, err
	}
	if c.hashes, err = hashindex.Open(o.FS, o.FS.PathJoin(o.Dir, "hashes"), o.IndexMemory); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	stored, err := get(db, labelKey("genesis"))
	if err != nil {
		return nil, err
	}
	written, err := get(db, labelKey("format"))
	if err != nil {
		return nil, err
	}
	switch {
	case stored == nil:
		if err := c.bootstrap(g); err != nil {
			return nil, err
		}
	case common.BytesToHash(stored) != c.genesis.Hash():
		return nil, fmt.Errorf("%w: %x, genesis file gives %s", ErrOtherGenesis, stored, c.genesis.Hash())
	case string(written) != format:
		return nil, ErrOtherFormat
	}
	c.store, err = state.Open(db, c, state.Options{
		FS: o.FS, Dir: o.Dir, IndexMemory: o.IndexMemory, CacheBytes: o.CacheBytes,
		Root: func(id state.ID) (common.Hash, error) {
			h := c.HeaderByHash(id.Hash)
			if h == nil {
				return common.Hash{}, fmt.Errorf("%w: header of head %s is missing", state.ErrCorrupt, id.Hash)
			}
			return h.Root, nil
		},
		Progress: func(n int) {
			if n%(1<<20) < 4096 && n > 4096 {
				c.log.Info("Rebuilding the interaction trie", "records", n)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	for name, to := range map[string]**types.Header{"head": &c.head, "safe": &c.safe, "finalized": &c.finalized} {
		raw, err := get(db, labelKey(name))
		if err != nil {
			return nil, err
		}
		if *to = c.HeaderByHash(common.BytesToHash(raw)); *to == nil {
			return nil, fmt.Errorf("%w: label %s points to %x", state.ErrCorrupt, name, raw)
		}
	}
	if c.head.Hash() != c.store.Head().Hash {
		return nil, fmt.Errorf("%w: head is %s, state is that of %s", state.ErrCorrupt, c.head.Hash(), c.store.Head().Hash)
	}
	if err := c.reindex(c.head.Number.Uint64()); err != nil {
		return nil, err
	}
	c.log.Info("Chain opened", "head", c.head.Number, "hash", c.head.Hash(), "safe", c.safe.Number, "finalized", c.finalized.Number)
	return c, nil
}

func (c *Chain) bootstrap(g *genesis.Genesis) error {
	batch := c.db.NewBatch()
	defer batch.Close()
	var rs []state.Record
	for _, r := range g.Records() {
		rs = append(rs, state.Record{Key: r.Key, Value: r.Value})
	}
	id := state.ID{Number: 0, Hash: c.genesis.Hash()}
	if err := state.Bootstrap(batch, id, rs); err != nil {
		return err
	}
	blocks, err := c.appendBlocks([]*Executed{{Header: c.genesis.Header(), Hash: c.genesis.Hash()}})
	if err != nil {
		return err
	}
	if err := writeBlock(batch, &blocks[0]); err != nil {
		return err
	}
	for _, l := range []string{"genesis", "head", "safe", "finalized"} {
		if err := batch.Set(labelKey(l), id.Hash[:], nil); err != nil {
			return err
		}
	}
	if err := batch.Set(labelKey("format"), []byte(format), nil); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}

// Config returns the Ethereum view of the chain's rules.
func (c *Chain) Config() *gethparams.ChainConfig { return c.cfg }

// Genesis returns block 0.
func (c *Chain) Genesis() *types.Block { return c.genesis }

// State returns the state store.
func (c *Chain) State() *state.Store { return c.store }

// Head, Safe and Finalized return the labelled headers.
func (c *Chain) Head() *types.Header { return c.label(&c.head) }

// Safe returns the newest block derived from L1.
func (c *Chain) Safe() *types.Header { return c.label(&c.safe) }

// Finalized returns the newest block derived from finalized L1 blocks.
func (c *Chain) Finalized() *types.Header { return c.label(&c.finalized) }

func (c *Chain) label(h **types.Header) *types.Header {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return *h
}

// Decode checks and decodes EIP-2718 encodings in parallel, reusing the senders that the mempool has recovered. The bytes belong to
// the transactions then.
func (c *Chain) Decode(raws [][]byte) ([]*abi.Transaction, error) {
	const atOnce = 8
	out := make([]*abi.Transaction, len(raws))
	var g errgroup.Group
	workers := min(runtime.GOMAXPROCS(0), len(raws)/64+1)
	for w := range workers {
		g.Go(func() error {
			for from := w * atOnce; from < len(raws); from += workers * atOnce {
				us, errs := abi.Prepare(raws[from:min(from+atOnce, len(raws))], c.chainID)
				for k, u := range us {
					if errs[k] != nil {
						return fmt.Errorf("transaction %d: %w", from+k, errs[k])
					}
					if c.opts.Sender == nil {
						continue
					}
					if out[from+k] = c.opts.Sender(u.Hash()); out[from+k] != nil {
						us[k] = nil
					}
				}
				txs, errs := abi.VerifyMany(us)
				for k, tx := range txs {
					if errs[k] != nil {
						return fmt.Errorf("transaction %d: %w", from+k, errs[k])
					}
					if tx != nil {
						out[from+k] = tx
					}
				}
			}
			return nil
		})
	}
	return out, g.Wait()
}

// Insert executes a foreign block, given as header and EIP-2718 encodings of its transactions, on its parent and keeps it, without
// making it the head. It is cheap for known blocks. Errors: ErrUnknownParent, ErrInvalid; anything else is the disk's.
func (c *Chain) Insert(claimed *types.Header, raws [][]byte) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.insert(claimed, raws)
}

func (c *Chain) insert(claimed *types.Header, raws [][]byte) error {
	hash := claimed.Hash()
	if c.store.Known(hash) {
		return nil
	}
	if n, ok := c.NumberOf(hash); ok && c.CanonicalHash(n) == hash {
		return nil // canonical, and older than the history window
	}
	parent := c.HeaderByHash(claimed.ParentHash)
	if parent == nil {
		return fmt.Errorf("%w: %s of block %v", ErrUnknownParent, claimed.ParentHash, claimed.Number)
	}
	if err := c.ensureState(parent); err != nil {
		return err
	}
	if err := block.CheckHeader(c.cfg, parent, claimed); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	txs, err := c.Decode(raws)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	h := types.CopyHeader(claimed)
	view, err := c.store.View(parent.Hash())
	if err != nil {
		return err
	}
	e := block.NewExecution(c.chainID.Uint64(), h, view)
	for i, tx := range txs {
		if i%block.PrefetchTxs == 0 {
			e.Prefetch(txs[i:min(i+block.PrefetchTxs, len(txs))])
		}
		if _, err := e.Apply(tx); err != nil {
			return fmt.Errorf("%w: transaction %d: %w", ErrInvalid, i, err)
		}
	}
	if len(txs) == 0 {
		return fmt.Errorf("%w: %w", ErrInvalid, block.ErrNoL1Attributes)
	}
	if _, err := c.finish(e, parent.Hash(), func(got *types.Header) error { return differ(claimed, got) }); err != nil {
		return err
	}
	return nil
}

// differ names the first field in which execution disagrees with a header.
func differ(want, got *types.Header) error {
	if want.Hash() == got.Hash() {
		return nil
	}
	for _, f := range []struct {
		name      string
		want, got any
	}{
		{"gasUsed", want.GasUsed, got.GasUsed}, {"transactionsRoot", want.TxHash, got.TxHash},
		{"receiptsRoot", want.ReceiptHash, got.ReceiptHash}, {"stateRoot", want.Root, got.Root},
		{"withdrawalsRoot", *want.WithdrawalsHash, *got.WithdrawalsHash}, {"logsBloom", want.Bloom, got.Bloom},
	} {
		if f.want != f.got {
			return fmt.Errorf("%w: %s is %v, execution gives %v", ErrInvalid, f.name, f.want, f.got)
		}
	}
	return fmt.Errorf("%w: hash is %s, execution gives %s", ErrInvalid, want.Hash(), got.Hash())
}

// Seal finishes a block that was built here and keeps it.
func (c *Chain) Seal(e *block.Execution) (*Executed, error) {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	return c.finish(e, e.Header.ParentHash, nil)
}

// finish closes the execution, computes the roots and keeps the block if check accepts it.
func (c *Chain) finish(e *block.Execution, parent common.Hash, check func(*types.Header) error) (*Executed, error) {
	e.Finish()
	effect := &state.Block{
		Number: e.Header.Number.Uint64(), Parent: parent, Changes: e.Overlay.Changes(), Messages: e.Machine.Messages,
		Pruned: e.Machine.Pruned,
	}
	h, err := e.Seal(func() (common.Hash, common.Hash, error) { return c.store.Apply(effect) })
	if err != nil {
		return nil, err
	}
	if check != nil {
		if err := check(h); err != nil {
			return nil, err
		}
	}
	x := &Executed{Header: h, Hash: h.Hash(), Raws: e.Raws, Receipts: e.Receipts, Txs: e.Txs}
	effect.Hash = x.Hash
	c.pendMu.Lock()
	c.pend[effect.Hash] = x
	c.pendMu.Unlock()
	c.executed.Add(effect.Hash, x)
	c.headers.Add(effect.Hash, h)
	c.store.Add(effect)
	return x, nil
}

// ensureState executes stored blocks again whose effects are no longer in memory, from the nearest known ancestor on.
func (c *Chain) ensureState(h *types.Header) error {
	var missing []*Executed
	for !c.store.Known(h.Hash()) {
		b := c.Executed(h.Hash())
		if b == nil || uint64(len(missing)) > c.opts.HistoryBlocks {
			return fmt.Errorf("%w: %s", state.ErrUnknownBlock, h.Hash())
		}
		missing = append(missing, b)
		if h = c.HeaderByHash(h.ParentHash); h == nil {
			return fmt.Errorf("%w: parent of %s", ErrUnknownParent, b.Hash)
		}
	}
	for i := len(missing) - 1; i >= 0; i-- {
		c.log.Info("Executing a stored block again", "number", missing[i].Number(), "hash", missing[i].Hash)
		if err := c.insert(missing[i].Header, missing[i].Raws); err != nil {
			return err
		}
	}
	return nil
}

// SetLabels makes head the canonical head, with its safe and finalized ancestors; zero hashes leave a label as it is.
// When it returns, everything is on disk. Errors: ErrUnknownBlock, ErrNotCanonical.
func (c *Chain) SetLabels(head, safe, finalized common.Hash) error {
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	h := c.HeaderByHash(head)
	if h == nil {
		return fmt.Errorf("%w: head %s", ErrUnknownBlock, head)
	}
	if err := c.ensureState(h); err != nil {
		return err
	}
	old := c.Head()
	labels := map[string]common.Hash{}
	newSafe, err := c.ancestor(h, safe, c.Safe())
	if err != nil {
		return fmt.Errorf("safe %s: %w", safe, err)
	}
	newFinalized, err := c.ancestor(h, finalized, c.Finalized())
	if err != nil {
		return fmt.Errorf("finalized %s: %w", finalized, err)
	}
	if newSafe.Hash() != c.Safe().Hash() {
		labels["safe"] = newSafe.Hash()
	}
	if newFinalized.Hash() != c.Finalized().Hash() {
		labels["finalized"] = newFinalized.Hash()
	}
	if head == old.Hash() && len(labels) == 0 {
		return nil
	}
	labels["head"] = head
	size := 0
	if x := c.pending(head); x != nil { // else it is on disk or moves by more than a block: the batch grows as it must
		size = batchBytesPerTx * len(x.Raws)
	}
	batch := c.db.NewBatchWithSize(size)
	defer batch.Close()
	var moved *Adopted
	if head == old.Hash() {
		if err = writeLabels(batch, labels); err == nil {
			err = batch.Commit(pebble.Sync)
		}
	} else {
		moved, err = c.adopt(batch, h, labels)
	}
	if err != nil {
		return err
	}
	c.setLabels(h, newSafe, newFinalized)
	if moved != nil {
		c.announce(moved)
	}
	if labels["finalized"] != (common.Hash{}) {
		return c.prune(newFinalized.Number.Uint64())
	}
	return nil
}

// ancestor finds a labelled block that must be an ancestor of head, or head itself. A zero hash keeps the present label,
// pulled back to genesis if head does not descend from it.
func (c *Chain) ancestor(head *types.Header, want common.Hash, present *types.Header) (*types.Header, error) {
	keep := want == (common.Hash{})
	target := present
	if !keep {
		if target = c.HeaderByHash(want); target == nil {
			return nil, ErrUnknownBlock
		}
	}
	if c.descends(head, target) {
		return target, nil
	}
	if keep {
		return c.genesis.Header(), nil
	}
	return nil, ErrNotCanonical
}

func (c *Chain) descends(h, from *types.Header) bool {
	n := from.Number.Uint64()
	for h != nil && h.Number.Uint64() > n {
		if c.CanonicalHash(h.Number.Uint64()) == h.Hash() { // from here on down the index answers
			return c.CanonicalHash(n) == from.Hash()
		}
		h = c.HeaderByHash(h.ParentHash)
	}
	return h != nil && h.Hash() == from.Hash()
}

func (c *Chain) setLabels(head, safe, finalized *types.Header) {
	c.mu.Lock()
	c.head, c.safe, c.finalized = head, safe, finalized
	c.mu.Unlock()
}

func writeLabels(batch *pebble.Batch, labels map[string]common.Hash) error {
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		if err := batch.Set(labelKey(l), labels[l].Bytes(), nil); err != nil {
			return err
		}
	}
	return nil
}

// adopt moves the canonical chain to h and commits batch. What is large goes to the logs first, and is on disk before
// anything refers to it. For a single block the batch's keys ascend, so that nobody has to sort them.
func (c *Chain) adopt(batch *pebble.Batch, h *types.Header, labels map[string]common.Hash) (*Adopted, error) {
	if err := c.hashes.Ready(); err != nil {
		return nil, err
	}
	a, err := c.store.Adopt(h.Hash())
	if err != nil {
		return nil, err
	}
	moved := &Adopted{Head: h}
	fail := func(err error) (*Adopted, error) {
		a.Abort()
		return nil, err
	}
	for _, b := range a.Undone() {
		x := c.Executed(b.Hash)
		if x == nil {
			return fail(fmt.Errorf("%w: body of block %s", state.ErrCorrupt, b.Hash))
		}
		moved.Undone = append(moved.Undone, x)
		if err := batch.Delete(canonicalKey(b.Number), nil); err != nil {
			return fail(err)
		}
		if c.opts.AgentIndex {
			if err := eachParty(x, func(k []byte, _ common.Hash) error { return batch.Delete(k, nil) }); err != nil {
				return fail(err)
			}
		}
	}
	for _, b := range a.Applied() {
		x := c.Executed(b.Hash)
		if x == nil {
			return fail(fmt.Errorf("%w: body of block %s", state.ErrCorrupt, b.Hash))
		}
		moved.Applied = append(moved.Applied, x)
	}
	var blocks []appended
	var g errgroup.Group
	g.Go(a.Append)
	g.Go(func() (err error) {
		blocks, err = c.appendBlocks(moved.Applied)
		return err
	})
	if err := g.Wait(); err != nil {
		return fail(err)
	}
	for i := range blocks {
		if err := writeBlock(batch, &blocks[i]); err != nil {
			return fail(err)
		}
		if c.opts.AgentIndex {
			if err := eachParty(moved.Applied[i], func(k []byte, id common.Hash) error { return batch.Set(k, id[:], nil) }); err != nil {
				return fail(err)
			}
		}
	}
	if err := c.writeHistory(batch, a.Applied()); err != nil {
		return fail(err)
	}
	if err := writeLabels(batch, labels); err != nil {
		return fail(err)
	}
	if err := a.Write(batch); err != nil {
		return fail(err)
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return fail(err)
	}
	a.Done()
	for i := range blocks {
		b := blocks[i].Executed
		c.hashes.Add(hashindex.Mark{Number: b.Number(), Hash: b.Hash}, blocks[i].hashes)
	}
	c.pendMu.Lock()
	for _, x := range moved.Applied {
		delete(c.pend, x.Hash)
	}
	c.pendMu.Unlock()
	return moved, nil
}

// prune drops what the history window no longer covers, and unadopted blocks that finality has overtaken. It need not be
// synced: what a crash leaves behind is pruned later.
func (c *Chain) prune(finalized uint64) error {
	c.store.Forget(finalized) // while the trees can still leave a block that is pruned next
	if head := c.Head().Number.Uint64(); head > c.opts.HistoryBlocks {
		batch := c.db.NewBatch()
		defer batch.Close()
		if err := c.store.Prune(batch, min(head-c.opts.HistoryBlocks, finalized)); err != nil {
			return err
		}
		if err := batch.Commit(pebble.NoSync); err != nil {
			return err
		}
	}
	c.pendMu.Lock()
	for hash, x := range c.pend {
		if x.Number() <= finalized {
			delete(c.pend, hash)
		}
	}
	c.pendMu.Unlock()
	return nil
}

func (c *Chain) announce(m *Adopted) {
	for _, x := range m.Applied {
		c.heads.Send(core.ChainHeadEvent{Header: x.Header})
	}
	if len(m.Applied) == 0 {
		c.heads.Send(core.ChainHeadEvent{Header: m.Head})
	}
	if c.opts.OnAdopted != nil {
		c.opts.OnAdopted(m)
	}
}

// SubscribeHeads delivers every new canonical head in order.
func (c *Chain) SubscribeHeads(ch chan<- core.ChainHeadEvent) event.Subscription {
	return c.heads.Subscribe(ch)
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
