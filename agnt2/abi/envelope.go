package abi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"

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
	us, errs := Prepare([]*types.Transaction{inner}, nil, chainID)
	if errs[0] != nil {
		return nil, errs[0]
	}
	return us[0].Verify()
}

// Unverified is a transaction of which everything is checked but the signature.
type Unverified struct {
	tx     Transaction
	to     common.Address
	digest common.Hash // what is signed
	sig    [crypto.SignatureLength]byte
	chain  *big.Int
}

// Hash is the transaction's hash.
func (u *Unverified) Hash() common.Hash { return u.tx.Hash }

// Size is the length of the EIP-2718 encoding in bytes.
func (u *Unverified) Size() int { return u.tx.Size }

// Prepare hashes and checks transactions up to their signatures; for each there is an error or an Unverified. raw are the
// EIP-2718 encodings from which they were decoded; what is nil is encoded. To prepare many at once costs less: hashes are
// computed several at a time.
func Prepare(inner []*types.Transaction, raw [][]byte, chainID *big.Int) ([]*Unverified, []error) {
	us, errs, all := make([]*Unverified, len(inner)), make([]error, len(inner)), make([]Unverified, len(inner))
	inputs := make([][]byte, 0, 2*len(inner))
	scratch := signedParts.Get().(*[]byte)
	defer signedParts.Put(scratch)
	buf := (*scratch)[:0]
	for i, tx := range inner {
		u := &all[i]
		var signed []byte
		if raw != nil {
			u.tx.Raw = raw[i]
		}
		if signed, errs[i] = u.prepare(tx, chainID); errs[i] != nil {
			continue
		}
		us[i] = u
		inputs = append(inputs, u.tx.Raw)
		if !u.tx.Deposit {
			from := len(buf)
			buf = appendSigned(buf, u.tx.Raw[0], signed)
			inputs = append(inputs, buf[from:])
		}
	}
	*scratch = buf
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

// signedParts are buffers for what is signed.
var signedParts = sync.Pool{New: func() any { return new([]byte) }}

// prepare returns the encodings of the fields that are signed, for all but deposits.
func (u *Unverified) prepare(inner *types.Transaction, chainID *big.Int) (signed []byte, err error) {
	u.chain = chainID
	t := &u.tx
	t.Inner = inner
	if inner.Type() != types.DynamicFeeTxType {
		return nil, u.prepareOther(inner)
	}
	if t.Raw == nil {
		if t.Raw, err = encodeTyped(inner); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrUndecodable, err)
		}
	}
	f, content, err := splitFields(t.Raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUndecodable, err)
	}
	t.Size, t.Data = len(t.Raw), f[fieldData]
	if t.Nonce, err = toUint64(f[fieldNonce]); err == nil {
		t.GasLimit, err = toUint64(f[fieldGas])
	}
	if err != nil {
		return nil, err
	}
	if !setUint(&t.Value, f[fieldValue]) {
		return nil, fmt.Errorf("%w: value", ErrFieldRange)
	}
	if t.Size > MaxTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, t.Size, MaxTransactionBytes)
	}
	if t.Size < MinTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at least %d", ErrTooSmall, t.Size, MinTransactionBytes)
	}
	var buf [32]byte
	if chainID.BitLen() > 256 || !bytes.Equal(f[fieldChainID], bytes.TrimLeft(chainID.FillBytes(buf[:]), "\x00")) {
		return nil, fmt.Errorf("%w: chain id %v, this is %v", ErrChainID, inner.ChainId(), chainID)
	}
	if len(f[fieldAccessList]) > 0 {
		return nil, ErrAccessList
	}
	if !setUint(&t.FeeCap, f[fieldFeeCap]) || !setUint(&t.TipCap, f[fieldTipCap]) {
		return nil, fmt.Errorf("%w: fee", ErrFieldRange)
	}
	if t.FeeCap.Lt(&t.TipCap) {
		return nil, ErrTipAboveCap
	}
	if t.Nonce == ^uint64(0) {
		return nil, fmt.Errorf("%w: nonce", ErrFieldRange)
	}
	if len(f[fieldTo]) == common.AddressLength {
		u.to = common.Address(f[fieldTo])
		t.To = &u.to
	}
	if v, r, s := f[fieldV], f[fieldR], f[fieldS]; len(v) <= 1 && len(r) <= 32 && len(s) <= 32 {
		copy(u.sig[32-len(r):], r)
		copy(u.sig[64-len(s):], s)
		copy(u.sig[64:], v)
	} // else it stays zero, which is no signature
	return content, nil
}

func (u *Unverified) prepareOther(inner *types.Transaction) error {
	raw, err := inner.MarshalBinary()
	if err != nil {
		return fmt.Errorf("%w: %v", ErrUndecodable, err)
	}
	t := &u.tx
	t.Nonce, t.GasLimit, t.To, t.Data, t.Size, t.Raw = inner.Nonce(), inner.Gas(), inner.To(), inner.Data(), len(raw), raw
	if t.Value.SetFromBig(inner.Value()) {
		return fmt.Errorf("%w: value", ErrFieldRange)
	}
	if inner.Type() != types.DepositTxType {
		return ErrType
	}
	t.Deposit = true
	if m := inner.Mint(); m != nil && t.Mint.SetFromBig(m) {
		return fmt.Errorf("%w: mint", ErrFieldRange)
	}
	return nil
}

// encodeTyped is MarshalBinary of a typed transaction with one allocation.
func encodeTyped(tx *types.Transaction) ([]byte, error) {
	const room = 192 // for everything but the calldata, as a rule
	b := bytes.NewBuffer(make([]byte, 0, room+len(tx.Data())))
	if err := tx.EncodeRLP(b); err != nil {
		return nil, err
	}
	_, raw, _, err := rlp.Split(b.Bytes()) // in the network encoding it is an RLP string
	return raw, err
}

// Fields of an EIP-1559 transaction in their order. What is signed ends with the access list.
const (
	fieldChainID = iota
	fieldNonce
	fieldTipCap
	fieldFeeCap
	fieldGas
	fieldTo
	fieldValue
	fieldData
	fieldAccessList
	fieldV
	fieldR
	fieldS
	fields
)

// splitFields returns the contents of an EIP-1559 transaction's fields, and the encodings of those that are signed. The
// encoding is one that go-ethereum has made or accepted.
func splitFields(raw []byte) (f [fields][]byte, signed []byte, err error) {
	if len(raw) == 0 {
		return f, nil, io.ErrUnexpectedEOF
	}
	content, _, err := rlp.SplitList(raw[1:])
	rest := content
	for i := range f {
		if err == nil {
			_, f[i], rest, err = rlp.Split(rest)
		}
		if i == fieldAccessList {
			signed = content[:len(content)-len(rest)]
		}
	}
	return f, signed, err
}

func toUint64(b []byte) (v uint64, err error) {
	if len(b) > 8 {
		return 0, fmt.Errorf("%w: more than 64 bits", ErrFieldRange)
	}
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v, nil
}

func setUint(z *uint256.Int, b []byte) bool {
	if len(b) > 32 {
		return false
	}
	z.SetBytes(b)
	return true
}

// appendSigned appends what an EIP-1559 transaction's sender signs the hash of: a list of the signed fields, behind the type.
func appendSigned(dst []byte, kind byte, fields []byte) []byte {
	dst = append(dst, kind)
	if n := len(fields); n < 56 {
		dst = append(dst, 0xc0+byte(n))
	} else {
		size := binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(n))
		size = bytes.TrimLeft(size, "\x00")
		dst = append(append(dst, 0xf7+byte(len(size))), size...)
	}
	return append(dst, fields...)
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
	from, err := u.recoverSender()
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
func (u *Unverified) recoverSender() (a common.Address, err error) {
	var r, s uint256.Int
	r.SetBytes32(u.sig[:32])
	s.SetBytes32(u.sig[32:64])
	if u.sig[64] > 1 || r.IsZero() || s.IsZero() || !r.Lt(groupOrder) || s.Gt(halfOrder) {
		return a, fmt.Errorf("%w: r, s or v out of range (unsigned?)", ErrSignature)
	}
	pub, err := crypto.Ecrecover(u.digest[:], u.sig[:])
	if err != nil {
		return a, fmt.Errorf("%w: %v", ErrSignature, err)
	}
	h := trie.HashRecord(pub[1:])
	return common.Address(h[12:]), nil
}

// groupOrder of secp256k1, and half of it, rounded down.
var (
	groupOrder = uint256.MustFromBig(crypto.S256().Params().N)
	halfOrder  = new(uint256.Int).Rsh(groupOrder, 1)
)
