package trie

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Arena. Nodes and leaves are array elements named by index; nothing in them is a pointer, so the garbage collector
// does not walk the state. Only nodes with two non-empty sides exist; the one-sided nodes between such a node and its
// parent are its chain. Memory per leaf: 64 B leaf + 64 B child hashes + 12 B links = 140 B.
//
// A node holds its children's hashes, not its own: re-hashing a path touches only nodes on that path.
const (
	chunkBits = 12
	chunkSize = 1 << chunkBits
	chunkMask = chunkSize - 1

	keyBits = 256
)

// ref names a child: zero is the empty subtree, else an index into the leaves or the nodes. Index 0 of both arenas is
// never handed out.
type ref = uint32

const (
	refLeaf  ref = 1 << 31 // a leaf, not a node
	refDirty ref = 1 << 30 // the hash kept for this child beside the ref is stale; all ancestors are dirty too
	refIndex ref = refDirty - 1
)

// link is a node's shape. chain&0xff is the number of one-sided nodes above the branch; chain>>8 is their path bits
// (the last step lowest) if they are at most inlineChain, else an index into Trie.chains.
type link struct {
	child [2]ref
	chain uint32
}

const (
	inlineChain = 24
	skipMask    = 0xff
)

// Change sets or removes one key. ValueHash is HashRecord of the new record, ignored when Delete is set.
type Change struct {
	Key       Key
	ValueHash Hash
	Delete    bool
}

// Trie is a set of (key, value hash) pairs and its root. Use New, Build or Fork to make one.
//
// Update and the methods that hash (Root, and through it Prove, ProveDelete, ProveFirst and Fork) need exclusive access.
// After Root, and until the next Update, every method but Update and SetWorkers only reads, so any number of goroutines
// may call them together. Memory of deleted entries is reused but not returned.
type Trie struct {
	root     ref
	rootHash Hash
	count    int

	links  []*[chunkSize]link
	sides  []*[chunkSize][64]byte // left ‖ right hash of a node
	leaves []*[chunkSize][64]byte // key ‖ value hash
	chains []Key                  // any key below the node, for chains too long for a link

	spareLinks              [][chunkSize]link
	spareSides, spareLeaves [][chunkSize][64]byte
	forked                  bool

	nodeEnd, leafEnd   uint32 // first index never handed out
	nodeFree, leafFree uint32 // heads of the lists of freed indices; 0 ends them
	chainFree          []uint32

	// What a fork shares with its origin: indices below these are copied, never written.
	frozenNodes, frozenLeaves, frozenChains uint32

	workers int
	batch   batch
	pass    *hashPass
}

// batch is the state of one Update.
type batch struct {
	changes []Change
	order
	merged   []entry
	carry    Hash // hash of the existing leaf among merged, valid if carryOK
	carryOK  bool
	carryRef ref
	touched  byte // keeps reads whose only purpose is the cache
}

// New returns the empty trie.
func New() *Trie { return &Trie{nodeEnd: 1, leafEnd: 1} }

// Len is the number of keys.
func (t *Trie) Len() int { return t.count }

// SetWorkers sets how many goroutines Root may use; below two it hashes on the caller's. The root does not depend on it.
func (t *Trie) SetWorkers(n int) { t.workers = n }

// Fork returns a view that may be updated without changing t, at a cost in memory and time proportional to its own
// changes. t must not be updated while the fork is in use; it may be read, and forked again.
func (t *Trie) Fork() *Trie {
	t.Root() // a fork could not clear dirty marks in nodes that it shares
	return &Trie{
		root: t.root, rootHash: t.rootHash, count: t.count, workers: t.workers,
		links: slices.Clip(t.links), sides: slices.Clip(t.sides), leaves: slices.Clip(t.leaves), chains: slices.Clip(t.chains),
		// A fork's own indices begin in a chunk of its own, so that the two never write to one chunk.
		nodeEnd: uint32(max(1, len(t.links)<<chunkBits)), leafEnd: uint32(max(1, len(t.leaves)<<chunkBits)),
		frozenNodes: uint32(len(t.links) << chunkBits), frozenLeaves: uint32(len(t.leaves) << chunkBits),
		frozenChains: uint32(len(t.chains)),
		forked:       true,
	}
}

func (t *Trie) link(i uint32) *link      { return &t.links[i>>chunkBits][i&chunkMask] }
func (t *Trie) pair(i uint32) *[64]byte  { return &t.sides[i>>chunkBits][i&chunkMask] }
func (t *Trie) leaf(i uint32) *[64]byte  { return &t.leaves[i>>chunkBits][i&chunkMask] }
func leafKey(l *[64]byte) *Key           { return (*Key)(l[:32]) }
func leafValue(l *[64]byte) *Hash        { return (*Hash)(l[32:]) }
func side(pair *[64]byte, bit int) *Hash { return (*Hash)(pair[bit*32:]) }

func (t *Trie) newNode() uint32 {
	if i := t.nodeFree; i != 0 {
		t.nodeFree = t.link(i).child[0]
		return i
	}
	i := t.nodeEnd
	if int(i>>chunkBits) == len(t.links) {
		if i > refIndex {
			panic("trie: more than 2^30 nodes")
		}
		t.links = more(t.links, &t.spareLinks, t.forked)
		t.sides = more(t.sides, &t.spareSides, t.forked)
	}
	t.nodeEnd++
	return i
}

func (t *Trie) newLeaf(key *Key, value *Hash) uint32 {
	i := t.leafFree
	if i != 0 {
		t.leafFree = binary.LittleEndian.Uint32(t.leaf(i)[:])
	} else {
		i = t.leafEnd
		if int(i>>chunkBits) == len(t.leaves) {
			if i > refIndex {
				panic("trie: more than 2^30 leaves")
			}
			t.leaves = more(t.leaves, &t.spareLeaves, t.forked)
		}
		t.leafEnd++
	}
	l := t.leaf(i)
	*leafKey(l), *leafValue(l) = *key, *value
	t.count++
	return i
}

func (t *Trie) freeNode(i uint32) {
	t.freeChain(t.link(i).chain)
	if i >= t.frozenNodes {
		*t.link(i) = link{child: [2]ref{t.nodeFree}}
		t.nodeFree = i
	}
}

func (t *Trie) freeLeaf(i uint32) {
	t.count--
	if i >= t.frozenLeaves {
		binary.LittleEndian.PutUint32(t.leaf(i)[:], t.leafFree)
		t.leafFree = i
	}
}

func (t *Trie) freeChain(chain uint32) {
	if i := chain >> 8; chain&skipMask > inlineChain && i >= t.frozenChains {
		t.chainFree = append(t.chainFree, i)
	}
}

// ownNode returns a node that this trie may write and that has i's contents.
func (t *Trie) ownNode(i uint32) uint32 {
	if i >= t.frozenNodes {
		return i
	}
	j := t.newNode()
	*t.link(j), *t.pair(j) = *t.link(i), *t.pair(i)
	return j
}

// bitAt is bit i of a key's path.
func bitAt(k *Key, i int) int { return int(k[i>>3]>>(7-i&7)) & 1 }

// bitsAt is n ≤ 24 bits of a key's path from bit `from`, the last one lowest.
func bitsAt(k *Key, from, n int) uint32 {
	var v uint32
	if b := from >> 3; b <= 28 {
		v = binary.BigEndian.Uint32(k[b:])
	} else {
		for i := range 4 {
			v <<= 8
			if b+i < len(k) {
				v |= uint32(k[b+i])
			}
		}
	}
	return v << (from & 7) >> (32 - n)
}

// commonBits is the length of two keys' common path, keyBits if they are equal.
func commonBits(a, b *Key) int {
	for w := 0; w < 32; w += 8 {
		if x := binary.BigEndian.Uint64(a[w:]) ^ binary.BigEndian.Uint64(b[w:]); x != 0 {
			return w*8 + bits.LeadingZeros64(x)
		}
	}
	return keyBits
}

// matched is how many steps of the chain that starts at depth a key follows; the key follows the path down to there.
func (t *Trie) matched(chain uint32, depth int, k *Key) int {
	skip := int(chain & skipMask)
	if skip > inlineChain {
		return min(skip, commonBits(k, &t.chains[chain>>8])-depth)
	}
	if x := bitsAt(k, depth, skip) ^ chain>>8; x != 0 {
		return skip - bits.Len32(x)
	}
	return skip
}

// chainBit is the chain's step at an absolute depth; top is the depth where the chain starts.
func (t *Trie) chainBit(chain uint32, top, at int) int {
	skip := int(chain & skipMask)
	if skip > inlineChain {
		return bitAt(&t.chains[chain>>8], at)
	}
	return int(chain>>8>>(skip-1-(at-top))) & 1
}

// setChain gives an owned node the chain that runs from depth `from` to its branch at depth `to`, along key k. k must
// not point into t.chains.
func (t *Trie) setChain(i uint32, k *Key, from, to int) {
	l, skip := t.link(i), to-from
	switch {
	case skip <= inlineChain:
		t.freeChain(l.chain)
		l.chain = bitsAt(k, from, skip)<<8 | uint32(skip)
	case l.chain&skipMask > inlineChain:
		l.chain = l.chain&^skipMask | uint32(skip) // a whole key is kept there: right for any start
	default:
		var c uint32
		if n := len(t.chainFree); n > 0 {
			c, t.chainFree = t.chainFree[n-1], t.chainFree[:n-1]
			t.chains[c] = *k
		} else {
			c = uint32(len(t.chains))
			if c >= 1<<24 {
				panic("trie: more than 2^24 long chains")
			}
			t.chains = append(t.chains, *k)
		}
		l.chain = c<<8 | uint32(skip)
	}
}

// lift moves a lone subtree from depth `from` up to depth `to`: a leaf stays itself, a node's chain grows. The steps
// between are k's, but for the last one, which is bit.
func (t *Trie) lift(r ref, from, to int, k *Key, bit int) ref {
	if r&refLeaf != 0 || from == to {
		return r | refDirty
	}
	i := t.ownNode(r & refIndex)
	l := t.link(i)
	skip := int(l.chain & skipMask)
	if total := from - to + skip; total <= inlineChain {
		steps := bitsAt(k, to, from-1-to)<<1 | uint32(bit)
		l.chain = (steps<<skip|l.chain>>8)<<8 | uint32(total)
	} else {
		below := *t.leftmost(i)
		t.setChain(i, &below, to, from+skip)
	}
	return i | refDirty
}

// leftmost is the smallest key below a ref.
func (t *Trie) leftmost(r ref) *Key {
	for r&refLeaf == 0 {
		r = t.link(r & refIndex).child[0]
	}
	return leafKey(t.leaf(r & refIndex))
}

// segment is how many changes are worked on at a time in a large batch: few enough that what they touch stays in the
// second-level cache from the descent to the hashing. Tests lower it.
var segment = maxSegment

const maxSegment = 192

// warm reads the paths of a segment's changes, all paths one level at a time. A descent is a chain of cache misses, each
// waiting for the one before; side by side the processor overlaps them.
func (t *Trie) warm(r ref, depth int, es []entry) {
	var refs [maxSegment]ref
	var depths [maxSegment]uint8
	var live [maxSegment]uint8
	n := 0
	if r != 0 && r&refLeaf == 0 {
		n = len(es)
	}
	for k := range n {
		refs[k], depths[k], live[k] = r&refIndex, uint8(depth), uint8(k)
	}
	var touched byte
	for k := range es {
		touched ^= t.batch.changes[es[k].at].Key[0]
	}
	for n > 0 {
		kept := 0
		for _, k := range live[:n] {
			l := t.link(refs[k])
			touched ^= t.pair(refs[k])[0]
			d := int(depths[k]) + int(l.chain&skipMask)
			bit := 0
			if d < 64 {
				bit = int(es[k].head << d >> 63)
			} else {
				bit = bitAt(t.keyOf(&es[k]), d)
			}
			c := l.child[bit]
			if c&refLeaf != 0 {
				touched ^= t.leaf(c & refIndex)[0]
				continue
			}
			refs[k], depths[k] = c&refIndex, uint8(d+1)
			live[kept] = k
			kept++
		}
		n = kept
	}
	t.batch.touched ^= touched
}

// Update applies a batch. Of several changes to one key the last wins; deleting an absent key does nothing. The argument
// is only read. The root is brought up to date by the next Root; in large batches most of the hashing is done here already, while
// what it needs is at hand.
func (t *Trie) Update(changes []Change) {
	if len(changes) == 0 {
		return
	}
	t.batch.changes = changes
	t.batch.sort(len(changes), func(i int) *Key { return &changes[i].Key })
	t.root = t.apply(t.root, 0, &t.rootHash, t.batch.sorted)
	if t.pass != nil {
		t.pass.flush()
	}
	t.batch.changes = nil
	if t.root == 0 {
		t.rootHash = Hash{}
	}
}

func (t *Trie) keyOf(e *entry) *Key {
	if e.kind == entryLeaf {
		return leafKey(t.leaf(e.at))
	}
	return &t.batch.changes[e.at].Key
}

// split is the number of entries whose bit d is zero; they share all bits before d.
func (t *Trie) split(es []entry, d int) int {
	lo, hi := 0, len(es)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		one := false
		if d < 64 {
			one = es[mid].head<<d>>63 == 1
		} else {
			one = bitAt(t.keyOf(&es[mid]), d) == 1
		}
		if one {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// follows is matched for an entry, from its head where that suffices.
func (t *Trie) follows(chain uint32, depth int, e *entry) int {
	skip := int(chain & skipMask)
	if skip <= inlineChain && depth+skip <= 64 {
		if x := uint32(e.head<<depth>>(64-skip)) ^ chain>>8; x != 0 {
			return skip - bits.Len32(x)
		}
		return skip
	}
	return t.matched(chain, depth, t.keyOf(e))
}

// apply makes the changes es below r, a subtree at depth whose hash (unless r is dirty) is *hash, and returns what r has
// become: r itself if nothing changed, else a dirty ref or zero.
func (t *Trie) apply(r ref, depth int, hash *Hash, es []entry) ref {
	switch {
	case r == 0:
		t.batch.carryOK = false
		return t.grow(depth, t.inserts(es))
	case r&refLeaf != 0:
		return t.applyLeaf(r, depth, hash, es)
	}
	i := r & refIndex
	l := *t.link(i)
	skip := int(l.chain & skipMask)
	if skip != 0 {
		m := t.follows(l.chain, depth, &es[0])
		if len(es) > 1 {
			m = min(m, t.follows(l.chain, depth, &es[len(es)-1])) // sorted: the ends bound all between
		}
		if m < skip {
			return t.branchOff(r, depth, depth+m, es)
		}
	}
	d := depth + skip
	pair, mid, to, changed := t.pair(i), t.split(es, d), l.child, false
	for bit, part := range [2][]entry{es[:mid], es[mid:]} {
		if len(part) == 0 {
			continue
		}
		isSegment := len(es) > segment && len(part) <= segment
		if isSegment {
			t.warm(to[bit], d+1, part)
		}
		child := t.apply(to[bit], d+1, side(pair, bit), part)
		if child == to[bit] {
			continue // whatever was dirty below had made r dirty before
		}
		changed = true
		if isSegment && t.workers < 2 && i >= t.frozenNodes && child&refDirty != 0 {
			t.hashPass().visit(&child, d+1, side(pair, bit))
		}
		to[bit] = child
	}
	switch {
	case !changed:
		return r
	case to[0] != 0 && to[1] != 0:
		i = t.ownNode(i)
		t.link(i).child = to
		return i | refDirty
	}
	if len(es) > segment && t.pass != nil {
		t.pass.flush() // hashes may be on their way into the node that goes
	}
	t.freeNode(i)
	switch {
	case to[0] != 0:
		return t.lift(to[0], d+1, depth, t.keyOf(&es[0]), 0)
	case to[1] != 0:
		return t.lift(to[1], d+1, depth, t.keyOf(&es[0]), 1)
	}
	return 0
}

// branchOff is apply where some change leaves r's chain, the first at depth e.
func (t *Trie) branchOff(r ref, depth, e int, es []entry) ref {
	i := r & refIndex
	chain := t.link(i).chain
	on := t.chainBit(chain, depth, e) // the chain's side at e
	mid := t.split(es, e)
	stay, leave := es[:mid], es[mid:]
	if on == 1 {
		stay, leave = leave, stay
	}
	t.batch.carryOK = false
	leave = t.inserts(leave)
	if len(leave) == 0 { // deletions of what is not there
		if len(stay) == 0 {
			return r
		}
		return t.apply(r, depth, nil, stay)
	}
	key := *t.keyOf(&leave[0])
	beside := t.grow(e+1, leave)

	i = t.ownNode(i)
	branch := depth + int(chain&skipMask)
	var below Key
	if chain&skipMask > inlineChain {
		below = t.chains[chain>>8]
		t.setChain(i, &below, e+1, branch)
	} else {
		skip := branch - e - 1
		t.link(i).chain = chain>>8&(1<<skip-1)<<8 | uint32(skip)
	}
	rest := i | refDirty
	if len(stay) > 0 {
		rest = t.apply(rest, e+1, nil, stay)
	}
	if rest == 0 {
		return t.lift(beside, e+1, depth, &key, 1-on)
	}
	j := t.newNode()
	l := t.link(j)
	l.child[on], l.child[1-on] = rest|refDirty, beside
	t.setChain(j, &key, depth, e)
	return j | refDirty
}

// applyLeaf is apply for a leaf.
func (t *Trie) applyLeaf(r ref, depth int, hash *Hash, es []entry) ref {
	b, i := &t.batch, r&refIndex
	l := t.leaf(i)
	if len(es) == 1 {
		c := &b.changes[es[0].at]
		if *leafKey(l) == c.Key {
			return t.setLeaf(r, c)
		}
		if c.Delete {
			return r
		}
	}
	key := *leafKey(l)
	b.merged = b.merged[:0]
	self := entry{head: binary.BigEndian.Uint64(key[:]), kind: entryLeaf}
	placed := false
	place := func(r ref) {
		placed = true
		if r == 0 {
			return
		}
		b.carryRef, b.carryOK = r, r&refDirty == 0
		if b.carryOK {
			b.carry = *hash
		}
		self.at = r & refIndex
		b.merged = append(b.merged, self)
	}
	for n := range es {
		c := &b.changes[es[n].at]
		order := -1
		if !placed {
			order = bytes.Compare(key[:], c.Key[:])
		}
		switch {
		case placed:
		case order == 0:
			place(t.setLeaf(r, c))
			continue
		case order < 0:
			place(r)
		}
		if !c.Delete {
			b.merged = append(b.merged, es[n])
		}
	}
	if !placed {
		place(r)
	}
	if len(b.merged) == 1 && b.merged[0].kind == entryLeaf {
		return b.carryRef
	}
	return t.grow(depth, b.merged)
}

// setLeaf gives leaf r the value that a change to its key says.
func (t *Trie) setLeaf(r ref, c *Change) ref {
	i := r & refIndex
	switch {
	case c.Delete:
		t.freeLeaf(i)
		return 0
	case *leafValue(t.leaf(i)) == c.ValueHash:
		return r
	case i < t.frozenLeaves:
		i = t.newLeaf(&c.Key, &c.ValueHash)
		t.count--
	default:
		*leafValue(t.leaf(i)) = c.ValueHash
	}
	return i | refLeaf | refDirty
}

// inserts drops the deletions from es, in place.
func (t *Trie) inserts(es []entry) []entry {
	kept := es[:0]
	for _, e := range es {
		if !t.batch.changes[e.at].Delete {
			kept = append(kept, e)
		}
	}
	return kept
}

// grow makes a subtree at depth of entries that are all to be leaves.
func (t *Trie) grow(depth int, es []entry) ref {
	switch len(es) {
	case 0:
		return 0
	case 1:
		if es[0].kind == entryLeaf {
			return es[0].at | refLeaf | refDirty
		}
		c := &t.batch.changes[es[0].at]
		return t.newLeaf(&c.Key, &c.ValueHash) | refLeaf | refDirty
	}
	first, last := &es[0], &es[len(es)-1]
	d := bits.LeadingZeros64(first.head ^ last.head)
	if d == 64 {
		d = commonBits(t.keyOf(first), t.keyOf(last))
	}
	i, mid := t.newNode(), t.split(es, d)
	t.setChain(i, t.keyOf(first), depth, d)
	for bit, part := range [2][]entry{es[:mid], es[mid:]} {
		var c ref
		if len(part) == 1 && part[0].kind == entryLeaf && t.batch.carryOK {
			c = part[0].at | refLeaf
			*side(t.pair(i), bit) = t.batch.carry
		} else {
			c = t.grow(d+1, part)
		}
		t.link(i).child[bit] = c
	}
	return i | refDirty
}
