// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title RLPReader
/// @notice Reads RLP (yellow paper, appendix B) in calldata, strictly: an item that is truncated, that has a shorter
///         encoding or that is of another kind than asked for reverts with InvalidRLP. go-ethereum's rlp.Split accepts
///         the same.
/// @dev    A list is read by taking its payload and then items off its beginning, until `end`. The content of a list is
///         not looked at before it is read.
library RLPReader {
    /// @notice What was to be read is not RLP, or not the item that was expected.
    error InvalidRLP();

    /// @notice Reads the header of the first item in b.
    /// @return offset Where the item's content begins.
    /// @return length The content's length; offset + length is never beyond the end of b.
    /// @return isList Whether the content is that of a list.
    function header(bytes calldata b) internal pure returns (uint256 offset, uint256 length, bool isList) {
        unchecked {
            if (b.length == 0) revert InvalidRLP();
            uint256 word;
            // What stands after b is of no consequence: lengths are compared before it could count.
            assembly ("memory-safe") {
                word := calldataload(b.offset)
            }
            uint256 first = word >> 248;
            if (first < 0x80) return (0, 1, false);
            isList = first >= 0xc0;
            length = first - (isList ? 0xc0 : 0x80);
            offset = 1;
            if (length > 55) {
                uint256 bytesOfLength = length - 55; // 1 to 8
                offset = 1 + bytesOfLength;
                length = (word << 8) >> (256 - 8 * bytesOfLength);
                if (offset > b.length || length < 56 || length >> (8 * (bytesOfLength - 1)) == 0) revert InvalidRLP();
            }
            if (length > b.length - offset) revert InvalidRLP();
            if (length == 1 && !isList && (word >> 240) & 0xff < 0x80) revert InvalidRLP();
        }
    }

    /// @notice Returns the payload of the list that the whole of b is.
    function list(bytes calldata b) internal pure returns (bytes calldata payload) {
        bytes calldata rest;
        (payload, rest) = nextList(b);
        end(rest);
    }

    /// @notice Requires that everything has been read.
    function end(bytes calldata rest) internal pure {
        if (rest.length != 0) revert InvalidRLP();
    }

    /// @notice Takes the first item off b, with its header.
    function nextItem(bytes calldata b) internal pure returns (bytes calldata item, bytes calldata rest) {
        (uint256 offset, uint256 length,) = header(b);
        return _split(b, 0, offset + length);
    }

    /// @notice Takes a string off b.
    function nextString(bytes calldata b) internal pure returns (bytes calldata content, bytes calldata rest) {
        (uint256 offset, uint256 length, bool isList) = header(b);
        if (isList) revert InvalidRLP();
        return _split(b, offset, offset + length);
    }

    /// @notice Takes a list off b and returns its payload.
    function nextList(bytes calldata b) internal pure returns (bytes calldata payload, bytes calldata rest) {
        (uint256 offset, uint256 length, bool isList) = header(b);
        if (!isList) revert InvalidRLP();
        return _split(b, offset, offset + length);
    }

    /// @notice Takes an integer of at most `size` bytes off b; size ≤ 32. Leading zeros are refused.
    function nextUint(bytes calldata b, uint256 size) internal pure returns (uint256 value, bytes calldata rest) {
        bytes calldata content;
        (content, rest) = nextString(b);
        if (content.length > size) revert InvalidRLP();
        value = _load(content);
        unchecked {
            if (content.length > 0 && value >> (8 * (content.length - 1)) == 0) revert InvalidRLP();
        }
    }

    /// @notice Takes a string of exactly `size` bytes off b and returns it as an integer; size ≤ 32.
    function nextFixed(bytes calldata b, uint256 size) internal pure returns (uint256 value, bytes calldata rest) {
        bytes calldata content;
        (content, rest) = nextString(b);
        if (content.length != size) revert InvalidRLP();
        value = _load(content);
    }

    /// @notice Takes a string of 32 bytes off b.
    function nextBytes32(bytes calldata b) internal pure returns (bytes32 value, bytes calldata rest) {
        uint256 word;
        (word, rest) = nextFixed(b, 32);
        value = bytes32(word);
    }

    /// @notice Takes an address off b.
    function nextAddress(bytes calldata b) internal pure returns (address value, bytes calldata rest) {
        uint256 word;
        (word, rest) = nextFixed(b, 20);
        value = address(uint160(word));
    }

    /// @dev The string, of at most 32 bytes, as an integer.
    function _load(bytes calldata content) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, mul(8, content.length)), calldataload(content.offset))
        }
    }

    /// @dev b[from:to] and b[to:], with bounds that `header` has checked.
    function _split(
        bytes calldata b,
        uint256 from,
        uint256 to
    )
        private
        pure
        returns (bytes calldata part, bytes calldata rest)
    {
        assembly ("memory-safe") {
            part.offset := add(b.offset, from)
            part.length := sub(to, from)
            rest.offset := add(b.offset, to)
            rest.length := sub(b.length, to)
        }
    }
}
