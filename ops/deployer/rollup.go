package deployer

import (
	"math/big"

	altda "github.com/ethereum-optimism/optimism/op-alt-da"
	"github.com/ethereum-optimism/optimism/op-node/rollup"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/params"

	"github.com/agnt2/agnt2/agnt2/genesis"
)

// genesis is the L2's first block: it carries the time of the L1 block that it is anchored on.
func (d *deployment) genesis(start *startBlock, p *plan) *genesis.Genesis {
	in := d.in
	return &genesis.Genesis{
		ChainID: in.L2ChainID, Timestamp: start.Time, GasLimit: hexutil.Uint64(in.L2GasLimit), BaseFee: in.GenesisBaseFeeWei,
		EIP1559Denominator: in.EIP1559Denominator, EIP1559Elasticity: in.EIP1559Elasticity,
		Params: in.Params, Policy: p.policy(in), Alloc: in.Alloc,
	}
}

// rollupConfig is what op-node derives by: Isthmus from genesis, generic Alt-DA commitments, LayerRoot as the inbox.
func (d *deployment) rollupConfig(gen *genesis.Genesis, start *startBlock, addrs map[string]common.Address) *rollup.Config {
	in, zero := d.in, uint64(0)
	return &rollup.Config{
		Genesis: rollup.Genesis{
			L1:     eth.BlockID{Hash: start.Hash, Number: uint64(start.Number)},
			L2:     eth.BlockID{Hash: gen.Block().Hash(), Number: 0},
			L2Time: uint64(start.Time),
			SystemConfig: eth.SystemConfig{
				BatcherAddr: in.Batcher,
				Scalar:      eth.EncodeScalar(eth.EcotoneScalars{BaseFeeScalar: in.BaseFeeScalar, BlobBaseFeeScalar: in.BlobBaseFeeScalar}),
				GasLimit:    in.L2GasLimit,
			},
		},
		BlockTime: in.BlockTimeSeconds, MaxSequencerDrift: in.MaxSequencerDriftSeconds, SeqWindowSize: in.SeqWindowBlocks,
		ChannelTimeoutBedrock: in.ChannelTimeoutBlocks,
		L1ChainID:             num(in.L1ChainID), L2ChainID: num(in.L2ChainID),
		RegolithTime: &zero, CanyonTime: &zero, DeltaTime: &zero, EcotoneTime: &zero, FjordTime: &zero, GraniteTime: &zero,
		HoloceneTime: &zero, IsthmusTime: &zero,
		BatchInboxAddress: addrs["LayerRoot"], DepositContractAddress: addrs["OptimismPortalProxy"], L1SystemConfigAddress: addrs["SystemConfigProxy"],
		ChainOpConfig: gen.ChainConfig().Optimism,
		AltDAConfig: &rollup.AltDAConfig{
			CommitmentType: altda.GenericCommitmentString,
			// Finality trails L1 by this window: what is final is then derivable at the proof head of every game that can
			// be created about it.
			DAChallengeWindow: in.ProofWindowBlocks(),
			DAResolveWindow:   in.DAResolveWindowBlocks,
		},
	}
}

// L1ChainConfig tells op-node the blob schedule of an L1 that it does not know by id: every fork up to Prague from
// genesis. op-node ignores it for the public chains it knows.
func L1ChainConfig(chainID uint64) *params.ChainConfig {
	zero, at0 := uint64(0), new(big.Int)
	return &params.ChainConfig{
		ChainID: num(chainID), HomesteadBlock: at0, EIP150Block: at0, EIP155Block: at0, EIP158Block: at0, ByzantiumBlock: at0,
		ConstantinopleBlock: at0, PetersburgBlock: at0, IstanbulBlock: at0, MuirGlacierBlock: at0, BerlinBlock: at0, LondonBlock: at0,
		ArrowGlacierBlock: at0, GrayGlacierBlock: at0, MergeNetsplitBlock: at0, TerminalTotalDifficulty: at0,
		ShanghaiTime: &zero, CancunTime: &zero, PragueTime: &zero,
		BlobScheduleConfig: &params.BlobScheduleConfig{Cancun: params.DefaultCancunBlobConfig, Prague: params.DefaultPragueBlobConfig},
	}
}
