// Package block assembles blocks: which transactions may stand where, receipts, and a header in which every field means
// what it means on an OP chain, except stateRoot, which is the root of the interaction trie (OP specs, Holocene and
// Isthmus; AGNT2 paper §4.4).
//
// It executes through agnt2/vm and does no I/O; the roots of the two state trees come from its caller.
package block

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core/types"
	gethparams "github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Errors that make a body invalid. Everything else a transaction can do wrong ends in a receipt.
var (
	ErrNoL1Attributes = errors.New("the first transaction is not an Isthmus L1-attributes deposit")
	ErrDepositOrder   = errors.New("deposits must come first")
	ErrHeader         = errors.New("invalid header")
	ErrAttributes     = errors.New("invalid payload attributes")
)

// maxTimestamp keeps deadlines, a timestamp and a TTL of 32 bits, within the 5 bytes that their keys have for them.
const maxTimestamp = 1<<40 - 1<<32 - 1

// Attributes are what the rollup node fixes about the next block.
type Attributes struct {
	Timestamp        uint64
	Random           common.Hash
	FeeRecipient     common.Address
	BeaconRoot       common.Hash
	GasLimit         uint64
	EIP1559Params    [8]byte // denominator ‖ elasticity; zero: the chain's constants
	HasEIP1559Params bool
}

// NextHeader returns the header of the block that attributes describe, with everything set that execution does not decide.
func NextHeader(cfg *gethparams.ChainConfig, parent *types.Header, a *Attributes) (*types.Header, error) {
	if a.Timestamp <= parent.Time {
		return nil, fmt.Errorf("%w: timestamp %d is not after the parent's %d", ErrAttributes, a.Timestamp, parent.Time)
	}
	if a.Timestamp > maxTimestamp {
		return nil, fmt.Errorf("%w: timestamp %d is out of range", ErrAttributes, a.Timestamp)
	}
	if a.GasLimit == 0 {
		return nil, fmt.Errorf("%w: gasLimit is missing", ErrAttributes)
	}
	if !a.HasEIP1559Params {
		return nil, fmt.Errorf("%w: eip1559Params is missing", ErrAttributes)
	}
	denominator := uint64(binary.BigEndian.Uint32(a.EIP1559Params[:4]))
	elasticity := uint64(binary.BigEndian.Uint32(a.EIP1559Params[4:]))
	if (denominator == 0) != (elasticity == 0) {
		return nil, fmt.Errorf("%w: eip1559Params denominator %d, elasticity %d", ErrAttributes, denominator, elasticity)
	}
	if denominator == 0 {
		denominator, elasticity = cfg.BaseFeeChangeDenominator(a.Timestamp), cfg.ElasticityMultiplier()
	}
	zero, requests, beacon := uint64(0), types.EmptyRequestsHash, a.BeaconRoot
	return &types.Header{
		ParentHash:       parent.Hash(),
		UncleHash:        types.EmptyUncleHash,
		Coinbase:         a.FeeRecipient,
		Difficulty:       new(big.Int),
		Number:           new(big.Int).Add(parent.Number, common.Big1),
		GasLimit:         a.GasLimit,
		Time:             a.Timestamp,
		Extra:            eip1559.EncodeHoloceneExtraData(denominator, elasticity),
		MixDigest:        a.Random,
		BaseFee:          eip1559.CalcBaseFee(cfg, parent, a.Timestamp),
		BlobGasUsed:      &zero,
		ExcessBlobGas:    new(uint64),
		ParentBeaconRoot: &beacon,
		RequestsHash:     &requests,
	}, nil
}

// CheckHeader reports what is wrong with a foreign header before its block is executed: fields that execution decides are
// compared afterwards, through the hash.
func CheckHeader(cfg *gethparams.ChainConfig, parent, h *types.Header) error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrHeader}, a...)...)
	}
	switch {
	case h.Number == nil || h.Number.Cmp(new(big.Int).Add(parent.Number, common.Big1)) != 0:
		return bad("number %v after %v", h.Number, parent.Number)
	case h.Time <= parent.Time:
		return bad("timestamp %d is not after the parent's %d", h.Time, parent.Time)
	case h.Time > maxTimestamp:
		return bad("timestamp %d is out of range", h.Time)
	case h.GasUsed > h.GasLimit:
		return bad("gas used %d exceeds the limit %d", h.GasUsed, h.GasLimit)
	case h.Difficulty != nil && h.Difficulty.Sign() != 0:
		return bad("difficulty is %v", h.Difficulty)
	case h.BlobGasUsed == nil || *h.BlobGasUsed != 0 || h.ExcessBlobGas == nil || *h.ExcessBlobGas != 0:
		return bad("blob gas must be zero")
	case h.ParentBeaconRoot == nil:
		return bad("parentBeaconBlockRoot is missing")
	case h.WithdrawalsHash == nil:
		return bad("withdrawalsRoot is missing")
	case h.RequestsHash == nil || *h.RequestsHash != types.EmptyRequestsHash:
		return bad("requestsHash must be that of the empty list")
	}
	if err := eip1559.ValidateHoloceneExtraData(h.Extra); err != nil {
		return bad("%v", err)
	}
	if want := eip1559.CalcBaseFee(cfg, parent, h.Time); h.BaseFee == nil || h.BaseFee.Cmp(want) != 0 {
		return bad("base fee %v, want %v", h.BaseFee, want)
	}
	return nil
}

// CheckOrder checks that tx may stand after n others of which the last is prev.
func CheckOrder(prev, tx *abi.Transaction) error {
	if prev == nil {
		if !tx.Deposit || tx.From != abi.L1AttributesDepositor || tx.To == nil || *tx.To != abi.L1BlockAddress ||
			!tx.Mint.IsZero() || !tx.Value.IsZero() {
			return ErrNoL1Attributes
		}
		if _, err := vm.ParseL1Attributes(tx.Data); err != nil {
			return fmt.Errorf("%w: %v", ErrNoL1Attributes, err)
		}
		return nil
	}
	if tx.Deposit && !prev.Deposit {
		return ErrDepositOrder
	}
	return nil
}

// Execution runs the transactions of one block in order.
type Execution struct {
	Header   *types.Header // fields decided by execution are set by Seal
	Machine  *vm.Machine
	Overlay  *vm.Overlay
	Txs      []*abi.Transaction
	Results  []*vm.Result
	Receipts types.Receipts // set by Seal
	Raws     [][]byte       // the transactions' EIP-2718 encodings; set by Seal
	Bytes    uint64         // sum of the transactions' sizes

	gas []uint64 // used by the block up to each transaction

	toucher Toucher // the base, if it can
	prefetcher
}

// NewExecution starts a block on its parent's state.
func NewExecution(chainID uint64, h *types.Header, base vm.Base) *Execution {
	e := &Execution{
		Header: h,
		Machine: vm.New(vm.Block{
			ChainID: chainID, Number: h.Number.Uint64(), Time: h.Time, GasLimit: h.GasLimit,
			BaseFee: *uint256.MustFromBig(h.BaseFee), Coinbase: h.Coinbase,
		}),
		Overlay: vm.NewOverlay(base),
	}
	e.toucher, _ = base.(Toucher)
	e.Machine.Begin(e.Overlay)
	return e
}

// Apply executes the next transaction. An error means that the transaction may not stand there; nothing changed then.
func (e *Execution) Apply(tx *abi.Transaction) (*vm.Result, error) {
	var prev *abi.Transaction
	if n := len(e.Txs); n > 0 {
		prev = e.Txs[n-1]
	}
	if err := CheckOrder(prev, tx); err != nil {
		return nil, err
	}
	r := e.Machine.Apply(e.Overlay, tx)
	e.append(tx, r)
	return r, nil
}

// Try is Apply for a builder: a transaction that turns out void is left out of the block.
func (e *Execution) Try(tx *abi.Transaction) *vm.Result {
	r := e.Machine.Apply(e.Overlay, tx)
	if r.Outcome != vm.Void {
		e.append(tx, r)
	}
	return r
}

func (e *Execution) append(tx *abi.Transaction, r *vm.Result) {
	e.Txs = append(e.Txs, tx)
	e.Results = append(e.Results, r)
	e.gas = append(e.gas, e.Machine.GasUsed())
	e.Bytes += uint64(tx.Size)
}

// Finish takes the micro-steps that close the block; the state's changes are complete afterwards.
func (e *Execution) Finish() { e.Machine.Seal(e.Overlay) }

// Seal makes the receipts and completes the header, which it returns. roots gives the trie's root and the message passer's after the block; it
// runs beside what else there is to do.
func (e *Execution) Seal(roots func() (stateRoot, passerRoot common.Hash, err error)) (*types.Header, error) {
	h := e.Header
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.Receipts, e.Raws = e.receipts(), make([][]byte, len(e.Txs))
		for i, t := range e.Txs {
			e.Raws[i] = t.Raw
		}
		h.TxHash, h.ReceiptHash = TransactionsRoot(e.Raws), receiptsRoot(e.Receipts)
		h.Bloom = types.MergeBloom(e.Receipts)
	}()
	stateRoot, passerRoot, err := roots()
	<-done
	if err != nil {
		return nil, err
	}
	h.Root, h.WithdrawalsHash, h.GasUsed = stateRoot, &passerRoot, e.Machine.GasUsed()
	hash := h.Hash()
	for _, rc := range e.Receipts {
		rc.BlockHash = hash
		for _, l := range rc.Logs {
			l.BlockHash = hash
		}
	}
	return h, nil
}

// Ethereum returns a block as go-ethereum has it. Transactions that nobody has asked for in that form yet are decoded.
func Ethereum(h *types.Header, txs []*abi.Transaction) *types.Block {
	inner := make(types.Transactions, len(txs))
	for i, tx := range txs {
		inner[i] = tx.Ethereum()
	}
	return types.NewBlockWithHeader(h).WithBody(types.Body{Transactions: inner, Withdrawals: types.Withdrawals{}})
}
