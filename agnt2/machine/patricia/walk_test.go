package patricia_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/machine/patricia"
)

// kv is a trie's content with fixed-size keys.
type kv struct {
	keys   []common.Hash
	values map[common.Hash][]byte
	trie   *trie.Trie
}

func newKV() *kv {
	t, _ := patricia.ListTrie(nil) // an empty one in memory
	return &kv{values: map[common.Hash][]byte{}, trie: t}
}

func (m *kv) put(key common.Hash, value []byte) {
	if m.values[key] == nil {
		m.keys = append(m.keys, key)
	}
	m.values[key] = value
	if err := m.trie.Update(key[:], value); err != nil {
		panic(err)
	}
}

// root hashes the trie, which Prove needs too.
func (m *kv) root() common.Hash { return m.trie.Hash() }

func (m *kv) prove(key []byte) [][]byte {
	m.root()
	nodes, err := patricia.Prove(m.trie, key)
	if err != nil {
		panic(err)
	}
	return nodes
}

// randomKey shares a beginning of random length with a key that is there, so that all shapes of nodes and splits occur at
// all depths.
func (m *kv) randomKey(r *rand.Rand) (key common.Hash) {
	r.Read(key[:])
	if len(m.keys) > 0 && r.Intn(3) > 0 {
		from := m.keys[r.Intn(len(m.keys))]
		n := r.Intn(64)
		if r.Intn(2) == 0 {
			n = r.Intn(8)
		}
		copy(key[:n/2], from[:])
		if n%2 == 1 {
			key[n/2] = from[n/2]&0xf0 | key[n/2]&0x0f
		}
	}
	return key
}

func (m *kv) has(key common.Hash) bool { return m.values[key] != nil }

// randomTrie has count keys; values of 1 to longest bytes.
func randomTrie(r *rand.Rand, count, longest int) *kv {
	m := newKV()
	for len(m.keys) < count {
		v := make([]byte, 1+r.Intn(longest))
		r.Read(v)
		m.put(m.randomKey(r), v)
	}
	return m
}

func TestWalkRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		m := randomTrie(r, rapid.IntRange(0, 60).Draw(t, "count"), rapid.SampledFrom([]int{1, 32, 110, 2000}).Draw(t, "longest"))
		root := m.root()
		for i := range 30 {
			key := m.randomKey(r)
			if i%2 == 0 && len(m.keys) > 0 {
				key = m.keys[r.Intn(len(m.keys))]
			}
			nodes := m.prove(key[:])
			v, present, err := patricia.Walk(root, key[:], nodes)
			if err != nil || present != m.has(key) || !bytes.Equal(v, m.values[key]) {
				t.Fatalf("key %s: %x, %v, %v", key, v, present, err)
			}
			for name, bad := range badNodes(r, nodes) {
				if _, _, err := patricia.Walk(root, key[:], bad); !isWitnessError(err) {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if !present {
				if _, _, err := patricia.WalkReference(root, key[:], nodes); !errors.Is(err, patricia.ErrNoReference) {
					t.Fatalf("reference of an absent key: %v", err)
				}
				continue
			}
			if above, leaf, err := patricia.ProveReference(m.trie, key[:]); err == nil {
				hash, consumed, err := patricia.WalkReference(root, key[:], above)
				if err != nil || hash != crypto.Keccak256Hash(leaf) || consumed > 64 {
					t.Fatalf("reference: %d, %v", consumed, err)
				}
				if _, _, err := patricia.Walk(root, key[:], above); !errors.Is(err, patricia.ErrMissingNode) {
					t.Fatalf("leaf missing: %v", err)
				}
			}
		}
	})
}

func isWitnessError(err error) bool {
	return errors.Is(err, patricia.ErrMissingNode) || errors.Is(err, patricia.ErrWrongNode) || errors.Is(err, patricia.ErrUnusedNode)
}

// badNodes is witnesses that differ from the right one.
func badNodes(r *rand.Rand, nodes [][]byte) map[string][][]byte {
	clone := func() [][]byte {
		c := make([][]byte, len(nodes))
		for i := range nodes {
			c[i] = bytes.Clone(nodes[i])
		}
		return c
	}
	bad := map[string][][]byte{
		"one more":      append(clone(), []byte{0x80}),
		"an empty one":  append(clone(), nil),
		"one in front":  append([][]byte{{0xc0}}, clone()...),
		"a node of two": append(clone(), rlpBytes([][]byte{{0x20}, {1}})),
	}
	if len(nodes) == 0 {
		return bad
	}
	bad["last dropped"] = clone()[:len(nodes)-1]
	bad["first dropped"] = clone()[1:]
	bad["last twice"] = append(clone(), nodes[len(nodes)-1])
	at := r.Intn(len(nodes))
	dropped := clone()
	bad["one dropped"] = append(dropped[:at:at], dropped[at+1:]...)
	for name, change := range map[string]func(b []byte) []byte{
		"bit flipped":   func(b []byte) []byte { b[r.Intn(len(b))] ^= 1 << r.Intn(8); return b },
		"byte appended": func(b []byte) []byte { return append(b, 0) },
		"byte cut":      func(b []byte) []byte { return b[:len(b)-1] },
		"emptied":       func([]byte) []byte { return nil },
	} {
		bad[name] = clone()
		bad[name][at] = change(bad[name][at])
	}
	return bad
}

func rlpBytes(v any) []byte {
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		panic(err)
	}
	return b
}

// receiptLists are contents of receipts tries, of one item and of more, with leaves of every size class.
func receiptLists() [][][]byte {
	var lists [][][]byte
	for _, count := range []int{1, 2, 17, 127, 128, 129, 130, 256, 300} {
		values := distinct(count)
		for i, size := range []int{32, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 247, 248, 249, 250, 251, 252, 255, 256, 65_529, 65_531, 65_536, 300_000} {
			if i < count {
				values[i] = bytes.Repeat([]byte{byte(i + 1)}, size)
			}
		}
		lists = append(lists, values)
	}
	return lists
}

func leafBeginning(leaf []byte) (p [patricia.LeafPrefixLength]byte) {
	copy(p[:], leaf)
	return p
}

func TestReceiptReferences(t *testing.T) {
	for _, values := range receiptLists() {
		lt, err := patricia.ListTrie(values)
		if err != nil {
			t.Fatal(err)
		}
		if lt.Hash() != deriveSha(values) {
			t.Fatal("ListTrie has another root")
		}
		for i, v := range values {
			key := patricia.IndexKey(uint64(i))
			nodes, leaf, err := patricia.ProveReference(lt, key)
			if err != nil {
				t.Fatal(err)
			}
			hash, consumed, err := patricia.WalkReference(lt.Hash(), key, nodes)
			if err != nil || hash != crypto.Keccak256Hash(leaf) {
				t.Fatalf("item %d of %d: %v", i, len(values), err)
			}
			p := leafBeginning(leaf)
			offset, err := patricia.LeafValueOffset(p, uint64(len(leaf)), key, consumed)
			if err != nil || !bytes.Equal(leaf[offset:], v) {
				t.Fatalf("item %d of %d: offset %d, %v", i, len(values), offset, err)
			}
			for _, length := range []uint64{uint64(len(leaf)) - 1, uint64(len(leaf)) + 1, 0, 1, 40, 57, 1 << 32, 1 << 40} {
				if _, err := patricia.LeafValueOffset(p, length, key, consumed); !errors.Is(err, patricia.ErrMalformedNode) {
					t.Fatalf("length %d: %v", length, err)
				}
			}
			for at := range offset {
				p[at] ^= 1 << (i % 8)
				if _, err := patricia.LeafValueOffset(p, uint64(len(leaf)), key, consumed); !errors.Is(err, patricia.ErrMalformedNode) {
					t.Fatalf("byte %d changed: %v", at, err)
				}
				p[at] ^= 1 << (i % 8)
			}
			for other := range 2*len(key) + 2 {
				if other != consumed {
					if _, err := patricia.LeafValueOffset(p, uint64(len(leaf)), key, other); !errors.Is(err, patricia.ErrMalformedNode) {
						t.Fatalf("%d nibbles consumed: %v", other, err)
					}
				}
			}
			// A walk that stops early finds what does not pass for the leaf.
			for n := range nodes {
				hash, consumed, err := patricia.WalkReference(lt.Hash(), key, nodes[:n])
				if err != nil || hash != crypto.Keccak256Hash(nodes[n]) {
					t.Fatalf("stopped at %d: %v", n, err)
				}
				if _, err := patricia.LeafValueOffset(leafBeginning(nodes[n]), uint64(len(nodes[n])), key, consumed); !errors.Is(err, patricia.ErrMalformedNode) {
					t.Fatalf("an inner node passes for a leaf: %v", err)
				}
			}
		}
		absent := patricia.IndexKey(uint64(len(values)))
		nodes, err := patricia.Prove(lt, absent)
		if err != nil {
			t.Fatal(err)
		}
		if _, present, err := patricia.Walk(lt.Hash(), absent, nodes); present || err != nil {
			t.Fatalf("item after the last: %v, %v", present, err)
		}
	}
}

// world is an L1 state of accounts, each with storage.
type world struct {
	state    *kv
	storage  map[common.Address]*kv
	accounts []common.Address
	slots    []common.Hash
}

func newWorld(r *rand.Rand, count int) *world {
	w := &world{state: newKV(), storage: map[common.Address]*kv{}}
	for i := range 40 {
		w.slots = append(w.slots, common.BigToHash(uint256.NewInt(uint64(i)).ToBig()))
	}
	for range count {
		var a common.Address
		r.Read(a[:])
		s := newKV()
		for _, slot := range w.slots[:r.Intn(30)] {
			word := slotWord(a, slot)
			s.put(crypto.Keccak256Hash(slot[:]), rlpBytes(new(uint256.Int).SetBytes(word[:])))
		}
		account := types.StateAccount{Nonce: r.Uint64() >> r.Intn(64), Balance: uint256.NewInt(r.Uint64() >> r.Intn(64)), Root: s.root(), CodeHash: crypto.Keccak256(a[:])}
		w.state.put(crypto.Keccak256Hash(a[:]), rlpBytes(&account))
		w.storage[a] = s
		w.accounts = append(w.accounts, a)
	}
	return w
}

// slotWord is not zero and has leading zero bytes at times.
func slotWord(a common.Address, slot common.Hash) common.Hash {
	h := crypto.Keccak256Hash(a[:], slot[:])
	clear(h[:h[0]%32])
	h[31] |= 1
	return h
}

func TestAccountsAndSlots(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	w := newWorld(r, 200)
	for _, a := range append(w.accounts, common.Address{1}) {
		root, err := patricia.StorageRoot(w.state.root(), a, w.state.prove(crypto.Keccak256(a[:])))
		s := w.storage[a]
		if s == nil {
			s = newKV()
		}
		if err != nil || root != s.root() {
			t.Fatalf("%s: %s, %v", a, root, err)
		}
		for _, slot := range w.slots {
			want := common.Hash{}
			if s.has(crypto.Keccak256Hash(slot[:])) {
				want = slotWord(a, slot)
			}
			got, err := patricia.StorageAt(root, slot, s.prove(crypto.Keccak256(slot[:])))
			if err != nil || got != want {
				t.Fatalf("%s %s: %s, want %s, %v", a, slot, got, want, err)
			}
		}
	}
}

// single is a trie of one leaf with a value, which need not be a valid one.
func single(key common.Hash, value []byte) (common.Hash, [][]byte) {
	m := newKV()
	m.put(key, value)
	return m.root(), m.prove(key[:])
}

// badWords and badAccounts are values that a real state trie does not have.
var badWords = [][]byte{{0x80}, {0x00}, {0x81, 0x7f}, {0x82, 0x00, 0x01}, {0x01, 0x01}, {0xc0}, append([]byte{0xa1, 1}, make([]byte, 32)...), {0x82, 1}}

func badAccounts() [][]byte {
	good := types.StateAccount{Nonce: 1, Balance: uint256.NewInt(300), CodeHash: make([]byte, 32)}
	b := rlpBytes(&good)
	long := append([]byte{0xf8, b[1] + 1}, append(bytes.Clone(b[2:]), 0x80)...)
	zero := append([]byte{0xf8, b[1]}, append([]byte{0}, b[3:]...)...)
	return [][]byte{append(bytes.Clone(b), 0), b[:len(b)-1], long, zero, {0x80}, {0xc0}, rlpBytes([][]byte{{1}, {1}, {1}, {1}}),
		rlpBytes([][]byte{make([]byte, 9), {1}, make([]byte, 32), make([]byte, 32)}),
		rlpBytes([][]byte{bytes.Repeat([]byte{1}, 9), {1}, make([]byte, 32), make([]byte, 32)}),
		rlpBytes([][]byte{{1}, bytes.Repeat([]byte{1}, 33), make([]byte, 32), make([]byte, 32)}),
		rlpBytes([][]byte{{1}, {1}, make([]byte, 32), make([]byte, 31)}),
	}
}

func TestBadValues(t *testing.T) {
	for _, v := range badWords {
		slot := common.Hash{7}
		root, nodes := single(crypto.Keccak256Hash(slot[:]), v)
		if _, err := patricia.StorageAt(root, slot, nodes); !errors.Is(err, patricia.ErrInvalidRLP) {
			t.Errorf("word %x: %v", v, err)
		}
	}
	for _, v := range badAccounts() {
		a := common.Address{7}
		root, nodes := single(crypto.Keccak256Hash(a[:]), v)
		if _, err := patricia.StorageRoot(root, a, nodes); !errors.Is(err, patricia.ErrInvalidRLP) {
			t.Errorf("account %x: %v", v, err)
		}
	}
}

func TestInsertRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		m := randomTrie(r, rapid.IntRange(1, 40).Draw(t, "count"), rapid.SampledFrom([]int{1, 1, 3, 30, 40, 80}).Draw(t, "longest"))
		for range 30 {
			key := m.randomKey(r)
			before, nodes := m.root(), m.prove(key[:])
			value := []byte{1}
			if r.Intn(3) == 0 {
				value = make([]byte, 1+r.Intn(patricia.MaxInsertLength))
				r.Read(value)
			}
			got, err := patricia.Insert(before, key, value, nodes)
			if m.has(key) {
				if !errors.Is(err, patricia.ErrKeyPresent) {
					t.Fatalf("present: %v", err)
				}
				continue
			}
			m.put(key, value)
			if err != nil || got != m.root() {
				t.Fatalf("got %s, want %s, %v", got, m.root(), err)
			}
			for name, bad := range badNodes(r, nodes) {
				if _, err := patricia.Insert(before, key, value, bad); !isWitnessError(err) {
					t.Fatalf("%s: %v", name, err)
				}
			}
			if _, err := patricia.Insert(m.root(), key, value, m.prove(key[:])); !errors.Is(err, patricia.ErrKeyPresent) {
				t.Fatalf("second insertion: %v", err)
			}
		}
	})
}

func TestInsertSizes(t *testing.T) {
	m := newKV()
	if _, err := patricia.Insert(m.root(), common.Hash{1}, []byte{1}, nil); !errors.Is(err, patricia.ErrMissingNode) {
		t.Errorf("empty trie: %v", err)
	}
	m.put(common.Hash{2}, []byte{1})
	for _, size := range []int{0, patricia.MaxInsertLength + 1} {
		if _, err := patricia.Insert(m.root(), common.Hash{1}, make([]byte, size), m.prove(make([]byte, 32))); !errors.Is(err, patricia.ErrValueSize) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, _, err := patricia.Walk(m.root(), make([]byte, 33), nil); !errors.Is(err, patricia.ErrKeySize) {
		t.Errorf("long key: %v", err)
	}
	// Leaves of the message passer begin to stand in their parents at eight shared nibbles.
	a, b := common.Hash{31: 1}, common.Hash{4: 0x10, 31: 1}
	m = newKV()
	m.put(a, []byte{1})
	root, err := patricia.Insert(m.root(), b, []byte{1}, m.prove(b[:]))
	m.put(b, []byte{1})
	if nodes := m.prove(b[:]); err != nil || root != m.root() || len(nodes) != 2 {
		t.Errorf("inline leaves: %d nodes, %v", len(nodes), err)
	}
}

// malformed is nodes that are no trie's, and some that are, under their own hash; keyed walks over them must not panic and
// must give the same in Solidity.
func malformed(r *rand.Rand) [][]byte {
	var encoded [][]byte
	hash := bytes.Repeat([]byte{0xab}, 32)
	branch := func(change func(items []any)) []byte {
		items := make([]any, 17)
		for i := range items {
			items[i] = []byte{}
		}
		items[3], items[9] = hash, [][]byte{{0x3a}, {1}}
		change(items)
		return rlpBytes(items)
	}
	for _, child := range []any{[]byte{1}, hash[:31], append(hash, 0), [][]byte{hash}, [][]byte{hash[:30]}, []any{}, []any{[]any{}}, [][]byte{{0x20}, {}}, [][]byte{{0x20}, {5}}} {
		encoded = append(encoded,
			branch(func(items []any) { items[0] = child }), branch(func(items []any) { items[16] = child }),
			rlpBytes([]any{[]byte{0x10}, child}), rlpBytes([]any{[]byte{0x20}, child}), rlpBytes([]any{[]byte{0x00}, child}),
			rlpBytes([]any{[]byte{0x00, 0x00}, child}), rlpBytes([]any{child, child}), rlpBytes([]any{make([]byte, 34), child}),
			rlpBytes([]any{append([]byte{0x20}, make([]byte, 32)...), child}), rlpBytes([]any{append([]byte{0x30}, make([]byte, 32)...), child}),
			rlpBytes([]any{append([]byte{0x00}, make([]byte, 32)...), child}), rlpBytes([]any{append([]byte{0x1f}, make([]byte, 31)...), child}))
	}
	for flag := range 256 {
		encoded = append(encoded, rlpBytes([][]byte{{byte(flag), 0}, hash}), rlpBytes([][]byte{{byte(flag)}, hash}))
	}
	for n := range 19 {
		encoded = append(encoded, rlpBytes(make([][]byte, n)))
	}
	encoded = append(encoded, nil, []byte{0x80}, []byte{0xc0}, []byte{0xf8}, []byte{0xff}, []byte{0xbf})
	good := [][]byte{branch(func([]any) {}), rlpBytes([][]byte{{0x20, 0}, hash}), rlpBytes([][]byte{{0x11, 0}, hash})}
	m := randomTrie(r, 30, 40)
	for _, k := range m.keys {
		good = append(good, m.prove(k[:])...)
	}
	for range 250 {
		b := bytes.Clone(good[r.Intn(len(good))])
		for range 1 + r.Intn(2) {
			b[r.Intn(min(len(b), 1+r.Intn(40)))] = byte(r.Intn(256))
		}
		encoded = append(encoded, b)
	}
	return encoded
}

// malformedKeys lead everywhere in small nodes.
func malformedKeys(r *rand.Rand) []common.Hash {
	keys := []common.Hash{{}, {0x30}, {0x9a}, {0x90}}
	var k common.Hash
	r.Read(k[:])
	return append(keys, k)
}

func TestMalformedNodes(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	seen := map[string]int{}
	for _, b := range malformed(r) {
		for _, key := range malformedKeys(r) {
			root := crypto.Keccak256Hash(b)
			for n := range 3 {
				_, _, err := patricia.Walk(root, key[:n], [][]byte{b})
				count(seen, err)
			}
			_, err := patricia.Insert(root, key, []byte{1}, [][]byte{b})
			count(seen, err)
		}
	}
	t.Log(seen)
	for _, want := range []error{patricia.ErrInvalidRLP, patricia.ErrMalformedNode, patricia.ErrMissingNode} {
		if seen[want.Error()] == 0 {
			t.Errorf("never: %v", want)
		}
	}
}

var named = []error{patricia.ErrInvalidRLP, patricia.ErrMalformedNode, patricia.ErrMissingNode, patricia.ErrWrongNode,
	patricia.ErrUnusedNode, patricia.ErrNoReference, patricia.ErrKeyPresent, patricia.ErrValueSize, patricia.ErrWrongEdge,
	patricia.ErrWrongValue, patricia.ErrTrieFull, patricia.ErrTrieEmpty}

// name is the sentinel in err.
func name(err error) string {
	for _, e := range named {
		if errors.Is(err, e) {
			return e.Error()
		}
	}
	if err != nil {
		return "unnamed: " + err.Error()
	}
	return "ok"
}

func count(seen map[string]int, err error) { seen[name(err)]++ }

func FuzzWalk(f *testing.F) {
	for _, b := range malformed(rand.New(rand.NewSource(2))) {
		f.Add(b, uint16(0x3000))
	}
	f.Fuzz(func(t *testing.T, b []byte, k uint16) {
		key := binary.BigEndian.AppendUint16(nil, k)
		_, _, err := patricia.Walk(crypto.Keccak256Hash(b), key, [][]byte{b})
		if name(err)[:2] == "un" {
			t.Fatal(err)
		}
	})
}
