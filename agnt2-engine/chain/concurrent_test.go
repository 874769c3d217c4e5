package chain_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// TestReadersBesideReorgs: whoever reads while the head moves sees one block's state, and proofs that hold against its root.
func TestReadersBesideReorgs(t *testing.T) {
	db, c, err := chainOn(vfs.NewMem())
	require.NoError(t, err)
	defer db.Close()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var failure error
	var once sync.Once
	for i := range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			k := record.AccountKey(enginetest.Address(i))
			for {
				select {
				case <-stop:
					return
				default:
				}
				h := c.HeaderByNumber(rpc.LatestBlockNumber)
				v, err := c.State().View(h.Hash())
				if err == nil {
					var value []byte
					var p trie.Proof
					if value, p, err = v.Prove(k); err == nil {
						if value == nil {
							err = trie.VerifyAbsence(h.Root, k, p)
						} else {
							err = trie.VerifyInclusion(h.Root, k, trie.HashRecord(value), p)
						}
					}
				}
				// The block may have been left, and then overtaken by finality or the short history, since it was the head.
				gone := errors.Is(err, state.ErrPruned) || errors.Is(err, state.ErrUnknownBlock) && c.CanonicalHash(h.Number.Uint64()) != h.Hash()
				if err != nil && !gone {
					once.Do(func() { failure = err })
					return
				}
				c.Receipts(h.Hash())
				c.BlockByHash(h.ParentHash)
			}
		}()
	}
	rnd := rand.New(rand.NewPCG(9, 9))
	for range 80 {
		to := step(t, c, rnd)
		require.NoError(t, c.SetLabels(to.head, to.safe, to.finalized))
	}
	close(stop)
	wg.Wait()
	require.NoError(t, failure)
	consistent(t, c)
}
