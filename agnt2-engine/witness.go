package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2-engine/ethapi"
	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/machine/witness"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// BlockWitness executes a canonical block again and returns it with everything that this read, and the proof of it. The
// chain waits only for the proof, the last and shortest part.
func (b *backend) BlockWitness(ctx context.Context, h *types.Header) (*witness.Block, error) {
	c := b.n.chain
	x, parent := c.Executed(h.Hash()), c.HeaderByHash(h.ParentHash)
	if x == nil || parent == nil {
		return nil, fmt.Errorf("%w: %s or its parent", ethapi.ErrUnknownBlock, h.Hash())
	}
	past, err := c.State().Past(parent.Hash())
	if err != nil {
		return nil, stateError(err)
	}
	defer past.Close()
	out := &witness.Block{Header: h, Parent: parent, Txs: x.Raws}
	txs := x.Txs
	if txs == nil {
		if txs, err = c.Decode(x.Raws); err != nil {
			return nil, err
		}
	}
	reads := &reader{base: past, records: make(map[record.Key][]byte)}
	e, err := execute(ctx, b.n.cfg.Genesis.ChainID, types.CopyHeader(h), reads, txs)
	if err != nil {
		return nil, err
	}
	out.Records = reads.sorted()
	keys := make([]trie.Key, len(out.Records))
	for i, r := range out.Records {
		keys[i] = trie.Key(r.Key)
	}
	err = past.Trie(parent.Root, func(t *trie.Trie) {
		out.Multiproof = t.ProveMany(keys, trie.Queue{Prefix: byte(record.NSDeadline), First: reads.deadlines})
	})
	if err != nil {
		return nil, stateError(err)
	}
	out.PasserNodes, err = b.passerNodes(parent, e.Machine.Messages)
	return out, err
}

// execute runs the block's transactions.
func execute(ctx context.Context, chainID uint64, h *types.Header, base vm.Base, txs []*abi.Transaction) (*block.Execution, error) {
	e := block.NewExecution(chainID, h, base)
	for i, tx := range txs {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, err := e.Apply(tx); err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	e.Finish()
	if used := e.Machine.GasUsed(); len(txs) > 0 && used != h.GasUsed {
		return nil, fmt.Errorf("%w: block %d used %d gas, header says %d", state.ErrCorrupt, h.Number, used, h.GasUsed)
	}
	return e, nil
}

// stateError gives the state store's errors the JSON-RPC surface's names.
func stateError(err error) error {
	switch {
	case errors.Is(err, state.ErrPruned):
		return ethapi.ErrStatePruned
	case errors.Is(err, state.ErrUnknownBlock):
		return fmt.Errorf("%w: %w", ethapi.ErrUnknownBlock, err)
	}
	return err
}

// passerNodes proves the slots of the messages at a block that has none of them yet. Nodes that several paths share are
// listed once, parents first.
func (b *backend) passerNodes(parent *types.Header, messages []common.Hash) (nodes [][]byte, err error) {
	if len(messages) == 0 {
		return nil, nil
	}
	slots := make([]common.Hash, len(messages))
	for i, m := range messages {
		slots[i] = withdrawal.Slot(m)
	}
	p, err := b.ProveMessagePasser(parent, slots)
	if err != nil {
		return nil, err
	}
	if p.StorageRoot != *parent.WithdrawalsHash {
		return nil, fmt.Errorf("%w: messages of block %d hash to %s, not %s", state.ErrCorrupt, parent.Number, p.StorageRoot, *parent.WithdrawalsHash)
	}
	listed := make(map[string]bool)
	for _, s := range p.Slots {
		for _, n := range s.Nodes {
			if !listed[string(n)] {
				listed[string(n)] = true
				nodes = append(nodes, n)
			}
		}
	}
	return nodes, nil
}

// reader is a state that notes what is asked of it.
type reader struct {
	base      vm.Base
	records   map[record.Key][]byte
	deadlines int // taken from the head of the queue, the last one perhaps only looked at
}

var _ vm.Base = (*reader)(nil)

func (r *reader) Get(k record.Key) []byte {
	v, ok := r.records[k]
	if !ok {
		v = r.base.Get(k)
		r.records[k] = v
	}
	return v
}

func (r *reader) DeadlineAfter(after *record.Key) (record.Key, bool) {
	k, ok := r.base.DeadlineAfter(after)
	if ok {
		if _, seen := r.records[k]; !seen {
			r.deadlines++
		}
		r.Get(k)
	}
	return k, ok
}

func (r *reader) sorted() []witness.Record {
	out := make([]witness.Record, 0, len(r.records))
	for k, v := range r.records {
		out = append(out, witness.Record{Key: k, Value: v})
	}
	slices.SortFunc(out, func(a, b witness.Record) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	return out
}
