package client

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

func TestActingWrapsEveryOperation(t *testing.T) {
	node := newFakeNode(t)
	owner := dialFake(t, node.httpURL(), "").Account(testKey(t, "owner"))
	ctx := testContext(t)
	agent := OwnedAgent(owner.Address(), 3)
	acting := owner.For(agent)
	require.Equal(t, agent, acting.Address())

	_, err := owner.RegisterFor(ctx, 3, Registration{Name: "n", StakeWei: big.NewInt(9)})
	require.NoError(t, err)
	_, err = acting.Heartbeat(ctx)
	require.NoError(t, err)
	_, err = acting.TopUpStake(ctx, big.NewInt(5))
	require.NoError(t, err)
	_, err = acting.Transfer(ctx, common.Address{7}, big.NewInt(6))
	require.NoError(t, err)
	_, err = acting.AuthorizeKey(ctx, KeyGrant{Key: common.Address{8}, Expiry: time.Unix(99, 0), SpendLimitWei: big.NewInt(4), Capabilities: []string{"a"}})
	require.NoError(t, err)
	_, err = acting.RegisterFor(ctx, 1, Registration{})
	require.ErrorIs(t, err, ErrActing)

	consecutive(t, nonces(node), 5)
	require.Equal(t, abi.RegisterForSelector, [4]byte(node.order[0].Data()))
	require.Equal(t, big.NewInt(9), node.order[0].Value())
	for i, want := range []struct {
		value     uint64
		operation []byte
	}{
		{0, new(abi.HeartbeatCall).Encode()},
		{5, new(abi.TopUpStakeCall).Encode()},
		{6, (&abi.PayCall{To: common.Address{7}}).Encode()},
	} {
		tx := node.order[1+i]
		require.Zero(t, tx.Value().Sign(), "the agent pays the value")
		c, err := abi.DecodeActForCall(tx.Data()[4:])
		require.NoError(t, err)
		require.Equal(t, agent, c.Agent)
		require.Equal(t, want.value, c.ValueWei.Uint64())
		require.Equal(t, want.operation, c.Operation)
	}
	c, err := abi.DecodeActForCall(node.order[4].Data()[4:])
	require.NoError(t, err)
	grant, err := abi.DecodeAuthorizeKeyCall(c.Operation[4:])
	require.NoError(t, err)
	require.Equal(t, uint64(99), grant.Expiry)
	require.Equal(t, []common.Hash{CapabilityID("a")}, grant.Capabilities)
}
