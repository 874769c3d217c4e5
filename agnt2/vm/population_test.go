package vm_test

import (
	"bytes"
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

var operationsFlag = flag.Int("operations", 1_000_000, "operations of TestPopulation")

// chainState is a state whose deadline queue is the trie, as in the engine.
type chainState struct {
	records memory
	tree    *trie.Trie
}

func (c *chainState) Get(k record.Key) []byte { return c.records[k] }

func (c *chainState) DeadlineAfter(after *record.Key) (record.Key, bool) {
	if after == nil {
		k, ok := c.tree.First([]byte{byte(record.NSDeadline)})
		return record.Key(k), ok
	}
	k, ok := c.tree.Next(trie.Key(*after))
	return record.Key(k), ok && k[0] == byte(record.NSDeadline)
}

func (c *chainState) apply(changes []vm.Change) trie.Hash {
	var cs []trie.Change
	for _, x := range changes {
		ch := trie.Change{Key: x.Key, Delete: x.New == nil}
		if x.New == nil {
			delete(c.records, x.Key)
		} else {
			c.records[x.Key] = x.New
			ch.ValueHash = trie.HashRecord(x.New)
		}
		cs = append(cs, ch)
	}
	c.tree.Update(cs)
	return c.tree.Root()
}

// tally follows sums over all records from the changes of each block, so that checking a block costs what the block changed.
type tally struct {
	t       *testing.T
	value   uint256.Int // wei in accounts, stakes and everything that holds payments
	escrow  map[common.Address]*uint256.Int
	pending map[common.Address]uint32
	open    int // pending interactions
	queued  map[record.DeadlineKind]int
	agents  uint64
}

func newTally(t *testing.T) *tally {
	return &tally{t: t, escrow: map[common.Address]*uint256.Int{}, pending: map[common.Address]uint32{}, queued: map[record.DeadlineKind]int{}}
}

func worth(k record.Key, v []byte) (wei uint256.Int) {
	if v == nil {
		return wei
	}
	if k[0] == byte(record.NSAccount) {
		a := must(record.DecodeAccount(v))
		wei.Add(&a.Balance, &a.Stake)
		return wei
	}
	return holdings(k, v)
}

// pendingOf is an INVOKE's pending interaction: a constituent's payment is its composition's.
func pendingOf(v []byte) *record.Interaction {
	if v == nil {
		return nil
	}
	if i := must(record.DecodeInteraction(v)); i.Status == uint8(vm.Pending) && i.Constituent == 0 {
		return &i
	}
	return nil
}

func openInteraction(v []byte) bool {
	if v == nil {
		return false
	}
	i := must(record.DecodeInteraction(v))
	return isOpen(&i)
}

func activeAgent(v []byte) bool {
	return v != nil && must(record.DecodeAgent(v)).Status == uint8(vm.Active)
}

// book takes a block's changes in.
func (y *tally) book(changes []vm.Change) {
	for _, c := range changes {
		was, is := worth(c.Key, c.Old), worth(c.Key, c.New)
		y.value.Add(&y.value, &is)
		y.value.Sub(&y.value, &was)
		switch record.Namespace(c.Key[0]) {
		case record.NSInteraction:
			if openInteraction(c.Old) {
				y.open--
			}
			if openInteraction(c.New) {
				y.open++
			}
			if i := pendingOf(c.Old); i != nil {
				y.pending[i.Caller]--
				y.escrow[i.Caller].Sub(y.escrow[i.Caller], &i.PaymentWei)
			}
			if i := pendingOf(c.New); i != nil {
				y.pending[i.Caller]++
				if y.escrow[i.Caller] == nil {
					y.escrow[i.Caller] = new(uint256.Int)
				}
				y.escrow[i.Caller].Add(y.escrow[i.Caller], &i.PaymentWei)
			}
		case record.NSDeadline:
			if c.Old != nil {
				y.queued[record.DueOf(c.Key)]--
			}
			if c.New != nil {
				y.queued[record.DueOf(c.Key)]++
			}
		case record.NSAgent:
			if activeAgent(c.Old) {
				y.agents--
			}
			if activeAgent(c.New) {
				y.agents++
			}
		}
	}
}

// check asserts what must hold after a block.
func (y *tally) check(s *chainState, changes []vm.Change, supply *uint256.Int) {
	t := y.t
	require.Equal(t, supply.Dec(), y.value.Dec(), "value is not conserved")
	require.LessOrEqual(t, y.open, y.queued[record.DueInteraction], "pending interactions and their deadlines")
	require.Equal(t, y.agents, must(record.DecodeTotals(s.records[record.TotalsKey])).Agents)
	checkAccount := func(a common.Address) {
		var acc record.Account
		if b := s.records[record.AccountKey(a)]; b != nil {
			acc = must(record.DecodeAccount(b))
		}
		want := new(uint256.Int)
		if e := y.escrow[a]; e != nil {
			want = e
		}
		require.Equal(t, want.Dec(), acc.Escrowed.Dec(), "escrow of %s", a)
		require.Equal(t, y.pending[a], acc.PendingInvokes, "pending INVOKEs of %s", a)
	}
	for _, c := range changes {
		if c.Key[0] != byte(record.NSInteraction) {
			continue
		}
		v := c.New
		if v == nil {
			v = c.Old
		}
		i := must(record.DecodeInteraction(v))
		checkAccount(i.Caller)
		if c.New != nil && i.Status != uint8(vm.Pending) {
			require.NotZero(t, i.SettledAt)
		}
	}
}

// population is thousands of agents that do business, most of it sensible, with the generator's hostile share among it.
type population struct {
	*vmtest.Generator
	t      *testing.T
	state  *chainState
	tally  *tally
	params record.Params
	number uint64
	time   uint64

	offers []offer
	calls  []call
	supply uint256.Int
	ops    int
	blocks []recorded
	counts map[vm.Outcome]int
}

type offer struct {
	agent      common.Address
	capability common.Hash
	price      uint256.Int
}

type call struct {
	id     common.Hash
	callee common.Address
}

// recorded is what a replay needs of a block.
type recorded struct {
	time    uint64
	baseFee uint256.Int
	txs     []*abi.Transaction
	root    trie.Hash
}

const (
	populationAccounts = 4000
	populationBlockTxs = 2500
	populationLimit    = 200_000_000
)

func populationParams() record.Params {
	p := genesis.DefaultParams()
	p.MinStakeWei, p.MinCountedPaymentWei = *uint256.NewInt(100), *uint256.NewInt(10)
	p.MaxTtlSeconds, p.StakeCooldownSeconds, p.MaxPendingInvokes, p.MaxCapabilities = 30, 40, 50, 4
	return p
}

func genesisState(p *record.Params, alloc map[common.Address]*uint256.Int) (*chainState, []vm.Change) {
	policy := genesis.DevnetPolicy()
	cs := []vm.Change{
		{Key: record.ParamsKey, New: p.Encode()}, {Key: record.PolicyKey, New: policy.Encode()},
		{Key: record.TotalsKey, New: new(record.Totals).Encode()},
	}
	for a, wei := range alloc {
		cs = append(cs, vm.Change{Key: record.AccountKey(a), New: (&record.Account{Balance: *wei}).Encode()})
	}
	s := &chainState{memory{}, trie.New()}
	s.apply(cs)
	return s, cs
}

func (p *population) block(n int) {
	p.number++
	p.time += 1 + p.Rnd.Uint64N(3)
	b := recorded{time: p.time, baseFee: *uint256.NewInt(p.Rnd.Uint64N(6))}
	overlay := vm.NewOverlay(p.state)
	m := beginBlock(p.number, &b, overlay)
	p.Get = overlay.Get
	deposits := n / 50
	for j := range n {
		p.Deposits = j < deposits
		tx := p.next()
		tx.Deposit = tx.Deposit && p.Deposits
		b.txs = append(b.txs, tx)
		messages := len(m.Messages)
		r := m.Apply(overlay, tx)
		p.counts[r.Outcome]++
		p.ops++
		if tx.Deposit {
			p.supply.Add(&p.supply, &tx.Mint)
		}
		if r.Outcome != vm.Succeeded {
			continue
		}
		if len(m.Messages) > messages {
			p.supply.Sub(&p.supply, &tx.Value)
		}
		p.learn(r)
	}
	m.Seal(overlay)
	changes := overlay.Changes()
	b.root = p.state.apply(changes)
	p.blocks = append(p.blocks, b)
	p.tally.book(changes)
	p.tally.check(p.state, changes, &p.supply)
}

func beginBlock(number uint64, b *recorded, overlay *vm.Overlay) *vm.Machine {
	m := vm.New(vm.Block{ChainID: testChainID, Number: number, Time: b.time, GasLimit: populationLimit, BaseFee: b.baseFee, Coinbase: coinbase})
	m.Begin(overlay)
	to := abi.L1BlockAddress
	data := make([]byte, abi.L1AttributesDataLength)
	copy(data, abi.L1AttributesSelector[:])
	m.Apply(overlay, &abi.Transaction{From: abi.L1AttributesDepositor, To: &to, GasLimit: 1_000_000, Data: data, Deposit: true})
	return m
}

// learn remembers offers and open calls from a transaction's events.
func (p *population) learn(r *vm.Result) {
	for _, l := range r.Logs {
		switch l.Topics[0] {
		case abi.CapabilityUpdatedTopic:
			e := must(abi.DecodeCapabilityUpdatedEvent(l))
			p.offers = append(p.offers, offer{e.Agent, e.Capability, e.PriceWei})
		case abi.InvokedTopic:
			e := must(abi.DecodeInvokedEvent(l))
			p.calls = append(p.calls, call{e.Id, e.Callee})
			p.IDs = append(p.IDs, e.Id)
		}
	}
	if len(p.offers) > 4*populationAccounts { // forget the oldest, many of which have changed since
		p.offers = slices.Clone(p.offers[len(p.offers)/2:])
	}
	if len(p.IDs) > 10_000 {
		p.IDs = slices.Clone(p.IDs[len(p.IDs)/2:])
	}
	if len(p.Old) > 1000 {
		p.Old = slices.Clone(p.Old[len(p.Old)/2:])
	}
}

// next is mostly sensible business; a quarter is whatever the generator thinks of.
func (p *population) next() *abi.Transaction {
	draw := p.Rnd.IntN(100)
	var tx *abi.Transaction
	switch {
	case draw < 38 && len(p.offers) > 0:
		o := p.offers[p.Rnd.IntN(len(p.offers))]
		c := &abi.InvokeCall{
			Salt: common.BigToHash(new(uint256.Int).SetUint64(p.Rnd.Uint64()).ToBig()), Callee: o.agent, Capability: o.capability, TtlSeconds: 5 + p.Rnd.Uint32N(20),
			MaxPriceWei: o.price, ParamsHash: common.Hash{1}, Da: abi.DAPointer{ContentHash: common.Hash{1}, LengthBytes: 64},
		}
		tx = p.sensible(p.Accounts[p.Rnd.IntN(len(p.Accounts))], o.price, c.Encode())
	case draw < 72 && len(p.calls) > 0:
		at := p.Rnd.IntN(len(p.calls))
		c := p.calls[at]
		p.calls[at] = p.calls[len(p.calls)-1]
		p.calls = p.calls[:len(p.calls)-1]
		a := &abi.RespondCall{Id: c.id, ResultHash: common.Hash{2}, Da: abi.DAPointer{ContentHash: common.Hash{2}, LengthBytes: 64}}
		if p.Rnd.IntN(8) == 0 {
			a.Status, a.ResultHash, a.Da = 1+uint8(p.Rnd.IntN(4)), common.Hash{}, abi.DAPointer{}
		}
		tx = p.sensible(c.callee, uint256.Int{}, a.Encode())
	case draw < 76:
		c := &abi.RegisterCall{Name: "agent", Capabilities: []abi.Capability{{Name: string(rune('a' + p.Rnd.IntN(26))), PriceWei: *uint256.NewInt(p.Rnd.Uint64N(50))}}}
		tx = p.sensible(p.Accounts[p.Rnd.IntN(len(p.Accounts))], *uint256.NewInt(100 + p.Rnd.Uint64N(50)), c.Encode())
	default:
		tx = p.Transaction()
		if p.Rnd.IntN(5) == 0 && !tx.Deposit {
			p.Old = append(p.Old, tx)
		}
	}
	return tx
}

func (p *population) sensible(from common.Address, value uint256.Int, data []byte) *abi.Transaction {
	var acc record.Account
	if b := p.Get(record.AccountKey(from)); b != nil {
		acc = must(record.DecodeAccount(b))
	}
	return &abi.Transaction{
		From: from, To: &abi.Address, Value: value, Data: data, Nonce: acc.Nonce, GasLimit: 60_000, FeeCap: *uint256.NewInt(20),
		TipCap: *uint256.NewInt(1), Size: 100 + len(data),
	}
}

// TestPopulation runs a million operations of thousands of agents. After every block the invariants hold; the root is that of the
// definition; in the end nothing is pending; and executing the same blocks again, from genesis, gives the same roots.
func TestPopulation(t *testing.T) {
	n, seed := *operationsFlag, uint64(1)
	if testing.Short() {
		n /= 20
	}
	t.Logf("seed %d, %d operations", seed, n)
	params := populationParams()
	p := &population{
		Generator: &vmtest.Generator{Rnd: rand.New(rand.NewPCG(seed, 7))}, t: t, tally: newTally(t), params: params, time: 1_700_000_000,
		counts: map[vm.Outcome]int{},
	}
	alloc := map[common.Address]*uint256.Int{}
	for i := range populationAccounts {
		a := common.BytesToAddress(crypto.Keccak256([]byte("population"), []byte{byte(i), byte(i >> 8)}))
		p.Accounts = append(p.Accounts, a)
		alloc[a] = uint256.NewInt(1_000_000_000)
		p.supply.Add(&p.supply, alloc[a])
	}
	var first []vm.Change
	p.state, first = genesisState(&params, alloc)
	p.tally.book(first)
	for checked := 0; p.ops < n; {
		p.block(min(populationBlockTxs, n-p.ops))
		if at := 3 * p.ops / n; at > checked {
			checked = at
			require.Equal(t, definedRoot(p.state.records), p.blocks[len(p.blocks)-1].root, "the root is not that of the definition")
		}
	}
	for i := 0; i < 3000 && p.tally.open > 0; i++ { // whatever is pending ends
		p.block(0)
	}
	require.Zero(t, p.tally.open, "an interaction never ends")
	t.Logf("%d blocks, %d records, outcomes %v", len(p.blocks), len(p.state.records), p.counts)
	require.Greater(t, p.counts[vm.Succeeded], n/3, "the simulation is lopsided: %v", p.counts)

	again, _ := genesisState(&params, alloc)
	for i := range p.blocks {
		b := &p.blocks[i]
		overlay := vm.NewOverlay(again)
		m := beginBlock(uint64(i+1), b, overlay)
		for _, tx := range b.txs {
			m.Apply(overlay, tx)
		}
		m.Seal(overlay)
		require.Equal(t, b.root, again.apply(overlay.Changes()), "block %d", i+1)
	}
}

func definedRoot(records memory) trie.Hash {
	var leaves []leaf
	for _, k := range slices.SortedFunc(maps.Keys(records), func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) }) {
		leaves = append(leaves, leaf{k, records[k]})
	}
	return naiveRoot(leaves, 0)
}
