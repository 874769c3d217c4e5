package client

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
)

// feedback is what the fake node logs for giveFeedback: every one is the seventh of its client.
func (n *fakeNode) feedback(tx *types.Transaction, from common.Address) *types.Log {
	data := tx.Data()
	if [4]byte(data[:4]) != abi.GiveFeedbackSelector {
		return nil
	}
	c, err := abi.DecodeGiveFeedbackCall(data[4:])
	if err != nil {
		return nil
	}
	return (&feedback.NewFeedbackEvent{AgentId: c.AgentId, ClientAddress: from, FeedbackIndex: 7, Value: c.Value}).Log(abi.ReputationRegistryAddress)
}

func TestFeedbackAndValidations(t *testing.T) {
	node := newFakeNode(t)
	a := dialFake(t, node.httpURL(), "").Account(testKey(t, "client"))
	ctx := testContext(t)
	agent, validator := common.Address{5}, common.Address{6}
	interaction := common.Hash{0xab}
	index, _, err := a.GiveFeedback(ctx, Feedback{
		Agent: agent, Interaction: interaction, Value: big.NewInt(-32), ValueDecimals: 1, Tag1: "tradingYield", Tag2: "day", URI: "ipfs://f", Hash: common.Hash{1},
	})
	require.NoError(t, err)
	require.Equal(t, uint64(7), index)
	_, _, err = a.GiveFeedback(ctx, Feedback{Agent: agent})
	require.NoError(t, err)
	_, _, err = a.GiveFeedback(ctx, Feedback{Agent: agent, Value: new(big.Int).Lsh(big.NewInt(1), 127)})
	require.ErrorIs(t, err, ErrValueRange)
	_, err = a.RevokeFeedback(ctx, agent, 7)
	require.NoError(t, err)
	_, err = a.AppendResponse(ctx, agent, a.Address(), 7, "ipfs://r", common.Hash{2})
	require.NoError(t, err)
	_, err = a.RequestValidation(ctx, validator, "ipfs://w", common.Hash{3})
	require.NoError(t, err)
	_, err = a.RespondValidation(ctx, common.Hash{3}, Validation{Response: 80, URI: "ipfs://e", Hash: common.Hash{4}, Tag: "hard"})
	require.NoError(t, err)
	id := erc8004.AgentID(agent)
	for i, want := range []interface{ Encode() []byte }{
		&abi.GiveFeedbackCall{
			AgentId: id, Value: codec.NewInt128(-32), ValueDecimals: 1, Tag1: "tradingYield", Tag2: "day",
			Endpoint: "agnt2:" + interaction.Hex(), FeedbackURI: "ipfs://f", FeedbackHash: common.Hash{1},
		},
		&abi.GiveFeedbackCall{AgentId: id},
		&abi.RevokeFeedbackCall{AgentId: id, FeedbackIndex: 7},
		&abi.AppendResponseCall{AgentId: id, ClientAddress: a.Address(), FeedbackIndex: 7, ResponseURI: "ipfs://r", ResponseHash: common.Hash{2}},
		&abi.ValidationRequestCall{ValidatorAddress: validator, AgentId: erc8004.AgentID(a.Address()), RequestURI: "ipfs://w", RequestHash: common.Hash{3}},
		&abi.ValidationResponseCall{RequestHash: common.Hash{3}, Response: 80, ResponseURI: "ipfs://e", ResponseHash: common.Hash{4}, Tag: "hard"},
	} {
		require.Equal(t, want.Encode(), node.order[i].Data(), "transaction %d", i)
	}
}

func TestFeedbackViews(t *testing.T) {
	node := newFakeNode(t)
	agent, other := common.Address{5}, common.Address{6}
	node.view = func(data []byte) ([]byte, error) {
		switch [4]byte(data) {
		case feedback.GetSummarySelector:
			return (&feedback.GetSummaryReturn{Count: 2, SummaryValue: codec.NewInt128(-5), SummaryValueDecimals: 1}).Encode(), nil
		case feedback.ReadFeedbackSelector:
			return (&feedback.ReadFeedbackReturn{Value: codec.NewInt128(-5), Tag1: "x"}).Encode(), nil
		case feedback.GetClientsPageSelector:
			c, err := feedback.DecodeGetClientsPageCall(data[4:])
			if err != nil {
				return nil, err
			}
			return (&feedback.GetClientsPageReturn{Clients: []common.Address{{byte(c.From)}}, Total: 3}).Encode(), nil
		case validation.GetValidatorRequestsPageSelector:
			c, err := validation.DecodeGetValidatorRequestsPageCall(data[4:])
			if err != nil {
				return nil, err
			}
			return (&validation.GetValidatorRequestsPageReturn{RequestHashes: []common.Hash{{byte(c.From)}}, Total: 2}).Encode(), nil
		case validation.GetValidationStatusSelector:
			return (&validation.GetValidationStatusReturn{ValidatorAddress: other, Response: 80}).Encode(), nil
		}
		return nil, &revertData{(&feedback.TooManyRecords{Limit: 9}).Encode()}
	}
	c := dialFake(t, node.httpURL(), "")
	ctx := testContext(t)
	s, err := c.FeedbackSummary(ctx, agent, []common.Address{other}, "", "")
	require.NoError(t, err)
	require.Equal(t, &FeedbackSummary{2, big.NewInt(-5), 1}, s)
	f, err := c.ReadFeedback(ctx, agent, other, 1)
	require.NoError(t, err)
	require.Equal(t, "x", f.Tag1)
	clients, err := c.FeedbackClients(ctx, agent)
	require.NoError(t, err)
	require.Equal(t, []common.Address{{1}, {2}, {3}}, clients, "page by page")
	requests, err := c.ValidationRequests(ctx, other)
	require.NoError(t, err)
	require.Equal(t, []common.Hash{{1}, {2}}, requests)
	v, err := c.ValidationStatus(ctx, common.Hash{3})
	require.NoError(t, err)
	require.Equal(t, uint8(80), v.Response)
	_, _, err = c.ValidationSummary(ctx, agent, nil, "")
	var many *feedback.TooManyRecords
	require.ErrorAs(t, err, &many, "an error that IAGNT2 does not have")
	require.Equal(t, uint64(9), many.Limit)
}
