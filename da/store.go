package da

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

var (
	// ErrNotFound: nothing is stored under that hash.
	ErrNotFound = errors.New("not stored here")
	// ErrCorrupt: what is stored under a hash does not hash to it.
	ErrCorrupt = errors.New("stored data does not match its hash")
)

// Backend keeps the data of batches. Pointer is what a commitment carries for it.
type Backend interface {
	// ID is the backend's number in commitments.
	ID() uint8
	// Put stores data durably before it returns. Storing the same data again gives the same pointer.
	Put(ctx context.Context, data []byte) (pointer common.Hash, err error)
	// Get returns the data of a pointer, checked against the keccak256 hash: ErrNotFound, ErrCorrupt.
	Get(ctx context.Context, pointer, hash common.Hash) ([]byte, error)
}

// FileStore keeps blobs as files named by their keccak256, in 256 folders. It is the local backend, and the payload store.
type FileStore struct{ dir string }

var _ Backend = (*FileStore)(nil)

// LocalBackend is the number of FileStore in commitments; its pointer is the hash itself.
const LocalBackend = 0

// NewFileStore uses dir, which it makes.
func NewFileStore(dir string) (*FileStore, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &FileStore{dir}, nil
}

func (s *FileStore) ID() uint8 { return LocalBackend }

func (s *FileStore) path(h common.Hash) string {
	name := h.Hex()[2:]
	return filepath.Join(s.dir, name[:2], name)
}

func (s *FileStore) Put(_ context.Context, data []byte) (common.Hash, error) {
	h := crypto.Keccak256Hash(data)
	p := s.path(h)
	if old, err := os.ReadFile(p); err == nil && crypto.Keccak256Hash(old) == h {
		now := time.Now()
		return h, os.Chtimes(p, now, now) // wanted again: its retention starts anew
	}
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		return h, err
	}
	return h, writeDurably(p, data)
}

func (s *FileStore) Get(_ context.Context, _, hash common.Hash) ([]byte, error) { return s.read(hash) }

func (s *FileStore) read(h common.Hash) ([]byte, error) {
	data, err := os.ReadFile(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", h, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	if crypto.Keccak256Hash(data) != h {
		return nil, fmt.Errorf("%s: %w", h, ErrCorrupt)
	}
	return data, nil
}

// size returns the length of a blob without reading it.
func (s *FileStore) size(h common.Hash) (int64, error) {
	st, err := os.Stat(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s: %w", h, ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// writeDurably replaces a file so that after a crash it has either the old or the new content, and after a return the new.
func writeDurably(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".tmp-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once renamed
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// prune removes files below dir that were last wanted before a time, and returns how many.
func prune(dir string, before time.Time) (n int, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return nil // removed meanwhile
		}
		if st.ModTime().Before(before) && os.Remove(path) == nil {
			n++
		}
		return nil
	})
	return n, err
}
