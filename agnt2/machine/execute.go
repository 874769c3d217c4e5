package machine

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
)

// Execution: the micro-steps of agnt2/vm, over a witness.

var deadlines = []byte{byte(record.NSDeadline)}

// proofState is the record trie as one micro-step's witness shows it.
type proofState struct {
	root common.Hash
	w    *reader

	touched  bool
	key      record.Key
	old      []byte // nil: absent
	proof    trie.Proof
	written  bool
	value    []byte
	queue    bool // the witness is about the head of the deadline queue
	noDueKey bool // which is empty
}

var (
	_ vm.State    = (*proofState)(nil)
	_ vm.Restorer = (*proofState)(nil)
)

func (p *proofState) touch(k record.Key) {
	if p.touched {
		if k != p.key {
			p.w.fail("%v was read, not %v", p.key, k)
		}
		return
	}
	p.touched, p.key = true, k
	switch p.w.uint8() {
	case 0:
	case 1:
		p.old = unpackRecord(p.w, k)
	default:
		p.w.fail("presence of %v", k)
	}
	p.proof = readProof(p.w)
}

func (p *proofState) Get(k record.Key) []byte {
	p.touch(k)
	return p.old
}

func (p *proofState) Set(k record.Key, v []byte) {
	p.touch(k)
	p.written, p.value = true, v
}

func (p *proofState) NextDeadline() (record.Key, bool) {
	p.touched, p.queue = true, true
	switch p.w.uint8() {
	case 0:
		p.noDueKey = true
	case 1:
		b := append(make([]byte, 3), p.w.take(5)...)
		kind := record.DeadlineKind(p.w.uint8())
		id := p.w.hash()
		p.key = record.DeadlineKey((&reader{b: b}).uint64(), kind, id)
		p.old = (&record.Deadline{Id: id}).Encode()
	default:
		p.w.fail("presence of a deadline")
	}
	p.proof = readProof(p.w)
	return p.key, !p.noDueKey
}

func (p *proofState) Restore(root common.Hash) { p.root = root }

// settle verifies the witness against the root and moves the root on.
func (p *proofState) settle() error {
	if !p.touched || p.w.err != nil {
		return p.w.err
	}
	value := func(b []byte) *trie.Hash {
		if b == nil {
			return nil
		}
		h := trie.HashRecord(b)
		return &h
	}
	deletes := p.written && p.old != nil && p.value == nil && p.proof.Depth > 0
	if (p.proof.SiblingPreimage != nil) != deletes {
		return fmt.Errorf("%w: sibling's preimage", ErrWitness)
	}
	if p.queue {
		if p.noDueKey {
			return trie.VerifyNone(p.root, deadlines, p.proof)
		}
		if err := trie.VerifyFirst(p.root, deadlines, trie.Key(p.key), *value(p.old), p.proof); err != nil {
			return err
		}
	}
	now := value(p.old)
	if p.written {
		now = value(p.value)
	}
	root, err := trie.UpdateFromProof(p.root, trie.Key(p.key), value(p.old), now, p.proof)
	p.root = root
	return err
}

// readProof reads a proof, which says how long it is.
func readProof(w *reader) trie.Proof {
	n, ok := trie.ProofLength(w.b)
	if !ok {
		w.fail("proof")
		return trie.Proof{}
	}
	p, err := trie.DecodeProof(w.take(n))
	if err != nil {
		w.fail("%v", err)
	}
	return p
}

// execute takes a micro-step of execution.
func (e *Env) execute(s *State, w *reader) (out State, err error) {
	k := s.Step
	m := &vm.Machine{ChainID: e.ChainID, Coinbase: abi.SequencerFeeVault}
	readFrames(m, s, k.Opens(), w)
	if k.Opens()&vm.OpensData != 0 {
		data := w.bytes()
		if w.err == nil && crypto.Keccak256Hash(data) != m.Op.Data {
			w.fail("calldata")
		}
		if w.err == nil && m.SetData(k, data) != nil {
			w.fail("calldata of another operation")
		}
	}
	if w.err != nil {
		return State{}, w.err
	}
	p := &proofState{root: s.Root, w: w}
	next, err := micro(m, p, k)
	if err != nil {
		return State{}, err
	}
	if err := p.settle(); err != nil {
		return State{}, err
	}
	return after(s, m, k, next, p.root), w.done()
}

// micro takes a micro-step; a record that is not what the transition relies on, which no committed state holds, is an error.
func micro(m *vm.Machine, p *proofState, k vm.Step) (next vm.Step, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = p.w.err
			if err == nil {
				err = fmt.Errorf("%w: %v", ErrWitness, r)
			}
		}
	}()
	next = m.Micro(p, k)
	return next, p.w.err
}

// slot is a frame that micro-steps of execution open, in the order in which witnesses have them.
type slot struct {
	bit      vm.Opens
	readOnly bool
	pack     func(m *vm.Machine, w []byte) []byte
	open     func(m *vm.Machine, s *State, w *reader)
	load     func(m *vm.Machine, s *State) // from what a tracer remembers
	put      func(m *vm.Machine, s *State)
}

// slotOf describes a frame: where a machine has it and where its hash is.
func slotOf[T any, P packed[T]](
	bit vm.Opens, of func(*vm.Machine) *T, unpack func([]byte) (T, []byte, error), at func(*vm.Machine, *State) *common.Hash,
) slot {
	return slot{
		bit:  bit,
		pack: func(m *vm.Machine, w []byte) []byte { return P(of(m)).AppendPacked(w) },
		open: func(m *vm.Machine, s *State, w *reader) { *of(m) = open[T, P](w, *at(m, s), unpack) },
		load: func(m *vm.Machine, s *State) { *of(m), _ = s.frames[*at(m, s)].(T) },
		put:  func(m *vm.Machine, s *State) { *at(m, s) = put[T, P](s, of(m)) },
	}
}

func (x slot) read() slot { x.readOnly = true; return x }

func callHash(_ *vm.Machine, s *State) *common.Hash { return &s.Call }

var slots = []slot{
	slotOf(vm.OpensBlock, func(m *vm.Machine) *frame.Block { return &m.Block }, frame.UnpackBlock,
		func(_ *vm.Machine, s *State) *common.Hash { return &s.Block }),
	slotOf(vm.OpensSums, func(m *vm.Machine) *frame.Sums { return &m.Sums }, frame.UnpackSums,
		func(_ *vm.Machine, s *State) *common.Hash { return &s.Sums }),
	slotOf(vm.OpensTx, func(m *vm.Machine) *frame.Tx { return &m.Tx }, frame.UnpackTx,
		func(_ *vm.Machine, s *State) *common.Hash { return &s.Tx }),
	slotOf(vm.OpensOp, func(m *vm.Machine) *frame.Op { return &m.Op }, frame.UnpackOp,
		func(_ *vm.Machine, s *State) *common.Hash { return &s.Op }),
	slotOf(vm.OpensCall, func(m *vm.Machine) *record.Interaction { return &m.Call }, record.UnpackInteraction, callHash),
	slotOf(vm.OpensChannel, func(m *vm.Machine) *record.Channel { return &m.Channel }, record.UnpackChannel, callHash),
	slotOf(vm.OpensDispute, func(m *vm.Machine) *record.Dispute { return &m.Dispute }, record.UnpackDispute, callHash),
	slotOf(vm.OpensSearch, func(m *vm.Machine) *frame.Search { return &m.Search }, frame.UnpackSearch, callHash),
	slotOf(vm.OpensComposition, func(m *vm.Machine) *record.Composition { return &m.Composition }, record.UnpackComposition, callHash),
	slotOf(vm.OpensConstituent, func(m *vm.Machine) *record.Constituent { return &m.Constituent }, record.UnpackConstituent, callHash),
	slotOf(vm.OpensParams, func(m *vm.Machine) *record.Params { return &m.Params }, record.UnpackParams,
		func(_ *vm.Machine, s *State) *common.Hash { return &s.Params }).read(),
	slotOf(vm.OpensPolicy, func(m *vm.Machine) *record.Policy { return &m.Policy }, record.UnpackPolicy,
		func(m *vm.Machine, _ *State) *common.Hash { return (*common.Hash)(&m.Block.Policy) }).read(),
}

func readFrames(m *vm.Machine, s *State, opens vm.Opens, w *reader) {
	for _, x := range slots {
		if opens&x.bit != 0 {
			x.open(m, s, w)
		}
	}
}

func packFrames(m *vm.Machine, opens vm.Opens) (w []byte) {
	for _, x := range slots {
		if opens&x.bit != 0 {
			w = x.pack(m, w)
		}
	}
	if opens&vm.OpensData != 0 {
		w = appendBytes(w, m.Data())
	}
	return w
}

// extendLogs is the chain of op.logs with one more log.
func extendLogs(h common.Hash, log []byte) common.Hash {
	return crypto.Keccak256Hash(h[:], crypto.Keccak256(log))
}

// logRLP is a log's consensus encoding.
func logRLP(l *types.Log) []byte {
	b, err := rlp.EncodeToBytes(l)
	if err != nil {
		panic(err) // to memory
	}
	return b
}

// after is the state that follows s when m has taken micro-step k and the trie has the given root. The logs that m holds
// are those of this step alone.
func after(s *State, m *vm.Machine, k, next vm.Step, root common.Hash) State {
	out := *s
	out.Root = root
	for _, l := range m.Logs() {
		m.Op.Logs = extendLogs(m.Op.Logs, logRLP(l))
	}
	assigns := k.Opens()
	if !m.Op.Failed && !m.Tx.IsVoid {
		assigns |= k.Sets()
	}
	switch k {
	case vm.BeginParams:
		out.Params = put(s, &m.Params)
	case vm.BeginPolicy:
		m.Block.Policy = put(s, &m.Policy)
	case vm.TxBegin, vm.DepositBegin:
		if !m.Tx.IsVoid {
			m.Tx.Root = root
		}
	}
	for _, x := range slots {
		if assigns&x.bit != 0 && !x.readOnly {
			x.put(m, &out)
		}
	}
	out.Step = next
	if next == vm.Halt {
		switch k {
		case vm.BeginTotals:
			out.Step = TxAttributes
		case vm.TxBook, vm.TxBegin:
			out.Step = Receipt
		case vm.SealTotals:
			out.Step = TxRoot
		}
	}
	return out
}

// recordCodec packs and unpacks the records of one namespace.
type recordCodec struct {
	pack   func(value, w []byte) ([]byte, error)
	unpack func(w []byte) (value, rest []byte, err error)
}

func codecOf[T any, P packed[T]](decode func([]byte) (T, error), unpack func([]byte) (T, []byte, error)) recordCodec {
	return recordCodec{
		func(value, w []byte) ([]byte, error) {
			x, err := decode(value)
			return P(&x).AppendPacked(w), err
		},
		func(w []byte) ([]byte, []byte, error) {
			x, rest, err := unpack(w)
			return P(&x).Encode(), rest, err
		},
	}
}

var (
	codecs = map[record.Namespace]recordCodec{
		record.NSAccount:          codecOf(record.DecodeAccount, record.UnpackAccount),
		record.NSAgent:            codecOf(record.DecodeAgent, record.UnpackAgent),
		record.NSAgentURI:         codecOf(record.DecodeAgentURI, record.UnpackAgentURI),
		record.NSMetadata:         codecOf(record.DecodeMetadata, record.UnpackMetadata),
		record.NSCapability:       codecOf(record.DecodeCapability, record.UnpackCapability),
		record.NSCapabilityDetail: codecOf(record.DecodeCapabilityDetail, record.UnpackCapabilityDetail),
		record.NSReputation:       codecOf(record.DecodeReputation, record.UnpackReputation),
		record.NSPair:             codecOf(record.DecodePair, record.UnpackPair),
		record.NSDelegation:       codecOf(record.DecodeDelegation, record.UnpackDelegation),
		record.NSSession:          codecOf(record.DecodeSession, record.UnpackSession),
		record.NSWallet:           codecOf(record.DecodeWallet, record.UnpackWallet),
		record.NSHolding:          codecOf(record.DecodeHolding, record.UnpackHolding),
		record.NSInteraction:      codecOf(record.DecodeInteraction, record.UnpackInteraction),
		record.NSDeadline:         codecOf(record.DecodeDeadline, record.UnpackDeadline),
		record.NSChannel:          codecOf(record.DecodeChannel, record.UnpackChannel),
		record.NSChannelPair:      codecOf(record.DecodeChannelPair, record.UnpackChannelPair),
		record.NSDispute:          codecOf(record.DecodeDispute, record.UnpackDispute),
		record.NSIndex:            codecOf(record.DecodeIndexSlot, record.UnpackIndexSlot),
		record.NSIndexCount:       codecOf(record.DecodeIndexCount, record.UnpackIndexCount),
		record.NSCommitment:       codecOf(record.DecodeCommitment, record.UnpackCommitment),
		record.NSComposition:      codecOf(record.DecodeComposition, record.UnpackComposition),
		record.NSConstituent:      codecOf(record.DecodeConstituent, record.UnpackConstituent),
		record.NSForeign:          codecOf(record.DecodeForeign, record.UnpackForeign),
		record.NSFeedback:         codecOf(record.DecodeFeedback, record.UnpackFeedback),
		record.NSFeedbackCount:    codecOf(record.DecodeFeedbackCount, record.UnpackFeedbackCount),
		record.NSRating:           codecOf(record.DecodeRating, record.UnpackRating),
		record.NSResponseCount:    codecOf(record.DecodeResponseCount, record.UnpackResponseCount),
		record.NSListCount:        codecOf(record.DecodeListCount, record.UnpackListCount),
		record.NSListEntry:        codecOf(record.DecodeListEntry, record.UnpackListEntry),
		record.NSValidation:       codecOf(record.DecodeValidation, record.UnpackValidation),
	}
	globalCodecs = map[record.Key]recordCodec{
		record.ParamsKey:  codecOf(record.DecodeParams, record.UnpackParams),
		record.PolicyKey:  codecOf(record.DecodePolicy, record.UnpackPolicy),
		record.TotalsKey:  codecOf(record.DecodeTotals, record.UnpackTotals),
		record.L1InfoKey:  codecOf(record.DecodeL1Info, record.UnpackL1Info),
		record.HistoryKey: codecOf(record.DecodeHistory, record.UnpackHistory),
	}
)

func recordCodecOf(k record.Key) recordCodec {
	if c, ok := globalCodecs[k]; ok {
		return c
	}
	return codecs[record.Namespace(k[0])]
}

// unpackRecord reads the packed record of a key and returns its bytes in the trie.
func unpackRecord(w *reader, k record.Key) []byte {
	if w.err != nil {
		return nil
	}
	value, rest, err := recordCodecOf(k).unpack(w.b)
	if err != nil {
		w.fail("%v: %v", k, err)
		return nil
	}
	w.b = rest
	return value
}
