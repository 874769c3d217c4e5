package ethapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// JSON-RPC error codes (JSON-RPC 2.0, EIP-1474, EIP-7966; 3 is go-ethereum's code for a revert).
const (
	codeRevert        = 3
	codeSyncTimeout   = 4
	codeServer        = -32000
	codeLimitExceeded = -32005
	codeInvalidParams = -32602
	codeInternal      = -32603
)

// rpcError is an error with a JSON-RPC code and, optionally, data.
type rpcError struct {
	code int
	msg  string
	data any
}

var (
	_ rpc.Error     = (*rpcError)(nil)
	_ rpc.DataError = (*rpcError)(nil)
)

func (e *rpcError) Error() string  { return e.msg }
func (e *rpcError) ErrorCode() int { return e.code }
func (e *rpcError) ErrorData() any { return e.data }

// Texts that clients match are go-ethereum's.
var (
	errHeaderNotFound    = &rpcError{code: codeServer, msg: "header not found"}
	errHashNotFound      = &rpcError{code: codeServer, msg: "header for hash not found"}
	errNotCanonical      = &rpcError{code: codeServer, msg: "hash is not currently canonical"}
	errSafeNotFound      = &rpcError{code: codeServer, msg: "safe block not found"}
	errFinalizedNotFound = &rpcError{code: codeServer, msg: "finalized block not found"}
	errUnknownBlock      = &rpcError{code: codeServer, msg: "unknown block"}
	errFilterNotFound    = &rpcError{code: codeServer, msg: "filter not found"}
	errBusy              = &rpcError{code: codeLimitExceeded, msg: "the engine is busy with other requests: retry in a moment"}
	errClosed            = &rpcError{code: codeServer, msg: "the engine is shutting down"}
)

func invalidParams(format string, args ...any) error {
	return &rpcError{code: codeInvalidParams, msg: fmt.Sprintf(format, args...)}
}

func limitExceeded(format string, args ...any) error {
	return &rpcError{code: codeLimitExceeded, msg: fmt.Sprintf(format, args...)}
}

// revertError is a failed operation as go-ethereum reports a reverted call: code 3, the custom error's bytes as data.
func revertError(r abi.Revert) error {
	return &rpcError{code: codeRevert, msg: "execution reverted: " + r.Error(), data: hexutil.Encode(r.Encode())}
}

// syncTimeout is EIP-7966's answer for a transaction that is in the pool but not in a block yet.
func syncTimeout(hash common.Hash, waited fmt.Stringer) error {
	return &rpcError{code: codeSyncTimeout, data: hash.Hex(), msg: fmt.Sprintf(
		"transaction %v was added to the pool but not included within %v: poll eth_getTransactionReceipt", hash, waited)}
}

// expired names a context's end for what it is; other errors pass.
func expired(what string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return limitExceeded("%s took too long: ask for less", what)
	}
	return err
}
