// Command da-server keeps the data of batches and the payloads of interactions of one AGNT2 chain.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/agnt2/manifest/frames"
	"github.com/agnt2/agnt2/da"
)

const version = "0.1.0"

func main() {
	d := da.DefaultConfig()
	app := &cli.App{
		Name: "da-server", Version: version, HideHelpCommand: true,
		Usage: "AGNT2 data-availability server: OP Alt-DA for batches, payload store for params and results",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "addr", Usage: "`HOST:PORT` to listen on", Value: d.Addr},
			&cli.StringFlag{Name: "put-addr", Usage: "`HOST:PORT` that takes batches instead of --addr; set it to one that only the batcher reaches when --addr is public"},
			&cli.StringFlag{Name: "data-dir", Usage: "`DIR` for everything that is stored", Value: "da-data"},
			&cli.StringFlag{Name: "rollup-config", Usage: "rollup.json `FILE` of the chain", Required: true},
			&cli.StringFlag{Name: "l2-rpc", Usage: "engine `URL` that a submission's claimed state roots and counts come from; empty: unclaimed"},
			&cli.DurationFlag{Name: "retention", Usage: fmt.Sprintf("how long data is kept after it was last stored; at least %s", da.MinRetention), Value: d.Retention},
			&cli.Int64Flag{Name: "max-blob-bytes", Usage: "size of one frame", Value: d.MaxBlobBytes},
			&cli.Int64Flag{Name: "max-payload-bytes", Usage: "size of one payload", Value: d.MaxPayloadBytes},
			&cli.IntFlag{Name: "max-requests", Usage: "requests served at the same time", Value: d.MaxRequests},
			&cli.StringFlag{Name: "log.level", Usage: "debug, info, warn or error", Value: "info"},
		},
		Action: run,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "da-server:", err)
		os.Exit(1)
	}
}

func run(c *cli.Context) error {
	level, ok := map[string]slog.Level{"debug": log.LevelDebug, "info": log.LevelInfo, "warn": log.LevelWarn, "error": log.LevelError}[c.String("log.level")]
	if !ok {
		return fmt.Errorf("log.level %q: debug, info, warn or error", c.String("log.level"))
	}
	log.SetDefault(log.NewLogger(log.NewTerminalHandlerWithLevel(os.Stderr, level, false)))
	raw, err := os.ReadFile(c.String("rollup-config"))
	if err != nil {
		return err
	}
	var rc rollup.Config
	if err := json.Unmarshal(raw, &rc); err != nil {
		return fmt.Errorf("%s: %w", c.String("rollup-config"), err)
	}
	s, err := da.New(da.Config{
		Addr: c.String("addr"), PutAddr: c.String("put-addr"), DataDir: c.String("data-dir"), Chain: frames.ChainOf(&rc), L2RPC: c.String("l2-rpc"),
		Retention: c.Duration("retention"), MaxBlobBytes: c.Int64("max-blob-bytes"), MaxPayloadBytes: c.Int64("max-payload-bytes"),
		MaxRequests: c.Int("max-requests"), Log: log.Root(),
	})
	if err != nil {
		return err
	}
	select {
	case <-c.Context.Done():
		return s.Close()
	case err := <-s.Failed():
		return errors.Join(err, s.Close())
	}
}
