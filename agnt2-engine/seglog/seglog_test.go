package seglog_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/seglog"
)

func appendTo(l *seglog.Log, v []byte) (seglog.Ref, error) {
	return l.Append(len(v), func(dst []byte) []byte { return append(dst, v...) })
}

// TestCrash: whatever was synced before the power went is there afterwards, and what is appended then disturbs nothing.
func TestCrash(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	fs := vfs.NewCrashableMem()
	require.NoError(t, fs.MkdirAll("data", 0o755))
	kept := map[seglog.Ref][]byte{}
	for life := range 12 {
		l, err := seglog.Open(fs, "data/log")
		require.NoError(t, err)
		for r, v := range kept {
			got, err := l.Read(r)
			require.NoError(t, err, "life %d", life)
			require.Equal(t, v, got)
		}
		for range 1 + rnd.IntN(4) {
			fresh := map[seglog.Ref][]byte{}
			for range rnd.IntN(5) {
				v := bytes.Repeat([]byte{byte(rnd.Uint32())}, rnd.IntN(300))
				r, err := appendTo(l, v)
				require.NoError(t, err)
				encoded, ok := seglog.DecodeRef(r.Append(nil))
				require.True(t, ok)
				require.Equal(t, r, encoded)
				fresh[r] = v
				got, err := l.Read(r)
				require.NoError(t, err, "before it is synced")
				require.Equal(t, v, got)
			}
			if rnd.IntN(3) > 0 {
				require.NoError(t, l.Sync())
				for r, v := range fresh {
					kept[r] = v
				}
			}
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
	}
	require.NotEmpty(t, kept)
}

// TestFailedWrite: after an error, nothing is appended to what may be half a value.
func TestFailedWrite(t *testing.T) {
	mem := vfs.NewMem()
	broken := errors.New("disk full")
	var fail errorfs.OpKind = -1
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == fail {
			return broken
		}
		return nil
	}))
	l, err := seglog.Open(fs, "data/log")
	require.NoError(t, err)
	first, err := appendTo(l, []byte("first"))
	require.NoError(t, err)
	require.NoError(t, l.Sync())
	for _, kind := range []errorfs.OpKind{errorfs.OpFileWriteAt, errorfs.OpFileSyncData, errorfs.OpCreate} {
		fail = kind
		r, err := appendTo(l, []byte("lost"))
		if err == nil {
			err = l.Sync()
		}
		if kind != errorfs.OpCreate { // the segment exists by then
			require.ErrorIs(t, err, broken)
		}
		fail = -1
		next, err := appendTo(l, []byte("next"))
		require.NoError(t, err)
		require.NoError(t, l.Sync())
		if kind != errorfs.OpCreate {
			require.Greater(t, next.Segment, r.Segment)
		}
		got, err := l.Read(next)
		require.NoError(t, err)
		require.Equal(t, "next", string(got))
	}
	got, err := l.Read(first)
	require.NoError(t, err)
	require.Equal(t, "first", string(got))
	require.NoError(t, l.Close())
}

// TestDamage: a value whose bytes have changed, or whose segment was dropped, is not read; a reference is not trusted.
func TestDamage(t *testing.T) {
	fs := vfs.NewMem()
	l, err := seglog.Open(fs, "data/log")
	require.NoError(t, err)
	r, err := appendTo(l, []byte("value"))
	require.NoError(t, err)
	require.NoError(t, l.Sync())
	require.ErrorIs(t, l.ReadAt(r, 3, make([]byte, 3)), seglog.ErrDamaged)
	require.ErrorIs(t, l.ReadAt(r, -1, make([]byte, 1)), seglog.ErrDamaged)
	part := make([]byte, 2)
	require.NoError(t, l.ReadAt(r, 3, part))
	require.Equal(t, "ue", string(part))
	wrong := r
	wrong.Sum++
	_, err = l.Read(wrong)
	require.ErrorIs(t, err, seglog.ErrDamaged)
	wrong = r
	wrong.Offset = 100
	_, err = l.Read(wrong)
	require.ErrorIs(t, err, seglog.ErrDamaged)
	_, ok := seglog.DecodeRef(make([]byte, seglog.RefBytes-1))
	require.False(t, ok)

	require.NoError(t, l.Close())
	l, err = seglog.Open(fs, "data/log")
	require.NoError(t, err)
	second, err := appendTo(l, []byte("second"))
	require.NoError(t, err)
	require.Greater(t, second.Segment, r.Segment, "an earlier process's segment is not appended to")
	require.NoError(t, l.DropBefore(second.Segment))
	_, err = l.Read(r)
	require.ErrorIs(t, err, seglog.ErrDamaged)
	got, err := l.Read(second)
	require.NoError(t, err)
	require.Equal(t, "second", string(got))
	_, err = l.Append(3, func(dst []byte) []byte { return append(dst, 1) })
	require.Error(t, err, "an encoder that lies about its size")
}

// TestOnDisk: large values, which go around the page cache where that is possible, and small ones stand beside each other, and
// are there for who reads them at once and for the next process.
func TestOnDisk(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	dir := t.TempDir()
	kept := map[seglog.Ref][]byte{}
	for range 3 {
		l, err := seglog.Open(vfs.Default, vfs.Default.PathJoin(dir, "log"))
		require.NoError(t, err)
		for _, size := range []int{3, 128<<10 - 1, 128 << 10, 0, 1 << 20, 1<<20 + 1, 4096, 300_001, 128<<10 + 4095, 77} {
			v := make([]byte, size)
			for i := range v {
				v[i] = byte(rnd.Uint32())
			}
			r, err := appendTo(l, v)
			require.NoError(t, err)
			kept[r] = v
			if rnd.IntN(3) == 0 {
				require.NoError(t, l.Sync())
			}
			for r, v := range kept {
				got, err := l.Read(r)
				require.NoError(t, err)
				require.True(t, bytes.Equal(v, got), "value of %d bytes at %d", r.Size, r.Offset)
			}
		}
		require.NoError(t, l.Close())
	}
	require.Len(t, kept, 30)
}
