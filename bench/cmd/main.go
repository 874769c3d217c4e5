// Command bench measures the engine on this machine beside the bound that signature recovery sets. Progress goes to
// standard error, the tables to standard output. It ends with a failure only if something could not be measured, never
// because a reach was missed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/bench"
	"github.com/agnt2/agnt2/bench/proofs"
)

func main() {
	if was, err := bench.Child(); was {
		exit(err)
	}
	d := bench.DefaultConfig()
	app := &cli.App{
		Name: "bench", Usage: "measure the AGNT2 engine on this machine", HideHelpCommand: true, Action: run,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "quick", Usage: "small runs only, too short to quote: whether it works"},
			&cli.IntFlag{Name: "agents", Usage: "registered agents of the large runs", Value: d.Agents},
			&cli.Float64Flag{Name: "seconds", Usage: "length of each engine row", Value: d.Window.Seconds()},
			&cli.DurationFlag{Name: "block-time", Usage: "how long a block is open", Value: d.BlockTime},
			&cli.StringFlag{Name: "only", Usage: "comma-separated groups: engine, transition, trie, restart"},
			&cli.StringFlag{Name: "json", Usage: "also write the report to `FILE`"},
			&cli.StringFlag{Name: "profile", Usage: "write CPU profiles of the largest runs to `FILE`.signed and so on"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for the databases, which are removed afterwards", Value: d.Dir},
		},
	}
	p := proofs.DefaultConfig()
	app.Commands = []*cli.Command{{
		Name: "proofs", Usage: "measure dispute proofs instead: gas and witness of every micro-step, and the time to the first move",
		Action: runProofs,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "records", Usage: "records of the large state", Value: p.Records[1]},
			&cli.IntFlag{Name: "blocks", Usage: "random blocks whose micro-steps are measured", Value: p.Blocks},
			&cli.IntFlag{Name: "transactions", Usage: "transactions of the block whose proof is timed", Value: p.Txs},
		},
	}}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(app.RunContext(ctx, os.Args))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(c *cli.Context) error {
	cfg := bench.DefaultConfig()
	cfg.Quick, cfg.Agents, cfg.Only, cfg.Profile, cfg.Dir = c.Bool("quick"), c.Int("agents"), c.String("only"), c.String("profile"), c.String("dir")
	cfg.Window, cfg.BlockTime = time.Duration(c.Float64("seconds")*float64(time.Second)), c.Duration("block-time")
	r, err := bench.Run(c.Context, cfg)
	if err != nil {
		return err
	}
	if path := c.String("json"); path != "" {
		raw, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, append(raw, '\n'), 0o644); err != nil {
			return err
		}
	}
	return r.Print(os.Stdout)
}

func runProofs(c *cli.Context) error {
	cfg := proofs.DefaultConfig()
	cfg.Records[1], cfg.Blocks, cfg.Txs = c.Int("records"), c.Int("blocks"), c.Int("transactions")
	r, err := proofs.Run(c.Context, cfg)
	if err != nil {
		return err
	}
	return r.Print(os.Stdout)
}
