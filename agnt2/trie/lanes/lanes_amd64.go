//go:build !purego

package lanes

import "golang.org/x/sys/cpu"

// The operating system's support for the registers is part of these flags.
var available = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL

// Tagged8 sets *out[j] to keccak256(tag[j] ‖ *in[j]) for eight lanes; tags are below 256. All inputs are read before any output
// is written. No pointer may be nil.
//
//go:noescape
func Tagged8(tag *[Most]uint64, in *[Most]*[64]byte, out *[Most]*[32]byte)

// Tagged4 is Tagged8 for the first four lanes.
//
//go:noescape
func Tagged4(tag *[Most]uint64, in *[Most]*[64]byte, out *[Most]*[32]byte)

// Absorb8 absorbs one block in each of eight lanes and permutes.
//
//go:noescape
func Absorb8(s *State, in *[Most]*[Rate]byte)

// Absorb4 is Absorb8 for the first four lanes.
//
//go:noescape
func Absorb4(s *State, in *[Most]*[Rate]byte)
