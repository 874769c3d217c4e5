package simulation

import (
	"flag"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/vm"
)

var (
	operationsFlag = flag.Int("operations", 1_000_000, "operations of TestSimulation")
	seedFlag       = flag.Uint64("seed", 1, "seed of TestSimulation: the same one makes the same chain")
)

const (
	recountEvery = 40   // blocks
	longestDrain = 2000 // blocks
)

// TestSimulation runs a million operations of thousands of agents on a model, and beside it a replica on their L1 data.
func TestSimulation(t *testing.T) {
	n, seed, start := *operationsFlag, *seedFlag, time.Now()
	if testing.Short() {
		n /= 20
	}
	t.Logf("seed %d, %d operations", seed, n)
	p := newPopulation(t, seed)
	p.replica = newReplica(t, p)
	blocks := 0
	block := func(txs, deposits int) {
		p.block(txs, deposits)
		if blocks++; blocks%recountEvery == 0 {
			p.ledger.recount(t, p.model)
		}
		require.NoError(t, p.replica.failed(), "seed %d", seed)
		if t.Failed() {
			t.Fatalf("seed %d, block %d", seed, blocks)
		}
	}
	for p.ops < n {
		block(min(blockTxs, n-p.ops), l1Txs)
	}
	full := blocks
	for p.ledger.waiting() { // whatever is pending ends
		require.Less(t, blocks, full+longestDrain, "something never ends")
		block(0, 0)
	}
	p.ledger.recount(t, p.model)
	p.ledger.checkEnded(t, p.model)
	t.Logf("sequenced after %v", time.Since(start))

	p.batcher.close() // and L1 gets the rest
	for len(p.batcher.sent) > 0 {
		p.l1.add(nil, p.batcher.oldest())
	}
	p.replica.wake()
	require.NoError(t, p.replica.finish(), "seed %d", seed)
	require.Equal(t, p.head.Hash(), p.replica.safe.Hash, "the replica has not arrived at the sequencer's head")
	require.Equal(t, p.ops+blocks, p.replica.derived, "transactions, and an L1-attributes deposit for each block")

	var outcomes [3]int
	for name, x := range p.table {
		if len(name) < len(actedFor) || name[:len(actedFor)] != actedFor {
			for o, n := range x.outcomes {
				outcomes[o] += n
			}
		}
	}
	t.Logf("%d blocks and %d to let everything end; %d records; %d void, %d failed, %d succeeded; %d L1 blocks with %d MB of batches; %v",
		full, blocks-full, len(p.model.records), outcomes[vm.Void], outcomes[vm.Failed], outcomes[vm.Succeeded], len(p.l1.blocks), p.batcher.bytes>>20, time.Since(start))
	t.Logf("\n%s", p.table)
	require.GreaterOrEqual(t, p.ops, n)
	p.table.check(t, n)
}
