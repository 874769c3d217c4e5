package patricia_test

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/agnt2/agnt2/agnt2/machine/patricia"
	"github.com/agnt2/agnt2/internal/solidity"
)

// harness is the compiled libraries.
type harness struct {
	t   *testing.T
	evm *solidity.EVM
	c   *solidity.Contract
	gas uint64 // of the last call
}

func newHarness(t *testing.T) *harness {
	evm := solidity.New()
	c, err := evm.Deploy("PatriciaHarness")
	if err != nil {
		t.Fatal(err)
	}
	return &harness{t, evm, c, 0}
}

// call returns the results, or the name of the custom error, and it must be that of goErr.
func (h *harness) call(goErr error, method string, args ...any) []any {
	h.t.Helper()
	out, gas, err := h.evm.Call(h.c, method, args...)
	h.gas = gas
	var revert *solidity.Revert
	switch {
	case err != nil && !errors.As(err, &revert):
		h.t.Fatalf("%s: %v", method, err)
	case err != nil && goErr == nil:
		h.t.Fatalf("%s reverts, Go does not: %v", method, err)
	case err == nil && goErr != nil:
		h.t.Fatalf("%s does not revert, Go does: %v", method, goErr)
	case err != nil && revert.Name != solidityName(goErr):
		h.t.Fatalf("%s: %s, Go has %v", method, revert.Name, goErr)
	}
	if err != nil {
		return nil
	}
	return out
}

// solidityName is the custom error's of the same meaning.
func solidityName(err error) string {
	for e, name := range map[error]string{
		patricia.ErrInvalidRLP: "InvalidRLP", patricia.ErrMalformedNode: "MalformedNode", patricia.ErrMissingNode: "MissingNode",
		patricia.ErrWrongNode: "WrongNode", patricia.ErrUnusedNode: "UnusedNode", patricia.ErrNoReference: "NoReference",
		patricia.ErrKeyPresent: "KeyPresent", patricia.ErrValueSize: "ValueSize", patricia.ErrKeySize: "KeySize",
		patricia.ErrWrongEdge: "WrongEdge", patricia.ErrWrongValue: "WrongValue", patricia.ErrTrieFull: "TrieFull",
		patricia.ErrTrieEmpty: "TrieEmpty",
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	return "unnamed"
}

// notNil makes an empty list what the ABI encoder takes.
func notNil(nodes [][]byte) [][]byte {
	if nodes == nil {
		return [][]byte{}
	}
	return nodes
}

func solidityKey(key []byte) (padded [32]byte, size *big.Int) {
	copy(padded[:], key)
	return padded, big.NewInt(int64(len(key)))
}

func (h *harness) walk(root common.Hash, key []byte, nodes [][]byte) {
	h.t.Helper()
	padded, size := solidityKey(key)
	hash, consumed, err := patricia.WalkReference(root, key, nodes)
	out := h.call(err, "walkReference", root, padded, size, notNil(nodes))
	if err == nil && (out[0] != [32]byte(hash) || out[1].(*big.Int).Int64() != int64(consumed)) {
		h.t.Fatalf("reference %x %v, Go has %s %d", out[0], out[1], hash, consumed)
	}
	value, present, err := patricia.Walk(root, key, nodes)
	out = h.call(err, "walk", root, padded, size, notNil(nodes))
	if err == nil && (!bytes.Equal(out[0].([]byte), value) || out[1] != present) {
		h.t.Fatalf("value %x %v, Go has %x %v", out[0], out[1], value, present)
	}
}

func (h *harness) insert(root, key common.Hash, value []byte, nodes [][]byte) {
	h.t.Helper()
	got, err := patricia.Insert(root, key, value, nodes)
	if out := h.call(err, "insert", root, key, value, notNil(nodes)); err == nil && out[0] != [32]byte(got) {
		h.t.Fatalf("root %x, Go has %s", out[0], got)
	}
}

func TestSolidityWalk(t *testing.T) {
	h := newHarness(t)
	t.Logf("%d bytes of code, the harness's own among them", h.c.CodeSize)
	r := rand.New(rand.NewSource(3))
	for round := range 36 {
		m := randomTrie(r, r.Intn(60), []int{1, 32, 110, 2000}[round%4])
		root := m.root()
		for i := range 6 {
			key := m.randomKey(r)
			if i%2 == 0 && len(m.keys) > 0 {
				key = m.keys[r.Intn(len(m.keys))]
			}
			nodes := m.prove(key[:])
			h.walk(root, key[:], nodes)
			for _, bad := range badNodes(r, nodes) {
				h.walk(root, key[:], bad)
			}
		}
	}
	padded, _ := solidityKey(nil)
	h.call(patricia.ErrKeySize, "walk", common.Hash{}, padded, big.NewInt(33), [][]byte{})
}

func TestSolidityInsert(t *testing.T) {
	h := newHarness(t)
	r := rand.New(rand.NewSource(4))
	for round := range 36 {
		m := randomTrie(r, 1+r.Intn(40), []int{1, 1, 3, 30, 40, 80}[round%6])
		for range 12 {
			key := m.randomKey(r)
			root, nodes := m.root(), m.prove(key[:])
			value := []byte{1}
			if r.Intn(3) == 0 {
				value = make([]byte, 1+r.Intn(patricia.MaxInsertLength))
				r.Read(value)
			}
			h.insert(root, key, value, nodes)
			for _, bad := range badNodes(r, nodes) {
				h.insert(root, key, value, bad)
			}
			if !m.has(key) {
				m.put(key, value)
			}
		}
		h.insert(m.root(), common.Hash{}, nil, nil)
		h.insert(m.root(), common.Hash{}, make([]byte, patricia.MaxInsertLength+1), nil)
	}
	h.insert(patricia.EmptyRoot, common.Hash{}, []byte{1}, nil)
}

func TestSolidityMalformedNodes(t *testing.T) {
	h := newHarness(t)
	r := rand.New(rand.NewSource(5))
	for i, b := range malformed(r) {
		root := crypto.Keccak256Hash(b)
		for j, key := range malformedKeys(r) {
			h.insert(root, key, []byte{1}, [][]byte{b})
			h.walk(root, key[:(i+j)%3], [][]byte{b})
		}
	}
}

func TestSolidityReceiptReferences(t *testing.T) {
	h := newHarness(t)
	for _, values := range receiptLists() {
		lt, err := patricia.ListTrie(values)
		if err != nil {
			t.Fatal(err)
		}
		for i := range values {
			if i > 25 && i%16 > 1 {
				continue
			}
			key := patricia.IndexKey(uint64(i))
			nodes, leaf, err := patricia.ProveReference(lt, key)
			if err != nil {
				t.Fatal(err)
			}
			h.walk(lt.Hash(), key, nodes)
			_, consumed, _ := patricia.WalkReference(lt.Hash(), key, nodes)
			check := func(p [patricia.LeafPrefixLength]byte, length uint64, consumed int) {
				t.Helper()
				want, err := patricia.LeafValueOffset(p, length, key, consumed)
				padded, size := solidityKey(key)
				out := h.call(err, "leafValueOffset", p, new(big.Int).SetUint64(length), padded, size, big.NewInt(int64(consumed)))
				if err == nil && out[0].(*big.Int).Int64() != int64(want) {
					t.Fatalf("offset %v, Go has %d", out[0], want)
				}
			}
			p, length := leafBeginning(leaf), uint64(len(leaf))
			check(p, length, consumed)
			for _, other := range []uint64{length - 1, length + 1, 0, 1, 2, 3, 40, 56, 57, 58, 1 << 32, 1<<64 - 1} {
				check(p, other, consumed)
			}
			for other := range 2*len(key) + 2 {
				check(p, length, other)
			}
			for at := range 14 {
				changed := p
				changed[at] ^= 1 << (i % 8)
				check(changed, length, consumed)
			}
			for _, inner := range nodes {
				check(leafBeginning(inner), uint64(len(inner)), consumed)
			}
		}
	}
}

func TestSolidityAccountsAndSlots(t *testing.T) {
	h := newHarness(t)
	w := newWorld(rand.New(rand.NewSource(6)), 60)
	account := func(root common.Hash, a common.Address, nodes [][]byte) {
		want, err := patricia.StorageRoot(root, a, nodes)
		if out := h.call(err, "storageRoot", root, a, notNil(nodes)); err == nil && out[0] != [32]byte(want) {
			t.Fatalf("%s: %x, Go has %s", a, out[0], want)
		}
	}
	slot := func(root, slot common.Hash, nodes [][]byte) {
		want, err := patricia.StorageAt(root, slot, nodes)
		if out := h.call(err, "storageAt", root, slot, notNil(nodes)); err == nil && out[0] != [32]byte(want) {
			t.Fatalf("%s: %x, Go has %s", slot, out[0], want)
		}
	}
	for _, a := range append(w.accounts, common.Address{1}) {
		account(w.state.root(), a, w.state.prove(crypto.Keccak256(a[:])))
		if s := w.storage[a]; s != nil {
			for _, key := range w.slots[20:] {
				slot(s.root(), key, s.prove(crypto.Keccak256(key[:])))
			}
		}
	}
	for _, v := range badWords {
		root, nodes := single(crypto.Keccak256Hash(common.Hash{7}.Bytes()), v)
		slot(root, common.Hash{7}, nodes)
	}
	for _, v := range badAccounts() {
		root, nodes := single(crypto.Keccak256Hash(common.Address{7}.Bytes()), v)
		account(root, common.Address{7}, nodes)
	}
}

func TestSolidityOrdered(t *testing.T) {
	h := newHarness(t)
	constants := h.call(nil, "constants")
	if constants[0] != [32]byte(patricia.EmptyRoot) || constants[1] != [32]byte(patricia.EmptyEdgeHash) {
		t.Fatalf("constants %x", constants)
	}
	values, o := large().values, large().o
	step := func(before common.Hash, w patricia.Witness, hash common.Hash, length uint32) {
		t.Helper()
		want, err := patricia.Append(before, w.Edge, hash, length, w.Held)
		out := h.call(err, "append", before, w.Edge, hash, new(big.Int).SetUint64(uint64(length)), w.Held)
		if err == nil && out[0] != [32]byte(want) {
			t.Fatalf("edge %x, Go has %s", out[0], want)
		}
		root, err := patricia.Finish(before, w.Edge, w.Held)
		out = h.call(err, "finish", before, w.Edge, w.Held)
		if err == nil && out[0] != [32]byte(root) {
			t.Fatalf("root %x, Go has %s", out[0], root)
		}
	}
	for _, i := range append(largeCounts(), 0) {
		if i == len(values) {
			continue
		}
		w, v := o.Witness(i), values[i]
		hash, length := crypto.Keccak256Hash(v), uint32(len(v))
		step(o.Hash(i), w, hash, length)
		if i%7 < 2 {
			for _, bad := range badAppends(w, v) {
				step(o.Hash(i), bad, hash, length)
			}
			step(o.Hash(i), w, hash, patricia.MinValueLength-1)
		}
	}
	// Edges that no machine makes, under their own hash.
	full := (&patricia.Edge{Count: patricia.MaxItems}).Encode()
	step(crypto.Keccak256Hash(full), patricia.Witness{Edge: full}, common.Hash{1}, 100)
	short := full[:119]
	step(crypto.Keccak256Hash(short), patricia.Witness{Edge: short}, common.Hash{1}, 100)
	for _, open := range []int{104, 111, 119} {
		odd := bytes.Clone(full)
		odd[3], odd[open] = 1, 0x81
		step(crypto.Keccak256Hash(odd), patricia.Witness{Edge: odd}, common.Hash{1}, 100)
	}
}

func TestSolidityRLP(t *testing.T) {
	h := newHarness(t)
	r := rand.New(rand.NewSource(7))
	for i := range 4000 {
		b := make([]byte, r.Intn(80))
		r.Read(b)
		if len(b) > 2 {
			switch i % 4 { // what random bytes rarely are
			case 0:
				b[0] = []byte{0x80, 0x81, 0xb7, 0xb8, 0xb9, 0xbf, 0xc0, 0xc1, 0xf7, 0xf8, 0xf9, 0xff}[r.Intn(12)]
				b[1] = byte(r.Intn(len(b) + 2))
			case 1:
				b[0] = []byte{0xb9, 0xf9, 0xba}[r.Intn(3)]
				b[1], b[2] = 0, byte(r.Intn(len(b)))
			case 2:
				b[0] = []byte{0x80, 0xc0}[r.Intn(2)] + byte(r.Intn(56))
			}
		}
		kind, content, rest, err := rlp.Split(b)
		if err != nil {
			err = patricia.ErrInvalidRLP
		}
		out := h.call(err, "split", b)
		if err == nil && (out[0] != (kind == rlp.List) || !bytes.Equal(out[1].([]byte), content) || !bytes.Equal(out[2].([]byte), rest)) {
			t.Fatalf("%x: %v", b, out)
		}
		items, err := rlp.CountValues(b)
		if err != nil {
			err = patricia.ErrInvalidRLP
		}
		if out = h.call(err, "countItems", b); err == nil && out[0].(*big.Int).Int64() != int64(items) {
			t.Fatalf("%x: %v items", b, out[0])
		}
	}

	type record struct {
		Text    string
		Inner   []uint64
		Number  uint64
		Word    common.Hash
		Account common.Address
	}
	good := record{strings.Repeat("text", 20), []uint64{1, 2, 300}, 1 << 40, common.Hash{5, 31: 6}, common.Address{7, 19: 8}}
	b := rlpBytes(&good)
	for i := range 3000 {
		changed := bytes.Clone(b)
		if i > 0 {
			changed[r.Intn(len(b))] ^= 1 << r.Intn(8)
			if r.Intn(10) == 0 {
				changed = append(changed[:r.Intn(len(changed))], make([]byte, r.Intn(2))...)
			}
		}
		var got struct {
			Text    string
			Inner   rlp.RawValue
			Number  uint64
			Word    common.Hash
			Account common.Address
		}
		err := rlp.DecodeBytes(changed, &got)
		if err == nil {
			_, _, err = rlp.SplitList(got.Inner)
		}
		if err != nil {
			err = patricia.ErrInvalidRLP
		}
		out := h.call(err, "readList", changed)
		if err != nil {
			continue
		}
		inner, _, _ := rlp.SplitList(got.Inner)
		if string(out[0].([]byte)) != got.Text || !bytes.Equal(out[1].([]byte), inner) || out[2].(*big.Int).Uint64() != got.Number ||
			out[3] != [32]byte(got.Word) || out[4] != got.Account {
			t.Fatalf("%x: %v", changed, out)
		}
	}
}

func TestSolidityGas(t *testing.T) {
	h := newHarness(t)
	r := rand.New(rand.NewSource(8))
	size := func(nodes [][]byte) (n int) {
		for _, b := range nodes {
			n += len(b)
		}
		return n
	}
	for _, count := range []int{1000, 50_000} {
		m := newKV()
		for range count {
			var k common.Hash
			r.Read(k[:])
			m.put(k, []byte{1})
		}
		var key common.Hash
		r.Read(key[:])
		root, nodes := m.root(), m.prove(key[:])
		h.insert(root, key, []byte{1}, nodes)
		t.Logf("insert into %d messages: %d gas, %d nodes, %d bytes", count, h.gas, len(nodes), size(nodes))
		h.walk(root, key[:], nodes)
		t.Logf("walk among %d: %d gas", count, h.gas)
	}
	w := newWorld(r, 2000)
	a := w.accounts[7]
	nodes := w.state.prove(crypto.Keccak256(a[:]))
	h.call(nil, "storageRoot", w.state.root(), a, nodes)
	t.Logf("account among %d: %d gas, %d nodes, %d bytes", len(w.accounts), h.gas, len(nodes), size(nodes))
	o := large().o
	for _, i := range []int{1, 2, 100, 119, 127, 128, 129, 256, 257, 1000, 4096, 4097, 20_000, 65_535, 65_536} {
		w := o.Witness(i)
		h.call(nil, "append", o.Hash(i), w.Edge, common.Hash{1}, big.NewInt(400), w.Held)
		gas := h.gas
		h.call(nil, "finish", o.Hash(i), w.Edge, w.Held)
		t.Logf("item %d, held value of %d bytes: append %d gas, finish %d gas, edge %d bytes", i, len(w.Held), gas, h.gas, len(w.Edge))
	}
}
