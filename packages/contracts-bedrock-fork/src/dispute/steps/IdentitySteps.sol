// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { Identity } from "./Identity.sol";

/// @title IdentitySteps
/// @notice The micro-steps of an agent's keys, owner, URI, metadata, wallet and sessions (agnt2/vm: identity.go).
library IdentitySteps {
    using ContextLib for Context;

    /// @notice The micro-step is not one of this library's.
    error UnknownStep(uint8 kind);

    /// @notice Executes a micro-step. Reverts unless the witness is exactly what the step needs.
    /// @dev    The caller has seen to it that the state is unfinished and that `kind` is its step.
    /// @param  kind      The micro-step.
    /// @param  stateData The machine's state before it.
    /// @param  proof     The witness.
    /// @param  chainId   The L2 chain's, for signatures.
    /// @return The machine's state after it.
    function step(
        uint8 kind,
        bytes calldata stateData,
        bytes calldata proof,
        uint64 chainId
    )
        external
        view
        returns (bytes memory)
    {
        Context memory ctx = ContextLib.open(stateData, proof, opens(kind));
        return ctx.close(execute(ctx, kind, chainId));
    }

    /// @dev What a micro-step opens: the table of agnt2/vm/identity.go.
    function opens(uint8 kind) private pure returns (uint256) {
        if (kind == Steps.WRITE_AGENT_WALLET) return ContextLib.OP;
        if (kind == Steps.RESPOND_KEY) return ContextLib.BLOCK | ContextLib.OP | ContextLib.CALL;
        return ContextLib.BLOCK | ContextLib.OP | ContextLib.PARAMS | ContextLib.DATA;
    }

    /// @dev Takes a micro-step and returns the next one.
    function execute(Context memory ctx, uint8 kind, uint64 chainId) private view returns (uint8) {
        if (kind == Steps.AUTHORIZE_KEY) return Identity.stepAuthorizeKey(ctx);
        if (kind == Steps.WRITE_KEY) return Identity.stepWriteKey(ctx);
        if (kind == Steps.REVOKE_KEY) return Identity.stepRevokeKey(ctx);
        if (kind == Steps.TRANSFER_OWNERSHIP) return Identity.stepTransferOwnership(ctx);
        if (kind == Steps.SET_AGENT_URI) return Identity.stepSetAgentURI(ctx);
        if (kind == Steps.SET_METADATA) return Identity.stepSetMetadata(ctx);
        if (kind == Steps.SET_AGENT_WALLET) return Identity.stepSetAgentWallet(ctx, chainId);
        if (kind == Steps.WRITE_AGENT_WALLET) return Identity.stepWriteAgentWallet(ctx);
        if (kind == Steps.PAY) return Identity.stepPay(ctx);
        if (kind == Steps.RESPOND_KEY) return Identity.stepRespondKey(ctx);
        if (kind == Steps.OPEN_SESSION) return Identity.stepOpenSession(ctx);
        if (kind == Steps.CLOSE_SESSION) return Identity.stepCloseSession(ctx);
        revert UnknownStep(kind);
    }
}
