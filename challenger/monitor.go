package challenger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum-optimism/optimism/op-challenger/game/scheduler"
	gameTypes "github.com/ethereum-optimism/optimism/op-challenger/game/types"
	"github.com/ethereum-optimism/optimism/op-service/clock"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
)

// gameList is the factory.
type gameList interface {
	GetGamesAtOrAfter(ctx context.Context, block common.Hash, earliestTimestamp uint64) ([]gameTypes.GameMetadata, error)
}

// monitor hands the games of the window to the scheduler and to the bond claimer at every new L1 block.
type monitor struct {
	log      log.Logger
	m        *Metrics
	l1       L1Source
	l1Clock  *clock.SimpleClock
	factory  gameList
	gameType uint32
	window   time.Duration
	poll     time.Duration
	play     interface {
		Schedule([]gameTypes.GameMetadata, uint64) error
	}
	claim interface {
		Schedule(uint64, []gameTypes.GameMetadata) error
	}
	watch *watch
	// each is called for every new block, after the games.
	each func(ctx context.Context)

	mu       sync.Mutex
	lastSeen time.Time // wall clock at which L1 last answered
	lastErr  error
	foreign  map[common.Address]bool // games of other types that were mentioned
}

// run polls until ctx ends.
func (o *monitor) run(ctx context.Context) {
	t := time.NewTicker(o.poll)
	defer t.Stop()
	var last eth.BlockID
	for {
		head, err := o.l1.BlockRefByLabel(ctx, eth.Unsafe)
		if err == nil && head.ID() != last {
			o.l1Clock.SetTime(head.Time)
			if err = o.schedule(ctx, head); err == nil {
				last = head.ID()
				o.m.l1Head.Set(float64(head.Number))
			}
			o.each(ctx)
		}
		o.note(err)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (o *monitor) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lastErr = err; err == nil {
		o.lastSeen = time.Now()
		return
	}
	if !errors.Is(err, context.Canceled) {
		o.log.Warn("Games could not be looked at", "err", err)
	}
}

// health returns what keeps the monitor from its work.
func (o *monitor) health(patience time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if age := time.Since(o.lastSeen); age > patience {
		return fmt.Errorf("games were last looked at %s ago: %w", age.Round(time.Second), o.lastErr)
	}
	return nil
}

func (o *monitor) schedule(ctx context.Context, head eth.BlockRef) error {
	games, err := o.games(ctx, head.Hash)
	if err != nil {
		return err
	}
	o.watch.keep(games)
	if err := o.claim.Schedule(head.Number, games); err != nil {
		return fmt.Errorf("schedule bond claims: %w", err)
	}
	if err := o.play.Schedule(games, head.Number); err != nil && !errors.Is(err, scheduler.ErrBusy) {
		return fmt.Errorf("schedule games: %w", err)
	}
	return nil
}

// games returns the window's games of our type.
func (o *monitor) games(ctx context.Context, block common.Hash) ([]gameTypes.GameMetadata, error) {
	all, err := o.factory.GetGamesAtOrAfter(ctx, block, clock.MinCheckedTimestamp(o.l1Clock, o.window))
	if err != nil {
		return nil, fmt.Errorf("list games: %w", err)
	}
	games := all[:0]
	for _, g := range all {
		if g.GameType == o.gameType {
			games = append(games, g)
		} else if !o.foreign[g.Proxy] {
			if o.foreign == nil {
				o.foreign = map[common.Address]bool{}
			}
			o.foreign[g.Proxy] = true
			o.log.Warn("Game of another type is ignored", "game", g.Proxy, "type", g.GameType)
		}
	}
	return games, nil
}
