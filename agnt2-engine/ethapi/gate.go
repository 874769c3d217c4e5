package ethapi

import (
	"context"
	"sync/atomic"
)

// gate bounds how many callers are inside and how many wait to get in: WebSocket clients can start any number of
// requests on one connection, and the rpc package runs each in a goroutine of its own.
type gate struct {
	inside   chan struct{}
	waiting  atomic.Int64
	maxQueue int64
}

func newGate(capacity, queue int) *gate {
	return &gate{inside: make(chan struct{}, capacity), maxQueue: int64(queue)}
}

// enter returns errBusy if the queue is full or the context ends first.
func (g *gate) enter(ctx context.Context) error {
	select {
	case g.inside <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.maxQueue {
		g.waiting.Add(-1)
		return errBusy
	}
	defer g.waiting.Add(-1)
	select {
	case g.inside <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

func (g *gate) leave() { <-g.inside }
