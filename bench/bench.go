// Package bench measures the engine on this machine, side by side in one run with what it is compared to: the rate at
// which the processor recovers secp256k1 signatures, below which no engine that checks signatures can go.
//
// It drives the real engine in process (mempool, builder, Engine API, pebble with fsync) and must never stand in for a
// part of it: what a row leaves out, its name says. Rows are only comparable within one run, because a shared machine
// drifts; so the bound is measured again before and after every engine row.
//
// Sources: AGNT2 paper §4.4 (the execution budget of 5 to 10 µs per transaction), App. E.
package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	engine "github.com/agnt2/agnt2/agnt2-engine"
)

// Reach per row (issue text of the engine; AGNT2 paper §4.4 for the budget).
const (
	// reachTransition is the most microseconds that one core may spend on a transaction, signatures apart.
	reachTransition = 10.0
	// reachOfBound is the least part of the signature bound that the whole engine must reach.
	reachOfBound = 0.60
)

// Config of a run.
type Config struct {
	// Agents that are registered in the large runs; rows are printed for SmallAgents and for Agents.
	Agents int
	// Window is how long each engine row is measured.
	Window time.Duration
	// BlockTime is the wall time for which a block is open.
	BlockTime time.Duration
	// Quick leaves the large runs out and shortens the rest: whether it works at all, not how fast.
	Quick bool
	// Only runs rows whose group contains one of these, comma-separated; empty: all. Groups: engine-signed, engine-decoded,
	// engine-attested, transition, trie, restart.
	Only string
	// Profile is the head of the names of CPU profiles, one for each group of rows of the largest run; empty: none.
	Profile string
	// Dir holds the databases; made, and removed afterwards.
	Dir string
	// Progress receives what is being done.
	Progress io.Writer
}

// SmallAgents is the size of the small runs.
const SmallAgents = 10_000

// DefaultConfig measures at 10,000 and at 1,000,000 agents.
func DefaultConfig() Config {
	return Config{
		Agents: 1_000_000, Window: 10 * time.Second, BlockTime: time.Second, Dir: filepath.Join("bench", ".data"), Progress: os.Stderr,
	}
}

func (c *Config) wants(group string) bool {
	if c.Only == "" {
		return true
	}
	for _, o := range strings.Split(c.Only, ",") {
		if o != "" && strings.Contains(group, o) {
			return true
		}
	}
	return false
}

// runner carries one run.
type runner struct {
	cfg    Config
	report *Report
	bound  *bound
	began  time.Time

	profiling bool
	window    time.Duration // of each part of the bound
}

func (r *runner) progress(format string, a ...any) {
	fmt.Fprintf(r.cfg.Progress, "[%4.0fs] %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, a...))
}

// Run measures everything that the configuration asks for. An error means that a measurement could not be made or that
// the engine gave a wrong result; missing a reach is not an error.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Quick {
		cfg.Agents, cfg.Window, cfg.BlockTime = min(cfg.Agents, SmallAgents), min(cfg.Window, 2*time.Second), min(cfg.BlockTime, 500*time.Millisecond)
	}
	if cfg.Agents < minAgents {
		return nil, fmt.Errorf("at least %d agents are needed, not %d", minAgents, cfg.Agents)
	}
	debug.SetGCPercent(engine.GCPercent) // as the engine's process does
	dir, err := makeDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r := &runner{cfg: cfg, report: newReport(cfg), bound: newBound(), began: time.Now(), window: boundWindow}
	if cfg.Quick {
		r.window /= 10
	}
	r.report.Bound = r.bound.measure(r.window)
	r.progress("signature bound: %.0f/s on %d cores, %.0f/s on one", r.report.Bound.All, runtime.GOMAXPROCS(0), r.report.Bound.One)

	sizes := []int{min(SmallAgents, cfg.Agents)}
	if cfg.Agents > sizes[0] {
		sizes = append(sizes, cfg.Agents)
	}
	for i, agents := range sizes {
		if err := r.size(ctx, filepath.Join(dir, fmt.Sprint(agents)), agents, i == 0, i == len(sizes)-1); err != nil {
			return nil, fmt.Errorf("%d agents: %w", agents, err)
		}
		if err := os.RemoveAll(filepath.Join(dir, fmt.Sprint(agents))); err != nil {
			return nil, err
		}
	}
	if cfg.wants("trie") {
		r.trieRows()
	}
	r.report.Seconds = time.Since(r.began).Seconds()
	return r.report, nil
}

func makeDir(parent string) (string, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, "run-")
}

// size makes every row of one number of agents on one database.
func (r *runner) size(ctx context.Context, dir string, agents int, first, last bool) error {
	w, err := r.newWorld(ctx, dir, agents)
	if err != nil {
		return err
	}
	defer func() { w.close() }()
	r.profiling = last && r.cfg.Profile != ""
	if r.cfg.wants("transition") { // first: on the state of so many agents and nothing else
		if err := r.transitionRows(ctx, w); err != nil {
			return err
		}
	}
	modes := []mode{signed, decoded}
	if first {
		modes = append(modes, attested)
	}
	for _, m := range modes {
		if r.cfg.wants("engine-" + m.file()) {
			if err := r.engineRow(ctx, w, m); err != nil {
				return fmt.Errorf("%s: %w", m, err)
			}
		}
	}
	if r.cfg.wants("restart") {
		if err := r.restartRow(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// profile records what the processors do until stop is called, if that was asked for.
func (r *runner) profile(name string) (stop func(), err error) {
	if !r.profiling {
		return func() {}, nil
	}
	f, err := os.Create(r.cfg.Profile + "." + name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}
