// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Validation } from "./Validation.sol";

/// @title ValidationSteps
/// @notice The micro-steps of ERC-8004's Validation registry (agnt2/vm/validation.go) and of both registries' lists.
library ValidationSteps {
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

    /// @dev What a micro-step opens: the tables of agnt2/vm/validation.go and feedback.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.VALIDATION_ARGS) return ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        if (kind == Steps.WRITE_VALIDATION) return ContextLib.BLOCK | ContextLib.OP | ContextLib.DATA;
        if (kind == Steps.ANSWER_VALIDATION) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        }
        return ContextLib.OP;
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.LIST_COUNT) return Validation.stepListCount(ctx);
        if (kind == Steps.LIST_ENTRY) return Validation.stepListEntry(ctx);
        if (kind == Steps.VALIDATION_ARGS) return Validation.stepValidationArgs(ctx);
        if (kind == Steps.WRITE_VALIDATION) return Validation.stepWriteValidation(ctx);
        if (kind == Steps.ANSWER_VALIDATION) return Validation.stepAnswerValidation(ctx);
        revert UnknownStep(kind);
    }
}
