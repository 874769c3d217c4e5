// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { RecordTrie } from "../dispute/lib/RecordTrie.sol";
import { IRecords } from "../interfaces/IRecords.sol";

/// @title HistoryProof
/// @notice Proves to a contract on L1 that an interaction is in the history of a state root (docs/spec/history.md): what
///         agnt2_getHistoryProof answers. The caller sees to it that the state root is one that it trusts, for example of a
///         finalised output root.
library HistoryProof {
    /// @notice The index is not below the number of leaves.
    error IndexOutOfRange(uint64 index, uint64 count);
    /// @notice The path has another length than the leaf's mountain is high.
    error PathLength(uint256 got, uint256 want);
    /// @notice The path leads to something else than the peak.
    error PeakMismatch(bytes32 got, bytes32 want);
    /// @notice There are other peaks than bits in the number of leaves.
    error PeakCount(uint256 got, uint256 want);
    /// @notice Bytes are left over after the record's proof.
    error ProofExcess();

    /// @dev Key of the History record: namespace 0xff, first 31 bytes of keccak256("history").
    bytes32 internal constant HISTORY_KEY = (keccak256("history") >> 8) | bytes32(uint256(0xff) << 248);

    /// @notice Requires that an interaction is in the history of a state. Reverts otherwise, with an error of this library or
    ///         of RecordTrie.
    /// @param  stateRoot   Root of the record trie.
    /// @param  id          The interaction's id.
    /// @param  interaction Its record when it left the state.
    /// @param  index       Its place among all pruned interactions.
    /// @param  path        Hashes from the leaf's sibling up to the peak's child.
    /// @param  history     The History record of the state.
    /// @param  proof       That record's proof, as agnt2_getProof encodes it.
    function verify(
        bytes32 stateRoot,
        bytes32 id,
        IRecords.Interaction memory interaction,
        uint64 index,
        bytes32[] calldata path,
        IRecords.History memory history,
        bytes calldata proof
    )
        internal
        pure
    {
        if (RecordTrie.proveRecord(stateRoot, HISTORY_KEY, keccak256(abi.encode(history)), proof, 0) != proof.length) {
            revert ProofExcess();
        }
        bytes32 leaf = keccak256(abi.encodePacked(uint8(0), id, keccak256(abi.encode(interaction))));
        verifyPath(history, leaf, index, path);
    }

    /// @notice Requires that a leaf has an index in the history.
    function verifyPath(
        IRecords.History memory history,
        bytes32 leaf,
        uint64 index,
        bytes32[] calldata path
    )
        internal
        pure
    {
        uint64 count = history.count;
        if (index >= count) revert IndexOutOfRange(index, count);
        // The leaf's mountain is that of the highest bit in which index and count differ.
        uint256 height;
        for (uint256 differ = index ^ count; differ > 1; differ >>= 1) {
            ++height;
        }
        if (path.length != height) revert PathLength(path.length, height);
        uint256 peak = _ones(uint256(count) >> (height + 1));
        if (history.peaks.length != _ones(count)) revert PeakCount(history.peaks.length, _ones(count));
        for (uint256 i = 0; i < height; ++i) {
            leaf = (index >> i) & 1 == 0
                ? keccak256(abi.encodePacked(uint8(1), leaf, path[i]))
                : keccak256(abi.encodePacked(uint8(1), path[i], leaf));
        }
        if (leaf != history.peaks[peak]) revert PeakMismatch(leaf, history.peaks[peak]);
    }

    function _ones(uint256 x) private pure returns (uint256 n) {
        for (; x != 0; x &= x - 1) {
            ++n;
        }
    }
}
