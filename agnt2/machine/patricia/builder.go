package patricia

import (
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// checkpointItems is after how many items Ordered keeps an edge. A witness costs at most that many appends.
const checkpointItems = 64

// Ordered builds an ordered trie with all that a prover needs of it: the edge's hash after every item, and every step's
// witness. It keeps the values it is given, not copies of them, 32 bytes an item and an edge every 64 items. Not safe for
// concurrent use.
type Ordered struct {
	edge   *Edge
	values [][]byte
	hashes []common.Hash // edge's, after 0, 1, … items
	kept   []*Edge       // after 0, 64, … items
}

// NewOrdered returns a builder without items.
func NewOrdered() *Ordered {
	e := new(Edge)
	return &Ordered{edge: e, hashes: []common.Hash{EmptyEdgeHash}, kept: []*Edge{e.Clone()}}
}

// Append adds the next value, which must not change afterwards. Errors: ErrTrieFull, ErrValueSize.
func (o *Ordered) Append(value []byte) error {
	n := len(o.values)
	if n >= MaxItems {
		return ErrTrieFull
	}
	if len(value) < MinValueLength || uint64(len(value)) > math.MaxUint32 {
		return fmt.Errorf("%w: item %d has %d bytes", ErrValueSize, n, len(value))
	}
	o.values = append(o.values, value)
	o.add(o.edge, n)
	o.hashes = append(o.hashes, o.edge.Hash())
	if (n+1)%checkpointItems == 0 {
		o.kept = append(o.kept, o.edge.Clone())
	}
	return nil
}

// add appends item n, whose predecessor is known to be what e holds.
func (o *Ordered) add(e *Edge, n int) {
	var held []byte
	if n > 0 {
		held = o.values[n-1]
	}
	e.add(crypto.Keccak256Hash(o.values[n]), uint32(len(o.values[n])), held)
}

// Len returns the number of items.
func (o *Ordered) Len() int { return len(o.values) }

// Hash returns the hash of the edge after the first items, 0 ≤ items ≤ Len.
func (o *Ordered) Hash(items int) common.Hash { return o.hashes[items] }

// Witness is what the step after the first items takes, 0 ≤ items ≤ Len: Append of the next one, or Finish. Held is empty
// for items = 0.
type Witness struct {
	Edge []byte
	Held []byte // the value with index items-1
}

// Witness returns the witness of the step after the first items, 0 ≤ items ≤ Len.
func (o *Ordered) Witness(items int) Witness {
	e := o.kept[items/checkpointItems].Clone()
	for n := items / checkpointItems * checkpointItems; n < items; n++ {
		o.add(e, n)
	}
	w := Witness{Edge: e.Encode()}
	if items > 0 {
		w.Held = o.values[items-1]
	}
	return w
}

// Root returns the root of the trie of all items. Errors: ErrTrieEmpty.
func (o *Ordered) Root() (common.Hash, error) {
	if len(o.values) == 0 {
		return common.Hash{}, ErrTrieEmpty
	}
	return o.edge.Root(o.values[len(o.values)-1])
}
