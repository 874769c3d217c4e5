// Package validation is the wire format of ERC-8004's Validation registry: the bindings generated from IValidationRegistry.sol. Its
// writes are operations of package abi. It never touches state.
package validation

//go:generate go run ../../abi/gen -pkg validation -out registry.go ../../../packages/contracts-bedrock-fork/out/IValidationRegistry.sol/IValidationRegistry.json
