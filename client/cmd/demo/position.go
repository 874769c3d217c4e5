package main

import "math/big"

// position is a claim's place in a dispute game, as OP's generalized index: 1 is the root, 2p and 2p+1 are below p.
type position struct{ *big.Int }

func (p position) depth() uint { return uint(p.BitLen() - 1) }

// move is where an answer to a claim goes: an attack disagrees with the claim, a defence agrees and disagrees further right.
func (p position) move(attack bool) position {
	n := new(big.Int).Set(p.Int)
	if !attack {
		n.SetBit(n, 0, 1)
	}
	return position{n.Lsh(n, 1)}
}

// lastLeaf is the rightmost place at a greater depth that a claim commits to, counted from the left.
func (p position) lastLeaf(depth uint) *big.Int {
	n := new(big.Int).Add(p.Int, big.NewInt(1))
	n.Lsh(n, depth-p.depth())
	n.Sub(n, big.NewInt(1))
	return n.SetBit(n, int(depth), 0)
}

// field is the shape of a game: outputs of blocks down to split, micro-steps of one block below.
type field struct {
	split, max     uint
	first, claimed uint64 // L2 blocks of the starting root and of the root claim
}

// block is the L2 block that a claim of the upper half is about.
func (f field) block(p position) uint64 {
	n := p.lastLeaf(f.split)
	n.Add(n, new(big.Int).SetUint64(f.first+1))
	if !n.IsUint64() || n.Uint64() > f.claimed {
		return f.claimed
	}
	return n.Uint64()
}

// step is the micro-step that a claim of the lower half is about.
func (f field) step(p position) *big.Int {
	n := p.lastLeaf(f.max)
	below := new(big.Int).Lsh(big.NewInt(1), f.max-f.split-1)
	return n.Mod(n, below)
}
