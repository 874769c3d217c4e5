package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Answers inside a composition (paper App. A.4). RESPOND branches off here once it has written the interaction: the composition
// pays, not the caller's escrow. In an atomic composition an answer is a commitment, opened with openResult.

// stepOpenArgs checks the arguments of openResult. The commitment stays in Op.Word, the result in Op.Message; after this step
// nothing reads the calldata.
func stepOpenArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.OpenResultCall)
	if !m.use(gas.Respond(&m.Params, 0)) {
		return m.outOfGas()
	}
	if c.ResultHash == (common.Hash{}) {
		return m.fail(&abi.ResultHashInvalid{})
	}
	o := &m.Op
	o.Id, o.Word, o.Message, o.Branch, o.Data = c.Id, ResultCommitment(c.ResultHash, c.Salt), c.ResultHash, c.Branch, common.Hash{}
	m.forgetSender()
	o.Paced = 0
	return OpenInteraction
}

// stepOpenInteraction opens the commitment of one's own answer.
func stepOpenInteraction(m *Machine, s State) Step {
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
	case i.Status != uint8(Tentative):
		return m.fail(&abi.NothingToOpen{Id: id, Status: i.Status})
	case i.ResultHash != o.Word:
		return m.fail(&abi.BadOpening{Id: id, Commitment: i.ResultHash})
	case isNeeded(i) && m.Block.Time > i.Deadline:
		return m.fail(&abi.InteractionExpired{Id: id, Deadline: i.Deadline})
	}
	i.ResultHash, i.Branch, i.SettledAt = o.Message, o.Branch, m.Block.Time
	i.Status = uint8(Completed) // after the commit
	if isNeeded(i) {
		i.Status = uint8(Opened)
	}
	m.set(s, k, old, i.Encode())
	o.Word, o.Message = common.Hash{}, common.Hash{}
	if isNeeded(i) {
		return RespondDeadline
	}
	return RespondConstituent
}

// stepRespondConstituent keeps a result for those that need it, and learns whether a loop goes on.
func stepRespondConstituent(m *Machine, s State) Step {
	i := &m.Call
	index, _ := constituentOf(i)
	k := record.ConstituentKey(i.CompositionId, index)
	old := m.get(s, k)
	x := decoded(record.DecodeConstituent(old))
	x.ResultHash = i.ResultHash
	m.set(s, k, old, x.Encode())
	m.Op.Pairs = 0
	if x.MaxIterations != 0 && x.Iteration < x.MaxIterations && i.Branch == x.LoopBranch {
		m.Op.Pairs = loopMask(x.LoopFrom, index)
	}
	return RespondComposition
}

// stepRespondComposition books an answer, or its opening, in the composition. The last one ends it.
func stepRespondComposition(m *Machine, s State) Step {
	i, id := &m.Call, m.Call.CompositionId
	k := record.CompositionKey(id)
	old := m.get(s, k)
	c := composition(old)
	if isAtomic(i) && i.Status == uint8(Completed) {
		return m.openCommitted(s, k, old, &c)
	}
	if c.Status != uint8(CompositionActive) {
		return m.fail(&abi.CompositionFinal{Id: id, Status: c.Status})
	}
	then := TxEnd
	more := false
	if c.Atomic {
		more = m.answerTentatively(&c)
	} else {
		then, more = m.answerAtOnce(&c)
	}
	m.set(s, k, old, c.Encode())
	if more {
		return m.advanceLater(id, then)
	}
	return then
}

// answerTentatively books an answer in an atomic composition: a provisional credit, or the revert of all.
func (m *Machine) answerTentatively(c *record.Composition) (more bool) {
	i, id := &m.Call, m.Call.CompositionId
	index, bit := constituentOf(i)
	if i.Status == uint8(Opened) {
		m.emit((&abi.ConstituentOpenedEvent{Id: m.Op.Id, Caller: i.Caller, Callee: i.Callee, CompositionId: id}).Log(abi.Address))
	} else {
		m.emit((&abi.ConstituentAnsweredEvent{Id: m.Op.Id, Caller: i.Caller, Callee: i.Callee, CompositionId: id, Status: m.Op.Status}).Log(abi.Address))
	}
	switch {
	case i.Status == uint8(Opened):
		credit(c, bit, i)
		c.Opened |= bit
		m.concluded(c, index)
		return m.progress(c, id)
	case i.Status != uint8(Tentative):
		c.Culprit = i.Callee
		m.end(c, id, CompositionReverted)
		return true
	case isNeeded(i): // it counts once it is opened
		return false
	}
	credit(c, bit, i)
	finish(c, index, 0)
	return m.progress(c, id)
}

// answerAtOnce books an answer in a composition that is not atomic. It is scored as any other, and an OK is paid.
func (m *Machine) answerAtOnce(c *record.Composition) (then Step, more bool) {
	i, id := &m.Call, m.Call.CompositionId
	index, bit := constituentOf(i)
	if i.Status != uint8(Completed) {
		c.Active &^= bit
		c.Failed |= bit
		m.Op.Flag = false
		return RespondReputation, m.progress(c, id)
	}
	c.EscrowWei.Sub(&c.EscrowWei, &i.PaymentWei)
	m.pay(i)
	m.Op.Epoch = uint32(RespondPair)
	m.concluded(c, index)
	more = m.progress(c, id)
	m.payOnly(i)
	return SettleInitiator, more
}

// payOnly leaves of the interaction in progress what its payment, its scoring and its event need.
func (m *Machine) payOnly(i *record.Interaction) {
	m.Call = record.Interaction{
		Status: i.Status, Caller: i.Caller, Callee: i.Callee, PaymentWei: i.PaymentWei, ResultHash: i.ResultHash, SettledAt: i.SettledAt,
		Branch: i.Branch,
	}
}

// pay has the transaction's end pay the callee in progress, who sent it.
func (m *Machine) pay(i *record.Interaction) {
	m.Op.Credit = i.PaymentWei
	m.Op.Effect |= effectSettle
}

// concluded marks a result as there, or begins the loop again that it ends.
func (m *Machine) concluded(c *record.Composition, index uint8) {
	finish(c, index, m.Call.Branch)
	again := uint32(m.Op.Pairs)
	c.Done &^= again
	c.Skipped &^= again
}

// openCommitted pays a callee whose composition is committed and who opens only now, because nobody needed the result before.
func (m *Machine) openCommitted(s State, k record.Key, old []byte, c *record.Composition) Step {
	i, id := &m.Call, m.Call.CompositionId
	if c.Status != uint8(CompositionCommitted) {
		return m.fail(&abi.CompositionNotCommitted{Id: id, Status: c.Status})
	}
	if m.Block.Time > c.Deadline {
		return m.fail(&abi.CompositionExpired{Id: id, Deadline: c.Deadline})
	}
	index, bit := constituentOf(i)
	c.Opened |= bit
	c.Paid |= bit
	c.Branches[index] = i.Branch
	c.EscrowWei.Sub(&c.EscrowWei, &i.PaymentWei)
	c.OwedWei.Sub(&c.OwedWei, &i.PaymentWei)
	m.set(s, k, old, c.Encode())
	m.pay(i)
	m.emitResponded(m.Op.Id, &m.Op.Credit)
	m.payOnly(i)
	m.Op.Status, m.Op.Index = settlePay, 1
	m.Op.Epoch, m.Op.Branch = uint32(SettlePair), uint32(TxEnd)
	return SettleInitiator
}

// emitResponded says what a constituent's settlement pays, with the event of RESPOND; what its callee claimed is in the
// transaction that answered.
func (m *Machine) emitResponded(id common.Hash, paid *uint256.Int) {
	i := &m.Call
	m.emit((&abi.RespondedEvent{
		Id: id, Caller: i.Caller, Callee: i.Callee, ResultHash: i.ResultHash, Branch: i.Branch, PaidWei: *paid,
		Da: abi.DAPointer{ContentHash: i.ResultHash},
	}).Log(abi.Address))
}
