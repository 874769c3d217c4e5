package client

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

func TestDisputeStoresItsEvidence(t *testing.T) {
	node := newFakeNode(t)
	_, da := newFakePayloads(t)
	me := dialFake(t, node.httpURL(), da).Account(testKey(t, "caller"))
	for kind, game := range map[vm.DisputeKind]common.Address{vm.Qualitative: {}, vm.Computational: {5}} {
		_, err := me.Dispute(testContext(t), DisputeRequest{Interaction: common.Hash{7}, Game: game, Evidence: []byte("proof"), BondWei: big.NewInt(50)})
		require.NoError(t, err)
		tx := node.order[len(node.order)-1]
		c, err := abi.DecodeDisputeCall(tx.Data()[4:])
		require.NoError(t, err)
		require.Equal(t, uint8(kind), c.Kind)
		require.Equal(t, game, c.Game)
		require.Equal(t, crypto.Keccak256Hash([]byte("proof")), c.EvidenceHash)
		require.Equal(t, c.EvidenceHash, c.Da.ContentHash)
		require.Equal(t, int64(50), tx.Value().Int64())
	}
}

func TestHistoryAnswersAreVerified(t *testing.T) {
	id := common.Hash{3}
	i := record.Interaction{Status: uint8(vm.Completed), Branch: 4}
	h := record.History{}
	history.Append(&h, common.Hash{1})
	history.Append(&h, history.Leaf(id, common.Hash(trie.HashRecord(i.Encode()))))
	tree := trie.New()
	tree.Update([]trie.Change{
		{Key: trie.Key(record.HistoryKey), ValueHash: trie.HashRecord(h.Encode())}, {Key: trie.Key(record.TotalsKey), ValueHash: trie.Hash{1}},
	})
	p := tree.Prove(trie.Key(record.HistoryKey))
	good := func() *historyAnswer {
		a := &historyAnswer{Record: i.Encode(), Index: 1, Path: []common.Hash{{1}}}
		a.History.Value, a.History.Proof, a.History.StateRoot = h.Encode(), p.Encode(), common.Hash(tree.Root())
		return a
	}
	got, err := good().verify(id)
	require.NoError(t, err)
	require.Equal(t, uint32(4), got.Branch)
	require.Equal(t, uint64(1), got.Index)
	for name, change := range map[string]func(*historyAnswer){
		"record":  func(a *historyAnswer) { a.Record[31] ^= 1 },
		"index":   func(a *historyAnswer) { a.Index = 0 },
		"path":    func(a *historyAnswer) { a.Path[0][0]++ },
		"history": func(a *historyAnswer) { a.History.Value = new(record.History).Encode() },
		"root":    func(a *historyAnswer) { a.History.StateRoot[0]++ },
		"proof":   func(a *historyAnswer) { a.History.Proof = nil },
	} {
		a := good()
		change(a)
		_, err := a.verify(id)
		require.ErrorIs(t, err, ErrHistoryProof, name)
	}
	_, err = good().verify(common.Hash{4})
	require.ErrorIs(t, err, ErrHistoryProof)
}
