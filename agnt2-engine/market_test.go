package engine_test

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// TestMarket: the engine finds a provider, and takes a commit and its reveal.
func TestMarket(t *testing.T) {
	w := newWorld(t, 3)
	const dear, cheap = 2e15, 1e15
	r := w.block(w.op(0, ether(1), register(dear)), w.op(1, ether(1), register(cheap)))
	require.Equal(t, []uint64{1, 1}, []uint64{r[1].Status, r[2].Status})
	params := crypto.Keccak256Hash([]byte("params"))
	da := abi.DAPointer{ContentHash: params, LengthBytes: 6, Backend: 1}
	find := &abi.DiscoverInvokeCall{
		Salt: common.Hash{1}, Capability: vm.CapabilityID("text.summarize"), ParamsHash: params, TtlSeconds: 60, Da: da,
		Filter: abi.ProviderFilter{MaxPriceWei: *uint256.NewInt(dear), MaxLatencyMs: 1000},
	}
	r = w.block(w.op(2, big.NewInt(dear), find.Encode()))
	require.Equal(t, uint64(1), r[1].Status)
	ev, err := abi.DecodeInvokedEvent(r[1].Logs[0])
	require.NoError(t, err)
	require.Equal(t, enginetest.Address(1), ev.Callee, "the cheaper one")

	reveal := &abi.RevealCall{
		CommitSalt: common.Hash{7}, Salt: common.Hash{2}, Callee: enginetest.Address(0), Capability: find.Capability, ParamsHash: params, TtlSeconds: 60,
		MaxPriceWei: *uint256.NewInt(dear), Da: da,
	}
	plain := &abi.InvokeCall{
		Salt: reveal.Salt, Callee: reveal.Callee, Capability: reveal.Capability, ParamsHash: params, TtlSeconds: 60, MaxPriceWei: reveal.MaxPriceWei, Da: da,
	}
	commitment := vm.CommitmentHash(chainID, enginetest.Address(2), reveal.CommitSalt, plain.Encode())
	r = w.block(w.op(2, big.NewInt(1e15), (&abi.CommitCall{Commitment: commitment}).Encode()))
	require.Equal(t, uint64(1), r[1].Status)
	w.block()
	before := w.account(2)
	r = w.block(w.op(2, big.NewInt(dear), reveal.Encode()))
	require.Equal(t, uint64(1), r[1].Status)
	require.Len(t, r[1].Logs, 2, "Revealed and Invoked")
	after := w.account(2)
	fee := new(big.Int).Mul(r[1].EffectiveGasPrice, new(big.Int).SetUint64(r[1].GasUsed))
	want := new(big.Int).Add(before.Balance.ToBig(), big.NewInt(1e15-dear))
	require.Equal(t, want.Sub(want, fee), after.Balance.ToBig(), "the deposit is back, the payment in escrow")
	require.Equal(t, before.PendingInvokes+1, after.PendingInvokes)
}
