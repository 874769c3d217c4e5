// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Constituent } from "./Constituent.sol";

/// @title ConstituentSteps
/// @notice The micro-steps of answers inside a composition and of CANCEL (agnt2/vm: constituent.go, cancel.go).
library ConstituentSteps {
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

    /// @dev What a micro-step opens: the table of agnt2/vm/compose.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.RESPOND_CONSTITUENT) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.RESPOND_COMPOSITION) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.OPEN_ARGS) return ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        if (kind == Steps.OPEN_INTERACTION) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.CANCEL_INTERACTION) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        }
        if (kind == Steps.CANCEL_CALLEE) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL | ContextLib.PARAMS;
        if (kind == Steps.CANCEL_COMPOSITION) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.RESPOND_CONSTITUENT) return Constituent.stepRespondConstituent(ctx);
        if (kind == Steps.RESPOND_COMPOSITION) return Constituent.stepRespondComposition(ctx);
        if (kind == Steps.OPEN_ARGS) return Constituent.stepOpenArgs(ctx);
        if (kind == Steps.OPEN_INTERACTION) return Constituent.stepOpenInteraction(ctx);
        if (kind == Steps.CANCEL_INTERACTION) return Constituent.stepCancelInteraction(ctx);
        if (kind == Steps.CANCEL_CALLEE) return Constituent.stepCancelCallee(ctx);
        if (kind == Steps.CANCEL_COMPOSITION) return Constituent.stepCancelComposition(ctx);
        revert UnknownStep(kind);
    }
}
