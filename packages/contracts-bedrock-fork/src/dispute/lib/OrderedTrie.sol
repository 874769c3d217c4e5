// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Patricia } from "./Patricia.sol";

/// @title OrderedTrie
/// @notice Builds the trie of a block's transactions or receipts (go-ethereum's DeriveSha; yellow paper, §4.4.2) by
///         appending. Mirrors Edge in the Go package agnt2/machine/patricia, which says how.
/// @dev    The machine keeps keccak256 of the trie's right edge only:
///
///         count(4) ‖ heldLength(4) ‖ heldHash(32) ‖ zeroApart(32) ‖ zeroBelow(32) ‖ open(16) ‖ hashes
///
///         A key is rlp(index) in the highest of 32 bits. A branch's level is 1 for the root, and one more for each nibble;
///         level 0 is outside the trie.
library OrderedTrie {
    /// @notice The edge does not have the committed hash.
    error WrongEdge();
    /// @notice The bytes of the held value do not have its hash and length.
    error WrongValue();
    /// @notice The trie has MAX_ITEMS items.
    error TrieFull();
    /// @notice The trie has no items.
    error TrieEmpty();

    /// @notice How many items a trie can have: indices of 3 bytes.
    uint256 internal constant MAX_ITEMS = 1 << 24;

    /// @notice The hash of the edge of a trie without items: 120 zero bytes.
    bytes32 internal constant EMPTY_EDGE_HASH = 0x46da8fe57453cb42871b55d14b856565e2eddd78a8bf81928da79a8962274769;

    uint256 private constant HEADER_LENGTH = 120;
    uint256 private constant MAX_LEVEL = 8;

    /// @dev An edge in memory. `base` is where it is encoded to, `top` where its next hash goes.
    struct Edge {
        uint256 count;
        uint256 heldLength;
        bytes32 heldHash;
        bytes32 zeroApart;
        bytes32 zeroBelow;
        uint256 open; // bit 16·(level-1) + i: the open branch at that level has child i
        uint256 base;
        uint256 top;
    }

    /// @notice Adds the value with the next index and settles the one before it.
    /// @param edgeHash    The committed hash.
    /// @param edge        The edge's encoding.
    /// @param valueHash   keccak256 of the value: of the whole transaction or receipt with its type.
    /// @param valueLength Its length in bytes, at least Patricia.MIN_VALUE_LENGTH.
    /// @param held        The bytes of the value before; empty for the first.
    /// @return The hash of the new edge.
    function append(
        bytes32 edgeHash,
        bytes calldata edge,
        bytes32 valueHash,
        uint256 valueLength,
        bytes calldata held
    )
        internal
        pure
        returns (bytes32)
    {
        unchecked {
            Edge memory e = _load(edgeHash, edge);
            uint256 n = e.count;
            if (n >= MAX_ITEMS) revert TrieFull();
            if (valueLength < Patricia.MIN_VALUE_LENGTH || valueLength > type(uint32).max) revert Patricia.ValueSize();
            _checkHeld(e, held);
            if (n == 1) {
                e.zeroApart = _leafHash(0, 1, held);
                e.zeroBelow = _leafHash(0, 2, held);
            } else if (n > 1) {
                uint256 before = _levelBefore(n - 1);
                uint256 next = n == 128 ? _sharedLevel(127, 0) : _levelBefore(n);
                if (before < next) before = next;
                _settle(e, n - 1, before, next, _leafHash(n - 1, before, held));
                if (n == 128) {
                    next = _levelBefore(128);
                    _settle(e, 0, next, next, e.zeroBelow);
                }
            }
            e.count = n + 1;
            e.heldHash = valueHash;
            e.heldLength = valueLength;
            return _hash(e);
        }
    }

    /// @notice Returns the root of the trie of all items.
    /// @param edgeHash The committed hash.
    /// @param edge     The edge's encoding.
    /// @param held     The bytes of the last value.
    function finish(bytes32 edgeHash, bytes calldata edge, bytes calldata held) internal pure returns (bytes32) {
        unchecked {
            Edge memory e = _load(edgeHash, edge);
            if (e.count == 0) revert TrieEmpty();
            _checkHeld(e, held);
            uint256 n = e.count - 1;
            if (n == 0) return _leafHash(0, 0, held);
            uint256 before = _levelBefore(n);
            if (n >= 128) return _settle(e, n, before, 0, _leafHash(n, before, held));
            if (before == 0) before = 1;
            _settle(e, n, before, 1, _leafHash(n, before, held));
            return _settle(e, 0, 1, 0, e.zeroApart);
        }
    }

    /// @dev Reads the edge, and reserves room for the two hashes that an append can add.
    function _load(bytes32 edgeHash, bytes calldata edge) private pure returns (Edge memory e) {
        if (keccak256(edge) != edgeHash || edge.length < HEADER_LENGTH) revert WrongEdge();
        uint256 first;
        uint256 base;
        uint256 open;
        bytes32 heldHash;
        bytes32 zeroApart;
        bytes32 zeroBelow;
        assembly ("memory-safe") {
            first := calldataload(edge.offset)
            heldHash := calldataload(add(edge.offset, 8))
            zeroApart := calldataload(add(edge.offset, 40))
            zeroBelow := calldataload(add(edge.offset, 72))
            open := and(calldataload(add(edge.offset, 88)), 0xffffffffffffffffffffffffffffffff)
            base := mload(0x40)
            mstore(0x40, and(add(add(base, edge.length), 127), not(31)))
            calldatacopy(base, edge.offset, edge.length)
        }
        unchecked {
            e.count = first >> 224;
            e.heldLength = (first >> 192) & type(uint32).max;
            e.heldHash = heldHash;
            e.zeroApart = zeroApart;
            e.zeroBelow = zeroBelow;
            e.open = open;
            e.base = base;
            e.top = base + edge.length;
            if (edge.length != HEADER_LENGTH + 32 * _ones(open)) revert WrongEdge();
        }
    }

    /// @dev The hash of the edge's encoding.
    function _hash(Edge memory e) private pure returns (bytes32 h) {
        assembly ("memory-safe") {
            let base := mload(add(e, 0xc0))
            // Each of these but the first two ends where what was written before it begins to count.
            mstore(base, or(shl(224, mload(e)), shl(192, mload(add(e, 0x20)))))
            mstore(add(base, 88), mload(add(e, 0xa0)))
            mstore(add(base, 72), mload(add(e, 0x80)))
            mstore(add(base, 40), mload(add(e, 0x60)))
            mstore(add(base, 8), mload(add(e, 0x40)))
            h := keccak256(base, sub(mload(add(e, 0xe0)), base))
        }
    }

    function _checkHeld(Edge memory e, bytes calldata held) private pure {
        if (e.count == 0 ? held.length != 0 : held.length != e.heldLength || keccak256(held) != e.heldHash) {
            revert WrongValue();
        }
    }

    /// @dev The key of an index, and its length in nibbles.
    function _key(uint256 index) private pure returns (uint256 key, uint256 length) {
        if (index == 0) return (0x80000000, 2);
        if (index < 0x80) return (index << 24, 2);
        if (index < 0x100) return (0x81000000 | index << 16, 4);
        if (index < 0x10000) return (0x82000000 | index << 8, 6);
        return (0x83000000 | index, 8);
    }

    /// @dev Nibbles [from, to) of a key.
    function _slice(uint256 key, uint256 from, uint256 to) private pure returns (uint256) {
        unchecked {
            return (key >> (32 - 4 * to)) & ((1 << (4 * (to - from))) - 1);
        }
    }

    /// @dev The level at which the keys of two different indices part. No key is the beginning of another one.
    function _sharedLevel(uint256 a, uint256 b) private pure returns (uint256 level) {
        (uint256 x,) = _key(a);
        (uint256 y,) = _key(b);
        level = 1;
        unchecked {
            for (x ^= y; x < 0x10000000; x <<= 4) {
                ++level;
            }
        }
    }

    /// @dev The level at which the key of an index above 0 parts from the one before it in the trie; index 1 has none.
    function _levelBefore(uint256 index) private pure returns (uint256) {
        unchecked {
            if (index < 2) return 0;
            return _sharedLevel(index == 128 ? 0 : index - 1, index);
        }
    }

    /// @dev The hash of the leaf of an index below the branch at a level; at level 0 it is the root.
    function _leafHash(uint256 index, uint256 level, bytes calldata value) private pure returns (bytes32 h) {
        (uint256 key, uint256 length) = _key(index);
        unchecked {
            (uint256 word, uint256 size) = Patricia.leafPrefix(_slice(key, level, length), length - level, value.length);
            assembly ("memory-safe") {
                let pos := add(mload(0x40), 32)
                mstore(sub(pos, 32), word)
                calldatacopy(pos, value.offset, value.length)
                h := keccak256(sub(pos, size), add(size, value.length))
            }
        }
    }

    /// @dev Puts the leaf of an index below the branch at `level`, and closes all branches below the level `next` at which
    ///      the following key parts from it; next is 0 if there is none, and then the root is returned.
    function _settle(
        Edge memory e,
        uint256 index,
        uint256 level,
        uint256 next,
        bytes32 h
    )
        private
        pure
        returns (bytes32)
    {
        (uint256 key,) = _key(index);
        unchecked {
            _place(e, key, level, h);
            while (true) {
                uint256 deepest = _deepest(e.open, MAX_LEVEL);
                if (deepest <= next) return 0;
                h = _closeBranch(e, deepest);
                level = _deepest(e.open, deepest - 1);
                if (level < next) level = next;
                if (level + 1 < deepest) h = _extensionHash(_slice(key, level, deepest - 1), deepest - 1 - level, h);
                if (level == 0) return h;
                _place(e, key, level, h);
            }
        }
    }

    /// @dev Adds the child that leads to a key to the branch at a level, and opens it if there is none.
    function _place(Edge memory e, uint256 key, uint256 level, bytes32 h) private pure {
        unchecked {
            uint256 top = e.top;
            e.open |= 1 << (16 * (level - 1) + _slice(key, level - 1, level));
            assembly ("memory-safe") {
                mstore(top, h)
            }
            e.top = top + 32;
        }
    }

    /// @dev The level of the deepest open branch at or above a level.
    function _deepest(uint256 open, uint256 level) private pure returns (uint256) {
        unchecked {
            while (level > 0 && (open >> (16 * (level - 1))) & 0xffff == 0) --level;
            return level;
        }
    }

    /// @dev Removes the deepest open branch and returns its hash.
    function _closeBranch(Edge memory e, uint256 level) private pure returns (bytes32 h) {
        unchecked {
            uint256 shift = 16 * (level - 1);
            uint256 children = (e.open >> shift) & 0xffff;
            uint256 count = _ones(children);
            uint256 from = e.top - 32 * count;
            e.open ^= children << shift;
            e.top = from;
            (uint256 word, uint256 size) = Patricia.header(0xc0, 17 + 32 * count);
            assembly ("memory-safe") {
                let start := mload(0x40)
                mstore(start, word)
                start := add(start, 32)
                let pos := start
                for { } children { children := shr(1, children) } {
                    switch and(children, 1)
                    case 0 {
                        mstore8(pos, 0x80)
                        pos := add(pos, 1)
                    }
                    default {
                        mstore8(pos, 0xa0)
                        mstore(add(pos, 1), mload(from))
                        from := add(from, 32)
                        pos := add(pos, 33)
                    }
                }
                // The empty children after the last one and the empty value.
                mstore(pos, 0x8080808080808080808080808080808080808080808080808080808080808080)
                h := keccak256(sub(start, size), add(size, add(17, shl(5, count))))
            }
        }
    }

    /// @dev The hash of an extension to a node with hash h.
    function _extensionHash(uint256 path, uint256 count, bytes32 h) private pure returns (bytes32 hash) {
        unchecked {
            (uint256 word, uint256 size) = Patricia.shortPath(path, count, 0);
            word = (((0xc0 + size + 33) << (8 * size)) | word) << 8 | 0xa0;
            assembly ("memory-safe") {
                mstore(0, word)
                mstore(32, h)
                hash := keccak256(sub(30, size), add(34, size))
            }
        }
    }

    /// @dev How many of the lower 128 bits are set.
    function _ones(uint256 x) private pure returns (uint256) {
        unchecked {
            x -= (x >> 1) & 0x55555555555555555555555555555555;
            x = (x & 0x33333333333333333333333333333333) + ((x >> 2) & 0x33333333333333333333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            return ((x * 0x01010101010101010101010101010101) >> 120) & 0xff;
        }
    }
}
