// Command l1 is the devnet's L1: a real go-ethereum in this process, driven block by block over its Engine API, with the
// beacon endpoint that op-node asks for blobs. The chain is on disk and survives a restart, SIGKILL included; blobs live in
// memory only, and the rollup posts none.
//
// It is for development: it finalizes by distance, listens on loopback and funds publicly known keys.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ethereum-optimism/optimism/op-e2e/e2eutils/blobstore"
	"github.com/ethereum-optimism/optimism/op-e2e/e2eutils/fakebeacon"
	opgeth "github.com/ethereum-optimism/optimism/op-e2e/e2eutils/geth"
	"github.com/ethereum-optimism/optimism/op-service/clock"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/txpool/legacypool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/params"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/devnet"
	"github.com/agnt2/agnt2/ops/deployer"
)

func main() {
	app := &cli.App{
		Name:            "l1",
		Usage:           "the devnet's L1: go-ethereum with a block producer and a beacon endpoint",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "datadir", Usage: "chain database; created if missing", Required: true},
			&cli.IntFlag{Name: "http.port", Usage: "JSON-RPC over HTTP and WebSocket, on loopback", Value: 8545},
			&cli.IntFlag{Name: "beacon.port", Usage: "beacon API, on loopback", Value: 8546},
			&cli.Uint64Flag{Name: "chain-id", Value: 900},
			&cli.Uint64Flag{Name: "block-time", Usage: "seconds", Value: 2},
			&cli.Uint64Flag{Name: "finalized-distance", Usage: "blocks behind the head", Value: 3},
			&cli.Uint64Flag{Name: "gas-limit", Value: 60_000_000},
		},
		Action: run,
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "l1:", err)
		os.Exit(1)
	}
}

func run(c *cli.Context) error {
	logger := log.NewLogger(log.NewTerminalHandlerWithLevel(os.Stderr, log.LevelInfo, false))
	log.SetDefault(logger)
	dir := c.String("datadir")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	start, err := genesisTime(filepath.Join(dir, "genesis-time.json"))
	if err != nil {
		return err
	}
	gasLimit, blockTime := c.Uint64("gas-limit"), c.Uint64("block-time")
	beacon := fakebeacon.NewBeacon(logger, blobstore.New(), start, blockTime)
	if err := beacon.Start(fmt.Sprintf("127.0.0.1:%d", c.Int("beacon.port"))); err != nil {
		return err
	}
	defer beacon.Close()

	configure := func(e *ethconfig.Config, n *node.Config) error {
		n.DataDir = filepath.Join(dir, "geth")
		n.HTTPPort, n.WSPort = c.Int("http.port"), c.Int("http.port")
		n.P2P.MaxPeers, n.P2P.NoDiscovery = 0, true
		e.Miner.GasCeil = gasLimit
		e.NoPruning = true // every state on disk with its block, so that SIGKILL loses none
		e.DatabaseCache, e.DatabaseHandles = 32, 256
		e.SlowBlockThreshold = -1 // no report per block
		// Waiting transactions survive a crash too: the batcher's and the proposer's nonces would have a gap otherwise.
		e.TxPool = legacypool.DefaultConfig
		e.TxPool.Journal, e.TxPool.Rejournal = filepath.Join(dir, "transactions.rlp"), time.Minute
		modules := []string{"debug", "admin", "eth", "txpool", "net", "web3", "miner"}
		n.HTTPModules, n.WSModules = modules, modules
		return nil
	}
	gen := genesis(c.Uint64("chain-id"), start, gasLimit)
	inst, _, err := opgeth.InitL1(blockTime, c.Uint64("finalized-distance"), gen, clock.SystemClock, filepath.Join(dir, "blobs"), beacon, configure)
	if err != nil {
		return err
	}
	defer inst.Close()
	if err := inst.Node.Start(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "L1 serves", inst.Node.HTTPEndpoint(), "beacon", beacon.BeaconAddr())
	<-c.Context.Done()
	return nil
}

// genesisTime is the time of the first start: the genesis block, and so every hash, depends on it.
func genesisTime(path string) (uint64, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		now := uint64(time.Now().Unix())
		raw, _ := json.Marshal(now)
		return now, os.WriteFile(path, raw, 0o644)
	} else if err != nil {
		return 0, err
	}
	var t uint64
	if err := json.Unmarshal(raw, &t); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func genesis(chainID, start, gasLimit uint64) *core.Genesis {
	alloc := types.GenesisAlloc{
		params.BeaconRootsAddress:        {Nonce: 1, Code: params.BeaconRootsCode, Balance: common.Big0},
		params.HistoryStorageAddress:     {Nonce: 1, Code: params.HistoryStorageCode, Balance: common.Big0},
		params.WithdrawalQueueAddress:    {Nonce: 1, Code: params.WithdrawalQueueCode, Balance: common.Big0},
		params.ConsolidationQueueAddress: {Nonce: 1, Code: params.ConsolidationQueueCode, Balance: common.Big0},
	}
	for _, a := range devnet.Accounts() {
		alloc[a.Address] = types.Account{Balance: new(big.Int).Mul(big.NewInt(10_000), big.NewInt(params.Ether))}
	}
	return &core.Genesis{
		Config: deployer.L1ChainConfig(chainID), Timestamp: start, GasLimit: gasLimit, Difficulty: common.Big0,
		BaseFee: big.NewInt(params.InitialBaseFee), Alloc: alloc,
	}
}
