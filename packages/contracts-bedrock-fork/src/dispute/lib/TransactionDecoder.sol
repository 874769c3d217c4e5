// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IFrames } from "../IFrames.sol";
import { OriginRLP } from "./OriginRLP.sol";
import { RLPReader } from "./RLPReader.sol";

/// @title TransactionDecoder
/// @notice Decodes signed transactions and deposits to the frame of a transaction that has not begun. Mirrors agnt2/abi's Decode,
///         and go-ethereum's strict RLP under it.
library TransactionDecoder {
    /// @notice The bytes are not the encoding of a deposit: the ORIGIN phase never makes such.
    error MalformedDeposit();
    /// @notice The precompile that recovers senders could not run.
    error RecoveryFailed();

    /// @notice The longest encoding, in bytes: agnt2/abi's MaxTransactionBytes.
    uint256 internal constant MAX_BYTES = 98_304;
    /// @dev Shorter ones are malformed: they would stand inside their parent in the block's transaction trie.
    uint256 internal constant MIN_BYTES = 32;
    uint8 internal constant DYNAMIC_FEE_TYPE = 2; // EIP-1559
    uint8 internal constant DEPOSIT_TYPE = 0x7e; // OP specs, Deposits

    /// @dev Order of secp256k1.
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    /// @dev A position behind which there is nothing: what was read last was not as it must be. It passes through all reads.
    uint256 private constant NOWHERE = type(uint256).max;

    /// @notice Decodes a signed transaction and recovers its sender. It never reverts for what is in the bytes: those that are
    ///         not a well-formed transaction of this chain are malformed.
    /// @param raw     The EIP-2718 bytes.
    /// @param chainId The chain.
    /// @return ok Whether it is well-formed.
    /// @return t  The frame; meaningless if it is not.
    function decodeSigned(bytes calldata raw, uint64 chainId) internal view returns (bool ok, IFrames.Tx memory t) {
        if (raw.length > MAX_BYTES || raw.length < MIN_BYTES || uint8(raw[0]) != DYNAMIC_FEE_TYPE) return (false, t);
        (bool isList, uint256 first, uint256 end) = _item(raw, 1, raw.length);
        if (!isList || end != raw.length) return (false, t);
        uint256 pos;
        (ok, pos) = _fields(raw, first, end, chainId, t);
        if (!ok) return (false, t);
        uint256 behind = pos;
        uint256 v;
        uint256 r;
        uint256 s;
        (v, pos) = _integer(raw, pos, end, 32);
        (r, pos) = _integer(raw, pos, end, 32);
        (s, pos) = _integer(raw, pos, end, 32);
        if (pos != end || v > 1 || r == 0 || r >= ORDER || s == 0 || s > ORDER / 2) return (false, t);
        t.from = _recover(_signingHash(raw[first:behind]), v, r, s);
        t.size = uint32(raw.length);
        t.hash = keccak256(raw);
        ok = t.from != address(0);
    }

    /// @dev Reads the nine fields that are signed. Returns the position behind them.
    function _fields(
        bytes calldata raw,
        uint256 pos,
        uint256 end,
        uint64 chainId,
        IFrames.Tx memory t
    )
        private
        pure
        returns (bool ok, uint256)
    {
        uint256 value;
        (value, pos) = _integer(raw, pos, end, 32);
        ok = value == chainId;
        (value, pos) = _integer(raw, pos, end, 8);
        t.nonce = uint64(value);
        (t.tipCap, pos) = _integer(raw, pos, end, 32);
        (t.feeCap, pos) = _integer(raw, pos, end, 32);
        (value, pos) = _integer(raw, pos, end, 8);
        t.gasLimit = uint64(value);
        ok = ok && t.nonce != type(uint64).max && t.feeCap >= t.tipCap;

        (bool isList, uint256 start, uint256 stop) = _item(raw, pos, end);
        if (isList || stop == NOWHERE) return (false, pos);
        unchecked {
            if (stop - start == 0) t.creation = true;
            else if (stop - start == 20) t.to = address(bytes20(raw[start:stop]));
            else return (false, pos);
        }
        (t.value, pos) = _integer(raw, stop, end, 32);
        (isList, start, stop) = _item(raw, pos, end);
        // The access list must be there, and empty.
        if (isList || stop >= end || uint8(raw[stop]) != 0xc0) return (false, pos);
        t.data = keccak256(raw[start:stop]);
        unchecked {
            return (ok, stop + 1);
        }
    }

    /// @dev Reads the header of the item at `pos`, which must end at `end` or before.
    /// @return isList Whether it is a list.
    /// @return start  Where its content begins.
    /// @return stop   Where it ends; NOWHERE if there is no canonical item.
    function _item(
        bytes calldata raw,
        uint256 pos,
        uint256 end
    )
        private
        pure
        returns (bool isList, uint256 start, uint256 stop)
    {
        if (pos >= end) return (false, 0, NOWHERE);
        unchecked {
            uint256 word;
            // What stands behind the end is of no consequence: lengths are compared before it could count.
            assembly ("memory-safe") {
                word := calldataload(add(raw.offset, pos))
            }
            uint256 tag = word >> 248;
            if (tag < 0x80) return (false, pos, pos + 1);
            isList = tag >= 0xc0;
            uint256 length = tag & 0x3f;
            start = pos + 1;
            if (length > 55) {
                uint256 lengthBytes = length - 55; // 1 to 8
                start += lengthBytes;
                length = (word << 8) >> (256 - 8 * lengthBytes);
                if (start > end || length < 56 || length >> (8 * (lengthBytes - 1)) == 0) return (false, 0, NOWHERE);
            }
            if (length > end - start) return (false, 0, NOWHERE);
            if (tag == 0x81 && (word >> 240) & 0xff < 0x80) return (false, 0, NOWHERE);
            stop = start + length;
        }
    }

    /// @dev Reads an integer of at most `size` ≤ 32 bytes without leading zeros.
    /// @return value The integer; 0 if there is none.
    /// @return next  Where what follows begins; NOWHERE if there is none.
    function _integer(
        bytes calldata raw,
        uint256 pos,
        uint256 end,
        uint256 size
    )
        private
        pure
        returns (uint256 value, uint256 next)
    {
        (bool isList, uint256 start, uint256 stop) = _item(raw, pos, end);
        if (isList || stop == NOWHERE) return (0, NOWHERE);
        unchecked {
            uint256 length = stop - start;
            if (length > size) return (0, NOWHERE);
            assembly ("memory-safe") {
                value := shr(sub(256, shl(3, length)), calldataload(add(raw.offset, start)))
            }
            if (length > 0 && value >> (8 * (length - 1)) == 0) return (0, NOWHERE);
        }
        next = stop;
    }

    /// @dev What is signed: the type and the list of the nine fields (EIP-1559).
    function _signingHash(bytes calldata fields) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(DYNAMIC_FEE_TYPE), OriginRLP.header(0xc0, fields.length), fields));
    }

    /// @dev The signer, or zero if the signature has none. Unlike `ecrecover` this tells apart a signature without a signer, for
    ///      which the precompile returns nothing, and a call that ran out of gas.
    function _recover(bytes32 hash, uint256 v, uint256 r, uint256 s) private view returns (address signer) {
        bool success;
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, hash)
            mstore(add(p, 0x20), add(27, v))
            mstore(add(p, 0x40), r)
            mstore(add(p, 0x60), s)
            mstore(0, 0)
            success := staticcall(gas(), 1, p, 0x80, 0, 0x20)
            signer := mload(0)
        }
        if (!success) revert RecoveryFailed();
    }

    /// @notice Decodes a deposit: bytes that the machine has made itself or that the ORIGIN phase has derived, so that anything
    ///         else reverts.
    /// @param raw Type 0x7e and the list of source hash, sender, recipient, mint, value, gas limit, system mark and calldata.
    function decodeDeposit(bytes calldata raw) internal pure returns (IFrames.Tx memory t) {
        if (raw.length == 0 || uint8(raw[0]) != DEPOSIT_TYPE) revert MalformedDeposit();
        bytes calldata rest = RLPReader.list(raw[1:]);
        (, rest) = RLPReader.nextBytes32(rest);
        (t.from, rest) = RLPReader.nextAddress(rest);
        bytes calldata content;
        (content, rest) = RLPReader.nextString(rest);
        if (content.length == 0) t.creation = true;
        else if (content.length == 20) t.to = address(bytes20(content));
        else revert MalformedDeposit();
        (t.mint, rest) = RLPReader.nextUint(rest, 32);
        (t.value, rest) = RLPReader.nextUint(rest, 32);
        uint256 number;
        (number, rest) = RLPReader.nextUint(rest, 8);
        t.gasLimit = uint64(number);
        (number, rest) = RLPReader.nextUint(rest, 1);
        if (number > 1) revert MalformedDeposit();
        (content, rest) = RLPReader.nextString(rest);
        RLPReader.end(rest);
        t.data = keccak256(content);
        t.deposit = true;
        t.size = uint32(raw.length);
        t.hash = keccak256(raw);
    }
}
