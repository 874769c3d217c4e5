package state_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

var seed = flag.Uint64("seed", 0, "run the metamorphic test with this seed alone")

// modelBlock is what a block is to the naive model: the whole state after it.
type modelBlock struct {
	number       uint64
	hash, parent common.Hash
	state        map[record.Key][]byte
	messages     []common.Hash
	root, passer common.Hash
	effect       *state.Block
}

// model is the store's specification, and the chain that the store asks.
type model struct {
	blocks    map[common.Hash]*modelBlock
	canonical []common.Hash
	adopted   map[common.Hash]bool
	layers    map[common.Hash]bool
	tail      uint64
}

func (m *model) CanonicalHash(n uint64) common.Hash {
	if n < uint64(len(m.canonical)) {
		return m.canonical[n]
	}
	return common.Hash{}
}

func (m *model) NumberOf(h common.Hash) (uint64, bool) {
	if !m.adopted[h] {
		return 0, false
	}
	return m.blocks[h].number, true
}

func (m *model) head() *modelBlock { return m.blocks[m.canonical[len(m.canonical)-1]] }

// known says what View must answer.
func (m *model) known(h common.Hash) error {
	for m.layers[h] {
		h = m.blocks[h].parent
	}
	b := m.blocks[h]
	switch {
	case b == nil || m.CanonicalHash(b.number) != h:
		return state.ErrUnknownBlock
	case b.number < m.tail:
		return state.ErrPruned
	}
	return nil
}

type harness struct {
	t     *testing.T
	rnd   *rand.Rand
	fs    vfs.FS
	db    *pebble.DB
	store *state.Store
	m     *model
	keys  []record.Key
}

func openDB(t *testing.T, fs vfs.FS) *pebble.DB {
	db, err := pebble.Open("db", &pebble.Options{FS: fs, Logger: quiet{}, MemTableSize: 64 << 10})
	require.NoError(t, err)
	return db
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(f)
}

func newHarness(t *testing.T, seed uint64) *harness {
	h := &harness{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), fs: vfs.NewMem(), m: &model{
		blocks: map[common.Hash]*modelBlock{}, adopted: map[common.Hash]bool{}, layers: map[common.Hash]bool{},
	}}
	for i := range 40 {
		a := common.Address{byte(i)}
		h.keys = append(h.keys, record.AccountKey(a))
		if i < 20 {
			h.keys = append(h.keys, record.DeadlineKey(uint64(h.rnd.IntN(8)), record.DueInteraction, crypto.Keccak256Hash(a[:])))
		}
	}
	genesis := &modelBlock{hash: common.Hash{1}, state: map[record.Key][]byte{}}
	var rs []state.Record
	for _, k := range h.keys[:10] {
		v := h.value()
		genesis.state[k] = v
		rs = append(rs, state.Record{Key: k, Value: v})
	}
	h.finish(genesis)
	h.m.blocks[genesis.hash], h.m.adopted[genesis.hash] = genesis, true
	h.m.canonical = []common.Hash{genesis.hash}
	h.db = openDB(t, h.fs)
	batch := h.db.NewBatch()
	require.NoError(t, state.Bootstrap(batch, state.ID{Hash: genesis.hash}, rs))
	require.NoError(t, batch.Commit(pebble.Sync))
	h.open()
	return h
}

func (h *harness) open() {
	s, err := state.Open(h.db, h.m, state.Options{
		FS: h.fs, Dir: "state", IndexMemory: 40, // so little that runs are written and merged
		CacheBytes: []int{2 << 10, 32 << 20}[h.m.head().number%2], // too little, and enough for everything
		Root:       func(id state.ID) (common.Hash, error) { return h.m.blocks[id.Hash].root, nil },
	})
	require.NoError(h.t, err)
	h.store = s
	require.Equal(h.t, h.m.head().hash, s.Head().Hash)
}

func (h *harness) value() []byte {
	v := make([]byte, h.rnd.IntN(90)+1)
	for i := range v {
		v[i] = byte(h.rnd.Uint32())
	}
	return v
}

// finish computes the roots from nothing.
func (h *harness) finish(b *modelBlock) {
	t := trie.New()
	var cs []trie.Change
	for k, v := range b.state {
		cs = append(cs, trie.Change{Key: k, ValueHash: trie.HashRecord(v)})
	}
	t.Update(cs)
	b.root = t.Root()
	p := withdrawal.NewTree()
	for _, m := range b.messages {
		p.Insert(m)
	}
	b.passer = p.Root()
}

func (h *harness) some(n int) (out []*modelBlock) {
	for _, b := range h.m.blocks {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *modelBlock) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	h.rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(n, len(out))]
}

// build executes a block on some known one, near the head as a rule.
func (h *harness) build() {
	parent := h.m.head()
	if h.rnd.IntN(4) == 0 {
		for _, b := range h.some(5) {
			if h.m.known(b.hash) == nil && b.number+20 > h.m.head().number {
				parent = b
			}
		}
	}
	b := &modelBlock{number: parent.number + 1, parent: parent.hash, state: map[record.Key][]byte{}, messages: slices.Clone(parent.messages)}
	for k, v := range parent.state {
		b.state[k] = v
	}
	effect := &state.Block{Number: b.number, Parent: b.parent}
	for _, i := range h.rnd.Perm(len(h.keys))[:h.rnd.IntN(12)] {
		k := h.keys[i]
		c := vm.Change{Key: k, Old: parent.state[k]}
		if h.rnd.IntN(3) > 0 {
			c.New = h.value()
			b.state[k] = c.New
		} else if delete(b.state, k); c.Old == nil {
			continue
		}
		effect.Changes = append(effect.Changes, c)
	}
	for range h.rnd.IntN(3) {
		m := crypto.Keccak256Hash(h.value())
		b.messages = append(b.messages, m)
		effect.Messages = append(effect.Messages, m)
	}
	h.finish(b)
	root, passer, err := h.store.Apply(effect)
	require.NoError(h.t, err)
	require.Equal(h.t, b.root, root, "state root")
	require.Equal(h.t, b.passer, passer, "message passer root")
	if h.rnd.IntN(5) == 0 {
		return // found invalid, or a payload that nobody fetched
	}
	if h.rnd.IntN(4) == 0 {
		h.check(2) // others read in between
	}
	b.hash = crypto.Keccak256Hash(h.value(), binary.BigEndian.AppendUint64(nil, h.rnd.Uint64()))
	effect.Hash = b.hash
	h.store.Add(effect)
	b.effect = effect
	h.m.blocks[b.hash], h.m.layers[b.hash] = b, true
}

// adopt moves the head to some known block, forwards, backwards or sideways.
func (h *harness) adopt() {
	var to *modelBlock
	onward := h.rnd.IntN(14) > 0
	for _, b := range h.some(len(h.m.blocks)) {
		if h.m.known(b.hash) != nil || b.number+20 < h.m.head().number {
			continue
		}
		if to == nil || (b.number > to.number && onward) {
			to = b
		}
	}
	if to == nil {
		return
	}
	if h.rnd.IntN(4) == 0 {
		h.check(1) // leaves the trees wherever that needed them
	}
	batch := h.db.NewBatch()
	defer batch.Close()
	a, err := h.store.Adopt(to.hash)
	require.NoError(h.t, err)
	require.NoError(h.t, a.Append())
	require.NoError(h.t, a.Write(batch))
	if h.rnd.IntN(8) == 0 {
		a.Abort()
		return
	}
	require.NoError(h.t, batch.Commit(pebble.Sync))
	line := map[common.Hash]bool{}
	var path []*modelBlock
	for b := to; ; b = h.m.blocks[b.parent] {
		line[b.hash] = true
		path = append(path, b)
		if b.number == 0 {
			break
		}
	}
	var undone, applied []common.Hash
	for n := len(h.m.canonical) - 1; n >= 0 && !line[h.m.canonical[n]]; n-- {
		undone = append(undone, h.m.canonical[n])
	}
	common0 := len(h.m.canonical) - len(undone)
	h.m.canonical = h.m.canonical[:common0]
	for _, hash := range undone {
		h.m.layers[hash] = true
	}
	slices.Reverse(path)
	for _, b := range path[common0:] {
		h.m.canonical = append(h.m.canonical, b.hash)
		h.m.adopted[b.hash] = true
		delete(h.m.layers, b.hash)
		applied = append(applied, b.hash)
	}
	h.m.tail = min(h.m.tail, to.number)
	a.Done()
	require.Equal(h.t, undone, hashes(a.Undone()))
	require.Equal(h.t, applied, hashes(a.Applied()))
	require.Equal(h.t, state.ID{Number: to.number, Hash: to.hash}, h.store.Head())
}

func hashes(bs []*state.Block) (out []common.Hash) {
	for _, b := range bs {
		out = append(out, b.Hash)
	}
	return out
}

func (h *harness) prune() {
	head := h.m.head().number
	if head < 12 {
		return
	}
	keep := head - 8 - uint64(h.rnd.IntN(4))
	batch := h.db.NewBatch()
	defer batch.Close()
	require.NoError(h.t, h.store.Prune(batch, keep))
	h.store.Forget(keep)
	require.NoError(h.t, batch.Commit(pebble.Sync))
	h.m.tail = max(h.m.tail, keep)
	for hash := range h.m.layers {
		if h.m.blocks[hash].number <= keep {
			delete(h.m.layers, hash)
		}
	}
	for hash, b := range h.m.blocks { // keeps the model small
		if b.number+40 < head {
			delete(h.m.layers, hash)
			if h.m.CanonicalHash(b.number) != hash {
				delete(h.m.blocks, hash)
				delete(h.m.adopted, hash)
			} else {
				b.state = nil
			}
		}
	}
}

func (h *harness) restart() {
	require.NoError(h.t, h.store.Close())
	require.NoError(h.t, h.db.Close())
	h.db = openDB(h.t, h.fs)
	clear(h.m.layers)
	h.open()
}

// check compares everything that can be read with the model, at n blocks and the head.
func (h *harness) check(n int) {
	t := h.t
	oldest := h.m.blocks[h.m.canonical[h.m.tail]]
	for i, b := range append(h.some(n), h.m.head(), oldest) {
		want := h.m.known(b.hash)
		v, err := h.store.View(b.hash)
		if want != nil {
			require.ErrorIs(t, err, want)
			require.False(t, h.store.Known(b.hash))
			continue
		}
		require.NoError(t, err, "block %d, head %d, tail %d", b.number, h.m.head().number, h.m.tail)
		for _, k := range h.keys {
			require.Equal(t, b.state[k], v.Get(k), "block %d, %v", b.number, k)
		}
		for range 1 + i%2 {
			k := h.keys[h.rnd.IntN(len(h.keys))]
			value, proof, err := v.Prove(k)
			require.NoError(t, err)
			require.Equal(t, b.state[k], value)
			if value == nil {
				require.NoError(t, trie.VerifyAbsence(b.root, k, proof))
			} else {
				require.NoError(t, trie.VerifyInclusion(b.root, k, trie.HashRecord(value), proof))
			}
		}
		p, err := v.Passer()
		require.NoError(t, err)
		require.Equal(t, b.passer, p.Root())
		if i%2 == 0 {
			var want, got []record.Key
			for k := range b.state {
				if k[0] == byte(record.NSDeadline) {
					want = append(want, k)
				}
			}
			slices.SortFunc(want, func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) })
			var after *record.Key
			for {
				k, ok := v.DeadlineAfter(after)
				if !ok {
					break
				}
				got = append(got, k)
				after = &k
			}
			require.Equal(t, want, got)
		}
	}
	_, err := h.store.View(common.Hash{0xde, 0xad})
	require.ErrorIs(t, err, state.ErrUnknownBlock)
}

// TestMetamorphic drives random histories against the naive model.
func TestMetamorphic(t *testing.T) {
	seeds := []uint64{1, 2}
	if *seed != 0 {
		seeds = []uint64{*seed}
	}
	for _, n := range seeds {
		t.Logf("seed %d", n)
		h := newHarness(t, n)
		deepest := uint64(0)
		for step := range 180 {
			before := h.m.head()
			switch r := h.rnd.IntN(20); {
			case r < 13:
				h.build()
			case r < 17:
				h.adopt()
			case r < 18:
				h.prune()
			case r < 19:
				h.restart()
			}
			if now := h.m.head(); now.number < before.number {
				deepest = max(deepest, before.number-now.number)
			}
			h.check(step % 3)
		}
		t.Logf("head %d, tail %d, %d blocks, deepest step back %d", h.m.head().number, h.m.tail, len(h.m.blocks), deepest)
		require.Greater(t, h.m.head().number, uint64(8), "the history is too short to mean anything")
		require.NoError(t, h.db.Close())
	}
}

// TestDeepReorg: twenty blocks are replaced by twenty others, and back.
func TestDeepReorg(t *testing.T) {
	h := newHarness(t, 42)
	grow := func(from *modelBlock) (tip *modelBlock) {
		tip = from
		for range 20 {
			b := &modelBlock{number: tip.number + 1, parent: tip.hash, state: map[record.Key][]byte{}}
			for k, v := range tip.state {
				b.state[k] = v
			}
			k := h.keys[h.rnd.IntN(len(h.keys))]
			e := &state.Block{Number: b.number, Parent: b.parent, Changes: []vm.Change{{Key: k, Old: tip.state[k], New: h.value()}}}
			b.state[k] = e.Changes[0].New
			e.Messages = []common.Hash{crypto.Keccak256Hash(h.value())}
			b.messages = append(slices.Clone(tip.messages), e.Messages...)
			h.finish(b)
			_, _, err := h.store.Apply(e)
			require.NoError(t, err)
			b.hash = crypto.Keccak256Hash(h.value(), b.root[:])
			e.Hash = b.hash
			h.store.Add(e)
			h.m.blocks[b.hash], h.m.layers[b.hash] = b, true
			tip = b
		}
		return tip
	}
	move := func(to *modelBlock) {
		batch := h.db.NewBatch()
		defer batch.Close()
		a, err := h.store.Adopt(to.hash)
		require.NoError(t, err)
		require.NoError(t, a.Append())
		require.NoError(t, a.Write(batch))
		require.NoError(t, batch.Commit(pebble.Sync))
		canonical := make([]common.Hash, to.number+1)
		for b := to; ; b = h.m.blocks[b.parent] {
			canonical[b.number] = b.hash
			h.m.adopted[b.hash] = true
			delete(h.m.layers, b.hash)
			if b.number == 0 {
				break
			}
		}
		for _, old := range h.m.canonical {
			if !slices.Contains(canonical, old) {
				h.m.layers[old] = true
			}
		}
		h.m.canonical = canonical
		a.Done()
	}
	genesis := h.m.head()
	one, two := grow(genesis), grow(genesis)
	for _, to := range []*modelBlock{one, two, one, genesis, two} {
		move(to)
		h.check(100)
	}
	h.restart()
	h.check(100)
}

// TestViewSurvivesReorg: a view goes on to show the block that it was made for when the head moves elsewhere.
func TestViewSurvivesReorg(t *testing.T) {
	h := newHarness(t, 5)
	k := h.keys[0]
	genesis := h.m.head()
	add := func(parent *modelBlock, v byte) *modelBlock {
		b := &modelBlock{number: parent.number + 1, parent: parent.hash, state: map[record.Key][]byte{k: {v}}, hash: common.Hash{0xb, v}}
		e := &state.Block{Number: b.number, Parent: b.parent, Hash: b.hash, Changes: []vm.Change{{Key: k, Old: parent.state[k], New: []byte{v}}}, Messages: []common.Hash{{v}}}
		_, _, err := h.store.Apply(e)
		require.NoError(t, err)
		h.store.Add(e)
		h.m.blocks[b.hash], h.m.layers[b.hash] = b, true
		return b
	}
	move := func(line ...*modelBlock) {
		batch := h.db.NewBatch()
		defer batch.Close()
		to := line[len(line)-1]
		a, err := h.store.Adopt(to.hash)
		require.NoError(t, err)
		require.NoError(t, a.Append())
		require.NoError(t, a.Write(batch))
		require.NoError(t, batch.Commit(pebble.Sync))
		h.m.canonical = []common.Hash{genesis.hash}
		for _, b := range line {
			h.m.canonical = append(h.m.canonical, b.hash)
			h.m.adopted[b.hash] = true
		}
		a.Done()
	}
	a1, b1 := add(genesis, 1), add(genesis, 2)
	a2 := add(a1, 3)
	move(a1, a2)
	first, err := h.store.View(a1.hash)
	require.NoError(t, err)
	second, err := h.store.View(a2.hash)
	require.NoError(t, err)
	passer, err := first.Passer()
	require.NoError(t, err)
	root := passer.Root()
	require.Equal(t, []byte{1}, first.Get(k))
	move(b1)
	require.Equal(t, []byte{1}, first.Get(k), "the view of a block shows a sibling's state")
	require.Equal(t, []byte{3}, second.Get(k))
	passer, err = first.Passer()
	require.NoError(t, err)
	require.Equal(t, root, passer.Root())
	move(a1, a2)
	require.Equal(t, []byte{1}, first.Get(k))
	require.Equal(t, []byte{3}, second.Get(k))
}

// TestDamageIsFound: a store whose records do not hash to the head's state root is not opened.
func TestDamageIsFound(t *testing.T) {
	h := newHarness(t, 6)
	it, err := h.db.NewIter(&pebble.IterOptions{LowerBound: []byte{'r'}, UpperBound: []byte{'r' + 1}})
	require.NoError(t, err)
	require.True(t, it.First())
	k := bytes.Clone(it.Key())
	require.NoError(t, it.Close())
	require.NoError(t, h.db.Set(k, []byte("other"), pebble.Sync))
	_, err = state.Open(h.db, h.m, state.Options{FS: h.fs, Dir: "state", CacheBytes: 32 << 20, Root: func(id state.ID) (common.Hash, error) { return h.m.blocks[id.Hash].root, nil }})
	require.True(t, errors.Is(err, state.ErrCorrupt), "%v", err)
}

// TestPrunedViewDoesNotLie: a view that outlives the history window fails; it does not show a later state.
func TestPrunedViewDoesNotLie(t *testing.T) {
	h := newHarness(t, 8)
	k := h.keys[0]
	first, err := h.store.View(h.m.head().hash)
	require.NoError(t, err)
	want := first.Get(k)
	for i := range byte(6) {
		parent := h.m.head()
		b := &modelBlock{number: parent.number + 1, parent: parent.hash, hash: common.Hash{0xcc, i}}
		e := &state.Block{Number: b.number, Parent: b.parent, Hash: b.hash, Changes: []vm.Change{{Key: k, Old: want, New: []byte{i}}}}
		_, _, err := h.store.Apply(e)
		require.NoError(t, err)
		h.store.Add(e)
		batch := h.db.NewBatch()
		a, err := h.store.Adopt(b.hash)
		require.NoError(t, err)
		require.NoError(t, a.Append())
		require.NoError(t, a.Write(batch))
		require.NoError(t, batch.Commit(pebble.Sync))
		h.m.blocks[b.hash], h.m.adopted[b.hash] = b, true
		h.m.canonical = append(h.m.canonical, b.hash)
		a.Done()
		if i == 0 {
			require.Equal(t, want, first.Get(k))
		}
		want = []byte{i}
	}
	batch := h.db.NewBatch()
	require.NoError(t, h.store.Prune(batch, 3))
	h.store.Forget(3)
	require.NoError(t, batch.Commit(pebble.Sync))
	require.Panics(t, func() { first.Get(k) })
	_, err = h.store.View(h.m.canonical[0])
	require.ErrorIs(t, err, state.ErrPruned)
	v, err := h.store.View(h.m.canonical[3])
	require.NoError(t, err)
	require.Equal(t, []byte{2}, v.Get(k))
}
