// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Deposit } from "./Deposit.sol";
import { Machine } from "./Machine.sol";
import { Transaction } from "./Transaction.sol";
import { Withdrawal } from "./Withdrawal.sol";

/// @title TransactionSteps
/// @notice The micro-steps around an operation (agnt2/vm: machine.go's beginning, transaction.go, deposit.go and
///         withdrawal.go), as a library of its own because one contract cannot hold all.
library TransactionSteps {
    using ContextLib for Context;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @dev    The caller has seen to it that the state is unfinished and that `kind` is its step.
    /// @param  kind      The micro-step.
    /// @param  stateData The machine's state before it.
    /// @param  proof     The witness.
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
        Context memory ctx = ContextLib.open(stateData, proof, opens(kind));
        return ctx.close(execute(ctx, kind));
    }

    /// @dev What a micro-step opens: the table of agnt2/vm/program.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.TX_BEGIN) return ContextLib.BLOCK | ContextLib.TX;
        if (kind == Steps.DISPATCH) return ContextLib.TX | ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        if (kind == Steps.TX_END) return ContextLib.TX | ContextLib.OP;
        if (kind == Steps.TX_BOOK) return ContextLib.BLOCK | ContextLib.SUMS | ContextLib.TX | ContextLib.OP;
        if (kind == Steps.TX_UNDO) return ContextLib.TX;
        if (kind == Steps.TRANSFER_CREDIT) return ContextLib.TX | ContextLib.OP;
        if (kind == Steps.DEPOSIT_BEGIN) return ContextLib.TX;
        if (kind == Steps.SEND_MESSAGE) return ContextLib.SUMS | ContextLib.OP | ContextLib.DATA;
        if (kind == Steps.L1_ATTRIBUTES) {
            return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
        }
        if (kind == Steps.BEGIN_PARAMS) return 0;
        if (kind == Steps.BEGIN_POLICY) return ContextLib.BLOCK;
        if (kind == Steps.BEGIN_TOTALS) return ContextLib.SUMS;
        revert UnknownStep(kind);
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind) private pure returns (uint8) {
        if (kind == Steps.TX_BEGIN) return Transaction.stepTxBegin(ctx);
        if (kind == Steps.DISPATCH) return Transaction.stepDispatch(ctx);
        if (kind == Steps.TX_END) return Transaction.stepTxEnd(ctx);
        if (kind == Steps.TX_BOOK) return Transaction.stepTxBook(ctx);
        if (kind == Steps.TX_UNDO) return Transaction.stepTxUndo(ctx);
        if (kind == Steps.TRANSFER_CREDIT) return Transaction.stepTransferCredit(ctx);
        if (kind == Steps.DEPOSIT_BEGIN) return Deposit.stepDepositBegin(ctx);
        if (kind == Steps.SEND_MESSAGE) return Withdrawal.stepSendMessage(ctx);
        if (kind == Steps.L1_ATTRIBUTES) return Deposit.stepL1Attributes(ctx);
        if (kind == Steps.BEGIN_PARAMS) return Machine.stepBeginParams(ctx);
        if (kind == Steps.BEGIN_POLICY) return Machine.stepBeginPolicy(ctx);
        if (kind == Steps.BEGIN_TOTALS) return Machine.stepBeginTotals(ctx);
        revert UnknownStep(kind);
    }
}
