// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Attestation } from "./Attestation.sol";
import { Calls } from "./Calls.sol";
import { Gas } from "./Gas.sol";
import { History } from "./History.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Reputation } from "./Reputation.sol";
import { Sweep } from "./Sweep.sol";
import { TypedData } from "./TypedData.sol";

/// @title Respond
/// @notice RESPOND: agnt2/vm/respond.go.
library Respond {
    using ContextLib for Context;

    function stepRespondArgs(Context memory ctx) internal pure returns (uint8) {
        (Calls.Respond memory c, bytes calldata attestation) = Calls.respond(ctx.args());
        if (!Machine.use(ctx, Gas.respond(ctx.params, c.da.lengthBytes))) return Machine.outOfGas(ctx);
        if (c.status >= Protocol.RESPONSE_STATUSES) return Machine.fail(ctx);
        if ((c.status == Protocol.OK) != (c.resultHash != 0)) return Machine.fail(ctx);
        if (c.da.backend >= Protocol.DA_BACKENDS) return Machine.fail(ctx);
        if (c.da.contentHash != c.resultHash) return Machine.fail(ctx);
        if (attestation.length != 0 && attestation.length != Protocol.SIGNATURE_LENGTH) return Machine.fail(ctx);
        IFrames.Op memory o = ctx.op;
        o.id = c.id;
        o.word = c.resultHash;
        o.status = c.status;
        o.branch = c.branch;
        o.flag = attestation.length > 0;
        o.paced = 0;
        Machine.forgetSender(ctx);
        return Steps.RESPOND_INTERACTION;
    }

    function stepRespondInteraction(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(o.id));
        if (!present) return Machine.fail(ctx);
        if (i.callee != o.from) return Machine.fail(ctx);
        if (i.status != Protocol.PENDING) return Machine.fail(ctx);
        if (ctx.blk.time > i.deadline) return Machine.fail(ctx);
        unchecked {
            i.status = Protocol.COMPLETED + o.status;
        }
        i.resultHash = o.word;
        i.settledAt = ctx.blk.time;
        i.branch = o.branch;
        if (i.constituent & Protocol.CONSTITUENT_ATOMIC != 0) {
            i.branch = 0;
            if (o.status == Protocol.OK) i.status = Protocol.TENTATIVE;
        }
        ctx.setCall(i);
        ctx.write(i);
        o.word = 0;
        return o.flag ? Steps.RESPOND_AGENT : answered(i);
    }

    /// @notice Where an answer goes on.
    function answered(IRecords.Interaction memory i) internal pure returns (uint8) {
        if (i.constituent == 0) return Steps.RESPOND_CALLER;
        bool needed = i.constituent & Protocol.CONSTITUENT_NEEDED != 0;
        return i.status == Protocol.TENTATIVE && needed ? Steps.RESPOND_COMPOSITION : Steps.RESPOND_DEADLINE;
    }

    function stepRespondAgent(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.op.from));
        ctx.op.word = a.imageDigest;
        ctx.op.actor = a.owner;
        ctx.op.epoch = a.ownership;
        return Steps.RESPOND_ATTESTATION;
    }

    function stepRespondAttestation(Context memory ctx, uint64 chainId) internal view returns (uint8) {
        (Calls.Respond memory c, bytes calldata attestation) = Calls.respond(ctx.args());
        bytes32 digest = Attestation.digest(c, ctx.call.paramsHash, ctx.op.word, chainId);
        address signer = TypedData.signer(digest, attestation);
        if (signer == address(0)) return Machine.fail(ctx);
        ctx.op.word = 0;
        if (signer == ctx.op.actor) return answered(ctx.call);
        ctx.op.actor = signer;
        return Steps.RESPOND_KEY;
    }

    function stepRespondDeadline(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readDeadline(Keys.deadline(ctx.call.deadline, Keys.DUE_INTERACTION, ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        ctx.remove();
        return released(ctx.call);
    }

    /// @dev Where an operation goes on whose interaction is out of the queue.
    function released(IRecords.Interaction memory i) private pure returns (uint8) {
        if (i.status == Protocol.PENDING) return Steps.QUEUE_ENTRY;
        bool result = i.status == Protocol.COMPLETED || i.status == Protocol.OPENED;
        return result ? Steps.RESPOND_CONSTITUENT : Steps.RESPOND_COMPOSITION;
    }

    function stepRespondCaller(Context memory ctx) internal pure returns (uint8) {
        IRecords.Interaction memory i = ctx.call;
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(i.caller));
        Sweep.releaseEscrow(ctx, a);
        bool completed = i.status == Protocol.COMPLETED;
        if (completed) {
            ctx.op.credit = i.paymentWei;
            ctx.op.effect |= Protocol.SETTLE;
        } else {
            unchecked {
                a.balance += i.paymentWei;
            }
        }
        ctx.write(a);
        bool pair = completed && counts(ctx, a) && ownerOf(a.owner, i.caller) != ownerOf(ctx.op.owner, ctx.op.from);
        ctx.op.flag = pair;
        return pair ? Steps.RESPOND_PAIR : Steps.RESPOND_REPUTATION;
    }

    /// @notice Whether the interaction in progress counts for its callee's reputation, as far as its payment and its caller's
    ///         account say.
    function counts(Context memory ctx, IRecords.Account memory caller) internal pure returns (bool) {
        return caller.roles & Protocol.ROLE_AGENT != 0 && caller.stake >= ctx.params.minStakeWei
            && ctx.call.paymentWei >= ctx.params.minCountedPaymentWei;
    }

    /// @notice Who owns an account.
    function ownerOf(address owner, address account) internal pure returns (address) {
        return owner == address(0) ? account : owner;
    }

    function stepRespondPair(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Pair memory p) = ctx.readPair(Keys.pair(ctx.op.from, ctx.call.caller));
        ctx.op.pairs = p.completed;
        unchecked {
            p.completed++;
        }
        p.latest = ctx.op.id;
        ctx.write(p);
        return Steps.RESPOND_REPUTATION;
    }

    function stepRespondReputation(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (, IRecords.Reputation memory r) = ctx.readReputation(Keys.reputation(o.from));
        r.lastActiveAt = ctx.blk.time;
        r.interactionHistoryRoot = History.extend(r.interactionHistoryRoot, o.id, ctx.call);
        unchecked {
            if (o.status == Protocol.OK) {
                r.completed++;
                r.softStreak = 0;
                if (o.flag) {
                    r.countedCompleted++;
                    if (o.pairs == 0) r.distinctCallers++;
                    r.sumOfSquares += 2 * o.pairs + 1; // (n+1)² − n²
                    Reputation.count(r);
                }
            } else if (o.status == Protocol.ERROR) {
                r.errors++;
                r.penaltyUnits += Protocol.PENALTY_ERROR;
            } else if (o.status == Protocol.TIMEOUT_GRACEFUL) {
                r.gracefulTimeouts++;
                r.penaltyUnits += Protocol.PENALTY_GRACEFUL_TIMEOUT;
            } else if (o.status == Protocol.PARSE_FAILURE) {
                r.parseFailures++;
                r.softStreak++;
                if (r.softStreak == Protocol.SOFT_STREAK) {
                    r.softStreak = 0;
                    r.penaltyUnits += Protocol.PENALTY_SOFT_STREAK;
                }
            } else if (o.status == Protocol.REJECTED) {
                r.rejections++;
            }
        }
        ctx.write(r);
        o.pairs = 0;
        uint16 discount = Reputation.discount(r);
        if (discount != 0 || o.discount != 0) {
            o.discount = discount;
            unchecked {
                o.pairs = ctx.blk.time + Protocol.DISCOUNT_SECONDS;
            }
            o.effect |= Protocol.DISCOUNT;
        }
        return Steps.RESPOND_EVENT;
    }

    function stepRespondEvent(Context memory ctx) internal pure returns (uint8) {
        (Calls.Respond memory c,) = Calls.respond(ctx.args());
        IRecords.Interaction memory i = ctx.call;
        uint256 refunded = i.status == Protocol.COMPLETED ? 0 : i.paymentWei;
        Machine.emit3(
            ctx,
            IAGNT2.Responded.selector,
            i,
            abi.encode(c.status, c.resultHash, c.branch, c.executionMs, c.timestampMs, ctx.op.credit, refunded, c.da)
        );
        return Steps.TX_END;
    }
}
