package builder

import (
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/chain"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/genesis"
)

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(f) }

func newBuilder(t *testing.T) (*Builder, *chain.Chain) {
	db, err := pebble.Open("db", &pebble.Options{FS: vfs.NewMem(), Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	g := &genesis.Genesis{
		ChainID: 901, Timestamp: 1000, GasLimit: 30_000_000, BaseFee: (*hexutil.Big)(big.NewInt(1)), EIP1559Denominator: 250,
		EIP1559Elasticity: 6, Params: genesis.DevnetParams(), Policy: genesis.DevnetPolicy(),
	}
	c, err := chain.Open(db, g, chain.Options{FS: vfs.NewMem(), CacheBytes: 32 << 20})
	require.NoError(t, err)
	return New(Config{ChainID: 901}, c, nil), c
}

func forcedBlock(t *testing.T, c *chain.Chain, n int, salt byte) []*abi.Transaction {
	data := make([]byte, abi.L1AttributesDataLength)
	copy(data, abi.L1AttributesSelector[:])
	binary.BigEndian.PutUint64(data[28:], 7)
	l1, to := abi.L1BlockAddress, common.Address{1}
	txs := types.Transactions{types.NewTx(&types.DepositTx{From: abi.L1AttributesDepositor, To: &l1, Value: new(big.Int), Data: data})}
	for i := range n {
		txs = append(txs, types.NewTx(&types.DepositTx{SourceHash: common.Hash{byte(i), salt}, From: common.Address{2}, To: &to, Mint: big.NewInt(5), Value: big.NewInt(3), Gas: 50_000}))
	}
	out := make([]*abi.Transaction, len(txs))
	for i := range txs {
		var err error
		out[i], err = abi.FromEthereum(txs[i], c.Config().ChainID)
		require.NoError(t, err)
	}
	return out
}

func attributes(c *chain.Chain, after uint64) *block.Attributes {
	return &block.Attributes{Timestamp: c.Head().Time + after, GasLimit: 30_000_000, HasEIP1559Params: true}
}

// TestForcedTransactionsRunAtStart: asking for the payload executes nothing any more, and a second time not even seals.
func TestForcedTransactionsRunAtStart(t *testing.T) {
	b, c := newBuilder(t)
	id, err := b.Start(c.Head(), attributes(c, 1), forcedBlock(t, c, 20, 1), true)
	require.NoError(t, err)
	p := b.payloads[0]
	require.Len(t, p.exec.Results, 21)
	steps := p.exec.Machine.Steps()
	x, err := b.Resolve(id)
	require.NoError(t, err)
	const sealing = 4 // fee vaults and counters
	require.Equal(t, steps+sealing, p.exec.Machine.Steps(), "getPayload executes transactions")
	y, err := b.Resolve(id)
	require.NoError(t, err)
	require.Same(t, x, y)
	require.Equal(t, steps+sealing, p.exec.Machine.Steps())
	require.Equal(t, uint64(0), c.Head().Number.Uint64(), "getPayload commits nothing")
	require.Equal(t, c.Head().Hash(), c.State().Head().Hash)
}

func TestPayloadsAreBoundedAndFollowTheHead(t *testing.T) {
	b, c := newBuilder(t)
	first, err := b.Start(c.Head(), attributes(c, 1), forcedBlock(t, c, 1, 0), true)
	require.NoError(t, err)
	for i := range payloadsKept {
		_, err := b.Start(c.Head(), attributes(c, 1), forcedBlock(t, c, 1, byte(i+1)), true)
		require.NoError(t, err)
	}
	require.Len(t, b.payloads, payloadsKept)
	_, err = b.Resolve(first)
	require.ErrorIs(t, err, ErrUnknownPayload)

	last := b.payloads[payloadsKept-1].id
	stale := b.payloads[0].id
	x, err := b.Resolve(last)
	require.NoError(t, err)
	require.NoError(t, c.SetLabels(x.Hash, common.Hash{}, common.Hash{}))
	b.HeadChanged(x.Hash)
	_, err = b.Resolve(stale)
	require.ErrorIs(t, err, ErrUnknownPayload, "a payload on an old head is gone")
	again, err := b.Resolve(last)
	require.NoError(t, err, "the new head's own payload may be asked for again")
	require.Same(t, x, again)
}

func TestForcedErrors(t *testing.T) {
	b, c := newBuilder(t)
	_, err := b.Start(c.Head(), attributes(c, 1), nil, true)
	require.ErrorIs(t, err, ErrForced)
	_, err = b.Start(c.Head(), attributes(c, 1), forcedBlock(t, c, 1, 0)[1:], true)
	require.ErrorIs(t, err, ErrForced)
	_, err = b.Start(c.Head(), attributes(c, 0), forcedBlock(t, c, 1, 0), true)
	require.ErrorIs(t, err, block.ErrAttributes)
	require.Empty(t, b.payloads)
}

func TestDataLimits(t *testing.T) {
	b, _ := newBuilder(t)
	require.Equal(t, uint64(8<<20-blockOverheadBytes), b.limit())
	b.SetMaxDASize(0, 130_000)
	require.Equal(t, uint64(130_000-blockOverheadBytes), b.limit())
	b.SetMaxDASize(0, 10)
	require.Zero(t, b.limit())
	b.SetMaxDASize(0, 0)
	require.Equal(t, uint64(8<<20-blockOverheadBytes), b.limit())
}

// TestResolveBesideHeadChange is for the race detector: the rollup node's calls may overlap.
func TestResolveBesideHeadChange(t *testing.T) {
	b, c := newBuilder(t)
	for i := range 20 {
		id, err := b.Start(c.Head(), attributes(c, 1), forcedBlock(t, c, 3, byte(i)), true)
		require.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.HeadChanged(c.Head().Hash())
		}()
		_, err = b.Resolve(id)
		require.NoError(t, err)
		<-done
	}
}
