package client

import "fmt"

// ResponseStatus is IAGNT2.ResponseStatus: what a callee answers with.
type ResponseStatus uint8

// In the order of IAGNT2.ResponseStatus.
const (
	StatusOK ResponseStatus = iota
	StatusError
	StatusTimeoutGraceful
	StatusParseFailure
	StatusRejected
)

var responseNames = []string{"OK", "ERROR", "TIMEOUT_GRACEFUL", "PARSE_FAILURE", "REJECTED"}

func (s ResponseStatus) String() string { return enumName(responseNames, uint8(s)) }

// InteractionStatus is IAGNT2.InteractionStatus. Everything but None, Pending, Tentative and Opened is final.
type InteractionStatus uint8

// In the order of IAGNT2.InteractionStatus.
const (
	InteractionNone InteractionStatus = iota
	InteractionPending
	InteractionCompleted
	InteractionErrored
	InteractionTimedOutGracefully
	InteractionParseFailed
	InteractionRejected
	InteractionTimedOut
	InteractionTentative
	InteractionOpened
	InteractionReverted
)

var interactionNames = []string{"None", "Pending", "Completed", "Errored", "TimedOutGracefully", "ParseFailed", "Rejected", "TimedOut", "Tentative", "Opened", "Reverted"}

func (s InteractionStatus) String() string { return enumName(interactionNames, uint8(s)) }

// Final reports whether the interaction is settled.
func (s InteractionStatus) Final() bool {
	return s > InteractionPending && s != InteractionTentative && s != InteractionOpened
}

// CompositionStatus is IAGNT2.CompositionStatus. Everything but None and Active is final.
type CompositionStatus uint8

// In the order of IAGNT2.CompositionStatus.
const (
	CompositionNone CompositionStatus = iota
	CompositionActive
	CompositionCommitted
	CompositionReverted
	CompositionSettled
)

var compositionNames = []string{"None", "Active", "Committed", "Reverted", "Settled"}

func (s CompositionStatus) String() string { return enumName(compositionNames, uint8(s)) }

// AgentStatus is IAGNT2.AgentStatus.
type AgentStatus uint8

// In the order of IAGNT2.AgentStatus.
const (
	AgentNone AgentStatus = iota
	AgentActive
	AgentDeregistered
)

var agentNames = []string{"None", "Active", "Deregistered"}

func (s AgentStatus) String() string { return enumName(agentNames, uint8(s)) }

// ChannelStatus is IAGNT2.ChannelStatus. Closed is final.
type ChannelStatus uint8

// In the order of IAGNT2.ChannelStatus.
const (
	ChannelNone ChannelStatus = iota
	ChannelOpen
	ChannelClosing
	ChannelClosed
)

var channelNames = []string{"None", "Open", "Closing", "Closed"}

func (s ChannelStatus) String() string { return enumName(channelNames, uint8(s)) }

// CapabilityClass is IAGNT2.CapabilityClass: the cost class of a capability.
type CapabilityClass uint8

// In the order of IAGNT2.CapabilityClass.
const (
	ClassQuery CapabilityClass = iota
	ClassCompute
	ClassGeneration
	ClassInference
)

var classNames = []string{"Query", "Compute", "Generation", "Inference"}

func (s CapabilityClass) String() string { return enumName(classNames, uint8(s)) }

func enumName(names []string, i uint8) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}
