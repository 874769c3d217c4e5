package vm

import "fmt"

// Step names a micro-step. The values are part of the proven machine state: append, never renumber. Those from 128 on are
// the machine's own (agnt2/machine).
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
	Steps // how many there are
)

// Opens says which frames a micro-step may read and write.
type Opens uint8

const (
	OpensBlock Opens = 1 << iota
	OpensSums
	OpensTx
	OpensOp
	OpensCall
	OpensParams // read only
	OpensData   // the operation's calldata, read only
)

const agentFrames = OpensBlock | OpensOp | OpensParams | OpensData

// instruction is a micro-step: what it does (it returns the next one) and the frames that its proof has to show.
type instruction struct {
	name  string
	opens Opens
	do    func(*Machine, State) Step
}

// program is the table of micro-steps.
var program [Steps]instruction

func init() {
	program = [Steps]instruction{
		BeginParams:            {"beginParams", 0, stepBeginParams},
		BeginTotals:            {"beginTotals", OpensSums, stepBeginTotals},
		TxBegin:                {"txBegin", OpensBlock | OpensTx, stepTxBegin},
		DepositBegin:           {"depositBegin", OpensTx, stepDepositBegin},
		Dispatch:               {"dispatch", OpensTx | OpensOp | OpensParams | OpensData, stepDispatch},
		TxUndo:                 {"txUndo", OpensTx, stepTxUndo},
		TxEnd:                  {"txEnd", OpensTx | OpensOp, stepTxEnd},
		TxBook:                 {"txBook", OpensBlock | OpensSums | OpensTx | OpensOp, stepTxBook},
		L1Attributes:           {"l1Attributes", OpensBlock | OpensOp | OpensParams | OpensData, stepL1Attributes},
		SweepNext:              {"sweepNext", OpensBlock | OpensOp | OpensParams, stepSweepNext},
		SweepInteraction:       {"sweepInteraction", OpensBlock | OpensOp, stepSweepInteraction},
		SweepCaller:            {"sweepCaller", OpensCall, stepSweepCaller},
		SweepReputation:        {"sweepReputation", OpensBlock | OpensOp | OpensCall, stepSweepReputation},
		TransferCredit:         {"transferCredit", OpensTx | OpensOp, stepTransferCredit},
		SendMessage:            {"sendMessage", OpensSums | OpensOp | OpensData, stepSendMessage},
		RegisterAgent:          {"registerAgent", agentFrames, stepRegisterAgent},
		RegisterURI:            {"registerURI", agentFrames, stepRegisterURI},
		WriteCapability:        {"writeCapability", agentFrames, stepWriteCapability},
		WriteCapabilityDetail:  {"writeCapabilityDetail", agentFrames, stepWriteCapabilityDetail},
		RemoveCapability:       {"removeCapability", agentFrames, stepRemoveCapability},
		RemoveCapabilityDetail: {"removeCapabilityDetail", agentFrames, stepRemoveCapabilityDetail},
		WriteCapabilityCount:   {"writeCapabilityCount", agentFrames, stepWriteCapabilityCount},
		WriteMetadata:          {"writeMetadata", agentFrames, stepWriteMetadata},
		UpdateAgent:            {"updateAgent", agentFrames, stepUpdateAgent},
		ReadOwnAgent:           {"readOwnAgent", agentFrames, stepReadOwnAgent},
		DeregisterAgent:        {"deregisterAgent", agentFrames, stepDeregisterAgent},
		WithdrawStake:          {"withdrawStake", agentFrames, stepWithdrawStake},
		Heartbeat:              {"heartbeat", agentFrames, stepHeartbeat},
		TopUpStake:             {"topUpStake", agentFrames, stepTopUpStake},
		InvokeArgs:             {"invokeArgs", OpensBlock | OpensOp | OpensParams | OpensData, stepInvokeArgs},
		InvokeCallee:           {"invokeCallee", OpensOp | OpensCall, stepInvokeCallee},
		InvokeCapability:       {"invokeCapability", OpensOp | OpensCall | OpensParams, stepInvokeCapability},
		InvokeInteraction:      {"invokeInteraction", OpensOp | OpensCall, stepInvokeInteraction},
		InvokeDeadline:         {"invokeDeadline", OpensOp | OpensCall, stepInvokeDeadline},
		RespondArgs:            {"respondArgs", OpensOp | OpensParams | OpensData, stepRespondArgs},
		RespondInteraction:     {"respondInteraction", OpensBlock | OpensOp, stepRespondInteraction},
		RespondAgent:           {"respondAgent", OpensOp, stepRespondAgent},
		RespondAttestation:     {"respondAttestation", OpensOp | OpensCall | OpensData, stepRespondAttestation},
		RespondDeadline:        {"respondDeadline", OpensOp | OpensCall, stepRespondDeadline},
		RespondCaller:          {"respondCaller", OpensOp | OpensCall | OpensParams, stepRespondCaller},
		RespondPair:            {"respondPair", OpensOp | OpensCall, stepRespondPair},
		RespondReputation:      {"respondReputation", OpensBlock | OpensOp, stepRespondReputation},
		RespondEvent:           {"respondEvent", OpensOp | OpensCall | OpensData, stepRespondEvent},
		SealBaseFees:           {"sealBaseFees", OpensSums, stepSealBaseFees},
		SealPriorityFees:       {"sealPriorityFees", OpensSums, stepSealPriorityFees},
		SealL1Fees:             {"sealL1Fees", OpensSums, stepSealL1Fees},
		SealTotals:             {"sealTotals", OpensSums, stepSealTotals},
	}
	for k, i := range program {
		if i.do == nil && Step(k) != Halt {
			panic(fmt.Sprintf("micro-step %d has no code", k))
		}
	}
}

// String is the micro-step's name.
func (k Step) String() string {
	if k < Steps && k != Halt {
		return program[k].name
	}
	return fmt.Sprintf("step(%d)", uint8(k))
}

// Opens is what a proof of the micro-step has to show beside its record.
func (k Step) Opens() Opens { return program[k].opens }
