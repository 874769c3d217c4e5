package passport_test

import (
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/passport"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

var (
	veteran = common.Address{1} // has a history
	novice  = common.Address{2}
	nobody  = common.Address{3}
)

// source is a small chain.
func source() (*trie.Trie, map[record.Key][]byte) {
	state := map[record.Key][]byte{
		record.AgentKey(veteran):      (&record.Agent{Status: 1, Owner: common.Address{9}, Name: "veteran"}).Encode(),
		record.AgentKey(novice):       (&record.Agent{Status: 1, Owner: novice, Name: "novice"}).Encode(),
		record.ReputationKey(veteran): (&record.Reputation{Completed: 7, LastActiveAt: 5}).Encode(),
		record.AccountKey(nobody):     (&record.Account{Nonce: 1}).Encode(),
	}
	tree := trie.New()
	for k, v := range state {
		tree.Update([]trie.Change{{Key: trie.Key(k), ValueHash: trie.HashRecord(v)}})
	}
	return tree, state
}

func export(agent common.Address) *passport.Export {
	tree, state := source()
	e := &passport.Export{
		ChainID: 901, BlockNumber: 5, Agent: agent,
		Output: passport.Output{StateRoot: common.Hash(tree.Root()), MessagePasserStorageRoot: common.Hash{4}, LatestBlockhash: common.Hash{5}},
	}
	e.OutputRoot = e.Output.Root()
	e.Identity = state[record.AgentKey(agent)]
	e.IdentityProof = tree.Prove(trie.Key(record.AgentKey(agent))).Encode()
	if v := state[record.ReputationKey(agent)]; v != nil {
		e.Reputation = (*hexutil.Bytes)(&v)
	}
	e.ReputationProof = tree.Prove(trie.Key(record.ReputationKey(agent))).Encode()
	return e
}

func TestVerify(t *testing.T) {
	e := export(veteran)
	identity, reputation, err := e.Verify(e.OutputRoot)
	require.NoError(t, err)
	require.Equal(t, "veteran", identity.Name)
	require.Equal(t, uint64(7), reputation.Completed)
	c, err := e.Call()
	require.NoError(t, err)
	back, err := passport.DecodeImportAgentCall(c.Encode()[4:])
	require.NoError(t, err)
	require.Equal(t, *c, back)
	require.Equal(t, uint64(901), c.SourceChainId)

	identity, reputation, err = export(novice).Verify(e.OutputRoot)
	require.NoError(t, err)
	require.Equal(t, "novice", identity.Name)
	require.Zero(t, reputation)
	require.NotEqual(t, export(novice).ForeignID(), e.ForeignID())
}

func TestVerifyRefuses(t *testing.T) {
	set := func(b []byte) *hexutil.Bytes { return (*hexutil.Bytes)(&b) }
	tree, _ := source()
	for name, spoil := range map[string]func(e, other *passport.Export){
		"another output root":    func(e, _ *passport.Export) { e.Output.LatestBlockhash[0] = 1 },
		"another version":        func(e, _ *passport.Export) { e.Output.Version[31] = 1; e.OutputRoot = e.Output.Root() },
		"another agent":          func(e, _ *passport.Export) { e.Agent = novice },
		"another's identity":     func(e, o *passport.Export) { e.Identity = o.Identity },
		"another's whole entry":  func(e, o *passport.Export) { e.Identity, e.IdentityProof = o.Identity, o.IdentityProof },
		"no identity":            func(e, _ *passport.Export) { e.Identity = nil },
		"tampered identity":      func(e, _ *passport.Export) { e.Identity[len(e.Identity)-33]++ },
		"more bytes of identity": func(e, _ *passport.Export) { e.Identity = append(e.Identity, make([]byte, 32)...) },
		"tampered reputation":    func(e, _ *passport.Export) { (*e.Reputation)[31]++ },
		"withheld reputation":    func(e, _ *passport.Export) { e.Reputation = nil },
		"no absence":             func(e, o *passport.Export) { e.Reputation, e.ReputationProof = nil, o.ReputationProof },
		"junk as reputation":     func(e, _ *passport.Export) { e.Reputation = set([]byte{1}) },
		"invented reputation": func(e, _ *passport.Export) {
			e.Reputation = set((&record.Reputation{Completed: 100, LastActiveAt: 5}).Encode())
		},
		"cut proof":    func(e, _ *passport.Export) { e.IdentityProof = e.IdentityProof[:len(e.IdentityProof)-1] },
		"longer proof": func(e, _ *passport.Export) { e.IdentityProof = append(e.IdentityProof, 0) },
		"no proof":     func(e, _ *passport.Export) { e.ReputationProof = nil },
	} {
		t.Run(name, func(t *testing.T) {
			e := export(veteran)
			root := e.OutputRoot
			spoil(e, export(novice))
			if name == "another version" {
				root = e.OutputRoot
			}
			_, _, err := e.Verify(root)
			require.ErrorIs(t, err, passport.ErrProof)
		})
	}
	// Someone who is no agent has no identity to bring.
	e := export(nobody)
	require.Nil(t, e.Identity)
	e.Identity = (&record.Agent{Status: 1, Owner: nobody}).Encode()
	_, _, err := e.Verify(e.OutputRoot)
	require.ErrorIs(t, err, passport.ErrProof)
	// Every bit of a proof counts.
	e = export(veteran)
	for i := range 8 * len(e.IdentityProof) {
		x := export(veteran)
		x.IdentityProof = slices.Clone(e.IdentityProof)
		x.IdentityProof[i/8] ^= 1 << (i % 8)
		_, _, err := x.Verify(e.OutputRoot)
		require.ErrorIs(t, err, passport.ErrProof, "bit %d", i)
	}
	require.Equal(t, common.Hash(tree.Root()), e.Output.StateRoot)
}
