package bench

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// Report of a run. Rates are per second of wall time; µs per transaction are processor time.
type Report struct {
	Machine    string           `json:"machine"`
	Cores      int              `json:"cores"`
	Go         string           `json:"go"`
	Quick      bool             `json:"quick"`
	BlockTime  string           `json:"blockTime"`
	Bound      Bound            `json:"bound"` // at the start
	Engine     []*EngineRow     `json:"engine"`
	Transition []*TransitionRow `json:"transition"`
	Commit     []*CommitRow     `json:"commit"`
	Trie       []*TrieRow       `json:"trie"`
	Restart    []*RestartRow    `json:"restart"`
	Seconds    float64          `json:"seconds"`
}

// EngineRow is the whole pipeline under one kind of load.
type EngineRow struct {
	Agents         int     `json:"agents"`
	Mode           string  `json:"mode"`
	TxPerSecond    float64 `json:"txPerSecond"`
	OfBound        float64 `json:"ofBound"` // recoveries (or, without, transactions) per second ÷ the bound
	TxPerBlock     float64 `json:"txPerBlock"`
	Blocks         int     `json:"blocks"`
	Seconds        float64 `json:"seconds"`
	CPUMicrosPerTx float64 `json:"cpuMicrosPerTx"`
	SealMillis     float64 `json:"sealMillis"`   // getPayload
	CommitMillis   float64 `json:"commitMillis"` // newPayload and forkchoiceUpdated
	Before         Bound   `json:"boundBefore"`
	After          Bound   `json:"boundAfter"`
	RSSMiB         float64 `json:"rssMiB"` // of this process, the workload included
	Reach          string  `json:"reach,omitempty"`
	// Rounds is how many there were. Lowest and highest are theirs; everything else is of the one with the median ratio.
	Rounds         int     `json:"rounds"`
	LowestOfBound  float64 `json:"lowestOfBound"`
	HighestOfBound float64 `json:"highestOfBound"`
}

// TransitionRow is one core's work on a transaction, signatures apart.
type TransitionRow struct {
	Agents       int     `json:"agents"`
	Cache        string  `json:"cache"`
	Txs          int     `json:"txs"`
	ApplyMicros  float64 `json:"applyMicros"`  // execution with events
	CommitMicros float64 `json:"commitMicros"` // Merkle commit
	SumMicros    float64 `json:"sumMicros"`
	WallMicros   float64 `json:"wallMicros"`  // of the sum
	RootsMicros  float64 `json:"rootsMicros"` // receipts with their blooms, transaction and receipt roots: not in the sum
	ChangedPerTx float64 `json:"changedRecordsPerTx"`
	BytesPerTx   float64 `json:"allocatedBytesPerTx"`
	// RecoveryMicros is the processor time of one signature recovery on one core just before and after: what the others are to
	// be seen beside when the machine is shared.
	RecoveryMicros float64 `json:"recoveryMicros"`
	Reach          string  `json:"reach,omitempty"`
}

// CommitRow is the Merkle commit of small blocks on one core.
type CommitRow struct {
	Agents          int     `json:"agents"`
	Changes         int     `json:"changes"`
	BlocksPerSecond float64 `json:"blocksPerSecond"`
	MicrosPerRecord float64 `json:"microsPerRecord"`
}

// TrieRow is the trie alone on one core.
type TrieRow struct {
	Leaves         int     `json:"leaves"`
	Batch          int     `json:"batch"`
	NanosPerRecord float64 `json:"nanosPerRecord"`
	BuildSeconds   float64 `json:"buildSeconds"`
}

// RestartRow is a fresh process on an existing database.
type RestartRow struct {
	Agents         int     `json:"agents"`
	Seconds        float64 `json:"seconds"`        // open to first answer
	ProcessSeconds float64 `json:"processSeconds"` // start to orderly end of the process
	RSSMiB         float64 `json:"rssMiB"`
	DiskMiB        float64 `json:"diskMiB"`
}

func newReport(cfg Config) *Report {
	return &Report{Machine: cpuModel(), Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), Quick: cfg.Quick, BlockTime: cfg.BlockTime.String()}
}

func reach(ok bool) string {
	if ok {
		return "PASS"
	}
	return "short of reach"
}

// Print writes the tables.
func (r *Report) Print(out io.Writer) error {
	fmt.Fprintf(out, "\n%s, %d cores, %s", r.Machine, r.Cores, r.Go)
	if r.Quick {
		fmt.Fprint(out, " (quick: too short to quote)")
	}
	fmt.Fprintf(out, "\nsecp256k1 recoveries at the start: %.0f/s on all cores, %.0f/s on one (%.1f µs each)\n", r.Bound.All, r.Bound.One, 1e6/r.Bound.One)
	w := tabwriter.NewWriter(out, 2, 0, 2, ' ', tabwriter.AlignRight)
	section := func(title string, head ...string) {
		w.Flush()
		fmt.Fprintf(out, "\n%s\n", title)
		fmt.Fprintln(w, strings.Join(head, "\t")+"\t")
	}
	if len(r.Engine) > 0 {
		section("Whole engine, submit → executed → committed with fsync; INVOKE + RESPOND, blocks open for "+r.BlockTime,
			"agents", "load", "tx/s", "bound before", "after", "of bound", "rounds", "tx/block", "CPU µs/tx", "seal ms", "commit ms", "RSS MiB", "reach ≥ 60 %")
	}
	for _, e := range r.Engine {
		fmt.Fprintf(w, "%d\t%s\t%.0f\t%.0f\t%.0f\t%.0f %%\t%s\t%.0f\t%.1f\t%.0f\t%.0f\t%.0f\t%s\t\n", e.Agents, e.Mode, e.TxPerSecond, e.Before.All,
			e.After.All, 100*e.OfBound, e.spread(), e.TxPerBlock, e.CPUMicrosPerTx, e.SealMillis, e.CommitMillis, e.RSSMiB, e.Reach)
	}
	if len(r.Transition) > 0 {
		section("One core, signatures apart, µs of processor time per transaction",
			"agents", "state", "execution", "Merkle commit", "sum", "(wall)", "receipts + roots", "one recovery", "records/tx", "bytes/tx", "reach ≤ 10 µs")
	}
	for _, t := range r.Transition {
		fmt.Fprintf(w, "%d\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%s\t\n", t.Agents, t.Cache, t.ApplyMicros, t.CommitMicros, t.SumMicros,
			t.WallMicros, t.RootsMicros, t.RecoveryMicros, t.ChangedPerTx, t.BytesPerTx, t.Reach)
	}
	if len(r.Commit) > 0 {
		section("Merkle commit of small blocks, one core", "agents", "changed records", "blocks/s", "µs/record")
	}
	for _, c := range r.Commit {
		fmt.Fprintf(w, "%d\t%d\t%.0f\t%.2f\t\n", c.Agents, c.Changes, c.BlocksPerSecond, c.MicrosPerRecord)
	}
	if len(r.Trie) > 0 {
		section("Trie alone, half updates and half inserts, root included, one core", "leaves", "batch", "ns/record", "build s")
	}
	for _, t := range r.Trie {
		fmt.Fprintf(w, "%d\t%d\t%.0f\t%.1f\t\n", t.Leaves, t.Batch, t.NanosPerRecord, t.BuildSeconds)
	}
	if len(r.Restart) > 0 {
		section("Restart in a new process", "agents", "open → serving s", "whole process s", "RSS MiB", "disk MiB")
	}
	for _, s := range r.Restart {
		fmt.Fprintf(w, "%d\t%.2f\t%.2f\t%.0f\t%.0f\t\n", s.Agents, s.Seconds, s.ProcessSeconds, s.RSSMiB, s.DiskMiB)
	}
	w.Flush()
	_, err := fmt.Fprintf(out, "\nmeasured in %.0f s\n", r.Seconds)
	return err
}

// spread is the lowest and the highest ratio of the rounds.
func (e *EngineRow) spread() string {
	if e.Rounds == 1 {
		return "1"
	}
	return fmt.Sprintf("%d: %.0f–%.0f", e.Rounds, 100*e.LowestOfBound, 100*e.HighestOfBound)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// cpuTime is what this process has used of all processors, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // a constant argument and a valid pointer: cannot be
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rss is this process's resident memory in MiB; 0 where /proc does not tell.
func rss() float64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(raw), &size, &resident); err != nil {
		return 0
	}
	return float64(resident*int64(os.Getpagesize())) / (1 << 20)
}

func diskUse(dir string) float64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				total += i.Size()
			}
		}
		return nil
	})
	return float64(total) / (1 << 20)
}

func cpuModel() string {
	raw, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(raw), "\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			return strings.TrimSpace(v)
		}
	}
	return runtime.GOARCH
}
