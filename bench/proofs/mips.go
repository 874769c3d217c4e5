package proofs

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/internal/solidity"
)

// mipsDepth is the depth of the MIPS machine's memory tree: leaves of 32 bytes under 32-bit addresses.
const mipsDepth = 27

// mipsInstructions are one that reads memory once (its own word) and one that reads and writes a second place.
var mipsInstructions = []struct {
	name string
	word uint32
	data bool // a second proof, at address 0x100
}{
	{"OP MIPS addiu", 0x24080001, false},
	{"OP MIPS sw", 0xac080100, true},
}

// mips measures single instructions of OP's MIPS contract on an otherwise empty memory; paths have the same length whatever
// the memory holds.
func mips() (rows []Row, err error) {
	evm := solidity.New()
	oracle, err := evm.Deploy("PreimageOracle", big.NewInt(126_000), big.NewInt(86_400))
	if err != nil {
		return nil, err
	}
	c, err := evm.Deploy("MIPS", oracle.Address)
	if err != nil {
		return nil, err
	}
	for _, i := range mipsInstructions {
		var zeros [mipsDepth + 1]common.Hash
		for d := range mipsDepth {
			zeros[d+1] = crypto.Keccak256Hash(zeros[d][:], zeros[d][:])
		}
		var leaf common.Hash
		binary.BigEndian.PutUint32(leaf[:], i.word)
		path := func(leaf common.Hash, siblings func(level int) common.Hash) []byte {
			proof := leaf[:]
			for d := range mipsDepth {
				s := siblings(d)
				proof = append(proof[:len(proof):len(proof)], s[:]...)
			}
			return proof
		}
		node := func(level int) common.Hash { // the leftmost one
			h := leaf
			for d := range level {
				h = crypto.Keccak256Hash(h[:], zeros[d][:])
			}
			return h
		}
		proof := path(leaf, func(d int) common.Hash { return zeros[d] })
		if i.data {
			const at = 0x100 / 32 // bit 3: beside the node of the first eight leaves
			proof = append(proof, path(common.Hash{}, func(d int) common.Hash {
				if at>>d == 1 {
					return node(d)
				}
				return zeros[d]
			})...)
		}
		state := node(mipsDepth).Bytes()             // memory root
		state = append(state, make([]byte, 32+4)...) // preimage key and offset
		state = append(state, 0, 0, 0, 0)            // pc
		state = append(state, 0, 0, 0, 4)            // next pc
		state = append(state, make([]byte, 226-len(state))...)
		_, gas, err := evm.Call(c, "step", state, proof, common.Hash{})
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{i.name, []Cost{{Gas: gas, Witness: uint64(len(state) + len(proof)), Steps: 1}}})
	}
	return rows, nil
}
