// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Dispute } from "./Dispute.sol";

/// @title DisputeSteps
/// @notice The micro-steps of disputes (agnt2/vm/dispute.go).
library DisputeSteps {
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

    /// @dev What a micro-step opens: the table of agnt2/vm/dispute.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.DISPUTE_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.PARAMS | ContextLib.DATA;
        }
        if (kind == Steps.DISPUTE_INTERACTION) return ContextLib.OP;
        if (kind == Steps.DISPUTE_RECORD) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.CALL | ContextLib.DATA;
        }
        if (kind == Steps.DISPUTE_DEADLINE) return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY;
        if (kind == Steps.DISPUTE_AGENT) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.DISPUTE_REPUTATION) return ContextLib.CALL;
        if (kind == Steps.RESOLVE_ARGS) {
            return
                ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.TX | ContextLib.PARAMS
                    | ContextLib.DATA;
        }
        if (kind == Steps.RESOLVE_RECORD) return ContextLib.OP;
        if (kind == Steps.RESOLVE_DEADLINE) return ContextLib.OP | ContextLib.DISPUTE;
        if (kind == Steps.SWEEP_DISPUTE) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.DISPUTE_PRUNED_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.PARAMS | ContextLib.DATA;
        }
        if (kind == Steps.DISPUTE_HISTORY) return ContextLib.OP;
        if (kind == Steps.CLOSE_BOND) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.POLICY | ContextLib.SUMS | ContextLib.DISPUTE;
        }
        if (kind == Steps.CLOSE_HOLD) return ContextLib.OP | ContextLib.DISPUTE;
        if (kind == Steps.CLOSE_REPUTATION) return ContextLib.OP | ContextLib.DISPUTE;
        if (kind == Steps.CLOSE_QUEUE) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.CLOSE_EVENT) return ContextLib.OP | ContextLib.DISPUTE;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.DISPUTE_ARGS) return Dispute.stepDisputeArgs(ctx);
        if (kind == Steps.DISPUTE_INTERACTION) return Dispute.stepDisputeInteraction(ctx);
        if (kind == Steps.DISPUTE_RECORD) return Dispute.stepDisputeRecord(ctx);
        if (kind == Steps.DISPUTE_DEADLINE) return Dispute.stepDisputeDeadline(ctx);
        if (kind == Steps.DISPUTE_AGENT) return Dispute.stepDisputeAgent(ctx);
        if (kind == Steps.DISPUTE_REPUTATION) return Dispute.stepDisputeReputation(ctx);
        if (kind == Steps.RESOLVE_ARGS) return Dispute.stepResolveArgs(ctx);
        if (kind == Steps.RESOLVE_RECORD) return Dispute.stepResolveRecord(ctx);
        if (kind == Steps.RESOLVE_DEADLINE) return Dispute.stepResolveDeadline(ctx);
        if (kind == Steps.SWEEP_DISPUTE) return Dispute.stepSweepDispute(ctx);
        if (kind == Steps.CLOSE_BOND) return Dispute.stepCloseBond(ctx);
        if (kind == Steps.CLOSE_HOLD) return Dispute.stepCloseHold(ctx);
        if (kind == Steps.CLOSE_REPUTATION) return Dispute.stepCloseReputation(ctx);
        if (kind == Steps.CLOSE_QUEUE) return Dispute.stepCloseQueue(ctx);
        if (kind == Steps.DISPUTE_PRUNED_ARGS) return Dispute.stepDisputePrunedArgs(ctx);
        if (kind == Steps.DISPUTE_HISTORY) return Dispute.stepDisputeHistory(ctx);
        if (kind == Steps.CLOSE_EVENT) return Dispute.stepCloseEvent(ctx);
        revert UnknownStep(kind);
    }
}
