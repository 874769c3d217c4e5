// Package reputation turns an agent's counters into its score (AGNT2 paper App. D.3, F.2). The counters are consensus;
// the score is computed on read, from integers only, so that Solidity can repeat it.
package reputation

import (
	"math/bits"

	"github.com/holiman/uint256"

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

// Count takes the present counters into the score, unless they are anomalous: then the score's counters stay what they were
// (paper App. F.2). Freezing at the time of writing, not when the score is read, means that nobody can lower another
// agent's score by calling it in a suspicious pattern.
func Count(r *record.Reputation) {
	if !Anomalous(r) {
		r.ScoredCompleted, r.ScoredCallers = r.CountedCompleted, r.DistinctCallers
	}
}

// From these counters on a distribution of callers is judged.
const (
	anomalyCallers   = 16
	anomalyCompleted = 256
)

// Anomalous reports whether callers are distributed too uniformly to be a market: real demand is skewed (paper App. F.2: Zipf),
// and a ring of identities that call in turn is not. With n_i interactions of caller i, d callers and c = Σ n_i, Σ n_i² is
// c²/d if all are equal; less than 1.5 times that, from 16 callers and 256 interactions on, is too uniform.
func Anomalous(r *record.Reputation) bool {
	if r.DistinctCallers < anomalyCallers || r.CountedCompleted < anomalyCompleted {
		return false
	}
	var actual, limit uint256.Int
	actual.Mul(&r.SumOfSquares, uint256.NewInt(2))
	actual.Mul(&actual, uint256.NewInt(r.DistinctCallers))
	limit.SetUint64(r.CountedCompleted)
	limit.Mul(&limit, &limit)
	limit.Mul(&limit, uint256.NewInt(3))
	return actual.Lt(&limit)
}

// HistoryOutcomes is how much of a history makes an agent's reliability count.
const HistoryOutcomes = 32

// Reliability is the share of calls answered well, in 1/Scale: unlike the score it neither weighs by the number of callers
// nor decays, so that an honest agent with one customer, or one that was away, is never below a threshold for it.
func Reliability(r *record.Reputation) uint64 {
	completed := min(r.Completed, 1<<50)
	return Scale * completed / (completed + bad(r))
}

// Eligible reports whether an agent may be invoked: newcomers always, others from the given reliability on.
func Eligible(r *record.Reputation, minimum uint32) bool {
	return min(r.Completed, 1<<50)+min(r.PenaltyUnits, 1<<50) < HistoryOutcomes || Reliability(r) >= uint64(minimum)
}

// The discount of an agent's own INVOKEs (paper App. A.3).
const (
	discountScore    = 5000
	maxDiscount      = 2500
	discountTimeouts = 20
)

// Discount is how much less of their class an agent's own INVOKEs cost, in 1/Scale, by its score when it has just answered a
// call: half of what the score exceeds 5000 by, at most a quarter; nothing for an agent that lost a dispute, or had more than one
// timeout for 20 calls answered.
func Discount(r *record.Reputation) uint16 {
	if r.DisputesLost != 0 || r.Timeouts > r.Completed/discountTimeouts {
		return 0
	}
	score := Score(r, r.LastActiveAt, 0)
	if score <= discountScore {
		return 0
	}
	return uint16(min((score-discountScore)/2, maxDiscount))
}

// bad is what weighs against an agent, at least 1.
func bad(r *record.Reputation) uint64 {
	return min(r.PenaltyUnits, 1<<50) + DisputeWeight*min(r.DisputesLost, 1<<45) + 1
}

// Score returns the score in 1/Scale at time now (Unix seconds), halving with every halfLifeSeconds since the last
// settled interaction; 0 turns decay off. Only interactions with registered, staked callers that paid at least the
// minimum count, weighted by how many distinct ones there are and logarithmically by volume: with n = counted + 1,
// m = msb(n), L = min(16m + (16n >> m) - 16, 320), the base is Scale·min(distinct, 64)·L / (64·320).
func Score(r *record.Reputation, now uint64, halfLifeSeconds uint32) uint64 {
	n := r.ScoredCompleted + 1
	m := uint64(bits.Len64(n) - 1)
	var volume uint64
	if m > volumeSaturation/16 { // also keeps 16n from overflowing
		volume = volumeSaturation
	} else {
		volume = min(16*m+((n<<4)>>m)-16, volumeSaturation)
	}
	base := Scale * min(r.ScoredCallers, distinctSaturation) * volume / (distinctSaturation * volumeSaturation)
	// counters saturate far below 2^50, so base·counted stays below 2^64
	counted := min(r.ScoredCompleted, 1<<50)
	score := mulDiv(base, counted, counted+bad(r))
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
