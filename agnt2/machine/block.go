package machine

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/machine/patricia"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// The block around its transactions: which comes next, lists and receipts, the message passer, the header.

// l1AttributesGas is the gas limit of the L1-attributes deposit (OP specs, Regolith).
const l1AttributesGas = 1_000_000

var (
	emptyBloom     = crypto.Keccak256Hash(make([]byte, types.BloomByteLength))
	passerValue    = []byte{0x01} // RLP of 1
	zeroSums       = frame.Sums{Transactions: patricia.EmptyEdgeHash, Receipts: patricia.EmptyEdgeHash, Bloom: emptyBloom}
	attributesFrom = abi.L1AttributesDepositor
	attributesTo   = abi.L1BlockAddress
)

// openBlock makes everything ready for the first transaction. Witness: run.
func (e *Env) openBlock(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	block, sums := openFrames(&run)
	return State{
		Status: Unfinished, Step: vm.BeginParams, Root: run.ParentRoot, Run: s.Run, Block: put(s, &block), Sums: put(s, &sums),
		frames: s.frames,
	}, w.done()
}

func openFrames(run *frame.Run) (frame.Block, frame.Sums) {
	sums := zeroSums
	sums.Passer = run.ParentPasser
	return frame.Block{
		Number: run.Number, Time: run.Time, GasLimit: run.GasLimit, BaseFee: *new(uint256.Int).SetBytes32(run.BaseFee[:]),
	}, sums
}

// next clears the last transaction's frames and chooses the transaction that follows. Witness: run.
func (e *Env) next(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	out := *s
	out.Step = nextTransaction(&run)
	out.Tx, out.Op, out.Call = common.Hash{}, common.Hash{}, common.Hash{}
	return out, w.done()
}

func nextTransaction(run *frame.Run) stepKind {
	switch {
	case run.DepositsLeft > 0:
		return TxDeposit
	case run.TxNext < run.TxCount:
		return TxSigned
	}
	return vm.SealBaseFees
}

// begins is the state in which a transaction has been read.
func (s *State) begins(t *frame.Tx) State {
	out := *s
	out.Tx, out.Op, out.Call, out.Step = put(s, t), common.Hash{}, common.Hash{}, TxList
	return out
}

// frameOf is the frame of a transaction that has not begun yet.
func frameOf(t *abi.Transaction) frame.Tx {
	f := frame.Tx{
		Deposit: t.Deposit, From: t.From, Creation: t.To == nil, Nonce: t.Nonce, GasLimit: t.GasLimit, FeeCap: t.FeeCap,
		TipCap: t.TipCap, Value: t.Value, Mint: t.Mint, Data: crypto.Keccak256Hash(t.Data), Size: uint32(t.Size), Hash: t.Hash,
	}
	if t.To != nil {
		f.To = *t.To
	}
	if t.Deposit { // not a deposit's own
		f.Nonce, f.FeeCap, f.TipCap = 0, uint256.Int{}, uint256.Int{}
	}
	return f
}

// attributesSource is the source hash of an L1-attributes deposit (OP specs, "Source hash computation", domain 1).
func attributesSource(l1Block common.Hash, sequence uint64) common.Hash {
	inner := crypto.Keccak256(l1Block[:], common.BigToHash(new(big.Int).SetUint64(sequence)).Bytes())
	return crypto.Keccak256Hash(common.BigToHash(common.Big1).Bytes(), inner)
}

// attributes is the encoded L1-attributes deposit (OP specs, Isthmus).
func attributes(run *frame.Run) []byte {
	sequence := uint64(0)
	if run.Origin == run.ParentOrigin {
		sequence = run.SequenceNumber + 1
	}
	b := append([]byte{}, abi.L1AttributesSelector[:]...)
	b = binary.BigEndian.AppendUint32(b, run.BaseFeeScalar)
	b = binary.BigEndian.AppendUint32(b, run.BlobBaseFeeScalar)
	b = binary.BigEndian.AppendUint64(b, sequence)
	b = binary.BigEndian.AppendUint64(b, run.OriginTime)
	b = binary.BigEndian.AppendUint64(b, run.Origin)
	b = append(b, run.OriginBaseFee[:]...)
	b = append(b, run.OriginBlobBaseFee[:]...)
	b = append(b, run.OriginHash[:]...)
	b = append(b, run.BatcherHash[:]...)
	b = append(b, make([]byte, 12)...) // operator fee: this chain's SystemConfig has none
	raw, err := types.NewTx(&types.DepositTx{
		SourceHash: attributesSource(run.OriginHash, sequence), From: attributesFrom, To: &attributesTo, Mint: nil, Value: new(big.Int),
		Gas: l1AttributesGas, Data: b,
	}).MarshalBinary()
	if err != nil {
		panic(err) // to memory
	}
	return raw
}

func (e *Env) decode(raw []byte) (*abi.Transaction, error) {
	return abi.Decode(raw, new(big.Int).SetUint64(e.ChainID))
}

// txAttributes makes the block's first transaction. Witness: run.
func (e *Env) txAttributes(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	if err := w.done(); err != nil {
		return State{}, err
	}
	t, err := e.decode(attributes(&run))
	if err != nil {
		return State{}, err
	}
	f := frameOf(t)
	return s.begins(&f), nil
}

// txDeposit takes the next user deposit. Witness: run, the stack under its top, and the deposit's encoding.
func (e *Env) txDeposit(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	below, raw := w.hash(), w.rest()
	hash := crypto.Keccak256Hash(raw)
	if w.err == nil && crypto.Keccak256Hash(below[:], hash[:]) != run.Deposits {
		w.fail("not the next deposit")
	}
	if err := w.done(); err != nil {
		return State{}, err
	}
	t, err := e.decode(raw)
	if err != nil {
		return State{}, err // never: the origin's phase has encoded it
	}
	run.Deposits = below
	run.DepositsLeft--
	f := frameOf(t)
	out := s.begins(&f)
	out.Run = put(s, &run)
	return out, nil
}

// txSigned takes the next signed transaction. A malformed one makes the block start again with its deposits only (OP specs,
// Holocene). Witness: run, the path from the transaction's hash to txsRoot, and the transaction's encoding.
func (e *Env) txSigned(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	path := make([]common.Hash, w.uint8())
	for i := range path {
		path[i] = w.hash()
	}
	raw := w.rest()
	if err := w.done(); err != nil {
		return State{}, err
	}
	record := manifest.BlockRecord{TxCount: run.TxCount, TxsRoot: run.TxsRoot}
	if err := manifest.VerifyTx(record, crypto.Keccak256Hash(raw), run.TxNext, path); err != nil {
		return State{}, err
	}
	t, err := e.decode(raw)
	if err != nil || t.Deposit {
		return s.reopened(&run), nil
	}
	run.TxNext++
	f := frameOf(t)
	out := s.begins(&f)
	out.Run = put(s, &run)
	return out, nil
}

// reopened is the state in which a block starts again with its deposits only.
func (s *State) reopened(run *frame.Run) State {
	run.TxCount, run.TxNext = 0, 0
	run.Deposits, run.DepositsLeft = run.AllDeposits, run.DepositCount
	return State{Status: Unfinished, Step: OpenBlock, Root: run.ParentRoot, Run: put(s, run), frames: s.frames}
}

// txList appends the transaction to the block's list. Witness: sums, tx, the list's edge, and the bytes of the transaction
// before.
func (e *Env) txList(s *State, w *reader) (State, error) {
	sums := open(w, s.Sums, frame.UnpackSums)
	tx := open(w, s.Tx, frame.UnpackTx)
	edge, held := w.bytes(), w.rest()
	if err := w.done(); err != nil {
		return State{}, err
	}
	h, err := patricia.Append(sums.Transactions, edge, tx.Hash, tx.Size, held)
	if err != nil {
		return State{}, err
	}
	sums.Transactions = h
	out := *s
	out.Sums, out.Step = put(s, &sums), vm.TxBegin
	if tx.Deposit {
		out.Step = vm.DepositBegin
	}
	return out, nil
}

// receipt assembles the transaction's receipt. Witness: block, sums, tx, op (unless void), the block's bloom, and every log's
// encoding behind a length of three bytes.
func (e *Env) receipt(s *State, w *reader) (State, error) {
	block := open(w, s.Block, frame.UnpackBlock)
	sums := open(w, s.Sums, frame.UnpackSums)
	tx := open(w, s.Tx, frame.UnpackTx)
	var op frame.Op
	if !tx.IsVoid {
		op = open(w, s.Op, frame.UnpackOp)
	}
	var bloom types.Bloom
	copy(bloom[:], w.take(len(bloom)))
	if w.err == nil && crypto.Keccak256Hash(bloom[:]) != sums.Bloom {
		w.fail("bloom")
	}
	var logs [][]byte
	var chain common.Hash
	for w.err == nil && len(w.b) > 0 {
		b := w.take(3)
		l := w.take(int(b[0])<<16 | int(b[1])<<8 | int(b[2]))
		logs = append(logs, l)
		chain = extendLogs(chain, l)
	}
	if w.err == nil && chain != op.Logs {
		w.fail("logs")
	}
	if err := w.done(); err != nil {
		return State{}, err
	}
	raw, own, err := receiptBytes(tx.Deposit, !tx.IsVoid && !op.Failed, block.GasUsed, logs)
	if err != nil {
		return State{}, err
	}
	for i := range bloom {
		bloom[i] |= own[i]
	}
	sums.Bloom = crypto.Keccak256Hash(bloom[:])
	tx.Receipt, tx.ReceiptSize = crypto.Keccak256Hash(raw), uint32(len(raw))
	out := *s
	out.Sums, out.Tx, out.Step = put(s, &sums), put(s, &tx), ReceiptList
	return out, nil
}

// receiptList appends the receipt to the block's list. Witness: sums, tx, op (unless void), the list's edge, and the bytes of
// the receipt before.
func (e *Env) receiptList(s *State, w *reader) (State, error) {
	sums := open(w, s.Sums, frame.UnpackSums)
	tx := open(w, s.Tx, frame.UnpackTx)
	var op frame.Op
	if !tx.IsVoid {
		op = open(w, s.Op, frame.UnpackOp)
	}
	edge, held := w.bytes(), w.rest()
	if err := w.done(); err != nil {
		return State{}, err
	}
	h, err := patricia.Append(sums.Receipts, edge, tx.Receipt, tx.ReceiptSize, held)
	if err != nil {
		return State{}, err
	}
	sums.Receipts = h
	sums.Index++
	out := *s
	out.Sums, out.Step = put(s, &sums), Next
	if sent(&op) {
		out.Step = Passer
	}
	return out, nil
}

func sent(op *frame.Op) bool { return !op.Failed && op.Message != (common.Hash{}) }

// passer adds the message to the message passer's storage trie. Witness: sums, op, and the nodes on the slot's path.
func (e *Env) passer(s *State, w *reader) (State, error) {
	sums := open(w, s.Sums, frame.UnpackSums)
	op := open(w, s.Op, frame.UnpackOp)
	nodes := w.nodes()
	if err := w.done(); err != nil {
		return State{}, err
	}
	slot := withdrawal.Slot(op.Message)
	root, err := patricia.Insert(sums.Passer, crypto.Keccak256Hash(slot[:]), passerValue, nodes)
	if err != nil {
		return State{}, err
	}
	sums.Passer = root
	out := *s
	out.Sums, out.Step = put(s, &sums), Next
	return out, nil
}

// txRoot and receiptRoot finish a list. Witness: sums, the list's edge, and the bytes of its last item.
func (e *Env) txRoot(s *State, w *reader) (State, error) {
	return s.listRoot(w, ReceiptRoot, func(sums *frame.Sums) *common.Hash { return &sums.Transactions })
}

func (e *Env) receiptRoot(s *State, w *reader) (State, error) {
	return s.listRoot(w, Header, func(sums *frame.Sums) *common.Hash { return &sums.Receipts })
}

func (s *State) listRoot(w *reader, next stepKind, list func(*frame.Sums) *common.Hash) (State, error) {
	sums := open(w, s.Sums, frame.UnpackSums)
	edge, held := w.bytes(), w.rest()
	if err := w.done(); err != nil {
		return State{}, err
	}
	h, err := patricia.Finish(*list(&sums), edge, held)
	if err != nil {
		return State{}, err
	}
	*list(&sums) = h
	out := *s
	out.Sums, out.Step = put(s, &sums), next
	return out, nil
}

// header ends the machine: the block's hash, its output root, and the verdict. Witness: run, block, sums, and the block's
// bloom.
func (e *Env) header(s *State, w *reader) (State, error) {
	run := open(w, s.Run, frame.UnpackRun)
	block := open(w, s.Block, frame.UnpackBlock)
	sums := open(w, s.Sums, frame.UnpackSums)
	var bloom types.Bloom
	copy(bloom[:], w.take(len(bloom)))
	if w.err == nil && crypto.Keccak256Hash(bloom[:]) != sums.Bloom {
		w.fail("bloom")
	}
	if err := w.done(); err != nil {
		return State{}, err
	}
	h := headerOf(&run, &block, &sums, s.Root, bloom)
	return s.final(run.Disputed, OutputRoot(s.Root, sums.Passer, h.Hash())), nil
}

// headerOf is the header of the finished block.
func headerOf(run *frame.Run, block *frame.Block, sums *frame.Sums, root common.Hash, bloom types.Bloom) *types.Header {
	zero, requests := uint64(0), types.EmptyRequestsHash
	beacon, passer := common.Hash(run.OriginBeaconRoot), common.Hash(sums.Passer)
	return &types.Header{
		ParentHash: run.ParentHash, UncleHash: types.EmptyUncleHash, Coinbase: abi.SequencerFeeVault, Root: root,
		TxHash: sums.Transactions, ReceiptHash: sums.Receipts, Bloom: bloom, Difficulty: new(big.Int),
		Number: new(big.Int).SetUint64(run.Number), GasLimit: block.GasLimit, GasUsed: block.GasUsed, Time: run.Time,
		Extra: append([]byte{}, run.Extra[:extraBytes]...), MixDigest: run.OriginRandao, BaseFee: block.BaseFee.ToBig(),
		WithdrawalsHash: &passer, BlobGasUsed: &zero, ExcessBlobGas: new(uint64), ParentBeaconRoot: &beacon, RequestsHash: &requests,
	}
}

// extraBytes is the length of Holocene's extraData.
const extraBytes = 9
