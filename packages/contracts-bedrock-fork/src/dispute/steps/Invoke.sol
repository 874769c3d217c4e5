// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Invoke
/// @notice INVOKE: agnt2/vm/invoke.go.
library Invoke {
    using ContextLib for Context;

    function stepInvokeArgs(Context memory ctx) internal pure returns (uint8) {
        Calls.Invoke memory c = Calls.invoke(ctx.args());
        IFrames.Op memory o = ctx.op;
        IRecords.Params memory p = ctx.params;
        if (!Machine.use(ctx, Gas.invokeBase(p, c.da.lengthBytes))) return Machine.outOfGas(ctx);
        if (c.callee == o.from) return Machine.fail(ctx);
        if (c.ttlSeconds < p.minTtlSeconds || c.ttlSeconds > p.maxTtlSeconds) return Machine.fail(ctx);
        if (c.da.backend >= Protocol.DA_BACKENDS) return Machine.fail(ctx);
        if (c.da.contentHash != c.paramsHash) return Machine.fail(ctx);
        if (o.pending >= p.maxPendingInvokes) return Machine.fail(ctx);
        o.id = keccak256(abi.encode(o.from, c.salt));
        o.word = bytes32(c.maxPriceWei);
        o.data = 0; // no later step reads the calldata
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
        (, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.call.callee));
        if (a.status != Protocol.ACTIVE) return Machine.fail(ctx);
        ctx.op.epoch = a.epoch;
        return Steps.INVOKE_CAPABILITY;
    }

    function stepInvokeCapability(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Capability memory offer) =
            ctx.readCapability(Keys.capability(ctx.call.callee, ctx.call.capability));
        if (!present || offer.epoch != ctx.op.epoch) return Machine.fail(ctx);
        if (offer.class >= Protocol.CAPABILITY_CLASSES) revert Machine.CorruptRecord();
        if (!Machine.use(ctx, ctx.params.gasClass[offer.class])) return Machine.outOfGas(ctx);
        if (uint256(ctx.op.word) < offer.priceWei) return Machine.fail(ctx);
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
