// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Commit
/// @notice Commit–reveal: agnt2/vm/commit.go.
library Commit {
    using ContextLib for Context;

    function stepCommitment(Context memory ctx, uint64 chainId) internal pure returns (uint8) {
        if (bytes4(ctx.data()) == IAGNT2.reveal.selector) return reveal(ctx, chainId);
        IFrames.Op memory o = ctx.op;
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, Protocol.COMMITMENT_RECORDS))) {
            return Machine.outOfGas(ctx);
        }
        if (o.value < ctx.policy.minCommitDepositWei) return Machine.fail(ctx);
        bytes32 commitment = bytes32(ctx.args());
        o.id = commitmentId(o.from, commitment);
        (bool present, IRecords.Commitment memory x) = ctx.readCommitment(Keys.commitment(o.id));
        if (present) return Machine.fail(ctx);
        x.caller = o.from;
        x.commitment = commitment;
        x.depositWei = o.value;
        unchecked {
            x.revealableFrom = ctx.blk.number + Protocol.REVEAL_DELAY_BLOCKS;
            x.deadline = ctx.blk.time + ctx.policy.commitWindowSeconds;
        }
        ctx.write(x);
        o.pairs = x.deadline;
        Machine.emit2(
            ctx, IAGNT2.Committed.selector, o.from, commitment, abi.encode(x.depositWei, x.revealableFrom, x.deadline)
        );
        return Steps.COMMITMENT_DEADLINE;
    }

    /// @dev Identifies a caller's commitment.
    function commitmentId(address caller, bytes32 commitment) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(caller, commitment));
    }

    /// @dev Ends a commitment; the INVOKE follows.
    function reveal(Context memory ctx, uint64 chainId) private pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        unchecked {
            if (!Machine.use(ctx, Protocol.COMMITMENT_RECORDS * ctx.params.gasPerRecord)) return Machine.outOfGas(ctx);
        }
        bytes32 commitment = commitmentHash(ctx, chainId);
        o.id = commitmentId(o.from, commitment);
        (bool present, IRecords.Commitment memory x) = ctx.readCommitment(Keys.commitment(o.id));
        if (!present) return Machine.fail(ctx);
        if (ctx.blk.number < x.revealableFrom) return Machine.fail(ctx);
        if (ctx.blk.time > x.deadline) return Machine.fail(ctx);
        ctx.remove();
        o.credit = x.depositWei;
        o.pairs = x.deadline;
        o.flag = true;
        Machine.emit2(ctx, IAGNT2.Revealed.selector, o.from, commitment, abi.encode(x.depositWei));
        return Steps.COMMITMENT_DEADLINE;
    }

    /// @dev What a reveal must have been committed to with. The words after the first are those of the INVOKE.
    function commitmentHash(Context memory ctx, uint64 chainId) private pure returns (bytes32) {
        bytes calldata args = ctx.args();
        bytes32 invokeHash = keccak256(bytes.concat(IAGNT2.invoke.selector, args[32:]));
        return keccak256(abi.encode(chainId, ctx.op.from, bytes32(args), invokeHash));
    }

    function stepCommitmentDeadline(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Deadline memory d) = ctx.readDeadline(Keys.deadline(o.pairs, Keys.DUE_COMMITMENT, o.id));
        o.pairs = 0;
        if (o.flag) {
            if (!present) revert Machine.CorruptRecord();
            ctx.remove();
            return Steps.INVOKE_ARGS;
        }
        d.id = o.id;
        ctx.write(d);
        return Steps.TX_END;
    }

    /// @notice Ends an INVOKE that its callee does not take: a reveal gets payment and deposit back.
    function refuse(Context memory ctx, address callee) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        if (!o.flag) return Machine.fail(ctx);
        unchecked {
            o.credit += o.value;
        }
        o.logs = Logs.extend(
            0,
            Protocol.AGNT2,
            4,
            IAGNT2.RevealRefunded.selector,
            o.id,
            Machine.word(o.from),
            Machine.word(callee),
            abi.encode(o.credit)
        ); // instead of what INVOKE has emitted
        return Steps.TX_END;
    }

    function stepSweepCommitment(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Commitment memory x) = ctx.readCommitment(Keys.commitment(ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        ctx.remove();
        unchecked {
            ctx.sums.baseFees += x.depositWei;
        }
        Machine.emit2(ctx, IAGNT2.CommitmentForfeited.selector, x.caller, x.commitment, abi.encode(x.depositWei));
        return Steps.SWEEP_NEXT;
    }
}
