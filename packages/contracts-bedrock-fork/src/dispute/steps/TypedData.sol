// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Protocol } from "./Protocol.sol";

/// @title TypedData
/// @notice EIP-712 typed data that is signed off-chain: agnt2/vm/eip712.go.
library TypedData {
    /// @notice The precompile failed, for want of gas.
    error RecoveryFailed();

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant DOMAIN_NAME = keccak256("AGNT2");
    bytes32 private constant DOMAIN_VERSION = keccak256("1");

    /// @dev Half of secp256k1's order, rounded down: the largest s.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice The hash that is signed of a message.
    /// @param  message keccak256 of its type's hash and its fields.
    function digest(bytes32 message, uint64 chainId) internal pure returns (bytes32) {
        return digestOf(DOMAIN_NAME, Protocol.AGNT2, message, chainId);
    }

    /// @notice The same in another domain.
    /// @param  name     keccak256 of the domain's name.
    /// @param  verifier The domain's verifying contract.
    function digestOf(bytes32 name, address verifier, bytes32 message, uint64 chainId) internal pure returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN_TYPE, name, DOMAIN_VERSION, chainId, verifier));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    /// @notice Recovers who signed; zero if sig is not a valid low-s signature r ‖ s ‖ v with v of 27 or 28.
    function signer(bytes32 hash, bytes calldata sig) internal view returns (address who) {
        if (sig.length != Protocol.SIGNATURE_LENGTH) return address(0);
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
