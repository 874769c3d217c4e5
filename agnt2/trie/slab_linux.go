package trie

import (
	"syscall"
	"unsafe"
)

// adviseHuge asks for large pages behind a slab: nodes are visited at random, and with small ones nearly every visit
// would also miss the address translation cache. A refusal costs only speed.
func adviseHuge(p unsafe.Pointer, size uintptr) {
	const page = 4096
	lo, hi := (uintptr(p)+page-1)&^(page-1), (uintptr(p)+size)&^(page-1)
	if lo < hi {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, lo, hi-lo, syscall.MADV_HUGEPAGE)
	}
}
