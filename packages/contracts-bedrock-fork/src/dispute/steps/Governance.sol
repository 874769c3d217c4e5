// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Withdrawal } from "./Withdrawal.sol";

/// @title Governance
/// @notice Parameters and fee vaults: agnt2/vm/governance.go and agnt2/bounds.
library Governance {
    using ContextLib for Context;

    /// @notice Whether the transaction is a deposit of an address, which is not nobody.
    function deposited(Context memory ctx, address by) internal pure returns (bool) {
        return ctx.transaction.deposit && ctx.op.from == by && by != address(0);
    }

    /// @dev Charges gas and checks who asks. If not `ok`, the operation goes to `next`.
    function governed(Context memory ctx) private pure returns (bool ok, uint8 next) {
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return (false, Machine.outOfGas(ctx));
        if (!deposited(ctx, ctx.policy.governance)) return (false, Machine.fail(ctx));
        ok = true;
    }

    function checkParams(IRecords.Params memory p) private pure returns (bool) {
        if (p.minTtlSeconds == 0 || p.maxTtlSeconds < p.minTtlSeconds) return false;
        if (p.sweepsPerBlock == 0 || p.sweepsPerBlock > Protocol.MAX_SWEEPS_PER_BLOCK) return false;
        if (p.gasTransfer == 0 || p.gasAgentOperation == 0 || p.gasInvokeBase == 0) return false;
        return p.gasRespond != 0 && p.gasWithdrawal != 0;
    }

    function checkPolicy(IRecords.Policy memory p) private pure returns (bool) {
        if (p.eligibilityScore > Protocol.MAX_SCORE) return false;
        if (p.gasCompose == 0 || p.gasChannel == 0 || p.gasDispute == 0 || p.gasDiscover == 0) return false;
        if (p.disputeBondWei < p.disputeFeeWei) return false;
        return p.prunesPerBlock != 0 && p.prunesPerBlock <= Protocol.MAX_PRUNES_PER_BLOCK;
    }

    function stepSetParamsArgs(Context memory ctx) internal pure returns (uint8) {
        (bool ok, uint8 next) = governed(ctx);
        if (!ok) return next;
        if (!checkParams(abi.decode(ctx.args(), (IRecords.Params)))) return Machine.fail(ctx);
        return Steps.WRITE_PARAMS;
    }

    function stepWriteParams(Context memory ctx) internal pure returns (uint8) {
        ctx.readParams(Keys.PARAMS);
        ctx.write(abi.decode(ctx.args(), (IRecords.Params)));
        emit0(ctx, IAGNT2.ParamsChanged.selector);
        return Steps.TX_END;
    }

    function stepSetPolicyArgs(Context memory ctx) internal pure returns (uint8) {
        (bool ok, uint8 next) = governed(ctx);
        if (!ok) return next;
        if (!checkPolicy(abi.decode(ctx.args(), (IRecords.Policy)))) return Machine.fail(ctx);
        return Steps.WRITE_POLICY;
    }

    function stepWritePolicy(Context memory ctx) internal pure returns (uint8) {
        ctx.readPolicy(Keys.POLICY);
        ctx.write(abi.decode(ctx.args(), (IRecords.Policy)));
        emit0(ctx, IAGNT2.PolicyChanged.selector);
        return Steps.TX_END;
    }

    /// @dev Emits an event whose fields are the operation's arguments.
    function emit0(Context memory ctx, bytes32 selector) private pure {
        ctx.op.logs = Logs.extend(ctx.op.logs, Protocol.AGNT2, 1, selector, 0, 0, 0, ctx.args());
    }

    function stepWithdrawFeesArgs(Context memory ctx) internal pure returns (uint8) {
        address vault = abi.decode(ctx.args(), (address));
        if (!Machine.use(ctx, ctx.params.gasWithdrawal)) return Machine.outOfGas(ctx);
        bool known =
            vault == Protocol.BASE_FEE_VAULT || vault == Protocol.SEQUENCER_FEE_VAULT || vault == Protocol.L1_FEE_VAULT;
        if (!known) return Machine.fail(ctx);
        if (ctx.policy.feeRecipient == address(0)) return Machine.fail(ctx);
        ctx.op.id = Machine.word(vault);
        return Steps.WITHDRAW_VAULT;
    }

    /// @dev The vault that withdrawFees names.
    function vaultOf(Context memory ctx) private pure returns (address) {
        return address(uint160(uint256(ctx.op.id)));
    }

    function stepWithdrawVault(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(vaultOf(ctx)));
        if (a.balance == 0) return Machine.fail(ctx);
        ctx.op.word = bytes32(a.balance);
        a.balance = 0;
        ctx.write(a);
        return Steps.SEND_FEES;
    }

    function stepSendFees(Context memory ctx) internal pure returns (uint8) {
        address vault = vaultOf(ctx);
        address recipient = ctx.policy.feeRecipient;
        uint256 amount = uint256(ctx.op.word);
        Withdrawal.send(ctx, vault, recipient, amount, Protocol.FEES_GAS_LIMIT, "");
        Machine.emit2(ctx, IAGNT2.FeesWithdrawn.selector, vault, Machine.word(recipient), abi.encode(amount));
        return Steps.TX_END;
    }
}
