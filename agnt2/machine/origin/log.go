package origin

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

const (
	// logHeadBytes is what a LOG step reads of a log: an upper bound of all that stands before a log's data (header 5,
	// address 21, four topics 134, header 5) and one byte of the data.
	logHeadBytes = 168

	// MaxDepositData is the most data that a TransactionDeposited log of the portal can have: 120,000 bytes of calldata and
	// 73 bytes before it, padded, behind an offset and a length.
	MaxDepositData = 64 + (73+120_000+31)/32*32

	maxTopics = 4
)

var (
	depositTopic = crypto.Keccak256Hash([]byte("TransactionDeposited(address,address,uint256,bytes)"))
	configTopic  = crypto.Keccak256Hash([]byte("ConfigUpdate(uint256,uint8,bytes)"))
)

// logHead is a log without its data.
type logHead struct {
	address common.Address
	topics  [maxTopics]common.Hash
	count   int  // of topics
	data    item // place of the data; its end is the end of the log
}

// readLog reads the head of the log at b[0:], which ends at limit or before.
func readLog(b []byte, limit uint64) (l logHead, err error) {
	list, err := readList(b, 0, limit)
	if err != nil {
		return l, err
	}
	address, at, err := readFixed(b, list.start, list.end, common.AddressLength)
	if err != nil {
		return l, err
	}
	copy(l.address[:], address)
	topics, err := readList(b, at, list.end)
	if err != nil {
		return l, err
	}
	for at = topics.start; at < topics.end; l.count++ {
		if l.count == maxTopics {
			return l, fmt.Errorf("%w: log with more than %d topics", ErrMalformedRLP, maxTopics)
		}
		var topic []byte
		if topic, at, err = readFixed(b, at, topics.end, common.HashLength); err != nil {
			return l, err
		}
		copy(l.topics[l.count][:], topic)
	}
	if l.data, err = readString(b, topics.end, list.end); err != nil {
		return l, err
	}
	if l.data.end != list.end {
		return l, fmt.Errorf("%w: bytes behind a log's data", ErrMalformedRLP)
	}
	return l, nil
}

// next returns the step that the log needs.
func (l *logHead) next(env *Env) Kind {
	size := l.data.end - l.data.start
	switch {
	case l.address == env.Portal && l.count == 4 && l.topics[0] == depositTopic && size <= MaxDepositData:
		return Deposit
	case l.address == env.SystemConfig && l.count == 3 && l.topics[0] == configTopic && (size == 96 || size == 128):
		return Config // an update with data of another size is malformed, or one that derivation ignores
	default:
		return Log
	}
}

// word returns the 32-byte number at b[at:] and whether it fits 64 bits.
func word(b []byte, at int) (uint64, bool) {
	w := [32]byte(b[at:])
	return binary.BigEndian.Uint64(w[24:]), [24]byte(w[:24]) == [24]byte{}
}

// depositHash returns the hash of the deposit transaction that a TransactionDeposited log stands for, and false for a
// malformed log. data is the log's data, logIndex its index in the L1 block.
func depositHash(l *logHead, data []byte, l1BlockHash common.Hash, logIndex uint64) (common.Hash, bool) {
	if l.topics[3] != (common.Hash{}) || len(data) < 64 || len(data)%32 != 0 { // version 0 is the only one
		return common.Hash{}, false
	}
	offset, ok := word(data, 0)
	if !ok || offset != 32 {
		return common.Hash{}, false
	}
	room := uint64(len(data) - 64)
	size, ok := word(data, 32)
	if !ok || size > room || size+32 <= room || size < 73 { // padded to 32 bytes, not more
		return common.Hash{}, false
	}
	opaque := data[64 : 64+size] // mint 32, value 32, gas 8, creation 1, calldata

	index := common.Hash{}
	binary.BigEndian.PutUint64(index[24:], logIndex)
	// Domain 0: user deposit.
	source := crypto.Keccak256(make([]byte, 32), crypto.Keccak256(l1BlockHash[:], index[:]))

	fields := make([]byte, 0, 200+len(opaque))
	fields = appendString(fields, source)
	fields = appendString(fields, l.topics[1][12:])
	if opaque[72] == 0 {
		fields = appendString(fields, l.topics[2][12:])
	} else {
		fields = appendString(fields, nil) // creates a contract
	}
	fields = appendUint(fields, opaque[:32]) // no mint is written as zero
	fields = appendUint(fields, opaque[32:64])
	fields = appendUint(fields, opaque[64:72])
	fields = appendString(fields, nil) // not a system transaction
	fields = appendString(fields, opaque[73:])
	return crypto.Keccak256Hash(appendHeader([]byte{types.DepositTxType}, 0xc0, len(fields)), fields), true
}

// update applies a ConfigUpdate log's data as derivation does after Ecotone. Malformed, invalid and unknown updates change
// nothing. The SystemConfig that AGNT2 deploys emits types 0 to 3, of which 3 (the unsafe block's signer) is not derivation's.
func (s *State) update(l *logHead, data []byte) {
	if l.topics[1] != (common.Hash{}) { // version
		return
	}
	offset, ok := word(data, 0)
	size, ok2 := word(data, 32)
	if !ok || !ok2 || offset != 32 || size != uint64(len(data)-64) {
		return
	}
	switch l.topics[2] {
	case common.Hash{31: 0}: // batcher
		if len(data) == 96 && [12]byte(data[64:]) == [12]byte{} {
			s.BatcherHash = common.Hash(data[64:])
		}
	case common.Hash{31: 1}: // fee scalars: the overhead is not used, the scalar has a version in its first byte
		if len(data) != 128 {
			return
		}
		scalar := data[96:]
		blob, base := binary.BigEndian.Uint32(scalar[24:]), binary.BigEndian.Uint32(scalar[28:])
		padded := [23]byte(scalar[1:]) == [23]byte{}
		switch {
		case scalar[0] == 0 && padded && blob == 0, scalar[0] == 1 && padded:
			s.BlobBaseFeeScalar, s.BaseFeeScalar = blob, base
		}
	case common.Hash{31: 2}: // gas limit
		if limit, ok := word(data, 64); len(data) == 96 && ok {
			s.GasLimit = limit
		}
	}
}
