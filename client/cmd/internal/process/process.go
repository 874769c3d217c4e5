// Package process is what the example agents share: their flags, how they register themselves, and the lines of JSON by
// which they tell a parent process what they do. It is not part of the SDK.
package process

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/client"
)

// Flags of every agent.
var (
	RPCFlag   = &cli.StringFlag{Name: "rpc", EnvVars: []string{"AGNT2_RPC"}, Value: "ws://127.0.0.1:9546", Usage: "the engine's endpoint, http(s) or ws(s)"}
	DAFlag    = &cli.StringFlag{Name: "da", EnvVars: []string{"AGNT2_DA"}, Value: "http://127.0.0.1:3100", Usage: "base URL of the DA server's payload store"}
	KeyFlag   = &cli.StringFlag{Name: "key", EnvVars: []string{"AGNT2_KEY"}, Usage: "the agent's secp256k1 key in hex; prefer the environment variable, arguments are visible to other users"}
	StakeFlag = &cli.StringFlag{Name: "stake", Value: "20000000000000000", Usage: "stake to register with, in wei"}
	JSONFlag  = &cli.BoolFlag{Name: "json", Usage: "print one JSON object per event instead of text"}
)

// Run runs an agent's command line until it ends or a signal ends it, and exits with 1 if it failed.
func Run(app *cli.App) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log.SetDefault(log.NewLogger(log.LogfmtHandlerWithLevel(os.Stderr, log.LevelInfo)))
	app.HideHelpCommand = true
	app.ExitErrHandler = func(*cli.Context, error) {}
	err := app.RunContext(ctx, os.Args)
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", app.Name, err)
	var coded cli.ExitCoder
	if errors.As(err, &coded) {
		os.Exit(coded.ExitCode())
	}
	os.Exit(1)
}

// Connect dials what the flags name and returns the agent's account.
func Connect(c *cli.Context) (*client.Client, *client.Account, error) {
	key, err := ParseKey(c.String(KeyFlag.Name))
	if err != nil {
		return nil, nil, err
	}
	cl, err := client.Dial(c.Context, client.Config{RPC: c.String(RPCFlag.Name), DAURL: c.String(DAFlag.Name)})
	if err != nil {
		return nil, nil, err
	}
	return cl, cl.Account(key), nil
}

// ParseKey reads a private key in hex, with or without 0x. Its errors never contain the key.
func ParseKey(s string) (*ecdsa.PrivateKey, error) {
	if s == "" {
		return nil, errors.New("no key: set AGNT2_KEY or --key")
	}
	key, err := crypto.HexToECDSA(strings.TrimPrefix(s, "0x"))
	if err != nil {
		return nil, errors.New("the key is not 32 bytes of hex")
	}
	return key, nil
}

// Wei reads a flag in wei.
func Wei(c *cli.Context, flag string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(c.String(flag), 10)
	if !ok || n.Sign() < 0 {
		return nil, fmt.Errorf("--%s %q is not an amount in wei", flag, c.String(flag))
	}
	return n, nil
}

// Ensure makes the account an agent with this name, version, image and, at least, these capabilities. It returns the
// receipts of what it had to send, oldest first.
func Ensure(ctx context.Context, cl *client.Client, a *client.Account, want client.Registration) (sent []*types.Receipt, err error) {
	send := func(r *types.Receipt, err error) error {
		if r != nil {
			sent = append(sent, r)
		}
		return err
	}
	have, err := cl.Agent(ctx, a.Address())
	if err != nil {
		return nil, err
	}
	if client.AgentStatus(have.Status) != client.AgentActive {
		return sent, send(a.Register(ctx, want))
	}
	if have.Name != want.Name || have.Version != want.Version || have.ImageDigest != want.ImageDigest {
		if err := send(a.UpdateAgent(ctx, want.Name, want.Version, want.ImageDigest)); err != nil {
			return sent, err
		}
	}
	var upserts []abi.Capability
	for _, w := range want.Capabilities {
		h, err := cl.Capability(ctx, a.Address(), w.Name)
		var missing *abi.CapabilityUnknown
		if err != nil && !errors.As(err, &missing) {
			return sent, err
		}
		if err != nil || *h != w {
			upserts = append(upserts, w)
		}
	}
	if len(upserts) > 0 {
		err = send(a.UpdateCapabilities(ctx, upserts))
	}
	return sent, err
}

// Event is one line that an agent prints about itself. Amounts are wei in decimal.
type Event struct {
	Event     string         `json:"event"`
	Agent     common.Address `json:"agent,omitzero"`
	HTTP      string         `json:"http,omitempty"`
	Providers int            `json:"providers,omitempty"`
	Score     uint64         `json:"score,omitempty"`
	ID        common.Hash    `json:"id,omitzero"`
	Tx        common.Hash    `json:"tx,omitzero"`
	Txs       []common.Hash  `json:"txs,omitempty"`
	Block     uint64         `json:"block,omitempty"`
	Status    string         `json:"status,omitempty"`
	Payment   string         `json:"paymentWei,omitempty"`
	Paid      string         `json:"paidWei,omitempty"`
	Refunded  string         `json:"refundedWei,omitempty"`
	Params    common.Hash    `json:"paramsHash,omitzero"`
	Result    common.Hash    `json:"resultHash,omitzero"`
	Payload   string         `json:"payload,omitempty"`
	LatencyMs int64          `json:"latencyMs,omitempty"`
}

// Printer writes events as JSON lines or as text. It is safe for concurrent use.
type Printer struct {
	JSON bool
	Out  io.Writer
	mu   sync.Mutex
}

// Print writes an event; text is for people.
func (p *Printer) Print(e Event, text string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.JSON {
		fmt.Fprintf(p.Out, text+"\n", args...)
		return
	}
	line, err := json.Marshal(e)
	if err != nil {
		panic(err) // every field marshals
	}
	fmt.Fprintf(p.Out, "%s\n", line)
}

// Hashes of receipts.
func Hashes(rs []*types.Receipt) (hs []common.Hash) {
	for _, r := range rs {
		hs = append(hs, r.TxHash)
	}
	return hs
}

// Since in milliseconds, at least 1.
func Since(t time.Time) int64 { return max(1, time.Since(t).Milliseconds()) }
