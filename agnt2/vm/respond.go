package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// RESPOND (paper App. A.1, A.2, B.3, B.8): settles a pending interaction once. OK pays the callee and scores it; every
// other status refunds the caller.

// stepRespondArgs checks what needs no record and keeps what the following steps need of the calldata.
func stepRespondArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.RespondCall)
	if !m.use(gas.Respond(&m.Params, c.Da.LengthBytes)) {
		return m.outOfGas()
	}
	if c.Status >= uint8(responseStatuses) {
		return m.fail(outOfRange("status"))
	}
	switch {
	case (ResponseStatus(c.Status) == OK) != (c.ResultHash != common.Hash{}):
		return m.fail(&abi.ResultHashInvalid{ResultHash: c.ResultHash, Status: c.Status})
	case c.Da.Backend >= daBackends:
		return m.fail(outOfRange("da.backend"))
	case c.Da.ContentHash != c.ResultHash:
		return m.fail(&abi.DACommitmentMismatch{Expected: c.ResultHash, ContentHash: c.Da.ContentHash})
	case len(c.Attestation) != 0 && len(c.Attestation) != attestationLength:
		return m.fail(outOfRange("attestation"))
	}
	m.Op.Id, m.Op.Word, m.Op.Status, m.Op.Branch, m.Op.Flag = c.Id, c.ResultHash, c.Status, c.Branch, len(c.Attestation) > 0
	return RespondInteraction
}

func stepRespondInteraction(m *Machine, s State) Step {
	o, id := &m.Op, m.Op.Id
	k := record.InteractionKey(id)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.InteractionUnknown{Id: id})
	}
	m.Call = decoded(record.DecodeInteraction(old))
	i := &m.Call
	switch {
	case i.Callee != o.From:
		return m.fail(&abi.NotCallee{Sender: o.From, Callee: i.Callee})
	case i.Status != uint8(Pending):
		return m.fail(&abi.InteractionSettled{Id: id, Status: i.Status})
	case m.Block.Time > i.Deadline:
		return m.fail(&abi.InteractionExpired{Id: id, Deadline: i.Deadline})
	}
	i.Status, i.ResultHash, i.SettledAt, i.Branch = uint8(ResponseStatus(o.Status).settled()), o.Word, m.Block.Time, o.Branch
	m.set(s, k, old, i.Encode())
	if o.Flag {
		return RespondAgent
	}
	return RespondDeadline
}

// stepRespondAgent reads the callee's registered image, which a detached attestation has to name.
func stepRespondAgent(m *Machine, s State) Step {
	m.Op.Word = common.Hash{}
	if b := m.get(s, record.AgentKey(m.Op.From)); b != nil {
		a := decoded(record.DecodeAgent(b))
		m.Op.Word = a.ImageDigest
	}
	return RespondAttestation
}

// stepRespondAttestation checks the attestation's signature.
func stepRespondAttestation(m *Machine, _ State) Step {
	c := m.args.(*abi.RespondCall)
	a := Attestation{
		ID: c.Id, ParamsHash: m.Call.ParamsHash, ResultHash: c.ResultHash, Status: c.Status,
		ExecutionMs: c.ExecutionMs, TimestampMs: c.TimestampMs, ImageDigest: m.Op.Word,
	}
	if signer := a.Signer(m.ChainID, c.Attestation); signer != m.Op.From {
		return m.fail(&abi.BadAttestation{Recovered: signer, Callee: m.Op.From})
	}
	return RespondDeadline
}

func stepRespondDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(m.Call.Deadline, record.DueInteraction, m.Op.Id)
	old := m.get(s, k)
	assert(old != nil, "pending interaction is not queued")
	m.set(s, k, old, nil)
	return RespondCaller
}

// stepRespondCaller takes the escrow off the caller's books and learns whether the caller counts for reputation.
func stepRespondCaller(m *Machine, s State) Step {
	i := &m.Call
	k := record.AccountKey(i.Caller)
	old := m.get(s, k)
	a := account(old)
	m.releaseEscrow(&a)
	if i.Status == uint8(Completed) {
		m.Op.Credit = i.PaymentWei
		m.Op.Effect |= effectSettle
	} else {
		a.Balance.Add(&a.Balance, &i.PaymentWei)
	}
	m.set(s, k, old, a.Encode())
	m.Op.Flag = i.Status == uint8(Completed) && a.Roles&RoleAgent != 0 &&
		!a.Stake.Lt(&m.Params.MinStakeWei) && !i.PaymentWei.Lt(&m.Params.MinCountedPaymentWei)
	if m.Op.Flag {
		return RespondPair
	}
	return RespondReputation
}

// stepRespondPair counts the pair's interactions: the counterparty distribution of paper App. F.2.
func stepRespondPair(m *Machine, s State) Step {
	k := record.PairKey(m.Op.From, m.Call.Caller)
	old := m.get(s, k)
	var p record.Pair
	if old != nil {
		p = decoded(record.DecodePair(old))
	}
	m.Op.Pairs = p.Completed
	p.Completed++
	m.set(s, k, old, p.Encode())
	return RespondReputation
}

func stepRespondReputation(m *Machine, s State) Step {
	o := &m.Op
	k := record.ReputationKey(o.From)
	old := m.get(s, k)
	r := reputationOf(old)
	r.LastActiveAt = m.Block.Time
	switch ResponseStatus(o.Status) {
	case OK:
		r.Completed++
		r.SoftStreak = 0
		if o.Flag {
			r.CountedCompleted++
			if o.Pairs == 0 {
				r.DistinctCallers++
			}
			r.SumOfSquares.AddUint64(&r.SumOfSquares, 2*o.Pairs+1) // (n+1)² − n²
		}
	case Error:
		r.Errors++
		r.PenaltyUnits += reputation.PenaltyError
	case TimeoutGraceful:
		r.GracefulTimeouts++
		r.PenaltyUnits += reputation.PenaltyGracefulTimeout
	case ParseFailure:
		r.ParseFailures++
		if r.SoftStreak++; r.SoftStreak == reputation.SoftStreak {
			r.SoftStreak = 0
			r.PenaltyUnits += reputation.PenaltySoftStreak
		}
	case Rejection:
		r.Rejections++
	}
	m.set(s, k, old, r.Encode())
	return RespondEvent
}

func stepRespondEvent(m *Machine, _ State) Step {
	c, i := m.args.(*abi.RespondCall), &m.Call
	var refunded uint256.Int
	if i.Status != uint8(Completed) {
		refunded = i.PaymentWei
	}
	m.emit((&abi.RespondedEvent{
		Id: m.Op.Id, Caller: i.Caller, Callee: i.Callee, Status: c.Status, ResultHash: c.ResultHash, Branch: c.Branch,
		ExecutionMs: c.ExecutionMs, TimestampMs: c.TimestampMs, PaidWei: m.Op.Credit, RefundedWei: refunded, Da: c.Da,
	}).Log(abi.Address))
	return TxEnd
}
