package chain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// What the state no longer has of pruned interactions, and which interactions an agent has had. It is written with the block
// that brings it. A reorg takes the agents' interactions back, but not what was pruned: the next leaf with the same index
// writes its nodes anew, nobody asks for a node that the head's history does not have, and a record counts only if its leaf
// is the one at its index.

// ErrNoHistory says that an interaction is not in the history of that block, or is older than what is kept.
var ErrNoHistory = errors.New("interaction is not in the history")

func nodeKey(p history.Position) []byte { return append([]byte{'M', p.Height}, be64(p.Index)...) }

// prunedKey: an id may come again once its interaction is pruned, so the index belongs to the key.
func prunedKey(id common.Hash, index uint64) []byte {
	return append(append([]byte{'P'}, id[:]...), be64(index)...)
}

func prunedAt(index uint64) []byte { return append([]byte{'Q'}, be64(index)...) }

// firstLeaf is the index of the first interaction that the block has pruned; it has pruned some.
func firstLeaf(b *state.Block) (uint64, error) {
	for i := range b.Changes {
		if c := &b.Changes[i]; c.Key == record.HistoryKey {
			h, err := record.DecodeHistory(c.New)
			if err != nil {
				return 0, fmt.Errorf("%w: history of block %d: %w", state.ErrCorrupt, b.Number, err)
			}
			return h.Count - uint64(len(b.Pruned)), nil
		}
	}
	return 0, fmt.Errorf("%w: block %d prunes without a history", state.ErrCorrupt, b.Number)
}

// writeHistory stores what newly canonical blocks have pruned, oldest first.
func (c *Chain) writeHistory(batch *pebble.Batch, blocks []*state.Block) error {
	fresh := map[history.Position]common.Hash{}
	node := func(p history.Position) (common.Hash, error) {
		if h, ok := fresh[p]; ok {
			return h, nil
		}
		v, err := get(c.db, nodeKey(p))
		if err == nil && len(v) != common.HashLength {
			err = fmt.Errorf("%w: node %d/%d of the history is missing", state.ErrCorrupt, p.Height, p.Index)
		}
		return common.BytesToHash(v), err
	}
	for _, b := range blocks {
		if len(b.Pruned) == 0 {
			continue
		}
		first, err := firstLeaf(b)
		if err != nil {
			return err
		}
		for i, p := range b.Pruned {
			index := first + uint64(i)
			at := history.Position{Index: index}
			h := history.Leaf(p.ID, common.Hash(trie.HashRecord(p.Record)))
			fresh[at] = h
			if err := batch.Set(nodeKey(at), h[:], nil); err != nil {
				return err
			}
			for _, up := range history.Completes(index) {
				left, err := node(history.Position{Height: up.Height - 1, Index: 2 * up.Index})
				if err != nil {
					return err
				}
				h = history.Node(left, h)
				fresh[up] = h
				if err := batch.Set(nodeKey(up), h[:], nil); err != nil {
					return err
				}
			}
			if err := batch.Set(prunedKey(p.ID, index), p.Record, nil); err != nil {
				return err
			}
			if err := batch.Set(prunedAt(index), p.ID[:], nil); err != nil {
				return err
			}
		}
		if err := c.forgetPruned(batch, first, first+uint64(len(b.Pruned))); err != nil {
			return err
		}
	}
	return nil
}

// forgetPruned drops the records that fall out of what is kept when the history grows.
func (c *Chain) forgetPruned(batch *pebble.Batch, from, to uint64) error {
	keep := c.opts.PrunedInteractions
	if keep == 0 || to <= keep {
		return nil
	}
	for index := from - min(from, keep); index < to-keep; index++ {
		id, err := get(c.db, prunedAt(index))
		if err != nil {
			return err
		}
		if id == nil {
			continue
		}
		if err := batch.Delete(prunedKey(common.BytesToHash(id), index), nil); err != nil {
			return err
		}
		if err := batch.Delete(prunedAt(index), nil); err != nil {
			return err
		}
	}
	return nil
}

// Pruned finds the last interaction with an id among the first count that were pruned.
func (c *Chain) Pruned(id common.Hash, count uint64) (index uint64, rec []byte, err error) {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: prunedKey(id, 0), UpperBound: prunedKey(id, count)})
	if err != nil {
		return 0, nil, err
	}
	defer it.Close()
	for ok := it.Last(); ok; ok = it.Prev() {
		v, err := it.ValueAndErr()
		if err != nil {
			return 0, nil, err
		}
		index := binary.BigEndian.Uint64(it.Key()[len(it.Key())-8:])
		leaf, err := get(c.db, nodeKey(history.Position{Index: index}))
		if err != nil {
			return 0, nil, err
		}
		if common.BytesToHash(leaf) == history.Leaf(id, common.Hash(trie.HashRecord(v))) { // else of a block that a reorg undid
			return index, bytes.Clone(v), nil
		}
	}
	if err := it.Error(); err != nil {
		return 0, nil, err
	}
	return 0, nil, fmt.Errorf("%w: %s", ErrNoHistory, id)
}

// HistoryPath returns the hashes that prove the leaf with this index among count leaves.
func (c *Chain) HistoryPath(count, index uint64) (path []common.Hash, err error) {
	at, ok := history.Path(count, index)
	if !ok {
		return nil, fmt.Errorf("%w: index %d of %d", ErrNoHistory, index, count)
	}
	for _, p := range at {
		v, err := get(c.db, nodeKey(p))
		if err != nil {
			return nil, err
		}
		if len(v) != common.HashLength {
			return nil, fmt.Errorf("%w: node %d/%d of the history is missing", state.ErrCorrupt, p.Height, p.Index)
		}
		path = append(path, common.BytesToHash(v))
	}
	return path, nil
}

// ErrNoAgentIndex says that the engine does not keep lists of agents' interactions.
var ErrNoAgentIndex = errors.New("this engine keeps no index of agents' interactions: start it with --index.agents")

// Role of an agent in an interaction.
type Role byte

const (
	// RoleCaller invoked.
	RoleCaller Role = 0
	// RoleCallee was invoked.
	RoleCallee Role = 1
)

// AgentInteraction is an interaction of an agent. Its cursor is its place among the agent's in that role.
type AgentInteraction struct {
	ID     common.Hash
	Cursor [12]byte // number of the block that opened it, index of the event there
}

func agentKey(a common.Address, r Role, cursor []byte) []byte {
	return append(append(append([]byte{'A'}, a[:]...), byte(r)), cursor...)
}

// eachParty calls f with the key and the id of the two entries of every interaction that a block opens.
func eachParty(x *Executed, f func(k []byte, id common.Hash) error) error {
	for _, r := range x.Receipts {
		for _, l := range r.Logs {
			if l.Address != abi.Address || len(l.Topics) != 4 || l.Topics[0] != abi.InvokedTopic {
				continue
			}
			cursor := binary.BigEndian.AppendUint32(be64(x.Number()), uint32(l.Index))
			for role, topic := range []common.Hash{l.Topics[2], l.Topics[3]} {
				if err := f(agentKey(common.BytesToAddress(topic[:]), Role(role), cursor), l.Topics[1]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// InteractionsOf lists up to limit interactions of an agent in a role, the newest first, older than before; from the newest on
// if that is nil.
func (c *Chain) InteractionsOf(a common.Address, r Role, before []byte, limit int) (out []AgentInteraction, err error) {
	if !c.opts.AgentIndex {
		return nil, ErrNoAgentIndex
	}
	upper := agentKey(a, r+1, nil)
	if before != nil {
		upper = agentKey(a, r, before)
	}
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: agentKey(a, r, nil), UpperBound: upper})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for ok := it.Last(); ok && len(out) < limit; ok = it.Prev() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		k := it.Key()
		out = append(out, AgentInteraction{common.BytesToHash(v), [12]byte(k[len(k)-12:])})
	}
	return out, it.Error()
}
