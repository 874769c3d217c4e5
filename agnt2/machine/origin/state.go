package origin

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// Kind is a micro-step of the phase.
type Kind uint8

// Micro-steps; the numbers are those of OriginSteps.sol.
const (
	Open    Kind = iota // find receipt ReceiptIndex and read its head
	Log                 // read the head of the log at Cursor
	Deposit             // derive the deposit from the log at Cursor
	Config              // apply the update in the log at Cursor
	Reverse             // move a deposit from the stack to the queue
	Done                // the phase is over

	// Kinds is the number of micro-steps.
	Kinds = int(Done) + 1
)

func (k Kind) String() string {
	if names := [...]string{"OPEN", "LOG", "DEPOSIT", "CONFIG", "REVERSE", "DONE"}; int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("origin step %d", uint8(k))
}

// State is the machine's state within the phase, struct OriginState of IOrigin.sol. Offsets count bytes of the leaf of the
// receipts trie that is being read.
type State struct {
	// Input.
	L1BlockHash  common.Hash
	ReceiptsRoot common.Hash

	// System configuration, changed by the block's updates.
	BatcherHash       common.Hash
	BaseFeeScalar     uint32
	BlobBaseFeeScalar uint32
	GasLimit          uint64

	// Position in the block.
	ReceiptIndex uint64
	LogIndex     uint64 // of the next log, in the block

	// Position in the receipt; zero in OPEN and later.
	LeafRoot   common.Hash // chunk tree of the leaf
	LeafLength uint64      // bytes
	Cursor     uint64      // start of the next log
	LogEnd     uint64      // its end; only in DEPOSIT and CONFIG
	LogsEnd    uint64      // end of the last log

	// Output: h' = keccak256(h ‖ hash of the deposit transaction), from zero.
	Deposits     common.Hash // stack, the last deposit on top
	DepositCount uint64
	Queue        common.Hash // the same, the first deposit on top
	QueueCount   uint64
}

// StateBytes is the length of an encoded State.
const StateBytes = 17 * 32

// ErrMalformedState reports an encoding that is not that of a State.
var ErrMalformedState = errors.New("origin: malformed state")

// Encode is Solidity's abi.encode of the struct.
func (s *State) Encode() []byte {
	b := make([]byte, 0, StateBytes)
	hash := func(h common.Hash) { b = append(b, h[:]...) }
	number := func(n uint64) { b = binary.BigEndian.AppendUint64(append(b, make([]byte, 24)...), n) }
	hash(s.L1BlockHash)
	hash(s.ReceiptsRoot)
	hash(s.BatcherHash)
	number(uint64(s.BaseFeeScalar))
	number(uint64(s.BlobBaseFeeScalar))
	number(s.GasLimit)
	number(s.ReceiptIndex)
	number(s.LogIndex)
	hash(s.LeafRoot)
	number(s.LeafLength)
	number(s.Cursor)
	number(s.LogEnd)
	number(s.LogsEnd)
	hash(s.Deposits)
	number(s.DepositCount)
	hash(s.Queue)
	number(s.QueueCount)
	return b
}

// Decode is the inverse of Encode.
func Decode(b []byte) (s State, err error) {
	if len(b) != StateBytes {
		return State{}, fmt.Errorf("%w: %d bytes", ErrMalformedState, len(b))
	}
	hash := func() (h common.Hash) {
		copy(h[:], b)
		b = b[32:]
		return h
	}
	number := func(bits int) uint64 {
		w := hash()
		n := binary.BigEndian.Uint64(w[24:])
		if [24]byte(w[:24]) != ([24]byte{}) || n>>(bits-1)>>1 != 0 {
			err = fmt.Errorf("%w: 0x%x is wider than %d bits", ErrMalformedState, w, bits)
		}
		return n
	}
	s.L1BlockHash = hash()
	s.ReceiptsRoot = hash()
	s.BatcherHash = hash()
	s.BaseFeeScalar = uint32(number(32))
	s.BlobBaseFeeScalar = uint32(number(32))
	s.GasLimit = number(64)
	s.ReceiptIndex = number(64)
	s.LogIndex = number(64)
	s.LeafRoot = hash()
	s.LeafLength = number(64)
	s.Cursor = number(64)
	s.LogEnd = number(64)
	s.LogsEnd = number(64)
	s.Deposits = hash()
	s.DepositCount = number(64)
	s.Queue = hash()
	s.QueueCount = number(64)
	if err != nil {
		return State{}, err
	}
	return s, nil
}

// Hash is the commitment to the state.
func (s *State) Hash() common.Hash { return crypto.Keccak256Hash(s.Encode()) }

// push returns the stack or queue with one more deposit on top.
func push(h, deposit common.Hash) common.Hash { return crypto.Keccak256Hash(h[:], deposit[:]) }
