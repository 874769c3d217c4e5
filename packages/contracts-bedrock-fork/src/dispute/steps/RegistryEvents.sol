// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context } from "../lib/Context.sol";
import { IIdentityRegistry } from "../../interfaces/IIdentityRegistry.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title RegistryEvents
/// @notice What ERC-8004's Identity registry says of the agent in `op.from`: the end of agnt2/vm/registry.go.
library RegistryEvents {
    /// @dev Emits an event of the registry.
    function log(
        Context memory ctx,
        uint256 topics,
        bytes32 t0,
        bytes32 t1,
        bytes32 t2,
        bytes32 t3,
        bytes memory fields
    )
        private
        pure
    {
        ctx.op.logs = Logs.extend(ctx.op.logs, Protocol.IDENTITY_REGISTRY, topics, t0, t1, t2, t3, fields);
    }

    /// @notice Whom a registration makes the owner: who registers the agent, or the agent itself.
    function newOwner(Context memory ctx) internal pure returns (address) {
        return ctx.op.actor == address(0) ? ctx.op.from : ctx.op.actor;
    }

    /// @notice A new agent.
    function mint(Context memory ctx, string memory uri) internal pure {
        bytes32 id = Machine.word(ctx.op.from);
        bytes32 owner = Machine.word(newOwner(ctx));
        log(ctx, 4, IIdentityRegistry.Transfer.selector, 0, owner, id, "");
        log(ctx, 3, IIdentityRegistry.Registered.selector, id, owner, 0, abi.encode(uri));
    }

    /// @notice Another owner.
    function transfer(Context memory ctx, address from, address to) internal pure {
        bytes32 id = Machine.word(ctx.op.from);
        log(ctx, 4, IIdentityRegistry.Transfer.selector, Machine.word(from), Machine.word(to), id, "");
    }

    /// @notice Another registration file.
    function uri(Context memory ctx, string memory newURI) internal pure {
        bytes32 id = Machine.word(ctx.op.from);
        log(ctx, 3, IIdentityRegistry.URIUpdated.selector, id, id, 0, abi.encode(newURI));
    }

    /// @notice An entry of metadata.
    function metadata(Context memory ctx, string memory key, bytes memory value) internal pure {
        log(
            ctx,
            3,
            IIdentityRegistry.MetadataSet.selector,
            Machine.word(ctx.op.from),
            keccak256(bytes(key)),
            0,
            abi.encode(key, value)
        );
    }
}
