package devnet

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

func sampleStatus() *Status {
	h := func(b byte) common.Hash { return common.BytesToHash([]byte{b}) }
	agree := &Agreement{Block: 40, Hash: h(1), StateRoot: h(2), SequencerHash: h(1), SequencerStateRoot: h(2), Equal: true}
	return &Status{
		Problems:  []string{"game 1 claims the wrong root"},
		L1:        L1Heads{Head: 31, Safe: 21, Finalized: 28},
		Sequencer: &NodeStatus{Name: "sequencer", CurrentL1: 30, Unsafe: Head{50, h(3), 29}, Safe: Head{42, h(4), 26}, Finalized: Head{20, h(5), 14}},
		Verifier:  &NodeStatus{Name: "verifier", CurrentL1: 29, Unsafe: Head{40, h(1), 25}, Safe: Head{40, h(1), 25}, Finalized: Head{20, h(5), 14}, Agreement: agree},
		GameCount: 2,
		Games: []GameStatus{
			{Index: 0, Address: common.BytesToAddress([]byte{9}), L2Block: 30, RootClaim: h(6), Output: h(6), Matches: true, Status: "IN_PROGRESS", Claims: 1},
			{Index: 1, Address: common.BytesToAddress([]byte{10}), L2Block: 36, RootClaim: h(7), Output: h(8), Status: "IN_PROGRESS", Claims: 3},
		},
		Processes: []ProcessStatus{
			{Role: RoleL1, PID: 100, Running: true, Healthy: true, UptimeSeconds: 75, Ports: map[string]int{"rpc": 8545, "beacon": 8546}, Log: "logs/l1.log"},
			{Role: RoleEngine, Error: "not running", Ports: map[string]int{"http": 9545}, Log: "logs/engine.log"},
		},
	}
}

// The JSON is what scripts read: its shape changes only on purpose.
func TestStatusGolden(t *testing.T) {
	raw, err := json.MarshalIndent(sampleStatus(), "", "  ")
	require.NoError(t, err)
	text := new(bytes.Buffer)
	sampleStatus().WriteText(text)
	for path, got := range map[string][]byte{"testdata/status.json": append(raw, '\n'), "testdata/status.txt": text.Bytes()} {
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile(path, got, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), path)
	}
}
