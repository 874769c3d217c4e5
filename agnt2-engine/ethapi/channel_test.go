package ethapi

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

func TestChannelViews(t *testing.T) {
	x := newTestAPI(t, nil)
	id, a, b := common.Hash{7}, common.Address{1}, common.Address{2}
	c := record.Channel{
		Status: 2, AgentA: a, AgentB: b, FundedA: *uint256.NewInt(1), FundedB: *uint256.NewInt(2), DepositA: *uint256.NewInt(3), DepositB: *uint256.NewInt(4),
		BalanceA: *uint256.NewInt(5), BalanceB: *uint256.NewInt(6), Nonce: 7, InteractionCount: 8, MaxInteractions: 9, OpenedAt: 10, ExpiresAt: 11,
		ClosesAt: 12, HeartbeatSeconds: 13, PriorNonce: 14,
	}
	pair := record.ChannelPair{ChannelId: id, Opens: 3, NonceA: 4, NonceB: 5}
	x.chain.extend(payload{set: map[record.Key][]byte{record.ChannelKey(id): c.Encode(), record.ChannelPairKey(a, b): pair.Encode()}})

	view, err := abi.DecodeGetChannelReturn(call(t, x, abi.Address, (&abi.GetChannelCall{Id: id}).Encode()))
	require.NoError(t, err)
	require.Equal(t, abi.ChannelView{
		Status: 2, AgentA: a, AgentB: b, FundedA: c.FundedA, FundedB: c.FundedB, DepositA: c.DepositA, DepositB: c.DepositB, BalanceA: c.BalanceA,
		BalanceB: c.BalanceB, Nonce: 7, InteractionCount: 8, MaxInteractions: 9, OpenedAt: 10, ExpiresAt: 11, ClosesAt: 12, HeartbeatSeconds: 13,
	}, view.Ret0)
	none, err := abi.DecodeGetChannelReturn(call(t, x, abi.Address, (&abi.GetChannelCall{}).Encode()))
	require.NoError(t, err)
	require.Zero(t, none.Ret0)
	for _, order := range [][2]common.Address{{a, b}, {b, a}} {
		got, err := abi.DecodeGetChannelPairReturn(call(t, x, abi.Address, (&abi.GetChannelPairCall{AgentA: order[0], AgentB: order[1]}).Encode()))
		require.NoError(t, err)
		require.Equal(t, abi.ChannelPairView{ChannelId: id, Opens: 3, NonceA: 4, NonceB: 5}, got.Ret0)
	}

	info := get[jsonObject](t, x, "agnt2_getChannel", id)
	require.Equal(t, "closing", info["status"])
	require.Equal(t, "0x6", info["balanceB"])
	require.Equal(t, "0xc", info["closesAt"])
	require.Equal(t, x.chain.head().Hash().Hex(), info["blockHash"])
	require.Nil(t, get[any](t, x, "agnt2_getChannel", id, "0x0"))
	raw := get[jsonObject](t, x, "agnt2_getRecord", common.Hash(record.ChannelKey(id)))
	require.Equal(t, "channels", raw["namespace"])
	require.Equal(t, "0xe", raw["decoded"].(jsonObject)["priorNonce"])
	raw = get[jsonObject](t, x, "agnt2_getRecord", common.Hash(record.ChannelPairKey(a, b)))
	require.Equal(t, "channelPairs", raw["namespace"])
	require.Equal(t, "0x3", raw["decoded"].(jsonObject)["opens"])
}
