// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { OriginRLP } from "./OriginRLP.sol";

/// @title OriginWalk
/// @notice Follows the path of a receipt through an L1 block's receipts trie, and reads the head of the leaf that it leads to.
///         Mirrors agnt2/machine/origin/walk.go. In a receipts trie every node is referred to by its hash, none by its text, for
///         each is longer than 31 bytes: a receipt has a bloom filter, and an inner node a hash.
library OriginWalk {
    /// @notice Trie nodes do not lead from the root towards the key.
    error WrongWalk();
    /// @notice The witness has the wrong form.
    error MalformedWitness();

    /// @dev Root of the trie without receipts.
    bytes32 internal constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;

    /// @notice Where a walk has arrived. The path's nibbles stand in one word from the top, of which `nibbles` are left.
    struct Position {
        bytes32 ref;
        uint256 path;
        uint256 nibbles;
        bool absent;
    }

    /// @notice Follows the path of receipt i from the root through the inner nodes of a witness, all of which must lie on it.
    /// @param w Number of nodes (1 byte), then each with its length (2 bytes).
    /// @return p Where the path leaves the trie, or the reference of a node that is not given, which the caller must prove
    ///         to be a leaf.
    /// @return pos Offset behind the nodes.
    function walk(bytes32 root, uint256 i, bytes calldata w) internal pure returns (Position memory p, uint256 pos) {
        p.ref = root;
        (p.path, p.nibbles) = key(i);
        p.absent = root == EMPTY_ROOT;
        if (w.length == 0) revert MalformedWitness();
        pos = 1;
        for (uint256 n = uint8(w[0]); n > 0; --n) {
            if (pos + 2 > w.length) revert MalformedWitness();
            uint256 end = pos + 2 + uint16(bytes2(w[pos:pos + 2]));
            if (end > w.length) revert MalformedWitness();
            bytes calldata node = w[pos + 2:end];
            if (p.absent || keccak256(node) != p.ref) revert WrongWalk();
            _descend(p, node);
            pos = end;
        }
    }

    /// @notice Path of receipt i: the nibbles of rlp(i), from the top of a word, and their number.
    function key(uint256 i) internal pure returns (uint256 path, uint256 nibbles) {
        bytes memory k = OriginRLP.integer(i);
        return (uint256(bytes32(k)), 2 * k.length);
    }

    /// @dev Follows the path through one inner node.
    function _descend(Position memory p, bytes calldata node) private pure {
        (uint256 pos, uint256 end) = OriginRLP.list(node, 0, node.length);
        if (end != node.length) revert OriginRLP.MalformedRLP();
        // The item that the path names in a branch, and the two of an extension, as start << 128 | end.
        uint256 named;
        uint256 first;
        uint256 second;
        uint256 count = 0;
        uint256 wanted = p.path >> 252;
        while (pos < end) {
            uint256 start;
            (start, pos) = OriginRLP.str(node, pos, end);
            uint256 place = start << 128 | pos;
            if (count == 0) first = place;
            if (count == 1) second = place;
            if (count == wanted) named = place;
            ++count;
        }
        if (count == 17) {
            if (p.nibbles == 0) revert WrongWalk();
            p.path <<= 4;
            --p.nibbles;
            if (named >> 128 == uint128(named)) {
                p.absent = true;
                return;
            }
        } else if (count == 2) {
            (bool leaf, uint256 shared, uint256 nibbles) = _compact(node[first >> 128:uint128(first)]);
            if (leaf) revert WrongWalk();
            if (nibbles > p.nibbles || (nibbles > 0 && (p.path ^ shared) >> (256 - 4 * nibbles) != 0)) {
                p.absent = true;
                return;
            }
            p.path = nibbles == 64 ? 0 : p.path << (4 * nibbles);
            p.nibbles -= nibbles;
            named = second;
        } else {
            revert OriginRLP.MalformedRLP();
        }
        if (uint128(named) - (named >> 128) != 32) revert OriginRLP.MalformedRLP();
        p.ref = bytes32(node[named >> 128:uint128(named)]);
    }

    /// @dev Decodes a node's hex-prefix path: its nibbles from the top of a word, and their number. A receipt's path has at most
    ///      18 nibbles; a longer one is told by its number.
    function _compact(bytes calldata b) private pure returns (bool leaf, uint256 path, uint256 nibbles) {
        uint256 flag = OriginRLP.byteAt(b, 0);
        if (flag >= 0x40 || (flag & 0x10 == 0 && flag & 0x0f != 0)) revert OriginRLP.MalformedRLP();
        nibbles = 2 * (b.length - 1);
        path = uint256(bytes32(b[1:]));
        if (flag & 0x10 != 0) {
            path = (flag & 0x0f) << 252 | path >> 4;
            ++nibbles;
        }
        leaf = flag & 0x20 != 0;
    }

    /// @notice Reads the head of a leaf.
    /// @param head Its first bytes.
    /// @param length Its length, in bytes.
    /// @return present Whether it lies at the rest of the path.
    /// @return start Where the receipt starts; it ends with the leaf.
    function readLeaf(
        Position memory p,
        bytes calldata head,
        uint256 length
    )
        internal
        pure
        returns (bool present, uint256 start)
    {
        (uint256 pos, uint256 listEnd) = OriginRLP.list(head, 0, length);
        (uint256 keyStart, uint256 keyEnd) = OriginRLP.str(head, pos, length);
        if (keyEnd > head.length) revert OriginRLP.MalformedRLP();
        uint256 end;
        (start, end) = OriginRLP.str(head, keyEnd, length);
        if (listEnd != length || end != length) revert OriginRLP.MalformedRLP();
        (bool leaf, uint256 path, uint256 nibbles) = _compact(head[keyStart:keyEnd]);
        if (!leaf) revert WrongWalk();
        present = nibbles == p.nibbles && (nibbles == 0 || (p.path ^ path) >> (256 - 4 * nibbles) == 0);
    }

    /// @notice Reads the head of the receipt that starts at start and ends with the leaf.
    /// @return logs Start of the log list's content.
    /// @return logsEnd Its end; the same as the start if the transaction failed.
    function readReceipt(
        bytes calldata head,
        uint256 start,
        uint256 end
    )
        internal
        pure
        returns (uint256 logs, uint256 logsEnd)
    {
        uint256 kind = OriginRLP.byteAt(head, start);
        if (kind < 0xc0) {
            // The list of a legacy transaction has no type before it.
            if (kind == 0 || kind >= 0x80) revert OriginRLP.MalformedRLP();
            ++start;
        }
        (uint256 pos, uint256 listEnd) = OriginRLP.list(head, start, end);
        if (listEnd != end) revert OriginRLP.MalformedRLP();
        (uint256 status, uint256 statusEnd) = OriginRLP.str(head, pos, listEnd);
        (, pos) = OriginRLP.str(head, statusEnd, listEnd); // cumulative gas
        (start, pos) = OriginRLP.str(head, pos, listEnd); // bloom filter
        if (pos - start != 256) revert OriginRLP.MalformedRLP();
        (logs, logsEnd) = OriginRLP.list(head, pos, listEnd);
        // The receipt of a deposit has further fields behind its logs; an L1 that is itself an OP chain has those.
        if (logsEnd != end && kind != 0x7e) revert OriginRLP.MalformedRLP();
        uint256 size = statusEnd - status;
        if (size == 1 && OriginRLP.byteAt(head, status) == 1) return (logs, logsEnd);
        // Failed; or, before Byzantium, not told.
        if (size != 0 && size != 32) revert OriginRLP.MalformedRLP();
        return (logs, logs);
    }
}
