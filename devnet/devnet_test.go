package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary plays the roles' programs when it is started with fakeArg: it appends "NAME start" and "NAME stop" to a
// journal and serves /healthz.
const fakeArg = "devnet-fake-role"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == fakeArg {
		fakeRole(os.Args[2:])
		return
	}
	os.Exit(m.Run())
}

func fakeRole(args []string) {
	name, port, journal, mode := args[0], args[1], args[2], args[3]
	note := func(what string) {
		f, err := os.OpenFile(journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err == nil {
			fmt.Fprintln(f, name, what)
			f.Close()
		}
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	note("start")
	fmt.Println(name, "says hello")
	if mode == "die" {
		fmt.Println("cannot open the database")
		os.Exit(3)
	}
	healthy := mode != "sick"
	go func() {
		err := http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !healthy {
				http.Error(w, "not yet", http.StatusServiceUnavailable)
			}
		}))
		fmt.Println(err)
		os.Exit(4)
	}()
	<-term
	if mode == "stubborn" {
		select {} // only SIGKILL helps
	}
	note("stop")
}

// fakeNet is a devnet of five fake roles, one per stage.
type fakeNet struct {
	*Devnet
	journal string
	modes   map[Role]string
	out     *bytes.Buffer
}

var lastPort atomic.Int32

// freePort never returns the same port twice, so that parallel tests do not meet.
func freePort(t *testing.T) int {
	for range 1000 {
		port := 21000 + int(lastPort.Add(1))
		if l, err := net.Listen("tcp", loopback(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func newFakeNet(t *testing.T) *fakeNet {
	t.Parallel()
	f := &fakeNet{journal: filepath.Join(t.TempDir(), "journal"), modes: map[Role]string{}, out: new(bytes.Buffer)}
	d, err := New(Config{Dir: filepath.Join(t.TempDir(), "data"), Root: t.TempDir(), Progress: f.out, StartTimeout: 3 * time.Second, StopTimeout: 500 * time.Millisecond})
	require.NoError(t, err)
	f.Devnet = d
	roles := []struct {
		role  Role
		stage int
	}{{RoleL1, stageL1}, {RoleDA, stageDA}, {RoleEngine, stageEngine}, {RoleNode, stageNode}, {RoleBatcher, stageSubmitter}}
	ports := map[Role]int{}
	for _, r := range roles {
		ports[r.role] = freePort(t)
	}
	d.specs = func() []spec {
		var out []spec
		for _, r := range roles {
			mode := f.modes[r.role]
			if mode == "" {
				mode = "well"
			}
			port := ports[r.role]
			out = append(out, spec{
				role: r.role, stage: r.stage, ports: map[string]int{"http": port}, health: httpHealth(port),
				argv: []string{os.Args[0], fakeArg, string(r.role), strconv.Itoa(port), f.journal, mode},
			})
		}
		return out
	}
	d.deploy = func(context.Context) error { return f.note("contracts deploy") }
	d.settle = func(context.Context) error { return f.note("agents fund") }
	t.Cleanup(func() { require.NoError(t, d.Down()) })
	return f
}

func (f *fakeNet) note(line string) error {
	w, err := os.OpenFile(f.journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = fmt.Fprintln(w, line)
	return err
}

func (f *fakeNet) lines(t *testing.T) []string {
	raw, err := os.ReadFile(f.journal)
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

func TestUpStartsInOrderAndDownStopsDependantsFirst(t *testing.T) {
	f := newFakeNet(t)
	require.NoError(t, f.Up(t.Context()))
	require.Equal(t, []string{
		"l1 start", "contracts deploy", "da start", "engine start", "node start", "batcher start", "agents fund",
	}, f.lines(t))
	for _, name := range []string{jwtFile, keysFile, configFile, pidsFile} {
		require.FileExists(t, f.cfg.path(name))
	}
	require.ErrorIs(t, f.Up(t.Context()), ErrUp)
	before := len(f.lines(t))

	// Another program takes it down.
	other, err := Open(f.cfg.Dir)
	require.NoError(t, err)
	other.specs = f.specs
	require.NoError(t, other.Down())
	require.Equal(t, []string{"batcher stop", "node stop", "engine stop", "da stop", "l1 stop"}, f.lines(t)[before:])
	require.Empty(t, other.table.roles())
	require.NoError(t, other.Down(), "down twice is no error")
}

func TestResumeKeepsTheChain(t *testing.T) {
	f := newFakeNet(t)
	require.ErrorIs(t, f.Resume(t.Context()), ErrNoDevnet)
	require.NoError(t, f.Up(t.Context()))
	secret, err := os.ReadFile(f.JWTPath())
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(f.cfg.path(string(RoleEngine)), 0o755))
	require.NoError(t, f.Down())
	before := len(f.lines(t))
	require.NoError(t, f.Resume(t.Context()))
	require.Equal(t, []string{"l1 start", "da start", "engine start", "node start", "batcher start"}, f.lines(t)[before:], "nothing is deployed or funded again")
	require.DirExists(t, f.cfg.path(string(RoleEngine)))
	again, err := os.ReadFile(f.JWTPath())
	require.NoError(t, err)
	require.Equal(t, secret, again)

	require.NoError(t, f.Down())
	require.NoError(t, f.Up(t.Context()))
	require.NoDirExists(t, f.cfg.path(string(RoleEngine)), "up starts a fresh chain")
}

func TestHalfStartedUpCleansUpAndSaysWhy(t *testing.T) {
	for mode, want := range map[string]string{"die": "cannot open the database", "sick": "not healthy after"} {
		t.Run(mode, func(t *testing.T) {
			f := newFakeNet(t)
			f.cfg.StartTimeout = 700 * time.Millisecond
			f.modes[RoleNode] = mode
			err := f.Up(t.Context())
			require.ErrorContains(t, err, "node")
			require.ErrorContains(t, err, want)
			if mode == "die" {
				require.ErrorIs(t, err, ErrDied)
			}
			require.NotContains(t, f.lines(t), "batcher start")
			require.NotContains(t, f.lines(t), "agents fund")
			require.Equal(t, "l1 stop", f.lines(t)[len(f.lines(t))-1])
			require.Empty(t, f.table.running())
			f.modes[RoleNode] = "well"
			f.cfg.StartTimeout = 3 * time.Second
			require.NoError(t, f.Up(t.Context()), "a failed start leaves nothing in the way")
		})
	}
}

func TestInterruptedUpCleansUp(t *testing.T) {
	f := newFakeNet(t)
	interrupt := errors.New("interrupted by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	f.deploy = func(context.Context) error { cancel(interrupt); return nil }
	require.ErrorIs(t, f.Up(ctx), interrupt)
	require.Equal(t, []string{"l1 start", "l1 stop"}, f.lines(t))
}

func TestUpRefusesBusyPorts(t *testing.T) {
	f := newFakeNet(t)
	port := f.specs()[2].ports["http"]
	l, err := net.Listen("tcp", loopback(port))
	require.NoError(t, err)
	defer l.Close()
	err = f.Up(t.Context())
	require.ErrorIs(t, err, ErrPortBusy)
	require.ErrorContains(t, err, fmt.Sprintf("%d (engine http)", port))
	require.NoFileExists(t, f.journal, "nothing was started")
}

func TestUpRefusesAForeignDirectory(t *testing.T) {
	f := newFakeNet(t)
	precious := filepath.Join(f.cfg.Dir, "thesis.tex")
	require.NoError(t, os.MkdirAll(f.cfg.Dir, 0o755))
	require.NoError(t, os.WriteFile(precious, []byte("x"), 0o644))
	require.ErrorIs(t, f.Up(t.Context()), ErrForeign)
	require.ErrorIs(t, f.Clean(), ErrForeign)
	require.FileExists(t, precious)
	require.NoError(t, os.Remove(precious))
}

func TestUpRefusesWhileAnotherCommandWorks(t *testing.T) {
	f := newFakeNet(t)
	unlock, err := f.lock()
	require.NoError(t, err)
	require.ErrorIs(t, f.Up(t.Context()), ErrLocked)
	unlock()
}

func TestKillShowsAndRestartRepairs(t *testing.T) {
	f := newFakeNet(t)
	require.NoError(t, f.Up(t.Context()))
	pid := f.PID(RoleEngine)
	require.NotZero(t, pid)
	require.NoError(t, f.Kill(RoleEngine))
	require.Zero(t, f.PID(RoleEngine))
	require.NotContains(t, f.lines(t), "engine stop", "SIGKILL leaves no time to say goodbye")
	require.ErrorIs(t, f.Kill(RoleEngine), ErrNotRunning)
	var dead []Role
	for _, p := range f.processes(t.Context(), func(string, ...any) {}) {
		if !p.Running {
			dead = append(dead, p.Role)
		}
	}
	require.Equal(t, []Role{RoleEngine}, dead)
	require.NoError(t, f.Restart(t.Context(), RoleEngine))
	require.NotEqual(t, pid, f.PID(RoleEngine))
	require.ErrorIs(t, f.Restart(t.Context(), "mystery"), ErrUnknownRole)
	for _, p := range f.processes(t.Context(), func(format string, args ...any) { t.Errorf(format, args...) }) {
		require.True(t, p.Healthy, p.Role)
	}
}

func TestStubbornProcessIsKilledAfterTheBound(t *testing.T) {
	f := newFakeNet(t)
	f.modes[RoleBatcher] = "stubborn"
	require.NoError(t, f.Up(t.Context()))
	pid := f.PID(RoleBatcher)
	begin := time.Now()
	require.NoError(t, f.Down())
	require.Less(t, time.Since(begin), 5*time.Second)
	require.Empty(t, identityOf(pid))
	require.Contains(t, f.out.String(), "killed")
}

// A pid that was given to somebody else's program must survive Down, Kill and Restart.
func TestForeignProcessWithARecordedPIDIsLeftAlone(t *testing.T) {
	f := newFakeNet(t)
	require.NoError(t, f.Up(t.Context()))
	require.NoError(t, f.Kill(RoleDA))
	stranger := exec.Command("sleep", "60")
	require.NoError(t, stranger.Start())
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	old := f.table.get(RoleDA)
	require.NoError(t, f.table.set(RoleDA, &process{PID: stranger.Process.Pid, Identity: old.Identity, Started: old.Started, Argv: old.Argv}))
	require.ErrorIs(t, f.Kill(RoleDA), ErrNotRunning)
	require.NoError(t, f.Down())
	require.NotEmpty(t, identityOf(stranger.Process.Pid), "the stranger was killed")
}

func TestProcessesOutliveASession(t *testing.T) {
	f := newFakeNet(t)
	require.NoError(t, f.Up(t.Context()))
	mine, err := syscall.Getpgid(os.Getpid())
	require.NoError(t, err)
	for _, r := range f.Roles() {
		group, err := syscall.Getpgid(f.PID(r))
		require.NoError(t, err)
		require.Equal(t, f.PID(r), group, "%s leads a session of its own", r)
		require.NotEqual(t, mine, group)
	}
}

func TestCleanRemovesOnlyWhatUpWrote(t *testing.T) {
	f := newFakeNet(t)
	require.NoError(t, f.Up(t.Context()))
	extra := f.cfg.path("notes.txt")
	require.NoError(t, os.WriteFile(extra, nil, 0o644))
	require.NoError(t, f.Clean())
	entries, err := os.ReadDir(f.cfg.Dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.FileExists(t, extra)
	require.NoError(t, os.Remove(extra))
}

func TestPortShiftMovesEveryPortAndKeepsThemApart(t *testing.T) {
	all := func(shift int) []int {
		cfg, err := Config{Dir: t.TempDir(), Root: t.TempDir(), PortShift: shift,
			Followers: make([]Follower, maxFollowers)}.withDefaults()
		require.NoError(t, err)
		for i := range cfg.Followers {
			cfg.Followers[i].Name = fmt.Sprint("f", i)
		}
		var out []int
		for _, s := range cfg.specs(nil) {
			for _, p := range s.ports {
				require.True(t, strings.Contains(strings.Join(s.argv, " "), strconv.Itoa(p)), "%s is told about port %d", s.role, p)
				out = append(out, p)
			}
		}
		slices.Sort(out)
		return out
	}
	plain, shifted := all(0), all(1234)
	require.Equal(t, plain, slices.Compact(slices.Clone(plain)), "a port is used twice")
	for i := range plain {
		require.Equal(t, plain[i]+1234, shifted[i])
	}
	for _, p := range []int{8545, 9545, 9546, 9551, 9547, 8548, 8560, 3100, 9645, 9646, 9651, 9647} {
		require.Contains(t, plain, p)
	}
	_, err := Config{Dir: "d", Root: "r", PortShift: 60000}.withDefaults()
	require.ErrorIs(t, err, ErrConfig)
}

func TestBinariesAndExtraArgsReachTheRole(t *testing.T) {
	cfg, err := Config{Dir: t.TempDir(), Root: t.TempDir(), Followers: []Follower{{Name: "stock", NodeBinary: "/opt/op-node"}, {Name: "own"}},
		Binaries: map[Role]string{RoleDA: "/opt/da"}, ExtraArgs: map[Role][]string{RoleNode: {"--sequencer.stopped"}}}.withDefaults()
	require.NoError(t, err)
	argv := map[Role][]string{}
	for _, s := range cfg.specs(nil) {
		argv[s.role] = s.argv
	}
	require.Equal(t, "/opt/da", argv[RoleDA][0])
	require.Equal(t, "--sequencer.stopped", argv[RoleNode][len(argv[RoleNode])-1])
	require.Equal(t, "/opt/op-node", argv["stock-node"][0])
	require.NotContains(t, argv["stock-node"], "--sequencer.enabled")
	require.Equal(t, filepath.Join(cfg.BinDir, "op-agnt2-node"), argv["own-node"][0])
}

func TestEnvironmentOfOPProgramsIsNotInherited(t *testing.T) {
	t.Setenv("OP_NODE_L1_ETH_RPC", "http://elsewhere")
	t.Setenv("OP_BATCHER_PRIVATE_KEY", "x")
	for _, kv := range cleanEnvironment() {
		require.False(t, strings.HasPrefix(kv, "OP_"), kv)
	}
}

func TestAccountsAreAnvils(t *testing.T) {
	require.Equal(t, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", AccountOf(Deployer).Address.Hex())
	require.Equal(t, "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720", AccountOf(Agent5).Address.Hex())
	require.Len(t, Agents(), 5)
	require.Equal(t, Agent1, Agents()[0].Name)
}
