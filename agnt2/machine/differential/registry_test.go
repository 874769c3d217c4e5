package differential

import (
	"math"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// registry takes every way of a write to the Identity registry. "seller" is an agent, and "owner" owns another.
func (s *scenario) registry() {
	t := s.t
	owned := vm.OwnedAgent(address("owner"), 7)
	seller, owner, token := address("seller"), address("owner"), address("token")
	s.fund(token, uint256.NewInt(50_000_000_000))
	write := func(from string, c call, change ...func(*abi.Transaction)) {
		s.tx(from, &abi.IdentityRegistryAddress, 0, c.Encode(), change...)
		require.NoError(t, s.void)
		require.False(t, s.op.Failed, "%T failed: %v", c, s.seen)
	}
	fails := func(way, from string, c call, change ...func(*abi.Transaction)) {
		s.failsRaw(way, from, &abi.IdentityRegistryAddress, 0, c.Encode(), change...)
	}
	holds := func(who common.Address, n uint64) {
		h, err := record.DecodeHolding(s.records[record.HoldingKey(who)])
		require.NoError(t, err)
		require.Equal(t, n, h.Agents)
	}
	id := erc8004.AgentID(seller)
	s.open(1)
	uri := &erc8004.SetAgentURICall{AgentId: id, NewURI: "u"}
	fails("registry OutOfGas", "seller", uri, gasLimit(5000))
	for _, data := range [][]byte{nil, {1, 2, 3}, {1, 2, 3, 4}, new(abi.HeartbeatCall).Encode(), (&erc8004.OwnerOfCall{TokenId: id}).Encode(), make([]byte, 90_000)} {
		s.failsRaw("registry UnknownOperation", "seller", &abi.IdentityRegistryAddress, 0, data)
	}
	s.failsRaw("registry ValueNotAccepted", "seller", &abi.IdentityRegistryAddress, 1, uri.Encode())
	s.failsRaw("registry MalformedCalldata", "seller", &abi.IdentityRegistryAddress, 0, append(uri.Encode(), 0))
	s.failsRaw("registry MalformedCalldata", "seller", &abi.IdentityRegistryAddress, 0, append(new(erc8004.RegisterCall).Encode(), 0))
	fails("registry FieldOutOfRange agentId", "seller", &erc8004.SetAgentURICall{AgentId: *new(uint256.Int).SetAllOne()})
	fails("actKey NotAuthorized", "stranger", uri)
	write("seller", uri)
	write("seller", uri, deposit)
	write("seller", &erc8004.SetMetadataCall{AgentId: id, MetadataKey: "k", MetadataValue: []byte("v")})
	fails("setMetadata FieldOutOfRange key", "seller", &erc8004.SetMetadataCall{AgentId: id, MetadataKey: "agentWallet"})
	// By the owner.
	ownedID := erc8004.AgentID(owned)
	write("owner", &erc8004.SetAgentURICall{AgentId: ownedID, NewURI: strings.Repeat("x", 512)})
	write("owner", &erc8004.SetMetadataCall{AgentId: ownedID, MetadataKey: "k"})
	w := vm.WalletConsent{Agent: owned, Wallet: address("key"), Owner: owner, Deadline: s.time + 3}
	digest := w.Digest(stepsChainID)
	sig, err := crypto.Sign(digest[:], key("key"))
	require.NoError(t, err)
	sig[64] += 27
	wallet := &erc8004.SetAgentWalletCall{AgentId: ownedID, NewWallet: w.Wallet, Deadline: *uint256.NewInt(w.Deadline), Signature: sig}
	write("owner", wallet)
	late := *wallet
	late.Deadline = *new(uint256.Int).Lsh(uint256.NewInt(w.Deadline), 64)
	fails("setAgentWallet FieldOutOfRange deadline", "owner", &late)
	write("owner", &erc8004.UnsetAgentWalletCall{AgentId: ownedID})
	write("seller", &erc8004.UnsetAgentWalletCall{AgentId: id})
	// Transfers.
	holds(owner, 2)
	holds(seller, 1)
	fails("registry NotAuthorized", "stranger", &erc8004.TransferFromCall{From: owner, To: seller, TokenId: ownedID})
	fails("actKey NotAuthorized", "stranger", &erc8004.TransferFromCall{From: address("stranger"), To: seller, TokenId: ownedID})
	fails("transferOwnership FieldOutOfRange newOwner", "owner", &erc8004.TransferFromCall{From: owner, TokenId: ownedID})
	write("owner", &erc8004.TransferFromCall{From: owner, To: seller, TokenId: ownedID})
	holds(owner, 1)
	holds(seller, 2)
	write("seller", &erc8004.SafeTransferFromCall{From: seller, To: owner, TokenId: ownedID})
	write("seller", &erc8004.SafeTransferFrom0Call{From: seller, To: owner, TokenId: id, Data: []byte{1}})
	holds(owner, 3)
	holds(seller, 0)
	s.failsRaw("dispatch AccountDelegated", "seller", &abi.IdentityRegistryAddress, 0, uri.Encode(), deposit)
	write("owner", &erc8004.TransferFromCall{From: owner, To: seller, TokenId: id})
	// Registrations.
	s.failsRaw("registerAgent StakeBelowMinimum", "token", &abi.IdentityRegistryAddress, 99, new(erc8004.RegisterCall).Encode())
	s.tx("token", &abi.IdentityRegistryAddress, 100, (&erc8004.Register0Call{
		AgentURI: "u", Metadata: []erc8004.MetadataEntry{{MetadataKey: "a", MetadataValue: []byte("v")}, {MetadataKey: "b"}},
	}).Encode())
	require.False(t, s.op.Failed)
	holds(token, 1)
	fails("registerAgent AlreadyRegistered", "token", new(erc8004.RegisterCall))
	for name, c := range map[string]call{"t1": new(erc8004.RegisterCall), "t2": &erc8004.Register1Call{AgentURI: "ipfs://x"}} {
		s.fund(address(name), uint256.NewInt(50_000_000_000))
		s.state.Root = s.tree.Root()
		s.tx(name, &abi.IdentityRegistryAddress, 100, c.Encode())
		require.False(t, s.op.Failed)
		holds(address(name), 1)
	}
	// An agent that registers again stays whose it is.
	lone := vm.OwnedAgent(owner, math.MaxUint64)
	s.do("owner", 0, actFor(lone, 0, &abi.DeregisterCall{}))
	s.do("owner", 0, actFor(lone, 0, &abi.RegisterCall{Name: "n", Metadata: []abi.MetadataEntry{{Key: "k"}}}))
	holds(owner, 2)
	s.seal()
}
