// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title RecordTrie
/// @notice Verifies the proofs of the record trie (docs/spec/trie.md) on their binary form in calldata, and computes roots
///         from them. It mirrors agnt2/trie: both accept the same proofs and give the same roots. A value hash is keccak256 of
///         a record; zero means that the key is absent.
/// @dev Every function reads one proof at w[p:] and returns the position after it: a proof says how long it is. Whoever
///      embeds proofs must see to it that nothing is left over. Bytes that are not a proof's one encoding revert.
library RecordTrie {
    /// @notice The bytes are not the one encoding of a well-formed proof.
    error ProofEncoding();
    /// @notice The proof is of another kind: an other leaf shows no inclusion, a preimage no absence.
    error ProofShape();
    /// @notice The proof does not lead to the root.
    error ProofRoot();
    /// @notice The proof's other leaf does not show absence.
    error ProofOther();
    /// @notice The sibling's preimage is missing or wrong.
    error ProofPreimage();
    /// @notice The proof does not fit the prefix.
    error ProofPrefix();
    /// @notice A smaller key with the prefix exists.
    error ProofNotFirst();

    /// @dev A proof as read. Positions are those of calldata, not of w.
    struct Path {
        uint256 depth; // inner nodes on the path, 0 to 256
        uint256 bitmap; // `depth` bits: bit i is set if the sibling i + 1 nodes above the path's end is not zero
        uint256 end; // position behind the siblings
        bytes32 last; // with a preimage: the sibling at the path's end
        bool other; // the path ends in another leaf
        bytes32 otherKey;
        bytes32 otherValue;
        bool preimage; // 65 bytes at `end` hash to `last`
    }

    /// @notice Requires that the trie maps key to valueHash (zero: that it has no such key).
    /// @param  root      Root of the trie.
    /// @param  key       Key of the record.
    /// @param  valueHash Its value hash, or zero.
    /// @param  w         Calldata that holds the proof.
    /// @param  p         Position of the proof in w.
    /// @return next      Position after the proof.
    function proveRecord(
        bytes32 root,
        bytes32 key,
        bytes32 valueHash,
        bytes calldata w,
        uint256 p
    )
        internal
        pure
        returns (uint256 next)
    {
        Path memory path;
        next = _read(path, w, p);
        bytes32 h = valueHash == 0 ? _absent(path, key) : _present(path, key, valueHash);
        if (_fold(h, key, path, 0) != root) revert ProofRoot();
    }

    /// @notice The root after key changes from oldHash to newHash (zero: absent). Requires that the trie maps key to
    ///         oldHash. To delete takes a proof with the sibling's preimage.
    /// @param  root    Root of the trie before.
    /// @param  key     Key of the record.
    /// @param  oldHash Its value hash before, or zero.
    /// @param  newHash Its value hash after, or zero.
    /// @param  w       Calldata that holds the proof.
    /// @param  p       Position of the proof in w.
    /// @return newRoot Root of the trie after.
    /// @return next    Position after the proof.
    function update(
        bytes32 root,
        bytes32 key,
        bytes32 oldHash,
        bytes32 newHash,
        bytes calldata w,
        uint256 p
    )
        internal
        pure
        returns (bytes32 newRoot, uint256 next)
    {
        Path memory path;
        next = _read(path, w, p);
        bytes32 h = oldHash == 0 ? _absent(path, key) : _present(path, key, oldHash);
        if (newHash != 0) {
            newRoot = path.other ? _beside(path, key, newHash) : _leaf(key, newHash);
        } else if (oldHash == 0) {
            newRoot = h; // nothing to nothing: both roots are the same
        } else if (path.depth > 0) {
            if (!path.preimage) revert ProofPreimage();
            if (_tag(path.end) == 0) {
                // A lone leaf rises until it has a sibling. The path's nodes up to there fall away.
                newRoot = path.last;
                h = _fold(h, key, path, _rise(path));
            }
            // Otherwise an inner node stays where it is, beside nothing.
        }
        (h, newRoot) = _foldBoth(h, newRoot, key, path);
        if (h != root) revert ProofRoot();
    }

    /// @notice Requires that key, with this value hash, is the smallest key whose first byte is `prefix`.
    /// @param  root      Root of the trie.
    /// @param  prefix    First byte: the namespace.
    /// @param  key       The smallest key.
    /// @param  valueHash Its value hash, not zero.
    /// @param  w         Calldata that holds the proof.
    /// @param  p         Position of the proof in w.
    /// @return next      Position after the proof.
    function first(
        bytes32 root,
        uint8 prefix,
        bytes32 key,
        bytes32 valueHash,
        bytes calldata w,
        uint256 p
    )
        internal
        pure
        returns (uint256 next)
    {
        return firstUnder(root, bytes32(uint256(prefix) << 248), 1, key, valueHash, w, p);
    }

    /// @notice `first` for a prefix of `size` bytes, followed by zeros.
    function firstUnder(
        bytes32 root,
        bytes32 prefix,
        uint256 size,
        bytes32 key,
        bytes32 valueHash,
        bytes calldata w,
        uint256 p
    )
        internal
        pure
        returns (uint256 next)
    {
        if (!_begins(key, prefix, size)) revert ProofPrefix();
        Path memory path;
        next = _read(path, w, p);
        _nothingLeft(path, key, size);
        if (_fold(_present(path, key, valueHash), key, path, 0) != root) revert ProofRoot();
    }

    /// @notice The part of `first` that is not about the root: requires that, where the proof says that key is, no smaller key with
    ///         the prefix can be. The caller has to prove key with the same proof.
    function leftmost(uint8 prefix, bytes32 key, bytes calldata w, uint256 p) internal pure {
        if (!_begins(key, bytes32(uint256(prefix) << 248), 1)) revert ProofPrefix();
        Path memory path;
        _read(path, w, p);
        _nothingLeft(path, key, 1);
    }

    /// @notice Requires that no key has `prefix` as its first byte.
    /// @param  root   Root of the trie.
    /// @param  prefix First byte: the namespace.
    /// @param  w      Calldata that holds the proof.
    /// @param  p      Position of the proof in w.
    /// @return next   Position after the proof.
    function none(bytes32 root, uint8 prefix, bytes calldata w, uint256 p) internal pure returns (uint256 next) {
        return noneUnder(root, bytes32(uint256(prefix) << 248), 1, w, p);
    }

    /// @notice `none` for a prefix of `size` bytes, followed by zeros.
    function noneUnder(
        bytes32 root,
        bytes32 prefix,
        uint256 size,
        bytes calldata w,
        uint256 p
    )
        internal
        pure
        returns (uint256 next)
    {
        Path memory path;
        next = _read(path, w, p);
        if (path.depth > 8 * size) revert ProofPrefix();
        if (path.other && _begins(path.otherKey, prefix, size)) revert ProofOther();
        if (_fold(_end(path, prefix), prefix, path, 0) != root) revert ProofRoot();
    }

    /// @dev Whether key begins with a prefix of `size` bytes, 0 to 32.
    function _begins(bytes32 key, bytes32 prefix, uint256 size) private pure returns (bool) {
        return uint256(key ^ prefix) >> (256 - 8 * size) == 0;
    }

    /// @dev Where the path goes right below a prefix of `size` bytes, nothing may stand to its left.
    function _nothingLeft(Path memory path, bytes32 key, uint256 size) private pure {
        uint256 depth = path.depth;
        if (depth > 8 * size) {
            uint256 left = (uint256(key) >> (256 - depth)) & path.bitmap;
            if (left << (256 - (depth - 8 * size)) != 0) revert ProofNotFirst();
        }
    }

    /// @dev Hash of the key's own leaf, for a proof of inclusion.
    function _present(Path memory path, bytes32 key, bytes32 valueHash) private pure returns (bytes32) {
        if (path.other) revert ProofShape();
        return _leaf(key, valueHash);
    }

    /// @dev Hash of the subtree where an absent key's path ends.
    function _absent(Path memory path, bytes32 key) private pure returns (bytes32) {
        if (path.other && path.otherKey == key) revert ProofOther();
        return _end(path, key);
    }

    /// @dev Hash of what the proof says is at the end of key's path: nothing, or another leaf on the same path.
    function _end(Path memory path, bytes32 key) private pure returns (bytes32) {
        if (path.preimage) revert ProofShape();
        if (!path.other) return 0;
        if (uint256(path.otherKey ^ key) >> (256 - path.depth) != 0) revert ProofOther();
        return _leaf(path.otherKey, path.otherValue);
    }

    /// @dev Hash of the subtree at the path's end that holds the other leaf and the new one: they part at the first bit in
    ///      which their keys differ, below nodes with one empty side.
    function _beside(Path memory path, bytes32 key, bytes32 valueHash) private pure returns (bytes32 h) {
        uint256 depth = path.depth;
        uint256 pos = depth;
        uint256 differ = uint256(key ^ path.otherKey); // not zero, and zero in its first `depth` bits
        unchecked {
            while ((differ << pos) >> 255 == 0) ++pos;
        }
        h = _leaf(key, valueHash);
        bytes32 sibling = _leaf(path.otherKey, path.otherValue);
        assembly ("memory-safe") {
            let buf := mload(0x40)
            mstore8(buf, 1)
            let left := add(buf, 1)
            let bits := shr(sub(255, pos), key)
            for { let i := add(sub(pos, depth), 1) } i { i := sub(i, 1) } {
                let side := and(shl(5, bits), 32)
                mstore(add(left, side), h)
                mstore(add(left, xor(side, 32)), sibling)
                h := keccak256(buf, 65)
                sibling := 0
                bits := shr(1, bits)
            }
        }
    }

    /// @dev How far the last sibling, a leaf, rises after a deletion: the nodes without another sibling above it.
    ///      The result is the number of nodes to fold, at least 1.
    function _rise(Path memory path) private pure returns (uint256 n) {
        uint256 bitmap = path.bitmap;
        uint256 depth = path.depth;
        n = 1;
        unchecked {
            while (n < depth && (bitmap >> n) & 1 == 0) ++n;
        }
    }

    /// @dev keccak256(0x00 ‖ key ‖ valueHash).
    function _leaf(bytes32 key, bytes32 valueHash) private pure returns (bytes32 h) {
        assembly ("memory-safe") {
            let buf := mload(0x40)
            mstore8(buf, 0)
            mstore(add(buf, 1), key)
            mstore(add(buf, 33), valueHash)
            h := keccak256(buf, 65)
        }
    }

    /// @dev First byte of the preimage at a calldata position: 0 leaf, 1 inner node.
    function _tag(uint256 pos) private pure returns (uint256 tag) {
        assembly ("memory-safe") {
            tag := byte(0, calldataload(pos))
        }
    }

    /// @dev Folds h, the hash at the path's end, `n` nodes upwards (0: to the root), and takes those nodes off the path.
    function _fold(bytes32 h, bytes32 key, Path memory path, uint256 n) private pure returns (bytes32) {
        uint256 zero;
        assembly ("memory-safe") {
            let depth := mload(path)
            let bitmap := mload(add(path, 0x20))
            let end := mload(add(path, 0x40))
            if iszero(n) { n := depth }
            let buf := mload(0x40)
            mstore8(buf, 1)
            let left := add(buf, 1)
            let bits := shr(sub(256, depth), key)
            mstore(path, sub(depth, n))
            for { } n { n := sub(n, 1) } {
                let sibling := 0
                if and(bitmap, 1) {
                    end := sub(end, 32)
                    sibling := calldataload(end)
                    zero := or(zero, iszero(sibling))
                }
                let side := and(shl(5, bits), 32)
                mstore(add(left, side), h)
                mstore(add(left, xor(side, 32)), sibling)
                h := keccak256(buf, 65)
                bits := shr(1, bits)
                bitmap := shr(1, bitmap)
            }
            mstore(add(path, 0x20), bitmap)
            mstore(add(path, 0x40), end)
        }
        if (zero != 0) revert ProofEncoding();
        return h;
    }

    /// @dev Folds two hashes at the path's end to their roots.
    function _foldBoth(bytes32 a, bytes32 b, bytes32 key, Path memory path) private pure returns (bytes32, bytes32) {
        uint256 zero;
        assembly ("memory-safe") {
            let n := mload(path)
            let bitmap := mload(add(path, 0x20))
            let end := mload(add(path, 0x40))
            let buf := mload(0x40)
            mstore8(buf, 1)
            let left := add(buf, 1)
            let bits := shr(sub(256, n), key)
            for { } n { n := sub(n, 1) } {
                let sibling := 0
                if and(bitmap, 1) {
                    end := sub(end, 32)
                    sibling := calldataload(end)
                    zero := or(zero, iszero(sibling))
                }
                let side := and(shl(5, bits), 32)
                let own := add(left, side)
                mstore(add(left, xor(side, 32)), sibling)
                mstore(own, a)
                a := keccak256(buf, 65)
                mstore(own, b)
                b := keccak256(buf, 65)
                bits := shr(1, bits)
                bitmap := shr(1, bitmap)
            }
        }
        if (zero != 0) revert ProofEncoding();
        return (a, b);
    }

    /// @dev Reads the proof at w[p:] into path and checks its form, except that siblings are not zero: folding does that.
    function _read(Path memory path, bytes calldata w, uint256 p) private pure returns (uint256 next) {
        unchecked {
            if (p > w.length || w.length - p < 3) revert ProofEncoding();
            uint256 pos;
            uint256 head;
            uint256 marks;
            assembly ("memory-safe") {
                pos := add(w.offset, p)
                head := shr(232, calldataload(pos))
                marks := calldataload(add(pos, 3))
            }
            uint256 flags = head >> 16;
            uint256 depth = head & 0xffff;
            if (flags > 2 || depth > 256) revert ProofEncoding();
            uint256 size = (depth + 7) >> 3;
            // The bits from depth to the end of the bitmap's last byte must be zero.
            if ((marks << depth) >> (256 - (8 * size - depth)) != 0) revert ProofEncoding();
            marks >>= 256 - depth;
            if (depth > 0 && marks & 1 == 0) revert ProofEncoding();
            pos += 3 + size;
            uint256 siblings = 32 * _ones(marks);
            uint256 end = pos + siblings;
            size += 3 + siblings;
            if (flags == 1) size += 64;
            else if (flags == 2) size += 65;
            if (w.length - p < size) revert ProofEncoding();
            next = p + size;

            path.depth = depth;
            path.bitmap = marks;
            path.end = end;
            if (flags == 1) {
                bytes32 key;
                bytes32 value;
                assembly ("memory-safe") {
                    key := calldataload(end)
                    value := calldataload(add(end, 32))
                }
                path.other = true;
                path.otherKey = key;
                path.otherValue = value;
            } else if (flags == 2) {
                if (depth == 0 || _tag(end) > 1) revert ProofPreimage();
                bytes32 last;
                bytes32 h;
                assembly ("memory-safe") {
                    last := calldataload(sub(end, 32))
                    let buf := mload(0x40)
                    calldatacopy(buf, end, 65)
                    h := keccak256(buf, 65)
                }
                if (h != last) revert ProofPreimage();
                path.preimage = true;
                path.last = last;
            }
        }
    }

    /// @dev Number of bits that are set.
    function _ones(uint256 x) private pure returns (uint256) {
        unchecked {
            x -= (x >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            x = (x & 0x3333333333333333333333333333333333333333333333333333333333333333)
                + ((x >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            x = (x + (x >> 8)) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
            return (x * 0x0001000100010001000100010001000100010001000100010001000100010001) >> 240;
        }
    }
}
