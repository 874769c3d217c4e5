package reputation_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

func counters(t *rapid.T, limit uint64) *record.Reputation {
	n := func(name string) uint64 { return rapid.Uint64Range(0, limit).Draw(t, name) }
	return &record.Reputation{
		ScoredCompleted: n("counted"), ScoredCallers: n("distinct"), PenaltyUnits: n("penalties"), DisputesLost: n("lost"), LastActiveAt: 1000,
	}
}

// TestScoreFormula repeats the formula with big integers.
func TestScoreFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := counters(t, 1<<44)
		n := r.ScoredCompleted + 1
		m := uint64(new(big.Int).SetUint64(n).BitLen() - 1)
		l := new(big.Int).Lsh(new(big.Int).SetUint64(n), 4)
		l.Rsh(l, uint(m)).Add(l, new(big.Int).SetUint64(16*m)).Sub(l, big.NewInt(16))
		if l.Cmp(big.NewInt(320)) > 0 {
			l.SetInt64(320)
		}
		base := l.Mul(l, new(big.Int).SetUint64(10_000*min(r.ScoredCallers, 64)))
		base.Div(base, big.NewInt(20480))
		c := new(big.Int).SetUint64(r.ScoredCompleted)
		down := new(big.Int).SetUint64(r.PenaltyUnits)
		down.Add(down, new(big.Int).Mul(big.NewInt(16), new(big.Int).SetUint64(r.DisputesLost))).Add(down, c).Add(down, big.NewInt(1))
		want := base.Mul(base, c)
		want.Div(want, down)
		require.Equal(t, want.Uint64(), reputation.Score(r, 1000, 0))
	})
}

// TestScoreProperties: bounded, never helped by a penalty or a lost dispute, never hurt by one more counted caller, and
// never rising with time.
func TestScoreProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := counters(t, ^uint64(0)-1)
		half := rapid.Uint32Range(1, 1<<31).Draw(t, "half-life")
		now := rapid.Uint64Range(0, 1<<40).Draw(t, "now")
		score := reputation.Score(r, now, half)
		require.LessOrEqual(t, score, uint64(reputation.Scale))
		require.LessOrEqual(t, reputation.Score(r, now+rapid.Uint64Range(0, 1<<33).Draw(t, "later"), half), score)
		worse := *r
		worse.PenaltyUnits++
		require.LessOrEqual(t, reputation.Score(&worse, now, half), score)
		worse = *r
		worse.DisputesLost++
		require.LessOrEqual(t, reputation.Score(&worse, now, half), score)
		better := *r
		better.ScoredCallers++
		require.GreaterOrEqual(t, reputation.Score(&better, now, half), score)
	})
}

func TestDecayHalves(t *testing.T) {
	r := &record.Reputation{ScoredCompleted: 1 << 30, ScoredCallers: 64, LastActiveAt: 1000}
	full := reputation.Score(r, 1000, 100)
	require.InDelta(t, reputation.Scale, full, 2)
	require.Equal(t, full/2, reputation.Score(r, 1100, 100))
	require.Equal(t, full/4, reputation.Score(r, 1200, 100))
	require.InDelta(t, full*3/4, reputation.Score(r, 1050, 100), 1)
	require.Zero(t, reputation.Score(r, 1<<40, 100))
	require.Equal(t, full, reputation.Score(r, 0, 100), "a clock behind the record does not matter")
}

// history is an agent's counters as RESPOND keeps them.
type history struct {
	record.Reputation
	pairs map[int]uint64
}

func (h *history) ok(caller int) {
	if h.pairs == nil {
		h.pairs = map[int]uint64{}
	}
	n := h.pairs[caller]
	h.pairs[caller]++
	h.Completed++
	h.CountedCompleted++
	if n == 0 {
		h.DistinctCallers++
	}
	h.SumOfSquares.AddUint64(&h.SumOfSquares, 2*n+1)
	reputation.Count(&h.Reputation)
}

func (h *history) score() uint64 { return reputation.Score(&h.Reputation, 0, 0) }

// TestColludersGainLogLinearly is App. F.2's bound: N identities that call each other in any pattern, however often, gain at
// most in proportion to (N−1)·log(calls) each, and no pattern of one owner's calls exceeds what its staked identities allow.
func TestColludersGainLogLinearly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 90).Draw(t, "colluders")
		calls := rapid.IntRange(1, 4000).Draw(t, "calls")
		skew := rapid.Float64Range(1, 6).Draw(t, "skew")
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		var h history
		last := uint64(0)
		for i := range calls {
			h.ok(int(math.Pow(rnd.Float64(), skew) * float64(n-1)))
			now := h.score()
			require.GreaterOrEqual(t, now, last, "a call lowered the score")
			last = now
			d := min(float64(n-1), 64)
			logs := math.Log2(float64(i+2)) + 1 // L is at most 16·(log2 n + 1) − 16, and linear in between
			require.LessOrEqual(t, float64(now), d/64*min(logs/20, 1)*reputation.Scale)
		}
	})
	one := func(callers, calls int) uint64 {
		var h history
		for i := range calls {
			h.ok(i * i % callers)
		}
		return h.score()
	}
	require.Less(t, one(1, 1<<20), uint64(reputation.Scale)/60, "one caller cannot make a reputation, however often it calls")
	require.Zero(t, new(history).score())
}

// TestRingIsFrozen: identities that call in turn stop growing; a skewed demand as large does not, and thaws a frozen agent.
func TestRingIsFrozen(t *testing.T) {
	var ring history
	for i := range 255 {
		ring.ok(i % 40)
	}
	before := ring.score()
	for i := range 20_000 {
		ring.ok(i % 40)
		require.Equal(t, before, ring.score())
	}
	require.True(t, reputation.Anomalous(&ring.Reputation))
	require.EqualValues(t, 20_255, ring.CountedCompleted, "the counters go on")

	var market history
	for i := range 20_255 { // the k-th caller as often as 1/k
		market.ok(int(math.Exp(float64(i*7919%20_255)/20_255*math.Log(40))) - 1)
	}
	require.False(t, reputation.Anomalous(&market.Reputation))
	require.Greater(t, market.score(), before)

	for range 40_000 { // a customer who really buys
		ring.ok(7)
	}
	require.False(t, reputation.Anomalous(&ring.Reputation))
	require.Greater(t, ring.score(), before)
}

// TestCallersCannotFreezeARivalDown: whatever pattern of counted calls is added, no agent's score falls by it.
func TestCallersCannotFreezeARivalDown(t *testing.T) {
	var h history
	for i := range 3000 {
		h.ok(i * i % 50)
	}
	for i := range 30_000 {
		before := h.score()
		h.ok(100 + i%300)
		require.GreaterOrEqual(t, h.score(), before)
	}
}

// TestEligible: newcomers may start, an honest agent with one customer stays, one that was away stays, and one that hardly
// ever answers is refused.
// TestDiscount: from half the score on, up to a quarter; not for those who are late or lost a dispute.
func TestDiscount(t *testing.T) {
	r := record.Reputation{Completed: 1000, ScoredCallers: 64}
	last := uint16(0)
	for _, c := range []uint64{900, 1100, 5000, 100_000, 1 << 40} {
		r.ScoredCompleted = c
		d := reputation.Discount(&r)
		require.GreaterOrEqual(t, d, last)
		last = d
	}
	require.EqualValues(t, 2499, last, "a quarter, but for what rounding leaves of a flawless score")
	r.ScoredCompleted = 900
	require.Zero(t, reputation.Discount(&r))
	r.ScoredCompleted, r.Timeouts = 1<<40, 50
	require.NotZero(t, reputation.Discount(&r))
	r.Timeouts = 51
	require.Zero(t, reputation.Discount(&r))
	r.Timeouts, r.DisputesLost = 0, 1
	require.Zero(t, reputation.Discount(&r))
}

func TestEligible(t *testing.T) {
	const minimum = 500
	for name, c := range map[string]struct {
		r    record.Reputation
		want bool
	}{
		"newcomer":             {record.Reputation{}, true},
		"seven timeouts":       {record.Reputation{PenaltyUnits: 28}, true},
		"eight timeouts":       {record.Reputation{PenaltyUnits: 32}, false},
		"one customer":         {record.Reputation{Completed: 1000, CountedCompleted: 1000, DistinctCallers: 1}, true},
		"uncounted customers":  {record.Reputation{Completed: 40}, true},
		"mostly late":          {record.Reputation{Completed: 10, PenaltyUnits: 200}, false},
		"just good enough":     {record.Reputation{Completed: 10, PenaltyUnits: 189}, true},
		"lost disputes":        {record.Reputation{Completed: 100, DisputesLost: 200}, false},
		"saturated":            {record.Reputation{Completed: math.MaxUint64, PenaltyUnits: 1 << 50}, true},
		"saturated the other":  {record.Reputation{Completed: 5, PenaltyUnits: math.MaxUint64}, false},
		"away for a long time": {record.Reputation{Completed: 100, LastActiveAt: 1}, true},
	} {
		require.Equal(t, c.want, reputation.Eligible(&c.r, minimum), name)
	}
	require.True(t, reputation.Eligible(&record.Reputation{PenaltyUnits: 99}, 0), "0 turns it off")
}
