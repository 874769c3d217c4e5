// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Gas } from "./Gas.sol";
import { Index } from "./Index.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Register } from "./Register.sol";

/// @title Agent
/// @notice Operations on the caller's own agent record: agnt2/vm/agent.go.
library Agent {
    using ContextLib for Context;

    /// @dev Loads the caller's agent; `active` says whether there is one and it is active.
    function activeAgent(Context memory ctx) private pure returns (bool active, IRecords.Agent memory a) {
        (, a) = ctx.readAgent(Keys.agent(ctx.op.from));
        active = a.status == Protocol.ACTIVE;
    }

    function stepUpdateAgent(Context memory ctx) internal pure returns (uint8) {
        (string memory name, string memory version, bytes32 imageDigest) = Calls.updateAgent(ctx.args());
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        if (!Register.checkAgentFields(name, version)) return Machine.fail(ctx);
        (bool active, IRecords.Agent memory a) = activeAgent(ctx);
        if (!active) return Machine.fail(ctx);
        a.name = name;
        a.version = version;
        a.imageDigest = imageDigest;
        ctx.write(a);
        Machine.emit1(ctx, IAGNT2.AgentUpdated.selector, ctx.op.from, abi.encode(imageDigest, name, version));
        return Steps.TX_END;
    }

    function stepReadOwnAgent(Context memory ctx) internal pure returns (uint8) {
        (Calls.Capability[] memory upserts, bytes32[] memory removals) = Calls.updateCapabilities(ctx.args());
        unchecked {
            uint256 records =
                Register.RECORDS_PER_CAPABILITY * upserts.length + Register.RECORDS_PER_REMOVAL * removals.length;
            if (!Machine.use(ctx, Gas.agentOperation(ctx.params, records))) return Machine.outOfGas(ctx);
        }
        if (!Register.checkCapabilities(upserts)) return Machine.fail(ctx);
        if (removals.length > Protocol.MAX_LISTED_ELEMENTS) return Machine.fail(ctx);
        (bool active, IRecords.Agent memory a) = activeAgent(ctx);
        if (!active) return Machine.fail(ctx);
        ctx.op.epoch = a.epoch;
        ctx.op.count = a.capabilityCount;
        return Register.nextCapability(ctx, 0);
    }

    function stepRemoveCapability(Context memory ctx) internal pure returns (uint8) {
        bytes32 id = Register.removal(ctx);
        (bool present, IRecords.Capability memory c) = ctx.readCapability(Keys.capability(ctx.op.from, id));
        if (!present || c.epoch != ctx.op.epoch) return Machine.fail(ctx);
        unchecked {
            ctx.op.count--;
        }
        ctx.remove();
        Machine.emit2(ctx, IAGNT2.CapabilityRemoved.selector, ctx.op.from, id, "");
        return Index.remove(ctx, id, c.slot);
    }

    function stepRemoveCapabilityDetail(Context memory ctx) internal pure returns (uint8) {
        ctx.readCapabilityDetail(Keys.capabilityDetail(ctx.op.from, Register.removal(ctx)));
        ctx.remove();
        unchecked {
            return Register.nextRemoval(ctx, ctx.op.index + 1);
        }
    }

    function stepWriteCapabilityCount(Context memory ctx) internal pure returns (uint8) {
        if (ctx.op.count > ctx.params.maxCapabilities) return Machine.fail(ctx);
        (bool active, IRecords.Agent memory a) = activeAgent(ctx);
        if (!active) revert Machine.CorruptRecord();
        a.capabilityCount = ctx.op.count;
        ctx.write(a);
        return Steps.TX_END;
    }

    function stepTopUpStake(Context memory ctx) internal pure returns (uint8) {
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        uint256 value = ctx.op.value;
        if (value == 0) return Machine.fail(ctx);
        (bool active,) = activeAgent(ctx);
        if (!active) return Machine.fail(ctx);
        ctx.op.effect |= Protocol.STAKE_VALUE;
        uint256 stake;
        unchecked {
            stake = ctx.op.stake + value;
        }
        Machine.emit1(ctx, IAGNT2.StakeAdded.selector, ctx.op.from, abi.encode(value, stake));
        return Steps.TX_END;
    }

    function stepDeregisterAgent(Context memory ctx) internal pure returns (uint8) {
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        (bool active, IRecords.Agent memory a) = activeAgent(ctx);
        if (!active) return Machine.fail(ctx);
        a.status = Protocol.DEREGISTERED;
        a.deregisteredAt = ctx.blk.time;
        ctx.write(a);
        ctx.op.effect |= Protocol.UNREGISTER;
        Machine.emit1(ctx, IAGNT2.AgentDeregistered.selector, ctx.op.from, abi.encode(withdrawableAt(ctx, a)));
        return Steps.TX_END;
    }

    /// @dev The cooldown outlasts every interaction that was pending at deregistration.
    function withdrawableAt(Context memory ctx, IRecords.Agent memory a) private pure returns (uint64) {
        unchecked {
            return a.deregisteredAt + uint64(ctx.params.stakeCooldownSeconds);
        }
    }

    function stepWithdrawStake(Context memory ctx) internal pure returns (uint8) {
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        (bool present, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.op.from));
        if (!present || ctx.op.stake == 0) return Machine.fail(ctx);
        if (a.status != Protocol.DEREGISTERED) return Machine.fail(ctx);
        if (ctx.blk.time < withdrawableAt(ctx, a)) return Machine.fail(ctx);
        if (ctx.op.holds > 0) return Machine.fail(ctx);
        ctx.op.effect |= Protocol.STAKE_OUT;
        Machine.emit1(ctx, IAGNT2.StakeWithdrawn.selector, ctx.op.from, abi.encode(ctx.op.stake));
        return Steps.TX_END;
    }

    function stepHeartbeat(Context memory ctx) internal pure returns (uint8) {
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        (bool active, IRecords.Agent memory a) = activeAgent(ctx);
        if (!active) return Machine.fail(ctx);
        a.lastHeartbeat = ctx.blk.time;
        ctx.write(a);
        Machine.emit1(ctx, IAGNT2.Heartbeat.selector, ctx.op.from, abi.encode(ctx.blk.time));
        return Steps.TX_END;
    }
}
