// Command devnet starts, inspects and stops a local AGNT2 rollup. See package devnet.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/devnet"
	"github.com/agnt2/agnt2/ops/deployer"
)

var errUnhealthy = errors.New("the devnet is not healthy")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app().RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "devnet:", err)
		os.Exit(1)
	}
}

func app() *cli.App {
	return &cli.App{
		Name:  "devnet",
		Usage: "run a local AGNT2 rollup: L1, contracts, DA server, engine, node, batcher, proposer, a verifier and a challenger",
		Description: "Ports before the shift: L1 8545 (beacon 8546), engine HTTP 9545 / WS 9546 / auth 9551, node 9547,\n" +
			"batcher 8548, proposer 8560, challenger 8561, DA server 3100, verifier engine 9645 / 9646 / 9651 and node 9647,\n" +
			"followers from 9745 in steps of 100, metrics 7301 to 7325.\n" +
			"All keys are publicly known and everything listens on loopback only.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data-dir", Usage: "chain data, logs, addresses.json, genesis.json, rollup.json, keys.json", Value: "devnet/.data"},
		},
		HideHelpCommand: true,
		Commands: []*cli.Command{
			{
				Name: "up", Usage: "start a fresh chain; returns when the first transaction can be submitted",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "root", Usage: "repository checkout", Value: "."},
					&cli.StringFlag{Name: "bin", Usage: "directory of the programs", DefaultText: "ROOT/bin"},
					&cli.IntFlag{Name: "port-shift", Usage: "added to every port"},
					&cli.StringFlag{Name: "l1", Usage: "geth or anvil", Value: string(devnet.L1Geth)},
					&cli.Uint64Flag{Name: "l1-block-time", Usage: "seconds", Value: 2},
					&cli.Uint64Flag{Name: "block-time", Usage: "L2 seconds per block", Value: 1},
					&cli.DurationFlag{Name: "proposal-interval", Value: 20 * time.Second},
					&cli.StringFlag{Name: "intent", Usage: "JSON file with deployment parameters over the devnet's"},
					&cli.IntFlag{Name: "fund-accounts", Usage: "give N benchmark accounts 1,000 AGNT in genesis"},
					&cli.BoolFlag{Name: "no-batcher"}, &cli.BoolFlag{Name: "no-proposer"}, &cli.BoolFlag{Name: "no-verifier"}, &cli.BoolFlag{Name: "no-challenger"},
					&cli.StringFlag{Name: "log-level", Value: "info"},
					&cli.DurationFlag{Name: "timeout", Usage: "for the whole start", Value: 5 * time.Minute},
				},
				Action: up,
			},
			{
				Name: "resume", Usage: "start the chain that down stopped, from where it was",
				Action: existing(func(c *cli.Context, d *devnet.Devnet) error { return d.Resume(c.Context) }),
			},
			{
				Name: "down", Usage: "stop everything that up started",
				Action: existing(func(_ *cli.Context, d *devnet.Devnet) error { return d.Down() }),
			},
			{
				Name: "status", Usage: "heads, agreement of the verifier, games and processes; exit code 1 when unhealthy",
				Flags: []cli.Flag{&cli.BoolFlag{Name: "json"}}, Action: existing(status),
			},
			{
				Name: "logs", Usage: "print the log of a process (or of \"deploy\")", ArgsUsage: "NAME",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "keep printing until interrupted"},
				},
				Action: existing(logs),
			},
			{
				Name: "restart", Usage: "stop a process if it runs and start it on its data", ArgsUsage: "NAME",
				Action: existing(func(c *cli.Context, d *devnet.Devnet) error { return d.Restart(c.Context, role(c)) }),
			},
			{
				Name: "stop", Usage: "stop one process in the orderly way", ArgsUsage: "NAME",
				Action: existing(func(c *cli.Context, d *devnet.Devnet) error { return d.Stop(role(c)) }),
			},
			{
				Name: "kill", Usage: "end one process with SIGKILL, as a crash would", ArgsUsage: "NAME",
				Action: existing(func(c *cli.Context, d *devnet.Devnet) error { return d.Kill(role(c)) }),
			},
			{
				Name: "add-follower", Usage: "start one more verifier, with this project's node or another program with op-node's flags", ArgsUsage: "NAME [NODE_BINARY]",
				Action: existing(func(c *cli.Context, d *devnet.Devnet) error {
					return d.AddFollower(c.Context, c.Args().First(), c.Args().Get(1))
				}),
			},
			{
				Name: "fund", Usage: "deposit AGNT to an L2 address, paid by the deployer's L1 account", ArgsUsage: "ADDRESS [AMOUNT_IN_AGNT]",
				Action: existing(fund),
			},
			{
				Name: "set", Usage: "change governance parameters of L2 by deposit of the deployer's L1 account", ArgsUsage: "NAME=VALUE…",
				Action: existing(set),
			},
			{
				Name: "clean", Usage: "take the devnet down and remove its data",
				Action: existing(func(_ *cli.Context, d *devnet.Devnet) error { return d.Clean() }),
			},
		},
	}
}

func role(c *cli.Context) devnet.Role { return devnet.Role(c.Args().First()) }

// existing opens the devnet in the data directory. Taking down or cleaning what is not there is no error.
func existing(action func(*cli.Context, *devnet.Devnet) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		if c.Command.ArgsUsage != "" && !c.Args().Present() {
			return fmt.Errorf("%s needs %s", c.Command.Name, c.Command.ArgsUsage)
		}
		d, err := devnet.Open(c.String("data-dir"))
		if errors.Is(err, devnet.ErrNoDevnet) && (c.Command.Name == "down" || c.Command.Name == "clean") {
			fmt.Println("nothing to do:", err)
			return nil
		} else if err != nil {
			return err
		}
		d.SetProgress(os.Stdout)
		return action(c, d)
	}
}

func up(c *cli.Context) error {
	in := deployer.DevnetIntent()
	if path := c.String("intent"); path != "" {
		var err error
		if in, err = deployer.LoadIntent(path, in); err != nil {
			return err
		}
	}
	if c.IsSet("block-time") {
		in.BlockTimeSeconds = c.Uint64("block-time")
	}
	if n := c.Int("fund-accounts"); n > 0 {
		in.FundBenchmarkAccounts(n)
	}
	d, err := devnet.New(devnet.Config{
		Dir: c.String("data-dir"), Root: c.String("root"), BinDir: c.String("bin"), PortShift: c.Int("port-shift"),
		L1: devnet.L1Kind(c.String("l1")), L1BlockTimeSeconds: c.Uint64("l1-block-time"), Intent: &in,
		NoBatcher: c.Bool("no-batcher"), NoProposer: c.Bool("no-proposer"), NoVerifier: c.Bool("no-verifier"), NoChallenger: c.Bool("no-challenger"),
		ProposalInterval: c.Duration("proposal-interval"), LogLevel: c.String("log-level"), Progress: os.Stdout,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(c.Context, c.Duration("timeout"), fmt.Errorf("not up after %s", c.Duration("timeout")))
	defer cancel()
	if err := d.Up(ctx); err != nil {
		return err
	}
	e := d.Endpoints()
	fmt.Printf("\n  L2 RPC       %s   (WebSocket %s, chain id %d)\n  L1 RPC       %s   (chain id %d)\n  DA server    %s\n"+
		"  keys         %s/keys.json: agent1 … agent5 own AGNT\n  addresses    %s/addresses.json\n",
		e.Engine, e.EngineWS, in.L2ChainID, e.L1, in.L1ChainID, e.DA, d.Config().Dir, d.Config().Dir)
	return nil
}

func status(c *cli.Context, d *devnet.Devnet) error {
	s := d.Status(c.Context)
	if c.Bool("json") {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s); err != nil {
			return err
		}
	} else {
		s.WriteText(os.Stdout)
	}
	if !s.Healthy {
		return errUnhealthy
	}
	return nil
}

func logs(c *cli.Context, d *devnet.Devnet) error {
	known := append(d.Roles(), "deploy")
	if !slices.Contains(known, role(c)) {
		return fmt.Errorf("%w: %q; there is %v", devnet.ErrUnknownRole, role(c), known)
	}
	f, err := os.Open(d.LogPath(role(c)))
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if _, err := io.Copy(os.Stdout, f); err != nil {
			return err
		}
		// The flag also counts behind the name, where the parser takes it for an argument.
		if rest := c.Args().Tail(); !c.Bool("follow") && !slices.Contains(rest, "-f") && !slices.Contains(rest, "--follow") {
			return nil
		}
		select {
		case <-c.Context.Done():
			return nil
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func set(c *cli.Context, d *devnet.Devnet) error {
	values, err := deployer.ParseChange(c.Args().Slice())
	if err != nil {
		return err
	}
	return d.SetParameters(c.Context, values)
}

func fund(c *cli.Context, d *devnet.Devnet) error {
	if !common.IsHexAddress(c.Args().First()) {
		return fmt.Errorf("%q is not an address", c.Args().First())
	}
	agnt := big.NewRat(10, 1)
	if s := c.Args().Get(1); s != "" {
		if _, ok := agnt.SetString(s); !ok || agnt.Sign() <= 0 {
			return fmt.Errorf("%q is not an amount in AGNT", s)
		}
	}
	wei := agnt.Mul(agnt, new(big.Rat).SetInt64(params.Ether))
	if !wei.IsInt() {
		return fmt.Errorf("the amount has more than 18 decimals")
	}
	return d.Fund(c.Context, wei.Num(), common.HexToAddress(c.Args().First()))
}
