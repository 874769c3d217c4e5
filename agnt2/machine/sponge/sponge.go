// Package sponge reads byte strings that are too large for one L1 transaction: a keccak256 that can be suspended between
// blocks, and a Merkle tree over chunks of the string from which any range can be opened later. It mirrors KeccakSponge.sol
// and ChunkTree.sol one to one.
//
// It must never be used where crypto.Keccak256 will do: it is slower, and on L1 a thousand times dearer. The permutation
// is that of FIPS 202, the padding that of Ethereum's keccak256 (a single 1 bit, no domain suffix).
package sponge

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cloudflare/circl/simd/keccakf1600"
	"github.com/ethereum/go-ethereum/common"
)

// After generating, run forge fmt on the contract.
//
//go:generate go run ./gen -out ../../../packages/contracts-bedrock-fork/src/dispute/lib/KeccakSponge.sol

const (
	// BlockBytes is what one permutation absorbs: the rate of keccak256, in bytes.
	BlockBytes = 136
	// StateBytes is the width of the permutation, in bytes.
	StateBytes = 200

	lanes = StateBytes / 8
)

// ErrPartialBlock reports input to Absorb that is not a whole number of blocks.
var ErrPartialBlock = errors.New("sponge: not a whole number of blocks")

// State is keccak256 between two blocks: 25 lanes, little-endian, in the order of FIPS 202. Its zero value has absorbed
// nothing.
type State [StateBytes]byte

// Absorb takes whole blocks.
func (s *State) Absorb(data []byte) error {
	if len(data)%BlockBytes != 0 {
		return fmt.Errorf("%w: %d bytes", ErrPartialBlock, len(data))
	}
	s.absorb(data)
	return nil
}

// Sum returns the keccak256 of all that was absorbed followed by rest, which may have any length. The state stays as it is.
func (s State) Sum(rest []byte) common.Hash {
	whole := len(rest) / BlockBytes * BlockBytes
	var last [BlockBytes]byte
	last[copy(last[:], rest[whole:])] = 0x01
	last[BlockBytes-1] |= 0x80
	s.absorb(rest[:whole])
	s.absorb(last[:])
	return common.Hash(s[:32])
}

func (s *State) absorb(data []byte) {
	// The library permutes four states at once; three of them idle. It is the only one that takes a foreign state.
	const ways = 4
	var p keccakf1600.StateX4
	a := p.Initialize(false)
	for i := range lanes {
		a[ways*i] = binary.LittleEndian.Uint64(s[8*i:])
	}
	for ; len(data) > 0; data = data[BlockBytes:] {
		for i := range BlockBytes / 8 {
			a[ways*i] ^= binary.LittleEndian.Uint64(data[8*i:])
		}
		p.Permute()
	}
	for i := range lanes {
		binary.LittleEndian.PutUint64(s[8*i:], a[ways*i])
	}
}
