package ethapi

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Views of ERC-8004's Identity registry.

// registryVersion is that of the standard's reference registry whose interface this one has.
const registryVersion = "2.0.0"

// Interfaces that the registry has (ERC-165): that of ERC-165 itself, ERC-721, ERC-721 Metadata.
var registryInterfaces = map[[4]byte]bool{
	{0x01, 0xff, 0xc9, 0xa7}: true, {0x80, 0xac, 0x58, 0xcd}: true, {0x5b, 0x5e, 0x13, 0x9f}: true,
}

var identityRegistryViews = map[[4]byte]viewFunc{
	erc8004.NameSelector: viewOf(erc8004.DecodeNameCall, func(*reading, *erc8004.NameCall) ([]byte, error) {
		return (&erc8004.NameReturn{Ret0: "AgentIdentity"}).Encode(), nil
	}),
	erc8004.SymbolSelector: viewOf(erc8004.DecodeSymbolCall, func(*reading, *erc8004.SymbolCall) ([]byte, error) {
		return (&erc8004.SymbolReturn{Ret0: "AGENT"}).Encode(), nil
	}),
	erc8004.GetVersionSelector: viewOf(erc8004.DecodeGetVersionCall, func(*reading, *erc8004.GetVersionCall) ([]byte, error) {
		return (&erc8004.GetVersionReturn{Ret0: registryVersion}).Encode(), nil
	}),
	erc8004.SupportsInterfaceSelector: viewOf(erc8004.DecodeSupportsInterfaceCall, func(_ *reading, c *erc8004.SupportsInterfaceCall) ([]byte, error) {
		return (&erc8004.SupportsInterfaceReturn{Ret0: registryInterfaces[c.InterfaceId]}).Encode(), nil
	}),
	erc8004.IsApprovedForAllSelector: viewOf(erc8004.DecodeIsApprovedForAllCall, func(*reading, *erc8004.IsApprovedForAllCall) ([]byte, error) {
		return new(erc8004.IsApprovedForAllReturn).Encode(), nil
	}),
	erc8004.GetApprovedSelector:         viewOf(erc8004.DecodeGetApprovedCall, getApproved),
	erc8004.OwnerOfSelector:             viewOf(erc8004.DecodeOwnerOfCall, ownerOf),
	erc8004.BalanceOfSelector:           viewOf(erc8004.DecodeBalanceOfCall, balanceOf),
	erc8004.TokenURISelector:            viewOf(erc8004.DecodeTokenURICall, tokenURI),
	erc8004.GetAgentWalletSelector:      viewOf(erc8004.DecodeGetAgentWalletCall, getAgentWallet),
	erc8004.GetMetadataSelector:         viewOf(erc8004.DecodeGetMetadataCall, getMetadata),
	erc8004.IsAuthorizedOrOwnerSelector: viewOf(erc8004.DecodeIsAuthorizedOrOwnerCall, isAuthorizedOrOwner),
}

// token is the agent that a number names; an agent that has deregistered is still somebody's token.
func token(v *reading, id *uint256.Int) (Records, common.Address, *record.Agent, error) {
	who, ok := erc8004.Agent(id)
	if !ok {
		return nil, who, nil, &abi.FieldOutOfRange{Field: "agentId"}
	}
	r, err := v.records()
	if err != nil {
		return nil, who, nil, err
	}
	agent, err := read(r, record.AgentKey(who), record.DecodeAgent)
	if err == nil && agent == nil {
		err = &abi.NotRegistered{Agent: who}
	}
	return r, who, agent, err
}

func ownerOf(v *reading, c *erc8004.OwnerOfCall) ([]byte, error) {
	_, _, agent, err := token(v, &c.TokenId)
	if err != nil {
		return nil, err
	}
	return (&erc8004.OwnerOfReturn{Ret0: agent.Owner}).Encode(), nil
}

func getApproved(v *reading, c *erc8004.GetApprovedCall) ([]byte, error) {
	if _, _, _, err := token(v, &c.TokenId); err != nil {
		return nil, err
	}
	return new(erc8004.GetApprovedReturn).Encode(), nil
}

func balanceOf(v *reading, c *erc8004.BalanceOfCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	h, err := readOr(r, record.HoldingKey(c.Owner), record.DecodeHolding)
	if err != nil {
		return nil, err
	}
	return (&erc8004.BalanceOfReturn{Ret0: *uint256.NewInt(h.Agents)}).Encode(), nil
}

func tokenURI(v *reading, c *erc8004.TokenURICall) ([]byte, error) {
	r, who, _, err := token(v, &c.TokenId)
	if err != nil {
		return nil, err
	}
	uri, err := readOr(r, record.AgentURIKey(who), record.DecodeAgentURI)
	if err != nil {
		return nil, err
	}
	return (&erc8004.TokenURIReturn{Ret0: uri.Uri}).Encode(), nil
}

func getAgentWallet(v *reading, c *erc8004.GetAgentWalletCall) ([]byte, error) {
	r, who, agent, err := token(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	wallet, err := walletOf(r, who, agent)
	if err != nil {
		return nil, err
	}
	return (&erc8004.GetAgentWalletReturn{Ret0: wallet}).Encode(), nil
}

func getMetadata(v *reading, c *erc8004.GetMetadataCall) ([]byte, error) {
	r, who, agent, err := token(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	if c.MetadataKey == erc8004.WalletKey {
		wallet, err := walletOf(r, who, agent)
		if err != nil {
			return nil, err
		}
		out := erc8004.GetMetadataReturn{}
		if (wallet != common.Address{}) {
			out.Ret0 = wallet[:]
		}
		return out.Encode(), nil
	}
	m, err := readOr(r, record.MetadataKey(who, c.MetadataKey), record.DecodeMetadata)
	if err != nil {
		return nil, err
	}
	return (&erc8004.GetMetadataReturn{Ret0: m.Value}).Encode(), nil
}

func isAuthorizedOrOwner(v *reading, c *erc8004.IsAuthorizedOrOwnerCall) ([]byte, error) {
	_, _, agent, err := token(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	return (&erc8004.IsAuthorizedOrOwnerReturn{Ret0: agent.Owner == c.Spender}).Encode(), nil
}
