package ethapi

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Views of who acts for an agent, its wallet and its sessions.

// walletOf is an agent's ERC-8004 wallet: at first its owner, later what it has set under its present owner.
func walletOf(r Records, who common.Address, agent *record.Agent) (common.Address, error) {
	w, err := read(r, record.WalletKey(who), record.DecodeWallet)
	switch {
	case err != nil:
		return common.Address{}, err
	case w == nil && agent.Ownership == 0:
		return agent.Owner, nil
	case w == nil || w.Ownership != agent.Ownership:
		return common.Address{}, nil
	}
	return w.Wallet, nil
}

func getKey(v *reading, c *abi.GetKeyCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	k, err := read(r, record.DelegationKey(c.Agent, c.Key), record.DecodeDelegation)
	if err != nil {
		return nil, err
	}
	var out abi.KeyView
	if k != nil {
		agent, err := readOr(r, record.AgentKey(c.Agent), record.DecodeAgent)
		if err != nil {
			return nil, err
		}
		out = abi.KeyView{
			Active: k.Ownership == agent.Ownership && v.h.Time <= k.Expiry, Expiry: k.Expiry, SpendLimitWei: k.SpendLimitWei, SpentWei: k.SpentWei,
		}
		for i := 0; i < len(k.Operations); i += 4 {
			out.Operations = append(out.Operations, [4]byte(k.Operations[i:]))
		}
		for i := 0; i < len(k.Capabilities); i += 32 {
			out.Capabilities = append(out.Capabilities, common.Hash(k.Capabilities[i:i+32]))
		}
	}
	return (&abi.GetKeyReturn{Ret0: out}).Encode(), nil
}

func getSession(v *reading, c *abi.GetSessionCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	x, err := readOr(r, record.SessionKey(c.Id), record.DecodeSession)
	if err != nil {
		return nil, err
	}
	return (&abi.GetSessionReturn{Ret0: abi.SessionView(x)}).Encode(), nil
}

func agentOf(_ *reading, c *abi.AgentOfCall) ([]byte, error) {
	return (&abi.AgentOfReturn{Ret0: vm.OwnedAgent(c.Owner, c.Index)}).Encode(), nil
}
