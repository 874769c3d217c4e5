package devnet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	// ErrNotRunning says that a role has no running process.
	ErrNotRunning = errors.New("not running")
	// ErrDied says that a process ended while the devnet waited for it.
	ErrDied = errors.New("process ended")
)

// process is what the pids file knows about one role. Identity is the process's start time: a pid alone may by now belong to
// somebody else's program.
type process struct {
	PID      int       `json:"pid"`
	Identity string    `json:"identity"`
	Started  time.Time `json:"started"`
	Argv     []string  `json:"argv"`
}

// identityOf returns what tells the process with this pid from every other that had or will have the same pid, or "" if
// there is none. A zombie counts as none once its last thread is gone: until then its sockets are open.
func identityOf(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil {
		// pid (comm) state ppid …; comm may contain anything, also parentheses. Field 20 counts threads, 22 is the start time.
		i := bytes.LastIndexByte(raw, ')')
		fields := strings.Fields(string(raw[i+1:]))
		if i < 0 || len(fields) < 20 || fields[0] == "X" {
			return ""
		}
		if threads, _ := strconv.Atoi(fields[17]); fields[0] == "Z" && threads <= 1 {
			return ""
		}
		boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
		return strings.TrimSpace(string(boot)) + "/" + fields[19]
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		return ""
	}
	out, err := exec.Command("ps", "-o", "stat=,lstart=", "-p", strconv.Itoa(pid)).Output() // systems without /proc
	stat, start, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || stat == "" || strings.HasPrefix(stat, "Z") {
		return ""
	}
	return strings.TrimSpace(start)
}

func (p *process) alive() bool {
	return p != nil && p.Identity != "" && identityOf(p.PID) == p.Identity
}

// signal reaches the process only while it is still the one that was started.
func (p *process) signal(sig syscall.Signal) error {
	if !p.alive() {
		return ErrNotRunning
	}
	if err := syscall.Kill(p.PID, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// stop asks the process to end, and after the bound kills it. It returns when the process is gone.
func (p *process) stop(bound time.Duration) (killed bool, err error) {
	if err := p.signal(syscall.SIGTERM); errors.Is(err, ErrNotRunning) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	if p.gone(bound) {
		return false, nil
	}
	if err := p.signal(syscall.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
		return true, err
	}
	if !p.gone(bound) {
		return true, fmt.Errorf("pid %d does not go away after SIGKILL", p.PID)
	}
	return true, nil
}

func (p *process) gone(bound time.Duration) bool {
	for deadline := time.Now().Add(bound); p.alive(); {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

// processTable is the pids file.
type processTable struct {
	mu     sync.Mutex
	path   string
	byRole map[Role]*process
}

func openProcessTable(path string) (*processTable, error) {
	t := &processTable{path: path}
	return t, t.reload()
}

// reload reads what another program may have written since.
func (t *processTable) reload() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byRole = map[Role]*process{}
	raw, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &t.byRole); err != nil {
		return fmt.Errorf("%s: %w", t.path, err)
	}
	return nil
}

func (t *processTable) get(r Role) *process {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byRole[r]
}

// set records a process; nil forgets it.
func (t *processTable) set(r Role, p *process) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p == nil {
		delete(t.byRole, r)
	} else {
		t.byRole[r] = p
	}
	return writeJSON(t.path, t.byRole)
}

func (t *processTable) roles() []Role {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Role
	for r := range t.byRole {
		out = append(out, r)
	}
	return out
}

func (t *processTable) running() []Role {
	var out []Role
	for _, r := range t.roles() {
		if t.get(r).alive() {
			out = append(out, r)
		}
	}
	return out
}

// spawn starts a program in a session of its own, so that neither a terminal's signals nor the end of this program reach it.
func spawn(argv []string, env []string, logPath string) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(logPath), 0o755); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{PID: cmd.Process.Pid, Identity: identityOf(cmd.Process.Pid), Started: time.Now().UTC().Truncate(time.Second), Argv: argv}
	go func() { _ = cmd.Wait() }() // collects the zombie while this program lives
	return p, nil
}

// cleanEnvironment drops the variables that the roles take flags from: one that is set in a developer's shell would
// silently change a role.
func cleanEnvironment() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !slices.ContainsFunc([]string{"OP_NODE_", "OP_BATCHER_", "OP_PROPOSER_", "AGNT2_CHALLENGER_"}, func(p string) bool { return strings.HasPrefix(kv, p) }) {
			out = append(out, kv)
		}
	}
	return out
}

// await polls health until it answers, the process ends or the time is over.
func await(ctx context.Context, p *process, health func(context.Context) error) error {
	var last error
	for {
		if !p.alive() {
			return ErrDied
		}
		probe, cancel := context.WithTimeout(ctx, 2*time.Second)
		last = health(probe)
		cancel()
		if last == nil {
			return nil
		}
		t := time.NewTimer(100 * time.Millisecond)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%w; last answer: %w", context.Cause(ctx), last)
		}
	}
}

// tail returns the last lines of a log.
func tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 64 << 10
	if st, err := f.Stat(); err == nil && st.Size() > most {
		_, _ = f.Seek(-most, 2)
	}
	buf := new(bytes.Buffer)
	_, _ = buf.ReadFrom(f)
	all := strings.Split(strings.TrimRight(buf.String(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// writeJSON replaces the file at once.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
