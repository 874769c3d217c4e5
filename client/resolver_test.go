package client

import (
	"encoding/json"
	"os"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

func TestResolveDispute(t *testing.T) {
	node := newFakeNode(t)
	l1, err := DialL1(testContext(t), Config{RPC: node.httpURL()}, common.Address{9})
	require.NoError(t, err)
	defer l1.Close()
	d := l1.Depositor(testKey(t, "anyone"))
	resolver, id, game := common.Address{8}, common.Hash{7}, common.Address{6}
	for name, want := range gameErrors {
		node.estimate = func([]byte) error {
			e := resolverABI.Errors[name]
			args := []any{game, uint64(1), uint64(2)}[:len(e.Inputs)]
			if name == "GameTypeUnknown" {
				args[1] = uint32(1)
			}
			if name == "GameNotFinal" {
				args[1] = common.Big1
			}
			packed, err := e.Inputs.Pack(args...)
			require.NoError(t, err)
			return &revertData{append(e.ID[:4:4], packed...)}
		}
		_, err := d.ResolveDispute(testContext(t), resolver, id, game)
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, game.Hex())
	}
	for _, data := range [][]byte{{1, 2, 3, 4}, nil} {
		node.estimate = func([]byte) error { return &revertData{data} }
		_, err = d.ResolveDispute(testContext(t), resolver, id, game)
		require.ErrorContains(t, err, "reverted")
	}
	require.Empty(t, node.order, "nothing is sent that would fail")

	node.estimate = nil
	_, err = d.ResolveDispute(testContext(t), resolver, id, game)
	require.ErrorIs(t, err, ErrUnexpectedReceipt, "no portal answers here")
	tx := node.order[0]
	require.Equal(t, resolver, *tx.To())
	args, err := resolverABI.Methods["resolve"].Inputs.Unpack(tx.Data()[4:])
	require.NoError(t, err)
	require.Equal(t, []any{[32]byte(id), game}, args)
}

// The contract has no other errors, and these have its arguments.
func TestResolverABI(t *testing.T) {
	raw, err := os.ReadFile("../packages/contracts-bedrock-fork/out/DisputeResolver.sol/DisputeResolver.json")
	if os.IsNotExist(err) {
		t.Skip("needs the compiled contracts: run `just contracts`")
	}
	require.NoError(t, err)
	var file struct {
		ABI gethabi.ABI `json:"abi"`
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	require.Equal(t, file.ABI.Methods["resolve"].Sig, resolverABI.Methods["resolve"].Sig)
	require.Len(t, gameErrors, len(file.ABI.Errors))
	for name, e := range file.ABI.Errors {
		require.Equal(t, e.Sig, resolverABI.Errors[name].Sig)
	}
}
