package machine_test

import (
	"context"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/machine/machinetest"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// TestTraceOfRandomBlocks: the machine finds the engine's output root for every block, in the fast and in the slow mode, and
// every micro-step is one that Step takes from the one before.
func TestTraceOfRandomBlocks(t *testing.T) {
	kinds := map[vm.Step]int{}
	for seed := uint64(1); seed <= 8; seed++ {
		r := machinetest.Chain(seed, 40)
		for n := uint64(0); n+1 < uint64(len(r.L2)); n++ {
			for _, honest := range []bool{true, false} {
				disputed, want := r.Output(n+1), machine.Valid
				if !honest {
					disputed, want = common.Hash{1}, machine.Invalid
				}
				env := r.Env(n, disputed)
				trace, err := machine.NewTrace(context.Background(), env, r.L1Source(), r.World)
				require.NoError(t, err, "seed %d, block %d", seed, n+1)
				require.Equal(t, want, trace.Final().Status, "seed %d, block %d", seed, n+1)
				if !honest {
					continue
				}
				state := machine.Prestate()
				raw := state.Encode()
				for i := range trace.Len() {
					e, err := trace.Entry(i)
					require.NoError(t, err, "seed %d, block %d, micro-step %d of %d", seed, n+1, i, trace.Len())
					require.Equal(t, raw, e.State.Encode())
					kinds[e.State.Step]++
					raw, err = env.Step(raw, e.Witness)
					require.NoError(t, err)
				}
				final := trace.Final()
				require.Equal(t, final.Encode(), raw)
			}
		}
	}
	for _, k := range vm.All() {
		require.NotZero(t, kinds[k], "%s never happens", k)
	}
	t.Log(kinds)
}

// TestEmptyBlockAtTheWindow: a block that nobody has committed is derivable, as an empty one, from the L1 block on at which the
// sequencing window of the origin that it adopts is over; neither a later submission nor an earlier block changes that.
func TestEmptyBlockAtTheWindow(t *testing.T) {
	for _, gap := range []bool{false, true} {
		r := machinetest.NewRandom(1, 0)
		r.AddL1(nil)
		r.AddL1(nil)
		for range machinetest.L1Time - 3 {
			r.Fill(r.Next(), 3)
		}
		last := uint64(len(r.L2) - 1)
		for range 6 { // across a change of the origin
			r.Next().Seal()
		}
		empty := uint64(len(r.L2) - 1)
		r.Submit(1, last)
		if gap {
			r.Fill(r.Next(), 3)
			r.Submit(empty+1, empty+1)
		}
		origins := map[uint64]bool{}
		for range machinetest.SeqWindow + machinetest.ProofLag + 4 {
			r.AddL1(nil)
			head := uint64(len(r.L1)-1) - machinetest.ProofLag
			for n := last + 1; n <= empty; n++ {
				origin := r.L2[n].Record.L1Origin
				origins[origin] = true
				want := map[bool]machine.Status{true: machine.Valid, false: machine.Invalid}
				derivable := origin+machinetest.SeqWindow <= head
				for root, right := range map[common.Hash]bool{r.Output(n): derivable, r.Output(n - 1): !derivable} {
					trace, err := machine.NewTrace(context.Background(), r.Env(n-1, root), r.L1Source(), r.World)
					require.NoError(t, err)
					require.Equal(t, want[right], trace.Final().Status, "block %d of origin %d at proof head %d", n, origin, head)
				}
			}
		}
		require.Greater(t, len(origins), 1)
	}
}
