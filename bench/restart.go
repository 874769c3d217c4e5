package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2/genesis"
)

// childVariable makes a process of this program restart an engine, report and end.
const childVariable = "AGNT2_BENCH_RESTART"

const (
	genesisFile  = "bench-genesis.json"
	childTimeout = 5 * time.Minute
)

// childReport is what the child process prints.
type childReport struct {
	Seconds float64 `json:"seconds"` // from opening the data directory to the first answer over HTTP
	RSSMiB  float64 `json:"rssMiB"`
}

// restartRow closes the engine and starts it again in a process of its own, so that time and memory are the engine's
// alone. The database is in the page cache.
func (r *runner) restartRow(ctx context.Context, w *world) error {
	agents := len(w.stream.nonce)
	r.progress("%d agents: restart", agents)
	if err := w.close(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, childTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childVariable+"="+w.dir)
	cmd.Stderr = os.Stderr
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	var c childReport
	if err := json.Unmarshal(out, &c); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	r.report.Restart = append(r.report.Restart, &RestartRow{
		Agents: agents, Seconds: c.Seconds, ProcessSeconds: time.Since(began).Seconds(), RSSMiB: c.RSSMiB, DiskMiB: diskUse(w.dir),
	})
	return nil
}

// Child does the work of a child process if this is one; its caller must then end the process.
func Child() (was bool, err error) {
	dir := os.Getenv(childVariable)
	if dir == "" {
		return false, nil
	}
	debug.SetGCPercent(engine.GCPercent)
	g, err := genesis.Load(filepath.Join(dir, genesisFile))
	if err != nil {
		return true, err
	}
	began := time.Now()
	n, err := open(dir, g, "127.0.0.1:0")
	if err != nil {
		return true, err
	}
	if err := askHead("http://" + n.Addr("http")); err != nil {
		return true, errors.Join(err, n.Close())
	}
	c := childReport{Seconds: time.Since(began).Seconds()}
	debug.FreeOSMemory()
	c.RSSMiB = rss()
	if err := json.NewEncoder(os.Stdout).Encode(c); err != nil {
		return true, err
	}
	return true, n.Close()
}

// askHead asks for the head block as a wallet would.
func askHead(url string) error {
	resp, err := http.Post(url, "application/json", bytes.NewReader([]byte(
		`{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["latest",false]}`)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var a struct {
		Result *struct{ Hash string }
		Error  any
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return err
	}
	if a.Result == nil || a.Result.Hash == "" {
		return fmt.Errorf("engine answered %v", a.Error)
	}
	return nil
}
