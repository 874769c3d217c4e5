package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/devnet"
)

// testForcedInvoke stops the sequencer and submits an INVOKE on L1; the verifier, which reads L1 only, must execute it.
func testForcedInvoke(t *testing.T, d *devnet.Devnet, engine, verifier *ethclient.Client) {
	callee, caller := devnet.AccountOf(devnet.Agent1), devnet.AccountOf(devnet.Agent2)
	capability := crypto.Keccak256Hash([]byte("text.summarize"))
	price := big.NewInt(1e15)
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()

	reg := &abi.RegisterCall{Name: "callee", Capabilities: []abi.Capability{{Name: "text.summarize", PriceWei: *uint256.MustFromBig(price)}}}
	registered := sendOperation(t, ctx, engine, callee, ether(1), reg.Encode())
	eventually(t, 2*time.Minute, "the verifier knows the callee", func(ctx context.Context) error {
		r, err := verifier.TransactionReceipt(ctx, registered)
		if err != nil {
			return err
		}
		if r.Status != 1 {
			return errors.New("registration failed")
		}
		return nil
	})

	require.NoError(t, d.Stop(devnet.RoleNode))
	paramsHash := crypto.Keccak256Hash([]byte("forced"))
	call := &abi.InvokeCall{
		Salt: common.Hash{0xf0}, Callee: callee.Address, Capability: capability, ParamsHash: paramsHash, TtlSeconds: 600,
		MaxPriceWei: *uint256.MustFromBig(price), Da: abi.DAPointer{ContentHash: paramsHash, LengthBytes: 6, Backend: 1},
	}
	_, err := d.SendDeposit(ctx, caller.Key, abi.Address, price, 200_000, call.Encode())
	require.NoError(t, err)

	var salted [64]byte
	copy(salted[12:], caller.Address[:])
	copy(salted[32:], call.Salt[:])
	id := crypto.Keccak256Hash(salted[:])
	eventually(t, 4*time.Minute, "the forced INVOKE is executed without the sequencer", func(ctx context.Context) error {
		var out struct {
			Status  any            `json:"status"`
			Caller  common.Address `json:"caller"`
			Callee  common.Address `json:"callee"`
			Payment any            `json:"paymentWei"`
		}
		if err := verifier.Client().CallContext(ctx, &out, "agnt2_getInteraction", id); err != nil {
			return err
		}
		if out.Caller != caller.Address || out.Callee != callee.Address {
			return fmt.Errorf("not there yet: %+v", out)
		}
		return nil
	})

	require.NoError(t, d.Restart(ctx, devnet.RoleNode))
	eventually(t, 2*time.Minute, "the sequencer comes back on the same chain", func(ctx context.Context) error {
		var out struct {
			Caller common.Address `json:"caller"`
		}
		if err := engine.Client().CallContext(ctx, &out, "agnt2_getInteraction", id); err != nil {
			return err
		}
		if out.Caller != caller.Address {
			return errors.New("the sequencer does not have the interaction yet")
		}
		return nil
	})
}

func sendOperation(t *testing.T, ctx context.Context, c *ethclient.Client, from devnet.Account, value *big.Int, data []byte) common.Hash {
	t.Helper()
	chainID, err := c.ChainID(ctx)
	require.NoError(t, err)
	nonce, err := c.PendingNonceAt(ctx, from.Address)
	require.NoError(t, err)
	to := abi.Address
	tx := types.MustSignNewTx(from.Key, types.LatestSignerForChainID(chainID), &types.DynamicFeeTx{
		ChainID: chainID, Nonce: nonce, To: &to, Value: value, Data: data, Gas: 200_000, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(100e9),
	})
	require.NoError(t, c.SendTransaction(ctx, tx))
	return tx.Hash()
}
