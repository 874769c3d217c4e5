package trie

import (
	"sync"
	"sync/atomic"
)

// passLimit bounds the hashes that wait in a pass (tests lower it): enough to fill the lanes on nearly every level, few enough that
// their nodes are still in the second-level cache when their parents are hashed.
var passLimit = 2048

// hashPass gathers dirty nodes by height, the number of hashes that must come before theirs, and then computes them
// height by height, several at a time.
type hashPass struct {
	t       *Trie
	hasher  *Hasher
	pending int
	top     int // first empty level
	levels  [keyBits + 2][]hashTask
}

type hashTask struct {
	in   *[64]byte // nil for a chain step, which takes its input from out
	out  *Hash
	kind uint8
}

const (
	taskLeaf   = tagLeaf
	taskInner  = tagInner
	taskChain0 = 2 // *out goes to the left, zero to the right
	taskChain1 = 3
)

// Root is the hash of the whole set, zero if it is empty. It hashes what has changed since the last call.
func (t *Trie) Root() Hash {
	if t.root&refDirty != 0 {
		if t.workers > 1 {
			t.hashSubtrees()
		}
		t.hashPass().run(&t.root, 0, &t.rootHash)
	}
	return t.rootHash
}

func (t *Trie) hashPass() *hashPass {
	if t.pass == nil {
		t.pass = &hashPass{t: t, hasher: NewHasher()}
	}
	return t.pass
}

// run computes the hash of a dirty child at depth into *out and marks it clean.
func (p *hashPass) run(r *ref, depth int, out *Hash) {
	p.visit(r, depth, out)
	p.flush()
}

func (p *hashPass) add(level int, task hashTask) {
	p.levels[level] = append(p.levels[level], task)
	p.top = max(p.top, level+1)
	p.pending++
}

// visit queues the hashes of a dirty child, children first, and returns the level from which *out may be read.
func (p *hashPass) visit(r *ref, depth int, out *Hash) int {
	i := *r & refIndex
	*r &^= refDirty
	if *r&refLeaf != 0 {
		p.add(0, hashTask{p.t.leaf(i), out, taskLeaf})
		return 1
	}
	l, pair, level := p.t.link(i), p.t.pair(i), 0
	branch := depth + int(l.chain&skipMask)
	for bit := range l.child {
		if l.child[bit]&refDirty != 0 {
			level = max(level, p.visit(&l.child[bit], branch+1, side(pair, bit)))
		}
	}
	p.add(level, hashTask{pair, out, taskInner})
	level++
	for at := branch - 1; at >= depth; at, level = at-1, level+1 {
		p.add(level, hashTask{nil, out, taskChain0 + uint8(p.t.chainBit(l.chain, depth, at))})
	}
	if p.pending >= passLimit {
		p.flush() // all that waits has its whole subtree waiting with it or done
		return 0
	}
	return level
}

func (p *hashPass) flush() {
	h := p.hasher
	for n := range p.top {
		level := p.levels[n]
		for i := range level {
			if k := &level[i]; k.kind <= taskInner {
				h.addTagged(k.kind, k.in, k.out)
			} else {
				h.addChain(int(k.kind-taskChain0), k.out)
			}
		}
		h.flush()
		p.levels[n] = level[:0]
	}
	p.top, p.pending = 0, 0
}

// hashSubtrees hashes the dirty subtrees below the top few levels in parallel and leaves those levels to the caller.
func (t *Trie) hashSubtrees() {
	type subtree struct {
		r     *ref
		depth int
		out   *Hash
	}
	// Breadth first, until there are enough subtrees for the workers to even out.
	queue := []subtree{{&t.root, 0, &t.rootHash}}
	for n := 0; n < len(queue) && len(queue)-n < 16*t.workers; n++ {
		s := queue[n]
		if *s.r&refLeaf != 0 {
			continue
		}
		l, pair := t.link(*s.r&refIndex), t.pair(*s.r&refIndex)
		for bit := range l.child {
			if l.child[bit]&refDirty != 0 {
				queue = append(queue, subtree{&l.child[bit], s.depth + int(l.chain&skipMask) + 1, side(pair, bit)})
			}
		}
		queue[n].r = nil
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range t.workers {
		wg.Go(func() {
			p := &hashPass{t: t, hasher: NewHasher()}
			for n := int(next.Add(1)) - 1; n < len(queue); n = int(next.Add(1)) - 1 {
				if s := queue[n]; s.r != nil && *s.r&refDirty != 0 {
					p.run(s.r, s.depth, s.out)
				}
			}
		})
	}
	wg.Wait()
}
