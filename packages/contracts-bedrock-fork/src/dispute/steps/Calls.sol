// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IRecords } from "../../interfaces/IRecords.sol";

/// @title Calls
/// @notice Arguments of the operations of IAGNT2. Only for calldata that the dispatch has found canonical; enumerations
///         are numbers, since canonical says nothing of their range.
library Calls {
    struct Capability {
        string name;
        string endpoint;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
        uint256 priceWei;
        uint32 latencyMsP99;
        uint8 class;
        bool commitRequired;
    }

    struct MetadataEntry {
        string key;
        bytes value;
    }

    struct DAPointer {
        bytes32 contentHash;
        uint32 lengthBytes;
        uint8 backend;
        bytes32 locator;
    }

    struct Register {
        string name;
        string version;
        string agentURI;
        bytes32 imageDigest;
        Capability[] capabilities;
        MetadataEntry[] metadata;
    }

    struct Invoke {
        bytes32 salt;
        address callee;
        bytes32 capability;
        bytes32 paramsHash;
        uint32 ttlSeconds;
        uint256 maxPriceWei;
        bytes32 sessionId;
        bytes32 compositionId;
        DAPointer da;
    }

    struct ProviderFilter {
        uint256 maxPriceWei;
        uint32 maxLatencyMs;
        uint16 minReputation;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
    }

    struct DiscoverInvoke {
        bytes32 salt;
        bytes32 capability;
        bytes32 paramsHash;
        uint32 ttlSeconds;
        ProviderFilter filter;
        bytes32 sessionId;
        bytes32 compositionId;
        DAPointer da;
    }

    /// @dev Without its last argument, the attestation.
    struct Respond {
        bytes32 id;
        bytes32 resultHash;
        uint8 status;
        uint32 branch;
        uint64 executionMs;
        uint64 timestampMs;
        DAPointer da;
    }

    struct Dispute {
        uint8 kind;
        bytes32 target;
        address game;
        bytes32 evidenceHash;
        DAPointer da;
    }

    /// @notice Arguments of dispute, and those of disputePruned before the proof.
    function dispute(bytes calldata args) internal pure returns (Dispute memory) {
        return abi.decode(args, (Dispute));
    }

    /// @notice The proof of disputePruned: its arguments after those that dispute has, too.
    function prunedInteraction(bytes calldata args)
        internal
        pure
        returns (IRecords.Interaction memory interaction, uint64 index, bytes32[] memory path)
    {
        (, interaction, index, path) = abi.decode(args, (Dispute, IRecords.Interaction, uint64, bytes32[]));
    }

    struct ConstituentSpec {
        address callee;
        bytes32 capability;
        bytes32 template;
        uint256 paymentWei;
        uint32 ttlSeconds;
        uint32 lengthBytes;
        uint32 dependsOn;
        uint8 guard;
        uint8 guardOn;
        uint16 guardBranch;
        uint8 loopFrom;
        uint8 maxIterations;
        uint32 loopBranch;
    }

    /// @notice Arguments of compose.
    function compose(bytes calldata args)
        internal
        pure
        returns (bytes32 salt, bool atomic, uint32 ttlSeconds, ConstituentSpec[] memory constituents)
    {
        return abi.decode(args, (bytes32, bool, uint32, ConstituentSpec[]));
    }

    /// @notice Arguments of openResult.
    function openResult(bytes calldata args)
        internal
        pure
        returns (bytes32 id, bytes32 resultHash, uint32 branch, bytes32 salt)
    {
        return abi.decode(args, (bytes32, bytes32, uint32, bytes32));
    }

    /// @notice Arguments of cancel.
    function cancel(bytes calldata args) internal pure returns (bytes32 id) {
        return abi.decode(args, (bytes32));
    }

    /// @notice Arguments of register.
    function register(bytes calldata args) internal pure returns (Register memory c) {
        (c.name, c.version, c.agentURI, c.imageDigest, c.capabilities, c.metadata) =
            abi.decode(args, (string, string, string, bytes32, Capability[], MetadataEntry[]));
    }

    /// @notice Arguments of updateAgent.
    function updateAgent(bytes calldata args)
        internal
        pure
        returns (string memory name, string memory version, bytes32 imageDigest)
    {
        return abi.decode(args, (string, string, bytes32));
    }

    /// @notice Arguments of updateCapabilities.
    function updateCapabilities(bytes calldata args)
        internal
        pure
        returns (Capability[] memory upserts, bytes32[] memory removals)
    {
        return abi.decode(args, (Capability[], bytes32[]));
    }

    /// @notice Arguments of invoke.
    function invoke(bytes calldata args) internal pure returns (Invoke memory) {
        return abi.decode(args, (Invoke));
    }

    /// @notice Arguments of discoverInvoke.
    function discoverInvoke(bytes calldata args) internal pure returns (DiscoverInvoke memory) {
        return abi.decode(args, (DiscoverInvoke));
    }

    /// @notice The INVOKE of a reveal: its arguments after the first.
    function reveal(bytes calldata args) internal pure returns (Invoke memory) {
        return abi.decode(args[32:], (Invoke));
    }

    /// @notice Arguments of respond.
    function respond(bytes calldata args) internal pure returns (Respond memory c, bytes calldata attestation) {
        c = abi.decode(args, (Respond)); // its words stand in line; the word after them is the attestation's offset
        uint256 size = uint256(bytes32(args[11 * 32:]));
        attestation = args[12 * 32:12 * 32 + size];
    }
}
