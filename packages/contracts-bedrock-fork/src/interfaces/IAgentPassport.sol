// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IRecords } from "./IRecords.sol";

/// @title IAgentPassport
/// @notice Carries agents of other AGNT2 chains into one chain (docs/spec/passport.md): takes what agnt2_exportAgent answers,
///         checks it against the other chain's anchor root, and deposits importAgent. Anybody may bring an agent.
interface IAgentPassport {
    /// @notice A chain whose agents are accepted.
    /// @param chainId   its chain id.
    /// @param registry  its AnchorStateRegistry on this L1; 0: its agents are not accepted (any more).
    /// @param gameType  type of the games that move its anchor.
    struct Source {
        uint64 chainId;
        address registry;
        uint32 gameType;
    }

    /// @notice What an output root of version 0 is the hash of (OP specs, "L2 Output Root Proposals").
    struct OutputRootProof {
        bytes32 version;
        bytes32 stateRoot;
        bytes32 messagePasserStorageRoot;
        bytes32 latestBlockhash;
    }

    /// @notice A source was added, changed or (registry 0) removed.
    event SourceSet(uint64 chainId, address indexed registry, uint32 gameType);
    /// @notice An agent is on its way: the deposit is in the same transaction.
    event AgentPresented(address indexed agent, uint64 sourceChainId, uint64 sourceBlock);

    /// @notice Only the governance sets sources.
    error NotGovernance(address sender);
    /// @notice Agents of this chain are not accepted.
    error SourceUnknown(uint64 chainId);
    /// @notice The output root is not that of the source's anchor, which may have moved on: export again at block `anchorBlock`.
    error NotAnchor(bytes32 outputRoot, bytes32 anchorRoot, uint256 anchorBlock);
    /// @notice An output root has another version than 0.
    error OutputVersion(bytes32 version);
    /// @notice Bytes are left over after a record's proof.
    error ProofExcess();

    /// @notice Deposits importAgent on `portal`'s chain. Reverts unless both records are in the state of the source's anchor, with
    ///         an error of this contract or of RecordTrie.
    /// @param sourceChainId    chain that the agent comes from: one of the sources.
    /// @param output           preimage of the anchor's output root.
    /// @param agent            the agent's address there.
    /// @param identity         its Agent record.
    /// @param identityProof    that record's proof, as agnt2_exportAgent encodes it.
    /// @param reputation       its Reputation record; all zeros if it has none.
    /// @param reputationProof  that record's proof, or that it is absent.
    function importAgent(
        uint64 sourceChainId,
        OutputRootProof calldata output,
        address agent,
        IRecords.Agent calldata identity,
        bytes calldata identityProof,
        IRecords.Reputation calldata reputation,
        bytes calldata reputationProof
    )
        external;

    /// @notice Adds, changes or removes a source. Only the governance.
    function setSource(Source calldata source) external;

    /// @notice OptimismPortal2 of the chain that agents are carried into.
    function portal() external view returns (address);

    /// @notice Who sets sources: Policy.governance of that chain when this contract was made, so of a contract its alias; 0: nobody.
    function governance() external view returns (address);

    /// @notice A source; registry 0 if there is none.
    function sourceOf(uint64 chainId) external view returns (address registry, uint32 gameType);
}
