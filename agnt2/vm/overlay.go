package vm

import (
	"bytes"
	"hash/maphash"

	"github.com/agnt2/agnt2/agnt2/record"
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

	entries []Change
	slots   []uint32    // open addressing: index in entries plus one, 0 if empty
	swept   *record.Key // last deadline key that NextDeadline found deleted

	// The record that was asked for last: a micro-step reads one and then writes it.
	lastKey record.Key
	last    int // -1: none
}

var _ State = (*Overlay)(nil)

const (
	overlaySlots = 64 // to begin with
	leastArena   = 4 << 10
	mostArena    = 64 << 10
	// arenaRoom is larger than nearly every record; a larger one moves to a piece of its own.
	arenaRoom = 512
)

// overlaySeed keeps whoever chooses identifiers from choosing slots. Nothing but speed depends on it.
var overlaySeed = maphash.MakeSeed()

// NewOverlay returns an empty overlay on base.
func NewOverlay(base Base) *Overlay {
	o := &Overlay{base: base, slots: make([]uint32, overlaySlots), last: -1}
	o.appender, _ = base.(Appender)
	return o
}

// find returns the index of a record's entry, or -1 and the slot that is free for it.
func (o *Overlay) find(k *record.Key) (i, slot int) {
	mask := len(o.slots) - 1
	for slot = int(maphash.Bytes(overlaySeed, k[:])) & mask; ; slot = (slot + 1) & mask {
		e := o.slots[slot]
		if e == 0 {
			return -1, slot
		}
		if o.entries[e-1].Key == *k {
			return int(e - 1), slot
		}
	}
}

func (o *Overlay) entry(k *record.Key) *Change {
	if o.last >= 0 && o.lastKey == *k {
		return &o.entries[o.last]
	}
	i, slot := o.find(k)
	if i < 0 {
		i = len(o.entries)
		v := o.read(k)
		o.entries = append(o.entries, Change{*k, v, v})
		o.slots[slot] = uint32(i + 1)
		if 2*len(o.entries) > len(o.slots) {
			o.grow()
		}
	}
	o.lastKey, o.last = *k, i
	return &o.entries[i]
}

func (o *Overlay) read(k *record.Key) []byte {
	if o.appender == nil {
		return o.base.Get(*k)
	}
	if cap(o.arena)-len(o.arena) < arenaRoom {
		o.arena = make([]byte, 0, min(mostArena, max(leastArena, 2*cap(o.arena))))
	}
	from := len(o.arena)
	o.lastKey, o.last = *k, -1 // where it does not have to move to the heap
	out, ok := o.appender.AppendRecord(o.arena, &o.lastKey)
	if !ok {
		return nil
	}
	o.arena = out
	return out[from:len(out):len(out)]
}

func (o *Overlay) grow() {
	o.slots = make([]uint32, 2*len(o.slots))
	mask := len(o.slots) - 1
	for i := range o.entries {
		slot := int(maphash.Bytes(overlaySeed, o.entries[i].Key[:])) & mask
		for o.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		o.slots[slot] = uint32(i + 1)
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
		if i, _ := o.find(&k); i < 0 || o.entries[i].New != nil {
			return k, true
		}
		o.swept = &k
	}
}

// Changes returns the records whose bytes differ from the parent's, in the order in which they were first touched.
func (o *Overlay) Changes() []Change {
	out := make([]Change, 0, len(o.entries))
	for i := range o.entries {
		if c := &o.entries[i]; !bytes.Equal(c.Old, c.New) || (c.Old == nil) != (c.New == nil) {
			out = append(out, *c)
		}
	}
	return out
}
