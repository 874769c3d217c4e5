package ethapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/passport"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Portability: what other chains need of an agent of this one, and what this one knows of agents of others.

// ExportAgent implements agnt2_exportAgent: an agent's identity and counters at a block with their proofs against its output
// root; null if there is no such agent. L1's AgentPassport takes exports at the block of the anchor.
func (x *agnt2API) ExportAgent(ctx context.Context, who common.Address, at *rpc.BlockNumberOrHash) (*passport.Export, error) {
	h, err := x.a.header(at)
	if err != nil {
		return nil, err
	}
	if h.WithdrawalsHash == nil {
		return nil, errors.New("the block has no withdrawalsRoot, and so no output root")
	}
	_, done, err := x.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	prove := func(key record.Key) (value []byte, encoded hexutil.Bytes, err error) {
		value, proof, err := x.a.b.Prove(h, key)
		if err != nil {
			return nil, nil, fmt.Errorf("proof at block %d: %w", h.Number, err)
		}
		return value, proof.Encode(), nil
	}
	out := &passport.Export{
		ChainID: hexutil.Uint64(x.a.b.ChainConfig().ChainID.Uint64()), BlockNumber: hexutil.Uint64(h.Number.Uint64()), Agent: who,
		Output: passport.Output{StateRoot: h.Root, MessagePasserStorageRoot: *h.WithdrawalsHash, LatestBlockhash: h.Hash()},
	}
	out.OutputRoot = out.Output.Root()
	identity, proof, err := prove(record.AgentKey(who))
	if identity == nil || err != nil {
		return nil, err
	}
	out.Identity, out.IdentityProof = identity, proof
	counters, proof, err := prove(record.ReputationKey(who))
	if err != nil {
		return nil, err
	}
	if counters != nil {
		out.Reputation = (*hexutil.Bytes)(&counters)
	}
	out.ReputationProof = proof
	return out, nil
}

// foreignAgent reads an imported agent and the score that its counters make here; nil if there is none.
func (a *API) foreignAgent(r Records, id common.Address, now uint64) (x *record.Foreign, score uint64, err error) {
	if x, err = read(r, record.ForeignKey(id), record.DecodeForeign); x == nil || err != nil {
		return nil, 0, err
	}
	params, err := readOr(r, record.ParamsKey, record.DecodeParams)
	if err != nil {
		return nil, 0, err
	}
	rep := vm.ForeignReputation(x)
	return x, a.cfg.Score(&rep, now, params.ReputationHalfLifeSeconds), nil
}

// GetForeignAgent implements agnt2_getForeignAgent: an imported agent by its foreign id; null if there is none.
func (x *agnt2API) GetForeignAgent(id common.Address, at *rpc.BlockNumberOrHash) (map[string]any, error) {
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	f, score, err := x.a.foreignAgent(r, id, h.Time)
	if f == nil || err != nil {
		return nil, err
	}
	out := fields(*f)
	out["id"], out["status"], out["score"] = id, statusName(agentStatus, f.Status), hexutil.Uint64(score)
	out["blockNumber"], out["blockHash"] = (*hexutil.Big)(h.Number), h.Hash()
	return out, nil
}

func getForeignAgent(v *reading, c *abi.GetForeignAgentCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	var out abi.GetForeignAgentReturn
	f, score, err := v.a.foreignAgent(r, c.Id, v.h.Time)
	if err != nil {
		return nil, err
	}
	if f != nil {
		out.Agent, out.Score = abi.IRecordsForeign(*f), *uint256.NewInt(score)
	}
	return out.Encode(), nil
}

func foreignID(_ *reading, c *abi.ForeignIdCall) ([]byte, error) {
	return (&abi.ForeignIdReturn{Ret0: vm.ForeignID(&c.ChainId, c.Registry, &c.AgentId)}).Encode(), nil
}
