// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IRecords
/// @notice Layout of every record of the interaction trie (paper App. D.1). A record's bytes are `abi.encode` of one of
///         these structs; its leaf is keccak256(0x00 ‖ key ‖ keccak256(record)). Keys: docs/spec/records.md.
/// @dev Never called: the functions only make the compiler emit the structs' ABI, from which the Go side is generated.
interface IRecords {
    /// @notice Economics and nonce of an account. An absent record is all zeros.
    struct Account {
        uint64 nonce;
        uint256 balance;
        uint256 stake;
        uint256 escrowed;
        uint32 pendingInvokes;
        uint8 roles; // bit 0: an active agent; bit 1: delegated, only its owner and session keys act for it
        uint32 holds; // what keeps the stake from being withdrawn: open channels and disputes
        uint64 paced; // rate bucket: Unix milliseconds at which it is full again
    }

    /// @notice Identity of an agent.
    struct Agent {
        uint8 status;
        address owner;
        uint32 epoch;
        uint32 capabilityCount;
        uint64 registeredAt;
        uint64 deregisteredAt;
        uint64 lastHeartbeat;
        bytes32 imageDigest;
        string name;
        string version;
    }

    /// @notice ERC-8004 registration file of an agent.
    struct AgentURI {
        string uri;
    }

    struct Metadata {
        string key;
        bytes value;
    }

    /// @notice What an INVOKE needs of a capability. Live only if epoch equals the agent's.
    struct Capability {
        uint32 epoch;
        uint8 class;
        uint32 latencyMsP99;
        uint256 priceWei;
    }

    /// @notice What discovery and clients need of a capability; same life as Capability.
    struct CapabilityDetail {
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
        string name;
        string endpoint;
    }

    struct Reputation {
        uint64 completed;
        uint64 timeouts;
        uint64 errors;
        uint64 gracefulTimeouts;
        uint64 parseFailures;
        uint64 rejections;
        uint64 softStreak;
        uint64 penaltyUnits;
        uint64 disputed;
        uint64 disputesLost;
        uint64 countedCompleted;
        uint64 distinctCallers;
        uint128 sumOfSquares;
        uint64 lastActiveAt;
    }

    /// @notice Completed paid interactions between one callee and one counted caller.
    struct Pair {
        uint64 completed;
    }

    struct Interaction {
        uint8 status;
        address caller;
        address callee;
        bytes32 capability;
        bytes32 paramsHash;
        bytes32 resultHash;
        uint256 paymentWei;
        uint64 invokedAt;
        uint64 deadline;
        uint64 settledAt;
        uint32 branch;
        bytes32 compositionId;
    }

    /// @notice Entry of the deadline queue. Its key carries the time and what falls due (DeadlineKind of agnt2/record), so the
    ///         trie's order is the queue's.
    struct Deadline {
        bytes32 id;
    }

    /// @notice Counters of /global/, written once a block at SEAL.
    struct Totals {
        uint64 agents;
        uint64 interactions;
        uint256 volumeWei;
        uint64 messageNonce;
    }

    /// @notice Copy of the last L1-attributes deposit (OP spec, Isthmus).
    struct L1Info {
        uint64 number;
        uint64 timestamp;
        uint256 baseFee;
        uint256 blobBaseFee;
        bytes32 blockHash;
        bytes32 batcherHash;
        uint64 sequenceNumber;
        uint32 baseFeeScalar;
        uint32 blobBaseFeeScalar;
        uint32 operatorFeeScalar;
        uint64 operatorFeeConstant;
    }

    /// @notice Governance parameters of /global/ (paper App. C.4). Units are in the names.
    struct Params {
        uint256 minStakeWei;
        uint256 minCountedPaymentWei;
        uint32 minTtlSeconds;
        uint32 maxTtlSeconds;
        uint32 stakeCooldownSeconds;
        uint32 maxPendingInvokes;
        uint32 maxCapabilities;
        uint32 sweepsPerBlock;
        uint32 reputationHalfLifeSeconds;
        uint64 gasTransfer;
        uint64 gasAgentOperation;
        uint64 gasPerRecord;
        uint64 gasInvokeBase;
        uint64 gasRespond;
        uint64 gasPerPayloadByte;
        uint64 gasPerCalldataByte;
        uint64 gasWithdrawal;
        uint64[4] gasClass;
    }

    /// @notice Further governance parameters of /global/: those that INVOKE and RESPOND do not need, apart from Params so that the
    ///         witnesses of their steps stay small. Units are in the names.
    struct Policy {
        // Agents and quotas.
        address governance; // L1 address whose deposits change Params and Policy
        uint16 eligibilityScore; // 1/10000; an agent with a history below it is not invoked
        uint256 weiPerPendingInvoke; // stake that allows one more pending INVOKE than Params.maxPendingInvokes
        uint32 invokesPerSecond; // rate bucket: refill
        uint32 invokesBurst; // rate bucket: size
        // Compositions.
        uint64 gasCompose;
        uint64 gasPerDepth;
        uint32 maxCompositionSeconds;
        // Channels.
        uint64 gasChannel;
        uint32 channelWindowSeconds;
        uint32 maxChannelTtlSeconds;
        uint256 doubleSignSlashWei;
        // Disputes.
        uint64 gasDispute;
        uint256 disputeBondWei;
        uint256 disputeFeeWei;
        uint32 disputeWindowSeconds;
        // Discovery, commit–reveal.
        uint64 gasDiscover;
        uint64 gasPerScannedSlot;
        uint256 minCommitDepositWei;
        // History.
        uint32 recentSeconds; // a settled interaction keeps its own record for so long
    }

    function account() external view returns (Account memory);
    function agent() external view returns (Agent memory);
    function agentURI() external view returns (AgentURI memory);
    function metadata() external view returns (Metadata memory);
    function capability() external view returns (Capability memory);
    function capabilityDetail() external view returns (CapabilityDetail memory);
    function reputation() external view returns (Reputation memory);
    function pair() external view returns (Pair memory);
    function interaction() external view returns (Interaction memory);
    function deadline() external view returns (Deadline memory);
    function totals() external view returns (Totals memory);
    function l1Info() external view returns (L1Info memory);
    function params() external view returns (Params memory);
    function policy() external view returns (Policy memory);
}
