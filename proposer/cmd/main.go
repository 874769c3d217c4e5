// Command proposer is op-proposer for an AGNT2 chain: it creates a dispute game for the chain's output root at intervals.
package main

import (
	"context"
	"os"

	"github.com/ethereum-optimism/optimism/op-proposer/flags"
	"github.com/ethereum-optimism/optimism/op-proposer/proposer"
	"github.com/ethereum-optimism/optimism/op-service/cliapp"
	"github.com/ethereum-optimism/optimism/op-service/ctxinterrupt"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"
)

const version = "0.1.0"

func main() {
	oplog.SetupDefaults()
	app := cli.NewApp()
	app.Name, app.Version = "proposer", version
	app.Usage = "propose AGNT2 output roots to the dispute game factory"
	app.Description = "op-proposer with its own flags. A chain of this project needs --l1-eth-rpc, --rollup-rpc, --game-factory-address,\n" +
		"--game-type 0, --proposal-interval and a key. Do not use --allow-non-finalized: a block that is merely safe is not\n" +
		"derivable at its game's proof head, and its root would lose."
	app.Flags = cliapp.ProtectFlags(flags.Flags)
	app.Action = cliapp.LifecycleCmd(proposer.Main(version))
	if err := app.RunContext(ctxinterrupt.WithSignalWaiterMain(context.Background()), os.Args); err != nil {
		log.Crit("proposer failed", "err", err)
	}
}
