package challenger

import (
	"context"

	"github.com/ethereum-optimism/optimism/op-service/eth"
)

// anchorOnly answers with CountingVM's output at block 0, which is the stage's anchor, and passes on everything else.
type anchorOnly struct{ RollupClient }

func (a anchorOnly) OutputAtBlock(ctx context.Context, n uint64) (*eth.OutputResponse, error) {
	if n == 0 {
		return &eth.OutputResponse{OutputRoot: eth.Bytes32(outputRoot(0))}, nil
	}
	return a.RollupClient.OutputAtBlock(ctx, n)
}
