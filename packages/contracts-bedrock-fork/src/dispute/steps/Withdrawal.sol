// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { CanonicalABI } from "../lib/CanonicalABI.sol";
import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Withdrawal
/// @notice The L2ToL1MessagePasser of OP's contracts: agnt2/vm/withdrawal.go and agnt2/withdrawal.
library Withdrawal {
    using ContextLib for Context;

    /// @dev MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32).
    bytes32 private constant MESSAGE_PASSED =
        keccak256("MessagePassed(uint256,address,address,uint256,uint256,bytes,bytes32)");

    /// @dev initiateWithdrawal's arguments (address, uint256, bytes), for CanonicalABI.
    bytes private constant SCHEMA = hex"03140040";

    /// @dev Version 1, in the top two bytes of a message's nonce.
    uint256 private constant NONCE_VERSION = 1 << 240;

    /// @notice Whether calldata of the message passer sends a message.
    function isMessage(bytes calldata data) internal pure returns (bool) {
        if (data.length == 0) return true;
        if (data.length < 4 || bytes4(data) != Protocol.INITIATE_WITHDRAWAL_SELECTOR) return false;
        return CanonicalABI.isCanonical(data[4:], SCHEMA);
    }

    /// @dev The message that the calldata sends; it is one.
    function messageOf(Context memory ctx)
        private
        pure
        returns (address target, uint256 gasLimit, bytes calldata body)
    {
        bytes calldata data = ctx.data();
        if (data.length == 0) return (ctx.op.from, Protocol.RECEIVE_GAS_LIMIT, data);
        (target, gasLimit) = abi.decode(data[4:], (address, uint256));
        uint256 size = uint256(bytes32(data[100:]));
        body = data[132:132 + size];
    }

    function stepSendMessage(Context memory ctx) internal pure returns (uint8) {
        (address target, uint256 gasLimit, bytes calldata body) = messageOf(ctx);
        if (body.length > Protocol.MAX_MESSAGE_DATA_SIZE) return Machine.fail(ctx);
        send(ctx, ctx.op.from, target, ctx.op.value, gasLimit, body);
        return Steps.TX_END;
    }

    /// @notice Sends a message: emits MessagePassed and keeps the hash for the message passer's trie.
    function send(
        Context memory ctx,
        address sender,
        address target,
        uint256 value,
        uint256 gasLimit,
        bytes memory body
    )
        internal
        pure
    {
        uint256 nonce = NONCE_VERSION | ctx.sums.messageNonce;
        bytes32 hash = keccak256(abi.encode(nonce, sender, target, value, gasLimit, body));
        ctx.op.message = hash;
        ctx.op.effect |= Protocol.MESSAGE;
        ctx.op.logs = Logs.extend(
            ctx.op.logs,
            Protocol.MESSAGE_PASSER,
            4,
            MESSAGE_PASSED,
            bytes32(nonce),
            Machine.word(sender),
            Machine.word(target),
            abi.encode(value, gasLimit, body, hash)
        );
    }
}
