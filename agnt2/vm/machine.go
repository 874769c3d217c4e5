// Package vm is AGNT2's transition function: what a block does to the records of the interaction trie.
//
// It is written as a sequence of micro-steps. A micro-step reads or writes at most one record (the machine asserts it)
// and decides from that record, the frames and the operation's calldata alone; so any single one can be proven on L1
// with one Merkle path (agnt2/machine does that, and the Solidity libraries under src/dispute repeat every step). There
// is one file per operation. Nothing in here reads a clock, draws randomness, uses floats or iterates over maps: the same
// block on the same records gives the same result everywhere.
//
// Sources: AGNT2 paper §4.4, App. A.2, A.3, B.3, B.8; OP specs for deposits, fees and withdrawals.
package vm

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
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

// Machine executes one block. Its frames are all there is between two micro-steps; the other fields are a function of
// them and of the block's data.
type Machine struct {
	ChainID  uint64
	Coinbase common.Address

	Block frame.Block
	Sums  frame.Sums
	Tx    frame.Tx
	Op    frame.Op
	Call  record.Interaction // the interaction in progress
	// Dispute in progress: it shares the interaction's place in the state, so one micro-step opens only one of them.
	Dispute record.Dispute

	Channel record.Channel // the channel in progress, instead
	// Search is the discovery in progress. The proven state has it where Call is: an operation needs one after the other.
	Search frame.Search
	// The other records that can be in progress, in the place of Call.
	Composition record.Composition
	Constituent record.Constituent

	Params   record.Params // the state's hash of it is for proofs
	Policy   record.Policy // Block.Policy is its hash, in proofs
	L1       record.L1Info // of the block's L1-attributes deposit; receipts show it
	Messages []common.Hash // withdrawals sent by this block, in order
	Pruned   []Pruned      // interactions that this block moved into the history, in order

	data []byte // the transaction's calldata; Tx.Data and Op.Data are its hash
	args any    // the operation's decoded arguments: a function of data
	logs []*types.Log

	// What results and their logs are cut from: so a block's take few allocations.
	results []Result
	logRoom []*types.Log

	// Results that no later micro-step reads.
	failure abi.Revert
	held    uint256.Int // sender's balance when it did not cover the value
	why     error
	ret     []byte

	touched    record.Key
	hasTouched bool
	undo       []undo
	stepCount  uint64
}

// What Op.Effect makes the end of a transaction do.
const (
	effectStakeValue = 1 << iota // the value becomes stake
	effectStakeOut               // the stake becomes balance
	effectEscrow                 // the value goes into escrow for one more pending INVOKE
	effectRegister               // the sender becomes an agent
	effectUnregister             // the sender stops being one
	effectSettle                 // a completed interaction: its payment counts as volume
	effectMessage                // a withdrawal was sent
)

// Those of the later families. Values are part of the proven state.
const (
	effectBurn     = 1 << (10 + iota) // a slashed stake: Op.Word is the wei that nobody gets
	effectChannel                     // a channel was opened
	effectOwner                       // Op.Owner becomes the owner of the one who acts
	_                                 // was used
	effectDiscount                    // Op.Discount becomes the sender's, until Op.Pairs
)

// Pruned is an interaction that has left the state.
type Pruned struct {
	ID     common.Hash
	Record []byte
}

type undo struct {
	key   record.Key
	value []byte
}

// New returns a machine for one block; Begin comes next.
func New(b Block) *Machine {
	return &Machine{
		ChainID: b.ChainID, Coinbase: b.Coinbase,
		Block: frame.Block{Number: b.Number, Time: b.Time, GasLimit: b.GasLimit, BaseFee: b.BaseFee},
	}
}

// Steps returns how many micro-steps the machine has taken.
func (m *Machine) Steps() uint64 { return m.stepCount }

// GasUsed is the gas of the block's transactions so far.
func (m *Machine) GasUsed() uint64 { return m.Block.GasUsed }

// run takes micro-steps until one says halt.
func (m *Machine) run(s State, first Step) {
	for next := first; next != Halt; {
		next = m.step(s, next)
	}
}

func (m *Machine) step(s State, k Step) Step {
	m.hasTouched = false
	m.stepCount++
	return program[k].do(m, s)
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

// put writes a record for good.
func (m *Machine) put(s State, k record.Key, value []byte) {
	m.touch(k)
	s.Set(k, value)
}

// set writes a record so that a failure undoes it.
func (m *Machine) set(s State, k record.Key, old, value []byte) {
	m.undo = append(m.undo, undo{k, old})
	m.put(s, k, value)
}

// fail ends the operation: what it wrote is undone, and the transaction's end charges the fee.
func (m *Machine) fail(why abi.Revert) Step {
	m.failure, m.ret = why, nil
	m.logs = m.logs[:0]
	m.Op.Logs = common.Hash{}
	m.Op.Failed = true
	return TxUndo
}

// Restorer is a state that goes back to an earlier root as a whole.
type Restorer interface{ Restore(root common.Hash) }

// stepTxUndo gives the trie back the root that it had when the operation began.
func stepTxUndo(m *Machine, s State) Step {
	if r, ok := s.(Restorer); ok {
		r.Restore(m.Tx.Root)
		return TxEnd
	}
	for i := len(m.undo) - 1; i >= 0; i-- {
		s.Set(m.undo[i].key, m.undo[i].value)
	}
	m.undo = m.undo[:0]
	return TxEnd
}

// use charges gas; it reports false after the operation has run out of it.
func (m *Machine) use(amount uint64) bool {
	m.Op.GasUsed = gas.Add(m.Op.GasUsed, amount)
	return m.Op.GasUsed <= m.Op.GasLimit
}

func (m *Machine) outOfGas() Step {
	needed := m.Op.GasUsed
	m.Op.GasUsed = m.Op.GasLimit
	return m.fail(&abi.OutOfGas{NeededGas: needed, GasLimit: m.Op.GasLimit})
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
func (m *Machine) Begin(s State) { m.run(s, BeginParams) }

// Seal pays the fee vaults and writes the counters. The machine is finished afterwards.
func (m *Machine) Seal(s State) { m.run(s, SealBaseFees) }

func stepBeginParams(m *Machine, s State) Step {
	m.Params = decoded(record.DecodeParams(m.get(s, record.ParamsKey)))
	return BeginPolicy
}

func stepBeginPolicy(m *Machine, s State) Step {
	m.Policy = decoded(record.DecodePolicy(m.get(s, record.PolicyKey)))
	return BeginTotals
}

func stepBeginTotals(m *Machine, s State) Step {
	t := decoded(record.DecodeTotals(m.get(s, record.TotalsKey)))
	m.Sums.Agents, m.Sums.Interactions, m.Sums.VolumeWei, m.Sums.MessageNonce = t.Agents, t.Interactions, t.VolumeWei, t.MessageNonce
	m.Sums.Channels, m.Sums.BurnedWei = t.Channels, t.BurnedWei
	return Halt
}

// creditAccount adds to a balance outside of a transaction.
func creditAccount(m *Machine, s State, to common.Address, amount *uint256.Int) {
	if amount.IsZero() {
		return
	}
	k := record.AccountKey(to)
	a := account(m.get(s, k))
	a.Balance.Add(&a.Balance, amount)
	m.put(s, k, a.Encode())
}

func stepSealBaseFees(m *Machine, s State) Step {
	creditAccount(m, s, abi.BaseFeeVault, &m.Sums.BaseFees)
	return SealPriorityFees
}

func stepSealPriorityFees(m *Machine, s State) Step {
	creditAccount(m, s, m.Coinbase, &m.Sums.PriorityFees)
	return SealL1Fees
}

func stepSealL1Fees(m *Machine, s State) Step {
	creditAccount(m, s, abi.L1FeeVault, &m.Sums.L1Fees)
	return SealTotals
}

func stepSealTotals(m *Machine, s State) Step {
	t := record.Totals{
		Agents: m.Sums.Agents, Interactions: m.Sums.Interactions, VolumeWei: m.Sums.VolumeWei, MessageNonce: m.Sums.MessageNonce,
		Channels: m.Sums.Channels, BurnedWei: m.Sums.BurnedWei,
	}
	m.put(s, record.TotalsKey, t.Encode())
	return Halt
}

// Micro takes one micro-step, for proofs. The caller has set the frames that the step opens, and with SetData the calldata.
func (m *Machine) Micro(s State, k Step) Step { return m.step(s, k) }

// SetData gives the machine the calldata of the operation that k is a step of.
func (m *Machine) SetData(k Step, data []byte) error {
	m.data = data
	switch k {
	case Dispatch, L1Attributes, Registry:
		return nil
	case SendMessage:
		msg, why := messageOf(m.Op.From, data)
		if why != nil {
			return why
		}
		m.args = msg
		return nil
	}
	if len(data) < 4 {
		return &abi.MalformedCalldata{}
	}
	o, ok := operations[[4]byte(data)]
	if !ok {
		return unknownOperation(data)
	}
	args, err := o.decode(data[4:])
	m.args = args
	return err
}

// Data is the calldata of the transaction in progress.
func (m *Machine) Data() []byte { return m.data }

// Logs are the events of the transaction in progress.
func (m *Machine) Logs() []*types.Log { return m.logs }
