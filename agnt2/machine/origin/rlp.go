package origin

import (
	"errors"
	"fmt"
)

// ErrMalformedRLP reports bytes that are not the canonical RLP of what is expected there. L1 cannot commit to such bytes, so it means
// a wrong witness.
var ErrMalformedRLP = errors.New("origin: malformed RLP")

// item is an RLP item's place: its content is [start, end). The content may lie beyond the bytes at hand.
type item struct {
	list       bool
	start, end uint64
}

// readItem reads the header of the item at b[at:], which must be canonical and end at limit or before. Of the content it
// reads at most one byte.
func readItem(b []byte, at, limit uint64) (it item, err error) {
	byteAt := func(i uint64) uint64 {
		if i >= uint64(len(b)) {
			err = fmt.Errorf("%w: header at %d ends outside", ErrMalformedRLP, at)
			return 0
		}
		return uint64(b[i])
	}
	tag := byteAt(at)
	if err != nil {
		return item{}, err
	}
	if tag < 0x80 {
		it = item{start: at, end: at + 1}
	} else {
		it.list = tag >= 0xc0
		size := tag & 0x3f
		it.start = at + 1
		if size > 55 {
			// Four bytes of length are more than any L1 block can fill.
			lengthBytes := size - 55
			if lengthBytes > 4 {
				return item{}, fmt.Errorf("%w: length of %d bytes at %d", ErrMalformedRLP, lengthBytes, at)
			}
			size = 0
			for i := range lengthBytes {
				size = size<<8 | byteAt(it.start+i)
			}
			if size <= 55 || size>>(8*(lengthBytes-1)) == 0 {
				return item{}, fmt.Errorf("%w: length not minimal at %d", ErrMalformedRLP, at)
			}
			it.start += lengthBytes
		} else if tag == 0x81 && byteAt(it.start) < 0x80 {
			return item{}, fmt.Errorf("%w: single byte with a header at %d", ErrMalformedRLP, at)
		}
		it.end = it.start + size
	}
	if err == nil && it.end > limit {
		err = fmt.Errorf("%w: item at %d ends behind %d", ErrMalformedRLP, at, limit)
	}
	return it, err
}

// readString is readItem for a string.
func readString(b []byte, at, limit uint64) (item, error) {
	it, err := readItem(b, at, limit)
	if err == nil && it.list {
		err = fmt.Errorf("%w: list instead of a string at %d", ErrMalformedRLP, at)
	}
	return it, err
}

// readList is readItem for a list.
func readList(b []byte, at, limit uint64) (item, error) {
	it, err := readItem(b, at, limit)
	if err == nil && !it.list {
		err = fmt.Errorf("%w: string instead of a list at %d", ErrMalformedRLP, at)
	}
	return it, err
}

// readFixed is readString for a string of a known size, all of it at hand.
func readFixed(b []byte, at, limit, size uint64) ([]byte, uint64, error) {
	it, err := readString(b, at, limit)
	if err != nil {
		return nil, 0, err
	}
	if it.end-it.start != size || it.end > uint64(len(b)) {
		return nil, 0, fmt.Errorf("%w: no string of %d bytes at %d", ErrMalformedRLP, size, at)
	}
	return b[it.start:it.end], it.end, nil
}

// appendHeader appends the header of a string (base 0x80) or list (base 0xc0) of size bytes.
func appendHeader(b []byte, base byte, size int) []byte {
	if size <= 55 {
		return append(b, base+byte(size))
	}
	var n int
	for v := size; v > 0; v >>= 8 {
		n++
	}
	b = append(b, base+55+byte(n))
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(size>>(8*i)))
	}
	return b
}

// appendUint appends a big-endian number as RLP's integers are written, without leading zeros.
func appendUint(b, number []byte) []byte {
	for len(number) > 0 && number[0] == 0 {
		number = number[1:]
	}
	return appendString(b, number)
}

func appendString(b, s []byte) []byte {
	if len(s) == 1 && s[0] < 0x80 {
		return append(b, s[0])
	}
	return append(appendHeader(b, 0x80, len(s)), s...)
}
