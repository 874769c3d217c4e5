package deployer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

// ErrState says that the state file belongs to another deployment or does not fit the chain.
var ErrState = errors.New("deployment state")

const stateVersion = 1

// state is the content of the state file. It is written before each transaction is sent.
type state struct {
	Version    int                   `json:"version"`
	L1ChainID  uint64                `json:"l1ChainId"`
	Deployer   common.Address        `json:"deployer"`
	FirstNonce uint64                `json:"firstNonce"`
	Intent     common.Hash           `json:"intent"` // keccak256 of the intent's JSON
	Steps      map[string]*stepState `json:"steps"`
	Start      *startBlock           `json:"start,omitempty"`

	path string
}

// stepState is what is known about one step. More than one hash means that the transaction was replaced by one with higher
// fees; at most one of them can be mined.
type stepState struct {
	Nonce   uint64          `json:"nonce"`
	Payload common.Hash     `json:"payload"` // keccak256(to ‖ value ‖ data): a changed plan is noticed
	Hashes  []common.Hash   `json:"hashes"`
	Raw     hexutil.Bytes   `json:"raw"` // the last signed transaction, to broadcast again
	Address *common.Address `json:"address,omitempty"`
	Block   *hexutil.Uint64 `json:"block,omitempty"` // set once mined successfully
	GasUsed uint64          `json:"gasUsed,omitempty"`
}

func (s *stepState) done() bool { return s != nil && s.Block != nil }

// startBlock is the L1 block that the L2 genesis is anchored on.
type startBlock struct {
	Hash   common.Hash    `json:"hash"`
	Number hexutil.Uint64 `json:"number"`
	Time   hexutil.Uint64 `json:"time"`
}

// loadState returns nil if there is no state file.
func loadState(path string) (*state, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	s := &state{path: path}
	if err := json.Unmarshal(raw, s); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrState, path, err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("%w: %s has version %d, this program writes %d", ErrState, path, s.Version, stateVersion)
	}
	if s.Steps == nil {
		s.Steps = map[string]*stepState{}
	}
	return s, nil
}

func (s *state) save() error { return writeJSON(s.path, s) }

// writeJSON replaces the file at once, so that a crash leaves either the old or the new content.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(raw, '\n'))
}

func writeFile(path string, raw []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err = f.Chmod(0o644); err == nil {
		_, err = f.Write(raw)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
