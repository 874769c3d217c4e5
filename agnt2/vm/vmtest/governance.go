package vmtest

import (
	"bytes"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// disputedGame is the game that judges all disputes.
var disputedGame = common.Address{4}

func (g *Generator) policy() record.Policy { return must(record.DecodePolicy(g.Get(record.PolicyKey))) }

// governance is the family of parameters, fee vaults and disputes. What only a deposit may do is mostly sent by who may do it.
func (g *Generator) governance(from common.Address) Draft {
	p := g.policy()
	d := Draft{From: from, To: &abi.Address}
	if p.Governance != (common.Address{}) && !g.chance(4) {
		from = p.Governance
	}
	switch g.Rnd.IntN(10) {
	case 0:
		c := &abi.SetParamsCall{Params: abi.IRecordsParams(must(record.DecodeParams(g.Get(record.ParamsKey))))}
		c.Params.GasTransfer = 4_000 + g.Rnd.Uint64N(3)
		if g.chance(4) {
			c.Params.SweepsPerBlock = 0
		}
		d.From, d.Data = from, c.Encode()
	case 1:
		c := &abi.SetPolicyCall{Policy: abi.IRecordsPolicy(p)}
		c.Policy.DisputeFeeWei = g.number(60) // above the bond now and then
		if c.Policy.PrunesPerBlock = 2 + g.Rnd.Uint32N(3); g.PrunesPerBlock != 0 {
			c.Policy.PrunesPerBlock = g.PrunesPerBlock
		}
		d.From, d.Data = from, c.Encode()
	case 2, 3:
		vaults := []common.Address{abi.BaseFeeVault, abi.SequencerFeeVault, abi.L1FeeVault, g.anyone()}
		d.Data = (&abi.WithdrawFeesCall{Vault: vaults[g.Rnd.IntN(len(vaults))]}).Encode()
	case 4, 5:
		d.From, d.Data = from, g.resolution().Encode()
		if g.chance(3) {
			d.From = p.DisputeResolver
		}
	default:
		return g.dispute(d, &p)
	}
	return d
}

// dispute objects to an interaction, mostly one that is settled, mostly as its caller.
func (g *Generator) dispute(d Draft, p *record.Policy) Draft {
	c := &abi.DisputeCall{Kind: 1 + uint8(g.Rnd.IntN(2)), Target: g.interaction(), EvidenceHash: common.Hash{3}}
	if id, ok := g.constituentCall(); ok && g.chance(3) {
		c.Target = id
	}
	for range 20 {
		b := g.Get(record.InteractionKey(c.Target))
		if b != nil {
			i := must(record.DecodeInteraction(b))
			if !g.chance(8) {
				d.From = i.Caller
			}
			if i.Status != uint8(vm.Pending) {
				break
			}
		}
		c.Target = g.interaction()
	}
	if (c.Kind == uint8(vm.Computational)) != g.chance(20) {
		c.Game = disputedGame
		g.Disputes = append(g.Disputes, c.Target)
	}
	if g.chance(30) {
		c.Kind = 3
	}
	c.Da = abi.DAPointer{ContentHash: c.EvidenceHash, LengthBytes: g.Rnd.Uint32N(50), Backend: uint8(g.Rnd.IntN(4))}
	if g.chance(30) {
		c.Da.ContentHash = common.Hash{}
	}
	d.Value, d.Data = p.DisputeBondWei, c.Encode()
	if d.Value.AddUint64(&d.Value, g.Rnd.Uint64N(3)); g.chance(20) {
		d.Value.Clear()
	}
	if g.History != nil && len(g.History.Interactions) > 0 && g.chance(3) {
		d = g.disputePruned(d, c)
		if c.Game != (common.Address{}) {
			g.Disputes = append(g.Disputes, c.Target)
		}
	}
	return d
}

func (g *Generator) resolution() *abi.ResolveDisputeCall {
	c := &abi.ResolveDisputeCall{Target: g.interaction(), Upheld: g.chance(2), Game: disputedGame}
	if n := len(g.Disputes); n > 0 && !g.chance(10) {
		recent := latest(g, g.Disputes, 6)
		c.Target = recent[g.Rnd.IntN(len(recent))]
	}
	if c.Target[31]%6 == 0 { // a hash: now and then
		c.Game = common.Address{5}
	}
	return c
}

// Resolutions ends about half of the open computational disputes.
func (g *Generator) Resolutions() (out []*abi.ResolveDisputeCall) {
	var seen []byte
	for _, id := range g.Disputes {
		b := g.Get(record.DisputeKey(id))
		if b == nil || bytes.Contains(seen, id[:]) {
			continue
		}
		seen = append(seen, id[:]...)
		if d := must(record.DecodeDispute(b)); d.Outcome == uint8(vm.DisputeOpen) && d.Kind == uint8(vm.Computational) && g.chance(2) {
			out = append(out, &abi.ResolveDisputeCall{Target: id, Upheld: g.chance(2), Game: d.Game})
		}
	}
	return out
}
