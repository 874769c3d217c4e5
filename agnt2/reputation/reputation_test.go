package reputation_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

func counters(t *rapid.T, limit uint64) *record.Reputation {
	n := func(name string) uint64 { return rapid.Uint64Range(0, limit).Draw(t, name) }
	return &record.Reputation{
		CountedCompleted: n("counted"), DistinctCallers: n("distinct"), PenaltyUnits: n("penalties"), DisputesLost: n("lost"), LastActiveAt: 1000,
	}
}

// TestScoreFormula repeats the formula with big integers.
func TestScoreFormula(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := counters(t, 1<<44)
		n := r.CountedCompleted + 1
		m := uint64(new(big.Int).SetUint64(n).BitLen() - 1)
		l := new(big.Int).Lsh(new(big.Int).SetUint64(n), 4)
		l.Rsh(l, uint(m)).Add(l, new(big.Int).SetUint64(16*m)).Sub(l, big.NewInt(16))
		if l.Cmp(big.NewInt(320)) > 0 {
			l.SetInt64(320)
		}
		base := l.Mul(l, new(big.Int).SetUint64(10_000*min(r.DistinctCallers, 64)))
		base.Div(base, big.NewInt(20480))
		c := new(big.Int).SetUint64(r.CountedCompleted)
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
		better.DistinctCallers++
		require.GreaterOrEqual(t, reputation.Score(&better, now, half), score)
	})
}

func TestDecayHalves(t *testing.T) {
	r := &record.Reputation{CountedCompleted: 1 << 30, DistinctCallers: 64, LastActiveAt: 1000}
	full := reputation.Score(r, 1000, 100)
	require.InDelta(t, reputation.Scale, full, 2)
	require.Equal(t, full/2, reputation.Score(r, 1100, 100))
	require.Equal(t, full/4, reputation.Score(r, 1200, 100))
	require.InDelta(t, full*3/4, reputation.Score(r, 1050, 100), 1)
	require.Zero(t, reputation.Score(r, 1<<40, 100))
	require.Equal(t, full, reputation.Score(r, 0, 100), "a clock behind the record does not matter")
}

// TestSybilsGainLogLinearly: many callers of one owner each must pay a stake, and volume alone saturates.
func TestSybilsGainLogLinearly(t *testing.T) {
	one := func(d, c uint64) uint64 {
		return reputation.Score(&record.Reputation{CountedCompleted: c, DistinctCallers: d}, 0, 0)
	}
	require.Less(t, one(1, 1<<40), uint64(reputation.Scale)/60, "one caller cannot make a reputation, however often it calls")
	require.Equal(t, one(64, 1<<40), one(1000, 1<<40), "distinct callers saturate")
	require.Zero(t, one(0, 0))
}
