package vm

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// Tiers of interactions (paper App. D.5): a settled interaction keeps its own record for Policy.recentSeconds, then the sweep
// moves it into the history, which is one record of Merkle peaks (agnt2/history). One that is disputed waits for the end of
// its dispute.

const (
	SweepHistory Step = 176 + iota
	PruneDispute
	PruneInteraction
	PruneHistory
)

var historyProgram = map[Step]instruction{
	SweepHistory:     {"sweepHistory", OpensBlock | OpensOp | OpensCall | OpensPolicy, 0, stepSweepHistory},
	PruneDispute:     {"pruneDispute", OpensBlock | OpensOp, 0, stepPruneDispute},
	PruneInteraction: {"pruneInteraction", OpensOp, 0, stepPruneInteraction},
	PruneHistory:     {"pruneHistory", OpensOp, 0, stepPruneHistory},
}

// queueHistory queues a settled interaction for its removal.
func (m *Machine) queueHistory(s State, at uint64) {
	m.set(s, record.DeadlineKey(at, record.DueHistory, m.Op.Id), nil, (&record.Deadline{Id: m.Op.Id}).Encode())
}

// stepSweepHistory follows a time-out, and an interaction that was answered before its deadline: that may be long ago.
func stepSweepHistory(m *Machine, s State) Step {
	until := m.Call.SettledAt + uint64(m.Policy.RecentSeconds)
	if until < m.Block.Time {
		return PruneDispute
	}
	m.queueHistory(s, until)
	return SweepNext
}

// stepPruneDispute looks for a dispute. An open one keeps the interaction. One that has ended goes with it, but not before its
// deadline: until then the interaction could be disputed once more from the history.
func stepPruneDispute(m *Machine, s State) Step {
	k := record.DisputeKey(m.Op.Id)
	old := m.get(s, k)
	if old == nil {
		return PruneInteraction
	}
	d := decoded(record.DecodeDispute(old))
	if d.Outcome == uint8(DisputeOpen) {
		d.Due = true
		m.put(s, k, d.Encode())
		return SweepNext
	}
	if m.Block.Time > d.Deadline {
		m.put(s, k, nil)
		return PruneInteraction
	}
	d.Pruned = true
	m.put(s, k, d.Encode())
	return m.queueLater(d.Deadline, record.DueDispute, m.Op.Id, PruneInteraction)
}

func stepPruneInteraction(m *Machine, s State) Step {
	k := record.InteractionKey(m.Op.Id)
	b := m.get(s, k)
	i := decoded(record.DecodeInteraction(b))
	assert(i.Status != uint8(Pending), "pending interaction is queued for the history")
	m.Op.Word = history.Leaf(m.Op.Id, common.Hash(trie.HashRecord(b)))
	m.put(s, k, nil)
	m.Pruned = append(m.Pruned, Pruned{m.Op.Id, b})
	m.Op.Branch = uint32(SweepNext)
	return PruneHistory
}

func stepPruneHistory(m *Machine, s State) Step {
	var h record.History
	if b := m.get(s, record.HistoryKey); b != nil {
		h = decoded(record.DecodeHistory(b))
	}
	history.Append(&h, m.Op.Word)
	m.put(s, record.HistoryKey, h.Encode())
	return Step(m.Op.Branch)
}
