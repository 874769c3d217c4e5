// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { RLPReader } from "./RLPReader.sol";

/// @notice What the machine reads of a block header, L1's or L2's.
struct Header {
    bytes32 parentHash;
    bytes32 stateRoot;
    bytes32 receiptsRoot;
    uint64 number;
    uint64 gasLimit;
    uint64 gasUsed;
    uint64 time;
    bytes extra;
    bytes32 randao;
    uint256 baseFee; // wei per gas
    bytes32 beaconRoot;
    uint64 excessBlobGas;
    bool hasBlobs;
}

/// @title HeaderReader
/// @notice Reads block headers of which the hash is committed, and computes fees from them. Mirrors `parseHeader`,
///         `nextBaseFee` and `blobBaseFee` of agnt2/machine/l1.go. Arithmetic wraps where Go's does.
library HeaderReader {
    /// @notice The bytes do not have the hash.
    error WrongHeader();
    /// @notice The bytes are no header, or not one of a chain whose extraData says the EIP-1559 constants.
    error MalformedHeader();

    /// @dev Later members are not looked at.
    uint256 private constant MAX_MEMBERS = 32;

    /// @notice Reads the header with a hash.
    function read(bytes calldata raw, bytes32 hash) internal pure returns (Header memory h) {
        if (keccak256(raw) != hash) revert WrongHeader();
        bytes calldata rest = RLPReader.list(raw);
        uint256 i = 0;
        for (; rest.length > 0 && i < MAX_MEMBERS; ++i) {
            (uint256 offset, uint256 length,) = RLPReader.header(rest);
            bytes calldata content = rest[offset:offset + length];
            rest = rest[offset + length:];
            if (i == 12) {
                h.extra = content;
                continue;
            }
            uint256 value = _last32(content);
            if (i == 0) h.parentHash = bytes32(value);
            else if (i == 3) h.stateRoot = bytes32(value);
            else if (i == 5) h.receiptsRoot = bytes32(value);
            else if (i == 8) h.number = uint64(value);
            else if (i == 9) h.gasLimit = uint64(value);
            else if (i == 10) h.gasUsed = uint64(value);
            else if (i == 11) h.time = uint64(value);
            else if (i == 13) h.randao = bytes32(value);
            else if (i == 15) h.baseFee = value;
            else if (i == 18) (h.excessBlobGas, h.hasBlobs) = (uint64(value), true);
            else if (i == 19) h.beaconRoot = bytes32(value);
        }
        if (i < 16) revert MalformedHeader();
    }

    /// @dev The last 32 bytes, or fewer, as a number.
    function _last32(bytes calldata content) private pure returns (uint256 value) {
        uint256 size = content.length < 32 ? content.length : 32;
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, size)), calldataload(sub(add(content.offset, content.length), size)))
        }
    }

    /// @notice Base fee of the block after this one: EIP-1559 with the constants in this one's extraData (OP specs, Holocene).
    function nextBaseFee(Header memory parent) internal pure returns (uint256 fee) {
        if (parent.extra.length < 9) revert MalformedHeader();
        bytes32 word = extraWord(parent);
        uint256 denominator = uint32(uint256(word) >> 216);
        uint256 elasticity = uint32(uint256(word) >> 184);
        if (elasticity == 0) revert MalformedHeader();
        uint256 target = parent.gasLimit / elasticity;
        fee = parent.baseFee;
        uint256 used = parent.gasUsed;
        unchecked {
            if (used > target) {
                uint256 rise = _change(fee, used - target, target, denominator);
                fee += rise == 0 ? 1 : rise;
            } else if (used < target) {
                uint256 fall = _change(fee, target - used, target, denominator);
                fee = fee < fall ? 0 : fee - fall;
            }
        }
    }

    function _change(uint256 fee, uint256 gas, uint256 target, uint256 denominator) private pure returns (uint256) {
        if (target == 0 || denominator == 0) return 0;
        unchecked {
            return fee * gas / target / denominator;
        }
    }

    /// @notice The first 32 bytes of extraData, with zeros behind it if it is shorter.
    function extraWord(Header memory h) internal pure returns (bytes32) {
        return bytes32(h.extra);
    }

    /// @notice EIP-4844's fake exponential of the excess; 1 before there are blobs (OP specs, Ecotone).
    function blobBaseFee(Header memory h, uint256 fraction) internal pure returns (uint256 fee) {
        if (!h.hasBlobs) return 1;
        uint256 excess = h.excessBlobGas;
        unchecked {
            uint256 term = fraction;
            for (uint256 i = 1; term != 0; ++i) {
                fee += term;
                term = term * excess / fraction / i;
            }
            return fraction == 0 ? 0 : fee / fraction;
        }
    }
}
