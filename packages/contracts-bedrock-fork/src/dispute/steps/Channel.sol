// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { ChannelCalls } from "./ChannelCalls.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { TypedData } from "./TypedData.sol";

/// @title Channel
/// @notice OPEN_CHANNEL, and what all channel operations end with: agnt2/vm/channel.go.
library Channel {
    using ContextLib for Context;

    // What op.status says while a channel is worked on.
    uint8 internal constant SWEPT = 0;
    uint8 internal constant OPENED = 1;
    uint8 internal constant CHECKPOINTED = 2;
    uint8 internal constant CLOSED = 3;
    uint8 internal constant DISPUTED = 4;
    uint8 internal constant DOUBLE_SIGNED = 5;

    /// @dev A tenth of a slashed stake goes to who reported it.
    uint256 private constant REWARD_SHARE = 10;

    /// @notice Emits an event of the AGNT2 address with the channel and its parties as indexed fields.
    function emitChannel(
        Context memory ctx,
        bytes32 selector,
        IRecords.Channel memory c,
        bytes memory fields
    )
        internal
        pure
    {
        IFrames.Op memory o = ctx.op;
        o.logs = Logs.extend(
            o.logs, Protocol.AGNT2, 4, selector, o.id, Machine.word(c.agentA), Machine.word(c.agentB), fields
        );
    }

    // --------------------------------------------------------------------------------------------------------------- open

    function stepOpenChannelArgs(Context memory ctx, uint64 chainId) internal view returns (uint8) {
        if (!Machine.use(ctx, ctx.policy.gasChannel)) return Machine.outOfGas(ctx);
        (ChannelCalls.Terms memory t, bytes32 digest, bytes calldata sigA, bytes calldata sigB) =
            ChannelCalls.open(ctx.args(), chainId);
        if (!checkTerms(ctx, t)) return Machine.fail(ctx);
        if (TypedData.signer(digest, sigA) != t.agentA) return Machine.fail(ctx);
        if (TypedData.signer(digest, sigB) != t.agentB) return Machine.fail(ctx);
        IFrames.Op memory o = ctx.op;
        o.status = OPENED;
        o.flag = t.initiator == t.agentA;
        o.pairs = t.nonce;
        o.data = 0; // no later step reads the calldata
        IRecords.Channel memory c;
        c.status = Protocol.CHANNEL_OPEN;
        c.agentA = t.agentA;
        c.agentB = t.agentB;
        c.fundedA = c.depositA = c.balanceA = c.priorDepositA = c.priorBalanceA = t.depositA;
        c.fundedB = c.depositB = c.balanceB = c.priorDepositB = c.priorBalanceB = t.depositB;
        c.maxInteractions = t.maxInteractions;
        c.openedAt = ctx.blk.time;
        unchecked {
            c.expiresAt = ctx.blk.time + uint64(t.ttlSeconds);
        }
        c.heartbeatSeconds = t.heartbeatSeconds;
        ctx.setChannel(c);
        return Steps.OPEN_CHANNEL_PAIR;
    }

    function checkTerms(Context memory ctx, ChannelCalls.Terms memory t) private pure returns (bool) {
        if (t.agentA >= t.agentB || t.agentA == address(0)) return false;
        if (t.depositA == 0 && t.depositB == 0) return false;
        if (t.ttlSeconds == 0 || t.ttlSeconds > ctx.policy.maxChannelTtlSeconds) return false;
        if (t.maxInteractions == 0) return false;
        if (t.heartbeatSeconds == 0 || t.heartbeatSeconds > t.ttlSeconds) return false;
        if (t.initiator != t.agentA && t.initiator != t.agentB) return false;
        return ctx.blk.time <= t.validUntil;
    }

    function stepOpenChannelPair(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        IRecords.Channel memory c = ctx.channel;
        (, IRecords.ChannelPair memory p) = ctx.readChannelPair(Keys.channelPair(c.agentA, c.agentB));
        if (o.pairs != (o.flag ? p.nonceA : p.nonceB)) return Machine.fail(ctx);
        unchecked {
            if (o.flag) p.nonceA++;
            else p.nonceB++;
        }
        o.flag = p.channelId != 0;
        if (!o.flag) {
            p.channelId = keccak256(abi.encodePacked(c.agentA, c.agentB, ctx.blk.number, p.opens));
            unchecked {
                p.opens++;
            }
        }
        o.id = p.channelId;
        ctx.write(p);
        return o.flag ? Steps.OPEN_CHANNEL_TOP_UP : Steps.OPEN_CHANNEL_RECORD;
    }

    function stepOpenChannelRecord(Context memory ctx) internal pure returns (uint8) {
        IRecords.Channel memory c = ctx.channel;
        (bool present,) = ctx.readChannel(Keys.channel(ctx.op.id));
        if (present) revert Machine.CorruptRecord();
        ctx.write(c);
        ctx.op.effect |= Protocol.CHANNEL;
        emitChannel(
            ctx,
            IAGNT2.ChannelOpened.selector,
            c,
            abi.encode(c.depositA, c.depositB, c.expiresAt, c.maxInteractions, c.heartbeatSeconds)
        );
        return Steps.QUEUE_CHANNEL_DEADLINE;
    }

    function stepOpenChannelTopUp(Context memory ctx) internal pure returns (uint8) {
        IRecords.Channel memory added = ctx.channel;
        (bool present, IRecords.Channel memory c) = ctx.readChannel(Keys.channel(ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        if (c.status != Protocol.CHANNEL_OPEN) return Machine.fail(ctx);
        if (ctx.blk.time > c.expiresAt) return Machine.fail(ctx);
        unchecked {
            c.fundedA += added.fundedA;
            c.fundedB += added.fundedB;
        }
        ctx.write(c);
        emitChannel(ctx, IAGNT2.ChannelExists.selector, c, abi.encode(added.fundedA, added.fundedB));
        return Steps.OPEN_CHANNEL_ACCOUNT;
    }

    function stepOpenChannelAccount(Context memory ctx) internal pure returns (uint8) {
        bool second = ctx.op.index == 1;
        uint256 deposit = second ? ctx.channel.fundedB : ctx.channel.fundedA;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(second ? ctx.channel.agentB : ctx.channel.agentA));
        if (a.roles & Protocol.ROLE_AGENT == 0) return Machine.fail(ctx);
        if (a.owner != address(0)) return Machine.fail(ctx);
        if (a.balance < deposit) return Machine.fail(ctx);
        unchecked {
            a.balance -= deposit;
            if (!ctx.op.flag) a.holds++;
            ctx.op.index++;
        }
        ctx.write(a);
        return second ? Steps.TX_END : Steps.OPEN_CHANNEL_ACCOUNT;
    }

    // ---------------------------------------------------------------------------------------------------------- the queue

    function stepRemoveChannelDeadline(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readDeadline(Keys.deadline(ctx.op.pairs, Keys.DUE_CHANNEL, ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        ctx.remove();
        return ctx.channel.status == Protocol.CHANNEL_CLOSED ? Steps.PAY_CHANNEL : Steps.QUEUE_CHANNEL_DEADLINE;
    }

    /// @notice When the sweep has to look at a channel.
    function dueAt(IRecords.Channel memory c) internal pure returns (uint64) {
        return c.status == Protocol.CHANNEL_OPEN ? c.expiresAt : c.closesAt;
    }

    function stepQueueChannelDeadline(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        ctx.readDeadline(Keys.deadline(dueAt(ctx.channel), Keys.DUE_CHANNEL, o.id));
        ctx.write(IRecords.Deadline(o.id));
        if (o.status == SWEPT) return Steps.SWEEP_NEXT;
        return o.status == OPENED ? Steps.OPEN_CHANNEL_ACCOUNT : Steps.TX_END;
    }

    // ------------------------------------------------------------------------------------------------------------- the end

    /// @notice What a closed channel pays: what the recorded state gives, and what it leaves undivided.
    function payouts(IRecords.Channel memory c) internal pure returns (uint256 a, uint256 b) {
        unchecked {
            a = c.balanceA + c.fundedA - c.depositA;
            b = c.balanceB + c.fundedB - c.depositB;
        }
    }

    function stepPayChannel(Context memory ctx) internal pure returns (uint8) {
        bool second = ctx.op.index == 1;
        (uint256 payA, uint256 payB) = payouts(ctx.channel);
        address agent = second ? ctx.channel.agentB : ctx.channel.agentA;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(agent));
        if (a.holds == 0) revert Machine.CorruptRecord();
        unchecked {
            a.balance += second ? payB : payA;
            a.holds--;
            ctx.op.index++;
        }
        if (ctx.op.status == DOUBLE_SIGNED) slash(ctx, a, agent);
        ctx.write(a);
        return second ? Steps.CLEAR_CHANNEL_PAIR : Steps.PAY_CHANNEL;
    }

    /// @dev Takes from a stake: a part for the sender, the rest to be burned.
    function slash(Context memory ctx, IRecords.Account memory a, address agent) private pure {
        IFrames.Op memory o = ctx.op;
        uint256 slashed = ctx.policy.doubleSignSlashWei;
        if (a.stake < slashed) slashed = a.stake;
        uint256 reward = slashed / REWARD_SHARE;
        unchecked {
            a.stake -= slashed;
            o.credit += reward;
            o.word = bytes32(uint256(o.word) + slashed - reward);
        }
        Machine.emit2(ctx, IAGNT2.Slashed.selector, agent, o.id, abi.encode(slashed, reward));
    }

    function stepClearChannelPair(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.ChannelPair memory p) =
            ctx.readChannelPair(Keys.channelPair(ctx.channel.agentA, ctx.channel.agentB));
        if (!present) revert Machine.CorruptRecord();
        p.channelId = 0;
        ctx.write(p);
        return ctx.op.status == SWEPT ? Steps.SWEEP_NEXT : Steps.TX_END;
    }
}
