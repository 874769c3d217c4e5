package vm

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// The index of DISCOVER (paper App. A.1): for every capability a dense list of the agents that offer it, slots 1 to count,
// one record each. An agent's slot is in its Capability record, so entering, leaving and moving are a few single records.
//
// An agent that deregisters stays in the index, because it may have 64 capabilities and leaving must be bounded. Such an
// entry is dead: readers see by the agent's status and the capability's epoch that they have to pass over it. It comes to
// life again if the agent registers the capability again; anyone may take it out (reclaimSlot).

const marketFrames = OpensOp | OpensSearch

var marketProgram = map[Step]instruction{
	IndexCount:          {"indexCount", OpensOp, 0, stepIndexCount},
	IndexSlot:           {"indexSlot", OpensOp, 0, stepIndexSlot},
	IndexMoved:          {"indexMoved", OpensOp, 0, stepIndexMoved},
	CandidateAgent:      {"candidateAgent", OpensOp, 0, stepCandidateAgent},
	CandidateCapability: {"candidateCapability", marketFrames, 0, stepCandidateCapability},
	CandidateDetail:     {"candidateDetail", marketFrames, 0, stepCandidateDetail},
	CandidateReputation: {"candidateReputation", marketFrames, 0, stepCandidateReputation},
	DiscoverArgs:        {"discoverArgs", OpensBlock | OpensOp | OpensParams | OpensPolicy | OpensData, OpensSearch, stepDiscoverArgs},
	InvokeReputation:    {"invokeReputation", OpensOp | OpensCall, 0, stepInvokeReputation},
	Commitment:          {"commitment", OpensBlock | OpensOp | OpensParams | OpensPolicy | OpensData, 0, stepCommitment},
	CommitmentDeadline:  {"commitmentDeadline", OpensOp, 0, stepCommitmentDeadline},
	SweepCommitment:     {"sweepCommitment", OpensSums | OpensOp, 0, stepSweepCommitment},
}

var marketOperations = map[[4]byte]operation{
	abi.DiscoverInvokeSelector: op(abi.DecodeDiscoverInvokeCall, true, DiscoverArgs),
	abi.ReclaimSlotSelector:    op(abi.DecodeReclaimSlotCall, false, DiscoverArgs),
	abi.CommitSelector:         op(abi.DecodeCommitCall, true, Commitment),
	abi.RevealSelector:         op(abi.DecodeRevealCall, true, Commitment),
}

// What an operation does with the index, in Op.Status. Op.Id is the capability.
const (
	indexAdd     = 1 + iota // Op.Pairs becomes the new slot
	indexRemove             // Op.Pairs leaves; Op.Branch is the last slot
	indexMove               // the last slot's agent, Op.Word, goes to Op.Pairs
	indexReclaim            // Op.Pairs is looked at: does its agent, Op.Word, still offer the capability?
	indexScan               // the same of slot Op.Index + 1, for Op.Count slots; Op.Branch is the number of slots
)

// addToIndex gives the capability that is being written a slot; writeCapability follows again.
func (m *Machine) addToIndex(capability common.Hash) Step {
	m.Op.Id, m.Op.Status = capability, indexAdd
	return IndexCount
}

// removeFromIndex takes a slot out.
func (m *Machine) removeFromIndex(capability common.Hash, slot uint32) Step {
	m.Op.Id, m.Op.Status, m.Op.Pairs = capability, indexRemove, uint64(slot)
	return IndexCount
}

// removed is what follows when a slot is out of the index.
func (m *Machine) removed() Step {
	m.Op.Pairs = 0
	if m.Op.Flag { // reclaimSlot does nothing else
		return TxEnd
	}
	return RemoveCapabilityDetail
}

func agentWord(a common.Address) common.Hash { return common.BytesToHash(a[:]) }

func wordAgent(w common.Hash) common.Address { return common.BytesToAddress(w[12:]) }

func stepIndexCount(m *Machine, s State) Step {
	o := &m.Op
	k := record.IndexCountKey(o.Id)
	old := m.get(s, k)
	var n record.IndexCount
	if old != nil {
		n = decoded(record.DecodeIndexCount(old))
	}
	switch o.Status {
	case indexAdd:
		n.Count++
		o.Pairs = uint64(n.Count)
	case indexRemove:
		o.Branch = n.Count
		n.Count--
	default:
		return m.beginScan(n.Count)
	}
	m.set(s, k, old, n.Encode())
	return IndexSlot
}

func stepIndexSlot(m *Machine, s State) Step {
	o := &m.Op
	slot := uint32(o.Pairs)
	switch o.Status {
	case indexRemove:
		slot = o.Branch
	case indexScan:
		slot = o.Index + 1
	}
	k := record.IndexSlotKey(o.Id, slot)
	old := m.get(s, k)
	switch o.Status {
	case indexAdd:
		m.set(s, k, old, (&record.IndexSlot{Agent: o.From}).Encode())
		return WriteCapability
	case indexMove:
		m.set(s, k, old, (&record.IndexSlot{Agent: wordAgent(o.Word)}).Encode())
		return IndexMoved
	}
	if old == nil && o.Status == indexReclaim {
		return m.fail(&abi.SlotUnknown{Capability: o.Id, Slot: slot})
	}
	entry := decoded(record.DecodeIndexSlot(old))
	o.Word = agentWord(entry.Agent)
	switch {
	case o.Status != indexRemove:
		return m.candidate(entry.Agent)
	case slot == uint32(o.Pairs):
		m.set(s, k, old, nil)
		return m.removed()
	}
	m.set(s, k, old, nil)
	o.Status = indexMove
	return IndexSlot
}

// stepIndexMoved tells the agent that was in the last slot where it is now.
func stepIndexMoved(m *Machine, s State) Step {
	k := record.CapabilityKey(wordAgent(m.Op.Word), m.Op.Id)
	old := m.get(s, k)
	c := decoded(record.DecodeCapability(old))
	c.Slot = uint32(m.Op.Pairs)
	m.set(s, k, old, c.Encode())
	return m.removed()
}

// reclaim takes the entry of the candidate out, whose Capability record is old, if it is dead.
func (m *Machine) reclaim(s State, k record.Key, old []byte, c record.Capability) Step {
	agent := wordAgent(m.Op.Word)
	if c.Epoch == m.Op.Epoch {
		return m.fail(&abi.SlotInUse{Agent: agent, Capability: m.Op.Id})
	}
	slot := c.Slot
	c.Slot = 0
	m.set(s, k, old, c.Encode())
	m.Op.Flag = true
	m.emit((&abi.SlotReclaimedEvent{Agent: agent, Capability: m.Op.Id, Slot: slot}).Log(abi.Address))
	return m.removeFromIndex(m.Op.Id, slot)
}
