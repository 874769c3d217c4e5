package trie

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync/atomic"
)

// Errors of a Partial.
var (
	// ErrUnknown: the answer lies in a subtree of which only the hash is known.
	ErrUnknown = errors.New("trie: path is not known")
	// ErrMultiproof: the bytes are no multiproof, or one for another root.
	ErrMultiproof = errors.New("trie: malformed multiproof")
)

// maxPartialNodes bounds what a multiproof may unfold to: over ten times what a full block touches at a million records,
// and about a gigabyte of memory. Chains take half a byte a level, so the input's own size does not bound it well enough.
const maxPartialNodes = 1 << 24

// Partial is a sparse copy of a trie: it knows the paths that it was given and holds everything else as hashes. It
// answers and proves exactly what the full trie would, or ErrUnknown. The prover walks a block with it.
//
// Nodes are shared between snapshots and copied when written, so that a version costs what it changed. Hashes are
// computed when asked for and kept. Set and the methods that hash (Root, and through it the provers) need exclusive
// access to a Partial and to all snapshots that share its unhashed nodes; after Root, and until the next Set, every
// method but Set and Snapshot only reads, and snapshots taken then may be used by different goroutines.
type Partial struct {
	root   *partialNode
	epoch  uint32         // nodes of this epoch belong to this Partial alone
	epochs *atomic.Uint32 // last epoch given out among all that share nodes
}

type partialKind uint8

const (
	partialEmpty partialKind = iota // only in the encoding: in memory it is nil
	partialStub                     // only the hash is known, not even whether it is a leaf
	partialLeaf
	partialInner
)

type partialNode struct {
	hash   Hash // if hashed
	child  [2]*partialNode
	leaf   *OtherLeaf
	epoch  uint32
	kind   partialKind
	hashed bool
}

func stubOf(h Hash) *partialNode {
	if h == (Hash{}) {
		return nil
	}
	return &partialNode{kind: partialStub, hash: h, hashed: true}
}

func leafOf(key Key, value Hash) *partialNode {
	return &partialNode{kind: partialLeaf, leaf: &OtherLeaf{Key: key, ValueHash: value}}
}

// NewPartial returns a copy of the trie with this root that knows nothing but the root.
func NewPartial(root Hash) *Partial { return newPartial(stubOf(root)) }

func newPartial(root *partialNode) *Partial {
	p := &Partial{root: root, epochs: new(atomic.Uint32)}
	p.epoch = p.epochs.Add(1)
	return p
}

// Snapshot returns a copy, at no cost but the later copying of what either writes. Both are usable from then on.
func (p *Partial) Snapshot() *Partial {
	s := &Partial{root: p.root, epoch: p.epochs.Add(1), epochs: p.epochs}
	p.epoch = p.epochs.Add(1)
	return s
}

// Root is the root of the trie as it is now, zero if it is empty. It hashes what has changed since the last call.
func (p *Partial) Root() Hash { return p.root.sum() }

func (n *partialNode) sum() Hash {
	switch {
	case n == nil:
		return Hash{}
	case n.hashed:
		return n.hash
	case n.kind == partialLeaf:
		n.hash = LeafHash(n.leaf.Key, n.leaf.ValueHash)
	default:
		n.hash = InnerHash(n.child[0].sum(), n.child[1].sum())
	}
	n.hashed = true
	return n.hash
}

func unknown(key *Key, depth int) error {
	return fmt.Errorf("%w: %x below depth %d", ErrUnknown, *key, depth)
}

// Get is the value hash of a key.
func (p *Partial) Get(key Key) (valueHash Hash, present bool, err error) {
	n, depth := p.root, 0
	for n != nil && n.kind == partialInner {
		n = n.child[bitAt(&key, depth)]
		depth++
	}
	switch {
	case n == nil:
		return Hash{}, false, nil
	case n.kind == partialStub:
		return Hash{}, false, unknown(&key, depth)
	case n.leaf.Key == key:
		return n.leaf.ValueHash, true, nil
	}
	return Hash{}, false, nil
}

// Set gives key a value hash, or deletes it if valueHash is nil. On ErrUnknown nothing has changed. A deletion also needs
// to know whether the key's sibling is a leaf.
func (p *Partial) Set(key Key, valueHash *Hash) error {
	n, changed, err := p.set(p.root, 0, &key, valueHash)
	if err == nil && changed {
		p.root = n
	}
	return err
}

// set returns what n, at depth, becomes. Errors come from the way down or from the deleted leaf's parent, before anything
// is written.
func (p *Partial) set(n *partialNode, depth int, key *Key, value *Hash) (_ *partialNode, changed bool, err error) {
	switch {
	case n == nil:
		if value == nil {
			return nil, false, nil
		}
		return leafOf(*key, *value), true, nil
	case n.kind == partialStub:
		return nil, false, unknown(key, depth)
	case n.kind == partialLeaf:
		switch same := n.leaf.Key == *key; {
		case value == nil && same:
			return nil, true, nil
		case value == nil, same && n.leaf.ValueHash == *value:
			return n, false, nil
		case same:
			return leafOf(*key, *value), true, nil
		}
		return p.part(n, leafOf(*key, *value), depth), true, nil
	}
	bit := bitAt(key, depth)
	c, changed, err := p.set(n.child[bit], depth+1, key, value)
	if err != nil || !changed {
		return n, false, err
	}
	if beside := n.child[1-bit]; beside == nil {
		if c == nil || c.kind == partialLeaf { // the last one of two: it rises
			return c, true, nil
		}
	} else if c == nil {
		switch beside.kind {
		case partialStub:
			return nil, false, fmt.Errorf("%w: sibling of %x at depth %d", ErrUnknown, *key, depth+1)
		case partialLeaf:
			return beside, true, nil
		}
	}
	n = p.own(n)
	n.child[bit] = c
	return n, true, nil
}

// own returns an unhashed node with n's children that this Partial may write.
func (p *Partial) own(n *partialNode) *partialNode {
	if n.epoch != p.epoch {
		return p.inner(n.child)
	}
	n.hashed = false
	return n
}

func (p *Partial) inner(child [2]*partialNode) *partialNode {
	return &partialNode{kind: partialInner, child: child, epoch: p.epoch}
}

// part makes the subtree at depth of two leaves.
func (p *Partial) part(a, b *partialNode, depth int) *partialNode {
	at := commonBits(&a.leaf.Key, &b.leaf.Key)
	var pair [2]*partialNode
	bit := bitAt(&a.leaf.Key, at)
	pair[bit], pair[1-bit] = a, b
	n := p.inner(pair)
	for at--; at >= depth; at-- {
		var one [2]*partialNode
		one[bitAt(&a.leaf.Key, at)] = n
		n = p.inner(one)
	}
	return n
}

// Next is the smallest key that begins with prefix and is not below from, and its value hash.
func (p *Partial) Next(prefix byte, from Key) (key Key, valueHash Hash, ok bool, err error) {
	var path Key
	path[0] = prefix
	n, depth := p.root, 0
	for n != nil && n.kind == partialInner && depth < 8 {
		n = n.child[bitAt(&path, depth)]
		depth++
	}
	switch c := int(prefix) - int(from[0]); {
	case c < 0:
		n = nil // all of them are below from
	case c > 0:
		from = path
	}
	l, err := n.seek(depth, &from)
	if err != nil {
		return Key{}, Hash{}, false, err
	}
	if l == nil || l.Key[0] != prefix {
		return Key{}, Hash{}, false, nil
	}
	return l.Key, l.ValueHash, true, nil
}

// seek is the subtree's first leaf that is not below from; from lies on the subtree's path.
func (n *partialNode) seek(depth int, from *Key) (*OtherLeaf, error) {
	switch {
	case n == nil:
		return nil, nil
	case n.kind == partialStub:
		return nil, unknown(from, depth)
	case n.kind == partialLeaf:
		if bytes.Compare(n.leaf.Key[:], from[:]) < 0 {
			return nil, nil
		}
		return n.leaf, nil
	}
	bit := bitAt(from, depth)
	l, err := n.child[bit].seek(depth+1, from)
	if l != nil || err != nil || bit == 1 {
		return l, err
	}
	return n.child[1].first(from, depth+1)
}

// first is the subtree's smallest leaf.
func (n *partialNode) first(from *Key, depth int) (*OtherLeaf, error) {
	for ; n != nil; depth++ {
		switch n.kind {
		case partialStub:
			return nil, unknown(from, depth)
		case partialLeaf:
			return n.leaf, nil
		}
		if n.child[0] != nil {
			n = n.child[0]
		} else {
			n = n.child[1]
		}
	}
	return nil, nil
}

// Prove is Trie.Prove.
func (p *Partial) Prove(key Key) (Proof, error) {
	proof, _, err := p.prove(&key)
	return proof, err
}

// ProveDelete is Trie.ProveDelete.
func (p *Partial) ProveDelete(key Key) (Proof, error) {
	proof, beside, err := p.prove(&key)
	if err != nil || proof.Other != nil || beside == nil {
		return proof, err
	}
	proof.SiblingPreimage = new([65]byte)
	q := proof.SiblingPreimage
	switch beside.kind {
	case partialStub:
		return Proof{}, fmt.Errorf("%w: sibling of %x at depth %d", ErrUnknown, key, proof.Depth)
	case partialLeaf:
		q[0] = tagLeaf
		copy(q[1:], beside.leaf.Key[:])
		copy(q[33:], beside.leaf.ValueHash[:])
	default:
		q[0] = tagInner
		for bit, c := range beside.child {
			h := c.sum()
			copy(q[1+32*bit:], h[:])
		}
	}
	return proof, nil
}

// ProveFirst is Trie.ProveFirst for a prefix of one byte, a namespace.
func (p *Partial) ProveFirst(prefix byte) (proof Proof, key Key, valueHash Hash, ok bool, err error) {
	path := Key{prefix}
	if key, valueHash, ok, err = p.Next(prefix, path); err != nil {
		return Proof{}, Key{}, Hash{}, false, err
	}
	if ok {
		path = key
	}
	if proof, err = p.Prove(path); err != nil {
		return Proof{}, Key{}, Hash{}, false, err
	}
	return proof, key, valueHash, ok, nil
}

// prove walks down key's path. beside is the last sibling if the walk ends at a leaf.
func (p *Partial) prove(key *Key) (proof Proof, beside *partialNode, err error) {
	p.Root()
	n, depth := p.root, 0
	for n != nil && n.kind == partialInner {
		bit := bitAt(key, depth)
		beside = n.child[1-bit]
		if beside != nil {
			proof.Bitmap[depth>>3] |= 0x80 >> (depth & 7)
			proof.Siblings = append(proof.Siblings, beside.sum())
		}
		n = n.child[bit]
		depth++
	}
	proof.Depth = depth
	switch {
	case n == nil:
		return proof, nil, nil
	case n.kind == partialStub:
		return Proof{}, nil, unknown(key, depth)
	case n.leaf.Key != *key:
		other := *n.leaf
		proof.Other = &other
	}
	return proof, beside, nil
}

// AddProof makes a path known: that of key, which has this value hash or, if it is nil, is absent. The proof is verified
// against the present root first. One from ProveDelete makes the sibling's shape known too.
func (p *Partial) AddProof(key Key, valueHash *Hash, proof Proof) error {
	root := p.Root()
	end := NewPartial(Hash{})
	if valueHash != nil {
		if err := VerifyInclusion(root, key, *valueHash, proof); err != nil {
			return err
		}
		end.root = leafOf(key, *valueHash)
	} else {
		if err := VerifyAbsence(root, key, proof); err != nil {
			return err
		}
		if o := proof.Other; o != nil {
			end.root = leafOf(o.Key, o.ValueHash)
		}
	}
	// The path as a subtree of its own, from the end upwards; then both are laid over each other.
	n, at := end.root, len(proof.Siblings)
	for i := proof.Depth - 1; i >= 0; i-- {
		var child [2]*partialNode
		bit := bitAt(&key, i)
		child[bit] = n
		if bitAt(&proof.Bitmap, i) == 1 {
			at--
			child[1-bit] = stubOf(proof.Siblings[at])
			if q := proof.SiblingPreimage; q != nil && i == proof.Depth-1 {
				child[1-bit] = unfold(q)
				if q[0] == tagInner && proof.Depth == keyBits {
					return fmt.Errorf("%w: inner node below the last bit of %x", ErrProofShape, key)
				}
			}
		}
		n = p.inner(child)
	}
	n.sum()
	p.root = p.overlay(p.root, n)
	return nil
}

// unfold is the node with a preimage, one level deep.
func unfold(q *[65]byte) *partialNode {
	if q[0] == tagLeaf {
		return leafOf(Key(q[1:33]), Hash(q[33:]))
	}
	return &partialNode{kind: partialInner, child: [2]*partialNode{stubOf(Hash(q[1:33])), stubOf(Hash(q[33:]))}}
}

// overlay joins what two nodes with the same hash know. It writes nothing, so that snapshots stay as they are.
func (p *Partial) overlay(a, b *partialNode) *partialNode {
	switch {
	case a == nil || a.kind == partialStub:
		return b
	case b == nil || b.kind != partialInner || a.kind != partialInner:
		return a
	}
	n := p.inner([2]*partialNode{p.overlay(a.child[0], b.child[0]), p.overlay(a.child[1], b.child[1])})
	n.hash, n.hashed = a.hash, a.hashed
	return n
}

// Encode is the multiproof: everything that p knows, in one canonical form. With the nodes in the order root, left
// subtree, right subtree:
//
//	number of nodes (4 bytes) ‖ their kinds, 2 bits each, first one highest, zero-padded to a byte ‖ their contents
//
// Kinds: 0 empty subtree; 1 unknown subtree, 32 bytes of hash; 2 leaf, 32 bytes of key and 32 of value hash; 3 inner node,
// no content, its two sides follow.
func (p *Partial) Encode() []byte {
	var kinds []partialKind
	payload := 0
	p.root.walk(func(n *partialNode, kind partialKind) {
		kinds = append(kinds, kind)
		payload += kind.payload()
	})
	head := 4 + (len(kinds)+3)/4
	out := make([]byte, head, head+payload)
	binary.BigEndian.PutUint32(out, uint32(len(kinds)))
	for i, k := range kinds {
		out[4+i/4] |= byte(k) << (6 - 2*(i%4))
	}
	p.root.walk(func(n *partialNode, kind partialKind) {
		switch kind {
		case partialStub:
			out = append(out, n.hash[:]...)
		case partialLeaf:
			out = append(append(out, n.leaf.Key[:]...), n.leaf.ValueHash[:]...)
		}
	})
	return out
}

// payload is the size of a node's content in the encoding.
func (k partialKind) payload() int { return [...]int{0, 32, 64, 0}[k] }

func (n *partialNode) walk(visit func(*partialNode, partialKind)) {
	if n == nil {
		visit(nil, partialEmpty)
		return
	}
	visit(n, n.kind)
	if n.kind == partialInner {
		n.child[0].walk(visit)
		n.child[1].walk(visit)
	}
}

// DecodePartial accepts exactly what Encode makes of a Partial with this root.
func DecodePartial(root Hash, b []byte) (*Partial, error) {
	p, err := decodePartial(b)
	if err != nil {
		return nil, err
	}
	if got := p.Root(); got != root {
		return nil, fmt.Errorf("%w: root is %x, not %x", ErrMultiproof, got, root)
	}
	return p, nil
}

func decodePartial(b []byte) (*Partial, error) {
	p := newPartial(nil)
	d := partialDecoder{p: p}
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", ErrMultiproof, len(b))
	}
	count := uint64(binary.BigEndian.Uint32(b))
	if b = b[4:]; count > maxPartialNodes || uint64(len(b)) < (count+3)/4 {
		return nil, fmt.Errorf("%w: %d nodes in %d bytes", ErrMultiproof, count, len(b))
	}
	d.left, d.kinds, d.content = int(count), b[:(count+3)/4], b[(count+3)/4:]
	var path Key
	n, err := d.node(&path, 0)
	if err != nil {
		return nil, err
	}
	if d.left != 0 || len(d.content) != 0 {
		return nil, fmt.Errorf("%w: %d nodes and %d bytes too many", ErrMultiproof, d.left, len(d.content))
	}
	if pad := count % 4; pad != 0 && d.kinds[len(d.kinds)-1]<<(2*pad) != 0 {
		return nil, fmt.Errorf("%w: padding", ErrMultiproof)
	}
	p.root = n
	return p, nil
}

type partialDecoder struct {
	p       *Partial
	kinds   []byte
	content []byte
	at      int
	left    int // nodes to come
}

// node reads the subtree at depth on path, whose bits from depth on are zero.
func (d *partialDecoder) node(path *Key, depth int) (*partialNode, error) {
	if d.left == 0 {
		return nil, fmt.Errorf("%w: nodes are missing", ErrMultiproof)
	}
	kind := partialKind(d.kinds[d.at/4]>>(6-2*(d.at%4))) & 3
	d.at++
	d.left--
	size := kind.payload()
	if len(d.content) < size {
		return nil, fmt.Errorf("%w: content is missing", ErrMultiproof)
	}
	content := d.content[:size]
	d.content = d.content[size:]
	switch kind {
	case partialEmpty:
		return nil, nil
	case partialStub:
		n := stubOf(Hash(content))
		if n == nil {
			return nil, fmt.Errorf("%w: zero hash", ErrMultiproof)
		}
		return n, nil
	case partialLeaf:
		n := leafOf(Key(content[:32]), Hash(content[32:]))
		if commonBits(&n.leaf.Key, path) < depth {
			return nil, fmt.Errorf("%w: leaf %x is off its path", ErrMultiproof, n.leaf.Key)
		}
		return n, nil
	}
	if depth == keyBits {
		return nil, fmt.Errorf("%w: inner node below the last bit", ErrMultiproof)
	}
	var child [2]*partialNode
	var err error
	if child[0], err = d.node(path, depth+1); err != nil {
		return nil, err
	}
	path[depth>>3] |= 0x80 >> (depth & 7)
	child[1], err = d.node(path, depth+1)
	path[depth>>3] &^= 0x80 >> (depth & 7)
	if err != nil {
		return nil, err
	}
	for bit, c := range child {
		if c == nil && (child[1-bit] == nil || child[1-bit].kind == partialLeaf) {
			return nil, fmt.Errorf("%w: inner node over fewer than two leaves", ErrMultiproof)
		}
	}
	return d.p.inner(child), nil
}

// Queue asks for the head of a namespace that is worked off in order of keys: its first First entries and the one after
// them, so that each of them can be shown to be the first and be deleted, and then that the next one, or none, is left.
type Queue struct {
	Prefix byte
	First  int
}

// Partial returns what has to be known to read, insert, update and delete any of the keys, in any order and as often as
// one likes, with all proofs, and to work off the queues.
//
// That is the keys' paths, and one thing more: where all that is on one side of a node can be deleted, the preimage of
// the other side. A leaf there would rise, and keys whose sibling it becomes would need its preimage for their deletion.
func (t *Trie) Partial(keys []Key, queues ...Queue) *Partial {
	root := t.Root()
	keys = append([]Key(nil), keys...)
	for _, q := range queues {
		k, ok := t.First([]byte{q.Prefix})
		if !ok {
			keys = append(keys, Key{q.Prefix})
		}
		for n := 0; ok && k[0] == q.Prefix && n <= q.First; n++ {
			keys = append(keys, k)
			k, ok = t.Next(k)
		}
	}
	sort.Slice(keys, func(i, j int) bool { return bytes.Compare(keys[i][:], keys[j][:]) < 0 })
	p := newPartial(nil)
	p.root, _ = t.known(place{r: t.root, hash: &root}, keys)
	return p
}

// ProveMany is the encoded Partial of the keys and queues: a proof of all of them together, against Root.
func (t *Trie) ProveMany(keys []Key, queues ...Queue) []byte {
	return t.Partial(keys, queues...).Encode()
}

// place is a node of the trie as it is hashed, which the arena does not keep if it is one-sided: depth is at or below top,
// where r's chain starts.
type place struct {
	r          ref
	top, depth int
	hash       *Hash // nil: to be computed
}

func (a *place) leaf() bool { return a.r&refLeaf != 0 }

// below are the places below an inner node.
func (t *Trie) below(a *place) (out [2]place) {
	l, pair := t.link(a.r&refIndex), t.pair(a.r&refIndex)
	if branch := a.top + int(l.chain&skipMask); a.depth < branch {
		bit := t.chainBit(l.chain, a.top, a.depth)
		out[bit] = place{r: a.r, top: a.top, depth: a.depth + 1}
		return out
	}
	for bit := range out {
		out[bit] = place{r: l.child[bit], top: a.depth + 1, depth: a.depth + 1, hash: side(pair, bit)}
	}
	return out
}

func (t *Trie) stub(a *place) *partialNode {
	if a.r == 0 {
		return nil
	}
	if a.hash != nil {
		return stubOf(*a.hash)
	}
	l, pair := t.link(a.r&refIndex), t.pair(a.r&refIndex)
	h := InnerHash(*side(pair, 0), *side(pair, 1))
	return stubOf(t.climb(h, l.chain, a.top, a.top+int(l.chain&skipMask), a.depth))
}

// known copies the part of a subtree that the sorted keys, all on its path, need; clearable reports that those keys are
// all it holds.
func (t *Trie) known(a place, keys []Key) (n *partialNode, clearable bool) {
	switch {
	case len(keys) == 0:
		return t.stub(&a), a.r == 0
	case a.r == 0:
		return nil, true
	case a.leaf():
		n = t.unfolded(&a)
		i := sort.Search(len(keys), func(i int) bool { return bytes.Compare(keys[i][:], n.leaf.Key[:]) >= 0 })
		return n, i < len(keys) && keys[i] == n.leaf.Key
	}
	mid := sort.Search(len(keys), func(i int) bool { return bitAt(&keys[i], a.depth) == 1 })
	part := [2][]Key{keys[:mid], keys[mid:]}
	n = &partialNode{kind: partialInner}
	if a.hash != nil {
		n.hash, n.hashed = *a.hash, true
	}
	below := t.below(&a)
	var clear [2]bool
	for bit := range below {
		n.child[bit], clear[bit] = t.known(below[bit], part[bit])
	}
	for bit, c := range n.child {
		if c != nil && c.kind == partialStub && len(part[1-bit]) > 0 && clear[1-bit] {
			n.child[bit] = t.unfolded(&below[bit])
		}
	}
	return n, clear[0] && clear[1]
}

// unfolded is a leaf, or an inner node with the hashes of its sides.
func (t *Trie) unfolded(a *place) *partialNode {
	if a.leaf() {
		l := t.leaf(a.r & refIndex)
		return leafOf(*leafKey(l), *leafValue(l))
	}
	n := &partialNode{kind: partialInner}
	for bit, s := range t.below(a) {
		n.child[bit] = t.stub(&s)
	}
	return n
}
