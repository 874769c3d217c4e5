package vmtest

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// History is what an engine keeps of pruned interactions, so that it can prove them.
type History struct {
	Interactions []vm.Pruned

	nodes   map[history.Position]common.Hash
	machine *vm.Machine
	seen    int // of the machine's
}

// Follow adds what a machine has pruned since the last call.
func (h *History) Follow(m *vm.Machine) {
	if h.machine != m {
		h.machine, h.seen = m, 0
	}
	h.Add(m.Pruned[h.seen:]...)
	h.seen = len(m.Pruned)
}

// Add appends interactions.
func (h *History) Add(pruned ...vm.Pruned) {
	if h.nodes == nil {
		h.nodes = map[history.Position]common.Hash{}
	}
	for _, p := range pruned {
		index := uint64(len(h.Interactions))
		h.Interactions = append(h.Interactions, p)
		h.nodes[history.Position{Index: index}] = history.Leaf(p.ID, common.Hash(trie.HashRecord(p.Record)))
		for _, up := range history.Completes(index) {
			left := history.Position{Height: up.Height - 1, Index: 2 * up.Index}
			right := history.Position{Height: left.Height, Index: left.Index + 1}
			h.nodes[up] = history.Node(h.nodes[left], h.nodes[right])
		}
	}
}

// Last is the index of the last interaction with an id.
func (h *History) Last(id common.Hash) (index uint64, ok bool) {
	for i := len(h.Interactions) - 1; i >= 0; i-- {
		if h.Interactions[i].ID == id {
			return uint64(i), true
		}
	}
	return 0, false
}

// Path proves the interaction with an index.
func (h *History) Path(index uint64) (path []common.Hash) {
	at, _ := history.Path(uint64(len(h.Interactions)), index)
	for _, p := range at {
		path = append(path, h.nodes[p])
	}
	return path
}

// Dispute adds the proof of the interaction with an index to a dispute.
func (h *History) Dispute(c *abi.DisputeCall, index uint64) *abi.DisputePrunedCall {
	i := must(record.DecodeInteraction(h.Interactions[index].Record))
	return &abi.DisputePrunedCall{
		Kind: c.Kind, Target: c.Target, Game: c.Game, EvidenceHash: c.EvidenceHash, Da: c.Da, Interaction: abi.IRecordsInteraction(i), Index: index, Path: h.Path(index),
	}
}

// disputePruned makes a dispute one about an interaction in the history, mostly a recent one, and mostly with its proof.
func (g *Generator) disputePruned(d Draft, c *abi.DisputeCall) Draft {
	n := len(g.History.Interactions)
	index := uint64(max(0, n-1-g.Rnd.IntN(20)))
	c.Target = g.History.Interactions[index].ID
	x := g.History.Dispute(c, index)
	if d.From = x.Interaction.Caller; g.chance(12) {
		d.From = g.anyone()
	}
	switch g.Rnd.IntN(20) {
	case 0:
		x.Index ^= 1 << g.Rnd.IntN(8)
	case 1:
		x.Path = append(x.Path, common.Hash{})
	case 2:
		x.Path = make([]common.Hash, history.MaxHeight+1)
	case 3:
		x.Interaction.SettledAt += g.Rnd.Uint64()
	case 4:
		x.Target = g.interaction()
	}
	d.Data = x.Encode()
	return d
}
