// Command gen writes KeccakSponge.sol: the rounds of keccak-f[1600] unrolled, with every memory address and shift a literal,
// because on L1 the permutation is what reading a large receipt costs.
//
// How the permutation is laid out. A lane is held as a 256-bit word that repeats its 64 bits four times. A rotation is then
// one shift: shl(r) makes the lowest r bits wrong, shr(64-r) the highest 64-r, and the bits between stay a correct repetition
// of the rotated lane. Three rounds leave exactly bits 64 to 130 correct (window, below, proves it), so after every third
// round bits 64 to 127 are cut out and repeated again. Masks and the second shift of a rotation are saved.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
)

// offsets are the rotations of FIPS 202's step rho, by x + 5y, in bits.
var offsets = [25]int{
	0, 1, 62, 28, 27,
	36, 44, 6, 55, 20,
	3, 10, 43, 25, 39,
	41, 45, 15, 21, 8,
	18, 2, 61, 56, 14,
}

// iota are the round constants of FIPS 202's step iota.
var iotas = [24]uint64{
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
	0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
	0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
	0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
}

// leftUpTo is, for each of three consecutive rounds, the largest rotation that is made to the left. The others are made to
// the right. The three bounds are chosen so that an aligned 64-bit lane survives.
var leftUpTo = [3]int{20, 21, 20}

// window returns the bits [low, high) that are correct after three rounds.
func window() (low, high int) {
	low, high = 0, 256
	for _, bound := range leftUpTo {
		left, right := 0, 0
		for _, r := range offsets {
			if r <= bound {
				left = max(left, r)
			} else {
				right = max(right, 64-r)
			}
		}
		low += 1 + left // theta rotates by 1 to the left
		high -= right
	}
	return low, high
}

// complemented are the lanes, by x + 5y, that are held complemented between rounds. chi is then step chi of the row y with
// an OR where De Morgan turns an AND with a complement into one: 8 complements a round remain of 25 (Keccak implementation
// overview, "lane complementing").
var (
	complemented = map[int]bool{1: true, 2: true, 8: true, 12: true, 17: true, 20: true}

	chi = [5][5]string{
		{"xor(b0, or(b1, b2))", "xor(b1, or(not(b2), b3))", "xor(b2, and(b3, b4))", "xor(b3, or(b4, b0))", "xor(b4, and(b0, b1))"},
		{"xor(b0, or(b1, b2))", "xor(b1, and(b2, b3))", "xor(b2, or(b3, not(b4)))", "xor(b3, or(b4, b0))", "xor(b4, and(b0, b1))"},
		{"xor(b0, or(b1, b2))", "xor(b1, and(b2, b3))", "xor(b2, and(not(b3), b4))", "xor(not(b3), or(b4, b0))", "xor(b4, and(b0, b1))"},
		{"xor(b0, and(b1, b2))", "xor(b1, or(b2, b3))", "xor(b2, or(not(b3), b4))", "xor(not(b3), and(b4, b0))", "xor(b4, or(b0, b1))"},
		{"xor(b0, and(not(b1), b2))", "xor(not(b1), or(b2, b3))", "xor(b2, and(b3, b4))", "xor(b3, or(b4, b0))", "xor(b4, and(b0, b1))"},
	}
)

// hold is a lane's word as it is between rounds, for the lane's plain word, and the other way round.
func hold(i int, word string) string {
	if complemented[i] {
		return "not(" + word + ")"
	}
	return word
}

// Memory: three buffers of 25 words, then the round constants.
const (
	buffer  = 25 * 32
	table   = 3 * buffer
	scratch = table + 24*32
	state   = 7 * 32 // bytes of the state as callers hold it
)

func lane(buf, x, y int) string { return fmt.Sprintf("0x%03x", buf*buffer+32*(x%5+5*(y%5))) }

func repeat(v uint64) string { return fmt.Sprintf("0x%016x%016x%016x%016x", v, v, v, v) }

const mask = "0xffffffffffffffff"

var ones = "0x1000000000000000100000000000000010000000000000001"

type writer struct {
	bytes.Buffer
	indent int
}

func (w *writer) line(format string, args ...any) {
	if format != "" {
		for range w.indent {
			w.WriteString("    ")
		}
	}
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

func (w *writer) open(format string, args ...any) { w.line(format, args...); w.indent++ }
func (w *writer) close()                          { w.indent--; w.line("}") }

// round emits one round from buffer src to buffer dst.
func (w *writer) round(k int) {
	src, dst := k, (k+1)%3
	w.open("{")
	for x := range 5 {
		w.line("let c%d := xor(xor(xor(xor(mload(%s), mload(%s)), mload(%s)), mload(%s)), mload(%s))",
			x, lane(src, x, 0), lane(src, x, 1), lane(src, x, 2), lane(src, x, 3), lane(src, x, 4))
	}
	for x := range 5 {
		w.line("let d%d := xor(c%d, shl(1, c%d))", x, (x+4)%5, (x+1)%5)
	}
	for y := range 5 {
		w.open("{")
		for x := range 5 {
			// pi: column x of the new row y comes from here.
			fromX, fromY := (x+3*y)%5, x
			v := fmt.Sprintf("xor(mload(%s), d%d)", lane(src, fromX, fromY), fromX)
			switch r := offsets[fromX+5*fromY]; {
			case r == 0:
			case r <= leftUpTo[k]:
				v = fmt.Sprintf("shl(%d, %s)", r, v)
			default:
				v = fmt.Sprintf("shr(%d, %s)", 64-r, v)
			}
			w.line("let b%d := %s", x, v)
		}
		for x, v := range chi[y] {
			if k == 2 {
				v = fmt.Sprintf("mul(and(shr(64, %s), %s), %s)", v, mask, ones)
			}
			w.line("mstore(%s, %s)", lane(dst, x, y), v)
		}
		w.close()
	}
	w.close()
	w.line("mstore(%s, xor(mload(%s), mload(%s)))", lane(dst, 0, 0), lane(dst, 0, 0), map[int]string{0: "rc", 1: "add(rc, 0x20)", 2: "add(rc, 0x40)"}[k])
}

func main() {
	out := flag.String("out", "KeccakSponge.sol", "file to write")
	flag.Parse()
	if err := os.WriteFile(*out, source(), 0o644); err != nil {
		log.Fatal(err)
	}
}

// source returns the contract's text; forge fmt breaks its lines.
func source() []byte {
	if low, high := window(); low > 64 || high < 128 {
		panic(fmt.Sprintf("correct bits [%d,%d) do not hold a lane", low, high))
	}
	w := new(writer)
	w.WriteString(`// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

// Generated by agnt2/machine/sponge/gen. Do not edit: run ` + "`go generate ./agnt2/machine/sponge`" + `.

/// @title KeccakSponge
/// @notice keccak256 that can be suspended between two blocks of 136 bytes. The state is the 200 bytes of keccak-f[1600] in the
///         byte order of FIPS 202, in seven words of which the last has 24 unused bytes, zero. All zero is the state that has
///         absorbed nothing. Mirrors sponge.State.
/// @dev A lane is held as a word that repeats its 64 bits four times, so that a rotation is one shift; the generator explains
///      how long the repetition lasts. Lanes live at fixed addresses in low memory, whose content is moved away and back.
library KeccakSponge {
    /// @notice The input is not a whole number of blocks.
    error PartialBlock();

    uint256 internal constant BLOCK_BYTES = 136;

    /// @notice Absorbs whole blocks.
    /// @param s State, changed in place.
    /// @param data A multiple of 136 bytes.
    function absorb(bytes32[7] memory s, bytes calldata data) internal pure {
        if (data.length % BLOCK_BYTES != 0) revert PartialBlock();
        uint256 start = _above();
        assembly {
            calldatacopy(start, data.offset, data.length)
        }
        _absorb(s, start, start + data.length);
    }

    /// @notice keccak256 of all that was absorbed followed by rest, which may have any length.
    /// @param s State; it is used up.
    /// @param rest The end of the string, in bytes.
    function sum(bytes32[7] memory s, bytes calldata rest) internal pure returns (bytes32) {
        uint256 start = _above();
        uint256 end = start + (rest.length / BLOCK_BYTES + 1) * BLOCK_BYTES;
        assembly {
            // Memory above the free pointer may be dirty.
            calldatacopy(sub(end, 136), calldatasize(), 136)
            calldatacopy(start, rest.offset, rest.length)
            mstore8(add(start, rest.length), 0x01)
            mstore8(sub(end, 1), or(byte(31, mload(sub(end, 32))), 0x80))
        }
        _absorb(s, start, end);
        return s[0];
    }

    /// @dev Free memory that the permutation's fixed addresses do not reach.
    function _above() private pure returns (uint256 start) {
        assembly ("memory-safe") {
            start := mload(0x40)
        }
`)
	w.indent = 2
	w.line("return start < 0x%x ? 0x%x : start;", scratch+state, scratch+state)
	w.indent = 1
	w.line("}")
	w.line("")
	w.line("/// @dev Absorbs the blocks at [p, end) in memory. They lie above the fixed addresses; what follows end may be overwritten.")
	w.open("function _absorb(bytes32[7] memory s, uint256 p, uint256 end) private pure {")
	w.open("assembly {")
	w.line("// Reverses the bytes of each of the four lanes in a word.")
	w.open("function swap(w) -> v {")
	for i, m := range []uint64{0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff} {
		from := "v"
		if i == 0 {
			from = "w"
		}
		w.line("v := or(shl(%d, and(%s, %s)), and(shr(%d, %s), %s))", 8<<i, from, repeat(m), 8<<i, from, repeat(m))
	}
	w.close()
	w.line("")
	w.line("// Low memory goes to the end of the input. A state that lies in it is used there.")
	w.line("mcopy(end, 0, 0x%x)", scratch+state)
	w.line("if lt(s, 0x%x) { s := add(end, s) }", scratch)
	w.line("")
	for i, c := range iotas {
		w.line("mstore(0x%03x, %s)", table+32*i, repeat(c))
	}
	take := func(i int, value string) string {
		shift := 192 - 64*(i%4)
		v := fmt.Sprintf("shr(%d, %s)", shift, value)
		if shift == 0 {
			v = value
		}
		if shift != 192 {
			v = fmt.Sprintf("and(%s, %s)", v, mask)
		}
		return fmt.Sprintf("mul(%s, %s)", v, ones)
	}
	for word := range 7 {
		w.open("{")
		w.line("let w := swap(mload(add(s, 0x%02x)))", 32*word)
		for i := 4 * word; i < min(4*word+4, 25); i++ {
			w.line("mstore(%s, %s)", lane(0, i%5, i/5), hold(i, take(i, "w")))
		}
		w.close()
	}
	w.line("")
	w.open("for { } lt(p, end) { p := add(p, 136) } {")
	for word := range 5 {
		w.open("{")
		w.line("let w := swap(mload(add(p, 0x%02x)))", 32*word)
		for i := 4 * word; i < min(4*word+4, 17); i++ {
			w.line("mstore(%s, xor(mload(%s), %s))", lane(0, i%5, i/5), lane(0, i%5, i/5), take(i, "w"))
		}
		w.close()
	}
	w.open("for { let rc := 0x%03x } lt(rc, 0x%03x) { rc := add(rc, 0x60) } {", table, scratch)
	for k := range 3 {
		w.round(k)
	}
	w.close()
	w.close()
	w.line("")
	for word := range 7 {
		v := ""
		for i := 4 * word; i < min(4*word+4, 25); i++ {
			plain := hold(i, fmt.Sprintf("mload(%s)", lane(0, i%5, i/5)))
			switch i % 4 {
			case 0:
				v = fmt.Sprintf("shl(192, %s)", plain)
			case 3:
				v = fmt.Sprintf("or(%s, and(%s, %s))", v, plain, mask)
			default:
				v = fmt.Sprintf("or(%s, shl(%d, and(%s, %s)))", v, 192-64*(i%4), plain, mask)
			}
		}
		w.line("mstore(add(s, 0x%02x), swap(%s))", 32*word, v)
	}
	w.line("mcopy(0, end, 0x%x)", scratch+state)
	w.close()
	w.close()
	w.close()
	return w.Bytes()
}
