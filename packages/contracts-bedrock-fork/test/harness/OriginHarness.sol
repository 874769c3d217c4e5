// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IOriginLeaves } from "../../src/dispute/IOrigin.sol";
import { ChunkTree } from "../../src/dispute/lib/ChunkTree.sol";
import { KeccakSponge } from "../../src/dispute/lib/KeccakSponge.sol";
import { OriginSteps } from "../../src/dispute/lib/OriginSteps.sol";

/// @notice Gives Go tests access to the libraries of the ORIGIN phase.
contract OriginHarness {
    function absorb(bytes32[7] memory s, bytes calldata data) external pure returns (bytes32[7] memory) {
        KeccakSponge.absorb(s, data);
        return s;
    }

    function sum(bytes32[7] memory s, bytes calldata rest) external pure returns (bytes32) {
        return KeccakSponge.sum(s, rest);
    }

    function rootOf(bytes calldata b) external pure returns (bytes32) {
        return ChunkTree.rootOf(b);
    }

    /// @notice Root and frontier of a string of whole chunks followed by a last one.
    function grow(bytes calldata b) external pure returns (bytes32, bytes32[16] memory frontier) {
        uint256 length;
        for (uint256 pos = 0; pos < b.length; pos += ChunkTree.CHUNK_BYTES) {
            uint256 end = pos + ChunkTree.CHUNK_BYTES;
            length = ChunkTree.append(frontier, length, b[pos:end < b.length ? end : b.length]);
        }
        return (ChunkTree.root(frontier, length), frontier);
    }

    function verify(
        bytes32 root,
        uint256 length,
        uint256 from,
        uint256 to,
        bytes calldata proof
    )
        external
        pure
        returns (bytes memory)
    {
        return ChunkTree.verify(root, length, from, to, proof);
    }

    function step(
        uint8 kind,
        bytes calldata state,
        bytes calldata witness,
        address portal,
        address systemConfig,
        IOriginLeaves leaves
    )
        external
        view
        returns (uint8, bytes32)
    {
        return OriginSteps.step(kind, state, witness, portal, systemConfig, leaves);
    }
}
