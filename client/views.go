package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/abi"
)

// view asks the AGNT2 address at the latest block.
func (c *Client) view(ctx context.Context, op string, data []byte) ([]byte, error) {
	rctx, cancel := c.request(ctx)
	defer cancel()
	out, err := c.ec.CallContract(rctx, ethereum.CallMsg{To: &abi.Address, Data: data}, nil)
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

// Provider is an agent that offers a capability now.
type Provider struct {
	Agent      common.Address
	Capability abi.Capability
	Reputation abi.ReputationView
}

// MaxProviders bounds the answer of FindByCapability.
const MaxProviders = 256

// FindByCapability lists the active agents that offer a capability now, those who announced it last first, at most
// MaxProviders. It scans CapabilityUpdated events from the latest block down to fromBlock and asks the chain about each
// agent found: the client's way to discover until the chain answers DISCOVER itself.
func (c *Client) FindByCapability(ctx context.Context, name string, fromBlock uint64) ([]Provider, error) {
	head, err := c.blockNumber(ctx)
	if err != nil {
		return nil, fmt.Errorf("find %q: %w", name, err)
	}
	topics := [][]common.Hash{{abi.CapabilityUpdatedTopic}, nil, {CapabilityID(name)}}
	var found []Provider
	asked := map[common.Address]bool{}
	for last := head; ; last -= logRange {
		first := fromBlock
		if last >= fromBlock+logRange {
			first = last - logRange + 1
		}
		logs, err := c.filterLogs(ctx, topics, first, last)
		if err != nil {
			return nil, fmt.Errorf("find %q: %w", name, err)
		}
		for i := len(logs) - 1; i >= 0; i-- {
			agent, ok := capabilityAgent(&logs[i], name)
			if !ok || asked[agent] {
				continue
			}
			asked[agent] = true
			p, err := c.provider(ctx, agent, name)
			if err != nil {
				return nil, fmt.Errorf("find %q: %w", name, err)
			}
			if p == nil {
				continue
			}
			if found = append(found, *p); len(found) == MaxProviders {
				return found, nil
			}
		}
		if first <= fromBlock {
			return found, nil
		}
	}
}

func capabilityAgent(l *types.Log, name string) (common.Address, bool) {
	e, err := abi.DecodeCapabilityUpdatedEvent(l)
	return e.Agent, err == nil && e.Name == name
}

// provider returns nil if the agent is not active or does not offer the capability any more.
func (c *Client) provider(ctx context.Context, agent common.Address, name string) (*Provider, error) {
	record, err := c.Agent(ctx, agent)
	if err != nil || AgentStatus(record.Status) != AgentActive {
		return nil, err
	}
	offer, err := c.Capability(ctx, agent, name)
	var gone *abi.CapabilityUnknown
	if errors.As(err, &gone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	reputation, err := c.Reputation(ctx, agent)
	if err != nil {
		return nil, err
	}
	return &Provider{Agent: agent, Capability: *offer, Reputation: *reputation}, nil
}
