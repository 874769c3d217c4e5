// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Prune } from "./Prune.sol";

/// @title PruneSteps
/// @notice The micro-steps of compositions on their way into the history (agnt2/vm/prune.go).
library PruneSteps {
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

    /// @dev What a micro-step opens: the table of agnt2/vm/prune.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.COMPOSE_HISTORY || kind == Steps.PRUNE_CONSTITUENT) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY;
        }
        if (kind == Steps.PRUNE_COMPOSITION) return ContextLib.OP;
        if (kind == Steps.PRUNE_CALL_DISPUTE) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.PRUNE_CALL) return ContextLib.OP;
        if (kind == Steps.DROP_COMPOSITION) return ContextLib.OP;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.COMPOSE_HISTORY) return Prune.stepComposeHistory(ctx);
        if (kind == Steps.PRUNE_COMPOSITION) return Prune.stepPruneComposition(ctx);
        if (kind == Steps.PRUNE_CONSTITUENT) return Prune.stepPruneConstituent(ctx);
        if (kind == Steps.PRUNE_CALL_DISPUTE) return Prune.stepPruneCallDispute(ctx);
        if (kind == Steps.PRUNE_CALL) return Prune.stepPruneCall(ctx);
        if (kind == Steps.DROP_COMPOSITION) return Prune.stepDropComposition(ctx);
        revert UnknownStep(kind);
    }
}
