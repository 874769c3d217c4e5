// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2StepVerifier, IClaimedBlock, IPreimageReader } from "./IAGNT2StepVerifier.sol";
import { IOriginLeaves } from "./IOrigin.sol";
import { Execution } from "./steps/Execution.sol";
import { Steps } from "./lib/Steps.sol";
import { BlockSteps } from "./machine/BlockSteps.sol";
import { L1Steps } from "./machine/L1Steps.sol";
import { ListSteps } from "./machine/ListSteps.sol";
import { MachineState } from "./machine/MachineState.sol";

/// @title AGNT2StepVerifier
/// @notice See IAGNT2StepVerifier. Micro-steps are in linked libraries, because one contract cannot hold all.
/// @dev No owner, no storage. A witness that is wrong, incomplete or too long reverts, and so does a call without enough gas:
///      nothing is caught anywhere below.
contract AGNT2StepVerifier is IAGNT2StepVerifier {
    /// @dev Idents of a game's local data in the PreimageOracle. Ident 4, the block, is not used: the game does not clamp it to
    ///      the block that its root claim is about.
    uint256 private constant LOCAL_L1_HEAD = 1;
    uint256 private constant LOCAL_AGREED = 2;
    uint256 private constant LOCAL_DISPUTED = 3;
    /// @dev Behind the eight bytes of a preimage's length.
    uint256 private constant LOCAL_OFFSET = 8;

    uint64 private immutable CHAIN_ID;
    uint64 private immutable BLOCK_TIME;
    uint64 private immutable PROOF_LAG;
    uint64 private immutable SEQ_WINDOW;
    uint64 private immutable BLOB_FRACTION;
    address private immutable LAYER_ROOT;
    address private immutable PORTAL;
    address private immutable SYSTEM_CONFIG;
    address private immutable LEAVES;
    address private immutable ORACLE;
    uint64 private immutable GENESIS_NUMBER;
    bytes32 private immutable GENESIS_HASH;
    bytes32 private immutable GENESIS_BATCHER_HASH;
    uint32 private immutable GENESIS_BASE_FEE_SCALAR;
    uint32 private immutable GENESIS_BLOB_BASE_FEE_SCALAR;

    constructor(Config memory c) {
        CHAIN_ID = c.chainId;
        BLOCK_TIME = c.blockTimeSeconds;
        PROOF_LAG = c.proofLagBlocks;
        SEQ_WINDOW = c.seqWindowBlocks;
        BLOB_FRACTION = c.blobFraction;
        LAYER_ROOT = c.layerRoot;
        PORTAL = c.portal;
        SYSTEM_CONFIG = c.systemConfig;
        LEAVES = c.leaves;
        ORACLE = c.oracle;
        GENESIS_NUMBER = c.genesisNumber;
        GENESIS_HASH = c.genesisHash;
        GENESIS_BATCHER_HASH = c.genesisBatcherHash;
        GENESIS_BASE_FEE_SCALAR = c.genesisBaseFeeScalar;
        GENESIS_BLOB_BASE_FEE_SCALAR = c.genesisBlobBaseFeeScalar;
    }

    /// @inheritdoc IAGNT2StepVerifier
    function oracle() external view returns (IPreimageReader) {
        return IPreimageReader(ORACLE);
    }

    /// @inheritdoc IAGNT2StepVerifier
    function leaves() external view returns (IOriginLeaves) {
        return IOriginLeaves(LEAVES);
    }

    /// @inheritdoc IAGNT2StepVerifier
    function config() public view returns (Config memory c) {
        c.chainId = CHAIN_ID;
        c.blockTimeSeconds = BLOCK_TIME;
        c.proofLagBlocks = PROOF_LAG;
        c.seqWindowBlocks = SEQ_WINDOW;
        c.blobFraction = BLOB_FRACTION;
        c.layerRoot = LAYER_ROOT;
        c.portal = PORTAL;
        c.systemConfig = SYSTEM_CONFIG;
        c.leaves = LEAVES;
        c.oracle = ORACLE;
        c.genesisNumber = GENESIS_NUMBER;
        c.genesisHash = GENESIS_HASH;
        c.genesisBatcherHash = GENESIS_BATCHER_HASH;
        c.genesisBaseFeeScalar = GENESIS_BASE_FEE_SCALAR;
        c.genesisBlobBaseFeeScalar = GENESIS_BLOB_BASE_FEE_SCALAR;
    }

    /// @inheritdoc IAGNT2StepVerifier
    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext)
        external
        view
        returns (bytes32)
    {
        if (stateData.length != MachineState.LENGTH) revert StateLength();
        uint8 status = uint8(stateData[0]);
        if (status == MachineState.VALID || status == MachineState.INVALID) {
            if (proof.length != 0) revert WitnessExcess();
            return _claim(stateData);
        }
        if (status != MachineState.UNFINISHED) revert UnknownStatus(status);
        return _claim(_next(uint8(stateData[1]), stateData, proof, localContext));
    }

    /// @dev The claim for a state: its hash, with its status in the top byte.
    function _claim(bytes memory state) private pure returns (bytes32) {
        uint256 status = uint8(state[0]);
        return bytes32((uint256(keccak256(state)) & (type(uint256).max >> 8)) | (status << 248));
    }

    /// @dev The state after a micro-step.
    function _next(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        bytes32 localContext
    )
        private
        view
        returns (bytes memory)
    {
        if (kind < Steps.BEGIN || kind >= Steps.SWEEP_HISTORY) {
            return Execution.step(kind, stateData, proof, CHAIN_ID);
        }
        if (kind == Steps.BEGIN) return L1Steps.begin(proof, config(), _game(localContext));
        bool isBlock = kind == Steps.OPEN_BLOCK || kind == Steps.NEXT;
        if (isBlock || (kind >= Steps.TX_ATTRIBUTES && kind <= Steps.TX_SIGNED)) {
            return BlockSteps.step(kind, stateData, proof, CHAIN_ID);
        }
        if (kind >= Steps.TX_LIST && kind <= Steps.HEADER) {
            return ListSteps.step(kind, stateData, proof, CHAIN_ID);
        }
        return L1Steps.step(kind, stateData, proof, config());
    }

    /// @dev What the calling game says. The game has loaded its local data under its own address: no one else can.
    function _game(bytes32 localContext) private view returns (Game memory g) {
        g.l1Head = _local(LOCAL_L1_HEAD, localContext);
        g.agreed = _local(LOCAL_AGREED, localContext);
        g.disputed = _local(LOCAL_DISPUTED, localContext);
        g.claimed = IClaimedBlock(msg.sender).l2BlockNumber();
    }

    /// @dev Local data of the calling game, by the key of OP's PreimageKeyLib.
    function _local(uint256 ident, bytes32 localContext) private view returns (bytes32 data) {
        uint256 key = uint256(keccak256(abi.encode((uint256(1) << 248) | ident, msg.sender, localContext)));
        key = (key & (type(uint256).max >> 8)) | (uint256(1) << 248);
        (data,) = IPreimageReader(ORACLE).readPreimage(bytes32(key), LOCAL_OFFSET);
    }
}
