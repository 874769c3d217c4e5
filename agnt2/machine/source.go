package machine

import (
	"context"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/machine/witness"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// L1 is what a tracer asks of an L1 node. Answers are checked against hashes; a wrong one is an error, not another trace.
type L1 interface {
	Header(ctx context.Context, hash common.Hash) (*types.Header, error)
	Receipts(ctx context.Context, block common.Hash) (types.Receipts, error)
	// Storage proves slots of a contract in the state after a block (eth_getProof).
	Storage(ctx context.Context, block common.Hash, contract common.Address, slots []common.Hash) (*Storage, error)
}

// Storage is an account's proof and those of some of its slots, in the order asked for.
type Storage struct {
	Account [][]byte // RLP nodes, root first
	Slots   []Slot
}

// Slot is one slot's value and proof.
type Slot struct {
	Value common.Hash
	Nodes [][]byte
}

// L2 is what a tracer asks of an engine, for blocks inside its history.
type L2 interface {
	Header(ctx context.Context, number uint64) (*types.Header, error)
	// Record is a record (nil if absent) after a block, with its proof.
	Record(ctx context.Context, key record.Key, number uint64) ([]byte, trie.Proof, error)
	// Witness is a block with the state before it (agnt2_getBlockWitness).
	Witness(ctx context.Context, number uint64) (*witness.Block, error)
	// BlockRecords are the manifest's records of derived blocks, both ends included.
	BlockRecords(ctx context.Context, first, last uint64) ([]manifest.BlockRecord, error)
}
