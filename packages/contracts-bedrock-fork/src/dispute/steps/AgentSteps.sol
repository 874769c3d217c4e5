// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Agent } from "./Agent.sol";
import { Register } from "./Register.sol";

/// @title AgentSteps
/// @notice The micro-steps of the operations on agents (agnt2/vm: register.go, agent.go).
library AgentSteps {
    using ContextLib for Context;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);

    /// @dev What each of them opens: `agentFrames` of agnt2/vm/program.go.
    uint256 private constant OPENS = ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;

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
        Context memory ctx = ContextLib.open(stateData, proof, OPENS);
        return ctx.close(execute(ctx, kind));
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.REGISTER_AGENT) return Register.stepRegisterAgent(ctx);
        if (kind == Steps.REGISTER_URI) return Register.stepRegisterURI(ctx);
        if (kind == Steps.WRITE_CAPABILITY) return Register.stepWriteCapability(ctx);
        if (kind == Steps.WRITE_CAPABILITY_DETAIL) return Register.stepWriteCapabilityDetail(ctx);
        if (kind == Steps.WRITE_METADATA) return Register.stepWriteMetadata(ctx);
        if (kind == Steps.REMOVE_CAPABILITY) return Agent.stepRemoveCapability(ctx);
        if (kind == Steps.REMOVE_CAPABILITY_DETAIL) return Agent.stepRemoveCapabilityDetail(ctx);
        if (kind == Steps.WRITE_CAPABILITY_COUNT) return Agent.stepWriteCapabilityCount(ctx);
        if (kind == Steps.UPDATE_AGENT) return Agent.stepUpdateAgent(ctx);
        if (kind == Steps.READ_OWN_AGENT) return Agent.stepReadOwnAgent(ctx);
        if (kind == Steps.DEREGISTER_AGENT) return Agent.stepDeregisterAgent(ctx);
        if (kind == Steps.WITHDRAW_STAKE) return Agent.stepWithdrawStake(ctx);
        if (kind == Steps.HEARTBEAT) return Agent.stepHeartbeat(ctx);
        if (kind == Steps.TOP_UP_STAKE) return Agent.stepTopUpStake(ctx);
        revert UnknownStep(kind);
    }
}
