package patricia

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
)

// StorageRoot returns the storage root of an account in L1's state, EmptyRoot for an account that does not exist. Nodes are
// the account's proof as eth_getProof gives it. Errors: those of Walk.
func StorageRoot(stateRoot common.Hash, account common.Address, nodes [][]byte) (common.Hash, error) {
	b, present, err := Walk(stateRoot, crypto.Keccak256(account[:]), nodes)
	if err != nil {
		return common.Hash{}, fmt.Errorf("account %s: %w", account, err)
	}
	if !present {
		return EmptyRoot, nil
	}
	root, err := decodeAccount(b)
	if err != nil {
		return common.Hash{}, fmt.Errorf("account %s: %w", account, err)
	}
	return root, nil
}

// StorageAt returns the word in a slot, zero for one that was never written. Nodes are the slot's proof as eth_getProof
// gives it. Errors: those of Walk.
func StorageAt(storageRoot, slot common.Hash, nodes [][]byte) (common.Hash, error) {
	b, present, err := Walk(storageRoot, crypto.Keccak256(slot[:]), nodes)
	if err != nil {
		return common.Hash{}, fmt.Errorf("slot %s: %w", slot, err)
	}
	if !present {
		return common.Hash{}, nil
	}
	word, rest, err := splitUint(b, 32)
	if err != nil || len(rest) != 0 || len(word) == 0 {
		return common.Hash{}, fmt.Errorf("slot %s: %w: not a word", slot, ErrInvalidRLP)
	}
	return common.BytesToHash(word), nil
}

// decodeAccount returns the storage root out of [nonce, balance, storage root, code hash].
func decodeAccount(b []byte) (root common.Hash, err error) {
	payload, err := splitList(b)
	if err != nil {
		return root, err
	}
	for _, size := range []int{8, 32} { // nonce, balance
		if _, payload, err = splitUint(payload, size); err != nil {
			return root, err
		}
	}
	var hashes [2][]byte
	for i := range hashes {
		if hashes[i], payload, err = rlp.SplitString(payload); err != nil || len(hashes[i]) != 32 {
			return root, fmt.Errorf("%w: not a hash", ErrInvalidRLP)
		}
	}
	if len(payload) != 0 {
		return root, fmt.Errorf("%w: more than an account", ErrInvalidRLP)
	}
	return common.Hash(hashes[0]), nil
}

// splitUint reads an integer of at most size bytes.
func splitUint(b []byte, size int) (content, rest []byte, err error) {
	content, rest, err = rlp.SplitString(b)
	if err != nil || len(content) > size || len(content) > 0 && content[0] == 0 {
		return nil, nil, fmt.Errorf("%w: not an integer of %d bytes", ErrInvalidRLP, size)
	}
	return content, rest, nil
}
