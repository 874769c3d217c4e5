package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// ErrNotSigned: a channel's state lacks the valid signature of one of its parties.
var ErrNotSigned = errors.New("not signed by the party")

// ChannelTerms is what both agents sign to open a channel or to add to it; ChannelState what they sign after every interaction.
// Hashes of them are the engine's own: what it recovers is what is signed here.
type (
	ChannelTerms = abi.ChannelTerms
	ChannelState = abi.ChannelState
)

// SignedState is a state with the signatures of both parties.
type SignedState struct {
	ChannelState
	SigA, SigB []byte
}

// ChannelParties orders two agents as a channel has them: A is the lower address.
func ChannelParties(x, y common.Address) (a, b common.Address) {
	if x.Cmp(y) > 0 {
		return y, x
	}
	return x, y
}

// ChannelProposal is what an agent proposes to another; amounts are wei.
type ChannelProposal struct {
	Peer            common.Address
	DepositWei      *big.Int // own
	PeerDepositWei  *big.Int
	TTL             time.Duration // whole seconds, rounded up
	MaxInteractions uint64
	Heartbeat       time.Duration // whole seconds, rounded up
	ValidUntil      time.Time     // block time after which the chain does not accept it
}

// ChannelTerms makes a proposal of this agent into terms, with its next nonce towards the peer. Both sign them, and anyone sends them.
func (a *Account) ChannelTerms(ctx context.Context, p ChannelProposal) (t ChannelTerms, err error) {
	own, err := toUint256("depositWei", p.DepositWei)
	if err != nil {
		return t, err
	}
	peer, err := toUint256("peerDepositWei", p.PeerDepositWei)
	if err != nil {
		return t, err
	}
	pair, err := a.c.ChannelPair(ctx, a.Address(), p.Peer)
	if err != nil {
		return t, err
	}
	ttl, err := wholeSeconds(p.TTL)
	if err != nil {
		return t, err
	}
	heartbeat, err := wholeSeconds(p.Heartbeat)
	if err != nil {
		return t, err
	}
	t = ChannelTerms{
		DepositA: own, DepositB: peer, TtlSeconds: ttl, MaxInteractions: p.MaxInteractions,
		HeartbeatSeconds: heartbeat, Initiator: a.Address(), Nonce: pair.NonceA, ValidUntil: uint64(p.ValidUntil.Unix()),
	}
	if t.AgentA, t.AgentB = ChannelParties(a.Address(), p.Peer); t.AgentA != a.Address() {
		t.DepositA, t.DepositB, t.Nonce = peer, own, pair.NonceB
	}
	return t, nil
}

// SignChannelTerms returns r‖s‖v with v 27 or 28.
func (a *Account) SignChannelTerms(t *ChannelTerms) ([]byte, error) {
	return a.signDigest(vm.ChannelTermsDigest(t, a.c.chainID.Uint64()))
}

// SignChannelState returns r‖s‖v with v 27 or 28. Whoever signs two states with one nonce, and finds a peer who does too, loses stake.
func (a *Account) SignChannelState(s *ChannelState) ([]byte, error) {
	return a.signDigest(vm.ChannelStateDigest(s, a.c.chainID.Uint64()))
}

func (a *Account) signDigest(digest common.Hash) ([]byte, error) {
	sig, err := crypto.Sign(digest[:], a.key)
	if err != nil {
		return nil, fmt.Errorf("sign %v: %w", digest, err)
	}
	sig[64] += 27
	return sig, nil
}

// VerifyState checks both signatures of a state of the channel between two agents.
func (c *Client) VerifyState(s *SignedState, agentA, agentB common.Address) error {
	digest := vm.ChannelStateDigest(&s.ChannelState, c.chainID.Uint64())
	if vm.ChannelSigner(digest, s.SigA) != agentA {
		return fmt.Errorf("state %d of channel %v: %w %v", s.Nonce, s.ChannelId, ErrNotSigned, agentA)
	}
	if vm.ChannelSigner(digest, s.SigB) != agentB {
		return fmt.Errorf("state %d of channel %v: %w %v", s.Nonce, s.ChannelId, ErrNotSigned, agentB)
	}
	return nil
}

// Channel returns a channel's record; Status ChannelNone if there is none.
func (c *Client) Channel(ctx context.Context, id common.Hash) (*abi.ChannelView, error) {
	out, err := c.view(ctx, "getChannel", (&abi.GetChannelCall{Id: id}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetChannelReturn(out)
	return &r.Ret0, err
}

// ChannelPair returns what two agents have had in common, in either order.
func (c *Client) ChannelPair(ctx context.Context, x, y common.Address) (*abi.ChannelPairView, error) {
	out, err := c.view(ctx, "getChannelPair", (&abi.GetChannelPairCall{AgentA: x, AgentB: y}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetChannelPairReturn(out)
	return &r.Ret0, err
}

// OpenedChannel is what came of terms: a new channel, or more in the one that the pair had.
type OpenedChannel struct {
	ID      common.Hash
	Existed bool
	Receipt *types.Receipt
}

// OpenChannel sends terms that both have signed.
func (a *Account) OpenChannel(ctx context.Context, t ChannelTerms, sigA, sigB []byte) (*OpenedChannel, error) {
	receipt, err := a.operate(ctx, "openChannel", nil, (&abi.OpenChannelCall{Terms: t, SigA: sigA, SigB: sigB}).Encode())
	if err != nil {
		return nil, err
	}
	for existed, topic := range map[bool]common.Hash{false: abi.ChannelOpenedTopic, true: abi.ChannelExistsTopic} {
		if l := findEvent(receipt, topic); l != nil {
			return &OpenedChannel{ID: l.Topics[1], Existed: existed, Receipt: receipt}, nil
		}
	}
	return nil, fmt.Errorf("openChannel: transaction %v: %w: ChannelOpened", receipt.TxHash, ErrUnexpectedReceipt)
}

// Checkpoint records a co-signed state of an open channel.
func (a *Account) Checkpoint(ctx context.Context, s SignedState) (*types.Receipt, error) {
	return a.operate(ctx, "checkpoint", nil, (&abi.CheckpointCall{State: s.ChannelState, SigA: s.SigA, SigB: s.SigB}).Encode())
}

// CloseChannel closes with a co-signed state: at once if it is final, else after the window in which a newer one replaces it.
func (a *Account) CloseChannel(ctx context.Context, s SignedState) (*types.Receipt, error) {
	return a.operate(ctx, "closeChannel", nil, (&abi.CloseChannelCall{State: s.ChannelState, SigA: s.SigA, SigB: s.SigB}).Encode())
}

// CloseChannelAsRecorded starts to close with the state that the chain has: the last checkpoint, or the deposits.
func (a *Account) CloseChannelAsRecorded(ctx context.Context, id common.Hash) (*types.Receipt, error) {
	return a.CloseChannel(ctx, SignedState{ChannelState: ChannelState{ChannelId: id}})
}

// DisputeChannel answers a unilateral close with a newer state.
func (a *Account) DisputeChannel(ctx context.Context, s SignedState) (*types.Receipt, error) {
	return a.operate(ctx, "disputeChannel", nil, (&abi.DisputeChannelCall{State: s.ChannelState, SigA: s.SigA, SigB: s.SigB}).Encode())
}

// ReportDoubleSigning shows two states with one nonce that both parties have signed.
func (a *Account) ReportDoubleSigning(ctx context.Context, first, second SignedState) (*types.Receipt, error) {
	return a.operate(ctx, "reportDoubleSigning", nil, (&abi.ReportDoubleSigningCall{
		First: first.ChannelState, FirstSigA: first.SigA, FirstSigB: first.SigB,
		Second: second.ChannelState, SecondSigA: second.SigA, SecondSigB: second.SigB,
	}).Encode())
}

// ClosedChannel is how a channel ended.
type ClosedChannel struct {
	abi.ChannelClosedEvent
	BlockNumber uint64
}

// WaitChannelClosed waits until a channel has paid its parties, looking at blocks from fromBlock on.
func (c *Client) WaitChannelClosed(ctx context.Context, id common.Hash, fromBlock uint64) (*ClosedChannel, error) {
	var closed *ClosedChannel
	err := c.follow(ctx, [][]common.Hash{{abi.ChannelClosedTopic}, {id}}, fromBlock, func(_ context.Context, l *types.Log) (bool, error) {
		e, err := abi.DecodeChannelClosedEvent(l)
		closed = &ClosedChannel{e, l.BlockNumber}
		return true, err
	})
	if err != nil {
		return nil, fmt.Errorf("channel %v: %w", id, err)
	}
	return closed, nil
}
