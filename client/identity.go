package client

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// ErrActing: the operation cannot be executed for another agent.
var ErrActing = errors.New("not possible for another agent")

// For returns the handle with which this account acts for an agent that it owns or has a session key of: the same operations,
// executed as the agent. This account pays the fees, the agent's balance the values. Nonces are shared, so both handles may be
// used at once.
func (a *Account) For(agent common.Address) *Account {
	acting := *a
	acting.agent = &agent
	return &acting
}

// ActFor executes an operation, given as calldata of IAGNT2, as an agent. valueWei comes from the agent's balance.
func (a *Account) ActFor(ctx context.Context, agent common.Address, valueWei *big.Int, operation []byte) (*types.Receipt, error) {
	value, err := toUint256("actFor: value", valueWei)
	if err != nil {
		return nil, err
	}
	call := abi.ActForCall{Agent: agent, ValueWei: value, Operation: operation}
	return a.s.transact(ctx, txRequest{op: "actFor", to: abi.Address, data: call.Encode()})
}

// OwnedAgent is the address of the agent that an owner registers under an index.
func OwnedAgent(owner common.Address, index uint64) common.Address {
	return vm.OwnedAgent(owner, index)
}

// RegisterFor registers a further agent, which this account owns; For(OwnedAgent(…)) acts for it.
func (a *Account) RegisterFor(ctx context.Context, index uint64, r Registration) (*types.Receipt, error) {
	call := abi.RegisterForCall{
		Index: index, Name: r.Name, Version: r.Version, AgentURI: r.AgentURI, ImageDigest: r.ImageDigest, Capabilities: r.Capabilities, Metadata: r.Metadata,
	}
	if a.agent != nil {
		return nil, fmt.Errorf("registerFor: %w", ErrActing)
	}
	return a.operate(ctx, "registerFor", r.StakeWei, call.Encode())
}

// KeyGrant is what a session key may do; limits are in IAGNT2.sol.
type KeyGrant struct {
	Key           common.Address
	Expiry        time.Time
	SpendLimitWei *big.Int  // sum of the values that it may take from the agent's balance
	Operations    [][4]byte // selectors; empty: all but the owner's
	Capabilities  []string  // names of those that it may invoke and attest; empty: all
}

// AuthorizeKey lets a session key act for the agent, or changes what it may do.
func (a *Account) AuthorizeKey(ctx context.Context, g KeyGrant) (*types.Receipt, error) {
	limit, err := toUint256("authorizeKey: spend limit", g.SpendLimitWei)
	if err != nil {
		return nil, err
	}
	if g.Expiry.Unix() < 0 {
		return nil, fmt.Errorf("authorizeKey: expiry %v is out of range", g.Expiry)
	}
	call := abi.AuthorizeKeyCall{Key: g.Key, Expiry: uint64(g.Expiry.Unix()), SpendLimitWei: limit, Operations: g.Operations}
	for _, name := range g.Capabilities {
		call.Capabilities = append(call.Capabilities, CapabilityID(name))
	}
	return a.operate(ctx, "authorizeKey", nil, call.Encode())
}

// RevokeKey ends a session key.
func (a *Account) RevokeKey(ctx context.Context, key common.Address) (*types.Receipt, error) {
	return a.operate(ctx, "revokeKey", nil, (&abi.RevokeKeyCall{Key: key}).Encode())
}

// TransferOwnership gives the agent a new owner. This account's key acts for it no more, unless it is the new owner.
func (a *Account) TransferOwnership(ctx context.Context, newOwner common.Address) (*types.Receipt, error) {
	return a.operate(ctx, "transferOwnership", nil, (&abi.TransferOwnershipCall{NewOwner: newOwner}).Encode())
}

// SetAgentURI sets the ERC-8004 registration file.
func (a *Account) SetAgentURI(ctx context.Context, uri string) (*types.Receipt, error) {
	return a.operate(ctx, "setAgentURI", nil, (&abi.SetAgentURICall{AgentURI: uri}).Encode())
}

// SetMetadata writes one metadata entry; an empty value deletes it.
func (a *Account) SetMetadata(ctx context.Context, key string, value []byte) (*types.Receipt, error) {
	return a.operate(ctx, "setMetadata", nil, (&abi.SetMetadataCall{Key: key, Value: value}).Encode())
}

// walletConsentTime is how long a wallet's consent is good for; the chain allows 300 s.
const walletConsentTime = 2 * time.Minute

// SetAgentWallet makes a wallet, whose key consents, the agent's ERC-8004 wallet.
func (a *Account) SetAgentWallet(ctx context.Context, wallet *ecdsa.PrivateKey) (*types.Receipt, error) {
	view, err := a.c.Agent(ctx, a.Address())
	if err != nil {
		return nil, err
	}
	rctx, cancel := a.c.request(ctx)
	defer cancel()
	head, err := a.c.ec.HeaderByNumber(rctx, nil)
	if err != nil {
		return nil, fmt.Errorf("setAgentWallet: %w", err)
	}
	w := vm.WalletConsent{
		Agent: a.Address(), Wallet: crypto.PubkeyToAddress(wallet.PublicKey), Owner: view.Owner, Deadline: head.Time + uint64(walletConsentTime/time.Second),
	}
	digest := w.Digest(a.c.chainID.Uint64())
	sig, err := crypto.Sign(digest[:], wallet)
	if err != nil {
		return nil, fmt.Errorf("setAgentWallet: %w", err)
	}
	sig[64] += 27
	return a.operate(ctx, "setAgentWallet", nil, (&abi.SetAgentWalletCall{Wallet: w.Wallet, Deadline: w.Deadline, Signature: sig}).Encode())
}

// UnsetAgentWallet removes the agent's ERC-8004 wallet.
func (a *Account) UnsetAgentWallet(ctx context.Context) (*types.Receipt, error) {
	return a.operate(ctx, "setAgentWallet", nil, new(abi.SetAgentWalletCall).Encode())
}

// OpenSession opens a session with a peer. Its id is InteractionID(agent, salt).
func (a *Account) OpenSession(ctx context.Context, salt common.Hash, peer common.Address, contextHash common.Hash, expiry time.Time) (*types.Receipt, error) {
	call := abi.OpenSessionCall{Salt: salt, Peer: peer, ContextHash: contextHash, Expiry: uint64(max(0, expiry.Unix()))}
	return a.operate(ctx, "openSession", nil, call.Encode())
}

// CloseSession closes a session of which the agent is a party.
func (a *Account) CloseSession(ctx context.Context, id, contextHash common.Hash) (*types.Receipt, error) {
	return a.operate(ctx, "closeSession", nil, (&abi.CloseSessionCall{Id: id, ContextHash: contextHash}).Encode())
}

// Key returns what a session key may do for an agent.
func (c *Client) Key(ctx context.Context, agent, key common.Address) (*abi.KeyView, error) {
	out, err := c.view(ctx, "getKey", (&abi.GetKeyCall{Agent: agent, Key: key}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetKeyReturn(out)
	return &r.Ret0, err
}

// Session returns a session's record.
func (c *Client) Session(ctx context.Context, id common.Hash) (*abi.SessionView, error) {
	out, err := c.view(ctx, "getSession", (&abi.GetSessionCall{Id: id}).Encode())
	if err != nil {
		return nil, err
	}
	r, err := abi.DecodeGetSessionReturn(out)
	return &r.Ret0, err
}
