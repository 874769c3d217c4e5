package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/bounds"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// Governance (paper App. C.4): deposits of one L1 address replace the parameters, and what the fee vaults hold goes to L1. A
// block reads its parameters before its first transaction, so a change counts from the next one on.

const (
	SetParamsArgs Step = 120 + iota
	WriteParams
	SetPolicyArgs
	WritePolicy
	WithdrawFeesArgs
	WithdrawVault
	SendFees
)

const governFrames = OpensBlock | OpensTx | OpensOp | OpensParams | OpensPolicy | OpensData

var governanceProgram = map[Step]instruction{
	SetParamsArgs:    {"setParamsArgs", governFrames, 0, stepSetParamsArgs},
	WriteParams:      {"writeParams", OpensOp | OpensData, 0, stepWriteParams},
	SetPolicyArgs:    {"setPolicyArgs", governFrames, 0, stepSetPolicyArgs},
	WritePolicy:      {"writePolicy", OpensOp | OpensData, 0, stepWritePolicy},
	WithdrawFeesArgs: {"withdrawFeesArgs", OpensBlock | OpensOp | OpensParams | OpensPolicy | OpensData, 0, stepWithdrawFeesArgs},
	WithdrawVault:    {"withdrawVault", OpensOp, 0, stepWithdrawVault},
	SendFees:         {"sendFees", OpensBlock | OpensSums | OpensOp | OpensPolicy, 0, stepSendFees},
}

var governanceOperations = map[[4]byte]operation{
	abi.SetParamsSelector:    op(abi.DecodeSetParamsCall, false, SetParamsArgs),
	abi.SetPolicySelector:    op(abi.DecodeSetPolicyCall, false, SetPolicyArgs),
	abi.WithdrawFeesSelector: op(abi.DecodeWithdrawFeesCall, false, WithdrawFeesArgs),
}

// deposited says whether the transaction is a deposit of an address, which is not nobody.
func (m *Machine) deposited(by common.Address) bool {
	return m.Tx.Deposit && m.Op.From == by && by != common.Address{}
}

// governed charges gas and checks who asks; nil means that the operation may go on.
func (m *Machine) governed() *Step {
	var next Step
	switch {
	case !m.use(gas.AgentOperation(&m.Params, 0)):
		next = m.outOfGas()
	case !m.deposited(m.Policy.Governance):
		next = m.fail(&abi.NotGovernance{Sender: m.Op.From})
	default:
		return nil
	}
	return &next
}

func stepSetParamsArgs(m *Machine, _ State) Step {
	if end := m.governed(); end != nil {
		return *end
	}
	p := record.Params(m.args.(*abi.SetParamsCall).Params)
	if field := bounds.Params(&p); field != "" {
		return m.fail(outOfRange(field))
	}
	return WriteParams
}

func stepWriteParams(m *Machine, s State) Step {
	c := m.args.(*abi.SetParamsCall)
	p := record.Params(c.Params)
	m.set(s, record.ParamsKey, m.get(s, record.ParamsKey), p.Encode())
	m.emit((&abi.ParamsChangedEvent{Params: c.Params}).Log(abi.Address))
	return TxEnd
}

func stepSetPolicyArgs(m *Machine, _ State) Step {
	if end := m.governed(); end != nil {
		return *end
	}
	p := record.Policy(m.args.(*abi.SetPolicyCall).Policy)
	if field := bounds.Policy(&p); field != "" {
		return m.fail(outOfRange(field))
	}
	return WritePolicy
}

func stepWritePolicy(m *Machine, s State) Step {
	c := m.args.(*abi.SetPolicyCall)
	p := record.Policy(c.Policy)
	m.set(s, record.PolicyKey, m.get(s, record.PolicyKey), p.Encode())
	m.emit((&abi.PolicyChangedEvent{Policy: c.Policy}).Log(abi.Address))
	return TxEnd
}

// stepWithdrawFeesArgs keeps the vault as the operation's id.
func stepWithdrawFeesArgs(m *Machine, _ State) Step {
	vault := m.args.(*abi.WithdrawFeesCall).Vault
	if !m.use(m.Params.GasWithdrawal) {
		return m.outOfGas()
	}
	switch vault {
	case abi.BaseFeeVault, abi.SequencerFeeVault, abi.L1FeeVault:
	default:
		return m.fail(outOfRange("vault"))
	}
	if m.Policy.FeeRecipient == (common.Address{}) {
		return m.fail(&abi.FeeRecipientUnset{})
	}
	m.Op.Id = common.BytesToHash(vault[:])
	return WithdrawVault
}

// stepWithdrawVault empties the vault.
func stepWithdrawVault(m *Machine, s State) Step {
	vault := common.BytesToAddress(m.Op.Id[:])
	k := record.AccountKey(vault)
	old := m.get(s, k)
	a := account(old)
	if a.Balance.IsZero() {
		return m.fail(&abi.NothingToWithdraw{Agent: vault})
	}
	m.Op.Word = a.Balance.Bytes32()
	a.Balance.Clear()
	m.set(s, k, old, a.Encode())
	return SendFees
}

// stepSendFees sends the message that OP's fee vaults send: value without data, from the vault.
func stepSendFees(m *Machine, _ State) Step {
	vault := common.BytesToAddress(m.Op.Id[:])
	msg := withdrawal.Message{Nonce: m.Sums.MessageNonce, Sender: vault, Target: m.Policy.FeeRecipient, GasLimit: *uint256.NewInt(feesGasLimit)}
	msg.Value.SetBytes32(m.Op.Word[:])
	m.emitMessage(&msg)
	m.emit((&abi.FeesWithdrawnEvent{Vault: vault, Recipient: msg.Target, AmountWei: msg.Value}).Log(abi.Address))
	return TxEnd
}

// emitMessage emits MessagePassed and keeps the message's hash for the message passer's trie.
func (m *Machine) emitMessage(msg *withdrawal.Message) {
	hash, nonce := msg.Hash(), msg.EncodedNonce()
	b := make([]byte, 5*32+codec.Padded(len(msg.Data)))
	codec.PutUint256(b[0:], &msg.Value)
	codec.PutUint256(b[32:], &msg.GasLimit)
	codec.PutUint64(b[64:], 4*32)
	copy(b[96:], hash[:])
	codec.PutBytes(b[128:], msg.Data)
	m.emit(&types.Log{
		Address: abi.MessagePasserAddress,
		Topics:  []common.Hash{messagePassedTopic, nonce.Bytes32(), common.BytesToHash(msg.Sender[:]), common.BytesToHash(msg.Target[:])},
		Data:    b,
	})
	m.Op.Message = hash
	m.Op.Effect |= effectMessage
}
