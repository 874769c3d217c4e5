package abi_test

import (
	"maps"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// The functions, events and errors of identity and delegation.
func init() {
	maps.Copy(calls, map[string]decodable{
		"actFor":            of(abi.DecodeActForCall, 4),
		"agentOf":           of(abi.DecodeAgentOfCall, 4),
		"authorizeKey":      of(abi.DecodeAuthorizeKeyCall, 4),
		"closeSession":      of(abi.DecodeCloseSessionCall, 4),
		"getKey":            of(abi.DecodeGetKeyCall, 4),
		"getSession":        of(abi.DecodeGetSessionCall, 4),
		"openSession":       of(abi.DecodeOpenSessionCall, 4),
		"pay":               of(abi.DecodePayCall, 4),
		"registerFor":       of(abi.DecodeRegisterForCall, 4),
		"revokeKey":         of(abi.DecodeRevokeKeyCall, 4),
		"setAgentURI":       of(abi.DecodeSetAgentURICall, 4),
		"setAgentWallet":    of(abi.DecodeSetAgentWalletCall, 4),
		"setMetadata":       of(abi.DecodeSetMetadataCall, 4),
		"transferOwnership": of(abi.DecodeTransferOwnershipCall, 4),
	})
	maps.Copy(returns, map[string]decodable{
		"agentOf":     of(abi.DecodeAgentOfReturn, 0),
		"getKey":      of(abi.DecodeGetKeyReturn, 0),
		"getSession":  of(abi.DecodeGetSessionReturn, 0),
		"openSession": of(abi.DecodeOpenSessionReturn, 0),
	})
	maps.Copy(events, map[string]event{
		"ActedFor":             eventOf(abi.DecodeActedForEvent),
		"AgentURISet":          eventOf(abi.DecodeAgentURISetEvent),
		"AgentWalletSet":       eventOf(abi.DecodeAgentWalletSetEvent),
		"KeyAuthorized":        eventOf(abi.DecodeKeyAuthorizedEvent),
		"KeyRevoked":           eventOf(abi.DecodeKeyRevokedEvent),
		"OwnershipTransferred": eventOf(abi.DecodeOwnershipTransferredEvent),
		"Paid":                 eventOf(abi.DecodePaidEvent),
		"SessionClosed":        eventOf(abi.DecodeSessionClosedEvent),
		"SessionOpened":        eventOf(abi.DecodeSessionOpenedEvent),
	})
	revertTypes = append(revertTypes,
		&abi.AccountDelegated{}, &abi.BadWalletSignature{}, &abi.CapabilityNotAllowed{}, &abi.DuplicateSession{}, &abi.KeyExpired{},
		&abi.KeyUnknown{}, &abi.NotAuthorized{}, &abi.NotParty{}, &abi.OperationNotAllowed{}, &abi.SessionIsClosed{}, &abi.SessionUnknown{},
		&abi.SpendLimitExceeded{})
}

func FuzzDecodeActFor(f *testing.F) {
	fuzzDecode(f, "actFor", &abi.ActForCall{Agent: common.Address{1}, Operation: new(abi.HeartbeatCall).Encode()})
}

func FuzzDecodeAuthorizeKey(f *testing.F) {
	fuzzDecode(f, "authorizeKey", &abi.AuthorizeKeyCall{Operations: [][4]byte{{1}, {2}}, Capabilities: []common.Hash{{3}}})
}

func FuzzDecodeRegisterFor(f *testing.F) {
	fuzzDecode(f, "registerFor", &abi.RegisterForCall{Index: 1, Name: "n", Capabilities: []abi.Capability{seedCapability}})
}

func FuzzDecodeSetAgentWallet(f *testing.F) {
	fuzzDecode(f, "setAgentWallet", &abi.SetAgentWalletCall{Wallet: common.Address{1}, Signature: make([]byte, 65)})
}
