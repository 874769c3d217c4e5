package state_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// line is a chain without forks.
type line struct {
	mu     sync.Mutex
	hashes []common.Hash
}

func (l *line) CanonicalHash(n uint64) common.Hash {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n < uint64(len(l.hashes)) {
		return l.hashes[n]
	}
	return common.Hash{}
}

func (l *line) NumberOf(h common.Hash) (uint64, bool) {
	n := binary.BigEndian.Uint64(h[:]) - 1
	return n, l.CanonicalHash(n) == h
}

func (l *line) add(h common.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hashes = append(l.hashes, h)
}

// TestReadsWhileAdopting: while large blocks become the head on disk, one after the other, whoever reads the state before, of or
// after one of them reads that state, whether the table holds everything or nearly nothing.
func TestReadsWhileAdopting(t *testing.T) {
	const accounts, blocks = 1500, 6
	hash := func(n int) (h common.Hash) {
		binary.BigEndian.PutUint64(h[:], uint64(n)+1)
		return h
	}
	// value is what an account's record is after block n; nil now and then.
	value := func(n, account int) []byte {
		for ; n > 0 && (account+n)%3 == 0; n-- { // unchanged by block n
		}
		if (account+n)%7 == 0 {
			return nil
		}
		b := make([]byte, 40+(account+n)%50)
		binary.BigEndian.PutUint64(b, uint64(n))
		return b
	}
	keys := make([]record.Key, accounts)
	for i := range keys {
		keys[i] = record.AccountKey(common.BytesToAddress(binary.BigEndian.AppendUint32(nil, uint32(i))))
	}
	for name, cache := range map[string]int{"all in the table": 32 << 20, "little in the table": 8 << 10} {
		t.Run(name, func(t *testing.T) {
			fs, chain := vfs.NewMem(), &line{hashes: []common.Hash{hash(0)}}
			db := openDB(t, fs)
			defer db.Close()
			var genesis []state.Record
			tr := trie.New()
			for i, k := range keys {
				if v := value(0, i); v != nil {
					genesis = append(genesis, state.Record{Key: k, Value: v})
					tr.Update([]trie.Change{{Key: trie.Key(k), ValueHash: trie.HashRecord(v)}})
				}
			}
			batch := db.NewBatch()
			require.NoError(t, state.Bootstrap(batch, state.ID{Hash: hash(0)}, genesis))
			require.NoError(t, batch.Commit(pebble.Sync))
			s, err := state.Open(db, chain, state.Options{FS: fs, Dir: "state", CacheBytes: cache, Root: func(state.ID) (common.Hash, error) { return common.Hash(tr.Root()), nil }})
			require.NoError(t, err)
			defer s.Close()

			stop := make(chan struct{})
			wrong := make(chan string, 1)
			var wg sync.WaitGroup
			for r := range 3 {
				wg.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(r), 1))
					for {
						select {
						case <-stop:
							return
						default:
						}
						n := int(s.Head().Number) + rnd.IntN(3) - 1
						v, err := s.View(hash(max(n, 0)))
						if err != nil {
							continue // the next block is not there yet
						}
						for range 50 {
							i := rnd.IntN(accounts)
							if got, want := v.Get(keys[i]), value(max(n, 0), i); (got == nil) != (want == nil) || string(got) != string(want) {
								select {
								case wrong <- fmt.Sprintf("block %d", max(n, 0)):
								default:
								}
							}
						}
					}
				})
			}
			for n := 1; n <= blocks; n++ {
				b := &state.Block{Number: uint64(n), Parent: hash(n - 1)}
				for i, k := range keys {
					if old, now := value(n-1, i), value(n, i); string(old) != string(now) || (old == nil) != (now == nil) {
						b.Changes = append(b.Changes, vm.Change{Key: k, Old: old, New: now})
					}
				}
				require.Greater(t, len(b.Changes), accounts/2)
				_, _, err := s.Apply(b)
				require.NoError(t, err)
				b.Hash = hash(n)
				s.Add(b)
				a, err := s.Adopt(b.Hash)
				require.NoError(t, err)
				require.NoError(t, a.Append())
				batch := db.NewBatch()
				require.NoError(t, a.Write(batch))
				require.NoError(t, batch.Commit(pebble.Sync))
				chain.add(b.Hash)
				a.Done()
			}
			close(stop)
			wg.Wait()
			select {
			case which := <-wrong:
				t.Fatalf("a reader of %s saw another state", which)
			default:
			}
		})
	}
}
