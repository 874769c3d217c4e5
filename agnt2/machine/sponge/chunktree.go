package sponge

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

const (
	// ChunkBytes is the size of a chunk, in bytes: eight sponge blocks, so that a string can be hashed and committed in one
	// pass. Only the last chunk of a string may be shorter.
	ChunkBytes = 8 * BlockBytes
	// FrontierLevels bounds a tree: below 2^FrontierLevels chunks, 71 MB.
	FrontierLevels = 16
	// MaxBytes is the longest string that a tree commits to, in bytes.
	MaxBytes = (1<<FrontierLevels - 1) * ChunkBytes
)

// Domain tags: what is hashed at one level must not pass as something of another level.
const (
	tagChunk = 0x00
	tagInner = 0x01
	tagRoot  = 0x02
)

var (
	// ErrRangeOutsideString reports a range that is empty or outside the string.
	ErrRangeOutsideString = errors.New("sponge: range outside the string")
	// ErrProofMismatch reports a range proof that does not belong to the root.
	ErrProofMismatch = errors.New("sponge: range proof does not match the root")
	// ErrStringTooLong reports a string longer than MaxBytes.
	ErrStringTooLong = errors.New("sponge: string too long for a chunk tree")
)

// Tree commits to a string while it is read: the roots of its complete subtrees, one a level. The shape is that of RFC 6962:
// a node without a right sibling moves up unchanged. The zero value is the tree of the empty string.
type Tree struct {
	Frontier [FrontierLevels]common.Hash // level l is in use iff bit l of the number of chunks is set, else zero
	Length   uint64                      // bytes committed so far; a multiple of ChunkBytes until the last chunk
}

// Append commits to the next chunk. A chunk shorter than ChunkBytes must be the last.
func (t *Tree) Append(chunk []byte) error {
	count := t.Length / ChunkBytes
	if len(chunk) == 0 || len(chunk) > ChunkBytes || t.Length%ChunkBytes != 0 {
		return fmt.Errorf("%w: chunk of %d bytes after %d", ErrRangeOutsideString, len(chunk), t.Length)
	}
	if count+1 >= 1<<FrontierLevels {
		return ErrStringTooLong
	}
	node := hashChunk(chunk)
	level := 0
	for ; count&1 == 1; count >>= 1 {
		node = hashInner(t.Frontier[level], node)
		t.Frontier[level] = common.Hash{}
		level++
	}
	t.Frontier[level] = node
	t.Length += uint64(len(chunk))
	return nil
}

// Root commits to the string and its length. The string must not be empty.
func (t *Tree) Root() common.Hash {
	var node common.Hash
	first := true
	for level, count := 0, chunks(t.Length); count > 0; level, count = level+1, count>>1 {
		switch {
		case count&1 == 0:
		case first:
			node, first = t.Frontier[level], false
		default:
			node = hashInner(t.Frontier[level], node)
		}
	}
	return hashRoot(node, t.Length)
}

// Root returns the root of the tree over a string.
func Root(b []byte) (common.Hash, error) {
	var t Tree
	for ; len(b) > ChunkBytes; b = b[ChunkBytes:] {
		if err := t.Append(b[:ChunkBytes]); err != nil {
			return common.Hash{}, err
		}
	}
	if err := t.Append(b); err != nil {
		return common.Hash{}, err
	}
	return t.Root(), nil
}

// Cover returns the smallest run of whole chunks that holds bytes [from, to) of a string of the given length.
func Cover(length, from, to uint64) (start, end uint64, err error) {
	if from >= to || to > length || length > MaxBytes {
		return 0, 0, fmt.Errorf("%w: [%d,%d) of %d", ErrRangeOutsideString, from, to, length)
	}
	return from / ChunkBytes * ChunkBytes, min(chunks(to)*ChunkBytes, length), nil
}

// Open returns the proof of bytes [from, to) of a string: the chunks that cover them, then the siblings level by level from
// the bottom, left before right.
func Open(b []byte, from, to uint64) ([]byte, error) {
	start, end, err := Cover(uint64(len(b)), from, to)
	if err != nil {
		return nil, err
	}
	var level []common.Hash
	for at := 0; at < len(b); at += ChunkBytes {
		level = append(level, hashChunk(b[at:min(at+ChunkBytes, len(b))]))
	}
	proof := append([]byte(nil), b[start:end]...)
	for first, last := int(start/ChunkBytes), int(chunks(end)-1); len(level) > 1; first, last = first/2, last/2 {
		if first%2 == 1 {
			proof = append(proof, level[first-1][:]...)
		}
		if last%2 == 0 && last+1 < len(level) {
			proof = append(proof, level[last+1][:]...)
		}
		level = fold(level)
	}
	return proof, nil
}

// Verify checks a proof made by Open against the root of a string of the given length and returns bytes [from, to), a slice
// of the proof. There is exactly one proof that passes.
func Verify(root common.Hash, length, from, to uint64, proof []byte) ([]byte, error) {
	start, end, err := Cover(length, from, to)
	if err != nil {
		return nil, err
	}
	if uint64(len(proof)) < end-start {
		return nil, fmt.Errorf("%w: %d bytes", ErrProofMismatch, len(proof))
	}
	data, siblings := proof[:end-start], proof[end-start:]
	var nodes []common.Hash
	for at := 0; at < len(data); at += ChunkBytes {
		nodes = append(nodes, hashChunk(data[at:min(at+ChunkBytes, len(data))]))
	}
	next := func() (h common.Hash, err error) {
		if len(siblings) < len(h) {
			return h, fmt.Errorf("%w: too short", ErrProofMismatch)
		}
		copy(h[:], siblings)
		siblings = siblings[len(h):]
		return h, nil
	}
	for first, last, count := start/ChunkBytes, chunks(end)-1, chunks(length); count > 1; first, last, count = first/2, last/2, (count+1)/2 {
		var left, right []common.Hash
		if first%2 == 1 {
			h, err := next()
			if err != nil {
				return nil, err
			}
			left = []common.Hash{h}
		}
		if last%2 == 0 && last+1 < count {
			h, err := next()
			if err != nil {
				return nil, err
			}
			right = []common.Hash{h}
		}
		nodes = fold(append(append(left, nodes...), right...))
	}
	if len(siblings) != 0 {
		return nil, fmt.Errorf("%w: %d bytes too many", ErrProofMismatch, len(siblings))
	}
	if hashRoot(nodes[0], length) != root {
		return nil, ErrProofMismatch
	}
	return data[from-start : to-start], nil
}

// chunks returns the number of chunks of a string.
func chunks(length uint64) uint64 { return (length + ChunkBytes - 1) / ChunkBytes }

// fold replaces a level by the one above it, in place.
func fold(level []common.Hash) []common.Hash {
	n := 0
	for i := 0; i < len(level); i += 2 {
		if i+1 < len(level) {
			level[n] = hashInner(level[i], level[i+1])
		} else {
			level[n] = level[i]
		}
		n++
	}
	return level[:n]
}

func hashChunk(chunk []byte) common.Hash {
	return crypto.Keccak256Hash([]byte{tagChunk}, chunk)
}

func hashInner(left, right common.Hash) common.Hash {
	return crypto.Keccak256Hash([]byte{tagInner}, left[:], right[:])
}

func hashRoot(node common.Hash, length uint64) common.Hash {
	return crypto.Keccak256Hash([]byte{tagRoot}, node[:], binary.BigEndian.AppendUint64(nil, length))
}
