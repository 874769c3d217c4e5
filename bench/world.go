package bench

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/params"
	"github.com/holiman/uint256"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/enginetest"
	"github.com/agnt2/agnt2/agnt2-engine/mempool"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/vm"
)

const (
	gasLimit = 2_000_000_000
	// maxBlockBytes lifts the builder's default of 8 MiB (OP's gossip cap): what is measured is the engine.
	maxBlockBytes = 64 << 20
	// registeredAtOnce is how many agents one block of the set-up registers.
	registeredAtOnce = 10_000
	// openInteractions is the distance between an INVOKE and its RESPOND, in interactions: more than a block.
	openInteractions = 40_000
)

// world is an engine with registered agents and the workload that runs on it.
type world struct {
	dir     string
	genesis *genesis.Genesis
	node    *engine.Node
	driver  *enginetest.Driver
	stream  *stream
}

func newGenesis() *genesis.Genesis {
	g := enginetest.Genesis(0)
	g.GasLimit = gasLimit
	g.Params.MaxTtlSeconds = max(g.Params.MaxTtlSeconds, ttlSeconds)
	return g
}

// open starts the engine as its command does, but for the ports and the size of blocks. Its log would drown the progress.
func open(dir string, g *genesis.Genesis, httpAddr string) (*engine.Node, error) {
	log.SetDefault(log.NewLogger(log.NewTerminalHandlerWithLevel(os.Stderr, log.LevelWarn, false)))
	return engine.New(engine.Config{
		Genesis: g, DataDir: dir, CacheBytes: 4 << 30, HistoryBlocks: 20_000, MaxBlockBytes: maxBlockBytes, Journal: true,
		Mempool: mempool.DefaultConfig(), HTTPAddr: httpAddr,
	})
}

func (w *world) reopen() (err error) {
	if w.node, err = open(w.dir, w.genesis, ""); err != nil {
		return err
	}
	w.driver = enginetest.New(w.node)
	w.driver.GasLimit = gasLimit
	return nil
}

func (w *world) close() error {
	if w.node == nil {
		return nil
	}
	n := w.node
	w.node = nil
	return n.Close()
}

// newWorld registers the agents by executing what registers them on the chain: for each a deposit that mints its balance
// and names register(), 10,000 to a block. Records, trie and history are those of a chain that has lived; the deposits are
// then left out of the blocks.
func (r *runner) newWorld(ctx context.Context, dir string, n int) (*world, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	a := newAgents(n, nil)
	r.progress("%d agents: keys made", n)
	w := &world{dir: dir, genesis: newGenesis(), stream: newStream(a, min(openInteractions, 10*n))}
	if err := w.genesis.Save(filepath.Join(dir, genesisFile)); err != nil {
		return nil, err
	}
	if err := w.reopen(); err != nil {
		return nil, err
	}
	began, told := time.Now(), time.Now()
	for from := 0; from < n; from += registeredAtOnce {
		if err := ctx.Err(); err != nil {
			w.close()
			return nil, err
		}
		if err := w.register(from, min(from+registeredAtOnce, n)); err != nil {
			w.close()
			return nil, fmt.Errorf("register agents: %w", err)
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			r.progress("%d of %d agents registered", from+registeredAtOnce, n)
		}
	}
	r.progress("%d agents registered in %.1f s", n, time.Since(began).Seconds())
	// A fresh process's memory, not one that still holds the blocks of the set-up.
	if err := w.close(); err != nil {
		return nil, err
	}
	if err := w.reopen(); err != nil {
		return nil, err
	}
	quiesce() // what the set-up has left to compact is not the rows'
	return w, nil
}

// register makes the next block, in which the agents [from, to) register.
func (w *world) register(from, to int) error {
	c := w.node.Chain()
	parent := c.Head()
	at := &block.Attributes{
		Timestamp: parent.Time + 1, FeeRecipient: abi.SequencerFeeVault, BeaconRoot: common.Hash{1}, GasLimit: gasLimit, HasEIP1559Params: true,
	}
	data := (&abi.RegisterCall{
		Name: "summarizer", Version: "1.0", AgentURI: "https://agents.example/summarizer.json", ImageDigest: imageDigest,
		Capabilities: []abi.Capability{{Name: capability, Endpoint: "https://agents.example/summarize", PriceWei: *uint256.NewInt(priceWei), LatencyMsP99: 500, Class: 2}},
	}).Encode()
	stake := big.NewInt(1e16)
	mint := new(big.Int).Add(stake, new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether)))
	inner := make(types.Transactions, 1+to-from)
	inner[0] = w.driver.L1Attributes(parent.Number.Uint64()+1, at.Timestamp)
	parallel(to-from, 512, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			inner[1+i] = enginetest.Deposit(w.stream.agents.addr[from+i], &abi.Address, mint, stake, data, uint64(from+i))
		}
	})
	txs, err := c.Decode(enginetest.Encode(inner))
	if err != nil {
		return err
	}
	h, err := block.NextHeader(c.Config(), parent, at)
	if err != nil {
		return err
	}
	view, err := c.State().View(parent.Hash())
	if err != nil {
		return err
	}
	e := block.NewExecution(chainID, h, view)
	for i, tx := range txs {
		r, err := e.Apply(tx)
		if err != nil {
			return err
		}
		if r.Outcome != vm.Succeeded {
			return fmt.Errorf("deposit %d: %v", i, r.Revert)
		}
	}
	// The records stay; the deposits themselves, with receipts and logs, would be most of the bytes and no row reads them.
	e.Txs, e.Results = e.Txs[:1], e.Results[:1]
	e.Machine.Block.GasUsed = e.Results[0].GasUsed
	x, err := c.Seal(e)
	if err != nil {
		return err
	}
	return c.SetLabels(x.Hash, x.Hash, x.Hash)
}
