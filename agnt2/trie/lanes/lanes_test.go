package lanes

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

func need(t testing.TB) {
	if !Available() {
		t.Skip("no AVX-512 here")
	}
}

// source gives random bytes in memory that ends where they end, as far as Go lets one have that.
type source struct{ *rand.ChaCha8 }

func newSource(seed []byte) source { return source{rand.NewChaCha8(crypto.Keccak256Hash(seed))} }

func (s source) bytes(n int) []byte {
	b := make([]byte, n)
	_, _ = s.Read(b)
	return b
}

func checkTagged(t *testing.T, s source) {
	for lanes, f := range map[int]func(*[Most]uint64, *[Most]*[64]byte, *[Most]*[32]byte){Most: Tagged8, Half: Tagged4} {
		var tags [Most]uint64
		var in [Most]*[64]byte
		var out [Most]*[32]byte
		var want [Most][]byte
		for j := range lanes {
			tags[j], in[j], out[j] = s.Uint64()&0xff, (*[64]byte)(s.bytes(64)), new([32]byte)
			if s.Uint64()%2 == 0 {
				out[j] = (*[32]byte)(in[j][32:]) // inputs are read first
			}
			want[j] = crypto.Keccak256([]byte{byte(tags[j])}, in[j][:])
		}
		f(&tags, &in, &out)
		for j := range lanes {
			require.Equal(t, want[j], out[j][:], "lane %d of %d", j, lanes)
		}
	}
}

// checkAbsorb hashes messages of several blocks, whose last words are the message, into every lane.
func checkAbsorb(t *testing.T, s source, blocks int) {
	for lanes, f := range map[int]func(*State, *[Most]*[Rate]byte){Most: Absorb8, Half: Absorb4} {
		var state State
		var in [Most]*[Rate]byte
		var messages [Most][]byte
		for b := range blocks {
			for j := range lanes {
				n := Rate
				if b == blocks-1 {
					n = int(s.Uint64() % Rate)
				}
				m := s.bytes(n)
				messages[j] = append(messages[j], m...)
				in[j] = new([Rate]byte)
				copy(in[j][:], m)
				if b == blocks-1 {
					in[j][n] ^= 0x01
					in[j][Rate-1] ^= 0x80
				}
			}
			f(&state, &in)
		}
		for j := range lanes {
			var got []byte
			for w := range 4 {
				got = binary.LittleEndian.AppendUint64(got, state[w*lanes+j])
			}
			require.Equal(t, crypto.Keccak256(messages[j]), got, "lane %d of %d", j, lanes)
		}
	}
}

func TestAgainstGoEthereum(t *testing.T) {
	need(t)
	for n := range 64 {
		s := newSource([]byte{byte(n)})
		checkTagged(t, s)
		checkAbsorb(t, s, 1+n%5)
	}
}

func FuzzAgainstGoEthereum(f *testing.F) {
	need(f)
	f.Add([]byte("seed"), uint8(3))
	f.Fuzz(func(t *testing.T, seed []byte, blocks uint8) {
		s := newSource(seed)
		checkTagged(t, s)
		checkAbsorb(t, s, 1+int(blocks%8))
	})
}

// TestGenerated holds the assembly to its generator.
func TestGenerated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lanes.s")
	out, err := exec.Command("go", "run", "./gen", "-out", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	have, err := os.ReadFile("lanes_amd64.s")
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, have), "go generate ./agnt2/trie/lanes")
}

func BenchmarkTagged(b *testing.B) {
	need(b)
	for name, f := range map[string]func(*[Most]uint64, *[Most]*[64]byte, *[Most]*[32]byte){"lanes=8": Tagged8, "lanes=4": Tagged4} {
		b.Run(name, func(b *testing.B) {
			var tags [Most]uint64
			var in [Most]*[64]byte
			var out [Most]*[32]byte
			for j := range in {
				in[j], out[j] = new([64]byte), new([32]byte)
			}
			for b.Loop() {
				f(&tags, &in, &out)
			}
		})
	}
}
