package record

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

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
	tags    []uint64
	hashes  []trie.Hash
	hasher  *trie.Hasher
}

var prehashings = sync.Pool{New: func() any { return &prehashing{hasher: trie.NewHasher()} }}

// Prehash computes the digests of identifiers of at most 64 bytes ahead of their use.
func Prehash(ids [][]byte) {
	p := prehashings.Get().(*prehashing)
	defer prehashings.Put(p)
	p.missing, p.tags = p.missing[:0], p.tags[:0]
	for _, id := range ids {
		if len(id) > longestID {
			continue
		}
		if tag := maphash.Bytes(digestSeed, id); find(id, tag) == nil {
			p.missing, p.tags = append(p.missing, id), append(p.tags, tag)
		}
	}
	if len(p.hashes) < len(p.missing) {
		p.hashes = make([]trie.Hash, len(p.missing))
	}
	p.hasher.HashMany(p.missing, p.hashes)
	fresh := make([]digest, len(p.missing))
	for i, id := range p.missing {
		d := &fresh[i]
		d.length, d.hash = uint8(len(id)), p.hashes[i]
		copy(d.id[:], id)
		m := &remembered[p.tags[i]%digests]
		m.digest.Store(d)
		m.tag.Store(p.tags[i])
	}
	clear(p.missing) // what they point into is not ours to keep
}
