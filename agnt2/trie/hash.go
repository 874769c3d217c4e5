package trie

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/cloudflare/circl/simd/keccakf1600"
	"github.com/ethereum/go-ethereum/crypto"
)

// Key addresses a record. Bit i of its path is bit 7-i%8 of byte i/8.
type Key = [32]byte

// Hash is a keccak256 digest; the zero value stands for the empty subtree.
type Hash = [32]byte

const (
	tagLeaf  = 0x00
	tagInner = 0x01

	rate      = 136 // bytes absorbed by one permutation of keccak256
	rateWords = rate / 8
	width     = 4 // lanes of the parallel permutation
)

// haveX4 is false where the four-lane permutation would be emulated, which is slower than one lane at a time.
var haveX4 = keccakf1600.IsEnabledX4()

// oneLane hashes without allocating: its buffers live beside the sponge, so nothing escapes per call.
type oneLane struct {
	sponge crypto.KeccakState
	buf    [65]byte
	out    Hash
}

func newOneLane() *oneLane { return &oneLane{sponge: crypto.NewKeccakState()} }

func (o *oneLane) sum(b []byte) Hash {
	o.sponge.Reset()
	o.sponge.Write(b)
	o.sponge.Read(o.out[:])
	return o.out
}

var oneLanes = sync.Pool{New: func() any { return newOneLane() }}

// HashRecord is keccak256 of a record's bytes, the value hash that the trie commits to.
func HashRecord(record []byte) Hash {
	o := oneLanes.Get().(*oneLane)
	h := o.sum(record)
	oneLanes.Put(o)
	return h
}

// LeafHash is the hash of a subtree that holds only this key.
func LeafHash(key Key, valueHash Hash) Hash { return hashTagged(tagLeaf, key, valueHash) }

// InnerHash is the hash of a subtree with two leaves or more.
func InnerHash(left, right Hash) Hash { return hashTagged(tagInner, left, right) }

func hashTagged(tag byte, a, b [32]byte) Hash {
	o := oneLanes.Get().(*oneLane)
	o.buf[0] = tag
	copy(o.buf[1:], a[:])
	copy(o.buf[33:], b[:])
	h := o.sum(o.buf[:])
	oneLanes.Put(o)
	return h
}

// Hasher computes many keccak256 digests, four at a time where the processor can. It reuses its buffers and is not safe
// for concurrent use. The zero value is not usable: see NewHasher.
type Hasher struct {
	x4    keccakf1600.StateX4 // must not move after Initialize, so a Hasher is always behind a pointer
	words *[25 * width]uint64 // word w of lane j at [w*width+j]
	one   *oneLane

	// Queue of tagged 65-byte preimages.
	n   int
	tag [width]byte
	in  [width]*[64]byte
	out [width]*Hash
	tmp [width][64]byte // preimages that exist nowhere else: chain steps

	order []uint64 // HashMany: blocks<<32 | input
	last  [rate]byte
}

// NewHasher returns a Hasher with its buffers in place.
func NewHasher() *Hasher {
	h := &Hasher{one: newOneLane()}
	h.words = (*[25 * width]uint64)(h.x4.Initialize(false))
	return h
}

// addTagged queues *out = keccak256(tag ‖ in). The input is read and the output written at the latest by flush; an
// input must not be the output of another entry queued since the last flush.
func (h *Hasher) addTagged(tag byte, in *[64]byte, out *Hash) {
	h.tag[h.n], h.in[h.n], h.out[h.n] = tag, in, out
	if h.n++; h.n == width {
		h.flush()
	}
}

// addChain queues *acc = the inner node whose bit side is *acc and whose other side is empty.
func (h *Hasher) addChain(bit int, acc *Hash) {
	t := &h.tmp[h.n]
	clear(t[:])
	copy(t[bit*32:], acc[:])
	h.addTagged(tagInner, t, acc)
}

func (h *Hasher) flush() {
	n := h.n
	h.n = 0
	if n < 2 || !haveX4 {
		for j := range n {
			h.one.buf[0] = h.tag[j]
			copy(h.one.buf[1:], h.in[j][:])
			*h.out[j] = h.one.sum(h.one.buf[:])
		}
		return
	}
	for j := n; j < width; j++ { // a lane nobody reads
		h.tag[j], h.in[j] = h.tag[0], h.in[0]
	}
	h.absorbTagged()
	h.x4.Permute()
	if n == width {
		h.squeezeAll()
		return
	}
	for j := range n {
		h.squeeze(j, h.out[j])
	}
}

// absorbTagged sets the state to the four queued preimages. 65 bytes and their padding fill words 0 to 8 and the top bit
// of word 16; the rest is zero. The tag shifts the 64 bytes by one, so words are read at 8w-1.
func (h *Hasher) absorbTagged() {
	a, le := h.words, binary.LittleEndian
	i0, i1, i2, i3 := h.in[0], h.in[1], h.in[2], h.in[3]
	a[0] = le.Uint64(i0[0:])<<8 | uint64(h.tag[0])
	a[1] = le.Uint64(i1[0:])<<8 | uint64(h.tag[1])
	a[2] = le.Uint64(i2[0:])<<8 | uint64(h.tag[2])
	a[3] = le.Uint64(i3[0:])<<8 | uint64(h.tag[3])
	for w := 1; w < 8; w++ {
		at, to := (8*w-1)&63, (*[width]uint64)(a[w*width:])
		to[0] = le.Uint64(i0[at:])
		to[1] = le.Uint64(i1[at:])
		to[2] = le.Uint64(i2[at:])
		to[3] = le.Uint64(i3[at:])
	}
	const pad = 0x01 << 8
	a[32], a[33], a[34], a[35] = uint64(i0[63])|pad, uint64(i1[63])|pad, uint64(i2[63])|pad, uint64(i3[63])|pad
	clear(a[9*width:])
	const end = 1 << 63
	a[64], a[65], a[66], a[67] = end, end, end, end
}

// squeezeAll writes the four queued outputs.
func (h *Hasher) squeezeAll() {
	a, le := h.words, binary.LittleEndian
	o0, o1, o2, o3 := h.out[0], h.out[1], h.out[2], h.out[3]
	for w := range 4 {
		from := (*[width]uint64)(a[w*width:])
		le.PutUint64(o0[8*w:], from[0])
		le.PutUint64(o1[8*w:], from[1])
		le.PutUint64(o2[8*w:], from[2])
		le.PutUint64(o3[8*w:], from[3])
	}
}

func (h *Hasher) squeeze(lane int, out *Hash) {
	for w := range 4 {
		binary.LittleEndian.PutUint64(out[8*w:], h.words[w*width+lane])
	}
}

// HashMany sets out[i] to keccak256(inputs[i]) for every i; len(out) must be at least len(inputs). Inputs may differ in
// length: they are taken in order of length, so that lanes of one group finish together or nearly so.
func (h *Hasher) HashMany(inputs [][]byte, out []Hash) {
	out = out[:len(inputs)]
	if !haveX4 {
		for i, in := range inputs {
			out[i] = h.one.sum(in)
		}
		return
	}
	h.order = h.order[:0]
	for i, in := range inputs {
		h.order = append(h.order, uint64(len(in)/rate+1)<<32|uint64(i))
	}
	slices.Sort(h.order)
	rest := h.order
	for ; len(rest) >= 2; rest = rest[min(width, len(rest)):] {
		h.group(rest[:min(width, len(rest))], inputs, out)
	}
	if len(rest) == 1 {
		i := uint32(rest[0])
		out[i] = h.one.sum(inputs[i])
	}
}

// group hashes up to four inputs, ordered by their number of blocks. A lane that is done early keeps permuting what
// nobody reads.
func (h *Hasher) group(group []uint64, inputs [][]byte, out []Hash) {
	clear(h.words[:])
	blocks := int(group[len(group)-1] >> 32)
	for b := range blocks {
		for j, g := range group {
			in, own := inputs[uint32(g)], int(g>>32)
			switch {
			case b < own-1:
				h.absorb(j, (*[rate]byte)(in[b*rate:]))
			case b == own-1:
				n := copy(h.last[:], in[b*rate:])
				clear(h.last[n:])
				h.last[n] = 0x01 // legacy keccak padding, not SHA-3's
				h.last[rate-1] |= 0x80
				h.absorb(j, &h.last)
			}
		}
		h.x4.Permute()
		for j, g := range group {
			if int(g>>32) == b+1 {
				h.squeeze(j, &out[uint32(g)])
			}
		}
	}
}

func (h *Hasher) absorb(lane int, block *[rate]byte) {
	for w := range rateWords {
		h.words[w*width+lane] ^= binary.LittleEndian.Uint64(block[8*w:])
	}
}

var hashers = sync.Pool{New: func() any { return NewHasher() }}

// HashMany is Hasher.HashMany on a pooled Hasher; safe for concurrent use.
func HashMany(inputs [][]byte, out []Hash) {
	h := hashers.Get().(*Hasher)
	h.HashMany(inputs, out)
	hashers.Put(h)
}
