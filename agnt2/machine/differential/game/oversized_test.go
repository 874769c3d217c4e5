package game

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"sort"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/machine/machinetest"
	"github.com/agnt2/agnt2/agnt2/machine/origin"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

const (
	maxDepositData = 120_000 // OptimismPortal2's limit, in bytes
	hugeReceipt    = 4 << 20 // bytes
)

// filled is n bytes, none of them zero.
func (w *world) filled(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + w.Rand.IntN(255))
	}
	return b
}

var depositTopic = crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)"))

func (w *world) depositLog(from common.Address, to *common.Address, data []byte) *types.Log {
	word := func(v uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(v)).Bytes() }
	opaque := append(append(word(1<<60), word(7)...), binary.BigEndian.AppendUint64(nil, 8_000_000)...)
	var target common.Address
	if to == nil {
		opaque = append(opaque, 1)
	} else {
		opaque, target = append(opaque, 0), *to
	}
	opaque = append(opaque, data...)
	enc := append(append(word(32), word(uint64(len(opaque)))...), opaque...)
	enc = append(enc, make([]byte, (32-len(enc)%32)%32)...)
	return &types.Log{
		Address: machinetest.Portal, Topics: []common.Hash{depositTopic, common.BytesToHash(from[:]), common.BytesToHash(target[:]), {}}, Data: enc,
	}
}

func receiptOf(gas uint64, logs ...*types.Log) *types.Receipt {
	rc := &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: gas, Logs: logs}
	rc.Bloom = types.CreateBloom(rc)
	return rc
}

// other is a log of a contract that is none of ours.
func (w *world) other(data int) *types.Log {
	return &types.Log{Address: common.Address{0x77}, Topics: []common.Hash{{1}, {2}, {3}, {4}}, Data: w.filled(data)}
}

// Blocks of the oversized world.
const (
	depositsBlock = 2
	bytesBlock    = 3
	invokesBlock  = 4
	sweepBlock    = 7
)

// newOversized returns a world in which everything that another party can make large is as large as it gets.
func newOversized(t *testing.T) *world {
	p := genesis.DefaultParams()
	p.MinStakeWei = *uint256.NewInt(100)
	base := machinetest.NewLarge(9, p, 12, 1<<14)
	w := &world{Random: &machinetest.Random{World: base, Generator: &vmtest.Generator{Rnd: base.Rand}}}
	var accounts []common.Address
	for a := range w.Keys {
		accounts = append(accounts, a)
	}
	slices.SortFunc(accounts, func(a, b common.Address) int { return bytes.Compare(a[:], b[:]) })
	callee := accounts[0]

	// What the second block's L1 origin says.
	var receipts types.Receipts
	add := func(logs ...*types.Log) {
		receipts = append(receipts, receiptOf(uint64(len(receipts)+1)*1_000_000, logs...))
	}
	add()
	add(w.other(100), w.other(hugeReceipt), w.depositLog(accounts[1], &accounts[2], nil), w.configLog())
	add(w.depositLog(accounts[1], &abi.Address, w.filled(maxDepositData)))
	add(w.depositLog(accounts[1], &accounts[2], w.filled(maxDepositData)))
	add(w.depositLog(accounts[1], nil, w.filled(maxDepositData)))
	add(w.depositLog(accounts[1], &abi.MessagePasserAddress, initiateWithdrawal(accounts[1], w.filled(maxDepositData-4*32-4))))
	add(w.depositLog(accounts[1], &abi.MessagePasserAddress, initiateWithdrawal(accounts[1], w.filled(32<<10))))
	add(w.depositLog(accounts[1], &abi.Address, (&abi.RegisterCall{Name: "n", AgentURI: string(w.filled(maxDepositData - 600))}).Encode()))
	add(w.depositLog(accounts[1], &abi.Address, largestRegister(w).Encode()))
	add(w.depositLog(accounts[3], &abi.Address, w.filled(maxDepositData)), w.other(6_000)) // too large for a witness
	exact := receiptOf(uint64(len(receipts)+1)*1_000_000, w.other(100_000))
	raw, err := exact.MarshalBinary()
	require.NoError(t, err)
	add(w.other(100_000 + origin.InlineBytes - len(raw) - 13)) // with what is around a receipt in the trie: as long as a leaf may be
	for len(receipts) < 300 {
		add(w.other(40))
	}
	add(w.depositLog(accounts[1], &abi.Address, w.filled(maxDepositData))) // under the longest path
	index := uint(0)
	for _, rc := range receipts {
		for _, l := range rc.Logs {
			l.Index = index
			index++
		}
	}
	w.AddL1(receipts)

	send := func(b *machinetest.Builder, from common.Address, to *common.Address, value uint64, data []byte) *vm.Result {
		acc, err := record.DecodeAccount(b.Get(record.AccountKey(from)))
		require.NoError(t, err)
		return b.Send(&abi.Transaction{
			From: from, To: to, Nonce: acc.Nonce, GasLimit: 4_000_000, FeeCap: *uint256.NewInt(1000), TipCap: *uint256.NewInt(1),
			Value: *uint256.NewInt(value), Data: data,
		})
	}
	succeeds := func(r *vm.Result) {
		t.Helper()
		require.Equal(t, vm.Succeeded, r.Outcome, "%v", r)
	}
	b := w.NextFunded(1e18)
	succeeds(send(b, callee, &abi.Address, 100, (&abi.RegisterCall{Name: "callee", Capabilities: []abi.Capability{{Name: "c", PriceWei: *uint256.NewInt(1)}}}).Encode()))
	b.Seal()

	deposits := w.Next()
	require.Len(t, deposits.Execution.Txs, 1+10)
	for _, r := range deposits.Execution.Results {
		require.NotEqual(t, vm.Void, r.Outcome)
	}
	deposits.Seal()

	b = w.Next()
	from := accounts[4]
	const around = 130 // bytes of a signed transaction beside its calldata, at most
	largest := func(overhead int) int { return abi.MaxTransactionBytes - around - overhead }
	send(b, from, &abi.Address, 0, w.filled(largest(0)))
	require.LessOrEqual(t, abi.MaxTransactionBytes-b.Execution.Txs[1].Size, 20, "as large as a transaction gets")
	send(b, from, &accounts[5], 0, w.filled(largest(0)))
	send(b, from, nil, 0, w.filled(largest(0)))
	send(b, from, &abi.Address, 100, (&abi.RegisterCall{Name: "n", AgentURI: string(w.filled(largest(600)))}).Encode())
	send(b, from, &abi.Address, 100, (&abi.RegisterCall{Name: string(w.filled(largest(600)))}).Encode())
	send(b, from, &abi.Address, 0, (&abi.UpdateCapabilitiesCall{Upserts: make([]abi.Capability, largest(600)/352)}).Encode())
	send(b, from, &abi.Address, 0, (&abi.UpdateCapabilitiesCall{Removals: make([]common.Hash, largest(600)/32)}).Encode())
	send(b, from, &abi.Address, 0, (&abi.RespondCall{Status: 1, Attestation: w.filled(largest(600))}).Encode())
	send(b, from, &abi.MessagePasserAddress, 0, initiateWithdrawal(from, w.filled(largest(300))))
	succeeds(send(b, from, &abi.MessagePasserAddress, 3, initiateWithdrawal(from, w.filled(32<<10))))
	succeeds(send(b, from, &abi.Address, 100, largestRegister(w).Encode()))
	b.Seal()

	b = w.Next()
	for i := range genesis.MaxSweepsPerBlock {
		succeeds(send(b, accounts[6], &abi.Address, 1<<40, (&abi.InvokeCall{
			Salt: common.BigToHash(big.NewInt(int64(i))), Callee: callee, Capability: vm.CapabilityID("c"), TtlSeconds: 2,
			MaxPriceWei: *uint256.NewInt(1 << 50), Da: abi.DAPointer{LengthBytes: 1},
		}).Encode()))
	}
	b.Seal()
	w.Next().Seal()
	w.Next().Seal()
	b = w.Next()
	send(b, from, &abi.Address, 0, w.filled(largest(0))) // behind the largest receipt
	swept := b.Seal()
	require.Len(t, swept.Receipts[0].Logs, genesis.MaxSweepsPerBlock)
	w.safe = uint64(len(w.L2) - 1)
	w.Submit(1, w.safe)
	for range machinetest.ProofLag {
		w.AddL1(nil)
	}
	return w
}

func initiateWithdrawal(target common.Address, data []byte) []byte {
	selector := crypto.Keccak256([]byte("initiateWithdrawal(address,uint256,bytes)"))[:4]
	out := append(selector, common.BytesToHash(target[:]).Bytes()...)
	for _, n := range []int{100_000, 96, len(data)} {
		out = append(out, common.BigToHash(big.NewInt(int64(n))).Bytes()...)
	}
	out = append(out, data...)
	return append(out, make([]byte, (32-len(data)%32)%32)...)
}

// largestRegister has every argument as long as it may be.
func largestRegister(w *world) *abi.RegisterCall {
	text := func(n int, i byte) string { return string(append(bytes.Repeat([]byte{'x'}, n-1), 'a'+i)) }
	c := &abi.RegisterCall{Name: text(64, 0), Version: text(32, 0), AgentURI: text(512, 0), ImageDigest: common.Hash(w.filled(32))}
	for i := range byte(16) {
		c.Capabilities = append(c.Capabilities, abi.Capability{Name: text(64, i), Endpoint: text(256, i), PriceWei: *uint256.NewInt(1 << 60)})
		c.Metadata = append(c.Metadata, abi.MetadataEntry{Key: text(32, i), Value: w.filled(256)})
	}
	return c
}

// stepBytes is the calldata of the game's step() with a witness.
func stepBytes(witness int) int {
	words := func(n int) int { return (n + 31) / 32 * 32 }
	return 4 + 4*32 + 32 + words(machine.StateBytes) + 32 + words(witness)
}

// room is how much longer a witness of a kind can be, for the depth of tries that this world does not have: the edge of a list of
// 65,536 items, or the nodes above a receipt of as many.
func room(k vm.Step) int {
	switch k {
	case machine.TxList, machine.ReceiptList, machine.TxRoot, machine.ReceiptRoot:
		return 2_360
	case machine.OriginBase + vm.Step(origin.Open):
		return 6 * (2 + 532)
	}
	return 32 * 32 // a deeper record trie, a longer list of transactions
}

// upload stores what a trace needs in OriginLeaves, by ordinary transactions.
func (s *stage) upload(trace *machine.Trace) (leaves, calls int, most uint64) {
	s.t.Helper()
	for i := range trace.Len() {
		leaf, err := trace.Upload(i)
		require.NoError(s.t, err)
		if leaf == nil {
			continue
		}
		leaves++
		hash := crypto.Keccak256Hash(leaf)
		parts, root, err := origin.Upload(leaf, 3*origin.UploadChunks)
		require.NoError(s.t, err)
		for _, c := range parts {
			_, gas, err := s.send(honest, nil, s.leaves, "absorb", hash, c.Progress, c.Data, c.Last)
			require.NoError(s.t, err)
			most = max(most, gas)
			calls++
		}
		out := s.view(s.leaves, "leaf", hash)
		require.Equal(s.t, root, common.Hash(out[0].([32]byte)))
		require.EqualValues(s.t, len(leaf), out[1])
	}
	return leaves, calls, most
}

// TestOversized: whatever another party makes large, every micro-step fits an ordinary L1 transaction, in bytes and in gas.
func TestOversized(t *testing.T) {
	if testing.Short() {
		t.Skip("uploads megabytes")
	}
	w := newOversized(t)
	s := newStage(t, w, depthOf(maxDepth+2), nil) // 32,768 micro-steps
	type largest struct {
		block, index uint64
		bytes        int
		floor, gas   uint64
	}
	kinds := map[vm.Step][]*largest{} // the longest, and the dearest before it is executed
	traces := map[uint64]*machine.Trace{}
	for _, n := range []uint64{depositsBlock, bytesBlock, invokesBlock, sweepBlock} {
		env := w.Env(n-1, w.Output(n))
		trace, err := machine.NewTrace(background, env, w.L1Source(), w.World)
		require.NoError(t, err)
		final := trace.Final()
		require.Equal(t, machine.Valid, final.Status)
		traces[n] = trace
		for i := range trace.Len() {
			e, err := trace.Entry(i)
			require.NoError(t, err)
			k := e.State.Step
			size := stepBytes(len(e.Witness))
			require.LessOrEqual(t, size+room(k), maxTxBytes, "block %d, micro-step %d, %s: a witness of %d bytes", n, i, machine.Name(k), len(e.Witness))
			_, floor := calldataGas(e.Witness)
			l := &largest{block: n, index: i, bytes: size, floor: floor}
			if kinds[k] == nil {
				kinds[k] = []*largest{l, l}
			}
			if size > kinds[k][0].bytes {
				kinds[k][0] = l
			}
			if floor > kinds[k][1].floor {
				kinds[k][1] = l
			}
		}
	}
	require.Greater(t, kinds[machine.OriginBase+vm.Step(origin.Open)][0].bytes, stepBytes(origin.StateBytes+origin.InlineBytes)-64, "as long as a leaf may be in a witness")
	leaves, calls, most := s.upload(traces[depositsBlock])
	require.Equal(t, 2, leaves)
	t.Logf("%d receipts uploaded by %d transactions of up to %d gas", leaves, calls, most)
	s.clean = s.evm.Config().State.Copy()

	// As the game, whose bytecode copies the witness once more and adds what a played step below measures.
	m := s.propose(w, liar, 1, sweepBlock, common.Hash{1})
	const overhead = 400_000
	direct := func(n, i uint64) uint64 {
		e, err := traces[n].Entry(i)
		require.NoError(t, err)
		data, err := s.verifier.ABI.Pack("step", e.State.Encode(), e.Witness, common.Hash{})
		require.NoError(t, err)
		cfg := s.evm.Config()
		base, floor := calldataGas(data)
		cfg.Origin, cfg.GasLimit = m.game.Address, maxTxGas-base-overhead
		out, used, err := s.evm.CallRaw(s.verifier, data)
		require.NoError(t, err, "block %d, micro-step %d, %s", n, i, machine.Name(e.State.Step))
		next, err := traces[n].State(i + 1)
		require.NoError(t, err)
		require.Equal(t, next.Claim(), common.Hash(out))
		return max(base+used, floor)
	}
	var order []vm.Step
	dearest := map[vm.Step]*largest{}
	for k, ls := range kinds {
		dearest[k] = ls[0]
		for _, l := range ls {
			if k != machine.Begin { // needs a game's local data
				l.gas = direct(l.block, l.index)
			}
			if l.gas > dearest[k].gas {
				dearest[k] = l
			}
		}
		order = append(order, k)
	}
	sort.Slice(order, func(i, j int) bool { return dearest[order[i]].gas > dearest[order[j]].gas })
	for _, k := range order {
		t.Logf("%-22s %6d bytes %8d gas, block %d", machine.Name(k), kinds[k][0].bytes, dearest[k].gas, dearest[k].block)
	}
	// The dearest in whole games.
	for _, k := range append(order[:6:6], machine.Begin) {
		l := dearest[k]
		t.Run(fmt.Sprintf("%s of block %d", machine.Name(k), l.block), func(t *testing.T) {
			s.t = t
			output := anyHash(seeded(uint64(k)))
			m := s.propose(w, liar, l.block-1, l.block, output)
			h := m.honest()
			m.play(h, m.liar(t.Name(), l.block, output, output, func(uint64, uint64) uint64 { return l.index }))
			require.Equal(t, 1, h.stepped)
			require.Less(t, m.gas["step"], l.gas+overhead)
			t.Logf("%d gas", m.gas["step"])
			m.honestWins(false)
		})
	}
}
