// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Composition } from "./Composition.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Prune
/// @notice Compositions on their way into the history: agnt2/vm/prune.go.
library Prune {
    using ContextLib for Context;

    function stepComposeHistory(Context memory ctx) internal pure returns (uint8) {
        bytes32 id = ctx.op.id;
        (bool present, IRecords.Composition memory c) = ctx.readComposition(Keys.composition(id));
        if (!present) revert Machine.CorruptRecord();
        if (c.leavesAt != 0) return Steps.SWEEP_NEXT;
        uint64 until;
        unchecked {
            until = ctx.blk.time + uint64(ctx.policy.recentSeconds);
        }
        c.leavesAt = until > c.deadline ? until : c.deadline;
        ctx.write(c);
        return Composition.queueLater(ctx, c.leavesAt, Keys.DUE_COMPOSITION_HISTORY, id, Steps.SWEEP_NEXT);
    }

    function stepPruneComposition(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Composition memory c) = ctx.readComposition(Keys.composition(ctx.op.id));
        if (!present || c.count == 0) revert Machine.CorruptRecord();
        IFrames.Op memory o = ctx.op;
        o.status = c.status;
        unchecked {
            o.index = uint32(c.count) - 1;
        }
        o.epoch = Protocol.MAX_LOOP_ITERATIONS;
        return Steps.PRUNE_CONSTITUENT;
    }

    function stepPruneConstituent(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Constituent memory x) = ctx.readConstituent(Keys.constituent(o.id, uint8(o.index)));
        if (!present) return nextConstituent(ctx);
        if (x.iteration > o.epoch) x.iteration = uint8(o.epoch);
        if (x.iteration == 0) {
            ctx.remove();
            return nextConstituent(ctx);
        }
        ctx.write(x);
        if (o.pruned > ctx.policy.prunesPerBlock) return later(ctx, ctx.blk.time);
        o.word = keccak256(abi.encode(o.id, uint256(uint8(o.index)), uint256(x.iteration)));
        o.epoch = x.iteration;
        return Steps.PRUNE_CALL_DISPUTE;
    }

    function nextConstituent(Context memory ctx) private pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        if (o.index == 0) return Steps.DROP_COMPOSITION;
        unchecked {
            o.index--;
        }
        o.epoch = Protocol.MAX_LOOP_ITERATIONS;
        return Steps.PRUNE_CONSTITUENT;
    }

    /// @dev Has a later sweep go on.
    function later(Context memory ctx, uint64 time) private pure returns (uint8) {
        return Composition.queueLater(ctx, time, Keys.DUE_COMPOSITION_HISTORY, ctx.op.id, Steps.SWEEP_NEXT);
    }

    function stepPruneCallDispute(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Dispute memory d) = ctx.readDispute(Keys.dispute(ctx.op.word));
        if (!present) return Steps.PRUNE_CALL;
        if (d.outcome == Protocol.DISPUTE_OPEN || ctx.blk.time <= d.deadline) return later(ctx, d.deadline);
        ctx.remove();
        return Steps.PRUNE_CALL;
    }

    function stepPruneCall(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(o.word));
        if (!present || i.status == Protocol.PENDING) revert Machine.CorruptRecord();
        finalize(i, o.status);
        o.word = keccak256(abi.encodePacked(uint8(0), o.word, ContextLib.hash(i)));
        ctx.remove();
        unchecked {
            o.pruned++;
            o.epoch--;
        }
        o.branch = Steps.PRUNE_CONSTITUENT;
        return Steps.PRUNE_HISTORY;
    }

    /// @dev Gives an interaction of an atomic composition the status that the composition's amounts to.
    function finalize(IRecords.Interaction memory i, uint8 status) private pure {
        if (status == Protocol.COMPOSITION_REVERTED && (i.status == Protocol.TENTATIVE || i.status == Protocol.OPENED))
        {
            i.status = Protocol.REVERTED;
            i.resultHash = 0;
            i.branch = 0;
        } else if (status == Protocol.COMPOSITION_COMMITTED && i.status == Protocol.OPENED) {
            i.status = Protocol.COMPLETED;
        }
    }

    function stepDropComposition(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readComposition(Keys.composition(ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        ctx.remove();
        return Steps.SWEEP_NEXT;
    }
}
