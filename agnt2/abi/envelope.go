package abi

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// MaxTransactionBytes bounds one transaction's EIP-2718 encoding, signature included: with its proof it has to fit into
// an L1 transaction (128 KiB) when a dispute ends on one of its micro-steps.
const MaxTransactionBytes = 96 << 10

// A transaction that fails one of these is malformed: it is never part of a block. Nothing else makes one malformed, so
// derivation never depends on execution.
var (
	ErrTooLarge      = errors.New("transaction too large")
	ErrUndecodable   = errors.New("transaction does not decode")
	ErrType          = errors.New("transaction type not supported: use EIP-1559 (type 2)")
	ErrChainID       = errors.New("transaction is for another chain")
	ErrSignature     = errors.New("invalid signature")
	ErrFieldRange    = errors.New("transaction field out of range")
	ErrAccessList    = errors.New("access lists are not supported: leave accessList empty")
	ErrTipAboveCap   = errors.New("maxPriorityFeePerGas is above maxFeePerGas")
	ErrDepositSigned = errors.New("deposits come from L1 only")
)

// Transaction is a well-formed transaction, decoded once and with its sender recovered. It must not be modified.
type Transaction struct {
	Hash     common.Hash
	From     common.Address
	To       *common.Address // nil: contract creation, which always fails
	Nonce    uint64
	GasLimit uint64
	FeeCap   uint256.Int // maxFeePerGas, wei per gas
	TipCap   uint256.Int // maxPriorityFeePerGas, wei per gas
	Value    uint256.Int // wei
	Data     []byte
	Size     int // bytes of the EIP-2718 encoding

	Deposit bool        // type 0x7E: fees, nonce and signature do not apply
	Mint    uint256.Int // deposits: wei minted to From

	Inner *types.Transaction
}

// EffectiveTip is the priority fee per gas that is paid at a base fee; ok is false if FeeCap is below the base fee.
func (t *Transaction) EffectiveTip(baseFee *uint256.Int) (tip uint256.Int, ok bool) {
	return EffectiveTip(&t.FeeCap, &t.TipCap, baseFee)
}

// EffectiveTip is the smaller of tipCap and feeCap less baseFee; ok is false if feeCap is below baseFee.
func EffectiveTip(feeCap, tipCap, baseFee *uint256.Int) (tip uint256.Int, ok bool) {
	if feeCap.Lt(baseFee) {
		return tip, false
	}
	tip.Sub(feeCap, baseFee)
	if tipCap.Lt(&tip) {
		tip = *tipCap
	}
	return tip, true
}

// Decode reads the EIP-2718 bytes of a transaction or deposit and checks everything that makes it well-formed, the
// signature included. Deposits are accepted: whether one may stand at its place is the block's business.
func Decode(raw []byte, chainID *big.Int) (*Transaction, error) {
	if len(raw) > 0 && raw[0] != types.DepositTxType && len(raw) > MaxTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(raw), MaxTransactionBytes)
	}
	if len(raw) > 0 && raw[0] != types.DynamicFeeTxType && raw[0] != types.DepositTxType {
		return nil, ErrType
	}
	inner := new(types.Transaction)
	if err := inner.UnmarshalBinary(raw); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUndecodable, err)
	}
	return FromInner(inner, chainID, len(raw))
}

// FromInner is Decode for a transaction that is already parsed; size is the length of its EIP-2718 encoding.
func FromInner(inner *types.Transaction, chainID *big.Int, size int) (*Transaction, error) {
	t := &Transaction{
		Hash: inner.Hash(), To: inner.To(), Nonce: inner.Nonce(), GasLimit: inner.Gas(), Data: inner.Data(), Size: size, Inner: inner,
	}
	if t.Value.SetFromBig(inner.Value()) {
		return nil, fmt.Errorf("%w: value", ErrFieldRange)
	}
	switch inner.Type() {
	case types.DepositTxType:
		t.Deposit = true
		from, err := types.Sender(types.LatestSignerForChainID(chainID), inner)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrUndecodable, err)
		}
		t.From = from
		if m := inner.Mint(); m != nil && t.Mint.SetFromBig(m) {
			return nil, fmt.Errorf("%w: mint", ErrFieldRange)
		}
		return t, nil
	case types.DynamicFeeTxType:
	default:
		return nil, ErrType
	}
	if size > MaxTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxTransactionBytes)
	}
	if inner.ChainId().Cmp(chainID) != 0 {
		return nil, fmt.Errorf("%w: chain id %v, this is %v", ErrChainID, inner.ChainId(), chainID)
	}
	if len(inner.AccessList()) > 0 {
		return nil, ErrAccessList
	}
	if t.FeeCap.SetFromBig(inner.GasFeeCap()) || t.TipCap.SetFromBig(inner.GasTipCap()) {
		return nil, fmt.Errorf("%w: fee", ErrFieldRange)
	}
	if t.FeeCap.Lt(&t.TipCap) {
		return nil, ErrTipAboveCap
	}
	if t.Nonce == ^uint64(0) {
		return nil, fmt.Errorf("%w: nonce", ErrFieldRange)
	}
	from, err := recoverSender(inner)
	if err != nil {
		return nil, err
	}
	t.From = from
	// Whoever asks go-ethereum for the sender later (the JSON-RPC surface does, for whole blocks) need not recover it again.
	_, _ = types.Sender(knownSender{types.LatestSignerForChainID(chainID), from}, inner)
	return t, nil
}

// knownSender fills the sender cache of a go-ethereum transaction with what has been recovered already.
type knownSender struct {
	types.Signer
	from common.Address
}

func (s knownSender) Sender(*types.Transaction) (common.Address, error) { return s.from, nil }

// recoverSender is the secp256k1 recovery of EIP-1559 transactions, with the low-s rule of EIP-2.
func recoverSender(inner *types.Transaction) (a common.Address, err error) {
	v, r, s := inner.RawSignatureValues()
	if v == nil || r == nil || s == nil || v.BitLen() > 8 || !crypto.ValidateSignatureValues(byte(v.Uint64()), r, s, true) {
		return a, fmt.Errorf("%w: r, s or v out of range (unsigned?)", ErrSignature)
	}
	var sig [65]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:64])
	sig[64] = byte(v.Uint64())
	hash := types.LatestSignerForChainID(inner.ChainId()).Hash(inner)
	pub, err := crypto.Ecrecover(hash[:], sig[:])
	if err != nil {
		return a, fmt.Errorf("%w: %v", ErrSignature, err)
	}
	copy(a[:], crypto.Keccak256(pub[1:])[12:])
	return a, nil
}
