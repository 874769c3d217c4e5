// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Patricia } from "../lib/Patricia.sol";

/// @title PatriciaProofs
/// @notice Patricia as a linked library: it takes nodes in calldata, and a witness has them in a shorter form.
library PatriciaProofs {
    /// @notice See Patricia.storageRoot.
    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata nodes) external pure returns (bytes32) {
        return Patricia.storageRoot(stateRoot, account, nodes);
    }

    /// @notice See Patricia.storageAt.
    function storageAt(bytes32 root, bytes32 slot, bytes[] calldata nodes) external pure returns (bytes32) {
        return Patricia.storageAt(root, slot, nodes);
    }

    /// @notice See Patricia.insert.
    function insert(
        bytes32 root,
        bytes32 key,
        bytes calldata value,
        bytes[] calldata nodes
    )
        external
        pure
        returns (bytes32)
    {
        return Patricia.insert(root, key, value, nodes);
    }
}
