// Package lanes absorbs into several keccak-f[1600] sponges side by side, with AVX-512: eight in 512-bit registers or four in
// 256-bit ones. Either way the 25 words of a state stay in registers through all rounds; that, the rotation and the
// three-operand logic of AVX-512 are what AVX2 does not have.
//
// The assembly is written by gen. The package knows no padding, and it must not be called where Available is false.
// Source of the permutation: FIPS 202; the tests compare with go-ethereum's keccak256.
package lanes

//go:generate go run ./gen -out lanes_amd64.s

const (
	// Most is the number of lanes of the widest form.
	Most = 8
	// Half is the number of lanes of the other one, which takes half as long on processors whose vectors are 256 bits wide inside.
	Half = 4
	// Rate is how many bytes keccak256 absorbs by one permutation.
	Rate = 136
	// Words is the size of one state in 64-bit words.
	Words = 25
)

// State holds word w of lane j at [w*Most+j], or, if it is used with four lanes, at [w*Half+j].
type State [Words * Most]uint64

// Available reports whether this processor can do it.
func Available() bool { return available }
