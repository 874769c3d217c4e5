// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IRecords } from "./IRecords.sol";

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

    /// @notice What a dispute is about (paper App. A.1). Stale states of channels are not disputed here.
    enum DisputeKind {
        STALE_STATE,
        COMPUTATIONAL,
        QUALITATIVE
    }

    /// @notice How a dispute ended: for the claimant, for the agent, or by its window's end.
    enum DisputeOutcome {
        Open,
        Upheld,
        Rejected,
        Lapsed
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

    /// @notice Life of a channel record (paper §4.3, App. B.9). Closed is final.
    enum ChannelStatus {
        None,
        Open,
        Closing,
        Closed
    }

    /// @notice What both agents sign to open a channel between them, or to add to the one that they have:
    ///         EIP-712 `ChannelTerms`, docs/reference/eip712/channel.json.
    /// @param agentA            the party with the lower address; an active agent.
    /// @param agentB            the party with the higher address; an active agent.
    /// @param depositA          wei taken from agentA's balance; depositA + depositB is not 0.
    /// @param depositB          wei taken from agentB's balance.
    /// @param ttlSeconds        1 to Policy.maxChannelTtlSeconds; then the channel closes by itself.
    /// @param maxInteractions   at least 1; no state with a higher count is accepted.
    /// @param heartbeatSeconds  1 to ttlSeconds; silence after which a sidecar takes its peer for gone. The chain only keeps it.
    /// @param initiator         agentA or agentB: who proposes. Each numbers its proposals to the other by itself, so that
    ///                          two that cross are both valid.
    /// @param nonce             how many of the initiator's proposals to the other have been accepted so far.
    /// @param validUntil        Unix seconds; not accepted in a block after it.
    struct ChannelTerms {
        address agentA;
        address agentB;
        uint256 depositA;
        uint256 depositB;
        uint32 ttlSeconds;
        uint64 maxInteractions;
        uint32 heartbeatSeconds;
        address initiator;
        uint64 nonce;
        uint64 validUntil;
    }

    /// @notice What both agents sign after every interaction in a channel: EIP-712 `ChannelState`,
    ///         docs/reference/eip712/channel.json.
    /// @param channelId         the channel.
    /// @param nonce             rises with every state; 0 is the opening state, which nobody signs.
    /// @param balanceA          wei that agentA is owed; balanceA + balanceB = depositA + depositB.
    /// @param balanceB          wei that agentB is owed.
    /// @param depositA          wei of agentA that the state divides: at most what agentA has paid in. The rest is agentA's.
    /// @param depositB          the same of agentB.
    /// @param interactionCount  interactions in the channel so far.
    /// @param isFinal           the channel closes with this state at once.
    struct ChannelState {
        bytes32 channelId;
        uint64 nonce;
        uint256 balanceA;
        uint256 balanceB;
        uint256 depositA;
        uint256 depositB;
        uint64 interactionCount;
        bool isFinal;
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

    // ------------------------------------------------------------------------------------------------------- channels
    // Signatures are 65 bytes r‖s‖v with v 27 or 28 and s not above half the curve's order.

    /// @notice OPEN_CHANNEL: takes the deposits from both balances and opens a channel; anyone may send it.
    ///         If the pair has an open channel, the deposits are added to that one (ChannelExists): they are kept apart until
    ///         a co-signed state includes them, and otherwise return to their owner when the channel closes.
    /// @param terms  what both have signed.
    /// @param sigA   signature of agentA.
    /// @param sigB   signature of agentB.
    /// @return id    keccak256(agentA ‖ agentB ‖ block number (8 bytes) ‖ earlier channels of the pair (8 bytes)).
    function openChannel(
        ChannelTerms calldata terms,
        bytes calldata sigA,
        bytes calldata sigB
    )
        external
        returns (bytes32 id);

    /// @notice CHECKPOINT: records a co-signed state of an open channel; anyone may send it.
    /// @param state  not final, nonce above the recorded one, at most 1,000 interactions more than it.
    /// @param sigA   signature of agentA.
    /// @param sigB   signature of agentB.
    function checkpoint(ChannelState calldata state, bytes calldata sigA, bytes calldata sigB) external;

    /// @notice CLOSE_CHANNEL. A final state pays both at once; anyone may send it. Another co-signed state, or none (state
    ///         all zeros but the id, no signatures: the recorded state stands), starts the window in which a newer state
    ///         replaces it, Policy.channelWindowSeconds; only a party may. In the window it replaces as disputeChannel does.
    /// @param state  nonce above the recorded one.
    /// @param sigA   signature of agentA, or empty.
    /// @param sigB   signature of agentB, or empty.
    function closeChannel(ChannelState calldata state, bytes calldata sigA, bytes calldata sigB) external;

    /// @notice STALE_STATE: answers a unilateral close with a newer co-signed state, which does not extend the window; anyone
    ///         may send it, so that a watchtower can.
    /// @param state  not final, nonce above the recorded one.
    /// @param sigA   signature of agentA.
    /// @param sigB   signature of agentB.
    function disputeChannel(ChannelState calldata state, bytes calldata sigA, bytes calldata sigB) external;

    /// @notice Reports that both agents have signed two different states with one nonce. Each loses the smaller of its stake
    ///         and Policy.doubleSignSlashWei; a tenth goes to the reporter, the rest is burned. The channel closes at once, with
    ///         the recorded state, or with the one before if the recorded one has that nonce.
    /// @param first        a state of a channel that is not closed.
    /// @param firstSigA    agentA's signature of it.
    /// @param firstSigB    agentB's signature of it.
    /// @param second       another one with the same channel and nonce.
    /// @param secondSigA   agentA's signature of it.
    /// @param secondSigB   agentB's signature of it.
    function reportDoubleSigning(
        ChannelState calldata first,
        bytes calldata firstSigA,
        bytes calldata firstSigB,
        ChannelState calldata second,
        bytes calldata secondSigA,
        bytes calldata secondSigB
    )
        external;

    // ------------------------------------------------------------------------------------------------------ disputes

    /// @notice DISPUTE: the caller of a settled interaction objects to it. `msg.value`, at least Policy.disputeBondWei, is the
    ///         bond. While the dispute is open the interaction keeps its record and the agent its stake. COMPUTATIONAL names
    ///         the L1 game that judges and waits for resolveDispute; QUALITATIVE is counted against the agent, not judged.
    ///         When the window ends unresolved, the bond returns less Policy.disputeFeeWei. One dispute for each interaction.
    /// @param kind          COMPUTATIONAL or QUALITATIVE.
    /// @param target        the interaction, settled and not yet in the history (disputePruned is for those that are).
    /// @param game          L1 address of the game that judges, exactly for COMPUTATIONAL.
    /// @param evidenceHash  keccak256 of the evidence.
    /// @param da            where the evidence can be fetched; contentHash must equal evidenceHash.
    function dispute(
        DisputeKind kind,
        bytes32 target,
        address game,
        bytes32 evidenceHash,
        DAPointer calldata da
    )
        external
        payable;

    /// @notice The same for an interaction that is in the history already, with the proof of agnt2_getHistoryProof: until
    ///         Policy.disputeWindowSeconds after it was settled. The interaction does not come back into the state; the dispute's
    ///         record stays until its deadline, whatever its outcome, so that nobody disputes twice.
    /// @param kind          COMPUTATIONAL or QUALITATIVE.
    /// @param target        the interaction.
    /// @param game          L1 address of the game, exactly for COMPUTATIONAL.
    /// @param evidenceHash  keccak256 of the evidence.
    /// @param da            where the evidence can be fetched; contentHash must equal evidenceHash.
    /// @param interaction   the record that it had when it left the state.
    /// @param index         its place among all interactions in the history.
    /// @param path          hashes from the leaf's sibling up to the peak's child, at most 63.
    function disputePruned(
        DisputeKind kind,
        bytes32 target,
        address game,
        bytes32 evidenceHash,
        DAPointer calldata da,
        IRecords.Interaction calldata interaction,
        uint64 index,
        bytes32[] calldata path
    )
        external
        payable;

    /// @notice Ends an open COMPUTATIONAL dispute. Only in a deposit of Policy.governance or Policy.disputeResolver. The winner
    ///         gets the bond, the loser's reputation a lost dispute.
    /// @param target  the interaction.
    /// @param upheld  whether the claimant was right.
    /// @param game    the game that has judged: the one that the dispute names.
    function resolveDispute(bytes32 target, bool upheld, address game) external;

    // --------------------------------------------------------------------------------------------------- portability

    /// @notice Records an agent of another AGNT2 chain as a finalised block there had it, under
    ///         foreignId(sourceChainId, 0x42…8004, agent). Only in a deposit of Policy.agentPassport, the AgentPassport of L1,
    ///         which has checked the proofs: NotPassport. Nothing else changes: to do business here the agent's owner registers
    ///         an agent here, with a stake here.
    /// @param sourceChainId  id of the other chain.
    /// @param sourceBlock    number of the block there; above the one that is recorded, else StaleImport.
    /// @param agent          the agent's address there.
    /// @param identity       its Agent record there; its strings at most as long as here, else FieldOutOfRange.
    /// @param reputation     its Reputation record there; all zeros if it has none.
    function importAgent(
        uint64 sourceChainId,
        uint64 sourceBlock,
        address agent,
        IRecords.Agent calldata identity,
        IRecords.Reputation calldata reputation
    )
        external;

    // ---------------------------------------------------------------------------------------------------- governance

    /// @notice Replaces the governance parameters from the next block on. Only in a deposit whose sender is
    ///         Policy.governance: NotGovernance. A value outside its range: FieldOutOfRange with the parameter's name.
    /// @param params  all of them, in the units of their names.
    function setParams(IRecords.Params calldata params) external;

    /// @notice The same for the parameters of Policy, Policy.governance among them.
    /// @param policy  all of them, in the units of their names.
    function setPolicy(IRecords.Policy calldata policy) external;

    /// @notice Sends what a fee vault holds to Policy.feeRecipient on L1, as a withdrawal of the vault's. Anyone may ask for it.
    /// @param vault  0x4200…0019 base fees, 0x4200…0011 priority fees, or 0x4200…001A L1 data fees.
    function withdrawFees(address vault) external;

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

    // --------------------------------------------------------------------------------- ERC-8004: feedback and validations
    // The writes of the standard's Reputation and Validation registries, with the standard's own calldata. They mean the same at
    // this address, at the registries' and inside of actFor. Events are the registries' (IReputationRegistry, IValidationRegistry).

    /// @notice Rates an agent for one interaction that the caller has had with it: the one that `endpoint` names, or else the
    ///         latest that counts for the agent's reputation. Never changes this chain's own reputation of the agent.
    /// @param agentId        the agent's address as a number; neither the caller, nor owned by the caller or by the caller's owner.
    /// @param value          -10^38 to 10^38, in units of 10^-valueDecimals.
    /// @param valueDecimals  at most 18.
    /// @param tag1           at most 64 bytes.
    /// @param tag2           at most 64 bytes.
    /// @param endpoint       at most 256 bytes; "agnt2:0x" and 64 lower-case hexadecimal digits: the interaction.
    /// @param feedbackURI    at most 512 bytes.
    /// @param feedbackHash   keccak256 of what feedbackURI leads to; not checked.
    function giveFeedback(
        uint256 agentId,
        int128 value,
        uint8 valueDecimals,
        string calldata tag1,
        string calldata tag2,
        string calldata endpoint,
        string calldata feedbackURI,
        bytes32 feedbackHash
    )
        external;

    /// @notice Takes feedback of the caller back. Its interaction stays rated.
    /// @param feedbackIndex  of the caller's feedback about the agent, from 1.
    function revokeFeedback(uint256 agentId, uint64 feedbackIndex) external;

    /// @notice Answers feedback. Anyone may.
    /// @param clientAddress  who gave the feedback.
    /// @param feedbackIndex  of its feedback about the agent, from 1.
    /// @param responseURI    1 to 512 bytes.
    /// @param responseHash   keccak256 of what responseURI leads to; not checked.
    function appendResponse(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        string calldata responseURI,
        bytes32 responseHash
    )
        external;

    /// @notice Asks a validator to check work of an active agent. By the agent, its owner or a session key of it.
    /// @param validatorAddress  who answers; not 0.
    /// @param agentId           the agent's address as a number.
    /// @param requestURI        at most 512 bytes: where the validator finds what it needs.
    /// @param requestHash       commitment to that, and the request's id: no other request has it.
    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    )
        external;

    /// @notice Answers a request whose validator the caller is, or answers it anew.
    /// @param response      0 (failed) to 100 (passed).
    /// @param responseURI   at most 512 bytes.
    /// @param responseHash  keccak256 of what responseURI leads to; not checked.
    /// @param tag           at most 64 bytes.
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
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
        uint64 aborts; // never scored
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

    /// @notice A channel. Amounts are wei, times Unix seconds.
    /// @dev    funded: all that an agent has paid in; deposit: what of it the recorded state divides; balance: what that state
    ///         gives the agent. When the channel closes an agent gets balance + funded - deposit.
    struct ChannelView {
        ChannelStatus status;
        address agentA;
        address agentB;
        uint256 fundedA;
        uint256 fundedB;
        uint256 depositA;
        uint256 depositB;
        uint256 balanceA;
        uint256 balanceB;
        uint64 nonce;
        uint64 interactionCount;
        uint64 maxInteractions;
        uint64 openedAt;
        uint64 expiresAt;
        uint64 closesAt;
        uint32 heartbeatSeconds;
    }

    /// @notice What two agents have had in common: their channel that is not closed (0: none), how many they have opened, and
    ///         how many proposals of each the chain has accepted (the nonce of its next ChannelTerms).
    struct ChannelPairView {
        bytes32 channelId;
        uint64 opens;
        uint64 nonceA;
        uint64 nonceB;
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

    /// @notice The channel; status None if there is none.
    function getChannel(bytes32 id) external view returns (ChannelView memory);

    /// @notice What two agents have had in common, in either order; A is the one with the lower address.
    function getChannelPair(address agentA, address agentB) external view returns (ChannelPairView memory);

    struct DisputeView {
        DisputeKind kind;
        DisputeOutcome outcome;
        address claimant;
        address agent;
        address game;
        bytes32 evidenceHash;
        uint256 bondWei;
        uint64 deadline;
    }

    /// @notice The dispute about an interaction; all zeros if there is none, or it has ended, its deadline has passed and the
    ///         interaction is in the history.
    function getDispute(bytes32 target) external view returns (DisputeView memory);

    /// @notice The key; all zeros if the agent never authorised it or has revoked it.
    function getKey(address agent, address key) external view returns (KeyView memory);

    /// @notice The session; all zeros if there is none.
    function getSession(bytes32 id) external view returns (SessionView memory);

    /// @notice Address of the agent that `owner` registers with registerFor(index, …).
    function agentOf(address owner, uint64 index) external pure returns (address);

    /// @notice An imported agent by its foreignId; all zeros if there is none.
    /// @return agent  what was imported.
    /// @return score  what its counters make of the score (1/10000) by this chain's rules, at the block's timestamp.
    function getForeignAgent(address id) external view returns (IRecords.Foreign memory agent, uint256 score);

    /// @notice Where an agent of another chain is recorded: the low 20 bytes of
    ///         keccak256(abi.encode(chainId, registry, agentId)).
    /// @param chainId   of the other chain.
    /// @param registry  its ERC-8004 Identity registry; of an AGNT2 chain 0x42…8004.
    /// @param agentId   the agent's id in that registry; of an AGNT2 chain its address as a number.
    function foreignId(uint256 chainId, address registry, uint256 agentId) external pure returns (address);

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
    event DisputeOpened(
        bytes32 indexed target,
        address indexed claimant,
        address indexed agent,
        DisputeKind kind,
        address game,
        bytes32 evidenceHash,
        uint256 bondWei,
        uint64 deadline,
        DAPointer da
    );
    event DisputeClosed(
        bytes32 indexed target, address indexed claimant, address indexed agent, DisputeOutcome outcome, uint256 paidWei
    );
    event AgentImported(
        address indexed id, address indexed agent, address indexed owner, uint64 sourceChainId, uint64 sourceBlock
    );
    event ParamsChanged(IRecords.Params params);
    event PolicyChanged(IRecords.Policy policy);
    event FeesWithdrawn(address indexed vault, address indexed recipient, uint256 amountWei);
    event TimedOut(bytes32 indexed id, address indexed caller, address indexed callee, uint256 refundedWei);
    event ChannelOpened(
        bytes32 indexed id,
        address indexed agentA,
        address indexed agentB,
        uint256 depositA,
        uint256 depositB,
        uint64 expiresAt,
        uint64 maxInteractions,
        uint32 heartbeatSeconds
    );
    event ChannelExists(
        bytes32 indexed id, address indexed agentA, address indexed agentB, uint256 depositA, uint256 depositB
    );
    event ChannelCheckpointed(
        bytes32 indexed id,
        address indexed agentA,
        address indexed agentB,
        uint64 nonce,
        uint256 balanceA,
        uint256 balanceB,
        uint64 interactionCount
    );
    event ChannelClosing(
        bytes32 indexed id, address indexed agentA, address indexed agentB, uint64 nonce, uint64 closesAt
    );
    event ChannelStateReplaced(
        bytes32 indexed id,
        address indexed agentA,
        address indexed agentB,
        uint64 nonce,
        uint256 balanceA,
        uint256 balanceB
    );
    event ChannelClosed(
        bytes32 indexed id, address indexed agentA, address indexed agentB, uint256 paidA, uint256 paidB
    );
    event DoubleSigned(
        bytes32 indexed id, address indexed agentA, address indexed agentB, uint64 nonce, address reporter
    );
    event Slashed(address indexed agent, bytes32 indexed id, uint256 slashedWei, uint256 rewardWei);
    event SlotReclaimed(address indexed agent, bytes32 indexed capability, uint32 slot);
    event Committed(
        address indexed caller, bytes32 indexed commitment, uint256 depositWei, uint64 revealableFrom, uint64 deadline
    );
    event Revealed(address indexed caller, bytes32 indexed commitment, uint256 depositWei);
    event RevealRefunded(bytes32 indexed id, address indexed caller, address indexed callee, uint256 refundedWei);
    event CommitmentForfeited(address indexed caller, bytes32 indexed commitment, uint256 depositWei);

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
    /// @notice Open channels and disputes keep the stake.
    error StakeHeld(address agent, uint32 holds);

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

    error BadChannelSignature(address recovered, address agent);
    error ChannelTermsExpired(uint64 validUntil);
    error ChannelTermsNonce(uint64 nonce, uint64 expected);
    error DepositNotCovered(address agent, uint256 balanceWei, uint256 depositWei);
    error ChannelUnknown(bytes32 id);
    error ChannelNotOpen(bytes32 id, ChannelStatus status);
    error ChannelNotClosing(bytes32 id, ChannelStatus status);
    error ChannelExpired(bytes32 id, uint64 expiresAt);
    error ChannelWindowOver(bytes32 id, uint64 closesAt);
    error NotChannelParty(address sender);
    error StaleState(uint64 nonce, uint64 recorded);
    error BalancesDoNotSum(uint256 balanceA, uint256 balanceB, uint256 depositA, uint256 depositB);
    error DepositsAboveFunded(uint256 depositA, uint256 depositB, uint256 fundedA, uint256 fundedB);
    error InteractionCountInvalid(uint64 interactionCount, uint64 minimum, uint64 maximum);
    error StatesDoNotConflict();

    error NotCaller(address sender, address caller);
    error InteractionPending(bytes32 id);
    error BondTooLow(uint256 bondWei, uint256 minimumWei);
    error DisputeExists(bytes32 target);
    error DisputeWindowOver(bytes32 target, uint64 deadline);
    error BadHistoryProof(bytes32 target);
    error DisputeUnknown(bytes32 target);
    /// @notice A QUALITATIVE dispute is not judged.
    error NotAdjudicated(bytes32 target);
    /// @notice The dispute waits for another game: `disputed`.
    error GameMismatch(bytes32 target, address game, address disputed);
    /// @notice Only a deposit of Policy.governance or Policy.disputeResolver resolves disputes.
    error NotResolver(address sender);
    /// @notice Only a deposit of Policy.agentPassport imports agents.
    error NotPassport(address sender);
    /// @notice What is recorded of the agent is of this block or a later one.
    error StaleImport(uint64 recordedBlock, uint64 sourceBlock);
    /// @notice Only a deposit of Policy.governance changes parameters.
    error NotGovernance(address sender);
    /// @notice Policy.feeRecipient is nobody.
    error FeeRecipientUnset();

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
    error NotCancellable(bytes32 id);
    // ERC-8004: feedback and validations.
    /// @notice The client is the agent, its owner, a session key of it, or another agent of its owner.
    error SelfFeedback(address agent, address client);
    /// @notice The client has had no interaction with the agent that counts for its reputation; others have to be named.
    error NothingToRate(address agent, address client);
    /// @notice The interaction is with another agent.
    error InteractionOfOther(bytes32 id, address callee);
    /// @notice The interaction has been rated: by this feedback of its caller.
    error InteractionRated(bytes32 id, uint64 feedbackIndex);
    error FeedbackUnknown(address agent, address client, uint64 feedbackIndex);
    error FeedbackIsRevoked(address agent, address client, uint64 feedbackIndex);
    error ValidationExists(bytes32 requestHash);
    error ValidationUnknown(bytes32 requestHash);
    error NotValidator(address sender, address validator);
}
