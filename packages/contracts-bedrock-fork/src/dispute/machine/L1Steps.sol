// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IAGNT2StepVerifier } from "../IAGNT2StepVerifier.sol";
import { IFrames } from "../IFrames.sol";
import { IOrigin, IOriginLeaves } from "../IOrigin.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { ContextLib } from "../lib/Context.sol";
import { Header, HeaderReader } from "../lib/HeaderReader.sol";
import { OriginSteps } from "../lib/OriginSteps.sol";
import { RecordTrie } from "../lib/RecordTrie.sol";
import { Steps } from "../lib/Steps.sol";
import { UnpackRecords } from "../lib/UnpackRecords.sol";
import { Keys } from "../steps/Keys.sol";
import { MachineState, State } from "./MachineState.sol";
import { BlockRecord, ManifestTree } from "./ManifestTree.sol";
import { PatriciaProofs } from "./PatriciaProofs.sol";
import { Witness, WitnessLib } from "./Witness.sol";

/// @title L1Steps
/// @notice What L1 says: which block comes after the agreed one, where its content was committed, and what its L1 origin adds.
///         Mirrors agnt2/machine/l1.go. Numbers wrap where Go's do.
library L1Steps {
    using HeaderReader for Header;
    using MachineState for State;
    using WitnessLib for IFrames.Run;
    using WitnessLib for Witness;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);
    /// @notice The witness is not the preimage of the agreed output root.
    error WrongOutputRoot();
    /// @notice The byte before a record is neither 0 nor 1.
    error PresenceFlag();
    /// @notice The proof has a sibling's preimage, but nothing is deleted.
    error PreimageExcess();
    /// @notice The submission is not where the witness says it is.
    error WrongSubmission();
    /// @notice There is no such kind of location.
    error UnknownLocation();
    /// @notice The block record is that of another block.
    error WrongBlockRecord();
    /// @notice The state is not the one of the origin's phase that the machine commits to.
    error WrongOriginState();

    /// @dev LayerRoot's storage: the array of submissions is slot 0, and a submission takes eight slots.
    uint256 private constant SUBMISSIONS = uint256(keccak256(abi.encode(0)));
    uint64 private constant SUBMISSION_WORDS = 8;
    uint64 private constant WORD_RANGE = 0; // status ‖ frames ‖ l1Block ‖ lastBlock ‖ firstBlock, from the highest byte
    uint64 private constant WORD_RECORDS_ROOT = 2;
    uint64 private constant WORD_PARENT_CHECK = 4;
    uint8 private constant STATUS_LIVE = 1;

    uint256 private constant LOCATE_COMMITTED = 0;
    uint256 private constant LOCATE_GAP = 1;
    uint256 private constant LOCATE_BEYOND = 2;

    uint8 private constant ORIGIN_KINDS = OriginSteps.DONE + 1;
    uint256 private constant ORIGIN_STATE_BYTES = 17 * 32;

    /// @notice Opens the agreed output root. Witness: its state root, withdrawals root and block hash, and the block's header.
    function begin(
        bytes calldata proof,
        IAGNT2StepVerifier.Config calldata config,
        IAGNT2StepVerifier.Game calldata game
    )
        external
        pure
        returns (bytes memory)
    {
        Witness memory w = WitnessLib.read(proof);
        IFrames.Run memory run;
        run.parentRoot = w.word();
        run.parentPasser = w.word();
        run.parentHash = w.word();
        if (MachineState.outputRoot(run.parentRoot, run.parentPasser, run.parentHash) != game.agreed) {
            revert WrongOutputRoot();
        }
        Header memory h = HeaderReader.read(w.rest(), run.parentHash);
        if (h.number >= game.claimed) return MachineState.end(game.disputed, game.agreed).encode();
        run.disputed = game.disputed;
        run.agreed = game.agreed;
        unchecked {
            run.number = h.number + 1;
            run.time = h.time + config.blockTimeSeconds;
        }
        run.gasLimit = h.gasLimit;
        run.baseFee = bytes32(h.nextBaseFee());
        run.extra = h.extraWord();
        run.walk = game.l1Head;
        run.walkLeft = config.proofLagBlocks;
        State memory s;
        s.status = MachineState.UNFINISHED;
        s.step = Steps.PARENT;
        s.root = run.parentRoot;
        s.run = run.hash();
        return s.encode();
    }

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @param kind      The micro-step.
    /// @param stateData The machine's state before it.
    /// @param proof     The witness.
    /// @param config    What the verifier has fixed.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        IAGNT2StepVerifier.Config calldata config
    )
        external
        view
        returns (bytes memory)
    {
        State memory s = MachineState.decode(stateData);
        Witness memory w = WitnessLib.read(proof);
        if (kind == Steps.PARENT) {
            s = _parent(s, w, config);
        } else if (kind == Steps.WALK) {
            s = _walk(s, w, config);
        } else if (kind == Steps.LOCATE) {
            s = _locate(s, w, config);
        } else if (kind == Steps.ORIGIN) {
            s = _originBegin(s, w);
        } else if (kind == Steps.ORIGIN_END) {
            s = _originEnd(s, w);
        } else if (kind >= Steps.ORIGIN_BASE && kind - Steps.ORIGIN_BASE < ORIGIN_KINDS) {
            s = _originStep(s, w, kind - Steps.ORIGIN_BASE, config);
        } else {
            revert UnknownStep(kind);
        }
        w.done();
        return s.encode();
    }

    /// @dev The state with another next step and run.
    function _to(State memory s, uint8 next, IFrames.Run memory run) private pure returns (State memory) {
        s.step = next;
        s.run = run.hash();
        return s;
    }

    /// @dev Reads the parent's L1 origin and system configuration. Witness: run, and the L1Info record.
    function _parent(
        State memory s,
        Witness memory w,
        IAGNT2StepVerifier.Config calldata config
    )
        private
        pure
        returns (State memory)
    {
        IFrames.Run memory run = w.openRun(s.run);
        uint256 present = w.number(1);
        if (present > 1) revert PresenceFlag();
        bytes calldata rest = w.rest();
        uint256 used;
        bytes32 valueHash;
        if (present == 0) {
            run.parentOrigin = config.genesisNumber;
            run.parentOriginHash = config.genesisHash;
            run.batcherHash = config.genesisBatcherHash;
            run.baseFeeScalar = config.genesisBaseFeeScalar;
            run.blobBaseFeeScalar = config.genesisBlobBaseFeeScalar;
        } else {
            IRecords.L1Info memory i;
            (i, used) = UnpackRecords.unpackL1Info(rest, 0);
            valueHash = ContextLib.hash(i);
            run.parentOrigin = i.number;
            run.parentOriginHash = i.blockHash;
            run.sequenceNumber = i.sequenceNumber;
            run.batcherHash = i.batcherHash;
            run.baseFeeScalar = i.baseFeeScalar;
            run.blobBaseFeeScalar = i.blobBaseFeeScalar;
        }
        // Bit 1 of a proof's first byte says that it has a preimage.
        if (used < rest.length && uint8(rest[used]) & 2 != 0) revert PreimageExcess();
        used = RecordTrie.proveRecord(s.root, Keys.L1_INFO, valueHash, rest, used);
        if (used != rest.length) revert WitnessLib.WitnessExcess();
        return _to(s, Steps.WALK, run);
    }

    /// @dev Reads one L1 header: down from the game's L1 head to the proof head, then to the block's L1 origin. Witness: run, and
    ///      the header.
    function _walk(
        State memory s,
        Witness memory w,
        IAGNT2StepVerifier.Config calldata config
    )
        private
        pure
        returns (State memory)
    {
        IFrames.Run memory run = w.openRun(s.run);
        Header memory h = HeaderReader.read(w.rest(), run.walk);
        if (run.headRoot == 0) {
            if (run.walkLeft > 0 && h.number > 0) {
                --run.walkLeft;
                run.walk = h.parentHash;
                return _to(s, Steps.WALK, run);
            }
            run.headNumber = h.number;
            run.headRoot = h.stateRoot;
            return _to(s, Steps.LOCATE, run);
        }
        if (h.number > run.origin) {
            run.walk = h.parentHash;
            return _to(s, Steps.WALK, run);
        }
        // This is the origin; or of an empty block the candidate, which only counts once it is old enough (op-node's
        // deriveNextEmptyBatch: an L1 origin is adopted as soon as its time allows).
        if (run.empty && !run.settled) {
            run.settled = true;
            if (run.time < h.time) {
                unchecked {
                    --run.origin;
                }
                run.walk = h.parentHash;
                return _to(s, Steps.WALK, run);
            }
        }
        unchecked {
            // The window counts from the origin that is adopted.
            if (run.empty && run.origin + config.seqWindowBlocks > run.headNumber) {
                return MachineState.end(run.disputed, run.agreed);
            }
        }
        bool adopted = run.origin != run.parentOrigin;
        if ((adopted ? h.parentHash : run.walk) != run.parentOriginHash) {
            // The agreed block is not of this L1 chain: nothing follows it here.
            return MachineState.end(run.disputed, run.agreed);
        }
        run.originHash = run.walk;
        run.originTime = h.time;
        run.originBaseFee = bytes32(h.baseFee);
        run.originBlobBaseFee = bytes32(h.blobBaseFee(config.blobFraction));
        run.originRandao = h.randao;
        run.originBeaconRoot = h.beaconRoot;
        run.originReceipts = h.receiptsRoot;
        return _to(s, adopted ? Steps.ORIGIN : Steps.OPEN_BLOCK, run);
    }

    /// @dev Finds what LayerRoot says at the proof head about the block. Witness: run, LayerRoot's account proof, and one of
    ///
    ///      0  index (8) of the submission that has the block, proofs of its words "range" and "records root", of "parent check"
    ///         if the block is its first, and the block's record with its path
    ///      1  index (8) of the first submission above the block, proof of its range, and of the range of the one before
    ///      2  proof of the number of submissions, and of the range of the last one
    function _locate(
        State memory s,
        Witness memory w,
        IAGNT2StepVerifier.Config calldata config
    )
        private
        pure
        returns (State memory)
    {
        IFrames.Run memory run = w.openRun(s.run);
        bytes32 storageRoot = PatriciaProofs.storageRoot(run.headRoot, config.layerRoot, w.list());
        uint256 kind = w.number(1);
        if (kind == LOCATE_COMMITTED) {
            if (_committed(run, w, storageRoot)) return _to(s, Steps.WALK, run);
        } else if (kind == LOCATE_GAP) {
            _gap(run, w, storageRoot);
        } else if (kind == LOCATE_BEYOND) {
            _beyond(run, w, storageRoot);
        } else {
            revert UnknownLocation();
        }
        unchecked {
            // No batch counts: the block is empty, once its sequencing window has passed. A later submission changes nothing
            // about that, because derivation drops a batch that does not follow (OP specs, Holocene).
            if (run.parentOrigin + config.seqWindowBlocks > run.headNumber) {
                return MachineState.end(run.disputed, run.agreed);
            }
            run.empty = true;
            run.origin = run.parentOrigin + 1;
        }
        return _to(s, Steps.WALK, run);
    }

    /// @dev Reads the block's record; says whether it counts, and then takes it over.
    function _committed(
        IFrames.Run memory run,
        Witness memory w,
        bytes32 storageRoot
    )
        private
        pure
        returns (bool counts)
    {
        uint64 index = w.number64();
        (uint64 first, uint64 last, uint8 status) = _range(w, storageRoot, index);
        if (status != STATUS_LIVE || run.number < first || run.number > last) revert WrongSubmission();
        bytes32 recordsRoot = _word(w, storageRoot, _slot(index, WORD_RECORDS_ROOT));
        counts = true;
        if (run.number == first) {
            // A first block on another parent than the one that was committed to: OP's span batches have 20 bytes of it.
            bytes32 check = _word(w, storageRoot, _slot(index, WORD_PARENT_CHECK));
            counts = uint160(uint256(check)) == uint256(run.parentHash) >> 96;
        }
        BlockRecord memory r = _blockRecord(w);
        if (r.number != run.number) revert WrongBlockRecord();
        unchecked {
            ManifestTree.verify(recordsRoot, ManifestTree.leafOf(r), r.number - first, last - first + 1, w.path());
            counts = counts && r.timestamp == run.time && r.l1Origin <= run.headNumber
                && (r.l1Origin == run.parentOrigin || r.l1Origin == run.parentOrigin + 1);
        }
        if (counts) {
            run.origin = r.l1Origin;
            run.txCount = r.txCount;
            run.txsRoot = r.txsRoot;
        }
    }

    function _blockRecord(Witness memory w) private pure returns (BlockRecord memory r) {
        r.number = w.number64();
        r.timestamp = w.number64();
        r.l1Origin = w.number64();
        r.txCount = w.number64();
        r.txsRoot = w.word();
    }

    /// @dev The block lies between two submissions.
    function _gap(IFrames.Run memory run, Witness memory w, bytes32 storageRoot) private pure {
        uint64 index = w.number64();
        (uint64 first, uint64 last, uint8 status) = _range(w, storageRoot, index);
        if (status != STATUS_LIVE || run.number >= first) revert WrongSubmission();
        if (index > 0) {
            (, last, status) = _range(w, storageRoot, index - 1);
            if (status != STATUS_LIVE || run.number <= last) revert WrongSubmission();
        }
    }

    /// @dev The block lies above all submissions.
    function _beyond(IFrames.Run memory run, Witness memory w, bytes32 storageRoot) private pure {
        uint64 count = uint64(uint256(_word(w, storageRoot, 0)));
        if (count > 0) {
            (, uint64 last,) = _range(w, storageRoot, count - 1);
            if (run.number <= last) revert WrongSubmission();
        }
    }

    /// @dev The storage slot of a word of a submission.
    function _slot(uint64 index, uint64 word) private pure returns (bytes32) {
        unchecked {
            return bytes32(SUBMISSIONS + (index * SUBMISSION_WORDS + word));
        }
    }

    /// @dev Reads a word of LayerRoot's storage.
    function _word(Witness memory w, bytes32 storageRoot, bytes32 slot) private pure returns (bytes32) {
        return PatriciaProofs.storageAt(storageRoot, slot, w.list());
    }

    /// @dev Reads the first word of a submission.
    function _range(
        Witness memory w,
        bytes32 storageRoot,
        uint64 index
    )
        private
        pure
        returns (uint64 first, uint64 last, uint8 status)
    {
        uint256 word = uint256(_word(w, storageRoot, _slot(index, WORD_RANGE)));
        first = uint64(word);
        last = uint64(word >> 64);
        status = uint8(word >> 208);
    }

    /// @dev Starts reading the origin's receipts. Witness: run.
    function _originBegin(State memory s, Witness memory w) private pure returns (State memory) {
        IFrames.Run memory run = w.openRun(s.run);
        IOrigin.OriginState memory o;
        o.l1BlockHash = run.originHash;
        o.receiptsRoot = run.originReceipts;
        o.batcherHash = run.batcherHash;
        o.baseFeeScalar = run.baseFeeScalar;
        o.blobBaseFeeScalar = run.blobBaseFeeScalar;
        o.gasLimit = run.gasLimit;
        s.step = Steps.ORIGIN_BASE + OriginSteps.OPEN;
        s.op = keccak256(abi.encode(o));
        return s;
    }

    /// @dev Takes a micro-step of the origin's phase. Witness: its state (abi.encode), and the step's own witness.
    function _originStep(
        State memory s,
        Witness memory w,
        uint8 kind,
        IAGNT2StepVerifier.Config calldata config
    )
        private
        view
        returns (State memory)
    {
        bytes calldata o = _originState(s, w);
        uint8 next;
        (next, s.op) =
            OriginSteps.step(kind, o, w.rest(), config.portal, config.systemConfig, IOriginLeaves(config.leaves));
        s.step = next == OriginSteps.DONE ? Steps.ORIGIN_END : Steps.ORIGIN_BASE + next;
        return s;
    }

    /// @dev Reads the state of the origin's phase.
    function _originState(State memory s, Witness memory w) private pure returns (bytes calldata o) {
        o = w.take(ORIGIN_STATE_BYTES);
        if (keccak256(o) != s.op) revert WrongOriginState();
    }

    /// @dev Takes over what the origin's receipts say. Witness: run, and the origin's state.
    function _originEnd(State memory s, Witness memory w) private pure returns (State memory) {
        IFrames.Run memory run = w.openRun(s.run);
        IOrigin.OriginState memory o = abi.decode(_originState(s, w), (IOrigin.OriginState));
        run.batcherHash = o.batcherHash;
        run.baseFeeScalar = o.baseFeeScalar;
        run.blobBaseFeeScalar = o.blobBaseFeeScalar;
        run.gasLimit = o.gasLimit;
        run.allDeposits = o.queue;
        run.depositCount = o.queueCount;
        run.deposits = o.queue;
        run.depositsLeft = o.queueCount;
        s.op = 0;
        return _to(s, Steps.OPEN_BLOCK, run);
    }
}
