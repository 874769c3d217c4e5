package mempool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

func journalConfig(path string) Config {
	cfg := testConfig()
	cfg.JournalPath = path
	return cfg
}

func mustAddSigned(t testing.TB, p *Pool, txs ...*types.Transaction) {
	t.Helper()
	for _, err := range p.Add(context.Background(), txs) {
		require.NoError(t, err)
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// copyOf is what another process would find after a crash of this one.
func copyOf(t testing.TB, path string) string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	dst := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(dst, b, 0o600))
	return dst
}

func TestJournalRestoresThePool(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "journal")
	state := newState()
	p := newPool(t, journalConfig(path), headOf(state))
	key, other := testKey(1), testKey(2)
	mustAddSigned(t, p, signed(key, 0, 100), signed(key, 1, 100), signed(key, 3, 100), signed(other, 0, 100))
	mustAddSigned(t, p, signed(other, 0, 200)) // replacement
	want, _ := p.Content()

	crashed := newPool(t, journalConfig(copyOf(t, path)), headOf(state))
	requireStats(t, crashed, 3, 1)
	got, _ := crashed.Content()
	for a := range want {
		require.Equal(t, hashes(want[a]), hashes(got[a]))
	}
	mustAddSigned(t, crashed, signed(key, 2, 100))
	requireStats(t, crashed, 5, 0)

	// A later start on a head that has included some, and where a sender can pay no more: that one waits.
	next := state.clone()
	for a := range want {
		next.nonces[a] = 1
	}
	next.balance = 0
	p.Close()
	requireStats(t, newPool(t, journalConfig(path), headOf(next)), 0, 2)
}

func TestJournalKeepsTheOrderOfArrival(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	cfg := journalConfig(path)
	cfg.MaxNonceGap = 2
	p := newPool(t, cfg, headOf(newState()))
	for n := range uint64(6) {
		mustAddSigned(t, p, signed(testKey(int(n%3)), n/3, 100))
	}
	mustAddSigned(t, p, signed(testKey(0), 0, 150))
	c := p.NewCursor()
	want := hashes(c.Take(10, baseFee10))
	require.Len(t, want, 6)
	p.Close()
	for range 2 { // and the rewritten file too
		again := newPool(t, cfg, headOf(newState()))
		require.Equal(t, want, hashes(again.NewCursor().Take(10, baseFee10)))
		again.Close()
	}
}

// TestTornJournal cuts the file at every length: all records in front of the cut come back, and the file is usable.
func TestTornJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	p := newPool(t, journalConfig(path), headOf(newState()))
	var ends []int // of the records
	for n := range uint64(3) {
		mustAddSigned(t, p, signed(testKey(1), n, 100))
		info, err := os.Stat(path)
		require.NoError(t, err)
		ends = append(ends, int(info.Size()))
	}
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, whole, ends[2])
	for cut := 0; cut <= len(whole); cut++ {
		want := 0
		for _, end := range ends {
			if end <= cut {
				want++
			}
		}
		for _, tail := range [][]byte{nil, make([]byte, 40), bytes.Repeat([]byte{0xff}, 40)} {
			records, _, err := readRecords(bytes.NewReader(append(append([]byte(nil), whole[:cut]...), tail...)))
			if cut < len(journalMagic) {
				continue
			}
			require.NoError(t, err, "cut at %d", cut)
			require.Len(t, records, want, "cut at %d", cut)
		}
	}
	// Through New, at the interesting cuts; what is added afterwards survives the next crash.
	for _, cut := range []int{0, 3, 8, 11, ends[0] - 1, ends[0], ends[1] + 5, ends[2] - 1} {
		torn := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(torn, whole[:cut], 0o600))
		p := newPool(t, journalConfig(torn), headOf(newState()))
		mustAddSigned(t, p, signed(testKey(2), 0, 100))
		pending, _ := p.Stats()
		again := newPool(t, journalConfig(copyOf(t, torn)), headOf(newState()))
		requireStats(t, again, pending, 0)
	}
}

func TestDamagedRecordsAreSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	p := newPool(t, journalConfig(path), headOf(newState()))
	for i := range 3 {
		mustAddSigned(t, p, signed(testKey(i), 0, 100))
	}
	p.Close()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(journalMagic)+journalRecordHead+(len(b)-len(journalMagic))/3] ^= 1 // in the second record's
	require.NoError(t, os.WriteFile(path, b, 0o600))
	requireStats(t, newPool(t, journalConfig(path), headOf(newState())), 2, 0)
}

func TestForeignFileIsMovedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, []byte("somebody's notes"), 0o600))
	p := newPool(t, journalConfig(path), headOf(newState()))
	mustAddSigned(t, p, signed(testKey(1), 0, 100))
	kept, err := os.ReadFile(path + ".unreadable")
	require.NoError(t, err)
	require.Equal(t, "somebody's notes", string(kept))
}

// TestJournalLargerThanThePool: what had been evicted does not push out what was kept, wherever it is in the file.
func TestJournalLargerThanThePool(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	cfg := journalConfig(path)
	cfg.MaxTransactions = 3
	p := newPool(t, cfg, headOf(newState()))
	mustAddSigned(t, p, signed(testKey(1), 0, 100), signed(testKey(2), 0, 90), signed(testKey(3), 0, 80))
	mustAddSigned(t, p, signed(testKey(4), 0, 200), signed(testKey(4), 1, 200))
	want := hashes(p.NewCursor().Take(10, baseFee10))
	require.Len(t, want, 3)
	again := newPool(t, cfg, headOf(newState()))
	require.Equal(t, want, hashes(again.NewCursor().Take(10, baseFee10)))
}

func TestJournalStaysBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	cfg := journalConfig(path)
	cfg.JournalSlackBytes = 2000
	state := newState()
	p := newPool(t, cfg, headOf(state))
	size := func() int64 {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Size()
	}
	stays := signed(testKey(2), 0, 100)
	mustAddSigned(t, p, stays)
	var largest int64
	for n := range uint64(100) {
		tx := signed(testKey(1), n, 100)
		mustAddSigned(t, p, tx)
		decoded := p.Get(tx.Hash())
		state = state.clone()
		state.nonces[decoded.From] = n + 1
		p.Reset(headOf(state), []*abi.Transaction{decoded}, nil, nil)
		// 2000 and twice what lives (about 2 × 230) and what one round adds.
		eventually(t, "a rewrite", func() bool { return size() < 2800 })
		largest = max(largest, size())
	}
	require.Greater(t, largest, int64(1500), "the test does not see the file grow")
	again := newPool(t, journalConfig(copyOf(t, path)), headOf(state))
	requireStats(t, again, 1, 0)
	require.NotNil(t, again.Get(stays.Hash()))
}

// faultyFiles keep in memory what a disk has for certain (synced) and what it may have lost at a power cut.
type faultyFiles struct {
	mu       sync.Mutex
	files    map[string]*faultyFile
	failNow  error // of writes, syncs, creations and renames
	torn     int   // a failing write gets so many bytes through
	syncs    int
	blocking chan struct{} // syncs wait for it, if set
	blockNew bool          // only those of a rewrite
}

type faultyFile struct {
	fs      *faultyFiles
	written []byte
	synced  int
	isNew   bool // not renamed yet
}

func (fs *faultyFiles) Open(path string) (io.ReadCloser, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.files[path]
	if f == nil {
		return nil, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(append([]byte(nil), f.written...))), nil
}

func (fs *faultyFiles) Create(path string) (file, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.failNow != nil {
		return nil, fs.failNow
	}
	f := &faultyFile{fs: fs, isNew: true}
	fs.files[path] = f
	return f, nil
}

func (fs *faultyFiles) Rename(oldPath, newPath string) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.failNow != nil {
		return fs.failNow
	}
	fs.files[newPath] = fs.files[oldPath]
	fs.files[newPath].isNew = false
	delete(fs.files, oldPath)
	return nil
}

func (f *faultyFile) Write(b []byte) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.failNow != nil {
		n := min(f.fs.torn, len(b))
		f.written = append(f.written, b[:n]...)
		return n, f.fs.failNow
	}
	f.written = append(f.written, b...)
	return len(b), nil
}

func (f *faultyFile) Sync() error {
	f.fs.mu.Lock()
	blocking, n := f.fs.blocking, len(f.written)
	if f.fs.blockNew && !f.isNew {
		blocking = nil
	}
	f.fs.mu.Unlock()
	if blocking != nil {
		<-blocking
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.fs.syncs++
	if f.fs.failNow != nil {
		return f.fs.failNow
	}
	f.synced = n
	return nil
}

func (f *faultyFile) Close() error { return nil }

// crash returns a disk as a power cut leaves it: the synced bytes and some of the others, perhaps wrong ones.
func (fs *faultyFiles) crash(rnd *rand.Rand) *faultyFiles {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	after := &faultyFiles{files: map[string]*faultyFile{}}
	for path, f := range fs.files {
		kept := append([]byte(nil), f.written[:f.synced+rnd.Intn(len(f.written)-f.synced+1)]...)
		if len(kept) > f.synced && rnd.Intn(2) == 0 {
			kept[f.synced+rnd.Intn(len(kept)-f.synced)] ^= 0x55
		}
		after.files[path] = &faultyFile{fs: after, written: kept, synced: len(kept)}
	}
	return after
}

func poolOn(t testing.TB, fs *faultyFiles, state State) *Pool {
	cfg := journalConfig("journal")
	cfg.JournalSlackBytes = 500
	p := New(testConfigWithout(cfg), headOf(state), nil)
	p.cfg.JournalPath = cfg.JournalPath
	p.cfg.JournalSlackBytes = cfg.JournalSlackBytes
	p.openJournal(fs)
	t.Cleanup(p.Close)
	return p
}

// testConfigWithout opens a pool without its journal, so that the test can open it on another file system.
func testConfigWithout(cfg Config) Config {
	cfg.JournalPath = ""
	return cfg
}

// TestPowerCuts crashes at random moments of a busy journal, rewrites included: whatever was acknowledged is back.
func TestPowerCuts(t *testing.T) {
	for seed := range int64(12) {
		rnd := rand.New(rand.NewSource(seed))
		fs := &faultyFiles{files: map[string]*faultyFile{}}
		state := newState()
		p := poolOn(t, fs, state)
		var mu sync.Mutex
		acked := map[common.Hash]bool{}
		var wg sync.WaitGroup
		for s := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for n := range uint64(12) {
					tx := signed(testKey(s), n, 100)
					if p.Add(context.Background(), []*types.Transaction{tx})[0] == nil {
						mu.Lock()
						acked[tx.Hash()] = true
						mu.Unlock()
					}
					if s == 0 && n%3 == 0 { // garbage for rewrites
						p.Remove(tx.Hash())
						p.Reset(headOf(state), nil, nil, nil)
					}
				}
			}()
		}
		target := rnd.Intn(48)
		eventually(t, "acknowledgements", func() bool { mu.Lock(); defer mu.Unlock(); return len(acked) >= target })
		mu.Lock()
		before := make(map[common.Hash]bool, len(acked))
		for h := range acked {
			before[h] = true
		}
		mu.Unlock()
		after := fs.crash(rnd)
		wg.Wait()
		again := poolOn(t, after, state)
		for s := 1; s < 4; s++ { // sender 0's were removed by choice
			for n := range uint64(12) {
				h := signed(testKey(s), n, 100).Hash()
				require.False(t, before[h] && again.Get(h) == nil, "seed %d: acknowledged transaction %d of %d is lost", seed, n, s)
			}
		}
	}
}

func TestDiskFailsAndRecovers(t *testing.T) {
	fs := &faultyFiles{files: map[string]*faultyFile{}}
	p := poolOn(t, fs, newState())
	mustAddSigned(t, p, signed(testKey(1), 0, 100))
	diskFull := errors.New("no space left on device")
	setFault := func(err error, torn int) {
		fs.mu.Lock()
		fs.failNow, fs.torn = err, torn
		fs.mu.Unlock()
	}
	setFault(diskFull, 50)
	lost := signed(testKey(1), 1, 100)
	err := p.Add(context.Background(), []*types.Transaction{lost})[0]
	require.ErrorIs(t, err, ErrJournal)
	require.ErrorContains(t, err, "no space left on device")
	require.Nil(t, p.Get(lost.Hash()), "a refused transaction must not stay: a retry would be told that it is known")
	requireStats(t, newPoolFrom(t, fs), 1, 0) // half a record at the end
	setFault(nil, 0)
	eventually(t, "recovery", func() bool {
		return p.Add(context.Background(), []*types.Transaction{lost})[0] == nil
	})
	mustAddSigned(t, p, signed(testKey(1), 2, 100))
	requireStats(t, newPoolFrom(t, fs), 3, 0)
}

func newPoolFrom(t testing.TB, fs *faultyFiles) *Pool {
	after := fs.crash(rand.New(rand.NewSource(1)))
	return poolOn(t, after, newState())
}

func TestUnwritableJournalRefusesEverything(t *testing.T) {
	blocker := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(blocker, nil, 0o600))
	p := newPool(t, journalConfig(filepath.Join(blocker, "journal")), headOf(newState()))
	require.ErrorIs(t, p.Add(context.Background(), []*types.Transaction{signed(testKey(1), 0, 100)})[0], ErrJournal)
	requireStats(t, p, 0, 0)
}

// TestGroupCommit: while one fsync is under way, everything that comes shares the next one.
func TestGroupCommit(t *testing.T) {
	fs := &faultyFiles{files: map[string]*faultyFile{}}
	p := poolOn(t, fs, newState())
	block := make(chan struct{})
	fs.mu.Lock()
	fs.blocking, fs.syncs = block, 0
	fs.mu.Unlock()
	const n = 20
	errs := make(chan error, n)
	for i := range n {
		tx := signed(testKey(i), 0, 100)
		go func() { errs <- p.Add(context.Background(), []*types.Transaction{tx})[0] }()
	}
	eventually(t, "all in the pool", func() bool { pending, _ := p.Stats(); return pending == n })
	require.Empty(t, errs, "acknowledged before it was on disk")
	eventually(t, "all in the journal's queue", func() bool {
		p.journal.mu.Lock()
		defer p.journal.mu.Unlock()
		queued := len(p.journal.buf)
		fs.mu.Lock()
		defer fs.mu.Unlock()
		return int64(queued+len(fs.files["journal"].written)-len(journalMagic)) == p.journal.live()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	waiting := signed(testKey(n), 0, 100)
	require.ErrorIs(t, p.Add(ctx, []*types.Transaction{waiting})[0], context.DeadlineExceeded)
	require.NotNil(t, p.Get(waiting.Hash()))
	close(block)
	for range n {
		require.NoError(t, <-errs)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	require.LessOrEqual(t, fs.syncs, 3)
}

// TestAddsDuringARewrite: they are not held up by it, and are in the new file too.
func TestAddsDuringARewrite(t *testing.T) {
	fs := &faultyFiles{files: map[string]*faultyFile{}}
	p := poolOn(t, fs, newState())
	block := make(chan struct{})
	fs.mu.Lock()
	fs.blocking, fs.blockNew = block, true
	fs.mu.Unlock()
	for i := range 6 { // garbage, more than the slack
		tx := signed(testKey(i), 0, 100)
		mustAddSigned(t, p, tx)
		p.Remove(tx.Hash())
	}
	p.Reset(headOf(newState()), nil, nil, nil)
	rewriting := func() *faultyFile {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		return fs.files["journal"+journalNewSuffix]
	}
	eventually(t, "a rewrite that is being synced", func() bool {
		f := rewriting()
		fs.mu.Lock()
		defer fs.mu.Unlock()
		return f != nil && len(f.written) >= len(journalMagic)
	})
	mustAddSigned(t, p, signed(testKey(1), 0, 100), signed(testKey(2), 0, 100))
	close(block)
	eventually(t, "the rename", func() bool { return rewriting() == nil })
	mustAddSigned(t, p, signed(testKey(3), 0, 100))
	requireStats(t, newPoolFrom(t, fs), 3, 0)
}

func TestReturnedTransactionsAreJournaled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	p := newPool(t, journalConfig(path), headOf(newState()))
	tx := signed(testKey(1), 0, 100)
	decoded, err := abi.FromEthereum(tx, testChainID)
	require.NoError(t, err)
	p.Reset(headOf(newState()), nil, nil, []*abi.Transaction{decoded})
	requireStats(t, p, 1, 0)
	p.Close()
	requireStats(t, newPool(t, journalConfig(path), headOf(newState())), 1, 0)
}

// TestKill kills a process that adds transactions with kill -9; every one that it reported is in the next pool.
func TestKill(t *testing.T) {
	if path := os.Getenv("MEMPOOL_TEST_KILL"); path != "" {
		p := New(journalConfig(path), headOf(newState()), nil)
		for s := range 4 {
			go func() {
				for n := range uint64(60) {
					tx := signed(testKey(s), n, 100)
					if err := p.Add(context.Background(), []*types.Transaction{tx})[0]; err == nil {
						fmt.Printf("added %s\n", tx.Hash())
					}
				}
			}()
		}
		select {} // until killed
	}
	path := filepath.Join(t.TempDir(), "journal")
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), "MEMPOOL_TEST_KILL="+path)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	watchdog := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
	defer watchdog.Stop()
	var added []common.Hash
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if hash, ok := strings.CutPrefix(lines.Text(), "added "); ok {
			added = append(added, common.HexToHash(hash))
		}
		if len(added) == 50 {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	cmd.Wait()
	require.GreaterOrEqual(t, len(added), 50)
	p := newPool(t, journalConfig(path), headOf(newState()))
	for _, hash := range added {
		require.NotNil(t, p.Get(hash), "lost %s", hash)
	}
}
