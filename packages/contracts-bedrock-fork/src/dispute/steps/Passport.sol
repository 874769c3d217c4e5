// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { ForeignId } from "../../passport/ForeignId.sol";
import { Gas } from "./Gas.sol";
import { Governance } from "./Governance.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Passport
/// @notice Import of agents of other chains: agnt2/vm/passport.go.
library Passport {
    using ContextLib for Context;

    /// @dev What importAgent is called with.
    struct Arguments {
        uint64 sourceChainId;
        uint64 sourceBlock;
        address agent;
        IRecords.Agent identity;
        IRecords.Reputation reputation;
    }

    function arguments(Context memory ctx) private pure returns (Arguments memory c) {
        Machine.expect(ctx, IAGNT2.importAgent.selector);
        (c.sourceChainId, c.sourceBlock, c.agent, c.identity, c.reputation) =
            abi.decode(ctx.args(), (uint64, uint64, address, IRecords.Agent, IRecords.Reputation));
    }

    function stepImportArgs(Context memory ctx) internal pure returns (uint8) {
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 1))) return Machine.outOfGas(ctx);
        if (!Governance.deposited(ctx, ctx.policy.agentPassport)) return Machine.fail(ctx);
        Arguments memory c = arguments(ctx);
        if (bytes(c.identity.name).length > Protocol.MAX_NAME) return Machine.fail(ctx);
        if (bytes(c.identity.version).length > Protocol.MAX_VERSION) return Machine.fail(ctx);
        ctx.op.id = Machine.word(ForeignId.ofAgent(c.sourceChainId, c.agent));
        ctx.op.pairs = ctx.blk.time;
        return Steps.IMPORT_FOREIGN;
    }

    function stepImportForeign(Context memory ctx) internal pure returns (uint8) {
        Arguments memory c = arguments(ctx);
        (bool present, IRecords.Foreign memory x) = ctx.readForeign(Keys.foreign(address(uint160(uint256(ctx.op.id)))));
        if (present && c.sourceBlock <= x.sourceBlock) return Machine.fail(ctx);
        x.sourceChainId = c.sourceChainId;
        x.sourceBlock = c.sourceBlock;
        x.importedAt = ctx.op.pairs;
        x.agent = c.agent;
        identify(x, c.identity);
        count(x, c.reputation);
        ctx.write(x);
        ctx.op.logs = Logs.extend(
            ctx.op.logs,
            Protocol.AGNT2,
            4,
            IAGNT2.AgentImported.selector,
            ctx.op.id,
            Machine.word(c.agent),
            Machine.word(c.identity.owner),
            abi.encode(c.sourceChainId, c.sourceBlock)
        );
        return Steps.TX_END;
    }

    function identify(IRecords.Foreign memory x, IRecords.Agent memory a) private pure {
        x.status = a.status;
        x.owner = a.owner;
        x.registeredAt = a.registeredAt;
        x.deregisteredAt = a.deregisteredAt;
        x.lastHeartbeat = a.lastHeartbeat;
        x.imageDigest = a.imageDigest;
        x.name = a.name;
        x.version = a.version;
    }

    function count(IRecords.Foreign memory x, IRecords.Reputation memory r) private pure {
        x.completed = r.completed;
        x.timeouts = r.timeouts;
        x.errors = r.errors;
        x.gracefulTimeouts = r.gracefulTimeouts;
        x.parseFailures = r.parseFailures;
        x.rejections = r.rejections;
        x.softStreak = r.softStreak;
        x.penaltyUnits = r.penaltyUnits;
        x.disputed = r.disputed;
        x.disputesLost = r.disputesLost;
        x.countedCompleted = r.countedCompleted;
        x.distinctCallers = r.distinctCallers;
        x.sumOfSquares = r.sumOfSquares;
        x.lastActiveAt = r.lastActiveAt;
        x.interactionHistoryRoot = r.interactionHistoryRoot;
        x.scoredCompleted = r.scoredCompleted;
        x.scoredCallers = r.scoredCallers;
        x.aborts = r.aborts;
    }
}
