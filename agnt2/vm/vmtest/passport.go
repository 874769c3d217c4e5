package vmtest

import (
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Import is importAgent of one of a few agents of two other chains, often at a block that is recorded already.
func (g *Generator) Import() *abi.ImportAgentCall {
	c := &abi.ImportAgentCall{SourceChainId: 5000 + g.Rnd.Uint64N(2), SourceBlock: g.Rnd.Uint64N(1 << g.Rnd.IntN(40)), Agent: g.Accounts[g.Rnd.IntN(3)]}
	c.Identity = abi.IRecordsAgent{
		Status: uint8(vm.Active), Owner: g.anyone(), Epoch: 1, RegisteredAt: g.Rnd.Uint64N(1000), LastHeartbeat: g.Rnd.Uint64N(1000),
		ImageDigest: common.Hash{byte(g.Rnd.IntN(2))}, Name: strings.Repeat("f", 1+g.Rnd.IntN(64)), Version: strings.Repeat("v", g.Rnd.IntN(33)),
	}
	if g.chance(12) {
		c.Identity.Name += strings.Repeat("f", 64)
	}
	if g.chance(12) {
		c.Identity.Version += strings.Repeat("v", 33)
	}
	if !g.chance(3) {
		c.Reputation = abi.IRecordsReputation{
			Completed: g.Rnd.Uint64N(1000), Timeouts: g.Rnd.Uint64N(100), CountedCompleted: g.Rnd.Uint64N(1000), DistinctCallers: g.Rnd.Uint64N(100),
			SumOfSquares: g.number(1000), LastActiveAt: g.Rnd.Uint64N(1000), InteractionHistoryRoot: common.Hash{byte(g.Rnd.IntN(2))}, Aborts: g.Rnd.Uint64N(3),
		}
		if squares := &c.Reputation.SumOfSquares; squares.BitLen() > 128 {
			squares.Rsh(squares, 128)
		}
	}
	return c
}

// passport is the family of imports, mostly from where they may come; only as deposits do they succeed.
func (g *Generator) passport(from common.Address) Draft {
	if p := g.policy(); p.AgentPassport != (common.Address{}) && !g.chance(6) {
		from = p.AgentPassport
	}
	return Draft{From: from, To: &abi.Address, Data: g.Import().Encode()}
}
