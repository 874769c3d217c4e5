package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// DISPUTE (paper App. A.1): the caller of a settled interaction objects to it, with a bond. While a dispute is open, the
// interaction stays out of the history and the agent's stake stays where it is. A computational dispute is judged by a game
// on L1 and resolved by deposit; a qualitative one is counted and judged by nobody; the sweep ends what is open at the
// window's end.

const (
	DisputeArgs Step = 180 + iota
	DisputeInteraction
	DisputeRecord
	DisputeDeadline
	DisputeAgent
	DisputeReputation
	ResolveArgs
	ResolveRecord
	ResolveDeadline
	SweepDispute
	CloseBond
	CloseHold
	CloseReputation
	CloseQueue
	CloseEvent
)

// Disputes of interactions that are in the history.
const (
	DisputePrunedArgs Step = 234 + iota
	DisputeHistory
)

const disputeFrames = OpensBlock | OpensOp | OpensPolicy

var disputeProgram = map[Step]instruction{
	DisputeArgs:        {"disputeArgs", disputeFrames | OpensParams | OpensData, 0, stepDisputeArgs},
	DisputeInteraction: {"disputeInteraction", OpensOp, OpensCall, stepDisputeInteraction},
	DisputeRecord:      {"disputeRecord", disputeFrames | OpensCall | OpensData, 0, stepDisputeRecord},
	DisputeDeadline:    {"disputeDeadline", disputeFrames, 0, stepDisputeDeadline},
	DisputeAgent:       {"disputeAgent", OpensOp | OpensCall, 0, stepDisputeAgent},
	DisputeReputation:  {"disputeReputation", OpensCall, 0, stepDisputeReputation},
	ResolveArgs:        {"resolveArgs", disputeFrames | OpensTx | OpensParams | OpensData, 0, stepResolveArgs},
	ResolveRecord:      {"resolveRecord", OpensOp, OpensDispute, stepResolveRecord},
	ResolveDeadline:    {"resolveDeadline", OpensOp | OpensDispute, 0, stepResolveDeadline},
	SweepDispute:       {"sweepDispute", OpensBlock | OpensOp, OpensDispute, stepSweepDispute},
	CloseBond:          {"closeBond", disputeFrames | OpensSums | OpensDispute, 0, stepCloseBond},
	CloseHold:          {"closeHold", OpensOp | OpensDispute, 0, stepCloseHold},
	CloseReputation:    {"closeReputation", OpensOp | OpensDispute, 0, stepCloseReputation},
	CloseQueue:         {"closeQueue", OpensBlock | OpensOp, 0, stepCloseQueue},
	CloseEvent:         {"closeEvent", OpensOp | OpensDispute, 0, stepCloseEvent},
	DisputePrunedArgs:  {"disputePrunedArgs", disputeFrames | OpensParams | OpensData, OpensCall, stepDisputePrunedArgs},
	DisputeHistory:     {"disputeHistory", OpensOp, 0, stepDisputeHistory},
}

var disputeOperations = map[[4]byte]operation{
	abi.DisputeSelector:        op(abi.DecodeDisputeCall, true, DisputeArgs),
	abi.DisputePrunedSelector:  op(abi.DecodeDisputePrunedCall, true, DisputePrunedArgs),
	abi.ResolveDisputeSelector: op(abi.DecodeResolveDisputeCall, false, ResolveArgs),
}

// disputeCall is what the operation in progress says of the dispute; pruned, that the interaction is in the history.
func (m *Machine) disputeCall() (c *abi.DisputeCall, pruned bool) {
	switch x := m.args.(type) {
	case *abi.DisputeCall:
		return x, false
	case *abi.DisputePrunedCall:
		return &abi.DisputeCall{Kind: x.Kind, Target: x.Target, Game: x.Game, EvidenceHash: x.EvidenceHash, Da: x.Da}, true
	}
	panic("operation disputes nothing")
}

// stepDisputeArgs checks what needs no record.
func stepDisputeArgs(m *Machine, _ State) Step {
	c, _ := m.disputeCall()
	return m.checkDispute(c, DisputeInteraction)
}

// checkDispute checks the arguments that both ways to dispute have. The kind stays in Op.Status.
func (m *Machine) checkDispute(c *abi.DisputeCall, then Step) Step {
	if !m.use(gas.Dispute(&m.Params, &m.Policy, c.Da.LengthBytes)) {
		return m.outOfGas()
	}
	kind := DisputeKind(c.Kind)
	switch {
	case kind != Computational && kind != Qualitative:
		return m.fail(outOfRange("kind"))
	case (c.Game != common.Address{}) != (kind == Computational):
		return m.fail(outOfRange("game"))
	case c.Da.Backend >= daBackends:
		return m.fail(outOfRange("da.backend"))
	case c.Da.ContentHash != c.EvidenceHash:
		return m.fail(&abi.DACommitmentMismatch{Expected: c.EvidenceHash, ContentHash: c.Da.ContentHash})
	case m.Op.Value.Lt(&m.Policy.DisputeBondWei):
		return m.fail(&abi.BondTooLow{BondWei: m.Op.Value, MinimumWei: m.Policy.DisputeBondWei})
	}
	m.Op.Id, m.Op.Status = c.Target, c.Kind
	return then
}

// stepDisputePrunedArgs takes the interaction out of the calldata, and the peak that its path leads to: in Op.Word, its height in
// Op.Index, the leaf's index in Op.Pairs.
func stepDisputePrunedArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.DisputePrunedCall)
	of, _ := m.disputeCall()
	if next := m.checkDispute(of, DisputeHistory); next != DisputeHistory {
		return next
	}
	if len(c.Path) > history.MaxHeight {
		return m.fail(outOfRange("path"))
	}
	i := record.Interaction(c.Interaction)
	if i.Caller != m.Op.From {
		return m.fail(&abi.NotCaller{Sender: m.Op.From, Caller: i.Caller})
	}
	if until := i.SettledAt + uint64(m.Policy.DisputeWindowSeconds); until < m.Block.Time {
		return m.fail(&abi.DisputeWindowOver{Target: c.Target, Deadline: until})
	}
	leaf := history.Leaf(c.Target, common.Hash(trie.HashRecord(i.Encode())))
	m.Op.Word, m.Op.Index, m.Op.Pairs = history.Fold(leaf, c.Index, c.Path), uint32(len(c.Path)), c.Index
	m.Call = i
	return DisputeHistory
}

// stepDisputeHistory compares that with the history.
func stepDisputeHistory(m *Machine, s State) Step {
	o := &m.Op
	var h record.History
	if b := m.get(s, record.HistoryKey); b != nil {
		h = decoded(record.DecodeHistory(b))
	}
	if err := history.VerifyPeak(&h, o.Word, o.Pairs, int(o.Index)); err != nil {
		return m.fail(&abi.BadHistoryProof{Target: o.Id})
	}
	return DisputeRecord
}

func stepDisputeInteraction(m *Machine, s State) Step {
	id := m.Op.Id
	b := m.get(s, record.InteractionKey(id))
	if b == nil {
		return m.fail(&abi.InteractionUnknown{Id: id})
	}
	m.Call = decoded(record.DecodeInteraction(b))
	switch {
	case m.Call.Caller != m.Op.From:
		return m.fail(&abi.NotCaller{Sender: m.Op.From, Caller: m.Call.Caller})
	case m.Call.Status == uint8(Pending):
		return m.fail(&abi.InteractionPending{Id: id})
	}
	return DisputeRecord
}

func (m *Machine) disputeDeadline() uint64 {
	return m.Block.Time + uint64(m.Policy.DisputeWindowSeconds)
}

func stepDisputeRecord(m *Machine, s State) Step {
	c, pruned := m.disputeCall()
	k := record.DisputeKey(m.Op.Id)
	if m.get(s, k) != nil {
		return m.fail(&abi.DisputeExists{Target: m.Op.Id})
	}
	d := record.Dispute{
		Kind: c.Kind, Claimant: m.Call.Caller, Agent: m.Call.Callee, Game: c.Game, EvidenceHash: c.EvidenceHash, BondWei: m.Op.Value,
		Deadline: m.disputeDeadline(), Pruned: pruned,
	}
	m.set(s, k, nil, d.Encode())
	m.emit((&abi.DisputeOpenedEvent{
		Target: m.Op.Id, Claimant: d.Claimant, Agent: d.Agent, Kind: d.Kind, Game: d.Game, EvidenceHash: d.EvidenceHash,
		BondWei: d.BondWei, Deadline: d.Deadline, Da: c.Da,
	}).Log(abi.Address))
	return DisputeDeadline
}

func stepDisputeDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(m.disputeDeadline(), record.DueDispute, m.Op.Id)
	m.set(s, k, nil, (&record.Deadline{Id: m.Op.Id}).Encode())
	return DisputeAgent
}

// stepDisputeAgent keeps the agent's stake.
func stepDisputeAgent(m *Machine, s State) Step {
	k := record.AccountKey(m.Call.Callee)
	old := m.get(s, k)
	a := account(old)
	a.Holds++
	m.set(s, k, old, a.Encode())
	if DisputeKind(m.Op.Status) == Qualitative {
		return DisputeReputation
	}
	return TxEnd
}

func stepDisputeReputation(m *Machine, s State) Step {
	k := record.ReputationKey(m.Call.Callee)
	old := m.get(s, k)
	r := reputationOf(old)
	r.Disputed++
	m.set(s, k, old, r.Encode())
	return TxEnd
}

// stepResolveArgs checks who resolves. The outcome stays in Op.Status, the game in Op.Actor.
func stepResolveArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.ResolveDisputeCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	if !m.deposited(m.Policy.Governance) && !m.deposited(m.Policy.DisputeResolver) {
		return m.fail(&abi.NotResolver{Sender: m.Op.From})
	}
	// A game says that a root was wrong, which is its proposer's fault; that the agent's answer was, only governance can say. Else
	// whoever has called an agent could count any lost game against it.
	m.Op.Flag = m.deposited(m.Policy.Governance)
	m.Op.Id, m.Op.Actor, m.Op.Status = c.Target, c.Game, uint8(DisputeRejected)
	if c.Upheld {
		m.Op.Status = uint8(DisputeUpheld)
	}
	return ResolveRecord
}

func stepResolveRecord(m *Machine, s State) Step {
	k := record.DisputeKey(m.Op.Id)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.DisputeUnknown{Target: m.Op.Id})
	}
	m.Dispute = decoded(record.DecodeDispute(old))
	d := &m.Dispute
	switch {
	case d.Outcome != uint8(DisputeOpen):
		return m.fail(&abi.DisputeUnknown{Target: m.Op.Id})
	case DisputeKind(d.Kind) != Computational:
		return m.fail(&abi.NotAdjudicated{Target: m.Op.Id})
	case d.Game != m.Op.Actor:
		return m.fail(&abi.GameMismatch{Target: m.Op.Id, Game: m.Op.Actor, Disputed: d.Game})
	}
	d.Outcome = m.Op.Status
	m.set(s, k, old, d.Encode())
	if d.Pruned { // its entry of the queue removes it
		return CloseBond
	}
	return ResolveDeadline
}

func stepResolveDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(m.Dispute.Deadline, record.DueDispute, m.Op.Id)
	old := m.get(s, k)
	assert(old != nil, "open dispute is not queued")
	m.set(s, k, old, nil)
	return CloseBond
}

// stepSweepDispute ends a dispute that nobody has resolved in its window. One about an interaction in the history goes then. The
// entry may be an old one: of a dispute that went with a later interaction of the same id.
func stepSweepDispute(m *Machine, s State) Step {
	k := record.DisputeKey(m.Op.Id)
	m.Dispute = record.Dispute{}
	b := m.get(s, k)
	if b == nil {
		return SweepNext
	}
	m.Dispute = decoded(record.DecodeDispute(b))
	d := &m.Dispute
	if m.Block.Time <= d.Deadline {
		return SweepNext
	}
	open := d.Outcome == uint8(DisputeOpen)
	assert(open || d.Pruned, "queued dispute is not open")
	if open {
		m.Op.Status = uint8(DisputeLapsed)
		d.Outcome = m.Op.Status
	}
	if d.Pruned {
		m.put(s, k, nil)
	} else {
		m.put(s, k, d.Encode())
	}
	if open {
		return CloseBond
	}
	return SweepNext
}

// stepCloseBond pays the bond: to whom the outcome says, or back less the fee, which goes where base fees go.
func stepCloseBond(m *Machine, s State) Step {
	d := &m.Dispute
	to, paid := d.Claimant, d.BondWei
	switch DisputeOutcome(m.Op.Status) {
	case DisputeRejected:
		to = d.Agent
	case DisputeLapsed:
		fee := m.Policy.DisputeFeeWei
		if paid.Lt(&fee) { // governance has raised it since
			fee = paid
		}
		paid.Sub(&paid, &fee)
		m.Sums.BaseFees.Add(&m.Sums.BaseFees, &fee)
	}
	k := record.AccountKey(to)
	old := m.get(s, k)
	a := account(old)
	a.Balance.Add(&a.Balance, &paid)
	m.set(s, k, old, a.Encode())
	m.Op.Word = paid.Bytes32()
	return CloseHold
}

func stepCloseHold(m *Machine, s State) Step {
	k := record.AccountKey(m.Dispute.Agent)
	old := m.get(s, k)
	a := account(old)
	assert(a.Holds > 0, "an open dispute does not hold the agent")
	a.Holds--
	m.set(s, k, old, a.Encode())
	switch DisputeOutcome(m.Op.Status) {
	case DisputeRejected:
		return CloseReputation
	case DisputeUpheld:
		if m.Op.Flag {
			return CloseReputation
		}
	}
	return m.closeQueue()
}

func stepCloseReputation(m *Machine, s State) Step {
	loser := m.Dispute.Agent
	if DisputeOutcome(m.Op.Status) == DisputeRejected {
		loser = m.Dispute.Claimant
	}
	k := record.ReputationKey(loser)
	old := m.get(s, k)
	r := reputationOf(old)
	r.DisputesLost++
	m.set(s, k, old, r.Encode())
	return m.closeQueue()
}

// closeQueue: the interaction's own entry of the queue has gone by if the dispute kept it.
func (m *Machine) closeQueue() Step {
	if m.Dispute.Due {
		return CloseQueue
	}
	return CloseEvent
}

func stepCloseQueue(m *Machine, s State) Step {
	m.queueHistory(s, m.Block.Time) // the next block's sweep
	return CloseEvent
}

func stepCloseEvent(m *Machine, _ State) Step {
	d := &m.Dispute
	m.emit((&abi.DisputeClosedEvent{
		Target: m.Op.Id, Claimant: d.Claimant, Agent: d.Agent, Outcome: m.Op.Status, PaidWei: *new(uint256.Int).SetBytes32(m.Op.Word[:]),
	}).Log(abi.Address))
	if DisputeOutcome(m.Op.Status) == DisputeLapsed {
		return SweepNext
	}
	return TxEnd
}
