// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Cheats } from "./Cheats.sol";
import { DisputeResolver } from "../src/DisputeResolver.sol";
import { IAGNT2 } from "../src/interfaces/IAGNT2.sol";
import { IDisputeResolver } from "../src/interfaces/IDisputeResolver.sol";

/// @notice A game in any state: OP's real ones take hours, and are played in the end-to-end test.
contract GameFake {
    uint32 public gameType;
    bytes32 public rootClaim;
    uint64 public createdAt;
    uint64 public resolvedAt;
    uint8 public status;

    constructor(uint32 _gameType, bytes32 _rootClaim, uint64 _createdAt) {
        (gameType, rootClaim, createdAt) = (_gameType, _rootClaim, _createdAt);
    }

    function end(uint8 _status, uint64 _resolvedAt) external {
        (status, resolvedAt) = (_status, _resolvedAt);
    }

    function gameData() external view returns (uint32, bytes32, bytes memory) {
        return (gameType, rootClaim, abi.encode(uint256(7)));
    }
}

/// @notice Portal and factory.
contract SystemFake {
    event TransactionDeposited(address from, address to, uint256 value, uint64 gasLimit, bool isCreation, bytes data);

    mapping(bytes32 uuid => address) internal registered;
    mapping(address game => bool) public disputeGameBlacklist;
    uint64 public respectedGameTypeUpdatedAt;
    uint256 public constant disputeGameFinalityDelaySeconds = 100;

    function register(GameFake game) external {
        (uint32 t, bytes32 root, bytes memory extra) = game.gameData();
        registered[keccak256(abi.encode(t, root, extra))] = address(game);
    }

    function blacklist(address game) external {
        disputeGameBlacklist[game] = true;
    }

    function retire(uint64 at) external {
        respectedGameTypeUpdatedAt = at;
    }

    function disputeGameFactory() external view returns (address) {
        return address(this);
    }

    function games(uint32 t, bytes32 root, bytes calldata extra) external view returns (address, uint64) {
        return (registered[keccak256(abi.encode(t, root, extra))], 0);
    }

    function depositTransaction(
        address to,
        uint256 value,
        uint64 gasLimit,
        bool isCreation,
        bytes calldata data
    )
        external
        payable
    {
        emit TransactionDeposited(msg.sender, to, value, gasLimit, isCreation, data);
    }
}

contract DisputeResolverTest is Cheats {
    uint32 constant TYPE = 5;
    uint64 constant CREATED = 1000;
    uint64 constant RESOLVED = 5000;
    bytes32 constant ID = keccak256("interaction");

    SystemFake system;
    DisputeResolver resolver;
    GameFake game;

    event DisputeResolved(bytes32 indexed target, address indexed game, bool upheld);

    function setUp() public {
        system = new SystemFake();
        system.retire(CREATED);
        resolver = new DisputeResolver(address(system), TYPE);
        game = new GameFake(TYPE, keccak256("root"), CREATED);
        system.register(game);
        vm.warp(RESOLVED + 101);
    }

    function check(uint8 status, bool upheld) internal {
        game.end(status, RESOLVED);
        vm.expectEmit(true, true, true, true, address(resolver));
        emit DisputeResolved(ID, address(game), upheld);
        vm.expectEmit(true, true, true, true, address(system));
        emit SystemFake.TransactionDeposited(
            address(resolver),
            0x42000000000000000000000000000000000a6E72,
            0,
            200_000,
            false,
            abi.encodeWithSelector(IAGNT2.resolveDispute.selector, ID, upheld, address(game))
        );
        vm.assertTrue(resolver.resolve(ID, address(game)) == upheld, "outcome");
    }

    function test_aRootThatFellUpholds() public {
        check(1, true);
    }

    function test_aRootThatStoodRejects() public {
        check(2, false);
        check(2, false); // again: L2 refuses it, not this contract
    }

    function refused(bytes memory why) internal {
        vm.expectRevert(why);
        resolver.resolve(ID, address(game));
    }

    function test_gameOfNobody() public {
        game = GameFake(address(0x1234));
        refused(abi.encodeWithSelector(IDisputeResolver.GameNotRegistered.selector, address(game)));
    }

    function test_gameThatTheFactoryDoesNotKnow() public {
        GameFake other = new GameFake(TYPE, keccak256("root"), CREATED); // with the data of one that it knows
        other.end(1, RESOLVED);
        game = other;
        refused(abi.encodeWithSelector(IDisputeResolver.GameNotRegistered.selector, address(other)));
    }

    function test_gameOfAnotherType() public {
        game = new GameFake(TYPE + 1, keccak256("root"), CREATED);
        system.register(game);
        game.end(1, RESOLVED);
        refused(abi.encodeWithSelector(IDisputeResolver.GameTypeUnknown.selector, address(game), TYPE + 1));
    }

    function test_blacklistedGame() public {
        game.end(1, RESOLVED);
        system.blacklist(address(game));
        refused(abi.encodeWithSelector(IDisputeResolver.GameBlacklisted.selector, address(game)));
    }

    function test_retiredGame() public {
        game.end(1, RESOLVED);
        system.retire(CREATED + 1);
        refused(abi.encodeWithSelector(IDisputeResolver.GameRetired.selector, address(game), CREATED, CREATED + 1));
    }

    function test_gameInProgress() public {
        refused(abi.encodeWithSelector(IDisputeResolver.GameInProgress.selector, address(game)));
    }

    function test_gameThatMayStillBeBlacklisted() public {
        game.end(1, RESOLVED);
        vm.warp(RESOLVED + 100);
        refused(abi.encodeWithSelector(IDisputeResolver.GameNotFinal.selector, address(game), uint256(RESOLVED) + 100));
        vm.warp(RESOLVED + 101);
        resolver.resolve(ID, address(game));
    }
}
