package origin

import (
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/machine/sponge"
)

// UploadChunks is the default number of chunks in one call to OriginLeaves: 15 KB, below 5 million gas.
const UploadChunks = 14

// Progress is how far an upload has come, struct OriginLeaves.Progress.
type Progress struct {
	Sponge   [7][32]byte
	Frontier [sponge.FrontierLevels][32]byte
	Length   uint64 // bytes absorbed
}

// Call is one call to OriginLeaves.absorb.
type Call struct {
	Progress Progress // after the previous call
	Data     []byte
	Last     bool
}

// Upload returns the calls that store a leaf in OriginLeaves, in order, each with up to chunks chunks of data, and what the
// contract then knows of it.
func Upload(leaf []byte, chunks int) (calls []Call, root common.Hash, err error) {
	if chunks < 1 || len(leaf) == 0 {
		return nil, common.Hash{}, fmt.Errorf("%w: %d bytes in calls of %d chunks", sponge.ErrRangeOutsideString, len(leaf), chunks)
	}
	var s sponge.State
	var t sponge.Tree
	for {
		n := min(len(leaf), chunks*sponge.ChunkBytes)
		c := Call{Data: leaf[:n], Last: n == len(leaf)}
		for i := range c.Progress.Sponge {
			copy(c.Progress.Sponge[i][:], s[32*i:])
		}
		for i, h := range t.Frontier {
			c.Progress.Frontier[i] = h
		}
		c.Progress.Length = t.Length
		calls = append(calls, c)
		for at := 0; at < n; at += sponge.ChunkBytes {
			if err := t.Append(leaf[at:min(at+sponge.ChunkBytes, n)]); err != nil {
				return nil, common.Hash{}, err
			}
		}
		if c.Last {
			return calls, t.Root(), nil
		}
		if err := s.Absorb(c.Data); err != nil {
			return nil, common.Hash{}, err
		}
		leaf = leaf[n:]
	}
}
