// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Execution } from "../../src/dispute/steps/Execution.sol";

/// @title StepsHarness
/// @notice Lets agnt2/machine/differential run any micro-step of execution, as the verifier does.
contract StepsHarness {
    /// @notice Executes the micro-step that the state names.
    function step(bytes calldata stateData, bytes calldata proof, uint64 chainId) external view returns (bytes memory) {
        return Execution.step(uint8(stateData[1]), stateData, proof, chainId);
    }
}
