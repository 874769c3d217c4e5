// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Act } from "./Act.sol";

/// @title ActSteps
/// @notice The micro-steps of acting for an agent (agnt2/vm: act.go).
library ActSteps {
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

    /// @dev What a micro-step opens: the table of agnt2/vm/identity.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.ACT_OPERATION || kind == Steps.REGISTER_FOR) {
            return ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        }
        if (kind == Steps.ACT_KEY || kind == Steps.ACT_ACCOUNT) return ContextLib.BLOCK | ContextLib.OP;
        return ContextLib.OP;
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.ACT_OPERATION) return Act.stepActOperation(ctx);
        if (kind == Steps.ACT_AGENT) return Act.stepActAgent(ctx);
        if (kind == Steps.ACT_KEY) return Act.stepActKey(ctx);
        if (kind == Steps.ACT_ACCOUNT) return Act.stepActAccount(ctx);
        if (kind == Steps.REGISTER_FOR) return Act.stepRegisterFor(ctx);
        revert UnknownStep(kind);
    }
}
