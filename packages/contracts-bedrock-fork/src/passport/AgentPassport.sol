// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2 } from "../interfaces/IAGNT2.sol";
import { IAgentPassport } from "../interfaces/IAgentPassport.sol";
import { IDepositPortal } from "../interfaces/IDepositPortal.sol";
import { IRecords } from "../interfaces/IRecords.sol";
import { RecordTrie } from "../dispute/lib/RecordTrie.sol";
import { Keys } from "../dispute/steps/Keys.sol";
import { Protocol } from "../dispute/steps/Protocol.sol";

/// @notice What is called of OP's AnchorStateRegistry.
interface IAnchorStateRegistry {
    /// @notice The output root that the last resolved game of a type has left, and its L2 block.
    function anchors(uint32 gameType) external view returns (bytes32 root, uint256 l2BlockNumber);
}

/// @title AgentPassport
/// @notice See IAgentPassport. The chain that agents are carried into accepts importAgent from this contract's alias
///         (Policy.agentPassport) alone, so what is checked here is what it believes.
contract AgentPassport is IAgentPassport {
    /// @notice L2 gas of the deposit. It covers importAgent with the longest strings at ten times its default price, and the
    ///         portal's minimum for so much calldata. The portal burns as much on L1 while L1's base fee is at its minimum.
    uint64 public constant IMPORT_GAS_LIMIT = 100_000;

    /// @inheritdoc IAgentPassport
    address public immutable portal;
    /// @inheritdoc IAgentPassport
    address public immutable governance;

    mapping(uint64 chainId => Source) private sources;

    /// @param _portal      OptimismPortal2 of the chain that agents are carried into.
    /// @param _governance  who sets sources; 0: nobody, so that the first ones stay.
    /// @param _sources     the first sources.
    constructor(address _portal, address _governance, Source[] memory _sources) {
        portal = _portal;
        governance = _governance;
        for (uint256 i = 0; i < _sources.length; ++i) {
            _set(_sources[i]);
        }
    }

    /// @inheritdoc IAgentPassport
    function setSource(Source calldata source) external {
        // A contract that governs has its alias in Policy.
        if (msg.sender != governance && _alias(msg.sender) != governance) revert NotGovernance(msg.sender);
        _set(source);
    }

    /// @dev Sender of what a contract deposits (OP specs, "Address Aliasing").
    function _alias(address a) private pure returns (address) {
        unchecked {
            return address(uint160(a) + uint160(0x1111000000000000000000000000000000001111));
        }
    }

    function _set(Source memory source) private {
        sources[source.chainId] = source;
        emit SourceSet(source.chainId, source.registry, source.gameType);
    }

    /// @inheritdoc IAgentPassport
    function sourceOf(uint64 chainId) external view returns (address registry, uint32 gameType) {
        Source storage source = sources[chainId];
        return (source.registry, source.gameType);
    }

    /// @inheritdoc IAgentPassport
    function importAgent(
        uint64 sourceChainId,
        OutputRootProof calldata output,
        address agent,
        IRecords.Agent calldata identity,
        bytes calldata identityProof,
        IRecords.Reputation calldata reputation,
        bytes calldata reputationProof
    )
        external
    {
        uint64 sourceBlock = _anchored(sourceChainId, output);
        _prove(output.stateRoot, Keys.agent(agent), keccak256(abi.encode(identity)), identityProof);
        _prove(output.stateRoot, Keys.reputation(agent), _hash(reputation), reputationProof);
        emit AgentPresented(agent, sourceChainId, sourceBlock);
        IDepositPortal(portal)
            .depositTransaction(
                Protocol.AGNT2,
                0,
                IMPORT_GAS_LIMIT,
                false,
                abi.encodeCall(IAGNT2.importAgent, (sourceChainId, sourceBlock, agent, identity, reputation))
            );
    }

    /// @dev The block of a source's anchor. Reverts unless its output root is the one that is given.
    function _anchored(uint64 chainId, OutputRootProof calldata output) private view returns (uint64) {
        Source storage source = sources[chainId];
        if (source.registry == address(0)) revert SourceUnknown(chainId);
        if (output.version != 0) revert OutputVersion(output.version);
        (bytes32 root, uint256 number) = IAnchorStateRegistry(source.registry).anchors(source.gameType);
        bytes32 given = keccak256(abi.encode(output));
        // A block number that does not fit is of no AGNT2 chain.
        if (given != root || number > type(uint64).max) revert NotAnchor(given, root, number);
        return uint64(number);
    }

    function _prove(bytes32 stateRoot, bytes32 key, bytes32 valueHash, bytes calldata proof) private pure {
        if (RecordTrie.proveRecord(stateRoot, key, valueHash, proof, 0) != proof.length) revert ProofExcess();
    }

    /// @dev Value hash of a Reputation; zero, for absence, of one that is all zeros: a record is written when an interaction ends,
    ///      and counts it or says when.
    function _hash(IRecords.Reputation calldata reputation) private pure returns (bytes32) {
        IRecords.Reputation memory none;
        bytes memory encoded = abi.encode(reputation);
        bytes32 h = keccak256(encoded);
        return h == keccak256(abi.encode(none)) ? bytes32(0) : h;
    }
}
