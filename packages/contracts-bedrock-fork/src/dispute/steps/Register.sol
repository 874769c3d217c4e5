// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Gas } from "./Gas.sol";
import { Index } from "./Index.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { Protocol } from "./Protocol.sol";
import { RegistryEvents } from "./RegistryEvents.sol";

/// @title Register
/// @notice REGISTER, and what it shares with updateCapabilities: agnt2/vm/register.go.
library Register {
    using ContextLib for Context;

    /// @notice Records that a capability takes: what an INVOKE needs, the rest, and for a new one its place in the index.
    uint256 internal constant RECORDS_PER_CAPABILITY = 4;

    /// @notice Records that a removal takes: both of the capability, and in its index the count, the last entry, the one that it
    ///         goes to, and the moved agent's capability.
    uint256 internal constant RECORDS_PER_REMOVAL = 6;

    bytes32 private constant WALLET_KEY = keccak256("agentWallet");

    /// @notice Whether name and version are in their ranges.
    function checkAgentFields(string memory name, string memory version) internal pure returns (bool) {
        return inRange(bytes(name).length, Protocol.MAX_NAME) && bytes(version).length <= Protocol.MAX_VERSION;
    }

    /// @dev Whether a length is 1 to max.
    function inRange(uint256 length, uint256 max) private pure returns (bool) {
        return length != 0 && length <= max;
    }

    /// @notice Whether a list of capabilities is in order.
    function checkCapabilities(Calls.Capability[] memory cs) internal pure returns (bool) {
        if (cs.length > Protocol.MAX_LISTED_ELEMENTS) return false;
        bytes32[] memory names = new bytes32[](cs.length);
        for (uint256 i = 0; i < cs.length; ++i) {
            Calls.Capability memory c = cs[i];
            if (!inRange(bytes(c.name).length, Protocol.MAX_NAME)) return false;
            if (bytes(c.endpoint).length > Protocol.MAX_ENDPOINT) return false;
            if (c.class >= Protocol.CAPABILITY_CLASSES) return false;
            if (!isNew(names, i, keccak256(bytes(c.name)))) return false;
        }
        return true;
    }

    /// @notice Whether an entry of metadata is in order. ERC-8004's wallet is none: whoever sets it shows its signature.
    function checkMetadataEntry(string memory key, bytes memory value) internal pure returns (bool) {
        return inRange(bytes(key).length, Protocol.MAX_METADATA_KEY) && keccak256(bytes(key)) != WALLET_KEY
            && value.length <= Protocol.MAX_METADATA_VALUE;
    }

    /// @notice Whether a list of metadata is in order.
    function checkMetadata(Calls.MetadataEntry[] memory ms) internal pure returns (bool) {
        if (ms.length > Protocol.MAX_LISTED_ELEMENTS) return false;
        bytes32[] memory keys = new bytes32[](ms.length);
        for (uint256 i = 0; i < ms.length; ++i) {
            if (!checkMetadataEntry(ms[i].key, ms[i].value)) return false;
            if (!isNew(keys, i, keccak256(bytes(ms[i].key)))) return false;
        }
        return true;
    }

    /// @dev Notes the i-th name's hash; false if an earlier one is the same.
    function isNew(bytes32[] memory names, uint256 i, bytes32 name) private pure returns (bool) {
        names[i] = name;
        for (uint256 j = 0; j < i; ++j) {
            if (names[j] == name) return false;
        }
        return true;
    }

    function stepRegisterAgent(Context memory ctx) internal pure returns (uint8) {
        Calls.Register memory c = Calls.register(ctx.args());
        unchecked {
            uint256 records = 1 + RECORDS_PER_CAPABILITY * c.capabilities.length + c.metadata.length;
            if (!Machine.use(ctx, Gas.agentOperation(ctx.params, records))) return Machine.outOfGas(ctx);
        }
        if (!checkAgentFields(c.name, c.version)) return Machine.fail(ctx);
        if (bytes(c.agentURI).length > Protocol.MAX_URI) return Machine.fail(ctx);
        if (!checkCapabilities(c.capabilities)) return Machine.fail(ctx);
        if (!checkMetadata(c.metadata)) return Machine.fail(ctx);
        if (c.capabilities.length > ctx.params.maxCapabilities) return Machine.fail(ctx);
        uint256 stake;
        unchecked {
            stake = ctx.op.stake + ctx.op.value;
        }
        if (stake < ctx.params.minStakeWei) return Machine.fail(ctx);
        (bool present, IRecords.Agent memory a) = ctx.readAgent(Keys.agent(ctx.op.from));
        // registerFor, which has an actor, is for agents that never were.
        if (a.status == Protocol.ACTIVE || (present && ctx.op.actor != address(0))) return Machine.fail(ctx);
        ctx.op.flag = !present; // the first registration
        if (!present) a.owner = RegistryEvents.newOwner(ctx);
        writeAgent(ctx, a, c);
        ctx.op.epoch = a.epoch;
        ctx.op.effect |= Protocol.STAKE_VALUE | Protocol.REGISTER;
        Machine.emit1(
            ctx,
            IAGNT2.AgentRegistered.selector,
            ctx.op.from,
            abi.encode(stake, c.imageDigest, c.name, c.version, c.agentURI)
        );
        return Steps.REGISTER_URI;
    }

    /// @dev Makes the caller's agent, absent or deregistered, an active one.
    function writeAgent(Context memory ctx, IRecords.Agent memory a, Calls.Register memory c) private pure {
        a.status = Protocol.ACTIVE;
        unchecked {
            a.epoch++;
        }
        a.capabilityCount = uint32(c.capabilities.length);
        a.registeredAt = ctx.blk.time;
        a.deregisteredAt = 0;
        a.lastHeartbeat = ctx.blk.time;
        a.imageDigest = c.imageDigest;
        a.name = c.name;
        a.version = c.version;
        ctx.write(a);
    }

    function stepRegisterURI(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.AgentURI memory u) = ctx.readAgentURI(Keys.agentURI(ctx.op.from));
        u.uri = Calls.register(ctx.args()).agentURI;
        if (bytes(u.uri).length == 0) ctx.remove();
        else ctx.write(u);
        if (ctx.op.flag) RegistryEvents.mint(ctx, u.uri);
        return nextCapability(ctx, 0);
    }

    /// @dev Whether the operation in progress is register; otherwise it is updateCapabilities.
    function isRegister(Context memory ctx) private pure returns (bool) {
        return bytes4(ctx.data()) == IAGNT2.register.selector;
    }

    /// @dev The capabilities that the operation in progress writes.
    function upserts(Context memory ctx) private pure returns (Calls.Capability[] memory list) {
        if (isRegister(ctx)) return Calls.register(ctx.args()).capabilities;
        (list,) = Calls.updateCapabilities(ctx.args());
    }

    /// @notice Goes to capability i, or past the last one.
    function nextCapability(Context memory ctx, uint32 i) internal pure returns (uint8) {
        ctx.op.index = i;
        if (i < upserts(ctx).length) return Steps.WRITE_CAPABILITY;
        return isRegister(ctx) ? nextMetadata(ctx, 0) : nextRemoval(ctx, 0);
    }

    function stepWriteCapability(Context memory ctx) internal pure returns (uint8) {
        Calls.Capability memory c = upserts(ctx)[ctx.op.index];
        bytes32 id = keccak256(bytes(c.name));
        (bool present, IRecords.Capability memory x) = ctx.readCapability(Keys.capability(ctx.op.from, id));
        uint32 slot = uint32(ctx.op.pairs); // taken for it just now
        if (slot == 0) slot = x.slot;
        if (slot == 0) return Index.add(ctx, id);
        ctx.op.pairs = 0;
        if (!isRegister(ctx) && !(present && x.epoch == ctx.op.epoch)) {
            unchecked {
                ctx.op.count++;
            }
        }
        x.epoch = ctx.op.epoch;
        x.class = c.class;
        x.latencyMsP99 = c.latencyMsP99;
        x.priceWei = c.priceWei;
        x.commitRequired = c.commitRequired;
        x.slot = slot;
        ctx.write(x);
        Machine.emit2(
            ctx,
            IAGNT2.CapabilityUpdated.selector,
            ctx.op.from,
            id,
            abi.encode(c.priceWei, c.latencyMsP99, c.class, c.commitRequired, c.name)
        );
        return Steps.WRITE_CAPABILITY_DETAIL;
    }

    function stepWriteCapabilityDetail(Context memory ctx) internal pure returns (uint8) {
        Calls.Capability memory c = upserts(ctx)[ctx.op.index];
        (, IRecords.CapabilityDetail memory x) =
            ctx.readCapabilityDetail(Keys.capabilityDetail(ctx.op.from, keccak256(bytes(c.name))));
        x.inputSchemaHash = c.inputSchemaHash;
        x.outputSchemaHash = c.outputSchemaHash;
        x.name = c.name;
        x.endpoint = c.endpoint;
        ctx.write(x);
        unchecked {
            return nextCapability(ctx, ctx.op.index + 1);
        }
    }

    /// @dev Goes to metadata entry i, or past the last one.
    function nextMetadata(Context memory ctx, uint32 i) private pure returns (uint8) {
        ctx.op.index = i;
        if (i < Calls.register(ctx.args()).metadata.length) return Steps.WRITE_METADATA;
        return ctx.op.flag ? Steps.COUNT_HOLDING : Steps.TX_END;
    }

    function stepWriteMetadata(Context memory ctx) internal pure returns (uint8) {
        Calls.MetadataEntry memory e = Calls.register(ctx.args()).metadata[ctx.op.index];
        (, IRecords.Metadata memory x) = ctx.readMetadata(Keys.metadata(ctx.op.from, e.key));
        x.key = e.key;
        x.value = e.value;
        ctx.write(x);
        Machine.emit2(
            ctx, IAGNT2.MetadataSet.selector, ctx.op.from, keccak256(bytes(e.key)), abi.encode(e.key, e.value)
        );
        RegistryEvents.metadata(ctx, e.key, e.value);
        unchecked {
            return nextMetadata(ctx, ctx.op.index + 1);
        }
    }

    // --------------------------------------------------------------------------------------- removals: agnt2/vm/agent.go

    /// @notice Goes to removal i, or past the last one.
    function nextRemoval(Context memory ctx, uint32 i) internal pure returns (uint8) {
        ctx.op.index = i;
        return i < removals(ctx).length ? Steps.REMOVE_CAPABILITY : Steps.WRITE_CAPABILITY_COUNT;
    }

    /// @notice The capability whose removal is in progress.
    function removal(Context memory ctx) internal pure returns (bytes32) {
        return removals(ctx)[ctx.op.index];
    }

    /// @dev The capabilities that updateCapabilities removes.
    function removals(Context memory ctx) private pure returns (bytes32[] memory list) {
        (, list) = Calls.updateCapabilities(ctx.args());
    }
}
