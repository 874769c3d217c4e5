// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Calls } from "./Calls.sol";
import { Protocol } from "./Protocol.sol";
import { TypedData } from "./TypedData.sol";

/// @title Attestation
/// @notice What a callee's sidecar signs about one answer, as EIP-712 typed data: agnt2/vm/attestation.go.
library Attestation {
    bytes32 private constant ATTESTATION_TYPE = keccak256(
        "Attestation(bytes32 id,bytes32 paramsHash,bytes32 resultHash,uint8 status,uint64 executionMs,uint64 timestampMs,bytes32 imageDigest)"
    );

    bytes32 private constant REGISTRY_NAME = keccak256("ERC8004IdentityRegistry");
    bytes32 private constant WALLET_TYPE =
        keccak256("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)");

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

    /// @notice What an ERC-8004 wallet signs to become an agent's, in the domain of the Identity registry.
    function walletDigest(
        address agent,
        address wallet,
        address owner,
        uint64 deadline,
        uint64 chainId
    )
        internal
        pure
        returns (bytes32)
    {
        bytes32 message = keccak256(abi.encode(WALLET_TYPE, agent, wallet, owner, deadline));
        return TypedData.digestOf(REGISTRY_NAME, Protocol.IDENTITY_REGISTRY, message, chainId);
    }
}
