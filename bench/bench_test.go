package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// TestMain lets the test binary be the process that is restarted.
func TestMain(m *testing.M) {
	if was, err := Child(); was {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestKeysBelongToAddresses(t *testing.T) {
	a := newAgents(5000, nil) // more than one chunk
	for _, i := range []int{0, 1, 4095, 4096, 4999} {
		//lint:ignore SA1019 the replacement knows no secp256k1
		x, y := crypto.S256().ScalarBaseMult(a.key(i).D.Bytes())
		k := a.key(i)
		k.X, k.Y = x, y
		require.Equal(t, crypto.PubkeyToAddress(k.PublicKey), a.addr[i], i)
	}
}

func TestStreamAnswersWhatItOpened(t *testing.T) {
	s := newStream(newAgents(minAgents, nil), 20)
	first := s.plan(100)
	nonces, opened, responded := slices.Clone(s.nonce), len(s.opened), s.responded
	s.takeBack(s.plan(57))
	require.Equal(t, nonces, s.nonce)
	require.Equal(t, opened, len(s.opened))
	require.Equal(t, responded, s.responded)

	openedAt := map[uint64]int{}
	for i, p := range first {
		if p.respond {
			at, ok := openedAt[p.serial]
			require.True(t, ok && i-at > 20, "RESPOND %d", i)
			require.Equal(t, first[at].to, p.from)
		} else {
			require.NotEqual(t, p.from, p.to)
			openedAt[p.serial] = i
		}
	}
	// Whatever way a transaction is prepared, the engine sees the same one.
	for i := range first {
		fromSignature, err := abi.Decode(s.item(&first[i], signed).raw, signer.ChainID())
		require.NoError(t, err)
		given := s.item(&first[i], decoded).tx
		require.Equal(t, fromSignature.From, given.From)
		require.Equal(t, fromSignature.Nonce, given.Nonce)
		require.Equal(t, fromSignature.Data, given.Data)
		require.Equal(t, fromSignature.Value, given.Value)
		require.Equal(t, fromSignature.Size, given.Size)
	}
}

// TestRun measures everything for a moment: the engine must execute all that it is given, and every row must be there.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	cfg := DefaultConfig()
	cfg.Quick, cfg.Agents, cfg.Window, cfg.BlockTime, cfg.Dir = true, 2*minAgents, 200*time.Millisecond, 50*time.Millisecond, t.TempDir()
	cfg.Progress = io.Discard
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	require.Len(t, r.Engine, 3)
	for _, e := range r.Engine {
		require.Positive(t, e.TxPerSecond, e.Mode)
		require.Positive(t, e.OfBound, e.Mode)
		require.Less(t, e.OfBound, 1e3)
		require.Positive(t, e.Before.All)
	}
	require.Less(t, r.Engine[0].OfBound, 1.2, "no engine is above the bound")
	require.Len(t, r.Transition, 2)
	require.Positive(t, r.Transition[0].ApplyMicros)
	require.Greater(t, r.Transition[0].ChangedPerTx, 2.0)
	require.Len(t, r.Commit, 1)
	require.Len(t, r.Trie, 2)
	require.Len(t, r.Restart, 1)
	require.Positive(t, r.Restart[0].RSSMiB)
	left, err := os.ReadDir(cfg.Dir)
	require.NoError(t, err)
	require.Empty(t, left, "databases are removed")
	require.NoError(t, r.Print(io.Discard))
}

// BenchmarkTransition is one core's work on a block of 2,000 transactions on a small state.
func BenchmarkTransition(b *testing.B) {
	cfg := DefaultConfig()
	cfg.Progress = io.Discard
	r := &runner{cfg: cfg, report: newReport(cfg), began: time.Now()}
	w, err := r.newWorld(context.Background(), b.TempDir(), 5_000)
	require.NoError(b, err)
	defer w.close()
	require.NoError(b, w.fillInteractions(context.Background()))
	items := w.stream.encode(w.stream.plan(2_000), decoded)
	var p parts
	for b.Loop() {
		require.NoError(b, alone(func() error { return w.pass(items, &p) }))
	}
	b.ReportMetric(micros(p.apply.cpu)/float64(p.txs), "µs-execute/tx")
	b.ReportMetric(micros(p.commit.cpu)/float64(p.txs), "µs-commit/tx")
}
