package vm

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// CHECKPOINT, CLOSE_CHANNEL and the disputes of channels (paper §4.3, App. A.1): what both agents have signed replaces what the
// chain knows if it is newer.

// stepChannelStateArgs checks a state by itself. Who signed it goes into the record in progress; whether those are the parties
// is for the step that reads the channel.
func stepChannelStateArgs(m *Machine, _ State) Step {
	var st *abi.ChannelState
	var sigA, sigB []byte
	var next Step
	switch c := m.args.(type) {
	case *abi.CheckpointCall:
		st, sigA, sigB, next, m.Op.Status = &c.State, c.SigA, c.SigB, CheckpointChannel, channelCheckpointed
	case *abi.CloseChannelCall:
		st, sigA, sigB, next, m.Op.Status = &c.State, c.SigA, c.SigB, CloseChannel, channelClosed
	case *abi.DisputeChannelCall:
		st, sigA, sigB, next, m.Op.Status = &c.State, c.SigA, c.SigB, DisputeChannel, channelDisputed
	}
	if !m.use(m.Policy.GasChannel) {
		return m.outOfGas()
	}
	unsigned := next == CloseChannel && len(sigA) == 0 && len(sigB) == 0
	switch {
	case unsigned && *st != abi.ChannelState{ChannelId: st.ChannelId}:
		return m.fail(outOfRange("state"))
	case !unsigned && len(sigA) != signatureLength:
		return m.fail(outOfRange("sigA"))
	case !unsigned && len(sigB) != signatureLength:
		return m.fail(outOfRange("sigB"))
	case st.IsFinal && next != CloseChannel:
		return m.fail(outOfRange("state.isFinal"))
	}
	balances, over := new(uint256.Int).AddOverflow(&st.BalanceA, &st.BalanceB)
	deposits, over2 := new(uint256.Int).AddOverflow(&st.DepositA, &st.DepositB)
	if over || over2 || !balances.Eq(deposits) {
		return m.fail(&abi.BalancesDoNotSum{BalanceA: st.BalanceA, BalanceB: st.BalanceB, DepositA: st.DepositA, DepositB: st.DepositB})
	}
	digest := ChannelStateDigest(st, m.ChainID)
	c := record.Channel{
		DepositA: st.DepositA, DepositB: st.DepositB, BalanceA: st.BalanceA, BalanceB: st.BalanceB,
		Nonce: st.Nonce, InteractionCount: st.InteractionCount,
	}
	if !unsigned {
		c.AgentA, c.AgentB = recoverSigner(digest, sigA), recoverSigner(digest, sigB)
	}
	m.Channel = c
	m.Op.Id, m.Op.Flag, m.Op.Index = st.ChannelId, st.IsFinal, 0
	if unsigned {
		m.Op.Index = 1
	}
	m.Op.Data = common.Hash{} // no later step reads the calldata
	return next
}

// storedChannel loads the channel of the operation in progress; nil if there is none.
func (m *Machine) storedChannel(s State) (record.Key, []byte, *record.Channel) {
	k := record.ChannelKey(m.Op.Id)
	old := m.get(s, k)
	if old == nil {
		return k, nil, nil
	}
	c := decoded(record.DecodeChannel(old))
	return k, old, &c
}

func (m *Machine) channelUnknown() Step { return m.fail(&abi.ChannelUnknown{Id: m.Op.Id}) }

// notSigned reports that the record in progress names others than the parties as signers.
func (m *Machine) notSigned(c *record.Channel) abi.Revert {
	switch signed := &m.Channel; {
	case signed.AgentA != c.AgentA:
		return &abi.BadChannelSignature{Recovered: signed.AgentA, Agent: c.AgentA}
	case signed.AgentB != c.AgentB:
		return &abi.BadChannelSignature{Recovered: signed.AgentB, Agent: c.AgentB}
	}
	return nil
}

// accept records the co-signed state in progress, unless it is not valid or not newer. span bounds the interactions since the
// recorded one.
func (m *Machine) accept(c *record.Channel, span uint64) abi.Revert {
	st := &m.Channel
	if why := m.notSigned(c); why != nil {
		return why
	}
	most := c.MaxInteractions
	if most-c.InteractionCount > span {
		most = c.InteractionCount + span
	}
	switch {
	case st.Nonce <= c.Nonce:
		return &abi.StaleState{Nonce: st.Nonce, Recorded: c.Nonce}
	case c.FundedA.Lt(&st.DepositA) || c.FundedB.Lt(&st.DepositB):
		return &abi.DepositsAboveFunded{DepositA: st.DepositA, DepositB: st.DepositB, FundedA: c.FundedA, FundedB: c.FundedB}
	case st.InteractionCount < c.InteractionCount || st.InteractionCount > most:
		return &abi.InteractionCountInvalid{InteractionCount: st.InteractionCount, Minimum: c.InteractionCount, Maximum: most}
	}
	c.PriorDepositA, c.PriorDepositB, c.PriorBalanceA, c.PriorBalanceB, c.PriorNonce = c.DepositA, c.DepositB, c.BalanceA, c.BalanceB, c.Nonce
	c.DepositA, c.DepositB, c.BalanceA, c.BalanceB, c.Nonce = st.DepositA, st.DepositB, st.BalanceA, st.BalanceB, st.Nonce
	c.InteractionCount = st.InteractionCount
	return nil
}

func stepCheckpointChannel(m *Machine, s State) Step {
	k, old, c := m.storedChannel(s)
	if c == nil {
		return m.channelUnknown()
	}
	switch {
	case c.Status != uint8(ChannelOpen):
		return m.fail(&abi.ChannelNotOpen{Id: m.Op.Id, Status: c.Status})
	case m.Block.Time > c.ExpiresAt:
		return m.fail(&abi.ChannelExpired{Id: m.Op.Id, ExpiresAt: c.ExpiresAt})
	}
	if why := m.accept(c, checkpointSpan); why != nil {
		return m.fail(why)
	}
	m.set(s, k, old, c.Encode())
	m.emit((&abi.ChannelCheckpointedEvent{
		Id: m.Op.Id, AgentA: c.AgentA, AgentB: c.AgentB, Nonce: c.Nonce, BalanceA: c.BalanceA, BalanceB: c.BalanceB, InteractionCount: c.InteractionCount,
	}).Log(abi.Address))
	return TxEnd
}

// beginClosing starts the window in which a newer state can be shown.
func (m *Machine) beginClosing(c *record.Channel) {
	c.Status, c.ClosesAt = uint8(ChannelClosing), m.Block.Time+uint64(m.Policy.ChannelWindowSeconds)
	m.emit((&abi.ChannelClosingEvent{
		Id: m.Op.Id, AgentA: c.AgentA, AgentB: c.AgentB, Nonce: c.Nonce, ClosesAt: c.ClosesAt,
	}).Log(abi.Address))
}

// closed ends a channel; PayChannel pays.
func (m *Machine) closed(c *record.Channel) {
	c.Status = uint8(ChannelClosed)
	paidA, paidB := channelPayouts(c)
	m.emit((&abi.ChannelClosedEvent{Id: m.Op.Id, AgentA: c.AgentA, AgentB: c.AgentB, PaidA: paidA, PaidB: paidB}).Log(abi.Address))
}

// replaced reports that a newer state stands in the window.
func (m *Machine) replaced(c *record.Channel) {
	m.emit((&abi.ChannelStateReplacedEvent{
		Id: m.Op.Id, AgentA: c.AgentA, AgentB: c.AgentB, Nonce: c.Nonce, BalanceA: c.BalanceA, BalanceB: c.BalanceB,
	}).Log(abi.Address))
}

// windowOver: a closing channel whose window has passed takes no more states, swept or not.
func (m *Machine) windowOver(c *record.Channel) bool {
	return c.Status == uint8(ChannelClosing) && m.Block.Time > c.ClosesAt
}

const anyCount = ^uint64(0)

func stepCloseChannel(m *Machine, s State) Step {
	k, old, c := m.storedChannel(s)
	if c == nil {
		return m.channelUnknown()
	}
	unsigned := m.Op.Index == 1
	open := c.Status == uint8(ChannelOpen)
	switch {
	case !open && (unsigned || c.Status != uint8(ChannelClosing)):
		return m.fail(&abi.ChannelNotOpen{Id: m.Op.Id, Status: c.Status})
	case m.windowOver(c):
		return m.fail(&abi.ChannelWindowOver{Id: m.Op.Id, ClosesAt: c.ClosesAt})
	case !m.Op.Flag && m.Op.From != c.AgentA && m.Op.From != c.AgentB:
		return m.fail(&abi.NotChannelParty{Sender: m.Op.From})
	}
	if !unsigned {
		if why := m.accept(c, anyCount); why != nil {
			return m.fail(why)
		}
	}
	m.Op.Pairs, m.Op.Index = dueAt(c), 0
	next := RemoveChannelDeadline
	switch {
	case m.Op.Flag:
		m.closed(c)
	case open:
		m.beginClosing(c)
	default:
		m.replaced(c)
		next = TxEnd
	}
	m.set(s, k, old, c.Encode())
	m.Channel = *c
	return next
}

func stepDisputeChannel(m *Machine, s State) Step {
	k, old, c := m.storedChannel(s)
	if c == nil {
		return m.channelUnknown()
	}
	switch {
	case c.Status != uint8(ChannelClosing):
		return m.fail(&abi.ChannelNotClosing{Id: m.Op.Id, Status: c.Status})
	case m.windowOver(c):
		return m.fail(&abi.ChannelWindowOver{Id: m.Op.Id, ClosesAt: c.ClosesAt})
	}
	if why := m.accept(c, anyCount); why != nil {
		return m.fail(why)
	}
	m.set(s, k, old, c.Encode())
	m.replaced(c)
	return TxEnd
}

// stepDoubleSigningArgs checks that the same two have signed two states with one nonce.
func stepDoubleSigningArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.ReportDoubleSigningCall)
	if !m.use(m.Policy.GasChannel) {
		return m.outOfGas()
	}
	for _, sig := range []struct {
		name  string
		bytes []byte
	}{{"firstSigA", c.FirstSigA}, {"firstSigB", c.FirstSigB}, {"secondSigA", c.SecondSigA}, {"secondSigB", c.SecondSigB}} {
		if len(sig.bytes) != signatureLength {
			return m.fail(outOfRange(sig.name))
		}
	}
	first, second := ChannelStateDigest(&c.First, m.ChainID), ChannelStateDigest(&c.Second, m.ChainID)
	if c.First.ChannelId != c.Second.ChannelId || c.First.Nonce != c.Second.Nonce || first == second {
		return m.fail(&abi.StatesDoNotConflict{})
	}
	signed := record.Channel{AgentA: recoverSigner(first, c.FirstSigA), AgentB: recoverSigner(first, c.FirstSigB), Nonce: c.First.Nonce}
	if signer := recoverSigner(second, c.SecondSigA); signer != signed.AgentA {
		return m.fail(&abi.BadChannelSignature{Recovered: signer, Agent: signed.AgentA})
	}
	if signer := recoverSigner(second, c.SecondSigB); signer != signed.AgentB {
		return m.fail(&abi.BadChannelSignature{Recovered: signer, Agent: signed.AgentB})
	}
	m.Channel = signed
	m.Op.Status, m.Op.Id, m.Op.Index, m.Op.Word = channelDoubleSigned, c.First.ChannelId, 0, common.Hash{}
	m.Op.Data = common.Hash{} // no later step reads the calldata
	return DoubleSigningChannel
}

// stepDoubleSigningChannel closes a channel with the last state on the chain that was signed once.
func stepDoubleSigningChannel(m *Machine, s State) Step {
	k, old, c := m.storedChannel(s)
	if c == nil {
		return m.channelUnknown()
	}
	switch {
	case c.Status != uint8(ChannelOpen) && c.Status != uint8(ChannelClosing):
		return m.fail(&abi.ChannelNotOpen{Id: m.Op.Id, Status: c.Status})
	case m.windowOver(c):
		return m.fail(&abi.ChannelWindowOver{Id: m.Op.Id, ClosesAt: c.ClosesAt})
	}
	if why := m.notSigned(c); why != nil {
		return m.fail(why)
	}
	m.emit((&abi.DoubleSignedEvent{Id: m.Op.Id, AgentA: c.AgentA, AgentB: c.AgentB, Nonce: m.Channel.Nonce, Reporter: m.Op.From}).Log(abi.Address))
	if c.Nonce == m.Channel.Nonce {
		c.DepositA, c.DepositB, c.BalanceA, c.BalanceB, c.Nonce = c.PriorDepositA, c.PriorDepositB, c.PriorBalanceA, c.PriorBalanceB, c.PriorNonce
	}
	m.Op.Pairs = dueAt(c)
	m.closed(c)
	m.set(s, k, old, c.Encode())
	m.Channel = *c
	m.Op.Effect |= effectBurn
	return RemoveChannelDeadline
}
