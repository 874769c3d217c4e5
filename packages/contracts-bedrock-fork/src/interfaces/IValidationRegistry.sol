// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IValidationRegistry
/// @notice ERC-8004's Validation registry, answered natively at 0x4200000000000000000000000000000000008006: what validators say of
///         agents' work. An agent's id is its address as a number.
/// @dev Functions and events are the standard's. The writes are operations of IAGNT2, which says more of them, and their errors are
///      IAGNT2's. A view reads at most 10,000 records; those with `from` and `count` are this chain's, for lists that are longer.
interface IValidationRegistry {
    /// @notice A view would have to read more records than it may: ask for less.
    error TooManyRecords(uint64 limit);

    // -------------------------------------------------------------------------------------------------------- operations

    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    )
        external;
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    )
        external;

    // ------------------------------------------------------------------------------------------------------------- views

    function getIdentityRegistry() external pure returns (address identityRegistry);
    function getVersion() external pure returns (string memory);
    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        );

    /// @notice Mean of the answers about an agent.
    /// @param validatorAddresses  whose; none: all.
    /// @param tag                 empty: any.
    function getSummary(
        uint256 agentId,
        address[] calldata validatorAddresses,
        string calldata tag
    )
        external
        view
        returns (uint64 count, uint8 averageResponse);
    function getAgentValidations(uint256 agentId) external view returns (bytes32[] memory requestHashes);
    function getValidatorRequests(address validatorAddress) external view returns (bytes32[] memory requestHashes);

    // Not of the standard.

    /// @notice Some of the requests about an agent, in their order.
    /// @param from   the first one, from 1.
    /// @param count  at most so many.
    /// @return requestHashes the entries from there on.
    /// @return total how many there are.
    function getAgentValidationsPage(
        uint256 agentId,
        uint64 from,
        uint64 count
    )
        external
        view
        returns (bytes32[] memory requestHashes, uint64 total);

    /// @notice The same of the requests to a validator.
    function getValidatorRequestsPage(
        address validatorAddress,
        uint64 from,
        uint64 count
    )
        external
        view
        returns (bytes32[] memory requestHashes, uint64 total);

    // ------------------------------------------------------------------------------------------------------------ events

    event ValidationRequest(
        address indexed validatorAddress, uint256 indexed agentId, string requestURI, bytes32 indexed requestHash
    );
    event ValidationResponse(
        address indexed validatorAddress,
        uint256 indexed agentId,
        bytes32 indexed requestHash,
        uint8 response,
        string responseURI,
        bytes32 responseHash,
        string tag
    );
}
