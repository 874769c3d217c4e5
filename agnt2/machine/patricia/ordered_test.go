package patricia_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/machine/patricia"
)

type list [][]byte

func (l list) Len() int                           { return len(l) }
func (l list) EncodeIndex(i int, w *bytes.Buffer) { w.Write(l[i]) }

func deriveSha(values [][]byte) common.Hash {
	return types.DeriveSha(list(values), trie.NewStackTrie(nil))
}

// distinct returns different values of many lengths.
func distinct(count int) [][]byte {
	values := make([][]byte, count)
	for i := range values {
		values[i] = bytes.Repeat([]byte{byte(i)}, patricia.MinValueLength+i%300)
		binary.BigEndian.PutUint32(values[i], uint32(i))
	}
	return values
}

// large is a trie past the last index of 2 bytes, with values of up to 125,000 bytes among the first 300.
var large = sync.OnceValue(func() *largeTrie {
	l := &largeTrie{distinct(65_560), patricia.NewOrdered()}
	for i := range 30 {
		l.values[110+i] = bytes.Repeat([]byte{byte(i)}, []int{32, 48, 55, 56, 255, 256, 65_000, 65_536, 125_000}[i%9])
	}
	for i, v := range l.values {
		if err := l.o.Append(v); err != nil {
			panic(fmt.Sprintf("item %d: %v", i, err))
		}
	}
	return l
})

type largeTrie struct {
	values [][]byte
	o      *patricia.Ordered
}

// largeCounts is where shapes change, and all up to 300.
func largeCounts() []int {
	counts := []int{511, 512, 513, 4095, 4096, 4097, 4098, 65_536, 65_537, 65_553}
	for i := 1; i <= 300; i++ {
		counts = append(counts, i)
	}
	return counts
}

func TestOrderedIsDeriveSha(t *testing.T) {
	l := large()
	for _, count := range largeCounts() {
		w := l.o.Witness(count)
		got, err := patricia.Finish(l.o.Hash(count), w.Edge, w.Held)
		if want := deriveSha(l.values[:count]); err != nil || got != want {
			t.Fatalf("%d items: got %s, want %s, %v", count, got, want, err)
		}
	}
	longest := 0
	for i := 0; i <= 65_536; i += 512 {
		w := l.o.Witness(i)
		if crypto.Keccak256Hash(w.Edge) != l.o.Hash(i) {
			t.Fatalf("witness %d has another hash", i)
		}
		longest = max(longest, len(w.Edge))
	}
	if longest != 2360 {
		t.Errorf("longest edge up to 65,536 items: %d bytes, not as documented", longest)
	}
}

func TestOrderedRandomLengths(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 300).Draw(t, "count")
		lengths := rapid.SampledFrom([]int{33, 55, 57, 120, 256, 300, 66_000}).Draw(t, "lengths")
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		o := patricia.NewOrdered()
		var values [][]byte
		for range count {
			length := patricia.MinValueLength + r.Intn(lengths)
			if lengths > 1000 && r.Intn(50) != 0 {
				length = patricia.MinValueLength + r.Intn(400)
			}
			v := make([]byte, length)
			r.Read(v)
			values = append(values, v)
			if err := o.Append(v); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := o.Root(); err != nil || got != deriveSha(values) {
			t.Fatalf("%d items: %s, %v", count, got, err)
		}
	})
}

func TestOrderedSteps(t *testing.T) {
	values := distinct(300)
	o := patricia.NewOrdered()
	if _, err := o.Root(); !errors.Is(err, patricia.ErrTrieEmpty) {
		t.Fatalf("empty: %v", err)
	}
	for _, v := range values {
		if err := o.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	for i, v := range values {
		w := o.Witness(i)
		got, err := patricia.Append(o.Hash(i), w.Edge, crypto.Keccak256Hash(v), uint32(len(v)), w.Held)
		if err != nil || got != o.Hash(i+1) {
			t.Fatalf("step %d: %v", i, err)
		}
		if root, err := o.Root(); i == 299 && (err != nil || root != deriveSha(values)) {
			t.Fatalf("root of all: %v", err)
		}
		if root, err := patricia.Finish(o.Hash(i), w.Edge, w.Held); i > 0 && (err != nil || root != deriveSha(values[:i])) {
			t.Fatalf("finish %d: %v", i, err)
		}
		for name, bad := range badAppends(w, v) {
			hash := crypto.Keccak256Hash(v)
			if _, err := patricia.Append(o.Hash(i), bad.Edge, hash, uint32(len(v)), bad.Held); !errors.Is(err, patricia.ErrWrongEdge) && !errors.Is(err, patricia.ErrWrongValue) {
				t.Fatalf("step %d, %s: %v", i, name, err)
			}
			if _, err := patricia.Finish(o.Hash(i), bad.Edge, bad.Held); err == nil {
				t.Fatalf("finish %d, %s: no error", i, name)
			}
		}
		if _, err := patricia.Append(o.Hash(i), w.Edge, crypto.Keccak256Hash(v), patricia.MinValueLength-1, w.Held); !errors.Is(err, patricia.ErrValueSize) {
			t.Fatalf("short value: %v", err)
		}
	}
	full := &patricia.Edge{Count: patricia.MaxItems}
	if err := full.Append(common.Hash{}, 100, nil); !errors.Is(err, patricia.ErrTrieFull) {
		t.Fatalf("full: %v", err)
	}
}

// badAppends is witnesses that differ from the right one.
func badAppends(w patricia.Witness, other []byte) map[string]patricia.Witness {
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1 << (at % 8)
		return b
	}
	bad := map[string]patricia.Witness{
		"count":       {flip(w.Edge, 3), w.Held},
		"open":        {flip(w.Edge, 119), w.Held},
		"last bit":    {flip(w.Edge, len(w.Edge)-1), w.Held},
		"more edge":   {append(bytes.Clone(w.Edge), make([]byte, 32)...), w.Held},
		"less edge":   {w.Edge[:len(w.Edge)-1], w.Held},
		"no edge":     {nil, w.Held},
		"other value": {w.Edge, other},
		"more value":  {w.Edge, append(bytes.Clone(w.Held), 0)},
	}
	if len(w.Held) > 0 {
		bad["less value"] = patricia.Witness{Edge: w.Edge, Held: w.Held[:len(w.Held)-1]}
		bad["no value"] = patricia.Witness{Edge: w.Edge}
		bad["flipped value"] = patricia.Witness{Edge: w.Edge, Held: flip(w.Held, len(w.Held)/2)}
	}
	return bad
}

func TestOrderedRealItems(t *testing.T) {
	var receipts types.Receipts
	for i := range 5 {
		r := &types.Receipt{Type: types.DynamicFeeTxType, Status: uint64(i % 2), CumulativeGasUsed: uint64(21000 * (i + 1))}
		for j := range i * 40 {
			r.Logs = append(r.Logs, &types.Log{Topics: []common.Hash{{byte(j)}}, Data: make([]byte, 33)})
		}
		r.Bloom = types.CreateBloom(r)
		receipts = append(receipts, r)
	}
	nonce, version := uint64(7), types.CanyonDepositReceiptVersion
	receipts = append(receipts, &types.Receipt{Type: types.DepositTxType, Status: 1, DepositNonce: &nonce, DepositReceiptVersion: &version},
		&types.Receipt{Type: types.DepositTxType, Status: 1, DepositNonce: &nonce})
	values := patricia.EncodedItems(receipts)
	o := patricia.NewOrdered()
	for _, v := range values {
		if err := o.Append(v); err != nil {
			t.Fatal(err)
		}
	}
	want := types.DeriveSha(receipts, trie.NewStackTrie(nil))
	if got, err := o.Root(); err != nil || got != want {
		t.Fatalf("got %s, want %s, %v", got, want, err)
	}
	if lt, err := patricia.ListTrie(values); err != nil || lt.Hash() != want {
		t.Fatalf("ListTrie: %v", err)
	}
}

func BenchmarkOrderedAppend(b *testing.B) {
	for _, size := range []int{200, 2000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			o := patricia.NewOrdered()
			v := make([]byte, size)
			for b.Loop() {
				if o.Len() == 20_000 {
					o = patricia.NewOrdered()
				}
				if err := o.Append(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
