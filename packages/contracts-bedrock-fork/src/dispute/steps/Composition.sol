// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Composition
/// @notice What COMPOSE's operations and sweeps share: agnt2/vm/composition.go.
library Composition {
    using ContextLib for Context;

    /// @notice Index and mask bit of an interaction's constituent.
    function constituentOf(IRecords.Interaction memory i) internal pure returns (uint8 index, uint32 bit) {
        unchecked {
            index = (i.constituent & Protocol.CONSTITUENT_INDEX) - 1;
            bit = uint32(1) << index;
        }
    }

    /// @notice Whether an interaction is an atomic composition's.
    function isAtomic(IRecords.Interaction memory i) internal pure returns (bool) {
        return i.constituent & Protocol.CONSTITUENT_ATOMIC != 0;
    }

    /// @notice Whether others need an interaction's result.
    function isNeeded(IRecords.Interaction memory i) internal pure returns (bool) {
        return i.constituent & Protocol.CONSTITUENT_NEEDED != 0;
    }

    /// @notice Reverts on what no composition's record can say: its lists have MAX_CONSTITUENTS places.
    function check(IRecords.Composition memory c) internal pure {
        uint256 masks = c.active | c.done | c.skipped | c.failed | c.credited | c.opened | c.paid;
        if (c.count > Protocol.MAX_CONSTITUENTS || masks >> Protocol.MAX_CONSTITUENTS != 0) {
            revert Machine.CorruptRecord();
        }
    }

    /// @notice Decides which constituents are skipped or failed, and returns those that can be activated.
    function resolve(IRecords.Composition memory c) internal pure returns (uint32 ready) {
        unchecked {
            uint256 count = c.count;
            for (uint256 i = 0; i < count; ++i) {
                uint32 bit = uint32(1) << uint8(i);
                uint32 settled = c.done | c.skipped | c.failed;
                if ((c.active | settled) & bit != 0) continue;
                uint64 edges = c.edges[i];
                uint32 depends = uint32(edges & Protocol.EDGE_DEPENDS);
                if (depends & ~settled != 0) continue;
                if (depends & c.failed != 0) c.failed |= bit;
                else if ((depends != 0 && depends & ~c.skipped == 0) || !taken(c, edges)) c.skipped |= bit;
                else ready |= bit;
            }
        }
    }

    /// @dev Whether a constituent's guard, if any, lets it run.
    function taken(IRecords.Composition memory c, uint64 edges) private pure returns (bool) {
        uint8 kind = uint8(edges >> Protocol.EDGE_GUARD) & 3;
        if (kind == Protocol.NO_GUARD) return true;
        uint256 on = (edges >> Protocol.EDGE_GUARD_ON) & Protocol.CONSTITUENT_INDEX;
        if (on >= Protocol.MAX_CONSTITUENTS) revert Machine.CorruptRecord();
        if ((c.skipped >> on) & 1 != 0) return false;
        return (c.branches[on] == uint32(edges >> Protocol.EDGE_GUARD_BRANCH)) == (kind == Protocol.GUARD_EQUALS);
    }

    /// @notice Gives up what is not active.
    function stop(IRecords.Composition memory c) internal pure {
        c.failed |= all(c) & ~(c.active | c.done | c.skipped);
    }

    /// @notice The mask of all constituents.
    function all(IRecords.Composition memory c) internal pure returns (uint32) {
        unchecked {
            return (uint32(1) << c.count) - 1;
        }
    }

    /// @notice Resolves an active composition, ends it if every constituent has its fate, and returns those that can be
    ///         activated.
    function conclude(
        Context memory ctx,
        IRecords.Composition memory c,
        bytes32 id
    )
        internal
        pure
        returns (uint32 ready)
    {
        ready = resolve(c);
        if (c.done | c.skipped | c.failed == all(c)) {
            end(ctx, c, id, c.atomic ? Protocol.COMPOSITION_COMMITTED : Protocol.COMPOSITION_SETTLED);
        }
    }

    /// @notice Concludes.
    /// @return Whether the next block's sweep has something to do.
    function progress(Context memory ctx, IRecords.Composition memory c, bytes32 id) internal pure returns (bool) {
        return conclude(ctx, c, id) != 0 || c.status != Protocol.COMPOSITION_ACTIVE;
    }

    /// @notice Gives a composition its final status.
    function end(Context memory ctx, IRecords.Composition memory c, bytes32 id, uint8 status) internal pure {
        c.status = status;
        c.settledAt = ctx.blk.time;
        c.active = 0;
        unchecked {
            if (status == Protocol.COMPOSITION_COMMITTED) c.deadline = ctx.blk.time + uint64(c.windowSeconds);
            ctx.op.count++;
        }
        emitComposition(ctx, IAGNT2.CompositionEnded.selector, id, c.initiator, abi.encode(uint256(status), c.culprit));
    }

    /// @notice Gives an active composition up.
    /// @return Whether the next block's sweep has something to do.
    function abandon(Context memory ctx, IRecords.Composition memory c, bytes32 id) internal pure returns (bool) {
        if (c.atomic) {
            end(ctx, c, id, Protocol.COMPOSITION_REVERTED);
            return true;
        }
        stop(c);
        return progress(ctx, c, id);
    }

    /// @notice The mask of the constituents from one to another, which is not below it.
    function loopMask(uint8 from, uint8 last) internal pure returns (uint32) {
        unchecked {
            return (uint32(1) << (last + 1)) - (uint32(1) << from);
        }
    }

    /// @notice Gives a constituent its provisional credit for one answer.
    function credit(IRecords.Composition memory c, uint32 bit, IRecords.Interaction memory i) internal pure {
        c.credited |= bit;
        unchecked {
            c.owedWei += i.paymentWei;
        }
    }

    /// @notice Marks a constituent's result as there.
    function finish(IRecords.Composition memory c, uint8 index, uint32 branch) internal pure {
        uint32 bit = uint32(1) << index;
        c.active &= ~bit;
        c.done |= bit;
        c.branches[index] = branch;
    }

    /// @notice Sets the registers of QUEUE_ENTRY.
    function queueLater(
        Context memory ctx,
        uint64 time,
        uint8 kind,
        bytes32 id,
        uint8 then
    )
        internal
        pure
        returns (uint8)
    {
        ctx.op.pairs = time;
        ctx.op.index = kind;
        ctx.op.word = id;
        ctx.op.branch = then;
        return Steps.QUEUE_ENTRY;
    }

    /// @notice Has the next block's sweep go on with a composition.
    function advanceLater(Context memory ctx, bytes32 id, uint8 then) internal pure returns (uint8) {
        return queueLater(ctx, ctx.blk.time, Keys.DUE_COMPOSITION, id, then);
    }

    function stepQueueEntry(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Deadline memory d) = ctx.readDeadline(Keys.deadline(ctx.op.pairs, uint8(ctx.op.index), ctx.op.word));
        ctx.op.index = 0;
        d.id = ctx.op.word;
        ctx.write(d);
        return uint8(ctx.op.branch);
    }

    /// @notice Position of the lowest bit of a mask that is not 0.
    function lowest(uint32 mask) internal pure returns (uint8 i) {
        unchecked {
            while ((mask >> i) & 1 == 0) ++i;
        }
    }

    /// @notice Emits an event of the AGNT2 address with a composition and its initiator as indexed fields.
    function emitComposition(
        Context memory ctx,
        bytes32 selector,
        bytes32 id,
        address initiator,
        bytes memory fields
    )
        internal
        pure
    {
        ctx.op.logs = Logs.extend(ctx.op.logs, Protocol.AGNT2, 3, selector, id, Machine.word(initiator), 0, fields);
    }

    /// @notice Emits an event of the AGNT2 address with an interaction and its parties as indexed fields.
    function emitInteraction(
        Context memory ctx,
        bytes32 selector,
        bytes32 id,
        IRecords.Interaction memory i,
        bytes memory fields
    )
        internal
        pure
    {
        ctx.op.logs = Logs.extend(
            ctx.op.logs, Protocol.AGNT2, 4, selector, id, Machine.word(i.caller), Machine.word(i.callee), fields
        );
    }

    /// @notice Leaves of the interaction in progress what its payment, its scoring and its event need.
    function payOnly(Context memory ctx) internal pure {
        IRecords.Interaction memory i;
        i.status = ctx.call.status;
        i.caller = ctx.call.caller;
        i.callee = ctx.call.callee;
        i.paymentWei = ctx.call.paymentWei;
        i.resultHash = ctx.call.resultHash;
        i.settledAt = ctx.call.settledAt;
        i.branch = ctx.call.branch;
        ctx.call = i;
    }

    /// @notice Says what a constituent's settlement pays, with the event of RESPOND.
    function emitResponded(Context memory ctx, bytes32 id, uint256 paid) internal pure {
        IRecords.Interaction memory i = ctx.call;
        bytes memory fields = abi.encode(
            uint256(Protocol.OK),
            i.resultHash,
            i.branch,
            uint256(0),
            uint256(0),
            paid,
            uint256(0),
            i.resultHash,
            uint256(0),
            uint256(0),
            uint256(0)
        );
        emitInteraction(ctx, IAGNT2.Responded.selector, id, i, fields);
    }
}
