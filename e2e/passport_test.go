package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/passport"
	"github.com/agnt2/agnt2/client"
	"github.com/agnt2/agnt2/devnet"
	"github.com/agnt2/agnt2/ops/deployer"
)

// second is another AGNT2 chain on the devnet's L1: contracts of its own, an engine, and a node that only reads L1. Nobody
// sequences it, so it is made of deposits, one sequencing window late.
type second struct {
	*deployer.Result
	rpc string
}

func startSecond(t *testing.T, d *devnet.Devnet) *second {
	t.Helper()
	e, dir := d.Endpoints(), t.TempDir()
	in := deployer.DevnetIntent()
	in.L2ChainID = 902
	in.SeqWindowBlocks, in.DAChallengeWindowBlocks, in.DAResolveWindowBlocks = 8, 2, 2
	in.Owner, in.Batcher, in.UnsafeBlockSigner = devnet.AccountOf(devnet.Agent5).Address, devnet.AccountOf(devnet.Agent5).Address, devnet.AccountOf(devnet.Agent5).Address
	in.PassportSources = []deployer.PassportSource{{ChainID: d.Config().Intent.L2ChainID, Registry: d.Addresses()["AnchorStateRegistryProxy"]}}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	res, err := deployer.Run(ctx, in, deployer.Options{
		L1RPC: e.L1, DeployerKey: devnet.AccountOf(devnet.Agent5).Key, Artifacts: deployer.ArtifactsIn(root), OutDir: dir,
	})
	require.NoError(t, err)

	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("jwt.hex"), []byte(common.Hash{7}.Hex()[2:]), 0o600))
	port := func(n int) string { return strconv.Itoa(9_900 + n + d.Config().PortShift) }
	url := func(n int) string { return "http://127.0.0.1:" + port(n) }
	launch := func(program string, args ...string) {
		log, err := os.Create(at(program + ".log"))
		require.NoError(t, err)
		bin, err := filepath.Abs(filepath.Join(root, "bin", program))
		require.NoError(t, err)
		cmd := exec.Command(bin, args...)
		cmd.Stdout, cmd.Stderr = log, log
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			log.Close()
			if out, err := os.ReadFile(at(program + ".log")); t.Failed() && err == nil {
				t.Logf("--- end of the second chain's %s\n%s", program, out[max(0, len(out)-3000):])
			}
		})
	}
	launch("agnt2-engine", "--genesis", at(deployer.GenesisFile), "--datadir", at("engine"), "--http.addr", "127.0.0.1", "--http.port", port(0),
		"--ws.addr", "127.0.0.1", "--ws.port", port(1), "--authrpc.addr", "127.0.0.1", "--authrpc.port", port(2), "--authrpc.jwtsecret", at("jwt.hex"),
		"--metrics.addr", "127.0.0.1", "--metrics.port", port(3), "--da.url", e.DA)
	eventually(t, time.Minute, "the second chain's engine answers", func(ctx context.Context) error {
		_, err := labelled(ctx, dial(t, url(0)), 0)
		return err
	})
	launch("op-agnt2-node", "--l1", e.L1, "--l1.rpckind", "standard", "--l1.beacon", e.L1Beacon, "--l1.http-poll-interval", "1s", "--l1.epoch-poll-interval", "2s",
		"--l2", url(2), "--l2.jwt-secret", at("jwt.hex"), "--l2.enginekind", "geth", "--rollup.config", at(deployer.RollupFile),
		"--rollup.l1-chain-config", at(deployer.L1ChainConfigFile), "--verifier.l1-confs", "0", "--finality.delay", "1", "--safedb.path", at("safedb"),
		"--altda.enabled", "--altda.da-service", "--altda.da-server", e.DA, "--altda.verify-on-read=false", "--p2p.disable",
		"--rpc.addr", "127.0.0.1", "--rpc.port", port(4), "--layerroot.address", res.Addresses["LayerRoot"].Hex())
	return &second{res, url(0)}
}

// TestPassport: an agent that has a history on one chain is shown to another chain through the first one's finalised anchor, and to
// its own chain as a stranger would see it.
func TestPassport(t *testing.T) {
	if !deployer.ArtifactsIn(root).HasVerifier() {
		t.Skip("the step verifier is not compiled: run `just contracts`")
	}
	d := up(t, 21_000, func(c *devnet.Config) {
		c.ProposalInterval = 10 * time.Second
		c.Intent.Game.ClockExtensionSeconds, c.Intent.Game.MaxClockSeconds, c.Intent.OracleChallengePeriodSeconds = 5, 40, 10
	})
	e := d.Endpoints()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	connect := func(rpc string) *client.Client {
		c, err := client.Dial(ctx, client.Config{RPC: rpc, DAURL: e.DA})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c
	}

	// A little history: one call that is answered, and one that nobody answers.
	home := connect(e.Engine)
	agent, caller := home.Account(devnet.AccountOf(devnet.Agent1).Key), home.Account(devnet.AccountOf(devnet.Agent2).Key)
	price := big.NewInt(1e15)
	offer := abi.Capability{Name: "text.summarize"}
	offer.PriceWei.SetFromBig(price)
	_, err := agent.Register(ctx, client.Registration{Name: "well travelled", Version: "2", StakeWei: ether(1), Capabilities: []abi.Capability{offer}})
	require.NoError(t, err)
	invoke := func(ttl time.Duration) common.Hash {
		i, err := caller.Invoke(ctx, client.InvokeRequest{
			Callee: agent.Address(), Capability: offer.Name, Params: []byte("long text"), PaymentWei: price, MaxPriceWei: price, TTL: ttl,
		})
		require.NoError(t, err)
		return i.ID
	}
	_, err = agent.Respond(ctx, client.Response{ID: invoke(time.Minute), Result: []byte("short text")})
	require.NoError(t, err)
	invoke(2 * time.Second)
	var history *abi.ReputationView
	eventually(t, time.Minute, "the agent has a history", func(ctx context.Context) error {
		if history, err = home.Reputation(ctx, agent.Address()); err != nil {
			return err
		}
		if history.Completed != 1 || history.Timeouts != 1 {
			return fmt.Errorf("%d answered, %d timed out", history.Completed, history.Timeouts)
		}
		return nil
	})
	since, err := home.Eth().BlockNumber(ctx)
	require.NoError(t, err)

	other := startSecond(t, d)
	abroad := connect(other.rpc)
	relay := devnet.AccountOf(devnet.Agent3).Key // anybody
	for name, to := range map[string]struct {
		*client.Client
		addresses map[string]common.Address
	}{
		"another chain":   {abroad, other.Addresses},
		"to its own kind": {home, d.Addresses()},
	} {
		t.Run(name, func(t *testing.T) {
			l1, err := client.DialL1(ctx, client.Config{RPC: e.L1}, to.addresses["OptimismPortalProxy"])
			require.NoError(t, err)
			defer l1.Close()
			at, chain := to.addresses["AgentPassport"], home.ChainID().Uint64()
			eventually(t, 4*time.Minute, "the anchor has the history", func(ctx context.Context) error {
				root, block, err := l1.Anchor(ctx, at, chain)
				if err != nil {
					return err
				}
				if block.Uint64() < since {
					return fmt.Errorf("anchor %v is block %v, not %d", root, block, since)
				}
				return nil
			})
			carried, err := l1.Depositor(relay).CarryAgent(ctx, home, at, agent.Address())
			require.NoError(t, err)
			t.Logf("importAgent: %d gas on L1", carried.L1Receipt.GasUsed)
			receipt, err := to.WaitDeposit(ctx, carried.Deposit)
			require.NoError(t, err)
			t.Logf("importAgent: %d gas on L2", receipt.GasUsed)
			f, score, err := to.ForeignAgent(ctx, chain, agent.Address())
			require.NoError(t, err)
			require.Equal(t, []any{chain, uint64(carried.Export.BlockNumber), agent.Address(), agent.Address(), "well travelled", "2", uint64(1), uint64(1), history.LastActiveAt},
				[]any{f.SourceChainId, f.SourceBlock, f.Agent, f.Owner, f.Name, f.Version, f.Completed, f.Timeouts, f.LastActiveAt})
			t.Logf("score %d here, %s at home", score, history.Score.Dec())

			// Nothing local has changed: the other chain knows no such agent, the home chain counts nothing twice.
			local, err := to.Agent(ctx, agent.Address())
			require.NoError(t, err)
			counted, err := to.Reputation(ctx, agent.Address())
			require.NoError(t, err)
			if to.Client == home {
				require.Equal(t, history.Completed, counted.Completed)
			} else {
				require.Zero(t, local.Status)
				require.Zero(t, counted.Completed)
			}

			// What the contract would not believe never becomes a transaction.
			for _, spoil := range []func(c *passport.ImportAgentCall){
				func(c *passport.ImportAgentCall) { c.Reputation.Completed = 1000 },
				func(c *passport.ImportAgentCall) { c.Identity.Owner = common.Address{1} },
				func(c *passport.ImportAgentCall) { c.Agent = caller.Address() },
				func(c *passport.ImportAgentCall) { c.SourceChainId = 7 },
			} {
				call, err := carried.Export.Call()
				require.NoError(t, err)
				spoil(call)
				var out json.RawMessage
				err = dial(t, e.L1).Client().CallContext(ctx, &out, "eth_estimateGas", map[string]any{"to": at, "data": fmt.Sprintf("0x%x", call.Encode())})
				require.ErrorContains(t, err, "revert")
			}
			// Nor does what does not come from it.
			forged := &abi.ImportAgentCall{SourceChainId: chain, SourceBlock: 1 << 40, Agent: agent.Address(), Identity: abi.IRecordsAgent{Status: 1}}
			deposit, err := l1.Depositor(relay).Deposit(ctx, client.DepositRequest{To: abi.Address, Data: forged.Encode()})
			require.NoError(t, err)
			_, err = to.WaitDeposit(ctx, deposit)
			var failed *client.OperationError
			require.ErrorAs(t, err, &failed)
			again, _, err := to.ForeignAgent(ctx, chain, agent.Address())
			require.NoError(t, err)
			require.Equal(t, f, again)
		})
	}
}
