package deployer

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/passport"
)

// Two instances on one L1: the second one accepts agents of the first one from the start, and the first one those of the second
// as soon as its governance says so.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	root := repository(t)
	l1, _ := anvilL1(t, root)
	governance, err := ParseKey(batcherKey) // an account that has ether
	require.NoError(t, err)
	in := testIntent()
	in.Policy.Governance = crypto.PubkeyToAddress(governance.PublicKey)
	first, err := Run(t.Context(), in, options(l1, root, t.TempDir()))
	require.NoError(t, err)

	in.L2ChainID++
	in.PassportSources = []PassportSource{{ChainID: 901, Registry: first.Addresses["AnchorStateRegistryProxy"], GameType: 0}}
	second, err := Run(t.Context(), in, options(l1, root, t.TempDir()))
	require.NoError(t, err)
	require.NotEqual(t, first.Addresses[passportName], second.Addresses[passportName])
	c, err := ethclient.Dial(l1)
	require.NoError(t, err)
	defer c.Close()
	art, err := ArtifactsIn(root).Own(passportName)
	require.NoError(t, err)
	source := func(at *Result, chain uint64) common.Address {
		out, err := callView(t.Context(), c, art, at.Addresses[passportName], "sourceOf", chain)
		require.NoError(t, err)
		return out[0].(common.Address)
	}
	for _, r := range []*Result{first, second} {
		require.Equal(t, abi.Alias(r.Addresses[passportName]), r.Genesis.Policy.AgentPassport, "L2 believes what this contract deposits")
		require.Equal(t, r.Addresses["AnchorStateRegistryProxy"], source(r, r.Genesis.ChainID), "its own agents")
	}
	require.Equal(t, first.Addresses["AnchorStateRegistryProxy"], source(second, 901))
	require.Zero(t, source(first, 902))

	data := (&passport.SetSourceCall{Source: passport.Source{ChainId: 902, Registry: second.Addresses["AnchorStateRegistryProxy"]}}).Encode()
	to := first.Addresses[passportName]
	tx := types.MustSignNewTx(governance, types.LatestSignerForChainID(big.NewInt(900)), &types.DynamicFeeTx{
		ChainID: big.NewInt(900), Nonce: nonceOf(t, l1, batcherKey), To: &to, Data: data, Gas: 100_000, GasFeeCap: big.NewInt(1e10), GasTipCap: big.NewInt(1e9),
	})
	require.NoError(t, c.SendTransaction(t.Context(), tx))
	require.Eventually(t, func() bool { return source(first, 902) == second.Addresses["AnchorStateRegistryProxy"] }, 10*time.Second, 100*time.Millisecond)
}
