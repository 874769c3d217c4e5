// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IIdentityRegistry
/// @notice ERC-8004's Identity registry, answered natively at 0x4200000000000000000000000000000000008004: agents of IAGNT2 as
///         ERC-721 tokens. An agent's id is its address as a number, its owner the token's.
/// @dev Functions and events are the standard's. A write is executed as the operation of IAGNT2 that it means (docs/spec/
///      erc8004.md); errors are those of IAGNT2. What an agent says of itself, whoever changes it and how, is an event here too.
///      Approvals are not there: session keys are what the engine has instead.
interface IIdentityRegistry {
    struct MetadataEntry {
        string metadataKey;
        bytes metadataValue;
    }

    // -------------------------------------------------------------------------------------------------------- operations

    /// @notice Makes the caller an agent. Unlike in the standard `msg.value` is accepted: the agent's stake.
    function register() external payable returns (uint256 agentId);
    function register(string calldata agentURI) external payable returns (uint256 agentId);
    function register(
        string calldata agentURI,
        MetadataEntry[] calldata metadata
    )
        external
        payable
        returns (uint256 agentId);

    function setAgentURI(uint256 agentId, string calldata newURI) external;
    function setMetadata(uint256 agentId, string calldata metadataKey, bytes calldata metadataValue) external;
    function setAgentWallet(uint256 agentId, address newWallet, uint256 deadline, bytes calldata signature) external;
    function unsetAgentWallet(uint256 agentId) external;

    /// @notice Transfers the agent. The caller is the owner.
    function transferFrom(address from, address to, uint256 tokenId) external;
    function safeTransferFrom(address from, address to, uint256 tokenId) external;
    function safeTransferFrom(address from, address to, uint256 tokenId, bytes calldata data) external;

    // ------------------------------------------------------------------------------------------------------------- views

    function getMetadata(uint256 agentId, string calldata metadataKey) external view returns (bytes memory);
    function getAgentWallet(uint256 agentId) external view returns (address);
    function isAuthorizedOrOwner(address spender, uint256 agentId) external view returns (bool);
    function getVersion() external pure returns (string memory);
    function ownerOf(uint256 tokenId) external view returns (address);
    function balanceOf(address owner) external view returns (uint256);
    function tokenURI(uint256 tokenId) external view returns (string memory);
    function getApproved(uint256 tokenId) external view returns (address);
    function isApprovedForAll(address owner, address operator) external view returns (bool);
    function name() external pure returns (string memory);
    function symbol() external pure returns (string memory);
    function supportsInterface(bytes4 interfaceId) external pure returns (bool);

    // ------------------------------------------------------------------------------------------------------------ events

    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);
    event MetadataSet(
        uint256 indexed agentId, string indexed indexedMetadataKey, string metadataKey, bytes metadataValue
    );
    event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy);
    event Transfer(address indexed from, address indexed to, uint256 indexed tokenId);
}
