// Package hashindex finds in which block a hash occurs. It holds pairs of 64-bit numbers: a part of the hash, and where to
// look. Two hashes may share that part, and a block that an entry names may have left the chain; so an entry is a hint,
// which its reader checks against the block itself. In return nothing is ever changed or deleted: entries come a block at
// a time, are sorted in memory, and are written as sorted runs that are merged, eight of a level into one of the next. To
// write an entry costs a few nanoseconds a level, where a general ordered store takes a microsecond for it.
//
// All of it can be made again from the blocks. A run says up to which block it, with those before, is complete; its owner
// adds what came later again when it opens the index. So nothing here has to be synced with anything else.
package hashindex

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sort"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"

	"github.com/agnt2/agnt2/agnt2-engine/seglog"
)

// ErrDamaged: a run on disk is not what was written. Remove the index's directory, and it is made again.
var ErrDamaged = errors.New("hash index is damaged")

// Entry says that Key occurs at Value.
type Entry struct{ Key, Value uint64 }

func (e Entry) compare(o Entry) int {
	if e.Key != o.Key {
		return cmp.Compare(e.Key, o.Key)
	}
	return cmp.Compare(e.Value, o.Value)
}

// Mark names a block.
type Mark struct {
	Number uint64
	Hash   common.Hash
}

const (
	// DefaultMemory is how many entries stay in memory before they are written: 16 MiB.
	DefaultMemory = 1 << 20
	// marksInMemory bounds how many blocks are to be added again when the index is opened.
	marksInMemory = 1024
	// fanIn runs of a level are merged.
	fanIn = 8
	// backlog is how many times as many entries as should be in memory may be there while the disk does not keep up.
	backlog = 4
)

// Index is safe for concurrent use, but for Add, which is one writer's.
type Index struct {
	fs     vfs.FS
	dir    string
	memory int // entries

	mu       sync.RWMutex
	idle     *sync.Cond // on mu: the background has nothing to do
	busy     bool
	closed   bool
	err      error     // of the last attempt to write
	fresh    [][]Entry // sorted each, newest last, the largest first
	entries  int       // in fresh
	marks    int       // since the last run
	mark     Mark      // the newest
	writing  [][]Entry // on their way to disk
	runs     []*run    // oldest first
	sequence uint64    // of the next run
	floor    uint64    // values below are not asked for any more
}

// Open opens the index in a directory of its own. memory is how many entries to hold back, 0: DefaultMemory.
func Open(fs vfs.FS, dir string, memory int) (*Index, error) {
	if memory == 0 {
		memory = DefaultMemory
	}
	x := &Index{fs: fs, dir: dir, memory: memory}
	x.idle = sync.NewCond(&x.mu)
	if err := seglog.MakeDir(fs, dir); err != nil {
		return nil, err
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		first, last, ok := parseName(name)
		if !ok {
			continue
		}
		x.runs = append(x.runs, &run{path: fs.PathJoin(dir, name), first: first, last: last})
	}
	// A run that stands within another was merged into it just before a crash.
	slices.SortFunc(x.runs, func(a, b *run) int {
		if a.first != b.first {
			return cmp.Compare(a.first, b.first)
		}
		return cmp.Compare(b.last, a.last)
	})
	kept := x.runs[:0]
	damaged := false
	for _, r := range x.runs {
		merged := len(kept) > 0 && r.last <= kept[len(kept)-1].last
		if !merged && !damaged {
			err := r.open(fs)
			if err == nil {
				kept = append(kept, r)
				continue
			}
			if !errors.Is(err, ErrDamaged) {
				return nil, err
			}
			// What comes after it may be whole, but is not complete without it.
			damaged = true
			log.Warn("A run of a hash index is damaged: making it again", "path", r.path, "err", err)
		}
		if err := fs.Remove(r.path); err != nil {
			return nil, err
		}
	}
	x.runs = kept
	if n := len(kept); n > 0 {
		x.sequence = kept[n-1].last + 1
	}
	return x, nil
}

// Covered is the newest canonical block up to which every canonical block's entries are on disk; 0 if there is none.
func (x *Index) Covered(canonical func(number uint64) common.Hash) (number uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, r := range x.runs {
		if r.mark.Number > number && canonical(r.mark.Number) == r.mark.Hash {
			number = r.mark.Number
		}
	}
	return number
}

// Sort puts a block's entries in the order that Add wants. Their keys are evenly spread: so one pass puts each near its
// place, and what is left to do is short.
func Sort(entries []Entry) {
	const few = 64
	if len(entries) < few {
		slices.SortFunc(entries, Entry.compare)
		return
	}
	shift := 64 - bits.Len(uint(len(entries)))
	starts := make([]uint32, 1<<(64-shift)+1)
	for i := range entries {
		starts[entries[i].Key>>shift+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	spread := make([]Entry, len(entries))
	for _, e := range entries {
		at := &starts[e.Key>>shift]
		spread[*at] = e
		*at++
	}
	from := uint32(0)
	for _, to := range starts { // each is where the next bucket starts now
		if to-from > 1 {
			slices.SortFunc(spread[from:to], Entry.compare)
		}
		from = to
	}
	copy(entries, spread)
}

// Add adds a block's entries, in order, and keeps them. The block's parent was added before, at some time.
func (x *Index) Add(m Mark, entries []Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.mark = m
	x.marks++
	x.entries += len(entries)
	if len(entries) > 0 {
		x.fresh = append(x.fresh, entries)
	}
	for n := len(x.fresh); n > 1 && 2*len(x.fresh[n-1]) > len(x.fresh[n-2]); n = len(x.fresh) {
		x.fresh = append(x.fresh[:n-2], mergeSlices(x.fresh[n-2], x.fresh[n-1]))
	}
	x.start()
}

// Ready waits until there is room for more entries, and returns why there cannot be.
func (x *Index) Ready() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for x.entries >= backlog*x.memory {
		x.start()
		if x.closed {
			return errors.New("hash index is closed")
		}
		for x.busy {
			x.idle.Wait()
		}
		if x.err != nil {
			return fmt.Errorf("hash index: %w", x.err)
		}
	}
	return nil
}

// Forget tells that values below one are not asked for any more.
func (x *Index) Forget(floor uint64) {
	x.mu.Lock()
	x.floor = max(x.floor, floor)
	x.mu.Unlock()
}

// Next returns the least value from a number on at which a key occurs.
func (x *Index) Next(key, from uint64) (value uint64, ok bool, err error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	at := Entry{key, from}
	take := func(e Entry) {
		if e.Key == key && (!ok || e.Value < value) {
			value, ok = e.Value, true
		}
	}
	for _, list := range [][][]Entry{x.fresh, x.writing} {
		for _, es := range list {
			if i := sort.Search(len(es), func(i int) bool { return es[i].compare(at) >= 0 }); i < len(es) {
				take(es[i])
			}
		}
	}
	for _, r := range x.runs {
		e, found, err := r.seek(at)
		if err != nil {
			return 0, false, err
		}
		if found {
			take(e)
		}
	}
	return value, ok, nil
}

// Close ends the index. What was not written yet is to be added again.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	for x.busy {
		x.idle.Wait()
	}
	var err error
	for _, r := range x.runs {
		err = errors.Join(err, r.file.Close())
	}
	x.runs = nil
	return err
}

// start writes in the background what is in memory, if that is due.
func (x *Index) start() {
	if x.busy || x.closed || x.entries < x.memory && x.marks < marksInMemory {
		return
	}
	x.busy = true
	x.writing, x.fresh = x.fresh, nil
	mark, marks, entries := x.mark, x.marks, x.entries
	x.marks, x.entries = 0, 0
	go func() {
		err := x.write(mark)
		if err == nil {
			err = x.merge()
		}
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.err = err; err != nil {
			log.Error("Cannot write a hash index", "dir", x.dir, "err", err)
		}
		if x.writing != nil { // to be tried again, with what has come in since
			x.fresh, x.writing = append(x.writing, x.fresh...), nil
			x.marks, x.entries = x.marks+marks, x.entries+entries
		}
		x.busy = false
		x.idle.Broadcast()
	}()
}

// write makes a run of what is on its way.
func (x *Index) write(m Mark) error {
	var sources []source
	for _, es := range x.writing {
		sources = append(sources, &sliceSource{es})
	}
	r, err := writeRun(x.fs, x.dir, x.sequence, x.sequence, 0, m, x.lowest(), sources)
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sequence++
	x.runs, x.writing = append(x.runs, r), nil
	return nil
}

func (x *Index) lowest() uint64 {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.floor
}

// merge merges the newest runs while there are enough of a level, and drops those that nobody asks for. Only the background
// changes the list of runs, so that it can read it without the lock.
func (x *Index) merge() error {
	for {
		n := len(x.runs)
		level, from := x.runs[n-1].level, n-1
		for from > 0 && x.runs[from-1].level == level {
			from--
		}
		if n-from < fanIn {
			break
		}
		old := x.runs[from:]
		var sources []source
		for _, r := range old {
			sources = append(sources, &runSource{r: r})
		}
		merged, err := writeRun(x.fs, x.dir, old[0].first, old[len(old)-1].last, level+1, old[len(old)-1].mark, x.lowest(), sources)
		if err != nil {
			return err
		}
		x.mu.Lock()
		x.runs = append(slices.Clone(x.runs[:from]), merged)
		x.mu.Unlock()
		if err := x.remove(old); err != nil {
			return err
		}
	}
	floor := x.lowest()
	var dead, live []*run
	for i, r := range x.runs {
		if r.highest < floor && i < len(x.runs)-1 { // the newest says what is covered
			dead = append(dead, r)
		} else {
			live = append(live, r)
		}
	}
	x.mu.Lock()
	x.runs = live
	x.mu.Unlock()
	return x.remove(dead)
}

// remove closes and removes runs that are not in the list any more.
func (x *Index) remove(runs []*run) error {
	for _, r := range runs {
		if err := errors.Join(r.file.Close(), x.fs.Remove(r.path)); err != nil {
			return err
		}
	}
	return nil
}

func mergeSlices(a, b []Entry) []Entry {
	out := make([]Entry, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].compare(b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}
