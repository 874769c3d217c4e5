// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2 } from "./interfaces/IAGNT2.sol";
import { IDepositPortal } from "./interfaces/IDepositPortal.sol";
import { IDisputeGame, IDisputeGames, IDisputeResolver } from "./interfaces/IDisputeResolver.sol";

/// @title DisputeResolver
/// @notice See IDisputeResolver.
/// @dev No owner, no storage, no upgrade: it says on L2 what a game has said on L1, and nothing else. Whether a game counts
///      is for the portal's guardian to say, as for withdrawals.
contract DisputeResolver is IDisputeResolver {
    /// @dev Where L2 answers operations.
    address internal constant AGNT2 = 0x42000000000000000000000000000000000a6E72;

    /// @dev GameStatus of OP's games.
    uint8 internal constant IN_PROGRESS = 0;
    uint8 internal constant CHALLENGER_WINS = 1;

    /// @inheritdoc IDisputeResolver
    /// @dev resolveDispute costs 6,100 gas by default; this leaves governance room to raise the price.
    uint64 public constant GAS_LIMIT = 200_000;

    IDepositPortal public immutable portal;
    /// @inheritdoc IDisputeResolver
    uint32 public immutable gameType;

    /// @param _portal    OptimismPortal2's proxy.
    /// @param _gameType  type of this chain's games.
    constructor(address _portal, uint32 _gameType) {
        portal = IDepositPortal(_portal);
        gameType = _gameType;
    }

    /// @inheritdoc IDisputeResolver
    function resolve(bytes32 target, address game) external returns (bool upheld) {
        upheld = _outcome(game) == CHALLENGER_WINS;
        emit DisputeResolved(target, game, upheld);
        portal.depositTransaction(
            AGNT2, 0, GAS_LIMIT, false, abi.encodeCall(IAGNT2.resolveDispute, (target, upheld, game))
        );
    }

    /// @dev The status of a game that counts.
    function _outcome(address game) internal view returns (uint8 status) {
        if (game.code.length == 0) revert GameNotRegistered(game);
        (uint32 typeOfGame, bytes32 rootClaim, bytes memory extraData) = IDisputeGame(game).gameData();
        // A contract that only pretends to be a game names another's data: the factory knows that one.
        (address registered,) = IDisputeGames(portal.disputeGameFactory()).games(typeOfGame, rootClaim, extraData);
        if (registered != game) revert GameNotRegistered(game);
        if (typeOfGame != gameType) revert GameTypeUnknown(game, typeOfGame);
        if (portal.disputeGameBlacklist(game)) revert GameBlacklisted(game);
        uint64 createdAt = IDisputeGame(game).createdAt();
        uint64 retiredUntil = portal.respectedGameTypeUpdatedAt();
        if (createdAt < retiredUntil) revert GameRetired(game, createdAt, retiredUntil);
        status = IDisputeGame(game).status();
        if (status == IN_PROGRESS) revert GameInProgress(game);
        uint256 finalAt = uint256(IDisputeGame(game).resolvedAt()) + portal.disputeGameFinalityDelaySeconds();
        if (block.timestamp <= finalAt) revert GameNotFinal(game, finalAt);
    }
}
