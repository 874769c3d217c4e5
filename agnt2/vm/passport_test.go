package vm_test

import (
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// importCall is importAgent of an agent of another chain, registered at 500, with some counters.
func (s *script) importCall(a args) *abi.ImportAgentCall {
	c := &abi.ImportAgentCall{SourceChainId: a.number("chain", 7), SourceBlock: a.number("block", 10), Agent: s.address(a.text("agent", "alice"))}
	c.Identity = abi.IRecordsAgent{
		Status: uint8(a.number("status", 1)), Owner: s.address(a.text("owner", "alice")), Epoch: 2, CapabilityCount: 3, RegisteredAt: 500,
		DeregisteredAt: a.number("deregistered", 0), LastHeartbeat: 600, ImageDigest: s.hash(a.text("image", "")), Name: a.text("name", "far"), Version: a.text("version", "1"), Ownership: 1,
	}
	if n := a.number("completed", 0); n > 0 {
		c.Reputation = abi.IRecordsReputation{
			Completed: n, Timeouts: 1, Errors: 2, GracefulTimeouts: 3, ParseFailures: 4, Rejections: 5, SoftStreak: 6, PenaltyUnits: 7, Disputed: 8,
			DisputesLost: 9, CountedCompleted: 10, DistinctCallers: 11, SumOfSquares: *uint256.NewInt(12), LastActiveAt: 13,
			InteractionHistoryRoot: s.hash("history"), ScoredCompleted: 14, ScoredCallers: 15, Aborts: 16,
		}
	}
	s.foreign[vm.ForeignAgent(c.SourceChainId, c.Agent)] = fmt.Sprintf("%d:%s", c.SourceChainId, s.showAddress(c.Agent))
	return c
}

// TestForeignID: the id is the low half of the hash of three words, as every Solidity program can compute it.
func TestForeignID(t *testing.T) {
	agent := common.HexToAddress("0x00000000000000000000000000000000000000aa")
	want := crypto.Keccak256(common.LeftPadBytes([]byte{0x03, 0x85}, 32), common.LeftPadBytes(abi.IdentityRegistryAddress[:], 32), common.LeftPadBytes(agent[:], 32))[12:]
	require.Equal(t, want, vm.ForeignAgent(901, agent).Bytes())
	require.Equal(t, common.HexToAddress("0x8cc53A7C5B18A7E2DB2aEb64D8ea05A83ac5272f"), vm.ForeignAgent(901, agent)) // golden
	require.Equal(t, vm.ForeignAgent(901, agent), vm.ForeignID(uint256.NewInt(901), abi.IdentityRegistryAddress, uint256.NewInt(0xaa)))
	seen := map[common.Address]bool{}
	for _, id := range []common.Address{
		vm.ForeignAgent(901, agent), vm.ForeignAgent(902, agent), vm.ForeignAgent(901, common.Address{1}),
		vm.ForeignID(uint256.NewInt(901), agent, uint256.NewInt(0xaa)),
	} {
		require.False(t, seen[id])
		seen[id] = true
	}
}

// checkForeign asserts that an imported record is where it says, and that its block never falls.
func (s *simulator) checkForeign(k record.Key, v []byte) {
	x := must(record.DecodeForeign(v))
	require.Equal(s.t, record.ForeignKey(vm.ForeignAgent(x.SourceChainId, x.Agent)), k)
	require.GreaterOrEqual(s.t, x.SourceBlock, s.imported[k], "an older block replaced a newer one")
	require.LessOrEqual(s.t, x.ImportedAt, s.time)
	s.imported[k] = x.SourceBlock
}
