// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Composition } from "./Composition.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Respond } from "./Respond.sol";

/// @title Advance
/// @notice The sweeps of compositions: agnt2/vm/advance.go.
library Advance {
    using ContextLib for Context;

    function stepSweepConstituent(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        (bool present, IRecords.Composition memory c) = ctx.readComposition(Keys.composition(i.compositionId));
        if (!present) revert Machine.CorruptRecord();
        Composition.check(c);
        if (c.status != Protocol.COMPOSITION_ACTIVE) return Steps.SWEEP_NEXT;
        (, uint32 bit) = Composition.constituentOf(i);
        uint8 then = Steps.SWEEP_NEXT;
        bool more = true;
        if (c.atomic) {
            c.culprit = i.callee;
            Composition.end(ctx, c, i.compositionId, Protocol.COMPOSITION_REVERTED);
        } else {
            then = Steps.SWEEP_REPUTATION;
            c.active &= ~bit;
            c.failed |= bit;
            more = Composition.progress(ctx, c, i.compositionId);
        }
        ctx.write(c);
        return more ? Composition.advanceLater(ctx, i.compositionId, then) : then;
    }

    function stepSweepAdvance(Context memory ctx) internal pure returns (uint8 next) {
        bytes32 id = ctx.op.id;
        IRecords.Interaction memory i;
        (bool present, IRecords.Composition memory c) = ctx.readComposition(Keys.composition(id));
        if (!present) {
            ctx.setCall(i);
            return Steps.SWEEP_NEXT;
        }
        Composition.check(c);
        ctx.op.branch = Steps.SWEEP_ADVANCE;
        leaveEscrow(ctx, c);
        uint32 ready;
        if (c.status == Protocol.COMPOSITION_ACTIVE) {
            if (ctx.blk.time > c.deadline) Composition.abandon(ctx, c, id);
            else ready = Composition.conclude(ctx, c, id);
        }
        i.caller = c.initiator;
        i.compositionId = id;
        i.invokedAt = ctx.blk.time;
        i.deadline = c.deadline;
        ctx.setCall(i);
        next = advance(ctx, c, id, ready);
        ctx.write(c);
    }

    /// @dev Books what was paid or refunded.
    function leaveEscrow(Context memory ctx, IRecords.Composition memory c) private pure {
        unchecked {
            c.escrowWei -= ctx.op.value;
        }
        if (c.escrowWei < c.owedWei) c.owedWei = c.escrowWei;
        ctx.op.value = 0;
    }

    /// @dev Chooses what to do.
    function advance(
        Context memory ctx,
        IRecords.Composition memory c,
        bytes32 id,
        uint32 ready
    )
        private
        pure
        returns (uint8)
    {
        if (c.status == Protocol.COMPOSITION_ACTIVE) return activate(ctx, c, id, ready);
        if (c.status == Protocol.COMPOSITION_COMMITTED) {
            if (c.escrowWei == c.owedWei) return settle(ctx, c, id);
            unchecked {
                return refund(ctx, c, id, c.escrowWei - c.owedWei);
            }
        }
        if (c.escrowWei != 0) return refund(ctx, c, id, c.escrowWei);
        if (c.status == Protocol.COMPOSITION_REVERTED && c.culprit != address(0) && c.paid == 0) {
            c.paid = Composition.all(c);
            ctx.call.callee = c.culprit;
            ctx.op.status = Protocol.SETTLE_ABORT;
            return Steps.SETTLE_REPUTATION;
        }
        return Steps.COMPOSE_HISTORY;
    }

    /// @dev Whether this block may do no more.
    function sweptEnough(Context memory ctx) private pure returns (bool) {
        return ctx.op.count > ctx.params.sweepsPerBlock;
    }

    function activate(
        Context memory ctx,
        IRecords.Composition memory c,
        bytes32 id,
        uint32 ready
    )
        private
        pure
        returns (uint8)
    {
        if (ready == 0) return Steps.SWEEP_NEXT;
        if (sweptEnough(ctx)) return Composition.advanceLater(ctx, id, Steps.SWEEP_NEXT);
        uint8 i = Composition.lowest(ready);
        c.active |= uint32(1) << i;
        IFrames.Op memory o = ctx.op;
        unchecked {
            o.count += Protocol.WEIGHT_OF_STEP;
            o.index = i;
            o.pairs = c.edges[i] & Protocol.EDGE_DEPENDS & uint64(c.done);
            ctx.call.constituent = i + 1;
        }
        if (c.atomic) ctx.call.constituent |= Protocol.CONSTITUENT_ATOMIC;
        return Steps.ACTIVATE_CONSTITUENT;
    }

    function refund(
        Context memory ctx,
        IRecords.Composition memory c,
        bytes32 id,
        uint256 amount
    )
        private
        pure
        returns (uint8)
    {
        ctx.op.value = amount;
        unchecked {
            ctx.op.count++;
        }
        ctx.op.epoch = Steps.SWEEP_ADVANCE;
        Composition.emitComposition(ctx, IAGNT2.CompositionRefunded.selector, id, c.initiator, abi.encode(amount));
        return Steps.SETTLE_INITIATOR;
    }

    function settle(Context memory ctx, IRecords.Composition memory c, bytes32 id) private pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        uint32 unpaid = c.credited & ~c.paid;
        uint32 due = unpaid & c.opened;
        o.status = Protocol.SETTLE_PAY;
        o.epoch = Steps.SETTLE_CALLEE;
        if (due == 0 && ctx.blk.time > c.deadline) {
            due = unpaid;
            o.status = Protocol.SETTLE_EXPIRE;
            o.epoch = Steps.SETTLE_REPUTATION;
        }
        if (unpaid == 0) return Steps.COMPOSE_HISTORY;
        if (due == 0) return Composition.queueLater(ctx, c.deadline, Keys.DUE_COMPOSITION, id, Steps.SWEEP_NEXT);
        if (sweptEnough(ctx)) return Composition.advanceLater(ctx, id, Steps.SWEEP_NEXT);
        uint8 i = Composition.lowest(due);
        c.paid |= uint32(1) << i;
        unchecked {
            o.count += Protocol.WEIGHT_OF_STEP;
        }
        o.index = i;
        IRecords.Interaction memory call;
        call.caller = c.initiator;
        call.branch = c.branches[i];
        ctx.call = call;
        return Steps.SETTLE_CONSTITUENT;
    }

    function stepActivateConstituent(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        IFrames.Op memory o = ctx.op;
        (, IRecords.Constituent memory x) = ctx.readConstituent(Keys.constituent(o.id, uint8(o.index)));
        unchecked {
            if (x.feedback != 0 && x.iteration > 0) o.pairs |= uint64(1) << (x.feedback - 1);
            if (x.iteration >= x.prepaid) revert Machine.CorruptRecord();
            x.iteration++;
            x.interactionId = keccak256(abi.encode(o.id, uint256(o.index), uint256(x.iteration)));
            ctx.write(x);
            i.status = Protocol.PENDING;
            i.callee = x.callee;
            i.capability = x.capability;
            i.paramsHash = x.template;
            i.paymentWei = x.paymentWei;
            uint64 deadline = i.invokedAt + uint64(x.ttlSeconds);
            if (deadline < i.deadline) i.deadline = deadline;
        }
        if (x.needed) i.constituent |= Protocol.CONSTITUENT_NEEDED;
        o.word = x.interactionId;
        return nextInput(ctx);
    }

    function nextInput(Context memory ctx) private pure returns (uint8) {
        return ctx.op.pairs != 0 ? Steps.ACTIVATE_INPUT : Steps.ACTIVATE_INTERACTION;
    }

    function stepActivateInput(Context memory ctx) internal pure returns (uint8) {
        uint8 from = Composition.lowest(uint32(ctx.op.pairs));
        (, IRecords.Constituent memory x) = ctx.readConstituent(Keys.constituent(ctx.op.id, from));
        ctx.call.paramsHash = keccak256(abi.encode(ctx.call.paramsHash, x.resultHash));
        ctx.op.pairs &= ~(uint64(1) << from);
        return nextInput(ctx);
    }

    function stepActivateInteraction(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        bytes32 id = ctx.op.word;
        (bool present,) = ctx.readInteraction(Keys.interaction(id));
        if (present) revert Machine.CorruptRecord();
        ctx.write(i);
        unchecked {
            ctx.sums.interactions++;
        }
        bytes memory fields = abi.encode(
            i.capability,
            i.paramsHash,
            i.paymentWei,
            i.deadline,
            bytes32(0),
            i.compositionId,
            i.paramsHash,
            uint256(0),
            uint256(0),
            uint256(0)
        );
        Composition.emitInteraction(ctx, IAGNT2.Invoked.selector, id, i, fields);
        return Composition.queueLater(ctx, i.deadline, Keys.DUE_INTERACTION, id, Steps.SWEEP_ADVANCE);
    }

    function stepSettleConstituent(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Constituent memory x) = ctx.readConstituent(Keys.constituent(o.id, uint8(o.index)));
        if (!present) revert Machine.CorruptRecord();
        ctx.call.callee = x.callee;
        ctx.call.paymentWei = x.paymentWei;
        ctx.call.resultHash = x.resultHash;
        o.word = x.interactionId;
        o.index = x.iteration;
        if (o.status == Protocol.SETTLE_EXPIRE) o.value = x.paymentWei;
        return Steps.SETTLE_INTERACTION;
    }

    function stepSettleInteraction(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(ctx.op.word));
        if (!present) revert Machine.CorruptRecord();
        i.status = ctx.op.status == Protocol.SETTLE_EXPIRE ? Protocol.TIMED_OUT : Protocol.COMPLETED;
        i.settledAt = ctx.blk.time;
        ctx.write(i);
        return Steps.SETTLE_INITIATOR;
    }

    function stepSettleInitiator(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(i.caller));
        unchecked {
            a.balance += ctx.op.value;
        }
        ctx.write(a);
        bool counts = Respond.counts(ctx, a);
        uint8 next = uint8(ctx.op.epoch);
        address owner = Respond.ownerOf(a.owner, i.caller);
        if (next == Steps.SETTLE_CALLEE) {
            ctx.op.flag = counts;
            ctx.op.actor = owner;
            return next;
        }
        counts = counts && owner != Respond.ownerOf(ctx.op.owner, ctx.op.from);
        ctx.op.flag = counts;
        if (next == Steps.RESPOND_PAIR && !counts) return Steps.RESPOND_REPUTATION;
        if (next == Steps.SETTLE_PAIR && !counts) return Steps.SETTLE_REPUTATION;
        return next;
    }

    function stepSettleCallee(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(i.callee));
        unchecked {
            ctx.op.value = i.paymentWei * ctx.op.index;
            a.balance += ctx.op.value;
            ctx.sums.volumeWei += ctx.op.value;
        }
        ctx.write(a);
        Composition.emitResponded(ctx, ctx.op.word, ctx.op.value);
        bool counts = ctx.op.flag && Respond.ownerOf(a.owner, i.callee) != ctx.op.actor;
        ctx.op.flag = counts;
        ctx.op.actor = address(0);
        return counts ? Steps.SETTLE_PAIR : Steps.SETTLE_REPUTATION;
    }

    function stepSettlePair(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Pair memory p) = ctx.readPair(Keys.pair(ctx.call.callee, ctx.call.caller));
        ctx.op.pairs = p.completed;
        unchecked {
            p.completed += uint64(ctx.op.index);
        }
        p.latest = ctx.op.word;
        ctx.write(p);
        return Steps.SETTLE_REPUTATION;
    }

    function stepSettleReputation(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (, IRecords.Reputation memory r) = ctx.readReputation(Keys.reputation(ctx.call.callee));
        unchecked {
            if (o.status == Protocol.SETTLE_PAY) {
                uint64 n = o.index;
                r.lastActiveAt = ctx.blk.time;
                r.completed += n;
                r.softStreak = 0;
                if (o.flag) {
                    r.countedCompleted += n;
                    if (o.pairs == 0) r.distinctCallers++;
                    r.sumOfSquares += n * (2 * o.pairs + n); // (p+n)² − p²
                }
            } else if (o.status == Protocol.SETTLE_EXPIRE) {
                r.lastActiveAt = ctx.blk.time;
                r.timeouts++;
                r.penaltyUnits += Protocol.PENALTY_TIMEOUT;
                Composition.emitInteraction(ctx, IAGNT2.TimedOut.selector, o.word, ctx.call, abi.encode(o.value));
            } else {
                r.aborts++;
            }
        }
        ctx.write(r);
        return uint8(o.branch);
    }
}
