package client

import (
	"math/big"
	"testing"

	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/passport"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// exporter answers agnt2_exportAgent from a small state that is the same at every block.
type exporter struct {
	agent   common.Address
	spoil   func(*passport.Export)
	numbers []uint64 // asked for
}

func (x *exporter) ExportAgent(who common.Address, at rpc.BlockNumber) *passport.Export {
	if who != x.agent {
		return nil
	}
	x.numbers = append(x.numbers, uint64(at))
	identity := (&record.Agent{Status: 1, Owner: who, Name: "far"}).Encode()
	key, counters := trie.Key(record.AgentKey(who)), trie.Key(record.ReputationKey(who))
	tree := trie.New()
	tree.Update([]trie.Change{{Key: key, ValueHash: trie.HashRecord(identity)}})
	e := &passport.Export{
		ChainID: 901, BlockNumber: hexutil.Uint64(at), Agent: who, Output: passport.Output{StateRoot: common.Hash(tree.Root()), LatestBlockhash: common.Hash{byte(at)}},
		Identity: identity, IdentityProof: tree.Prove(key).Encode(), ReputationProof: tree.Prove(counters).Encode(),
	}
	e.OutputRoot = e.Output.Root()
	if x.spoil != nil {
		x.spoil(e)
	}
	return e
}

func TestCarryAgent(t *testing.T) {
	ctx, agent := testContext(t), common.Address{0xa}
	portal, at, registry := common.Address{1}, common.Address{2}, common.Address{3}
	home, l1Node := newFakeNode(t), newFakeNode(t)
	x := &exporter{agent: agent}
	require.NoError(t, home.server.RegisterName("agnt2", x))
	source := dialFake(t, home.httpURL(), "")
	anchor, moves := uint64(5), 0
	l1Node.view = func(data []byte) ([]byte, error) {
		if [4]byte(data) == passport.SourceOfSelector {
			c, err := passport.DecodeSourceOfCall(data[4:])
			if err != nil || c.ChainId != 901 {
				return (&passport.SourceOfReturn{}).Encode(), err
			}
			return (&passport.SourceOfReturn{Registry: registry, GameType: 6}).Encode(), nil
		}
		out := passport.Output{StateRoot: common.Hash{9}}
		if e := (&exporter{agent: agent}).ExportAgent(agent, rpc.BlockNumber(anchor)); e != nil {
			out = e.Output
		}
		return anchorABI.Methods["anchors"].Outputs.Pack(out.Root(), new(big.Int).SetUint64(anchor))
	}
	// The contract refuses what is not of the anchor, which moves while the first transactions are prepared.
	l1Node.estimate = func(data []byte) error {
		if moves > 0 {
			moves--
			anchor++
			return &revertData{(&passport.NotAnchor{AnchorBlock: *uint256.NewInt(anchor)}).Encode()}
		}
		return nil
	}
	l1Node.emits = func(tx *types.Transaction, _ common.Address) []*types.Log {
		c, err := passport.DecodeImportAgentCall(tx.Data()[4:])
		require.NoError(t, err)
		l, err := derive.MarshalDepositLogEvent(portal, &types.DepositTx{
			From: abi.Alias(at), To: &abi.Address, Value: new(big.Int), Gas: 100_000, Data: (&abi.ImportAgentCall{
				SourceChainId: c.SourceChainId, SourceBlock: anchor, Agent: c.Agent, Identity: abi.IRecordsAgent(c.Identity),
			}).Encode(),
		})
		require.NoError(t, err)
		return []*types.Log{l}
	}
	l1 := &L1{c: dialFake(t, l1Node.httpURL(), ""), portal: portal}
	me := l1.Depositor(testKey(t, "relay"))

	moves = 2
	c, err := me.CarryAgent(ctx, source, at, agent)
	require.NoError(t, err)
	require.Equal(t, []uint64{5, 6, 7}, x.numbers, "it follows the anchor")
	require.Equal(t, uint64(7), uint64(c.Export.BlockNumber))
	require.NotZero(t, c.L2Hash)
	require.Equal(t, at, *l1Node.order[0].To())

	moves = carryAttempts
	var moved *passport.NotAnchor
	_, err = me.CarryAgent(ctx, source, at, agent)
	require.ErrorAs(t, err, &moved)

	l1Node.estimate = func([]byte) error { return &revertData{(&passport.ProofExcess{}).Encode()} }
	var excess *passport.ProofExcess
	sent := len(l1Node.order)
	_, err = me.CarryAgent(ctx, source, at, agent)
	require.ErrorAs(t, err, &excess, "another reason is not tried again")
	l1Node.estimate = nil

	var unknown *abi.NotRegistered
	_, err = me.CarryAgent(ctx, source, at, common.Address{0xb})
	require.ErrorAs(t, err, &unknown)
	source.chainID = big.NewInt(7)
	var foreign *passport.SourceUnknown
	_, err = me.CarryAgent(ctx, source, at, agent)
	require.ErrorAs(t, err, &foreign)
	source.chainID = big.NewInt(901)

	// A node that lies is found out before anything is paid for.
	for name, spoil := range map[string]func(*passport.Export){
		"another chain":     func(e *passport.Export) { e.ChainID++ },
		"another agent":     func(e *passport.Export) { e.Agent[0]++ },
		"tampered identity": func(e *passport.Export) { e.Identity[31] ^= 1 },
		"another block":     func(e *passport.Export) { e.Output.LatestBlockhash[5] = 1; e.OutputRoot = e.Output.Root() },
	} {
		x.spoil = spoil
		_, err = me.CarryAgent(ctx, source, at, agent)
		require.ErrorIs(t, err, passport.ErrProof, name)
	}
	require.Len(t, l1Node.order, sent)
}

func TestForeignAgentView(t *testing.T) {
	node := newFakeNode(t)
	node.view = func(data []byte) ([]byte, error) {
		c, err := abi.DecodeGetForeignAgentCall(data[4:])
		require.NoError(t, err)
		require.Equal(t, ForeignID(7, common.Address{1}), c.Id)
		return (&abi.GetForeignAgentReturn{Agent: abi.IRecordsForeign{Name: "far", Completed: 3}, Score: *uint256.NewInt(44)}).Encode(), nil
	}
	f, score, err := dialFake(t, node.httpURL(), "").ForeignAgent(testContext(t), 7, common.Address{1})
	require.NoError(t, err)
	require.Equal(t, "far", f.Name)
	require.Equal(t, uint64(44), score)
}
