// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Protocol } from "./Protocol.sol";

/// @title Machine
/// @notice What micro-steps have in common, and those that begin and close a block: agnt2/vm/machine.go. A function that
///         is a micro-step returns the next one. Nothing here may revert on a state that the machine can be in.
library Machine {
    using ContextLib for Context;

    /// @notice A record is missing, or says what it never can: not a state of the machine.
    error CorruptRecord();

    /// @notice Refuses a state whose micro-step is one of another operation than its calldata: no machine comes to it.
    function expect(Context memory ctx, bytes4 selector) internal pure {
        if (bytes4(ctx.data()) != selector) revert CorruptRecord();
    }

    /// @notice Ends the operation: what it wrote is undone, and the transaction's end charges the fee.
    function fail(Context memory ctx) internal pure returns (uint8) {
        ctx.op.logs = 0;
        ctx.op.failed = true;
        return Steps.TX_UNDO;
    }

    /// @notice Charges gas; false after the operation has run out of it.
    function use(Context memory ctx, uint64 amount) internal pure returns (bool) {
        ctx.op.gasUsed = Gas.add(ctx.op.gasUsed, amount);
        return ctx.op.gasUsed <= ctx.op.gasLimit;
    }

    /// @notice Fails an operation that has run out of gas.
    function outOfGas(Context memory ctx) internal pure returns (uint8) {
        ctx.op.gasUsed = ctx.op.gasLimit;
        return fail(ctx);
    }

    /// @notice Clears the registers of the sender's account, and who acts for it, once no later step needs them.
    function forgetSender(Context memory ctx) internal pure {
        ctx.op.stake = 0;
        ctx.op.pending = 0;
        ctx.op.registered = false;
        ctx.op.holds = 0;
        ctx.op.actor = address(0);
    }

    /// @notice Emits an event of any of the native addresses with three indexed fields.
    function emit3(
        Context memory ctx,
        address at,
        bytes32 selector,
        bytes32 a,
        bytes32 b,
        bytes32 c,
        bytes memory fields
    )
        internal
        pure
    {
        ctx.op.logs = Logs.extend(ctx.op.logs, at, 4, selector, a, b, c, fields);
    }

    /// @notice Emits an event of the AGNT2 address without indexed fields but one.
    function emit1(Context memory ctx, bytes32 selector, address a, bytes memory fields) internal pure {
        ctx.op.logs = Logs.extend(ctx.op.logs, Protocol.AGNT2, 2, selector, word(a), 0, 0, fields);
    }

    /// @notice Emits an event of the AGNT2 address with two indexed fields.
    function emit2(Context memory ctx, bytes32 selector, address a, bytes32 b, bytes memory fields) internal pure {
        ctx.op.logs = Logs.extend(ctx.op.logs, Protocol.AGNT2, 3, selector, word(a), b, 0, fields);
    }

    /// @notice Emits an event of the AGNT2 address with the interaction's parties as indexed fields.
    function emit3(
        Context memory ctx,
        bytes32 selector,
        IRecords.Interaction memory i,
        bytes memory fields
    )
        internal
        pure
    {
        ctx.op.logs =
            Logs.extend(ctx.op.logs, Protocol.AGNT2, 4, selector, ctx.op.id, word(i.caller), word(i.callee), fields);
    }

    /// @notice An address as a topic.
    function word(address a) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(a)));
    }

    // -------------------------------------------------------------------------------------------------------------- begin

    function stepBeginParams(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readParams(Keys.PARAMS);
        if (!present) revert CorruptRecord();
        ctx.setParams(ctx.oldHash);
        return Steps.BEGIN_POLICY;
    }

    function stepBeginPolicy(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readPolicy(Keys.POLICY);
        if (!present) revert CorruptRecord();
        ctx.blk.policy = ctx.oldHash;
        return Steps.BEGIN_TOTALS;
    }

    function stepBeginTotals(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Totals memory t) = ctx.readTotals(Keys.TOTALS);
        if (!present) revert CorruptRecord();
        ctx.sums.agents = t.agents;
        ctx.sums.interactions = t.interactions;
        ctx.sums.volumeWei = t.volumeWei;
        ctx.sums.messageNonce = t.messageNonce;
        ctx.sums.channels = t.channels;
        ctx.sums.burnedWei = t.burnedWei;
        return Steps.TX_ATTRIBUTES;
    }

    // --------------------------------------------------------------------------------------------------------------- seal

    /// @dev Adds to a balance outside of a transaction.
    function creditAccount(Context memory ctx, address to, uint256 amount) private pure {
        if (amount == 0) return;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(to));
        unchecked {
            a.balance += amount;
        }
        ctx.write(a);
    }

    function stepSealBaseFees(Context memory ctx) internal pure returns (uint8) {
        creditAccount(ctx, Protocol.BASE_FEE_VAULT, ctx.sums.baseFees);
        return Steps.SEAL_PRIORITY_FEES;
    }

    function stepSealPriorityFees(Context memory ctx) internal pure returns (uint8) {
        creditAccount(ctx, Protocol.SEQUENCER_FEE_VAULT, ctx.sums.priorityFees);
        return Steps.SEAL_L1_FEES;
    }

    function stepSealL1Fees(Context memory ctx) internal pure returns (uint8) {
        creditAccount(ctx, Protocol.L1_FEE_VAULT, ctx.sums.l1Fees);
        return Steps.SEAL_TOTALS;
    }

    function stepSealTotals(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Totals memory t) = ctx.readTotals(Keys.TOTALS);
        t.agents = ctx.sums.agents;
        t.interactions = ctx.sums.interactions;
        t.volumeWei = ctx.sums.volumeWei;
        t.messageNonce = ctx.sums.messageNonce;
        t.channels = ctx.sums.channels;
        t.burnedWei = ctx.sums.burnedWei;
        ctx.write(t);
        return Steps.TX_ROOT;
    }
}
