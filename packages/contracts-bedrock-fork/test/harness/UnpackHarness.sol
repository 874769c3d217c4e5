// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IRecords } from "../../src/interfaces/IRecords.sol";
import { UnpackRecords } from "../../src/dispute/lib/UnpackRecords.sol";

/// @title UnpackHarness
/// @notice Lets agnt2/machine/differential compare the packed form of records with Go's: every function returns the bytes
///         that a record commits to, and where the next one begins.
contract UnpackHarness {
    function account(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Account memory x;
        (x, next) = UnpackRecords.unpackAccount(w, p);
        encoded = abi.encode(x);
    }

    function agent(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Agent memory x;
        (x, next) = UnpackRecords.unpackAgent(w, p);
        encoded = abi.encode(x);
    }

    function agentURI(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.AgentURI memory x;
        (x, next) = UnpackRecords.unpackAgentURI(w, p);
        encoded = abi.encode(x);
    }

    function metadata(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Metadata memory x;
        (x, next) = UnpackRecords.unpackMetadata(w, p);
        encoded = abi.encode(x);
    }

    function capability(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Capability memory x;
        (x, next) = UnpackRecords.unpackCapability(w, p);
        encoded = abi.encode(x);
    }

    function capabilityDetail(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.CapabilityDetail memory x;
        (x, next) = UnpackRecords.unpackCapabilityDetail(w, p);
        encoded = abi.encode(x);
    }

    function reputation(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Reputation memory x;
        (x, next) = UnpackRecords.unpackReputation(w, p);
        encoded = abi.encode(x);
    }

    function foreign(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Foreign memory x;
        (x, next) = UnpackRecords.unpackForeign(w, p);
        encoded = abi.encode(x);
    }

    function pair(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Pair memory x;
        (x, next) = UnpackRecords.unpackPair(w, p);
        encoded = abi.encode(x);
    }

    function interaction(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Interaction memory x;
        (x, next) = UnpackRecords.unpackInteraction(w, p);
        encoded = abi.encode(x);
    }

    function composition(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Composition memory x;
        (x, next) = UnpackRecords.unpackComposition(w, p);
        encoded = abi.encode(x);
    }

    function constituent(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Constituent memory x;
        (x, next) = UnpackRecords.unpackConstituent(w, p);
        encoded = abi.encode(x);
    }

    function deadline(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Deadline memory x;
        (x, next) = UnpackRecords.unpackDeadline(w, p);
        encoded = abi.encode(x);
    }

    function feedback(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Feedback memory x;
        (x, next) = UnpackRecords.unpackFeedback(w, p);
        encoded = abi.encode(x);
    }

    function validation(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Validation memory x;
        (x, next) = UnpackRecords.unpackValidation(w, p);
        encoded = abi.encode(x);
    }

    function totals(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Totals memory x;
        (x, next) = UnpackRecords.unpackTotals(w, p);
        encoded = abi.encode(x);
    }

    function l1Info(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.L1Info memory x;
        (x, next) = UnpackRecords.unpackL1Info(w, p);
        encoded = abi.encode(x);
    }

    function params(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Params memory x;
        (x, next) = UnpackRecords.unpackParams(w, p);
        encoded = abi.encode(x);
    }

    function channel(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.Channel memory x;
        (x, next) = UnpackRecords.unpackChannel(w, p);
        encoded = abi.encode(x);
    }

    function channelPair(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IRecords.ChannelPair memory x;
        (x, next) = UnpackRecords.unpackChannelPair(w, p);
        encoded = abi.encode(x);
    }
}
