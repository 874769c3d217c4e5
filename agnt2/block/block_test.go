package block_test

import (
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/consensus/misc/eip1559"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/block"
	"github.com/agnt2/agnt2/agnt2/genesis"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

func testGenesis() *genesis.Genesis {
	return &genesis.Genesis{
		ChainID: 901, Timestamp: 1000, GasLimit: 30_000_000, BaseFee: (*hexutil.Big)(big.NewInt(1e9)), EIP1559Denominator: 250,
		EIP1559Elasticity: 6, Params: genesis.DevnetParams(), Policy: genesis.DevnetPolicy(), Alloc: map[common.Address]*hexutil.Big{{1}: (*hexutil.Big)(big.NewInt(1e18))},
	}
}

func attributes() *block.Attributes {
	return &block.Attributes{
		Timestamp: 1001, Random: common.Hash{1}, FeeRecipient: common.Address{2}, BeaconRoot: common.Hash{3}, GasLimit: 20_000_000,
		HasEIP1559Params: true,
	}
}

func TestNextHeader(t *testing.T) {
	g := testGenesis()
	cfg := g.ChainConfig()
	parent := g.Block().Header()
	h, err := block.NextHeader(cfg, parent, attributes())
	require.NoError(t, err)
	require.Equal(t, parent.Hash(), h.ParentHash)
	require.Equal(t, types.EmptyUncleHash, h.UncleHash)
	require.Equal(t, common.Address{2}, h.Coinbase)
	require.Equal(t, common.Hash{1}, h.MixDigest)
	require.Equal(t, common.Hash{3}, *h.ParentBeaconRoot)
	require.Equal(t, uint64(1), h.Number.Uint64())
	require.Equal(t, uint64(20_000_000), h.GasLimit)
	require.Equal(t, types.EmptyRequestsHash, *h.RequestsHash)
	require.Zero(t, *h.BlobGasUsed)
	require.Zero(t, *h.ExcessBlobGas)
	require.Zero(t, h.Nonce.Uint64())
	require.Zero(t, h.Difficulty.Sign())
	require.Equal(t, []byte{0, 0, 0, 0, 250, 0, 0, 0, 6}, h.Extra, "zero parameters are the chain's constants")
	require.NoError(t, eip1559.ValidateHoloceneExtraData(h.Extra))
	require.Equal(t, eip1559.CalcBaseFee(cfg, parent, h.Time), h.BaseFee)
	require.Equal(t, int64(996_000_000), h.BaseFee.Int64(), "an empty parent lowers the base fee by 1/250")

	a := attributes()
	a.EIP1559Params = [8]byte{0, 0, 0, 8, 0, 0, 0, 2}
	h, err = block.NextHeader(cfg, parent, a)
	require.NoError(t, err)
	require.Equal(t, []byte{0, 0, 0, 0, 8, 0, 0, 0, 2}, h.Extra)

	for name, change := range map[string]func(a *block.Attributes){
		"old timestamp":     func(a *block.Attributes) { a.Timestamp = 1000 },
		"far timestamp":     func(a *block.Attributes) { a.Timestamp = 1 << 40 },
		"no gas limit":      func(a *block.Attributes) { a.GasLimit = 0 },
		"no params":         func(a *block.Attributes) { a.HasEIP1559Params = false },
		"denominator alone": func(a *block.Attributes) { a.EIP1559Params = [8]byte{0, 0, 0, 1} },
		"elasticity alone":  func(a *block.Attributes) { a.EIP1559Params = [8]byte{7: 1} },
	} {
		a := attributes()
		change(a)
		_, err := block.NextHeader(cfg, parent, a)
		require.ErrorIs(t, err, block.ErrAttributes, name)
	}
}

// TestBaseFeeSequence: the base fee of a child follows its parent's gas and its parent's parameters, as on op-geth.
func TestBaseFeeSequence(t *testing.T) {
	cfg := testGenesis().ChainConfig()
	rapid.Check(t, func(t *rapid.T) {
		parent := testGenesis().Block().Header()
		d, e := rapid.Uint32Range(1, 1000).Draw(t, "denominator"), rapid.Uint32Range(1, 100).Draw(t, "elasticity")
		parent.Extra = eip1559.EncodeHoloceneExtraData(uint64(d), uint64(e))
		parent.GasUsed = rapid.Uint64Range(0, parent.GasLimit).Draw(t, "gas")
		parent.BaseFee = new(big.Int).SetUint64(rapid.Uint64Range(1, 1e15).Draw(t, "base fee"))
		h, err := block.NextHeader(cfg, parent, attributes())
		require.NoError(t, err)
		target := new(big.Int).SetUint64(parent.GasLimit / uint64(e))
		delta := new(big.Int).Sub(new(big.Int).SetUint64(parent.GasUsed), target)
		change := new(big.Int).Mul(parent.BaseFee, new(big.Int).Abs(delta))
		change.Div(change, target).Div(change, big.NewInt(int64(d)))
		want := new(big.Int).Set(parent.BaseFee)
		switch delta.Sign() {
		case 1:
			if change.Sign() == 0 {
				change.SetInt64(1)
			}
			want.Add(want, change)
		case -1:
			want.Sub(want, change)
		}
		require.Equal(t, want.String(), h.BaseFee.String())
	})
}

func sealed(t testing.TB) (parent *types.Header, b *types.Block, e *block.Execution) {
	g := testGenesis()
	parent = g.Block().Header()
	h, err := block.NextHeader(g.ChainConfig(), parent, attributes())
	require.NoError(t, err)
	e = block.NewExecution(901, h, records(g))
	for _, tx := range []*types.Transaction{l1Attributes(nil), userDeposit(1), userDeposit(2)} {
		d, err := abi.FromEthereum(tx, big.NewInt(901))
		require.NoError(t, err)
		_, err = e.Apply(d)
		require.NoError(t, err)
	}
	e.Finish()
	h, err = e.Seal(func() (common.Hash, common.Hash, error) { return common.Hash{8}, common.Hash{9}, nil })
	require.NoError(t, err)
	return parent, block.Ethereum(h, e.Txs), e
}

type base map[record.Key][]byte

func (b base) Get(k record.Key) []byte                          { return b[k] }
func (b base) DeadlineAfter(*record.Key) (k record.Key, _ bool) { return k, false }

func records(g *genesis.Genesis) vm.Base {
	b := base{}
	for _, r := range g.Records() {
		b[r.Key] = r.Value
	}
	return b
}

func l1Attributes(change func(*types.DepositTx)) *types.Transaction {
	data := make([]byte, abi.L1AttributesDataLength)
	copy(data, abi.L1AttributesSelector[:])
	binary.BigEndian.PutUint64(data[28:], 77)
	to := abi.L1BlockAddress
	tx := &types.DepositTx{From: abi.L1AttributesDepositor, To: &to, Value: new(big.Int), Gas: 1e6, Data: data}
	if change != nil {
		change(tx)
	}
	return types.NewTx(tx)
}

func userDeposit(n byte) *types.Transaction {
	to := common.Address{n, 5}
	return types.NewTx(&types.DepositTx{SourceHash: common.Hash{n}, From: common.Address{n}, To: &to, Mint: big.NewInt(4), Value: big.NewInt(3), Gas: 50_000})
}

// TestSealedBlock: the list roots, bloom, gas and receipts are what go-ethereum derives from the same lists.
func TestSealedBlock(t *testing.T) {
	_, b, e := sealed(t)
	require.Equal(t, common.Hash{8}, b.Root())
	require.Equal(t, common.Hash{9}, *b.Header().WithdrawalsHash)
	require.Equal(t, types.DeriveSha(b.Transactions(), trie.NewStackTrie(nil)), b.TxHash())
	require.Equal(t, types.DeriveSha(e.Receipts, trie.NewStackTrie(nil)), b.ReceiptHash())
	require.Equal(t, types.MergeBloom(e.Receipts), b.Bloom())
	require.Len(t, e.Receipts, len(b.Transactions()))
	require.Equal(t, e.Receipts[2].CumulativeGasUsed, b.GasUsed())
	require.NotZero(t, b.GasUsed())
	for i, r := range e.Receipts {
		require.Equal(t, b.Hash(), r.BlockHash)
		require.Equal(t, uint(i), r.TransactionIndex)
		require.Equal(t, uint64(1), *r.DepositReceiptVersion)
		require.Equal(t, b.Transactions()[i].Hash(), r.TxHash)
	}
	require.Empty(t, b.Withdrawals())
	require.NotNil(t, b.Withdrawals())
}

func TestCheckHeader(t *testing.T) {
	cfg := testGenesis().ChainConfig()
	parent, b, _ := sealed(t)
	require.NoError(t, block.CheckHeader(cfg, parent, b.Header()))
	one := uint64(1)
	for name, change := range map[string]func(h *types.Header){
		"number":            func(h *types.Header) { h.Number = big.NewInt(2) },
		"timestamp":         func(h *types.Header) { h.Time = parent.Time },
		"far timestamp":     func(h *types.Header) { h.Time = 1 << 40 },
		"gas above limit":   func(h *types.Header) { h.GasUsed = h.GasLimit + 1 },
		"difficulty":        func(h *types.Header) { h.Difficulty = common.Big1 },
		"blob gas":          func(h *types.Header) { h.BlobGasUsed = &one },
		"no blob gas":       func(h *types.Header) { h.BlobGasUsed = nil },
		"excess blob gas":   func(h *types.Header) { h.ExcessBlobGas = &one },
		"no beacon root":    func(h *types.Header) { h.ParentBeaconRoot = nil },
		"no withdrawals":    func(h *types.Header) { h.WithdrawalsHash = nil },
		"no requests":       func(h *types.Header) { h.RequestsHash = nil },
		"requests":          func(h *types.Header) { h.RequestsHash = &common.Hash{1} },
		"short extraData":   func(h *types.Header) { h.Extra = h.Extra[:8] },
		"Jovian extraData":  func(h *types.Header) { h.Extra = append(append([]byte{1}, h.Extra[1:]...), make([]byte, 8)...) },
		"extraData version": func(h *types.Header) { h.Extra = append([]byte{1}, h.Extra[1:]...) },
		"zero denominator":  func(h *types.Header) { h.Extra = []byte{0, 0, 0, 0, 0, 0, 0, 0, 6} },
		"zero elasticity":   func(h *types.Header) { h.Extra = []byte{0, 0, 0, 0, 250, 0, 0, 0, 0} },
		"base fee":          func(h *types.Header) { h.BaseFee = new(big.Int).Add(h.BaseFee, common.Big1) },
		"no base fee":       func(h *types.Header) { h.BaseFee = nil },
	} {
		h := b.Header()
		change(h)
		require.ErrorIs(t, block.CheckHeader(cfg, parent, h), block.ErrHeader, name)
	}
}

func TestOrder(t *testing.T) {
	decode := func(tx *types.Transaction) *abi.Transaction {
		d, err := abi.FromEthereum(tx, big.NewInt(901))
		require.NoError(t, err)
		return d
	}
	first, deposit, tx := decode(l1Attributes(nil)), decode(userDeposit(1)), &abi.Transaction{}
	require.NoError(t, block.CheckOrder(nil, first))
	require.NoError(t, block.CheckOrder(first, deposit))
	require.NoError(t, block.CheckOrder(first, tx))
	require.NoError(t, block.CheckOrder(deposit, tx))
	require.NoError(t, block.CheckOrder(tx, tx))
	require.ErrorIs(t, block.CheckOrder(tx, deposit), block.ErrDepositOrder)
	require.ErrorIs(t, block.CheckOrder(tx, first), block.ErrDepositOrder)
	require.ErrorIs(t, block.CheckOrder(nil, tx), block.ErrNoL1Attributes)
	require.ErrorIs(t, block.CheckOrder(nil, deposit), block.ErrNoL1Attributes)
	for name, change := range map[string]func(*types.DepositTx){
		"other sender": func(tx *types.DepositTx) { tx.From = common.Address{1} },
		"other target": func(tx *types.DepositTx) { tx.To = &abi.Address },
		"no target":    func(tx *types.DepositTx) { tx.To = nil },
		"mint":         func(tx *types.DepositTx) { tx.Mint = common.Big1 },
		"value":        func(tx *types.DepositTx) { tx.Value = common.Big1 },
		"short data":   func(tx *types.DepositTx) { tx.Data = tx.Data[:175] },
		"long data":    func(tx *types.DepositTx) { tx.Data = append(tx.Data, 0) },
		"no data":      func(tx *types.DepositTx) { tx.Data = nil },
		"selector":     func(tx *types.DepositTx) { tx.Data[0]++ },
	} {
		require.ErrorIs(t, block.CheckOrder(nil, decode(l1Attributes(change))), block.ErrNoL1Attributes, name)
	}
}

// TestMisplacedChangesNothing: a transaction that may not stand where it is leaves the block as it was.
func TestMisplacedChangesNothing(t *testing.T) {
	g := testGenesis()
	h, err := block.NextHeader(g.ChainConfig(), g.Block().Header(), attributes())
	require.NoError(t, err)
	e := block.NewExecution(901, h, records(g))
	d, err := abi.FromEthereum(userDeposit(1), big.NewInt(901))
	require.NoError(t, err)
	_, err = e.Apply(d)
	require.ErrorIs(t, err, block.ErrNoL1Attributes)
	require.Empty(t, e.Txs)
	require.Empty(t, e.Receipts)
	require.Empty(t, e.Overlay.Changes())
}
