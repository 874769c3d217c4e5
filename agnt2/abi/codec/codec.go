// Package codec is the runtime of the generated ABI bindings: canonical encoding, and decoding that accepts nothing but
// the canonical encoding, so that the Go engine and the Solidity step verifier can never read the same bytes differently.
// Source of the format: the Solidity Contract ABI Specification, in its strict form.
package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

// ErrNotCanonical is returned for bytes that are not the one canonical ABI encoding of their type: an offset that does
// not point to the next free tail position, non-zero padding, a value outside its type's range, missing or spare bytes.
// Canonical means that decoding and encoding again gives the same bytes, so a signature covers one meaning only.
var ErrNotCanonical = errors.New("not canonical ABI encoding")

// wordSize is the ABI's unit in bytes.
const wordSize = 32

// Padded rounds n up to whole words.
func Padded(n int) int { return (n + wordSize - 1) / wordSize * wordSize }

// PutUint64 writes v as a word.
func PutUint64(b []byte, v uint64) {
	clear(b[:24])
	binary.BigEndian.PutUint64(b[24:32], v)
}

// PutUint256 writes v as a word.
func PutUint256(b []byte, v *uint256.Int) { v.WriteToArray32((*[32]byte)(b[:32])) }

// PutAddress writes v left-padded to a word.
func PutAddress(b []byte, v common.Address) {
	_ = b[:32]
	clear(b[:12])
	*(*common.Address)(b[12:]) = v
}

// PutBool writes v as a word.
func PutBool(b []byte, v bool) {
	if v {
		PutUint64(b, 1)
	} else {
		PutUint64(b, 0)
	}
}

// PutBytes writes length, content and zero padding and returns the bytes used.
func PutBytes[T ~string | ~[]byte](b []byte, v T) int {
	PutUint64(b, uint64(len(v)))
	n := Padded(len(v))
	copy(b[wordSize:], v)
	clear(b[wordSize+len(v) : wordSize+n])
	return wordSize + n
}

// word returns the word at offset at, nil if there is none. The errors are made elsewhere, so that the way past them is short.
func word(b []byte, at int) *[wordSize]byte {
	if at < 0 || len(b)-at < wordSize {
		return nil
	}
	return (*[wordSize]byte)(b[at:])
}

//go:noinline
func errShort(b []byte, at int) error {
	return fmt.Errorf("%w: %d bytes, need a word at %d", ErrNotCanonical, len(b), at)
}

//go:noinline
func errRange(at int, bits uint) error {
	return fmt.Errorf("%w: number at %d exceeds uint%d", ErrNotCanonical, at, bits)
}

// GetUint reads an unsigned integer of at most 64 bits.
func GetUint(b []byte, at int, bits uint) (uint64, error) {
	w := word(b, at)
	if w == nil {
		return 0, errShort(b, at)
	}
	hi := binary.BigEndian.Uint64(w[0:8]) | binary.BigEndian.Uint64(w[8:16]) | binary.BigEndian.Uint64(w[16:24])
	v := binary.BigEndian.Uint64(w[24:32])
	if hi|v>>bits != 0 { // a shift by 64 leaves nothing
		return 0, errRange(at, bits)
	}
	return v, nil
}

// GetUint256 reads an unsigned integer of at most 256 bits.
func GetUint256(b []byte, at int, bits uint) (v uint256.Int, err error) {
	w := word(b, at)
	if w == nil {
		return v, errShort(b, at)
	}
	v = uint256.Int{
		binary.BigEndian.Uint64(w[24:]), binary.BigEndian.Uint64(w[16:]), binary.BigEndian.Uint64(w[8:]), binary.BigEndian.Uint64(w[0:]),
	}
	if bits < 256 && uint(v.BitLen()) > bits {
		return v, errRange(at, bits)
	}
	return v, nil
}

// GetAddress reads an address.
func GetAddress(b []byte, at int) (v common.Address, err error) {
	w := word(b, at)
	if w == nil {
		return v, errShort(b, at)
	}
	if binary.BigEndian.Uint64(w[0:8]) != 0 || binary.BigEndian.Uint32(w[8:12]) != 0 {
		return v, fmt.Errorf("%w: address at %d has high bytes", ErrNotCanonical, at)
	}
	return common.Address(w[12:]), nil
}

// GetHash reads a bytes32.
func GetHash(b []byte, at int) (v common.Hash, err error) {
	w := word(b, at)
	if w == nil {
		return v, errShort(b, at)
	}
	return *w, nil
}

// GetBytes4 reads a bytes4.
func GetBytes4(b []byte, at int) (v [4]byte, err error) {
	w := word(b, at)
	if w == nil {
		return v, errShort(b, at)
	}
	for _, c := range w[4:] {
		if c != 0 {
			return v, fmt.Errorf("%w: bytes4 at %d has low bytes", ErrNotCanonical, at)
		}
	}
	return [4]byte(w[:]), nil
}

// GetBool reads a bool.
func GetBool(b []byte, at int) (bool, error) {
	v, err := GetUint(b, at, 1)
	return v == 1, err
}

// GetOffset checks that the head word at `at` points to want, the next free tail position.
func GetOffset(b []byte, at, want int) error {
	v, err := GetUint(b, at, 64)
	if err != nil {
		return err
	}
	if v != uint64(want) {
		return fmt.Errorf("%w: offset %d at %d, canonical is %d", ErrNotCanonical, v, at, want)
	}
	return nil
}

// GetBytes reads length, content and padding at b[0:] and returns the content (aliasing b) and the bytes used.
func GetBytes(b []byte) ([]byte, int, error) {
	n, err := GetUint(b, 0, 64)
	if err != nil {
		return nil, 0, err
	}
	if n > uint64(len(b)-wordSize) || Padded(int(n)) > len(b)-wordSize {
		return nil, 0, fmt.Errorf("%w: %d bytes announced, %d left", ErrNotCanonical, n, len(b)-wordSize)
	}
	end := wordSize + Padded(int(n))
	for _, c := range b[wordSize+int(n) : end] {
		if c != 0 {
			return nil, 0, fmt.Errorf("%w: non-zero padding", ErrNotCanonical)
		}
	}
	return b[wordSize : wordSize+int(n)], end, nil
}

// GetCount reads an array length whose elements take at least minSize bytes each.
func GetCount(b []byte, minSize int) (int, error) {
	n, err := GetUint(b, 0, 64)
	if err != nil {
		return 0, err
	}
	if n > uint64((len(b)-wordSize)/minSize) {
		return 0, fmt.Errorf("%w: %d elements announced, %d bytes left", ErrNotCanonical, n, len(b)-wordSize)
	}
	return int(n), nil
}

// Topic is an indexed number as a log has it.
func Topic(v uint64) (topic common.Hash) {
	PutUint64(topic[:], v)
	return topic
}

// Whole checks that all bytes were used.
func Whole(b []byte, used int) error {
	if used != len(b) {
		return fmt.Errorf("%w: %d spare bytes", ErrNotCanonical, len(b)-used)
	}
	return nil
}
