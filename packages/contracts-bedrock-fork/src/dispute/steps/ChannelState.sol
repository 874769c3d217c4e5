// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Channel } from "./Channel.sol";
import { ChannelCalls } from "./ChannelCalls.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { TypedData } from "./TypedData.sol";

/// @title ChannelState
/// @notice CHECKPOINT, CLOSE_CHANNEL, the disputes of channels, and their sweep: agnt2/vm/channelstate.go, and stepSweepChannel
///         of agnt2/vm/channel.go.
library ChannelState {
    using ContextLib for Context;

    uint64 private constant ANY_COUNT = type(uint64).max;

    function stepChannelStateArgs(Context memory ctx, uint64 chainId) internal view returns (uint8 next) {
        IFrames.Op memory o = ctx.op;
        bytes4 selector = bytes4(ctx.data());
        if (selector == IAGNT2.checkpoint.selector) {
            (next, o.status) = (Steps.CHECKPOINT_CHANNEL, Channel.CHECKPOINTED);
        } else if (selector == IAGNT2.closeChannel.selector) {
            (next, o.status) = (Steps.CLOSE_CHANNEL, Channel.CLOSED);
        } else {
            (next, o.status) = (Steps.DISPUTE_CHANNEL, Channel.DISPUTED);
        }
        if (!Machine.use(ctx, ctx.policy.gasChannel)) return Machine.outOfGas(ctx);
        (ChannelCalls.State memory st, bytes32 digest, bytes calldata sigA, bytes calldata sigB) =
            ChannelCalls.state(ctx.args(), 0, chainId);
        bool unsigned = next == Steps.CLOSE_CHANNEL && sigA.length == 0 && sigB.length == 0;
        if (unsigned) {
            if (!isEmpty(st)) return Machine.fail(ctx);
        } else if (sigA.length != Protocol.SIGNATURE_LENGTH || sigB.length != Protocol.SIGNATURE_LENGTH) {
            return Machine.fail(ctx);
        }
        if (st.isFinal && next != Steps.CLOSE_CHANNEL) return Machine.fail(ctx);
        if (!sums(st)) return Machine.fail(ctx);
        IRecords.Channel memory c;
        c.depositA = st.depositA;
        c.depositB = st.depositB;
        c.balanceA = st.balanceA;
        c.balanceB = st.balanceB;
        c.nonce = st.nonce;
        c.interactionCount = st.interactionCount;
        if (!unsigned) {
            c.agentA = TypedData.signer(digest, sigA);
            c.agentB = TypedData.signer(digest, sigB);
        }
        ctx.setChannel(c);
        o.id = st.channelId;
        o.flag = st.isFinal;
        o.index = unsigned ? 1 : 0;
        o.data = 0; // no later step reads the calldata
    }

    /// @dev Whether a state says nothing but which channel it is of.
    function isEmpty(ChannelCalls.State memory st) private pure returns (bool) {
        return (st.nonce | st.interactionCount) == 0 && (st.balanceA | st.balanceB | st.depositA | st.depositB) == 0
            && !st.isFinal;
    }

    /// @dev Whether a state divides what it says it divides.
    function sums(ChannelCalls.State memory st) private pure returns (bool) {
        unchecked {
            uint256 balances = st.balanceA + st.balanceB;
            uint256 deposits = st.depositA + st.depositB;
            return balances >= st.balanceA && deposits >= st.depositA && balances == deposits;
        }
    }

    /// @dev Whether the record in progress names the parties as signers.
    function isSigned(Context memory ctx, IRecords.Channel memory c) private pure returns (bool) {
        return ctx.channel.agentA == c.agentA && ctx.channel.agentB == c.agentB;
    }

    /// @dev Records the co-signed state in progress, unless it is not valid or not newer.
    /// @param span Bounds the interactions since the recorded one.
    function accept(Context memory ctx, IRecords.Channel memory c, uint64 span) private pure returns (bool) {
        IRecords.Channel memory st = ctx.channel;
        if (!isSigned(ctx, c)) return false;
        uint64 most = c.maxInteractions;
        unchecked {
            if (most - c.interactionCount > span) most = c.interactionCount + span;
        }
        if (st.nonce <= c.nonce) return false;
        if (c.fundedA < st.depositA || c.fundedB < st.depositB) return false;
        if (st.interactionCount < c.interactionCount || st.interactionCount > most) return false;
        c.priorDepositA = c.depositA;
        c.priorDepositB = c.depositB;
        c.priorBalanceA = c.balanceA;
        c.priorBalanceB = c.balanceB;
        c.priorNonce = c.nonce;
        c.depositA = st.depositA;
        c.depositB = st.depositB;
        c.balanceA = st.balanceA;
        c.balanceB = st.balanceB;
        c.nonce = st.nonce;
        c.interactionCount = st.interactionCount;
        return true;
    }

    function stepCheckpointChannel(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Channel memory c) = ctx.readChannel(Keys.channel(ctx.op.id));
        if (!present) return Machine.fail(ctx);
        if (c.status != Protocol.CHANNEL_OPEN) return Machine.fail(ctx);
        if (ctx.blk.time > c.expiresAt) return Machine.fail(ctx);
        if (!accept(ctx, c, Protocol.CHECKPOINT_SPAN)) return Machine.fail(ctx);
        ctx.write(c);
        Channel.emitChannel(
            ctx, IAGNT2.ChannelCheckpointed.selector, c, abi.encode(c.nonce, c.balanceA, c.balanceB, c.interactionCount)
        );
        return Steps.TX_END;
    }

    /// @dev Starts the window in which a newer state can be shown.
    function beginClosing(Context memory ctx, IRecords.Channel memory c) private pure {
        c.status = Protocol.CHANNEL_CLOSING;
        unchecked {
            c.closesAt = ctx.blk.time + uint64(ctx.policy.channelWindowSeconds);
        }
        Channel.emitChannel(ctx, IAGNT2.ChannelClosing.selector, c, abi.encode(c.nonce, c.closesAt));
    }

    /// @dev Ends a channel; PAY_CHANNEL pays.
    function closed(Context memory ctx, IRecords.Channel memory c) private pure {
        c.status = Protocol.CHANNEL_CLOSED;
        (uint256 paidA, uint256 paidB) = Channel.payouts(c);
        Channel.emitChannel(ctx, IAGNT2.ChannelClosed.selector, c, abi.encode(paidA, paidB));
    }

    /// @dev Reports that a newer state stands in the window.
    function replaced(Context memory ctx, IRecords.Channel memory c) private pure {
        Channel.emitChannel(ctx, IAGNT2.ChannelStateReplaced.selector, c, abi.encode(c.nonce, c.balanceA, c.balanceB));
    }

    /// @dev A closing channel whose window has passed takes no more states, swept or not.
    function windowOver(Context memory ctx, IRecords.Channel memory c) private pure returns (bool) {
        return c.status == Protocol.CHANNEL_CLOSING && ctx.blk.time > c.closesAt;
    }

    function stepCloseChannel(Context memory ctx) internal pure returns (uint8 next) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Channel memory c) = ctx.readChannel(Keys.channel(o.id));
        if (!present) return Machine.fail(ctx);
        bool unsigned = o.index == 1;
        bool isOpen = c.status == Protocol.CHANNEL_OPEN;
        if (!isOpen && (unsigned || c.status != Protocol.CHANNEL_CLOSING)) return Machine.fail(ctx);
        if (windowOver(ctx, c)) return Machine.fail(ctx);
        if (!o.flag && o.from != c.agentA && o.from != c.agentB) return Machine.fail(ctx);
        if (!unsigned && !accept(ctx, c, ANY_COUNT)) return Machine.fail(ctx);
        o.pairs = Channel.dueAt(c);
        o.index = 0;
        next = Steps.REMOVE_CHANNEL_DEADLINE;
        if (o.flag) {
            closed(ctx, c);
        } else if (isOpen) {
            beginClosing(ctx, c);
        } else {
            replaced(ctx, c);
            next = Steps.TX_END;
        }
        ctx.write(c);
        ctx.setChannel(c);
    }

    function stepDisputeChannel(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Channel memory c) = ctx.readChannel(Keys.channel(ctx.op.id));
        if (!present) return Machine.fail(ctx);
        if (c.status != Protocol.CHANNEL_CLOSING) return Machine.fail(ctx);
        if (windowOver(ctx, c)) return Machine.fail(ctx);
        if (!accept(ctx, c, ANY_COUNT)) return Machine.fail(ctx);
        ctx.write(c);
        replaced(ctx, c);
        return Steps.TX_END;
    }

    function stepDoubleSigningArgs(Context memory ctx, uint64 chainId) internal view returns (uint8) {
        if (!Machine.use(ctx, ctx.policy.gasChannel)) return Machine.outOfGas(ctx);
        (ChannelCalls.State memory first, bytes32 firstDigest, address a, address b, bool whole) =
            signedState(ctx, 0, chainId);
        (ChannelCalls.State memory second, bytes32 secondDigest, address secondA, address secondB, bool secondWhole) =
            signedState(ctx, ChannelCalls.SECOND, chainId);
        if (!whole || !secondWhole) return Machine.fail(ctx);
        if (first.channelId != second.channelId || first.nonce != second.nonce || firstDigest == secondDigest) {
            return Machine.fail(ctx);
        }
        if (a != secondA || b != secondB) return Machine.fail(ctx);
        IRecords.Channel memory c;
        c.agentA = a;
        c.agentB = b;
        c.nonce = first.nonce;
        ctx.setChannel(c);
        IFrames.Op memory o = ctx.op;
        o.status = Channel.DOUBLE_SIGNED;
        o.id = first.channelId;
        o.index = 0;
        o.word = 0;
        o.data = 0; // no later step reads the calldata
        return Steps.DOUBLE_SIGNING_CHANNEL;
    }

    /// @dev A state of reportDoubleSigning and who signed it; `whole` says that both signatures have their length.
    function signedState(
        Context memory ctx,
        uint256 word,
        uint64 chainId
    )
        private
        view
        returns (ChannelCalls.State memory st, bytes32 digest, address a, address b, bool whole)
    {
        bytes calldata sigA;
        bytes calldata sigB;
        (st, digest, sigA, sigB) = ChannelCalls.state(ctx.args(), word, chainId);
        whole = sigA.length == Protocol.SIGNATURE_LENGTH && sigB.length == Protocol.SIGNATURE_LENGTH;
        a = TypedData.signer(digest, sigA);
        b = TypedData.signer(digest, sigB);
    }

    function stepDoubleSigningChannel(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Channel memory c) = ctx.readChannel(Keys.channel(o.id));
        if (!present) return Machine.fail(ctx);
        if (c.status != Protocol.CHANNEL_OPEN && c.status != Protocol.CHANNEL_CLOSING) return Machine.fail(ctx);
        if (windowOver(ctx, c)) return Machine.fail(ctx);
        if (!isSigned(ctx, c)) return Machine.fail(ctx);
        uint64 nonce = ctx.channel.nonce;
        Channel.emitChannel(ctx, IAGNT2.DoubleSigned.selector, c, abi.encode(nonce, o.from));
        if (c.nonce == nonce) {
            c.depositA = c.priorDepositA;
            c.depositB = c.priorDepositB;
            c.balanceA = c.priorBalanceA;
            c.balanceB = c.priorBalanceB;
            c.nonce = c.priorNonce;
        }
        o.pairs = Channel.dueAt(c);
        closed(ctx, c);
        ctx.write(c);
        ctx.setChannel(c);
        o.effect |= Protocol.BURN;
        return Steps.REMOVE_CHANNEL_DEADLINE;
    }

    /// @dev See agnt2/vm/channel.go.
    function stepSweepChannel(Context memory ctx) internal pure returns (uint8 next) {
        ctx.op.status = Channel.SWEPT;
        ctx.op.index = 0;
        (bool present, IRecords.Channel memory c) = ctx.readChannel(Keys.channel(ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        if (c.status == Protocol.CHANNEL_OPEN) {
            beginClosing(ctx, c);
            next = Steps.QUEUE_CHANNEL_DEADLINE;
        } else {
            if (c.status != Protocol.CHANNEL_CLOSING) revert Machine.CorruptRecord();
            closed(ctx, c);
            next = Steps.PAY_CHANNEL;
        }
        ctx.write(c);
        ctx.setChannel(c);
    }
}
