package ethapi

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
	"github.com/agnt2/agnt2/agnt2/record"
)

type encoded interface{ Encode() []byte }

// listRecords adds the records of a list.
func listRecords(set map[record.Key][]byte, kind record.ListKind, subject common.Address, items ...common.Hash) {
	set[record.ListCountKey(kind, subject)] = (&record.ListCount{Count: uint64(len(items))}).Encode()
	for i, item := range items {
		set[record.ListEntryKey(kind, subject, uint64(i+1))] = (&record.ListEntry{Item: item}).Encode()
	}
}

func asWord(a common.Address) common.Hash { return common.BytesToHash(a[:]) }

// revertData is the data of a view's revert, which need not be one of IAGNT2's errors.
func revertData(t testing.TB, x *testAPI, to common.Address, c encoded) []byte {
	t.Helper()
	var out any
	err := x.client.Call(&out, "eth_call", map[string]any{"to": to, "data": hexutil.Bytes(c.Encode())}, "latest")
	data, ok := ethclient.RevertErrorData(err)
	require.True(t, ok, "%v", err)
	return data
}

func TestReputationRegistryViews(t *testing.T) {
	x := newTestAPI(t, nil)
	carol, prolific := common.Address{3}, common.Address{4}
	interaction := common.Hash{7}
	set := map[record.Key][]byte{record.RatingKey(interaction): (&record.Rating{FeedbackIndex: 2}).Encode()}
	give := func(client common.Address, list ...record.Feedback) {
		set[record.FeedbackCountKey(bob, client)] = (&record.FeedbackCount{Count: uint64(len(list))}).Encode()
		for i, f := range list {
			set[record.FeedbackKey(bob, client, uint64(i+1))] = f.Encode()
		}
	}
	n := codec.NewInt128
	give(alice, record.Feedback{Value: n(80), Tag1: "starred", Responses: 3},
		record.Feedback{Value: n(-905), ValueDecimals: 1, Tag1: "starred", Tag2: "day", InteractionId: interaction, GivenAt: 9, Responses: 1},
		record.Feedback{Value: n(1), Tag1: "starred", IsRevoked: true})
	give(carol, record.Feedback{Value: n(9977), ValueDecimals: 2, Tag1: "uptime"}, record.Feedback{Value: n(99), ValueDecimals: 1})
	set[record.FeedbackCountKey(bob, prolific)] = (&record.FeedbackCount{Count: maxViewRecords}).Encode()
	set[record.ResponseCountKey(bob, alice, 1, bob)] = (&record.ResponseCount{Count: 2}).Encode()
	set[record.ResponseCountKey(bob, alice, 1, carol)] = (&record.ResponseCount{Count: 1}).Encode()
	listRecords(set, record.ListClients, bob, asWord(alice), asWord(carol))
	x.chain.extend(payload{set: set})

	ask := func(c encoded) []byte { return call(t, x, abi.ReputationRegistryAddress, c.Encode()) }
	fails := func(c encoded) abi.Revert {
		return reverted(t, x, "eth_call", map[string]any{"to": abi.ReputationRegistryAddress, "data": hexutil.Bytes(c.Encode())})
	}
	id := erc8004.AgentID(bob)
	require.Equal(t, (&feedback.GetVersionReturn{Ret0: "2.0.0"}).Encode(), ask(new(feedback.GetVersionCall)))
	require.Equal(t, (&feedback.GetIdentityRegistryReturn{IdentityRegistry: abi.IdentityRegistryAddress}).Encode(), ask(new(feedback.GetIdentityRegistryCall)))
	require.Equal(t, (&feedback.GetLastIndexReturn{Ret0: 3}).Encode(), ask(&feedback.GetLastIndexCall{AgentId: id, ClientAddress: alice}))
	require.Equal(t, new(feedback.GetLastIndexReturn).Encode(), ask(&feedback.GetLastIndexCall{AgentId: id, ClientAddress: nobody}))
	require.Equal(t, (&feedback.ReadFeedbackReturn{Value: n(-905), ValueDecimals: 1, Tag1: "starred", Tag2: "day"}).Encode(),
		ask(&feedback.ReadFeedbackCall{AgentId: id, ClientAddress: alice, FeedbackIndex: 2}))
	require.Equal(t, (&feedback.GetFeedbackInteractionReturn{InteractionId: interaction, GivenAt: 9}).Encode(),
		ask(&feedback.GetFeedbackInteractionCall{AgentId: id, ClientAddress: alice, FeedbackIndex: 2}))
	require.Equal(t, (&feedback.GetFeedbackIndexReturn{Ret0: 2}).Encode(), ask(&feedback.GetFeedbackIndexCall{InteractionId: interaction}))
	require.Equal(t, &abi.FeedbackUnknown{Agent: bob, Client: alice, FeedbackIndex: 4}, fails(&feedback.ReadFeedbackCall{AgentId: id, ClientAddress: alice, FeedbackIndex: 4}))
	require.Equal(t, &abi.FieldOutOfRange{Field: "agentId"}, fails(&feedback.GetLastIndexCall{AgentId: *new(uint256.Int).SetAllOne()}))

	for _, c := range []struct {
		clients    []common.Address
		tag1, tag2 string
		want       feedback.GetSummaryReturn
	}{
		{[]common.Address{alice}, "", "", feedback.GetSummaryReturn{Count: 2, SummaryValue: n(-5)}}, // (80 − 90.5)/2; of two the fewer decimals
		{[]common.Address{alice}, "starred", "day", feedback.GetSummaryReturn{Count: 1, SummaryValue: n(-905), SummaryValueDecimals: 1}},
		{[]common.Address{alice, carol}, "", "", feedback.GetSummaryReturn{Count: 4, SummaryValue: n(247), SummaryValueDecimals: 1}}, // 99.17/4
		{[]common.Address{carol}, "uptime", "", feedback.GetSummaryReturn{Count: 1, SummaryValue: n(9977), SummaryValueDecimals: 2}},
		{[]common.Address{carol}, "none", "", feedback.GetSummaryReturn{}},
		{[]common.Address{nobody}, "", "", feedback.GetSummaryReturn{}},
	} {
		got := ask(&feedback.GetSummaryCall{AgentId: id, ClientAddresses: c.clients, Tag1: c.tag1, Tag2: c.tag2})
		require.Equal(t, c.want.Encode(), got, "%v %s %s", c.clients, c.tag1, c.tag2)
	}
	require.Equal(t, &abi.FieldOutOfRange{Field: "clientAddresses"}, fails(&feedback.GetSummaryCall{AgentId: id}))
	for _, c := range []encoded{
		&feedback.GetSummaryCall{AgentId: id, ClientAddresses: []common.Address{prolific}},
		&feedback.ReadAllFeedbackCall{AgentId: id, ClientAddresses: []common.Address{alice, prolific}},
		&feedback.GetResponseCountCall{AgentId: id, ClientAddress: prolific},
	} {
		require.Equal(t, (&feedback.TooManyRecords{Limit: maxViewRecords}).Encode(), revertData(t, x, abi.ReputationRegistryAddress, c))
	}

	all := feedback.ReadAllFeedbackReturn{
		Clients: []common.Address{alice, alice, carol, carol}, FeedbackIndexes: []uint64{1, 2, 1, 2}, Values: []codec.Int128{n(80), n(-905), n(9977), n(99)},
		ValueDecimals: []uint8{0, 1, 2, 1}, Tag1s: []string{"starred", "starred", "uptime", ""}, Tag2s: []string{"", "day", "", ""}, RevokedStatuses: make([]bool, 4),
	}
	require.Equal(t, all.Encode(), ask(&feedback.ReadAllFeedbackCall{AgentId: id}))
	revoked := feedback.ReadAllFeedbackReturn{
		Clients: []common.Address{alice, alice, alice}, FeedbackIndexes: []uint64{1, 2, 3}, Values: []codec.Int128{n(80), n(-905), n(1)}, ValueDecimals: []uint8{0, 1, 0},
		Tag1s: []string{"starred", "starred", "starred"}, Tag2s: []string{"", "day", ""}, RevokedStatuses: []bool{false, false, true},
	}
	require.Equal(t, revoked.Encode(), ask(&feedback.ReadAllFeedbackCall{AgentId: id, ClientAddresses: []common.Address{alice}, Tag1: "starred", IncludeRevoked: true}))
	require.Equal(t, new(feedback.ReadAllFeedbackReturn).Encode(), ask(&feedback.ReadAllFeedbackCall{AgentId: erc8004.AgentID(nobody)}))

	for _, c := range []struct {
		client     common.Address
		index      uint64
		responders []common.Address
		want       uint64
	}{
		{alice, 1, nil, 3}, {alice, 2, nil, 1}, {alice, 9, nil, 0}, {alice, 0, nil, 4}, {common.Address{}, 0, nil, 4},
		{alice, 1, []common.Address{bob}, 2}, {alice, 1, []common.Address{bob, carol, nobody}, 3}, {alice, 0, []common.Address{carol}, 1},
		{common.Address{}, 7, []common.Address{bob}, 2},
	} {
		got := ask(&feedback.GetResponseCountCall{AgentId: id, ClientAddress: c.client, FeedbackIndex: c.index, Responders: c.responders})
		require.Equal(t, (&feedback.GetResponseCountReturn{Count: c.want}).Encode(), got, "%+v", c)
	}
	require.Equal(t, (&feedback.GetClientsReturn{Ret0: []common.Address{alice, carol}}).Encode(), ask(&feedback.GetClientsCall{AgentId: id}))
	for _, c := range []struct {
		from, count uint64
		want        []common.Address
	}{{1, 1, []common.Address{alice}}, {2, 5, []common.Address{carol}}, {0, 9, []common.Address{alice, carol}}, {3, 1, nil}, {1, 0, nil}} {
		require.Equal(t, (&feedback.GetClientsPageReturn{Clients: c.want, Total: 2}).Encode(), ask(&feedback.GetClientsPageCall{AgentId: id, From: c.from, Count: c.count}))
	}
	require.Equal(t, hexutil.Bytes{0xfe}, get[hexutil.Bytes](t, x, "eth_getCode", abi.ReputationRegistryAddress, "latest"))
}

// TestFeedbackMean: the mean of the largest values is exact and fits; it is cut towards zero.
func TestFeedbackMean(t *testing.T) {
	counts := [mostDecimals + 1]uint64{2}
	value, decimals := mean(&counts, new(big.Int).Mul(tenTo(38+18), big.NewInt(2)), 2)
	require.Zero(t, decimals)
	require.Equal(t, tenTo(38).String(), value.String())
	counts = [mostDecimals + 1]uint64{0: 1, 18: 2}
	value, decimals = mean(&counts, big.NewInt(-7), 3)
	require.Equal(t, uint8(18), decimals)
	require.Equal(t, "-2", value.String())
}

func TestValidationRegistryViews(t *testing.T) {
	x := newTestAPI(t, nil)
	vera, victor := common.Address{5}, common.Address{6}
	hashes := []common.Hash{{1}, {2}, {3}, {4}}
	set := map[record.Key][]byte{}
	for i, v := range []record.Validation{
		{Validator: vera, Agent: bob, Answered: true, Response: 80, Tag: "hard", ResponseHash: common.Hash{9}, LastUpdate: 77},
		{Validator: vera, Agent: bob},
		{Validator: victor, Agent: bob, Answered: true, Response: 11},
		{Validator: victor, Agent: bob, Answered: true, Response: 0, Tag: "hard"},
	} {
		set[record.ValidationKey(hashes[i])] = v.Encode()
	}
	listRecords(set, record.ListAgentValidations, bob, hashes...)
	listRecords(set, record.ListValidatorRequests, vera, hashes[:2]...)
	set[record.ListCountKey(record.ListValidatorRequests, victor)] = (&record.ListCount{Count: 1 << 40}).Encode()
	set[record.ListEntryKey(record.ListValidatorRequests, victor, 1<<40)] = (&record.ListEntry{Item: hashes[3]}).Encode()
	x.chain.extend(payload{set: set})

	ask := func(c encoded) []byte { return call(t, x, abi.ValidationRegistryAddress, c.Encode()) }
	fails := func(c encoded) abi.Revert {
		return reverted(t, x, "eth_call", map[string]any{"to": abi.ValidationRegistryAddress, "data": hexutil.Bytes(c.Encode())})
	}
	id := erc8004.AgentID(bob)
	require.Equal(t, (&validation.GetVersionReturn{Ret0: "2.0.0"}).Encode(), ask(new(validation.GetVersionCall)))
	require.Equal(t, (&validation.GetIdentityRegistryReturn{IdentityRegistry: abi.IdentityRegistryAddress}).Encode(), ask(new(validation.GetIdentityRegistryCall)))
	require.Equal(t, (&validation.GetValidationStatusReturn{
		ValidatorAddress: vera, AgentId: id, Response: 80, ResponseHash: common.Hash{9}, Tag: "hard", LastUpdate: *uint256.NewInt(77),
	}).Encode(), ask(&validation.GetValidationStatusCall{RequestHash: hashes[0]}))
	require.Equal(t, &abi.ValidationUnknown{RequestHash: common.Hash{8}}, fails(&validation.GetValidationStatusCall{RequestHash: common.Hash{8}}))
	for _, c := range []struct {
		validators []common.Address
		tag        string
		want       validation.GetSummaryReturn
	}{
		{nil, "", validation.GetSummaryReturn{Count: 3, AverageResponse: 30}},
		{nil, "hard", validation.GetSummaryReturn{Count: 2, AverageResponse: 40}},
		{[]common.Address{victor}, "", validation.GetSummaryReturn{Count: 2, AverageResponse: 5}},
		{[]common.Address{victor, nobody, vera}, "", validation.GetSummaryReturn{Count: 3, AverageResponse: 30}},
		{[]common.Address{nobody}, "", validation.GetSummaryReturn{}},
	} {
		require.Equal(t, c.want.Encode(), ask(&validation.GetSummaryCall{AgentId: id, ValidatorAddresses: c.validators, Tag: c.tag}))
	}
	require.Equal(t, (&validation.GetAgentValidationsReturn{RequestHashes: hashes}).Encode(), ask(&validation.GetAgentValidationsCall{AgentId: id}))
	require.Equal(t, (&validation.GetAgentValidationsPageReturn{RequestHashes: hashes[1:3], Total: 4}).Encode(),
		ask(&validation.GetAgentValidationsPageCall{AgentId: id, From: 2, Count: 2}))
	require.Equal(t, (&validation.GetValidatorRequestsReturn{RequestHashes: hashes[:2]}).Encode(), ask(&validation.GetValidatorRequestsCall{ValidatorAddress: vera}))
	require.Equal(t, new(validation.GetValidatorRequestsReturn).Encode(), ask(&validation.GetValidatorRequestsCall{ValidatorAddress: nobody}))
	require.Equal(t, (&validation.TooManyRecords{Limit: maxViewRecords}).Encode(),
		revertData(t, x, abi.ValidationRegistryAddress, &validation.GetValidatorRequestsCall{ValidatorAddress: victor}))
	require.Equal(t, (&validation.GetValidatorRequestsPageReturn{RequestHashes: hashes[3:], Total: 1 << 40}).Encode(),
		ask(&validation.GetValidatorRequestsPageCall{ValidatorAddress: victor, From: 1 << 40, Count: 1 << 63}))
}
