package ethapi

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
	"github.com/agnt2/agnt2/agnt2/vm"
)

// maxDiscoverSlots bounds one answer of DISCOVER as a view; IAGNT2.sol says so to callers.
const maxDiscoverSlots = 1024

// providers answers DISCOVER: who in a window of a capability's index satisfies a query, best first, and the slot after the
// window, 0 if the index ends in it.
func (a *API) providers(ctx context.Context, r Records, q *abi.DiscoverQuery, now uint64) (out []abi.Provider, next uint32, err error) {
	n, err := readOr(r, record.IndexCountKey(q.Capability), record.DecodeIndexCount)
	if err != nil {
		return nil, 0, err
	}
	params, err := readOr(r, record.ParamsKey, record.DecodeParams)
	if err != nil {
		return nil, 0, err
	}
	slot, slots := max(q.Slot, 1), q.Slots
	if slots == 0 || slots > maxDiscoverSlots {
		slots = maxDiscoverSlots
	}
	want := vm.Query{
		InputSchemaHash: q.InputSchemaHash, OutputSchemaHash: q.OutputSchemaHash, MinPriceWei: q.MinPriceWei, MaxPriceWei: q.MaxPriceWei,
		MaxLatencyMs: q.MaxLatencyMs, MinReputation: q.MinReputation,
	}
	for ; slot <= n.Count && slots > 0; slot, slots = slot+1, slots-1 {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		p, err := a.provider(r, q.Capability, slot, &want, now, params.ReputationHalfLifeSeconds)
		if err != nil {
			return nil, 0, err
		}
		if p != nil {
			out = append(out, *p)
		}
	}
	if slot <= n.Count {
		next = slot
	}
	slices.SortFunc(out, func(x, y abi.Provider) int { return cmp.Or(cmp.Compare(y.Points, x.Points), x.Agent.Cmp(y.Agent)) })
	return out, next, nil
}

// provider is the one of a slot; nil if its entry is dead or does not satisfy the query.
func (a *API) provider(r Records, capability common.Hash, slot uint32, q *vm.Query, now uint64, halfLifeSeconds uint32) (*abi.Provider, error) {
	entry, err := readOr(r, record.IndexSlotKey(capability, slot), record.DecodeIndexSlot)
	if err != nil {
		return nil, err
	}
	agent, err := readOr(r, record.AgentKey(entry.Agent), record.DecodeAgent)
	if err != nil {
		return nil, err
	}
	c, err := readOr(r, record.CapabilityKey(entry.Agent, capability), record.DecodeCapability)
	if err != nil || agent.Status != uint8(vm.Active) || c.Epoch != agent.Epoch {
		return nil, err
	}
	detail, err := readOr(r, record.CapabilityDetailKey(entry.Agent, capability), record.DecodeCapabilityDetail)
	if err != nil {
		return nil, err
	}
	rep, err := readOr(r, record.ReputationKey(entry.Agent), record.DecodeReputation)
	if err != nil {
		return nil, err
	}
	score := a.cfg.Score(&rep, now, halfLifeSeconds)
	points, ok := q.Match(&c, &detail, score)
	if !ok {
		return nil, nil
	}
	return &abi.Provider{
		Agent: entry.Agent, Slot: slot, PriceWei: c.PriceWei, LatencyMsP99: c.LatencyMsP99, Class: c.Class, CommitRequired: c.CommitRequired,
		InputSchemaHash: detail.InputSchemaHash, OutputSchemaHash: detail.OutputSchemaHash, Endpoint: detail.Endpoint,
		Score: uint16(score), Points: points,
	}, nil
}

func discover(v *reading, c *abi.DiscoverCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	found, next, err := v.a.providers(context.Background(), r, &c.Query, v.h.Time)
	if err != nil {
		return nil, err
	}
	return (&abi.DiscoverReturn{Providers: found, Next: next}).Encode(), nil
}

func getCommitment(v *reading, c *abi.GetCommitmentCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	x, err := readOr(r, record.CommitmentKey(vm.CommitmentID(c.Caller, c.Commitment)), record.DecodeCommitment)
	if err != nil {
		return nil, err
	}
	return (&abi.GetCommitmentReturn{Ret0: abi.CommitmentView{
		DepositWei: x.DepositWei, RevealableFrom: x.RevealableFrom, Deadline: x.Deadline,
	}}).Encode(), nil
}

// DiscoverArgs is the query of agnt2_discover. Everything but the capability may be missing: any.
type DiscoverArgs struct {
	Capability       string         `json:"capability"` // name, or id as 0x and 64 digits
	InputSchemaHash  common.Hash    `json:"inputSchemaHash"`
	OutputSchemaHash common.Hash    `json:"outputSchemaHash"`
	MinPriceWei      *hexutil.Big   `json:"minPriceWei"`
	MaxPriceWei      *hexutil.Big   `json:"maxPriceWei"`
	MaxLatencyMs     hexutil.Uint64 `json:"maxLatencyMs"`
	MinReputation    hexutil.Uint64 `json:"minReputation"`
	Slot             hexutil.Uint64 `json:"slot"`
	Slots            hexutil.Uint64 `json:"slots"`
}

func (d *DiscoverArgs) query() (q abi.DiscoverQuery, err error) {
	q.Capability = vm.CapabilityID(d.Capability)
	if b, err := hexutil.Decode(d.Capability); err == nil && len(b) == common.HashLength {
		q.Capability = common.Hash(b)
	}
	q.InputSchemaHash, q.OutputSchemaHash = d.InputSchemaHash, d.OutputSchemaHash
	for _, f := range []struct {
		name string
		from *hexutil.Big
		to   *uint256.Int
	}{{"minPriceWei", d.MinPriceWei, &q.MinPriceWei}, {"maxPriceWei", d.MaxPriceWei, &q.MaxPriceWei}} {
		if f.from != nil && f.to.SetFromBig(f.from.ToInt()) {
			return q, invalidParams("%s exceeds 256 bits", f.name)
		}
	}
	for _, f := range []struct {
		name    string
		v, most uint64
		assign  func(uint64)
	}{
		{"maxLatencyMs", uint64(d.MaxLatencyMs), 1<<32 - 1, func(v uint64) { q.MaxLatencyMs = uint32(v) }},
		{"minReputation", uint64(d.MinReputation), reputation.Scale, func(v uint64) { q.MinReputation = uint16(v) }},
		{"slot", uint64(d.Slot), 1<<32 - 1, func(v uint64) { q.Slot = uint32(v) }},
		{"slots", uint64(d.Slots), maxDiscoverSlots, func(v uint64) { q.Slots = uint32(v) }},
	} {
		if f.v > f.most {
			return q, invalidParams("%s is %d, at most %d", f.name, f.v, f.most)
		}
		f.assign(f.v)
	}
	return q, nil
}

// ProviderInfo is one answer of agnt2_discover. Prices are wei, the score is 1/10000.
type ProviderInfo struct {
	Agent            common.Address `json:"agent"`
	Slot             hexutil.Uint64 `json:"slot"`
	PriceWei         *hexutil.Big   `json:"priceWei"`
	LatencyMsP99     hexutil.Uint64 `json:"latencyMsP99"`
	Class            string         `json:"class"`
	CommitRequired   bool           `json:"commitRequired"`
	InputSchemaHash  common.Hash    `json:"inputSchemaHash"`
	OutputSchemaHash common.Hash    `json:"outputSchemaHash"`
	Endpoint         string         `json:"endpoint"`
	Score            hexutil.Uint64 `json:"score"`
	Points           hexutil.Uint64 `json:"points"`
}

// DiscoverInfo is what agnt2_discover answers.
type DiscoverInfo struct {
	Capability  common.Hash     `json:"capability"`
	Providers   []ProviderInfo  `json:"providers"` // best first
	Next        *hexutil.Uint64 `json:"next"`      // slot for the next query; null: the index ends here
	BlockNumber *hexutil.Big    `json:"blockNumber"`
	BlockHash   common.Hash     `json:"blockHash"`
}

var capabilityClass = []string{"query", "compute", "generation", "inference"}

// Discover implements agnt2_discover.
func (x *agnt2API) Discover(ctx context.Context, args DiscoverArgs, at *rpc.BlockNumberOrHash) (*DiscoverInfo, error) {
	if strings.TrimSpace(args.Capability) == "" {
		return nil, invalidParams("capability is missing")
	}
	q, err := args.query()
	if err != nil {
		return nil, err
	}
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	ctx, done, err := x.a.bounded(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	found, next, err := x.a.providers(ctx, r, &q, h.Time)
	if err != nil {
		return nil, err
	}
	out := &DiscoverInfo{Capability: q.Capability, Providers: make([]ProviderInfo, len(found)), BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash()}
	for i, p := range found {
		out.Providers[i] = ProviderInfo{
			Agent: p.Agent, Slot: hexutil.Uint64(p.Slot), PriceWei: wei(&p.PriceWei), LatencyMsP99: hexutil.Uint64(p.LatencyMsP99),
			Class: statusName(capabilityClass, p.Class), CommitRequired: p.CommitRequired, InputSchemaHash: p.InputSchemaHash,
			OutputSchemaHash: p.OutputSchemaHash, Endpoint: p.Endpoint, Score: hexutil.Uint64(p.Score), Points: hexutil.Uint64(p.Points),
		}
	}
	if next != 0 {
		n := hexutil.Uint64(next)
		out.Next = &n
	}
	return out, nil
}

// ReputationInfo is what agnt2_getReputation answers: the score, what it is made of, and what else depends on the counters.
type ReputationInfo struct {
	Address         common.Address `json:"address"`
	Score           hexutil.Uint64 `json:"score"`       // 1/10000
	Reliability     hexutil.Uint64 `json:"reliability"` // 1/10000
	Eligible        bool           `json:"eligible"`    // may be invoked
	Frozen          bool           `json:"frozen"`      // the pattern of callers is not credible, so the score does not grow
	Counters        map[string]any `json:"counters"`
	HalfLifeSeconds hexutil.Uint64 `json:"halfLifeSeconds"`
	Eligibility     hexutil.Uint64 `json:"eligibilityScore"` // least reliability of an agent with a history, 1/10000
	BlockNumber     *hexutil.Big   `json:"blockNumber"`
	BlockHash       common.Hash    `json:"blockHash"`
}

// GetReputation implements agnt2_getReputation. An address without a record has zeros.
func (x *agnt2API) GetReputation(who common.Address, at *rpc.BlockNumberOrHash) (*ReputationInfo, error) {
	r, h, err := x.a.records(at)
	if err != nil {
		return nil, err
	}
	rep, score, err := x.a.reputation(r, who, h.Time)
	if err != nil {
		return nil, err
	}
	params, err := readOr(r, record.ParamsKey, record.DecodeParams)
	if err != nil {
		return nil, err
	}
	policy, err := readOr(r, record.PolicyKey, record.DecodePolicy)
	if err != nil {
		return nil, err
	}
	return &ReputationInfo{
		Address: who, Score: hexutil.Uint64(score), Reliability: hexutil.Uint64(reputation.Reliability(&rep)),
		Eligible: reputation.Eligible(&rep, uint32(policy.EligibilityScore)), Frozen: reputation.Anomalous(&rep), Counters: fields(rep),
		HalfLifeSeconds: hexutil.Uint64(params.ReputationHalfLifeSeconds), Eligibility: hexutil.Uint64(policy.EligibilityScore),
		BlockNumber: (*hexutil.Big)(h.Number), BlockHash: h.Hash(),
	}, nil
}
