// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The machine between two micro-steps: commitments to what it holds (docs/spec/machine.md).
struct State {
    uint8 status; // 0 valid, 1 invalid, 3 unfinished
    uint8 step; // the micro-step that comes next
    bytes32 root; // record trie
    bytes32 run; // frames; zero if not in use
    bytes32 blk;
    bytes32 sums;
    bytes32 transaction;
    bytes32 op;
    bytes32 call; // the interaction in progress
    bytes32 params; // the Params record
}

/// @title MachineState
/// @notice The encoding of a state, and what ends the machine. Mirrors agnt2/machine/state.go.
library MachineState {
    /// @notice The state has not 258 bytes.
    error StateLength();

    uint256 internal constant LENGTH = 258;
    uint8 internal constant VALID = 0;
    uint8 internal constant INVALID = 1;
    uint8 internal constant UNFINISHED = 3;

    /// @notice Reads a state.
    function decode(bytes calldata b) internal pure returns (State memory s) {
        if (b.length != LENGTH) revert StateLength();
        assembly ("memory-safe") {
            let pos := b.offset
            mstore(s, byte(0, calldataload(pos)))
            mstore(add(s, 0x20), byte(1, calldataload(pos)))
            calldatacopy(add(s, 0x40), add(pos, 2), 256)
        }
    }

    /// @notice The inverse of decode.
    function encode(State memory s) internal pure returns (bytes memory b) {
        b = new bytes(LENGTH);
        assembly ("memory-safe") {
            mstore8(add(b, 0x20), mload(s))
            mstore8(add(b, 0x21), mload(add(s, 0x20)))
            mcopy(add(b, 0x22), add(s, 0x40), 256)
        }
    }

    /// @notice The state that ends the machine: the disputed root is right if it is the expected one.
    function end(bytes32 disputed, bytes32 expected) internal pure returns (State memory s) {
        s.status = disputed == expected ? VALID : INVALID;
    }

    /// @notice OP's output root, version 0.
    function outputRoot(bytes32 stateRoot, bytes32 passerRoot, bytes32 blockHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(bytes32(0), stateRoot, passerRoot, blockHash));
    }
}
