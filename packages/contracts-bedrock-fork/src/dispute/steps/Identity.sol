// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Act } from "./Act.sol";
import { Attestation } from "./Attestation.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Logs } from "./Logs.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { Respond } from "./Respond.sol";
import { TypedData } from "./TypedData.sol";
import { Register } from "./Register.sol";
import { RegistryEvents } from "./RegistryEvents.sol";

/// @title Identity
/// @notice Keys, owner, URI, metadata, wallet and sessions of an agent: agnt2/vm/identity.go.
library Identity {
    using ContextLib for Context;

    /// @dev Arguments of authorizeKey.
    struct AuthorizeKey {
        address key;
        uint64 expiry;
        uint256 spendLimitWei;
        bytes4[] operations;
        bytes32[] capabilities;
    }

    function authorizeKeyArgs(Context memory ctx) private pure returns (AuthorizeKey memory c) {
        (c.key, c.expiry, c.spendLimitWei, c.operations, c.capabilities) =
            abi.decode(ctx.args(), (address, uint64, uint256, bytes4[], bytes32[]));
    }

    /// @dev Charges an agent operation that writes n records beside the agent's own.
    function use(Context memory ctx, uint256 n) private pure returns (bool) {
        return Machine.use(ctx, Gas.agentOperation(ctx.params, n));
    }

    function stepAuthorizeKey(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.authorizeKey.selector);
        AuthorizeKey memory c = authorizeKeyArgs(ctx);
        if (!use(ctx, 0)) return Machine.outOfGas(ctx);
        if (c.key == address(0) || c.key == ctx.op.from) return Machine.fail(ctx);
        if (c.expiry < ctx.blk.time) return Machine.fail(ctx);
        if (c.operations.length > Protocol.MAX_LISTED_ELEMENTS) return Machine.fail(ctx);
        if (c.capabilities.length > Protocol.MAX_LISTED_ELEMENTS) return Machine.fail(ctx);
        (, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.op.from));
        if (a.status != Protocol.ACTIVE) return Machine.fail(ctx);
        ctx.op.epoch = a.ownership;
        return Steps.WRITE_KEY;
    }

    function stepWriteKey(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.authorizeKey.selector);
        AuthorizeKey memory c = authorizeKeyArgs(ctx);
        (, IRecords.Delegation memory k) = ctx.readDelegation(Keys.delegation(ctx.op.from, c.key));
        k.ownership = ctx.op.epoch;
        k.expiry = c.expiry;
        k.spendLimitWei = c.spendLimitWei;
        k.spentWei = 0;
        k.operations = "";
        for (uint256 i = 0; i < c.operations.length; ++i) {
            k.operations = bytes.concat(k.operations, c.operations[i]);
        }
        k.capabilities = abi.encodePacked(c.capabilities);
        ctx.write(k);
        Machine.emit2(
            ctx,
            IAGNT2.KeyAuthorized.selector,
            ctx.op.from,
            Machine.word(c.key),
            abi.encode(c.expiry, c.spendLimitWei, c.operations, c.capabilities)
        );
        return Steps.TX_END;
    }

    function stepRevokeKey(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.revokeKey.selector);
        address key = abi.decode(ctx.args(), (address));
        if (!use(ctx, 0)) return Machine.outOfGas(ctx);
        (bool present,) = ctx.readDelegation(Keys.delegation(ctx.op.from, key));
        if (!present) return Machine.fail(ctx);
        ctx.remove();
        Machine.emit2(ctx, IAGNT2.KeyRevoked.selector, ctx.op.from, Machine.word(key), "");
        return Steps.TX_END;
    }

    function stepTransferOwnership(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.transferOwnership.selector);
        address newOwner = abi.decode(ctx.args(), (address));
        if (!use(ctx, 2)) return Machine.outOfGas(ctx);
        address agent = ctx.op.from;
        (, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(agent));
        if (a.status != Protocol.ACTIVE) return Machine.fail(ctx);
        address previous = a.owner;
        if (newOwner == address(0) || newOwner == previous) return Machine.fail(ctx);
        a.owner = newOwner;
        unchecked {
            a.ownership++;
        }
        ctx.write(a);
        ctx.op.effect |= Protocol.OWNER;
        ctx.op.owner = newOwner == agent ? address(0) : newOwner;
        Machine.emit3(
            ctx,
            Protocol.AGNT2,
            IAGNT2.OwnershipTransferred.selector,
            Machine.word(agent),
            Machine.word(previous),
            Machine.word(newOwner),
            ""
        );
        RegistryEvents.transfer(ctx, previous, newOwner);
        ctx.op.actor = previous;
        ctx.op.word = Machine.word(newOwner);
        ctx.op.flag = false;
        return Steps.COUNT_HOLDING;
    }

    function stepSetAgentURI(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.setAgentURI.selector);
        string memory uri = abi.decode(ctx.args(), (string));
        if (!use(ctx, 0)) return Machine.outOfGas(ctx);
        if (bytes(uri).length > Protocol.MAX_URI || !ctx.op.registered) return Machine.fail(ctx);
        (, IRecords.AgentURI memory u) = ctx.readAgentURI(Keys.agentURI(ctx.op.from));
        u.uri = uri;
        if (bytes(uri).length == 0) ctx.remove();
        else ctx.write(u);
        Machine.emit1(ctx, IAGNT2.AgentURISet.selector, ctx.op.from, abi.encode(uri));
        RegistryEvents.uri(ctx, uri);
        return Steps.TX_END;
    }

    function stepSetMetadata(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.setMetadata.selector);
        (string memory key, bytes memory value) = abi.decode(ctx.args(), (string, bytes));
        if (!use(ctx, 0)) return Machine.outOfGas(ctx);
        if (!Register.checkMetadataEntry(key, value) || !ctx.op.registered) return Machine.fail(ctx);
        (, IRecords.Metadata memory x) = ctx.readMetadata(Keys.metadata(ctx.op.from, key));
        x.key = key;
        x.value = value;
        if (value.length == 0) ctx.remove();
        else ctx.write(x);
        Machine.emit2(ctx, IAGNT2.MetadataSet.selector, ctx.op.from, keccak256(bytes(key)), abi.encode(key, value));
        RegistryEvents.metadata(ctx, key, value);
        return Steps.TX_END;
    }

    function stepSetAgentWallet(Context memory ctx, uint64 chainId) internal view returns (uint8) {
        Machine.expect(ctx, IAGNT2.setAgentWallet.selector);
        bytes calldata args = ctx.args();
        (address wallet, uint64 deadline) = abi.decode(args, (address, uint64));
        bytes calldata signature = args[4 * 32:4 * 32 + uint256(bytes32(args[3 * 32:]))];
        if (!use(ctx, 0)) return Machine.outOfGas(ctx);
        bool none = wallet == address(0);
        if (none != (deadline == 0)) return Machine.fail(ctx);
        unchecked {
            uint64 time = ctx.blk.time;
            if (!none && (deadline < time || deadline - time > Protocol.WALLET_DEADLINE_SECONDS)) {
                return Machine.fail(ctx);
            }
        }
        if (signature.length != (none ? 0 : Protocol.SIGNATURE_LENGTH)) return Machine.fail(ctx);
        (, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.op.from));
        if (a.status != Protocol.ACTIVE) return Machine.fail(ctx);
        if (!none) {
            bytes32 digest = Attestation.walletDigest(ctx.op.from, wallet, a.owner, deadline, chainId);
            if (TypedData.signer(digest, signature) != wallet) return Machine.fail(ctx);
        }
        ctx.op.epoch = a.ownership;
        ctx.op.actor = wallet;
        return Steps.WRITE_AGENT_WALLET;
    }

    function stepWriteAgentWallet(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (, IRecords.Wallet memory w) = ctx.readWallet(Keys.wallet(o.from));
        w.ownership = o.epoch;
        w.wallet = o.actor;
        ctx.write(w);
        Machine.emit2(ctx, IAGNT2.AgentWalletSet.selector, o.from, Machine.word(o.actor), "");
        RegistryEvents.metadata(ctx, "agentWallet", o.actor == address(0) ? bytes("") : abi.encodePacked(o.actor));
        return Steps.TX_END;
    }

    function stepPay(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.pay.selector);
        address to = abi.decode(ctx.args(), (address));
        if (!Machine.use(ctx, ctx.params.gasTransfer)) return Machine.outOfGas(ctx);
        if (to == Protocol.AGNT2 || to == Protocol.MESSAGE_PASSER) return Machine.fail(ctx);
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(to));
        unchecked {
            a.balance += ctx.op.value;
        }
        ctx.write(a);
        Machine.emit2(ctx, IAGNT2.Paid.selector, ctx.op.from, Machine.word(to), abi.encode(ctx.op.value));
        return Steps.TX_END;
    }

    function stepOpenSession(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.openSession.selector);
        (bytes32 salt, address peer, bytes32 contextHash, uint64 expiry) =
            abi.decode(ctx.args(), (bytes32, address, bytes32, uint64));
        if (!use(ctx, 0)) return Machine.outOfGas(ctx);
        address from = ctx.op.from;
        if (peer == address(0) || peer == from) return Machine.fail(ctx);
        if (expiry <= ctx.blk.time || !ctx.op.registered) return Machine.fail(ctx);
        bytes32 id = keccak256(abi.encode(from, salt));
        (bool present, IRecords.Session memory x) = ctx.readSession(Keys.session(id));
        if (present) return Machine.fail(ctx);
        x.agent = from;
        x.peer = peer;
        x.contextHash = contextHash;
        x.openedAt = ctx.blk.time;
        x.expiry = expiry;
        ctx.write(x);
        Machine.emit3(
            ctx,
            Protocol.AGNT2,
            IAGNT2.SessionOpened.selector,
            id,
            Machine.word(from),
            Machine.word(peer),
            abi.encode(contextHash, expiry)
        );
        return Steps.TX_END;
    }

    function stepCloseSession(Context memory ctx) internal pure returns (uint8) {
        Machine.expect(ctx, IAGNT2.closeSession.selector);
        (bytes32 id, bytes32 contextHash) = abi.decode(ctx.args(), (bytes32, bytes32));
        if (!use(ctx, 0)) return Machine.outOfGas(ctx);
        (bool present, IRecords.Session memory x) = ctx.readSession(Keys.session(id));
        if (!present) return Machine.fail(ctx);
        if (ctx.op.from != x.agent && ctx.op.from != x.peer) return Machine.fail(ctx);
        if (x.closedAt != 0) return Machine.fail(ctx);
        x.closedAt = ctx.blk.time;
        x.contextHash = contextHash;
        ctx.write(x);
        Machine.emit3(
            ctx,
            Protocol.AGNT2,
            IAGNT2.SessionClosed.selector,
            id,
            Machine.word(x.agent),
            Machine.word(x.peer),
            abi.encode(contextHash)
        );
        return Steps.TX_END;
    }

    function stepRespondKey(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (bool present, IRecords.Delegation memory k) = ctx.readDelegation(Keys.delegation(o.from, o.actor));
        if (!present || k.ownership != o.epoch || ctx.blk.time > k.expiry) return Machine.fail(ctx);
        if (k.operations.length > 0 && !Act.lists(k.operations, IAGNT2.respond.selector, 4)) return Machine.fail(ctx);
        if (k.capabilities.length > 0 && !Act.lists(k.capabilities, ctx.call.capability, 32)) {
            return Machine.fail(ctx);
        }
        return Respond.answered(ctx.call);
    }
}
