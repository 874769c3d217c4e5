package seglog

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sys/unix"
)

// errNotDirect: this file cannot be written around the page cache.
var errNotDirect = errors.New("no direct writes here")

// direct is a second descriptor of a segment, opened with O_DIRECT. What it writes is on disk once the first is synced.
type direct struct{ fd int }

// openDirect returns nil if the file has no descriptor (tests keep theirs in memory) or its file system does not know direct
// writes.
func openDirect(f vfs.File) *direct {
	if f.Fd() == vfs.InvalidFd {
		return nil
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.O_WRONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	return &direct{fd}
}

// directAtOnce bounds what waits for the disk at a time: somebody else's fsync, the mempool's journal's, waits behind it.
const directAtOnce = 1 << 20

// writeAt writes whole blocks of aligned memory. After errNotDirect nothing was written that matters.
func (d *direct) writeAt(b []byte, at int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(d.fd, b[:min(len(b), directAtOnce)], at)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EINVAL: // it wants larger blocks
			return errNotDirect
		case err != nil:
			return err
		case n <= 0 || n%alignment != 0:
			return io.ErrShortWrite
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

func (d *direct) close() { unix.Close(d.fd) }
