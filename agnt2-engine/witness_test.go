package engine_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/machine/witness"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// servedWorld is a world whose engine also listens, and a client of it.
func servedWorld(t testing.TB, accounts int, history uint64) (*world, *rpc.Client) {
	n, err := engine.New(engine.Config{
		Genesis: enginetest.Genesis(accounts), DataDir: t.TempDir(), CacheBytes: 32 << 20, HistoryBlocks: history, AgentIndex: true, HTTPAddr: "127.0.0.1:0",
	})
	require.NoError(t, err)
	t.Cleanup(func() { n.Close() })
	c, err := rpc.Dial("http://" + n.Addr("http"))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return &world{Driver: enginetest.New(n), t: t, nonces: map[int]uint64{}}, c
}

func askWitness(c *rpc.Client, at any) (*witness.Answer, error) {
	var a *witness.Answer
	err := c.CallContext(context.Background(), &a, "agnt2_getBlockWitness", at)
	return a, err
}

// reexecute makes the block again from its witness alone.
func reexecute(t testing.TB, raw []byte) (*witness.Block, *block.Execution) {
	b, err := witness.Decode(raw)
	require.NoError(t, err)
	s, err := b.Open()
	require.NoError(t, err)
	h := types.CopyHeader(b.Header)
	h.Root, h.TxHash, h.ReceiptHash, h.Bloom, h.GasUsed, h.WithdrawalsHash = common.Hash{}, common.Hash{}, common.Hash{}, types.Bloom{}, 0, nil
	e := block.NewExecution(chainID, h, s)
	for _, raw := range b.Txs {
		tx, err := abi.Decode(raw, big.NewInt(chainID))
		require.NoError(t, err)
		_, err = e.Apply(tx)
		require.NoError(t, err)
	}
	e.Finish()
	after := s.Partial.Snapshot()
	apply := func(p *trie.Partial, cs []vm.Change, side func(*vm.Change) []byte) {
		for i := range cs {
			var h *trie.Hash
			if v := side(&cs[i]); v != nil {
				x := trie.HashRecord(v)
				h = &x
			}
			require.NoError(t, p.Set(trie.Key(cs[i].Key), h))
		}
	}
	changes := e.Overlay.Changes()
	apply(after, changes, func(c *vm.Change) []byte { return c.New })
	sealed, err := e.Seal(func() (common.Hash, common.Hash, error) {
		passer, err := b.PasserRoot(e.Machine.Messages)
		return after.Root(), passer, err
	})
	require.NoError(t, err)
	require.Equal(t, b.Header.Hash(), sealed.Hash(), "block %v from its witness", b.Header.Number)
	require.Equal(t, b.Parent.Root, common.Hash(s.Partial.Root()))

	// In any order, and back: whatever the micro-steps' order, nothing unknown is met.
	rand.New(rand.NewPCG(1, b.Header.Number.Uint64())).Shuffle(len(changes), func(i, j int) { changes[i], changes[j] = changes[j], changes[i] })
	if len(changes) < 1000 {
		for _, r := range b.Records {
			_, err := s.Partial.ProveDelete(trie.Key(r.Key))
			require.NoError(t, err)
		}
		again := s.Partial.Snapshot()
		apply(again, changes, func(c *vm.Change) []byte { return c.New })
		require.Equal(t, after.Root(), again.Root())
		apply(again, changes, func(c *vm.Change) []byte { return c.Old })
		require.Equal(t, s.Partial.Root(), again.Root())
		empty := s.Partial.Snapshot()
		for _, r := range b.Records {
			require.NoError(t, empty.Set(trie.Key(r.Key), nil))
		}
	}
	return b, e
}

// TestBlockWitness: blocks of everything that there is, again from their witnesses; first as the head, then as history.
func TestBlockWitness(t *testing.T) {
	w, c := servedWorld(t, 6, 64)
	w.L1BaseFee, w.L1BaseFeeScalar = 1e9, 1000
	callee, price := enginetest.Address(0), big.NewInt(1e15)
	id := func(from int, salt byte) common.Hash {
		return vm.InteractionID(enginetest.Address(from), common.Hash{salt})
	}
	outcomes := map[vm.Outcome]int{}
	var answers []*witness.Answer
	swept, messages := 0, 0
	made := func(txs ...*types.Transaction) {
		w.block(txs...)
		h := w.Driver.Head()
		a, err := askWitness(c, h.Hash())
		require.NoError(t, err)
		require.Equal(t, h.Hash(), a.BlockHash)
		require.Equal(t, h.ParentHash, a.ParentHash)
		answers = append(answers, a)
		b, e := reexecute(t, a.Witness)
		for _, r := range e.Results {
			outcomes[r.Outcome]++
		}
		for _, l := range e.Receipts[0].Logs {
			if l.Topics[0] == (&abi.TimedOutEvent{}).Log(abi.Address).Topics[0] {
				swept++
			}
		}
		messages += len(e.Machine.Messages)
		require.Equal(t, len(e.Machine.Messages) > 0, len(b.PasserNodes) > 0)
	}
	made() // the L1-attributes deposit alone
	made(w.op(0, ether(1), register(1e15)), w.op(1, ether(1), register(5)))
	once := w.op(2, price, invoke(1, callee, 2))
	made(once, once, // void the second time
		w.op(2, price, invoke(2, callee, 60)), w.op(3, price, invoke(1, callee, 2)),
		w.op(3, price, invoke(1, callee, 60)),             // duplicate id: fails
		w.op(4, price, invoke(9, common.Address{9}, 60)),  // unknown callee: fails
		w.tx(4, common.Address{7}, ether(1), nil),         // a transfer to a new account
		w.tx(5, abi.MessagePasserAddress, ether(1), nil),  // withdrawals
		w.tx(5, abi.MessagePasserAddress, ether(2), nil),  //
		w.op(5, ether(1), []byte{1, 2, 3, 4}),             // no such operation
		w.tx(1, common.Address{8}, ether(1_000_000), nil), // not affordable: fails
	)
	made(enginetest.Deposit(common.Address{0xd0}, &abi.Address, ether(3), ether(1), register(7), 1),
		enginetest.Deposit(common.Address{0xd1}, &abi.Address, ether(3), ether(1), []byte{1}, 2),
		w.op(0, nil, respond(id(2, 2), vm.OK)), w.op(1, nil, respond(id(2, 1), vm.OK)), w.tx(5, abi.MessagePasserAddress, ether(3), nil))
	for range 4 { // the two short ones time out
		made(w.op(0, nil, (&abi.HeartbeatCall{}).Encode()))
	}
	for i := range 30 { // many deadlines, in two waves, some answered in time
		w.block(w.op(2, price, invoke(byte(100+i), callee, uint32(40+i%3))))
	}
	made(w.op(0, nil, respond(id(2, 100), vm.OK)), w.op(0, nil, respond(id(2, 129), vm.Error)))
	for swept < 20 {
		made(w.op(0, nil, (&abi.HeartbeatCall{}).Encode()))
	}
	made(w.op(1, nil, (&abi.DeregisterCall{}).Encode()))
	for _, o := range []vm.Outcome{vm.Void, vm.Failed, vm.Succeeded} {
		require.Positive(t, outcomes[o], "%s", o)
	}
	require.GreaterOrEqual(t, swept, 20)
	require.Equal(t, 3, messages)

	// A block that is built but not adopted must not shine through; and the past must not have changed.
	_, err := w.Start(w.Attributes(w.Driver.Head(), true, w.op(0, nil, (&abi.HeartbeatCall{}).Encode())))
	require.NoError(t, err)
	for _, a := range answers {
		again, err := askWitness(c, a.BlockNumber)
		require.NoError(t, err)
		require.Equal(t, a, again)
	}
}

// TestBlockWitnessRefusals: blocks of which there is none.
func TestBlockWitnessRefusals(t *testing.T) {
	w, c := servedWorld(t, 1, 4)
	for range 3 {
		w.block()
	}
	gone := w.Driver.Head()
	require.NoError(t, w.SetHead(gone.ParentHash))
	w.BlockTime = 2
	w.block()
	for at, text := range map[string]string{
		"0x0": "genesis", "0x99": "header not found", gone.Hash().Hex(): "not currently canonical", common.Hash{1}.Hex(): "header for hash not found",
	} {
		_, err := askWitness(c, at)
		require.ErrorContains(t, err, text)
	}
	for range 8 {
		w.block()
	}
	head := w.Driver.Head().Hash()
	require.NoError(t, w.SetLabels(head, head, head))
	_, err := askWitness(c, "0x1")
	require.ErrorContains(t, err, "pruned")
	a, err := askWitness(c, "latest")
	require.NoError(t, err)
	reexecute(t, a.Witness)
}

// TestWitnessMutations: whatever is changed in a witness that is still well-formed, Verify refuses it.
func TestWitnessMutations(t *testing.T) {
	w, c := servedWorld(t, 3, 64)
	w.block(w.op(0, ether(1), register(1e15)))
	opening := []*types.Transaction{w.op(1, big.NewInt(1e15), invoke(1, enginetest.Address(0), 60))}
	for range 60 { // a trie with more than one level
		opening = append(opening, w.tx(2, abi.MessagePasserAddress, ether(1), nil))
	}
	w.block(opening...)
	w.block(w.tx(2, abi.MessagePasserAddress, ether(1), nil), w.op(0, nil, respond(vm.InteractionID(enginetest.Address(1), common.Hash{1}), vm.OK)))
	a, err := askWitness(c, "latest")
	require.NoError(t, err)
	absent := -1
	for name, spoil := range map[string]func(b *witness.Block){
		"other parent":           func(b *witness.Block) { b.Parent.Time++ },
		"other number":           func(b *witness.Block) { b.Header.Number = big.NewInt(9) },
		"other transaction":      func(b *witness.Block) { b.Txs[1][10] ^= 1 },
		"transaction missing":    func(b *witness.Block) { b.Txs = b.Txs[:2] },
		"record changed":         func(b *witness.Block) { b.Records[0].Value[0] ^= 1 },
		"record said absent":     func(b *witness.Block) { b.Records[0].Value = nil },
		"record invented":        func(b *witness.Block) { b.Records[absent].Value = []byte{1} },
		"record of no bytes":     func(b *witness.Block) { b.Records[absent].Value = []byte{} },
		"key without a path":     func(b *witness.Block) { b.Records[0].Key[5] ^= 1 },
		"multiproof changed":     func(b *witness.Block) { b.Multiproof[len(b.Multiproof)-1] ^= 1 },
		"multiproof missing":     func(b *witness.Block) { b.Multiproof = nil },
		"passer's root missing":  func(b *witness.Block) { b.PasserNodes = b.PasserNodes[1:] },
		"passer's node changed":  func(b *witness.Block) { b.PasserNodes[0][3] ^= 1 },
		"passer's node repeated": func(b *witness.Block) { b.PasserNodes = append(b.PasserNodes, b.PasserNodes[0]) },
	} {
		b, err := witness.Decode(a.Witness)
		require.NoError(t, err)
		require.NoError(t, b.Verify())
		require.GreaterOrEqual(t, len(b.PasserNodes), 2)
		require.NotNil(t, b.Records[0].Value)
		for i, r := range b.Records {
			if r.Value == nil {
				absent = i
			}
		}
		require.GreaterOrEqual(t, absent, 0)
		spoil(b)
		require.Error(t, b.Verify(), name)
	}
	b, err := witness.Decode(a.Witness)
	require.NoError(t, err)
	s, err := b.Open()
	require.NoError(t, err)
	require.PanicsWithError(t, fmt.Sprintf("%v: record %v", witness.ErrMissing, record.Key{1, 2, 3}), func() { s.Get(record.Key{1, 2, 3}) })
}

// BenchmarkBlockWitness: a block of 20,000 operations, as the head and ten blocks deep.
func BenchmarkBlockWitness(b *testing.B) {
	const callers = 10_000
	w, c := servedWorld(b, callers+1, 64)
	require.Equal(b, types.ReceiptStatusSuccessful, w.block(w.op(callers, ether(1), register(1)))[1].Status)
	callee := enginetest.Address(callers)
	full := func(from, to int) []*types.Transaction {
		var txs []*types.Transaction
		for i := from; i < to; i++ {
			txs = append(txs, w.op(i, big.NewInt(1), invoke(1, callee, 500)))
		}
		return txs
	}
	w.GasLimit = 30_000_000_000 // not filled: every transaction allows for a million
	for i, rc := range w.block(full(0, callers)...) {
		require.Equal(b, types.ReceiptStatusSuccessful, rc.Status, "%d: gas used %d", i, rc.GasUsed)
	}
	txs := make([]*types.Transaction, 0, 2*callers)
	for i := range callers {
		txs = append(txs, w.op(callers, nil, respond(vm.InteractionID(enginetest.Address(i), common.Hash{1}), vm.OK)))
	}
	for i := range callers {
		txs = append(txs, w.op(i, big.NewInt(1), invoke(2, callee, 500)))
	}
	w.block(txs...)
	at := w.Driver.Head().Hash()
	ask := func(b *testing.B) {
		for b.Loop() {
			a, err := askWitness(c, at)
			require.NoError(b, err)
			b.ReportMetric(float64(len(a.Witness)), "bytes")
		}
	}
	b.Run("head", ask)
	for range 3 {
		w.block()
	}
	b.Run("history", ask)
	a, err := askWitness(c, at)
	require.NoError(b, err)
	began := time.Now()
	x, err := witness.Decode(a.Witness)
	require.NoError(b, err)
	decoded := time.Now()
	_, err = x.Open()
	require.NoError(b, err)
	b.Logf("decode %v, verify %v, %d records, multiproof %d bytes", decoded.Sub(began), time.Since(decoded), len(x.Records), len(x.Multiproof))
	_, e := reexecute(b, a.Witness)
	for _, r := range e.Results {
		require.Equal(b, vm.Succeeded, r.Outcome, "%v", r.Revert)
	}
}
