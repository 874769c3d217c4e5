package differential

import (
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// feedbackWays are those of ERC-8004's Reputation and Validation registries; see ways.
const feedbackWays = `
feedbackArgs: FieldOutOfRange agentId, FieldOutOfRange endpoint, FieldOutOfRange feedbackURI, FieldOutOfRange tag1, FieldOutOfRange tag2, FieldOutOfRange value, FieldOutOfRange valueDecimals, OutOfGas, feedbackAgent
feedbackAgent: NotRegistered, SelfFeedback, feedbackKey
feedbackKey: SelfFeedback, feedbackInteraction, feedbackPair
feedbackInteraction: InteractionOfOther, InteractionPending, NotCaller, feedbackCount, feedbackPair
feedbackPair: InteractionUnknown, NothingToRate, feedbackCount
feedbackCount: feedbackRating
feedbackRating: InteractionRated, writeFeedback
writeFeedback: listCount, txEnd
revokeFeedback: FeedbackIsRevoked, FeedbackUnknown, FieldOutOfRange agentId, OutOfGas, txEnd
appendResponse: FeedbackUnknown, FieldOutOfRange agentId, FieldOutOfRange responseURI, OutOfGas, countResponse
countResponse: txEnd
listCount: listEntry
listEntry: listCount, txEnd
validationArgs: FieldOutOfRange agentId, FieldOutOfRange requestURI, FieldOutOfRange validatorAddress, NotRegistered, OutOfGas, actAgent, writeValidation
writeValidation: ValidationExists, listCount
answerValidation: FieldOutOfRange response, FieldOutOfRange responseURI, FieldOutOfRange tag, NotValidator, OutOfGas, ValidationUnknown, txEnd
`

var tooLargeID = *new(uint256.Int).Lsh(uint256.NewInt(1), 160)

// at sends an operation to a registry, which must accept it.
func (s *scenario) at(registry *common.Address, from string, c call) {
	s.t.Helper()
	s.tx(from, registry, 0, c.Encode())
	require.NoError(s.t, s.void)
	require.False(s.t, s.op.Failed, "%T failed: %v", c, s.seen)
}

// feedback takes every way of the Reputation registry. "rated" is an agent, "client" and "guest" are callers of it; "boss" owns two
// agents; "key" is a key of "rated".
func (s *scenario) feedback() {
	for _, name := range []string{"rated", "client", "guest", "boss", "key", "stranger", "validator"} {
		s.fund(address(name), uint256.NewInt(50_000_000_000))
	}
	rated, client, guest := address("rated"), address("client"), address("guest")
	first, second := vm.OwnedAgent(address("boss"), 1), vm.OwnedAgent(address("boss"), 2)
	settled := func(id byte, status vm.InteractionStatus, caller, callee common.Address) common.Hash {
		h := common.Hash{0xfb, id}
		s.set(record.InteractionKey(h), (&record.Interaction{Status: uint8(status), Caller: caller, Callee: callee, PaymentWei: *uint256.NewInt(20), SettledAt: s.time}).Encode())
		return h
	}
	latest := common.Hash{0xfa, 1} // of client; its record is gone
	s.set(record.PairKey(rated, client), (&record.Pair{Completed: 3, Latest: latest}).Encode())
	failed := settled(1, vm.TimedOut, guest, rated)
	done := settled(2, vm.Completed, client, rated)
	for i, status := range []vm.InteractionStatus{vm.Pending, vm.Tentative, vm.Opened} {
		settled(byte(10+i), status, client, rated)
	}
	elsewhere := settled(20, vm.Completed, client, first)
	id := erc8004.AgentID(rated)
	give := func(changes ...func(*abi.GiveFeedbackCall)) *abi.GiveFeedbackCall {
		c := &abi.GiveFeedbackCall{AgentId: id, Value: codec.NewInt128(-320), ValueDecimals: 1, Tag1: "tradingYield", Tag2: "day"}
		for _, f := range changes {
			f(c)
		}
		return c
	}
	about := func(id common.Hash) func(*abi.GiveFeedbackCall) {
		return func(c *abi.GiveFeedbackCall) { c.Endpoint = vm.InteractionEndpoint(id) }
	}
	of := func(agent common.Address) func(*abi.GiveFeedbackCall) {
		return func(c *abi.GiveFeedbackCall) { c.AgentId = erc8004.AgentID(agent) }
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(38), nil)
	number := func(v *big.Int) codec.Int128 {
		x, ok := codec.Int128FromBig(v)
		require.True(s.t, ok)
		return x
	}

	s.open(1)
	s.do("rated", 100, &abi.RegisterCall{Name: "rated"})
	s.do("client", 100, &abi.RegisterCall{Name: "client"})
	s.do("boss", 100, &abi.RegisterForCall{Index: 1, Name: "first"})
	s.do("boss", 100, &abi.RegisterForCall{Index: 2, Name: "second"})
	s.do("rated", 0, &abi.AuthorizeKeyCall{Key: address("key"), Expiry: s.time + 1, SpendLimitWei: *uint256.NewInt(1)})
	s.fails("feedbackArgs OutOfGas", "client", 0, give(), gasLimit(15_000))
	for field, changes := range map[string][]func(*abi.GiveFeedbackCall){
		"agentId": {func(c *abi.GiveFeedbackCall) { c.AgentId = tooLargeID }},
		"value": {
			func(c *abi.GiveFeedbackCall) { c.Value = number(new(big.Int).Add(most, common.Big1)) },
			func(c *abi.GiveFeedbackCall) { c.Value = number(new(big.Int).Not(most)) },
			func(c *abi.GiveFeedbackCall) { c.Value = codec.Int128{0x80} },
		},
		"valueDecimals": {func(c *abi.GiveFeedbackCall) { c.ValueDecimals = 19 }},
		"tag1":          {func(c *abi.GiveFeedbackCall) { c.Tag1 = long(65) }},
		"tag2":          {func(c *abi.GiveFeedbackCall) { c.Tag2 = long(65) }},
		"endpoint": {
			func(c *abi.GiveFeedbackCall) { c.Endpoint = long(257) },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:" },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0x" },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0X" + strings.Repeat("0", 64) },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0x" + strings.Repeat("0", 63) },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0x" + strings.Repeat("0", 65) },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0x" + strings.Repeat("0", 63) + "A" },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0x/" + strings.Repeat("0", 63) },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0x" + strings.Repeat("9", 60) + ":`ga" },
			func(c *abi.GiveFeedbackCall) { c.Endpoint = "agnt2:0x" + strings.Repeat("f", 63) + "\xff" },
		},
		"feedbackURI": {func(c *abi.GiveFeedbackCall) { c.FeedbackURI = long(513) }},
	} {
		for _, change := range changes {
			s.fails("feedbackArgs FieldOutOfRange "+field, "client", 0, give(change))
		}
	}
	s.fails("feedbackArgs FieldOutOfRange feedbackURI", "client", 0, give(func(c *abi.GiveFeedbackCall) { c.FeedbackURI = long(90_000) }))
	s.fails("feedbackAgent NotRegistered", "client", 0, give(of(address("stranger"))))
	s.fails("feedbackAgent SelfFeedback", "rated", 0, give())
	s.fails("feedbackAgent SelfFeedback", "boss", 0, give(of(first)))
	s.fails("feedbackAgent SelfFeedback", "boss", 0, actFor(first, 0, give(of(second))))
	s.fails("feedbackKey SelfFeedback", "key", 0, give())
	s.fails("feedbackPair NothingToRate", "guest", 0, give())
	s.fails("feedbackPair NothingToRate", "client", 0, give(func(c *abi.GiveFeedbackCall) { c.AgentId = erc8004.AgentID(first); c.Endpoint = "agnt2" }))
	for _, gone := range []common.Hash{{}, {0xfa, 2}} {
		s.fails("feedbackPair InteractionUnknown", "client", 0, give(about(gone)))
		s.fails("feedbackPair InteractionUnknown", "guest", 0, give(about(gone)))
	}
	s.fails("feedbackPair InteractionUnknown", "guest", 0, give(about(latest)))
	s.fails("feedbackInteraction NotCaller", "client", 0, give(about(failed)))
	s.fails("feedbackInteraction InteractionOfOther", "client", 0, give(about(elsewhere)))
	for i := range byte(3) {
		s.fails("feedbackInteraction InteractionPending", "client", 0, give(about(common.Hash{0xfb, 10 + i})))
	}
	for _, data := range [][]byte{nil, {1, 2, 3}, {1, 2, 3, 4}, new(abi.HeartbeatCall).Encode(), new(abi.ValidationResponseCall).Encode()} {
		s.failsRaw("dispatch UnknownOperation", "client", &abi.ReputationRegistryAddress, 0, data)
	}
	s.failsRaw("dispatch UnknownOperation", "client", &abi.ValidationRegistryAddress, 0, give().Encode())
	s.failsRaw("dispatch ValueNotAccepted", "client", &abi.ReputationRegistryAddress, 1, give().Encode())
	s.failsRaw("dispatch MalformedCalldata", "client", &abi.ReputationRegistryAddress, 0, append(give().Encode(), 0))
	tooWide := give().Encode()
	tooWide[4+32+15]-- // the sign extension of value
	s.failsRaw("dispatch MalformedCalldata", "client", &abi.ReputationRegistryAddress, 0, tooWide)
	s.at(&abi.ReputationRegistryAddress, "client", give())
	require.Equal(s.t, latest, s.op.Id)
	s.fails("feedbackRating InteractionRated", "client", 0, give())
	s.fails("feedbackRating InteractionRated", "client", 0, give(about(latest)))
	s.do("client", 0, give(about(done), func(c *abi.GiveFeedbackCall) { // as long as it gets
		c.Value, c.ValueDecimals, c.Tag1, c.Tag2, c.FeedbackURI = number(new(big.Int).Neg(most)), 18, long(64), long(64), long(512)
	}))
	s.do("guest", 0, give(about(failed), func(c *abi.GiveFeedbackCall) { c.Value = number(most); c.Tag1, c.Tag2 = "", "" }), deposit)
	s.seal()
	// A key that has expired is as good as none; an owner acts for its agent, whose latest interaction is named though it is gone.
	pruned, own := common.Hash{0xfa, 7}, settled(30, vm.Rejected, address("key"), rated)
	s.set(record.PairKey(rated, first), (&record.Pair{Completed: 1, Latest: pruned}).Encode())
	s.open(2)
	s.do("key", 0, give(about(own)))
	s.do("boss", 0, actFor(first, 0, give(about(pruned), func(c *abi.GiveFeedbackCall) { c.Tag1 = "x" })))
	s.seal()

	s.open(1)
	revoke := func(index uint64) *abi.RevokeFeedbackCall {
		return &abi.RevokeFeedbackCall{AgentId: id, FeedbackIndex: index}
	}
	s.fails("revokeFeedback OutOfGas", "client", 0, revoke(1), gasLimit(5000))
	s.fails("revokeFeedback FieldOutOfRange agentId", "client", 0, &abi.RevokeFeedbackCall{AgentId: tooLargeID})
	for _, index := range []uint64{0, 3, 1 << 63} {
		s.fails("revokeFeedback FeedbackUnknown", "client", 0, revoke(index))
	}
	s.fails("revokeFeedback FeedbackUnknown", "stranger", 0, revoke(1))
	s.at(&abi.ReputationRegistryAddress, "client", revoke(1))
	s.do("client", 0, revoke(2))
	s.fails("revokeFeedback FeedbackIsRevoked", "client", 0, revoke(2))
	answer := func(client common.Address, index uint64, uri string) *abi.AppendResponseCall {
		return &abi.AppendResponseCall{AgentId: id, ClientAddress: client, FeedbackIndex: index, ResponseURI: uri, ResponseHash: common.Hash{4}}
	}
	s.fails("appendResponse OutOfGas", "rated", 0, answer(client, 1, "u"), gasLimit(5000))
	s.fails("appendResponse FieldOutOfRange agentId", "rated", 0, &abi.AppendResponseCall{AgentId: tooLargeID, ResponseURI: "u"})
	s.fails("appendResponse FieldOutOfRange responseURI", "rated", 0, answer(client, 1, ""))
	s.fails("appendResponse FieldOutOfRange responseURI", "rated", 0, answer(client, 1, long(513)))
	s.fails("appendResponse FeedbackUnknown", "rated", 0, answer(client, 3, "u"))
	s.fails("appendResponse FeedbackUnknown", "rated", 0, answer(rated, 1, "u"))
	s.at(&abi.ReputationRegistryAddress, "rated", answer(client, 2, long(512)))
	s.do("rated", 0, answer(client, 2, "u"))
	s.do("stranger", 0, answer(guest, 1, "u"))
	s.seal()
	f, err := record.DecodeFeedback(s.records[record.FeedbackKey(rated, client, 2)])
	require.NoError(s.t, err)
	require.Equal(s.t, record.Feedback{
		Value: number(new(big.Int).Neg(most)), ValueDecimals: 18, IsRevoked: true, Responses: 2, GivenAt: f.GivenAt, InteractionId: done,
		Tag1: long(64), Tag2: long(64),
	}, f)
	n, err := record.DecodeListCount(s.records[record.ListCountKey(record.ListClients, rated)])
	require.NoError(s.t, err)
	require.Equal(s.t, uint64(4), n.Count)
}

// validations takes every way of the Validation registry.
func (s *scenario) validations() {
	validator, rated, first := address("validator"), address("rated"), vm.OwnedAgent(address("boss"), 1)
	long := func(n int) string { return strings.Repeat("x", n) }
	request := func(agent common.Address, hash byte) *abi.ValidationRequestCall {
		return &abi.ValidationRequestCall{ValidatorAddress: validator, AgentId: erc8004.AgentID(agent), RequestURI: "ipfs://work", RequestHash: common.Hash{hash}}
	}
	s.open(1)
	s.fails("validationArgs OutOfGas", "rated", 0, request(rated, 1), gasLimit(15_000))
	s.fails("validationArgs OutOfGas", "boss", 0, request(first, 1), gasLimit(5000))
	s.fails("validationArgs OutOfGas", "boss", 0, request(first, 1), gasLimit(20_000))
	s.fails("validationArgs FieldOutOfRange agentId", "rated", 0, &abi.ValidationRequestCall{AgentId: tooLargeID, ValidatorAddress: validator})
	sameLow := *new(uint256.Int).SetBytes(rated[:])
	sameLow.Or(&sameLow, &tooLargeID) // the sender's address under higher bits
	s.fails("validationArgs FieldOutOfRange agentId", "rated", 0, &abi.ValidationRequestCall{AgentId: sameLow, ValidatorAddress: validator})
	c := request(rated, 1)
	c.ValidatorAddress = common.Address{}
	s.fails("validationArgs FieldOutOfRange validatorAddress", "rated", 0, c)
	c = request(rated, 1)
	c.RequestURI = long(513)
	s.fails("validationArgs FieldOutOfRange requestURI", "rated", 0, c)
	s.fails("validationArgs NotRegistered", "stranger", 0, request(address("stranger"), 1))
	s.fails("actAgent NotRegistered", "rated", 0, request(address("stranger"), 1))
	s.fails("actKey NotAuthorized", "stranger", 0, request(rated, 1))
	s.at(&abi.ValidationRegistryAddress, "rated", request(rated, 1))
	s.fails("writeValidation ValidationExists", "rated", 0, request(rated, 1))
	s.at(&abi.ValidationRegistryAddress, "boss", request(first, 2))
	s.fails("writeValidation ValidationExists", "boss", 0, request(first, 1))
	s.do("boss", 0, actFor(first, 0, request(first, 3)))
	s.do("rated", 0, &abi.AuthorizeKeyCall{Key: address("key"), Expiry: s.time, Operations: [][4]byte{abi.ValidationRequestSelector}})
	c = request(rated, 0)
	c.RequestURI = long(512)
	s.do("key", 0, c, deposit)
	s.failsRaw("dispatch UnknownOperation", "rated", &abi.ValidationRegistryAddress, 0, new(abi.HeartbeatCall).Encode())
	s.failsRaw("dispatch UnknownOperation", "rated", &abi.ReputationRegistryAddress, 0, c.Encode())

	answer := func(change func(*abi.ValidationResponseCall)) *abi.ValidationResponseCall {
		c := &abi.ValidationResponseCall{RequestHash: common.Hash{1}, Response: 80, ResponseURI: "ipfs://evidence", ResponseHash: common.Hash{5}, Tag: "soft"}
		change(c)
		return c
	}
	plain := func(*abi.ValidationResponseCall) {}
	s.fails("answerValidation OutOfGas", "validator", 0, answer(plain), gasLimit(5000))
	s.fails("answerValidation FieldOutOfRange response", "validator", 0, answer(func(c *abi.ValidationResponseCall) { c.Response = 101 }))
	s.fails("answerValidation FieldOutOfRange responseURI", "validator", 0, answer(func(c *abi.ValidationResponseCall) { c.ResponseURI = long(513) }))
	s.fails("answerValidation FieldOutOfRange tag", "validator", 0, answer(func(c *abi.ValidationResponseCall) { c.Tag = long(65) }))
	s.fails("answerValidation ValidationUnknown", "validator", 0, answer(func(c *abi.ValidationResponseCall) { c.RequestHash = common.Hash{9} }))
	s.fails("answerValidation NotValidator", "rated", 0, answer(plain))
	s.at(&abi.ValidationRegistryAddress, "validator", answer(plain))
	s.do("validator", 0, answer(func(c *abi.ValidationResponseCall) { c.Response, c.Tag, c.ResponseURI = 100, long(64), long(512) }))
	s.do("validator", 0, answer(func(c *abi.ValidationResponseCall) { c.RequestHash, c.Response, c.Tag = common.Hash{}, 0, "" }), deposit)
	s.seal()
	v, err := record.DecodeValidation(s.records[record.ValidationKey(common.Hash{1})])
	require.NoError(s.t, err)
	require.Equal(s.t, record.Validation{
		Validator: validator, Agent: rated, Answered: true, Response: 100, LastUpdate: s.time, ResponseHash: common.Hash{5}, Tag: long(64),
	}, v)
	for kind, subjects := range map[record.ListKind]map[common.Address]uint64{
		record.ListAgentValidations: {rated: 2, first: 2}, record.ListValidatorRequests: {validator: 4},
	} {
		for subject, want := range subjects {
			n, err := record.DecodeListCount(s.records[record.ListCountKey(kind, subject)])
			require.NoError(s.t, err)
			require.Equal(s.t, want, n.Count)
		}
	}
}
