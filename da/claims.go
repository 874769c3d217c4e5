package da

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/manifest"
)

// claimTimeout bounds how long a SEAL waits for the engine. What it cannot tell in time stays unclaimed: batches must not
// wait for statistics.
const claimTimeout = 3 * time.Second

// Claims asks the sequencer's engine what a submission's blocks did (paper §4.5: state roots, interactions, volume).
type Claims struct{ rpc *rpc.Client }

// NewClaims connects to the engine's JSON-RPC; it does not wait for it to be up.
func NewClaims(url string) (*Claims, error) {
	c, err := rpc.Dial(url)
	if err != nil {
		return nil, fmt.Errorf("L2 RPC %s: %w", url, err)
	}
	return &Claims{c}, nil
}

// fill sets the claims of a SEAL, all or none: zero means unclaimed.
func (c *Claims) fill(ctx context.Context, s *manifest.Seal, l log.Logger) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	var before, after struct {
		Hash      common.Hash `json:"hash"`
		StateRoot common.Hash `json:"stateRoot"`
	}
	var stats struct {
		Interactions hexutil.Uint64 `json:"interactions"`
		Volume       *hexutil.Big   `json:"volume"`
	}
	batch := []rpc.BatchElem{
		{Method: "eth_getBlockByNumber", Args: []any{hexutil.Uint64(s.FirstBlock - 1), false}, Result: &before},
		{Method: "eth_getBlockByNumber", Args: []any{hexutil.Uint64(s.LastBlock), false}, Result: &after},
		{Method: "agnt2_getRangeStats", Args: []any{hexutil.Uint64(s.FirstBlock), hexutil.Uint64(s.LastBlock)}, Result: &stats},
	}
	err := c.rpc.BatchCallContext(ctx, batch)
	for i := range batch {
		if err == nil {
			err = batch[i].Error
		}
	}
	if err == nil && !bytes.Equal(before.Hash[:20], s.ParentCheck[:]) {
		err = fmt.Errorf("the engine's block %d is %s, the batch follows %x", s.FirstBlock-1, before.Hash, s.ParentCheck)
	}
	if err != nil {
		l.Warn("Submission goes without claims", "first", s.FirstBlock, "last", s.LastBlock, "err", err)
		return
	}
	s.PreviousRoot, s.CurrentRoot, s.Interactions = before.StateRoot, after.StateRoot, uint64(stats.Interactions)
	if stats.Volume != nil {
		s.Volume = *uint256.MustFromBig(stats.Volume.ToInt())
	}
}
