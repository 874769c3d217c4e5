package record

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/trie"
)

// A key's hash costs more than most of what is done with the record. Whoever knows which identifiers come next computes
// their hashes ahead, several at a time (Prehash); what follows then finds them here. Which hashes are remembered decides
// nothing but speed.

const (
	// longestID is the length of the longest identifier that is hashed: a padded address and a salt.
	longestID = 64
	digests   = 1 << 13
)

type digest struct {
	length uint8
	id     [longestID]byte
	hash   trie.Hash
}

// memory is a place for one digest. The tag stands beside the pointer, so that a digest of something else need not be fetched
// to see that; if the two do not belong together, the identifier tells.
type memory struct {
	tag    atomic.Uint64
	digest atomic.Pointer[digest]
}

var (
	remembered [digests]memory
	digestSeed = maphash.MakeSeed()
)

// find returns the digest of an identifier with this tag, nil if it is not remembered.
func find(id []byte, tag uint64) *digest {
	m := &remembered[tag%digests]
	if m.tag.Load() != tag {
		return nil
	}
	if d := m.digest.Load(); d != nil && string(d.id[:d.length]) == string(id) {
		return d
	}
	return nil
}

// Keccak256 is the digest of an identifier.
func Keccak256(id []byte) [32]byte {
	if d := find(id, maphash.Bytes(digestSeed, id)); d != nil {
		return d.hash
	}
	return trie.HashRecord(id)
}

// prehashing is what Prehash needs beside what it leaves behind.
type prehashing struct {
	missing [][]byte
	at      []int // of each, in ids
	tags    []uint64
	hashes  []trie.Hash
	hasher  *trie.Hasher
}

var prehashings = sync.Pool{New: func() any { return &prehashing{hasher: trie.NewHasher()} }}

// Prehash computes the digests of identifiers ahead of their use: out[i] is that of ids[i], and Keccak256 finds those of at most 64
// bytes for a while. The slices are equally long.
func Prehash(ids [][]byte, out []common.Hash) {
	p := prehashings.Get().(*prehashing)
	defer prehashings.Put(p)
	p.missing, p.at, p.tags = p.missing[:0], p.at[:0], p.tags[:0]
	for i, id := range ids {
		tag := maphash.Bytes(digestSeed, id)
		if d := find(id, tag); d != nil {
			out[i] = d.hash
		} else {
			p.missing, p.at, p.tags = append(p.missing, id), append(p.at, i), append(p.tags, tag)
		}
	}
	p.hashes = slices.Grow(p.hashes[:0], len(p.missing))[:len(p.missing)]
	p.hasher.HashMany(p.missing, p.hashes)
	fresh := make([]digest, len(p.missing))
	for k, id := range p.missing {
		out[p.at[k]] = p.hashes[k]
		if len(id) > longestID {
			continue
		}
		d := &fresh[k]
		d.length, d.hash = uint8(len(id)), p.hashes[k]
		copy(d.id[:], id)
		m := &remembered[p.tags[k]%digests]
		m.digest.Store(d)
		m.tag.Store(p.tags[k])
	}
	clear(p.missing) // what they point into is not ours to keep
}
