// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { CanonicalABI } from "../lib/CanonicalABI.sol";
import { Context, ContextLib } from "../lib/Context.sol";
import { IdentityRegistrySchemas } from "../lib/IdentityRegistrySchemas.sol";
import { Steps } from "../lib/Steps.sol";
import { IFrames } from "../IFrames.sol";
import { IAGNT2 } from "../../interfaces/IAGNT2.sol";
import { IIdentityRegistry } from "../../interfaces/IIdentityRegistry.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Calls } from "./Calls.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Machine } from "./Machine.sol";
import { RegistryEvents } from "./RegistryEvents.sol";
import { Transaction } from "./Transaction.sol";

/// @title Registry
/// @notice ERC-8004's Identity registry: agnt2/vm/registry.go.
library Registry {
    using ContextLib for Context;

    /// @dev What a write of the standard means.
    struct Wrote {
        uint256 id; // of the agent
        bytes call; // the operation
        bool transfers;
        address from; // transfers: who is said to be the owner
    }

    /// @dev The three overloads of register.
    bytes4 private constant REGISTER = 0x1aa3a008; // register()
    bytes4 private constant REGISTER_URI = 0xf2c298be; // register(string)
    bytes4 private constant REGISTER_METADATA = 0x8ea42286; // register(string,(string,bytes)[])
    bytes4 private constant SAFE_TRANSFER = 0x42842e0e; // safeTransferFrom(address,address,uint256)
    bytes4 private constant SAFE_TRANSFER_DATA = 0xb88d4fde; // safeTransferFrom(address,address,uint256,bytes)

    /// @dev The register that a registration by the standard means.
    function registerCall(string memory uri, Calls.MetadataEntry[] memory metadata)
        private
        pure
        returns (bytes memory)
    {
        return abi.encodeWithSelector(
            IAGNT2.register.selector, "agent", "", uri, bytes32(0), new Calls.Capability[](0), metadata
        );
    }

    /// @dev Reads calldata that is canonical.
    function read(address sender, bytes calldata data) private pure returns (Wrote memory w) {
        bytes4 selector = bytes4(data);
        bytes calldata args = data[4:];
        if (selector == REGISTER || selector == REGISTER_URI || selector == REGISTER_METADATA) {
            w.id = uint160(sender);
            string memory uri;
            Calls.MetadataEntry[] memory metadata;
            if (selector == REGISTER_URI) uri = abi.decode(args, (string));
            if (selector == REGISTER_METADATA) (uri, metadata) = abi.decode(args, (string, Calls.MetadataEntry[]));
            w.call = registerCall(uri, metadata);
        } else if (selector == IIdentityRegistry.setAgentURI.selector) {
            string memory uri;
            (w.id, uri) = abi.decode(args, (uint256, string));
            w.call = abi.encodeCall(IAGNT2.setAgentURI, (uri));
        } else if (selector == IIdentityRegistry.setMetadata.selector) {
            string memory key;
            bytes memory value;
            (w.id, key, value) = abi.decode(args, (uint256, string, bytes));
            w.call = abi.encodeCall(IAGNT2.setMetadata, (key, value));
        } else if (selector == IIdentityRegistry.setAgentWallet.selector) {
            address wallet;
            uint256 deadline;
            bytes memory signature;
            (w.id, wallet, deadline, signature) = abi.decode(args, (uint256, address, uint256, bytes));
            if (deadline > type(uint64).max) deadline = type(uint64).max; // later than any that is accepted
            w.call = abi.encodeCall(IAGNT2.setAgentWallet, (wallet, uint64(deadline), signature));
        } else if (selector == IIdentityRegistry.unsetAgentWallet.selector) {
            w.id = abi.decode(args, (uint256));
            w.call = abi.encodeCall(IAGNT2.setAgentWallet, (address(0), 0, ""));
        } else {
            // transferFrom and safeTransferFrom: nobody has code to be asked.
            address to;
            (w.from, to, w.id) = abi.decode(args, (address, address, uint256));
            w.transfers = true;
            w.call = abi.encodeCall(IAGNT2.transferOwnership, (to));
        }
    }

    function stepRegistry(Context memory ctx) internal pure returns (uint8) {
        if (!Machine.use(ctx, Gas.agentOperation(ctx.params, 1))) return Machine.outOfGas(ctx);
        bytes calldata data = ctx.data();
        IFrames.Op memory o = ctx.op;
        if (data.length < 4) return Machine.fail(ctx);
        (bool known, bool acceptsValue, bytes memory schema) = IdentityRegistrySchemas.find(bytes4(data));
        if (!known || (!acceptsValue && o.value != 0)) return Machine.fail(ctx);
        if (!CanonicalABI.isCanonical(data[4:], schema)) return Machine.fail(ctx);
        address sender = o.from;
        Wrote memory w = read(sender, data);
        if (w.id > type(uint160).max) return Machine.fail(ctx);
        if (w.transfers && w.from != sender) return Machine.fail(ctx);
        o.data = keccak256(w.call);
        bytes4 selector = bytes4(w.call);
        address agent = address(uint160(w.id));
        if (agent == sender) return Transaction.firstStep(selector);
        o.branch = uint32(selector);
        o.from = agent;
        o.actor = sender;
        o.flag = true;
        return Steps.ACT_AGENT;
    }

    function stepCountHolding(Context memory ctx) internal pure returns (uint8) {
        IFrames.Op memory o = ctx.op;
        (, IRecords.Holding memory h) = ctx.readHolding(Keys.holding(RegistryEvents.newOwner(ctx)));
        unchecked {
            if (o.flag) {
                h.agents++;
                ctx.write(h);
                return Steps.TX_END;
            }
            if (h.agents == 0) revert Machine.CorruptRecord();
            h.agents--;
        }
        ctx.write(h);
        o.actor = address(uint160(uint256(o.word)));
        o.flag = true;
        return Steps.COUNT_HOLDING;
    }
}
