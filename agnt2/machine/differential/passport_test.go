package differential

import (
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// passportWays are those of imports; see ways.
const passportWays = `
importArgs: FieldOutOfRange identity.name, FieldOutOfRange identity.version, NotPassport, OutOfGas, importForeign
importForeign: StaleImport, txEnd
`

// passport takes every way of importAgent. It begins and ends between two blocks.
func (s *scenario) passport() {
	s.open(1)
	agent := common.Address{0xf0}
	at := func(block uint64, change ...func(*abi.ImportAgentCall)) *abi.ImportAgentCall {
		c := &abi.ImportAgentCall{SourceChainId: 77, SourceBlock: block, Agent: agent}
		c.Identity = abi.IRecordsAgent{
			Status: 1, Owner: address("owner"), Epoch: 3, CapabilityCount: 2, RegisteredAt: 5, DeregisteredAt: 6, LastHeartbeat: 7, ImageDigest: common.Hash{8},
			Name: strings.Repeat("n", 64), Version: strings.Repeat("v", 32), Ownership: 9,
		}
		c.Reputation = abi.IRecordsReputation{
			Completed: 1, Timeouts: 2, Errors: 3, GracefulTimeouts: 4, ParseFailures: 5, Rejections: 6, SoftStreak: 7, PenaltyUnits: 8, Disputed: 9,
			DisputesLost: 10, CountedCompleted: 11, DistinctCallers: 12, SumOfSquares: *uint256.NewInt(13), LastActiveAt: 14,
			InteractionHistoryRoot: common.Hash{15}, ScoredCompleted: 16, ScoredCallers: 17, Aborts: 18,
		}
		for _, f := range change {
			f(c)
		}
		return c
	}
	s.fund(address("passport"), uint256.NewInt(50_000_000_000))
	s.state.Root = s.tree.Root()
	s.fails("importArgs NotPassport", "passport", 0, at(1)) // not a deposit
	s.fails("importArgs NotPassport", "governance", 0, at(1), deposit)
	s.fails("importArgs OutOfGas", "passport", 0, at(1), deposit, gasLimit(9_000))
	s.fails("importArgs FieldOutOfRange identity.name", "passport", 0, at(1, func(c *abi.ImportAgentCall) { c.Identity.Name += "n" }), deposit)
	s.fails("importArgs FieldOutOfRange identity.version", "passport", 0, at(1, func(c *abi.ImportAgentCall) { c.Identity.Version += "v" }), deposit)
	s.do("passport", 0, at(5), deposit)
	s.fails("importForeign StaleImport", "passport", 0, at(5), deposit)
	s.fails("importForeign StaleImport", "passport", 0, at(4), deposit)
	s.do("passport", 0, at(1<<63, func(c *abi.ImportAgentCall) {
		c.Identity.Name, c.Identity.Version = "", ""
		c.Reputation = abi.IRecordsReputation{}
	}), deposit)
	s.do("passport", 0, at(1<<64-1), deposit)
	x, err := record.DecodeForeign(s.records[record.ForeignKey(vm.ForeignAgent(77, agent))])
	require.NoError(s.t, err)
	require.Equal(s.t, record.Foreign{
		SourceChainId: 77, SourceBlock: 1<<64 - 1, ImportedAt: s.time, Agent: agent, Status: 1, Owner: address("owner"), RegisteredAt: 5, DeregisteredAt: 6,
		LastHeartbeat: 7, ImageDigest: common.Hash{8}, Name: strings.Repeat("n", 64), Version: strings.Repeat("v", 32),
		Completed: 1, Timeouts: 2, Errors: 3, GracefulTimeouts: 4, ParseFailures: 5, Rejections: 6, SoftStreak: 7, PenaltyUnits: 8, Disputed: 9,
		DisputesLost: 10, CountedCompleted: 11, DistinctCallers: 12, SumOfSquares: *uint256.NewInt(13), LastActiveAt: 14,
		InteractionHistoryRoot: common.Hash{15}, ScoredCompleted: 16, ScoredCallers: 17, Aborts: 18,
	}, x)
	require.Nil(s.t, s.records[record.AgentKey(agent)])
	require.Nil(s.t, s.records[record.ReputationKey(agent)])
	s.seal()

	// Governance turns imports off.
	s.open(1)
	policy := abi.IRecordsPolicy(s.policy)
	policy.AgentPassport = common.Address{}
	s.do("governance", 0, &abi.SetPolicyCall{Policy: policy}, deposit)
	s.seal()
	s.open(1)
	s.fails("importArgs NotPassport", "passport", 0, at(1<<64-1), deposit)
	policy.AgentPassport = address("passport")
	s.do("governance", 0, &abi.SetPolicyCall{Policy: policy}, deposit)
	s.seal()
}
