// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IAGNT2
/// @notice The typed operations of the AGNT2 engine, answered natively at 0x42000000000000000000000000000000000A6E72.
///         There is no bytecode behind that address: a transaction to it is decoded as exactly one of the functions
///         below, in canonical ABI encoding, and executed as a sequence of micro-steps.
/// @dev Amounts are wei of AGNT, the L2's native token. Times are Unix seconds of the L2 block timestamp unless the name
///      says otherwise. `msg.value` below is the transaction's value; `caller` is its sender (or the L1 depositor of a
///      forced operation). Operations, records and rules: AGNT2 paper App. A, B and D; docs/spec.
///      This file is the single source of selectors, events and errors: the Go bindings are generated from it.
interface IAGNT2 {
    // ------------------------------------------------------------------------------------------------------------ types

    /// @notice Cost class of a capability (paper App. A.3), from a lightweight query to heavyweight inference.
    enum CapabilityClass {
        Query,
        Compute,
        Generation,
        Inference
    }

    /// @notice What a callee answers with (paper App. B.3 and B.8).
    enum ResponseStatus {
        OK,
        ERROR,
        TIMEOUT_GRACEFUL,
        PARSE_FAILURE,
        REJECTED
    }

    /// @notice Life of an agent record.
    enum AgentStatus {
        None,
        Active,
        Deregistered
    }

    /// @notice Life of an interaction record. Everything but Pending is final.
    enum InteractionStatus {
        None,
        Pending,
        Completed,
        Errored,
        TimedOutGracefully,
        ParseFailed,
        Rejected,
        TimedOut
    }

    /// @notice A service that an agent sells.
    /// @param name               1 to 64 bytes; the capability's id is keccak256(bytes(name)).
    /// @param endpoint           where the sidecar can be reached off-chain; at most 256 bytes; informative.
    /// @param inputSchemaHash    keccak256 of the JSON Schema that params satisfy; 0 if undeclared.
    /// @param outputSchemaHash   keccak256 of the JSON Schema that results satisfy; 0 if undeclared.
    /// @param priceWei           wei that an INVOKE must escrow at least.
    /// @param latencyMsP99       declared 99th percentile of the time to answer, in milliseconds.
    /// @param class              cost class.
    /// @param commitRequired     only a reveal of an earlier commit may invoke it (paper App. F.1).
    struct Capability {
        string name;
        string endpoint;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
        uint256 priceWei;
        uint32 latencyMsP99;
        CapabilityClass class;
        bool commitRequired;
    }

    /// @notice ERC-8004 style metadata.
    /// @param key    1 to 32 bytes.
    /// @param value  at most 256 bytes.
    struct MetadataEntry {
        string key;
        bytes value;
    }

    /// @notice Where a payload can be fetched (paper §4.5: only 32-byte hashes go on-chain).
    /// @param contentHash  keccak256 of the payload; must equal the operation's paramsHash or resultHash.
    /// @param lengthBytes  length of the payload; priced as data (paper App. A.3).
    /// @param backend      DA backend: 0 none, 1 local DA server, 2 EigenDA, 3 go-da (Celestia and others).
    /// @param locator      backend-specific 32-byte locator; 0 for the local DA server (the content hash is enough).
    struct DAPointer {
        bytes32 contentHash;
        uint32 lengthBytes;
        uint8 backend;
        bytes32 locator;
    }

    /// @notice What discoverInvoke accepts of a provider.
    /// @param maxPriceWei       1 to 2^128 - 1.
    /// @param maxLatencyMs      not 0; bounds latencyMsP99.
    /// @param minReputation     least score, in 1/10000.
    /// @param inputSchemaHash   the capability's, or 0 for any.
    /// @param outputSchemaHash  the capability's, or 0 for any.
    struct ProviderFilter {
        uint256 maxPriceWei;
        uint32 maxLatencyMs;
        uint16 minReputation;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
    }

    // ------------------------------------------------------------------------------------------------- agent lifecycle

    /// @notice REGISTER: makes the caller an agent; `msg.value` is its stake. A deregistered agent may register again,
    ///         with its reputation and remaining stake kept and its old capabilities gone.
    /// @param name          1 to 64 bytes.
    /// @param version       at most 32 bytes.
    /// @param agentURI      ERC-8004 registration file; at most 512 bytes.
    /// @param imageDigest   digest of the container image that answers; 0 if undeclared.
    /// @param capabilities  at most 16 in one call, distinct names.
    /// @param metadata      at most 16 entries, distinct keys.
    function register(
        string calldata name,
        string calldata version,
        string calldata agentURI,
        bytes32 imageDigest,
        Capability[] calldata capabilities,
        MetadataEntry[] calldata metadata
    )
        external
        payable;

    /// @notice New name, version, image digest; reputation survives.
    function updateAgent(string calldata name, string calldata version, bytes32 imageDigest) external;

    /// @notice Adds or replaces `upserts`, then removes `removals` (capability ids); at most 16 of each.
    function updateCapabilities(Capability[] calldata upserts, bytes32[] calldata removals) external;

    /// @notice Adds `msg.value` (not 0) to the caller's stake.
    function topUpStake() external payable;

    /// @notice Removes the caller from discovery and from new INVOKEs at once. Always possible for an active agent;
    ///         pending INVOKEs can still be answered. Starts the stake cooldown.
    function deregister() external;

    /// @notice Pays the whole stake to the caller once the cooldown after `deregister` has passed.
    function withdrawStake() external;

    /// @notice Liveness only; reputation and decay are untouched.
    function heartbeat() external;

    // -------------------------------------------------------------------------------------------------- interactions

    /// @notice INVOKE: escrows `msg.value` for a call of `capability` of `callee`.
    ///         id = keccak256(abi.encode(caller, salt)); deadline = block timestamp + ttlSeconds.
    /// @param salt           caller's choice; an id can be used once.
    /// @param callee         an active agent other than the caller.
    /// @param capability     keccak256 of the capability's name.
    /// @param paramsHash     keccak256 of the params payload.
    /// @param ttlSeconds     within the chain's minimum and maximum.
    /// @param maxPriceWei    the INVOKE fails if the capability's price is above it.
    /// @param sessionId      session that the call belongs to, or 0 (informative).
    /// @param compositionId  composition that the call belongs to, or 0 (informative).
    /// @param da             where the params can be fetched; contentHash must equal paramsHash.
    /// @return id            id of the interaction.
    function invoke(
        bytes32 salt,
        address callee,
        bytes32 capability,
        bytes32 paramsHash,
        uint32 ttlSeconds,
        uint256 maxPriceWei,
        bytes32 sessionId,
        bytes32 compositionId,
        DAPointer calldata da
    )
        external
        payable
        returns (bytes32 id);

    /// @notice RESPOND: settles a pending INVOKE. OK pays the callee and scores it; every other status refunds the
    ///         caller, with the penalty of docs/spec/operations/respond.md. Only the first response has an effect.
    /// @param id             the interaction.
    /// @param resultHash     keccak256 of the result payload; 0 exactly when status is not OK.
    /// @param status         outcome.
    /// @param branch         value that guards of a composition can read.
    /// @param executionMs    claimed duration in milliseconds; never scored.
    /// @param timestampMs    claimed completion time, Unix milliseconds; never scored.
    /// @param da             where the result can be fetched; contentHash must equal resultHash.
    /// @param attestation    empty (then the transaction's own signature attests), or a 65-byte r‖s‖v EIP-712 signature
    ///                       by the callee over Attestation(id, paramsHash, resultHash, status, executionMs, timestampMs,
    ///                       imageDigest).
    function respond(
        bytes32 id,
        bytes32 resultHash,
        ResponseStatus status,
        uint32 branch,
        uint64 executionMs,
        uint64 timestampMs,
        DAPointer calldata da,
        bytes calldata attestation
    )
        external;

    // ---------------------------------------------------------------------------------------------------------- market

    /// @notice DISCOVER as a transaction: looks at up to 32 slots of the capability's index, from one that the interaction's
    ///         id chooses, and invokes the provider with the most points (docs/spec/operations/discoverInvoke.md). `msg.value`
    ///         is the payment; providers that ask more are passed over. What follows is an INVOKE of that provider.
    /// @param salt           caller's choice; an id can be used once.
    /// @param capability     keccak256 of the capability's name.
    /// @param paramsHash     keccak256 of the params payload.
    /// @param ttlSeconds     within the chain's minimum and maximum.
    /// @param filter         what a provider must satisfy.
    /// @param sessionId      session that the call belongs to, or 0 (informative).
    /// @param compositionId  composition that the call belongs to, or 0 (informative).
    /// @param da             where the params can be fetched; contentHash must equal paramsHash.
    /// @return id            id of the interaction.
    function discoverInvoke(
        bytes32 salt,
        bytes32 capability,
        bytes32 paramsHash,
        uint32 ttlSeconds,
        ProviderFilter calldata filter,
        bytes32 sessionId,
        bytes32 compositionId,
        DAPointer calldata da
    )
        external
        payable
        returns (bytes32 id);

    /// @notice Takes an entry out of a capability's index whose agent does not offer the capability any more. Anyone may.
    /// @param capability  keccak256 of the capability's name.
    /// @param slot        1 to the number of entries.
    function reclaimSlot(bytes32 capability, uint32 slot) external;

    /// @notice First half of a commit–reveal INVOKE (paper App. F.1): `msg.value` is a deposit that `reveal` returns.
    /// @param commitment  keccak256(abi.encode(chain id, caller, commitSalt, keccak256(invokeData))), where invokeData is the
    ///                    calldata of `invoke`, selector included, with the arguments that `reveal` is going to have.
    function commit(bytes32 commitment) external payable;

    /// @notice Second half: an INVOKE with `msg.value` as its payment, at least two blocks after the commit and before its
    ///         deadline. If the callee does not offer the capability for maxPriceWei any more, the reveal succeeds without an
    ///         interaction, and payment and deposit are returned.
    /// @param commitSalt  the commitment's salt; the other arguments are those of `invoke`.
    /// @return id         id of the interaction.
    function reveal(
        bytes32 commitSalt,
        bytes32 salt,
        address callee,
        bytes32 capability,
        bytes32 paramsHash,
        uint32 ttlSeconds,
        uint256 maxPriceWei,
        bytes32 sessionId,
        bytes32 compositionId,
        DAPointer calldata da
    )
        external
        payable
        returns (bytes32 id);

    // --------------------------------------------------------------------------------------------------------- views
    // Answered by eth_call from the records of the block asked for; never part of a transaction.

    struct AgentView {
        AgentStatus status;
        address owner;
        uint64 registeredAt;
        uint64 deregisteredAt;
        uint64 lastHeartbeat;
        uint32 capabilityCount;
        uint256 stakeWei;
        uint256 escrowedWei;
        uint32 pendingInvokes;
        bytes32 imageDigest;
        string name;
        string version;
        string agentURI;
    }

    struct ReputationView {
        uint256 score;
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
        uint64 lastActiveAt;
        uint256 sumOfSquares;
        uint64 scoredCompleted;
        uint64 scoredCallers;
        bool frozen;
    }

    /// @notice What `discover` looks for. 0 in a limit or a hash: any.
    /// @param slot   first slot of the capability's index to look at, from 1; 0 is 1.
    /// @param slots  how many slots to look at, at most 1024; 0 is 1024.
    struct DiscoverQuery {
        bytes32 capability;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
        uint256 minPriceWei;
        uint256 maxPriceWei;
        uint32 maxLatencyMs;
        uint16 minReputation;
        uint32 slot;
        uint32 slots;
    }

    /// @notice An agent that offers a capability.
    /// @param points  what discoverInvoke compares; providers with more come first. Limits of 0 give no points.
    struct Provider {
        address agent;
        uint32 slot;
        uint256 priceWei;
        uint32 latencyMsP99;
        CapabilityClass class;
        bool commitRequired;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
        string endpoint;
        uint16 score;
        uint64 points;
    }

    struct CommitmentView {
        uint256 depositWei;
        uint64 revealableFrom;
        uint64 deadline;
    }

    struct InteractionView {
        InteractionStatus status;
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

    /// @notice The agent; status None if there is none.
    function getAgent(address agent) external view returns (AgentView memory);

    /// @notice One capability of an agent; reverts with CapabilityUnknown if it is not offered now.
    function getCapability(address agent, bytes32 capability) external view returns (Capability memory);

    /// @notice Counters and the score (1/10000) derived from them at the block's timestamp.
    function getReputation(address agent) external view returns (ReputationView memory);

    /// @notice The interaction; status None if there is none.
    function getInteraction(bytes32 id) external view returns (InteractionView memory);

    /// @notice Providers in a window of slots that match, best first.
    /// @return providers  those that match.
    /// @return next       first slot after the window; 0 if the index ends in it.
    function discover(DiscoverQuery calldata query) external view returns (Provider[] memory providers, uint32 next);

    /// @notice A commitment that can still be revealed or is not swept yet; zeros if there is none.
    function getCommitment(address caller, bytes32 commitment) external view returns (CommitmentView memory);

    /// @notice id of the INVOKE that `caller` makes with `salt`.
    function interactionId(address caller, bytes32 salt) external pure returns (bytes32);

    // -------------------------------------------------------------------------------------------------------- events

    event AgentRegistered(
        address indexed agent, uint256 stakeWei, bytes32 imageDigest, string name, string version, string agentURI
    );
    event AgentUpdated(address indexed agent, bytes32 imageDigest, string name, string version);
    event CapabilityUpdated(
        address indexed agent,
        bytes32 indexed capability,
        uint256 priceWei,
        uint32 latencyMsP99,
        CapabilityClass class,
        bool commitRequired,
        string name
    );
    event CapabilityRemoved(address indexed agent, bytes32 indexed capability);
    event MetadataSet(
        address indexed agent, string indexed indexedMetadataKey, string metadataKey, bytes metadataValue
    );
    event StakeAdded(address indexed agent, uint256 amountWei, uint256 stakeWei);
    event AgentDeregistered(address indexed agent, uint64 withdrawableAt);
    event StakeWithdrawn(address indexed agent, uint256 amountWei);
    event Heartbeat(address indexed agent, uint64 timestamp);
    event Invoked(
        bytes32 indexed id,
        address indexed caller,
        address indexed callee,
        bytes32 capability,
        bytes32 paramsHash,
        uint256 paymentWei,
        uint64 deadline,
        bytes32 sessionId,
        bytes32 compositionId,
        DAPointer da
    );
    event Responded(
        bytes32 indexed id,
        address indexed caller,
        address indexed callee,
        ResponseStatus status,
        bytes32 resultHash,
        uint32 branch,
        uint64 executionMs,
        uint64 timestampMs,
        uint256 paidWei,
        uint256 refundedWei,
        DAPointer da
    );
    event TimedOut(bytes32 indexed id, address indexed caller, address indexed callee, uint256 refundedWei);
    event SlotReclaimed(address indexed agent, bytes32 indexed capability, uint32 slot);
    event Committed(
        address indexed caller, bytes32 indexed commitment, uint256 depositWei, uint64 revealableFrom, uint64 deadline
    );
    event Revealed(address indexed caller, bytes32 indexed commitment, uint256 depositWei);
    event RevealRefunded(bytes32 indexed id, address indexed caller, address indexed callee, uint256 refundedWei);
    event CommitmentForfeited(address indexed caller, bytes32 indexed commitment, uint256 depositWei);

    // -------------------------------------------------------------------------------------------------------- errors

    /// @notice The calldata's selector is none of the operations above.
    error UnknownOperation(bytes4 selector);
    /// @notice The calldata is not the canonical ABI encoding of the operation's arguments.
    error MalformedCalldata();
    /// @notice The gas limit is below what the operation needs.
    error OutOfGas(uint64 neededGas, uint64 gasLimit);
    /// @notice The sender cannot cover the transaction's value on top of its fee.
    error InsufficientBalance(uint256 balanceWei, uint256 neededWei);
    /// @notice The operation takes no value.
    error ValueNotAccepted();
    /// @notice A string, list or number is outside its range; `field` is the argument's name.
    error FieldOutOfRange(string field);
    /// @notice Transactions with data can only be sent to addresses that the engine answers.
    error NoCodeAtTarget(address target);
    /// @notice There is no bytecode on this chain; nothing can be deployed.
    error ContractCreationUnsupported();

    error StakeBelowMinimum(uint256 stakeWei, uint256 minimumWei);
    error AlreadyRegistered(address agent);
    error NotRegistered(address agent);
    error TooManyCapabilities(uint256 count, uint256 maximum);
    error CooldownActive(uint64 withdrawableAt);
    error NothingToWithdraw(address agent);

    error SelfInvocation(address agent);
    error CalleeUnknown(address callee);
    error CalleeInactive(address callee);
    error CapabilityUnknown(address callee, bytes32 capability);
    error PriceAboveMaximum(uint256 priceWei, uint256 maxPriceWei);
    error PaymentBelowPrice(uint256 paymentWei, uint256 priceWei);
    error TtlOutOfBounds(uint32 ttlSeconds, uint32 minimum, uint32 maximum);
    error DuplicateInteraction(bytes32 id);
    error TooManyPendingInvokes(uint32 pending, uint32 maximum);
    error DACommitmentMismatch(bytes32 expected, bytes32 contentHash);
    /// @notice The caller invokes faster than its rate bucket refills; retry in a block with this timestamp.
    error RateLimited(uint64 retryAt);
    /// @notice The callee has a history, and answers too few of its calls.
    error CalleeIneligible(address callee, uint256 reliability, uint256 minimum);
    /// @notice The capability can only be invoked by a reveal.
    error CommitRequired(address callee, bytes32 capability);

    /// @notice None of the scanned providers satisfies the filter.
    error NoProviderMatches(bytes32 capability, uint32 scanned);
    error SlotUnknown(bytes32 capability, uint32 slot);
    /// @notice The agent of the slot offers the capability.
    error SlotInUse(address agent, bytes32 capability);

    error DepositBelowMinimum(uint256 depositWei, uint256 minimumWei);
    error DuplicateCommitment(bytes32 commitment);
    error CommitmentUnknown(bytes32 commitment);
    /// @notice The first block in which the commitment may be revealed.
    error RevealTooEarly(uint64 revealableFrom);
    error RevealTooLate(uint64 deadline);

    error InteractionUnknown(bytes32 id);
    error InteractionSettled(bytes32 id, InteractionStatus status);
    error InteractionExpired(bytes32 id, uint64 deadline);
    error NotCallee(address sender, address callee);
    error ResultHashInvalid(bytes32 resultHash, ResponseStatus status);
    error BadAttestation(address recovered, address callee);
}
