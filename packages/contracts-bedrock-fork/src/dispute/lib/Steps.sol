// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Steps
/// @notice Numbers of the machine's micro-steps: the values of the state's `step` (docs/spec/machine.md). Those from 128 to 175
///         are the ones of agnt2/machine; the others those of agnt2/vm.
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
    uint8 internal constant OPEN_CHANNEL_ARGS = 88;
    uint8 internal constant OPEN_CHANNEL_PAIR = 89;
    uint8 internal constant OPEN_CHANNEL_RECORD = 90;
    uint8 internal constant OPEN_CHANNEL_TOP_UP = 91;
    uint8 internal constant OPEN_CHANNEL_ACCOUNT = 92;
    uint8 internal constant REMOVE_CHANNEL_DEADLINE = 93;
    uint8 internal constant QUEUE_CHANNEL_DEADLINE = 94;
    uint8 internal constant PAY_CHANNEL = 95;
    uint8 internal constant CLEAR_CHANNEL_PAIR = 96;
    uint8 internal constant CHANNEL_STATE_ARGS = 97;
    uint8 internal constant CHECKPOINT_CHANNEL = 98;
    uint8 internal constant CLOSE_CHANNEL = 99;
    uint8 internal constant DISPUTE_CHANNEL = 100;
    uint8 internal constant DOUBLE_SIGNING_ARGS = 101;
    uint8 internal constant DOUBLE_SIGNING_CHANNEL = 102;
    uint8 internal constant SWEEP_CHANNEL = 103;

    // Governance, history, disputes.
    uint8 internal constant SET_PARAMS_ARGS = 120;
    uint8 internal constant WRITE_PARAMS = 121;
    uint8 internal constant SET_POLICY_ARGS = 122;
    uint8 internal constant WRITE_POLICY = 123;
    uint8 internal constant WITHDRAW_FEES_ARGS = 124;
    uint8 internal constant WITHDRAW_VAULT = 125;
    uint8 internal constant SEND_FEES = 126;
    uint8 internal constant SWEEP_HISTORY = 176;
    uint8 internal constant PRUNE_DISPUTE = 177;
    uint8 internal constant PRUNE_INTERACTION = 178;
    uint8 internal constant PRUNE_HISTORY = 179;
    uint8 internal constant DISPUTE_ARGS = 180;
    uint8 internal constant DISPUTE_INTERACTION = 181;
    uint8 internal constant DISPUTE_RECORD = 182;
    uint8 internal constant DISPUTE_DEADLINE = 183;
    uint8 internal constant DISPUTE_AGENT = 184;
    uint8 internal constant DISPUTE_REPUTATION = 185;
    uint8 internal constant RESOLVE_ARGS = 186;
    uint8 internal constant RESOLVE_RECORD = 187;
    uint8 internal constant RESOLVE_DEADLINE = 188;
    uint8 internal constant SWEEP_DISPUTE = 189;
    uint8 internal constant CLOSE_BOND = 190;
    uint8 internal constant CLOSE_HOLD = 191;
    uint8 internal constant CLOSE_REPUTATION = 192;
    uint8 internal constant CLOSE_QUEUE = 193;
    uint8 internal constant CLOSE_EVENT = 194;

    // Identity and delegation.
    uint8 internal constant ACT_OPERATION = 49;
    uint8 internal constant ACT_AGENT = 50;
    uint8 internal constant ACT_KEY = 51;
    uint8 internal constant ACT_ACCOUNT = 52;
    uint8 internal constant REGISTER_FOR = 53;
    uint8 internal constant AUTHORIZE_KEY = 54;
    uint8 internal constant WRITE_KEY = 55;
    uint8 internal constant REVOKE_KEY = 56;
    uint8 internal constant TRANSFER_OWNERSHIP = 57;
    uint8 internal constant SET_AGENT_URI = 58;
    uint8 internal constant SET_METADATA = 59;
    uint8 internal constant SET_AGENT_WALLET = 60;
    uint8 internal constant WRITE_AGENT_WALLET = 61;
    uint8 internal constant PAY = 62;
    uint8 internal constant RESPOND_KEY = 63;
    uint8 internal constant OPEN_SESSION = 104;
    uint8 internal constant CLOSE_SESSION = 105;

    // Registries of ERC-8004.
    uint8 internal constant REGISTRY = 106;
    uint8 internal constant COUNT_HOLDING = 107;

    // Feedback and validations.
    uint8 internal constant FEEDBACK_ARGS = 195;
    uint8 internal constant FEEDBACK_AGENT = 196;
    uint8 internal constant FEEDBACK_KEY = 197;
    uint8 internal constant FEEDBACK_INTERACTION = 198;
    uint8 internal constant FEEDBACK_PAIR = 199;
    uint8 internal constant FEEDBACK_COUNT = 200;
    uint8 internal constant FEEDBACK_RATING = 201;
    uint8 internal constant WRITE_FEEDBACK = 202;
    uint8 internal constant REVOKE_FEEDBACK = 203;
    uint8 internal constant APPEND_RESPONSE = 204;
    uint8 internal constant COUNT_RESPONSE = 205;
    uint8 internal constant LIST_COUNT = 206;
    uint8 internal constant LIST_ENTRY = 207;
    uint8 internal constant VALIDATION_ARGS = 208;
    uint8 internal constant WRITE_VALIDATION = 209;
    uint8 internal constant ANSWER_VALIDATION = 210;

    // Discovery, commit–reveal and eligibility.
    uint8 internal constant INDEX_COUNT = 108;
    uint8 internal constant INDEX_SLOT = 109;
    uint8 internal constant INDEX_MOVED = 110;
    uint8 internal constant CANDIDATE_AGENT = 111;
    uint8 internal constant CANDIDATE_CAPABILITY = 112;
    uint8 internal constant CANDIDATE_DETAIL = 113;
    uint8 internal constant CANDIDATE_REPUTATION = 114;
    uint8 internal constant DISCOVER_ARGS = 115;
    uint8 internal constant INVOKE_REPUTATION = 116;
    uint8 internal constant COMMITMENT = 117;
    uint8 internal constant COMMITMENT_DEADLINE = 118;
    uint8 internal constant SWEEP_COMMITMENT = 119;

    // Compositions.
    uint8 internal constant COMPOSE_ARGS = 64;
    uint8 internal constant COMPOSE_COMPOSITION = 65;
    uint8 internal constant QUEUE_ENTRY = 66;
    uint8 internal constant COMPOSE_LOAD = 67;
    uint8 internal constant COMPOSE_CALLEE = 68;
    uint8 internal constant COMPOSE_CAPABILITY = 69;
    uint8 internal constant COMPOSE_CONSTITUENT = 70;
    uint8 internal constant RESPOND_CONSTITUENT = 71;
    uint8 internal constant RESPOND_COMPOSITION = 72;
    uint8 internal constant OPEN_INTERACTION = 73;
    uint8 internal constant CANCEL_INTERACTION = 74;
    uint8 internal constant CANCEL_CALLEE = 75;
    uint8 internal constant CANCEL_COMPOSITION = 76;
    uint8 internal constant SWEEP_CONSTITUENT = 77;
    uint8 internal constant SWEEP_ADVANCE = 78;
    uint8 internal constant ACTIVATE_CONSTITUENT = 79;
    uint8 internal constant ACTIVATE_INPUT = 80;
    uint8 internal constant ACTIVATE_INTERACTION = 81;
    uint8 internal constant SETTLE_CONSTITUENT = 82;
    uint8 internal constant SETTLE_INTERACTION = 83;
    uint8 internal constant SETTLE_INITIATOR = 84;
    uint8 internal constant SETTLE_CALLEE = 85;
    uint8 internal constant SETTLE_PAIR = 86;
    uint8 internal constant SETTLE_REPUTATION = 87;
    uint8 internal constant OPEN_ARGS = 227;

    // Pruning of compositions.
    uint8 internal constant COMPOSE_HISTORY = 228;
    uint8 internal constant PRUNE_COMPOSITION = 229;
    uint8 internal constant PRUNE_CONSTITUENT = 230;
    uint8 internal constant PRUNE_CALL_DISPUTE = 231;
    uint8 internal constant PRUNE_CALL = 232;
    uint8 internal constant DROP_COMPOSITION = 233;

    // Disputes of interactions in the history.
    uint8 internal constant DISPUTE_PRUNED_ARGS = 234;
    uint8 internal constant DISPUTE_HISTORY = 235;

    // Portability.
    uint8 internal constant IMPORT_ARGS = 215;
    uint8 internal constant IMPORT_FOREIGN = 216;

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
