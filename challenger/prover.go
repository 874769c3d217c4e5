package challenger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-node/rollup/derive"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching"
	"github.com/ethereum-optimism/optimism/op-service/sources/batching/rpcblock"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/agnt2/machine/witness"
	"github.com/agnt2/agnt2/agnt2/manifest"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

var (
	// ErrL1 says that L1 did not answer what a proof needs.
	ErrL1 = errors.New("L1 node")
	// ErrEngine says that the engine did not answer what a proof needs.
	ErrEngine = errors.New("engine")
)

// recordsAtOnce is how many blocks are asked for in one batch.
const recordsAtOnce = 50

// machineProver proves with agnt2/machine, over an L1 node and an engine.
type machineProver struct {
	env machine.Env // without a game
	l1  machine.L1
	l2  machine.L2

	caller *batching.MultiCaller
}

var (
	_ Prover  = (*machineProver)(nil)
	_ Matcher = (*machineProver)(nil)
)

// NewProver returns the AGNT2 machine's prover over the clients' engine and L1, for the chain of their rollup node. L1 must
// serve eth_getProof as far back as the proof heads of the games that are played.
func NewProver(ctx context.Context, c *Clients) (Prover, error) {
	rc, err := c.Rollup.RollupConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("rollup configuration: %w", err)
	}
	lag, err := proofWindow(ctx, c.Caller, rc.BatchInboxAddress)
	if err != nil {
		return nil, err
	}
	scalars, err := rc.Genesis.SystemConfig.EcotoneScalars()
	if err != nil {
		return nil, fmt.Errorf("rollup configuration: %w", err)
	}
	return &machineProver{
		env: machine.Env{
			ChainID: rc.L2ChainID.Uint64(), BlockTime: rc.BlockTime, ProofLag: lag, SeqWindow: rc.SeqWindowSize,
			BlobFraction: params.DefaultPragueBlobConfig.UpdateFraction,
			LayerRoot:    rc.BatchInboxAddress, Portal: rc.DepositContractAddress, SystemConfig: rc.L1SystemConfigAddress,
			Genesis: machine.GenesisL1{
				Number: rc.Genesis.L1.Number, Hash: rc.Genesis.L1.Hash, BatcherHash: common.BytesToHash(rc.Genesis.SystemConfig.BatcherAddr.Bytes()),
				BaseFeeScalar: scalars.BaseFeeScalar, BlobBaseFeeScalar: scalars.BlobBaseFeeScalar,
			},
		},
		l1: l1Source{c.Eth}, l2: engineSource{c.Engine, rc}, caller: c.Caller,
	}, nil
}

// AbsolutePrestate is the machine's state before the first micro-step of every dispute.
func (p *machineProver) AbsolutePrestate() common.Hash {
	s := machine.Prestate()
	return s.Claim()
}

// verifierConfig is IAGNT2StepVerifier.Config, in its order.
type verifierConfig struct {
	ChainId, BlockTimeSeconds, ProofLagBlocks, SeqWindowBlocks, BlobFraction uint64
	LayerRoot, Portal, SystemConfig, Leaves, Oracle                          common.Address
	GenesisNumber                                                            uint64
	GenesisHash, GenesisBatcherHash                                          [32]byte
	GenesisBaseFeeScalar, GenesisBlobBaseFeeScalar                           uint32
}

var verifierABI = func() *abi.ABI {
	a, err := abi.JSON(strings.NewReader(`[{"type":"function","name":"config","stateMutability":"view","inputs":[],"outputs":[{"type":"tuple","components":[
	{"name":"chainId","type":"uint64"},{"name":"blockTimeSeconds","type":"uint64"},{"name":"proofLagBlocks","type":"uint64"},
	{"name":"seqWindowBlocks","type":"uint64"},{"name":"blobFraction","type":"uint64"},{"name":"layerRoot","type":"address"},
	{"name":"portal","type":"address"},{"name":"systemConfig","type":"address"},{"name":"leaves","type":"address"},{"name":"oracle","type":"address"},
	{"name":"genesisNumber","type":"uint64"},{"name":"genesisHash","type":"bytes32"},{"name":"genesisBatcherHash","type":"bytes32"},
	{"name":"genesisBaseFeeScalar","type":"uint32"},{"name":"genesisBlobBaseFeeScalar","type":"uint32"}]}]}]`))
	if err != nil {
		panic(err)
	}
	return &a
}()

// Match compares what a verifier fixed at its deployment with this machine's environment.
func (p *machineProver) Match(ctx context.Context, verifier common.Address) error {
	out, err := p.caller.SingleCall(ctx, rpcblock.Latest, batching.NewBoundContract(verifierABI, verifier).Call("config"))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMachine, verifier, err)
	}
	var has verifierConfig
	out.GetStruct(0, &has)
	e := &p.env
	want := verifierConfig{
		ChainId: e.ChainID, BlockTimeSeconds: e.BlockTime, ProofLagBlocks: e.ProofLag, SeqWindowBlocks: e.SeqWindow, BlobFraction: e.BlobFraction,
		LayerRoot: e.LayerRoot, Portal: e.Portal, SystemConfig: e.SystemConfig,
		Leaves: has.Leaves, Oracle: has.Oracle, // of no influence on what a step makes
		GenesisNumber: e.Genesis.Number, GenesisHash: e.Genesis.Hash, GenesisBatcherHash: e.Genesis.BatcherHash,
		GenesisBaseFeeScalar: e.Genesis.BaseFeeScalar, GenesisBlobBaseFeeScalar: e.Genesis.BlobBaseFeeScalar,
	}
	if has != want {
		return fmt.Errorf("%w: %s has %+v, this program %+v", ErrMachine, verifier, has, want)
	}
	return nil
}

// NewTrace runs the disputed block.
func (p *machineProver) NewTrace(ctx context.Context, in TraceInputs) (Trace, error) {
	if in.ChainID != p.env.ChainID {
		return nil, fmt.Errorf("%w: chain %d, the machine is of chain %d", ErrTrace, in.ChainID, p.env.ChainID)
	}
	env := p.env
	env.Game = machine.Game{L1Head: in.L1Head, Agreed: in.Agreed, Disputed: in.Disputed, Claimed: in.ClaimedBlock, AgreedBlock: in.AgreedBlock}
	t, err := machine.NewTrace(ctx, &env, p.l1, p.l2)
	if err != nil {
		return nil, err
	}
	return &machineTrace{t, &env}, nil
}

// machineTrace is a machine's trace with the game's indices.
type machineTrace struct {
	t   *machine.Trace
	env *machine.Env
}

var (
	_ Trace       = (*machineTrace)(nil)
	_ Describer   = (*machineTrace)(nil)
	_ LocalReader = (*machineTrace)(nil)
	_ Checker     = (*machineTrace)(nil)
	_ LeafReader  = (*machineTrace)(nil)
)

func (m *machineTrace) Len(context.Context) (uint64, error) { return m.t.Len(), nil }

func (m *machineTrace) StateHash(_ context.Context, i uint64) (common.Hash, error) {
	s, err := m.t.State(i + 1)
	return s.Claim(), err
}

func (m *machineTrace) StepData(_ context.Context, i uint64) (state, witness []byte, err error) {
	if i >= m.t.Len() {
		s := m.t.Final()
		return s.Encode(), nil, nil
	}
	e, err := m.t.Entry(i)
	if err != nil {
		return nil, nil, err
	}
	return e.State.Encode(), e.Witness, nil
}

// ReadsLocalData says that only BEGIN does.
func (m *machineTrace) ReadsLocalData(i uint64) bool { return i == 0 }

// Describe names a step, the record that it touches and what it makes of it.
func (m *machineTrace) Describe(_ context.Context, i uint64) (string, error) {
	e, err := m.t.Entry(i)
	if err != nil {
		return "", err
	}
	out := machine.Name(e.State.Step)
	if e.Key == nil {
		return out, nil
	}
	shown := func(b []byte) string {
		if b == nil {
			return "absent"
		}
		return fmt.Sprintf("%d bytes %s", len(b), hex.EncodeToString(crypto.Keccak256(b)[:4]))
	}
	switch before, after := shown(e.Old), shown(e.New); before {
	case after:
		return fmt.Sprintf("%s  reads %v  %s", out, *e.Key, before), nil
	default:
		return fmt.Sprintf("%s  writes %v  %s → %s", out, *e.Key, before, after), nil
	}
}

// Leaf is the large receipt that a step of the origin's phase refers to.
func (m *machineTrace) Leaf(i uint64) ([]byte, error) { return m.t.Upload(i) }

// LargeLeaves are the large receipts of the block's L1 origin.
func (m *machineTrace) LargeLeaves() (leaves [][]byte, err error) {
	for i := range m.t.Len() {
		s, err := m.t.State(i)
		if err != nil {
			return nil, err
		}
		if s.Step == machine.OpenBlock {
			break // the origin's phase is over
		}
		if s.Step < machine.OriginBase {
			continue
		}
		leaf, err := m.Leaf(i)
		if err != nil {
			return nil, err
		}
		if leaf != nil {
			leaves = append(leaves, leaf)
		}
	}
	return leaves, nil
}

// CheckStep executes a step on its state and witness alone.
func (m *machineTrace) CheckStep(ctx context.Context, i uint64) error {
	state, witness, err := m.StepData(ctx, i)
	if err != nil {
		return err
	}
	raw, err := m.env.Step(state, witness)
	if err != nil {
		return fmt.Errorf("step %d: %w", i, err)
	}
	after, err := machine.DecodeState(raw)
	if err != nil {
		return fmt.Errorf("step %d: %w", i, err)
	}
	if want, err := m.StateHash(ctx, i); err != nil || after.Claim() != want {
		return errors.Join(err, fmt.Errorf("%w: step %d makes %s of its witness, the trace says %s", ErrTrace, i, after.Claim(), want))
	}
	return nil
}

// l1Source is L1 for the machine.
type l1Source struct{ c *ethclient.Client }

func (s l1Source) Header(ctx context.Context, hash common.Hash) (*types.Header, error) {
	h, err := s.c.HeaderByHash(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("%w: header %s: %w", ErrL1, hash, err)
	}
	return h, nil
}

func (s l1Source) Receipts(ctx context.Context, block common.Hash) (types.Receipts, error) {
	r, err := s.c.BlockReceipts(ctx, rpc.BlockNumberOrHashWithHash(block, false))
	if err != nil {
		return nil, fmt.Errorf("%w: receipts of block %s: %w", ErrL1, block, err)
	}
	return r, nil
}

func (s l1Source) Storage(ctx context.Context, block common.Hash, contract common.Address, slots []common.Hash) (*machine.Storage, error) {
	var answer struct {
		AccountProof []hexutil.Bytes `json:"accountProof"`
		StorageProof []struct {
			Value *hexutil.Big    `json:"value"`
			Proof []hexutil.Bytes `json:"proof"`
		} `json:"storageProof"`
	}
	at := rpc.BlockNumberOrHashWithHash(block, false)
	if err := s.c.Client().CallContext(ctx, &answer, "eth_getProof", contract, slots, at); err != nil {
		return nil, fmt.Errorf("%w: eth_getProof of %s at block %s (it has to keep states as old as games): %w", ErrL1, contract, block, err)
	}
	if len(answer.StorageProof) != len(slots) {
		return nil, fmt.Errorf("%w: %d proofs for %d slots", ErrL1, len(answer.StorageProof), len(slots))
	}
	out := new(machine.Storage)
	for _, n := range answer.AccountProof {
		out.Account = append(out.Account, n)
	}
	for _, p := range answer.StorageProof {
		var slot machine.Slot
		if p.Value != nil {
			slot.Value = common.BigToHash(p.Value.ToInt())
		}
		for _, n := range p.Proof {
			slot.Nodes = append(slot.Nodes, n)
		}
		out.Slots = append(out.Slots, slot)
	}
	return out, nil
}

// engineSource is the engine for the machine.
type engineSource struct {
	c      *ethclient.Client
	config *rollup.Config
}

func (s engineSource) Header(ctx context.Context, number uint64) (*types.Header, error) {
	h, err := s.c.HeaderByNumber(ctx, new(big.Int).SetUint64(number))
	if err != nil {
		return nil, fmt.Errorf("%w: header of block %d: %w", ErrEngine, number, err)
	}
	return h, nil
}

func (s engineSource) Record(ctx context.Context, key record.Key, number uint64) ([]byte, trie.Proof, error) {
	var answer struct {
		Value *hexutil.Bytes `json:"value"`
		Proof hexutil.Bytes  `json:"proof"`
	}
	if err := s.c.Client().CallContext(ctx, &answer, "agnt2_getProof", common.Hash(key), hexutil.Uint64(number)); err != nil {
		return nil, trie.Proof{}, fmt.Errorf("%w: record %v at block %d: %w", ErrEngine, key, number, err)
	}
	proof, err := trie.DecodeProof(answer.Proof)
	if err != nil {
		return nil, trie.Proof{}, fmt.Errorf("%w: record %v at block %d: %w", ErrEngine, key, number, err)
	}
	if answer.Value == nil {
		return nil, proof, nil
	}
	return *answer.Value, proof, nil
}

func (s engineSource) Witness(ctx context.Context, number uint64) (*witness.Block, error) {
	var answer witness.Answer
	if err := s.c.Client().CallContext(ctx, &answer, "agnt2_getBlockWitness", hexutil.Uint64(number)); err != nil {
		return nil, fmt.Errorf("%w: witness of block %d: %w", ErrEngine, number, err)
	}
	b, err := witness.Decode(answer.Witness)
	if err != nil {
		return nil, fmt.Errorf("%w: witness of block %d: %w", ErrEngine, number, err)
	}
	return b, nil
}

// BlockRecords makes the records from the engine's blocks. They are those of a submission if the blocks were derived from it;
// the machine compares.
func (s engineSource) BlockRecords(ctx context.Context, first, last uint64) ([]manifest.BlockRecord, error) {
	var out []manifest.BlockRecord
	for ; first <= last; first += recordsAtOnce {
		some, err := s.records(ctx, first, min(last, first+recordsAtOnce-1))
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

type rpcBlock struct {
	Timestamp    hexutil.Uint64 `json:"timestamp"`
	Transactions []common.Hash  `json:"transactions"`
}

type rpcTx struct {
	Type  hexutil.Uint64 `json:"type"`
	Input hexutil.Bytes  `json:"input"`
}

func (s engineSource) records(ctx context.Context, first, last uint64) ([]manifest.BlockRecord, error) {
	n := last - first + 1
	blocks, attributes := make([]*rpcBlock, n), make([]*rpcTx, n)
	var batch []rpc.BatchElem
	for i := range n {
		number := hexutil.Uint64(first + i)
		batch = append(batch,
			rpc.BatchElem{Method: "eth_getBlockByNumber", Args: []any{number, false}, Result: &blocks[i]},
			rpc.BatchElem{Method: "eth_getTransactionByBlockNumberAndIndex", Args: []any{number, hexutil.Uint64(0)}, Result: &attributes[i]})
	}
	if err := s.c.Client().BatchCallContext(ctx, batch); err != nil {
		return nil, fmt.Errorf("%w: blocks %d to %d: %w", ErrEngine, first, last, err)
	}
	for i, e := range batch {
		if e.Error != nil {
			return nil, fmt.Errorf("%w: block %d: %w", ErrEngine, first+uint64(i)/2, e.Error)
		}
	}
	out := make([]manifest.BlockRecord, n)
	for i, b := range blocks {
		number := first + uint64(i)
		if b == nil || attributes[i] == nil || len(b.Transactions) == 0 {
			return nil, fmt.Errorf("%w: no block %d", ErrEngine, number)
		}
		info, err := derive.L1BlockInfoFromBytes(s.config, uint64(b.Timestamp), attributes[i].Input)
		if err != nil {
			return nil, fmt.Errorf("%w: L1 attributes of block %d: %w", ErrEngine, number, err)
		}
		deposits, err := s.deposits(ctx, number, len(b.Transactions))
		if err != nil {
			return nil, err
		}
		signed := b.Transactions[deposits:]
		out[i] = manifest.BlockRecord{
			Number: number, Timestamp: uint64(b.Timestamp), L1Origin: info.Number, TxCount: uint64(len(signed)), TxsRoot: manifest.TxsRoot(signed),
		}
	}
	return out, nil
}

// deposits counts the deposits at the start of a block with n transactions.
func (s engineSource) deposits(ctx context.Context, number uint64, n int) (int, error) {
	for i := 1; i < n; i++ {
		var tx *rpcTx
		err := s.c.Client().CallContext(ctx, &tx, "eth_getTransactionByBlockNumberAndIndex", hexutil.Uint64(number), hexutil.Uint64(i))
		if err == nil && tx == nil {
			err = errors.New("not there")
		}
		if err != nil {
			return 0, fmt.Errorf("%w: transaction %d of block %d: %w", ErrEngine, i, number, err)
		}
		if tx.Type != types.DepositTxType {
			return i, nil
		}
	}
	return n, nil
}
