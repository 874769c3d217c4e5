package vm_test

import (
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
	"github.com/agnt2/agnt2/agnt2/history"
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
	operations        map[string]int               // successes, by selector
	history           record.History               // what pruning has to come to
	ends              map[uint8]int                // of pruned interactions
	compositions      map[vm.CompositionStatus]int // seen, over all blocks
	constituents      map[uint8]int                // ends of pruned ones
	imported          map[record.Key]uint64        // newest source block of foreign agents
}

func operationOf(tx *abi.Transaction) string {
	if tx.To == nil || *tx.To != abi.Address && *tx.To != abi.ReputationRegistryAddress && *tx.To != abi.ValidationRegistryAddress || len(tx.Data) < 4 {
		return "other"
	}
	return string(tx.Data[:4])
}

const simulatedAccounts = 50

func newSimulator(t *testing.T, seed uint64) *simulator {
	p := testParams()
	p.MaxPendingInvokes, p.SweepsPerBlock, p.MaxCapabilities = 6, 12, 3
	p.MaxTtlSeconds, p.StakeCooldownSeconds = 30, 40
	s := &simulator{
		world: newWorld(p), Generator: &vmtest.Generator{Rnd: rand.New(rand.NewPCG(seed, 1)), ChainID: testChainID}, t: t, tree: trie.New(),
		outcomes: map[vm.Outcome]int{}, reverts: map[string]int{}, operations: map[string]int{}, ends: map[uint8]int{}, compositions: map[vm.CompositionStatus]int{},
		constituents: map[uint8]int{},
		imported:     map[record.Key]uint64{},
	}
	s.Get, s.History = s.get, &vmtest.History{}
	s.policy.EligibilityScore, s.policy.InvokesPerSecond, s.policy.InvokesBurst, s.policy.CommitWindowSeconds = 20, 1, 1, 8
	s.limit = 600_000
	s.policy.RecentSeconds, s.policy.DisputeWindowSeconds, s.policy.PrunesPerBlock = 12, 20, 4
	for i := range simulatedAccounts {
		a := s.AddKey(vmtest.Key(i))
		wei := uint256.NewInt(s.Rnd.Uint64N(300_000_000))
		s.fund(a, wei)
		s.minted.Add(&s.minted, wei)
	}
	s.policy.Governance, s.policy.DisputeResolver, s.policy.AgentPassport = s.Accounts[0], s.Accounts[1], s.Accounts[2]
	s.state[record.PolicyKey] = s.policy.Encode()
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
		for _, l := range r.Logs {
			if l.Address == abi.MessagePasserAddress {
				s.withdrawn.Add(&s.withdrawn, new(uint256.Int).SetBytes32(l.Data))
			}
		}
		s.operations[operationOf(tx)]++
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
	interactions, settled, leaving, disputes := 0, 0, 0, 0
	holds := map[common.Address]uint32{}
	overdue := false
	queuedDisputes, prunedDisputes := map[record.Key]bool{}, []record.Key(nil)
	agents, owned := uint64(0), map[record.Key]uint64{}
	for k, v := range s.state {
		held := vmtest.Held(k, v)
		total.Add(&total, &held)
		switch record.Namespace(k[0]) {
		case record.NSInteraction:
			interactions++
			i := must(record.DecodeInteraction(v))
			if vmtest.IsOpen(&i) {
				open++
				overdue = overdue || i.Deadline < s.time
			}
			if i.Status != uint8(vm.Pending) {
				require.NotZero(t, i.SettledAt)
				if i.Constituent == 0 { // those of compositions leave with these
					settled++
				} else {
					require.NotNil(t, s.state[record.CompositionKey(i.CompositionId)], "an interaction outlives its composition")
				}
				continue
			}
			if i.Constituent != 0 { // its composition holds the payment
				continue
			}
			pending[i.Caller]++
			if escrow[i.Caller] == nil {
				escrow[i.Caller] = new(uint256.Int)
			}
			escrow[i.Caller].Add(escrow[i.Caller], &i.PaymentWei)
		case record.NSComposition:
			s.checkComposition(k, v)
		case record.NSForeign:
			s.checkForeign(k, v)
		case record.NSDeadline:
			id := must(record.DecodeDeadline(v)).Id
			switch record.DueOf(k) {
			case record.DueCommitment:
				s.checkDue(k, v)
			case record.DueComposition: // perhaps at a first deadline that the composition has not lived to see
			case record.DueCompositionHistory:
				s.checkLeaving(k, id, swept)
			case record.DueHistory:
				i := must(record.DecodeInteraction(s.state[record.InteractionKey(id)]))
				require.Zero(t, i.Constituent)
				leaving++
				require.NotEqual(t, uint8(vm.Pending), i.Status)
				require.LessOrEqual(t, i.SettledAt, record.DeadlineOf(k))
			case record.DueDispute:
				b := s.state[record.DisputeKey(id)]
				if b == nil { // it went with a later interaction of the same id
					continue
				}
				d := must(record.DecodeDispute(b))
				if d.Deadline != record.DeadlineOf(k) { // nor is it that one
					continue
				}
				require.True(t, d.Outcome == uint8(vm.DisputeOpen) || d.Pruned)
				if queuedDisputes[record.DisputeKey(id)] = true; d.Outcome == uint8(vm.DisputeOpen) {
					disputes--
				}
			case record.DueInteraction:
				i := must(record.DecodeInteraction(s.state[record.InteractionKey(id)]))
				if vmtest.IsOpen(&i) {
					queued++
				} else { // answered, and left where it was
					require.Zero(t, i.Constituent)
					leaving++
				}
				require.Equal(t, k, record.DeadlineKey(i.Deadline, record.DueInteraction, id))
			}
		case record.NSDispute:
			d := must(record.DecodeDispute(v))
			var id common.Hash
			copy(id[:], k[1:])
			if d.Pruned {
				prunedDisputes = append(prunedDisputes, k)
			} else {
				require.NotNil(t, s.state[record.InteractionKey(id)], "a dispute without its interaction")
			}
			if d.Outcome != uint8(vm.DisputeOpen) {
				continue
			}
			disputes++
			holds[d.Agent]++
			if d.Due {
				leaving++ // when it ends
			}
		case record.NSChannel:
			if c := must(record.DecodeChannel(v)); c.Status != uint8(vm.ChannelClosed) {
				holds[c.AgentA]++
				holds[c.AgentB]++
			}
		case record.NSAgent:
			a := must(record.DecodeAgent(v))
			if a.Status == uint8(vm.Active) {
				registered++
			}
			checkOwner(t, k, a, s.state)
			owned[record.HoldingKey(a.Owner)]++
			agents++
		case record.NSHolding:
			if n := must(record.DecodeHolding(v)).Agents; n > 0 {
				owned[k] += 0
			}
		case record.NSDelegation:
			d := must(record.DecodeDelegation(v))
			require.False(t, d.SpendLimitWei.Lt(&d.SpentWei), "a key has spent more than it may")
		}
	}
	for k, n := range owned {
		require.Equal(t, n, must(record.DecodeHolding(s.state[k])).Agents, "agents of an owner")
		agents -= n
	}
	require.Zero(t, agents)
	require.Equal(t, open, queued, "pending interactions and deadlines")
	require.Equal(t, settled, leaving, "settled interactions, and those that will leave")
	require.Zero(t, disputes, "open disputes and their deadlines")
	for _, k := range prunedDisputes {
		require.True(t, queuedDisputes[k], "a dispute outlives its deadline")
	}
	require.Equal(t, s.history.Encode(), s.historyRecord().Encode())
	require.False(t, overdue && swept < s.params.SweepsPerBlock, "an overdue interaction was not swept")
	s.checkIndex()
	s.checkConstituents()
	s.checkFeedback()
	everyone := append(slices.Clone(s.Accounts), abi.BaseFeeVault, abi.L1FeeVault, coinbase, abi.L1AttributesDepositor, abi.L1BlockAddress)
	everyone = append(everyone, s.Owned()...)
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
		require.Equal(t, holds[a], acc.Holds, "holds of %s", a)
	}
	count := 0
	for k := range s.state {
		if k[0] == byte(record.NSAccount) {
			count++
		}
	}
	require.Equal(t, count, accounts, "an account that nobody knows")
	totals := must(record.DecodeTotals(s.state[record.TotalsKey]))
	total.Add(&total, &totals.BurnedWei)
	require.Equal(t, s.minted.Dec(), total.Dec(), "value is not conserved")
	s.checkChannels(swept)
	require.Equal(t, uint64(registered), totals.Agents)
	require.Equal(t, totals.Interactions, uint64(interactions)+s.history.Count, "interactions ever, in the state and in the history")
	require.Equal(t, 1, s.most, "a micro-step touched more than one record")
}

func (s *simulator) historyRecord() *record.History {
	h := new(record.History)
	if b := s.state[record.HistoryKey]; b != nil {
		*h = must(record.DecodeHistory(b))
	}
	return h
}

// prune follows what a block has moved into the history.
func (s *simulator) prune(m *vm.Machine) {
	s.History.Follow(m)
	for _, p := range m.Pruned {
		history.Append(&s.history, history.Leaf(p.ID, crypto.Keccak256Hash(p.Record)))
		i := must(record.DecodeInteraction(p.Record))
		if s.ends[i.Status]++; i.Constituent != 0 {
			s.constituents[i.Status]++
		}
	}
	require.LessOrEqual(s.t, uint32(len(m.Pruned)), 2*m.Policy.PrunesPerBlock) // a second attributes deposit sweeps again
}

// swept is how much of the bound on sweeps is used: all of it if that on prunes is.
func (s *simulator) swept() uint32 {
	if s.m.Op.Pruned >= s.m.Policy.PrunesPerBlock {
		return s.m.Params.SweepsPerBlock
	}
	return s.m.Op.Count
}

// checkOwner: an account's own key acts for it exactly if it is its own owner.
func checkOwner(t *testing.T, k record.Key, a record.Agent, state memory) {
	account := k
	account[0] = byte(record.NSAccount)
	acc := must(record.DecodeAccount(state[account]))
	owner := a.Owner
	if record.AgentKey(owner) == k {
		owner = common.Address{}
	}
	require.Equal(t, owner, acc.Owner)
	require.Equal(t, a.Status == uint8(vm.Active), acc.Roles&vm.RoleAgent != 0, "status and roles")
}

func (s *simulator) checkRoot() {
	require.Equal(s.t, trie.Hash(vmtest.DefinedRoot(s.state)), s.tree.Root())
}

func (s *simulator) block(i int) {
	s.Deposits = true
	s.baseFee = *uint256.NewInt(s.Rnd.Uint64N(8))
	s.l1.BaseFee, s.l1.BaseFeeScalar = *uint256.NewInt(s.Rnd.Uint64N(300)), 100
	s.open(1 + s.Rnd.Uint64N(4))
	swept := s.swept()
	s.History.Follow(s.m)
	for _, c := range s.Resolutions() { // the generator's own seldom come in time
		s.send(&abi.Transaction{From: s.policy.DisputeResolver, To: &abi.Address, GasLimit: 100_000, Data: c.Encode(), Deposit: true})
	}
	n := s.Rnd.IntN(40)
	for j := range n {
		s.Deposits = j < n/5
		s.send(s.Transaction())
	}
	if s.Rnd.IntN(10) == 0 { // a second L1-attributes deposit, as a broken derivation would send it
		to := abi.L1BlockAddress
		s.apply(&abi.Transaction{From: abi.L1AttributesDepositor, To: &to, Deposit: true, GasLimit: 1_000_000, Data: s.attributes()})
		swept = s.swept()
	}
	require.LessOrEqual(s.t, s.m.GasUsed(), s.limit)
	overlay, m := s.overlay, s.m
	s.seal()
	s.prune(m)
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
	operations, reverts, ends, constituents := map[string]int{}, map[string]int{}, map[uint8]int{}, map[uint8]int{}
	for _, n := range seeds {
		t.Logf("seed %d", n)
		s := newSimulator(t, n)
		for i := range 700 {
			s.block(i)
			if t.Failed() {
				t.Fatalf("seed %d, block %d", n, i)
			}
		}
		// whatever is still pending ends
		for i := 0; i < 5000 && s.queued() > 0; i++ {
			s.open(10)
			swept, m := s.swept(), s.m
			s.seal()
			s.prune(m)
			if i%10 == 0 {
				s.check(swept)
			}
		}
		s.check(0)
		s.checkEveryEnd(t)
		for k := range s.state {
			switch record.Namespace(k[0]) {
			case record.NSInteraction, record.NSComposition, record.NSConstituent, record.NSDispute:
				t.Errorf("%v has not gone into the history", k)
			}
		}
		t.Logf("outcomes %v, interactions by status %v, reverts %v", s.outcomes, s.ends, s.reverts)
		for _, o := range []vm.Outcome{vm.Void, vm.Failed, vm.Succeeded} {
			require.Greater(t, s.outcomes[o], 100, "the simulation is lopsided")
		}
		for k, n := range s.operations {
			operations[k] += n
		}
		for k, n := range s.reverts {
			reverts[k] += n
		}
		for k, n := range s.ends {
			ends[k] += n
		}
		for k, n := range s.constituents {
			constituents[k] += n
		}
	}
	require.GreaterOrEqual(t, len(ends), 6, "not every way to end an INVOKE was taken: %v", ends)
	for status := vm.Completed; status <= vm.Reverted; status++ {
		final := status != vm.Tentative && status != vm.Opened
		require.Equal(t, final, constituents[uint8(status)] != 0, "ends of constituents: %v", constituents)
	}
	for _, selector := range [][4]byte{
		abi.SetParamsSelector, abi.SetPolicySelector, abi.WithdrawFeesSelector, abi.DisputeSelector, abi.DisputePrunedSelector, abi.ResolveDisputeSelector,
		abi.ImportAgentSelector,
		abi.GiveFeedbackSelector, abi.RevokeFeedbackSelector, abi.AppendResponseSelector, abi.ValidationRequestSelector, abi.ValidationResponseSelector,
	} {
		require.NotZero(t, operations[string(selector[:])], "%x never succeeds", selector)
	}
	for _, name := range []string{
		"NoProviderMatches", "SlotUnknown", "SlotInUse", "DepositBelowMinimum", "DuplicateCommitment", "CommitmentUnknown", "RevealTooEarly",
		"CommitRequired", "RateLimited", "BadHistoryProof", "DisputeWindowOver", "NotPassport", "StaleImport",
		"SelfFeedback", "NothingToRate", "InteractionRated", "FeedbackIsRevoked", "FeedbackUnknown",
		"ValidationExists", "ValidationUnknown", "NotValidator",
	} {
		require.NotZero(t, reverts[name], "%s never happened: %v", name, reverts)
	}
	require.Greater(t, len(reverts), 50, "the simulation is lopsided: %v", reverts)
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
