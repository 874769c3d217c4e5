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
	for seed := uint64(1); seed <= 3; seed++ {
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
	for k := vm.Halt + 1; k < vm.Steps; k++ {
		require.NotZero(t, kinds[k], "%s never happens", k)
	}
	t.Log(kinds)
}
