// Command op-agnt2-node is op-node with an L1 view that shows only the batches that LayerRoot accepted.
package main

import (
	"context"
	"fmt"
	"os"

	opnode "github.com/ethereum-optimism/optimism/op-node"
	"github.com/ethereum-optimism/optimism/op-node/chaincfg"
	"github.com/ethereum-optimism/optimism/op-node/flags"
	"github.com/ethereum-optimism/optimism/op-node/metrics"
	opn "github.com/ethereum-optimism/optimism/op-node/node"
	opservice "github.com/ethereum-optimism/optimism/op-service"
	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	"github.com/ethereum-optimism/optimism/op-service/ctxinterrupt"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum-optimism/optimism/op-service/sources"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"

	node "github.com/agnt2/agnt2/op-agnt2-node"
)

const version = "0.1.0"

var layerRootFlag = &cli.StringFlag{
	Name: "layerroot.address", Usage: "LayerRoot contract on L1 (default: batch_inbox_address of the rollup config)", EnvVars: []string{"OP_NODE_LAYERROOT_ADDRESS"},
}

func main() {
	oplog.SetupDefaults()
	app := cli.NewApp()
	app.Name, app.Version = "op-agnt2-node", version
	app.Usage = "AGNT2 rollup node: derives the chain from L1 and drives the engine, as sequencer or verifier"
	app.Description = "op-node with its own flags and --layerroot.address. Set --safedb.path from genesis on: a challenger needs it."
	app.Flags = cliapp.ProtectFlags(append([]cli.Flag{layerRootFlag}, flags.Flags...))
	app.Action = cliapp.LifecycleCmd(run)
	if err := app.RunContext(ctxinterrupt.WithSignalWaiterMain(context.Background()), os.Args); err != nil {
		log.Crit("op-agnt2-node failed", "err", err)
	}
}

func run(c *cli.Context, closeApp context.CancelCauseFunc) (cliapp.Lifecycle, error) {
	logCfg := oplog.ReadCLIConfig(c)
	l := oplog.NewLogger(oplog.AppOut(c), logCfg)
	oplog.SetGlobalLogHandler(l.Handler())
	opservice.ValidateEnvVars(flags.EnvVarPrefix, append([]cli.Flag{layerRootFlag}, flags.Flags...), l)
	opservice.WarnOnDeprecatedFlags(c, flags.DeprecatedFlags, l)
	m := metrics.NewMetrics("default", nil)
	cfg, err := opnode.NewConfig(c, l)
	if err != nil {
		return nil, fmt.Errorf("configure the rollup node: %w", err)
	}
	cfg.Cancel = closeApp
	cfg.Rollup.LogDescription(l, chaincfg.L2ChainIDToNetworkDisplayName)

	inbox := cfg.Rollup.BatchInboxAddress
	if a := c.String(layerRootFlag.Name); a != "" {
		if !common.IsHexAddress(a) {
			return nil, fmt.Errorf("--%s: %q is not an address", layerRootFlag.Name, a)
		}
		inbox = common.HexToAddress(a)
	}
	// As op-node sizes it: one and a half sequencing windows of receipts and transactions.
	rpc, rpcCfg, err := cfg.L1.Setup(c.Context, l, int(cfg.Rollup.SeqWindowSize)*3/2, m)
	if err != nil {
		return nil, fmt.Errorf("connect to L1: %w", err)
	}
	l1, err := sources.NewL1Client(rpc, l, m.L1SourceCache, rpcCfg)
	if err != nil {
		return nil, fmt.Errorf("L1 source: %w", err)
	}
	if err := cfg.Rollup.ValidateL1Config(c.Context, l, l1); err != nil {
		return nil, fmt.Errorf("this L1 is not the rollup's: %w", err)
	}
	return opn.NewWithOverride(c.Context, cfg, l, version, m, nil, opn.InitializationOverrides{
		L1Source: node.NewAcceptedSource(l1, inbox, l),
	})
}
