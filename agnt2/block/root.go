package block

import (
	"encoding/binary"
	"math/bits"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	gethtrie "github.com/ethereum/go-ethereum/trie"

	"github.com/agnt2/agnt2/agnt2/trie"
)

// Ordered Merkle-Patricia roots over lists (Ethereum's DeriveSha). Long lists are built here, level by level, so that several
// nodes are hashed at a time; go-ethereum's trie hashes one after the other, at several times the cost.

const (
	// listFrom is the length from which that pays. Below, go-ethereum does it.
	listFrom = 32
	// leastItem is the size of an item, in bytes, from which every node of the trie is at least 32 bytes and so stands in
	// its parent as a hash. All transactions and receipts are larger.
	leastItem = 32
	// hashedAtOnce bounds the encodings that wait to be hashed: what fits the cache.
	hashedAtOnce = 128
)

// list has n items; append adds the encoding of one to dst.
type list struct {
	n      int
	append func(dst []byte, i int) []byte
	// derive is go-ethereum's way.
	derive func() common.Hash
}

// patricia is the trie over a list in the making.
type patricia struct {
	keys   []listKey // in ascending order
	hashes []common.Hash
	hasher *nodeHasher
}

// listKey is rlp(index) as nibbles.
type listKey struct {
	nibbles [8]byte
	length  int
	index   int
}

func newListKey(i int) (k listKey) {
	var buf [4]byte
	raw := rlp.AppendUint64(buf[:0], uint64(i))
	for n, b := range raw {
		k.nibbles[2*n], k.nibbles[2*n+1] = b>>4, b&15
	}
	k.length, k.index = 2*len(raw), i
	return k
}

func (l *list) root() common.Hash {
	if l.n < listFrom || l.n >= 1<<24 {
		return l.derive()
	}
	p := &patricia{keys: make([]listKey, l.n), hashes: make([]common.Hash, l.n), hasher: newNodeHasher()}
	for at := range p.keys { // rlp(0) = 0x80 lies between rlp(127) = 0x7f and rlp(128) = 0x8180
		i := at
		if last := min(127, l.n-1); at < last {
			i = at + 1
		} else if at == last {
			i = 0
		}
		p.keys[at] = newListKey(i)
	}
	// A leaf's path is what its parent leaves of its key, which the neighbours tell.
	var item []byte
	for at := range p.keys {
		k := &p.keys[at]
		depth := 0 // of the leaf
		for _, near := range []int{at - 1, at + 1} {
			if near >= 0 && near < len(p.keys) {
				depth = max(depth, k.common(&p.keys[near])+1)
			}
		}
		if item = l.append(item[:0], k.index); len(item) < leastItem {
			return l.derive()
		}
		p.hasher.leaf(k.nibbles[depth:k.length], item, &p.hashes[at])
	}
	p.hasher.flush()
	levels := [8][]branch{}
	top := p.plan(0, len(p.keys), 0, &levels)
	for d := len(levels) - 1; d >= 0; d-- {
		for i := range levels[d] {
			p.hasher.branch(&levels[d][i])
		}
		p.hasher.flush()
		for i := range levels[d] { // extensions above the branches of this depth
			p.hasher.extension(&levels[d][i])
		}
		p.hasher.flush()
	}
	return *top
}

func (k *listKey) common(o *listKey) int {
	n := 0
	for n < k.length && n < o.length && k.nibbles[n] == o.nibbles[n] {
		n++
	}
	return n
}

// branch is an inner node: its children's hashes, and the path of an extension above it, which may be empty.
type branch struct {
	children [16]*common.Hash
	path     []byte
	hash     common.Hash
}

// plan lays out the subtree over keys [lo, hi), which share their first depth nibbles, and returns where its hash will be.
// levels takes its branches by depth; they must not move afterwards, so plan counts on capacity that it makes first.
func (p *patricia) plan(lo, hi, depth int, levels *[8][]branch) *common.Hash {
	if hi-lo == 1 {
		return &p.hashes[lo]
	}
	at := p.keys[lo].common(&p.keys[hi-1])
	if levels[at] == nil { // as many branches as there are nibbles in front of them, at the most
		levels[at] = make([]branch, 0, min(len(p.keys)/2+1, 1<<min(4*at, 24)))
	}
	levels[at] = append(levels[at], branch{path: p.keys[lo].nibbles[depth:at]})
	b := &levels[at][len(levels[at])-1]
	for lo < hi {
		n := p.keys[lo].nibbles[at]
		end := lo + 1
		for end < hi && p.keys[end].nibbles[at] == n {
			end++
		}
		b.children[n] = p.plan(lo, end, at+1, levels)
		lo = end
	}
	return &b.hash
}

// nodeHasher gathers encodings of nodes and hashes them several at a time.
type nodeHasher struct {
	buf     []byte
	ends    []int
	outs    []*common.Hash
	inputs  [][]byte
	digests []trie.Hash
	hasher  *trie.Hasher
}

func newNodeHasher() *nodeHasher {
	return &nodeHasher{digests: make([]trie.Hash, hashedAtOnce), hasher: trie.NewHasher()}
}

func (h *nodeHasher) add(out *common.Hash) {
	h.ends, h.outs = append(h.ends, len(h.buf)), append(h.outs, out)
	if len(h.outs) == hashedAtOnce {
		h.flush()
	}
}

func (h *nodeHasher) flush() {
	h.inputs = h.inputs[:0]
	from := 0
	for _, end := range h.ends {
		h.inputs = append(h.inputs, h.buf[from:end])
		from = end
	}
	h.hasher.HashMany(h.inputs, h.digests)
	for i, out := range h.outs {
		*out = h.digests[i]
	}
	h.buf, h.ends, h.outs = h.buf[:0], h.ends[:0], h.outs[:0]
}

// compact is the hex-prefix encoding of a path of at most 8 nibbles (Ethereum Yellow Paper, App. C).
func compact(dst, path []byte, leaf bool) []byte {
	flag := byte(0)
	if leaf {
		flag = 2
	}
	if len(path)%2 == 1 {
		dst = append(dst, (flag|1)<<4|path[0])
		path = path[1:]
	} else {
		dst = append(dst, flag<<4)
	}
	for ; len(path) > 0; path = path[2:] {
		dst = append(dst, path[0]<<4|path[1])
	}
	return dst
}

// appendHead appends the head of an RLP string (0x80) or list (0xc0) of a size.
func appendHead(dst []byte, size int, kind byte) []byte {
	if size < 56 {
		return append(dst, kind+byte(size))
	}
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], uint64(size))
	n := 0
	for be[n] == 0 {
		n++
	}
	return append(append(dst, kind+55+byte(8-n)), be[n:]...)
}

// headSize is the length of such a head.
func headSize(size int) int {
	if size < 56 {
		return 1
	}
	return 1 + (bits.Len(uint(size))+7)/8
}

// appendString appends bytes as an RLP string.
func appendString(dst, b []byte) []byte {
	if len(b) == 1 && b[0] < 0x80 {
		return append(dst, b[0])
	}
	return append(appendHead(dst, len(b), 0x80), b...)
}

func stringSize(b []byte) int {
	if len(b) == 1 && b[0] < 0x80 {
		return 1
	}
	return headSize(len(b)) + len(b)
}

func (h *nodeHasher) leaf(path, item []byte, out *common.Hash) {
	var buf [8]byte
	key := compact(buf[:0], path, true)
	h.buf = appendHead(h.buf, stringSize(key)+stringSize(item), 0xc0)
	h.buf = appendString(appendString(h.buf, key), item)
	h.add(out)
}

func (h *nodeHasher) branch(b *branch) {
	size := 17
	for _, c := range b.children {
		if c != nil {
			size += len(c)
		}
	}
	h.buf = appendHead(h.buf, size, 0xc0)
	for _, c := range b.children {
		if c == nil {
			h.buf = append(h.buf, 0x80)
		} else {
			h.buf = append(append(h.buf, 0x80+32), c[:]...)
		}
	}
	h.buf = append(h.buf, 0x80) // no key is the head of another
	h.add(&b.hash)
}

func (h *nodeHasher) extension(b *branch) {
	if len(b.path) == 0 {
		return
	}
	var buf [8]byte
	key := compact(buf[:0], b.path, false)
	h.buf = appendHead(h.buf, stringSize(key)+33, 0xc0)
	h.buf = append(append(appendString(h.buf, key), 0x80+32), b.hash[:]...)
	h.add(&b.hash)
}

// deriveSha is go-ethereum's root of a list.
func deriveSha(l types.DerivableList) common.Hash {
	return types.DeriveSha(l, gethtrie.NewStackTrie(nil))
}
