package abi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"

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

	Raw []byte // the EIP-2718 encoding, of which Data is a part

	ethereum atomic.Pointer[types.Transaction]
}

// Ethereum returns the transaction as go-ethereum has it. It is decoded when it is asked for first: most never are.
func (t *Transaction) Ethereum() *types.Transaction {
	if tx := t.ethereum.Load(); tx != nil {
		return tx
	}
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(t.Raw); err != nil {
		panic(fmt.Sprintf("transaction %s: go-ethereum does not decode what was accepted: %v", t.Hash, err)) // FuzzEnvelope
	}
	if !t.Deposit {
		// Whoever asks go-ethereum for the sender later (the JSON-RPC surface does, for whole blocks) need not recover it.
		_, _ = types.Sender(knownSender{types.LatestSignerForChainID(tx.ChainId()), t.From}, tx)
	}
	t.ethereum.Store(tx)
	return tx
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
// signature included. Deposits are accepted: whether one may stand at its place is the block's business. The bytes belong to
// the transaction then.
func Decode(raw []byte, chainID *big.Int) (*Transaction, error) {
	us, errs := Prepare([][]byte{raw}, chainID)
	if errs[0] != nil {
		return nil, errs[0]
	}
	return us[0].Verify()
}

// FromEthereum is Decode of a transaction that go-ethereum has made.
func FromEthereum(tx *types.Transaction, chainID *big.Int) (*Transaction, error) {
	raw, err := tx.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrUndecodable, err)
	}
	return Decode(raw, chainID)
}

// Unverified is a transaction of which everything is checked but the signature.
type Unverified struct {
	tx     Transaction
	to     common.Address
	digest common.Hash // what is signed
	sig    [crypto.SignatureLength]byte
}

// Deposit reports that it is a deposit, which nobody signs.
func (u *Unverified) Deposit() bool { return u.tx.Deposit }

// Hash is the transaction's hash.
func (u *Unverified) Hash() common.Hash { return u.tx.Hash }

// Prepare decodes, hashes and checks EIP-2718 encodings up to their signatures; for each there is an error or an Unverified, to
// which the bytes belong then. To prepare many at once costs less: hashes are computed several at a time.
func Prepare(raws [][]byte, chainID *big.Int) ([]*Unverified, []error) {
	us, errs, all := make([]*Unverified, len(raws)), make([]error, len(raws)), make([]Unverified, len(raws))
	h := hashings.Get().(*hashing)
	defer hashings.Put(h)
	h.reset()
	for i, raw := range raws {
		u := &all[i]
		var signed []byte
		if signed, errs[i] = u.prepare(raw, chainID); errs[i] != nil {
			continue
		}
		us[i] = u
		h.inputs = append(h.inputs, raw)
		if !u.tx.Deposit {
			from := len(h.buf)
			h.buf = appendSigned(h.buf, raw[0], signed)
			h.inputs = append(h.inputs, h.buf[from:])
		}
	}
	digests := h.hash()
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

// hashing has what it takes to hash many inputs together, to be used again.
type hashing struct {
	buf     []byte // for inputs that are nowhere else
	inputs  [][]byte
	digests []trie.Hash
}

var hashings = sync.Pool{New: func() any { return new(hashing) }}

func (h *hashing) reset() { h.buf, h.inputs = h.buf[:0], h.inputs[:0] }

// hash returns the inputs' digests, which are valid until it is called again, and forgets the inputs.
func (h *hashing) hash() []trie.Hash {
	h.digests = slices.Grow(h.digests[:0], len(h.inputs))[:len(h.inputs)]
	trie.HashMany(h.inputs, h.digests)
	clear(h.inputs)
	return h.digests
}

// prepare returns the encodings of the fields that are signed, for all but deposits.
func (u *Unverified) prepare(raw []byte, chainID *big.Int) (signed []byte, err error) {
	t := &u.tx
	t.Raw, t.Size = raw, len(raw)
	switch {
	case len(raw) == 0:
		return nil, fmt.Errorf("%w: no bytes", ErrUndecodable)
	case raw[0] == types.DepositTxType:
		return nil, u.prepareDeposit(chainID)
	case raw[0] != types.DynamicFeeTxType:
		return nil, ErrType
	case t.Size > MaxTransactionBytes:
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, t.Size, MaxTransactionBytes)
	}
	f, signed, err := splitFields(raw[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUndecodable, err)
	}
	t.Data = f[fieldData]
	if t.Nonce, err = toUint64(f[fieldNonce]); err != nil {
		return nil, fmt.Errorf("%w: nonce: %w", ErrUndecodable, err)
	}
	if t.GasLimit, err = toUint64(f[fieldGas]); err != nil {
		return nil, fmt.Errorf("%w: gas: %w", ErrUndecodable, err)
	}
	if !setUint(&t.Value, f[fieldValue]) {
		return nil, fmt.Errorf("%w: value", ErrFieldRange)
	}
	if t.Size < MinTransactionBytes {
		return nil, fmt.Errorf("%w: %d bytes, at least %d", ErrTooSmall, t.Size, MinTransactionBytes)
	}
	var buf [32]byte
	if chainID.BitLen() > 256 || !bytes.Equal(f[fieldChainID], bytes.TrimLeft(chainID.FillBytes(buf[:]), "\x00")) {
		return nil, fmt.Errorf("%w: chain id %v, this is %v", ErrChainID, new(big.Int).SetBytes(f[fieldChainID]), chainID)
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
	switch len(f[fieldTo]) {
	case 0:
	case common.AddressLength:
		u.to = common.Address(f[fieldTo])
		t.To = &u.to
	default:
		return nil, fmt.Errorf("%w: recipient of %d bytes", ErrUndecodable, len(f[fieldTo]))
	}
	if v, r, s := f[fieldV], f[fieldR], f[fieldS]; len(v) <= 1 && len(r) <= 32 && len(s) <= 32 {
		copy(u.sig[32-len(r):], r)
		copy(u.sig[64-len(s):], s)
		copy(u.sig[64:], v)
	} // else it stays zero, which is no signature
	return signed, nil
}

func (u *Unverified) prepareDeposit(chainID *big.Int) error {
	t, inner := &u.tx, new(types.Transaction)
	if err := inner.UnmarshalBinary(t.Raw); err != nil {
		return fmt.Errorf("%w: %v", ErrUndecodable, err)
	}
	t.Nonce, t.GasLimit, t.To, t.Data, t.Deposit = inner.Nonce(), inner.Gas(), inner.To(), inner.Data(), true
	if t.Value.SetFromBig(inner.Value()) {
		return fmt.Errorf("%w: value", ErrFieldRange)
	}
	if m := inner.Mint(); m != nil && t.Mint.SetFromBig(m) {
		return fmt.Errorf("%w: mint", ErrFieldRange)
	}
	from, err := types.Sender(types.LatestSignerForChainID(chainID), inner) // it is named in it
	if err != nil {
		return fmt.Errorf("%w: %v", ErrUndecodable, err)
	}
	t.From = from
	t.ethereum.Store(inner)
	return nil
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

// bytesFields are the fields that are no numbers: zeros may stand in front.
const bytesFields = 1<<fieldTo | 1<<fieldData | 1<<fieldAccessList

var (
	errFieldKind  = errors.New("a list where bytes belong, or the other way round")
	errFieldCount = errors.New("not the twelve fields of an EIP-1559 transaction")
	errNumber     = errors.New("a number begins with zeros")
)

// splitFields returns the contents of an EIP-1559 transaction's fields, and the encodings of those that are signed. It accepts
// what go-ethereum does, but does not look into an access list.
func splitFields(list []byte) (f [fields][]byte, signed []byte, err error) {
	content, rest, err := rlp.SplitList(list)
	if err != nil {
		return f, nil, err
	}
	if len(rest) > 0 {
		return f, nil, errFieldCount
	}
	rest = content
	for i := range f {
		kind, field, after, err := rlp.Split(rest)
		switch {
		case err != nil && len(rest) == 0:
			return f, nil, errFieldCount
		case err != nil:
			return f, nil, err
		case (kind == rlp.List) != (i == fieldAccessList):
			return f, nil, errFieldKind
		case bytesFields>>i&1 == 0 && len(field) > 0 && field[0] == 0:
			return f, nil, errNumber
		}
		f[i], rest = field, after
		if i == fieldAccessList {
			signed = content[:len(content)-len(rest)]
		}
	}
	if len(rest) > 0 {
		return f, nil, errFieldCount
	}
	return f, signed, nil
}

func toUint64(b []byte) (v uint64, err error) {
	if len(b) > 8 {
		return 0, errors.New("more than 64 bits")
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

// Verify recovers the sender. Called once.
func (u *Unverified) Verify() (*Transaction, error) {
	txs, errs := VerifyMany([]*Unverified{u})
	return txs[0], errs[0]
}

// VerifyMany is Verify of many, of which some may be nil. It costs less: addresses are hashed several at a time.
func VerifyMany(us []*Unverified) ([]*Transaction, []error) {
	txs, errs := make([]*Transaction, len(us)), make([]error, len(us))
	h := hashings.Get().(*hashing)
	defer hashings.Put(h)
	h.reset()
	for i, u := range us {
		if u == nil {
			continue
		}
		if !u.tx.Deposit {
			var key []byte
			if key, errs[i] = u.recoverKey(); errs[i] != nil {
				continue
			}
			h.inputs = append(h.inputs, key)
		}
		txs[i] = &u.tx
	}
	hashes := h.hash()
	for _, tx := range txs {
		if tx != nil && !tx.Deposit {
			tx.From, hashes = common.Address(hashes[0][12:]), hashes[1:]
		}
	}
	return txs, errs
}

// knownSender fills the sender cache of a go-ethereum transaction with what has been recovered already.
type knownSender struct {
	types.Signer
	from common.Address
}

func (s knownSender) Sender(*types.Transaction) (common.Address, error) { return s.from, nil }

// recoverKey is the secp256k1 recovery of EIP-1559 transactions, with the low-s rule of EIP-2. The sender is the end of the
// key's hash.
func (u *Unverified) recoverKey() ([]byte, error) {
	var r, s uint256.Int
	r.SetBytes32(u.sig[:32])
	s.SetBytes32(u.sig[32:64])
	if u.sig[64] > 1 || r.IsZero() || s.IsZero() || !r.Lt(groupOrder) || s.Gt(halfOrder) {
		return nil, fmt.Errorf("%w: r, s or v out of range (unsigned?)", ErrSignature)
	}
	pub, err := crypto.Ecrecover(u.digest[:], u.sig[:])
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrSignature, err)
	}
	return pub[1:], nil
}

// groupOrder of secp256k1, and half of it, rounded down.
var (
	groupOrder = uint256.MustFromBig(crypto.S256().Params().N)
	halfOrder  = new(uint256.Int).Rsh(groupOrder, 1)
)
