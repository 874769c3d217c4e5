package vm

import (
	"errors"
	"fmt"

	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Reasons for which a transaction is void.
var (
	ErrNonce      = errors.New("wrong nonce")
	ErrFeeCap     = errors.New("maxFeePerGas is below the base fee")
	ErrBlockGas   = errors.New("not enough gas left in the block")
	ErrFeeBalance = errors.New("balance does not cover the fee")
	ErrNoGas      = errors.New("gas limit is 0: nothing could be charged")
)

// operation is one typed operation: how its calldata decodes and where its micro-steps start.
type operation struct {
	decode  func(b []byte) (any, error)
	payable bool
	first   step
}

func op[T any](decode func([]byte) (T, error), payable bool, first step) operation {
	return operation{func(b []byte) (any, error) {
		v, err := decode(b)
		return &v, err
	}, payable, first}
}

// operations by selector, for the AGNT2 address.
var operations = map[[4]byte]operation{
	abi.RegisterSelector:           op(abi.DecodeRegisterCall, true, registerAgent),
	abi.UpdateAgentSelector:        op(abi.DecodeUpdateAgentCall, false, updateAgent),
	abi.UpdateCapabilitiesSelector: op(abi.DecodeUpdateCapabilitiesCall, false, readOwnAgent),
	abi.TopUpStakeSelector:         op(abi.DecodeTopUpStakeCall, true, topUpStake),
	abi.DeregisterSelector:         op(abi.DecodeDeregisterCall, false, deregisterAgent),
	abi.WithdrawStakeSelector:      op(abi.DecodeWithdrawStakeCall, false, withdrawStake),
	abi.HeartbeatSelector:          op(abi.DecodeHeartbeatCall, false, heartbeat),
	abi.InvokeSelector:             op(abi.DecodeInvokeCall, true, invokeCallee),
	abi.RespondSelector:            op(abi.DecodeRespondCall, false, respondInteraction),
}

// Apply executes one transaction or deposit. Whether a deposit may stand there is the block's business.
func (m *Machine) Apply(s State, tx *abi.Transaction) *Result {
	m.tx, m.args, m.r = tx, nil, registers{}
	m.undo, m.logs = m.undo[:0], nil
	if tx.Deposit {
		m.run(s, depositBegin)
		// Deposits never wait for block gas: the sum of them must not be able to make a block invalid.
		m.r.gasUsed = min(m.r.gasUsed, m.Block.GasLimit-m.GasUsed)
		m.GasUsed += m.r.gasUsed
		return m.result()
	}
	m.run(s, txBegin)
	if m.r.void != nil {
		return &Result{Outcome: Void, Why: m.r.void}
	}
	m.GasUsed += m.r.gasUsed
	return m.result()
}

func (m *Machine) result() *Result {
	o := Succeeded
	if m.r.failure != nil {
		o = Failed
	}
	return &Result{
		Outcome: o, GasUsed: m.r.gasUsed, GasPrice: m.r.gasPrice, L1Fee: m.r.l1Fee, Revert: m.r.failure, Return: m.r.ret, Logs: m.logs,
	}
}

// voidBeforeState reports why a transaction is void whatever its sender holds, and sets the fee registers.
func (m *Machine) voidBeforeState() error {
	if m.tx.GasLimit == 0 { // so that in receipts "no gas used" means void
		return ErrNoGas
	}
	tip, ok := m.tx.EffectiveTip(&m.Block.BaseFee)
	if !ok {
		return fmt.Errorf("%w: %s wei per gas offered, base fee is %s", ErrFeeCap, m.tx.FeeCap.Dec(), m.Block.BaseFee.Dec())
	}
	if m.tx.GasLimit > m.Block.GasLimit || m.GasUsed > m.Block.GasLimit-m.tx.GasLimit {
		return fmt.Errorf("%w: limit %d, %d of %d used", ErrBlockGas, m.tx.GasLimit, m.GasUsed, m.Block.GasLimit)
	}
	m.r.gasPrice.Add(&m.Block.BaseFee, &tip)
	m.r.l1Fee = gas.L1DataFee(&m.L1, m.tx.Size)
	return nil
}

// voidByAccount reports why the sender makes a transaction void, and sets the reserve.
func (m *Machine) voidByAccount(a *record.Account) error {
	if a.Nonce != m.tx.Nonce {
		return fmt.Errorf("%w: %d, account is at %d", ErrNonce, m.tx.Nonce, a.Nonce)
	}
	reserve, overflow := new(uint256.Int).MulOverflow(uint256.NewInt(m.tx.GasLimit), &m.r.gasPrice)
	if !overflow {
		_, overflow = reserve.AddOverflow(reserve, &m.r.l1Fee)
	}
	if overflow || a.Balance.Lt(reserve) {
		return fmt.Errorf("%w: %s wei needed, %s held", ErrFeeBalance, reserve.Dec(), a.Balance.Dec())
	}
	m.r.reserve = *reserve
	return nil
}

// stepTxBegin reserves the fee, uses the nonce and takes the value; or finds the transaction void and changes nothing.
func stepTxBegin(m *Machine, s State) step {
	k := record.AccountKey(m.tx.From)
	m.r.senderKey = k
	a := account(m.get(s, k))
	if m.r.void = m.voidBeforeState(); m.r.void != nil {
		return halt
	}
	if m.r.void = m.voidByAccount(&a); m.r.void != nil {
		return halt
	}
	a.Nonce++
	a.Balance.Sub(&a.Balance, &m.r.reserve)
	return m.takeValue(s, k, &a)
}

// takeValue takes the value from the sender and dispatches. What it writes is not undone by fail; txEnd settles it.
func (m *Machine) takeValue(s State, k record.Key, a *record.Account) step {
	m.r.stake, m.r.pending, m.r.registered = a.Stake, a.PendingInvokes, a.Registered
	held := a.Balance
	m.r.valueTaken = !held.Lt(&m.tx.Value)
	if m.r.valueTaken {
		a.Balance.Sub(&held, &m.tx.Value)
	}
	s.Set(k, a.Encode())
	if !m.r.valueTaken {
		return m.reject(s, &abi.InsufficientBalance{BalanceWei: held, NeededWei: m.tx.Value})
	}
	return m.dispatch(s)
}

// reject fails a transaction that names no operation that could run, at the price of a transfer.
func (m *Machine) reject(s State, why abi.Revert) step {
	if !m.use(m.Params.GasTransfer) {
		return m.outOfGas(s)
	}
	return m.fail(s, why)
}

// dispatch finds the operation that a transaction's target and data name.
func (m *Machine) dispatch(s State) step {
	data := m.tx.Data
	if m.tx.Deposit && m.tx.From == abi.L1AttributesDepositor && m.tx.To != nil && *m.tx.To == abi.L1BlockAddress {
		return l1Attributes
	}
	if !m.use(gas.Calldata(&m.Params, len(data))) {
		return m.outOfGas(s)
	}
	switch {
	case m.tx.To == nil:
		return m.reject(s, &abi.ContractCreationUnsupported{})
	case *m.tx.To == abi.MessagePasserAddress:
		return m.dispatchMessage(s)
	case *m.tx.To == abi.Address:
		return m.dispatchOperation(s)
	case len(data) > 0:
		return m.reject(s, &abi.NoCodeAtTarget{Target: *m.tx.To})
	}
	if !m.use(m.Params.GasTransfer) {
		return m.outOfGas(s)
	}
	return transferCredit
}

func (m *Machine) dispatchOperation(s State) step {
	var selector [4]byte
	copy(selector[:], m.tx.Data)
	o, ok := operations[selector]
	if !ok || len(m.tx.Data) < len(selector) {
		return m.reject(s, &abi.UnknownOperation{Selector: selector})
	}
	if !o.payable && !m.tx.Value.IsZero() {
		return m.reject(s, &abi.ValueNotAccepted{})
	}
	args, err := o.decode(m.tx.Data[len(selector):])
	if err != nil {
		return m.reject(s, &abi.MalformedCalldata{})
	}
	m.args = args
	return o.first
}

// stepTxEnd settles with the sender: gives back the unused reserve, and either what the operation left it or, if that
// failed, the value.
func stepTxEnd(m *Machine, s State) step {
	r := &m.r
	k := m.r.senderKey
	a := account(m.get(s, k))
	if r.failure != nil {
		if r.valueTaken {
			a.Balance.Add(&a.Balance, &m.tx.Value)
		}
	} else {
		a.Balance.Add(&a.Balance, &r.credit)
		a.Stake.Add(&a.Stake, &r.stakeAdd)
		if r.stakeTake {
			a.Balance.Add(&a.Balance, &a.Stake)
			a.Stake.Clear()
		}
		a.Escrowed.Add(&a.Escrowed, &r.escrowAdd)
		a.PendingInvokes += r.pendingAdd
		switch r.setRegistered {
		case becomeRegistered:
			a.Registered = true
			m.Totals.Agents++
		case becomeUnregistered:
			a.Registered = false
			m.Totals.Agents--
		}
	}
	if !m.tx.Deposit {
		m.chargeFee(&a)
	}
	s.Set(k, a.Encode())
	return halt
}

// chargeFee returns the reserve less the fee and books the fee's parts.
func (m *Machine) chargeFee(a *record.Account) {
	r := &m.r
	used := uint256.NewInt(r.gasUsed)
	var base, tip, fee uint256.Int
	base.Mul(used, &m.Block.BaseFee)
	fee.Mul(used, &r.gasPrice)
	tip.Sub(&fee, &base)
	fee.Add(&fee, &r.l1Fee)
	a.Balance.Add(&a.Balance, &r.reserve)
	a.Balance.Sub(&a.Balance, &fee)
	m.BaseFees.Add(&m.BaseFees, &base)
	m.PriorityFees.Add(&m.PriorityFees, &tip)
	m.L1Fees.Add(&m.L1Fees, &r.l1Fee)
}

// stepTransferCredit ends a plain transfer.
func stepTransferCredit(m *Machine, s State) step {
	k := record.AccountKey(*m.tx.To)
	old := m.get(s, k)
	a := account(old)
	a.Balance.Add(&a.Balance, &m.tx.Value)
	m.set(s, k, old, a.Encode())
	return txEnd
}
