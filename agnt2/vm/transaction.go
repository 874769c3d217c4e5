package vm

import (
	"errors"
	"fmt"
	"maps"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
)

// Reasons for which a transaction is void.
var (
	ErrNonce      = errors.New("wrong nonce")
	ErrFeeCap     = errors.New("maxFeePerGas is below the base fee")
	ErrBlockGas   = errors.New("not enough gas left in the block")
	ErrFeeBalance = errors.New("balance does not cover the fee")
	ErrNoGas      = errors.New("gas limit is 0: nothing could be charged")
	ErrDelegated  = errors.New("the account's own key does not act for it")
)

// operation is one typed operation: how its calldata decodes and where its micro-steps start.
type operation struct {
	decode  func(b []byte) (any, error)
	payable bool
	first   Step
}

func op[T any](decode func([]byte) (T, error), payable bool, first Step) operation {
	return operation{func(b []byte) (any, error) {
		v, err := decode(b)
		return &v, err
	}, payable, first}
}

// operations by selector, for the AGNT2 address: those of all families.
var operations = map[[4]byte]operation{}

func init() {
	for _, family := range []map[[4]byte]operation{agentOperations, interactionOperations, channelOperations, governanceOperations, disputeOperations, identityOperations, marketOperations, composeOperations, passportOperations, feedbackOperations, validationOperations} {
		maps.Copy(operations, family)
	}
}

var agentOperations = map[[4]byte]operation{
	abi.RegisterSelector:           op(abi.DecodeRegisterCall, true, RegisterAgent),
	abi.UpdateAgentSelector:        op(abi.DecodeUpdateAgentCall, false, UpdateAgent),
	abi.UpdateCapabilitiesSelector: op(abi.DecodeUpdateCapabilitiesCall, false, ReadOwnAgent),
	abi.TopUpStakeSelector:         op(abi.DecodeTopUpStakeCall, true, TopUpStake),
	abi.DeregisterSelector:         op(abi.DecodeDeregisterCall, false, DeregisterAgent),
	abi.WithdrawStakeSelector:      op(abi.DecodeWithdrawStakeCall, false, WithdrawStake),
	abi.HeartbeatSelector:          op(abi.DecodeHeartbeatCall, false, Heartbeat),
}

var interactionOperations = map[[4]byte]operation{
	abi.InvokeSelector:  op(abi.DecodeInvokeCall, true, InvokeArgs),
	abi.RespondSelector: op(abi.DecodeRespondCall, false, RespondArgs),
}

// load makes tx the transaction in progress. The hashes in the frames are for proofs and left zero.
func (m *Machine) load(tx *abi.Transaction) {
	m.Tx = frame.Tx{
		Deposit: tx.Deposit, From: tx.From, Creation: tx.To == nil, Nonce: tx.Nonce, GasLimit: tx.GasLimit,
		FeeCap: tx.FeeCap, TipCap: tx.TipCap, Value: tx.Value, Mint: tx.Mint, Size: uint32(tx.Size), Hash: tx.Hash,
	}
	if tx.To != nil {
		m.Tx.To = *tx.To
	}
	m.Op, m.Call, m.Channel, m.Dispute = frame.Op{}, record.Interaction{}, record.Channel{}, record.Dispute{}
	m.data, m.args = tx.Data, nil
	if len(m.logRoom) < leastLogs {
		m.logRoom = make([]*types.Log, cutLogs)
	}
	m.undo, m.logs = m.undo[:0], m.logRoom[:0]
	m.failure, m.why, m.ret = nil, nil, nil
}

func first(deposit bool) Step {
	if deposit {
		return DepositBegin
	}
	return TxBegin
}

// Apply executes one transaction or deposit. Whether a deposit may stand there is the block's business.
func (m *Machine) Apply(s State, tx *abi.Transaction) *Result {
	m.load(tx)
	m.run(s, first(tx.Deposit))
	return m.Result()
}

const (
	cutResults = 32
	cutLogs    = 64
	leastLogs  = 8 // more than most transactions emit; those of the others move
)

// Result is what became of the last transaction.
func (m *Machine) Result() *Result {
	if len(m.results) == 0 {
		m.results = make([]Result, cutResults)
	}
	r := &m.results[0]
	m.results = m.results[1:]
	if m.Tx.IsVoid {
		r.Outcome, r.Why = Void, m.why
		return r
	}
	r.Outcome = Succeeded
	if m.Op.Failed {
		r.Outcome = Failed
	}
	r.GasUsed, r.GasPrice, r.L1Fee, r.Revert, r.Return = m.Op.GasUsed, m.Tx.GasPrice, m.Tx.L1Fee, m.failure, m.ret
	if n := len(m.logs); n > 0 {
		r.Logs = m.logs[:n:n]
		m.logRoom = m.logRoom[min(n, len(m.logRoom)):]
	}
	return r
}

// voidBeforeState reports why a transaction is void whatever its sender holds, and sets its prices.
func (m *Machine) voidBeforeState() error {
	t, b := &m.Tx, &m.Block
	if t.GasLimit == 0 { // so that in receipts "no gas used" means void
		return ErrNoGas
	}
	tip, ok := abi.EffectiveTip(&t.FeeCap, &t.TipCap, &b.BaseFee)
	if !ok {
		return fmt.Errorf("%w: %s wei per gas offered, base fee is %s", ErrFeeCap, t.FeeCap.Dec(), b.BaseFee.Dec())
	}
	if t.GasLimit > b.GasLimit || b.GasUsed > b.GasLimit-t.GasLimit {
		return fmt.Errorf("%w: limit %d, %d of %d used", ErrBlockGas, t.GasLimit, b.GasUsed, b.GasLimit)
	}
	t.GasPrice.Add(&b.BaseFee, &tip)
	t.L1Fee = gas.L1Fee(&b.L1Price, t.Size)
	return nil
}

// voidByAccount reports why the sender makes a transaction void, and sets the reserve.
func (m *Machine) voidByAccount(a *record.Account) error {
	t := &m.Tx
	if (a.Owner != common.Address{}) { // else a former owner could spend the agent's balance on fees
		return ErrDelegated
	}
	if a.Nonce != t.Nonce {
		return fmt.Errorf("%w: %d, account is at %d", ErrNonce, t.Nonce, a.Nonce)
	}
	reserve, overflow := new(uint256.Int).MulOverflow(uint256.NewInt(t.GasLimit), &t.GasPrice)
	if !overflow {
		_, overflow = reserve.AddOverflow(reserve, &t.L1Fee)
	}
	if overflow || a.Balance.Lt(reserve) {
		return fmt.Errorf("%w: %s wei needed, %s held", ErrFeeBalance, reserve.Dec(), a.Balance.Dec())
	}
	t.Reserve = *reserve
	return nil
}

func (m *Machine) void(why error) Step {
	m.why = why
	m.Tx.IsVoid = true
	m.Tx.GasPrice, m.Tx.L1Fee = uint256.Int{}, uint256.Int{}
	return Halt
}

// stepTxBegin reserves the fee, uses the nonce and takes the value; or finds the transaction void and changes nothing.
func stepTxBegin(m *Machine, s State) Step {
	k := record.AccountKey(m.Tx.From)
	a := account(m.get(s, k))
	if why := m.voidBeforeState(); why != nil {
		return m.void(why)
	}
	if why := m.voidByAccount(&a); why != nil {
		return m.void(why)
	}
	a.Nonce++
	a.Balance.Sub(&a.Balance, &m.Tx.Reserve)
	return m.takeValue(s, k, &a, m.discountOf(&a))
}

// discountOf is an account's discount on the class gas of an INVOKE, as long as it lasts.
func (m *Machine) discountOf(a *record.Account) uint16 {
	if a.DiscountUntil < m.Block.Time {
		return 0
	}
	return a.Discount
}

// takeValue takes the value from the sender and makes the registers ready. What it writes is not undone by a failure:
// txEnd settles it.
func (m *Machine) takeValue(s State, k record.Key, a *record.Account, discount uint16) Step {
	t := &m.Tx
	m.Op = frame.Op{From: t.From, Value: t.Value, GasLimit: t.GasLimit, Data: t.Data}
	m.senderRegisters(a, discount)
	held := a.Balance
	t.ValueTaken = !held.Lt(&t.Value)
	if t.ValueTaken {
		a.Balance.Sub(&held, &t.Value)
	} else {
		m.held = held
	}
	m.put(s, k, a.Encode())
	return Dispatch
}

// senderRegisters keeps what operations need of the account of the one who acts, so that they do not read it.
func (m *Machine) senderRegisters(a *record.Account, discount uint16) {
	m.Op.Stake, m.Op.Pending, m.Op.Registered, m.Op.Holds = a.Stake, a.PendingInvokes, a.Roles&RoleAgent != 0, a.Holds
	m.Op.Paced, m.Op.Discount, m.Op.Owner = a.Paced, discount, a.Owner
}

// forgetSender clears the registers of the sender's account, and who acts for it, once no later step needs them, so that witnesses do
// not carry them.
func (m *Machine) forgetSender() {
	m.Op.Stake.Clear()
	m.Op.Pending, m.Op.Registered, m.Op.Holds, m.Op.Actor = 0, false, 0, common.Address{}
}

// reject fails a transaction that names no operation that could run, at the price of a transfer.
func (m *Machine) reject(why abi.Revert) Step {
	if !m.use(m.Params.GasTransfer) {
		return m.outOfGas()
	}
	return m.fail(why)
}

// stepDispatch finds the operation that a transaction's target and data name.
func stepDispatch(m *Machine, s State) Step {
	t := &m.Tx
	if !t.ValueTaken {
		return m.reject(&abi.InsufficientBalance{BalanceWei: m.held, NeededWei: t.Value})
	}
	if t.Deposit && t.From == abi.L1AttributesDepositor && !t.Creation && t.To == abi.L1BlockAddress {
		return L1Attributes
	}
	if !m.use(gas.Calldata(&m.Params, len(m.data))) {
		return m.outOfGas()
	}
	switch {
	case m.Op.Owner != common.Address{}:
		return m.reject(&abi.AccountDelegated{Account: t.From})
	case t.Creation:
		return m.reject(&abi.ContractCreationUnsupported{})
	case t.To == abi.MessagePasserAddress:
		return m.dispatchMessage()
	case t.To == abi.Address:
		return m.dispatchOperation()
	case t.To == abi.IdentityRegistryAddress:
		return Registry
	case registryWrites[t.To] != nil:
		return m.dispatchRegistry()
	case len(m.data) > 0:
		return m.reject(&abi.NoCodeAtTarget{Target: t.To})
	}
	if !m.use(m.Params.GasTransfer) {
		return m.outOfGas()
	}
	return TransferCredit
}

func (m *Machine) dispatchOperation() Step {
	var selector [4]byte
	copy(selector[:], m.data)
	o, ok := operations[selector]
	if !ok || len(m.data) < len(selector) {
		return m.reject(&abi.UnknownOperation{Selector: selector})
	}
	if !o.payable && !m.Op.Value.IsZero() {
		return m.reject(&abi.ValueNotAccepted{})
	}
	args, err := o.decode(m.data[len(selector):])
	if err != nil {
		return m.reject(&abi.MalformedCalldata{})
	}
	m.args = args
	return o.first
}

// dispatchRegistry is for the registries whose writes are operations as they stand.
func (m *Machine) dispatchRegistry() Step {
	if !isRegistryWrite(m.Tx.To, m.data) {
		var selector [4]byte
		copy(selector[:], m.data)
		return m.reject(&abi.UnknownOperation{Selector: selector})
	}
	return m.dispatchOperation()
}

// stepTxEnd settles with the sender: gives back the unused reserve, and either what the operation left it or, if that
// failed, the value. If the sender has acted for an agent, what the operation left is the agent's: with that one it settles
// first, and then comes back.
func stepTxEnd(m *Machine, s State) Step {
	t, o := &m.Tx, &m.Op
	if o.From != t.From && !o.Failed && !o.Settled {
		k := record.AccountKey(o.From)
		a := account(m.get(s, k))
		m.settleActor(&a)
		m.put(s, k, a.Encode())
		o.Settled = true
		return TxEnd
	}
	k := record.AccountKey(t.From)
	a := account(m.get(s, k))
	if o.Failed {
		if t.ValueTaken {
			a.Balance.Add(&a.Balance, &t.Value)
		}
		o.Effect, o.Credit = 0, uint256.Int{}
	}
	if !o.Settled {
		m.settleActor(&a)
	}
	if !t.Deposit {
		var fee uint256.Int
		fee.Mul(uint256.NewInt(o.GasUsed), &t.GasPrice)
		fee.Add(&fee, &t.L1Fee)
		a.Balance.Add(&a.Balance, &t.Reserve)
		a.Balance.Sub(&a.Balance, &fee)
	}
	m.put(s, k, a.Encode())
	return TxBook
}

// settleActor does to the account of the one who acts what the operation has left to the end.
func (m *Machine) settleActor(a *record.Account) {
	o := &m.Op
	a.Balance.Add(&a.Balance, &o.Credit)
	if o.Effect&effectStakeValue != 0 {
		a.Stake.Add(&a.Stake, &o.Value)
	}
	if o.Effect&effectStakeOut != 0 {
		a.Balance.Add(&a.Balance, &a.Stake)
		a.Stake.Clear()
	}
	if o.Effect&effectEscrow != 0 {
		a.Escrowed.Add(&a.Escrowed, &o.Value)
		a.PendingInvokes++
		a.Paced = o.Paced
	}
	if o.Effect&effectDiscount != 0 {
		a.Discount, a.DiscountUntil = o.Discount, o.Pairs
	}
	if o.Effect&effectRegister != 0 {
		a.Roles |= RoleAgent
	}
	if o.Effect&effectUnregister != 0 {
		a.Roles &^= RoleAgent
	}
	if o.Effect&effectOwner != 0 {
		a.Owner = o.Owner
	}
}

// stepTxBook books the fee's parts and what the operation adds to the block's counters.
func stepTxBook(m *Machine, s State) Step {
	t, o, b, sums := &m.Tx, &m.Op, &m.Block, &m.Sums
	if t.Deposit {
		// Deposits never wait for block gas: the sum of them must not be able to make a block invalid.
		o.GasUsed = min(o.GasUsed, b.GasLimit-b.GasUsed)
	} else {
		used := uint256.NewInt(o.GasUsed)
		var base, tip uint256.Int
		base.Mul(used, &b.BaseFee)
		tip.Sub(tip.Mul(used, &t.GasPrice), &base)
		sums.BaseFees.Add(&sums.BaseFees, &base)
		sums.PriorityFees.Add(&sums.PriorityFees, &tip)
		sums.L1Fees.Add(&sums.L1Fees, &t.L1Fee)
	}
	b.GasUsed += o.GasUsed
	if o.Effect&effectRegister != 0 {
		sums.Agents++
	}
	if o.Effect&effectUnregister != 0 {
		sums.Agents--
	}
	if o.Effect&effectEscrow != 0 {
		sums.Interactions++
	}
	if o.Effect&effectSettle != 0 {
		sums.VolumeWei.Add(&sums.VolumeWei, &o.Credit)
	}
	if o.Effect&effectMessage != 0 {
		sums.MessageNonce++
		m.Messages = append(m.Messages, common.Hash(o.Message))
	}
	if o.Effect&effectBurn != 0 {
		sums.BurnedWei.Add(&sums.BurnedWei, new(uint256.Int).SetBytes32(o.Word[:]))
	}
	if o.Effect&effectChannel != 0 {
		sums.Channels++
	}
	return Halt
}

// stepTransferCredit ends a plain transfer.
func stepTransferCredit(m *Machine, s State) Step {
	k := record.AccountKey(m.Tx.To)
	old := m.get(s, k)
	a := account(old)
	a.Balance.Add(&a.Balance, &m.Op.Value)
	m.set(s, k, old, a.Encode())
	return TxEnd
}

// ApplyTraced is Apply that tells of every micro-step before it is taken.
func (m *Machine) ApplyTraced(s State, tx *abi.Transaction, observe func(Step)) *Result {
	m.load(tx)
	for next := first(tx.Deposit); next != Halt; {
		observe(next)
		next = m.step(s, next)
	}
	return m.Result()
}
