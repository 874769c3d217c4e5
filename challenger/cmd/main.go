// Command challenger plays the dispute games of an AGNT2 chain, and shows games, claims and the micro-steps of blocks.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	opservice "github.com/ethereum-optimism/optimism/op-service"
	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	"github.com/ethereum-optimism/optimism/op-service/ctxinterrupt"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/challenger"
)

const version = "0.1.0"

func main() {
	oplog.SetupDefaults()
	if err := app().RunContext(ctxinterrupt.WithSignalWaiterMain(context.Background()), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "challenger:", err)
		os.Exit(1)
	}
}

func app() *cli.App {
	a := cli.NewApp()
	a.Name, a.Version = "challenger", version
	a.Usage = "play the dispute games of an AGNT2 chain, so that a wrong output root always loses"
	a.Description = "Run `challenger run` beside a rollup node of your own: what that node derives from L1 is what is defended.\n" +
		"Every flag can be given as environment variable " + challenger.EnvPrefix + "_… instead; give the key that way."
	l1Only := append([]cli.Flag{challenger.L1Flag}, oplog.CLIFlags(challenger.EnvPrefix)...)
	proving := append([]cli.Flag{challenger.L1Flag, challenger.RollupFlag, challenger.L2Flag, challenger.FactoryFlag, challenger.GameTypeFlag,
		challenger.BlockFlag, challenger.GameFlag, challenger.L1HeadFlag, challenger.DisputedFlag}, oplog.CLIFlags(challenger.EnvPrefix)...)
	a.Commands = []*cli.Command{
		{
			Name: "run", Usage: "play: attack wrong roots, defend right ones, resolve games, claim bonds",
			Description: "Needs --l1-eth-rpc, --rollup-rpc, --l2-eth-rpc, --game-factory-address and a key (--private-key, --mnemonic or\n" +
				"--signer.*). The account needs ETH for bonds; they return when a game is won. Runs until interrupted; everything is\n" +
				"read from L1 again at the next start. Refuses to start if the rollup node has no safe-head database (--safedb.path).",
			Flags: cliapp.ProtectFlags(challenger.RunFlags()), Action: cliapp.LifecycleCmd(run),
		},
		{
			Name: "list-games", Usage: "list the games of the last --game-window; with --rollup-rpc, say which roots are right",
			Flags:  append([]cli.Flag{challenger.FactoryFlag, challenger.GameTypeFlag, challenger.WindowFlag, challenger.RollupFlag}, l1Only...),
			Action: listGames,
		},
		{
			Name: "list-claims", Usage: "list the claims of --game, and who wins if nobody moves again",
			Flags: append([]cli.Flag{challenger.GameFlag}, l1Only...), Action: listClaims,
		},
		{
			Name: "trace", Usage: "lay out --block and print its micro-steps with the records that they touch",
			Description: "Proves the block between the output root before it and --disputed, as a game with --l1-head would see it, or as --game does.",
			Flags:       append([]cli.Flag{challenger.FromFlag, challenger.CountFlag}, proving...), Action: trace,
		},
		{
			Name: "step", Usage: "verify micro-step --step of --block, or --all, here and by calls of L1's verifier",
			Description: "Sends no transaction. Exit code 1 if L1 makes another state of a step than this program.",
			Flags:       append([]cli.Flag{challenger.StepFlag, challenger.AllFlag}, proving...), Action: step,
		},
	}
	return a
}

// begin reads what the commands share.
func begin(c *cli.Context, need ...*cli.StringFlag) (log.Logger, challenger.Endpoints, *challenger.Metrics, *challenger.Clients, error) {
	if c.Args().Present() {
		return nil, challenger.Endpoints{}, nil, nil, fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	l := oplog.NewLogger(c.App.ErrWriter, oplog.ReadCLIConfig(c))
	oplog.SetGlobalLogHandler(l.Handler())
	e, err := challenger.ReadEndpoints(c, need...)
	if err != nil {
		return nil, e, nil, nil, err
	}
	m := challenger.NewMetrics()
	clients, err := challenger.Dial(c.Context, l, m, e)
	return l, e, m, clients, err
}

func run(c *cli.Context, _ context.CancelCauseFunc) (cliapp.Lifecycle, error) {
	cfg, err := challenger.ReadConfig(c)
	if err != nil {
		return nil, err
	}
	l, _, m, clients, err := begin(c, challenger.L1Flag)
	if err != nil {
		return nil, err
	}
	opservice.ValidateEnvVars(challenger.EnvPrefix, challenger.RunFlags(), l)
	prover, err := challenger.NewProver(c.Context, clients)
	if err != nil {
		clients.Close()
		return nil, err
	}
	s, err := challenger.NewService(c.Context, l, cfg, m, clients, prover)
	if err != nil {
		clients.Close()
		return nil, err
	}
	return s, nil
}

func listGames(c *cli.Context) error {
	l, e, m, clients, err := begin(c, challenger.L1Flag, challenger.FactoryFlag)
	if err != nil {
		return err
	}
	defer clients.Close()
	return challenger.ListGames(c.Context, c.App.Writer, l, m, clients, e.Factory, uint32(c.Uint(challenger.GameTypeFlag.Name)), c.Duration(challenger.WindowFlag.Name))
}

func listClaims(c *cli.Context) error {
	l, _, m, clients, err := begin(c, challenger.L1Flag, challenger.GameFlag)
	if err != nil {
		return err
	}
	defer clients.Close()
	game, err := opservice.ParseAddress(c.String(challenger.GameFlag.Name))
	if err != nil {
		return fmt.Errorf("--%s: %w", challenger.GameFlag.Name, err)
	}
	return challenger.ListClaims(c.Context, c.App.Writer, l, m, clients, game)
}

// prove lays out the block that the flags name.
func prove(c *cli.Context) (_ challenger.Endpoints, _ *challenger.Metrics, _ *challenger.Clients, _ challenger.Prover, _ challenger.Trace, _ challenger.TraceInputs, err error) {
	l, e, m, clients, err := begin(c, challenger.L1Flag, challenger.RollupFlag, challenger.L2Flag)
	if err != nil {
		return
	}
	fail := func(err error) (challenger.Endpoints, *challenger.Metrics, *challenger.Clients, challenger.Prover, challenger.Trace, challenger.TraceInputs, error) {
		clients.Close()
		return e, nil, nil, nil, nil, challenger.TraceInputs{}, err
	}
	d := challenger.Dispute{Block: c.Uint64(challenger.BlockFlag.Name)}
	for flag, into := range map[string]*common.Hash{challenger.L1HeadFlag.Name: &d.L1Head, challenger.DisputedFlag.Name: &d.Disputed} {
		if s := c.String(flag); s != "" {
			raw := common.FromHex(s)
			if len(raw) != 32 {
				return fail(fmt.Errorf("--%s is not a 32-byte hash", flag))
			}
			*into = common.BytesToHash(raw)
		}
	}
	if s := c.String(challenger.GameFlag.Name); s != "" {
		a, err := opservice.ParseAddress(s)
		if err != nil {
			return fail(fmt.Errorf("--%s: %w", challenger.GameFlag.Name, err))
		}
		d.Game = &a
	}
	prover, err := challenger.NewProver(c.Context, clients)
	if err != nil {
		return fail(err)
	}
	t, in, err := clients.Trace(c.Context, l, m, prover, d)
	if err != nil {
		return fail(err)
	}
	return e, m, clients, prover, t, in, nil
}

func trace(c *cli.Context) error {
	_, _, clients, _, t, in, err := prove(c)
	if err != nil {
		return err
	}
	defer clients.Close()
	return challenger.PrintTrace(c.Context, c.App.Writer, t, in, c.Uint64(challenger.FromFlag.Name), c.Uint64(challenger.CountFlag.Name))
}

func step(c *cli.Context) error {
	e, m, clients, prover, t, in, err := prove(c)
	if err != nil {
		return err
	}
	defer clients.Close()
	if e.Factory == (common.Address{}) && in.Game == (common.Address{}) {
		return errors.New("--game-factory-address or --game is needed to find the verifier on L1")
	}
	first, count := c.Uint64(challenger.StepFlag.Name), uint64(1)
	if c.Bool(challenger.AllFlag.Name) {
		first = 0
		if count, err = t.Len(c.Context); err != nil {
			return err
		}
	}
	gameType := uint32(c.Uint(challenger.GameTypeFlag.Name))
	if err := challenger.PrintTrace(c.Context, c.App.Writer, t, in, first, count); err != nil {
		return err
	}
	for i := first; i < first+count; i++ {
		r, err := clients.VerifyStep(c.Context, m, e.Factory, gameType, t, in, prover, i)
		if err != nil {
			return err
		}
		gas := ""
		if r.Gas > 0 {
			gas = fmt.Sprintf(", %d gas as a transaction", r.Gas)
		}
		fmt.Fprintf(c.App.Writer, "step %d: L1's verifier %s makes %s of %s: state %d bytes, witness %d bytes%s\n", i, r.Verifier, r.After, r.Before,
			r.StateBytes, r.WitnessBytes, gas)
	}
	return nil
}
