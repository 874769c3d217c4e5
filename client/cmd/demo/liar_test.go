package main

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

func TestPositions(t *testing.T) {
	root := position{big.NewInt(1)}
	require.EqualValues(t, 0, root.depth())
	left := root.move(true)
	require.EqualValues(t, 2, left.Int64())
	require.EqualValues(t, 4, left.move(true).Int64())
	require.EqualValues(t, 6, left.move(false).Int64())
	require.EqualValues(t, 7, root.lastLeaf(3).Int64(), "a root commits to the last of eight leaves")
	require.EqualValues(t, 3, left.lastLeaf(3).Int64())
	require.EqualValues(t, 5, left.move(false).lastLeaf(3).Int64())

	f := field{split: 4, max: 10, first: 100, claimed: 110}
	require.EqualValues(t, 110, f.block(root), "not past the claim")
	require.EqualValues(t, 108, f.block(left))
	exec := position{big.NewInt(1 << 5)} // top of the lower half, leftmost
	require.EqualValues(t, 31, f.step(exec).Int64())
	require.EqualValues(t, 15, f.step(exec.move(true)).Int64())
	require.EqualValues(t, 31, f.step(position{big.NewInt(1<<5 + 6)}).Int64(), "every block has steps of its own")
}

// Against a player that only tells the truth, the liar's lies lead to the block, and near the step, that it wants to lie about.
func TestLiarLeadsToItsBlock(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	f := field{split: 6, max: 16, first: 0, claimed: 40}
	for from := uint64(1); from <= f.claimed; from++ {
		p := &liar{key: key, from: from, step: 100}
		at := position{big.NewInt(1)} // the liar's root claim
		for at.depth() < f.split {
			honest := at.move(f.block(at) >= from) // the honest side attacks wrong claims and defends right ones
			at = honest.move(p.answer(f, claim{at: honest}))
		}
		disputed := f.block(at)
		if disputed < from {
			disputed++ // a right claim is defended: the block after it is disputed
		}
		require.Equal(t, from, disputed)
	}
	p := &liar{key: key, from: 1, step: 100}
	require.True(t, p.answer(f, claim{at: position{big.NewInt(1 << 7)}}), "the top of the lower half cannot be defended")
	low := position{big.NewInt(1 << 16)}
	require.False(t, p.answer(f, claim{at: low}), "step 0 is before step 100: the liar agrees")
}
