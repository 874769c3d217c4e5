package deployer

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
)

func TestChange(t *testing.T) {
	params, policy := genesis.DefaultParams(), genesis.DefaultPolicy()
	calls, err := Change(&params, &policy, map[string]string{
		"minTtlSeconds": "5", "gasClass": "1,2,3,4", "minStakeWei": "0x10", "feeRecipient": "0x0000000000000000000000000000000000000007", "eligibilityScore": "600",
	})
	require.NoError(t, err)
	require.Len(t, calls, 2)
	p, err := abi.DecodeSetParamsCall(calls[0][4:])
	require.NoError(t, err)
	require.Equal(t, [4]uint64{1, 2, 3, 4}, p.Params.GasClass)
	require.Equal(t, uint32(5), p.Params.MinTtlSeconds)
	require.Equal(t, uint64(16), p.Params.MinStakeWei.Uint64())
	require.Equal(t, genesis.DefaultParams().GasRespond, p.Params.GasRespond)
	q, err := abi.DecodeSetPolicyCall(calls[1][4:])
	require.NoError(t, err)
	require.Equal(t, common.Address{19: 7}, q.Policy.FeeRecipient)
	require.Equal(t, uint16(600), q.Policy.EligibilityScore)

	calls, err = Change(&params, &policy, map[string]string{"recentSeconds": "9"})
	require.NoError(t, err)
	require.Equal(t, abi.SetPolicySelector[:], calls[0][:4])
	calls, err = Change(&params, &policy, map[string]string{"recentSeconds": "9"})
	require.NoError(t, err)
	require.Empty(t, calls, "nothing changes")
	for name, value := range map[string]string{
		"nothing": "1", "minTtlSeconds": "x", "maxTtlSeconds": "4294967296", "sweepsPerBlock": "501", "gasClass": "1,2", "feeRecipient": "7",
		"minStakeWei": "-1", "eligibilityScore": "65536", "prunesPerBlock": "0", "MinTtlSeconds": "5",
	} {
		p, q := genesis.DefaultParams(), genesis.DefaultPolicy()
		_, err := Change(&p, &q, map[string]string{name: value})
		require.ErrorIs(t, err, ErrParameter, name)
	}
}
