package ethapi

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/machine/witness"
)

// BlockWitness of the chain without rules has no records to show.
func (f *fakeChain) BlockWitness(ctx context.Context, h *types.Header) (*witness.Block, error) {
	parent := f.HeaderByHash(h.ParentHash)
	s, err := f.state(parent)
	if err != nil {
		return nil, err
	}
	if f.onDryRun != nil {
		if err := f.onDryRun(ctx); err != nil {
			return nil, err
		}
	}
	b := &witness.Block{Header: h, Parent: parent, Multiproof: s.trie().ProveMany(nil)}
	for _, tx := range f.BlockByHash(h.Hash()).Transactions() {
		raw, err := tx.MarshalBinary()
		if err != nil {
			return nil, err
		}
		b.Txs = append(b.Txs, raw)
	}
	return b, nil
}

func TestGetBlockWitness(t *testing.T) {
	f := newFakeChain()
	a := New(f, Config{})
	defer a.Close()
	x := &agnt2API{a}
	genesis := f.head()
	side := f.build(genesis, payload{seed: 1})
	one := f.extend(payload{})
	ask := func(at rpc.BlockNumberOrHash) (*witness.Answer, error) {
		return x.GetBlockWitness(context.Background(), at)
	}

	got, err := ask(rpc.BlockNumberOrHashWithNumber(1))
	require.NoError(t, err)
	require.Equal(t, one.Hash(), got.BlockHash)
	require.Equal(t, genesis.Hash(), got.ParentHash)
	require.Equal(t, genesis.Root(), got.StateRoot)
	b, err := witness.Decode(got.Witness)
	require.NoError(t, err)
	require.NoError(t, b.Verify())

	_, err = ask(rpc.BlockNumberOrHashWithNumber(0))
	require.ErrorContains(t, err, "genesis")
	_, err = ask(rpc.BlockNumberOrHashWithHash(side.Hash(), false))
	require.ErrorIs(t, err, errNotCanonical)
	f.onDryRun = func(context.Context) error { return context.DeadlineExceeded }
	_, err = ask(rpc.BlockNumberOrHashWithNumber(1))
	var limit *rpcError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, codeLimitExceeded, limit.code)
	f.onDryRun = nil
	f.pruned[genesis.Hash()] = true
	_, err = ask(rpc.BlockNumberOrHashWithNumber(1))
	require.ErrorIs(t, err, ErrStatePruned)

	// One at a time; who cannot wait is told.
	require.NoError(t, a.proofs.enter(context.Background()))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = x.GetBlockWitness(ctx, rpc.BlockNumberOrHashWithNumber(1))
	require.ErrorIs(t, err, errBusy)
}
