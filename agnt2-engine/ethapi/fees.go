package ethapi

import (
	"context"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/common/lru"
	gethmath "github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"
)

// maxPercentiles bounds eth_feeHistory's third argument.
const maxPercentiles = 100

// GasPrice implements eth_gasPrice: base fee of the head plus the suggested tip, in wei per gas.
func (e *ethAPI) GasPrice() (*hexutil.Big, error) {
	h, err := e.a.head()
	if err != nil {
		return nil, err
	}
	return (*hexutil.Big)(new(big.Int).Add(e.a.b.SuggestTip().ToBig(), h.BaseFee)), nil
}

// MaxPriorityFeePerGas implements eth_maxPriorityFeePerGas, in wei per gas.
func (e *ethAPI) MaxPriorityFeePerGas() *hexutil.Big {
	return (*hexutil.Big)(e.a.b.SuggestTip().ToBig())
}

type feeHistory struct {
	OldestBlock      *hexutil.Big     `json:"oldestBlock"`
	Reward           [][]*hexutil.Big `json:"reward,omitempty"`
	BaseFee          []*hexutil.Big   `json:"baseFeePerGas,omitempty"`
	GasUsedRatio     []float64        `json:"gasUsedRatio"`
	BlobBaseFee      []*hexutil.Big   `json:"baseFeePerBlobGas,omitempty"`
	BlobGasUsedRatio []float64        `json:"blobGasUsedRatio,omitempty"`
}

// bid is what one transaction paid above the base fee and the gas that it used.
type bid struct {
	tip *big.Int
	gas uint64
}

// feeCache keeps the sorted bids of recent blocks, which take a whole block's receipts to find.
type feeCache struct {
	lru *lru.Cache[common.Hash, []bid]
}

// feeCacheBlocks is small because a full block has thousands of bids.
const feeCacheBlocks = 256

func newFeeCache() *feeCache { return &feeCache{lru.NewCache[common.Hash, []bid](feeCacheBlocks)} }

// FeeHistory implements eth_feeHistory. Deposits and void transactions bid nothing and do not count for the rewards.
func (e *ethAPI) FeeHistory(ctx context.Context, blocks gethmath.HexOrDecimal64, last rpc.BlockNumber, percentiles []float64) (*feeHistory, error) {
	if len(percentiles) > maxPercentiles {
		return nil, invalidParams("%d reward percentiles, at most %d", len(percentiles), maxPercentiles)
	}
	for i, p := range percentiles {
		if !(p >= 0 && p <= 100) || (i > 0 && p <= percentiles[i-1]) {
			return nil, invalidParams("reward percentiles must rise within 0 to 100: %v at %d", p, i)
		}
	}
	h, err := e.a.headerByNumber(last)
	if err != nil {
		return nil, err
	}
	limit := e.a.cfg.MaxFeeHistoryBlocks
	if len(percentiles) > 0 {
		limit = min(limit, e.a.cfg.MaxFeeRewardBlocks)
	}
	newest := h.Number.Uint64()
	n := min(uint64(blocks), uint64(limit), newest+1)
	if n == 0 {
		return &feeHistory{OldestBlock: new(hexutil.Big), GasUsedRatio: []float64{}}, nil
	}
	ctx, done, err := e.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()

	out := &feeHistory{
		OldestBlock:  (*hexutil.Big)(new(big.Int).SetUint64(newest + 1 - n)),
		BaseFee:      make([]*hexutil.Big, n+1),
		GasUsedRatio: make([]float64, n),
		BlobBaseFee:  make([]*hexutil.Big, n+1), BlobGasUsedRatio: make([]float64, n),
	}
	for i := range out.BlobBaseFee {
		out.BlobBaseFee[i] = e.BlobBaseFee()
	}
	if len(percentiles) > 0 {
		out.Reward = make([][]*hexutil.Big, n)
	}
	next := eip1559.CalcBaseFee(e.a.b.ChainConfig(), h, h.Time+1)
	out.BaseFee[n] = (*hexutil.Big)(next)
	for i := int(n) - 1; ; i-- { // from the newest down, along one chain even if the head changes meanwhile
		if err := ctx.Err(); err != nil {
			return nil, expired("eth_feeHistory", err)
		}
		out.BaseFee[i] = (*hexutil.Big)(h.BaseFee)
		out.GasUsedRatio[i] = float64(h.GasUsed) / float64(h.GasLimit)
		if out.Reward != nil {
			out.Reward[i] = rewards(e.a.bids(h), percentiles)
		}
		if i == 0 {
			return out, nil
		}
		parent := e.a.b.HeaderByHash(h.ParentHash)
		if parent == nil {
			return nil, errHeaderNotFound
		}
		h = parent
	}
}

// bids of a block by rising tip.
func (a *API) bids(h *types.Header) []bid {
	hash := h.Hash()
	if b, ok := a.fees.lru.Get(hash); ok {
		return b
	}
	var out []bid
	for _, r := range a.b.Receipts(hash) {
		if r.Type == types.DepositTxType || r.GasUsed == 0 || r.EffectiveGasPrice == nil {
			continue
		}
		out = append(out, bid{new(big.Int).Sub(r.EffectiveGasPrice, h.BaseFee), r.GasUsed})
	}
	slices.SortStableFunc(out, func(x, y bid) int { return x.tip.Cmp(y.tip) })
	a.fees.lru.Add(hash, out)
	return out
}

// rewards are the tips at percentiles of the gas that bids used; zeros without bids.
func rewards(bids []bid, percentiles []float64) []*hexutil.Big {
	out := make([]*hexutil.Big, len(percentiles))
	var total uint64
	for _, b := range bids {
		total += b.gas
	}
	i, sum := 0, uint64(0)
	if len(bids) > 0 {
		sum = bids[0].gas
	}
	for j, p := range percentiles {
		if len(bids) == 0 {
			out[j] = new(hexutil.Big)
			continue
		}
		for threshold := uint64(float64(total) * p / 100); sum < threshold && i < len(bids)-1; {
			i++
			sum += bids[i].gas
		}
		out[j] = (*hexutil.Big)(bids[i].tip)
	}
	return out
}
