package trie

import (
	"bytes"
	"errors"
	"fmt"
)

// ErrKeyOrder is Build's error for a key that is not above the one before it.
var ErrKeyOrder = errors.New("trie: keys not strictly ascending")

// Build makes a trie from (key, value hash) pairs in strictly ascending key order, in linear time. next returns false
// after the last pair and is not called again. Neighbours in key order become neighbours in memory, so a built trie is
// also the quickest one to update.
func Build(next func() (Key, Hash, bool)) (*Trie, error) {
	t := New()
	// The path to the newest leaf: nodes whose right side is still open, with their branch depths, which ascend.
	type open struct {
		node   uint32
		branch int
	}
	var path []open
	var prev Key
	var done ref // the newest complete subtree
	branch := 0  // its branch depth, if it is a node

	// attach makes done the child of a parent that branches at depth p. prev lies below done.
	attach := func(parent uint32, p, bit int) {
		if done&refLeaf == 0 {
			t.setChain(done, &prev, p+1, branch)
		}
		t.link(parent).child[bit] = done | refDirty
	}
	// closeTo completes the nodes that branch below depth d.
	closeTo := func(d int) {
		for n := len(path) - 1; n >= 0 && path[n].branch > d; n-- {
			attach(path[n].node, path[n].branch, 1)
			done, branch = path[n].node, path[n].branch
			path = path[:n]
		}
	}
	for {
		key, value, ok := next()
		if !ok {
			break
		}
		if done != 0 {
			if bytes.Compare(prev[:], key[:]) >= 0 {
				return nil, fmt.Errorf("%w: %x after %x", ErrKeyOrder, key, prev)
			}
			d := commonBits(&prev, &key)
			closeTo(d)
			node := t.newNode()
			attach(node, d, 0)
			path = append(path, open{node, d})
		}
		prev, done = key, t.newLeaf(&key, &value)|refLeaf
	}
	if done == 0 {
		return t, nil
	}
	closeTo(-1)
	if done&refLeaf == 0 {
		t.setChain(done, &prev, 0, branch)
	}
	t.root = done | refDirty
	return t, nil
}
