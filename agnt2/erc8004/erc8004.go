// Package erc8004 is the wire format of the standard's registries ("Trustless Agents"), which the engine answers natively: the
// bindings generated from IIdentityRegistry.sol. It never touches state.
package erc8004

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
)

//go:generate go run ../abi/gen -pkg erc8004 -out identity.go -schemas ../../packages/contracts-bedrock-fork/src/dispute/lib/IdentityRegistrySchemas.sol -lib IdentityRegistrySchemas ../../packages/contracts-bedrock-fork/out/IIdentityRegistry.sol/IIdentityRegistry.json

// WalletKey is the metadata key that the standard reserves for an agent's wallet.
const WalletKey = "agentWallet"

// AgentID is an agent's number.
func AgentID(agent common.Address) (id uint256.Int) {
	id.SetBytes(agent[:])
	return id
}

// Agent is the address of an agent's number; ok is false if it is none.
func Agent(id *uint256.Int) (agent common.Address, ok bool) {
	return id.Bytes20(), id.BitLen() <= 160
}
