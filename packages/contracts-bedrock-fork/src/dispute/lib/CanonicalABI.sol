// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title CanonicalABI
/// @notice Tells whether bytes are the one canonical ABI encoding of an argument list (docs/spec/transactions.md): every
///         offset points to the next free position of the tail, every value is in its type's range, padding is zero, and
///         no byte is missing or left over. It mirrors the decoders that agnt2/abi/gen generates for the engine.
///         Strings are bytes: UTF-8 is not checked. Enumerations are uint8: a value outside the enumeration is canonical,
///         so decode it as uint8.
/// @dev The types come as a schema, made by agnt2/abi/gen. An argument list, like every dynamic struct, is
///
///          words  1 byte   size of the head part in words
///          fields          one after the other, static structs and fixed arrays in line
///
///      and a field is one of
///
///          0x00            any word: uint256, bytes32
///          0x01 … 0x1f     unsigned integer of so many bytes; an address is 0x14
///          0x20            bool
///          0x21 … 0x3f     bytes1 … bytes31
///          0x40            bytes, string
///          0x41 n element  dynamic array of a dynamic type, whose description takes n bytes
///          0x42 n struct   dynamic struct, whose description takes n bytes
///          0x43 n struct   dynamic array of a static type, whose description as a struct takes n bytes
///          0x61 … 0x7f     signed integer of so many bytes and 0x60
///
///      The work is linear in the bytes: every step of a loop consumes a word of them or ends the check.
library CanonicalABI {
    /// @dev A position behind the end: the bytes are not canonical.
    uint256 private constant NONE = type(uint256).max;

    /// @notice Whether `args` is the canonical encoding of an argument list with this schema. Never reverts. If the answer
    ///         is yes, abi.decode of `args` succeeds, and encoding the result gives `args`.
    /// @param  args   Calldata without selector.
    /// @param  schema A schema as agnt2/abi/gen makes it; not checked.
    function isCanonical(bytes calldata args, bytes memory schema) internal pure returns (bool) {
        uint256 from;
        uint256 end;
        uint256 s;
        assembly ("memory-safe") {
            from := args.offset
            end := add(from, args.length)
            s := add(schema, 32)
        }
        unchecked {
            return _struct(s, s + schema.length, from, end) == end;
        }
    }

    /// @dev Checks the struct at `from`, described by the memory from s to sEnd. Like all functions here, it takes a position
    ///      in calldata that is not behind `end`, and returns the one after the value, or NONE.
    function _struct(uint256 s, uint256 sEnd, uint256 from, uint256 end) private pure returns (uint256 tail) {
        unchecked {
            tail = 32 * _byte(s);
            if (end - from < tail) return NONE;
            tail += from;
            uint256 head = from;
            for (++s; s < sEnd; head += 32) {
                uint256 kind = _byte(s++);
                if (kind < 0x40 || kind > 0x60) {
                    if (!_word(kind, head)) return NONE;
                    continue;
                }
                if (_load(head) != tail - from) return NONE;
                if (kind == 0x40) {
                    tail = _bytes(tail, end);
                } else {
                    uint256 size = _byte(s++);
                    tail = _dynamic(kind, s, s + size, tail, end);
                    s += size;
                }
                if (tail == NONE) return NONE;
            }
        }
    }

    /// @dev Checks a dynamic value other than bytes.
    function _dynamic(uint256 kind, uint256 s, uint256 sEnd, uint256 from, uint256 end) private pure returns (uint256) {
        if (kind == 0x42) return _struct(s, sEnd, from, end);
        if (kind == 0x43) return _staticArray(s, sEnd, from, end);
        return _dynamicArray(s, sEnd, from, end);
    }

    /// @dev Checks a length and as many static elements.
    function _staticArray(uint256 s, uint256 sEnd, uint256 from, uint256 end) private pure returns (uint256) {
        unchecked {
            if (end - from < 32) return NONE;
            uint256 count = _load(from);
            from += 32;
            uint256 words = _byte(s++);
            if (count > (end - from) / (32 * words)) return NONE;
            end = from + 32 * words * count;
            while (from < end) {
                for (uint256 i = s; i < sEnd; ++i) {
                    if (!_word(_byte(i), from)) return NONE;
                    from += 32;
                }
            }
            return end;
        }
    }

    /// @dev Checks a length, as many offsets, and as many dynamic elements.
    function _dynamicArray(uint256 s, uint256 sEnd, uint256 from, uint256 end) private pure returns (uint256 tail) {
        unchecked {
            if (end - from < 32) return NONE;
            uint256 count = _load(from);
            from += 32;
            if (count > (end - from) / 32) return NONE;
            uint256 kind = _byte(s);
            s += 2; // kind and size; the element's description ends at sEnd
            tail = from + 32 * count;
            uint256 heads = tail;
            for (uint256 head = from; head < heads; head += 32) {
                if (_load(head) != tail - from) return NONE;
                tail = kind == 0x40 ? _bytes(tail, end) : _dynamic(kind, s, sEnd, tail, end);
                if (tail == NONE) return NONE;
            }
        }
    }

    /// @dev Checks a length, as many bytes, and zero padding to whole words.
    function _bytes(uint256 from, uint256 end) private pure returns (uint256 next) {
        unchecked {
            if (end - from < 32) return NONE;
            uint256 size = _load(from);
            from += 32;
            if (size > end - from) return NONE;
            uint256 spare = size & 31;
            next = from + size;
            if (spare != 0) {
                next += 32 - spare;
                if (next > end || _load(next - 32) << (8 * spare) != 0) return NONE;
            }
        }
    }

    /// @dev Whether the word at a position is in range.
    function _word(uint256 kind, uint256 from) private pure returns (bool) {
        unchecked {
            if (kind == 0) return true;
            if (kind < 0x20) return _load(from) >> (8 * kind) == 0;
            if (kind == 0x20) return _load(from) < 2;
            if (kind > 0x60) return _isSigned(kind - 0x61, _load(from));
            return _load(from) << (8 * (kind - 0x20)) == 0;
        }
    }

    /// @dev Whether a word is the sign extension of its bytes up to the one of a number, counted from the lowest.
    function _isSigned(uint256 highest, uint256 value) private pure returns (bool yes) {
        assembly ("memory-safe") {
            yes := eq(signextend(highest, value), value)
        }
    }

    /// @dev A word of calldata.
    function _load(uint256 from) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := calldataload(from)
        }
    }

    /// @dev A byte of memory.
    function _byte(uint256 pointer) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(0, mload(pointer))
        }
    }
}
