package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/event"
	gethparams "github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2-engine/ethapi"
	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// backend gives the JSON-RPC surface what it needs of the node.
type backend struct{ n *Node }

var _ ethapi.Backend = (*backend)(nil)

// suggestedTip is the priority fee, in wei per gas, that is enough while blocks are not full.
const suggestedTip = 1_000_000

func (b *backend) ChainConfig() *gethparams.ChainConfig { return b.n.chain.Config() }

func (b *backend) HeaderByNumber(n rpc.BlockNumber) *types.Header { return b.n.chain.HeaderByNumber(n) }
func (b *backend) HeaderByHash(hash common.Hash) *types.Header    { return b.n.chain.HeaderByHash(hash) }
func (b *backend) BlockByHash(hash common.Hash) *types.Block      { return b.n.chain.BlockByHash(hash) }
func (b *backend) Receipts(hash common.Hash) types.Receipts       { return b.n.chain.Receipts(hash) }
func (b *backend) CanonicalHash(number uint64) common.Hash        { return b.n.chain.CanonicalHash(number) }

func (b *backend) Transaction(hash common.Hash) (ethapi.TxLocation, bool) {
	l, ok := b.n.chain.Transaction(hash)
	return ethapi.TxLocation{BlockHash: l.Block, BlockNumber: l.Number, Index: l.Index}, ok
}

func (b *backend) Interaction(id common.Hash) (ethapi.InteractionTrace, bool) {
	t, ok := b.n.chain.Interaction(id)
	return ethapi.InteractionTrace{InvokeTx: t.Invoke, SettleTx: t.Settle, InvokeBlock: t.InvokeBlock, SettleBlock: t.SettleBlock}, ok
}

func (b *backend) view(h *types.Header) (*state.View, error) {
	v, err := b.n.chain.State().View(h.Hash())
	switch {
	case errors.Is(err, state.ErrPruned):
		return nil, ethapi.ErrStatePruned
	case errors.Is(err, state.ErrUnknownBlock):
		return nil, ethapi.ErrUnknownBlock
	}
	return v, err
}

func (b *backend) RecordsAt(h *types.Header) (ethapi.Records, error) {
	v, err := b.view(h)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (b *backend) Prove(h *types.Header, key record.Key) ([]byte, trie.Proof, error) {
	v, err := b.view(h)
	if err != nil {
		return nil, trie.Proof{}, err
	}
	return v.Prove(key)
}

func (b *backend) ProveMessagePasser(h *types.Header, slots []common.Hash) (*ethapi.MessagePasserProof, error) {
	v, err := b.view(h)
	if err != nil {
		return nil, err
	}
	t, err := v.Passer()
	if err != nil {
		return nil, err
	}
	p := &ethapi.MessagePasserProof{StorageRoot: t.Root()}
	for _, s := range slots {
		nodes, err := t.Prove(s)
		if err != nil {
			return nil, err
		}
		sp := ethapi.SlotProof{Slot: s, Nodes: nodes}
		if t.Has(s) {
			sp.Value.SetOne()
		}
		p.Slots = append(p.Slots, sp)
	}
	return p, nil
}

// DryRun executes the message as a forced operation would be: without nonce and fee.
func (b *backend) DryRun(_ context.Context, h *types.Header, call ethapi.Call) (*ethapi.CallResult, error) {
	v, err := b.view(h)
	if err != nil {
		return nil, err
	}
	limit := call.Gas
	if limit == 0 || limit > h.GasLimit {
		limit = h.GasLimit
	}
	m := vm.New(vm.Block{
		ChainID: b.n.cfg.Genesis.ChainID, Number: h.Number.Uint64(), Time: h.Time, GasLimit: h.GasLimit,
		BaseFee: *uint256.MustFromBig(h.BaseFee), Coinbase: h.Coinbase,
	})
	o := vm.NewOverlay(v)
	m.Begin(o)
	if call.From == abi.L1AttributesDepositor {
		return nil, fmt.Errorf("%s is the L1-attributes depositor: choose another sender", call.From)
	}
	r := m.Apply(o, &abi.Transaction{From: call.From, To: call.To, GasLimit: limit, Value: call.Value, Data: call.Data, Deposit: true})
	return &ethapi.CallResult{Return: r.Return, GasUsed: r.GasUsed, Revert: r.Revert, Logs: r.Logs}, nil
}

func (b *backend) SuggestTip() *uint256.Int { return uint256.NewInt(suggestedTip) }

func (b *backend) L1Cost(h *types.Header, size int) (*uint256.Int, error) {
	v, err := b.view(h)
	if err != nil {
		return nil, err
	}
	l1 := l1Info(v)
	fee := gas.L1DataFee(&l1, size)
	return &fee, nil
}

func (b *backend) SubmitTransaction(ctx context.Context, raw []byte) error {
	return b.n.pool.AddEncoded(ctx, [][]byte{raw})[0]
}

func (b *backend) PoolNonce(a common.Address) uint64 { return b.n.pool.Nonce(a) }

func (b *backend) PoolTransaction(hash common.Hash) *types.Transaction {
	if tx := b.n.pool.Get(hash); tx != nil {
		return tx.Ethereum()
	}
	return nil
}

func (b *backend) PoolContent() (pending, queued map[common.Address][]*types.Transaction) {
	p, q := b.n.pool.Content()
	return ethereum(p), ethereum(q)
}

func ethereum(m map[common.Address][]*abi.Transaction) map[common.Address][]*types.Transaction {
	out := make(map[common.Address][]*types.Transaction, len(m))
	for a, txs := range m {
		for _, tx := range txs {
			out[a] = append(out[a], tx.Ethereum())
		}
	}
	return out
}

func (b *backend) PoolStats() (pending, queued int) { return b.n.pool.Stats() }

func (b *backend) SetMaxDASize(maxTx, maxBlock uint64) { b.n.builder.SetMaxDASize(maxTx, maxBlock) }

func (b *backend) SubscribeHeads(ch chan<- core.ChainHeadEvent) event.Subscription {
	return b.n.chain.SubscribeHeads(ch)
}

func (b *backend) SubscribePoolTransactions(ch chan<- []*abi.Transaction) event.Subscription {
	return b.n.pool.SubscribeTransactions(ch)
}
