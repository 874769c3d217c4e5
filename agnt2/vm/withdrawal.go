package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// The L2ToL1MessagePasser of OP's contracts, answered natively. The value of a message leaves the L2: it is burned here
// and paid by OptimismPortal2 when the withdrawal is finalised.

var (
	initiateWithdrawalSelector = [4]byte(crypto.Keccak256([]byte("initiateWithdrawal(address,uint256,bytes)"))[:4])
	messagePassedTopic         = crypto.Keccak256Hash([]byte("MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)"))
)

// message is the argument of initiateWithdrawal.
type message struct {
	target   common.Address
	gasLimit uint256.Int
	data     []byte
}

func decodeMessage(b []byte) (*message, error) {
	const heads = 3 * 32
	target, err := codec.GetAddress(b, 0)
	if err != nil {
		return nil, err
	}
	limit, err := codec.GetUint256(b, 32, 256)
	if err != nil {
		return nil, err
	}
	if err := codec.GetOffset(b, 64, heads); err != nil {
		return nil, err
	}
	data, n, err := codec.GetBytes(b[heads:])
	if err != nil {
		return nil, err
	}
	return &message{target, limit, data}, codec.Whole(b, heads+n)
}

// messageOf reads the arguments of a message; receive() sends one to the sender itself.
func messageOf(from common.Address, data []byte) (*message, abi.Revert) {
	if len(data) == 0 {
		return &message{target: from, gasLimit: *uint256.NewInt(receiveGasLimit)}, nil
	}
	var selector [4]byte
	copy(selector[:], data)
	if selector != initiateWithdrawalSelector {
		return nil, &abi.UnknownOperation{Selector: selector}
	}
	msg, err := decodeMessage(data[4:])
	if err != nil {
		return nil, &abi.MalformedCalldata{}
	}
	return msg, nil
}

func (m *Machine) dispatchMessage() Step {
	msg, why := messageOf(m.Op.From, m.data)
	if why != nil {
		return m.reject(why)
	}
	m.args = msg
	if !m.use(m.Params.GasWithdrawal) {
		return m.outOfGas()
	}
	return SendMessage
}

// stepSendMessage touches no record: the nonce is a sum of the block's, the passer's trie is the header's.
func stepSendMessage(m *Machine, _ State) Step {
	a := m.args.(*message)
	if len(a.data) > maxMessageDataSize {
		return m.fail(outOfRange("data"))
	}
	msg := withdrawal.Message{
		Nonce: m.Sums.MessageNonce, Sender: m.Op.From, Target: a.target, Value: m.Op.Value, GasLimit: a.gasLimit, Data: a.data,
	}
	m.emitMessage(&msg)
	return TxEnd
}
