// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title ChunkTree
/// @notice Binary Merkle tree over a string's chunks of 1,088 bytes (eight keccak256 blocks; the last chunk may be shorter). It
///         grows while the string is read, and any range of bytes can be opened later. A node without a right sibling moves up
///         unchanged (RFC 6962's shape); the root commits to the length too. Mirrors sponge.Tree.
library ChunkTree {
    /// @notice The range is empty or outside the string, or a chunk does not follow the string so far.
    error RangeOutsideString();
    /// @notice The proof does not belong to the root.
    error ProofMismatch();
    /// @notice More chunks than a frontier holds.
    error StringTooLong();

    uint256 internal constant CHUNK_BYTES = 1088;
    /// @dev A tree has less than 2^LEVELS chunks.
    uint256 internal constant LEVELS = 16;
    uint256 internal constant MAX_BYTES = (2 ** LEVELS - 1) * CHUNK_BYTES;

    /// @notice Commits to the next chunk.
    /// @param frontier Roots of the complete subtrees, level l in use iff bit l of the number of chunks is set. Changed in place.
    /// @param length Bytes committed so far, a multiple of 1,088.
    /// @param chunk 1 to 1,088 bytes; less only for the last chunk.
    /// @return Bytes committed now.
    function append(
        bytes32[LEVELS] memory frontier,
        uint256 length,
        bytes calldata chunk
    )
        internal
        pure
        returns (uint256)
    {
        if (chunk.length == 0 || chunk.length > CHUNK_BYTES || length % CHUNK_BYTES != 0) revert RangeOutsideString();
        uint256 count = length / CHUNK_BYTES;
        if (count + 1 >= 2 ** LEVELS) revert StringTooLong();
        bytes32 node = _chunk(chunk);
        uint256 level = 0;
        for (; count & 1 == 1; count >>= 1) {
            node = _inner(frontier[level], node);
            frontier[level] = 0;
            ++level;
        }
        frontier[level] = node;
        return length + chunk.length;
    }

    /// @notice The commitment to the string read so far, which must not be empty.
    function root(bytes32[LEVELS] memory frontier, uint256 length) internal pure returns (bytes32) {
        bytes32 node;
        bool first = true;
        uint256 level = 0;
        for (uint256 count = _chunks(length); count > 0; count >>= 1) {
            if (count & 1 == 1) {
                node = first ? frontier[level] : _inner(frontier[level], node);
                first = false;
            }
            ++level;
        }
        return _root(node, length);
    }

    /// @notice The commitment to a string.
    function rootOf(bytes calldata b) internal pure returns (bytes32) {
        if (b.length == 0) revert RangeOutsideString();
        if (b.length > MAX_BYTES) revert StringTooLong();
        bytes32[] memory nodes = _level(b);
        uint256 count = nodes.length - 2;
        while (count > 1) count = _fold(nodes, 1, count + 1);
        return _root(nodes[1], b.length);
    }

    /// @notice Checks a range proof: the chunks that cover the range, then the siblings level by level from the bottom, left
    ///         before right. Exactly one proof passes.
    /// @param want Root.
    /// @param length Length of the string, in bytes.
    /// @param from First byte.
    /// @param to Behind the last byte.
    /// @return The bytes [from, to), a slice of the proof.
    function verify(
        bytes32 want,
        uint256 length,
        uint256 from,
        uint256 to,
        bytes calldata proof
    )
        internal
        pure
        returns (bytes calldata)
    {
        if (from >= to || to > length || length > MAX_BYTES) revert RangeOutsideString();
        uint256 start = from / CHUNK_BYTES * CHUNK_BYTES;
        uint256 end = _chunks(to) * CHUNK_BYTES;
        if (end > length) end = length;
        if (proof.length < end - start) revert ProofMismatch();
        if (_climb(start / CHUNK_BYTES, length, proof[:end - start], proof[end - start:]) != want) {
            revert ProofMismatch();
        }
        return proof[from - start:to - start];
    }

    /// @dev Root of the string of which these are the chunks from number `first` on.
    function _climb(
        uint256 first,
        uint256 length,
        bytes calldata chunks,
        bytes calldata siblings
    )
        private
        pure
        returns (bytes32)
    {
        bytes32[] memory nodes = _level(chunks);
        uint256 size = nodes.length - 2;
        uint256 used = 0;
        for (uint256 count = _chunks(length); count > 1; count = (count + 1) / 2) {
            uint256 low = 1;
            uint256 high = size + 1;
            uint256 last = first + size - 1;
            if (first & 1 == 1) {
                nodes[--low] = _sibling(siblings, used++);
            }
            if (last & 1 == 0 && last + 1 < count) {
                nodes[high++] = _sibling(siblings, used++);
            }
            size = _fold(nodes, low, high);
            first /= 2;
        }
        if (siblings.length != used * 32) revert ProofMismatch();
        return _root(nodes[1], length);
    }

    function _sibling(bytes calldata siblings, uint256 i) private pure returns (bytes32) {
        if (siblings.length < i * 32 + 32) revert ProofMismatch();
        return bytes32(siblings[i * 32:i * 32 + 32]);
    }

    /// @dev Hashes of a string's chunks, with one free place before and one behind.
    function _level(bytes calldata b) private pure returns (bytes32[] memory nodes) {
        uint256 count = _chunks(b.length);
        nodes = new bytes32[](count + 2);
        for (uint256 i = 0; i < count; ++i) {
            uint256 end = (i + 1) * CHUNK_BYTES;
            nodes[i + 1] = _chunk(b[i * CHUNK_BYTES:end < b.length ? end : b.length]);
        }
    }

    /// @dev Replaces the level nodes[low..high) by the one above it, which starts at nodes[1].
    /// @return size Nodes of the new level.
    function _fold(bytes32[] memory nodes, uint256 low, uint256 high) private pure returns (uint256 size) {
        for (; low < high; low += 2) {
            nodes[++size] = low + 1 < high ? _inner(nodes[low], nodes[low + 1]) : nodes[low];
        }
    }

    function _chunks(uint256 length) private pure returns (uint256) {
        return (length + CHUNK_BYTES - 1) / CHUNK_BYTES;
    }

    // Domain tags: what is hashed at one level must not pass as something of another level.

    function _chunk(bytes calldata chunk) private pure returns (bytes32 h) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore8(p, 0)
            calldatacopy(add(p, 1), chunk.offset, chunk.length)
            h := keccak256(p, add(chunk.length, 1))
        }
    }

    function _inner(bytes32 left, bytes32 right) private pure returns (bytes32 h) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore8(p, 1)
            mstore(add(p, 1), left)
            mstore(add(p, 33), right)
            h := keccak256(p, 65)
        }
    }

    function _root(bytes32 node, uint256 length) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), node, uint64(length)));
    }
}
