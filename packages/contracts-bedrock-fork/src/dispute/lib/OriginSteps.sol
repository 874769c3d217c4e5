// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IOrigin, IOriginLeaves } from "../IOrigin.sol";
import { ChunkTree } from "./ChunkTree.sol";
import { OriginRLP } from "./OriginRLP.sol";
import { OriginWalk } from "./OriginWalk.sol";

/// @title OriginSteps
/// @notice The ORIGIN phase of the fault-proof machine, one micro-step a call: an L1 block's receipts are read, and the user
///         deposits and SystemConfig updates of an L2 block derived from them, as op-node does. Mirrors agnt2/machine/origin.
/// @dev For every pre-state there is one result. A witness is checked against a commitment in the pre-state before anything
///      depends on it; a wrong one reverts.
library OriginSteps {
    /// @notice The state is not an encoded OriginState.
    error MalformedState();
    /// @notice The leaf is not in OriginLeaves.
    error LeafNotStored(bytes32 hash);
    /// @notice The witness is not the top of the stack of deposits.
    error NotTopOfDeposits();
    /// @notice There is no such step, or not in this state.
    error UnknownStep(uint8 kind);

    uint8 internal constant OPEN = 0;
    uint8 internal constant LOG = 1;
    uint8 internal constant DEPOSIT = 2;
    uint8 internal constant CONFIG = 3;
    uint8 internal constant REVERSE = 4;
    uint8 internal constant DONE = 5;

    /// @dev How a leaf stands in an OPEN witness.
    uint8 private constant LEAF_NONE = 0;
    uint8 private constant LEAF_INLINE = 1;
    uint8 private constant LEAF_STORED = 2;

    /// @dev Upper bound of all that stands before a log's data, and one byte of the data.
    uint256 private constant LOG_HEAD_BYTES = 168;
    /// @dev The most data that a TransactionDeposited log of the portal can have.
    uint256 private constant MAX_DEPOSIT_DATA = 120160;

    bytes32 private constant DEPOSIT_TOPIC = keccak256("TransactionDeposited(address,address,uint256,bytes)");
    bytes32 private constant CONFIG_TOPIC = keccak256("ConfigUpdate(uint256,uint8,bytes)");

    /// @dev A log without its data.
    struct LogHead {
        address emitter;
        bytes32[4] topics;
        uint256 count; // of topics
        uint256 data; // offset of the data
        uint256 end; // of data and log
    }

    /// @notice Makes one micro-step.
    /// @param kind The step.
    /// @param state abi.encode(OriginState); the caller has checked its hash.
    /// @param witness See Step in agnt2/machine/origin.
    /// @param portal OptimismPortal.
    /// @param systemConfig SystemConfig.
    /// @param leaves Contract of the strings too large for a witness.
    /// @return next The next step.
    /// @return newStateHash Hash of the state after the step.
    function step(
        uint8 kind,
        bytes calldata state,
        bytes calldata witness,
        address portal,
        address systemConfig,
        IOriginLeaves leaves
    )
        external
        view
        returns (uint8 next, bytes32 newStateHash)
    {
        if (state.length != 17 * 32) revert MalformedState();
        IOrigin.OriginState memory s = abi.decode(state, (IOrigin.OriginState));
        if (kind == OPEN) {
            next = _open(s, witness, leaves);
        } else if (kind == LOG) {
            next = _log(s, witness, portal, systemConfig);
        } else if (kind == DEPOSIT) {
            next = _deposit(s, witness);
        } else if (kind == CONFIG) {
            next = _config(s, witness);
        } else if (kind == REVERSE) {
            next = _reverse(s, witness);
        } else if (kind == DONE) {
            if (witness.length != 0) revert OriginWalk.MalformedWitness();
            next = DONE;
        } else {
            revert UnknownStep(kind);
        }
        newStateHash = keccak256(abi.encode(s));
    }

    function _open(
        IOrigin.OriginState memory s,
        bytes calldata witness,
        IOriginLeaves leaves
    )
        private
        view
        returns (uint8)
    {
        (OriginWalk.Position memory p, uint256 pos) = OriginWalk.walk(s.receiptsRoot, s.receiptIndex, witness);
        if (pos >= witness.length) revert OriginWalk.MalformedWitness();
        uint8 form = uint8(witness[pos]);
        witness = witness[pos + 1:];
        if (p.absent != (form == LEAF_NONE)) revert OriginWalk.MalformedWitness();
        if (form == LEAF_NONE) {
            if (witness.length != 0) revert OriginWalk.MalformedWitness();
            return _end(s);
        }
        bytes calldata head = witness;
        bytes32 root;
        uint256 length;
        if (form == LEAF_INLINE) {
            if (keccak256(witness) != p.ref) revert OriginWalk.WrongWalk();
            length = witness.length;
            if (length > ChunkTree.CHUNK_BYTES) head = witness[:ChunkTree.CHUNK_BYTES];
        } else if (form == LEAF_STORED) {
            (root, length) = leaves.leaf(p.ref);
            // No inner node of a receipts trie is as long as a chunk, so that only leaves pass.
            if (length <= ChunkTree.CHUNK_BYTES) revert LeafNotStored(p.ref);
            head = ChunkTree.verify(root, length, 0, ChunkTree.CHUNK_BYTES, witness);
        } else {
            revert OriginWalk.MalformedWitness();
        }
        (bool present, uint256 start) = OriginWalk.readLeaf(p, head, length);
        if (!present) return _end(s);
        uint256 end;
        (start, end) = OriginWalk.readReceipt(head, start, length);
        if (start == end) {
            ++s.receiptIndex;
            return OPEN;
        }
        s.leafRoot = form == LEAF_INLINE ? ChunkTree.rootOf(witness) : root;
        s.leafLength = uint64(length);
        s.cursor = uint64(start);
        s.logsEnd = uint64(end);
        return LOG;
    }

    /// @dev Goes on behind the last receipt.
    function _end(IOrigin.OriginState memory s) private pure returns (uint8) {
        return s.depositCount > 0 ? REVERSE : DONE;
    }

    function _log(
        IOrigin.OriginState memory s,
        bytes calldata witness,
        address portal,
        address systemConfig
    )
        private
        pure
        returns (uint8)
    {
        uint256 to = uint256(s.cursor) + LOG_HEAD_BYTES;
        if (to > s.logsEnd) to = s.logsEnd;
        LogHead memory l = _readLog(s, ChunkTree.verify(s.leafRoot, s.leafLength, s.cursor, to, witness));
        uint256 size = l.end - l.data;
        if (l.emitter == portal && l.count == 4 && l.topics[0] == DEPOSIT_TOPIC && size <= MAX_DEPOSIT_DATA) {
            s.logEnd = uint64(s.cursor + l.end);
            return DEPOSIT;
        }
        // An update with data of another size is malformed, or one that derivation ignores.
        if (l.emitter == systemConfig && l.count == 3 && l.topics[0] == CONFIG_TOPIC && (size == 96 || size == 128)) {
            s.logEnd = uint64(s.cursor + l.end);
            return CONFIG;
        }
        return _next(s, l.end);
    }

    /// @dev Goes on behind the log at the cursor, which has `size` bytes.
    function _next(IOrigin.OriginState memory s, uint256 size) private pure returns (uint8) {
        ++s.logIndex;
        s.cursor = uint64(s.cursor + size);
        s.logEnd = 0;
        if (s.cursor < s.logsEnd) return LOG;
        ++s.receiptIndex;
        s.leafRoot = 0;
        s.leafLength = 0;
        s.cursor = 0;
        s.logsEnd = 0;
        return OPEN;
    }

    /// @dev Reads the head of the log at the cursor, where b starts.
    function _readLog(IOrigin.OriginState memory s, bytes calldata b) private pure returns (LogHead memory l) {
        (uint256 pos, uint256 end) = OriginRLP.list(b, 0, s.logsEnd - s.cursor);
        bytes32 word;
        (word, pos) = OriginRLP.fixedStr(b, pos, end, 20);
        l.emitter = address(bytes20(word));
        uint256 topicsEnd;
        (pos, topicsEnd) = OriginRLP.list(b, pos, end);
        while (pos < topicsEnd) {
            if (l.count == 4) revert OriginRLP.MalformedRLP();
            (word, pos) = OriginRLP.fixedStr(b, pos, topicsEnd, 32);
            l.topics[l.count++] = word;
        }
        (l.data, l.end) = OriginRLP.str(b, topicsEnd, end);
        if (l.end != end) revert OriginRLP.MalformedRLP();
    }

    function _deposit(IOrigin.OriginState memory s, bytes calldata witness) private pure returns (uint8) {
        bytes calldata b = ChunkTree.verify(s.leafRoot, s.leafLength, s.cursor, s.logEnd, witness);
        LogHead memory l = _readLog(s, b);
        (bool ok, bytes32 hash) = _depositHash(l, b[l.data:l.end], s.l1BlockHash, s.logIndex);
        if (ok) {
            s.deposits = keccak256(abi.encode(s.deposits, hash));
            ++s.depositCount;
        }
        return _next(s, l.end);
    }

    /// @dev Hash of the deposit transaction that a TransactionDeposited log stands for, and false for a malformed log.
    function _depositHash(
        LogHead memory l,
        bytes calldata data,
        bytes32 l1BlockHash,
        uint256 logIndex
    )
        private
        pure
        returns (bool, bytes32)
    {
        // Version 0 is the only one.
        if (l.topics[3] != 0 || data.length < 64 || data.length % 32 != 0) return (false, 0);
        if (uint256(bytes32(data[:32])) != 32) return (false, 0);
        uint256 size = uint256(bytes32(data[32:64]));
        // Padded to 32 bytes, not more.
        if (size > data.length - 64 || size + 32 <= data.length - 64 || size < 73) return (false, 0);
        data = data[64:64 + size]; // mint 32, value 32, gas 8, creation 1, calldata

        // Domain 0: user deposit.
        bytes32 source = keccak256(abi.encode(bytes32(0), keccak256(abi.encode(l1BlockHash, logIndex))));
        bytes memory fields = abi.encodePacked(_parties(l, source, data[72] != 0), _amounts(data));
        data = data[73:];
        if (data.length != 1 || uint8(data[0]) >= 0x80) {
            fields = abi.encodePacked(fields, OriginRLP.header(0x80, data.length));
        }
        bytes memory head = OriginRLP.header(0xc0, fields.length + data.length);
        return (true, keccak256(abi.encodePacked(bytes1(0x7e), head, fields, data)));
    }

    /// @dev RLP of source hash, sender and recipient, which a contract creation has not got.
    function _parties(LogHead memory l, bytes32 source, bool creation) private pure returns (bytes memory) {
        bytes memory from = abi.encodePacked(bytes1(0xa0), source, bytes1(0x94), address(uint160(uint256(l.topics[1]))));
        if (creation) return abi.encodePacked(from, bytes1(0x80));
        return abi.encodePacked(from, bytes1(0x94), address(uint160(uint256(l.topics[2]))));
    }

    /// @dev RLP of mint, value, gas limit and the mark of a system transaction, which a user deposit never is.
    function _amounts(bytes calldata opaque) private pure returns (bytes memory) {
        return abi.encodePacked(
            OriginRLP.integer(uint256(bytes32(opaque[:32]))),
            OriginRLP.integer(uint256(bytes32(opaque[32:64]))),
            OriginRLP.integer(uint64(bytes8(opaque[64:72]))),
            bytes1(0x80)
        );
    }

    /// @dev Applies a ConfigUpdate log as derivation does after Ecotone. Malformed, invalid and unknown updates change nothing.
    function _config(IOrigin.OriginState memory s, bytes calldata witness) private pure returns (uint8) {
        bytes calldata b = ChunkTree.verify(s.leafRoot, s.leafLength, s.cursor, s.logEnd, witness);
        LogHead memory l = _readLog(s, b);
        _update(s, l.topics[1], l.topics[2], b[l.data:l.end]);
        return _next(s, l.end);
    }

    function _update(
        IOrigin.OriginState memory s,
        bytes32 version,
        bytes32 updateType,
        bytes calldata data
    )
        private
        pure
    {
        if (version != 0 || uint256(bytes32(data[:32])) != 32) return;
        if (uint256(bytes32(data[32:64])) != data.length - 64) return;
        uint256 value = uint256(bytes32(data[data.length - 32:]));
        if (updateType == 0) {
            // Batcher.
            if (data.length == 96 && value >> 160 == 0) s.batcherHash = bytes32(value);
        } else if (updateType == bytes32(uint256(1))) {
            // Fee scalars: the overhead is not used, the scalar has a version in its first byte.
            if (data.length != 128 || uint184(value >> 64) != 0) return;
            uint256 format = value >> 248;
            if ((format == 0 && uint32(value >> 32) == 0) || format == 1) {
                s.blobBaseFeeScalar = uint32(value >> 32);
                s.baseFeeScalar = uint32(value);
            }
        } else if (updateType == bytes32(uint256(2))) {
            if (data.length == 96 && value >> 64 == 0) s.gasLimit = uint64(value);
        }
    }

    /// @dev Moves the top of the stack, which lies on the rest, to the queue.
    function _reverse(IOrigin.OriginState memory s, bytes calldata witness) private pure returns (uint8) {
        if (s.depositCount == 0) revert UnknownStep(REVERSE);
        if (witness.length != 64) revert OriginWalk.MalformedWitness();
        if (keccak256(witness) != s.deposits) revert NotTopOfDeposits();
        s.deposits = bytes32(witness[:32]);
        --s.depositCount;
        s.queue = keccak256(abi.encode(s.queue, bytes32(witness[32:])));
        ++s.queueCount;
        return _end(s);
    }
}
