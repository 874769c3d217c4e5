package state

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/agnt2/agnt2/agnt2/record"
)

// headTable holds records of the head on disk in memory: a hash table over an arena, without a pointer in either, and
// outside of Go's heap, so that the garbage collector neither walks it nor lets it raise how much garbage may pile up.
//
// It holds every record until they exceed its limit; from then on it is a cache, from which records go at random. What it
// returns is always a copy, because entries are overwritten in place.
//
// Readers may be concurrent; writers need exclusive access.
type headTable struct {
	seed  record.Seed
	slots []uint64 // tag (32) ‖ unit (32), zero: empty. A slot's home is the top bits of its tag.
	shift uint     // 32 − log2(len(slots))
	count int
	bytes int // of the arena in use
	limit int
	// partial: some record of the head is not in here.
	partial bool

	chunks [][]byte
	end    uint32              // first unit never handed out
	free   [freeClasses]uint32 // heads of the lists of freed entries by size in units; 0 ends them
	spare  []mapping           // all mappings, to give back
	rest   []byte              // of the newest mapping, not yet cut into chunks
}

// An entry is size of the value (4) ‖ key (32) ‖ value, in whole units. Unit 0 is never handed out.
const (
	unitBits   = 5 // 32 bytes
	unit       = 1 << unitBits
	chunkUnits = 1 << 15 // 1 MiB
	entryHead  = 4 + 32
	// freeClasses bounds the size of an entry in units; what is larger is never held.
	freeClasses = 128
	minSlots    = 1 << 10
	// mappingBytes is how much memory is asked for at a time.
	mappingBytes = 32 << 20
)

func newHeadTable(limit int) *headTable {
	t := &headTable{seed: record.NewSeed(), limit: limit, end: 1}
	t.resize(minSlots)
	runtime.SetFinalizer(t, (*headTable).release)
	return t
}

func (t *headTable) release() {
	for _, m := range t.spare {
		m.unmap()
	}
}

func unitsOf(size int) int { return (entryHead + size + unit - 1) >> unitBits }

// tag is half of a key's hash.
func (t *headTable) tag(k *record.Key) uint64 { return t.seed.Hash(k) >> 32 }

func (t *headTable) entry(u uint32) []byte {
	return t.chunks[u/chunkUnits][u%chunkUnits<<unitBits:]
}

// find returns the slot of a key, or the empty one where it would go.
func (t *headTable) find(k *record.Key, tag uint64) (at int, found bool) {
	mask := len(t.slots) - 1
	for at = int(tag >> t.shift); ; at = (at + 1) & mask {
		s := t.slots[at]
		if s == 0 {
			return at, false
		}
		if s>>32 == tag && record.Key(t.entry(uint32(s))[4:entryHead]) == *k {
			return at, true
		}
	}
}

// appendTo appends a record's bytes to dst; ok is false if the table has no such record.
func (t *headTable) appendTo(dst []byte, k *record.Key) (out []byte, ok bool) {
	at, ok := t.find(k, t.tag(k))
	if !ok {
		return dst, false
	}
	e := t.entry(uint32(t.slots[at]))
	dst = append(dst, e[entryHead:][:binary.LittleEndian.Uint32(e)]...)
	runtime.KeepAlive(t)
	return dst, true
}

// touch reads what the lookups of these keys will read. A lookup is a chain of cache misses, each of which waits for the one
// before; side by side, the processor overlaps those of many.
func (t *headTable) touch(keys []record.Key) {
	const batch = 256
	var homes, units [batch]uint64
	var seen uint64
	mask := len(t.slots) - 1
	for len(keys) > 0 {
		n := min(batch, len(keys))
		for i := range n {
			homes[i] = t.tag(&keys[i])
		}
		for i := range n {
			units[i] = t.slots[homes[i]>>t.shift]
		}
		for i := range n { // the home, or the next slots, which nearly always are in the same cache line
			for at := int(homes[i] >> t.shift); units[i] != 0 && units[i]>>32 != homes[i]; units[i] = t.slots[at] {
				at = (at + 1) & mask
			}
		}
		for i := range n {
			if units[i] != 0 {
				e := t.entry(uint32(units[i]))
				seen ^= uint64(e[0])
			}
		}
		for i := range n { // the other cache lines, of which there may be many or none
			if units[i] != 0 {
				e := t.entry(uint32(units[i]))
				for at, end := 64, entryHead+int(binary.LittleEndian.Uint32(e)); at < end; at += 64 {
					seen ^= uint64(e[at])
				}
			}
		}
		keys = keys[n:]
	}
	touched.Store(seen) // or the reads would be for nothing
	runtime.KeepAlive(t)
}

// touched keeps reads whose only purpose is the cache.
var touched atomic.Uint64

// set replaces a record; nil removes it.
func (t *headTable) set(k *record.Key, v []byte) {
	tag := t.tag(k)
	at, found := t.find(k, tag)
	if found {
		u := uint32(t.slots[at])
		e := t.entry(u)
		old := int(binary.LittleEndian.Uint32(e))
		if v != nil && unitsOf(len(v)) == unitsOf(old) {
			binary.LittleEndian.PutUint32(e, uint32(len(v)))
			copy(e[entryHead:], v)
			return
		}
		t.remove(at)
		at, _ = t.find(k, tag)
	}
	if v != nil {
		t.add(at, tag, k, v)
	}
	runtime.KeepAlive(t)
}

// fill adds a record that was read from disk, if it is not there yet.
func (t *headTable) fill(k *record.Key, v []byte) {
	tag := t.tag(k)
	if at, found := t.find(k, tag); !found {
		t.add(at, tag, k, v)
	}
	runtime.KeepAlive(t)
}

func (t *headTable) add(at int, tag uint64, k *record.Key, v []byte) {
	n := unitsOf(len(v))
	fits := n < freeClasses && t.bytes+n<<unitBits <= t.limit
	if !fits && !t.partial { // written only once: readers look at it beside a fill
		t.partial = true
	}
	switch {
	case n >= freeClasses:
		return
	case !fits:
		for t.count > 0 && t.bytes+n<<unitBits > t.limit {
			t.evict()
		}
		at, _ = t.find(k, tag)
	}
	u := t.allocate(n)
	e := t.entry(u)
	binary.LittleEndian.PutUint32(e, uint32(len(v)))
	copy(e[4:], k[:])
	copy(e[entryHead:], v)
	t.slots[at] = tag<<32 | uint64(u)
	t.count++
	t.bytes += n << unitBits
	if t.count > len(t.slots)/4*3 {
		t.resize(2 * len(t.slots))
	}
}

func (t *headTable) allocate(n int) uint32 {
	if u := t.free[n]; u != 0 {
		t.free[n] = binary.LittleEndian.Uint32(t.entry(u))
		return u
	}
	if room := chunkUnits*uint32(len(t.chunks)) - t.end; len(t.chunks) == 0 || room < uint32(n) {
		if len(t.chunks) > 0 && room > 0 { // an entry lies in one chunk
			t.give(t.end, int(room))
		}
		t.end = max(1, chunkUnits*uint32(len(t.chunks)))
		if len(t.rest) == 0 {
			m := mapMemory(mappingBytes)
			t.spare, t.rest = append(t.spare, m), m.bytes
		}
		t.chunks = append(t.chunks, t.rest[:chunkUnits<<unitBits])
		t.rest = t.rest[chunkUnits<<unitBits:]
	}
	u := t.end
	t.end += uint32(n)
	return u
}

// give puts freed units on the list of their size.
func (t *headTable) give(u uint32, n int) {
	binary.LittleEndian.PutUint32(t.entry(u), t.free[n])
	t.free[n] = u
}

// remove empties a slot and moves up what had to give way to it.
func (t *headTable) remove(at int) {
	u := uint32(t.slots[at])
	n := unitsOf(int(binary.LittleEndian.Uint32(t.entry(u))))
	t.give(u, n)
	t.count--
	t.bytes -= n << unitBits
	mask := len(t.slots) - 1
	hole := at
	for i := (at + 1) & mask; t.slots[i] != 0; i = (i + 1) & mask {
		home := int(t.slots[i] >> 32 >> t.shift)
		if (i-home)&mask >= (i-hole)&mask { // its home is not behind the hole
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = 0
}

// evict removes some record.
func (t *headTable) evict() {
	mask := len(t.slots) - 1
	for at := rand.IntN(len(t.slots)); ; at = (at + 1) & mask {
		if t.slots[at] != 0 {
			t.remove(at)
			return
		}
	}
}

func (t *headTable) resize(n int) {
	old := t.slots
	t.slots = make([]uint64, n)
	adviseHuge(t.slots)
	t.shift = uint(32 - bits.Len(uint(n-1)))
	mask := n - 1
	for _, s := range old {
		if s == 0 {
			continue
		}
		at := int(s >> 32 >> t.shift)
		for t.slots[at] != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = s
	}
}
