package chain

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2-engine/hashindex"
	"github.com/agnt2/agnt2/agnt2-engine/seglog"
	"github.com/agnt2/agnt2/agnt2/abi"
)

// Every block in the log has an index of what can be looked up in it, by position:
//
//	n (4) ‖ n × (transaction hash 32 ‖ void 1) ‖ m (4) ‖ m × (what happened 1 ‖ interaction id 32 ‖ transaction 4)
//
// The hash index leads from a hash to a block's number and a position in that list. What stands there decides.
const (
	txEntry          = 32 + 1
	interactionEntry = 1 + 32 + 4
	positionBits     = 24 // of a hash index's value; the rest is the block's number

	opened  byte = 1
	settled byte = 2
)

type interaction struct {
	what byte
	id   common.Hash
	tx   uint32 // position
}

// interactions lists what the block opens and settles.
func interactions(x *Executed) (out []interaction) {
	for i, r := range x.Receipts {
		for _, l := range r.Logs {
			if l.Address != abi.Address || len(l.Topics) < 2 {
				continue
			}
			switch l.Topics[0] {
			case abi.InvokedTopic:
				out = append(out, interaction{opened, l.Topics[1], uint32(i)})
			case abi.RespondedTopic, abi.TimedOutTopic:
				out = append(out, interaction{settled, l.Topics[1], uint32(i)})
			}
		}
	}
	return out
}

func indexSize(txs int, is []interaction) int { return 4 + txEntry*txs + 4 + interactionEntry*len(is) }

func appendIndex(dst []byte, x *Executed, is []interaction) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(x.Receipts)))
	for _, r := range x.Receipts {
		void := byte(0)
		if isVoid(r) {
			void = 1
		}
		dst = append(append(dst, r.TxHash[:]...), void)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(is)))
	for i := range is {
		dst = append(append(dst, is[i].what), is[i].id[:]...)
		dst = binary.BigEndian.AppendUint32(dst, is[i].tx)
	}
	return dst
}

func hashEntry(h []byte, number uint64, position int) hashindex.Entry {
	return hashindex.Entry{Key: binary.BigEndian.Uint64(h), Value: number<<positionBits | uint64(position)}
}

// hashEntries are what a block's index adds to the hash index.
func hashEntries(number uint64, index []byte) ([]hashindex.Entry, error) {
	bad := fmt.Errorf("%w: index of block %d", seglog.ErrDamaged, number)
	if len(index) < 4 {
		return nil, bad
	}
	n, rest := int(binary.BigEndian.Uint32(index)), index[4:]
	if len(rest) < txEntry*n+4 {
		return nil, bad
	}
	txs, rest := rest[:txEntry*n], rest[txEntry*n:]
	m, rest := int(binary.BigEndian.Uint32(rest)), rest[4:]
	if len(rest) != interactionEntry*m {
		return nil, bad
	}
	out := make([]hashindex.Entry, 0, n+m)
	for i := range n {
		out = append(out, hashEntry(txs[txEntry*i:], number, i))
	}
	for i := range m {
		out = append(out, hashEntry(rest[interactionEntry*i+1:], number, i))
	}
	hashindex.Sort(out)
	return out, nil
}

// reindex adds the hashes of blocks that were not indexed on disk when the chain was closed, or its process died.
func (c *Chain) reindex(head uint64) error {
	for n := c.hashes.Covered(c.CanonicalHash) + 1; n <= head; n++ {
		hash := c.CanonicalHash(n)
		r, ok := c.refs(n, hash)
		if !ok {
			return fmt.Errorf("%w: block %d", seglog.ErrDamaged, n)
		}
		index, err := c.blocks.Read(r.index)
		if err != nil {
			return err
		}
		entries, err := hashEntries(n, index)
		if err != nil {
			return err
		}
		if err := c.hashes.Ready(); err != nil {
			return err
		}
		c.hashes.Add(hashindex.Mark{Number: n, Hash: hash}, entries)
	}
	return nil
}

// find calls f for every canonical block and position at which a hash may stand, in order, until f returns false.
func (c *Chain) find(hash common.Hash, f func(b Location, index seglog.Ref) (more bool)) {
	key := binary.BigEndian.Uint64(hash[:])
	for from := uint64(0); ; from++ {
		v, ok, err := c.hashes.Next(key, from)
		if err != nil {
			panic(fmt.Sprintf("chain store: %v", err))
		}
		if !ok {
			return
		}
		from = v
		l := Location{Number: v >> positionBits, Index: v & (1<<positionBits - 1)}
		if l.Block = c.CanonicalHash(l.Number); l.Block == (common.Hash{}) {
			continue
		}
		if r, ok := c.refs(l.Number, l.Block); ok && !f(l, r.index) {
			return
		}
	}
}

// at reads a part of a block's index; false if the block's is shorter.
func (c *Chain) at(index seglog.Ref, offset uint64, b []byte) bool {
	if offset+uint64(len(b)) > uint64(index.Size) {
		return false
	}
	if err := c.blocks.ReadAt(index, int(offset), b); err != nil {
		panic(fmt.Sprintf("chain store: %v", err))
	}
	return true
}

// Location is where a transaction is included.
type Location struct {
	Block  common.Hash
	Number uint64
	Index  uint64
	Void   bool
}

// Transaction finds a transaction on the canonical chain: its non-void inclusion if there is one.
func (c *Chain) Transaction(hash common.Hash) (found Location, ok bool) {
	c.find(hash, func(l Location, index seglog.Ref) bool {
		var e [txEntry]byte
		if !c.at(index, 4+txEntry*l.Index, e[:]) || common.Hash(e[:32]) != hash {
			return true
		}
		l.Void = e[32] == 1
		found, ok = l, true
		return l.Void
	})
	return found, ok
}

// Trace of an interaction: the transactions that opened and settled it; zero hashes where there is none yet.
type Trace struct {
	Invoke, Settle           common.Hash
	InvokeBlock, SettleBlock uint64
}

// Interaction finds the transactions of an interaction on the canonical chain.
func (c *Chain) Interaction(id common.Hash) (t Trace, ok bool) {
	c.find(id, func(l Location, index seglog.Ref) bool {
		var n [4]byte
		if !c.at(index, 0, n[:]) {
			return true
		}
		var e [interactionEntry]byte
		if !c.at(index, 4+txEntry*uint64(binary.BigEndian.Uint32(n[:]))+4+interactionEntry*l.Index, e[:]) || common.Hash(e[1:33]) != id {
			return true
		}
		var tx common.Hash
		if !c.at(index, 4+txEntry*uint64(binary.BigEndian.Uint32(e[33:])), tx[:]) {
			return true
		}
		switch e[0] {
		case opened:
			t.Invoke, t.InvokeBlock, ok = tx, l.Number, true
		case settled:
			t.Settle, t.SettleBlock = tx, l.Number
		}
		return t.Settle == common.Hash{}
	})
	return t, ok
}
