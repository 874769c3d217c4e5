package vm

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// Pruning of compositions (paper App. D.5). When all of a composition is paid or refunded, sweepAdvance hands it over to here.
// Policy.recentSeconds later the sweep moves the interactions of its constituents into the history, one by one, and removes its
// records, the Composition last. The records say how far that has come, so a block can stop anywhere: a constituent whose
// record is gone is done with, and its iteration counts the interactions that it still has.

const (
	ComposeHistory Step = 228 + iota
	PruneComposition
	PruneConstituent
	PruneCallDispute
	PruneCall
	DropComposition
)

var pruneProgram = map[Step]instruction{
	ComposeHistory:   {"composeHistory", OpensBlock | OpensOp | OpensPolicy, 0, stepComposeHistory},
	PruneComposition: {"pruneComposition", OpensOp, 0, stepPruneComposition},
	PruneConstituent: {"pruneConstituent", OpensBlock | OpensOp | OpensPolicy, 0, stepPruneConstituent},
	PruneCallDispute: {"pruneCallDispute", OpensBlock | OpensOp, 0, stepPruneCallDispute},
	PruneCall:        {"pruneCall", OpensOp, 0, stepPruneCall},
	DropComposition:  {"dropComposition", OpensOp, 0, stepDropComposition},
}

// stepComposeHistory decides when a composition that is over leaves the state: not before what it has in the queue, which is
// what was pending when it reverted. It may be looked at again, so the record says that this is done.
func stepComposeHistory(m *Machine, s State) Step {
	k := record.CompositionKey(m.Op.Id)
	c := composition(m.get(s, k))
	if c.LeavesAt != 0 {
		return SweepNext
	}
	c.LeavesAt = max(m.Block.Time+uint64(m.Policy.RecentSeconds), c.Deadline)
	m.put(s, k, c.Encode())
	return m.queueLater(c.LeavesAt, record.DueCompositionHistory, m.Op.Id, SweepNext)
}

// stepPruneComposition begins with the last constituent. Op.Status is the composition's, Op.Epoch the most interactions that a
// constituent can have left.
func stepPruneComposition(m *Machine, s State) Step {
	c := composition(m.get(s, record.CompositionKey(m.Op.Id)))
	m.Op.Status, m.Op.Index, m.Op.Epoch = c.Status, uint32(c.Count)-1, MaxLoopIterations
	return PruneConstituent
}

// stepPruneConstituent chooses the next interaction.
func stepPruneConstituent(m *Machine, s State) Step {
	o, index := &m.Op, uint8(m.Op.Index)
	k := record.ConstituentKey(o.Id, index)
	b := m.get(s, k)
	if b == nil {
		return m.nextConstituent()
	}
	x := decoded(record.DecodeConstituent(b))
	x.Iteration = min(x.Iteration, uint8(o.Epoch))
	if x.Iteration == 0 {
		m.put(s, k, nil)
		return m.nextConstituent()
	}
	m.put(s, k, x.Encode())
	if o.Pruned > m.Policy.PrunesPerBlock { // what was taken from the queue counts as one
		return m.queueLater(m.Block.Time, record.DueCompositionHistory, o.Id, SweepNext)
	}
	o.Word, o.Epoch = ConstituentID(o.Id, index, x.Iteration), uint32(x.Iteration)
	return PruneCallDispute
}

func (m *Machine) nextConstituent() Step {
	if m.Op.Index == 0 {
		return DropComposition
	}
	m.Op.Index--
	m.Op.Epoch = MaxLoopIterations
	return PruneConstituent
}

// stepPruneCallDispute looks for a dispute. The whole composition waits for the end of its window, so that its id, and with it
// those of its interactions, is not free again before.
func stepPruneCallDispute(m *Machine, s State) Step {
	k := record.DisputeKey(m.Op.Word)
	b := m.get(s, k)
	if b == nil {
		return PruneCall
	}
	d := decoded(record.DecodeDispute(b))
	if d.Outcome == uint8(DisputeOpen) || m.Block.Time <= d.Deadline {
		return m.queueLater(d.Deadline, record.DueCompositionHistory, m.Op.Id, SweepNext)
	}
	m.put(s, k, nil)
	return PruneCall
}

func stepPruneCall(m *Machine, s State) Step {
	o := &m.Op
	k := record.InteractionKey(o.Word)
	i := decoded(record.DecodeInteraction(m.get(s, k)))
	assert(i.Status != uint8(Pending), "pending interaction of a composition that is over")
	finalize(&i, CompositionStatus(o.Status))
	b := i.Encode()
	m.put(s, k, nil)
	m.Pruned = append(m.Pruned, Pruned{o.Word, b})
	o.Word = history.Leaf(o.Word, common.Hash(trie.HashRecord(b)))
	o.Pruned++
	o.Epoch--
	o.Branch = uint32(PruneConstituent)
	return PruneHistory
}

// finalize gives an interaction of an atomic composition the status that the composition's amounts to, which nobody can look up
// later. What was reverted has no result.
func finalize(i *record.Interaction, c CompositionStatus) {
	status := InteractionStatus(i.Status)
	switch {
	case c == CompositionReverted && (status == Tentative || status == Opened):
		i.Status, i.ResultHash, i.Branch = uint8(Reverted), common.Hash{}, 0
	case c == CompositionCommitted && status == Opened:
		i.Status = uint8(Completed)
	}
}

func stepDropComposition(m *Machine, s State) Step {
	k := record.CompositionKey(m.Op.Id)
	assert(m.get(s, k) != nil, "composition is not there")
	m.put(s, k, nil)
	return SweepNext
}
