// Package abi is the wire format of AGNT2's typed operations: the bindings generated from IAGNT2.sol, and the codec of
// the transaction envelope that carries them (an ordinary EIP-1559 transaction to Address).
//
// It never touches state. Sources: AGNT2 paper App. A.1, EIP-1559, EIP-2718, the Solidity ABI specification.
package abi

import "github.com/ethereum/go-ethereum/common"

//go:generate go run ./gen -pkg abi -out iagnt2.go -schemas ../../packages/contracts-bedrock-fork/src/dispute/lib/OperationSchemas.sol -lib OperationSchemas ../../packages/contracts-bedrock-fork/out/IAGNT2.sol/IAGNT2.json

var (
	// Address answers every typed operation.
	Address = common.HexToAddress("0x42000000000000000000000000000000000A6E72")

	// IdentityRegistryAddress answers as ERC-8004's Identity registry.
	IdentityRegistryAddress = common.HexToAddress("0x4200000000000000000000000000000000008004")

	// ReputationRegistryAddress and ValidationRegistryAddress answer as its other two.
	ReputationRegistryAddress = common.HexToAddress("0x4200000000000000000000000000000000008005")
	ValidationRegistryAddress = common.HexToAddress("0x4200000000000000000000000000000000008006")

	// Predeploys of the OP Stack that the engine answers natively (OP specs, "Predeploys").
	L1BlockAddress         = common.HexToAddress("0x4200000000000000000000000000000000000015")
	MessagePasserAddress   = common.HexToAddress("0x4200000000000000000000000000000000000016")
	GasPriceOracleAddress  = common.HexToAddress("0x420000000000000000000000000000000000000F")
	SequencerFeeVault      = common.HexToAddress("0x4200000000000000000000000000000000000011")
	BaseFeeVault           = common.HexToAddress("0x4200000000000000000000000000000000000019")
	L1FeeVault             = common.HexToAddress("0x420000000000000000000000000000000000001A")
	L1AttributesDepositor  = common.HexToAddress("0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001")
	L1AttributesSelector   = [4]byte{0x09, 0x89, 0x99, 0xbe} // setL1BlockValuesIsthmus()
	L1AttributesDataLength = 176
)
