package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Import of agents of other AGNT2 chains. L1's AgentPassport has proven the records against the other chain's anchor root; here
// they become one record of their own, so that nobody's history on another chain can pass for business done on this one.

const (
	ImportArgs Step = 215 + iota
	ImportForeign
)

var passportProgram = map[Step]instruction{
	ImportArgs:    {"importArgs", governFrames, 0, stepImportArgs},
	ImportForeign: {"importForeign", OpensOp | OpensData, 0, stepImportForeign},
}

var passportOperations = map[[4]byte]operation{
	abi.ImportAgentSelector: op(abi.DecodeImportAgentCall, false, ImportArgs),
}

// ForeignID is where an agent of another chain is recorded: the low 20 bytes of keccak256(abi.encode(chainID, registry,
// agentID)). registry is the other chain's ERC-8004 Identity registry, which every AGNT2 chain has at the same address.
func ForeignID(chainID *uint256.Int, registry common.Address, agentID *uint256.Int) common.Address {
	var b [96]byte
	chainID.WriteToSlice(b[:32])
	copy(b[44:], registry[:])
	agentID.WriteToSlice(b[64:])
	h := record.Keccak256(b[:])
	return common.BytesToAddress(h[12:])
}

// ForeignAgent is the ForeignID of an agent of an AGNT2 chain.
func ForeignAgent(chainID uint64, agent common.Address) common.Address {
	return ForeignID(uint256.NewInt(chainID), abi.IdentityRegistryAddress, new(uint256.Int).SetBytes20(agent[:]))
}

// ForeignReputation is the Reputation record that was imported.
func ForeignReputation(x *record.Foreign) record.Reputation {
	return record.Reputation{
		Completed: x.Completed, Timeouts: x.Timeouts, Errors: x.Errors, GracefulTimeouts: x.GracefulTimeouts, ParseFailures: x.ParseFailures,
		Rejections: x.Rejections, SoftStreak: x.SoftStreak, PenaltyUnits: x.PenaltyUnits, Disputed: x.Disputed, DisputesLost: x.DisputesLost,
		CountedCompleted: x.CountedCompleted, DistinctCallers: x.DistinctCallers, SumOfSquares: x.SumOfSquares, LastActiveAt: x.LastActiveAt,
		InteractionHistoryRoot: x.InteractionHistoryRoot, ScoredCompleted: x.ScoredCompleted, ScoredCallers: x.ScoredCallers, Aborts: x.Aborts,
	}
}

// stepImportArgs checks who asks, and keeps the foreign id and the time.
func stepImportArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.ImportAgentCall)
	switch {
	case !m.use(gas.AgentOperation(&m.Params, 1)):
		return m.outOfGas()
	case !m.deposited(m.Policy.AgentPassport):
		return m.fail(&abi.NotPassport{Sender: m.Op.From})
	case len(c.Identity.Name) > maxName:
		return m.fail(outOfRange("identity.name"))
	case len(c.Identity.Version) > maxVersion:
		return m.fail(outOfRange("identity.version"))
	}
	id := ForeignAgent(c.SourceChainId, c.Agent)
	m.Op.Id = common.BytesToHash(id[:])
	m.Op.Pairs = m.Block.Time
	return ImportForeign
}

// stepImportForeign replaces what is recorded of the agent, if it is older.
func stepImportForeign(m *Machine, s State) Step {
	c := m.args.(*abi.ImportAgentCall)
	id := common.BytesToAddress(m.Op.Id[:])
	k := record.ForeignKey(id)
	old := m.get(s, k)
	if old != nil {
		if x := decoded(record.DecodeForeign(old)); c.SourceBlock <= x.SourceBlock {
			return m.fail(&abi.StaleImport{RecordedBlock: x.SourceBlock, SourceBlock: c.SourceBlock})
		}
	}
	a, r := &c.Identity, &c.Reputation
	x := record.Foreign{
		SourceChainId: c.SourceChainId, SourceBlock: c.SourceBlock, ImportedAt: m.Op.Pairs, Agent: c.Agent,

		Status: a.Status, Owner: a.Owner, RegisteredAt: a.RegisteredAt, DeregisteredAt: a.DeregisteredAt, LastHeartbeat: a.LastHeartbeat,
		ImageDigest: a.ImageDigest, Name: a.Name, Version: a.Version,

		Completed: r.Completed, Timeouts: r.Timeouts, Errors: r.Errors, GracefulTimeouts: r.GracefulTimeouts, ParseFailures: r.ParseFailures,
		Rejections: r.Rejections, SoftStreak: r.SoftStreak, PenaltyUnits: r.PenaltyUnits, Disputed: r.Disputed, DisputesLost: r.DisputesLost,
		CountedCompleted: r.CountedCompleted, DistinctCallers: r.DistinctCallers, SumOfSquares: r.SumOfSquares, LastActiveAt: r.LastActiveAt,
		InteractionHistoryRoot: r.InteractionHistoryRoot, ScoredCompleted: r.ScoredCompleted, ScoredCallers: r.ScoredCallers, Aborts: r.Aborts,
	}
	m.set(s, k, old, x.Encode())
	m.emit((&abi.AgentImportedEvent{
		Id: id, Agent: c.Agent, Owner: a.Owner, SourceChainId: c.SourceChainId, SourceBlock: c.SourceBlock,
	}).Log(abi.Address))
	return TxEnd
}
