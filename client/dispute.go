package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// ErrHistoryProof says that a node's proof of a pruned interaction does not hold.
var ErrHistoryProof = errors.New("history proof does not hold")

// DisputeRequest is the content of DISPUTE.
type DisputeRequest struct {
	Interaction common.Hash
	// Game is the L1 game that judges; the zero address makes the dispute a qualitative one, which nobody judges.
	Game     common.Address
	Evidence []byte   // put into the payload store
	BondWei  *big.Int // at least Policy.disputeBondWei
}

// Dispute objects to a settled interaction that this account invoked, and that has its record still.
func (a *Account) Dispute(ctx context.Context, r DisputeRequest) (*types.Receipt, error) {
	call, err := a.disputeCall(ctx, &r)
	if err != nil {
		return nil, err
	}
	return a.operate(ctx, "dispute", r.BondWei, call.Encode())
}

// historyTries is how often a dispute of what is in the history is sent: its proof does not hold any more when the history grows
// beyond the interaction's mountain before it executes.
const historyTries = 5

// DisputePruned objects to an interaction that is in the history, with the node's proof of it, until Policy.disputeWindowSeconds
// after it was settled.
func (a *Account) DisputePruned(ctx context.Context, r DisputeRequest) (*types.Receipt, error) {
	of, err := a.disputeCall(ctx, &r)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		p, err := a.c.HistoryProof(ctx, r.Interaction)
		if err != nil {
			return nil, fmt.Errorf("dispute %v: %w", r.Interaction, err)
		}
		call := &abi.DisputePrunedCall{
			Kind: of.Kind, Target: of.Target, Game: of.Game, EvidenceHash: of.EvidenceHash, Da: of.Da,
			Interaction: abi.IRecordsInteraction(p.Record), Index: p.Index, Path: p.Path,
		}
		receipt, err := a.operate(ctx, "disputePruned", r.BondWei, call.Encode())
		var old *abi.BadHistoryProof
		if try == historyTries || !errors.As(err, &old) {
			return receipt, err
		}
	}
}

func (a *Account) disputeCall(ctx context.Context, r *DisputeRequest) (*abi.DisputeCall, error) {
	da, err := a.c.put(ctx, r.Evidence)
	if err != nil {
		return nil, fmt.Errorf("dispute %v: %w", r.Interaction, err)
	}
	call := &abi.DisputeCall{Kind: uint8(vm.Qualitative), Target: r.Interaction, Game: r.Game, EvidenceHash: da.ContentHash, Da: da}
	if r.Game != (common.Address{}) {
		call.Kind = uint8(vm.Computational)
	}
	return call, nil
}

// WithdrawFees sends what a fee vault holds to Policy.feeRecipient on L1; anyone may.
func (a *Account) WithdrawFees(ctx context.Context, vault common.Address) (*types.Receipt, error) {
	return a.operate(ctx, "withdrawFees", nil, (&abi.WithdrawFeesCall{Vault: vault}).Encode())
}

// DisputeOf returns the dispute about an interaction; Claimant is zero if there is none, or it is over and the interaction in the
// history.
func (c *Client) DisputeOf(ctx context.Context, id common.Hash) (*abi.DisputeView, error) {
	out, err := c.view(ctx, "getDispute", (&abi.GetDisputeCall{Target: id}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetDisputeReturn(out)
	return &r.Ret0, err
}

// PrunedInteraction is an interaction that has left the state, proven against StateRoot, which the caller has to trust:
// the state root of block BlockHash.
type PrunedInteraction struct {
	abi.InteractionView
	Record    record.Interaction
	Index     uint64 // among all pruned interactions
	Path      []common.Hash
	StateRoot common.Hash
	BlockHash common.Hash
}

type historyAnswer struct {
	Record  hexutil.Bytes  `json:"record"`
	Index   hexutil.Uint64 `json:"index"`
	Path    []common.Hash  `json:"path"`
	History struct {
		Value     hexutil.Bytes `json:"value"`
		Proof     hexutil.Bytes `json:"proof"`
		StateRoot common.Hash   `json:"stateRoot"`
		BlockHash common.Hash   `json:"blockHash"`
	} `json:"history"`
}

// HistoryProof asks for a pruned interaction at the latest block and verifies the answer.
func (c *Client) HistoryProof(ctx context.Context, id common.Hash) (*PrunedInteraction, error) {
	rctx, cancel := c.request(ctx)
	defer cancel()
	var answer *historyAnswer
	if err := c.rc.CallContext(rctx, &answer, "agnt2_getHistoryProof", id, "latest"); err != nil {
		return nil, callError("agnt2_getHistoryProof", err)
	}
	if answer == nil {
		return nil, fmt.Errorf("%w: no answer", ErrHistoryProof)
	}
	return answer.verify(id)
}

func (a *historyAnswer) verify(id common.Hash) (*PrunedInteraction, error) {
	proof, err := trie.DecodeProof(a.History.Proof)
	if err == nil {
		err = trie.VerifyInclusion(a.History.StateRoot, trie.Key(record.HistoryKey), trie.HashRecord(a.History.Value), proof)
	}
	if err == nil {
		err = history.VerifyInteraction(a.History.Value, id, a.Record, uint64(a.Index), a.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHistoryProof, err)
	}
	i, err := record.DecodeInteraction(a.Record)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHistoryProof, err)
	}
	return &PrunedInteraction{interactionView(&i), i, uint64(a.Index), a.Path, a.History.StateRoot, a.History.BlockHash}, nil
}

// interactionView is what the chain's view shows of a record.
func interactionView(i *record.Interaction) abi.InteractionView {
	return abi.InteractionView{
		Status: i.Status, Caller: i.Caller, Callee: i.Callee, Capability: i.Capability, ParamsHash: i.ParamsHash, ResultHash: i.ResultHash,
		PaymentWei: i.PaymentWei, InvokedAt: i.InvokedAt, Deadline: i.Deadline, SettledAt: i.SettledAt, Branch: i.Branch, CompositionId: i.CompositionId,
	}
}
