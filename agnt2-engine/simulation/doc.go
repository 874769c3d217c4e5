// Package simulation has no code. Its test lets thousands of agents do everything that the protocol knows, valid and
// hostile, a million times, on a sequencer whose state is a naive model; checks after every block what must hold; posts the
// blocks to an L1 in memory as the batcher would; and lets an engine of its own derive the chain from that L1 alone, with
// op-node's pipeline. Every block has to come out the same.
package simulation
