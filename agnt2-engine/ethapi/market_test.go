package ethapi

import (
	"bytes"
	"testing"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// stall is an agent of an index.
type stall struct {
	agent          record.Agent
	offer          record.Capability
	detail         record.CapabilityDetail
	rep            record.Reputation
	price, latency uint64
}

// open fills the index of "inference" with agents 1, 2, …
func open(x *testAPI, stalls ...stall) (who []common.Address) {
	set := map[record.Key][]byte{record.IndexCountKey(inference): (&record.IndexCount{Count: uint32(len(stalls))}).Encode()}
	for i, s := range stalls {
		a := common.Address{byte(i + 1)}
		who = append(who, a)
		s.offer.PriceWei, s.offer.LatencyMsP99, s.offer.Slot = *uint256.NewInt(s.price), uint32(s.latency), uint32(i+1)
		s.rep.LastActiveAt = x.chain.head().Time()
		set[record.IndexSlotKey(inference, uint32(i+1))] = (&record.IndexSlot{Agent: a}).Encode()
		set[record.AgentKey(a)] = s.agent.Encode()
		set[record.CapabilityKey(a, inference)] = s.offer.Encode()
		set[record.CapabilityDetailKey(a, inference)] = s.detail.Encode()
		set[record.ReputationKey(a)] = s.rep.Encode()
	}
	x.chain.extend(payload{set: set})
	return who
}

func TestDiscover(t *testing.T) {
	x := newTestAPI(t, nil)
	live := record.Agent{Status: 1, Epoch: 2}
	offer := record.Capability{Epoch: 2, Class: 3}
	famous := record.Reputation{ScoredCompleted: 4000, ScoredCallers: 64}
	schemas := record.CapabilityDetail{InputSchemaHash: common.Hash{1}, OutputSchemaHash: common.Hash{2}, Endpoint: "https://d"}
	committed := offer
	committed.CommitRequired = true
	who := open(x,
		stall{agent: live, offer: offer, price: 50, latency: 100},
		stall{agent: record.Agent{Status: 2, Epoch: 2}, offer: offer, price: 1}, // deregistered
		stall{agent: live, offer: record.Capability{Epoch: 1}, price: 1},        // of an earlier registration
		stall{agent: live, offer: offer, detail: schemas, price: 90, latency: 100, rep: famous},
		stall{agent: live, offer: committed, price: 50, latency: 100},
	)
	parsed, err := gethabi.JSON(bytes.NewReader([]byte(abi.JSON)))
	require.NoError(t, err)
	find := func(q abi.DiscoverQuery) (agents []common.Address, next uint32) {
		q.Capability = inference
		ret := call(t, x, abi.Address, (&abi.DiscoverCall{Query: q}).Encode())
		_, err := parsed.Unpack("discover", ret)
		require.NoError(t, err, "go-ethereum's decoder agrees")
		out, err := abi.DecodeDiscoverReturn(ret)
		require.NoError(t, err)
		for _, p := range out.Providers {
			agents = append(agents, p.Agent)
		}
		return agents, out.Next
	}
	expect := func(q abi.DiscoverQuery, want ...int) {
		t.Helper()
		got, next := find(q)
		var addresses []common.Address
		for _, i := range want {
			addresses = append(addresses, who[i])
		}
		require.Equal(t, addresses, got)
		require.Zero(t, next)
	}
	expect(abi.DiscoverQuery{}, 3, 0, 4) // by score; of equals the lower address
	expect(abi.DiscoverQuery{MaxPriceWei: *uint256.NewInt(100), MaxLatencyMs: 200}, 3, 0, 4)
	expect(abi.DiscoverQuery{MaxPriceWei: *uint256.NewInt(89)}, 0, 4)
	expect(abi.DiscoverQuery{MinPriceWei: *uint256.NewInt(51)}, 3)
	expect(abi.DiscoverQuery{MaxLatencyMs: 99})
	expect(abi.DiscoverQuery{MinReputation: 5000}, 3)
	expect(abi.DiscoverQuery{InputSchemaHash: common.Hash{1}}, 3)
	expect(abi.DiscoverQuery{InputSchemaHash: common.Hash{1}, OutputSchemaHash: common.Hash{1}})
	expect(abi.DiscoverQuery{Slot: 5, Slots: 1}, 4)
	expect(abi.DiscoverQuery{Slot: 6})
	first, next := find(abi.DiscoverQuery{Slots: 3})
	require.Equal(t, []common.Address{who[0]}, first)
	require.EqualValues(t, 4, next)
	expect(abi.DiscoverQuery{Slot: next}, 3, 4)

	out := get[jsonObject](t, x, "agnt2_discover", jsonObject{"capability": "inference", "maxPriceWei": "0x64", "maxLatencyMs": "0xc8"})
	require.Equal(t, inference.Hex(), out["capability"])
	require.Nil(t, out["next"])
	providers := out["providers"].([]any)
	require.Len(t, providers, 3)
	best := providers[0].(jsonObject)
	require.Equal(t, "https://d", best["endpoint"])
	require.Equal(t, "inference", best["class"])
	require.Equal(t, "0x4", best["slot"])
	require.Equal(t, false, best["commitRequired"])
	require.Equal(t, true, providers[2].(jsonObject)["commitRequired"])
	points, err := hexutil.DecodeUint64(best["points"].(string))
	require.NoError(t, err)
	score, err := hexutil.DecodeUint64(best["score"].(string))
	require.NoError(t, err)
	require.NotZero(t, score)
	require.Equal(t, 400+4*score/10+1000, points, "4000 × 10/100, 4/10 of the score, 2000 × 100/200")
	page := get[jsonObject](t, x, "agnt2_discover", jsonObject{"capability": inference.Hex(), "slots": "0x1"}, "latest")
	require.Equal(t, "0x2", page["next"])
	require.Empty(t, get[jsonObject](t, x, "agnt2_discover", jsonObject{"capability": "nothing"})["providers"])
	for _, bad := range []jsonObject{
		{}, {"capability": "inference", "slots": "0x401"}, {"capability": "inference", "minReputation": "0x2711"},
		{"capability": "inference", "maxPriceWei": "0x1" + string(bytes.Repeat([]byte{'0'}, 64))},
	} {
		fails(t, x, codeInvalidParams, "agnt2_discover", bad)
	}
}

func TestReputationInputs(t *testing.T) {
	x := newTestAPI(t, nil)
	ring := record.Reputation{
		Completed: 300, CountedCompleted: 300, DistinctCallers: 30, SumOfSquares: *uint256.NewInt(3000), ScoredCompleted: 255, ScoredCallers: 30,
	}
	who := open(x, stall{agent: record.Agent{Status: 1}, rep: ring}, stall{agent: record.Agent{Status: 1}, rep: record.Reputation{PenaltyUnits: 40}})
	out := get[jsonObject](t, x, "agnt2_getReputation", who[0])
	require.Equal(t, true, out["frozen"])
	require.Equal(t, true, out["eligible"])
	require.Equal(t, "0x1f4", out["eligibilityScore"])
	require.Equal(t, "0xff", out["counters"].(jsonObject)["scoredCompleted"])
	out = get[jsonObject](t, x, "agnt2_getReputation", who[1], "latest")
	require.Equal(t, false, out["eligible"])
	require.Equal(t, "0x0", out["score"])
	require.Equal(t, true, get[jsonObject](t, x, "agnt2_getReputation", nobody)["eligible"])
	ret, err := abi.DecodeGetReputationReturn(call(t, x, abi.Address, (&abi.GetReputationCall{Agent: who[0]}).Encode()))
	require.NoError(t, err)
	require.True(t, ret.Ret0.Frozen)
	require.EqualValues(t, 255, ret.Ret0.ScoredCompleted)
	require.EqualValues(t, 3000, ret.Ret0.SumOfSquares.Uint64())
}

func TestCommitmentView(t *testing.T) {
	x := newTestAPI(t, nil)
	c := record.Commitment{Caller: alice, Commitment: common.Hash{7}, DepositWei: *uint256.NewInt(5), RevealableFrom: 9, Deadline: 11}
	x.chain.extend(payload{set: map[record.Key][]byte{record.CommitmentKey(vm.CommitmentID(alice, common.Hash{7})): c.Encode()}})
	read := func(who common.Address) abi.CommitmentView {
		ret, err := abi.DecodeGetCommitmentReturn(call(t, x, abi.Address, (&abi.GetCommitmentCall{Caller: who, Commitment: common.Hash{7}}).Encode()))
		require.NoError(t, err)
		return ret.Ret0
	}
	require.Equal(t, abi.CommitmentView{DepositWei: *uint256.NewInt(5), RevealableFrom: 9, Deadline: 11}, read(alice))
	require.Zero(t, read(bob))
}
