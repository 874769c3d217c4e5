package block

import (
	"encoding/binary"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// blooms makes receipts' blooms. What every log of an operation shares, the address and the event, is hashed once and for all; the
// rest is hashed for many receipts together.
type blooms struct {
	inputs  [][]byte
	of      []*types.Bloom // whose bits each input's digest gives
	digests []trie.Hash
}

// bloomsAtOnce is how many digests are computed together: enough to fill the processor's lanes, and still in its first cache.
const bloomsAtOnce = 64

var (
	bloomBuffers = sync.Pool{New: func() any { return new(blooms) }}
	// Digests of the AGNT2 address and of its events.
	knownAddress = trie.HashRecord(abi.Address[:])
	knownTopics  = map[common.Hash]trie.Hash{
		abi.InvokedTopic: trie.HashRecord(abi.InvokedTopic[:]), abi.RespondedTopic: trie.HashRecord(abi.RespondedTopic[:]),
		abi.TimedOutTopic: trie.HashRecord(abi.TimedOutTopic[:]),
	}
)

// setBlooms sets the blooms of receipts, which are empty still, as types.CreateBloom does at several times the cost.
func setBlooms(rs types.Receipts) {
	b := bloomBuffers.Get().(*blooms)
	for _, r := range rs {
		for _, l := range r.Logs {
			b.add(&r.Bloom, l)
		}
		if len(b.inputs) >= bloomsAtOnce {
			b.flush()
		}
	}
	b.flush()
	bloomBuffers.Put(b)
}

func (b *blooms) add(bloom *types.Bloom, l *types.Log) {
	if l.Address == abi.Address {
		setBloom(bloom, &knownAddress)
	} else {
		b.inputs, b.of = append(b.inputs, l.Address[:]), append(b.of, bloom)
	}
	for i := range l.Topics {
		if d, ok := knownTopics[l.Topics[i]]; ok && i == 0 {
			setBloom(bloom, &d)
		} else {
			b.inputs, b.of = append(b.inputs, l.Topics[i][:]), append(b.of, bloom)
		}
	}
}

func (b *blooms) flush() {
	if n := len(b.inputs); n > len(b.digests) {
		b.digests = make([]trie.Hash, n)
	}
	trie.HashMany(b.inputs, b.digests)
	for i, bloom := range b.of {
		setBloom(bloom, &b.digests[i])
	}
	clear(b.inputs) // the pool must not hold on to logs
	clear(b.of)
	b.inputs, b.of = b.inputs[:0], b.of[:0]
}

// setBloom sets the three bits of a digest (Ethereum Yellow Paper, §4.3.1).
func setBloom(bloom *types.Bloom, digest *trie.Hash) {
	for i := 0; i < 6; i += 2 {
		bit := binary.BigEndian.Uint16(digest[i:]) & 0x7ff
		bloom[types.BloomByteLength-1-bit>>3] |= 1 << (bit & 7)
	}
}
