// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { CanonicalABI } from "../lib/CanonicalABI.sol";
import { Context, ContextLib } from "../lib/Context.sol";
import { OperationSchemas } from "../lib/OperationSchemas.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Withdrawal } from "./Withdrawal.sol";

/// @title Transaction
/// @notice Beginning and end of a transaction: agnt2/vm/transaction.go.
library Transaction {
    using ContextLib for Context;

    /// @dev Whether a transaction is void whatever its sender holds; sets its prices if not.
    function voidBeforeState(Context memory ctx) private pure returns (bool) {
        IFrames.Tx memory t = ctx.transaction;
        IFrames.Block memory b = ctx.blk;
        if (t.gasLimit == 0) return true; // so that in receipts "no gas used" means void
        if (t.feeCap < b.baseFee) return true;
        if (t.gasLimit > b.gasLimit || b.gasUsed > b.gasLimit - t.gasLimit) return true;
        unchecked {
            uint256 tip = t.feeCap - b.baseFee;
            if (t.tipCap < tip) tip = t.tipCap;
            t.gasPrice = b.baseFee + tip;
        }
        t.l1Fee = Gas.l1Fee(b.l1Price, t.size);
        return false;
    }

    /// @dev Whether the sender makes a transaction void; sets the reserve if not.
    function voidByAccount(Context memory ctx, IRecords.Account memory a) private pure returns (bool) {
        IFrames.Tx memory t = ctx.transaction;
        if (a.owner != address(0)) return true;
        if (a.nonce != t.nonce) return true;
        unchecked {
            uint256 reserve = t.gasPrice * t.gasLimit;
            if (reserve / t.gasLimit != t.gasPrice) return true; // the limit is not zero
            uint256 sum = reserve + t.l1Fee;
            if (sum < reserve || a.balance < sum) return true;
            t.reserve = sum;
        }
        return false;
    }

    /// @dev Ends a transaction that is void.
    function setVoid(Context memory ctx) private pure returns (uint8) {
        ctx.transaction.isVoid = true;
        ctx.transaction.gasPrice = 0;
        ctx.transaction.l1Fee = 0;
        return Steps.RECEIPT;
    }

    function stepTxBegin(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(ctx.transaction.from));
        if (voidBeforeState(ctx)) return setVoid(ctx);
        if (voidByAccount(ctx, a)) return setVoid(ctx);
        unchecked {
            a.nonce++;
            a.balance -= ctx.transaction.reserve;
        }
        return takeValue(ctx, a, discountOf(ctx, a));
    }

    /// @notice An account's discount on the class gas of an INVOKE, as long as it lasts.
    function discountOf(Context memory ctx, IRecords.Account memory a) internal pure returns (uint16) {
        return a.discountUntil < ctx.blk.time ? 0 : a.discount;
    }

    /// @notice Takes the value from the sender and makes the registers ready. `close` notes the root that this leads to.
    /// @param  discount The sender's, of an INVOKE's class gas.
    function takeValue(Context memory ctx, IRecords.Account memory a, uint16 discount) internal pure returns (uint8) {
        IFrames.Tx memory t = ctx.transaction;
        IFrames.Op memory o;
        o.from = t.from;
        o.value = t.value;
        o.gasLimit = t.gasLimit;
        o.data = t.data;
        senderRegisters(o, a, discount);
        ctx.setOp(o);
        t.valueTaken = a.balance >= t.value;
        if (t.valueTaken) {
            unchecked {
                a.balance -= t.value;
            }
        }
        ctx.write(a);
        t.root = ctx.settle();
        return Steps.DISPATCH;
    }

    /// @notice Keeps what operations need of the account of the one who acts, so that they do not read it.
    function senderRegisters(IFrames.Op memory o, IRecords.Account memory a, uint16 discount) internal pure {
        o.paced = a.paced;
        o.discount = discount;
        o.stake = a.stake;
        o.pending = a.pendingInvokes;
        o.registered = a.roles & Protocol.ROLE_AGENT != 0;
        o.holds = a.holds;
        o.owner = a.owner;
    }

    /// @notice Fails a transaction that names no operation that could run, at the price of a transfer.
    function reject(Context memory ctx) internal pure returns (uint8) {
        if (!Machine.use(ctx, ctx.params.gasTransfer)) return Machine.outOfGas(ctx);
        return Machine.fail(ctx);
    }

    function stepDispatch(Context memory ctx) internal pure returns (uint8) {
        IFrames.Tx memory t = ctx.transaction;
        if (!t.valueTaken) return reject(ctx);
        if (t.deposit && t.from == Protocol.L1_ATTRIBUTES_DEPOSITOR && !t.creation && t.to == Protocol.L1_BLOCK) {
            return Steps.L1_ATTRIBUTES;
        }
        if (!Machine.use(ctx, Gas.calldataOf(ctx.params, ctx.dataSize))) return Machine.outOfGas(ctx);
        if (ctx.op.owner != address(0)) return reject(ctx); // another key acts for the sender
        if (t.creation) return reject(ctx);
        if (t.to == Protocol.MESSAGE_PASSER) return dispatchMessage(ctx);
        if (t.to == Protocol.AGNT2) return dispatchOperation(ctx);
        if (t.to == Protocol.IDENTITY_REGISTRY) return Steps.REGISTRY;
        if (t.to == Protocol.REPUTATION_REGISTRY || t.to == Protocol.VALIDATION_REGISTRY) return dispatchRegistry(ctx);
        if (ctx.dataSize > 0) return reject(ctx);
        if (!Machine.use(ctx, ctx.params.gasTransfer)) return Machine.outOfGas(ctx);
        return Steps.TRANSFER_CREDIT;
    }

    /// @dev See agnt2/vm/withdrawal.go.
    function dispatchMessage(Context memory ctx) private pure returns (uint8) {
        if (!Withdrawal.isMessage(ctx.data())) return reject(ctx);
        if (!Machine.use(ctx, ctx.params.gasWithdrawal)) return Machine.outOfGas(ctx);
        return Steps.SEND_MESSAGE;
    }

    function dispatchOperation(Context memory ctx) private pure returns (uint8) {
        bytes calldata data = ctx.data();
        if (!isOperation(data, ctx.op.value)) return reject(ctx);
        return firstStep(bytes4(data));
    }

    /// @dev For the registries whose writes are operations as they stand.
    function dispatchRegistry(Context memory ctx) private pure returns (uint8) {
        bytes4 s = bytes4(ctx.data()); // zeros for what is missing
        bool write = ctx.transaction.to == Protocol.REPUTATION_REGISTRY
            ? s == IAGNT2.giveFeedback.selector || s == IAGNT2.revokeFeedback.selector
                || s == IAGNT2.appendResponse.selector
            : s == IAGNT2.validationRequest.selector || s == IAGNT2.validationResponse.selector;
        return write ? dispatchOperation(ctx) : reject(ctx);
    }

    /// @notice Whether calldata is an operation's, in canonical encoding, that takes the value.
    function isOperation(bytes calldata data, uint256 value) internal pure returns (bool) {
        if (data.length < 4) return false;
        (bool known, bool acceptsValue, bytes memory schema) = OperationSchemas.find(bytes4(data));
        if (!known || (!acceptsValue && value != 0)) return false;
        return CanonicalABI.isCanonical(data[4:], schema);
    }

    /// @notice Where an operation begins.
    function firstStep(bytes4 selector) internal pure returns (uint8) {
        if (selector == IAGNT2.invoke.selector) return Steps.INVOKE_ARGS;
        if (selector == IAGNT2.respond.selector) return Steps.RESPOND_ARGS;
        if (selector == IAGNT2.discoverInvoke.selector) return Steps.DISCOVER_ARGS;
        if (selector == IAGNT2.reclaimSlot.selector) return Steps.DISCOVER_ARGS;
        if (selector == IAGNT2.commit.selector) return Steps.COMMITMENT;
        if (selector == IAGNT2.reveal.selector) return Steps.COMMITMENT;
        if (selector == IAGNT2.compose.selector) return Steps.COMPOSE_ARGS;
        if (selector == IAGNT2.openResult.selector) return Steps.OPEN_ARGS;
        if (selector == IAGNT2.cancel.selector) return Steps.CANCEL_INTERACTION;
        if (selector == IAGNT2.giveFeedback.selector) return Steps.FEEDBACK_ARGS;
        if (selector == IAGNT2.revokeFeedback.selector) return Steps.REVOKE_FEEDBACK;
        if (selector == IAGNT2.appendResponse.selector) return Steps.APPEND_RESPONSE;
        if (selector == IAGNT2.validationRequest.selector) return Steps.VALIDATION_ARGS;
        if (selector == IAGNT2.validationResponse.selector) return Steps.ANSWER_VALIDATION;
        if (selector == IAGNT2.register.selector) return Steps.REGISTER_AGENT;
        if (selector == IAGNT2.updateAgent.selector) return Steps.UPDATE_AGENT;
        if (selector == IAGNT2.updateCapabilities.selector) return Steps.READ_OWN_AGENT;
        if (selector == IAGNT2.topUpStake.selector) return Steps.TOP_UP_STAKE;
        if (selector == IAGNT2.deregister.selector) return Steps.DEREGISTER_AGENT;
        if (selector == IAGNT2.withdrawStake.selector) return Steps.WITHDRAW_STAKE;
        if (selector == IAGNT2.heartbeat.selector) return Steps.HEARTBEAT;
        if (selector == IAGNT2.openChannel.selector) return Steps.OPEN_CHANNEL_ARGS;
        if (selector == IAGNT2.checkpoint.selector) return Steps.CHANNEL_STATE_ARGS;
        if (selector == IAGNT2.closeChannel.selector) return Steps.CHANNEL_STATE_ARGS;
        if (selector == IAGNT2.disputeChannel.selector) return Steps.CHANNEL_STATE_ARGS;
        if (selector == IAGNT2.reportDoubleSigning.selector) return Steps.DOUBLE_SIGNING_ARGS;
        if (selector == IAGNT2.dispute.selector) return Steps.DISPUTE_ARGS;
        if (selector == IAGNT2.disputePruned.selector) return Steps.DISPUTE_PRUNED_ARGS;
        if (selector == IAGNT2.resolveDispute.selector) return Steps.RESOLVE_ARGS;
        if (selector == IAGNT2.importAgent.selector) return Steps.IMPORT_ARGS;
        if (selector == IAGNT2.setParams.selector) return Steps.SET_PARAMS_ARGS;
        if (selector == IAGNT2.setPolicy.selector) return Steps.SET_POLICY_ARGS;
        if (selector == IAGNT2.withdrawFees.selector) return Steps.WITHDRAW_FEES_ARGS;
        if (selector == IAGNT2.actFor.selector) return Steps.ACT_OPERATION;
        if (selector == IAGNT2.registerFor.selector) return Steps.REGISTER_FOR;
        if (selector == IAGNT2.authorizeKey.selector) return Steps.AUTHORIZE_KEY;
        if (selector == IAGNT2.revokeKey.selector) return Steps.REVOKE_KEY;
        if (selector == IAGNT2.transferOwnership.selector) return Steps.TRANSFER_OWNERSHIP;
        if (selector == IAGNT2.setAgentURI.selector) return Steps.SET_AGENT_URI;
        if (selector == IAGNT2.setMetadata.selector) return Steps.SET_METADATA;
        if (selector == IAGNT2.setAgentWallet.selector) return Steps.SET_AGENT_WALLET;
        if (selector == IAGNT2.pay.selector) return Steps.PAY;
        if (selector == IAGNT2.openSession.selector) return Steps.OPEN_SESSION;
        if (selector == IAGNT2.closeSession.selector) return Steps.CLOSE_SESSION;
        revert Machine.CorruptRecord(); // OperationSchemas knows no other
    }

    /// @dev See agnt2/vm/machine.go.
    function stepTxUndo(Context memory ctx) internal pure returns (uint8) {
        ctx.setRoot(ctx.transaction.root);
        return Steps.TX_END;
    }

    function stepTxEnd(Context memory ctx) internal pure returns (uint8) {
        IFrames.Tx memory t = ctx.transaction;
        IFrames.Op memory o = ctx.op;
        // Whoever has acted for an agent comes here twice: first what the operation left is settled with the agent.
        bool acted = o.from != t.from && !o.failed && !o.settled;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(acted ? o.from : t.from));
        if (acted) {
            settle(o, a);
            o.settled = true;
            ctx.write(a);
            return Steps.TX_END;
        }
        unchecked {
            if (o.failed) {
                if (t.valueTaken) a.balance += t.value;
                o.effect = 0;
                o.credit = 0;
            }
            if (!o.settled) settle(o, a);
            if (!t.deposit) a.balance = a.balance + t.reserve - (o.gasUsed * t.gasPrice + t.l1Fee);
        }
        ctx.write(a);
        return Steps.TX_BOOK;
    }

    /// @dev Does to the account of the one who acts what the operation has left to the end.
    function settle(IFrames.Op memory o, IRecords.Account memory a) private pure {
        unchecked {
            a.balance += o.credit;
            if (o.effect & Protocol.STAKE_VALUE != 0) a.stake += o.value;
            if (o.effect & Protocol.STAKE_OUT != 0) {
                a.balance += a.stake;
                a.stake = 0;
            }
            if (o.effect & Protocol.ESCROW != 0) {
                a.escrowed += o.value;
                a.pendingInvokes++;
                a.paced = o.paced;
            }
            if (o.effect & Protocol.DISCOUNT != 0) {
                a.discount = o.discount;
                a.discountUntil = o.pairs;
            }
            if (o.effect & Protocol.REGISTER != 0) a.roles |= Protocol.ROLE_AGENT;
            if (o.effect & Protocol.UNREGISTER != 0) a.roles &= ~Protocol.ROLE_AGENT;
            if (o.effect & Protocol.OWNER != 0) a.owner = o.owner;
        }
    }

    function stepTxBook(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        IFrames.Block memory b = ctx.blk;
        IFrames.Sums memory sums = ctx.sums;
        unchecked {
            if (ctx.transaction.deposit) {
                // Deposits never wait for block gas: the sum of them must not be able to make a block invalid.
                uint64 left = b.gasLimit - b.gasUsed;
                if (o.gasUsed > left) o.gasUsed = left;
            } else {
                uint256 base = o.gasUsed * b.baseFee;
                sums.baseFees += base;
                sums.priorityFees += o.gasUsed * ctx.transaction.gasPrice - base;
                sums.l1Fees += ctx.transaction.l1Fee;
            }
            b.gasUsed += o.gasUsed;
            if (o.effect & Protocol.REGISTER != 0) sums.agents++;
            if (o.effect & Protocol.UNREGISTER != 0) sums.agents--;
            if (o.effect & Protocol.ESCROW != 0) sums.interactions++;
            if (o.effect & Protocol.SETTLE != 0) sums.volumeWei += o.credit;
            if (o.effect & Protocol.MESSAGE != 0) sums.messageNonce++;
            if (o.effect & Protocol.BURN != 0) sums.burnedWei += uint256(o.word);
            if (o.effect & Protocol.CHANNEL != 0) sums.channels++;
        }
        return Steps.RECEIPT;
    }

    function stepTransferCredit(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(ctx.transaction.to));
        unchecked {
            a.balance += ctx.op.value;
        }
        ctx.write(a);
        return Steps.TX_END;
    }
}
