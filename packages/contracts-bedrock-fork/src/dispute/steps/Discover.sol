// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Gas } from "./Gas.sol";
import { Index } from "./Index.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Reputation } from "./Reputation.sol";

/// @title Discover
/// @notice DISCOVER: agnt2/vm/discover.go.
library Discover {
    using ContextLib for Context;

    function stepDiscoverArgs(Context memory ctx) internal pure returns (uint8) {
        IFrames.Search memory f;
        if (bytes4(ctx.data()) == IAGNT2.reclaimSlot.selector) {
            if (!Machine.use(ctx, Gas.agentOperation(ctx.params, Protocol.RECLAIM_RECORDS))) {
                return Machine.outOfGas(ctx);
            }
            uint32 slot;
            (ctx.op.id, slot) = abi.decode(ctx.args(), (bytes32, uint32));
            ctx.op.status = Index.RECLAIM;
            ctx.op.pairs = slot;
            ctx.setSearch(f);
            return Steps.INDEX_SLOT;
        }
        Calls.DiscoverInvoke memory c = Calls.discoverInvoke(ctx.args());
        if (!Machine.use(ctx, Gas.discover(ctx.policy, Protocol.MAX_SCANNED_SLOTS))) return Machine.outOfGas(ctx);
        if (c.filter.maxPriceWei == 0 || c.filter.maxPriceWei > type(uint128).max) return Machine.fail(ctx);
        if (c.filter.maxLatencyMs == 0) return Machine.fail(ctx);
        ctx.op.id = c.capability;
        ctx.op.status = Index.SCAN;
        ctx.op.message = keccak256(abi.encode(ctx.op.from, c.salt)); // until the scan has begun
        f.maxPriceWei = c.filter.maxPriceWei;
        f.maxLatencyMs = c.filter.maxLatencyMs;
        f.minReputation = c.filter.minReputation;
        f.inputSchemaHash = c.filter.inputSchemaHash;
        f.outputSchemaHash = c.filter.outputSchemaHash;
        f.time = ctx.blk.time;
        f.halfLifeSeconds = ctx.params.reputationHalfLifeSeconds;
        f.eligibilityScore = ctx.policy.eligibilityScore;
        ctx.setSearch(f);
        return Steps.INDEX_COUNT;
    }

    /// @notice Chooses where to begin among n slots.
    function beginScan(Context memory ctx, uint32 n) internal pure returns (uint8) {
        if (n == 0) return Machine.fail(ctx);
        ctx.op.index = uint32(uint256(ctx.op.message) % n);
        ctx.op.branch = n;
        ctx.op.count = n < Protocol.MAX_SCANNED_SLOTS ? n : Protocol.MAX_SCANNED_SLOTS;
        ctx.op.message = 0; // the best provider, from now on
        return Steps.INDEX_SLOT;
    }

    /// @notice Goes on with the agent of a slot.
    function candidate(Context memory ctx, address a) internal pure returns (uint8) {
        if (ctx.op.status == Index.SCAN && a == ctx.op.from) return nextCandidate(ctx);
        return Steps.CANDIDATE_AGENT;
    }

    /// @dev Goes to the next slot, or invokes the best provider.
    function nextCandidate(Context memory ctx) private pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        unchecked {
            if (--o.count > 0) {
                if (++o.index == o.branch) o.index = 0;
                return Steps.INDEX_SLOT;
            }
        }
        if (o.message == 0) return Machine.fail(ctx);
        o.word = o.message;
        o.message = 0;
        o.status = 0;
        o.index = 0;
        o.branch = 0;
        return Steps.INVOKE_ARGS;
    }

    function stepCandidateAgent(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(Index.agentOf(ctx.op.word)));
        if (!present) revert Machine.CorruptRecord();
        ctx.op.epoch = a.epoch;
        if (a.status != Protocol.ACTIVE) {
            ctx.op.epoch = 0;
            if (ctx.op.status == Index.SCAN) return nextCandidate(ctx);
        }
        return Steps.CANDIDATE_CAPABILITY;
    }

    function stepCandidateCapability(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Capability memory c) =
            ctx.readCapability(Keys.capability(Index.agentOf(ctx.op.word), ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        if (ctx.op.status == Index.RECLAIM) return Index.reclaim(ctx, c);
        IFrames.Search memory f = ctx.search;
        if (c.epoch != ctx.op.epoch || c.commitRequired) return nextCandidate(ctx);
        if (c.priceWei > f.maxPriceWei || c.priceWei > ctx.op.value) return nextCandidate(ctx);
        if (c.latencyMsP99 > f.maxLatencyMs) return nextCandidate(ctx);
        unchecked {
            // The limits are not zero, and the price's has 128 bits.
            f.points = uint64(
                (f.maxPriceWei - c.priceWei) * Protocol.PRICE_POINTS / f.maxPriceWei + Protocol.LATENCY_POINTS
                    * uint64(f.maxLatencyMs - c.latencyMsP99) / f.maxLatencyMs
            );
        }
        if (f.inputSchemaHash != 0 || f.outputSchemaHash != 0) return Steps.CANDIDATE_DETAIL;
        return Steps.CANDIDATE_REPUTATION;
    }

    function stepCandidateDetail(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.CapabilityDetail memory d) =
            ctx.readCapabilityDetail(Keys.capabilityDetail(Index.agentOf(ctx.op.word), ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        IFrames.Search memory f = ctx.search;
        if (f.inputSchemaHash != 0 && f.inputSchemaHash != d.inputSchemaHash) return nextCandidate(ctx);
        if (f.outputSchemaHash != 0 && f.outputSchemaHash != d.outputSchemaHash) return nextCandidate(ctx);
        return Steps.CANDIDATE_REPUTATION;
    }

    function stepCandidateReputation(Context memory ctx) internal pure returns (uint8) {
        IFrames.Search memory f = ctx.search;
        IFrames.Op memory o = ctx.op;
        (, IRecords.Reputation memory r) = ctx.readReputation(Keys.reputation(Index.agentOf(o.word)));
        uint256 score = Reputation.score(r, f.time, f.halfLifeSeconds);
        if (score < f.minReputation || !Reputation.eligible(r, f.eligibilityScore)) return nextCandidate(ctx);
        unchecked {
            uint64 points = f.points + uint64(4 * score / 10);
            bool best = o.message == 0 || points > f.bestPoints;
            if (best || (points == f.bestPoints && o.word < o.message)) {
                o.message = o.word;
                f.bestPoints = points;
            }
        }
        return nextCandidate(ctx);
    }
}
