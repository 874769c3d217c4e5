// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title IFrames
/// @notice Layout of the machine's frames: what a micro-step can see and change beside one record (docs/spec/machine.md).
///         A frame is committed as keccak256(abi.encode(frame)); a witness carries it packed. A frame that is not in use is
///         committed as zero.
/// @dev Never called: the functions only make the compiler emit the structs' ABI, from which codecs are generated.
interface IFrames {
    /// @notice What is proven: the game, its L1 chain, and the content of the block as L1 gives it.
    struct Run {
        // The game's claims.
        bytes32 disputed; // output root that the game disputes
        bytes32 agreed; // output root of the parent block, on which the players agree
        // The parent block.
        bytes32 parentHash;
        bytes32 parentRoot; // record trie
        bytes32 parentPasser; // message passer's storage trie
        uint64 number; // of the block to be derived
        uint64 time; // its timestamp
        bytes32 extra; // extraData, 9 bytes, left-aligned: the chain's EIP-1559 constants
        bytes32 baseFee; // of the block, from the parent's header
        uint64 parentOrigin; // L1 origin of the parent
        bytes32 parentOriginHash;
        uint64 sequenceNumber; // of the parent within its L1 origin
        // System configuration after the parent, then after the block's own L1 origin.
        bytes32 batcherHash;
        uint32 baseFeeScalar;
        uint32 blobBaseFeeScalar;
        uint64 gasLimit;
        // The walk over L1 headers.
        bytes32 walk; // hash of the next header
        uint64 walkLeft; // headers until the proof head, then unused
        uint64 headNumber; // proof head
        bytes32 headRoot; // its state root
        // The block's content.
        uint64 origin; // number of the L1 origin; of an empty block at first the candidate
        bool empty; // derived without a batch
        bool settled; // the origin of an empty block is known
        uint64 txCount; // signed transactions; 0 after a malformed one has replaced the batch
        uint64 txNext; // index of the next one
        bytes32 txsRoot; // binary Merkle root over their hashes
        // The L1 origin's header.
        bytes32 originHash;
        uint64 originTime;
        bytes32 originBaseFee;
        bytes32 originBlobBaseFee;
        bytes32 originRandao;
        bytes32 originBeaconRoot;
        bytes32 originReceipts; // receipts root
        // User deposits of the L1 origin: a stack of transaction hashes, the first on top, and how many are left.
        bytes32 allDeposits;
        uint64 depositCount;
        bytes32 deposits;
        uint64 depositsLeft;
    }

    /// @notice What transactions read of the block, and its gas so far.
    struct Block {
        uint64 number;
        uint64 time; // Unix seconds
        uint64 gasLimit;
        uint64 gasUsed;
        uint256 baseFee; // wei per gas
        uint256 l1Price; // 10^-6 wei per byte of transaction
        bytes32 policy; // hash of the Policy record
    }

    /// @notice What accumulates over the block and is written when it closes.
    struct Sums {
        uint64 agents;
        uint64 interactions;
        uint256 volumeWei;
        uint64 messageNonce;
        uint64 channels;
        uint256 burnedWei;
        uint256 baseFees; // wei
        uint256 priorityFees; // wei
        uint256 l1Fees; // wei
        bytes32 passer; // root of the message passer's storage trie
        uint64 index; // of the next transaction in the block
        bytes32 transactions; // open edge of the transactions' ordered trie; its root at the end
        bytes32 receipts; // the same of the receipts
        bytes32 bloom; // hash of the block's 256 bytes of bloom
    }

    /// @notice The transaction in progress: as decoded, and what its beginning fixed.
    struct Tx {
        bool deposit;
        address from;
        address to;
        bool creation; // no recipient
        uint64 nonce;
        uint64 gasLimit;
        uint256 feeCap; // wei per gas
        uint256 tipCap; // wei per gas
        uint256 value; // wei
        uint256 mint; // wei
        bytes32 data; // hash of the calldata
        uint32 size; // bytes of the encoded transaction
        bytes32 hash;
        // Set by txBegin or depositBegin.
        uint256 gasPrice; // effective, wei per gas
        uint256 l1Fee; // wei
        uint256 reserve; // wei
        bool valueTaken;
        bool isVoid;
        bytes32 root; // of the record trie when the operation began
        // Set when the receipt is assembled.
        bytes32 receipt; // hash of its encoding
        uint32 receiptSize; // bytes
    }

    /// @notice Registers of the operation in progress.
    struct Op {
        address from;
        uint256 value; // wei
        uint64 gasLimit;
        uint64 gasUsed;
        bytes32 data; // hash of the calldata
        uint256 stake; // wei, of the sender before the operation
        uint32 pending; // INVOKEs of the sender before the operation
        bool registered; // the sender before the operation
        uint32 holds; // open channels and disputes of the sender before the operation
        uint32 effect; // what the end does with sender and sums: docs/spec/machine.md
        uint256 credit; // wei to the sender at the end
        uint32 index; // position in a list argument
        uint32 epoch;
        uint32 count;
        uint32 pruned; // sweeps: interactions that have moved into the history
        bytes32 id; // of the interaction
        bytes32 word; // INVOKE: maxPriceWei; RESPOND: resultHash; channels: wei burned, later hash of the settled record
        uint8 status; // RESPOND; channels: which operation
        uint32 branch; // RESPOND
        bool flag; // RESPOND: attestation there, later that the pair counts
        uint64 pairs; // RESPOND: interactions of the pair so far; openChannel: nonce
        bytes32 message; // withdrawal's hash; openResult: result
        bytes32 logs; // chain over the hashes of the logs' encodings
        bool failed;
        address actor; // who acts for `from`, until the operation begins; INVOKE: callee; RESPOND: the callee's owner, then who has attested
        bool settled; // txEnd has settled with `from`, which is not the sender
        uint64 paced; // INVOKE: the sender's rate bucket, before the operation and then after it
        uint16 discount; // 1/10000; the sender's of an INVOKE's class gas; RESPOND: its new one
        address owner; // of `from`, zero: itself; transferOwnership: the new one
    }

    /// @notice DISCOVER in progress: what is looked for, and how good the best provider so far is. The index's cursor and the
    ///         providers are in Op.
    struct Search {
        uint256 maxPriceWei;
        uint32 maxLatencyMs;
        uint16 minReputation;
        bytes32 inputSchemaHash;
        bytes32 outputSchemaHash;
        uint64 time; // Unix seconds, of the block
        uint32 halfLifeSeconds;
        uint16 eligibilityScore;
        uint64 points; // of the candidate, without its score
        uint64 bestPoints;
    }

    function run() external view returns (Run memory);
    function blockFrame() external view returns (Block memory);
    function sums() external view returns (Sums memory);
    function txFrame() external view returns (Tx memory);
    function op() external view returns (Op memory);
    function search() external view returns (Search memory);
}
