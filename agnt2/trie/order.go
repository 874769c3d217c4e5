package trie

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
)

// entry is a change in key order: its key's first 64 bits and its index in the batch, or, with entryLeaf, a leaf that
// the trie already has.
type entry struct {
	head uint64
	at   uint32
	kind uint32
}

const entryLeaf = 1

// radixFrom is the batch size from which a radix sort is quicker than comparing.
const radixFrom = 256

// order puts keys in order. It sorts their first 64 bits, which are a fraction of what the keys belong to and nearly always
// differ.
type order struct {
	sorted []entry
	swap   []entry
}

var orders = sync.Pool{New: func() any { return new(order) }}

// Order returns the indices of n keys in ascending order of keys; of equal keys only that of the last.
func Order(n int, key func(i int) *Key) []uint32 {
	o := orders.Get().(*order)
	defer orders.Put(o)
	o.sort(n, key)
	out := make([]uint32, len(o.sorted))
	for i := range out {
		out[i] = o.sorted[i].at
	}
	return out
}

// sort fills o.sorted with one entry per key, in key order.
func (o *order) sort(n int, key func(i int) *Key) {
	o.sorted = slices.Grow(o.sorted[:0], n)
	var all, any uint64 = ^uint64(0), 0
	for i := range n {
		head := binary.BigEndian.Uint64(key(i)[:])
		all, any = all&head, any|head
		o.sorted = append(o.sorted, entry{head: head, at: uint32(i)})
	}
	o.sortHeads(all ^ any)
	o.sortTails(key)
}

// sortHeads orders by the first 64 bits, of which those in differ are not all alike. It is stable, so that equal keys
// stay in the caller's order.
func (o *order) sortHeads(differ uint64) {
	byHead := func(x, y entry) int { return cmp.Compare(x.head, y.head) }
	if slices.IsSortedFunc(o.sorted, byHead) {
		return
	}
	if len(o.sorted) < radixFrom {
		slices.SortStableFunc(o.sorted, byHead)
		return
	}
	o.swap = slices.Grow(o.swap[:0], len(o.sorted))[:len(o.sorted)]
	for shift := 0; shift < 64; shift += 8 {
		if differ>>shift&0xff == 0 {
			continue
		}
		var at [256]int
		for i := range o.sorted {
			at[o.sorted[i].head>>shift&0xff]++
		}
		sum := 0
		for v := range at {
			at[v], sum = sum, sum+at[v]
		}
		for _, e := range o.sorted {
			v := e.head >> shift & 0xff
			o.swap[at[v]] = e
			at[v]++
		}
		o.sorted, o.swap = o.swap, o.sorted
	}
}

// sortTails orders entries with equal heads by the rest of the key and drops all but the last of equal keys.
func (o *order) sortTails(key func(i int) *Key) {
	kept := 0
	for lo := 0; lo < len(o.sorted); {
		hi := lo + 1
		for hi < len(o.sorted) && o.sorted[hi].head == o.sorted[lo].head {
			hi++
		}
		if hi-lo > 1 {
			slices.SortStableFunc(o.sorted[lo:hi], func(x, y entry) int {
				return bytes.Compare(key(int(x.at))[8:], key(int(y.at))[8:])
			})
		}
		for i := lo; i < hi; i++ {
			if i+1 < hi && *key(int(o.sorted[i].at)) == *key(int(o.sorted[i+1].at)) {
				continue
			}
			o.sorted[kept] = o.sorted[i]
			kept++
		}
		lo = hi
	}
	o.sorted = o.sorted[:kept]
}
