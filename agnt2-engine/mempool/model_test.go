package mempool

import (
	"errors"
	"sort"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// model is the pool written for clarity: it recomputes everything from its list of transactions after every call.
type model struct {
	cfg      Config
	head     Head
	state    *testState
	txs      []*modelTx
	seq      uint64
	announce []common.Hash
}

type modelTx struct {
	tx        *abi.Transaction
	seq       uint64
	since     uint64
	exec      bool
	announced bool
}

func (m *model) of(a common.Address) (txs []*modelTx) {
	for _, t := range m.txs {
		if t.tx.From == a {
			txs = append(txs, t)
		}
	}
	sort.Slice(txs, func(i, j int) bool { return txs[i].tx.Nonce < txs[j].tx.Nonce })
	return txs
}

func modelCost(tx *abi.Transaction) uint64 {
	return tx.GasLimit*tx.FeeCap.Uint64() + tx.Value.Uint64()
}

func (m *model) executable(a common.Address) (n uint64) {
	for _, t := range m.of(a) {
		if t.exec {
			n++
		}
	}
	return n
}

// recompute decides which are executable.
func (m *model) recompute() {
	for _, t := range append([]*modelTx(nil), m.txs...) {
		exec, sum := true, uint64(0)
		want := m.state.nonces[t.tx.From]
		for _, u := range m.of(t.tx.From) {
			if u.tx.Nonce > t.tx.Nonce {
				break
			}
			sum += modelCost(u.tx)
			exec = exec && u.tx.Nonce == want && sum <= m.state.balances[t.tx.From]
			want++
		}
		if t.exec && !exec {
			t.since = m.head.Now
		}
		t.exec = exec
	}
	for _, a := range m.senders() {
		for _, t := range m.of(a) {
			if t.exec && !t.announced {
				t.announced = true
				m.announce = append(m.announce, t.tx.Hash)
			}
		}
	}
}

func (m *model) senders() (list []common.Address) {
	seen := map[common.Address]bool{}
	for _, t := range m.txs {
		if !seen[t.tx.From] {
			seen[t.tx.From] = true
			list = append(list, t.tx.From)
		}
	}
	return list
}

func (m *model) filter(keep func(*modelTx) bool) {
	var kept []*modelTx
	for _, t := range m.txs {
		if keep(t) {
			kept = append(kept, t)
		}
	}
	m.txs = kept
	m.recompute()
}

// value of the last transaction of a prefix to the next blocks.
func (m *model) value(prefix []*modelTx) (class int, tip uint64) {
	base, minTip, minFee := m.head.BaseFee.Uint64(), ^uint64(0), ^uint64(0)
	exec := true
	for _, t := range prefix {
		minTip, minFee = min(minTip, t.tx.TipCap.Uint64()), min(minFee, t.tx.FeeCap.Uint64())
		exec = exec && t.exec
	}
	switch {
	case !exec:
		return 0, minFee
	case minFee < base:
		return 1, minFee
	}
	return 2, min(minTip, minFee-base)
}

func (m *model) slots(a common.Address) uint64 {
	return min(m.cfg.MaxSenderSlots, m.cfg.SenderSlots+m.state.stakes[a]/m.cfg.StakePerSlot.Uint64())
}

func (m *model) size() (n int64) {
	for _, t := range m.txs {
		n += int64(t.tx.Size)
	}
	return n
}

// add answers the reason of the refusal.
func (m *model) add(tx *abi.Transaction, returns bool) error {
	nonce := m.state.nonces[tx.From]
	own := m.of(tx.From)
	var replaced *modelTx
	sum := modelCost(tx)
	var before []*modelTx
	for _, t := range own {
		switch {
		case t.tx.Hash == tx.Hash:
			return ErrAlreadyKnown
		case t.tx.Nonce == tx.Nonce:
			replaced = t
		case t.tx.Nonce < tx.Nonce:
			sum += modelCost(t.tx)
			before = append(before, t)
		}
	}
	next := nonce + m.executable(tx.From)
	affordable := sum <= m.state.balances[tx.From]
	switch {
	case tx.GasLimit > m.head.GasLimit:
		return ErrGasLimitAboveBlock
	case tx.Nonce < nonce:
		return ErrNonceTooLow
	case replaced == nil && !returns && tx.Nonce >= nonce+m.slots(tx.From):
		return ErrSenderLimit
	case replaced == nil && !returns && tx.Nonce > next+m.cfg.MaxNonceGap:
		return ErrNonceGap
	case !returns && !affordable:
		return ErrInsufficientFunds
	}
	newcomer := &modelTx{tx: tx, since: m.head.Now}
	if replaced != nil {
		bump := func(v uint64) uint64 { return max(v+1, (v*(100+m.cfg.PriceBumpPercent)+99)/100) }
		if tx.FeeCap.Uint64() < bump(replaced.tx.FeeCap.Uint64()) || tx.TipCap.Uint64() < bump(replaced.tx.TipCap.Uint64()) {
			return ErrUnderpriced
		}
		if tx.Size > replaced.tx.Size && m.size()-int64(replaced.tx.Size)+int64(tx.Size) > m.cfg.MaxBytes {
			return ErrPoolFull
		}
		m.txs = append(m.txs, newcomer)
		m.filter(func(t *modelTx) bool { return t != replaced })
	} else {
		probe := &modelTx{tx: tx, exec: affordable && tx.Nonce == nonce+uint64(len(before))}
		class, tip := m.value(append(before, probe))
		victims := map[*modelTx]bool{}
		count, bytes := len(m.txs)+1, m.size()+int64(tx.Size)
		for count > m.cfg.MaxTransactions || bytes > m.cfg.MaxBytes {
			var worst *modelTx
			var worstClass int
			var worstTip, worstCount, worstSlots uint64
			for _, a := range m.senders() {
				var rest []*modelTx
				for _, t := range m.of(a) {
					if !victims[t] {
						rest = append(rest, t)
					}
				}
				if len(rest) == 0 {
					continue
				}
				last := rest[len(rest)-1]
				c, p := m.value(rest)
				n, s := uint64(len(rest)), m.slots(a)
				better := worst == nil || c < worstClass || c == worstClass && (p < worstTip || p == worstTip &&
					(n*worstSlots > worstCount*s || n*worstSlots == worstCount*s && last.seq > worst.seq))
				if better {
					worst, worstClass, worstTip, worstCount, worstSlots = last, c, p, n, s
				}
			}
			if worst == nil || worstClass > class || worstClass == class && worstTip >= tip {
				return ErrPoolFull
			}
			victims[worst] = true
			count--
			bytes -= int64(worst.tx.Size)
		}
		m.filter(func(t *modelTx) bool { return !victims[t] })
		m.txs = append(m.txs, newcomer)
	}
	m.seq++
	newcomer.seq = m.seq
	m.recompute()
	return nil
}

func (m *model) reset(head Head, state *testState, dropped []*abi.Transaction) {
	m.head, m.state = head, state
	m.filter(func(t *modelTx) bool { return t.tx.Nonce >= state.nonces[t.tx.From] })
	m.filter(func(t *modelTx) bool { return t.exec || head.Now-t.since < m.cfg.QueuedLifetime })
	back := append([]*abi.Transaction(nil), dropped...)
	sort.Slice(back, func(i, j int) bool {
		if back[i].Nonce != back[j].Nonce {
			return back[i].Nonce < back[j].Nonce
		}
		return back[i].Hash.Cmp(back[j].Hash) < 0
	})
	for _, tx := range back {
		m.add(tx, true)
	}
}

// modelCursor looks at all transactions for every one that it hands out.
type modelCursor struct {
	next    map[common.Address]uint64
	dropped map[common.Address]bool
}

func (c *modelCursor) take(m *model, n int, baseFee *uint256.Int) (out []common.Hash) {
	for _, a := range m.senders() {
		c.next[a] = max(c.next[a], m.state.nonces[a])
	}
	for len(out) < n {
		var best *modelTx
		var bestTip uint256.Int
		for _, t := range m.txs {
			tip, pays := t.tx.EffectiveTip(baseFee)
			if !t.exec || !pays || c.dropped[t.tx.From] || t.tx.Nonce != c.next[t.tx.From] {
				continue
			}
			if best == nil || tip.Gt(&bestTip) || tip.Eq(&bestTip) && t.seq < best.seq {
				best, bestTip = t, tip
			}
		}
		if best == nil {
			break
		}
		c.next[best.tx.From]++
		out = append(out, best.tx.Hash)
	}
	return out
}

// TestAgainstModel runs random histories on the pool and on the model: same answers, contents, order and announcements.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const senders = 5
		cfg := testConfig()
		cfg.MaxTransactions = rapid.IntRange(3, 25).Draw(t, "maxTransactions")
		cfg.MaxBytes = rapid.Int64Range(500, 4000).Draw(t, "maxBytes")
		cfg.SenderSlots, cfg.MaxSenderSlots, cfg.StakePerSlot = 6, 9, *uint256.NewInt(10)
		cfg.MaxNonceGap = rapid.Uint64Range(1, 4).Draw(t, "maxNonceGap")
		cfg.QueuedLifetime = 50

		state := newState()
		for i := range senders {
			state.balances[addr(i)] = rapid.Uint64Range(0, 30_000).Draw(t, "balance")
			state.stakes[addr(i)] = rapid.Uint64Range(0, 60).Draw(t, "stake")
		}
		head := Head{GasLimit: 100, BaseFee: *uint256.NewInt(10), State: state, Now: 1000}
		p := New(cfg, head, nil)
		defer p.Close()
		m := &model{cfg: p.cfg, head: head, state: state}
		ch := make(chan []*abi.Transaction, 1000)
		sub := p.SubscribeTransactions(ch)
		defer sub.Unsubscribe()
		var cursors [2]*Cursor // two blocks are open at a time
		var refs [2]*modelCursor
		open := func(i int) {
			cursors[i], refs[i] = p.NewCursor(), &modelCursor{next: map[common.Address]uint64{}, dropped: map[common.Address]bool{}}
		}
		open(0)
		open(1)
		cursor := func() int { return rapid.IntRange(0, 1).Draw(t, "cursor") }

		var chain [][]*abi.Transaction // transactions of the blocks on top of the first head, and the state before each
		var states []*testState
		sender := func() int { return rapid.IntRange(0, senders-1).Draw(t, "sender") }
		known := func() *abi.Transaction {
			if len(m.txs) == 0 {
				return nil
			}
			return rapid.SampledFrom(m.txs).Draw(t, "known").tx
		}
		move := func(next *testState, included, void, dropped []*abi.Transaction) {
			head.State = next
			head.Number++
			head.Now += rapid.Uint64Range(0, 20).Draw(t, "seconds")
			head.BaseFee = *uint256.NewInt(rapid.Uint64Range(5, 20).Draw(t, "baseFee"))
			state = next
			p.Reset(head, included, void, dropped)
			m.reset(head, next, dropped)
		}
		addTx := func(t *rapid.T) {
			from := sender()
			s := spec{from: from, nonce: state.nonces[addr(from)] + rapid.Uint64Range(0, 10).Draw(t, "ahead") - rapid.Uint64Range(0, 1).Draw(t, "behind"),
				fee: rapid.Uint64Range(5, 40).Draw(t, "fee"), gas: rapid.Uint64Range(50, 101).Draw(t, "gas"),
				size: rapid.IntRange(100, 400).Draw(t, "size"), val: rapid.Uint64Range(0, 2000).Draw(t, "value")}
			s.tip = rapid.Uint64Range(0, s.fee).Draw(t, "tip")
			if s.nonce > 1<<60 {
				s.nonce = 0
			}
			tx := s.tx()
			got, want := p.AddDecoded([]*abi.Transaction{tx})[0], m.add(tx, false)
			if !errors.Is(got, want) || (got == nil) != (want == nil) {
				t.Fatalf("add %+v: pool says %v, model says %v", s, got, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add":  addTx,
			"add2": addTx,
			"add3": addTx,
			"known": func(t *rapid.T) {
				if tx := known(); tx != nil {
					require.ErrorIs(t, p.AddDecoded([]*abi.Transaction{tx})[0], ErrAlreadyKnown)
				}
			},
			"remove": func(t *rapid.T) {
				if tx := known(); tx != nil {
					p.Remove(tx.Hash)
					m.filter(func(u *modelTx) bool { return u.tx != tx })
				}
			},
			"block": func(t *rapid.T) {
				next := state.clone()
				var included []*abi.Transaction
				for _, tx := range m.txs {
					included = append(included, tx.tx)
				}
				sort.Slice(included, func(i, j int) bool { return included[i].Nonce < included[j].Nonce })
				n := rapid.IntRange(0, len(included)).Draw(t, "included")
				included = included[:n]
				var used, void []*abi.Transaction
				for _, tx := range included {
					if tx.Nonce == next.nonces[tx.From] && modelCost(tx) <= next.balances[tx.From] {
						next.nonces[tx.From]++
						next.balances[tx.From] -= modelCost(tx)
						used = append(used, tx)
					} else {
						void = append(void, tx)
					}
				}
				chain, states = append(chain, included), append(states, state)
				move(next, used, void, nil)
			},
			"payments": func(t *rapid.T) {
				next := state.clone()
				a := addr(sender())
				next.balances[a] = rapid.Uint64Range(0, 30_000).Draw(t, "balance")
				chain, states = append(chain, nil), append(states, state)
				move(next, nil, []*abi.Transaction{{Deposit: true, From: addr(99), To: &a}}, nil)
			},
			"reorg": func(t *rapid.T) {
				if len(chain) == 0 {
					t.Skip()
				}
				to := rapid.IntRange(max(0, len(chain)-3), len(chain)-1).Draw(t, "to")
				var dropped []*abi.Transaction
				for _, txs := range chain[to:] {
					dropped = append(dropped, txs...)
				}
				next := states[to]
				chain, states = chain[:to], states[:to]
				move(next, nil, nil, dropped)
			},
			"take": func(t *rapid.T) {
				n, fee := rapid.IntRange(1, 6).Draw(t, "max"), uint256.NewInt(rapid.SampledFrom([]uint64{10, 10, 10, 14}).Draw(t, "baseFee"))
				i := cursor()
				require.Equal(t, refs[i].take(m, n, fee), hashes(cursors[i].Take(n, fee)))
			},
			"drop": func(t *rapid.T) {
				i, a := cursor(), addr(sender())
				cursors[i].Drop(a)
				refs[i].dropped[a] = true
			},
			"open": func(t *rapid.T) {
				i := cursor()
				cursors[i].Close()
				open(i)
			},
			"": func(t *rapid.T) {
				pending, queued := p.Content()
				var executable int
				for i := range senders {
					var wantPending, wantQueued []common.Hash
					for _, u := range m.of(addr(i)) {
						if u.exec {
							wantPending = append(wantPending, u.tx.Hash)
							executable++
						} else {
							wantQueued = append(wantQueued, u.tx.Hash)
						}
					}
					require.Equal(t, wantPending, hashes(pending[addr(i)]), "executable of %d", i)
					require.Equal(t, wantQueued, hashes(queued[addr(i)]), "queued of %d", i)
					require.Equal(t, state.nonces[addr(i)]+uint64(len(wantPending)), p.Nonce(addr(i)))
				}
				gotPending, gotQueued := p.Stats()
				require.Equal(t, executable, gotPending)
				require.Equal(t, len(m.txs)-executable, gotQueued)
				require.Equal(t, m.size(), p.bytes)
				require.LessOrEqual(t, gotPending+gotQueued, cfg.MaxTransactions)
				require.LessOrEqual(t, p.bytes, cfg.MaxBytes)
				var announced []common.Hash
				for len(ch) > 0 {
					announced = append(announced, hashes(<-ch)...)
				}
				require.ElementsMatch(t, m.announce, announced)
				m.announce = nil
			},
		})
	})
}
