package challenger

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum-optimism/optimism/op-challenger/game/client"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/claims"
	"github.com/ethereum-optimism/optimism/op-challenger/game/fault/contracts"
	"github.com/ethereum-optimism/optimism/op-challenger/game/registry"
	"github.com/ethereum-optimism/optimism/op-challenger/game/scheduler"
	gameTypes "github.com/ethereum-optimism/optimism/op-challenger/game/types"
	"github.com/ethereum-optimism/optimism/op-challenger/sender"
	"github.com/ethereum-optimism/optimism/op-service/clock"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum-optimism/optimism/op-service/httputil"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum-optimism/optimism/packages/contracts-bedrock/snapshots"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/params"
)

// healthPatience is how long L1 may be silent before /healthz complains, in polls.
const healthPatience = 20

// Service plays the games of one chain. It implements cliapp.Lifecycle.
type Service struct {
	log     log.Logger
	cfg     *Config
	m       *Metrics
	clients *Clients
	board   *board
	txmgr   *txmgr.SimpleTxManager
	sched   *scheduler.Scheduler
	claimer *claims.BondClaimScheduler
	monitor *monitor
	http    *httputil.HTTPServer
	metrics *httputil.HTTPServer

	lowBalance *big.Int
	stop       context.CancelFunc
	done       sync.WaitGroup
	stopped    atomic.Bool
}

// noDisk is OP's disk manager for games that keep nothing on disk.
type noDisk struct{}

func (noDisk) DirForGame(common.Address) string       { return "" }
func (noDisk) RemoveAllExcept([]common.Address) error { return nil }

// headroom adds a quarter to gas estimates. They are made on the latest block: what has been written in that block, or at its
// timestamp, is cheaper there than it will be in a later one (DelayedWETH.unlock, in every resolution of a claim).
type headroom struct{ txmgr.ETHBackend }

func (h headroom) EstimateGas(ctx context.Context, msg ethereum.CallMsg) (uint64, error) {
	gas, err := h.ETHBackend.EstimateGas(ctx, msg)
	if err != nil {
		return 0, err
	}
	return max(gas, min(gas+gas/4, params.MaxTxGas)), nil
}

// NewService connects and checks everything that playing depends on; it starts nothing. prover makes the traces of disputed
// blocks.
func NewService(ctx context.Context, l log.Logger, cfg *Config, m *Metrics, clients *Clients, prover Prover) (_ *Service, err error) {
	s := &Service{log: l, cfg: cfg, m: m, clients: clients}
	defer func() {
		if err != nil {
			_ = s.Stop(ctx)
		}
	}()
	conf, err := txmgr.NewConfig(cfg.TxMgr, l)
	if err != nil {
		return nil, fmt.Errorf("transaction manager: %w", err)
	}
	conf.Backend = headroom{conf.Backend}
	if s.txmgr, err = txmgr.NewSimpleTxManagerFromConfig("challenger", l, m, conf); err != nil {
		return nil, fmt.Errorf("transaction manager: %w", err)
	}
	if s.board, err = clients.board(ctx, l, m, prover); err != nil {
		return nil, err
	}
	l1Clock := clock.NewSimpleClock()
	s.board.l1Clock = l1Clock
	s.board.sync = client.NewRollupSyncStatusValidator(clients.Rollup)
	s.board.watch = newWatch(l, m)
	// OP's sender gives up on everything in flight when one transaction fails: a game's failures must not be another's.
	s.board.sender = func() fault.TxSender { return sender.NewTxSender(context.WithoutCancel(ctx), l, s.txmgr, cfg.Pending) }
	s.board.claimers = append([]common.Address{s.txmgr.From()}, cfg.Claimants...)

	factory, err := contracts.NewDisputeGameFactoryContract(ctx, m, cfg.Factory, clients.Caller)
	if err != nil {
		return nil, fmt.Errorf("game factory %s: %w", cfg.Factory, err)
	}
	if err := s.checkImplementation(ctx, prover); err != nil {
		return nil, err
	}

	lifetime, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	kinds := registry.NewGameTypeRegistry()
	kinds.RegisterGameType(gameTypes.GameType(cfg.GameType), func(g gameTypes.GameMetadata, _ string) (scheduler.GamePlayer, error) {
		return s.board.newPlayer(lifetime, g)
	})
	kinds.RegisterBondContract(gameTypes.GameType(cfg.GameType), func(g gameTypes.GameMetadata) (claims.BondContract, error) {
		return contracts.NewFaultDisputeGameContract(lifetime, m, g.Proxy, clients.Caller)
	})
	s.sched = scheduler.NewScheduler(l, m, noDisk{}, cfg.Concurrency, kinds.CreatePlayer, false)
	s.claimer = claims.NewBondClaimScheduler(l, m, claims.NewBondClaimer(l, m, kinds.CreateBondContract, s.board.sender(), false, s.board.claimers...))
	s.monitor = &monitor{
		log: l, m: m, l1: clients.L1, l1Clock: l1Clock, factory: factory, gameType: cfg.GameType, window: cfg.Window, poll: cfg.Poll,
		play: s.sched, claim: s.claimer, watch: s.board.watch, each: s.checkBalance,
	}
	if err := s.probeSafeDB(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// checkImplementation compares the factory's game with this program, and finds out what a game costs.
func (s *Service) checkImplementation(ctx context.Context, prover Prover) error {
	call := batching.NewBoundContract(snapshots.LoadDisputeGameFactoryABI(), s.cfg.Factory).Call("gameImpls", s.cfg.GameType)
	out, err := s.clients.Caller.SingleCall(ctx, rpcblock.Latest, call)
	if err != nil {
		return fmt.Errorf("game implementation: %w", err)
	}
	addr := out.GetAddress(0)
	if addr == (common.Address{}) {
		return fmt.Errorf("%w: factory %s has no game of type %d", ErrConfig, s.cfg.Factory, s.cfg.GameType)
	}
	impl, err := contracts.NewFaultDisputeGameContract(ctx, s.m, addr, s.clients.Caller)
	if err != nil {
		return fmt.Errorf("game implementation %s: %w", addr, err)
	}
	prestate, err := impl.GetAbsolutePrestateHash(ctx)
	if err != nil {
		return fmt.Errorf("game implementation %s: %w", addr, err)
	}
	if prestate != prover.AbsolutePrestate() {
		// Games of before an upgrade may still be ours, so go on; those of this implementation will be refused one by one.
		s.log.Error("New games are of another machine than this program's", "alert", "unplayable", "implementation", addr,
			"prestate", prestate, "program", prover.AbsolutePrestate())
	}
	clock, err := impl.GetMaxClockDuration(ctx)
	if err != nil {
		return fmt.Errorf("game implementation %s: %w", addr, err)
	}
	if s.cfg.Window < 3*clock {
		return fmt.Errorf("%w: --%s is %s, a game with clocks of %s can take three times that", ErrConfig, WindowFlag.Name, s.cfg.Window, clock)
	}
	depth, err := impl.GetMaxGameDepth(ctx)
	if err != nil {
		return fmt.Errorf("game implementation %s: %w", addr, err)
	}
	if s.lowBalance = s.cfg.MinBalance; s.lowBalance.Sign() > 0 {
		return nil
	}
	var moves []*big.Int // every other level is ours; the expensive ones are deep
	for d := depth; d > 0 && d <= depth; d -= min(d, 2) {
		moves = append(moves, new(big.Int).Lsh(common.Big1, uint(d)))
	}
	bonds, err := impl.GetRequiredBonds(ctx, rpcblock.Latest, moves...)
	if err != nil {
		return fmt.Errorf("bonds of game implementation %s: %w", addr, err)
	}
	s.lowBalance = new(big.Int)
	for _, b := range bonds {
		s.lowBalance.Add(s.lowBalance, b)
	}
	s.log.Info("Playing", "factory", s.cfg.Factory, "implementation", addr, "prestate", prestate, "depth", depth, "clock", clock,
		"proofWindow", s.board.window, "account", s.txmgr.From(), "bondsOfOneGame", eth.WeiToEther(s.lowBalance))
	return nil
}

// probeSafeDB asks for the safe head at the oldest proof head that matters: of the oldest game in progress, or of a game that
// would be created now.
func (s *Service) probeSafeDB(ctx context.Context) error {
	head, err := s.clients.L1.BlockRefByLabel(ctx, eth.Unsafe)
	if err != nil {
		return fmt.Errorf("L1 head: %w", err)
	}
	s.monitor.l1Clock.SetTime(head.Time)
	games, err := s.monitor.games(ctx, head.Hash)
	if err != nil {
		return err
	}
	at := proofHead(head.Number, s.board.window)
	for i := len(games) - 1; i >= 0; i-- { // newest first
		contract, err := contracts.NewFaultDisputeGameContract(ctx, s.m, games[i].Proxy, s.clients.Caller)
		if err != nil {
			return fmt.Errorf("game %s: %w", games[i].Proxy, err)
		}
		meta, err := contract.GetMetadata(ctx, rpcblock.Latest)
		if err != nil {
			return fmt.Errorf("game %s: %w", games[i].Proxy, err)
		}
		if meta.Status != gameTypes.GameStatusInProgress {
			continue
		}
		l1Head, err := s.clients.L1.BlockRefByHash(ctx, meta.L1Head)
		if err != nil {
			return fmt.Errorf("L1 head of game %s: %w", games[i].Proxy, err)
		}
		at = min(at, proofHead(l1Head.Number, s.board.window))
		break
	}
	safe, err := safeHead(ctx, s.clients.Rollup, at)
	if err != nil {
		return err
	}
	s.log.Info("Rollup node has safe heads", "l1", at, "safe", safe)
	return nil
}

func (s *Service) checkBalance(ctx context.Context) {
	wei, err := s.clients.Eth.BalanceAt(ctx, s.txmgr.From(), nil)
	if err != nil {
		s.log.Warn("Balance is unknown", "account", s.txmgr.From(), "err", err)
		return
	}
	low := wei.Cmp(s.lowBalance) < 0
	s.m.recordBalance(wei, low)
	if low {
		s.log.Error("Balance is low", "alert", "balance", "account", s.txmgr.From(), "ether", eth.WeiToEther(wei), "wanted", eth.WeiToEther(s.lowBalance))
	}
}

// Start begins to play.
func (s *Service) Start(context.Context) error {
	var err error
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	if s.http, err = httputil.StartHTTPServer(net.JoinHostPort(s.cfg.HealthAddr, strconv.Itoa(s.cfg.HealthPort)), mux); err != nil {
		return fmt.Errorf("health endpoint: %w", err)
	}
	if c := s.cfg.Metrics; c.Enabled {
		if s.metrics, err = opmetrics.StartServer(s.m.Registry(), c.ListenAddr, c.ListenPort); err != nil {
			return fmt.Errorf("metrics endpoint: %w", err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	previous := s.stop
	s.stop = func() { stop(); previous() }
	s.sched.Start(ctx)
	s.claimer.Start(ctx)
	s.done.Go(func() { s.monitor.run(ctx) })
	s.m.RecordUp()
	return nil
}

// HealthAddr is where /healthz listens, once started.
func (s *Service) HealthAddr() net.Addr { return s.http.Addr() }

// healthz answers 200 if L1 is looked at and every game is played, else 503 and why.
func (s *Service) healthz(w http.ResponseWriter, _ *http.Request) {
	if err := s.monitor.health(healthPatience*s.cfg.Poll + 10*time.Second); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if why := s.board.watch.refused(); why != "" {
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("OK\n"))
}

// Stop ends playing; what is in flight is given up, and found on L1 again at the next start.
func (s *Service) Stop(ctx context.Context) error {
	if s.stopped.Swap(true) {
		return nil
	}
	if s.stop != nil {
		s.stop()
	}
	if s.txmgr != nil {
		s.txmgr.Close() // first: games that are being played wait for their transactions
	}
	s.done.Wait()
	var errs []error
	if s.http != nil { // started
		errs = append(errs, s.sched.Close(), s.claimer.Close(), s.http.Stop(ctx))
	}
	if s.metrics != nil {
		errs = append(errs, s.metrics.Stop(ctx))
	}
	return errors.Join(errs...)
}

// Stopped says whether Stop was called.
func (s *Service) Stopped() bool { return s.stopped.Load() }
