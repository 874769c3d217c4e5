package vm

import (
	"bytes"
	"math"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
	"github.com/agnt2/agnt2/agnt2/vm/frame"
)

// DISCOVER as a transaction (paper App. A.1): scans some slots of the capability's index, from one that the interaction's id
// chooses so that nobody is always looked at first, and goes on as an INVOKE of the best provider.

// MaxScannedSlots bounds a scan. Its gas is charged whether or not the index has so many.
const MaxScannedSlots = 32

// What price, reputation and latency can give a provider, in points. Reputation's is 4/10 of the score.
const (
	pricePoints   = 4000
	latencyPoints = 2000
)

// reclaimRecords: the entry and the last one, the count, and both agents' capabilities.
const reclaimRecords = 5

// stepDiscoverArgs checks discoverInvoke and reclaimSlot as far as that needs no record.
func stepDiscoverArgs(m *Machine, _ State) Step {
	if c, ok := m.args.(*abi.ReclaimSlotCall); ok {
		if !m.use(gas.AgentOperation(&m.Params, reclaimRecords)) {
			return m.outOfGas()
		}
		m.Op.Id, m.Op.Status, m.Op.Pairs = c.Capability, indexReclaim, uint64(c.Slot)
		m.Search = frame.Search{}
		return IndexSlot
	}
	c := m.args.(*abi.DiscoverInvokeCall)
	if !m.use(gas.Discover(&m.Policy, MaxScannedSlots)) {
		return m.outOfGas()
	}
	f := &c.Filter
	switch {
	case f.MaxPriceWei.IsZero() || f.MaxPriceWei.BitLen() > 128:
		return m.fail(outOfRange("filter.maxPriceWei"))
	case f.MaxLatencyMs == 0:
		return m.fail(outOfRange("filter.maxLatencyMs"))
	}
	m.Op.Id, m.Op.Status = c.Capability, indexScan
	m.Op.Message = InteractionID(m.Op.From, c.Salt) // until the scan has begun
	m.Search = frame.Search{
		MaxPriceWei: f.MaxPriceWei, MaxLatencyMs: f.MaxLatencyMs, MinReputation: f.MinReputation, InputSchemaHash: f.InputSchemaHash,
		OutputSchemaHash: f.OutputSchemaHash, Time: m.Block.Time, HalfLifeSeconds: m.Params.ReputationHalfLifeSeconds,
		EligibilityScore: m.Policy.EligibilityScore,
	}
	return IndexCount
}

// beginScan chooses where to begin among n slots.
func (m *Machine) beginScan(n uint32) Step {
	if n == 0 {
		return m.fail(&abi.NoProviderMatches{Capability: m.Op.Id})
	}
	first := new(uint256.Int).SetBytes32(m.Op.Message[:])
	m.Op.Index = uint32(first.Mod(first, uint256.NewInt(uint64(n))).Uint64())
	m.Op.Branch, m.Op.Count = n, min(n, MaxScannedSlots)
	m.Op.Message = common.Hash{} // the best provider, from now on
	return IndexSlot
}

// candidate goes on with the agent of a slot.
func (m *Machine) candidate(a common.Address) Step {
	if m.Op.Status == indexScan && a == m.Op.From {
		return m.nextCandidate()
	}
	return CandidateAgent
}

// nextCandidate goes to the next slot, or invokes the best provider.
func (m *Machine) nextCandidate() Step {
	o := &m.Op
	if o.Count--; o.Count > 0 {
		if o.Index++; o.Index == o.Branch {
			o.Index = 0
		}
		return IndexSlot
	}
	if o.Message == (common.Hash{}) {
		return m.fail(&abi.NoProviderMatches{Capability: o.Id, Scanned: min(o.Branch, MaxScannedSlots)})
	}
	o.Word, o.Message, o.Status, o.Index, o.Branch = o.Message, common.Hash{}, 0, 0, 0
	return InvokeArgs
}

// discovered is the INVOKE of the provider that was found.
func (m *Machine) discovered(c *abi.DiscoverInvokeCall) *abi.InvokeCall {
	return &abi.InvokeCall{
		Salt: c.Salt, Callee: wordAgent(m.Op.Word), Capability: c.Capability, ParamsHash: c.ParamsHash, TtlSeconds: c.TtlSeconds,
		MaxPriceWei: c.Filter.MaxPriceWei, SessionId: c.SessionId, CompositionId: c.CompositionId, Da: c.Da,
	}
}

// stepCandidateAgent learns the epoch of the candidate's registration: 0, which no capability has, if it is not active.
func stepCandidateAgent(m *Machine, s State) Step {
	a := decoded(record.DecodeAgent(m.get(s, record.AgentKey(wordAgent(m.Op.Word)))))
	m.Op.Epoch = a.Epoch
	if a.Status != uint8(Active) {
		m.Op.Epoch = 0
		if m.Op.Status == indexScan {
			return m.nextCandidate()
		}
	}
	return CandidateCapability
}

func stepCandidateCapability(m *Machine, s State) Step {
	o, f := &m.Op, &m.Search
	k := record.CapabilityKey(wordAgent(o.Word), o.Id)
	old := m.get(s, k)
	c := decoded(record.DecodeCapability(old))
	if o.Status == indexReclaim {
		return m.reclaim(s, k, old, c)
	}
	if c.Epoch != o.Epoch || c.CommitRequired || c.PriceWei.Gt(&f.MaxPriceWei) || c.PriceWei.Gt(&o.Value) || c.LatencyMsP99 > f.MaxLatencyMs {
		return m.nextCandidate()
	}
	f.Points = termsPoints(&c, &f.MaxPriceWei, f.MaxLatencyMs)
	if f.InputSchemaHash != (common.Hash{}) || f.OutputSchemaHash != (common.Hash{}) {
		return CandidateDetail
	}
	return CandidateReputation
}

// schemasMatch compares a capability's schemas with those that are looked for, 0 for any.
func schemasMatch(d *record.CapabilityDetail, input, output common.Hash) bool {
	return (input == common.Hash{} || input == d.InputSchemaHash) && (output == common.Hash{} || output == d.OutputSchemaHash)
}

func stepCandidateDetail(m *Machine, s State) Step {
	d := decoded(record.DecodeCapabilityDetail(m.get(s, record.CapabilityDetailKey(wordAgent(m.Op.Word), m.Op.Id))))
	if !schemasMatch(&d, m.Search.InputSchemaHash, m.Search.OutputSchemaHash) {
		return m.nextCandidate()
	}
	return CandidateReputation
}

func stepCandidateReputation(m *Machine, s State) Step {
	o, f := &m.Op, &m.Search
	r := reputationOf(m.get(s, record.ReputationKey(wordAgent(o.Word))))
	score := reputation.Score(&r, f.Time, f.HalfLifeSeconds)
	if score < uint64(f.MinReputation) || !reputation.Eligible(&r, uint32(f.EligibilityScore)) {
		return m.nextCandidate()
	}
	points := f.Points + scorePoints(score)
	best := o.Message == (common.Hash{}) || points > f.BestPoints
	if best || (points == f.BestPoints && bytes.Compare(o.Word[:], o.Message[:]) < 0) {
		o.Message, f.BestPoints = o.Word, points
	}
	return m.nextCandidate()
}

// termsPoints is what a capability's terms are worth to somebody with these limits, which they do not exceed. A limit of 0,
// which only views have, gives nothing.
func termsPoints(c *record.Capability, maxPriceWei *uint256.Int, maxLatencyMs uint32) (points uint64) {
	if !maxPriceWei.IsZero() {
		saved := new(uint256.Int).Sub(maxPriceWei, &c.PriceWei)
		saved.MulDivOverflow(saved, uint256.NewInt(pricePoints), maxPriceWei)
		points += saved.Uint64()
	}
	if maxLatencyMs != 0 {
		points += latencyPoints * uint64(maxLatencyMs-c.LatencyMsP99) / uint64(maxLatencyMs)
	}
	return points
}

func scorePoints(score uint64) uint64 { return 4 * score / 10 }

// Query is what the view of DISCOVER looks for; 0 in a limit or a hash is any.
type Query struct {
	InputSchemaHash, OutputSchemaHash common.Hash
	MinPriceWei, MaxPriceWei          uint256.Int
	MaxLatencyMs                      uint32
	MinReputation                     uint16
}

// Match reports whether a provider satisfies a query, and with how many points. The caller has seen to it that the capability
// is live.
func (q *Query) Match(c *record.Capability, d *record.CapabilityDetail, score uint64) (points uint64, ok bool) {
	maxLatency := q.MaxLatencyMs
	if maxLatency == 0 {
		maxLatency = math.MaxUint32
	}
	if c.PriceWei.Lt(&q.MinPriceWei) || (!q.MaxPriceWei.IsZero() && c.PriceWei.Gt(&q.MaxPriceWei)) || c.LatencyMsP99 > maxLatency ||
		score < uint64(q.MinReputation) || !schemasMatch(d, q.InputSchemaHash, q.OutputSchemaHash) {
		return 0, false
	}
	return termsPoints(c, &q.MaxPriceWei, q.MaxLatencyMs) + scorePoints(score), true
}
