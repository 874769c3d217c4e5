package deployer

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

var (
	// ErrInsufficientFunds says that an account cannot pay for the rest of the deployment.
	ErrInsufficientFunds = errors.New("insufficient funds on L1")
	// ErrNonceTaken says that another program used the deployer's account in the middle of a deployment.
	ErrNonceTaken = errors.New("deployer nonce used by another transaction")
	// ErrStepReverted says that a transaction of the plan was mined and failed.
	ErrStepReverted = errors.New("deployment step reverted")
	// ErrNotMined says that L1 did not include a transaction in time; running again continues.
	ErrNotMined = errors.New("transaction not mined in time")
)

// sender signs and sends the steps of a plan, several per block.
type sender struct {
	c        *ethclient.Client
	key      *ecdsa.PrivateKey
	from     common.Address
	chainID  *big.Int
	patience time.Duration // for one group of transactions

	tip, feeCap *big.Int
	blockGas    uint64 // most gas to have in flight
	anvil       bool
}

// newSender reads the L1's fees and block size.
func newSender(ctx context.Context, c *ethclient.Client, key *ecdsa.PrivateKey, chainID *big.Int, patience time.Duration) (*sender, error) {
	head, err := c.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("L1 head: %w", err)
	}
	tip, err := c.SuggestGasTipCap(ctx)
	if err != nil {
		return nil, fmt.Errorf("L1 priority fee: %w", err)
	}
	var version string
	_ = c.Client().CallContext(ctx, &version, "web3_clientVersion") // optional: unknown clients get the careful treatment of none
	s := &sender{
		c: c, key: key, from: crypto.PubkeyToAddress(key.PublicKey), chainID: chainID, patience: patience,
		tip: tip, feeCap: new(big.Int).Add(tip, new(big.Int).Mul(head.BaseFee, big.NewInt(2))),
		blockGas: head.GasLimit / 10 * 9,
		anvil:    strings.HasPrefix(strings.ToLower(version), "anvil"),
	}
	return s, nil
}

// checkFunds compares the balance with the most that the open steps can cost.
func (s *sender) checkFunds(ctx context.Context, st *state, steps []*step) error {
	need := new(big.Int)
	for _, x := range steps {
		if !st.Steps[x.name].done() {
			need.Add(need, new(big.Int).Mul(s.feeCap, new(big.Int).SetUint64(x.gas)))
			need.Add(need, x.value)
		}
	}
	has, err := s.c.BalanceAt(ctx, s.from, nil)
	if err != nil {
		return fmt.Errorf("L1 balance of %s: %w", s.from, err)
	}
	if has.Cmp(need) < 0 {
		return fmt.Errorf("%w: %s has %s wei and the deployment may need up to %s wei", ErrInsufficientFunds, s.from, has, need)
	}
	return nil
}

// run brings every step to its receipt. Steps that the state knows as done are skipped; steps that were sent before are
// looked up and, if they are lost, broadcast again.
func (s *sender) run(ctx context.Context, st *state, steps []*step, progress func(done int, x *step)) error {
	done := 0
	var open []*step
	for _, x := range steps {
		known := st.Steps[x.name]
		if known != nil && (known.Payload != x.payload() || known.Nonce != x.nonce) {
			return fmt.Errorf("%w: step %q differs from the one in %s: the contracts or this program changed in between; "+
				"remove the file to deploy anew", ErrState, x.name, st.path)
		}
		if known.done() {
			done++
			continue
		}
		open = append(open, x)
	}
	if err := s.checkFunds(ctx, st, open); err != nil {
		return err
	}
	for len(open) > 0 {
		group, gas := open[:1], open[0].gas
		for len(group) < len(open) && gas+open[len(group)].gas <= s.blockGas {
			gas += open[len(group)].gas
			group = open[:len(group)+1]
		}
		open = open[len(group):]
		if s.anvil {
			// Anvil can lose track of nonces that arrive while the block with their parents is being mined.
			if err := s.nextBlock(ctx); err != nil {
				return err
			}
		}
		for _, x := range group {
			if err := s.send(ctx, st, x); err != nil {
				return err
			}
		}
		deadline := time.Now().Add(s.patience)
		for _, x := range group {
			if err := s.await(ctx, st, x, deadline); err != nil {
				return err
			}
			done++
			progress(done, x)
		}
		if err := st.save(); err != nil {
			return err
		}
	}
	return nil
}

// send writes the signed transaction to the state and then broadcasts it.
func (s *sender) send(ctx context.Context, st *state, x *step) error {
	known := st.Steps[x.name]
	if known != nil {
		if r, err := s.receipt(ctx, known); err != nil || r != nil {
			return err // mined before: await takes it from here
		}
		var last types.Transaction
		if err := last.UnmarshalBinary(known.Raw); err != nil {
			return fmt.Errorf("%w: step %q: %w", ErrState, x.name, err)
		}
		if last.GasFeeCap().Cmp(new(big.Int).Div(s.feeCap, big.NewInt(2))) >= 0 {
			return s.broadcast(ctx, x, &last)
		}
		// Too cheap by now. Nodes ask for at least a tenth more on both fees.
		bump := func(old, now *big.Int) *big.Int {
			least := new(big.Int).Div(new(big.Int).Mul(old, big.NewInt(12)), big.NewInt(10))
			if least.Cmp(now) > 0 {
				return least
			}
			return now
		}
		return s.sign(ctx, st, x, bump(last.GasTipCap(), s.tip), bump(last.GasFeeCap(), s.feeCap))
	}
	return s.sign(ctx, st, x, s.tip, s.feeCap)
}

func (s *sender) sign(ctx context.Context, st *state, x *step, tip, feeCap *big.Int) error {
	tx, err := types.SignNewTx(s.key, types.LatestSignerForChainID(s.chainID), &types.DynamicFeeTx{
		ChainID: s.chainID, Nonce: x.nonce, To: x.to, Value: x.value, Data: x.data, Gas: x.gas, GasTipCap: tip, GasFeeCap: feeCap,
	})
	if err != nil {
		return fmt.Errorf("sign %q: %w", x.name, err)
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode %q: %w", x.name, err)
	}
	known := st.Steps[x.name]
	if known == nil {
		known = &stepState{Nonce: x.nonce, Payload: x.payload()}
		if x.to == nil {
			known.Address = &x.address
		}
		st.Steps[x.name] = known
	}
	known.Hashes, known.Raw = append(known.Hashes, tx.Hash()), raw
	if err := st.save(); err != nil {
		return err
	}
	return s.broadcast(ctx, x, tx)
}

func (s *sender) broadcast(ctx context.Context, x *step, tx *types.Transaction) error {
	err := s.c.SendTransaction(ctx, tx)
	if err == nil {
		return nil
	}
	msg := strings.ToLower(err.Error())
	switch {
	case strings.Contains(msg, "already known"), strings.Contains(msg, "already imported"), strings.Contains(msg, "nonce too low"):
		return nil // await decides whether it is ours
	case strings.Contains(msg, "insufficient funds"):
		return fmt.Errorf("%w: %s at step %q: %w", ErrInsufficientFunds, s.from, x.name, err)
	}
	return fmt.Errorf("send %q: %w", x.name, err)
}

// indexingPatience is how long a node's receipts may stay behind its state: a busy one counts a transaction's nonce before it can say
// where the transaction is.
const indexingPatience = 5 * time.Second

func (s *sender) await(ctx context.Context, st *state, x *step, deadline time.Time) error {
	known := st.Steps[x.name]
	var used time.Time // since when the nonce is used, and no receipt there
	for {
		r, err := s.receipt(ctx, known)
		if err != nil {
			return fmt.Errorf("receipt of %q: %w", x.name, err)
		}
		if r != nil {
			if r.Status != types.ReceiptStatusSuccessful {
				return fmt.Errorf("%w: %q in transaction %s of block %s (gas %d of %d): %v",
					ErrStepReverted, x.name, r.TxHash, r.BlockNumber, r.GasUsed, x.gas, s.reason(ctx, x, r.BlockNumber))
			}
			n := hexutil.Uint64(r.BlockNumber.Uint64())
			known.Block, known.GasUsed, known.Raw = &n, r.GasUsed, nil
			return nil
		}
		nonce, err := s.c.NonceAt(ctx, s.from, nil)
		if err != nil {
			return fmt.Errorf("nonce of %s: %w", s.from, err)
		}
		switch {
		case nonce > x.nonce && used.IsZero():
			used = time.Now()
		case nonce > x.nonce && time.Since(used) > indexingPatience:
			return fmt.Errorf("%w: nonce %d of %s, meant for %q; nothing else may use this account during a deployment, "+
				"remove %s to deploy anew", ErrNonceTaken, x.nonce, s.from, x.name, st.path)
		case nonce <= x.nonce && time.Now().After(deadline):
			return fmt.Errorf("%w: %q, transaction %s; run again to continue", ErrNotMined, x.name, known.Hashes[len(known.Hashes)-1])
		}
		if err := pause(ctx, 150*time.Millisecond); err != nil {
			return err
		}
	}
}

// receipt returns nil if none of the step's transactions is mined.
func (s *sender) receipt(ctx context.Context, known *stepState) (*types.Receipt, error) {
	for i := len(known.Hashes) - 1; i >= 0; i-- {
		r, err := s.c.TransactionReceipt(ctx, known.Hashes[i])
		if err == nil {
			return r, nil
		}
		// A node that is still indexing answers with an error instead of null.
		if !errors.Is(err, ethereum.NotFound) && !strings.Contains(err.Error(), "indexing is in progress") {
			return nil, err
		}
	}
	return nil, nil
}

// reason repeats a failed call on the state before its block.
func (s *sender) reason(ctx context.Context, x *step, block *big.Int) error {
	msg := ethereum.CallMsg{From: s.from, To: x.to, Data: x.data, Value: x.value, Gas: x.gas}
	_, err := s.c.CallContract(ctx, msg, new(big.Int).Sub(block, common.Big1))
	var data rpc.DataError
	if errors.As(err, &data) {
		return fmt.Errorf("%w (%v)", err, data.ErrorData())
	}
	return err
}

func (s *sender) nextBlock(ctx context.Context) error {
	first, err := s.c.BlockNumber(ctx)
	if err != nil {
		return fmt.Errorf("L1 head: %w", err)
	}
	for deadline := time.Now().Add(s.patience); time.Now().Before(deadline); {
		n, err := s.c.BlockNumber(ctx)
		if err != nil {
			return fmt.Errorf("L1 head: %w", err)
		}
		if n > first {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: L1 stays at block %d", ErrNotMined, first)
}

// pause waits between two polls.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
