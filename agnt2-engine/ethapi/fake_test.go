package ethapi

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/event"
	gethparams "github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	gethtrie "github.com/ethereum/go-ethereum/trie"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

var (
	aliceKey, _ = crypto.ToECDSA(crypto.Keccak256([]byte("alice")))
	alice       = crypto.PubkeyToAddress(aliceKey.PublicKey)
	bob         = common.HexToAddress("0xb0b0000000000000000000000000000000000b0b")
	nobody      = common.HexToAddress("0x00000000000000000000000000000000000dead1")

	inference = crypto.Keccak256Hash([]byte("inference"))
	sent      = crypto.Keccak256Hash([]byte("a sent withdrawal"))
)

const testTip = 1_000_000

// recordSet is the state of one block.
type recordSet map[record.Key][]byte

func (r recordSet) Get(k record.Key) []byte { return r[k] }

func (r recordSet) with(k record.Key, v []byte) recordSet {
	out := make(recordSet, len(r)+1)
	for k, v := range r {
		out[k] = v
	}
	out[k] = v
	return out
}

func (r recordSet) trie() *trie.Trie {
	t := trie.New()
	var cs []trie.Change
	for k, v := range r {
		cs = append(cs, trie.Change{Key: k, ValueHash: trie.HashRecord(v)})
	}
	t.Update(cs)
	return t
}

// fakeChain is a Backend in memory: real blocks, receipts, tries and proofs, but no rules.
type fakeChain struct {
	config *gethparams.ChainConfig
	passer *withdrawal.Tree

	mu        sync.Mutex
	blocks    map[common.Hash]*types.Block
	receipts  map[common.Hash]types.Receipts
	states    map[common.Hash]recordSet
	pruned    map[common.Hash]bool
	history   map[common.Hash][]byte // pruned interactions
	canonical []common.Hash
	safe      *uint64
	located   map[common.Hash]TxLocation
	traces    map[common.Hash]InteractionTrace
	pool      map[common.Hash]*types.Transaction
	maxTx     uint64
	maxBlock  uint64
	submitErr error
	onSubmit  func(*types.Transaction)
	onDryRun  func(ctx context.Context) error

	heads event.FeedOf[core.ChainHeadEvent]
	txs   event.FeedOf[[]*abi.Transaction]
}

var _ Backend = (*fakeChain)(nil)

func newFakeChain() *fakeChain {
	g := &genesis.Genesis{
		ChainID: 901, Timestamp: 1_700_000_000, GasLimit: 100_000_000, BaseFee: (*hexutil.Big)(big.NewInt(1_000_000_000)),
		EIP1559Denominator: 250, EIP1559Elasticity: 6, Params: genesis.DevnetParams(), Policy: genesis.DevnetPolicy(),
		Alloc: map[common.Address]*hexutil.Big{alice: (*hexutil.Big)(big.NewInt(gethparams.Ether))},
	}
	f := &fakeChain{
		config: g.ChainConfig(), passer: withdrawal.NewTree(), blocks: map[common.Hash]*types.Block{}, receipts: map[common.Hash]types.Receipts{},
		states: map[common.Hash]recordSet{}, pruned: map[common.Hash]bool{}, located: map[common.Hash]TxLocation{},
		traces: map[common.Hash]InteractionTrace{}, pool: map[common.Hash]*types.Transaction{},
	}
	f.passer.Insert(sent)
	block := g.Block()
	state := recordSet{}
	for _, r := range g.Records() {
		state[r.Key] = r.Value
	}
	f.blocks[block.Hash()], f.receipts[block.Hash()], f.states[block.Hash()] = block, types.Receipts{}, state
	f.canonical = []common.Hash{block.Hash()}
	return f
}

// payload is what build puts into a block after the L1-attributes deposit.
type payload struct {
	txs  []*types.Transaction
	logs [][]*types.Log // by transaction
	set  map[record.Key][]byte
	seed byte // makes blocks differ
}

// build makes a child block, known but not canonical.
func (f *fakeChain) build(parent *types.Block, p payload) *types.Block {
	f.mu.Lock()
	defer f.mu.Unlock()
	state := f.states[parent.Hash()]
	for k, v := range p.set {
		state = state.with(k, v)
	}
	number := new(big.Int).Add(parent.Number(), common.Big1)
	deposit := types.NewTx(&types.DepositTx{
		SourceHash: crypto.Keccak256Hash(number.Bytes(), []byte{p.seed}), From: abi.L1AttributesDepositor, To: &abi.L1BlockAddress,
		Value: new(big.Int), Gas: 1_000_000, Data: abi.L1AttributesSelector[:],
	})
	txs := append(types.Transactions{deposit}, p.txs...)
	zero, one, nonce := uint64(0), uint64(1), number.Uint64()-1
	var receipts types.Receipts
	for i, tx := range txs {
		r := &types.Receipt{Type: tx.Type(), Status: 1, GasUsed: 20_000, CumulativeGasUsed: 20_000 * uint64(i+1), TxHash: tx.Hash(), Logs: []*types.Log{}}
		if i == 0 {
			r.DepositNonce, r.DepositReceiptVersion, r.EffectiveGasPrice = &nonce, &one, new(big.Int)
		} else {
			r.EffectiveGasPrice = effectiveGasPrice(tx, parent.BaseFee())
			r.L1Fee, r.L1GasPrice, r.L1GasUsed, r.L1BlobBaseFee = big.NewInt(7), big.NewInt(8), big.NewInt(9), big.NewInt(1)
			r.L1BaseFeeScalar, r.L1BlobBaseFeeScalar = &one, &zero
			if i-1 < len(p.logs) {
				for _, l := range p.logs[i-1] {
					c := *l
					r.Logs = append(r.Logs, &c)
				}
			}
		}
		r.Bloom = types.CreateBloom(r)
		receipts = append(receipts, r)
	}
	passer, requests, beacon := f.passer.Root(), types.EmptyRequestsHash, common.Hash{1}
	header := &types.Header{
		ParentHash: parent.Hash(), Coinbase: abi.SequencerFeeVault, Root: state.trie().Root(), Difficulty: common.Big0, Number: number,
		GasLimit: parent.GasLimit(), GasUsed: 20_000 * uint64(len(txs)), Time: parent.Time() + 1, Extra: parent.Extra(), BaseFee: parent.BaseFee(),
		BlobGasUsed: &zero, ExcessBlobGas: &zero, ParentBeaconRoot: &beacon, WithdrawalsHash: &passer, RequestsHash: &requests,
	}
	block := types.NewBlock(header, &types.Body{Transactions: txs, Withdrawals: []*types.Withdrawal{}}, receipts, gethtrie.NewStackTrie(nil), f.config)
	var index uint
	for i, r := range receipts {
		r.BlockHash, r.BlockNumber, r.TransactionIndex = block.Hash(), block.Number(), uint(i)
		for _, l := range r.Logs {
			l.BlockHash, l.BlockNumber, l.BlockTimestamp, l.TxHash, l.TxIndex, l.Index = block.Hash(), number.Uint64(), block.Time(), r.TxHash, uint(i), index
			index++
		}
	}
	f.blocks[block.Hash()], f.receipts[block.Hash()], f.states[block.Hash()] = block, receipts, state
	return block
}

// setHead makes a block and its ancestors canonical and tells it.
func (f *fakeChain) setHead(block *types.Block) {
	f.mu.Lock()
	chain := make([]common.Hash, block.NumberU64()+1)
	for b := block; ; b = f.blocks[b.ParentHash()] {
		chain[b.NumberU64()] = b.Hash()
		if b.NumberU64() == 0 {
			break
		}
	}
	f.canonical = chain
	f.located = map[common.Hash]TxLocation{}
	for _, h := range chain {
		for i, tx := range f.blocks[h].Transactions() {
			f.located[tx.Hash()] = TxLocation{BlockHash: h, BlockNumber: f.blocks[h].NumberU64(), Index: uint64(i)}
			delete(f.pool, tx.Hash())
		}
	}
	f.mu.Unlock()
	f.heads.Send(core.ChainHeadEvent{Header: block.Header()})
}

// extend builds on the head and makes the block the head.
func (f *fakeChain) extend(p payload) *types.Block {
	block := f.build(f.head(), p)
	f.setHead(block)
	return block
}

func (f *fakeChain) head() *types.Block {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blocks[f.canonical[len(f.canonical)-1]]
}

func (f *fakeChain) ChainConfig() *gethparams.ChainConfig { return f.config }

func (f *fakeChain) HeaderByNumber(n rpc.BlockNumber) *types.Header {
	f.mu.Lock()
	defer f.mu.Unlock()
	last := uint64(len(f.canonical) - 1)
	switch n {
	case rpc.LatestBlockNumber, rpc.PendingBlockNumber:
		n = rpc.BlockNumber(last)
	case rpc.SafeBlockNumber, rpc.FinalizedBlockNumber:
		if f.safe == nil {
			return nil
		}
		n = rpc.BlockNumber(*f.safe)
	case rpc.EarliestBlockNumber:
		n = 0
	}
	if uint64(n) > last {
		return nil
	}
	return f.blocks[f.canonical[n]].Header()
}

func (f *fakeChain) HeaderByHash(h common.Hash) *types.Header {
	if b := f.BlockByHash(h); b != nil {
		return b.Header()
	}
	return nil
}

func (f *fakeChain) BlockByHash(h common.Hash) *types.Block {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blocks[h]
}

func (f *fakeChain) Receipts(h common.Hash) types.Receipts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.receipts[h]
}

func (f *fakeChain) CanonicalHash(n uint64) common.Hash {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n >= uint64(len(f.canonical)) {
		return common.Hash{}
	}
	return f.canonical[n]
}

func (f *fakeChain) Transaction(h common.Hash) (TxLocation, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.located[h]
	return l, ok
}

func (f *fakeChain) Interaction(id common.Hash) (InteractionTrace, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, ok := f.traces[id]
	return t, ok
}

func (f *fakeChain) state(h *types.Header) (recordSet, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pruned[h.Hash()] {
		return nil, ErrStatePruned
	}
	s, ok := f.states[h.Hash()]
	if !ok {
		return nil, ErrUnknownBlock
	}
	return s, nil
}

func (f *fakeChain) RecordsAt(h *types.Header) (Records, error) {
	s, err := f.state(h)
	return s, err
}

func (f *fakeChain) Prove(h *types.Header, k record.Key) ([]byte, trie.Proof, error) {
	s, err := f.state(h)
	if err != nil {
		return nil, trie.Proof{}, err
	}
	return s[k], s.trie().Prove(k), nil
}

func (f *fakeChain) ProveMessagePasser(_ *types.Header, slots []common.Hash) (*MessagePasserProof, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := &MessagePasserProof{StorageRoot: f.passer.Root()}
	for _, s := range slots {
		nodes, err := f.passer.Prove(s)
		if err != nil {
			return nil, err
		}
		p := SlotProof{Slot: s, Nodes: nodes}
		if f.passer.Has(s) {
			p.Value.SetOne()
		}
		out.Slots = append(out.Slots, p)
	}
	return out, nil
}

// DryRun knows one operation that works, one that fails, and the engine's answers to what is none.
func (f *fakeChain) DryRun(ctx context.Context, _ *types.Header, c Call) (*CallResult, error) {
	if f.onDryRun != nil {
		if err := f.onDryRun(ctx); err != nil {
			return nil, err
		}
	}
	sel, _, whole := selector(c.Data)
	switch {
	case c.To == nil:
		return &CallResult{Revert: &abi.ContractCreationUnsupported{}}, nil
	case len(c.Data) == 0:
		return &CallResult{GasUsed: 4_000}, nil
	case *c.To == abi.MessagePasserAddress:
		return &CallResult{GasUsed: 20_000}, nil
	case *c.To != abi.Address:
		return &CallResult{Revert: &abi.NoCodeAtTarget{Target: *c.To}}, nil
	case whole && sel == abi.HeartbeatSelector:
		return &CallResult{GasUsed: 6_000}, nil
	case whole && sel == abi.InvokeSelector:
		id := common.Hash{0x1d}
		return &CallResult{GasUsed: 9_000, Return: id[:]}, nil
	case whole && sel == abi.TopUpStakeSelector:
		return &CallResult{Revert: &abi.NotRegistered{Agent: c.From}}, nil
	}
	return &CallResult{Revert: &abi.UnknownOperation{Selector: sel}}, nil
}

func (f *fakeChain) SuggestTip() *uint256.Int { return uint256.NewInt(testTip) }

func (f *fakeChain) L1Cost(_ *types.Header, n int) (*uint256.Int, error) {
	return uint256.NewInt(uint64(n) * 10), nil
}

func (f *fakeChain) SubmitTransaction(_ context.Context, raw []byte) error {
	decoded, err := abi.Decode(raw, f.config.ChainID)
	if err != nil {
		return err
	}
	if decoded.Deposit {
		return abi.ErrDepositSigned
	}
	tx := decoded.Ethereum()
	f.mu.Lock()
	err, then := f.submitErr, f.onSubmit
	if err == nil {
		f.pool[tx.Hash()] = tx
	}
	f.mu.Unlock()
	if err == nil {
		f.txs.Send([]*abi.Transaction{decoded})
		if then != nil {
			then(tx)
		}
	}
	return err
}

func (f *fakeChain) PoolNonce(common.Address) uint64 { return 42 }

func (f *fakeChain) PoolTransaction(h common.Hash) *types.Transaction {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pool[h]
}

func (f *fakeChain) PoolContent() (pending, queued map[common.Address][]*types.Transaction) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pending = map[common.Address][]*types.Transaction{}
	for _, tx := range f.pool {
		pending[alice] = append(pending[alice], tx)
	}
	return pending, nil
}

func (f *fakeChain) PoolStats() (int, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.pool), 0
}

func (f *fakeChain) SetMaxDASize(maxTx, maxBlock uint64) { f.maxTx, f.maxBlock = maxTx, maxBlock }

func (f *fakeChain) SubscribeHeads(ch chan<- core.ChainHeadEvent) event.Subscription {
	return f.heads.Subscribe(ch)
}

func (f *fakeChain) SubscribePoolTransactions(ch chan<- []*abi.Transaction) event.Subscription {
	return f.txs.Subscribe(ch)
}

// signed makes a transaction of alice.
func (f *fakeChain) signed(t testing.TB, nonce uint64, data []byte) *types.Transaction {
	return f.signedBy(t, aliceKey, nonce, testTip, data)
}

func (f *fakeChain) signedBy(t testing.TB, key *ecdsa.PrivateKey, nonce, tip uint64, data []byte) *types.Transaction {
	tx, err := types.SignNewTx(key, types.LatestSigner(f.config), &types.DynamicFeeTx{
		ChainID: f.config.ChainID, Nonce: nonce, GasTipCap: new(big.Int).SetUint64(tip), GasFeeCap: big.NewInt(5_000_000_000), Gas: 100_000,
		To: &abi.Address, Value: big.NewInt(123), Data: data,
	})
	require.NoError(t, err)
	return tx
}

func heartbeatLog(who common.Address, at uint64) *types.Log {
	return (&abi.HeartbeatEvent{Agent: who, Timestamp: at}).Log(abi.Address)
}

// testAPI is an API over a fake chain, with a client in process.
type testAPI struct {
	*API
	chain  *fakeChain
	server *rpc.Server
	client *rpc.Client
}

func newTestAPI(t testing.TB, change func(*Config)) *testAPI {
	t.Helper()
	cfg := DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	x := &testAPI{chain: newFakeChain()}
	x.API = New(x.chain, cfg)
	server, err := x.NewServer(ServerConfig{}, x.APIs())
	require.NoError(t, err)
	x.server, x.client = server, rpc.DialInProc(server)
	t.Cleanup(func() { x.client.Close(); server.Stop(); x.Close() })
	return x
}

// get calls a method and requires success.
func get[T any](t testing.TB, x *testAPI, method string, args ...any) T {
	t.Helper()
	var out T
	require.NoError(t, x.client.Call(&out, method, args...), method)
	return out
}

// fails calls a method and requires an error with a code.
func fails(t testing.TB, x *testAPI, code int, method string, args ...any) error {
	t.Helper()
	var out any
	err := x.client.Call(&out, method, args...)
	require.Error(t, err, "%s answered %v", method, out)
	var coded rpc.Error
	require.True(t, errors.As(err, &coded), "%v", err)
	require.Equal(t, code, coded.ErrorCode(), "%v", err)
	return err
}

func hexNumber(n uint64) string { return fmt.Sprintf("0x%x", n) }

func (f *fakeChain) Pruned(id common.Hash, count uint64) (uint64, []byte, error) {
	if b := f.history[id]; b != nil && count > 0 {
		return 0, b, nil
	}
	return 0, nil, fmt.Errorf("%w: %s", ErrNotInHistory, id)
}

func (f *fakeChain) HistoryPath(count, index uint64) ([]common.Hash, error) {
	return nil, ErrNotInHistory
}

func (f *fakeChain) InteractionsOf(common.Address, bool, []byte, int) ([]AgentInteraction, error) {
	return nil, nil
}

func (f *fakeChain) TraceTransaction(context.Context, *types.Header, uint64) ([]MicroStep, *CallResult, error) {
	return nil, nil, ErrUnknownBlock
}
