package simulation

import (
	"maps"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

// ledger follows sums over all records from the changes of each block, so that checking a block costs what it changed. That
// the sums are those of the records is checked now and then, by adding up again.
type ledger struct {
	value  uint256.Int // wei in balances, stakes, escrows, channels, bonds and deposits, and burned
	sums   map[common.Address]*sums
	count  map[what]int
	queued map[record.DeadlineKind]int
}

// sums are what an account's record says of other records.
type sums struct {
	escrow         uint256.Int
	pending, holds uint32
}

type what int

const (
	openInteractions what = iota
	interactions
	settled // and due to leave the state
	openDisputes
	endedDisputes // about interactions in the history
	keptBack      // settled, and kept by a dispute after their time
	openChannels
	commitments
	activeCompositions
	activeAgents
)

func newLedger() *ledger {
	return &ledger{sums: map[common.Address]*sums{}, count: map[what]int{}, queued: map[record.DeadlineKind]int{}}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (l *ledger) of(a common.Address) *sums {
	s := l.sums[a]
	if s == nil {
		s = new(sums)
		l.sums[a] = s
	}
	return s
}

func worth(k record.Key, v []byte) (wei uint256.Int) {
	switch record.Namespace(k[0]) {
	case record.NSAccount:
		a := must(record.DecodeAccount(v))
		wei.Add(&a.Balance, &a.Stake)
		return wei
	case record.NSGlobal:
		if k == record.TotalsKey {
			return must(record.DecodeTotals(v)).BurnedWei
		}
		return wei
	}
	return vmtest.Held(k, v)
}

// book takes a block's changes in, and names the accounts that other records speak of.
func (l *ledger) book(changes []vm.Change) (named map[common.Address]bool) {
	named = map[common.Address]bool{}
	for _, c := range changes {
		if c.Old != nil {
			l.add(c.Key, c.Old, -1, named)
		}
		if c.New != nil {
			l.add(c.Key, c.New, 1, named)
		}
	}
	return named
}

func (l *ledger) add(k record.Key, v []byte, sign int, named map[common.Address]bool) {
	if wei := worth(k, v); sign > 0 {
		l.value.Add(&l.value, &wei)
	} else {
		l.value.Sub(&l.value, &wei)
	}
	one := func(w what, is bool) {
		if is {
			l.count[w] += sign
		}
	}
	hold := func(a common.Address) {
		named[a] = true
		l.of(a).holds += uint32(sign)
	}
	switch record.Namespace(k[0]) {
	case record.NSInteraction:
		i := must(record.DecodeInteraction(v))
		one(interactions, true)
		one(openInteractions, vmtest.IsOpen(&i))
		one(settled, i.Status != uint8(vm.Pending) && i.Constituent == 0)
		named[i.Caller] = true
		if i.Status == uint8(vm.Pending) && i.Constituent == 0 { // a constituent's payment is its composition's
			s := l.of(i.Caller)
			s.pending += uint32(sign)
			if sign > 0 {
				s.escrow.Add(&s.escrow, &i.PaymentWei)
			} else {
				s.escrow.Sub(&s.escrow, &i.PaymentWei)
			}
		}
	case record.NSDispute:
		if d := must(record.DecodeDispute(v)); d.Outcome == uint8(vm.DisputeOpen) {
			one(openDisputes, true)
			one(keptBack, d.Due)
			hold(d.Agent)
		} else {
			one(endedDisputes, d.Pruned)
		}
	case record.NSChannel:
		if c := must(record.DecodeChannel(v)); c.Status != uint8(vm.ChannelClosed) {
			one(openChannels, true)
			hold(c.AgentA)
			hold(c.AgentB)
		}
	case record.NSCommitment:
		one(commitments, true)
	case record.NSComposition:
		one(activeCompositions, must(record.DecodeComposition(v)).Status == uint8(vm.CompositionActive))
	case record.NSAgent:
		one(activeAgents, must(record.DecodeAgent(v)).Status == uint8(vm.Active))
	case record.NSDeadline:
		l.queued[record.DueOf(k)] += sign
	}
}

// check asserts what must hold after a block that has made these changes. busy: the sweep had more to do than it may.
func (l *ledger) check(t require.TestingT, m *model, supply *uint256.Int, changes []vm.Change, named map[common.Address]bool, time uint64, busy bool) {
	require.Equal(t, supply.Dec(), l.value.Dec(), "value is not conserved")
	answered := l.queued[record.DueInteraction] - l.count[openInteractions] // and left in the queue until their deadline
	require.GreaterOrEqual(t, answered, 0, "pending interactions without a deadline")
	// More if the id of an interaction that was disputed comes again.
	require.LessOrEqual(t, l.count[openDisputes]+l.count[endedDisputes], l.queued[record.DueDispute], "disputes and their deadlines")
	require.Equal(t, l.count[openChannels], l.queued[record.DueChannel], "channels and their ends")
	require.Equal(t, l.count[commitments], l.queued[record.DueCommitment], "commitments and their deadlines")
	require.LessOrEqual(t, l.count[settled], answered+l.queued[record.DueHistory]+l.count[keptBack], "settled interactions that never leave the state")
	require.LessOrEqual(t, l.count[activeCompositions], l.queued[record.DueComposition], "compositions without a deadline")
	totals := must(record.DecodeTotals(m.records[record.TotalsKey]))
	require.Equal(t, uint64(l.count[activeAgents]), totals.Agents)
	var history record.History
	if b := m.records[record.HistoryKey]; b != nil {
		history = must(record.DecodeHistory(b))
	}
	require.Equal(t, totals.Interactions, uint64(l.count[interactions])+history.Count, "interactions ever, in the state and in the history")
	for a := range named {
		l.checkAccount(t, m, a)
	}
	for _, c := range changes {
		if c.New != nil {
			l.checkRecord(t, m, c.Key, c.New, supply)
		}
	}
	if first, ok := m.DeadlineAfter(nil); ok && !busy {
		require.GreaterOrEqual(t, record.DeadlineOf(first), time, "something has been overdue since before this block: %v", first)
	}
}

func (l *ledger) checkAccount(t require.TestingT, m *model, a common.Address) {
	var acc record.Account
	if b := m.records[record.AccountKey(a)]; b != nil {
		acc = must(record.DecodeAccount(b))
	}
	s := l.of(a)
	require.Equal(t, s.escrow.Dec(), acc.Escrowed.Dec(), "escrow of %s", a)
	require.Equal(t, s.pending, acc.PendingInvokes, "pending INVOKEs of %s", a)
	require.Equal(t, s.holds, acc.Holds, "holds of %s", a)
}

// checkRecord looks at one record that a block has written.
func (l *ledger) checkRecord(t require.TestingT, m *model, k record.Key, v []byte, supply *uint256.Int) {
	wei := worth(k, v)
	require.False(t, wei.Gt(supply), "%v holds %s wei: below zero", k, wei.Dec())
	queued := func(at uint64, kind record.DeadlineKind, id common.Hash) {
		require.NotNil(t, m.records[record.DeadlineKey(at, kind, id)], "%v has no deadline", k)
	}
	switch record.Namespace(k[0]) {
	case record.NSInteraction:
		i := must(record.DecodeInteraction(v))
		if i.Status != uint8(vm.Pending) {
			require.NotZero(t, i.SettledAt)
		}
	case record.NSComposition:
		c := must(record.DecodeComposition(v))
		vmtest.CheckComposition(t, &c)
	case record.NSDelegation:
		d := must(record.DecodeDelegation(v))
		require.False(t, d.SpendLimitWei.Lt(&d.SpentWei), "a key has spent more than it may")
	case record.NSAgent:
		a, key := must(record.DecodeAgent(v)), k
		key[0] = byte(record.NSAccount)
		acc := must(record.DecodeAccount(m.records[key]))
		owner := a.Owner
		if record.AgentKey(owner) == k {
			owner = common.Address{}
		}
		require.Equal(t, owner, acc.Owner)
		require.Equal(t, a.Status == uint8(vm.Active), acc.Roles&vm.RoleAgent != 0, "status and roles")
	case record.NSDeadline:
		id := must(record.DecodeDeadline(v)).Id
		switch record.DueOf(k) {
		case record.DueInteraction:
			i := must(record.DecodeInteraction(m.records[record.InteractionKey(id)]))
			require.True(t, vmtest.IsOpen(&i) || i.Constituent == 0, "queued with status %d", i.Status)
			queued(i.Deadline, record.DueInteraction, id)
		case record.DueHistory:
			i := must(record.DecodeInteraction(m.records[record.InteractionKey(id)]))
			require.NotEqual(t, uint8(vm.Pending), i.Status)
		case record.DueDispute:
			d := must(record.DecodeDispute(m.records[record.DisputeKey(id)]))
			require.True(t, d.Outcome == uint8(vm.DisputeOpen) || d.Pruned)
			queued(d.Deadline, record.DueDispute, id)
		case record.DueCommitment:
			c := must(record.DecodeCommitment(m.records[record.CommitmentKey(id)]))
			require.Equal(t, vm.CommitmentID(c.Caller, c.Commitment), id)
			queued(c.Deadline, record.DueCommitment, id)
		case record.DueComposition:
			require.NotNil(t, m.records[record.CompositionKey(id)])
		case record.DueCompositionHistory:
			require.NotZero(t, must(record.DecodeComposition(m.records[record.CompositionKey(id)])).LeavesAt)
		case record.DueChannel:
			c := must(record.DecodeChannel(m.records[record.ChannelKey(id)]))
			require.NotEqual(t, uint8(vm.ChannelClosed), c.Status)
		}
	}
}

// recount adds up all records again: the sums that were followed block by block have to be theirs, and every account's.
func (l *ledger) recount(t require.TestingT, m *model) {
	again, named, queue := newLedger(), map[common.Address]bool{}, 0
	owned := map[record.Key]uint64{}
	for k, v := range m.records {
		again.add(k, v, 1, named)
		switch record.Namespace(k[0]) {
		case record.NSAgent:
			owned[record.HoldingKey(must(record.DecodeAgent(v)).Owner)]++
		case record.NSHolding:
			owned[k] += 0
		case record.NSDeadline:
			queue++
		}
	}
	require.Equal(t, again.value.Dec(), l.value.Dec())
	for w, n := range l.count {
		require.Equal(t, again.count[w], n, "count %d", w)
	}
	for kind, n := range l.queued {
		require.Equal(t, again.queued[kind], n, "queue of kind %d", kind)
		queue -= n
	}
	require.Zero(t, queue, "entries of an unknown kind")
	for k, n := range owned {
		require.Equal(t, n, must(record.DecodeHolding(m.records[k])).Agents, "agents of an owner")
	}
	maps.DeleteFunc(l.sums, func(a common.Address, s *sums) bool { return *s == sums{} && again.sums[a] == nil })
	require.Len(t, l.sums, len(again.sums))
	for a, s := range again.sums {
		require.Equal(t, *s, *l.of(a), "sums of %s", a)
		l.checkAccount(t, m, a)
	}
	require.Equal(t, vmtest.DefinedRoot(m.records), [32]byte(m.root.sum()), "the tree's root is not that of the definition")
}

// waiting reports whether anything is queued.
func (l *ledger) waiting() bool {
	for _, n := range l.queued {
		if n != 0 {
			return true
		}
	}
	return false
}

// checkEnded asserts that nothing waits for anything any more.
func (l *ledger) checkEnded(t require.TestingT, m *model) {
	for w, n := range map[string]int{
		"pending interactions": l.count[openInteractions], "settled interactions that never leave": l.count[settled], "open disputes": l.count[openDisputes],
		"open channels": l.count[openChannels], "commitments": l.count[commitments], "active compositions": l.count[activeCompositions],
	} {
		require.Zero(t, n, w)
	}
	for kind, n := range l.queued {
		require.Zero(t, n, "queue of kind %d", kind)
	}
	for k, v := range m.records {
		held := vmtest.Held(k, v)
		require.True(t, held.IsZero(), "%v still holds %s wei", k, held.Dec())
		switch record.Namespace(k[0]) {
		case record.NSAccount:
			a := must(record.DecodeAccount(v))
			require.True(t, a.Escrowed.IsZero() && a.PendingInvokes == 0 && a.Holds == 0, "%v has something in escrow or on hold", k)
		case record.NSInteraction, record.NSDispute, record.NSComposition, record.NSConstituent:
			require.Fail(t, "never leaves the state", "%v", k)
		}
	}
}
