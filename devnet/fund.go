package devnet

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/ops/deployer"
)

// ErrDeposit says that an L1 deposit failed or did not arrive on L2.
var ErrDeposit = errors.New("deposit")

// depositL2Gas covers a plain transfer on L2; the portal charges for it on L1.
const depositL2Gas = 100_000

// fundAgents deposits for the agents and waits until they can pay for a transaction.
func (d *Devnet) fundAgents(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, fmt.Errorf("%w: not on L2 after two minutes", ErrDeposit))
	defer cancel()
	amount := d.cfg.AgentFundsWei.ToInt()
	if amount.Sign() == 0 {
		return d.firstBlock(ctx)
	}
	begin := time.Now()
	before := map[common.Address]*big.Int{}
	for _, a := range Agents() {
		if err := d.deposit(ctx, a.Key, a.Address, amount, before); err != nil {
			return err
		}
	}
	if err := d.awaitCredit(ctx, before); err != nil {
		return err
	}
	d.say("agents           %d accounts own AGNT by deposit, %.1f s", len(before), time.Since(begin).Seconds())
	return nil
}

// firstBlock waits until the sequencer has built a block, if no deposit proves it.
func (d *Devnet) firstBlock(ctx context.Context) error {
	c, err := ethclient.DialContext(ctx, d.Endpoints().Engine)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		if n, err := c.BlockNumber(ctx); err == nil && n > 0 {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// Fund deposits amount wei to each address, paid by the deployer's L1 account, and waits until L2 shows it.
func (d *Devnet) Fund(ctx context.Context, amount *big.Int, to ...common.Address) error {
	before := map[common.Address]*big.Int{}
	for _, a := range to {
		if err := d.deposit(ctx, AccountOf(Deployer).Key, a, amount, before); err != nil {
			return err
		}
	}
	return d.awaitCredit(ctx, before)
}

// deposit sends OptimismPortal2.depositTransaction and notes the L2 balance from before.
func (d *Devnet) deposit(ctx context.Context, payer *ecdsa.PrivateKey, to common.Address, amount *big.Int, before map[common.Address]*big.Int) error {
	l2, err := ethclient.DialContext(ctx, d.Endpoints().Engine)
	if err != nil {
		return err
	}
	defer l2.Close()
	if before[to] == nil {
		if before[to], err = l2.BalanceAt(ctx, to, nil); err != nil {
			return fmt.Errorf("L2 balance of %s: %w", to, err)
		}
	}
	_, err = d.SendDeposit(ctx, payer, to, amount, depositL2Gas, nil)
	return err
}

// SendDeposit sends an L1 transaction that mints value on L2 for the payer and calls to with value and data there. It
// returns without waiting for L1.
func (d *Devnet) SendDeposit(ctx context.Context, payer *ecdsa.PrivateKey, to common.Address, value *big.Int, l2Gas uint64, data []byte) (*types.Transaction, error) {
	portal, ok := d.Addresses()["OptimismPortalProxy"]
	if !ok {
		return nil, fmt.Errorf("%w: %w: contracts are not deployed", ErrDeposit, ErrNoDevnet)
	}
	art, err := deployer.ArtifactsIn(d.cfg.Root).OP("OptimismPortal2")
	if err != nil {
		return nil, err
	}
	if data == nil {
		data = []byte{}
	}
	call, err := art.ABI.Pack("depositTransaction", to, value, l2Gas, false, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDeposit, err)
	}
	l1, err := ethclient.DialContext(ctx, d.Endpoints().L1)
	if err != nil {
		return nil, err
	}
	defer l1.Close()
	from := crypto.PubkeyToAddress(payer.PublicKey)
	nonce, err := l1.PendingNonceAt(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("%w: L1 nonce of %s: %w", ErrDeposit, from, err)
	}
	head, err := l1.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: L1 head: %w", ErrDeposit, err)
	}
	id := new(big.Int).SetUint64(d.cfg.Intent.L1ChainID)
	tip := big.NewInt(1e9)
	tx, err := types.SignNewTx(payer, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &portal, Value: value, Data: call,
		// The portal burns gas for what L2 will use, at most one for one while L1's base fee is at its minimum.
		Gas:       300_000 + 2*l2Gas + 40*uint64(len(data)),
		GasTipCap: tip, GasFeeCap: new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(3))),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDeposit, err)
	}
	if err := l1.SendTransaction(ctx, tx); err != nil {
		return nil, fmt.Errorf("%w of %s: %w", ErrDeposit, from, err)
	}
	return tx, nil
}

// SetParameters changes governance parameters of L2, paid by the deployer's L1 account, and waits until L2 has them.
func (d *Devnet) SetParameters(ctx context.Context, values map[string]string) error {
	portal, ok := d.Addresses()["OptimismPortalProxy"]
	if !ok {
		return fmt.Errorf("%w: %w: contracts are not deployed", ErrDeposit, ErrNoDevnet)
	}
	l1, err := ethclient.DialContext(ctx, d.Endpoints().L1)
	if err != nil {
		return err
	}
	defer l1.Close()
	engine, err := rpc.DialContext(ctx, d.Endpoints().Engine)
	if err != nil {
		return err
	}
	defer engine.Close()
	g := &deployer.Governor{L1Chain: l1, Engine: engine, Portal: portal, Key: AccountOf(Deployer).Key}
	if _, err := g.Set(ctx, values); err != nil {
		return err
	}
	for {
		if done, err := g.Has(ctx, values); err != nil || done {
			return err
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("L2 does not show the change: %w", err)
		}
	}
}

// awaitCredit waits until every balance is above what it was.
func (d *Devnet) awaitCredit(ctx context.Context, before map[common.Address]*big.Int) error {
	l2, err := ethclient.DialContext(ctx, d.Endpoints().Engine)
	if err != nil {
		return err
	}
	defer l2.Close()
	for a, old := range before {
		for {
			now, err := l2.BalanceAt(ctx, a, nil)
			if err == nil && now.Cmp(old) > 0 {
				break
			}
			if serr := sleep(ctx, 100*time.Millisecond); serr != nil {
				return fmt.Errorf("L2 balance of %s stays at %s: %w", a, old, errors.Join(serr, err))
			}
		}
	}
	return nil
}

func sleep(ctx context.Context, dur time.Duration) error {
	t := time.NewTimer(dur)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
