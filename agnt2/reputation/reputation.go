// Package reputation turns an agent's counters into its score (AGNT2 paper App. D.3, F.2). The counters are consensus;
// the score is computed on read, from integers only, so that Solidity can repeat it.
package reputation

import (
	"math/bits"

	"github.com/agnt2/agnt2/agnt2/record"
)

// Scale is the score of a flawless agent with a long history: scores are in 1/Scale.
const Scale = 10_000

// Penalty units per outcome (paper App. B.3, B.8). A timeout weighs as much as four errors.
const (
	PenaltyError           = 1
	PenaltyGracefulTimeout = 2
	PenaltyTimeout         = 4
	// PenaltySoftStreak is charged for every SoftStreak parse failures in a row.
	PenaltySoftStreak = PenaltyTimeout
	SoftStreak        = 3
	// DisputeWeight is what one lost dispute counts in penalty units.
	DisputeWeight = 16
)

const (
	distinctSaturation = 64
	volumeSaturation   = 320
	maxHalvings        = 14
)

// Score returns the score in 1/Scale at time now (Unix seconds), halving with every halfLifeSeconds since the last
// settled interaction; 0 turns decay off. Only interactions with registered, staked callers that paid at least the
// minimum count, weighted by how many distinct ones there are and logarithmically by volume: with n = counted + 1,
// m = msb(n), L = min(16m + (16n >> m) - 16, 320), the base is Scale·min(distinct, 64)·L / (64·320).
func Score(r *record.Reputation, now uint64, halfLifeSeconds uint32) uint64 {
	n := r.CountedCompleted + 1
	m := uint64(bits.Len64(n) - 1)
	var volume uint64
	if m > volumeSaturation/16 { // also keeps 16n from overflowing
		volume = volumeSaturation
	} else {
		volume = min(16*m+((n<<4)>>m)-16, volumeSaturation)
	}
	base := Scale * min(r.DistinctCallers, distinctSaturation) * volume / (distinctSaturation * volumeSaturation)
	// counters saturate far below 2^50, so base·counted stays below 2^64
	counted := min(r.CountedCompleted, 1<<50)
	bad := min(r.PenaltyUnits, 1<<50) + DisputeWeight*min(r.DisputesLost, 1<<45) + 1
	score := mulDiv(base, counted, counted+bad)
	return decay(score, r.LastActiveAt, now, halfLifeSeconds)
}

func mulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	q, _ := bits.Div64(hi, lo, c) // a <= Scale and b < c, so the quotient fits
	return q
}

// decay halves the score every half-life, linearly in between.
func decay(score, last, now uint64, halfLife uint32) uint64 {
	if halfLife == 0 || now <= last {
		return score
	}
	age := now - last
	k := age / uint64(halfLife)
	if k >= maxHalvings {
		return score >> maxHalvings
	}
	rest := age % uint64(halfLife)
	s := score >> k
	return s - (s-s>>1)*rest/uint64(halfLife)
}
