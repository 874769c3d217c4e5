// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2StepVerifier } from "../../src/dispute/IAGNT2StepVerifier.sol";
import { IFrames } from "../../src/dispute/IFrames.sol";
import { TransactionDecoder } from "../../src/dispute/lib/TransactionDecoder.sol";

/// @notice What a game uses of OP's PreimageOracle.
interface ILocalDataOracle {
    function loadLocalData(
        uint256 ident,
        bytes32 localContext,
        bytes32 word,
        uint256 size,
        uint256 partOffset
    )
        external
        returns (bytes32 key);
}

/// @title MachineHarness
/// @notice A dispute game as far as the machine sees it, for Go tests: it loads local data and makes steps. It also gives access
///         to the library that decodes transactions.
contract MachineHarness {
    IAGNT2StepVerifier public immutable vm;
    ILocalDataOracle public immutable oracle;
    uint256 public immutable l2BlockNumber;

    constructor(IAGNT2StepVerifier vm_, ILocalDataOracle oracle_, uint256 l2BlockNumber_) {
        vm = vm_;
        oracle = oracle_;
        l2BlockNumber = l2BlockNumber_;
    }

    /// @notice Loads a word of local data, as a game's addLocalData does.
    function load(uint256 ident, bytes32 localContext, bytes32 word) external {
        oracle.loadLocalData(ident, localContext, word, 32, 8);
    }

    /// @notice Makes a step.
    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext)
        external
        view
        returns (bytes32)
    {
        return vm.step(stateData, proof, localContext);
    }

    /// @notice The frames of signed transactions, abi.encoded; nothing for those that are malformed.
    function decodeSigned(bytes[] calldata raw, uint64 chainId) external view returns (bytes[] memory frames) {
        frames = new bytes[](raw.length);
        for (uint256 i = 0; i < raw.length; ++i) {
            (bool ok, IFrames.Tx memory t) = TransactionDecoder.decodeSigned(raw[i], chainId);
            if (ok) frames[i] = abi.encode(t);
        }
    }

    /// @notice The frame of a deposit, abi.encoded.
    function decodeDeposit(bytes calldata raw) external pure returns (bytes memory) {
        return abi.encode(TransactionDecoder.decodeDeposit(raw));
    }
}
