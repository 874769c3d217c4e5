// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import { IRecords } from "../../interfaces/IRecords.sol";
import { Protocol } from "./Protocol.sol";

/// @title Reputation
/// @notice Score and eligibility of an agent: package agnt2/reputation, with its saturations.
library Reputation {
    /// @notice Takes the present counters into the score, unless they are anomalous.
    function count(IRecords.Reputation memory r) internal pure {
        if (anomalous(r)) return;
        r.scoredCompleted = r.countedCompleted;
        r.scoredCallers = r.distinctCallers;
    }

    /// @dev Whether callers are distributed too uniformly.
    function anomalous(IRecords.Reputation memory r) private pure returns (bool) {
        uint256 d = r.distinctCallers;
        uint256 c = r.countedCompleted;
        if (d < Protocol.ANOMALY_CALLERS || c < Protocol.ANOMALY_COMPLETED) return false;
        unchecked {
            return 2 * uint256(r.sumOfSquares) * d < 3 * c * c;
        }
    }

    /// @notice Whether an agent may be invoked.
    /// @param  minimum Least reliability of one with a history, in 1/10000.
    function eligible(IRecords.Reputation memory r, uint256 minimum) internal pure returns (bool) {
        unchecked {
            uint256 completed = _min(r.completed, 1 << 50);
            if (completed + _min(r.penaltyUnits, 1 << 50) < Protocol.HISTORY_OUTCOMES) return true;
            return Protocol.SCALE * completed / (completed + bad(r)) >= minimum;
        }
    }

    /// @dev What weighs against an agent, at least 1.
    function bad(IRecords.Reputation memory r) private pure returns (uint256) {
        unchecked {
            return _min(r.penaltyUnits, 1 << 50) + uint256(Protocol.DISPUTE_WEIGHT) * _min(r.disputesLost, 1 << 45) + 1;
        }
    }

    /// @notice The score, in 1/10000.
    /// @param  time     Unix seconds.
    /// @param  halfLife Seconds; 0: no decay.
    function score(IRecords.Reputation memory r, uint64 time, uint32 halfLife) internal pure returns (uint256) {
        unchecked {
            uint256 c = r.scoredCompleted;
            uint256 base = uint256(Protocol.SCALE) * _min(r.scoredCallers, Protocol.DISTINCT_SATURATION) * volume(c)
                / (uint256(Protocol.DISTINCT_SATURATION) * Protocol.VOLUME_SATURATION);
            c = _min(c, 1 << 50);
            return decay(base * c / (c + bad(r)), r.lastActiveAt, time, halfLife);
        }
    }

    /// @notice Discount of an agent's own INVOKEs, in 1/10000, by its score when it has just answered.
    function discount(IRecords.Reputation memory r) internal pure returns (uint16) {
        unchecked {
            if (r.disputesLost != 0 || r.timeouts > r.completed / Protocol.DISCOUNT_TIMEOUTS) return 0;
            uint256 s = score(r, r.lastActiveAt, 0);
            if (s <= Protocol.DISCOUNT_SCORE) return 0;
            return uint16(_min((s - Protocol.DISCOUNT_SCORE) / 2, Protocol.MAX_DISCOUNT));
        }
    }

    /// @dev A logarithm of the number of interactions, saturating.
    function volume(uint256 c) private pure returns (uint256 v) {
        unchecked {
            uint256 n = c + 1;
            uint256 m;
            while (n >> (m + 1) != 0) ++m;
            v = 16 * m + ((n << 4) >> m) - 16;
            if (v > Protocol.VOLUME_SATURATION) v = Protocol.VOLUME_SATURATION;
        }
    }

    /// @dev Halves a score every half-life since the last settled interaction, linearly in between.
    function decay(uint256 s, uint256 last, uint256 time, uint256 halfLife) private pure returns (uint256) {
        if (halfLife == 0 || time <= last) return s;
        unchecked {
            uint256 age = time - last;
            uint256 k = age / halfLife;
            if (k >= Protocol.MAX_HALVINGS) return s >> Protocol.MAX_HALVINGS;
            s >>= k;
            return s - (s - (s >> 1)) * (age % halfLife) / halfLife;
        }
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
