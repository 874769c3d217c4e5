package machine

import (
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/machine/origin"
	"github.com/agnt2/agnt2/agnt2/machine/patricia"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
)

// What L1 says: which block comes after the agreed one, where its content was committed, and what its L1 origin adds.

type stepKind = vm.Step

// Env is what a verifier fixes at its deployment, and the game that asks.
type Env struct {
	ChainID      uint64 // of L2
	BlockTime    uint64 // seconds between L2 blocks
	ProofLag     uint64 // L1 blocks between a game's L1 head and its proof head
	SeqWindow    uint64 // L1 blocks after its origin within which a block has to be committed
	BlobFraction uint64 // update fraction of the blob base fee at L1's present fork (EIP-4844, EIP-7840)
	LayerRoot    common.Address
	Portal       common.Address
	SystemConfig common.Address
	Genesis      GenesisL1

	Leaves origin.Leaves // view of the OriginLeaves contract

	Game Game
}

// GenesisL1 is the L1 origin and the system configuration of the L2 genesis block, which has no L1Info record yet.
type GenesisL1 struct {
	Number            uint64
	Hash              common.Hash
	BatcherHash       common.Hash
	BaseFeeScalar     uint32
	BlobBaseFeeScalar uint32
}

// Game is what the calling dispute game says: its local data, and the block that its root claim is about.
type Game struct {
	L1Head   common.Hash
	Agreed   common.Hash // output root of the parent block
	Disputed common.Hash // output root claimed for the block
	Claimed  uint64      // l2BlockNumber() of the game

	AgreedBlock uint64 // block of Agreed; only tracers use it
}

// LayerRoot's storage: the array of submissions is slot 0, and a submission takes eight slots.
const (
	submissionsSlot  = 0
	submissionWords  = 8
	wordRange        = 0 // status ‖ frames ‖ l1Block ‖ lastBlock ‖ firstBlock, from the most significant byte
	wordRecordsRoot  = 2
	wordParentCheck  = 4
	statusLive       = 1
	locateCommitted  = 0 // kinds of a witness of LOCATE
	locateGap        = 1
	locateBeyond     = 2
	maxHeaderMembers = 32
)

// SubmissionSlot is the storage slot of a word of a submission; SubmissionCountSlot that of their number.
func SubmissionSlot(index uint64, word int) common.Hash {
	base := new(uint256.Int).SetBytes(crypto.Keccak256(common.BigToHash(big.NewInt(submissionsSlot)).Bytes()))
	base.AddUint64(base, index*submissionWords+uint64(word))
	return base.Bytes32()
}

// SubmissionCountSlot is the storage slot of the number of submissions.
var SubmissionCountSlot = common.BigToHash(big.NewInt(submissionsSlot))

// submissionRange takes the first word of a submission apart.
func submissionRange(w common.Hash) (first, last uint64, status uint8) {
	return binary.BigEndian.Uint64(w[24:]), binary.BigEndian.Uint64(w[16:]), w[5]
}

// header is what the machine reads of a block header, L1's or L2's.
type header struct {
	parentHash, stateRoot, receiptsRoot common.Hash
	number, gasLimit, gasUsed, time     uint64
	extra                               []byte
	randao                              common.Hash
	baseFee                             uint256.Int
	withdrawalsRoot, beaconRoot         common.Hash
	excessBlobGas                       uint64
	hasBlobs                            bool
}

// parseHeader reads a header whose hash is committed, so it is well-formed.
func parseHeader(raw []byte) (h header, err error) {
	content, rest, err := rlp.SplitList(raw)
	if err != nil || len(rest) != 0 {
		return h, fmt.Errorf("%w: header", ErrWitness)
	}
	var item [][]byte
	for len(content) > 0 && len(item) < maxHeaderMembers {
		var v []byte
		if _, v, content, err = rlp.Split(content); err != nil {
			return h, fmt.Errorf("%w: header: %v", ErrWitness, err)
		}
		item = append(item, v)
	}
	if len(item) < 16 {
		return h, fmt.Errorf("%w: header has %d fields", ErrWitness, len(item))
	}
	number := func(b []byte) uint64 { return new(uint256.Int).SetBytes(b).Uint64() }
	h = header{
		parentHash: common.BytesToHash(item[0]), stateRoot: common.BytesToHash(item[3]), receiptsRoot: common.BytesToHash(item[5]),
		number: number(item[8]), gasLimit: number(item[9]), gasUsed: number(item[10]), time: number(item[11]), extra: item[12],
		randao: common.BytesToHash(item[13]),
	}
	h.baseFee.SetBytes(item[15])
	if len(item) > 16 {
		h.withdrawalsRoot = common.BytesToHash(item[16])
	}
	if len(item) > 18 {
		h.excessBlobGas, h.hasBlobs = number(item[18]), true
	}
	if len(item) > 19 {
		h.beaconRoot = common.BytesToHash(item[19])
	}
	return h, nil
}

// readHeader reads the header with the given hash from the rest of the witness.
func readHeader(w *reader, hash common.Hash) (h header) {
	raw := w.rest()
	if w.err == nil && crypto.Keccak256Hash(raw) != hash {
		w.fail("header is not %s", hash)
	}
	if w.err != nil {
		return h
	}
	h, w.err = parseHeader(raw)
	return h
}

// nextBaseFee is Holocene's: EIP-1559 with the parameters in the parent's extraData.
func nextBaseFee(parent *header) uint256.Int {
	denominator := uint64(binary.BigEndian.Uint32(parent.extra[1:]))
	elasticity := uint64(binary.BigEndian.Uint32(parent.extra[5:]))
	target := parent.gasLimit / elasticity
	fee := parent.baseFee
	if parent.gasUsed == target {
		return fee
	}
	change := func(gas uint64) (d uint256.Int) {
		d.Mul(&parent.baseFee, uint256.NewInt(gas))
		d.Div(&d, uint256.NewInt(target))
		d.Div(&d, uint256.NewInt(denominator))
		return d
	}
	if parent.gasUsed > target {
		d := change(parent.gasUsed - target)
		if d.IsZero() {
			d.SetOne()
		}
		fee.Add(&fee, &d)
		return fee
	}
	d := change(target - parent.gasUsed)
	if fee.Lt(&d) {
		return uint256.Int{}
	}
	fee.Sub(&fee, &d)
	return fee
}

// blobBaseFee is EIP-4844's fake exponential of the excess; 1 before there are blobs (OP specs, Ecotone).
func blobBaseFee(h *header, fraction uint64) (fee uint256.Int) {
	if !h.hasBlobs {
		return *uint256.NewInt(1)
	}
	var out, term uint256.Int
	denominator := uint256.NewInt(fraction)
	term.Set(denominator)
	excess := uint256.NewInt(h.excessBlobGas)
	for i := uint64(1); !term.IsZero(); i++ {
		out.Add(&out, &term)
		term.Mul(&term, excess)
		term.Div(&term, denominator)
		term.Div(&term, uint256.NewInt(i))
	}
	return *out.Div(&out, denominator)
}

// OutputRoot is OP's version 0.
func OutputRoot(stateRoot, passerRoot, blockHash common.Hash) common.Hash {
	return crypto.Keccak256Hash(make([]byte, 32), stateRoot[:], passerRoot[:], blockHash[:])
}

// begin opens the agreed output root. Witness: its state root, withdrawals root and block hash, and the block's header.
func (e *Env) begin(s *State, w *reader) (State, error) {
	g := &e.Game
	stateRoot, passer, hash := w.hash(), w.hash(), w.hash()
	if w.err == nil && OutputRoot(stateRoot, passer, hash) != g.Agreed {
		w.fail("not the preimage of the agreed output root")
	}
	h := readHeader(w, hash)
	if err := w.done(); err != nil {
		return State{}, err
	}
	if h.number >= g.Claimed {
		return s.final(g.Disputed, g.Agreed), nil
	}
	if len(h.extra) < extraBytes || binary.BigEndian.Uint32(h.extra[5:]) == 0 {
		return State{}, fmt.Errorf("%w: no header of this chain", ErrWitness)
	}
	fee := nextBaseFee(&h)
	run := frame.Run{
		Disputed: g.Disputed, Agreed: g.Agreed, ParentHash: hash, ParentRoot: stateRoot, ParentPasser: passer,
		Number: h.number + 1, Time: h.time + e.BlockTime, GasLimit: h.gasLimit, BaseFee: fee.Bytes32(),
		Walk: g.L1Head, WalkLeft: e.ProofLag,
	}
	copy(run.Extra[:], h.extra)
	return State{Status: Unfinished, Step: Parent, Root: stateRoot, Run: put(s, &run), frames: s.frames}, nil
}

// parent reads the parent's L1 origin and system configuration. Witness: run, and the L1Info record.
func (e *Env) parent(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	p := &proofState{root: s.Root, w: w}
	b := p.Get(record.L1InfoKey)
	if err := p.settle(); err != nil {
		return State{}, err
	}
	if b == nil {
		g := &e.Genesis
		run.ParentOrigin, run.ParentOriginHash = g.Number, g.Hash
		run.BatcherHash, run.BaseFeeScalar, run.BlobBaseFeeScalar = g.BatcherHash, g.BaseFeeScalar, g.BlobBaseFeeScalar
	} else {
		i, err := record.DecodeL1Info(b)
		if err != nil {
			return State{}, err
		}
		run.ParentOrigin, run.ParentOriginHash, run.SequenceNumber = i.Number, i.BlockHash, i.SequenceNumber
		run.BatcherHash, run.BaseFeeScalar, run.BlobBaseFeeScalar = i.BatcherHash, i.BaseFeeScalar, i.BlobBaseFeeScalar
	}
	return s.to(Walk, &run), w.done()
}

// to is the state with another next step and run.
func (s *State) to(next stepKind, run *frame.Run) State {
	out := *s
	out.Step, out.Run = next, put(s, run)
	return out
}

// walk reads one L1 header: down from the game's L1 head to the proof head, then to the block's L1 origin. Witness: run, and
// the header.
func (e *Env) walk(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	h := readHeader(w, run.Walk)
	if err := w.done(); err != nil {
		return State{}, err
	}
	if run.HeadRoot == (common.Hash{}) {
		if run.WalkLeft > 0 && h.number > 0 {
			run.WalkLeft--
			run.Walk = h.parentHash
			return s.to(Walk, &run), nil
		}
		run.HeadNumber, run.HeadRoot = h.number, h.stateRoot
		return s.to(Locate, &run), nil
	}
	if h.number > run.Origin {
		run.Walk = h.parentHash
		return s.to(Walk, &run), nil
	}
	// This is the origin; or of an empty block the candidate, which only counts once it is old enough (op-node's
	// deriveNextEmptyBatch: an L1 origin is adopted as soon as its time allows).
	if run.Empty && !run.Settled {
		run.Settled = true
		if run.Time < h.time {
			run.Origin--
			run.Walk = h.parentHash
			return s.to(Walk, &run), nil
		}
	}
	if run.Empty && run.Origin+e.SeqWindow > run.HeadNumber { // the window counts from the origin that is adopted
		return s.final(run.Disputed, run.Agreed), nil
	}
	hash := run.Walk
	adopted := run.Origin != run.ParentOrigin
	if adopted && h.parentHash != run.ParentOriginHash || !adopted && hash != run.ParentOriginHash {
		return s.final(run.Disputed, run.Agreed), nil // the agreed block is not of this L1 chain: nothing follows it here
	}
	fee, blobs := h.baseFee, blobBaseFee(&h, e.BlobFraction)
	run.OriginHash, run.OriginTime, run.OriginBaseFee, run.OriginBlobBaseFee = hash, h.time, fee.Bytes32(), blobs.Bytes32()
	run.OriginRandao, run.OriginBeaconRoot, run.OriginReceipts = h.randao, h.beaconRoot, h.receiptsRoot
	if !adopted {
		return s.to(OpenBlock, &run), nil
	}
	return s.to(Origin, &run), nil
}

// locate finds what LayerRoot says at the proof head about the block. Witness: run, LayerRoot's account proof, and one of
//
//	0  index (8) of the submission that has the block, proofs of its words "range" and "records root", of "parent check" if
//	   the block is its first, and the block's record with its path
//	1  index (8) of the first submission above the block, proof of its range, and of the range of the one before
//	2  proof of the number of submissions, and of the range of the last one
func (e *Env) locate(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	nodes := w.nodes()
	if w.err != nil {
		return State{}, w.err
	}
	storage, err := patricia.StorageRoot(run.HeadRoot, e.LayerRoot, nodes)
	if err != nil {
		return State{}, err
	}
	word := func(slot common.Hash) common.Hash {
		nodes := w.nodes()
		if w.err != nil {
			return common.Hash{}
		}
		v, err := patricia.StorageAt(storage, slot, nodes)
		if err != nil {
			w.err = err
		}
		return v
	}
	switch w.uint8() {
	case locateCommitted:
		index := w.uint64()
		first, last, status := submissionRange(word(SubmissionSlot(index, wordRange)))
		if w.err == nil && (status != statusLive || run.Number < first || run.Number > last) {
			w.fail("block %d is not in submission %d", run.Number, index)
		}
		root := word(SubmissionSlot(index, wordRecordsRoot))
		rebuilt := false
		if run.Number == first {
			check := word(SubmissionSlot(index, wordParentCheck))
			rebuilt = [20]byte(check[12:]) != [20]byte(run.ParentHash[:20])
		}
		r := readBlockRecord(w)
		path := make([]common.Hash, w.uint8())
		for i := range path {
			path[i] = w.hash()
		}
		if err := w.done(); err != nil {
			return State{}, err
		}
		if r.Number != run.Number {
			return State{}, fmt.Errorf("%w: record of block %d", ErrWitness, r.Number)
		}
		if err := manifest.VerifyRecord(manifest.Seal{FirstBlock: first, LastBlock: last, RecordsRoot: root}, r, path); err != nil {
			return State{}, err
		}
		if !rebuilt && r.Timestamp == run.Time && r.L1Origin <= run.HeadNumber &&
			(r.L1Origin == run.ParentOrigin || r.L1Origin == run.ParentOrigin+1) {
			run.Origin, run.TxCount, run.TxsRoot = r.L1Origin, r.TxCount, r.TxsRoot
			return s.to(Walk, &run), nil
		}
	case locateGap:
		index := w.uint64()
		first, _, status := submissionRange(word(SubmissionSlot(index, wordRange)))
		if w.err == nil && (status != statusLive || run.Number >= first) {
			w.fail("submission %d is not above block %d", index, run.Number)
		}
		if index > 0 {
			_, last, status := submissionRange(word(SubmissionSlot(index-1, wordRange)))
			if w.err == nil && (status != statusLive || run.Number <= last) {
				w.fail("submission %d is not below block %d", index-1, run.Number)
			}
		}
	case locateBeyond:
		n := word(SubmissionCountSlot)
		count := binary.BigEndian.Uint64(n[24:])
		if count > 0 {
			_, last, _ := submissionRange(word(SubmissionSlot(count-1, wordRange)))
			if w.err == nil && run.Number <= last {
				w.fail("block %d is not beyond the last submission", run.Number)
			}
		}
	default:
		w.fail("kind of location")
	}
	if err := w.done(); err != nil {
		return State{}, err
	}
	// No batch counts: the block is empty, once its sequencing window has passed. A later submission changes nothing about
	// that, because derivation drops a batch that does not follow (OP specs, Holocene).
	if run.ParentOrigin+e.SeqWindow > run.HeadNumber {
		return s.final(run.Disputed, run.Agreed), nil
	}
	run.Empty = true
	run.Origin = run.ParentOrigin + 1
	return s.to(Walk, &run), nil
}

func readBlockRecord(w *reader) manifest.BlockRecord {
	return manifest.BlockRecord{Number: w.uint64(), Timestamp: w.uint64(), L1Origin: w.uint64(), TxCount: w.uint64(), TxsRoot: w.hash()}
}

// originBegin starts reading the origin's receipts. Witness: run.
func (e *Env) originBegin(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	o := originOf(&run)
	out := *s
	out.Step, out.Op = OriginBase+stepKind(origin.Open), o.Hash()
	return out, w.done()
}

func originOf(run *frame.Run) *origin.State {
	return &origin.State{
		L1BlockHash: run.OriginHash, ReceiptsRoot: run.OriginReceipts, BatcherHash: run.BatcherHash,
		BaseFeeScalar: run.BaseFeeScalar, BlobBaseFeeScalar: run.BlobBaseFeeScalar, GasLimit: run.GasLimit,
	}
}

// originStep takes a micro-step of the origin's phase. Witness: its state (abi.encode), and the step's own witness.
func (e *Env) originStep(s *State, w *reader) (State, error) {
	raw := w.take(origin.StateBytes)
	if w.err == nil && crypto.Keccak256Hash(raw) != s.Op {
		w.fail("origin's state")
	}
	rest := w.rest()
	if w.err != nil {
		return State{}, w.err
	}
	o, err := origin.Decode(raw)
	if err != nil {
		return State{}, err
	}
	env := &origin.Env{Portal: e.Portal, SystemConfig: e.SystemConfig, Leaves: e.Leaves}
	next, o, err := origin.Step(env, origin.Kind(s.Step-OriginBase), o, rest)
	if err != nil {
		return State{}, err
	}
	out := *s
	out.Op, out.Step = o.Hash(), OriginBase+stepKind(next)
	if next == origin.Done {
		out.Step = OriginEnd
	}
	return out, nil
}

// originEnd takes over what the origin's receipts say. Witness: run, and the origin's state.
func (e *Env) originEnd(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	raw := w.take(origin.StateBytes)
	if w.err == nil && crypto.Keccak256Hash(raw) != s.Op {
		w.fail("origin's state")
	}
	if err := w.done(); err != nil {
		return State{}, err
	}
	o, err := origin.Decode(raw)
	if err != nil {
		return State{}, err
	}
	endOrigin(&run, &o)
	out := s.to(OpenBlock, &run)
	out.Op = common.Hash{}
	return out, nil
}

func endOrigin(run *frame.Run, o *origin.State) {
	run.BatcherHash, run.BaseFeeScalar, run.BlobBaseFeeScalar, run.GasLimit = o.BatcherHash, o.BaseFeeScalar, o.BlobBaseFeeScalar, o.GasLimit
	run.AllDeposits, run.DepositCount = o.Queue, o.QueueCount
	run.Deposits, run.DepositsLeft = o.Queue, o.QueueCount
}

// headerRLP is a header's encoding.
func headerRLP(h *types.Header) []byte {
	b, err := rlp.EncodeToBytes(h)
	if err != nil {
		panic(err) // to memory
	}
	return b
}
