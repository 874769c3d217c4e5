package codec

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoom(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			var held [][]byte
			for n := range 3000 {
				b := Room(n % (largestRoom + 2))
				require.Len(t, b, n%(largestRoom+2))
				require.Equal(t, len(b), cap(b))
				require.True(t, bytes.Equal(b, make([]byte, len(b))))
				for i := range b {
					b[i] = byte(g + 1)
				}
				held = append(held, b)
			}
			for _, b := range held {
				require.True(t, bytes.Equal(b, bytes.Repeat([]byte{byte(g + 1)}, len(b))))
			}
		})
	}
	wg.Wait()
}
