package trie

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// model is the definition of the set and its root, with nothing kept and nothing shared with the arena.
type model map[Key]Hash

func (m model) keys() []Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
}

func (m model) root() Hash { return m.subtree(m.keys(), 0) }

func (m model) subtree(keys []Key, depth int) Hash {
	switch len(keys) {
	case 0:
		return Hash{}
	case 1:
		v := m[keys[0]]
		return Hash(crypto.Keccak256([]byte{0}, keys[0][:], v[:]))
	}
	var half [2][]Key
	for _, k := range keys {
		bit := k[depth/8] >> (7 - depth%8) & 1
		half[bit] = append(half[bit], k)
	}
	l, r := m.subtree(half[0], depth+1), m.subtree(half[1], depth+1)
	return Hash(crypto.Keccak256([]byte{1}, l[:], r[:]))
}

func (m model) apply(changes []Change) {
	for _, c := range changes {
		if c.Delete {
			delete(m, c.Key)
		} else {
			m[c.Key] = c.ValueHash
		}
	}
}

func (m model) build(t require.TestingT) *Trie {
	keys, n := m.keys(), 0
	tr, err := Build(func() (Key, Hash, bool) {
		if n == len(keys) {
			return Key{}, Hash{}, false
		}
		n++
		return keys[n-1], m[keys[n-1]], true
	})
	require.NoError(t, err)
	return tr
}

// genKey draws keys that collide, share prefixes of any length, and part at any depth.
func genKey() *rapid.Generator[Key] {
	bases := []Key{{}, Key(bytes.Repeat([]byte{0xff}, 32)), Key(HashRecord([]byte("a"))), Key(HashRecord([]byte("b")))}
	return rapid.Custom(func(t *rapid.T) Key {
		k := rapid.SampledFrom(bases).Draw(t, "base")
		for range rapid.IntRange(0, 3).Draw(t, "flips") {
			// Few positions, so that histories meet the same keys again; the extremes included.
			at := rapid.OneOf(rapid.SampledFrom([]int{0, 1, 7, 8, 24, 25, 26, 47, 48, 63, 64, 65, 100, 254, 255}),
				rapid.IntRange(0, 255)).Draw(t, "at")
			k[at/8] ^= 0x80 >> (at % 8)
		}
		return k
	})
}

func genChanges(t *rapid.T, known []Key, most int) []Change {
	key := genKey()
	if len(known) > 0 {
		key = rapid.OneOf(key, rapid.SampledFrom(known))
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Change {
		c := Change{Key: key.Draw(t, "key"), Delete: rapid.IntRange(0, 2).Draw(t, "delete") == 0}
		c.ValueHash[31] = rapid.Byte().Draw(t, "value")
		return c
	}), 0, most).Draw(t, "changes")
}

// check compares everything a trie says with the model.
func check(t require.TestingT, m model, tr *Trie) {
	require.Equal(t, m.root(), tr.Root(), "root")
	require.Equal(t, len(m), tr.Len(), "length")
	keys := m.keys()
	at, ok := tr.First(nil)
	for i, k := range keys {
		require.True(t, ok)
		require.Equal(t, k, at, "key %d in order", i)
		v, found := tr.Get(k)
		require.True(t, found)
		require.Equal(t, m[k], v)
		at, ok = tr.Next(at)
	}
	require.False(t, ok, "key after the last")
}

func TestHistories(t *testing.T) {
	defer func(s, p int) { segment, passLimit = s, p }(segment, passLimit)
	rapid.Check(t, func(t *rapid.T) {
		// Small enough that a batch is cut into segments and a segment into passes.
		segment = rapid.SampledFrom([]int{1, 2, 5, maxSegment}).Draw(t, "segment")
		passLimit = rapid.SampledFrom([]int{1, 7, 2048}).Draw(t, "pass limit")
		type version struct {
			m  model
			tr *Trie
		}
		m, tr := model{}, New()
		tr.SetWorkers(rapid.IntRange(0, 3).Draw(t, "workers"))
		var frozen []version
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			changes := genChanges(t, m.keys(), 40)
			given := slices.Clone(changes)
			tr.Update(changes)
			require.Equal(t, given, changes, "argument is only read")
			m.apply(changes)
			switch rapid.IntRange(0, 4).Draw(t, "then") {
			case 0, 1:
				check(t, m, tr)
			case 2: // go on in a fork; the origin must stay what it was
				if len(frozen) < 3 {
					frozen = append(frozen, version{maps.Clone(m), tr})
					tr = tr.Fork()
				}
			case 3: // go on from a built copy
				tr = m.build(t)
			}
		}
		check(t, m, tr)
		for _, v := range frozen {
			check(t, v.m, v.tr)
		}
		require.Equal(t, tr.Root(), m.build(t).Root(), "history leaves a trace")
		// Emptied, the trie is the empty trie again and can be filled again.
		var all []Change
		for _, k := range m.keys() {
			all = append(all, Change{Key: k, Delete: true})
		}
		tr.Update(all)
		require.Zero(t, tr.Root())
		require.Zero(t, tr.Len())
		for i := range all {
			all[i].Delete, all[i].ValueHash = false, m[all[i].Key]
		}
		tr.Update(all)
		check(t, m, tr)
	})
}

// TestSiblingForks: forks of one origin, and forks of forks, do not see each other.
func TestSiblingForks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr := model{}, New()
		first := genChanges(t, nil, 60)
		tr.Update(first)
		m.apply(first)
		type version struct {
			m  model
			tr *Trie
		}
		versions := []version{{m, tr}}
		for range rapid.IntRange(1, 6).Draw(t, "forks") {
			from := rapid.SampledFrom(versions).Draw(t, "from")
			v := version{maps.Clone(from.m), from.tr.Fork()}
			for range 2 {
				c := genChanges(t, v.m.keys(), 20)
				v.tr.Update(c)
				v.m.apply(c)
			}
			versions = append(versions, v)
		}
		for _, v := range versions {
			check(t, v.m, v.tr)
		}
	})
}

func TestFirstAndNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr := model{}, New()
		changes := genChanges(t, nil, 40)
		tr.Update(changes)
		m.apply(changes)
		keys := m.keys()
		k := genKey().Draw(t, "probe")
		n := rapid.IntRange(0, 32).Draw(t, "prefix length")
		i := slices.IndexFunc(keys, func(x Key) bool { return bytes.HasPrefix(x[:], k[:n]) })
		got, ok := tr.First(k[:n])
		require.Equal(t, i >= 0, ok)
		if ok {
			require.Equal(t, keys[i], got)
		}
		i = slices.IndexFunc(keys, func(x Key) bool { return bytes.Compare(x[:], k[:]) > 0 })
		got, ok = tr.Next(k)
		require.Equal(t, i >= 0, ok)
		if ok {
			require.Equal(t, keys[i], got)
		}
	})
	_, ok := New().First(make([]byte, 33))
	require.False(t, ok)
}

func TestBuildRejectsDisorder(t *testing.T) {
	for _, keys := range [][]Key{{{1}, {1}}, {{2}, {1}}, {{1}, {3}, {2}}} {
		_, err := Build(func() (k Key, v Hash, ok bool) {
			if len(keys) > 0 {
				k, keys, ok = keys[0], keys[1:], true
			}
			return
		})
		require.ErrorIs(t, err, ErrKeyOrder)
	}
	empty, err := Build(func() (k Key, v Hash, ok bool) { return })
	require.NoError(t, err)
	require.Zero(t, empty.Root())
	require.False(t, errors.Is(err, ErrKeyOrder))
}

// randomChanges mixes changes to known keys with new ones; keys of the second namespace share 48 bits.
func randomChanges(r *rand.Rand, known []Key, n int) []Change {
	cs := make([]Change, n)
	for i := range cs {
		c := &cs[i]
		if len(known) > 0 && r.IntN(2) == 0 {
			c.Key = known[r.IntN(len(known))]
			c.Delete = r.IntN(3) == 0
		} else {
			for w := 0; w < 32; w += 8 {
				binary.BigEndian.PutUint64(c.Key[w:], r.Uint64())
			}
			if c.Key[0] &= 3; c.Key[0] == 2 {
				copy(c.Key[1:], []byte{0, 0, 0x66, 0x77, c.Key[5] & 1})
			}
		}
		binary.BigEndian.PutUint64(c.ValueHash[:], r.Uint64())
	}
	return cs
}

// TestLarge crosses what small histories do not: chunks, flushes within a pass, the radix sort, workers.
func TestLarge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	m, tr := model{}, New()
	for round := range 4 {
		changes := randomChanges(r, m.keys(), 12_000)
		tr.Update(changes)
		m.apply(changes)
		tr.SetWorkers(round)
		require.Equal(t, m.root(), tr.Root(), "round %d", round)
		require.Equal(t, len(m), tr.Len())
	}
	// Most of it goes at once, which takes away nodes that whole segments hang from.
	var gone []Change
	for i, k := range m.keys() {
		gone = append(gone, Change{Key: k, Delete: k[0] == 1 || k[1] > 3 && i%500 != 0, ValueHash: Hash{byte(i)}})
	}
	tr.SetWorkers(0)
	tr.Update(gone)
	m.apply(gone)
	require.Equal(t, m.root(), tr.Root())
	built := m.build(t)
	built.SetWorkers(4)
	require.Equal(t, tr.Root(), built.Root())
	check(t, m, built)
	check(t, m, tr)
}

// TestMemory holds the arena to its promise of at most 150 bytes a leaf, a namespace with shared prefixes included.
func TestMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	tr := New()
	tr.Update(randomChanges(r, nil, 200_000))
	tr.Root()
	size := len(tr.links)*chunkSize*(12+64) + len(tr.leaves)*chunkSize*64 + cap(tr.chains)*32
	require.LessOrEqual(t, size/tr.Len(), 150)
	require.Less(t, len(tr.chains), 4, "long chains are for prefixes, not for leaves")
}

// TestReuse: a set that turns over does not grow the arena.
func TestReuse(t *testing.T) {
	tr := New()
	const live = 2000
	key := func(i int) Key { return HashRecord(binary.BigEndian.AppendUint64(nil, uint64(i))) }
	for i := 0; i < 40; i++ {
		var cs []Change
		for j := range live / 4 {
			cs = append(cs, Change{Key: key(i*live/4 + j), ValueHash: Hash{1}})
			if i >= 4 {
				cs = append(cs, Change{Key: key((i-4)*live/4 + j), Delete: true})
			}
		}
		tr.Update(cs)
	}
	require.Equal(t, live, tr.Len())
	require.Less(t, int(tr.leafEnd), 2*live)
	require.Less(t, int(tr.nodeEnd), 2*live)
}
