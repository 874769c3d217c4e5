package engine_test

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// TestRegistries: calls of ERC-8004's registries as any client of the standard sends them.
func TestRegistries(t *testing.T) {
	w := newWorld(t, 3)
	price := big.NewInt(1e15)
	r := w.block(w.op(0, ether(1), register(price.Uint64())), w.op(1, ether(1), register(price.Uint64())))
	require.Equal(t, []uint64{1, 1}, []uint64{r[1].Status, r[2].Status})
	agent, client, validator := enginetest.Address(0), enginetest.Address(1), enginetest.Address(2)
	id := erc8004.AgentID(agent)
	give := (&feedback.GiveFeedbackCall{AgentId: id, Value: codec.NewInt128(87), Tag1: "starred", FeedbackURI: "ipfs://f"}).Encode()
	r = w.block(w.tx(1, abi.ReputationRegistryAddress, nil, give))
	require.Zero(t, r[1].Status, "nothing to rate yet")
	w.block(w.op(1, price, invoke(1, agent, 60)))
	r = w.block(w.op(0, nil, respond(vm.InteractionID(client, common.Hash{1}), vm.OK)))
	require.Equal(t, uint64(1), r[1].Status)
	r = w.block(
		w.tx(1, abi.ReputationRegistryAddress, nil, give),
		w.tx(0, abi.ReputationRegistryAddress, nil, (&feedback.AppendResponseCall{AgentId: id, ClientAddress: client, FeedbackIndex: 1, ResponseURI: "ipfs://thanks"}).Encode()),
		w.tx(0, abi.ValidationRegistryAddress, nil, (&validation.ValidationRequestCall{ValidatorAddress: validator, AgentId: id, RequestHash: crypto.Keccak256Hash([]byte("work"))}).Encode()),
		w.tx(2, abi.ValidationRegistryAddress, nil, (&validation.ValidationResponseCall{RequestHash: crypto.Keccak256Hash([]byte("work")), Response: 100}).Encode()),
		w.tx(1, abi.ReputationRegistryAddress, nil, (&feedback.RevokeFeedbackCall{AgentId: id, FeedbackIndex: 1}).Encode()),
	)
	for i, address := range []common.Address{
		abi.ReputationRegistryAddress, abi.ReputationRegistryAddress, abi.ValidationRegistryAddress, abi.ValidationRegistryAddress, abi.ReputationRegistryAddress,
	} {
		require.Equal(t, uint64(1), r[i+1].Status, "transaction %d", i)
		require.Len(t, r[i+1].Logs, 1)
		require.Equal(t, address, r[i+1].Logs[0].Address)
	}
	given, err := feedback.DecodeNewFeedbackEvent(r[1].Logs[0])
	require.NoError(t, err)
	require.Equal(t, uint64(1), given.FeedbackIndex)
	answered, err := validation.DecodeValidationResponseEvent(r[4].Logs[0])
	require.NoError(t, err)
	require.Equal(t, agent, common.Address(answered.AgentId.Bytes20()))
}
