package record

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Seed is a secret for hash tables over keys, so that whoever chooses identifiers cannot choose slots. It is for tables in
// memory only: no result may depend on it.
type Seed [4]uint64

// NewSeed returns a fresh one.
func NewSeed() (s Seed) {
	for i := range s {
		s[i] = rand.Uint64()
	}
	return s
}

// Hash maps a key to 64 bits, of which any are good.
func (s *Seed) Hash(k *Key) uint64 {
	le := binary.LittleEndian
	h0, l0 := bits.Mul64(le.Uint64(k[0:])^s[0], le.Uint64(k[8:])^s[1])
	h1, l1 := bits.Mul64(le.Uint64(k[16:])^s[2], le.Uint64(k[24:])^s[3])
	h, l := bits.Mul64(h0^l0^s[2], h1^l1^s[0])
	return h ^ l
}
