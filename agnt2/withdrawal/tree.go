// Package withdrawal is the storage of the L2ToL1MessagePasser as OP's L1 contracts verify it: a secure
// Merkle-Patricia trie in which slot keccak256(hash ‖ 0) of every sent message holds 1. OptimismPortal2 proves
// withdrawals against its root, which the header carries as withdrawalsRoot (OP specs, "Isthmus").
//
// Messages are never deleted, and insertion order does not matter, so the tree of any block is that of the first n
// messages.
package withdrawal

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb/database"
	"github.com/holiman/uint256"
)

// MessageVersion is the version in the top two bytes of a message nonce.
const MessageVersion = 1

// seedSlot holds 1 from genesis on: clients drop a withdrawalsRoot that equals the empty trie's hash, so the tree must
// never be empty.
var seedSlot = crypto.Keccak256Hash([]byte("agnt2.messagePasser.seed"))

// sentValue is the RLP of the word 1.
var sentValue = []byte{0x01}

// Message is one L2-to-L1 message.
type Message struct {
	Nonce          uint64 // without version
	Sender, Target common.Address
	Value          uint256.Int // wei
	GasLimit       uint256.Int // L1 gas
	Data           []byte
}

// EncodedNonce returns the nonce with its version, as contracts see it.
func (m *Message) EncodedNonce() (n uint256.Int) {
	n.SetUint64(MessageVersion)
	n.Lsh(&n, 240)
	return *n.Or(&n, uint256.NewInt(m.Nonce))
}

// Hash is Hashing.hashWithdrawal of OP's contracts: keccak256(abi.encode(nonce, sender, target, value, gasLimit, data)).
func (m *Message) Hash() common.Hash {
	n := m.EncodedNonce()
	size := (len(m.Data) + 31) / 32 * 32
	b := make([]byte, 7*32+size)
	n.PutUint256(b[0:])
	copy(b[32+12:], m.Sender[:])
	copy(b[64+12:], m.Target[:])
	m.Value.PutUint256(b[96:])
	m.GasLimit.PutUint256(b[128:])
	b[191] = 6 * 32
	uint256.NewInt(uint64(len(m.Data))).PutUint256(b[192:])
	copy(b[224:], m.Data)
	return crypto.Keccak256Hash(b)
}

// Slot is the storage slot of sentMessages[hash].
func Slot(hash common.Hash) common.Hash { return crypto.Keccak256Hash(hash[:], make([]byte, 32)) }

// Tree is the message passer's storage trie, in memory. Not safe for concurrent use.
type Tree struct{ t *trie.Trie }

// NewTree returns the tree of genesis.
func NewTree() *Tree {
	t := &Tree{t: trie.NewEmpty(emptyDatabase{})}
	t.put(seedSlot)
	return t
}

func (t *Tree) put(slot common.Hash) {
	if err := t.t.Update(crypto.Keccak256(slot[:]), sentValue); err != nil {
		panic(fmt.Sprintf("in-memory trie: %v", err)) // every node is in memory
	}
}

// Insert records a sent message.
func (t *Tree) Insert(hash common.Hash) { t.put(Slot(hash)) }

// Remove undoes Insert; for blocks that are discarded.
func (t *Tree) Remove(hash common.Hash) {
	slot := Slot(hash)
	if err := t.t.Delete(crypto.Keccak256(slot[:])); err != nil {
		panic(fmt.Sprintf("in-memory trie: %v", err))
	}
}

// Has reports whether a slot is set.
func (t *Tree) Has(slot common.Hash) bool {
	v, err := t.t.Get(crypto.Keccak256(slot[:]))
	return err == nil && len(v) > 0
}

// Root returns the storage root.
func (t *Tree) Root() common.Hash { return t.t.Hash() }

// Prove returns the RLP nodes from the root to the slot, as eth_getProof lists them; for an absent slot, to where the
// path ends.
func (t *Tree) Prove(slot common.Hash) ([][]byte, error) {
	t.t.Hash()
	var p nodeList
	err := t.t.Prove(crypto.Keccak256(slot[:]), &p)
	return p, err
}

type nodeList [][]byte

func (l *nodeList) Put(_ []byte, v []byte) error { *l = append(*l, common.CopyBytes(v)); return nil }
func (l *nodeList) Delete([]byte) error          { return nil }

// emptyDatabase is the node database of a trie that lives in memory only.
type emptyDatabase struct{}

func (emptyDatabase) NodeReader(common.Hash) (database.NodeReader, error) { return emptyReader{}, nil }

type emptyReader struct{}

func (emptyReader) Node(common.Hash, []byte, common.Hash) ([]byte, error) {
	return nil, fmt.Errorf("%w: no node is stored", errMissing)
}

var errMissing = fmt.Errorf("missing trie node %s", types.EmptyRootHash)
