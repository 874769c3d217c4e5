package simulation

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	derivation "github.com/ethereum-optimism/optimism/op-node/rollup/derive/params"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

const (
	l1ChainID = 900
	// frameBytes is what one transaction to the inbox carries at most: geth's pool takes no larger ones.
	frameBytes = 120_000
)

var (
	portal    = common.HexToAddress("0x9027a1000000000000000000000000000000d00b")
	inbox     = common.HexToAddress("0x1a7e00000000000000000000000000000000da7a")
	sysConfig = common.HexToAddress("0x5c00000000000000000000000000000000000c0f")
	l1Config  = params.MergedTestChainConfig
)

func batcherKey() *ecdsa.PrivateKey { return vmtest.Key(1 << 20) }

func rollupConfig(g *genesis.Genesis, l1 *types.Header) *rollup.Config {
	zero, canyon := uint64(0), g.EIP1559Denominator
	return &rollup.Config{
		Genesis: rollup.Genesis{
			L1: eth.BlockID{Hash: l1.Hash(), Number: l1.Number.Uint64()}, L2: eth.BlockID{Hash: g.Block().Hash()}, L2Time: uint64(g.Timestamp),
			SystemConfig: eth.SystemConfig{
				BatcherAddr: crypto.PubkeyToAddress(batcherKey().PublicKey), GasLimit: uint64(g.GasLimit),
				Scalar: eth.EncodeScalar(eth.EcotoneScalars{BaseFeeScalar: 700, BlobBaseFeeScalar: 9000}),
			},
		},
		BlockTime: blockTime, MaxSequencerDrift: 600, SeqWindowSize: 100, ChannelTimeoutBedrock: 50, L1ChainID: big.NewInt(l1ChainID),
		L2ChainID: new(big.Int).SetUint64(g.ChainID), RegolithTime: &zero, CanyonTime: &zero, DeltaTime: &zero, EcotoneTime: &zero, FjordTime: &zero,
		GraniteTime: &zero, HoloceneTime: &zero, IsthmusTime: &zero, BatchInboxAddress: inbox, DepositContractAddress: portal, L1SystemConfigAddress: sysConfig,
		ChainOpConfig: &params.OptimismConfig{EIP1559Elasticity: g.EIP1559Elasticity, EIP1559Denominator: g.EIP1559Denominator, EIP1559DenominatorCanyon: &canyon},
	}
}

// l1Chain is an L1 in memory: headers, receipts and transactions, as op-node fetches them. It is all that the replica sees.
type l1Chain struct {
	mu     sync.Mutex
	blocks []*l1Block
	byHash map[common.Hash]*l1Block
}

type l1Block struct {
	header   *types.Header
	receipts types.Receipts
	txs      types.Transactions
}

func newL1Chain() *l1Chain {
	c := &l1Chain{byHash: map[common.Hash]*l1Block{}}
	c.add(nil, nil)
	return c
}

// add appends a block with receipts, of transactions that nobody looks at, and the batcher's transactions.
func (c *l1Chain) add(receipts types.Receipts, txs types.Transactions) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := uint64(len(c.blocks))
	digest := crypto.Keccak256Hash([]byte("L1 block"), binary.BigEndian.AppendUint64(nil, n))
	zero, excess := uint64(0), binary.BigEndian.Uint64(digest[:])%20_000_000
	h := &types.Header{
		UncleHash: types.EmptyUncleHash, Difficulty: new(big.Int), Number: new(big.Int).SetUint64(n), GasLimit: 60_000_000, Time: genesisAt + n*l1Time,
		MixDigest: crypto.Keccak256Hash(digest[:]), BaseFee: new(big.Int).SetUint64(binary.BigEndian.Uint64(digest[8:]) % (2 * gwei)),
		WithdrawalsHash: &types.EmptyWithdrawalsHash, BlobGasUsed: &zero, ExcessBlobGas: &excess, ParentBeaconRoot: &digest, RequestsHash: &types.EmptyRequestsHash,
		TxHash: types.DeriveSha(txs, trie.NewStackTrie(nil)), ReceiptHash: types.DeriveSha(receipts, trie.NewStackTrie(nil)),
	}
	if n > 0 {
		h.ParentHash = c.blocks[n-1].header.Hash()
	}
	hash := h.Hash()
	for _, r := range receipts {
		for _, l := range r.Logs {
			l.BlockHash = hash
		}
	}
	b := &l1Block{h, receipts, txs}
	c.blocks = append(c.blocks, b)
	c.byHash[hash] = b
}

func (c *l1Chain) head() *l1Block { return c.blocks[len(c.blocks)-1] }

// drop forgets what a block before n holds beside its header.
func (c *l1Chain) drop(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := int(n); i >= 0 && c.blocks[i].txs != nil; i-- {
		c.blocks[i].txs, c.blocks[i].receipts = nil, nil
	}
}

func (c *l1Chain) at(hash common.Hash) (*l1Block, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.byHash[hash]; b != nil {
		return b, nil
	}
	return nil, ethereum.NotFound
}

func (b *l1Block) ref() eth.L1BlockRef { return eth.InfoToL1BlockRef(eth.HeaderBlockInfo(b.header)) }

func (c *l1Chain) L1BlockRefByNumber(_ context.Context, n uint64) (eth.L1BlockRef, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n >= uint64(len(c.blocks)) {
		return eth.L1BlockRef{}, ethereum.NotFound
	}
	return c.blocks[n].ref(), nil
}

func (c *l1Chain) L1BlockRefByLabel(context.Context, eth.BlockLabel) (eth.L1BlockRef, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head().ref(), nil
}

func (c *l1Chain) L1BlockRefByHash(_ context.Context, hash common.Hash) (eth.L1BlockRef, error) {
	b, err := c.at(hash)
	if err != nil {
		return eth.L1BlockRef{}, err
	}
	return b.ref(), nil
}

func (c *l1Chain) InfoByHash(_ context.Context, hash common.Hash) (eth.BlockInfo, error) {
	b, err := c.at(hash)
	if err != nil {
		return nil, err
	}
	return eth.HeaderBlockInfo(b.header), nil
}

func (c *l1Chain) FetchReceipts(_ context.Context, hash common.Hash) (eth.BlockInfo, types.Receipts, error) {
	b, err := c.at(hash)
	if err != nil {
		return nil, nil, err
	}
	return eth.HeaderBlockInfo(b.header), b.receipts, nil
}

func (c *l1Chain) InfoAndTxsByHash(_ context.Context, hash common.Hash) (eth.BlockInfo, types.Transactions, error) {
	b, err := c.at(hash)
	if err != nil {
		return nil, nil, err
	}
	return eth.HeaderBlockInfo(b.header), b.txs, nil
}

// GetBlobsByHash: this L1 has none.
func (c *l1Chain) GetBlobsByHash(context.Context, uint64, []common.Hash) ([]*eth.Blob, error) {
	return nil, ethereum.NotFound
}

// receiptsOf are receipts in which the portal reports deposits, among the logs of others.
func receiptsOf(deposits []*types.DepositTx) (out types.Receipts) {
	const each = 20
	index := uint(0)
	for len(deposits) > 0 {
		n := min(each, len(deposits))
		r := &types.Receipt{Type: types.DynamicFeeTxType, Status: types.ReceiptStatusSuccessful, CumulativeGasUsed: uint64(len(out)+1) * 1_000_000}
		for _, d := range deposits[:n] {
			r.Logs = append(r.Logs, must(derive.MarshalDepositLogEvent(portal, d)), &types.Log{Address: common.Address{0x77}, Topics: []common.Hash{derive.DepositEventABIHash}})
		}
		for _, l := range r.Logs {
			l.Index = index
			index++
		}
		r.Bloom = types.CreateBloom(r)
		out, deposits = append(out, r), deposits[n:]
		if len(out)%5 == 0 { // a transaction that was reverted: what it logged never happened
			out[len(out)-1].Status = types.ReceiptStatusFailed
		}
	}
	return out
}

// batcher makes of each epoch's blocks a channel with one span batch, as op-batcher does, and of each frame a transaction.
// It works beside the sequencer.
type batcher struct {
	cfg    *rollup.Config
	signer types.Signer
	key    *ecdsa.PrivateKey
	nonce  uint64

	blocks []*types.Block
	made   uint64
	sent   []chan [][]byte // channels in the making, oldest first
	bytes  int
}

func newBatcher(cfg *rollup.Config) *batcher {
	return &batcher{cfg: cfg, signer: types.LatestSignerForChainID(big.NewInt(l1ChainID)), key: batcherKey()}
}

func (b *batcher) add(x *types.Block) { b.blocks = append(b.blocks, x) }

// close ends the channel of the blocks so far.
func (b *batcher) close() {
	if len(b.blocks) == 0 {
		return
	}
	out, blocks, id := make(chan [][]byte, 1), b.blocks, b.made
	b.blocks, b.sent = nil, append(b.sent, out)
	b.made++
	go func() { out <- must(b.frames(blocks, id)) }()
}

// due closes the channel of the last epoch and returns the transactions that carry the one before.
func (b *batcher) due() types.Transactions {
	b.close()
	if len(b.sent) < 2 {
		return nil
	}
	return b.oldest()
}

func (b *batcher) oldest() (txs types.Transactions) {
	frames := <-b.sent[0]
	b.sent = b.sent[1:]
	for _, data := range frames {
		b.bytes += len(data)
		txs = append(txs, types.MustSignNewTx(b.key, b.signer, &types.DynamicFeeTx{
			ChainID: big.NewInt(l1ChainID), Nonce: b.nonce, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(gwei), Gas: 21_000 + 40*uint64(len(data)), To: &inbox, Data: data,
		}))
		b.nonce++
	}
	return txs
}

// frames encodes blocks as one span batch in one channel. Compression is zlib at its fastest: at the batcher's level it would
// cost a third of the whole simulation, and it is all the same to who reads it.
func (b *batcher) frames(blocks []*types.Block, id uint64) (data [][]byte, err error) {
	span := derive.NewSpanBatch(b.cfg.Genesis.L2Time, b.cfg.L2ChainID)
	for _, x := range blocks {
		batch, info, err := derive.BlockToSingularBatch(b.cfg, x)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", x.NumberU64(), err)
		}
		if err := span.AppendSingularBatch(batch, info.SequenceNumber); err != nil {
			return nil, fmt.Errorf("block %d: %w", x.NumberU64(), err)
		}
	}
	raw, err := span.ToRawSpanBatch()
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	z, err := zlib.NewWriterLevel(&content, zlib.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := rlp.Encode(z, derive.NewBatchData(raw)); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	f := derive.Frame{ID: derive.ChannelID(crypto.Keccak256([]byte("channel"), binary.BigEndian.AppendUint64(nil, id)))}
	for ; !f.IsLast; f.FrameNumber++ {
		f.Data = content.Next(frameBytes - 1 - derive.FrameV0OverHeadSize)
		f.IsLast = content.Len() == 0
		w := bytes.NewBuffer([]byte{derivation.DerivationVersion0})
		if err := f.MarshalBinary(w); err != nil {
			return nil, err
		}
		data = append(data, w.Bytes())
	}
	return data, nil
}
