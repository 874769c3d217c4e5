package machine

import (
	"fmt"

	"github.com/agnt2/agnt2/agnt2/machine/origin"
)

var program = map[stepKind]func(*Env, *State, *reader) (State, error){
	Begin:        (*Env).begin,
	Parent:       (*Env).parent,
	Walk:         (*Env).walk,
	Locate:       (*Env).locate,
	Origin:       (*Env).originBegin,
	OriginEnd:    (*Env).originEnd,
	OpenBlock:    (*Env).openBlock,
	Next:         (*Env).next,
	TxAttributes: (*Env).txAttributes,
	TxDeposit:    (*Env).txDeposit,
	TxSigned:     (*Env).txSigned,
	TxList:       (*Env).txList,
	Receipt:      (*Env).receipt,
	ReceiptList:  (*Env).receiptList,
	Passer:       (*Env).passer,
	TxRoot:       (*Env).txRoot,
	ReceiptRoot:  (*Env).receiptRoot,
	Header:       (*Env).header,
}

// Step takes the state's next micro-step. Errors: ErrState, ErrWitness and those of the proofs inside the witness.
func (e *Env) Step(state, witness []byte) ([]byte, error) {
	s, err := DecodeState(state)
	if err != nil {
		return nil, err
	}
	out, err := e.step(s, witness)
	if err != nil {
		return nil, err
	}
	return out.Encode(), nil
}

func (e *Env) step(s State, witness []byte) (out State, err error) {
	w := &reader{b: witness}
	switch k := s.Step; {
	case s.Status != Unfinished:
		out, err = s, w.done()
	case k.Exists():
		out, err = e.execute(&s, w)
	case k >= OriginBase && k < OriginBase+stepKind(origin.Kinds):
		out, err = e.originStep(&s, w)
	default:
		f, ok := program[k]
		if !ok {
			return out, fmt.Errorf("%w: no micro-step %d", ErrState, k)
		}
		out, err = f(e, &s, w)
	}
	if err != nil {
		return out, fmt.Errorf("%s: %w", Name(s.Step), err)
	}
	return out, nil
}
