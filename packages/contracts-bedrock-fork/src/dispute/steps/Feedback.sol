// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { IReputationRegistry } from "../../interfaces/IReputationRegistry.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Feedback
/// @notice ERC-8004's Reputation registry: agnt2/vm/feedback.go, without the lists.
library Feedback {
    using ContextLib for Context;

    /// @dev Arguments of giveFeedback.
    struct Give {
        uint256 agentId;
        int128 value;
        uint8 valueDecimals;
        string tag1;
        string tag2;
        string endpoint;
        string feedbackURI;
        bytes32 feedbackHash;
    }

    /// @dev Arguments of appendResponse.
    struct Append {
        uint256 agentId;
        address client;
        uint64 index;
        string responseURI;
        bytes32 responseHash;
    }

    int128 private constant MOST_VALUE = 1e38;
    uint256 private constant SCHEME_LENGTH = 6; // "agnt2:"
    uint256 private constant ENDPOINT_LENGTH = 8 + 64; // "agnt2:0x" and the digits

    function giveArgs(Context memory ctx) private pure returns (Give memory c) {
        Machine.expect(ctx, IAGNT2.giveFeedback.selector);
        (c.agentId, c.value, c.valueDecimals, c.tag1, c.tag2, c.endpoint, c.feedbackURI, c.feedbackHash) =
            abi.decode(ctx.args(), (uint256, int128, uint8, string, string, string, string, bytes32));
    }

    function appendArgs(Context memory ctx) private pure returns (Append memory c) {
        Machine.expect(ctx, IAGNT2.appendResponse.selector);
        (c.agentId, c.client, c.index, c.responseURI, c.responseHash) =
            abi.decode(ctx.args(), (uint256, address, uint64, string, bytes32));
    }

    /// @dev Emits an event of the registry with three indexed fields: Machine.emit3 for callers whose stack has no room for the address.
    function log(
        Context memory ctx,
        bytes32 selector,
        bytes32 a,
        bytes32 b,
        bytes32 c,
        bytes memory fields
    )
        private
        pure
    {
        Machine.emit3(ctx, Protocol.REPUTATION_REGISTRY, selector, a, b, c, fields);
    }

    /// @dev The agent that feedback is about.
    function agentOf(Context memory ctx) private pure returns (address) {
        return address(uint160(uint256(ctx.op.word)));
    }

    /// @dev Reads the endpoint by which feedback names an interaction.
    /// @return id         The interaction.
    /// @return named      Whether the endpoint begins like such a one.
    /// @return wellFormed Whether it is one, if so.
    function ratedInteraction(string memory endpoint) private pure returns (bytes32 id, bool named, bool wellFormed) {
        bytes memory e = bytes(endpoint);
        if (e.length < SCHEME_LENGTH || bytes6(bytes32(e)) != "agnt2:") return (0, false, true);
        if (e.length != ENDPOINT_LENGTH || bytes8(bytes32(e)) != "agnt2:0x") return (0, true, false);
        unchecked {
            uint256 n;
            for (uint256 i = 8; i < ENDPOINT_LENGTH; ++i) {
                uint256 digit = uint8(e[i]);
                if (digit >= 0x30 && digit <= 0x39) digit -= 0x30;
                else if (digit >= 0x61 && digit <= 0x66) digit -= 0x61 - 10;
                else return (0, true, false);
                n = (n << 4) | digit;
            }
            return (bytes32(n), true, true);
        }
    }

    function stepFeedbackArgs(Context memory ctx) internal pure returns (uint8) {
        Give memory c = giveArgs(ctx);
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, Protocol.FEEDBACK_RECORDS))) return Machine.outOfGas(ctx);
        (bytes32 id, bool named, bool wellFormed) = ratedInteraction(c.endpoint);
        if (c.agentId > type(uint160).max) return Machine.fail(ctx);
        if (c.value > MOST_VALUE || c.value < -MOST_VALUE) return Machine.fail(ctx);
        if (c.valueDecimals > 18) return Machine.fail(ctx);
        if (bytes(c.tag1).length > Protocol.MAX_TAG || bytes(c.tag2).length > Protocol.MAX_TAG) {
            return Machine.fail(ctx);
        }
        if (bytes(c.endpoint).length > Protocol.MAX_ENDPOINT || !wellFormed) return Machine.fail(ctx);
        if (bytes(c.feedbackURI).length > Protocol.MAX_URI) return Machine.fail(ctx);
        ctx.op.word = bytes32(c.agentId);
        ctx.op.id = id;
        ctx.op.flag = named;
        return Steps.FEEDBACK_AGENT;
    }

    function stepFeedbackAgent(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        address agent = agentOf(ctx);
        (bool present, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(agent));
        if (!present) return Machine.fail(ctx);
        address owner = o.owner == address(0) ? o.from : o.owner;
        if (o.from == agent || o.from == a.owner || owner == a.owner) return Machine.fail(ctx);
        o.epoch = a.ownership;
        return Steps.FEEDBACK_KEY;
    }

    function stepFeedbackKey(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Delegation memory k) = ctx.readDelegation(Keys.delegation(agentOf(ctx), o.from));
        if (present && k.ownership == o.epoch && ctx.blk.time <= k.expiry) return Machine.fail(ctx);
        return o.flag ? Steps.FEEDBACK_INTERACTION : Steps.FEEDBACK_PAIR;
    }

    function stepFeedbackInteraction(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(o.id));
        if (!present) return Steps.FEEDBACK_PAIR;
        if (i.caller != o.from || i.callee != agentOf(ctx)) return Machine.fail(ctx);
        if (i.status == Protocol.PENDING || i.status == Protocol.TENTATIVE || i.status == Protocol.OPENED) {
            return Machine.fail(ctx);
        }
        return Steps.FEEDBACK_COUNT;
    }

    function stepFeedbackPair(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (, IRecords.Pair memory p) = ctx.readPair(Keys.pair(agentOf(ctx), o.from));
        if (p.completed == 0 || (o.flag && p.latest != o.id)) return Machine.fail(ctx);
        o.id = p.latest;
        return Steps.FEEDBACK_COUNT;
    }

    function stepFeedbackCount(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.FeedbackCount memory n) = ctx.readFeedbackCount(Keys.feedbackCount(agentOf(ctx), ctx.op.from));
        unchecked {
            n.count++;
        }
        ctx.op.pairs = n.count;
        ctx.write(n);
        return Steps.FEEDBACK_RATING;
    }

    function stepFeedbackRating(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Rating memory r) = ctx.readRating(Keys.rating(ctx.op.id));
        if (present) return Machine.fail(ctx);
        r.feedbackIndex = ctx.op.pairs;
        ctx.write(r);
        return Steps.WRITE_FEEDBACK;
    }

    function stepWriteFeedback(Context memory ctx) internal pure returns (uint8) {
        Give memory c = giveArgs(ctx);
        IFrames.Op memory o = ctx.op;
        (, IRecords.Feedback memory f) = ctx.readFeedback(Keys.feedback(agentOf(ctx), o.from, o.pairs));
        f.value = c.value;
        f.valueDecimals = c.valueDecimals;
        f.isRevoked = false;
        f.responses = 0;
        f.givenAt = ctx.blk.time;
        f.interactionId = o.id;
        f.tag1 = c.tag1;
        f.tag2 = c.tag2;
        ctx.write(f);
        log(
            ctx,
            IReputationRegistry.NewFeedback.selector,
            o.word,
            Machine.word(o.from),
            keccak256(bytes(c.tag1)),
            abi.encode(o.pairs, c.value, c.valueDecimals, c.tag1, c.tag2, c.endpoint, c.feedbackURI, c.feedbackHash)
        );
        if (o.pairs > 1) return Steps.TX_END;
        o.status = Protocol.LIST_CLIENTS;
        return Steps.LIST_COUNT;
    }

    function stepRevokeFeedback(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.revokeFeedback.selector);
        (uint256 agentId, uint64 index) = abi.decode(ctx.args(), (uint256, uint64));
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        if (agentId > type(uint160).max) return Machine.fail(ctx);
        address client = ctx.op.from;
        (bool present, IRecords.Feedback memory f) =
            ctx.readFeedback(Keys.feedback(address(uint160(agentId)), client, index));
        if (!present || f.isRevoked) return Machine.fail(ctx);
        f.isRevoked = true;
        ctx.write(f);
        log(
            ctx,
            IReputationRegistry.FeedbackRevoked.selector,
            bytes32(agentId),
            Machine.word(client),
            bytes32(uint256(index)),
            ""
        );
        return Steps.TX_END;
    }

    function stepAppendResponse(Context memory ctx) internal pure returns (uint8) {
        Append memory c = appendArgs(ctx);
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 1))) return Machine.outOfGas(ctx);
        if (c.agentId > type(uint160).max) return Machine.fail(ctx);
        uint256 size = bytes(c.responseURI).length;
        if (size == 0 || size > Protocol.MAX_URI) return Machine.fail(ctx);
        (bool present, IRecords.Feedback memory f) =
            ctx.readFeedback(Keys.feedback(address(uint160(c.agentId)), c.client, c.index));
        if (!present) return Machine.fail(ctx);
        unchecked {
            f.responses++;
        }
        ctx.write(f);
        return Steps.COUNT_RESPONSE;
    }

    function stepCountResponse(Context memory ctx) internal pure returns (uint8) {
        Append memory c = appendArgs(ctx);
        address responder = ctx.op.from;
        (, IRecords.ResponseCount memory n) =
            ctx.readResponseCount(Keys.responseCount(address(uint160(c.agentId)), c.client, c.index, responder));
        unchecked {
            n.count++;
        }
        ctx.write(n);
        log(
            ctx,
            IReputationRegistry.ResponseAppended.selector,
            bytes32(c.agentId),
            Machine.word(c.client),
            Machine.word(responder),
            abi.encode(c.index, c.responseURI, c.responseHash)
        );
        return Steps.TX_END;
    }
}
