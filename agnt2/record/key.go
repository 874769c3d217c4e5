// Package record declares every record of the interaction trie: its layout (generated from IRecords.sol) and its key.
//
// A key is 32 bytes. Byte 0 is the namespace, so every namespace is a subtree with a root of its own; the other 31 bytes
// are the head of keccak256 of the identifiers, except in the deadline queue, whose keys are ordered by time.
// Source: AGNT2 paper App. D.1. This package does no I/O and knows no rules.
package record

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
)

//go:generate go run ../abi/gen -records -pkg record -out records.go -packed packed.go -unpack ../../packages/contracts-bedrock-fork/src/dispute/lib/UnpackRecords.sol -lib UnpackRecords -import IRecords=../../interfaces/IRecords.sol ../../packages/contracts-bedrock-fork/out/IRecords.sol/IRecords.json

// Key addresses one record.
type Key [32]byte

func (k Key) String() string { return fmt.Sprintf("%s/%x", Namespace(k[0]), k[1:]) }

// Namespace is the first byte of a key.
type Namespace byte

// Namespaces. Values are consensus: never reuse one.
const (
	NSAccount          Namespace = 0x01
	NSAgent            Namespace = 0x02
	NSAgentURI         Namespace = 0x03
	NSMetadata         Namespace = 0x04
	NSCapability       Namespace = 0x05
	NSCapabilityDetail Namespace = 0x06
	NSReputation       Namespace = 0x07
	NSPair             Namespace = 0x08
	NSDelegation       Namespace = 0x09
	NSSession          Namespace = 0x0a
	NSWallet           Namespace = 0x0b
	NSInteraction      Namespace = 0x10
	NSHolding          Namespace = 0x60
	NSDeadline         Namespace = 0x11
	NSChannel          Namespace = 0x20
	NSChannelPair      Namespace = 0x21
	NSDispute          Namespace = 0x40
	NSCommitment       Namespace = 0x32
	NSIndex            Namespace = 0x50
	NSIndexCount       Namespace = 0x51
	NSComposition      Namespace = 0x30
	NSConstituent      Namespace = 0x31
	NSForeign          Namespace = 0x80
	NSFeedback         Namespace = 0x70
	NSFeedbackCount    Namespace = 0x71
	NSRating           Namespace = 0x72
	NSResponseCount    Namespace = 0x73
	NSListCount        Namespace = 0x74
	NSListEntry        Namespace = 0x75
	NSValidation       Namespace = 0x76
	NSGlobal           Namespace = 0xff
)

var namespaceNames = map[Namespace]string{
	NSAccount: "accounts", NSAgent: "agents", NSAgentURI: "agentURIs", NSMetadata: "metadata", NSCapability: "capabilities",
	NSCapabilityDetail: "capabilityDetails", NSReputation: "reputations", NSPair: "pairs", NSInteraction: "interactions",
	NSDelegation: "delegations", NSSession: "sessions", NSWallet: "wallets", NSHolding: "holdings", NSDeadline: "deadlines", NSChannel: "channels", NSChannelPair: "channelPairs", NSDispute: "disputes", NSCommitment: "commitments", NSIndex: "index", NSIndexCount: "indexCounts", NSGlobal: "global",
	NSComposition: "compositions", NSConstituent: "constituents", NSForeign: "foreign",
	NSFeedback: "feedback", NSFeedbackCount: "feedbackCounts", NSRating: "ratings", NSResponseCount: "responseCounts",
	NSListCount: "listCounts", NSListEntry: "listEntries", NSValidation: "validations",
}

func (n Namespace) String() string {
	if s, ok := namespaceNames[n]; ok {
		return s
	}
	return fmt.Sprintf("namespace(0x%02x)", byte(n))
}

func hashed(ns Namespace, id []byte) Key { return Headed(ns, Keccak256(id)) }

// Headed is the key of a record whose identifiers have this digest, or whose only identifier is a hash: the namespace, and the head
// of that.
func Headed(ns Namespace, digest common.Hash) (k Key) {
	k[0] = byte(ns)
	copy(k[1:], digest[:31])
	return k
}

// addressKey keys a record by one address. Addresses are keys as they are: twelve bytes of the address's own hash would
// add nothing, but 20 raw bytes would let an attacker who grinds addresses build deep paths, so they are hashed.
func addressKey(ns Namespace, a common.Address) Key { return hashed(ns, a[:]) }

func AccountKey(a common.Address) Key    { return addressKey(NSAccount, a) }
func AgentKey(a common.Address) Key      { return addressKey(NSAgent, a) }
func AgentURIKey(a common.Address) Key   { return addressKey(NSAgentURI, a) }
func ReputationKey(a common.Address) Key { return addressKey(NSReputation, a) }

// WalletKey keys an agent's ERC-8004 wallet.
func WalletKey(a common.Address) Key { return addressKey(NSWallet, a) }

// HoldingKey keys how many agents an owner has.
func HoldingKey(owner common.Address) Key { return addressKey(NSHolding, owner) }

// DelegationKey keys what a session key may do for an agent.
func DelegationKey(agent, key common.Address) Key { return hashed2(NSDelegation, agent[:], key[:]) }

// SessionKey keys a session. Its id is a hash already.
func SessionKey(id common.Hash) Key { return Headed(NSSession, id) }

// CapabilityKey keys what an INVOKE needs of a capability; id is keccak256 of its name.
func CapabilityKey(agent common.Address, id common.Hash) Key {
	return hashed2(NSCapability, agent[:], id[:])
}

// CapabilityDetailKey keys the rest of a capability.
func CapabilityDetailKey(agent common.Address, id common.Hash) Key {
	return hashed2(NSCapabilityDetail, agent[:], id[:])
}

// MetadataKey keys one ERC-8004 metadata entry.
func MetadataKey(agent common.Address, key string) Key {
	return hashed2(NSMetadata, agent[:], []byte(key))
}

// PairKey keys the history between a callee and one caller.
func PairKey(callee, caller common.Address) Key { return hashed2(NSPair, callee[:], caller[:]) }

// InteractionKey keys an interaction. Its id is a hash already: the head of the id is the key.
func InteractionKey(id common.Hash) Key { return Headed(NSInteraction, id) }

// ChannelKey keys a channel. Its id is a hash already.
func ChannelKey(id common.Hash) Key { return Headed(NSChannel, id) }

// ChannelPairKey keys what two agents have in common; a is the one with the lower address.
func ChannelPairKey(a, b common.Address) Key { return hashed2(NSChannelPair, a[:], b[:]) }

// DisputeKey keys the dispute about an interaction.
func DisputeKey(id common.Hash) Key { return Headed(NSDispute, id) }

// CompositionKey keys a composition: the head of its id, which is a hash.
func CompositionKey(id common.Hash) Key { return Headed(NSComposition, id) }

// ConstituentKey keys a constituent of a composition by its index.
func ConstituentKey(composition common.Hash, index uint8) Key {
	return hashed2(NSConstituent, composition[:], []byte{index})
}

// DeadlineKind says what falls due. Values are consensus: never reuse one.
type DeadlineKind byte

const (
	// DueInteraction: a pending interaction times out.
	DueInteraction DeadlineKind = 1
	// DueChannel: an open channel expires, or the window of a closing one ends.
	DueChannel DeadlineKind = 20
	// DueHistory: a settled interaction is no longer recent.
	DueHistory DeadlineKind = 50
	// DueDispute: nobody has resolved a dispute in its window.
	DueDispute DeadlineKind = 51
	// DueCompositionHistory: a composition that is over is no longer recent.
	DueCompositionHistory DeadlineKind = 52
	// DueCommitment: nobody can reveal a commitment any more.
	DueCommitment DeadlineKind = 40
	// DueComposition: a composition has work for the sweep, or its deadline passes.
	DueComposition DeadlineKind = 10
)

// IndexSlotKey keys an entry of a capability's index; slot counts from 1.
func IndexSlotKey(capability common.Hash, slot uint32) Key {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], slot)
	return hashed2(NSIndex, capability[:], b[:])
}

// IndexCountKey keys the number of entries of a capability's index.
func IndexCountKey(capability common.Hash) Key { return hashed(NSIndexCount, capability[:]) }

// CommitmentKey keys a commitment by its id, a hash of the caller and what it commits to.
func CommitmentKey(id common.Hash) Key { return Headed(NSCommitment, id) }

// ForeignKey keys an agent of another chain by its foreign id.
func ForeignKey(id common.Address) Key { return addressKey(NSForeign, id) }

// FeedbackKey keys a client's feedback about an agent; index counts from 1.
func FeedbackKey(agent, client common.Address, index uint64) Key {
	var b [2*common.AddressLength + 8]byte
	copy(b[:], agent[:])
	copy(b[common.AddressLength:], client[:])
	binary.BigEndian.PutUint64(b[2*common.AddressLength:], index)
	return hashed(NSFeedback, b[:])
}

// FeedbackCountKey keys how much feedback a client has given about an agent.
func FeedbackCountKey(agent, client common.Address) Key {
	return hashed2(NSFeedbackCount, agent[:], client[:])
}

// RatingKey keys that an interaction has been rated. Its id is a hash already.
func RatingKey(id common.Hash) Key { return Headed(NSRating, id) }

// ResponseCountKey keys a responder's responses to one feedback.
func ResponseCountKey(agent, client common.Address, index uint64, responder common.Address) Key {
	var b [3*common.AddressLength + 8]byte
	copy(b[:], agent[:])
	copy(b[common.AddressLength:], client[:])
	binary.BigEndian.PutUint64(b[2*common.AddressLength:], index)
	copy(b[2*common.AddressLength+8:], responder[:])
	return hashed(NSResponseCount, b[:])
}

// ListKind says what a list of the ERC-8004 registries has. Values are consensus: never reuse one.
type ListKind uint8

const (
	// ListClients: who has given feedback about an agent.
	ListClients ListKind = 1
	// ListAgentValidations: requests of an agent.
	ListAgentValidations ListKind = 2
	// ListValidatorRequests: requests to a validator.
	ListValidatorRequests ListKind = 3
)

// ListCountKey keys the length of a list.
func ListCountKey(kind ListKind, subject common.Address) Key {
	return hashed2(NSListCount, []byte{byte(kind)}, subject[:])
}

// ListEntryKey keys an entry of a list; index counts from 1.
func ListEntryKey(kind ListKind, subject common.Address, index uint64) Key {
	var b [1 + common.AddressLength + 8]byte
	b[0] = byte(kind)
	copy(b[1:], subject[:])
	binary.BigEndian.PutUint64(b[1+common.AddressLength:], index)
	return hashed(NSListEntry, b[:])
}

// ValidationKey keys a validation request. Its hash is the requester's choice, so it is hashed again.
func ValidationKey(requestHash common.Hash) Key { return hashed(NSValidation, requestHash[:]) }

// deadlineBytes is the width of the deadline in a key: Unix seconds until the year 36812.
const deadlineBytes = 5

// DeadlineKey keys an entry of the deadline queue: namespace ‖ deadline (5 bytes, big-endian) ‖ kind ‖ first 25 bytes of the
// id. The smallest key of the namespace is the next entry that falls due, and one ordered Merkle path proves it.
// deadline must be below 2^40.
func DeadlineKey(deadline uint64, kind DeadlineKind, id common.Hash) (k Key) {
	if deadline >= 1<<(8*deadlineBytes) {
		panic(fmt.Sprintf("deadline %d does not fit in %d bytes", deadline, deadlineBytes))
	}
	k[0] = byte(NSDeadline)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], deadline)
	copy(k[1:], b[8-deadlineBytes:])
	k[1+deadlineBytes] = byte(kind)
	copy(k[2+deadlineBytes:], id[:])
	return k
}

// DeadlineOf returns the deadline, in Unix seconds, of a key of the deadline queue.
func DeadlineOf(k Key) uint64 {
	var b [8]byte
	copy(b[8-deadlineBytes:], k[1:1+deadlineBytes])
	return binary.BigEndian.Uint64(b[:])
}

// DueOf returns what falls due at a key of the deadline queue.
func DueOf(k Key) DeadlineKind { return DeadlineKind(k[1+deadlineBytes]) }

// Keys of /global/.
var (
	ParamsKey  = hashed(NSGlobal, []byte("params"))
	PolicyKey  = hashed(NSGlobal, []byte("policy"))
	TotalsKey  = hashed(NSGlobal, []byte("totals"))
	L1InfoKey  = hashed(NSGlobal, []byte("l1Info"))
	HistoryKey = hashed(NSGlobal, []byte("history"))
)

// hashed2 keys a record by two identifiers.
func hashed2(ns Namespace, a, b []byte) Key {
	var buf [longestID]byte // metadata keys may be longer
	return hashed(ns, append(append(buf[:0], a...), b...))
}
