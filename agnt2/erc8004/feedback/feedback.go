// Package feedback is the wire format of ERC-8004's Reputation registry: the bindings generated from IReputationRegistry.sol. Its
// writes are operations of package abi. It never touches state.
package feedback

//go:generate go run ../../abi/gen -pkg feedback -out registry.go ../../../packages/contracts-bedrock-fork/out/IReputationRegistry.sol/IReputationRegistry.json
