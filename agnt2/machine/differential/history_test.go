package differential

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/internal/solidity"
)

// TestHistoryProof: HistoryProof.sol accepts what agnt2/history proves against a state root, and nothing else.
func TestHistoryProof(t *testing.T) {
	evm, c := deploy(t, "HistoryProofHarness")
	rnd := rand.New(rand.NewPCG(5, 5))
	tree, _, _ := filler(t, 100, rnd, 1000)
	nodes := map[history.Position]common.Hash{}
	var h record.History
	interaction := func(i uint64) (common.Hash, []byte) {
		x := record.Interaction{Status: 2, InvokedAt: i, Caller: common.Address{byte(i)}}
		return common.Hash{byte(i), 7}, x.Encode()
	}
	refusals := map[string]int{}
	for count := uint64(1); count <= 40; count++ {
		id, rec := interaction(count - 1)
		leaf := history.Leaf(id, common.Hash(trie.HashRecord(rec)))
		nodes[history.Position{Index: count - 1}] = leaf
		for _, p := range history.Completes(count - 1) {
			below := history.Position{Height: p.Height - 1, Index: 2 * p.Index}
			left := nodes[below]
			below.Index++
			nodes[p] = history.Node(left, nodes[below])
		}
		history.Append(&h, leaf)
		tree.Update([]trie.Change{{Key: trie.Key(record.HistoryKey), ValueHash: trie.HashRecord(h.Encode())}})
		root := common.Hash(tree.Root())
		p := tree.Prove(trie.Key(record.HistoryKey))
		proof := p.Encode()
		for _, index := range []uint64{0, rnd.Uint64N(count), count - 1} {
			at, ok := history.Path(count, index)
			require.True(t, ok)
			path := []common.Hash{}
			for _, q := range at {
				path = append(path, nodes[q])
			}
			id, rec := interaction(index)
			require.NoError(t, history.VerifyInteraction(h.Encode(), id, rec, index, path))
			try := func(root, id common.Hash, rec []byte, index uint64, path []common.Hash, peaks, proof []byte) error {
				words := make([][32]byte, len(path))
				for i := range path {
					words[i] = path[i]
				}
				_, _, err := evm.Call(c, "verify", root, id, rec, index, words, peaks, proof)
				return err
			}
			require.NoError(t, try(root, id, rec, index, path, h.Encode(), proof))
			refused := func(err error) {
				t.Helper()
				var r *solidity.Revert
				require.ErrorAs(t, err, &r)
				refusals[r.Name]++
			}
			_, other := interaction(index + 1)
			refused(try(root, id, other, index, path, h.Encode(), proof))
			refused(try(root, common.Hash{1}, rec, index, path, h.Encode(), proof))
			refused(try(root, id, rec, count, path, h.Encode(), proof))
			refused(try(root, id, rec, index, append(slices.Clone(path), common.Hash{}), h.Encode(), proof))
			refused(try(common.Hash{1}, id, rec, index, path, h.Encode(), proof))
			refused(try(root, id, rec, index, path, h.Encode(), append(slices.Clone(proof), 0)))
			more := history.Clone(h)
			history.Append(&more, leaf)
			refused(try(root, id, rec, index, path, more.Encode(), proof))
			if len(path) > 0 {
				wrong := slices.Clone(path)
				wrong[rnd.IntN(len(path))][3] ^= 1
				refused(try(root, id, rec, index, wrong, h.Encode(), proof))
				refused(try(root, id, rec, index^1, path, h.Encode(), proof))
			}
		}
	}
	for _, name := range []string{"IndexOutOfRange", "PathLength", "PeakMismatch", "ProofExcess", "ProofRoot"} {
		require.NotZero(t, refusals[name], "%v", refusals)
	}
}
