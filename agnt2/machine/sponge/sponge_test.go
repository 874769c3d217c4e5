package sponge

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/internal/solidity"
)

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func words(s State) (w [7][32]byte) {
	for i := range w {
		copy(w[i][:], s[32*i:])
	}
	return w
}

func deploy(t *testing.T) (*solidity.EVM, *solidity.Contract) {
	evm := solidity.New()
	c, err := evm.Deploy("OriginHarness")
	if err != nil {
		t.Fatal(err)
	}
	return evm, c
}

func TestSumIsKeccak256(t *testing.T) {
	evm, harness := deploy(t)
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 31, 135, 136, 137, 271, 272, 273, 1088, 5000} {
		b := randomBytes(r, n)
		want := crypto.Keccak256Hash(b)
		for cut := 0; cut <= n; cut += BlockBytes {
			var s State
			if err := s.Absorb(b[:cut]); err != nil {
				t.Fatal(err)
			}
			if got := s.Sum(b[cut:]); got != want {
				t.Fatalf("%d bytes cut at %d: %s", n, cut, got)
			}
			if cut > 4*BlockBytes && cut < n-4*BlockBytes {
				continue // the EVM need not see every cut
			}
			out, _, err := evm.Call(harness, "absorb", words(State{}), b[:cut])
			if err != nil {
				t.Fatal(err)
			}
			if out[0].([7][32]byte) != words(s) {
				t.Fatalf("%d bytes: Solidity's state differs", cut)
			}
			out, _, err = evm.Call(harness, "sum", words(s), b[cut:])
			if err != nil {
				t.Fatal(err)
			}
			if out[0].([32]byte) != want {
				t.Fatalf("%d bytes cut at %d: Solidity %x", n, cut, out[0])
			}
		}
	}
	var s State
	if err := s.Absorb(make([]byte, 135)); !errors.Is(err, ErrPartialBlock) {
		t.Fatalf("partial block: %v", err)
	}
	if _, _, err := evm.Call(harness, "absorb", words(s), make([]byte, 135)); err == nil {
		t.Fatal("Solidity takes a partial block")
	}
}

// The lanes of the fast permutation are only partly correct words; states of extreme bits show a window that is too narrow.
func TestExtremeStates(t *testing.T) {
	evm, harness := deploy(t)
	r := rand.New(rand.NewPCG(2, 2))
	for i := range 60 {
		var s State
		for j := range s {
			switch i % 3 {
			case 0:
				s[j] = byte(r.Uint32())
			case 1:
				s[j] = 0xff
			}
		}
		block := bytes.Repeat([]byte{byte(0xff * (i % 2))}, BlockBytes)
		if i > 5 {
			block = randomBytes(r, BlockBytes)
		}
		want := s
		if err := want.Absorb(block); err != nil {
			t.Fatal(err)
		}
		out, _, err := evm.Call(harness, "absorb", words(s), block)
		if err != nil {
			t.Fatal(err)
		}
		if out[0].([7][32]byte) != words(want) {
			t.Fatalf("state %d differs", i)
		}
	}
}

func TestGasPerBlock(t *testing.T) {
	evm, harness := deploy(t)
	gas := func(blocks int) uint64 {
		_, gas, err := evm.Call(harness, "absorb", words(State{}), make([]byte, blocks*BlockBytes))
		if err != nil {
			t.Fatal(err)
		}
		return gas
	}
	perBlock := (gas(112) - gas(8)) / 104
	t.Logf("%d gas a block of %d bytes, %d a byte", perBlock, BlockBytes, perBlock/BlockBytes)
	if perBlock > 45_000 {
		t.Errorf("%d gas a block", perBlock)
	}
}

func TestTree(t *testing.T) {
	evm, harness := deploy(t)
	r := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{1, 500, 1087, 1088, 1089, 2176, 2177, 3 * 1088, 7*1088 + 5, 16 * 1088, 33*1088 + 1} {
		b := randomBytes(r, n)
		root, err := Root(b)
		if err != nil {
			t.Fatal(err)
		}
		// Bottom up, without a frontier.
		var level []common.Hash
		for at := 0; at < n; at += ChunkBytes {
			level = append(level, hashChunk(b[at:min(at+ChunkBytes, n)]))
		}
		for len(level) > 1 {
			level = fold(level)
		}
		if want := hashRoot(level[0], uint64(n)); root != want {
			t.Fatalf("%d bytes: %s, want %s", n, root, want)
		}
		var tree Tree
		for at := 0; at < n; at += ChunkBytes {
			if err := tree.Append(b[at:min(at+ChunkBytes, n)]); err != nil {
				t.Fatal(err)
			}
		}
		out, _, err := evm.Call(harness, "grow", b)
		if err != nil {
			t.Fatal(err)
		}
		if out[0].([32]byte) != root {
			t.Fatalf("%d bytes: Solidity %x", n, out[0])
		}
		for i, h := range out[1].([16][32]byte) {
			if tree.Frontier[i] != h {
				t.Fatalf("%d bytes: frontier %d", n, i)
			}
		}
		if out, _, err = evm.Call(harness, "rootOf", b); err != nil || out[0].([32]byte) != root {
			t.Fatalf("%d bytes: %v %v", n, out, err)
		}

		for range 30 {
			from := r.IntN(n)
			to := from + 1 + r.IntN(n-from)
			proof, err := Open(b, uint64(from), uint64(to))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Verify(root, uint64(n), uint64(from), uint64(to), proof)
			if err != nil || !bytes.Equal(got, b[from:to]) {
				t.Fatalf("[%d,%d) of %d: %v", from, to, n, err)
			}
			solidityVerify := func(proof []byte) ([]byte, error) {
				out, _, err := evm.Call(harness, "verify", root, big.NewInt(int64(n)), big.NewInt(int64(from)), big.NewInt(int64(to)), proof)
				if err != nil {
					return nil, err
				}
				return out[0].([]byte), nil
			}
			if got, err := solidityVerify(proof); err != nil || !bytes.Equal(got, b[from:to]) {
				t.Fatalf("[%d,%d) of %d in Solidity: %v", from, to, n, err)
			}
			for _, bad := range mutations(r, proof) {
				if _, err := Verify(root, uint64(n), uint64(from), uint64(to), bad); err == nil {
					t.Fatalf("[%d,%d) of %d: mutation passes", from, to, n)
				}
				if _, err := solidityVerify(bad); err == nil {
					t.Fatalf("[%d,%d) of %d: mutation passes in Solidity", from, to, n)
				}
			}
			if _, err := Verify(root, uint64(n)+1, uint64(from), uint64(to), proof); err == nil {
				t.Fatal("another length passes")
			}
		}
	}
}

// testdata/roots.txt pins the tree's format: length of the string 0, 1, 2, … mod 251, and its root.
func TestGoldenRoots(t *testing.T) {
	evm, harness := deploy(t)
	var got strings.Builder
	for _, n := range []int{1, 1088, 1089, 5000, 20_000} {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i % 251)
		}
		root, err := Root(b)
		if err != nil {
			t.Fatal(err)
		}
		if out, _, err := evm.Call(harness, "rootOf", b); err != nil || out[0].([32]byte) != root {
			t.Fatalf("%d bytes: %v %v", n, out, err)
		}
		fmt.Fprintf(&got, "%d %s\n", n, root)
	}
	want, err := os.ReadFile("testdata/roots.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Fatalf("got\n%s", got.String())
	}
}

func mutations(r *rand.Rand, b []byte) [][]byte {
	flipped := bytes.Clone(b)
	flipped[r.IntN(len(b))] ^= 1 << r.IntN(8)
	at := r.IntN(len(b))
	return [][]byte{
		flipped,
		b[:len(b)-1],
		append(bytes.Clone(b), 0),
		append(bytes.Clone(b), make([]byte, 32)...),
		append(bytes.Clone(b[:at]), b[at+1:]...),
		nil,
	}
}

func TestTreeBounds(t *testing.T) {
	var tree Tree
	if err := tree.Append(nil); !errors.Is(err, ErrRangeOutsideString) {
		t.Fatal(err)
	}
	if err := tree.Append(make([]byte, ChunkBytes+1)); !errors.Is(err, ErrRangeOutsideString) {
		t.Fatal(err)
	}
	if err := tree.Append(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := tree.Append(make([]byte, 5)); !errors.Is(err, ErrRangeOutsideString) {
		t.Fatalf("chunk after a short one: %v", err)
	}
	full := Tree{Length: MaxBytes}
	if err := full.Append(make([]byte, 5)); !errors.Is(err, ErrStringTooLong) {
		t.Fatal(err)
	}
}

// KeccakSponge.sol must be what the generator writes, up to forge's formatting.
func TestGenerated(t *testing.T) {
	out := filepath.Join(t.TempDir(), "KeccakSponge.sol")
	if b, err := exec.Command("go", "run", "./gen", "-out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(solidity.Root(), "packages/contracts-bedrock-fork/src/dispute/lib/KeccakSponge.sol"))
	if err != nil {
		t.Fatal(err)
	}
	squeeze := func(b []byte) []byte { return bytes.Join(bytes.Fields(b), nil) }
	if !bytes.Equal(squeeze(got), squeeze(want)) {
		t.Fatal("KeccakSponge.sol is out of date: run `go generate ./agnt2/machine/sponge` and forge fmt")
	}
}
