// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Cheats } from "./Cheats.sol";
import { LayerRoot } from "../src/LayerRoot.sol";
import { ILayerRoot } from "../src/interfaces/ILayerRoot.sol";

contract SystemConfigFake {
    bytes32 public batcherHash;

    function set(address batcher) external {
        batcherHash = bytes32(uint256(uint160(batcher)));
    }
}

contract Relay {
    function send(address to, bytes calldata data) external returns (bool ok) {
        (ok,) = to.call(data);
    }
}

contract LayerRootTest is Cheats {
    SystemConfigFake config;
    LayerRoot inbox;
    address batcher = address(0xba7c4e5);
    uint64 firstOrigin = 999;
    bytes16 constant A = bytes16(uint128(0xaaaa));
    bytes16 constant B = bytes16(uint128(0xbbbb));

    function setUp() public {
        config = new SystemConfigFake();
        config.set(batcher);
        inbox = new LayerRoot(address(config), 10 ether, 5, 5, 50);
        vm.roll(1000);
        vm.setBlockhash(999, keccak256("origin"));
        vm.deal(batcher, 100 ether);
        vm.prank(batcher, batcher);
        inbox.depositBond{ value: 10 ether }();
    }

    function frame(bytes4 tag, bytes16 channel, uint16 number) internal pure returns (bytes memory) {
        return
            abi.encodePacked(
                tag, channel, number, keccak256(abi.encode(channel, number)), uint8(0), bytes32(uint256(7))
            );
    }

    function part(bytes16 channel, uint16 number) internal pure returns (bytes memory) {
        return frame(0x0101a601, channel, number);
    }

    function seal(bytes16 channel, uint16 number, uint64 first, uint64 last) internal view returns (bytes memory) {
        return bytes.concat(
            frame(0x0101a602, channel, number),
            abi.encodePacked(
                first,
                last,
                firstOrigin,
                keccak256("records"),
                bytes20(keccak256("origin")),
                bytes20(keccak256("parent"))
            ),
            abi.encodePacked(keccak256("previous"), keccak256("current"), uint64(3), uint256(4))
        );
    }

    function send(bytes memory data) internal returns (bool ok, bytes memory why) {
        vm.prank(batcher, batcher);
        (ok, why) = address(inbox).call(data);
    }

    function accept(bytes memory data) internal returns (uint256 gas) {
        uint256 before = gasleft();
        (bool ok, bytes memory why) = send(data);
        gas = before - gasleft();
        if (!ok) {
            assembly {
                revert(add(why, 32), mload(why))
            }
        }
    }

    function refuse(bytes memory data, bytes4 selector) internal {
        (bool ok, bytes memory why) = send(data);
        vm.assertTrue(!ok, "accepted");
        vm.assertEq(bytes32(bytes4(why)), bytes32(selector), "wrong error");
    }

    function testSingleFrame() public {
        vm.roll(1049); // the last block of the window
        uint256 gas = accept(seal(A, 0, 1, 10));
        emit log_named_uint("gas of a SEAL", gas);
        ILayerRoot.Submission memory s = inbox.submissions(0);
        vm.assertEq(s.firstBlock, 1);
        vm.assertEq(s.lastBlock, 10);
        vm.assertEq(s.l1Block, 1049);
        vm.assertEq(s.frames, 1);
        vm.assertEq(uint8(s.status), uint8(ILayerRoot.Status.Live));
        vm.assertEq(s.recordsRoot, keccak256("records"));
        vm.assertEq(bytes32(s.l1OriginCheck), bytes32(bytes20(keccak256("origin"))));
        vm.assertEq(bytes32(s.parentCheck), bytes32(bytes20(keccak256("parent"))));
        vm.assertEq(s.previousRoot, keccak256("previous"));
        vm.assertEq(s.currentRoot, keccak256("current"));
        vm.assertEq(inbox.lastBlock(), 10);
        vm.assertEq(inbox.submissionCount(), 1);
    }

    function testSeveralFrames() public {
        uint256 first = accept(part(A, 0));
        uint256 next = accept(part(A, 1));
        uint256 last = accept(seal(A, 2, 1, 10));
        emit log_named_uint("gas of PART 0", first);
        emit log_named_uint("gas of PART 1", next);
        emit log_named_uint("gas of the SEAL after them", last);
        ILayerRoot.Submission memory s = inbox.submissions(0);
        vm.assertEq(s.frames, 3);
        bytes32 h;
        for (uint16 i; i < 3; i++) {
            h = keccak256(abi.encodePacked(h, keccak256(abi.encode(A, i)), uint8(0), bytes32(uint256(7))));
        }
        vm.assertEq(s.framesHash, h);
        vm.assertEq(inbox.openChannel().nextFrame, 0);
    }

    function testFramesInOrderOnly() public {
        refuse(part(A, 1), ILayerRoot.FrameOutOfOrder.selector);
        refuse(seal(A, 1, 1, 1), ILayerRoot.FrameOutOfOrder.selector);
        accept(part(A, 0));
        refuse(part(A, 2), ILayerRoot.FrameOutOfOrder.selector);
        refuse(part(B, 1), ILayerRoot.FrameOutOfOrder.selector);
        refuse(seal(B, 1, 1, 1), ILayerRoot.FrameOutOfOrder.selector);
        accept(part(A, 1));
    }

    function testANewChannelReplacesAnAbandonedOne() public {
        accept(part(A, 0));
        vm.expectEmit(true, false, false, true, address(inbox));
        emit ILayerRoot.ChannelAbandoned(A, 1);
        accept(part(B, 0));
        refuse(part(A, 1), ILayerRoot.FrameOutOfOrder.selector);
        accept(seal(B, 1, 1, 5));
        refuse(part(B, 2), ILayerRoot.FrameOutOfOrder.selector);
    }

    function testRanges() public {
        refuse(seal(A, 0, 0, 5), ILayerRoot.BadRange.selector);
        refuse(seal(A, 0, 5, 4), ILayerRoot.BadRange.selector);
        refuse(seal(A, 0, 1, 1 + inbox.MAX_SUBMISSION_BLOCKS()), ILayerRoot.BadRange.selector);
        accept(seal(A, 0, 1, 5));
        refuse(seal(B, 0, 5, 6), ILayerRoot.BadRange.selector);
        accept(seal(B, 0, 9, 9)); // 6 to 8 were derived empty
        refuse(seal(A, 0, 6, 8), ILayerRoot.BadRange.selector);
    }

    function testFrameBound() public {
        for (uint16 i; i < inbox.MAX_FRAMES() - 1; i++) {
            accept(part(A, i));
        }
        refuse(part(A, inbox.MAX_FRAMES() - 1), ILayerRoot.TooManyFrames.selector);
        accept(seal(A, inbox.MAX_FRAMES() - 1, 1, 1));
    }

    function testOriginMustBeOfThisL1() public {
        firstOrigin = 1250;
        vm.roll(1255); // the origin is 256 blocks back: the last block that the EVM knows
        accept(seal(A, 0, 1, 5));
        vm.roll(1256);
        refuse(seal(B, 0, 6, 7), ILayerRoot.StaleOrigin.selector);
        vm.assertEq(inbox.lastBlock(), 5);
        vm.setBlockhash(1200, keccak256("origin"));
        accept(seal(B, 0, 6, 7));
        vm.setBlockhash(1200, keccak256("another fork"));
        refuse(seal(A, 0, 8, 9), ILayerRoot.StaleOrigin.selector);
    }

    function testChannelTimesOut() public {
        accept(part(A, 0));
        vm.roll(1000 + inbox.CHANNEL_TIMEOUT_BLOCKS());
        accept(part(A, 1));
        vm.roll(1001 + inbox.CHANNEL_TIMEOUT_BLOCKS());
        refuse(part(A, 2), ILayerRoot.ChannelTimedOut.selector);
        refuse(seal(A, 2, 1, 1), ILayerRoot.ChannelTimedOut.selector);
        firstOrigin = 1050;
        accept(part(B, 0));
        accept(seal(B, 1, 1, 1));
    }

    function testSequencingWindow() public {
        vm.roll(1050);
        refuse(seal(A, 0, 1, 5), ILayerRoot.SequencingWindowPassed.selector);
        vm.assertEq(inbox.lastBlock(), 0);
        vm.roll(1049);
        accept(seal(A, 0, 1, 5));
    }

    function testMalformed() public {
        refuse("", ILayerRoot.MalformedCommitment.selector);
        refuse(hex"01", ILayerRoot.MalformedCommitment.selector);
        refuse(hex"0101a603", ILayerRoot.MalformedCommitment.selector);
        refuse(bytes.concat(part(A, 0), hex"00"), ILayerRoot.MalformedCommitment.selector);
        bytes memory s = seal(A, 0, 1, 1);
        assembly {
            mstore(s, sub(mload(s), 1))
        }
        refuse(s, ILayerRoot.MalformedCommitment.selector);
    }

    function testFuzzNothingElseIsAccepted(bytes calldata data) public {
        vm.assume(data.length < 4 || (bytes4(data) != 0x0101a601 && bytes4(data) != 0x0101a602));
        vm.assume(data.length < 4 || bytes4(data) != ILayerRoot.depositBond.selector);
        uint256 before = inbox.submissionCount();
        send(data);
        vm.assertEq(inbox.submissionCount(), before);
        vm.assertEq(inbox.openChannel().nextFrame, 0);
    }

    function testOnlyTheBatcher() public {
        address other = address(0x07e4);
        vm.prank(other, other);
        (bool ok, bytes memory why) = address(inbox).call(part(A, 0));
        vm.assertTrue(!ok, "accepted");
        vm.assertEq(bytes32(bytes4(why)), bytes32(ILayerRoot.NotBatcher.selector));
        config.set(other);
        refuse(part(A, 0), ILayerRoot.NotBatcher.selector);
        vm.prank(other, other);
        (ok, why) = address(inbox).call(part(A, 0));
        vm.assertEq(bytes32(bytes4(why)), bytes32(ILayerRoot.BondMissing.selector));
    }

    function testOnlyPlainTransactions() public {
        Relay relay = new Relay();
        config.set(address(relay));
        vm.prank(batcher, batcher);
        vm.assertTrue(!relay.send(address(inbox), part(A, 0)), "through a contract");
        config.set(batcher);
        vm.etch(batcher, abi.encodePacked(hex"ef0100", address(this))); // EIP-7702
        refuse(part(A, 0), ILayerRoot.NotPlainTransaction.selector);
        vm.etch(batcher, "");
        vm.prank(batcher, batcher);
        (bool ok, bytes memory why) = address(inbox).call{ value: 1 }(part(A, 0));
        vm.assertTrue(!ok, "accepted");
        vm.assertEq(bytes32(bytes4(why)), bytes32(ILayerRoot.ValueNotAccepted.selector));
    }

    function testBond() public {
        vm.startPrank(batcher, batcher);
        inbox.requestBondWithdrawal();
        vm.stopPrank();
        refuse(part(A, 0), ILayerRoot.BondMissing.selector);
        vm.prank(batcher, batcher);
        vm.expectRevert(abi.encodeWithSelector(ILayerRoot.BondLocked.selector, block.number + 60));
        inbox.withdrawBond();
        vm.roll(block.number + 60);
        vm.prank(batcher, batcher);
        inbox.withdrawBond();
        vm.assertEq(batcher.balance, 100 ether);
        vm.prank(batcher, batcher);
        vm.expectRevert(ILayerRoot.NothingToWithdraw.selector);
        inbox.withdrawBond();
        refuse(part(A, 0), ILayerRoot.BondMissing.selector);
        vm.prank(batcher, batcher);
        inbox.depositBond{ value: 10 ether }();
        accept(part(A, 0));
        vm.assertEq(inbox.bond(), 10 ether);
    }

    function testTopUpCancelsAWithdrawal() public {
        vm.startPrank(batcher, batcher);
        inbox.requestBondWithdrawal();
        inbox.depositBond{ value: 1 ether }();
        vm.stopPrank();
        accept(part(A, 0));
    }

    /// @dev Checks a stored submission against a SEAL of the vectors of agnt2/manifest.
    function checkVector(string memory json, string memory seal_, uint256 index, uint256 frames) internal view {
        ILayerRoot.Submission memory s = inbox.submissions(index);
        vm.assertEq(s.firstBlock, uint256(word(json, seal_, ".firstBlock")));
        vm.assertEq(s.lastBlock, uint256(word(json, seal_, ".lastBlock")));
        vm.assertEq(s.frames, frames);
        vm.assertEq(bytes32(s.channel), word(json, seal_, ".channel"), "channel");
        vm.assertEq(s.recordsRoot, word(json, seal_, ".recordsRoot"), "recordsRoot");
        vm.assertEq(bytes32(s.l1OriginCheck), word(json, seal_, ".l1OriginCheck"), "l1OriginCheck");
        vm.assertEq(bytes32(s.parentCheck), word(json, seal_, ".parentCheck"), "parentCheck");
        vm.assertEq(s.previousRoot, word(json, seal_, ".previousRoot"), "previousRoot");
        vm.assertEq(s.currentRoot, word(json, seal_, ".currentRoot"), "currentRoot");
        vm.assertEq(s.framesHash, word(json, seal_, ".framesHash"), "framesHash");
    }

    function word(string memory json, string memory object, string memory field) internal pure returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(object, field));
    }

    function expectSubmission(string memory json, string memory seal_, uint256 index) internal {
        vm.expectEmit(true, true, true, true, address(inbox));
        emit ILayerRoot.SubmissionAccepted(
            index,
            bytes16(word(json, seal_, ".channel")),
            uint64(uint256(word(json, seal_, ".firstBlock"))),
            uint64(uint256(word(json, seal_, ".lastBlock"))),
            word(json, seal_, ".recordsRoot"),
            word(json, seal_, ".previousRoot"),
            word(json, seal_, ".currentRoot"),
            uint64(uint256(word(json, seal_, ".interactions"))),
            uint256(word(json, seal_, ".volume"))
        );
    }

    /// @notice The commitments that the Go library encodes are accepted and stored with the fields that it says they have.
    function testVectors() public {
        string memory json = vm.readFile("../../agnt2/manifest/testdata/vectors.json");

        vm.setBlockhash(998, word(json, ".seal", ".l1OriginCheck"));
        vm.setBlockhash(997, word(json, ".last", ".l1OriginCheck"));

        expectSubmission(json, ".seal", 0);
        accept(vm.parseJsonBytes(json, ".seal.calldata"));
        checkVector(json, ".seal", 0, 1);

        vm.expectEmit(true, true, true, true, address(inbox));
        emit ILayerRoot.PartAccepted(
            bytes16(word(json, ".part", ".channel")),
            uint16(uint256(word(json, ".part", ".number"))),
            word(json, ".part", ".dataHash"),
            uint8(uint256(word(json, ".part", ".backend"))),
            word(json, ".part", ".pointer")
        );
        accept(vm.parseJsonBytes(json, ".part.calldata"));
        ILayerRoot.OpenChannel memory open = inbox.openChannel();
        vm.assertEq(bytes32(open.channel), word(json, ".part", ".channel"), "open channel");
        vm.assertEq(open.nextFrame, 1);
        vm.assertEq(open.framesHash, word(json, ".part", ".framesHash"), "open framesHash");

        expectSubmission(json, ".last", 1);
        accept(vm.parseJsonBytes(json, ".last.calldata"));
        checkVector(json, ".last", 1, 2);
        vm.assertEq(inbox.openChannel().nextFrame, 0);

        refuse(vm.parseJsonBytes(json, ".seal.calldata"), ILayerRoot.BadRange.selector);
    }
}
