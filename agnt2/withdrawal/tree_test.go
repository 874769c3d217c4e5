package withdrawal_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// reference is the same storage in go-ethereum's own secure trie.
func reference(t require.TestingT, slots []common.Hash) common.Hash {
	st, err := trie.NewStateTrie(trie.TrieID(types.EmptyRootHash), triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	require.NoError(t, err)
	for _, s := range slots {
		require.NoError(t, st.UpdateStorage(common.Address{}, s[:], []byte{1}))
	}
	return st.Hash()
}

func TestTreeAgainstSecureTrie(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := withdrawal.NewTree()
		seed := crypto.Keccak256Hash([]byte("agnt2.messagePasser.seed"))
		require.True(t, tree.Has(seed))
		require.NotEqual(t, types.EmptyRootHash, tree.Root(), "clients drop a root that equals the empty trie's")
		var sent []common.Hash
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(sent) > 0 && rapid.IntRange(0, 3).Draw(t, "undo") == 0 {
				tree.Remove(sent[len(sent)-1])
				sent = sent[:len(sent)-1]
			} else {
				h := crypto.Keccak256Hash(rapid.SliceOfN(rapid.Byte(), 1, 8).Draw(t, "message"), []byte{byte(len(sent))})
				tree.Insert(h)
				sent = append(sent, h)
			}
			if rapid.Bool().Draw(t, "look") {
				tree.Root()
			}
		}
		slots := []common.Hash{seed}
		for _, h := range sent {
			slots = append(slots, withdrawal.Slot(h))
		}
		require.Equal(t, reference(t, slots), tree.Root())
		for _, s := range append(slots, withdrawal.Slot(common.Hash{0xab})) {
			nodes, err := tree.Prove(s)
			require.NoError(t, err)
			db := memorydb.New()
			for _, n := range nodes {
				require.NoError(t, db.Put(crypto.Keccak256(n), n))
			}
			v, err := trie.VerifyProof(tree.Root(), crypto.Keccak256(s[:]), db)
			require.NoError(t, err)
			if tree.Has(s) {
				var word []byte
				require.NoError(t, rlp.DecodeBytes(v, &word))
				require.Equal(t, []byte{1}, word)
			} else {
				require.Empty(t, v)
			}
		}
	})
}
