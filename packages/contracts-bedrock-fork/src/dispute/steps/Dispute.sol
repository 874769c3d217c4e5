// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Gas } from "./Gas.sol";
import { Governance } from "./Governance.sol";
import { History } from "./History.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";

/// @title Dispute
/// @notice DISPUTE and its ends: agnt2/vm/dispute.go.
library Dispute {
    using ContextLib for Context;

    // ------------------------------------------------------------------------------------------------------------ dispute

    function stepDisputeArgs(Context memory ctx) internal pure returns (uint8) {
        return check(ctx, Calls.dispute(ctx.args()), Steps.DISPUTE_INTERACTION);
    }

    /// @dev Checks the arguments that both ways to dispute have.
    function check(Context memory ctx, Calls.Dispute memory c, uint8 then) private pure returns (uint8) {
        if (!Machine.use(ctx, Gas.dispute(ctx.params, ctx.policy, c.da.lengthBytes))) return Machine.outOfGas(ctx);
        bool computational = c.kind == Protocol.COMPUTATIONAL;
        if (!computational && c.kind != Protocol.QUALITATIVE) return Machine.fail(ctx);
        if ((c.game != address(0)) != computational) return Machine.fail(ctx);
        if (c.da.backend >= Protocol.DA_BACKENDS) return Machine.fail(ctx);
        if (c.da.contentHash != c.evidenceHash) return Machine.fail(ctx);
        if (ctx.op.value < ctx.policy.disputeBondWei) return Machine.fail(ctx);
        ctx.op.id = c.target;
        ctx.op.status = c.kind;
        return then;
    }

    function stepDisputePrunedArgs(Context memory ctx) internal pure returns (uint8) {
        uint8 next = check(ctx, Calls.dispute(ctx.args()), Steps.DISPUTE_HISTORY);
        if (next != Steps.DISPUTE_HISTORY) return next;
        (IRecords.Interaction memory i, uint64 index, bytes32[] memory path) = Calls.prunedInteraction(ctx.args());
        if (path.length > History.MAX_HEIGHT) return Machine.fail(ctx);
        if (i.caller != ctx.op.from) return Machine.fail(ctx);
        unchecked {
            if (i.settledAt + uint64(ctx.policy.disputeWindowSeconds) < ctx.blk.time) return Machine.fail(ctx);
        }
        bytes32 leaf = keccak256(abi.encodePacked(uint8(0), ctx.op.id, ContextLib.hash(i)));
        ctx.op.word = History.fold(leaf, index, path);
        ctx.op.index = uint32(path.length);
        ctx.op.pairs = index;
        ctx.setCall(i);
        return Steps.DISPUTE_HISTORY;
    }

    function stepDisputeHistory(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.History memory h) = ctx.readHistory(Keys.HISTORY);
        return History.isPeak(h, ctx.op.word, ctx.op.pairs, ctx.op.index) ? Steps.DISPUTE_RECORD : Machine.fail(ctx);
    }

    function stepDisputeInteraction(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Interaction memory i) = ctx.readInteraction(Keys.interaction(ctx.op.id));
        if (!present) return Machine.fail(ctx);
        if (i.caller != ctx.op.from) return Machine.fail(ctx);
        if (i.status == Protocol.PENDING) return Machine.fail(ctx);
        ctx.setCall(i);
        return Steps.DISPUTE_RECORD;
    }

    function disputeDeadline(Context memory ctx) private pure returns (uint64) {
        unchecked {
            return ctx.blk.time + uint64(ctx.policy.disputeWindowSeconds);
        }
    }

    function stepDisputeRecord(Context memory ctx) internal pure returns (uint8) {
        Calls.Dispute memory c = Calls.dispute(ctx.args());
        (bool present, IRecords.Dispute memory d) = ctx.readDispute(Keys.dispute(ctx.op.id));
        if (present) return Machine.fail(ctx);
        d.kind = c.kind;
        d.claimant = ctx.call.caller;
        d.agent = ctx.call.callee;
        d.game = c.game;
        d.evidenceHash = c.evidenceHash;
        d.bondWei = ctx.op.value;
        d.deadline = disputeDeadline(ctx);
        d.pruned = bytes4(ctx.data()) == IAGNT2.disputePruned.selector;
        ctx.write(d);
        Machine.emit3(
            ctx,
            IAGNT2.DisputeOpened.selector,
            ctx.call,
            abi.encode(c.kind, c.game, c.evidenceHash, d.bondWei, d.deadline, c.da)
        );
        return Steps.DISPUTE_DEADLINE;
    }

    function stepDisputeDeadline(Context memory ctx) internal pure returns (uint8) {
        ctx.readDeadline(Keys.deadline(disputeDeadline(ctx), Keys.DUE_DISPUTE, ctx.op.id));
        ctx.write(IRecords.Deadline(ctx.op.id));
        return Steps.DISPUTE_AGENT;
    }

    function stepDisputeAgent(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(ctx.call.callee));
        unchecked {
            a.holds++;
        }
        ctx.write(a);
        return ctx.op.status == Protocol.QUALITATIVE ? Steps.DISPUTE_REPUTATION : Steps.TX_END;
    }

    function stepDisputeReputation(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Reputation memory r) = ctx.readReputation(Keys.reputation(ctx.call.callee));
        unchecked {
            r.disputed++;
        }
        ctx.write(r);
        return Steps.TX_END;
    }

    // ---------------------------------------------------------------------------------------------------- resolveDispute

    function stepResolveArgs(Context memory ctx) internal pure returns (uint8) {
        (bytes32 target, bool upheld, address game) = abi.decode(ctx.args(), (bytes32, bool, address));
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 0))) return Machine.outOfGas(ctx);
        if (!Governance.deposited(ctx, ctx.policy.governance) && !Governance.deposited(ctx, ctx.policy.disputeResolver))
        {
            return Machine.fail(ctx);
        }
        ctx.op.flag = Governance.deposited(ctx, ctx.policy.governance);
        ctx.op.id = target;
        ctx.op.actor = game;
        ctx.op.status = upheld ? Protocol.DISPUTE_UPHELD : Protocol.DISPUTE_REJECTED;
        return Steps.RESOLVE_RECORD;
    }

    function stepResolveRecord(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Dispute memory d) = ctx.readDispute(Keys.dispute(ctx.op.id));
        if (!present) return Machine.fail(ctx);
        if (d.outcome != Protocol.DISPUTE_OPEN) return Machine.fail(ctx);
        if (d.kind != Protocol.COMPUTATIONAL) return Machine.fail(ctx);
        if (d.game != ctx.op.actor) return Machine.fail(ctx);
        d.outcome = ctx.op.status;
        ctx.setDispute(d);
        ctx.write(d);
        return d.pruned ? Steps.CLOSE_BOND : Steps.RESOLVE_DEADLINE;
    }

    function stepResolveDeadline(Context memory ctx) internal pure returns (uint8) {
        (bool present,) = ctx.readDeadline(Keys.deadline(ctx.dispute.deadline, Keys.DUE_DISPUTE, ctx.op.id));
        if (!present) revert Machine.CorruptRecord();
        ctx.remove();
        return Steps.CLOSE_BOND;
    }

    // --------------------------------------------------------------------------------------------------------------- ends

    function stepSweepDispute(Context memory ctx) internal pure returns (uint8) {
        (bool present, IRecords.Dispute memory d) = ctx.readDispute(Keys.dispute(ctx.op.id));
        ctx.setDispute(d);
        if (!present || ctx.blk.time <= d.deadline) return Steps.SWEEP_NEXT;
        bool open = d.outcome == Protocol.DISPUTE_OPEN;
        if (!open && !d.pruned) revert Machine.CorruptRecord();
        if (open) {
            ctx.op.status = Protocol.DISPUTE_LAPSED;
            d.outcome = Protocol.DISPUTE_LAPSED;
        }
        if (d.pruned) ctx.remove();
        else ctx.write(d);
        return open ? Steps.CLOSE_BOND : Steps.SWEEP_NEXT;
    }

    function stepCloseBond(Context memory ctx) internal pure returns (uint8) {
        IRecords.Dispute memory d = ctx.dispute;
        address to = ctx.op.status == Protocol.DISPUTE_REJECTED ? d.agent : d.claimant;
        uint256 paid = d.bondWei;
        unchecked {
            if (ctx.op.status == Protocol.DISPUTE_LAPSED) {
                uint256 fee = ctx.policy.disputeFeeWei;
                if (paid < fee) fee = paid; // governance has raised it since
                paid -= fee;
                ctx.sums.baseFees += fee;
            }
            (, IRecords.Account memory a) = ctx.readAccount(Keys.account(to));
            a.balance += paid;
            ctx.write(a);
        }
        ctx.op.word = bytes32(paid);
        return Steps.CLOSE_HOLD;
    }

    function stepCloseHold(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(ctx.dispute.agent));
        if (a.holds == 0) revert Machine.CorruptRecord();
        unchecked {
            a.holds--;
        }
        ctx.write(a);
        uint8 status = ctx.op.status;
        bool scored = status == Protocol.DISPUTE_REJECTED || (status == Protocol.DISPUTE_UPHELD && ctx.op.flag);
        return scored ? Steps.CLOSE_REPUTATION : closeQueue(ctx);
    }

    function stepCloseReputation(Context memory ctx) internal pure returns (uint8) {
        address loser = ctx.op.status == Protocol.DISPUTE_REJECTED ? ctx.dispute.claimant : ctx.dispute.agent;
        (, IRecords.Reputation memory r) = ctx.readReputation(Keys.reputation(loser));
        unchecked {
            r.disputesLost++;
        }
        ctx.write(r);
        return closeQueue(ctx);
    }

    function closeQueue(Context memory ctx) private pure returns (uint8) {
        return ctx.dispute.due ? Steps.CLOSE_QUEUE : Steps.CLOSE_EVENT;
    }

    function stepCloseQueue(Context memory ctx) internal pure returns (uint8) {
        History.queue(ctx, ctx.blk.time);
        return Steps.CLOSE_EVENT;
    }

    function stepCloseEvent(Context memory ctx) internal pure returns (uint8) {
        ctx.op.logs = Logs.extend(
            ctx.op.logs,
            Protocol.AGNT2,
            4,
            IAGNT2.DisputeClosed.selector,
            ctx.op.id,
            Machine.word(ctx.dispute.claimant),
            Machine.word(ctx.dispute.agent),
            abi.encode(ctx.op.status, ctx.op.word)
        );
        return ctx.op.status == Protocol.DISPUTE_LAPSED ? Steps.SWEEP_NEXT : Steps.TX_END;
    }
}
