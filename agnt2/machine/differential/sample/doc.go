// Package sample is generated from structs of every shape that has a packed form, for the test of the generator: records and
// frames use few of them. Only tests import it.
package sample

//go:generate go run ../../../abi/gen -records -pkg sample -out sample.go -packed packed.go -unpack ../../../../packages/contracts-bedrock-fork/test/harness/UnpackSample.sol -lib UnpackSample -import IUnpackSample=./IUnpackSample.sol ../../../../packages/contracts-bedrock-fork/out/IUnpackSample.sol/IUnpackSample.json
