// Package machinetest is a small world for tests of the proof machine: an L1 of headers, receipts and LayerRoot's storage,
// and the L2 that follows from it, built with agnt2/block and with op-node's own derivation of deposits and attributes, not
// with the machine's. It implements machine.L1 and machine.L2.
package machinetest

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	gethtrie "github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/machine/patricia"
	"github.com/agnt2/agnt2/agnt2/machine/witness"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
	"github.com/agnt2/agnt2/agnt2/vm/vmtest"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// Constants of the world.
const (
	ChainID   = 901
	L1Time    = 12
	BlockTime = 1
	ProofLag  = 3
	SeqWindow = 30
	gasLimit  = 200_000_000
	genesisAt = 1_750_000_000 // on mainnet, Prague
)

var (
	LayerRoot    = common.HexToAddress("0x1a7e00000000000000000000000000000000da7a")
	Portal       = common.HexToAddress("0x9027a1000000000000000000000000000000d00b")
	SystemConfig = common.HexToAddress("0x5c00000000000000000000000000000000000c0f")
)

// L1Block is a block of the world's L1.
type L1Block struct {
	Header   *types.Header
	Receipts types.Receipts
	storage  map[common.Hash]common.Hash
}

// L2Block is a derived block.
type L2Block struct {
	Header   *types.Header
	Witness  *witness.Block
	Record   manifest.BlockRecord
	Receipts types.Receipts
	l1Info   []byte
	l1Proof  trie.Proof
}

// World is both chains. Not safe for concurrent use.
type World struct {
	Rand    *rand.Rand
	Keys    map[common.Address]*ecdsa.PrivateKey
	Genesis *genesis.Genesis
	L1      []*L1Block
	L2      []*L2Block

	State map[record.Key][]byte
	Tree  *trie.Trie
	// History is all that was pruned.
	History vmtest.History
	passer  *withdrawal.Tree

	byHash      map[common.Hash]*L1Block
	submissions uint64
	storage     map[common.Hash]common.Hash
	config      eth.SystemConfig
	rollup      *rollup.Config
	l1Config    *params.ChainConfig
	sequence    uint64 // of the head
	origin      uint64
}

// New returns a world with funded accounts at L1 block 1 and L2 block 0.
func New(seed uint64, p record.Params, accounts int) *World { return NewLarge(seed, p, accounts, 0) }

// NewLarge is New with a number of further records, which nothing reads: they make Merkle paths longer.
func NewLarge(seed uint64, p record.Params, accounts, further int) *World {
	w := &World{
		Rand: rand.New(rand.NewPCG(seed, 7)), Keys: map[common.Address]*ecdsa.PrivateKey{}, State: map[record.Key][]byte{},
		Tree: trie.New(), passer: withdrawal.NewTree(), byHash: map[common.Hash]*L1Block{}, storage: map[common.Hash]common.Hash{},
	}
	alloc := map[common.Address]*hexutil.Big{}
	for i := range accounts {
		key := must(crypto.ToECDSA(crypto.Keccak256(binary.BigEndian.AppendUint64([]byte("machinetest"), uint64(i)))))
		a := crypto.PubkeyToAddress(key.PublicKey)
		w.Keys[a] = key
		alloc[a] = (*hexutil.Big)(new(big.Int).SetUint64(1_000_000 + w.Rand.Uint64N(30_000_000)))
	}
	w.Genesis = &genesis.Genesis{
		ChainID: ChainID, Timestamp: genesisAt, GasLimit: gasLimit, BaseFee: (*hexutil.Big)(big.NewInt(2)),
		EIP1559Denominator: 50, EIP1559Elasticity: 6, Params: p, Policy: RandomPolicy(), Alloc: alloc,
	}
	w.config = eth.SystemConfig{BatcherAddr: common.Address{0xba}, GasLimit: gasLimit}
	w.config.Scalar = eth.EncodeScalar(eth.EcotoneScalars{BaseFeeScalar: 100, BlobBaseFeeScalar: 7})
	zero := uint64(0)
	w.l1Config = params.MainnetChainConfig
	w.rollup = &rollup.Config{
		BlockTime: BlockTime, RegolithTime: &zero, CanyonTime: &zero, DeltaTime: &zero, EcotoneTime: &zero, FjordTime: &zero,
		GraniteTime: &zero, HoloceneTime: &zero, IsthmusTime: &zero, DepositContractAddress: Portal, L1SystemConfigAddress: SystemConfig,
		Genesis: rollup.Genesis{L2Time: genesisAt, SystemConfig: w.config}, L2ChainID: big.NewInt(ChainID), L1ChainID: big.NewInt(1),
	}
	var cs []trie.Change
	for _, r := range w.Genesis.Records() {
		w.State[r.Key] = r.Value
		cs = append(cs, trie.Change{Key: trie.Key(r.Key), ValueHash: trie.HashRecord(r.Value)})
	}
	for i := range uint64(further) {
		h := crypto.Keccak256Hash(binary.BigEndian.AppendUint64([]byte("further"), i))
		k := trie.Key(h)
		k[0] = []byte{1, 2, 5, 7, 8, 16}[i%6] // where the records of a large state are
		cs = append(cs, trie.Change{Key: k, ValueHash: h})
	}
	w.Tree.Update(cs)
	g := w.Genesis.Block().Header()
	g.Root = w.Tree.Root()
	w.L2 = []*L2Block{{Header: g, l1Proof: w.Tree.Prove(trie.Key(record.L1InfoKey))}}
	w.AddL1(nil)
	w.AddL1(nil)
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Env is the verifier's constants, for a game that disputes the block after agreed.
func (w *World) Env(agreed uint64, disputed common.Hash) *machine.Env {
	return &machine.Env{
		ChainID: ChainID, BlockTime: BlockTime, ProofLag: ProofLag, SeqWindow: SeqWindow, LayerRoot: LayerRoot, Portal: Portal,
		SystemConfig: SystemConfig, BlobFraction: BlobFraction, Leaves: nil,
		Genesis: machine.GenesisL1{
			Number: 0, Hash: w.L1[0].Header.Hash(), BatcherHash: common.BytesToHash(w.rollup.Genesis.SystemConfig.BatcherAddr[:]), BaseFeeScalar: 100, BlobBaseFeeScalar: 7,
		},
		Game: machine.Game{
			L1Head: w.L1[len(w.L1)-1].Header.Hash(), Agreed: w.Output(agreed), Disputed: disputed, Claimed: uint64(len(w.L2)) + 1000,
			AgreedBlock: agreed,
		},
	}
}

// BlobFraction is that of Prague, whose rules the world's L1 follows.
var BlobFraction = params.DefaultPragueBlobConfig.UpdateFraction

// Output is the output root of a block.
func (w *World) Output(n uint64) common.Hash {
	h := w.L2[n].Header
	return machine.OutputRoot(h.Root, *h.WithdrawalsHash, h.Hash())
}

// AddL1 adds an L1 block.
func (w *World) AddL1(receipts types.Receipts) *L1Block {
	n := uint64(len(w.L1))
	beacon := crypto.Keccak256Hash([]byte("beacon"), binary.BigEndian.AppendUint64(nil, n))
	zero, excess := uint64(0), w.Rand.Uint64N(20_000_000)
	h := &types.Header{
		UncleHash: types.EmptyUncleHash, Difficulty: new(big.Int), Number: new(big.Int).SetUint64(n), GasLimit: 60_000_000,
		Time: genesisAt - 2*L1Time + n*L1Time, MixDigest: crypto.Keccak256Hash([]byte("randao"), beacon[:]), TxHash: types.EmptyTxsHash,
		BaseFee: new(big.Int).SetUint64(1 + w.Rand.Uint64N(300)), WithdrawalsHash: &types.EmptyWithdrawalsHash, BlobGasUsed: &zero,
		ExcessBlobGas: &excess, ParentBeaconRoot: &beacon, RequestsHash: &types.EmptyRequestsHash,
		ReceiptHash: types.DeriveSha(receipts, gethtrie.NewStackTrie(nil)),
	}
	if n > 0 {
		h.ParentHash = w.L1[n-1].Header.Hash()
	}
	b := &L1Block{Header: h, Receipts: receipts, storage: maps.Clone(w.storage)}
	h.Root = must(b.state(nil)).root
	for _, rc := range receipts {
		for _, l := range rc.Logs {
			l.BlockHash = h.Hash()
		}
	}
	w.L1 = append(w.L1, b)
	w.byHash[h.Hash()] = b
	return b
}

type stateProof struct {
	root    common.Hash
	storage machine.Storage
}

// state builds the block's state: LayerRoot with its storage, and some neighbours.
func (b *L1Block) state(slots []common.Hash) (*stateProof, error) {
	db := triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil)
	storage, accounts := gethtrie.NewEmpty(db), gethtrie.NewEmpty(db)
	for k, v := range b.storage {
		enc, _ := rlp.EncodeToBytes(common.TrimLeftZeroes(v[:]))
		if err := storage.Update(crypto.Keccak256(k[:]), enc); err != nil {
			return nil, err
		}
	}
	put := func(a common.Address, root common.Hash) error {
		enc, _ := rlp.EncodeToBytes(&types.StateAccount{Balance: uint256.NewInt(3), Root: root, CodeHash: types.EmptyCodeHash[:]})
		return accounts.Update(crypto.Keccak256(a[:]), enc)
	}
	if err := put(LayerRoot, storage.Hash()); err != nil {
		return nil, err
	}
	for i := range byte(20) {
		if err := put(common.Address{i}, types.EmptyRootHash); err != nil {
			return nil, err
		}
	}
	p := &stateProof{root: accounts.Hash()}
	if slots == nil {
		return p, nil
	}
	var err error
	if p.storage.Account, err = patricia.Prove(accounts, crypto.Keccak256(LayerRoot[:])); err != nil {
		return nil, err
	}
	for _, k := range slots {
		nodes, err := patricia.Prove(storage, crypto.Keccak256(k[:]))
		if err != nil {
			return nil, err
		}
		p.storage.Slots = append(p.storage.Slots, machine.Slot{Value: b.storage[k], Nodes: nodes})
	}
	return p, nil
}

// Submit records a range of L2 blocks in LayerRoot and adds the L1 block that does it.
func (w *World) Submit(first, last uint64) {
	set := func(word int, v common.Hash) {
		if v != (common.Hash{}) {
			w.storage[machine.SubmissionSlot(w.submissions, word)] = v
		}
	}
	var r common.Hash
	r[5] = 1 // live
	binary.BigEndian.PutUint64(r[8:], uint64(len(w.L1)))
	binary.BigEndian.PutUint64(r[16:], last)
	binary.BigEndian.PutUint64(r[24:], first)
	set(0, r)
	set(1, common.Hash{31: 9})
	set(2, manifest.RecordsRoot(must(w.BlockRecords(context.Background(), first, last))))
	parent := w.L2[first].Header.ParentHash
	var check common.Hash
	copy(check[12:], parent[:20])
	set(4, check)
	w.submissions++
	w.storage[machine.SubmissionCountSlot] = common.BigToHash(new(big.Int).SetUint64(w.submissions))
	w.AddL1(nil)
}

// NextFunded is Next after the world's accounts have got a sum; their records are written as a genesis would write them, so
// no block before may be disputed.
func (w *World) NextFunded(wei uint64) *Builder {
	var cs []trie.Change
	for a := range w.Keys {
		k := record.AccountKey(a)
		w.State[k] = (&record.Account{Balance: *uint256.NewInt(wei)}).Encode()
		cs = append(cs, trie.Change{Key: trie.Key(k), ValueHash: trie.HashRecord(w.State[k])})
	}
	w.Tree.Update(cs)
	w.L2[0].Header.Root = w.Tree.Root()
	w.L2[0].l1Proof = w.Tree.Prove(trie.Key(record.L1InfoKey))
	return w.Next()
}

// Base is the head's state as the transition reads it.
type Base struct{ w *World }

func (b Base) Get(k record.Key) []byte { return b.w.State[k] }

func (b Base) DeadlineAfter(after *record.Key) (record.Key, bool) {
	k, ok := trie.Key{}, false
	if after == nil {
		k, ok = b.w.Tree.First([]byte{byte(record.NSDeadline)})
	} else {
		k, ok = b.w.Tree.Next(trie.Key(*after))
	}
	return record.Key(k), ok && k[0] == byte(record.NSDeadline)
}

// Base returns the head's state.
func (w *World) Base() Base { return Base{w} }

// reads notes what an execution asks for.
type reads struct {
	Base
	keys      map[record.Key]bool
	deadlines int
}

func (r *reads) Get(k record.Key) []byte {
	r.keys[k] = true
	return r.Base.Get(k)
}

func (r *reads) DeadlineAfter(after *record.Key) (record.Key, bool) {
	r.deadlines++
	k, ok := r.Base.DeadlineAfter(after)
	if ok { // the machine proves what it looks at
		r.keys[k] = true
	}
	return k, ok
}

// Builder is a block in the making.
type Builder struct {
	w         *World
	Execution *block.Execution
	reads     *reads
	parent    *types.Header
	signed    int
}

// Next begins the next L2 block. Its L1 origin is the next one as soon as its time allows, as op-node chooses it.
func (w *World) Next() *Builder {
	parent := w.L2[len(w.L2)-1].Header
	time := parent.Time + BlockTime
	cfg, seq := w.config, w.sequence+1
	var deposits []*types.DepositTx
	if n := w.origin + 1; n < uint64(len(w.L1)) && w.L1[n].Header.Time <= time {
		w.origin, seq = n, 0
		deposits = must(derive.UserDeposits(w.L1[n].Receipts, Portal))
		if err := derive.UpdateSystemConfigWithL1Receipts(&cfg, w.L1[n].Receipts, w.rollup, time); err != nil {
			panic(err)
		}
		w.config = cfg
	}
	w.sequence = seq
	l1 := w.L1[w.origin]
	info := eth.HeaderBlockInfo(l1.Header)
	raw := must(derive.L1InfoDepositBytes(w.rollup, w.l1Config, cfg, seq, info, time))
	h := must(block.NextHeader(w.Genesis.ChainConfig(), parent, &block.Attributes{
		Timestamp: time, Random: l1.Header.MixDigest, FeeRecipient: abi.SequencerFeeVault, BeaconRoot: *l1.Header.ParentBeaconRoot,
		GasLimit: cfg.GasLimit, HasEIP1559Params: true,
	}))
	r := &reads{Base: w.Base(), keys: map[record.Key]bool{}}
	b := &Builder{w: w, Execution: block.NewExecution(ChainID, h, r), reads: r, parent: parent}
	b.add(raw)
	for _, d := range deposits {
		b.add(must(types.NewTx(d).MarshalBinary()))
	}
	return b
}

func (b *Builder) add(raw []byte) *vm.Result {
	tx := must(abi.Decode(raw, big.NewInt(ChainID)))
	return must(b.Execution.Apply(tx))
}

// Get is the state in which the next transaction is executed.
func (b *Builder) Get(k record.Key) []byte { return b.Execution.Overlay.Get(k) }

// Sign signs a transaction of one of the world's accounts.
func (w *World) Sign(tx *abi.Transaction) []byte {
	inner := types.MustSignNewTx(w.Keys[tx.From], types.LatestSignerForChainID(big.NewInt(ChainID)), &types.DynamicFeeTx{
		ChainID: big.NewInt(ChainID), Nonce: tx.Nonce, GasTipCap: tx.TipCap.ToBig(), GasFeeCap: tx.FeeCap.ToBig(), Gas: tx.GasLimit,
		To: tx.To, Value: tx.Value.ToBig(), Data: tx.Data,
	})
	return must(inner.MarshalBinary())
}

// Send signs and executes a transaction.
func (b *Builder) Send(tx *abi.Transaction) *vm.Result {
	b.signed++
	return b.add(b.w.Sign(tx))
}

// Seal finishes the block and makes it the head.
func (b *Builder) Seal() *L2Block {
	w, e := b.w, b.Execution
	e.Finish()
	w.History.Follow(e.Machine)
	out := &L2Block{Witness: &witness.Block{Parent: b.parent}}
	before := w.Tree
	var keys []record.Key
	for k := range b.reads.keys {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b record.Key) int { return slices.Compare(a[:], b[:]) })
	var proven []trie.Key
	for _, k := range keys {
		out.Witness.Records = append(out.Witness.Records, witness.Record{Key: k, Value: w.State[k]})
		proven = append(proven, trie.Key(k))
	}
	out.Witness.Multiproof = before.ProveMany(proven, trie.Queue{Prefix: byte(record.NSDeadline), First: b.reads.deadlines + 1})
	listed := map[string]bool{}
	for _, m := range e.Machine.Messages {
		for _, n := range must(w.passer.Prove(withdrawal.Slot(m))) {
			if !listed[string(n)] {
				listed[string(n)] = true
				out.Witness.PasserNodes = append(out.Witness.PasserNodes, n)
			}
		}
	}
	var cs []trie.Change
	for _, c := range e.Overlay.Changes() {
		ch := trie.Change{Key: trie.Key(c.Key), Delete: c.New == nil}
		if c.New == nil {
			delete(w.State, c.Key)
		} else {
			ch.ValueHash = trie.HashRecord(c.New)
			w.State[c.Key] = c.New
		}
		cs = append(cs, ch)
	}
	w.Tree.Update(cs)
	for _, m := range e.Machine.Messages {
		w.passer.Insert(m)
	}
	sealed := must(e.Seal(func() (common.Hash, common.Hash, error) { return w.Tree.Root(), w.passer.Root(), nil }))
	out.Header, out.Witness.Header, out.Receipts = sealed, types.CopyHeader(sealed), e.Receipts
	var hashes []common.Hash
	for _, tx := range e.Txs {
		out.Witness.Txs = append(out.Witness.Txs, tx.Raw)
		if !tx.Deposit {
			hashes = append(hashes, tx.Hash)
		}
	}
	out.Record = manifest.BlockRecord{
		Number: sealed.Number.Uint64(), Timestamp: sealed.Time, L1Origin: w.origin, TxCount: uint64(len(hashes)), TxsRoot: manifest.TxsRoot(hashes),
	}
	out.l1Info, out.l1Proof = w.State[record.L1InfoKey], w.Tree.Prove(trie.Key(record.L1InfoKey))
	w.L2 = append(w.L2, out)
	return out
}

// ---------------------------------------------------------------------------------------------------------- the sources

var (
	_ machine.L1 = (*l1Source)(nil)
	_ machine.L2 = (*World)(nil)
)

type l1Source struct{ w *World }

// L1Source is the world's L1 as a tracer asks for it.
func (w *World) L1Source() machine.L1 { return &l1Source{w} }

func (s *l1Source) at(hash common.Hash) (*L1Block, error) {
	if b := s.w.byHash[hash]; b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("no L1 block %s", hash)
}

func (s *l1Source) Header(_ context.Context, hash common.Hash) (*types.Header, error) {
	b, err := s.at(hash)
	if err != nil {
		return nil, err
	}
	return b.Header, nil
}

func (s *l1Source) Receipts(_ context.Context, hash common.Hash) (types.Receipts, error) {
	b, err := s.at(hash)
	if err != nil {
		return nil, err
	}
	return b.Receipts, nil
}

func (s *l1Source) Storage(_ context.Context, hash common.Hash, _ common.Address, slots []common.Hash) (*machine.Storage, error) {
	b, err := s.at(hash)
	if err != nil {
		return nil, err
	}
	p, err := b.state(slots)
	if err != nil {
		return nil, err
	}
	return &p.storage, nil
}

func (w *World) Header(_ context.Context, n uint64) (*types.Header, error) {
	return w.L2[n].Header, nil
}

func (w *World) Record(_ context.Context, k record.Key, n uint64) ([]byte, trie.Proof, error) {
	if k != record.L1InfoKey {
		return nil, trie.Proof{}, fmt.Errorf("no proof of %v", k)
	}
	return w.L2[n].l1Info, w.L2[n].l1Proof, nil
}

func (w *World) Witness(_ context.Context, n uint64) (*witness.Block, error) {
	return w.L2[n].Witness, nil
}

func (w *World) BlockRecords(_ context.Context, first, last uint64) (out []manifest.BlockRecord, err error) {
	for _, b := range w.L2[first : last+1] {
		out = append(out, b.Record)
	}
	return out, nil
}
