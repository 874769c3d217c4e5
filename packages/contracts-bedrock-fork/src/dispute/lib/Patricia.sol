// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { RLPReader } from "./RLPReader.sol";

/// @title Patricia
/// @notice Merkle-Patricia tries (yellow paper, appendix D) as the fault-proof machine needs them: proofs of presence and
///         of absence, and insertion. Mirrors the Go package agnt2/machine/patricia function by function.
/// @dev    For given inputs without the witness (`nodes`, in the order of their path, root first, as eth_getProof lists
///         them) there is at most one result: a wrong, missing or superfluous node reverts.
library Patricia {
    /// @notice The RLP is valid but it is not that of a trie node.
    error MalformedNode();
    /// @notice The witness ends before the path does.
    error MissingNode();
    /// @notice A node does not have the hash that its parent or the root names.
    error WrongNode();
    /// @notice The path ends before the witness does.
    error UnusedNode();
    /// @notice The path ends within the nodes, so there is no hash left to read elsewhere.
    error NoReference();
    /// @notice The key to insert has a value.
    error KeyPresent();
    /// @notice A value is shorter or longer than its trie can hold.
    error ValueSize();
    /// @notice A key is longer than 32 bytes.
    error KeySize();

    /// @notice The root of a trie without values: keccak256(0x80).
    bytes32 internal constant EMPTY_ROOT = 0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421;

    /// @notice The longest value that `insert` takes, in bytes.
    uint256 internal constant MAX_INSERT_LENGTH = 55;

    /// @notice The shortest value of an ordered trie, in bytes. From 29 on no leaf stands in its parent, so that all
    ///         references are hashes.
    uint256 internal constant MIN_VALUE_LENGTH = 32;

    /// @dev A node below this size stands in its parent, one from it on is referred to by its hash.
    uint256 private constant INLINE_LIMIT = 32;
    uint256 private constant BRANCH_ITEMS = 17;
    /// @dev The longest rest of a key that leafValueOffset takes: that of an ordered trie.
    uint256 private constant MAX_LEAF_NIBBLES = 8;

    enum Outcome {
        Nothing,
        Value,
        Reference
    }

    enum Child {
        None,
        Hash,
        Inline
    }

    /// @dev Positions are offsets in calldata. Of a branch, `child` is the item that the key leads to: 16, its value, if
    ///      the key ends there. Of an extension it is the child, of a leaf the value.
    struct Node {
        uint256 payload;
        uint256 end;
        uint256 child;
        uint256 childEnd;
        bool branch;
        bool leaf;
        bytes32 path; // from the highest bits on; what follows `count` nibbles is not defined
        uint256 count; // nibbles
    }

    /// @dev How far along its path a key has been followed.
    struct Position {
        bytes32 key; // what is left of it, from the highest bits on
        uint256 rest; // nibbles of it
        uint256 used; // nodes of the witness
        Child kind; // of the next node: it has a hash, or it stands in the current one
        bytes32 hash;
        Node node; // the current one
    }

    // ---------------------------------------------------------------- reading

    /// @notice Returns the value of a key in the trie of root, or present = false where it has none.
    /// @param key   The key, from the highest byte on; hashed by the caller where the trie is a secure one.
    /// @param size  The length of the key in bytes, at most 32.
    /// @param nodes The nodes on the key's path that are referred to by hash.
    /// @return value   A part of nodes.
    /// @return present Whether there is a value.
    function walk(
        bytes32 root,
        bytes32 key,
        uint256 size,
        bytes[] calldata nodes
    )
        internal
        pure
        returns (bytes calldata value, bool present)
    {
        Outcome outcome;
        (outcome, value,) = _walk(root, key, size, nodes);
        if (outcome == Outcome.Reference) revert MissingNode();
        present = outcome == Outcome.Value;
    }

    /// @notice Returns the hash of the node to which `nodes` lead on the path of key, and the nibbles of the key up to it.
    ///         With the nodes of `walk` less its last, the leaf, that is the leaf: one too large to be passed as a whole.
    /// @dev    With fewer nodes it is a branch or an extension, so the result is not unique yet: pass the beginning of the
    ///         preimage of `hash`, proven to be that, to leafValueOffset in the same step before committing to anything.
    function walkReference(
        bytes32 root,
        bytes32 key,
        uint256 size,
        bytes[] calldata nodes
    )
        internal
        pure
        returns (bytes32 hash, uint256 consumed)
    {
        (Outcome outcome,, Position memory p) = _walk(root, key, size, nodes);
        if (outcome != Outcome.Reference) revert NoReference();
        unchecked {
            return (p.hash, 2 * size - p.rest);
        }
    }

    /// @notice Checks that a node of `length` bytes that begins with prefix is the leaf of key after `consumed` nibbles,
    ///         and returns where in it the value begins; the value ends with the leaf.
    /// @dev    Bytes of prefix after the value's beginning are ignored. For ordered tries: at most 8 nibbles of the key may
    ///         be left, the value has at least MIN_VALUE_LENGTH bytes and the leaf less than 2^32.
    function leafValueOffset(
        bytes24 prefix,
        uint256 length,
        bytes32 key,
        uint256 size,
        uint256 consumed
    )
        internal
        pure
        returns (uint256 offset)
    {
        unchecked {
            uint256 nibbles = 2 * size;
            if (consumed > nibbles || nibbles - consumed > MAX_LEAF_NIBBLES || length >= 1 << 32) {
                revert MalformedNode();
            }
            uint256 count = nibbles - consumed;
            uint256 path = uint256(key << (4 * consumed)) >> (256 - 4 * count);
            (, uint256 item) = shortPath(path, count, 2);
            uint256 payload = _bodyLength(length);
            if (payload < item) revert MalformedNode();
            uint256 value = _bodyLength(payload - item);
            if (value < MIN_VALUE_LENGTH) revert MalformedNode();
            uint256 want;
            (want, offset) = leafPrefix(path, count, value);
            if (uint256(uint192(prefix)) >> (192 - 8 * offset) != want) revert MalformedNode();
        }
    }

    /// @notice Returns the storage root of an account in L1's state, EMPTY_ROOT for an account that does not exist.
    function storageRoot(
        bytes32 stateRoot,
        address account,
        bytes[] calldata nodes
    )
        internal
        pure
        returns (bytes32 root)
    {
        (bytes calldata b, bool present) = walk(stateRoot, keccak256(abi.encodePacked(account)), 32, nodes);
        if (!present) return EMPTY_ROOT;
        b = RLPReader.list(b);
        (, b) = RLPReader.nextUint(b, 8); // nonce
        (, b) = RLPReader.nextUint(b, 32); // balance
        (root, b) = RLPReader.nextBytes32(b);
        (, b) = RLPReader.nextBytes32(b); // code hash
        RLPReader.end(b);
    }

    /// @notice Returns the word in a storage slot, zero for one that was never written.
    function storageAt(bytes32 root, bytes32 slot, bytes[] calldata nodes) internal pure returns (bytes32 word) {
        (bytes calldata b, bool present) = walk(root, keccak256(abi.encode(slot)), 32, nodes);
        if (!present) return 0;
        uint256 value;
        (value, b) = RLPReader.nextUint(b, 32);
        RLPReader.end(b);
        if (value == 0) revert RLPReader.InvalidRLP();
        word = bytes32(value);
    }

    /// @dev A reference is p.hash.
    function _walk(
        bytes32 root,
        bytes32 key,
        uint256 size,
        bytes[] calldata nodes
    )
        private
        pure
        returns (Outcome outcome, bytes calldata value, Position memory p)
    {
        if (size > 32) revert KeySize();
        value = msg.data[:0];
        if (root == EMPTY_ROOT) {
            if (nodes.length != 0) revert UnusedNode();
            return (Outcome.Nothing, value, p);
        }
        (p.key, p.rest, p.hash, p.kind) = (key, 2 * size, root, Child.Hash);
        Node memory n = p.node;
        while (p.kind != Child.None) {
            if (p.kind == Child.Hash && p.used == nodes.length) return (Outcome.Reference, value, p);
            _enter(p, nodes);
            if (n.branch && p.rest == 0) {
                value = _value(n);
                if (value.length != 0) outcome = Outcome.Value;
                break;
            }
            if (!n.branch) {
                if (!_leadsOn(p)) break;
                if (n.leaf) {
                    if (n.count != p.rest) break;
                    value = _value(n);
                    if (value.length == 0) revert MalformedNode();
                    outcome = Outcome.Value;
                    break;
                }
            }
            _follow(p);
        }
        if (p.used != nodes.length) revert UnusedNode();
    }

    /// @dev Reads the next node.
    function _enter(Position memory p, bytes[] calldata nodes) private pure {
        Node memory n = p.node;
        uint256 wanted = p.rest == 0 ? BRANCH_ITEMS - 1 : uint256(p.key) >> 252;
        if (p.kind == Child.Inline) {
            _decode(n, _calldata(n.child, n.childEnd), wanted);
            return;
        }
        if (p.used == nodes.length) revert MissingNode();
        bytes calldata encoded = nodes[p.used];
        if (keccak256(encoded) != p.hash) revert WrongNode();
        unchecked {
            ++p.used;
        }
        _decode(n, encoded, wanted);
    }

    /// @dev Whether the node's path is the beginning of the rest of the key.
    function _leadsOn(Position memory p) private pure returns (bool) {
        uint256 count = p.node.count;
        unchecked {
            return count <= p.rest && uint256(p.key ^ p.node.path) >> (256 - 4 * count) == 0;
        }
    }

    /// @dev Goes on to the child of a branch or an extension.
    function _follow(Position memory p) private pure {
        unchecked {
            uint256 count = p.node.branch ? 1 : p.node.count;
            p.key <<= 4 * count;
            p.rest -= count;
        }
        (p.kind, p.hash) = _child(p.node);
    }

    // ---------------------------------------------------------------- insertion

    /// @notice Returns the root of the trie after `key` got `value`.
    /// @dev    The key must be absent, all keys must have 32 bytes, the trie must not be empty. `nodes` are those that
    ///         prove the absence to `walk`.
    /// @param value 1 to MAX_INSERT_LENGTH bytes: RLP in storage tries, 0x01 for the word 1.
    function insert(
        bytes32 root,
        bytes32 key,
        bytes memory value,
        bytes[] calldata nodes
    )
        internal
        pure
        returns (bytes32)
    {
        if (value.length == 0 || value.length > MAX_INSERT_LENGTH) revert ValueSize();
        Position memory p;
        (p.key, p.rest, p.hash, p.kind) = (key, 64, root, Child.Hash);
        // The changed nodes, root first. In 64 bits each: where a node's payload begins, where the changed reference in it
        // begins and ends, where the node ends.
        uint256[64] memory steps;
        uint256 depth;
        bytes memory changed;
        unchecked {
            while (changed.length == 0) {
                _enter(p, nodes);
                Node memory n = p.node;
                if (n.branch ? p.rest == 0 : n.leaf || !_leadsOn(p)) {
                    changed = _split(n, p.key, p.rest, value);
                } else {
                    steps[depth++] = n.payload << 192 | n.child << 128 | n.childEnd << 64 | n.end;
                    _follow(p);
                    if (p.kind == Child.None) changed = _leaf(p.key, p.rest, _stringItem(value));
                }
            }
            if (p.used != nodes.length) revert UnusedNode();
            while (depth > 0) {
                uint256 step = steps[--depth];
                bytes calldata before = _calldata(step >> 192, (step >> 128) & type(uint64).max);
                bytes calldata rest = _calldata((step >> 64) & type(uint64).max, step & type(uint64).max);
                changed = _list(bytes.concat(before, _reference(changed), rest));
            }
        }
        return keccak256(changed);
    }

    /// @dev A leaf or an extension that shares only a beginning with the rest of the key: a branch where they part, with
    ///      the remainder of the node and the new leaf below, behind an extension if something is shared.
    function _split(
        Node memory n,
        bytes32 key,
        uint256 rest,
        bytes memory value
    )
        private
        pure
        returns (bytes memory branch)
    {
        unchecked {
            if (n.branch || n.count > rest || (n.leaf && n.count != rest)) revert MalformedNode();
            uint256 shared;
            while (shared < n.count && (n.path ^ key) << (4 * shared) < bytes32(uint256(1) << 252)) ++shared;
            if (shared == rest) revert KeyPresent();
            bytes memory old = bytes.concat(_calldata(n.child, n.childEnd));
            uint256 count = n.count - shared - 1;
            bytes32 path = n.path << (4 * (shared + 1));
            if (n.leaf) {
                if (_value(n).length == 0) revert MalformedNode();
                old = _reference(_leaf(path, count, old));
            } else {
                _child(n); // reverts if it is none
                if (count != 0) old = _reference(_list(bytes.concat(_path(path, count, 0), old)));
            }
            uint256 i = uint256(n.path << (4 * shared)) >> 252;
            uint256 j = uint256(key << (4 * shared)) >> 252;
            bytes memory fresh = _reference(_leaf(key << (4 * (shared + 1)), rest - shared - 1, _stringItem(value)));
            if (i > j) (i, j, old, fresh) = (j, i, fresh, old);
            branch = _list(bytes.concat(_empty(i), old, _empty(j - i - 1), fresh, _empty(BRANCH_ITEMS - 1 - j)));
            if (shared != 0) branch = _list(bytes.concat(_path(n.path, shared, 0), _reference(branch)));
        }
    }

    // ---------------------------------------------------------------- nodes

    /// @dev Reads a node into n. `wanted` is the item to return of a branch.
    function _decode(Node memory n, bytes calldata encoded, uint256 wanted) private pure {
        bytes calldata rest = RLPReader.list(encoded);
        unchecked {
            uint256 pos;
            assembly ("memory-safe") {
                pos := rest.offset
            }
            uint256 end = pos + rest.length;
            (n.payload, n.end) = (pos, end);
            uint256 items;
            uint256 second;
            while (pos < end) {
                uint256 first;
                assembly ("memory-safe") {
                    first := byte(0, calldataload(pos))
                }
                uint256 next = pos + 1;
                if (first == 0xa0) {
                    next = pos + 33;
                    if (next > end) revert RLPReader.InvalidRLP();
                } else if (first != 0x80) {
                    (uint256 offset, uint256 length,) = RLPReader.header(_calldata(pos, end));
                    next = pos + offset + length;
                }
                if (items == wanted) (n.child, n.childEnd) = (pos, next);
                if (items == 1) second = pos;
                pos = next;
                ++items;
            }
            n.branch = items == BRANCH_ITEMS;
            n.leaf = false;
            if (n.branch) return;
            if (items != 2) revert MalformedNode();
            (n.child, n.childEnd) = (second, n.end);
            (bytes calldata compact,) = RLPReader.nextString(_calldata(n.payload, n.end));
            if (compact.length == 0) revert MalformedNode();
            bytes32 word;
            bytes32 tail;
            assembly ("memory-safe") {
                word := calldataload(compact.offset)
                tail := calldataload(add(compact.offset, 1))
            }
            uint256 flag = uint256(word) >> 252;
            n.count = 2 * compact.length - 2 + (flag & 1);
            n.leaf = flag & 2 != 0;
            n.path = flag & 1 == 1 ? word << 4 : tail;
            if (
                flag > 3 || n.count > 64 || (flag & 1 == 0 && uint256(word) >> 248 & 15 != 0)
                    || (n.count == 0 && !n.leaf)
            ) revert MalformedNode();
        }
    }

    /// @dev The string at n.child.
    function _value(Node memory n) private pure returns (bytes calldata value) {
        (value,) = RLPReader.nextString(_calldata(n.child, n.childEnd));
    }

    /// @dev Reads the reference at n.child.
    function _child(Node memory n) private pure returns (Child kind, bytes32 hash) {
        bytes calldata item = _calldata(n.child, n.childEnd);
        (, uint256 length, bool isList) = RLPReader.header(item);
        if (isList && item.length < INLINE_LIMIT) return (Child.Inline, hash);
        if (!isList && length == 0 && n.branch) return (Child.None, hash);
        if (isList || length != 32) revert MalformedNode();
        assembly ("memory-safe") {
            hash := calldataload(add(item.offset, 1))
        }
        return (Child.Hash, hash);
    }

    /// @dev Calldata from one offset to another.
    function _calldata(uint256 from, uint256 to) private pure returns (bytes calldata b) {
        assembly ("memory-safe") {
            b.offset := from
            b.length := sub(to, from)
        }
    }

    // ---------------------------------------------------------------- encoding

    /// @notice The RLP header of `length` bytes as an integer of `size` bytes; base is 0x80 for a string, 0xc0 for a list.
    function header(uint256 base, uint256 length) internal pure returns (uint256 word, uint256 size) {
        unchecked {
            if (length <= 55) return (base + length, 1);
            uint256 n;
            while (length >> (8 * n) != 0) ++n;
            return (((base + 55 + n) << (8 * n)) | length, 1 + n);
        }
    }

    /// @notice A path of at most 8 nibbles in hex-prefix encoding, as an RLP item: an integer of `size` bytes.
    /// @param path  The nibbles as an integer.
    /// @param count Their number.
    /// @param flag  2 for a leaf, 0 for an extension.
    function shortPath(uint256 path, uint256 count, uint256 flag) internal pure returns (uint256 word, uint256 size) {
        unchecked {
            size = count / 2 + 1;
            word = path | (count & 1 == 1 ? (flag + 1) << (4 * count) : flag << (4 * count + 4));
            if (size > 1) {
                word |= (0x80 + size) << (8 * size);
                ++size;
            }
        }
    }

    /// @notice What stands in a leaf before its value of `length` > 1 bytes, as an integer of `size` bytes.
    function leafPrefix(uint256 path, uint256 count, uint256 length)
        internal
        pure
        returns (uint256 word, uint256 size)
    {
        unchecked {
            (uint256 valueWord, uint256 valueSize) = header(0x80, length);
            (uint256 pathWord, uint256 pathSize) = shortPath(path, count, 2);
            (word, size) = header(0xc0, pathSize + valueSize + length);
            word = (((word << (8 * pathSize)) | pathWord) << (8 * valueSize)) | valueWord;
            size += pathSize + valueSize;
        }
    }

    /// @dev The length of the content of an RLP item of `total` bytes, header included, that is not a single byte. Reverts
    ///      if there is none, as for 57.
    function _bodyLength(uint256 total) private pure returns (uint256 body) {
        unchecked {
            for (uint256 size = 1; size <= 5 && size <= total; ++size) {
                body = total - size;
                (, uint256 got) = header(0x80, body);
                if (got == size) return body;
            }
            revert MalformedNode();
        }
    }

    function _leaf(bytes32 path, uint256 count, bytes memory item) private pure returns (bytes memory) {
        return _list(bytes.concat(_path(path, count, 2), item));
    }

    /// @dev shortPath for up to 63 nibbles; path from the highest bits on.
    function _path(bytes32 path, uint256 count, uint256 flag) private pure returns (bytes memory) {
        unchecked {
            uint256 size = count / 2 + 1;
            uint256 word = count & 1 == 1 ? (flag + 1) << 252 | uint256(path) >> 4 : flag << 252 | uint256(path) >> 8;
            bytes memory compact = _bytes(word >> (256 - 8 * size), size);
            return _stringItem(compact);
        }
    }

    function _stringItem(bytes memory b) private pure returns (bytes memory) {
        if (b.length == 1 && uint8(b[0]) < 0x80) return b;
        return _withHeader(0x80, b);
    }

    function _list(bytes memory payload) private pure returns (bytes memory) {
        return _withHeader(0xc0, payload);
    }

    function _withHeader(uint256 base, bytes memory b) private pure returns (bytes memory) {
        (uint256 word, uint256 size) = header(base, b.length);
        return bytes.concat(_bytes(word, size), b);
    }

    /// @dev How a parent refers to a node.
    function _reference(bytes memory encoded) private pure returns (bytes memory) {
        if (encoded.length < INLINE_LIMIT) return encoded;
        return bytes.concat(bytes1(0xa0), keccak256(encoded));
    }

    /// @dev An integer as `size` ≤ 32 bytes.
    function _bytes(uint256 word, uint256 size) private pure returns (bytes memory b) {
        b = new bytes(size);
        assembly ("memory-safe") {
            mstore(add(b, 32), shl(sub(256, mul(8, size)), word))
        }
    }

    /// @dev That many empty items.
    function _empty(uint256 items) private pure returns (bytes memory) {
        unchecked {
            return _bytes(0x8080808080808080808080808080808080 & ((1 << (8 * items)) - 1), items);
        }
    }
}
