// Package batcher is what AGNT2 adds to op-batcher: transactions to the LayerRoot inbox get a deterministic gas limit.
//
// op-batcher gives its transactions the calldata floor as limit, which leaves nothing for LayerRoot's code. Estimating
// instead would fail for a frame whose predecessor is still pending, and would allow only one in flight. So the limit is
// computed: what LayerRoot does with a commitment is bounded by the commitment's kind and length.
package batcher

import (
	"context"

	"github.com/ethereum-optimism/optimism/op-service/txmgr"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

// executionGas bounds what LayerRoot spends on one commitment, storage of a submission included, with a margin of about
// two; a test in e2e and one of the contract's measure it. What is not used is not paid.
const executionGas = 800_000

// InboxTxManager sets the gas limit of transactions to the inbox and leaves everything else to the inner manager.
type InboxTxManager struct {
	txmgr.TxManager
	Inbox common.Address
}

// GasLimit of an inbox transaction that carries data.
func GasLimit(data []byte) uint64 {
	var zeros uint64
	for _, b := range data {
		if b == 0 {
			zeros++
		}
	}
	intrinsic := params.TxGas + zeros*params.TxDataZeroGas + (uint64(len(data))-zeros)*params.TxDataNonZeroGasEIP2028
	limit := intrinsic + executionGas
	if floor, err := core.FloorDataGas(data); err == nil { // EIP-7623
		limit = max(limit, floor)
	}
	return limit
}

func (m *InboxTxManager) candidate(c txmgr.TxCandidate) txmgr.TxCandidate {
	if c.To != nil && *c.To == m.Inbox && len(c.Blobs) == 0 {
		c.GasLimit = GasLimit(c.TxData)
	}
	return c
}

func (m *InboxTxManager) Send(ctx context.Context, c txmgr.TxCandidate) (*types.Receipt, error) {
	return m.TxManager.Send(ctx, m.candidate(c))
}

func (m *InboxTxManager) SendAsync(ctx context.Context, c txmgr.TxCandidate, ch chan txmgr.SendResponse) {
	m.TxManager.SendAsync(ctx, m.candidate(c), ch)
}
