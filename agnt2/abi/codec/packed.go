package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/holiman/uint256"
)

// The packed form of structs, in which witnesses carry them: agnt2/abi/gen says what it is and generates what calls these.

// ErrPacked is returned for bytes that are not the packed form of a struct.
var ErrPacked = errors.New("not a packed struct")

// AppendPackedNumber writes the low bytes of v.
func AppendPackedNumber(b []byte, v *uint256.Int, width int) []byte {
	w := v.Bytes32()
	return append(b, w[32-width:]...)
}

// AppendPackedBool writes one byte, 0 or 1.
func AppendPackedBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendPackedBytes panics above 65,535 bytes: no struct that obeys its field limits comes near.
func AppendPackedBytes[T ~string | ~[]byte](b []byte, v T) []byte {
	return append(AppendPackedCount(b, len(v)), v...)
}

// AppendPackedCount writes a length in two bytes; it panics above 65,535.
func AppendPackedCount(b []byte, n int) []byte {
	if n > 0xffff {
		panic("packed form: length above 65535")
	}
	return binary.BigEndian.AppendUint16(b, uint16(n))
}

// GetPackedBytes returns a copy and what follows it.
func GetPackedBytes(b []byte) (v, rest []byte, err error) {
	n, b, err := GetPackedCount(b, 1)
	if err != nil {
		return nil, nil, err
	}
	if n > 0 {
		v = bytes.Clone(b[:n])
	}
	return v, b[n:], nil
}

// GetPackedCount reads the length of something whose elements take at least size bytes each.
func GetPackedCount(b []byte, size int) (n int, rest []byte, err error) {
	if err = NeedPacked(b, 2); err != nil {
		return 0, nil, err
	}
	n = int(binary.BigEndian.Uint16(b))
	return n, b[2:], NeedPacked(b[2:], n*size)
}

// GetPackedBool reads what AppendPackedBool writes.
func GetPackedBool(v byte) (bool, error) {
	if v > 1 {
		return false, fmt.Errorf("%w: bool is %d", ErrPacked, v)
	}
	return v == 1, nil
}

// AppendPackedWide writes a number without leading zero bytes behind its length.
func AppendPackedWide(b []byte, v *uint256.Int) []byte {
	return append(append(b, byte(v.ByteLen())), v.Bytes()...)
}

// AppendPackedLong writes a number without leading zero bytes behind its length.
func AppendPackedLong(b []byte, v uint64) []byte {
	var w [8]byte
	binary.BigEndian.PutUint64(w[:], v)
	n := 8
	for n > 0 && w[8-n] == 0 {
		n--
	}
	return append(append(b, byte(n)), w[8-n:]...)
}

// GetPackedLong reads a number of up to eight bytes and returns what follows it
func GetPackedLong(b []byte) (v uint64, rest []byte, err error) {
	if err := NeedPacked(b, 1); err != nil {
		return 0, nil, err
	}
	n := int(b[0])
	b = b[1:]
	if err := NeedPacked(b, n); err != nil {
		return 0, nil, err
	}
	if n == 0 || n > 8 || b[0] == 0 {
		return 0, nil, ErrPackedZero()
	}
	for _, c := range b[:n] {
		v = v<<8 | uint64(c)
	}
	return v, b[n:], nil
}

// GetPackedWide reads a number; most is the number of bytes that its type has
func GetPackedWide(b []byte, v *uint256.Int, most int) ([]byte, error) {
	if err := NeedPacked(b, 1); err != nil {
		return nil, err
	}
	n := int(b[0])
	b = b[1:]
	if err := NeedPacked(b, n); err != nil {
		return nil, err
	}
	if n == 0 || n > most || b[0] == 0 {
		return nil, ErrPackedZero()
	}
	v.SetBytes(b[:n])
	return b[n:], nil
}

// ErrPackedZero is the ErrPacked of a sparse struct.
func ErrPackedZero() error {
	return fmt.Errorf("%w: a zero that is marked as there, or a bit too many", ErrPacked)
}

// NeedPacked is ErrPacked if b has fewer than n bytes.
func NeedPacked(b []byte, n int) error {
	if len(b) < n {
		return fmt.Errorf("%w: %d bytes, need %d", ErrPacked, len(b), n)
	}
	return nil
}
