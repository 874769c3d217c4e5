//go:build !amd64 || purego

package lanes

const available = false

const unavailable = "lanes: not available"

func Tagged8(*[Most]uint64, *[Most]*[64]byte, *[Most]*[32]byte) { panic(unavailable) }
func Tagged4(*[Most]uint64, *[Most]*[64]byte, *[Most]*[32]byte) { panic(unavailable) }
func Absorb8(*State, *[Most]*[Rate]byte)                        { panic(unavailable) }
func Absorb4(*State, *[Most]*[Rate]byte)                        { panic(unavailable) }
