package differential

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/internal/solidity"
)

// trieErrors are the verifier's refusals. Anything else, above all an arithmetic panic, is a fault of the verifier.
var trieErrors = []string{"ProofEncoding", "ProofShape", "ProofRoot", "ProofOther", "ProofPreimage", "ProofPrefix", "ProofNotFirst"}

// trieSides runs every call in Go and in Solidity.
type trieSides struct {
	evm *solidity.EVM
	c   *solidity.Contract
	gas uint64 // the largest of an update, inside the function
}

func newTrieSides(t *testing.T) *trieSides {
	evm, c := deploy(t, "RecordTrieHarness")
	return &trieSides{evm: evm, c: c}
}

// solidity is the outcome of a call on a proof that is framed by other bytes of the witness: nil if the proof was refused or
// did not end where it should, which Go's decoder of a whole proof refuses as well.
func (s *trieSides) solidity(t require.TestingT, method string, nextAt int, proof []byte, args ...any) []any {
	const before = 5
	w := append(append(make([]byte, before), proof...), 0xee, 0xff)
	out, _, err := s.evm.Call(s.c, method, append(args, w, big.NewInt(before))...)
	if err != nil {
		var r *solidity.Revert
		require.ErrorAs(t, err, &r)
		require.Contains(t, trieErrors, r.Name)
		return nil
	}
	if out[nextAt].(*big.Int).Int64() != int64(before+len(proof)) {
		return nil
	}
	return out
}

func orNone(h trie.Hash) *trie.Hash {
	if h == (trie.Hash{}) {
		return nil
	}
	return &h
}

// update requires both sides to agree, and returns the new root.
func (s *trieSides) update(t require.TestingT, root trie.Hash, key trie.Key, old, new trie.Hash, proof []byte) (trie.Hash, bool) {
	var want trie.Hash
	p, err := trie.DecodeProof(proof)
	if err == nil {
		want, err = trie.UpdateFromProof(root, key, orNone(old), orNone(new), p)
	}
	out := s.solidity(t, "update", 1, proof, root, key, old, new)
	if err != nil {
		require.Nil(t, out, "Solidity accepts what Go refuses: %v", err)
		return trie.Hash{}, false
	}
	require.NotNil(t, out, "Solidity refuses what Go accepts")
	require.Equal(t, want, trie.Hash(out[0].([32]byte)))
	s.gas = max(s.gas, out[2].(*big.Int).Uint64())
	return want, true
}

// prove is inclusion, or absence if value is zero.
func (s *trieSides) prove(t require.TestingT, root trie.Hash, key trie.Key, value trie.Hash, proof []byte) bool {
	p, err := trie.DecodeProof(proof)
	if err == nil {
		if value == (trie.Hash{}) {
			err = trie.VerifyAbsence(root, key, p)
		} else {
			err = trie.VerifyInclusion(root, key, value, p)
		}
	}
	out := s.solidity(t, "proveRecord", 0, proof, root, key, value)
	require.Equal(t, err == nil, out != nil, "Go: %v", err)
	return err == nil
}

// ordered is VerifyFirst, or VerifyNone if value is zero.
func (s *trieSides) ordered(t require.TestingT, root trie.Hash, prefix []byte, key trie.Key, value trie.Hash, proof []byte) bool {
	p, err := trie.DecodeProof(proof)
	size := big.NewInt(int64(len(prefix)))
	var padded [32]byte
	copy(padded[:], prefix)
	var out, short []any
	if value == (trie.Hash{}) {
		if err == nil {
			err = trie.VerifyNone(root, prefix, p)
		}
		out = s.solidity(t, "noneUnder", 0, proof, root, padded, size)
		if len(prefix) == 1 {
			short = s.solidity(t, "none", 0, proof, root, prefix[0])
		}
	} else {
		if err == nil {
			err = trie.VerifyFirst(root, prefix, key, value, p)
		}
		out = s.solidity(t, "firstUnder", 0, proof, root, padded, size, key, value)
		if len(prefix) == 1 {
			short = s.solidity(t, "first", 0, proof, root, prefix[0], key, value)
		}
	}
	require.Equal(t, err == nil, out != nil, "Go: %v", err)
	if len(prefix) == 1 {
		require.Equal(t, out != nil, short != nil)
	}
	return err == nil
}

func TestTrieVectors(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(solidity.Root(), "agnt2", "trie", "testdata", "vectors.json"))
	require.NoError(t, err)
	var v struct {
		UpdateName, UpdateRoot, UpdateKey, UpdateOld, UpdateNew, UpdateProof, UpdateResult []string
		RefuseName, RefuseRoot, RefuseKey, RefuseOld, RefuseNew, RefuseProof               []string
		FirstRoot, FirstPrefix, FirstKey, FirstValueHash, FirstProof                       []string
		NotFirstRoot, NotFirstPrefix, NotFirstKey, NotFirstValueHash, NotFirstProof        []string
	}
	require.NoError(t, json.Unmarshal(b, &v))
	hash := func(s string) trie.Hash { return trie.Hash(common.FromHex(s)) }
	s := newTrieSides(t)
	require.NotEmpty(t, v.UpdateName)
	for i, name := range v.UpdateName {
		root, key, old := hash(v.UpdateRoot[i]), hash(v.UpdateKey[i]), hash(v.UpdateOld[i])
		got, ok := s.update(t, root, key, old, hash(v.UpdateNew[i]), common.FromHex(v.UpdateProof[i]))
		require.True(t, ok, name)
		require.Equal(t, hash(v.UpdateResult[i]), got, name)
		require.True(t, s.prove(t, root, key, old, common.FromHex(v.UpdateProof[i])), name)
	}
	require.NotEmpty(t, v.RefuseName)
	for i, name := range v.RefuseName {
		_, ok := s.update(t, hash(v.RefuseRoot[i]), hash(v.RefuseKey[i]), hash(v.RefuseOld[i]), hash(v.RefuseNew[i]), common.FromHex(v.RefuseProof[i]))
		require.False(t, ok, name)
	}
	require.NotEmpty(t, v.FirstRoot)
	for i := range v.FirstRoot {
		require.True(t, s.ordered(t, hash(v.FirstRoot[i]), common.FromHex(v.FirstPrefix[i]), hash(v.FirstKey[i]), hash(v.FirstValueHash[i]), common.FromHex(v.FirstProof[i])))
	}
	require.NotEmpty(t, v.NotFirstRoot)
	for i := range v.NotFirstRoot {
		require.False(t, s.ordered(t, hash(v.NotFirstRoot[i]), common.FromHex(v.NotFirstPrefix[i]), hash(v.NotFirstKey[i]), hash(v.NotFirstValueHash[i]), common.FromHex(v.NotFirstProof[i])))
	}
}

// genTrieKey draws keys that share long prefixes, so that leaves part deep down and rise far.
func genTrieKey() *rapid.Generator[trie.Key] {
	return rapid.Custom(func(t *rapid.T) (k trie.Key) {
		if rapid.Bool().Draw(t, "high") {
			k = trie.Key(bytes.Repeat([]byte{0xa5}, 32))
		}
		for range rapid.IntRange(0, 3).Draw(t, "flips") {
			i := rapid.OneOf(rapid.SampledFrom([]int{0, 1, 7, 8, 9, 31, 63, 64, 254, 255}), rapid.IntRange(0, 255)).Draw(t, "bit")
			k[i/8] ^= 0x80 >> (i % 8)
		}
		return k
	})
}

// TestTrieRandom: on random tries, both sides accept the prover's proofs of everything, follow its changes to the same root,
// and agree on wrong arguments and on a changed byte.
func TestTrieRandom(t *testing.T) {
	s := newTrieSides(t)
	rapid.Check(t, func(t *rapid.T) {
		tr := trie.New()
		keys := rapid.SliceOfN(genTrieKey(), 0, 30).Draw(t, "keys")
		for i, k := range keys {
			tr.Update([]trie.Change{{Key: k, ValueHash: trie.Hash{31: byte(i + 1)}}})
		}
		g := genTrieKey()
		if len(keys) > 0 {
			g = rapid.OneOf(g, rapid.SampledFrom(keys))
		}
		for range 4 {
			key, root := g.Draw(t, "key"), tr.Root()
			old, _ := tr.Get(key)
			new := trie.Hash{0: rapid.SampledFrom([]byte{0, 0, 1, 2}).Draw(t, "new")}
			proof := tr.ProveDelete(key).Encode()
			require.True(t, s.prove(t, root, key, old, proof))
			s.prove(t, root, key, new, proof)
			if plain := tr.Prove(key).Encode(); !bytes.Equal(plain, proof) {
				require.True(t, s.prove(t, root, key, old, plain))
				_, ok := s.update(t, root, key, old, new, plain)
				require.Equal(t, new != trie.Hash{}, ok, "deletion without preimage")
			}
			s.update(t, root, g.Draw(t, "another key"), old, new, proof)
			s.update(t, root, key, new, old, proof)
			bad := bytes.Clone(proof)
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "xor"))
			_, ok := s.update(t, root, key, old, new, bad)
			require.False(t, ok, "a changed proof passes")

			got, ok := s.update(t, root, key, old, new, proof)
			require.True(t, ok)
			tr.Update([]trie.Change{{Key: key, ValueHash: new, Delete: new == trie.Hash{}}})
			require.Equal(t, tr.Root(), got)

			prefix := key[:rapid.SampledFrom([]int{0, 1, 1, 1, 2, 9, 31, 32}).Draw(t, "prefix")]
			p, firstKey, value, _ := tr.ProveFirst(prefix)
			root = tr.Root()
			require.True(t, s.ordered(t, root, prefix, firstKey, value, p.Encode()))
			for _, other := range keys {
				v, _ := tr.Get(other)
				s.ordered(t, root, prefix, other, v, tr.Prove(other).Encode())
			}
			wrong := g.Draw(t, "another prefix")
			s.ordered(t, root, wrong[:1], firstKey, value, p.Encode())
		}
	})
	t.Logf("largest update: %d gas", s.gas)
}

// flips calls f with every version of b that differs in one bit.
func flips(b []byte, f func([]byte)) {
	for i := range 8 * len(b) {
		m := bytes.Clone(b)
		m[i/8] ^= 0x80 >> (i % 8)
		f(m)
	}
}

// TestTrieFlips: of every kind of proof, no bit is without meaning: the proof with any one bit changed is refused. So is one
// that is cut short.
func TestTrieFlips(t *testing.T) {
	s := newTrieSides(t)
	tr := trie.New()
	key := func(b ...byte) (k trie.Key) { copy(k[:], b); return k }
	for i, k := range []trie.Key{key(0x00), key(0x00, 0x01), key(0x40), key(0x40, 0x80), key(0x41), key(0xff), key(0x82), key(0x82, 0, 0, 1)} {
		tr.Update([]trie.Change{{Key: k, ValueHash: trie.Hash{byte(i + 1)}}})
	}
	root := tr.Root()
	for name, c := range map[string]struct {
		key      trie.Key
		new      trie.Hash
		preimage bool
	}{
		"write":                            {key(0x41), trie.Hash{99}, false},
		"delete beside an inner node":      {key(0x41), trie.Hash{}, true},
		"delete beside a leaf":             {key(0x40), trie.Hash{}, true},
		"delete beside a leaf, it rises":   {key(0x82), trie.Hash{}, true},
		"write with a deletion's preimage": {key(0x40), trie.Hash{99}, true},
		"insert beside another leaf":       {key(0xf0), trie.Hash{99}, false},
		"insert into nothing":              {key(0x82, 0, 0x80), trie.Hash{99}, false},
	} {
		t.Run(name, func(t *testing.T) {
			old, _ := tr.Get(c.key)
			p := tr.Prove(c.key)
			if c.preimage {
				p = tr.ProveDelete(c.key)
			}
			proof := p.Encode()
			_, ok := s.update(t, root, c.key, old, c.new, proof)
			require.True(t, ok)
			flips(proof, func(m []byte) {
				_, ok := s.update(t, root, c.key, old, c.new, m)
				require.False(t, ok, "%x", m)
				require.False(t, s.prove(t, root, c.key, old, m))
			})
			for n := range proof {
				out, _, err := s.evm.Call(s.c, "update", root, c.key, old, c.new, proof[:n], new(big.Int))
				require.Error(t, err, "%d of %d bytes: %v", n, len(proof), out)
			}
			flips(old[:], func(m []byte) {
				_, ok := s.update(t, root, c.key, trie.Hash(m), c.new, proof)
				require.False(t, ok)
			})
			flips(root[:], func(m []byte) {
				_, ok := s.update(t, trie.Hash(m), c.key, old, c.new, proof)
				require.False(t, ok)
			})
			flips(c.key[:], func(m []byte) { s.update(t, root, trie.Key(m), old, c.new, proof) })
		})
	}
	for _, prefix := range [][]byte{{}, {0x00}, {0x40}, {0x82}, {0x83}, {0x50}} {
		p, key, value, _ := tr.ProveFirst(prefix)
		require.True(t, s.ordered(t, root, prefix, key, value, p.Encode()))
		flips(p.Encode(), func(m []byte) { require.False(t, s.ordered(t, root, prefix, key, value, m)) })
	}
	var r *solidity.Revert
	_, _, err := s.evm.Call(s.c, "proveRecord", root, key(1), key(), []byte{0, 0, 0}, new(big.Int).Lsh(big.NewInt(1), 255))
	require.True(t, errors.As(err, &r) && r.Name == "ProofEncoding", "position outside the witness: %v", err)
}

// TestTrieMalleable: what folds to the root but is not the one encoding of its proof is refused.
func TestTrieMalleable(t *testing.T) {
	s := newTrieSides(t)
	tr := trie.New()
	a, b, absent := trie.Key{}, trie.Key{1: 1}, trie.Key{1: 0x80}
	tr.Update([]trie.Change{{Key: a, ValueHash: trie.Hash{1}}, {Key: b, ValueHash: trie.Hash{2}}})
	root := tr.Root()
	p := tr.Prove(a)
	require.Equal(t, 16, p.Depth, "the leaves part at the last bit of the second byte")
	require.Len(t, p.Siblings, 1, "nothing stands beside the nodes above")
	require.True(t, s.prove(t, root, a, trie.Hash{1}, p.Encode()))
	for i := range p.Depth - 1 {
		zero := p
		zero.Bitmap[i/8] |= 0x80 >> (i % 8)
		zero.Siblings = append([]trie.Hash{{}}, p.Siblings...)
		require.False(t, s.prove(t, root, a, trie.Hash{1}, zero.Encode()), "zero sibling of depth %d in the open", i+1)
		for _, new := range []trie.Hash{{}, {9}} {
			_, ok := s.update(t, root, a, trie.Hash{1}, new, zero.Encode())
			require.False(t, ok, "zero sibling of depth %d in the open", i+1)
		}
	}
	q := tr.Prove(absent)
	require.True(t, s.prove(t, root, absent, trie.Hash{}, q.Encode()))
	for _, change := range []func(*trie.Proof){
		func(p *trie.Proof) { p.Depth++ },
		func(p *trie.Proof) { p.Depth-- },
		func(p *trie.Proof) { p.Depth = 257 },
		func(p *trie.Proof) { p.Depth, p.Bitmap, p.Siblings = 1, [32]byte{}, nil },
		func(p *trie.Proof) { p.Other = &trie.OtherLeaf{Key: b, ValueHash: trie.Hash{2}} },
	} {
		for _, c := range []struct {
			p     trie.Proof
			key   trie.Key
			value trie.Hash
		}{{p, a, trie.Hash{1}}, {q, absent, trie.Hash{}}} {
			change(&c.p)
			encode := func() (b []byte) {
				defer func() { recover() }() // Encode wants a well-formed proof
				return c.p.Encode()
			}
			require.False(t, s.prove(t, root, c.key, c.value, encode()))
			_, ok := s.update(t, root, c.key, c.value, trie.Hash{7}, encode())
			require.False(t, ok)
		}
	}
}

// TestTrieForged: proofs that lead to the root, which was made to fit, and are refused for their form only. No trie has such
// a root, but the verifier must not rely on that.
func TestTrieForged(t *testing.T) {
	s := newTrieSides(t)
	key, value := trie.Key{0x11}, trie.Hash{1}
	// fold is the root that the proof leads to.
	fold := func(p trie.Proof, h trie.Hash) trie.Hash {
		n := len(p.Siblings)
		for i := p.Depth - 1; i >= 0; i-- {
			var sibling trie.Hash
			if p.Bitmap[i/8]>>(7-i%8)&1 == 1 {
				n--
				sibling = p.Siblings[n]
			}
			if key[i/8]>>(7-i%8)&1 == 0 {
				h = trie.InnerHash(h, sibling)
			} else {
				h = trie.InnerHash(sibling, h)
			}
		}
		return h
	}
	leaf := trie.LeafHash(key, value)
	included := func(name string, want bool, p trie.Proof) {
		require.Equal(t, want, s.prove(t, fold(p, leaf), key, value, p.Encode()), name)
		_, ok := s.update(t, fold(p, leaf), key, value, trie.Hash{2}, p.Encode())
		require.Equal(t, want, ok, name)
	}
	absent := func(name string, want bool, p trie.Proof) {
		var h trie.Hash
		if p.Other != nil {
			h = trie.LeafHash(p.Other.Key, p.Other.ValueHash)
		}
		require.Equal(t, want, s.prove(t, fold(p, h), key, trie.Hash{}, p.Encode()), name)
		_, ok := s.update(t, fold(p, h), key, trie.Hash{}, trie.Hash{2}, p.Encode())
		require.Equal(t, want, ok, name)
	}
	sibling := trie.Hash{5}
	one := trie.Proof{Depth: 1, Bitmap: [32]byte{0x80}, Siblings: []trie.Hash{sibling}}
	included("the sound proof", true, one)
	absent("the sound proof", true, one)
	two := trie.Proof{Depth: 2, Bitmap: [32]byte{0x80}, Siblings: []trie.Hash{sibling}}
	included("last sibling empty", false, two)
	absent("last sibling empty", false, two)
	for tag, want := range map[byte]bool{0: true, 1: true, 2: false, 255: false} {
		p := one
		p.SiblingPreimage = &[65]byte{tag, 1, 2, 3}
		p.Siblings = []trie.Hash{trie.Hash(crypto.Keccak256(p.SiblingPreimage[:]))}
		included("preimage with a tag", want, p)
		absent("preimage", false, p)
	}
	p := one
	p.Other = &trie.OtherLeaf{Key: trie.Key{0x12}, ValueHash: trie.Hash{3}}
	absent("other leaf on the path", true, p)
	p.Other = &trie.OtherLeaf{Key: trie.Key{0x91}, ValueHash: trie.Hash{3}}
	absent("other leaf off the path", false, p)
	require.False(t, s.ordered(t, fold(p, trie.LeafHash(p.Other.Key, p.Other.ValueHash)), key[:1], key, trie.Hash{}, p.Encode()))
	for depth, want := range map[int]bool{8: true, 9: false, 200: false} {
		root, p := fullPath(key, value, depth)
		included("full path", true, p)
		require.False(t, s.ordered(t, root, nil, key, value, p.Encode()), "siblings to the left")
		require.Equal(t, want, s.ordered(t, fold(p, trie.Hash{}), key[:1], key, trie.Hash{}, p.Encode()), "none below the prefix, depth %d", depth)
	}
}

// fullPath is a proof with every sibling there, and its root.
func fullPath(key trie.Key, value trie.Hash, depth int) (trie.Hash, trie.Proof) {
	p := trie.Proof{Depth: depth}
	h := trie.LeafHash(key, value)
	for i := range depth {
		p.Bitmap[i/8] |= 0x80 >> (i % 8)
		var s trie.Hash
		binary.BigEndian.PutUint64(s[:], uint64(i+1))
		p.Siblings = append(p.Siblings, s)
	}
	for i := depth - 1; i >= 0; i-- {
		if key[i/8]>>(7-i%8)&1 == 0 {
			h = trie.InnerHash(h, p.Siblings[i])
		} else {
			h = trie.InnerHash(p.Siblings[i], h)
		}
	}
	return h, p
}

// TestTrieGas: an update in a trie of about a million records, depth 21, takes at most 12,000 gas; the deepest path there can
// be still works.
func TestTrieGas(t *testing.T) {
	s := newTrieSides(t)
	key, value := trie.Key(bytes.Repeat([]byte{0x6c}, 32)), trie.Hash{1}
	for _, depth := range []int{0, 1, 8, 21, 255, 256} {
		s.gas = 0
		root, p := fullPath(key, value, depth)
		_, ok := s.update(t, root, key, value, trie.Hash{2}, p.Encode())
		require.True(t, ok, depth)
		out := s.solidity(t, "proveRecord", 0, p.Encode(), root, key, value)
		require.NotNil(t, out)
		t.Logf("depth %d: update %d gas, inclusion %d gas, %d bytes", depth, s.gas, out[1], len(p.Encode()))
		if depth == 21 {
			require.LessOrEqual(t, s.gas, uint64(12_000))
		}
	}
}
