package ethapi

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/record"
)

func TestIdentityRegistryViews(t *testing.T) {
	x := newTestAPI(t, nil)
	wallet := common.Address{9}
	x.chain.extend(payload{set: map[record.Key][]byte{
		record.AgentKey(bob):         (&record.Agent{Status: 2, Owner: alice, Ownership: 1}).Encode(),
		record.AgentURIKey(bob):      (&record.AgentURI{Uri: "ipfs://bob"}).Encode(),
		record.WalletKey(bob):        (&record.Wallet{Ownership: 1, Wallet: wallet}).Encode(),
		record.MetadataKey(bob, "k"): (&record.Metadata{Key: "k", Value: []byte("v")}).Encode(),
		record.HoldingKey(alice):     (&record.Holding{Agents: 3}).Encode(),
	}})
	ask := func(c interface{ Encode() []byte }) []byte {
		return call(t, x, abi.IdentityRegistryAddress, c.Encode())
	}
	id := erc8004.AgentID(bob)
	require.Equal(t, (&erc8004.OwnerOfReturn{Ret0: alice}).Encode(), ask(&erc8004.OwnerOfCall{TokenId: id}))
	require.Equal(t, (&erc8004.BalanceOfReturn{Ret0: *uint256.NewInt(3)}).Encode(), ask(&erc8004.BalanceOfCall{Owner: alice}))
	require.Equal(t, new(erc8004.BalanceOfReturn).Encode(), ask(&erc8004.BalanceOfCall{Owner: bob}))
	require.Equal(t, (&erc8004.TokenURIReturn{Ret0: "ipfs://bob"}).Encode(), ask(&erc8004.TokenURICall{TokenId: id}))
	require.Equal(t, (&erc8004.GetAgentWalletReturn{Ret0: wallet}).Encode(), ask(&erc8004.GetAgentWalletCall{AgentId: id}))
	for key, want := range map[string][]byte{"k": []byte("v"), "none": nil, "agentWallet": wallet[:]} {
		require.Equal(t, (&erc8004.GetMetadataReturn{Ret0: want}).Encode(), ask(&erc8004.GetMetadataCall{AgentId: id, MetadataKey: key}))
	}
	require.Equal(t, new(erc8004.GetApprovedReturn).Encode(), ask(&erc8004.GetApprovedCall{TokenId: id}))
	require.Equal(t, new(erc8004.IsApprovedForAllReturn).Encode(), ask(&erc8004.IsApprovedForAllCall{Owner: alice, Operator: bob}))
	for who, want := range map[common.Address]bool{alice: true, bob: false} {
		require.Equal(t, (&erc8004.IsAuthorizedOrOwnerReturn{Ret0: want}).Encode(), ask(&erc8004.IsAuthorizedOrOwnerCall{Spender: who, AgentId: id}))
	}
	require.Equal(t, (&erc8004.NameReturn{Ret0: "AgentIdentity"}).Encode(), ask(new(erc8004.NameCall)))
	require.Equal(t, (&erc8004.SymbolReturn{Ret0: "AGENT"}).Encode(), ask(new(erc8004.SymbolCall)))
	require.Equal(t, (&erc8004.GetVersionReturn{Ret0: "2.0.0"}).Encode(), ask(new(erc8004.GetVersionCall)))
	for interfaceID, want := range map[[4]byte]bool{{0x80, 0xac, 0x58, 0xcd}: true, {0xff, 0xff, 0xff, 0xff}: false} {
		require.Equal(t, (&erc8004.SupportsInterfaceReturn{Ret0: want}).Encode(), ask(&erc8004.SupportsInterfaceCall{InterfaceId: interfaceID}))
	}

	ask2 := func(c interface{ Encode() []byte }) abi.Revert {
		return reverted(t, x, "eth_call", map[string]any{"to": abi.IdentityRegistryAddress, "data": hexutil.Bytes(c.Encode())})
	}
	require.Equal(t, &abi.NotRegistered{Agent: nobody}, ask2(&erc8004.OwnerOfCall{TokenId: erc8004.AgentID(nobody)}))
	require.Equal(t, &abi.FieldOutOfRange{Field: "agentId"}, ask2(&erc8004.GetAgentWalletCall{AgentId: *new(uint256.Int).SetAllOne()}))
	require.Equal(t, hexutil.Bytes{0xfe}, get[hexutil.Bytes](t, x, "eth_getCode", abi.IdentityRegistryAddress, "latest"))
}
