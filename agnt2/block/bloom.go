package block

import (
	"encoding/binary"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/trie"
)

// bloomBits are the digests that a log's bloom bits come from. What every log of an operation shares, the address and the
// event, is hashed once and for all; the rest of a transaction's logs is hashed together.
type bloomBits struct {
	inputs  [][]byte
	digests []trie.Hash
}

var (
	bloomBuffers = sync.Pool{New: func() any { return new(bloomBits) }}
	// knownBlooms of the AGNT2 address and of its events.
	knownAddress = trie.HashRecord(abi.Address[:])
	knownTopics  = map[common.Hash]trie.Hash{
		abi.InvokedTopic: trie.HashRecord(abi.InvokedTopic[:]), abi.RespondedTopic: trie.HashRecord(abi.RespondedTopic[:]),
		abi.TimedOutTopic: trie.HashRecord(abi.TimedOutTopic[:]),
	}
)

// bloomOf is types.CreateBloom of a receipt with these logs, at a fraction of its cost.
func bloomOf(logs []*types.Log) (bloom types.Bloom) {
	if len(logs) == 0 {
		return bloom
	}
	b := bloomBuffers.Get().(*bloomBits)
	b.inputs = b.inputs[:0]
	for _, l := range logs {
		if l.Address == abi.Address {
			setBloom(&bloom, &knownAddress)
		} else {
			b.inputs = append(b.inputs, l.Address[:])
		}
		for i := range l.Topics {
			if d, ok := knownTopics[l.Topics[i]]; ok && i == 0 {
				setBloom(&bloom, &d)
			} else {
				b.inputs = append(b.inputs, l.Topics[i][:])
			}
		}
	}
	if n := len(b.inputs); n > len(b.digests) {
		b.digests = make([]trie.Hash, n)
	}
	trie.HashMany(b.inputs, b.digests)
	for i := range b.inputs {
		setBloom(&bloom, &b.digests[i])
	}
	clear(b.inputs) // the pool must not hold on to logs
	bloomBuffers.Put(b)
	return bloom
}

// setBloom sets the three bits of a digest (Ethereum Yellow Paper, §4.3.1).
func setBloom(bloom *types.Bloom, digest *trie.Hash) {
	for i := 0; i < 6; i += 2 {
		bit := binary.BigEndian.Uint16(digest[i:]) & 0x7ff
		bloom[types.BloomByteLength-1-bit>>3] |= 1 << (bit & 7)
	}
}
