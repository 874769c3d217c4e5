// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { OrderedTrie } from "../../src/dispute/lib/OrderedTrie.sol";
import { Patricia } from "../../src/dispute/lib/Patricia.sol";
import { RLPReader } from "../../src/dispute/lib/RLPReader.sol";

/// @notice Makes the Merkle-Patricia libraries callable, for tests that compare them with their Go counterparts.
contract PatriciaHarness {
    function walk(
        bytes32 root,
        bytes32 key,
        uint256 size,
        bytes[] calldata nodes
    )
        external
        pure
        returns (bytes memory value, bool present)
    {
        return Patricia.walk(root, key, size, nodes);
    }

    function walkReference(
        bytes32 root,
        bytes32 key,
        uint256 size,
        bytes[] calldata nodes
    )
        external
        pure
        returns (bytes32 hash, uint256 consumed)
    {
        return Patricia.walkReference(root, key, size, nodes);
    }

    function leafValueOffset(
        bytes24 prefix,
        uint256 length,
        bytes32 key,
        uint256 size,
        uint256 consumed
    )
        external
        pure
        returns (uint256)
    {
        return Patricia.leafValueOffset(prefix, length, key, size, consumed);
    }

    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata nodes) external pure returns (bytes32) {
        return Patricia.storageRoot(stateRoot, account, nodes);
    }

    function storageAt(bytes32 root, bytes32 slot, bytes[] calldata nodes) external pure returns (bytes32) {
        return Patricia.storageAt(root, slot, nodes);
    }

    function insert(
        bytes32 root,
        bytes32 key,
        bytes calldata value,
        bytes[] calldata nodes
    )
        external
        pure
        returns (bytes32)
    {
        return Patricia.insert(root, key, value, nodes);
    }

    function append(
        bytes32 edgeHash,
        bytes calldata edge,
        bytes32 valueHash,
        uint256 valueLength,
        bytes calldata held
    )
        external
        pure
        returns (bytes32)
    {
        return OrderedTrie.append(edgeHash, edge, valueHash, valueLength, held);
    }

    function finish(bytes32 edgeHash, bytes calldata edge, bytes calldata held) external pure returns (bytes32) {
        return OrderedTrie.finish(edgeHash, edge, held);
    }

    function constants() external pure returns (bytes32 emptyRoot, bytes32 emptyEdgeHash) {
        return (Patricia.EMPTY_ROOT, OrderedTrie.EMPTY_EDGE_HASH);
    }

    /// @notice The first item of b, its content, and what follows it.
    function split(bytes calldata b) external pure returns (bool isList, bytes memory content, bytes memory rest) {
        uint256 offset;
        uint256 length;
        (offset, length, isList) = RLPReader.header(b);
        return (isList, b[offset:offset + length], b[offset + length:]);
    }

    /// @notice Reads a list of: string, list, integer of 8 bytes, 32 bytes, address.
    function readList(bytes calldata b)
        external
        pure
        returns (bytes memory text, bytes memory inner, uint256 number, bytes32 word, address account)
    {
        b = RLPReader.list(b);
        bytes calldata part;
        (part, b) = RLPReader.nextString(b);
        text = part;
        (part, b) = RLPReader.nextList(b);
        inner = part;
        (number, b) = RLPReader.nextUint(b, 8);
        (word, b) = RLPReader.nextBytes32(b);
        (account, b) = RLPReader.nextAddress(b);
        RLPReader.end(b);
    }

    /// @notice How many items b has.
    function countItems(bytes calldata b) external pure returns (uint256 count) {
        while (b.length != 0) {
            (, b) = RLPReader.nextItem(b);
            ++count;
        }
    }
}
