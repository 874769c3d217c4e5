package client

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// ErrValueRange: feedback's value is no int128.
var ErrValueRange = errors.New("feedback's value is out of range")

// Feedback is what a caller says of an agent in ERC-8004's Reputation registry; limits are in IAGNT2.sol.
type Feedback struct {
	Agent common.Address
	// Interaction with the agent that it is about, as long as the chain has its record. Zero: the latest one that counts for
	// the agent's reputation.
	Interaction   common.Hash
	Value         *big.Int // in units of 10^-ValueDecimals
	ValueDecimals uint8
	Tag1, Tag2    string      // what Value measures, as in the standard: "starred", "uptime", …
	URI           string      // of a file that says more
	Hash          common.Hash // keccak256 of that file
}

// GiveFeedback rates an agent for one interaction, once. It returns the feedback's index among those that this account has given
// to the agent.
func (a *Account) GiveFeedback(ctx context.Context, f Feedback) (index uint64, r *types.Receipt, err error) {
	call := abi.GiveFeedbackCall{
		AgentId: erc8004.AgentID(f.Agent), ValueDecimals: f.ValueDecimals, Tag1: f.Tag1, Tag2: f.Tag2, FeedbackURI: f.URI, FeedbackHash: f.Hash,
	}
	if f.Value != nil {
		var ok bool
		if call.Value, ok = codec.Int128FromBig(f.Value); !ok {
			return 0, nil, fmt.Errorf("giveFeedback: %w: %v", ErrValueRange, f.Value)
		}
	}
	if f.Interaction != (common.Hash{}) {
		call.Endpoint = vm.InteractionEndpoint(f.Interaction)
	}
	if r, err = a.operate(ctx, "giveFeedback", nil, call.Encode()); err != nil {
		return 0, r, err
	}
	for _, l := range r.Logs {
		if l.Address == abi.ReputationRegistryAddress && len(l.Topics) > 0 && l.Topics[0] == feedback.NewFeedbackTopic {
			ev, err := feedback.DecodeNewFeedbackEvent(l)
			return ev.FeedbackIndex, r, err
		}
	}
	return 0, r, fmt.Errorf("giveFeedback: %w", ErrUnexpectedReceipt)
}

// RevokeFeedback takes feedback of this account back. The interaction stays rated.
func (a *Account) RevokeFeedback(ctx context.Context, agent common.Address, index uint64) (*types.Receipt, error) {
	call := abi.RevokeFeedbackCall{AgentId: erc8004.AgentID(agent), FeedbackIndex: index}
	return a.operate(ctx, "revokeFeedback", nil, call.Encode())
}

// AppendResponse answers feedback that a client has given about an agent. hash is keccak256 of what uri leads to.
func (a *Account) AppendResponse(ctx context.Context, agent, client common.Address, index uint64, uri string, hash common.Hash) (*types.Receipt, error) {
	call := abi.AppendResponseCall{AgentId: erc8004.AgentID(agent), ClientAddress: client, FeedbackIndex: index, ResponseURI: uri, ResponseHash: hash}
	return a.operate(ctx, "appendResponse", nil, call.Encode())
}

// RequestValidation asks a validator to check work of this account's agent. requestHash commits to what uri leads to, and is the
// request's id.
func (a *Account) RequestValidation(ctx context.Context, validator common.Address, uri string, requestHash common.Hash) (*types.Receipt, error) {
	call := abi.ValidationRequestCall{ValidatorAddress: validator, AgentId: erc8004.AgentID(a.Address()), RequestURI: uri, RequestHash: requestHash}
	return a.operate(ctx, "validationRequest", nil, call.Encode())
}

// Validation is a validator's answer.
type Validation struct {
	Response uint8 // 0 (failed) to 100 (passed)
	URI      string
	Hash     common.Hash // keccak256 of what URI leads to
	Tag      string
}

// RespondValidation answers a request to this account, or answers it anew.
func (a *Account) RespondValidation(ctx context.Context, requestHash common.Hash, v Validation) (*types.Receipt, error) {
	call := abi.ValidationResponseCall{RequestHash: requestHash, Response: v.Response, ResponseURI: v.URI, ResponseHash: v.Hash, Tag: v.Tag}
	return a.operate(ctx, "validationResponse", nil, call.Encode())
}

// FeedbackSummary is the mean of feedback: Value in units of 10^-Decimals.
type FeedbackSummary struct {
	Count    uint64
	Value    *big.Int
	Decimals uint8
}

// FeedbackSummary returns the mean of what clients say of an agent, with these tags; an empty tag is any. The caller decides whose
// word counts: clients are a choice of those that FeedbackClients lists.
func (c *Client) FeedbackSummary(ctx context.Context, agent common.Address, clients []common.Address, tag1, tag2 string) (*FeedbackSummary, error) {
	call := feedback.GetSummaryCall{AgentId: erc8004.AgentID(agent), ClientAddresses: clients, Tag1: tag1, Tag2: tag2}
	out, err := c.viewAt(ctx, &abi.ReputationRegistryAddress, "getSummary", call.Encode())
	if err != nil {
		return nil, err
	}
	r, err := feedback.DecodeGetSummaryReturn(out)
	return &FeedbackSummary{r.Count, r.SummaryValue.Big(), r.SummaryValueDecimals}, err
}

// ReadFeedback returns one client's feedback about an agent; index counts from 1.
func (c *Client) ReadFeedback(ctx context.Context, agent, client common.Address, index uint64) (*feedback.ReadFeedbackReturn, error) {
	call := feedback.ReadFeedbackCall{AgentId: erc8004.AgentID(agent), ClientAddress: client, FeedbackIndex: index}
	out, err := c.viewAt(ctx, &abi.ReputationRegistryAddress, "readFeedback", call.Encode())
	if err != nil {
		return nil, err
	}
	r, err := feedback.DecodeReadFeedbackReturn(out)
	return &r, err
}

// listPage is how many entries of a list one call asks for.
const listPage = 1000

// FeedbackClients lists all who have given feedback about an agent, in the order of their first one.
func (c *Client) FeedbackClients(ctx context.Context, agent common.Address) (clients []common.Address, err error) {
	for {
		call := feedback.GetClientsPageCall{AgentId: erc8004.AgentID(agent), From: uint64(len(clients)) + 1, Count: listPage}
		out, err := c.viewAt(ctx, &abi.ReputationRegistryAddress, "getClientsPage", call.Encode())
		if err != nil {
			return nil, err
		}
		r, err := feedback.DecodeGetClientsPageReturn(out)
		if err != nil {
			return nil, err
		}
		clients = append(clients, r.Clients...)
		if len(r.Clients) == 0 || uint64(len(clients)) >= r.Total {
			return clients, nil
		}
	}
}

// ValidationStatus returns a request and its last answer.
func (c *Client) ValidationStatus(ctx context.Context, requestHash common.Hash) (*validation.GetValidationStatusReturn, error) {
	call := validation.GetValidationStatusCall{RequestHash: requestHash}
	out, err := c.viewAt(ctx, &abi.ValidationRegistryAddress, "getValidationStatus", call.Encode())
	if err != nil {
		return nil, err
	}
	r, err := validation.DecodeGetValidationStatusReturn(out)
	return &r, err
}

// ValidationSummary returns the number and mean of validators' answers about an agent with a tag; no validators are all, an empty
// tag is any.
func (c *Client) ValidationSummary(ctx context.Context, agent common.Address, validators []common.Address, tag string) (count uint64, average uint8, err error) {
	call := validation.GetSummaryCall{AgentId: erc8004.AgentID(agent), ValidatorAddresses: validators, Tag: tag}
	out, err := c.viewAt(ctx, &abi.ValidationRegistryAddress, "getSummary", call.Encode())
	if err != nil {
		return 0, 0, err
	}
	r, err := validation.DecodeGetSummaryReturn(out)
	return r.Count, r.AverageResponse, err
}

// ValidationRequests lists the hashes of all requests to a validator, in their order.
func (c *Client) ValidationRequests(ctx context.Context, validator common.Address) (hashes []common.Hash, err error) {
	for {
		call := validation.GetValidatorRequestsPageCall{ValidatorAddress: validator, From: uint64(len(hashes)) + 1, Count: listPage}
		out, err := c.viewAt(ctx, &abi.ValidationRegistryAddress, "getValidatorRequestsPage", call.Encode())
		if err != nil {
			return nil, err
		}
		r, err := validation.DecodeGetValidatorRequestsPageReturn(out)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, r.RequestHashes...)
		if len(r.RequestHashes) == 0 || uint64(len(hashes)) >= r.Total {
			return hashes, nil
		}
	}
}
