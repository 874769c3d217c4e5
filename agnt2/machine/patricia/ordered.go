package patricia

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// MaxItems is how many items an ordered trie can have: indices of 3 bytes.
const MaxItems = 1 << 24

// MinValueLength is the length of the shortest value in an ordered trie, in bytes. From 29 on no leaf stands in its parent,
// so that all references are hashes. The shortest transactions and receipts have more than 60 bytes.
const MinValueLength = 32

// maxDepth is the length of the longest key in nibbles: rlp(0xffffff).
const maxDepth = 8

// edgeHeaderLength is the length of an encoded edge without its hashes.
const edgeHeaderLength = 4 + 4 + 32 + 32 + 32 + 2*maxDepth

// MaxEdgeLength is the length of the longest encoded edge, in bytes: 8 settled children at the root, 3 below its child 8 and
// 15 at each of the 6 depths of an index of 3 bytes. Up to 65,536 items it is 2,360 bytes.
const MaxEdgeLength = edgeHeaderLength + 32*(8+3+6*15)

// Edge is the right edge of a trie that is being built by appending: the ordered trie of a block's transactions or receipts,
// whose keys are rlp(index) (DeriveSha of go-ethereum; yellow paper, §4.4.2).
//
// In the trie, index 0 (0x80) comes after index 127 and before 128. A leaf's path depends on the keys before and after it,
// so the last value is *held*, as its hash and length, until it is known what follows. Index 0 is hashed as both leaves that
// it can become as soon as there is an index 1. So each Append but the first takes one value's bytes, that of the index
// before, and so does the final Root.
//
// Encoding, big-endian, 120 bytes and 32 for every settled child of an open branch (≤ MaxEdgeLength):
//
//	count(4) ‖ heldLength(4) ‖ heldHash(32) ‖ zeroApart(32) ‖ zeroBelow(32) ‖ open(16) ‖ hashes
//
// zeroApart and zeroBelow are the two leaf hashes of index 0, zero before index 1: in the root branch, and below its
// child 8 when there is an index 128. open has 16 bits for each depth in nibbles, from depth 7 down to 0; bit i is set if
// the open branch at that depth has child i. hashes are these children's, by depth and then by nibble.
type Edge struct {
	Count      uint32
	HeldLength uint32 // bytes of value Count-1
	HeldHash   common.Hash
	ZeroApart  common.Hash
	ZeroBelow  common.Hash
	Open       [maxDepth]uint16
	Hashes     []common.Hash
}

// EmptyEdgeHash is the hash of the edge of an ordered trie without items.
var EmptyEdgeHash = new(Edge).Hash()

// Encode returns the encoding that the machine commits to.
func (e *Edge) Encode() []byte {
	b := make([]byte, 0, edgeHeaderLength+32*len(e.Hashes))
	b = binary.BigEndian.AppendUint32(b, e.Count)
	b = binary.BigEndian.AppendUint32(b, e.HeldLength)
	b = append(b, e.HeldHash[:]...)
	b = append(b, e.ZeroApart[:]...)
	b = append(b, e.ZeroBelow[:]...)
	for d := maxDepth - 1; d >= 0; d-- {
		b = binary.BigEndian.AppendUint16(b, e.Open[d])
	}
	for i := range e.Hashes {
		b = append(b, e.Hashes[i][:]...)
	}
	return b
}

// Hash returns keccak256 of the encoding.
func (e *Edge) Hash() common.Hash { return crypto.Keccak256Hash(e.Encode()) }

// Clone returns an independent copy.
func (e *Edge) Clone() *Edge {
	c := *e
	c.Hashes = append([]common.Hash(nil), e.Hashes...)
	return &c
}

// DecodeEdge undoes Encode and checks the hash. Errors: ErrWrongEdge.
func DecodeEdge(hash common.Hash, b []byte) (*Edge, error) {
	if crypto.Keccak256Hash(b) != hash || len(b) < edgeHeaderLength || (len(b)-edgeHeaderLength)%32 != 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrWrongEdge, len(b))
	}
	e := &Edge{
		Count:      binary.BigEndian.Uint32(b),
		HeldLength: binary.BigEndian.Uint32(b[4:]),
		HeldHash:   common.Hash(b[8:40]),
		ZeroApart:  common.Hash(b[40:72]),
		ZeroBelow:  common.Hash(b[72:104]),
	}
	open := 0
	for d := range maxDepth {
		e.Open[d] = binary.BigEndian.Uint16(b[edgeHeaderLength-2*(d+1):])
		open += bits.OnesCount16(e.Open[d])
	}
	for b = b[edgeHeaderLength:]; len(b) > 0; b = b[32:] {
		e.Hashes = append(e.Hashes, common.Hash(b[:32]))
	}
	if open != len(e.Hashes) {
		return nil, fmt.Errorf("%w: %d hashes", ErrWrongEdge, len(e.Hashes))
	}
	return e, nil
}

// Append is Edge.Append on an encoded edge with the hash edgeHash, and returns the new edge's: the machine's step.
// Errors: ErrWrongEdge and those of Edge.Append.
func Append(edgeHash common.Hash, edge []byte, valueHash common.Hash, valueLength uint32, held []byte) (common.Hash, error) {
	e, err := DecodeEdge(edgeHash, edge)
	if err == nil {
		err = e.Append(valueHash, valueLength, held)
	}
	if err != nil {
		return common.Hash{}, err
	}
	return e.Hash(), nil
}

// Finish is Edge.Root on an encoded edge with the hash edgeHash: the machine's step. Errors: ErrWrongEdge and those of
// Edge.Root.
func Finish(edgeHash common.Hash, edge []byte, held []byte) (common.Hash, error) {
	e, err := DecodeEdge(edgeHash, edge)
	if err != nil {
		return common.Hash{}, err
	}
	return e.Root(held)
}

// Append adds the value with index Count, of which only keccak256 and length in bytes are needed (for a typed transaction
// or receipt the value is the whole encoding, with the type in front), and settles the one before, of which held is the
// bytes; held is empty for index 0. On an error the edge is unchanged.
//
// Errors: ErrTrieFull, ErrValueSize for a value shorter than MinValueLength, ErrWrongValue.
func (e *Edge) Append(valueHash common.Hash, valueLength uint32, held []byte) error {
	n := e.Count
	if n >= MaxItems {
		return ErrTrieFull
	}
	if valueLength < MinValueLength {
		return fmt.Errorf("%w: item %d has %d bytes", ErrValueSize, n, valueLength)
	}
	if err := e.checkHeld(held); err != nil {
		return err
	}
	e.add(valueHash, valueLength, held)
	return nil
}

// add is Append after its checks.
func (e *Edge) add(valueHash common.Hash, valueLength uint32, held []byte) {
	n := e.Count
	switch {
	case n == 0:
	case n == 1:
		zero := keyOf(0)
		e.ZeroApart = leafHash(zero, 1, held)
		e.ZeroBelow = leafHash(zero, 2, held)
	default:
		last := keyOf(n - 1)
		before, after := levelBefore(n-1), levelBefore(n)
		if n == 128 {
			after = sharedLevel(last, keyOf(0))
		}
		e.settle(last, max(before, after), after, leafHash(last, max(before, after), held))
		if n == 128 {
			e.settle(keyOf(0), levelBefore(n), levelBefore(n), e.ZeroBelow)
		}
	}
	e.Count = n + 1
	e.HeldHash = valueHash
	e.HeldLength = valueLength
}

// Root returns the root of the trie of all Count items; held is the bytes of the last one. The edge is unchanged.
// Errors: ErrTrieEmpty, ErrWrongValue.
func (e *Edge) Root(held []byte) (common.Hash, error) {
	if e.Count == 0 {
		return common.Hash{}, ErrTrieEmpty
	}
	if err := e.checkHeld(held); err != nil {
		return common.Hash{}, err
	}
	n := e.Count - 1
	last := keyOf(n)
	before := levelBefore(n)
	switch {
	case n == 0:
		return leafHash(last, 0, held), nil
	case n >= 128:
		return e.Clone().settle(last, before, 0, leafHash(last, before, held)), nil
	}
	c := e.Clone()
	c.settle(last, max(before, 1), 1, leafHash(last, max(before, 1), held))
	return c.settle(keyOf(0), 1, 0, e.ZeroApart), nil
}

func (e *Edge) checkHeld(held []byte) error {
	if e.Count == 0 {
		if len(held) != 0 {
			return fmt.Errorf("%w: nothing is held", ErrWrongValue)
		}
		return nil
	}
	if len(held) > math.MaxUint32 || uint32(len(held)) != e.HeldLength || crypto.Keccak256Hash(held) != e.HeldHash {
		return fmt.Errorf("%w: item %d, %d bytes", ErrWrongValue, e.Count-1, len(held))
	}
	return nil
}

// A key is rlp(index) in its first `length` nibbles, followed by zeros to eight.
//
// Branches are counted in levels: level l is that of the branch l-1 nibbles below the root, so that two keys that share s
// nibbles part at level s+1, and level 0 is outside the trie.
type orderedKey struct {
	nibbles uint32
	length  int
}

func keyOf(index uint32) orderedKey {
	switch {
	case index == 0:
		return orderedKey{0x80 << 24, 2}
	case index < 0x80:
		return orderedKey{index << 24, 2}
	case index < 0x100:
		return orderedKey{0x8100_0000 | index<<16, 4}
	case index < 0x10000:
		return orderedKey{0x8200_0000 | index<<8, 6}
	}
	return orderedKey{0x8300_0000 | index, 8}
}

// nibble is the child of the branch at a level that leads to the key.
func (k orderedKey) nibble(level int) int { return int(k.nibbles >> (32 - 4*level) & 15) }

// slice is the nibbles in [from, to).
func (k orderedKey) slice(from, to int) []byte {
	path := make([]byte, 0, maxDepth)
	for ; from < to; from++ {
		path = append(path, byte(k.nibble(from+1)))
	}
	return path
}

// sharedLevel is the level at which two different keys part. No key is the beginning of another one.
func sharedLevel(a, b orderedKey) int { return bits.LeadingZeros32(a.nibbles^b.nibbles)/4 + 1 }

// levelBefore is the level at which the key of an index above 0 parts from the one before it in the trie; index 1 has none.
func levelBefore(index uint32) int {
	switch index {
	case 0, 1:
		return 0
	case 128:
		return sharedLevel(keyOf(0), keyOf(128))
	}
	return sharedLevel(keyOf(index-1), keyOf(index))
}

// leafHash is the hash of the leaf of a key below the branch at a level; at level 0 it is the root.
func leafHash(k orderedKey, level int, value []byte) common.Hash {
	return crypto.Keccak256Hash(leafPrefix(k.slice(level, k.length), len(value)), value)
}

// settle puts the leaf of k below the branch at level, and closes all branches below the level at which the following key
// parts from k; `after` is 0 if there is none, and then the root is returned. Keys come in ascending order, so the deepest
// open branch is never below level.
func (e *Edge) settle(k orderedKey, level, after int, hash common.Hash) common.Hash {
	e.place(level, k.nibble(level), hash)
	for {
		deepest := e.deepest(maxDepth)
		if deepest <= after {
			return common.Hash{}
		}
		hash = e.closeBranch(deepest)
		parent := max(e.deepest(deepest-1), after)
		if parent+1 < deepest {
			child := encodeString(hash[:])
			hash = crypto.Keccak256Hash(encodeList(encodePath(k.slice(parent, deepest-1), false), child))
		}
		if parent == 0 {
			return hash
		}
		e.place(parent, k.nibble(parent), hash)
	}
}

// place adds a child to the branch at a level, and opens it if there is none.
func (e *Edge) place(level, nibble int, hash common.Hash) {
	e.Open[level-1] |= 1 << nibble
	e.Hashes = append(e.Hashes, hash)
}

// deepest is the level of the deepest open branch at or above a level.
func (e *Edge) deepest(level int) int {
	for level > 0 && e.Open[level-1] == 0 {
		level--
	}
	return level
}

// closeBranch removes the deepest open branch and returns its hash.
func (e *Edge) closeBranch(level int) common.Hash {
	children := e.Open[level-1]
	first := len(e.Hashes) - bits.OnesCount16(children)
	items := make([][]byte, branchItems)
	next := first
	for i := range items {
		items[i] = []byte{0x80}
		if children>>i&1 == 1 {
			items[i] = encodeString(e.Hashes[next][:])
			next++
		}
	}
	e.Open[level-1] = 0
	e.Hashes = e.Hashes[:first]
	return crypto.Keccak256Hash(encodeList(items...))
}
