// Package patricia is the Merkle-Patricia arithmetic of the fault-proof machine: walking L1's state, storage and receipt
// tries, inserting into the L2ToL1MessagePasser's storage trie, and building a block's transaction and receipt roots one
// item at a time. Rules: the Ethereum yellow paper, appendix D, as go-ethereum implements it.
//
// src/dispute/lib/Patricia.sol and OrderedTrie.sol mirror it function by function: an error here is the revert of the
// same name there. For given inputs without their witness (nodes, edge, held value) every function has at most one result,
// so a wrong, missing or superfluous witness must be an error and never another result. RLP is read strictly: what
// has a shorter encoding, or bytes after its end, is refused.
//
// Two things a caller must know:
//
//   - [WalkReference] alone does not prove that what it found is a leaf: see there.
//   - A trie's root must come from a block header or from this package. Roots of tries with inconsistent content are
//     refused where the inconsistency is seen, and nothing is promised about the rest.
package patricia

import "errors"

// Errors, each a custom error of the same name without "Err" in Solidity.
var (
	// ErrInvalidRLP: an item is truncated, not in its shortest form, followed by other bytes, or of the wrong kind.
	ErrInvalidRLP = errors.New("patricia: invalid RLP")
	// ErrMalformedNode: the RLP is valid but it is not that of a trie node.
	ErrMalformedNode = errors.New("patricia: malformed node")
	// ErrMissingNode: the witness ends before the path does.
	ErrMissingNode = errors.New("patricia: missing node")
	// ErrWrongNode: a node of the witness does not have the hash that its parent or the root names.
	ErrWrongNode = errors.New("patricia: node has another hash")
	// ErrUnusedNode: the path ends before the witness does.
	ErrUnusedNode = errors.New("patricia: unused node")
	// ErrNoReference: the path ends within the nodes of the witness, so there is no hash left to read elsewhere.
	ErrNoReference = errors.New("patricia: path ends before a reference")
	// ErrKeyPresent: the key to insert has a value.
	ErrKeyPresent = errors.New("patricia: key is present")
	// ErrValueSize: a value is shorter or longer than its trie can hold.
	ErrValueSize = errors.New("patricia: value size")
	// ErrKeySize: a key is longer than 32 bytes. Solidity's type of a key rules this out.
	ErrKeySize = errors.New("patricia: key size")
	// ErrWrongEdge: the edge does not have the committed hash.
	ErrWrongEdge = errors.New("patricia: edge has another hash")
	// ErrWrongValue: the bytes of a held value do not have its hash and length.
	ErrWrongValue = errors.New("patricia: held value has another hash or length")
	// ErrTrieFull: an ordered trie has MaxItems items.
	ErrTrieFull = errors.New("patricia: ordered trie is full")
	// ErrTrieEmpty: an ordered trie without items has no leaf to finish with.
	ErrTrieEmpty = errors.New("patricia: ordered trie is empty")
)
