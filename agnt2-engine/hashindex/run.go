package hashindex

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sort"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2-engine/seglog"
)

// A run is a file of entries in ascending order:
//
//	pages:    255 × entry (16, zeros after the last) ‖ number of entries (4) ‖ CRC-32C of all before (4) ‖ zeros (8)
//	fences:   the first entry of each page
//	trailer:  magic ‖ level (8) ‖ block number (8) and hash (32) ‖ entries (8) ‖ highest value (8) ‖ CRC of the fences (4)
//	          ‖ CRC of the trailer before (4)
//
// Its name gives the sequence numbers of the runs, as first written, that it holds.
const (
	magic        = "AGNT2HX1"
	entryBytes   = 16
	pageEntries  = 255
	pageBytes    = (pageEntries + 1) * entryBytes
	trailerBytes = len(magic) + 8 + 8 + 32 + 8 + 8 + 4 + 4
	readPages    = 16 // at a time, when a run is merged
	suffix       = ".run"
	unfinished   = "unfinished"
)

var table = crc32.MakeTable(crc32.Castagnoli)

type run struct {
	path        string
	first, last uint64 // sequence numbers
	level       uint64
	mark        Mark
	highest     uint64 // value
	fences      []Entry
	file        vfs.File
}

func fileName(first, last uint64) string { return fmt.Sprintf("%012d-%012d%s", first, last, suffix) }

func parseName(name string) (first, last uint64, ok bool) {
	n, err := fmt.Sscanf(name, "%d-%d", &first, &last)
	return first, last, err == nil && n == 2 && first <= last && name == fileName(first, last)
}

func putEntry(b []byte, e Entry) {
	binary.BigEndian.PutUint64(b, e.Key)
	binary.BigEndian.PutUint64(b[8:], e.Value)
}

func entryAt(b []byte) Entry {
	return Entry{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// open reads the trailer and the fences.
func (r *run) open(fs vfs.FS) (err error) {
	if r.file, err = fs.Open(r.path); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			r.file.Close()
		}
	}()
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	bad := func(what string) error { return fmt.Errorf("%w: %s of %s", ErrDamaged, what, r.path) }
	size := info.Size() - int64(trailerBytes)
	if size < 0 {
		return bad("size")
	}
	t := make([]byte, trailerBytes)
	if _, err := r.file.ReadAt(t, size); err != nil {
		return err
	}
	if string(t[:len(magic)]) != magic || crc32.Checksum(t[:trailerBytes-4], table) != binary.BigEndian.Uint32(t[trailerBytes-4:]) {
		return bad("trailer")
	}
	t = t[len(magic):]
	r.level, r.mark = binary.BigEndian.Uint64(t), Mark{binary.BigEndian.Uint64(t[8:]), common.Hash(t[16:48])}
	entries, sum := binary.BigEndian.Uint64(t[48:]), binary.BigEndian.Uint32(t[64:])
	r.highest = binary.BigEndian.Uint64(t[56:])
	pages := (int64(entries) + pageEntries - 1) / pageEntries
	if size != pages*(pageBytes+entryBytes) {
		return bad("size")
	}
	raw := make([]byte, pages*entryBytes)
	if _, err := r.file.ReadAt(raw, pages*pageBytes); err != nil && len(raw) > 0 {
		return err
	}
	if crc32.Checksum(raw, table) != sum {
		return bad("fences")
	}
	r.fences = make([]Entry, pages)
	for i := range r.fences {
		r.fences[i] = entryAt(raw[i*entryBytes:])
	}
	return nil
}

// page checks a page and returns its entries.
func (r *run) page(b []byte) ([]byte, error) {
	n := binary.BigEndian.Uint32(b[pageEntries*entryBytes:])
	sum := binary.BigEndian.Uint32(b[pageEntries*entryBytes+4:])
	if n == 0 || n > pageEntries || crc32.Checksum(b[:pageEntries*entryBytes+4], table) != sum {
		return nil, fmt.Errorf("%w: page of %s", ErrDamaged, r.path)
	}
	return b[:n*entryBytes], nil
}

// seek returns the least entry that is not below one.
func (r *run) seek(at Entry) (e Entry, ok bool, err error) {
	// The page before the first whose fence is not below may hold it; else it is that fence.
	next := sort.Search(len(r.fences), func(i int) bool { return r.fences[i].compare(at) >= 0 })
	if next > 0 {
		b := make([]byte, pageBytes)
		if _, err := r.file.ReadAt(b, int64(next-1)*pageBytes); err != nil {
			return e, false, fmt.Errorf("%w: %s: %w", ErrDamaged, r.path, err)
		}
		if b, err = r.page(b); err != nil {
			return e, false, err
		}
		n := len(b) / entryBytes
		if i := sort.Search(n, func(i int) bool { return entryAt(b[i*entryBytes:]).compare(at) >= 0 }); i < n {
			return entryAt(b[i*entryBytes:]), true, nil
		}
	}
	if next == len(r.fences) {
		return e, false, nil
	}
	return r.fences[next], true, nil
}

// source gives entries in ascending order, many at a time; none at the end.
type source interface{ read() ([]Entry, error) }

type sliceSource struct{ entries []Entry }

func (s *sliceSource) read() (out []Entry, _ error) {
	out, s.entries = s.entries, nil
	return out, nil
}

type runSource struct {
	r    *run
	page int
	raw  []byte
	out  []Entry
}

func (s *runSource) read() ([]Entry, error) {
	n := min(readPages, len(s.r.fences)-s.page)
	if n == 0 {
		return nil, nil
	}
	if s.raw == nil {
		s.raw, s.out = make([]byte, readPages*pageBytes), make([]Entry, 0, readPages*pageEntries)
	}
	raw := s.raw[:n*pageBytes]
	if _, err := s.r.file.ReadAt(raw, int64(s.page)*pageBytes); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, s.r.path, err)
	}
	s.page += n
	s.out = s.out[:0]
	for ; len(raw) > 0; raw = raw[pageBytes:] {
		b, err := s.r.page(raw[:pageBytes])
		if err != nil {
			return nil, err
		}
		for ; len(b) > 0; b = b[entryBytes:] {
			s.out = append(s.out, entryAt(b))
		}
	}
	return s.out, nil
}

// writeRun merges sources into a run, without what is below floor and without duplicates. It is on disk when it returns.
func writeRun(fs vfs.FS, dir string, first, last, level uint64, m Mark, floor uint64, sources []source) (_ *run, err error) {
	path := fs.PathJoin(dir, unfinished)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	defer func() {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	w := &writer{file: f}
	if err := merge(sources, func(e Entry) error {
		if e.Value < floor {
			return nil
		}
		return w.add(e)
	}); err != nil {
		return nil, err
	}
	if err := w.finish(level, m); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	err, f = f.Close(), nil
	if err != nil {
		return nil, err
	}
	r := &run{path: fs.PathJoin(dir, fileName(first, last)), first: first, last: last}
	if err := fs.Rename(path, r.path); err != nil {
		return nil, err
	}
	if err := seglog.SyncDir(fs, dir); err != nil {
		return nil, err
	}
	return r, r.open(fs)
}

// merge calls f with the entries of all sources in ascending order.
func merge(sources []source, f func(Entry) error) error {
	heads := make([][]Entry, 0, len(sources))
	live := make([]source, 0, len(sources))
	for _, s := range sources {
		es, err := s.read()
		if err != nil {
			return err
		}
		if len(es) > 0 {
			heads, live = append(heads, es), append(live, s)
		}
	}
	for len(heads) > 0 {
		least := 0
		for i := 1; i < len(heads); i++ {
			if heads[i][0].compare(heads[least][0]) < 0 {
				least = i
			}
		}
		if err := f(heads[least][0]); err != nil {
			return err
		}
		if heads[least] = heads[least][1:]; len(heads[least]) > 0 {
			continue
		}
		es, err := live[least].read()
		if err != nil {
			return err
		}
		if heads[least] = es; len(es) == 0 {
			n := len(heads) - 1
			heads[least], live[least] = heads[n], live[n]
			heads, live = heads[:n], live[:n]
		}
	}
	return nil
}

// writer makes pages.
type writer struct {
	file    vfs.File
	buf     []byte // whole pages, and the one that is being filled
	n       int    // entries in that
	entries uint64
	last    Entry
	highest uint64
	fences  []byte
}

func (w *writer) add(e Entry) error {
	if w.entries > 0 && e == w.last {
		return nil
	}
	var b [entryBytes]byte
	putEntry(b[:], e)
	if w.n == 0 {
		w.fences = append(w.fences, b[:]...)
	}
	w.buf = append(w.buf, b[:]...)
	w.n++
	w.entries++
	w.last, w.highest = e, max(w.highest, e.Value)
	if w.n == pageEntries {
		return w.page()
	}
	return nil
}

// page ends a page.
func (w *writer) page() error {
	from := len(w.buf) - w.n*entryBytes
	for range pageEntries - w.n {
		w.buf = append(w.buf, make([]byte, entryBytes)...)
	}
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(w.n))
	w.buf = binary.BigEndian.AppendUint32(w.buf, crc32.Checksum(w.buf[from:], table))
	w.buf = append(w.buf, make([]byte, 8)...)
	w.n = 0
	if len(w.buf) < readPages*pageBytes {
		return nil
	}
	return w.flush()
}

func (w *writer) flush() error {
	_, err := w.file.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *writer) finish(level uint64, m Mark) error {
	if w.n > 0 {
		if err := w.page(); err != nil {
			return err
		}
	}
	w.buf = append(w.buf, w.fences...)
	from := len(w.buf)
	w.buf = append(w.buf, magic...)
	w.buf = binary.BigEndian.AppendUint64(w.buf, level)
	w.buf = binary.BigEndian.AppendUint64(w.buf, m.Number)
	w.buf = append(w.buf, m.Hash[:]...)
	w.buf = binary.BigEndian.AppendUint64(w.buf, w.entries)
	w.buf = binary.BigEndian.AppendUint64(w.buf, w.highest)
	w.buf = binary.BigEndian.AppendUint32(w.buf, crc32.Checksum(w.fences, table))
	w.buf = binary.BigEndian.AppendUint32(w.buf, crc32.Checksum(w.buf[from:], table))
	return w.flush()
}
