// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { OriginRLP } from "./OriginRLP.sol";
import { RLPReader } from "./RLPReader.sol";

/// @title ReceiptEncoder
/// @notice Receipts' bloom filters and consensus encoding. Mirrors agnt2/machine/receipt.go.
library ReceiptEncoder {
    /// @notice A bloom filter as a number of 2,048 bits, the highest word first.
    struct Bloom {
        uint256[8] words;
    }

    /// @notice The consensus encoding of a receipt, with its type in front.
    /// @param deposit       Whether the transaction is a deposit: the receipt then has nonce 0 and version 1 (OP specs, Canyon).
    /// @param ok            Whether the operation succeeded.
    /// @param cumulativeGas Gas of the block up to and with this transaction.
    /// @param bloom         The logs' bloom filter.
    /// @param logs          The logs' encodings, one after the other.
    function encode(
        bool deposit,
        bool ok,
        uint64 cumulativeGas,
        Bloom memory bloom,
        bytes memory logs
    )
        internal
        pure
        returns (bytes memory)
    {
        bytes memory head = abi.encodePacked(
            ok ? bytes1(0x01) : bytes1(0x80), OriginRLP.integer(cumulativeGas), hex"b90100", bloom.words
        );
        bytes memory list = OriginRLP.header(0xc0, logs.length);
        bytes memory tail = deposit ? bytes(hex"8001") : bytes("");
        uint256 size = head.length + list.length + logs.length + tail.length;
        bytes memory outer = OriginRLP.header(0xc0, size);
        return abi.encodePacked(deposit ? bytes1(0x7e) : bytes1(0x02), outer, head, list, logs, tail);
    }

    /// @notice Adds a log, by its encoding, to a bloom filter: its address and its topics.
    /// @dev A receipt can have 500 logs, so this is made with care for gas.
    function add(Bloom memory bloom, bytes calldata log) internal pure {
        unchecked {
            bytes calldata rest = RLPReader.list(log);
            if (rest.length < 22 || rest[0] != 0x94) revert RLPReader.InvalidRLP();
            bytes32 h;
            assembly ("memory-safe") {
                calldatacopy(0, add(rest.offset, 1), 20)
                h := keccak256(0, 20)
            }
            _add(bloom, h);
            bytes calldata topics;
            (topics, rest) = RLPReader.nextList(rest[21:]);
            if (topics.length % 33 != 0) revert RLPReader.InvalidRLP();
            for (uint256 i = 0; i < topics.length; i += 33) {
                if (topics[i] != 0xa0) revert RLPReader.InvalidRLP();
                assembly ("memory-safe") {
                    mstore(0, calldataload(add(topics.offset, add(i, 1))))
                    h := keccak256(0, 32)
                }
                _add(bloom, h);
            }
            (, rest) = RLPReader.nextString(rest);
            RLPReader.end(rest);
        }
    }

    /// @notice Adds all of another filter.
    function merge(Bloom memory bloom, Bloom memory other) internal pure {
        for (uint256 i = 0; i < 8; ++i) {
            bloom.words[i] |= other.words[i];
        }
    }

    /// @notice Hash of a filter's 256 bytes.
    function hash(Bloom memory bloom) internal pure returns (bytes32) {
        return keccak256(abi.encode(bloom.words));
    }

    /// @dev Three bits of 2,048, each named by 11 bits of the value's hash.
    function _add(Bloom memory bloom, bytes32 h) private pure {
        uint256[8] memory words = bloom.words;
        assembly ("memory-safe") {
            for { let shift := 240 } gt(shift, 207) { shift := sub(shift, 16) } {
                let bit := and(shr(shift, h), 2047)
                let word := add(words, shl(5, sub(7, shr(8, bit))))
                mstore(word, or(mload(word), shl(and(bit, 255), 1)))
            }
        }
    }
}
