package ethapi

import (
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/passport"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// What agnt2_exportAgent answers is enough for the independent verifier, at any block that is kept.
func TestExportAgent(t *testing.T) {
	x := newTestAPI(t, nil)
	populate(x)
	old := x.chain.head()
	before := get[*passport.Export](t, x, "agnt2_exportAgent", bob)
	counters := record.Reputation{Completed: 77, LastActiveAt: 5, SumOfSquares: *uint256.NewInt(9)}
	x.chain.extend(payload{set: map[record.Key][]byte{record.ReputationKey(bob): counters.Encode()}})
	e := get[*passport.Export](t, x, "agnt2_exportAgent", bob, "latest")
	require.Equal(t, x.chain.head().Hash(), e.Output.LatestBlockhash)
	require.Equal(t, x.chain.head().NumberU64(), uint64(e.BlockNumber))
	require.Equal(t, x.chain.config.ChainID.Uint64(), uint64(e.ChainID))
	require.Equal(t, e.Output.Root(), e.OutputRoot)
	identity, reputation, err := e.Verify(e.OutputRoot)
	require.NoError(t, err)
	require.Equal(t, get[AgentInfo](t, x, "agnt2_getAgent", bob).Name, identity.Name)
	require.Equal(t, counters, reputation)
	require.Equal(t, before, get[*passport.Export](t, x, "agnt2_exportAgent", bob, old.Hash()))
	_, _, err = before.Verify(e.OutputRoot)
	require.ErrorIs(t, err, passport.ErrProof)
	_, _, err = before.Verify(before.OutputRoot)
	require.NoError(t, err)

	// One that nobody has called yet.
	x.chain.extend(payload{set: map[record.Key][]byte{record.AgentKey(nobody): (&record.Agent{Status: 1, Owner: nobody, Name: "new"}).Encode()}})
	e = get[*passport.Export](t, x, "agnt2_exportAgent", nobody, "latest")
	require.Nil(t, e.Reputation)
	_, reputation, err = e.Verify(e.OutputRoot)
	require.NoError(t, err)
	require.Zero(t, reputation)
	require.Nil(t, get[*passport.Export](t, x, "agnt2_exportAgent", nobody, old.Hash()))
	x.chain.pruned[x.chain.CanonicalHash(1)] = true
	require.ErrorContains(t, fails(t, x, codeServer, "agnt2_exportAgent", bob, "0x1"), "--history.blocks")
}

func TestForeignViews(t *testing.T) {
	x := newTestAPI(t, nil)
	id := vm.ForeignAgent(77, bob)
	f := record.Foreign{
		SourceChainId: 77, SourceBlock: 8, ImportedAt: 9, Agent: bob, Status: 2, Owner: alice, RegisteredAt: 1, DeregisteredAt: 2, LastHeartbeat: 3,
		ImageDigest: common.Hash{4}, Name: "far", Version: "5", Completed: 50, CountedCompleted: 50, DistinctCallers: 6, SumOfSquares: *uint256.NewInt(500),
		LastActiveAt: x.chain.head().Time(), ScoredCompleted: 50, ScoredCallers: 6, Aborts: 7,
	}
	x.chain.extend(payload{set: map[record.Key][]byte{
		record.ForeignKey(id): f.Encode(), record.ReputationKey(alice): (&record.Reputation{
			Completed: 50, CountedCompleted: 50, DistinctCallers: 6, SumOfSquares: *uint256.NewInt(500), LastActiveAt: f.LastActiveAt,
			ScoredCompleted: 50, ScoredCallers: 6, Aborts: 7,
		}).Encode(),
	}})
	view := func(id common.Address) abi.GetForeignAgentReturn {
		out, err := abi.DecodeGetForeignAgentReturn(call(t, x, abi.Address, (&abi.GetForeignAgentCall{Id: id}).Encode()))
		require.NoError(t, err)
		return out
	}
	require.Equal(t, abi.IRecordsForeign(f), view(id).Agent)
	native, err := abi.DecodeGetReputationReturn(call(t, x, abi.Address, (&abi.GetReputationCall{Agent: alice}).Encode()))
	require.NoError(t, err)
	require.False(t, native.Ret0.Score.IsZero())
	require.Equal(t, native.Ret0.Score, view(id).Score, "the same counters make the same score")
	require.Zero(t, view(bob))

	out, err := abi.DecodeForeignIdReturn(call(t, x, abi.Address, (&abi.ForeignIdCall{
		ChainId: *uint256.NewInt(77), Registry: abi.IdentityRegistryAddress, AgentId: *new(uint256.Int).SetBytes(bob[:]),
	}).Encode()))
	require.NoError(t, err)
	require.Equal(t, id, out.Ret0)

	info := get[jsonObject](t, x, "agnt2_getForeignAgent", id)
	require.Equal(t, "deregistered", info["status"])
	require.Equal(t, "0x4d", info["sourceChainId"])
	require.Equal(t, "far", info["name"])
	require.Equal(t, "0x32", info["completed"])
	require.Equal(t, hexutil.EncodeUint64(native.Ret0.Score.Uint64()), info["score"])
	require.Equal(t, x.chain.head().Hash().Hex(), info["blockHash"])
	require.Nil(t, get[any](t, x, "agnt2_getForeignAgent", bob))
	require.Nil(t, get[any](t, x, "agnt2_getForeignAgent", id, "0x0"))
	raw := get[jsonObject](t, x, "agnt2_getRecord", common.Hash(record.ForeignKey(id)))
	require.Equal(t, "foreign", raw["namespace"])
	require.Equal(t, "0x7", raw["decoded"].(jsonObject)["aborts"])
}
