package client

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
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
)

const (
	sendAttempts     = 8
	sendBackoff      = 100 * time.Millisecond
	feeLifetime      = time.Second
	rebroadcastAfter = 4 * time.Second
	// gasMarginPercent covers what can change between the dry run and the block, such as another class of a capability.
	gasMarginPercent = 25
)

// sender signs and sends the transactions of one account on one chain, on L2 and on L1 alike.
//
// Transactions are handed to the node one at a time: a nonce is taken only once the node has the transaction, so a
// rejected one leaves no gap behind it. Waiting for receipts is not serialised.
type sender struct {
	ec      *ethclient.Client
	key     *ecdsa.PrivateKey
	from    common.Address
	chainID *big.Int
	poll    time.Duration
	timeout time.Duration

	turn  chan struct{} // holds one token: whoever has it may use next and known
	next  uint64        // nonce of the next transaction, if known
	known bool

	fees chan feeQuote // holds one quote
}

type feeQuote struct {
	tip, feeCap *big.Int // wei per gas
	at          time.Time
}

type txRequest struct {
	op    string
	to    common.Address
	value *big.Int // wei
	data  []byte
	gas   uint64 // 0: estimate, with a margin
}

func newSender(ec *ethclient.Client, key *ecdsa.PrivateKey, chainID *big.Int, poll, timeout time.Duration) *sender {
	s := &sender{
		ec: ec, key: key, from: crypto.PubkeyToAddress(key.PublicKey), chainID: chainID, poll: poll, timeout: timeout,
		turn: make(chan struct{}, 1), fees: make(chan feeQuote, 1),
	}
	s.turn <- struct{}{}
	s.fees <- feeQuote{}
	return s
}

// transact sends a transaction and waits for its receipt. A transaction whose nonce somebody else used is sent again with
// another nonce: the first can never execute.
func (s *sender) transact(ctx context.Context, r txRequest) (*types.Receipt, error) {
	for attempt := 0; ; attempt++ {
		tx, err := s.send(ctx, r)
		if err != nil {
			return nil, err
		}
		receipt, err := s.wait(ctx, r, tx)
		if errors.Is(err, ErrNonceUsed) && attempt < sendAttempts {
			s.forgetNonce(ctx)
			continue
		}
		return receipt, err
	}
}

// send estimates, prices, signs and submits.
func (s *sender) send(ctx context.Context, r txRequest) (*types.Transaction, error) {
	if r.value == nil {
		r.value = new(big.Int)
	}
	if r.gas == 0 {
		rctx, cancel := context.WithTimeout(ctx, s.timeout)
		gas, err := s.ec.EstimateGas(rctx, ethereum.CallMsg{From: s.from, To: &r.to, Value: r.value, Data: r.data})
		cancel()
		if err != nil {
			return nil, callError(r.op, err)
		}
		r.gas = gas + gas*gasMarginPercent/100
	}
	quote, err := s.quote(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: fees: %w", r.op, err)
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", r.op, ctx.Err())
	case <-s.turn:
	}
	defer func() { s.turn <- struct{}{} }()
	tx, err := s.submit(ctx, r, quote)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.op, err)
	}
	return tx, nil
}

// submit runs with the turn held.
func (s *sender) submit(ctx context.Context, r txRequest, q feeQuote) (*types.Transaction, error) {
	var (
		last    error
		inDoubt *types.Transaction // sent, but the answer was lost
	)
	for attempt := range sendAttempts {
		if attempt > 0 {
			if err := pause(ctx, sendBackoff<<min(attempt-1, 4)); err != nil {
				s.known = false
				return nil, ended(ctx, last)
			}
		}
		if inDoubt != nil && s.has(ctx, inDoubt.Hash()) {
			return s.taken(inDoubt), nil
		}
		if !s.known {
			rctx, cancel := context.WithTimeout(ctx, s.timeout)
			n, err := s.ec.PendingNonceAt(rctx, s.from)
			cancel()
			if err != nil {
				last = fmt.Errorf("nonce of %v: %w", s.from, err)
				continue
			}
			s.next, s.known = n, true
		}
		// While in doubt the same nonce and fees give the same transaction, so it cannot be executed twice.
		tx, err := types.SignNewTx(s.key, types.LatestSignerForChainID(s.chainID), &types.DynamicFeeTx{
			ChainID: s.chainID, Nonce: s.next, GasTipCap: q.tip, GasFeeCap: q.feeCap, Gas: r.gas, To: &r.to, Value: r.value, Data: r.data,
		})
		if err != nil {
			return nil, err
		}
		rctx, cancel := context.WithTimeout(ctx, s.timeout)
		err = s.ec.SendTransaction(rctx, tx)
		cancel()
		switch classify(err) {
		case sendTaken:
			return s.taken(tx), nil
		case sendNonce:
			log.Debug("nonce refused, asking again", "account", s.from, "nonce", s.next, "err", err)
			if inDoubt != nil && inDoubt.Hash() == tx.Hash() {
				if s.has(ctx, tx.Hash()) {
					return s.taken(tx), nil
				}
				inDoubt = nil
			}
			s.known, last = false, err
		case sendLost:
			inDoubt, last = tx, err
		case sendLater:
			last = err
		case sendRefused:
			if rv := revertOf(err); rv != nil {
				return nil, &OperationError{Op: "send", Revert: rv}
			}
			return nil, err
		}
	}
	s.known = false
	return nil, last
}

func (s *sender) taken(tx *types.Transaction) *types.Transaction {
	s.next, s.known = tx.Nonce()+1, true
	return tx
}

func (s *sender) has(ctx context.Context, hash common.Hash) bool {
	rctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_, _, err := s.ec.TransactionByHash(rctx, hash)
	return err == nil
}

func (s *sender) forgetNonce(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-s.turn:
		s.known = false
		s.turn <- struct{}{}
	}
}

type sendOutcome int

const (
	sendTaken   sendOutcome = iota // the node has the transaction
	sendNonce                      // the nonce is used, pending elsewhere, or too far ahead
	sendLater                      // the node will not take it now
	sendRefused                    // the node will not take it, whatever the nonce
	sendLost                       // no answer: the node may or may not have it
)

// classify reads the answer to eth_sendRawTransaction. Errors are known by their words: JSON-RPC gives all of them one
// code.
func classify(err error) sendOutcome {
	if err == nil {
		return sendTaken
	}
	var answered rpc.Error
	if !errors.As(err, &answered) {
		return sendLost
	}
	text := strings.ToLower(err.Error())
	for _, known := range []string{"already known", "known transaction", "already imported"} {
		if strings.Contains(text, known) {
			return sendTaken
		}
	}
	for _, nonce := range []string{"nonce too low", "nonce too high", "replacement transaction underpriced"} {
		if strings.Contains(text, nonce) {
			return sendNonce
		}
	}
	for _, later := range []string{"busy", "pool is full", "account limit exceeded", "try again"} {
		if strings.Contains(text, later) {
			return sendLater
		}
	}
	return sendRefused
}

// quote proposes fees: the node's tip, and a cap that survives the base fee doubling.
func (s *sender) quote(ctx context.Context) (q feeQuote, err error) {
	select {
	case <-ctx.Done():
		return q, ctx.Err()
	case q = <-s.fees:
	}
	defer func() { s.fees <- q }()
	if q.tip != nil && time.Since(q.at) < feeLifetime {
		return q, nil
	}
	rctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	tip, err := s.ec.SuggestGasTipCap(rctx)
	if err != nil {
		return q, err
	}
	head, err := s.ec.HeaderByNumber(rctx, nil)
	if err != nil {
		return q, err
	}
	feeCap := new(big.Int).Set(tip)
	if head.BaseFee != nil {
		feeCap.Add(feeCap, new(big.Int).Lsh(head.BaseFee, 1))
	}
	q = feeQuote{tip: tip, feeCap: feeCap, at: time.Now()}
	return q, nil
}

// wait polls for the receipt and offers the transaction to the node again from time to time, since a pool may forget it.
func (s *sender) wait(ctx context.Context, r txRequest, tx *types.Transaction) (*types.Receipt, error) {
	var last error
	offered := time.Now()
	for {
		receipt, err := s.receipt(ctx, tx.Hash())
		switch {
		case err == nil:
			return s.judge(ctx, r, tx, receipt)
		case !errors.Is(err, ethereum.NotFound):
			last = err
		case time.Since(offered) > rebroadcastAfter:
			offered = time.Now()
			rctx, cancel := context.WithTimeout(ctx, s.timeout)
			err := s.ec.SendTransaction(rctx, tx)
			if classify(err) == sendNonce {
				n, nerr := s.ec.NonceAt(rctx, s.from, nil)
				_, rerr := s.ec.TransactionReceipt(rctx, tx.Hash())
				if nerr == nil && n > tx.Nonce() && errors.Is(rerr, ethereum.NotFound) {
					cancel()
					return nil, fmt.Errorf("%s: transaction %v: nonce %d: %w", r.op, tx.Hash(), tx.Nonce(), ErrNonceUsed)
				}
			}
			cancel()
		}
		if err := pause(ctx, s.poll); err != nil {
			return nil, fmt.Errorf("%s: transaction %v: %w", r.op, tx.Hash(), ended(ctx, last))
		}
	}
}

func (s *sender) receipt(ctx context.Context, hash common.Hash) (*types.Receipt, error) {
	rctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.ec.TransactionReceipt(rctx, hash)
}

// judge turns a receipt with status 0 into an error; the receipt is returned beside it, for its fee.
func (s *sender) judge(ctx context.Context, r txRequest, tx *types.Transaction, receipt *types.Receipt) (*types.Receipt, error) {
	if receipt.Status == types.ReceiptStatusSuccessful {
		return receipt, nil
	}
	if receipt.GasUsed == 0 {
		return receipt, fmt.Errorf("%s: transaction %v: %w", r.op, tx.Hash(), ErrVoid)
	}
	failed := &OperationError{Op: r.op, Tx: tx.Hash()}
	// The same call on the block's parent usually fails for the same reason; if it does not, the reason stays unknown.
	parent := new(big.Int).Sub(receipt.BlockNumber, common.Big1)
	rctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	_, err := s.ec.CallContract(rctx, ethereum.CallMsg{From: s.from, To: tx.To(), Gas: tx.Gas(), Value: tx.Value(), Data: tx.Data()}, parent)
	failed.Revert = revertOf(err)
	return receipt, failed
}
