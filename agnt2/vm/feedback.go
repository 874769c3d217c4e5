package vm

import (
	"encoding/hex"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// ERC-8004's Reputation registry: the caller of a settled interaction rates the agent for it, once. The reputation that this
// chain computes of what happened (reputation.go) never hears of it: an opinion costs nothing.

// Micro-steps of feedback, and of the lists that both registries keep.
const (
	FeedbackArgs Step = 195 + iota
	FeedbackAgent
	FeedbackKey
	FeedbackInteraction
	FeedbackPair
	FeedbackCount
	FeedbackRating
	WriteFeedback
	RevokeFeedback
	AppendResponse
	CountResponse
	ListCount
	ListEntry
)

var feedbackProgram = map[Step]instruction{
	FeedbackArgs:        {"feedbackArgs", OpensOp | OpensParams | OpensData, 0, stepFeedbackArgs},
	FeedbackAgent:       {"feedbackAgent", OpensOp, 0, stepFeedbackAgent},
	FeedbackKey:         {"feedbackKey", OpensBlock | OpensOp, 0, stepFeedbackKey},
	FeedbackInteraction: {"feedbackInteraction", OpensOp, 0, stepFeedbackInteraction},
	FeedbackPair:        {"feedbackPair", OpensOp, 0, stepFeedbackPair},
	FeedbackCount:       {"feedbackCount", OpensOp, 0, stepFeedbackCount},
	FeedbackRating:      {"feedbackRating", OpensOp, 0, stepFeedbackRating},
	WriteFeedback:       {"writeFeedback", OpensBlock | OpensOp | OpensData, 0, stepWriteFeedback},
	RevokeFeedback:      {"revokeFeedback", OpensOp | OpensParams | OpensData, 0, stepRevokeFeedback},
	AppendResponse:      {"appendResponse", OpensOp | OpensParams | OpensData, 0, stepAppendResponse},
	CountResponse:       {"countResponse", OpensOp | OpensData, 0, stepCountResponse},
	ListCount:           {"listCount", OpensOp, 0, stepListCount},
	ListEntry:           {"listEntry", OpensOp, 0, stepListEntry},
}

var feedbackOperations = map[[4]byte]operation{
	abi.GiveFeedbackSelector:   op(abi.DecodeGiveFeedbackCall, false, FeedbackArgs),
	abi.RevokeFeedbackSelector: op(abi.DecodeRevokeFeedbackCall, false, RevokeFeedback),
	abi.AppendResponseSelector: op(abi.DecodeAppendResponseCall, false, AppendResponse),
}

// registryWrites are the operations that can be sent to a registry of the standard, too: the calldata is the standard's anyway.
var registryWrites = map[common.Address]map[[4]byte]bool{
	abi.ReputationRegistryAddress: {abi.GiveFeedbackSelector: true, abi.RevokeFeedbackSelector: true, abi.AppendResponseSelector: true},
	abi.ValidationRegistryAddress: {abi.ValidationRequestSelector: true, abi.ValidationResponseSelector: true},
}

// isRegistryWrite reports whether calldata is a write of a registry.
func isRegistryWrite(to common.Address, data []byte) bool {
	return len(data) >= 4 && registryWrites[to][[4]byte(data)]
}

const (
	maxTag           = 64 // bytes
	maxValueDecimals = 18
	// feedbackRecords: count, rating, the feedback, and the list's count and entry.
	feedbackRecords = 5
)

// mostFeedbackValue is the standard's reference registry's bound, which keeps sums of values in range.
var mostFeedbackValue = new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)

// InteractionEndpoint is the endpoint by which feedback names the interaction that it is about.
func InteractionEndpoint(id common.Hash) string {
	return interactionScheme + "0x" + hex.EncodeToString(id[:])
}

const interactionScheme = "agnt2:"

// ratedInteraction reads such an endpoint. There is one spelling; another that begins like it is refused, so that nobody rates
// another interaction than the one that was meant. Any other endpoint names none.
func ratedInteraction(endpoint string) (id common.Hash, named, ok bool) {
	digits, named := strings.CutPrefix(endpoint, interactionScheme)
	if !named {
		return id, false, true
	}
	if len(digits) == 2+2*len(id) {
		id = common.HexToHash(digits) // of what is no number something else, which is spelled otherwise
	}
	return id, true, endpoint == InteractionEndpoint(id)
}

func stepFeedbackArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.GiveFeedbackCall)
	if !m.use(gas.AgentOperation(&m.Params, feedbackRecords)) {
		return m.outOfGas()
	}
	agent, ok := erc8004.Agent(&c.AgentId)
	id, named, wellFormed := ratedInteraction(c.Endpoint)
	switch {
	case !ok:
		return m.fail(outOfRange("agentId"))
	case c.Value.Big().CmpAbs(mostFeedbackValue) > 0:
		return m.fail(outOfRange("value"))
	case c.ValueDecimals > maxValueDecimals:
		return m.fail(outOfRange("valueDecimals"))
	case len(c.Tag1) > maxTag:
		return m.fail(outOfRange("tag1"))
	case len(c.Tag2) > maxTag:
		return m.fail(outOfRange("tag2"))
	case len(c.Endpoint) > maxEndpoint || !wellFormed:
		return m.fail(outOfRange("endpoint"))
	case len(c.FeedbackURI) > maxURI:
		return m.fail(outOfRange("feedbackURI"))
	}
	m.Op.Word, m.Op.Id, m.Op.Flag = agentWord(agent), id, named
	return FeedbackAgent
}

func (m *Machine) selfFeedback() Step {
	return m.fail(&abi.SelfFeedback{Agent: wordAgent(m.Op.Word), Client: m.Op.From})
}

// stepFeedbackAgent learns whose the agent is: who owns it rates it neither itself nor by another agent. One that has deregistered can
// still be rated.
func stepFeedbackAgent(m *Machine, s State) Step {
	o := &m.Op
	agent := wordAgent(o.Word)
	b := m.get(s, record.AgentKey(agent))
	if b == nil {
		return m.fail(&abi.NotRegistered{Agent: agent})
	}
	a := decoded(record.DecodeAgent(b))
	if o.From == agent || o.From == a.Owner || m.actingOwner() == a.Owner {
		return m.selfFeedback()
	}
	o.Epoch = a.Ownership
	return FeedbackKey
}

// stepFeedbackKey: session keys are this chain's operators, whom the standard does not let rate either.
func stepFeedbackKey(m *Machine, s State) Step {
	o := &m.Op
	if b := m.get(s, record.DelegationKey(wordAgent(o.Word), o.From)); b != nil {
		if k := decoded(record.DecodeDelegation(b)); k.Ownership == o.Epoch && m.Block.Time <= k.Expiry {
			return m.selfFeedback()
		}
	}
	if o.Flag {
		return FeedbackInteraction
	}
	return FeedbackPair
}

// stepFeedbackInteraction checks the interaction that the client has named. If it is in the history already, the pair may still
// know it.
func stepFeedbackInteraction(m *Machine, s State) Step {
	o := &m.Op
	b := m.get(s, record.InteractionKey(o.Id))
	if b == nil {
		return FeedbackPair
	}
	i := decoded(record.DecodeInteraction(b))
	switch {
	case i.Caller != o.From:
		return m.fail(&abi.NotCaller{Sender: o.From, Caller: i.Caller})
	case i.Callee != wordAgent(o.Word):
		return m.fail(&abi.InteractionOfOther{Id: o.Id, Callee: i.Callee})
	}
	switch InteractionStatus(i.Status) {
	case Pending, Tentative, Opened:
		return m.fail(&abi.InteractionPending{Id: o.Id})
	}
	return FeedbackCount
}

// stepFeedbackPair finds the latest interaction that counted, whose record may be gone.
func stepFeedbackPair(m *Machine, s State) Step {
	o := &m.Op
	agent := wordAgent(o.Word)
	var p record.Pair
	if b := m.get(s, record.PairKey(agent, o.From)); b != nil {
		p = decoded(record.DecodePair(b))
	}
	switch {
	case o.Flag && (p.Latest != o.Id || p.Completed == 0):
		return m.fail(&abi.InteractionUnknown{Id: o.Id})
	case p.Completed == 0:
		return m.fail(&abi.NothingToRate{Agent: agent, Client: o.From})
	}
	o.Id = p.Latest
	return FeedbackCount
}

// stepFeedbackCount gives the feedback its index.
func stepFeedbackCount(m *Machine, s State) Step {
	o := &m.Op
	k := record.FeedbackCountKey(wordAgent(o.Word), o.From)
	old := m.get(s, k)
	var n record.FeedbackCount
	if old != nil {
		n = decoded(record.DecodeFeedbackCount(old))
	}
	n.Count++
	o.Pairs = n.Count
	m.set(s, k, old, n.Encode())
	return FeedbackRating
}

// stepFeedbackRating marks the interaction for good: what is revoked is not given again.
func stepFeedbackRating(m *Machine, s State) Step {
	o := &m.Op
	k := record.RatingKey(o.Id)
	if old := m.get(s, k); old != nil {
		return m.fail(&abi.InteractionRated{Id: o.Id, FeedbackIndex: decoded(record.DecodeRating(old)).FeedbackIndex})
	}
	m.set(s, k, nil, (&record.Rating{FeedbackIndex: o.Pairs}).Encode())
	return WriteFeedback
}

func stepWriteFeedback(m *Machine, s State) Step {
	c, o := m.args.(*abi.GiveFeedbackCall), &m.Op
	k := record.FeedbackKey(wordAgent(o.Word), o.From, o.Pairs)
	m.set(s, k, m.get(s, k), (&record.Feedback{
		Value: c.Value, ValueDecimals: c.ValueDecimals, GivenAt: m.Block.Time, InteractionId: o.Id, Tag1: c.Tag1, Tag2: c.Tag2,
	}).Encode())
	m.emit((&feedback.NewFeedbackEvent{
		AgentId: c.AgentId, ClientAddress: o.From, FeedbackIndex: o.Pairs, Value: c.Value, ValueDecimals: c.ValueDecimals, IndexedTag1: c.Tag1,
		Tag1: c.Tag1, Tag2: c.Tag2, Endpoint: c.Endpoint, FeedbackURI: c.FeedbackURI, FeedbackHash: c.FeedbackHash,
	}).Log(abi.ReputationRegistryAddress))
	if o.Pairs > 1 {
		return TxEnd
	}
	o.Status = uint8(record.ListClients)
	return ListCount
}

func stepRevokeFeedback(m *Machine, s State) Step {
	c := m.args.(*abi.RevokeFeedbackCall)
	if !m.use(gas.AgentOperation(&m.Params, 0)) {
		return m.outOfGas()
	}
	agent, ok := erc8004.Agent(&c.AgentId)
	if !ok {
		return m.fail(outOfRange("agentId"))
	}
	k := record.FeedbackKey(agent, m.Op.From, c.FeedbackIndex)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.FeedbackUnknown{Agent: agent, Client: m.Op.From, FeedbackIndex: c.FeedbackIndex})
	}
	f := decoded(record.DecodeFeedback(old))
	if f.IsRevoked {
		return m.fail(&abi.FeedbackIsRevoked{Agent: agent, Client: m.Op.From, FeedbackIndex: c.FeedbackIndex})
	}
	f.IsRevoked = true
	m.set(s, k, old, f.Encode())
	m.emit((&feedback.FeedbackRevokedEvent{AgentId: c.AgentId, ClientAddress: m.Op.From, FeedbackIndex: c.FeedbackIndex}).Log(abi.ReputationRegistryAddress))
	return TxEnd
}

func stepAppendResponse(m *Machine, s State) Step {
	c := m.args.(*abi.AppendResponseCall)
	if !m.use(gas.AgentOperation(&m.Params, 1)) {
		return m.outOfGas()
	}
	agent, ok := erc8004.Agent(&c.AgentId)
	switch {
	case !ok:
		return m.fail(outOfRange("agentId"))
	case len(c.ResponseURI) == 0 || len(c.ResponseURI) > maxURI:
		return m.fail(outOfRange("responseURI"))
	}
	k := record.FeedbackKey(agent, c.ClientAddress, c.FeedbackIndex)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.FeedbackUnknown{Agent: agent, Client: c.ClientAddress, FeedbackIndex: c.FeedbackIndex})
	}
	f := decoded(record.DecodeFeedback(old))
	f.Responses++
	m.set(s, k, old, f.Encode())
	return CountResponse
}

// stepCountResponse counts the responses of one responder, for the standard's filter.
func stepCountResponse(m *Machine, s State) Step {
	c := m.args.(*abi.AppendResponseCall)
	agent, _ := erc8004.Agent(&c.AgentId)
	k := record.ResponseCountKey(agent, c.ClientAddress, c.FeedbackIndex, m.Op.From)
	old := m.get(s, k)
	var n record.ResponseCount
	if old != nil {
		n = decoded(record.DecodeResponseCount(old))
	}
	n.Count++
	m.set(s, k, old, n.Encode())
	m.emit((&feedback.ResponseAppendedEvent{
		AgentId: c.AgentId, ClientAddress: c.ClientAddress, FeedbackIndex: c.FeedbackIndex, Responder: m.Op.From,
		ResponseURI: c.ResponseURI, ResponseHash: c.ResponseHash,
	}).Log(abi.ReputationRegistryAddress))
	return TxEnd
}

// The registries' lists only grow. Op.Status says which list gets an entry; an operation that adds to two comes here twice.

// listOf is the list's subject, whom it is about, and the new entry.
func (m *Machine) listOf() (kind record.ListKind, subject common.Address, item common.Hash) {
	o := &m.Op
	switch kind = record.ListKind(o.Status); kind {
	case record.ListClients:
		return kind, wordAgent(o.Word), agentWord(o.From)
	case record.ListAgentValidations:
		return kind, o.From, o.Id
	}
	return kind, wordAgent(o.Word), o.Id
}

func stepListCount(m *Machine, s State) Step {
	kind, subject, _ := m.listOf()
	k := record.ListCountKey(kind, subject)
	old := m.get(s, k)
	var n record.ListCount
	if old != nil {
		n = decoded(record.DecodeListCount(old))
	}
	n.Count++
	m.Op.Pairs = n.Count
	m.set(s, k, old, n.Encode())
	return ListEntry
}

func stepListEntry(m *Machine, s State) Step {
	kind, subject, item := m.listOf()
	k := record.ListEntryKey(kind, subject, m.Op.Pairs)
	m.set(s, k, m.get(s, k), (&record.ListEntry{Item: item}).Encode())
	if kind == record.ListAgentValidations {
		m.Op.Status = uint8(record.ListValidatorRequests)
		return ListCount
	}
	return TxEnd
}
