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
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
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
	Receipts types.Receipts
	Bytes    uint64 // sum of the transactions' sizes

	logs uint
	l1   *l1Fields
}

// l1Fields are what all receipts of a block share; nobody may modify them.
type l1Fields struct {
	gasPrice, blobBaseFee            *big.Int
	baseFeeScalar, blobBaseFeeScalar uint64
}

func newL1Fields(l1 *record.L1Info) *l1Fields {
	return &l1Fields{
		gasPrice: l1.BaseFee.ToBig(), blobBaseFee: l1.BlobBaseFee.ToBig(),
		baseFeeScalar: uint64(l1.BaseFeeScalar), blobBaseFeeScalar: uint64(l1.BlobBaseFeeScalar),
	}
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
	e.Receipts = append(e.Receipts, e.receipt(tx, r))
	e.Bytes += uint64(tx.Size)
}

func (e *Execution) receipt(tx *abi.Transaction, r *vm.Result) *types.Receipt {
	rc := &types.Receipt{
		Type:              tx.Inner.Type(),
		CumulativeGasUsed: e.Machine.GasUsed(),
		Logs:              r.Logs,
		TxHash:            tx.Hash,
		GasUsed:           r.GasUsed,
		EffectiveGasPrice: r.GasPrice.ToBig(),
		BlockNumber:       e.Header.Number,
		TransactionIndex:  uint(len(e.Txs) - 1),
	}
	if r.Outcome == vm.Succeeded {
		rc.Status = types.ReceiptStatusSuccessful
	}
	if rc.Logs == nil {
		rc.Logs = []*types.Log{}
	}
	for _, l := range rc.Logs {
		l.BlockNumber = e.Header.Number.Uint64()
		l.BlockTimestamp = e.Header.Time
		l.TxHash = tx.Hash
		l.TxIndex = rc.TransactionIndex
		l.Index = e.logs
		e.logs++
	}
	rc.Bloom = bloomOf(rc.Logs)
	if tx.Deposit {
		// A deposit uses no nonce of the sender's; the field keeps Canyon's receipt encoding.
		nonce, version := uint64(0), types.CanyonDepositReceiptVersion
		rc.DepositNonce, rc.DepositReceiptVersion = &nonce, &version
	} else {
		if e.l1 == nil { // deposits come first: from here on L1 information stays as it is
			e.l1 = newL1Fields(&e.Machine.L1)
		}
		rc.L1GasPrice, rc.L1BlobBaseFee = e.l1.gasPrice, e.l1.blobBaseFee
		rc.L1BaseFeeScalar, rc.L1BlobBaseFeeScalar = &e.l1.baseFeeScalar, &e.l1.blobBaseFeeScalar
		rc.L1GasUsed = new(big.Int).SetUint64(16 * uint64(tx.Size))
		rc.L1Fee = r.L1Fee.ToBig()
	}
	return rc
}

// Finish takes the micro-steps that close the block; the state's changes are complete afterwards.
func (e *Execution) Finish() { e.Machine.Seal(e.Overlay) }

// Seal completes the header. roots gives the trie's root and the message passer's after the block; it runs beside the
// derivation of the list roots.
func (e *Execution) Seal(roots func() (stateRoot, passerRoot common.Hash, err error)) (*types.Block, error) {
	h := e.Header
	txs := make(types.Transactions, len(e.Txs))
	for i, t := range e.Txs {
		txs[i] = t.Inner
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.TxHash = types.DeriveSha(txs, trie.NewStackTrie(nil))
		h.ReceiptHash = types.DeriveSha(e.Receipts, trie.NewStackTrie(nil))
		h.Bloom = types.MergeBloom(e.Receipts)
	}()
	stateRoot, passerRoot, err := roots()
	<-done
	if err != nil {
		return nil, err
	}
	h.Root, h.WithdrawalsHash, h.GasUsed = stateRoot, &passerRoot, e.Machine.GasUsed()
	b := types.NewBlockWithHeader(h).WithBody(types.Body{Transactions: txs, Withdrawals: types.Withdrawals{}})
	hash := b.Hash()
	for _, rc := range e.Receipts {
		rc.BlockHash = hash
		for _, l := range rc.Logs {
			l.BlockHash = hash
		}
	}
	return b, nil
}
