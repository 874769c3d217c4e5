// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { IValidationRegistry } from "../../interfaces/IValidationRegistry.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Validation
/// @notice ERC-8004's Validation registry, and the lists that both registries keep: agnt2/vm/validation.go, and the end of
///         agnt2/vm/feedback.go.
library Validation {
    using ContextLib for Context;

    function requestArgs(Context memory ctx)
        private
        pure
        returns (address validator, uint256 agentId, string memory uri, bytes32 requestHash)
    {
        Machine.expect(ctx, IAGNT2.validationRequest.selector);
        return abi.decode(ctx.args(), (address, uint256, string, bytes32));
    }

    function stepValidationArgs(Context memory ctx) internal pure returns (uint8) {
        (address validator, uint256 agentId, string memory uri, bytes32 requestHash) = requestArgs(ctx);
        IFrames.Op memory o = ctx.op;
        address agent = address(uint160(agentId));
        bool inRange = agentId <= type(uint160).max;
        bool own = inRange && agent == o.from;
        uint256 n = own ? Protocol.VALIDATION_RECORDS : 1;
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, n))) return Machine.outOfGas(ctx);
        if (!inRange || validator == address(0) || bytes(uri).length > Protocol.MAX_URI) return Machine.fail(ctx);
        if (!own) {
            o.actor = o.from;
            o.from = agent;
            o.flag = true;
            o.branch = uint32(IAGNT2.validationRequest.selector);
            return Steps.ACT_AGENT;
        }
        if (!o.registered) return Machine.fail(ctx);
        o.id = requestHash;
        o.word = Machine.word(validator);
        return Steps.WRITE_VALIDATION;
    }

    function stepWriteValidation(Context memory ctx) internal pure returns (uint8) {
        (address validator, uint256 agentId, string memory uri, bytes32 requestHash) = requestArgs(ctx);
        (bool present, IRecords.Validation memory v) = ctx.readValidation(Keys.validation(ctx.op.id));
        if (present) return Machine.fail(ctx);
        v.validator = validator;
        v.agent = ctx.op.from;
        v.lastUpdate = ctx.blk.time;
        ctx.write(v);
        Machine.emit3(
            ctx,
            Protocol.VALIDATION_REGISTRY,
            IValidationRegistry.ValidationRequest.selector,
            Machine.word(validator),
            bytes32(agentId),
            requestHash,
            abi.encode(uri)
        );
        ctx.op.status = Protocol.LIST_AGENT_VALIDATIONS;
        return Steps.LIST_COUNT;
    }

    function stepAnswerValidation(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.validationResponse.selector);
        (bytes32 requestHash, uint8 response, string memory uri, bytes32 responseHash, string memory tag) =
            abi.decode(ctx.args(), (bytes32, uint8, string, bytes32, string));
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        if (response > 100 || bytes(uri).length > Protocol.MAX_URI || bytes(tag).length > Protocol.MAX_TAG) {
            return Machine.fail(ctx);
        }
        (bool present, IRecords.Validation memory v) = ctx.readValidation(Keys.validation(requestHash));
        if (!present || v.validator != ctx.op.from) return Machine.fail(ctx);
        v.answered = true;
        v.response = response;
        v.responseHash = responseHash;
        v.tag = tag;
        v.lastUpdate = ctx.blk.time;
        ctx.write(v);
        Machine.emit3(
            ctx,
            Protocol.VALIDATION_REGISTRY,
            IValidationRegistry.ValidationResponse.selector,
            Machine.word(v.validator),
            Machine.word(v.agent),
            requestHash,
            abi.encode(response, uri, responseHash, tag)
        );
        return Steps.TX_END;
    }

    // -------------------------------------------------------------------------------------------------------------- lists

    /// @dev The subject of the list that `op.status` names, and the new entry.
    function listOf(IFrames.Op memory o) private pure returns (address subject, bytes32 item) {
        if (o.status == Protocol.LIST_CLIENTS) return (address(uint160(uint256(o.word))), Machine.word(o.from));
        if (o.status == Protocol.LIST_AGENT_VALIDATIONS) return (o.from, o.id);
        return (address(uint160(uint256(o.word))), o.id);
    }

    function stepListCount(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (address subject,) = listOf(o);
        (, IRecords.ListCount memory n) = ctx.readListCount(Keys.listCount(o.status, subject));
        unchecked {
            n.count++;
        }
        o.pairs = n.count;
        ctx.write(n);
        return Steps.LIST_ENTRY;
    }

    function stepListEntry(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (address subject, bytes32 item) = listOf(o);
        ctx.readListEntry(Keys.listEntry(o.status, subject, o.pairs));
        ctx.write(IRecords.ListEntry(item));
        if (o.status != Protocol.LIST_AGENT_VALIDATIONS) return Steps.TX_END;
        o.status = Protocol.LIST_VALIDATOR_REQUESTS;
        return Steps.LIST_COUNT;
    }
}
