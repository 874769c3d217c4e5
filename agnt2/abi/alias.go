package abi

import (
	"math/big"

	"github.com/ethereum/go-ethereum/common"
)

var aliasOffset = common.HexToAddress("0x1111000000000000000000000000000000001111").Big()

// Alias is the sender of what a contract of L1 deposits (OP specs, "Address Aliasing"); an account without code keeps its address.
func Alias(contract common.Address) common.Address {
	return common.BigToAddress(new(big.Int).Add(contract.Big(), aliasOffset))
}
