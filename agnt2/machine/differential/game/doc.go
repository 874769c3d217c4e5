// Package game tests the property that the fault proofs exist for: over AGNT2StepVerifier, in the bytecode of OP's published
// dispute game (version 1.2.0), the honest player always wins. World, machine, verifier and game are the real ones; only L1's
// consensus is missing. The honest player is op-challenger's solver over op-challenger's output provider and machine.Trace.
//
// The package has tests only. Every random choice comes from a seed, which is part of the test's name.
package game
