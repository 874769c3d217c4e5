package origin

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
)

// What readItem takes is what go-ethereum takes as canonical, for items up to 4 GB that are all there.
func FuzzReadItem(f *testing.F) {
	for _, b := range [][]byte{{}, {0}, {0x7f}, {0x80}, {0x81, 0x7f}, {0x81, 0x80}, {0xb8, 55}, {0xb8}, {0xc0}, {0xc1, 0x80}, {0xf8, 0x38}, {0xf9, 0, 0x40}, {0xff}, {0xbc, 0, 0, 0, 0, 0}} {
		f.Add(b)
		f.Add(append(b, make([]byte, 300)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, content, rest, err := rlp.Split(b)
		it, got := readItem(b, 0, uint64(len(b)))
		if (err == nil) != (got == nil) {
			t.Fatalf("%x: %v, go-ethereum %v", b, got, err)
		}
		if err != nil {
			return
		}
		if it.list != (kind == rlp.List) || it.end != uint64(len(b)-len(rest)) || it.end-it.start != uint64(len(content)) {
			t.Fatalf("%x: %+v, go-ethereum %v with %d bytes", b, it, kind, len(content))
		}
	})
}

func TestAppendIsCanonical(t *testing.T) {
	for _, n := range []int{0, 1, 2, 55, 56, 255, 256, 65535, 65536, 120_000} {
		s := make([]byte, n)
		want, err := rlp.EncodeToBytes(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendString(nil, s); string(got) != string(want) {
			t.Fatalf("%d bytes: %x", n, got[:10])
		}
	}
	for bit := range 256 {
		v := new(big.Int).Lsh(big.NewInt(1), uint(bit))
		for _, v := range []*big.Int{v, new(big.Int).Sub(v, big.NewInt(1))} {
			want, err := rlp.EncodeToBytes(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := appendUint(nil, v.FillBytes(make([]byte, 32))); string(got) != string(want) {
				t.Fatalf("%s: %x, want %x", v, got, want)
			}
		}
	}
}
