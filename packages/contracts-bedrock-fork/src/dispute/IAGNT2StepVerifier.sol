// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IOriginLeaves } from "./IOrigin.sol";

/// @title IPreimageReader
/// @notice What the machine reads of OP's PreimageOracle.
interface IPreimageReader {
    /// @notice 32 bytes of a preimage from an offset on; its length stands in the first eight bytes. Reverts if that part has not
    ///         been loaded.
    function readPreimage(bytes32 key, uint256 offset) external view returns (bytes32 data, uint256 length);
}

/// @title IClaimedBlock
/// @notice What the machine reads of the calling dispute game, beside its local data.
interface IClaimedBlock {
    /// @notice The block that the game's root claim is about.
    function l2BlockNumber() external view returns (uint256);
}

/// @title IAGNT2StepVerifier
/// @notice The machine that dispute games about AGNT2 blocks end on (docs/spec/machine.md). `step` and `oracle` have the shape of
///         OP's IBigStepper.
interface IAGNT2StepVerifier {
    /// @notice What a verifier fixes at its deployment. An L1 fork that changes `blobFraction` needs a new verifier.
    struct Config {
        uint64 chainId;
        uint64 blockTimeSeconds; // between L2 blocks
        uint64 proofLagBlocks; // L1 blocks between a game's L1 head and its proof head
        uint64 seqWindowBlocks; // L1 blocks after its origin within which a block has to be committed
        uint64 blobFraction; // update fraction of the blob base fee (EIP-4844, EIP-7840)
        address layerRoot;
        address portal;
        address systemConfig;
        address leaves; // OriginLeaves
        address oracle; // OP's PreimageOracle
        // L1 origin and system configuration of the L2 genesis block.
        uint64 genesisNumber;
        bytes32 genesisHash;
        bytes32 genesisBatcherHash;
        uint32 genesisBaseFeeScalar;
        uint32 genesisBlobBaseFeeScalar;
    }

    /// @notice What the calling game says.
    struct Game {
        bytes32 l1Head;
        bytes32 agreed; // output root of the parent block
        bytes32 disputed; // output root claimed for the block
        uint256 claimed; // l2BlockNumber() of the game
    }

    /// @notice The state has not 258 bytes.
    error StateLength();
    /// @notice There is no such status: 0 valid, 1 invalid, 3 unfinished.
    error UnknownStatus(uint8 status);
    /// @notice There is no such micro-step.
    error UnknownStep(uint8 kind);
    /// @notice A state at the machine's end takes no witness.
    error WitnessExcess();

    /// @notice Executes one micro-step.
    /// @param stateData    The state before it.
    /// @param proof        Its witness.
    /// @param localContext Under which the calling game has loaded its local data.
    /// @return The claim for the state after it: its hash, with its status in the top byte. There is exactly one; anything
    ///         wrong reverts.
    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext) external view returns (bytes32);

    /// @notice OP's PreimageOracle.
    function oracle() external view returns (IPreimageReader);

    /// @notice Where receipts too large for a witness have to be stored before a step can read them.
    function leaves() external view returns (IOriginLeaves);

    /// @notice What was fixed at deployment.
    function config() external view returns (Config memory);
}
