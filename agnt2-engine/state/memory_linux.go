package state

import (
	"fmt"
	"syscall"
	"unsafe"
)

// mapping is memory outside of Go's heap.
type mapping struct{ bytes []byte }

// mapMemory panics without memory, as Go's own allocator does.
func mapMemory(size int) mapping {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(fmt.Sprintf("state store: out of memory: %v", err))
	}
	// Records are visited at random: with small pages nearly every visit would also miss the address translation cache. A
	// refusal costs only speed.
	_ = syscall.Madvise(b, syscall.MADV_HUGEPAGE)
	return mapping{b}
}

func (m mapping) unmap() { _ = syscall.Munmap(m.bytes) }

// adviseHuge is the same for large tables in Go's heap.
func adviseHuge(slots []uint64) {
	const page = 4096
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(slots))), 8*len(slots))
	if skip := int(-uintptr(unsafe.Pointer(&b[0])) % page); len(b) >= 4<<20 {
		_ = syscall.Madvise(b[skip:len(b)-(len(b)-skip)%page], syscall.MADV_HUGEPAGE)
	}
}
