package deployer

import (
	"context"
	"fmt"
	"maps"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// passportName is the contract that carries agents of other chains into this one.
const passportName = "AgentPassport"

// PassportSource is a chain whose agents are accepted: its AnchorStateRegistry on this L1, and the type of the games that move
// the anchor.
type PassportSource struct {
	ChainID  uint64         `json:"chainId" abi:"chainId"`
	Registry common.Address `json:"registry"`
	GameType uint32         `json:"gameType"`
}

// sources are those of the new contract: the chain itself, so that its own agents can show each other's finalised history where
// only foreign records are read, and those of the intent.
func (p *plan) sources(in *Intent) []PassportSource {
	own := PassportSource{in.L2ChainID, p.addrs["AnchorStateRegistryProxy"], in.Game.Type}
	return append([]PassportSource{own}, in.PassportSources...)
}

// passport plans AgentPassport. It is planned before the L2 genesis, which names its alias.
func (p *plan) passport(in *Intent) common.Address {
	known := p.known(in)
	maps.Copy(known, map[string]any{"governance": in.Policy.Governance, "sources": p.sources(in)})
	return p.own(passportName, passportName, known)
}

// policy is the intent's, with the contracts that were planned unless it names other senders.
func (p *plan) policy(in *Intent) record.Policy {
	policy := in.Policy
	if policy.AgentPassport == (common.Address{}) {
		policy.AgentPassport = abi.Alias(p.addrs[passportName])
	}
	if policy.DisputeResolver == (common.Address{}) {
		policy.DisputeResolver = abi.Alias(p.addrs[resolverName])
	}
	return policy
}

// verifyPassport asks the contract what it was made with. Its sources change when governance says so.
func (d *deployment) verifyPassport(ctx context.Context, p *plan) error {
	art, err := d.opt.Artifacts.Own(passportName)
	if err != nil {
		return err
	}
	for method, want := range map[string]common.Address{"portal": p.addrs["OptimismPortalProxy"], "governance": d.in.Policy.Governance} {
		got, err := callView(ctx, d.c, art, p.addrs[passportName], method)
		if err != nil {
			return err
		}
		if got[0] != want {
			return fmt.Errorf("%w: %s.%s is %v and should be %v", ErrVerify, passportName, method, got[0], want)
		}
	}
	return nil
}
