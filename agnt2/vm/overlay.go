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
	seen  uint64      // keeps reads whose only purpose is the cache
	last  *Change     // the record that was asked for last: a micro-step reads one and then writes it
	swept *record.Key // last deadline key that NextDeadline found deleted
}

var _ State = (*Overlay)(nil)

const (
	overlaySlots = 64 // to begin with
	overlayChunk = 128
	leastArena   = 4 << 10
	mostArena    = 256 << 10
	// arenaRoom is larger than nearly every record; a larger one moves to a piece of its own.
	arenaRoom = 512
)

// NewOverlay returns an empty overlay on base.
func NewOverlay(base Base) *Overlay {
	o := &Overlay{base: base, slots: make([]uint64, overlaySlots), seed: record.NewSeed()}
	o.appender, _ = base.(Appender)
	return o
}

// Len is how many records have been touched.
func (o *Overlay) Len() int { return o.count }

// Expect makes room for so many records at once, where it would otherwise be made again each time that their number doubles.
func (o *Overlay) Expect(records int) {
	n := len(o.slots)
	for !roomy(n, records) {
		n *= 2
	}
	if n > len(o.slots) {
		o.resize(n)
	}
}

func (o *Overlay) at(i int) *Change { return &o.chunk[i/overlayChunk][i%overlayChunk] }

// find returns the entry of a record whose key has this hash, or nil and the slot that is free for it.
func (o *Overlay) find(k *record.Key, h uint64) (e *Change, slot int) {
	mask := len(o.slots) - 1
	for slot = int(h) & mask; ; slot = (slot + 1) & mask {
		s := o.slots[slot]
		if s == 0 {
			return nil, slot
		}
		if s>>32 == h>>32 {
			if e := o.at(int(uint32(s)) - 1); e.Key == *k {
				return e, slot
			}
		}
	}
}

func (o *Overlay) entry(k *record.Key) *Change {
	if o.last == nil || o.last.Key != *k {
		o.last = o.load(k, o.seed.Hash(k))
	}
	return o.last
}

// load returns the entry of a record, after reading it if that has not been done yet.
func (o *Overlay) load(k *record.Key, h uint64) *Change {
	e, slot := o.find(k, h)
	if e != nil {
		return e
	}
	if o.count%overlayChunk == 0 {
		o.chunk = append(o.chunk, make([]Change, overlayChunk))
	}
	e = o.at(o.count)
	o.count++
	e.Key = *k
	e.Old = o.read(&e.Key)
	e.New = e.Old
	o.slots[slot] = h>>32<<32 | uint64(o.count)
	if o.full(0) {
		o.grow()
	}
	return e
}

// Load reads records that will be asked for soon, so that slots and entries are looked at side by side, where one after the
// other each would wait for the memory.
func (o *Overlay) Load(keys []record.Key) {
	const batch = 256
	var hashes [batch]uint64
	for len(keys) > 0 {
		n := min(batch, len(keys))
		for o.full(n) {
			o.grow()
		}
		mask := len(o.slots) - 1
		for i := range n {
			hashes[i] = o.seed.Hash(&keys[i])
			o.seen ^= o.slots[int(hashes[i])&mask]
		}
		for i := range n {
			o.load(&keys[i], hashes[i])
		}
		keys = keys[n:]
	}
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

// full reports that n more entries would make the slots too crowded.
func (o *Overlay) full(n int) bool { return !roomy(len(o.slots), o.count+n) }

func roomy(slots, entries int) bool { return entries <= slots/8*5 }

func (o *Overlay) grow() { o.resize(2 * len(o.slots)) }

func (o *Overlay) resize(n int) {
	o.slots = make([]uint64, n)
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
		if e, _ := o.find(&k, o.seed.Hash(&k)); e == nil || e.New != nil {
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
