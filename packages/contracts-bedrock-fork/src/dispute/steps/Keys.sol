// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Keys
/// @notice Keys of the record trie (docs/spec/records.md): agnt2/record/key.go.
library Keys {
    uint8 internal constant DEADLINES = 0x11;

    // What falls due: DeadlineKind of agnt2/record.
    uint8 internal constant DUE_INTERACTION = 1;
    uint8 internal constant DUE_CHANNEL = 20;
    uint8 internal constant DUE_HISTORY = 50;
    uint8 internal constant DUE_DISPUTE = 51;
    uint8 internal constant DUE_COMPOSITION_HISTORY = 52;
    uint8 internal constant DUE_COMMITMENT = 40;
    uint8 internal constant DUE_COMPOSITION = 10;

    bytes32 internal constant PARAMS = 0xffb40d1b5f6b77d2ba0d8b0410e0f8e6dfe0005ee7b9331709c2b66ef5868054;
    bytes32 internal constant POLICY = 0xff5b0f9436c819b53dbee8ea2c97c9b239e65dc59bc3413d5d08ecbb88caf2b2;
    bytes32 internal constant TOTALS = 0xff6cc40a048a92a8416556ac00f80eb21f591a2ded6f58ae93554662341cdfce;
    bytes32 internal constant L1_INFO = 0xffa80b3ee3ab847717d7dcf8d3f8b7fc5eb113b6461947e9414860e84847a172;

    bytes32 internal constant HISTORY = 0xff5cb4ee416d23b95cd5367c15d6b361ec02394b3d48d629418b0e5e7eda6758;

    /// @notice Key of an address' Account.
    function account(address a) internal pure returns (bytes32) {
        return _key(0x01, keccak256(abi.encodePacked(a)));
    }

    /// @notice Key of an agent's Agent.
    function agent(address a) internal pure returns (bytes32) {
        return _key(0x02, keccak256(abi.encodePacked(a)));
    }

    /// @notice Key of an agent's AgentURI.
    function agentURI(address a) internal pure returns (bytes32) {
        return _key(0x03, keccak256(abi.encodePacked(a)));
    }

    /// @notice Key of a Metadata entry.
    function metadata(address a, string memory name) internal pure returns (bytes32) {
        return _key(0x04, keccak256(abi.encodePacked(a, name)));
    }

    /// @notice Key of a Capability.
    /// @param  id keccak256 of its name.
    function capability(address a, bytes32 id) internal pure returns (bytes32) {
        return _key(0x05, keccak256(abi.encodePacked(a, id)));
    }

    /// @notice Key of a CapabilityDetail.
    /// @param  id keccak256 of the capability's name.
    function capabilityDetail(address a, bytes32 id) internal pure returns (bytes32) {
        return _key(0x06, keccak256(abi.encodePacked(a, id)));
    }

    /// @notice Key of an agent's Reputation.
    function reputation(address a) internal pure returns (bytes32) {
        return _key(0x07, keccak256(abi.encodePacked(a)));
    }

    /// @notice Key of the Pair of a callee and a caller.
    function pair(address callee, address caller) internal pure returns (bytes32) {
        return _key(0x08, keccak256(abi.encodePacked(callee, caller)));
    }

    /// @notice Key of what a session key may do for an agent.
    function delegation(address agentAddress, address sessionKey) internal pure returns (bytes32) {
        return _key(0x09, keccak256(abi.encodePacked(agentAddress, sessionKey)));
    }

    /// @notice Key of an owner's Holding.
    function holding(address owner) internal pure returns (bytes32) {
        return _key(0x60, keccak256(abi.encodePacked(owner)));
    }

    /// @notice Key of a Session.
    function session(bytes32 id) internal pure returns (bytes32) {
        return _key(0x0a, id);
    }

    /// @notice Key of an agent's Wallet.
    function wallet(address a) internal pure returns (bytes32) {
        return _key(0x0b, keccak256(abi.encodePacked(a)));
    }

    /// @notice Key of an Interaction.
    function interaction(bytes32 id) internal pure returns (bytes32) {
        return _key(0x10, id);
    }

    /// @notice Key of a Channel.
    function channel(bytes32 id) internal pure returns (bytes32) {
        return _key(0x20, id);
    }

    /// @notice Key of the ChannelPair of two agents, the one with the lower address first.
    function channelPair(address a, address b) internal pure returns (bytes32) {
        return _key(0x21, keccak256(abi.encodePacked(a, b)));
    }

    /// @notice Key of the Dispute about an interaction.
    function dispute(bytes32 id) internal pure returns (bytes32) {
        return _key(0x40, id);
    }

    /// @notice Key of a Composition.
    function composition(bytes32 id) internal pure returns (bytes32) {
        return _key(0x30, id);
    }

    /// @notice Key of a Constituent.
    function constituent(bytes32 compositionId, uint8 index) internal pure returns (bytes32) {
        return _key(0x31, keccak256(abi.encodePacked(compositionId, index)));
    }

    /// @notice Key of a Deadline.
    /// @param  time Unix seconds, below 2^40.
    /// @param  kind What falls due: DeadlineKind of agnt2/record.
    /// @param  id   Of the interaction or other thing that falls due.
    function deadline(uint64 time, uint8 kind, bytes32 id) internal pure returns (bytes32) {
        return bytes32(
            (uint256(DEADLINES) << 248) | ((uint256(time) & 0xffffffffff) << 208) | (uint256(kind) << 200)
                | (uint256(id) >> 56)
        );
    }

    /// @notice Key of an IndexSlot.
    /// @param  capabilityId keccak256 of the capability's name.
    /// @param  slot         From 1.
    function indexSlot(bytes32 capabilityId, uint32 slot) internal pure returns (bytes32) {
        return _key(0x50, keccak256(abi.encodePacked(capabilityId, slot)));
    }

    /// @notice Key of an IndexCount.
    /// @param  capabilityId keccak256 of the capability's name.
    function indexCount(bytes32 capabilityId) internal pure returns (bytes32) {
        return _key(0x51, keccak256(abi.encodePacked(capabilityId)));
    }

    /// @notice Key of a Commitment.
    /// @param  id Hash of its caller and what it commits to.
    function commitment(bytes32 id) internal pure returns (bytes32) {
        return _key(0x32, id);
    }

    /// @notice Key of a Foreign.
    /// @param  id The agent's foreignId.
    function foreign(address id) internal pure returns (bytes32) {
        return _key(0x80, keccak256(abi.encodePacked(id)));
    }

    /// @notice Key of a client's Feedback about an agent.
    /// @param  index From 1.
    function feedback(address about, address client, uint64 index) internal pure returns (bytes32) {
        return _key(0x70, keccak256(abi.encodePacked(about, client, index)));
    }

    /// @notice Key of a FeedbackCount.
    function feedbackCount(address about, address client) internal pure returns (bytes32) {
        return _key(0x71, keccak256(abi.encodePacked(about, client)));
    }

    /// @notice Key of an interaction's Rating.
    function rating(bytes32 id) internal pure returns (bytes32) {
        return _key(0x72, id);
    }

    /// @notice Key of a ResponseCount.
    function responseCount(
        address about,
        address client,
        uint64 index,
        address responder
    )
        internal
        pure
        returns (bytes32)
    {
        return _key(0x73, keccak256(abi.encodePacked(about, client, index, responder)));
    }

    /// @notice Key of a ListCount.
    /// @param  kind ListKind of agnt2/record.
    function listCount(uint8 kind, address subject) internal pure returns (bytes32) {
        return _key(0x74, keccak256(abi.encodePacked(kind, subject)));
    }

    /// @notice Key of a ListEntry.
    /// @param  kind  ListKind of agnt2/record.
    /// @param  index From 1.
    function listEntry(uint8 kind, address subject, uint64 index) internal pure returns (bytes32) {
        return _key(0x75, keccak256(abi.encodePacked(kind, subject, index)));
    }

    /// @notice Key of a Validation.
    function validation(bytes32 requestHash) internal pure returns (bytes32) {
        return _key(0x76, keccak256(abi.encodePacked(requestHash)));
    }

    /// @dev The namespace and the first 31 bytes of a hash.
    function _key(uint256 namespace, bytes32 hash) private pure returns (bytes32) {
        return bytes32((namespace << 248) | (uint256(hash) >> 8));
    }
}
