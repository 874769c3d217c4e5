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
        TimedOut,
        Tentative,
        Opened,
        Reverted
    }

    /// @notice Life of a composition. Committed, Reverted and Settled are final.
    enum CompositionStatus {
        None,
        Active,
        Committed,
        Reverted,
        Settled
    }

    /// @notice State of one constituent of a composition.
    enum ConstituentStatus {
        Waiting,
        Pending,
        Done,
        Skipped,
        Failed,
        Settled
    }

    /// @notice When a constituent with a guard is invoked: by the branch that another one answered with.
    enum Guard {
        None,
        Equals,
        Differs
    }

    /// @notice A service that an agent sells.
    /// @param name               1 to 64 bytes; the capability's id is keccak256(bytes(name)).
    /// @param endpoint           where the sidecar can be reached off-chain; at most 256 bytes; informative.
    /// @param inputSchemaHash    keccak256 of the JSON Schema that params satisfy; 0 if undeclared.
    /// @param outputSchemaHash   keccak256 of the JSON Schema that results satisfy; 0 if undeclared.
    /// @param priceWei           wei that an INVOKE must escrow at least.
    /// @param latencyMsP99       declared 99th percentile of the time to answer, in milliseconds.
    /// @param class              cost class.
    struct Capability {
        string name;
        string endpoint;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
        uint256 priceWei;
        uint32 latencyMsP99;
        CapabilityClass class;
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

    /// @notice One call of a composition.
    /// @param callee         an active agent; neither the initiator nor another constituent's callee.
    /// @param capability     keccak256 of the capability's name.
    /// @param template       keccak256 of what the callee gets beside its dependencies' results.
    /// @param paymentWei     wei for each iteration; at least the capability's price, below 2^128.
    /// @param ttlSeconds     time to answer, from activation, within the chain's minimum and maximum.
    /// @param lengthBytes    length of the template's payload; priced as data.
    /// @param dependsOn      bit mask of the constituents, of lower index, whose results it needs.
    /// @param guard          whether it runs only on a branch.
    /// @param guardOn        index of the constituent whose answer decides; one that it depends on.
    /// @param guardBranch    branch with which that answer is compared.
    /// @param loopFrom       if it ends a loop: index of the loop's first constituent.
    /// @param maxIterations  0: it ends no loop; else 2 to 16, how often the loop runs at most.
    /// @param loopBranch     the loop runs again while this constituent answers with this branch.
    struct ConstituentSpec {
        address callee;
        bytes32 capability;
        bytes32 template;
        uint256 paymentWei;
        uint32 ttlSeconds;
        uint32 lengthBytes;
        uint32 dependsOn;
        Guard guard;
        uint8 guardOn;
        uint16 guardBranch;
        uint8 loopFrom;
        uint8 maxIterations;
        uint32 loopBranch;
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

    /// @notice COMPOSE: escrows `msg.value` for a graph of calls, each invoked by the protocol when what it depends on is
    ///         there. id = keccak256(abi.encode(initiator, keccak256("composition"), salt)).
    /// @param salt          initiator's choice; an id can be used once.
    /// @param atomic        all constituents are paid or none; their results stay committed to until all have answered.
    /// @param ttlSeconds    time for the whole; at least what the longest path needs, loops unrolled.
    /// @param constituents  1 to 20; `msg.value` is the sum of their payments, of a loop's times its iterations.
    /// @return id           id of the composition.
    function compose(
        bytes32 salt,
        bool atomic,
        uint32 ttlSeconds,
        ConstituentSpec[] calldata constituents
    )
        external
        payable
        returns (bytes32 id);

    /// @notice Opens the commitment that `respond` carried in an atomic composition: keccak256(abi.encode(resultHash, salt)).
    ///         A constituent that others depend on is opened before its deadline; any other after the commit, which pays it.
    /// @param id          the constituent's interaction.
    /// @param resultHash  keccak256 of the result payload; not 0.
    /// @param branch      value that guards and loops read.
    /// @param salt        callee's choice.
    function openResult(bytes32 id, bytes32 resultHash, uint32 branch, bytes32 salt) external;

    /// @notice CANCEL: withdraws what no response is expected to meet any more. The id of a composition: its initiator ends
    ///         it. The id of a constituent's interaction: its callee reverts an atomic composition before it commits.
    ///         The id of an INVOKE: its caller shortens the deadline if the callee has deregistered.
    /// @param id  a composition or an interaction.
    function cancel(bytes32 id) external;

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
        uint64 aborts;
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

    struct ConstituentView {
        ConstituentStatus status;
        address callee;
        bytes32 capability;
        bytes32 template;
        uint256 paymentWei;
        uint32 ttlSeconds;
        uint32 dependsOn;
        Guard guard;
        uint8 guardOn;
        uint16 guardBranch;
        uint8 loopFrom;
        uint8 maxIterations;
        uint32 loopBranch;
        uint8 iteration;
        bytes32 interactionId;
        bytes32 resultHash;
        uint32 branch;
    }

    struct CompositionView {
        CompositionStatus status;
        address initiator;
        bool atomic;
        uint64 createdAt;
        uint64 deadline;
        uint64 settledAt;
        uint256 escrowWei;
        uint256 owedWei;
        address culprit;
        ConstituentView[] constituents;
    }

    /// @notice The composition; status None if there is none. Results and branches of an atomic one are 0 unless it is
    ///         committed.
    function getComposition(bytes32 id) external view returns (CompositionView memory);

    /// @notice id of the composition that `initiator` makes with `salt`.
    function compositionId(address initiator, bytes32 salt) external pure returns (bytes32);

    /// @notice The agent; status None if there is none.
    function getAgent(address agent) external view returns (AgentView memory);

    /// @notice One capability of an agent; reverts with CapabilityUnknown if it is not offered now.
    function getCapability(address agent, bytes32 capability) external view returns (Capability memory);

    /// @notice Counters and the score (1/10000) derived from them at the block's timestamp.
    function getReputation(address agent) external view returns (ReputationView memory);

    /// @notice The interaction; status None if there is none.
    function getInteraction(bytes32 id) external view returns (InteractionView memory);

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

    event Composed(
        bytes32 indexed id, address indexed initiator, bool atomic, uint8 count, uint256 totalWei, uint64 deadline
    );
    event ConstituentAnswered(
        bytes32 indexed id, address indexed caller, address indexed callee, bytes32 compositionId, ResponseStatus status
    );
    event ConstituentOpened(bytes32 indexed id, address indexed caller, address indexed callee, bytes32 compositionId);
    event CompositionEnded(bytes32 indexed id, address indexed initiator, CompositionStatus status, address culprit);
    event CompositionRefunded(bytes32 indexed id, address indexed initiator, uint256 refundedWei);
    event CompositionCancelled(bytes32 indexed id, address indexed by);
    event InvokeCancelled(bytes32 indexed id, address indexed caller, address indexed callee, uint64 deadline);

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

    error InteractionUnknown(bytes32 id);
    error InteractionSettled(bytes32 id, InteractionStatus status);
    error InteractionExpired(bytes32 id, uint64 deadline);
    error NotCallee(address sender, address callee);
    error ResultHashInvalid(bytes32 resultHash, ResponseStatus status);
    error BadAttestation(address recovered, address callee);

    /// @notice Constituent `index` of a COMPOSE breaks a rule of the graph; `rule` names it (docs/spec/operations/compose.md).
    error BadConstituent(uint32 index, string rule);
    error CompositionTotalMismatch(uint256 totalWei, uint256 valueWei);
    error CompositionTooShort(uint32 ttlSeconds, uint32 neededSeconds);
    error DuplicateComposition(bytes32 id);
    error CompositionUnknown(bytes32 id);
    error CompositionFinal(bytes32 id, CompositionStatus status);
    error CompositionNotCommitted(bytes32 id, CompositionStatus status);
    error CompositionExpired(bytes32 id, uint64 deadline);
    error NothingToOpen(bytes32 id, InteractionStatus status);
    error BadOpening(bytes32 id, bytes32 commitment);
    error NotCaller(address sender, address caller);
    error NotCancellable(bytes32 id);
}
