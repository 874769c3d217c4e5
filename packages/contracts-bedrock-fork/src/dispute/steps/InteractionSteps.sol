// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Invoke } from "./Invoke.sol";
import { Respond } from "./Respond.sol";

/// @title InteractionSteps
/// @notice The micro-steps of INVOKE and RESPOND (agnt2/vm: invoke.go, respond.go).
library InteractionSteps {
    using ContextLib for Context;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @dev    The caller has seen to it that the state is unfinished and that `kind` is its step.
    /// @param  kind      The micro-step.
    /// @param  stateData The machine's state before it.
    /// @param  proof     The witness.
    /// @param  chainId   The L2 chain's, for attestations.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 chainId
    )
        external
        view
        returns (bytes memory)
    {
        Context memory ctx = ContextLib.open(stateData, proof, opens(kind));
        return ctx.close(execute(ctx, kind, chainId));
    }

    /// @dev What a micro-step opens: the table of agnt2/vm/program.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.INVOKE_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.POLICY | ContextLib.DATA;
        }
        if (kind == Steps.INVOKE_CALLEE) return ContextLib.OP;
        if (kind == Steps.INVOKE_CAPABILITY) return ContextLib.OP | ContextLib.CALL | ContextLib.PARAMS;
        if (kind == Steps.INVOKE_INTERACTION) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.INVOKE_DEADLINE) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.RESPOND_ARGS) return ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        if (kind == Steps.RESPOND_INTERACTION) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.RESPOND_AGENT) return ContextLib.OP;
        if (kind == Steps.RESPOND_ATTESTATION) return ContextLib.OP | ContextLib.CALL | ContextLib.DATA;
        if (kind == Steps.RESPOND_DEADLINE) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.RESPOND_CALLER) return ContextLib.OP | ContextLib.CALL | ContextLib.PARAMS;
        if (kind == Steps.RESPOND_PAIR) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.RESPOND_REPUTATION) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.RESPOND_EVENT) return ContextLib.OP | ContextLib.CALL | ContextLib.DATA;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind, uint64 chainId) private view returns (uint8) {
        if (kind == Steps.INVOKE_ARGS) return Invoke.stepInvokeArgs(ctx);
        if (kind == Steps.INVOKE_CALLEE) return Invoke.stepInvokeCallee(ctx);
        if (kind == Steps.INVOKE_CAPABILITY) return Invoke.stepInvokeCapability(ctx);
        if (kind == Steps.INVOKE_INTERACTION) return Invoke.stepInvokeInteraction(ctx);
        if (kind == Steps.INVOKE_DEADLINE) return Invoke.stepInvokeDeadline(ctx);
        if (kind == Steps.RESPOND_ARGS) return Respond.stepRespondArgs(ctx);
        if (kind == Steps.RESPOND_INTERACTION) return Respond.stepRespondInteraction(ctx);
        if (kind == Steps.RESPOND_AGENT) return Respond.stepRespondAgent(ctx);
        if (kind == Steps.RESPOND_ATTESTATION) return Respond.stepRespondAttestation(ctx, chainId);
        if (kind == Steps.RESPOND_DEADLINE) return Respond.stepRespondDeadline(ctx);
        if (kind == Steps.RESPOND_CALLER) return Respond.stepRespondCaller(ctx);
        if (kind == Steps.RESPOND_PAIR) return Respond.stepRespondPair(ctx);
        if (kind == Steps.RESPOND_REPUTATION) return Respond.stepRespondReputation(ctx);
        if (kind == Steps.RESPOND_EVENT) return Respond.stepRespondEvent(ctx);
        revert UnknownStep(kind);
    }
}
