// Command agnt2-engine is the AGNT2 execution engine: it speaks the Engine API to a rollup node and Ethereum JSON-RPC to
// agents.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/mempool"
	"github.com/agnt2/agnt2/agnt2/genesis"
)

const version = "0.1.0"

var flags = []cli.Flag{
	&cli.StringFlag{Name: "genesis", Usage: "genesis `FILE` that the deployer wrote", Required: true},
	&cli.StringFlag{Name: "datadir", Usage: "`DIR` for chain and mempool", Value: "agnt2-data"},
	&cli.StringFlag{Name: "http.addr", Usage: "public JSON-RPC host", Value: "127.0.0.1"},
	&cli.IntFlag{Name: "http.port", Usage: "public JSON-RPC port, 0 for none", Value: 9545},
	&cli.StringFlag{Name: "ws.addr", Usage: "public WebSocket host", Value: "127.0.0.1"},
	&cli.IntFlag{Name: "ws.port", Usage: "public WebSocket port, 0 for none", Value: 9546},
	&cli.BoolFlag{Name: "http.any-origin", Usage: "let web pages of any origin call the public ports", Value: true},
	&cli.BoolFlag{Name: "http.miner", Usage: "serve miner_setMaxDASize, which throttles block building, on public ports that are not loopback too"},
	&cli.StringFlag{Name: "authrpc.addr", Usage: "Engine API host", Value: "127.0.0.1"},
	&cli.IntFlag{Name: "authrpc.port", Usage: "Engine API port", Value: 9551},
	&cli.StringFlag{Name: "authrpc.jwtsecret", Usage: "`FILE` with the 32-byte hex secret shared with the rollup node; made if missing (default: DATADIR/jwt.hex)"},
	&cli.StringFlag{Name: "metrics.addr", Usage: "Prometheus host", Value: "127.0.0.1"},
	&cli.IntFlag{Name: "metrics.port", Usage: "Prometheus port, 0 for none", Value: 0},
	&cli.StringFlag{Name: "da.url", Usage: "DA server; if set, RESPONDs whose result it lacks are refused by the mempool"},
	&cli.IntFlag{Name: "cache.mb", Usage: "most memory for records of the head, in MiB; used as they come", Value: 4096},
	&cli.Uint64Flag{Name: "history.blocks", Usage: "blocks below the head whose state can be read and proven; cover the longest challenge window", Value: 20_000},
	&cli.BoolFlag{Name: "index.agents", Usage: "keep an index of every agent's interactions for agnt2_getInteractionsByAgent; blocks before it was on are not in it"},
	&cli.Uint64Flag{Name: "history.interactions", Usage: "newest interactions of the history whose records are kept and can be proven; 0 keeps all"},
	&cli.Uint64Flag{Name: "builder.max-bytes", Usage: "bytes of transactions in one block", Value: 8 << 20},
	&cli.IntFlag{Name: "mempool.count", Usage: "transactions in the mempool", Value: mempool.DefaultConfig().MaxTransactions},
	&cli.Uint64Flag{Name: "mempool.sender", Usage: "transactions of one sender without stake", Value: mempool.DefaultConfig().SenderSlots},
	&cli.BoolFlag{Name: "mempool.journal", Usage: "keep accepted transactions across a crash", Value: true},
	&cli.IntFlag{Name: "gc.percent", Usage: "how much garbage may pile up, in percent of Go's live heap", Value: engine.GCPercent},
	&cli.StringFlag{Name: "log.level", Usage: "debug, info, warn or error", Value: "info"},
	&cli.StringFlag{Name: "log.format", Usage: "text or json", Value: "text"},
}

func main() {
	app := &cli.App{
		Name: "agnt2-engine", Version: version, Flags: flags, Action: run, HideHelpCommand: true,
		Usage: "AGNT2 execution engine: Engine API for the rollup node, Ethereum JSON-RPC for agents",
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app.RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "agnt2-engine:", err)
		os.Exit(1)
	}
}

func run(c *cli.Context) error {
	if err := setUpLog(c.String("log.level"), c.String("log.format")); err != nil {
		return err
	}
	debug.SetGCPercent(c.Int("gc.percent"))
	g, err := genesis.Load(c.String("genesis"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.String("datadir"), 0o755); err != nil {
		return err
	}
	secretFile := c.String("authrpc.jwtsecret")
	if secretFile == "" {
		secretFile = filepath.Join(c.String("datadir"), "jwt.hex")
	}
	secret, err := jwtSecret(secretFile)
	if err != nil {
		return err
	}
	pool := mempool.DefaultConfig()
	pool.MaxTransactions, pool.SenderSlots = c.Int("mempool.count"), c.Uint64("mempool.sender")
	n, err := engine.New(engine.Config{
		Genesis: g, DataDir: c.String("datadir"), JWTSecret: secret, Version: version,
		HTTPAddr: address(c, "http"), WSAddr: address(c, "ws"), AuthAddr: address(c, "authrpc"), MetricsAddr: address(c, "metrics"),
		AnyOrigin: c.Bool("http.any-origin"), PublicMiner: c.Bool("http.miner"), CacheBytes: c.Int("cache.mb") << 20, HistoryBlocks: c.Uint64("history.blocks"), AgentIndex: c.Bool("index.agents"), PrunedInteractions: c.Uint64("history.interactions"),
		MaxBlockBytes: c.Uint64("builder.max-bytes"), Journal: c.Bool("mempool.journal"), DAURL: c.String("da.url"), Mempool: pool,
	})
	if err != nil {
		return err
	}
	select {
	case <-c.Context.Done():
		log.Info("Shutting down")
		return n.Close()
	case err := <-n.Failed():
		return errors.Join(err, n.Close())
	}
}

func address(c *cli.Context, name string) string {
	port := c.Int(name + ".port")
	if port == 0 {
		return ""
	}
	return net.JoinHostPort(c.String(name+".addr"), strconv.Itoa(port))
}

// jwtSecret reads the secret, or makes one that only its owner can read.
func jwtSecret(path string) (s [32]byte, err error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		rand.Read(s[:])
		log.Info("Made a JWT secret", "file", path)
		return s, os.WriteFile(path, []byte("0x"+hex.EncodeToString(s[:])+"\n"), 0o600)
	}
	if err != nil {
		return s, err
	}
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(raw)), "0x"))
	if err != nil || len(b) != len(s) {
		return s, fmt.Errorf("%s: a JWT secret is 32 bytes in hex", path)
	}
	return [32]byte(b), nil
}

func setUpLog(level, format string) error {
	lvl, ok := map[string]slog.Level{"debug": log.LevelDebug, "info": log.LevelInfo, "warn": log.LevelWarn, "error": log.LevelError}[level]
	if !ok {
		return fmt.Errorf("log.level %q: debug, info, warn or error", level)
	}
	switch format {
	case "text":
		log.SetDefault(log.NewLogger(log.NewTerminalHandlerWithLevel(os.Stderr, lvl, false)))
	case "json":
		log.SetDefault(log.NewLogger(log.JSONHandlerWithLevel(os.Stderr, lvl)))
	default:
		return fmt.Errorf("log.format %q: text or json", format)
	}
	return nil
}
