package main

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/client/cmd/internal/process"
)

// devnetFiles is what the demo needs of a devnet's data directory.
type devnetFiles struct {
	addresses map[string]common.Address // by contract name
	portal    common.Address
	keys      map[string]*ecdsa.PrivateKey // by account name
}

// readDevnet reads addresses.json (contract name → address) and keys.json (account name → {address, privateKey}).
func readDevnet(dir string) (*devnetFiles, error) {
	var addresses map[string]common.Address
	if err := readJSON(filepath.Join(dir, "addresses.json"), &addresses); err != nil {
		return nil, err
	}
	d := &devnetFiles{addresses: addresses, portal: addresses["OptimismPortalProxy"], keys: map[string]*ecdsa.PrivateKey{}}
	if d.portal == (common.Address{}) {
		return nil, fmt.Errorf("%s names no OptimismPortalProxy", filepath.Join(dir, "addresses.json"))
	}
	var accounts map[string]struct {
		PrivateKey string `json:"privateKey"`
	}
	if err := readJSON(filepath.Join(dir, "keys.json"), &accounts); err != nil {
		return nil, err
	}
	for name, a := range accounts {
		key, err := process.ParseKey(a.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("keys.json: %s: %w", name, err)
		}
		d.keys[name] = key
	}
	return d, nil
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w (is the devnet up? run `just devnet-up`)", err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
