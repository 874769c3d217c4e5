package proofs

import (
	"io"
	"strings"
	"testing"
)

// TestSmallRun: whether it works; L1's bytecode and the machine must agree on every micro-step that is measured.
func TestSmallRun(t *testing.T) {
	r, err := Run(t.Context(), Config{Records: []int{1_000}, Blocks: 3, Txs: 200, Progress: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rows) < 30 || len(r.MIPS) != 2 || r.Steps == 0 {
		t.Fatalf("%d kinds of micro-steps, %d MIPS rows, %d steps", len(r.Rows), len(r.MIPS), r.Steps)
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &out)
}
