// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Steps
/// @notice Numbers of the machine's micro-steps: the values of the state's `step` (docs/spec/machine.md). Those below 128
///         are the ones of agnt2/vm/program.go, in its order; the others those of agnt2/machine.
library Steps {
    /// @dev No step follows: the machine has ended.
    uint8 internal constant HALT = 0;

    // Execution.
    uint8 internal constant BEGIN_PARAMS = 1;
    uint8 internal constant BEGIN_TOTALS = 2;
    uint8 internal constant TX_BEGIN = 3;
    uint8 internal constant DEPOSIT_BEGIN = 4;
    uint8 internal constant DISPATCH = 5;
    uint8 internal constant TX_UNDO = 6;
    uint8 internal constant TX_END = 7;
    uint8 internal constant TX_BOOK = 8;
    uint8 internal constant L1_ATTRIBUTES = 9;
    uint8 internal constant SWEEP_NEXT = 10;
    uint8 internal constant SWEEP_INTERACTION = 11;
    uint8 internal constant SWEEP_CALLER = 12;
    uint8 internal constant SWEEP_REPUTATION = 13;
    uint8 internal constant TRANSFER_CREDIT = 14;
    uint8 internal constant SEND_MESSAGE = 15;
    uint8 internal constant REGISTER_AGENT = 16;
    uint8 internal constant REGISTER_URI = 17;
    uint8 internal constant WRITE_CAPABILITY = 18;
    uint8 internal constant WRITE_CAPABILITY_DETAIL = 19;
    uint8 internal constant REMOVE_CAPABILITY = 20;
    uint8 internal constant REMOVE_CAPABILITY_DETAIL = 21;
    uint8 internal constant WRITE_CAPABILITY_COUNT = 22;
    uint8 internal constant WRITE_METADATA = 23;
    uint8 internal constant UPDATE_AGENT = 24;
    uint8 internal constant READ_OWN_AGENT = 25;
    uint8 internal constant DEREGISTER_AGENT = 26;
    uint8 internal constant WITHDRAW_STAKE = 27;
    uint8 internal constant HEARTBEAT = 28;
    uint8 internal constant TOP_UP_STAKE = 29;
    uint8 internal constant INVOKE_ARGS = 30;
    uint8 internal constant INVOKE_CALLEE = 31;
    uint8 internal constant INVOKE_CAPABILITY = 32;
    uint8 internal constant INVOKE_INTERACTION = 33;
    uint8 internal constant INVOKE_DEADLINE = 34;
    uint8 internal constant RESPOND_ARGS = 35;
    uint8 internal constant RESPOND_INTERACTION = 36;
    uint8 internal constant RESPOND_AGENT = 37;
    uint8 internal constant RESPOND_ATTESTATION = 38;
    uint8 internal constant RESPOND_DEADLINE = 39;
    uint8 internal constant RESPOND_CALLER = 40;
    uint8 internal constant RESPOND_PAIR = 41;
    uint8 internal constant RESPOND_REPUTATION = 42;
    uint8 internal constant RESPOND_EVENT = 43;
    uint8 internal constant SEAL_BASE_FEES = 44;
    uint8 internal constant SEAL_PRIORITY_FEES = 45;
    uint8 internal constant SEAL_L1_FEES = 46;
    uint8 internal constant SEAL_TOTALS = 47;
    uint8 internal constant BEGIN_POLICY = 48;

    // The machine around execution.
    uint8 internal constant BEGIN = 128;
    uint8 internal constant PARENT = 129;
    uint8 internal constant WALK = 130;
    uint8 internal constant LOCATE = 131;
    uint8 internal constant ORIGIN = 132;
    uint8 internal constant TX_ATTRIBUTES = 133;
    uint8 internal constant TX_DEPOSIT = 134;
    uint8 internal constant TX_SIGNED = 135;
    uint8 internal constant TX_LIST = 136;
    uint8 internal constant RECEIPT = 137;
    uint8 internal constant RECEIPT_LIST = 138;
    uint8 internal constant PASSER = 139;
    uint8 internal constant TX_ROOT = 140;
    uint8 internal constant RECEIPT_ROOT = 141;
    uint8 internal constant HEADER = 142;
    uint8 internal constant ORIGIN_END = 144;
    uint8 internal constant OPEN_BLOCK = 145;
    uint8 internal constant NEXT = 146;

    /// @dev Added to the kinds of agnt2/machine/origin.
    uint8 internal constant ORIGIN_BASE = 160;
}
