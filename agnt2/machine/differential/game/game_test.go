package game

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/machine"
)

// rounds is how often the random games are played, each time with other seeds.
var rounds = flag.Uint64("rounds", 1, "rounds of random games")

// verdict is what the machine says about an output root of the block after agreed.
func verdict(t *testing.T, w *world, agreed, claimed uint64, disputed common.Hash) machine.Status {
	t.Helper()
	env := w.Env(agreed, disputed)
	env.Game.Claimed = claimed
	trace, err := machine.NewTrace(background, env, w.L1Source(), w.World)
	require.NoError(t, err)
	require.LessOrEqual(t, trace.Len(), uint64(1)<<(traceDepth-1))
	final := trace.Final()
	return final.Status
}

// target finds a block that can be corrupted in a way.
func (w *world) target(rnd *rand.Rand, c corruption) (n uint64, root common.Hash, ok bool) {
	for _, i := range rnd.Perm(int(w.safe)) {
		n := uint64(i + 1)
		if root, ok := c.make(w, rnd, n); ok && root != w.Output(n) {
			return n, root, true
		}
	}
	return 0, common.Hash{}, false
}

// around is a game's range of blocks that has block n in it.
func (w *world) around(rnd *rand.Rand, n uint64) (anchor, claimed uint64) {
	anchor = n - 1 - rnd.Uint64N(min(n, 1<<splitDepth))
	return anchor, n + rnd.Uint64N(min(anchor+1<<splitDepth, w.safe)-n+1)
}

// diverges chooses where a lying machine begins to lie: most often while it runs, else in its last state, in the repetitions of
// that, or at once.
func diverges(rnd *rand.Rand) func(length, positions uint64) uint64 {
	return func(length, positions uint64) uint64 {
		switch rnd.IntN(8) {
		case 0:
			return length - 1
		case 1:
			return length + rnd.Uint64N(positions-length)
		case 2:
			return 0
		}
		return rnd.Uint64N(length)
	}
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 11)) }

// noise makes a player without a plan, which also knows what the others do.
func (m *match) noise(rnd *rand.Rand, moves int, values ...*player) *noise {
	n := &noise{match: m, rnd: rnd, moves: moves, attempts: 4}
	for _, v := range values {
		n.values = append(n.values, v.accessor)
	}
	return n
}

// tally is what a test has seen of games.
type tally struct {
	games, claims, steps, refuted int
	kinds                         map[string]int // of the honest player's steps
	gas                           map[string]uint64
}

func (y *tally) add(h *player, n *noise) {
	m := h.match
	y.games++
	y.claims += len(m.claims)
	y.steps += h.stepped
	if n != nil {
		y.refuted += n.attempted
	}
	if y.gas == nil {
		y.gas, y.kinds = map[string]uint64{}, map[string]int{}
	}
	for k, n := range h.kinds {
		y.kinds[k] += n
	}
	for k, g := range m.gas {
		y.gas[k] = max(y.gas[k], g)
	}
}

func (y *tally) report(t *testing.T) {
	t.Helper()
	t.Logf("%d games, %d claims, %d steps of the honest player, %d refused ones of the liar; most gas %v", y.games, y.claims, y.steps, y.refuted, y.gas)
	t.Logf("%d kinds of steps: %v", len(y.kinds), y.kinds)
	require.NotZero(t, y.steps, "no game ended on a step")
	require.NotZero(t, y.refuted)
}

// stages are worlds with a verifier each, whose games end on the liar's claims or on the honest player's.
func stages(t *testing.T, round uint64) (ws []*world, ss []*stage) {
	t.Helper()
	for seed := 2*round + 1; seed <= 2*round+2; seed++ {
		w := newWorld(seed, 44, 3)
		for n := range w.L2[1:] {
			root, ok := w.redone(uint64(n)+1, w.L2[n+1].Witness.Txs)
			require.True(t, ok && root == w.Output(uint64(n)+1), "seed %d: block %d is executed again in another way", seed, n+1)
		}
		ws, ss = append(ws, w), append(ss, newStage(t, w, depthOf(maxDepth-1+int(seed%2)), nil))
	}
	return ws, ss
}

// TestCorruptedBlocks: whatever is wrong about a block, its output root loses, and the right one of the same block stands.
func TestCorruptedBlocks(t *testing.T) {
	var all tally
	for round := range *rounds {
		ws, ss := stages(t, round)
		for i, c := range corruptions {
			found := false
			for j, w := range ws {
				seed := 10_000*round + uint64(10*i+j)
				rnd := seeded(seed)
				n, root, ok := w.target(rnd, c)
				if !ok {
					continue
				}
				found = true
				t.Run(fmt.Sprintf("%s, seed %d", c.name, seed), func(t *testing.T) {
					anchor, claimed := w.around(rnd, n)
					require.Equal(t, machine.Invalid, verdict(t, w, n-1, claimed, root), "block %d", n)
					require.Equal(t, machine.Valid, verdict(t, w, n-1, claimed, w.Output(n)), "block %d", n)
					if testing.Short() && (i+j)%4 != 0 {
						return
					}
					right := rnd.IntN(3) == 0
					all.add(duel(t, w, ss[j], rnd, c.name, anchor, claimed, n, root, right))
				})
			}
			require.True(t, found || round > 0, "no block has this: %s", c.name)
		}
	}
	all.report(t)
}

// duel plays a game over a block that the liar corrupts: as the proposer, or against the honest proposer's right root.
func duel(t *testing.T, w *world, s *stage, rnd *rand.Rand, salt string, anchor, claimed, n uint64, output common.Hash, right bool) (*player, *noise) {
	t.Helper()
	s.t = t
	root, by, last := w.Output(min(claimed, w.safe)), honest, common.Hash{}
	if !right {
		by, root = liar, anyHash(rnd)
		if n == claimed {
			root = output
		}
		last = root
	}
	m := s.propose(w, by, anchor, claimed, root)
	h := m.honest()
	l := m.liar(salt, n, output, last, diverges(rnd))
	x := m.noise(rnd, rnd.IntN(2)*rnd.IntN(40), h, l)
	m.play(h, l, x)
	m.honestWins(right)
	return h, x
}

// TestLiesEverywhere: a player that counters everything at random, in several places at once, loses.
func TestLiesEverywhere(t *testing.T) {
	var all tally
	for round := range *rounds {
		ws, ss := stages(t, round)
		games := uint64(6)
		if testing.Short() {
			games = 2
		}
		for i := range games {
			seed := 10_000*round + 1000 + i
			t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
				rnd := seeded(seed)
				w, s := ws[i%2], ss[i%2]
				s.t = t
				n := 1 + rnd.Uint64N(w.safe)
				anchor, claimed := w.around(rnd, n)
				root, by, right := w.Output(claimed), honest, rnd.IntN(2) == 0
				if !right {
					root, by = anyHash(rnd), liar
				}
				m := s.propose(w, by, anchor, claimed, root)
				h := m.honest()
				x := m.noise(rnd, 150, h)
				m.play(h, x)
				m.honestWins(right)
				all.add(h, x)
			})
		}
	}
	all.report(t)
}

// TestEmptyBlocks: blocks that nobody has committed are empty, be it because later ones were or because the window has passed; a
// sequencer cannot put into them what it has not committed.
func TestEmptyBlocks(t *testing.T) {
	var w *world
	var empty []uint64
	for seed := uint64(6); len(empty) < 7; seed++ { // the last six, and a gap at least
		w, empty = newWorld(seed, 24, -6), nil
		for n := uint64(1); n <= w.safe; n++ {
			if w.L2[n].Record.TxCount == 0 {
				empty = append(empty, n)
			}
		}
	}
	s := newStage(t, w, maxDepth, nil)
	for _, c := range corruptions {
		if c.name != "a transaction that nobody has committed" && c.name != "invented deposit" && c.name != "timestamp" {
			continue
		}
		for _, n := range []uint64{empty[0], w.safe - 5, w.safe} {
			rnd := seeded(n)
			root, ok := c.make(w, rnd, n)
			require.True(t, ok)
			anchor, claimed := w.around(rnd, n)
			require.Equal(t, machine.Invalid, verdict(t, w, n-1, claimed, root), "%s, block %d", c.name, n)
			require.Equal(t, machine.Valid, verdict(t, w, n-1, claimed, w.Output(n)), "%s, block %d", c.name, n)
			duel(t, w, s, rnd, c.name, anchor, claimed, n, root, n == w.safe)
		}
	}
}

// TestNotDerivable: what L1 does not have yet at the proof head cannot be claimed; not by its right root either.
func TestNotDerivable(t *testing.T) {
	w := newWorld(5, 20, 4)
	s := newStage(t, w, maxDepth, nil)
	for seed := uint64(1); seed <= 3; seed++ {
		rnd := seeded(seed)
		next := w.safe + 1
		require.Equal(t, machine.Invalid, verdict(t, w, w.safe, next, w.Output(next)))
		require.Equal(t, machine.Valid, verdict(t, w, w.safe, next, w.Output(w.safe)))
		anchor := w.safe - rnd.Uint64N(8)
		duel(t, w, s, rnd, "early", anchor, next, next, w.Output(next), false)
		claimed := next + rnd.Uint64N(3)
		h, _ := duel(t, w, s, rnd, "made up", anchor, claimed, next, anyHash(rnd), false)
		require.NotZero(t, h.stepped)
	}
	// The right root of the last block that derives, under a higher number: no game to bisect, its number is wrong.
	m := s.propose(w, liar, w.safe-2, w.safe+2, w.Output(w.safe))
	m.play(m.honest())
	require.True(t, m.view(m.game, "l2BlockNumberChallenged")[0].(bool))
	m.honestWins(false)
}
