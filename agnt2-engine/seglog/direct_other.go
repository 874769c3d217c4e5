//go:build !linux

package seglog

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var errNotDirect = errors.New("no direct writes here")

type direct struct{}

func openDirect(vfs.File) *direct { return nil }

func (*direct) writeAt([]byte, int64) error { return errNotDirect }

func (*direct) close() {}
