package trie

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/cloudflare/circl/simd/keccakf1600"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/trie/lanes"
)

// Key addresses a record. Bit i of its path is bit 7-i%8 of byte i/8.
type Key = [32]byte

// Hash is a keccak256 digest; the zero value stands for the empty subtree.
type Hash = [32]byte

const (
	tagLeaf  = 0x00
	tagInner = 0x01

	rate      = lanes.Rate // bytes absorbed by one permutation of keccak256
	rateWords = rate / 8
)

// width is how many digests are computed side by side: as many as the processor does best.
type width int

const (
	one   width = 1 // where a wider permutation would be emulated, which is slower
	four  width = 4 // AVX2
	eight width = 8 // AVX-512
)

// wide is this processor's width; tests lower it.
var wide = widest()

func widest() width {
	switch {
	case lanes.Available():
		return eight
	case keccakf1600.IsEnabledX4():
		return four
	}
	return one
}

// oneLane hashes without allocating: its buffers live beside the sponge, so nothing escapes per call.
type oneLane struct {
	sponge crypto.KeccakState
	buf    [rate]byte
	out    Hash
}

func newOneLane() *oneLane { return &oneLane{sponge: crypto.NewKeccakState()} }

// sum goes through the buffer, because for all that the compiler knows the sponge keeps what it is given, and then the
// caller's bytes would have to be on the heap.
func (o *oneLane) sum(b []byte) Hash {
	o.sponge.Reset()
	for len(b) > 0 {
		n := copy(o.buf[:], b)
		o.sponge.Write(o.buf[:n])
		b = b[n:]
	}
	o.sponge.Read(o.out[:])
	return o.out
}

// sumTagged is sum(tag ‖ a ‖ b).
func (o *oneLane) sumTagged(tag byte, a, b []byte) Hash {
	o.sponge.Reset()
	o.buf[0] = tag
	n := 1 + copy(o.buf[1:], a)
	n += copy(o.buf[n:], b)
	o.sponge.Write(o.buf[:n])
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
	h := o.sumTagged(tag, a[:], b[:])
	oneLanes.Put(o)
	return h
}

// Hasher computes many keccak256 digests, eight or four at a time where the processor can. It reuses its buffers and is not
// safe for concurrent use. The zero value is not usable: see NewHasher.
type Hasher struct {
	x4    keccakf1600.StateX4 // must not move after Initialize, so a Hasher is always behind a pointer
	words *[25 * four]uint64  // word w of lane j at [w*four+j]
	state lanes.State
	one   *oneLane

	// Queue of tagged 65-byte preimages.
	n   int
	tag [lanes.Most]uint64
	in  [lanes.Most]*[64]byte
	out [lanes.Most]*Hash
	tmp [lanes.Most][64]byte // preimages that exist nowhere else: chain steps

	nowhere Hash     // output of lanes nobody reads
	order   []uint64 // HashMany: blocks<<32 | input
	block   [lanes.Most]*[rate]byte
	last    [lanes.Most][rate]byte
}

// NewHasher returns a Hasher with its buffers in place.
func NewHasher() *Hasher {
	h := &Hasher{one: newOneLane()}
	h.words = (*[25 * four]uint64)(h.x4.Initialize(false))
	return h
}

// addTagged queues *out = keccak256(tag ‖ in). The input is read and the output written at the latest by flush; an
// input must not be the output of another entry queued since the last flush.
func (h *Hasher) addTagged(tag byte, in *[64]byte, out *Hash) {
	h.tag[h.n], h.in[h.n], h.out[h.n] = uint64(tag), in, out
	if h.n++; h.n == lanes.Most {
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
	switch {
	case n == 0:
	case wide == eight && n > lanes.Half:
		h.fill(n, lanes.Most)
		lanes.Tagged8(&h.tag, &h.in, &h.out)
	case wide == eight:
		h.fill(n, lanes.Half)
		lanes.Tagged4(&h.tag, &h.in, &h.out)
	case wide == four:
		for at := 0; at < n; at += int(four) {
			h.flushFour(at, min(n-at, int(four)))
		}
	default:
		for j := range n {
			h.sumTagged(j)
		}
	}
}

// fill gives the lanes from n on something to do that nobody reads.
func (h *Hasher) fill(n, end int) {
	for j := n; j < end; j++ {
		h.tag[j], h.in[j], h.out[j] = h.tag[0], h.in[0], &h.nowhere
	}
}

func (h *Hasher) sumTagged(j int) {
	*h.out[j] = h.one.sumTagged(byte(h.tag[j]), h.in[j][:], nil)
}

// flushFour computes n of the queued digests, at most four.
func (h *Hasher) flushFour(at, n int) {
	if n == 1 {
		h.sumTagged(at)
		return
	}
	h.fill(at+n, at+int(four))
	h.absorbTagged(at)
	h.x4.Permute()
	h.squeezeFour((*[four]*Hash)(h.out[at:]))
}

// absorbTagged sets the state to four queued preimages. 65 bytes and their padding fill words 0 to 8 and the top bit
// of word 16; the rest is zero. The tag shifts the 64 bytes by one, so words are read at 8w-1.
func (h *Hasher) absorbTagged(at int) {
	a, le, tag := h.words, binary.LittleEndian, h.tag[at:at+4]
	i0, i1, i2, i3 := h.in[at], h.in[at+1], h.in[at+2], h.in[at+3]
	a[0] = le.Uint64(i0[0:])<<8 | tag[0]
	a[1] = le.Uint64(i1[0:])<<8 | tag[1]
	a[2] = le.Uint64(i2[0:])<<8 | tag[2]
	a[3] = le.Uint64(i3[0:])<<8 | tag[3]
	for w := 1; w < 8; w++ {
		at, to := (8*w-1)&63, (*[four]uint64)(a[w*int(four):])
		to[0] = le.Uint64(i0[at:])
		to[1] = le.Uint64(i1[at:])
		to[2] = le.Uint64(i2[at:])
		to[3] = le.Uint64(i3[at:])
	}
	const pad = 0x01 << 8
	a[32], a[33], a[34], a[35] = uint64(i0[63])|pad, uint64(i1[63])|pad, uint64(i2[63])|pad, uint64(i3[63])|pad
	clear(a[9*four:])
	const end = 1 << 63
	a[64], a[65], a[66], a[67] = end, end, end, end
}

// squeezeFour writes four outputs.
func (h *Hasher) squeezeFour(out *[four]*Hash) {
	a, le := h.words, binary.LittleEndian
	o0, o1, o2, o3 := out[0], out[1], out[2], out[3]
	for w := range 4 {
		from := (*[four]uint64)(a[w*int(four):])
		le.PutUint64(o0[8*w:], from[0])
		le.PutUint64(o1[8*w:], from[1])
		le.PutUint64(o2[8*w:], from[2])
		le.PutUint64(o3[8*w:], from[3])
	}
}

// HashMany sets out[i] to keccak256(inputs[i]) for every i; len(out) must be at least len(inputs). Inputs may differ in
// length: they are taken in order of length, so that lanes of one group finish together or nearly so.
func (h *Hasher) HashMany(inputs [][]byte, out []Hash) {
	out = out[:len(inputs)]
	if wide == one {
		for i, in := range inputs {
			out[i] = h.one.sum(in)
		}
		return
	}
	h.sortByBlocks(inputs)
	for rest := h.order; len(rest) > 0; {
		n := min(int(wide), len(rest))
		if n == 1 && wide == four {
			i := uint32(rest[0])
			out[i] = h.one.sum(inputs[i])
			return
		}
		h.group(rest[:n], inputs, out)
		rest = rest[n:]
	}
}

// sortByBlocks fills order. Nearly all inputs are short, so that counting sorts them.
func (h *Hasher) sortByBlocks(inputs [][]byte) {
	const counted = 64
	var next [counted + 1]int
	for _, in := range inputs {
		next[min(len(in)/rate, counted)]++
	}
	long := next[counted]
	sum := 0
	for blocks, n := range next {
		next[blocks], sum = sum, sum+n
	}
	h.order = slices.Grow(h.order[:0], len(inputs))[:len(inputs)]
	for i, in := range inputs {
		at := &next[min(len(in)/rate, counted)]
		h.order[*at] = uint64(len(in)/rate+1)<<32 | uint64(i)
		*at++
	}
	slices.Sort(h.order[len(inputs)-long:])
}

// group hashes up to eight or four inputs, ordered by their number of blocks. A lane that is done early keeps permuting what
// nobody reads.
func (h *Hasher) group(group []uint64, inputs [][]byte, out []Hash) {
	stride := lanes.Half
	if len(group) > lanes.Half {
		stride = lanes.Most
	}
	words := h.state[:]
	if wide == four {
		words = h.words[:]
	}
	clear(words[:25*stride])
	for j, g := range group {
		in, own := inputs[uint32(g)], int(g>>32)
		pad(&h.last[j], in[(own-1)*rate:])
	}
	for b := range int(group[len(group)-1] >> 32) {
		for j, g := range group {
			if b < int(g>>32)-1 {
				h.block[j] = (*[rate]byte)(inputs[uint32(g)][b*rate:])
			} else {
				h.block[j] = &h.last[j]
			}
		}
		for j := len(group); j < stride; j++ {
			h.block[j] = &h.last[0]
		}
		switch {
		case wide == four:
			h.absorbFour()
		case stride == lanes.Half:
			lanes.Absorb4(&h.state, &h.block)
		default:
			lanes.Absorb8(&h.state, &h.block)
		}
		for j, g := range group {
			if int(g>>32) == b+1 {
				to := &out[uint32(g)]
				for w := range 4 {
					binary.LittleEndian.PutUint64(to[8*w:], words[w*stride+j])
				}
			}
		}
	}
}

// pad makes the last block of a message.
func pad(block *[rate]byte, rest []byte) {
	clear(block[copy(block[:], rest):])
	block[len(rest)] = 0x01 // legacy keccak padding, not SHA-3's
	block[rate-1] |= 0x80
}

// absorbFour absorbs a block in each of four lanes and permutes.
func (h *Hasher) absorbFour() {
	b0, b1, b2, b3 := h.block[0], h.block[1], h.block[2], h.block[3]
	for w := range rateWords {
		to := (*[four]uint64)(h.words[w*int(four):])
		to[0] ^= binary.LittleEndian.Uint64(b0[8*w:])
		to[1] ^= binary.LittleEndian.Uint64(b1[8*w:])
		to[2] ^= binary.LittleEndian.Uint64(b2[8*w:])
		to[3] ^= binary.LittleEndian.Uint64(b3[8*w:])
	}
	h.x4.Permute()
}

var hashers = sync.Pool{New: func() any { return NewHasher() }}

// HashMany is Hasher.HashMany on a pooled Hasher; safe for concurrent use.
func HashMany(inputs [][]byte, out []Hash) {
	h := hashers.Get().(*Hasher)
	h.HashMany(inputs, out)
	hashers.Put(h)
}
