package witness

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	gethtrie "github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb/database"

	"github.com/agnt2/agnt2/agnt2/machine/patricia"
	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// verifyPasser checks that every node is named by one before it, the first by the parent's withdrawals root.
func (b *Block) verifyPasser() error {
	named := map[common.Hash]bool{*b.Parent.WithdrawalsHash: true}
	for i, n := range b.PasserNodes {
		hash := crypto.Keccak256Hash(n)
		if !named[hash] {
			return fmt.Errorf("%w: node %d of %d", ErrPasser, i, len(b.PasserNodes))
		}
		delete(named, hash) // each once
		if err := addNames(named, n); err != nil {
			return fmt.Errorf("%w: node %d: %v", ErrPasser, i, err)
		}
	}
	return nil
}

// addNames adds the hashes of the nodes that a node, or one embedded in it, refers to; and words of the same size that a
// node may hold otherwise (a path), which name nothing.
func addNames(named map[common.Hash]bool, node []byte) error {
	items, _, err := rlp.SplitList(node)
	for err == nil && len(items) > 0 {
		var kind rlp.Kind
		var content []byte
		rest := items
		kind, content, rest, err = rlp.Split(items)
		switch {
		case err != nil:
		case kind == rlp.List: // shorter than a hash, so the recursion ends
			err = addNames(named, items[:len(items)-len(rest)])
		case len(content) == common.HashLength:
			named[common.Hash(content)] = true
		}
		items = rest
	}
	return err
}

// Passer is the message passer's trie as far as a witness knows it: enough to insert the block's own messages.
type Passer struct{ t *gethtrie.Trie }

// Passer opens the trie at the parent.
func (b *Block) Passer() (*Passer, error) {
	nodes := make(nodeSet, len(b.PasserNodes))
	for _, n := range b.PasserNodes {
		nodes[crypto.Keccak256Hash(n)] = n
	}
	t, err := gethtrie.New(gethtrie.TrieID(*b.Parent.WithdrawalsHash), nodes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return &Passer{t}, nil
}

func passerKey(message common.Hash) []byte {
	slot := withdrawal.Slot(message)
	return crypto.Keccak256(slot[:])
}

// Insert adds messages, by their hashes.
func (p *Passer) Insert(messages ...common.Hash) error {
	for _, m := range messages {
		if err := p.t.Update(passerKey(m), []byte{0x01}); err != nil {
			return fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	return nil
}

// Root is the trie's root.
func (p *Passer) Root() common.Hash { return p.t.Hash() }

// Path is the RLP nodes, root first, on the path of a message's slot.
func (p *Passer) Path(message common.Hash) ([][]byte, error) {
	p.t.Hash()
	nodes, err := patricia.Prove(p.t, passerKey(message))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return nodes, nil
}

// PasserRoot is the message passer's root after messages, by their hashes, have been sent in the block: the header's
// withdrawals root. It needs no more than PasserNodes for the block's own messages; for others it may fail.
func (b *Block) PasserRoot(messages []common.Hash) (common.Hash, error) {
	if len(messages) == 0 {
		return *b.Parent.WithdrawalsHash, nil
	}
	p, err := b.Passer()
	if err != nil {
		return common.Hash{}, err
	}
	if err := p.Insert(messages...); err != nil {
		return common.Hash{}, err
	}
	return p.Root(), nil
}

// nodeSet is a node database.
type nodeSet map[common.Hash][]byte

var _ database.NodeDatabase = nodeSet(nil)

func (s nodeSet) NodeReader(common.Hash) (database.NodeReader, error) { return s, nil }

func (s nodeSet) Node(_ common.Hash, path []byte, hash common.Hash) ([]byte, error) {
	n, ok := s[hash]
	if !ok {
		return nil, fmt.Errorf("node %s at %x", hash, path)
	}
	return n, nil
}
