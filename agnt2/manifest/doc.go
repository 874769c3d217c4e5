// Package manifest is the wire format and the arithmetic of LayerRoot's data-availability commitments: PART and SEAL,
// one record per L2 block, and the Merkle roots over records and transactions (paper §4.5 and App. C.2).
//
// It is pure: it reads no file, network or clock, and it knows nothing of OP's frames (that is manifest/frames). The DA
// server, LayerRoot.sol and later the challenger's machine must agree with it bit for bit, which the golden vectors in
// testdata hold them to. It must never guess: what does not decode exactly is refused.
//
// # Wire format
//
// All integers are big-endian and fixed-width, fields are packed without padding or length prefixes.
//
//	L1 calldata   = 0x01 ‖ 0x01 ‖ commitment      (OP Alt-DA: calldata version, generic commitment type)
//	DA server key = 0x01 ‖ commitment
//	commitment    = 0xA6 ‖ kind ‖ frame           (kind 0x01, PART: 85 bytes)
//	              | 0xA6 ‖ kind ‖ frame ‖ claim   (kind 0x02, SEAL: 285 bytes)
//	frame         = channel(16) ‖ number(2) ‖ dataHash(32) ‖ backend(1) ‖ pointer(32)
//	claim         = firstBlock(8) ‖ lastBlock(8) ‖ firstL1Origin(8) ‖ recordsRoot(32) ‖ l1OriginCheck(20) ‖ parentCheck(20)
//	              ‖ previousStateRoot(32) ‖ currentStateRoot(32) ‖ interactions(8) ‖ volume(32)
//
// # Roots
//
// A leaf is keccak256(0x00 ‖ item), an inner node keccak256(0x01 ‖ left ‖ right). Levels are built from the left, in
// pairs; the last node of a level with an odd count has no partner and moves up unchanged, it is not duplicated. One leaf
// is its own root; no leaves have the zero root. The number of leaves is never part of the tree, so every verifier takes it
// from a committed place: a record's transaction count, or a SEAL's block range.
package manifest
