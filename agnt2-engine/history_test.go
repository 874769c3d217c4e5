package engine_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2-engine/ethapi"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

func (w *world) registered(i int) *types.Transaction {
	return w.tx(i, abi.Address, big.NewInt(1e16), (&abi.RegisterCall{Name: "n", Capabilities: []abi.Capability{{Name: "x"}}}).Encode())
}

func (w *world) invoke(from, to int, salt byte) (*types.Transaction, common.Hash) {
	c := &abi.InvokeCall{Salt: common.Hash{salt}, Callee: enginetest.Address(to), Capability: vm.CapabilityID("x"), TtlSeconds: 60}
	return w.tx(from, abi.Address, big.NewInt(7), c.Encode()), vm.InteractionID(enginetest.Address(from), c.Salt)
}

func (w *world) answer(from int, id common.Hash) *types.Transaction {
	return w.tx(from, abi.Address, nil, (&abi.RespondCall{Id: id, Status: uint8(vm.Error)}).Encode())
}

// TestHistoryProofs: a pruned interaction is proven against the state root alone, before and after reorgs.
func TestHistoryProofs(t *testing.T) {
	w, c := servedWorld(t, 3, 200)
	w.block(w.registered(1))
	var ids []common.Hash
	open := func(salt byte) {
		call, id := w.invoke(0, 1, salt)
		ids = append(ids, id)
		w.block(call)
		w.block(w.answer(1, id))
	}
	for i := range byte(5) {
		open(i)
	}
	ask := func(id common.Hash) (p *ethapi.HistoryProof, err error) {
		err = c.CallContext(context.Background(), &p, "agnt2_getHistoryProof", id, "latest")
		return p, err
	}
	_, err := ask(ids[0])
	require.ErrorContains(t, err, "not in the history")
	pass := func() { // everything so far leaves the state
		until := w.Driver.Head().Time + 62
		for w.Driver.Head().Time < until {
			w.block()
		}
	}
	base := w.Driver.Head().Hash()
	verify := func(id common.Hash, index uint64) {
		t.Helper()
		p, err := ask(id)
		require.NoError(t, err)
		require.Equal(t, w.Driver.Head().Root, p.History.StateRoot)
		proof, err := trie.DecodeProof(p.History.Proof)
		require.NoError(t, err)
		h := trie.HashRecord(*p.History.Value)
		require.NoError(t, trie.VerifyInclusion(p.History.StateRoot, trie.Key(record.HistoryKey), h, proof))
		require.NoError(t, history.VerifyInteraction(*p.History.Value, id, p.Record, uint64(p.Index), p.Path))
		require.Equal(t, index, uint64(p.Index))
		i, err := record.DecodeInteraction(p.Record)
		require.NoError(t, err)
		require.Equal(t, uint8(vm.Errored), i.Status)
		require.Nil(t, w.view(w.Driver.Head().Hash(), record.InteractionKey(id)))
	}
	pass()
	for i, id := range ids {
		verify(id, uint64(i))
	}
	a := w.Driver.Head().Hash()
	// Another branch prunes the same interactions, then one more; and back.
	require.NoError(t, w.SetHead(base))
	w.nonces = map[int]uint64{0: 5, 1: 6}
	open(9)
	pass()
	verify(ids[5], 5)
	b := w.Driver.Head().Hash()
	for range 2 {
		require.NoError(t, w.SetHead(a))
		for i, id := range ids[:5] {
			verify(id, uint64(i))
		}
		_, err = ask(ids[5])
		require.ErrorContains(t, err, "not in the history")
		require.NoError(t, w.SetHead(b))
		for i, id := range ids {
			verify(id, uint64(i))
		}
	}
	// The same id once more: the last one is proven.
	call, id := w.invoke(0, 1, 0)
	w.block(call)
	w.block(w.answer(1, id))
	pass()
	verify(id, 6)
}

// TestInteractionsByAgent: pages, newest first, and reorgs.
func TestInteractionsByAgent(t *testing.T) {
	w, c := servedWorld(t, 3, 200)
	w.block(w.registered(1), w.registered(2))
	base := w.Driver.Head().Hash()
	var ids []common.Hash
	var txs []*types.Transaction
	for i := range byte(7) {
		tx, id := w.invoke(0, 1+int(i%2), i)
		txs, ids = append(txs, tx), append(ids, id)
	}
	w.block(txs[:3]...)
	w.block(txs[3:]...)
	list := func(agent int, role string, limit uint64) (out []common.Hash) {
		var cursor *hexutil.Bytes
		for {
			var page ethapi.AgentInteractions
			n := hexutil.Uint64(limit)
			require.NoError(t, c.CallContext(context.Background(), &page, "agnt2_getInteractionsByAgent", enginetest.Address(agent), role, cursor, n))
			require.LessOrEqual(t, len(page.Interactions), int(limit))
			for _, i := range page.Interactions {
				out = append(out, i.ID)
			}
			if cursor = page.Cursor; cursor == nil {
				return out
			}
		}
	}
	newest := func(want ...common.Hash) []common.Hash {
		var out []common.Hash
		for i := range want {
			out = append(out, want[len(want)-1-i])
		}
		return out
	}
	for limit := uint64(1); limit < 9; limit++ {
		require.Equal(t, newest(ids...), list(0, "caller", limit))
		require.Equal(t, newest(ids[0], ids[2], ids[4], ids[6]), list(1, "callee", limit))
		require.Empty(t, list(1, "caller", limit))
	}
	full := w.Driver.Head().Hash()
	require.NoError(t, w.SetHead(base))
	require.Empty(t, list(0, "caller", 3))
	w.block(txs[0])
	require.Equal(t, ids[:1], list(0, "caller", 3))
	require.NoError(t, w.SetHead(full))
	require.Equal(t, newest(ids...), list(0, "caller", 3))
	for _, bad := range [][]any{{enginetest.Address(0), "owner"}, {enginetest.Address(0), "caller", "0x00"}, {enginetest.Address(0), "caller", nil, "0x0"}, {enginetest.Address(0), "caller", nil, "0x65"}} {
		require.Error(t, c.CallContext(context.Background(), new(any), "agnt2_getInteractionsByAgent", bad...))
	}
}

// TestTraceTransaction: the micro-steps with their records, and the error's name.
func TestTraceTransaction(t *testing.T) {
	w, c := servedWorld(t, 3, 64)
	w.block(w.registered(1))
	call, id := w.invoke(0, 1, 1)
	again := w.tx(0, abi.Address, big.NewInt(7), call.Data())
	answer := w.answer(1, id)
	w.block(call, again, answer)
	trace := func(tx *types.Transaction) (out *ethapi.TransactionTrace) {
		require.NoError(t, c.CallContext(context.Background(), &out, "agnt2_traceTransaction", tx.Hash()))
		return out
	}
	names := func(tr *ethapi.TransactionTrace) (out []string) {
		for _, s := range tr.Steps {
			out = append(out, s.Step)
		}
		return out
	}
	ok := trace(call)
	require.Nil(t, ok.Error)
	require.Equal(t, hexutil.Bytes(id[:]), ok.Return)
	require.Equal(t, []string{"txBegin", "dispatch", "invokeArgs", "invokeCallee", "invokeReputation", "invokeCapability", "invokeInteraction", "invokeDeadline", "txEnd", "txBook"}, names(ok))
	made := ok.Steps[6]
	require.Equal(t, "interactions", *made.Namespace)
	require.Nil(t, made.Before)
	require.Equal(t, "0x1", made.After["status"])
	require.Nil(t, ok.Steps[1].Key)
	bad := trace(again)
	require.Equal(t, "DuplicateInteraction", *bad.Error)
	require.Equal(t, []byte(*bad.ErrorData), (&abi.DuplicateInteraction{Id: id}).Encode())
	require.Contains(t, names(bad), "txUndo")
	settled := trace(answer)
	require.Contains(t, names(settled), "respondReputation")
	for _, s := range settled.Steps {
		if s.Step == "respondInteraction" {
			require.Equal(t, "0x1", s.Before["status"])
			require.Equal(t, hexutil.EncodeUint64(uint64(vm.Errored)), s.After["status"])
		}
	}
	receipt := w.Node.Chain().Receipts(w.Driver.Head().Hash())[3]
	require.Equal(t, receipt.GasUsed, uint64(settled.GasUsed))
	var none *ethapi.TransactionTrace
	require.NoError(t, c.CallContext(context.Background(), &none, "agnt2_traceTransaction", common.Hash{1}))
	require.Nil(t, none)
}

// TestCompositionLeavesTheState: what it called is proven like any other interaction, and agnt2_getComposition says where it is.
func TestCompositionLeavesTheState(t *testing.T) {
	w, c := servedWorld(t, 3, 200)
	w.block(w.registered(1))
	call := &abi.ComposeCall{TtlSeconds: 60, Constituents: []abi.ConstituentSpec{{
		Callee: enginetest.Address(1), Capability: vm.CapabilityID("x"), PaymentWei: *uint256.NewInt(7), TtlSeconds: 20,
	}}}
	w.block(w.tx(0, abi.Address, big.NewInt(7), call.Encode()))
	id := vm.CompositionID(enginetest.Address(0), call.Salt)
	of := vm.ConstituentID(id, 0, 1)
	w.block()
	w.block(w.answer(1, of))
	ask := func() (info *ethapi.CompositionInfo) {
		require.NoError(t, c.CallContext(context.Background(), &info, "agnt2_getComposition", id, "latest"))
		return info
	}
	require.Equal(t, "settled", ask().Status)
	for until := w.Driver.Head().Time + 66; w.Driver.Head().Time < until; {
		w.block()
	}
	for _, k := range []record.Key{record.CompositionKey(id), record.ConstituentKey(id, 0), record.InteractionKey(of)} {
		require.Nil(t, w.view(w.Driver.Head().Hash(), k))
	}
	info := ask()
	require.Equal(t, "pruned", info.Status)
	require.Equal(t, of, info.Constituents[0].InteractionID)
	require.Equal(t, "failed", info.Constituents[0].Status)
	var p *ethapi.HistoryProof
	require.NoError(t, c.CallContext(context.Background(), &p, "agnt2_getHistoryProof", of, "latest"))
	require.NoError(t, history.VerifyInteraction(*p.History.Value, of, p.Record, uint64(p.Index), p.Path))
}
