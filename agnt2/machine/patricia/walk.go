package patricia

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// outcome is where a walk ends.
type outcome int

const (
	foundNothing outcome = iota
	foundValue
	foundReference
)

// walk follows key from root. A reference is the hash in hash, reached after consumed nibbles of the key.
func walk(root common.Hash, key []byte, nodes [][]byte) (end outcome, value []byte, hash common.Hash, consumed int, err error) {
	if len(key) > maxNibbles/2 {
		return 0, nil, hash, 0, fmt.Errorf("%w: %d bytes", ErrKeySize, len(key))
	}
	path := nibbles(key)
	hash = root
	used, at := 0, 0
	if root == EmptyRoot {
		if len(nodes) != 0 {
			return 0, nil, hash, 0, fmt.Errorf("%w: of an empty trie", ErrUnusedNode)
		}
		return foundNothing, nil, hash, 0, nil
	}
	for used < len(nodes) {
		encoded := nodes[used]
		if crypto.Keccak256Hash(encoded) != hash {
			return 0, nil, hash, 0, fmt.Errorf("%w: node %d", ErrWrongNode, used)
		}
		used++
		kind := inlineChild
		for kind == inlineChild {
			n, err := decodeNode(encoded)
			if err != nil {
				return 0, nil, hash, 0, fmt.Errorf("node %d: %w", used-1, err)
			}
			var next span
			switch {
			case n.branch && at == len(path):
				if value, err = n.value(n.item(branchItems - 1)); err != nil {
					return 0, nil, hash, 0, err
				}
				end = foundNothing
				if len(value) > 0 {
					end = foundValue
				}
				return end, value, hash, at, allUsed(used, nodes)
			case n.branch:
				next = n.item(int(path[at]))
				at++
			case n.leaf:
				if !bytes.Equal(n.path, path[at:]) {
					return foundNothing, nil, hash, at, allUsed(used, nodes)
				}
				if value, err = n.leafValue(); err != nil {
					return 0, nil, hash, 0, err
				}
				return foundValue, value, hash, at, allUsed(used, nodes)
			default:
				if !bytes.HasPrefix(path[at:], n.path) {
					return foundNothing, nil, hash, at, allUsed(used, nodes)
				}
				next = n.second
				at += len(n.path)
			}
			if kind, hash, encoded, err = n.child(next); err != nil {
				return 0, nil, hash, 0, fmt.Errorf("node %d: %w", used-1, err)
			}
			if kind == noChild {
				return foundNothing, nil, hash, at, allUsed(used, nodes)
			}
		}
	}
	return foundReference, nil, hash, at, nil
}

func allUsed(used int, nodes [][]byte) error {
	if used != len(nodes) {
		return fmt.Errorf("%w: %d of %d used", ErrUnusedNode, used, len(nodes))
	}
	return nil
}

// Walk returns the value of key (at most 32 bytes; hashed by the caller where the trie is a secure one) in the trie of
// root, or present = false where the trie has none. Nodes are those that are referred to by hash on the key's path, root
// first: what go-ethereum's Trie.Prove and eth_getProof list. The value is a part of nodes.
//
// Errors: ErrInvalidRLP, ErrMalformedNode, ErrMissingNode, ErrWrongNode, ErrUnusedNode, ErrKeySize.
func Walk(root common.Hash, key []byte, nodes [][]byte) (value []byte, present bool, err error) {
	end, value, _, _, err := walk(root, key, nodes)
	if err != nil {
		return nil, false, err
	}
	if end == foundReference {
		return nil, false, fmt.Errorf("%w: after %d", ErrMissingNode, len(nodes))
	}
	return value, end == foundValue, nil
}

// WalkReference returns the hash of the node to which the nodes lead on the path of key, and the number of the key's
// nibbles up to it. With the witness of Walk less its last node, the leaf's, that is the leaf: one that is too large to be
// passed as a whole.
//
// With fewer nodes it is a branch or an extension instead, so the result is not yet unique: the same micro-step must pass
// the beginning of the preimage of hash, proven to be that (OP's PreimageOracle), to [LeafValueOffset], which accepts
// nothing but the leaf of key. Nothing may be committed to before.
//
// Errors: those of Walk without ErrMissingNode, and ErrNoReference where the key is absent or its leaf stands in its parent.
func WalkReference(root common.Hash, key []byte, nodes [][]byte) (hash common.Hash, consumed int, err error) {
	end, _, hash, consumed, err := walk(root, key, nodes)
	if err != nil {
		return common.Hash{}, 0, err
	}
	if end != foundReference {
		return common.Hash{}, 0, ErrNoReference
	}
	return hash, consumed, nil
}

// LeafPrefixLength is how many of a leaf's first bytes LeafValueOffset takes: what a PreimageOracle's first word has
// beside the preimage's length.
const LeafPrefixLength = 24

// maxLeafNibbles is the rest of a key that LeafValueOffset takes: the longest of an ordered trie.
const maxLeafNibbles = 8

// LeafValueOffset checks that a node of length bytes that begins with prefix is the leaf of key after consumed nibbles, and
// returns where in it the value begins; the value ends with the leaf. The bytes of prefix after the value's beginning are
// ignored. At most 8 nibbles of the key may be left, which is so in every ordered trie; the value has at least MinValueLength
// bytes and the leaf less than 2^32.
//
// Errors: ErrMalformedNode.
func LeafValueOffset(prefix [LeafPrefixLength]byte, length uint64, key []byte, consumed int) (int, error) {
	path := nibbles(key)
	if consumed > len(path) || len(path)-consumed > maxLeafNibbles || length >= 1<<32 {
		return 0, fmt.Errorf("%w: not a leaf of the key", ErrMalformedNode)
	}
	payload, ok := bodyLength(int(length))
	item := len(encodePath(path[consumed:], true))
	value, ok2 := bodyLength(payload - item)
	if !ok || !ok2 || value < MinValueLength {
		return 0, fmt.Errorf("%w: no leaf has %d bytes", ErrMalformedNode, length)
	}
	want := leafPrefix(path[consumed:], value)
	if !bytes.Equal(prefix[:len(want)], want) {
		return 0, fmt.Errorf("%w: not a leaf of the key", ErrMalformedNode)
	}
	return len(want), nil
}

// bodyLength is how long the content of an RLP item of total bytes is, header included, that is not a single byte. There
// is none of 57 bytes, for one.
func bodyLength(total int) (int, bool) {
	for size := 0; size <= 4; size++ {
		if body := total - 1 - size; body >= 0 && len(encodeHeader(0x80, body)) == 1+size {
			return body, true
		}
	}
	return 0, false
}

// leafPrefix is what stands before a leaf's value of length bytes; length > 1.
func leafPrefix(path []byte, length int) []byte {
	item := encodePath(path, true)
	header := encodeHeader(0x80, length)
	b := encodeHeader(0xc0, len(item)+len(header)+length)
	return append(append(b, item...), header...)
}
