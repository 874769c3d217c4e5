package origin

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/machine/sponge"
)

var (
	// ErrMalformedWitness reports a witness of the wrong form.
	ErrMalformedWitness = errors.New("origin: malformed witness")
	// ErrNotTopOfDeposits reports a witness that is not the top of the stack of deposits.
	ErrNotTopOfDeposits = errors.New("origin: not the top of the deposits")
	// ErrLeafNotStored reports a large leaf that OriginLeaves has not got yet.
	ErrLeafNotStored = errors.New("origin: leaf is not in OriginLeaves")
	// ErrUnknownStep reports a step that does not exist, or not in this state.
	ErrUnknownStep = errors.New("origin: no such step")
)

// Leaves is the view of the OriginLeaves contract: the chunk tree's root and length in bytes of the string with the given
// hash, length 0 if it is not stored.
type Leaves func(hash common.Hash) (root common.Hash, length uint64)

// Env is what steps read beside state and witness: constants of the chain, and the L1 contract of large leaves.
type Env struct {
	Portal       common.Address // OptimismPortal
	SystemConfig common.Address
	Leaves       Leaves
}

// How a leaf stands in an OPEN witness.
const (
	leafNone   = 0 // the path leaves the trie at an inner node
	leafInline = 1 // the leaf itself
	leafStored = 2 // a range proof of its first chunk, against OriginLeaves
)

// Step makes one micro-step. A witness other than the one that Trace.Witness returns is an error, up to the form in which a
// leaf is given, which does not change the result.
//
// Witnesses: OPEN has the number of inner nodes (1 byte), each with its length (2 bytes), the leaf's form (1 byte) and the
// leaf in that form; LOG, DEPOSIT and CONFIG have the range proof (sponge.Open) of the log's head or of the log; REVERSE has
// the stack under its top and the top (64 bytes); DONE has nothing.
func Step(env *Env, kind Kind, s State, witness []byte) (Kind, State, error) {
	switch kind {
	case Open:
		return s.stepOpen(env, witness)
	case Log, Deposit, Config:
		from, to := s.window(kind)
		b, err := sponge.Verify(s.LeafRoot, s.LeafLength, from, to, witness)
		if err != nil {
			return 0, State{}, err
		}
		return s.applyLog(env, kind, b)
	case Reverse:
		if len(witness) != 64 {
			return 0, State{}, fmt.Errorf("%w: %d bytes", ErrMalformedWitness, len(witness))
		}
		return s.applyReverse(common.Hash(witness[:32]), common.Hash(witness[32:]))
	case Done:
		if len(witness) != 0 {
			return 0, State{}, fmt.Errorf("%w: %d bytes", ErrMalformedWitness, len(witness))
		}
		return Done, s, nil
	default:
		return 0, State{}, fmt.Errorf("%w: %d", ErrUnknownStep, kind)
	}
}

func (s State) stepOpen(env *Env, witness []byte) (Kind, State, error) {
	take := func(n int) []byte {
		if n > len(witness) {
			return nil
		}
		b := witness[:n:n]
		witness = witness[n:]
		return b
	}
	b := take(1)
	if b == nil {
		return 0, State{}, fmt.Errorf("%w: empty", ErrMalformedWitness)
	}
	nodes := make([][]byte, b[0])
	for i := range nodes {
		if b = take(2); b != nil {
			b = take(int(binary.BigEndian.Uint16(b)))
		}
		if b == nil {
			return 0, State{}, fmt.Errorf("%w: node %d missing", ErrMalformedWitness, i)
		}
		nodes[i] = b
	}
	form := take(1)
	if form == nil {
		return 0, State{}, fmt.Errorf("%w: no form of the leaf", ErrMalformedWitness)
	}
	ref, rest, absent, err := walk(s.ReceiptsRoot, receiptKey(s.ReceiptIndex), nodes)
	if err != nil {
		return 0, State{}, err
	}
	if absent != (form[0] == leafNone) {
		return 0, State{}, fmt.Errorf("%w: leaf of form %d", ErrMalformedWitness, form[0])
	}
	switch form[0] {
	case leafNone:
		if len(witness) != 0 {
			return 0, State{}, fmt.Errorf("%w: %d bytes too many", ErrMalformedWitness, len(witness))
		}
		return s.applyEnd()
	case leafInline:
		if crypto.Keccak256Hash(witness) != ref {
			return 0, State{}, fmt.Errorf("%w: leaf is not %s", ErrWrongWalk, ref)
		}
		return s.applyOpen(rest, witness[:min(len(witness), sponge.ChunkBytes)], uint64(len(witness)), func() (common.Hash, error) {
			return sponge.Root(witness)
		})
	case leafStored:
		root, length := env.Leaves(ref)
		// No inner node of a receipts trie is as long as a chunk, so that only leaves pass.
		if length <= sponge.ChunkBytes {
			return 0, State{}, fmt.Errorf("%w: %s", ErrLeafNotStored, ref)
		}
		head, err := sponge.Verify(root, length, 0, sponge.ChunkBytes, witness)
		if err != nil {
			return 0, State{}, err
		}
		return s.applyOpen(rest, head, length, func() (common.Hash, error) { return root, nil })
	default:
		return 0, State{}, fmt.Errorf("%w: leaf of form %d", ErrMalformedWitness, form[0])
	}
}

// applyOpen goes on at a leaf, of which head is the first chunk. root is called only if the leaf's logs are to be read.
func (s State) applyOpen(rest, head []byte, length uint64, root func() (common.Hash, error)) (Kind, State, error) {
	present, start, err := readLeaf(head, length, rest)
	if err != nil {
		return 0, State{}, err
	}
	if !present {
		return s.applyEnd()
	}
	logs, err := readReceipt(head, start, length)
	if err != nil {
		return 0, State{}, fmt.Errorf("receipt %d: %w", s.ReceiptIndex, err)
	}
	if logs.start == logs.end {
		s.ReceiptIndex++
		return Open, s, nil
	}
	if s.LeafRoot, err = root(); err != nil {
		return 0, State{}, err
	}
	s.LeafLength, s.Cursor, s.LogsEnd = length, logs.start, logs.end
	return Log, s, nil
}

// applyEnd goes on behind the last receipt.
func (s State) applyEnd() (Kind, State, error) {
	if s.DepositCount > 0 {
		return Reverse, s, nil
	}
	return Done, s, nil
}

// window returns the bytes of the leaf that a LOG, DEPOSIT or CONFIG step reads.
func (s *State) window(kind Kind) (from, to uint64) {
	if kind == Log {
		return s.Cursor, min(s.Cursor+logHeadBytes, s.LogsEnd)
	}
	return s.Cursor, s.LogEnd
}

// applyLog makes a LOG, DEPOSIT or CONFIG step with the bytes of its window.
func (s State) applyLog(env *Env, kind Kind, b []byte) (Kind, State, error) {
	l, err := readLog(b, s.LogsEnd-s.Cursor)
	if err != nil {
		return 0, State{}, fmt.Errorf("log %d: %w", s.LogIndex, err)
	}
	end := s.Cursor + l.data.end
	switch kind {
	case Log:
		if next := l.next(env); next != Log {
			s.LogEnd = end
			return next, s, nil
		}
	case Deposit:
		if hash, ok := depositHash(&l, b[l.data.start:l.data.end], s.L1BlockHash, s.LogIndex); ok {
			s.Deposits = push(s.Deposits, hash)
			s.DepositCount++
		}
	case Config:
		s.update(&l, b[l.data.start:l.data.end])
	}
	s.LogIndex++
	s.Cursor, s.LogEnd = end, 0
	if s.Cursor < s.LogsEnd {
		return Log, s, nil
	}
	s.ReceiptIndex++
	s.LeafRoot, s.LeafLength, s.Cursor, s.LogsEnd = common.Hash{}, 0, 0, 0
	return Open, s, nil
}

// applyReverse moves the top of the stack, which lies on under, to the queue.
func (s State) applyReverse(under, top common.Hash) (Kind, State, error) {
	if s.DepositCount == 0 {
		return 0, State{}, fmt.Errorf("%w: nothing to reverse", ErrUnknownStep)
	}
	if push(under, top) != s.Deposits {
		return 0, State{}, fmt.Errorf("%w: %s", ErrNotTopOfDeposits, top)
	}
	s.Deposits = under
	s.DepositCount--
	s.Queue = push(s.Queue, top)
	s.QueueCount++
	return s.applyEnd()
}
