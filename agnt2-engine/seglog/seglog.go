// Package seglog keeps large values that are written once: block bodies, receipts, reverse diffs. They are appended to
// segment files that are never rewritten; whoever appends keeps the reference, in a database that commits it after Sync.
// So the log needs no recovery: what nobody refers to was never there.
//
// After a crash, or after a write that failed, a segment may end in anything. Therefore nothing is appended to a file that
// an earlier process, or an earlier error, has left behind: the next value begins a new one.
package seglog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrDamaged: the bytes that a reference names are not those that were appended, or are gone.
var ErrDamaged = errors.New("segment log is damaged")

const (
	// segmentBytes is the size from which on a segment is not appended to any more.
	segmentBytes = 256 << 20
	// directBytes is the size from which on a value is written around the page cache, if the file system lets us: who reads it
	// soon has it in memory anyway, and to copy it into fresh pages, only for them to be written from there, costs more than
	// anything else about it. Smaller ones would waste space, because what is written so begins at a multiple of alignment.
	directBytes = 128 << 10
	// alignment of memory, offset and length of what is written around the page cache: the largest that disks ask for.
	alignment = 4096
	suffix    = ".seg"
	category  = vfs.WriteCategoryUnspecified
)

var table = crc32.MakeTable(crc32.Castagnoli)

// Ref names a value.
type Ref struct {
	Segment uint32
	Offset  uint32
	Size    uint32
	Sum     uint32 // CRC-32C
}

// RefBytes is the length of an encoded Ref.
const RefBytes = 16

// Append appends the encoding to b.
func (r Ref) Append(b []byte) []byte {
	for _, v := range []uint32{r.Segment, r.Offset, r.Size, r.Sum} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// DecodeRef reads the first RefBytes of b; ok is false if there are not as many.
func DecodeRef(b []byte) (r Ref, ok bool) {
	if len(b) < RefBytes {
		return r, false
	}
	for i, v := range []*uint32{&r.Segment, &r.Offset, &r.Size, &r.Sum} {
		*v = binary.BigEndian.Uint32(b[4*i:])
	}
	return r, true
}

// Log is safe for concurrent use, but for Append, Sync and Close, which are one writer's.
type Log struct {
	fs  vfs.FS
	dir string

	file   vfs.File // nil: the next value begins a segment
	direct *direct  // writes file around the page cache; nil: not here
	offset uint32
	synced bool
	buf    []byte

	mu       sync.Mutex
	next     uint32
	segments map[uint32]bool // that exist
}

// Open opens the log in a directory of its own, which is made if need be.
func Open(fs vfs.FS, dir string) (*Log, error) {
	if err := MakeDir(fs, dir); err != nil {
		return nil, err
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	l := &Log{fs: fs, dir: dir, synced: true, segments: make(map[uint32]bool)}
	for _, name := range names {
		n, err := strconv.ParseUint(strings.TrimSuffix(name, suffix), 10, 32)
		if err != nil || !strings.HasSuffix(name, suffix) {
			continue
		}
		l.segments[uint32(n)] = true
		l.next = max(l.next, uint32(n)+1)
	}
	return l, nil
}

func (l *Log) path(segment uint32) string {
	return l.fs.PathJoin(l.dir, fmt.Sprintf("%08d%s", segment, suffix))
}

// Append appends a value of size bytes, which fill appends to its argument. It may be read at once, and is on disk after
// the next Sync.
func (l *Log) Append(size int, fill func(dst []byte) []byte) (Ref, error) {
	if cap(l.buf) < size {
		l.buf = aligned(size + size/4)
	}
	b := fill(l.buf[:0])
	if len(b) != size {
		return Ref{}, fmt.Errorf("encoding of %d bytes, expected %d", len(b), size)
	}
	if l.file != nil && (l.offset >= segmentBytes || uint64(l.offset)+alignment+uint64(size) > 1<<32-1) {
		if err := l.end(); err != nil {
			return Ref{}, err
		}
	}
	if l.file == nil {
		if err := l.begin(); err != nil {
			return Ref{}, err
		}
	}
	if err := l.write(b); err != nil {
		l.abandon()
		return Ref{}, err
	}
	r := Ref{Segment: l.next - 1, Offset: l.offset, Size: uint32(size), Sum: crc32.Checksum(b, table)}
	l.offset += uint32(size)
	return r, nil
}

// write writes a value at the offset, which it may move up before.
func (l *Log) write(b []byte) error {
	l.synced = false
	n := 0 // bytes that go around the page cache
	if l.direct != nil && len(b) >= directBytes {
		at := (l.offset + alignment - 1) &^ (alignment - 1)
		switch err := l.direct.writeAt(b[:len(b)&^(alignment-1)], int64(at)); {
		case err == nil:
			l.offset, n = at, len(b)&^(alignment-1)
		case errors.Is(err, errNotDirect):
			l.closeDirect()
		default:
			return err
		}
	}
	if n == len(b) {
		return nil
	}
	_, err := l.file.WriteAt(b[n:], int64(l.offset)+int64(n))
	return err
}

// aligned returns a buffer whose memory may be written around the page cache.
func aligned(size int) []byte {
	b := make([]byte, size+alignment)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (alignment - 1)
	return b[skip : skip : skip+size]
}

// begin makes the next segment, whose name is on disk when it returns.
func (l *Log) begin() error {
	l.mu.Lock()
	segment := l.next
	l.next++
	l.mu.Unlock()
	f, err := l.fs.Create(l.path(segment), category)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.segments[segment] = true
	l.mu.Unlock()
	if err := SyncDir(l.fs, l.dir); err != nil {
		f.Close()
		return err
	}
	l.file, l.direct, l.offset = f, openDirect(f), 0
	return nil
}

// end syncs and closes the segment.
func (l *Log) end() error {
	return errors.Join(l.Sync(), l.Close())
}

func (l *Log) abandon() { _ = l.Close() }

func (l *Log) closeDirect() {
	if l.direct != nil {
		l.direct.close()
		l.direct = nil
	}
}

// Sync returns when every value is on disk. After an error, those since the last Sync are to be given up.
func (l *Log) Sync() error {
	if l.synced {
		return nil
	}
	if err := l.file.SyncData(); err != nil {
		l.abandon()
		return err
	}
	l.synced = true
	return nil
}

// Read returns a value, or ErrDamaged.
func (l *Log) Read(r Ref) ([]byte, error) {
	b := make([]byte, r.Size)
	if err := l.ReadAt(r, 0, b); err != nil {
		return nil, err
	}
	if crc32.Checksum(b, table) != r.Sum {
		return nil, fmt.Errorf("%w: checksum of %d bytes at %d in %s", ErrDamaged, r.Size, r.Offset, l.path(r.Segment))
	}
	return b, nil
}

// ReadAt reads a part of a value. The checksum is not looked at.
func (l *Log) ReadAt(r Ref, offset int, b []byte) error {
	if offset < 0 || offset+len(b) > int(r.Size) {
		return fmt.Errorf("%w: %d bytes at %d of a value of %d", ErrDamaged, len(b), offset, r.Size)
	}
	f, err := l.fs.Open(l.path(r.Segment))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer f.Close()
	if n, err := f.ReadAt(b, int64(r.Offset)+int64(offset)); n < len(b) {
		return fmt.Errorf("%w: %s at %d: %w", ErrDamaged, l.path(r.Segment), r.Offset, err)
	}
	return nil
}

// DropBefore removes the segments before one. Nothing on disk may refer to them any more.
func (l *Log) DropBefore(segment uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.segments {
		if n >= segment {
			continue
		}
		if err := l.fs.Remove(l.path(n)); err != nil {
			return err
		}
		delete(l.segments, n)
	}
	return nil
}

// Close ends the log. What was not synced may be lost.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	l.closeDirect()
	err := l.file.Close()
	l.file, l.synced = nil, true
	return err
}

// SyncDir makes durable what was created, renamed or removed in a directory.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeDir makes a directory, and the one that it is in, durably.
func MakeDir(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	parent := fs.PathDir(dir)
	return errors.Join(SyncDir(fs, parent), SyncDir(fs, fs.PathDir(parent)))
}
