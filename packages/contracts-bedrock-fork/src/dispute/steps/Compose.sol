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

/// @title Compose
/// @notice COMPOSE: agnt2/vm/compose.go.
library Compose {
    using ContextLib for Context;

    /// @dev A graph that is being checked in the order of indices: plan and planner of agnt2/vm/compose.go.
    struct Plan {
        uint64[20] edges;
        uint64[20] depth;
        uint64[20] ends;
        uint8[20] prepaid;
        uint8[20] feedback;
        uint32 needed;
        uint32 window;
        uint32 inner;
        uint8 free;
        uint64 slack;
        uint64 longest;
    }

    /// @dev Whether constituent i breaks no rule of the graph.
    function check(
        Plan memory g,
        Calls.ConstituentSpec[] memory cs,
        uint8 i,
        IFrames.Op memory o,
        IRecords.Params memory p
    )
        private
        pure
        returns (bool)
    {
        Calls.ConstituentSpec memory x = cs[i];
        if (x.callee == o.from) return false;
        for (uint256 j = 0; j < i; ++j) {
            if (cs[j].callee == x.callee) return false;
        }
        if (x.ttlSeconds < p.minTtlSeconds || x.ttlSeconds > p.maxTtlSeconds) return false;
        if (o.value < x.paymentWei) return false;
        if (x.dependsOn >> i != 0 || x.dependsOn & g.inner != 0) return false;
        return guarded(x, i) && looped(g, x, i);
    }

    function guarded(Calls.ConstituentSpec memory x, uint8 i) private pure returns (bool) {
        if (x.guard == Protocol.NO_GUARD) return x.guardOn == 0 && x.guardBranch == 0;
        return x.guard < Protocol.GUARDS && x.guardOn < i && (x.dependsOn >> x.guardOn) & 1 != 0;
    }

    function looped(Plan memory g, Calls.ConstituentSpec memory x, uint8 i) private pure returns (bool) {
        if (x.maxIterations == 0) return x.loopFrom == 0 && x.loopBranch == 0;
        if (x.maxIterations < 2 || x.maxIterations > Protocol.MAX_LOOP_ITERATIONS) return false;
        if (x.loopFrom > i || x.loopFrom < g.free) return false;
        uint32 members = Composition.loopMask(x.loopFrom, i) & ~(uint32(1) << i);
        return members & ~x.dependsOn == 0;
    }

    /// @dev Takes constituent i, which breaks no rule, into the plan.
    function add(Plan memory g, Calls.ConstituentSpec[] memory cs, uint8 i) private pure {
        Calls.ConstituentSpec memory x = cs[i];
        g.edges[i] = uint64(x.dependsOn) | (uint64(x.guardOn) << uint64(Protocol.EDGE_GUARD_ON))
            | (uint64(x.guard) << uint64(Protocol.EDGE_GUARD))
            | (uint64(x.guardBranch) << uint64(Protocol.EDGE_GUARD_BRANCH));
        g.prepaid[i] = 1;
        g.needed |= x.dependsOn;
        if (x.ttlSeconds > g.window) g.window = x.ttlSeconds;
        unchecked {
            for (uint256 j = 0; j < i; ++j) {
                if ((x.dependsOn >> j) & 1 == 0) continue;
                if (g.depth[j] + 1 > g.depth[i]) g.depth[i] = g.depth[j] + 1;
                if (g.ends[j] > g.ends[i]) g.ends[i] = g.ends[j];
            }
            g.ends[i] += uint64(x.ttlSeconds) + g.slack;
        }
        if (x.maxIterations != 0) loop(g, cs, x.loopFrom, i);
        if (g.ends[i] > g.longest) g.longest = g.ends[i];
    }

    /// @dev Closes the loop from one constituent to another.
    function loop(Plan memory g, Calls.ConstituentSpec[] memory cs, uint8 from, uint8 last) private pure {
        uint64[20] memory round;
        uint64 start;
        uint32 members = Composition.loopMask(from, last);
        uint8 iterations = cs[last].maxIterations;
        unchecked {
            for (uint256 i = from; i <= last; ++i) {
                Calls.ConstituentSpec memory x = cs[i];
                for (uint256 j = 0; j < i; ++j) {
                    if ((x.dependsOn >> j) & 1 == 0) continue;
                    if ((members >> j) & 1 != 0) {
                        if (round[j] > round[i]) round[i] = round[j];
                    } else if (g.ends[j] > start) {
                        start = g.ends[j];
                    }
                }
                round[i] += uint64(x.ttlSeconds) + g.slack;
                g.prepaid[i] = iterations;
            }
            g.ends[last] = start + round[last] * uint64(iterations);
            g.inner |= members & ~(uint32(1) << last);
            g.needed |= uint32(1) << last;
            g.feedback[from] = last + 1;
            g.free = last + 1;
        }
    }

    /// @dev Gas of the constituents beside their classes, and what they are paid, all iterations.
    function sums(
        Plan memory g,
        Calls.ConstituentSpec[] memory cs,
        IRecords.Params memory p,
        IRecords.Policy memory policy
    )
        private
        pure
        returns (uint64 gas, uint256 total)
    {
        unchecked {
            for (uint256 i = 0; i < cs.length; ++i) {
                gas += uint64(g.prepaid[i]) * Gas.constituent(p, policy, cs[i].lengthBytes, g.depth[i]);
                total += cs[i].paymentWei * g.prepaid[i];
            }
        }
    }

    function stepComposeArgs(Context memory ctx) internal pure returns (uint8) {
        (bytes32 salt, bool atomic, uint32 ttl, Calls.ConstituentSpec[] memory cs) = Calls.compose(ctx.args());
        IFrames.Op memory o = ctx.op;
        if (!Machine.use(ctx, ctx.policy.gasCompose)) return Machine.outOfGas(ctx);
        if (cs.length == 0 || cs.length > Protocol.MAX_CONSTITUENTS) return Machine.fail(ctx);
        if (o.value >> Protocol.MOST_VALUE_BITS != 0) return Machine.fail(ctx);
        if (ttl > ctx.policy.maxCompositionSeconds) return Machine.fail(ctx);
        Plan memory g;
        g.slack = ctx.params.minTtlSeconds;
        for (uint8 i = 0; i < cs.length; ++i) {
            if (!check(g, cs, i, o, ctx.params)) return Machine.fail(ctx);
            add(g, cs, i);
        }
        (uint64 gas, uint256 total) = sums(g, cs, ctx.params, ctx.policy);
        if (!Machine.use(ctx, gas)) return Machine.outOfGas(ctx);
        if (total != o.value) return Machine.fail(ctx);
        if (ttl < g.longest) return Machine.fail(ctx);
        o.id = keccak256(abi.encode(o.from, Protocol.COMPOSITION_TAG, salt));
        o.count = uint32(cs.length);
        prepare(ctx, g, atomic, ttl);
        return Steps.COMPOSE_COMPOSITION;
    }

    /// @dev Prepares the composition and its event.
    function prepare(Context memory ctx, Plan memory g, bool atomic, uint32 ttl) private pure {
        IFrames.Op memory o = ctx.op;
        IRecords.Composition memory c;
        c.status = Protocol.COMPOSITION_ACTIVE;
        c.initiator = o.from;
        c.atomic = atomic;
        c.count = uint8(o.count);
        c.createdAt = ctx.blk.time;
        unchecked {
            c.deadline = ctx.blk.time + uint64(ttl);
        }
        c.escrowWei = o.value;
        c.windowSeconds = g.window;
        c.edges = g.edges;
        ctx.setComposition(c);
        Composition.emitComposition(
            ctx, IAGNT2.Composed.selector, o.id, o.from, abi.encode(atomic, c.count, o.value, c.deadline)
        );
    }

    function stepComposeComposition(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readComposition(Keys.composition(ctx.op.id));
        if (present) return Machine.fail(ctx);
        ctx.write(ctx.composition);
        return
            Composition.queueLater(ctx, ctx.composition.deadline, Keys.DUE_COMPOSITION, ctx.op.id, Steps.COMPOSE_LOAD);
    }

    function stepComposeLoad(Context memory ctx) internal pure returns (uint8) {
        (,,, Calls.ConstituentSpec[] memory cs) = Calls.compose(ctx.args());
        uint32 i = ctx.op.index;
        Plan memory g;
        for (uint8 j = 0; j < cs.length; ++j) {
            add(g, cs, j);
        }
        Calls.ConstituentSpec memory s = cs[i];
        IRecords.Constituent memory x;
        x.callee = s.callee;
        x.capability = s.capability;
        x.template = s.template;
        x.paymentWei = s.paymentWei;
        x.ttlSeconds = s.ttlSeconds;
        x.dependsOn = s.dependsOn;
        x.loopBranch = s.loopBranch;
        x.loopFrom = s.loopFrom;
        x.maxIterations = s.maxIterations;
        x.feedback = g.feedback[i];
        x.prepaid = g.prepaid[i];
        x.needed = (g.needed >> i) & 1 != 0;
        ctx.setConstituent(x);
        return Steps.COMPOSE_CALLEE;
    }

    function stepComposeCallee(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.constituent.callee));
        if (a.status != Protocol.ACTIVE) return Machine.fail(ctx);
        ctx.op.epoch = a.epoch;
        return Steps.COMPOSE_CAPABILITY;
    }

    function stepComposeCapability(Context memory ctx) internal pure returns (uint8) {
        IRecords.Constituent memory x = ctx.constituent;
        (bool present, IRecords.Capability memory offer) = ctx.readCapability(Keys.capability(x.callee, x.capability));
        if (!present || offer.epoch != ctx.op.epoch) return Machine.fail(ctx);
        if (offer.class >= Protocol.CAPABILITY_CLASSES) revert Machine.CorruptRecord();
        uint64 gas;
        unchecked {
            gas = uint64(x.prepaid) * Gas.class(ctx.params, offer.class, ctx.op.discount);
        }
        if (!Machine.use(ctx, gas)) return Machine.outOfGas(ctx);
        if (x.paymentWei < offer.priceWei) return Machine.fail(ctx);
        return Steps.COMPOSE_CONSTITUENT;
    }

    function stepComposeConstituent(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        ctx.readConstituent(Keys.constituent(o.id, uint8(o.index)));
        ctx.write(ctx.constituent);
        unchecked {
            o.index++;
        }
        if (o.index < o.count) return Steps.COMPOSE_LOAD;
        return Composition.advanceLater(ctx, o.id, Steps.TX_END);
    }
}
