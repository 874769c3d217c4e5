package machine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// ErrWitness reports a witness that does not prove what the micro-step needs.
var ErrWitness = errors.New("machine: witness")

// reader takes a witness apart. The first error sticks; whatever is read after it is empty.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{ErrWitness}, a...)...)
	}
	r.b = nil
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.b) {
		r.fail("%d bytes missing", n-len(r.b))
		return make([]byte, min(n, 64))
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint8() uint8      { return r.take(1)[0] }
func (r *reader) uint16() int       { return int(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) uint32() int       { return int(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) uint64() uint64    { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) hash() common.Hash { return common.Hash(r.take(32)) }

// bytes reads a string behind a length of four bytes.
func (r *reader) bytes() []byte { return r.take(r.uint32()) }

// nodes reads a list: a count of one byte, every element behind a length of two bytes.
func (r *reader) nodes() [][]byte {
	out := make([][]byte, r.uint8())
	for i := range out {
		out[i] = r.take(r.uint16())
	}
	return out
}

// rest takes all that is left.
func (r *reader) rest() []byte { return r.take(len(r.b)) }

// done reports the first error, or that something is left.
func (r *reader) done() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	return r.err
}

// packed is a frame or record that a witness carries packed.
type packed[T any] interface {
	*T
	Encode() []byte
	AppendPacked([]byte) []byte
}

// open reads a packed frame that must have the committed hash.
func open[T any, P packed[T]](r *reader, want common.Hash, unpack func([]byte) (T, []byte, error)) (x T) {
	if r.err != nil {
		return x
	}
	v, rest, err := unpack(r.b)
	if err != nil {
		r.fail("%v", err)
		return x
	}
	if commit[T, P](&v) != want {
		r.fail("%T is not the committed one", v)
		return x
	}
	r.b = rest
	return v
}

// commit is the hash by which a state holds a frame.
func commit[T any, P packed[T]](x *T) common.Hash { return crypto.Keccak256Hash(P(x).Encode()) }

func appendBytes(w, b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(w, uint32(len(b))), b...)
}

func appendNodes(w []byte, nodes [][]byte) []byte {
	w = append(w, byte(len(nodes)))
	for _, n := range nodes {
		w = append(binary.BigEndian.AppendUint16(w, uint16(len(n))), n...)
	}
	return w
}
