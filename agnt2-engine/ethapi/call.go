package ethapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// CallArgs is the transaction object of eth_call and eth_estimateGas. Fields that mean nothing on this chain are
// accepted and ignored, as wallets send them.
type CallArgs struct {
	From                 *common.Address `json:"from"`
	To                   *common.Address `json:"to"`
	Gas                  *hexutil.Uint64 `json:"gas"`
	GasPrice             *hexutil.Big    `json:"gasPrice"`
	MaxFeePerGas         *hexutil.Big    `json:"maxFeePerGas"`
	MaxPriorityFeePerGas *hexutil.Big    `json:"maxPriorityFeePerGas"`
	Value                *hexutil.Big    `json:"value"`
	Nonce                *hexutil.Uint64 `json:"nonce"`
	Data                 *hexutil.Bytes  `json:"data"`
	Input                *hexutil.Bytes  `json:"input"`
	ChainID              *hexutil.Big    `json:"chainId"`
}

// feeCap is the price per gas that the caller offers; nil if it says nothing.
func (c *CallArgs) feeCap() *big.Int {
	if c.MaxFeePerGas != nil {
		return c.MaxFeePerGas.ToInt()
	}
	return c.GasPrice.ToInt()
}

func (c *CallArgs) call(chainID *big.Int) (Call, error) {
	var out Call
	if c.From != nil {
		out.From = *c.From
	}
	out.To = c.To
	if c.Gas != nil {
		out.Gas = uint64(*c.Gas)
	}
	if c.Value != nil && out.Value.SetFromBig(c.Value.ToInt()) {
		return out, invalidParams("value exceeds 256 bits")
	}
	if c.Input != nil {
		out.Data = *c.Input
	} else if c.Data != nil {
		out.Data = *c.Data
	}
	if c.Input != nil && c.Data != nil && !bytes.Equal(*c.Input, *c.Data) {
		return out, invalidParams(`both "data" and "input" are set and not equal: use "input" for the call data`)
	}
	if len(out.Data) > abi.MaxTransactionBytes {
		return out, invalidParams("%d bytes of call data, at most %d", len(out.Data), abi.MaxTransactionBytes)
	}
	if c.GasPrice != nil && (c.MaxFeePerGas != nil || c.MaxPriorityFeePerGas != nil) {
		return out, invalidParams("both gasPrice and maxFeePerGas or maxPriorityFeePerGas are set: use the latter")
	}
	if c.ChainID != nil && c.ChainID.ToInt().Cmp(chainID) != 0 {
		return out, invalidParams("chainId is %v, this chain is %v", c.ChainID.ToInt(), chainID)
	}
	return out, nil
}

// Overrides is go-ethereum's state or block override parameter. This chain has none; an empty one is accepted.
type Overrides struct{ set bool }

func (o *Overrides) UnmarshalJSON(raw []byte) error {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	o.set = len(m) > 0
	return nil
}

func noOverrides(all ...*Overrides) error {
	for _, o := range all {
		if o != nil && o.set {
			return invalidParams("state and block overrides are not supported: call without them")
		}
	}
	return nil
}

// Call implements eth_call. Views are answered from the records of the block; operations, transfers and withdrawals are
// dry-run on top of it; plain accounts answer nothing, as accounts without code do on Ethereum.
func (e *ethAPI) Call(ctx context.Context, args CallArgs, at *rpc.BlockNumberOrHash, state, block *Overrides) (hexutil.Bytes, error) {
	if err := noOverrides(state, block); err != nil {
		return nil, err
	}
	call, err := args.call(e.a.b.ChainConfig().ChainID)
	if err != nil {
		return nil, err
	}
	h, err := e.a.header(at)
	if err != nil {
		return nil, err
	}
	ctx, done, err := e.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := e.a.call(ctx, h, call)
	return out, asRPC(err)
}

func (a *API) call(ctx context.Context, h *types.Header, call Call) ([]byte, error) {
	if call.To != nil {
		if out, ok, err := a.view(h, &call); ok {
			return out, err
		}
		if !native(*call.To) && len(call.Data) == 0 && call.Value.IsZero() {
			return nil, nil
		}
	}
	res, err := a.dryRun(ctx, h, call)
	if err != nil {
		return nil, err
	}
	return res.Return, nil
}

// dryRun returns the revert of a failed run as an error.
func (a *API) dryRun(ctx context.Context, h *types.Header, call Call) (*CallResult, error) {
	res, err := a.b.DryRun(ctx, h, call)
	if err != nil {
		return nil, fmt.Errorf("dry run on block %d: %w", h.Number, err)
	}
	if res.Revert != nil {
		return nil, res.Revert
	}
	return res, nil
}

// asRPC gives a revert its JSON-RPC form; other errors pass.
func asRPC(err error) error {
	var r abi.Revert
	if errors.As(err, &r) {
		return revertError(r)
	}
	return expired("the call", err)
}

// EstimateGas implements eth_estimateGas: the gas that the transaction uses on top of the block, exactly, for gas does
// not depend on the gas limit here. Views are no transactions, so estimating one reverts. With a fee given, the sender's
// balance must cover it.
func (e *ethAPI) EstimateGas(ctx context.Context, args CallArgs, at *rpc.BlockNumberOrHash, state *Overrides) (hexutil.Uint64, error) {
	if err := noOverrides(state); err != nil {
		return 0, err
	}
	call, err := args.call(e.a.b.ChainConfig().ChainID)
	if err != nil {
		return 0, err
	}
	h, err := e.a.header(at)
	if err != nil {
		return 0, err
	}
	ctx, done, err := e.a.bounded(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	res, err := e.a.dryRun(ctx, h, call)
	if err != nil {
		return 0, asRPC(err)
	}
	if cap := args.feeCap(); cap != nil && cap.Sign() > 0 {
		if err := e.a.affordable(h, &call, res.GasUsed, cap); err != nil {
			return 0, err
		}
	}
	return hexutil.Uint64(res.GasUsed), nil
}

// affordable checks value + gas·price + L1 fee against the sender's balance.
func (a *API) affordable(h *types.Header, call *Call, gas uint64, price *big.Int) error {
	r, err := a.recordsOf(h)
	if err != nil {
		return err
	}
	acc, err := account(r, call.From)
	if err != nil {
		return err
	}
	l1, err := a.b.L1Cost(h, len(call.Data)+envelopeBytes)
	if err != nil {
		return err
	}
	need := new(big.Int).Mul(new(big.Int).SetUint64(gas), price)
	need.Add(need, call.Value.ToBig()).Add(need, l1.ToBig())
	if have := acc.Balance.ToBig(); have.Cmp(need) < 0 {
		return &rpcError{code: codeServer, msg: fmt.Sprintf(
			"insufficient funds for gas * price + value: address %v have %v want %v", call.From, have, need)}
	}
	return nil
}

// envelopeBytes is about what an EIP-1559 envelope with its signature adds to the call data.
const envelopeBytes = 150

// view answers a call that only reads. ok is false if the call is none.
func (a *API) view(h *types.Header, call *Call) (out []byte, ok bool, err error) {
	table, known := views[*call.To]
	if !known || len(call.Data) == 0 { // without data it is a transfer
		return nil, false, nil
	}
	sel, args, whole := selector(call.Data)
	v, found := table.views[sel]
	if !found || !whole {
		if !table.only {
			return nil, false, nil
		}
		return nil, true, &abi.UnknownOperation{Selector: sel}
	}
	if !call.Value.IsZero() {
		return nil, true, &abi.ValueNotAccepted{}
	}
	out, err = v(&reading{a: a, h: h}, args)
	return out, true, err
}

// selector splits call data; whole is false if it is shorter than a selector.
func selector(data []byte) (sel [4]byte, args []byte, whole bool) {
	n := copy(sel[:], data)
	return sel, data[n:], n == len(sel)
}

// reading is what a view reads from; the records are opened by the first that needs them.
type reading struct {
	a *API
	h *types.Header
	r Records
}

func (v *reading) records() (Records, error) {
	if v.r != nil {
		return v.r, nil
	}
	r, err := v.a.recordsOf(v.h)
	v.r = r
	return r, err
}

// word encodes a number as return data.
func word(v *uint256.Int) []byte {
	b := v.Bytes32()
	return b[:]
}
