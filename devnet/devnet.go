package devnet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/ops/deployer"
)

var (
	// ErrUp says that the data directory's devnet is running.
	ErrUp = errors.New("a devnet is up")
	// ErrNoDevnet says that the data directory holds no devnet.
	ErrNoDevnet = errors.New("no devnet here")
	// ErrLocked says that another command works on the same data directory.
	ErrLocked = errors.New("another devnet command is at work")
	// ErrForeign says that the data directory holds something that is not a devnet's.
	ErrForeign = errors.New("directory is not a devnet's")
	// ErrUnknownRole says that there is no process of that name.
	ErrUnknownRole = errors.New("no such process")
	// ErrVolatile says that a process cannot be started again without the rest.
	ErrVolatile = errors.New("process cannot be restarted")
)

// Files of the data directory, apart from the deployer's.
const (
	pidsFile = "pids"
	jwtFile  = "jwt.hex"
	keysFile = "keys.json"
	lockFile = "lock"
	logsDir  = "logs"
)

// Devnet is one rollup on this machine. Its methods may be called from several goroutines; those that start or stop
// something exclude each other, also between programs.
type Devnet struct {
	mu       sync.Mutex // guards cfg and deployed
	cfg      Config
	deployed *deployer.Result
	table    *processTable
	saying   sync.Mutex // guards cfg.Progress

	// Steps that tests replace.
	specs  func() []spec
	deploy func(context.Context) error
	settle func(context.Context) error // after all processes are healthy
}

// New describes a devnet; nothing is started or written.
func New(cfg Config) (*Devnet, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Devnet{cfg: cfg}
	if d.table, err = openProcessTable(d.cfg.path(pidsFile)); err != nil {
		return nil, err
	}
	d.specs, d.deploy, d.settle = d.defaultSpecs, d.deployContracts, d.fundAgents
	return d, nil
}

// Open returns the devnet whose Up ran in dir, from this program or another.
func Open(dir string) (*Devnet, error) {
	cfg, err := loadConfig(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoDevnet, dir)
	} else if err != nil {
		return nil, err
	}
	d, err := New(cfg)
	if err != nil {
		return nil, err
	}
	d.deployed, err = deployer.LoadResult(cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return d, nil
}

// SetProgress sends the lines that Up and Down print to w.
func (d *Devnet) SetProgress(w io.Writer) {
	d.saying.Lock()
	defer d.saying.Unlock()
	d.cfg.Progress = w
}

func (d *Devnet) say(format string, args ...any) {
	d.saying.Lock()
	defer d.saying.Unlock()
	fmt.Fprintf(d.cfg.Progress, format+"\n", args...)
}

func (d *Devnet) defaultSpecs() []spec {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg.specs(d.deployed)
}

func (d *Devnet) spec(r Role) (spec, error) {
	var names []string
	for _, s := range d.specs() {
		if s.role == r {
			return s, nil
		}
		names = append(names, string(s.role))
	}
	return spec{}, fmt.Errorf("%w: %q; this devnet has %s", ErrUnknownRole, r, strings.Join(names, ", "))
}

// lock excludes other commands on the same directory.
func (d *Devnet) lock() (unlock func(), err error) {
	if err := os.MkdirAll(d.cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.cfg.path(lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w in %s", ErrLocked, d.cfg.Dir)
	}
	return func() {
		// Explicitly: a process that another goroutine is just starting may hold a copy of the descriptor.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
		f.Close()
	}, nil
}

// Up starts a fresh chain and returns when the first transaction can be submitted. What an earlier devnet left in the
// directory is removed first. If anything fails or ctx ends, all that was started is stopped again; the logs stay.
func (d *Devnet) Up(ctx context.Context) error {
	return d.start(ctx, func() error {
		if err := d.wipe(); err != nil {
			return err
		}
		return d.prepare()
	}, d.deploy, d.settle)
}

// Resume starts the chain that Down stopped, from where it was. L1 produces the blocks that it missed at once, and L2 catches
// up with them.
func (d *Devnet) Resume(ctx context.Context) error {
	first := d.specs()[0]
	if first.volatile != "" {
		return fmt.Errorf("%w: %s: %s", ErrVolatile, first.role, first.volatile)
	}
	if _, err := os.Stat(d.cfg.path(keysFile)); err != nil {
		return fmt.Errorf("%w: %s has no chain to resume", ErrNoDevnet, d.cfg.Dir)
	}
	nothing := func(context.Context) error { return nil }
	return d.start(ctx, func() error { return nil }, nothing, nothing)
}

// start checks that the directory, the programs and the ports are to be had, prepares, and starts every process in order.
func (d *Devnet) start(ctx context.Context, prepare func() error, afterL1, afterAll func(context.Context) error) (err error) {
	if err := d.ownDirectory(); err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.table.reload(); err != nil {
		return err
	}
	if running := d.table.running(); len(running) > 0 {
		return fmt.Errorf("%w in %s (%s): take it down first", ErrUp, d.cfg.Dir, joinRoles(running))
	}
	specs := d.specs()
	for _, s := range specs {
		if _, err := os.Stat(s.argv[0]); err != nil {
			return fmt.Errorf("program of %s: %w: build the binaries first (just build)", s.role, err)
		}
	}
	if err := freePorts(specs); err != nil {
		return err
	}
	if err := prepare(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.say("start failed, stopping what was started: %v", err)
			if derr := d.stopAll(); derr != nil {
				err = errors.Join(err, derr)
			}
		}
	}()
	begin := time.Now()
	if err := d.launch(ctx, specs[0]); err != nil {
		return err
	}
	if err := afterL1(ctx); err != nil {
		return fmt.Errorf("deployment: %w", err)
	}
	for _, s := range d.specs()[1:] { // again: addresses are known now
		if err := d.launch(ctx, s); err != nil {
			return err
		}
	}
	if err := afterAll(ctx); err != nil {
		return err
	}
	d.say("devnet is up after %.0f s", time.Since(begin).Seconds())
	return nil
}

// prepare writes the files that the processes start from.
func (d *Devnet) prepare() error {
	if err := os.MkdirAll(d.cfg.path(logsDir), 0o755); err != nil {
		return err
	}
	if err := writeJSON(d.cfg.path(configFile), d.cfg); err != nil {
		return err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	if err := os.WriteFile(d.cfg.path(jwtFile), []byte(hex.EncodeToString(secret)+"\n"), 0o600); err != nil {
		return err
	}
	keys := map[string]Account{}
	for _, a := range Accounts() {
		keys[a.Name] = a
	}
	return writeJSON(d.cfg.path(keysFile), keys)
}

// launch starts one process and waits until it is healthy.
func (d *Devnet) launch(ctx context.Context, s spec) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	begin := time.Now()
	log := d.LogPath(s.role)
	p, err := spawn(s.argv, cleanEnvironment(), log)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.role, err)
	}
	if err := d.table.set(s.role, p); err != nil {
		_, _ = p.stop(d.cfg.StopTimeout)
		return fmt.Errorf("record %s: %w", s.role, err)
	}
	limit, cancel := context.WithTimeoutCause(ctx, d.cfg.StartTimeout, fmt.Errorf("not healthy after %s", d.cfg.StartTimeout))
	defer cancel()
	if err := await(limit, p, s.health); err != nil {
		return fmt.Errorf("%s (pid %d): %w\nlast lines of %s:\n%s", s.role, p.PID, err, log, tail(log, 15))
	}
	var ports []string
	for _, name := range sortedNames(s.ports) {
		ports = append(ports, fmt.Sprintf("%s %d", name, s.ports[name]))
	}
	d.say("%-16s healthy after %.1f s, pid %d, %s", s.role, time.Since(begin).Seconds(), p.PID, strings.Join(ports, ", "))
	return nil
}

func (d *Devnet) deployContracts(ctx context.Context) error {
	begin := time.Now()
	var lines []string
	res, err := deployer.Run(ctx, *d.cfg.Intent, deployer.Options{
		L1RPC: d.Endpoints().L1, DeployerKey: AccountOf(Deployer).Key, BatcherKey: AccountOf(Batcher).Key,
		Artifacts: deployer.ArtifactsIn(d.cfg.Root), OutDir: d.cfg.Dir, Patience: 2 * time.Minute,
		Progress: func(done, total int, what string) {
			line := fmt.Sprintf("[%2d/%d] %s", done, total, what)
			lines = append(lines, line)
			if done%10 == 0 || done == total {
				d.say("deploy           %s", line)
			}
		},
	})
	_ = os.WriteFile(d.LogPath("deploy"), []byte(strings.Join(lines, "\n")+"\n"), 0o644)
	if err != nil {
		return err
	}
	d.say("deploy           %d contracts, %.1fM gas, %.1f s", len(res.Addresses), float64(res.GasUsed)/1e6, time.Since(begin).Seconds())
	d.mu.Lock()
	d.deployed = res
	d.mu.Unlock()
	return nil
}

// Down stops everything that was started, dependants first. It is not an error if nothing runs.
func (d *Devnet) Down() error {
	if _, err := os.Stat(d.cfg.path(pidsFile)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return d.stopAll()
}

func (d *Devnet) stopAll() error {
	if err := d.table.reload(); err != nil {
		return err
	}
	stages := map[Role]int{}
	for _, s := range d.specs() {
		stages[s.role] = s.stage
	}
	byStage := map[int][]Role{}
	for _, r := range d.table.roles() {
		stage, known := stages[r]
		if !known {
			stage = stageSubmitter
		}
		byStage[stage] = append(byStage[stage], r)
	}
	var errs []error
	for _, stage := range slices.Backward(slices.Sorted(maps.Keys(byStage))) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for _, r := range byStage[stage] {
			wg.Go(func() {
				if err := d.stopOne(r); err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	return errors.Join(errs...)
}

// stopOne ends a role and forgets it once it is gone.
func (d *Devnet) stopOne(r Role) error {
	p := d.table.get(r)
	if p.alive() {
		begin := time.Now()
		killed, err := p.stop(d.cfg.StopTimeout)
		if err != nil {
			return fmt.Errorf("stop %s: %w", r, err)
		}
		how := "stopped"
		if killed {
			how = "killed, it did not stop on SIGTERM"
		}
		d.say("%-16s %s after %.1f s", r, how, time.Since(begin).Seconds())
	}
	return d.table.set(r, nil)
}

// Kill ends a role with SIGKILL, as a crash would, and waits until it is gone. Its record stays, so that Status shows it as
// dead and Restart brings it back.
func (d *Devnet) Kill(r Role) error {
	if _, err := d.spec(r); err != nil {
		return err
	}
	if err := d.table.reload(); err != nil {
		return err
	}
	p := d.table.get(r)
	if p == nil {
		return fmt.Errorf("%s: %w", r, ErrNotRunning)
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("%s: %w", r, err)
	}
	if !p.gone(5 * time.Second) {
		return fmt.Errorf("%s: pid %d does not go away after SIGKILL", r, p.PID)
	}
	return nil
}

// Stop ends a role in the orderly way; Restart brings it back.
func (d *Devnet) Stop(r Role) error {
	if _, err := d.spec(r); err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.table.reload(); err != nil {
		return err
	}
	return d.stopOne(r)
}

// Restart stops a role if it runs, starts it on its old data and waits until it is healthy.
func (d *Devnet) Restart(ctx context.Context, r Role) error {
	s, err := d.spec(r)
	if err != nil {
		return err
	}
	if s.volatile != "" {
		return fmt.Errorf("%w: %s: %s", ErrVolatile, r, s.volatile)
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.table.reload(); err != nil {
		return err
	}
	if err := d.stopOne(r); err != nil {
		return err
	}
	return d.launch(ctx, s)
}

// SetExtraArgs replaces the extra arguments of a role; they count from its next Restart on.
func (d *Devnet) SetExtraArgs(r Role, args ...string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cfg.ExtraArgs == nil {
		d.cfg.ExtraArgs = map[Role][]string{}
	}
	d.cfg.ExtraArgs[r] = args
	return writeJSON(d.cfg.path(configFile), d.cfg)
}

// AddFollower starts one more verifier: an engine of this project and a node that is either this project's or, if
// nodeBinary names one, a program with op-node's flags. It reads L1 and the DA server only.
func (d *Devnet) AddFollower(ctx context.Context, name, nodeBinary string) error {
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.table.reload(); err != nil {
		return err
	}
	engine, node := followerRoles(name)
	for _, s := range d.specs() {
		if s.role == engine || s.role == node {
			return fmt.Errorf("%w: there is a %s already", ErrConfig, s.role)
		}
	}
	d.mu.Lock()
	if len(d.cfg.Followers) == maxFollowers {
		d.mu.Unlock()
		return fmt.Errorf("%w: at most %d followers", ErrConfig, maxFollowers)
	}
	d.cfg.Followers = append(d.cfg.Followers, Follower{Name: name, NodeBinary: nodeBinary})
	n := len(d.cfg.Followers)
	specs := d.cfg.followerSpecs(n-1, d.cfg.Followers[n-1], d.cfg.ports(), d.deployed)
	err = writeJSON(d.cfg.path(configFile), d.cfg)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	if err := freePorts(specs); err != nil {
		return err
	}
	for _, s := range specs {
		if err := d.launch(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Clean takes the devnet down and removes its data directory.
func (d *Devnet) Clean() error {
	if err := d.Down(); err != nil {
		return err
	}
	if err := d.ownDirectory(); err != nil {
		return err
	}
	if err := d.wipe(); err != nil {
		return err
	}
	for _, name := range []string{configFile, lockFile} {
		if err := os.Remove(d.cfg.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(d.cfg.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}

// ownDirectory refuses to work in a directory with content that no devnet wrote.
func (d *Devnet) ownDirectory() error {
	entries, err := os.ReadDir(d.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == configFile || e.Name() == lockFile {
			return nil
		}
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: %s contains %q and no %s: choose an empty or new one", ErrForeign, d.cfg.Dir, entries[0].Name(), configFile)
	}
	return nil
}

// wipe removes what an earlier devnet wrote, by name; the lock and the configuration stay.
func (d *Devnet) wipe() error {
	names := []string{
		pidsFile, jwtFile, keysFile, logsDir, deployer.AddressesFile, deployer.GenesisFile, deployer.RollupFile,
		deployer.L1ChainConfigFile, deployer.StateFile,
	}
	old := d.specs()
	if cfg, err := loadConfig(d.cfg.Dir); err == nil { // the earlier devnet may have had other followers
		old = append(old, cfg.specs(nil)...)
	}
	for _, s := range old {
		names = append(names, string(s.role))
	}
	for _, name := range names {
		if err := os.RemoveAll(d.cfg.path(name)); err != nil {
			return err
		}
	}
	return d.table.reload()
}

// Endpoints are the URLs of a devnet. They are known before it is up.
type Endpoints struct {
	L1, L1WS, L1Beacon               string
	DA                               string
	Engine, EngineWS, EngineAuth     string
	Node                             string
	Batcher, Proposer, Challenger    string
	VerifierEngine, VerifierEngineWS string
	VerifierEngineAuth, VerifierNode string
}

// Endpoints returns the URLs of the devnet's processes.
func (d *Devnet) Endpoints() Endpoints { return d.cfg.Endpoints() }

// Endpoints returns the URLs that a devnet with this configuration has.
func (c *Config) Endpoints() Endpoints {
	p := c.ports()
	return Endpoints{
		L1: url("http", p.L1HTTP), L1WS: url("ws", p.L1HTTP), L1Beacon: url("http", p.L1Beacon), DA: url("http", p.DA),
		Engine: url("http", p.Sequencer.HTTP), EngineWS: url("ws", p.Sequencer.WS), EngineAuth: url("http", p.Sequencer.Auth),
		Node: url("http", p.Sequencer.Node), Batcher: url("http", p.Batcher), Proposer: url("http", p.Proposer), Challenger: url("http", p.Challenger),
		VerifierEngine: url("http", p.Verifier.HTTP), VerifierEngineWS: url("ws", p.Verifier.WS),
		VerifierEngineAuth: url("http", p.Verifier.Auth), VerifierNode: url("http", p.Verifier.Node),
	}
}

// FollowerEndpoints are the URLs of a follower's engine and node.
type FollowerEndpoints struct{ Engine, EngineWS, EngineAuth, Node string }

// Follower returns the endpoints of a follower that AddFollower started.
func (d *Devnet) Follower(name string) (FollowerEndpoints, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, f := range d.cfg.Followers {
		if f.Name == name {
			p := d.cfg.ports().followers[i]
			return FollowerEndpoints{url("http", p.HTTP), url("ws", p.WS), url("http", p.Auth), url("http", p.Node)}, nil
		}
	}
	return FollowerEndpoints{}, fmt.Errorf("%w: follower %q", ErrUnknownRole, name)
}

// Config returns the configuration with its defaults filled in.
func (d *Devnet) Config() Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cfg
}

// Deployment returns addresses, genesis and rollup configuration; nil before Up has deployed.
func (d *Devnet) Deployment() *deployer.Result {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.deployed
}

// Addresses returns the L1 contracts by name; empty before Up has deployed.
func (d *Devnet) Addresses() map[string]common.Address {
	if r := d.Deployment(); r != nil {
		return maps.Clone(r.Addresses)
	}
	return map[string]common.Address{}
}

// Keys returns the development accounts by name.
func (d *Devnet) Keys() map[string]Account {
	out := map[string]Account{}
	for _, a := range Accounts() {
		out[a.Name] = a
	}
	return out
}

// JWTPath is the file with the secret of the engines' authenticated ports.
func (d *Devnet) JWTPath() string { return d.cfg.path(jwtFile) }

// LogPath is the log of a role, or of "deploy".
func (d *Devnet) LogPath(r Role) string { return d.cfg.path(logsDir, string(r)+".log") }

// PID returns the process of a role, or 0 if it does not run.
func (d *Devnet) PID(r Role) int {
	if p := d.table.get(r); p.alive() {
		return p.PID
	}
	return 0
}

// Roles returns the names of all processes in the order of start.
func (d *Devnet) Roles() []Role {
	var out []Role
	for _, s := range d.specs() {
		out = append(out, s.role)
	}
	return out
}

func joinRoles(rs []Role) string {
	var names []string
	for _, r := range rs {
		names = append(names, string(r))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
