package devnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/ops/deployer"
)

// Stages order the shutdown: what others depend on goes last. Within a stage processes stop side by side.
const (
	stageL1 = iota
	stageDA
	stageEngine
	stageNode
	stageSubmitter // batcher, proposer and challenger, and nodes that nobody but the challenger depends on
)

// spec is how one process is started and judged.
type spec struct {
	role  Role
	stage int
	argv  []string
	ports map[string]int
	// health is one probe.
	health func(context.Context) error
	// volatile says why the process cannot be started again on its own.
	volatile string
}

// specs returns every configured role in the order of start.
func (c *Config) specs(deployed *deployer.Result) []spec {
	ports := c.ports()
	out := []spec{c.l1Spec(ports), c.daSpec(ports)}
	out = append(out, c.engineSpec(RoleEngine, ports.Sequencer), c.nodeSpec(RoleNode, RoleEngine, ports.Sequencer, deployed, true, ""))
	if !c.NoBatcher {
		out = append(out, c.batcherSpec(ports))
	}
	if !c.NoProposer {
		out = append(out, c.proposerSpec(ports, deployed))
	}
	if !c.NoVerifier {
		out = append(out, c.engineSpec(RoleVerifierEngine, ports.Verifier),
			c.nodeSpec(RoleVerifierNode, RoleVerifierEngine, ports.Verifier, deployed, false, ""))
	}
	if c.hasChallenger() {
		out = append(out, c.challengerSpec(ports, deployed))
	}
	for i, f := range c.Followers {
		out = append(out, c.followerSpecs(i, f, ports, deployed)...)
	}
	return out
}

func (c *Config) followerSpecs(i int, f Follower, ports portMap, deployed *deployer.Result) []spec {
	engine, node := followerRoles(f.Name)
	return []spec{
		c.engineSpec(engine, ports.followers[i]),
		c.nodeSpec(node, engine, ports.followers[i], deployed, false, f.NodeBinary),
	}
}

func followerRoles(name string) (engine, node Role) {
	return Role(name + "-engine"), Role(name + "-node")
}

// argv puts the role's program and the configured extra arguments around args.
func (c *Config) argv(r Role, program string, args ...string) []string {
	if p := c.Binaries[r]; p != "" {
		program = p
	}
	if !filepath.IsAbs(program) {
		program = filepath.Join(c.BinDir, program)
	}
	return append(append([]string{program}, args...), c.ExtraArgs[r]...)
}

func (c *Config) path(name ...string) string {
	return filepath.Join(append([]string{c.Dir}, name...)...)
}

func (c *Config) l1Spec(p portMap) spec {
	in, s := c.Intent, spec{role: RoleL1, stage: stageL1, ports: map[string]int{"rpc": p.L1HTTP}, health: rpcHealth(p.L1HTTP)}
	blockTime := strconv.FormatUint(c.L1BlockTimeSeconds, 10)
	chainID := strconv.FormatUint(in.L1ChainID, 10)
	if c.L1 == L1Anvil {
		s.volatile = "anvil keeps its chain in memory"
		s.argv = c.argv(RoleL1, AnvilPath(c.Root),
			"--host", "127.0.0.1", "--port", strconv.Itoa(p.L1HTTP), "--chain-id", chainID, "--block-time", blockTime,
			"--hardfork", "prague", "--slots-in-an-epoch", "1", "--no-request-size-limit", "--gas-limit", "60000000")
		return s
	}
	s.ports["beacon"] = p.L1Beacon
	s.argv = c.argv(RoleL1, "l1", "--datadir", c.path("l1"), "--http.port", strconv.Itoa(p.L1HTTP),
		"--beacon.port", strconv.Itoa(p.L1Beacon), "--chain-id", chainID, "--block-time", blockTime)
	return s
}

// AnvilPath is where npm puts the anvil binary; its install script, which would link it elsewhere, may be disabled.
func AnvilPath(root string) string {
	arch := map[string]string{"amd64": "amd64", "arm64": "arm64"}[runtime.GOARCH]
	return filepath.Join(root, "node_modules", "@foundry-rs", "anvil-"+runtime.GOOS+"-"+arch, "bin", "anvil")
}

func (c *Config) daSpec(p portMap) spec {
	return spec{
		role: RoleDA, stage: stageDA, ports: map[string]int{"http": p.DA}, health: httpHealth(p.DA),
		argv: c.argv(RoleDA, "da-server", "--addr", loopback(p.DA), "--data-dir", c.path("da"),
			"--rollup-config", c.path(deployer.RollupFile), "--l2-rpc", url("http", p.Sequencer.HTTP), "--retention", c.DARetention.String()),
	}
}

func (c *Config) engineSpec(r Role, p enginePorts) spec {
	port := strconv.Itoa
	return spec{
		role: r, stage: stageEngine,
		ports: map[string]int{"http": p.HTTP, "ws": p.WS, "auth": p.Auth, "metrics": p.EngineMetrics},
		health: func(ctx context.Context) error {
			if err := httpHealth(p.HTTP)(ctx); err != nil {
				return err
			}
			return rpcHealth(p.HTTP)(ctx)
		},
		argv: c.argv(r, "agnt2-engine", "--index.agents", "--genesis", c.path(deployer.GenesisFile), "--datadir", c.path(string(r)),
			"--http.addr", "127.0.0.1", "--http.port", port(p.HTTP), "--ws.addr", "127.0.0.1", "--ws.port", port(p.WS),
			"--authrpc.addr", "127.0.0.1", "--authrpc.port", port(p.Auth), "--authrpc.jwtsecret", c.path(jwtFile),
			"--metrics.addr", "127.0.0.1", "--metrics.port", port(p.EngineMetrics),
			"--da.url", c.Endpoints().DA, "--log.level", c.LogLevel),
	}
}

// nodeSpec is op-node with the polling intervals of a chain whose L1 has 2 s blocks. The safe-head database is written from
// genesis on: a challenger without it defends wrong roots.
func (c *Config) nodeSpec(r, engine Role, p enginePorts, deployed *deployer.Result, sequencer bool, stock string) spec {
	e := c.Endpoints()
	stage := stageNode
	if !sequencer {
		stage = stageSubmitter
	}
	program := "op-agnt2-node"
	args := []string{
		"--l1", e.L1, "--l1.rpckind", "standard", "--l1.http-poll-interval", "1s", "--l1.epoch-poll-interval", "2s",
		"--l2", url("http", p.Auth), "--l2.jwt-secret", c.path(jwtFile), "--l2.enginekind", "geth",
		"--rollup.config", c.path(deployer.RollupFile), "--rollup.l1-chain-config", c.path(deployer.L1ChainConfigFile),
		"--verifier.l1-confs", "0", "--finality.delay", "1", "--safedb.path", c.path(string(r), "safedb"),
		"--altda.enabled", "--altda.da-service", "--altda.da-server", e.DA, "--altda.verify-on-read=false",
		"--altda.get-timeout", "30s",
		"--p2p.disable", "--rpc.addr", "127.0.0.1", "--rpc.port", strconv.Itoa(p.Node), "--rpc.enable-admin",
		"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", strconv.Itoa(p.NodeMetrics),
		"--log.level", c.LogLevel,
	}
	if c.L1 == L1Anvil {
		// Anvil has no beacon endpoint, and its transactions root is wrong for blocks with blobs.
		args = append(args, "--l1.trustrpc", "--l1.beacon.ignore", "--l1.beacon.slot-duration-override", strconv.FormatUint(c.L1BlockTimeSeconds, 10))
	} else {
		args = append(args, "--l1.beacon", e.L1Beacon)
	}
	if sequencer {
		args = append(args, "--sequencer.enabled", "--sequencer.l1-confs", "0")
	}
	if stock != "" {
		program = stock
		if abs, err := filepath.Abs(stock); err == nil {
			program = abs
		}
	} else if deployed != nil {
		args = append(args, "--layerroot.address", deployed.Addresses["LayerRoot"].Hex())
	}
	return spec{
		role: r, stage: stage, ports: map[string]int{"rpc": p.Node, "metrics": p.NodeMetrics},
		argv: c.argv(r, program, args...),
		health: func(ctx context.Context) error {
			s, err := syncStatus(ctx, url("http", p.Node))
			if err == nil && s.CurrentL1.Number == 0 && s.HeadL1.Number == 0 {
				err = errors.New("has not seen L1 yet")
			}
			return err
		},
	}
}

func (c *Config) batcherSpec(p portMap) spec {
	e := c.Endpoints()
	return spec{
		role: RoleBatcher, stage: stageSubmitter, ports: map[string]int{"rpc": p.Batcher, "metrics": p.BatcherMetrics}, health: httpHealth(p.Batcher),
		argv: c.argv(RoleBatcher, "batcher", "--l1-eth-rpc", e.L1, "--l2-eth-rpc", e.Engine, "--rollup-rpc", e.Node,
			"--private-key", AccountOf(Batcher).PrivateKey,
			"--altda.enabled", "--altda.da-service", "--altda.da-server", e.DA, "--altda.verify-on-read=false", "--altda.put-timeout", "30s",
			"--altda.max-concurrent-da-requests", "1", // more may reorder frames, which Holocene drops
			"--data-availability-type", "calldata", "--batch-type", "1", "--max-channel-duration", "2", "--sub-safety-margin", "4",
			"--max-l1-tx-size-bytes", "1000000", "--target-num-frames", "1", "--compressor", "shadow", "--compression-algo", "brotli",
			// Throttling would cap blocks near 250 transactions even when idle.
			"--throttle.unsafe-da-bytes-lower-threshold", "0",
			"--poll-interval", "1s", "--num-confirmations", "1", "--txmgr.receipt-query-interval", "1s", "--resubmission-timeout", "30s",
			"--max-pending-tx", "8",
			// After a restart: wait until what the last run posted is derived, or LayerRoot refuses the same range twice. The
			// depth has to be below L1's height at the first start.
			"--wait-node-sync", "--check-recent-txs-depth", "4",
			"--rpc.addr", "127.0.0.1", "--rpc.port", strconv.Itoa(p.Batcher), "--rpc.enable-admin",
			"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", strconv.Itoa(p.BatcherMetrics), "--log.level", c.LogLevel),
	}
}

func (c *Config) proposerSpec(p portMap, deployed *deployer.Result) spec {
	e := c.Endpoints()
	factory := ""
	if deployed != nil {
		factory = deployed.Addresses["DisputeGameFactoryProxy"].Hex()
	}
	return spec{
		role: RoleProposer, stage: stageSubmitter, ports: map[string]int{"rpc": p.Proposer, "metrics": p.ProposerMetrics}, health: httpHealth(p.Proposer),
		argv: c.argv(RoleProposer, "proposer", "--l1-eth-rpc", e.L1, "--rollup-rpc", e.Node, "--private-key", AccountOf(Proposer).PrivateKey,
			"--game-factory-address", factory, "--game-type", strconv.FormatUint(uint64(c.Intent.Game.Type), 10),
			// Finalized blocks only, which trail L1 by the proof window: anything newer would not be derivable at its game's proof
			// head, and would lose the game.
			"--proposal-interval", c.ProposalInterval.String(),
			"--poll-interval", "1s", "--num-confirmations", "1", "--txmgr.receipt-query-interval", "1s",
			"--rpc.addr", "127.0.0.1", "--rpc.port", strconv.Itoa(p.Proposer),
			"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", strconv.Itoa(p.ProposerMetrics), "--log.level", c.LogLevel),
	}
}

// hasChallenger says whether games can be played at all: without the step verifier's contract they cannot.
func (c *Config) hasChallenger() bool {
	return !c.NoChallenger && deployer.ArtifactsIn(c.Root).HasVerifier()
}

// challengerSpec trusts the verifier, which reads L1 only, rather than the sequencer whose proposals it judges.
func (c *Config) challengerSpec(p portMap, deployed *deployer.Result) spec {
	e := c.Endpoints()
	node, engine := e.VerifierNode, e.VerifierEngine
	if c.NoVerifier {
		node, engine = e.Node, e.Engine
	}
	factory := ""
	if deployed != nil {
		factory = deployed.Addresses["DisputeGameFactoryProxy"].Hex()
	}
	return spec{
		role: RoleChallenger, stage: stageSubmitter, ports: map[string]int{"rpc": p.Challenger, "metrics": p.ChallengerMetrics}, health: httpHealth(p.Challenger),
		argv: c.argv(RoleChallenger, "challenger", "run", "--l1-eth-rpc", e.L1, "--rollup-rpc", node, "--l2-eth-rpc", engine,
			"--private-key", AccountOf(Challenger).PrivateKey, "--additional-bond-claimants", AccountOf(Proposer).Address.Hex(),
			"--game-factory-address", factory, "--game-type", strconv.FormatUint(uint64(c.Intent.Game.Type), 10),
			"--poll-interval", "500ms", "--num-confirmations", "1", "--txmgr.receipt-query-interval", "500ms",
			"--rpc.addr", "127.0.0.1", "--rpc.port", strconv.Itoa(p.Challenger),
			"--metrics.enabled", "--metrics.addr", "127.0.0.1", "--metrics.port", strconv.Itoa(p.ChallengerMetrics), "--log.level", c.LogLevel),
	}
}

func loopback(port int) string           { return "127.0.0.1:" + strconv.Itoa(port) }
func url(scheme string, port int) string { return scheme + "://" + loopback(port) }

// httpHealth asks a process's /healthz.
func httpHealth(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url("http", port)+"/healthz", nil)
		if err != nil {
			return err
		}
		resp, err := healthClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("/healthz answers %s: %s", resp.Status, body)
		}
		return nil
	}
}

var healthClient = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// rpcHealth asks an Ethereum endpoint for its head.
func rpcHealth(port int) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := rpc.DialContext(ctx, url("http", port))
		if err != nil {
			return err
		}
		defer c.Close()
		var n hexutil.Uint64
		return c.CallContext(ctx, &n, "eth_blockNumber")
	}
}
