// Package e2e tests promises of the README against real processes: an L1, the contracts, DA server, engines, nodes, batcher
// and proposer, each killed and restarted where the promise is about that. Everything runs on loopback, on a port range of
// its own, in temporary folders.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/devnet"
	"github.com/agnt2/agnt2/ops/deployer"
)

const root = ".."

// up starts a devnet that the test's end takes down. Logs stay for a failed test.
func up(t *testing.T, shift int, change func(*devnet.Config)) *devnet.Devnet {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, "bin", "agnt2-engine")); err != nil {
		t.Skip("bin/ is not built: run `just build`")
	}
	in := deployer.DevnetIntent()
	cfg := devnet.Config{
		Dir: t.TempDir(), Root: root, PortShift: shift, Intent: &in, ProposalInterval: 10 * time.Second, Progress: logWriter{t},
		AgentFundsWei: (*hexutil.Big)(ether(100)), L1BlockTimeSeconds: 2,
	}
	if change != nil {
		change(&cfg)
	}
	d, err := devnet.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	t.Cleanup(func() {
		if t.Failed() {
			keepLogs(t, d)
		}
		if err := d.Down(); err != nil {
			t.Errorf("down: %v", err)
		}
	})
	began := time.Now()
	require.NoError(t, d.Up(ctx))
	t.Logf("devnet up after %s", time.Since(began).Round(100*time.Millisecond))
	return d
}

// keepLogs prints the end of every log of a failed test.
func keepLogs(t *testing.T, d *devnet.Devnet) {
	for _, r := range d.Roles() {
		out, err := os.ReadFile(d.LogPath(r))
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Logf("--- end of %s's log\n%s", r, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

type logWriter struct{ t *testing.T }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(b), "\n"))
	return len(b), nil
}

func ether(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(params.Ether)) }

// eventually polls a condition; the condition's last error is what a time-out reports.
func eventually(t *testing.T, limit time.Duration, what string, cond func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	for {
		err := cond(ctx)
		if err == nil {
			t.Logf("%s after %s", what, time.Since(began).Round(100*time.Millisecond))
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func dial(t *testing.T, url string) *ethclient.Client {
	t.Helper()
	c, err := ethclient.Dial(url)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func labelled(ctx context.Context, c *ethclient.Client, label rpc.BlockNumber) (uint64, error) {
	h, err := c.HeaderByNumber(ctx, big.NewInt(int64(label)))
	if err != nil {
		return 0, err
	}
	return h.Number.Uint64(), nil
}

// advances waits until a label has moved by n blocks.
func advances(t *testing.T, c *ethclient.Client, label rpc.BlockNumber, n uint64, limit time.Duration) {
	t.Helper()
	var from uint64
	first := true
	eventually(t, limit, fmt.Sprintf("%s advances by %d", label, n), func(ctx context.Context) error {
		now, err := labelled(ctx, c, label)
		if err != nil {
			return err
		}
		if first {
			from, first = now, false
		}
		if now < from+n {
			return fmt.Errorf("at %d, started at %d", now, from)
		}
		return nil
	})
}

// agrees waits until follower has a safe block of at least the given number and the same block there as leader.
func agrees(t *testing.T, leader, follower *ethclient.Client, atLeast uint64, limit time.Duration) {
	t.Helper()
	eventually(t, limit, fmt.Sprintf("follower agrees at or above %d", atLeast), func(ctx context.Context) error {
		got, err := follower.HeaderByNumber(ctx, big.NewInt(int64(rpc.SafeBlockNumber)))
		if err != nil {
			return err
		}
		if got.Number.Uint64() < atLeast {
			return fmt.Errorf("follower's safe block is %v", got.Number)
		}
		want, err := leader.HeaderByNumber(ctx, got.Number)
		if err != nil {
			return err
		}
		if got.Hash() != want.Hash() || got.Root != want.Root {
			return fmt.Errorf("block %v: follower %s, leader %s", got.Number, got.Hash(), want.Hash())
		}
		return nil
	})
}

// load sends transfers from an agent, one nonce after the other, and remembers what was acknowledged.
type load struct {
	mu    sync.Mutex
	acked []common.Hash
	stop  chan struct{}
	done  sync.WaitGroup
}

func startLoad(t *testing.T, d *devnet.Devnet, agents ...string) *load {
	l := &load{stop: make(chan struct{})}
	chainID := new(big.Int).SetUint64(d.Config().Intent.L2ChainID)
	for _, name := range agents {
		c := dial(t, d.Endpoints().Engine)
		a := devnet.AccountOf(name)
		nonce, err := c.NonceAt(context.Background(), a.Address, nil)
		require.NoError(t, err)
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			to := common.HexToAddress("0x10ad")
			for {
				tx := types.MustSignNewTx(a.Key, types.LatestSignerForChainID(chainID), &types.DynamicFeeTx{
					ChainID: chainID, Nonce: nonce, To: &to, Value: big.NewInt(1), Gas: 21_000,
					GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(100e9),
				})
				ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				err := c.SendTransaction(ctx, tx)
				cancel()
				if err == nil || strings.Contains(err.Error(), "already known") || strings.Contains(err.Error(), "nonce too low") {
					l.mu.Lock()
					l.acked = append(l.acked, tx.Hash())
					l.mu.Unlock()
					nonce++
				}
				select {
				case <-l.stop:
					return
				case <-time.After(25 * time.Millisecond):
				}
			}
		}()
	}
	return l
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

// end stops the load and checks that everything acknowledged is in a safe block, executed.
func (l *load) end(t *testing.T, c *ethclient.Client, limit time.Duration) {
	t.Helper()
	close(l.stop)
	l.done.Wait()
	require.NotEmpty(t, l.acked)
	missing := l.acked
	eventually(t, limit, fmt.Sprintf("all %d acknowledged transactions are safe", len(l.acked)), func(ctx context.Context) error {
		safe, err := labelled(ctx, c, rpc.SafeBlockNumber)
		if err != nil {
			return err
		}
		var rest []common.Hash
		for _, h := range missing {
			r, err := c.TransactionReceipt(ctx, h)
			if err != nil || r.BlockNumber.Uint64() > safe {
				rest = append(rest, h)
				continue
			}
			if r.Status != 1 {
				return fmt.Errorf("%s has status %d, gas %d", h, r.Status, r.GasUsed)
			}
		}
		if missing = rest; len(rest) > 0 {
			return fmt.Errorf("%d not safe yet, first %s", len(rest), rest[0])
		}
		return nil
	})
}

// stockNode builds op-node as upstream ships it.
func stockNode(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "op-node")
	cmd := exec.Command("go", "build", "-o", out, "github.com/ethereum-optimism/optimism/op-node/cmd")
	cmd.Dir = root
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build stock op-node: %v\n%s", err, b)
	}
	return out
}

// TestDevnet is one long life of one devnet: business, followers, crashes.
func TestDevnet(t *testing.T) {
	d := up(t, 15_000, nil)
	e := d.Endpoints()
	engine, verifier := dial(t, e.Engine), dial(t, e.VerifierEngine)

	t.Run("agents pay each other", func(t *testing.T) {
		out, err := run(t, 3*time.Minute, filepath.Join(root, "bin", "demo"), "--rpc", e.EngineWS, "--da", e.DA, "--l1", e.L1, "--data", d.Config().Dir)
		t.Logf("%s", out)
		require.NoError(t, err)
	})
	t.Run("agents are composed", func(t *testing.T) {
		out, err := run(t, 3*time.Minute, filepath.Join(root, "bin", "demo"), "compose", "--rpc", e.EngineWS, "--da", e.DA, "--data", d.Config().Dir)
		t.Logf("%s", out)
		require.NoError(t, err)
	})
	interaction := "" // of agent4 with agent3
	t.Run("viem example", func(t *testing.T) {
		out, err := run(t, 2*time.Minute, "npx", "--no-install", "tsx", "client/ts/example.ts", "--rpc", e.Engine, "--da", e.DA,
			"--key", devnet.AccountOf(devnet.Agent3).PrivateKey, "--caller-key", devnet.AccountOf(devnet.Agent4).PrivateKey)
		t.Logf("%s", out)
		require.NoError(t, err)
		if m := regexp.MustCompile(`interaction (0x[0-9a-f]{64})`).FindStringSubmatch(out); m != nil {
			interaction = m[1]
		}
	})
	t.Run("ERC-8004 by viem", func(t *testing.T) {
		require.NotEmpty(t, interaction)
		out, err := run(t, 2*time.Minute, "npx", "--no-install", "tsx", "client/ts/erc8004.ts", "--rpc", e.Engine,
			"--agent", devnet.AccountOf(devnet.Agent3).Address.Hex(), "--endpoint", "agnt2:"+interaction,
			"--agent-key", devnet.AccountOf(devnet.Agent3).PrivateKey, "--client-key", devnet.AccountOf(devnet.Agent4).PrivateKey,
			"--validator-key", devnet.AccountOf(devnet.Agent1).PrivateKey)
		t.Logf("%s", out)
		require.NoError(t, err)
	})
	t.Run("verifier and games agree", func(t *testing.T) {
		agrees(t, engine, verifier, 10, time.Minute)
		eventually(t, 2*time.Minute, "status is healthy, with a game that matches", func(ctx context.Context) error {
			s := d.Status(ctx)
			if !s.Healthy {
				return fmt.Errorf("problems: %v", s.Problems)
			}
			if len(s.Games) == 0 || s.Verifier == nil || s.Verifier.Agreement == nil || !s.Verifier.Agreement.Equal {
				return errors.New("no game or no agreement yet")
			}
			for _, g := range s.Games {
				if !g.Matches {
					return fmt.Errorf("game %d claims %s, output is %s (%s)", g.Index, g.RootClaim, g.Output, g.Note)
				}
			}
			if s.Sequencer.Finalized.Number == 0 {
				return errors.New("nothing is finalized yet")
			}
			return nil
		})
	})
	t.Run("stock op-node follows", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		bin := stockNode(t)
		require.NoError(t, d.AddFollower(ctx, "stock", bin))
		f, err := d.Follower("stock")
		require.NoError(t, err)
		head, err := labelled(ctx, engine, rpc.SafeBlockNumber)
		require.NoError(t, err)
		agrees(t, engine, dial(t, f.Engine), head, 2*time.Minute)
	})
	t.Run("kill -9 of every role under load", func(t *testing.T) {
		l := startLoad(t, d, devnet.Agent3, devnet.Agent4)
		for _, r := range []devnet.Role{devnet.RoleEngine, devnet.RoleNode, devnet.RoleBatcher, devnet.RoleDA, devnet.RoleProposer, devnet.RoleChallenger, devnet.RoleVerifierEngine, devnet.RoleVerifierNode} {
			before := l.count()
			require.NoError(t, d.Kill(r))
			time.Sleep(time.Second) // the outage itself: long enough for the others to meet it
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			require.NoError(t, d.Restart(ctx, r), "restart %s", r)
			cancel()
			advances(t, engine, rpc.LatestBlockNumber, 3, time.Minute)
			advances(t, engine, rpc.SafeBlockNumber, 3, 3*time.Minute)
			require.Greater(t, l.count(), before, "load went on after %s", r)
		}
		l.end(t, engine, 2*time.Minute)
		head, err := labelled(context.Background(), engine, rpc.SafeBlockNumber)
		require.NoError(t, err)
		agrees(t, engine, verifier, head, 2*time.Minute)
	})
}

func run(t *testing.T, limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if strings.HasPrefix(name, "..") {
		name, _ = filepath.Abs(name)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// reorgL1 replaces the last blocks of anvil's chain. Anvil forgets the transactions of abandoned blocks; other L1 nodes put
// them back into their pools, so that is done here.
func reorgL1(t *testing.T, l1 *rpc.Client, depth uint64) {
	t.Helper()
	ctx := context.Background()
	c := ethclient.NewClient(l1)
	head, err := c.BlockNumber(ctx)
	require.NoError(t, err)
	var txs types.Transactions
	for n := head - depth; n <= head; n++ {
		b, err := c.BlockByNumber(ctx, new(big.Int).SetUint64(n))
		require.NoError(t, err)
		txs = append(txs, b.Transactions()...)
	}
	require.NoError(t, l1.Call(new(json.RawMessage), "anvil_reorg", depth, []any{}))
	back := 0
	for _, tx := range txs {
		if c.SendTransaction(ctx, tx) == nil { // those of blocks that stayed are refused
			back++
		}
	}
	t.Logf("L1 reorganised from block %d on, %d of its transactions are pending again", head-depth+1, back)
}

// TestReorgsAndCensorship runs on anvil, whose chain can be reorganised, with a short sequencing window.
func TestReorgsAndCensorship(t *testing.T) {
	d := up(t, 17_000, func(c *devnet.Config) {
		// Once the window has passed, a batch is in time only if it is mined one L1 block after its predecessor's end: L1
		// blocks must take longer than node, batcher and DA server together.
		c.L1, c.L1BlockTimeSeconds, c.NoProposer = devnet.L1Anvil, 6, true
		c.Intent.SeqWindowBlocks, c.Intent.DAChallengeWindowBlocks, c.Intent.DAResolveWindowBlocks = 8, 2, 2
	})
	e := d.Endpoints()
	engine, verifier := dial(t, e.Engine), dial(t, e.VerifierEngine)
	l1, err := rpc.Dial(e.L1)
	require.NoError(t, err)
	defer l1.Close()

	t.Run("L1 reorg", func(t *testing.T) {
		l := startLoad(t, d, devnet.Agent3)
		advances(t, engine, rpc.SafeBlockNumber, 5, time.Minute)
		before, err := engine.HeaderByNumber(context.Background(), nil)
		require.NoError(t, err)
		reorgL1(t, l1, 3)
		eventually(t, 2*time.Minute, "the unsafe chain is reorganised", func(ctx context.Context) error {
			h, err := engine.HeaderByNumber(ctx, before.Number)
			if err != nil {
				return err
			}
			if h.Hash() == before.Hash() {
				return fmt.Errorf("block %v is still %s", before.Number, h.Hash())
			}
			return nil
		})
		advances(t, engine, rpc.SafeBlockNumber, 10, 2*time.Minute)
		l.end(t, engine, 4*time.Minute)
		head, err := labelled(context.Background(), engine, rpc.SafeBlockNumber)
		require.NoError(t, err)
		agrees(t, engine, verifier, head, time.Minute)
	})
	t.Run("unsafe reorg when nothing is posted in time", func(t *testing.T) {
		require.NoError(t, d.Stop(devnet.RoleBatcher))
		l := startLoad(t, d, devnet.Agent4)
		advances(t, engine, rpc.LatestBlockNumber, 3, time.Minute)
		before, err := engine.HeaderByNumber(context.Background(), nil)
		require.NoError(t, err)
		eventually(t, 3*time.Minute, "the unsafe block is replaced", func(ctx context.Context) error {
			h, err := engine.HeaderByNumber(ctx, before.Number)
			if err != nil {
				return err
			}
			if h.Hash() == before.Hash() {
				return fmt.Errorf("block %v is still %s", before.Number, h.Hash())
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, d.Restart(ctx, devnet.RoleBatcher))
		l.end(t, engine, 4*time.Minute)
	})
	t.Run("forced INVOKE while the sequencer is down", func(t *testing.T) { testForcedInvoke(t, d, engine, verifier) })
}
