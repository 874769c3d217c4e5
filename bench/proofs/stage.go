package proofs

import (
	"encoding/binary"
	"math/big"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/machine"
	"github.com/agnt2/agnt2/internal/solidity"
)

// stage is an L1 with a verifier, and a contract that stands for the game: it loads local data and calls step.
type stage struct {
	evm    *solidity.EVM
	game   *solidity.Contract
	loaded map[machine.Game]common.Hash // local contexts
}

// verifierConfig is IAGNT2StepVerifier.Config.
type verifierConfig struct {
	ChainId, BlockTimeSeconds, ProofLagBlocks, SeqWindowBlocks, BlobFraction uint64
	LayerRoot, Portal, SystemConfig, Leaves, Oracle                          common.Address
	GenesisNumber                                                            uint64
	GenesisHash, GenesisBatcherHash                                          common.Hash
	GenesisBaseFeeScalar, GenesisBlobBaseFeeScalar                           uint32
}

func newStage(env *machine.Env) (*stage, error) {
	evm := solidity.New()
	oracle, err := evm.Deploy("PreimageOracle", big.NewInt(126_000), big.NewInt(86_400))
	if err != nil {
		return nil, err
	}
	leaves, err := evm.Deploy("OriginLeaves")
	if err != nil {
		return nil, err
	}
	g := &env.Genesis
	verifier, err := evm.Deploy("AGNT2StepVerifier", verifierConfig{
		env.ChainID, env.BlockTime, env.ProofLag, env.SeqWindow, env.BlobFraction, env.LayerRoot, env.Portal, env.SystemConfig,
		leaves.Address, oracle.Address, g.Number, g.Hash, g.BatcherHash, g.BaseFeeScalar, g.BlobBaseFeeScalar,
	})
	if err != nil {
		return nil, err
	}
	game, err := evm.Deploy("MachineHarness", verifier.Address, oracle.Address, new(big.Int).SetUint64(env.Game.Claimed))
	if err != nil {
		return nil, err
	}
	return &stage{evm, game, map[machine.Game]common.Hash{}}, nil
}

// step makes a micro-step of a game and returns the claim after it, and the gas of the call.
func (s *stage) step(g machine.Game, state, witness []byte) (common.Hash, uint64, error) {
	context, ok := s.loaded[g]
	if !ok {
		binary.BigEndian.PutUint64(context[24:], uint64(len(s.loaded)+1))
		for ident, word := range []common.Hash{g.L1Head, g.Agreed, g.Disputed} {
			if _, _, err := s.evm.Call(s.game, "load", big.NewInt(int64(ident+1)), context, word); err != nil {
				return common.Hash{}, 0, err
			}
		}
		s.loaded[g] = context
	}
	out, gas, err := s.evm.Call(s.game, "step", state, witness, context)
	if err != nil {
		return common.Hash{}, gas, err
	}
	return out[0].([32]byte), gas, nil
}
