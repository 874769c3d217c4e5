// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Compose } from "./Compose.sol";
import { Composition } from "./Composition.sol";

/// @title ComposeSteps
/// @notice The micro-steps of COMPOSE (agnt2/vm: compose.go).
library ComposeSteps {
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
        if (kind == Steps.COMPOSE_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA | ContextLib.POLICY;
        }
        if (kind == Steps.COMPOSE_COMPOSITION) return ContextLib.OP | ContextLib.COMPOSITION;
        if (kind == Steps.QUEUE_ENTRY) return ContextLib.OP;
        if (kind == Steps.COMPOSE_LOAD) return ContextLib.OP | ContextLib.DATA;
        if (kind == Steps.COMPOSE_CALLEE) return ContextLib.OP | ContextLib.CONSTITUENT;
        if (kind == Steps.COMPOSE_CAPABILITY) return ContextLib.OP | ContextLib.PARAMS | ContextLib.CONSTITUENT;
        if (kind == Steps.COMPOSE_CONSTITUENT) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CONSTITUENT;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.COMPOSE_ARGS) return Compose.stepComposeArgs(ctx);
        if (kind == Steps.COMPOSE_COMPOSITION) return Compose.stepComposeComposition(ctx);
        if (kind == Steps.QUEUE_ENTRY) return Composition.stepQueueEntry(ctx);
        if (kind == Steps.COMPOSE_LOAD) return Compose.stepComposeLoad(ctx);
        if (kind == Steps.COMPOSE_CALLEE) return Compose.stepComposeCallee(ctx);
        if (kind == Steps.COMPOSE_CAPABILITY) return Compose.stepComposeCapability(ctx);
        if (kind == Steps.COMPOSE_CONSTITUENT) return Compose.stepComposeConstituent(ctx);
        revert UnknownStep(kind);
    }
}
