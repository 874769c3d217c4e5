package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/history"
	"github.com/agnt2/agnt2/agnt2/record"
	"github.com/agnt2/agnt2/agnt2/reputation"
)

// discountSeconds is how long after its last answer an agent's own INVOKEs cost less. The account keeps the discount, because an
// INVOKE reads it anyway, so that it need not read the sender's reputation.
const discountSeconds = 7 * 24 * 3600

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
	case len(c.Attestation) != 0 && len(c.Attestation) != signatureLength:
		return m.fail(outOfRange("attestation"))
	}
	m.Op.Id, m.Op.Word, m.Op.Status, m.Op.Branch, m.Op.Flag = c.Id, c.ResultHash, c.Status, c.Branch, len(c.Attestation) > 0
	m.forgetSender()
	m.Op.Paced = 0
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
	if isAtomic(i) { // the result is a commitment, and the branch comes with its opening
		i.Branch = 0
		if ResponseStatus(o.Status) == OK {
			i.Status = uint8(Tentative)
		}
	}
	o.Word = common.Hash{} // no step needs it any more
	m.set(s, k, old, i.Encode())
	if o.Flag {
		return RespondAgent
	}
	return m.answered()
}

// answered is where an answer goes on. An INVOKE's deadline stays queued: when it has passed, the sweep finds that the interaction
// is settled, and sees to its way into the history. So an answer touches two records less. The deadline of a constituent stays only
// while a tentative answer that others need is not open.
func (m *Machine) answered() Step {
	i := &m.Call
	switch {
	case i.Constituent == 0:
		return RespondCaller
	case i.Status == uint8(Tentative) && isNeeded(i):
		return RespondComposition
	}
	return RespondDeadline
}

// stepRespondAgent reads the callee's registered image, which a detached attestation has to name, and its owner.
func stepRespondAgent(m *Machine, s State) Step {
	m.Op.Word, m.Op.Actor, m.Op.Epoch = common.Hash{}, common.Address{}, 0
	if b := m.get(s, record.AgentKey(m.Op.From)); b != nil {
		a := decoded(record.DecodeAgent(b))
		m.Op.Word, m.Op.Actor, m.Op.Epoch = a.ImageDigest, a.Owner, a.Ownership
	}
	return RespondAttestation
}

// stepRespondAttestation finds out who has attested: the callee's owner, which is the callee itself unless it was transferred, or
// a key of the callee.
func stepRespondAttestation(m *Machine, _ State) Step {
	c := m.args.(*abi.RespondCall)
	a := Attestation{
		ID: c.Id, ParamsHash: m.Call.ParamsHash, ResultHash: c.ResultHash, Status: c.Status,
		ExecutionMs: c.ExecutionMs, TimestampMs: c.TimestampMs, ImageDigest: m.Op.Word,
	}
	signer := a.Signer(m.ChainID, c.Attestation)
	if signer == (common.Address{}) {
		return m.fail(&abi.BadAttestation{Recovered: signer, Callee: m.Op.From})
	}
	m.Op.Word = common.Hash{}
	if signer == m.Op.Actor {
		return m.answered()
	}
	m.Op.Actor = signer
	return RespondKey
}

func stepRespondDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(m.Call.Deadline, record.DueInteraction, m.Op.Id)
	old := m.get(s, k)
	assert(old != nil, "pending interaction is not queued")
	m.set(s, k, old, nil)
	return m.released()
}

// released is where an operation goes on whose interaction is out of the queue: RESPOND to a constituent, its opening, or CANCEL.
func (m *Machine) released() Step {
	i := &m.Call
	switch {
	case i.Status == uint8(Pending): // CANCEL: it gets a new deadline
		return QueueEntry
	case i.Status == uint8(Completed), i.Status == uint8(Opened): // there is a result
		return RespondConstituent
	}
	return RespondComposition
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
	m.Op.Flag = i.Status == uint8(Completed) && m.counts(&a) && ownerOf(a.Owner, i.Caller) != m.actingOwner()
	if m.Op.Flag {
		return RespondPair
	}
	return RespondReputation
}

// counts reports whether the interaction in progress counts for its callee's reputation, as far as its payment and its caller's
// account say. That the two have different owners comes on top.
func (m *Machine) counts(caller *record.Account) bool {
	return caller.Roles&RoleAgent != 0 && !caller.Stake.Lt(&m.Params.MinStakeWei) && !m.Call.PaymentWei.Lt(&m.Params.MinCountedPaymentWei)
}

// ownerOf is who owns an account: as its record says, or the account itself.
func ownerOf(owner, account common.Address) common.Address {
	if (owner != common.Address{}) {
		return owner
	}
	return account
}

// actingOwner is who owns the one who acts.
func (m *Machine) actingOwner() common.Address {
	return ownerOf(m.Op.Owner, m.Op.From)
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
	p.Latest = m.Op.Id
	m.set(s, k, old, p.Encode())
	return RespondReputation
}

func stepRespondReputation(m *Machine, s State) Step {
	o := &m.Op
	k := record.ReputationKey(o.From)
	old := m.get(s, k)
	r := reputationOf(old)
	r.LastActiveAt = m.Block.Time
	r.InteractionHistoryRoot = history.Extend(r.InteractionHistoryRoot, o.Id, &m.Call)
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
			reputation.Count(&r)
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
	o.Pairs = 0
	if d := reputation.Discount(&r); d != 0 || o.Discount != 0 {
		o.Discount = d
		o.Pairs = m.Block.Time + discountSeconds
		o.Effect |= effectDiscount
	}
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
