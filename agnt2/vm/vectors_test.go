package vm_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Golden vectors: what a transaction of the scripts does to the records, the root and its receipt. testdata/vectors has a file for
// each script; -update writes them anew. test/Vectors.t.sol checks them against the Solidity side: every change of a record moves the
// root by its proof, and the receipt is assembled from the logs. Numbers are decimal, bytes hexadecimal.

// vector is one transaction.
type vector struct {
	Line       string         `json:"line"` // of the script
	From       common.Address `json:"from"`
	To         common.Address `json:"to"`
	Creation   bool           `json:"creation"` // no recipient
	Deposit    bool           `json:"deposit"`
	Value      string         `json:"value"`
	Data       hexutil.Bytes  `json:"data"`
	GasLimit   uint64         `json:"gasLimit"`
	Outcome    string         `json:"outcome"` // void, failed, succeeded
	GasUsed    uint64         `json:"gasUsed"`
	Error      hexutil.Bytes  `json:"error"`  // ABI encoding of the custom error of a failed one
	Return     hexutil.Bytes  `json:"output"` // ABI encoding of what the operation returns
	RootBefore common.Hash    `json:"rootBefore"`
	RootAfter  common.Hash    `json:"rootAfter"`
	Changes    []vectorChange `json:"changes"`
	Logs       hexutil.Bytes  `json:"logs"`    // RLP of each, one after the other
	Sizes      []uint64       `json:"sizes"`   // bytes of each
	Receipt    hexutil.Bytes  `json:"receipt"` // consensus encoding, as that of the block's first transaction
}

// vectorChange is one record; proofs are in order, each against the root that the ones before have led to.
type vectorChange struct {
	Key    common.Hash   `json:"key"`
	Before hexutil.Bytes `json:"before"` // empty: absent
	After  hexutil.Bytes `json:"afterwards"`
	Proof  hexutil.Bytes `json:"proof"`
}

// vectors of a script: one for every way in which its operations end.
func scriptVectors(t *testing.T, file string) (out []vector) {
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	s := newScript()
	s.t = t
	tree := trie.New()
	move := func(cs []change) {
		for _, c := range cs {
			tree.Update([]trie.Change{trieChange(c)})
		}
	}
	seen := map[string]bool{}
	line := ""
	observe := func(tx *abi.Transaction, r *vm.Result, cs []change) {
		kind := fmt.Sprintf("%T %v %v", r.Revert, r.Why, opName(tx))
		if tx.From == abi.L1AttributesDepositor || seen[kind] || len(tx.Data) > 2000 {
			move(cs)
			return
		}
		seen[kind] = true
		out = append(out, vectorOf(t, line, tx, r, cs, tree))
	}
	in := bufio.NewScanner(bytes.NewReader(raw))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if line = in.Text(); strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if s.world == nil && !strings.HasPrefix(line, "params") && !strings.HasPrefix(line, "policy") && !strings.HasPrefix(line, "fund") {
			s.begin()
			s.watch, s.sealed = observe, move
			for k, v := range s.state {
				move([]change{{k, nil, v}})
			}
		}
		s.run(t, line)
		for in.Scan() && in.Text() != "" {
		}
	}
	return out
}

func opName(tx *abi.Transaction) string {
	if tx.To == nil {
		return "creation"
	}
	name := tx.To.Hex()
	if len(tx.Data) >= 4 {
		name += hexutil.Encode(tx.Data[:4])
	}
	return fmt.Sprint(name, tx.Deposit)
}

func trieChange(c change) trie.Change {
	ch := trie.Change{Key: trie.Key(c.key), Delete: c.new == nil}
	if c.new != nil {
		ch.ValueHash = trie.HashRecord(c.new)
	}
	return ch
}

func vectorOf(t *testing.T, line string, tx *abi.Transaction, r *vm.Result, cs []change, tree *trie.Trie) vector {
	v := vector{
		Line: line, From: tx.From, Creation: tx.To == nil, Deposit: tx.Deposit, Value: tx.Value.Dec(), Data: tx.Data, GasLimit: tx.GasLimit,
		Outcome: r.Outcome.String(), GasUsed: r.GasUsed, Return: r.Return, RootBefore: tree.Root(), Sizes: []uint64{}, Changes: []vectorChange{},
	}
	if tx.To != nil {
		v.To = *tx.To
	}
	if r.Revert != nil {
		v.Error = r.Revert.Encode()
	}
	for _, c := range cs {
		prove := tree.Prove
		if c.new == nil {
			prove = tree.ProveDelete
		}
		p := prove(trie.Key(c.key))
		v.Changes = append(v.Changes, vectorChange{common.Hash(c.key), c.old, c.new, p.Encode()})
		tree.Update([]trie.Change{trieChange(c)})
	}
	v.RootAfter = tree.Root()
	rc := &types.Receipt{Type: types.DynamicFeeTxType, CumulativeGasUsed: r.GasUsed, Logs: r.Logs}
	if tx.Deposit {
		nonce, version := uint64(0), types.CanyonDepositReceiptVersion
		rc.Type, rc.DepositNonce, rc.DepositReceiptVersion = types.DepositTxType, &nonce, &version
	}
	if r.Outcome == vm.Succeeded {
		rc.Status = types.ReceiptStatusSuccessful
	}
	for _, l := range r.Logs {
		b, err := rlp.EncodeToBytes(l)
		require.NoError(t, err)
		v.Logs, v.Sizes = append(v.Logs, b...), append(v.Sizes, uint64(len(b)))
	}
	rc.Bloom = types.CreateBloom(rc)
	var err error
	v.Receipt, err = rc.MarshalBinary()
	require.NoError(t, err)
	return v
}

// TestVectors holds testdata/vectors to what the scripts do now.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, file := range files {
		vs := scriptVectors(t, file)
		require.NotEmpty(t, vs, file)
		got, err := json.MarshalIndent(map[string]any{"vectors": vs}, "", " ")
		require.NoError(t, err)
		path := filepath.Join("testdata", "vectors", strings.TrimSuffix(filepath.Base(file), ".txt")+".json")
		if *update {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, string(want) == string(got)+"\n", "%s is not what %s does: run with -update and read the difference", path, file)
	}
}
