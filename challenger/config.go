package challenger

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	opservice "github.com/ethereum-optimism/optimism/op-service"
	oplog "github.com/ethereum-optimism/optimism/op-service/log"
	opmetrics "github.com/ethereum-optimism/optimism/op-service/metrics"
	oprpc "github.com/ethereum-optimism/optimism/op-service/rpc"
	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"
	"github.com/urfave/cli/v2"
)

// EnvPrefix begins the environment variable of every flag.
const EnvPrefix = "AGNT2_CHALLENGER"

// ErrConfig says that the challenger cannot run as configured.
var ErrConfig = errors.New("challenger configuration")

func env(name string) []string { return opservice.PrefixEnvVar(EnvPrefix, name) }

// Flags of the commands. Those of OP's transaction manager, logging and metrics come on top.
var (
	L1Flag     = &cli.StringFlag{Name: "l1-eth-rpc", EnvVars: env("L1_ETH_RPC"), Usage: "HTTP endpoint of L1"}
	RollupFlag = &cli.StringFlag{Name: "rollup-rpc", EnvVars: env("ROLLUP_RPC"),
		Usage: "HTTP endpoint of an own rollup node that derives the chain, with --safedb.path from genesis on"}
	L2Flag       = &cli.StringFlag{Name: "l2-eth-rpc", EnvVars: env("L2_ETH_RPC"), Usage: "HTTP endpoint of that node's engine"}
	FactoryFlag  = &cli.StringFlag{Name: "game-factory-address", EnvVars: env("GAME_FACTORY_ADDRESS"), Usage: "DisputeGameFactory on L1"}
	GameTypeFlag = &cli.UintFlag{Name: "game-type", EnvVars: env("GAME_TYPE"), Usage: "type of the games that are played"}
	WindowFlag   = &cli.DurationFlag{Name: "game-window", EnvVars: env("GAME_WINDOW"), Value: 48 * time.Hour,
		Usage: "how old the games are that are still looked after; longer than a game, and the delay of its bonds, can take"}
	PollFlag        = &cli.DurationFlag{Name: "poll-interval", EnvVars: env("POLL_INTERVAL"), Value: 6 * time.Second, Usage: "time between looks at L1's head"}
	ConcurrencyFlag = &cli.UintFlag{Name: "max-concurrency", EnvVars: env("MAX_CONCURRENCY"), Value: 64,
		Usage: "games that are played at the same time; a game that resolves claim by claim waits for L1 at each, and must not hold up others"}
	PendingFlag   = &cli.Uint64Flag{Name: "max-pending-tx", EnvVars: env("MAX_PENDING_TX"), Value: 10, Usage: "transactions in flight for one game; 0 for no limit"}
	ClaimantsFlag = &cli.StringSliceFlag{Name: "additional-bond-claimants", EnvVars: env("ADDITIONAL_BOND_CLAIMANTS"),
		Usage: "addresses whose bonds are claimed too, for example the proposer's"}
	MinBalanceFlag = &cli.Float64Flag{Name: "min-balance", EnvVars: env("MIN_BALANCE"),
		Usage: "ETH below which the account's balance raises an alarm; 0 for what the bonds of one whole game cost"}
	GameFlag     = &cli.StringFlag{Name: "game", EnvVars: env("GAME"), Usage: "address of a game"}
	BlockFlag    = &cli.Uint64Flag{Name: "block", Usage: "L2 block to prove"}
	StepFlag     = &cli.Uint64Flag{Name: "step", Usage: "index of a micro-step"}
	AllFlag      = &cli.BoolFlag{Name: "all", Usage: "verify every micro-step of the block instead of one"}
	FromFlag     = &cli.Uint64Flag{Name: "from", Usage: "first micro-step to print"}
	CountFlag    = &cli.Uint64Flag{Name: "count", Usage: "number of micro-steps to print; 0 for all"}
	L1HeadFlag   = &cli.StringFlag{Name: "l1-head", Usage: "hash of the L1 block that a game would have as its L1 head (default: L1's latest)"}
	DisputedFlag = &cli.StringFlag{Name: "disputed", Usage: "output root to prove against (default: the node's own)"}
)

// RunFlags are the flags of `challenger run`.
func RunFlags() []cli.Flag {
	f := []cli.Flag{L1Flag, RollupFlag, L2Flag, FactoryFlag, GameTypeFlag, WindowFlag, PollFlag, ConcurrencyFlag, PendingFlag, ClaimantsFlag, MinBalanceFlag}
	f = append(f, txmgr.CLIFlagsWithDefaults(EnvPrefix, txmgr.DefaultChallengerFlagValues)...)
	f = append(f, oprpc.CLIFlagsWithCategory(EnvPrefix, "", oprpc.CLIConfig{ListenAddr: "127.0.0.1", ListenPort: 8561})[:2]...) // no admin API
	f = append(f, opmetrics.CLIFlags(EnvPrefix)...)
	return append(f, oplog.CLIFlags(EnvPrefix)...)
}

// Config is what `challenger run` needs.
type Config struct {
	Endpoints
	GameType    uint32
	Window      time.Duration
	Poll        time.Duration
	Concurrency uint
	Pending     uint64
	Claimants   []common.Address // besides the own account
	MinBalance  *big.Int         // wei; zero: the bonds of one game
	TxMgr       txmgr.CLIConfig
	Metrics     opmetrics.CLIConfig
	HealthAddr  string
	HealthPort  int // 0 picks one
}

// Endpoints are whom the challenger talks to.
type Endpoints struct {
	L1, Rollup, L2 string
	Factory        common.Address
}

// required reports the first of the flags that is missing.
func required(c *cli.Context, flags ...*cli.StringFlag) error {
	for _, f := range flags {
		if c.String(f.Name) == "" {
			return fmt.Errorf("%w: --%s (%s) is missing: %s", ErrConfig, f.Name, firstEnv(f), f.Usage)
		}
	}
	return nil
}

func firstEnv(f *cli.StringFlag) string {
	if len(f.EnvVars) == 0 {
		return "no environment variable"
	}
	return f.EnvVars[0]
}

// ReadEndpoints reads the endpoints and checks that those of need are given.
func ReadEndpoints(c *cli.Context, need ...*cli.StringFlag) (Endpoints, error) {
	e := Endpoints{L1: c.String(L1Flag.Name), Rollup: c.String(RollupFlag.Name), L2: c.String(L2Flag.Name)}
	if err := required(c, need...); err != nil {
		return e, err
	}
	if s := c.String(FactoryFlag.Name); s != "" {
		var err error
		if e.Factory, err = opservice.ParseAddress(s); err != nil {
			return e, fmt.Errorf("%w: --%s: %w", ErrConfig, FactoryFlag.Name, err)
		}
	}
	return e, nil
}

// ReadConfig reads the flags of `challenger run`.
func ReadConfig(c *cli.Context) (*Config, error) {
	e, err := ReadEndpoints(c, L1Flag, RollupFlag, L2Flag, FactoryFlag)
	if err != nil {
		return nil, err
	}
	cfg := &Config{
		Endpoints: e, GameType: uint32(c.Uint(GameTypeFlag.Name)), Window: c.Duration(WindowFlag.Name), Poll: c.Duration(PollFlag.Name),
		Concurrency: c.Uint(ConcurrencyFlag.Name), Pending: c.Uint64(PendingFlag.Name),
		TxMgr: txmgr.ReadCLIConfig(c), Metrics: opmetrics.ReadCLIConfig(c),
		HealthAddr: c.String(oprpc.ListenAddrFlagName), HealthPort: c.Int(oprpc.PortFlagName),
	}
	cfg.TxMgr.L1RPCURL = e.L1
	for _, s := range c.StringSlice(ClaimantsFlag.Name) {
		a, err := opservice.ParseAddress(s)
		if err != nil {
			return nil, fmt.Errorf("%w: --%s: %w", ErrConfig, ClaimantsFlag.Name, err)
		}
		cfg.Claimants = append(cfg.Claimants, a)
	}
	wei, _ := new(big.Float).Mul(big.NewFloat(c.Float64(MinBalanceFlag.Name)), big.NewFloat(params.Ether)).Int(nil)
	cfg.MinBalance = wei
	return cfg, cfg.Check()
}

// Check reports the first setting that cannot work.
func (c *Config) Check() error {
	switch {
	case c.Window <= 0 || c.Poll <= 0:
		return fmt.Errorf("%w: --%s and --%s must be positive", ErrConfig, WindowFlag.Name, PollFlag.Name)
	case c.Concurrency == 0:
		return fmt.Errorf("%w: --%s is 0", ErrConfig, ConcurrencyFlag.Name)
	case c.MinBalance == nil || c.MinBalance.Sign() < 0:
		return fmt.Errorf("%w: --%s is negative", ErrConfig, MinBalanceFlag.Name)
	}
	if err := c.TxMgr.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := c.Metrics.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return nil
}
