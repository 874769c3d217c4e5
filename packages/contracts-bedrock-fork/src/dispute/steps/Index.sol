// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Discover } from "./Discover.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";

/// @title Index
/// @notice The index of DISCOVER: agnt2/vm/index.go.
library Index {
    using ContextLib for Context;

    // What an operation does with the index, in op.status. op.id is the capability.
    uint8 internal constant ADD = 1; // op.pairs becomes the new slot
    uint8 internal constant REMOVE = 2; // op.pairs leaves; op.branch is the last slot
    uint8 internal constant MOVE = 3; // the last slot's agent, op.word, goes to op.pairs
    uint8 internal constant RECLAIM = 4; // op.pairs is looked at: does its agent, op.word, still offer the capability?
    uint8 internal constant SCAN = 5; // the same of slot op.index + 1, for op.count slots of op.branch

    /// @notice Gives the capability that is being written a slot.
    function add(Context memory ctx, bytes32 capability) internal pure returns (uint8) {
        ctx.op.id = capability;
        ctx.op.status = ADD;
        return Steps.INDEX_COUNT;
    }

    /// @notice Takes a slot out.
    function remove(Context memory ctx, bytes32 capability, uint32 slot) internal pure returns (uint8) {
        ctx.op.id = capability;
        ctx.op.status = REMOVE;
        ctx.op.pairs = slot;
        return Steps.INDEX_COUNT;
    }

    /// @dev What follows when a slot is out of the index.
    function removed(Context memory ctx) private pure returns (uint8) {
        ctx.op.pairs = 0;
        return ctx.op.flag ? Steps.TX_END : Steps.REMOVE_CAPABILITY_DETAIL;
    }

    /// @notice The agent that a register holds.
    function agentOf(bytes32 word) internal pure returns (address) {
        return address(uint160(uint256(word)));
    }

    function stepIndexCount(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.IndexCount memory n) = ctx.readIndexCount(Keys.indexCount(ctx.op.id));
        unchecked {
            if (ctx.op.status == ADD) {
                n.count++;
                ctx.op.pairs = n.count;
            } else if (ctx.op.status == REMOVE) {
                ctx.op.branch = n.count;
                n.count--;
            } else {
                return Discover.beginScan(ctx, n.count);
            }
        }
        ctx.write(n);
        return Steps.INDEX_SLOT;
    }

    function stepIndexSlot(Context memory ctx) internal pure returns (uint8) {
        uint8 status = ctx.op.status;
        uint32 hole = uint32(ctx.op.pairs);
        uint32 slot = hole;
        if (status == REMOVE) slot = ctx.op.branch;
        unchecked {
            if (status == SCAN) slot = ctx.op.index + 1;
        }
        (bool present, IRecords.IndexSlot memory entry) = ctx.readIndexSlot(Keys.indexSlot(ctx.op.id, slot));
        if (status == ADD) {
            entry.agent = ctx.op.from;
            ctx.write(entry);
            return Steps.WRITE_CAPABILITY;
        }
        if (status == MOVE) {
            entry.agent = agentOf(ctx.op.word);
            ctx.write(entry);
            return Steps.INDEX_MOVED;
        }
        if (!present && status == RECLAIM) return Machine.fail(ctx);
        if (!present) revert Machine.CorruptRecord();
        ctx.op.word = Machine.word(entry.agent);
        if (status != REMOVE) return Discover.candidate(ctx, entry.agent);
        ctx.remove();
        if (slot == hole) return removed(ctx);
        ctx.op.status = MOVE;
        return Steps.INDEX_SLOT;
    }

    function stepIndexMoved(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Capability memory c) =
            ctx.readCapability(Keys.capability(agentOf(ctx.op.word), ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        c.slot = uint32(ctx.op.pairs);
        ctx.write(c);
        return removed(ctx);
    }

    /// @notice Takes the candidate's entry out, if it is dead.
    /// @param  c The candidate's capability, which the step has read.
    function reclaim(Context memory ctx, IRecords.Capability memory c) internal pure returns (uint8) {
        if (c.epoch == ctx.op.epoch) return Machine.fail(ctx);
        uint32 slot = c.slot;
        c.slot = 0;
        ctx.write(c);
        ctx.op.flag = true;
        Machine.emit2(ctx, IAGNT2.SlotReclaimed.selector, agentOf(ctx.op.word), ctx.op.id, abi.encode(slot));
        return remove(ctx, ctx.op.id, slot);
    }
}
