// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IFrames } from "../IFrames.sol";
import { ContextLib } from "../lib/Context.sol";
import { OrderedTrie } from "../lib/OrderedTrie.sol";
import { OriginRLP } from "../lib/OriginRLP.sol";
import { ReceiptEncoder } from "../lib/ReceiptEncoder.sol";
import { Steps } from "../lib/Steps.sol";
import { MachineState, State } from "./MachineState.sol";
import { PatriciaProofs } from "./PatriciaProofs.sol";
import { Witness, WitnessLib } from "./Witness.sol";

/// @title ListSteps
/// @notice A block's lists of transactions and receipts, the message passer, and the header that ends the machine. Mirrors the
///         second half of agnt2/machine/block.go.
library ListSteps {
    using MachineState for State;
    using ReceiptEncoder for ReceiptEncoder.Bloom;
    using WitnessLib for Witness;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);
    /// @notice The bloom filter is not the block's.
    error WrongBloom();
    /// @notice The logs are not those of the operation.
    error WrongLogs();

    bytes32 private constant EMPTY_UNCLES = 0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347;
    bytes32 private constant EMPTY_REQUESTS = 0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855;
    address private constant SEQUENCER_FEE_VAULT = 0x4200000000000000000000000000000000000011;

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @param kind      The micro-step.
    /// @param stateData The machine's state before it.
    /// @param proof     The witness.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 /* chainId */
    )
        external
        pure
        returns (bytes memory)
    {
        State memory s = MachineState.decode(stateData);
        Witness memory w = WitnessLib.read(proof);
        if (kind == Steps.TX_LIST) _txList(s, w);
        else if (kind == Steps.RECEIPT) _receipt(s, w);
        else if (kind == Steps.RECEIPT_LIST) _receiptList(s, w);
        else if (kind == Steps.PASSER) _passer(s, w);
        else if (kind == Steps.TX_ROOT) _txRoot(s, w);
        else if (kind == Steps.RECEIPT_ROOT) _receiptRoot(s, w);
        else if (kind == Steps.HEADER) s = _header(s, w);
        else revert UnknownStep(kind);
        w.done();
        return s.encode();
    }

    /// @dev Appends the transaction to the block's list. Witness: sums, tx, the list's edge, and the bytes of the transaction
    ///      before.
    function _txList(State memory s, Witness memory w) private pure {
        IFrames.Sums memory sums = w.openSums(s.sums);
        IFrames.Tx memory t = w.openTx(s.transaction);
        bytes calldata edge = w.string4();
        sums.transactions = OrderedTrie.append(sums.transactions, edge, t.hash, t.size, w.rest());
        s.sums = ContextLib.hash(sums);
        s.step = t.deposit ? Steps.DEPOSIT_BEGIN : Steps.TX_BEGIN;
    }

    /// @dev Assembles the transaction's receipt. Witness: block, sums, tx, op (unless void), the block's bloom, and every log's
    ///      encoding behind a length of three bytes.
    function _receipt(State memory s, Witness memory w) private pure {
        uint64 cumulativeGas = w.openBlock(s.blk).gasUsed;
        IFrames.Sums memory sums = w.openSums(s.sums);
        IFrames.Tx memory t = w.openTx(s.transaction);
        bool ok;
        bytes32 chain;
        if (!t.isVoid) {
            IFrames.Op memory op = w.openOp(s.op);
            ok = !op.failed;
            chain = op.logs;
        }
        ReceiptEncoder.Bloom memory bloom = _bloom(w, sums);
        ReceiptEncoder.Bloom memory own;
        bytes memory logs = _logs(w, chain, own);
        bytes memory raw = ReceiptEncoder.encode(t.deposit, ok, cumulativeGas, own, logs);
        bloom.merge(own);
        sums.bloom = bloom.hash();
        t.receipt = keccak256(raw);
        t.receiptSize = uint32(raw.length);
        s.sums = ContextLib.hash(sums);
        s.transaction = ContextLib.hash(t);
        s.step = Steps.RECEIPT_LIST;
    }

    /// @dev Reads the block's bloom filter.
    function _bloom(
        Witness memory w,
        IFrames.Sums memory sums
    )
        private
        pure
        returns (ReceiptEncoder.Bloom memory bloom)
    {
        bytes calldata b = w.take(256);
        if (keccak256(b) != sums.bloom) revert WrongBloom();
        bloom.words = abi.decode(b, (uint256[8]));
    }

    /// @dev Reads all that is left as logs, whose chain must be the given one; adds them to the filter and returns them one after
    ///      the other.
    function _logs(
        Witness memory w,
        bytes32 chain,
        ReceiptEncoder.Bloom memory bloom
    )
        private
        pure
        returns (bytes memory logs)
    {
        logs = new bytes(w.end - w.next);
        uint256 size = 0;
        bytes32 h;
        while (w.more()) {
            bytes calldata log = w.take(w.number(3));
            assembly ("memory-safe") {
                let to := add(add(logs, 32), size)
                calldatacopy(to, log.offset, log.length)
                mstore(0, h)
                mstore(32, keccak256(to, log.length))
                h := keccak256(0, 64)
                size := add(size, log.length)
            }
            bloom.add(log);
        }
        if (h != chain) revert WrongLogs();
        assembly ("memory-safe") {
            mstore(logs, size)
        }
    }

    /// @dev Appends the receipt to the block's list. Witness: sums, tx, op (unless void), the list's edge, and the bytes of the
    ///      receipt before.
    function _receiptList(State memory s, Witness memory w) private pure {
        IFrames.Sums memory sums = w.openSums(s.sums);
        IFrames.Tx memory t = w.openTx(s.transaction);
        s.step = Steps.NEXT;
        if (!t.isVoid) {
            IFrames.Op memory op = w.openOp(s.op);
            if (!op.failed && op.message != 0) s.step = Steps.PASSER;
        }
        bytes calldata edge = w.string4();
        sums.receipts = OrderedTrie.append(sums.receipts, edge, t.receipt, t.receiptSize, w.rest());
        unchecked {
            ++sums.index;
        }
        s.sums = ContextLib.hash(sums);
    }

    /// @dev Adds the message to the message passer's storage trie. Witness: sums, op, and the nodes on the slot's path.
    function _passer(State memory s, Witness memory w) private pure {
        IFrames.Sums memory sums = w.openSums(s.sums);
        IFrames.Op memory op = w.openOp(s.op);
        // sentMessages[hash], which becomes 1.
        bytes32 slot = keccak256(abi.encode(op.message, bytes32(0)));
        sums.passer = PatriciaProofs.insert(sums.passer, keccak256(abi.encode(slot)), hex"01", w.list());
        s.sums = ContextLib.hash(sums);
        s.step = Steps.NEXT;
    }

    /// @dev Finishes the list of transactions. Witness: sums, the list's edge, and the bytes of its last item.
    function _txRoot(State memory s, Witness memory w) private pure {
        IFrames.Sums memory sums = w.openSums(s.sums);
        bytes calldata edge = w.string4();
        sums.transactions = OrderedTrie.finish(sums.transactions, edge, w.rest());
        s.sums = ContextLib.hash(sums);
        s.step = Steps.RECEIPT_ROOT;
    }

    /// @dev Finishes the list of receipts. Witness: sums, the list's edge, and the bytes of its last item.
    function _receiptRoot(State memory s, Witness memory w) private pure {
        IFrames.Sums memory sums = w.openSums(s.sums);
        bytes calldata edge = w.string4();
        sums.receipts = OrderedTrie.finish(sums.receipts, edge, w.rest());
        s.sums = ContextLib.hash(sums);
        s.step = Steps.HEADER;
    }

    /// @dev Ends the machine: the block's hash, its output root, and the verdict. Witness: run, block, sums, and the block's
    ///      bloom.
    function _header(State memory s, Witness memory w) private pure returns (State memory) {
        IFrames.Run memory run = w.openRun(s.run);
        IFrames.Block memory blk = w.openBlock(s.blk);
        IFrames.Sums memory sums = w.openSums(s.sums);
        ReceiptEncoder.Bloom memory bloom = _bloom(w, sums);
        bytes memory fields = abi.encodePacked(
            _roots(s.root, run, sums), hex"b90100", bloom.words, _numbers(run, blk), _newer(run, blk, sums)
        );
        bytes32 blockHash = keccak256(abi.encodePacked(OriginRLP.header(0xc0, fields.length), fields));
        return MachineState.end(run.disputed, MachineState.outputRoot(s.root, sums.passer, blockHash));
    }

    /// @dev Parent, uncles, coinbase, and the roots of state, transactions and receipts.
    function _roots(
        bytes32 stateRoot,
        IFrames.Run memory run,
        IFrames.Sums memory sums
    )
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            hex"a0",
            run.parentHash,
            hex"a0",
            EMPTY_UNCLES,
            hex"94",
            SEQUENCER_FEE_VAULT,
            abi.encodePacked(hex"a0", stateRoot, hex"a0", sums.transactions, hex"a0", sums.receipts)
        );
    }

    /// @dev Difficulty, number, gas limit, gas used, time and extraData.
    function _numbers(IFrames.Run memory run, IFrames.Block memory blk) private pure returns (bytes memory) {
        return abi.encodePacked(
            hex"80",
            OriginRLP.integer(run.number),
            OriginRLP.integer(blk.gasLimit),
            OriginRLP.integer(blk.gasUsed),
            OriginRLP.integer(run.time),
            hex"89",
            bytes9(run.extra)
        );
    }

    /// @dev Randao, nonce, base fee, withdrawals root, no blob gas, no excess of it, beacon root and requests.
    function _newer(
        IFrames.Run memory run,
        IFrames.Block memory blk,
        IFrames.Sums memory sums
    )
        private
        pure
        returns (bytes memory)
    {
        return abi.encodePacked(
            abi.encodePacked(hex"a0", run.originRandao, hex"880000000000000000", OriginRLP.integer(blk.baseFee)),
            hex"a0",
            sums.passer,
            hex"8080a0",
            run.originBeaconRoot,
            hex"a0",
            EMPTY_REQUESTS
        );
    }
}
