// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Composition } from "./Composition.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Constituent
/// @notice Answers inside a composition, and CANCEL: agnt2/vm/constituent.go and cancel.go.
library Constituent {
    using ContextLib for Context;

    function stepOpenArgs(Context memory ctx) internal pure returns (uint8) {
        (bytes32 id, bytes32 resultHash, uint32 branch, bytes32 salt) = Calls.openResult(ctx.args());
        if (!Machine.use(ctx, Gas.respond(ctx.params, 0))) return Machine.outOfGas(ctx);
        if (resultHash == 0) return Machine.fail(ctx);
        IFrames.Op memory o = ctx.op;
        o.id = id;
        o.word = keccak256(abi.encode(resultHash, salt));
        o.message = resultHash;
        o.branch = branch;
        o.data = 0;
        o.paced = 0;
        Machine.forgetSender(ctx);
        return Steps.OPEN_INTERACTION;
    }

    function stepOpenInteraction(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(o.id));
        if (!present) return Machine.fail(ctx);
        if (i.callee != o.from) return Machine.fail(ctx);
        if (i.status != Protocol.TENTATIVE) return Machine.fail(ctx);
        if (i.resultHash != o.word) return Machine.fail(ctx);
        bool needed = Composition.isNeeded(i);
        if (needed && ctx.blk.time > i.deadline) return Machine.fail(ctx);
        i.resultHash = o.message;
        i.branch = o.branch;
        i.settledAt = ctx.blk.time;
        i.status = needed ? Protocol.OPENED : Protocol.COMPLETED;
        ctx.setCall(i);
        ctx.write(i);
        o.word = 0;
        o.message = 0;
        return needed ? Steps.RESPOND_DEADLINE : Steps.RESPOND_CONSTITUENT;
    }

    function stepRespondConstituent(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        (uint8 index,) = Composition.constituentOf(i);
        (bool present, IRecords.Constituent memory x) = ctx.readConstituent(Keys.constituent(i.compositionId, index));
        if (!present) revert Machine.CorruptRecord();
        x.resultHash = i.resultHash;
        ctx.write(x);
        bool again = x.maxIterations != 0 && x.iteration < x.maxIterations && i.branch == x.loopBranch;
        ctx.op.pairs = again ? Composition.loopMask(x.loopFrom, index) : 0;
        return Steps.RESPOND_COMPOSITION;
    }

    function stepRespondComposition(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        (bool present, IRecords.Composition memory c) = ctx.readComposition(Keys.composition(i.compositionId));
        if (!present) revert Machine.CorruptRecord();
        Composition.check(c);
        if (Composition.isAtomic(i) && i.status == Protocol.COMPLETED) return openCommitted(ctx, c);
        if (c.status != Protocol.COMPOSITION_ACTIVE) return Machine.fail(ctx);
        uint8 then = Steps.TX_END;
        bool more;
        if (c.atomic) more = answerTentatively(ctx, c);
        else (then, more) = answerAtOnce(ctx, c);
        ctx.write(c);
        return more ? Composition.advanceLater(ctx, i.compositionId, then) : then;
    }

    function answerTentatively(Context memory ctx, IRecords.Composition memory c) private pure returns (bool) {
        IRecords.Interaction memory i = ctx.call;
        (uint8 index, uint32 bit) = Composition.constituentOf(i);
        if (i.status == Protocol.OPENED) {
            Machine.emit3(ctx, IAGNT2.ConstituentOpened.selector, i, abi.encode(i.compositionId));
            Composition.credit(c, bit, i);
            c.opened |= bit;
            concluded(ctx, c, index);
            return Composition.progress(ctx, c, i.compositionId);
        }
        Machine.emit3(ctx, IAGNT2.ConstituentAnswered.selector, i, abi.encode(i.compositionId, uint256(ctx.op.status)));
        if (i.status != Protocol.TENTATIVE) {
            c.culprit = i.callee;
            Composition.end(ctx, c, i.compositionId, Protocol.COMPOSITION_REVERTED);
            return true;
        }
        if (Composition.isNeeded(i)) return false;
        Composition.credit(c, bit, i);
        Composition.finish(c, index, 0);
        return Composition.progress(ctx, c, i.compositionId);
    }

    function answerAtOnce(
        Context memory ctx,
        IRecords.Composition memory c
    )
        private
        pure
        returns (uint8 then, bool more)
    {
        IRecords.Interaction memory i = ctx.call;
        (uint8 index, uint32 bit) = Composition.constituentOf(i);
        if (i.status != Protocol.COMPLETED) {
            c.active &= ~bit;
            c.failed |= bit;
            ctx.op.flag = false;
            return (Steps.RESPOND_REPUTATION, Composition.progress(ctx, c, i.compositionId));
        }
        unchecked {
            c.escrowWei -= i.paymentWei;
        }
        pay(ctx, i);
        ctx.op.epoch = Steps.RESPOND_PAIR;
        concluded(ctx, c, index);
        more = Composition.progress(ctx, c, i.compositionId);
        Composition.payOnly(ctx);
        return (Steps.SETTLE_INITIATOR, more);
    }

    /// @dev Has the transaction's end pay the callee in progress, who sent it.
    function pay(Context memory ctx, IRecords.Interaction memory i) private pure {
        ctx.op.credit = i.paymentWei;
        ctx.op.effect |= Protocol.SETTLE;
    }

    /// @dev Marks a result as there, or begins the loop again that it ends.
    function concluded(Context memory ctx, IRecords.Composition memory c, uint8 index) private pure {
        Composition.finish(c, index, ctx.call.branch);
        uint32 again = uint32(ctx.op.pairs);
        c.done &= ~again;
        c.skipped &= ~again;
    }

    function openCommitted(Context memory ctx, IRecords.Composition memory c) private pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        if (c.status != Protocol.COMPOSITION_COMMITTED) return Machine.fail(ctx);
        if (ctx.blk.time > c.deadline) return Machine.fail(ctx);
        (uint8 index, uint32 bit) = Composition.constituentOf(i);
        c.opened |= bit;
        c.paid |= bit;
        c.branches[index] = i.branch;
        unchecked {
            c.escrowWei -= i.paymentWei;
            c.owedWei -= i.paymentWei;
        }
        ctx.write(c);
        pay(ctx, i);
        Composition.emitResponded(ctx, ctx.op.id, ctx.op.credit);
        Composition.payOnly(ctx);
        ctx.op.status = Protocol.SETTLE_PAY;
        ctx.op.index = 1;
        ctx.op.epoch = Steps.SETTLE_PAIR;
        ctx.op.branch = Steps.TX_END;
        return Steps.SETTLE_INITIATOR;
    }

    // ------------------------------------------------------------------------------------------------------------ CANCEL

    function stepCancelInteraction(Context memory ctx) internal pure returns (uint8) {
        bytes32 id = Calls.cancel(ctx.args());
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        ctx.op.id = id;
        ctx.op.data = 0; // no later step reads the calldata
        Machine.forgetSender(ctx);
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(id));
        if (!present) {
            i.compositionId = id;
            ctx.setCall(i);
            return Steps.CANCEL_COMPOSITION;
        }
        if (i.constituent != 0) {
            if (i.callee != ctx.op.from) return Machine.fail(ctx);
            ctx.setCall(i);
            return Steps.CANCEL_COMPOSITION;
        }
        if (i.caller != ctx.op.from) return Machine.fail(ctx);
        if (i.status != Protocol.PENDING) return Machine.fail(ctx);
        uint64 old = i.deadline;
        uint64 deadline = cancelledDeadline(ctx);
        if (deadline >= old) return Machine.fail(ctx);
        i.deadline = deadline;
        ctx.write(i);
        i.deadline = old; // what is queued
        ctx.setCall(i);
        return Steps.CANCEL_CALLEE;
    }

    /// @dev Leaves the callee the least TTL to answer with.
    function cancelledDeadline(Context memory ctx) private pure returns (uint64) {
        unchecked {
            return ctx.blk.time + uint64(ctx.params.minTtlSeconds);
        }
    }

    function stepCancelCallee(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        uint64 deadline = cancelledDeadline(ctx);
        (bool present, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(i.callee));
        if (!present) revert Machine.CorruptRecord();
        if (a.status == Protocol.ACTIVE) return Machine.fail(ctx);
        Machine.emit3(ctx, IAGNT2.InvokeCancelled.selector, i, abi.encode(deadline));
        Composition.queueLater(ctx, deadline, Keys.DUE_INTERACTION, ctx.op.id, Steps.TX_END);
        return Steps.RESPOND_DEADLINE;
    }

    function stepCancelComposition(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        bytes32 id = i.compositionId;
        (bool present, IRecords.Composition memory c) = ctx.readComposition(Keys.composition(id));
        if (!present) return Machine.fail(ctx);
        Composition.check(c);
        if (i.constituent == 0 && c.initiator != ctx.op.from) return Machine.fail(ctx);
        if (c.status != Protocol.COMPOSITION_ACTIVE) return Machine.fail(ctx);
        if (ctx.blk.time > c.deadline) return Machine.fail(ctx);
        if (i.constituent != 0 && !mayWithdraw(c, i)) return Machine.fail(ctx);
        Composition.emitComposition(ctx, IAGNT2.CompositionCancelled.selector, id, ctx.op.from, "");
        if (i.constituent != 0) c.culprit = ctx.op.from;
        bool more = Composition.abandon(ctx, c, id);
        ctx.write(c);
        return more ? Composition.advanceLater(ctx, id, Steps.TX_END) : Steps.TX_END;
    }

    function mayWithdraw(IRecords.Composition memory c, IRecords.Interaction memory i) private pure returns (bool) {
        (uint8 index,) = Composition.constituentOf(i);
        return c.atomic && c.edges[index] & Protocol.EDGE_DEPENDS != 0;
    }
}
