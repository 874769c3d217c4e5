package ethapi

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// HistoryProof is what agnt2_getHistoryProof answers: the record that an interaction had when it left the state, its path to
// a peak of the history, and the proof of the record that has the peaks. agnt2/history and HistoryProof.sol verify it.
type HistoryProof struct {
	ID      common.Hash    `json:"id"`
	Record  hexutil.Bytes  `json:"record"`
	Decoded map[string]any `json:"decoded"`
	Index   hexutil.Uint64 `json:"index"` // among all pruned interactions
	Path    []common.Hash  `json:"path"`  // the leaf's sibling first
	History *ProofInfo     `json:"history"`
}

// GetHistoryProof implements agnt2_getHistoryProof: proves a pruned interaction against a block's state root; of several with
// one id the last.
func (x *agnt2API) GetHistoryProof(ctx context.Context, id common.Hash, at *rpc.BlockNumberOrHash) (*HistoryProof, error) {
	h, err := x.a.header(at)
	if err != nil {
		return nil, err
	}
	hash := h.Hash() // a number might mean another block by the time of the second read
	here := rpc.BlockNumberOrHashWithHash(hash, false)
	proof, err := x.GetProof(ctx, common.Hash(record.HistoryKey), &here)
	if err != nil {
		return nil, err
	}
	if proof.Value == nil {
		return nil, fmt.Errorf("%w: nothing is, at block %d", ErrNotInHistory, h.Number)
	}
	peaks, err := decodeRecord(record.HistoryKey, *proof.Value, record.DecodeHistory)
	if err != nil {
		return nil, err
	}
	index, value, err := x.a.b.Pruned(id, peaks.Count)
	if err != nil {
		return nil, err
	}
	path, err := x.a.b.HistoryPath(peaks.Count, index)
	if err != nil {
		return nil, err
	}
	decoded, err := decoded(record.InteractionKey(id), value)
	if err != nil {
		return nil, err
	}
	if path == nil {
		path = []common.Hash{}
	}
	return &HistoryProof{ID: id, Record: value, Decoded: decoded, Index: hexutil.Uint64(index), Path: path, History: proof}, nil
}

// AgentInteractions is what agnt2_getInteractionsByAgent answers.
type AgentInteractions struct {
	Interactions []*InteractionInfo `json:"interactions"` // newest first
	Cursor       *hexutil.Bytes     `json:"cursor"`       // for the next page; null at the end
}

const (
	defaultInteractions = 20
	maxInteractions     = 100
	cursorLength        = 12
)

// GetInteractionsByAgent implements agnt2_getInteractionsByAgent: the interactions that an agent has opened ("caller") or was
// invoked for ("callee"), newest first, as agnt2_getInteraction at the head shows them.
func (x *agnt2API) GetInteractionsByAgent(agent common.Address, role string, cursor *hexutil.Bytes, limit *hexutil.Uint64) (*AgentInteractions, error) {
	if role != "caller" && role != "callee" {
		return nil, invalidParams("role %q is neither caller nor callee", role)
	}
	n := defaultInteractions
	if limit != nil {
		if *limit == 0 || *limit > maxInteractions {
			return nil, invalidParams("limit %d is not from 1 to %d", uint64(*limit), maxInteractions)
		}
		n = int(*limit)
	}
	var before []byte
	if cursor != nil {
		if len(*cursor) != cursorLength {
			return nil, invalidParams("cursor of %d bytes", len(*cursor))
		}
		before = *cursor
	}
	found, err := x.a.b.InteractionsOf(agent, role == "callee", before, n+1)
	if err != nil {
		return nil, err
	}
	out := &AgentInteractions{Interactions: []*InteractionInfo{}}
	if len(found) > n {
		next := hexutil.Bytes(found[n-1].Cursor)
		out.Cursor, found = &next, found[:n]
	}
	for _, f := range found {
		i, err := x.GetInteraction(f.ID, nil)
		if err != nil {
			return nil, err
		}
		if i != nil { // else a reorg has just undone it
			out.Interactions = append(out.Interactions, i)
		}
	}
	return out, nil
}

// TransactionTrace is what agnt2_traceTransaction answers.
type TransactionTrace struct {
	Hash        common.Hash     `json:"transactionHash"`
	BlockHash   common.Hash     `json:"blockHash"`
	BlockNumber *hexutil.Big    `json:"blockNumber"`
	Index       hexutil.Uint64  `json:"transactionIndex"`
	GasUsed     hexutil.Uint64  `json:"gasUsed"`
	Error       *string         `json:"error"` // name of the custom error; null on success
	ErrorData   *hexutil.Bytes  `json:"errorData"`
	Return      hexutil.Bytes   `json:"return"`
	Steps       []MicroStepInfo `json:"steps"`
}

// MicroStepInfo is a micro-step, and the record that it touched, before and after it.
type MicroStepInfo struct {
	Step      string         `json:"step"`
	Key       *common.Hash   `json:"key"`
	Namespace *string        `json:"namespace"`
	Before    map[string]any `json:"before"` // null: absent, or no record
	After     map[string]any `json:"after"`
}

// TraceTransaction implements agnt2_traceTransaction: the micro-steps of a transaction, executed again on the state before it.
func (x *agnt2API) TraceTransaction(ctx context.Context, hash common.Hash) (*TransactionTrace, error) {
	at, ok := x.a.b.Transaction(hash)
	if !ok {
		return nil, nil
	}
	h := x.a.b.HeaderByHash(at.BlockHash)
	if h == nil {
		return nil, nil
	}
	ctx, done, err := x.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	steps, result, err := x.a.b.TraceTransaction(ctx, h, at.Index)
	if err != nil {
		return nil, fmt.Errorf("trace of %s: %w", hash, err)
	}
	out := &TransactionTrace{
		Hash: hash, BlockHash: at.BlockHash, BlockNumber: (*hexutil.Big)(new(big.Int).Set(h.Number)), Index: hexutil.Uint64(at.Index),
		GasUsed: hexutil.Uint64(result.GasUsed), Return: result.Return, Steps: []MicroStepInfo{},
	}
	if result.Revert != nil {
		name, data := errorName(result.Revert), hexutil.Bytes(result.Revert.Encode())
		out.Error, out.ErrorData = &name, &data
	}
	for _, s := range steps {
		info := MicroStepInfo{Step: s.Name}
		if s.Touched {
			key, namespace := common.Hash(s.Key), record.Namespace(s.Key[0]).String()
			info.Key, info.Namespace = &key, &namespace
			for _, side := range []struct {
				raw []byte
				out *map[string]any
			}{{s.Before, &info.Before}, {s.After, &info.After}} {
				if side.raw == nil {
					continue
				}
				if *side.out, err = decoded(s.Key, side.raw); err != nil {
					return nil, err
				}
			}
		}
		out.Steps = append(out.Steps, info)
	}
	return out, nil
}

// errorName is the custom error's name in IAGNT2.sol.
func errorName(r abi.Revert) string {
	name := fmt.Sprintf("%T", r)
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '.' {
			return name[i+1:]
		}
	}
	return name
}
