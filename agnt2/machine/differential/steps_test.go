package differential

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
	"github.com/agnt2/agnt2/internal/solidity"
)

const stepsChainID = 901

var stepsRecords = flag.Int("records", 1<<14, "records in the trie under TestStepsScenario, which logs what each micro-step costs")

// steps executes blocks one micro-step at a time, three times each: in the fast mode over plain records, whose outcome and
// witness it derives from the specification and not from package machine; in the slow mode; and in Solidity. All must agree.
type steps struct {
	t       *testing.T
	evm     *solidity.EVM
	harness *solidity.Contract
	env     *machine.Env
	rnd     *rand.Rand

	tree    *trie.Trie
	records map[record.Key][]byte
	journal []vmChange // since the operation began, for its undoing

	state   machine.State
	block   frame.Block
	sums    frame.Sums
	tx      frame.Tx
	op      frame.Op
	call    record.Interaction
	channel record.Channel // instead of call
	search  frame.Search
	params  record.Params
	policy  record.Policy
	dispute record.Dispute
	// In the place of call.
	composition record.Composition
	constituent record.Constituent
	data        []byte
	history     vmtest.History

	number, time, limit uint64
	baseFee             uint256.Int
	l1                  record.L1Info
	result              *vm.Result // of the last micro-step
	void                error

	mutate int                   // every how manieth step has its witness mutated; 0: none
	seen   map[string]int        // ways that micro-steps went: "kind next" and "kind revert"
	cost   map[vm.Step]*[2][]int // gas and witness bytes
	reach  map[vm.Step]*[2]int   // the most, apart from calldata
	wrong  map[string]int        // how Solidity refused mutated witnesses
}

type vmChange struct {
	key   record.Key
	value []byte
}

func newSteps(t *testing.T, p record.Params, seed uint64) *steps {
	evm, c := deploy(t, "StepsHarness")
	s := &steps{
		policy: stepsPolicy(), t: t, evm: evm, harness: c, env: &machine.Env{ChainID: stepsChainID}, rnd: rand.New(rand.NewPCG(seed, 2)),
		tree: trie.New(), records: map[record.Key][]byte{}, time: 1000, limit: 200_000_000,
		seen: map[string]int{}, cost: map[vm.Step]*[2][]int{}, reach: map[vm.Step]*[2]int{}, wrong: map[string]int{},
	}
	s.set(record.ParamsKey, p.Encode())
	s.set(record.PolicyKey, s.policy.Encode())
	s.set(record.TotalsKey, new(record.Totals).Encode())
	return s
}

func (s *steps) set(k record.Key, v []byte) {
	c := trie.Change{Key: trie.Key(k), Delete: v == nil}
	if v == nil {
		delete(s.records, k)
	} else {
		s.records[k] = v
		c.ValueHash = trie.HashRecord(v)
	}
	s.tree.Update([]trie.Change{c})
}

func (s *steps) account(a common.Address) (acc record.Account) {
	if b := s.records[record.AccountKey(a)]; b != nil {
		var err error
		acc, err = record.DecodeAccount(b)
		require.NoError(s.t, err)
	}
	return acc
}

func (s *steps) fund(a common.Address, wei *uint256.Int) {
	s.set(record.AccountKey(a), (&record.Account{Balance: *wei}).Encode())
}

// oneRecord is the state of one micro-step: it notes the record that is touched.
type oneRecord struct {
	s              *steps
	key            record.Key
	touched, queue bool
	written        bool
	value          []byte
}

func (o *oneRecord) touch(k record.Key) {
	require.True(o.s.t, !o.touched || o.key == k, "two records in a micro-step")
	o.touched, o.key = true, k
}

func (o *oneRecord) Get(k record.Key) []byte {
	o.touch(k)
	return o.s.records[k]
}

func (o *oneRecord) Set(k record.Key, v []byte) {
	o.touch(k)
	o.written, o.value = true, v
}

func (o *oneRecord) NextDeadline() (k record.Key, ok bool) {
	o.queue = true
	key, ok := o.s.tree.First([]byte{byte(record.NSDeadline)})
	if ok {
		o.touch(record.Key(key))
	}
	return record.Key(key), ok
}

func (o *oneRecord) Restore(common.Hash) {}

// packRecord is the packed form of a record.
func packRecord(t *testing.T, k record.Key, v []byte) []byte {
	pack := func(x interface{ AppendPacked([]byte) []byte }, err error) []byte {
		require.NoError(t, err)
		return x.AppendPacked(nil)
	}
	switch k {
	case record.ParamsKey:
		x, err := record.DecodeParams(v)
		return pack(&x, err)
	case record.PolicyKey:
		x, err := record.DecodePolicy(v)
		return pack(&x, err)
	case record.TotalsKey:
		x, err := record.DecodeTotals(v)
		return pack(&x, err)
	case record.L1InfoKey:
		x, err := record.DecodeL1Info(v)
		return pack(&x, err)
	case record.HistoryKey:
		x, err := record.DecodeHistory(v)
		return pack(&x, err)
	}
	switch record.Namespace(k[0]) {
	case record.NSAccount:
		x, err := record.DecodeAccount(v)
		return pack(&x, err)
	case record.NSAgent:
		x, err := record.DecodeAgent(v)
		return pack(&x, err)
	case record.NSAgentURI:
		x, err := record.DecodeAgentURI(v)
		return pack(&x, err)
	case record.NSMetadata:
		x, err := record.DecodeMetadata(v)
		return pack(&x, err)
	case record.NSCapability:
		x, err := record.DecodeCapability(v)
		return pack(&x, err)
	case record.NSCapabilityDetail:
		x, err := record.DecodeCapabilityDetail(v)
		return pack(&x, err)
	case record.NSReputation:
		x, err := record.DecodeReputation(v)
		return pack(&x, err)
	case record.NSPair:
		x, err := record.DecodePair(v)
		return pack(&x, err)
	case record.NSDelegation:
		x, err := record.DecodeDelegation(v)
		return pack(&x, err)
	case record.NSSession:
		x, err := record.DecodeSession(v)
		return pack(&x, err)
	case record.NSWallet:
		x, err := record.DecodeWallet(v)
		return pack(&x, err)
	case record.NSHolding:
		x, err := record.DecodeHolding(v)
		return pack(&x, err)
	case record.NSInteraction:
		x, err := record.DecodeInteraction(v)
		return pack(&x, err)
	case record.NSIndex:
		x, err := record.DecodeIndexSlot(v)
		return pack(&x, err)
	case record.NSIndexCount:
		x, err := record.DecodeIndexCount(v)
		return pack(&x, err)
	case record.NSCommitment:
		x, err := record.DecodeCommitment(v)
		return pack(&x, err)
	case record.NSDeadline:
		x, err := record.DecodeDeadline(v)
		return pack(&x, err)
	case record.NSChannel:
		x, err := record.DecodeChannel(v)
		return pack(&x, err)
	case record.NSChannelPair:
		x, err := record.DecodeChannelPair(v)
		return pack(&x, err)
	case record.NSDispute:
		x, err := record.DecodeDispute(v)
		return pack(&x, err)
	case record.NSComposition:
		x, err := record.DecodeComposition(v)
		return pack(&x, err)
	case record.NSConstituent:
		x, err := record.DecodeConstituent(v)
		return pack(&x, err)
	case record.NSForeign:
		x, err := record.DecodeForeign(v)
		return pack(&x, err)
	case record.NSFeedback:
		x, err := record.DecodeFeedback(v)
		return pack(&x, err)
	case record.NSFeedbackCount:
		x, err := record.DecodeFeedbackCount(v)
		return pack(&x, err)
	case record.NSRating:
		x, err := record.DecodeRating(v)
		return pack(&x, err)
	case record.NSResponseCount:
		x, err := record.DecodeResponseCount(v)
		return pack(&x, err)
	case record.NSListCount:
		x, err := record.DecodeListCount(v)
		return pack(&x, err)
	case record.NSListEntry:
		x, err := record.DecodeListEntry(v)
		return pack(&x, err)
	case record.NSValidation:
		x, err := record.DecodeValidation(v)
		return pack(&x, err)
	}
	require.Failf(t, "no record", "%v", k)
	return nil
}

// proof is part 3 of a witness. The wrong one has a sibling's preimage where it should not, and none where it should.
func (o *oneRecord) proof(wrong bool) []byte {
	s := o.s
	if o.queue && !o.touched {
		p, _, _, _ := s.tree.ProveFirst([]byte{byte(record.NSDeadline)})
		return append([]byte{0}, p.Encode()...)
	}
	if !o.touched {
		return nil
	}
	old := s.records[o.key]
	p := s.tree.Prove(trie.Key(o.key))
	if (o.written && o.value == nil && old != nil) != wrong {
		p = s.tree.ProveDelete(trie.Key(o.key))
	}
	if o.queue {
		return slices.Concat([]byte{1}, o.key[1:7], old, p.Encode()) // time and kind; the record is the id
	}
	if old == nil {
		return append([]byte{0}, p.Encode()...)
	}
	return slices.Concat([]byte{1}, packRecord(s.t, o.key, old), p.Encode())
}

func hashOf(x interface{ Encode() []byte }) common.Hash { return crypto.Keccak256Hash(x.Encode()) }

// step takes the next micro-step in all modes.
func (s *steps) step() {
	t, k := s.t, s.state.Step
	m := &vm.Machine{
		ChainID: stepsChainID, Coinbase: abi.SequencerFeeVault,
		Block: s.block, Sums: s.sums, Tx: s.tx, Op: s.op, Call: s.call, Channel: s.channel, Search: s.search, Params: s.params, Policy: s.policy, Dispute: s.dispute,
		Composition: s.composition, Constituent: s.constituent,
	}
	var w []byte
	opens := k.Opens()
	for _, f := range []struct {
		bit   vm.Opens
		frame interface {
			AppendPacked([]byte) []byte
			Encode() []byte
		}
		hash common.Hash
	}{
		{vm.OpensBlock, &m.Block, s.state.Block}, {vm.OpensSums, &m.Sums, s.state.Sums}, {vm.OpensTx, &m.Tx, s.state.Tx},
		{vm.OpensOp, &m.Op, s.state.Op}, {vm.OpensCall, &m.Call, s.state.Call}, {vm.OpensChannel, &m.Channel, s.state.Call}, {vm.OpensDispute, &m.Dispute, s.state.Call},
		{vm.OpensSearch, &m.Search, s.state.Call}, {vm.OpensComposition, &m.Composition, s.state.Call},
		{vm.OpensConstituent, &m.Constituent, s.state.Call}, {vm.OpensParams, &m.Params, s.state.Params},
		{vm.OpensPolicy, &m.Policy, m.Block.Policy},
	} {
		if opens&f.bit != 0 {
			require.Equal(t, f.hash, hashOf(f.frame), "%v opens a frame that is not there", k)
			w = f.frame.AppendPacked(w)
		}
	}
	calldata := 0 // bytes that the step opens
	if opens&vm.OpensData != 0 {
		calldata = len(s.data)
		w = binary.BigEndian.AppendUint32(w, uint32(len(s.data)))
		w = append(w, s.data...)
		require.NoError(t, m.SetData(k, s.data))
	}
	o := &oneRecord{s: s}
	next := m.Micro(o, k)
	s.history.Add(m.Pruned...)
	if opens&vm.OpensData != 0 {
		s.data = m.Data() // acting for an agent goes on with the operation inside
	}
	if k == vm.TxUndo {
		o = &oneRecord{s: s}
		for _, c := range slices.Backward(s.journal) {
			s.set(c.key, c.value)
		}
		s.journal = nil
	}
	frames := w
	w = slices.Concat(frames, o.proof(false))
	var wrong [][]byte // witnesses that are right but for the preimage
	if o.touched {
		wrong = append(wrong, slices.Concat(frames, o.proof(true)))
	}
	if o.written {
		s.journal = append(s.journal, vmChange{o.key, s.records[o.key]})
		s.set(o.key, o.value)
	}
	for _, l := range m.Logs() {
		b, err := rlp.EncodeToBytes(l)
		require.NoError(t, err)
		h := crypto.Keccak256(b)
		m.Op.Logs = crypto.Keccak256Hash(m.Op.Logs[:], h)
	}
	want := s.state
	want.Root = s.tree.Root()
	want.Step = next
	switch {
	case k == vm.BeginParams:
		want.Params = hashOf(&m.Params)
	case k == vm.BeginPolicy:
		m.Block.Policy = hashOf(&m.Policy)
	case k == vm.BeginTotals:
		want.Step = machine.TxAttributes
	case k == vm.TxBook, k == vm.TxBegin && m.Tx.IsVoid:
		want.Step = machine.Receipt
	case k == vm.SealTotals:
		want.Step = machine.TxRoot
	case k == vm.TxBegin, k == vm.DepositBegin:
		m.Tx.Root = want.Root
		s.journal = nil
	case k == vm.TxUndo:
		require.Equal(t, m.Tx.Root, common.Hash(want.Root))
	case next == vm.TxUndo:
		m.Call, m.Channel, m.Dispute, m.Search = s.call, s.channel, s.dispute, s.search // a failed step leaves them
	}
	if next != vm.TxUndo && !m.Tx.IsVoid {
		opens |= k.Sets()
	}
	if opens&vm.OpensBlock != 0 {
		want.Block = hashOf(&m.Block)
	}
	if opens&vm.OpensSums != 0 {
		want.Sums = hashOf(&m.Sums)
	}
	if opens&vm.OpensTx != 0 {
		want.Tx = hashOf(&m.Tx)
	}
	if opens&vm.OpensOp != 0 {
		want.Op = hashOf(&m.Op)
	}
	if opens&vm.OpensCall != 0 {
		want.Call = hashOf(&m.Call)
	}
	if opens&vm.OpensChannel != 0 {
		want.Call = hashOf(&m.Channel)
	}
	if opens&vm.OpensDispute != 0 {
		want.Call = hashOf(&m.Dispute)
	}
	if opens&vm.OpensSearch != 0 {
		want.Call = hashOf(&m.Search)
	}
	if opens&vm.OpensComposition != 0 {
		want.Call = hashOf(&m.Composition)
	}
	if opens&vm.OpensConstituent != 0 {
		want.Call = hashOf(&m.Constituent)
	}

	way := fmt.Sprintf("%v %v", k, machine.Name(want.Step))
	s.result, s.void = m.Result(), nil
	switch {
	case k == vm.TxBegin && m.Tx.IsVoid:
		s.void = s.result.Why
		way = fmt.Sprintf("%v %v", k, firstError(s.void))
	case next == vm.TxUndo:
		way = fmt.Sprintf("%v %s", k, revertName(s.result.Revert))
	}
	switch {
	case k == vm.SweepNext && !o.queue && m.Op.Pruned >= m.Policy.PrunesPerBlock:
		way += " enough pruned"
	case k == vm.SweepNext && !o.queue:
		way += " enough"
	case k == vm.SweepNext && !o.touched:
		way += " empty"
	}
	s.seen[way]++

	before := s.state.Encode()
	slow, err := s.env.Step(before, w)
	require.NoError(t, err, "%s: slow mode", way)
	require.Equal(t, want.Encode(), slow, "%s: slow mode", way)
	out, used, err := s.evm.Call(s.harness, "step", before, w, uint64(stepsChainID))
	require.NoError(t, err, "%s: Solidity", way)
	if !bytes.Equal(want.Encode(), out[0].([]byte)) {
		got, err := machine.DecodeState(out[0].([]byte))
		require.NoError(t, err)
		require.Equal(t, want, got, "%s: Solidity", way)
	}
	if s.cost[k] == nil {
		s.cost[k] = new([2][]int)
	}
	s.cost[k][0] = append(s.cost[k][0], int(used))
	s.cost[k][1] = append(s.cost[k][1], len(w))
	if s.reach[k] == nil {
		s.reach[k] = new([2]int)
	}
	if calldata <= ordinaryCalldata {
		s.reach[k][0] = max(s.reach[k][0], int(used))
	}
	s.reach[k][1] = max(s.reach[k][1], len(before)+len(w)-calldata)
	if s.mutate > 0 && (s.seen[way] == 1 || s.rnd.IntN(s.mutate) == 0) {
		s.refuse(way, before, w, wrong)
	}
	s.state = want
	s.block, s.sums, s.tx, s.op, s.call, s.channel, s.search, s.params, s.policy, s.dispute = m.Block, m.Sums, m.Tx, m.Op, m.Call, m.Channel, m.Search, m.Params, m.Policy, m.Dispute
	s.composition, s.constituent = m.Composition, m.Constituent
}

func firstError(err error) error {
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}

func revertName(r abi.Revert) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", r), "*abi.")
	if f, ok := r.(*abi.FieldOutOfRange); ok {
		name += " " + f.Field
	}
	return name
}

// refuse requires that no other witness than the right one is accepted.
func (s *steps) refuse(way string, state, w []byte, wrong [][]byte) {
	try := func(what string, b []byte) {
		_, _, err := s.evm.Call(s.harness, "step", state, b, uint64(stepsChainID))
		var r *solidity.Revert
		require.ErrorAs(s.t, err, &r, "%s: Solidity accepts a witness with %s", way, what)
		require.NotContains(s.t, []string{"", "Error"}, r.Name, "%s: %s: a panic is a fault: %v", way, what, r)
		s.wrong[r.Name]++
		_, err = s.env.Step(state, b)
		require.Error(s.t, err, "%s: the slow mode accepts a witness with %s", way, what)
	}
	const tries = 16
	for range min(tries, len(w)) {
		bit := s.rnd.IntN(8 * len(w))
		b := slices.Clone(w)
		b[bit/8] ^= 1 << (bit % 8)
		try(fmt.Sprintf("bit %d flipped", bit), b)
	}
	for range min(tries/4, len(w)) {
		n := s.rnd.IntN(len(w))
		try(fmt.Sprintf("%d of %d bytes", n, len(w)), w[:n])
	}
	if len(w) > 0 {
		try("its last byte missing", w[:len(w)-1])
	}
	for _, b := range wrong {
		if !bytes.Equal(b, w) {
			try("its preimage wrong", b)
		}
	}
	for _, tail := range [][]byte{{0}, {1}, make([]byte, 32), bytes.Repeat([]byte{0xff}, 65)} {
		try("a tail", slices.Concat(w, tail))
	}
}

func (s *steps) run() {
	for s.state.Step.Exists() {
		s.step()
	}
}

// send executes a transaction or deposit: what the machine does around execution is only hinted at.
func (s *steps) send(tx *abi.Transaction) {
	s.tx = frame.Tx{
		Deposit: tx.Deposit, From: tx.From, Creation: tx.To == nil, GasLimit: tx.GasLimit, Value: tx.Value, Mint: tx.Mint,
		Data: crypto.Keccak256Hash(tx.Data), Size: uint32(tx.Size), Hash: tx.Hash,
	}
	if tx.To != nil {
		s.tx.To = *tx.To
	}
	first := vm.DepositBegin
	if !tx.Deposit {
		s.tx.Nonce, s.tx.FeeCap, s.tx.TipCap = tx.Nonce, tx.FeeCap, tx.TipCap
		first = vm.TxBegin
	}
	s.op, s.call, s.channel, s.data = frame.Op{}, record.Interaction{}, record.Channel{}, tx.Data
	s.state.Tx, s.state.Op, s.state.Call, s.state.Step = hashOf(&s.tx), common.Hash{}, common.Hash{}, first
	s.run()
	require.Equal(s.t, machine.Receipt, s.state.Step)
}

func (s *steps) attributes() []byte {
	b := make([]byte, abi.L1AttributesDataLength)
	copy(b, abi.L1AttributesSelector[:])
	binary.BigEndian.PutUint32(b[4:], s.l1.BaseFeeScalar)
	binary.BigEndian.PutUint32(b[8:], s.l1.BlobBaseFeeScalar)
	binary.BigEndian.PutUint64(b[12:], s.number+1)
	binary.BigEndian.PutUint64(b[20:], s.number+2)
	binary.BigEndian.PutUint64(b[28:], s.number)
	s.l1.BaseFee.PutUint256(b[36:])
	s.l1.BlobBaseFee.PutUint256(b[68:])
	copy(b[100:], crypto.Keccak256([]byte("block")))
	copy(b[132:], crypto.Keccak256([]byte("batcher")))
	binary.BigEndian.PutUint32(b[164:], 5)
	binary.BigEndian.PutUint64(b[168:], 6)
	return b
}

func (s *steps) open(after uint64) {
	s.number++
	s.time += after
	s.block = frame.Block{Number: s.number, Time: s.time, GasLimit: s.limit, BaseFee: s.baseFee}
	s.sums = frame.Sums{Passer: common.Hash{1}, Index: 7}
	s.state = machine.State{
		Status: machine.Unfinished, Step: vm.BeginParams, Root: s.tree.Root(), Run: common.Hash{3}, Block: hashOf(&s.block), Sums: hashOf(&s.sums),
	}
	s.run()
	require.Equal(s.t, machine.TxAttributes, s.state.Step)
	s.send(&abi.Transaction{
		From: abi.L1AttributesDepositor, To: &abi.L1BlockAddress, GasLimit: 1_000_000, Data: s.attributes(), Deposit: true,
	})
	require.False(s.t, s.op.Failed)
}

func (s *steps) seal() {
	s.state.Step = vm.SealBaseFees
	s.run()
	require.Equal(s.t, machine.TxRoot, s.state.Step)
}

// report logs what every kind of micro-step costs.
func (s *steps) report() {
	median := func(v []int) int { slices.Sort(v); return v[len(v)/2] }
	for _, k := range vm.All() {
		if c := s.cost[k]; c != nil {
			s.t.Logf("%-24v %6d times  gas %6d, at most %7d  witness %5d bytes, at most %6d", k, len(c[0]),
				median(c[0]), slices.Max(c[0]), median(c[1]), slices.Max(c[1]))
		}
	}
	if len(s.wrong) > 0 {
		s.t.Logf("mutated witnesses: %v", s.wrong)
	}
}

// stepsParams are small numbers.
func stepsParams() record.Params {
	return record.Params{
		MinStakeWei: *uint256.NewInt(100), MinCountedPaymentWei: *uint256.NewInt(10), MinTtlSeconds: 2, MaxTtlSeconds: 30,
		StakeCooldownSeconds: 40, MaxPendingInvokes: 6, MaxCapabilities: 3, SweepsPerBlock: 4, ReputationHalfLifeSeconds: 1000,
		GasTransfer: 4000, GasAgentOperation: 6000, GasPerRecord: 2000, GasInvokeBase: 6000, GasRespond: 6000,
		GasPerPayloadByte: 1, GasPerCalldataByte: 1, GasWithdrawal: 20000, GasClass: [gas.Classes]uint64{500, 1000, 2000, 3000},
	}
}

// stepsPolicy is in the same spirit.
func stepsPolicy() record.Policy {
	return record.Policy{
		EligibilityScore: 500, WeiPerPendingInvoke: *uint256.NewInt(1000), InvokesPerSecond: 100, InvokesBurst: 1000,
		GasCompose: 5000, GasPerDepth: 500, MaxCompositionSeconds: 300, GasChannel: 12000, ChannelWindowSeconds: 8, MaxChannelTtlSeconds: 60,
		DoubleSignSlashWei: *uint256.NewInt(70), GasDispute: 12000, DisputeBondWei: *uint256.NewInt(50), DisputeFeeWei: *uint256.NewInt(5),
		DisputeWindowSeconds: 8, GasDiscover: 8000, GasPerScannedSlot: 500, MinCommitDepositWei: *uint256.NewInt(20), CommitWindowSeconds: 8, RecentSeconds: 12,
		PrunesPerBlock: 3, Governance: address("governance"), FeeRecipient: common.Address{0x66}, DisputeResolver: address("resolver"),
		AgentPassport: address("passport"),
	}
}

// TestStepsRandom: blocks of random transactions.
func TestStepsRandom(t *testing.T) {
	blocks := 10
	if testing.Short() {
		blocks = 4
	}
	for seed := range uint64(4) {
		p := stepsParams()
		rnd := rand.New(rand.NewPCG(seed, 1))
		var huge []*uint64 // prices whose multiples and sums overflow
		switch seed {
		case 2:
			huge = []*uint64{&p.GasPerPayloadByte, &p.GasPerRecord, &p.GasClass[1]}
		case 3:
			huge = []*uint64{&p.GasTransfer, &p.GasAgentOperation, &p.GasInvokeBase, &p.GasRespond, &p.GasWithdrawal}
		}
		for _, v := range huge {
			*v = math.MaxUint64 - uint64(rnd.IntN(3))
		}
		s := newSteps(t, p, seed)
		s.limit, s.mutate = 600_000, 1000
		g := &vmtest.Generator{Rnd: rnd, ChainID: stepsChainID, Get: func(k record.Key) []byte { return s.records[k] }, History: &s.history}
		for i := range 30 {
			a := g.AddKey(vmtest.Key(i))
			s.fund(a, uint256.NewInt(rnd.Uint64N(30_000_000)))
		}
		for range blocks {
			s.baseFee = *uint256.NewInt(rnd.Uint64N(8))
			s.l1.BaseFee, s.l1.BaseFeeScalar = *uint256.NewInt(rnd.Uint64N(300)), 100
			s.l1.BlobBaseFee, s.l1.BlobBaseFeeScalar = *uint256.NewInt(rnd.Uint64N(30)), 3
			s.open(1 + rnd.Uint64N(4))
			n := rnd.IntN(40)
			for j := range n {
				g.Deposits = j < n/5
				tx := g.Transaction()
				if len(tx.Data) > 4 && rnd.IntN(12) == 0 {
					tx.Data = slices.Clone(tx.Data)
					tx.Data[rnd.IntN(len(tx.Data))] ^= 1 << rnd.IntN(8)
				}
				if tx.Deposit && rnd.IntN(20) == 0 {
					tx.Mint.SetAllOne() // balances wrap around
				}
				s.send(tx)
				if s.op.Effect&4 != 0 && !s.op.Failed {
					g.IDs = append(g.IDs, s.op.Id)
				}
				if rnd.IntN(5) == 0 && !tx.Deposit {
					g.Old = append(g.Old, tx)
				}
			}
			s.seal()
		}
	}
}

// What the steps of INVOKE, RESPOND and COMPOSE may take with a million records in the trie.
const (
	reachGas         = 80_000
	reachWitness     = 1_536 // bytes of state and proof, apart from calldata
	reachRecords     = 1 << 20
	gasPerLevel      = 400 // of a proof, both roots
	ordinaryCalldata = 1024
)

// requireReach holds micro-steps to that. A smaller trie is less deep.
func (s *steps) requireReach(kinds map[string]bool) {
	levels := max(0, bits.Len(reachRecords)-bits.Len(uint(*stepsRecords)))
	for k, most := range s.reach {
		if !kinds[k.String()] {
			continue
		}
		require.LessOrEqual(s.t, most[0]+gasPerLevel*levels, reachGas, "gas of %v", k)
		require.LessOrEqual(s.t, most[1]+32*levels, reachWitness, "witness bytes of %v", k)
	}
}

// scenario sends what a scripted test needs.
type scenario struct{ *steps }

func key(name string) *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("steps " + name)))
	if err != nil {
		panic(err)
	}
	return k
}

func address(name string) common.Address { return crypto.PubkeyToAddress(key(name).PublicKey) }

// tx sends a signed transaction with enough gas.
func (s *scenario) tx(from string, to *common.Address, value uint64, data []byte, change ...func(*abi.Transaction)) {
	tx := &abi.Transaction{
		From: address(from), To: to, Value: *uint256.NewInt(value), Data: data, Nonce: s.account(address(from)).Nonce,
		GasLimit: 20_000_000, FeeCap: *uint256.NewInt(9), TipCap: *uint256.NewInt(2), Size: 100 + len(data),
	}
	for _, f := range change {
		f(tx)
	}
	s.send(tx)
}

type call interface{ Encode() []byte }

// do sends an operation that must succeed.
func (s *scenario) do(from string, value uint64, c call, change ...func(*abi.Transaction)) {
	s.t.Helper()
	s.tx(from, &abi.Address, value, c.Encode(), change...)
	require.NoError(s.t, s.void)
	require.False(s.t, s.op.Failed, "%T failed: %v", c, s.seen)
}

// fails sends an operation that must fail in this way: "kind revert".
func (s *scenario) fails(way, from string, value uint64, c call, change ...func(*abi.Transaction)) {
	s.t.Helper()
	s.failsRaw(way, from, &abi.Address, value, c.Encode(), change...)
}

func (s *scenario) failsRaw(way, from string, to *common.Address, value uint64, data []byte, change ...func(*abi.Transaction)) {
	s.t.Helper()
	n := s.seen[way]
	s.tx(from, to, value, data, change...)
	require.Equal(s.t, n+1, s.seen[way], "did not fail with %q: %v", way, s.seen)
}

func gasLimit(n uint64) func(*abi.Transaction) { return func(tx *abi.Transaction) { tx.GasLimit = n } }

func capability(name string, class uint8) abi.Capability {
	return abi.Capability{
		Name: name, Endpoint: "https://" + name + ".example/", InputSchemaHash: common.Hash{1}, OutputSchemaHash: common.Hash{2},
		PriceWei: *uint256.NewInt(20), LatencyMsP99: 300, Class: class,
	}
}

func deposit(tx *abi.Transaction) {
	tx.Deposit, tx.Mint, tx.Nonce = true, *uint256.NewInt(5), 0
}

// filler is a trie with n records of others, in the shares of a busy chain, and the first of its deadline queue, which fills
// the day after a time.
func filler(t *testing.T, n int, rnd *rand.Rand, after uint64) (*trie.Trie, record.Key, []byte) {
	shares := []record.Namespace{
		record.NSAccount, record.NSAgent, record.NSAgentURI, record.NSMetadata, record.NSCapability, record.NSCapabilityDetail,
		record.NSReputation, record.NSPair, record.NSPair, record.NSInteraction, record.NSInteraction, record.NSInteraction,
		record.NSInteraction, record.NSInteraction, record.NSInteraction, record.NSDeadline, record.NSComposition, record.NSConstituent,
	}
	type leaf struct{ key, id trie.Key }
	leaves := make([]leaf, n)
	for i := range leaves {
		l := &leaves[i]
		for j := 0; j < 32; j += 8 {
			binary.BigEndian.PutUint64(l.id[j:], rnd.Uint64())
		}
		l.key = l.id
		if l.key[0] = byte(shares[i%len(shares)]); l.key[0] == byte(record.NSDeadline) {
			l.key = trie.Key(record.DeadlineKey(after+rnd.Uint64N(86_400), record.DueInteraction, l.id))
		}
	}
	slices.SortFunc(leaves, func(a, b leaf) int { return bytes.Compare(a.key[:], b.key[:]) })
	i := 0
	tree, err := trie.Build(func() (k trie.Key, h trie.Hash, ok bool) {
		if i == n {
			return k, h, false
		}
		i++
		return leaves[i-1].key, trie.HashRecord(leaves[i-1].id[:]), true
	})
	require.NoError(t, err)
	first := slices.IndexFunc(leaves, func(l leaf) bool { return l.key[0] == byte(record.NSDeadline) })
	return tree, record.Key(leaves[first].key), leaves[first].id[:]
}

// ways are all that micro-steps go: to which one next, or how they fail.
const ways = `
beginParams: beginPolicy
beginPolicy: beginTotals
beginTotals: txAttributes
txBegin: balance does not cover the fee, dispatch, gas limit is 0: nothing could be charged, maxFeePerGas is below the base fee, not enough gas left in the block, the account's own key does not act for it, wrong nonce
depositBegin: dispatch
dispatch: AccountDelegated, answerValidation, appendResponse, feedbackArgs, revokeFeedback, validationArgs, ContractCreationUnsupported, InsufficientBalance, MalformedCalldata, NoCodeAtTarget, OutOfGas, UnknownOperation, ValueNotAccepted, channelStateArgs, actOperation, authorizeKey, closeSession, commitment, cancelInteraction, composeArgs, deregisterAgent, doubleSigningArgs, disputeArgs, disputePrunedArgs, discoverArgs, heartbeat, invokeArgs, l1Attributes, openArgs, openChannelArgs, openSession, pay, readOwnAgent, registerAgent, resolveArgs, registerFor, registry, respondArgs, revokeKey, sendMessage, setParamsArgs, setPolicyArgs, importArgs, setAgentURI, setAgentWallet, setMetadata, topUpStake, transferCredit, transferOwnership, updateAgent, withdrawFeesArgs, withdrawStake
txUndo: txEnd
txEnd: txBook, txEnd
txBook: receipt
l1Attributes: MalformedCalldata, OutOfGas, sweepNext
sweepNext: sweepChannel, pruneComposition, pruneDispute, sweepDispute, sweepCommitment, sweepAdvance, sweepInteraction, txEnd, txEnd empty, txEnd enough, txEnd enough pruned
sweepInteraction: sweepCaller, sweepConstituent, sweepHistory
sweepCaller: sweepReputation
sweepReputation: sweepHistory, sweepNext
sweepHistory: pruneDispute, sweepNext
pruneDispute: pruneInteraction, queueEntry, sweepNext
pruneInteraction: pruneHistory
pruneHistory: pruneConstituent, sweepNext
sweepDispute: closeBond, sweepNext
setParamsArgs: FieldOutOfRange gasAgentOperation, FieldOutOfRange gasInvokeBase, FieldOutOfRange gasRespond, FieldOutOfRange gasTransfer, FieldOutOfRange gasWithdrawal, FieldOutOfRange maxTtlSeconds, FieldOutOfRange minTtlSeconds, FieldOutOfRange sweepsPerBlock, NotGovernance, OutOfGas, writeParams
writeParams: txEnd
setPolicyArgs: FieldOutOfRange disputeFeeWei, FieldOutOfRange eligibilityScore, FieldOutOfRange gasChannel, FieldOutOfRange gasCompose, FieldOutOfRange gasDiscover, FieldOutOfRange gasDispute, FieldOutOfRange prunesPerBlock, NotGovernance, OutOfGas, writePolicy
writePolicy: txEnd
withdrawFeesArgs: FeeRecipientUnset, FieldOutOfRange vault, OutOfGas, withdrawVault
withdrawVault: NothingToWithdraw, sendFees
sendFees: txEnd
disputeArgs: BondTooLow, DACommitmentMismatch, FieldOutOfRange da.backend, FieldOutOfRange game, FieldOutOfRange kind, OutOfGas, disputeInteraction
disputeInteraction: InteractionPending, InteractionUnknown, NotCaller, disputeRecord
disputeRecord: DisputeExists, disputeDeadline
disputeDeadline: disputeAgent
disputeAgent: disputeReputation, txEnd
disputeReputation: txEnd
resolveArgs: NotResolver, OutOfGas, resolveRecord
resolveRecord: DisputeUnknown, GameMismatch, NotAdjudicated, closeBond, resolveDeadline
disputePrunedArgs: BondTooLow, DACommitmentMismatch, DisputeWindowOver, FieldOutOfRange da.backend, FieldOutOfRange game, FieldOutOfRange kind, FieldOutOfRange path, NotCaller, OutOfGas, disputeHistory
disputeHistory: BadHistoryProof, disputeRecord
resolveDeadline: closeBond
closeBond: closeHold
closeHold: closeEvent, closeQueue, closeReputation
closeReputation: closeEvent, closeQueue
closeQueue: closeEvent
closeEvent: sweepNext, txEnd
transferCredit: txEnd
sendMessage: FieldOutOfRange data, txEnd
registerAgent: AlreadyRegistered, FieldOutOfRange agentURI, FieldOutOfRange capabilities, FieldOutOfRange capabilities.class, FieldOutOfRange capabilities.endpoint, FieldOutOfRange capabilities.name, FieldOutOfRange metadata, FieldOutOfRange metadata.key, FieldOutOfRange metadata.value, FieldOutOfRange name, FieldOutOfRange version, OutOfGas, StakeBelowMinimum, TooManyCapabilities, registerURI
registerURI: countHolding, txEnd, writeCapability, writeMetadata
writeCapability: indexCount, writeCapabilityDetail
writeCapabilityDetail: countHolding, removeCapability, txEnd, writeCapability, writeCapabilityCount, writeMetadata
removeCapability: CapabilityUnknown, indexCount
removeCapabilityDetail: removeCapability, writeCapabilityCount
writeCapabilityCount: TooManyCapabilities, txEnd
writeMetadata: countHolding, txEnd, writeMetadata
updateAgent: FieldOutOfRange name, FieldOutOfRange version, NotRegistered, OutOfGas, txEnd
readOwnAgent: FieldOutOfRange capabilities, FieldOutOfRange capabilities.class, FieldOutOfRange capabilities.endpoint, FieldOutOfRange capabilities.name, FieldOutOfRange removals, NotRegistered, OutOfGas, removeCapability, writeCapability, writeCapabilityCount
deregisterAgent: NotRegistered, OutOfGas, txEnd
withdrawStake: CooldownActive, NothingToWithdraw, OutOfGas, StakeHeld, txEnd
heartbeat: NotRegistered, OutOfGas, txEnd
topUpStake: FieldOutOfRange value, NotRegistered, OutOfGas, txEnd
invokeArgs: DACommitmentMismatch, FieldOutOfRange da.backend, OutOfGas, RateLimited, SelfInvocation, TooManyPendingInvokes, TtlOutOfBounds, invokeCallee
invokeCallee: CalleeInactive, CalleeUnknown, invokeCapability, invokeReputation, txEnd
invokeCapability: CapabilityUnknown, CommitRequired, OutOfGas, PaymentBelowPrice, PriceAboveMaximum, invokeInteraction, txEnd
invokeInteraction: DuplicateInteraction, invokeDeadline
invokeDeadline: txEnd
respondArgs: DACommitmentMismatch, FieldOutOfRange attestation, FieldOutOfRange da.backend, FieldOutOfRange status, OutOfGas, ResultHashInvalid, respondInteraction
respondInteraction: InteractionExpired, InteractionSettled, InteractionUnknown, NotCallee, respondAgent, respondCaller, respondComposition, respondDeadline
respondAgent: respondAttestation
respondAttestation: BadAttestation, respondCaller, respondComposition, respondDeadline, respondKey
respondDeadline: queueEntry, respondComposition, respondConstituent
respondCaller: respondPair, respondReputation
respondPair: respondReputation
respondReputation: respondEvent
respondEvent: txEnd
openChannelArgs: BadChannelSignature, ChannelTermsExpired, FieldOutOfRange terms.agentA, FieldOutOfRange terms.depositA, FieldOutOfRange terms.heartbeatSeconds, FieldOutOfRange terms.initiator, FieldOutOfRange terms.maxInteractions, OutOfGas, TtlOutOfBounds, openChannelPair
openChannelPair: ChannelTermsNonce, openChannelRecord, openChannelTopUp
openChannelRecord: queueChannelDeadline
openChannelTopUp: ChannelExpired, ChannelNotOpen, openChannelAccount
openChannelAccount: AccountDelegated, DepositNotCovered, NotRegistered, openChannelAccount, txEnd
removeChannelDeadline: payChannel, queueChannelDeadline
queueChannelDeadline: openChannelAccount, sweepNext, txEnd
payChannel: clearChannelPair, payChannel
clearChannelPair: sweepNext, txEnd
channelStateArgs: BalancesDoNotSum, FieldOutOfRange sigA, FieldOutOfRange sigB, FieldOutOfRange state, FieldOutOfRange state.isFinal, OutOfGas, checkpointChannel, closeChannel, disputeChannel
checkpointChannel: BadChannelSignature, ChannelExpired, ChannelNotOpen, ChannelUnknown, DepositsAboveFunded, InteractionCountInvalid, StaleState, txEnd
closeChannel: BadChannelSignature, ChannelNotOpen, ChannelUnknown, ChannelWindowOver, DepositsAboveFunded, InteractionCountInvalid, NotChannelParty, StaleState, removeChannelDeadline, txEnd
disputeChannel: BadChannelSignature, ChannelNotClosing, ChannelUnknown, ChannelWindowOver, DepositsAboveFunded, InteractionCountInvalid, StaleState, txEnd
doubleSigningArgs: BadChannelSignature, FieldOutOfRange firstSigA, FieldOutOfRange firstSigB, FieldOutOfRange secondSigA, FieldOutOfRange secondSigB, OutOfGas, StatesDoNotConflict, doubleSigningChannel
doubleSigningChannel: BadChannelSignature, ChannelNotOpen, ChannelUnknown, ChannelWindowOver, removeChannelDeadline
sweepChannel: payChannel, queueChannelDeadline
actOperation: FieldOutOfRange agent, MalformedCalldata, OutOfGas, UnknownOperation, ValueNotAccepted, actAgent
actAgent: NotRegistered, actAccount, actKey
actKey: CapabilityNotAllowed, KeyExpired, NotAuthorized, OperationNotAllowed, SpendLimitExceeded, actAccount
actAccount: InsufficientBalance, authorizeKey, feedbackArgs, validationArgs, deregisterAgent, heartbeat, invokeArgs, pay, registerAgent, respondArgs, setAgentURI, setAgentWallet, setMetadata, topUpStake, transferOwnership, withdrawStake
registerFor: OutOfGas, actAccount
authorizeKey: FieldOutOfRange capabilities, FieldOutOfRange expiry, FieldOutOfRange key, FieldOutOfRange operations, NotRegistered, OutOfGas, writeKey
writeKey: txEnd
revokeKey: KeyUnknown, OutOfGas, txEnd
transferOwnership: FieldOutOfRange newOwner, NotRegistered, OutOfGas, countHolding
setAgentURI: FieldOutOfRange agentURI, NotRegistered, OutOfGas, txEnd
setMetadata: FieldOutOfRange key, FieldOutOfRange value, NotRegistered, OutOfGas, txEnd
setAgentWallet: BadWalletSignature, FieldOutOfRange deadline, FieldOutOfRange signature, NotRegistered, OutOfGas, writeAgentWallet
writeAgentWallet: txEnd
pay: FieldOutOfRange to, OutOfGas, txEnd
respondKey: BadAttestation, respondCaller
openSession: DuplicateSession, FieldOutOfRange expiry, FieldOutOfRange peer, NotRegistered, OutOfGas, txEnd
registry: FieldOutOfRange agentId, MalformedCalldata, NotAuthorized, OutOfGas, UnknownOperation, ValueNotAccepted, actAgent, registerAgent, setAgentURI, setAgentWallet, setMetadata, transferOwnership
countHolding: countHolding, txEnd
closeSession: NotParty, OutOfGas, SessionIsClosed, SessionUnknown, txEnd
sealBaseFees: sealPriorityFees
sealPriorityFees: sealL1Fees
sealL1Fees: sealTotals
sealTotals: txRoot
`

// TestStepsScenario takes every way that a micro-step can go: each family of operations on a chain of its own.
func TestStepsScenario(t *testing.T) {
	var s *scenario
	for _, family := range []func(*scenario){
		func(s *scenario) { s.channels() },
		func(s *scenario) { s.governance(); s.passport(); s.disputes(); s.prunedDisputes() },
		func(s *scenario) { s.identity(); s.registry() },
		func(s *scenario) { s.feedback(); s.validations() },
		func(s *scenario) { s.market() },
		func(s *scenario) { s.compositions() },
	} {
		next := &scenario{steps: newSteps(t, stepsParams(), 1)}
		next.mutate = 1 << 30 // the first time that it goes a way
		if s != nil {
			next.seen, next.cost, next.reach, next.wrong = s.seen, s.cost, s.reach, s.wrong
		}
		s = next
		s.basics()
		family(s)
	}

	s.report()
	want, reach := map[string]bool{}, map[string]bool{"sweepNext": true}
	for _, line := range strings.Split(strings.TrimSpace(strings.TrimSpace(ways+passportWays[1:]+marketWays[1:]+feedbackWays[1:])+composeWays), "\n") {
		kind, ends, _ := strings.Cut(line, ": ")
		if strings.HasPrefix(kind, "invoke") || strings.HasPrefix(kind, "respond") || strings.Contains(composeWays, "\n"+kind+": ") {
			reach[kind] = true
		}
		for _, end := range strings.Split(ends, ", ") {
			want[kind+" "+end] = true
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(s.seen)), "the ways that micro-steps go")
	for _, k := range vm.All() {
		require.NotNil(t, s.cost[k], "%v was never taken", k)
	}
	s.requireReach(reach)
}

// basics takes every way of agents, interactions, transfers and blocks; the families' scenarios go on from what it leaves.
func (s *scenario) basics() {
	t := s.t
	s.time = 1_700_000_000
	s.policy.RecentSeconds, s.policy.DisputeWindowSeconds, s.policy.FeeRecipient = 60, 100, common.Address{}
	s.set(record.PolicyKey, s.policy.Encode())
	s.open(1) // the deadline queue is empty
	s.seal()
	records := s.records
	tree, first, value := filler(t, *stepsRecords, s.rnd, s.time+100_000)
	s.tree, s.records = tree, map[record.Key][]byte{first: value}
	for k, v := range records {
		s.set(k, v)
	}
	names := []string{"agent", "caller", "poor", "other", "third"}
	for _, name := range names {
		s.fund(address(name), uint256.NewInt(50_000_000_000))
	}
	s.fund(address("poor"), uint256.NewInt(1000))
	s.baseFee = *uint256.NewInt(3)
	s.l1.BaseFee, s.l1.BaseFeeScalar = *uint256.NewInt(300), 100
	caller, agent, other := address("caller"), address("agent"), address("other")
	long := func(n int) string { return strings.Repeat("x", n) }

	// A block without anything, and without a base fee.
	s.baseFee.Clear()
	s.open(2)
	s.seal()
	s.baseFee = *uint256.NewInt(3)

	s.open(2)
	// Void transactions.
	for why, change := range map[error]func(*abi.Transaction){
		vm.ErrNoGas:    gasLimit(0),
		vm.ErrFeeCap:   func(tx *abi.Transaction) { tx.FeeCap = *uint256.NewInt(2) },
		vm.ErrBlockGas: gasLimit(s.limit + 1),
		vm.ErrNonce:    func(tx *abi.Transaction) { tx.Nonce++ },
		vm.ErrFeeBalance: func(tx *abi.Transaction) {
			tx.FeeCap.SetAllOne()
			tx.TipCap.SetAllOne()
		},
	} {
		s.tx("caller", &other, 1, nil, change)
		require.ErrorIs(t, s.void, why)
	}
	s.tx("poor", &other, 1, nil)
	require.ErrorIs(t, s.void, vm.ErrFeeBalance)
	s.tx("caller", &other, 1, nil, func(tx *abi.Transaction) { tx.GasLimit = s.limit; tx.FeeCap.SetAllOne() })
	require.NoError(t, s.void)
	s.tx("caller", &other, 1, nil, gasLimit(s.limit)) // the block has used some
	require.ErrorIs(t, s.void, vm.ErrBlockGas)
	// Just affordable, and just not: 5 wei per gas and 48 for L1.
	for i, wei := range []uint64{4000*5 + 48, 4000*5 + 47} {
		name := fmt.Sprint("exact", i)
		s.fund(address(name), uint256.NewInt(wei))
		s.state.Root = s.tree.Root()
		s.tx(name, &other, 0, nil, gasLimit(4000))
		require.Equal(t, i == 1, s.steps.tx.IsVoid)
	}
	s.tx("caller", &other, 0, nil, func(tx *abi.Transaction) { tx.FeeCap = s.baseFee })
	require.NoError(t, s.void)
	s.tx("caller", &other, 0, nil, gasLimit(s.limit-s.block.GasUsed))
	require.NoError(t, s.void)
	s.tx("caller", &other, 0, nil, gasLimit(s.limit-s.block.GasUsed+1))
	require.ErrorIs(t, s.void, vm.ErrBlockGas)
	// Transfers.
	s.tx("caller", &other, 1, nil)
	s.tx("caller", &caller, 1, nil)
	fresh := common.Address{0x77}
	s.tx("caller", &fresh, 0, nil)
	s.failsRaw("dispatch OutOfGas", "caller", &other, 1, nil, gasLimit(3999))
	s.failsRaw("dispatch OutOfGas", "caller", &abi.Address, 0, make([]byte, 50), gasLimit(49))
	s.failsRaw("dispatch OutOfGas", "caller", &abi.Address, 0, make([]byte, 50), gasLimit(60))
	s.failsRaw("dispatch InsufficientBalance", "poor", &other, 5000, nil, deposit)
	s.failsRaw("dispatch InsufficientBalance", "caller", &other, math.MaxUint64, nil)
	s.failsRaw("dispatch OutOfGas", "poor", &other, 5000, nil, deposit, gasLimit(7))
	s.failsRaw("dispatch ContractCreationUnsupported", "caller", nil, 1, nil)
	s.failsRaw("dispatch NoCodeAtTarget", "caller", &other, 1, []byte{1})
	for _, data := range [][]byte{nil, {1}, {0xde, 0xad, 0xbe}, {1, 2, 3, 4}, bytes.Repeat([]byte{7}, 100)} {
		s.failsRaw("dispatch UnknownOperation", "caller", &abi.Address, 0, data)
	}
	s.fails("dispatch ValueNotAccepted", "caller", 1, &abi.HeartbeatCall{})
	s.failsRaw("dispatch MalformedCalldata", "caller", &abi.Address, 0, append((&abi.HeartbeatCall{}).Encode(), 0))
	// Message passer.
	passer := &abi.MessagePasserAddress
	withdraw := func(data []byte) []byte {
		b := append([]byte{0xc2, 0xb3, 0xe5, 0xac}, make([]byte, 32*4+(len(data)+31)/32*32)...)
		copy(b[4+12:], other[:])
		b[4+32+31] = 77
		b[4+64+31] = 96
		binary.BigEndian.PutUint64(b[4+96+24:], uint64(len(data)))
		copy(b[4+128:], data)
		return b
	}
	s.tx("caller", passer, 5, nil)
	for _, n := range []int{0, 1, 31, 32, 33, 55, 56, 200, 300, 32 << 10} {
		s.tx("caller", passer, 5, withdraw(bytes.Repeat([]byte{9}, n)))
		require.False(t, s.op.Failed)
	}
	s.failsRaw("sendMessage FieldOutOfRange data", "caller", passer, 5, withdraw(make([]byte, 32<<10+1)))
	s.failsRaw("dispatch UnknownOperation", "caller", passer, 5, []byte{0xc2, 0xb3, 0xe5})
	s.failsRaw("dispatch UnknownOperation", "caller", passer, 5, []byte{1, 2, 3, 4})
	for _, at := range []int{4, 4 + 64, 4 + 95, 4 + 96, 4 + 97, 4 + 127, 4 + 159} {
		b := withdraw(bytes.Repeat([]byte{9}, 30))
		b[at] ^= 0x40
		s.failsRaw("dispatch MalformedCalldata", "caller", passer, 5, b)
	}
	s.failsRaw("dispatch OutOfGas", "caller", passer, 5, nil, gasLimit(19_999))
	// Deposits.
	s.tx("third", &other, 3, nil, deposit)
	s.tx("third", nil, 3, nil, deposit)
	s.tx("third", &other, 3, nil, deposit, gasLimit(math.MaxUint64))
	attributes := func(tx *abi.Transaction) { tx.From, tx.Deposit = abi.L1AttributesDepositor, true }
	s.failsRaw("l1Attributes MalformedCalldata", "third", &abi.L1BlockAddress, 0, s.attributes()[:175], attributes)
	s.failsRaw("l1Attributes MalformedCalldata", "third", &abi.L1BlockAddress, 0, make([]byte, 176), attributes)
	s.failsRaw("l1Attributes OutOfGas", "third", &abi.L1BlockAddress, 0, nil, attributes, gasLimit(100))
	s.failsRaw("dispatch NoCodeAtTarget", "third", &abi.L1BlockAddress, 0, s.attributes())
	s.seal()

	s.open(2)
	// REGISTER, and what only active agents do.
	good := func() *abi.RegisterCall {
		return &abi.RegisterCall{
			Name: "name", Version: "1.0", AgentURI: "ipfs://" + long(60), ImageDigest: common.Hash{5},
			Capabilities: []abi.Capability{capability("a", 0), capability("b", 1)},
			Metadata:     []abi.MetadataEntry{{Key: "k", Value: []byte("v")}, {Key: long(32), Value: bytes.Repeat([]byte{1}, 256)}},
		}
	}
	s.fails("registerAgent OutOfGas", "agent", 200, good(), gasLimit(10_000))
	for field, change := range map[string]func(*abi.RegisterCall){
		"name":                  func(c *abi.RegisterCall) { c.Name = long(65) },
		"version":               func(c *abi.RegisterCall) { c.Version = long(33) },
		"agentURI":              func(c *abi.RegisterCall) { c.AgentURI = long(513) },
		"capabilities":          func(c *abi.RegisterCall) { c.Capabilities = make([]abi.Capability, 17) },
		"capabilities.name":     func(c *abi.RegisterCall) { c.Capabilities[1].Name = "" },
		"capabilities.endpoint": func(c *abi.RegisterCall) { c.Capabilities[1].Endpoint = long(257) },
		"capabilities.class":    func(c *abi.RegisterCall) { c.Capabilities[1].Class = 4 },
		"metadata":              func(c *abi.RegisterCall) { c.Metadata = make([]abi.MetadataEntry, 17) },
		"metadata.key":          func(c *abi.RegisterCall) { c.Metadata[1].Key = "" },
		"metadata.value":        func(c *abi.RegisterCall) { c.Metadata[1].Value = make([]byte, 257) },
	} {
		c := good()
		change(c)
		s.fails("registerAgent FieldOutOfRange "+field, "agent", 200, c)
	}
	for _, change := range []func(*abi.RegisterCall){
		func(c *abi.RegisterCall) { c.Capabilities[1].Name = long(65) },
		func(c *abi.RegisterCall) { c.Capabilities[1].Name = "a" },
	} {
		c := good()
		change(c)
		s.fails("registerAgent FieldOutOfRange capabilities.name", "agent", 200, c)
	}
	for _, change := range []func(*abi.RegisterCall){
		func(c *abi.RegisterCall) { c.Metadata[1].Key = long(33) },
		func(c *abi.RegisterCall) { c.Metadata[1].Key = "k" },
	} {
		c := good()
		change(c)
		s.fails("registerAgent FieldOutOfRange metadata.key", "agent", 200, c)
	}
	// As long as calldata gets: what a step costs stays within an ordinary L1 transaction.
	s.fails("registerAgent FieldOutOfRange agentURI", "agent", 200, &abi.RegisterCall{Name: "n", AgentURI: long(90_000)})
	s.fails("readOwnAgent FieldOutOfRange capabilities", "agent", 0, &abi.UpdateCapabilitiesCall{Upserts: make([]abi.Capability, 280)})
	s.fails("readOwnAgent FieldOutOfRange removals", "agent", 0, &abi.UpdateCapabilitiesCall{Removals: make([]common.Hash, 2_900)}, gasLimit(90_000_000))
	s.fails("respondArgs FieldOutOfRange attestation", "agent", 0, &abi.RespondCall{Status: 1, Attestation: make([]byte, 90_000)})
	c := good()
	c.Name = ""
	s.fails("registerAgent FieldOutOfRange name", "agent", 200, c)
	c = good()
	c.Capabilities = append(c.Capabilities, capability("c", 2), capability("d", 3))
	s.fails("registerAgent TooManyCapabilities", "agent", 200, c)
	s.fails("registerAgent StakeBelowMinimum", "agent", 99, good())
	update := &abi.UpdateAgentCall{Name: long(64), Version: long(32), ImageDigest: common.Hash{6}}
	s.fails("updateAgent NotRegistered", "agent", 0, update)
	s.fails("deregisterAgent NotRegistered", "agent", 0, &abi.DeregisterCall{})
	s.fails("heartbeat NotRegistered", "agent", 0, &abi.HeartbeatCall{})
	s.fails("topUpStake NotRegistered", "agent", 3, &abi.TopUpStakeCall{})
	s.fails("readOwnAgent NotRegistered", "agent", 0, &abi.UpdateCapabilitiesCall{})
	s.fails("withdrawStake NothingToWithdraw", "agent", 0, &abi.WithdrawStakeCall{})

	s.do("agent", 200, good())
	s.do("caller", 200, &abi.RegisterCall{Name: long(64)}) // nothing but itself
	s.do("other", 100, &abi.RegisterCall{Name: "m", Metadata: []abi.MetadataEntry{{Key: "only"}}}, deposit)
	s.fails("registerAgent AlreadyRegistered", "agent", 200, good())
	s.do("agent", 0, update)
	s.do("agent", 0, &abi.HeartbeatCall{}, gasLimit(4+6000))
	s.fails("heartbeat OutOfGas", "agent", 0, &abi.HeartbeatCall{}, gasLimit(4+5999))
	s.do("agent", 7, &abi.TopUpStakeCall{})
	s.fails("updateAgent OutOfGas", "agent", 0, update, gasLimit(5000))
	s.fails("updateAgent FieldOutOfRange name", "agent", 0, &abi.UpdateAgentCall{})
	s.fails("updateAgent FieldOutOfRange version", "agent", 0, &abi.UpdateAgentCall{Name: "n", Version: long(33)})
	s.fails("deregisterAgent OutOfGas", "agent", 0, &abi.DeregisterCall{}, gasLimit(5000))
	s.fails("heartbeat OutOfGas", "agent", 0, &abi.HeartbeatCall{}, gasLimit(5000))
	s.fails("topUpStake OutOfGas", "agent", 1, &abi.TopUpStakeCall{}, gasLimit(5000))
	s.fails("topUpStake FieldOutOfRange value", "agent", 0, &abi.TopUpStakeCall{})
	s.fails("withdrawStake OutOfGas", "agent", 0, &abi.WithdrawStakeCall{}, gasLimit(5000))
	s.fails("withdrawStake CooldownActive", "agent", 0, &abi.WithdrawStakeCall{})
	// Capabilities.
	a, b := vm.CapabilityID("a"), vm.CapabilityID("b")
	s.fails("readOwnAgent OutOfGas", "agent", 0, &abi.UpdateCapabilitiesCall{}, gasLimit(5000))
	for field, list := range map[string][]abi.Capability{
		"capabilities":          make([]abi.Capability, 17),
		"capabilities.name":     {{}},
		"capabilities.endpoint": {{Name: "n", Endpoint: long(257)}},
		"capabilities.class":    {{Name: "n", Class: 255}},
	} {
		s.fails("readOwnAgent FieldOutOfRange "+field, "agent", 0, &abi.UpdateCapabilitiesCall{Upserts: list})
	}
	s.fails("readOwnAgent FieldOutOfRange removals", "agent", 0, &abi.UpdateCapabilitiesCall{Removals: make([]common.Hash, 17)})
	s.do("agent", 0, &abi.UpdateCapabilitiesCall{})
	many := &abi.UpdateCapabilitiesCall{Removals: make([]common.Hash, 16)}
	for i := range 16 {
		many.Upserts = append(many.Upserts, capability(long(64)[:64-i], 3))
		many.Upserts[i].Endpoint = long(256)
		many.Removals[i] = vm.CapabilityID(many.Upserts[i].Name)
	}
	s.do("agent", 0, many)
	s.do("agent", 0, &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{capability("a", 3), capability("c", 2)}, Removals: []common.Hash{b}})
	s.fails("removeCapability CapabilityUnknown", "agent", 0, &abi.UpdateCapabilitiesCall{Removals: []common.Hash{b}})
	s.fails("removeCapability CapabilityUnknown", "agent", 0, &abi.UpdateCapabilitiesCall{Removals: []common.Hash{a, a}})
	s.fails("writeCapabilityCount TooManyCapabilities", "agent", 0,
		&abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{capability("d", 0), capability("e", 0)}})
	s.do("agent", 0, &abi.UpdateCapabilitiesCall{Removals: []common.Hash{a, vm.CapabilityID("c")}})
	s.do("agent", 0, &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{capability("a", 1)}})
	s.seal()

	s.open(2)
	salt := byte(0)
	invoke := func() *abi.InvokeCall {
		salt++
		return &abi.InvokeCall{
			Salt: common.Hash{salt}, Callee: agent, Capability: a, ParamsHash: common.Hash{3}, TtlSeconds: 20, MaxPriceWei: *uint256.NewInt(20),
			SessionId: common.Hash{8}, CompositionId: common.Hash{9},
			Da: abi.DAPointer{ContentHash: common.Hash{3}, LengthBytes: 1000, Backend: 2, Locator: common.Hash{4}},
		}
	}
	with := func(change func(*abi.InvokeCall)) *abi.InvokeCall {
		c := invoke()
		change(c)
		return c
	}
	id := func(c *abi.InvokeCall) common.Hash { return vm.InteractionID(caller, c.Salt) }
	s.fails("invokeArgs OutOfGas", "caller", 20, invoke(), gasLimit(6900))
	s.fails("invokeArgs SelfInvocation", "agent", 20, invoke())
	s.fails("invokeArgs TtlOutOfBounds", "caller", 20, with(func(c *abi.InvokeCall) { c.TtlSeconds = 1 }))
	s.fails("invokeArgs TtlOutOfBounds", "caller", 20, with(func(c *abi.InvokeCall) { c.TtlSeconds = 31 }))
	s.fails("invokeArgs FieldOutOfRange da.backend", "caller", 20, with(func(c *abi.InvokeCall) { c.Da.Backend = 4 }))
	s.fails("invokeArgs DACommitmentMismatch", "caller", 20, with(func(c *abi.InvokeCall) { c.Da.ContentHash = common.Hash{} }))
	s.fails("invokeCallee CalleeUnknown", "caller", 20, with(func(c *abi.InvokeCall) { c.Callee = fresh }))
	s.fails("invokeCapability CapabilityUnknown", "caller", 20, with(func(c *abi.InvokeCall) { c.Capability = b }))
	s.fails("invokeCapability OutOfGas", "caller", 20, invoke(), gasLimit(4+12*32+6000+1000+999))
	s.fails("invokeCapability PriceAboveMaximum", "caller", 20, with(func(c *abi.InvokeCall) { c.MaxPriceWei = *uint256.NewInt(19) }))
	s.fails("invokeCapability PaymentBelowPrice", "caller", 19, invoke())
	var pending []*abi.InvokeCall
	for range 6 {
		c := invoke()
		s.do("caller", 20, c)
		pending = append(pending, c)
	}
	s.fails("invokeArgs TooManyPendingInvokes", "caller", 20, invoke())

	respond := func(i int, status uint8) *abi.RespondCall {
		c := &abi.RespondCall{Id: id(pending[i]), Status: status, Branch: 3, ExecutionMs: 44, TimestampMs: 55}
		if status == 0 {
			c.ResultHash = common.Hash{6}
			c.Da = abi.DAPointer{ContentHash: c.ResultHash, LengthBytes: 500, Backend: 1, Locator: common.Hash{7}}
		}
		return c
	}
	answer := func(i int, status uint8, change func(*abi.RespondCall)) *abi.RespondCall {
		c := respond(i, status)
		change(c)
		return c
	}
	sign := func(c *abi.RespondCall) *abi.RespondCall {
		att := vm.Attestation{
			ID: c.Id, ParamsHash: common.Hash{3}, ResultHash: c.ResultHash, Status: c.Status, ExecutionMs: c.ExecutionMs,
			TimestampMs: c.TimestampMs, ImageDigest: common.Hash{6},
		}
		h := att.Digest(stepsChainID)
		sig, err := crypto.Sign(h[:], key("agent"))
		require.NoError(t, err)
		sig[64] += 27
		c.Attestation = sig
		return c
	}
	s.fails("respondArgs OutOfGas", "agent", 0, respond(0, 0), gasLimit(6100))
	s.fails("respondArgs FieldOutOfRange status", "agent", 0, respond(0, 5))
	s.fails("respondArgs ResultHashInvalid", "agent", 0, answer(0, 0, func(c *abi.RespondCall) { c.ResultHash = common.Hash{} }))
	s.fails("respondArgs ResultHashInvalid", "agent", 0, answer(0, 1, func(c *abi.RespondCall) { c.ResultHash = common.Hash{1} }))
	s.fails("respondArgs FieldOutOfRange da.backend", "agent", 0, answer(0, 0, func(c *abi.RespondCall) { c.Da.Backend = 4 }))
	s.fails("respondArgs DACommitmentMismatch", "agent", 0, answer(0, 0, func(c *abi.RespondCall) { c.Da.ContentHash = common.Hash{} }))
	for _, n := range []int{1, 64, 66, 1000} {
		s.fails("respondArgs FieldOutOfRange attestation", "agent", 0, answer(0, 0, func(c *abi.RespondCall) { c.Attestation = make([]byte, n) }))
	}
	s.fails("respondInteraction InteractionUnknown", "agent", 0, answer(0, 0, func(c *abi.RespondCall) { c.Id = common.Hash{1} }))
	s.fails("respondInteraction NotCallee", "other", 0, respond(0, 0))
	// Attestations that nobody, or somebody else, has signed.
	n256 := crypto.S256().Params().N
	for _, change := range []func(c *abi.RespondCall){
		func(c *abi.RespondCall) { c.Attestation = make([]byte, 65) },
		func(c *abi.RespondCall) { c.Attestation[64] -= 27 },
		func(c *abi.RespondCall) { c.Attestation[64] ^= 27 ^ 28 },
		func(c *abi.RespondCall) { c.Attestation[64] = 29 },
		func(c *abi.RespondCall) { // the other root, s high
			sv := new(uint256.Int).SetBytes(c.Attestation[32:64])
			nv, _ := uint256.FromBig(n256)
			sv.Sub(nv, sv).PutUint256(c.Attestation[32:64])
			c.Attestation[64] ^= 27 ^ 28
		},
		func(c *abi.RespondCall) { n256.FillBytes(c.Attestation[:32]) },
		func(c *abi.RespondCall) { clear(c.Attestation[:32]) },
		func(c *abi.RespondCall) { clear(c.Attestation[32:64]) },
		func(c *abi.RespondCall) { copy(c.Attestation[:32], bytes.Repeat([]byte{0x11}, 32)) },
		func(c *abi.RespondCall) { c.ExecutionMs++ },
	} {
		c := sign(respond(0, 0))
		change(c)
		way := "respondAttestation BadAttestation"
		att := vm.Attestation{
			ID: c.Id, ParamsHash: common.Hash{3}, ResultHash: c.ResultHash, ExecutionMs: c.ExecutionMs, TimestampMs: c.TimestampMs, ImageDigest: common.Hash{6},
		}
		if (att.Signer(stepsChainID, c.Attestation) != common.Address{}) {
			way = "respondKey BadAttestation" // somebody, but no key of the callee's
		}
		s.fails(way, "agent", 0, c)
	}
	s.do("agent", 0, sign(respond(0, 0)))
	s.fails("respondInteraction InteractionSettled", "agent", 0, respond(0, 0))
	s.fails("invokeInteraction DuplicateInteraction", "caller", 20, pending[0])
	s.do("agent", 0, respond(1, 0))
	s.do("agent", 0, respond(2, 1))
	s.do("agent", 0, respond(3, 2))
	s.do("agent", 0, sign(respond(4, 3)))
	s.do("agent", 0, respond(5, 4))
	pending = nil
	for range 6 {
		c := invoke()
		s.do("caller", 20, c)
		pending = append(pending, c)
	}
	for i := range 3 { // a streak of parse failures is a penalty
		s.do("agent", 0, respond(i, 3))
	}
	s.seal()
	// On time, to the second.
	s.open(1)
	cheap := func(ttl uint32) *abi.InvokeCall {
		return with(func(c *abi.InvokeCall) { c.Capability, c.TtlSeconds = vm.CapabilityID("cheap"), ttl })
	}
	offer := capability("cheap", 0)
	offer.PriceWei = *uint256.NewInt(9)
	s.do("agent", 0, &abi.UpdateCapabilitiesCall{Upserts: []abi.Capability{offer}})
	ok := func(from string, c *abi.InvokeCall) *abi.RespondCall {
		return &abi.RespondCall{
			Id: vm.InteractionID(address(from), c.Salt), ResultHash: common.Hash{1}, Da: abi.DAPointer{ContentHash: common.Hash{1}, Backend: 3},
		}
	}
	last, long30 := cheap(2), cheap(30)
	s.do("other", 10, last)
	s.do("other", 9, long30)
	s.seal()
	s.open(2)
	pairs := s.seen["respondPair respondReputation"]
	s.do("agent", 0, ok("other", last)) // the least payment and stake that count
	require.Equal(t, pairs+1, s.seen["respondPair respondReputation"])
	s.do("agent", 0, ok("other", long30)) // one wei less
	require.Equal(t, pairs+1, s.seen["respondPair respondReputation"])
	s.seal()
	// A caller that is no agent does not count.
	s.open(1)
	s.do("agent", 0, respond(3, 0))
	lone := invoke()
	s.do("third", 20, lone)
	s.do("agent", 0, ok("third", lone))
	var late []common.Hash
	for range 3 {
		c := invoke()
		s.do("caller", 20, c)
		late = append(late, id(c))
	}
	isPending := func(id common.Hash) bool {
		i, err := record.DecodeInteraction(s.records[record.InteractionKey(id)])
		return err == nil && i.Status == uint8(vm.Pending)
	}
	// Deregistration and timeouts.
	s.do("agent", 0, &abi.DeregisterCall{})
	s.fails("invokeCallee CalleeInactive", "caller", 20, invoke())
	s.fails("withdrawStake CooldownActive", "agent", 0, &abi.WithdrawStakeCall{})
	s.seal()
	s.open(37) // as many as a block sweeps, those that were answered first
	for isPending(id(pending[4])) {
		s.seal()
		s.open(1)
	}
	s.fails("respondInteraction InteractionSettled", "agent", 0, respond(4, 0))
	due := slices.IndexFunc(late, isPending)
	require.NotEqual(t, -1, due)
	s.fails("respondInteraction InteractionExpired", "agent", 0, &abi.RespondCall{Id: late[due], Status: 1})
	s.fails("withdrawStake CooldownActive", "agent", 0, &abi.WithdrawStakeCall{})
	s.seal()
	s.open(1) // the rest
	s.do("agent", 0, &abi.WithdrawStakeCall{})
	s.fails("withdrawStake NothingToWithdraw", "agent", 0, &abi.WithdrawStakeCall{})
	s.do("agent", 200, &abi.RegisterCall{Name: "again", Capabilities: []abi.Capability{capability("a", 0)}}) // an empty URI
	s.fails("removeCapability CapabilityUnknown", "agent", 0, &abi.UpdateCapabilitiesCall{Removals: []common.Hash{b}})
	s.do("agent", 0, &abi.DeregisterCall{})
	s.seal()
}

// TestStepNumbers: Steps.sol has the numbers of both packages.
func TestStepNumbers(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(solidity.Root(), "packages", "contracts-bedrock-fork", "src", "dispute", "lib", "Steps.sol"))
	require.NoError(t, err)
	named := 0
	for _, m := range regexp.MustCompile(`uint8 internal constant (\w+) = (\d+);`).FindAllStringSubmatch(string(source), -1) {
		n, err := strconv.ParseUint(m[2], 10, 8)
		require.NoError(t, err)
		switch k := vm.Step(n); m[1] {
		case "HALT":
			require.Equal(t, vm.Halt, k)
		case "ORIGIN_BASE":
			require.Equal(t, machine.OriginBase, k)
		default:
			require.True(t, strings.EqualFold(strings.ReplaceAll(m[1], "_", ""), machine.Name(k)), "%s is %d, which is %s", m[1], n, machine.Name(k))
			named++
		}
	}
	require.Equal(t, len(vm.All())+int(machine.Next-machine.Begin), named, "as many as there are, less the number that is not used")
}
