package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Provider is an agent that offers a capability now.
type Provider = abi.Provider

// MaxProviders bounds the answer of Discover.
const MaxProviders = 256

// Terms are what somebody accepts of a provider.
type Terms struct {
	MaxPriceWei   *big.Int
	MaxLatency    time.Duration // whole milliseconds; bounds the declared 99th percentile
	MinReputation uint16        // 1/10000
	InputSchema   common.Hash   // keccak256 of the JSON Schema, zero: any
	OutputSchema  common.Hash
}

// Query is what Discover looks for. Nil and zero in a limit is any.
type Query struct {
	Capability  string // name
	MinPriceWei *big.Int
	Terms
}

func (t *Terms) latencyMs() (uint32, error) {
	ms := t.MaxLatency.Milliseconds()
	if ms < 0 || ms > math.MaxUint32 {
		return 0, fmt.Errorf("latency %v is out of range", t.MaxLatency)
	}
	return uint32(ms), nil
}

// Discover lists the agents that offer a capability now and satisfy the query, best first: at most MaxProviders.
func (c *Client) Discover(ctx context.Context, q Query) ([]Provider, error) {
	call := abi.DiscoverCall{Query: abi.DiscoverQuery{
		Capability: CapabilityID(q.Capability), MinReputation: q.MinReputation, InputSchemaHash: q.InputSchema, OutputSchemaHash: q.OutputSchema,
	}}
	var err error
	if q.MinPriceWei != nil {
		if call.Query.MinPriceWei, err = toUint256("minPriceWei", q.MinPriceWei); err != nil {
			return nil, fmt.Errorf("discover: %w", err)
		}
	}
	if q.MaxPriceWei != nil {
		if call.Query.MaxPriceWei, err = toUint256("maxPriceWei", q.MaxPriceWei); err != nil {
			return nil, fmt.Errorf("discover: %w", err)
		}
	}
	if call.Query.MaxLatencyMs, err = q.latencyMs(); err != nil {
		return nil, fmt.Errorf("discover: %w", err)
	}
	var found []Provider
	for {
		out, err := c.view(ctx, "discover", call.Encode())
		if err != nil {
			return nil, err
		}
		page, err := abi.DecodeDiscoverReturn(out)
		if err != nil {
			return nil, fmt.Errorf("discover: %w", err)
		}
		found = append(found, page.Providers...)
		slices.SortStableFunc(found, func(a, b Provider) int { return cmp.Or(cmp.Compare(b.Points, a.Points), a.Agent.Cmp(b.Agent)) })
		found = found[:min(len(found), MaxProviders)]
		if page.Next <= call.Query.Slot { // 0, or an answer that leads nowhere
			return found, nil
		}
		call.Query.Slot = page.Next
	}
}

// DiscoverInvoke lets the chain choose the provider: a call of the best of those that satisfy the terms, for r.PaymentWei. The
// request's Callee and MaxPriceWei are not used. The provider is the event's Callee.
func (a *Account) DiscoverInvoke(ctx context.Context, r InvokeRequest, terms Terms) (*Interaction, error) {
	const op = "discoverInvoke"
	r.MaxPriceWei = terms.MaxPriceWei
	i, err := a.prepare(op, &r)
	if err != nil {
		return nil, err
	}
	latency, err := terms.latencyMs()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	if i.Da, err = a.c.put(ctx, r.Params); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	call := abi.DiscoverInvokeCall{
		Salt: i.Salt, Capability: i.Capability, ParamsHash: i.Da.ContentHash, TtlSeconds: i.TtlSeconds, SessionId: i.SessionId, Da: i.Da,
		Filter: abi.ProviderFilter{
			MaxPriceWei: i.MaxPriceWei, MaxLatencyMs: latency, MinReputation: terms.MinReputation, InputSchemaHash: terms.InputSchema,
			OutputSchemaHash: terms.OutputSchema,
		},
	}
	receipt, err := a.operate(ctx, op, r.PaymentWei, call.Encode())
	if err != nil {
		return nil, err
	}
	return a.invoked(op, receipt, i.Salt)
}

// ErrRefused says that the callee did not take a reveal: it is gone, does not offer the capability for that price any more, or is
// not eligible. Payment and deposit are back.
var ErrRefused = errors.New("refused: payment and deposit are returned")

// Commitment is the first half of a commit–reveal INVOKE. Nobody can tell from the chain what it commits to; a caller that
// loses it loses its deposit.
type Commitment struct {
	Hash           common.Hash
	Salt           common.Hash // of the commitment
	RevealableFrom uint64      // block
	Deadline       time.Time   // of the reveal, by L2 block time
	Receipt        *types.Receipt
	call           abi.InvokeCall
	payment        *big.Int
	params         []byte
}

// Commit commits to an INVOKE and leaves a deposit, which Reveal returns. The params are stored with the reveal only.
func (a *Account) Commit(ctx context.Context, r InvokeRequest, depositWei *big.Int) (*Commitment, error) {
	const op = "commit"
	i, err := a.prepare(op, &r)
	if err != nil {
		return nil, err
	}
	i.ParamsHash = crypto.Keccak256Hash(r.Params)
	i.Da = abi.DAPointer{ContentHash: i.ParamsHash, LengthBytes: uint32(len(r.Params)), Backend: BackendLocal}
	c := &Commitment{call: *i, payment: r.PaymentWei, params: slices.Clone(r.Params)}
	if _, err := rand.Read(c.Salt[:]); err != nil {
		return nil, fmt.Errorf("%s: salt: %w", op, err)
	}
	c.Hash = vm.CommitmentHash(a.c.chainID.Uint64(), a.Address(), c.Salt, i.Encode())
	if c.Receipt, err = a.operate(ctx, op, depositWei, (&abi.CommitCall{Commitment: c.Hash}).Encode()); err != nil {
		return nil, err
	}
	l := findEvent(c.Receipt, abi.CommittedTopic)
	if l == nil {
		return nil, fmt.Errorf("%s: transaction %v: %w: Committed", op, c.Receipt.TxHash, ErrUnexpectedReceipt)
	}
	e, err := abi.DecodeCommittedEvent(l)
	if err != nil {
		return nil, fmt.Errorf("%s: transaction %v: %w", op, c.Receipt.TxHash, err)
	}
	c.RevealableFrom, c.Deadline = e.RevealableFrom, time.Unix(int64(e.Deadline), 0)
	return c, nil
}

// Reveal waits for the first block in which a commitment may be revealed, stores the params and invokes. ErrRefused is the
// callee's doing; after any other failure of the operation the commitment can be revealed again until its deadline.
func (a *Account) Reveal(ctx context.Context, c *Commitment) (*Interaction, error) {
	const op = "reveal"
	for {
		head, err := a.c.blockNumber(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		if head >= c.RevealableFrom {
			break
		}
		if err := pause(ctx, a.c.poll); err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
	}
	if _, err := a.c.put(ctx, c.params); err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	i := &c.call
	call := abi.RevealCall{
		CommitSalt: c.Salt, Salt: i.Salt, Callee: i.Callee, Capability: i.Capability, ParamsHash: i.ParamsHash, TtlSeconds: i.TtlSeconds,
		MaxPriceWei: i.MaxPriceWei, SessionId: i.SessionId, CompositionId: i.CompositionId, Da: i.Da,
	}
	receipt, err := a.operate(ctx, op, c.payment, call.Encode())
	if err != nil {
		return nil, err
	}
	if findEvent(receipt, abi.RevealRefundedTopic) != nil {
		return nil, fmt.Errorf("%s: transaction %v: %w", op, receipt.TxHash, ErrRefused)
	}
	return a.invoked(op, receipt, i.Salt)
}
