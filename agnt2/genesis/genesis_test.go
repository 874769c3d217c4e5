package genesis_test

import (
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

func sample() *genesis.Genesis {
	g := &genesis.Genesis{
		ChainID: 901, Timestamp: 1000, GasLimit: 30_000_000, BaseFee: (*hexutil.Big)(big.NewInt(1e9)), EIP1559Denominator: 250,
		EIP1559Elasticity: 6, Params: genesis.DevnetParams(), Policy: genesis.DevnetPolicy(), Alloc: map[common.Address]*hexutil.Big{},
	}
	for i := range byte(20) {
		g.Alloc[common.Address{i}] = (*hexutil.Big)(new(big.Int).Lsh(big.NewInt(int64(i)), 100))
	}
	return g
}

// TestFileRoundTrip: deployer and engine get the same first block from the file.
func TestFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "genesis.json")
	g := sample()
	require.NoError(t, g.Save(path))
	back, err := genesis.Load(path)
	require.NoError(t, err)
	require.Equal(t, g.Params, back.Params)
	require.Equal(t, g.Block().Hash(), back.Block().Hash())
	for range 20 {
		require.Equal(t, g.Block().Hash(), sample().Block().Hash(), "the map's order must not reach the hash")
	}
	require.NoError(t, os.WriteFile(path, []byte(`{"chainId": 1, "unknown": 2}`), 0o600))
	_, err = genesis.Load(path)
	require.ErrorContains(t, err, "unknown")
}

func TestBlockZero(t *testing.T) {
	g := sample()
	b := g.Block()
	h := b.Header()
	require.Equal(t, g.StateRoot(), h.Root)
	require.Equal(t, withdrawal.NewTree().Root(), *h.WithdrawalsHash)
	require.Equal(t, types.EmptyTxsHash, h.TxHash)
	require.Equal(t, types.EmptyReceiptsHash, h.ReceiptHash)
	require.Equal(t, types.EmptyRequestsHash, *h.RequestsHash)
	require.Len(t, h.Extra, 9)
	require.Equal(t, h.Hash(), b.Hash())
	other := sample()
	other.Params.MinTtlSeconds++
	require.NotEqual(t, b.Hash(), other.Block().Hash(), "parameters are part of the state")
	rs := g.Records()
	for i := 1; i < len(rs); i++ {
		require.Negative(t, common.Hash(rs[i-1].Key).Cmp(common.Hash(rs[i].Key)))
	}
	cfg := g.ChainConfig()
	require.True(t, cfg.IsOptimismIsthmus(g.Block().Time()))
	require.False(t, cfg.IsOptimismJovian(1<<50))
}

func TestCheck(t *testing.T) {
	require.NoError(t, sample().Check())
	for name, change := range map[string]func(*genesis.Genesis){
		"chain id":       func(g *genesis.Genesis) { g.ChainID = 0 },
		"gas limit":      func(g *genesis.Genesis) { g.GasLimit = 0 },
		"no base fee":    func(g *genesis.Genesis) { g.BaseFee = nil },
		"zero base fee":  func(g *genesis.Genesis) { g.BaseFee = new(hexutil.Big) },
		"denominator":    func(g *genesis.Genesis) { g.EIP1559Denominator = 0 },
		"elasticity":     func(g *genesis.Genesis) { g.EIP1559Elasticity = 0 },
		"ttl":            func(g *genesis.Genesis) { g.Params.MinTtlSeconds = g.Params.MaxTtlSeconds + 1 },
		"zero ttl":       func(g *genesis.Genesis) { g.Params.MinTtlSeconds = 0 },
		"no sweeps":      func(g *genesis.Genesis) { g.Params.SweepsPerBlock = 0 },
		"many sweeps":    func(g *genesis.Genesis) { g.Params.SweepsPerBlock = genesis.MaxSweepsPerBlock + 1 },
		"free transfers": func(g *genesis.Genesis) { g.Params.GasTransfer = 0 },
		"free responses": func(g *genesis.Genesis) { g.Params.GasRespond = 0 },
		"balance": func(g *genesis.Genesis) {
			g.Alloc[common.Address{99}] = (*hexutil.Big)(new(big.Int).Lsh(common.Big1, 256))
		},
		"missing balance": func(g *genesis.Genesis) { g.Alloc[common.Address{99}] = nil },
	} {
		g := sample()
		change(g)
		require.Error(t, g.Check(), name)
	}
}

// TestParameters: the defaults keep the promises that other rules rest on.
func TestParameters(t *testing.T) {
	for name, p := range map[string]record.Params{"default": genesis.DefaultParams(), "devnet": genesis.DevnetParams()} {
		g := sample()
		g.Params = p
		require.NoError(t, g.Check(), name)
		require.NotZero(t, p.StakeCooldownSeconds)
		require.False(t, p.MinStakeWei.IsZero(), "without a stake identities are free")
	}
	p := genesis.DefaultParams()
	require.GreaterOrEqual(t, p.StakeCooldownSeconds, p.MaxTtlSeconds+4*3600, "the cooldown outlasts the longest TTL and the Type 2 window")
}
