// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The part of OP's OptimismPortal2 that our L1 contracts use.
interface IDepositPortal {
    function disputeGameFactory() external view returns (address);
    function disputeGameBlacklist(address game) external view returns (bool);
    function respectedGameTypeUpdatedAt() external view returns (uint64);
    function disputeGameFinalityDelaySeconds() external view returns (uint256);
    function depositTransaction(
        address to,
        uint256 value,
        uint64 gasLimit,
        bool isCreation,
        bytes calldata data
    )
        external
        payable;
}
