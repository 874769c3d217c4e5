// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IOriginLeaves } from "../IOrigin.sol";
import { ChunkTree } from "./ChunkTree.sol";
import { KeccakSponge } from "./KeccakSponge.sol";

/// @title OriginLeaves
/// @notice Proves that a string too large for one transaction has a given keccak256, and remembers a Merkle root over its chunks.
///         Steps of the fault proof that read such a string check what they read against that root.
/// @dev The string is absorbed over several transactions. Nothing is answered before its whole hash is right, so no one can
///      make this contract say something false, and what it says never changes. Every sender has uploads of its own: a wrong
///      one fails at its end and harms nobody else. There is no owner.
contract OriginLeaves is IOriginLeaves {
    /// @notice How far an upload has come. It is stored as its hash.
    struct Progress {
        bytes32[7] sponge; // state of keccak256 (KeccakSponge)
        bytes32[16] frontier; // of the chunk tree
        uint64 length; // bytes absorbed
    }

    /// @notice A string is known from now on.
    event LeafStored(bytes32 indexed hash, bytes32 root, uint64 length);

    /// @notice The progress is not what the sender's upload of this hash has reached.
    error WrongProgress();
    /// @notice The string does not have the hash.
    error WrongHash(bytes32 hash);

    struct Leaf {
        bytes32 root;
        uint64 length;
    }

    /// @inheritdoc IOriginLeaves
    mapping(bytes32 hash => Leaf) public override leaf;

    /// @notice Hash of a sender's progress in uploading the string with a hash; zero before its first part.
    mapping(address sender => mapping(bytes32 hash => bytes32)) public progressOf;

    /// @notice Takes the next part of a string.
    /// @param hash keccak256 of the whole string.
    /// @param progress What the previous part has led to. Length 0 starts anew; the rest is then not looked at.
    /// @param data The part: a multiple of 1,088 bytes, unless it is the last one, which has at least 1 byte.
    /// @param last Whether the string ends with this part.
    function absorb(bytes32 hash, Progress calldata progress, bytes calldata data, bool last) external {
        Progress memory p;
        if (progress.length != 0) {
            if (progressOf[msg.sender][hash] != keccak256(abi.encode(progress))) revert WrongProgress();
            p = progress;
        }
        uint256 length = p.length;
        for (uint256 pos = 0; pos < data.length || pos == 0; pos += ChunkTree.CHUNK_BYTES) {
            uint256 end = pos + ChunkTree.CHUNK_BYTES;
            if (end > data.length) {
                if (!last) revert ChunkTree.RangeOutsideString();
                end = data.length;
            }
            length = ChunkTree.append(p.frontier, length, data[pos:end]);
        }
        p.length = uint64(length);
        if (!last) {
            KeccakSponge.absorb(p.sponge, data);
            progressOf[msg.sender][hash] = keccak256(abi.encode(p));
            return;
        }
        bytes32 got = KeccakSponge.sum(p.sponge, data);
        if (got != hash) revert WrongHash(got);
        Leaf memory l = Leaf(ChunkTree.root(p.frontier, length), p.length);
        leaf[hash] = l;
        delete progressOf[msg.sender][hash];
        emit LeafStored(hash, l.root, l.length);
    }
}
