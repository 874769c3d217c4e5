// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title ForeignId
/// @notice Where an agent of another chain is recorded (docs/spec/passport.md): agnt2/passport.
library ForeignId {
    /// @notice ERC-8004 Identity registry of every AGNT2 chain.
    address internal constant REGISTRY = 0x4200000000000000000000000000000000008004;

    /// @notice The low 20 bytes of keccak256(abi.encode(chainId, registry, agentId)).
    function derive(uint256 chainId, address registry, uint256 agentId) internal pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encode(chainId, registry, agentId)))));
    }

    /// @notice The same for an agent of an AGNT2 chain.
    function ofAgent(uint64 chainId, address agent) internal pure returns (address) {
        return derive(chainId, REGISTRY, uint160(agent));
    }
}
