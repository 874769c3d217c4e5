package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
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

func (m *Machine) dispatchMessage(s State) step {
	data := m.tx.Data
	if len(data) == 0 { // receive()
		m.args = &message{target: m.tx.From, gasLimit: *uint256.NewInt(receiveGasLimit)}
	} else {
		var selector [4]byte
		copy(selector[:], data)
		if selector != initiateWithdrawalSelector {
			return m.reject(s, &abi.UnknownOperation{Selector: selector})
		}
		msg, err := decodeMessage(data[4:])
		if err != nil {
			return m.reject(s, &abi.MalformedCalldata{})
		}
		m.args = msg
	}
	if !m.use(m.Params.GasWithdrawal) {
		return m.outOfGas(s)
	}
	return sendMessage
}

// stepSendMessage touches no record: nonce and message list are registers, the passer's trie is the header's.
func stepSendMessage(m *Machine, s State) step {
	a := m.args.(*message)
	if len(a.data) > maxMessageDataSize {
		return m.fail(s, outOfRange("data"))
	}
	msg := withdrawal.Message{
		Nonce: m.Totals.MessageNonce, Sender: m.tx.From, Target: a.target, Value: m.tx.Value, GasLimit: a.gasLimit, Data: a.data,
	}
	hash := msg.Hash()
	nonce := msg.EncodedNonce()
	b := make([]byte, 5*32+codec.Padded(len(a.data)))
	codec.PutUint256(b[0:], &msg.Value)
	codec.PutUint256(b[32:], &msg.GasLimit)
	codec.PutUint64(b[64:], 4*32)
	copy(b[96:], hash[:])
	codec.PutBytes(b[128:], a.data)
	m.emit(&types.Log{
		Address: abi.MessagePasserAddress,
		Topics:  []common.Hash{messagePassedTopic, nonce.Bytes32(), common.BytesToHash(msg.Sender[:]), common.BytesToHash(a.target[:])},
		Data:    b,
	})
	m.Totals.MessageNonce++
	m.Messages = append(m.Messages, hash)
	return txEnd
}
