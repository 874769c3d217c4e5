// Package ethapi is the engine's JSON-RPC surface for agents, wallets and OP's tools: eth_, net_, web3_, txpool_,
// miner_ and agnt2_ methods, filters and subscriptions (Ethereum execution APIs; AGNT2 paper §4.2).
//
// It holds no chain state of its own and never writes any: everything goes through Backend.
package ethapi

import (
	"context"
	"errors"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/event"
	gethparams "github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/machine/witness"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// ErrUnknownBlock: no such block, or its state is outside the history window.
var ErrUnknownBlock = errors.New("unknown block")

// ErrStatePruned: the block is known but older than the history window.
var ErrStatePruned = errors.New("state of that block is pruned; see --history.blocks")

// Records reads the records of one block.
type Records interface {
	// Get returns the record's bytes, nil if absent. The slice must not be modified.
	Get(key record.Key) []byte
}

// Call is a message to dry-run: eth_call and eth_estimateGas.
type Call struct {
	From  common.Address
	To    *common.Address
	Value uint256.Int
	Data  []byte
	Gas   uint64 // 0: no limit but the block's
}

// CallResult of a dry run. Revert is nil on success.
type CallResult struct {
	Return  []byte
	GasUsed uint64
	Revert  abi.Revert
	Logs    []*types.Log
}

// TxLocation of an included transaction.
type TxLocation struct {
	BlockHash   common.Hash
	BlockNumber uint64
	Index       uint64
}

// InteractionTrace names the transactions of an interaction; zero hashes where there is none (yet).
type InteractionTrace struct {
	InvokeTx, SettleTx       common.Hash
	InvokeBlock, SettleBlock uint64
}

// ErrNotInHistory: an interaction is not in the history of that block, or older than what is kept.
var ErrNotInHistory = errors.New("interaction is not in the history; see --history.interactions")

// AgentInteraction is an entry of the index of agents' interactions.
type AgentInteraction struct {
	ID     common.Hash
	Cursor []byte // of the entry: 12 bytes that order an agent's interactions in time
}

// MicroStep is one micro-step of a transaction, with the record that it touched.
type MicroStep struct {
	Name          string
	Touched       bool
	Key           record.Key
	Before, After []byte // nil: absent
}

// AccountProof is what eth_getProof answers for the message passer.
type MessagePasserProof struct {
	StorageRoot common.Hash
	Slots       []SlotProof
}

// SlotProof proves one storage slot against the storage root.
type SlotProof struct {
	Slot  common.Hash
	Value uint256.Int
	Nodes [][]byte
}

// Backend is what the API needs of the engine. Implementations are safe for concurrent use.
type Backend interface {
	ChainConfig() *gethparams.ChainConfig

	// HeaderByNumber resolves numbers and the labels latest, pending (= latest), safe, finalized and earliest on the
	// canonical chain; nil if there is none.
	HeaderByNumber(number rpc.BlockNumber) *types.Header
	HeaderByHash(hash common.Hash) *types.Header
	BlockByHash(hash common.Hash) *types.Block
	// Receipts of a block in order, all derived fields set; nil if unknown. Blocks that a reorg removes keep theirs: their
	// logs are announced as removed.
	Receipts(hash common.Hash) types.Receipts
	// CanonicalHash of a height; zero hash if above the head.
	CanonicalHash(number uint64) common.Hash
	// Transaction returns where a transaction is included on the canonical chain: the non-void inclusion if there is one.
	Transaction(hash common.Hash) (TxLocation, bool)
	Interaction(id common.Hash) (InteractionTrace, bool)
	// Pruned finds the last interaction with an id among the first count that were moved into the history;
	// ErrNotInHistory.
	Pruned(id common.Hash, count uint64) (index uint64, value []byte, err error)
	// HistoryPath returns what proves the leaf with an index among count leaves of the history (agnt2/history).
	HistoryPath(count, index uint64) ([]common.Hash, error)
	// InteractionsOf lists an agent's interactions in a role, the newest first, those before the cursor if it is not nil.
	InteractionsOf(agent common.Address, callee bool, before []byte, limit int) ([]AgentInteraction, error)
	// TraceTransaction executes a canonical block up to a transaction and returns the micro-steps of that.
	TraceTransaction(ctx context.Context, header *types.Header, index uint64) ([]MicroStep, *CallResult, error)

	// RecordsAt reads the records of a block; ErrUnknownBlock or ErrStatePruned.
	RecordsAt(header *types.Header) (Records, error)
	// Prove returns the record (nil if absent) and its Merkle proof against the block's state root.
	Prove(header *types.Header, key record.Key) (value []byte, proof trie.Proof, err error)
	// ProveMessagePasser proves storage slots of the L2ToL1MessagePasser at a block.
	ProveMessagePasser(header *types.Header, slots []common.Hash) (*MessagePasserProof, error)
	// BlockWitness returns a canonical block, not genesis, with what executing it needs of its parent's state, proven;
	// ErrUnknownBlock or ErrStatePruned.
	BlockWitness(ctx context.Context, header *types.Header) (*witness.Block, error)
	// DryRun executes a message on top of a block without keeping anything. Transactions only: views are the API's.
	DryRun(ctx context.Context, header *types.Header, call Call) (*CallResult, error)

	// SuggestTip is a priority fee, in wei per gas, that gets a transaction into the next blocks.
	SuggestTip() *uint256.Int
	// L1Cost is the L1 data fee in wei of a signed transaction of that many bytes at a block.
	L1Cost(header *types.Header, txBytes int) (*uint256.Int, error)

	// SubmitTransaction puts a signed transaction, given as EIP-2718 encoding, into the mempool; errors say what to do.
	SubmitTransaction(ctx context.Context, raw []byte) error
	// PoolNonce is the nonce after all of the account's executable pool transactions.
	PoolNonce(account common.Address) uint64
	PoolTransaction(hash common.Hash) *types.Transaction
	// PoolContent returns executable and waiting transactions by sender, each in nonce order.
	PoolContent() (pending, queued map[common.Address][]*types.Transaction)
	PoolStats() (pending, queued int)

	// SetMaxDASize is OP's batcher throttling (miner_setMaxDASize): limits in bytes for one transaction and one block,
	// 0 for none.
	SetMaxDASize(maxTx, maxBlock uint64)

	SubscribeHeads(ch chan<- core.ChainHeadEvent) event.Subscription
	SubscribePoolTransactions(ch chan<- []*abi.Transaction) event.Subscription
}
