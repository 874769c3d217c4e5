package trie

import "bytes"

// Get is the value hash of a key.
func (t *Trie) Get(key Key) (Hash, bool) {
	if l := t.find(&key); l != nil {
		return *leafValue(l), true
	}
	return Hash{}, false
}

// find is the leaf of a key, nil if there is none. Chains are not compared: only the leaf can tell.
func (t *Trie) find(key *Key) *[64]byte {
	r, depth := t.root, 0
	if r == 0 {
		return nil
	}
	for r&refLeaf == 0 {
		l := t.link(r & refIndex)
		depth += int(l.chain & skipMask)
		r = l.child[bitAt(key, depth)]
		depth++
	}
	if l := t.leaf(r & refIndex); *leafKey(l) == *key {
		return l
	}
	return nil
}

// First is the smallest key that begins with prefix.
func (t *Trie) First(prefix []byte) (Key, bool) {
	var from Key
	if len(prefix) > len(from) {
		return Key{}, false
	}
	copy(from[:], prefix)
	key, ok := t.seek(&from)
	if !ok || !bytes.HasPrefix(key[:], prefix) {
		return Key{}, false
	}
	return key, true
}

// Next is the smallest key above key.
func (t *Trie) Next(key Key) (Key, bool) {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i]++; key[i] != 0 {
			return t.seek(&key)
		}
	}
	return Key{}, false
}

// seek is the smallest key not below from.
func (t *Trie) seek(from *Key) (Key, bool) {
	r, depth := t.root, 0
	var above ref // the nearest subtree to the right of the path
	for r != 0 {
		if r&refLeaf != 0 {
			if l := t.leaf(r & refIndex); bytes.Compare(leafKey(l)[:], from[:]) >= 0 {
				return *leafKey(l), true
			}
			break
		}
		l := t.link(r & refIndex)
		skip := int(l.chain & skipMask)
		if m := t.matched(l.chain, depth, from); m < skip {
			if bitAt(from, depth+m) == 0 { // the whole subtree is above
				return *t.leftmost(r), true
			}
			break
		}
		depth += skip
		bit := bitAt(from, depth)
		if bit == 0 {
			above = l.child[1]
		}
		r, depth = l.child[bit], depth+1
	}
	if above == 0 {
		return Key{}, false
	}
	return *t.leftmost(above), true
}
