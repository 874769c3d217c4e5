package vm

import (
	"bytes"

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

// Overlay is the state inside a block: the parent's, under what the block has written. Not safe for concurrent use.
type Overlay struct {
	base    Base
	index   map[record.Key]int32
	entries []Change
	swept   *record.Key // last deadline key that NextDeadline found deleted

	// The record that was asked for last: a micro-step reads one and then writes it.
	lastKey record.Key
	last    int32 // -1: none
}

var _ State = (*Overlay)(nil)

// NewOverlay returns an empty overlay on base.
func NewOverlay(base Base) *Overlay {
	return &Overlay{base: base, index: make(map[record.Key]int32), last: -1}
}

func (o *Overlay) entry(k record.Key) *Change {
	if o.last >= 0 && o.lastKey == k {
		return &o.entries[o.last]
	}
	i, ok := o.index[k]
	if !ok {
		v := o.base.Get(k)
		i = int32(len(o.entries))
		o.entries = append(o.entries, Change{k, v, v})
		o.index[k] = i
	}
	o.lastKey, o.last = k, i
	return &o.entries[i]
}

func (o *Overlay) Get(k record.Key) []byte { return o.entry(k).New }

func (o *Overlay) Set(k record.Key, v []byte) { o.entry(k).New = v }

// NextDeadline is only asked for during the sweeps, before any transaction has queued a deadline of its own: those lie
// in the future anyway. So the next one is the base's next that is not deleted here.
func (o *Overlay) NextDeadline() (record.Key, bool) {
	for {
		k, ok := o.base.DeadlineAfter(o.swept)
		if !ok {
			return k, false
		}
		if i, dirty := o.index[k]; !dirty || o.entries[i].New != nil {
			return k, true
		}
		o.swept = &k
	}
}

// Changes returns the records whose bytes differ from the parent's, in the order in which they were first touched.
func (o *Overlay) Changes() []Change {
	out := make([]Change, 0, len(o.entries))
	for _, c := range o.entries {
		if !bytes.Equal(c.Old, c.New) || (c.Old == nil) != (c.New == nil) {
			out = append(out, c)
		}
	}
	return out
}
