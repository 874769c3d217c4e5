// Package anvil starts Foundry's anvil for tests. The system picks its port, so that no two tests, of whatever package, can meet on one.
package anvil

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// startTimeout is far above what anvil needs, even on a machine that is busy with other tests.
const startTimeout = 60 * time.Second

// Start runs anvil, from the npm packages of the repository at root, until the test ends or stop is called. Without the packages
// the test is skipped.
func Start(t testing.TB, root string, args ...string) (url string, stop func()) {
	t.Helper()
	bin := filepath.Join(root, "node_modules", "@foundry-rs", "anvil-"+runtime.GOOS+"-"+runtime.GOARCH, "bin", "anvil")
	if _, err := os.Stat(bin); err != nil {
		t.Skipf("needs anvil from the npm packages: %v", err)
	}
	cmd := exec.Command(bin, append([]string{"--host", "127.0.0.1", "--port", "0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	t.Cleanup(stop)
	listening := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() { // to the end, or its log would fill the pipe
			if _, address, ok := strings.Cut(lines.Text(), "Listening on "); ok {
				listening <- address
			}
		}
		close(listening)
	}()
	select {
	case address, ok := <-listening:
		if !ok {
			t.Fatal("anvil ended before it listened")
		}
		return "http://" + strings.TrimSpace(address), stop
	case <-time.After(startTimeout):
		t.Fatalf("anvil does not listen after %s", startTimeout)
	}
	return "", nil
}
