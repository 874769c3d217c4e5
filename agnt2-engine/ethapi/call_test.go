package ethapi

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
	"github.com/agnt2/agnt2/agnt2/trie"
)

var (
	interaction = crypto.Keccak256Hash([]byte("an interaction"))
	invokeTx    = common.Hash{0xaa}
	settleTx    = common.Hash{0xbb}
)

// populate makes bob an agent with one live and one stale capability, and settles an interaction over two blocks.
func populate(x *testAPI) (*record.Agent, *record.Account, *record.Reputation, *record.Interaction) {
	agent := &record.Agent{Status: 1, Owner: alice, Epoch: 3, CapabilityCount: 1, RegisteredAt: 11, LastHeartbeat: 12,
		ImageDigest: common.Hash{5}, Name: "bob", Version: "1.2"}
	acc := &record.Account{Nonce: 4, Balance: *uint256.NewInt(100), Stake: *uint256.NewInt(7), Escrowed: *uint256.NewInt(8), PendingInvokes: 2, Roles: 1}
	rep := &record.Reputation{Completed: 500, CountedCompleted: 400, DistinctCallers: 40, PenaltyUnits: 9, LastActiveAt: x.chain.head().Time(),
		SumOfSquares: *uint256.NewInt(77)}
	act := &record.Interaction{Status: 2, Caller: alice, Callee: bob, Capability: inference, ParamsHash: common.Hash{1}, ResultHash: common.Hash{2},
		PaymentWei: *uint256.NewInt(99), InvokedAt: 1, Deadline: 2, SettledAt: 3, Branch: 4, CompositionId: common.Hash{6}}
	stale := crypto.Keccak256Hash([]byte("stale"))
	pending := *act
	pending.Status, pending.SettledAt, pending.ResultHash = 1, 0, common.Hash{}
	x.chain.extend(payload{set: map[record.Key][]byte{
		record.AgentKey(bob):                       agent.Encode(),
		record.AccountKey(bob):                     acc.Encode(),
		record.AgentURIKey(bob):                    (&record.AgentURI{Uri: "ipfs://bob"}).Encode(),
		record.ReputationKey(bob):                  rep.Encode(),
		record.CapabilityKey(bob, inference):       (&record.Capability{Epoch: 3, Class: 2, LatencyMsP99: 250, PriceWei: *uint256.NewInt(1000)}).Encode(),
		record.CapabilityDetailKey(bob, inference): (&record.CapabilityDetail{Name: "inference", Endpoint: "https://bob"}).Encode(),
		record.CapabilityKey(bob, stale):           (&record.Capability{Epoch: 2}).Encode(),
		record.InteractionKey(interaction):         pending.Encode(),
		record.TotalsKey:                           (&record.Totals{Interactions: 10, VolumeWei: *uint256.NewInt(1000), MessageNonce: 5}).Encode(),
		record.L1InfoKey: (&record.L1Info{Number: 21, Timestamp: 22, BaseFee: *uint256.NewInt(23), BlobBaseFee: *uint256.NewInt(24),
			BlockHash: common.Hash{25}, BatcherHash: common.Hash{26}, SequenceNumber: 27, BaseFeeScalar: 28, BlobBaseFeeScalar: 29}).Encode(),
	}})
	x.chain.extend(payload{set: map[record.Key][]byte{
		record.InteractionKey(interaction): act.Encode(),
		record.TotalsKey:                   (&record.Totals{Interactions: 13, VolumeWei: *uint256.NewInt(1500), MessageNonce: 5}).Encode(),
	}})
	x.chain.traces[interaction] = InteractionTrace{InvokeTx: invokeTx, InvokeBlock: 1, SettleTx: settleTx, SettleBlock: 2}
	return agent, acc, rep, act
}

func call(t testing.TB, x *testAPI, to common.Address, data []byte) []byte {
	t.Helper()
	return get[hexutil.Bytes](t, x, "eth_call", map[string]any{"to": to, "data": hexutil.Bytes(data)}, "latest")
}

// reverted calls and returns the decoded revert, checked against message and data of the JSON-RPC error.
func reverted(t testing.TB, x *testAPI, method string, args map[string]any) abi.Revert {
	t.Helper()
	var out any
	err := x.client.Call(&out, method, args, "latest")
	require.Error(t, err)
	data, ok := ethclient.RevertErrorData(err)
	require.True(t, ok, "%v is no revert as go-ethereum's client knows it", err)
	r := abi.DecodeRevert(data)
	require.NotNil(t, r)
	require.Equal(t, "execution reverted: "+r.Error(), err.Error())
	return r
}

func TestViews(t *testing.T) {
	x := newTestAPI(t, nil)
	agent, acc, rep, act := populate(x)
	parsed, err := gethabi.JSON(bytes.NewReader([]byte(abi.JSON)))
	require.NoError(t, err)

	ret := call(t, x, abi.Address, (&abi.GetAgentCall{Agent: bob}).Encode())
	_, err = parsed.Unpack("getAgent", ret)
	require.NoError(t, err, "go-ethereum's decoder agrees")
	got, err := abi.DecodeGetAgentReturn(ret)
	require.NoError(t, err)
	require.Equal(t, abi.AgentView{Status: 1, Owner: alice, RegisteredAt: 11, LastHeartbeat: 12, CapabilityCount: 1, StakeWei: acc.Stake,
		EscrowedWei: acc.Escrowed, PendingInvokes: 2, ImageDigest: agent.ImageDigest, Name: "bob", Version: "1.2", AgentURI: "ipfs://bob"}, got.Ret0)
	none, err := abi.DecodeGetAgentReturn(call(t, x, abi.Address, (&abi.GetAgentCall{Agent: nobody}).Encode()))
	require.NoError(t, err)
	require.Equal(t, abi.AgentView{}, none.Ret0)

	ret = call(t, x, abi.Address, (&abi.GetCapabilityCall{Agent: bob, Capability: inference}).Encode())
	_, err = parsed.Unpack("getCapability", ret)
	require.NoError(t, err)
	capability, err := abi.DecodeGetCapabilityReturn(ret)
	require.NoError(t, err)
	require.Equal(t, abi.Capability{Name: "inference", Endpoint: "https://bob", PriceWei: *uint256.NewInt(1000), LatencyMsP99: 250, Class: 2}, capability.Ret0)
	for _, c := range []abi.GetCapabilityCall{
		{Agent: bob, Capability: crypto.Keccak256Hash([]byte("stale"))}, {Agent: bob}, {Agent: nobody, Capability: inference},
	} {
		r := reverted(t, x, "eth_call", map[string]any{"to": abi.Address, "data": hexutil.Bytes(c.Encode())})
		require.Equal(t, &abi.CapabilityUnknown{Callee: c.Agent, Capability: c.Capability}, r)
	}

	ret = call(t, x, abi.Address, (&abi.GetReputationCall{Agent: bob}).Encode())
	_, err = parsed.Unpack("getReputation", ret)
	require.NoError(t, err)
	score, err := abi.DecodeGetReputationReturn(ret)
	require.NoError(t, err)
	want := reputation.Score(rep, x.chain.head().Time(), 24*3600)
	require.NotZero(t, want)
	require.Equal(t, want, score.Ret0.Score.Uint64())
	require.EqualValues(t, 400, score.Ret0.CountedCompleted)
	require.EqualValues(t, 9, score.Ret0.PenaltyUnits)

	ret = call(t, x, abi.Address, (&abi.GetInteractionCall{Id: interaction}).Encode())
	_, err = parsed.Unpack("getInteraction", ret)
	require.NoError(t, err)
	view, err := abi.DecodeGetInteractionReturn(ret)
	require.NoError(t, err)
	require.Equal(t, abi.InteractionView(*act), view.Ret0)

	malformed := append((&abi.GetAgentCall{Agent: bob}).Encode(), 0)
	require.Equal(t, &abi.MalformedCalldata{}, reverted(t, x, "eth_call", map[string]any{"to": abi.Address, "data": hexutil.Bytes(malformed)}))
	require.Equal(t, &abi.ValueNotAccepted{}, reverted(t, x, "eth_call", map[string]any{
		"to": abi.Address, "value": "0x1", "data": hexutil.Bytes((&abi.GetAgentCall{Agent: bob}).Encode())}))
}

func TestPredeploys(t *testing.T) {
	x := newTestAPI(t, nil)
	populate(x)
	num := func(n uint64) []byte { return common.LeftPadBytes(new(big.Int).SetUint64(n).Bytes(), 32) }
	sel := func(s string) []byte { return crypto.Keccak256([]byte(s))[:4] }
	bytesArg := func(n int) []byte {
		out, err := gethabi.Arguments{{Type: func() gethabi.Type { ty, _ := gethabi.NewType("bytes", "", nil); return ty }()}}.Pack(make([]byte, n))
		require.NoError(t, err)
		return out
	}
	for _, c := range []struct {
		to   common.Address
		sig  string
		args []byte
		want []byte
	}{
		{abi.L1BlockAddress, "number()", nil, num(21)},
		{abi.L1BlockAddress, "timestamp()", nil, num(22)},
		{abi.L1BlockAddress, "basefee()", nil, num(23)},
		{abi.L1BlockAddress, "blobBaseFee()", nil, num(24)},
		{abi.L1BlockAddress, "hash()", nil, common.Hash{25}.Bytes()},
		{abi.L1BlockAddress, "batcherHash()", nil, common.Hash{26}.Bytes()},
		{abi.L1BlockAddress, "sequenceNumber()", nil, num(27)},
		{abi.L1BlockAddress, "baseFeeScalar()", nil, num(28)},
		{abi.L1BlockAddress, "blobBaseFeeScalar()", nil, num(29)},
		{abi.L1BlockAddress, "DEPOSITOR_ACCOUNT()", nil, common.LeftPadBytes(abi.L1AttributesDepositor[:], 32)},
		{abi.GasPriceOracleAddress, "l1BaseFee()", nil, num(23)},
		{abi.GasPriceOracleAddress, "baseFee()", nil, num(1_000_000_000)},
		{abi.GasPriceOracleAddress, "gasPrice()", nil, num(1_000_000_000)},
		{abi.GasPriceOracleAddress, "decimals()", nil, num(6)},
		{abi.GasPriceOracleAddress, "isEcotone()", nil, num(1)},
		{abi.GasPriceOracleAddress, "isFjord()", nil, num(1)},
		{abi.GasPriceOracleAddress, "getL1Fee(bytes)", bytesArg(33), num((33 + 68) * 10)},
		{abi.GasPriceOracleAddress, "getL1Fee(bytes)", bytesArg(0), num(68 * 10)},
		{abi.GasPriceOracleAddress, "getL1FeeUpperBound(uint256)", num(33), num((33 + 68) * 10)},
		{abi.GasPriceOracleAddress, "getL1GasUsed(bytes)", bytesArg(33), num((33 + 68) * 16)},
		{abi.MessagePasserAddress, "sentMessages(bytes32)", sent[:], num(1)},
		{abi.MessagePasserAddress, "sentMessages(bytes32)", num(4), num(0)},
		{abi.MessagePasserAddress, "messageNonce()", nil, append([]byte{0, 1}, num(5)[2:]...)},
		{abi.MessagePasserAddress, "MESSAGE_VERSION()", nil, num(1)},
		{abi.MessagePasserAddress, "initiateWithdrawal(address,uint256,bytes)", nil, nil},
	} {
		require.Equal(t, c.want, nilIfEmpty(call(t, x, c.to, append(sel(c.sig), c.args...))), c.sig)
	}
	out := call(t, x, abi.L1BlockAddress, sel("version()"))
	ty, _ := gethabi.NewType("string", "", nil)
	vals, err := gethabi.Arguments{{Type: ty}}.Unpack(out)
	require.NoError(t, err)
	require.Equal(t, semver, vals[0])

	for _, c := range []struct {
		to   common.Address
		data []byte
		want abi.Revert
	}{
		{abi.L1BlockAddress, sel("l1FeeOverhead()"), &abi.UnknownOperation{Selector: [4]byte(sel("l1FeeOverhead()"))}},
		{abi.L1BlockAddress, []byte{1}, &abi.UnknownOperation{Selector: [4]byte{1}}},
		{abi.L1BlockAddress, append(sel("number()"), 1), &abi.MalformedCalldata{}},
		{abi.GasPriceOracleAddress, append(sel("getL1Fee(bytes)"), 1), &abi.MalformedCalldata{}},
		{abi.GasPriceOracleAddress, append(sel("getL1FeeUpperBound(uint256)"), bytes.Repeat([]byte{0xff}, 32)...), &abi.MalformedCalldata{}},
		{abi.MessagePasserAddress, sel("sentMessages(bytes32)"), &abi.MalformedCalldata{}},
		{abi.Address, []byte{1, 2, 3, 4}, &abi.UnknownOperation{Selector: [4]byte{1, 2, 3, 4}}},
		{nobody, []byte{1, 2, 3, 4}, &abi.NoCodeAtTarget{Target: nobody}},
	} {
		require.Equal(t, c.want, reverted(t, x, "eth_call", map[string]any{"to": c.to, "input": hexutil.Bytes(c.data)}))
	}
}

func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

func TestCallAndEstimate(t *testing.T) {
	x := newTestAPI(t, nil)
	beat := map[string]any{"from": alice, "to": abi.Address, "input": hexutil.Bytes(abi.HeartbeatSelector[:])}
	require.Equal(t, "0x", get[string](t, x, "eth_call", beat, "latest"))
	require.Equal(t, "0x1770", get[string](t, x, "eth_estimateGas", beat))
	require.Equal(t, "0x", get[string](t, x, "eth_call", map[string]any{"to": nobody}, "latest"), "a plain account answers nothing")
	require.Equal(t, "0xfa0", get[string](t, x, "eth_estimateGas", map[string]any{"from": alice, "to": nobody, "value": "0x1"}))

	topUp := map[string]any{"from": alice, "to": abi.Address, "data": hexutil.Bytes(abi.TopUpStakeSelector[:])}
	for _, method := range []string{"eth_call", "eth_estimateGas"} {
		require.Equal(t, &abi.NotRegistered{Agent: alice}, reverted(t, x, method, topUp))
		require.Equal(t, &abi.ContractCreationUnsupported{}, reverted(t, x, method, map[string]any{"data": "0x00"}))
	}
	require.Equal(t, &abi.UnknownOperation{Selector: abi.GetAgentSelector}, reverted(t, x, "eth_estimateGas",
		map[string]any{"to": abi.Address, "data": hexutil.Bytes((&abi.GetAgentCall{}).Encode())}), "a view is no transaction")

	beat["maxFeePerGas"] = "0x1"
	require.Equal(t, "0x1770", get[string](t, x, "eth_estimateGas", beat))
	beat["maxFeePerGas"] = "0xde0b6b3a7640000"
	require.ErrorContains(t, fails(t, x, codeServer, "eth_estimateGas", beat), "insufficient funds for gas * price + value")

	args := func(more map[string]any) map[string]any {
		out := map[string]any{"to": abi.Address, "data": "0x3defb962"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	for _, bad := range []map[string]any{{"input": "0x01"}, {"gasPrice": "0x1", "maxFeePerGas": "0x1"}, {"chainId": "0x1"},
		{"data": hexutil.Bytes(make([]byte, abi.MaxTransactionBytes+1))}} {
		fails(t, x, codeInvalidParams, "eth_call", args(bad), "latest")
	}
	get[string](t, x, "eth_call", args(map[string]any{"input": "0x3defb962", "chainId": "0x385", "gas": "0x5", "nonce": "0x1", "accessList": []any{}}), "latest")

	get[string](t, x, "eth_call", args(nil), "latest", map[string]any{}, nil)
	override := map[string]any{alice.Hex(): map[string]any{"balance": "0x1"}}
	require.ErrorContains(t, fails(t, x, codeInvalidParams, "eth_call", args(nil), "latest", override), "not supported")
	fails(t, x, codeInvalidParams, "eth_call", args(nil), "latest", nil, map[string]any{"number": "0x1"})
	fails(t, x, codeInvalidParams, "eth_estimateGas", args(nil), "latest", override)

	x.chain.onDryRun = func(context.Context) error { return errors.New("disk on fire") }
	require.ErrorContains(t, fails(t, x, codeServer, "eth_call", args(nil), "latest"), "disk on fire")
}

// Slow dry runs neither last for ever nor pile up.
func TestCallsAreBounded(t *testing.T) {
	x := newTestAPI(t, func(c *Config) { c.CallTimeout, c.MaxReads, c.MaxReadQueue = 100*time.Millisecond, 1, 1 })
	entered, free := make(chan struct{}, 8), make(chan struct{})
	x.chain.onDryRun = func(ctx context.Context) error {
		entered <- struct{}{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-free:
			return nil
		}
	}
	beat := map[string]any{"to": abi.Address, "data": "0x3defb962"}
	require.ErrorContains(t, fails(t, x, codeLimitExceeded, "eth_call", beat, "latest"), "took too long")

	x = newTestAPI(t, func(c *Config) { c.CallTimeout, c.MaxReads, c.MaxReadQueue = 10*time.Second, 1, 1 })
	x.chain.onDryRun = func(context.Context) error { entered <- struct{}{}; <-free; return nil }
	<-entered
	results := make(chan error, 2)
	for range 2 {
		go func() { results <- x.client.Call(nil, "eth_call", beat, "latest") }()
	}
	receive(t, entered)
	require.Eventually(t, func() bool { return x.reads.waiting.Load() == 1 }, 5*time.Second, time.Millisecond)
	require.ErrorContains(t, fails(t, x, codeLimitExceeded, "eth_call", beat, "latest"), "busy")
	require.ErrorContains(t, fails(t, x, codeLimitExceeded, "eth_getBlockByNumber", "latest", true), "busy")
	get[jsonObject](t, x, "eth_getBlockByNumber", "latest", false)
	server, err := x.NewServer(ServerConfig{Trusted: true}, x.APIs())
	require.NoError(t, err)
	defer server.Stop()
	trusted := rpc.DialInProc(server)
	defer trusted.Close()
	require.NoError(t, trusted.Call(nil, "eth_getBlockByNumber", "latest", true), "the rollup node does not queue behind strangers")
	close(free)
	require.NoError(t, receive(t, results))
	require.NoError(t, receive(t, results))
}

func TestAgnt2Methods(t *testing.T) {
	x := newTestAPI(t, nil)
	_, _, rep, _ := populate(x)
	head := x.chain.head()

	agent := get[jsonObject](t, x, "agnt2_getAgent", bob)
	require.Equal(t, "active", agent["status"])
	require.Equal(t, "0x7", agent["stakeWei"])
	require.Equal(t, "ipfs://bob", agent["agentURI"])
	require.Equal(t, hexNumber(reputation.Score(rep, head.Time(), 24*3600)), agent["score"])
	require.Equal(t, "0x4d", agent["reputation"].(jsonObject)["sumOfSquares"])
	require.Equal(t, common.BytesToHash(bob[:]).Hex(), agent["agentId"])
	require.Equal(t, head.Hash().Hex(), agent["blockHash"])
	require.Nil(t, get[any](t, x, "agnt2_getAgent", nobody, "latest"))
	require.Nil(t, get[any](t, x, "agnt2_getAgent", bob, "0x0"))

	done := get[jsonObject](t, x, "agnt2_getInteraction", interaction)
	require.Equal(t, "completed", done["status"])
	require.Equal(t, invokeTx.Hex(), done["invokeTransaction"])
	require.Equal(t, settleTx.Hex(), done["settleTransaction"])
	require.Equal(t, "0x2", done["settleBlock"])
	open := get[jsonObject](t, x, "agnt2_getInteraction", interaction, "0x1")
	require.Equal(t, "pending", open["status"])
	require.Equal(t, invokeTx.Hex(), open["invokeTransaction"])
	require.Nil(t, open["settleTransaction"], "it had not happened yet")
	require.Nil(t, get[any](t, x, "agnt2_getInteraction", interaction, "0x0"))
	require.Nil(t, get[any](t, x, "agnt2_getInteraction", common.Hash{1}))
	x.chain.traces[common.Hash{2}] = InteractionTrace{InvokeTx: invokeTx, InvokeBlock: 1}
	require.Equal(t, statusPruned, get[jsonObject](t, x, "agnt2_getInteraction", common.Hash{2})["status"])

	for key, want := range map[record.Key]struct{ namespace, field, value string }{
		record.AgentKey(bob):                       {"agents", "name", "bob"},
		record.AccountKey(bob):                     {"accounts", "stake", "0x7"},
		record.AgentURIKey(bob):                    {"agentURIs", "uri", "ipfs://bob"},
		record.CapabilityKey(bob, inference):       {"capabilities", "priceWei", "0x3e8"},
		record.CapabilityDetailKey(bob, inference): {"capabilityDetails", "endpoint", "https://bob"},
		record.ReputationKey(bob):                  {"reputations", "completed", "0x1f4"},
		record.InteractionKey(interaction):         {"interactions", "paymentWei", "0x63"},
		record.TotalsKey:                           {"global", "interactions", "0xd"},
		record.L1InfoKey:                           {"global", "number", "0x15"},
		record.ParamsKey:                           {"global", "maxTtlSeconds", hexutil.EncodeUint64(uint64(genesis.DevnetParams().MaxTtlSeconds))},
	} {
		got := get[jsonObject](t, x, "agnt2_getRecord", common.Hash(key))
		require.Equal(t, want.namespace, got["namespace"])
		require.Equal(t, want.value, got["decoded"].(jsonObject)[want.field], "%v", got)
		state, err := x.chain.state(head.Header())
		require.NoError(t, err)
		require.Equal(t, hexutil.Encode(state[key]), got["value"])
	}
	absent := get[jsonObject](t, x, "agnt2_getRecord", common.Hash(record.AgentKey(nobody)))
	require.Nil(t, absent["value"])
	require.Nil(t, absent["decoded"])

	params := get[jsonObject](t, x, "agnt2_getParams")
	require.Equal(t, []any{"0x1f4", "0x3e8", "0x7d0", "0xbb8"}, params["gasClass"])
	require.Equal(t, "0x2386f26fc10000", params["minStakeWei"])

	stats := func(first, last string) jsonObject { return get[jsonObject](t, x, "agnt2_getRangeStats", first, last) }
	require.Equal(t, jsonObject{"interactions": "0x3", "volume": "0x1f4"}, stats("0x2", "latest"))
	require.Equal(t, jsonObject{"interactions": "0xd", "volume": "0x5dc"}, stats("0x0", "0x2"))
	require.Equal(t, jsonObject{"interactions": "0xa", "volume": "0x3e8"}, stats("0x1", "0x1"))
	fails(t, x, codeInvalidParams, "agnt2_getRangeStats", "0x2", "0x1")
	fails(t, x, codeServer, "agnt2_getRangeStats", "0x1", "0x9")
}

// What agnt2_getProof answers is enough for the independent verifier.
func TestRecordProof(t *testing.T) {
	x := newTestAPI(t, nil)
	populate(x)
	header := x.chain.head().Header()
	for _, who := range []common.Address{bob, nobody} {
		key := record.AgentKey(who)
		p := get[ProofInfo](t, x, "agnt2_getProof", common.Hash(key), header.Hash())
		require.Equal(t, header.Root, p.StateRoot)
		require.Equal(t, header.Hash(), p.BlockHash)
		proof, err := trie.DecodeProof(p.Proof)
		require.NoError(t, err)
		apart := trie.Proof{Depth: int(p.Depth), Bitmap: p.Bitmap}
		for _, s := range p.Siblings {
			apart.Siblings = append(apart.Siblings, s)
		}
		if p.Other != nil {
			apart.Other = &trie.OtherLeaf{Key: p.Other.Key, ValueHash: p.Other.ValueHash}
		}
		require.Equal(t, proof, apart)
		if who == bob {
			require.NoError(t, trie.VerifyInclusion(p.StateRoot, key, trie.HashRecord(*p.Value), proof))
		} else {
			require.Nil(t, p.Value)
			require.NoError(t, trie.VerifyAbsence(p.StateRoot, key, proof))
		}
	}
	x.chain.pruned[x.chain.CanonicalHash(1)] = true
	require.ErrorContains(t, fails(t, x, codeServer, "agnt2_getProof", common.Hash{1}, "0x1"), "--history.blocks")
}

// A corrupt record is an error that names it, never a panic or a wrong answer.
func TestCorruptRecord(t *testing.T) {
	x := newTestAPI(t, nil)
	x.chain.extend(payload{set: map[record.Key][]byte{record.AccountKey(bob): {1, 2, 3}, record.AgentKey(bob): {1}}})
	require.ErrorContains(t, fails(t, x, codeInternal, "eth_getBalance", bob, "latest"), "accounts/")
	fails(t, x, codeInternal, "agnt2_getAgent", bob)
	fails(t, x, codeInternal, "eth_call", map[string]any{"to": abi.Address, "data": hexutil.Bytes((&abi.GetAgentCall{Agent: bob}).Encode())}, "latest")
}

func TestSendRawTransaction(t *testing.T) {
	x := newTestAPI(t, func(c *Config) {
		c.SyncTimeout, c.MaxSyncTimeout, c.MaxSyncWaiters = 20*time.Millisecond, 50*time.Millisecond, 1
	})
	legacy, err := types.SignNewTx(aliceKey, types.LatestSigner(x.chain.config), &types.LegacyTx{To: &bob, GasPrice: common.Big1, Gas: 21_000})
	require.NoError(t, err)
	for _, method := range []string{"eth_sendRawTransaction", "eth_sendRawTransactionSync"} {
		for bad, text := range map[string]string{
			"0x":           "does not decode",
			"0x02c0":       "does not decode",
			raw(t, legacy): "use EIP-1559",
			raw(t, types.NewTx(&types.DepositTx{Value: new(big.Int)})): "deposits come from L1 only",
			hexutil.Encode(make([]byte, abi.MaxTransactionBytes+1)):    "too large",
		} {
			require.ErrorContains(t, fails(t, x, codeServer, method, bad), text)
		}
		x.chain.submitErr = errors.New("nonce too low: send it with nonce 3")
		require.ErrorContains(t, fails(t, x, codeServer, method, raw(t, x.chain.signed(t, 0, nil))), "nonce too low")
		x.chain.submitErr = nil
	}

	tx := x.chain.signed(t, 0, nil)
	for _, timeout := range []any{nil, 10, "0xa", 1_000_000} {
		start := time.Now()
		err := fails(t, x, codeSyncTimeout, "eth_sendRawTransactionSync", raw(t, tx), timeout)
		require.Less(t, time.Since(start), 5*time.Second)
		var data rpc.DataError
		require.True(t, errors.As(err, &data))
		require.Equal(t, tx.Hash().Hex(), data.ErrorData())
	}
	fails(t, x, codeInvalidParams, "eth_sendRawTransactionSync", raw(t, tx), "soon")

	// A second waiter is refused before it submits anything.
	require.NoError(t, x.syncs.enter(context.Background()))
	other := x.chain.signed(t, 1, nil)
	require.ErrorContains(t, fails(t, x, codeLimitExceeded, "eth_sendRawTransactionSync", raw(t, other)), "busy")
	require.Nil(t, x.chain.PoolTransaction(other.Hash()))
	x.syncs.leave()

	// Included before the call looks for it.
	x.chain.onSubmit = func(tx *types.Transaction) { x.chain.extend(payload{txs: []*types.Transaction{tx}}) }
	receipt := get[types.Receipt](t, x, "eth_sendRawTransactionSync", raw(t, other))
	require.Equal(t, other.Hash(), receipt.TxHash)
}

func FuzzCall(f *testing.F) {
	x := newTestAPI(f, nil)
	populate(x)
	targets := []common.Address{abi.Address, abi.L1BlockAddress, abi.GasPriceOracleAddress, abi.MessagePasserAddress, nobody}
	for i := range targets {
		for sel := range views[targets[min(i, 3)]].views {
			f.Add(byte(i), append(sel[:], make([]byte, 64)...), uint64(0))
		}
	}
	f.Add(byte(0), (&abi.GetAgentCall{Agent: bob}).Encode(), uint64(1))
	f.Add(byte(2), append(crypto.Keccak256([]byte("getL1Fee(bytes)"))[:4], append(common.BigToHash(big.NewInt(32)).Bytes(), bytes.Repeat([]byte{0xff}, 32)...)...), uint64(0))
	h := x.chain.head().Header()
	f.Fuzz(func(t *testing.T, target byte, data []byte, value uint64) {
		to := targets[int(target)%len(targets)]
		c := Call{To: &to, Data: data, Value: *uint256.NewInt(value)}
		out, err := x.call(context.Background(), h, c)
		if err != nil {
			var r abi.Revert
			require.ErrorAs(t, err, &r, "only reverts can come of call data")
			require.Equal(t, r, abi.DecodeRevert(r.Encode()))
			return
		}
		require.Zero(t, len(out)%32, "return data is ABI-encoded")
	})
}
