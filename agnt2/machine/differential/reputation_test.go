package differential

import (
	"math/big"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// TestReputation: score, eligibility, discount and the freeze of anomalous counters are the same in Go and Solidity, for counters of
// every size, also those that no history leads to.
func TestReputation(t *testing.T) {
	t.Parallel()
	evm, c := deploy(t, "ReputationHarness")
	same := func(t require.TestingT, r record.Reputation, now uint64, half, minimum uint32) {
		out, _, err := evm.Call(c, "judge", r.AppendPacked(nil), now, half, minimum)
		require.NoError(t, err)
		require.Equal(t, reputation.Score(&r, now, half), out[0].(*big.Int).Uint64())
		require.Equal(t, reputation.Eligible(&r, minimum), out[1])
		require.Equal(t, reputation.Discount(&r), out[2])
		reputation.Count(&r)
		require.Equal(t, crypto.Keccak256Hash(r.Encode()), common.Hash(out[3].([32]byte)))
	}
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
		same(t, r, now, half, rapid.Uint32Range(0, 11_000).Draw(t, "minimum"))
	})

	ring := record.Reputation{Completed: 320, CountedCompleted: 320, DistinctCallers: 16, SumOfSquares: *uint256.NewInt(6400), ScoredCompleted: 255, ScoredCallers: 16}
	require.True(t, reputation.Anomalous(&ring))
	edge := ring
	edge.SumOfSquares.SetUint64(9600) // 2·S2·d = 3·c²
	require.False(t, reputation.Anomalous(&edge))
	famous := record.Reputation{Completed: 1 << 30, ScoredCompleted: 1 << 30, ScoredCallers: 64, LastActiveAt: 1000}
	require.NotZero(t, reputation.Discount(&famous))
	late := famous
	late.Timeouts = famous.Completed/20 + 1
	lost := famous
	lost.DisputesLost = 1
	bad := record.Reputation{PenaltyUnits: 32}
	require.False(t, reputation.Eligible(&bad, 500))
	for _, r := range []record.Reputation{{}, ring, edge, famous, late, lost, bad} {
		for _, now := range []uint64{0, 1000, 1001, 1050, 1100, 1399, 1 << 40} {
			for _, half := range []uint32{0, 1, 100} {
				same(t, r, now, half, 500)
			}
		}
	}
}
