package deployer

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
)

// resolverName is the contract that ends COMPUTATIONAL disputes with the outcome of their games. Unless the intent's policy names
// another, it is the L2's Policy.disputeResolver.
const resolverName = "DisputeResolver"

var aliasOffset = new(big.Int).SetBytes(common.FromHex("0x1111000000000000000000000000000000001111"))

// Aliased is the sender, on L2, of what an L1 contract deposits (OP specs, "Address aliasing").
func Aliased(contract common.Address) common.Address {
	sum := new(big.Int).Add(new(big.Int).SetBytes(contract[:]), aliasOffset)
	return common.BigToAddress(sum) // its low 20 bytes
}
