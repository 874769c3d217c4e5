package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/devnet"
	"github.com/agnt2/agnt2/ops/deployer"
)

// TestDisputesAndWithdrawals: a wrong output root loses against the challenger by a step on L1, a right one stands against a
// challenger that lies, disputes on L2 end with the games that they name, and a withdrawal is proven and finalised against the
// games that stand.
func TestDisputesAndWithdrawals(t *testing.T) {
	if !deployer.ArtifactsIn(root).HasVerifier() {
		t.Skip("the step verifier is not compiled: run `just contracts`")
	}
	d := up(t, 19_000, func(c *devnet.Config) { c.ProposalInterval = 15 * time.Second })
	e := d.Endpoints()
	data := d.Config().Dir

	// Before anybody lies: viem proves against the newest game, right or wrong.
	t.Run("withdrawal by viem", func(t *testing.T) {
		out, err := run(t, 10*time.Minute, "npx", "--no-install", "tsx", "client/ts/withdraw.ts", "--l1", e.L1, "--rpc", e.Engine, "--data", data,
			"--key", devnet.AccountOf(devnet.Agent3).PrivateKey)
		t.Logf("%s", out)
		require.NoError(t, err)
	})
	t.Run("disputes", func(t *testing.T) {
		t.Parallel()
		out, err := run(t, 18*time.Minute, filepath.Join(root, "bin", "demo"), "dispute", "--l1", e.L1, "--node", e.Node, "--data", data, "--together")
		t.Logf("%s", out)
		require.NoError(t, err)
	})
	t.Run("computational disputes end with their games", func(t *testing.T) {
		t.Parallel()
		testResolver(t, d)
	})
	t.Run("challenger crashes in the middle", func(t *testing.T) {
		t.Parallel()
		eventually(t, 5*time.Minute, "a game is being played", func(ctx context.Context) error {
			for _, g := range d.Status(ctx).Games {
				if g.Status == "IN_PROGRESS" && g.Claims > 12 {
					return nil
				}
			}
			return errors.New("no game with more than 12 claims")
		})
		require.NoError(t, d.Kill(devnet.RoleChallenger))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, d.Restart(ctx, devnet.RoleChallenger))
	})
	t.Run("every step of a block on L1", func(t *testing.T) {
		t.Parallel()
		testSteps(t, d)
	})
}

// testSteps has L1's verifier execute every micro-step of a block with business in it.
func testSteps(t *testing.T, d *devnet.Devnet) {
	e := d.Endpoints()
	engine := dial(t, e.Engine)
	l := startLoad(t, d, devnet.Agent2)
	var block uint64
	eventually(t, 2*time.Minute, "a block with transactions is derivable at the proof head", func(ctx context.Context) error {
		s := d.Status(ctx)
		if s.Sequencer == nil || l.count() == 0 {
			return errors.New("no node or no load")
		}
		for n := s.Sequencer.Finalized.Number; n > 0; n-- {
			b, err := engine.BlockByNumber(ctx, new(big.Int).SetUint64(n))
			if err != nil {
				return err
			}
			if len(b.Transactions()) > 3 {
				block = n
				return nil
			}
		}
		return errors.New("no finalized block with transactions")
	})
	close(l.stop)
	l.done.Wait()
	flags := []string{"--l1-eth-rpc", e.L1, "--rollup-rpc", e.VerifierNode, "--l2-eth-rpc", e.VerifierEngine, "--log.level", "warn",
		"--game-factory-address", d.Addresses()["DisputeGameFactoryProxy"].Hex(), "--block", fmt.Sprint(block)}
	out, err := run(t, 5*time.Minute, filepath.Join(root, "bin", "challenger"), append([]string{"step", "--all"}, flags...)...)
	t.Logf("%s", out)
	require.NoError(t, err)
	require.Contains(t, out, ": valid")
}
