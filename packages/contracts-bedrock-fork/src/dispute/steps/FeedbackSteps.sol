// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Feedback } from "./Feedback.sol";

/// @title FeedbackSteps
/// @notice The micro-steps of ERC-8004's Reputation registry (agnt2/vm/feedback.go), without the lists.
library FeedbackSteps {
    using ContextLib for Context;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @dev    The caller has seen to it that the state is unfinished and that `kind` is its step.
    /// @param  kind      The micro-step.
    /// @param  stateData The machine's state before it.
    /// @param  proof     The witness.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 /* chainId */
    )
        external
        pure
        returns (bytes memory)
    {
        Context memory ctx = ContextLib.open(stateData, proof, opens(kind));
        return ctx.close(execute(ctx, kind));
    }

    /// @dev What a micro-step opens: the table of agnt2/vm/feedback.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.FEEDBACK_ARGS || kind == Steps.REVOKE_FEEDBACK || kind == Steps.APPEND_RESPONSE) {
            return ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        }
        if (kind == Steps.FEEDBACK_KEY) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.WRITE_FEEDBACK) return ContextLib.BLOCK | ContextLib.OP | ContextLib.DATA;
        if (kind == Steps.COUNT_RESPONSE) return ContextLib.OP | ContextLib.DATA;
        return ContextLib.OP;
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.FEEDBACK_ARGS) return Feedback.stepFeedbackArgs(ctx);
        if (kind == Steps.FEEDBACK_AGENT) return Feedback.stepFeedbackAgent(ctx);
        if (kind == Steps.FEEDBACK_KEY) return Feedback.stepFeedbackKey(ctx);
        if (kind == Steps.FEEDBACK_INTERACTION) return Feedback.stepFeedbackInteraction(ctx);
        if (kind == Steps.FEEDBACK_PAIR) return Feedback.stepFeedbackPair(ctx);
        if (kind == Steps.FEEDBACK_COUNT) return Feedback.stepFeedbackCount(ctx);
        if (kind == Steps.FEEDBACK_RATING) return Feedback.stepFeedbackRating(ctx);
        if (kind == Steps.WRITE_FEEDBACK) return Feedback.stepWriteFeedback(ctx);
        if (kind == Steps.REVOKE_FEEDBACK) return Feedback.stepRevokeFeedback(ctx);
        if (kind == Steps.APPEND_RESPONSE) return Feedback.stepAppendResponse(ctx);
        if (kind == Steps.COUNT_RESPONSE) return Feedback.stepCountResponse(ctx);
        revert UnknownStep(kind);
    }
}
