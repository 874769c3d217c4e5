package deployer

import (
	"bytes"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strings"

	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// depositResourceLimit is the L2 gas that deposits may buy in one L1 block.
const depositResourceLimit = uint32(20_000_000)

// step is one transaction of the plan.
type step struct {
	name    string
	nonce   uint64
	to      *common.Address // nil creates a contract
	data    []byte
	value   *big.Int
	gas     uint64
	address common.Address // of the created contract
}

func (s *step) payload() common.Hash {
	var to []byte
	if s.to != nil {
		to = s.to.Bytes()
	}
	return crypto.Keccak256Hash(to, common.BigToHash(s.value).Bytes(), s.data)
}

// plan collects steps in nonce order. The first error sticks; the caller looks at err once.
type plan struct {
	arts  *Artifacts
	from  common.Address
	nonce uint64
	steps []*step
	addrs map[string]common.Address
	err   error
}

func (p *plan) fail(what string, err error) {
	if p.err == nil {
		p.err = fmt.Errorf("plan %s: %w", what, err)
	}
}

// clone is a plan that can be continued while p stays.
func (p *plan) clone() *plan {
	c := *p
	c.steps, c.addrs = slices.Clone(p.steps), maps.Clone(p.addrs)
	return &c
}

func (p *plan) add(s *step) {
	s.nonce = p.nonce
	p.nonce++
	if s.value == nil {
		s.value = new(big.Int)
	}
	p.steps = append(p.steps, s)
}

// create plans a contract of OP's package and returns its address.
func (p *plan) create(name, contract string, args ...any) common.Address {
	art, err := p.arts.OP(contract)
	if err != nil {
		p.fail(name, err)
		return common.Address{}
	}
	packed, err := art.ABI.Pack("", args...)
	if err != nil {
		p.fail(name, err)
		return common.Address{}
	}
	return p.createRaw(name, append(bytes.Clone(art.Bytecode), packed...))
}

func (p *plan) createRaw(name string, code []byte) common.Address {
	addr := crypto.CreateAddress(p.from, p.nonce)
	p.addrs[name] = addr
	p.add(&step{name: name, data: code, address: addr, gas: creationGas(code)})
	return addr
}

// creationGas bounds the gas of a creation: 200 a byte of code stored, 16 a byte of calldata, 2 a word of init code, and
// what the largest of the constructors stores.
func creationGas(code []byte) uint64 { return 600_000 + 220*uint64(len(code)) }

func (p *plan) call(name string, to common.Address, gas uint64, contract, method string, args ...any) {
	data := p.pack(contract, method, args...)
	p.add(&step{name: name, to: &to, data: data, gas: gas})
}

func (p *plan) pack(contract, method string, args ...any) []byte {
	art, err := p.arts.OP(contract)
	if err != nil {
		p.fail(contract+"."+method, err)
		return nil
	}
	data, err := art.ABI.Pack(method, args...)
	if err != nil {
		p.fail(contract+"."+method, err)
	}
	return data
}

// upgrade points a proxy at its implementation and runs the initialiser in the same transaction, so that nobody can
// initialise in between.
func (p *plan) upgrade(contract string, proxy, impl common.Address, init []byte) {
	p.call("initialize "+contract, p.addrs["ProxyAdmin"], 1_200_000, "ProxyAdmin", "upgradeAndCall", proxy, impl, init)
}

// Argument types of the published contracts; go-ethereum's ABI matches tuples by field name.
type resourceConfig struct {
	MaxResourceLimit            uint32
	ElasticityMultiplier        uint8
	BaseFeeMaxChangeDenominator uint8
	MinimumBaseFee              uint32
	SystemTxMaxGas              uint32
	MaximumBaseFee              *big.Int
}

type systemAddresses struct {
	L1CrossDomainMessenger       common.Address
	L1ERC721Bridge               common.Address
	L1StandardBridge             common.Address
	DisputeGameFactory           common.Address
	OptimismPortal               common.Address
	OptimismMintableERC20Factory common.Address
	GasPayingToken               common.Address
}

type outputRoot struct {
	Root          [32]byte
	L2BlockNumber *big.Int
}

type startingAnchorRoot struct {
	GameType   uint32
	OutputRoot outputRoot
}

// contractsPlan is everything that does not depend on the L1 block under the L2 genesis.
func contractsPlan(in *Intent, arts *Artifacts, from common.Address, nonce uint64) (*plan, error) {
	p := &plan{arts: arts, from: from, nonce: nonce, addrs: map[string]common.Address{}}

	admin := p.create("ProxyAdmin", "ProxyAdmin", from)
	proxy := func(name string) common.Address { return p.create(name+"Proxy", "Proxy", admin) }
	var (
		superchain = proxy("SuperchainConfig")
		system     = proxy("SystemConfig")
		portal     = proxy("OptimismPortal")
		factory    = proxy("DisputeGameFactory")
		_          = proxy("AnchorStateRegistry")
		weth       = proxy("DelayedWETH")
		messenger  = proxy("L1CrossDomainMessenger")
		bridge     = proxy("L1StandardBridge")
		bridge721  = proxy("L1ERC721Bridge")
		erc20s     = proxy("OptimismMintableERC20Factory")
	)
	layerRoot := p.layerRoot(in)
	p.own(resolverName, resolverName, p.known(in))
	p.passport(in)

	superchainImpl := p.create("SuperchainConfigImpl", "SuperchainConfig")
	systemImpl := p.create("SystemConfigImpl", "SystemConfig")
	portalImpl := p.create("OptimismPortalImpl", "OptimismPortal2", num(in.ProofMaturityDelaySeconds), num(in.GameFinalityDelaySeconds))
	factoryImpl := p.create("DisputeGameFactoryImpl", "DisputeGameFactory")
	p.create("AnchorStateRegistryImpl", "AnchorStateRegistry", factory)
	wethImpl := p.create("DelayedWETHImpl", "DelayedWETH", num(in.WETHDelaySeconds))
	messengerImpl := p.create("L1CrossDomainMessengerImpl", "L1CrossDomainMessenger")
	bridgeImpl := p.create("L1StandardBridgeImpl", "L1StandardBridge")
	bridge721Impl := p.create("L1ERC721BridgeImpl", "L1ERC721Bridge")
	erc20sImpl := p.create("OptimismMintableERC20FactoryImpl", "OptimismMintableERC20Factory")
	p.create("PreimageOracle", "PreimageOracle", num(in.OracleMinProposalBytes), num(in.OracleChallengePeriodSeconds))

	p.upgrade("SuperchainConfig", superchain, superchainImpl, p.pack("SuperchainConfig", "initialize", in.Owner, false))
	maxUint128 := new(big.Int).Sub(new(big.Int).Lsh(common.Big1, 128), common.Big1)
	p.upgrade("SystemConfig", system, systemImpl, p.pack("SystemConfig", "initialize",
		in.Owner, in.BaseFeeScalar, in.BlobBaseFeeScalar, [32]byte(common.BytesToHash(in.Batcher.Bytes())),
		min(in.L2GasLimit, maxSystemConfigGas), in.UnsafeBlockSigner,
		resourceConfig{
			MaxResourceLimit: depositResourceLimit, ElasticityMultiplier: 10, BaseFeeMaxChangeDenominator: 8,
			MinimumBaseFee: 1_000_000_000, SystemTxMaxGas: 1_000_000, MaximumBaseFee: maxUint128,
		},
		layerRoot,
		systemAddresses{
			L1CrossDomainMessenger: messenger, L1ERC721Bridge: bridge721, L1StandardBridge: bridge,
			DisputeGameFactory: factory, OptimismPortal: portal, OptimismMintableERC20Factory: erc20s,
		}))
	p.upgrade("OptimismPortal", portal, portalImpl, p.pack("OptimismPortal2", "initialize", factory, system, superchain, in.Game.Type))
	// The deployer sets the game up before it hands the factory over.
	p.upgrade("DisputeGameFactory", factory, factoryImpl, p.pack("DisputeGameFactory", "initialize", from))
	p.upgrade("DelayedWETH", weth, wethImpl, p.pack("DelayedWETH", "initialize", in.Owner, superchain))
	p.upgrade("L1CrossDomainMessenger", messenger, messengerImpl, p.pack("L1CrossDomainMessenger", "initialize", superchain, portal, system))
	p.upgrade("L1StandardBridge", bridge, bridgeImpl, p.pack("L1StandardBridge", "initialize", messenger, superchain, system))
	p.upgrade("L1ERC721Bridge", bridge721, bridge721Impl, p.pack("L1ERC721Bridge", "initialize", messenger, superchain))
	p.upgrade("OptimismMintableERC20Factory", erc20s, erc20sImpl, p.pack("OptimismMintableERC20Factory", "initialize", bridge))

	return p, p.err
}

// anchorPlan continues p with what depends on the L2 genesis: the machine of the games, which knows the L1 block under it,
// the games and their anchor, and the hand-over of factory and proxies, which has to come after the last initialisation.
func (p *plan) anchorPlan(in *Intent, start *startBlock, genesisRoot eth.Bytes32) error {
	p.game(in, p.machine(in, start))
	if in.Owner != p.from {
		p.call("hand over DisputeGameFactory", p.addrs["DisputeGameFactoryProxy"], 200_000, "DisputeGameFactory", "transferOwnership", in.Owner)
	}
	anchor := []startingAnchorRoot{{in.Game.Type, outputRoot{[32]byte(genesisRoot), new(big.Int)}}}
	p.upgrade("AnchorStateRegistry", p.addrs["AnchorStateRegistryProxy"], p.addrs["AnchorStateRegistryImpl"],
		p.pack("AnchorStateRegistry", "initialize", anchor))
	if in.Owner != p.from {
		p.call("hand over ProxyAdmin", p.addrs["ProxyAdmin"], 200_000, "ProxyAdmin", "transferOwnership", in.Owner)
	}
	return p.err
}

// layerRoot plans our batch inbox.
func (p *plan) layerRoot(in *Intent) common.Address {
	return p.own("LayerRoot", "LayerRoot", p.known(in))
}

// own plans a contract or library of this project and, before it, the libraries that it calls, each once. Constructor
// parameters are filled by name.
func (p *plan) own(file, name string, known map[string]any) common.Address {
	if addr, planned := p.addrs[name]; planned {
		return addr
	}
	fail := func(err error) common.Address {
		p.fail(name, err)
		return common.Address{}
	}
	art, err := p.arts.OwnIn(file, name)
	if err != nil {
		return fail(err)
	}
	for _, l := range art.Links {
		p.own(l.File, l.Library, nil)
	}
	if p.err != nil {
		return common.Address{}
	}
	code, err := art.Linked(p.addrs)
	if err != nil {
		return fail(err)
	}
	args, err := argumentsByName(art.ABI.Constructor.Inputs, known)
	if err != nil {
		return fail(err)
	}
	packed, err := art.ABI.Pack("", args...)
	if err != nil {
		return fail(err)
	}
	return p.createRaw(name, append(code, packed...))
}

// known is what constructors of this project's contracts may ask for before the start block is.
func (p *plan) known(in *Intent) map[string]any {
	return map[string]any{
		"systemConfig":           p.addrs["SystemConfigProxy"],
		"optimismPortal":         p.addrs["OptimismPortalProxy"],
		"portal":                 p.addrs["OptimismPortalProxy"],
		"owner":                  in.Owner,
		"batcher":                in.Batcher,
		"minimumBond":            in.BatcherBondWei.ToInt(),
		"l2ChainId":              num(in.L2ChainID),
		"challengeWindowBlocks":  num(in.DAChallengeWindowBlocks),
		"resolveWindowBlocks":    num(in.DAResolveWindowBlocks),
		"sequencingWindowBlocks": num(in.SeqWindowBlocks),
		"gameType":               in.Game.Type,
	}
}

// argumentsByName orders known values as the constructor wants them; a leading or trailing underscore and a unit's suffix
// in the parameter's name do not matter.
func argumentsByName(inputs abi.Arguments, known map[string]any) ([]any, error) {
	plain := func(s string) string {
		s = strings.ToLower(strings.Trim(s, "_"))
		for _, unit := range []string{"wei", "blocks", "seconds"} {
			s = strings.TrimSuffix(s, unit)
		}
		return s
	}
	values := map[string]any{}
	for name, v := range known {
		values[plain(name)] = v
	}
	// A tuple's field is known by its name, or by the tuple's name and its own.
	var value func(outer, name string, t abi.Type) (any, error)
	value = func(outer, name string, t abi.Type) (any, error) {
		if t.T == abi.TupleTy {
			tuple := reflect.New(t.GetType()).Elem()
			for i, field := range t.TupleRawNames {
				v, err := value(name, field, *t.TupleElems[i])
				if err != nil {
					return nil, err
				}
				if !reflect.TypeOf(v).AssignableTo(tuple.Field(i).Type()) {
					return nil, fmt.Errorf("%w: constructor parameter %s.%s is a %s, the deployer has %v", ErrArtifact, name, field, t.TupleElems[i], v)
				}
				tuple.Field(i).Set(reflect.ValueOf(v))
			}
			return tuple.Interface(), nil
		}
		v, ok := values[plain(outer+name)]
		if !ok {
			v, ok = values[plain(name)]
		}
		if !ok {
			return nil, fmt.Errorf("%w: constructor parameter %q is unknown to the deployer, which knows %s",
				ErrArtifact, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		if n, isBig := v.(*big.Int); isBig {
			v = fitInteger(n, t)
		}
		return v, nil
	}
	var args []any
	for _, in := range inputs {
		v, err := value("", in.Name, in.Type)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return args, nil
}

// fitInteger turns n into the Go type that the ABI packs for t; values that do not fit are left for Pack to refuse.
func fitInteger(n *big.Int, t abi.Type) any {
	if t.T != abi.UintTy || !n.IsUint64() {
		return n
	}
	v := n.Uint64()
	switch {
	case t.Size == 64:
		return v
	case t.Size == 32 && v < 1<<32:
		return uint32(v)
	case t.Size == 16 && v < 1<<16:
		return uint16(v)
	case t.Size == 8 && v < 1<<8:
		return uint8(v)
	}
	return n
}

func num(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
