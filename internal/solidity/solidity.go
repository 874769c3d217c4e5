// Package solidity runs the repository's compiled contracts in go-ethereum's EVM, so that a Go test can compare a Go
// function with its Solidity counterpart on the bytecode that is deployed. Artifacts come from `just contracts` (forge
// build) or from the npm package of OP's contracts. It is for tests and benchmarks only.
//
//	evm := solidity.New()
//	harness, err := evm.Deploy("TrieHarness")             // out/TrieHarness.sol/TrieHarness.json, libraries linked
//	out, gas, err := evm.Call(harness, "update", root, key) // packs, runs, unpacks; a revert is a *solidity.Revert
package solidity

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm"
	vmruntime "github.com/ethereum/go-ethereum/core/vm/runtime"
)

// CallGas is the gas that calls get: that of a large L1 block.
const CallGas = 60_000_000

// maxCodeSize is EIP-170's limit of deployed code, in bytes.
const maxCodeSize = 24_576

// Revert is a call that reverted.
type Revert struct {
	Contract string
	Data     []byte
	Name     string // of the custom error, if the contract's ABI or a library's has it
	Args     []any
}

func (r *Revert) Error() string {
	if r.Name != "" {
		return fmt.Sprintf("%s reverted: %s%v", r.Contract, r.Name, r.Args)
	}
	return fmt.Sprintf("%s reverted: 0x%x", r.Contract, r.Data)
}

// Contract is a deployed contract.
type Contract struct {
	Name     string
	Address  common.Address
	ABI      abi.ABI
	CodeSize int // bytes
}

// EVM is a chain of one endless block with the rules of Cancun. Not safe for concurrent use.
type EVM struct {
	cfg       *vmruntime.Config
	libraries map[string]*Contract
}

// New returns an EVM without contracts.
func New() *EVM {
	db, err := state.New(types.EmptyRootHash, state.NewDatabaseForTesting())
	if err != nil {
		panic(err) // an empty in-memory state
	}
	return &EVM{
		cfg:       &vmruntime.Config{State: db, GasLimit: CallGas, BlockNumber: big.NewInt(1), Time: 1},
		libraries: map[string]*Contract{},
	}
}

// Config is the EVM's block and state, for tests that need to change them.
func (e *EVM) Config() *vmruntime.Config { return e.cfg }

// Root is the repository's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// link positions are in bytes.
type linkReference struct{ Start, Length int }

type artifact struct {
	ABI      json.RawMessage `json:"abi"`
	Bytecode struct {
		Object string                                `json:"object"`
		Links  map[string]map[string][]linkReference `json:"linkReferences"`
	} `json:"bytecode"`
}

func load(name string) (*artifact, error) {
	dir := filepath.Join(Root(), "packages", "contracts-bedrock-fork", "out")
	paths, _ := filepath.Glob(filepath.Join(dir, "*.sol", name+".json"))
	if len(paths) == 0 {
		paths, _ = filepath.Glob(filepath.Join(Root(), "node_modules", "@eth-optimism", "contracts-bedrock", "forge-artifacts", name+".sol", name+".json"))
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no artifact of %s: run `just contracts`", name)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		return nil, err
	}
	a := new(artifact)
	if err := json.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("%s: %w", paths[0], err)
	}
	return a, nil
}

// Deploy creates a contract, and first the libraries that it is linked against (each once).
func (e *EVM) Deploy(name string, args ...any) (*Contract, error) {
	a, err := load(name)
	if err != nil {
		return nil, err
	}
	parsed, err := abi.JSON(strings.NewReader(string(a.ABI)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	code := strings.TrimPrefix(a.Bytecode.Object, "0x")
	for _, libs := range a.Bytecode.Links {
		for lib, refs := range libs {
			if e.libraries[lib] == nil {
				c, err := e.Deploy(lib)
				if err != nil {
					return nil, fmt.Errorf("%s needs %w", name, err)
				}
				e.libraries[lib] = c
			}
			for _, r := range refs {
				code = code[:2*r.Start] + hex.EncodeToString(e.libraries[lib].Address[:]) + code[2*(r.Start+r.Length):]
			}
		}
	}
	init, err := hex.DecodeString(code)
	if err != nil {
		return nil, fmt.Errorf("%s: bytecode: %w", name, err)
	}
	packed, err := parsed.Pack("", args...)
	if err != nil {
		return nil, fmt.Errorf("%s: constructor: %w", name, err)
	}
	ret, addr, _, err := vmruntime.Create(append(slices.Clone(init), packed...), e.cfg)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w (0x%x)", name, err, ret)
	}
	size := e.cfg.State.GetCodeSize(addr)
	if size > maxCodeSize {
		return nil, fmt.Errorf("%s has %d bytes of code, more than %d", name, size, maxCodeSize)
	}
	return &Contract{Name: name, Address: addr, ABI: parsed, CodeSize: size}, nil
}

// Call runs a method and returns its unpacked results and the gas of the execution (without a transaction's base and
// calldata gas). State changes stay.
func (e *EVM) Call(c *Contract, method string, args ...any) ([]any, uint64, error) {
	data, err := c.ABI.Pack(method, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("%s.%s: %w", c.Name, method, err)
	}
	ret, gas, err := e.CallRaw(c, data)
	if err != nil {
		return nil, gas, err
	}
	out, err := c.ABI.Unpack(method, ret)
	return out, gas, err
}

// CallRaw is Call with packed input and output.
func (e *EVM) CallRaw(c *Contract, data []byte) ([]byte, uint64, error) {
	ret, left, err := vmruntime.Call(c.Address, data, e.cfg)
	used := e.cfg.GasLimit - left
	if errors.Is(err, vm.ErrExecutionReverted) {
		return nil, used, e.revert(c, ret)
	}
	if err != nil {
		return nil, used, fmt.Errorf("%s: %w", c.Name, err)
	}
	return ret, used, nil
}

func (e *EVM) revert(c *Contract, data []byte) *Revert {
	r := &Revert{Contract: c.Name, Data: data}
	if len(data) < 4 {
		return r
	}
	abis := []abi.ABI{c.ABI}
	for _, lib := range e.libraries {
		abis = append(abis, lib.ABI)
	}
	for i := range abis {
		if def, err := abis[i].ErrorByID([4]byte(data[:4])); err == nil {
			r.Name = def.Name
			r.Args, _ = def.Inputs.Unpack(data[4:])
			return r
		}
	}
	if why, err := abi.UnpackRevert(data); err == nil {
		r.Name, r.Args = "Error", []any{why}
	} else {
		r.Name = hexutil.Encode(data[:4])
	}
	return r
}
