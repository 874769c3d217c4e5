package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/client/cmd/internal/process"
)

const stopGrace = 5 * time.Second

// child is an agent process that reports itself in JSON lines.
type child struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer          // nil if the process got its input at the start
	events chan process.Event // closed when the process closes its output
	stderr tail
	exited chan struct{}
	err    error // of Wait; valid once exited is closed
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > tailBytes {
		t.b = append([]byte(nil), t.b[len(t.b)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}

// start runs an agent with its key in the environment. Without stdin, the agent's standard input stays open until the demo
// ends, however it ends: that is how --until-stdin-closes notices.
func start(path string, key *ecdsa.PrivateKey, stdin []byte, args ...string) (*child, error) {
	c := &child{name: filepath.Base(path), cmd: exec.Command(path, args...), events: make(chan process.Event, 64), exited: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), "AGNT2_KEY="+hexutil.Encode(crypto.FromECDSA(key)))
	c.cmd.Stderr = &c.stderr
	if stdin != nil {
		c.cmd.Stdin = bytes.NewReader(stdin)
	} else {
		var err error
		if c.stdin, err = c.cmd.StdinPipe(); err != nil {
			return nil, err
		}
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 32<<20)
		for lines.Scan() {
			var e process.Event
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				c.events <- e
			}
		}
		close(c.events)
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	return c, nil
}

// next waits for an event of that name; others are skipped.
func (c *child) next(ctx context.Context, name string) (process.Event, error) {
	for {
		select {
		case <-ctx.Done():
			return process.Event{}, fmt.Errorf("%s: no %q: %w\n%s", c.name, name, ctx.Err(), &c.stderr)
		case e, ok := <-c.events:
			if !ok {
				<-c.exited
				return process.Event{}, fmt.Errorf("%s ended without %q: %v\n%s", c.name, name, c.err, &c.stderr)
			}
			if e.Event == name {
				return e, nil
			}
		}
	}
}

// wait returns the exit code.
func (c *child) wait(ctx context.Context) (int, error) {
	for {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s does not end: %w", c.name, ctx.Err())
		case _, ok := <-c.events:
			if ok {
				continue
			}
			<-c.exited
			var failed *exec.ExitError
			if c.err != nil && !errors.As(c.err, &failed) {
				return 0, c.err
			}
			return c.cmd.ProcessState.ExitCode(), nil
		}
	}
}

// stop ends the process: its input closes, SIGTERM, then SIGKILL. It may be called more than once.
func (c *child) stop() {
	if c.stdin != nil {
		_ = c.stdin.Close()
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	events := c.events
	for {
		select {
		case _, ok := <-events:
			if !ok {
				events = nil // ended or ending
			}
		case <-c.exited:
			return
		case <-timer.C:
			_ = c.cmd.Process.Kill()
		}
	}
}

// program finds an agent's binary beside the demo's own, or builds it into dir when run from a checkout.
func program(ctx context.Context, name, dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	path := filepath.Join(dir, name)
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/agnt2/agnt2/client/cmd/"+name)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s is not beside %s, and building it failed: %v\n%s", name, self, err, out)
	}
	return path, nil
}
