package game

import (
	"testing"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/trace/split"
	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/internal/solidity"
)

// TestLocalKeyFour: version 1.2.0 of the game does not clamp its local data 4, the number of the disputed block, to the block of
// the root claim. So a game about block N has room for a dispute about block N+1: an attacker agrees with the right root at N, and
// goes on with the chain where the game ends. A machine that believes local data 4 executes N+1, finds the attacker's output, and
// a right root falls. Ours asks the game.
func TestLocalKeyFour(t *testing.T) {
	const anchor, claimed = 8, 13
	w := newWorld(7, 30, 0)
	exploit := func(s *stage) (*match, *player) {
		m := s.propose(w, honest, anchor, claimed, w.Output(claimed))
		l := &lies{
			m: m, from: w.safe + 1, unclamped: true, machines: map[common.Hash]*lyingMachine{},
			diverges: func(_, positions uint64) uint64 { return positions }, // not at all
		}
		attacker := m.player(liar, trace.NewAccessor(split.NewSplitProviderSelector(l, splitDepth, l.lower)))
		h := m.honest()
		h.fails = true
		m.play(h, attacker)
		require.Greater(t, len(m.claims), splitDepth+3, "the attacker's game goes down to the machine")
		return m, attacker
	}
	for _, depth := range []int{maxDepth - 1, maxDepth} {
		unclamped := func(s *stage) *solidity.Contract { return s.deploy("GameKeyFour", s.verifier.Address) }
		m, attacker := exploit(newStage(t, w, depthOf(depth), unclamped))
		require.EqualValues(t, challengerWins, m.resolve(), "depth %d: the exploit works on a machine that reads local data 4", depth)
		require.Positive(t, m.credit(liar).Cmp(m.paid[liar]), "and pays")
		bottom := m.claims[len(m.claims)-1]
		require.Equal(t, m.depth, bottom.Depth())
		require.Equal(t, depth%2 == 1, bottom.Claimant == liar, "depth %d: both ways to end on a step occur", depth)
		require.Equal(t, bottom.Claimant == liar, attacker.stepped == 0)

		m, attacker = exploit(newStage(t, w, depthOf(depth), nil))
		require.Zero(t, attacker.stepped)
		m.honestWins(true)
	}
	require.Equal(t, machine.Valid, verdict(t, w, claimed, claimed, w.Output(claimed)))
	require.Equal(t, machine.Invalid, verdict(t, w, claimed, claimed, w.Output(claimed+1)))
}
