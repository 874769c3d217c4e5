package vm

import "fmt"

// Step names a micro-step. The values are part of the proven machine state: append, never renumber. Those from 128 on are
// the machine's own (agnt2/machine). Every family of operations has a range, so that it can grow by itself; numbers between
// are unused.
type Step uint8

const (
	Halt Step = iota
	BeginParams
	BeginTotals
	TxBegin
	DepositBegin
	Dispatch
	TxUndo
	TxEnd
	TxBook
	L1Attributes
	SweepNext
	SweepInteraction
	SweepCaller
	SweepReputation
	TransferCredit
	SendMessage
	RegisterAgent
	RegisterURI
	WriteCapability
	WriteCapabilityDetail
	RemoveCapability
	RemoveCapabilityDetail
	WriteCapabilityCount
	WriteMetadata
	UpdateAgent
	ReadOwnAgent
	DeregisterAgent
	WithdrawStake
	Heartbeat
	TopUpStake
	InvokeArgs
	InvokeCallee
	InvokeCapability
	InvokeInteraction
	InvokeDeadline
	RespondArgs
	RespondInteraction
	RespondAgent
	RespondAttestation
	RespondDeadline
	RespondCaller
	RespondPair
	RespondReputation
	RespondEvent
	SealBaseFees
	SealPriorityFees
	SealL1Fees
	SealTotals
	BeginPolicy
)

// Discovery, commit–reveal and eligibility.
const (
	IndexCount Step = 108 + iota
	IndexSlot
	IndexMoved
	CandidateAgent
	CandidateCapability
	CandidateDetail
	CandidateReputation
	DiscoverArgs
	InvokeReputation
	Commitment
	CommitmentDeadline
	SweepCommitment
)

// Steps bounds the micro-steps of execution. Those of the machine lie among them, in the gap from 128 to 175.
const Steps Step = 240

// Opens says which frames a micro-step may read and write.
type Opens uint16

const (
	OpensBlock Opens = 1 << iota
	OpensSums
	OpensTx
	OpensOp
	OpensCall        // the interaction in progress
	OpensParams      // read only
	OpensData        // the operation's calldata, read only
	OpensPolicy      // read only; the block frame commits to it, so that has to be opened too
	OpensChannel     // the channel in progress
	OpensSearch      // the discovery in progress; in the state it is where the interaction in progress is
	OpensComposition // the composition in progress, in the place of the interaction
	OpensConstituent // the constituent in progress, likewise
	OpensDispute     // the dispute in progress, likewise
)

const agentFrames = OpensBlock | OpensOp | OpensParams | OpensData

// instruction is a micro-step: the frames that its proof has to show, those that it assigns without showing them (unless the
// operation fails in it), and what it does (it returns the next one).
type instruction struct {
	name  string
	opens Opens
	sets  Opens
	do    func(*Machine, State) Step
}

// blockProgram is what every block and transaction has.
var blockProgram = map[Step]instruction{
	BeginParams:      {"beginParams", 0, 0, stepBeginParams},
	BeginPolicy:      {"beginPolicy", OpensBlock, 0, stepBeginPolicy},
	BeginTotals:      {"beginTotals", OpensSums, 0, stepBeginTotals},
	TxBegin:          {"txBegin", OpensBlock | OpensTx, OpensOp, stepTxBegin},
	DepositBegin:     {"depositBegin", OpensTx, OpensOp, stepDepositBegin},
	Dispatch:         {"dispatch", OpensTx | OpensOp | OpensParams | OpensData, 0, stepDispatch},
	TxUndo:           {"txUndo", OpensTx, 0, stepTxUndo},
	TxEnd:            {"txEnd", OpensTx | OpensOp, 0, stepTxEnd},
	TxBook:           {"txBook", OpensBlock | OpensSums | OpensTx | OpensOp, 0, stepTxBook},
	L1Attributes:     {"l1Attributes", OpensBlock | OpensOp | OpensParams | OpensData, 0, stepL1Attributes},
	SweepNext:        {"sweepNext", OpensBlock | OpensOp | OpensParams | OpensPolicy, 0, stepSweepNext},
	SweepInteraction: {"sweepInteraction", OpensBlock | OpensOp, OpensCall, stepSweepInteraction},
	SweepCaller:      {"sweepCaller", OpensCall, 0, stepSweepCaller},
	SweepReputation:  {"sweepReputation", OpensBlock | OpensOp | OpensCall, 0, stepSweepReputation},
	TransferCredit:   {"transferCredit", OpensTx | OpensOp, 0, stepTransferCredit},
	SendMessage:      {"sendMessage", OpensSums | OpensOp | OpensData, 0, stepSendMessage},
	SealBaseFees:     {"sealBaseFees", OpensSums, 0, stepSealBaseFees},
	SealPriorityFees: {"sealPriorityFees", OpensSums, 0, stepSealPriorityFees},
	SealL1Fees:       {"sealL1Fees", OpensSums, 0, stepSealL1Fees},
	SealTotals:       {"sealTotals", OpensSums, 0, stepSealTotals},
}

// agentProgram is the operations of one agent on itself.
var agentProgram = map[Step]instruction{
	RegisterAgent:          {"registerAgent", agentFrames, 0, stepRegisterAgent},
	RegisterURI:            {"registerURI", agentFrames, 0, stepRegisterURI},
	WriteCapability:        {"writeCapability", agentFrames, 0, stepWriteCapability},
	WriteCapabilityDetail:  {"writeCapabilityDetail", agentFrames, 0, stepWriteCapabilityDetail},
	RemoveCapability:       {"removeCapability", agentFrames, 0, stepRemoveCapability},
	RemoveCapabilityDetail: {"removeCapabilityDetail", agentFrames, 0, stepRemoveCapabilityDetail},
	WriteCapabilityCount:   {"writeCapabilityCount", agentFrames, 0, stepWriteCapabilityCount},
	WriteMetadata:          {"writeMetadata", agentFrames, 0, stepWriteMetadata},
	UpdateAgent:            {"updateAgent", agentFrames, 0, stepUpdateAgent},
	ReadOwnAgent:           {"readOwnAgent", agentFrames, 0, stepReadOwnAgent},
	DeregisterAgent:        {"deregisterAgent", agentFrames, 0, stepDeregisterAgent},
	WithdrawStake:          {"withdrawStake", agentFrames, 0, stepWithdrawStake},
	Heartbeat:              {"heartbeat", agentFrames, 0, stepHeartbeat},
	TopUpStake:             {"topUpStake", agentFrames, 0, stepTopUpStake},
}

// interactionProgram is INVOKE and RESPOND.
var interactionProgram = map[Step]instruction{
	InvokeArgs:         {"invokeArgs", OpensBlock | OpensOp | OpensParams | OpensPolicy | OpensData, OpensCall, stepInvokeArgs},
	InvokeCallee:       {"invokeCallee", OpensOp, 0, stepInvokeCallee},
	InvokeCapability:   {"invokeCapability", OpensOp | OpensCall | OpensParams, 0, stepInvokeCapability},
	InvokeInteraction:  {"invokeInteraction", OpensOp | OpensCall, 0, stepInvokeInteraction},
	InvokeDeadline:     {"invokeDeadline", OpensOp | OpensCall, 0, stepInvokeDeadline},
	RespondArgs:        {"respondArgs", OpensOp | OpensParams | OpensData, 0, stepRespondArgs},
	RespondInteraction: {"respondInteraction", OpensBlock | OpensOp, OpensCall, stepRespondInteraction},
	RespondAgent:       {"respondAgent", OpensOp, 0, stepRespondAgent},
	RespondAttestation: {"respondAttestation", OpensOp | OpensCall | OpensData, 0, stepRespondAttestation},
	RespondDeadline:    {"respondDeadline", OpensOp | OpensCall, 0, stepRespondDeadline},
	RespondCaller:      {"respondCaller", OpensOp | OpensCall | OpensParams, 0, stepRespondCaller},
	RespondPair:        {"respondPair", OpensOp | OpensCall, 0, stepRespondPair},
	RespondReputation:  {"respondReputation", OpensBlock | OpensOp | OpensCall, 0, stepRespondReputation},
	RespondEvent:       {"respondEvent", OpensOp | OpensCall | OpensData, 0, stepRespondEvent},
}

// program is the table of micro-steps; a gap has no name.
var program [Steps]instruction

func init() {
	for _, family := range []map[Step]instruction{blockProgram, agentProgram, interactionProgram, channelProgram, governanceProgram, historyProgram, disputeProgram, identityProgram, registryProgram, marketProgram, composeProgram, passportProgram, feedbackProgram, validationProgram, pruneProgram} {
		for k, i := range family {
			if program[k].do != nil || k == Halt || k >= Steps {
				panic(fmt.Sprintf("micro-step %d is taken", k))
			}
			program[k] = i
		}
	}
}

// Exists reports whether k is a micro-step of execution.
func (k Step) Exists() bool { return k < Steps && program[k].do != nil }

// All lists the micro-steps of execution.
func All() (out []Step) {
	for k := range Steps {
		if k.Exists() {
			out = append(out, k)
		}
	}
	return out
}

// String is the micro-step's name.
func (k Step) String() string {
	if k.Exists() {
		return program[k].name
	}
	return fmt.Sprintf("step(%d)", uint8(k))
}

// Opens is what a proof of the micro-step has to show beside its record.
func (k Step) Opens() Opens { return program[k].opens }

// Sets is what the micro-step assigns without opening it, unless the operation fails in it.
func (k Step) Sets() Opens { return program[k].sets }
