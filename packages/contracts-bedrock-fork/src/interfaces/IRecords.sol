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
        uint8 roles; // bit 0: an active agent
        uint32 holds; // what keeps the stake from being withdrawn: open channels and disputes
        uint64 paced; // rate bucket: Unix microseconds at which it is full again
        uint16 discount; // of an INVOKE's class gas, in 1/10000, for the agent's own reputation
        uint64 discountUntil; // Unix seconds
        address owner; // of an agent that is another account's: its own key does not act for it. Zero: itself
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
        uint32 ownership; // raised by each transfer; keys and wallet belong to one
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
        bool commitRequired; // only a reveal may invoke it
        uint32 slot; // of the agent in the capability's index, from 1
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
        bytes32 interactionHistoryRoot; // keccak256(root ‖ id ‖ resultHash ‖ caller ‖ settledAt ‖ status ‖ branch) for every one that is settled
        uint64 scoredCompleted; // countedCompleted, and
        uint64 scoredCallers; // distinctCallers, when the pattern of callers was last credible
        uint64 aborts; // never scored
    }

    /// @notice Completed paid interactions between one callee and one counted caller.
    struct Pair {
        uint64 completed;
        bytes32 latest; // the last of them
    }

    /// @notice What a session key may do for an agent. Live only if ownership equals the agent's.
    struct Delegation {
        uint32 ownership;
        uint64 expiry;
        uint256 spendLimitWei;
        uint256 spentWei;
        bytes operations; // selectors, one after the other; empty: all
        bytes capabilities; // ids, one after the other; empty: all
    }

    /// @notice ERC-8004 agentWallet of an agent. Live only if ownership equals the agent's.
    struct Wallet {
        uint32 ownership;
        address wallet;
    }

    /// @notice Agents that an owner has: ERC-721's balance in the ERC-8004 Identity registry.
    struct Holding {
        uint64 agents;
    }

    /// @notice A context that INVOKEs of two parties refer to.
    struct Session {
        address agent;
        address peer;
        bytes32 contextHash;
        uint64 openedAt;
        uint64 expiry;
        uint64 closedAt;
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
        uint8 constituent; // 0: an INVOKE's; else bits 0-4: 1 + index, bit 5: others depend on it, bit 7: atomic
    }

    /// @notice Escrow sub-account and state of a composition. Masks have bit i for constituent i.
    struct Composition {
        uint8 status;
        address initiator;
        bool atomic;
        uint8 count;
        uint64 createdAt;
        uint64 deadline; // while active, of the whole; once committed, for opening results
        uint64 settledAt; // when the status became final
        uint64 leavesAt; // until when it stays after all is paid or refunded; 0 before
        uint256 escrowWei; // neither paid nor refunded yet
        uint256 owedWei; // of it, provisional credits
        uint32 windowSeconds; // longest ttl of a constituent
        uint32 active; // has a pending interaction, or one to be opened
        uint32 done; // its result is there
        uint32 skipped; // its branch was not taken
        uint32 failed; // it, or one that it depends on, failed
        uint32 credited; // has a provisional credit
        uint32 opened; // its commitment is opened
        uint32 paid; // its credit is settled
        address culprit; // whose failure or cancel reverted it
        uint64[20] edges; // bits 0-19: dependsOn, 20-24: guardOn, 25-26: guard, 32-47: guardBranch
        uint32[20] branches; // of answers that are there
    }

    /// @notice One call of a composition.
    struct Constituent {
        address callee;
        bytes32 capability;
        bytes32 template;
        uint256 paymentWei; // for each iteration
        uint32 ttlSeconds;
        uint32 dependsOn;
        uint32 loopBranch;
        uint8 loopFrom;
        uint8 maxIterations; // 0: it ends no loop
        uint8 feedback; // first of a loop: 1 + index of the loop's end
        uint8 prepaid; // iterations that are paid for
        bool needed; // others depend on its result, or a loop on its branch
        uint8 iteration; // activations so far
        bytes32 interactionId; // of the last one
        bytes32 resultHash; // of the last one whose result is there
    }

    /// @notice A channel between two agents, A with the lower address. All amounts are wei.
    struct Channel {
        uint8 status;
        address agentA;
        address agentB;
        uint256 fundedA; // all that A has paid in
        uint256 fundedB;
        // The recorded state: the newest that the chain knows.
        uint256 depositA; // what of fundedA it divides; the rest is A's
        uint256 depositB;
        uint256 balanceA; // what it gives A
        uint256 balanceB;
        uint64 nonce;
        uint64 interactionCount;
        uint64 maxInteractions;
        uint64 openedAt;
        uint64 expiresAt;
        uint64 closesAt; // end of the window; 0 while open
        uint32 heartbeatSeconds;
        // The state recorded before it: what stands if the recorded one was signed twice.
        uint256 priorDepositA;
        uint256 priorDepositB;
        uint256 priorBalanceA;
        uint256 priorBalanceB;
        uint64 priorNonce;
    }

    /// @notice What two agents have had in common.
    struct ChannelPair {
        bytes32 channelId; // their channel that is not closed; 0: none
        uint64 opens; // channels opened so far
        uint64 nonceA; // terms proposed by A and accepted so far
        uint64 nonceB;
    }

    /// @notice Entry of the deadline queue. Its key carries the time and what falls due (DeadlineKind of agnt2/record), so the
    ///         trie's order is the queue's.
    struct Deadline {
        bytes32 id;
    }

    /// @notice Accumulator of /global/ over all pruned interactions, in the order of their pruning: the peaks of a Merkle
    ///         mountain range. Leaf = keccak256(0x00 ‖ id ‖ keccak256(record)), node = keccak256(0x01 ‖ left ‖ right).
    struct History {
        uint64 count; // leaves
        bytes32[] peaks; // the largest first: one for each bit of count, the root over so many leaves
    }

    /// @notice A dispute about a settled interaction. Open, it keeps the interaction's record and the agent's stake.
    struct Dispute {
        uint8 kind;
        uint8 outcome; // 0: open
        bool due; // the interaction's time to be pruned came while the dispute was open
        bool pruned; // the interaction is in the history; this stays until its deadline
        address claimant;
        address agent; // whose interaction is disputed
        address game; // L1 game of a computational dispute
        bytes32 evidenceHash;
        uint256 bondWei;
        uint64 deadline;
    }

    /// @notice An agent of another AGNT2 chain, as a finalised block there had it. Never added to what the agent does here.
    struct Foreign {
        uint64 sourceChainId;
        uint64 sourceBlock; // number of that block
        uint64 importedAt; // Unix seconds, here
        address agent; // its address on the source
        // Of its Agent record there.
        uint8 status;
        address owner;
        uint64 registeredAt;
        uint64 deregisteredAt;
        uint64 lastHeartbeat;
        bytes32 imageDigest;
        string name;
        string version;
        // Its Reputation record there.
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
        bytes32 interactionHistoryRoot;
        uint64 scoredCompleted;
        uint64 scoredCallers;
        uint64 aborts;
    }

    /// @notice Entry of a capability's index: an agent that offers, or offered, the capability.
    struct IndexSlot {
        address agent;
    }

    /// @notice How many entries a capability's index has: the slots 1 to count.
    struct IndexCount {
        uint32 count;
    }

    /// @notice First half of a commit–reveal INVOKE.
    struct Commitment {
        address caller;
        bytes32 commitment;
        uint256 depositWei;
        uint64 revealableFrom; // block number
        uint64 deadline; // Unix seconds
    }

    /// @notice ERC-8004 feedback of a client about an agent, for one interaction.
    struct Feedback {
        int128 value;
        uint8 valueDecimals;
        bool isRevoked;
        uint64 responses;
        uint64 givenAt; // Unix seconds
        bytes32 interactionId;
        string tag1;
        string tag2;
    }

    /// @notice Feedback that a client has given about an agent: the indexes 1 to count.
    struct FeedbackCount {
        uint64 count;
    }

    /// @notice That an interaction has been rated.
    struct Rating {
        uint64 feedbackIndex; // of its caller's feedback about its callee
    }

    /// @notice Responses of one responder to one feedback.
    struct ResponseCount {
        uint64 count;
    }

    /// @notice Length of one of the lists of the registries: the entries 1 to count.
    struct ListCount {
        uint64 count;
    }

    /// @notice Entry of such a list: a client's address as a word, or the hash of a request.
    struct ListEntry {
        bytes32 item;
    }

    /// @notice ERC-8004 validation request, and its last answer.
    struct Validation {
        address validator;
        address agent;
        bool answered;
        uint8 response; // 0 to 100
        uint64 lastUpdate; // Unix seconds
        bytes32 responseHash;
        string tag;
    }

    /// @notice Counters of /global/, written once a block at SEAL.
    struct Totals {
        uint64 agents;
        uint64 interactions;
        uint256 volumeWei;
        uint64 messageNonce;
        uint64 channels; // opened so far
        uint256 burnedWei; // of slashed stakes: taken from their owners, given to nobody
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
        uint32 commitWindowSeconds; // longest time from commit to reveal
        // History.
        uint32 recentSeconds; // a settled interaction keeps its own record for so long
        uint32 prunesPerBlock; // interactions that one block moves into the history
        // Outside of L2.
        address feeRecipient; // L1 address that gets what the fee vaults hold
        address disputeResolver; // L1 address, beside governance, whose deposits resolve disputes; a contract's is aliased
        address agentPassport; // alias of L1's AgentPassport, whose deposits import agents; 0: nothing is imported
    }

    function account() external view returns (Account memory);
    function agent() external view returns (Agent memory);
    function agentURI() external view returns (AgentURI memory);
    function metadata() external view returns (Metadata memory);
    function capability() external view returns (Capability memory);
    function capabilityDetail() external view returns (CapabilityDetail memory);
    function reputation() external view returns (Reputation memory);
    function pair() external view returns (Pair memory);
    function delegation() external view returns (Delegation memory);
    function wallet() external view returns (Wallet memory);
    function holding() external view returns (Holding memory);
    function session() external view returns (Session memory);
    function interaction() external view returns (Interaction memory);
    function channel() external view returns (Channel memory);
    function channelPair() external view returns (ChannelPair memory);
    function composition() external view returns (Composition memory);
    function constituent() external view returns (Constituent memory);
    function deadline() external view returns (Deadline memory);
    function history() external view returns (History memory);
    function dispute() external view returns (Dispute memory);
    function foreign() external view returns (Foreign memory);
    function indexSlot() external view returns (IndexSlot memory);
    function indexCount() external view returns (IndexCount memory);
    function commitment() external view returns (Commitment memory);
    function feedback() external view returns (Feedback memory);
    function feedbackCount() external view returns (FeedbackCount memory);
    function rating() external view returns (Rating memory);
    function responseCount() external view returns (ResponseCount memory);
    function listCount() external view returns (ListCount memory);
    function listEntry() external view returns (ListEntry memory);
    function validation() external view returns (Validation memory);
    function totals() external view returns (Totals memory);
    function l1Info() external view returns (L1Info memory);
    function params() external view returns (Params memory);
    function policy() external view returns (Policy memory);
}
