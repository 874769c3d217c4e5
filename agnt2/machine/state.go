// Package machine is the machine of AGNT2's fault proofs: it derives the block after an agreed output root from L1, executes
// it and compares its output root with the disputed one, in micro-steps of which any single one can be checked on L1
// (docs/spec/machine.md; paper §2.3, §4.5, App. C).
//
// Step is one micro-step over a state's commitments and a witness: the slow mode. AGNT2StepVerifier.sol and the libraries
// under src/dispute repeat it one to one. Trace runs a whole block in the fast mode (agnt2/vm over plain records) and makes
// the state and the witness of any micro-step.
//
// The rule that everything here serves: for every state there is exactly one that Step returns. A witness that is wrong,
// incomplete or longer than needed is an error, never another result. The package does no I/O and reads no clock.
package machine

import (
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/machine/origin"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Status is the first byte of a state and of its claim (OP's VMStatus).
type Status uint8

const (
	Valid      Status = 0
	Invalid    Status = 1
	Unfinished Status = 3
)

// Micro-steps of the machine itself; those of execution are vm.Step's, below 128. Never renumber.
const (
	Begin vm.Step = 128 + iota
	Parent
	Walk
	Locate
	Origin // begins the origin's phase
	TxAttributes
	TxDeposit
	TxSigned
	TxList
	Receipt
	ReceiptList
	Passer
	TxRoot
	ReceiptRoot
	Header
	_
	OriginEnd
	OpenBlock
	Next

	// OriginBase is added to the kinds of agnt2/machine/origin.
	OriginBase vm.Step = 160
)

var names = map[vm.Step]string{
	Begin: "begin", Parent: "parent", Walk: "walk", Locate: "locate", Origin: "origin", TxAttributes: "txAttributes",
	TxDeposit: "txDeposit", TxSigned: "txSigned", TxList: "txList", Receipt: "receipt", ReceiptList: "receiptList",
	Passer: "passer", TxRoot: "txRoot", ReceiptRoot: "receiptRoot", Header: "header", OriginEnd: "originEnd",
	OpenBlock: "openBlock", Next: "next",
}

// Name is the name of any micro-step.
func Name(k vm.Step) string {
	if n, ok := names[k]; ok {
		return n
	}
	if k >= OriginBase && int(k-OriginBase) < origin.Kinds {
		return "origin." + origin.Kind(k-OriginBase).String()
	}
	return k.String()
}

// State is the machine between two micro-steps: commitments to what it holds.
type State struct {
	Status Status
	Step   vm.Step
	Root   common.Hash // record trie
	Run    common.Hash // frames; zero if not in use
	Block  common.Hash
	Sums   common.Hash
	Tx     common.Hash
	Op     common.Hash
	Call   common.Hash // the interaction in progress
	Params common.Hash // the Params record

	frames frameStore // a tracer's
}

// StateBytes is the length of an encoded state.
const StateBytes = 2 + 8*32

// ErrState reports bytes that are no state.
var ErrState = errors.New("machine: malformed state")

// frameStore remembers the frames behind the hashes of states, for a tracer; nil in a verifier.
type frameStore map[common.Hash]any

// put commits to a frame.
func put[T any, P packed[T]](s *State, x *T) common.Hash {
	h := commit[T, P](x)
	if s.frames != nil {
		s.frames[h] = *x
	}
	return h
}

func (s *State) words() []*common.Hash {
	return []*common.Hash{&s.Root, &s.Run, &s.Block, &s.Sums, &s.Tx, &s.Op, &s.Call, &s.Params}
}

// Encode is the stateData of the dispute game.
func (s *State) Encode() []byte {
	b := make([]byte, 2, StateBytes)
	b[0], b[1] = byte(s.Status), byte(s.Step)
	for _, w := range s.words() {
		b = append(b, w[:]...)
	}
	return b
}

// DecodeState is the inverse of Encode.
func DecodeState(b []byte) (s State, err error) {
	if len(b) != StateBytes {
		return s, fmt.Errorf("%w: %d bytes", ErrState, len(b))
	}
	s.Status, s.Step = Status(b[0]), vm.Step(b[1])
	if s.Status == 2 || s.Status > Unfinished {
		return s, fmt.Errorf("%w: status %d", ErrState, s.Status)
	}
	for i, w := range s.words() {
		copy(w[:], b[2+32*i:])
	}
	return s, nil
}

// Claim is what a game's players claim about a state: its hash, with the status in the first byte.
func (s *State) Claim() common.Hash {
	h := crypto.Keccak256Hash(s.Encode())
	h[0] = byte(s.Status)
	return h
}

// Prestate is the state before the first micro-step of every dispute.
func Prestate() State { return State{Status: Unfinished, Step: Begin} }

// final ends the machine: the disputed root is right if it is the expected one.
func (s State) final(disputed, expected common.Hash) State {
	out := State{Status: Invalid}
	if disputed == expected {
		out.Status = Valid
	}
	return out
}
