// Package vm is AGNT2's transition function: what a block does to the records of the interaction trie.
//
// It is written as a sequence of micro-steps. A micro-step reads or writes at most one record (the machine asserts it)
// and decides from that record, the transaction and the machine's registers alone; so any single one can be proven on L1
// with one Merkle path. There is one file per operation. Nothing in here reads a clock, draws randomness, uses floats or
// iterates over maps: the same block on the same records gives the same result everywhere.
//
// Sources: AGNT2 paper §4.4, App. A.2, A.3, B.3, B.8; OP specs for deposits, fees and withdrawals.
package vm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// State is the trie as a micro-step sees it.
type State interface {
	// Get returns a record's bytes, nil if absent. They must not be modified.
	Get(key record.Key) []byte
	// Set replaces a record; nil deletes it. The slice passes to the state.
	Set(key record.Key, value []byte)
	// NextDeadline returns the smallest key of the deadline queue.
	NextDeadline() (record.Key, bool)
}

// Block is what the header fixes before execution.
type Block struct {
	ChainID  uint64
	Number   uint64
	Time     uint64 // Unix seconds
	GasLimit uint64
	BaseFee  uint256.Int // wei per gas
	Coinbase common.Address
}

// Outcome of a transaction.
type Outcome uint8

const (
	// Void: wrong nonce, fee not affordable or no block gas left. Nothing changed.
	Void Outcome = iota
	// Failed: the operation was undone; the fee is charged and the nonce used.
	Failed
	// Succeeded.
	Succeeded
)

func (o Outcome) String() string { return [...]string{"void", "failed", "succeeded"}[o] }

// Result of one transaction.
type Result struct {
	Outcome  Outcome
	GasUsed  uint64
	GasPrice uint256.Int // effective, wei per gas
	L1Fee    uint256.Int // wei
	Revert   abi.Revert  // why a Failed one failed
	Why      error       // why a Void one is void
	Return   []byte
	Logs     []*types.Log
}

// Machine executes one block. Its registers are all there is between two micro-steps.
type Machine struct {
	Block  Block
	Params record.Params
	L1     record.L1Info

	// Accumulators, written once at Seal: were they records, every transaction would conflict with every other.
	Totals       record.Totals
	GasUsed      uint64
	BaseFees     uint256.Int
	PriorityFees uint256.Int
	L1Fees       uint256.Int
	Messages     []common.Hash // withdrawals sent by this block, in order
	Swept        uint32        // timeouts swept by this block

	// Transaction registers.
	tx   *abi.Transaction
	args any // the operation's decoded arguments: a function of tx, not state
	r    registers
	logs []*types.Log

	touched    record.Key
	hasTouched bool
	undo       []undo
	stepCount  uint64
}

// registers of the transaction or sweep in progress.
type registers struct {
	gasPrice, l1Fee, reserve uint256.Int
	gasUsed                  uint64
	void                     error
	failure                  abi.Revert
	valueTaken               bool
	ret                      []byte

	senderKey record.Key // of the sender's account: read at the start and at the end

	// What the sender's account held after the fee was reserved.
	stake      uint256.Int
	pending    uint32
	registered bool

	// What TxEnd does to the sender's account if the operation succeeds.
	credit        uint256.Int // to its balance
	stakeAdd      uint256.Int
	stakeTake     bool // all stake to its balance
	escrowAdd     uint256.Int
	pendingAdd    uint32
	setRegistered registration

	// Operation registers.
	index   int // position in a list argument
	epoch   uint32
	count   uint32
	inter   record.Interaction
	id      common.Hash
	counted bool
	pairN   uint64
}

type registration uint8

const (
	keepRegistration registration = iota
	becomeRegistered
	becomeUnregistered
)

type undo struct {
	key   record.Key
	value []byte
}

// New returns a machine for one block; Begin comes next.
func New(b Block) *Machine { return &Machine{Block: b} }

// Steps returns how many micro-steps the machine has taken.
func (m *Machine) Steps() uint64 { return m.stepCount }

// run takes micro-steps until one says halt.
func (m *Machine) run(s State, first step) {
	for next := first; next != halt; {
		m.hasTouched = false
		m.stepCount++
		next = program[next](m, s)
	}
}

// touch asserts that a micro-step stays with one record.
func (m *Machine) touch(k record.Key) {
	if m.hasTouched && m.touched != k {
		panic(fmt.Sprintf("micro-step touches %v after %v", k, m.touched))
	}
	m.touched, m.hasTouched = k, true
}

func (m *Machine) get(s State, k record.Key) []byte {
	m.touch(k)
	return s.Get(k)
}

// set writes a record so that fail can undo it.
func (m *Machine) set(s State, k record.Key, old, value []byte) {
	m.touch(k)
	m.undo = append(m.undo, undo{k, old})
	s.Set(k, value)
}

// fail undoes the operation and goes to the transaction's end, which charges the fee.
func (m *Machine) fail(s State, why abi.Revert) step {
	for i := len(m.undo) - 1; i >= 0; i-- {
		s.Set(m.undo[i].key, m.undo[i].value)
	}
	m.undo = m.undo[:0]
	m.logs = m.logs[:0]
	m.r.failure = why
	return txEnd
}

// use charges gas; it reports false after failing the operation.
func (m *Machine) use(amount uint64) bool {
	m.r.gasUsed += amount
	if m.r.gasUsed < amount { // overflow
		m.r.gasUsed = ^uint64(0)
	}
	return m.r.gasUsed <= m.tx.GasLimit
}

func (m *Machine) outOfGas(s State) step {
	needed := m.r.gasUsed
	m.r.gasUsed = m.tx.GasLimit
	return m.fail(s, &abi.OutOfGas{NeededGas: needed, GasLimit: m.tx.GasLimit})
}

func (m *Machine) emit(l *types.Log) { m.logs = append(m.logs, l) }

// decoded panics on a record that does not decode: the engine wrote it, so it is corruption, and going on would fork.
func decoded[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("corrupt record: %v", err))
	}
	return v
}

func account(b []byte) (a record.Account) {
	if b != nil {
		a = decoded(record.DecodeAccount(b))
	}
	return a
}

// Begin reads the block's parameters and counters. L1 information comes with the first deposit.
func (m *Machine) Begin(s State) { m.run(s, beginParams) }

// Seal pays the fee vaults and writes the counters. The machine is finished afterwards.
func (m *Machine) Seal(s State) { m.run(s, sealBaseFees) }

func stepBeginParams(m *Machine, s State) step {
	m.Params = decoded(record.DecodeParams(m.get(s, record.ParamsKey)))
	return beginTotals
}

func stepBeginTotals(m *Machine, s State) step {
	m.Totals = decoded(record.DecodeTotals(m.get(s, record.TotalsKey)))
	return beginL1Info
}

func stepBeginL1Info(m *Machine, s State) step {
	if b := m.get(s, record.L1InfoKey); b != nil {
		m.L1 = decoded(record.DecodeL1Info(b))
	}
	return halt
}

// creditAccount adds to a balance outside of a transaction's undo.
func creditAccount(m *Machine, s State, to common.Address, amount *uint256.Int) {
	if amount.IsZero() {
		return
	}
	k := record.AccountKey(to)
	a := account(m.get(s, k))
	a.Balance.Add(&a.Balance, amount)
	s.Set(k, a.Encode())
}

func stepSealBaseFees(m *Machine, s State) step {
	creditAccount(m, s, abi.BaseFeeVault, &m.BaseFees)
	return sealPriorityFees
}

func stepSealPriorityFees(m *Machine, s State) step {
	creditAccount(m, s, m.Block.Coinbase, &m.PriorityFees)
	return sealL1Fees
}

func stepSealL1Fees(m *Machine, s State) step {
	creditAccount(m, s, abi.L1FeeVault, &m.L1Fees)
	return sealTotals
}

func stepSealTotals(m *Machine, s State) step {
	m.touch(record.TotalsKey)
	s.Set(record.TotalsKey, m.Totals.Encode())
	return halt
}
