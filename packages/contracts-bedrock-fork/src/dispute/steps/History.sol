// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Composition } from "./Composition.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title History
/// @notice Settled interactions on their way into the history: agnt2/vm/history.go and agnt2/history.
library History {
    using ContextLib for Context;

    /// @notice An agent's interactionHistoryRoot after one more settled interaction.
    function extend(bytes32 root, bytes32 id, IRecords.Interaction memory i) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(root, id, i.resultHash, i.caller, i.settledAt, i.status, i.branch));
    }

    /// @dev Of a mountain: the length of the longest path.
    uint256 internal constant MAX_HEIGHT = 63;

    /// @notice The peak that a path leads to from the leaf with an index.
    function fold(bytes32 leaf, uint64 index, bytes32[] memory path) internal pure returns (bytes32) {
        for (uint256 i = 0; i < path.length; ++i) {
            leaf = (index >> i) & 1 == 0
                ? keccak256(abi.encodePacked(uint8(1), leaf, path[i]))
                : keccak256(abi.encodePacked(uint8(1), path[i], leaf));
        }
        return leaf;
    }

    /// @notice Whether the leaf with an index is under a peak that is so high.
    function isPeak(IRecords.History memory h, bytes32 node, uint64 index, uint256 height)
        internal
        pure
        returns (bool)
    {
        uint64 count = h.count;
        if (index >= count) return false;
        // The leaf's mountain is that of the highest bit in which index and count differ.
        if ((index ^ count) >> height != 1) return false;
        uint256 peak;
        for (uint256 larger = uint256(count) >> (height + 1); larger != 0; larger &= larger - 1) {
            ++peak;
        }
        return peak < h.peaks.length && h.peaks[peak] == node;
    }

    /// @notice Queues a settled interaction for its removal.
    function queue(Context memory ctx, uint64 time) internal pure {
        ctx.readDeadline(Keys.deadline(time, Keys.DUE_HISTORY, ctx.op.id));
        ctx.write(IRecords.Deadline(ctx.op.id));
    }

    function stepSweepHistory(Context memory ctx) internal pure returns (uint8) {
        uint64 until;
        unchecked {
            until = ctx.call.settledAt + uint64(ctx.policy.recentSeconds);
        }
        if (until < ctx.blk.time) return Steps.PRUNE_DISPUTE;
        queue(ctx, until);
        return Steps.SWEEP_NEXT;
    }

    function stepPruneDispute(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Dispute memory d) = ctx.readDispute(Keys.dispute(ctx.op.id));
        if (!present) return Steps.PRUNE_INTERACTION;
        if (d.outcome == Protocol.DISPUTE_OPEN) {
            d.due = true;
            ctx.write(d);
            return Steps.SWEEP_NEXT;
        }
        if (ctx.blk.time > d.deadline) {
            ctx.remove();
            return Steps.PRUNE_INTERACTION;
        }
        d.pruned = true;
        ctx.write(d);
        return Composition.queueLater(ctx, d.deadline, Keys.DUE_DISPUTE, ctx.op.id, Steps.PRUNE_INTERACTION);
    }

    function stepPruneInteraction(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(ctx.op.id));
        if (!present || i.status == Protocol.PENDING) revert Machine.CorruptRecord();
        ctx.op.word = keccak256(abi.encodePacked(uint8(0), ctx.op.id, ctx.oldHash));
        ctx.remove();
        ctx.op.branch = Steps.SWEEP_NEXT;
        return Steps.PRUNE_HISTORY;
    }

    function stepPruneHistory(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.History memory h) = ctx.readHistory(Keys.HISTORY);
        bytes32 node = ctx.op.word;
        uint256 n = h.peaks.length;
        uint256 count = h.count;
        for (uint256 c = count; c & 1 == 1; c >>= 1) {
            node = keccak256(abi.encodePacked(uint8(1), h.peaks[--n], node));
        }
        bytes32[] memory peaks = new bytes32[](n + 1);
        for (uint256 i = 0; i < n; ++i) {
            peaks[i] = h.peaks[i];
        }
        peaks[n] = node;
        unchecked {
            ctx.write(IRecords.History(uint64(count + 1), peaks));
        }
        return uint8(ctx.op.branch);
    }
}
