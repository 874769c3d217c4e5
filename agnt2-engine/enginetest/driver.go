// Package enginetest drives an engine through its Engine API the way a rollup node does, for tests and benchmarks: it makes
// L1-attributes deposits for an imaginary L1 and moves the head block by block.
package enginetest

import (
	"context"
	"crypto/ecdsa"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/beacon/engine"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	agnt2engine "github.com/agnt2/agnt2/agnt2-engine"
	"github.com/agnt2/agnt2/agnt2-engine/engineapi"
	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/genesis"
)

// Driver of one engine. Not safe for concurrent use.
type Driver struct {
	Node     *agnt2engine.Node
	API      *engineapi.API
	GasLimit uint64
	// BlockTime in seconds.
	BlockTime uint64
	// L1BaseFeeScalar and L1BaseFee (wei) make L1 data fees; zero for none.
	L1BaseFeeScalar uint32
	L1BaseFee       uint64

	head      common.Hash
	safe      common.Hash
	finalized common.Hash
}

// New returns a driver that stands on the engine's head.
func New(n *agnt2engine.Node) *Driver {
	return &Driver{
		Node: n, API: n.Engine(), GasLimit: 200_000_000, BlockTime: 1,
		head: n.Chain().Head().Hash(), safe: n.Chain().Safe().Hash(), finalized: n.Chain().Finalized().Hash(),
	}
}

// Head returns the block that the next one builds on.
func (d *Driver) Head() *types.Header { return d.Node.Chain().HeaderByHash(d.head) }

// L1Attributes returns the deposit that must open block number n.
func (d *Driver) L1Attributes(n, timestamp uint64) *types.Transaction {
	b := make([]byte, abi.L1AttributesDataLength)
	copy(b, abi.L1AttributesSelector[:])
	binary.BigEndian.PutUint32(b[4:], d.L1BaseFeeScalar)
	binary.BigEndian.PutUint64(b[20:], timestamp)
	binary.BigEndian.PutUint64(b[28:], n)
	binary.BigEndian.PutUint64(b[60:], d.L1BaseFee)
	copy(b[100:], crypto.Keccak256(binary.BigEndian.AppendUint64(nil, n)))
	to := abi.L1BlockAddress
	return types.NewTx(&types.DepositTx{
		SourceHash: crypto.Keccak256Hash([]byte("l1 attributes"), binary.BigEndian.AppendUint64(nil, n)),
		From:       abi.L1AttributesDepositor, To: &to, Value: new(big.Int), Gas: 1_000_000, Data: b,
	})
}

// Deposit returns a user deposit; to may be nil.
func Deposit(from common.Address, to *common.Address, mint, value *big.Int, data []byte, salt uint64) *types.Transaction {
	return types.NewTx(&types.DepositTx{
		SourceHash: crypto.Keccak256Hash([]byte("user deposit"), binary.BigEndian.AppendUint64(nil, salt)),
		From:       from, To: to, Mint: mint, Value: value, Gas: 1_000_000, Data: data,
	})
}

// Attributes returns payload attributes on top of parent that force the deposits and transactions.
func (d *Driver) Attributes(parent *types.Header, noTxPool bool, forced ...*types.Transaction) *engine.PayloadAttributes {
	timestamp := parent.Time + d.BlockTime
	txs := append([]*types.Transaction{d.L1Attributes(parent.Number.Uint64()+1, timestamp)}, forced...)
	raws := make([][]byte, len(txs))
	for i, tx := range txs {
		raw, err := tx.MarshalBinary()
		if err != nil {
			panic(err)
		}
		raws[i] = raw
	}
	limit, beacon := d.GasLimit, common.Hash{1}
	return &engine.PayloadAttributes{
		Timestamp: timestamp, SuggestedFeeRecipient: abi.SequencerFeeVault, Withdrawals: []*types.Withdrawal{}, BeaconRoot: &beacon,
		Transactions: raws, NoTxPool: noTxPool, GasLimit: &limit, EIP1559Params: make([]byte, 8),
	}
}

// Start begins a payload on the head.
func (d *Driver) Start(a *engine.PayloadAttributes) (engine.PayloadID, error) {
	r, err := d.API.ForkchoiceUpdatedV3(context.Background(), d.forkchoice(d.head), a)
	if err != nil {
		return engine.PayloadID{}, err
	}
	if r.PayloadStatus.Status != engine.VALID || r.PayloadID == nil {
		return engine.PayloadID{}, fmt.Errorf("forkchoice answered %s without a payload", r.PayloadStatus.Status)
	}
	return *r.PayloadID, nil
}

func (d *Driver) forkchoice(head common.Hash) engine.ForkchoiceStateV1 {
	return engine.ForkchoiceStateV1{HeadBlockHash: head, SafeBlockHash: d.safe, FinalizedBlockHash: d.finalized}
}

// Get resolves a payload without importing it.
func (d *Driver) Get(id engine.PayloadID) (*engine.ExecutableData, error) {
	env, err := d.API.GetPayloadV4(id)
	if err != nil {
		return nil, err
	}
	return env.ExecutionPayload, nil
}

// beaconRoot is what Attributes uses.
var beaconRoot = common.Hash{1}

// Import gives a payload to an engine and returns its status.
func Import(api *engineapi.API, p *engine.ExecutableData) (engine.PayloadStatusV1, error) {
	return api.NewPayloadV4(context.Background(), *p, []common.Hash{}, &beaconRoot, []hexutil.Bytes{})
}

// SetHead makes a known block the head.
func (d *Driver) SetHead(hash common.Hash) error {
	r, err := d.API.ForkchoiceUpdatedV3(context.Background(), d.forkchoice(hash), nil)
	if err != nil {
		return err
	}
	if r.PayloadStatus.Status != engine.VALID {
		return fmt.Errorf("forkchoice answered %s", r.PayloadStatus.Status)
	}
	d.head = hash
	return nil
}

// SetLabels moves head, safe and finalized.
func (d *Driver) SetLabels(head, safe, finalized common.Hash) error {
	d.safe, d.finalized = safe, finalized
	return d.SetHead(head)
}

// Finish resolves a payload, imports it and makes it the head.
func (d *Driver) Finish(id engine.PayloadID) (*engine.ExecutableData, error) {
	p, err := d.Get(id)
	if err != nil {
		return nil, err
	}
	s, err := Import(d.API, p)
	if err != nil {
		return nil, err
	}
	if s.Status != engine.VALID {
		return nil, fmt.Errorf("own payload is %s: %v", s.Status, s.ValidationError)
	}
	return p, d.SetHead(p.BlockHash)
}

// Block makes the next block from forced transactions alone and returns it.
func (d *Driver) Block(forced ...*types.Transaction) (*types.Block, error) {
	id, err := d.Start(d.Attributes(d.Head(), true, forced...))
	if err != nil {
		return nil, err
	}
	p, err := d.Finish(id)
	if err != nil {
		return nil, err
	}
	return d.Node.Chain().BlockByHash(p.BlockHash), nil
}

// Key returns the i-th key of a deterministic sequence.
func Key(i int) *ecdsa.PrivateKey {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte(fmt.Sprintf("agnt2 test key %d", i))))
	if err != nil {
		panic(err)
	}
	return k
}

// Address of the i-th key.
func Address(i int) common.Address { return crypto.PubkeyToAddress(Key(i).PublicKey) }

// Sign makes a type-2 transaction that pays 1 gwei tip at most 100 gwei.
func Sign(key *ecdsa.PrivateKey, chainID, nonce uint64, to *common.Address, value *big.Int, gas uint64, data []byte) *types.Transaction {
	id := new(big.Int).SetUint64(chainID)
	return types.MustSignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: to, Value: value, Gas: gas, Data: data,
		GasTipCap: big.NewInt(params.GWei), GasFeeCap: big.NewInt(100 * params.GWei),
	})
}

// Genesis with devnet parameters and funded accounts 0 to n-1.
func Genesis(n int) *genesis.Genesis {
	g := &genesis.Genesis{
		ChainID: 901, Timestamp: 1_700_000_000, GasLimit: 200_000_000, BaseFee: (*hexutil.Big)(big.NewInt(params.GWei)),
		EIP1559Denominator: 250, EIP1559Elasticity: 6, Params: genesis.DevnetParams(), Policy: genesis.DevnetPolicy(), Alloc: map[common.Address]*hexutil.Big{},
	}
	for i := range n {
		g.Alloc[Address(i)] = (*hexutil.Big)(new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether)))
	}
	return g
}

// Encode returns the EIP-2718 encodings of transactions.
func Encode(txs []*types.Transaction) [][]byte {
	raws := make([][]byte, len(txs))
	for i, tx := range txs {
		var err error
		if raws[i], err = tx.MarshalBinary(); err != nil {
			panic(err) // somebody has made it by hand, and wrong
		}
	}
	return raws
}
