// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IOrigin
/// @notice State of the machine's ORIGIN phase, which derives user deposits and SystemConfig updates from an L1 block's
///         receipts. It is committed as keccak256(abi.encode(state)).
interface IOrigin {
    /// @notice Offsets count bytes of the leaf of the receipts trie that is being read.
    struct OriginState {
        // Input.
        bytes32 l1BlockHash;
        bytes32 receiptsRoot;
        // System configuration, changed by the block's updates.
        bytes32 batcherHash;
        uint32 baseFeeScalar;
        uint32 blobBaseFeeScalar;
        uint64 gasLimit;
        // Position in the block.
        uint64 receiptIndex;
        uint64 logIndex; // of the next log, in the block
        // Position in the receipt; zero in OPEN and later.
        bytes32 leafRoot; // chunk tree of the leaf
        uint64 leafLength; // bytes
        uint64 cursor; // start of the next log
        uint64 logEnd; // its end; only in DEPOSIT and CONFIG
        uint64 logsEnd; // end of the last log
        // Output: h' = keccak256(h ‖ hash of the deposit transaction), from zero.
        bytes32 deposits; // stack, the last deposit on top
        uint64 depositCount;
        bytes32 queue; // the same, the first deposit on top
        uint64 queueCount;
    }

    /// @notice Never called: makes the compiler emit the struct's ABI, from which codecs are generated.
    function origin(OriginState calldata state) external;
}

/// @title IOriginLeaves
/// @notice Hashes that were proven to belong to strings too large for one transaction.
interface IOriginLeaves {
    /// @notice Chunk tree root and length in bytes of the string with this keccak256; zero while it is not stored.
    function leaf(bytes32 hash) external view returns (bytes32 root, uint64 length);
}
