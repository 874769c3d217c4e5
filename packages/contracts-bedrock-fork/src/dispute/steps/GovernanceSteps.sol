// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Governance } from "./Governance.sol";
import { History } from "./History.sol";

/// @title GovernanceSteps
/// @notice The micro-steps of governance and of the history (agnt2/vm: governance.go, history.go).
library GovernanceSteps {
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

    /// @dev What a micro-step opens: the table of agnt2/vm/governance.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.SET_PARAMS_ARGS) {
            return
                ContextLib.BLOCK | ContextLib.TX | ContextLib.OP | ContextLib.PARAMS | ContextLib.POLICY
                    | ContextLib.DATA;
        }
        if (kind == Steps.WRITE_PARAMS) return ContextLib.OP | ContextLib.DATA;
        if (kind == Steps.SET_POLICY_ARGS) {
            return
                ContextLib.BLOCK | ContextLib.TX | ContextLib.OP | ContextLib.PARAMS | ContextLib.POLICY
                    | ContextLib.DATA;
        }
        if (kind == Steps.WRITE_POLICY) return ContextLib.OP | ContextLib.DATA;
        if (kind == Steps.WITHDRAW_FEES_ARGS) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.POLICY | ContextLib.DATA;
        }
        if (kind == Steps.WITHDRAW_VAULT) return ContextLib.OP;
        if (kind == Steps.SEND_FEES) return ContextLib.BLOCK | ContextLib.SUMS | ContextLib.OP | ContextLib.POLICY;
        if (kind == Steps.SWEEP_HISTORY) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL | ContextLib.POLICY;
        }
        if (kind == Steps.PRUNE_DISPUTE) return ContextLib.BLOCK | ContextLib.OP;
        if (kind == Steps.PRUNE_INTERACTION) return ContextLib.OP;
        if (kind == Steps.PRUNE_HISTORY) return ContextLib.OP;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.SET_PARAMS_ARGS) return Governance.stepSetParamsArgs(ctx);
        if (kind == Steps.WRITE_PARAMS) return Governance.stepWriteParams(ctx);
        if (kind == Steps.SET_POLICY_ARGS) return Governance.stepSetPolicyArgs(ctx);
        if (kind == Steps.WRITE_POLICY) return Governance.stepWritePolicy(ctx);
        if (kind == Steps.WITHDRAW_FEES_ARGS) return Governance.stepWithdrawFeesArgs(ctx);
        if (kind == Steps.WITHDRAW_VAULT) return Governance.stepWithdrawVault(ctx);
        if (kind == Steps.SEND_FEES) return Governance.stepSendFees(ctx);
        if (kind == Steps.SWEEP_HISTORY) return History.stepSweepHistory(ctx);
        if (kind == Steps.PRUNE_DISPUTE) return History.stepPruneDispute(ctx);
        if (kind == Steps.PRUNE_INTERACTION) return History.stepPruneInteraction(ctx);
        if (kind == Steps.PRUNE_HISTORY) return History.stepPruneHistory(ctx);
        revert UnknownStep(kind);
    }
}
