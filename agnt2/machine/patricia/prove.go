package patricia

import (
	"bytes"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethdb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb/database"
)

// Prover is a trie that can prove its keys, such as go-ethereum's.
type Prover interface {
	Prove(key []byte, to ethdb.KeyValueWriter) error
}

// Prove returns the witness of Walk for a key, present or not, and that of Insert for an absent one. The trie must have been
// hashed (Trie.Hash) since its last change.
func Prove(t Prover, key []byte) ([][]byte, error) {
	var nodes nodeList
	if err := t.Prove(key, &nodes); err != nil {
		return nil, fmt.Errorf("prove key 0x%x: %w", key, err)
	}
	return nodes, nil
}

// ProveReference returns the witness of WalkReference for a present key, and the leaf that it leads to.
func ProveReference(t Prover, key []byte) (nodes [][]byte, leaf []byte, err error) {
	if nodes, err = Prove(t, key); err != nil {
		return nil, nil, err
	}
	if len(nodes) > 0 {
		leaf = nodes[len(nodes)-1]
		if n, err := decodeNode(leaf); err == nil && n.leaf {
			return nodes[:len(nodes)-1], leaf, nil
		}
	}
	return nil, nil, fmt.Errorf("prove key 0x%x: %w", key, ErrNoReference)
}

// IndexKey is the key of an index in a trie of transactions or receipts, for Walk and WalkReference.
func IndexKey(index uint64) []byte { return rlp.AppendUint64(nil, index) }

// ListTrie is the whole ordered trie of a list in memory, for proofs out of it. Its root is DeriveSha's.
func ListTrie(values [][]byte) (*trie.Trie, error) {
	t := trie.NewEmpty(noNodes{})
	for i, v := range values {
		if err := t.Update(IndexKey(uint64(i)), v); err != nil {
			return nil, fmt.Errorf("list item %d: %w", i, err)
		}
	}
	t.Hash()
	return t, nil
}

// EncodedItems is the values of a list's trie: each transaction or receipt as its leaf has it (of a deposit's receipt, not
// always what MarshalBinary gives).
func EncodedItems(list types.DerivableList) [][]byte {
	values := make([][]byte, list.Len())
	for i := range values {
		var b bytes.Buffer
		list.EncodeIndex(i, &b)
		values[i] = b.Bytes()
	}
	return values
}

type nodeList [][]byte

func (l *nodeList) Put(_, node []byte) error { *l = append(*l, common.CopyBytes(node)); return nil }
func (l *nodeList) Delete([]byte) error      { return nil }

// noNodes is the database of a trie that is in memory as a whole.
type noNodes struct{}

func (noNodes) NodeReader(common.Hash) (database.NodeReader, error) { return noNodes{}, nil }

func (noNodes) Node(_ common.Hash, path []byte, hash common.Hash) ([]byte, error) {
	return nil, fmt.Errorf("%w: %s at %x", ErrMissingNode, hash, path)
}
