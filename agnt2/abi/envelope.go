package abi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/trie"
)

// MaxTransactionBytes bounds one transaction's EIP-2718 encoding, signature included: with its proof it has to fit into
// an L1 transaction (128 KiB) when a dispute ends on one of its micro-steps.
const MaxTransactionBytes = 96 << 10

// MinTransactionBytes is the least length of a transaction's EIP-2718 encoding. No shorter one can be of use; and from this
// length on no leaf of a block's transaction trie stands inside its parent, which proofs rely on.
const MinTransactionBytes = 32

// A transaction that fails one of these is malformed: it is never part of a block. Nothing else makes one malformed, so
// derivation never depends on execution.
var (
	ErrTooLarge      = errors.New("transaction too large")
	ErrTooSmall      = errors.New("transaction too small")
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
	// Raw is the EIP-2718 encoding; nil if nobody had it at hand: see Encoding.
	Raw []byte
}

// Encoding returns the EIP-2718 encoding. It must not be modified.
func (t *Transaction) Encoding() []byte {
	if t.Raw != nil {
		return t.Raw
	}
	raw, err := t.Inner.MarshalBinary()
	if err != nil {
		panic(fmt.Sprintf("transaction %s does not encode: %v", t.Hash, err)) // it was decoded from bytes, or checked
	}
	return raw
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
	if inner.Type() == types.DynamicFeeTxType && size > MaxTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxTransactionBytes)
	}
	us, errs := Prepare([]*types.Transaction{inner}, chainID)
	if errs[0] != nil {
		return nil, errs[0]
	}
	return us[0].Verify()
}

// Unverified is a transaction of which everything is checked but the signature.
type Unverified struct {
	tx     Transaction
	digest common.Hash // what is signed
	chain  *big.Int
}

// Hash is the transaction's hash.
func (u *Unverified) Hash() common.Hash { return u.tx.Hash }

// Size is the length of the EIP-2718 encoding in bytes.
func (u *Unverified) Size() int { return u.tx.Size }

// Prepare encodes, hashes and checks transactions up to their signatures; for each there is an error or an Unverified. To
// prepare many at once costs less: hashes are computed several at a time.
func Prepare(inner []*types.Transaction, chainID *big.Int) ([]*Unverified, []error) {
	us, errs := make([]*Unverified, len(inner)), make([]error, len(inner))
	var inputs [][]byte
	for i, tx := range inner {
		var u *Unverified
		if u, errs[i] = prepare(tx, chainID); errs[i] != nil {
			continue
		}
		us[i] = u
		inputs = append(inputs, u.tx.Raw)
		if !u.tx.Deposit {
			inputs = append(inputs, signedPart(u.tx.Raw))
		}
	}
	digests := make([]trie.Hash, len(inputs))
	trie.HashMany(inputs, digests)
	for _, u := range us {
		if u == nil {
			continue
		}
		u.tx.Hash, digests = digests[0], digests[1:]
		if !u.tx.Deposit {
			u.digest, digests = digests[0], digests[1:]
		}
	}
	return us, errs
}

func prepare(inner *types.Transaction, chainID *big.Int) (*Unverified, error) {
	raw, err := inner.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUndecodable, err)
	}
	u := &Unverified{chain: chainID, tx: Transaction{
		To: inner.To(), Nonce: inner.Nonce(), GasLimit: inner.Gas(), Data: inner.Data(), Size: len(raw), Inner: inner, Raw: raw,
	}}
	t := &u.tx
	if t.Value.SetFromBig(inner.Value()) {
		return nil, fmt.Errorf("%w: value", ErrFieldRange)
	}
	switch inner.Type() {
	case types.DepositTxType:
		t.Deposit = true
		if m := inner.Mint(); m != nil && t.Mint.SetFromBig(m) {
			return nil, fmt.Errorf("%w: mint", ErrFieldRange)
		}
		return u, nil
	case types.DynamicFeeTxType:
	default:
		return nil, ErrType
	}
	if t.Size > MaxTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, t.Size, MaxTransactionBytes)
	}
	if t.Size < MinTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at least %d", ErrTooSmall, t.Size, MinTransactionBytes)
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
	return u, nil
}

// signedFields of an EIP-1559 transaction come before its signature.
const signedFields = 9

// signedPart is what an EIP-1559 transaction's sender signs the hash of: its encoding without the signature. The encoding
// is one that go-ethereum has made.
func signedPart(raw []byte) []byte {
	content, _, err := rlp.SplitList(raw[1:])
	rest := content
	for range signedFields {
		if err == nil {
			_, _, rest, err = rlp.Split(rest)
		}
	}
	if err != nil {
		panic(fmt.Sprintf("encoded transaction does not parse: %v", err))
	}
	fields := content[:len(content)-len(rest)]
	out := make([]byte, 1, 1+9+len(fields))
	out[0] = raw[0]
	if n := len(fields); n < 56 {
		out = append(out, 0xc0+byte(n))
	} else {
		size := binary.BigEndian.AppendUint64(nil, uint64(n))
		size = bytes.TrimLeft(size, "\x00")
		out = append(append(out, 0xf7+byte(len(size))), size...)
	}
	return append(out, fields...)
}

// Verify recovers the sender.
func (u *Unverified) Verify() (*Transaction, error) {
	t := &u.tx
	signer := types.LatestSignerForChainID(u.chain)
	if t.Deposit {
		from, err := types.Sender(signer, t.Inner)
		if err != nil {
			return nil, fmt.Errorf("%w: %v", ErrUndecodable, err)
		}
		t.From = from
		return t, nil
	}
	from, err := recoverSender(t.Inner, u.digest)
	if err != nil {
		return nil, err
	}
	t.From = from
	// Whoever asks go-ethereum for the sender later (the JSON-RPC surface does, for whole blocks) need not recover it again.
	_, _ = types.Sender(knownSender{signer, from}, t.Inner)
	return t, nil
}

// knownSender fills the sender cache of a go-ethereum transaction with what has been recovered already.
type knownSender struct {
	types.Signer
	from common.Address
}

func (s knownSender) Sender(*types.Transaction) (common.Address, error) { return s.from, nil }

// recoverSender is the secp256k1 recovery of EIP-1559 transactions, with the low-s rule of EIP-2.
func recoverSender(inner *types.Transaction, digest common.Hash) (a common.Address, err error) {
	v, r, s := inner.RawSignatureValues()
	if v == nil || r == nil || s == nil || v.BitLen() > 8 || !crypto.ValidateSignatureValues(byte(v.Uint64()), r, s, true) {
		return a, fmt.Errorf("%w: r, s or v out of range (unsigned?)", ErrSignature)
	}
	var sig [65]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:64])
	sig[64] = byte(v.Uint64())
	pub, err := crypto.Ecrecover(digest[:], sig[:])
	if err != nil {
		return a, fmt.Errorf("%w: %v", ErrSignature, err)
	}
	copy(a[:], crypto.Keccak256(pub[1:])[12:])
	return a, nil
}
