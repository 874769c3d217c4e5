// Package history is the accumulator of pruned interactions: a Merkle mountain range whose peaks are one record of the state
// (record.History). An interaction that has left the state is proven against the state's root by that record's proof and one
// path in its mountain. The package does no I/O. Source: AGNT2 paper App. D.5; docs/spec/history.md.
package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// ErrProof says that a path does not lead from a leaf to the peaks.
var ErrProof = errors.New("history proof")

// Tags keep a node's preimage from passing as a leaf.
const (
	tagLeaf = 0
	tagNode = 1
)

// Leaf is what stands for a pruned interaction; recordHash is keccak256 of its record's bytes.
func Leaf(id, recordHash common.Hash) common.Hash { return tagged(tagLeaf, id, recordHash) }

// Node is the parent of two.
func Node(left, right common.Hash) common.Hash { return tagged(tagNode, left, right) }

func tagged(tag byte, a, b common.Hash) common.Hash {
	var x [65]byte
	x[0] = tag
	copy(x[1:], a[:])
	copy(x[33:], b[:])
	return common.Hash(trie.HashRecord(x[:]))
}

// Append adds a leaf.
func Append(h *record.History, leaf common.Hash) {
	n := len(h.Peaks)
	for c := h.Count; c&1 == 1; c >>= 1 {
		n--
		leaf = Node(h.Peaks[n], leaf)
	}
	h.Peaks = append(h.Peaks[:n], leaf)
	h.Count++
}

// Extend is an agent's interactionHistoryRoot after one more settled interaction: the hash of the root before, the id, and who
// got which answer when. It is less than the whole record so that one permutation of keccak suffices.
func Extend(root, id common.Hash, i *record.Interaction) common.Hash {
	var x [3*32 + 20 + 8 + 1 + 4]byte
	copy(x[:], root[:])
	copy(x[32:], id[:])
	copy(x[64:], i.ResultHash[:])
	copy(x[96:], i.Caller[:])
	binary.BigEndian.PutUint64(x[116:], i.SettledAt)
	x[124] = i.Status
	binary.BigEndian.PutUint32(x[125:], i.Branch)
	return common.Hash(trie.HashRecord(x[:]))
}

// Position of a node: that of height 0 with an index is the leaf with that index, that of height h covers the 2^h leaves from
// index·2^h on.
type Position struct {
	Height uint8
	Index  uint64
}

// Completes lists the nodes, from the lowest, that the leaf with this index completes. Each one's children are the nodes at
// twice its index, one height below, and after it.
func Completes(index uint64) (out []Position) {
	for h := uint8(1); index&1 == 1; h++ {
		index >>= 1
		out = append(out, Position{h, index})
	}
	return out
}

// mountain says which peak a leaf is under, and how high that is.
func mountain(count, index uint64) (peak int, height uint8, ok bool) {
	if index >= count {
		return 0, 0, false
	}
	// The mountain is that of the highest bit in which the two differ: below it the count has leaves that the index has not.
	height = uint8(bits.Len64(count^index) - 1)
	return bits.OnesCount64(count >> (height + 1)), height, true
}

// Path lists the nodes that prove the leaf with this index among count leaves, the sibling of the leaf first.
func Path(count, index uint64) (out []Position, ok bool) {
	_, height, ok := mountain(count, index)
	for h := range height {
		out = append(out, Position{h, index>>h ^ 1})
	}
	return out, ok
}

// MaxHeight of a mountain: the length of the longest path.
const MaxHeight = 63

// Fold returns the peak that a path leads to from the leaf with this index.
func Fold(leaf common.Hash, index uint64, path []common.Hash) common.Hash {
	for i, sibling := range path {
		if index>>i&1 == 0 {
			leaf = Node(leaf, sibling)
		} else {
			leaf = Node(sibling, leaf)
		}
	}
	return leaf
}

// VerifyPeak checks that the leaf with this index is under this peak, which is so high.
func VerifyPeak(h *record.History, node common.Hash, index uint64, height int) error {
	peak, high, ok := mountain(h.Count, index)
	switch {
	case !ok:
		return fmt.Errorf("%w: index %d of %d", ErrProof, index, h.Count)
	case height != int(high):
		return fmt.Errorf("%w: %d hashes, not %d", ErrProof, height, high)
	case peak >= len(h.Peaks):
		return fmt.Errorf("%w: %d peaks for %d leaves", ErrProof, len(h.Peaks), h.Count)
	case node != h.Peaks[peak]:
		return fmt.Errorf("%w: leads to %s, not to %s", ErrProof, node, h.Peaks[peak])
	}
	return nil
}

// Verify checks that a leaf has this index in the history.
func Verify(h *record.History, leaf common.Hash, index uint64, path []common.Hash) error {
	return VerifyPeak(h, Fold(leaf, index, path), index, len(path))
}

// VerifyInteraction checks that a pruned interaction is in the history that the record of a state says.
func VerifyInteraction(historyRecord []byte, id common.Hash, interaction []byte, index uint64, path []common.Hash) error {
	h, err := record.DecodeHistory(historyRecord)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return Verify(&h, Leaf(id, common.Hash(trie.HashRecord(interaction))), index, path)
}

// Clone is a copy that shares nothing.
func Clone(h record.History) record.History {
	return record.History{Count: h.Count, Peaks: slices.Clone(h.Peaks)}
}
