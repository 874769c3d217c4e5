//go:build !linux

package trie

import "unsafe"

func adviseHuge(unsafe.Pointer, uintptr) {}
