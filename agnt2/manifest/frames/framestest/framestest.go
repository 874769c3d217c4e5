// Package framestest builds OP channels with OP's own encoder, for the tests of what reads them. Only tests use it.
package framestest

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/binary"
	"errors"
	"io"
	"math/big"
	"math/rand"
	"sync"
	"testing"

	"github.com/ethereum-optimism/optimism/op-batcher/compressor"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum-optimism/optimism/op-service/testutils"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/manifest/frames"
)

// MaxFrameBytes is what the batcher puts into one L1 transaction, version byte included.
const MaxFrameBytes = 1_000_000

// Config is a chain with every fork through Isthmus at genesis, as this project's are.
func Config() *rollup.Config {
	zero := new(uint64)
	cfg := &rollup.Config{
		Genesis:   rollup.Genesis{L1: eth.BlockID{Number: 100}, L2: eth.BlockID{Number: 0}, L2Time: 1_700_000_000},
		BlockTime: 2, MaxSequencerDrift: 600, SeqWindowSize: 3600, ChannelTimeoutBedrock: 300,
		L1ChainID: big.NewInt(900), L2ChainID: big.NewInt(42_069),
		RegolithTime: zero, CanyonTime: zero, DeltaTime: zero, EcotoneTime: zero, FjordTime: zero, GraniteTime: zero, HoloceneTime: zero, IsthmusTime: zero,
	}
	return cfg
}

// Chain is Config's constants.
func Chain() frames.Chain { return frames.ChainOf(Config()) }

// secret signs all transactions.
var secret = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("framestest")))
	if err != nil {
		panic(err)
	}
	return k
})

// Txs makes signed type-2 transactions, each with so many random bytes of calldata, which no compression makes smaller.
func Txs(rng *rand.Rand, count, calldata int) []*types.Transaction {
	txs := make([]*types.Transaction, count)
	signer := types.LatestSignerForChainID(Config().L2ChainID)
	for i := range txs {
		data := make([]byte, calldata)
		rng.Read(data)
		to := common.BytesToAddress(data)
		txs[i] = types.MustSignNewTx(secret(), signer, &types.DynamicFeeTx{
			ChainID: Config().L2ChainID, Nonce: uint64(i), GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(1e9), Gas: 1_000_000, To: &to, Value: new(big.Int), Data: data,
		})
	}
	return txs
}

// Blocks makes consecutive blocks from number first on, whose sequenced transactions are given. Two follow one L1 origin.
func Blocks(t testing.TB, rng *rand.Rand, first uint64, txs ...[]*types.Transaction) []*types.Block {
	return BlocksOn(t, rng, first, nil, txs...)
}

// BlocksOn is Blocks with the hash of a real L1 block in the place of all origins' hashes; nil is random.
func BlocksOn(t testing.TB, rng *rand.Rand, first uint64, origin *common.Hash, txs ...[]*types.Transaction) []*types.Block {
	cfg := Config()
	parent := common.Hash(crypto.Keccak256Hash([]byte("parent")))
	var info *testutils.MockBlockInfo
	var out []*types.Block
	for i, sequenced := range txs {
		number := first + uint64(i)
		at := cfg.Genesis.L2Time + number*cfg.BlockTime
		if i%2 == 0 {
			info = testutils.RandomBlockInfo(rng)
			info.InfoNum = cfg.Genesis.L1.Number + uint64(i)/2
			if origin != nil {
				info.InfoHash = *origin
			}
		}
		deposit, err := derive.L1InfoDeposit(cfg, params.MergedTestChainConfig, eth.SystemConfig{}, uint64(i%2), info, at)
		require.NoError(t, err)
		all := append([]*types.Transaction{types.NewTx(deposit)}, sequenced...)
		b := types.NewBlock(&types.Header{ParentHash: parent, Number: new(big.Int).SetUint64(number), Time: at, Difficulty: new(big.Int)},
			&types.Body{Transactions: all}, nil, trie.NewStackTrie(nil), types.DefaultBlockConfig)
		parent = b.Hash()
		out = append(out, b)
	}
	return out
}

// Span encodes blocks as OP's batcher does for this chain, and returns the data of each L1 transaction.
func Span(t testing.TB, algo derive.CompressionAlgo, blocks []*types.Block, maxFrameBytes int, opts ...derive.SpanChannelOutOption) [][]byte {
	co, err := derive.NewSpanChannelOut(1<<40, algo, rollup.NewChainSpec(Config()), opts...)
	require.NoError(t, err)
	return output(t, co, blocks, maxFrameBytes)
}

// Singular encodes blocks as singular batches.
func Singular(t testing.TB, blocks []*types.Block, maxFrameBytes int) [][]byte {
	c, err := compressor.NewNonCompressor(compressor.Config{TargetOutputSize: 1 << 40, CompressionAlgo: derive.Zlib})
	require.NoError(t, err)
	co, err := derive.NewSingularChannelOut(c, rollup.NewChainSpec(Config()))
	require.NoError(t, err)
	return output(t, co, blocks, maxFrameBytes)
}

func output(t testing.TB, co derive.ChannelOut, blocks []*types.Block, maxFrameBytes int) (data [][]byte) {
	for _, b := range blocks {
		_, err := co.AddBlock(Config(), b)
		require.NoError(t, err)
	}
	require.NoError(t, co.Close())
	for {
		w := bytes.NewBuffer([]byte{0}) // derivation version 0
		_, err := co.OutputFrame(w, uint64(maxFrameBytes-1))
		if err != nil && !errors.Is(err, io.EOF) {
			require.NoError(t, err)
		}
		data = append(data, w.Bytes())
		if err != nil {
			return data
		}
	}
}

// Cut makes the frames of a channel with any compressed content.
func Cut(t testing.TB, content []byte, maxFrameBytes int) (data [][]byte) {
	for n := 0; ; n++ {
		f := derive.Frame{ID: derive.ChannelID{1, 2, 3}, FrameNumber: uint16(n), Data: content[:min(len(content), maxFrameBytes)]}
		content = content[len(f.Data):]
		f.IsLast = len(content) == 0
		w := bytes.NewBuffer([]byte{0})
		require.NoError(t, f.MarshalBinary(w))
		if data = append(data, w.Bytes()); f.IsLast {
			return data
		}
	}
}

// Records computes by hand what a submission of the blocks says about them.
func Records(t testing.TB, blocks []*types.Block) []manifest.BlockRecord {
	records := make([]manifest.BlockRecord, len(blocks))
	for i, b := range blocks {
		info, err := derive.L1BlockInfoFromBytes(Config(), b.Time(), b.Transactions()[0].Data())
		require.NoError(t, err)
		var hashes []common.Hash
		for _, tx := range b.Transactions()[1:] {
			hashes = append(hashes, tx.Hash())
		}
		records[i] = manifest.BlockRecord{
			Number: b.NumberU64(), Timestamp: b.Time(), L1Origin: info.Number, TxCount: uint64(len(hashes)), TxsRoot: manifest.TxsRoot(hashes),
		}
	}
	return records
}

// OriginCheck is the head of the hash of a block's L1 origin.
func OriginCheck(t testing.TB, b *types.Block) (check [20]byte) {
	info, err := derive.L1BlockInfoFromBytes(Config(), b.Time(), b.Transactions()[0].Data())
	require.NoError(t, err)
	copy(check[:], info.BlockHash[:])
	return check
}

// Opaque is the sequenced transactions of a block as the data carries them.
func Opaque(t testing.TB, b *types.Block) (txs []hexutil.Bytes) {
	for _, tx := range b.Transactions()[1:] {
		raw, err := tx.MarshalBinary()
		require.NoError(t, err)
		txs = append(txs, raw)
	}
	return txs
}

// Huge is a block of more than 20 MB in transactions of less than 128 KB, between two small ones, and its channel: 21 frames.
func Huge(t testing.TB) (blocks []*types.Block, data [][]byte) {
	h := huge()
	if len(h.data) == 0 {
		t.Fatal("the huge channel was not built")
	}
	return h.blocks, h.data
}

type built struct {
	blocks []*types.Block
	data   [][]byte
}

// Once for all tests of a package: compressing it takes seconds.
var huge = sync.OnceValue(func() (h built) {
	done := make(chan struct{})
	go func() { // require ends its goroutine
		defer close(done)
		var t panicking
		rng := rand.New(rand.NewSource(20))
		h.blocks = Blocks(&t, rng, 7, Txs(rng, 2, 10), Txs(rng, 164, 125_000), Txs(rng, 1, 10))
		h.data = Span(&t, derive.Zlib, h.blocks, MaxFrameBytes)
	}()
	<-done
	return h
})

// panicking is a testing.TB outside of any one test.
type panicking struct{ testing.TB }

func (*panicking) Helper()                   {}
func (*panicking) Errorf(f string, a ...any) { println(f) }
func (*panicking) FailNow()                  { panic("framestest: cannot build the huge channel") }

// SpanClaiming is the RLP of a batch that claims a number of blocks and has no more than that.
func SpanClaiming(blocks uint64) []byte {
	b := []byte{derive.SpanBatchType}
	b = binary.AppendUvarint(b, 2)   // timestamp relative to genesis
	b = binary.AppendUvarint(b, 100) // L1 origin
	b = append(b, make([]byte, 40)...)
	return binary.AppendUvarint(b, blocks)
}
