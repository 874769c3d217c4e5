package gas_test

import (
	"math/big"
	"testing"

	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
)

func TestL1DataFee(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l1 := record.L1Info{
			BaseFee: *uint256.NewInt(rapid.Uint64().Draw(t, "base")), BlobBaseFee: *uint256.NewInt(rapid.Uint64().Draw(t, "blob")),
			BaseFeeScalar: rapid.Uint32().Draw(t, "scalar"), BlobBaseFeeScalar: rapid.Uint32().Draw(t, "blob scalar"),
		}
		n := rapid.IntRange(0, 1<<20).Draw(t, "bytes")
		want := new(big.Int).Mul(l1.BaseFee.ToBig(), big.NewInt(16*int64(l1.BaseFeeScalar)))
		want.Add(want, new(big.Int).Mul(l1.BlobBaseFee.ToBig(), big.NewInt(int64(l1.BlobBaseFeeScalar))))
		want.Mul(want, big.NewInt(int64(n))).Div(want, big.NewInt(1_000_000))
		got := gas.L1DataFee(&l1, n)
		require.Equal(t, want.String(), got.Dec())
	})
}

func TestAddSaturates(t *testing.T) {
	require.Equal(t, ^uint64(0), gas.Add(^uint64(0), 1))
	require.Equal(t, uint64(5), gas.Add(2, 3))
}

// TestBlockCapacity: 20,000 operations fit the 200M gas that OP's SystemConfig allows for a block.
func TestBlockCapacity(t *testing.T) {
	p := genesis.DefaultParams()
	const limit, operations, payload, calldata = 200_000_000, 20_000, 1024, 4 + 12*32
	invoke := gas.InvokeBase(&p, payload) + gas.Class(&p, 1, 0) + gas.Calldata(&p, calldata)
	respond := gas.Respond(&p, payload) + gas.Calldata(&p, 4+12*32)
	require.LessOrEqual(t, (invoke+respond)*operations/2, uint64(limit), "INVOKE %d, RESPOND %d", invoke, respond)
}
