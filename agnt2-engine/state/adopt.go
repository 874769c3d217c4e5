package state

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/record"
)

// Adoption makes another block the head on disk: it undoes and applies whole blocks, in the caller's batch.
// Between Adopt and Done no state can be read.
type Adoption struct {
	s        *Store
	to       ID
	down, up []*Block
	final    map[record.Key][]byte
}

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
	s.mu.Lock()
	a := &Adoption{s: s, down: down, up: up, to: s.head, final: make(map[record.Key][]byte)}
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
			a.final[c.Key] = c.New
			if err := batch.Set(historyKey(c.Key, b.Number), nil, nil); err != nil {
				return err
			}
		}
		if err := batch.Set(numbered('c', b.Number), encodeDiff(b.Changes), nil); err != nil {
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
		var err error
		if v == nil {
			err = batch.Delete(recordKey(k), nil)
		} else {
			err = batch.Set(recordKey(k), v, nil)
		}
		if err != nil {
			return err
		}
	}
	return batch.Set(headKey, encodeID(a.to), nil)
}

// Done tells the store that the batch is on disk. Blocks that left the chain stay known, in memory.
func (a *Adoption) Done() {
	for k, v := range a.final {
		a.s.fill(k, v)
	}
	for _, b := range a.down {
		b.index()
		a.s.layers[b.Hash] = b
	}
	for _, b := range a.up {
		delete(a.s.layers, b.Hash)
	}
	if len(a.down) > 0 {
		a.s.undone++
	}
	a.s.head = a.to
	a.s.tail = min(a.s.tail, a.s.head.Number)
	a.Abort()
}

// Abort gives up: the head stays where it was.
func (a *Adoption) Abort() {
	a.s.mu.Unlock()
	a.s.treeMu.Unlock()
}

func (b *Block) index() {
	if b.values != nil {
		return
	}
	b.values = make(map[record.Key][]byte, len(b.Changes))
	for i := range b.Changes {
		b.values[b.Changes[i].Key] = b.Changes[i].New
	}
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
