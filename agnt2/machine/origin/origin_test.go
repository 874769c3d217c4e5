package origin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/agnt2/agnt2/agnt2/machine/sponge"
	"github.com/agnt2/agnt2/internal/solidity"
)

var (
	portal       = common.HexToAddress("0x00000000000000000000000000000000000000b0")
	systemConfig = common.HexToAddress("0x00000000000000000000000000000000000000c0")
	other        = common.HexToAddress("0x00000000000000000000000000000000000000d0")
)

// block is an L1 block that a test puts together.
type block struct {
	r        *rand.Rand
	hash     common.Hash
	receipts types.Receipts
	logs     uint
}

func newBlock(seed uint64) *block {
	b := &block{r: rand.New(rand.NewPCG(seed, 7))}
	b.hash = common.Hash(b.bytes(32))
	return b
}

func (b *block) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(b.r.Uint32())
	}
	return out
}

// receipt adds a receipt. Logs get the block's hash and their index.
func (b *block) receipt(kind uint8, status uint64, logs ...*types.Log) {
	for _, l := range logs {
		l.BlockHash, l.Index = b.hash, b.logs
		b.logs++
	}
	rec := &types.Receipt{Type: kind, Status: status, CumulativeGasUsed: b.r.Uint64N(30_000_000), Logs: logs}
	if kind == types.DepositTxType {
		nonce, version := uint64(b.r.Uint32()), uint64(1)
		rec.DepositNonce, rec.DepositReceiptVersion = &nonce, &version
	}
	rec.Bloom = types.CreateBloom(rec)
	b.receipts = append(b.receipts, rec)
}

// kind is a random type of receipt.
func (b *block) kind() uint8 {
	kinds := []uint8{types.LegacyTxType, types.AccessListTxType, types.DynamicFeeTxType, types.BlobTxType, types.SetCodeTxType, types.DepositTxType}
	return kinds[b.r.IntN(len(kinds))]
}

func (b *block) foreign(size int) *types.Log {
	l := &types.Log{Address: common.Address(b.bytes(20)), Data: b.bytes(size)}
	switch b.r.IntN(4) {
	case 0:
		l.Address = portal
	case 1:
		l.Address = systemConfig
	}
	for range b.r.IntN(5) {
		l.Topics = append(l.Topics, common.Hash(b.bytes(32)))
	}
	// Another contract may emit the portal's events.
	if len(l.Topics) > 0 && l.Address != portal && l.Address != systemConfig {
		l.Topics[0] = []common.Hash{depositTopic, configTopic, l.Topics[0]}[b.r.IntN(3)]
	}
	return l
}

func (b *block) deposit(size int) *types.Log {
	tx := &types.DepositTx{From: common.Address(b.bytes(20)), Value: new(big.Int), Gas: b.r.Uint64() >> b.r.IntN(64), Data: b.bytes(size)}
	if size > 0 && b.r.IntN(2) == 0 {
		tx.Data[0] &= 0x7f
	}
	if b.r.IntN(4) > 0 {
		to := common.Address(b.bytes(20))
		tx.To = &to
	}
	if b.r.IntN(2) == 0 {
		tx.Mint = new(big.Int).SetBytes(b.bytes(b.r.IntN(33)))
	}
	if b.r.IntN(2) == 0 {
		tx.Value.SetBytes(b.bytes(b.r.IntN(33)))
	}
	l, err := derive.MarshalDepositLogEvent(portal, tx)
	if err != nil {
		panic(err)
	}
	return l
}

// malformed is a deposit log that the portal cannot emit.
func (b *block) malformed() *types.Log {
	l := b.deposit(b.r.IntN(100))
	switch b.r.IntN(9) {
	case 0:
		l.Topics = l.Topics[:3]
	case 1:
		l.Topics[3][31] = 1
	case 2:
		l.Data[31]++
	case 3:
		l.Data[b.r.IntN(24)+32] = 1
	case 4:
		l.Data[63] += 32
	case 5:
		l.Data = append(l.Data, make([]byte, 32)...)
	case 6:
		l.Data = append(l.Data, 0)
	case 7:
		l.Data = l.Data[:32*b.r.IntN(4)]
	case 8:
		l.Data = l.Data[:64+64]
		l.Data[62], l.Data[63] = 0, 64
	}
	return l
}

func (b *block) config() *types.Log {
	l := &types.Log{Address: systemConfig, Topics: []common.Hash{configTopic, {}, {31: byte(b.r.IntN(10))}}}
	word := func(n uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(n)).Bytes() }
	switch l.Topics[2][31] {
	case 0:
		l.Data = bytes.Join([][]byte{word(32), word(32), common.LeftPadBytes(b.bytes(20), 32)}, nil)
	case 1:
		scalar := make([]byte, 32)
		switch b.r.IntN(5) {
		case 0:
			copy(scalar[28:], b.bytes(4))
		case 1:
			copy(scalar[24:], b.bytes(8))
		case 2:
			scalar[b.r.IntN(28)] = byte(b.r.IntN(3))
		default:
			scalar[0] = 1
			copy(scalar[24:], b.bytes(8))
		}
		l.Data = bytes.Join([][]byte{word(32), word(64), b.bytes(32), scalar}, nil)
	default:
		l.Data = bytes.Join([][]byte{word(32), word(32), word(b.r.Uint64())}, nil)
	}
	if b.r.IntN(3) == 0 {
		switch b.r.IntN(7) {
		case 0:
			l.Data[b.r.IntN(32)] ^= 1
		case 1:
			l.Data[32+b.r.IntN(32)] ^= 32
		case 2:
			l.Data = append(l.Data, make([]byte, 32)...)
		case 3:
			l.Data = l.Data[:b.r.IntN(len(l.Data))]
		case 4:
			l.Topics[1+b.r.IntN(2)][b.r.IntN(32)] ^= 1
		case 5:
			l.Data[64+b.r.IntN(24)] ^= 1
		case 6:
			l.Topics = l.Topics[:b.r.IntN(3)+1]
		}
	}
	return l
}

// random adds receipts with logs of every sort.
func (b *block) random(receipts int) *block {
	for range receipts {
		if b.r.IntN(6) == 0 {
			b.receipt(b.kind(), types.ReceiptStatusFailed)
			continue
		}
		var logs []*types.Log
		for range b.r.IntN(5) {
			switch b.r.IntN(8) {
			case 0, 1:
				logs = append(logs, b.deposit(b.r.IntN(1500)))
			case 2:
				logs = append(logs, b.malformed())
			case 3, 4:
				logs = append(logs, b.config())
			default:
				logs = append(logs, b.foreign(b.r.IntN(10)*b.r.IntN(400)))
			}
		}
		b.receipt(b.kind(), types.ReceiptStatusSuccessful, logs...)
	}
	return b
}

func (b *block) start() State {
	return State{
		L1BlockHash:       b.hash,
		ReceiptsRoot:      types.DeriveSha(b.receipts, trie.NewStackTrie(nil)),
		BatcherHash:       common.Hash{31: 9},
		BaseFeeScalar:     1368,
		BlobBaseFeeScalar: 810_949,
		GasLimit:          60_000_000,
	}
}

// stored is OriginLeaves for tests without L1.
type stored map[common.Hash][]byte

func (s stored) leaf(hash common.Hash) (common.Hash, uint64) {
	leaf, ok := s[hash]
	if !ok {
		return common.Hash{}, 0
	}
	root, err := sponge.Root(leaf)
	if err != nil {
		panic(err)
	}
	return root, uint64(len(leaf))
}

func newEnv(leaves Leaves) *Env {
	return &Env{Portal: portal, SystemConfig: systemConfig, Leaves: leaves}
}

func (b *block) trace(t *testing.T, env *Env) *Trace {
	t.Helper()
	trace, err := NewTrace(env, b.start(), b.receipts)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// checkResult compares the end of the phase with op-node's derivation.
func (b *block) checkResult(t *testing.T, trace *Trace) {
	t.Helper()
	deposits, _ := derive.UserDeposits(b.receipts, portal) // malformed logs are skipped there too, beside the error
	zero := uint64(0)
	cfg := &rollup.Config{L1SystemConfigAddress: systemConfig, EcotoneTime: &zero}
	start := b.start()
	sys := &eth.SystemConfig{
		BatcherAddr: common.Address(start.BatcherHash[12:]),
		Scalar:      eth.EncodeScalar(eth.EcotoneScalars{BaseFeeScalar: start.BaseFeeScalar, BlobBaseFeeScalar: start.BlobBaseFeeScalar}),
		GasLimit:    start.GasLimit,
	}
	_ = derive.UpdateSystemConfigWithL1Receipts(sys, b.receipts, cfg, 1) // what is malformed is ignored
	scalars, err := sys.EcotoneScalars()
	if err != nil {
		t.Fatal(err)
	}

	want := start
	want.BatcherHash = eth.AddressAsLeftPaddedHash(sys.BatcherAddr)
	want.BaseFeeScalar, want.BlobBaseFeeScalar = scalars.BaseFeeScalar, scalars.BlobBaseFeeScalar
	want.GasLimit = sys.GasLimit
	want.ReceiptIndex, want.LogIndex = uint64(len(b.receipts)), uint64(b.logs)
	want.QueueCount = uint64(len(deposits))
	for i := len(deposits) - 1; i >= 0; i-- {
		want.Queue = push(want.Queue, types.NewTx(deposits[i]).Hash())
	}
	kind, got, err := trace.State(trace.Steps())
	if err != nil {
		t.Fatal(err)
	}
	if kind != Done || got != want {
		t.Fatalf("%s\n got %+v\nwant %+v", kind, got, want)
	}
	for i, d := range deposits {
		if trace.Deposits()[i] != types.NewTx(d).Hash() {
			t.Fatalf("deposit %d differs", i)
		}
	}
}

// specialBlocks are those whose form matters.
func specialBlocks() map[string]*block {
	blocks := map[string]*block{"no receipts": newBlock(1)}
	for _, n := range []int{1, 2, 16, 17, 127, 128, 129, 130, 300} {
		blocks[fmt.Sprintf("%d receipts", n)] = newBlock(uint64(n)).random(n)
	}
	b := newBlock(1000)
	b.receipt(types.DynamicFeeTxType, types.ReceiptStatusSuccessful, b.deposit(120_000))
	b.receipt(types.LegacyTxType, types.ReceiptStatusSuccessful, b.foreign(7), b.deposit(0), b.deposit(1), b.deposit(1), b.deposit(55))
	blocks["largest deposit"] = b
	b = newBlock(1001).random(5)
	b.receipt(types.DynamicFeeTxType, types.ReceiptStatusSuccessful, b.foreign(300), b.deposit(120_000), b.deposit(10), b.config(), b.foreign(0), b.deposit(120_000), b.foreign(9000))
	blocks["two largest deposits in one receipt"] = b.random(5)
	b = newBlock(1002).random(3)
	b.receipt(types.DynamicFeeTxType, types.ReceiptStatusSuccessful, b.deposit(20), b.foreign(4<<20), b.config(), b.deposit(30))
	blocks["4 MB log"] = b.random(3)
	b = newBlock(1003)
	b.receipt(types.LegacyTxType, types.ReceiptStatusSuccessful, b.foreign(300_000))
	blocks["only a large receipt"] = b // the walk to the receipt behind it ends at the large leaf
	b = newBlock(1004)
	tooLarge := b.deposit(120_000)
	tooLarge.Data = append(tooLarge.Data, make([]byte, 32)...)
	b.receipt(types.LegacyTxType, types.ReceiptStatusSuccessful, tooLarge)
	blocks["deposit log larger than the portal's"] = b
	return blocks
}

// checkSteps makes every step with its witness and compares it with the trace; at some steps also that no mutation of the
// witness passes.
func checkSteps(t *testing.T, b *block, env *Env, trace *Trace, store func(leaf []byte)) {
	t.Helper()
	kind, s := Open, b.start()
	for i := uint64(0); i < trace.Steps(); i++ {
		wantKind, want, err := trace.State(i)
		if err != nil {
			t.Fatal(err)
		}
		if kind != wantKind || s != want {
			t.Fatalf("step %d: %s\n got %+v\nwant %s %+v", i, kind, s, wantKind, want)
		}
		if decoded, err := Decode(s.Encode()); err != nil || decoded != s {
			t.Fatalf("step %d: state does not survive its encoding: %v", i, err)
		}
		w, err := trace.Witness(i)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if len(w) >= 128_000 {
			t.Errorf("step %d: witness of %d bytes", i, len(w))
		}
		leaf, err := trace.Upload(i)
		if err != nil {
			t.Fatal(err)
		}
		if _, length := env.Leaves(crypto.Keccak256Hash(leaf)); leaf != nil && length == 0 {
			if _, _, err := Step(env, kind, s, w); !errors.Is(err, ErrLeafNotStored) {
				t.Fatalf("step %d before the upload: %v", i, err)
			}
			store(leaf)
		}
		if len(w) < 8000 || b.r.IntN(8) == 0 {
			for n, bad := range mutations(b.r, w) {
				if _, _, err := Step(env, kind, s, bad); err == nil {
					t.Fatalf("step %d (%s): mutation %d of the witness passes", i, kind, n)
				}
			}
		}
		if kind, s, err = Step(env, kind, s, w); err != nil {
			t.Fatalf("step %d (%s): %v", i, wantKind, err)
		}
	}
	if wantKind, want, _ := trace.State(trace.Steps()); kind != Done || kind != wantKind || s != want {
		t.Fatalf("ends with %s %+v", kind, s)
	}
	if next, again, err := Step(env, Done, s, nil); err != nil || next != Done || again != s {
		t.Fatal("DONE does not repeat itself")
	}
}

func mutations(r *rand.Rand, w []byte) [][]byte {
	bad := [][]byte{append(bytes.Clone(w), 0), append(bytes.Clone(w), make([]byte, 32)...)}
	if len(w) == 0 {
		return bad
	}
	at := r.IntN(len(w))
	for _, i := range []int{at, 0, len(w) - 1, r.IntN(min(len(w), 600))} {
		flipped := bytes.Clone(w)
		flipped[i] ^= 1 << r.IntN(8)
		bad = append(bad, flipped)
	}
	return append(bad, w[:at], append(bytes.Clone(w[:at]), w[at+1:]...), nil)
}

func TestPhaseIsDerivation(t *testing.T) {
	blocks := specialBlocks()
	for seed := range uint64(30) {
		blocks[fmt.Sprintf("seed %d", seed)] = newBlock(5000 + seed).random(1 + int(seed))
	}
	for name, b := range blocks {
		t.Run(name, func(t *testing.T) {
			leaves := stored{}
			env := newEnv(leaves.leaf)
			trace := b.trace(t, env)
			b.checkResult(t, trace)
			checkSteps(t, b, env, trace, func(leaf []byte) { leaves[crypto.Keccak256Hash(leaf)] = leaf })
		})
	}
}

// Steps asked for in any order have the states of those asked for in order.
func TestTraceRandomAccess(t *testing.T) {
	b := newBlock(77).random(40)
	env := newEnv(stored{}.leaf)
	ordered, shuffled := b.trace(t, env), b.trace(t, env)
	for range 500 {
		i := b.r.Uint64N(ordered.Steps() + 1)
		kind, s, err := shuffled.State(i)
		if err != nil {
			t.Fatal(err)
		}
		ordered.last = ordered.opens[0]
		if wantKind, want, _ := ordered.State(i); kind != wantKind || s != want {
			t.Fatalf("step %d: %s %+v, want %s %+v", i, kind, s, wantKind, want)
		}
	}
	if _, _, err := shuffled.State(ordered.Steps() + 1); !errors.Is(err, ErrStep) {
		t.Fatal(err)
	}
	start := b.start()
	start.ReceiptsRoot[0]++
	if _, err := NewTrace(env, start, b.receipts); !errors.Is(err, ErrReceipts) {
		t.Fatal(err)
	}
}

// An inner node must not pass as the leaf, however it is given: that would be a second result.
func TestWalkMustReachTheLeaf(t *testing.T) {
	b := newBlock(78).random(40)
	leaves := stored{}
	env := newEnv(leaves.leaf)
	trace := b.trace(t, env)
	s := b.start()
	s.ReceiptIndex = 20
	p, err := trace.path(20)
	if err != nil {
		t.Fatal(err)
	}
	for n := range p.nodes {
		w := []byte{byte(n)}
		for _, node := range p.nodes[:n] {
			w = append(binary.BigEndian.AppendUint16(w, uint16(len(node))), node...)
		}
		node := p.nodes[n]
		leaves[crypto.Keccak256Hash(node)] = node
		for _, form := range []byte{leafNone, leafInline, leafStored} {
			if _, _, err := Step(env, Open, s, append(append(bytes.Clone(w), form), node...)); err == nil {
				t.Fatalf("inner node %d passes as a leaf of form %d", n, form)
			}
		}
		if _, _, err := Step(env, Open, s, append(w, leafNone)); err == nil {
			t.Fatalf("receipt passes as absent after %d nodes", n)
		}
	}
}

// A leaf that fits the witness may be given in either form; the result is the same.
func TestLeafForms(t *testing.T) {
	b := newBlock(80).random(20)
	b.receipt(types.LegacyTxType, types.ReceiptStatusSuccessful, b.deposit(3000), b.foreign(2000))
	l1 := deploy(t)
	env := newEnv(l1.leaf)
	trace := b.trace(t, env)
	allLeaves, err := trace.Leaves()
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(len(b.receipts)) {
		p, err := trace.path(i)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.leaf) <= sponge.ChunkBytes {
			continue
		}
		s := b.start()
		s.ReceiptIndex = i
		w := []byte{byte(len(p.nodes))}
		for _, node := range p.nodes {
			w = append(binary.BigEndian.AppendUint16(w, uint16(len(node))), node...)
		}
		proof, err := sponge.Open(p.leaf, 0, sponge.ChunkBytes)
		if err != nil {
			t.Fatal(err)
		}
		inline, storedForm := append(append(bytes.Clone(w), leafInline), p.leaf...), append(append(bytes.Clone(w), leafStored), proof...)
		if _, _, err := Step(env, Open, s, storedForm); !errors.Is(err, ErrLeafNotStored) {
			t.Fatal(err)
		}
		l1.install(p.leaf)
		wantKind, want, err := Step(env, Open, s, inline)
		if err != nil {
			t.Fatal(err)
		}
		for _, leaves := range []Leaves{l1.leaf, allLeaves} {
			if kind, got, err := Step(newEnv(leaves), Open, s, storedForm); err != nil || kind != wantKind || got != want {
				t.Fatalf("receipt %d: %s %+v, %v; want %s %+v", i, kind, got, err, wantKind, want)
			}
		}
		for _, w := range [][]byte{inline, storedForm} {
			if kind, got, _, err := l1.step(Open, s, w); err != nil || kind != wantKind || got != want.Hash() {
				t.Fatalf("receipt %d in Solidity: %s, %v", i, kind, err)
			}
		}
	}
}

// testdata/phase.txt pins the steps' kinds and the states' hashes: a change of either is a change of the protocol.
func TestGoldenPhase(t *testing.T) {
	b := &block{hash: common.Hash{1}}
	deposit, err := derive.MarshalDepositLogEvent(portal, &types.DepositTx{From: other, To: &other, Mint: big.NewInt(5), Value: big.NewInt(3), Gas: 21_000, Data: []byte{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	limit := make([]byte, 96)
	limit[31], limit[63], limit[94] = 32, 32, 0xff
	config := &types.Log{Address: systemConfig, Topics: []common.Hash{configTopic, {}, {31: 2}}, Data: limit}
	b.r = rand.New(rand.NewPCG(0, 0)) // for the gas used
	b.receipt(types.LegacyTxType, types.ReceiptStatusSuccessful, &types.Log{Address: other, Data: make([]byte, 3000)}, deposit)
	b.receipt(types.DynamicFeeTxType, types.ReceiptStatusFailed)
	b.receipt(types.BlobTxType, types.ReceiptStatusSuccessful, config)
	trace := b.trace(t, newEnv(stored{}.leaf))
	var got strings.Builder
	for i := range trace.Steps() + 1 {
		kind, s, err := trace.State(i)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%s %s\n", kind, s.Hash())
	}
	want, err := os.ReadFile("testdata/phase.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Fatalf("got\n%s", got.String())
	}
}

func TestDecodeState(t *testing.T) {
	s := newBlock(1).start()
	b := s.Encode()
	for _, at := range []int{3*32 + 27, 5*32 + 23, 9 * 32} { // above uint32, uint64, uint64
		bad := bytes.Clone(b)
		bad[at] = 1
		if _, err := Decode(bad); !errors.Is(err, ErrMalformedState) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	if _, err := Decode(b[:len(b)-1]); !errors.Is(err, ErrMalformedState) {
		t.Fatal(err)
	}
}

// A prover has seconds: the whole phase of a block of 5 MB, and any step of it.
func TestProverTime(t *testing.T) {
	b := newBlock(79)
	for range 8 {
		var logs []*types.Log
		for range 4000 {
			logs = append(logs, b.foreign(b.r.IntN(60)))
		}
		b.receipt(types.DynamicFeeTxType, types.ReceiptStatusSuccessful, logs...)
	}
	b.receipt(types.DynamicFeeTxType, types.ReceiptStatusSuccessful, b.foreign(2<<20))
	b.random(100)
	begin := time.Now()
	trace := b.trace(t, newEnv(stored{}.leaf))
	ran := time.Since(begin)
	begin = time.Now()
	const samples = 20
	for range samples {
		if _, err := trace.Witness(b.r.Uint64N(trace.Steps())); err != nil {
			t.Fatal(err)
		}
	}
	each := time.Since(begin) / samples
	size := 0
	for i := range b.receipts {
		var buf bytes.Buffer
		b.receipts.EncodeIndex(i, &buf)
		size += buf.Len()
	}
	t.Logf("%d bytes of receipts, %d steps: run %s, any witness %s", size, trace.Steps(), ran, each)
	if ran+each > 5*time.Second { // reach: 1 s; the rest is for loaded machines
		t.Errorf("run %s, a witness %s", ran, each)
	}
}

// onL1 is the phase's Solidity side.
type onL1 struct {
	t               *testing.T
	evm             *solidity.EVM
	harness, leaves *solidity.Contract
}

func deploy(t *testing.T) *onL1 {
	l1 := &onL1{t: t, evm: solidity.New()}
	var err error
	if l1.harness, err = l1.evm.Deploy("OriginHarness"); err != nil {
		t.Fatal(err)
	}
	if l1.leaves, err = l1.evm.Deploy("OriginLeaves"); err != nil {
		t.Fatal(err)
	}
	return l1
}

func (l *onL1) leaf(hash common.Hash) (common.Hash, uint64) {
	out, _, err := l.evm.Call(l.leaves, "leaf", hash)
	if err != nil {
		l.t.Fatal(err)
	}
	return out[0].([32]byte), out[1].(uint64)
}

// upload stores a leaf and returns the gas of the dearest call.
func (l *onL1) upload(leaf []byte) (worst, total uint64) {
	calls, root, err := Upload(leaf, UploadChunks)
	if err != nil {
		l.t.Fatal(err)
	}
	hash := crypto.Keccak256Hash(leaf)
	for _, c := range calls {
		_, gas, err := l.evm.Call(l.leaves, "absorb", hash, c.Progress, c.Data, c.Last)
		if err != nil {
			l.t.Fatal(err)
		}
		worst, total = max(worst, gas), total+gas
	}
	if got, length := l.leaf(hash); got != root || length != uint64(len(leaf)) {
		l.t.Fatalf("stored %s of %d bytes, want %s of %d", got, length, root, len(leaf))
	}
	return worst, total
}

// install writes to OriginLeaves' storage what an upload would: the thousands of permutations of a huge leaf teach nothing new.
func (l *onL1) install(leaf []byte) {
	root, err := sponge.Root(leaf)
	if err != nil {
		l.t.Fatal(err)
	}
	hash := crypto.Keccak256Hash(leaf)
	slot := crypto.Keccak256Hash(hash[:], make([]byte, 32)) // mapping at slot 0
	state := l.evm.Config().State
	state.SetState(l.leaves.Address, slot, root)
	state.SetState(l.leaves.Address, common.BigToHash(new(big.Int).Add(slot.Big(), big.NewInt(1))), common.BigToHash(big.NewInt(int64(len(leaf)))))
	if got, length := l.leaf(hash); got != root || length != uint64(len(leaf)) {
		l.t.Fatal("OriginLeaves has another storage layout")
	}
}

func (l *onL1) step(kind Kind, s State, witness []byte) (Kind, common.Hash, uint64, error) {
	out, gas, err := l.evm.Call(l.harness, "step", uint8(kind), s.Encode(), witness, portal, systemConfig, l.leaves.Address)
	if err != nil {
		return 0, common.Hash{}, gas, err
	}
	return Kind(out[0].(uint8)), out[1].([32]byte), gas, nil
}

func TestSoliditySteps(t *testing.T) {
	blocks := specialBlocks()
	for _, n := range []int{16, 17, 127, 128, 129} { // Go alone shows these; 130 and 300 receipts have the same indices
		delete(blocks, fmt.Sprintf("%d receipts", n))
	}
	for seed := range uint64(8) {
		blocks[fmt.Sprintf("seed %d", seed)] = newBlock(9000 + seed).random(1 + 2*int(seed))
	}
	var gas [Kinds]uint64
	var bytesOf [Kinds]int
	var seen [Kinds]int
	for name, b := range blocks {
		t.Run(name, func(t *testing.T) {
			l1 := deploy(t)
			env := newEnv(l1.leaf)
			trace := b.trace(t, env)
			for i := uint64(0); i <= trace.Steps(); i++ {
				kind, s, err := trace.State(i)
				if err != nil {
					t.Fatal(err)
				}
				w, err := trace.Witness(i)
				if err != nil {
					t.Fatal(err)
				}
				leaf, err := trace.Upload(i)
				if err != nil {
					t.Fatal(err)
				}
				if _, length := l1.leaf(crypto.Keccak256Hash(leaf)); leaf == nil || length != 0 {
					// The witness is enough.
				} else if len(leaf) < 1<<20 {
					if _, _, _, err := l1.step(kind, s, w); err == nil {
						t.Fatalf("step %d passes before the upload", i)
					}
					worst, total := l1.upload(leaf)
					t.Logf("upload of %d bytes: %d gas, %d in the dearest call", len(leaf), total, worst)
					if worst > 5_000_000 {
						t.Errorf("call of %d gas", worst)
					}
				} else {
					l1.install(leaf)
				}
				wantKind, want, err := Step(env, kind, s, w)
				if err != nil {
					t.Fatal(err)
				}
				gotKind, got, used, err := l1.step(kind, s, w)
				if err != nil {
					t.Fatalf("step %d (%s): %v", i, kind, err)
				}
				if gotKind != wantKind || got != want.Hash() {
					t.Fatalf("step %d (%s): Solidity goes on with %s", i, kind, gotKind)
				}
				gas[kind], bytesOf[kind] = max(gas[kind], used), max(bytesOf[kind], len(w))
				seen[kind]++
				if b.r.IntN(8) > 0 && seen[kind] > 5 {
					continue
				}
				for n, bad := range mutations(b.r, w) {
					if _, _, _, err := l1.step(kind, s, bad); err == nil {
						t.Fatalf("step %d (%s): mutation %d of the witness passes", i, kind, n)
					}
				}
			}
		})
	}
	for k := range Kinds {
		t.Logf("%-7s %6d steps, at most %7d gas, witness %6d bytes", Kind(k), seen[k], gas[k], bytesOf[k])
		if seen[k] == 0 {
			t.Errorf("no %s step", Kind(k))
		}
		if gas[k] >= 5_000_000 || bytesOf[k] >= 128_000 {
			t.Errorf("%s: %d gas, %d bytes", Kind(k), gas[k], bytesOf[k])
		}
	}
	l1 := deploy(t)
	if _, _, _, err := l1.step(Kind(Kinds), State{}, nil); err == nil {
		t.Error("a step that does not exist passes")
	}
	if _, _, err := Step(newEnv(l1.leaf), Kind(Kinds), State{}, nil); !errors.Is(err, ErrUnknownStep) {
		t.Error(err)
	}
}

func TestUploadIsChecked(t *testing.T) {
	l1 := deploy(t)
	leaf := newBlock(5).bytes(40_000)
	hash := crypto.Keccak256Hash(leaf)
	calls, _, err := Upload(leaf, UploadChunks)
	if err != nil {
		t.Fatal(err)
	}
	absorb := func(hash common.Hash, c Call) string {
		_, _, err := l1.evm.Call(l1.leaves, "absorb", hash, c.Progress, c.Data, c.Last)
		var revert *solidity.Revert
		if errors.As(err, &revert) {
			return revert.Name
		} else if err != nil {
			t.Fatal(err)
		}
		return ""
	}
	wrong := bytes.Clone(leaf)
	wrong[20_000] ^= 1
	wrongCalls, _, _ := Upload(wrong, UploadChunks)
	for i, c := range wrongCalls {
		want := ""
		if c.Last {
			want = "WrongHash"
		}
		if got := absorb(hash, c); got != want {
			t.Fatalf("wrong bytes, call %d: %q", i, got)
		}
	}
	short := calls[0]
	short.Data = short.Data[:100]
	if got := absorb(hash, short); got != "RangeOutsideString" {
		t.Fatal(got)
	}
	short.Data = nil
	if got := absorb(hash, short); got != "RangeOutsideString" {
		t.Fatal(got)
	}
	for i, c := range calls {
		if i > 0 {
			forged := c
			forged.Progress.Sponge[0][0] ^= 1
			if got := absorb(hash, forged); got != "WrongProgress" {
				t.Fatalf("forged progress: %q", got)
			}
			if got := absorb(common.Hash{1}, c); got != "WrongProgress" {
				t.Fatalf("progress of another upload: %q", got)
			}
		}
		if _, length := l1.leaf(hash); length != 0 {
			t.Fatal("known before the end")
		}
		if got := absorb(hash, c); got != "" {
			t.Fatalf("call %d: %s", i, got)
		}
	}
	if _, length := l1.leaf(hash); length != uint64(len(leaf)) {
		t.Fatal("not stored")
	}
}
