// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2 } from "../../src/interfaces/IAGNT2.sol";
import { IRecords } from "../../src/interfaces/IRecords.sol";
import { Calls } from "../../src/dispute/steps/Calls.sol";
import { CanonicalABI } from "../../src/dispute/lib/CanonicalABI.sol";
import { OperationSchemas } from "../../src/dispute/lib/OperationSchemas.sol";

/// @title CanonicalABIHarness
/// @notice Lets agnt2/machine/differential compare CanonicalABI with the engine's decoders, and with Solidity's own.
contract CanonicalABIHarness {
    // The interface's types with numbers for enumerations: Solidity's decoder refuses values outside an enumeration.
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

    struct Invoke {
        bytes32 salt;
        address callee;
        bytes32 capability;
        bytes32 paramsHash;
        uint32 ttlSeconds;
        uint256 maxPriceWei;
        bytes32 sessionId;
        bytes32 compositionId;
        IAGNT2.DAPointer da;
    }

    struct Dispute {
        uint8 kind;
        bytes32 target;
        address game;
        bytes32 evidenceHash;
        IAGNT2.DAPointer da;
    }

    struct DiscoverInvoke {
        bytes32 salt;
        bytes32 capability;
        bytes32 paramsHash;
        uint32 ttlSeconds;
        IAGNT2.ProviderFilter filter;
        bytes32 sessionId;
        bytes32 compositionId;
        IAGNT2.DAPointer da;
    }

    error UnknownSelector(bytes4 selector);

    function find(bytes4 selector) external pure returns (bool known, bool acceptsValue, bytes memory schema) {
        return OperationSchemas.find(selector);
    }

    function check(bytes4 selector, bytes calldata args) external view returns (bool canonical, uint256 gasUsed) {
        (bool known,, bytes memory schema) = OperationSchemas.find(selector);
        if (!known) revert UnknownSelector(selector);
        return _check(args, schema);
    }

    function checkWithin(
        bytes4 selector,
        bytes calldata w,
        uint256 from,
        uint256 to
    )
        external
        pure
        returns (bool canonical)
    {
        (,, bytes memory schema) = OperationSchemas.find(selector);
        return CanonicalABI.isCanonical(w[from:to], schema);
    }

    function checkSchema(
        bytes calldata args,
        bytes memory schema
    )
        external
        view
        returns (bool canonical, uint256 gasUsed)
    {
        return _check(args, schema);
    }

    /// @notice Decodes with Solidity's decoder and encodes again.
    function again(bytes4 selector, bytes calldata args) external pure returns (bytes memory) {
        if (selector == IAGNT2.register.selector) {
            (
                string memory name,
                string memory version,
                string memory agentURI,
                bytes32 imageDigest,
                Capability[] memory capabilities,
                IAGNT2.MetadataEntry[] memory metadata
            ) = abi.decode(args, (string, string, string, bytes32, Capability[], IAGNT2.MetadataEntry[]));
            return abi.encode(name, version, agentURI, imageDigest, capabilities, metadata);
        }
        if (selector == IAGNT2.updateAgent.selector) {
            (string memory name, string memory version, bytes32 imageDigest) =
                abi.decode(args, (string, string, bytes32));
            return abi.encode(name, version, imageDigest);
        }
        if (selector == IAGNT2.updateCapabilities.selector) {
            (Capability[] memory upserts, bytes32[] memory removals) = abi.decode(args, (Capability[], bytes32[]));
            return abi.encode(upserts, removals);
        }
        if (selector == IAGNT2.invoke.selector) return abi.encode(abi.decode(args, (Invoke)));
        if (selector == IAGNT2.discoverInvoke.selector) return abi.encode(abi.decode(args, (DiscoverInvoke)));
        if (selector == IAGNT2.compose.selector) {
            (bytes32 salt, bool atomic, uint32 ttlSeconds, Calls.ConstituentSpec[] memory constituents) =
                Calls.compose(args);
            return abi.encode(salt, atomic, ttlSeconds, constituents);
        }
        if (selector == IAGNT2.openResult.selector) {
            (bytes32 id, bytes32 resultHash, uint32 branch, bytes32 salt) = Calls.openResult(args);
            return abi.encode(id, resultHash, branch, salt);
        }
        if (selector == IAGNT2.cancel.selector) return abi.encode(Calls.cancel(args));
        if (
            selector == IAGNT2.giveFeedback.selector || selector == IAGNT2.revokeFeedback.selector
                || selector == IAGNT2.appendResponse.selector || selector == IAGNT2.validationRequest.selector
                || selector == IAGNT2.validationResponse.selector
        ) return _erc8004(selector, args);
        if (selector == IAGNT2.respond.selector) return _respond(args);
        if (selector == IAGNT2.commit.selector) return abi.encode(abi.decode(args, (bytes32)));
        if (selector == IAGNT2.reclaimSlot.selector) {
            (bytes32 capability, uint32 slot) = abi.decode(args, (bytes32, uint32));
            return abi.encode(capability, slot);
        }
        if (selector == IAGNT2.reveal.selector) {
            (bytes32 commitSalt, Invoke memory i) = abi.decode(args, (bytes32, Invoke));
            return abi.encode(commitSalt, i);
        }
        if (selector == IAGNT2.dispute.selector) return abi.encode(abi.decode(args, (Dispute)));
        if (selector == IAGNT2.disputePruned.selector) {
            (Dispute memory d, IRecords.Interaction memory i, uint64 index, bytes32[] memory path) =
                abi.decode(args, (Dispute, IRecords.Interaction, uint64, bytes32[]));
            return abi.encode(d, i, index, path);
        }
        if (selector == IAGNT2.resolveDispute.selector) {
            (bytes32 target, bool upheld, address game) = abi.decode(args, (bytes32, bool, address));
            return abi.encode(target, upheld, game);
        }
        if (selector == IAGNT2.setParams.selector) return abi.encode(abi.decode(args, (IRecords.Params)));
        if (selector == IAGNT2.setPolicy.selector) return abi.encode(abi.decode(args, (IRecords.Policy)));
        if (selector == IAGNT2.importAgent.selector) return _importAgent(args);
        if (selector == IAGNT2.withdrawFees.selector) return abi.encode(abi.decode(args, (address)));
        if (selector == IAGNT2.openChannel.selector) {
            (IAGNT2.ChannelTerms memory terms, bytes memory sigA, bytes memory sigB) =
                abi.decode(args, (IAGNT2.ChannelTerms, bytes, bytes));
            return abi.encode(terms, sigA, sigB);
        }
        if (
            selector == IAGNT2.checkpoint.selector || selector == IAGNT2.closeChannel.selector
                || selector == IAGNT2.disputeChannel.selector
        ) {
            (IAGNT2.ChannelState memory state, bytes memory sigA, bytes memory sigB) =
                abi.decode(args, (IAGNT2.ChannelState, bytes, bytes));
            return abi.encode(state, sigA, sigB);
        }
        if (selector == IAGNT2.reportDoubleSigning.selector) return _doubleSigning(args);
        return _identity(selector, args);
    }

    function _doubleSigning(bytes calldata args) private pure returns (bytes memory) {
        (
            IAGNT2.ChannelState memory first,
            bytes memory firstSigA,
            bytes memory firstSigB,
            IAGNT2.ChannelState memory second,
            bytes memory secondSigA,
            bytes memory secondSigB
        ) = abi.decode(args, (IAGNT2.ChannelState, bytes, bytes, IAGNT2.ChannelState, bytes, bytes));
        return abi.encode(first, firstSigA, firstSigB, second, secondSigA, secondSigB);
    }

    function _check(bytes calldata args, bytes memory schema) private view returns (bool canonical, uint256 gasUsed) {
        gasUsed = gasleft();
        canonical = CanonicalABI.isCanonical(args, schema);
        gasUsed -= gasleft();
    }

    /// @dev The operations of identity and delegation; nothing for others.
    function _identity(bytes4 selector, bytes calldata args) private pure returns (bytes memory) {
        if (selector == IAGNT2.actFor.selector) {
            (address agent, uint256 valueWei, bytes memory operation) = abi.decode(args, (address, uint256, bytes));
            return abi.encode(agent, valueWei, operation);
        }
        if (selector == IAGNT2.registerFor.selector) return _registerFor(args);
        if (selector == IAGNT2.authorizeKey.selector) {
            (address key, uint64 expiry, uint256 limit, bytes4[] memory operations, bytes32[] memory capabilities) =
                abi.decode(args, (address, uint64, uint256, bytes4[], bytes32[]));
            return abi.encode(key, expiry, limit, operations, capabilities);
        }
        if (
            selector == IAGNT2.revokeKey.selector || selector == IAGNT2.transferOwnership.selector
                || selector == IAGNT2.pay.selector
        ) {
            return abi.encode(abi.decode(args, (address)));
        }
        if (selector == IAGNT2.setAgentURI.selector) return abi.encode(abi.decode(args, (string)));
        if (selector == IAGNT2.setMetadata.selector) {
            (string memory key, bytes memory value) = abi.decode(args, (string, bytes));
            return abi.encode(key, value);
        }
        if (selector == IAGNT2.setAgentWallet.selector) {
            (address wallet, uint64 deadline, bytes memory signature) = abi.decode(args, (address, uint64, bytes));
            return abi.encode(wallet, deadline, signature);
        }
        if (selector == IAGNT2.openSession.selector) {
            (bytes32 salt, address peer, bytes32 contextHash, uint64 expiry) =
                abi.decode(args, (bytes32, address, bytes32, uint64));
            return abi.encode(salt, peer, contextHash, expiry);
        }
        if (selector == IAGNT2.closeSession.selector) {
            (bytes32 id, bytes32 contextHash) = abi.decode(args, (bytes32, bytes32));
            return abi.encode(id, contextHash);
        }
        return "";
    }

    function _importAgent(bytes calldata args) private pure returns (bytes memory) {
        (
            uint64 sourceChainId,
            uint64 sourceBlock,
            address agent,
            IRecords.Agent memory identity,
            IRecords.Reputation memory reputation
        ) = abi.decode(args, (uint64, uint64, address, IRecords.Agent, IRecords.Reputation));
        return abi.encode(sourceChainId, sourceBlock, agent, identity, reputation);
    }

    function _registerFor(bytes calldata args) private pure returns (bytes memory) {
        (
            uint64 index,
            string memory name,
            string memory version,
            string memory agentURI,
            bytes32 imageDigest,
            Capability[] memory capabilities,
            IAGNT2.MetadataEntry[] memory metadata
        ) = abi.decode(args, (uint64, string, string, string, bytes32, Capability[], IAGNT2.MetadataEntry[]));
        return abi.encode(index, name, version, agentURI, imageDigest, capabilities, metadata);
    }

    /// @dev The writes of ERC-8004's registries.
    function _erc8004(bytes4 selector, bytes calldata args) private pure returns (bytes memory) {
        if (selector == IAGNT2.giveFeedback.selector) {
            (
                uint256 a,
                int128 b,
                uint8 c,
                string memory d,
                string memory e,
                string memory f,
                string memory g,
                bytes32 h
            ) = abi.decode(args, (uint256, int128, uint8, string, string, string, string, bytes32));
            return abi.encode(a, b, c, d, e, f, g, h);
        }
        if (selector == IAGNT2.revokeFeedback.selector) {
            (uint256 agentId, uint64 index) = abi.decode(args, (uint256, uint64));
            return abi.encode(agentId, index);
        }
        if (selector == IAGNT2.appendResponse.selector) {
            (uint256 agentId, address client, uint64 index, string memory uri, bytes32 digest) =
                abi.decode(args, (uint256, address, uint64, string, bytes32));
            return abi.encode(agentId, client, index, uri, digest);
        }
        if (selector == IAGNT2.validationRequest.selector) {
            (address validator, uint256 agentId, string memory uri, bytes32 digest) =
                abi.decode(args, (address, uint256, string, bytes32));
            return abi.encode(validator, agentId, uri, digest);
        }
        (bytes32 requestHash, uint8 response, string memory answer, bytes32 responseHash, string memory tag) =
            abi.decode(args, (bytes32, uint8, string, bytes32, string));
        return abi.encode(requestHash, response, answer, responseHash, tag);
    }

    function _respond(bytes calldata args) private pure returns (bytes memory) {
        (
            bytes32 id,
            bytes32 resultHash,
            uint8 status,
            uint32 branch,
            uint64 executionMs,
            uint64 timestampMs,
            IAGNT2.DAPointer memory da,
            bytes memory attestation
        ) = abi.decode(args, (bytes32, bytes32, uint8, uint32, uint64, uint64, IAGNT2.DAPointer, bytes));
        return abi.encode(id, resultHash, status, branch, executionMs, timestampMs, da, attestation);
    }
}
