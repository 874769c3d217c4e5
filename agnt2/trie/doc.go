// Package trie is the Merkle structure over the interaction trie's records (paper, App. D): it turns a set of
// (key, record hash) pairs into one root, keeps that root current under large batches of changes, and produces and
// checks proofs about it.
//
// The tree is a binary trie over 32-byte keys, read most significant bit first:
//
//	leaf  = keccak256(0x00 ‖ key ‖ keccak256(record))
//	inner = keccak256(0x01 ‖ left ‖ right)
//	empty = 32 zero bytes
//
// A subtree with exactly one leaf is that leaf's hash, whatever its depth; a subtree with two leaves or more is an inner
// node, also where one of its sides is empty. The root is therefore a function of the set alone: the order of inserts
// and deletes leaves no trace. The tags keep a node's preimage from passing as a leaf.
//
// The package does no I/O and keeps no record bytes; the state store owns both. It must never let a root depend on
// anything but the set: not on batch boundaries, number of workers, or map order.
//
// Three parts stand apart. The arena (trie.go, root.go, build.go, query.go) is the fast in-memory form. The provers
// (prove.go) read it. The verifiers (verify.go) know nothing of the arena; the on-chain verifier mirrors them line by
// line, and testdata/vectors.json pins both.
package trie
