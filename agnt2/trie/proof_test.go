package trie

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

// genTrie draws a trie, its model and its keys in order.
func genTrie(t *rapid.T, most int) (model, *Trie, []Key) {
	m, tr := model{}, New()
	for range 2 {
		c := genChanges(t, m.keys(), most)
		tr.Update(c)
		m.apply(c)
	}
	return m, tr, m.keys()
}

func recode(t require.TestingT, p Proof) {
	b := p.Encode()
	q, err := DecodeProof(b)
	require.NoError(t, err)
	require.Equal(t, p, q)
	require.Equal(t, b, q.Encode())
	_, err = DecodeProof(append(b, 0))
	require.ErrorIs(t, err, ErrProofEncoding)
	_, err = DecodeProof(b[:len(b)-1])
	require.ErrorIs(t, err, ErrProofEncoding)
}

func genProbe(t *rapid.T, keys []Key) Key {
	g := genKey()
	if len(keys) > 0 {
		g = rapid.OneOf(g, rapid.SampledFrom(keys))
	}
	return g.Draw(t, "probe")
}

func TestProofs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, keys := genTrie(t, 25)
		root, k := tr.Root(), genProbe(t, keys)
		v, present := m[k]
		p, d := tr.Prove(k), tr.ProveDelete(k)
		recode(t, p)
		recode(t, d)
		if !present {
			require.NoError(t, VerifyAbsence(root, k, p))
			require.NoError(t, VerifyAbsence(root, k, d))
			require.Error(t, VerifyInclusion(root, k, v, p))
			return
		}
		require.NoError(t, VerifyInclusion(root, k, v, p))
		require.NoError(t, VerifyInclusion(root, k, v, d))
		require.Error(t, VerifyAbsence(root, k, p))
		require.Error(t, VerifyAbsence(root, k, d))
		// No proof of another key may show this one absent: neither as it is nor with this leaf as the other one.
		other := tr.Prove(genProbe(t, keys))
		require.Error(t, VerifyAbsence(root, k, other))
		other.Other = &OtherLeaf{Key: k, ValueHash: v}
		require.Error(t, VerifyAbsence(root, k, other))
	})
}

// forgery is a trie, a key that it holds, and a proof of the key's absence that only the tags refuse: the inner node above
// the key, passed off as another leaf on the key's path.
func forgery() (*Trie, Key, Proof) {
	var beside Hash // the value of the key's sibling, such that the sibling's hash begins with the path's first bit
	for LeafHash(Key{0x00}, beside)[0]&0x80 != 0 {
		beside[0]++
	}
	tr := New()
	tr.Update([]Change{{Key: Key{0x00}, ValueHash: beside}, {Key: Key{0x40}}, {Key: Key{0x80}}, {Key: Key{0xc0}}})
	k := Key{0x40}
	return tr, k, Proof{Depth: 1, Bitmap: [32]byte{0x80}, Siblings: tr.Prove(k).Siblings[:1],
		Other: &OtherLeaf{Key: LeafHash(Key{0x00}, beside), ValueHash: LeafHash(k, Hash{})}}
}

// TestInnerNodeIsNoLeaf: the attack that the tags and the path check are there for. An inner node's preimage, offered as
// another leaf, must not show anything absent.
func TestInnerNodeIsNoLeaf(t *testing.T) {
	tr, k, forged := forgery()
	require.Zero(t, bitAt(&forged.Other.Key, 0), "the path check would refuse it first")
	require.ErrorIs(t, VerifyAbsence(tr.Root(), k, forged), ErrProofRoot)
	// A real leaf of another path.
	q := tr.Prove(Key{0xc0})
	q.Other = &OtherLeaf{Key: Key{0xc0}}
	require.ErrorIs(t, VerifyAbsence(tr.Root(), k, q), ErrProofOther)
}

func TestUpdateFromProof(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, keys := genTrie(t, 25)
		root, k := tr.Root(), genProbe(t, keys)
		var old, neu *Hash
		if v, ok := m[k]; ok {
			old = &v
		}
		if rapid.Bool().Draw(t, "set") {
			neu = &Hash{rapid.Byte().Draw(t, "value"), 1}
		}
		p := tr.Prove(k)
		if neu == nil {
			p = tr.ProveDelete(k)
		}
		got, err := UpdateFromProof(root, k, old, neu, p)
		require.NoError(t, err)
		c := Change{Key: k, Delete: neu == nil}
		if neu != nil {
			c.ValueHash = *neu
		}
		m.apply([]Change{c})
		require.Equal(t, m.root(), got)
		// The wrong old value, and a root that is not the proof's.
		wrong := &Hash{0xee}
		if old != nil && rapid.Bool().Draw(t, "absent") {
			wrong = nil
		}
		_, err = UpdateFromProof(root, k, wrong, neu, p)
		require.Error(t, err)
		_, err = UpdateFromProof(Hash{1}, k, old, neu, p)
		require.ErrorIs(t, err, ErrProofRoot)
		if old != nil && neu == nil && p.Depth > 0 {
			p.SiblingPreimage = nil
			_, err = UpdateFromProof(root, k, old, nil, p)
			require.ErrorIs(t, err, ErrProofPreimage)
		}
	})
}

func TestOrderedProofs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, keys := genTrie(t, 25)
		root, probe := tr.Root(), genProbe(t, keys)
		prefix := probe[:rapid.IntRange(0, 32).Draw(t, "prefix length")]
		i := slices.IndexFunc(keys, func(x Key) bool { return bytes.HasPrefix(x[:], prefix) })
		p, k, v, ok := tr.ProveFirst(prefix)
		recode(t, p)
		require.Equal(t, i >= 0, ok)
		if !ok {
			require.NoError(t, VerifyNone(root, prefix, p))
			return
		}
		require.Equal(t, keys[i], k)
		require.NoError(t, VerifyFirst(root, prefix, k, v, p))
		require.Error(t, VerifyNone(root, prefix, p))
		for _, other := range keys {
			require.Error(t, VerifyNone(root, prefix, tr.Prove(other)))
			if other != k {
				require.Error(t, VerifyFirst(root, prefix, other, m[other], tr.Prove(other)))
			}
		}
		var path Key
		copy(path[:], prefix)
		require.Error(t, VerifyNone(root, prefix, tr.Prove(path)))
	})
	require.ErrorIs(t, VerifyNone(Hash{}, make([]byte, 33), Proof{}), ErrProofPrefix)
	_, _, _, ok := New().ProveFirst(make([]byte, 33))
	require.False(t, ok)
}

// TestMutations: no proof survives the change of a single bit in it, in its key, its value or its root.
func TestMutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, tr, keys := genTrie(t, 12)
		if len(keys) == 0 {
			t.Skip("nothing to prove")
		}
		root := tr.Root()
		k := rapid.SampledFrom(keys).Draw(t, "present")
		v := m[k]
		gone := genKey().Filter(func(k Key) bool { _, ok := m[k]; return !ok }).Draw(t, "absent")
		inclusion, deletion, absence := tr.Prove(k), tr.ProveDelete(k), tr.Prove(gone)

		flips(inclusion.Encode(), func(b []byte) {
			if p, err := DecodeProof(b); err == nil {
				require.Error(t, VerifyInclusion(root, k, v, p))
			}
		})
		flips(deletion.Encode(), func(b []byte) {
			if p, err := DecodeProof(b); err == nil {
				_, err = UpdateFromProof(root, k, &v, nil, p)
				require.Error(t, err)
			}
		})
		flips(absence.Encode(), func(b []byte) {
			if p, err := DecodeProof(b); err == nil {
				require.Error(t, VerifyAbsence(root, gone, p))
			}
		})
		flips(k[:], func(b []byte) { require.Error(t, VerifyInclusion(root, Key(b), v, inclusion)) })
		flips(v[:], func(b []byte) { require.Error(t, VerifyInclusion(root, k, Hash(b), inclusion)) })
		flips(root[:], func(b []byte) {
			require.Error(t, VerifyInclusion(Hash(b), k, v, inclusion))
			require.Error(t, VerifyAbsence(Hash(b), gone, absence))
		})
		// Another absent key may end in the same place; a present one never may.
		for _, present := range keys {
			require.Error(t, VerifyAbsence(root, present, absence))
		}
	})
}

func flips(b []byte, f func([]byte)) {
	for i := range 8 * len(b) {
		c := bytes.Clone(b)
		c[i/8] ^= 1 << (i % 8)
		f(c)
	}
}

func TestShape(t *testing.T) {
	two := New()
	two.Update([]Change{{Key: Key{0x00}}, {Key: Key{0x80}}})
	good := two.ProveDelete(Key{0x80})
	require.NoError(t, VerifyInclusion(two.Root(), Key{0x80}, Hash{}, good))
	for name, spoil := range map[string]func(*Proof){
		"depth above the key's bits":  func(p *Proof) { p.Depth = 257 },
		"negative depth":              func(p *Proof) { p.Depth = -1 },
		"mark below the end":          func(p *Proof) { p.Bitmap[0] |= 0x40 },
		"sibling without a mark":      func(p *Proof) { p.Siblings = append(p.Siblings, Hash{1}) },
		"mark without a sibling":      func(p *Proof) { p.Siblings = nil },
		"zero sibling":                func(p *Proof) { p.Siblings = []Hash{{}} },
		"last sibling zero":           func(p *Proof) { p.Depth = 2 },
		"preimage of something else":  func(p *Proof) { q := *p.SiblingPreimage; q[64] ^= 1; p.SiblingPreimage = &q },
		"preimage with another tag":   func(p *Proof) { q := *p.SiblingPreimage; q[0] = 2; p.SiblingPreimage = &q },
		"preimage beside other leaf":  func(p *Proof) { p.Other = &OtherLeaf{} },
		"preimage without a sibling":  func(p *Proof) { p.Depth, p.Bitmap, p.Siblings = 0, [32]byte{}, nil },
		"other leaf in an inclusion":  func(p *Proof) { p.SiblingPreimage, p.Other = nil, &OtherLeaf{} },
		"depth of another proof":      func(p *Proof) { p.Depth, p.Bitmap[0], p.SiblingPreimage = 2, 0x40, nil },
		"one-sided node over one key": func(p *Proof) { p.Depth, p.Bitmap[0], p.Siblings = 1, 0, nil },
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			p.Siblings = slices.Clone(p.Siblings)
			spoil(&p)
			require.Error(t, VerifyInclusion(two.Root(), Key{0x80}, Hash{}, p))
		})
	}
	_, err := DecodeProof([]byte{0, 0})
	require.ErrorIs(t, err, ErrProofEncoding)
	_, err = DecodeProof([]byte{0, 1, 1})
	require.ErrorIs(t, err, ErrProofEncoding)
	_, err = DecodeProof([]byte{4, 0, 0})
	require.ErrorIs(t, err, ErrProofEncoding)
}

func FuzzDecodeProof(f *testing.F) {
	tr := New()
	for i := range byte(40) {
		tr.Update([]Change{{Key: HashRecord([]byte{i})}})
	}
	for _, k := range []Key{{}, HashRecord([]byte{1}), HashRecord([]byte{2}), {0xff}} {
		f.Add(tr.Prove(k).Encode())
		f.Add(tr.ProveDelete(k).Encode())
	}
	f.Add(Proof{}.Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodeProof(b)
		if err != nil {
			require.ErrorIs(t, err, ErrProofEncoding)
			return
		}
		require.Equal(t, b, p.Encode())
		require.NoError(t, p.check())
		// Whatever decodes can be verified without a panic.
		var k Key
		_ = VerifyAbsence(Hash{}, k, p)
		_ = VerifyFirst(Hash{}, nil, k, Hash{}, p)
		_, _ = UpdateFromProof(p.fold(LeafHash(k, Hash{}), &k, p.Depth), k, &Hash{}, nil, p)
	})
}

// vectors is what another implementation of the verifiers checks itself against. Flat and in hex, for JSON readers
// without structure. Every array has one element per case; a zero value hash means absent.
type vectors struct {
	LeafKey, LeafValueHash, LeafResult string
	InnerLeft, InnerRight, InnerResult string

	// UpdateFromProof, and with it inclusion (old set) and absence (old zero).
	UpdateName, UpdateRoot, UpdateKey, UpdateOld, UpdateNew, UpdateProof, UpdateResult []string
	// The same call, to be refused.
	RefuseName, RefuseRoot, RefuseKey, RefuseOld, RefuseNew, RefuseProof []string
	// VerifyFirst, or VerifyNone where the value hash is zero.
	FirstRoot, FirstPrefix, FirstKey, FirstValueHash, FirstProof []string
	// VerifyFirst with a key that is not the first.
	NotFirstRoot, NotFirstPrefix, NotFirstKey, NotFirstValueHash, NotFirstProof []string
}

func hexOf(b []byte) string { return "0x" + hex.EncodeToString(b) }

func hexOrNone(h *Hash) string {
	if h == nil {
		return hexOf(make([]byte, 32))
	}
	return hexOf(h[:])
}

func unhex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s[2:])
	require.NoError(t, err)
	return b
}

func hashOrNone(t *testing.T, s string) *Hash {
	h := Hash(unhex(t, s))
	if h == (Hash{}) {
		return nil
	}
	return &h
}

func makeVectors(t *testing.T) vectors {
	var v vectors
	a, b := HashRecord([]byte("a")), HashRecord([]byte("b"))
	ab, ba := LeafHash(a, b), InnerHash(a, b)
	v.LeafKey, v.LeafValueHash, v.LeafResult = hexOf(a[:]), hexOf(b[:]), hexOf(ab[:])
	v.InnerLeft, v.InnerRight, v.InnerResult = hexOf(a[:]), hexOf(b[:]), hexOf(ba[:])

	deadline := func(at byte, n byte) Key { // one namespace whose keys share a timestamp
		k := Key(HashRecord([]byte{n}))
		copy(k[:], []byte{9, 0, 0x66, 0x77, 0x88, at})
		return k
	}
	m := model{}
	for i := range byte(24) {
		k := Key(HashRecord([]byte{'k', i}))
		k[0] = i % 3
		m[k] = HashRecord([]byte{'v', i})
	}
	for i := range byte(6) {
		m[deadline(i/3, i)] = HashRecord([]byte{'d', i})
	}
	deep := Key{0x40} // two keys that part at the last bit
	m[deep] = a
	deep[31] = 1
	m[deep] = b
	sets := []model{{}, {a: b}, {Key{0x00}: a, Key{0x80}: b}, m}

	update := func(name string, tr *Trie, k Key, neu *Hash) {
		var old *Hash
		if h, ok := tr.Get(k); ok {
			old = &h
		}
		p, root := tr.Prove(k), tr.Root()
		if neu == nil {
			p = tr.ProveDelete(k)
		}
		result, err := UpdateFromProof(root, k, old, neu, p)
		require.NoError(t, err)
		v.UpdateName, v.UpdateRoot = append(v.UpdateName, name), append(v.UpdateRoot, hexOf(root[:]))
		v.UpdateKey, v.UpdateOld = append(v.UpdateKey, hexOf(k[:])), append(v.UpdateOld, hexOrNone(old))
		v.UpdateNew, v.UpdateProof = append(v.UpdateNew, hexOrNone(neu)), append(v.UpdateProof, hexOf(p.Encode()))
		v.UpdateResult = append(v.UpdateResult, hexOf(result[:]))
	}
	refuse := func(name string, root Hash, k Key, old, neu *Hash, proof []byte) {
		p, err := DecodeProof(proof)
		if err == nil {
			_, err = UpdateFromProof(root, k, old, neu, p)
		}
		require.Error(t, err, name)
		v.RefuseName, v.RefuseRoot = append(v.RefuseName, name), append(v.RefuseRoot, hexOf(root[:]))
		v.RefuseKey, v.RefuseOld = append(v.RefuseKey, hexOf(k[:])), append(v.RefuseOld, hexOrNone(old))
		v.RefuseNew, v.RefuseProof = append(v.RefuseNew, hexOrNone(neu)), append(v.RefuseProof, hexOf(proof))
	}
	first := func(tr *Trie, prefix []byte) {
		p, k, h, ok := tr.ProveFirst(prefix)
		root := tr.Root()
		v.FirstRoot, v.FirstPrefix = append(v.FirstRoot, hexOf(root[:])), append(v.FirstPrefix, hexOf(prefix))
		v.FirstKey, v.FirstValueHash = append(v.FirstKey, hexOf(k[:])), append(v.FirstValueHash, hexOf(h[:]))
		v.FirstProof = append(v.FirstProof, hexOf(p.Encode()))
		if !ok {
			return
		}
		next, ok := tr.Next(k)
		if !ok || !bytes.HasPrefix(next[:], prefix) {
			return
		}
		h, _ = tr.Get(next)
		v.NotFirstRoot, v.NotFirstPrefix = append(v.NotFirstRoot, hexOf(root[:])), append(v.NotFirstPrefix, hexOf(prefix))
		v.NotFirstKey, v.NotFirstValueHash = append(v.NotFirstKey, hexOf(next[:])), append(v.NotFirstValueHash, hexOf(h[:]))
		v.NotFirstProof = append(v.NotFirstProof, hexOf(tr.Prove(next).Encode()))
	}
	for _, set := range sets {
		tr := set.build(t)
		for _, k := range set.keys() {
			update("update", tr, k, &Hash{7})
			update("delete", tr, k, nil)
			near := k // parts from a key late, early, and in the middle
			near[31] ^= 2
			update("insert beside", tr, near, &Hash{8})
			near = k
			near[3] ^= 0x10
			update("insert", tr, near, &Hash{9})
			update("delete of nothing", tr, near, nil)
		}
		update("insert far away", tr, Key{0xee, 1}, &Hash{10})
		for _, prefix := range [][]byte{{}, {0}, {1}, {9}, {9, 0, 0x66, 0x77, 0x88}, {9, 0, 0x66, 0x77, 0x88, 1}, {0x40}, {0xee}, make([]byte, 32)} {
			first(tr, prefix)
		}
	}

	tr := m.build(t)
	root, k := tr.Root(), m.keys()[5]
	old := m[k]
	good := tr.ProveDelete(k)
	for i := 0; i < len(good.Encode()); i += 13 {
		bad := good.Encode()
		bad[i] ^= 1
		refuse("a bit of a deletion's proof flipped", root, k, &old, nil, bad)
	}
	refuse("deletion without preimage", root, k, &old, nil, tr.Prove(k).Encode())
	refuse("wrong old value", root, k, &Hash{1}, &Hash{2}, good.Encode())
	refuse("present key called absent", root, k, nil, &Hash{2}, tr.Prove(k).Encode())
	self := tr.Prove(k)
	self.Other = &OtherLeaf{k, old}
	refuse("key itself as other leaf", root, k, nil, &Hash{2}, self.Encode())
	off := tr.Prove(m.keys()[6])
	off.Other = &OtherLeaf{m.keys()[6], m[m.keys()[6]]}
	refuse("other leaf off the path", root, k, nil, &Hash{2}, off.Encode())
	refuse("trailing byte", root, k, &old, nil, append(good.Encode(), 0))
	refuse("another root", Hash{1}, k, &old, nil, good.Encode())
	four, inside, forged := forgery()
	refuse("inner node as other leaf", four.Root(), inside, nil, &Hash{2}, forged.Encode())
	return v
}

// TestVectors pins the hashes and encodings for every other implementation.
func TestVectors(t *testing.T) {
	path := filepath.Join("testdata", "vectors.json")
	want, err := json.MarshalIndent(makeVectors(t), "", " ")
	require.NoError(t, err)
	want = append(want, '\n')
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, want, 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run with -update if the change is meant")

	// Read back as another implementation would: from the file alone.
	var v vectors
	require.NoError(t, json.Unmarshal(got, &v))
	require.NotEmpty(t, v.UpdateRoot)
	for i := range v.UpdateRoot {
		p, err := DecodeProof(unhex(t, v.UpdateProof[i]))
		require.NoError(t, err)
		r, err := UpdateFromProof(Hash(unhex(t, v.UpdateRoot[i])), Key(unhex(t, v.UpdateKey[i])),
			hashOrNone(t, v.UpdateOld[i]), hashOrNone(t, v.UpdateNew[i]), p)
		require.NoError(t, err)
		require.Equal(t, v.UpdateResult[i], hexOf(r[:]), v.UpdateName[i])
	}
	for i := range v.FirstRoot {
		p, err := DecodeProof(unhex(t, v.FirstProof[i]))
		require.NoError(t, err)
		root, prefix := Hash(unhex(t, v.FirstRoot[i])), unhex(t, v.FirstPrefix[i])
		if hashOrNone(t, v.FirstValueHash[i]) == nil {
			require.NoError(t, VerifyNone(root, prefix, p))
		} else {
			require.NoError(t, VerifyFirst(root, prefix, Key(unhex(t, v.FirstKey[i])), Hash(unhex(t, v.FirstValueHash[i])), p))
		}
	}
	require.NotEmpty(t, v.NotFirstRoot)
	for i := range v.NotFirstRoot {
		p, err := DecodeProof(unhex(t, v.NotFirstProof[i]))
		require.NoError(t, err)
		require.ErrorIs(t, VerifyFirst(Hash(unhex(t, v.NotFirstRoot[i])), unhex(t, v.NotFirstPrefix[i]),
			Key(unhex(t, v.NotFirstKey[i])), Hash(unhex(t, v.NotFirstValueHash[i])), p), ErrProofNotFirst)
	}
}
