package devnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/params"

	"github.com/agnt2/agnt2/ops/deployer"
)

// Role names a process. Followers add "NAME-engine" and "NAME-node".
type Role string

// The processes of a devnet, in the order in which they start.
const (
	RoleL1             Role = "l1"
	RoleDA             Role = "da"
	RoleEngine         Role = "engine"
	RoleNode           Role = "node"
	RoleBatcher        Role = "batcher"
	RoleProposer       Role = "proposer"
	RoleVerifierEngine Role = "verifier-engine"
	RoleVerifierNode   Role = "verifier-node"
	RoleChallenger     Role = "challenger"
)

// L1Kind says what plays the L1.
type L1Kind string

const (
	// L1Geth is go-ethereum with its chain on disk; it survives Kill and Restart.
	L1Geth L1Kind = "geth"
	// L1Anvil is for tests that reorganise L1 or travel in time. Its chain is in memory: it cannot be restarted.
	L1Anvil L1Kind = "anvil"
)

// Config describes a devnet. Only Dir and Root have no default. It is stored in the data directory, so that another program
// can work on the same devnet with Open.
type Config struct {
	Dir    string `json:"dir"`              // data directory, as absolute path
	Root   string `json:"root"`             // repository checkout with node_modules and built contracts
	BinDir string `json:"binDir,omitempty"` // default Root/bin

	PortShift int `json:"portShift,omitempty"` // added to every port
	// Binaries replaces the program of a role.
	Binaries map[Role]string `json:"binaries,omitempty"`
	// ExtraArgs are appended to the arguments of a role; a flag given twice counts as given last.
	ExtraArgs map[Role][]string `json:"extraArgs,omitempty"`

	L1                 L1Kind `json:"l1,omitempty"`                 // default L1Geth
	L1BlockTimeSeconds uint64 `json:"l1BlockTimeSeconds,omitempty"` // default 2
	// Intent are the deployment's parameters; default deployer.DevnetIntent with the roles' accounts.
	Intent *deployer.Intent `json:"intent,omitempty"`

	NoBatcher  bool `json:"noBatcher,omitempty"`
	NoProposer bool `json:"noProposer,omitempty"`
	NoVerifier bool `json:"noVerifier,omitempty"`
	// NoChallenger leaves games to resolve unopposed. A checkout without a compiled step verifier never has a challenger.
	NoChallenger bool `json:"noChallenger,omitempty"`

	ProposalInterval time.Duration `json:"proposalInterval,omitempty"` // default 20 s; only finalized blocks are proposed
	DARetention      time.Duration `json:"daRetention,omitempty"`      // default 24 h
	LogLevel         string        `json:"logLevel,omitempty"`         // debug, info (default), warn, error
	// AgentFundsWei is what each agent deposits on L2; default 1,000 AGNT, zero deposits nothing.
	AgentFundsWei *hexutil.Big `json:"agentFundsWei,omitempty"`

	// StartTimeout bounds the wait for one process to become healthy, StopTimeout the time between SIGTERM and SIGKILL.
	StartTimeout time.Duration `json:"startTimeout,omitempty"` // default 60 s
	StopTimeout  time.Duration `json:"stopTimeout,omitempty"`  // default 10 s

	Followers []Follower `json:"followers,omitempty"`

	// Progress receives one line per step; nil is silent.
	Progress io.Writer `json:"-"`
}

// Follower is an additional verifier that reads L1 only.
type Follower struct {
	Name string `json:"name"`
	// NodeBinary is a program with op-node's flags, for example a stock op-node; empty is this project's node.
	NodeBinary string `json:"nodeBinary,omitempty"`
}

// ErrConfig says that a devnet cannot be run as configured.
var ErrConfig = errors.New("devnet configuration")

const configFile = "devnet.json"

// withDefaults fills in what is left out and checks the rest.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" || c.Root == "" {
		return c, fmt.Errorf("%w: the data directory and the repository's root are required", ErrConfig)
	}
	for _, p := range []*string{&c.Dir, &c.Root, &c.BinDir} {
		if p == &c.BinDir && c.BinDir == "" {
			c.BinDir = filepath.Join(c.Root, "bin")
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return c, err
		}
		*p = abs
	}
	if c.L1 == "" {
		c.L1 = L1Geth
	}
	if c.L1 != L1Geth && c.L1 != L1Anvil {
		return c, fmt.Errorf("%w: L1 is %q, not %s or %s", ErrConfig, c.L1, L1Geth, L1Anvil)
	}
	if c.L1BlockTimeSeconds == 0 {
		c.L1BlockTimeSeconds = 2
	}
	if c.Intent == nil {
		in := deployer.DevnetIntent()
		c.Intent = &in
	}
	in := *c.Intent
	in.Owner, in.Batcher = AccountOf(Deployer).Address, AccountOf(Batcher).Address
	in.UnsafeBlockSigner = AccountOf(Sequencer).Address
	in.Policy.Governance, in.Policy.FeeRecipient = in.Owner, in.Owner
	c.Intent = &in
	if err := in.Check(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if in.L1ChainID == 0 {
		return c, fmt.Errorf("%w: the intent leaves the L1's chain id open", ErrConfig)
	}
	if c.ProposalInterval == 0 {
		c.ProposalInterval = 20 * time.Second
	}
	if c.DARetention == 0 {
		c.DARetention = 24 * time.Hour
	}
	if c.LogLevel == "" {
		c.LogLevel = "info"
	}
	if c.AgentFundsWei == nil {
		c.AgentFundsWei = (*hexutil.Big)(new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether)))
	}
	if c.StartTimeout == 0 {
		c.StartTimeout = time.Minute
	}
	if c.StopTimeout == 0 {
		c.StopTimeout = 10 * time.Second
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	p := c.ports()
	if p.L1HTTP < 1024 || p.highest() > 65535 {
		return c, fmt.Errorf("%w: port shift %d moves ports out of 1024–65535", ErrConfig, c.PortShift)
	}
	return c, nil
}

func loadConfig(dir string) (Config, error) {
	var c Config
	raw, err := os.ReadFile(filepath.Join(dir, configFile))
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("%s: %w", configFile, err)
	}
	return c, nil
}
