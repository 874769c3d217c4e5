package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
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
	SweepDispute:       {"sweepDispute", OpensOp, OpensDispute, stepSweepDispute},
	CloseBond:          {"closeBond", disputeFrames | OpensSums | OpensDispute, 0, stepCloseBond},
	CloseHold:          {"closeHold", OpensOp | OpensDispute, 0, stepCloseHold},
	CloseReputation:    {"closeReputation", OpensOp | OpensDispute, 0, stepCloseReputation},
	CloseQueue:         {"closeQueue", OpensBlock | OpensOp, 0, stepCloseQueue},
	CloseEvent:         {"closeEvent", OpensOp | OpensDispute, 0, stepCloseEvent},
}

var disputeOperations = map[[4]byte]operation{
	abi.DisputeSelector:        op(abi.DecodeDisputeCall, true, DisputeArgs),
	abi.ResolveDisputeSelector: op(abi.DecodeResolveDisputeCall, false, ResolveArgs),
}

// stepDisputeArgs checks what needs no record. The kind stays in Op.Status.
func stepDisputeArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.DisputeCall)
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
	return DisputeInteraction
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
	c := m.args.(*abi.DisputeCall)
	k := record.DisputeKey(m.Op.Id)
	if m.get(s, k) != nil {
		return m.fail(&abi.DisputeExists{Target: m.Op.Id})
	}
	d := record.Dispute{
		Kind: c.Kind, Claimant: m.Call.Caller, Agent: m.Call.Callee, Game: c.Game, EvidenceHash: c.EvidenceHash, BondWei: m.Op.Value,
		Deadline: m.disputeDeadline(),
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
	return ResolveDeadline
}

func stepResolveDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(m.Dispute.Deadline, record.DueDispute, m.Op.Id)
	old := m.get(s, k)
	assert(old != nil, "open dispute is not queued")
	m.set(s, k, old, nil)
	return CloseBond
}

// stepSweepDispute ends a dispute that nobody has resolved in its window.
func stepSweepDispute(m *Machine, s State) Step {
	k := record.DisputeKey(m.Op.Id)
	m.Dispute = decoded(record.DecodeDispute(m.get(s, k)))
	assert(m.Dispute.Outcome == uint8(DisputeOpen), "queued dispute is not open")
	m.Op.Status = uint8(DisputeLapsed)
	m.Dispute.Outcome = m.Op.Status
	m.put(s, k, m.Dispute.Encode())
	return CloseBond
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
	if DisputeOutcome(m.Op.Status) != DisputeLapsed {
		return CloseReputation
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
