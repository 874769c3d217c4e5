// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Calls } from "./Calls.sol";
import { TypedData } from "./TypedData.sol";

/// @title Attestation
/// @notice What a callee's sidecar signs about one answer, as EIP-712 typed data: agnt2/vm/attestation.go.
library Attestation {
    bytes32 private constant ATTESTATION_TYPE = keccak256(
        "Attestation(bytes32 id,bytes32 paramsHash,bytes32 resultHash,uint8 status,uint64 executionMs,uint64 timestampMs,bytes32 imageDigest)"
    );

    /// @notice The EIP-712 hash that is signed about a RESPOND.
    function digest(
        Calls.Respond memory c,
        bytes32 paramsHash,
        bytes32 imageDigest,
        uint64 chainId
    )
        internal
        pure
        returns (bytes32)
    {
        bytes32 message = keccak256(
            abi.encode(
                ATTESTATION_TYPE, c.id, paramsHash, c.resultHash, c.status, c.executionMs, c.timestampMs, imageDigest
            )
        );
        return TypedData.digest(message, chainId);
    }
}
