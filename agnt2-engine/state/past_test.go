package state_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/stretchr/testify/require"

	"github.com/agnt2/agnt2/agnt2-engine/state"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// checkPast compares what a Past says with the model, whatever the chain has done since it was opened.
func (h *harness) checkPast(p *state.Past, b *modelBlock) {
	t := h.t
	var want, got []record.Key
	for _, k := range h.keys {
		require.Equal(t, b.state[k], p.Get(k), "block %d, %v", b.number, k)
		if k[0] == byte(record.NSDeadline) && b.state[k] != nil {
			want = append(want, k)
		}
	}
	slices.SortFunc(want, func(a, b record.Key) int { return bytes.Compare(a[:], b[:]) })
	var after *record.Key
	for {
		k, ok := p.DeadlineAfter(after)
		if !ok {
			break
		}
		got = append(got, k)
		after = &k
	}
	require.Equal(t, want, got)
}

// TestPast: at random moments of random histories, any canonical block can be read as a whole; and what was opened then
// says the same later, or that the chain has left it, but never anything else.
func TestPast(t *testing.T) {
	type open struct {
		past *state.Past
		b    *modelBlock
		head common.Hash
	}
	for _, seed := range []uint64{3} {
		h := newHarness(t, seed)
		var kept []open
		proven, moved := 0, 0
		for range 140 {
			switch r := h.rnd.IntN(20); {
			case r < 12:
				h.build()
			case r < 17:
				h.adopt()
			case r < 18:
				h.prune()
			}
			for _, b := range append(h.some(2), h.m.head()) {
				p, err := h.store.Past(b.hash)
				want := h.m.known(b.hash)
				if want == nil && h.m.layers[b.hash] {
					want = state.ErrUnknownBlock // not canonical yet
				}
				if want != nil {
					require.ErrorIs(t, err, want)
					continue
				}
				require.NoError(t, err)
				h.checkPast(p, b)
				kept = append(kept, open{p, b, h.m.head().hash})
			}
			for n := 0; n < len(kept); n++ {
				o := kept[n]
				if h.rnd.IntN(4) > 0 {
					continue
				}
				h.checkPast(o.past, o.b)
				err := o.past.Trie(o.b.root, func(tr *trie.Trie) {
					proven++
					require.Equal(t, o.b.root, common.Hash(tr.Root()))
					for _, k := range h.keys[:5] {
						_, ok := tr.Get(trie.Key(k))
						require.Equal(t, o.b.state[k] != nil, ok)
					}
				})
				switch opened := h.m.blocks[o.head].number; {
				case h.m.CanonicalHash(opened) != o.head:
					require.ErrorIs(t, err, state.ErrUnknownBlock)
					moved++
				case h.m.tail > opened: // what came next is pruned
					require.ErrorIs(t, err, state.ErrPruned)
				default:
					require.NoError(t, err)
					require.ErrorIs(t, o.past.Trie(common.Hash{1}, func(*trie.Trie) { t.Fatal("wrong root") }), state.ErrCorrupt)
				}
				require.NoError(t, o.past.Close())
				kept = slices.Delete(kept, n, n+1)
				n--
			}
			h.check(1) // and the store stands where it stood
		}
		require.Greater(t, proven, 50)
		require.Positive(t, moved)
		for _, o := range kept {
			require.NoError(t, o.past.Close())
		}
		require.NoError(t, h.db.Close())
	}
}
