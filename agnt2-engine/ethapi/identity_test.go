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

func TestIdentityViews(t *testing.T) {
	x := newTestAPI(t, nil)
	now := x.chain.head().Time()
	key := common.Address{9}
	agent := &record.Agent{Status: 1, Owner: alice, Ownership: 2, Name: "bob"}
	delegation := &record.Delegation{
		Ownership: 2, Expiry: now + 1000, SpendLimitWei: *uint256.NewInt(7), SpentWei: *uint256.NewInt(3),
		Operations: append(abi.InvokeSelector[:], abi.RespondSelector[:]...), Capabilities: inference[:],
	}
	session := &record.Session{Agent: bob, Peer: alice, ContextHash: common.Hash{1}, OpenedAt: 2, Expiry: 3, ClosedAt: 4}
	extend := func(changes map[record.Key][]byte) { x.chain.extend(payload{set: changes}) }
	extend(map[record.Key][]byte{
		record.AgentKey(bob):              agent.Encode(),
		record.AccountKey(bob):            (&record.Account{Roles: vm.RoleAgent, Owner: common.Address{8}}).Encode(),
		record.DelegationKey(bob, key):    delegation.Encode(),
		record.SessionKey(common.Hash{5}): session.Encode(),
	})
	getKey := func() abi.KeyView {
		out, err := abi.DecodeGetKeyReturn(call(t, x, abi.Address, (&abi.GetKeyCall{Agent: bob, Key: key}).Encode()))
		require.NoError(t, err)
		return out.Ret0
	}
	want := abi.KeyView{
		Active: true, Expiry: now + 1000, SpendLimitWei: *uint256.NewInt(7), SpentWei: *uint256.NewInt(3),
		Operations: [][4]byte{abi.InvokeSelector, abi.RespondSelector}, Capabilities: []common.Hash{inference},
	}
	require.Equal(t, want, getKey())
	delegation.Ownership = 1 // of an earlier owner
	extend(map[record.Key][]byte{record.DelegationKey(bob, key): delegation.Encode()})
	want.Active = false
	require.Equal(t, want, getKey())

	out, err := abi.DecodeGetSessionReturn(call(t, x, abi.Address, (&abi.GetSessionCall{Id: common.Hash{5}}).Encode()))
	require.NoError(t, err)
	require.Equal(t, abi.SessionView(*session), out.Ret0)
	owned, err := abi.DecodeAgentOfReturn(call(t, x, abi.Address, (&abi.AgentOfCall{Owner: alice, Index: 4}).Encode()))
	require.NoError(t, err)
	require.Equal(t, vm.OwnedAgent(alice, 4), owned.Ret0)

	// A wallet is the present owner's word.
	for _, c := range []struct {
		ownership uint32
		wallet    *record.Wallet
		want      common.Address
	}{
		{0, nil, alice}, {1, nil, common.Address{}}, {1, &record.Wallet{Wallet: key}, common.Address{}},
		{1, &record.Wallet{Ownership: 1, Wallet: key}, key}, {1, &record.Wallet{Ownership: 1}, common.Address{}},
	} {
		agent.Ownership = c.ownership
		changes := map[record.Key][]byte{record.AgentKey(bob): agent.Encode()}
		if c.wallet != nil {
			changes[record.WalletKey(bob)] = c.wallet.Encode()
		}
		extend(changes)
		info := get[AgentInfo](t, x, "agnt2_getAgent", bob, "latest")
		require.Equal(t, c.want, info.Wallet)
		require.Equal(t, alice, info.Owner)
		require.True(t, info.Delegated)
	}
}
