package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	payload "github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
)

const (
	// submitters add transactions concurrently, batch by batch, each waiting until its batch is in the journal on disk, as
	// that many busy connections would: enough of them that the disk's latency is not what is measured.
	submitters = 32
	// agentsPerSubmitter keeps what is submitted at once, in no particular order, below the distance between an INVOKE and
	// its RESPOND and below what the pool takes of one sender.
	agentsPerSubmitter = 100
	batchSize          = 256
	// poolBound is where submitters wait, counting what the open block has taken: a block, what comes while that is sealed
	// and committed, and a backlog for the next; half of what the pool takes. Below that, it is the bench that stands still.
	poolBound = 100_000
	// poolPerAgent keeps every sender within the transactions that the pool lets it have.
	poolPerAgent = 10
	// warmBlocks are not measured.
	warmBlocks = 2
	// emptyBlocks in a row, while transactions wait, mean that they will never be included.
	emptyBlocks = 25
	// decodedRate is above what one builder can execute per second.
	decodedRate = 40_000
)

// blockMark is a block that has been committed.
type blockMark struct {
	at           time.Time
	cpu          time.Duration
	txs          int
	seal, commit time.Duration
}

// signedRounds is how often the row is measured that is compared with the bound. The bound is measured before and after each, and
// the row is the round with the median ratio: of one alone, a neighbour's busy second would decide.
const signedRounds = 5

// engineRow measures the whole pipeline under a load.
func (r *runner) engineRow(ctx context.Context, w *world, m mode) error {
	n, window := 1, r.cfg.Window
	if m == signed && !r.cfg.Quick {
		n, window = signedRounds, window/2
	}
	var rounds []*EngineRow
	for range n {
		row, err := r.engineRound(ctx, w, m, window)
		if err != nil {
			return err
		}
		rounds = append(rounds, row)
	}
	slices.SortFunc(rounds, func(a, b *EngineRow) int { return cmp.Compare(a.OfBound, b.OfBound) })
	row := rounds[n/2]
	row.Rounds, row.LowestOfBound, row.HighestOfBound = n, rounds[0].OfBound, rounds[n-1].OfBound
	if m == signed {
		row.Reach = reach(row.OfBound >= reachOfBound)
	}
	r.report.Engine = append(r.report.Engine, row)
	return nil
}

// engineRound measures mempool.AddEncoded or AddDecoded, journal included → builder → getPayload → newPayload → forkchoiceUpdated,
// which commits with fsync.
func (r *runner) engineRound(ctx context.Context, w *world, m mode, window time.Duration) (*EngineRow, error) {
	agents := len(w.stream.nonce)
	n := decodedRate
	if m != decoded {
		n = int(r.report.Bound.All)
	}
	ramp := max(0, w.stream.lag-(len(w.stream.opened)-w.stream.responded))
	n = ramp + int(float64(n)*(window.Seconds()+float64(warmBlocks+1)*r.cfg.BlockTime.Seconds()+1)) // and 1 s to spare
	r.progress("%d agents, %s: preparing %d transactions", agents, m, n)
	plans := w.stream.plan(n)
	items := w.stream.encode(plans, m)
	release, err := moveOut(items)
	if err != nil {
		return nil, err
	}
	defer release()

	before := r.bound.measure(r.window)
	r.progress("%d agents, %s: measuring", agents, m)
	stop, err := r.profile(m.file())
	if err != nil {
		return nil, err
	}
	marks, submitted, err := w.drive(ctx, items, window, r.cfg.BlockTime, ramp)
	stop()
	if err != nil {
		return nil, err
	}
	w.stream.takeBack(plans[submitted:])
	clear(items)
	after := r.bound.measure(r.window)

	first, last := marks[0], marks[len(marks)-1]
	txs, seal, commit := 0, time.Duration(0), time.Duration(0)
	for _, b := range marks[1:] {
		txs, seal, commit = txs+b.txs, seal+b.seal, commit+b.commit
	}
	elapsed := last.at.Sub(first.at).Seconds()
	blocks := float64(len(marks) - 1)
	row := &EngineRow{
		Agents: agents, Mode: m.String(), TxPerSecond: float64(txs) / elapsed, TxPerBlock: float64(txs) / blocks, Blocks: len(marks) - 1,
		Seconds: elapsed, CPUMicrosPerTx: micros(last.cpu-first.cpu) / float64(txs),
		SealMillis: seal.Seconds() * 1e3 / blocks, CommitMillis: commit.Seconds() * 1e3 / blocks,
		Before: before, After: after, RSSMiB: rss(),
	}
	row.OfBound = row.TxPerSecond * max(1, m.recoveries()) / ((before.All + after.All) / 2)
	r.progress("%d agents, %s: %.0f tx/s, %.0f %% of the bound", agents, m, row.TxPerSecond, 100*row.OfBound)
	return row, nil
}

// drive submits the items in order and makes blocks beside it. It returns the measured blocks, of which the first only
// marks where the measurement begins, and how many items were submitted; all of them are in blocks by then. Without a
// window, it submits everything.
func (w *world) drive(ctx context.Context, items []item, window, blockTime time.Duration, ramp int) (marks []blockMark, submitted int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bound := min(poolBound, poolPerAgent*len(w.stream.nonce))
	var next, done atomic.Int64
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range min(submitters, 1+len(w.stream.nonce)/agentsPerSubmitter) {
		wg.Go(func() {
			for !stop.Load() && ctx.Err() == nil {
				if pending, queued := w.node.Pool().Stats(); pending+queued > bound {
					time.Sleep(2 * time.Millisecond)
					continue
				}
				from := int(next.Add(batchSize)) - batchSize
				if from >= len(items) {
					return
				}
				to := min(from+batchSize, len(items))
				if err := w.submit(ctx, items[from:to]); err != nil {
					cancel(fmt.Errorf("submit: %w", err))
					return
				}
				clear(items[from:to]) // the engine has them: what the bench kept alive, the collector would go on visiting
				done.Add(int64(to - from))
			}
		})
	}
	defer wg.Wait()
	defer stop.Store(true)

	included, blocks := 0, 0
	var all []blockMark
	for {
		b, err := w.block(ctx, blockTime)
		if err != nil {
			return nil, 0, err
		}
		included += b.txs
		blocks++
		if blocks >= warmBlocks && included >= ramp {
			all = append(all, b)
		}
		exhausted := int(done.Load()) == len(items)
		if window > 0 && len(all) > 1 && (exhausted || b.at.Sub(all[0].at) >= window) {
			if exhausted && len(all) > 2 {
				all = all[:len(all)-1] // the submitters were done before this block was
			}
			break
		}
		if exhausted {
			if window > 0 {
				return nil, 0, errors.New("the workload ended before the measurement began")
			}
			break
		}
	}
	stop.Store(true)
	wg.Wait()
	if ctx.Err() != nil {
		return nil, 0, context.Cause(ctx)
	}
	submitted = int(done.Load())
	for empty := 0; included < submitted; {
		b, err := w.block(ctx, min(blockTime, 200*time.Millisecond))
		if err != nil {
			return nil, 0, err
		}
		if b.txs > 0 {
			empty = 0
		} else if empty++; empty == emptyBlocks { // a few are a busy machine's
			return nil, 0, fmt.Errorf("%d of %d submitted transactions never got into a block", submitted-included, submitted)
		}
		included += b.txs
	}
	return all, submitted, nil
}

func (w *world) submit(ctx context.Context, items []item) error {
	var errs []error
	if items[0].tx != nil {
		txs := make([]*abi.Transaction, len(items))
		for i := range items {
			txs[i] = items[i].tx
		}
		errs = w.node.Pool().AddDecoded(txs)
	} else {
		size := 0
		for i := range items {
			size += len(items[i].raw)
		}
		raws, buf := make([][]byte, len(items)), make([]byte, 0, size) // fresh memory, as if it came from a connection
		for i := range items {
			buf = append(buf, items[i].raw...)
			raws[i] = buf[len(buf)-len(items[i].raw) : len(buf) : len(buf)]
		}
		errs = w.node.Pool().AddEncoded(ctx, raws)
	}
	return errors.Join(errs...)
}

// block opens a block for a time, commits it and checks that everything in it succeeded.
func (w *world) block(ctx context.Context, open time.Duration) (b blockMark, err error) {
	id, err := w.driver.Start(w.driver.Attributes(w.driver.Head(), false))
	if err != nil {
		return b, err
	}
	select {
	case <-ctx.Done():
		return b, context.Cause(ctx)
	case <-time.After(open):
	}
	began := time.Now()
	p, err := w.driver.Get(id)
	if err != nil {
		return b, err
	}
	b.seal = time.Since(began)
	status, err := enginetest.Import(w.driver.API, p)
	if err != nil {
		return b, err
	}
	if status.Status != payload.VALID {
		return b, fmt.Errorf("own payload is %s: %v", status.Status, status.ValidationError)
	}
	if err := w.driver.SetHead(p.BlockHash); err != nil {
		return b, err
	}
	b.at, b.cpu, b.txs = time.Now(), cpuTime(), len(p.Transactions)-1
	b.commit = b.at.Sub(began) - b.seal
	for i, rc := range w.node.Chain().Receipts(p.BlockHash) {
		if rc.Status != types.ReceiptStatusSuccessful {
			return b, fmt.Errorf("transaction %d of block %d failed: %w", i, p.Number, w.why(p.BlockHash, i))
		}
	}
	return b, nil
}

// why executes the transactions of a block up to one that failed, to learn its reason.
func (w *world) why(hash common.Hash, i int) error {
	c := w.node.Chain()
	b := c.Executed(hash)
	txs, err := c.Decode(b.Raws[:i+1])
	if err != nil {
		return err
	}
	view, err := c.State().View(b.Header.ParentHash)
	if err != nil {
		return err
	}
	e := block.NewExecution(chainID, b.Header, view)
	for _, tx := range txs {
		r, err := e.Apply(tx)
		switch {
		case err != nil:
			return err
		case r.Why != nil:
			return r.Why
		case r.Revert != nil && tx == txs[i]:
			return fmt.Errorf("%T %+v", r.Revert, r.Revert)
		}
	}
	return errors.New("it succeeds when executed again")
}
