package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
)

const (
	// logRange bounds one eth_getLogs.
	logRange = 2_000
	// rescan is how many recent blocks each look reads again: a reorganisation of the unsafe chain can replace them.
	rescan = 16
	// subscribedRescan is how often they are read while a subscription delivers.
	subscribedRescan = 3 * time.Second
	resubscribeAfter = time.Second
	logBuffer        = 256
)

// filterLogs reads the AGNT2 address's logs of the blocks from first to last, both included, in order.
func (c *Client) filterLogs(ctx context.Context, topics [][]common.Hash, first, last uint64) ([]types.Log, error) {
	var all []types.Log
	for lo := first; lo <= last; lo += logRange {
		hi := min(lo+logRange-1, last)
		rctx, cancel := c.request(ctx)
		logs, err := c.ec.FilterLogs(rctx, ethereum.FilterQuery{
			Addresses: []common.Address{abi.Address}, Topics: topics,
			FromBlock: new(big.Int).SetUint64(lo), ToBlock: new(big.Int).SetUint64(hi),
		})
		cancel()
		if err != nil {
			return nil, fmt.Errorf("logs of blocks %d to %d: %w", lo, hi, err)
		}
		all = append(all, logs...)
	}
	return all, nil
}

func (c *Client) blockNumber(ctx context.Context) (uint64, error) {
	rctx, cancel := c.request(ctx)
	defer cancel()
	n, err := c.ec.BlockNumber(rctx)
	if err != nil {
		return 0, fmt.Errorf("block number: %w", err)
	}
	return n, nil
}

// logKey tells one inclusion of a log from another: after a reorganisation the same event has another key.
type logKey struct {
	block common.Hash
	index uint
}

// logFollower delivers every log that matches, from a block on, each inclusion once. Over WebSocket a subscription
// delivers new ones at once; reading the recent blocks again finds whatever it missed, and is all there is over HTTP.
type logFollower struct {
	c       *Client
	topics  [][]common.Hash
	from    uint64
	next    uint64
	seen    map[logKey]uint64 // block number
	deliver func(context.Context, *types.Log) (done bool, err error)

	logs        chan types.Log
	sub         ethereum.Subscription
	resubscribe time.Time
	noSubs      bool
}

// follow blocks until deliver says done or fails, or ctx ends. Failing requests are repeated until then.
func (c *Client) follow(ctx context.Context, topics [][]common.Hash, from uint64, deliver func(context.Context, *types.Log) (bool, error)) error {
	f := &logFollower{c: c, topics: topics, from: from, next: from, seen: map[logKey]uint64{}, deliver: deliver, noSubs: !c.subscribes}
	defer f.unsubscribe()
	var last error
	for {
		// Subscribe before reading, so that nothing falls between the two.
		if err := f.subscribe(ctx); err != nil {
			last = err
		}
		done, err := f.read(ctx)
		var stop *deliveryError
		switch {
		case errors.As(err, &stop):
			return stop.err
		case err != nil:
			last = err
			log.Debug("following events", "err", err)
		case done:
			return nil
		}
		done, err = f.listen(ctx)
		if done || err != nil {
			if ctx.Err() != nil {
				return ended(ctx, last)
			}
			return err
		}
	}
}

// deliveryError is deliver's own error, which ends following, unlike a failing request.
type deliveryError struct{ err error }

func (e *deliveryError) Error() string { return e.err.Error() }

func (f *logFollower) subscribe(ctx context.Context) error {
	if f.noSubs || f.sub != nil || time.Now().Before(f.resubscribe) {
		return nil
	}
	f.resubscribe = time.Now().Add(resubscribeAfter)
	f.logs = make(chan types.Log, logBuffer)
	rctx, cancel := f.c.request(ctx)
	defer cancel()
	sub, err := f.c.ec.SubscribeFilterLogs(rctx, ethereum.FilterQuery{Addresses: []common.Address{abi.Address}, Topics: f.topics}, f.logs)
	if err != nil {
		f.noSubs = errors.Is(err, rpc.ErrNotificationsUnsupported)
		return fmt.Errorf("subscribe: %w", err)
	}
	f.sub = sub
	return nil
}

func (f *logFollower) unsubscribe() {
	if f.sub != nil {
		f.sub.Unsubscribe()
		f.sub = nil
	}
}

// read delivers what is on the chain.
func (f *logFollower) read(ctx context.Context) (done bool, err error) {
	head, err := f.c.blockNumber(ctx)
	if err != nil {
		return false, err
	}
	for f.next <= head {
		last := min(f.next+logRange-1, head)
		logs, err := f.c.filterLogs(ctx, f.topics, f.next, last)
		if err != nil {
			return false, err
		}
		for i := range logs {
			if done, err := f.offer(ctx, &logs[i]); done || err != nil {
				return done, err
			}
		}
		f.next = last + 1
	}
	if head+1 > rescan {
		f.next = max(f.from, head+1-rescan)
	} else {
		f.next = f.from
	}
	for k, number := range f.seen {
		if number < f.next {
			delete(f.seen, k)
		}
	}
	return false, nil
}

// listen delivers from the subscription until it is time to read again.
func (f *logFollower) listen(ctx context.Context) (done bool, err error) {
	every := f.c.poll
	var failed <-chan error
	var logs <-chan types.Log
	if f.sub != nil {
		every, failed, logs = subscribedRescan, f.sub.Err(), f.logs
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case <-timer.C:
			return false, nil
		case err := <-failed:
			log.Debug("subscription ended, reading and subscribing again", "err", err)
			f.sub = nil
			// A connection that came back at once must not be waited for.
			return false, pause(ctx, min(f.c.poll, resubscribeAfter))
		case l := <-logs:
			if l.Removed || l.BlockNumber < f.from {
				continue
			}
			done, err := f.offer(ctx, &l)
			var stop *deliveryError
			if errors.As(err, &stop) {
				return true, stop.err
			}
			if done {
				return true, nil
			}
		}
	}
}

func (f *logFollower) offer(ctx context.Context, l *types.Log) (bool, error) {
	k := logKey{l.BlockHash, l.Index}
	if _, ok := f.seen[k]; ok {
		return false, nil
	}
	f.seen[k] = l.BlockNumber
	done, err := f.deliver(ctx, l)
	if err != nil {
		return true, &deliveryError{err}
	}
	return done, nil
}
