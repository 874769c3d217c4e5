// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Protocol
/// @notice Constants of the transition function: those of agnt2/vm/status.go, agnt2/vm/machine.go, agnt2/abi/abi.go and
///         agnt2/reputation.
library Protocol {
    // Addresses that the engine answers (OP specs, "Predeploys").
    address internal constant AGNT2 = 0x42000000000000000000000000000000000a6E72;
    address internal constant L1_BLOCK = 0x4200000000000000000000000000000000000015;
    address internal constant MESSAGE_PASSER = 0x4200000000000000000000000000000000000016;
    address internal constant SEQUENCER_FEE_VAULT = 0x4200000000000000000000000000000000000011;
    address internal constant BASE_FEE_VAULT = 0x4200000000000000000000000000000000000019;
    address internal constant L1_FEE_VAULT = 0x420000000000000000000000000000000000001A;
    address internal constant L1_ATTRIBUTES_DEPOSITOR = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    // Bits of Op.effect: what the end of a transaction does.
    uint32 internal constant STAKE_VALUE = 1; // the value becomes stake
    uint32 internal constant STAKE_OUT = 2; // the stake becomes balance
    uint32 internal constant ESCROW = 4; // the value goes into escrow for one more pending INVOKE
    uint32 internal constant REGISTER = 8; // the sender becomes an agent
    uint32 internal constant UNREGISTER = 16; // the sender stops being one
    uint32 internal constant SETTLE = 32; // a completed interaction: its payment counts as volume
    uint32 internal constant MESSAGE = 64; // a withdrawal was sent

    // Bits of Account.roles.
    uint8 internal constant ROLE_AGENT = 1; // an active agent
    uint8 internal constant ROLE_DELEGATED = 2; // its own key does not act for it

    // Agent.status.
    uint8 internal constant ACTIVE = 1;
    uint8 internal constant DEREGISTERED = 2;

    // Interaction.status.
    uint8 internal constant PENDING = 1;
    uint8 internal constant COMPLETED = 2;
    uint8 internal constant TIMED_OUT = 7;

    // Response status. An interaction that is answered with s has status COMPLETED + s.
    uint8 internal constant OK = 0;
    uint8 internal constant ERROR = 1;
    uint8 internal constant TIMEOUT_GRACEFUL = 2;
    uint8 internal constant PARSE_FAILURE = 3;
    uint8 internal constant REJECTED = 4;
    uint8 internal constant RESPONSE_STATUSES = 5;

    // Limits of arguments, in bytes and elements.
    uint256 internal constant MAX_NAME = 64;
    uint256 internal constant MAX_VERSION = 32;
    uint256 internal constant MAX_URI = 512;
    uint256 internal constant MAX_ENDPOINT = 256;
    uint256 internal constant MAX_METADATA_KEY = 32;
    uint256 internal constant MAX_METADATA_VALUE = 256;
    uint256 internal constant MAX_LISTED_ELEMENTS = 16;
    uint8 internal constant CAPABILITY_CLASSES = 4;
    uint8 internal constant DA_BACKENDS = 4;
    uint256 internal constant ATTESTATION_LENGTH = 65;
    uint256 internal constant RECEIVE_GAS_LIMIT = 100_000; // of a withdrawal without calldata
    uint256 internal constant MAX_MESSAGE_DATA_SIZE = 32 << 10;
    uint256 internal constant L1_ATTRIBUTES_DATA_LENGTH = 176;
    bytes4 internal constant L1_ATTRIBUTES_SELECTOR = 0x098999be; // setL1BlockValuesIsthmus()
    bytes4 internal constant INITIATE_WITHDRAWAL_SELECTOR = 0xc2b3e5ac;

    // Penalty units per outcome (docs/spec/reputation.md).
    uint64 internal constant PENALTY_ERROR = 1;
    uint64 internal constant PENALTY_GRACEFUL_TIMEOUT = 2;
    uint64 internal constant PENALTY_TIMEOUT = 4;
    uint64 internal constant PENALTY_SOFT_STREAK = 4;
    uint64 internal constant SOFT_STREAK = 3;
}
