// Command batcher is op-batcher for an AGNT2 chain: it posts commitments to batches to the LayerRoot contract.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/ethereum-optimism/optimism/op-batcher/batcher"
	"github.com/ethereum-optimism/optimism/op-batcher/flags"
	opservice "github.com/ethereum-optimism/optimism/op-service"
	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	"github.com/ethereum-optimism/optimism/op-service/ctxinterrupt"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"

	agnt2batcher "github.com/agnt2/agnt2/batcher"
)

const version = "0.1.0"

func main() {
	oplog.SetupDefaults()
	app := cli.NewApp()
	app.Name, app.Version = "batcher", version
	app.Usage = "post AGNT2 batches: data to the DA server, commitments to LayerRoot"
	app.Description = "op-batcher with its own flags. A chain of this project needs --altda.enabled, --altda.da-server URL,\n" +
		"--altda.da-service, --altda.verify-on-read=false, --batch-type 1 and --max-l1-tx-size-bytes at most 1000000."
	app.Flags = cliapp.ProtectFlags(flags.Flags)
	app.Action = cliapp.LifecycleCmd(run)
	if err := app.RunContext(ctxinterrupt.WithSignalWaiterMain(context.Background()), os.Args); err != nil {
		log.Crit("batcher failed", "err", err)
	}
}

func run(c *cli.Context, closeApp context.CancelCauseFunc) (cliapp.Lifecycle, error) {
	if err := flags.CheckRequired(c); err != nil {
		return nil, err
	}
	cfg := batcher.NewConfig(c)
	if err := cfg.Check(); err != nil {
		return nil, fmt.Errorf("invalid flags: %w", err)
	}
	l := oplog.NewLogger(oplog.AppOut(c), cfg.LogConfig)
	oplog.SetGlobalLogHandler(l.Handler())
	opservice.ValidateEnvVars(flags.EnvVarPrefix, flags.Flags, l)
	return agnt2batcher.NewService(c.Context, closeApp, version, cfg, l)
}
