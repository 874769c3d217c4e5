// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2StepVerifier } from "../../src/dispute/IAGNT2StepVerifier.sol";

/// @notice What this machine uses of OP's PreimageOracle.
interface IKeyFourOracle {
    /// @notice Keeps a word of its caller's local data.
    function loadLocalData(
        uint256 ident,
        bytes32 localContext,
        bytes32 word,
        uint256 size,
        uint256 partOffset
    )
        external
        returns (bytes32 key);

    /// @notice 32 bytes of a preimage from an offset on.
    function readPreimage(bytes32 key, uint256 offset) external view returns (bytes32 data, uint256 length);
}

/// @title GameKeyFour
/// @notice AGNT2StepVerifier with the mistake that it must not make, for Go tests: it takes the block that the game is about from
///         the game's local data 4, as OP's fault proof program does, and not from the game. Version 1.2.0 of the game does not
///         clamp that number to the block of its root claim.
contract GameKeyFour {
    /// @dev The micro-step that reads local data.
    uint8 private constant BEGIN = 128;
    uint256 private constant LOCAL_L1_HEAD = 1;
    uint256 private constant LOCAL_DISPUTED = 3;
    uint256 private constant LOCAL_BLOCK = 4;
    uint256 private constant LOCAL_OFFSET = 8;

    IAGNT2StepVerifier public immutable verifier;
    IKeyFourOracle public immutable oracle;

    /// @notice What the verifier takes for the calling game's block.
    uint256 public l2BlockNumber;

    constructor(IAGNT2StepVerifier verifier_) {
        verifier = verifier_;
        oracle = IKeyFourOracle(address(verifier_.oracle()));
    }

    /// @notice A step of the machine. To the verifier this contract is the game: it passes the calling game's data on.
    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext) external returns (bytes32) {
        if (uint8(stateData[1]) == BEGIN) {
            for (uint256 ident = LOCAL_L1_HEAD; ident <= LOCAL_DISPUTED; ++ident) {
                oracle.loadLocalData(ident, localContext, _local(ident, localContext), 32, LOCAL_OFFSET);
            }
            l2BlockNumber = uint256(_local(LOCAL_BLOCK, localContext)) >> 192;
        }
        return verifier.step(stateData, proof, localContext);
    }

    /// @dev Local data of the calling game, by the key of OP's PreimageKeyLib.
    function _local(uint256 ident, bytes32 localContext) private view returns (bytes32 data) {
        uint256 key = uint256(keccak256(abi.encode((uint256(1) << 248) | ident, msg.sender, localContext)));
        (data,) = oracle.readPreimage(bytes32((key & (type(uint256).max >> 8)) | (uint256(1) << 248)), LOCAL_OFFSET);
    }
}
