package deployer

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/agnt2/agnt2/agnt2/genesis"
)

var (
	// ErrWrongChain says that the L1 endpoint serves another chain than the intent or the state file names.
	ErrWrongChain = errors.New("wrong L1 chain id")
	// ErrVerify says that a contract is not what the plan put there.
	ErrVerify = errors.New("deployment does not verify")
)

// Names of the files that a deployment writes into its directory.
const (
	AddressesFile     = "addresses.json"
	GenesisFile       = "genesis.json"
	RollupFile        = "rollup.json"
	L1ChainConfigFile = "l1-chain-config.json"
	StateFile         = "deployment-state.json"
)

// Options say where to deploy and with whose keys.
type Options struct {
	L1RPC       string
	DeployerKey *ecdsa.PrivateKey
	// BatcherKey posts the batcher's bond. Without it the bond is left to the operator.
	BatcherKey *ecdsa.PrivateKey
	Artifacts  *Artifacts
	OutDir     string // created if missing
	// Patience bounds the wait for one group of transactions, and for the start block; 10 minutes if zero.
	Patience time.Duration
	// Progress is told about every step that L1 has confirmed; nil is silent.
	Progress func(done, total int, what string)
}

// Result is what a finished deployment consists of.
type Result struct {
	Addresses map[string]common.Address
	Genesis   *genesis.Genesis
	Rollup    *rollup.Config
	GasUsed   uint64
}

// Run deploys what is still missing, verifies the whole and writes the files. It may be called any number of times.
func Run(ctx context.Context, in Intent, opt Options) (*Result, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	if opt.Patience == 0 {
		opt.Patience = 10 * time.Minute
	}
	if opt.Progress == nil {
		opt.Progress = func(int, int, string) {}
	}
	if err := os.MkdirAll(opt.OutDir, 0o755); err != nil {
		return nil, err
	}
	c, err := ethclient.DialContext(ctx, opt.L1RPC)
	if err != nil {
		return nil, fmt.Errorf("L1 endpoint %s: %w", opt.L1RPC, err)
	}
	defer c.Close()
	chainID, err := c.ChainID(ctx)
	if err != nil {
		return nil, fmt.Errorf("L1 endpoint %s: %w", opt.L1RPC, err)
	}
	if !chainID.IsUint64() || (in.L1ChainID != 0 && chainID.Uint64() != in.L1ChainID) {
		return nil, fmt.Errorf("%w: %s serves %s, the intent names %d", ErrWrongChain, opt.L1RPC, chainID, in.L1ChainID)
	}
	in.L1ChainID = chainID.Uint64()
	if in.L1ChainID == in.L2ChainID {
		return nil, fmt.Errorf("%w: L1 and L2 would both have id %d", ErrBadIntent, in.L2ChainID)
	}
	d := &deployment{in: &in, opt: &opt, c: c}
	if d.s, err = newSender(ctx, c, opt.DeployerKey, chainID, opt.Patience); err != nil {
		return nil, err
	}
	if err := d.openState(ctx); err != nil {
		return nil, err
	}
	return d.run(ctx)
}

type deployment struct {
	in  *Intent
	opt *Options
	c   *ethclient.Client
	s   *sender
	st  *state
}

// openState continues the state file in the output directory, or begins one at the deployer's next nonce.
func (d *deployment) openState(ctx context.Context) error {
	digest, err := d.in.digest()
	if err != nil {
		return err
	}
	path := filepath.Join(d.opt.OutDir, StateFile)
	if d.st, err = loadState(path); err != nil {
		return err
	}
	if st := d.st; st != nil {
		const remedy = "; use another output directory, or remove the file to deploy anew"
		switch {
		case st.L1ChainID != d.in.L1ChainID:
			return fmt.Errorf("%w: %s continues a deployment on chain %d, the endpoint serves %d%s", ErrWrongChain, path, st.L1ChainID, d.in.L1ChainID, remedy)
		case st.Deployer != d.s.from:
			return fmt.Errorf("%w: %s was begun by %s, not by %s%s", ErrState, path, st.Deployer, d.s.from, remedy)
		case st.Intent != digest:
			return fmt.Errorf("%w: %s was begun with other parameters%s", ErrState, path, remedy)
		}
		return d.checkFinished(ctx)
	}
	nonce, err := d.c.PendingNonceAt(ctx, d.s.from)
	if err != nil {
		return fmt.Errorf("nonce of %s: %w", d.s.from, err)
	}
	d.st = &state{
		Version: stateVersion, L1ChainID: d.in.L1ChainID, Deployer: d.s.from, FirstNonce: nonce, Intent: digest,
		Steps: map[string]*stepState{}, path: path,
	}
	return d.st.save()
}

// checkFinished notices an L1 that lost what the state file calls done: a reorg, or a test chain that was started again.
func (d *deployment) checkFinished(ctx context.Context) error {
	for name, x := range d.st.Steps {
		if !x.done() || x.Address == nil {
			continue
		}
		code, err := d.c.CodeAt(ctx, *x.Address, nil)
		if err != nil {
			return fmt.Errorf("code of %s: %w", name, err)
		}
		if len(code) == 0 {
			return fmt.Errorf("%w: %s has no code at %s any more: L1 was reset or reorganised; remove %s to deploy anew",
				ErrVerify, name, x.Address, d.st.path)
		}
	}
	return nil
}

func (d *deployment) run(ctx context.Context) (*Result, error) {
	p, err := contractsPlan(d.in, d.opt.Artifacts, d.s.from, d.st.FirstNonce)
	if err != nil {
		return nil, err
	}
	// What follows the contracts: the bond, and the plan of after the start block, of which only the length is known.
	rest := p.clone()
	if err := rest.anchorPlan(d.in, new(startBlock), eth.Bytes32{1}); err != nil {
		return nil, err
	}
	total := len(rest.steps)
	bond := d.opt.BatcherKey != nil
	if bond {
		total++
	}
	err = d.s.run(ctx, d.st, p.steps, func(done int, x *step) { d.opt.Progress(done, total, describe(x)) })
	if err != nil {
		return nil, err
	}

	// Before the start block: derivation reads whatever the batcher sends to the inbox after it.
	done := len(p.steps)
	if bond {
		if err := d.postBond(ctx, p.addrs["LayerRoot"]); err != nil {
			return nil, err
		}
		done++
		d.opt.Progress(done, total, fmt.Sprintf("batcher bond of %s wei", d.in.BatcherBondWei.ToInt()))
	}

	start, err := d.startBlock(ctx)
	if err != nil {
		return nil, err
	}
	gen := d.genesis(start, p)
	if err := gen.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadIntent, err)
	}
	block := gen.Block()
	root := eth.OutputRoot(&eth.OutputV0{
		StateRoot:                eth.Bytes32(block.Root()),
		MessagePasserStorageRoot: eth.Bytes32(*block.Header().WithdrawalsHash),
		BlockHash:                block.Hash(),
	})
	before := len(p.steps)
	if err := p.anchorPlan(d.in, start, root); err != nil {
		return nil, err
	}
	err = d.s.run(ctx, d.st, p.steps[before:], func(n int, x *step) { d.opt.Progress(done+n, total, describe(x)) })
	if err != nil {
		return nil, err
	}

	rc := d.rollupConfig(gen, start, p.addrs)
	if err := rc.Check(); err != nil {
		return nil, fmt.Errorf("%w: rollup config: %w", ErrBadIntent, err)
	}
	if err := d.verify(ctx, p, root); err != nil {
		return nil, err
	}
	res := &Result{Addresses: p.addrs, Genesis: gen, Rollup: rc}
	for _, x := range d.st.Steps {
		res.GasUsed += x.GasUsed
	}
	return res, d.writeFiles(res)
}

func describe(x *step) string {
	if x.to == nil {
		return x.name + " at " + x.address.Hex()
	}
	return x.name
}

// startBlock picks the L1 block that the L2 genesis is anchored on, once: it has to come after SystemConfig's
// initialisation, whose values rollup.json repeats.
func (d *deployment) startBlock(ctx context.Context) (*startBlock, error) {
	if d.st.Start != nil {
		var now l1Header
		if err := d.c.Client().CallContext(ctx, &now, "eth_getBlockByNumber", d.st.Start.Number, false); err != nil {
			return nil, fmt.Errorf("L1 start block: %w", err)
		}
		if now.Hash != d.st.Start.Hash {
			return nil, fmt.Errorf("%w: L1 start block %d is now %s and was %s: L1 reorganised; remove %s to deploy anew",
				ErrVerify, d.st.Start.Number, now.Hash, d.st.Start.Hash, d.st.path)
		}
		return d.st.Start, nil
	}
	head, err := d.c.BlockNumber(ctx)
	if err != nil {
		return nil, fmt.Errorf("L1 head: %w", err)
	}
	last := hexutil.Uint64(head) // at or above every transaction so far, the bond included
	for deadline := time.Now().Add(d.opt.Patience); ; {
		// The hash is the endpoint's own, not go-ethereum's idea of it, which differs on chains with more header fields.
		var h *l1Header
		err := d.c.Client().CallContext(ctx, &h, "eth_getBlockByNumber", d.in.StartBlock, false)
		if err == nil && h != nil && h.Number >= last {
			d.st.Start = &startBlock{Hash: h.Hash, Number: h.Number, Time: h.Timestamp}
			return d.st.Start, d.st.save()
		}
		if time.Now().After(deadline) {
			if err != nil {
				return nil, fmt.Errorf("L1 start block: %w", err)
			}
			return nil, fmt.Errorf("%w: the %s L1 block has not reached %d; run again to continue", ErrNotMined, d.in.StartBlock, last)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

type l1Header struct {
	Hash      common.Hash    `json:"hash"`
	Number    hexutil.Uint64 `json:"number"`
	Timestamp hexutil.Uint64 `json:"timestamp"`
}

// verify asks the chain whether the plan holds.
func (d *deployment) verify(ctx context.Context, p *plan, genesisRoot eth.Bytes32) error {
	for name, addr := range p.addrs {
		code, err := d.c.CodeAt(ctx, addr, nil)
		if err != nil {
			return fmt.Errorf("code of %s: %w", name, err)
		}
		if len(code) == 0 {
			return fmt.Errorf("%w: no code at %s %s", ErrVerify, name, addr)
		}
	}
	a := p.addrs
	for _, q := range []struct {
		contract, at, method string
		args                 []any
		want                 any
	}{
		{"SystemConfig", "SystemConfigProxy", "batchInbox", nil, a["LayerRoot"]},
		{"SystemConfig", "SystemConfigProxy", "batcherHash", nil, [32]byte(common.BytesToHash(d.in.Batcher.Bytes()))},
		{"SystemConfig", "SystemConfigProxy", "owner", nil, d.in.Owner},
		{"OptimismPortal2", "OptimismPortalProxy", "disputeGameFactory", nil, a["DisputeGameFactoryProxy"]},
		{"OptimismPortal2", "OptimismPortalProxy", "respectedGameType", nil, d.in.Game.Type},
		{"DisputeGameFactory", "DisputeGameFactoryProxy", "gameImpls", []any{d.in.Game.Type}, a["FaultDisputeGame"]},
		{"DisputeGameFactory", "DisputeGameFactoryProxy", "owner", nil, d.in.Owner},
		{"FaultDisputeGame", "FaultDisputeGame", "vm", nil, p.machineOf()},
		{"FaultDisputeGame", "FaultDisputeGame", "absolutePrestate", nil, [32]byte(d.in.Game.AbsolutePrestate)},
		{"FaultDisputeGame", "FaultDisputeGame", "weth", nil, a["DelayedWETHProxy"]},
		{"AnchorStateRegistry", "AnchorStateRegistryProxy", "disputeGameFactory", nil, a["DisputeGameFactoryProxy"]},
		{"ProxyAdmin", "ProxyAdmin", "owner", nil, d.in.Owner},
	} {
		got, err := d.ask(ctx, q.contract, a[q.at], q.method, q.args...)
		if err != nil {
			return err
		}
		if got[0] != q.want {
			return fmt.Errorf("%w: %s.%s is %v and should be %v", ErrVerify, q.at, q.method, got[0], q.want)
		}
	}
	layerRoot, err := d.opt.Artifacts.Own("LayerRoot")
	if err != nil {
		return err
	}
	system, err := callView(ctx, d.c, layerRoot, a["LayerRoot"], "systemConfig")
	if err != nil {
		return err
	}
	if system[0] != a["SystemConfigProxy"] {
		return fmt.Errorf("%w: LayerRoot reads SystemConfig %v and should read %s", ErrVerify, system[0], a["SystemConfigProxy"])
	}
	resolver, err := d.opt.Artifacts.Own(resolverName)
	if err != nil {
		return err
	}
	for method, want := range map[string]any{"portal": a["OptimismPortalProxy"], "gameType": d.in.Game.Type} {
		if got, err := callView(ctx, d.c, resolver, a[resolverName], method); err != nil {
			return err
		} else if got[0] != want {
			return fmt.Errorf("%w: %s.%s is %v and should be %v", ErrVerify, resolverName, method, got[0], want)
		}
	}
	if err := d.verifyPassport(ctx, p); err != nil {
		return err
	}
	// The anchor moves on with the games; only a registry at genesis can be compared.
	got, err := d.ask(ctx, "AnchorStateRegistry", a["AnchorStateRegistryProxy"], "anchors", d.in.Game.Type)
	if err != nil {
		return err
	}
	if root, block := got[0].([32]byte), got[1].(*big.Int); block.Sign() == 0 && root != [32]byte(genesisRoot) {
		return fmt.Errorf("%w: the anchor is %x and the genesis output root %s", ErrVerify, root, genesisRoot)
	}
	return nil
}

func (d *deployment) ask(ctx context.Context, contract string, at common.Address, method string, args ...any) ([]any, error) {
	art, err := d.opt.Artifacts.OP(contract)
	if err != nil {
		return nil, err
	}
	return callView(ctx, d.c, art, at, method, args...)
}

func (d *deployment) writeFiles(res *Result) error {
	at := func(name string) string { return filepath.Join(d.opt.OutDir, name) }
	if err := writeJSON(at(AddressesFile), res.Addresses); err != nil {
		return err
	}
	if err := res.Genesis.Save(at(GenesisFile)); err != nil {
		return err
	}
	if err := writeJSON(at(RollupFile), res.Rollup); err != nil {
		return err
	}
	return writeJSON(at(L1ChainConfigFile), L1ChainConfig(d.in.L1ChainID))
}

// LoadResult reads what a finished deployment wrote into dir.
func LoadResult(dir string) (*Result, error) {
	res := new(Result)
	for name, v := range map[string]any{AddressesFile: &res.Addresses, RollupFile: &res.Rollup} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, v); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var err error
	res.Genesis, err = genesis.Load(filepath.Join(dir, GenesisFile))
	return res, err
}

// ParseKey reads a hexadecimal secp256k1 key, with or without 0x.
func ParseKey(hex string) (*ecdsa.PrivateKey, error) {
	raw := common.FromHex(hex)
	k, err := crypto.ToECDSA(raw)
	if err != nil {
		return nil, errors.New("private key is not 32 bytes of hexadecimal, or out of range") // never the key itself
	}
	return k, nil
}
