package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2-engine/chain"
	"github.com/agnt2/agnt2/agnt2-engine/ethapi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Pruned, HistoryPath and InteractionsOf give the chain's answers in the API's words.

func (b *backend) Pruned(id common.Hash, count uint64) (uint64, []byte, error) {
	index, value, err := b.n.chain.Pruned(id, count)
	return index, value, historyError(err)
}

func (b *backend) HistoryPath(count, index uint64) ([]common.Hash, error) {
	path, err := b.n.chain.HistoryPath(count, index)
	return path, historyError(err)
}

func historyError(err error) error {
	if errors.Is(err, chain.ErrNoHistory) {
		return fmt.Errorf("%w: %w", ethapi.ErrNotInHistory, err)
	}
	return err
}

func (b *backend) InteractionsOf(agent common.Address, callee bool, before []byte, limit int) ([]ethapi.AgentInteraction, error) {
	role := chain.RoleCaller
	if callee {
		role = chain.RoleCallee
	}
	found, err := b.n.chain.InteractionsOf(agent, role, before, limit)
	out := make([]ethapi.AgentInteraction, len(found))
	for i, f := range found {
		out[i] = ethapi.AgentInteraction{ID: f.ID, Cursor: slices.Clone(f.Cursor[:])}
	}
	return out, err
}

// tracedState notes the record that a micro-step touches.
type tracedState struct {
	*vm.Overlay
	steps []ethapi.MicroStep
	kind  vm.Step // of the last one
}

func (t *tracedState) touch(k record.Key) {
	if t.kind == vm.TxUndo { // stands for one register, the state's root
		return
	}
	if s := &t.steps[len(t.steps)-1]; !s.Touched {
		s.Touched, s.Key, s.Before = true, k, t.Overlay.Get(k)
	}
}

func (t *tracedState) Get(k record.Key) []byte {
	t.touch(k)
	return t.Overlay.Get(k)
}

func (t *tracedState) Set(k record.Key, v []byte) {
	t.touch(k)
	t.Overlay.Set(k, v)
}

// begin is told of every micro-step before it is taken.
func (t *tracedState) begin(k vm.Step) {
	t.end()
	t.kind = k
	t.steps = append(t.steps, ethapi.MicroStep{Name: k.String()})
}

func (t *tracedState) end() {
	if n := len(t.steps); n > 0 && t.steps[n-1].Touched {
		t.steps[n-1].After = t.Overlay.Get(t.steps[n-1].Key)
	}
}

// TraceTransaction executes a canonical block again up to a transaction.
func (b *backend) TraceTransaction(ctx context.Context, h *types.Header, index uint64) ([]ethapi.MicroStep, *ethapi.CallResult, error) {
	c := b.n.chain
	x, parent := c.Executed(h.Hash()), c.HeaderByHash(h.ParentHash)
	if x == nil || parent == nil || index >= uint64(len(x.Raws)) {
		return nil, nil, fmt.Errorf("%w: %s or its parent", ethapi.ErrUnknownBlock, h.Hash())
	}
	past, err := c.State().Past(parent.Hash())
	if err != nil {
		return nil, nil, stateError(err)
	}
	defer past.Close()
	txs, err := c.Decode(x.Raws[:index+1])
	if err != nil {
		return nil, nil, err
	}
	m := vm.New(vm.Block{
		ChainID: b.n.cfg.Genesis.ChainID, Number: h.Number.Uint64(), Time: h.Time, GasLimit: h.GasLimit,
		BaseFee: *uint256.MustFromBig(h.BaseFee), Coinbase: h.Coinbase,
	})
	s := &tracedState{Overlay: vm.NewOverlay(past)}
	m.Begin(s.Overlay)
	for i, tx := range txs[:index] {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		m.Apply(s.Overlay, tx)
	}
	r := m.ApplyTraced(s, txs[index], s.begin)
	s.end()
	return s.steps, &ethapi.CallResult{Return: r.Return, GasUsed: r.GasUsed, Revert: r.Revert, Logs: r.Logs}, nil
}
