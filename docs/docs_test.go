// Package docs has no code. Its tests hold the documentation to the code: what the code declares must be documented, and
// what the pages claim by name must exist.
package docs

import (
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	gethabi "github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

const root = ".."

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(raw)
}

// pages returns the text of all pages below a folder.
func pages(t *testing.T, folder string) string {
	t.Helper()
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			all.WriteString(read(t, path))
		}
		return err
	}))
	return all.String()
}

// mentions reports whether a text has a name in code font, alone or with what follows it.
func mentions(text, name string) bool {
	return regexp.MustCompile("`" + regexp.QuoteMeta(name) + "[`(]").MatchString(text)
}

// section is the text under a heading, up to the next one of the same or a higher level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, after, ok := strings.Cut(text, "\n"+heading+"\n")
	require.True(t, ok, "no section %q", heading)
	level, _, _ := strings.Cut(heading, " ")
	if next := regexp.MustCompile(`(?m)^#{1,` + strconv.Itoa(len(level)) + `} `).FindStringIndex(after); next != nil {
		after = after[:next[0]]
	}
	return after
}

// rows are the cells of the first table of a text, without its head.
func rows(text string) (out [][]string) {
	for _, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			if len(out) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		out = append(out, cells)
	}
	return out[min(2, len(out)):]
}

func code(name string) string { return "`" + name + "`" }

func TestInterfaceIsDocumented(t *testing.T) {
	a, err := gethabi.JSON(strings.NewReader(abi.JSON))
	require.NoError(t, err)
	require.NotEmpty(t, a.Methods)
	require.NotEmpty(t, a.Events)
	require.NotEmpty(t, a.Errors)
	table, operations := read(t, "spec/abi.md"), pages(t, "spec/operations")
	rest := operations + read(t, "spec/transactions.md")

	listed := func(signature, selector string) {
		require.Contains(t, table, "| "+code(signature)+" | "+code(selector)+" |", "spec/abi.md")
	}
	for _, m := range a.Methods {
		listed(m.Sig, "0x"+hex.EncodeToString(m.ID))
		if m.StateMutability != "view" && m.StateMutability != "pure" {
			page := read(t, "spec/operations/"+m.Name+".md")
			for _, arg := range m.Inputs {
				require.True(t, mentions(page, arg.Name), "spec/operations/%s.md says nothing of argument %s", m.Name, arg.Name)
			}
			require.Contains(t, operations, "["+m.Name+"]("+m.Name+".md)")
		}
	}
	for _, e := range a.Events {
		listed(e.Sig, e.ID.Hex())
		require.True(t, mentions(operations, e.Name), "no operation's page names event %s", e.Name)
	}
	for _, e := range a.Errors {
		listed(e.Sig, "0x"+hex.EncodeToString(e.ID[:4]))
		require.True(t, mentions(rest, e.Name), "no page says when %s happens", e.Name)
	}
}

var (
	structPattern = regexp.MustCompile(`(?s)struct (\w+) \{(.*?)\}`)
	fieldPattern  = regexp.MustCompile(`(?m)^\s*([\w\[\]]+) (\w+);`)
)

func TestRecordsAreDocumented(t *testing.T) {
	source := read(t, root+"/packages/contracts-bedrock-fork/src/interfaces/IRecords.sol")
	records, parameters := read(t, "spec/records.md"), read(t, "spec/parameters.md")
	structs := structPattern.FindAllStringSubmatch(source, -1)
	require.NotEmpty(t, structs)
	keys := section(t, records, "## Keys")
	for _, s := range structs {
		name, fields := s[1], fieldPattern.FindAllStringSubmatch(s[2], -1)
		require.NotEmpty(t, fields, name)
		table := rows(section(t, records, "### "+name))
		if name == "Params" || name == "Policy" {
			table = rows(section(t, parameters, "## "+name))
		}
		var got, want [][]string
		for _, r := range table {
			got = append(got, r[:2])
		}
		for _, f := range fields {
			want = append(want, []string{code(f[2]), f[1]})
		}
		require.Equal(t, want, got, "fields and types of %s, in order", name)
		require.Contains(t, keys, "| "+code(name)+" |", "key of %s", name)
	}
	for b := range 256 {
		ns := record.Namespace(b)
		if strings.HasPrefix(ns.String(), "namespace(") {
			continue
		}
		require.Contains(t, keys, fmt.Sprintf("| %s | `0x%02x` |", ns, b))
	}
	for _, k := range []record.Key{record.ParamsKey, record.PolicyKey, record.TotalsKey, record.L1InfoKey} {
		require.Contains(t, keys, "0x"+hex.EncodeToString(k[:]))
	}
}

// TestKeyExamples holds the worked examples of spec/records.md to the code.
func TestKeyExamples(t *testing.T) {
	page := read(t, "spec/records.md")
	account, deadline := record.AccountKey(common.HexToAddress("0x01")), record.DeadlineKey(1_700_000_000, record.DueInteraction, common.Hash{})
	require.Contains(t, page, "`0x"+hex.EncodeToString(account[:])+"`")
	require.Contains(t, page, "`0x"+hex.EncodeToString(deadline[:])+"`")
}

func TestLayerRootIsDocumented(t *testing.T) {
	source := read(t, root+"/packages/contracts-bedrock-fork/src/interfaces/ILayerRoot.sol")
	page := read(t, "spec/layerroot.md")
	names := regexp.MustCompile(`(?m)^\s*(?:event|error|function) (\w+)\(`).FindAllStringSubmatch(source, -1)
	require.Greater(t, len(names), 15)
	for _, n := range names {
		require.True(t, mentions(page, n[1]), "spec/layerroot.md says nothing of %s", n[1])
	}
	resolver := read(t, "spec/resolver.md")
	names = regexp.MustCompile(`(?m)^    (?:event|error|function) (\w+)\(`).FindAllStringSubmatch(
		section(t, read(t, root+"/packages/contracts-bedrock-fork/src/interfaces/IDisputeResolver.sol"), "interface IDisputeResolver {"), -1)
	require.Len(t, names, 10)
	for _, n := range names {
		require.True(t, mentions(resolver, n[1]), "spec/resolver.md says nothing of %s", n[1])
	}
	da := read(t, "spec/da.md")
	require.Contains(t, da, fmt.Sprintf("PART: %d bytes", manifest.PartSize))
	require.Contains(t, da, fmt.Sprintf("SEAL: %d bytes", manifest.SealSize))
	require.Contains(t, da, fmt.Sprintf("submission, %d bytes", manifest.RecordSize))
}

func TestParameterValues(t *testing.T) {
	page := read(t, "spec/parameters.md")
	compareParameters(t, rows(section(t, page, "## Params")), genesis.DefaultParams(), genesis.DevnetParams())
	compareParameters(t, rows(section(t, page, "## Policy")), genesis.DefaultPolicy(), genesis.DevnetPolicy())
}

func compareParameters(t *testing.T, table [][]string, defaults, devnet any) {
	require.Len(t, table, reflect.TypeOf(defaults).NumField())
	for i, r := range table {
		name := []rune(strings.Trim(r[0], "`"))
		name[0] = unicode.ToUpper(name[0])
		d, v := reflect.ValueOf(defaults).FieldByName(string(name)), reflect.ValueOf(devnet).FieldByName(string(name))
		require.True(t, d.IsValid(), "row %d: no parameter %s", i, string(name))
		require.Equal(t, numbers(t, d), written(t, r[3]), "default of %s", string(name))
		if r[4] == "same" {
			r[4] = r[3]
		}
		require.Equal(t, numbers(t, v), written(t, r[4]), "devnet's value of %s", string(name))
	}
}

func numbers(t *testing.T, v reflect.Value) (out []string) {
	switch x := v.Interface().(type) {
	case uint256.Int:
		return []string{x.Dec()}
	case [4]uint64:
		for _, n := range x {
			out = append(out, strconv.FormatUint(n, 10))
		}
		return out
	case common.Address:
		return []string{x.Big().String()}
	}
	require.True(t, v.CanUint())
	return []string{strconv.FormatUint(v.Uint(), 10)}
}

// written reads the numbers of a cell: 86,400 and 10¹⁶; what is in brackets explains.
func written(t *testing.T, cell string) (out []string) {
	cell, _, _ = strings.Cut(cell, " (")
	for _, s := range strings.Split(cell, ", ") {
		if exponent, ok := strings.CutPrefix(s, "10"); ok && strings.ContainsAny(exponent, "⁰¹²³⁴⁵⁶⁷⁸⁹") {
			digits := strings.Map(func(r rune) rune { return '0' + rune(slices.Index([]rune("⁰¹²³⁴⁵⁶⁷⁸⁹"), r)) }, exponent)
			n, ok := new(big.Int).SetString(digits, 10)
			require.True(t, ok, cell)
			s = n.Exp(big.NewInt(10), n, nil).String()
		}
		out = append(out, strings.ReplaceAll(s, ",", ""))
	}
	return out
}

// sources parses the Go files of a package, tests left out.
func sources(t *testing.T, folder string) (files []*ast.File) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	require.NoError(t, err)
	for _, p := range paths {
		if strings.HasSuffix(p, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
		require.NoError(t, err)
		files = append(files, f)
	}
	require.NotEmpty(t, files, folder)
	return files
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

// fieldsOf are the key-value pairs of a composite literal.
func fieldsOf(l *ast.CompositeLit) map[string]ast.Expr {
	out := map[string]ast.Expr{}
	for _, e := range l.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if k, ok := kv.Key.(*ast.Ident); ok {
				out[k.Name] = kv.Value
			}
		}
	}
	return out
}

func inspect[N ast.Node](files []*ast.File, visit func(N)) {
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			if x, ok := n.(N); ok {
				visit(x)
			}
			return true
		})
	}
}

// services finds the namespaces that a package registers: {Namespace: "eth", Service: &ethAPI{…}}.
func services(files []*ast.File) map[string]string {
	out := map[string]string{} // type → namespace
	inspect(files, func(l *ast.CompositeLit) {
		f := fieldsOf(l)
		ns, ok := literal(f["Namespace"])
		ref, isRef := f["Service"].(*ast.UnaryExpr)
		if !ok || !isRef {
			return
		}
		if service, ok := ref.X.(*ast.CompositeLit); ok {
			out[service.Type.(*ast.Ident).Name] = ns
		}
	})
	return out
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	if p, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
		if id, ok := p.X.(*ast.Ident); ok {
			return id.Name
		}
	}
	return ""
}

func isSubscription(f *ast.FuncDecl) bool {
	if f.Type.Results == nil {
		return false
	}
	p, ok := f.Type.Results.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	s, ok := p.X.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Subscription"
}

func TestRPCMethodsAreDocumented(t *testing.T) {
	page := read(t, "reference/rpc.md")
	eth := sources(t, "agnt2-engine/ethapi")
	namespaces := services(eth)
	require.GreaterOrEqual(t, len(namespaces), 6, "services found in ethapi: %v", namespaces)

	exist := map[string]bool{"eth_subscribe": true, "eth_unsubscribe": true}
	add := func(files []*ast.File, namespaces map[string]string) {
		inspect(files, func(f *ast.FuncDecl) {
			ns, ok := namespaces[receiver(f)]
			if !ok || !f.Name.IsExported() {
				return
			}
			name := []rune(f.Name.Name)
			name[0] = unicode.ToLower(name[0])
			if isSubscription(f) {
				require.True(t, mentions(section(t, page, "### Subscriptions"), string(name)), "subscription %s", string(name))
				return
			}
			exist[ns+"_"+string(name)] = true
		})
	}
	add(eth, namespaces)
	add(sources(t, "agnt2-engine/engineapi"), map[string]string{"API": "engine"})
	require.Greater(t, len(exist), 60)
	for m := range exist {
		require.True(t, mentions(page, m), "reference/rpc.md says nothing of %s", m)
	}
	for _, m := range regexp.MustCompile("`((?:eth|net|web3|txpool|miner|agnt2|engine)_[a-zA-Z0-9]+)`").FindAllStringSubmatch(page, -1) {
		require.True(t, exist[m[1]], "reference/rpc.md names %s, which does not exist", m[1])
	}
}

func TestMicroStepsAreDocumented(t *testing.T) {
	spec := pages(t, "spec")
	for _, k := range vm.All() {
		require.True(t, mentions(spec, k.String()), "no page of the spec names micro-step %s", k)
	}
	for k := machine.Begin; k <= machine.Next; k++ {
		if name := machine.Name(k); !strings.HasPrefix(name, "step(") {
			require.True(t, mentions(spec, name), "no page of the spec names micro-step %s", name)
		}
	}
}

func TestFlagsAreDocumented(t *testing.T) {
	page := read(t, "reference/cli.md")
	for _, folder := range []string{
		"agnt2-engine/cmd", "op-agnt2-node/cmd", "challenger/cmd", "challenger", "da/cmd", "ops/deployer/cmd", "devnet/cmd", "devnet/l1",
		"client/cmd/demo", "client/cmd/summarizer", "client/cmd/buyer", "client/cmd/internal/process", "bench/cmd",
	} {
		inspect(sources(t, folder), func(l *ast.CompositeLit) {
			s, ok := l.Type.(*ast.SelectorExpr)
			if !ok || !strings.HasSuffix(s.Sel.Name, "Flag") {
				return
			}
			if name, ok := literal(fieldsOf(l)["Name"]); ok {
				documented := regexp.MustCompile("--" + regexp.QuoteMeta(name) + "[` ]").MatchString(page)
				require.True(t, documented, "reference/cli.md says nothing of --%s of %s", name, folder)
			}
		})
	}
}

func TestMetricsAreDocumented(t *testing.T) {
	page := read(t, "reference/metrics.md")
	n := 0
	documented := func(e ast.Expr) {
		name, ok := literal(e)
		if !ok {
			return
		}
		n++
		documented := regexp.MustCompile("`(agnt2_\\w+_)?" + regexp.QuoteMeta(name) + "`").MatchString(page)
		require.True(t, documented, "reference/metrics.md says nothing of %s", name)
	}
	for _, folder := range []string{"agnt2-engine", "agnt2-engine/mempool", "agnt2-engine/ethapi", "challenger", "da"} {
		files := sources(t, folder)
		inspect(files, func(l *ast.CompositeLit) {
			if s, ok := l.Type.(*ast.SelectorExpr); ok && strings.HasSuffix(s.Sel.Name, "Opts") {
				documented(fieldsOf(l)["Name"])
			}
		})
		inspect(files, func(c *ast.CallExpr) {
			if f, ok := c.Fun.(*ast.Ident); ok && len(c.Args) > 1 && slices.Contains([]string{"counter", "vec", "gauge"}, f.Name) {
				documented(c.Args[0])
			}
		})
	}
	require.Greater(t, n, 20)
}

var (
	fence       = regexp.MustCompile("(?ms)^```.*?^```")
	inlineCode  = regexp.MustCompile("`[^`\n]*`")
	linkPattern = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notInSlug   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the fragments that a page's headings give, as GitHub makes them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, line := range strings.Split(fence.ReplaceAllString(text, ""), "\n") {
		if strings.HasPrefix(line, "#") {
			title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
			out[strings.ReplaceAll(notInSlug.ReplaceAllString(title, ""), " ", "-")] = true
		}
	}
	return out
}

func TestLinks(t *testing.T) {
	n := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || slices.Contains([]string{"node_modules", "bin", "out", "cache"}, name)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".md") {
			return nil
		}
		text := inlineCode.ReplaceAllString(fence.ReplaceAllString(read(t, path), ""), "")
		for _, m := range linkPattern.FindAllStringSubmatch(text, -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" {
				continue
			}
			n++
			target := path
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(path), u.Path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", path, m[1])
				continue
			}
			if u.Fragment != "" && strings.HasSuffix(target, ".md") && !anchors(read(t, target))[u.Fragment] {
				t.Errorf("%s links to %s: no such heading", path, m[1])
			}
		}
		return nil
	}))
	require.Greater(t, n, 40)
}

// TestSpecIsReachable: every page can be found from the README, or is named by a recipe of the Justfile.
func TestSpecIsReachable(t *testing.T) {
	seen := map[string]bool{}
	var follow func(page string)
	follow = func(page string) {
		if seen[page] {
			return
		}
		seen[page] = true
		for _, m := range linkPattern.FindAllStringSubmatch(read(t, page), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" || !strings.HasSuffix(u.Path, ".md") {
				continue
			}
			if target := filepath.Join(filepath.Dir(page), u.Path); !seen[target] {
				if _, err := os.Stat(target); err == nil {
					follow(target)
				}
			}
		}
	}
	follow(filepath.Join(root, "README.md"))
	for _, page := range regexp.MustCompile(`docs/[\w/-]+\.md`).FindAllString(read(t, root+"/Justfile"), -1) {
		if _, err := os.Stat(filepath.Join(root, page)); err == nil {
			follow(filepath.Join(root, page))
		}
	}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			require.True(t, seen[filepath.Join(root, "docs", path)], "no way from the README to docs/%s", path)
		}
		return err
	}))
}
