// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Protocol
/// @notice Constants of the transition function: those of agnt2/vm/status.go, agnt2/vm/machine.go, agnt2/abi/abi.go and
///         agnt2/reputation.
library Protocol {
    // Addresses that the engine answers (OP specs, "Predeploys").
    address internal constant AGNT2 = 0x42000000000000000000000000000000000a6E72;
    address internal constant IDENTITY_REGISTRY = 0x4200000000000000000000000000000000008004;
    address internal constant REPUTATION_REGISTRY = 0x4200000000000000000000000000000000008005;
    address internal constant VALIDATION_REGISTRY = 0x4200000000000000000000000000000000008006;
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
    uint32 internal constant BURN = 1 << 10; // a slashed stake: op.word is the wei that nobody gets
    uint32 internal constant CHANNEL = 1 << 11; // a channel was opened
    uint32 internal constant OWNER = 1 << 12; // Op.owner becomes the sender's
    uint32 internal constant DISCOUNT = 1 << 14; // op.discount becomes the sender's, until op.pairs

    // Bits of Account.roles.
    uint8 internal constant ROLE_AGENT = 1; // an active agent

    // Agent.status.
    uint8 internal constant ACTIVE = 1;
    uint8 internal constant DEREGISTERED = 2;

    // Interaction.status.
    uint8 internal constant PENDING = 1;
    uint8 internal constant COMPLETED = 2;
    uint8 internal constant TIMED_OUT = 7;
    uint8 internal constant TENTATIVE = 8;
    uint8 internal constant OPENED = 9;
    uint8 internal constant REVERTED = 10;

    // Interaction.constituent, beside 1 + index.
    uint8 internal constant CONSTITUENT_INDEX = 0x1f;
    uint8 internal constant CONSTITUENT_NEEDED = 0x20;
    uint8 internal constant CONSTITUENT_ATOMIC = 0x80;

    // Composition.status.
    uint8 internal constant COMPOSITION_ACTIVE = 1;
    uint8 internal constant COMPOSITION_COMMITTED = 2;
    uint8 internal constant COMPOSITION_REVERTED = 3;
    uint8 internal constant COMPOSITION_SETTLED = 4;

    // Guards, and fields of Composition.edges.
    uint8 internal constant NO_GUARD = 0;
    uint8 internal constant GUARD_EQUALS = 1;
    uint8 internal constant GUARDS = 3;
    uint64 internal constant EDGE_DEPENDS = 0xfffff;
    uint256 internal constant EDGE_GUARD_ON = 20;
    uint256 internal constant EDGE_GUARD = 25;
    uint256 internal constant EDGE_GUARD_BRANCH = 32;

    // Limits of compositions.
    uint256 internal constant MAX_CONSTITUENTS = 20;
    uint8 internal constant MAX_LOOP_ITERATIONS = 16;
    uint32 internal constant WEIGHT_OF_STEP = 3;
    uint256 internal constant MOST_VALUE_BITS = 128;

    // What a settlement is: Op.status in the sweeps of compositions.
    uint8 internal constant SETTLE_PAY = 0;
    uint8 internal constant SETTLE_EXPIRE = 1;
    uint8 internal constant SETTLE_ABORT = 2;

    bytes32 internal constant COMPOSITION_TAG = keccak256("composition");

    // Channel.status.
    uint8 internal constant CHANNEL_OPEN = 1;
    uint8 internal constant CHANNEL_CLOSING = 2;
    uint8 internal constant CHANNEL_CLOSED = 3;

    // Response status. An interaction that is answered with s has status COMPLETED + s.
    uint8 internal constant OK = 0;
    uint8 internal constant ERROR = 1;
    uint8 internal constant TIMEOUT_GRACEFUL = 2;
    uint8 internal constant PARSE_FAILURE = 3;
    uint8 internal constant REJECTED = 4;
    uint8 internal constant RESPONSE_STATUSES = 5;

    // Dispute.kind.
    uint8 internal constant COMPUTATIONAL = 1;
    uint8 internal constant QUALITATIVE = 2;

    // Dispute.outcome.
    uint8 internal constant DISPUTE_OPEN = 0;
    uint8 internal constant DISPUTE_UPHELD = 1;
    uint8 internal constant DISPUTE_REJECTED = 2;
    uint8 internal constant DISPUTE_LAPSED = 3;

    // Ranges of parameters: agnt2/bounds.
    uint32 internal constant MAX_SWEEPS_PER_BLOCK = 500;
    uint32 internal constant MAX_PRUNES_PER_BLOCK = 100_000;
    uint16 internal constant MAX_SCORE = 10_000;

    // Limits of arguments, in bytes and elements.
    uint256 internal constant MAX_NAME = 64;
    uint256 internal constant MAX_VERSION = 32;
    uint256 internal constant MAX_URI = 512;
    uint256 internal constant MAX_ENDPOINT = 256;
    uint256 internal constant MAX_METADATA_KEY = 32;
    uint256 internal constant MAX_METADATA_VALUE = 256;
    uint256 internal constant MAX_LISTED_ELEMENTS = 16;
    uint64 internal constant WALLET_DEADLINE_SECONDS = 300;
    uint8 internal constant CAPABILITY_CLASSES = 4;
    uint8 internal constant DA_BACKENDS = 4;
    uint256 internal constant SIGNATURE_LENGTH = 65; // r ‖ s ‖ v
    uint64 internal constant CHECKPOINT_SPAN = 1000; // interactions between two checkpoints
    uint256 internal constant RECEIVE_GAS_LIMIT = 100_000; // of a withdrawal without calldata
    uint256 internal constant FEES_GAS_LIMIT = 400_000; // of a withdrawal of a fee vault
    uint256 internal constant MAX_MESSAGE_DATA_SIZE = 32 << 10;
    uint256 internal constant L1_ATTRIBUTES_DATA_LENGTH = 176;
    bytes4 internal constant L1_ATTRIBUTES_SELECTOR = 0x098999be; // setL1BlockValuesIsthmus()
    bytes4 internal constant INITIATE_WITHDRAWAL_SELECTOR = 0xc2b3e5ac;

    // Reputation: what the score and eligibility are made of.
    uint64 internal constant SCALE = 10_000;
    uint64 internal constant DISPUTE_WEIGHT = 16;
    uint64 internal constant DISTINCT_SATURATION = 64;
    uint64 internal constant VOLUME_SATURATION = 320;
    uint64 internal constant MAX_HALVINGS = 14;
    uint64 internal constant ANOMALY_CALLERS = 16;
    uint64 internal constant ANOMALY_COMPLETED = 256;
    uint64 internal constant HISTORY_OUTCOMES = 32;

    uint256 internal constant DISCOUNT_SCORE = 5000; // from here on a sender pays less
    uint256 internal constant MAX_DISCOUNT = 2500;
    uint256 internal constant DISCOUNT_TIMEOUTS = 20; // calls answered for each one that timed out
    uint64 internal constant DISCOUNT_SECONDS = 7 days; // since the last answer

    // Discovery, quotas and commit–reveal.
    uint32 internal constant MAX_SCANNED_SLOTS = 32;
    uint64 internal constant PRICE_POINTS = 4000;
    uint64 internal constant LATENCY_POINTS = 2000;
    uint256 internal constant RECLAIM_RECORDS = 5;
    uint256 internal constant MAX_STAKED_INVOKES = 1 << 16;
    uint64 internal constant MICROSECONDS_PER_SECOND = 1_000_000;
    uint64 internal constant REVEAL_DELAY_BLOCKS = 2;
    uint64 internal constant COMMITMENT_RECORDS = 2;

    // Lists of ERC-8004's registries: ListKind of agnt2/record.
    uint8 internal constant LIST_CLIENTS = 1;
    uint8 internal constant LIST_AGENT_VALIDATIONS = 2;
    uint8 internal constant LIST_VALIDATOR_REQUESTS = 3;

    uint256 internal constant MAX_TAG = 64; // bytes
    uint256 internal constant FEEDBACK_RECORDS = 5;
    uint256 internal constant VALIDATION_RECORDS = 5;

    // Penalty units per outcome (docs/spec/reputation.md).
    uint64 internal constant PENALTY_ERROR = 1;
    uint64 internal constant PENALTY_GRACEFUL_TIMEOUT = 2;
    uint64 internal constant PENALTY_TIMEOUT = 4;
    uint64 internal constant PENALTY_SOFT_STREAK = 4;
    uint64 internal constant SOFT_STREAK = 3;
}
