package deployer

import (
	"context"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
)

// postBond brings the batcher's bond in LayerRoot up to the intent's amount. It looks at the bond, not at a transaction
// that it remembers, so that it can be repeated.
func (d *deployment) postBond(ctx context.Context, layerRoot common.Address) error {
	art, err := d.opt.Artifacts.Own("LayerRoot")
	if err != nil {
		return err
	}
	key := d.opt.BatcherKey
	batcher := crypto.PubkeyToAddress(key.PublicKey)
	if batcher != d.in.Batcher {
		return fmt.Errorf("%w: the batcher's key is of %s, the intent names %s", ErrBadIntent, batcher, d.in.Batcher)
	}
	held := func() (*big.Int, error) {
		out, err := callView(ctx, d.c, art, layerRoot, bondView)
		if err != nil {
			return nil, err
		}
		return out[0].(*big.Int), nil
	}
	want := d.in.BatcherBondWei.ToInt()
	has, err := held()
	if err != nil || has.Cmp(want) >= 0 {
		return err
	}
	missing := new(big.Int).Sub(want, has)
	data, err := art.ABI.Pack(bondMethod)
	if err != nil {
		return fmt.Errorf("%w LayerRoot: %w", ErrArtifact, err)
	}
	msg := ethereum.CallMsg{From: batcher, To: &layerRoot, Value: missing, Data: data}
	gas, err := d.c.EstimateGas(ctx, msg)
	if err != nil {
		if strings.Contains(err.Error(), "insufficient funds") {
			return fmt.Errorf("%w: batcher %s cannot pay its bond of %s wei: %w", ErrInsufficientFunds, batcher, missing, err)
		}
		return fmt.Errorf("batcher bond: %w", err)
	}
	// The mined nonce, not the pending one: after an interruption this replaces the earlier attempt instead of paying twice.
	nonce, err := d.c.NonceAt(ctx, batcher, nil)
	if err != nil {
		return fmt.Errorf("nonce of batcher %s: %w", batcher, err)
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(d.s.chainID), &types.DynamicFeeTx{
		ChainID: d.s.chainID, Nonce: nonce, To: &layerRoot, Value: missing, Data: data, Gas: gas + gas/5,
		GasTipCap: d.s.tip, GasFeeCap: d.s.feeCap,
	})
	if err != nil {
		return fmt.Errorf("sign batcher bond: %w", err)
	}
	if err := d.c.SendTransaction(ctx, tx); err != nil {
		msg := err.Error()
		if !strings.Contains(msg, "already known") && !strings.Contains(msg, "underpriced") && !strings.Contains(msg, "already imported") {
			return fmt.Errorf("send batcher bond: %w", err)
		}
	}
	for deadline := time.Now().Add(d.opt.Patience); ; {
		if has, err := held(); err != nil {
			return err
		} else if has.Cmp(want) >= 0 {
			return nil
		}
		if r, err := d.c.TransactionReceipt(ctx, tx.Hash()); err == nil && r.Status != types.ReceiptStatusSuccessful {
			return fmt.Errorf("%w: batcher bond in transaction %s", ErrStepReverted, tx.Hash())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: batcher bond, transaction %s; run again to continue", ErrNotMined, tx.Hash())
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return err
		}
	}
}

// callView calls a view function on the latest block.
func callView(ctx context.Context, c *ethclient.Client, art *Artifact, at common.Address, method string, args ...any) ([]any, error) {
	data, err := art.ABI.Pack(method, args...)
	if err != nil {
		return nil, fmt.Errorf("%w %s.%s: %w", ErrArtifact, art.Name, method, err)
	}
	out, err := c.CallContract(ctx, ethereum.CallMsg{To: &at, Data: data}, nil)
	if err != nil {
		return nil, fmt.Errorf("call %s.%s at %s: %w", art.Name, method, at, err)
	}
	values, err := art.ABI.Unpack(method, out)
	if err != nil {
		return nil, fmt.Errorf("call %s.%s at %s: %w", art.Name, method, at, err)
	}
	return values, nil
}

// LayerRoot's view of the batcher's bond and the payable method that adds to it.
const (
	bondView   = "bond"
	bondMethod = "depositBond"
)
