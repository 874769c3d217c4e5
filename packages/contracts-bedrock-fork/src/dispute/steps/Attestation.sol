// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Calls } from "./Calls.sol";
import { Protocol } from "./Protocol.sol";

/// @title Attestation
/// @notice What a callee's sidecar signs about one answer, as EIP-712 typed data: agnt2/vm/attestation.go.
library Attestation {
    /// @notice The precompile failed, for want of gas.
    error RecoveryFailed();

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant DOMAIN_NAME = keccak256("AGNT2");
    bytes32 private constant DOMAIN_VERSION = keccak256("1");
    bytes32 private constant ATTESTATION_TYPE = keccak256(
        "Attestation(bytes32 id,bytes32 paramsHash,bytes32 resultHash,uint8 status,uint64 executionMs,uint64 timestampMs,bytes32 imageDigest)"
    );

    bytes32 private constant REGISTRY_NAME = keccak256("ERC8004IdentityRegistry");
    bytes32 private constant WALLET_TYPE =
        keccak256("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)");

    /// @dev Half of secp256k1's order, rounded down: the largest s.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

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
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION, chainId, Protocol.AGNT2));
        bytes32 message = keccak256(
            abi.encode(
                ATTESTATION_TYPE, c.id, paramsHash, c.resultHash, c.status, c.executionMs, c.timestampMs, imageDigest
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, message));
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
        bytes32 domain =
            keccak256(abi.encode(DOMAIN_TYPE, REGISTRY_NAME, DOMAIN_VERSION, chainId, Protocol.IDENTITY_REGISTRY));
        bytes32 message = keccak256(abi.encode(WALLET_TYPE, agent, wallet, owner, deadline));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    /// @notice Recovers who signed; zero if sig is not a valid low-s signature r ‖ s ‖ v with v of 27 or 28.
    function signer(bytes32 hash, bytes calldata sig) internal view returns (address who) {
        if (sig.length != Protocol.ATTESTATION_LENGTH) return address(0);
        uint8 v = uint8(sig[64]);
        bytes32 r = bytes32(sig);
        bytes32 s = bytes32(sig[32:]);
        if ((v != 27 && v != 28) || uint256(s) > HALF_ORDER) return address(0);
        // Not the built-in ecrecover, so that a failure of the precompile is certain to revert. Where there is no signer, the
        // precompile succeeds and returns nothing.
        (bool success, bytes memory result) = address(1).staticcall(abi.encode(hash, v, r, s));
        if (!success) revert RecoveryFailed();
        if (result.length == 32) who = abi.decode(result, (address));
    }
}
