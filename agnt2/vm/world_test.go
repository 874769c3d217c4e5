package vm_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

const testChainID = 901

// memory is the naive parent state of one block: a map, and a scan for the deadline queue.
type memory map[record.Key][]byte

func (m memory) Get(k record.Key) []byte { return m[k] }

func (m memory) DeadlineAfter(after *record.Key) (next record.Key, ok bool) {
	for k := range m {
		if k[0] != byte(record.NSDeadline) || (after != nil && bytes.Compare(k[:], after[:]) <= 0) {
			continue
		}
		if !ok || bytes.Compare(k[:], next[:]) < 0 {
			next, ok = k, true
		}
	}
	return next, ok
}

// watched is a block's state that notes what a transaction writes, and that counts the records a micro-step touches by
// itself instead of trusting the machine's own assertion.
type watched struct {
	*vm.Overlay
	m       *vm.Machine
	past    map[record.Key][][]byte // what a record held before each write, newest last
	order   []record.Key
	at      uint64
	touched map[record.Key]bool
	most    int
}

func (w *watched) touch(k record.Key) {
	if w.m == nil {
		return
	}
	if s := w.m.Steps(); s != w.at || w.touched == nil {
		w.at, w.touched = s, map[record.Key]bool{}
	}
	w.touched[k] = true
	w.most = max(w.most, len(w.touched))
}

func (w *watched) Get(k record.Key) []byte {
	w.touch(k)
	return w.Overlay.Get(k)
}

func (w *watched) Set(k record.Key, v []byte) {
	if len(w.past[k]) == 0 {
		w.order = append(w.order, k)
	}
	w.past[k] = append(w.past[k], w.Overlay.Get(k))
	// Going back to what the record held is an undo: it stands for one restored register, the state's root.
	if !slices.ContainsFunc(w.past[k], func(old []byte) bool { return same(old, v) }) {
		w.touch(k)
	}
	w.Overlay.Set(k, v)
}

func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

type change struct {
	key      record.Key
	old, new []byte
}

// changed lists what differs from before the transaction.
func (w *watched) changed() (out []change) {
	for _, k := range w.order {
		now := w.Overlay.Get(k)
		if old := w.past[k][0]; !same(old, now) {
			out = append(out, change{k, old, now})
		}
	}
	return out
}

// world is a chain without headers: a state and one block in the making.
type world struct {
	state   memory
	params  record.Params
	number  uint64
	time    uint64
	limit   uint64
	baseFee uint256.Int
	l1      record.L1Info
	m       *vm.Machine
	overlay *vm.Overlay
	most    int // records that the busiest micro-step touched

	watch  func(*abi.Transaction, *vm.Result, []change) // if set, sees every transaction
	sealed func([]change)                               // and what closes a block, in the order of the writes
}

var coinbase = abi.SequencerFeeVault

func newWorld(p record.Params) *world {
	w := &world{state: memory{}, params: p, time: 1000, limit: 200_000_000}
	w.state[record.ParamsKey] = p.Encode()
	w.state[record.PolicyKey] = new(record.Policy).Encode()
	w.state[record.TotalsKey] = new(record.Totals).Encode()
	return w
}

// open begins the next block and executes its L1-attributes deposit, and so the sweeps.
func (w *world) open(after uint64) (*vm.Result, []change) {
	w.number++
	w.time += after
	w.m = vm.New(vm.Block{ChainID: testChainID, Number: w.number, Time: w.time, GasLimit: w.limit, BaseFee: w.baseFee, Coinbase: coinbase})
	w.overlay = vm.NewOverlay(w.state)
	w.m.Begin(w.overlay)
	to := abi.L1BlockAddress
	return w.apply(&abi.Transaction{
		From: abi.L1AttributesDepositor, To: &to, GasLimit: 1_000_000, Data: w.attributes(), Deposit: true,
	})
}

func (w *world) attributes() []byte {
	b := make([]byte, abi.L1AttributesDataLength)
	copy(b, abi.L1AttributesSelector[:])
	binary.BigEndian.PutUint32(b[4:], w.l1.BaseFeeScalar)
	binary.BigEndian.PutUint32(b[8:], w.l1.BlobBaseFeeScalar)
	binary.BigEndian.PutUint64(b[28:], w.number)
	w.l1.BaseFee.PutUint256(b[36:])
	w.l1.BlobBaseFee.PutUint256(b[68:])
	return b
}

func (w *world) apply(tx *abi.Transaction) (*vm.Result, []change) {
	s := &watched{Overlay: w.overlay, m: w.m, past: map[record.Key][][]byte{}}
	r := w.m.Apply(s, tx)
	w.most = max(w.most, s.most)
	cs := s.changed()
	if w.watch != nil {
		w.watch(tx, r, cs)
	}
	return r, cs
}

// seal closes the block and returns what the closing micro-steps wrote.
func (w *world) seal() []change {
	s := &watched{Overlay: w.overlay, m: w.m, past: map[record.Key][][]byte{}}
	w.m.Seal(s)
	w.most = max(w.most, s.most)
	for _, c := range w.overlay.Changes() {
		if c.New == nil {
			delete(w.state, c.Key)
		} else {
			w.state[c.Key] = c.New
		}
	}
	cs := s.changed()
	if w.sealed != nil {
		w.sealed(cs)
	}
	w.m, w.overlay = nil, nil
	return cs
}

func (w *world) get(k record.Key) []byte {
	if w.overlay != nil {
		return w.overlay.Get(k)
	}
	return w.state[k]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (w *world) account(a common.Address) (acc record.Account) {
	if b := w.get(record.AccountKey(a)); b != nil {
		acc = must(record.DecodeAccount(b))
	}
	return acc
}

func (w *world) fund(a common.Address, wei *uint256.Int) {
	acc := record.Account{Balance: *wei}
	w.state[record.AccountKey(a)] = acc.Encode()
}

func keyOf(name string) *ecdsa.PrivateKey {
	return must(crypto.ToECDSA(crypto.Keccak256([]byte("agnt2 vm test " + name))))
}

func addressOf(name string) common.Address { return crypto.PubkeyToAddress(keyOf(name).PublicKey) }

func hashOf(s string) common.Hash { return crypto.Keccak256Hash([]byte(s)) }

// testParams are small numbers that make expected outputs readable.
func testParams() record.Params {
	return record.Params{
		MinStakeWei: *uint256.NewInt(100), MinCountedPaymentWei: *uint256.NewInt(10), MinTtlSeconds: 2, MaxTtlSeconds: 100,
		StakeCooldownSeconds: 150, MaxPendingInvokes: 4, MaxCapabilities: 4, SweepsPerBlock: 3, ReputationHalfLifeSeconds: 1000,
		GasTransfer: 4000, GasAgentOperation: 6000, GasPerRecord: 2000, GasInvokeBase: 6000, GasRespond: 6000,
		GasPerPayloadByte: 1, GasPerCalldataByte: 1, GasWithdrawal: 20000, GasClass: [gas.Classes]uint64{500, 1000, 2000, 3000},
	}
}
