package deployer

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	agnt2 "github.com/agnt2/agnt2/agnt2/abi"
)

// The L2's genesis names the contracts that are deployed, unless the intent names others.
func TestGenesisNamesTheSenders(t *testing.T) {
	in := testIntent()
	d := &deployment{in: &in}
	p := &plan{addrs: map[string]common.Address{resolverName: {7}, passportName: {9}}}
	policy := d.genesis(new(startBlock), p).Policy
	require.Equal(t, agnt2.Alias(common.Address{7}), policy.DisputeResolver)
	require.Equal(t, agnt2.Alias(common.Address{9}), policy.AgentPassport)
	require.Zero(t, in.Policy.DisputeResolver, "the intent, whose digest names the deployment, stays as it is")
	in.Policy.DisputeResolver, in.Policy.AgentPassport = common.Address{8}, common.Address{10}
	policy = d.genesis(new(startBlock), p).Policy
	require.Equal(t, common.Address{8}, policy.DisputeResolver)
	require.Equal(t, common.Address{10}, policy.AgentPassport)
}
