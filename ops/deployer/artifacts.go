package deployer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
)

// ErrArtifact says that a compiled contract is missing or unusable.
var ErrArtifact = errors.New("contract artifact")

// Artifacts finds compiled contracts: OP's published ones and the ones that forge built here.
type Artifacts struct {
	OPDir  string // …/@eth-optimism/contracts-bedrock/forge-artifacts
	OwnDir string // …/contracts-bedrock-fork/out

	cache map[string]*Artifact
}

// Artifact is one compiled contract.
type Artifact struct {
	Name     string
	ABI      abi.ABI
	Bytecode []byte // creation code without constructor arguments
}

// ArtifactsIn returns the artifacts of a repository checkout at root.
func ArtifactsIn(root string) *Artifacts {
	return &Artifacts{
		OPDir:  filepath.Join(root, "node_modules", "@eth-optimism", "contracts-bedrock", "forge-artifacts"),
		OwnDir: filepath.Join(root, "packages", "contracts-bedrock-fork", "out"),
	}
}

// OP loads a contract of OP's package.
func (a *Artifacts) OP(name string) (*Artifact, error) {
	return a.load(a.OPDir, name, "install the npm packages first (npm ci)")
}

// Own loads a contract of this project.
func (a *Artifacts) Own(name string) (*Artifact, error) {
	return a.load(a.OwnDir, name, "build the contracts first (just contracts)")
}

func (a *Artifacts) load(dir, name, remedy string) (*Artifact, error) {
	path := filepath.Join(dir, name+".sol", name+".json")
	if c := a.cache[path]; c != nil {
		return c, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s not found at %s: %s", ErrArtifact, name, path, remedy)
	} else if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrArtifact, name, err)
	}
	var file struct {
		ABI      json.RawMessage `json:"abi"`
		Bytecode struct {
			Object string                     `json:"object"`
			Links  map[string]json.RawMessage `json:"linkReferences"`
		} `json:"bytecode"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrArtifact, path, err)
	}
	if len(file.Bytecode.Links) > 0 {
		return nil, fmt.Errorf("%w %s needs linking to libraries, which is not supported", ErrArtifact, path)
	}
	parsed, err := abi.JSON(bytes.NewReader(file.ABI))
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrArtifact, path, err)
	}
	code := common.FromHex(file.Bytecode.Object)
	if len(code) == 0 {
		return nil, fmt.Errorf("%w %s has no bytecode (an interface or an abstract contract?)", ErrArtifact, path)
	}
	c := &Artifact{Name: name, ABI: parsed, Bytecode: code}
	if a.cache == nil {
		a.cache = map[string]*Artifact{}
	}
	a.cache[path] = c
	return c, nil
}
