// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Transaction } from "./Transaction.sol";

/// @title Act
/// @notice Acting for an agent: agnt2/vm/act.go.
library Act {
    using ContextLib for Context;

    /// @dev Where an INVOKE's calldata has the capability: behind selector, salt and callee.
    uint256 private constant CAPABILITY_AT = 4 + 2 * 32;

    /// @dev Whether no session key executes an operation, because it decides who acts for the agent.
    function isOwners(bytes4 selector) private pure returns (bool) {
        return selector == IAGNT2.authorizeKey.selector || selector == IAGNT2.revokeKey.selector
            || selector == IAGNT2.transferOwnership.selector || selector == IAGNT2.setAgentWallet.selector;
    }

    /// @dev Whether an operation puts somebody in its sender's place, which happens once in a transaction.
    function acts(bytes4 selector) private pure returns (bool) {
        return selector == IAGNT2.actFor.selector || selector == IAGNT2.registerFor.selector;
    }

    /// @notice Whether a concatenation of elements has one, the first `size` bytes of x.
    function lists(bytes memory list, bytes32 x, uint256 size) internal pure returns (bool) {
        unchecked {
            uint256 spare = 256 - 8 * size;
            for (uint256 p = size; p <= list.length; p += size) {
                bytes32 element;
                assembly ("memory-safe") {
                    element := mload(sub(add(add(list, 32), p), size))
                }
                if (element >> spare == x >> spare) return true;
            }
            return false;
        }
    }

    function stepActOperation(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.actFor.selector);
        bytes calldata args = ctx.args();
        (address agent, uint256 value) = abi.decode(args, (address, uint256));
        uint256 size = uint256(bytes32(args[3 * 32:]));
        bytes calldata operation = args[4 * 32:4 * 32 + size];
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 1))) return Machine.outOfGas(ctx);
        IFrames.Op memory o = ctx.op;
        if (agent == o.from) return Machine.fail(ctx);
        if (!Transaction.isOperation(operation, value) || acts(bytes4(operation))) return Machine.fail(ctx);
        o.actor = o.from;
        o.from = agent;
        o.value = value;
        o.flag = true;
        o.data = keccak256(operation);
        o.branch = uint32(bytes4(operation));
        if (bytes4(operation) == IAGNT2.invoke.selector) o.id = bytes32(operation[CAPABILITY_AT:]);
        return Steps.ACT_AGENT;
    }

    function stepActAgent(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.op.from));
        if (!present) return Machine.fail(ctx);
        if (a.owner == ctx.op.actor) return Steps.ACT_ACCOUNT;
        ctx.op.epoch = a.ownership;
        return Steps.ACT_KEY;
    }

    function stepActKey(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Delegation memory k) = ctx.readDelegation(Keys.delegation(o.from, o.actor));
        if (!present || k.ownership != o.epoch) return Machine.fail(ctx);
        if (ctx.blk.time > k.expiry) return Machine.fail(ctx);
        bytes4 operation = bytes4(o.branch);
        bool invoke = operation == IAGNT2.invoke.selector;
        if (isOwners(operation)) return Machine.fail(ctx);
        if (k.operations.length > 0) {
            if (!lists(k.operations, operation, 4)) return Machine.fail(ctx);
        } else if (k.capabilities.length > 0 && !invoke) {
            return Machine.fail(ctx);
        }
        if (invoke && k.capabilities.length > 0 && !lists(k.capabilities, o.id, 32)) return Machine.fail(ctx);
        unchecked {
            uint256 spent = k.spentWei + o.value;
            if (spent < o.value || spent > k.spendLimitWei) return Machine.fail(ctx);
            k.spentWei = spent;
        }
        ctx.write(k);
        return Steps.ACT_ACCOUNT;
    }

    function stepActAccount(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(o.from));
        if (o.flag) {
            if (a.balance < o.value) return Machine.fail(ctx);
            unchecked {
                a.balance -= o.value;
            }
            ctx.write(a);
            Machine.emit2(
                ctx, IAGNT2.ActedFor.selector, o.from, Machine.word(o.actor), abi.encode(bytes4(o.branch), o.value)
            );
            o.actor = address(0);
        }
        Transaction.senderRegisters(o, a, Transaction.discountOf(ctx, a));
        if (!o.flag) o.owner = o.actor;
        uint8 first = Transaction.firstStep(bytes4(o.branch));
        o.flag = false;
        o.branch = 0;
        o.epoch = 0;
        o.id = 0;
        return first;
    }

    function stepRegisterFor(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.registerFor.selector);
        bytes calldata args = ctx.args();
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 1))) return Machine.outOfGas(ctx);
        IFrames.Op memory o = ctx.op;
        o.actor = o.from;
        o.from = address(uint160(uint256(keccak256(abi.encode(o.from, uint256(bytes32(args)))))));
        o.effect |= Protocol.OWNER;
        bytes memory register = registerCall(args);
        o.data = keccak256(register);
        o.branch = uint32(IAGNT2.register.selector);
        return Steps.ACT_ACCOUNT;
    }

    /// @dev The register that a registerFor contains: without the index, the offsets of its five dynamic arguments a word less.
    function registerCall(bytes calldata args) private pure returns (bytes memory inner) {
        inner = abi.encodePacked(IAGNT2.register.selector, args[32:]);
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, 6) { i := add(i, 1) } {
                if iszero(eq(i, 3)) {
                    let p := add(add(inner, 36), shl(5, i))
                    mstore(p, sub(mload(p), 32))
                }
            }
        }
    }
}
