package frames_test

import (
	"bytes"
	"compress/zlib"
	"math/big"
	"math/rand"
	"runtime"
	"testing"

	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/manifest/frames"
	"github.com/agnt2/agnt2/agnt2/manifest/frames/framestest"
)

func parse(t testing.TB, data [][]byte) (out []derive.Frame) {
	for _, d := range data {
		f, err := frames.ParseOne(d)
		require.NoError(t, err)
		out = append(out, f)
	}
	return out
}

func small(t testing.TB, count int) []*types.Block {
	rng := rand.New(rand.NewSource(int64(count)))
	var txs [][]*types.Transaction
	for i := range count {
		txs = append(txs, framestest.Txs(rng, i%4, 50))
	}
	return framestest.Blocks(t, rng, 3, txs...)
}

func checkRecords(t *testing.T, blocks []*types.Block, ch *frames.Channel) {
	require.NoError(t, ch.Provable())
	require.Equal(t, framestest.Records(t, blocks), ch.Records)
	parent := blocks[0].ParentHash()
	require.Equal(t, parent[:20], ch.ParentCheck[:])
	require.Equal(t, framestest.OriginCheck(t, blocks[len(blocks)-1]), ch.L1OriginCheck)
	s := ch.Seal(manifest.Frame{Number: 3})
	require.Equal(t, manifest.Seal{
		Frame: manifest.Frame{Number: 3}, FirstBlock: blocks[0].NumberU64(), LastBlock: blocks[len(blocks)-1].NumberU64(),
		FirstL1Origin: ch.Records[0].L1Origin, RecordsRoot: manifest.RecordsRoot(framestest.Records(t, blocks)), L1OriginCheck: ch.L1OriginCheck, ParentCheck: ch.ParentCheck,
	}, s)
	require.NoError(t, s.Check())
}

func TestSpanBatches(t *testing.T) {
	for _, algo := range []derive.CompressionAlgo{derive.Zlib, derive.Brotli10} {
		for _, n := range []int{1, 2, 5, 40} {
			blocks := small(t, n)
			for _, size := range []int{200, 5_000, framestest.MaxFrameBytes} {
				data := framestest.Span(t, algo, blocks, size)
				ch, err := frames.Read(parse(t, data), framestest.Chain())
				require.NoError(t, err)
				checkRecords(t, blocks, ch)
			}
		}
	}
}

func TestTwentyMegabyteBlock(t *testing.T) {
	blocks, data := framestest.Huge(t)
	require.Greater(t, blocks[1].Size(), uint64(20_000_000))
	require.Greater(t, len(data), 20)
	for _, d := range data {
		require.LessOrEqual(t, len(d), framestest.MaxFrameBytes)
	}
	ch, err := frames.Read(parse(t, data), framestest.Chain())
	require.NoError(t, err)
	checkRecords(t, blocks, ch)
	require.Equal(t, uint64(164), ch.Records[1].TxCount)
}

func TestNotProvable(t *testing.T) {
	blocks := small(t, 6)
	ch, err := frames.Read(parse(t, framestest.Singular(t, blocks, 500)), framestest.Chain())
	require.NoError(t, err)
	require.Equal(t, framestest.Records(t, blocks), ch.Records)
	require.ErrorIs(t, ch.Provable(), frames.ErrNotProvable)

	ch, err = frames.Read(parse(t, framestest.Span(t, derive.Zlib, blocks, 500, derive.WithMaxBlocksPerSpanBatch(3))), framestest.Chain())
	require.NoError(t, err)
	require.Equal(t, framestest.Records(t, blocks), ch.Records)
	require.Equal(t, 2, ch.SpanBatches)
	require.ErrorIs(t, ch.Provable(), frames.ErrNotProvable)

	// A span and a singular batch in one channel.
	mixed := append(content(t, framestest.Span(t, derive.Zlib, blocks[:3], 500)), content(t, framestest.Singular(t, blocks[3:], 500))...)
	ch, err = frames.Read(parse(t, framestest.Cut(t, deflate(t, mixed), 500)), framestest.Chain())
	require.NoError(t, err)
	require.Equal(t, framestest.Records(t, blocks), ch.Records)
	require.Equal(t, 1, ch.SpanBatches)
	require.Equal(t, 3, ch.Singular)
	require.ErrorIs(t, ch.Provable(), frames.ErrNotProvable)
}

// content is the decompressed content of a zlib channel.
func content(t testing.TB, data [][]byte) []byte {
	var all []byte
	for _, f := range parse(t, data) {
		all = append(all, f.Data...)
	}
	r, err := zlib.NewReader(bytes.NewReader(all))
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = out.ReadFrom(r)
	require.NoError(t, err)
	return out.Bytes()
}

func deflate(t testing.TB, content []byte) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestFrameSequence(t *testing.T) {
	good := parse(t, framestest.Span(t, derive.Zlib, small(t, 9), 300))
	require.Greater(t, len(good), 4)
	clone := func() []derive.Frame { return append([]derive.Frame(nil), good...) }
	last := len(good) - 1
	for what, bad := range map[string][]derive.Frame{
		"none":      nil,
		"first":     good[1:],
		"last":      good[:last],
		"one":       append(clone()[:1], good[2:]...),
		"twice":     append([]derive.Frame{good[0]}, good...),
		"swapped":   append([]derive.Frame{good[1], good[0]}, good[2:]...),
		"behind":    append(clone(), good[0]),
		"last only": good[last:],
		"foreign": func() []derive.Frame {
			f := clone()
			f[1].ID[0] ^= 1
			return f
		}(),
		"last early": func() []derive.Frame {
			f := clone()
			f[1].IsLast = true
			return f
		}(),
		"last never": func() []derive.Frame {
			f := clone()
			f[last].IsLast = false
			return f
		}(),
	} {
		_, err := frames.Read(bad, framestest.Chain())
		require.ErrorIs(t, err, frames.ErrFrameSequence, what)
	}
	_, err := frames.Read(make([]derive.Frame, manifest.MaxFrames+1), framestest.Chain())
	require.ErrorIs(t, err, frames.ErrChannelTooLarge)
	// Two hundred and one frames of half a megabyte are above OP's bound.
	huge := make([]derive.Frame, 201)
	shared := make([]byte, 500_000)
	for i := range huge {
		huge[i] = derive.Frame{FrameNumber: uint16(i), Data: shared, IsLast: i == len(huge)-1}
	}
	_, err = frames.Read(huge, framestest.Chain())
	require.ErrorIs(t, err, frames.ErrChannelTooLarge)
}

// A changed byte anywhere is an error or other records: the checksum of the compression, or the content, shows it.
func TestCorruption(t *testing.T) {
	blocks := small(t, 4)
	data := framestest.Span(t, derive.Zlib, blocks, framestest.MaxFrameBytes)
	require.Len(t, data, 1)
	frame := parse(t, data)[0]
	for i := range frame.Data {
		bad := frame
		bad.Data = bytes.Clone(frame.Data)
		bad.Data[i] ^= 1 << (i % 8)
		if ch, err := frames.Read([]derive.Frame{bad}, framestest.Chain()); err == nil {
			require.Contains(t, []int{0, 1}, i, "byte %d: read as %v", i, ch) // the header of zlib has bits without effect
		}
	}
	for n := range len(frame.Data) {
		bad := frame
		bad.Data = frame.Data[:n]
		ch, err := frames.Read([]derive.Frame{bad}, framestest.Chain())
		if err == nil && n >= len(frame.Data)-9 { // only the compression's end mark and checksum: op-node does not miss them
			require.Equal(t, framestest.Records(t, blocks), ch.Records)
			continue
		}
		require.ErrorIs(t, err, frames.ErrBatch, "cut to %d of %d", n, len(frame.Data))
	}
	whole := content(t, data)
	for n := range whole {
		_, err := frames.Read(parse(t, framestest.Cut(t, deflate(t, whole[:n]), 1000)), framestest.Chain())
		require.ErrorIs(t, err, frames.ErrBatch, "content cut to %d of %d", n, len(whole))
		// And behind a batch that is fine.
		if n > 0 {
			_, err = frames.Read(parse(t, framestest.Cut(t, deflate(t, append(bytes.Clone(whole), whole[:n]...)), 1000)), framestest.Chain())
			require.Error(t, err, "content cut to %d of %d, behind a good batch", n, len(whole))
		}
	}
}

// A batch whose fields end too early, in an RLP string that does not, must not pass as the end of the channel.
func TestShortBatchBehindAGoodOne(t *testing.T) {
	whole := content(t, framestest.Span(t, derive.Zlib, small(t, 4), 1000))
	for _, short := range [][]byte{{}, {derive.SpanBatchType}, framestest.SpanClaiming(3)[:20], framestest.SpanClaiming(3)} {
		raw, err := rlp.EncodeToBytes(short)
		require.NoError(t, err)
		_, err = frames.Read(parse(t, framestest.Cut(t, deflate(t, append(bytes.Clone(whole), raw...)), 1000)), framestest.Chain())
		require.ErrorIs(t, err, frames.ErrBatch, "%x", short)
	}
}

func TestBlockSequence(t *testing.T) {
	blocks := small(t, 4)
	data := parse(t, framestest.Span(t, derive.Zlib, blocks, 1000))
	for what, change := range map[string]func(*frames.Chain){
		"before genesis":        func(c *frames.Chain) { c.GenesisTime += 100 },
		"at genesis":            func(c *frames.Chain) { c.GenesisTime = blocks[0].Time() },
		"between two blocks":    func(c *frames.Chain) { c.GenesisTime-- },
		"not one block further": func(c *frames.Chain) { c.BlockTime = 1; c.GenesisNumber = 1 },
	} {
		chain := framestest.Chain()
		change(&chain)
		ch, err := frames.Read(data, chain)
		if what == "not one block further" {
			// Span batches space their blocks by the chain's own block time, so they stay consecutive, with other numbers.
			require.NoError(t, err)
			require.NotEqual(t, framestest.Records(t, blocks), ch.Records)
			continue
		}
		// A span is encoded relative to genesis: the constants move it as a whole.
		if err == nil {
			require.NotEqual(t, framestest.Records(t, blocks), ch.Records, what)
		}
	}
	// Singular batches carry absolute timestamps.
	single := parse(t, framestest.Singular(t, blocks, 1000))
	for _, change := range []func(*frames.Chain){
		func(c *frames.Chain) { c.GenesisTime += 100 },
		func(c *frames.Chain) { c.GenesisTime = blocks[0].Time() },
		func(c *frames.Chain) { c.GenesisTime-- },
		func(c *frames.Chain) { c.BlockTime = 1 },
	} {
		chain := framestest.Chain()
		change(&chain)
		_, err := frames.Read(single, chain)
		require.ErrorIs(t, err, frames.ErrBlockSequence)
	}
	gap := parse(t, framestest.Singular(t, []*types.Block{blocks[0], blocks[2]}, 1000))
	_, err := frames.Read(gap, framestest.Chain())
	require.ErrorIs(t, err, frames.ErrBlockSequence)

	for _, bad := range []frames.Chain{{}, {BlockTime: 2}, {ChainID: big.NewInt(1)}, {BlockTime: 2, ChainID: new(big.Int)}} {
		_, err := frames.Read(data, bad)
		require.ErrorContains(t, err, "chain constants")
	}
}

func TestOneFrameExactly(t *testing.T) {
	data := framestest.Span(t, derive.Zlib, small(t, 9), 300)
	for what, bad := range map[string][]byte{
		"empty":              nil,
		"version only":       {0},
		"other version":      append([]byte{1}, data[0][1:]...),
		"two frames":         append(bytes.Clone(data[0]), data[1][1:]...),
		"trailing byte":      append(bytes.Clone(data[0]), 0),
		"cut":                data[0][:len(data[0])-1],
		"commitment as data": manifest.Calldata(manifest.Part{}),
	} {
		_, err := frames.ParseOne(bad)
		require.ErrorIs(t, err, frames.ErrNotOneFrame, what)
	}
}

// allocated is how many bytes f allocates in all.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// The claim of many blocks costs the claimant nothing; it must cost the reader little.
func TestSpanCountBomb(t *testing.T) {
	for _, claim := range []uint64{manifest.MaxSubmissionBlocks + 1, 1 << 20, 9_999_999, 10_000_001, 1 << 40, 1<<64 - 1} {
		// Everything that follows is there too, as zeros: origin bits and transaction counts of so many empty blocks.
		batch := framestest.SpanClaiming(claim)
		if claim < 10_000_000 {
			batch = append(batch, make([]byte, (claim+7)/8+claim)...)
		}
		raw, err := rlp.EncodeToBytes(batch)
		require.NoError(t, err)
		bomb := parse(t, framestest.Cut(t, deflate(t, raw), 100_000))
		var got error
		used := allocated(func() { _, got = frames.Read(bomb, framestest.Chain()) })
		require.Error(t, got, claim)
		t.Logf("%d blocks claimed in %d bytes: %d bytes allocated: %v", claim, len(bomb[0].Data), used, got)
		// In all, not at once; OP's decoder itself goes up to ten million blocks before the claim can be seen.
		require.Less(t, used, uint64(800_000_000), claim)
	}
}

// Zeros compress a thousandfold; the reader stops at OP's bound.
func TestDecompressionBomb(t *testing.T) {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	header := []byte{0xba, 0x10, 0, 0, 0} // an RLP string of 256 MB
	_, err := w.Write(header[:4])
	require.NoError(t, err)
	zeros := make([]byte, 1<<20)
	for range 128 {
		_, err = w.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	bomb := parse(t, framestest.Cut(t, b.Bytes(), 100_000))
	var got error
	used := allocated(func() { _, got = frames.Read(bomb, framestest.Chain()) })
	require.ErrorIs(t, got, frames.ErrBatch)
	require.Less(t, used, uint64(400_000_000))
}

func FuzzFrames(f *testing.F) {
	blocks := small(f, 3)
	for _, data := range [][][]byte{
		framestest.Span(f, derive.Zlib, blocks, framestest.MaxFrameBytes),
		framestest.Span(f, derive.Brotli10, blocks, framestest.MaxFrameBytes),
		framestest.Singular(f, blocks, framestest.MaxFrameBytes),
		framestest.Span(f, derive.Zlib, blocks, 300),
	} {
		f.Add(data[0], false)
		f.Add(data[0][24:], true)
	}
	batch, err := rlp.EncodeToBytes(append(framestest.SpanClaiming(70_000), make([]byte, 80_000)...))
	require.NoError(f, err)
	f.Add(batch, true)
	f.Add([]byte{0}, false)
	f.Fuzz(func(t *testing.T, b []byte, content bool) {
		data := b
		if content { // past the compression, which random bytes do not get through
			var z bytes.Buffer
			w := zlib.NewWriter(&z)
			_, _ = w.Write(b)
			_ = w.Close()
			data = framestest.Cut(t, z.Bytes(), 1<<22)[0]
		}
		frame, err := frames.ParseOne(data)
		if err != nil {
			return
		}
		ch, err := frames.Read([]derive.Frame{frame}, framestest.Chain())
		if err != nil {
			return
		}
		if len(ch.Records) == 0 || len(ch.Records) > manifest.MaxSubmissionBlocks {
			t.Fatalf("%d records", len(ch.Records))
		}
		s := ch.Seal(manifest.Frame{DataHash: crypto.Keccak256Hash(data)})
		if err := s.Check(); err != nil && ch.Provable() == nil {
			t.Fatal(err)
		}
		for i, r := range ch.Records {
			if r.Number != s.FirstBlock+uint64(i) {
				t.Fatalf("record %d is of block %d", i, r.Number)
			}
		}
	})
}
