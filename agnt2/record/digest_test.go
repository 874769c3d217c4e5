package record

import (
	"encoding/binary"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

// TestPrehash: a digest that was computed ahead is the digest, whatever else claims its place.
func TestPrehash(t *testing.T) {
	var ids [][]byte
	for n := range 3 * digests {
		id := make([]byte, 20+n%45)
		binary.BigEndian.PutUint64(id[8:], uint64(n))
		ids = append(ids, id)
	}
	ids = append(ids, make([]byte, longestID+1), []byte{}, nil)
	for from := 0; from < len(ids); from += 100 {
		part := ids[from:min(from+100, len(ids))]
		out := make([]common.Hash, len(part))
		Prehash(part, out)
		for i, id := range part {
			require.Equal(t, crypto.Keccak256Hash(id), out[i])
		}
		Prehash(part, out) // remembered, some of them
		for i, id := range part {
			require.Equal(t, crypto.Keccak256Hash(id), out[i])
		}
		for _, id := range ids[max(0, from-50):min(from+100, len(ids))] {
			require.Equal(t, crypto.Keccak256Hash(id), common.Hash(Keccak256(id)))
		}
	}
}
