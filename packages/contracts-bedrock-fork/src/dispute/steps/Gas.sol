// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IRecords } from "../../interfaces/IRecords.sol";

/// @title Gas
/// @notice Prices of operations: agnt2/gas/gas.go. Amounts of gas are modulo 2^64, fees modulo 2^256, as there.
library Gas {
    /// @notice Gas of an operation's calldata of n bytes.
    function calldataOf(IRecords.Params memory p, uint256 n) internal pure returns (uint64) {
        unchecked {
            return p.gasPerCalldataByte * uint64(n);
        }
    }

    /// @notice Gas that an INVOKE pays whatever it calls.
    function invokeBase(IRecords.Params memory p, uint32 payloadBytes) internal pure returns (uint64) {
        unchecked {
            return p.gasInvokeBase + p.gasPerPayloadByte * uint64(payloadBytes);
        }
    }

    /// @notice Gas of a RESPOND.
    function respond(IRecords.Params memory p, uint32 payloadBytes) internal pure returns (uint64) {
        unchecked {
            return p.gasRespond + p.gasPerPayloadByte * uint64(payloadBytes);
        }
    }

    /// @notice The surcharge of a capability class after a discount in 1/10000.
    function class(IRecords.Params memory p, uint8 kind, uint16 discount) internal pure returns (uint64) {
        unchecked {
            return uint64(uint256(p.gasClass[kind]) * (10_000 - discount) / 10_000);
        }
    }

    /// @notice Gas of a scan of n slots of a capability's index.
    function discover(IRecords.Policy memory p, uint64 n) internal pure returns (uint64) {
        unchecked {
            return p.gasDiscover + p.gasPerScannedSlot * n;
        }
    }

    /// @notice Gas of an agent operation that writes n records beside the agent's own.
    function agentOperation(IRecords.Params memory p, uint256 n) internal pure returns (uint64) {
        unchecked {
            return p.gasAgentOperation + p.gasPerRecord * uint64(n);
        }
    }

    /// @notice Gas of a dispute.
    function dispute(
        IRecords.Params memory p,
        IRecords.Policy memory policy,
        uint32 payloadBytes
    )
        internal
        pure
        returns (uint64)
    {
        unchecked {
            return policy.gasDispute + p.gasPerPayloadByte * uint64(payloadBytes);
        }
    }

    /// @notice Gas that one iteration of a constituent adds to its COMPOSE, beside its class.
    function constituent(
        IRecords.Params memory p,
        IRecords.Policy memory policy,
        uint32 payloadBytes,
        uint64 depth
    )
        internal
        pure
        returns (uint64)
    {
        unchecked {
            return p.gasPerPayloadByte * uint64(payloadBytes) + policy.gasPerDepth * depth;
        }
    }

    /// @notice Price of one byte of transaction on L1, in 10^-6 wei.
    function l1Price(IRecords.L1Info memory l1) internal pure returns (uint256) {
        unchecked {
            return l1.baseFee * (16 * uint256(l1.baseFeeScalar)) + l1.blobBaseFee * uint256(l1.blobBaseFeeScalar);
        }
    }

    /// @notice Fee, in wei, for publishing n bytes of transaction.
    function l1Fee(uint256 price, uint32 n) internal pure returns (uint256) {
        unchecked {
            return price * n / 1_000_000;
        }
    }

    /// @notice The sum, saturating.
    function add(uint64 a, uint64 b) internal pure returns (uint64 sum) {
        unchecked {
            sum = a + b;
            if (sum < a) sum = type(uint64).max;
        }
    }
}
