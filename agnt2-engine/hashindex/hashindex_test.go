package hashindex_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/hashindex"
)

const keys = 80

// model is a chain of blocks with entries, and the index that is to know them.
type model struct {
	t         *testing.T
	rnd       *rand.Rand
	fs        vfs.FS
	x         *hashindex.Index
	canonical []common.Hash
	entries   [][]hashindex.Entry      // by number, of the canonical block
	all       map[hashindex.Entry]bool // everything that was ever added
	floor     uint64
}

func newModel(t *testing.T, seed uint64, fs vfs.FS) *model {
	return &model{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), fs: fs, canonical: []common.Hash{{0xff}}, entries: make([][]hashindex.Entry, 1),
		all: map[hashindex.Entry]bool{},
	}
}

func (m *model) hash(n uint64) common.Hash {
	if n < uint64(len(m.canonical)) {
		return m.canonical[n]
	}
	return common.Hash{}
}

// open opens the index and adds again what it has lost.
func (m *model) open() {
	var err error
	m.x, err = hashindex.Open(m.fs, "data/index", 700)
	require.NoError(m.t, err)
	for n := m.x.Covered(m.hash) + 1; n < uint64(len(m.canonical)); n++ {
		m.x.Add(hashindex.Mark{Number: n, Hash: m.canonical[n]}, slices.Clone(m.entries[n]))
	}
}

// add adds the next block: keys that are often the same, and values of which some are those of other blocks.
func (m *model) add(size int) {
	require.NoError(m.t, m.x.Ready())
	m.addAnyway(size)
}

func (m *model) addAnyway(size int) {
	n := uint64(len(m.canonical))
	es := make([]hashindex.Entry, size)
	for i := range es {
		es[i] = hashindex.Entry{Key: m.rnd.Uint64N(keys), Value: n}
		m.all[es[i]] = true
	}
	hashindex.Sort(es)
	h := common.Hash{1}
	binary.BigEndian.PutUint64(h[8:], m.rnd.Uint64())
	m.canonical, m.entries = append(m.canonical, h), append(m.entries, es)
	m.x.Add(hashindex.Mark{Number: n, Hash: h}, slices.Clone(es))
}

// check: every entry of a canonical block is found, and nothing that was never added.
func (m *model) check() {
	found := map[hashindex.Entry]bool{}
	for key := range uint64(keys) {
		for from := uint64(0); ; from++ {
			v, ok, err := m.x.Next(key, from)
			require.NoError(m.t, err)
			if !ok {
				break
			}
			if e := (hashindex.Entry{Key: key, Value: v}); v < from || !m.all[e] {
				m.t.Fatalf("%v was never added, or is below %d", e, from)
			}
			found[hashindex.Entry{Key: key, Value: v}] = true
			from = v
		}
	}
	for n := max(1, m.floor); n < uint64(len(m.entries)); n++ {
		for _, e := range m.entries[n] {
			if !found[e] {
				m.t.Fatalf("%v is not found", e)
			}
		}
	}
}

// TestMetamorphic: blocks of all sizes, reorganisations, restarts, crashes and pruning.
func TestMetamorphic(t *testing.T) {
	for seed := range uint64(2) {
		fs := vfs.NewCrashableMem()
		require.NoError(t, fs.MkdirAll("data", 0o755))
		m := newModel(t, seed, fs)
		m.open()
		for range 150 {
			switch r := m.rnd.IntN(40); {
			case r < 30:
				m.add(m.rnd.IntN(1 + []int{5, 60, 900}[m.rnd.IntN(3)]))
			case r < 33: // another branch
				keep := len(m.canonical) - m.rnd.IntN(min(len(m.canonical), 6))
				m.canonical, m.entries = m.canonical[:keep], m.entries[:keep]
			case r < 34:
				m.floor = max(m.floor, uint64(max(0, len(m.canonical)-20)))
				m.x.Forget(m.floor)
			case r < 36:
				require.NoError(t, m.x.Close())
				m.open()
				m.check()
			case r < 38:
				crashed := m.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: m.rnd.IntN(101), RNG: m.rnd})
				require.NoError(t, m.x.Close())
				m.fs = crashed
				m.open()
				m.check()
			case r < 39:
				m.check()
			}
		}
		m.check()
		require.NoError(t, m.x.Close())
		names, err := m.fs.List("data/index")
		require.NoError(t, err)
		runs := slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".run") })
		require.NotEmpty(t, runs)
		require.Less(t, len(runs), 24, "runs are merged")
	}
}

// TestSort: whatever the keys are like.
func TestSort(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{0, 1, 63, 64, 65, 1000, 5000} {
		for _, key := range []func() uint64{rnd.Uint64, func() uint64 { return rnd.Uint64N(5) }, func() uint64 { return ^rnd.Uint64N(5) }} {
			got := make([]hashindex.Entry, n)
			for i := range got {
				got[i] = hashindex.Entry{Key: key(), Value: rnd.Uint64N(9)}
			}
			want := slices.Clone(got)
			slices.SortFunc(want, func(a, b hashindex.Entry) int {
				return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
			})
			hashindex.Sort(got)
			require.Equal(t, want, got)
		}
	}
}

// TestDamagedRun: a run that is not whole is found when the index is opened, and made again; one that is damaged later is
// found when it is read.
func TestDamagedRun(t *testing.T) {
	fs := vfs.NewMem()
	m := newModel(t, 7, fs)
	m.open()
	for range 12 {
		m.add(800)
	}
	require.NoError(t, m.x.Close())
	names, err := fs.List("data/index")
	require.NoError(t, err)
	slices.Sort(names)
	damage := func(name string, at int64) {
		f, err := fs.OpenReadWrite("data/index/"+name, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		if at < 0 {
			at += info.Size()
		}
		var b [1]byte
		_, err = f.ReadAt(b[:], at)
		require.NoError(t, err)
		b[0] ^= 1
		_, err = f.WriteAt(b[:], at)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	damage(names[len(names)/2], -20)
	m.open()
	require.Less(t, m.x.Covered(m.hash), uint64(12))
	m.check()
	require.NoError(t, m.x.Close())

	names, err = fs.List("data/index")
	require.NoError(t, err)
	slices.Sort(names)
	damage(names[0], 16)
	m.open()
	failed := false
	for key := range uint64(keys) {
		if _, _, err := m.x.Next(key, 0); err != nil {
			require.ErrorIs(t, err, hashindex.ErrDamaged)
			failed = true
		}
	}
	require.True(t, failed)
}

// TestDiskFull: while nothing can be written, the index goes on until it holds too much in memory, says so, and loses
// nothing.
func TestDiskFull(t *testing.T) {
	var full atomic.Bool
	broken := errors.New("disk full")
	m := newModel(t, 9, errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpFileWrite {
			return broken
		}
		return nil
	})))
	m.open()
	m.add(900)
	full.Store(true)
	for m.x.Ready() == nil {
		m.addAnyway(300) // what is being written may fail in between
		require.Less(t, len(m.canonical), 100)
	}
	require.ErrorIs(t, m.x.Ready(), broken)
	m.check()
	full.Store(false)
	require.NoError(t, m.x.Ready())
	m.add(300)
	m.check()
	require.NoError(t, m.x.Close())
	m.open()
	m.check()
}
