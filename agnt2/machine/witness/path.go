package witness

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	gethtrie "github.com/ethereum/go-ethereum/trie"

	"github.com/agnt2/agnt2/agnt2/withdrawal"
)

// PasserPath is the RLP nodes, root first, on the path of a message's slot in the message passer's trie after the messages
// before it in the block.
func (b *Block) PasserPath(before []common.Hash, message common.Hash) ([][]byte, error) {
	nodes := make(nodeSet, len(b.PasserNodes))
	for _, n := range b.PasserNodes {
		nodes[crypto.Keccak256Hash(n)] = n
	}
	t, err := gethtrie.New(gethtrie.TrieID(*b.Parent.WithdrawalsHash), nodes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	for _, m := range before {
		slot := withdrawal.Slot(m)
		if err := t.Update(crypto.Keccak256(slot[:]), []byte{0x01}); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMissing, err)
		}
	}
	t.Hash()
	var path pathNodes
	slot := withdrawal.Slot(message)
	if err := t.Prove(crypto.Keccak256(slot[:]), &path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	return path, nil
}

// pathNodes collects the nodes of a proof.
type pathNodes [][]byte

func (p *pathNodes) Put(_, node []byte) error { *p = append(*p, common.CopyBytes(node)); return nil }
func (p *pathNodes) Delete([]byte) error      { return nil }
