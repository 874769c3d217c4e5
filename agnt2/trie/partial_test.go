package trie

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// twin is a Partial beside the full trie that it is to be indistinguishable from, as far as it knows.
type twin struct {
	m    model
	full *Trie
	part *Partial
	keys []Key // known, and to be deletable
}

func (w *twin) set(t require.TestingT, k Key, v *Hash) {
	require.NoError(t, w.part.Set(k, v), "set %x", k)
	c := Change{Key: k, Delete: v == nil}
	if v != nil {
		c.ValueHash = *v
	}
	w.full.Update([]Change{c})
	w.m.apply([]Change{c})
}

// check compares all that is said and shown of the known keys.
func (w *twin) check(t require.TestingT) {
	root := w.full.Root()
	require.Equal(t, root, w.part.Root())
	for _, k := range w.keys {
		v, ok := w.m[k]
		got, present, err := w.part.Get(k)
		require.NoError(t, err)
		require.Equal(t, ok, present)
		require.Equal(t, v, got)
		p, err := w.part.Prove(k)
		require.NoError(t, err)
		require.Equal(t, w.full.Prove(k), p)
		d, err := w.part.ProveDelete(k)
		require.NoError(t, err, "delete %x", k)
		require.Equal(t, w.full.ProveDelete(k), d)
		if !ok {
			require.NoError(t, VerifyAbsence(root, k, p))
			continue
		}
		require.NoError(t, VerifyInclusion(root, k, v, p))
		after, err := UpdateFromProof(root, k, &v, nil, d)
		require.NoError(t, err)
		s := w.part.Snapshot()
		require.NoError(t, s.Set(k, nil))
		require.Equal(t, after, s.Root())
	}
	require.Equal(t, root, w.part.Root())
}

func (w *twin) checkFirst(t require.TestingT, prefix byte) (Key, bool) {
	p, k, v, ok, err := w.part.ProveFirst(prefix)
	require.NoError(t, err)
	wp, wk, wv, wok := w.full.ProveFirst([]byte{prefix})
	require.Equal(t, wp, p)
	require.Equal(t, wk, k)
	require.Equal(t, wv, v)
	require.Equal(t, wok, ok)
	if ok {
		require.NoError(t, VerifyFirst(w.part.Root(), []byte{prefix}, k, v, p))
	} else {
		require.NoError(t, VerifyNone(w.part.Root(), []byte{prefix}, p))
	}
	return k, ok
}

// anyway accepts either the full trie's answer or ErrUnknown, for a key that nobody promised.
func (w *twin) anyway(t require.TestingT, k Key) {
	if v, ok, err := w.part.Get(k); err == nil {
		want, present := w.full.Get(k)
		require.Equal(t, present, ok)
		require.Equal(t, want, v)
	} else {
		require.ErrorIs(t, err, ErrUnknown)
	}
	if p, err := w.part.ProveDelete(k); err == nil {
		require.Equal(t, w.full.ProveDelete(k), p)
	} else {
		require.ErrorIs(t, err, ErrUnknown)
	}
	if p, key, _, ok, err := w.part.ProveFirst(k[0]); err == nil {
		want, wantKey, _, wantOK := w.full.ProveFirst(k[:1])
		require.Equal(t, want, p)
		require.Equal(t, wantKey, key)
		require.Equal(t, wantOK, ok)
	} else {
		require.ErrorIs(t, err, ErrUnknown)
	}
	root, s := w.part.Root(), w.part.Snapshot()
	if err := s.Set(k, nil); err == nil {
		f := w.full.Fork()
		f.Update([]Change{{Key: k, Delete: true}})
		require.Equal(t, f.Root(), s.Root())
	} else {
		require.ErrorIs(t, err, ErrUnknown)
		require.Equal(t, root, s.Root(), "a refused change left traces")
	}
}

// TestPartial: what a multiproof makes known can be read, proven, inserted, updated and deleted in any order, queues can
// be worked off, and snapshots keep their versions.
func TestPartial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, present := genTrie(t, 25)
		key := genKey()
		if len(present) > 0 {
			key = rapid.OneOf(key, rapid.SampledFrom(present))
		}
		keys := rapid.SliceOfN(key, 0, 12).Draw(t, "access set")
		q := Queue{Prefix: rapid.OneOf(rapid.SampledFrom([]byte{0, 0xff}), rapid.Byte()).Draw(t, "queue"), First: rapid.IntRange(0, 4).Draw(t, "first")}

		raw := tr.ProveMany(keys, q)
		part, err := DecodePartial(tr.Root(), raw)
		require.NoError(t, err)
		require.Equal(t, raw, part.Encode())
		require.Equal(t, raw, tr.Partial(keys, q).Encode())
		_, err = DecodePartial(Hash{1}, raw)
		require.ErrorIs(t, err, ErrMultiproof)

		w := &twin{m: m, full: tr, part: part, keys: keys}
		w.check(t)
		type version struct {
			*twin
			root Hash
		}
		var versions []version
		for taken := 0; ; {
			if first, ok := w.checkFirst(t, q.Prefix); ok && taken < q.First && rapid.Bool().Draw(t, "take") {
				taken++
				w.set(t, first, nil)
				w.checkFirst(t, q.Prefix)
			}
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				if len(keys) == 0 {
					break
				}
				var v *Hash
				if rapid.IntRange(0, 2).Draw(t, "delete") > 0 {
					v = &Hash{rapid.Byte().Draw(t, "value"), 1}
				}
				w.set(t, rapid.SampledFrom(keys).Draw(t, "key"), v)
			}
			w.check(t)
			w.anyway(t, genProbe(t, present))
			versions = append(versions, version{&twin{maps.Clone(w.m), w.full.Fork(), w.part.Snapshot(), keys}, w.part.Root()})
			if len(versions) == 4 {
				break
			}
		}
		for _, k := range keys { // down to nothing but what is not known
			w.set(t, k, nil)
			w.check(t)
		}
		for _, v := range versions {
			require.Equal(t, v.root, v.part.Root())
			v.full = v.m.build(t) // the fork's origin has been updated
			v.check(t)
		}
	})
}

// TestPartialDeletesEverything: where all keys are known, nothing stands in the way of the empty trie.
func TestPartialDeletesEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, keys := genTrie(t, 25)
		w := &twin{m: m, full: tr, part: tr.Partial(nil), keys: nil}
		w.part = tr.Partial(keys)
		for _, k := range rapid.Permutation(keys).Draw(t, "order") {
			w.keys = []Key{k}
			w.check(t)
			w.set(t, k, nil)
		}
		require.Equal(t, Hash{}, w.part.Root())
	})
}

// TestPartialFromProofs: single proofs, in any order, make known what they show and no more.
func TestPartialFromProofs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, present := genTrie(t, 25)
		part := NewPartial(tr.Root())
		var keys []Key
		for range rapid.IntRange(0, 6).Draw(t, "proofs") {
			k := genProbe(t, present)
			keys = append(keys, k)
			var v *Hash
			if h, ok := m[k]; ok {
				v = &h
			}
			p := tr.Prove(k)
			if rapid.Bool().Draw(t, "for deletion") {
				p = tr.ProveDelete(k)
			}
			before := part.Snapshot()
			require.NoError(t, part.AddProof(k, v, p))
			require.Equal(t, tr.Root(), part.Root())
			require.Equal(t, tr.Root(), before.Root())
			require.Error(t, part.AddProof(k, &Hash{0xee}, p))
			if p.SiblingPreimage != nil {
				s := part.Snapshot()
				require.NoError(t, s.Set(k, nil))
				want, err := UpdateFromProof(tr.Root(), k, v, nil, p)
				require.NoError(t, err)
				require.Equal(t, want, s.Root())
			}
		}
		w := &twin{m: m, full: tr, part: part}
		for _, k := range keys {
			v, ok, err := part.Get(k)
			require.NoError(t, err)
			want, present := m[k]
			require.Equal(t, present, ok)
			require.Equal(t, want, v)
			p, err := part.Prove(k)
			require.NoError(t, err)
			require.Equal(t, tr.Prove(k), p)
			w.anyway(t, k)
		}
		w.anyway(t, genProbe(t, present))
		raw := part.Encode()
		again, err := DecodePartial(tr.Root(), raw)
		require.NoError(t, err)
		require.Equal(t, raw, again.Encode())
	})
}

func TestPartialKnowsNothing(t *testing.T) {
	tr := New()
	tr.Update([]Change{{Key: Key{0x00}}, {Key: Key{0x80}}})
	p := NewPartial(tr.Root())
	require.Equal(t, tr.Root(), p.Root())
	_, _, err := p.Get(Key{})
	require.ErrorIs(t, err, ErrUnknown)
	require.ErrorIs(t, p.Set(Key{}, &Hash{1}), ErrUnknown)
	_, err = p.Prove(Key{})
	require.ErrorIs(t, err, ErrUnknown)
	_, _, _, _, err = p.ProveFirst(0)
	require.ErrorIs(t, err, ErrUnknown)
	// A path without the sibling's shape can be updated, not deleted.
	require.NoError(t, p.AddProof(Key{}, &Hash{}, tr.Prove(Key{})))
	require.ErrorIs(t, p.Set(Key{}, nil), ErrUnknown)
	_, err = p.ProveDelete(Key{})
	require.ErrorIs(t, err, ErrUnknown)
	require.Equal(t, tr.Root(), p.Root())
	require.NoError(t, p.AddProof(Key{}, &Hash{}, tr.ProveDelete(Key{})))
	require.NoError(t, p.Set(Key{}, nil))
	require.Equal(t, LeafHash(Key{0x80}, Hash{}), p.Root())
	require.Equal(t, Hash{}, NewPartial(Hash{}).Root())
	require.NoError(t, NewPartial(Hash{}).Set(Key{1}, &Hash{1}))
}

// TestPartialNext walks the keys of one prefix.
func TestPartialNext(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, keys := genTrie(t, 25)
		part := tr.Partial(keys)
		prefix, from := rapid.OneOf(rapid.SampledFrom([]byte{0, 0xff}), rapid.Byte()).Draw(t, "prefix"), genProbe(t, keys)
		i := slices.IndexFunc(keys, func(k Key) bool { return k[0] == prefix && bytes.Compare(k[:], from[:]) >= 0 })
		k, v, ok, err := part.Next(prefix, from)
		require.NoError(t, err)
		require.Equal(t, i >= 0, ok)
		if ok {
			require.Equal(t, keys[i], k)
			require.Equal(t, m[k], v)
		}
	})
}

// TestMultiproofMutations: no byte of a multiproof is free.
func TestMultiproofMutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, tr, keys := genTrie(t, 3)
		raw := tr.ProveMany(keys[:min(2, len(keys))], Queue{Prefix: 0xff, First: 1})
		root := tr.Root()
		flips(raw, func(b []byte) {
			_, err := DecodePartial(root, b)
			require.ErrorIs(t, err, ErrMultiproof)
		})
		for _, b := range [][]byte{raw[:len(raw)-1], append(slices.Clone(raw), 0), nil} {
			_, err := DecodePartial(root, b)
			require.ErrorIs(t, err, ErrMultiproof)
		}
	})
}

func FuzzDecodePartial(f *testing.F) {
	tr := New()
	for i := range byte(40) {
		tr.Update([]Change{{Key: HashRecord([]byte{i})}})
	}
	f.Add(tr.ProveMany([]Key{{}, HashRecord([]byte{1}), {0xff}}, Queue{Prefix: 7, First: 3}))
	f.Add(tr.ProveMany(nil))
	f.Add(New().ProveMany(nil))
	f.Add([]byte{0, 0, 1, 1, 0xff, 0xff, 0xff})                                    // inner nodes all the way down
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff})                                    // more nodes than bytes
	f.Add(binary.BigEndian.AppendUint32(nil, 3))                                   // no kinds
	f.Add(append([]byte{0, 0, 0, 3, 0b11_00_10_00}, make([]byte, 64)...))          // one leaf below an inner node
	f.Add(append([]byte{0, 0, 0, 1, 0b01_00_00_00}, make([]byte, 32)...))          // the empty subtree as a hash
	f.Add(append([]byte{0, 0, 0, 3, 0b11_10_10_00}, make([]byte, 64+64)...))       // a leaf off its path
	f.Add(append([]byte{0, 0, 0, 1, 0b10_00_00_01}, make([]byte, 64)...))          // padding
	f.Add(append([]byte{0, 0, 0, 1, 0b10_00_00_00}, make([]byte, 64+1)...))        // trailing byte
	f.Add(append([]byte{0, 0, 0, 2, 0b10_00_00_00}, make([]byte, 64)...))          // trailing node
	f.Add(append([]byte{0, 0, 0, 1, 0b10_00_00_00}, make([]byte, 63)...))          // half a leaf
	f.Add(append(binary.BigEndian.AppendUint32(nil, 1<<24+1), make([]byte, 9)...)) // over the limit
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := DecodePartial(Hash{1}, b)
		require.ErrorIs(t, err, ErrMultiproof)
		// The root is checked last: without it, what decodes must encode to the same bytes and answer without a panic.
		p, err := decodePartial(b)
		if err != nil {
			return
		}
		require.Equal(t, b, p.Encode())
		for _, k := range []Key{{}, Key(bytes.Repeat([]byte{0xff}, 32)), HashRecord([]byte{1})} {
			_, _, _ = p.Get(k)
			_, _ = p.ProveDelete(k)
			_, _, _, _, _ = p.ProveFirst(k[0])
			_ = p.Set(k, &Hash{1})
			_ = p.Set(k, nil)
			p.Root()
		}
	})
}

// BenchmarkPartial: what the prover pays for a full block at a million records, with 80,000 records touched.
func BenchmarkPartial(b *testing.B) {
	const n, touched = 1 << 20, 80_000
	r := rand.New(rand.NewPCG(1, 2))
	tr, all := New(), make([]Change, n)
	for i := range all {
		binary.BigEndian.PutUint64(all[i].Key[:], r.Uint64())
		all[i].Key[8] = byte(i)
	}
	tr.Update(all)
	root := tr.Root()
	keys := make([]Key, touched)
	for i := range keys {
		if keys[i] = all[r.IntN(n)].Key; i%3 == 0 {
			keys[i][31] = 1 // absent
		}
	}
	var raw []byte
	b.Run("prove", func(b *testing.B) {
		for b.Loop() {
			raw = tr.ProveMany(keys)
		}
		b.ReportMetric(float64(len(raw)), "bytes")
	})
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			_, err := DecodePartial(root, raw)
			require.NoError(b, err)
		}
	})
	b.Run("set and root", func(b *testing.B) {
		p, err := DecodePartial(root, raw)
		require.NoError(b, err)
		for i := 0; b.Loop(); i++ {
			require.NoError(b, p.Set(keys[i%touched], &Hash{byte(i), byte(i >> 8), 1}))
			p.Root()
			p.Snapshot()
		}
	})
}
