// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { RecordTrie } from "../lib/RecordTrie.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { History } from "./History.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Sweep
/// @notice TIMEOUT: agnt2/vm/sweep.go.
library Sweep {
    using ContextLib for Context;

    function stepSweepNext(Context memory ctx) internal pure returns (uint8) {
        if (ctx.op.count >= ctx.params.sweepsPerBlock || ctx.op.pruned >= ctx.policy.prunesPerBlock) {
            return Steps.TX_END;
        }
        (bool found, uint64 time, uint8 due, bytes32 id) = nextDeadline(ctx);
        if (!found || time >= ctx.blk.time) return Steps.TX_END;
        ctx.remove();
        unchecked {
            if (due == Keys.DUE_HISTORY || due == Keys.DUE_COMPOSITION_HISTORY) ctx.op.pruned++; // without an event
            else ctx.op.count++;
        }
        ctx.op.id = id;
        ctx.op.value = 0;
        if (due == Keys.DUE_INTERACTION) return Steps.SWEEP_INTERACTION;
        if (due == Keys.DUE_CHANNEL) return Steps.SWEEP_CHANNEL;
        if (due == Keys.DUE_HISTORY) return Steps.PRUNE_DISPUTE;
        if (due == Keys.DUE_DISPUTE) return Steps.SWEEP_DISPUTE;
        if (due == Keys.DUE_COMMITMENT) return Steps.SWEEP_COMMITMENT;
        if (due == Keys.DUE_COMPOSITION) return Steps.SWEEP_ADVANCE;
        if (due == Keys.DUE_COMPOSITION_HISTORY) return Steps.PRUNE_COMPOSITION;
        revert Machine.CorruptRecord(); // nothing else is ever queued
    }

    /// @dev Reads the first entry of the deadline queue, which the witness brings with its place in it.
    function nextDeadline(Context memory ctx) private pure returns (bool found, uint64 time, uint8 due, bytes32 id) {
        found = ctx.flag();
        if (!found) {
            ctx.advance(RecordTrie.none(ctx.root(), Keys.DEADLINES, ctx.rest(), 0));
            return (false, 0, 0, 0);
        }
        uint256 pos = ctx.cursor;
        ctx.advance(38);
        assembly ("memory-safe") {
            time := shr(216, calldataload(pos))
            due := byte(5, calldataload(pos))
            id := calldataload(add(pos, 6))
        }
        bytes32 key = Keys.deadline(time, due, id);
        bytes32 h = ContextLib.hash(IRecords.Deadline(id));
        RecordTrie.leftmost(Keys.DEADLINES, key, ctx.rest(), 0);
        ctx.touch(key, h); // `close` proves it with the same proof
    }

    function stepSweepInteraction(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        ctx.setCall(i);
        if (i.status != Protocol.PENDING && i.status != Protocol.TENTATIVE) {
            unchecked {
                ctx.op.count--; // has no event
                ctx.op.pruned++;
            }
            return Steps.SWEEP_HISTORY;
        }
        i.status = Protocol.TIMED_OUT;
        i.settledAt = ctx.blk.time;
        ctx.write(i);
        return i.constituent == 0 ? Steps.SWEEP_CALLER : Steps.SWEEP_CONSTITUENT;
    }

    function stepSweepCaller(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(ctx.call.caller));
        releaseEscrow(ctx, a);
        unchecked {
            a.balance += ctx.call.paymentWei;
        }
        ctx.write(a);
        return Steps.SWEEP_REPUTATION;
    }

    function stepSweepReputation(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Reputation memory r) = ctx.readReputation(Keys.reputation(ctx.call.callee));
        unchecked {
            r.timeouts++;
            r.penaltyUnits += Protocol.PENALTY_TIMEOUT;
        }
        r.lastActiveAt = ctx.blk.time;
        r.interactionHistoryRoot = History.extend(r.interactionHistoryRoot, ctx.op.id, ctx.call);
        ctx.write(r);
        Machine.emit3(ctx, IAGNT2.TimedOut.selector, ctx.call, abi.encode(ctx.call.paymentWei));
        return ctx.call.constituent == 0 ? Steps.SWEEP_HISTORY : Steps.SWEEP_NEXT;
    }

    /// @notice Takes the interaction in progress off its caller's books, which cover it.
    function releaseEscrow(Context memory ctx, IRecords.Account memory a) internal pure {
        uint256 payment = ctx.call.paymentWei;
        if (a.escrowed < payment || a.pendingInvokes == 0) revert Machine.CorruptRecord();
        unchecked {
            a.escrowed -= payment;
            a.pendingInvokes--;
        }
    }
}
