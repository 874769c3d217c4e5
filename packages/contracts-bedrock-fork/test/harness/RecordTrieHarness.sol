// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { RecordTrie } from "../../src/dispute/lib/RecordTrie.sol";

/// @title RecordTrieHarness
/// @notice Lets agnt2/machine/differential compare RecordTrie with agnt2/trie.
contract RecordTrieHarness {
    function proveRecord(
        bytes32 root,
        bytes32 key,
        bytes32 valueHash,
        bytes calldata w,
        uint256 p
    )
        external
        view
        returns (uint256 next, uint256 gasUsed)
    {
        gasUsed = gasleft();
        next = RecordTrie.proveRecord(root, key, valueHash, w, p);
        gasUsed -= gasleft();
    }

    function update(
        bytes32 root,
        bytes32 key,
        bytes32 oldHash,
        bytes32 newHash,
        bytes calldata w,
        uint256 p
    )
        external
        view
        returns (bytes32 newRoot, uint256 next, uint256 gasUsed)
    {
        gasUsed = gasleft();
        (newRoot, next) = RecordTrie.update(root, key, oldHash, newHash, w, p);
        gasUsed -= gasleft();
    }

    function first(
        bytes32 root,
        uint8 prefix,
        bytes32 key,
        bytes32 valueHash,
        bytes calldata w,
        uint256 p
    )
        external
        pure
        returns (uint256 next)
    {
        return RecordTrie.first(root, prefix, key, valueHash, w, p);
    }

    function firstUnder(
        bytes32 root,
        bytes32 prefix,
        uint256 size,
        bytes32 key,
        bytes32 valueHash,
        bytes calldata w,
        uint256 p
    )
        external
        pure
        returns (uint256 next)
    {
        return RecordTrie.firstUnder(root, prefix, size, key, valueHash, w, p);
    }

    function none(bytes32 root, uint8 prefix, bytes calldata w, uint256 p) external pure returns (uint256 next) {
        return RecordTrie.none(root, prefix, w, p);
    }

    function noneUnder(
        bytes32 root,
        bytes32 prefix,
        uint256 size,
        bytes calldata w,
        uint256 p
    )
        external
        pure
        returns (uint256 next)
    {
        return RecordTrie.noneUnder(root, prefix, size, w, p);
    }
}
