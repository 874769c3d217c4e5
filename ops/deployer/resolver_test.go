package deployer

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

func TestAliased(t *testing.T) {
	require.Equal(t, common.HexToAddress("0x1111000000000000000000000000000000001112"), Aliased(common.Address{19: 1}))
	require.Equal(t, common.HexToAddress("0x1111000000000000000000000000000000001110"), Aliased(common.HexToAddress("0xffffffffffffffffffffffffffffffffffffffff")))
}

// The L2's genesis names the resolver that is deployed, unless the intent names another.
func TestGenesisNamesTheResolver(t *testing.T) {
	in := testIntent()
	d := &deployment{in: &in}
	addrs := map[string]common.Address{resolverName: {7}}
	require.Equal(t, Aliased(common.Address{7}), d.genesis(new(startBlock), addrs).Policy.DisputeResolver)
	require.Zero(t, in.Policy.DisputeResolver, "the intent, whose digest names the deployment, stays as it is")
	in.Policy.DisputeResolver = common.Address{8}
	require.Equal(t, common.Address{8}, d.genesis(new(startBlock), addrs).Policy.DisputeResolver)
}
