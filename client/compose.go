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
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// CompositionOptions are those of the whole.
type CompositionOptions struct {
	Atomic bool
	TTL    time.Duration // whole seconds, rounded up; at least the longest path
	Salt   common.Hash   // makes the composition's id; zero: random
}

// Call is one call of a composition. Its methods return it with what they add.
type Call struct {
	Callee     common.Address
	Capability string // name
	Template   []byte // what the callee gets beside the results of its dependencies
	PaymentWei *big.Int
	TTL        time.Duration // whole seconds, rounded up; from activation

	after     []string
	guard     vm.Guard
	guardOn   string
	branch    uint16
	loopFrom  string
	loopMax   uint8
	loopAgain uint32
}

// After makes the call wait for others and take their results.
func (c Call) After(names ...string) Call {
	c.after = append(c.after[:len(c.after):len(c.after)], names...)
	return c
}

// If runs the call only if another one, which it comes after, answers with a branch.
func (c Call) If(on string, branch uint16) Call {
	c.guard, c.guardOn, c.branch = vm.GuardEquals, on, branch
	return c
}

// Unless runs the call only if another one, which it comes after, answers with any other branch.
func (c Call) Unless(on string, branch uint16) Call {
	c.guard, c.guardOn, c.branch = vm.GuardDiffers, on, branch
	return c
}

// Repeat makes the call the end of a loop that begins with another one, or with itself: while it answers with a branch, the
// loop runs again, at most so many times. It has to come after all other members.
func (c Call) Repeat(from string, most uint8, branch uint32) Call {
	c.loopFrom, c.loopMax, c.loopAgain = from, most, branch
	return c
}

// CompositionBuilder builds a graph of calls, which refer to each other by name.
type CompositionBuilder struct {
	opts  CompositionOptions
	names []string
	calls []Call
}

// NewComposition begins a graph.
func NewComposition(opts CompositionOptions) *CompositionBuilder {
	return &CompositionBuilder{opts: opts}
}

// Call adds a call. It may refer to those added before.
func (b *CompositionBuilder) Call(name string, c Call) *CompositionBuilder {
	b.names, b.calls = append(b.names, name), append(b.calls, c)
	return b
}

// Index is that of a call by name; -1 if there is none.
func (b *CompositionBuilder) Index(name string) int {
	for i, n := range b.names {
		if n == name {
			return i
		}
	}
	return -1
}

func wholeSeconds(d time.Duration) (uint32, error) {
	s := (d + time.Second - 1) / time.Second
	if s < 0 || s > math.MaxUint32 {
		return 0, fmt.Errorf("%v is out of range: 0 to 2^32-1 seconds", d)
	}
	return uint32(s), nil
}

// encode is the operation, and the value that it takes. What the chain would refuse it leaves to the chain.
func (b *CompositionBuilder) encode() (*abi.ComposeCall, *big.Int, error) {
	ttl, err := wholeSeconds(b.opts.TTL)
	if err != nil {
		return nil, nil, err
	}
	out := &abi.ComposeCall{Salt: b.opts.Salt, Atomic: b.opts.Atomic, TtlSeconds: ttl}
	times := make([]int64, len(b.calls))
	for i, c := range b.calls {
		times[i] = 1
		x := abi.ConstituentSpec{
			Callee: c.Callee, Capability: CapabilityID(c.Capability), Template: keccak(c.Template), LengthBytes: uint32(len(c.Template)),
			Guard: uint8(c.guard), GuardBranch: c.branch, MaxIterations: c.loopMax, LoopBranch: c.loopAgain,
		}
		if x.PaymentWei, err = toUint256("paymentWei", c.PaymentWei); err != nil {
			return nil, nil, fmt.Errorf("call %q: %w", b.names[i], err)
		}
		if x.TtlSeconds, err = wholeSeconds(c.TTL); err != nil {
			return nil, nil, fmt.Errorf("call %q: %w", b.names[i], err)
		}
		earlier := func(name string, last int) (int, error) {
			if j := b.Index(name); j >= 0 && j <= last && j < 32 {
				return j, nil
			}
			return 0, fmt.Errorf("call %q: %q is no call before it", b.names[i], name)
		}
		for _, name := range c.after {
			j, err := earlier(name, i-1)
			if err != nil {
				return nil, nil, err
			}
			x.DependsOn |= 1 << j
		}
		if c.guard != vm.NoGuard {
			j, err := earlier(c.guardOn, i-1)
			if err != nil {
				return nil, nil, err
			}
			x.GuardOn = uint8(j)
		}
		if c.loopMax != 0 {
			j, err := earlier(c.loopFrom, i)
			if err != nil {
				return nil, nil, err
			}
			x.LoopFrom = uint8(j)
			for ; j <= i; j++ {
				times[j] = int64(c.loopMax)
			}
		}
		out.Constituents = append(out.Constituents, x)
	}
	value := new(big.Int)
	for i := range out.Constituents {
		wei := out.Constituents[i].PaymentWei.ToBig()
		value.Add(value, wei.Mul(wei, big.NewInt(times[i])))
	}
	return out, value, nil
}

// Composition is a COMPOSE that is on the chain.
type Composition struct {
	ID      common.Hash
	Receipt *types.Receipt
	Event   abi.ComposedEvent
	c       *Client
}

// CompositionID is the id of the composition that initiator makes with salt.
func CompositionID(initiator common.Address, salt common.Hash) common.Hash {
	return vm.CompositionID(initiator, salt)
}

// Compose stores the templates and escrows the payments of a graph of calls.
func (a *Account) Compose(ctx context.Context, b *CompositionBuilder) (*Composition, error) {
	call, value, err := b.encode()
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if call.Salt == (common.Hash{}) {
		if _, err := rand.Read(call.Salt[:]); err != nil {
			return nil, fmt.Errorf("compose: salt: %w", err)
		}
	}
	for i := range b.calls {
		if _, err := a.c.put(ctx, b.calls[i].Template); err != nil {
			return nil, fmt.Errorf("compose: call %q: %w", b.names[i], err)
		}
	}
	receipt, err := a.operate(ctx, "compose", value, call.Encode())
	if err != nil {
		return nil, err
	}
	l := findEvent(receipt, abi.ComposedTopic)
	if l == nil {
		return nil, fmt.Errorf("compose: transaction %v: %w: Composed", receipt.TxHash, ErrUnexpectedReceipt)
	}
	event, err := abi.DecodeComposedEvent(l)
	if err != nil {
		return nil, fmt.Errorf("compose: transaction %v: %w", receipt.TxHash, err)
	}
	return &Composition{ID: event.Id, Receipt: receipt, Event: event, c: a.c}, nil
}

// Wait waits until the composition is committed, reverted or settled. Payments and refunds follow in the next blocks.
func (x *Composition) Wait(ctx context.Context) (*abi.CompositionView, error) {
	topics := [][]common.Hash{{abi.CompositionEndedTopic}, {x.ID}}
	err := x.c.follow(ctx, topics, x.Receipt.BlockNumber.Uint64(), func(context.Context, *types.Log) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("composition %v: %w", x.ID, err)
	}
	return x.c.Composition(ctx, x.ID)
}

// Composition returns a composition with its constituents; status CompositionNone if there is none.
func (c *Client) Composition(ctx context.Context, id common.Hash) (*abi.CompositionView, error) {
	out, err := c.view(ctx, "getComposition", (&abi.GetCompositionCall{Id: id}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetCompositionReturn(out)
	return &r.Ret0, err
}

// Cancel withdraws a composition, a constituent's interaction, or an INVOKE of an agent that has deregistered.
func (a *Account) Cancel(ctx context.Context, id common.Hash) (*types.Receipt, error) {
	return a.operate(ctx, "cancel", nil, (&abi.CancelCall{Id: id}).Encode())
}

// Answer is what a callee has answered to a constituent's call.
type Answer struct {
	ID          common.Hash // of the interaction
	Composition common.Hash
	ResultHash  common.Hash
	Branch      uint32
	Salt        common.Hash // of the commitment; zero if the composition is not atomic
	Opened      bool        // the result is on the chain; otherwise Open it after the commit, to be paid
	Receipts    []*types.Receipt
}

// ErrNotConstituent is of an interaction that no composition has made.
var ErrNotConstituent = errors.New("no constituent of a composition")

// Answer answers a constituent's call with OK: it stores the result and, in an atomic composition, commits to it, and opens
// the commitment at once if others need it.
func (a *Account) Answer(ctx context.Context, id common.Hash, result []byte, branch uint32) (*Answer, error) {
	call, err := a.c.Interaction(ctx, id)
	if err != nil {
		return nil, err
	}
	composition, index, err := a.c.constituent(ctx, call, id)
	if err != nil {
		return nil, fmt.Errorf("answer %v: %w", id, err)
	}
	da, err := a.c.put(ctx, result)
	if err != nil {
		return nil, fmt.Errorf("answer %v: %w", id, err)
	}
	out := &Answer{ID: id, Composition: call.CompositionId, ResultHash: da.ContentHash, Branch: branch}
	if !composition.Atomic {
		receipt, err := a.Respond(ctx, Response{ID: id, Result: result, Branch: branch})
		if err != nil {
			return nil, err
		}
		out.Opened, out.Receipts = true, []*types.Receipt{receipt}
		return out, nil
	}
	if _, err := rand.Read(out.Salt[:]); err != nil {
		return nil, fmt.Errorf("answer %v: salt: %w", id, err)
	}
	commitment := vm.ResultCommitment(out.ResultHash, out.Salt)
	respond := abi.RespondCall{Id: id, ResultHash: commitment, Da: abi.DAPointer{ContentHash: commitment, LengthBytes: da.LengthBytes}}
	receipt, err := a.operate(ctx, "respond", nil, respond.Encode())
	if err != nil {
		return nil, err
	}
	out.Receipts = append(out.Receipts, receipt)
	if !needed(composition, index) {
		return out, nil
	}
	return out, a.Open(ctx, out)
}

// needed: another constituent depends on it, or it ends a loop.
func needed(c *abi.CompositionView, index int) bool {
	for _, x := range c.Constituents {
		if x.DependsOn>>index&1 != 0 {
			return true
		}
	}
	return c.Constituents[index].MaxIterations != 0
}

func (c *Client) constituent(ctx context.Context, call *abi.InteractionView, id common.Hash) (*abi.CompositionView, int, error) {
	composition, err := c.Composition(ctx, call.CompositionId)
	if err != nil {
		return nil, 0, err
	}
	for i, x := range composition.Constituents {
		if x.InteractionId == id {
			return composition, i, nil
		}
	}
	return nil, 0, ErrNotConstituent
}

// Open opens an answer in an atomic composition.
func (a *Account) Open(ctx context.Context, answer *Answer) error {
	call := abi.OpenResultCall{Id: answer.ID, ResultHash: answer.ResultHash, Branch: answer.Branch, Salt: answer.Salt}
	receipt, err := a.operate(ctx, "openResult", nil, call.Encode())
	if err != nil {
		return err
	}
	answer.Opened, answer.Receipts = true, append(answer.Receipts, receipt)
	return nil
}

// ErrInputs says that a constituent's params hash is not made of what the chain shows: a loop has gone on meanwhile.
var ErrInputs = errors.New("inputs do not make the params hash")

// Inputs is what a constituent's params are made of, checked against their hash: the template's hash, and the hashes of the
// results that were folded into it. The results of an atomic composition are read from the records, because views hide them.
func (c *Client) Inputs(ctx context.Context, id common.Hash) (template common.Hash, results []common.Hash, err error) {
	call, err := c.Interaction(ctx, id)
	if err != nil {
		return template, nil, err
	}
	composition, index, err := c.constituent(ctx, call, id)
	if err != nil {
		return template, nil, fmt.Errorf("inputs of %v: %w", id, err)
	}
	own, err := c.constituentRecord(ctx, call.CompositionId, index)
	if err != nil {
		return template, nil, err
	}
	from := own.DependsOn
	if own.Feedback != 0 && own.Iteration > 1 {
		from |= 1 << (own.Feedback - 1)
	}
	for i := range composition.Constituents {
		if from>>i&1 == 0 || composition.Constituents[i].Status == constituentSkipped {
			continue
		}
		x, err := c.constituentRecord(ctx, call.CompositionId, i)
		if err != nil {
			return template, nil, err
		}
		results = append(results, x.ResultHash)
	}
	hash := own.Template
	for _, r := range results {
		hash = vm.FoldInput(hash, r)
	}
	if hash != call.ParamsHash {
		return template, nil, fmt.Errorf("inputs of %v: %w", id, ErrInputs)
	}
	return own.Template, results, nil
}

// constituentSkipped is a value of IAGNT2.ConstituentStatus.
const constituentSkipped = 3

func (c *Client) constituentRecord(ctx context.Context, composition common.Hash, index int) (x record.Constituent, err error) {
	rctx, cancel := c.request(ctx)
	defer cancel()
	var out struct {
		Value *hexutil.Bytes `json:"value"`
	}
	key := record.ConstituentKey(composition, uint8(index))
	if err := c.ec.Client().CallContext(rctx, &out, "agnt2_getRecord", common.Hash(key), "latest"); err != nil {
		return x, fmt.Errorf("constituent %d of %v: %w", index, composition, err)
	}
	if out.Value == nil {
		return x, fmt.Errorf("constituent %d of %v: %w", index, composition, ErrNotConstituent)
	}
	return record.DecodeConstituent(*out.Value)
}
