package manifest

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Domain tags. Without them an inner node's preimage would pass as an item.
const (
	leafTag  = 0x00
	innerTag = 0x01
)

func leaf(item []byte) common.Hash {
	return crypto.Keccak256Hash([]byte{leafTag}, item)
}

func inner(left, right common.Hash) common.Hash {
	return crypto.Keccak256Hash([]byte{innerTag}, left[:], right[:])
}

// fold replaces a level by the one above it, in place. The unpaired last node moves up unchanged.
func fold(level []common.Hash) []common.Hash {
	n := 0
	for i := 0; i < len(level); i += 2 {
		if i+1 < len(level) {
			level[n] = inner(level[i], level[i+1])
		} else {
			level[n] = level[i]
		}
		n++
	}
	return level[:n]
}

// root consumes its argument.
func root(level []common.Hash) common.Hash {
	if len(level) == 0 {
		return common.Hash{}
	}
	for len(level) > 1 {
		level = fold(level)
	}
	return level[0]
}

// prove consumes its argument.
func prove(level []common.Hash, i int) ([]common.Hash, error) {
	if i < 0 || i >= len(level) {
		return nil, fmt.Errorf("leaf %d of %d: %w", i, len(level), ErrOutsideRange)
	}
	var proof []common.Hash
	for len(level) > 1 {
		if sibling := i ^ 1; sibling < len(level) {
			proof = append(proof, level[sibling])
		}
		level = fold(level)
		i /= 2
	}
	return proof, nil
}

// Tree keeps every level, for many proofs of one root.
type Tree struct{ levels [][]common.Hash }

// NewTxTree is the tree of TxsRoot.
func NewTxTree(txHashes []common.Hash) *Tree {
	level := make([]common.Hash, len(txHashes))
	for i, h := range txHashes {
		level[i] = TxLeaf(h)
	}
	t := &Tree{levels: [][]common.Hash{level}}
	for len(level) > 1 {
		level = fold(append([]common.Hash(nil), level...))
		t.levels = append(t.levels, level)
	}
	return t
}

// Prove returns the siblings of leaf i, from the leaf up.
func (t *Tree) Prove(i int) ([]common.Hash, error) {
	if i < 0 || i >= len(t.levels[0]) {
		return nil, fmt.Errorf("leaf %d of %d: %w", i, len(t.levels[0]), ErrOutsideRange)
	}
	var proof []common.Hash
	for _, level := range t.levels {
		if sibling := i ^ 1; sibling < len(level) {
			proof = append(proof, level[sibling])
		}
		i /= 2
	}
	return proof, nil
}

// verify walks from a leaf to the root. count fixes at which levels the node has a sibling, so for every index there is one
// proof length and no other is accepted.
func verify(want, node common.Hash, index, count uint64, proof []common.Hash) error {
	if index >= count {
		return fmt.Errorf("leaf %d of %d: %w", index, count, ErrOutsideRange)
	}
	for ; count > 1; count, index = count/2+count%2, index/2 {
		if index^1 >= count {
			continue
		}
		if len(proof) == 0 {
			return fmt.Errorf("%w: too short", ErrProof)
		}
		if index%2 == 0 {
			node = inner(node, proof[0])
		} else {
			node = inner(proof[0], node)
		}
		proof = proof[1:]
	}
	if len(proof) != 0 {
		return fmt.Errorf("%w: too long", ErrProof)
	}
	if node != want {
		return ErrProof
	}
	return nil
}
