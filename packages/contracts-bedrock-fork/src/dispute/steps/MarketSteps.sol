// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Commit } from "./Commit.sol";
import { Discover } from "./Discover.sol";
import { Index } from "./Index.sol";
import { Invoke } from "./Invoke.sol";

/// @title MarketSteps
/// @notice The micro-steps of discovery, commit–reveal and eligibility (agnt2/vm: index.go, discover.go, commit.go).
library MarketSteps {
    using ContextLib for Context;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @dev    The caller has seen to it that the state is unfinished and that `kind` is its step.
    /// @param  kind      The micro-step.
    /// @param  stateData The machine's state before it.
    /// @param  proof     The witness.
    /// @param  chainId   The L2 chain's, for commitments.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 chainId
    )
        external
        pure
        returns (bytes memory)
    {
        Context memory ctx = ContextLib.open(stateData, proof, opens(kind));
        return ctx.close(execute(ctx, kind, chainId));
    }

    /// @dev What a micro-step opens: marketProgram of agnt2/vm/index.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind >= Steps.INDEX_COUNT && kind <= Steps.CANDIDATE_AGENT) return ContextLib.OP;
        if (kind >= Steps.CANDIDATE_CAPABILITY && kind <= Steps.CANDIDATE_REPUTATION) {
            return ContextLib.OP | ContextLib.SEARCH;
        }
        if (kind == Steps.DISCOVER_ARGS || kind == Steps.COMMITMENT) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.POLICY | ContextLib.DATA;
        }
        if (kind == Steps.INVOKE_REPUTATION) return ContextLib.OP | ContextLib.CALL;
        if (kind == Steps.COMMITMENT_DEADLINE) return ContextLib.OP;
        if (kind == Steps.SWEEP_COMMITMENT) return ContextLib.SUMS | ContextLib.OP;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind, uint64 chainId) private pure returns (uint8) {
        if (kind == Steps.INVOKE_REPUTATION) return Invoke.stepInvokeReputation(ctx);
        if (kind == Steps.INDEX_COUNT) return Index.stepIndexCount(ctx);
        if (kind == Steps.INDEX_SLOT) return Index.stepIndexSlot(ctx);
        if (kind == Steps.INDEX_MOVED) return Index.stepIndexMoved(ctx);
        if (kind == Steps.CANDIDATE_AGENT) return Discover.stepCandidateAgent(ctx);
        if (kind == Steps.CANDIDATE_CAPABILITY) return Discover.stepCandidateCapability(ctx);
        if (kind == Steps.CANDIDATE_DETAIL) return Discover.stepCandidateDetail(ctx);
        if (kind == Steps.CANDIDATE_REPUTATION) return Discover.stepCandidateReputation(ctx);
        if (kind == Steps.DISCOVER_ARGS) return Discover.stepDiscoverArgs(ctx);
        if (kind == Steps.COMMITMENT) return Commit.stepCommitment(ctx, chainId);
        if (kind == Steps.COMMITMENT_DEADLINE) return Commit.stepCommitmentDeadline(ctx);
        if (kind == Steps.SWEEP_COMMITMENT) return Commit.stepSweepCommitment(ctx);
        revert UnknownStep(kind);
    }
}
