package origin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb/database"

	"github.com/agnt2/agnt2/agnt2/machine/sponge"
)

// InlineBytes is the longest leaf that a witness carries itself, in bytes: with the inner nodes above it, a witness stays below
// 128,000 bytes. A receipt with nothing but the largest deposit fits. Longer leaves must be in OriginLeaves.
const InlineBytes = 122_880

var (
	// ErrReceipts reports receipts that do not have the block's receipts root.
	ErrReceipts = errors.New("origin: receipts do not match the receipts root")
	// ErrStep reports a step number behind the last step.
	ErrStep = errors.New("origin: step behind the end of the phase")
)

// Trace is the prover's view of the phase: every state and witness of one block. Its memory is that of the receipts, not of
// the steps. Not safe for concurrent use.
type Trace struct {
	env    *Env
	proofs *trie.Trie
	count  uint64 // receipts

	opens    []position // state before each OPEN, and the first state behind the last one
	deposits []common.Hash
	stack    []common.Hash // stack[i] is the stack under deposits[i]
	steps    uint64

	// The last leaf and the last state asked for: steps are mostly asked for in order.
	leafIndex uint64
	leaf      *leafPath
	last      position
}

// position is the state before a step.
type position struct {
	step  uint64
	kind  Kind
	state State
}

// leafPath is where the path of a receipt's key leads.
type leafPath struct {
	nodes [][]byte // inner nodes
	leaf  []byte   // nil if the path ends at an inner node
	rest  []byte
}

// NewTrace runs the phase. start is the state before its first step (kind Open, receipt 0); receipts are all receipts of the
// L1 block.
func NewTrace(env *Env, start State, receipts types.Receipts) (*Trace, error) {
	t := &Trace{env: env, proofs: trie.NewEmpty(emptyDatabase{}), count: uint64(len(receipts))}
	var b bytes.Buffer
	for i := range receipts {
		b.Reset()
		receipts.EncodeIndex(i, &b)
		if err := t.proofs.Update(receiptKeyBytes(uint64(i)), bytes.Clone(b.Bytes())); err != nil {
			return nil, fmt.Errorf("receipt %d: %w", i, err)
		}
	}
	if root := t.proofs.Hash(); root != start.ReceiptsRoot {
		return nil, fmt.Errorf("%w: %s, want %s", ErrReceipts, root, start.ReceiptsRoot)
	}
	p := position{kind: Open, state: start}
	for p.kind != Done && p.kind != Reverse {
		switch p.kind {
		case Open:
			t.opens = append(t.opens, p)
		case Deposit:
			under, count := p.state.Deposits, p.state.DepositCount
			hash, err := t.deposit(p)
			if err != nil {
				return nil, err
			}
			if err := t.advance(&p); err != nil {
				return nil, err
			}
			if p.state.DepositCount > count {
				t.stack, t.deposits = append(t.stack, under), append(t.deposits, hash)
			}
			continue
		}
		if err := t.advance(&p); err != nil {
			return nil, err
		}
	}
	t.opens = append(t.opens, p)
	t.steps = p.step + uint64(len(t.deposits))
	t.last = t.opens[0]
	return t, nil
}

// Steps is the number of micro-steps: step 0 starts at the first state, and after step Steps()-1 the kind is Done.
func (t *Trace) Steps() uint64 { return t.steps }

// Deposits returns the hashes of the block's deposit transactions in order.
func (t *Trace) Deposits() []common.Hash { return t.deposits }

// State returns the state before the given step and the step's kind. State(Steps()) is the result of the phase.
func (t *Trace) State(step uint64) (Kind, State, error) {
	if step > t.steps {
		return 0, State{}, fmt.Errorf("%w: %d of %d", ErrStep, step, t.steps)
	}
	if t.last.step > step || t.opens[t.openOf(step)].step > t.last.step {
		t.last = t.opens[t.openOf(step)]
	}
	for t.last.step < step {
		if err := t.advance(&t.last); err != nil {
			return 0, State{}, err
		}
	}
	return t.last.kind, t.last.state, nil
}

// openOf returns the last checkpoint at or before a step.
func (t *Trace) openOf(step uint64) int {
	return sort.Search(len(t.opens), func(i int) bool { return t.opens[i].step > step }) - 1
}

// Witness returns the witness of a step.
func (t *Trace) Witness(step uint64) ([]byte, error) {
	kind, s, err := t.State(step)
	if err != nil {
		return nil, err
	}
	switch kind {
	case Open:
		p, err := t.path(s.ReceiptIndex)
		if err != nil {
			return nil, err
		}
		w := []byte{byte(len(p.nodes))}
		for _, n := range p.nodes {
			w = append(binary.BigEndian.AppendUint16(w, uint16(len(n))), n...)
		}
		switch {
		case p.leaf == nil:
			return append(w, leafNone), nil
		case len(p.leaf) <= InlineBytes:
			return append(append(w, leafInline), p.leaf...), nil
		}
		proof, err := sponge.Open(p.leaf, 0, sponge.ChunkBytes)
		if err != nil {
			return nil, err
		}
		return append(append(w, leafStored), proof...), nil
	case Log, Deposit, Config:
		p, err := t.path(s.ReceiptIndex)
		if err != nil {
			return nil, err
		}
		from, to := s.window(kind)
		return sponge.Open(p.leaf, from, to)
	case Reverse:
		i := s.DepositCount - 1
		return append(t.stack[i].Bytes(), t.deposits[i][:]...), nil
	default:
		return nil, nil
	}
}

// Upload returns what OriginLeaves must be told before a step can be made on L1: the leaf that the step refers to, or nil if
// its witness is enough.
func (t *Trace) Upload(step uint64) ([]byte, error) {
	kind, s, err := t.State(step)
	if err != nil || kind != Open {
		return nil, err
	}
	p, err := t.path(s.ReceiptIndex)
	if err != nil || len(p.leaf) <= InlineBytes {
		return nil, err
	}
	return p.leaf, nil
}

// Leaves returns OriginLeaves as it is once every leaf of the block is uploaded, for checking steps without L1.
func (t *Trace) Leaves() (Leaves, error) {
	type known struct {
		root   common.Hash
		length uint64
	}
	leaves := map[common.Hash]known{}
	for i := range t.count {
		p, err := t.path(i)
		if err != nil {
			return nil, err
		}
		root, err := sponge.Root(p.leaf)
		if err != nil {
			return nil, fmt.Errorf("receipt %d: %w", i, err)
		}
		leaves[crypto.Keccak256Hash(p.leaf)] = known{root, uint64(len(p.leaf))}
	}
	return func(hash common.Hash) (common.Hash, uint64) { return leaves[hash].root, leaves[hash].length }, nil
}

// advance makes one step without a witness.
func (t *Trace) advance(p *position) (err error) {
	s := p.state
	switch p.kind {
	case Open:
		var at *leafPath
		if at, err = t.path(s.ReceiptIndex); err != nil {
			return err
		}
		if at.leaf == nil {
			p.kind, p.state, err = s.applyEnd()
			break
		}
		p.kind, p.state, err = s.applyOpen(at.rest, at.leaf[:min(len(at.leaf), sponge.ChunkBytes)], uint64(len(at.leaf)), func() (common.Hash, error) {
			return sponge.Root(at.leaf)
		})
	case Log, Deposit, Config:
		var at *leafPath
		if at, err = t.path(s.ReceiptIndex); err != nil {
			return err
		}
		from, to := s.window(p.kind)
		p.kind, p.state, err = s.applyLog(t.env, p.kind, at.leaf[from:to])
	case Reverse:
		i := s.DepositCount - 1
		p.kind, p.state, err = s.applyReverse(t.stack[i], t.deposits[i])
	}
	if err != nil {
		return fmt.Errorf("step %d: %w", p.step, err)
	}
	p.step++
	return nil
}

// deposit returns the transaction hash of the deposit that a DEPOSIT step is about to push.
func (t *Trace) deposit(p position) (common.Hash, error) {
	at, err := t.path(p.state.ReceiptIndex)
	if err != nil {
		return common.Hash{}, err
	}
	from, to := p.state.window(Deposit)
	b := at.leaf[from:to]
	l, err := readLog(b, uint64(len(b)))
	if err != nil {
		return common.Hash{}, err
	}
	hash, _ := depositHash(&l, b[l.data.start:l.data.end], p.state.L1BlockHash, p.state.LogIndex)
	return hash, nil
}

// path follows the key of a receipt to its leaf, or to where it leaves the trie.
func (t *Trace) path(i uint64) (*leafPath, error) {
	if t.leaf != nil && t.leafIndex == i {
		return t.leaf, nil
	}
	var nodes nodeList
	if t.count > 0 {
		if err := t.proofs.Prove(receiptKeyBytes(i), &nodes); err != nil {
			return nil, fmt.Errorf("receipt %d: %w", i, err)
		}
	}
	p := &leafPath{nodes: nodes}
	if n := len(nodes); n > 0 && isLeaf(nodes[n-1]) {
		p.nodes, p.leaf = nodes[:n-1], nodes[n-1]
	}
	var absent bool
	var err error
	if _, p.rest, absent, err = walk(t.proofs.Hash(), receiptKey(i), p.nodes); err != nil {
		return nil, fmt.Errorf("receipt %d: %w", i, err)
	}
	if absent != (p.leaf == nil) {
		return nil, fmt.Errorf("receipt %d: %w", i, ErrWrongWalk)
	}
	t.leafIndex, t.leaf = i, p
	return p, nil
}

// isLeaf tells a leaf of the trie from its inner nodes.
func isLeaf(node []byte) bool {
	_, _, err := readLeaf(node, uint64(len(node)), nil)
	return err == nil
}

// receiptKeyBytes is receiptKey in bytes: rlp(i).
func receiptKeyBytes(i uint64) []byte {
	nibbles := receiptKey(i)
	b := make([]byte, len(nibbles)/2)
	for n := range b {
		b[n] = nibbles[2*n]<<4 | nibbles[2*n+1]
	}
	return b
}

type nodeList [][]byte

func (l *nodeList) Put(_ []byte, v []byte) error { *l = append(*l, bytes.Clone(v)); return nil }
func (l *nodeList) Delete([]byte) error          { return nil }

// emptyDatabase is the node database of a trie that lives in memory only.
type emptyDatabase struct{}

func (emptyDatabase) NodeReader(common.Hash) (database.NodeReader, error) { return emptyReader{}, nil }

type emptyReader struct{}

func (emptyReader) Node(_ common.Hash, path []byte, hash common.Hash) ([]byte, error) {
	return nil, fmt.Errorf("%w: node %s at %x is not in memory", ErrWrongWalk, hash, path)
}
