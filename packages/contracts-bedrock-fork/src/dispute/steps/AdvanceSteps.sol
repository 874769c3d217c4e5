// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Advance } from "./Advance.sol";

/// @title AdvanceSteps
/// @notice The micro-steps of compositions' sweeps (agnt2/vm: advance.go).
library AdvanceSteps {
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
        if (kind == Steps.SWEEP_CONSTITUENT) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.SWEEP_ADVANCE) return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS;
        if (kind == Steps.ACTIVATE_CONSTITUENT) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.ACTIVATE_INPUT) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.ACTIVATE_INTERACTION) return ContextLib.SUMS | ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.SETTLE_CONSTITUENT) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.SETTLE_INTERACTION) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.SETTLE_INITIATOR) return ContextLib.OP | ContextLib.CALL | ContextLib.PARAMS;
        if (kind == Steps.SETTLE_CALLEE) return ContextLib.SUMS | ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.SETTLE_PAIR) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.SETTLE_REPUTATION) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.SWEEP_CONSTITUENT) return Advance.stepSweepConstituent(ctx);
        if (kind == Steps.SWEEP_ADVANCE) return Advance.stepSweepAdvance(ctx);
        if (kind == Steps.ACTIVATE_CONSTITUENT) return Advance.stepActivateConstituent(ctx);
        if (kind == Steps.ACTIVATE_INPUT) return Advance.stepActivateInput(ctx);
        if (kind == Steps.ACTIVATE_INTERACTION) return Advance.stepActivateInteraction(ctx);
        if (kind == Steps.SETTLE_CONSTITUENT) return Advance.stepSettleConstituent(ctx);
        if (kind == Steps.SETTLE_INTERACTION) return Advance.stepSettleInteraction(ctx);
        if (kind == Steps.SETTLE_INITIATOR) return Advance.stepSettleInitiator(ctx);
        if (kind == Steps.SETTLE_CALLEE) return Advance.stepSettleCallee(ctx);
        if (kind == Steps.SETTLE_PAIR) return Advance.stepSettlePair(ctx);
        if (kind == Steps.SETTLE_REPUTATION) return Advance.stepSettleReputation(ctx);
        revert UnknownStep(kind);
    }
}
