// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Steps } from "../../src/dispute/lib/Steps.sol";
import { AgentSteps } from "../../src/dispute/steps/AgentSteps.sol";
import { InteractionSteps } from "../../src/dispute/steps/InteractionSteps.sol";
import { SweepSteps } from "../../src/dispute/steps/SweepSteps.sol";
import { TransactionSteps } from "../../src/dispute/steps/TransactionSteps.sol";

/// @title StepsHarness
/// @notice Lets agnt2/machine/differential run any micro-step of execution, as the verifier does.
contract StepsHarness {
    /// @notice Executes the micro-step that the state names.
    function step(bytes calldata stateData, bytes calldata proof, uint64 chainId) external view returns (bytes memory) {
        uint8 kind = uint8(stateData[1]);
        if (kind == Steps.BEGIN_POLICY) return TransactionSteps.step(kind, stateData, proof, chainId);
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
