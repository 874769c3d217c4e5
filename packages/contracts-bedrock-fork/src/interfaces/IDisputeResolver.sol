// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice The part of OP's DisputeGameFactory that DisputeResolver reads (op-contracts, DisputeGameFactory 1.0).
interface IDisputeGames {
    function games(
        uint32 gameType,
        bytes32 rootClaim,
        bytes calldata extraData
    )
        external
        view
        returns (address proxy, uint64 timestamp);
}

/// @notice The part of OP's dispute games that DisputeResolver reads.
interface IDisputeGame {
    function gameData() external view returns (uint32 gameType, bytes32 rootClaim, bytes memory extraData);
    function createdAt() external view returns (uint64);
    function resolvedAt() external view returns (uint64);
    /// @return 0 in progress, 1 the challenger wins, 2 the defender wins.
    function status() external view returns (uint8);
}

/// @title IDisputeResolver
/// @notice Ends COMPUTATIONAL disputes of L2 with the outcome of the L1 game that they name. L2 takes resolveDispute from
///         Policy.disputeResolver: this contract's aliased address.
interface IDisputeResolver {
    /// @notice `upheld`: the game's root claim has lost. What becomes of it on L2 is in the receipt of the deposit.
    event DisputeResolved(bytes32 indexed target, address indexed game, bool upheld);

    /// @notice The game is not one that this system's DisputeGameFactory has created.
    error GameNotRegistered(address game);
    /// @notice The game is of a type whose machine is not this chain's.
    error GameTypeUnknown(address game, uint32 gameType);
    /// @notice The guardian has blacklisted the game in the portal.
    error GameBlacklisted(address game);
    /// @notice The guardian has retired the game together with all of its time.
    error GameRetired(address game, uint64 createdAt, uint64 retiredUntil);
    /// @notice The game is not resolved.
    error GameInProgress(address game);
    /// @notice The guardian may still blacklist the game: call again after this time.
    error GameNotFinal(address game, uint256 finalAt);

    /// @notice Deposits resolveDispute for an interaction. Anyone may call it, any number of times; L2 refuses what names
    ///         another game than the dispute, and what comes after the dispute's end.
    /// @param target  the disputed interaction.
    /// @param game    the game that its dispute names.
    /// @return upheld  whether the claimant was right.
    function resolve(bytes32 target, address game) external returns (bool upheld);

    /// @notice The type of the games that judge.
    function gameType() external view returns (uint32);

    /// @notice L2 gas of the deposit.
    function GAS_LIMIT() external view returns (uint64);
}
