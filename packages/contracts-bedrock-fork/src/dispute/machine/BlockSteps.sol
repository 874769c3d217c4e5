// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IFrames } from "../IFrames.sol";
import { ContextLib } from "../lib/Context.sol";
import { OrderedTrie } from "../lib/OrderedTrie.sol";
import { Steps } from "../lib/Steps.sol";
import { TransactionDecoder } from "../lib/TransactionDecoder.sol";
import { MachineState, State } from "./MachineState.sol";
import { ManifestTree } from "./ManifestTree.sol";
import { Witness, WitnessLib } from "./Witness.sol";

/// @title BlockSteps
/// @notice The beginning of a block, and which transaction comes next. Mirrors the first half of agnt2/machine/block.go.
library BlockSteps {
    using MachineState for State;
    using WitnessLib for IFrames.Run;
    using WitnessLib for Witness;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);
    /// @notice The deposit is not the next one.
    error WrongDeposit();

    /// @dev Hash of 256 bytes of zeros.
    bytes32 private constant EMPTY_BLOOM = 0xd397b3b043d87fcd6fad1291ff0bfd16401c274896d8c63a923727f077b8e0b5;

    // The L1-attributes deposit (OP specs, Isthmus).
    address private constant DEPOSITOR = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;
    address private constant L1_BLOCK = 0x4200000000000000000000000000000000000015;
    bytes4 private constant SET_L1_BLOCK_VALUES = 0x098999be; // setL1BlockValuesIsthmus()
    uint64 private constant ATTRIBUTES_GAS = 1_000_000;

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @param kind      The micro-step.
    /// @param stateData The machine's state before it.
    /// @param proof     The witness.
    /// @param chainId   Of L2.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 chainId
    )
        external
        view
        returns (bytes memory)
    {
        State memory s = MachineState.decode(stateData);
        Witness memory w = WitnessLib.read(proof);
        IFrames.Run memory run = w.openRun(s.run); // all of these steps do
        if (kind == Steps.OPEN_BLOCK) s = _openBlock(s, run);
        else if (kind == Steps.NEXT) _next(s, run);
        else if (kind == Steps.TX_ATTRIBUTES) _txAttributes(s, run);
        else if (kind == Steps.TX_DEPOSIT) _txDeposit(s, w, run);
        else if (kind == Steps.TX_SIGNED) s = _txSigned(s, w, run, chainId);
        else revert UnknownStep(kind);
        w.done();
        return s.encode();
    }

    /// @dev Makes everything ready for the first transaction. Witness: run.
    function _openBlock(State memory s, IFrames.Run memory run) private pure returns (State memory next) {
        IFrames.Block memory blk;
        blk.number = run.number;
        blk.time = run.time;
        blk.gasLimit = run.gasLimit;
        blk.baseFee = uint256(run.baseFee);
        IFrames.Sums memory sums;
        sums.transactions = OrderedTrie.EMPTY_EDGE_HASH;
        sums.receipts = OrderedTrie.EMPTY_EDGE_HASH;
        sums.bloom = EMPTY_BLOOM;
        sums.passer = run.parentPasser;
        next.status = MachineState.UNFINISHED;
        next.step = Steps.BEGIN_PARAMS;
        next.root = run.parentRoot;
        next.run = s.run;
        next.blk = ContextLib.hash(blk);
        next.sums = ContextLib.hash(sums);
    }

    /// @dev Clears the last transaction's frames and chooses the transaction that follows. Witness: run.
    function _next(State memory s, IFrames.Run memory run) private pure {
        s.step =
            run.depositsLeft > 0 ? Steps.TX_DEPOSIT : run.txNext < run.txCount ? Steps.TX_SIGNED : Steps.SEAL_BASE_FEES;
        s.transaction = 0;
        s.op = 0;
        s.call = 0;
    }

    /// @dev A transaction has been read.
    function _begins(State memory s, IFrames.Tx memory t) private pure {
        s.step = Steps.TX_LIST;
        s.transaction = ContextLib.hash(t);
        s.op = 0;
        s.call = 0;
    }

    /// @dev Makes the block's first transaction. Witness: run.
    function _txAttributes(State memory s, IFrames.Run memory run) private pure {
        uint64 sequence = 0;
        unchecked {
            if (run.origin == run.parentOrigin) sequence = run.sequenceNumber + 1;
        }
        bytes memory data = abi.encodePacked(
            SET_L1_BLOCK_VALUES,
            run.baseFeeScalar,
            run.blobBaseFeeScalar,
            sequence,
            run.originTime,
            run.origin,
            run.originBaseFee,
            run.originBlobBaseFee
        );
        // Twelve bytes of operator fee: this chain's SystemConfig has none.
        data = abi.encodePacked(data, run.originHash, run.batcherHash, uint96(0));
        // Domain 1 of source hashes.
        bytes32 source = keccak256(abi.encode(uint256(1), keccak256(abi.encode(run.originHash, uint256(sequence)))));
        // A list of 260 bytes: source hash, sender, recipient; no mint, no value, gas, no system transaction; 176 bytes of data.
        bytes memory raw = abi.encodePacked(
            hex"7ef90104a0", source, hex"94", DEPOSITOR, hex"94", L1_BLOCK, hex"8080830f424080b8b0", data
        );
        IFrames.Tx memory t;
        t.deposit = true;
        t.from = DEPOSITOR;
        t.to = L1_BLOCK;
        t.gasLimit = ATTRIBUTES_GAS;
        t.data = keccak256(data);
        t.size = uint32(raw.length);
        t.hash = keccak256(raw);
        _begins(s, t);
    }

    /// @dev Takes the next user deposit. Witness: run, the stack under its top, and the deposit's encoding.
    function _txDeposit(State memory s, Witness memory w, IFrames.Run memory run) private pure {
        bytes32 below = w.word();
        bytes calldata raw = w.rest();
        if (keccak256(abi.encode(below, keccak256(raw))) != run.deposits) revert WrongDeposit();
        IFrames.Tx memory t = TransactionDecoder.decodeDeposit(raw);
        run.deposits = below;
        unchecked {
            --run.depositsLeft;
        }
        s.run = run.hash();
        _begins(s, t);
    }

    /// @dev Takes the next signed transaction. A malformed one makes the block start again with its deposits only (OP specs,
    ///      Holocene). Witness: run, the path from the transaction's hash to txsRoot, and the transaction's encoding.
    function _txSigned(
        State memory s,
        Witness memory w,
        IFrames.Run memory run,
        uint64 chainId
    )
        private
        view
        returns (State memory)
    {
        bytes calldata path = w.path();
        bytes calldata raw = w.rest();
        ManifestTree.verify(run.txsRoot, ManifestTree.txLeaf(keccak256(raw)), run.txNext, run.txCount, path);
        (bool ok, IFrames.Tx memory t) = TransactionDecoder.decodeSigned(raw, chainId);
        if (!ok) return _reopened(run);
        ++run.txNext; // below txCount
        s.run = run.hash();
        _begins(s, t);
        return s;
    }

    /// @dev The block starts again with its deposits only.
    function _reopened(IFrames.Run memory run) private pure returns (State memory s) {
        run.txCount = 0;
        run.txNext = 0;
        run.deposits = run.allDeposits;
        run.depositsLeft = run.depositCount;
        s.status = MachineState.UNFINISHED;
        s.step = Steps.OPEN_BLOCK;
        s.root = run.parentRoot;
        s.run = run.hash();
    }
}
