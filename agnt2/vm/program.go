package vm

// step names a micro-step. The values will be part of the proven machine state: append, never renumber.
type step uint8

const (
	halt step = iota
	beginParams
	beginTotals
	beginL1Info
	sweepNext
	sweepInteraction
	sweepCaller
	sweepReputation
	txBegin
	txEnd
	depositBegin
	l1Attributes
	transferCredit
	registerAgent
	registerURI
	writeCapability
	writeCapabilityDetail
	removeCapability
	removeCapabilityDetail
	writeCapabilityCount
	writeMetadata
	updateAgent
	readOwnAgent
	deregisterAgent
	withdrawStake
	heartbeat
	topUpStake
	invokeCallee
	invokeCapability
	invokeInteraction
	invokeDeadline
	respondInteraction
	respondAgent
	respondDeadline
	respondCaller
	respondPair
	respondReputation
	sendMessage
	sealBaseFees
	sealPriorityFees
	sealL1Fees
	sealTotals
	stepCount
)

// program is what each micro-step does; it returns the next one.
var program [stepCount]func(*Machine, State) step

func init() {
	program = [stepCount]func(*Machine, State) step{
		beginParams:            stepBeginParams,
		beginTotals:            stepBeginTotals,
		beginL1Info:            stepBeginL1Info,
		sweepNext:              stepSweepNext,
		sweepInteraction:       stepSweepInteraction,
		sweepCaller:            stepSweepCaller,
		sweepReputation:        stepSweepReputation,
		txBegin:                stepTxBegin,
		txEnd:                  stepTxEnd,
		depositBegin:           stepDepositBegin,
		l1Attributes:           stepL1Attributes,
		transferCredit:         stepTransferCredit,
		registerAgent:          stepRegisterAgent,
		registerURI:            stepRegisterURI,
		writeCapability:        stepWriteCapability,
		writeCapabilityDetail:  stepWriteCapabilityDetail,
		removeCapability:       stepRemoveCapability,
		removeCapabilityDetail: stepRemoveCapabilityDetail,
		writeCapabilityCount:   stepWriteCapabilityCount,
		writeMetadata:          stepWriteMetadata,
		updateAgent:            stepUpdateAgent,
		readOwnAgent:           stepReadOwnAgent,
		deregisterAgent:        stepDeregisterAgent,
		withdrawStake:          stepWithdrawStake,
		heartbeat:              stepHeartbeat,
		topUpStake:             stepTopUpStake,
		invokeCallee:           stepInvokeCallee,
		invokeCapability:       stepInvokeCapability,
		invokeInteraction:      stepInvokeInteraction,
		invokeDeadline:         stepInvokeDeadline,
		respondInteraction:     stepRespondInteraction,
		respondAgent:           stepRespondAgent,
		respondDeadline:        stepRespondDeadline,
		respondCaller:          stepRespondCaller,
		respondPair:            stepRespondPair,
		respondReputation:      stepRespondReputation,
		sendMessage:            stepSendMessage,
		sealBaseFees:           stepSealBaseFees,
		sealPriorityFees:       stepSealPriorityFees,
		sealL1Fees:             stepSealL1Fees,
		sealTotals:             stepSealTotals,
	}
	for i, f := range program {
		if f == nil && step(i) != halt {
			panic("micro-step without code")
		}
	}
}
