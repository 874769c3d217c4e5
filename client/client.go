// Package client is the Go SDK for agents: it registers them, calls other agents with escrowed payment, serves calls, and
// moves AGNT between L1 and L2. It is for anyone who writes an agent in Go and has an RPC endpoint and a payload store.
//
// It reaches the chain through JSON-RPC alone and never holds protocol rules of its own: what is valid is decided by the
// engine, whose custom errors come back as the typed errors of package abi. It must never hand out a payload whose
// keccak256 is not the hash that the chain carries. Operations, events and errors are those of IAGNT2.sol; the roles of
// caller and callee are those of the AGNT2 paper §4.2 and App. A.1.
package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
)

// Defaults of Config.
const (
	DefaultPollInterval   = 250 * time.Millisecond
	DefaultRequestTimeout = 15 * time.Second
)

// Config says where the chain and the payload store are.
type Config struct {
	// RPC is the engine's endpoint: http(s):// polls, ws(s):// subscribes and falls back to polling.
	RPC string
	// DAURL is the base URL of the DA server that keeps params and results. Empty: views and operations without
	// payloads still work, others fail with ErrNoPayloadStore.
	DAURL string
	// Payloads replaces the store at DAURL.
	Payloads PayloadStore
	// PollInterval between two questions while waiting for a receipt or, without a subscription, for events.
	PollInterval time.Duration
	// RequestTimeout bounds one JSON-RPC or payload request.
	RequestTimeout time.Duration
}

// Client is a connection to one AGNT2 chain. It is safe for concurrent use.
type Client struct {
	rc         *rpc.Client
	ec         *ethclient.Client
	chainID    *big.Int
	payloads   PayloadStore
	poll       time.Duration
	timeout    time.Duration
	subscribes bool
}

// Dial connects and reads the chain id.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.PollInterval <= 0 {
		cfg.PollInterval = DefaultPollInterval
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = DefaultRequestTimeout
	}
	rc, err := rpc.DialOptions(ctx, cfg.RPC, rpc.WithHTTPClient(&http.Client{Timeout: cfg.RequestTimeout}))
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", cfg.RPC, err)
	}
	c := &Client{
		rc: rc, ec: ethclient.NewClient(rc), payloads: cfg.Payloads, poll: cfg.PollInterval, timeout: cfg.RequestTimeout,
		subscribes: strings.HasPrefix(cfg.RPC, "ws"),
	}
	if c.payloads == nil && cfg.DAURL != "" {
		c.payloads = NewHTTPPayloads(cfg.DAURL, cfg.RequestTimeout)
	}
	rctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if c.chainID, err = c.ec.ChainID(rctx); err != nil {
		rc.Close()
		return nil, fmt.Errorf("chain id from %s: %w", cfg.RPC, err)
	}
	return c, nil
}

// Close ends the connection and every subscription on it.
func (c *Client) Close() { c.rc.Close() }

// ChainID of the chain.
func (c *Client) ChainID() *big.Int { return new(big.Int).Set(c.chainID) }

// Eth is the plain Ethereum client on the same connection, for what this package does not wrap.
func (c *Client) Eth() *ethclient.Client { return c.ec }

// request bounds one JSON-RPC request: a WebSocket peer that stays silent would otherwise block for ever.
func (c *Client) request(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout)
}

// Balance of an address at the latest block, in wei of AGNT.
func (c *Client) Balance(ctx context.Context, a common.Address) (*big.Int, error) {
	rctx, cancel := c.request(ctx)
	defer cancel()
	b, err := c.ec.BalanceAt(rctx, a, nil)
	if err != nil {
		return nil, fmt.Errorf("balance of %v: %w", a, err)
	}
	return b, nil
}

// Fee is what a transaction cost its sender in wei besides its value: gas at the effective price, and the L1 data fee.
func Fee(r *types.Receipt) *big.Int {
	fee := new(big.Int)
	if r.EffectiveGasPrice != nil {
		fee.Mul(new(big.Int).SetUint64(r.GasUsed), r.EffectiveGasPrice)
	}
	if r.L1Fee != nil {
		fee.Add(fee, r.L1Fee)
	}
	return fee
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// ended reports ctx's end together with the last thing that went wrong before it.
func ended(ctx context.Context, last error) error {
	if last == nil || errors.Is(last, ctx.Err()) {
		return ctx.Err()
	}
	return fmt.Errorf("%w (last: %w)", ctx.Err(), last)
}
