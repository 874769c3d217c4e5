// Package deployer puts the rollup's contracts on an L1 and writes the files that the roles start from: addresses.json,
// genesis.json, rollup.json and l1-chain-config.json.
//
// The OP contracts are the published artifacts of the contracts-bedrock package, each behind its proxy and initialised by
// its own initialiser; LayerRoot is ours and is the batch inbox that SystemConfig and rollup.json name.
//
// A deployment is a plan of named steps with fixed nonces, so every address is known before anything is sent. Each step is
// written to the state file before it is sent: a run that was interrupted at any point continues where it stopped, and a
// run over a finished deployment only verifies it. The package must never send a step twice under different nonces, and
// must never report success for an address without code.
package deployer
