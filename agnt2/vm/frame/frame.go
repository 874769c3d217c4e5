// Package frame declares the frames of the proof machine: everything that a micro-step can see and change beside one
// record of the trie. The layout is generated from IFrames.sol, so that Go and Solidity share it; what the fields mean is
// written there and in docs/spec/machine.md. This package knows no rules.
package frame

//go:generate go run ../../abi/gen -records -pkg frame -out frames.go -packed packed.go -unpack ../../../packages/contracts-bedrock-fork/src/dispute/lib/UnpackFrames.sol -lib UnpackFrames -import IFrames=../IFrames.sol ../../../packages/contracts-bedrock-fork/out/IFrames.sol/IFrames.json
