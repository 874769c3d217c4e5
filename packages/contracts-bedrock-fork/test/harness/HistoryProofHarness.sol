// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { HistoryProof } from "../../src/history/HistoryProof.sol";
import { IRecords } from "../../src/interfaces/IRecords.sol";

/// @title HistoryProofHarness
/// @notice Lets agnt2/machine/differential compare HistoryProof with agnt2/history. Records come encoded.
contract HistoryProofHarness {
    function verify(
        bytes32 stateRoot,
        bytes32 id,
        bytes calldata interaction,
        uint64 index,
        bytes32[] calldata path,
        bytes calldata history,
        bytes calldata proof
    )
        external
        pure
        returns (bool)
    {
        HistoryProof.verify(
            stateRoot,
            id,
            abi.decode(interaction, (IRecords.Interaction)),
            index,
            path,
            abi.decode(history, (IRecords.History)),
            proof
        );
        return true;
    }
}
