package mempool

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

var testChainID = big.NewInt(7_777)

// testState is one head's state: set up before use, then only read.
type testState struct {
	nonces   map[common.Address]uint64
	balances map[common.Address]uint64
	stakes   map[common.Address]uint64
	balance  uint64 // of everybody else
}

func (s *testState) Account(a common.Address) Account {
	balance, ok := s.balances[a]
	if !ok {
		balance = s.balance
	}
	return Account{Nonce: s.nonces[a], Balance: *uint256.NewInt(balance), Stake: *uint256.NewInt(s.stakes[a])}
}

func (s *testState) clone() *testState {
	c := newState()
	c.balance = s.balance
	for a, n := range s.nonces {
		c.nonces[a] = n
	}
	for a, b := range s.balances {
		c.balances[a] = b
	}
	for a, b := range s.stakes {
		c.stakes[a] = b
	}
	return c
}

func newState() *testState {
	return &testState{nonces: map[common.Address]uint64{}, balances: map[common.Address]uint64{}, stakes: map[common.Address]uint64{}, balance: 1e18}
}

func headOf(s State) Head {
	return Head{GasLimit: 30_000_000, BaseFee: *uint256.NewInt(10), State: s, Now: 1000}
}

func addr(i int) (a common.Address) {
	binary.BigEndian.PutUint32(a[16:], uint32(i+1))
	return a
}

// spec describes a transaction; zero fields take plain values.
type spec struct {
	from               int
	nonce              uint64
	fee, tip, gas, val uint64
	size               int
	salt               byte
}

func (s spec) tx() *abi.Transaction {
	if s.fee == 0 {
		s.fee = 100
	}
	if s.gas == 0 {
		s.gas = 21_000
	}
	if s.size == 0 {
		s.size = 120
	}
	tx := &abi.Transaction{From: addr(s.from), To: &abi.Address, Nonce: s.nonce, GasLimit: s.gas, FeeCap: *uint256.NewInt(s.fee),
		TipCap: *uint256.NewInt(s.tip), Value: *uint256.NewInt(s.val), Size: s.size}
	var id [56]byte
	for i, v := range []uint64{uint64(s.from), s.nonce, s.fee, s.tip, s.gas, s.val, uint64(s.size)<<8 | uint64(s.salt)} {
		binary.BigEndian.PutUint64(id[8*i:], v)
	}
	copy(tx.Hash[:], crypto.Keccak256(id[:]))
	return tx
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.ChainID = testChainID
	cfg.JournalInterval = 0
	return cfg
}

func newPool(t testing.TB, cfg Config, head Head) *Pool {
	p := New(cfg, head, nil)
	t.Cleanup(p.Close)
	return p
}

func add(p *Pool, s spec) (*abi.Transaction, error) {
	tx := s.tx()
	return tx, p.AddDecoded([]*abi.Transaction{tx})[0]
}

func mustAdd(t testing.TB, p *Pool, s spec) *abi.Transaction {
	t.Helper()
	tx, err := add(p, s)
	require.NoError(t, err)
	return tx
}

func requireStats(t testing.TB, p *Pool, pending, queued int) {
	t.Helper()
	gotPending, gotQueued := p.Stats()
	require.Equal(t, [2]int{pending, queued}, [2]int{gotPending, gotQueued}, "pending, queued")
}

func TestRejections(t *testing.T) {
	errPre := errors.New("payload is not available: upload it first")
	const fee = 21_000 * 100 // of a plain transaction
	tests := []struct {
		name   string
		config func(*Config)
		state  func(*testState)
		first  []spec
		tx     spec
		want   error
		text   string // part of the message
	}{
		{name: "nonce too low", state: func(s *testState) { s.nonces[addr(0)] = 5 }, tx: spec{nonce: 3},
			want: ErrNonceTooLow, text: "nonce 3 already used, next is 5"},
		{name: "last nonce of the gap", config: func(c *Config) { c.MaxNonceGap = 3 }, tx: spec{nonce: 3}},
		{name: "nonce gap", config: func(c *Config) { c.MaxNonceGap = 3 }, tx: spec{nonce: 4},
			want: ErrNonceGap, text: "nonce 4, but the next executable is 0 and at most 3 may be skipped"},
		{name: "gap counts from the executable ones", config: func(c *Config) { c.MaxNonceGap = 3 }, first: []spec{{nonce: 0}}, tx: spec{nonce: 4}},
		{name: "last slot", tx: spec{nonce: 63}},
		{name: "sender limit", tx: spec{nonce: 64}, want: ErrSenderLimit, text: "64 slots end before nonce 64"},
		{name: "a slot for stake", state: func(s *testState) { s.stakes[addr(0)] = 1e16 }, tx: spec{nonce: 64}},
		{name: "just too little stake", state: func(s *testState) { s.stakes[addr(0)] = 1e16 - 1 }, tx: spec{nonce: 64}, want: ErrSenderLimit},
		{name: "most slots", config: func(c *Config) { c.MaxNonceGap = 1e6; c.StakePerSlot = *uint256.NewInt(1) },
			state: func(s *testState) { s.stakes[addr(0)] = 1e18 }, tx: spec{nonce: 4096}, want: ErrSenderLimit, text: "4096 slots"},
		{name: "already known", first: []spec{{}}, tx: spec{}, want: ErrAlreadyKnown},
		{name: "replacement with too little fee", first: []spec{{fee: 100, tip: 10}}, tx: spec{fee: 109, tip: 11},
			want: ErrUnderpriced, text: "maxFeePerGas 110 (have 109) and maxPriorityFeePerGas 11 (have 11)"},
		{name: "replacement with too little tip", first: []spec{{fee: 100, tip: 10}}, tx: spec{fee: 200, tip: 10}, want: ErrUnderpriced},
		{name: "replacement", first: []spec{{fee: 100, tip: 10}}, tx: spec{fee: 110, tip: 11}},
		{name: "replacement rounds up", first: []spec{{fee: 101, tip: 10}}, tx: spec{fee: 111, tip: 11}, want: ErrUnderpriced, text: "maxFeePerGas 112"},
		{name: "replacement of a free one", first: []spec{{fee: 100, tip: 0}}, tx: spec{fee: 110, tip: 0}, want: ErrUnderpriced, text: "maxPriorityFeePerGas 1 "},
		{name: "exact funds", state: func(s *testState) { s.balances[addr(0)] = fee + 7 }, tx: spec{val: 7}},
		{name: "insufficient funds", state: func(s *testState) { s.balances[addr(0)] = fee + 6 }, tx: spec{val: 7},
			want: ErrInsufficientFunds, text: "balance is 2100006 wei, but value and highest fee of this and the sender's earlier pooled transactions need 2100007"},
		{name: "funds of earlier transactions", state: func(s *testState) { s.balances[addr(0)] = 2*fee - 1 }, first: []spec{{}}, tx: spec{nonce: 1},
			want: ErrInsufficientFunds, text: "need 4200000"},
		{name: "later transactions do not count", state: func(s *testState) { s.balances[addr(0)] = 2*fee - 1 }, first: []spec{{nonce: 1}}, tx: spec{nonce: 0}},
		{name: "the replaced one does not count", state: func(s *testState) { s.balances[addr(0)] = 2*fee + 5 }, first: []spec{{nonce: 0}}, tx: spec{nonce: 0, fee: 200, tip: 1}},
		{name: "fee overflows", tx: spec{fee: 1 << 63, gas: 1 << 24, val: 1<<64 - 1}, want: ErrInsufficientFunds},
		{name: "gas limit of the block", tx: spec{gas: 30_000_000}},
		{name: "gas limit above the block's", tx: spec{gas: 30_000_001}, want: ErrGasLimitAboveBlock, text: "gas limit 30000001, a block has 30000000"},
		{name: "intrinsic gas", config: func(c *Config) { c.IntrinsicGas = func(*abi.Transaction) uint64 { return 21_001 } }, tx: spec{},
			want: ErrIntrinsicGas, text: "gas limit 21000, needs at least 21001"},
		{name: "tip", config: func(c *Config) { c.MinTip = *uint256.NewInt(2) }, tx: spec{tip: 2}},
		{name: "tip too low", config: func(c *Config) { c.MinTip = *uint256.NewInt(2) }, tx: spec{tip: 1}, want: ErrTipTooLow, text: "1, at least 2 wei"},
		{name: "precheck", config: func(c *Config) { c.PreCheck = func(*abi.Transaction) error { return errPre } }, tx: spec{}, want: errPre, text: "upload it first"},
		{name: "no precheck for the unfunded", config: func(c *Config) { c.PreCheck = func(*abi.Transaction) error { return errPre } },
			state: func(s *testState) { s.balances[addr(0)] = fee - 1 }, tx: spec{}, want: ErrInsufficientFunds},
		{name: "below the base fee may wait", tx: spec{fee: 9}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, state := testConfig(), newState()
			if tt.config != nil {
				tt.config(&cfg)
			}
			if tt.state != nil {
				tt.state(state)
			}
			p := newPool(t, cfg, headOf(state))
			for _, s := range tt.first {
				mustAdd(t, p, s)
			}
			tx, err := add(p, tt.tx)
			if tt.want == nil {
				require.NoError(t, err)
				require.Equal(t, tx, p.Get(tx.Hash))
				return
			}
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, tx.Hash.Hex())
			require.ErrorContains(t, err, tt.text)
			var r *Rejection
			require.ErrorAs(t, err, &r)
			if tt.want != ErrAlreadyKnown {
				require.Nil(t, p.Get(tx.Hash))
			}
			pending, queued := p.Stats()
			require.Equal(t, len(tt.first), pending+queued)
		})
	}
}

func TestL1CostCountsAsFee(t *testing.T) {
	state := newState()
	state.balances[addr(0)] = 21_000*100 + 119
	head := headOf(state)
	head.L1Cost = func(n int) uint256.Int { return *uint256.NewInt(uint64(n)) }
	p := newPool(t, testConfig(), head)
	_, err := add(p, spec{size: 120})
	require.ErrorIs(t, err, ErrInsufficientFunds)
	mustAdd(t, p, spec{size: 119})
}

func TestMalformedAndDeposits(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	key := testKey(1)
	good := signed(key, 0, 100)
	foreign := types.MustSignNewTx(key, types.LatestSignerForChainID(big.NewInt(1)), &types.DynamicFeeTx{ChainID: big.NewInt(1), Gas: 21_000, To: &abi.Address, GasFeeCap: big.NewInt(100), GasTipCap: big.NewInt(0)})
	legacy := types.MustSignNewTx(key, types.LatestSignerForChainID(testChainID), &types.LegacyTx{Gas: 21_000, To: &abi.Address, GasPrice: big.NewInt(100)})
	unsigned := types.NewTx(&types.DynamicFeeTx{ChainID: testChainID, Gas: 21_000, To: &abi.Address, GasFeeCap: big.NewInt(100)})
	deposit := types.NewTx(&types.DepositTx{To: &abi.Address, Value: new(big.Int)})
	errs := p.Add(context.Background(), []*types.Transaction{good, foreign, nil, legacy, unsigned, deposit, good})
	for i, want := range []error{nil, abi.ErrChainID, abi.ErrUndecodable, abi.ErrType, abi.ErrSignature, abi.ErrDepositSigned, ErrAlreadyKnown} {
		if want == nil {
			require.NoError(t, errs[i])
		} else {
			require.ErrorIs(t, errs[i], want, "%d", i)
		}
	}
	require.ErrorIs(t, p.Add(context.Background(), []*types.Transaction{good})[0], ErrAlreadyKnown)
	errs = p.AddDecoded([]*abi.Transaction{nil, {Deposit: true}})
	require.ErrorIs(t, errs[0], abi.ErrUndecodable)
	require.ErrorIs(t, errs[1], abi.ErrDepositSigned)
	requireStats(t, p, 1, 0)
	require.Equal(t, crypto.PubkeyToAddress(key.PublicKey), p.Get(good.Hash()).From)
}

func TestCancelledAdd(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, p.Add(ctx, []*types.Transaction{signed(testKey(1), 0, 100)})[0], context.Canceled)
	requireStats(t, p, 0, 0)
}

func TestBusyWhenTooMuchIsInFlight(t *testing.T) {
	cfg := testConfig()
	cfg.MaxInflightBytes = 200
	entered, release := make(chan struct{}), make(chan struct{})
	cfg.PreCheck = func(*abi.Transaction) error {
		entered <- struct{}{}
		<-release
		return nil
	}
	p := newPool(t, cfg, headOf(newState()))
	done := make(chan error)
	go func() {
		_, err := add(p, spec{size: 150})
		done <- err
	}()
	<-entered
	_, err := add(p, spec{from: 1, size: 51})
	require.ErrorIs(t, err, ErrBusy)
	close(release)
	require.NoError(t, <-done)
	go func() { <-entered }()
	mustAdd(t, p, spec{from: 1, size: 500}) // alone, it may be larger
}

func TestGapsCloseAndOpen(t *testing.T) {
	state := newState()
	p := newPool(t, testConfig(), headOf(state))
	mustAdd(t, p, spec{nonce: 2})
	mustAdd(t, p, spec{nonce: 1})
	requireStats(t, p, 0, 2)
	require.EqualValues(t, 0, p.Nonce(addr(0)))
	mid := mustAdd(t, p, spec{nonce: 0})
	requireStats(t, p, 3, 0)
	require.EqualValues(t, 3, p.Nonce(addr(0)))
	p.Remove(mid.Hash)
	p.Remove(mid.Hash)
	requireStats(t, p, 0, 2)
	pending, queued := p.Content()
	require.Empty(t, pending)
	require.Len(t, queued[addr(0)], 2)
	require.EqualValues(t, 1, queued[addr(0)][0].Nonce)
	mustAdd(t, p, spec{nonce: 0, salt: 1})
	requireStats(t, p, 3, 0)
}

func TestResetDropsTheUsedAndKeepsVoidOnes(t *testing.T) {
	state := newState()
	p := newPool(t, testConfig(), headOf(state))
	included := mustAdd(t, p, spec{nonce: 0})
	void := mustAdd(t, p, spec{nonce: 1})
	mustAdd(t, p, spec{from: 1, nonce: 0}) // overtaken by another transaction of the same nonce
	next := state.clone()
	next.nonces[addr(0)], next.nonces[addr(1)] = 1, 1
	p.Reset(headOf(next), []*abi.Transaction{included, spec{from: 1, salt: 9}.tx()}, []*abi.Transaction{void}, nil)
	require.Nil(t, p.Get(included.Hash))
	require.Equal(t, void, p.Get(void.Hash))
	requireStats(t, p, 1, 0)
	require.EqualValues(t, 2, p.Nonce(addr(0)))
	require.EqualValues(t, 1, p.Nonce(addr(1)))
}

func TestReorgBringsTransactionsBack(t *testing.T) {
	state := newState()
	p := newPool(t, testConfig(), headOf(state))
	txs := []*abi.Transaction{spec{nonce: 0}.tx(), spec{nonce: 1}.tx(), spec{from: 1}.tx()}
	require.Equal(t, make([]error, 3), p.AddDecoded(txs))
	next := state.clone()
	next.nonces[addr(0)], next.nonces[addr(1)] = 2, 1
	deposit := &abi.Transaction{Deposit: true, From: addr(5)}
	p.Reset(headOf(next), txs, []*abi.Transaction{deposit}, nil)
	requireStats(t, p, 0, 0)
	later := mustAdd(t, p, spec{nonce: 2})
	other := state.clone()
	other.nonces[addr(1)] = 1
	p.Reset(headOf(other), txs[2:], nil, []*abi.Transaction{deposit, txs[2], txs[1], txs[0]})
	requireStats(t, p, 3, 0)
	c := p.NewCursor()
	require.Equal(t, []*abi.Transaction{txs[0], txs[1], later}, c.Take(10, uint256.NewInt(10)))
}

// A reorg of many blocks gives one sender back more transactions than it may have otherwise: all were acknowledged.
func TestDeepReorgBringsMoreThanASendersSlotsBack(t *testing.T) {
	state := newState()
	cfg := testConfig()
	p := newPool(t, cfg, headOf(state))
	n := int(3 * cfg.SenderSlots)
	var undone []*abi.Transaction
	for i := range n {
		undone = append(undone, spec{nonce: uint64(i)}.tx())
	}
	p.Reset(headOf(state), nil, nil, undone)
	requireStats(t, p, n, 0)
	_, err := add(p, spec{nonce: uint64(n)})
	require.ErrorIs(t, err, ErrSenderLimit)
}

func TestFundsMoveTransactionsBetweenPendingAndQueued(t *testing.T) {
	const fee = 21_000 * 100
	state := newState()
	state.balances[addr(0)] = 2 * fee
	p := newPool(t, testConfig(), headOf(state))
	first := mustAdd(t, p, spec{nonce: 0})
	mustAdd(t, p, spec{nonce: 1})
	poor := state.clone()
	poor.balances[addr(0)] = 2*fee - 1
	p.Reset(headOf(poor), nil, nil, nil)
	requireStats(t, p, 1, 1)
	broke := state.clone()
	broke.balances[addr(0)] = 0
	p.Reset(headOf(broke), nil, nil, nil)
	requireStats(t, p, 0, 2)
	// A payment to the sender makes them executable again, and replacing one counts the others' funds.
	p.Reset(headOf(state), nil, []*abi.Transaction{{Deposit: true, From: addr(9), To: &first.From}}, nil)
	requireStats(t, p, 2, 0)
	mustAdd(t, p, spec{nonce: 0, fee: 150, tip: 1})
	requireStats(t, p, 1, 1)
}

func TestQueuedTransactionsExpire(t *testing.T) {
	state := newState()
	cfg := testConfig()
	cfg.QueuedLifetime = 100
	p := newPool(t, cfg, headOf(state))
	mustAdd(t, p, spec{nonce: 0})
	mustAdd(t, p, spec{from: 1, nonce: 1})
	at := func(now uint64, s State) Head {
		h := headOf(s)
		h.Now = now
		return h
	}
	p.Reset(at(1099, state), nil, nil, nil)
	requireStats(t, p, 1, 1)
	p.Reset(at(1100, state), nil, nil, nil)
	requireStats(t, p, 1, 0)
	broke := state.clone()
	broke.balances[addr(0)] = 0
	p.Reset(at(5000, broke), nil, nil, nil) // queued from now on
	requireStats(t, p, 0, 1)
	p.Reset(at(5099, broke), nil, nil, nil)
	requireStats(t, p, 0, 1)
	p.Reset(at(5100, broke), nil, nil, nil)
	requireStats(t, p, 0, 0)
}

func TestBlockGasLimitFalls(t *testing.T) {
	p := newPool(t, testConfig(), headOf(newState()))
	mustAdd(t, p, spec{nonce: 0})
	mustAdd(t, p, spec{nonce: 1, gas: 1_000_000})
	mustAdd(t, p, spec{nonce: 2})
	h := headOf(newState())
	h.GasLimit = 999_999
	p.Reset(h, nil, nil, nil)
	requireStats(t, p, 1, 1)
}

// TestUntouchedSendersAreRevisited: more senders than one Reset looks at; after enough of them all are up to date.
func TestUntouchedSendersAreRevisited(t *testing.T) {
	state := newState()
	p := newPool(t, testConfig(), headOf(state))
	const n = 3 * revalidatedPerReset
	for i := range n {
		mustAdd(t, p, spec{from: i})
	}
	broke := state.clone()
	broke.balance = 0
	p.Reset(headOf(broke), nil, nil, nil)
	requireStats(t, p, n-revalidatedPerReset, revalidatedPerReset)
	p.Reset(headOf(broke), nil, nil, nil)
	p.Reset(headOf(broke), nil, nil, nil)
	requireStats(t, p, 0, n)
	// Not so senders and recipients of the new blocks: they are seen at once, wherever the round is.
	paid, sender := addr(revalidatedPerReset+7), addr(2*revalidatedPerReset+7)
	broke = broke.clone()
	broke.balances[paid], broke.balances[sender] = 1e18, 1e18
	p.Reset(headOf(broke), nil, []*abi.Transaction{{Deposit: true, From: sender, To: &paid}}, nil)
	requireStats(t, p, 2, n-2)
}

func TestFullPool(t *testing.T) {
	full := func(t *testing.T, max int, specs ...spec) *Pool {
		cfg, state := testConfig(), newState()
		cfg.MaxTransactions, cfg.MaxBytes = max, 10_000
		state.stakes[addr(7)] = 1e18
		p := newPool(t, cfg, headOf(state))
		for _, s := range specs {
			mustAdd(t, p, s)
		}
		return p
	}
	gone := func(t *testing.T, p *Pool, s spec, want bool) {
		t.Helper()
		require.Equal(t, want, p.Get(s.tx().Hash) == nil, "%+v", s)
	}
	cheap, mid, dear := spec{from: 0, tip: 1}, spec{from: 1, tip: 5}, spec{from: 2, tip: 9}

	t.Run("the lowest tip goes", func(t *testing.T) {
		p := full(t, 3, cheap, mid, dear)
		mustAdd(t, p, spec{from: 3, tip: 2})
		gone(t, p, cheap, true)
		_, err := add(p, spec{from: 4, tip: 2})
		require.ErrorIs(t, err, ErrPoolFull)
		require.ErrorContains(t, err, "effective tip is 2 wei per gas")
		require.ErrorContains(t, err, "at least 3 is taken now")
	})
	t.Run("effective, not nominal", func(t *testing.T) {
		p := full(t, 2, spec{from: 0, fee: 12, tip: 12}, mid) // pays 2 at base fee 10
		mustAdd(t, p, spec{from: 3, tip: 3})
		gone(t, p, spec{from: 0, fee: 12, tip: 12}, true)
	})
	t.Run("queued before executable", func(t *testing.T) {
		queued := spec{from: 5, nonce: 1, fee: 1000, tip: 900}
		p := full(t, 2, cheap, queued)
		_, err := add(p, spec{from: 6, nonce: 1, fee: 900, tip: 800})
		require.ErrorIs(t, err, ErrPoolFull)
		mustAdd(t, p, spec{from: 6, tip: 0})
		gone(t, p, queued, true)
		gone(t, p, cheap, false)
	})
	t.Run("below the base fee before executable", func(t *testing.T) {
		below := spec{from: 5, fee: 9, tip: 9}
		p := full(t, 2, cheap, below)
		_, err := add(p, spec{from: 6, fee: 8, tip: 8})
		require.ErrorIs(t, err, ErrPoolFull)
		require.ErrorContains(t, err, "only executable transactions that pay the base fee")
		mustAdd(t, p, spec{from: 6, tip: 0})
		gone(t, p, below, true)
	})
	t.Run("a generous last transaction shields nothing", func(t *testing.T) {
		p := full(t, 3, mid, spec{from: 3, nonce: 0, tip: 0}, spec{from: 3, nonce: 1, tip: 90})
		mustAdd(t, p, cheap)
		gone(t, p, spec{from: 3, nonce: 1, tip: 90}, true)
		gone(t, p, spec{from: 3, nonce: 0, tip: 0}, false)
		_, err := add(p, spec{from: 3, nonce: 1, tip: 95})
		require.ErrorIs(t, err, ErrPoolFull)
	})
	t.Run("who has most goes first, by slots", func(t *testing.T) {
		staked := []spec{{from: 7, nonce: 0, tip: 1}, {from: 7, nonce: 1, tip: 1}, {from: 7, nonce: 2, tip: 1}}
		p := full(t, 6, append(staked, cheap, spec{from: 1, nonce: 0, tip: 1}, spec{from: 1, nonce: 1, tip: 1})...)
		mustAdd(t, p, dear)
		gone(t, p, spec{from: 1, nonce: 1, tip: 1}, true)
		gone(t, p, staked[2], false)
	})
	t.Run("the latest of equals", func(t *testing.T) {
		p := full(t, 3, spec{from: 0, tip: 1}, spec{from: 3, tip: 1}, spec{from: 4, tip: 1})
		mustAdd(t, p, dear)
		gone(t, p, spec{from: 4, tip: 1}, true)
		mustAdd(t, p, mid)
		gone(t, p, spec{from: 3, tip: 1}, true)
	})
	t.Run("bytes", func(t *testing.T) {
		big := spec{from: 9, size: 9_500, tip: 3}
		p := full(t, 100, spec{from: 0, tip: 1, size: 400}, spec{from: 1, tip: 2, size: 300})
		mustAdd(t, p, big) // needs the room of one of the two
		gone(t, p, spec{from: 0, tip: 1, size: 400}, true)
		gone(t, p, spec{from: 1, tip: 2, size: 300}, false)
	})
	t.Run("all or nothing", func(t *testing.T) {
		p := full(t, 100, spec{from: 0, tip: 1, size: 3000}, spec{from: 1, tip: 2, size: 3000}, spec{from: 2, tip: 9, size: 3000})
		_, err := add(p, spec{from: 3, tip: 5, size: 9000})
		require.ErrorIs(t, err, ErrPoolFull)
		requireStats(t, p, 3, 0)
		mustAdd(t, p, spec{from: 3, tip: 3, size: 6500})
		gone(t, p, spec{from: 2, tip: 9, size: 3000}, false)
		requireStats(t, p, 2, 0)
	})
	t.Run("a larger replacement evicts nobody", func(t *testing.T) {
		p := full(t, 100, spec{from: 0, tip: 1, size: 5000}, spec{from: 1, tip: 1, size: 5000})
		_, err := add(p, spec{from: 0, fee: 200, tip: 2, size: 5001})
		require.ErrorIs(t, err, ErrPoolFull)
		mustAdd(t, p, spec{from: 0, fee: 200, tip: 2, size: 4000})
		requireStats(t, p, 2, 0)
	})
	t.Run("own queued transactions make room for the missing one", func(t *testing.T) {
		p := full(t, 2, spec{nonce: 1}, spec{nonce: 2})
		mustAdd(t, p, spec{nonce: 0})
		requireStats(t, p, 2, 0)
	})
	t.Run("after a Reset with another base fee", func(t *testing.T) {
		p := full(t, 2, spec{from: 0, fee: 20, tip: 8}, spec{from: 1, fee: 90, tip: 7})
		_, err := add(p, spec{from: 2, tip: 7})
		require.ErrorIs(t, err, ErrPoolFull)
		h := headOf(newState())
		h.BaseFee = *uint256.NewInt(15)
		p.Reset(h, nil, nil, nil)
		mustAdd(t, p, spec{from: 2, tip: 6})
		gone(t, p, spec{from: 0, fee: 20, tip: 8}, true) // worth 5 now
	})
}

func TestSubscription(t *testing.T) {
	reg := prometheus.NewRegistry()
	p := New(testConfig(), headOf(newState()), reg)
	ch, slow := make(chan []*abi.Transaction, 8), make(chan []*abi.Transaction)
	sub := p.SubscribeTransactions(ch)
	slowSub := p.SubscribeTransactions(slow)
	second := mustAdd(t, p, spec{nonce: 1})
	require.Empty(t, ch)
	first := mustAdd(t, p, spec{nonce: 0})
	require.Equal(t, []*abi.Transaction{first, second}, <-ch)
	var dropped dto.Metric
	require.NoError(t, p.metrics.eventsDropped.Write(&dropped))
	require.EqualValues(t, 2, dropped.GetCounter().GetValue())
	p.Remove(first.Hash)
	mustAdd(t, p, spec{nonce: 0, salt: 1}) // second becomes executable again, but is not announced twice
	require.Len(t, <-ch, 1)
	sub.Unsubscribe()
	mustAdd(t, p, spec{from: 1})
	require.Empty(t, ch)
	p.Close()
	p.Close()
	select {
	case <-slowSub.Err():
	case <-time.After(5 * time.Second):
		t.Fatal("the subscription outlives the pool")
	}
	_, err := add(p, spec{from: 2})
	require.ErrorIs(t, err, ErrClosed)
	families, err := reg.Gather()
	require.NoError(t, err)
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.GetName()
	}
	require.Contains(t, strings.Join(names, " "), "agnt2_mempool_pending")
}

// TestConcurrentUse is for the race detector, and ends with an account of every transaction.
func TestConcurrentUse(t *testing.T) {
	const senders, each = 8, 24
	cfg := testConfig()
	state := newState()
	p := newPool(t, cfg, headOf(state))
	cursor := p.NewCursor()
	var adders sync.WaitGroup
	for s := range senders {
		adders.Add(1)
		go func() {
			defer adders.Done()
			key := testKey(s)
			for n := range uint64(each) {
				var batch []*types.Transaction
				for _, nonce := range []uint64{n, (n * 7) % each} {
					batch = append(batch, signed(key, nonce, 100))
				}
				p.Add(context.Background(), batch)
				p.Nonce(crypto.PubkeyToAddress(key.PublicKey))
				p.Get(batch[0].Hash())
			}
		}()
	}
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Add(1)
	go func() {
		defer others.Done()
		ch := make(chan []*abi.Transaction, 1)
		for i := uint64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			sub := p.SubscribeTransactions(ch)
			h := headOf(state)
			h.Number = i
			p.Reset(h, nil, nil, nil)
			p.Content()
			p.Stats()
			other := p.NewCursor()
			other.Take(3, uint256.NewInt(10))
			other.Drop(addr(1))
			other.Close()
			sub.Unsubscribe()
		}
	}()
	next := map[common.Address]uint64{}
	got := 0
	deadline := time.After(30 * time.Second)
	for got < senders*each {
		select {
		case <-cursor.Arrived():
		case <-deadline:
			t.Fatalf("%d of %d transactions arrived", got, senders*each)
		}
		for {
			txs := cursor.Take(7, uint256.NewInt(10))
			if len(txs) == 0 {
				break
			}
			for _, tx := range txs {
				require.Equal(t, next[tx.From], tx.Nonce)
				next[tx.From]++
			}
			got += len(txs)
		}
	}
	close(stop)
	others.Wait()
	adders.Wait()
	requireStats(t, p, senders*each, 0)
}

func testKey(i int) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte{1, byte(i), byte(i >> 8)}))
	if err != nil {
		panic(err)
	}
	return key
}

func signed(key *ecdsa.PrivateKey, nonce, fee uint64) *types.Transaction {
	return types.MustSignNewTx(key, types.LatestSignerForChainID(testChainID), &types.DynamicFeeTx{
		ChainID: testChainID, Nonce: nonce, Gas: 21_000, To: &abi.Address, Value: new(big.Int),
		GasFeeCap: new(big.Int).SetUint64(fee), GasTipCap: new(big.Int).SetUint64(fee / 10),
	})
}
