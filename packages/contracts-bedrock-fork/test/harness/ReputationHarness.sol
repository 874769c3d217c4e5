// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IRecords } from "../../src/interfaces/IRecords.sol";
import { ContextLib } from "../../src/dispute/lib/Context.sol";
import { UnpackRecords } from "../../src/dispute/lib/UnpackRecords.sol";
import { Reputation } from "../../src/dispute/steps/Reputation.sol";

/// @title ReputationHarness
/// @notice Lets agnt2/machine/differential compare the score and what feeds it.
contract ReputationHarness {
    /// @notice Judges a packed record.
    /// @return score    At `time`.
    /// @return eligible Whether its reliability is at least `minimum`.
    /// @return discount What its own INVOKEs cost less.
    /// @return counted  Hash of the record after `Reputation.count`.
    function judge(
        bytes calldata packed,
        uint64 time,
        uint32 halfLife,
        uint32 minimum
    )
        external
        pure
        returns (uint256 score, bool eligible, uint16 discount, bytes32 counted)
    {
        (IRecords.Reputation memory r,) = UnpackRecords.unpackReputation(packed, 0);
        score = Reputation.score(r, time, halfLife);
        eligible = Reputation.eligible(r, minimum);
        discount = Reputation.discount(r);
        Reputation.count(r);
        counted = ContextLib.hash(r);
    }
}
