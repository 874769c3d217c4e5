// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2 } from "../../src/interfaces/IAGNT2.sol";
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
        if (selector == IAGNT2.respond.selector) return _respond(args);
        return "";
    }

    function _check(bytes calldata args, bytes memory schema) private view returns (bool canonical, uint256 gasUsed) {
        gasUsed = gasleft();
        canonical = CanonicalABI.isCanonical(args, schema);
        gasUsed -= gasleft();
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
