package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/lru"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Past is the state after one canonical block, for whoever reads much of it at once: a whole block's worth. It stands on
// a snapshot of the disk, so that it stays what it is while the chain moves on, and reads every reverse diff above the
// block once, where View would read one for each record. Not safe for concurrent use.
type Past struct {
	s    *Store
	snap *pebble.Snapshot
	id   ID
	head ID // on disk in the snapshot

	// What the blocks above have changed since, as it was.
	changed map[record.Key]was
	// Deadlines among them that were there, in ascending order.
	deadlines []record.Key
	diffs     lru.BasicLRU[uint64, diff]
}

var _ vm.Base = (*Past)(nil)

// was says what a record was before a block changed it.
type was struct {
	block     uint64
	present   bool
	valueHash trie.Hash
}

// pastDiffs bounds the reverse diffs that a Past holds: those of full blocks take megabytes.
const pastDiffs = 16

// Past opens the state after a canonical block: ErrUnknownBlock, or ErrPruned. Close it.
func (s *Store) Past(hash common.Hash) (_ *Past, err error) {
	s.mu.Lock()
	s.pasts++
	s.mu.Unlock()
	p := &Past{s: s, snap: s.db.NewSnapshot(), changed: make(map[record.Key]was), diffs: lru.NewBasicLRU[uint64, diff](pastDiffs)}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	raw, err := get(p.snap, headKey)
	if err != nil {
		return nil, err
	}
	if len(raw) != 8+32 {
		return nil, fmt.Errorf("%w: head", ErrCorrupt)
	}
	p.head = ID{binary.BigEndian.Uint64(raw), common.Hash(raw[8:])}
	n, ok := s.chain.NumberOf(hash)
	if !ok || n > p.head.Number || s.chain.CanonicalHash(n) != hash {
		return nil, fmt.Errorf("%w: %s", ErrUnknownBlock, hash)
	}
	p.id = ID{n, hash}
	for n++; n <= p.head.Number; n++ {
		d, err := p.diff(n)
		if err != nil {
			return nil, err
		}
		undo(p.changed, n, d)
	}
	for k, w := range p.changed {
		if w.present && k[0] == byte(record.NSDeadline) {
			p.deadlines = append(p.deadlines, k)
		}
	}
	slices.SortFunc(p.deadlines, func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) })
	return p, nil
}

// undo adds what block n changed; an older block's word stands.
func undo(changed map[record.Key]was, n uint64, d diff) {
	var keys []record.Key
	var values [][]byte
	for i := range d.len() {
		k, old := d.at(i)
		if _, older := changed[k]; older {
			continue
		}
		if old == nil {
			changed[k] = was{block: n}
			continue
		}
		keys, values = append(keys, k), append(values, old)
	}
	hashes := make([]trie.Hash, len(values))
	trie.HashMany(values, hashes)
	for i, k := range keys {
		changed[k] = was{n, true, hashes[i]}
	}
}

// Close releases the snapshot, and the diffs that it may have wanted to read.
func (p *Past) Close() error {
	p.s.mu.Lock()
	p.s.pasts--
	p.s.mu.Unlock()
	return p.snap.Close()
}

func (p *Past) diff(n uint64) (diff, error) {
	if d, ok := p.diffs.Get(n); ok {
		return d, nil
	}
	d, err := p.s.diff(p.snap, n)
	if err == nil {
		p.diffs.Add(n, d)
	}
	return d, err
}

// Get returns a record. It panics if the disk fails, as View.Get does.
func (p *Past) Get(k record.Key) []byte {
	v, err := p.read(k)
	if err != nil {
		panic(fmt.Sprintf("state store: %v", err))
	}
	return v
}

func (p *Past) read(k record.Key) ([]byte, error) {
	w, ok := p.changed[k]
	if !ok {
		return getRecord(p.snap, k)
	}
	if !w.present {
		return nil, nil
	}
	d, err := p.diff(w.block)
	if err != nil {
		return nil, err
	}
	v, ok := d.find(k)
	if !ok {
		return nil, fmt.Errorf("%w: reverse diff of block %d has lost %v", ErrCorrupt, w.block, k)
	}
	return v, nil
}

// DeadlineAfter implements vm.Base. It panics if the disk fails.
func (p *Past) DeadlineAfter(after *record.Key) (record.Key, bool) {
	k, ok, err := p.deadlineAfter(after)
	if err != nil {
		panic(fmt.Sprintf("state store: %v", err))
	}
	return k, ok
}

func (p *Past) deadlineAfter(after *record.Key) (k record.Key, ok bool, err error) {
	low := []byte{'r', byte(record.NSDeadline)}
	i := 0
	if after != nil {
		low = append(recordKey(*after), 0)
		var found bool
		if i, found = slices.BinarySearchFunc(p.deadlines, *after, func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) }); found {
			i++
		}
	}
	if i < len(p.deadlines) {
		k, ok = p.deadlines[i], true
	}
	it, err := p.snap.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: []byte{'r', byte(record.NSDeadline) + 1}})
	if err != nil {
		return k, false, err
	}
	defer it.Close()
	for more := it.First(); more; more = it.Next() {
		now := record.Key(it.Key()[1:])
		if ok && bytes.Compare(k[:], now[:]) <= 0 {
			break
		}
		if _, changed := p.changed[now]; !changed { // else it is among p.deadlines, or was not there
			return now, true, it.Error()
		}
	}
	return k, ok, it.Error()
}

// Trie calls use with the trie of this state, whose root must be the given one. A Past that the chain has left behind gives
// ErrUnknownBlock, or ErrPruned if it was open for longer than the history window. The store's trees stand still meanwhile,
// and with them the chain: use must be quick, and must not keep the trie.
func (p *Past) Trie(root common.Hash, use func(*trie.Trie)) error {
	s := p.s
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	head := s.Head() // cannot move while the trees are held
	if head.Number < p.head.Number || s.chain.CanonicalHash(p.head.Number) != p.head.Hash {
		return fmt.Errorf("%w: the chain was reorganised meanwhile", ErrUnknownBlock)
	}
	since := make(map[record.Key]was)
	for n := p.head.Number + 1; n <= head.Number; n++ {
		d, err := s.diff(s.db, n)
		if err != nil {
			return err
		}
		undo(since, n, d)
	}
	cs := make([]trie.Change, 0, len(p.changed)+len(since))
	for k, w := range p.changed {
		cs = append(cs, trie.Change{Key: trie.Key(k), ValueHash: w.valueHash, Delete: !w.present})
	}
	for k, w := range since {
		if _, older := p.changed[k]; !older {
			cs = append(cs, trie.Change{Key: trie.Key(k), ValueHash: w.valueHash, Delete: !w.present})
		}
	}
	if err := s.position(head.Hash); err != nil {
		return err
	}
	t := s.tree.Fork()
	t.Update(cs)
	if got := common.Hash(t.Root()); got != root {
		return fmt.Errorf("%w: records of block %d hash to %s, not %s", ErrCorrupt, p.id.Number, got, root)
	}
	use(t)
	return nil
}
