package vm

import (
	"encoding/binary"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// stepDepositBegin mints and takes the value. A deposit has no nonce and pays no fee; whatever becomes of its operation,
// the mint stays (OP specs, "Deposits").
func stepDepositBegin(m *Machine, s State) Step {
	k := record.AccountKey(m.Tx.From)
	a := account(m.get(s, k))
	a.Balance.Add(&a.Balance, &m.Tx.Mint)
	return m.takeValue(s, k, &a, 0) // a deposit pays no fee
}

// stepL1Attributes stores what the L1-attributes deposit says and goes on to the sweeps, whose events land in its receipt.
func stepL1Attributes(m *Machine, s State) Step {
	l1, err := ParseL1Attributes(m.data)
	if err != nil { // only the first deposit is known to be well-formed
		return m.reject(&abi.MalformedCalldata{})
	}
	m.L1 = *l1
	m.Block.L1Price = gas.L1Price(l1)
	m.put(s, record.L1InfoKey, l1.Encode())
	m.Op.Data = common.Hash{} // no sweep reads the calldata
	return SweepNext
}

// ParseL1Attributes reads the calldata of setL1BlockValuesIsthmus (OP specs, "L1 attributes", Isthmus).
func ParseL1Attributes(b []byte) (*record.L1Info, error) {
	if len(b) != abi.L1AttributesDataLength || [4]byte(b[:4]) != abi.L1AttributesSelector {
		return nil, fmt.Errorf("not the data of an Isthmus L1-attributes deposit: %d bytes", len(b))
	}
	l1 := &record.L1Info{
		BaseFeeScalar:       binary.BigEndian.Uint32(b[4:]),
		BlobBaseFeeScalar:   binary.BigEndian.Uint32(b[8:]),
		SequenceNumber:      binary.BigEndian.Uint64(b[12:]),
		Timestamp:           binary.BigEndian.Uint64(b[20:]),
		Number:              binary.BigEndian.Uint64(b[28:]),
		BlockHash:           [32]byte(b[100:132]),
		BatcherHash:         [32]byte(b[132:164]),
		OperatorFeeScalar:   binary.BigEndian.Uint32(b[164:]),
		OperatorFeeConstant: binary.BigEndian.Uint64(b[168:]),
	}
	l1.BaseFee.SetBytes32(b[36:68])
	l1.BlobBaseFee.SetBytes32(b[68:100])
	return l1, nil
}
