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

    // -------------------------------------------------------------------------------------------- identity and delegation

    /// @notice Executes `operation` as `agent`. The caller is the agent's owner, or a key that the agent has authorised. It pays
    ///         the fee; `valueWei` is the operation's value and comes from the agent's balance.
    /// @param agent      whom to act for; another account than the caller.
    /// @param valueWei   wei from the agent's balance; counts against the key's spend limit. 0 unless the operation takes value.
    /// @param operation  calldata of an operation of this interface other than actFor and registerFor.
    function actFor(address agent, uint256 valueWei, bytes calldata operation) external;

    /// @notice REGISTER of a further agent of the caller: its address is the last 20 bytes of
    ///         keccak256(abi.encode(caller, index)), and only the caller and keys act for it. `msg.value` is its stake. The other
    ///         arguments are those of register. An agent that was registered once registers again through actFor.
    /// @param index         the caller's choice.
    /// @param name          1 to 64 bytes.
    /// @param version       at most 32 bytes.
    /// @param agentURI      ERC-8004 registration file; at most 512 bytes.
    /// @param imageDigest   digest of the container image that answers; 0 if undeclared.
    /// @param capabilities  at most 16 in one call, distinct names.
    /// @param metadata      at most 16 entries, distinct keys.
    function registerFor(
        uint64 index,
        string calldata name,
        string calldata version,
        string calldata agentURI,
        bytes32 imageDigest,
        Capability[] calldata capabilities,
        MetadataEntry[] calldata metadata
    )
        external
        payable;

    /// @notice Lets a key act for the caller, an active agent, or changes how; what it has spent starts again from 0.
    /// @param key            account that may call actFor and sign attestations for the agent.
    /// @param expiry         last second at which it may; not in the past.
    /// @param spendLimitWei  sum of the values that it may take from the agent's balance.
    /// @param operations     selectors that it may execute, at most 16; empty: all that are not the owner's.
    /// @param capabilities   capabilities that it may invoke and attest, at most 16; empty: all. If not empty, the key executes
    ///                       nothing else than invoke and respond unless `operations` lists it.
    function authorizeKey(
        address key,
        uint64 expiry,
        uint256 spendLimitWei,
        bytes4[] calldata operations,
        bytes32[] calldata capabilities
    )
        external;

    /// @notice Ends a key of the caller.
    function revokeKey(address key) external;

    /// @notice Gives the caller, an active agent, a new owner. Only the new owner and keys that it authorises act for the agent
    ///         from then on: earlier keys and the agent's wallet are void. If `newOwner` is the agent itself, its own key acts.
    /// @param newOwner  not the present owner, not 0.
    function transferOwnership(address newOwner) external;

    /// @notice New ERC-8004 registration file of the caller, an active agent; at most 512 bytes; empty: none.
    function setAgentURI(string calldata agentURI) external;

    /// @notice One entry of the metadata of the caller, an active agent.
    /// @param key    1 to 32 bytes, not "agentWallet".
    /// @param value  at most 256 bytes; empty: the entry is deleted.
    function setMetadata(string calldata key, bytes calldata value) external;

    /// @notice ERC-8004's agentWallet of the caller, an active agent: where it wants to be paid. A transfer of ownership clears it.
    /// @param wallet     the account; 0: none.
    /// @param deadline   Unix seconds; not in the past, and at most 300 s ahead. 0 for wallet 0.
    /// @param signature  65-byte r‖s‖v EIP-712 signature by the wallet over AgentWalletSet(agentId, newWallet, owner, deadline) in the
    ///                   domain of the ERC-8004 Identity registry; empty for wallet 0.
    function setAgentWallet(address wallet, uint64 deadline, bytes calldata signature) external;

    /// @notice Pays `msg.value` to an account: the plain transfer of those who act for an agent.
    /// @param to  not this address and not the message passer.
    function pay(address to) external payable;

    /// @notice Opens a session of the caller, an active agent, with a peer: what their INVOKEs can refer to. Informative.
    /// @param salt         caller's choice; id = keccak256(abi.encode(caller, salt)).
    /// @param peer         another account than the caller.
    /// @param contextHash  keccak256 of the shared context.
    /// @param expiry       when the session ends unless it is closed earlier; in the future.
    function openSession(bytes32 salt, address peer, bytes32 contextHash, uint64 expiry) external returns (bytes32 id);

    /// @notice Closes a session that the caller has opened or is the peer of.
    /// @param id           the session.
    /// @param contextHash  keccak256 of the shared context at its end.
    function closeSession(bytes32 id, bytes32 contextHash) external;

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
    ///                       by the callee's owner or a session key over Attestation(id, paramsHash, resultHash, status, executionMs, timestampMs,
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

    // --------------------------------------------------------------------------------------------------------- views
    // Answered by eth_call from the records of the block asked for; never part of a transaction.

    struct AgentView {
        AgentStatus status;
        address owner;
        address wallet; // ERC-8004's agentWallet; 0: none
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

    /// @notice What a key may do for an agent; `active` is whether it acts now.
    struct KeyView {
        bool active;
        uint64 expiry;
        uint256 spendLimitWei;
        uint256 spentWei;
        bytes4[] operations;
        bytes32[] capabilities;
    }

    struct SessionView {
        address agent;
        address peer;
        bytes32 contextHash;
        uint64 openedAt;
        uint64 expiry;
        uint64 closedAt;
    }

    /// @notice The agent; status None if there is none.
    function getAgent(address agent) external view returns (AgentView memory);

    /// @notice One capability of an agent; reverts with CapabilityUnknown if it is not offered now.
    function getCapability(address agent, bytes32 capability) external view returns (Capability memory);

    /// @notice Counters and the score (1/10000) derived from them at the block's timestamp.
    function getReputation(address agent) external view returns (ReputationView memory);

    /// @notice The interaction; status None if there is none.
    function getInteraction(bytes32 id) external view returns (InteractionView memory);

    /// @notice The key; all zeros if the agent never authorised it or has revoked it.
    function getKey(address agent, address key) external view returns (KeyView memory);

    /// @notice The session; all zeros if there is none.
    function getSession(bytes32 id) external view returns (SessionView memory);

    /// @notice Address of the agent that `owner` registers with registerFor(index, …).
    function agentOf(address owner, uint64 index) external pure returns (address);

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
    event ActedFor(address indexed agent, address indexed actor, bytes4 operation, uint256 valueWei);
    event KeyAuthorized(
        address indexed agent,
        address indexed key,
        uint64 expiry,
        uint256 spendLimitWei,
        bytes4[] operations,
        bytes32[] capabilities
    );
    event KeyRevoked(address indexed agent, address indexed key);
    event OwnershipTransferred(address indexed agent, address indexed previousOwner, address indexed newOwner);
    event AgentURISet(address indexed agent, string agentURI);
    event AgentWalletSet(address indexed agent, address indexed wallet);
    event Paid(address indexed from, address indexed to, uint256 amountWei);
    event SessionOpened(
        bytes32 indexed id, address indexed agent, address indexed peer, bytes32 contextHash, uint64 expiry
    );
    event SessionClosed(bytes32 indexed id, address indexed agent, address indexed peer, bytes32 contextHash);
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

    /// @notice The account's own key does not act for it: its owner and its session keys do.
    error AccountDelegated(address account);
    /// @notice The sender is neither the agent's owner nor a key that the present owner lets act.
    error NotAuthorized(address agent, address sender);
    error KeyExpired(address key, uint64 expiry);
    /// @notice The key may not execute this operation for the agent.
    error OperationNotAllowed(address key, bytes4 operation);
    error CapabilityNotAllowed(address key, bytes32 capability);
    error SpendLimitExceeded(address key, uint256 spentWei, uint256 valueWei, uint256 spendLimitWei);
    error KeyUnknown(address agent, address key);
    error BadWalletSignature(address recovered, address wallet);
    error DuplicateSession(bytes32 id);
    error SessionUnknown(bytes32 id);
    error SessionIsClosed(bytes32 id, uint64 closedAt);
    error NotParty(bytes32 id, address sender);

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
}
