package client

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
)

var (
	// ErrNoPayloadStore: the operation needs params or results, and Config names no store.
	ErrNoPayloadStore = errors.New("no payload store configured: set Config.DAURL")
	// ErrPayloadNotFound: the store does not have the payload (yet, or any more).
	ErrPayloadNotFound = errors.New("payload not found")
	// ErrPayloadHash: bytes were received, and they are not the payload that the hash names.
	ErrPayloadHash = errors.New("payload does not match its hash")
	// ErrPayloadTooLarge: above MaxPayloadBytes.
	ErrPayloadTooLarge = errors.New("payload too large")
	// ErrVoid: a block contains the transaction without executing it (wrong nonce, unaffordable fee, or block full). It
	// cost nothing. It can still execute in a later block while its nonce is unused, so look before sending it again.
	ErrVoid = errors.New("transaction is void: included without being executed")
	// ErrNonceUsed: another transaction of the account took the nonce; this one can never execute.
	ErrNonceUsed = errors.New("nonce was used by another transaction")
	// ErrReverted: the operation failed for a reason that the node did not report.
	ErrReverted = errors.New("operation failed")
	// ErrUnexpectedReceipt: a transaction succeeded without the event that it must emit.
	ErrUnexpectedReceipt = errors.New("receipt lacks the expected event")
)

// OperationError says which operation failed and why. errors.As finds the custom error:
//
//	var taken *abi.AlreadyRegistered
//	if errors.As(err, &taken) { … }
type OperationError struct {
	Op     string      // name of the operation in IAGNT2
	Tx     common.Hash // zero if the dry run failed and nothing was sent
	Revert abi.Revert  // nil if the node did not say
}

func (e *OperationError) Error() string {
	where := e.Op
	if e.Tx != (common.Hash{}) {
		where = fmt.Sprintf("%s: transaction %v", e.Op, e.Tx)
	}
	if e.Revert == nil {
		return fmt.Sprintf("%s: %v", where, ErrReverted)
	}
	return fmt.Sprintf("%s: %v", where, e.Revert)
}

func (e *OperationError) Unwrap() error {
	if e.Revert == nil {
		return ErrReverted
	}
	return e.Revert
}

// revertOf reads the custom error that a JSON-RPC error carries as data; nil if there is none.
func revertOf(err error) abi.Revert {
	var de rpc.DataError
	if !errors.As(err, &de) {
		return nil
	}
	s, ok := de.ErrorData().(string)
	if !ok {
		return nil
	}
	data, err := hexutil.Decode(s)
	if err != nil {
		return nil
	}
	if r := abi.DecodeRevert(data); r != nil {
		return r
	}
	if r := feedback.DecodeRevert(data); r != nil { // the registries' own
		return r
	}
	return nil
}

// callError turns the error of eth_call or eth_estimateGas into an OperationError where it is one.
func callError(op string, err error) error {
	if r := revertOf(err); r != nil {
		return &OperationError{Op: op, Revert: r}
	}
	return fmt.Errorf("%s: %w", op, err)
}
