package differential

import (
	"bytes"
	"maps"
	"math"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

func init() {
	maps.Copy(operations, map[string]operation{
		"actFor":            operationOf(abi.DecodeActForCall),
		"authorizeKey":      operationOf(abi.DecodeAuthorizeKeyCall),
		"closeSession":      operationOf(abi.DecodeCloseSessionCall),
		"openSession":       operationOf(abi.DecodeOpenSessionCall),
		"pay":               operationOf(abi.DecodePayCall),
		"registerFor":       operationOf(abi.DecodeRegisterForCall),
		"revokeKey":         operationOf(abi.DecodeRevokeKeyCall),
		"setAgentURI":       operationOf(abi.DecodeSetAgentURICall),
		"setAgentWallet":    operationOf(abi.DecodeSetAgentWalletCall),
		"setMetadata":       operationOf(abi.DecodeSetMetadataCall),
		"transferOwnership": operationOf(abi.DecodeTransferOwnershipCall),
	})
}

// actFor wraps an operation.
func actFor(agent common.Address, value uint64, c call) *abi.ActForCall {
	return &abi.ActForCall{Agent: agent, ValueWei: *uint256.NewInt(value), Operation: c.Encode()}
}

// identity takes every way of acting for an agent, of keys, owners and what an agent says of itself. Agents are "seller", whose
// own key acts, and "owned", registered by "owner".
func (s *scenario) identity() {
	t := s.t
	for _, name := range []string{"owner", "seller", "key", "buyer", "stranger"} {
		s.fund(address(name), uint256.NewInt(50_000_000_000))
	}
	seller, key1, buyer := address("seller"), address("key"), address("buyer")
	owned := vm.OwnedAgent(address("owner"), 7)
	a := vm.CapabilityID("a")
	long := func(n int) string { return strings.Repeat("x", n) }
	heartbeat := &abi.HeartbeatCall{}
	authorize := func(change func(*abi.AuthorizeKeyCall)) *abi.AuthorizeKeyCall {
		c := &abi.AuthorizeKeyCall{Key: key1, Expiry: s.time + 100, SpendLimitWei: *uint256.NewInt(100)}
		change(c)
		return c
	}
	plain := func(*abi.AuthorizeKeyCall) {}

	s.open(1)
	// An owner registers further agents.
	registerFor := &abi.RegisterForCall{
		Index: 7, Name: "owned", Version: "1", AgentURI: "ipfs://" + long(50), ImageDigest: common.Hash{6},
		Capabilities: []abi.Capability{capability("a", 0)}, Metadata: []abi.MetadataEntry{{Key: "k", Value: []byte("v")}},
	}
	s.fails("registerFor OutOfGas", "owner", 200, registerFor, gasLimit(2000))
	s.fails("registerAgent StakeBelowMinimum", "owner", 99, registerFor)
	s.do("owner", 200, registerFor)
	acc := s.account(owned)
	require.Equal(t, uint64(200), acc.Stake.Uint64())
	require.Equal(t, address("owner"), acc.Owner)
	s.fails("registerAgent AlreadyRegistered", "owner", 200, registerFor)
	s.do("owner", 100, &abi.RegisterForCall{Index: math.MaxUint64, Name: "n"}, deposit) // nothing but itself

	// Acting.
	s.fails("actOperation OutOfGas", "owner", 0, actFor(owned, 0, heartbeat), gasLimit(2000))
	s.fails("actOperation FieldOutOfRange agent", "owner", 0, actFor(address("owner"), 0, heartbeat))
	for _, data := range [][]byte{nil, {1}, {1, 2, 3, 4}, actFor(owned, 0, heartbeat).Encode(), registerFor.Encode()} {
		s.fails("actOperation UnknownOperation", "owner", 0, &abi.ActForCall{Agent: owned, Operation: data})
	}
	s.fails("actOperation ValueNotAccepted", "owner", 0, actFor(owned, 1, heartbeat))
	s.fails("actOperation MalformedCalldata", "owner", 0, &abi.ActForCall{Agent: owned, Operation: append(heartbeat.Encode(), 0)})
	s.fails("actOperation UnknownOperation", "owner", 0, &abi.ActForCall{Agent: owned, Operation: make([]byte, 90_000)})
	s.fails("actAgent NotRegistered", "owner", 0, actFor(address("stranger"), 0, heartbeat))
	s.fails("actAccount InsufficientBalance", "owner", 0, actFor(owned, 1, &abi.PayCall{To: buyer}))
	s.do("owner", 0, actFor(owned, 0, heartbeat))
	s.do("owner", 0, actFor(owned, 0, heartbeat), deposit)
	s.fails("actKey NotAuthorized", "stranger", 0, actFor(owned, 0, heartbeat))
	s.do("buyer", 500, &abi.PayCall{To: owned})
	s.do("owner", 0, actFor(owned, 50, &abi.TopUpStakeCall{}))
	s.fails("heartbeat OutOfGas", "owner", 0, actFor(owned, 0, heartbeat), gasLimit(4+5*32+8000+5999))
	s.fails("pay OutOfGas", "owner", 0, actFor(owned, 5, &abi.PayCall{To: buyer}), gasLimit(4+6*32+8000+3999))
	for _, to := range []common.Address{abi.Address, abi.MessagePasserAddress} {
		s.fails("pay FieldOutOfRange to", "owner", 0, actFor(owned, 5, &abi.PayCall{To: to}))
	}
	s.do("owner", 0, actFor(owned, 5, &abi.PayCall{To: address("owner")}))
	s.do("owner", 0, actFor(owned, 5, &abi.PayCall{To: owned}))
	acc = s.account(owned)
	require.Equal(t, [2]uint64{445, 250}, [2]uint64{acc.Balance.Uint64(), acc.Stake.Uint64()})
	s.seal()

	s.open(1)
	// Keys.
	s.do("seller", 300, &abi.RegisterCall{Name: "seller", ImageDigest: common.Hash{6}, Capabilities: []abi.Capability{capability("a", 1), capability("b", 2)}})
	s.do("buyer", 100, &abi.RegisterCall{Name: "buyer"})
	s.fails("authorizeKey OutOfGas", "seller", 0, authorize(plain), gasLimit(5000))
	for field, change := range map[string]func(*abi.AuthorizeKeyCall){
		"key":          func(c *abi.AuthorizeKeyCall) { c.Key = seller },
		"expiry":       func(c *abi.AuthorizeKeyCall) { c.Expiry = s.time - 1 },
		"operations":   func(c *abi.AuthorizeKeyCall) { c.Operations = make([][4]byte, 17) },
		"capabilities": func(c *abi.AuthorizeKeyCall) { c.Capabilities = make([]common.Hash, 17) },
	} {
		s.fails("authorizeKey FieldOutOfRange "+field, "seller", 0, authorize(change))
	}
	s.fails("authorizeKey FieldOutOfRange key", "seller", 0, authorize(func(c *abi.AuthorizeKeyCall) { c.Key = common.Address{} }))
	s.fails("authorizeKey NotRegistered", "stranger", 0, authorize(plain))
	s.fails("revokeKey KeyUnknown", "seller", 0, &abi.RevokeKeyCall{Key: key1})
	s.fails("revokeKey OutOfGas", "seller", 0, &abi.RevokeKeyCall{Key: key1}, gasLimit(5000))
	s.do("seller", 0, authorize(func(c *abi.AuthorizeKeyCall) { // as much as a key can hold
		c.Expiry = s.time
		c.Operations, c.Capabilities = make([][4]byte, 16), make([]common.Hash, 16)
		c.Operations[15], c.Capabilities[15] = abi.InvokeSelector, a
		c.SpendLimitWei = *uint256.NewInt(40)
	}))
	salt := byte(100)
	invoke := func(capability common.Hash) *abi.InvokeCall {
		salt++
		return &abi.InvokeCall{
			Salt: common.Hash{salt}, Callee: owned, Capability: capability, ParamsHash: common.Hash{3}, TtlSeconds: 20,
			MaxPriceWei: *uint256.NewInt(20), Da: abi.DAPointer{ContentHash: common.Hash{3}},
		}
	}
	s.fails("actKey OperationNotAllowed", "key", 0, actFor(seller, 0, heartbeat))
	s.fails("actKey CapabilityNotAllowed", "key", 0, actFor(seller, 20, invoke(vm.CapabilityID("b"))))
	s.do("key", 0, actFor(seller, 20, invoke(a)))
	s.do("key", 0, actFor(seller, 20, invoke(a)), deposit)
	s.fails("actKey SpendLimitExceeded", "key", 0, actFor(seller, 20, invoke(a)))
	s.fails("actKey SpendLimitExceeded", "key", 0, &abi.ActForCall{Agent: seller, ValueWei: *new(uint256.Int).SetAllOne(), Operation: invoke(a).Encode()})
	require.Equal(t, uint32(2), s.account(seller).PendingInvokes)
	s.do("seller", 0, authorize(func(c *abi.AuthorizeKeyCall) { c.Capabilities = []common.Hash{a} }))
	s.fails("actKey OperationNotAllowed", "key", 0, actFor(seller, 0, heartbeat)) // capabilities alone: nothing but invoke
	s.do("seller", 0, authorize(plain))
	s.do("key", 0, actFor(seller, 0, heartbeat))
	for _, c := range []call{
		authorize(plain), &abi.RevokeKeyCall{Key: key1}, &abi.TransferOwnershipCall{NewOwner: key1}, &abi.SetAgentWalletCall{},
	} {
		s.fails("actKey OperationNotAllowed", "key", 0, actFor(seller, 0, c))
	}
	s.do("seller", 0, &abi.RevokeKeyCall{Key: key1})
	s.fails("actKey NotAuthorized", "key", 0, actFor(seller, 0, heartbeat))
	s.do("seller", 0, authorize(func(c *abi.AuthorizeKeyCall) { c.Expiry = s.time }))
	s.seal()
	s.open(1)
	s.fails("actKey KeyExpired", "key", 0, actFor(seller, 0, heartbeat))

	// Detached attestations by keys.
	var calls []*abi.InvokeCall
	for range 6 {
		c := invoke(a)
		c.Callee = seller
		s.do("buyer", 20, c)
		calls = append(calls, c)
	}
	attested := func(i int, by string) *abi.RespondCall {
		c := &abi.RespondCall{
			Id: vm.InteractionID(buyer, calls[i].Salt), ResultHash: common.Hash{6}, Da: abi.DAPointer{ContentHash: common.Hash{6}},
		}
		att := vm.Attestation{ID: c.Id, ParamsHash: common.Hash{3}, ResultHash: c.ResultHash, ImageDigest: common.Hash{6}}
		h := att.Digest(stepsChainID)
		sig, err := crypto.Sign(h[:], key(by))
		require.NoError(t, err)
		sig[64] += 27
		c.Attestation = sig
		return c
	}
	s.fails("respondKey BadAttestation", "seller", 0, attested(0, "stranger"))
	s.fails("respondKey BadAttestation", "seller", 0, attested(0, "key")) // expired
	for _, change := range []func(*abi.AuthorizeKeyCall){
		func(c *abi.AuthorizeKeyCall) { c.Operations = [][4]byte{abi.InvokeSelector} },
		func(c *abi.AuthorizeKeyCall) { c.Capabilities = []common.Hash{vm.CapabilityID("b")} },
	} {
		s.do("seller", 0, authorize(change))
		s.fails("respondKey BadAttestation", "seller", 0, attested(0, "key"))
	}
	s.do("seller", 0, authorize(plain))
	s.do("seller", 0, attested(0, "key"))
	s.do("seller", 0, authorize(func(c *abi.AuthorizeKeyCall) {
		c.Operations, c.Capabilities = [][4]byte{abi.InvokeSelector, abi.RespondSelector}, []common.Hash{{1}, a}
	}))
	s.do("seller", 0, attested(1, "key"))
	s.do("key", 0, actFor(seller, 0, attested(2, "key")))
	s.do("key", 0, actFor(seller, 0, attested(3, "seller")))

	// A new owner.
	transfer := &abi.TransferOwnershipCall{NewOwner: address("owner")}
	s.fails("transferOwnership OutOfGas", "seller", 0, transfer, gasLimit(5000))
	s.fails("transferOwnership NotRegistered", "stranger", 0, transfer)
	s.fails("transferOwnership FieldOutOfRange newOwner", "seller", 0, &abi.TransferOwnershipCall{NewOwner: seller})
	s.fails("transferOwnership FieldOutOfRange newOwner", "seller", 0, &abi.TransferOwnershipCall{})
	s.do("seller", 0, transfer)
	s.tx("seller", &buyer, 1, nil)
	require.ErrorIs(s.t, s.void, vm.ErrDelegated)
	s.fails("dispatch AccountDelegated", "seller", 0, heartbeat, deposit)
	s.failsRaw("dispatch AccountDelegated", "seller", &buyer, 1, nil, deposit)
	s.fails("actKey NotAuthorized", "key", 0, actFor(seller, 0, heartbeat))
	s.fails("respondKey BadAttestation", "owner", 0, actFor(seller, 0, attested(4, "key")))
	s.fails("respondKey BadAttestation", "owner", 0, actFor(seller, 0, attested(4, "seller")))
	s.do("owner", 0, actFor(seller, 0, attested(4, "owner")))
	s.do("owner", 0, actFor(seller, 0, authorize(plain)))
	s.do("key", 0, actFor(seller, 0, attested(5, "key")))
	s.do("owner", 0, actFor(seller, 0, &abi.TransferOwnershipCall{NewOwner: seller}))
	s.do("seller", 0, heartbeat)
	s.do("owner", 0, actFor(owned, 0, &abi.DeregisterCall{}))
	s.seal()

	s.open(60)
	s.do("owner", 0, actFor(owned, 0, &abi.WithdrawStakeCall{}))
	s.fails("registerAgent AlreadyRegistered", "owner", 200, registerFor)
	s.do("owner", 0, actFor(owned, 100, &abi.RegisterCall{Name: "again"}))
	require.Equal(t, address("owner"), s.account(owned).Owner)

	// What an agent says of itself.
	s.fails("setAgentURI OutOfGas", "seller", 0, &abi.SetAgentURICall{AgentURI: "u"}, gasLimit(5000))
	s.fails("setAgentURI FieldOutOfRange agentURI", "seller", 0, &abi.SetAgentURICall{AgentURI: long(513)})
	s.fails("setAgentURI NotRegistered", "stranger", 0, &abi.SetAgentURICall{AgentURI: "u"})
	s.do("seller", 0, &abi.SetAgentURICall{AgentURI: long(512)})
	s.do("owner", 0, actFor(owned, 0, &abi.SetAgentURICall{AgentURI: "u"}))
	s.do("seller", 0, &abi.SetAgentURICall{})
	s.fails("setMetadata OutOfGas", "seller", 0, &abi.SetMetadataCall{Key: "k"}, gasLimit(5000))
	for _, k := range []string{"", long(33), "agentWallet"} {
		s.fails("setMetadata FieldOutOfRange key", "seller", 0, &abi.SetMetadataCall{Key: k})
	}
	s.fails("registerAgent FieldOutOfRange metadata.key", "stranger", 100, &abi.RegisterCall{Name: "n", Metadata: []abi.MetadataEntry{{Key: "agentWallet"}}})
	s.fails("setMetadata FieldOutOfRange value", "seller", 0, &abi.SetMetadataCall{Key: "k", Value: make([]byte, 257)})
	s.fails("setMetadata NotRegistered", "stranger", 0, &abi.SetMetadataCall{Key: "k"})
	s.do("seller", 0, &abi.SetMetadataCall{Key: long(32), Value: bytes.Repeat([]byte{1}, 256)})
	s.do("seller", 0, &abi.SetMetadataCall{Key: long(32)})
	s.do("seller", 0, &abi.SetMetadataCall{Key: long(32)})

	wallet := func(by string, change func(*vm.WalletConsent)) *abi.SetAgentWalletCall {
		w := vm.WalletConsent{Agent: seller, Wallet: key1, Owner: seller, Deadline: s.time + 300}
		change(&w)
		h := w.Digest(stepsChainID)
		sig, err := crypto.Sign(h[:], key(by))
		require.NoError(t, err)
		sig[64] += 27
		return &abi.SetAgentWalletCall{Wallet: w.Wallet, Deadline: w.Deadline, Signature: sig}
	}
	asIs := func(*vm.WalletConsent) {}
	s.fails("setAgentWallet OutOfGas", "seller", 0, wallet("key", asIs), gasLimit(5000))
	for _, deadline := range []uint64{0, s.time - 1, s.time + 301, math.MaxUint64} {
		s.fails("setAgentWallet FieldOutOfRange deadline", "seller", 0, wallet("key", func(w *vm.WalletConsent) { w.Deadline = deadline }))
	}
	s.fails("setAgentWallet FieldOutOfRange deadline", "seller", 0, &abi.SetAgentWalletCall{Deadline: s.time})
	s.fails("setAgentWallet FieldOutOfRange signature", "seller", 0, &abi.SetAgentWalletCall{Signature: []byte{1}})
	s.fails("setAgentWallet FieldOutOfRange signature", "seller", 0, &abi.SetAgentWalletCall{Wallet: key1, Deadline: s.time})
	s.fails("setAgentWallet NotRegistered", "stranger", 0, wallet("key", asIs))
	for _, change := range []func(*vm.WalletConsent){
		func(w *vm.WalletConsent) { w.Agent = owned }, func(w *vm.WalletConsent) { w.Owner = owned }, func(w *vm.WalletConsent) { w.Wallet = buyer },
	} {
		s.fails("setAgentWallet BadWalletSignature", "seller", 0, wallet("key", change))
	}
	s.fails("setAgentWallet BadWalletSignature", "seller", 0, &abi.SetAgentWalletCall{Wallet: key1, Deadline: s.time, Signature: make([]byte, 65)})
	s.do("seller", 0, wallet("key", asIs))
	s.do("seller", 0, wallet("key", func(w *vm.WalletConsent) { w.Deadline = s.time }))
	s.do("seller", 0, &abi.SetAgentWalletCall{})

	// Sessions.
	session := &abi.OpenSessionCall{Salt: common.Hash{1}, Peer: buyer, ContextHash: common.Hash{2}, Expiry: s.time + 1}
	s.fails("openSession OutOfGas", "seller", 0, session, gasLimit(5000))
	for _, peer := range []common.Address{{}, seller} {
		s.fails("openSession FieldOutOfRange peer", "seller", 0, &abi.OpenSessionCall{Peer: peer, Expiry: s.time + 1})
	}
	s.fails("openSession FieldOutOfRange expiry", "seller", 0, &abi.OpenSessionCall{Peer: buyer, Expiry: s.time})
	s.fails("openSession NotRegistered", "stranger", 0, session)
	s.do("seller", 0, session)
	s.fails("openSession DuplicateSession", "seller", 0, session)
	id := vm.InteractionID(seller, session.Salt)
	closing := &abi.CloseSessionCall{Id: id, ContextHash: common.Hash{3}}
	s.fails("closeSession OutOfGas", "buyer", 0, closing, gasLimit(5000))
	s.fails("closeSession SessionUnknown", "buyer", 0, &abi.CloseSessionCall{})
	s.fails("closeSession NotParty", "stranger", 0, closing)
	s.do("buyer", 0, closing)
	s.fails("closeSession SessionIsClosed", "seller", 0, closing)
	s.seal()
}
