package mempool

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// Why a transaction was refused: test with errors.Is. The error that carries one is a *Rejection, with the numbers and
// the way out in its text. Where Ethereum clients have an error for the same thing the text begins as theirs does,
// because wallets recognise errors by their text.
var (
	ErrNonceTooLow        = errors.New("nonce too low")
	ErrNonceGap           = errors.New("nonce too high")
	ErrSenderLimit        = errors.New("account limit exceeded")
	ErrUnderpriced        = errors.New("replacement transaction underpriced")
	ErrPoolFull           = errors.New("transaction pool is full")
	ErrInsufficientFunds  = errors.New("insufficient funds for gas * price + value")
	ErrGasLimitAboveBlock = errors.New("exceeds block gas limit")
	ErrIntrinsicGas       = errors.New("intrinsic gas too low")
	ErrTipTooLow          = errors.New("transaction tip too low")
	ErrAlreadyKnown       = errors.New("already known")
	ErrBusy               = errors.New("transaction pool is busy: try again shortly")
	ErrJournal            = errors.New("transaction was not kept, because it could not be made durable: try again")
	ErrClosed             = errors.New("transaction pool is closed")
)

// Rejection says why a transaction is not in the pool and what would be accepted. It unwraps to one of the errors above,
// to one of package abi's, to what the PreCheck hook answered, or to the context's error.
type Rejection struct {
	Hash   common.Hash
	Reason error

	// Have is what the transaction (or, for ErrInsufficientFunds, the account) has, Want what the rule asks for, in the
	// rule's unit: a nonce, gas, wei, or wei per gas. For ErrUnderpriced they are the fee caps.
	Have, Want uint256.Int
	// HaveTip and WantTip are ErrUnderpriced's priority fees in wei per gas.
	HaveTip, WantTip uint256.Int
	// Limit is ErrSenderLimit's slots, ErrNonceGap's largest gap, ErrUnderpriced's percentage.
	Limit uint64
}

func (r *Rejection) Unwrap() error { return r.Reason }

func (r *Rejection) Error() string {
	have, want := r.Have.Dec(), r.Want.Dec()
	s := fmt.Sprintf("transaction %s: %v", r.Hash, r.Reason)
	switch r.Reason {
	case ErrNonceTooLow:
		return s + fmt.Sprintf(": nonce %s already used, next is %s", have, want)
	case ErrNonceGap:
		return s + fmt.Sprintf(": nonce %s, but the next executable is %s and at most %d may be skipped: send the missing ones first", have, want, r.Limit)
	case ErrSenderLimit:
		return s + fmt.Sprintf(": nonce %s, but this sender's %d slots end before nonce %s: wait until earlier transactions are included, or add stake for more slots", have, r.Limit, want)
	case ErrUnderpriced:
		return s + fmt.Sprintf(": replacing needs %d %% more of both fees: maxFeePerGas %s (have %s) and maxPriorityFeePerGas %s (have %s)",
			r.Limit, want, have, r.WantTip.Dec(), r.HaveTip.Dec())
	case ErrPoolFull:
		if r.Want.IsZero() {
			return s + ": only executable transactions that pay the base fee are taken now: send missing nonces first, raise maxFeePerGas, or try again later"
		}
		return s + fmt.Sprintf(": effective tip is %s wei per gas, counting earlier transactions of the sender; at least %s is taken now", have, want)
	case ErrInsufficientFunds:
		return s + fmt.Sprintf(": balance is %s wei, but value and highest fee of this and the sender's earlier pooled transactions need %s", have, want)
	case ErrGasLimitAboveBlock:
		return s + fmt.Sprintf(": gas limit %s, a block has %s", have, want)
	case ErrIntrinsicGas:
		return s + fmt.Sprintf(": gas limit %s, needs at least %s: estimate it with eth_estimateGas", have, want)
	case ErrTipTooLow:
		return s + fmt.Sprintf(": maxPriorityFeePerGas %s, at least %s wei per gas", have, want)
	}
	return s
}

// reject is for reasons that carry no numbers or that say it all themselves.
func reject(hash common.Hash, reason error) error { return &Rejection{Hash: hash, Reason: reason} }

// rejectNumbers is for rules over 64-bit numbers.
func rejectNumbers(tx *abi.Transaction, reason error, have, want, limit uint64) error {
	return &Rejection{Hash: tx.Hash, Reason: reason, Have: *uint256.NewInt(have), Want: *uint256.NewInt(want), Limit: limit}
}

// reasonLabel is the metric label of a rejection.
func reasonLabel(err error) string {
	for _, r := range []struct {
		err   error
		label string
	}{
		{ErrNonceTooLow, "nonce_too_low"}, {ErrNonceGap, "nonce_gap"}, {ErrSenderLimit, "sender_limit"},
		{ErrUnderpriced, "underpriced"}, {ErrPoolFull, "pool_full"}, {ErrInsufficientFunds, "insufficient_funds"},
		{ErrGasLimitAboveBlock, "gas_limit"}, {ErrIntrinsicGas, "intrinsic_gas"}, {ErrTipTooLow, "tip_too_low"},
		{ErrAlreadyKnown, "already_known"}, {ErrBusy, "busy"}, {ErrJournal, "journal"}, {ErrClosed, "closed"},
		{abi.ErrSignature, "signature"}, {abi.ErrChainID, "chain_id"},
	} {
		if errors.Is(err, r.err) {
			return r.label
		}
	}
	return "other"
}
