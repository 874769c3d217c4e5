//go:build !linux

package state

type mapping struct{ bytes []byte }

func mapMemory(size int) mapping { return mapping{make([]byte, size)} }

func (mapping) unmap() {}

func adviseHuge([]uint64) {}
