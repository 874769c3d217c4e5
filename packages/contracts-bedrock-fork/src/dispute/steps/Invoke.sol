// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Commit } from "./Commit.sol";
import { Gas } from "./Gas.sol";
import { Index } from "./Index.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Reputation } from "./Reputation.sol";

/// @title Invoke
/// @notice INVOKE: agnt2/vm/invoke.go.
library Invoke {
    using ContextLib for Context;

    /// @dev The INVOKE that the operation in progress asks for.
    function invokeCall(Context memory ctx) private pure returns (Calls.Invoke memory c) {
        bytes4 selector = bytes4(ctx.data());
        if (selector == IAGNT2.invoke.selector) return Calls.invoke(ctx.args());
        if (selector == IAGNT2.reveal.selector) return Calls.reveal(ctx.args());
        Calls.DiscoverInvoke memory d = Calls.discoverInvoke(ctx.args());
        c.salt = d.salt;
        c.callee = Index.agentOf(ctx.op.word);
        c.capability = d.capability;
        c.paramsHash = d.paramsHash;
        c.ttlSeconds = d.ttlSeconds;
        c.maxPriceWei = d.filter.maxPriceWei;
        c.sessionId = d.sessionId;
        c.compositionId = d.compositionId;
        c.da = d.da;
    }

    /// @dev How many pending INVOKEs the sender may have.
    function maxPending(Context memory ctx) private pure returns (uint256 n) {
        uint256 per = ctx.policy.weiPerPendingInvoke;
        if (per != 0) {
            n = ctx.op.stake / per;
            if (n > Protocol.MAX_STAKED_INVOKES) n = Protocol.MAX_STAKED_INVOKES;
        }
        unchecked {
            n += ctx.params.maxPendingInvokes;
        }
        if (n > type(uint32).max) n = type(uint32).max;
    }

    /// @dev Takes one INVOKE out of the sender's rate bucket; false if it is empty.
    function pace(Context memory ctx) private pure returns (bool) {
        uint64 rate = ctx.policy.invokesPerSecond;
        if (rate == 0) return true;
        unchecked {
            uint64 interval = Protocol.MICROSECONDS_PER_SECOND / rate;
            if (interval == 0) interval = 1;
            uint64 now_ = ctx.blk.time * Protocol.MICROSECONDS_PER_SECOND;
            uint64 full = ctx.op.paced > now_ ? ctx.op.paced : now_;
            uint64 burst = ctx.policy.invokesBurst;
            uint64 room = burst == 0 ? 0 : interval * (burst - 1);
            if (full - now_ > room) return false;
            ctx.op.paced = full + interval;
        }
        return true;
    }

    function stepInvokeArgs(Context memory ctx) internal pure returns (uint8) {
        Calls.Invoke memory c = invokeCall(ctx);
        IFrames.Op memory o = ctx.op;
        IRecords.Params memory p = ctx.params;
        if (!Machine.use(ctx, Gas.invokeBase(p, c.da.lengthBytes))) return Machine.outOfGas(ctx);
        if (c.callee == o.from) return Machine.fail(ctx);
        if (c.ttlSeconds < p.minTtlSeconds || c.ttlSeconds > p.maxTtlSeconds) return Machine.fail(ctx);
        if (c.da.backend >= Protocol.DA_BACKENDS) return Machine.fail(ctx);
        if (c.da.contentHash != c.paramsHash) return Machine.fail(ctx);
        if (o.pending >= maxPending(ctx)) return Machine.fail(ctx);
        if (!pace(ctx)) return Machine.fail(ctx);
        o.id = keccak256(abi.encode(o.from, c.salt));
        o.word = bytes32(c.maxPriceWei);
        o.branch = ctx.policy.eligibilityScore;
        o.data = 0; // no later step reads the calldata
        Machine.forgetSender(ctx);
        o.actor = c.callee;
        IRecords.Interaction memory i;
        i.status = Protocol.PENDING;
        i.caller = o.from;
        i.callee = c.callee;
        i.capability = c.capability;
        i.paramsHash = c.paramsHash;
        i.paymentWei = o.value;
        i.invokedAt = ctx.blk.time;
        unchecked {
            i.deadline = ctx.blk.time + uint64(c.ttlSeconds);
        }
        i.compositionId = c.compositionId;
        ctx.setCall(i);
        Machine.emit3(
            ctx,
            IAGNT2.Invoked.selector,
            i,
            abi.encode(c.capability, c.paramsHash, i.paymentWei, i.deadline, c.sessionId, c.compositionId, c.da)
        );
        return Steps.INVOKE_CALLEE;
    }

    function stepInvokeCallee(Context memory ctx) internal pure returns (uint8) {
        address callee = ctx.op.actor;
        ctx.op.actor = address(0);
        (, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(callee));
        if (a.status != Protocol.ACTIVE) return Commit.refuse(ctx, callee);
        ctx.op.epoch = a.epoch;
        return ctx.op.branch != 0 ? Steps.INVOKE_REPUTATION : Steps.INVOKE_CAPABILITY;
    }

    function stepInvokeReputation(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Reputation memory r) = ctx.readReputation(Keys.reputation(ctx.call.callee));
        if (!Reputation.eligible(r, ctx.op.branch)) return Commit.refuse(ctx, ctx.call.callee);
        return Steps.INVOKE_CAPABILITY;
    }

    function stepInvokeCapability(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Capability memory offer) =
            ctx.readCapability(Keys.capability(ctx.call.callee, ctx.call.capability));
        if (!present || offer.epoch != ctx.op.epoch) return Commit.refuse(ctx, ctx.call.callee);
        if (offer.class >= Protocol.CAPABILITY_CLASSES) revert Machine.CorruptRecord();
        if (!Machine.use(ctx, Gas.class(ctx.params, offer.class, ctx.op.discount))) return Machine.outOfGas(ctx);
        if (offer.commitRequired && !ctx.op.flag) return Machine.fail(ctx);
        if (uint256(ctx.op.word) < offer.priceWei) return Commit.refuse(ctx, ctx.call.callee);
        if (ctx.op.value < offer.priceWei) return Machine.fail(ctx);
        return Steps.INVOKE_INTERACTION;
    }

    function stepInvokeInteraction(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readInteraction(Keys.interaction(ctx.op.id));
        if (present) return Machine.fail(ctx);
        ctx.write(ctx.call);
        return Steps.INVOKE_DEADLINE;
    }

    function stepInvokeDeadline(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Deadline memory d) =
            ctx.readDeadline(Keys.deadline(ctx.call.deadline, Keys.DUE_INTERACTION, ctx.op.id));
        d.id = ctx.op.id;
        ctx.write(d);
        ctx.op.effect |= Protocol.ESCROW;
        return Steps.TX_END;
    }
}
