// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { ILayerRoot } from "./interfaces/ILayerRoot.sol";

/// @notice The part of OP's SystemConfig that LayerRoot reads.
interface ISystemConfigBatcher {
    /// @notice The batcher's address, left-padded.
    function batcherHash() external view returns (bytes32);
}

/// @title LayerRoot
/// @notice See ILayerRoot. Not upgradeable: its address is the batch inbox of the rollup configuration.
contract LayerRoot is ILayerRoot {
    struct Bond {
        uint192 amount;
        uint64 withdrawableAt; // L1 block; 0: no withdrawal requested
    }

    /// @dev Commitment tags and sizes; see docs/spec/da.md. Sizes include OP's two leading bytes.
    bytes4 internal constant PART_TAG = 0x0101a601;
    bytes4 internal constant SEAL_TAG = 0x0101a602;
    uint256 internal constant PART_SIZE = 2 + 2 + 83;
    uint256 internal constant SEAL_SIZE = PART_SIZE + 200;

    /// @dev Offsets of the fields in calldata.
    uint256 internal constant CHANNEL = 4;
    uint256 internal constant NUMBER = 20;
    uint256 internal constant DATA_HASH = 22;
    uint256 internal constant BACKEND = 54;
    uint256 internal constant POINTER = 55;
    uint256 internal constant FIRST_BLOCK = 87;
    uint256 internal constant LAST_BLOCK = 95;
    uint256 internal constant FIRST_L1_ORIGIN = 103;
    uint256 internal constant RECORDS_ROOT = 111;
    uint256 internal constant L1_ORIGIN_CHECK = 143;
    uint256 internal constant PARENT_CHECK = 163;
    uint256 internal constant PREVIOUS_ROOT = 183;
    uint256 internal constant CURRENT_ROOT = 215;
    uint256 internal constant INTERACTIONS = 247;
    uint256 internal constant VOLUME = 255;

    /// @notice L2 blocks that one submission may carry.
    uint64 public constant MAX_SUBMISSION_BLOCKS = 1 << 16;
    /// @notice Frames that one channel may have.
    uint16 public constant MAX_FRAMES = 1024;
    /// @notice L1 blocks after its first frame in which a channel must be complete (OP specs, Granite).
    uint64 public constant CHANNEL_TIMEOUT_BLOCKS = 50;

    ISystemConfigBatcher public immutable systemConfig;
    /// @inheritdoc ILayerRoot
    uint256 public immutable minimumBondWei;
    /// @notice L1 blocks in which a submission can be challenged.
    uint64 public immutable challengeWindowBlocks;
    /// @notice L1 blocks in which a challenge can be answered.
    uint64 public immutable resolveWindowBlocks;
    /// @notice L1 blocks after its L1 origin within which an L2 block must be posted (seq_window_size of the rollup).
    uint64 public immutable sequencingWindowBlocks;
    /// @inheritdoc ILayerRoot
    uint256 public immutable bondDelayBlocks;

    Submission[] internal _submissions;
    OpenChannel internal _open;
    mapping(address owner => Bond) internal _bonds;

    /// @param _systemConfig           OP's SystemConfig proxy, which names the batcher.
    /// @param _minimumBondWei         bond without which nothing is accepted.
    /// @param _challengeWindowBlocks  L1 blocks, below the sequencing window together with the next one.
    /// @param _resolveWindowBlocks    L1 blocks.
    /// @param _sequencingWindowBlocks L1 blocks; a bond stays for all three windows after its withdrawal is requested.
    constructor(
        address _systemConfig,
        uint256 _minimumBondWei,
        uint64 _challengeWindowBlocks,
        uint64 _resolveWindowBlocks,
        uint64 _sequencingWindowBlocks
    ) {
        systemConfig = ISystemConfigBatcher(_systemConfig);
        minimumBondWei = _minimumBondWei;
        challengeWindowBlocks = _challengeWindowBlocks;
        resolveWindowBlocks = _resolveWindowBlocks;
        sequencingWindowBlocks = _sequencingWindowBlocks;
        bondDelayBlocks = uint256(_challengeWindowBlocks) + _resolveWindowBlocks + _sequencingWindowBlocks;
    }

    /// @notice Takes one commitment of the batcher.
    fallback() external payable {
        _checkSender();
        bytes4 tag = bytes4(_word(0));
        if (tag == PART_TAG && msg.data.length == PART_SIZE) {
            _part();
        } else if (tag == SEAL_TAG && msg.data.length == SEAL_SIZE) {
            _seal();
        } else {
            revert MalformedCommitment();
        }
    }

    // ------------------------------------------------------------------------------------------------------ acceptance

    /// @dev EIP-7702 gives an account code while it still sends plain transactions; such an account could make the inbox see
    ///      what the transaction's own recipient and calldata do not show, so it is refused. Blobs would be a second payload.
    function _checkSender() internal view {
        if (msg.value != 0) revert ValueNotAccepted();
        if (tx.origin != msg.sender || msg.sender.code.length != 0 || blobhash(0) != 0) revert NotPlainTransaction();
        address expected = batcher();
        if (msg.sender != expected) revert NotBatcher(msg.sender, expected);
        Bond memory b = _bonds[msg.sender];
        if (b.amount < minimumBondWei || b.withdrawableAt != 0) revert BondMissing(b.amount, minimumBondWei);
    }

    /// @dev Reads 32 bytes of calldata; past its end they are zero.
    function _word(uint256 offset) internal pure returns (bytes32 w) {
        assembly ("memory-safe") {
            w := calldataload(offset)
        }
    }

    function _u64(uint256 offset) internal pure returns (uint64) {
        return uint64(uint256(_word(offset)) >> 192);
    }

    /// @dev Checks that the frame is the next one of its channel and returns the fold with it. Frame 0 opens a channel; one
    ///      that is open then has been abandoned (OP's batcher does that after a restart), and its frames count for nothing.
    function _frame() internal returns (bytes16 channel, uint16 number, bytes32 framesHash) {
        channel = bytes16(_word(CHANNEL));
        number = uint16(uint256(_word(NUMBER)) >> 240);
        if (number == 0) {
            if (_open.nextFrame != 0) emit ChannelAbandoned(_open.channel, _open.nextFrame);
        } else {
            if (_open.channel != channel || _open.nextFrame != number) {
                revert FrameOutOfOrder(channel, number, _open.channel, _open.nextFrame);
            }
            if (block.number > uint256(_open.openedAt) + CHANNEL_TIMEOUT_BLOCKS) {
                revert ChannelTimedOut(channel, _open.openedAt);
            }
            framesHash = _open.framesHash;
        }
        framesHash = keccak256(abi.encodePacked(framesHash, _word(DATA_HASH), bytes1(_word(BACKEND)), _word(POINTER)));
    }

    function _part() internal {
        (bytes16 channel, uint16 number, bytes32 framesHash) = _frame();
        if (number >= MAX_FRAMES - 1) revert TooManyFrames(number);
        uint64 openedAt = number == 0 ? uint64(block.number) : _open.openedAt;
        _open = OpenChannel({ channel: channel, nextFrame: number + 1, openedAt: openedAt, framesHash: framesHash });
        emit PartAccepted(channel, number, _word(DATA_HASH), uint8(bytes1(_word(BACKEND))), _word(POINTER));
    }

    function _seal() internal {
        (bytes16 channel, uint16 number, bytes32 framesHash) = _frame();
        if (number >= MAX_FRAMES) revert TooManyFrames(number);
        uint64 first = _u64(FIRST_BLOCK);
        uint64 last = _u64(LAST_BLOCK);
        uint64 previous = lastBlock();
        // Not "the next block": where nothing was posted within the sequencing window, the blocks in between are empty.
        if (first <= previous || last < first || last - first >= MAX_SUBMISSION_BLOCKS) {
            revert BadRange(first, last, previous);
        }
        // Derivation has replaced blocks whose window has passed, and drops what comes too late.
        uint64 origin = _u64(FIRST_L1_ORIGIN);
        if (block.number > uint256(origin) + sequencingWindowBlocks) revert SequencingWindowPassed(first, origin);
        _checkOrigin(bytes20(_word(L1_ORIGIN_CHECK)));
        delete _open;
        uint256 index = _submissions.length;
        _submissions.push(
            Submission({
                firstBlock: first,
                lastBlock: last,
                l1Block: uint64(block.number),
                frames: number + 1,
                status: Status.Live,
                channel: channel,
                recordsRoot: _word(RECORDS_ROOT),
                l1OriginCheck: bytes20(_word(L1_ORIGIN_CHECK)),
                parentCheck: bytes20(_word(PARENT_CHECK)),
                previousRoot: _word(PREVIOUS_ROOT),
                currentRoot: _word(CURRENT_ROOT),
                framesHash: framesHash
            })
        );
        emit SubmissionAccepted(
            index,
            channel,
            first,
            last,
            _word(RECORDS_ROOT),
            _word(PREVIOUS_ROOT),
            _word(CURRENT_ROOT),
            _u64(INTERACTIONS),
            uint256(_word(VOLUME))
        );
    }

    /// @dev The last block's L1 origin must be one of the last 256 blocks, which cover every sequencing window that the
    ///      protocol allows (50 blocks). After an L1 reorg the transactions of the abandoned blocks are mined again, but
    ///      derivation drops batches that were built on them; were they accepted here, they would use up a range that the
    ///      batcher must post again.
    function _checkOrigin(bytes20 check) internal view {
        for (uint256 n = block.number; n > 0 && block.number - n < 256;) {
            if (bytes20(blockhash(--n)) == check) return;
        }
        revert StaleOrigin(check);
    }

    // ------------------------------------------------------------------------------------------------------------ bond

    /// @inheritdoc ILayerRoot
    function depositBond() external payable {
        Bond storage b = _bonds[msg.sender];
        b.amount += uint192(msg.value);
        b.withdrawableAt = 0;
        emit BondDeposited(msg.sender, msg.value, b.amount);
    }

    /// @inheritdoc ILayerRoot
    function requestBondWithdrawal() external {
        Bond storage b = _bonds[msg.sender];
        if (b.amount == 0) revert NothingToWithdraw();
        if (b.withdrawableAt == 0) b.withdrawableAt = uint64(block.number + bondDelayBlocks);
        emit BondWithdrawalRequested(msg.sender, b.withdrawableAt);
    }

    /// @inheritdoc ILayerRoot
    function withdrawBond() external {
        Bond memory b = _bonds[msg.sender];
        if (b.amount == 0 || b.withdrawableAt == 0) revert NothingToWithdraw();
        if (block.number < b.withdrawableAt) revert BondLocked(b.withdrawableAt);
        delete _bonds[msg.sender];
        emit BondWithdrawn(msg.sender, b.amount);
        (bool ok,) = msg.sender.call{ value: b.amount }("");
        require(ok);
    }

    // ----------------------------------------------------------------------------------------------------------- views

    /// @inheritdoc ILayerRoot
    function bond() external view returns (uint256) {
        return _bonds[batcher()].amount;
    }

    /// @inheritdoc ILayerRoot
    function bondOf(address owner) external view returns (uint256, uint256) {
        return (_bonds[owner].amount, _bonds[owner].withdrawableAt);
    }

    /// @inheritdoc ILayerRoot
    function batcher() public view returns (address) {
        return address(uint160(uint256(systemConfig.batcherHash())));
    }

    /// @inheritdoc ILayerRoot
    function submissionCount() external view returns (uint256) {
        return _submissions.length;
    }

    /// @inheritdoc ILayerRoot
    function submissions(uint256 index) external view returns (Submission memory) {
        return _submissions[index];
    }

    /// @inheritdoc ILayerRoot
    function lastBlock() public view returns (uint64) {
        uint256 n = _submissions.length;
        return n == 0 ? 0 : _submissions[n - 1].lastBlock;
    }

    /// @inheritdoc ILayerRoot
    function openChannel() external view returns (OpenChannel memory) {
        return _open;
    }
}
