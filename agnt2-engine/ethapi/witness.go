package ethapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/machine/witness"
)

// Limits of agnt2_getBlockWitness: it executes a block and answers tens of megabytes, but a prover whose clock runs must
// not be starved by other readers, so it has a gate of its own.
const (
	witnessesAtOnce = 1
	witnessQueue    = 16
	witnessTimeout  = 25 * time.Second // waiting included
)

// GetBlockWitness implements agnt2_getBlockWitness: a canonical block, its parent's header, and what executing it needs of
// the state before it, proven (agnt2/machine/witness has the encoding and the verifier).
func (x *agnt2API) GetBlockWitness(ctx context.Context, at rpc.BlockNumberOrHash) (*witness.Answer, error) {
	h, err := x.a.header(&at)
	if err != nil {
		return nil, err
	}
	if h.Number.Sign() == 0 {
		return nil, invalidParams("the genesis block has no parent: nothing is executed in it")
	}
	if x.a.b.CanonicalHash(h.Number.Uint64()) != h.Hash() {
		return nil, errNotCanonical
	}
	ctx, cancel := context.WithTimeout(ctx, witnessTimeout)
	defer cancel()
	if err := x.a.proofs.enter(ctx); err != nil {
		return nil, err
	}
	defer x.a.proofs.leave()
	w, err := x.a.b.BlockWitness(ctx, h)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, limitExceeded("witness of block %d took too long: retry", h.Number)
	}
	if err != nil {
		return nil, fmt.Errorf("witness of block %d: %w", h.Number, err)
	}
	raw, err := w.Encode()
	if err != nil {
		return nil, fmt.Errorf("witness of block %d: %w", h.Number, err)
	}
	return &witness.Answer{
		BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(), ParentHash: h.ParentHash, StateRoot: w.Parent.Root, Witness: raw,
	}, nil
}
