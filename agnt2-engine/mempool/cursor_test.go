package mempool

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

var baseFee10 = uint256.NewInt(10)

func hashes(txs []*abi.Transaction) (h []common.Hash) {
	for _, tx := range txs {
		h = append(h, tx.Hash)
	}
	return h
}

func requireTaken(t *testing.T, got []*abi.Transaction, want ...*abi.Transaction) {
	t.Helper()
	require.Equal(t, hashes(want), hashes(got))
}

func TestCursorOrder(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	a0 := mustAdd(t, p, spec{from: 0, nonce: 0, tip: 1})
	a1 := mustAdd(t, p, spec{from: 0, nonce: 1, tip: 50})
	b0 := mustAdd(t, p, spec{from: 1, tip: 5})
	c0 := mustAdd(t, p, spec{from: 2, tip: 5})
	d0 := mustAdd(t, p, spec{from: 3, fee: 16, tip: 16}) // effective tip 6
	mustAdd(t, p, spec{from: 4, fee: 9})                 // cannot pay the base fee
	c := p.NewCursor()
	requireTaken(t, c.Take(0, baseFee10))
	requireTaken(t, c.Take(2, baseFee10), d0, b0)
	requireTaken(t, c.Take(10, baseFee10), c0, a0, a1)
	requireTaken(t, c.Take(10, baseFee10))
}

func TestCursorSeesArrivals(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	c := p.NewCursor()
	requireTaken(t, c.Take(10, baseFee10))
	b := mustAdd(t, p, spec{from: 1, tip: 2})
	a := mustAdd(t, p, spec{from: 0, tip: 3})
	<-c.Arrived()
	require.Empty(t, c.Arrived(), "arrivals are coalesced")
	requireTaken(t, c.Take(10, baseFee10), a, b)
	mustAdd(t, p, spec{from: 0, nonce: 2})
	require.Empty(t, c.Arrived(), "queued transactions do not count")
	mustAdd(t, p, spec{from: 0, nonce: 1})
	<-c.Arrived()
	require.Len(t, c.Take(10, baseFee10), 2)
	c.Close()
	mustAdd(t, p, spec{from: 3})
	require.Empty(t, c.Arrived())
	requireTaken(t, c.Take(10, baseFee10))
	require.Len(t, p.NewCursor().Take(10, baseFee10), 5, "a new block gets everything again")
}

func TestCursorDrop(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	a0 := mustAdd(t, p, spec{from: 0, nonce: 0, tip: 9})
	mustAdd(t, p, spec{from: 0, nonce: 1, tip: 9})
	b0 := mustAdd(t, p, spec{from: 1})
	mustAdd(t, p, spec{from: 2, tip: 5})
	c := p.NewCursor()
	c.Drop(addr(2)) // before the first Take
	requireTaken(t, c.Take(1, baseFee10), a0)
	c.Drop(addr(0))
	requireTaken(t, c.Take(9, baseFee10), b0)
	mustAdd(t, p, spec{from: 0, nonce: 2})
	c.Drop(addr(8)) // not in the pool yet
	mustAdd(t, p, spec{from: 8})
	requireTaken(t, c.Take(9, baseFee10))
}

func TestCursorReplacement(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	a0 := mustAdd(t, p, spec{from: 0, tip: 10})
	mustAdd(t, p, spec{from: 1, tip: 1})
	c := p.NewCursor()
	requireTaken(t, c.Take(1, baseFee10), a0)
	mustAdd(t, p, spec{from: 0, fee: 200, tip: 20}) // that nonce was handed out
	b := mustAdd(t, p, spec{from: 1, fee: 200, tip: 20})
	requireTaken(t, c.Take(9, baseFee10), b)
	p.Remove(b.Hash)
	mustAdd(t, p, spec{from: 1})
	requireTaken(t, c.Take(9, baseFee10))
}

func TestCursorAfterRemovalOfTheBest(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	a := mustAdd(t, p, spec{from: 0, tip: 10})
	b := mustAdd(t, p, spec{from: 1, tip: 5})
	d := mustAdd(t, p, spec{from: 2, tip: 7})
	c := p.NewCursor()
	requireTaken(t, c.Take(1, baseFee10), a)
	p.Remove(d.Hash)
	requireTaken(t, c.Take(9, baseFee10), b)
}

func TestCursorOtherBaseFee(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	a := mustAdd(t, p, spec{from: 0, fee: 50, tip: 50})
	b := mustAdd(t, p, spec{from: 1, fee: 100, tip: 2})
	c := p.NewCursor()
	requireTaken(t, c.Take(9, uint256.NewInt(99)), b)
	requireTaken(t, c.Take(9, uint256.NewInt(51)))
	requireTaken(t, c.Take(9, uint256.NewInt(50)), a)
}

func TestCursorAcrossReset(t *testing.T) {
	state := newState()
	p := newPool(t, testConfig(), headOf(state))
	var txs []*abi.Transaction
	for n := range uint64(4) {
		txs = append(txs, mustAdd(t, p, spec{nonce: n}))
	}
	c := p.NewCursor()
	requireTaken(t, c.Take(1, baseFee10), txs[0])
	next := state.clone()
	next.nonces[addr(0)] = 2
	p.Reset(headOf(next), txs[:2], nil, nil)
	requireTaken(t, c.Take(1, baseFee10), txs[2])
	p.Reset(headOf(state), nil, nil, txs[:2]) // back again: nothing twice
	requireTaken(t, c.Take(9, baseFee10), txs[3])
}

func TestTooManyCursors(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	mustAdd(t, p, spec{})
	first := p.NewCursor()
	second := p.NewCursor()
	for range maxCursors - 1 {
		p.NewCursor()
	}
	require.Empty(t, first.Take(1, baseFee10))
	require.Len(t, second.Take(1, baseFee10), 1)
	first.Close()
	require.Len(t, p.cursors, maxCursors)
}

// TestCursorIsDeterministic: two pools that see the same calls hand out the same, whatever the map order.
func TestCursorIsDeterministic(t *testing.T) {
	run := func() (out []common.Hash) {
		p := newPool(t, testConfig(), headOf(newState()))
		c := p.NewCursor()
		for i := range 600 {
			add(p, spec{from: i * 37 % 50, nonce: uint64(i * 37 / 50 % 12), tip: uint64(i % 4)})
			if i%100 == 50 {
				out = append(out, hashes(c.Take(20, baseFee10))...)
			}
			if i%150 == 149 {
				out = append(out, hashes(c.Take(5, uint256.NewInt(uint64(10+i/150))))...)
			}
		}
		return append(out, hashes(c.Take(1000, baseFee10))...)
	}
	want := run()
	require.Greater(t, len(want), 300)
	for range 5 {
		require.Equal(t, want, run())
	}
}
