package origin

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// ErrWrongWalk reports trie nodes that do not lead from the root towards the key.
var ErrWrongWalk = errors.New("origin: trie nodes do not lead to the receipt")

// receiptKey returns the path of receipt i in the receipts trie: the nibbles of rlp(i).
func receiptKey(i uint64) []byte {
	var number [8]byte
	for n := range number {
		number[n] = byte(i >> (56 - 8*n))
	}
	key := appendUint(nil, number[:])
	nibbles := make([]byte, 0, 2*len(key))
	for _, c := range key {
		nibbles = append(nibbles, c>>4, c&15)
	}
	return nibbles
}

// walk follows the path from the root through inner nodes, all of which must lie on it. It ends where the path leaves the
// trie (absent), or at the reference of a node that is not given, which the caller must prove to be a leaf; rest is the path
// left at that point. In a receipts trie every node is referred to by its hash, none by its text, for each is longer than 31
// bytes: a receipt has a bloom filter, and an inner node a hash.
func walk(root common.Hash, path []byte, nodes [][]byte) (ref common.Hash, rest []byte, absent bool, err error) {
	ref, rest = root, path
	absent = root == types.EmptyReceiptsHash
	for i, node := range nodes {
		if absent {
			return ref, rest, absent, fmt.Errorf("%w: node %d behind the end", ErrWrongWalk, i)
		}
		if crypto.Keccak256Hash(node) != ref {
			return ref, rest, absent, fmt.Errorf("%w: node %d is not %s", ErrWrongWalk, i, ref)
		}
		if ref, rest, absent, err = descend(node, rest); err != nil {
			return ref, rest, absent, fmt.Errorf("node %d: %w", i, err)
		}
	}
	return ref, rest, absent, nil
}

// descend follows the path through one inner node.
func descend(node, path []byte) (child common.Hash, rest []byte, absent bool, err error) {
	length := uint64(len(node))
	list, err := readList(node, 0, length)
	if err != nil {
		return child, nil, false, err
	}
	if list.end != length {
		return child, nil, false, fmt.Errorf("%w: bytes behind a node", ErrMalformedRLP)
	}
	// All items, with the place of the child that the path names; a branch has 17, an extension 2.
	var first, second, named item
	count := 0
	for at := list.start; at < length; count++ {
		it, err := readString(node, at, length)
		if err != nil {
			return child, nil, false, err
		}
		switch count {
		case 0:
			first = it
		case 1:
			second = it
		}
		if len(path) > 0 && count == int(path[0]) {
			named = it
		}
		at = it.end
	}
	switch count {
	case 17:
		if len(path) == 0 {
			return child, nil, false, fmt.Errorf("%w: path ends at a branch", ErrWrongWalk)
		}
		rest = path[1:]
		if named.start == named.end {
			return child, rest, true, nil
		}
	case 2:
		leaf, shared, err := compactPath(node[first.start:first.end])
		if err != nil {
			return child, nil, false, err
		}
		if leaf {
			return child, nil, false, fmt.Errorf("%w: leaf instead of an inner node", ErrWrongWalk)
		}
		if !bytes.HasPrefix(path, shared) {
			return child, path, true, nil
		}
		rest, named = path[len(shared):], second
	default:
		return child, nil, false, fmt.Errorf("%w: node of %d items", ErrMalformedRLP, count)
	}
	if named.end-named.start != 32 {
		return child, nil, false, fmt.Errorf("%w: reference of %d bytes", ErrMalformedRLP, named.end-named.start)
	}
	return common.Hash(node[named.start:named.end]), rest, false, nil
}

// compactPath decodes a node's hex-prefix path.
func compactPath(b []byte) (leaf bool, nibbles []byte, err error) {
	if len(b) == 0 || b[0] >= 0x40 || b[0]&0x10 == 0 && b[0]&0x0f != 0 {
		return false, nil, fmt.Errorf("%w: hex-prefix path %x", ErrMalformedRLP, b)
	}
	if b[0]&0x10 != 0 {
		nibbles = append(nibbles, b[0]&0x0f)
	}
	for _, c := range b[1:] {
		nibbles = append(nibbles, c>>4, c&15)
	}
	return b[0]&0x20 != 0, nibbles, nil
}

// readLeaf reads the head of a leaf of the given length, in bytes. It tells whether the leaf lies at the rest of the path, and
// where the receipt starts; the receipt ends with the leaf.
func readLeaf(head []byte, length uint64, rest []byte) (present bool, start uint64, err error) {
	list, err := readList(head, 0, length)
	if err != nil {
		return false, 0, err
	}
	key, err := readString(head, list.start, length)
	if err != nil {
		return false, 0, err
	}
	if key.end > uint64(len(head)) {
		return false, 0, fmt.Errorf("%w: path of %d bytes", ErrMalformedRLP, key.end-key.start)
	}
	value, err := readString(head, key.end, length)
	if err != nil {
		return false, 0, err
	}
	if list.end != length || value.end != length {
		return false, 0, fmt.Errorf("%w: leaf of %d bytes does not end with its value", ErrMalformedRLP, length)
	}
	leaf, path, err := compactPath(head[key.start:key.end])
	if err != nil {
		return false, 0, err
	}
	if !leaf {
		return false, 0, fmt.Errorf("%w: inner node instead of a leaf", ErrWrongWalk)
	}
	return bytes.Equal(path, rest), value.start, nil
}

// readReceipt reads the head of the receipt that starts at start and ends with the leaf. It returns the place of the logs'
// list, empty if the transaction failed.
func readReceipt(head []byte, start, end uint64) (logs item, err error) {
	if start >= uint64(len(head)) {
		return item{}, fmt.Errorf("%w: receipt starts outside", ErrMalformedRLP)
	}
	kind := head[start]
	switch {
	case kind >= 0xc0: // a list: the receipt of a legacy transaction
	case kind > 0 && kind < 0x80:
		start++
	default:
		return item{}, fmt.Errorf("%w: receipt of type %d", ErrMalformedRLP, kind)
	}
	list, err := readList(head, start, end)
	if err != nil {
		return item{}, err
	}
	status, err := readString(head, list.start, list.end)
	if err != nil {
		return item{}, err
	}
	gas, err := readString(head, status.end, list.end)
	if err != nil {
		return item{}, err
	}
	bloom, err := readString(head, gas.end, list.end)
	if err != nil {
		return item{}, err
	}
	if logs, err = readList(head, bloom.end, list.end); err != nil {
		return item{}, err
	}
	// The receipt of a deposit has further fields behind its logs; an L1 that is itself an OP chain has those.
	if list.end != end || bloom.end-bloom.start != types.BloomByteLength || logs.end != end && kind != types.DepositTxType {
		return item{}, fmt.Errorf("%w: receipt of %d bytes", ErrMalformedRLP, end-start)
	}
	switch {
	case status.end-status.start == 1 && head[status.start] == 1:
		return logs, nil
	case status.end == status.start, status.end-status.start == 32: // failed; before Byzantium, not told
		return item{list: true, start: logs.start, end: logs.start}, nil
	default:
		return item{}, fmt.Errorf("%w: status of a receipt", ErrMalformedRLP)
	}
}
