package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// ErrWithdrawalProof: what the node says about a withdrawal does not hash to the block's withdrawalsRoot.
var ErrWithdrawalProof = errors.New("withdrawal is not proven")

var (
	passerABI = mustABI(`[{"type":"function","name":"initiateWithdrawal","stateMutability":"payable","inputs":[
		{"name":"_target","type":"address"},{"name":"_gasLimit","type":"uint256"},{"name":"_data","type":"bytes"}],"outputs":[]},
		{"type":"event","name":"MessagePassed","anonymous":false,"inputs":[
		{"name":"nonce","type":"uint256","indexed":true},{"name":"sender","type":"address","indexed":true},
		{"name":"target","type":"address","indexed":true},{"name":"value","type":"uint256","indexed":false},
		{"name":"gasLimit","type":"uint256","indexed":false},{"name":"data","type":"bytes","indexed":false},
		{"name":"withdrawalHash","type":"bytes32","indexed":false}]}]`)
)

// Withdrawal is a message from L2 to L1, as OptimismPortal2 takes it.
type Withdrawal struct {
	Nonce          *big.Int // with its version
	Sender, Target common.Address
	ValueWei       *big.Int
	GasLimit       *big.Int // on L1
	Data           []byte
	Hash           common.Hash
	Receipt        *types.Receipt
}

// InitiateWithdrawal burns valueWei on L2 and sends a message that pays it to target on L1, once it is proven and
// finalised there. gasLimit and data are those of the call on L1.
func (a *Account) InitiateWithdrawal(ctx context.Context, target common.Address, valueWei *big.Int, gasLimit uint64, data []byte) (*Withdrawal, error) {
	call, err := passerABI.Pack("initiateWithdrawal", target, new(big.Int).SetUint64(gasLimit), append([]byte{}, data...))
	if err != nil {
		return nil, fmt.Errorf("initiateWithdrawal: %w", err)
	}
	if a.agent != nil {
		return nil, fmt.Errorf("initiateWithdrawal: %w: pay the amount to an account that withdraws it", ErrActing)
	}
	receipt, err := a.s.transact(ctx, txRequest{op: "initiateWithdrawal", to: abi.MessagePasserAddress, value: valueWei, data: call})
	if err != nil {
		return nil, err
	}
	for _, l := range receipt.Logs {
		if l.Address != abi.MessagePasserAddress || len(l.Topics) != 4 || l.Topics[0] != passerABI.Events["MessagePassed"].ID {
			continue
		}
		w, err := withdrawalFromLog(l)
		if err != nil {
			return nil, fmt.Errorf("initiateWithdrawal: transaction %v: %w", receipt.TxHash, err)
		}
		w.Receipt = receipt
		return w, nil
	}
	return nil, fmt.Errorf("initiateWithdrawal: transaction %v: %w: MessagePassed", receipt.TxHash, ErrUnexpectedReceipt)
}

// withdrawalFromLog reads a MessagePassed event and checks that its hash is that of its fields.
func withdrawalFromLog(l *types.Log) (*Withdrawal, error) {
	var fields struct {
		Value          *big.Int
		GasLimit       *big.Int
		Data           []byte
		WithdrawalHash [32]byte
	}
	if err := passerABI.UnpackIntoInterface(&fields, "MessagePassed", l.Data); err != nil {
		return nil, err
	}
	w := &Withdrawal{
		Nonce: l.Topics[1].Big(), Sender: common.BytesToAddress(l.Topics[2][:]), Target: common.BytesToAddress(l.Topics[3][:]),
		ValueWei: fields.Value, GasLimit: fields.GasLimit, Data: fields.Data, Hash: fields.WithdrawalHash,
	}
	m := withdrawal.Message{Nonce: binary.BigEndian.Uint64(l.Topics[1][24:]), Sender: w.Sender, Target: w.Target, Data: w.Data}
	m.Value.SetFromBig(w.ValueWei)
	m.GasLimit.SetFromBig(w.GasLimit)
	encoded := m.EncodedNonce()
	if encoded.ToBig().Cmp(w.Nonce) != 0 || m.Hash() != w.Hash {
		return nil, fmt.Errorf("%w: MessagePassed says hash %v, its fields say %v", ErrUnexpectedReceipt, w.Hash, m.Hash())
	}
	return w, nil
}

// WithdrawalProof proves a withdrawal against the withdrawalsRoot of an L2 block, which an output root contains.
type WithdrawalProof struct {
	Block        *types.Header
	StorageRoot  common.Hash // = the block's withdrawalsRoot
	Slot         common.Hash
	StorageProof [][]byte // nodes of the message passer's secure Merkle-Patricia trie, root first
}

// ProveWithdrawal fetches the proof of a withdrawal at an L2 block (nil: the block of its transaction) and verifies it the
// way OptimismPortal2 does.
func (c *Client) ProveWithdrawal(ctx context.Context, w *Withdrawal, block *big.Int) (*WithdrawalProof, error) {
	if block == nil {
		block = w.Receipt.BlockNumber
	}
	rctx, cancel := c.request(ctx)
	defer cancel()
	header, err := c.ec.HeaderByNumber(rctx, block)
	if err != nil {
		return nil, fmt.Errorf("withdrawal %v: block %v: %w", w.Hash, block, err)
	}
	if header.WithdrawalsHash == nil {
		return nil, fmt.Errorf("withdrawal %v: %w: block %v has no withdrawalsRoot", w.Hash, ErrWithdrawalProof, block)
	}
	p := &WithdrawalProof{Block: header, Slot: withdrawal.Slot(w.Hash)}
	var answer struct {
		StorageHash  common.Hash `json:"storageHash"`
		StorageProof []struct {
			Key   json.RawMessage `json:"key"`
			Value *hexutil.Big    `json:"value"`
			Proof []hexutil.Bytes `json:"proof"`
		} `json:"storageProof"`
	}
	if err := c.rc.CallContext(rctx, &answer, "eth_getProof", abi.MessagePasserAddress, []common.Hash{p.Slot}, hexutil.EncodeBig(block)); err != nil {
		return nil, fmt.Errorf("withdrawal %v: eth_getProof: %w", w.Hash, err)
	}
	if len(answer.StorageProof) != 1 {
		return nil, fmt.Errorf("withdrawal %v: %w: %d proofs for one slot", w.Hash, ErrWithdrawalProof, len(answer.StorageProof))
	}
	for _, n := range answer.StorageProof[0].Proof {
		p.StorageProof = append(p.StorageProof, n)
	}
	p.StorageRoot = answer.StorageHash
	if err := p.Verify(); err != nil {
		return nil, fmt.Errorf("withdrawal %v: %w", w.Hash, err)
	}
	return p, nil
}

// Verify checks the proof against the block's withdrawalsRoot alone.
func (p *WithdrawalProof) Verify() error {
	if p.Block.WithdrawalsHash == nil || *p.Block.WithdrawalsHash != p.StorageRoot {
		return fmt.Errorf("%w: storage root %v, withdrawalsRoot %v", ErrWithdrawalProof, p.StorageRoot, p.Block.WithdrawalsHash)
	}
	db := memorydb.New()
	for _, n := range p.StorageProof {
		if err := db.Put(keccak(n).Bytes(), n); err != nil {
			return err
		}
	}
	value, err := trie.VerifyProof(p.StorageRoot, keccak(p.Slot[:]).Bytes(), db)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWithdrawalProof, err)
	}
	sent, err := rlp.EncodeToBytes(uint64(1))
	if err != nil {
		return err
	}
	if !bytes.Equal(value, sent) {
		return fmt.Errorf("%w: slot %v holds %#x, not 1", ErrWithdrawalProof, p.Slot, value)
	}
	return nil
}
