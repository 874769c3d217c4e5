package client

import (
	"bytes"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

func sampleCall(n byte) Call {
	return Call{Callee: common.Address{n}, Capability: "work", Template: []byte{n}, PaymentWei: big.NewInt(10), TTL: 3 * time.Second}
}

func TestCompositionGraph(t *testing.T) {
	b := NewComposition(CompositionOptions{Atomic: true, TTL: 100*time.Second - 1}).
		Call("a", sampleCall(1)).
		Call("b", sampleCall(2).After("a").Repeat("a", 3, 7)).
		Call("c", sampleCall(3).After("b").If("b", 1)).
		Call("d", sampleCall(4).After("b").After("a", "c").Unless("c", 2))
	call, value, err := b.encode()
	require.NoError(t, err)
	require.Equal(t, int64(30+30+10+10), value.Int64())
	require.Equal(t, uint32(100), call.TtlSeconds)
	require.Equal(t, 2, b.Index("c"))
	masks := []uint32{0, 1, 2, 7}
	for i, x := range call.Constituents {
		require.Equal(t, masks[i], x.DependsOn, "constituent %d", i)
		require.Equal(t, keccak([]byte{byte(i + 1)}), x.Template)
	}
	require.Equal(t, []any{uint8(0), uint8(3), uint32(7)}, []any{call.Constituents[1].LoopFrom, call.Constituents[1].MaxIterations, call.Constituents[1].LoopBranch})
	require.Equal(t, []any{uint8(1), uint8(1), uint16(1)}, []any{call.Constituents[2].Guard, call.Constituents[2].GuardOn, call.Constituents[2].GuardBranch})
	require.Equal(t, []any{uint8(2), uint8(2), uint16(2)}, []any{call.Constituents[3].Guard, call.Constituents[3].GuardOn, call.Constituents[3].GuardBranch})
	for _, bad := range []Call{sampleCall(1).After("later"), sampleCall(1).After("x"), sampleCall(1).If("x", 0), sampleCall(1).Repeat("y", 2, 0), {PaymentWei: big.NewInt(-1)}, {TTL: -time.Hour}} {
		_, _, err := NewComposition(CompositionOptions{}).Call("x", bad).encode()
		require.Error(t, err)
	}
}

// fakeRecords answers agnt2_getRecord.
type fakeRecords struct{ records map[common.Hash][]byte }

func (f *fakeRecords) GetRecord(key common.Hash, _ *rpc.BlockNumberOrHash) map[string]any {
	b, ok := f.records[key]
	if !ok {
		return map[string]any{"value": nil}
	}
	return map[string]any{"value": hexutil.Bytes(b)}
}

func TestComposeAnswerOpen(t *testing.T) {
	node := newFakeNode(t)
	store, da := newFakePayloads(t)
	c := dialFake(t, node.httpURL(), da)
	ctx := testContext(t)
	composition, err := c.Account(testKey(t, "initiator")).Compose(ctx, NewComposition(CompositionOptions{Atomic: true, TTL: time.Minute}).
		Call("a", sampleCall(1)).Call("b", sampleCall(2).After("a")))
	require.NoError(t, err)
	require.Equal(t, uint64(20), composition.Event.TotalWei.Uint64())
	require.Contains(t, store.stored, keccak([]byte{2}), "templates are stored")

	first, second := common.Hash{1}, common.Hash{2}
	view := abi.CompositionView{Status: uint8(CompositionActive), Atomic: true, Constituents: []abi.ConstituentView{
		{InteractionId: first}, {InteractionId: second, DependsOn: 1},
	}}
	input := common.Hash{9}
	node.view = func(data []byte) ([]byte, error) {
		if bytes.HasPrefix(data, abi.GetCompositionSelector[:]) {
			return (&abi.GetCompositionReturn{Ret0: view}).Encode(), nil
		}
		return (&abi.GetInteractionReturn{Ret0: abi.InteractionView{
			Status: uint8(InteractionPending), CompositionId: composition.ID, ParamsHash: vm.FoldInput(common.Hash{5}, input),
		}}).Encode(), nil
	}
	callee := c.Account(testKey(t, "callee"))
	answer, err := callee.Answer(ctx, first, []byte("result"), 3)
	require.NoError(t, err)
	require.True(t, answer.Opened, "others need it")
	require.Len(t, answer.Receipts, 2)
	respond, err := abi.DecodeRespondCall(node.order[1].Data()[4:])
	require.NoError(t, err)
	require.Equal(t, vm.ResultCommitment(keccak([]byte("result")), answer.Salt), respond.ResultHash)
	require.Equal(t, respond.ResultHash, respond.Da.ContentHash)
	require.Zero(t, respond.Branch)
	open, err := abi.DecodeOpenResultCall(node.order[2].Data()[4:])
	require.NoError(t, err)
	require.Equal(t, abi.OpenResultCall{Id: first, ResultHash: keccak([]byte("result")), Branch: 3, Salt: answer.Salt}, open)

	answer, err = callee.Answer(ctx, second, []byte("leaf"), 0)
	require.NoError(t, err)
	require.False(t, answer.Opened, "nobody needs it before the commit")
	require.NoError(t, callee.Open(ctx, answer))
	require.True(t, answer.Opened)
	_, err = callee.Answer(ctx, common.Hash{3}, nil, 0)
	require.ErrorIs(t, err, ErrNotConstituent)
	view.Atomic = false
	answer, err = callee.Answer(ctx, first, []byte("plain"), 4)
	require.NoError(t, err)
	require.True(t, answer.Opened)
	require.Zero(t, answer.Salt)

	server := &fakeRecords{map[common.Hash][]byte{
		common.Hash(record.ConstituentKey(composition.ID, 0)): (&record.Constituent{ResultHash: input}).Encode(),
		common.Hash(record.ConstituentKey(composition.ID, 1)): (&record.Constituent{Template: common.Hash{5}, DependsOn: 1, Iteration: 1}).Encode(),
	}}
	require.NoError(t, node.server.RegisterName("agnt2", server))
	template, results, err := c.Inputs(ctx, second)
	require.NoError(t, err)
	require.Equal(t, common.Hash{5}, template)
	require.Equal(t, []common.Hash{input}, results)
	input = common.Hash{8}
	_, _, err = c.Inputs(ctx, second)
	require.ErrorIs(t, err, ErrInputs)

	node.emit((&abi.CompositionEndedEvent{Id: composition.ID, Status: uint8(CompositionCommitted)}).Log(abi.Address))
	view.Status = uint8(CompositionCommitted)
	got, err := composition.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, CompositionCommitted, CompositionStatus(got.Status))
	_, err = callee.Cancel(ctx, first)
	require.NoError(t, err)
}
