package ethapi

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// viewFunc answers one view; args is the call data without selector. An abi.Revert as error is a revert of the call.
type viewFunc func(v *reading, args []byte) ([]byte, error)

// viewTable is what an address answers by itself.
type viewTable struct {
	views map[[4]byte]viewFunc
	only  bool // selectors that are not listed revert; else they are operations, which the engine dry-runs
}

// views by address. Built once; what is not listed goes to the engine.
var views = map[common.Address]*viewTable{
	abi.Address: {views: map[[4]byte]viewFunc{
		abi.GetAgentSelector:       viewOf(abi.DecodeGetAgentCall, getAgent),
		abi.GetCapabilitySelector:  viewOf(abi.DecodeGetCapabilityCall, getCapability),
		abi.GetReputationSelector:  viewOf(abi.DecodeGetReputationCall, getReputation),
		abi.GetInteractionSelector: viewOf(abi.DecodeGetInteractionCall, getInteraction),
		abi.GetChannelSelector:     viewOf(abi.DecodeGetChannelCall, getChannel),
		abi.GetChannelPairSelector: viewOf(abi.DecodeGetChannelPairCall, getChannelPair),
		abi.GetDisputeSelector:     viewOf(abi.DecodeGetDisputeCall, getDispute),
		abi.GetKeySelector:         viewOf(abi.DecodeGetKeyCall, getKey),
		abi.GetSessionSelector:     viewOf(abi.DecodeGetSessionCall, getSession),
		abi.AgentOfSelector:        viewOf(abi.DecodeAgentOfCall, agentOf),
		abi.InteractionIdSelector:  viewOf(abi.DecodeInteractionIdCall, interactionID),
		abi.DiscoverSelector:       viewOf(abi.DecodeDiscoverCall, discover),
		abi.GetCommitmentSelector:  viewOf(abi.DecodeGetCommitmentCall, getCommitment),
		abi.GetCompositionSelector: viewOf(abi.DecodeGetCompositionCall, getComposition),
		abi.CompositionIdSelector:  viewOf(abi.DecodeCompositionIdCall, compositionID),

		abi.GetForeignAgentSelector: viewOf(abi.DecodeGetForeignAgentCall, getForeignAgent),
		abi.ForeignIdSelector:       viewOf(abi.DecodeForeignIdCall, foreignID),
	}},
	abi.L1BlockAddress:          {views: l1BlockViews, only: true},
	abi.GasPriceOracleAddress:   {views: gasPriceOracleViews, only: true},
	abi.MessagePasserAddress:    {views: messagePasserViews},
	abi.IdentityRegistryAddress: {views: identityRegistryViews},

	abi.ReputationRegistryAddress: {views: reputationRegistryViews},
	abi.ValidationRegistryAddress: {views: validationRegistryViews},
}

// viewOf decodes the arguments strictly, as operations are.
func viewOf[C any](decode func([]byte) (C, error), answer func(*reading, *C) ([]byte, error)) viewFunc {
	return func(v *reading, args []byte) ([]byte, error) {
		c, err := decode(args)
		if err != nil {
			return nil, &abi.MalformedCalldata{}
		}
		return answer(v, &c)
	}
}

// agentView returns the agent as IAGNT2.getAgent does: status None and zeros if there is none.
func agentView(r Records, who common.Address) (out abi.AgentView, err error) {
	agent, err := read(r, record.AgentKey(who), record.DecodeAgent)
	if agent == nil || err != nil {
		return out, err
	}
	acc, err := account(r, who)
	if err != nil {
		return out, err
	}
	uri, err := readOr(r, record.AgentURIKey(who), record.DecodeAgentURI)
	if err != nil {
		return out, err
	}
	wallet, err := walletOf(r, who, agent)
	if err != nil {
		return out, err
	}
	return abi.AgentView{
		Status: agent.Status, Owner: agent.Owner, Wallet: wallet, RegisteredAt: agent.RegisteredAt, DeregisteredAt: agent.DeregisteredAt,
		LastHeartbeat: agent.LastHeartbeat, CapabilityCount: agent.CapabilityCount, StakeWei: acc.Stake, EscrowedWei: acc.Escrowed,
		PendingInvokes: acc.PendingInvokes, ImageDigest: agent.ImageDigest, Name: agent.Name, Version: agent.Version, AgentURI: uri.Uri,
	}, nil
}

func getAgent(v *reading, c *abi.GetAgentCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	out, err := agentView(r, c.Agent)
	if err != nil {
		return nil, err
	}
	return (&abi.GetAgentReturn{Ret0: out}).Encode(), nil
}

// getCapability reads one capability. It is live if it was declared in the agent's present registration: registering
// again raises the agent's epoch and so ends all older capabilities without touching them.
func getCapability(v *reading, c *abi.GetCapabilityCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	unknown := &abi.CapabilityUnknown{Callee: c.Agent, Capability: c.Capability}
	agent, err := read(r, record.AgentKey(c.Agent), record.DecodeAgent)
	if err != nil {
		return nil, err
	}
	terms, err := read(r, record.CapabilityKey(c.Agent, c.Capability), record.DecodeCapability)
	if err != nil {
		return nil, err
	}
	if agent == nil || terms == nil || terms.Epoch != agent.Epoch {
		return nil, unknown
	}
	detail, err := readOr(r, record.CapabilityDetailKey(c.Agent, c.Capability), record.DecodeCapabilityDetail)
	if err != nil {
		return nil, err
	}
	return (&abi.GetCapabilityReturn{Ret0: abi.Capability{
		Name: detail.Name, Endpoint: detail.Endpoint, InputSchemaHash: detail.InputSchemaHash, OutputSchemaHash: detail.OutputSchemaHash,
		PriceWei: terms.PriceWei, LatencyMsP99: terms.LatencyMsP99, Class: terms.Class, CommitRequired: terms.CommitRequired,
	}}).Encode(), nil
}

// reputation returns an agent's counters and the score that they make at a block's time.
func (a *API) reputation(r Records, who common.Address, now uint64) (rep record.Reputation, score uint64, err error) {
	rep, err = readOr(r, record.ReputationKey(who), record.DecodeReputation)
	if err != nil {
		return rep, 0, err
	}
	params, err := readOr(r, record.ParamsKey, record.DecodeParams)
	if err != nil {
		return rep, 0, err
	}
	return rep, a.cfg.Score(&rep, now, params.ReputationHalfLifeSeconds), nil
}

func getReputation(v *reading, c *abi.GetReputationCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	rep, score, err := v.a.reputation(r, c.Agent, v.h.Time)
	if err != nil {
		return nil, err
	}
	return (&abi.GetReputationReturn{Ret0: abi.ReputationView{
		Score: *uint256.NewInt(score), Completed: rep.Completed, Timeouts: rep.Timeouts, Errors: rep.Errors,
		GracefulTimeouts: rep.GracefulTimeouts, ParseFailures: rep.ParseFailures, Rejections: rep.Rejections, SoftStreak: rep.SoftStreak,
		PenaltyUnits: rep.PenaltyUnits, Disputed: rep.Disputed, DisputesLost: rep.DisputesLost, CountedCompleted: rep.CountedCompleted,
		DistinctCallers: rep.DistinctCallers, LastActiveAt: rep.LastActiveAt, SumOfSquares: rep.SumOfSquares, Aborts: rep.Aborts,
		ScoredCompleted: rep.ScoredCompleted, ScoredCallers: rep.ScoredCallers, Frozen: reputation.Anomalous(&rep),
	}}).Encode(), nil
}

func getInteraction(v *reading, c *abi.GetInteractionCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	x, err := readOr(r, record.InteractionKey(c.Id), record.DecodeInteraction)
	if err != nil {
		return nil, err
	}
	if err := settled(r, &x); err != nil {
		return nil, err
	}
	return (&abi.GetInteractionReturn{Ret0: interactionView(&x)}).Encode(), nil
}

func interactionView(x *record.Interaction) abi.InteractionView {
	return abi.InteractionView{
		Status: x.Status, Caller: x.Caller, Callee: x.Callee, Capability: x.Capability, ParamsHash: x.ParamsHash, ResultHash: x.ResultHash,
		PaymentWei: x.PaymentWei, InvokedAt: x.InvokedAt, Deadline: x.Deadline, SettledAt: x.SettledAt, Branch: x.Branch, CompositionId: x.CompositionId,
	}
}

func getDispute(v *reading, c *abi.GetDisputeCall) ([]byte, error) {
	r, err := v.records()
	if err != nil {
		return nil, err
	}
	d, err := readOr(r, record.DisputeKey(c.Target), record.DecodeDispute)
	if err != nil {
		return nil, err
	}
	return (&abi.GetDisputeReturn{Ret0: abi.DisputeView{
		Kind: d.Kind, Outcome: d.Outcome, Claimant: d.Claimant, Agent: d.Agent, Game: d.Game, EvidenceHash: d.EvidenceHash,
		BondWei: d.BondWei, Deadline: d.Deadline,
	}}).Encode(), nil
}

// interactionID is keccak256(abi.encode(caller, salt)).
func interactionID(_ *reading, c *abi.InteractionIdCall) ([]byte, error) {
	return crypto.Keccak256(common.LeftPadBytes(c.Caller[:], 32), c.Salt[:]), nil
}
