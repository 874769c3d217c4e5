package state

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/agnt2/agnt2/agnt2/vm"
)

// In the database a record is packed: of each of its words of 32 bytes, most of which are small numbers, the leading zeros
// are left out. That is two to three times less to write, and to write again whenever tables are merged.
//
//	length mod 32 ‖ for each word: n (0 … 32) ‖ its last n bytes ‖ the rest, as it is

// wordBytes is the size of a record's words.
const wordBytes = 32

// appendPacked appends the packed form of a record.
func appendPacked(dst, v []byte) []byte {
	dst = append(dst, byte(len(v)%wordBytes))
	for ; len(v) >= wordBytes; v = v[wordBytes:] {
		n := significant((*[wordBytes]byte)(v))
		dst = append(append(dst, byte(n)), v[wordBytes-n:wordBytes]...)
	}
	return append(dst, v...)
}

// significant is how many bytes of a word are left without its leading zeros.
func significant(w *[wordBytes]byte) int {
	for at := 0; at < wordBytes; at += 8 {
		if x := binary.BigEndian.Uint64(w[at:]); x != 0 {
			return wordBytes - at - bits.LeadingZeros64(x)/8
		}
	}
	return 0
}

// appendUnpacked appends the record of which p is the packed form.
func appendUnpacked(dst, p []byte) ([]byte, error) {
	bad := func() ([]byte, error) { return dst, fmt.Errorf("%w: packed record of %d bytes", ErrCorrupt, len(p)) }
	if len(p) == 0 || int(p[0]) > min(len(p)-1, wordBytes-1) {
		return bad()
	}
	rest := p[len(p)-int(p[0]):]
	var zeros [wordBytes]byte
	for at, end := 1, len(p)-len(rest); at < end; {
		n := int(p[at])
		at++
		if n > wordBytes || at+n > end {
			return bad()
		}
		dst = append(append(dst, zeros[:wordBytes-n]...), p[at:at+n]...)
		at += n
	}
	return append(dst, rest...), nil
}

// packedRoom is what most records need on average.
const packedRoom = 128

// pack appends the new records of the next changes.
func (b *Block) pack(changes []vm.Change) {
	for i := range changes {
		if v := changes[i].New; v != nil {
			b.packed = appendPacked(b.packed, v)
		}
		b.ends = append(b.ends, uint32(len(b.packed)))
	}
}
