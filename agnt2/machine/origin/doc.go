// Package origin is the ORIGIN phase of the fault-proof machine: it reads the receipts of an L1 block by micro-steps and
// derives from them the user deposits and the system configuration of an L2 block, exactly as op-node's derivation does
// (OP specs, "Deposits" and "System config"). It mirrors OriginSteps.sol one to one; where they differ, an honest challenger
// can lose a game.
//
// The rule that everything here serves: for every pre-state exactly one result is possible. A witness is always checked
// against a commitment in the pre-state before anything depends on it; one that is wrong is an error, never another result.
// That is why a receipt too large for one transaction is not absorbed by micro-steps: a sponge that has taken in part of a
// string cannot tell right from wrong before it has seen the end, so either player could put any bytes into it. Such a
// receipt is first hashed on L1, once and for all games, by the OriginLeaves contract (Upload makes its calls). It answers
// only once the whole hash is right, and then with a Merkle root over chunks of the receipt, against which later steps check
// every byte that they read.
//
//	OPEN    walks the receipts trie to receipt i and reads the receipt's head; past the last one, the phase ends
//	LOG     reads one log's head: skips it, or goes to DEPOSIT or CONFIG
//	DEPOSIT derives a deposit transaction and pushes its hash
//	CONFIG  applies a SystemConfig update
//	REVERSE pops a hash from the stack of deposits and pushes it on the queue, whose top is then the first deposit
//	DONE    repeats itself
//
// Deviation: op-node stops on a log of the portal that is no well-formed deposit. The portal cannot emit one; here such a log
// is skipped, and so is one with more data than the portal accepts.
package origin
