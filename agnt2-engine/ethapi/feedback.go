package ethapi

import (
	"cmp"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/abi/codec"
	"github.com/agnt2/agnt2/agnt2/erc8004"
	"github.com/agnt2/agnt2/agnt2/erc8004/feedback"
	"github.com/agnt2/agnt2/agnt2/erc8004/validation"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Views of ERC-8004's Reputation and Validation registries. The standard's views go through lists that only grow, so every call
// has a budget of records, and there are views of this chain's own that take a part of a list.

// maxViewRecords bounds the records that one call reads; the interfaces say so to callers.
const maxViewRecords = 10_000

var reputationRegistryViews = map[[4]byte]viewFunc{
	feedback.GetVersionSelector: viewOf(feedback.DecodeGetVersionCall, func(*reading, *feedback.GetVersionCall) ([]byte, error) {
		return (&feedback.GetVersionReturn{Ret0: registryVersion}).Encode(), nil
	}),
	feedback.GetIdentityRegistrySelector: viewOf(feedback.DecodeGetIdentityRegistryCall, func(*reading, *feedback.GetIdentityRegistryCall) ([]byte, error) {
		return (&feedback.GetIdentityRegistryReturn{IdentityRegistry: abi.IdentityRegistryAddress}).Encode(), nil
	}),
	feedback.GetSummarySelector:             viewOf(feedback.DecodeGetSummaryCall, getFeedbackSummary),
	feedback.ReadFeedbackSelector:           viewOf(feedback.DecodeReadFeedbackCall, readFeedback),
	feedback.ReadAllFeedbackSelector:        viewOf(feedback.DecodeReadAllFeedbackCall, readAllFeedback),
	feedback.GetResponseCountSelector:       viewOf(feedback.DecodeGetResponseCountCall, getResponseCount),
	feedback.GetClientsSelector:             viewOf(feedback.DecodeGetClientsCall, getClients),
	feedback.GetClientsPageSelector:         viewOf(feedback.DecodeGetClientsPageCall, getClientsPage),
	feedback.GetLastIndexSelector:           viewOf(feedback.DecodeGetLastIndexCall, getLastIndex),
	feedback.GetFeedbackInteractionSelector: viewOf(feedback.DecodeGetFeedbackInteractionCall, getFeedbackInteraction),
	feedback.GetFeedbackIndexSelector:       viewOf(feedback.DecodeGetFeedbackIndexCall, getFeedbackIndex),
}

var validationRegistryViews = map[[4]byte]viewFunc{
	validation.GetVersionSelector: viewOf(validation.DecodeGetVersionCall, func(*reading, *validation.GetVersionCall) ([]byte, error) {
		return (&validation.GetVersionReturn{Ret0: registryVersion}).Encode(), nil
	}),
	validation.GetIdentityRegistrySelector: viewOf(validation.DecodeGetIdentityRegistryCall, func(*reading, *validation.GetIdentityRegistryCall) ([]byte, error) {
		return (&validation.GetIdentityRegistryReturn{IdentityRegistry: abi.IdentityRegistryAddress}).Encode(), nil
	}),
	validation.GetValidationStatusSelector:      viewOf(validation.DecodeGetValidationStatusCall, getValidationStatus),
	validation.GetSummarySelector:               viewOf(validation.DecodeGetSummaryCall, getValidationSummary),
	validation.GetAgentValidationsSelector:      viewOf(validation.DecodeGetAgentValidationsCall, getAgentValidations),
	validation.GetAgentValidationsPageSelector:  viewOf(validation.DecodeGetAgentValidationsPageCall, getAgentValidationsPage),
	validation.GetValidatorRequestsSelector:     viewOf(validation.DecodeGetValidatorRequestsCall, getValidatorRequests),
	validation.GetValidatorRequestsPageSelector: viewOf(validation.DecodeGetValidatorRequestsPageCall, getValidatorRequestsPage),
}

// scan reads a bounded number of records.
type scan struct {
	r    Records
	left uint64
}

func newScan(v *reading) (*scan, error) {
	r, err := v.records()
	return &scan{r, maxViewRecords}, err
}

// scanAgent is a scan for a view about an agent, which needs not exist: then nothing is there.
func scanAgent(v *reading, id *uint256.Int) (*scan, common.Address, error) {
	agent, ok := erc8004.Agent(id)
	if !ok {
		return nil, agent, &abi.FieldOutOfRange{Field: "agentId"}
	}
	s, err := newScan(v)
	return s, agent, err
}

// reserve takes n records from the budget.
func (s *scan) reserve(n uint64) error {
	if n > s.left {
		return &feedback.TooManyRecords{Limit: maxViewRecords}
	}
	s.left -= n
	return nil
}

func scanned[T any](s *scan, key record.Key, decode func([]byte) (T, error)) (x T, err error) {
	if err := s.reserve(1); err != nil {
		return x, err
	}
	return readOr(s.r, key, decode)
}

// list is what of a list stands at from and behind it, up to count entries, and how many there are in all.
func (s *scan) list(kind record.ListKind, subject common.Address, from, count uint64) (items []common.Hash, total uint64, err error) {
	n, err := scanned(s, record.ListCountKey(kind, subject), record.DecodeListCount)
	if err != nil || from > n.Count {
		return nil, n.Count, err
	}
	from = max(from, 1)
	count = min(count, n.Count-from+1)
	if count > s.left { // before anything is read for nothing
		return nil, n.Count, s.reserve(count)
	}
	for i := range count {
		entry, err := scanned(s, record.ListEntryKey(kind, subject, from+i), record.DecodeListEntry)
		if err != nil {
			return nil, n.Count, err
		}
		items = append(items, entry.Item)
	}
	return items, n.Count, nil
}

// whole is a whole list.
func (s *scan) whole(kind record.ListKind, subject common.Address) ([]common.Hash, error) {
	items, _, err := s.list(kind, subject, 1, maxViewRecords+1)
	return items, err
}

func (s *scan) clients(agent common.Address) (out []common.Address, err error) {
	items, err := s.whole(record.ListClients, agent)
	for _, item := range items {
		out = append(out, common.BytesToAddress(item[:]))
	}
	return out, err
}

// visit calls f for all feedback of clients about an agent.
func (s *scan) visit(agent common.Address, clients []common.Address, f func(client common.Address, index uint64, x *record.Feedback) error) error {
	for _, client := range clients {
		n, err := scanned(s, record.FeedbackCountKey(agent, client), record.DecodeFeedbackCount)
		if err != nil {
			return err
		}
		for i := range n.Count {
			x, err := scanned(s, record.FeedbackKey(agent, client, i+1), record.DecodeFeedback)
			if err != nil {
				return err
			}
			if err := f(client, i+1, &x); err != nil {
				return err
			}
		}
	}
	return nil
}

// tagged reports whether feedback has the tags; an empty one is any.
func tagged(x *record.Feedback, tag1, tag2 string) bool {
	return (tag1 == "" || tag1 == x.Tag1) && (tag2 == "" || tag2 == x.Tag2)
}

const mostDecimals = 18

// mean is the standard's: of values brought to 18 decimals, cut to the number of decimals that most of them have.
func mean(counts *[mostDecimals + 1]uint64, sum *big.Int, count uint64) (value codec.Int128, decimals uint8) {
	if count == 0 {
		return value, 0
	}
	for d, n := range counts {
		if n > counts[decimals] {
			decimals = uint8(d)
		}
	}
	v := new(big.Int).Quo(sum, new(big.Int).SetUint64(count))
	value, _ = codec.Int128FromBig(v.Quo(v, tenTo(mostDecimals-int64(decimals)))) // values are within 10^38
	return value, decimals
}

func tenTo(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

func getFeedbackSummary(v *reading, c *feedback.GetSummaryCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	if len(c.ClientAddresses) == 0 {
		return nil, &abi.FieldOutOfRange{Field: "clientAddresses"}
	}
	var out feedback.GetSummaryReturn
	var counts [mostDecimals + 1]uint64
	sum := new(big.Int)
	err = s.visit(agent, c.ClientAddresses, func(_ common.Address, _ uint64, x *record.Feedback) error {
		if !x.IsRevoked && tagged(x, c.Tag1, c.Tag2) {
			out.Count++
			counts[x.ValueDecimals]++
			sum.Add(sum, new(big.Int).Mul(x.Value.Big(), tenTo(mostDecimals-int64(x.ValueDecimals))))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.SummaryValue, out.SummaryValueDecimals = mean(&counts, sum, out.Count)
	return out.Encode(), nil
}

// oneFeedback is feedback that must be there.
func oneFeedback(v *reading, id *uint256.Int, client common.Address, index uint64) (*record.Feedback, error) {
	s, agent, err := scanAgent(v, id)
	if err != nil {
		return nil, err
	}
	x, err := read(s.r, record.FeedbackKey(agent, client, index), record.DecodeFeedback)
	if err == nil && x == nil {
		err = &abi.FeedbackUnknown{Agent: agent, Client: client, FeedbackIndex: index}
	}
	return x, err
}

func readFeedback(v *reading, c *feedback.ReadFeedbackCall) ([]byte, error) {
	x, err := oneFeedback(v, &c.AgentId, c.ClientAddress, c.FeedbackIndex)
	if err != nil {
		return nil, err
	}
	return (&feedback.ReadFeedbackReturn{
		Value: x.Value, ValueDecimals: x.ValueDecimals, Tag1: x.Tag1, Tag2: x.Tag2, IsRevoked: x.IsRevoked,
	}).Encode(), nil
}

func getFeedbackInteraction(v *reading, c *feedback.GetFeedbackInteractionCall) ([]byte, error) {
	x, err := oneFeedback(v, &c.AgentId, c.ClientAddress, c.FeedbackIndex)
	if err != nil {
		return nil, err
	}
	return (&feedback.GetFeedbackInteractionReturn{InteractionId: x.InteractionId, GivenAt: x.GivenAt}).Encode(), nil
}

func getFeedbackIndex(v *reading, c *feedback.GetFeedbackIndexCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	x, err := readOr(r, record.RatingKey(c.InteractionId), record.DecodeRating)
	if err != nil {
		return nil, err
	}
	return (&feedback.GetFeedbackIndexReturn{Ret0: x.FeedbackIndex}).Encode(), nil
}

func readAllFeedback(v *reading, c *feedback.ReadAllFeedbackCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	clients := c.ClientAddresses
	if len(clients) == 0 {
		if clients, err = s.clients(agent); err != nil {
			return nil, err
		}
	}
	var out feedback.ReadAllFeedbackReturn
	err = s.visit(agent, clients, func(client common.Address, index uint64, x *record.Feedback) error {
		if x.IsRevoked && !c.IncludeRevoked || !tagged(x, c.Tag1, c.Tag2) {
			return nil
		}
		out.Clients, out.FeedbackIndexes = append(out.Clients, client), append(out.FeedbackIndexes, index)
		out.Values, out.ValueDecimals = append(out.Values, x.Value), append(out.ValueDecimals, x.ValueDecimals)
		out.Tag1s, out.Tag2s = append(out.Tag1s, x.Tag1), append(out.Tag2s, x.Tag2)
		out.RevokedStatuses = append(out.RevokedStatuses, x.IsRevoked)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out.Encode(), nil
}

// getResponseCount: without a client all of the agent's feedback, without an index all of the client's, without responders those
// of everybody.
func getResponseCount(v *reading, c *feedback.GetResponseCountCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	var out feedback.GetResponseCountReturn
	count := func(client common.Address, index uint64, x *record.Feedback) error {
		if len(c.Responders) == 0 {
			out.Count += x.Responses
			return nil
		}
		for _, responder := range c.Responders {
			n, err := scanned(s, record.ResponseCountKey(agent, client, index, responder), record.DecodeResponseCount)
			if err != nil {
				return err
			}
			out.Count += n.Count
		}
		return nil
	}
	clients := []common.Address{c.ClientAddress}
	switch {
	case c.ClientAddress == common.Address{}:
		if clients, err = s.clients(agent); err == nil {
			err = s.visit(agent, clients, count)
		}
	case c.FeedbackIndex == 0:
		err = s.visit(agent, clients, count)
	default:
		var x record.Feedback
		if x, err = scanned(s, record.FeedbackKey(agent, c.ClientAddress, c.FeedbackIndex), record.DecodeFeedback); err == nil {
			err = count(c.ClientAddress, c.FeedbackIndex, &x)
		}
	}
	if err != nil {
		return nil, err
	}
	return out.Encode(), nil
}

func getClients(v *reading, c *feedback.GetClientsCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	clients, err := s.clients(agent)
	if err != nil {
		return nil, err
	}
	return (&feedback.GetClientsReturn{Ret0: clients}).Encode(), nil
}

func getClientsPage(v *reading, c *feedback.GetClientsPageCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	items, total, err := s.list(record.ListClients, agent, c.From, c.Count)
	if err != nil {
		return nil, err
	}
	out := feedback.GetClientsPageReturn{Total: total}
	for _, item := range items {
		out.Clients = append(out.Clients, common.BytesToAddress(item[:]))
	}
	return out.Encode(), nil
}

func getLastIndex(v *reading, c *feedback.GetLastIndexCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	n, err := scanned(s, record.FeedbackCountKey(agent, c.ClientAddress), record.DecodeFeedbackCount)
	if err != nil {
		return nil, err
	}
	return (&feedback.GetLastIndexReturn{Ret0: n.Count}).Encode(), nil
}

func getValidationStatus(v *reading, c *validation.GetValidationStatusCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	x, err := read(r, record.ValidationKey(c.RequestHash), record.DecodeValidation)
	if err != nil {
		return nil, err
	}
	if x == nil {
		return nil, &abi.ValidationUnknown{RequestHash: c.RequestHash}
	}
	return (&validation.GetValidationStatusReturn{
		ValidatorAddress: x.Validator, AgentId: erc8004.AgentID(x.Agent), Response: x.Response, ResponseHash: x.ResponseHash, Tag: x.Tag,
		LastUpdate: *uint256.NewInt(x.LastUpdate),
	}).Encode(), nil
}

func getValidationSummary(v *reading, c *validation.GetSummaryCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	requests, err := s.whole(record.ListAgentValidations, agent)
	if err != nil {
		return nil, err
	}
	validators := slices.SortedFunc(slices.Values(c.ValidatorAddresses), common.Address.Cmp)
	var out validation.GetSummaryReturn
	sum := uint64(0)
	for _, hash := range requests {
		x, err := scanned(s, record.ValidationKey(hash), record.DecodeValidation)
		if err != nil {
			return nil, err
		}
		_, listed := slices.BinarySearchFunc(validators, x.Validator, common.Address.Cmp)
		if x.Answered && (listed || len(validators) == 0) && (c.Tag == "" || c.Tag == x.Tag) {
			out.Count++
			sum += uint64(x.Response)
		}
	}
	out.AverageResponse = uint8(sum / cmp.Or(out.Count, 1))
	return out.Encode(), nil
}

func getAgentValidations(v *reading, c *validation.GetAgentValidationsCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	hashes, err := s.whole(record.ListAgentValidations, agent)
	if err != nil {
		return nil, err
	}
	return (&validation.GetAgentValidationsReturn{RequestHashes: hashes}).Encode(), nil
}

func getAgentValidationsPage(v *reading, c *validation.GetAgentValidationsPageCall) ([]byte, error) {
	s, agent, err := scanAgent(v, &c.AgentId)
	if err != nil {
		return nil, err
	}
	hashes, total, err := s.list(record.ListAgentValidations, agent, c.From, c.Count)
	if err != nil {
		return nil, err
	}
	return (&validation.GetAgentValidationsPageReturn{RequestHashes: hashes, Total: total}).Encode(), nil
}

func getValidatorRequests(v *reading, c *validation.GetValidatorRequestsCall) ([]byte, error) {
	s, err := newScan(v)
	if err != nil {
		return nil, err
	}
	hashes, err := s.whole(record.ListValidatorRequests, c.ValidatorAddress)
	if err != nil {
		return nil, err
	}
	return (&validation.GetValidatorRequestsReturn{RequestHashes: hashes}).Encode(), nil
}

func getValidatorRequestsPage(v *reading, c *validation.GetValidatorRequestsPageCall) ([]byte, error) {
	s, err := newScan(v)
	if err != nil {
		return nil, err
	}
	hashes, total, err := s.list(record.ListValidatorRequests, c.ValidatorAddress, c.From, c.Count)
	if err != nil {
		return nil, err
	}
	return (&validation.GetValidatorRequestsPageReturn{RequestHashes: hashes, Total: total}).Encode(), nil
}
