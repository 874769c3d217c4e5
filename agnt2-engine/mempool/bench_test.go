package mempool

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

func specs(n, senders int) []*abi.Transaction {
	txs := make([]*abi.Transaction, n)
	for i := range txs {
		txs[i] = spec{from: i % senders, nonce: uint64(i / senders), tip: uint64(i*7919%97) + 1, size: 400}.tx()
	}
	return txs
}

func perSecond(b *testing.B, perOp int) {
	b.ReportMetric(float64(b.N)*float64(perOp)/b.Elapsed().Seconds(), "tx/s")
}

// BenchmarkAddDecoded: 100k transactions of 10k senders into an empty pool, one thread, no signatures, no journal.
func BenchmarkAddDecoded(b *testing.B) {
	txs := specs(100_000, 10_000)
	b.ReportAllocs()
	for range b.N {
		p := New(testConfig(), headOf(newState()), nil)
		for i := 0; i < len(txs); i += 500 {
			for _, err := range p.AddDecoded(txs[i : i+500]) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	perSecond(b, len(txs))
}

// BenchmarkAddFull: every transaction evicts another.
func BenchmarkAddFull(b *testing.B) {
	cfg := testConfig()
	cfg.MaxTransactions = 100_000
	p := New(cfg, headOf(newState()), nil)
	p.AddDecoded(specs(100_000, 10_000))
	b.ResetTimer()
	for i := range b.N {
		tx := spec{from: 10_000 + i, fee: 1 << 40, tip: uint64(100 + i)}.tx()
		if err := p.AddDecoded([]*abi.Transaction{tx})[0]; err != nil {
			b.Fatal(err)
		}
	}
	perSecond(b, 1)
}

// BenchmarkTake: a block of 20k transactions of 10k senders, from opening the cursor to closing it.
func BenchmarkTake(b *testing.B) {
	p := New(testConfig(), headOf(newState()), nil)
	p.AddDecoded(specs(20_000, 10_000))
	b.ResetTimer()
	for range b.N {
		c := p.NewCursor()
		if got := len(c.Take(20_000, uint256.NewInt(10))); got != 20_000 {
			b.Fatal(got)
		}
		c.Close()
	}
}

// BenchmarkReset: the block of BenchmarkTake is included, in a pool that keeps 80k others of the same senders.
func BenchmarkReset(b *testing.B) {
	txs := specs(100_000, 10_000)
	next := newState()
	for _, tx := range txs[:20_000] {
		next.nonces[tx.From] = 2
	}
	for range b.N {
		b.StopTimer()
		p := New(testConfig(), headOf(newState()), nil)
		p.AddDecoded(txs)
		b.StartTimer()
		p.Reset(headOf(next), txs[:20_000], nil, nil)
	}
}

// BenchmarkAddSigned: from the signed transaction, sender recovery included.
func BenchmarkAddSigned(b *testing.B) {
	txs := make([]*types.Transaction, 1000)
	for i := range txs {
		txs[i] = signed(testKey(i%50), uint64(i/50), 100)
	}
	b.ResetTimer()
	for range b.N {
		p := New(testConfig(), headOf(newState()), nil)
		for _, err := range p.Add(context.Background(), txs) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	perSecond(b, len(txs))
}

// BenchmarkAddJournaled: single transactions of many concurrent clients, each acknowledged after an fsync.
func BenchmarkAddJournaled(b *testing.B) {
	cfg := journalConfig(filepath.Join(b.TempDir(), "journal"))
	cfg.JournalInterval = DefaultConfig().JournalInterval
	cfg.MaxTransactions = 1 << 30
	p := New(cfg, headOf(newState()), nil)
	defer p.Close()
	raw, err := signed(testKey(1), 0, 100).MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	var next atomic.Int64
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			tx := spec{from: int(next.Add(1))}.tx()
			tx.Raw = raw
			if err := p.AddDecoded([]*abi.Transaction{tx})[0]; err != nil {
				b.Error(err)
			}
		}
	})
	perSecond(b, 1)
}
