package ethapi

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// TestCompositionViews: constituents have the fates that the masks say, and nothing tentative is shown before the commit.
func TestCompositionViews(t *testing.T) {
	x := newTestAPI(t, nil)
	id := vm.CompositionID(alice, common.Hash{7})
	call := vm.ConstituentID(id, 0, 1)
	c := record.Composition{
		Status: uint8(vm.CompositionActive), Initiator: alice, Atomic: true, Count: 5, CreatedAt: 1, Deadline: 99,
		EscrowWei: *uint256.NewInt(100), OwedWei: *uint256.NewInt(20), Done: 1, Active: 2, Skipped: 4, Opened: 1, Credited: 1,
		Edges: [20]uint64{0, 1, 1 | 1<<25 | 3<<32, 3, 3}, Branches: [20]uint32{9},
	}
	set := map[record.Key][]byte{}
	for i := range c.Count {
		k := record.Constituent{Callee: bob, PaymentWei: *uint256.NewInt(20), DependsOn: uint32(c.Edges[i] & 0xfffff)}
		if i == 0 {
			k.Iteration, k.InteractionId, k.ResultHash = 1, call, common.Hash{3}
		}
		set[record.ConstituentKey(id, i)] = k.Encode()
	}
	act := record.Interaction{
		Status: uint8(vm.Opened), Caller: alice, Callee: bob, ResultHash: common.Hash{3}, Branch: 9, CompositionId: id, Constituent: 1 | 1<<5 | 1<<7,
	}
	set[record.InteractionKey(call)] = act.Encode()
	with := func(change func()) {
		change()
		set[record.CompositionKey(id)] = c.Encode()
		x.chain.extend(payload{set: set})
		set = map[record.Key][]byte{}
	}
	view := func() abi.CompositionView {
		v, err := abi.DecodeGetCompositionReturn(callView(t, x, (&abi.GetCompositionCall{Id: id}).Encode()))
		require.NoError(t, err)
		info := get[*CompositionInfo](t, x, "agnt2_getComposition", id, "latest")
		require.Equal(t, statusName(compositionStatus, v.Ret0.Status), info.Status)
		require.Len(t, info.Constituents, len(v.Ret0.Constituents))
		for i, k := range info.Constituents {
			require.Equal(t, v.Ret0.Constituents[i].ResultHash, k.ResultHash)
			require.Equal(t, statusName(constituentStatus, v.Ret0.Constituents[i].Status), k.Status)
		}
		return v.Ret0
	}
	fates := func(v abi.CompositionView) (out []uint8) {
		for _, k := range v.Constituents {
			out = append(out, k.Status)
		}
		return out
	}
	interaction := func() abi.InteractionView {
		v, err := abi.DecodeGetInteractionReturn(callView(t, x, (&abi.GetInteractionCall{Id: call}).Encode()))
		require.NoError(t, err)
		info := get[*InteractionInfo](t, x, "agnt2_getInteraction", call, "latest")
		require.Equal(t, statusName(interactionStatus, v.Ret0.Status), info.Status)
		require.Equal(t, v.Ret0.ResultHash, info.ResultHash)
		return v.Ret0
	}

	with(func() {})
	v := view()
	require.Equal(t, []uint8{constituentDone, constituentPending, constituentSkipped, constituentWaiting, constituentWaiting}, fates(v))
	require.Zero(t, v.Constituents[0].ResultHash)
	require.Zero(t, v.Constituents[0].Branch)
	require.Equal(t, call, v.Constituents[0].InteractionId)
	require.Equal(t, []any{uint8(vm.GuardEquals), uint8(0), uint16(3)}, []any{v.Constituents[2].Guard, v.Constituents[2].GuardOn, v.Constituents[2].GuardBranch})
	i := interaction()
	require.Equal(t, uint8(vm.Tentative), i.Status)
	require.Zero(t, i.ResultHash)
	require.Zero(t, i.Branch)

	with(func() { c.Status, c.Active, c.Done, c.Paid = uint8(vm.CompositionCommitted), 0, 27, 1 })
	v = view()
	require.Equal(t, []uint8{constituentSettled, constituentDone, constituentSkipped, constituentDone, constituentDone}, fates(v))
	require.Equal(t, common.Hash{3}, v.Constituents[0].ResultHash)
	require.Equal(t, uint32(9), v.Constituents[0].Branch)
	i = interaction()
	require.Equal(t, uint8(vm.Completed), i.Status)
	require.Equal(t, common.Hash{3}, i.ResultHash)

	with(func() { c.Status, c.Done, c.Paid, c.Culprit = uint8(vm.CompositionReverted), 1, 31, bob })
	v = view()
	require.Equal(t, bob, v.Culprit)
	require.Equal(t, []uint8{constituentFailed, constituentFailed, constituentSkipped, constituentFailed, constituentFailed}, fates(v))
	require.Zero(t, v.Constituents[0].ResultHash)
	i = interaction()
	require.Equal(t, uint8(vm.Reverted), i.Status)
	require.Zero(t, i.ResultHash)

	with(func() {
		c.Atomic, c.Status, c.Done, c.Failed, c.Paid = false, uint8(vm.CompositionSettled), 1, 26, 0
	})
	v = view()
	require.Equal(t, []uint8{constituentSettled, constituentFailed, constituentSkipped, constituentFailed, constituentFailed}, fates(v))
	require.Equal(t, common.Hash{3}, v.Constituents[0].ResultHash)

	require.Nil(t, get[*CompositionInfo](t, x, "agnt2_getComposition", common.Hash{1}, "latest"))
	none, err := abi.DecodeGetCompositionReturn(callView(t, x, (&abi.GetCompositionCall{}).Encode()))
	require.NoError(t, err)
	require.Zero(t, none.Ret0.Status)
	out := callView(t, x, (&abi.CompositionIdCall{Initiator: alice, Salt: common.Hash{7}}).Encode())
	require.Equal(t, id[:], []byte(out))
}

func callView(t *testing.T, x *testAPI, data []byte) []byte { return call(t, x, abi.Address, data) }

// TestPrunedComposition: what the history has of its constituents; nothing before there is a history.
func TestPrunedComposition(t *testing.T) {
	x := newTestAPI(t, nil)
	id := vm.CompositionID(alice, common.Hash{7})
	call := func(index, iteration uint8, status vm.InteractionStatus) common.Hash {
		of := vm.ConstituentID(id, index, iteration)
		i := record.Interaction{
			Status: uint8(status), Caller: alice, Callee: bob, PaymentWei: *uint256.NewInt(20), Branch: uint32(iteration), CompositionId: id, Constituent: 1 + index | 1<<7,
		}
		x.chain.history[of] = i.Encode()
		return of
	}
	x.chain.history = map[common.Hash][]byte{}
	call(0, 1, vm.Completed)
	last := call(0, 2, vm.Completed)
	call(2, 1, vm.TimedOut)
	require.Nil(t, get[*CompositionInfo](t, x, "agnt2_getComposition", id, "latest"))
	x.chain.extend(payload{set: map[record.Key][]byte{record.HistoryKey: (&record.History{Count: 1, Peaks: []common.Hash{{1}}}).Encode()}})
	require.Nil(t, get[*CompositionInfo](t, x, "agnt2_getComposition", common.Hash{1}, "latest"))
	got := get[*CompositionInfo](t, x, "agnt2_getComposition", id, "latest")
	require.Equal(t, statusPruned, got.Status)
	require.Equal(t, alice, got.Initiator)
	require.True(t, got.Atomic)
	require.Len(t, got.Constituents, 3)
	require.Equal(t, last, got.Constituents[0].InteractionID)
	for i, status := range []string{"settled", statusPruned, "failed"} {
		require.Equal(t, status, got.Constituents[i].Status)
	}
}
