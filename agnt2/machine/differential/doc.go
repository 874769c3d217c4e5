// Package differential holds the tests that compare the Go side of the fault proof with its Solidity side, on the bytecode
// that is deployed, run in go-ethereum's EVM: the packed form of structs, the trie's proofs, the check for canonical
// ABI encoding, every micro-step of execution and of the machine around it, and the verifier. It has no code of its own, and it
// must never be imported. Package game plays whole dispute games.
//
// A difference between the two sides is a consensus failure: an honest challenger loses a game, or a dishonest one wins.
package differential
