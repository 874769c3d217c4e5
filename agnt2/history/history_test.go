package history_test

import (
	"encoding/binary"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
)

func leaf(i uint64) common.Hash {
	var id common.Hash
	binary.BigEndian.PutUint64(id[:], i)
	return history.Leaf(id, common.Hash{1})
}

// TestProofs: every leaf of every history of up to 70 leaves has a proof, and nothing else has.
func TestProofs(t *testing.T) {
	nodes := map[history.Position]common.Hash{}
	var h record.History
	for count := uint64(1); count <= 70; count++ {
		nodes[history.Position{Index: count - 1}] = leaf(count - 1)
		for _, p := range history.Completes(count - 1) {
			below := history.Position{Height: p.Height - 1, Index: 2 * p.Index}
			left := nodes[below]
			below.Index++
			nodes[p] = history.Node(left, nodes[below])
		}
		history.Append(&h, leaf(count-1))
		require.Equal(t, count, h.Count)
		for i := range count {
			at, ok := history.Path(count, i)
			require.True(t, ok)
			var path []common.Hash
			for _, p := range at {
				require.Contains(t, nodes, p)
				path = append(path, nodes[p])
			}
			require.NoError(t, history.Verify(&h, leaf(i), i, path), "%d of %d", i, count)
			require.ErrorIs(t, history.Verify(&h, leaf(i+1), i, path), history.ErrProof)
			require.ErrorIs(t, history.Verify(&h, leaf(i), i^1, path), history.ErrProof)
			require.ErrorIs(t, history.Verify(&h, leaf(i), i, append(path, common.Hash{})), history.ErrProof)
			for j := range path {
				path[j][7] ^= 1
				require.ErrorIs(t, history.Verify(&h, leaf(i), i, path), history.ErrProof)
				path[j][7] ^= 1
			}
			if len(path) > 0 { // a node is no leaf
				require.ErrorIs(t, history.Verify(&h, nodes[history.Position{Height: 1, Index: i >> 1}], i>>1, path[1:]), history.ErrProof)
			}
		}
		_, ok := history.Path(count, count)
		require.False(t, ok)
		require.ErrorIs(t, history.Verify(&h, leaf(count), count, nil), history.ErrProof)
	}
	require.ErrorIs(t, history.Verify(&record.History{Count: 3}, leaf(0), 0, make([]common.Hash, 1)), history.ErrProof)
	require.NoError(t, history.VerifyInteraction((&record.History{
		Count: 1, Peaks: []common.Hash{history.Leaf(common.Hash{5}, record.Keccak256([]byte{6}))},
	}).Encode(), common.Hash{5}, []byte{6}, 0, nil))
	require.ErrorIs(t, history.VerifyInteraction([]byte{1}, common.Hash{5}, []byte{6}, 0, nil), history.ErrProof)
}
