package simulation

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// model is the state as the specification describes it: a map of records, a binary tree over them of which every node is an
// object, and go-ethereum's own trie for the message passer. It shares nothing with the engine's tries and stores.
type model struct {
	records map[record.Key][]byte
	root    *node
	passer  *trie.StateTrie
}

func newModel() *model {
	passer, err := trie.NewStateTrie(trie.TrieID(types.EmptyRootHash), triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	if err != nil {
		panic(err)
	}
	m := &model{records: map[record.Key][]byte{}, passer: passer}
	m.mark(crypto.Keccak256Hash([]byte("agnt2.messagePasser.seed")))
	return m
}

func (m *model) mark(slot common.Hash) {
	if err := m.passer.UpdateStorage(common.Address{}, slot[:], []byte{1}); err != nil {
		panic(err)
	}
}

// Get and DeadlineAfter make it the base of a block.
func (m *model) Get(k record.Key) []byte { return m.records[k] }

func (m *model) DeadlineAfter(after *record.Key) (k record.Key, ok bool) {
	if after == nil { // below the first of the queue
		for i := range k {
			k[i] = 0xff
		}
		k[0] = byte(record.NSDeadline) - 1
		after = &k
	}
	if n := m.root.after(after, 0); n != nil {
		return n.key, n.key[0] == byte(record.NSDeadline)
	}
	return k, false
}

// apply makes a block's changes and returns the two roots.
func (m *model) apply(changes []vm.Change, messages []common.Hash) (state, passer common.Hash) {
	for _, c := range changes {
		if c.New == nil {
			delete(m.records, c.Key)
			m.root = m.root.delete(&c.Key, 0)
			continue
		}
		m.records[c.Key] = c.New
		m.root = m.root.set(&c.Key, [32]byte(crypto.Keccak256(c.New)), 0)
	}
	for _, hash := range messages {
		m.mark(withdrawal.Slot(hash))
	}
	return m.root.sum(), m.passer.Hash()
}

// node is a leaf, or a branch on the bit of its depth. A branch has at least two leaves below it.
type node struct {
	leaf        bool
	key         record.Key
	value       [32]byte // hash of a leaf's record
	left, right *node
	hash        common.Hash
	hashed      bool
}

func (n *node) side(k *record.Key, depth int) **node {
	if k[depth/8]>>(7-depth%8)&1 == 0 {
		return &n.left
	}
	return &n.right
}

func (n *node) set(k *record.Key, value [32]byte, depth int) *node {
	switch {
	case n == nil:
		return &node{leaf: true, key: *k, value: value}
	case n.leaf && n.key == *k:
		n.value, n.hashed = value, false
		return n
	case n.leaf:
		branch := new(node)
		*branch.side(&n.key, depth) = n
		n = branch
	}
	s := n.side(k, depth)
	*s = (*s).set(k, value, depth+1)
	n.hashed = false
	return n
}

func (n *node) delete(k *record.Key, depth int) *node {
	if n.leaf {
		return nil
	}
	s := n.side(k, depth)
	*s = (*s).delete(k, depth+1)
	n.hashed = false
	if only := n.only(); only != nil && only.leaf {
		return only
	}
	return n
}

// only is a branch's child, if it has one alone.
func (n *node) only() *node {
	switch {
	case n.left == nil:
		return n.right
	case n.right == nil:
		return n.left
	}
	return nil
}

// after is the first leaf with a key above k.
func (n *node) after(k *record.Key, depth int) *node {
	switch {
	case n == nil:
		return nil
	case n.leaf:
		if bytes.Compare(n.key[:], k[:]) > 0 {
			return n
		}
		return nil
	}
	s := n.side(k, depth)
	if found := (*s).after(k, depth+1); found != nil || s == &n.right {
		return found
	}
	return n.right.first()
}

func (n *node) first() *node {
	for n != nil && !n.leaf {
		if n.left != nil {
			n = n.left
		} else {
			n = n.right
		}
	}
	return n
}

// sum is the hash of a subtree.
func (n *node) sum() common.Hash {
	if n == nil {
		return common.Hash{}
	}
	if !n.hashed {
		var b [65]byte
		if n.leaf {
			copy(b[1:], n.key[:])
			copy(b[33:], n.value[:])
		} else {
			b[0] = 1
			left, right := n.left.sum(), n.right.sum()
			copy(b[1:], left[:])
			copy(b[33:], right[:])
		}
		n.hash, n.hashed = crypto.Keccak256Hash(b[:]), true
	}
	return n.hash
}
