package codec

import (
	"bytes"
	"fmt"
	"math/big"
)

// Int128 is a signed integer of 128 bits: sixteen bytes, big-endian, two's complement.
type Int128 [int128Size]byte

const int128Size = 16

// NewInt128 returns v.
func NewInt128(v int64) (x Int128) {
	x, _ = Int128FromBig(big.NewInt(v))
	return x
}

// Int128FromBig returns v; ok is false if it does not fit.
func Int128FromBig(v *big.Int) (x Int128, ok bool) {
	if v.BitLen() > 127 { // -2^127 has one more, and is of no use
		return x, false
	}
	w := v
	if v.Sign() < 0 {
		w = new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	w.FillBytes(x[:])
	return x, true
}

// Big returns the number.
func (x Int128) Big() *big.Int {
	v := new(big.Int).SetBytes(x[:])
	if x.negative() {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return v
}

func (x Int128) String() string { return x.Big().String() }

func (x Int128) negative() bool { return x[0]&0x80 != 0 }

// extension are the high bytes of the word that has the number.
func (x Int128) extension() (high [wordSize - int128Size]byte) {
	if x.negative() {
		for i := range high {
			high[i] = 0xff
		}
	}
	return high
}

// PutInt128 writes v as a word.
func PutInt128(b []byte, v Int128) {
	_ = b[:wordSize]
	high := v.extension()
	copy(b, high[:])
	copy(b[len(high):], v[:])
}

// GetInt128 reads a signed integer of 128 bits.
func GetInt128(b []byte, at int) (v Int128, err error) {
	w := word(b, at)
	if w == nil {
		return v, errShort(b, at)
	}
	copy(v[:], w[wordSize-int128Size:])
	if high := v.extension(); !bytes.Equal(high[:], w[:len(high)]) {
		return v, fmt.Errorf("%w: number at %d exceeds int128", ErrNotCanonical, at)
	}
	return v, nil
}
