package deployer

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	Bytecode []byte // creation code without constructor arguments; zero where the address of a library belongs
	Links    []Link // in the order of the libraries' names
}

// Link is a library that a contract calls, and where its address belongs.
type Link struct {
	File, Library string // File without folder and .sol
	Offsets       []int  // bytes into Bytecode
}

// Linked returns the creation code with the addresses of all libraries, by name.
func (a *Artifact) Linked(libraries map[string]common.Address) ([]byte, error) {
	code := bytes.Clone(a.Bytecode)
	for _, l := range a.Links {
		addr, ok := libraries[l.Library]
		if !ok {
			return nil, fmt.Errorf("%w %s: no address of library %s", ErrArtifact, a.Name, l.Library)
		}
		for _, at := range l.Offsets {
			copy(code[at:], addr[:])
		}
	}
	return code, nil
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
	return a.load(a.OPDir, name, name, "install the npm packages first (npm ci)")
}

// Own loads a contract of this project.
func (a *Artifacts) Own(name string) (*Artifact, error) {
	return a.OwnIn(name, name)
}

// OwnIn loads a contract or library of this project from a source file of another name.
func (a *Artifacts) OwnIn(file, name string) (*Artifact, error) {
	return a.load(a.OwnDir, file, name, "build the contracts first (just contracts)")
}

func (a *Artifacts) load(dir, source, name, remedy string) (*Artifact, error) {
	path := filepath.Join(dir, source+".sol", name+".json")
	if c := a.cache[path]; c != nil {
		return c, nil
	}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s not found at %s: %s (%w)", ErrArtifact, name, path, remedy, fs.ErrNotExist)
	} else if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrArtifact, name, err)
	}
	var file struct {
		ABI      json.RawMessage `json:"abi"`
		Bytecode struct {
			Object string                                              `json:"object"`
			Links  map[string]map[string][]struct{ Start, Length int } `json:"linkReferences"`
		} `json:"bytecode"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrArtifact, path, err)
	}
	parsed, err := abi.JSON(bytes.NewReader(file.ABI))
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrArtifact, path, err)
	}
	c := &Artifact{Name: name, ABI: parsed}
	object := []byte(strings.TrimPrefix(file.Bytecode.Object, "0x"))
	for source, libraries := range file.Bytecode.Links {
		for library, refs := range libraries {
			l := Link{File: strings.TrimSuffix(filepath.Base(source), ".sol"), Library: library}
			for _, r := range refs {
				end := 2 * (r.Start + r.Length)
				if r.Start < 0 || r.Length != common.AddressLength || end > len(object) {
					return nil, fmt.Errorf("%w %s: link reference to %s at %d, length %d", ErrArtifact, path, library, r.Start, r.Length)
				}
				copy(object[2*r.Start:end], strings.Repeat("0", 2*r.Length)) // a placeholder that is not hexadecimal
				l.Offsets = append(l.Offsets, r.Start)
			}
			c.Links = append(c.Links, l)
		}
	}
	slices.SortFunc(c.Links, func(a, b Link) int { return strings.Compare(a.Library, b.Library) })
	if c.Bytecode, err = hex.DecodeString(string(object)); err != nil {
		return nil, fmt.Errorf("%w %s: bytecode: %w", ErrArtifact, path, err)
	}
	if len(c.Bytecode) == 0 {
		return nil, fmt.Errorf("%w %s has no bytecode (an interface or an abstract contract?)", ErrArtifact, path)
	}
	if a.cache == nil {
		a.cache = map[string]*Artifact{}
	}
	a.cache[path] = c
	return c, nil
}
