package state

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

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
}

// recentBlocks is how many canonical blocks stay in memory behind the head.
const recentBlocks = 3

// Undone returns the blocks that leave the canonical chain, newest first.
func (a *Adoption) Undone() []*Block { return a.down }

// Applied returns the blocks that join it, oldest first.
func (a *Adoption) Applied() []*Block { return a.up }

// Adopt writes the move of the head on disk to a known block into batch. The caller commits the batch and calls Done, or
// calls Abort.
func (s *Store) Adopt(batch *pebble.Batch, to common.Hash) (*Adoption, error) {
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
	if err := a.write(batch); err != nil {
		a.Abort()
		return nil, err
	}
	return a, nil
}

func (a *Adoption) write(batch *pebble.Batch) error {
	for _, b := range a.down {
		for i := range b.Changes {
			c := &b.Changes[i]
			a.final[c.Key] = c.Old
			if err := batch.Delete(historyKey(c.Key, b.Number), nil); err != nil {
				return err
			}
		}
		if err := batch.Delete(numbered('c', b.Number), nil); err != nil {
			return err
		}
		if err := batch.Delete(numbered('m', b.Number), nil); err != nil {
			return err
		}
		a.to = ID{b.Number - 1, b.Parent}
	}
	for _, b := range a.up {
		for i := range b.Changes {
			c := &b.Changes[i]
			if a.final != nil {
				a.final[c.Key] = c.New
			} else if err := setRecord(batch, &c.Key, c.New); err != nil {
				return err
			}
			op := batch.SetDeferred(1+32+8, 0)
			putHistoryKey(op.Key, &c.Key, b.Number)
			if err := op.Finish(); err != nil {
				return err
			}
		}
		op := batch.SetDeferred(1+8, diffSize(b.Changes))
		putNumbered(op.Key, 'c', b.Number)
		putDiff(op.Value, b.Changes)
		if err := op.Finish(); err != nil {
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
		a.to = ID{b.Number, b.Hash}
	}
	for k, v := range a.final {
		if err := setRecord(batch, &k, v); err != nil {
			return err
		}
	}
	return batch.Set(headKey, encodeID(a.to), nil)
}

// setRecord replaces a record of the head on disk; nil removes it.
func setRecord(batch *pebble.Batch, k *record.Key, v []byte) error {
	if v == nil {
		op := batch.DeleteDeferred(1 + 32)
		putRecordKey(op.Key, k)
		return op.Finish()
	}
	op := batch.SetDeferred(1+32, len(v))
	putRecordKey(op.Key, k)
	copy(op.Value, v)
	return op.Finish()
}

// Done tells the store that the batch is on disk. Blocks that left the chain stay known, in memory.
func (a *Adoption) Done() {
	s := a.s
	if !a.waiting {
		a.waiting = true
		s.mu.Lock()
	}
	if a.final == nil {
		for i := range a.up[0].Changes {
			c := &a.up[0].Changes[i]
			s.table.set(&c.Key, c.New)
		}
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
	a.Abort()
}

// Abort gives up: the head stays where it was.
func (a *Adoption) Abort() {
	if a.waiting {
		a.s.mu.Unlock()
	}
	a.s.treeMu.Unlock()
}

// Prune forgets the history at and below a block, and effects in memory that finality has overtaken.
func (s *Store) Prune(batch *pebble.Batch, keepFrom uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := s.tail + 1; n <= keepFrom; n++ {
		d, err := s.diff(n)
		if err != nil {
			return fmt.Errorf("prune block %d: %w", n, err)
		}
		for i := range d.len() {
			k, _ := d.at(i)
			if err := batch.Delete(historyKey(k, n), nil); err != nil {
				return err
			}
		}
		if err := batch.Delete(numbered('c', n), nil); err != nil {
			return err
		}
		s.tail = n
	}
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
