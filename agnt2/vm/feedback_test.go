package vm_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// The scripts' words for feedback and validations. "at=registry" sends an operation to the registry whose write it is.
func (s *script) feedbackCall(from, op string, a args) (to *common.Address, data []byte) {
	agentID := erc8004.AgentID(s.address(a.text("of", "bob")))
	if a.text("id256", "") != "" {
		agentID = *new(uint256.Int).Lsh(uint256.NewInt(1), 160)
	}
	index := a.number("index", 1)
	to = &abi.ReputationRegistryAddress
	switch op {
	case "giveFeedback":
		value, ok := new(big.Int).SetString(a.text("value1", "5"), 10)
		n, fits := codec.Int128FromBig(value)
		require.True(s.t, ok && fits)
		c := &abi.GiveFeedbackCall{
			AgentId: agentID, Value: n, ValueDecimals: uint8(a.number("decimals", 0)), Tag1: a.text("tag1", ""), Tag2: a.text("tag2", ""),
			Endpoint: a.text("endpoint", ""), FeedbackURI: a.text("uri", ""), FeedbackHash: s.hash(a.text("hash", "")),
		}
		if about := a.text("about", ""); about != "" {
			c.Endpoint = vm.InteractionEndpoint(s.id(about))
		}
		data = c.Encode()
	case "revokeFeedback":
		data = (&abi.RevokeFeedbackCall{AgentId: agentID, FeedbackIndex: index}).Encode()
	case "appendResponse":
		data = (&abi.AppendResponseCall{
			AgentId: agentID, ClientAddress: s.address(a.text("client", "alice")), FeedbackIndex: index, ResponseURI: a.text("uri", "r"),
			ResponseHash: s.hash(a.text("hash", "")),
		}).Encode()
	case "validationRequest":
		to = &abi.ValidationRegistryAddress
		c := &abi.ValidationRequestCall{AgentId: agentID, RequestURI: a.text("uri", ""), RequestHash: s.hash(a.text("request", "work"))}
		if n := a.text("validator", "vera"); n != "0" {
			c.ValidatorAddress = s.address(n)
		}
		data = c.Encode()
	default:
		to = &abi.ValidationRegistryAddress
		data = (&abi.ValidationResponseCall{
			RequestHash: s.hash(a.text("request", "work")), Response: uint8(a.number("response", 100)), ResponseURI: a.text("uri", ""),
			ResponseHash: s.hash(a.text("hash", "")), Tag: a.text("tag", ""),
		}).Encode()
	}
	if a.text("at", "") != "registry" {
		to = &abi.Address
	}
	return to, data
}

// feedbackLabel names a key of the registries' records, by trying what the script has mentioned.
func (s *script) feedbackLabel(ns record.Namespace, k record.Key) (label string, ok bool) {
	if ns < record.NSFeedback || ns > record.NSValidation {
		return "", false
	}
	try := func(key record.Key, format string, a ...any) {
		if key == k {
			label, ok = ns.String()+"/"+fmt.Sprintf(format, a...), true
		}
	}
	const most = 8 // indexes
	addresses := map[string]common.Address{}
	for _, n := range s.names {
		addresses[n] = named(n)
	}
	lists := map[record.ListKind]string{record.ListClients: "clients", record.ListAgentValidations: "validations", record.ListValidatorRequests: "requests"}
	switch ns {
	case record.NSValidation:
		for h, text := range s.hashes {
			try(record.ValidationKey(h), "#%s", short(text))
		}
	case record.NSRating:
		for id, n := range s.ids {
			try(record.RatingKey(id), "%s", n)
		}
	case record.NSListCount, record.NSListEntry:
		for _, a := range s.names {
			for kind, list := range lists {
				try(record.ListCountKey(kind, addresses[a]), "%s/%s", list, a)
				for i := range uint64(most) {
					try(record.ListEntryKey(kind, addresses[a], i), "%s/%s/%d", list, a, i)
				}
			}
		}
	default:
		for _, a := range s.names {
			for _, b := range s.names {
				try(record.FeedbackCountKey(addresses[a], addresses[b]), "%s/%s", a, b)
				for i := range uint64(most) {
					try(record.FeedbackKey(addresses[a], addresses[b], i), "%s/%s/%d", a, b, i)
					if ns != record.NSResponseCount {
						continue
					}
					for _, c := range s.names {
						try(record.ResponseCountKey(addresses[a], addresses[b], i, addresses[c]), "%s/%s/%d/%s", a, b, i, c)
					}
				}
			}
		}
	}
	return label, ok
}

// feedbackEvents by topic.
var feedbackEvents = map[common.Hash]func(*types.Log) any{
	feedback.NewFeedbackTopic:          func(l *types.Log) any { v := must(feedback.DecodeNewFeedbackEvent(l)); return &v },
	feedback.FeedbackRevokedTopic:      func(l *types.Log) any { v := must(feedback.DecodeFeedbackRevokedEvent(l)); return &v },
	feedback.ResponseAppendedTopic:     func(l *types.Log) any { v := must(feedback.DecodeResponseAppendedEvent(l)); return &v },
	validation.ValidationRequestTopic:  func(l *types.Log) any { v := must(validation.DecodeValidationRequestEvent(l)); return &v },
	validation.ValidationResponseTopic: func(l *types.Log) any { v := must(validation.DecodeValidationResponseEvent(l)); return &v },
}

// TestRegistryWritesAreTheStandards: IAGNT2 and the registries' interfaces declare the same functions.
func TestRegistryWritesAreTheStandards(t *testing.T) {
	for ours, standards := range map[[4]byte][4]byte{
		abi.GiveFeedbackSelector:       feedback.GiveFeedbackSelector,
		abi.RevokeFeedbackSelector:     feedback.RevokeFeedbackSelector,
		abi.AppendResponseSelector:     feedback.AppendResponseSelector,
		abi.ValidationRequestSelector:  validation.ValidationRequestSelector,
		abi.ValidationResponseSelector: validation.ValidationResponseSelector,
	} {
		require.Equal(t, standards, ours)
	}
}

// checkFeedback asserts what holds of the registries' records between blocks: every list and every count is dense, and every
// rating leads to feedback about its interaction.
func (s *simulator) checkFeedback() {
	var feedbacks, counted, ratings, entries, listed, validations, responses, responded uint64
	for k, v := range s.state {
		switch record.Namespace(k[0]) {
		case record.NSFeedback:
			f := must(record.DecodeFeedback(v))
			require.NotNil(s.t, s.state[record.RatingKey(f.InteractionId)], "feedback without a rating")
			feedbacks++
			responses += f.Responses
		case record.NSFeedbackCount:
			counted += must(record.DecodeFeedbackCount(v)).Count
		case record.NSRating:
			ratings++
		case record.NSResponseCount:
			responded += must(record.DecodeResponseCount(v)).Count
		case record.NSListCount:
			listed += must(record.DecodeListCount(v)).Count
		case record.NSListEntry:
			entries++
		case record.NSValidation:
			validations++
		}
	}
	require.Equal(s.t, counted, feedbacks, "feedback and its counts")
	require.Equal(s.t, ratings, feedbacks, "feedback and rated interactions")
	require.Equal(s.t, responses, responded, "responses of feedback and of responders")
	require.Equal(s.t, listed, entries, "entries of lists and their counts")
	pairs := uint64(0)
	for _, agent := range append(s.Owned(), s.Accounts...) {
		s.listed(record.ListClients, agent, func(item common.Hash) {
			client := common.BytesToAddress(item[:])
			c := must(record.DecodeFeedbackCount(s.state[record.FeedbackCountKey(agent, client)])).Count
			for i := range c {
				require.NotNil(s.t, s.state[record.FeedbackKey(agent, client, i+1)])
			}
			require.NotEqual(s.t, agent, client)
			pairs += c
		})
		validations -= s.listed(record.ListAgentValidations, agent, func(item common.Hash) {
			require.Equal(s.t, agent, must(record.DecodeValidation(s.state[record.ValidationKey(item)])).Agent)
		})
		s.listed(record.ListValidatorRequests, agent, func(item common.Hash) {
			require.Equal(s.t, agent, must(record.DecodeValidation(s.state[record.ValidationKey(item)])).Validator)
		})
	}
	require.Equal(s.t, feedbacks, pairs, "feedback that no client list leads to")
	require.Zero(s.t, validations, "validations that no agent's list leads to")
}

// listed visits a list's entries and returns how many there are.
func (s *simulator) listed(kind record.ListKind, subject common.Address, visit func(common.Hash)) uint64 {
	b := s.state[record.ListCountKey(kind, subject)]
	if b == nil {
		return 0
	}
	n := must(record.DecodeListCount(b)).Count
	for i := range n {
		visit(must(record.DecodeListEntry(s.state[record.ListEntryKey(kind, subject, i+1)])).Item)
	}
	return n
}

// TestInteractionEndpoint: one spelling names an interaction, what begins like it is refused, the rest names none.
func TestInteractionEndpoint(t *testing.T) {
	id := common.Hash{0xab, 31: 0xcd}
	require.Equal(t, "agnt2:0xab"+strings.Repeat("0", 60)+"cd", vm.InteractionEndpoint(id))
}
