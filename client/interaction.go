package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// InvokeRequest is the content of INVOKE.
type InvokeRequest struct {
	Callee      common.Address
	Capability  string // name
	Params      []byte // stored and hashed before the INVOKE is sent
	PaymentWei  *big.Int
	TTL         time.Duration // whole seconds, rounded up; within the chain's bounds
	MaxPriceWei *big.Int      // nil: PaymentWei
	SessionID   common.Hash   // informative
	// Salt makes the interaction's id; zero: random.
	Salt common.Hash
}

// Interaction is an INVOKE that is on the chain.
type Interaction struct {
	ID       common.Hash
	Receipt  *types.Receipt // of the INVOKE
	Deadline time.Time      // by L2 block time
	Event    abi.InvokedEvent
	c        *Client
}

// InteractionID is the id of the INVOKE that caller makes with salt: keccak256(abi.encode(caller, salt)).
func InteractionID(caller common.Address, salt common.Hash) common.Hash {
	return vm.InteractionID(caller, salt)
}

// prepare fills a request's defaults and makes the operation of it, without what depends on the params.
func (a *Account) prepare(op string, r *InvokeRequest) (*abi.InvokeCall, error) {
	if r.PaymentWei == nil {
		r.PaymentWei = new(big.Int)
	}
	if r.MaxPriceWei == nil {
		r.MaxPriceWei = r.PaymentWei
	}
	maxPrice, err := toUint256("maxPriceWei", r.MaxPriceWei)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	ttl := (r.TTL + time.Second - 1) / time.Second
	if ttl < 0 || ttl > math.MaxUint32 {
		return nil, fmt.Errorf("%s: TTL %v is out of range", op, r.TTL)
	}
	if r.Salt == (common.Hash{}) {
		if _, err := rand.Read(r.Salt[:]); err != nil {
			return nil, fmt.Errorf("%s: salt: %w", op, err)
		}
	}
	return &abi.InvokeCall{
		Salt: r.Salt, Callee: r.Callee, Capability: CapabilityID(r.Capability), TtlSeconds: uint32(ttl), MaxPriceWei: maxPrice, SessionId: r.SessionID,
	}, nil
}

// Invoke stores the params and calls a capability of another agent with escrowed payment.
func (a *Account) Invoke(ctx context.Context, r InvokeRequest) (*Interaction, error) {
	const op = "invoke"
	call, err := a.prepare(op, &r)
	if err != nil {
		return nil, err
	}
	if call.Da, err = a.c.put(ctx, r.Params); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	call.ParamsHash = call.Da.ContentHash
	receipt, err := a.operate(ctx, op, r.PaymentWei, call.Encode())
	if err != nil {
		return nil, err
	}
	return a.invoked(op, receipt, call.Salt)
}

// invoked reads the interaction that an operation has opened.
func (a *Account) invoked(op string, receipt *types.Receipt, salt common.Hash) (*Interaction, error) {
	l := findEvent(receipt, abi.InvokedTopic)
	if l == nil {
		return nil, fmt.Errorf("%s: transaction %v: %w: Invoked", op, receipt.TxHash, ErrUnexpectedReceipt)
	}
	event, err := abi.DecodeInvokedEvent(l)
	if err != nil {
		return nil, fmt.Errorf("%s: transaction %v: %w", op, receipt.TxHash, err)
	}
	if want := InteractionID(a.Address(), salt); event.Id != want {
		return nil, fmt.Errorf("%s: transaction %v: %w: id %v, not %v", op, receipt.TxHash, ErrUnexpectedReceipt, event.Id, want)
	}
	return &Interaction{ID: event.Id, Receipt: receipt, Deadline: time.Unix(int64(event.Deadline), 0), Event: event, c: a.c}, nil
}

// Wait waits for the interaction's outcome; see Client.WaitResult.
func (i *Interaction) Wait(ctx context.Context) (*Result, error) {
	return i.c.waitResult(ctx, i.ID, i.Receipt.BlockNumber.Uint64())
}

// Result is how an interaction was settled.
type Result struct {
	ID         common.Hash
	Status     InteractionStatus
	ResultHash common.Hash
	// Payload is the result, its hash checked; nil unless Status is InteractionCompleted.
	Payload               []byte
	PaidWei, RefundedWei  *big.Int
	Branch                uint32
	ExecutionMs           uint64      // claimed by the callee
	TxHash                common.Hash // of the RESPOND, or of the deposit that opened the block for a time-out
	BlockNumber, LogIndex uint64
}

// Err is nil for InteractionCompleted and *SettledError otherwise.
func (r *Result) Err() error {
	if r.Status == InteractionCompleted {
		return nil
	}
	return &SettledError{ID: r.ID, Status: r.Status}
}

// SettledError says that an interaction ended without a result.
type SettledError struct {
	ID     common.Hash
	Status InteractionStatus
}

func (e *SettledError) Error() string {
	return fmt.Sprintf("interaction %v ended without a result: %v", e.ID, e.Status)
}

// WaitResult waits until an interaction is settled (RESPOND or time-out) and fetches its result. Events are replayed from
// the INVOKE's block, so nothing is missed between INVOKE and WaitResult, nor while a connection is down. Every outcome
// gives a Result; the error is about learning it, and wraps ErrPayloadHash or ErrPayloadNotFound if the outcome is known
// and the payload is not (the Result is returned beside it).
func (c *Client) WaitResult(ctx context.Context, id common.Hash) (*Result, error) {
	from, err := c.invokeBlock(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.waitResult(ctx, id, from)
}

func (c *Client) waitResult(ctx context.Context, id common.Hash, from uint64) (*Result, error) {
	var r *Result
	topics := [][]common.Hash{{abi.RespondedTopic, abi.TimedOutTopic}, {id}}
	err := c.follow(ctx, topics, from, func(_ context.Context, l *types.Log) (bool, error) {
		var err error
		r, err = decodeResult(l)
		return true, err
	})
	if err != nil {
		return nil, fmt.Errorf("result of %v: %w", id, err)
	}
	if r.Status != InteractionCompleted {
		return r, nil
	}
	if c.payloads == nil {
		return r, fmt.Errorf("result of %v: %w", id, ErrNoPayloadStore)
	}
	// The callee stores the result before it responds, so a store that lacks it is asked again only for a moment: it may be
	// another replica than the callee's.
	for attempt := 0; ; attempt++ {
		r.Payload, err = c.Payload(ctx, r.ResultHash)
		if err == nil {
			return r, nil
		}
		if errors.Is(err, ErrPayloadHash) || errors.Is(err, ErrPayloadTooLarge) || attempt == payloadAttempts {
			return r, fmt.Errorf("result of %v: %w", id, err)
		}
		if perr := pause(ctx, payloadBackoff<<attempt); perr != nil {
			return r, fmt.Errorf("result of %v: %w", id, ended(ctx, err))
		}
	}
}

const (
	payloadAttempts = 4
	payloadBackoff  = 200 * time.Millisecond
)

// decodeResult reads a Responded or TimedOut log.
func decodeResult(l *types.Log) (*Result, error) {
	r := &Result{TxHash: l.TxHash, BlockNumber: l.BlockNumber, LogIndex: uint64(l.Index), PaidWei: new(big.Int)}
	if len(l.Topics) > 0 && l.Topics[0] == abi.TimedOutTopic {
		e, err := abi.DecodeTimedOutEvent(l)
		if err != nil {
			return nil, err
		}
		r.ID, r.Status, r.RefundedWei = e.Id, InteractionTimedOut, e.RefundedWei.ToBig()
		return r, nil
	}
	e, err := abi.DecodeRespondedEvent(l)
	if err != nil {
		return nil, err
	}
	r.ID, r.ResultHash, r.Branch, r.ExecutionMs = e.Id, e.ResultHash, e.Branch, e.ExecutionMs
	r.PaidWei, r.RefundedWei = e.PaidWei.ToBig(), e.RefundedWei.ToBig()
	// ResponseStatus and the final values of InteractionStatus are in the same order.
	r.Status = InteractionCompleted + InteractionStatus(e.Status)
	if r.Status >= InteractionTimedOut {
		return nil, fmt.Errorf("event Responded of %v: status %d is unknown", e.Id, e.Status)
	}
	return r, nil
}

// invokeBlock finds the block of an INVOKE by its event, latest blocks first.
func (c *Client) invokeBlock(ctx context.Context, id common.Hash) (uint64, error) {
	head, err := c.blockNumber(ctx)
	if err != nil {
		return 0, err
	}
	for last := head; ; last -= logRange {
		first := uint64(0)
		if last >= logRange {
			first = last - logRange + 1
		}
		logs, err := c.filterLogs(ctx, [][]common.Hash{{abi.InvokedTopic}, {id}}, first, last)
		if err != nil {
			return 0, err
		}
		if len(logs) > 0 {
			return logs[0].BlockNumber, nil
		}
		if first == 0 {
			return 0, fmt.Errorf("result: %w", &abi.InteractionUnknown{Id: id})
		}
	}
}
