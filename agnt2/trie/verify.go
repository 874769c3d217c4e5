package trie

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Errors of the verifiers and of DecodeProof. They are wrapped with what they concern.
var (
	ErrProofEncoding = errors.New("trie: proof encoding not canonical")
	ErrProofShape    = errors.New("trie: proof malformed")
	ErrProofRoot     = errors.New("trie: proof does not lead to the root")
	ErrProofOther    = errors.New("trie: proof's other leaf does not show absence")
	ErrProofPreimage = errors.New("trie: sibling preimage missing or wrong")
	ErrProofPrefix   = errors.New("trie: proof does not fit the prefix")
	ErrProofNotFirst = errors.New("trie: a smaller key with the prefix exists")
)

// OtherLeaf is the leaf that sits where an absent key's path ends.
type OtherLeaf struct {
	Key       Key
	ValueHash Hash
}

// Proof is a key's path. It ends, Depth nodes below the root, in the key's own leaf, in an empty subtree, or in another
// leaf; which of the first two it is depends on what it is verified for.
type Proof struct {
	Depth    int      // 0 to 256
	Bitmap   [32]byte // bit i (most significant first): the sibling i+1 levels below the root is not zero
	Siblings []Hash   // the non-zero siblings, from the root downwards

	Other           *OtherLeaf // absence only
	SiblingPreimage *[65]byte  // deletion only: tag ‖ 64 bytes that hash to the last sibling
}

const (
	flagOther    = 1
	flagPreimage = 2
)

// Encode is the canonical form: flags (1 other leaf, 2 preimage) ‖ depth (2 bytes) ‖ the first ⌈depth/8⌉ bytes of the
// bitmap ‖ siblings ‖ other key ‖ other value hash ‖ preimage (65 bytes), the last three where flagged. p must be well
// formed.
func (p Proof) Encode() []byte {
	out := make([]byte, 3, 3+32+32*len(p.Siblings)+64+65)
	binary.BigEndian.PutUint16(out[1:], uint16(p.Depth))
	out = append(out, p.Bitmap[:(p.Depth+7)/8]...)
	for i := range p.Siblings {
		out = append(out, p.Siblings[i][:]...)
	}
	if p.Other != nil {
		out[0] |= flagOther
		out = append(append(out, p.Other.Key[:]...), p.Other.ValueHash[:]...)
	}
	if p.SiblingPreimage != nil {
		out[0] |= flagPreimage
		out = append(out, p.SiblingPreimage[:]...)
	}
	return out
}

// ProofLength is how many bytes the proof at the start of b takes; ok is false if b ends before that.
func ProofLength(b []byte) (n int, ok bool) {
	if len(b) < 3 {
		return 0, false
	}
	bitmap := (int(binary.BigEndian.Uint16(b[1:])) + 7) / 8
	if n = 3 + bitmap; len(b) < n {
		return 0, false
	}
	for _, v := range b[3:n] {
		n += 32 * bits.OnesCount8(v)
	}
	if b[0]&flagOther != 0 {
		n += 64
	}
	if b[0]&flagPreimage != 0 {
		n += 65
	}
	return n, n <= len(b)
}

// DecodeProof accepts exactly what Encode makes of a well-formed proof.
func DecodeProof(b []byte) (Proof, error) {
	var p Proof
	if len(b) < 3 {
		return Proof{}, fmt.Errorf("%w: %d bytes", ErrProofEncoding, len(b))
	}
	flags := b[0]
	p.Depth = int(binary.BigEndian.Uint16(b[1:]))
	b = b[3:]
	if flags > flagPreimage || p.Depth > 256 || len(b) < (p.Depth+7)/8 {
		return Proof{}, fmt.Errorf("%w: flags %d, depth %d", ErrProofEncoding, flags, p.Depth)
	}
	b = b[copy(p.Bitmap[:(p.Depth+7)/8], b):]
	n := 0
	for _, v := range p.Bitmap {
		n += bits.OnesCount8(v)
	}
	want := 32 * n
	if flags&flagOther != 0 {
		want += 64
	}
	if flags&flagPreimage != 0 {
		want += 65
	}
	if len(b) != want {
		return Proof{}, fmt.Errorf("%w: %d bytes after the bitmap, not %d", ErrProofEncoding, len(b), want)
	}
	if n > 0 {
		p.Siblings = make([]Hash, n)
	}
	for i := range p.Siblings {
		b = b[copy(p.Siblings[i][:], b):]
	}
	if flags&flagOther != 0 {
		p.Other = &OtherLeaf{Key: Key(b[:32]), ValueHash: Hash(b[32:64])}
		b = b[64:]
	}
	if flags&flagPreimage != 0 {
		p.SiblingPreimage = (*[65]byte)(bytes.Clone(b))
	}
	if err := p.check(); err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProofEncoding, err)
	}
	return p, nil
}

// check holds every rule on a proof's form: no sibling is zero and every one is marked; below the root, the last sibling
// is not zero, because a subtree with one leaf is that leaf; a preimage is the last sibling's and stands in no absence
// proof.
func (p *Proof) check() error {
	if p.Depth < 0 || p.Depth > 256 {
		return fmt.Errorf("%w: depth %d", ErrProofShape, p.Depth)
	}
	n := 0
	for i := range 256 {
		if bitAt(&p.Bitmap, i) == 0 {
			continue
		}
		if i >= p.Depth || n >= len(p.Siblings) || p.Siblings[n] == (Hash{}) {
			return fmt.Errorf("%w: sibling of depth %d", ErrProofShape, i+1)
		}
		n++
	}
	if n != len(p.Siblings) {
		return fmt.Errorf("%w: %d siblings, %d marked", ErrProofShape, len(p.Siblings), n)
	}
	if p.Depth > 0 && bitAt(&p.Bitmap, p.Depth-1) == 0 {
		return fmt.Errorf("%w: last sibling is zero", ErrProofShape)
	}
	if q := p.SiblingPreimage; q != nil {
		if p.Other != nil || p.Depth == 0 || q[0] > tagInner ||
			hashTagged(q[0], [32]byte(q[1:33]), [32]byte(q[33:])) != p.Siblings[n-1] {
			return ErrProofPreimage
		}
	}
	return nil
}

// fold is the root's hash if the subtree at depth `from` on key's path has hash h and the siblings above are p's.
func (p *Proof) fold(h Hash, key *Key, from int) Hash {
	n := len(p.Siblings)
	for i := p.Depth - 1; i >= 0; i-- {
		var sibling Hash
		if bitAt(&p.Bitmap, i) == 1 {
			n--
			sibling = p.Siblings[n]
		}
		if i >= from {
			continue
		}
		if bitAt(key, i) == 0 {
			h = InnerHash(h, sibling)
		} else {
			h = InnerHash(sibling, h)
		}
	}
	return h
}

// VerifyInclusion returns nil if the trie with this root holds key with this value hash.
func VerifyInclusion(root Hash, key Key, valueHash Hash, p Proof) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.Other != nil {
		return fmt.Errorf("%w: other leaf in an inclusion proof", ErrProofShape)
	}
	if p.fold(LeafHash(key, valueHash), &key, p.Depth) != root {
		return fmt.Errorf("%w: inclusion of %x", ErrProofRoot, key)
	}
	return nil
}

// VerifyAbsence returns nil if the trie with this root does not hold key.
func VerifyAbsence(root Hash, key Key, p Proof) error {
	if p.Other != nil && p.Other.Key == key {
		return fmt.Errorf("%w: it is %x itself", ErrProofOther, key)
	}
	return verifyEnd(root, &key, p)
}

// verifyEnd checks that key's path ends in an empty subtree or in p's other leaf.
func verifyEnd(root Hash, key *Key, p Proof) error {
	if err := p.check(); err != nil {
		return err
	}
	if p.SiblingPreimage != nil {
		return fmt.Errorf("%w: preimage in an absence proof", ErrProofShape)
	}
	var h Hash
	if p.Other != nil {
		if commonBits(&p.Other.Key, key) < p.Depth {
			return fmt.Errorf("%w: %x is not on the path of %x", ErrProofOther, p.Other.Key, *key)
		}
		h = LeafHash(p.Other.Key, p.Other.ValueHash)
	}
	if p.fold(h, key, p.Depth) != root {
		return fmt.Errorf("%w: absence of %x", ErrProofRoot, *key)
	}
	return nil
}

// UpdateFromProof is the root after key changes from old to new value hash, nil meaning absent. It verifies the proof
// against root for old first. Deleting takes a proof from ProveDelete, everything else one from Prove (or ProveDelete).
func UpdateFromProof(root Hash, key Key, old, new *Hash, p Proof) (Hash, error) {
	if old != nil {
		if err := VerifyInclusion(root, key, *old, p); err != nil {
			return Hash{}, err
		}
	} else if err := VerifyAbsence(root, key, p); err != nil {
		return Hash{}, err
	}
	switch {
	case new == nil && old == nil:
		return root, nil
	case new == nil:
		return p.remove(&key)
	}
	h := LeafHash(key, *new)
	if p.Other != nil { // both leaves move down to where they part
		other := LeafHash(p.Other.Key, p.Other.ValueHash)
		for i := commonBits(&key, &p.Other.Key); i >= p.Depth; i-- {
			if bitAt(&key, i) == 0 {
				h = InnerHash(h, other)
			} else {
				h = InnerHash(other, h)
			}
			other = Hash{}
		}
	}
	return p.fold(h, &key, p.Depth), nil
}

// remove is the root without the leaf that p has been verified to include.
func (p *Proof) remove(key *Key) (Hash, error) {
	if p.Depth == 0 {
		return Hash{}, nil
	}
	if p.SiblingPreimage == nil {
		return Hash{}, fmt.Errorf("%w: deletion of %x", ErrProofPreimage, *key)
	}
	if p.SiblingPreimage[0] == tagInner {
		return p.fold(Hash{}, key, p.Depth), nil
	}
	// A lone leaf: it rises until it has a sibling.
	at := p.Depth - 1
	for at > 0 && bitAt(&p.Bitmap, at-1) == 0 {
		at--
	}
	return p.fold(p.Siblings[len(p.Siblings)-1], key, at), nil
}

// VerifyFirst returns nil if key, with this value hash, is the smallest key that begins with prefix.
func VerifyFirst(root Hash, prefix []byte, key Key, valueHash Hash, p Proof) error {
	if !bytes.HasPrefix(key[:], prefix) {
		return fmt.Errorf("%w: %x does not begin with %x", ErrProofPrefix, key, prefix)
	}
	if err := VerifyInclusion(root, key, valueHash, p); err != nil {
		return err
	}
	for i := 8 * len(prefix); i < p.Depth; i++ {
		if bitAt(&key, i) == 1 && bitAt(&p.Bitmap, i) == 1 {
			return fmt.Errorf("%w: left sibling at depth %d of %x", ErrProofNotFirst, i+1, key)
		}
	}
	return nil
}

// VerifyNone returns nil if no key begins with prefix. The proof's path is the prefix, continued with zeros.
func VerifyNone(root Hash, prefix []byte, p Proof) error {
	if len(prefix) > 32 || p.Depth > 8*len(prefix) {
		return fmt.Errorf("%w: depth %d, prefix of %d bytes", ErrProofPrefix, p.Depth, len(prefix))
	}
	if p.Other != nil && bytes.HasPrefix(p.Other.Key[:], prefix) {
		return fmt.Errorf("%w: %x begins with %x", ErrProofOther, p.Other.Key, prefix)
	}
	var path Key
	copy(path[:], prefix)
	return verifyEnd(root, &path, p)
}
