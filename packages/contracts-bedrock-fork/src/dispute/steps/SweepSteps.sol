// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Machine } from "./Machine.sol";
import { Sweep } from "./Sweep.sol";

/// @title SweepSteps
/// @notice The micro-steps of the timeout sweep and of a block's end (agnt2/vm: sweep.go, machine.go's end).
library SweepSteps {
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

    /// @dev What a micro-step opens: the table of agnt2/vm/program.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.SWEEP_NEXT) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.POLICY;
        }
        if (kind == Steps.SWEEP_INTERACTION) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.SWEEP_CALLER) return ContextLib.CALL;
        if (kind == Steps.SWEEP_REPUTATION) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL;
        if (kind >= Steps.SEAL_BASE_FEES && kind <= Steps.SEAL_TOTALS) return ContextLib.SUMS;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.SWEEP_NEXT) return Sweep.stepSweepNext(ctx);
        if (kind == Steps.SWEEP_INTERACTION) return Sweep.stepSweepInteraction(ctx);
        if (kind == Steps.SWEEP_CALLER) return Sweep.stepSweepCaller(ctx);
        if (kind == Steps.SWEEP_REPUTATION) return Sweep.stepSweepReputation(ctx);
        if (kind == Steps.SEAL_BASE_FEES) return Machine.stepSealBaseFees(ctx);
        if (kind == Steps.SEAL_PRIORITY_FEES) return Machine.stepSealPriorityFees(ctx);
        if (kind == Steps.SEAL_L1_FEES) return Machine.stepSealL1Fees(ctx);
        if (kind == Steps.SEAL_TOTALS) return Machine.stepSealTotals(ctx);
        revert UnknownStep(kind);
    }
}
