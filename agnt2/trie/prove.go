package trie

// Prove is the proof that key is present (VerifyInclusion) or absent (VerifyAbsence), whichever holds.
func (t *Trie) Prove(key Key) Proof {
	p, _ := t.prove(&key)
	return p
}

// ProveDelete is Prove with what UpdateFromProof needs to delete key: the preimage of its sibling, which moves up if it
// is a leaf and stays where it is if it is an inner node. For an absent key, and for an only one, it equals Prove.
func (t *Trie) ProveDelete(key Key) Proof {
	p, preimage := t.prove(&key)
	if p.Other == nil {
		p.SiblingPreimage = preimage
	}
	return p
}

// ProveFirst is the smallest key with a prefix, its value hash, and the proof for VerifyFirst; or, with ok false, the
// proof for VerifyNone. No proof exists for a prefix above 32 bytes: the result is then the zero Proof, false.
func (t *Trie) ProveFirst(prefix []byte) (p Proof, key Key, valueHash Hash, ok bool) {
	if len(prefix) > len(key) {
		return Proof{}, Key{}, Hash{}, false
	}
	if key, ok = t.First(prefix); ok {
		valueHash, _ = t.Get(key)
		return t.Prove(key), key, valueHash, true
	}
	var path Key
	copy(path[:], prefix)
	return t.Prove(path), Key{}, Hash{}, false
}

// prove walks down key's path. preimage is that of the last sibling if the walk ends at a leaf beside one.
func (t *Trie) prove(key *Key) (p Proof, preimage *[65]byte) {
	t.Root()
	sibling := func(depth int, h Hash) {
		p.Bitmap[depth>>3] |= 0x80 >> (depth & 7)
		p.Siblings = append(p.Siblings, h)
		p.Depth = depth + 1
	}
	var parent, beside ref
	r, depth := t.root, 0
	for r != 0 && r&refLeaf == 0 {
		l, pair := t.link(r), t.pair(r)
		branch := depth + int(l.chain&skipMask)
		if e := depth + t.matched(l.chain, depth, key); e < branch {
			// The path leaves the chain: it ends in an empty side, beside the rest of the chain.
			h := InnerHash(*side(pair, 0), *side(pair, 1))
			sibling(e, t.climb(h, l.chain, depth, branch, e+1))
			return p, nil
		}
		bit := bitAt(key, branch)
		sibling(branch, *side(pair, 1-bit))
		parent, beside = r, l.child[1-bit]
		r, depth = l.child[bit], branch+1
	}
	if r == 0 {
		return p, nil
	}
	if l := t.leaf(r & refIndex); *leafKey(l) != *key {
		p.Other = &OtherLeaf{Key: *leafKey(l), ValueHash: *leafValue(l)}
	}
	if parent != 0 {
		preimage = t.preimage(beside, depth)
	}
	return p, preimage
}

// climb takes the hash of a subtree at depth `from` up its chain, which starts at depth top, to depth `to`.
func (t *Trie) climb(h Hash, chain uint32, top, from, to int) Hash {
	for at := from - 1; at >= to; at-- {
		if t.chainBit(chain, top, at) == 0 {
			h = InnerHash(h, Hash{})
		} else {
			h = InnerHash(Hash{}, h)
		}
	}
	return h
}

// preimage is what the hash of the subtree r at depth is the hash of.
func (t *Trie) preimage(r ref, depth int) *[65]byte {
	out := new([65]byte)
	if r&refLeaf != 0 {
		out[0] = tagLeaf
		copy(out[1:], t.leaf(r & refIndex)[:])
		return out
	}
	l, pair := t.link(r), t.pair(r)
	out[0] = tagInner
	if l.chain&skipMask == 0 {
		copy(out[1:], pair[:])
		return out
	}
	h := InnerHash(*side(pair, 0), *side(pair, 1))
	h = t.climb(h, l.chain, depth, depth+int(l.chain&skipMask), depth+1)
	copy(out[1+32*t.chainBit(l.chain, depth, depth):], h[:])
	return out
}
