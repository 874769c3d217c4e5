// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IFrames } from "../../src/dispute/IFrames.sol";
import { UnpackFrames } from "../../src/dispute/lib/UnpackFrames.sol";

/// @title UnpackFramesHarness
/// @notice UnpackHarness for the machine's frames; the functions are those of IFrames.
contract UnpackFramesHarness {
    function run(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IFrames.Run memory x;
        (x, next) = UnpackFrames.unpackRun(w, p);
        encoded = abi.encode(x);
    }

    function blockFrame(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IFrames.Block memory x;
        (x, next) = UnpackFrames.unpackBlock(w, p);
        encoded = abi.encode(x);
    }

    function sums(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IFrames.Sums memory x;
        (x, next) = UnpackFrames.unpackSums(w, p);
        encoded = abi.encode(x);
    }

    function txFrame(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IFrames.Tx memory x;
        (x, next) = UnpackFrames.unpackTx(w, p);
        encoded = abi.encode(x);
    }

    function op(bytes calldata w, uint256 p) external pure returns (bytes memory encoded, uint256 next) {
        IFrames.Op memory x;
        (x, next) = UnpackFrames.unpackOp(w, p);
        encoded = abi.encode(x);
    }
}
