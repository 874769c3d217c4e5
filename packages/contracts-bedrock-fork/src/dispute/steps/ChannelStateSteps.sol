// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { ChannelState } from "./ChannelState.sol";

/// @title ChannelStateSteps
/// @notice The micro-steps of what channels agree on: checkpoints, closing, disputes (agnt2/vm/channelstate.go), and their sweep,
///         as a library of its own because one contract cannot hold all.
library ChannelStateSteps {
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
        if (kind == Steps.CHANNEL_STATE_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.DATA;
        }
        if (kind == Steps.CHECKPOINT_CHANNEL) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.CLOSE_CHANNEL) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.CHANNEL | ContextLib.POLICY;
        }
        if (kind == Steps.DISPUTE_CHANNEL) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.DOUBLE_SIGNING_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.DATA;
        }
        if (kind == Steps.DOUBLE_SIGNING_CHANNEL) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CHANNEL;
        if (kind == Steps.SWEEP_CHANNEL) return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind, uint64 chainId) private view returns (uint8) {
        if (kind == Steps.CHANNEL_STATE_ARGS) return ChannelState.stepChannelStateArgs(ctx, chainId);
        if (kind == Steps.CHECKPOINT_CHANNEL) return ChannelState.stepCheckpointChannel(ctx);
        if (kind == Steps.CLOSE_CHANNEL) return ChannelState.stepCloseChannel(ctx);
        if (kind == Steps.DISPUTE_CHANNEL) return ChannelState.stepDisputeChannel(ctx);
        if (kind == Steps.DOUBLE_SIGNING_ARGS) return ChannelState.stepDoubleSigningArgs(ctx, chainId);
        if (kind == Steps.DOUBLE_SIGNING_CHANNEL) return ChannelState.stepDoubleSigningChannel(ctx);
        if (kind == Steps.SWEEP_CHANNEL) return ChannelState.stepSweepChannel(ctx);
        revert UnknownStep(kind);
    }
}
