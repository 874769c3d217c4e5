package client

import (
	"context"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// view asks the AGNT2 address at the latest block.
func (c *Client) view(ctx context.Context, op string, data []byte) ([]byte, error) {
	return c.viewAt(ctx, &abi.Address, op, data)
}

// viewAt asks an address that the engine answers.
func (c *Client) viewAt(ctx context.Context, to *common.Address, op string, data []byte) ([]byte, error) {
	rctx, cancel := c.request(ctx)
	defer cancel()
	out, err := c.ec.CallContract(rctx, ethereum.CallMsg{To: to, Data: data}, nil)
	if err != nil {
		return nil, callError(op, err)
	}
	return out, nil
}

// Agent returns an agent's record; Status AgentNone if there is none.
func (c *Client) Agent(ctx context.Context, agent common.Address) (*abi.AgentView, error) {
	out, err := c.view(ctx, "getAgent", (&abi.GetAgentCall{Agent: agent}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetAgentReturn(out)
	return &r.Ret0, err
}

// Reputation returns an agent's counters, and the score in 1/10000 at the latest block's time.
func (c *Client) Reputation(ctx context.Context, agent common.Address) (*abi.ReputationView, error) {
	out, err := c.view(ctx, "getReputation", (&abi.GetReputationCall{Agent: agent}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetReputationReturn(out)
	return &r.Ret0, err
}

// Interaction returns an interaction's record; Status InteractionNone if there is none.
func (c *Client) Interaction(ctx context.Context, id common.Hash) (*abi.InteractionView, error) {
	out, err := c.view(ctx, "getInteraction", (&abi.GetInteractionCall{Id: id}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetInteractionReturn(out)
	return &r.Ret0, err
}

// Capability returns what an agent offers under a name; *abi.CapabilityUnknown if it does not offer it now.
func (c *Client) Capability(ctx context.Context, agent common.Address, name string) (*abi.Capability, error) {
	out, err := c.view(ctx, "getCapability", (&abi.GetCapabilityCall{Agent: agent, Capability: CapabilityID(name)}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetCapabilityReturn(out)
	return &r.Ret0, err
}
