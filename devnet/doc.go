// Package devnet runs a complete AGNT2 rollup on one machine: L1, contracts, DA server, engine, node, batcher, proposer and a
// verifier that only reads L1. The command in devnet/cmd is a thin shell around it, and end-to-end tests use it from Go with
// a port shift and a directory of their own.
//
// Processes outlive the program that started them: each is in a session of its own and recorded with its pid and start time.
// The package must never signal a process that it did not start, never delete what it did not create, and never leave a
// half-started devnet behind. All keys are the publicly known ones of anvil: it must never face a network.
package devnet
