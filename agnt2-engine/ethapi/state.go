package ethapi

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// maxProofKeys bounds one eth_getProof.
const maxProofKeys = 1024

// nativeCode is what eth_getCode answers for the addresses that the engine answers natively: wallets and libraries take
// an address without code for a plain account and refuse to call it. There is no bytecode on this chain; the byte is
// the EVM's INVALID.
var nativeCode = []byte{0xfe}

// native reports whether the engine answers calls to an address.
func native(who common.Address) bool {
	switch who {
	case abi.Address, abi.L1BlockAddress, abi.MessagePasserAddress, abi.GasPriceOracleAddress,
		abi.IdentityRegistryAddress, abi.ReputationRegistryAddress, abi.ValidationRegistryAddress:
		return true
	}
	return false
}

// GetBalance implements eth_getBalance, in wei of AGNT. Stake and escrow are not part of it.
func (e *ethAPI) GetBalance(who common.Address, at *rpc.BlockNumberOrHash) (*hexutil.Big, error) {
	r, _, err := e.a.records(at)
	if err != nil {
		return nil, err
	}
	acc, err := account(r, who)
	if err != nil {
		return nil, err
	}
	return (*hexutil.Big)(acc.Balance.ToBig()), nil
}

// GetTransactionCount implements eth_getTransactionCount; "pending" counts the pool's executable transactions.
func (e *ethAPI) GetTransactionCount(who common.Address, at *rpc.BlockNumberOrHash) (hexutil.Uint64, error) {
	if at != nil {
		if number, ok := at.Number(); ok && number == rpc.PendingBlockNumber {
			return hexutil.Uint64(e.a.b.PoolNonce(who)), nil
		}
	}
	r, _, err := e.a.records(at)
	if err != nil {
		return 0, err
	}
	acc, err := account(r, who)
	return hexutil.Uint64(acc.Nonce), err
}

// GetCode implements eth_getCode; see nativeCode.
func (e *ethAPI) GetCode(who common.Address, at *rpc.BlockNumberOrHash) (hexutil.Bytes, error) {
	if _, err := e.a.header(at); err != nil {
		return nil, err
	}
	if native(who) {
		return nativeCode, nil
	}
	return hexutil.Bytes{}, nil
}

// storageKey reads a slot as clients write it: hex of at most 32 bytes, with or without leading zeros. full reports a
// 32-byte spelling.
func storageKey(s string) (key common.Hash, full bool, err error) {
	digits := strings.TrimPrefix(strings.TrimPrefix(s, "0x"), "0X")
	if len(digits) > 64 {
		return key, false, invalidParams("storage key %.80q is longer than 32 bytes", s)
	}
	if len(digits)%2 == 1 {
		digits = "0" + digits
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return key, false, invalidParams("storage key %q is not hex", s)
	}
	return common.BytesToHash(raw), len(raw) == 32, nil
}

// GetStorageAt implements eth_getStorageAt. Only the message passer has slots; any other slot is zero.
func (e *ethAPI) GetStorageAt(who common.Address, slot string, at *rpc.BlockNumberOrHash) (hexutil.Bytes, error) {
	key, _, err := storageKey(slot)
	if err != nil {
		return nil, err
	}
	h, err := e.a.header(at)
	if err != nil {
		return nil, err
	}
	if who != abi.MessagePasserAddress {
		return make([]byte, 32), nil
	}
	v, err := e.a.passerSlot(h, key)
	if err != nil {
		return nil, err
	}
	out := v.Bytes32()
	return out[:], nil
}

func (a *API) passerSlot(h *types.Header, slot common.Hash) (v uint256.Int, err error) {
	p, err := a.proveMessagePasser(h, []common.Hash{slot})
	if err != nil {
		return v, err
	}
	return p.Slots[0].Value, nil
}

func (a *API) proveMessagePasser(h *types.Header, slots []common.Hash) (*MessagePasserProof, error) {
	p, err := a.b.ProveMessagePasser(h, slots)
	if err != nil {
		return nil, fmt.Errorf("message passer at block %d: %w", h.Number, err)
	}
	if len(p.Slots) != len(slots) {
		return nil, &rpcError{code: codeInternal, msg: fmt.Sprintf("message passer: %d proofs for %d slots", len(p.Slots), len(slots))}
	}
	return p, nil
}

type accountProof struct {
	Address      common.Address  `json:"address"`
	AccountProof []hexutil.Bytes `json:"accountProof"`
	Balance      *hexutil.Big    `json:"balance"`
	CodeHash     common.Hash     `json:"codeHash"`
	Nonce        hexutil.Uint64  `json:"nonce"`
	StorageHash  common.Hash     `json:"storageHash"`
	StorageProof []storageProof  `json:"storageProof"`
}

type storageProof struct {
	Key   string          `json:"key"`
	Value *hexutil.Big    `json:"value"`
	Proof []hexutil.Bytes `json:"proof"`
}

// GetProof implements eth_getProof for the L2ToL1MessagePasser, whose storage is a real secure Merkle-Patricia trie with
// root header.withdrawalsRoot (OP specs, Isthmus). accountProof is empty: accounts are records of the interaction trie,
// which agnt2_getProof proves.
func (e *ethAPI) GetProof(ctx context.Context, who common.Address, keys []string, at *rpc.BlockNumberOrHash) (*accountProof, error) {
	if who != abi.MessagePasserAddress {
		return nil, invalidParams("eth_getProof only serves the L2ToL1MessagePasser %v: this chain has no account trie; "+
			"prove records with agnt2_getProof(key, block)", abi.MessagePasserAddress)
	}
	if len(keys) > maxProofKeys {
		return nil, invalidParams("%d storage keys, at most %d in one call", len(keys), maxProofKeys)
	}
	slots, names := make([]common.Hash, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		slot, full, err := storageKey(k)
		if err != nil {
			return nil, err
		}
		slots[i], names[i] = slot, hexutil.EncodeBig(slot.Big())
		if full {
			names[i] = slot.Hex()
		}
	}
	_, done, err := e.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	r, h, err := e.a.records(at)
	if err != nil {
		return nil, err
	}
	acc, err := account(r, who)
	if err != nil {
		return nil, err
	}
	p, err := e.a.proveMessagePasser(h, slots)
	if err != nil {
		return nil, err
	}
	out := &accountProof{
		Address: who, AccountProof: []hexutil.Bytes{}, Balance: (*hexutil.Big)(acc.Balance.ToBig()),
		CodeHash: crypto.Keccak256Hash(nativeCode), Nonce: hexutil.Uint64(acc.Nonce), StorageHash: p.StorageRoot,
		StorageProof: make([]storageProof, len(keys)),
	}
	for i, s := range p.Slots {
		nodes := make([]hexutil.Bytes, len(s.Nodes))
		for j, n := range s.Nodes {
			nodes[j] = n
		}
		out.StorageProof[i] = storageProof{Key: names[i], Value: (*hexutil.Big)(s.Value.ToBig()), Proof: nodes}
	}
	return out, nil
}
