package vm_test

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

var seed = flag.Uint64("seed", 0, "run the simulator with this seed alone")

// simulator sends random operations, most of them sensible, the rest hostile, and checks after every block what must hold
// whatever happened in it.
type simulator struct {
	*world
	*vmtest.Generator
	t *testing.T

	minted, withdrawn uint256.Int
	tree              *trie.Trie
	outcomes          map[vm.Outcome]int
	reverts           map[string]int
}

const simulatedAccounts = 50

func newSimulator(t *testing.T, seed uint64) *simulator {
	p := testParams()
	p.MaxPendingInvokes, p.SweepsPerBlock, p.MaxCapabilities = 6, 4, 3
	p.MaxTtlSeconds, p.StakeCooldownSeconds = 30, 40
	s := &simulator{
		world: newWorld(p), Generator: &vmtest.Generator{Rnd: rand.New(rand.NewPCG(seed, 1))}, t: t, tree: trie.New(),
		outcomes: map[vm.Outcome]int{}, reverts: map[string]int{},
	}
	s.Get = s.get
	s.limit = 600_000
	for i := range simulatedAccounts {
		a := common.BytesToAddress(crypto.Keccak256([]byte{byte(i)}))
		s.Accounts = append(s.Accounts, a)
		wei := uint256.NewInt(s.Rnd.Uint64N(30_000_000))
		s.fund(a, wei)
		s.minted.Add(&s.minted, wei)
	}
	var cs []trie.Change
	for k, v := range s.state {
		cs = append(cs, trie.Change{Key: k, ValueHash: trie.HashRecord(v)})
	}
	s.tree.Update(cs)
	return s
}

func (s *simulator) send(tx *abi.Transaction) {
	before := s.account(tx.From)
	messages := len(s.m.Messages)
	r, cs := s.apply(tx)
	s.outcomes[r.Outcome]++
	if tx.Deposit {
		s.minted.Add(&s.minted, &tx.Mint)
	}
	switch r.Outcome {
	case vm.Void:
		require.Empty(s.t, cs, "a void transaction changed a record")
		require.Zero(s.t, r.GasUsed)
	case vm.Failed:
		s.reverts[typeName(r.Revert)]++
		want := before
		if tx.Deposit {
			want.Balance.Add(&want.Balance, &tx.Mint)
		} else {
			fee := new(uint256.Int).Mul(&r.GasPrice, uint256.NewInt(r.GasUsed))
			want.Balance.Sub(&want.Balance, fee.Add(fee, &r.L1Fee))
			want.Nonce++
		}
		require.Equal(s.t, want, s.account(tx.From), "a failed operation left something: %v", r.Revert)
		for _, c := range cs {
			require.Equal(s.t, record.AccountKey(tx.From), c.key, "a failed operation left a record: %v", r.Revert)
		}
		require.Len(s.t, s.m.Messages, messages)
		require.Empty(s.t, r.Logs)
		require.Equal(s.t, r.Revert, abi.DecodeRevert(r.Revert.Encode()))
	case vm.Succeeded:
		if len(r.Return) == 32 {
			s.IDs = append(s.IDs, common.BytesToHash(r.Return))
		}
		if len(s.m.Messages) > messages {
			s.withdrawn.Add(&s.withdrawn, &tx.Value)
		}
	}
	if !tx.Deposit && s.Rnd.IntN(5) == 0 {
		s.Old = append(s.Old, tx)
	}
}

// check asserts the invariants over every record.
func (s *simulator) check(swept uint32) {
	t := s.t
	var total uint256.Int
	total.Add(&total, &s.withdrawn)
	escrow := map[common.Address]*uint256.Int{}
	pending := map[common.Address]uint32{}
	queued, open, registered := 0, 0, 0
	overdue := false
	for k, v := range s.state {
		held := holdings(k, v)
		total.Add(&total, &held)
		switch record.Namespace(k[0]) {
		case record.NSInteraction:
			i := must(record.DecodeInteraction(v))
			if i.Status != uint8(vm.Pending) {
				require.NotZero(t, i.SettledAt)
				continue
			}
			open++
			pending[i.Caller]++
			if escrow[i.Caller] == nil {
				escrow[i.Caller] = new(uint256.Int)
			}
			escrow[i.Caller].Add(escrow[i.Caller], &i.PaymentWei)
			overdue = overdue || i.Deadline < s.time
		case record.NSDeadline:
			queued++
			id := must(record.DecodeDeadline(v)).Id
			i := must(record.DecodeInteraction(s.state[record.InteractionKey(id)]))
			require.Equal(t, uint8(vm.Pending), i.Status)
			require.Equal(t, k, record.DeadlineKey(i.Deadline, record.DueInteraction, id))
		case record.NSAgent:
			if must(record.DecodeAgent(v)).Status == uint8(vm.Active) {
				registered++
			}
		}
	}
	require.Equal(t, open, queued, "pending interactions and deadlines")
	require.False(t, overdue && swept < s.params.SweepsPerBlock, "an overdue interaction was not swept")
	everyone := append(slices.Clone(s.Accounts), abi.BaseFeeVault, abi.L1FeeVault, coinbase, abi.L1AttributesDepositor, abi.L1BlockAddress)
	accounts := 0
	for _, a := range everyone {
		acc := s.account(a)
		if s.get(record.AccountKey(a)) != nil {
			accounts++
		}
		total.Add(&total, &acc.Balance)
		total.Add(&total, &acc.Stake)
		want := new(uint256.Int)
		if e := escrow[a]; e != nil {
			want = e
		}
		require.Equal(t, want.Dec(), acc.Escrowed.Dec(), "escrow of %s", a)
		require.Equal(t, pending[a], acc.PendingInvokes, "pending INVOKEs of %s", a)
	}
	count := 0
	for k := range s.state {
		if k[0] == byte(record.NSAccount) {
			count++
		}
	}
	require.Equal(t, count, accounts, "an account that nobody knows")
	require.Equal(t, s.minted.Dec(), total.Dec(), "value is not conserved")
	totals := must(record.DecodeTotals(s.state[record.TotalsKey]))
	require.Equal(t, uint64(registered), totals.Agents)
	require.Equal(t, 1, s.most, "a micro-step touched more than one record")
}

// holdings is the value, in wei, that a record holds beside accounts' balances and stakes. Every record that a payment can
// rest in has a case: that is what makes the conservation of value an invariant.
func holdings(k record.Key, v []byte) (wei uint256.Int) {
	switch record.Namespace(k[0]) {
	case record.NSInteraction:
		if i := must(record.DecodeInteraction(v)); i.Status == uint8(vm.Pending) {
			wei = i.PaymentWei
		}
	}
	return wei
}

// naiveRoot is the definition of the root, read off the specification.
func naiveRoot(leaves []leaf, depth int) trie.Hash {
	switch len(leaves) {
	case 0:
		return trie.Hash{}
	case 1:
		return [32]byte(crypto.Keccak256([]byte{0}, leaves[0].key[:], crypto.Keccak256(leaves[0].value)))
	}
	split, _ := slices.BinarySearchFunc(leaves, 1, func(l leaf, bit int) int {
		return int(l.key[depth/8]>>(7-depth%8)&1) - bit
	})
	left, right := naiveRoot(leaves[:split], depth+1), naiveRoot(leaves[split:], depth+1)
	return [32]byte(crypto.Keccak256([]byte{1}, left[:], right[:]))
}

type leaf struct {
	key   record.Key
	value []byte
}

func (s *simulator) checkRoot() {
	var leaves []leaf
	for k, v := range s.state {
		leaves = append(leaves, leaf{k, v})
	}
	slices.SortFunc(leaves, func(a, b leaf) int { return bytes.Compare(a.key[:], b.key[:]) })
	require.Equal(s.t, naiveRoot(leaves, 0), s.tree.Root())
}

func (s *simulator) block(i int) {
	s.Deposits = true
	s.baseFee = *uint256.NewInt(s.Rnd.Uint64N(8))
	s.l1.BaseFee, s.l1.BaseFeeScalar = *uint256.NewInt(s.Rnd.Uint64N(300)), 100
	s.open(1 + s.Rnd.Uint64N(4))
	swept := s.m.Op.Count
	n := s.Rnd.IntN(40)
	for j := range n {
		s.Deposits = j < n/5
		s.send(s.Transaction())
	}
	if s.Rnd.IntN(10) == 0 { // a second L1-attributes deposit, as a broken derivation would send it
		to := abi.L1BlockAddress
		s.apply(&abi.Transaction{From: abi.L1AttributesDepositor, To: &to, Deposit: true, GasLimit: 1_000_000, Data: s.attributes()})
		swept = s.m.Op.Count
	}
	require.LessOrEqual(s.t, s.m.GasUsed(), s.limit)
	overlay := s.overlay
	s.seal()
	var cs []trie.Change
	for _, c := range overlay.Changes() {
		ch := trie.Change{Key: c.Key, Delete: c.New == nil}
		if c.New != nil {
			ch.ValueHash = trie.HashRecord(c.New)
		}
		cs = append(cs, ch)
	}
	s.tree.Update(cs)
	s.check(swept)
	if i%10 == 0 {
		s.checkRoot()
	}
}

func TestSimulator(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	if *seed != 0 {
		seeds = []uint64{*seed}
	}
	for _, n := range seeds {
		t.Logf("seed %d", n)
		s := newSimulator(t, n)
		for i := range 250 {
			s.block(i)
			if t.Failed() {
				t.Fatalf("seed %d, block %d", n, i)
			}
		}
		// whatever is still pending ends
		for range 100 {
			s.open(10)
			swept := s.m.Op.Count
			s.seal()
			s.check(swept)
		}
		statuses := map[uint8]int{}
		for k, v := range s.state {
			if k[0] == byte(record.NSInteraction) {
				statuses[must(record.DecodeInteraction(v)).Status]++
				require.NotEqual(t, uint8(vm.Pending), must(record.DecodeInteraction(v)).Status, "an interaction never ends")
			}
		}
		t.Logf("outcomes %v, interactions by status %v, reverts %v", s.outcomes, statuses, s.reverts)
		require.Len(t, statuses, 6, "not every way to end an interaction was taken: %v", statuses)
		for _, o := range []vm.Outcome{vm.Void, vm.Failed, vm.Succeeded} {
			require.Greater(t, s.outcomes[o], 100, "the simulation is lopsided")
		}
		require.Greater(t, len(s.reverts), 15, "the simulation is lopsided: %v", s.reverts)
	}
}

// TestReplayCostsNothing: a sequencer that includes an old transaction of a user in every block takes nothing from them.
func TestReplayCostsNothing(t *testing.T) {
	w := newWorld(testParams())
	w.baseFee = *uint256.NewInt(7)
	a, b := addressOf("a"), addressOf("b")
	w.fund(a, uint256.NewInt(1_000_000))
	tx := &abi.Transaction{From: a, To: &b, Value: *uint256.NewInt(5), GasLimit: 4000, FeeCap: *uint256.NewInt(9), TipCap: *uint256.NewInt(2), Size: 100}
	w.open(1)
	r, _ := w.apply(tx)
	require.Equal(t, vm.Succeeded, r.Outcome)
	w.seal()
	before := w.account(a)
	for range 50 {
		w.open(1)
		for range 3 {
			r, cs := w.apply(tx)
			require.Equal(t, vm.Void, r.Outcome)
			require.ErrorIs(t, r.Why, vm.ErrNonce)
			require.Empty(t, cs)
		}
		w.seal()
	}
	require.True(t, reflect.DeepEqual(before, w.account(a)))
	got := w.account(b)
	require.Equal(t, uint64(5), got.Balance.Uint64())
}

// TestLeastGas: what a mempool takes as a lower bound never exceeds what an operation uses.
func TestLeastGas(t *testing.T) {
	s := newSimulator(t, 99)
	s.limit = 200_000_000
	for range 40 {
		s.open(1)
		for range 30 {
			tx := s.Transaction()
			r, _ := s.apply(tx)
			if r.Outcome == vm.Void || tx.Deposit {
				continue
			}
			least := vm.LeastGas(&s.params, tx)
			switch r.Revert.(type) {
			case *abi.OutOfGas, *abi.InsufficientBalance: // nothing ran
			default:
				require.LessOrEqual(t, least, r.GasUsed)
			}
			if err := vm.CheckCall(tx); err != nil {
				require.Equal(t, vm.Failed, r.Outcome, "CheckCall refuses what would succeed: %v", err)
			}
		}
		s.seal()
	}
}
