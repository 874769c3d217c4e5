// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IFrames } from "../IFrames.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { RecordTrie } from "./RecordTrie.sol";
import { UnpackFrames } from "./UnpackFrames.sol";
import { UnpackRecords } from "./UnpackRecords.sol";

/// @notice A micro-step of execution in progress: the machine's state, the frames that are open, the witness, and the
///         record that the step has touched.
/// @dev    Positions are those of calldata. A frame that is not open is all zeros, and must not be looked at; a step may
///         replace it as a whole with `setOp` or `setCall`.
struct Context {
    bytes state; // the 258 bytes of docs/spec/machine.md; `close` makes them the next state's
    uint256 opened; // bits of ContextLib: frames whose hash `close` renews
    uint256 cursor; // next byte of the witness
    uint256 end; // of the witness
    uint256 dataAt; // the operation's calldata
    uint256 dataSize; // bytes
    IFrames.Block blk;
    IFrames.Sums sums;
    IFrames.Tx transaction;
    IFrames.Op op;
    IRecords.Interaction call;
    IRecords.Channel channel;
    IRecords.Params params;
    IRecords.Policy policy;
    IRecords.Dispute dispute; // committed to where `call` is: a step opens only one of them
    IFrames.Search search; // in the state where the call is
    IRecords.Composition composition; // in the place of `call`
    IRecords.Constituent constituent; // likewise
    bool touched; // a record was read; its proof is at the cursor
    bytes32 key; // of that record
    bytes32 oldHash; // its value hash before the step; zero: absent
    bytes32 newHash; // after it
}

/// @title ContextLib
/// @notice Opens a micro-step's state and witness, and closes them to the next state (docs/spec/machine.md). A witness that
///         is wrong, too short or too long reverts. A step reads at most one record, and may write or remove that one.
library ContextLib {
    /// @notice The state has not 258 bytes.
    error StateLength();
    /// @notice A frame of the witness is not the one that the state commits to.
    error FrameMismatch();
    /// @notice The calldata of the witness is not the operation's.
    error CalldataMismatch();
    /// @notice The witness ends too early.
    error WitnessTruncated();
    /// @notice The witness goes on where the step has all it needs.
    error WitnessExcess();
    /// @notice The byte before a record is neither 0 nor 1.
    error PresenceFlag();
    /// @notice The proof has a sibling's preimage, but the step deletes nothing.
    error PreimageExcess();
    /// @notice A step came to a second record: a fault of this code.
    error SecondRecord();

    // What a step opens: the bits of agnt2/vm's Opens.
    uint256 internal constant BLOCK = 1;
    uint256 internal constant SUMS = 2;
    uint256 internal constant TX = 4;
    uint256 internal constant OP = 8;
    uint256 internal constant CALL = 16;
    uint256 internal constant PARAMS = 32; // read only
    uint256 internal constant DATA = 64; // read only
    uint256 internal constant POLICY = 128; // read only; committed to by the block frame, which must be open
    // The record or search in progress, in the place of CALL.
    uint256 internal constant CHANNEL = 256;
    uint256 internal constant SEARCH = 512;
    uint256 internal constant COMPOSITION = 1024;
    uint256 internal constant CONSTITUENT = 2048;
    uint256 internal constant DISPUTE = 4096;

    /// @dev Length of a state, and positions of its fields.
    uint256 internal constant STATE_LENGTH = 258;
    uint256 internal constant STEP_AT = 1;
    uint256 internal constant ROOT_AT = 2;
    uint256 internal constant BLOCK_AT = 66;
    uint256 internal constant SUMS_AT = 98;
    uint256 internal constant TX_AT = 130;
    uint256 internal constant OP_AT = 162;
    uint256 internal constant CALL_AT = 194;
    uint256 internal constant PARAMS_AT = 226;

    // ------------------------------------------------------------------------------------------------ state and witness

    /// @notice Begins a micro-step: checks the frames and the calldata that it opens.
    /// @param  stateData The machine's state.
    /// @param  proof     The witness.
    /// @param  opens     What the step opens.
    function open(
        bytes calldata stateData,
        bytes calldata proof,
        uint256 opens
    )
        internal
        pure
        returns (Context memory ctx)
    {
        if (stateData.length != STATE_LENGTH) revert StateLength();
        ctx.state = stateData;
        ctx.opened = opens;
        uint256 p;
        if (opens & BLOCK != 0) {
            (ctx.blk, p) = UnpackFrames.unpackBlock(proof, p);
            if (hash(ctx.blk) != _field(ctx, BLOCK_AT)) revert FrameMismatch();
        }
        if (opens & SUMS != 0) {
            (ctx.sums, p) = UnpackFrames.unpackSums(proof, p);
            if (hash(ctx.sums) != _field(ctx, SUMS_AT)) revert FrameMismatch();
        }
        if (opens & TX != 0) {
            (ctx.transaction, p) = UnpackFrames.unpackTx(proof, p);
            if (hash(ctx.transaction) != _field(ctx, TX_AT)) revert FrameMismatch();
        }
        if (opens & OP != 0) {
            (ctx.op, p) = UnpackFrames.unpackOp(proof, p);
            if (hash(ctx.op) != _field(ctx, OP_AT)) revert FrameMismatch();
        }
        if (opens & CALL != 0) {
            (ctx.call, p) = UnpackRecords.unpackInteraction(proof, p);
            if (hash(ctx.call) != _field(ctx, CALL_AT)) revert FrameMismatch();
        }
        if (opens & CHANNEL != 0) {
            (ctx.channel, p) = UnpackRecords.unpackChannel(proof, p);
            if (hash(ctx.channel) != _field(ctx, CALL_AT)) revert FrameMismatch();
        }
        if (opens & DISPUTE != 0) {
            (ctx.dispute, p) = UnpackRecords.unpackDispute(proof, p);
            if (hash(ctx.dispute) != _field(ctx, CALL_AT)) revert FrameMismatch();
        }
        if (opens & SEARCH != 0) {
            (ctx.search, p) = UnpackFrames.unpackSearch(proof, p);
            if (hash(ctx.search) != _field(ctx, CALL_AT)) revert FrameMismatch();
        }
        if (opens & COMPOSITION != 0) {
            (ctx.composition, p) = UnpackRecords.unpackComposition(proof, p);
            if (hash(ctx.composition) != _field(ctx, CALL_AT)) revert FrameMismatch();
        }
        if (opens & CONSTITUENT != 0) {
            (ctx.constituent, p) = UnpackRecords.unpackConstituent(proof, p);
            if (hash(ctx.constituent) != _field(ctx, CALL_AT)) revert FrameMismatch();
        }
        if (opens & PARAMS != 0) {
            (ctx.params, p) = UnpackRecords.unpackParams(proof, p);
            if (hash(ctx.params) != _field(ctx, PARAMS_AT)) revert FrameMismatch();
        }
        if (opens & POLICY != 0) {
            (ctx.policy, p) = UnpackRecords.unpackPolicy(proof, p);
            if (hash(ctx.policy) != ctx.blk.policy) revert FrameMismatch();
        }
        if (opens & DATA != 0) p = _openData(ctx, proof, p);
        if (p > proof.length) revert WitnessTruncated();
        uint256 from;
        assembly ("memory-safe") {
            from := proof.offset
        }
        unchecked {
            ctx.cursor = from + p;
            ctx.end = from + proof.length;
        }
    }

    /// @dev Checks the operation's calldata at proof[p:] and returns the position after it.
    function _openData(Context memory ctx, bytes calldata proof, uint256 p) private pure returns (uint256 next) {
        unchecked {
            if (p > proof.length || proof.length - p < 4) revert WitnessTruncated();
            uint256 pos;
            uint256 size;
            assembly ("memory-safe") {
                pos := add(proof.offset, p)
                size := shr(224, calldataload(pos))
            }
            if (proof.length - p - 4 < size) revert WitnessTruncated();
            ctx.dataAt = pos + 4;
            ctx.dataSize = size;
            if (keccak256(data(ctx)) != ctx.op.data) revert CalldataMismatch();
            return p + 4 + size;
        }
    }

    /// @notice Ends a micro-step: settles the record with the root, and returns the next state.
    /// @param  next The micro-step that comes next.
    function close(Context memory ctx, uint8 next) internal pure returns (bytes memory state) {
        settle(ctx);
        if (ctx.cursor != ctx.end) revert WitnessExcess();
        state = ctx.state;
        uint256 opened = ctx.opened;
        if (opened & BLOCK != 0) _setField(ctx, BLOCK_AT, hash(ctx.blk));
        if (opened & SUMS != 0) _setField(ctx, SUMS_AT, hash(ctx.sums));
        if (opened & TX != 0) _setField(ctx, TX_AT, hash(ctx.transaction));
        if (opened & OP != 0) _setField(ctx, OP_AT, hash(ctx.op));
        if (opened & CALL != 0) _setField(ctx, CALL_AT, hash(ctx.call));
        if (opened & CHANNEL != 0) _setField(ctx, CALL_AT, hash(ctx.channel));
        if (opened & DISPUTE != 0) _setField(ctx, CALL_AT, hash(ctx.dispute));
        if (opened & SEARCH != 0) _setField(ctx, CALL_AT, hash(ctx.search));
        if (opened & COMPOSITION != 0) _setField(ctx, CALL_AT, hash(ctx.composition));
        if (opened & CONSTITUENT != 0) _setField(ctx, CALL_AT, hash(ctx.constituent));
        assembly ("memory-safe") {
            mstore8(add(state, 33), next) // 32 of the length, and STEP_AT
        }
    }

    /// @notice Settles the record that was read: verifies its proof, and moves the root if the record has changed. `close`
    ///         does it unless the step has; the step cannot change the record afterwards.
    /// @return The root after the step.
    function settle(Context memory ctx) internal pure returns (bytes32) {
        bytes32 r = root(ctx);
        if (!ctx.touched) return r;
        ctx.touched = false;
        bytes32 oldHash = ctx.oldHash;
        bytes32 newHash = ctx.newHash;
        bytes calldata w = rest(ctx);
        // Bit 1 of a proof's first byte says that it has a preimage.
        if ((oldHash == 0 || newHash != 0) && w.length > 0 && uint8(w[0]) & 2 != 0) revert PreimageExcess();
        uint256 used;
        if (oldHash == newHash) {
            used = RecordTrie.proveRecord(r, ctx.key, oldHash, w, 0);
        } else {
            (r, used) = RecordTrie.update(r, ctx.key, oldHash, newHash, w, 0);
            setRoot(ctx, r);
        }
        advance(ctx, used);
        return r;
    }

    /// @notice Root of the record trie.
    function root(Context memory ctx) internal pure returns (bytes32) {
        return _field(ctx, ROOT_AT);
    }

    /// @notice Replaces the root of the record trie. Only for a step that touches no record.
    function setRoot(Context memory ctx, bytes32 newRoot) internal pure {
        _setField(ctx, ROOT_AT, newRoot);
    }

    /// @notice Sets the hash of the Params record.
    function setParams(Context memory ctx, bytes32 paramsHash) internal pure {
        _setField(ctx, PARAMS_AT, paramsHash);
    }

    /// @notice Gives the op frame a new content, whether or not it is open.
    function setOp(Context memory ctx, IFrames.Op memory op) internal pure {
        ctx.op = op;
        ctx.opened |= OP;
    }

    /// @notice Gives the call frame a new content, whether or not it is open.
    function setCall(Context memory ctx, IRecords.Interaction memory call) internal pure {
        ctx.call = call;
        ctx.opened |= CALL;
    }

    /// @notice Gives the call frame a channel as its new content, whether or not it is open.
    function setChannel(Context memory ctx, IRecords.Channel memory channel) internal pure {
        ctx.channel = channel;
        ctx.opened |= CHANNEL;
    }

    /// @notice Makes a dispute the record in progress, whether or not one is open.
    function setDispute(Context memory ctx, IRecords.Dispute memory dispute) internal pure {
        ctx.dispute = dispute;
        ctx.opened |= DISPUTE;
    }

    /// @notice Makes a discovery the record in progress.
    function setSearch(Context memory ctx, IFrames.Search memory search) internal pure {
        ctx.search = search;
        ctx.opened |= SEARCH;
    }

    /// @notice Puts a composition into the place of the call frame, whether or not one is open.
    function setComposition(Context memory ctx, IRecords.Composition memory composition) internal pure {
        ctx.composition = composition;
        ctx.opened |= COMPOSITION;
    }

    /// @notice Puts a constituent into the place of the call frame, whether or not one is open.
    function setConstituent(Context memory ctx, IRecords.Constituent memory constituent) internal pure {
        ctx.constituent = constituent;
        ctx.opened |= CONSTITUENT;
    }

    /// @notice The operation's calldata, if open.
    function data(Context memory ctx) internal pure returns (bytes calldata d) {
        uint256 pos = ctx.dataAt;
        uint256 size = ctx.dataSize;
        assembly ("memory-safe") {
            d.offset := pos
            d.length := size
        }
    }

    /// @notice The operation's arguments: calldata without selector. Only after the dispatch, which has seen a selector.
    function args(Context memory ctx) internal pure returns (bytes calldata a) {
        uint256 pos = ctx.dataAt;
        uint256 size = ctx.dataSize;
        assembly ("memory-safe") {
            a.offset := add(pos, 4)
            a.length := sub(size, 4)
        }
    }

    /// @notice What is left of the witness.
    function rest(Context memory ctx) internal pure returns (bytes calldata w) {
        uint256 pos = ctx.cursor;
        uint256 end = ctx.end;
        assembly ("memory-safe") {
            w.offset := pos
            w.length := sub(end, pos)
        }
    }

    /// @notice Moves on by some bytes of what is left of the witness, which must have them.
    function advance(Context memory ctx, uint256 bytesUsed) internal pure {
        unchecked {
            if (ctx.end - ctx.cursor < bytesUsed) revert WitnessTruncated();
            ctx.cursor += bytesUsed;
        }
    }

    /// @notice Reads a byte that is 0 or 1.
    function flag(Context memory ctx) internal pure returns (bool set) {
        uint256 pos = ctx.cursor;
        advance(ctx, 1);
        uint256 value;
        assembly ("memory-safe") {
            value := byte(0, calldataload(pos))
        }
        if (value > 1) revert PresenceFlag();
        return value == 1;
    }

    // ---------------------------------------------------------------------------------------------------------- records
    // Each `read` gives the record of a key, all zeros if it is absent; `write` replaces the record that was read.

    /// @notice Notes the record that the step has read.
    /// @param  key     Its key.
    /// @param  oldHash Its value hash; zero: absent.
    function touch(Context memory ctx, bytes32 key, bytes32 oldHash) internal pure {
        if (ctx.touched) revert SecondRecord();
        ctx.touched = true;
        ctx.key = key;
        ctx.oldHash = oldHash;
        ctx.newHash = oldHash;
    }

    /// @notice Removes the record that was read; nothing happens if it is absent.
    function remove(Context memory ctx) internal pure {
        ctx.newHash = 0;
    }

    /// @dev Reads the Account of a key.
    function readAccount(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Account memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackAccount(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Account memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Agent of a key.
    function readAgent(Context memory ctx, bytes32 key) internal pure returns (bool present, IRecords.Agent memory x) {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackAgent(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Agent memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the AgentURI of a key.
    function readAgentURI(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.AgentURI memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackAgentURI(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.AgentURI memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Metadata of a key.
    function readMetadata(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Metadata memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackMetadata(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Metadata memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Capability of a key.
    function readCapability(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Capability memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackCapability(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Capability memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the CapabilityDetail of a key.
    function readCapabilityDetail(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.CapabilityDetail memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackCapabilityDetail(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.CapabilityDetail memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Reputation of a key.
    function readReputation(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Reputation memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackReputation(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Reputation memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Pair of a key.
    function readPair(Context memory ctx, bytes32 key) internal pure returns (bool present, IRecords.Pair memory x) {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackPair(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Pair memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Delegation of a key.
    function readDelegation(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Delegation memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackDelegation(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Delegation memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Wallet of a key.
    function readWallet(Context memory ctx, bytes32 key)
        internal
        pure
        returns (bool present, IRecords.Wallet memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackWallet(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Wallet memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Session of a key.
    function readSession(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Session memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackSession(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Session memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Holding of a key.
    function readHolding(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Holding memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackHolding(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Holding memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Interaction of a key.
    function readInteraction(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Interaction memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackInteraction(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Interaction memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Deadline of a key.
    function readDeadline(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Deadline memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackDeadline(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Deadline memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the IndexSlot of a key.
    function readIndexSlot(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.IndexSlot memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackIndexSlot(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.IndexSlot memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the IndexCount of a key.
    function readIndexCount(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.IndexCount memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackIndexCount(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.IndexCount memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Commitment of a key.
    function readCommitment(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Commitment memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackCommitment(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Commitment memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Composition of a key.
    function readComposition(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Composition memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackComposition(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the Composition that was read.
    function write(Context memory ctx, IRecords.Composition memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Constituent of a key.
    function readConstituent(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Constituent memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackConstituent(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the Constituent that was read.
    function write(Context memory ctx, IRecords.Constituent memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Totals of a key.
    function readTotals(Context memory ctx, bytes32 key)
        internal
        pure
        returns (bool present, IRecords.Totals memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackTotals(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Totals memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the L1Info of a key.
    function readL1Info(Context memory ctx, bytes32 key)
        internal
        pure
        returns (bool present, IRecords.L1Info memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackL1Info(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.L1Info memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Params of a key.
    function readParams(Context memory ctx, bytes32 key)
        internal
        pure
        returns (bool present, IRecords.Params memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackParams(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Reads the Policy of a key.
    function readPolicy(Context memory ctx, bytes32 key)
        internal
        pure
        returns (bool present, IRecords.Policy memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackPolicy(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Reads the Channel of a key.
    function readChannel(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Channel memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackChannel(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Channel memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the ChannelPair of a key.
    function readChannelPair(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.ChannelPair memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackChannelPair(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.ChannelPair memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Foreign of a key.
    function readForeign(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Foreign memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackForeign(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Foreign memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Params memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Policy memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Dispute of a key.
    function readDispute(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Dispute memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackDispute(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Dispute memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the History of a key.
    function readHistory(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.History memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackHistory(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.History memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the FeedbackCount of a key.
    function readFeedbackCount(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.FeedbackCount memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackFeedbackCount(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.FeedbackCount memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Rating of a key.
    function readRating(Context memory ctx, bytes32 key)
        internal
        pure
        returns (bool present, IRecords.Rating memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackRating(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Rating memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the ResponseCount of a key.
    function readResponseCount(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.ResponseCount memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackResponseCount(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.ResponseCount memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the ListCount of a key.
    function readListCount(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.ListCount memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackListCount(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.ListCount memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the ListEntry of a key.
    function readListEntry(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.ListEntry memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackListEntry(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.ListEntry memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Feedback of a key.
    function readFeedback(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Feedback memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackFeedback(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Feedback memory x) internal pure {
        ctx.newHash = hash(x);
    }

    /// @dev Reads the Validation of a key.
    function readValidation(
        Context memory ctx,
        bytes32 key
    )
        internal
        pure
        returns (bool present, IRecords.Validation memory x)
    {
        bytes32 h;
        if (present = flag(ctx)) {
            uint256 used;
            (x, used) = UnpackRecords.unpackValidation(rest(ctx), 0);
            advance(ctx, used);
            h = hash(x);
        }
        touch(ctx, key, h);
    }

    /// @dev Replaces the record that was read.
    function write(Context memory ctx, IRecords.Validation memory x) internal pure {
        ctx.newHash = hash(x);
    }

    // ----------------------------------------------------------------------------------------------------------- hashes
    // keccak256 of `abi.encode`. The memory of a struct without references is its encoding, one word a field, so that there is
    // nothing to copy. The counts of fields must follow IFrames and IRecords: agnt2/machine/differential compares the hashes.

    /// @notice What commits to a Block.
    function hash(IFrames.Block memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 224) // 7 fields
        }
    }

    /// @notice What commits to a Sums.
    function hash(IFrames.Sums memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 448) // 14 fields
        }
    }

    /// @notice What commits to a Tx.
    function hash(IFrames.Tx memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 672) // 21 fields
        }
    }

    /// @notice What commits to an Op.
    function hash(IFrames.Op memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 928) // 29 fields
        }
    }

    /// @notice What commits to a Search.
    function hash(IFrames.Search memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 320) // 10 fields
        }
    }

    /// @notice What commits to an Account.
    function hash(IRecords.Account memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 352) // 11 fields
        }
    }

    /// @notice What commits to a Capability.
    function hash(IRecords.Capability memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 192) // 6 fields
        }
    }

    /// @notice What commits to a Reputation.
    function hash(IRecords.Reputation memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 576) // 18 fields
        }
    }

    /// @notice What commits to a Pair.
    function hash(IRecords.Pair memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 64) // 2 fields
        }
    }

    /// @notice What commits to a Wallet.
    function hash(IRecords.Wallet memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 64) // 2 fields
        }
    }

    /// @notice What commits to a Holding.
    function hash(IRecords.Holding memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a Session.
    function hash(IRecords.Session memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 192) // 6 fields
        }
    }

    /// @notice What commits to an Interaction.
    function hash(IRecords.Interaction memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 416) // 13 fields
        }
    }

    /// @notice What commits to a Deadline.
    function hash(IRecords.Deadline memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a Channel.
    function hash(IRecords.Channel memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 672) // 21 fields
        }
    }

    /// @notice What commits to a ChannelPair.
    function hash(IRecords.ChannelPair memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 128) // 4 fields
        }
    }

    /// @notice What commits to an IndexSlot.
    function hash(IRecords.IndexSlot memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to an IndexCount.
    function hash(IRecords.IndexCount memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a Commitment.
    function hash(IRecords.Commitment memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 160) // 5 fields
        }
    }

    /// @notice What commits to a Totals.
    function hash(IRecords.Totals memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 192) // 6 fields
        }
    }

    /// @notice What commits to a L1Info.
    function hash(IRecords.L1Info memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 352) // 11 fields
        }
    }

    /// @notice What commits to a Dispute.
    function hash(IRecords.Dispute memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 320) // 10 fields
        }
    }

    /// @notice What commits to a History.
    function hash(IRecords.History memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a Constituent.
    function hash(IRecords.Constituent memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 480) // 15 fields
        }
    }

    /// @notice What commits to a Composition: its words, then those of its two arrays.
    function hash(IRecords.Composition memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            let p := mload(0x40)
            mcopy(p, x, 0x260) // 19 fields
            mcopy(add(p, 0x260), mload(add(x, 0x260)), 0x280) // 20 edges
            mcopy(add(p, 0x4e0), mload(add(x, 0x280)), 0x280) // 20 branches
            h := keccak256(p, 0x760)
        }
    }

    /// @notice What commits to an Agent.
    function hash(IRecords.Agent memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a Delegation.
    function hash(IRecords.Delegation memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to an AgentURI.
    function hash(IRecords.AgentURI memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a Metadata.
    function hash(IRecords.Metadata memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a CapabilityDetail.
    function hash(IRecords.CapabilityDetail memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a Foreign.
    function hash(IRecords.Foreign memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a Params.
    function hash(IRecords.Params memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a Policy.
    function hash(IRecords.Policy memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 800) // 25 fields
        }
    }

    /// @notice What commits to a FeedbackCount.
    function hash(IRecords.FeedbackCount memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a Rating.
    function hash(IRecords.Rating memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a ResponseCount.
    function hash(IRecords.ResponseCount memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a ListCount.
    function hash(IRecords.ListCount memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a ListEntry.
    function hash(IRecords.ListEntry memory x) internal pure returns (bytes32 h) {
        assembly ("memory-safe") {
            h := keccak256(x, 32) // 1 fields
        }
    }

    /// @notice What commits to a Feedback.
    function hash(IRecords.Feedback memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    /// @notice What commits to a Validation.
    function hash(IRecords.Validation memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(x));
    }

    // ------------------------------------------------------------------------------------------------ fields of a state

    /// @dev A field of the state.
    function _field(Context memory ctx, uint256 pos) private pure returns (bytes32 value) {
        bytes memory state = ctx.state;
        assembly ("memory-safe") {
            value := mload(add(add(state, 32), pos))
        }
    }

    function _setField(Context memory ctx, uint256 pos, bytes32 value) private pure {
        bytes memory state = ctx.state;
        assembly ("memory-safe") {
            mstore(add(add(state, 32), pos), value)
        }
    }
}
