// Package layout checks that imports point the way that docs/architecture.md draws them.
package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/agnt2/agnt2/"

// allowed lists, by top-level folder, which other top-level folders (or packages) non-test files may import. The protocol
// library knows no role, roles do not know each other, and what agents run reaches the chain through RPC only.
var allowed = map[string][]string{
	"agnt2":         {},
	"agnt2-engine":  {"agnt2"},
	"op-agnt2-node": {"agnt2"},
	"batcher":       {"agnt2", "internal/anvil"}, // inboxtest
	"proposer":      {"agnt2"},
	"challenger":    {"agnt2"},
	"da":            {"agnt2"},
	"sidecar":       {"agnt2", "client", "channel", "da/payload"},
	"channel":       {"agnt2", "client"},
	"client":        {"agnt2", "da/payload"},
	"ops":           {"agnt2"},
	"devnet":        {"agnt2", "ops/deployer", "client"},
	"e2e":           {"agnt2", "devnet", "ops/deployer"},
	"bench":         {"agnt2", "agnt2-engine", "client", "devnet", "ops/deployer", "internal/solidity"},
	"docs":          {"agnt2", "agnt2-engine"},
	"internal":      {},
}

func TestImportDirections(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." || slices.Contains([]string{"node_modules", "bin", "out"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		top := strings.Split(filepath.ToSlash(rel), "/")[0]
		targets, known := allowed[top]
		if !known {
			t.Errorf("%s: folder %s has no import rule; give it one here and in docs/architecture.md", rel, top)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			target, ours := strings.CutPrefix(p, module)
			if !ours || target == top || strings.HasPrefix(target, top+"/") {
				continue
			}
			if !slices.ContainsFunc(targets, func(a string) bool { return target == a || strings.HasPrefix(target, a+"/") }) {
				t.Errorf("%s imports %s; %s may import only %v", rel, target, top, targets)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("only %d files seen: the walk is broken", files)
	}
}
