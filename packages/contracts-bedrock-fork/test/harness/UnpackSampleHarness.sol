// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IUnpackSample } from "./IUnpackSample.sol";
import { UnpackSample } from "./UnpackSample.sol";

/// @title UnpackSampleHarness
/// @notice UnpackHarness for the sample structs.
contract UnpackSampleHarness {
    function fixedSize(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IUnpackSample.Fixed memory x;
        (x, next) = UnpackSample.unpackFixed(w, p);
        encoded = abi.encode(x);
    }

    function text(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IUnpackSample.Text memory x;
        (x, next) = UnpackSample.unpackText(w, p);
        encoded = abi.encode(x);
    }

    function lists(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IUnpackSample.Lists memory x;
        (x, next) = UnpackSample.unpackLists(w, p);
        encoded = abi.encode(x);
    }
}
