// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Registry } from "./Registry.sol";

/// @title RegistrySteps
/// @notice The micro-steps of ERC-8004's registries (agnt2/vm: registry.go).
library RegistrySteps {
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
        uint256 opens = kind == Steps.REGISTRY ? ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA : ContextLib.OP;
        Context memory ctx = ContextLib.open(stateData, proof, opens);
        return ctx.close(execute(ctx, kind));
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.REGISTRY) return Registry.stepRegistry(ctx);
        if (kind == Steps.COUNT_HOLDING) return Registry.stepCountHolding(ctx);
        revert UnknownStep(kind);
    }
}
