// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Channel } from "./Channel.sol";

/// @title ChannelSteps
/// @notice The micro-steps that open a channel, and those that all channel operations end with (agnt2/vm/channel.go).
library ChannelSteps {
    using ContextLib for Context;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @dev    The caller has seen to it that the state is unfinished and that `kind` is its step.
    /// @param  kind      The micro-step.
    /// @param  stateData The machine's state before it.
    /// @param  proof     The witness.
    /// @param  chainId   The L2 chain's, for signatures.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 chainId
    )
        external
        view
        returns (bytes memory)
    {
        Context memory ctx = ContextLib.open(stateData, proof, opens(kind));
        return ctx.close(execute(ctx, kind, chainId));
    }

    /// @dev What a micro-step opens: the table of agnt2/vm/channel.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.OPEN_CHANNEL_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.DATA;
        }
        if (kind == Steps.OPEN_CHANNEL_PAIR) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.OPEN_CHANNEL_RECORD) return ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.OPEN_CHANNEL_TOP_UP) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.OPEN_CHANNEL_ACCOUNT) return ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.REMOVE_CHANNEL_DEADLINE) return ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.QUEUE_CHANNEL_DEADLINE) return ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.PAY_CHANNEL) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.CHANNEL | ContextLib.POLICY;
        }
        if (kind == Steps.CLEAR_CHANNEL_PAIR) return ContextLib.OP | ContextLib.CHANNEL;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind, uint64 chainId) private view returns (uint8) {
        if (kind == Steps.OPEN_CHANNEL_ARGS) return Channel.stepOpenChannelArgs(ctx, chainId);
        if (kind == Steps.OPEN_CHANNEL_PAIR) return Channel.stepOpenChannelPair(ctx);
        if (kind == Steps.OPEN_CHANNEL_RECORD) return Channel.stepOpenChannelRecord(ctx);
        if (kind == Steps.OPEN_CHANNEL_TOP_UP) return Channel.stepOpenChannelTopUp(ctx);
        if (kind == Steps.OPEN_CHANNEL_ACCOUNT) return Channel.stepOpenChannelAccount(ctx);
        if (kind == Steps.REMOVE_CHANNEL_DEADLINE) return Channel.stepRemoveChannelDeadline(ctx);
        if (kind == Steps.QUEUE_CHANNEL_DEADLINE) return Channel.stepQueueChannelDeadline(ctx);
        if (kind == Steps.PAY_CHANNEL) return Channel.stepPayChannel(ctx);
        if (kind == Steps.CLEAR_CHANNEL_PAIR) return Channel.stepClearChannelPair(ctx);
        revert UnknownStep(kind);
    }
}
