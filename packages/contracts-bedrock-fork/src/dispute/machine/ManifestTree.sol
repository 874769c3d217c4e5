// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice What a submission says about one L2 block: agnt2/manifest's BlockRecord.
struct BlockRecord {
    uint64 number;
    uint64 timestamp; // seconds
    uint64 l1Origin; // L1 block number
    uint64 txCount; // sequenced transactions
    bytes32 txsRoot; // over their hashes
}

/// @title ManifestTree
/// @notice The binary Merkle trees of submissions: over block records, and over a block's transaction hashes. The unpaired last
///         node of a level moves up unchanged. Mirrors agnt2/manifest/merkle.go.
library ManifestTree {
    /// @notice The item is none of those that the root commits to.
    error OutsideRange();
    /// @notice The path does not lead to the root.
    error ManifestProof();

    /// @notice The node of a block record.
    function leafOf(BlockRecord memory r) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0), r.number, r.timestamp, r.l1Origin, r.txCount, r.txsRoot));
    }

    /// @notice The node of a transaction with this hash.
    function txLeaf(bytes32 txHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0), txHash));
    }

    /// @notice Requires that a leaf is the one with an index among `count`. There is one length of path for every index, and no
    ///         other passes.
    /// @param root  The root.
    /// @param node  The leaf.
    /// @param index Its index.
    /// @param count Number of leaves.
    /// @param path  Its siblings from the bottom up, a multiple of 32 bytes.
    function verify(bytes32 root, bytes32 node, uint64 index, uint64 count, bytes calldata path) internal pure {
        if (index >= count) revert OutsideRange();
        uint256 used = 0;
        unchecked {
            for (; count > 1; (count, index) = (count / 2 + count % 2, index / 2)) {
                if (index ^ 1 >= count) continue;
                if (used == path.length) revert ManifestProof();
                bytes32 sibling;
                assembly ("memory-safe") {
                    sibling := calldataload(add(path.offset, used))
                }
                used += 32;
                node = index & 1 == 0 ? _inner(node, sibling) : _inner(sibling, node);
            }
        }
        if (used != path.length || node != root) revert ManifestProof();
    }

    function _inner(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
