package state

import (
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2-engine/hashindex"
	"github.com/agnt2/agnt2/agnt2-engine/seglog"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Adoption makes another block the head on disk: it undoes and applies whole blocks, in the caller's batch. Until Done,
// reads see the state as it was; if blocks are undone, they wait, because the chain's index changes under them.
type Adoption struct {
	s        *Store
	to       ID
	down, up []*Block
	final    map[record.Key][]byte // what changed in the end; nil if a single block is applied: its changes then
	waiting  bool                  // readers wait
	refs     []seglog.Ref          // of the reverse diffs of up
	changes  [][]hashindex.Entry   // of up; valid when sorted is done
	sorted   sync.WaitGroup
}

// recentBlocks is how many canonical blocks stay in memory behind the head.
const recentBlocks = 3

// Undone returns the blocks that leave the canonical chain, newest first.
func (a *Adoption) Undone() []*Block { return a.down }

// Applied returns the blocks that join it, oldest first.
func (a *Adoption) Applied() []*Block { return a.up }

// Adopt prepares to move the head on disk to a known block. The caller calls Append, lets Write add the move to a batch,
// commits that, and calls Done; or calls Abort.
func (s *Store) Adopt(to common.Hash) (*Adoption, error) {
	if err := s.changes.Ready(); err != nil {
		return nil, err
	}
	s.treeMu.Lock()
	down, up, err := s.path(s.Head().Hash, to)
	if err != nil {
		s.treeMu.Unlock()
		return nil, err
	}
	a := &Adoption{s: s, down: down, up: up, to: s.Head()}
	if len(down) > 0 || len(up) != 1 {
		a.final = make(map[record.Key][]byte)
	}
	if a.waiting = len(down) > 0; a.waiting {
		s.mu.Lock()
	}
	return a, nil
}

// Append writes the reverse diffs, which are on disk when it returns.
func (a *Adoption) Append() error {
	a.changes = make([][]hashindex.Entry, len(a.up))
	a.sorted.Go(func() { // nobody asks before Done
		for i, b := range a.up {
			a.changes[i] = changeEntries(b)
		}
	})
	for _, b := range a.up {
		ref, err := a.s.diffs.Append(diffSize(b.Changes), func(dst []byte) []byte { return appendDiff(dst, b.Changes) })
		if err != nil {
			return err
		}
		a.refs = append(a.refs, ref)
	}
	return a.s.diffs.Sync()
}

// Write adds the move to a batch, in ascending order of keys if it is a single block's.
func (a *Adoption) Write(batch *pebble.Batch) error {
	for _, b := range a.down {
		for i := range b.Changes {
			c := &b.Changes[i]
			a.final[c.Key] = c.Old
		}
		if err := batch.Delete(numbered('c', b.Number), nil); err != nil {
			return err
		}
		if err := batch.Delete(numbered('m', b.Number), nil); err != nil {
			return err
		}
		a.to = ID{b.Number - 1, b.Parent}
	}
	for i, b := range a.up {
		if err := batch.Set(numbered('c', b.Number), a.refs[i].Append(nil), nil); err != nil {
			return err
		}
		if len(b.Messages) > 0 {
			var raw []byte
			for _, h := range b.Messages {
				raw = append(raw, h[:]...)
			}
			if err := batch.Set(numbered('m', b.Number), raw, nil); err != nil {
				return err
			}
		}
		if a.final == nil {
			if err := writeBlock(batch, b); err != nil {
				return err
			}
		} else {
			for i := range b.Changes {
				a.final[b.Changes[i].Key] = b.Changes[i].New
			}
		}
		a.to = ID{b.Number, b.Hash}
	}
	var packed []byte
	for k, v := range a.final {
		if v != nil {
			packed = appendPacked(packed[:0], v)
		}
		if err := writeRecord(batch, &k, packed, v == nil); err != nil {
			return err
		}
	}
	if a.final == nil { // before the batch is committed: the database says what is new a moment before the head moves
		a.s.mu.Lock()
		a.s.settling = a.up[0]
		a.s.mu.Unlock()
	}
	return batch.Set(headKey, encodeID(a.to), nil)
}

// writeBlock replaces the records of the head on disk that a block has changed.
func writeBlock(batch *pebble.Batch, b *Block) error {
	if b.ends == nil { // read from the history, or adopted before
		b.pack(b.Changes)
	}
	from := uint32(0)
	for i, end := range b.ends {
		if err := writeRecord(batch, &b.Changes[i].Key, b.packed[from:end], b.Changes[i].New == nil); err != nil {
			return err
		}
		from = end
	}
	return nil
}

// writeRecord replaces a record of the head on disk, or removes it.
func writeRecord(batch *pebble.Batch, k *record.Key, packed []byte, remove bool) error {
	if remove {
		op := batch.DeleteDeferred(1 + 32)
		putRecordKey(op.Key, k)
		return op.Finish()
	}
	op := batch.SetDeferred(1+32, len(packed))
	putRecordKey(op.Key, k)
	copy(op.Value, packed)
	return op.Finish()
}

// Done tells the store that the batch is on disk. Blocks that left the chain stay known, in memory.
func (a *Adoption) Done() {
	s := a.s
	a.sorted.Wait()
	if a.final == nil {
		a.settle()
	}
	if !a.waiting {
		a.waiting = true
		s.mu.Lock()
	}
	for k, v := range a.final {
		s.table.set(&k, v)
	}
	for _, b := range a.down {
		s.layers[b.Hash] = b
		if n := len(s.recent); n > 0 { // it begins with the newest, as down does
			s.recent = s.recent[:n-1]
		}
	}
	for _, b := range a.up {
		b.packed, b.ends = nil, nil
		delete(s.layers, b.Hash)
		s.recent = append(s.recent, b)
	}
	if over := len(s.recent) - recentBlocks; over > 0 {
		s.recent = slices.Delete(s.recent, 0, over)
	}
	if len(a.down) > 0 {
		s.undone++
	}
	s.head = a.to
	s.tail = min(s.tail, s.head.Number)
	for i, b := range a.up {
		s.changes.Add(hashindex.Mark{Number: b.Number, Hash: b.Hash}, a.changes[i])
	}
	s.drop()
	a.Abort()
}

// settle writes a block's changes into the table, in parts, between which others may read: see Store.settling.
func (a *Adoption) settle() {
	s, b := a.s, a.up[0]
	var keys [settledAtOnce]record.Key
	var values [settledAtOnce][]byte
	for changes := range slices.Chunk(b.Changes, len(keys)) {
		for i := range changes {
			keys[i], values[i] = changes[i].Key, changes[i].New
		}
		read(values[:len(changes)])
		s.mu.Lock()
		s.table.touch(keys[:len(changes)])
		for i := range changes {
			s.table.set(&keys[i], values[i])
		}
		s.mu.Unlock()
	}
}

// settledAtOnce is how many records settle writes while others wait.
const settledAtOnce = 128

func changeEntries(b *Block) []hashindex.Entry {
	entries := make([]hashindex.Entry, len(b.Changes))
	for i := range b.Changes {
		entries[i] = hashindex.Entry{Key: changeKey(&b.Changes[i].Key), Value: b.Number}
	}
	hashindex.Sort(entries)
	return entries
}

// Abort gives up: the head stays where it was.
func (a *Adoption) Abort() {
	if !a.waiting {
		a.s.mu.Lock()
	}
	a.s.settling = nil
	a.s.mu.Unlock()
	a.s.treeMu.Unlock()
}

// Prune forgets the history at and below a block, and effects in memory that finality has overtaken. The caller commits
// the batch; diffs and index entries go once it is on disk for certain, with the next adoption.
func (s *Store) Prune(batch *pebble.Batch, keepFrom uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if keepFrom <= s.tail {
		return nil
	}
	if err := batch.DeleteRange(numbered('c', s.tail+1), numbered('c', keepFrom+1), nil); err != nil {
		return err
	}
	s.tail, s.stale = keepFrom, true
	return nil
}

// Forget drops the effects of blocks in memory at or below a number. The trees must not stand on one of them.
func (s *Store) Forget(number uint64) {
	s.treeMu.Lock()
	defer s.treeMu.Unlock()
	if err := s.position(s.Head().Hash); err != nil {
		return // the head is always known; nothing is dropped on a store that is damaged
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for h, b := range s.layers {
		if b.Number <= number {
			delete(s.layers, h)
		}
	}
}
