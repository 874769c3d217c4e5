// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IReputationRegistry
/// @notice ERC-8004's Reputation registry, answered natively at 0x4200000000000000000000000000000000008005: what callers say of
///         agents. An agent's id is its address as a number.
/// @dev Functions and events are the standard's. The writes are operations of IAGNT2, which says more of them, and their errors are
///      IAGNT2's. A view reads at most 10,000 records; those with `from` and `count` are this chain's, for lists that are longer.
interface IReputationRegistry {
    /// @notice A view would have to read more records than it may: ask for less.
    error TooManyRecords(uint64 limit);

    // -------------------------------------------------------------------------------------------------------- operations

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
    function revokeFeedback(uint256 agentId, uint64 feedbackIndex) external;
    function appendResponse(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        string calldata responseURI,
        bytes32 responseHash
    )
        external;

    // ------------------------------------------------------------------------------------------------------------- views

    function getIdentityRegistry() external pure returns (address identityRegistry);
    function getVersion() external pure returns (string memory);

    /// @notice Mean of feedback that is not revoked, in the most frequent number of decimals (the lowest of several).
    /// @param clientAddresses  whose feedback; at least one.
    /// @param tag1             empty: any.
    /// @param tag2             empty: any.
    function getSummary(
        uint256 agentId,
        address[] calldata clientAddresses,
        string calldata tag1,
        string calldata tag2
    )
        external
        view
        returns (uint64 count, int128 summaryValue, uint8 summaryValueDecimals);
    function readFeedback(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex
    )
        external
        view
        returns (int128 value, uint8 valueDecimals, string memory tag1, string memory tag2, bool isRevoked);
    function readAllFeedback(
        uint256 agentId,
        address[] calldata clientAddresses,
        string calldata tag1,
        string calldata tag2,
        bool includeRevoked
    )
        external
        view
        returns (
            address[] memory clients,
            uint64[] memory feedbackIndexes,
            int128[] memory values,
            uint8[] memory valueDecimals,
            string[] memory tag1s,
            string[] memory tag2s,
            bool[] memory revokedStatuses
        );
    function getResponseCount(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex,
        address[] calldata responders
    )
        external
        view
        returns (uint64 count);
    function getClients(uint256 agentId) external view returns (address[] memory);
    function getLastIndex(uint256 agentId, address clientAddress) external view returns (uint64);

    // Not of the standard.

    /// @notice Some of an agent's clients, in the order of their first feedback.
    /// @param from   the first one, from 1.
    /// @param count  at most so many.
    /// @return clients the entries from there on.
    /// @return total how many there are.
    function getClientsPage(
        uint256 agentId,
        uint64 from,
        uint64 count
    )
        external
        view
        returns (address[] memory clients, uint64 total);

    /// @notice The interaction that feedback is about, and when it was given (Unix seconds).
    function getFeedbackInteraction(
        uint256 agentId,
        address clientAddress,
        uint64 feedbackIndex
    )
        external
        view
        returns (bytes32 interactionId, uint64 givenAt);

    /// @notice Index of the feedback that an interaction's caller has given for it; 0: none.
    function getFeedbackIndex(bytes32 interactionId) external view returns (uint64);

    // ------------------------------------------------------------------------------------------------------------ events

    event NewFeedback(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        int128 value,
        uint8 valueDecimals,
        string indexed indexedTag1,
        string tag1,
        string tag2,
        string endpoint,
        string feedbackURI,
        bytes32 feedbackHash
    );
    event FeedbackRevoked(uint256 indexed agentId, address indexed clientAddress, uint64 indexed feedbackIndex);
    event ResponseAppended(
        uint256 indexed agentId,
        address indexed clientAddress,
        uint64 feedbackIndex,
        address indexed responder,
        string responseURI,
        bytes32 responseHash
    );
}
