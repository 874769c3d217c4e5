// Package challenger plays the dispute games of an AGNT2 chain: it attacks games whose output root its own node does not derive,
// defends games whose root it does, executes the last step of a dispute on L1, resolves games and claims bonds, without an
// operator's help. The rules of play are op-challenger's (solver, responder, claims, scheduler and contract bindings of the
// pinned optimism module); what is added here is the AGNT2 machine below the split depth, the proof head above it, and the
// alarms.
//
// The upper half of a game bisects output roots of L2 blocks. Only blocks that derive from L1 up to the *proof head* count:
// the game's L1 head minus LayerRoot's DA challenge and resolve windows, so that no submission they derive from can change its
// status while a game runs. The lower half bisects the micro-steps of one block, which a Prover lays out as a Trace.
//
// Everything is read from L1 and the rollup node again after a restart; nothing is kept on disk. The one thing that a
// challenger must never do is to act, or to resolve a game, on a guess: without the node's safe-head database it would defend
// wrong roots, so it refuses to start without one and stops playing a game whose proof head the database does not cover.
package challenger
