package simulation

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
)

const (
	chainID  = 901
	accounts = 4000
	// blockTime and l1Time in seconds: an epoch is three blocks.
	blockTime = 2
	l1Time    = 6
	blockTxs  = 2500
	l1Txs     = 400 // deposits of an L1 block
	gasLimit  = 200_000_000
	gwei      = 1_000_000_000
	genesisAt = 1_750_000_000
)

// population is thousands of agents and the sequencer that takes their transactions.
type population struct {
	*vmtest.Generator
	t      *testing.T
	keys   map[common.Address]*ecdsa.PrivateKey
	signer types.Signer

	genesis *genesis.Genesis
	rollup  *rollup.Config
	l1      *l1Chain
	batcher *batcher
	builder *derive.FetchingAttributesBuilder
	replica *replica

	model   *model
	ledger  *ledger
	table   table
	head    *types.Header
	ref     eth.L2BlockRef
	baseFee uint256.Int // of the block in the making

	supply uint256.Int // wei that genesis and deposits have brought, less what was withdrawn
	ops    int
	memory
}

// parameters are small enough that every limit is met.
func parameters() (record.Params, record.Policy) {
	p := genesis.DefaultParams()
	p.MinStakeWei, p.MinCountedPaymentWei = *uint256.NewInt(100), *uint256.NewInt(10)
	p.MaxTtlSeconds, p.StakeCooldownSeconds, p.MaxPendingInvokes, p.MaxCapabilities = 30, 40, 20, 4
	q := genesis.DevnetPolicy()
	q.EligibilityScore, q.InvokesPerSecond, q.InvokesBurst, q.CommitWindowSeconds = 20, 1, 1, 16
	q.RecentSeconds, q.DisputeWindowSeconds, q.PrunesPerBlock = 12, 20, prunes
	q.DisputeBondWei, q.DisputeFeeWei, q.MinCommitDepositWei = *uint256.NewInt(50), *uint256.NewInt(5), *uint256.NewInt(20)
	q.ChannelWindowSeconds, q.MaxChannelTtlSeconds, q.DoubleSignSlashWei = 8, 18, *uint256.NewInt(75)
	q.MaxCompositionSeconds, q.WeiPerPendingInvoke = 300, *uint256.NewInt(10)
	return p, q
}

const prunes = 4000

func newPopulation(t *testing.T, seed uint64) *population {
	p := &population{
		Generator: &vmtest.Generator{Rnd: rand.New(rand.NewPCG(seed, 7)), ChainID: chainID, History: &vmtest.History{}, Scale: 60, PrunesPerBlock: prunes},
		t:         t, keys: map[common.Address]*ecdsa.PrivateKey{}, signer: types.LatestSignerForChainID(big.NewInt(chainID)),
		model: newModel(), ledger: newLedger(), table: table{},
	}
	params, policy := parameters()
	alloc := map[common.Address]*hexutil.Big{}
	for i := range accounts {
		k := vmtest.Key(i)
		a := p.AddKey(k)
		p.keys[a] = k
		wei := new(big.Int).SetUint64(p.Rnd.Uint64N(1e18))
		if i%16 == 0 { // who runs out of money
			wei.SetUint64(p.Rnd.Uint64N(1e15))
		}
		alloc[a] = (*hexutil.Big)(wei)
		p.supply.Add(&p.supply, uint256.MustFromBig(wei))
	}
	policy.Governance, policy.DisputeResolver, policy.FeeRecipient = p.Accounts[1], p.Accounts[2], p.Accounts[3]
	policy.AgentPassport = p.Accounts[4]
	p.genesis = &genesis.Genesis{
		ChainID: chainID, Timestamp: genesisAt, GasLimit: gasLimit, BaseFee: (*hexutil.Big)(big.NewInt(gwei)), EIP1559Denominator: 50, EIP1559Elasticity: 6,
		Params: params, Policy: policy, Alloc: alloc,
	}
	require.NoError(t, p.genesis.Check())
	var first []vm.Change
	for _, r := range p.genesis.Records() {
		first = append(first, vm.Change{Key: r.Key, New: r.Value})
	}
	state, passer := p.model.apply(first, nil)
	p.ledger.book(first)
	b := p.genesis.Block()
	require.Equal(t, b.Root(), state)
	require.Equal(t, *b.Header().WithdrawalsHash, passer)
	p.head = b.Header()

	p.l1 = newL1Chain()
	p.rollup = rollupConfig(p.genesis, p.l1.blocks[0].header)
	require.NoError(t, p.rollup.Check())
	p.ref = eth.L2BlockRef{Hash: b.Hash(), Time: b.Time(), L1Origin: p.rollup.Genesis.L1}
	p.batcher = newBatcher(p.rollup)
	p.builder = derive.NewFetchingAttributesBuilder(p.rollup, l1Config, nil, p.l1, constantConfig{p.rollup.Genesis.SystemConfig})
	return p
}

// constantConfig is the sequencer's system configuration: nothing on this L1 ever changes it.
type constantConfig struct{ c eth.SystemConfig }

func (c constantConfig) SystemConfigByL2Hash(context.Context, common.Hash) (eth.SystemConfig, error) {
	return c.c, nil
}

// block makes the next L2 block of n transactions, and before it the L1 block whose epoch it begins. deposits says how many
// deposits an L1 block has.
func (p *population) block(n, deposits int) {
	time := p.head.Time + blockTime
	if last := p.l1.head().header; last.Time+l1Time <= time {
		p.Get, p.Deposits = p.model.Get, true
		p.l1.add(p.l1Receipts(deposits), p.batcher.due())
		p.replica.wake()
	}
	epoch := p.l1.head().header
	attrs := must(p.builder.PreparePayloadAttributes(context.Background(), p.ref, eth.BlockID{Hash: epoch.Hash(), Number: epoch.Number.Uint64()}))
	h := must(block.NextHeader(p.genesis.ChainConfig(), p.head, &block.Attributes{
		Timestamp: uint64(attrs.Timestamp), Random: common.Hash(attrs.PrevRandao), FeeRecipient: attrs.SuggestedFeeRecipient, BeaconRoot: *attrs.ParentBeaconBlockRoot,
		GasLimit: uint64(*attrs.GasLimit), EIP1559Params: *attrs.EIP1559Params, HasEIP1559Params: true,
	}))
	p.baseFee = *uint256.MustFromBig(h.BaseFee)
	e := block.NewExecution(chainID, h, p.model)
	p.Get, p.Deposits = e.Overlay.Get, false
	busy := false
	for i, raw := range attrs.Transactions {
		tx := must(abi.Decode(raw, big.NewInt(chainID)))
		if i == 0 {
			must(e.Apply(tx))
			p.History.Follow(e.Machine)
			busy = e.Machine.Op.Count >= e.Machine.Params.SweepsPerBlock || e.Machine.Op.Pruned >= e.Machine.Policy.PrunesPerBlock
			continue
		}
		p.apply(e, tx)
	}
	p.History.Follow(e.Machine)
	for range n {
		p.apply(e, p.next())
	}
	e.Finish()
	p.History.Follow(e.Machine)
	changes := e.Overlay.Changes()
	state, passer := p.model.apply(changes, e.Machine.Messages)
	sealed := must(e.Seal(func() (common.Hash, common.Hash, error) { return state, passer, nil }))
	p.head = sealed
	b := block.Ethereum(sealed, e.Txs)
	p.ref = must(derive.L2BlockToBlockRef(p.rollup, b))
	p.batcher.add(b)
	p.replica.expect(sealed)
	named := p.ledger.book(changes)
	p.ledger.check(p.t, p.model, &p.supply, changes, named, time, busy)
}

func (p *population) apply(e *block.Execution, tx *abi.Transaction) {
	t := p.t
	before := p.account(tx.From)
	messages := len(e.Machine.Messages)
	r := must(e.Apply(tx))
	p.ops++
	p.table.add(tx, r)
	if tx.Deposit {
		p.supply.Add(&p.supply, &tx.Mint)
		before.Balance.Add(&before.Balance, &tx.Mint)
	}
	switch r.Outcome {
	case vm.Void:
		require.False(t, tx.Deposit, "a deposit is void")
		require.Zero(t, r.GasUsed)
		require.Empty(t, r.Logs)
	case vm.Failed:
		require.Empty(t, r.Logs)
		require.Len(t, e.Machine.Messages, messages)
		if !tx.Deposit {
			fee := new(uint256.Int).Mul(&r.GasPrice, uint256.NewInt(r.GasUsed))
			before.Balance.Sub(&before.Balance, fee.Add(fee, &r.L1Fee))
			before.Nonce++
		}
		require.Equal(t, before, p.account(tx.From), "a failed operation left something: %v", r.Revert)
	case vm.Succeeded:
		for _, l := range r.Logs {
			if l.Address == abi.MessagePasserAddress {
				p.supply.Sub(&p.supply, new(uint256.Int).SetBytes32(l.Data))
			}
		}
		p.learn(r)
	}
}

// next is a transaction: nearly half of them are plain business, the others what the generator of every family thinks of.
func (p *population) next() *abi.Transaction {
	for {
		var tx *abi.Transaction
		switch draw := p.Rnd.IntN(100); {
		case draw < 20 && len(p.offers) > 0:
			tx = p.invoke()
		case draw >= 20 && draw < 39 && len(p.calls) > 0:
			tx = p.respond()
		case draw < 2, draw == 40:
			c := &abi.RegisterCall{Name: "agent", Capabilities: []abi.Capability{{Name: string(rune('a' + p.Rnd.IntN(26))), PriceWei: *uint256.NewInt(p.Rnd.Uint64N(50))}}}
			tx = p.business(p.anyone(), *uint256.NewInt(100 + p.Rnd.Uint64N(50)), c.Encode())
		case draw > 40 && draw < 48 && len(p.agents) > 0:
			tx = p.agentBusiness()
		default:
			tx = p.Transaction()
			if tx.Raw != nil { // one from before, as it was
				return tx
			}
			if p.Rnd.IntN(40) == 0 { // below the base fee
				tx.FeeCap.Rsh(&p.baseFee, 1)
			} else {
				tx.FeeCap.Mul(&p.baseFee, tx.FeeCap.AddUint64(&tx.FeeCap, 5))
				tx.FeeCap.Rsh(&tx.FeeCap, 3)
			}
		}
		if tx.Nonce == ^uint64(0) { // malformed
			continue
		}
		if tx = p.sign(tx); tx != nil {
			if p.Rnd.IntN(10) == 0 {
				p.Old = append(p.Old, tx)
			}
			return tx
		}
	}
}

func (p *population) account(a common.Address) (acc record.Account) {
	if b := p.Get(record.AccountKey(a)); b != nil {
		acc = must(record.DecodeAccount(b))
	}
	return acc
}

func (p *population) business(from common.Address, value uint256.Int, data []byte) *abi.Transaction {
	tx := &abi.Transaction{From: from, To: &abi.Address, Value: value, Data: data, Nonce: p.account(from).Nonce, GasLimit: 60_000, TipCap: *uint256.NewInt(gwei / 100)}
	tx.FeeCap.Lsh(&p.baseFee, 1)
	tx.FeeCap.Add(&tx.FeeCap, &tx.TipCap)
	return tx
}

// sign makes a transaction one that can be sent. For an account whose own key does not act, its owner does; nil if nobody
// has a key.
func (p *population) sign(tx *abi.Transaction) *abi.Transaction {
	delegated := func(a common.Address) bool { return p.account(a).Owner != common.Address{} }
	if tx.To != nil && *tx.To == abi.Address && !bytes.HasPrefix(tx.Data, abi.ActForSelector[:]) && delegated(tx.From) {
		if p.keys[tx.From] == nil || p.Rnd.IntN(8) > 0 {
			owner := p.ownerOf(tx.From)
			c := &abi.ActForCall{Agent: tx.From, ValueWei: tx.Value, Operation: tx.Data}
			acting := p.business(owner, uint256.Int{}, c.Encode())
			acting.GasLimit = tx.GasLimit + 20_000
			tx = acting
		}
	}
	key := p.keys[tx.From]
	if key == nil || delegated(tx.From) && p.Rnd.IntN(8) > 0 { // void
		return nil
	}
	if tx.FeeCap.Lt(&tx.TipCap) {
		tx.TipCap = tx.FeeCap
	}
	signed := types.MustSignNewTx(key, p.signer, &types.DynamicFeeTx{
		ChainID: big.NewInt(chainID), Nonce: tx.Nonce, GasTipCap: tx.TipCap.ToBig(), GasFeeCap: tx.FeeCap.ToBig(), Gas: tx.GasLimit, To: tx.To,
		Value: tx.Value.ToBig(), Data: tx.Data,
	})
	tx.Raw = must(signed.MarshalBinary())
	tx.Hash, tx.Size = signed.Hash(), len(tx.Raw)
	return tx
}

// l1Receipts are those of an L1 block with n deposits, of every operation there is, and what governance, the resolver
// and the passport deposit beside.
func (p *population) l1Receipts(n int) types.Receipts {
	var deposits []*types.DepositTx
	for range n {
		tx := p.Transaction()
		if tx.Raw != nil {
			continue
		}
		d := &types.DepositTx{From: tx.From, To: tx.To, Value: tx.Value.ToBig(), Gas: tx.GasLimit, Data: tx.Data}
		if tx.Deposit {
			d.Mint = tx.Mint.ToBig()
		}
		if p.Rnd.IntN(4) == 0 {
			d.Mint = new(big.Int).SetUint64(p.Rnd.Uint64N(1e16))
		}
		deposits = append(deposits, d)
	}
	if n > 0 {
		policy := must(record.DecodePolicy(p.Get(record.PolicyKey)))
		for _, c := range p.Resolutions() {
			deposits = append(deposits, &types.DepositTx{From: policy.DisputeResolver, To: &abi.Address, Value: new(big.Int), Gas: 100_000, Data: c.Encode()})
		}
		for range 8 { // the generator's own are of so few agents that most come too late
			c := p.Import()
			c.Agent, c.SourceBlock = p.anyone(), p.l1.head().header.Number.Uint64()
			deposits = append(deposits, &types.DepositTx{From: policy.AgentPassport, To: &abi.Address, Value: new(big.Int), Gas: 200_000, Data: c.Encode()})
		}
	}
	return receiptsOf(deposits)
}
