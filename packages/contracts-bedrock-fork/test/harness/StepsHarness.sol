// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Steps } from "../../src/dispute/lib/Steps.sol";
import { ActSteps } from "../../src/dispute/steps/ActSteps.sol";
import { AdvanceSteps } from "../../src/dispute/steps/AdvanceSteps.sol";
import { AgentSteps } from "../../src/dispute/steps/AgentSteps.sol";
import { ChannelSteps } from "../../src/dispute/steps/ChannelSteps.sol";
import { ChannelStateSteps } from "../../src/dispute/steps/ChannelStateSteps.sol";
import { DisputeSteps } from "../../src/dispute/steps/DisputeSteps.sol";
import { GovernanceSteps } from "../../src/dispute/steps/GovernanceSteps.sol";
import { IdentitySteps } from "../../src/dispute/steps/IdentitySteps.sol";
import { ComposeSteps } from "../../src/dispute/steps/ComposeSteps.sol";
import { ConstituentSteps } from "../../src/dispute/steps/ConstituentSteps.sol";
import { InteractionSteps } from "../../src/dispute/steps/InteractionSteps.sol";
import { RegistrySteps } from "../../src/dispute/steps/RegistrySteps.sol";
import { MarketSteps } from "../../src/dispute/steps/MarketSteps.sol";
import { SweepSteps } from "../../src/dispute/steps/SweepSteps.sol";
import { TransactionSteps } from "../../src/dispute/steps/TransactionSteps.sol";

/// @title StepsHarness
/// @notice Lets agnt2/machine/differential run any micro-step of execution, as the verifier does.
contract StepsHarness {
    /// @notice Executes the micro-step that the state names.
    function step(bytes calldata stateData, bytes calldata proof, uint64 chainId) external view returns (bytes memory) {
        uint8 kind = uint8(stateData[1]);
        if (kind == Steps.BEGIN_POLICY) return TransactionSteps.step(kind, stateData, proof, chainId);
        if (kind >= Steps.OPEN_CHANNEL_ARGS && kind <= Steps.CLEAR_CHANNEL_PAIR) {
            return ChannelSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.CHANNEL_STATE_ARGS && kind <= Steps.SWEEP_CHANNEL) {
            return ChannelStateSteps.step(kind, stateData, proof, chainId);
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
        if (kind >= Steps.INVOKE_ARGS && kind <= Steps.RESPOND_EVENT) {
            return InteractionSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.REGISTER_AGENT && kind <= Steps.TOP_UP_STAKE) {
            return AgentSteps.step(kind, stateData, proof, chainId);
        }
        if (kind >= Steps.SEAL_BASE_FEES || (kind >= Steps.SWEEP_NEXT && kind <= Steps.SWEEP_REPUTATION)) {
            return SweepSteps.step(kind, stateData, proof, chainId);
        }
        return TransactionSteps.step(kind, stateData, proof, chainId);
    }
}
