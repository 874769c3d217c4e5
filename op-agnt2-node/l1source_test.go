package node

import (
	"context"
	"errors"
	"testing"
	"time"

	opnode "github.com/ethereum-optimism/optimism/op-node/node"
	"github.com/ethereum-optimism/optimism/op-service/client"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum-optimism/optimism/op-service/sources"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/batcher/inboxtest"
)

// counting notes which blocks' receipts were asked for, and can fail or lie.
type counting struct {
	opnode.L1Source
	receipts map[common.Hash]int
	err      error
	drop     int
}

func (c *counting) FetchReceipts(ctx context.Context, hash common.Hash) (eth.BlockInfo, types.Receipts, error) {
	c.receipts[hash]++
	if c.err != nil {
		return nil, nil, c.err
	}
	info, r, err := c.L1Source.FetchReceipts(ctx, hash)
	return info, r[:max(0, len(r)-c.drop)], err
}

// source is op-node's own L1 client behind the filter.
func source(t *testing.T, l1 *inboxtest.L1) (*AcceptedSource, *counting) {
	rpc, err := client.NewRPC(t.Context(), log.Root(), l1.URL)
	require.NoError(t, err)
	inner, err := sources.NewL1Client(rpc, log.Root(), nil, sources.L1ClientSimpleConfig(false, sources.RPCKindStandard, 10))
	require.NoError(t, err)
	t.Cleanup(inner.Close)
	c := &counting{L1Source: inner, receipts: map[common.Hash]int{}}
	return NewAcceptedSource(c, l1.Inbox, log.Root()), c
}

func frame(number uint16) manifest.Frame {
	return manifest.Frame{Channel: [16]byte{1}, Number: number, DataHash: common.Hash{2}, Pointer: common.Hash{2}}
}

func part(number uint16) []byte { return manifest.Calldata(manifest.Part{Frame: frame(number)}) }

func seal(number uint16, first, last uint64) []byte {
	return manifest.Calldata(manifest.Seal{Frame: frame(number), FirstBlock: first, LastBlock: last})
}

func TestOnlyWhatLayerRootAccepts(t *testing.T) {
	l1 := inboxtest.Start(t)
	s, inner := source(t, l1)
	const gas = 1_000_000
	other := common.Address{0xee}
	withdraw, err := l1.ABI.Pack("lastBlock")
	require.NoError(t, err)

	l1.Automine(false)
	type sent struct {
		what string
		tx   common.Hash
		kept bool
	}
	batcher := func(what string, data []byte, kept bool) sent {
		return sent{what, l1.Send(inboxtest.BatcherKey, &l1.Inbox, data, 0, gas), kept}
	}
	all := []sent{
		batcher("PART 0", part(0), true),
		batcher("PART 2 without PART 1", part(2), false),
		{"to another account, from the batcher", l1.Send(inboxtest.BatcherKey, &other, part(0), 0, gas), true},
		batcher("PART 1", part(1), true),
		batcher("SEAL with a range before genesis", l1.OnOrigin(seal(2, 0, 3)), false),
		batcher("SEAL", l1.OnOrigin(seal(2, 1, 3)), true),
		batcher("the same SEAL again", l1.OnOrigin(seal(2, 1, 3)), false),
		batcher("the same range in another channel", l1.OnOrigin(seal(0, 3, 4)), false),
		batcher("malformed", append(l1.OnOrigin(seal(0, 4, 5)), 0), false),
		batcher("plain frame", []byte{0, 1, 2}, false),
		batcher("nothing", nil, false),
		batcher("a view, which succeeds and records nothing", withdraw, false),
		{"not the batcher", l1.Send(inboxtest.OtherKey, &l1.Inbox, l1.OnOrigin(seal(0, 4, 5)), 0, gas), false},
		{"out of gas", l1.Send(inboxtest.BatcherKey, &l1.Inbox, l1.OnOrigin(seal(0, 4, 5)), 0, 60_000), false},
		{"a creation", l1.Send(inboxtest.OtherKey, nil, []byte{0}, 0, gas), true},
		batcher("next SEAL", l1.OnOrigin(seal(0, 4, 5)), true),
	}
	l1.Mine()
	block := l1.Receipt(all[0].tx).BlockHash
	kept := map[common.Hash]bool{}
	info, txs, err := s.InfoAndTxsByHash(t.Context(), block)
	require.NoError(t, err)
	require.Equal(t, block, info.Hash())
	for _, tx := range txs {
		kept[tx.Hash()] = true
	}
	want := 0
	for _, x := range all {
		require.Equal(t, block, l1.Receipt(x.tx).BlockHash, "%s: the test wants one block", x.what)
		require.Equal(t, x.kept, kept[x.tx], x.what)
		if x.kept {
			want++
		}
	}
	require.Len(t, txs, want)

	// In L1's order, and derivation's other methods see the whole block.
	_, unfiltered, err := inner.InfoAndTxsByHash(t.Context(), block)
	require.NoError(t, err)
	require.Len(t, unfiltered, len(all))
	i := 0
	for _, tx := range unfiltered {
		if kept[tx.Hash()] {
			require.Equal(t, tx.Hash(), txs[i].Hash())
			i++
		}
	}
	_, receipts, err := s.FetchReceipts(t.Context(), block)
	require.NoError(t, err)
	require.Len(t, receipts, len(all))
}

func TestReceiptsOnlyWhenNeeded(t *testing.T) {
	l1 := inboxtest.Start(t)
	s, inner := source(t, l1)
	plain := l1.Receipt(l1.Send(inboxtest.OtherKey, &inboxtest.Batcher, nil, 1, 100_000)).BlockHash
	first := l1.Receipt(l1.Send(inboxtest.BatcherKey, &l1.Inbox, part(0), 0, 1_000_000)).BlockHash
	second := l1.Receipt(l1.Send(inboxtest.BatcherKey, &l1.Inbox, part(0)[:50], 0, 1_000_000)).BlockHash
	for range 3 {
		for block, want := range map[common.Hash]int{plain: 1, first: 1, second: 0} {
			info, txs, err := s.InfoAndTxsByHash(t.Context(), block)
			require.NoError(t, err)
			require.Equal(t, block, info.Hash())
			require.Len(t, txs, want)
		}
	}
	require.Equal(t, map[common.Hash]int{first: 1, second: 1}, inner.receipts)
}

// What could not be judged is not passed on, and not remembered.
func TestNoReceiptsNoTransactions(t *testing.T) {
	l1 := inboxtest.Start(t)
	s, inner := source(t, l1)
	block := l1.Receipt(l1.Send(inboxtest.BatcherKey, &l1.Inbox, part(0)[:50], 0, 1_000_000)).BlockHash
	inner.err = errors.New("not now")
	_, txs, err := s.InfoAndTxsByHash(t.Context(), block)
	require.ErrorIs(t, err, inner.err)
	require.Nil(t, txs)
	inner.err, inner.drop = nil, 1
	_, _, err = s.InfoAndTxsByHash(t.Context(), block)
	require.ErrorContains(t, err, "0 receipts")
	inner.drop = 0
	_, txs, err = s.InfoAndTxsByHash(t.Context(), block)
	require.NoError(t, err)
	require.Empty(t, txs)
	_, _, err = s.InfoAndTxsByHash(t.Context(), crypto.Keccak256Hash([]byte("no block")))
	require.Error(t, err)
}

// fixed is an L1 of two blocks at the same height.
type fixed struct {
	opnode.L1Source
	txs      map[common.Hash]types.Transactions
	receipts map[common.Hash]types.Receipts
}

func (f *fixed) InfoAndTxsByHash(_ context.Context, h common.Hash) (eth.BlockInfo, types.Transactions, error) {
	return eth.HeaderBlockInfoTrusted(h, &types.Header{Time: uint64(time.Now().Unix())}), f.txs[h], nil
}

func (f *fixed) FetchReceipts(_ context.Context, h common.Hash) (eth.BlockInfo, types.Receipts, error) {
	return nil, f.receipts[h], nil
}

// After a reorg the same transaction may meet another fate; success without a log of the inbox is no acceptance.
func TestReorgAndLogs(t *testing.T) {
	inbox := common.Address{7}
	tx := types.NewTx(&types.DynamicFeeTx{To: &inbox, Data: part(0)})
	a, b, c := common.Hash{1}, common.Hash{2}, common.Hash{3}
	txs := types.Transactions{tx}
	f := &fixed{
		txs: map[common.Hash]types.Transactions{a: txs, b: txs, c: txs},
		receipts: map[common.Hash]types.Receipts{
			a: {{Status: types.ReceiptStatusSuccessful, Logs: []*types.Log{{Address: inbox}}}},
			b: {{Status: types.ReceiptStatusFailed}},
			c: {{Status: types.ReceiptStatusSuccessful, Logs: []*types.Log{{Address: common.Address{8}}}}},
		},
	}
	s := NewAcceptedSource(f, inbox, log.Root())
	for range 2 {
		for block, want := range map[common.Hash]int{a: 1, b: 0, c: 0} {
			_, got, err := s.InfoAndTxsByHash(t.Context(), block)
			require.NoError(t, err)
			require.Len(t, got, want, block)
		}
	}
}
