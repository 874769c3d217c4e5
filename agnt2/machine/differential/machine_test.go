package differential

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	gethtrie "github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/machine/machinetest"
	"github.com/agnt2/agnt2/agnt2/machine/origin"
	"github.com/agnt2/agnt2/agnt2/machine/patricia"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
	"github.com/agnt2/agnt2/internal/solidity"
)

// verifierConfig is IAGNT2StepVerifier.Config.
type verifierConfig struct {
	ChainId, BlockTimeSeconds, ProofLagBlocks, SeqWindowBlocks, BlobFraction uint64
	LayerRoot, Portal, SystemConfig, Leaves, Oracle                          common.Address
	GenesisNumber                                                            uint64
	GenesisHash, GenesisBatcherHash                                          common.Hash
	GenesisBaseFeeScalar, GenesisBlobBaseFeeScalar                           uint32
}

// verifier is a deployed AGNT2StepVerifier beside the Go machine with the same constants.
type verifier struct {
	t        *testing.T
	evm      *solidity.EVM
	contract *solidity.Contract
	oracle   *solidity.Contract
	leaves   *solidity.Contract
	env      machine.Env
	game     *solidity.Contract
	context  common.Hash

	gas, size map[vm.Step]int // the largest of each micro-step
	refused   map[string]int
}

func newVerifier(t *testing.T, env *machine.Env) *verifier {
	t.Helper()
	v := &verifier{t: t, evm: solidity.New(), env: *env, gas: map[vm.Step]int{}, size: map[vm.Step]int{}, refused: map[string]int{}}
	v.oracle = v.deploy("PreimageOracle", big.NewInt(126_000), big.NewInt(86_400))
	v.leaves = v.deploy("OriginLeaves")
	v.contract = v.deploy("AGNT2StepVerifier", verifierConfig{
		ChainId: env.ChainID, BlockTimeSeconds: env.BlockTime, ProofLagBlocks: env.ProofLag, SeqWindowBlocks: env.SeqWindow,
		BlobFraction: env.BlobFraction, LayerRoot: env.LayerRoot, Portal: env.Portal, SystemConfig: env.SystemConfig, Leaves: v.leaves.Address,
		Oracle: v.oracle.Address, GenesisNumber: env.Genesis.Number, GenesisHash: env.Genesis.Hash, GenesisBatcherHash: env.Genesis.BatcherHash,
		GenesisBaseFeeScalar: env.Genesis.BaseFeeScalar, GenesisBlobBaseFeeScalar: env.Genesis.BlobBaseFeeScalar,
	})
	v.env.Leaves = func(hash common.Hash) (common.Hash, uint64) {
		out, _, err := v.evm.Call(v.leaves, "leaf", hash)
		require.NoError(t, err)
		return out[0].([32]byte), out[1].(uint64)
	}
	v.play(env.Game)
	return v
}

func (v *verifier) deploy(name string, args ...any) *solidity.Contract {
	v.t.Helper()
	c, err := v.evm.Deploy(name, args...)
	require.NoError(v.t, err)
	return c
}

// play deploys a game that says what g says, under a local context of its own.
func (v *verifier) play(g machine.Game) {
	v.env.Game = g
	v.game = v.deploy("MachineHarness", v.contract.Address, v.oracle.Address, new(big.Int).SetUint64(g.Claimed))
	v.context = crypto.Keccak256Hash(v.game.Address[:])
	for ident, word := range map[int64]common.Hash{1: g.L1Head, 2: g.Agreed, 3: g.Disputed} {
		v.load(ident, v.context, word)
	}
}

func (v *verifier) load(ident int64, localContext, word common.Hash) {
	_, _, err := v.evm.Call(v.game, "load", big.NewInt(ident), localContext, word)
	require.NoError(v.t, err)
}

// slow is the Go machine's step. It may panic at what no chain commits to, and refuses it so.
func (v *verifier) slow(state, witness []byte) (next []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return v.env.Step(state, witness)
}

// claim is what Solidity returns.
func (v *verifier) claim(state, witness []byte) (common.Hash, uint64, error) {
	c := v.contract
	if len(state) > 1 && vm.Step(state[1]) == machine.Begin {
		c = v.game // the only micro-step that asks its caller
	}
	out, used, err := v.evm.Call(c, "step", state, witness, v.context)
	if err != nil {
		return common.Hash{}, used, err
	}
	return out[0].([32]byte), used, nil
}

// step takes a micro-step in both, which must agree; nil if both refuse.
func (v *verifier) step(state, witness []byte) []byte {
	v.t.Helper()
	var kind vm.Step
	if len(state) > 1 {
		kind = vm.Step(state[1])
	}
	want, refused := v.slow(state, witness)
	got, used, err := v.claim(state, witness)
	if refused != nil {
		var r *solidity.Revert
		require.ErrorAs(v.t, err, &r, "%s: Solidity accepts what Go refuses: %v", machine.Name(kind), refused)
		v.refused[r.Name]++
		return nil
	}
	require.NoError(v.t, err, "%s: Solidity refuses what Go accepts", machine.Name(kind))
	next, err := machine.DecodeState(want)
	require.NoError(v.t, err)
	require.Equal(v.t, next.Claim(), got, "%s: the claims differ; Go's state is %+v", machine.Name(kind), next)
	v.gas[kind], v.size[kind] = max(v.gas[kind], int(used)), max(v.size[kind], len(witness))
	return want
}

// spoiled is the bytes with something wrong in them, most often near the beginning, where the lengths stand.
func spoiled(rnd *rand.Rand, b []byte) []byte {
	at := func(n int) int {
		if n > 64 && rnd.IntN(3) == 0 {
			return rnd.IntN(64)
		}
		return rnd.IntN(n)
	}
	b = slices.Clone(b)
	if len(b) == 0 {
		return make([]byte, 1+rnd.IntN(40))
	}
	switch i := at(len(b)); rnd.IntN(7) {
	case 0, 1:
		b[i] ^= 1 << rnd.IntN(8)
	case 2:
		b[i] += byte(1 + rnd.IntN(255))
	case 3:
		b = b[:i]
	case 4:
		b = append(b, make([]byte, 1+rnd.IntN(33))...)
	case 5:
		b = slices.Delete(b, i, i+1)
	default:
		b = slices.Insert(b, i, byte(rnd.IntN(256)))
	}
	return b
}

// refuse requires that both treat spoiled witnesses the same way, and that none leads to another state; and the same for
// spoiled states, whose frames' hashes no witness has.
func (v *verifier) refuse(rnd *rand.Rand, state, witness []byte, tries int) {
	want, err := v.slow(state, witness)
	require.NoError(v.t, err)
	for range tries {
		if b := spoiled(rnd, witness); !bytes.Equal(b, witness) {
			if got := v.step(state, b); got != nil {
				require.Equal(v.t, want, got, "another witness leads to another state")
			}
		}
		b := slices.Clone(state)
		b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		v.step(b, witness)
	}
}

func (v *verifier) report() {
	var kinds []vm.Step
	for k := range v.gas {
		kinds = append(kinds, k)
	}
	slices.Sort(kinds)
	for _, k := range kinds {
		v.t.Logf("%-20s %8d gas %7d bytes", machine.Name(k), v.gas[k], v.size[k])
	}
	v.t.Log(v.refused)
}

// TestMachineTraces: Solidity takes every micro-step of whole disputes as Go does, and refuses other witnesses.
func TestMachineTraces(t *testing.T) {
	t.Parallel()
	r := machinetest.Chain(7, 40)
	v := newVerifier(t, r.Env(0, common.Hash{}))
	rnd := rand.New(rand.NewPCG(5, 5))
	seen := map[vm.Step]int{}
	for n := uint64(0); n+1 < uint64(len(r.L2)); n++ {
		disputed := r.Output(n + 1)
		if rnd.IntN(2) == 0 {
			disputed[rnd.IntN(32)] ^= 1
		}
		v.play(r.Env(n, disputed).Game)
		trace, err := machine.NewTrace(context.Background(), &v.env, r.L1Source(), r.World)
		require.NoError(t, err)
		for i := range trace.Len() {
			e, err := trace.Entry(i)
			require.NoError(t, err)
			kind := e.State.Step
			seen[kind]++
			if kind < machine.Begin && seen[kind] > 3 || seen[kind] > 60 {
				continue
			}
			state := e.State.Encode()
			next := v.step(state, e.Witness)
			require.NotNil(t, next)
			after, err := trace.State(i + 1)
			require.NoError(t, err)
			require.Equal(t, after.Encode(), next)
			if seen[kind] <= 3 {
				v.refuse(rnd, state, e.Witness, 12)
			}
		}
		final := trace.Final()
		want := machine.Invalid
		if disputed == r.Output(n+1) {
			want = machine.Valid
		}
		require.Equal(t, want, final.Status)
		require.Equal(t, final.Encode(), v.step(final.Encode(), nil), "the end repeats itself")
		require.Nil(t, v.step(final.Encode(), []byte{0}))
	}
	for k := machine.Begin; k <= machine.Next; k++ {
		if machine.Name(k) != k.String() {
			require.NotZero(t, seen[k], "%s never happens", machine.Name(k))
		}
	}
	v.report()
}

// TestMachineGas: with too little gas a step reverts, wherever it runs out; it never comes to another result. A signature that
// could not be checked is not a wrong one.
func TestMachineGas(t *testing.T) {
	t.Parallel()
	r := machinetest.Chain(3, 12)
	v := newVerifier(t, r.Env(0, common.Hash{}))
	rnd := rand.New(rand.NewPCG(12, 5))
	seen := map[vm.Step]bool{}
	for n := uint64(8); n < 12; n++ {
		v.play(r.Env(n, r.Output(n+1)).Game)
		trace, err := machine.NewTrace(context.Background(), &v.env, r.L1Source(), r.World)
		require.NoError(t, err)
		for i := range trace.Len() {
			e, err := trace.Entry(i)
			require.NoError(t, err)
			if seen[e.State.Step] {
				continue
			}
			seen[e.State.Step] = true
			v.starve(rnd, e.State.Encode(), e.Witness)
		}
	}
	// A transaction of which the signature is wrong: it costs the same to find out.
	raw := sized(1000)
	raw[len(raw)-1] ^= 0x55
	run := filled[frame.Run](rnd)
	run.TxCount, run.TxNext, run.TxsRoot = 1, 0, manifest.TxsRoot([]common.Hash{crypto.Keccak256Hash(raw)})
	s := randomState(rnd, machine.TxSigned)
	s.Run = hashOf(&run)
	v.starve(rnd, s.Encode(), append(append(run.AppendPacked(nil), 0), raw...))
	require.True(t, seen[machine.TxSigned] && seen[machine.Begin] && seen[machine.Locate])
}

// starve takes a step with all sorts of gas limits.
func (v *verifier) starve(rnd *rand.Rand, state, witness []byte) {
	want, used, err := v.claim(state, witness)
	require.NoError(v.t, err)
	cfg := v.evm.Config()
	all := cfg.GasLimit
	defer func() { cfg.GasLimit = all }()
	refused := 0
	for i := range uint64(80) {
		cfg.GasLimit = rnd.Uint64N(used + used/32)
		if i < 20 { // about where it gets enough
			cfg.GasLimit = used - used/40 + i*used/400
		}
		got, _, err := v.claim(state, witness)
		if err != nil {
			refused++
			continue
		}
		require.Equal(v.t, want, got, "%s with %d gas of %d", machine.Name(vm.Step(state[1])), cfg.GasLimit, used)
	}
	require.NotZero(v.t, refused)
}

// TestMachineUnknown: what is no state, and steps that do not exist, revert.
func TestMachineUnknown(t *testing.T) {
	t.Parallel()
	r := machinetest.Chain(3, 1)
	v := newVerifier(t, r.Env(0, common.Hash{}))
	s := machine.State{Root: common.Hash{1}, Run: common.Hash{2}}
	for status := range 256 {
		for _, kind := range []vm.Step{0, 1, machine.Begin, machine.Walk, 255} {
			s.Status, s.Step = machine.Status(status), kind
			next := v.step(s.Encode(), nil)
			require.Equal(t, status < 2, next != nil, "status %d, step %d", status, kind)
		}
	}
	s.Status = machine.Unfinished
	for kind := range 256 {
		s.Step = vm.Step(kind)
		for _, w := range [][]byte{nil, {0}, make([]byte, 33), make([]byte, 2000)} {
			require.Nil(t, v.step(s.Encode(), w), "step %d", kind)
		}
	}
	for _, n := range []int{0, 1, 2, 257, 259} {
		require.Nil(t, v.step(make([]byte, n), nil), "%d bytes", n)
	}
	for _, name := range []string{"UnknownStep", "UnknownStatus", "StateLength"} {
		require.NotZero(t, v.refused[name], name)
	}
}

// TestMachineLocalData: the machine reads what the calling game has loaded, under the context of the step, and nothing else: not
// the block number that the game would load, which it does not clamp to the block of its root claim.
func TestMachineLocalData(t *testing.T) {
	t.Parallel()
	r := machinetest.Chain(3, 2)
	v := newVerifier(t, r.Env(1, r.Output(2)))
	prestate := machine.Prestate()
	h := r.L2[1].Header
	hash := h.Hash()
	header, err := rlp.EncodeToBytes(h)
	require.NoError(t, err)
	w := slices.Concat(h.Root[:], h.WithdrawalsHash[:], hash[:], header)
	first := v.step(prestate.Encode(), w)
	require.NotNil(t, first)

	reverts := func(localContext common.Hash) {
		t.Helper()
		_, _, err := v.evm.Call(v.game, "step", prestate.Encode(), w, localContext)
		var r *solidity.Revert
		require.ErrorAs(t, err, &r)
		require.Contains(t, fmt.Sprint(r.Args), "pre-image must exist")
	}
	reverts(common.Hash{7})                            // another context of the same game
	for missing := int64(1); missing <= 3; missing++ { // each of the three is needed
		localContext := common.Hash{0: 8, 1: byte(missing)}
		for ident, word := range map[int64]common.Hash{1: v.env.Game.L1Head, 2: v.env.Game.Agreed, 3: v.env.Game.Disputed} {
			if ident != missing {
				v.load(ident, localContext, word)
			}
		}
		reverts(localContext)
	}
	// The same data, loaded by another game.
	other := v.deploy("MachineHarness", v.contract.Address, v.oracle.Address, big.NewInt(99))
	_, _, err = v.evm.Call(other, "step", prestate.Encode(), w, v.context)
	require.Error(t, err)

	// A game about block 1: block 2 is beyond its claim, so only the agreed root is right, whatever local key 4 says.
	for _, beyond := range []common.Hash{common.BigToHash(big.NewInt(2)), common.BigToHash(big.NewInt(1 << 40)), {0: 2}} {
		for _, disputed := range []common.Hash{r.Output(1), r.Output(2)} {
			g := r.Env(1, disputed).Game
			g.Claimed = 1
			v.play(g)
			v.load(4, v.context, beyond)
			state, err := machine.DecodeState(v.step(prestate.Encode(), w))
			require.NoError(t, err)
			require.Equal(t, disputed == r.Output(1), state.Status == machine.Valid)
		}
	}
}

// ------------------------------------------------------------------------------------------------------------ transactions

// rlpList is a list of items that are encoded already.
func rlpList(items ...[]byte) []byte {
	content := slices.Concat(items...)
	return append(rlpHeader(0xc0, len(content)), content...)
}

func rlpHeader(base byte, n int) []byte {
	if n <= 55 {
		return []byte{base + byte(n)}
	}
	size := common.TrimLeftZeroes(binary.BigEndian.AppendUint64(nil, uint64(n)))
	return append([]byte{base + 55 + byte(len(size))}, size...)
}

func rlpString(b []byte) []byte {
	if len(b) == 1 && b[0] < 0x80 {
		return b
	}
	return append(rlpHeader(0x80, len(b)), b...)
}

func rlpUint(n uint64) []byte {
	return rlpString(common.TrimLeftZeroes(binary.BigEndian.AppendUint64(nil, n)))
}

// signer signs lists of nine fields, well-formed or not.
var signer, _ = crypto.ToECDSA(crypto.Keccak256([]byte("signer")))

func signFields(fields [][]byte) [][]byte {
	sig, err := crypto.Sign(crypto.Keccak256([]byte{2}, rlpList(fields...)), signer)
	if err != nil {
		panic(err)
	}
	return [][]byte{rlpUint(uint64(sig[64])), rlpString(common.TrimLeftZeroes(sig[:32])), rlpString(common.TrimLeftZeroes(sig[32:64]))}
}

// randomFields are the nine fields of a transaction that is well-formed, most often.
func randomFields(rnd *rand.Rand, chainID uint64) [][]byte {
	number := func(bits int) []byte {
		b := make([]byte, rnd.IntN(bits/8+1))
		for i := range b {
			b[i] = byte(rnd.IntN(256))
		}
		return common.TrimLeftZeroes(b)
	}
	tip, fee := number(256), number(256)
	if new(big.Int).SetBytes(tip).Cmp(new(big.Int).SetBytes(fee)) > 0 && rnd.IntN(10) > 0 {
		tip, fee = fee, tip
	}
	to := make([]byte, 20*rnd.IntN(2))
	for i := range to {
		to[i] = byte(rnd.IntN(256))
	}
	data := make([]byte, []int{0, 1, 2, 54, 55, 56, 57, 100, 255, 256, 257, 1000}[rnd.IntN(12)])
	for i := range data {
		data[i] = byte(rnd.IntN(256))
	}
	return [][]byte{
		rlpUint(chainID), rlpString(number(64)), rlpString(tip), rlpString(fee), rlpString(number(64)), rlpString(to), rlpString(number(256)),
		rlpString(data), {0xc0},
	}
}

// oddItems stand in for fields: of the wrong kind, of the wrong size, not canonical, not even RLP.
func oddItems(rnd *rand.Rand) []byte {
	long := func(n int) []byte {
		b := bytes.Repeat([]byte{byte(1 + rnd.IntN(255))}, n)
		return b
	}
	odd := [][]byte{
		{}, {0x00}, {0x01}, {0x7f}, {0x80}, {0x81, 0x00}, {0x81, 0x7f}, {0x81, 0x80}, {0x82, 0x00, 0x01}, {0x82, 0xff, 0xff}, {0xc0}, {0xc1, 0xc0},
		{0xb8, 0x00}, {0xb8, 0x01, 0x05}, {0xb8, 55}, {0xb9, 0x00, 0x38}, {0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		{0xbf, 0, 0, 0, 0, 0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xf8, 0x00}, {0xf8, 0x38},
		append([]byte{0xb8, 55}, long(55)...), append([]byte{0xb8, 20}, long(20)...), append([]byte{0xf8, 20}, long(20)...),
		rlpString(long(8)), rlpString(long(9)), rlpString(long(19)), rlpString(long(20)), rlpString(long(21)), rlpString(long(32)),
		rlpString(long(33)), rlpString(append([]byte{0}, long(8)...)), rlpString(append([]byte{0}, long(31)...)), rlpString(long(60)),
		rlpString(bytes.Repeat([]byte{0xff}, 8)), rlpString(bytes.Repeat([]byte{0xff}, 32)),
		rlpList(rlpList(rlpString(long(20)), rlpList())), rlpList(rlpString(long(3))),
	}
	return odd[rnd.IntN(len(odd))]
}

// decodeCases makes bytes that are a transaction, or nearly.
func decodeCases(rnd *rand.Rand, chainID uint64) []byte {
	order := crypto.S256().Params().N
	half := new(big.Int).Rsh(order, 1)
	around := func(n *big.Int) []byte {
		return rlpString(new(big.Int).Add(n, big.NewInt(int64(rnd.IntN(3)-1))).Bytes())
	}
	fields := randomFields(rnd, chainID)
	switch rnd.IntN(12) {
	case 0: // an odd field, under a signature that is right for what is there
		fields[rnd.IntN(9)] = oddItems(rnd)
	case 1:
		fields[0] = rlpUint(chainID + uint64(rnd.IntN(3)) - 1)
	case 2: // not nine
		if rnd.IntN(2) == 0 {
			fields = slices.Delete(fields, 3, 4)
		} else {
			fields = slices.Insert(fields, rnd.IntN(10), oddItems(rnd))
		}
	}
	sig := signFields(fields)
	switch rnd.IntN(12) {
	case 0:
		sig[rnd.IntN(3)] = oddItems(rnd)
	case 1:
		sig[0] = rlpUint([]uint64{0, 1, 2, 27, 28, 255, 256}[rnd.IntN(7)])
	case 2:
		sig[1+rnd.IntN(2)] = around([]*big.Int{big.NewInt(1), order, half, new(big.Int).Lsh(big.NewInt(1), 256)}[rnd.IntN(4)])
	case 3: // another signer, or none: not every r is on the curve
		b := make([]byte, 32)
		for i := range b {
			b[i] = byte(rnd.IntN(256))
		}
		sig[1] = rlpString(common.TrimLeftZeroes(b))
	case 4: // the signature's twin, whose s is high
		var s big.Int
		content, _, _ := rlp.SplitString(sig[2])
		sig[2] = rlpString(s.Sub(order, s.SetBytes(content)).Bytes())
		sig[0] = rlpUint(1 - uint64(sig[0][0]&1))
	case 5:
		sig = append(sig, oddItems(rnd))
	}
	raw := append([]byte{2}, rlpList(append(fields, sig...)...)...)
	switch rnd.IntN(8) {
	case 0, 1:
		return spoiled(rnd, raw)
	case 2:
		raw[0] = []byte{0, 1, 3, 4, 0x7e, 0x7f, 0x80, 0xc0, 0xf8, 0xff}[rnd.IntN(10)]
	case 3: // the list's header in another form
		content, _, _ := rlp.SplitList(raw[1:])
		n := binary.BigEndian.AppendUint64(nil, uint64(len(content)))
		raw = slices.Concat([]byte{2, 0xf7 + 4}, n[4:], content)
	}
	return raw
}

// frameOf is the frame of what abi.Decode makes of a transaction.
func frameOf(t *abi.Transaction) *frame.Tx {
	f := &frame.Tx{
		Deposit: t.Deposit, From: t.From, Creation: t.To == nil, GasLimit: t.GasLimit, Value: t.Value, Mint: t.Mint,
		Data: crypto.Keccak256Hash(t.Data), Size: uint32(t.Size), Hash: t.Hash,
	}
	if t.To != nil {
		f.To = *t.To
	}
	if !t.Deposit {
		f.Nonce, f.FeeCap, f.TipCap = t.Nonce, t.FeeCap, t.TipCap
	}
	return f
}

// decoder compares decoders, many transactions at a time.
type decoder struct {
	t       *testing.T
	evm     *solidity.EVM
	c       *solidity.Contract
	chainID uint64
	cases   [][]byte
	why     map[error]int // nil: well-formed
}

func (d *decoder) add(raw []byte) {
	d.cases = append(d.cases, raw)
	if len(d.cases) == 200 {
		d.flush()
	}
}

func (d *decoder) flush() {
	out, _, err := d.evm.Call(d.c, "decodeSigned", d.cases, d.chainID)
	require.NoError(d.t, err)
	for i, raw := range d.cases {
		got := out[0].([][]byte)[i]
		tx, err := abi.Decode(raw, new(big.Int).SetUint64(d.chainID))
		if err == nil && tx.Deposit {
			err = abi.ErrDepositSigned
		}
		for errors.Unwrap(err) != nil {
			err = errors.Unwrap(err)
		}
		d.why[err]++
		if err != nil {
			require.Empty(d.t, got, "Go says %v of %x", err, raw)
			continue
		}
		require.Equal(d.t, frameOf(tx).Encode(), got, "%x", raw)
	}
	d.cases = nil
}

// TestMachineDecodesTransactions: every byte string is a transaction for both, the same one, or malformed for both.
func TestMachineDecodesTransactions(t *testing.T) {
	t.Parallel()
	evm, c := deployDecoder(t)
	rnd := rand.New(rand.NewPCG(9, 9))
	why := map[error]int{}
	count := 0
	for _, chainID := range []uint64{901, 1, 127, 128, 1<<64 - 1} {
		d := &decoder{t: t, evm: evm, c: c, chainID: chainID, why: why}
		for data := range 40 { // valid signatures on both sides of the least length
			raw, err := types.NewTx(&types.DynamicFeeTx{
				ChainID: new(big.Int).SetUint64(chainID), GasFeeCap: big.NewInt(2e9), Gas: 100_000, Data: make([]byte, data),
				V: new(big.Int), R: big.NewInt(1), S: big.NewInt(1),
			}).MarshalBinary()
			require.NoError(t, err)
			d.add(raw)
		}
		n := 1500
		if chainID == 901 {
			n = 12_000
		}
		for range n {
			d.add(decodeCases(rnd, chainID))
		}
		count += n
		// Every byte of a transaction in turn.
		fields := randomFields(rnd, chainID)
		fields[7] = rlpString([]byte("some data"))
		raw := append([]byte{2}, rlpList(append(fields, signFields(fields)...)...)...)
		for i := range raw {
			for _, b := range []byte{0, 1, 0x7f, 0x80, 0x81, 0xb8, 0xc0, 0xf8, 0xff, raw[i] + 1, raw[i] - 1, raw[i] ^ 0x80, raw[i] ^ 0x40} {
				d.add(slices.Concat(raw[:i], []byte{b}, raw[i+1:]))
			}
			d.add(raw[:i])
			count += 14
		}
		for n := range 300 { // nothing like one
			b := make([]byte, n%60)
			for i := range b {
				b[i] = byte(rnd.IntN(256))
			}
			if len(b) > 0 && n%2 == 0 {
				b[0] = 2
			}
			d.add(b)
		}
		count += 300
		d.flush()
	}
	// Up to the bound on sizes, and one byte more.
	d := &decoder{t: t, evm: evm, c: c, chainID: 901, why: why}
	for _, size := range []int{65_535, 65_536, abi.MaxTransactionBytes - 1, abi.MaxTransactionBytes, abi.MaxTransactionBytes + 1} {
		d.add(sized(size))
	}
	d.flush()
	require.Greater(t, count, 20_000)
	t.Log(count, why)
	for _, err := range []error{
		nil, abi.ErrTooLarge, abi.ErrUndecodable, abi.ErrType, abi.ErrChainID, abi.ErrSignature, abi.ErrFieldRange, abi.ErrAccessList, abi.ErrTipAboveCap,
	} {
		require.NotZero(t, why[err], "never: %v", err)
	}
	require.Greater(t, why[nil], 3000)
}

// sized is a well-formed transaction of so many bytes.
func sized(size int) []byte {
	fields := randomFields(rand.New(rand.NewPCG(1, 1)), 901)
	for n := size - 400; ; n++ {
		fields[7] = rlpString(make([]byte, n))
		raw := append([]byte{2}, rlpList(append(fields, signFields(fields)...)...)...)
		if len(raw) == size {
			return raw
		}
		if len(raw) > size { // a signature with a leading zero, or the like
			panic("no transaction of that size")
		}
	}
}

func deployDecoder(t *testing.T) (*solidity.EVM, *solidity.Contract) {
	t.Helper()
	evm := solidity.New()
	c, err := evm.Deploy("MachineHarness", common.Address{}, common.Address{}, new(big.Int))
	require.NoError(t, err)
	return evm, c
}

// TestMachineDecodesDeposits: both read the same deposits, and refuse what is none.
func TestMachineDecodesDeposits(t *testing.T) {
	t.Parallel()
	evm, c := deployDecoder(t)
	rnd := rand.New(rand.NewPCG(3, 9))
	good := 0
	for range 1500 {
		tx := &types.DepositTx{Value: new(big.Int), Gas: rnd.Uint64() >> rnd.IntN(64), Data: make([]byte, rnd.IntN(70))}
		fill(rnd, reflect.ValueOf(&tx.SourceHash).Elem())
		fill(rnd, reflect.ValueOf(&tx.From).Elem())
		if rnd.IntN(2) == 0 {
			tx.To = &common.Address{byte(rnd.IntN(3))}
		}
		if rnd.IntN(2) == 0 {
			tx.Mint = new(big.Int).SetUint64(1 + rnd.Uint64())
		}
		if rnd.IntN(2) == 0 {
			tx.Value.Lsh(big.NewInt(1+int64(rnd.IntN(99))), uint(rnd.IntN(255)))
		}
		raw, err := types.NewTx(tx).MarshalBinary()
		require.NoError(t, err)
		if rnd.IntN(2) == 0 {
			raw = spoiled(rnd, raw)
		}
		decoded, refused := abi.Decode(raw, big.NewInt(901))
		out, _, err := evm.Call(c, "decodeDeposit", raw)
		require.Equal(t, refused == nil, err == nil, "Go: %v; Solidity: %v; %x", refused, err, raw)
		if refused == nil {
			good++
			require.Equal(t, frameOf(decoded).Encode(), out[0])
		}
	}
	require.Greater(t, good, 700)
	require.Less(t, good, 1400)
}

// ------------------------------------------------------------------------------------------------------------ random states

// fill gives a frame's fields values that meet: small ones, the largest, any.
func fill(rnd *rand.Rand, v reflect.Value) {
	if x, ok := v.Addr().Interface().(*uint256.Int); ok {
		switch rnd.IntN(4) {
		case 0:
		case 1:
			x.SetUint64(rnd.Uint64N(300))
		case 2:
			x.SetAllOne()
		default:
			*x = uint256.Int{rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64()}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(rnd, v.Field(i))
		}
	case reflect.Array:
		if rnd.IntN(4) == 0 {
			return
		}
		for i := range v.Len() {
			v.Index(i).SetUint(rnd.Uint64N(256))
		}
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	default:
		n := rnd.Uint64N(4)
		if rnd.IntN(4) == 0 {
			n = ^n
		} else if rnd.IntN(4) == 0 {
			n = rnd.Uint64()
		}
		v.SetUint(n << (64 - v.Type().Bits()) >> (64 - v.Type().Bits()))
	}
}

func filled[T any](rnd *rand.Rand) (x T) {
	fill(rnd, reflect.ValueOf(&x).Elem())
	return x
}

// randomState is a state of which the given frames are open.
func randomState(rnd *rand.Rand, kind vm.Step) machine.State {
	s := machine.State{Status: machine.Unfinished, Step: kind}
	for _, h := range []*common.Hash{&s.Root, &s.Run, &s.Block, &s.Sums, &s.Tx, &s.Op, &s.Call, &s.Params} {
		fill(rnd, reflect.ValueOf(h).Elem())
	}
	return s
}

func newBareVerifier(t *testing.T) *verifier {
	return newVerifier(t, &machine.Env{
		ChainID: 901, BlockTime: 2, ProofLag: 5, SeqWindow: 4, BlobFraction: machinetest.BlobFraction, LayerRoot: machinetest.LayerRoot,
		Portal: machinetest.Portal, SystemConfig: machinetest.SystemConfig,
		Genesis: machine.GenesisL1{Number: 7, Hash: common.Hash{7}, BatcherHash: common.Hash{8}, BaseFeeScalar: 9, BlobBaseFeeScalar: 10},
	})
}

// TestMachineRandomFrames: micro-steps that only rearrange frames do so for any content, without checked arithmetic getting into
// their way.
func TestMachineRandomFrames(t *testing.T) {
	t.Parallel()
	v := newBareVerifier(t)
	rnd := rand.New(rand.NewPCG(4, 4))
	for range 150 {
		run, block, sums, tx, op := filled[frame.Run](rnd), filled[frame.Block](rnd), filled[frame.Sums](rnd), filled[frame.Tx](rnd), filled[frame.Op](rnd)
		kinds := []vm.Step{machine.Origin, machine.OpenBlock, machine.Next, machine.TxAttributes, machine.Header, machine.OriginEnd, machine.Receipt, machine.Parent}
		for _, kind := range kinds {
			s := randomState(rnd, kind)
			s.Run, s.Block, s.Sums, s.Tx, s.Op = hashOf(&run), hashOf(&block), hashOf(&sums), hashOf(&tx), hashOf(&op)
			w := run.AppendPacked(nil)
			switch kind {
			case machine.Header:
				bloom := make([]byte, 256)
				sums.Bloom = crypto.Keccak256Hash(bloom)
				w = append(sums.AppendPacked(block.AppendPacked(w)), bloom...)
				s.Sums = hashOf(&sums)
			case machine.OriginEnd:
				o := filled[origin.State](rnd)
				s.Op = o.Hash()
				w = append(w, o.Encode()...)
			case machine.Receipt:
				bloom := make([]byte, 256)
				bloom[rnd.IntN(256)] = byte(rnd.IntN(256))
				sums.Bloom = crypto.Keccak256Hash(bloom)
				logs := randomLogs(rnd)
				op.Logs = common.Hash{}
				for _, l := range logs {
					op.Logs = crypto.Keccak256Hash(op.Logs[:], crypto.Keccak256(l))
				}
				s.Sums, s.Op = hashOf(&sums), hashOf(&op)
				w = tx.AppendPacked(sums.AppendPacked(block.AppendPacked(nil)))
				if !tx.IsVoid {
					w = op.AppendPacked(w)
				}
				w = append(w, bloom...)
				for _, l := range logs {
					w = append(append(w, byte(len(l)>>16), byte(len(l)>>8), byte(len(l))), l...)
				}
				if tx.IsVoid && len(logs) > 0 {
					require.Nil(t, v.step(s.Encode(), w))
					continue
				}
			case machine.Parent: // no record yet, in a trie without any
				s.Root = common.Hash{}
				w = append(w, 0, 0, 0, 0)
			}
			next := v.step(s.Encode(), w)
			require.NotNil(t, next, machine.Name(kind))
			require.Nil(t, v.step(s.Encode(), append(w, 0)), machine.Name(kind))
		}
	}
	v.report()
}

// TestMachineParent: the L1Info record of the parent block, there or not, with the one form of proof that is right.
func TestMachineParent(t *testing.T) {
	t.Parallel()
	v := newBareVerifier(t)
	rnd := rand.New(rand.NewPCG(11, 4))
	for i := range 60 {
		info := filled[record.L1Info](rnd)
		present := i%3 > 0
		var cs []trie.Change
		for range i % 5 {
			cs = append(cs, trie.Change{Key: filled[trie.Key](rnd), ValueHash: filled[trie.Hash](rnd)})
		}
		if present {
			cs = append(cs, trie.Change{Key: trie.Key(record.L1InfoKey), ValueHash: trie.HashRecord(info.Encode())})
		}
		tree := trie.New()
		tree.Update(slices.DeleteFunc(cs, func(c trie.Change) bool { return c.Key == trie.Key{} || c.ValueHash == trie.Hash{} }))
		run := filled[frame.Run](rnd)
		s := randomState(rnd, machine.Parent)
		s.Run, s.Root = hashOf(&run), tree.Root()
		w := append(run.AppendPacked(nil), 0)
		if present {
			w = info.AppendPacked(append(run.AppendPacked(nil), 1))
		}
		right := append(slices.Clone(w), tree.Prove(trie.Key(record.L1InfoKey)).Encode()...)
		require.NotNil(t, v.step(s.Encode(), right))
		if present {
			if wrong := append(slices.Clone(w), tree.ProveDelete(trie.Key(record.L1InfoKey)).Encode()...); !bytes.Equal(wrong, right) {
				require.Nil(t, v.step(s.Encode(), wrong), "a sibling's preimage")
			}
		}
		v.refuse(rnd, s.Encode(), right, 20)
	}
	require.NotZero(t, v.refused["PreimageExcess"])
}

func randomLogs(rnd *rand.Rand) (logs [][]byte) {
	for range rnd.IntN(4) {
		l := &types.Log{Address: common.Address{byte(rnd.IntN(256))}, Data: make([]byte, rnd.IntN(200))}
		for range rnd.IntN(5) {
			l.Topics = append(l.Topics, filled[common.Hash](rnd))
		}
		b, err := rlp.EncodeToBytes(l)
		if err != nil {
			panic(err)
		}
		logs = append(logs, b)
	}
	return logs
}

// randomHeader is a list like a header's, with members of all kinds and sizes.
func randomHeader(rnd *rand.Rand, parent common.Hash, number uint64) []byte {
	var items [][]byte
	for i := range 13 + rnd.IntN(24) {
		b := make([]byte, []int{0, 1, 3, 8, 9, 20, 31, 32, 33, 40, 60}[rnd.IntN(11)])
		for j := range b {
			b[j] = byte(rnd.IntN(256))
		}
		item := rlpString(b)
		switch {
		case i == 0 && rnd.IntN(8) > 0:
			item = rlpString(parent[:])
		case i == 8 && rnd.IntN(8) > 0:
			item = rlpUint(number)
		case i == 9 || i == 10:
			item = rlpUint(rnd.Uint64() >> rnd.IntN(64))
		case i == 11 && rnd.IntN(2) == 0:
			item = rlpUint(rnd.Uint64N(4))
		case i == 12:
			b := make([]byte, []int{0, 8, 9, 10, 40}[rnd.IntN(5)])
			if len(b) > 8 && rnd.IntN(4) > 0 {
				b[4], b[8] = byte(rnd.IntN(256)), byte(1+rnd.IntN(9))
			}
			item = rlpString(b)
		case i == 15 && rnd.IntN(2) == 0:
			item = rlpUint(rnd.Uint64N(1000))
		case i == 18:
			item = rlpUint(rnd.Uint64N(300_000_000))
		case rnd.IntN(20) == 0:
			item = rlpList(item)
		}
		items = append(items, item)
	}
	raw := rlpList(items...)
	if rnd.IntN(15) == 0 {
		raw = spoiled(rnd, raw)
	}
	return raw
}

// TestMachineHeaders: both read the same out of headers of every shape, and walk on in the same direction.
func TestMachineHeaders(t *testing.T) {
	t.Parallel()
	v := newBareVerifier(t)
	rnd := rand.New(rand.NewPCG(6, 6))
	ways := map[string]int{}
	for range 1200 {
		run := filled[frame.Run](rnd)
		run.Number, run.Time, run.Origin, run.ParentOrigin = rnd.Uint64N(4), rnd.Uint64N(4), rnd.Uint64N(4), rnd.Uint64N(4)
		parent := filled[common.Hash](rnd)
		raw := randomHeader(rnd, parent, rnd.Uint64N(4))
		run.Walk = crypto.Keccak256Hash(raw)
		switch rnd.IntN(3) {
		case 0:
			run.ParentOriginHash = parent
		case 1:
			run.ParentOriginHash = run.Walk
		}
		s := randomState(rnd, machine.Walk)
		s.Run = hashOf(&run)
		way := "refused"
		if next := v.step(s.Encode(), append(run.AppendPacked(nil), raw...)); next != nil {
			n, err := machine.DecodeState(next)
			require.NoError(t, err)
			way = fmt.Sprintf("%s %d", machine.Name(n.Step), n.Status)
		}
		ways[way]++
	}
	t.Log(ways)
	for _, way := range []string{"walk 3", "locate 3", "origin 3", "openBlock 3", "refused"} {
		require.Greater(t, ways[way], 20, way)
	}
	require.NotZero(t, ways["step(0) 1"])

	ways = map[string]int{}
	for range 250 {
		raw := randomHeader(rnd, common.Hash{}, rnd.Uint64N(4))
		stateRoot, passer, hash := filled[common.Hash](rnd), filled[common.Hash](rnd), crypto.Keccak256Hash(raw)
		g := machine.Game{L1Head: common.Hash{1}, Agreed: machine.OutputRoot(stateRoot, passer, hash), Disputed: common.Hash{2}, Claimed: 1 + rnd.Uint64N(4)}
		if rnd.IntN(2) == 0 {
			g.Disputed = g.Agreed
		}
		v.play(g)
		prestate := machine.Prestate()
		way := "refused"
		if next := v.step(prestate.Encode(), slices.Concat(stateRoot[:], passer[:], hash[:], raw)); next != nil {
			way = fmt.Sprint(next[0])
		}
		ways[way]++
	}
	t.Log(ways)
	for _, way := range []string{"0", "1", "3", "refused"} {
		require.NotZero(t, ways[way], way)
	}
}

// ---------------------------------------------------------------------------------------------------------------- LayerRoot

// layerRoot is LayerRoot's storage at a proof head, in an L1 state.
type layerRoot struct {
	t                 *testing.T
	storage, accounts *gethtrie.Trie
}

func newLayerRoot(t *testing.T, slots map[common.Hash]common.Hash, absent bool) *layerRoot {
	db := triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil)
	l := &layerRoot{t, gethtrie.NewEmpty(db), gethtrie.NewEmpty(db)}
	for k, word := range slots {
		if word != (common.Hash{}) {
			require.NoError(t, l.storage.Update(crypto.Keccak256(k[:]), rlpString(common.TrimLeftZeroes(word[:]))))
		}
	}
	for i := range byte(9) {
		a, root := common.Address{i}, types.EmptyRootHash
		if i == 0 {
			if absent {
				continue
			}
			a, root = machinetest.LayerRoot, l.storage.Hash()
		}
		b, err := rlp.EncodeToBytes(&types.StateAccount{Nonce: uint64(i), Balance: uint256.NewInt(5), Root: root, CodeHash: types.EmptyCodeHash[:]})
		require.NoError(t, err)
		require.NoError(t, l.accounts.Update(crypto.Keccak256(a[:]), b))
	}
	l.accounts.Hash()
	return l
}

func (l *layerRoot) prove(w []byte, t *gethtrie.Trie, key []byte) []byte {
	var nodes [][]byte
	if t.Hash() != types.EmptyRootHash {
		var err error
		nodes, err = patricia.Prove(t, crypto.Keccak256(key))
		require.NoError(l.t, err)
	}
	w = append(w, byte(len(nodes)))
	for _, n := range nodes {
		w = append(binary.BigEndian.AppendUint16(w, uint16(len(n))), n...)
	}
	return w
}

// TestMachineLocate: whatever LayerRoot holds, and whatever a witness says of it, both find the same.
func TestMachineLocate(t *testing.T) {
	t.Parallel()
	v := newBareVerifier(t)
	rnd := rand.New(rand.NewPCG(8, 8))
	ways := map[string]int{}
	for range 300 {
		run := filled[frame.Run](rnd)
		run.Number, run.Time, run.ParentOrigin, run.HeadNumber = rnd.Uint64N(9), rnd.Uint64N(3), rnd.Uint64N(6), rnd.Uint64N(12)
		slots := map[common.Hash]common.Hash{}
		type submission struct {
			first, last uint64
			records     []manifest.BlockRecord
		}
		var subs []submission
		next := rnd.Uint64N(4)
		for i := range rnd.Uint64N(4) {
			s := submission{first: next, last: next + rnd.Uint64N(3)}
			next = s.last + 1 + rnd.Uint64N(3)
			for n := s.first; n <= s.last; n++ {
				s.records = append(s.records, manifest.BlockRecord{
					Number: n, Timestamp: run.Time + rnd.Uint64N(8)/7, L1Origin: run.ParentOrigin + rnd.Uint64N(5)/2, TxCount: rnd.Uint64N(3), TxsRoot: filled[common.Hash](rnd),
				})
			}
			subs = append(subs, s)
			word := filled[common.Hash](rnd)
			word[5] = byte(min(2, 1+rnd.IntN(12)/11))
			binary.BigEndian.PutUint64(word[16:], s.last)
			binary.BigEndian.PutUint64(word[24:], s.first)
			slots[machine.SubmissionSlot(i, 0)] = word
			slots[machine.SubmissionSlot(i, 2)] = manifest.RecordsRoot(s.records)
			check := filled[common.Hash](rnd)
			if rnd.IntN(3) > 0 {
				copy(check[12:], run.ParentHash[:20])
			}
			slots[machine.SubmissionSlot(i, 4)] = check
		}
		slots[machine.SubmissionCountSlot] = common.BigToHash(big.NewInt(int64(len(subs))))
		l := newLayerRoot(t, slots, rnd.IntN(20) == 0)
		run.HeadRoot = l.accounts.Hash()
		s := randomState(rnd, machine.Locate)
		s.Run = hashOf(&run)

		slot := func(w []byte, index uint64, word int) []byte {
			k := machine.SubmissionSlot(index, word)
			return l.prove(w, l.storage, k[:])
		}
		for _, kind := range []byte{0, 1, 2, 3} {
			for index := range uint64(len(subs) + 1) {
				if rnd.IntN(30) == 0 {
					index += 1 << 61 // the same slot
				}
				w := l.prove(run.AppendPacked(nil), l.accounts, machinetest.LayerRoot[:])
				w = append(w, kind)
				if kind < 2 {
					w = binary.BigEndian.AppendUint64(w, index)
				}
				switch kind {
				case 0:
					w = slot(slot(w, index, 0), index, 2)
					if index < uint64(len(subs)) {
						s := subs[index]
						if run.Number == s.first {
							w = slot(w, index, 4)
						}
						i := int(run.Number - s.first)
						if i < 0 || i >= len(s.records) {
							i = rnd.IntN(len(s.records))
						}
						path, err := manifest.ProveRecord(s.records, i)
						require.NoError(t, err)
						w = append(append(w, s.records[i].Encode()...), byte(len(path)))
						for _, h := range path {
							w = append(w, h[:]...)
						}
					}
				case 1:
					w = slot(w, index, 0)
					if index > 0 {
						w = slot(w, index-1, 0)
					}
				case 2:
					w = l.prove(w, l.storage, machine.SubmissionCountSlot[:])
					if len(subs) > 0 {
						w = slot(w, uint64(len(subs)-1), 0)
					}
				}
				way := fmt.Sprintf("kind %d: ", kind)
				if next := v.step(s.Encode(), w); next == nil {
					way += "refused"
				} else {
					n, err := machine.DecodeState(next)
					require.NoError(t, err)
					way += fmt.Sprintf("%s %d", machine.Name(n.Step), n.Status)
					if n.Step == machine.Walk && kind == 0 {
						run := run
						run.Empty, run.Origin = true, run.ParentOrigin+1
						if n.Run == hashOf(&run) {
							way += ", empty"
						}
					}
					if rnd.IntN(10) == 0 {
						v.refuse(rnd, s.Encode(), w, 10)
					}
				}
				ways[way]++
			}
		}
	}
	t.Log(ways)
	for _, way := range []string{
		"kind 0: walk 3", "kind 0: walk 3, empty", "kind 0: step(0) 1", "kind 0: refused", "kind 1: walk 3", "kind 1: step(0) 1", "kind 1: refused",
		"kind 2: walk 3", "kind 2: step(0) 1", "kind 2: refused", "kind 3: refused",
	} {
		require.NotZero(t, ways[way], way)
	}
	v.report()
}

// ---------------------------------------------------------------------------------------------------------------- the limits

// calldataLimit is how many bytes an ordinary L1 transaction may have (128 KiB), less what is around a game's step: its
// signature and fees, and the ABI encoding of the state and the lengths.
const calldataLimit = 128<<10 - 900

// stepGas is what every micro-step has to do with.
const stepGas = 6_000_000

// TestMachineLimits: the largest witnesses that there can be fit an ordinary L1 transaction, in size and in gas.
func TestMachineLimits(t *testing.T) {
	t.Parallel()
	v := newBareVerifier(t)
	rnd := rand.New(rand.NewPCG(2, 2))
	raw := sized(abi.MaxTransactionBytes)

	// A transaction of the largest size, deep in the largest block.
	run := filled[frame.Run](rnd)
	hashes := make([]common.Hash, 20_000)
	run.TxCount, run.TxNext = uint64(len(hashes)), 9_999
	hashes[run.TxNext] = crypto.Keccak256Hash(raw)
	run.TxsRoot = manifest.TxsRoot(hashes)
	path, err := manifest.ProveTx(hashes, int(run.TxNext))
	require.NoError(t, err)
	s := randomState(rnd, machine.TxSigned)
	s.Run = hashOf(&run)
	signed := func(path []common.Hash, raw []byte) []byte {
		w := append(run.AppendPacked(nil), byte(len(path)))
		for _, h := range path {
			w = append(w, h[:]...)
		}
		return v.step(s.Encode(), append(w, raw...))
	}
	next := signed(path, raw)
	require.NotNil(t, next)
	require.Equal(t, byte(machine.TxList), next[1])
	broken := slices.Clone(raw)
	broken[len(broken)-1] ^= 1 // another sender, or none
	require.Nil(t, signed(path, broken), "it is not in the block")
	require.Nil(t, signed(append(slices.Clone(path), common.Hash{}), raw), "a hash too many")
	require.Nil(t, signed(path[:len(path)-1], raw), "a hash too few")

	// Lists that hold it back.
	for _, kind := range []vm.Step{machine.TxList, machine.ReceiptList} {
		edge, held := new(patricia.Edge), []byte(nil)
		for i := range 300 {
			value := bytes.Repeat([]byte{byte(i)}, 40)
			if i == 299 {
				value = raw
			}
			require.NoError(t, edge.Append(crypto.Keccak256Hash(value), uint32(len(value)), held))
			held = value
		}
		sums, tx, op := filled[frame.Sums](rnd), filled[frame.Tx](rnd), filled[frame.Op](rnd)
		tx.Size, tx.ReceiptSize, tx.IsVoid = 200, 300, false
		sums.Transactions, sums.Receipts = edge.Hash(), edge.Hash()
		s := randomState(rnd, kind)
		s.Sums, s.Tx, s.Op = hashOf(&sums), hashOf(&tx), hashOf(&op)
		w := tx.AppendPacked(sums.AppendPacked(nil))
		if kind == machine.ReceiptList {
			w = op.AppendPacked(w)
		}
		w = append(binary.BigEndian.AppendUint32(w, uint32(len(edge.Encode()))), edge.Encode()...)
		require.NotNil(t, v.step(s.Encode(), append(w, held...)))
		s.Step = machine.TxRoot
		w = sums.AppendPacked(nil)
		w = append(binary.BigEndian.AppendUint32(w, uint32(len(edge.Encode()))), edge.Encode()...)
		require.NotNil(t, v.step(s.Encode(), append(w, held...)))
	}

	// A receipt with as many logs as a block may sweep, and one with a large log.
	for _, sizes := range [][]int{slices.Repeat([]int{32}, genesis.MaxSweepsPerBlock), {90_000}} {
		block, sums, tx, op := filled[frame.Block](rnd), filled[frame.Sums](rnd), filled[frame.Tx](rnd), filled[frame.Op](rnd)
		tx.IsVoid = false
		bloom := make([]byte, 256)
		sums.Bloom, op.Logs = crypto.Keccak256Hash(bloom), common.Hash{}
		var logs []byte
		for _, n := range sizes {
			b, err := rlp.EncodeToBytes(&types.Log{Topics: []common.Hash{{1}, {2}, {3}, {4}}, Data: make([]byte, n)})
			require.NoError(t, err)
			logs = append(append(logs, byte(len(b)>>16), byte(len(b)>>8), byte(len(b))), b...)
			op.Logs = crypto.Keccak256Hash(op.Logs[:], crypto.Keccak256(b))
		}
		s := randomState(rnd, machine.Receipt)
		s.Block, s.Sums, s.Tx, s.Op = hashOf(&block), hashOf(&sums), hashOf(&tx), hashOf(&op)
		w := op.AppendPacked(tx.AppendPacked(sums.AppendPacked(block.AppendPacked(nil))))
		require.NotNil(t, v.step(s.Encode(), slices.Concat(w, bloom, logs)))
	}

	// The origin's receipts: one that a witness can just carry, and one that OriginLeaves has to have.
	for _, size := range []int{origin.InlineBytes - 400, origin.InlineBytes + 100} {
		v.origin(rnd, size)
	}
	v.report()
	for k, n := range v.size {
		require.Less(t, n, calldataLimit, machine.Name(k))
		require.Less(t, v.gas[k], stepGas, machine.Name(k))
	}
}

// origin takes the origin's phase for a block with one receipt of about so many bytes, which has a deposit at its end.
func (v *verifier) origin(rnd *rand.Rand, size int) {
	t := v.t
	opaque := append(make([]byte, 64), 0, 0, 0, 0, 0, 1, 0, 0, 0)
	data := slices.Concat(common.BigToHash(big.NewInt(32)).Bytes(), common.BigToHash(big.NewInt(int64(len(opaque)))).Bytes(), opaque, make([]byte, 23))
	receipt := &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: 1, Logs: []*types.Log{
		{Data: make([]byte, size-800)},
		{Address: v.env.Portal, Topics: []common.Hash{crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)")), {1}, {2}, {}}, Data: data},
	}}
	receipts := types.Receipts{receipt}
	run := filled[frame.Run](rnd)
	run.OriginReceipts = types.DeriveSha(receipts, gethtrie.NewStackTrie(nil))
	s := randomState(rnd, machine.Origin)
	s.Run = hashOf(&run)
	state := v.step(s.Encode(), run.AppendPacked(nil))
	require.NotNil(t, state)
	trace, err := origin.NewTrace(&origin.Env{Portal: v.env.Portal, SystemConfig: v.env.SystemConfig, Leaves: v.env.Leaves}, origin.State{
		L1BlockHash: run.OriginHash, ReceiptsRoot: run.OriginReceipts, BatcherHash: run.BatcherHash, BaseFeeScalar: run.BaseFeeScalar,
		BlobBaseFeeScalar: run.BlobBaseFeeScalar, GasLimit: run.GasLimit,
	}, receipts)
	require.NoError(t, err)
	for i := range trace.Steps() {
		_, o, err := trace.State(i)
		require.NoError(t, err)
		w, err := trace.Witness(i)
		require.NoError(t, err)
		w = append(o.Encode(), w...)
		leaf, err := trace.Upload(i)
		require.NoError(t, err)
		if leaf != nil {
			require.Nil(t, v.step(state, w), "the leaf is not stored yet")
			calls, _, err := origin.Upload(leaf, origin.UploadChunks)
			require.NoError(t, err)
			for _, c := range calls {
				_, _, err := v.evm.Call(v.leaves, "absorb", crypto.Keccak256Hash(leaf), c.Progress, c.Data, c.Last)
				require.NoError(t, err)
			}
		}
		state = v.step(state, w)
		require.NotNil(t, state)
	}
	require.Equal(t, byte(machine.OriginEnd), state[1])
	_, o, err := trace.State(trace.Steps())
	require.NoError(t, err)
	require.EqualValues(t, 1, o.QueueCount)
	state = v.step(state, append(run.AppendPacked(nil), o.Encode()...))
	require.Equal(t, byte(machine.OpenBlock), state[1])
}
