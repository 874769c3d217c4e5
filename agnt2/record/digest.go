package record

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/agnt2/agnt2/agnt2/trie"
)

// A key's hash costs more than most of what is done with the record. Whoever knows which identifiers come next computes
// their hashes ahead, four at a time (Prehash); what follows then finds them here. Which hashes are remembered decides
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

var (
	remembered [digests]atomic.Pointer[digest]
	digestSeed = maphash.MakeSeed()
)

func place(id []byte) *atomic.Pointer[digest] {
	return &remembered[maphash.Bytes(digestSeed, id)%digests]
}

func (d *digest) is(id []byte) bool {
	return d != nil && string(d.id[:d.length]) == string(id)
}

// Keccak256 is the digest of an identifier.
func Keccak256(id []byte) [32]byte {
	if d := place(id).Load(); d.is(id) {
		return d.hash
	}
	return trie.HashRecord(id)
}

// Prehash computes the digests of identifiers of at most 64 bytes ahead of their use.
func Prehash(ids [][]byte) {
	missing := ids[:0:0]
	for _, id := range ids {
		if len(id) <= longestID && !place(id).Load().is(id) {
			missing = append(missing, id)
		}
	}
	hashes, fresh := make([]trie.Hash, len(missing)), make([]digest, len(missing))
	trie.HashMany(missing, hashes)
	for i, id := range missing {
		d := &fresh[i]
		d.length, d.hash = uint8(len(id)), hashes[i]
		copy(d.id[:], id)
		place(id).Store(d)
	}
}
