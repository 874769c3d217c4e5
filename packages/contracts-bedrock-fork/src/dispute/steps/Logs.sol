// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Logs
/// @notice The chain over an operation's logs (docs/spec/machine.md): each log extends it to
///         keccak256(chain ‖ keccak256(rlp(log))), log = [address, [topics], data].
library Logs {
    /// @notice Extends the chain by a log.
    /// @param  chain   The chain so far.
    /// @param  emitter The log's address.
    /// @param  topics  How many topics there are, 1 to 4.
    /// @param  fields  The log's data: whole words.
    function extend(
        bytes32 chain,
        address emitter,
        uint256 topics,
        bytes32 t0,
        bytes32 t1,
        bytes32 t2,
        bytes32 t3,
        bytes memory fields
    )
        internal
        pure
        returns (bytes32)
    {
        bytes32 h = _hash(emitter, topics, [t0, t1, t2, t3], fields);
        return keccak256(abi.encode(chain, h));
    }

    /// @dev keccak256 of the log's RLP, built behind the memory in use.
    function _hash(
        address emitter,
        uint256 topics,
        bytes32[4] memory topic,
        bytes memory fields
    )
        private
        pure
        returns (bytes32 h)
    {
        unchecked {
            uint256 inner = 33 * topics; // bytes of the list of topics, without header
            uint256 size = 21 + _headerSize(inner) + inner + _headerSize(fields.length) + fields.length;
            uint256 start;
            assembly ("memory-safe") {
                start := mload(0x40)
            }
            uint256 p = _header(start, 0xc0, size);
            assembly ("memory-safe") {
                mstore8(p, 0x94) // a string of 20 bytes
                mstore(add(p, 1), shl(96, emitter))
            }
            p = _header(p + 21, 0xc0, inner);
            assembly ("memory-safe") {
                for { let i := 0 } lt(i, topics) { i := add(i, 1) } {
                    mstore8(p, 0xa0) // a string of 32 bytes
                    mstore(add(p, 1), mload(add(topic, shl(5, i))))
                    p := add(p, 33)
                }
            }
            p = _header(p, 0x80, fields.length);
            assembly ("memory-safe") {
                mcopy(p, add(fields, 32), mload(fields))
                h := keccak256(start, sub(add(p, mload(fields)), start))
            }
        }
    }

    /// @dev Bytes of the RLP header of n bytes; not for a string of one byte.
    function _headerSize(uint256 n) private pure returns (uint256) {
        if (n < 56) return 1;
        if (n < 0x100) return 2;
        return n < 0x10000 ? 3 : 4;
    }

    /// @dev Writes the RLP header of n bytes, less than 2^24, and returns the position after it. `base` is 0x80 for a string
    ///      (not of one byte), 0xc0 for a list. It may dirty the 31 bytes behind the header.
    function _header(uint256 p, uint256 base, uint256 n) private pure returns (uint256 next) {
        uint256 size = _headerSize(n);
        assembly ("memory-safe") {
            next := add(p, size)
            switch size
            case 1 { mstore8(p, add(base, n)) }
            default {
                mstore8(p, add(add(base, 54), size)) // 55 and the bytes of the length
                mstore(add(p, 1), shl(sub(264, shl(3, size)), n))
            }
        }
    }
}
