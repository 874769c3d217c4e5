package differential

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/internal/solidity"
)

// TestGeneratedIsCurrent runs every go:generate line of the ABI generator again and compares what it writes, Go and Solidity.
func TestGeneratedIsCurrent(t *testing.T) {
	root, dir := filepath.Join(solidity.Root(), "agnt2"), t.TempDir()
	gen := filepath.Join(dir, "gen")
	msg, err := exec.Command("go", "build", "-o", gen, filepath.Join(root, "abi", "gen")).CombinedOutput()
	require.NoError(t, err, "%s", msg)
	for _, source := range []string{"abi/abi.go", "record/key.go", "vm/frame/frame.go", "machine/differential/sample/doc.go", "erc8004/erc8004.go", "erc8004/feedback/feedback.go", "erc8004/validation/validation.go"} {
		b, err := os.ReadFile(filepath.Join(root, source))
		require.NoError(t, err)
		_, line, found := strings.Cut(string(b), "//go:generate go run ")
		require.True(t, found, source)
		line, _, _ = strings.Cut(line, "\n")
		args := strings.Fields(line)[1:]
		written := map[string]string{}
		for i := range args {
			if slices.Contains([]string{"-out", "-packed", "-unpack", "-schemas"}, args[i]) {
				copied := filepath.Join(dir, filepath.Base(args[i+1]))
				written[copied] = filepath.Join(root, filepath.Dir(source), args[i+1])
				args[i+1] = copied
			}
		}
		cmd := exec.Command(gen, args...)
		cmd.Dir = filepath.Join(root, filepath.Dir(source))
		msg, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", msg)
		require.NotEmpty(t, written, source)
		for fresh, committed := range written {
			want, err := os.ReadFile(fresh)
			require.NoError(t, err)
			have, err := os.ReadFile(committed)
			require.NoError(t, err)
			require.True(t, string(want) == string(have), "%s is not what the generator makes: run go generate ./agnt2/...", committed)
		}
	}
}
