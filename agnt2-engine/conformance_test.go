package engine_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	geth "github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/chain"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// What an op-node may expect of its engine. Most of it has broken in other engines behind the Engine API.

// requireCode checks the Engine API's error code.
func requireCode(t testing.TB, err error, code int) {
	t.Helper()
	var e *geth.EngineAPIError
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.ErrorCode(), "%v", err)
}

func (w *world) pool(txs ...*types.Transaction) {
	for i, err := range w.Node.Pool().Add(context.Background(), txs) {
		require.NoError(w.t, err, "transaction %d", i)
	}
}

// fromPool makes a block out of the mempool; it waits until n transactions are in it.
func (w *world) fromPool(n int) *geth.ExecutableData {
	deadline := time.Now().Add(10 * time.Second)
	for {
		id, err := w.Start(w.Attributes(w.Driver.Head(), false))
		require.NoError(w.t, err)
		time.Sleep(5 * time.Millisecond) // the builder fills until it is asked; if that was too soon, the next block has the rest
		p, err := w.Finish(id)
		require.NoError(w.t, err)
		if n -= len(p.Transactions) - 1; n <= 0 {
			return p
		}
		require.True(w.t, time.Now().Before(deadline), "%d transactions never got in", n)
	}
}

func (w *world) payload(forced ...*types.Transaction) *geth.ExecutableData {
	id, err := w.Start(w.Attributes(w.Driver.Head(), true, forced...))
	require.NoError(w.t, err)
	p, err := w.Get(id)
	require.NoError(w.t, err)
	return p
}

func (w *world) view(hash common.Hash, k record.Key) []byte {
	v, err := w.Node.Chain().State().View(hash)
	require.NoError(w.t, err)
	return v.Get(k)
}

func (w *world) balance(hash common.Hash, a common.Address) *big.Int {
	b := w.view(hash, record.AccountKey(a))
	if b == nil {
		return new(big.Int)
	}
	acc, err := record.DecodeAccount(b)
	require.NoError(w.t, err)
	return acc.Balance.ToBig()
}

var zero = new(big.Int)

func TestForeignUnsafeBlocksAreExecuted(t *testing.T) {
	a, b := newWorld(t, 3), newWorld(t, 3)
	a.L1BaseFee, a.L1BaseFeeScalar = 1e9, 1000
	a.block(a.op(0, ether(1), register(1e15)))
	for i := range 4 {
		a.pool(a.op(1, big.NewInt(1e15), invoke(byte(i), enginetest.Address(0), 60)))
		a.fromPool(1)
		a.block(a.op(0, nil, respond(vm.InteractionID(enginetest.Address(1), common.Hash{byte(i)}), vm.OK)),
			a.tx(2, abi.MessagePasserAddress, big.NewInt(int64(i)), nil))
	}
	for n := uint64(1); n <= a.Driver.Head().Number.Uint64(); n++ {
		x := a.Node.Chain().Executed(a.Node.Chain().CanonicalHash(n))
		p := geth.BlockToExecutableData(x.Block(), zero, nil, [][]byte{}).ExecutionPayload
		s, err := enginetest.Import(b.API, p)
		require.NoError(t, err)
		require.Equal(t, geth.VALID, s.Status, "block %d: %v", n, s.ValidationError)
		require.NoError(t, b.SetHead(p.BlockHash))
		y := b.Node.Chain().Executed(p.BlockHash)
		require.Equal(t, x.Block().Root(), y.Block().Root())
		for i := range x.Receipts {
			want, err := json.Marshal(x.Receipts[i])
			require.NoError(t, err)
			got, err := json.Marshal(y.Receipts[i])
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(got))
		}
		require.Equal(t, a.view(p.BlockHash, record.AccountKey(enginetest.Address(1))), b.view(p.BlockHash, record.AccountKey(enginetest.Address(1))))
	}
}

func TestPayloadIDsDifferByWhatIsBuilt(t *testing.T) {
	w := newWorld(t, 2)
	to := enginetest.Address(1)
	head := w.Driver.Head()
	ids := map[geth.PayloadID]int{}
	deposit := func(salt uint64) *types.Transaction {
		return enginetest.Deposit(enginetest.Address(0), &to, nil, zero, nil, salt)
	}
	other := w.Attributes(head, true)
	other.EIP1559Params = []byte{0, 0, 0, 9, 0, 0, 0, 9}
	random := w.Attributes(head, true)
	random.Random = common.Hash{1}
	for i, a := range []*geth.PayloadAttributes{
		w.Attributes(head, true), w.Attributes(head, false), w.Attributes(head, true, deposit(1)), w.Attributes(head, true, deposit(2)),
		w.Attributes(head, true, deposit(1), deposit(2)), other, random,
	} {
		id, err := w.Start(a)
		require.NoError(t, err)
		if j, dup := ids[id]; dup {
			t.Fatalf("attributes %d and %d share payload id %v", i, j, id)
		}
		ids[id] = i
	}
	again, err := w.Start(w.Attributes(head, true, deposit(1)))
	require.NoError(t, err)
	require.Contains(t, ids, again, "the same attributes name the same payload")
	p, err := w.Get(again)
	require.NoError(t, err)
	require.Len(t, p.Transactions, 2)
	q, err := w.Get(again)
	require.NoError(t, err)
	require.Equal(t, p.BlockHash, q.BlockHash, "a payload can be asked for twice")
}

// TestRollbackMovesEverything: records, indices, labels, the message passer and the mempool's nonces go back together.
func TestRollbackMovesEverything(t *testing.T) {
	dir := t.TempDir()
	g := enginetest.Genesis(2)
	n := newNode(t, g, dir)
	w := &world{Driver: enginetest.New(n), t: t, nonces: map[int]uint64{}}
	w.block(w.op(0, ether(1), register(5)))
	base := w.Driver.Head()
	call := w.op(1, big.NewInt(5), invoke(1, enginetest.Address(0), 60))
	w.block(call)
	w.block(w.tx(1, abi.MessagePasserAddress, big.NewInt(7), nil))
	id := vm.InteractionID(enginetest.Address(1), common.Hash{1})
	gone := w.Driver.Head()
	require.NotEqual(t, *base.WithdrawalsHash, *gone.WithdrawalsHash)
	require.Equal(t, uint64(2), n.Pool().Nonce(enginetest.Address(1)))

	check := func() {
		c := n.Chain()
		require.Equal(t, base.Hash(), c.Head().Hash())
		require.Equal(t, base.Hash(), c.State().Head().Hash)
		require.Zero(t, c.CanonicalHash(base.Number.Uint64()+1))
		_, ok := c.Transaction(call.Hash())
		require.False(t, ok, "a transaction of a block that left the chain is found")
		_, ok = c.Interaction(id)
		require.False(t, ok)
		require.Nil(t, w.view(base.Hash(), record.InteractionKey(id)))
		v, err := c.State().View(base.Hash())
		require.NoError(t, err)
		p, err := v.Passer()
		require.NoError(t, err)
		require.Equal(t, *base.WithdrawalsHash, p.Root())
	}
	require.NoError(t, w.SetHead(base.Hash()))
	check()
	require.NoError(t, n.Close())
	n = newNode(t, g, dir)
	w.Driver = enginetest.New(n)
	check()
	// and forward again, from blocks that are on disk but whose effects are not in memory any more
	require.NoError(t, w.SetHead(gone.Hash()))
	require.Equal(t, gone.Hash(), n.Chain().State().Head().Hash)
	_, ok := n.Chain().Transaction(call.Hash())
	require.True(t, ok)
	require.NoError(t, n.Close())
}

func TestBadDepositKeepsItsMint(t *testing.T) {
	w := newWorld(t, 1)
	who := common.Address{0xd0}
	r := w.block(
		enginetest.Deposit(who, nil, ether(2), ether(1), []byte{0x60, 0x00}, 1),
		enginetest.Deposit(who, &abi.Address, ether(3), ether(1), []byte{1, 2, 3, 4}, 2),
		enginetest.Deposit(who, &abi.Address, nil, ether(100), register(1), 3),
	)
	require.Len(t, r, 4)
	for _, rc := range r[1:] {
		require.Equal(t, types.ReceiptStatusFailed, rc.Status)
	}
	require.Equal(t, ether(5), w.balance(w.Driver.Head().Hash(), who))
}

func TestMempoolIsNotDrainedByForcedBlocks(t *testing.T) {
	w := newWorld(t, 2)
	tx := w.tx(0, enginetest.Address(1), big.NewInt(1), nil)
	w.pool(tx)
	for range 3 {
		p := w.payload()
		require.Len(t, p.Transactions, 1, "noTxPool takes nothing from the mempool")
		w.block()
	}
	pending, _ := w.Node.Pool().Stats()
	require.Equal(t, 1, pending)
	w.fromPool(1)
	_, ok := w.Node.Chain().Transaction(tx.Hash())
	require.True(t, ok)
}

// TestBodyAndReceiptsMatch: every transaction has a receipt, in memory and from disk, with the same fields.
func TestBodyAndReceiptsMatch(t *testing.T) {
	dir := t.TempDir()
	g := enginetest.Genesis(2)
	n := newNode(t, g, dir)
	w := &world{Driver: enginetest.New(n), t: t, nonces: map[int]uint64{}}
	w.L1BaseFee, w.L1BaseFeeScalar = 1e9, 5000
	ok := w.op(0, ether(1), register(5))
	failed := w.op(0, nil, (&abi.WithdrawStakeCall{}).Encode())
	w.block(enginetest.Deposit(common.Address{1}, nil, ether(1), zero, nil, 1), ok, failed, ok,
		enginetest.Sign(enginetest.Key(1), chainID, 0, &abi.Address, nil, 0, nil), w.op(1, big.NewInt(5), invoke(1, enginetest.Address(0), 2)))
	for range 4 {
		w.block()
	}
	var before []string
	for i := range w.Driver.Head().Number.Uint64() {
		x := n.Chain().Executed(n.Chain().CanonicalHash(i + 1))
		require.Len(t, x.Receipts, len(x.Block().Transactions()))
		raw, err := json.Marshal(x.Receipts)
		require.NoError(t, err)
		before = append(before, string(raw))
	}
	require.NoError(t, n.Close())
	n = newNode(t, g, dir)
	defer n.Close()
	for i := range before {
		x := n.Chain().Executed(n.Chain().CanonicalHash(uint64(i) + 1))
		require.Len(t, x.Receipts, len(x.Block().Transactions()))
		raw, err := json.Marshal(x.Receipts)
		require.NoError(t, err)
		require.JSONEq(t, before[i], string(raw), "block %d", i+1)
	}
}

func TestGenesisHash(t *testing.T) {
	dir := t.TempDir()
	g := enginetest.Genesis(3)
	n := newNode(t, g, dir)
	want := g.Block()
	require.Equal(t, want.Hash(), n.Chain().CanonicalHash(0))
	require.Equal(t, want.Header(), n.Chain().HeaderByHash(want.Hash()))
	require.NotEqual(t, types.EmptyRootHash, *want.Header().WithdrawalsHash, "clients drop the empty trie's root")
	require.Equal(t, withdrawal.NewTree().Root(), *want.Header().WithdrawalsHash)
	require.NoError(t, n.Close())
	other := enginetest.Genesis(2)
	_, err := engine.New(engine.Config{Genesis: other, DataDir: dir, CacheBytes: 32 << 20})
	require.ErrorIs(t, err, chain.ErrOtherGenesis)
	n = newNode(t, g, dir)
	require.NoError(t, n.Close())
}

func TestLabelsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	g := enginetest.Genesis(1)
	n := newNode(t, g, dir)
	w := &world{Driver: enginetest.New(n), t: t, nonces: map[int]uint64{}}
	var hashes []common.Hash
	for range 6 {
		w.block()
		hashes = append(hashes, w.Driver.Head().Hash())
	}
	require.NoError(t, w.SetLabels(hashes[5], hashes[3], hashes[1]))
	require.NoError(t, n.Close())
	n = newNode(t, g, dir)
	defer n.Close()
	c := n.Chain()
	require.Equal(t, hashes[5], c.Head().Hash())
	require.Equal(t, hashes[3], c.Safe().Hash())
	require.Equal(t, hashes[1], c.Finalized().Hash())
	require.Equal(t, hashes[5], c.State().Head().Hash)
}

func TestForkchoiceOfUnknownHeadIsSyncing(t *testing.T) {
	w := newWorld(t, 1)
	bad := w.Attributes(w.Driver.Head(), true)
	bad.GasLimit, bad.Withdrawals = nil, nil
	r, err := w.API.ForkchoiceUpdatedV3(context.Background(), geth.ForkchoiceStateV1{HeadBlockHash: common.Hash{1}}, bad)
	require.NoError(t, err, "SYNCING comes before attributes are looked at")
	require.Equal(t, geth.SYNCING, r.PayloadStatus.Status)
	require.Nil(t, r.PayloadID)
	r, err = w.API.ForkchoiceUpdatedV3(context.Background(), geth.ForkchoiceStateV1{}, nil)
	require.NoError(t, err)
	require.Equal(t, geth.INVALID, r.PayloadStatus.Status)
}

func TestForkchoiceLabels(t *testing.T) {
	w := newWorld(t, 1)
	w.block()
	one := w.Driver.Head().Hash()
	w.block()
	two := w.Driver.Head().Hash()
	require.NoError(t, w.SetHead(one))
	w.BlockTime = 2
	w.block()
	sibling := w.Driver.Head().Hash()
	require.NotEqual(t, two, sibling)
	ctx := context.Background()
	for name, s := range map[string]geth.ForkchoiceStateV1{
		"safe is not an ancestor":      {HeadBlockHash: sibling, SafeBlockHash: two},
		"finalized is not an ancestor": {HeadBlockHash: sibling, FinalizedBlockHash: two},
		"safe is above the head":       {HeadBlockHash: one, SafeBlockHash: sibling},
		"unknown safe":                 {HeadBlockHash: sibling, SafeBlockHash: common.Hash{9}},
	} {
		_, err := w.API.ForkchoiceUpdatedV3(ctx, s, nil)
		require.Error(t, err, name)
		requireCode(t, err, -38002)
		require.Equal(t, sibling, w.Node.Chain().Head().Hash(), "%s: nothing moved", name)
	}
	require.NoError(t, w.SetLabels(sibling, one, one))
	require.Equal(t, one, w.Node.Chain().Safe().Hash())
}

func TestBadAttributes(t *testing.T) {
	w := newWorld(t, 2)
	w.block()
	head := w.Driver.Head()
	to := enginetest.Address(1)
	raw := func(tx *types.Transaction) []byte {
		b, err := tx.MarshalBinary()
		require.NoError(t, err)
		return b
	}
	good := enginetest.Sign(enginetest.Key(0), chainID, 0, &to, zero, 21000, nil)
	elsewhere := enginetest.Sign(enginetest.Key(0), chainID+1, 0, &to, zero, 21000, nil)
	unsigned := types.NewTx(&types.DynamicFeeTx{ChainID: big.NewInt(chainID), GasFeeCap: big.NewInt(1), GasTipCap: zero, To: &to, Gas: 21000})
	legacy := types.MustSignNewTx(enginetest.Key(0), types.LatestSignerForChainID(big.NewInt(chainID)), &types.LegacyTx{GasPrice: big.NewInt(1), Gas: 21000, To: &to})
	deposit := enginetest.Deposit(to, &to, nil, zero, nil, 1)
	late := w.L1Attributes(9, 9)
	for name, change := range map[string]func(a *geth.PayloadAttributes){
		"undecodable":          func(a *geth.PayloadAttributes) { a.Transactions = append(a.Transactions, []byte{2, 1}) },
		"empty transaction":    func(a *geth.PayloadAttributes) { a.Transactions = append(a.Transactions, nil) },
		"other chain":          func(a *geth.PayloadAttributes) { a.Transactions = append(a.Transactions, raw(elsewhere)) },
		"unsigned":             func(a *geth.PayloadAttributes) { a.Transactions = append(a.Transactions, raw(unsigned)) },
		"legacy":               func(a *geth.PayloadAttributes) { a.Transactions = append(a.Transactions, raw(legacy)) },
		"deposit after others": func(a *geth.PayloadAttributes) { a.Transactions = append(a.Transactions, raw(good), raw(deposit)) },
		"no L1 attributes":     func(a *geth.PayloadAttributes) { a.Transactions = [][]byte{raw(good)} },
		"L1 attributes second": func(a *geth.PayloadAttributes) { a.Transactions = [][]byte{raw(deposit), raw(late)} },
		"no transactions":      func(a *geth.PayloadAttributes) { a.Transactions = nil },
		"no gas limit":         func(a *geth.PayloadAttributes) { a.GasLimit = nil },
		"no EIP-1559 params":   func(a *geth.PayloadAttributes) { a.EIP1559Params = nil },
		"half EIP-1559 params": func(a *geth.PayloadAttributes) { a.EIP1559Params = []byte{0, 0, 0, 1, 0, 0, 0, 0} },
		"no withdrawals":       func(a *geth.PayloadAttributes) { a.Withdrawals = nil },
		"a withdrawal":         func(a *geth.PayloadAttributes) { a.Withdrawals = []*types.Withdrawal{{}} },
		"no beacon root":       func(a *geth.PayloadAttributes) { a.BeaconRoot = nil },
		"old timestamp":        func(a *geth.PayloadAttributes) { a.Timestamp = head.Time },
		"timestamp far away":   func(a *geth.PayloadAttributes) { a.Timestamp = 1 << 40 },
		"Jovian":               func(a *geth.PayloadAttributes) { a.MinBaseFee = new(uint64) },
	} {
		a := w.Attributes(head, true)
		change(a)
		_, err := w.Start(a)
		require.Error(t, err, name)
		requireCode(t, err, -38003)
	}
	w.block() // and none of it is in the way
}

// again makes a payload's hash right after a change, so that only the changed field is wrong.
func again(t testing.TB, w *world, p geth.ExecutableData) geth.ExecutableData {
	beacon := common.Hash{1}
	b, err := geth.ExecutableDataToBlockNoHash(p, []common.Hash{}, &beacon, [][]byte{}, w.Node.Chain().Config())
	require.NoError(t, err)
	p.BlockHash = b.Hash()
	return p
}

func TestMalformedPayloads(t *testing.T) {
	w := newWorld(t, 2)
	w.block(w.op(0, ether(1), register(5)))
	good := *w.payload(w.op(1, big.NewInt(5), invoke(1, enginetest.Address(0), 60)))
	other := newWorld(t, 2) // has never seen the payload
	for n := uint64(1); n <= w.Driver.Head().Number.Uint64(); n++ {
		p := geth.BlockToExecutableData(w.Node.Chain().BlockByHash(w.Node.Chain().CanonicalHash(n)), zero, nil, [][]byte{}).ExecutionPayload
		_, err := enginetest.Import(other.API, p)
		require.NoError(t, err)
		require.NoError(t, other.SetHead(p.BlockHash))
	}
	raw := func(tx *types.Transaction) []byte {
		b, err := tx.MarshalBinary()
		require.NoError(t, err)
		return b
	}
	deposit := raw(enginetest.Deposit(common.Address{1}, nil, nil, zero, nil, 1))
	elsewhere := raw(enginetest.Sign(enginetest.Key(0), chainID+1, 0, &abi.Address, zero, 21000, nil))
	for name, c := range map[string]struct {
		change func(p *geth.ExecutableData)
		reason string
	}{
		"stateRoot":        {func(p *geth.ExecutableData) { p.StateRoot[0]++ }, "stateRoot"},
		"receiptsRoot":     {func(p *geth.ExecutableData) { p.ReceiptsRoot[0]++ }, "receiptsRoot"},
		"gasUsed":          {func(p *geth.ExecutableData) { p.GasUsed++ }, "gasUsed"},
		"gasUsed above":    {func(p *geth.ExecutableData) { p.GasUsed = p.GasLimit + 1 }, "exceeds the limit"},
		"logsBloom":        {func(p *geth.ExecutableData) { p.LogsBloom[0]++ }, "logsBloom"},
		"withdrawalsRoot":  {func(p *geth.ExecutableData) { p.WithdrawalsRoot = &common.Hash{1} }, "withdrawalsRoot"},
		"baseFee":          {func(p *geth.ExecutableData) { p.BaseFeePerGas = new(big.Int).Add(p.BaseFeePerGas, common.Big1) }, "base fee"},
		"number":           {func(p *geth.ExecutableData) { p.Number++ }, "number"},
		"timestamp":        {func(p *geth.ExecutableData) { p.Timestamp -= 1 }, "timestamp"},
		"timestamp beyond": {func(p *geth.ExecutableData) { p.Timestamp = 1 << 63 }, "timestamp"},
		"extraData short":  {func(p *geth.ExecutableData) { p.ExtraData = p.ExtraData[:8] }, "extraData"},
		"extraData zero":   {func(p *geth.ExecutableData) { p.ExtraData = make([]byte, 9) }, "denominator"},
		"extraData none":   {func(p *geth.ExecutableData) { p.ExtraData = nil }, "extraData"},
		"blob gas":         {func(p *geth.ExecutableData) { p.BlobGasUsed = new(uint64); *p.BlobGasUsed = 1 }, "blob gas"},
		"deposit after tx": {func(p *geth.ExecutableData) { p.Transactions = append(p.Transactions[:2:2], deposit) }, "deposits must come first"},
		"no L1 attributes": {func(p *geth.ExecutableData) { p.Transactions = p.Transactions[1:] }, "L1-attributes"},
		"deposit first":    {func(p *geth.ExecutableData) { p.Transactions = append([][]byte{deposit}, p.Transactions...) }, "L1-attributes"},
		"no transactions":  {func(p *geth.ExecutableData) { p.Transactions = [][]byte{} }, "L1-attributes"},
		"other chain":      {func(p *geth.ExecutableData) { p.Transactions = append(p.Transactions[:1:1], elsewhere) }, "another chain"},
		"missing tx":       {func(p *geth.ExecutableData) { p.Transactions = p.Transactions[:1] }, "execution gives"},
		"doubled tx":       {func(p *geth.ExecutableData) { p.Transactions = append(p.Transactions, p.Transactions[1]) }, "execution gives"},
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			p.Transactions, p.LogsBloom = append([][]byte{}, good.Transactions...), bytes.Clone(good.LogsBloom)
			c.change(&p)
			p = again(t, w, p)
			before := other.Node.Chain().State().Head()
			s, err := enginetest.Import(other.API, &p)
			require.NoError(t, err)
			require.Equal(t, geth.INVALID, s.Status)
			require.NotNil(t, s.ValidationError)
			require.Contains(t, strings.ToLower(*s.ValidationError), strings.ToLower(c.reason))
			require.Equal(t, p.ParentHash, *s.LatestValidHash)
			require.Nil(t, other.Node.Chain().HeaderByHash(p.BlockHash), "an invalid block is not kept")
			require.Equal(t, before, other.Node.Chain().State().Head())
			r, err := other.API.ForkchoiceUpdatedV3(context.Background(), geth.ForkchoiceStateV1{HeadBlockHash: p.BlockHash}, nil)
			require.NoError(t, err)
			require.Equal(t, geth.SYNCING, r.PayloadStatus.Status)
		})
	}
	undecodable := good
	undecodable.Transactions = append(good.Transactions[:1:1], []byte{2, 1})
	s, err := enginetest.Import(other.API, &undecodable)
	require.NoError(t, err)
	require.Equal(t, geth.INVALID, s.Status)
	wrongHash := good
	wrongHash.BlockHash = common.Hash{1}
	s, err = enginetest.Import(other.API, &wrongHash)
	require.NoError(t, err)
	require.Equal(t, geth.INVALID, s.Status)
	require.Contains(t, *s.ValidationError, "mismatch")
	// after all that, the good one is
	s, err = enginetest.Import(other.API, &good)
	require.NoError(t, err)
	require.Equal(t, geth.VALID, s.Status, "%v", s.ValidationError)
	require.NoError(t, other.SetHead(good.BlockHash))
}

func TestPayloadParameters(t *testing.T) {
	w := newWorld(t, 1)
	p := *w.payload()
	ctx, root := context.Background(), &common.Hash{1}
	for name, call := range map[string]func() (geth.PayloadStatusV1, error){
		"no beacon root": func() (geth.PayloadStatusV1, error) {
			return w.API.NewPayloadV4(ctx, p, []common.Hash{}, nil, []hexutil.Bytes{})
		},
		"no versioned hashes": func() (geth.PayloadStatusV1, error) { return w.API.NewPayloadV4(ctx, p, nil, root, []hexutil.Bytes{}) },
		"a versioned hash": func() (geth.PayloadStatusV1, error) {
			return w.API.NewPayloadV4(ctx, p, []common.Hash{{1}}, root, []hexutil.Bytes{})
		},
		"no requests": func() (geth.PayloadStatusV1, error) { return w.API.NewPayloadV4(ctx, p, []common.Hash{}, root, nil) },
		"a request": func() (geth.PayloadStatusV1, error) {
			return w.API.NewPayloadV4(ctx, p, []common.Hash{}, root, []hexutil.Bytes{{1}})
		},
		"no withdrawals": func() (geth.PayloadStatusV1, error) {
			q := p
			q.Withdrawals = nil
			return enginetest.Import(w.API, &q)
		},
		"no withdrawalsRoot": func() (geth.PayloadStatusV1, error) {
			q := p
			q.WithdrawalsRoot = nil
			return enginetest.Import(w.API, &q)
		},
		"no blob fields": func() (geth.PayloadStatusV1, error) {
			q := p
			q.ExcessBlobGas = nil
			return enginetest.Import(w.API, &q)
		},
	} {
		_, err := call()
		require.Error(t, err, name)
		requireCode(t, err, -32602)
	}
}

// TestOldBlocksStayValid: a canonical block whose state is pruned is still VALID; one that builds on it cannot be judged.
func TestOldBlocksStayValid(t *testing.T) {
	w := newWorld(t, 1)
	w.block()
	first := geth.BlockToExecutableData(w.Node.Chain().BlockByHash(w.Driver.Head().Hash()), zero, nil, [][]byte{}).ExecutionPayload
	for range 70 { // the history window is 64
		w.block()
	}
	head := w.Driver.Head().Hash()
	require.NoError(t, w.SetLabels(head, head, head))
	require.False(t, w.Node.Chain().State().Known(first.BlockHash), "nothing was pruned")
	s, err := enginetest.Import(w.API, first)
	require.NoError(t, err)
	require.Equal(t, geth.VALID, s.Status)
	require.Equal(t, head, w.Node.Chain().Head().Hash())
	onPruned := *first
	onPruned.ParentHash, onPruned.Number, onPruned.Timestamp = first.BlockHash, 2, first.Timestamp+9
	onPruned = again(t, w, onPruned)
	s, err = enginetest.Import(w.API, &onPruned)
	require.NoError(t, err)
	require.Equal(t, geth.SYNCING, s.Status, "neither VALID nor INVALID can be known")
	w.block()
}

func TestUnknownParentIsSyncing(t *testing.T) {
	a, b := newWorld(t, 1), newWorld(t, 1)
	a.block()
	p := a.payload()
	s, err := enginetest.Import(b.API, p)
	require.NoError(t, err)
	require.Equal(t, geth.SYNCING, s.Status)
	require.Nil(t, s.LatestValidHash)
}

// TestReorgToSiblingAndBack: look-ups find what is canonical and nothing else.
func TestReorgToSiblingAndBack(t *testing.T) {
	w := newWorld(t, 3)
	w.block(w.op(0, ether(1), register(5)))
	base := w.Driver.Head().Hash()
	id := vm.InteractionID(enginetest.Address(1), common.Hash{1})
	call := w.op(1, big.NewInt(5), invoke(1, enginetest.Address(0), 60))
	answer := w.op(0, nil, respond(id, vm.OK))
	onlyA := w.tx(2, enginetest.Address(0), big.NewInt(1), nil)

	w.block(call)
	w.block(answer, onlyA)
	a := w.Driver.Head().Hash()
	require.NoError(t, w.SetHead(base))
	w.BlockTime = 3
	w.block()
	w.block(call)
	b := w.Driver.Head().Hash()

	type place struct {
		number uint64
		ok     bool
	}
	check := func(name string, where map[*types.Transaction]place, opened, settled common.Hash) {
		for tx, want := range where {
			l, ok := w.Node.Chain().Transaction(tx.Hash())
			require.Equal(t, want.ok, ok, "%s: %s", name, tx.Hash())
			if !ok {
				continue
			}
			require.Equal(t, want.number, l.Number, name)
			require.Equal(t, w.Node.Chain().CanonicalHash(l.Number), l.Block)
			require.False(t, l.Void)
			rc := w.Node.Chain().Receipts(l.Block)[l.Index]
			require.Equal(t, tx.Hash(), rc.TxHash)
			require.Equal(t, types.ReceiptStatusSuccessful, rc.Status)
		}
		tr, ok := w.Node.Chain().Interaction(id)
		require.True(t, ok)
		require.Equal(t, opened, tr.Invoke, name)
		require.Equal(t, settled, tr.Settle, name)
	}
	onB := map[*types.Transaction]place{call: {3, true}, answer: {0, false}, onlyA: {0, false}}
	onA := map[*types.Transaction]place{call: {2, true}, answer: {3, true}, onlyA: {3, true}}
	check("B", onB, call.Hash(), common.Hash{})
	for range 2 {
		require.NoError(t, w.SetHead(a))
		check("A", onA, call.Hash(), answer.Hash())
		require.NoError(t, w.SetHead(b))
		check("B", onB, call.Hash(), common.Hash{})
	}
	// what left the chain can be answered on the other side
	w.block(answer)
	require.Equal(t, uint64(5), w.Driver.Head().Number.Uint64()+1)
	require.Len(t, w.Node.Chain().Receipts(w.Driver.Head().Hash())[1].Logs, 1)
}

// TestReplaysDoNotHideTheRealInclusion: the same transaction again in its own block, in later ones, and across reorgs.
func TestReplaysDoNotHideTheRealInclusion(t *testing.T) {
	w := newWorld(t, 2)
	w.block()
	base := w.Driver.Head().Hash()
	tx := w.tx(0, enginetest.Address(1), big.NewInt(1), nil)
	found := func(name string, number, index uint64) {
		l, ok := w.Node.Chain().Transaction(tx.Hash())
		require.True(t, ok, name)
		require.False(t, l.Void, "%s: a void copy is found", name)
		require.Equal(t, number, l.Number, name)
		require.Equal(t, index, l.Index, name)
	}
	early := enginetest.Sign(enginetest.Key(0), chainID, 1, &base20, zero, 21000, nil)
	w.block(early, tx, tx, tx, early) // the first is void, being ahead of its nonce; the last is not
	found("same block", 2, 2)
	l, ok := w.Node.Chain().Transaction(early.Hash())
	require.True(t, ok)
	require.False(t, l.Void)
	require.Equal(t, uint64(5), l.Index)
	before := w.account(0)
	for range 3 {
		r := w.block(tx, tx)
		require.Zero(t, r[1].GasUsed)
		require.Zero(t, r[1].Status)
		found("later blocks", 2, 2)
	}
	require.Equal(t, before, w.account(0), "replays cost nothing")
	a := w.Driver.Head().Hash()

	// on the other branch the real inclusion is later than on this one, and void copies follow
	require.NoError(t, w.SetHead(base))
	_, ok = w.Node.Chain().Transaction(tx.Hash())
	require.False(t, ok)
	w.BlockTime = 2
	w.block()
	w.block()
	w.block(tx)
	w.block(tx)
	b := w.Driver.Head().Hash()
	found("B", 4, 1)
	require.NoError(t, w.SetHead(a))
	found("back on A", 2, 2)
	require.NoError(t, w.SetHead(b))
	found("back on B", 4, 1)
	// and a branch where it is only ever void
	require.NoError(t, w.SetHead(base))
	other := enginetest.Sign(enginetest.Key(0), chainID, 0, &base20, zero, 21000, nil)
	w.BlockTime = 4
	w.block(other)
	w.block(tx)
	l, ok = w.Node.Chain().Transaction(tx.Hash())
	require.True(t, ok)
	require.True(t, l.Void)
	c := w.Driver.Head().Hash()
	require.NoError(t, w.SetHead(a))
	found("A again", 2, 2)
	require.NoError(t, w.SetHead(c))
	l, ok = w.Node.Chain().Transaction(tx.Hash())
	require.True(t, ok)
	require.True(t, l.Void)
	require.Equal(t, uint64(3), l.Number)
}

var base20 = common.Address{0x20}

// TestDepositsNeverExceedTheBlock: Holocene's answer to an invalid block is a deposits-only block, which must be valid
// whatever the deposits ask for.
func TestDepositsNeverExceedTheBlock(t *testing.T) {
	w := newWorld(t, 1)
	w.GasLimit = 30_000
	var ds []*types.Transaction
	for i := range uint64(40) {
		ds = append(ds, types.NewTx(&types.DepositTx{
			SourceHash: common.Hash{byte(i), 1}, From: common.Address{1}, To: &base20, Mint: big.NewInt(2), Value: big.NewInt(1), Gas: 1 << 60,
		}))
	}
	r := w.block(ds...)
	require.Len(t, r, 41)
	head := w.Driver.Head()
	require.Equal(t, head.GasLimit, head.GasUsed)
	require.Equal(t, int64(40), w.balance(head.Hash(), base20).Int64(), "every deposit is executed")
	w.block()
}

// TestStrangeAttributesDeposits: deposits that only look like L1 attributes are ordinary deposits.
func TestStrangeAttributesDeposits(t *testing.T) {
	w := newWorld(t, 1)
	l1 := abi.L1BlockAddress
	for i, data := range [][]byte{nil, {1}, abi.L1AttributesSelector[:], make([]byte, abi.L1AttributesDataLength), make([]byte, 1000)} {
		for j, to := range []*common.Address{nil, &l1, &abi.Address} {
			d := types.NewTx(&types.DepositTx{
				SourceHash: common.Hash{byte(i), byte(j), 7}, From: abi.L1AttributesDepositor, To: to, Mint: big.NewInt(1), Value: zero, Gas: 1e6, Data: data,
			})
			r := w.block(d)
			require.Len(t, r, 2)
		}
	}
	require.Equal(t, int64(15), w.balance(w.Driver.Head().Hash(), abi.L1AttributesDepositor).Int64())
	// as the first transaction they make the block invalid instead
	a := w.Attributes(w.Driver.Head(), true)
	raw, err := types.NewTx(&types.DepositTx{From: abi.L1AttributesDepositor, To: &l1, Value: zero, Data: []byte{1}}).MarshalBinary()
	require.NoError(t, err)
	a.Transactions = [][]byte{raw}
	_, err = w.Start(a)
	requireCode(t, err, -38003)
}

func TestOldEngineVersions(t *testing.T) {
	w := newWorld(t, 1)
	ctx := context.Background()
	fc := geth.ForkchoiceStateV1{HeadBlockHash: w.Driver.Head().Hash()}
	a := w.Attributes(w.Driver.Head(), true)
	const unsupported = -38005
	_, err := w.API.ForkchoiceUpdatedV1(ctx, fc, a)
	requireCode(t, err, unsupported)
	_, err = w.API.ForkchoiceUpdatedV2(ctx, fc, a)
	requireCode(t, err, unsupported)
	_, err = w.API.NewPayloadV1(ctx, geth.ExecutableData{})
	requireCode(t, err, unsupported)
	_, err = w.API.NewPayloadV2(ctx, geth.ExecutableData{})
	requireCode(t, err, unsupported)
	_, err = w.API.NewPayloadV3(ctx, geth.ExecutableData{}, nil, nil)
	requireCode(t, err, unsupported)
	id, err := w.Start(a)
	require.NoError(t, err)
	_, err = w.API.GetPayloadV1(id)
	requireCode(t, err, unsupported)
	_, err = w.API.GetPayloadV2(id)
	requireCode(t, err, unsupported)
	_, err = w.API.GetPayloadV3(id)
	requireCode(t, err, unsupported)
	_, err = w.API.GetPayloadV4(geth.PayloadID{1})
	requireCode(t, err, -38001)
	_, err = w.API.GetPayloadV4(id)
	require.NoError(t, err)
}

func TestPayloadBodies(t *testing.T) {
	w := newWorld(t, 2)
	w.block(w.tx(0, enginetest.Address(1), big.NewInt(1), nil))
	w.block()
	one := w.Node.Chain().CanonicalHash(1)
	bodies, err := w.API.GetPayloadBodiesByHashV1([]common.Hash{one, {9}})
	require.NoError(t, err)
	require.Len(t, bodies[0].TransactionData, 2)
	require.Nil(t, bodies[1])
	bodies, err = w.API.GetPayloadBodiesByRangeV1(1, 10)
	require.NoError(t, err)
	require.Len(t, bodies, 2)
	_, err = w.API.GetPayloadBodiesByRangeV1(0, 1)
	requireCode(t, err, -32602)
	_, err = w.API.GetPayloadBodiesByRangeV1(1, 1<<40)
	requireCode(t, err, -38004)
	_, err = w.API.GetPayloadBodiesByHashV1(make([]common.Hash, 2000))
	requireCode(t, err, -38004)
}

// TestAuthPortWantsJWT: no token, a wrong one, a stale one, and the right one, over HTTP and WebSocket.
func TestAuthPortWantsJWT(t *testing.T) {
	secret := [32]byte{7}
	n, err := engine.New(engine.Config{
		Genesis: enginetest.Genesis(1), DataDir: t.TempDir(), CacheBytes: 32 << 20, AuthAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", JWTSecret: secret,
	})
	require.NoError(t, err)
	defer n.Close()
	encode := base64.RawURLEncoding.EncodeToString
	claims := func(algorithm string, at time.Time) string {
		return encode([]byte(`{"alg":"`+algorithm+`","typ":"JWT"}`)) + "." + encode(fmt.Appendf(nil, `{"iat":%d}`, at.Unix()))
	}
	token := func(key []byte, at time.Time) string {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(claims("HS256", at)))
		return "Bearer " + claims("HS256", at) + "." + encode(mac.Sum(nil))
	}
	none := claims("none", time.Now()) + "."
	post := func(port, authorization, method string, upgrade bool) (int, string) {
		req, err := http.NewRequest(http.MethodPost, "http://"+n.Addr(port), strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":[[]]}`, method)))
		require.NoError(t, err)
		if upgrade {
			req.Method, req.Body, req.ContentLength = http.MethodGet, nil, 0
			req.Header.Set("Upgrade", "websocket")
			req.Header.Set("Connection", "Upgrade")
			req.Header.Set("Sec-WebSocket-Version", "13")
			req.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
		}
		req.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return resp.StatusCode, ""
		}
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(body)
	}
	const method = "engine_exchangeCapabilities"
	for name, a := range map[string]string{
		"no token": "", "wrong secret": token(make([]byte, 32), time.Now()), "stale": token(secret[:], time.Now().Add(-5*time.Minute)),
		"from the future": token(secret[:], time.Now().Add(5*time.Minute)), "unsigned": "Bearer " + none, "garbage": "Bearer x.y.z",
	} {
		code, body := post("auth", a, method, false)
		require.Equal(t, http.StatusUnauthorized, code, "%s: %s", name, body)
		code, _ = post("auth", a, method, true)
		require.Equal(t, http.StatusUnauthorized, code, "%s, WebSocket", name)
	}
	good := token(secret[:], time.Now())
	code, body := post("auth", good, method, false)
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "engine_newPayloadV4")
	code, _ = post("auth", good, method, true)
	require.Equal(t, http.StatusSwitchingProtocols, code)
	_, body = post("http", good, method, false)
	require.Contains(t, body, "-32601", "the public port does not speak the Engine API")
}

// TestBaseFeeFollowsParameters: EIP-1559 parameters of the attributes reach the header and the next base fee.
func TestBaseFeeFollowsParameters(t *testing.T) {
	w := newWorld(t, 2)
	w.GasLimit = 100_000
	a := w.Attributes(w.Driver.Head(), true, enginetest.Sign(enginetest.Key(0), chainID, 0, &abi.Address, ether(1), 50_000, register(1)))
	a.EIP1559Params = []byte{0, 0, 0, 8, 0, 0, 0, 50}
	id, err := w.Start(a)
	require.NoError(t, err)
	p, err := w.Finish(id)
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0, 0, 0, 8, 0, 0, 0, 50}, []byte(p.ExtraData))
	target := p.GasLimit / 50
	require.Greater(t, p.GasUsed, target)
	w.block()
	base := p.BaseFeePerGas.Uint64()
	want := new(big.Int).SetUint64(base + base*(p.GasUsed-target)/target/8)
	got := w.Driver.Head().BaseFee
	require.Equal(t, want.String(), got.String())
}

// TestMempoolFollowsReorg: a line of blocks is taken back and built again from the mempool.
func TestMempoolFollowsReorg(t *testing.T) {
	w := newWorld(t, 2)
	w.block()
	base := w.Driver.Head().Hash()
	var txs []*types.Transaction
	for range 20 {
		txs = append(txs, w.tx(0, enginetest.Address(1), big.NewInt(1), nil))
	}
	w.pool(txs...)
	w.fromPool(20)
	require.Equal(t, uint64(20), w.account(0).Nonce)
	require.NoError(t, w.SetHead(base))
	require.Zero(t, w.account(0).Nonce)
	w.BlockTime = 2
	w.fromPool(20)
	require.Equal(t, uint64(20), w.account(0).Nonce, "transactions of a block that left the chain return to the mempool")
}

// TestMempoolKeepsWhatIsOnlyIncludedVoid: somebody else's block may hold a pooled transaction before its time.
func TestMempoolKeepsWhatIsOnlyIncludedVoid(t *testing.T) {
	w := newWorld(t, 2)
	w.block()
	first, second := w.tx(0, enginetest.Address(1), big.NewInt(1), nil), w.tx(0, enginetest.Address(1), big.NewInt(1), nil)
	w.pool(first, second)
	w.block(second) // ahead of its nonce
	require.Zero(t, w.account(0).Nonce)
	w.block(first, second, first) // used, used, void
	require.Equal(t, uint64(2), w.account(0).Nonce)
	pending, queued := w.Node.Pool().Stats()
	require.Zero(t, pending+queued)

	third, fourth := w.tx(0, enginetest.Address(1), big.NewInt(1), nil), w.tx(0, enginetest.Address(1), big.NewInt(1), nil)
	w.pool(third, fourth)
	w.block(fourth, first)
	pending, _ = w.Node.Pool().Stats()
	require.Equal(t, 2, pending, "both wait still")
	w.fromPool(2)
	require.Equal(t, uint64(4), w.account(0).Nonce)
}
