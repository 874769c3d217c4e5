package challenger

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
)

var (
	// ErrSafeDB says that the rollup node cannot tell what was safe at an L1 block: it runs without --safedb.path, or its
	// database begins later.
	ErrSafeDB = errors.New("no usable safe-head database on the rollup node (op-node needs --safedb.path from genesis on)")
	// ErrLayerRoot says that the batch inbox of the rollup configuration is not a LayerRoot.
	ErrLayerRoot = errors.New("batch inbox is not a LayerRoot")
)

// RollupClient is what the challenger asks of its rollup node.
type RollupClient interface {
	OutputAtBlock(ctx context.Context, blockNum uint64) (*eth.OutputResponse, error)
	SafeHeadAtL1Block(ctx context.Context, l1BlockNum uint64) (*eth.SafeHeadResponse, error)
	SyncStatus(ctx context.Context) (*eth.SyncStatus, error)
	RollupConfig(ctx context.Context) (*rollup.Config, error)
}

var layerRootABI = func() *abi.ABI {
	view := func(name string) abi.Method {
		t, _ := abi.NewType("uint64", "", nil)
		return abi.NewMethod(name, name, abi.Function, "view", false, false, nil, abi.Arguments{{Type: t}})
	}
	return &abi.ABI{Methods: map[string]abi.Method{
		"challengeWindowBlocks": view("challengeWindowBlocks"), "resolveWindowBlocks": view("resolveWindowBlocks"),
	}}
}()

// proofWindow returns by how many L1 blocks the proof head trails a game's L1 head: LayerRoot's DA challenge and resolve
// windows.
func proofWindow(ctx context.Context, caller *batching.MultiCaller, layerRoot common.Address) (uint64, error) {
	c := batching.NewBoundContract(layerRootABI, layerRoot)
	out, err := caller.Call(ctx, rpcblock.Latest, c.Call("challengeWindowBlocks"), c.Call("resolveWindowBlocks"))
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrLayerRoot, layerRoot, err)
	}
	return out[0].GetUint64(0) + out[1].GetUint64(0), nil
}

// proofHead returns the number of the L1 block up to which a game with the given L1 head counts what is derivable.
func proofHead(l1Head, window uint64) uint64 {
	if l1Head < window {
		return 0
	}
	return l1Head - window
}

// safeHead returns the L2 block that was safe once the node had derived an L1 block.
func safeHead(ctx context.Context, r RollupClient, l1Block uint64) (eth.BlockID, error) {
	resp, err := r.SafeHeadAtL1Block(ctx, l1Block)
	if err != nil {
		return eth.BlockID{}, fmt.Errorf("%w: safe head at L1 block %d: %w", ErrSafeDB, l1Block, err)
	}
	return resp.SafeHead, nil
}
