package differential

import (
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// TestReputation: score, eligibility and the freeze of anomalous counters are the same in Go and Solidity, for counters of every
// size, also those that no history leads to.
func TestReputation(t *testing.T) {
	t.Parallel()
	evm, c := deploy(t, "ReputationHarness")
	frozen, eligible, scored, discounted := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var r record.Reputation
		random(t, reflect.ValueOf(&r).Elem(), 0)
		r.SumOfSquares.Rsh(&r.SumOfSquares, 128)
		if rapid.Bool().Draw(t, "plausible") {
			for _, n := range []*uint64{
				&r.Completed, &r.PenaltyUnits, &r.DisputesLost, &r.CountedCompleted, &r.DistinctCallers, &r.ScoredCompleted,
				&r.ScoredCallers, &r.LastActiveAt,
			} {
				*n >>= rapid.IntRange(44, 60).Draw(t, "shift")
			}
			if rapid.Bool().Draw(t, "faultless") {
				r.DisputesLost, r.Timeouts, r.PenaltyUnits = 0, 0, 0
			}
			c, d := r.CountedCompleted, max(r.DistinctCallers, 1)
			r.SumOfSquares.SetUint64(rapid.Uint64Range(c*c/d, 2*c*c/d+1).Draw(t, "squares"))
		}
		now := rapid.Uint64Range(0, 1<<40).Draw(t, "now")
		half := rapid.Uint32().Draw(t, "half-life") >> rapid.IntRange(0, 32).Draw(t, "shift")
		minimum := rapid.Uint32Range(0, 11_000).Draw(t, "minimum")
		out, _, err := evm.Call(c, "judge", r.AppendPacked(nil), now, half, minimum)
		require.NoError(t, err)
		want := reputation.Score(&r, now, half)
		require.Equal(t, want, out[0].(*big.Int).Uint64())
		require.Equal(t, reputation.Eligible(&r, minimum), out[1])
		require.Equal(t, reputation.Discount(&r), out[2])
		if reputation.Discount(&r) > 0 {
			discounted++
		}
		if reputation.Anomalous(&r) {
			frozen++
		}
		if out[1].(bool) {
			eligible++
		}
		if want > 0 {
			scored++
		}
		reputation.Count(&r)
		require.Equal(t, crypto.Keccak256Hash(r.Encode()), common.Hash(out[3].([32]byte)))
	})
	require.NotZero(t, frozen)
	require.NotZero(t, eligible)
	require.NotZero(t, scored)
	require.NotZero(t, discounted)
}
