package challenger

import (
	"context"
	"fmt"
	"math/big"
	"math/rand"
	"net/http"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
)

const (
	inProgress     = 0
	challengerWins = 1
	defenderWins   = 2
)

// until polls a condition.
func (s *stage) until(limit time.Duration, what string, cond func() bool) {
	s.t.Helper()
	require.Eventually(s.t, cond, limit, 30*time.Millisecond, what)
}

// duel lets the liar answer until neither side moves any more.
func (s *stage) duel(svc *Service, game common.Address, seed int64) {
	rng := rand.New(rand.NewSource(seed))
	quiet := 0
	for deadline := time.Now().Add(60 * time.Second); quiet < 20; {
		require.True(s.t, time.Now().Before(deadline), "the game does not end")
		before := s.fingerprint(svc, game)
		moves := s.lie(svc, game, rng)
		s.mine(0, 1) // L1 goes on
		time.Sleep(60 * time.Millisecond)
		if moves == 0 && s.fingerprint(svc, game) == before {
			quiet++
		} else {
			quiet = 0
		}
	}
}

func (s *stage) fingerprint(svc *Service, game common.Address) string {
	out := ""
	for _, c := range s.claims(svc, game) {
		out += c.CounteredBy.Hex()
	}
	return out
}

// settle runs the clocks out and waits for the game's end and for the honest side's money.
func (s *stage) settle(game common.Address, want uint8) {
	s.mine(clockSecs+1, 1)
	s.until(20*time.Second, "the game resolves", func() bool { s.mine(0, 1); return s.status(game) != inProgress })
	require.Equal(s.t, want, s.status(game))
}

func (s *stage) balance(a common.Address) *big.Int {
	b, err := s.eth.BalanceAt(s.t.Context(), a, nil)
	require.NoError(s.t, err)
	return b
}

// A wrong root loses: the challenger bisects, the last step runs on L1, the game resolves against it, and the bonds of the
// liar end on the challenger's account once the delay is over.
func TestWrongRootLoses(t *testing.T) {
	for seed := int64(1); seed <= 2; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.onlyAttacks = seed == 1
			svc := s.start()
			me := crypto.PubkeyToAddress(s.honest.PublicKey)
			game := s.propose(s.liar, common.Hash{31: byte(seed)}, 8)
			before := s.balance(me)
			s.duel(svc, game, seed)

			stepped := 0
			for _, c := range s.claims(svc, game) {
				if c.Depth() == maxDepth && c.CounteredBy == me {
					stepped++
					if s.onlyAttacks {
						require.EqualValues(t, 1<<maxDepth, c.ToGIndex().Uint64(), "the first step, which reads the game's local data")
					}
				}
			}
			require.NotZero(t, stepped, "the dispute ended on a step")
			s.settle(game, challengerWins)
			require.Positive(t, s.view("FaultDisputeGame", game, "credit", me)[0].(*big.Int).Sign())
			// The delay of DelayedWETH runs from the last bond that was unlocked.
			s.mine(1, 1)
			require.Never(t, func() bool { return s.balance(me).Cmp(before) > 0 }, 300*time.Millisecond, 50*time.Millisecond, "bonds are paid before their delay")
			s.mine(61, 1)
			s.until(10*time.Second, "bonds are claimed", func() bool {
				s.mine(0, 1)
				return s.view("FaultDisputeGame", game, "credit", me)[0].(*big.Int).Sign() == 0
			})
			gain := new(big.Int).Sub(s.balance(me), before)
			require.Positive(t, gain.Cmp(big.NewInt(8e16)), "at least the proposer's bond is ours, less gas: %v", gain)
		})
	}
}

// A right root is defended against a player that lies everywhere.
func TestRightRootStands(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	svc := s.start()
	game := s.propose(s.honest, outputRoot(7), 7)
	rng := rand.New(rand.NewSource(4))
	require.NotZero(t, s.lie(svc, game, rng))
	s.duel(svc, game, 4)
	require.Greater(t, len(s.claims(svc, game)), maxDepth-1, "the whole depth was played")
	s.settle(game, defenderWins)
	root := s.view("FaultDisputeGame", game, "rootClaim")[0].([32]byte)
	require.Equal(t, outputRoot(7), common.Hash(root))
}

// A challenger that is stopped in the middle of a game, and one that starts after the proposal, play on from what L1 says.
func TestRestartContinues(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	game := s.propose(s.liar, common.Hash{1}, 6)
	svc, err := s.service()
	require.NoError(t, err)
	require.NoError(t, svc.Start(t.Context()))
	rng := rand.New(rand.NewSource(5))
	s.until(20*time.Second, "half of the depth is played", func() bool { s.mine(0, 1); s.lie(svc, game, rng); return len(s.claims(svc, game)) >= maxDepth/2 })
	require.NoError(t, svc.Stop(context.Background()))
	moves := len(s.claims(svc, game))
	s.lie(svc, game, rng)

	again := s.start()
	s.duel(again, game, 6)
	require.Greater(t, len(s.claims(again, game)), moves+1)
	s.settle(game, challengerWins)
}

// A root that is right, but repeated under a block that does not derive yet, falls by its block number.
func TestRepeatedRootFallsByItsNumber(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.c.headers = true
	out, err := rollupAPI{s.c}.OutputAtBlock(safeBlock)
	require.NoError(t, err)
	svc, err := s.service()
	require.NoError(t, err)
	// The anchor of this stage is CountingVM's root of block 0; a game from it cannot be validated against these outputs.
	svc.board.rollup = anchorOnly{svc.board.rollup}
	require.NoError(t, svc.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, svc.Stop(context.Background())) })
	game := s.propose(s.liar, common.Hash(out.OutputRoot), safeBlock+5)
	s.until(20*time.Second, "the number is challenged", func() bool {
		s.mine(0, 1)
		return s.view("FaultDisputeGame", game, "l2BlockNumberChallenged")[0].(bool)
	})
	s.settle(game, challengerWins)
}

// Without safe heads the challenger does not start; if they go away later it neither plays nor resolves.
func TestNoGuessWithoutSafeHeads(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.setSafeDB(false)
	_, err := s.service()
	require.ErrorIs(t, err, ErrSafeDB)

	s.setSafeDB(true)
	svc := s.start()
	s.until(5*time.Second, "healthy", func() bool { return s.health(svc) == http.StatusOK })
	s.setSafeDB(false)
	game := s.propose(s.liar, common.Hash{2}, 5)
	s.mine(clockSecs+1, 1)
	s.until(10*time.Second, "unhealthy", func() bool { s.mine(1, 1); return s.health(svc) == http.StatusServiceUnavailable })
	require.Never(t, func() bool { s.mine(1, 1); return s.status(game) != inProgress }, time.Second, 100*time.Millisecond, "a wrong root was resolved on a guess")
	require.Len(t, s.claims(svc, game), 1)
}

func (s *stage) setSafeDB(on bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.safeDB = on
}

func (s *stage) health(svc *Service) int {
	resp, err := http.Get("http://" + svc.HealthAddr().String() + "/healthz")
	require.NoError(s.t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}
