// Package builder makes blocks: it executes the forced transactions of the payload attributes at once, then transactions
// from the mempool as they arrive, until the rollup node asks for the payload. So sealing is all that is left to do then.
package builder

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2-engine/chain"
	"github.com/agnt2/agnt2/agnt2-engine/mempool"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/vm"
)

var (
	// ErrUnknownPayload: no such payload, or the chain has moved on from its parent.
	ErrUnknownPayload = errors.New("unknown payload")
	// ErrForced: a forced transaction may not stand in the block.
	ErrForced = errors.New("invalid forced transaction")
)

const (
	// payloadsKept bounds the payloads that can be asked for.
	payloadsKept = 8
	// takeAtOnce is how many transactions are taken from the mempool at a time.
	takeAtOnce = 256
	// blockOverheadBytes is kept free of transactions for the header and the list's framing.
	blockOverheadBytes = 4096
)

// Config of a Builder.
type Config struct {
	ChainID uint64
	// MaxBlockBytes bounds the sum of the transactions' sizes; below OP's gossip cap of 10 MiB. Default 8 MiB.
	MaxBlockBytes uint64
	Log           log.Logger
}

// Builder is safe for concurrent use.
type Builder struct {
	cfg   Config
	chain *chain.Chain
	pool  *mempool.Pool

	maxTx, maxBlock atomic.Uint64 // OP's batcher throttling; 0: none
	touched         atomic.Int64  // records, by the block that was sealed last

	mu       sync.Mutex
	payloads []*payload // newest last
}

// New returns a builder.
func New(cfg Config, c *chain.Chain, p *mempool.Pool) *Builder {
	if cfg.MaxBlockBytes == 0 {
		cfg.MaxBlockBytes = 8 << 20
	}
	if cfg.Log == nil {
		cfg.Log = log.Root()
	}
	return &Builder{cfg: cfg, chain: c, pool: p}
}

// SetMaxDASize bounds the size of one transaction and of one block, in bytes; 0 lifts a bound.
func (b *Builder) SetMaxDASize(maxTx, maxBlock uint64) {
	b.maxTx.Store(maxTx)
	b.maxBlock.Store(maxBlock)
}

func (b *Builder) limit() uint64 {
	l := b.cfg.MaxBlockBytes
	if m := b.maxBlock.Load(); m != 0 {
		l = min(l, m)
	}
	return l - min(l, blockOverheadBytes)
}

// payload is a block in the making.
type payload struct {
	id     engine.PayloadID
	parent common.Hash
	exec   *block.Execution
	start  time.Time
	stop   chan struct{}
	once   sync.Once
	done   chan struct{} // closed when filling has ended

	sealOnce sync.Once
	sealed   atomic.Pointer[chain.Executed]
	err      error
}

func (p *payload) halt() {
	p.once.Do(func() { close(p.stop) })
	<-p.done
}

// Start begins a payload on the head. Forced transactions are executed before it returns; with noTxPool nothing else is.
func (b *Builder) Start(parent *types.Header, a *block.Attributes, forced []*abi.Transaction, noTxPool bool) (engine.PayloadID, error) {
	id := payloadID(parent.Hash(), a, forced, noTxPool)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.payloads {
		if p.id == id {
			return id, nil
		}
	}
	h, err := block.NextHeader(b.chain.Config(), parent, a)
	if err != nil {
		return id, err
	}
	view, err := b.chain.State().View(parent.Hash())
	if err != nil {
		return id, err
	}
	p := &payload{
		id: id, parent: parent.Hash(), exec: block.NewExecution(b.cfg.ChainID, h, view), start: time.Now(),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	if !noTxPool { // it will be about as full as the one before
		p.exec.Overlay.Expect(int(b.touched.Load()))
	}
	for i, tx := range forced {
		if _, err := p.exec.Apply(tx); err != nil {
			return id, fmt.Errorf("%w: %d: %w", ErrForced, i, err)
		}
	}
	if len(forced) == 0 {
		return id, fmt.Errorf("%w: %w", ErrForced, block.ErrNoL1Attributes)
	}
	if noTxPool {
		close(p.done)
	} else {
		go b.fill(p)
	}
	b.payloads = append(b.payloads, p)
	if over := len(b.payloads) - payloadsKept; over > 0 {
		for _, old := range b.payloads[:over] {
			old.halt()
		}
		b.payloads = slices.Delete(b.payloads, 0, over)
	}
	return id, nil
}

// fill executes mempool transactions until it is told to stop.
func (b *Builder) fill(p *payload) {
	defer close(p.done)
	cursor := b.pool.NewCursor()
	defer cursor.Close()
	baseFee := uint256.MustFromBig(p.exec.Header.BaseFee)
	for {
		arrived := cursor.Arrived()
		txs := cursor.Take(takeAtOnce, baseFee)
		for i, tx := range txs {
			select {
			case <-p.stop:
				return
			default:
			}
			if i%block.PrefetchTxs == 0 {
				p.exec.Prefetch(txs[i:min(i+block.PrefetchTxs, len(txs))])
			}
			b.try(p, cursor, tx)
		}
		if len(txs) > 0 {
			continue
		}
		select {
		case <-p.stop:
			return
		case <-arrived:
		}
	}
}

// try executes one mempool transaction. One that does not fit, or that others have made void, stays in the pool for later
// blocks; its sender is done for this one, since what follows would have the wrong nonce.
func (b *Builder) try(p *payload, cursor *mempool.Cursor, tx *abi.Transaction) {
	size := uint64(tx.Size)
	if m := b.maxTx.Load(); (m != 0 && size > m) || p.exec.Bytes+size > b.limit() {
		cursor.Drop(tx.From)
		return
	}
	if r := p.exec.Try(tx); r.Outcome == vm.Void {
		cursor.Drop(tx.From)
		b.cfg.Log.Debug("Transaction does not fit the block", "hash", tx.Hash, "why", r.Why)
	}
}

// Resolve ends a payload and returns its block, which the chain then knows. Asking again gives the same block.
func (b *Builder) Resolve(id engine.PayloadID) (*chain.Executed, error) {
	b.mu.Lock()
	i := slices.IndexFunc(b.payloads, func(p *payload) bool { return p.id == id })
	if i < 0 {
		b.mu.Unlock()
		return nil, fmt.Errorf("%w: %s", ErrUnknownPayload, id)
	}
	p := b.payloads[i]
	b.mu.Unlock()
	p.halt()
	p.sealOnce.Do(func() {
		began := time.Now()
		b.touched.Store(int64(p.exec.Overlay.Len()))
		var done *chain.Executed
		if done, p.err = b.chain.Seal(p.exec); p.err == nil {
			p.sealed.Store(done)
			b.cfg.Log.Info("Built block", "number", done.Number(), "hash", done.Hash, "txs", len(done.Raws), "gas", done.Header.GasUsed,
				"open", time.Since(p.start).Round(time.Millisecond), "seal", time.Since(began).Round(100*time.Microsecond))
		}
	})
	return p.sealed.Load(), p.err
}

// HeadChanged drops payloads that do not build on the new head: the state below them may be gone.
func (b *Builder) HeadChanged(head common.Hash) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.payloads = slices.DeleteFunc(b.payloads, func(p *payload) bool {
		// A payload that was just resolved is usually the new head itself; it may be asked for again.
		if x := p.sealed.Load(); p.parent == head || (x != nil && x.Hash == head) {
			return false
		}
		p.halt()
		return true
	})
}

// Close ends every payload.
func (b *Builder) Close() { b.HeadChanged(common.Hash{}) }

// payloadID covers everything that decides what is built, the forced transactions included.
func payloadID(parent common.Hash, a *block.Attributes, forced []*abi.Transaction, noTxPool bool) (id engine.PayloadID) {
	h := sha256.New()
	h.Write(parent[:])
	h.Write(a.Random[:])
	h.Write(a.FeeRecipient[:])
	h.Write(a.BeaconRoot[:])
	h.Write(a.EIP1559Params[:])
	for _, n := range []uint64{a.Timestamp, a.GasLimit, uint64(len(forced))} {
		h.Write(binary.BigEndian.AppendUint64(nil, n))
	}
	for _, tx := range forced {
		h.Write(tx.Hash[:])
	}
	if noTxPool {
		h.Write([]byte{1})
	}
	copy(id[:], h.Sum(nil))
	id[0] = byte(engine.PayloadV3)
	return id
}
