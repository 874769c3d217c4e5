package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// diff is the reverse diff of one block as it lies on disk: the changed keys in ascending order, each with where its old
// bytes are, then the bytes.
//
//	count u32 ‖ count × (key 32 ‖ end u32 ‖ present u8) ‖ bytes
type diff struct{ raw []byte }

const (
	diffHeader = 4
	diffEntry  = 32 + 4 + 1
)

func diffSize(cs []vm.Change) int {
	size := diffHeader + diffEntry*len(cs)
	for i := range cs {
		size += len(cs[i].Old)
	}
	return size
}

// appendDiff appends diffSize bytes.
func appendDiff(dst []byte, cs []vm.Change) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(cs)))
	end := 0
	for i := range cs {
		end += len(cs[i].Old)
		dst = append(dst, cs[i].Key[:]...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(end))
		present := byte(0)
		if cs[i].Old != nil {
			present = 1
		}
		dst = append(dst, present)
	}
	for i := range cs {
		dst = append(dst, cs[i].Old...)
	}
	return dst
}

func decodeDiff(raw []byte) (diff, error) {
	d := diff{raw}
	if len(raw) < diffHeader || len(raw) < diffHeader+diffEntry*d.len() || len(raw) != d.bytesAt()+d.end(d.len()-1) {
		return diff{}, fmt.Errorf("%w: reverse diff of %d bytes", ErrCorrupt, len(raw))
	}
	return d, nil
}

func (d diff) len() int     { return int(binary.BigEndian.Uint32(d.raw)) }
func (d diff) bytesAt() int { return diffHeader + diffEntry*d.len() }
func (d diff) entry(i int) []byte {
	return d.raw[diffHeader+diffEntry*i : diffHeader+diffEntry*(i+1)]
}

func (d diff) end(i int) int {
	if i < 0 {
		return 0
	}
	return int(binary.BigEndian.Uint32(d.entry(i)[32:]))
}

func (d diff) at(i int) (record.Key, []byte) {
	e := d.entry(i)
	if e[36] == 0 {
		return record.Key(e[:32]), nil
	}
	return record.Key(e[:32]), d.raw[d.bytesAt()+d.end(i-1) : d.bytesAt()+d.end(i)]
}

func (d diff) find(k record.Key) ([]byte, bool) {
	i := sort.Search(d.len(), func(i int) bool { return bytes.Compare(d.entry(i)[:32], k[:]) >= 0 })
	if i == d.len() {
		return nil, false
	}
	found, v := d.at(i)
	return v, found == k
}
