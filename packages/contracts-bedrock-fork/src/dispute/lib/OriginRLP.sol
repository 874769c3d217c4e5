// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title OriginRLP
/// @notice Reads canonical RLP of which only a first part is at hand, as the ORIGIN phase needs it: an item's content may lie
///         beyond the bytes given. Offsets count from the start of those bytes. Mirrors agnt2/machine/origin/rlp.go.
library OriginRLP {
    /// @notice The bytes are not the canonical RLP of what is expected there.
    error MalformedRLP();

    /// @notice Reads the header of the item at b[pos:], which must be canonical and end at limit or before. Of the content it
    ///         reads at most one byte.
    /// @return isList Whether the item is a list.
    /// @return start Offset of its content.
    /// @return end Offset behind its content.
    function item(
        bytes calldata b,
        uint256 pos,
        uint256 limit
    )
        internal
        pure
        returns (bool isList, uint256 start, uint256 end)
    {
        uint256 tag = byteAt(b, pos);
        if (tag < 0x80) {
            start = pos;
            end = pos + 1;
        } else {
            isList = tag >= 0xc0;
            uint256 size = tag & 0x3f;
            start = pos + 1;
            if (size > 55) {
                // Four bytes of length are more than any L1 block can fill.
                uint256 lengthBytes = size - 55;
                if (lengthBytes > 4) revert MalformedRLP();
                size = 0;
                for (uint256 i = 0; i < lengthBytes; ++i) {
                    size = size << 8 | byteAt(b, start + i);
                }
                if (size <= 55 || size >> (8 * (lengthBytes - 1)) == 0) revert MalformedRLP();
                start += lengthBytes;
            } else if (tag == 0x81 && byteAt(b, start) < 0x80) {
                revert MalformedRLP();
            }
            end = start + size;
        }
        if (end > limit) revert MalformedRLP();
    }

    /// @notice item() for a string.
    function str(bytes calldata b, uint256 pos, uint256 limit) internal pure returns (uint256 start, uint256 end) {
        bool isList;
        (isList, start, end) = item(b, pos, limit);
        if (isList) revert MalformedRLP();
    }

    /// @notice item() for a list.
    function list(bytes calldata b, uint256 pos, uint256 limit) internal pure returns (uint256 start, uint256 end) {
        bool isList;
        (isList, start, end) = item(b, pos, limit);
        if (!isList) revert MalformedRLP();
    }

    /// @notice str() for a string of a known size up to 32 bytes, all of it at hand.
    /// @return value Its content, left-aligned.
    /// @return end Offset behind it.
    function fixedStr(
        bytes calldata b,
        uint256 pos,
        uint256 limit,
        uint256 size
    )
        internal
        pure
        returns (bytes32 value, uint256 end)
    {
        uint256 start;
        (start, end) = str(b, pos, limit);
        if (end - start != size || end > b.length) revert MalformedRLP();
        value = bytes32(b[start:end]);
    }

    /// @notice The byte at an offset, which must be at hand.
    function byteAt(bytes calldata b, uint256 pos) internal pure returns (uint256) {
        if (pos >= b.length) revert MalformedRLP();
        return uint8(b[pos]);
    }

    /// @notice Header of a string (base 0x80) or list (base 0xc0) of size bytes.
    function header(uint256 base, uint256 size) internal pure returns (bytes memory) {
        if (size <= 55) return abi.encodePacked(uint8(base + size));
        uint256 lengthBytes = 1;
        while (size >> (8 * lengthBytes) != 0) ++lengthBytes;
        bytes memory b = new bytes(1 + lengthBytes);
        b[0] = bytes1(uint8(base + 55 + lengthBytes));
        for (uint256 i = 0; i < lengthBytes; ++i) {
            b[1 + i] = bytes1(uint8(size >> (8 * (lengthBytes - 1 - i))));
        }
        return b;
    }

    /// @notice A number as RLP's integers are written, without leading zeros.
    function integer(uint256 value) internal pure returns (bytes memory b) {
        if (value == 0) return hex"80";
        if (value < 0x80) return abi.encodePacked(uint8(value));
        uint256 size = 1;
        while (size < 32 && value >> (8 * size) != 0) ++size;
        b = new bytes(1 + size);
        b[0] = bytes1(uint8(0x80 + size));
        assembly ("memory-safe") {
            // Left-aligned; what lies behind b is new memory and is written with zeros at most.
            let word := shl(mul(8, sub(32, size)), value)
            for { let i := 0 } lt(i, size) { i := add(i, 1) } { mstore8(add(add(b, 33), i), byte(i, word)) }
        }
    }
}
