package trie

import "unsafe"

// From slabFrom chunks on, a trie grows by half at a time, by slabMost chunks at the most.
const (
	slabFrom = 64
	slabMost = 512
)

// more appends an empty chunk to a table. Chunks of a large trie come in slabs cut from one allocation, large enough for
// large pages, and kept in spare until used; forks, which are small and short-lived, allocate chunk by chunk.
func more[T any](table []*[chunkSize]T, spare *[][chunkSize]T, single bool) []*[chunkSize]T {
	if single || len(table) < slabFrom {
		return append(table, new([chunkSize]T))
	}
	if len(*spare) == 0 {
		*spare = make([][chunkSize]T, min(len(table)/2, slabMost))
		adviseHuge(unsafe.Pointer(unsafe.SliceData(*spare)), uintptr(len(*spare))*unsafe.Sizeof((*spare)[0]))
	}
	chunk := &(*spare)[0]
	*spare = (*spare)[1:]
	return append(table, chunk)
}
