// Package state keeps the records of the interaction trie: the head's on disk, flat, one lookup each; the effects of
// blocks that are executed but not yet adopted in memory; and what older blocks need to be read or undone.
//
// Layout in pebble (everything of one adoption goes into one atomic batch, together with the blocks themselves):
//
//	r ‖ key            → the record at the head on disk, packed (pack.go)
//	c ‖ number         → where the reverse diff of a canonical block is: the bytes that its changed records had before
//	m ‖ number         → hashes of the block's L2-to-L1 messages
//	sHead              → number and hash of the head on disk
//
// Beside it, Options.Dir/diffs holds the reverse diffs (agnt2-engine/seglog), and Options.Dir/changes tells which blocks
// changed a record (agnt2-engine/hashindex).
//
// Merkle nodes are held in memory only. They are rebuilt from the records at start and compared with the head's state
// root, so that a damaged store is found before it answers anything (docs/internals/state.md gives the cost).
package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"

	"github.com/agnt2/agnt2/agnt2-engine/hashindex"
	"github.com/agnt2/agnt2/agnt2-engine/seglog"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

var (
	// ErrUnknownBlock: the block was never executed here, or its effect is not kept.
	ErrUnknownBlock = errors.New("state of that block is not known")
	// ErrPruned: the block is canonical but older than the history window.
	ErrPruned = errors.New("state of that block is older than the history window")
	// ErrCorrupt: what is on disk contradicts itself.
	ErrCorrupt = errors.New("state store is corrupt")
)

// Block is the effect of one executed block.
type Block struct {
	Number       uint64
	Hash, Parent common.Hash
	Changes      []vm.Change // in ascending order of keys
	Messages     []common.Hash
	Pruned       []vm.Pruned // interactions that moved into the history, in order

	// packed is Changes' new records as the database has them, one after the other; made with their hashes, while they are at hand,
	// and kept until they are in the database. ends is where each of them ends. Both nil: not made.
	packed []byte
	ends   []uint32
}

// find returns what the block did to a record, nil if nothing.
func (b *Block) find(k *record.Key) *vm.Change {
	i, ok := slices.BinarySearchFunc(b.Changes, k, func(c vm.Change, k *record.Key) int { return bytes.Compare(c.Key[:], k[:]) })
	if !ok {
		return nil
	}
	return &b.Changes[i]
}

// ID names a block.
type ID struct {
	Number uint64
	Hash   common.Hash
}

// Chain tells the store which blocks are canonical. Numbers above the head on disk are not asked for.
type Chain interface {
	CanonicalHash(number uint64) common.Hash
	// NumberOf returns the number of a known block.
	NumberOf(hash common.Hash) (uint64, bool)
}

// Store is safe for concurrent use.
type Store struct {
	db      *pebble.DB
	chain   Chain
	diffs   *seglog.Log
	changes *hashindex.Index // by changeKey: numbers of blocks

	mu     sync.RWMutex // guards head, layers, and that reads see one head
	head   ID
	tail   uint64 // oldest block whose state can be read
	undone uint64 // adoptions that undid blocks
	layers map[common.Hash]*Block
	// recent are the newest canonical blocks, oldest first, up to the head on disk: who still reads the block before, as
	// the mempool does while it moves on, need not go to the history on disk.
	recent []*Block
	// settling is the block after the head while its changes go into the database and the table: it says what a record was before.
	// Whoever reads the state after it finds it among the layers.
	settling *Block
	pasts    int  // that are open, and may read any diff that they have seen
	stale    bool // diffs may lie on disk that nothing refers to any more

	// table holds records of the head on disk. It is written with mu held; or, once it is partial, to fill in what was read
	// from disk, with fillMu.
	table  *headTable
	fillMu sync.RWMutex // after mu

	treeMu  sync.Mutex // guards the trees and what updates them; taken before mu
	update  update
	tree    *trie.Trie
	passer  *withdrawal.Tree
	at      common.Hash // block after which the trees stand
	pending *Block      // applied on top of `at`, not yet named
}

var headKey = []byte("sHead")

func putNumbered(b []byte, prefix byte, n uint64) {
	b[0] = prefix
	binary.BigEndian.PutUint64(b[1:], n)
}

func putRecordKey(b []byte, k *record.Key) {
	b[0] = 'r'
	copy(b[1:], k[:])
}

// changeKey is the part of a record's key by which the changes are found: its end, because many begin alike.
func changeKey(k *record.Key) uint64 { return binary.BigEndian.Uint64(k[len(k)-8:]) }

func numbered(prefix byte, n uint64) []byte {
	b := make([]byte, 1+8)
	putNumbered(b, prefix, n)
	return b
}

func recordKey(k record.Key) []byte {
	b := make([]byte, 1+32)
	putRecordKey(b, &k)
	return b
}

// Record is one entry of the genesis state.
type Record struct {
	Key   record.Key
	Value []byte
}

// Bootstrap writes the genesis state into batch.
func Bootstrap(batch *pebble.Batch, genesis ID, records []Record) error {
	for _, r := range records {
		if err := batch.Set(recordKey(r.Key), appendPacked(nil, r.Value), nil); err != nil {
			return err
		}
	}
	return batch.Set(headKey, encodeID(genesis), nil)
}

func encodeID(id ID) []byte {
	return append(binary.BigEndian.AppendUint64(nil, id.Number), id.Hash[:]...)
}

// Options of Open.
type Options struct {
	// FS and Dir are where the history lies, beside the database.
	FS         vfs.FS
	Dir        string
	CacheBytes int // of memory for records; what does not fit is read from disk
	// IndexMemory is how many changes of records may wait to be indexed on disk; 0: hashindex.DefaultMemory.
	IndexMemory int
	// Root is the head's state root, which the records on disk must hash to.
	Root func(head ID) (common.Hash, error)
	// Progress is called now and then while the trie is rebuilt, with the number of records read. May be nil.
	Progress func(records int)
}

// Open reads the store and rebuilds the trees.
func Open(db *pebble.DB, chain Chain, o Options) (_ *Store, err error) {
	s := &Store{db: db, chain: chain, layers: make(map[common.Hash]*Block), table: newHeadTable(o.CacheBytes), stale: true}
	raw, err := get(db, headKey)
	if err != nil {
		return nil, err
	}
	if len(raw) != 8+32 {
		return nil, fmt.Errorf("%w: head", ErrCorrupt)
	}
	s.head = ID{binary.BigEndian.Uint64(raw), common.Hash(raw[8:])}
	if s.diffs, err = seglog.Open(o.FS, o.FS.PathJoin(o.Dir, "diffs")); err != nil {
		return nil, err
	}
	if s.changes, err = hashindex.Open(o.FS, o.FS.PathJoin(o.Dir, "changes"), o.IndexMemory); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.tail, err = s.oldest(); err != nil {
		return nil, err
	}
	if err := s.reindex(); err != nil {
		return nil, err
	}
	if s.tree, err = s.load(o.Progress); err != nil {
		return nil, err
	}
	want, err := o.Root(s.head)
	if err != nil {
		return nil, err
	}
	s.tree.SetWorkers(runtime.GOMAXPROCS(0)) // everything is to be hashed: worth more than one processor
	got := common.Hash(s.tree.Root())
	s.tree.SetWorkers(0)
	if got != want {
		return nil, fmt.Errorf("%w: records hash to %s, block %d says %s", ErrCorrupt, got, s.head.Number, want)
	}
	if s.passer, err = s.passerAt(s.head.Number); err != nil {
		return nil, err
	}
	s.at = s.head.Hash
	return s, nil
}

// Close ends the history's files. The database is the caller's.
func (s *Store) Close() error {
	var err error
	if s.diffs != nil {
		err = s.diffs.Close()
	}
	if s.changes != nil {
		err = errors.Join(err, s.changes.Close())
	}
	return err
}

// reindex adds the changes of blocks that were not indexed on disk when the store was closed, or its process died.
func (s *Store) reindex() error {
	for n := max(s.tail, s.changes.Covered(s.chain.CanonicalHash)) + 1; n <= s.head.Number; n++ {
		d, err := s.diff(s.db, n)
		if err != nil {
			return err
		}
		entries := make([]hashindex.Entry, d.len())
		for i := range entries {
			k, _ := d.at(i)
			entries[i] = hashindex.Entry{Key: changeKey(&k), Value: n}
		}
		hashindex.Sort(entries)
		if err := s.changes.Ready(); err != nil {
			return err
		}
		s.changes.Add(hashindex.Mark{Number: n, Hash: s.chain.CanonicalHash(n)}, entries)
	}
	return nil
}

// get returns nil for an absent key.
func get(r pebble.Reader, k []byte) ([]byte, error) {
	v, closer, err := r.Get(k)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(v)
	if out == nil {
		out = []byte{}
	}
	return out, closer.Close()
}

// getRecord returns nil for an absent record.
func getRecord(r pebble.Reader, k record.Key) ([]byte, error) {
	p, err := get(r, recordKey(k))
	if err != nil || p == nil {
		return nil, err
	}
	return appendUnpacked(make([]byte, 0, 2*len(p)), p)
}

// load hashes every record on disk and fills the table.
func (s *Store) load(progress func(int)) (*trie.Trie, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{'r'}, UpperBound: []byte{'r' + 1}})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	type batch struct {
		keys   []trie.Key
		bytes  []byte // of all values
		values [][]byte
		hashes []trie.Hash
	}
	const size = 4096
	// One goroutine reads, one hashes, and this one builds.
	read, hashed := make(chan *batch, 4), make(chan *batch, 4)
	var damaged error // valid once hashed is closed
	go func() {
		defer close(read)
		ok := it.First()
		for ok {
			b := &batch{keys: make([]trie.Key, 0, size), bytes: make([]byte, 0, 256*size), values: make([][]byte, 0, size)}
			for ; ok && len(b.values) < size; ok = it.Next() {
				b.keys = append(b.keys, trie.Key(it.Key()[1:]))
				from := len(b.bytes)
				if b.bytes, damaged = appendUnpacked(b.bytes, it.Value()); damaged != nil {
					return
				}
				b.values = append(b.values, b.bytes[from:len(b.bytes):len(b.bytes)])
			}
			read <- b
		}
	}()
	go func() {
		defer close(hashed)
		for b := range read {
			b.hashes = make([]trie.Hash, len(b.values))
			trie.HashMany(b.values, b.hashes)
			hashed <- b
		}
	}()
	b := new(batch)
	var i, n int
	t, err := trie.Build(func() (trie.Key, trie.Hash, bool) {
		for i == len(b.keys) {
			var ok bool
			if b, ok = <-hashed; !ok {
				return trie.Key{}, trie.Hash{}, false
			}
			i = 0
			if n += len(b.keys); progress != nil {
				progress(n)
			}
			for j := range b.keys {
				if s.table.partial {
					break
				}
				k := record.Key(b.keys[j])
				s.table.fill(&k, b.values[j])
			}
		}
		i++
		return b.keys[i-1], b.hashes[i-1], true
	})
	for range hashed { // a failed build must not leave the readers behind
	}
	if damaged != nil {
		return nil, damaged
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCorrupt, err)
	}
	return t, it.Error()
}

// oldest returns the oldest block whose state can be rebuilt: the one before the oldest reverse diff.
func (s *Store) oldest() (uint64, error) {
	n, _, err := s.oldestDiff()
	if err != nil || n == 0 {
		return s.head.Number, err
	}
	return n - 1, nil
}

// oldestDiff returns the number of the oldest block whose reverse diff is referred to, and where that is; 0 if there is none.
func (s *Store) oldestDiff() (n uint64, r seglog.Ref, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: numbered('c', s.tail), UpperBound: []byte{'c' + 1}})
	if err != nil {
		return 0, r, err
	}
	defer it.Close()
	if !it.First() {
		return 0, r, it.Error()
	}
	r, ok := seglog.DecodeRef(it.Value())
	if !ok {
		return 0, r, fmt.Errorf("%w: reference to a reverse diff", ErrCorrupt)
	}
	return binary.BigEndian.Uint64(it.Key()[1:]), r, nil
}

// drop removes diffs, and forgets changes, that are pruned for certain. Called with mu held, after something was committed
// with fsync: had the pruning been lost by a crash, they would be missed.
func (s *Store) drop() {
	if !s.stale {
		return
	}
	s.changes.Forget(s.tail + 1)
	if s.pasts > 0 {
		return
	}
	n, r, err := s.oldestDiff()
	if err == nil && n > 0 {
		err = s.diffs.DropBefore(r.Segment)
	}
	if err != nil {
		log.Error("Cannot remove old reverse diffs", "err", err) // space is all that this costs
	}
	s.stale = false
}

// Head returns the block whose state is on disk.
func (s *Store) Head() ID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.head
}

// Known reports whether the state after a block can be had.
func (s *Store) Known(hash common.Hash) bool {
	_, err := s.View(hash)
	return err == nil
}

// View is the state after one block.
type View struct {
	s      *Store
	hash   common.Hash
	layers []*Block // newest first, on top of:
	number uint64   // canonical
	undone uint64   // Store.undone when that was so
}

var _ vm.Base = (*View)(nil)

// View returns the state after a block: ErrUnknownBlock, or ErrPruned.
func (s *Store) View(hash common.Hash) (*View, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.view(hash)
}

func (s *Store) view(hash common.Hash) (*View, error) {
	v := &View{s: s, hash: hash, undone: s.undone}
	for h := hash; ; {
		if l, ok := s.layers[h]; ok {
			v.layers = append(v.layers, l)
			h = l.Parent
			continue
		}
		n, ok := s.chain.NumberOf(h)
		if !ok || n > s.head.Number || s.chain.CanonicalHash(n) != h {
			return nil, fmt.Errorf("%w: %s", ErrUnknownBlock, hash)
		}
		if n < s.tail {
			return nil, fmt.Errorf("%w: block %d, oldest is %d", ErrPruned, n, s.tail)
		}
		v.number = n
		return v, nil
	}
}

// Get returns a record. It panics if the disk fails: nothing sensible can be done with half a state.
func (v *View) Get(k record.Key) []byte {
	b, ok := v.AppendRecord(nil, &k)
	if !ok {
		return nil
	}
	return b
}

// AppendRecord is Get into a buffer: it appends the record's bytes to dst. ok is false if there is no such record.
func (v *View) AppendRecord(dst []byte, k *record.Key) (out []byte, ok bool) {
	out, ok, err := v.read(dst, k)
	if err != nil {
		panic(fmt.Sprintf("state store: %v", err))
	}
	return out, ok
}

// get is Get for who can tell of an error.
func (v *View) get(k *record.Key) ([]byte, error) {
	b, ok, err := v.read(nil, k)
	if !ok {
		b = nil
	}
	return b, err
}

// Touch brings records of the head nearer to the processor, if they are in memory.
func (v *View) Touch(keys []record.Key) {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	v.s.fillMu.RLock()
	defer v.s.fillMu.RUnlock()
	v.s.table.touch(keys)
}

// appendValue tells an absent record from an empty one.
func appendValue(dst, v []byte) ([]byte, bool) {
	if v == nil {
		return dst, false
	}
	if dst == nil {
		dst = make([]byte, 0, len(v))
	}
	return append(dst, v...), true
}

func (v *View) read(dst []byte, k *record.Key) ([]byte, bool, error) {
	for _, l := range v.layers {
		if c := l.find(k); c != nil {
			out, ok := appendValue(dst, c.New)
			return out, ok, nil
		}
	}
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	now, err := v.now()
	if err != nil {
		return dst, false, err
	}
	if now != v {
		for _, l := range now.layers {
			if c := l.find(k); c != nil {
				out, ok := appendValue(dst, c.New)
				return out, ok, nil
			}
		}
	}
	return v.s.read(dst, now.number, k)
}

// now is the view as the store stands: blocks below it may have left the canonical chain since it was made.
func (v *View) now() (*View, error) {
	if v.undone == v.s.undone {
		return v, nil
	}
	return v.s.view(v.hash)
}

// read appends a record after a canonical block.
func (s *Store) read(dst []byte, number uint64, k *record.Key) ([]byte, bool, error) {
	if number < s.tail { // pruned since the view was made
		return dst, false, fmt.Errorf("%w: block %d, oldest is %d", ErrPruned, number, s.tail)
	}
	return s.readAt(dst, number, k)
}

func (s *Store) readAt(dst []byte, number uint64, k *record.Key) ([]byte, bool, error) {
	if number < s.head.Number {
		v, changed, err := s.before(number, k)
		if err != nil {
			return dst, false, err
		}
		if changed {
			out, ok := appendValue(dst, v)
			return out, ok, nil
		}
	}
	return s.readHead(dst, k)
}

// before returns what a record was after a block, if a later one changed it.
func (s *Store) before(number uint64, k *record.Key) (v []byte, changed bool, err error) {
	if n := s.head.Number - number; n <= uint64(len(s.recent)) {
		for _, b := range s.recent[uint64(len(s.recent))-n:] {
			if c := b.find(k); c != nil {
				return c.Old, true, nil
			}
		}
		return nil, false, nil
	}
	return s.readHistory(number, *k)
}

// readHead appends a record of the head on disk.
func (s *Store) readHead(dst []byte, k *record.Key) ([]byte, bool, error) {
	if s.settling != nil {
		if c := s.settling.find(k); c != nil {
			out, ok := appendValue(dst, c.Old)
			return out, ok, nil
		}
	}
	if dst == nil {
		dst = []byte{}
	}
	if !s.table.partial { // then nobody fills in, and what it does not have is not there
		out, ok := s.table.appendTo(dst, k)
		return out, ok, nil
	}
	s.fillMu.RLock()
	out, ok := s.table.appendTo(dst, k)
	s.fillMu.RUnlock()
	if ok || s.absentAtHead(*k) {
		return out, ok, nil
	}
	v, err := getRecord(s.db, *k)
	if err != nil || v == nil {
		return dst, false, err
	}
	s.fillMu.Lock()
	s.table.fill(k, v)
	s.fillMu.Unlock()
	return append(dst, v...), true, nil
}

// absentAtHead reports that the head on disk has no such record, if the trie happens to stand there and nobody is using
// it; false tells nothing. Every new interaction asks for records that cannot exist yet, and to find nothing on disk
// costs several times as much as a walk down the trie. The caller holds mu, before which treeMu must not be awaited: so
// it is only tried.
func (s *Store) absentAtHead(k record.Key) bool {
	if !s.treeMu.TryLock() {
		return false
	}
	defer s.treeMu.Unlock()
	if s.pending != nil || s.at != s.head.Hash {
		return false
	}
	_, present := s.tree.Get(trie.Key(k))
	return !present
}

// readHistory finds what a record was before the first block above number that changed it.
func (s *Store) readHistory(number uint64, k record.Key) (v []byte, changed bool, err error) {
	for {
		n, ok, err := s.changes.Next(changeKey(&k), number+1)
		if err != nil || !ok || n > s.head.Number {
			return nil, false, err
		}
		d, err := s.diff(s.db, n)
		if err != nil {
			return nil, false, err
		}
		if v, ok := d.find(k); ok {
			return bytes.Clone(v), true, nil // only this value, not the whole diff
		}
		number = n // another record with that end, or another block that had this number
	}
}

// diff reads the reverse diff of a canonical block.
func (s *Store) diff(r pebble.Reader, n uint64) (diff, error) {
	raw, err := get(r, numbered('c', n))
	if err != nil {
		return diff{}, err
	}
	if raw == nil {
		return diff{}, fmt.Errorf("%w: no reverse diff of block %d", ErrPruned, n)
	}
	ref, ok := seglog.DecodeRef(raw)
	if !ok {
		return diff{}, fmt.Errorf("%w: reference to the reverse diff of block %d", ErrCorrupt, n)
	}
	if raw, err = s.diffs.Read(ref); err != nil {
		return diff{}, fmt.Errorf("reverse diff of block %d: %w", n, err)
	}
	return decodeDiff(raw)
}

// DeadlineAfter implements vm.Base.
func (v *View) DeadlineAfter(after *record.Key) (record.Key, bool) {
	v.s.treeMu.Lock()
	defer v.s.treeMu.Unlock()
	if err := v.s.position(v.hash); err != nil {
		panic(fmt.Sprintf("state store: %v", err))
	}
	var k trie.Key
	var ok bool
	if after == nil {
		k, ok = v.s.tree.First([]byte{byte(record.NSDeadline)})
	} else {
		k, ok = v.s.tree.Next(trie.Key(*after))
	}
	return record.Key(k), ok && k[0] == byte(record.NSDeadline)
}

// Apply computes the two state roots after a block with these effects on top of parent. Add must follow if the block is
// to be kept; otherwise the next call undoes it.
func (s *Store) Apply(b *Block) (stateRoot, passerRoot common.Hash, err error) {
	b.Changes = sorted(b.Changes)
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	if err := s.position(b.Parent); err != nil {
		return stateRoot, passerRoot, err
	}
	s.forward(b)
	s.pending = b
	return common.Hash(s.tree.Root()), s.passer.Root(), nil
}

// sorted returns the changes in ascending order of keys, in which an overlay gives them already.
func sorted(cs []vm.Change) []vm.Change {
	at := 1
	for at < len(cs) && bytes.Compare(cs[at-1].Key[:], cs[at].Key[:]) < 0 {
		at++
	}
	if at >= len(cs) {
		return cs
	}
	out := make([]vm.Change, 0, len(cs))
	for _, i := range trie.Order(len(cs), func(i int) *trie.Key { return (*trie.Key)(&cs[i].Key) }) {
		out = append(out, cs[i])
	}
	return out
}

// Add keeps the effect of the block that was applied last, under its hash.
func (s *Store) Add(b *Block) {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	if s.pending == b {
		s.pending, s.at = nil, b.Hash
	}
	s.mu.Lock()
	s.layers[b.Hash] = b
	s.mu.Unlock()
}

func (s *Store) forward(b *Block) {
	var pack func([]vm.Change)
	if b.ends == nil {
		b.packed, b.ends = make([]byte, 0, packedRoom*len(b.Changes)), make([]uint32, 0, len(b.Changes))
		pack = b.pack
	}
	s.update.apply(s.tree, b.Changes, after, pack)
	for _, h := range b.Messages {
		s.passer.Insert(h)
	}
}

func (s *Store) backward(b *Block) {
	s.update.apply(s.tree, b.Changes, before, nil)
	for _, h := range b.Messages {
		s.passer.Remove(h)
	}
}

// Sides of a change.
func before(c *vm.Change) []byte { return c.Old }
func after(c *vm.Change) []byte  { return c.New }

// update is what it takes to bring a trie up to date. It keeps its buffers.
type update struct {
	changes []trie.Change
	values  [][]byte
	where   []uint32 // of each value, in changes
	hashes  []trie.Hash
	hasher  *trie.Hasher
}

// hashedAtOnce is how many records are hashed while the processor's second-level cache holds them: a block's do not lie in their
// order, and there are more of them than it can hold.
const hashedAtOnce = 512

// apply changes a trie. If pack is not nil, it gets the changes part by part, while their records are at hand.
func (u *update) apply(t *trie.Trie, cs []vm.Change, side func(*vm.Change) []byte, pack func([]vm.Change)) {
	if u.hasher == nil {
		u.hasher = trie.NewHasher()
	}
	u.changes = slices.Grow(u.changes[:0], len(cs))[:len(cs)]
	for from := 0; from < len(cs); from += hashedAtOnce {
		part := cs[from:min(from+hashedAtOnce, len(cs))]
		u.values, u.where = u.values[:0], u.where[:0]
		for i := range part {
			c, v := &u.changes[from+i], side(&part[i])
			c.Key, c.Delete = trie.Key(part[i].Key), v == nil
			if v != nil {
				u.values, u.where = append(u.values, v), append(u.where, uint32(from+i))
			}
		}
		read(u.values)
		if pack != nil {
			pack(part)
		}
		u.hashes = slices.Grow(u.hashes[:0], len(u.values))[:len(u.values)]
		u.hasher.HashMany(u.values, u.hashes)
		for j, i := range u.where {
			u.changes[i].ValueHash = u.hashes[j]
		}
	}
	t.Update(u.changes)
	clear(u.values[:cap(u.values)]) // records are not ours to keep
}

// read reads what others are about to, whose work on one value would have to end before the memory is asked for the next.
func read(values [][]byte) {
	const line = 64
	var seen byte
	for _, v := range values {
		for at := 0; at < len(v); at += line {
			seen ^= v[at]
		}
	}
	touched.Store(uint64(seen)) // or the reads would be for nothing
}

// position moves the trees to stand after a block. Nearly always they do already, or one block is undone.
func (s *Store) position(hash common.Hash) error {
	if s.pending != nil {
		s.backward(s.pending)
		s.pending = nil
	}
	if s.at == hash {
		return nil
	}
	down, up, err := s.path(s.at, hash)
	if err != nil {
		return err
	}
	for _, b := range down {
		s.backward(b)
	}
	for _, b := range up {
		s.forward(b)
	}
	s.at = hash
	return nil
}

// path lists the blocks to undo, newest first, and then to apply, oldest first, to get from one block to another.
func (s *Store) path(from, to common.Hash) (down, up []*Block, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for from != to {
		low, err := s.number(from)
		if err != nil {
			return nil, nil, err
		}
		high, err := s.number(to)
		if err != nil {
			return nil, nil, err
		}
		// Only what has to be undone or applied is fetched: rebuilding an effect from the history is dear, and the usual
		// path is one block up from the head on disk.
		if low >= high {
			a, err := s.effect(from)
			if err != nil {
				return nil, nil, err
			}
			down = append(down, a)
			from = a.Parent
		} else {
			b, err := s.effect(to)
			if err != nil {
				return nil, nil, err
			}
			up = append(up, b)
			to = b.Parent
		}
	}
	slices.Reverse(up)
	return down, up, nil
}

// number returns the height of a block whose effect can be had.
func (s *Store) number(hash common.Hash) (uint64, error) {
	if l, ok := s.layers[hash]; ok {
		return l.Number, nil
	}
	n, ok := s.chain.NumberOf(hash)
	if !ok || n > s.head.Number || s.chain.CanonicalHash(n) != hash {
		return 0, fmt.Errorf("%w: %s", ErrUnknownBlock, hash)
	}
	return n, nil
}

// effect returns what a known block did, from memory or rebuilt from the history on disk.
func (s *Store) effect(hash common.Hash) (*Block, error) {
	if l, ok := s.layers[hash]; ok {
		return l, nil
	}
	n, err := s.number(hash)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return &Block{Number: 0, Hash: hash}, nil
	}
	return s.canonicalEffect(n)
}

func (s *Store) canonicalEffect(n uint64) (*Block, error) {
	d, err := s.diff(s.db, n)
	if err != nil {
		return nil, err
	}
	b := &Block{Number: n, Hash: s.chain.CanonicalHash(n), Parent: s.chain.CanonicalHash(n - 1), Changes: make([]vm.Change, d.len())}
	for i := range b.Changes {
		k, old := d.at(i)
		now, present, err := s.readAt(nil, n, &k) // the tail may have moved while the trees stood behind it
		if err != nil {
			return nil, err
		}
		if !present {
			now = nil
		}
		b.Changes[i] = vm.Change{Key: k, Old: old, New: now}
	}
	if b.Messages, err = s.messages(n); err != nil {
		return nil, err
	}
	return b, nil
}

func (s *Store) messages(n uint64) ([]common.Hash, error) {
	raw, err := get(s.db, numbered('m', n))
	if err != nil || raw == nil {
		return nil, err
	}
	return decodeHashes(raw), nil
}

func decodeHashes(raw []byte) (hs []common.Hash) {
	for ; len(raw) >= 32; raw = raw[32:] {
		hs = append(hs, common.Hash(raw[:32]))
	}
	return hs
}

// passerAt rebuilds the message passer's tree after a canonical block.
func (s *Store) passerAt(number uint64) (*withdrawal.Tree, error) {
	t := withdrawal.NewTree()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: numbered('m', 0), UpperBound: numbered('m', number+1)})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		for _, h := range decodeHashes(it.Value()) {
			t.Insert(h)
		}
	}
	return t, it.Error()
}

// Prove returns a record of the view and its proof against the view's state root.
func (v *View) Prove(k record.Key) ([]byte, trie.Proof, error) {
	s := v.s
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	if s.pending != nil {
		s.backward(s.pending)
		s.pending = nil
	}
	value, err := v.get(&k)
	if err != nil {
		return nil, trie.Proof{}, err
	}
	if s.at == v.hash {
		return value, s.tree.Prove(trie.Key(k)), nil
	}
	down, up, err := s.path(s.at, v.hash)
	if err != nil {
		return nil, trie.Proof{}, err
	}
	fork := s.tree.Fork()
	for _, b := range down {
		s.update.apply(fork, b.Changes, before, nil)
	}
	for _, b := range up {
		s.update.apply(fork, b.Changes, after, nil)
	}
	return value, fork.Prove(trie.Key(k)), nil
}

// Passer returns a message passer tree of the view that the caller may keep.
func (v *View) Passer() (*withdrawal.Tree, error) {
	v.s.mu.RLock()
	defer v.s.mu.RUnlock()
	v, err := v.now()
	if err != nil {
		return nil, err
	}
	t, err := v.s.passerAt(v.number)
	if err != nil {
		return nil, err
	}
	for i := len(v.layers) - 1; i >= 0; i-- {
		for _, h := range v.layers[i].Messages {
			t.Insert(h)
		}
	}
	return t, nil
}
