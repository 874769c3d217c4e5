package challenger

import (
	"context"
	"fmt"
	"time"

	"github.com/ethereum-optimism/optimism/op-service/client"
	"github.com/ethereum-optimism/optimism/op-service/dial"
	"github.com/ethereum-optimism/optimism/op-service/sources"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/log"
)

// rpcTimeout bounds one request, batchTimeout one batch of them.
const (
	rpcTimeout   = 30 * time.Second
	batchTimeout = 60 * time.Second
	l1Cache      = 100 // headers
)

// Clients are the connections of a challenger.
type Clients struct {
	Eth    *ethclient.Client // L1
	L1     *sources.L1Client
	Caller *batching.MultiCaller
	Rollup *sources.RollupClient
	Engine *ethclient.Client
}

// Dial connects to the endpoints that are given.
func Dial(ctx context.Context, l log.Logger, m *Metrics, e Endpoints) (_ *Clients, err error) {
	c := new(Clients)
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.Eth, err = dial.DialEthClientWithTimeout(ctx, dial.DefaultDialTimeout, l, e.L1); err != nil {
		return nil, fmt.Errorf("L1 at %s: %w", e.L1, err)
	}
	l1 := client.NewBaseRPCClient(c.Eth.Client(), client.WithCallTimeout(rpcTimeout), client.WithBatchCallTimeout(batchTimeout))
	if c.L1, err = sources.NewL1Client(l1, l, m, sources.L1ClientSimpleConfig(true, sources.RPCKindStandard, l1Cache)); err != nil {
		return nil, fmt.Errorf("L1 at %s: %w", e.L1, err)
	}
	c.Caller = batching.NewMultiCaller(l1, batching.DefaultBatchSize)
	if e.Rollup != "" {
		if c.Rollup, err = dial.DialRollupClientWithTimeout(ctx, l, e.Rollup); err != nil {
			return nil, fmt.Errorf("rollup node at %s: %w", e.Rollup, err)
		}
	}
	if e.L2 != "" {
		if c.Engine, err = dial.DialEthClientWithTimeout(ctx, dial.DefaultDialTimeout, l, e.L2); err != nil {
			return nil, fmt.Errorf("engine at %s: %w", e.L2, err)
		}
	}
	return c, nil
}

// Close ends the connections.
func (c *Clients) Close() {
	if c.Eth != nil {
		c.Eth.Close()
	}
	if c.Rollup != nil {
		c.Rollup.Close()
	}
	if c.Engine != nil {
		c.Engine.Close()
	}
}

// board reads what all games share from the rollup node and from LayerRoot.
func (c *Clients) board(ctx context.Context, l log.Logger, m *Metrics, prover Prover) (*board, error) {
	rc, err := c.Rollup.RollupConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("rollup configuration: %w", err)
	}
	window, err := proofWindow(ctx, c.Caller, rc.BatchInboxAddress)
	if err != nil {
		return nil, err
	}
	return &board{
		log: l, m: m, caller: c.Caller, l1: c.L1, rollup: c.Rollup, l2: c.Engine, prover: prover, window: window, chainID: rc.L2ChainID.Uint64(),
	}, nil
}
