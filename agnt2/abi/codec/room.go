package codec

import "sync"

// Records are small, many, and nearly all live as long as their block. So they are cut from common pieces: that spares the
// allocator a call and the garbage collector an object for each.

const (
	// pieceBytes is what may stay in memory because of one record that somebody keeps.
	pieceBytes = 64 << 10
	// largestRoom is the largest record that is cut from a piece.
	largestRoom = pieceBytes / 64
)

var pieces = sync.Pool{New: func() any { return new([]byte) }}

// Room returns n zero bytes, of which nobody else holds any. Their capacity is n.
func Room(n int) []byte {
	if n > largestRoom {
		return make([]byte, n)
	}
	p := pieces.Get().(*[]byte)
	if len(*p) < n {
		*p = make([]byte, pieceBytes)
	}
	b := (*p)[:n:n]
	*p = (*p)[n:]
	pieces.Put(p)
	return b
}
