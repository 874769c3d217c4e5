// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title ILayerRoot
/// @notice AGNT2's batch inbox, data-availability registry and sequencer bond (AGNT2 paper §4.5, App. C.2).
///         A *submission* is one OP channel. Every L1 transaction of the batcher carries one commitment: a PART for a
///         frame that is not its channel's last, a SEAL for the last one. Wire format: docs/spec/da.md.
/// @dev What this contract accepts is what nodes derive from: a commitment that it refuses reverts, and the node's view of
///      L1 leaves reverted inbox transactions out.
interface ILayerRoot {
    /// @notice Life of a submission. Expired and Voided are reserved for data-availability challenges.
    enum Status {
        None,
        Live,
        Expired,
        Voided
    }

    /// @notice One accepted channel.
    /// @param firstBlock     first L2 block.
    /// @param lastBlock      last L2 block.
    /// @param l1Block        L1 block in which the SEAL was accepted.
    /// @param frames         number of frames.
    /// @param status         life of the submission.
    /// @param channel        OP channel id.
    /// @param recordsRoot    Merkle root over one record per L2 block.
    /// @param l1OriginCheck  first 20 bytes of the hash of the last block's L1 origin.
    /// @param parentCheck    first 20 bytes of the hash of the first block's parent.
    /// @param previousRoot   claimed state root before firstBlock; 0 if unclaimed.
    /// @param currentRoot    claimed state root after lastBlock; 0 if unclaimed.
    /// @param framesHash     fold of the frames: h = keccak256(h ‖ dataHash ‖ backend ‖ pointer), from 0, in order.
    struct Submission {
        uint64 firstBlock;
        uint64 lastBlock;
        uint64 l1Block;
        uint16 frames;
        Status status;
        bytes16 channel;
        bytes32 recordsRoot;
        bytes20 l1OriginCheck;
        bytes20 parentCheck;
        bytes32 previousRoot;
        bytes32 currentRoot;
        bytes32 framesHash;
    }

    /// @notice A channel whose SEAL is still to come.
    /// @param channel     OP channel id; 0 with nextFrame 0 if no channel is open.
    /// @param nextFrame   frame number that must come next.
    /// @param openedAt    L1 block of frame 0.
    /// @param framesHash  fold of the frames so far.
    struct OpenChannel {
        bytes16 channel;
        uint16 nextFrame;
        uint64 openedAt;
        bytes32 framesHash;
    }

    /// @notice A PART was accepted.
    event PartAccepted(bytes16 indexed channel, uint16 number, bytes32 dataHash, uint8 backend, bytes32 pointer);
    /// @notice A SEAL completed a submission.
    event SubmissionAccepted(
        uint256 indexed index,
        bytes16 indexed channel,
        uint64 firstBlock,
        uint64 lastBlock,
        bytes32 recordsRoot,
        bytes32 previousRoot,
        bytes32 currentRoot,
        uint64 interactions,
        uint256 volumeWei
    );
    /// @notice A channel was given up for another one before its SEAL.
    event ChannelAbandoned(bytes16 indexed channel, uint16 frames);
    event BondDeposited(address indexed owner, uint256 amountWei, uint256 bondWei);
    event BondWithdrawalRequested(address indexed owner, uint256 withdrawableAtBlock);
    event BondWithdrawn(address indexed owner, uint256 amountWei);

    /// @notice Only plain transactions count: no contract between the sender and the inbox, no code at the sender, no blobs.
    error NotPlainTransaction();
    /// @notice The sender is not SystemConfig's batcher.
    error NotBatcher(address sender, address batcher);
    /// @notice Commitments carry no value.
    error ValueNotAccepted();
    /// @notice The batcher's bond is below the minimum, or its withdrawal has been requested.
    error BondMissing(uint256 bondWei, uint256 minimumWei);
    /// @notice The calldata is not a commitment.
    error MalformedCommitment();
    /// @notice The frame does not follow the open channel's last one.
    error FrameOutOfOrder(bytes16 channel, uint16 number, bytes16 openChannel, uint16 nextFrame);
    /// @notice Derivation has dropped the channel: its first frame is too old.
    error ChannelTimedOut(bytes16 channel, uint64 openedAt);
    /// @notice The first block's sequencing window has passed: derivation has put an empty block in its place.
    error SequencingWindowPassed(uint64 firstBlock, uint64 firstL1Origin);
    /// @notice No recent L1 block has that hash: the L1 chain that the blocks were built on is not this one.
    error StaleOrigin(bytes20 l1OriginCheck);
    /// @notice A frame number above the bound, or a PART that leaves no room for a SEAL.
    error TooManyFrames(uint16 number);
    /// @notice The range is empty, too long, touches genesis, or does not lie above the last live submission.
    error BadRange(uint64 firstBlock, uint64 lastBlock, uint64 lastSubmittedBlock);
    /// @notice There is no such bond, or its withdrawal was not requested.
    error NothingToWithdraw();
    /// @notice The bond stays until that block.
    error BondLocked(uint256 withdrawableAtBlock);

    /// @notice Adds `msg.value` to the caller's bond and cancels a requested withdrawal.
    function depositBond() external payable;

    /// @notice Takes the caller's bond out of service; it can be withdrawn after `bondDelayBlocks`.
    function requestBondWithdrawal() external;

    /// @notice Pays the caller's whole bond to it.
    function withdrawBond() external;

    /// @notice Bond in wei of the present batcher, requested withdrawals included.
    function bond() external view returns (uint256);

    /// @notice Bond in wei of an account and the block from which it can be withdrawn (0: not requested).
    function bondOf(address owner) external view returns (uint256 amountWei, uint256 withdrawableAtBlock);

    function minimumBondWei() external view returns (uint256);
    function bondDelayBlocks() external view returns (uint256);

    /// @notice SystemConfig's batcher.
    function batcher() external view returns (address);

    /// @notice Number of submissions ever accepted.
    function submissionCount() external view returns (uint256);

    /// @notice Submission by index, from 0.
    function submissions(uint256 index) external view returns (Submission memory);

    /// @notice Last L2 block of the newest live submission; 0 if there is none.
    function lastBlock() external view returns (uint64);

    /// @notice The channel whose SEAL is still to come.
    function openChannel() external view returns (OpenChannel memory);
}
