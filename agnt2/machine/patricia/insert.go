package patricia

import (
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// MaxInsertLength is the length of the longest value that Insert takes, in bytes.
const MaxInsertLength = 55

// step is a node that an insertion changes, and where in it the changed reference stands.
type step struct {
	payload []byte
	child   span
}

// Insert returns the root of the trie of root after key (that is the keccak256 of a slot, in storage tries) got value: 1 to
// MaxInsertLength bytes, 0x01 for the word 1. The key must be absent, all keys of the trie must have 32 bytes and the trie
// must not be empty. Nodes are what Walk takes to prove the absence.
//
// Nodes below 32 bytes do occur: a leaf of value 0x01 whose key shares 8 nibbles or more with another one has 55 nibbles or
// fewer left, and 31 bytes. Anybody can grind for that.
//
// Errors: those of Walk, ErrKeyPresent, ErrValueSize. An empty trie is ErrMissingNode or ErrWrongNode.
func Insert(root common.Hash, key common.Hash, value []byte, nodes [][]byte) (common.Hash, error) {
	if len(value) == 0 || len(value) > MaxInsertLength {
		return common.Hash{}, fmt.Errorf("%w: %d bytes", ErrValueSize, len(value))
	}
	path := nibbles(key[:])
	item := encodeString(value)
	var (
		steps   []step
		changed []byte // the encoding of the lowest changed node
		used    int
		hash    = root
		kind    = hashChild
		encoded []byte
		at      int
	)
	for changed == nil {
		if kind == hashChild {
			if used == len(nodes) {
				return common.Hash{}, fmt.Errorf("%w: after %d", ErrMissingNode, used)
			}
			if encoded = nodes[used]; crypto.Keccak256Hash(encoded) != hash {
				return common.Hash{}, fmt.Errorf("%w: node %d", ErrWrongNode, used)
			}
			used++
		}
		n, err := decodeNode(encoded)
		if err != nil {
			return common.Hash{}, fmt.Errorf("node %d: %w", used-1, err)
		}
		rest := path[at:]
		next := n.second
		if n.branch {
			if len(rest) == 0 {
				return common.Hash{}, fmt.Errorf("%w: branch below a whole key", ErrMalformedNode)
			}
			next = n.item(int(rest[0]))
			at++
		} else if shared := sharedPrefix(n.path, rest); shared == len(n.path) && !n.leaf {
			at += shared
		} else {
			changed, err = split(&n, rest, shared, item)
			if err != nil {
				return common.Hash{}, fmt.Errorf("node %d: %w", used-1, err)
			}
			break
		}
		steps = append(steps, step{n.payload, next})
		if kind, hash, encoded, err = n.child(next); err != nil {
			return common.Hash{}, fmt.Errorf("node %d: %w", used-1, err)
		}
		if kind == noChild {
			changed = encodeList(encodePath(path[at:], true), item)
		}
	}
	if used != len(nodes) {
		return common.Hash{}, fmt.Errorf("%w: %d of %d used", ErrUnusedNode, used, len(nodes))
	}
	for _, s := range slices.Backward(steps) {
		changed = encodeList(s.payload[:s.child.start], reference(changed), s.payload[s.child.end:])
	}
	return crypto.Keccak256Hash(changed), nil
}

// split is a leaf or an extension n that shares only a beginning with the rest of the key: a branch where they part, with
// the remainder of n and the new leaf below, behind an extension if something is shared.
func split(n *node, rest []byte, shared int, item []byte) ([]byte, error) {
	if n.leaf && len(n.path) != len(rest) || len(n.path) > len(rest) {
		return nil, fmt.Errorf("%w: a key of another length", ErrMalformedNode)
	}
	if shared == len(rest) {
		return nil, ErrKeyPresent
	}
	var (
		old []byte
		err error
	)
	switch {
	case n.leaf:
		_, err = n.leafValue()
		old = reference(encodeList(encodePath(n.path[shared+1:], true), n.bytes(n.second)))
	case shared+1 == len(n.path):
		_, _, _, err = n.child(n.second)
		old = n.bytes(n.second)
	default:
		_, _, _, err = n.child(n.second)
		old = reference(encodeList(encodePath(n.path[shared+1:], false), n.bytes(n.second)))
	}
	if err != nil {
		return nil, err
	}
	branch := encodePair(n.path[shared], old, rest[shared], reference(encodeList(encodePath(rest[shared+1:], true), item)))
	if shared == 0 {
		return branch, nil
	}
	return encodeList(encodePath(rest[:shared], false), reference(branch)), nil
}

// sharedPrefix is how many nibbles two paths have in common at their beginning.
func sharedPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
