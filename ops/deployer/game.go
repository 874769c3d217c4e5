package deployer

import (
	"errors"
	"io/fs"
	"maps"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/params"

	"github.com/agnt2/agnt2/agnt2/machine"
)

// verifierName is the contract that executes micro-steps on L1.
const verifierName = "AGNT2StepVerifier"

// blobFraction is the update fraction of L1's blob base fee since Prague (EIP-7691). An L1 fork that changes it needs a new
// verifier and game implementation.
var blobFraction = params.DefaultPragueBlobConfig.UpdateFraction

// machinePrestate is the absolute prestate of the machine that this program deploys games for, unless an intent names another.
func machinePrestate() common.Hash {
	s := machine.Prestate()
	return s.Claim()
}

// HasVerifier says whether AGNT2StepVerifier is compiled; deployments without it have games that cannot be played to their end.
func (a *Artifacts) HasVerifier() bool {
	_, err := a.Own(verifierName)
	return !errors.Is(err, fs.ErrNotExist)
}

// machine plans the contract that executes the last step of a dispute: AGNT2StepVerifier with the libraries it calls or, in a
// checkout that has none, OP's MIPS, against which no dispute about an AGNT2 block can be proven.
func (p *plan) machine(in *Intent, start *startBlock) common.Address {
	oracle := p.addrs["PreimageOracle"]
	if !p.arts.HasVerifier() {
		return p.create("MIPS", "MIPS", oracle)
	}
	leaves, known := p.own("OriginLeaves", "OriginLeaves", nil), p.known(in)
	maps.Copy(known, map[string]any{
		"oracle":         oracle,
		"preimageOracle": oracle,
		"layerRoot":      p.addrs["LayerRoot"],
		"leaves":         leaves,
		"originLeaves":   leaves,
		"chainId":        num(in.L2ChainID),
		"blockTime":      num(in.BlockTimeSeconds),
		"proofLag":       num(in.ProofWindowBlocks()),
		"seqWindow":      num(in.SeqWindowBlocks),
		"blobFraction":   num(blobFraction),
		// The L1 origin and the system configuration of the L2 genesis block.
		"genesisNumber":            num(uint64(start.Number)),
		"genesisHash":              [32]byte(start.Hash),
		"genesisBatcherHash":       [32]byte(common.BytesToHash(in.Batcher.Bytes())),
		"genesisBaseFeeScalar":     num(uint64(in.BaseFeeScalar)),
		"genesisBlobBaseFeeScalar": num(uint64(in.BlobBaseFeeScalar)),
	})
	return p.own(verifierName, verifierName, known)
}

// game plans the dispute game over a machine, and tells the factory about it.
func (p *plan) game(in *Intent, machine common.Address) {
	factory := p.addrs["DisputeGameFactoryProxy"]
	game := p.create("FaultDisputeGame", "FaultDisputeGame", in.Game.Type, [32]byte(in.Game.AbsolutePrestate),
		num(in.Game.MaxDepth), num(in.Game.SplitDepth), in.Game.ClockExtensionSeconds, in.Game.MaxClockSeconds,
		machine, p.addrs["DelayedWETHProxy"], p.addrs["AnchorStateRegistryProxy"], num(in.L2ChainID))
	p.call("set game implementation", factory, 200_000, "DisputeGameFactory", "setImplementation", in.Game.Type, game)
	p.call("set game bond", factory, 200_000, "DisputeGameFactory", "setInitBond", in.Game.Type, in.Game.InitBondWei.ToInt())
}

// machineOf is the planned machine.
func (p *plan) machineOf() common.Address {
	if a, ok := p.addrs[verifierName]; ok {
		return a
	}
	return p.addrs["MIPS"]
}
