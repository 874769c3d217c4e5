package vm

import (
	"bytes"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// Base is the state of the parent block.
type Base interface {
	// Get returns a record's bytes, nil if absent. They must not be modified.
	Get(key record.Key) []byte
	// DeadlineAfter returns the smallest key of the deadline queue above after, or of all if after is nil.
	DeadlineAfter(after *record.Key) (record.Key, bool)
}

// Change is one record that a block changed.
type Change struct {
	Key      record.Key
	Old, New []byte // nil: absent
}

// Appender is a Base that can write a record into a buffer, which saves an allocation for each that is read.
type Appender interface {
	// AppendRecord appends a record's bytes to dst; ok is false if there is none.
	AppendRecord(dst []byte, key *record.Key) (out []byte, ok bool)
}

// Overlay is the state inside a block: the parent's, under what the block has written. Not safe for concurrent use.
type Overlay struct {
	base     Base
	appender Appender // base, if it can
	arena    []byte   // what the appender has written, in pieces

	count int
	chunk [][]Change // entries in the order in which they were first touched; they do not move
	slots []uint64   // open addressing: high half of the key's hash ‖ index of the entry plus one, 0 if empty
	seed  record.Seed
	last  *Change     // the record that was asked for last: a micro-step reads one and then writes it
	swept *record.Key // last deadline key that NextDeadline found deleted
}

var _ State = (*Overlay)(nil)

const (
	overlaySlots = 64 // to begin with
	overlayChunk = 128
	leastArena   = 4 << 10
	mostArena    = 64 << 10
	// arenaRoom is larger than nearly every record; a larger one moves to a piece of its own.
	arenaRoom = 512
)

// NewOverlay returns an empty overlay on base.
func NewOverlay(base Base) *Overlay {
	o := &Overlay{base: base, slots: make([]uint64, overlaySlots), seed: record.NewSeed()}
	o.appender, _ = base.(Appender)
	return o
}

func (o *Overlay) at(i int) *Change { return &o.chunk[i/overlayChunk][i%overlayChunk] }

// find returns a record's entry, or nil and what is to be put into which slot for it.
func (o *Overlay) find(k *record.Key) (e *Change, tag uint64, slot int) {
	mask := len(o.slots) - 1
	h := o.seed.Hash(k)
	tag = h >> 32 << 32
	for slot = int(h) & mask; ; slot = (slot + 1) & mask {
		s := o.slots[slot]
		if s == 0 {
			return nil, tag, slot
		}
		if s>>32 == tag>>32 {
			if e := o.at(int(uint32(s)) - 1); e.Key == *k {
				return e, 0, 0
			}
		}
	}
}

func (o *Overlay) entry(k *record.Key) *Change {
	if o.last != nil && o.last.Key == *k {
		return o.last
	}
	e, tag, slot := o.find(k)
	if e == nil {
		if o.count%overlayChunk == 0 {
			o.chunk = append(o.chunk, make([]Change, overlayChunk))
		}
		e = o.at(o.count)
		o.count++
		e.Key = *k
		e.Old = o.read(&e.Key)
		e.New = e.Old
		o.slots[slot] = tag | uint64(o.count)
		if 2*o.count > len(o.slots) {
			o.grow()
		}
	}
	o.last = e
	return e
}

// read takes a key that is on the heap already, because the base could keep it for all that the compiler knows.
func (o *Overlay) read(k *record.Key) []byte {
	if o.appender == nil {
		return o.base.Get(*k)
	}
	if cap(o.arena)-len(o.arena) < arenaRoom {
		o.arena = make([]byte, 0, min(mostArena, max(leastArena, 2*cap(o.arena))))
	}
	from := len(o.arena)
	out, ok := o.appender.AppendRecord(o.arena, k)
	if !ok {
		return nil
	}
	o.arena = out
	return out[from:len(out):len(out)]
}

func (o *Overlay) grow() {
	o.slots = make([]uint64, 4*len(o.slots))
	mask := len(o.slots) - 1
	for i := range o.count {
		h := o.seed.Hash(&o.at(i).Key)
		slot := int(h) & mask
		for o.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		o.slots[slot] = h>>32<<32 | uint64(i+1)
	}
}

func (o *Overlay) Get(k record.Key) []byte { return o.entry(&k).New }

func (o *Overlay) Set(k record.Key, v []byte) { o.entry(&k).New = v }

// NextDeadline is only asked for during the sweeps, before any transaction has queued a deadline of its own: those lie
// in the future anyway. So the next one is the base's next that is not deleted here.
func (o *Overlay) NextDeadline() (record.Key, bool) {
	for {
		k, ok := o.base.DeadlineAfter(o.swept)
		if !ok {
			return k, false
		}
		if e, _, _ := o.find(&k); e == nil || e.New != nil {
			return k, true
		}
		o.swept = &k
	}
}

// Changes returns the records whose bytes differ from the parent's, in ascending order of keys.
func (o *Overlay) Changes() []Change {
	changed := make([]*Change, 0, o.count)
	for i := range o.count {
		if c := o.at(i); !bytes.Equal(c.Old, c.New) || (c.Old == nil) != (c.New == nil) {
			changed = append(changed, c)
		}
	}
	out := make([]Change, len(changed))
	for n, i := range trie.Order(len(changed), func(i int) *trie.Key { return (*trie.Key)(&changed[i].Key) }) {
		out[n] = *changed[i]
	}
	return out
}
