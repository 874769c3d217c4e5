// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { TypedData } from "./TypedData.sol";

/// @title ChannelCalls
/// @notice Arguments of the channel operations, and the hashes that are signed of them: agnt2/vm/channelsig.go. Only for
///         calldata that the dispatch has found canonical. A signed struct's words stand in line, as its typed message has them.
library ChannelCalls {
    bytes32 private constant TERMS_TYPE = keccak256(
        "ChannelTerms(address agentA,address agentB,uint256 depositA,uint256 depositB,uint32 ttlSeconds,uint64 maxInteractions,uint32 heartbeatSeconds,address initiator,uint64 nonce,uint64 validUntil)"
    );
    bytes32 private constant STATE_TYPE = keccak256(
        "ChannelState(bytes32 channelId,uint64 nonce,uint256 balanceA,uint256 balanceB,uint256 depositA,uint256 depositB,uint64 interactionCount,bool isFinal)"
    );

    /// @dev Words of the structs.
    uint256 private constant TERMS_WORDS = 10;
    uint256 private constant STATE_WORDS = 8;

    struct Terms {
        address agentA;
        address agentB;
        uint256 depositA;
        uint256 depositB;
        uint32 ttlSeconds;
        uint64 maxInteractions;
        uint32 heartbeatSeconds;
        address initiator;
        uint64 nonce;
        uint64 validUntil;
    }

    struct State {
        bytes32 channelId;
        uint64 nonce;
        uint256 balanceA;
        uint256 balanceB;
        uint256 depositA;
        uint256 depositB;
        uint64 interactionCount;
        bool isFinal;
    }

    /// @notice Arguments of openChannel, and what its signatures are of.
    function open(
        bytes calldata args,
        uint64 chainId
    )
        internal
        pure
        returns (Terms memory terms, bytes32 digest, bytes calldata sigA, bytes calldata sigB)
    {
        terms = abi.decode(args, (Terms));
        digest = TypedData.digest(keccak256(abi.encodePacked(TERMS_TYPE, args[:32 * TERMS_WORDS])), chainId);
        sigA = _bytesAt(args, TERMS_WORDS);
        sigB = _bytesAt(args, TERMS_WORDS + 1);
    }

    /// @notice Arguments of checkpoint, closeChannel and disputeChannel; and at `word` those of reportDoubleSigning.
    /// @param  word The state's first word; its signatures' offsets follow it.
    function state(
        bytes calldata args,
        uint256 word,
        uint64 chainId
    )
        internal
        pure
        returns (State memory st, bytes32 digest, bytes calldata sigA, bytes calldata sigB)
    {
        unchecked {
            bytes calldata words = args[32 * word:32 * (word + STATE_WORDS)];
            st = abi.decode(words, (State));
            digest = TypedData.digest(keccak256(abi.encodePacked(STATE_TYPE, words)), chainId);
            sigA = _bytesAt(args, word + STATE_WORDS);
            sigB = _bytesAt(args, word + STATE_WORDS + 1);
        }
    }

    /// @notice Where reportDoubleSigning has its second state: after the first and the offsets of two signatures.
    uint256 internal constant SECOND = STATE_WORDS + 2;

    /// @dev The bytes argument whose offset is in a word.
    function _bytesAt(bytes calldata args, uint256 word) private pure returns (bytes calldata) {
        unchecked {
            uint256 at = uint256(bytes32(args[32 * word:]));
            uint256 size = uint256(bytes32(args[at:]));
            return args[at + 32:at + 32 + size];
        }
    }
}
