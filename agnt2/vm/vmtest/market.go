package vmtest

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// chainID of the worlds in which the transition is tested; a commitment binds to it.
const chainID = 901

// commitment is one that somebody was told to make, and how to reveal it.
type commitment struct {
	from   common.Address
	reveal abi.RevealCall
}

// market is the family of discovery and commit–reveal.
func (g *Generator) market(from common.Address) Draft {
	d := Draft{From: from, To: &abi.Address}
	switch n := g.Rnd.IntN(12); {
	case n < 4:
		d.Data, d.Value = g.discoverInvoke(), *uint256.NewInt(10 + g.Rnd.Uint64N(60))
	case n == 4:
		c := &abi.ReclaimSlotCall{Capability: vm.CapabilityID(g.capability()), Slot: g.Rnd.Uint32N(12)}
		d.Data = c.Encode()
	case n < 9 && len(g.commitments) > 0:
		c := g.commitments[g.Rnd.IntN(len(g.commitments))]
		if !g.chance(10) {
			d.From = c.from
		}
		d.Data, d.Value = c.reveal.Encode(), *uint256.NewInt(10 + g.Rnd.Uint64N(60))
	default:
		d.From, d.Data = g.commit(from)
		d.Value = *uint256.NewInt(10 + g.Rnd.Uint64N(60))
	}
	return d
}

func (g *Generator) discoverInvoke() []byte {
	c := &abi.DiscoverInvokeCall{
		Salt: common.Hash{byte(g.Rnd.Uint32()), byte(g.Rnd.IntN(30))}, Capability: vm.CapabilityID(g.capability()), TtlSeconds: 2 + uint32(g.Rnd.IntN(28)),
		Filter: abi.ProviderFilter{MaxPriceWei: *uint256.NewInt(30 + g.Rnd.Uint64N(60)), MaxLatencyMs: 900},
	}
	switch g.Rnd.IntN(12) {
	case 0:
		c.Filter.MaxPriceWei = g.number(2)
	case 1:
		c.Filter.MaxLatencyMs = g.Rnd.Uint32N(4)
	case 2:
		c.Filter.MinReputation = uint16(g.Rnd.IntN(20))
	case 3, 4:
		c.Filter.InputSchemaHash = common.Hash{byte(g.Rnd.IntN(3))}
	case 5:
		c.Filter.OutputSchemaHash = common.Hash{byte(g.Rnd.IntN(3))}
	case 6:
		c.ParamsHash = common.Hash{1}
	}
	return c.Encode()
}

// mostCommitments is how many the generator remembers in a small world: with more, most reveals would come too late.
const mostCommitments = 20

func (g *Generator) commit(from common.Address) (common.Address, []byte) {
	callee := g.anyone()
	for range 20 {
		if callee == from || g.account(callee).Roles&vm.RoleAgent == 0 {
			callee = g.anyone()
		}
	}
	var salt common.Hash
	binary.BigEndian.PutUint64(salt[:], g.Rnd.Uint64())
	c := abi.RevealCall{
		CommitSalt: salt, Salt: salt, Callee: callee, Capability: vm.CapabilityID(g.capability()), TtlSeconds: 2 + uint32(g.Rnd.IntN(28)),
		MaxPriceWei: *uint256.NewInt(g.Rnd.Uint64N(60)),
	}
	if n := len(g.commitments); n > 0 && g.chance(8) { // once more
		from, c = g.commitments[n-1].from, g.commitments[n-1].reveal
	}
	g.commitments = append(g.commitments, commitment{from, c})
	g.commitments = latest(g, g.commitments, mostCommitments)
	encoded := c.Encode()
	invoke := append(abi.InvokeSelector[:], encoded[4+32:]...)
	return from, (&abi.CommitCall{Commitment: vm.CommitmentHash(chainID, from, c.CommitSalt, invoke)}).Encode()
}
