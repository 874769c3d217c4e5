package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// Handler does the work of a capability: params in, result out. It must be safe for concurrent use and end when ctx does,
// shortly before the interaction's deadline. Its error chooses the answer: one that wraps ErrParams gives PARSE_FAILURE,
// ErrReject gives REJECTED, the end of ctx gives TIMEOUT_GRACEFUL, anything else ERROR. None of them is paid.
type Handler func(ctx context.Context, params []byte) ([]byte, error)

var (
	// ErrParams is what a Handler wraps when it cannot read its params.
	ErrParams = errors.New("params cannot be parsed")
	// ErrReject is what a Handler wraps when it will not do this call.
	ErrReject = errors.New("call rejected")

	// errSettledBefore: replay found a call that an earlier run answered. Nothing to do, nothing to report.
	errSettledBefore = errors.New("settled before")
)

// ServeOptions of Account.Serve. The zero value works.
type ServeOptions struct {
	// Concurrency is how many calls are worked on at once; 0: 8. Further ones wait, on the chain.
	Concurrency int
	// FromBlock is where to look for calls that are still pending; 0: ReplayBlocks before the latest block.
	FromBlock uint64
	// ReplayBlocks is used without FromBlock; 0: 3600. Calls with a longer TTL than that many blocks need FromBlock.
	ReplayBlocks uint64
	// Attest adds an EIP-712 attestation to every response.
	Attest bool
	// ImageDigest is attested; it must be the registered one.
	ImageDigest common.Hash
	// Margin before the deadline at which a handler's ctx ends, so that the response is still in time; 0: 2 s, at most a
	// third of the time left.
	Margin time.Duration
	// OnSettled, if set, hears about every call that was answered or could not be: receipt is nil in the latter case.
	OnSettled func(call abi.InvokedEvent, status ResponseStatus, receipt *types.Receipt, err error)
}

const (
	defaultConcurrency  = 8
	defaultReplayBlocks = 3600
	defaultMargin       = 2 * time.Second
	respondAttempts     = 5
)

// Serve answers INVOKEs of one capability of this agent until ctx ends, and returns ctx's error. It picks up calls that
// were pending before it started, works on at most Concurrency of them at once, checks every payload's hash, and answers
// each call once: a call that is settled or past its deadline is left alone. Transient failures are retried and logged. A
// handler whose process dies before it responds runs again after a restart, if there is time.
func (a *Account) Serve(ctx context.Context, capability string, handler Handler, opts ServeOptions) error {
	if a.c.payloads == nil {
		return fmt.Errorf("serve %q: %w", capability, ErrNoPayloadStore)
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = defaultConcurrency
	}
	if opts.Margin <= 0 {
		opts.Margin = defaultMargin
	}
	if opts.ReplayBlocks == 0 {
		opts.ReplayBlocks = defaultReplayBlocks
	}
	from := opts.FromBlock
	if from == 0 {
		head, err := a.c.blockNumber(ctx)
		if err != nil {
			return fmt.Errorf("serve %q: %w", capability, err)
		}
		if head > opts.ReplayBlocks {
			from = head - opts.ReplayBlocks
		}
	}
	s := &server{a: a, id: CapabilityID(capability), handler: handler, opts: opts, slots: make(chan struct{}, opts.Concurrency), taken: map[common.Hash]uint64{}}
	defer s.working.Wait()
	topics := [][]common.Hash{{abi.InvokedTopic}, nil, nil, {common.BytesToHash(a.Address().Bytes())}}
	if err := a.c.follow(ctx, topics, from, s.accept); err != nil {
		return fmt.Errorf("serve %q: %w", capability, err)
	}
	return nil
}

type server struct {
	a       *Account
	id      common.Hash // of the capability
	handler Handler
	opts    ServeOptions
	slots   chan struct{}
	working sync.WaitGroup
	taken   map[common.Hash]uint64 // deadline of the calls accepted; used by accept alone
}

// accept starts work on a call; it blocks while all slots are busy, which holds the follower back.
func (s *server) accept(ctx context.Context, l *types.Log) (bool, error) {
	call, err := abi.DecodeInvokedEvent(l)
	if err != nil {
		log.Warn("unreadable Invoked event", "tx", l.TxHash, "err", err)
		return false, nil
	}
	now := uint64(time.Now().Unix())
	if call.Capability != s.id || call.Deadline < now {
		return false, nil
	}
	if _, ok := s.taken[call.Id]; ok {
		return false, nil
	}
	for id, deadline := range s.taken {
		if deadline < now {
			delete(s.taken, id)
		}
	}
	s.taken[call.Id] = call.Deadline
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case s.slots <- struct{}{}:
	}
	s.working.Go(func() {
		defer func() { <-s.slots }()
		status, receipt, err := s.answer(ctx, call)
		if errors.Is(err, errSettledBefore) {
			return
		}
		if err != nil {
			log.Warn("call not answered", "id", call.Id, "status", status, "err", err)
		}
		if s.opts.OnSettled != nil {
			s.opts.OnSettled(call, status, receipt, err)
		}
	})
	return false, nil
}

// answer does the work of one call and responds.
func (s *server) answer(ctx context.Context, call abi.InvokedEvent) (ResponseStatus, *types.Receipt, error) {
	deadline := time.Unix(int64(call.Deadline), 0)
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(time.Second)) // the deadline's own second is in time
	defer cancel()
	record, err := s.a.c.Interaction(ctx, call.Id)
	if err != nil {
		return StatusError, nil, err
	}
	if st := InteractionStatus(record.Status); st.Final() {
		return StatusError, nil, errSettledBefore
	}
	left := time.Until(deadline)
	workUntil := deadline.Add(-min(s.opts.Margin, left/3))
	wctx, stop := context.WithDeadline(ctx, workUntil)
	started := time.Now()
	result, err := s.work(wctx, call)
	spent := time.Since(started)
	timedOut := wctx.Err() != nil
	stop()
	status := StatusOK
	switch {
	case err == nil:
	case errors.Is(err, ErrParams):
		status = StatusParseFailure
	case errors.Is(err, ErrReject):
		status = StatusRejected
	case timedOut:
		status = StatusTimeoutGraceful
	default:
		status = StatusError
	}
	if err != nil {
		log.Info("call failed", "id", call.Id, "status", status, "err", err)
		result = nil
	}
	receipt, err := s.respond(ctx, call, Response{
		ID: call.Id, Status: status, Result: result, ExecutionMs: uint64(spent.Milliseconds()), TimestampMs: uint64(time.Now().UnixMilli()),
	})
	return status, receipt, err
}

// work fetches the params and runs the handler.
func (s *server) work(ctx context.Context, call abi.InvokedEvent) (result []byte, err error) {
	var params []byte
	for attempt := 0; ; attempt++ {
		params, err = s.a.c.Payload(ctx, call.ParamsHash)
		if err == nil {
			break
		}
		if attempt == payloadAttempts || pause(ctx, payloadBackoff<<attempt) != nil {
			// Params that the caller does not provide are not the callee's fault: a rejection refunds without penalty.
			return nil, fmt.Errorf("%w: params: %w", ErrReject, err)
		}
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v", p)
		}
	}()
	return s.handler(ctx, params)
}

// respond retries what may be transient until the deadline; the operation's own failures are final.
func (s *server) respond(ctx context.Context, call abi.InvokedEvent, r Response) (*types.Receipt, error) {
	if s.opts.Attest {
		at := Attestation{ID: call.Id, ParamsHash: call.ParamsHash, Status: uint8(r.Status), ExecutionMs: r.ExecutionMs, TimestampMs: r.TimestampMs, ImageDigest: s.opts.ImageDigest}
		if r.Status == StatusOK {
			at.ResultHash = keccak(r.Result)
		}
		sig, err := SignAttestation(&at, s.a.key, s.a.c.chainID.Uint64())
		if err != nil {
			return nil, err
		}
		r.Attestation = sig
	}
	for attempt := 0; ; attempt++ {
		receipt, err := s.a.Respond(ctx, r)
		var failed *OperationError
		if err == nil || errors.As(err, &failed) || errors.Is(err, ErrVoid) || attempt == respondAttempts {
			return receipt, err
		}
		log.Debug("respond failed, trying again", "id", call.Id, "err", err)
		if pause(ctx, payloadBackoff<<attempt) != nil {
			return nil, ended(ctx, err)
		}
	}
}
