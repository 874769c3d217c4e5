// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Steps } from "../lib/Steps.sol";
import { ActSteps } from "./ActSteps.sol";
import { AdvanceSteps } from "./AdvanceSteps.sol";
import { AgentSteps } from "./AgentSteps.sol";
import { ChannelStateSteps } from "./ChannelStateSteps.sol";
import { ChannelSteps } from "./ChannelSteps.sol";
import { ComposeSteps } from "./ComposeSteps.sol";
import { ConstituentSteps } from "./ConstituentSteps.sol";
import { DisputeSteps } from "./DisputeSteps.sol";
import { FeedbackSteps } from "./FeedbackSteps.sol";
import { GovernanceSteps } from "./GovernanceSteps.sol";
import { IdentitySteps } from "./IdentitySteps.sol";
import { InteractionSteps } from "./InteractionSteps.sol";
import { MarketSteps } from "./MarketSteps.sol";
import { PassportSteps } from "./PassportSteps.sol";
import { PruneSteps } from "./PruneSteps.sol";
import { RegistrySteps } from "./RegistrySteps.sol";
import { SweepSteps } from "./SweepSteps.sol";
import { TransactionSteps } from "./TransactionSteps.sol";
import { ValidationSteps } from "./ValidationSteps.sol";

/// @title Execution
/// @notice Which linked library takes a micro-step of execution (agnt2/vm/program.go).
library Execution {
    /// @notice There is no such micro-step.
    error UnknownStep(uint8 kind);

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @param  kind      The micro-step: that of the state, which is unfinished.
    /// @param  stateData The machine's state before it.
    /// @param  proof     The witness.
    /// @param  chainId   The L2 chain's.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 chainId
    )
        internal
        view
        returns (bytes memory)
    {
        if (kind == Steps.BEGIN_POLICY) return TransactionSteps.step(kind, stateData, proof, chainId);
        if (kind >= Steps.OPEN_CHANNEL_ARGS && kind <= Steps.CLEAR_CHANNEL_PAIR) {
            return ChannelSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.CHANNEL_STATE_ARGS && kind <= Steps.SWEEP_CHANNEL) {
            return ChannelStateSteps.step(kind, stateData, proof, chainId);
        }
        if (kind == Steps.OPEN_ARGS) return ConstituentSteps.step(kind, stateData, proof, chainId);
        if (kind >= Steps.COMPOSE_HISTORY && kind <= Steps.DROP_COMPOSITION) {
            return PruneSteps.step(kind, stateData, proof, chainId);
        }
        if (kind == Steps.IMPORT_ARGS || kind == Steps.IMPORT_FOREIGN) {
            return PassportSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.FEEDBACK_ARGS && kind <= Steps.COUNT_RESPONSE) {
            return FeedbackSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.LIST_COUNT && kind <= Steps.ANSWER_VALIDATION) {
            return ValidationSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.DISPUTE_ARGS) return DisputeSteps.step(kind, stateData, proof, chainId);
        if (kind >= Steps.SET_PARAMS_ARGS) return GovernanceSteps.step(kind, stateData, proof, chainId);
        if (kind == Steps.REGISTRY || kind == Steps.COUNT_HOLDING) {
            return RegistrySteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.ACT_OPERATION && kind <= Steps.REGISTER_FOR) {
            return ActSteps.step(kind, stateData, proof, chainId);
        }
        if (
            (kind >= Steps.AUTHORIZE_KEY && kind <= Steps.RESPOND_KEY)
                || (kind >= Steps.OPEN_SESSION && kind <= Steps.CLOSE_SESSION)
        ) {
            return IdentitySteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.INDEX_COUNT && kind <= Steps.SWEEP_COMMITMENT) {
            return MarketSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.COMPOSE_ARGS && kind <= Steps.COMPOSE_CONSTITUENT) {
            return ComposeSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.RESPOND_CONSTITUENT && kind <= Steps.CANCEL_COMPOSITION) {
            return ConstituentSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.SWEEP_CONSTITUENT && kind <= Steps.SETTLE_REPUTATION) {
            return AdvanceSteps.step(kind, stateData, proof, chainId);
        }
        if (kind == Steps.HALT || kind > Steps.SEAL_TOTALS) revert UnknownStep(kind);
        if (kind >= Steps.SEAL_BASE_FEES || (kind >= Steps.SWEEP_NEXT && kind <= Steps.SWEEP_REPUTATION)) {
            return SweepSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.INVOKE_ARGS) return InteractionSteps.step(kind, stateData, proof, chainId);
        if (kind >= Steps.REGISTER_AGENT) return AgentSteps.step(kind, stateData, proof, chainId);
        return TransactionSteps.step(kind, stateData, proof, chainId);
    }
}
