// Command deployer deploys the AGNT2 contracts to an L1 and writes the files that the roles start from. Parameters come from
// a preset, then an intent file, then flags, each over the one before. An interrupted run continues when it is repeated.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/ops/deployer"
)

const (
	catRoles  = "ROLES (default: the deployer's address)"
	catChain  = "CHAIN"
	catGame   = "DISPUTE GAME AND WITHDRAWALS"
	catDeploy = "DEPLOYMENT"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app().RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "deployer:", err)
		os.Exit(1)
	}
}

func app() *cli.App {
	return &cli.App{
		Name:  "deployer",
		Usage: "deploy the AGNT2 contracts to an L1 and write addresses.json, genesis.json and rollup.json",
		Description: "Repeat an interrupted run with the same arguments and it continues. A run over a finished deployment\n" +
			"verifies it and writes the files again. Keys are read from the environment, so that they stay out of\n" +
			"process listings.",
		Flags:  flags(),
		Action: run,
		Commands: []*cli.Command{{
			Name: "set", Usage: "change governance parameters of a running L2 by deposits of the governance key", ArgsUsage: "NAME=VALUE…",
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "l1-rpc", Usage: "L1 JSON-RPC endpoint", Required: true},
				&cli.StringFlag{Name: "engine", Usage: "JSON-RPC endpoint of an engine", Required: true},
				&cli.StringFlag{Name: "portal", Usage: "address of OptimismPortalProxy on L1", Required: true},
				&cli.StringFlag{Name: "governance-key", Usage: "key of Policy.governance", EnvVars: []string{"AGNT2_GOVERNANCE_KEY"}, Required: true},
			},
			Action: set,
		}},
		HideHelpCommand: true,
	}
}

func flags() []cli.Flag {
	u64 := func(cat, name, usage string) cli.Flag {
		return &cli.Uint64Flag{Name: name, Usage: usage, Category: cat, DefaultText: "preset"}
	}
	addr := func(name, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Usage: usage, Category: catRoles, DefaultText: "deployer"}
	}
	return []cli.Flag{
		&cli.StringFlag{Name: "l1-rpc", Usage: "L1 JSON-RPC endpoint (required)", Category: catDeploy},
		&cli.StringFlag{Name: "out", Usage: "directory for the state file and the results", Value: ".", Category: catDeploy},
		&cli.StringFlag{Name: "deployer-key", Usage: "key that pays for the deployment (required)", EnvVars: []string{"AGNT2_DEPLOYER_KEY"}, Category: catDeploy},
		&cli.StringFlag{Name: "batcher-key", Usage: "key that posts the batcher's bond; left out, the bond stays to be posted", EnvVars: []string{"AGNT2_BATCHER_KEY"}, Category: catDeploy},
		&cli.StringFlag{Name: "preset", Usage: "production or devnet", Value: "production", Category: catDeploy},
		&cli.StringFlag{Name: "intent", Usage: "JSON file with parameters, as --print-intent shows them (amounts: hexadecimal wei)", Category: catDeploy},
		&cli.BoolFlag{Name: "print-intent", Usage: "print the parameters as JSON and stop", Category: catDeploy},
		&cli.StringFlag{Name: "root", Usage: "repository checkout with node_modules and built contracts", Value: ".", Category: catDeploy},
		&cli.DurationFlag{Name: "patience", Usage: "longest wait for one group of transactions, or for the start block", Category: catDeploy, Value: 30 * time.Minute},
		&cli.StringFlag{Name: "start-block", Usage: "L1 block under the L2 genesis: latest, safe or finalized", Category: catDeploy, DefaultText: "preset"},

		addr("owner", "owner of proxies, SystemConfig and game factory, and guardian"),
		addr("batcher", "only sender that LayerRoot accepts"),
		addr("unsafe-block-signer", "signer of gossiped blocks"),
		addr("governance", "whose deposits change the L2's parameters; a contract's address is aliased"),
		addr("fee-recipient", "who gets on L1 what the L2's fee vaults hold"),

		u64(catChain, "l1-chain-id", "expected id of the L1"),
		u64(catChain, "l2-chain-id", "id of the new chain"),
		u64(catChain, "block-time", "L2 seconds per block"),
		u64(catChain, "l2-gas-limit", "L2 gas per block; SystemConfig itself accepts at most 200M"),
		u64(catChain, "seq-window", "sequencing window in L1 blocks"),
		u64(catChain, "max-sequencer-drift", "seconds (Fjord fixes 1800)"),
		u64(catChain, "channel-timeout", "L1 blocks (Granite fixes 50)"),
		u64(catChain, "da-challenge-window", "L1 blocks"),
		u64(catChain, "da-resolve-window", "L1 blocks"),
		u64(catChain, "eip1559-denominator", "base fee change denominator"),
		u64(catChain, "eip1559-elasticity", "block gas limit over gas target"),
		u64(catChain, "base-fee-scalar", "L1 base fee scalar"),
		u64(catChain, "blob-base-fee-scalar", "L1 blob base fee scalar"),
		&cli.StringFlag{Name: "genesis-base-fee", Usage: "wei of AGNT", Category: catChain, DefaultText: "preset"},
		&cli.StringFlag{Name: "batcher-bond", Usage: "wei that LayerRoot demands of the batcher", Category: catChain, DefaultText: "preset"},
		&cli.IntFlag{Name: "fund-accounts", Usage: "give N benchmark accounts 1,000 AGNT in genesis (not backed by L1: withdrawals of it never pay)", Category: catChain},

		u64(catGame, "game-type", "respected game type"),
		u64(catGame, "game-max-depth", "maximum depth of the bisection"),
		u64(catGame, "game-split-depth", "depth at which the bisection turns from outputs to steps"),
		u64(catGame, "game-clock", "seconds of each side's clock"),
		u64(catGame, "game-clock-extension", "seconds"),
		&cli.StringFlag{Name: "game-prestate", Usage: "absolute prestate hash", Category: catGame, DefaultText: "preset"},
		&cli.StringFlag{Name: "game-bond", Usage: "wei to create a game", Category: catGame, DefaultText: "preset"},
		u64(catGame, "proof-maturity-delay", "seconds between proving and finalising a withdrawal"),
		u64(catGame, "game-finality-delay", "seconds after a game resolves"),
		u64(catGame, "weth-delay", "seconds before bonds can be taken out"),
		u64(catGame, "oracle-min-proposal", "bytes of the smallest large preimage"),
		u64(catGame, "oracle-challenge-period", "seconds"),
	}
}

func run(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	if c.Bool("print-intent") {
		in, err := intent(c, common.Address{})
		if err != nil {
			return err
		}
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(&in)
	}
	for _, name := range []string{"l1-rpc", "deployer-key"} {
		if c.String(name) == "" {
			return fmt.Errorf("--%s is missing; see --help", name)
		}
	}
	key, err := deployer.ParseKey(c.String("deployer-key"))
	if err != nil {
		return fmt.Errorf("--deployer-key: %w", err)
	}
	in, err := intent(c, crypto.PubkeyToAddress(key.PublicKey))
	if err != nil {
		return err
	}
	opt := deployer.Options{
		L1RPC: c.String("l1-rpc"), DeployerKey: key, Artifacts: deployer.ArtifactsIn(c.String("root")), OutDir: c.String("out"),
		Patience: c.Duration("patience"),
		Progress: func(done, total int, what string) { fmt.Printf("[%2d/%d] %s\n", done, total, what) },
	}
	if s := c.String("batcher-key"); s != "" {
		if opt.BatcherKey, err = deployer.ParseKey(s); err != nil {
			return fmt.Errorf("--batcher-key: %w", err)
		}
	}
	res, err := deployer.Run(c.Context, in, opt)
	if err != nil {
		return err
	}
	fmt.Printf("deployed and verified: %d contracts, %d gas; L2 chain %d starts after L1 block %d; files in %s\n",
		len(res.Addresses), res.GasUsed, in.L2ChainID, res.Rollup.Genesis.L1.Number, opt.OutDir)
	if opt.BatcherKey == nil {
		fmt.Printf("the batcher's bond is not posted: repeat with --batcher-key, or call depositBond() with %s wei on LayerRoot %s from the batcher\n",
			in.BatcherBondWei.ToInt(), res.Addresses["LayerRoot"])
	}
	return nil
}

func set(c *cli.Context) error {
	values, err := deployer.ParseChange(c.Args().Slice())
	if err != nil {
		return err
	}
	key, err := deployer.ParseKey(c.String("governance-key"))
	if err != nil {
		return fmt.Errorf("--governance-key: %w", err)
	}
	if !common.IsHexAddress(c.String("portal")) {
		return fmt.Errorf("--portal %q is not an address", c.String("portal"))
	}
	l1, err := ethclient.DialContext(c.Context, c.String("l1-rpc"))
	if err != nil {
		return fmt.Errorf("--l1-rpc: %w", err)
	}
	defer l1.Close()
	engine, err := rpc.DialContext(c.Context, c.String("engine"))
	if err != nil {
		return fmt.Errorf("--engine: %w", err)
	}
	defer engine.Close()
	g := &deployer.Governor{L1Chain: l1, Engine: engine, Portal: common.HexToAddress(c.String("portal")), Key: key}
	sent, err := g.Set(c.Context, values)
	for _, hash := range sent {
		fmt.Printf("L1 transaction %s; L2 has the change some L1 blocks later\n", hash)
	}
	if err == nil && len(sent) == 0 {
		fmt.Println("nothing changes")
	}
	return err
}

// intent puts the flags that were given over the file, and the file over the preset.
func intent(c *cli.Context, self common.Address) (deployer.Intent, error) {
	var in deployer.Intent
	switch p := c.String("preset"); p {
	case "production":
		in = deployer.ProductionIntent()
	case "devnet":
		in = deployer.DevnetIntent()
	default:
		return in, fmt.Errorf("--preset %q is neither production nor devnet", p)
	}
	if path := c.String("intent"); path != "" {
		var err error
		if in, err = deployer.LoadIntent(path, in); err != nil {
			return in, err
		}
	}
	for name, dst := range map[string]*common.Address{"owner": &in.Owner, "batcher": &in.Batcher, "unsafe-block-signer": &in.UnsafeBlockSigner,
		"governance": &in.Policy.Governance, "fee-recipient": &in.Policy.FeeRecipient,
	} {
		if s := c.String(name); s != "" {
			if !common.IsHexAddress(s) {
				return in, fmt.Errorf("--%s %q is not an address", name, s)
			}
			*dst = common.HexToAddress(s)
		} else if *dst == (common.Address{}) {
			*dst = self
		}
	}
	for name, dst := range map[string]*uint64{
		"l1-chain-id": &in.L1ChainID, "l2-chain-id": &in.L2ChainID, "block-time": &in.BlockTimeSeconds, "l2-gas-limit": &in.L2GasLimit,
		"seq-window": &in.SeqWindowBlocks, "max-sequencer-drift": &in.MaxSequencerDriftSeconds, "channel-timeout": &in.ChannelTimeoutBlocks,
		"da-challenge-window": &in.DAChallengeWindowBlocks, "da-resolve-window": &in.DAResolveWindowBlocks,
		"eip1559-denominator": &in.EIP1559Denominator, "eip1559-elasticity": &in.EIP1559Elasticity,
		"game-max-depth": &in.Game.MaxDepth, "game-split-depth": &in.Game.SplitDepth, "game-clock": &in.Game.MaxClockSeconds,
		"game-clock-extension": &in.Game.ClockExtensionSeconds, "proof-maturity-delay": &in.ProofMaturityDelaySeconds,
		"game-finality-delay": &in.GameFinalityDelaySeconds, "weth-delay": &in.WETHDelaySeconds,
		"oracle-min-proposal": &in.OracleMinProposalBytes, "oracle-challenge-period": &in.OracleChallengePeriodSeconds,
	} {
		if c.IsSet(name) {
			*dst = c.Uint64(name)
		}
	}
	for name, dst := range map[string]*uint32{"base-fee-scalar": &in.BaseFeeScalar, "blob-base-fee-scalar": &in.BlobBaseFeeScalar, "game-type": &in.Game.Type} {
		if c.IsSet(name) {
			v := c.Uint64(name)
			if v > 1<<32-1 {
				return in, fmt.Errorf("--%s %d does not fit 32 bits", name, v)
			}
			*dst = uint32(v)
		}
	}
	for name, dst := range map[string]**hexutil.Big{"genesis-base-fee": &in.GenesisBaseFeeWei, "batcher-bond": &in.BatcherBondWei, "game-bond": &in.Game.InitBondWei} {
		if s := c.String(name); s != "" {
			v, ok := new(big.Int).SetString(s, 0)
			if !ok || v.Sign() < 0 {
				return in, fmt.Errorf("--%s %q is not an amount in wei", name, s)
			}
			*dst = (*hexutil.Big)(v)
		}
	}
	if s := c.String("game-prestate"); s != "" {
		raw := common.FromHex(s)
		if len(raw) != 32 {
			return in, fmt.Errorf("--game-prestate is not a 32-byte hash")
		}
		in.Game.AbsolutePrestate = common.BytesToHash(raw)
	}
	if s := c.String("start-block"); s != "" {
		in.StartBlock = s
	}
	if n := c.Int("fund-accounts"); n > 0 {
		in.FundBenchmarkAccounts(n)
	}
	return in, nil
}
