// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { Context, ContextLib } from "../lib/Context.sol";
import { Steps } from "../lib/Steps.sol";
import { IRecords } from "../../interfaces/IRecords.sol";
import { Gas } from "./Gas.sol";
import { Keys } from "./Keys.sol";
import { Protocol } from "./Protocol.sol";
import { Transaction } from "./Transaction.sol";

/// @title Deposit
/// @notice What only deposits do: agnt2/vm/deposit.go.
library Deposit {
    using ContextLib for Context;

    function stepDepositBegin(Context memory ctx) internal pure returns (uint8) {
        (, IRecords.Account memory a) = ctx.readAccount(Keys.account(ctx.transaction.from));
        unchecked {
            a.balance += ctx.transaction.mint;
        }
        return Transaction.takeValue(ctx, a, 0);
    }

    function stepL1Attributes(Context memory ctx) internal pure returns (uint8) {
        bytes calldata b = ctx.data();
        if (b.length != Protocol.L1_ATTRIBUTES_DATA_LENGTH || bytes4(b) != Protocol.L1_ATTRIBUTES_SELECTOR) {
            return Transaction.reject(ctx); // only the first deposit is known to be well-formed
        }
        ctx.readL1Info(Keys.L1_INFO);
        IRecords.L1Info memory l1 = parseL1Attributes(b);
        ctx.blk.l1Price = Gas.l1Price(l1);
        ctx.write(l1);
        ctx.op.data = 0; // no sweep reads the calldata
        return Steps.SWEEP_NEXT;
    }

    /// @dev Reads the calldata of setL1BlockValuesIsthmus, of the right length.
    function parseL1Attributes(bytes calldata b) private pure returns (IRecords.L1Info memory l1) {
        l1.baseFeeScalar = uint32(bytes4(b[4:]));
        l1.blobBaseFeeScalar = uint32(bytes4(b[8:]));
        l1.sequenceNumber = uint64(bytes8(b[12:]));
        l1.timestamp = uint64(bytes8(b[20:]));
        l1.number = uint64(bytes8(b[28:]));
        l1.baseFee = uint256(bytes32(b[36:]));
        l1.blobBaseFee = uint256(bytes32(b[68:]));
        l1.blockHash = bytes32(b[100:]);
        l1.batcherHash = bytes32(b[132:]);
        l1.operatorFeeScalar = uint32(bytes4(b[164:]));
        l1.operatorFeeConstant = uint64(bytes8(b[168:]));
    }
}
