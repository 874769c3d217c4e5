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

func stepRespondInteraction(m *Machine, s State) step {
	c := m.args.(*abi.RespondCall)
	if !m.use(gas.Respond(&m.Params, c.Da.LengthBytes)) {
		return m.outOfGas(s)
	}
	if c.Status >= uint8(responseStatuses) {
		return m.fail(s, outOfRange("status"))
	}
	status := ResponseStatus(c.Status)
	switch {
	case (status == OK) != (c.ResultHash != common.Hash{}):
		return m.fail(s, &abi.ResultHashInvalid{ResultHash: c.ResultHash, Status: c.Status})
	case c.Da.Backend >= daBackends:
		return m.fail(s, outOfRange("da.backend"))
	case c.Da.ContentHash != c.ResultHash:
		return m.fail(s, &abi.DACommitmentMismatch{Expected: c.ResultHash, ContentHash: c.Da.ContentHash})
	case len(c.Attestation) != 0 && len(c.Attestation) != attestationLength:
		return m.fail(s, outOfRange("attestation"))
	}
	k := record.InteractionKey(c.Id)
	old := m.get(s, k)
	if old == nil {
		return m.fail(s, &abi.InteractionUnknown{Id: c.Id})
	}
	m.r.inter = decoded(record.DecodeInteraction(old))
	i := &m.r.inter
	switch {
	case i.Callee != m.tx.From:
		return m.fail(s, &abi.NotCallee{Sender: m.tx.From, Callee: i.Callee})
	case i.Status != uint8(Pending):
		return m.fail(s, &abi.InteractionSettled{Id: c.Id, Status: i.Status})
	case m.Block.Time > i.Deadline:
		return m.fail(s, &abi.InteractionExpired{Id: c.Id, Deadline: i.Deadline})
	}
	i.Status, i.ResultHash, i.SettledAt, i.Branch = uint8(status.settled()), c.ResultHash, m.Block.Time, c.Branch
	m.set(s, k, old, i.Encode())
	m.r.id = c.Id
	if len(c.Attestation) > 0 {
		return respondAgent
	}
	return respondDeadline
}

// stepRespondAgent checks a detached attestation against the callee's registered image.
func stepRespondAgent(m *Machine, s State) step {
	c := m.args.(*abi.RespondCall)
	var digest common.Hash
	if b := m.get(s, record.AgentKey(m.tx.From)); b != nil {
		a := decoded(record.DecodeAgent(b))
		digest = a.ImageDigest
	}
	a := Attestation{
		ID: c.Id, ParamsHash: m.r.inter.ParamsHash, ResultHash: c.ResultHash, Status: c.Status,
		ExecutionMs: c.ExecutionMs, TimestampMs: c.TimestampMs, ImageDigest: digest,
	}
	if signer := a.Signer(m.Block.ChainID, c.Attestation); signer != m.tx.From {
		return m.fail(s, &abi.BadAttestation{Recovered: signer, Callee: m.tx.From})
	}
	return respondDeadline
}

func stepRespondDeadline(m *Machine, s State) step {
	k := record.DeadlineKey(m.r.inter.Deadline, m.r.id)
	old := m.get(s, k)
	assert(old != nil, "pending interaction is not queued")
	m.set(s, k, old, nil)
	return respondCaller
}

// stepRespondCaller takes the escrow off the caller's books and learns whether the caller counts for reputation.
func stepRespondCaller(m *Machine, s State) step {
	i := &m.r.inter
	k := record.AccountKey(i.Caller)
	old := m.get(s, k)
	a := account(old)
	m.releaseEscrow(&a)
	if i.Status == uint8(Completed) {
		m.r.credit = i.PaymentWei
		m.Totals.VolumeWei.Add(&m.Totals.VolumeWei, &i.PaymentWei)
	} else {
		a.Balance.Add(&a.Balance, &i.PaymentWei)
	}
	m.set(s, k, old, a.Encode())
	m.r.counted = i.Status == uint8(Completed) && a.Registered &&
		!a.Stake.Lt(&m.Params.MinStakeWei) && !i.PaymentWei.Lt(&m.Params.MinCountedPaymentWei)
	if m.r.counted {
		return respondPair
	}
	return respondReputation
}

// stepRespondPair counts the pair's interactions: the counterparty distribution of paper App. F.2.
func stepRespondPair(m *Machine, s State) step {
	k := record.PairKey(m.tx.From, m.r.inter.Caller)
	old := m.get(s, k)
	var p record.Pair
	if old != nil {
		p = decoded(record.DecodePair(old))
	}
	m.r.pairN = p.Completed
	p.Completed++
	m.set(s, k, old, p.Encode())
	return respondReputation
}

func stepRespondReputation(m *Machine, s State) step {
	c := m.args.(*abi.RespondCall)
	k := record.ReputationKey(m.tx.From)
	old := m.get(s, k)
	r := reputationOf(old)
	r.LastActiveAt = m.Block.Time
	switch ResponseStatus(c.Status) {
	case OK:
		r.Completed++
		r.SoftStreak = 0
		if m.r.counted {
			r.CountedCompleted++
			if m.r.pairN == 0 {
				r.DistinctCallers++
			}
			r.SumOfSquares.AddUint64(&r.SumOfSquares, 2*m.r.pairN+1) // (n+1)² − n²
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

	i := &m.r.inter
	var refunded uint256.Int
	if i.Status != uint8(Completed) {
		refunded = i.PaymentWei
	}
	m.emit((&abi.RespondedEvent{
		Id: m.r.id, Caller: i.Caller, Callee: i.Callee, Status: c.Status, ResultHash: c.ResultHash, Branch: c.Branch,
		ExecutionMs: c.ExecutionMs, TimestampMs: c.TimestampMs, PaidWei: m.r.credit, RefundedWei: refunded, Da: c.Da,
	}).Log(abi.Address))
	return txEnd
}
