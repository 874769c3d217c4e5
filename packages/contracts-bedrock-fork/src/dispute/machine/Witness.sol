// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IFrames } from "../IFrames.sol";
import { ContextLib } from "../lib/Context.sol";
import { UnpackFrames } from "../lib/UnpackFrames.sol";

/// @notice A witness that is being read. Positions are those of calldata.
struct Witness {
    uint256 next; // byte
    uint256 end;
}

/// @title WitnessLib
/// @notice Takes the witness of one of the machine's own micro-steps apart; numbers are big-endian. Mirrors
///         agnt2/machine/reader.go.
library WitnessLib {
    /// @notice The witness ends too early.
    error WitnessTruncated();
    /// @notice The witness goes on where the step has all it needs.
    error WitnessExcess();
    /// @notice A frame of the witness is not the one that the state commits to.
    error FrameMismatch();

    /// @notice Begins to read.
    function read(bytes calldata proof) internal pure returns (Witness memory w) {
        assembly ("memory-safe") {
            mstore(w, proof.offset)
            mstore(add(w, 0x20), add(proof.offset, proof.length))
        }
    }

    /// @notice The next n bytes.
    function take(Witness memory w, uint256 n) internal pure returns (bytes calldata b) {
        uint256 pos = w.next;
        unchecked {
            if (n > w.end - pos) revert WitnessTruncated();
            w.next = pos + n;
        }
        assembly ("memory-safe") {
            b.offset := pos
            b.length := n
        }
    }

    /// @notice All that is left.
    function rest(Witness memory w) internal pure returns (bytes calldata) {
        unchecked {
            return take(w, w.end - w.next);
        }
    }

    /// @notice Whether something is left.
    function more(Witness memory w) internal pure returns (bool) {
        return w.next < w.end;
    }

    /// @notice Requires that nothing is left.
    function done(Witness memory w) internal pure {
        if (w.next != w.end) revert WitnessExcess();
    }

    /// @notice A number of up to 32 bytes.
    function number(Witness memory w, uint256 size) internal pure returns (uint256 value) {
        bytes calldata b = take(w, size);
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(b.offset))
        }
    }

    /// @notice A number of 8 bytes.
    function number64(Witness memory w) internal pure returns (uint64) {
        return uint64(number(w, 8));
    }

    /// @notice A hash.
    function word(Witness memory w) internal pure returns (bytes32) {
        return bytes32(number(w, 32));
    }

    /// @notice A string behind a length of four bytes.
    function string4(Witness memory w) internal pure returns (bytes calldata) {
        return take(w, number(w, 4));
    }

    /// @notice A list: a count of one byte, every element behind a length of two bytes.
    function list(Witness memory w) internal pure returns (bytes[] memory items) {
        items = new bytes[](number(w, 1));
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = take(w, number(w, 2));
        }
    }

    /// @notice A path of hashes: a count of one byte, and these.
    function path(Witness memory w) internal pure returns (bytes calldata) {
        return take(w, 32 * number(w, 1));
    }

    // ------------------------------------------------------------------------------------------------------------ frames
    // Each is packed, and must have the hash that the state commits to.

    /// @notice Opens the run frame.
    function openRun(Witness memory w, bytes32 want) internal pure returns (IFrames.Run memory x) {
        uint256 used;
        (x, used) = UnpackFrames.unpackRun(_left(w), 0);
        _opened(w, used, hash(x), want);
    }

    /// @notice Opens the block frame.
    function openBlock(Witness memory w, bytes32 want) internal pure returns (IFrames.Block memory x) {
        uint256 used;
        (x, used) = UnpackFrames.unpackBlock(_left(w), 0);
        _opened(w, used, ContextLib.hash(x), want);
    }

    /// @notice Opens the sums frame.
    function openSums(Witness memory w, bytes32 want) internal pure returns (IFrames.Sums memory x) {
        uint256 used;
        (x, used) = UnpackFrames.unpackSums(_left(w), 0);
        _opened(w, used, ContextLib.hash(x), want);
    }

    /// @notice Opens the tx frame.
    function openTx(Witness memory w, bytes32 want) internal pure returns (IFrames.Tx memory x) {
        uint256 used;
        (x, used) = UnpackFrames.unpackTx(_left(w), 0);
        _opened(w, used, ContextLib.hash(x), want);
    }

    /// @notice Opens the op frame.
    function openOp(Witness memory w, bytes32 want) internal pure returns (IFrames.Op memory x) {
        uint256 used;
        (x, used) = UnpackFrames.unpackOp(_left(w), 0);
        _opened(w, used, ContextLib.hash(x), want);
    }

    /// @notice What commits to a run frame.
    /// @dev The memory of a struct without references is its abi.encode: one word a field.
    function hash(IFrames.Run memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 1184) // 37 fields
        }
    }

    function _left(Witness memory w) private pure returns (bytes calldata b) {
        assembly ("memory-safe") {
            b.offset := mload(w)
            b.length := sub(mload(add(w, 0x20)), mload(w))
        }
    }

    function _opened(Witness memory w, uint256 used, bytes32 got, bytes32 want) private pure {
        take(w, used);
        if (got != want) revert FrameMismatch();
    }
}
