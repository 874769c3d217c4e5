package state

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 20_000 {
		v := make([]byte, rnd.IntN(400))
		for i := range v {
			if rnd.IntN(3) == 0 || i%32 > 20 {
				v[i] = byte(rnd.Uint32())
			}
		}
		p := appendPacked([]byte("before"), v)
		got, err := appendUnpacked([]byte("other"), p[len("before"):])
		require.NoError(t, err)
		require.True(t, bytes.Equal(append([]byte("other"), v...), got), "%x", v)
	}
	zeros, ones := appendPacked(nil, make([]byte, 320)), appendPacked(nil, bytes.Repeat([]byte{1}, 320))
	require.Len(t, zeros, 1+10)
	require.Len(t, ones, 1+10*33)
}

// FuzzUnpack: damaged bytes are an error, never a panic, and what is accepted packs to something that unpacks to the same.
func FuzzUnpack(f *testing.F) {
	f.Add(appendPacked(nil, make([]byte, 70)))
	f.Add([]byte{5, 32})
	f.Fuzz(func(t *testing.T, p []byte) {
		v, err := appendUnpacked(nil, p)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		again, err := appendUnpacked(nil, appendPacked(nil, v))
		require.NoError(t, err)
		require.True(t, bytes.Equal(v, again))
	})
}

func BenchmarkPack(b *testing.B) {
	v := make([]byte, 13*32)
	for i := range v {
		if w := i / 32; w < 5 || i%32 > 31-w%4 {
			v[i] = 1
		}
	}
	buf := make([]byte, 0, 1024)
	b.SetBytes(int64(len(v)))
	for b.Loop() {
		buf = appendPacked(buf[:0], v)
	}
}
