package vm

import "github.com/agnt2/agnt2/agnt2/abi"

// AgentStatus mirrors IAGNT2.AgentStatus.
type AgentStatus uint8

const (
	NoAgent AgentStatus = iota
	Active
	Deregistered
)

// Bits of Account.roles.
const (
	// RoleAgent: an active agent.
	RoleAgent uint8 = 1 << iota
)

// InteractionStatus mirrors IAGNT2.InteractionStatus.
type InteractionStatus uint8

const (
	NoInteraction InteractionStatus = iota
	Pending
	Completed
	Errored
	TimedOutGracefully
	ParseFailed
	Rejected
	TimedOut
	// Tentative and Opened are an atomic composition's: what they amount to is for the composition's status to say.
	Tentative
	Opened
	// Reverted is never stored: views give it to the interactions of a reverted composition.
	Reverted
)

// ResponseStatus mirrors IAGNT2.ResponseStatus.
type ResponseStatus uint8

const (
	OK ResponseStatus = iota
	Error
	TimeoutGraceful
	ParseFailure
	Rejection
	responseStatuses
)

// settled is the interaction's status after a response.
func (r ResponseStatus) settled() InteractionStatus {
	return [responseStatuses]InteractionStatus{Completed, Errored, TimedOutGracefully, ParseFailed, Rejected}[r]
}

// ChannelStatus mirrors IAGNT2.ChannelStatus.
type ChannelStatus uint8

const (
	NoChannel ChannelStatus = iota
	ChannelOpen
	ChannelClosing
	ChannelClosed
)

// DisputeKind mirrors IAGNT2.DisputeKind.
type DisputeKind uint8

const (
	StaleState DisputeKind = iota
	Computational
	Qualitative
)

// DisputeOutcome mirrors IAGNT2.DisputeOutcome.
type DisputeOutcome uint8

const (
	DisputeOpen DisputeOutcome = iota
	DisputeUpheld
	DisputeRejected
	DisputeLapsed
)

// Limits of list and string arguments, in elements and bytes (IAGNT2.sol states them to callers). They bound both the
// micro-steps of one transaction and the size of every record.
const (
	maxName            = 64
	maxVersion         = 32
	maxURI             = 512
	maxEndpoint        = 256
	maxMetadataKey     = 32
	maxMetadataValue   = 256
	maxListedElements  = 16
	capabilityClasses  = 4
	daBackends         = 4
	signatureLength    = 65      // r ‖ s ‖ v
	receiveGasLimit    = 100_000 // of a withdrawal that a plain transfer to the message passer starts (OP contracts)
	feesGasLimit       = 400_000 // of a withdrawal of a fee vault (OP contracts)
	maxMessageDataSize = 32 << 10
	checkpointSpan     = 1000 // interactions between two checkpoints (paper §4.3)
)

func outOfRange(field string) abi.Revert { return &abi.FieldOutOfRange{Field: field} }

func assert(ok bool, what string) {
	if !ok {
		panic("invariant broken: " + what)
	}
}
