package erc8004_test

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
)

type encoder interface{ Encode() []byte }

// TestRegistryCallsAgainstGoEthereum: what a client of the standard sends and gets.
func TestRegistryCallsAgainstGoEthereum(t *testing.T) {
	reputation, err := gethabi.JSON(strings.NewReader(feedback.JSON))
	require.NoError(t, err)
	validations, err := gethabi.JSON(strings.NewReader(validation.JSON))
	require.NoError(t, err)
	id, seven := big.NewInt(7), *uint256.NewInt(7)
	who, hash := common.Address{1}, common.Hash{2}
	list := []common.Address{who, {3}}
	for _, c := range []struct {
		abi  gethabi.ABI
		call encoder
		name string
		args []any
	}{
		{
			reputation, &feedback.GiveFeedbackCall{
				AgentId: seven, Value: codec.NewInt128(-32), ValueDecimals: 1, Tag1: "t", Tag2: "u", Endpoint: "e", FeedbackURI: "f", FeedbackHash: hash,
			}, "giveFeedback", []any{id, big.NewInt(-32), uint8(1), "t", "u", "e", "f", hash},
		},
		{reputation, &feedback.GetSummaryCall{AgentId: seven, ClientAddresses: list, Tag1: "t"}, "getSummary", []any{id, list, "t", ""}},
		{reputation, &feedback.ReadAllFeedbackCall{AgentId: seven, IncludeRevoked: true}, "readAllFeedback", []any{id, []common.Address{}, "", "", true}},
		{validations, &validation.ValidationRequestCall{ValidatorAddress: who, AgentId: seven, RequestURI: "r", RequestHash: hash}, "validationRequest", []any{who, id, "r", hash}},
		{validations, &validation.GetSummaryCall{AgentId: seven, ValidatorAddresses: list, Tag: "t"}, "getSummary", []any{id, list, "t"}},
	} {
		want, err := c.abi.Pack(c.name, c.args...)
		require.NoError(t, err, c.name)
		require.Equal(t, want, c.call.Encode(), c.name)
	}
	long := strings.Repeat("x", 33)
	r := feedback.ReadAllFeedbackReturn{
		Clients: list, FeedbackIndexes: []uint64{1, 2}, Values: []codec.Int128{codec.NewInt128(-1), codec.NewInt128(5)}, ValueDecimals: []uint8{0, 18},
		Tag1s: []string{"", long}, Tag2s: []string{"a", "b"}, RevokedStatuses: []bool{true, false},
	}
	want, err := reputation.Methods["readAllFeedback"].Outputs.Pack(
		list, r.FeedbackIndexes, []*big.Int{big.NewInt(-1), big.NewInt(5)}, r.ValueDecimals, r.Tag1s, r.Tag2s, r.RevokedStatuses)
	require.NoError(t, err)
	require.Equal(t, want, r.Encode())
	back, err := feedback.DecodeReadAllFeedbackReturn(want)
	require.NoError(t, err)
	require.Equal(t, r, back)
}

// TestRegistryEventsAgainstGoEthereum: an indexed number below 256 bits, a signed number, an indexed string.
func TestRegistryEventsAgainstGoEthereum(t *testing.T) {
	a, err := gethabi.JSON(strings.NewReader(feedback.JSON))
	require.NoError(t, err)
	id, who, at := *uint256.NewInt(7), common.Address{1}, common.Address{9}
	revoked := &feedback.FeedbackRevokedEvent{AgentId: id, ClientAddress: who, FeedbackIndex: 1 << 63}
	l := revoked.Log(at)
	require.Equal(t, a.Events["FeedbackRevoked"].ID, l.Topics[0])
	require.Equal(t, common.BigToHash(new(big.Int).SetUint64(1<<63)), l.Topics[3])
	back, err := feedback.DecodeFeedbackRevokedEvent(l)
	require.NoError(t, err)
	require.Equal(t, *revoked, back)
	l.Topics[3][0] = 1
	_, err = feedback.DecodeFeedbackRevokedEvent(l)
	require.ErrorIs(t, err, codec.ErrNotCanonical)

	given := &feedback.NewFeedbackEvent{AgentId: id, ClientAddress: who, FeedbackIndex: 3, Value: codec.NewInt128(-9), IndexedTag1: "t", Tag1: "t"}
	values, err := a.Events["NewFeedback"].Inputs.NonIndexed().Unpack(given.Log(at).Data)
	require.NoError(t, err)
	require.Equal(t, []any{uint64(3), big.NewInt(-9), uint8(0), "t", "", "", "", [32]byte{}}, values)
	require.Equal(t, []common.Hash{a.Events["NewFeedback"].ID, common.BigToHash(big.NewInt(7)), common.BytesToHash(who[:])}, given.Log(at).Topics[:3])
}

// FuzzDecodeReadAllFeedback: what decodes encodes to the same bytes.
func FuzzDecodeReadAllFeedback(f *testing.F) {
	f.Add((&feedback.ReadAllFeedbackReturn{
		Clients: []common.Address{{1}}, Values: []codec.Int128{codec.NewInt128(-1)}, Tag1s: []string{"t", ""}, RevokedStatuses: []bool{true},
	}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := feedback.DecodeReadAllFeedbackReturn(b); err == nil && !bytes.Equal(r.Encode(), b) {
			t.Fatalf("%x decodes and encodes to %x", b, r.Encode())
		}
	})
}
