package patricia

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// EmptyRoot is the root of a trie without values: keccak256(0x80).
var EmptyRoot = types.EmptyRootHash

// maxNibbles is the length of the longest key, and so of the longest path in a node.
const maxNibbles = 64

// inlineLimit is the encoded size from which on a node is referred to by its hash; a smaller one stands in its parent.
const inlineLimit = 32

const branchItems = 17

// nibbles spells a key out, one nibble a byte.
func nibbles(key []byte) []byte {
	n := make([]byte, 2*len(key))
	for i, b := range key {
		n[2*i], n[2*i+1] = b>>4, b&15
	}
	return n
}

// span is a part of a payload: an item with its header.
type span struct{ start, end int }

// node is a decoded trie node. Its slices are parts of the encoding.
type node struct {
	payload []byte
	// A branch has no path; its items are payload[0:].
	branch bool
	leaf   bool
	path   []byte // nibbles of a leaf or an extension
	second span   // of a leaf the value's item, of an extension the child's
}

// splitList returns the payload of the list that b is, with nothing after it.
func splitList(b []byte) ([]byte, error) {
	payload, rest, err := rlp.SplitList(b)
	if err != nil || len(rest) != 0 {
		return nil, fmt.Errorf("%w: not one list", ErrInvalidRLP)
	}
	return payload, nil
}

func decodeNode(b []byte) (n node, err error) {
	if n.payload, err = splitList(b); err != nil {
		return n, err
	}
	items := 0
	for at := 0; at < len(n.payload); items++ {
		_, _, rest, err := rlp.Split(n.payload[at:])
		if err != nil {
			return n, fmt.Errorf("%w: item %d: %w", ErrInvalidRLP, items, err)
		}
		end := len(n.payload) - len(rest)
		if items == 1 {
			n.second = span{at, end}
		}
		at = end
	}
	switch items {
	case branchItems:
		n.branch = true
		return n, nil
	case 2:
		compact, _, err := rlp.SplitString(n.payload)
		if err != nil {
			return n, fmt.Errorf("%w: path: %w", ErrInvalidRLP, err)
		}
		n.leaf, n.path, err = decodePath(compact)
		return n, err
	}
	return n, fmt.Errorf("%w: %d items", ErrMalformedNode, items)
}

// decodePath undoes the hex-prefix encoding of the yellow paper's appendix C.
func decodePath(compact []byte) (leaf bool, path []byte, err error) {
	if len(compact) == 0 {
		return false, nil, fmt.Errorf("%w: no path", ErrMalformedNode)
	}
	path = nibbles(compact)
	flag := path[0]
	switch {
	case flag > 3:
		return false, nil, fmt.Errorf("%w: path flag %d", ErrMalformedNode, flag)
	case flag&1 == 1:
		path = path[1:]
	case path[1] != 0:
		return false, nil, fmt.Errorf("%w: path padding", ErrMalformedNode)
	default:
		path = path[2:]
	}
	if leaf = flag&2 != 0; !leaf && len(path) == 0 {
		return false, nil, fmt.Errorf("%w: extension without a path", ErrMalformedNode)
	}
	if len(path) > maxNibbles {
		return false, nil, fmt.Errorf("%w: path of %d nibbles", ErrMalformedNode, len(path))
	}
	return leaf, path, nil
}

// item returns where item i of a branch is.
func (n *node) item(i int) span {
	at := 0
	for ; i > 0; i-- {
		_, _, rest, _ := rlp.Split(n.payload[at:]) // decodeNode has read them all
		at = len(n.payload) - len(rest)
	}
	_, _, rest, _ := rlp.Split(n.payload[at:])
	return span{at, len(n.payload) - len(rest)}
}

func (n *node) bytes(s span) []byte { return n.payload[s.start:s.end] }

// value returns the string that the item at s is.
func (n *node) value(s span) ([]byte, error) {
	v, _, err := rlp.SplitString(n.bytes(s))
	if err != nil {
		return nil, fmt.Errorf("%w: value: %w", ErrInvalidRLP, err)
	}
	return v, nil
}

// leafValue is value, but a leaf cannot have an empty one.
func (n *node) leafValue() ([]byte, error) {
	v, err := n.value(n.second)
	if err == nil && len(v) == 0 {
		err = fmt.Errorf("%w: leaf without a value", ErrMalformedNode)
	}
	return v, err
}

type childKind int

const (
	noChild childKind = iota
	hashChild
	inlineChild
)

// child reads the reference to a node at s.
func (n *node) child(s span) (kind childKind, hash common.Hash, inline []byte, err error) {
	item := n.bytes(s)
	k, content, _, err := rlp.Split(item)
	switch {
	case err != nil:
		return 0, hash, nil, fmt.Errorf("%w: child: %w", ErrInvalidRLP, err)
	case k == rlp.List && len(item) < inlineLimit:
		return inlineChild, hash, item, nil
	case k == rlp.String && len(content) == 0 && n.branch:
		return noChild, hash, nil, nil
	case k == rlp.String && len(content) == 32:
		return hashChild, common.Hash(content), nil, nil
	}
	return 0, hash, nil, fmt.Errorf("%w: child of %d bytes", ErrMalformedNode, len(item))
}

// encodePath is the hex-prefix encoding as an RLP item.
func encodePath(path []byte, leaf bool) []byte {
	var flag byte
	if leaf {
		flag = 2
	}
	compact := make([]byte, 0, len(path)/2+1)
	if len(path)%2 == 1 {
		compact = append(compact, (flag+1)<<4|path[0])
		path = path[1:]
	} else {
		compact = append(compact, flag<<4)
	}
	for i := 0; i < len(path); i += 2 {
		compact = append(compact, path[i]<<4|path[i+1])
	}
	return encodeString(compact)
}

func encodeString(b []byte) []byte {
	if len(b) == 1 && b[0] < 0x80 {
		return b
	}
	return append(encodeHeader(0x80, len(b)), b...)
}

// encodeHeader is the RLP header of length bytes: of a string from base 0x80, of a list from 0xc0.
func encodeHeader(base byte, length int) []byte {
	if length <= 55 {
		return []byte{base + byte(length)}
	}
	var size []byte
	for n := length; n > 0; n >>= 8 {
		size = append([]byte{byte(n)}, size...)
	}
	return append([]byte{base + 55 + byte(len(size))}, size...)
}

func encodeList(items ...[]byte) []byte {
	n := 0
	for _, item := range items {
		n += len(item)
	}
	b := encodeHeader(0xc0, n)
	for _, item := range items {
		b = append(b, item...)
	}
	return b
}

// reference is how a parent refers to a node.
func reference(encoded []byte) []byte {
	if len(encoded) < inlineLimit {
		return encoded
	}
	return encodeString(crypto.Keccak256(encoded))
}

// encodePair is a branch with two children, given by their references.
func encodePair(i byte, first []byte, j byte, second []byte) []byte {
	items := make([][]byte, branchItems)
	for k := range items {
		items[k] = []byte{0x80}
	}
	items[i], items[j] = first, second
	return encodeList(items...)
}
