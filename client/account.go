package client

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// Account acts for one agent. It is safe for concurrent use; use one Account per key and process. When another process
// uses the same key, nonces are found again, at the price of a retry.
//
// Operations wait for their receipt. Their errors are *OperationError where the operation itself failed, either in the
// dry run before sending, which costs nothing, or in a block.
type Account struct {
	c     *Client
	s     *sender
	key   *ecdsa.PrivateKey
	agent *common.Address // whom it acts for; nil: itself
}

// Account returns the handle of a key's agent, registered or not.
func (c *Client) Account(key *ecdsa.PrivateKey) *Account {
	return &Account{c: c, key: key, s: newSender(c.ec, key, c.chainID, c.poll, c.timeout)}
}

// Address of the agent; its agent id is this, left-padded to 32 bytes.
func (a *Account) Address() common.Address {
	if a.agent != nil {
		return *a.agent
	}
	return a.s.from
}

// Registration is the content of REGISTER; limits are in IAGNT2.sol.
type Registration struct {
	Name, Version, AgentURI string
	ImageDigest             common.Hash // of the container image that answers; zero if undeclared
	Capabilities            []abi.Capability
	Metadata                []abi.MetadataEntry
	StakeWei                *big.Int
}

// CapabilityID is the id of a capability name.
func CapabilityID(name string) common.Hash { return vm.CapabilityID(name) }

// Register makes the account an agent.
func (a *Account) Register(ctx context.Context, r Registration) (*types.Receipt, error) {
	call := abi.RegisterCall{Name: r.Name, Version: r.Version, AgentURI: r.AgentURI, ImageDigest: r.ImageDigest, Capabilities: r.Capabilities, Metadata: r.Metadata}
	return a.operate(ctx, "register", r.StakeWei, call.Encode())
}

// UpdateAgent changes name, version and image digest; reputation survives.
func (a *Account) UpdateAgent(ctx context.Context, name, version string, imageDigest common.Hash) (*types.Receipt, error) {
	call := abi.UpdateAgentCall{Name: name, Version: version, ImageDigest: imageDigest}
	return a.operate(ctx, "updateAgent", nil, call.Encode())
}

// UpdateCapabilities adds or replaces upserts, then removes removals (names).
func (a *Account) UpdateCapabilities(ctx context.Context, upserts []abi.Capability, removals ...string) (*types.Receipt, error) {
	call := abi.UpdateCapabilitiesCall{Upserts: upserts}
	for _, name := range removals {
		call.Removals = append(call.Removals, CapabilityID(name))
	}
	return a.operate(ctx, "updateCapabilities", nil, call.Encode())
}

// TopUpStake adds wei to the stake.
func (a *Account) TopUpStake(ctx context.Context, amountWei *big.Int) (*types.Receipt, error) {
	return a.operate(ctx, "topUpStake", amountWei, new(abi.TopUpStakeCall).Encode())
}

// Deregister removes the agent from discovery and starts the stake's cooldown.
func (a *Account) Deregister(ctx context.Context) (*types.Receipt, error) {
	return a.operate(ctx, "deregister", nil, new(abi.DeregisterCall).Encode())
}

// WithdrawStake pays the stake out once the cooldown is over (*abi.CooldownActive says when that is).
func (a *Account) WithdrawStake(ctx context.Context) (*types.Receipt, error) {
	return a.operate(ctx, "withdrawStake", nil, new(abi.WithdrawStakeCall).Encode())
}

// Heartbeat shows liveness.
func (a *Account) Heartbeat(ctx context.Context) (*types.Receipt, error) {
	return a.operate(ctx, "heartbeat", nil, new(abi.HeartbeatCall).Encode())
}

// Transfer sends wei of AGNT.
func (a *Account) Transfer(ctx context.Context, to common.Address, amountWei *big.Int) (*types.Receipt, error) {
	if a.agent != nil {
		return a.operate(ctx, "pay", amountWei, (&abi.PayCall{To: to}).Encode())
	}
	return a.s.transact(ctx, txRequest{op: "transfer", to: to, value: amountWei})
}

// Response is the content of RESPOND.
type Response struct {
	ID     common.Hash
	Status ResponseStatus
	// Result is stored and hashed if Status is StatusOK; otherwise it must be empty.
	Result      []byte
	Branch      uint32 // what guards of a composition read
	ExecutionMs uint64 // claimed
	TimestampMs uint64 // claimed completion, Unix milliseconds
	// Attestation is the 65-byte signature of Attestation.Sign, or empty.
	Attestation []byte
}

// Respond settles an interaction that was invoked on this agent. An OK result is in the payload store before its hash is
// on-chain.
func (a *Account) Respond(ctx context.Context, r Response) (*types.Receipt, error) {
	call := abi.RespondCall{Id: r.ID, Status: uint8(r.Status), Branch: r.Branch, ExecutionMs: r.ExecutionMs, TimestampMs: r.TimestampMs, Attestation: r.Attestation}
	switch {
	case r.Status == StatusOK:
		da, err := a.c.put(ctx, r.Result)
		if err != nil {
			return nil, fmt.Errorf("respond %v: %w", r.ID, err)
		}
		call.Da, call.ResultHash = da, da.ContentHash
	case len(r.Result) > 0:
		return nil, fmt.Errorf("respond %v: a result goes with status OK only, not %v", r.ID, r.Status)
	}
	return a.operate(ctx, "respond", nil, call.Encode())
}

func (a *Account) operate(ctx context.Context, op string, value *big.Int, data []byte) (*types.Receipt, error) {
	if a.agent != nil {
		return a.ActFor(ctx, *a.agent, value, data)
	}
	return a.s.transact(ctx, txRequest{op: op, to: abi.Address, value: value, data: data})
}

// toUint256 checks an amount of wei; nil is 0.
func toUint256(field string, n *big.Int) (u uint256.Int, err error) {
	if n == nil {
		return u, nil
	}
	if n.Sign() < 0 || u.SetFromBig(n) {
		return u, fmt.Errorf("%s: %v is not a uint256", field, n)
	}
	return u, nil
}

// findEvent returns the first log of the AGNT2 address with that topic.
func findEvent(r *types.Receipt, topic common.Hash) *types.Log {
	for _, l := range r.Logs {
		if l.Address == abi.Address && len(l.Topics) > 0 && l.Topics[0] == topic {
			return l
		}
	}
	return nil
}
