package challenger

import (
	"sync"
	"time"

	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/types"
	gameTypes "github.com/ethereum-optimism/optimism/op-challenger/game/types"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
)

// observation is one look at a game.
type observation struct {
	agree    bool // this node derives the root claim for the claimed block
	outcome  gameTypes.GameStatus
	resolved bool
	block    uint64
	root     common.Hash
	// patience is how long a game in progress may go against our opinion.
	patience time.Duration
}

func (o *observation) bad() bool { return o.agree != (o.outcome == gameTypes.GameStatusDefenderWon) }

// watch keeps what is known about every game of the window and turns it into metrics and alarms. Alarms are log lines of level
// warn and error with the field alert.
type watch struct {
	log log.Logger
	m   *Metrics

	mu         sync.Mutex
	games      map[common.Address]*watched
	unplayable map[common.Address]string // reason
}

type watched struct {
	observation
	badSince time.Time // L1 time; zero if the game goes our way
	losing   bool
}

func newWatch(l log.Logger, m *Metrics) *watch {
	return &watch{log: l, m: m, games: map[common.Address]*watched{}, unplayable: map[common.Address]string{}}
}

// observe records a look at L1 time now.
func (w *watch) observe(game common.Address, o observation, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.unplayable, game)
	old := w.games[game]
	if old == nil {
		old = &watched{}
		w.games[game] = old
		if !o.agree {
			w.log.Warn("Root claim is wrong", "alert", "disagree", "game", game, "block", o.block, "root", o.root)
		}
	}
	justResolved := o.resolved && !old.resolved
	old.observation = o
	switch {
	case !o.bad():
		if old.losing {
			w.log.Info("Game is going our way again", "game", game)
		}
		old.badSince, old.losing = time.Time{}, false
	case o.resolved:
		old.losing = false
		if justResolved {
			w.m.lost.Inc()
			w.log.Error("Game resolved against this node", "alert", "lost", "game", game, "block", o.block, "root", o.root, "outcome", o.outcome)
		}
	case old.badSince.IsZero():
		old.badSince = now
	case !old.losing && now.Sub(old.badSince) > o.patience:
		old.losing = true
		w.log.Error("Game goes against this node", "alert", "losing", "game", game, "block", o.block, "root", o.root, "for", now.Sub(old.badSince))
	}
	w.publish()
}

// refuse records why a game is not played.
func (w *watch) refuse(game common.Address, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unplayable[game] != why.Error() {
		w.log.Error("Game is not played", "alert", "unplayable", "game", game, "err", why)
	}
	w.unplayable[game] = why.Error()
	w.publish()
}

// keep forgets games that left the window.
func (w *watch) keep(games []gameTypes.GameMetadata) {
	in := map[common.Address]bool{}
	for _, g := range games {
		in[g.Proxy] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for g := range w.games {
		if !in[g] {
			delete(w.games, g)
		}
	}
	for g := range w.unplayable {
		if !in[g] {
			delete(w.unplayable, g)
		}
	}
	w.publish()
}

// refused returns one reason why a game is not played; empty if all are.
func (w *watch) refused() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for g, why := range w.unplayable {
		return "game " + g.Hex() + ": " + why
	}
	return ""
}

func (w *watch) publish() {
	losing := 0
	w.m.games.Reset()
	for _, g := range w.games {
		opinion, outcome := "disagree", "challenger"
		if g.agree {
			opinion = "agree"
		}
		if g.outcome == gameTypes.GameStatusDefenderWon {
			outcome = "defender"
		}
		if g.resolved {
			outcome += "_won"
		} else {
			outcome += "_ahead"
		}
		w.m.games.WithLabelValues(opinion, outcome).Inc()
		if g.losing {
			losing++
		}
	}
	w.m.losing.Set(float64(losing))
	w.m.unplayable.Set(float64(len(w.unplayable)))
}

// forecast returns who wins a game if nobody moves again: a claim falls if one of its counters stands, or if it was stepped
// against.
func forecast(claims []types.Claim, blockChallenged bool) gameTypes.GameStatus {
	if blockChallenged {
		return gameTypes.GameStatusChallengerWon
	}
	fallen := make([]bool, len(claims))
	for i := len(claims) - 1; i >= 0; i-- { // a counter comes after what it counters
		if claims[i].CounteredBy != (common.Address{}) {
			fallen[i] = true
		}
		if parent := claims[i].ParentContractIndex; i > 0 && !fallen[i] && parent >= 0 && parent < i {
			fallen[parent] = true
		}
	}
	if len(fallen) > 0 && fallen[0] {
		return gameTypes.GameStatusChallengerWon
	}
	return gameTypes.GameStatusDefenderWon
}
