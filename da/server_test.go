package da

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	altda "github.com/ethereum-optimism/optimism/op-alt-da"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/manifest/frames/framestest"
)

func config(dir string) Config {
	cfg := DefaultConfig()
	cfg.Addr, cfg.DataDir, cfg.Chain = "127.0.0.1:0", dir, framestest.Chain()
	cfg.Log = log.NewLogger(log.DiscardHandler())
	return cfg
}

func start(t testing.TB, cfg Config) *Server {
	s, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func do(t testing.TB, s *Server, method, path string, body []byte) (int, []byte, http.Header) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr()+path, bytes.NewReader(body))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, raw, resp.Header
}

func put(t testing.TB, s *Server, data []byte) (int, []byte) {
	code, body, _ := do(t, s, http.MethodPost, "/put", data)
	return code, body
}

func mustPut(t testing.TB, s *Server, data []byte) manifest.Commitment {
	code, body := put(t, s, data)
	require.Equal(t, http.StatusOK, code, string(body))
	c, err := manifest.DecodeKey(body)
	require.NoError(t, err)
	return c
}

func get(t testing.TB, s *Server, key []byte) (int, []byte) {
	code, body, _ := do(t, s, http.MethodGet, "/get/"+hexutil.Encode(key), nil)
	return code, body
}

func span(t testing.TB, seed int64, first uint64, count, frameBytes int) ([]*types.Block, [][]byte) {
	rng := rand.New(rand.NewSource(seed))
	var txs [][]*types.Transaction
	for i := range count {
		txs = append(txs, framestest.Txs(rng, 1+i%3, 60))
	}
	blocks := framestest.Blocks(t, rng, first, txs...)
	return blocks, framestest.Span(t, derive.Zlib, blocks, frameBytes)
}

func checkSeal(t *testing.T, c manifest.Commitment, blocks []*types.Block, number int) manifest.Seal {
	require.Equal(t, manifest.KindSeal, c.Kind())
	s := c.(manifest.Seal)
	require.EqualValues(t, number, s.Number)
	require.Equal(t, blocks[0].NumberU64(), s.FirstBlock)
	require.Equal(t, blocks[len(blocks)-1].NumberU64(), s.LastBlock)
	require.Equal(t, manifest.RecordsRoot(framestest.Records(t, blocks)), s.RecordsRoot)
	require.Equal(t, framestest.OriginCheck(t, blocks[len(blocks)-1]), s.L1OriginCheck)
	require.Equal(t, blocks[0].ParentHash().Bytes()[:20], s.ParentCheck[:])
	return s
}

// datas is op-node's data source: what GET returned for each batcher transaction, in order.
type datas struct{ left [][]byte }

func (d *datas) Origin() eth.L1BlockRef { return eth.L1BlockRef{Number: 200, Time: 1_800_000_000} }
func (d *datas) NextData(context.Context) ([]byte, error) {
	if len(d.left) == 0 {
		return nil, io.EOF
	}
	next := d.left[0]
	d.left = d.left[1:]
	return next, nil
}

// derived reads data as op-node does: frame queue, channel, batches.
func derived(t *testing.T, data [][]byte) *derive.SpanBatch {
	cfg := framestest.Config()
	queue := derive.NewFrameQueue(log.NewLogger(log.DiscardHandler()), cfg, &datas{data})
	var ch *derive.Channel
	for {
		f, err := queue.NextFrame(context.Background())
		if err == io.EOF {
			break
		}
		if err == derive.NotEnoughData {
			continue
		}
		require.NoError(t, err)
		if ch == nil {
			ch = derive.NewChannel(f.ID, eth.L1BlockRef{Number: 200}, true)
		}
		require.NoError(t, ch.AddFrame(f, eth.L1BlockRef{Number: 200}))
	}
	require.NotNil(t, ch)
	require.True(t, ch.IsReady())
	next, err := derive.BatchReader(ch.Reader(), rollup.NewChainSpec(cfg).MaxRLPBytesPerChannel(1_800_000_000), true)
	require.NoError(t, err)
	batch, err := next()
	require.NoError(t, err)
	sb, err := derive.DeriveSpanBatch(batch, cfg.BlockTime, cfg.Genesis.L2Time, cfg.L2ChainID)
	require.NoError(t, err)
	_, err = next()
	require.ErrorIs(t, err, io.EOF)
	return sb
}

func checkDerived(t *testing.T, blocks []*types.Block, data [][]byte) {
	sb := derived(t, data)
	require.Len(t, sb.Batches, len(blocks))
	for i, b := range blocks {
		want := framestest.Opaque(t, b)
		require.Len(t, sb.Batches[i].Transactions, len(want))
		for j := range want {
			require.True(t, bytes.Equal(want[j], sb.Batches[i].Transactions[j]), "transaction %d of block %d", j, i)
		}
		require.Equal(t, b.Time(), sb.Batches[i].Timestamp)
	}
}

// OP's own client, as op-batcher and op-node use it, on a channel of 21 frames that holds a block of 20 MB; the server is
// killed and started again on the way.
func TestTwentyMegabytesThroughOPsClient(t *testing.T) {
	blocks, data := framestest.Huge(t)
	dir := t.TempDir()
	s := start(t, config(dir))
	var keys []altda.CommitmentData
	for i, d := range data {
		if i == 2 || i == len(data)-1 {
			require.NoError(t, s.Close())
			// What a crash in the middle of a write leaves.
			for _, sub := range []string{"channels", "blobs", "payloads"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, sub, ".tmp-123"), []byte("{"), 0o600))
			}
			s = start(t, config(dir))
		}
		client := altda.NewDAClient("http://"+s.Addr(), false, false)
		c, err := client.SetInput(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, altda.GenericCommitmentType, c.CommitmentType())
		m, err := manifest.DecodeCalldata(c.TxData())
		require.NoError(t, err)
		if i < len(data)-1 {
			require.Equal(t, manifest.KindPart, m.Kind())
		} else {
			checkSeal(t, m, blocks, i)
		}
		ref := m.FrameRef()
		require.EqualValues(t, i, ref.Number)
		require.Equal(t, crypto.Keccak256Hash(d), ref.DataHash)
		require.Equal(t, ref.DataHash, ref.Pointer)
		require.Equal(t, manifest.BackendLocal, ref.Backend)
		keys = append(keys, c)
	}
	require.NoError(t, s.Close())
	s = start(t, config(dir)) // nothing in memory
	client := altda.NewDAClient("http://"+s.Addr(), false, false)
	var back [][]byte
	for i, k := range keys {
		// From L1's calldata, as derivation finds it.
		c, err := altda.DecodeCommitmentData(k.TxData()[1:])
		require.NoError(t, err)
		got, err := client.GetInput(t.Context(), c)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data[i], got), "frame %d", i)
		back = append(back, got)
	}
	checkDerived(t, blocks, back)
}

func TestSameDataSameCommitment(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(dir))
	blocks, data := span(t, 1, 1, 6, 400)
	require.Greater(t, len(data), 3)
	var first []manifest.Commitment
	for _, d := range data {
		first = append(first, mustPut(t, s, d))
	}
	checkSeal(t, first[len(first)-1], blocks, len(data)-1)
	for i := len(data) - 1; i >= 0; i-- {
		require.Equal(t, first[i], mustPut(t, s, data[i]))
	}
	require.NoError(t, s.Close())
	s = start(t, config(dir))
	for i, d := range data {
		require.Equal(t, first[i], mustPut(t, s, d))
		code, got := get(t, s, manifest.Key(first[i]))
		require.Equal(t, http.StatusOK, code)
		require.Equal(t, d, got)
	}
}

// rewrite changes a frame and encodes it again.
func rewrite(t testing.TB, data []byte, change func(*derive.Frame)) []byte {
	parsed, err := derive.ParseFrames(data)
	require.NoError(t, err)
	change(&parsed[0])
	w := bytes.NewBuffer([]byte{0})
	require.NoError(t, parsed[0].MarshalBinary(w))
	return w.Bytes()
}

func TestConflictsAndOrder(t *testing.T) {
	s := start(t, config(t.TempDir()))
	_, data := span(t, 2, 1, 6, 400)
	last := len(data) - 1
	mustPut(t, s, data[0])
	code, body := put(t, s, rewrite(t, data[0], func(f *derive.Frame) { f.Data[0] ^= 1 }))
	require.Equal(t, http.StatusConflict, code, string(body))

	code, body = put(t, s, data[last])
	require.Equal(t, http.StatusServiceUnavailable, code, string(body))
	for i := last - 1; i > 0; i-- { // in any order, as long as the last one is last
		code, _ = put(t, s, data[last])
		require.Equal(t, http.StatusServiceUnavailable, code)
		mustPut(t, s, data[i])
	}
	c := mustPut(t, s, data[last])

	// A sealed channel takes no more frames, and serves what it has.
	for _, isLast := range []bool{true, false} {
		code, body = put(t, s, rewrite(t, data[last], func(f *derive.Frame) { f.FrameNumber++; f.IsLast = isLast }))
		require.Equal(t, http.StatusConflict, code, string(body))
	}
	code, got := get(t, s, manifest.Key(c))
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, data[last], got)
}

func TestWhatIsNoSubmission(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.MaxBlobBytes = 5_000
	s := start(t, cfg)
	blocks, data := span(t, 3, 1, 6, 4_000)
	_, other := span(t, 4, 1, 6, 400)
	singular := framestest.Singular(t, blocks, 4_000)
	two := framestest.Span(t, derive.Zlib, blocks, 4_000, derive.WithMaxBlocksPerSpanBatch(3))
	require.Len(t, singular, 1)
	require.Len(t, two, 1)
	for what, c := range map[string]struct {
		data []byte
		want int
	}{
		"nothing":             {nil, http.StatusBadRequest},
		"version only":        {[]byte{0}, http.StatusBadRequest},
		"garbage":             {[]byte("garbage"), http.StatusBadRequest},
		"a commitment":        {manifest.Calldata(manifest.Part{}), http.StatusBadRequest},
		"two frames":          {append(bytes.Clone(other[0]), other[1][1:]...), http.StatusBadRequest},
		"singular batches":    {singular[0], http.StatusBadRequest},
		"two span batches":    {two[0], http.StatusBadRequest},
		"no batch":            {framestest.Cut(t, []byte("no batch"), 100)[0], http.StatusBadRequest},
		"frame 1024":          {rewrite(t, other[0], func(f *derive.Frame) { f.FrameNumber = 1024 }), http.StatusBadRequest},
		"frame 1023, no last": {rewrite(t, other[0], func(f *derive.Frame) { f.FrameNumber = 1023 }), http.StatusBadRequest},
		"too large":           {make([]byte, 5_001), http.StatusRequestEntityTooLarge},
	} {
		code, body := put(t, s, c.data)
		require.Equal(t, c.want, code, "%s: %s", what, body)
	}
	for method, path := range map[string]string{http.MethodGet: "/put", http.MethodPost: "/get/0x01", http.MethodDelete: "/payload/0x01"} {
		code, _, _ := do(t, s, method, path, nil)
		require.Equal(t, http.StatusMethodNotAllowed, code, path)
	}
	mustPut(t, s, data[0])
}

// Not what is asked for: withheld, never something else.
func TestAlteredKeysAreWithheld(t *testing.T) {
	s := start(t, config(t.TempDir()))
	_, data := span(t, 5, 1, 6, 400)
	var keys [][]byte
	for _, d := range data {
		keys = append(keys, manifest.Key(mustPut(t, s, d)))
	}
	sealKey := keys[len(keys)-1]
	const claims = 1 + 2 + 83 + 8 + 8 + 8 + 32 + 20 + 20 // from here on: claims about execution, which data does not determine
	for what, key := range map[string][]byte{"PART": keys[1], "SEAL": sealKey} {
		for i := 3; i < min(len(key), claims); i++ {
			bad := bytes.Clone(key)
			bad[i] ^= 1
			code, body := get(t, s, bad)
			if _, err := manifest.DecodeKey(bad); err != nil {
				require.Equal(t, http.StatusOK, code, "%s, byte %d", what, i)
				require.Equal(t, []byte{0}, body)
				continue
			}
			// The pointer of this backend is redundant: the data is found by its hash.
			if i >= 1+2+16+2+32+1 && i < 1+2+83 {
				continue
			}
			require.Equal(t, http.StatusServiceUnavailable, code, "%s, byte %d", what, i)
		}
	}
	for i := claims; i < len(sealKey); i++ {
		bad := bytes.Clone(sealKey)
		bad[i] ^= 1
		code, _ := get(t, s, bad)
		require.Equal(t, http.StatusOK, code, "byte %d", i)
	}
	// A frame that is not the last one, asked for as a SEAL, and the other way round.
	part, err := manifest.DecodeKey(keys[0])
	require.NoError(t, err)
	seal, err := manifest.DecodeKey(sealKey)
	require.NoError(t, err)
	wrong := seal.(manifest.Seal)
	wrong.Frame = part.FrameRef()
	code, _ := get(t, s, manifest.Key(wrong))
	require.Equal(t, http.StatusServiceUnavailable, code)
	code, _ = get(t, s, manifest.Key(manifest.Part{Frame: seal.FrameRef()}))
	require.Equal(t, http.StatusServiceUnavailable, code)
	// Never stored.
	code, _ = get(t, s, manifest.Key(manifest.Part{Frame: manifest.Frame{DataHash: common.Hash{1}}}))
	require.Equal(t, http.StatusServiceUnavailable, code)
}

// What can never be a commitment of this chain is one byte for ever, and derivation goes on behind it.
func TestSkippable(t *testing.T) {
	s := start(t, config(t.TempDir()))
	for _, key := range [][]byte{{}, {0}, {1}, {1, 0xA6}, {1, 0xA6, 3}, bytes.Repeat([]byte{1}, 33), manifest.Key(manifest.Seal{}), make([]byte, 300)} {
		code, body := get(t, s, key)
		require.Equal(t, http.StatusOK, code, "%x", key)
		require.Len(t, body, 1)
		_, err := derive.ParseFrames(body)
		require.Error(t, err)
	}
	for _, key := range []string{"zz", "0x0", "01", "0xgg"} {
		code, _, _ := do(t, s, http.MethodGet, "/get/"+key, nil)
		require.Equal(t, http.StatusBadRequest, code, key)
	}
	// op-node's frame queue drops the byte and takes what follows.
	blocks, data := span(t, 6, 1, 3, 100_000)
	mustPut(t, s, data[0])
	checkDerived(t, blocks, [][]byte{{0}, data[0], {0}})
}

func TestCorruptionOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(dir))
	_, data := span(t, 7, 1, 6, 400)
	last := len(data) - 1
	var keys [][]byte
	for _, d := range data {
		keys = append(keys, manifest.Key(mustPut(t, s, d)))
	}
	blob := func(d []byte) string {
		name := crypto.Keccak256Hash(d).Hex()[2:]
		return filepath.Join(dir, "blobs", name[:2], name)
	}
	bad := bytes.Clone(data[1])
	bad[30] ^= 1
	require.NoError(t, os.WriteFile(blob(data[1]), bad, 0o644))
	for i, want := range map[int]int{0: http.StatusOK, 1: http.StatusServiceUnavailable, last: http.StatusServiceUnavailable} {
		code, body := get(t, s, keys[i])
		require.Equal(t, want, code, i)
		require.NotEqual(t, bad, body)
	}
	// Putting it again repairs it.
	mustPut(t, s, data[1])
	for i, k := range keys {
		code, body := get(t, s, k)
		require.Equal(t, http.StatusOK, code)
		require.Equal(t, data[i], body)
	}
	// An earlier frame is broken when the last one comes.
	_, data = span(t, 8, 1, 6, 400)
	for _, d := range data[:len(data)-1] {
		mustPut(t, s, d)
	}
	require.NoError(t, os.Remove(blob(data[0])))
	code, _ := put(t, s, data[len(data)-1])
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.NoError(t, os.WriteFile(blob(data[0]), nil, 0o644))
	code, _ = put(t, s, data[len(data)-1])
	require.Equal(t, http.StatusServiceUnavailable, code)
	mustPut(t, s, data[0])
	mustPut(t, s, data[len(data)-1])
}

func TestPayloads(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.MaxPayloadBytes = 1_000
	s := start(t, cfg)
	payload := []byte("summary of nothing")
	hash := crypto.Keccak256Hash(payload)
	path := "/payload/" + hash.Hex()
	code, _, _ := do(t, s, http.MethodGet, path, nil)
	require.Equal(t, http.StatusNotFound, code)
	code, _, _ = do(t, s, http.MethodHead, path, nil)
	require.Equal(t, http.StatusNotFound, code)
	for range 2 {
		code, body, _ := do(t, s, http.MethodPost, "/payload", payload)
		require.Equal(t, http.StatusOK, code)
		var got stored
		require.NoError(t, json.Unmarshal(body, &got))
		require.Equal(t, stored{Hash: hash, Length: len(payload), Pointer: hash}, got)
	}
	code, body, _ := do(t, s, http.MethodGet, path, nil)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, payload, body)
	code, body, header := do(t, s, http.MethodHead, path, nil)
	require.Equal(t, http.StatusOK, code)
	require.Empty(t, body)
	require.Equal(t, fmt.Sprint(len(payload)), header.Get("Content-Length"))

	code, _, _ = do(t, s, http.MethodPost, "/payload", make([]byte, 1_000))
	require.Equal(t, http.StatusOK, code)
	code, _, _ = do(t, s, http.MethodPost, "/payload", make([]byte, 1_001))
	require.Equal(t, http.StatusRequestEntityTooLarge, code)
	for _, bad := range []string{"0x", "0x12", "x", hash.Hex()[2:], hash.Hex() + "00"} {
		code, _, _ = do(t, s, http.MethodGet, "/payload/"+bad, nil)
		require.Equal(t, http.StatusBadRequest, code, bad)
	}
	// Payloads are no batches: another name space.
	code, _ = get(t, s, manifest.Key(manifest.Part{Frame: manifest.Frame{DataHash: hash, Pointer: hash}}))
	require.Equal(t, http.StatusServiceUnavailable, code)

	require.NoError(t, os.WriteFile(s.payloads.path(hash), []byte("something else"), 0o644))
	code, body, _ = do(t, s, http.MethodGet, path, nil)
	require.Equal(t, http.StatusNotFound, code)
	require.NotContains(t, string(body), "something else")
}

func TestConcurrencyBound(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.MaxRequests = 2
	s := start(t, cfg)
	// Two requests whose bodies do not end hold both slots.
	var writers []*io.PipeWriter
	done := make(chan error, 2)
	for range 2 {
		r, w := io.Pipe()
		writers = append(writers, w)
		go func() {
			resp, err := http.Post("http://"+s.Addr()+"/payload", "application/octet-stream", r)
			if err == nil {
				resp.Body.Close()
			}
			done <- err
		}()
		_, err := w.Write([]byte("beginning"))
		require.NoError(t, err)
	}
	refused := func() bool {
		code, _, _ := do(t, s, http.MethodGet, "/payload/"+common.Hash{}.Hex(), nil)
		return code == http.StatusServiceUnavailable
	}
	require.Eventually(t, refused, 10*time.Second, 5*time.Millisecond)
	code, _, _ := do(t, s, http.MethodGet, "/healthz", nil) // is not among them
	require.Equal(t, http.StatusOK, code)
	for _, w := range writers {
		require.NoError(t, w.Close())
		require.NoError(t, <-done)
	}
	require.Eventually(t, func() bool { return !refused() }, 10*time.Second, 5*time.Millisecond)
	_, metrics, _ := do(t, s, http.MethodGet, "/metrics", nil)
	require.Contains(t, string(metrics), `agnt2_da_requests_total{code="503",route="getPayload"}`)
}

func TestRetention(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Retention = MinRetention - time.Second
	_, err := New(cfg)
	require.ErrorContains(t, err, "retention")

	cfg.Retention = MinRetention
	s := start(t, cfg)
	_, data := span(t, 9, 1, 2, 10_000)
	_, fresh := span(t, 10, 3, 2, 10_000)
	old, young := mustPut(t, s, data[0]), mustPut(t, s, fresh[0])
	require.NoError(t, s.Close())
	age := func(at time.Time, only string) {
		require.NoError(t, filepath.Walk(cfg.DataDir, func(path string, info os.FileInfo, err error) error {
			if err == nil && !info.IsDir() && strings.Contains(path, only) {
				return os.Chtimes(path, at, at)
			}
			return err
		}))
	}
	name := func(c manifest.Commitment) string { return c.FrameRef().DataHash.Hex()[2:] }
	age(time.Now().Add(-MinRetention-time.Minute), name(old))
	age(time.Now().Add(-MinRetention+time.Minute), name(young))
	s = start(t, cfg) // prunes at once
	require.Eventually(t, func() bool {
		code, _ := get(t, s, manifest.Key(old))
		return code == http.StatusServiceUnavailable
	}, 10*time.Second, 5*time.Millisecond)
	code, _ := get(t, s, manifest.Key(young))
	require.Equal(t, http.StatusOK, code)
	// Wanted again: it is back, and its time starts anew.
	mustPut(t, s, data[0])
	code, _ = get(t, s, manifest.Key(old))
	require.Equal(t, http.StatusOK, code)
}

// engine answers as the sequencer's JSON-RPC does.
func engine(t *testing.T, parent common.Hash, answer func(method string) any) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var calls []struct {
			ID     json.RawMessage
			Method string
			Params []any
		}
		if err := json.NewDecoder(r.Body).Decode(&calls); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		var out []map[string]any
		for _, c := range calls {
			reply := map[string]any{"jsonrpc": "2.0", "id": c.ID}
			if result := answer(c.Method); result != nil {
				reply["error"] = result
			} else if c.Method == "agnt2_getRangeStats" {
				reply["result"] = map[string]any{"interactions": "0x7", "volume": "0xde0b6b3a7640000"}
			} else if c.Params[0] == "0x4" { // the block before the first of the range, 5 to 8
				reply["result"] = map[string]any{"hash": parent, "stateRoot": common.Hash{4}}
			} else if c.Params[0] == "0x8" {
				reply["result"] = map[string]any{"hash": common.Hash{0x88}, "stateRoot": common.Hash{8}}
			}
			out = append(out, reply)
		}
		_ = json.NewEncoder(w).Encode(out)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestClaims(t *testing.T) {
	blocks, data := span(t, 11, 5, 4, 10_000)
	ok := func(string) any { return nil }
	for what, c := range map[string]struct {
		url     string
		claimed bool
	}{
		"filled":       {engine(t, blocks[0].ParentHash(), ok), true},
		"wrong parent": {engine(t, common.Hash{9}, ok), false},
		"no stats": {engine(t, blocks[0].ParentHash(), func(m string) any {
			if m == "agnt2_getRangeStats" {
				return map[string]any{"code": -32601, "message": "no such method"}
			}
			return nil
		}), false},
		"no engine": {"http://127.0.0.1:1", false},
	} {
		cfg := config(t.TempDir())
		cfg.L2RPC = c.url
		s := start(t, cfg)
		seal := checkSeal(t, mustPut(t, s, data[0]), blocks, 0)
		if c.claimed {
			require.Equal(t, common.Hash{4}, seal.PreviousRoot, what)
			require.Equal(t, common.Hash{8}, seal.CurrentRoot)
			require.EqualValues(t, 7, seal.Interactions)
			require.Equal(t, big.NewInt(1e18), seal.Volume.ToBig())
		} else {
			require.Zero(t, seal.PreviousRoot, what)
			require.Zero(t, seal.CurrentRoot, what)
			require.Zero(t, seal.Interactions, what)
			require.True(t, seal.Volume.IsZero(), what)
		}
		code, got := get(t, s, manifest.Key(seal))
		require.Equal(t, http.StatusOK, code)
		require.Equal(t, data[0], got)
	}
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	s := start(t, config(dir))
	code, _, _ := do(t, s, http.MethodGet, "/healthz", nil)
	require.Equal(t, http.StatusOK, code)
	require.NoError(t, os.RemoveAll(dir)) // writes fail, whoever runs the test
	code, _, _ = do(t, s, http.MethodGet, "/healthz", nil)
	require.Equal(t, http.StatusServiceUnavailable, code)
}

// With a port of its own for batches, the public one takes none.
func TestBatchesOnAPortOfTheirOwn(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.PutAddr = "127.0.0.1:0"
	s := start(t, cfg)
	_, data := span(t, 13, 1, 2, 10_000)
	for _, path := range []string{"/put", "/put/0x01"} {
		code, _, _ := do(t, s, http.MethodPost, path, data[0])
		require.Equal(t, http.StatusNotFound, code, path)
	}
	batches := altda.NewDAClient("http://"+s.putLn.Addr().String(), false, false)
	c, err := batches.SetInput(t.Context(), data[0])
	require.NoError(t, err)
	got, err := altda.NewDAClient("http://"+s.Addr(), false, false).GetInput(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, data[0], got)
	require.NoError(t, s.Close())
	_, err = batches.SetInput(t.Context(), data[0])
	require.Error(t, err)
}

// Whatever is put: an answer, never an error of the server's own, and what was taken is served.
func FuzzPut(f *testing.F) {
	_, data := span(f, 12, 1, 3, 300)
	for _, d := range data {
		f.Add(d)
	}
	_, whole := span(f, 12, 1, 3, 10_000)
	f.Add(whole[0])
	f.Add(framestest.Singular(f, func() []*types.Block { b, _ := span(f, 12, 1, 3, 300); return b }(), 10_000)[0])
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add(binary.BigEndian.AppendUint32(append(make([]byte, 1+16), 0xff, 0xff), 0))
	s := start(f, config(f.TempDir()))
	handler := s.http.Handler
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/put", bytes.NewReader(body)))
		switch w.Code {
		case http.StatusOK:
			got := httptest.NewRecorder()
			handler.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/get/"+hexutil.Encode(w.Body.Bytes()), nil))
			if got.Code != http.StatusOK || !bytes.Equal(got.Body.Bytes(), body) {
				t.Fatalf("%x was taken, and then %d", body, got.Code)
			}
		case http.StatusBadRequest, http.StatusConflict, http.StatusServiceUnavailable, http.StatusRequestEntityTooLarge:
		default:
			t.Fatalf("%x: %d %s", body, w.Code, w.Body)
		}
	})
}
