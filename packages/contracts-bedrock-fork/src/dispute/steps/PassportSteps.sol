// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Passport } from "./Passport.sol";

/// @title PassportSteps
/// @notice The micro-steps of importAgent (agnt2/vm/passport.go).
library PassportSteps {
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

    /// @dev What a micro-step opens: the table of agnt2/vm/passport.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.IMPORT_ARGS) {
            return
                ContextLib.BLOCK | ContextLib.TX | ContextLib.OP | ContextLib.PARAMS | ContextLib.POLICY
                    | ContextLib.DATA;
        }
        if (kind == Steps.IMPORT_FOREIGN) return ContextLib.OP | ContextLib.DATA;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.IMPORT_ARGS) return Passport.stepImportArgs(ctx);
        if (kind == Steps.IMPORT_FOREIGN) return Passport.stepImportForeign(ctx);
        revert UnknownStep(kind);
    }
}
