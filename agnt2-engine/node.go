// Package engine assembles the AGNT2 execution engine: chain, mempool, builder and the three ports that speak for them.
// The rollup node drives it through the Engine API; agents and tools use the public JSON-RPC.
package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	gethnode "github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/agnt2/agnt2/agnt2-engine/builder"
	"github.com/agnt2/agnt2/agnt2-engine/chain"
	"github.com/agnt2/agnt2/agnt2-engine/engineapi"
	"github.com/agnt2/agnt2/agnt2-engine/ethapi"
	"github.com/agnt2/agnt2/agnt2-engine/mempool"
	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Config of a Node. Empty addresses switch a port off.
type Config struct {
	Genesis *genesis.Genesis
	DataDir string

	HTTPAddr, WSAddr, AuthAddr, MetricsAddr string // host:port
	JWTSecret                               [32]byte

	CacheBytes    int    // record cache
	AgentIndex    bool   // whether the interactions of an agent can be listed
	HistoryBlocks uint64 // blocks whose state stays readable
	// PrunedInteractions that keep their record in the store; 0: all.
	PrunedInteractions uint64
	MaxBlockBytes      uint64
	Journal            bool   // keep accepted transactions across a crash
	DAURL              string // DA server; empty: results are not checked for availability before they enter the mempool
	Version            string
	Mempool            mempool.Config
	AnyOrigin          bool
	PublicMiner        bool // serve miner_setMaxDASize on ports that are not loopback too
	DisableMetrics     bool
	Log                log.Logger
}

// GCPercent is the default of the command's gc.percent, and Go's own. What is large, records and the trie, lies outside of Go's
// heap. A larger one saves less time in the collector than it costs to fetch fresh memory from the kernel (docs/benchmarks.md).
const GCPercent = 100

// maxEngineBody is what the Engine API accepts in one request: a full block crosses it as JSON.
const maxEngineBody = 128 << 20

// Node is a running engine.
type Node struct {
	cfg     Config
	log     log.Logger
	db      *pebble.DB
	chain   *chain.Chain
	pool    *mempool.Pool
	builder *builder.Builder
	api     *ethapi.API
	metrics *metrics
	servers []*http.Server
	rpcs    []*rpc.Server
	addrs   map[string]string
	failed  chan error
}

// New opens the data directory and starts serving.
func New(cfg Config) (n *Node, err error) {
	if cfg.Log == nil {
		cfg.Log = log.Root()
	}
	n = &Node{cfg: cfg, log: cfg.Log, addrs: map[string]string{}, failed: make(chan error, 4)}
	defer func(opened *Node) { // not n, which an error return sets to nil
		if err != nil {
			opened.Close()
		}
	}(n)
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.metrics = newMetrics(registry)

	if n.db, err = openDB(filepath.Join(cfg.DataDir, "chain")); err != nil {
		return nil, fmt.Errorf("open %s (is another engine running on it?): %w", cfg.DataDir, err)
	}
	n.chain, err = chain.Open(n.db, cfg.Genesis, chain.Options{
		FS: vfs.Default, Dir: cfg.DataDir, CacheBytes: cfg.CacheBytes, HistoryBlocks: cfg.HistoryBlocks, AgentIndex: cfg.AgentIndex, PrunedInteractions: cfg.PrunedInteractions, Log: cfg.Log,
		Sender:    func(h common.Hash) *abi.Transaction { return n.poolTransaction(h) },
		OnAdopted: n.onAdopted,
	})
	if err != nil {
		return nil, err
	}
	pc := cfg.Mempool
	pc.ChainID = n.chain.Config().ChainID
	pc.IntrinsicGas = func(tx *abi.Transaction) uint64 { return vm.LeastGas(&cfg.Genesis.Params, tx) }
	pc.PreCheck = newPreCheck(cfg.DAURL)
	if cfg.Journal {
		pc.JournalPath = filepath.Join(cfg.DataDir, "mempool.journal")
	}
	head, err := n.poolHead(n.chain.Head())
	if err != nil {
		return nil, err
	}
	n.pool = mempool.New(pc, head, registry)
	n.builder = builder.New(builder.Config{ChainID: cfg.Genesis.ChainID, MaxBlockBytes: cfg.MaxBlockBytes, Log: cfg.Log}, n.chain, n.pool)
	n.metrics.head(n.chain)

	ac := ethapi.DefaultConfig()
	ac.ClientVersion = "agnt2-engine/" + cfg.Version
	ac.Registerer, ac.Log = registry, cfg.Log
	n.api = ethapi.New(&backend{n}, ac)
	if err := n.serve(registry); err != nil {
		return nil, err
	}
	return n, nil
}

func openDB(path string) (*pebble.DB, error) {
	cache := pebble.NewCache(256 << 20)
	defer cache.Unref() // the database holds its own reference
	o := &pebble.Options{
		FormatMajorVersion: pebble.FormatValueSeparation,
		Cache:              cache,
		// A full block is a batch larger than half a memtable, and such a batch becomes a table as it is, without passing
		// through a memtable's skip list.
		MemTableSize:                8 << 20,
		MemTableStopWritesThreshold: 8,
		// Records of the head are read from memory, so tables may pile up at level 0, until it pays to merge them with all that
		// lies below; and up to some GB that is one level, since each further one writes every record again.
		L0CompactionThreshold: 96,
		L0StopWritesThreshold: 256,
		LBaseMaxBytes:         4 << 30,
		Logger:                quiet{},
	}
	// Every answer removes a deadline, and these lie side by side: merging tables early because of them would go on all the
	// time. They go when the tables are merged anyway.
	o.Experimental.TombstoneDenseCompactionThreshold = -1
	o.TargetFileSizes[0] = 16 << 20
	for i := range o.Levels { // records are packed, and what is left is mostly hashes
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	}
	return pebble.Open(path, o)
}

// quiet drops pebble's running commentary; its errors are returned.
type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(f string, a ...any) { log.Error("Store", "msg", fmt.Sprintf(f, a...)) }
func (quiet) Fatalf(f string, a ...any) { log.Crit("Store", "msg", fmt.Sprintf(f, a...)) }

// Chain, Pool and Builder give in-process users (tests, benchmarks) what the ports speak for.
func (n *Node) Chain() *chain.Chain       { return n.chain }
func (n *Node) Pool() *mempool.Pool       { return n.pool }
func (n *Node) Builder() *builder.Builder { return n.builder }

// Engine returns the Engine API for in-process use.
func (n *Node) Engine() *engineapi.API {
	return engineapi.New(n.chain, n.builder, n.cfg.Version, n.log)
}

// Addr returns where a port listens: "http", "ws", "auth" or "metrics".
func (n *Node) Addr(name string) string { return n.addrs[name] }

// Failed delivers the error of a port that stopped serving.
func (n *Node) Failed() <-chan error { return n.failed }

func (n *Node) serve(registry *prometheus.Registry) error {
	health := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := n.chain.Head()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"status":"ok","head":%d,"hash":"%s","timestamp":%d}`+"\n", h.Number, h.Hash(), h.Time)
	})
	routes := map[string]http.Handler{"/healthz": health}
	public := ethapi.DefaultServerConfig()
	public.Name, public.AnyOrigin, public.Routes = "http", n.cfg.AnyOrigin, routes
	if n.cfg.HTTPAddr != "" {
		s, err := n.rpcServer(public, n.publicAPIs(n.cfg.HTTPAddr))
		if err != nil {
			return err
		}
		if err := n.listen("http", n.cfg.HTTPAddr, ethapi.NewHTTPServer(n.api.NewHTTPHandler(s, public))); err != nil {
			return err
		}
	}
	if n.cfg.WSAddr != "" {
		ws := public
		ws.Name = "ws"
		s, err := n.rpcServer(ws, n.publicAPIs(n.cfg.WSAddr))
		if err != nil {
			return err
		}
		if err := n.listen("ws", n.cfg.WSAddr, ethapi.NewHTTPServer(n.api.NewWSHandler(s, ws))); err != nil {
			return err
		}
	}
	if n.cfg.AuthAddr != "" {
		auth := public
		auth.Name, auth.MaxBodyBytes, auth.AnyOrigin, auth.Routes, auth.Trusted = "auth", maxEngineBody, false, nil, true
		auth.MaxBatchResponseBytes = maxEngineBody
		services := append(n.api.APIs("eth", "net", "web3", "agnt2"), rpc.API{Namespace: "engine", Service: n.Engine()})
		s, err := n.rpcServer(auth, services)
		if err != nil {
			return err
		}
		// The same port serves HTTP and WebSocket, as op-geth's does.
		h := gethnode.NewHTTPHandlerStack(n.api.NewHTTPHandler(s, auth), nil, []string{"*"}, n.cfg.JWTSecret[:])
		ws := gethnode.NewWSHandlerStack(n.api.NewWSHandler(s, auth), n.cfg.JWTSecret[:])
		both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" {
				ws.ServeHTTP(w, r)
				return
			}
			h.ServeHTTP(w, r)
		})
		if err := n.listen("auth", n.cfg.AuthAddr, ethapi.NewHTTPServer(both)); err != nil {
			return err
		}
	}
	if n.cfg.MetricsAddr != "" {
		mux := http.NewServeMux()
		mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
		mux.Handle("/healthz", health)
		if err := n.listen("metrics", n.cfg.MetricsAddr, ethapi.NewHTTPServer(mux)); err != nil {
			return err
		}
	}
	return nil
}

// publicAPIs leaves out "miner", whose one method throttles the sequencer, on a port that strangers can reach, unless the
// operator wants it there: OP's batcher calls it on the plain endpoint.
func (n *Node) publicAPIs(addr string) []rpc.API {
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback())) || n.cfg.PublicMiner {
		return n.api.APIs()
	}
	return n.api.APIs("eth", "net", "web3", "txpool", "agnt2")
}

func (n *Node) rpcServer(cfg ethapi.ServerConfig, services []rpc.API) (*rpc.Server, error) {
	s, err := n.api.NewServer(cfg, services)
	if err == nil {
		n.rpcs = append(n.rpcs, s)
	}
	return s, err
}

func (n *Node) listen(name, addr string, s *http.Server) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%s port: %w", name, err)
	}
	n.addrs[name] = l.Addr().String()
	n.servers = append(n.servers, s)
	go func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.failed <- fmt.Errorf("%s port: %w", name, err)
		}
	}()
	n.log.Info("Listening", "port", name, "addr", n.addrs[name])
	return nil
}

// Close stops serving and closes the data directory. What was acknowledged is on disk already.
func (n *Node) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	for _, s := range n.rpcs {
		s.Stop()
	}
	for _, s := range n.servers {
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
	}
	if n.api != nil {
		n.api.Close()
	}
	if n.builder != nil {
		n.builder.Close()
	}
	if n.pool != nil {
		n.pool.Close()
	}
	var err error
	if n.chain != nil {
		err = n.chain.Close()
	}
	if n.db != nil {
		err = errors.Join(err, n.db.Close())
	}
	return err
}

// onAdopted keeps the mempool in step with the head.
func (n *Node) onAdopted(a *chain.Adopted) {
	if n.pool == nil {
		return
	}
	head, err := n.poolHead(a.Head)
	if err != nil {
		n.log.Error("Mempool cannot follow the head", "err", err)
		return
	}
	included, void := n.transactions(a.Applied)
	used, unused := n.transactions(a.Undone)
	n.pool.Reset(head, included, void, append(used, unused...))
	n.metrics.adopted(n.chain, a)
}

// transactions lists the signed transactions of blocks, decoding those that were read from disk.
// transactions lists the signed transactions of blocks: those that have used their senders' nonces up, and void ones, which alone
// have used no gas.
func (n *Node) transactions(blocks []*chain.Executed) (used, void []*abi.Transaction) {
	for _, x := range blocks {
		txs := x.Txs
		if txs == nil {
			var err error
			if txs, err = n.chain.Decode(x.Raws); err != nil {
				n.log.Error("Stored transaction does not decode", "block", x.Hash, "err", err)
				continue
			}
		}
		for i, tx := range txs {
			switch {
			case tx.Deposit:
			case x.Receipts[i].GasUsed > 0:
				used = append(used, tx)
			default:
				void = append(void, tx)
			}
		}
	}
	return used, void
}

func (n *Node) poolTransaction(h common.Hash) *abi.Transaction {
	if n.pool == nil {
		return nil
	}
	return n.pool.Get(h)
}

// poolHead describes a head to the mempool.
func (n *Node) poolHead(h *types.Header) (mempool.Head, error) {
	view, err := n.chain.State().View(h.Hash())
	if err != nil {
		return mempool.Head{}, err
	}
	next := eip1559.CalcBaseFee(n.chain.Config(), h, h.Time+1)
	l1 := l1Info(view)
	return mempool.Head{
		Number: h.Number.Uint64(), GasLimit: h.GasLimit, BaseFee: *uint256.MustFromBig(next), Now: h.Time,
		L1Cost: func(size int) uint256.Int { return gas.L1DataFee(&l1, size) },
		State:  accounts{view},
	}, nil
}

func l1Info(r ethapi.Records) (l1 record.L1Info) {
	if b := r.Get(record.L1InfoKey); b != nil {
		if v, err := record.DecodeL1Info(b); err == nil {
			l1 = v
		}
	}
	return l1
}

// accounts reads what the mempool wants to know.
type accounts struct{ view *state.View }

// Prefetch hashes the accounts' keys together, and has their records fetched side by side.
func (a accounts) Prefetch(as []common.Address) {
	ids, digests, keys := make([][]byte, len(as)), make([]common.Hash, len(as)), make([]record.Key, len(as))
	for i := range as {
		ids[i] = as[i][:]
	}
	record.Prehash(ids, digests)
	for i := range as {
		keys[i] = record.Headed(record.NSAccount, digests[i])
	}
	a.view.Touch(keys)
}

// accountBytes is room for an account's record.
const accountBytes = 12 * 32

func (a accounts) Account(addr common.Address) (acc mempool.Account) {
	var buf [accountBytes]byte
	k := record.AccountKey(addr)
	b, ok := a.view.AppendRecord(buf[:0], &k)
	if !ok {
		return acc
	}
	v, err := record.DecodeAccount(b)
	if err != nil {
		panic(fmt.Sprintf("corrupt account %s: %v", addr, err))
	}
	return mempool.Account{Nonce: v.Nonce, Balance: v.Balance, Stake: v.Stake, Delegated: v.Owner != common.Address{}}
}
