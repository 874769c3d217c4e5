package vm

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// OPEN_CHANNEL (paper §4.3, App. A.1, B.9), and what all channel operations end with: the queue, payouts, the pair. States and
// closing: channelstate.go.
//
// The record in progress is Machine.Channel: at first what the operation asks for, then the stored channel as the operation
// leaves it.

// Micro-steps of channels.
const (
	OpenChannelArgs Step = 88 + iota
	OpenChannelPair
	OpenChannelRecord
	OpenChannelTopUp
	OpenChannelAccount
	RemoveChannelDeadline
	QueueChannelDeadline
	PayChannel
	ClearChannelPair
	ChannelStateArgs
	CheckpointChannel
	CloseChannel
	DisputeChannel
	DoubleSigningArgs
	DoubleSigningChannel
	SweepChannel
)

// channelProgram is channels. They need Policy at the beginning, where the gas is charged, and where there is a time or an amount of it.
var channelProgram = map[Step]instruction{
	OpenChannelArgs:       {"openChannelArgs", channelArgFrames, OpensChannel, stepOpenChannelArgs},
	OpenChannelPair:       {"openChannelPair", OpensBlock | OpensOp | OpensChannel, 0, stepOpenChannelPair},
	OpenChannelRecord:     {"openChannelRecord", OpensOp | OpensChannel, 0, stepOpenChannelRecord},
	OpenChannelTopUp:      {"openChannelTopUp", OpensBlock | OpensOp | OpensChannel, 0, stepOpenChannelTopUp},
	OpenChannelAccount:    {"openChannelAccount", OpensOp | OpensChannel, 0, stepOpenChannelAccount},
	RemoveChannelDeadline: {"removeChannelDeadline", OpensOp | OpensChannel, 0, stepRemoveChannelDeadline},
	QueueChannelDeadline:  {"queueChannelDeadline", OpensOp | OpensChannel, 0, stepQueueChannelDeadline},
	PayChannel:            {"payChannel", OpensBlock | OpensOp | OpensChannel | OpensPolicy, 0, stepPayChannel},
	ClearChannelPair:      {"clearChannelPair", OpensOp | OpensChannel, 0, stepClearChannelPair},
	ChannelStateArgs:      {"channelStateArgs", channelArgFrames, OpensChannel, stepChannelStateArgs},
	CheckpointChannel:     {"checkpointChannel", OpensBlock | OpensOp | OpensChannel, 0, stepCheckpointChannel},
	CloseChannel:          {"closeChannel", OpensBlock | OpensOp | OpensChannel | OpensPolicy, 0, stepCloseChannel},
	DisputeChannel:        {"disputeChannel", OpensBlock | OpensOp | OpensChannel, 0, stepDisputeChannel},
	DoubleSigningArgs:     {"doubleSigningArgs", channelArgFrames, OpensChannel, stepDoubleSigningArgs},
	DoubleSigningChannel:  {"doubleSigningChannel", OpensBlock | OpensOp | OpensChannel, 0, stepDoubleSigningChannel},
	SweepChannel:          {"sweepChannel", OpensBlock | OpensOp | OpensPolicy, OpensChannel, stepSweepChannel},
}

const channelArgFrames = OpensBlock | OpensOp | OpensPolicy | OpensData

var channelOperations = map[[4]byte]operation{
	abi.OpenChannelSelector:         op(abi.DecodeOpenChannelCall, false, OpenChannelArgs),
	abi.CheckpointSelector:          op(abi.DecodeCheckpointCall, false, ChannelStateArgs),
	abi.CloseChannelSelector:        op(abi.DecodeCloseChannelCall, false, ChannelStateArgs),
	abi.DisputeChannelSelector:      op(abi.DecodeDisputeChannelCall, false, ChannelStateArgs),
	abi.ReportDoubleSigningSelector: op(abi.DecodeReportDoubleSigningCall, false, DoubleSigningArgs),
}

// What Op.Status says while a channel is worked on: micro-steps that several operations share go on by it.
const (
	channelSwept = iota
	channelOpened
	channelCheckpointed
	channelClosed
	channelDisputed
	channelDoubleSigned
)

// ChannelID names a channel: keccak256(agentA ‖ agentB ‖ block ‖ opens), the numbers in 8 bytes each. agentA is the lower address;
// opens counts the earlier channels of the pair, which makes the id unique within a block too.
func ChannelID(agentA, agentB common.Address, block, opens uint64) common.Hash {
	b := append(append(make([]byte, 0, 56), agentA[:]...), agentB[:]...)
	b = binary.BigEndian.AppendUint64(b, block)
	return crypto.Keccak256Hash(binary.BigEndian.AppendUint64(b, opens))
}

// stepOpenChannelArgs checks what needs no record, and both signatures.
func stepOpenChannelArgs(m *Machine, _ State) Step {
	c := m.args.(*abi.OpenChannelCall)
	t := &c.Terms
	if !m.use(m.Policy.GasChannel) {
		return m.outOfGas()
	}
	switch {
	case t.AgentA.Cmp(t.AgentB) >= 0 || t.AgentA == common.Address{}:
		return m.fail(outOfRange("terms.agentA"))
	case t.DepositA.IsZero() && t.DepositB.IsZero():
		return m.fail(outOfRange("terms.depositA"))
	case t.TtlSeconds == 0 || t.TtlSeconds > m.Policy.MaxChannelTtlSeconds:
		return m.fail(&abi.TtlOutOfBounds{TtlSeconds: t.TtlSeconds, Minimum: 1, Maximum: m.Policy.MaxChannelTtlSeconds})
	case t.MaxInteractions == 0:
		return m.fail(outOfRange("terms.maxInteractions"))
	case t.HeartbeatSeconds == 0 || t.HeartbeatSeconds > t.TtlSeconds:
		return m.fail(outOfRange("terms.heartbeatSeconds"))
	case t.Initiator != t.AgentA && t.Initiator != t.AgentB:
		return m.fail(outOfRange("terms.initiator"))
	case m.Block.Time > t.ValidUntil:
		return m.fail(&abi.ChannelTermsExpired{ValidUntil: t.ValidUntil})
	}
	digest := ChannelTermsDigest(t, m.ChainID)
	if signer := recoverSigner(digest, c.SigA); signer != t.AgentA {
		return m.fail(&abi.BadChannelSignature{Recovered: signer, Agent: t.AgentA})
	}
	if signer := recoverSigner(digest, c.SigB); signer != t.AgentB {
		return m.fail(&abi.BadChannelSignature{Recovered: signer, Agent: t.AgentB})
	}
	m.Op.Status, m.Op.Flag, m.Op.Pairs = channelOpened, t.Initiator == t.AgentA, t.Nonce
	m.Op.Data = common.Hash{} // no later step reads the calldata
	m.Channel = record.Channel{
		Status: uint8(ChannelOpen), AgentA: t.AgentA, AgentB: t.AgentB, FundedA: t.DepositA, FundedB: t.DepositB,
		DepositA: t.DepositA, DepositB: t.DepositB, BalanceA: t.DepositA, BalanceB: t.DepositB,
		MaxInteractions: t.MaxInteractions, OpenedAt: m.Block.Time, ExpiresAt: m.Block.Time + uint64(t.TtlSeconds), HeartbeatSeconds: t.HeartbeatSeconds,
		PriorDepositA: t.DepositA, PriorDepositB: t.DepositB, PriorBalanceA: t.DepositA, PriorBalanceB: t.DepositB,
	}
	return OpenChannelPair
}

// stepOpenChannelPair uses up the initiator's nonce, and finds out whether the pair has a channel already.
func stepOpenChannelPair(m *Machine, s State) Step {
	c := &m.Channel
	k := record.ChannelPairKey(c.AgentA, c.AgentB)
	old := m.get(s, k)
	var p record.ChannelPair
	if old != nil {
		p = decoded(record.DecodeChannelPair(old))
	}
	nonce := &p.NonceB
	if m.Op.Flag {
		nonce = &p.NonceA
	}
	if *nonce != m.Op.Pairs {
		return m.fail(&abi.ChannelTermsNonce{Nonce: m.Op.Pairs, Expected: *nonce})
	}
	*nonce++
	m.Op.Flag = p.ChannelId != common.Hash{}
	if !m.Op.Flag {
		p.ChannelId = ChannelID(c.AgentA, c.AgentB, m.Block.Number, p.Opens)
		p.Opens++
	}
	m.Op.Id = p.ChannelId
	m.set(s, k, old, p.Encode())
	if m.Op.Flag {
		return OpenChannelTopUp
	}
	return OpenChannelRecord
}

func stepOpenChannelRecord(m *Machine, s State) Step {
	c := &m.Channel
	k := record.ChannelKey(m.Op.Id)
	old := m.get(s, k)
	assert(old == nil, "a channel's id is taken")
	m.set(s, k, old, c.Encode())
	m.Op.Effect |= effectChannel
	m.emit((&abi.ChannelOpenedEvent{
		Id: m.Op.Id, AgentA: c.AgentA, AgentB: c.AgentB, DepositA: c.DepositA, DepositB: c.DepositB, ExpiresAt: c.ExpiresAt,
		MaxInteractions: c.MaxInteractions, HeartbeatSeconds: c.HeartbeatSeconds,
	}).Log(abi.Address))
	return QueueChannelDeadline
}

// stepOpenChannelTopUp adds the deposits to the channel that there is. No state divides them until both have signed one that does.
func stepOpenChannelTopUp(m *Machine, s State) Step {
	k := record.ChannelKey(m.Op.Id)
	old := m.get(s, k)
	c := decoded(record.DecodeChannel(old))
	switch {
	case c.Status != uint8(ChannelOpen):
		return m.fail(&abi.ChannelNotOpen{Id: m.Op.Id, Status: c.Status})
	case m.Block.Time > c.ExpiresAt:
		return m.fail(&abi.ChannelExpired{Id: m.Op.Id, ExpiresAt: c.ExpiresAt})
	}
	added := &m.Channel
	c.FundedA.Add(&c.FundedA, &added.FundedA)
	c.FundedB.Add(&c.FundedB, &added.FundedB)
	m.set(s, k, old, c.Encode())
	m.emit((&abi.ChannelExistsEvent{Id: m.Op.Id, AgentA: c.AgentA, AgentB: c.AgentB, DepositA: added.FundedA, DepositB: added.FundedB}).Log(abi.Address))
	return OpenChannelAccount
}

// stepOpenChannelAccount takes a party's deposit: first A's, then B's.
func stepOpenChannelAccount(m *Machine, s State) Step {
	agent, deposit := m.Channel.AgentA, &m.Channel.FundedA
	if m.Op.Index == 1 {
		agent, deposit = m.Channel.AgentB, &m.Channel.FundedB
	}
	k := record.AccountKey(agent)
	old := m.get(s, k)
	a := account(old)
	switch {
	case a.Roles&RoleAgent == 0:
		return m.fail(&abi.NotRegistered{Agent: agent})
	case a.Owner != common.Address{}: // whoever holds its own key is not its owner
		return m.fail(&abi.AccountDelegated{Account: agent})
	case a.Balance.Lt(deposit):
		return m.fail(&abi.DepositNotCovered{Agent: agent, BalanceWei: a.Balance, DepositWei: *deposit})
	}
	a.Balance.Sub(&a.Balance, deposit)
	if !m.Op.Flag {
		a.Holds++
	}
	m.set(s, k, old, a.Encode())
	if m.Op.Index++; m.Op.Index == 1 {
		return OpenChannelAccount
	}
	m.ret = m.Op.Id[:]
	return TxEnd
}

// write is set in a transaction. A sweep, in which nothing fails, writes for good.
func (m *Machine) write(s State, k record.Key, old, value []byte) {
	if m.Op.Status == channelSwept {
		m.put(s, k, value)
		return
	}
	m.set(s, k, old, value)
}

// stepRemoveChannelDeadline takes a channel that closes, or is closed, out of the queue; Op.Pairs is where it is.
func stepRemoveChannelDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(m.Op.Pairs, record.DueChannel, m.Op.Id)
	old := m.get(s, k)
	assert(old != nil, "channel is not queued")
	m.set(s, k, old, nil)
	if m.Channel.Status == uint8(ChannelClosed) {
		return PayChannel
	}
	return QueueChannelDeadline
}

// dueAt is when the sweep has to look at a channel.
func dueAt(c *record.Channel) uint64 {
	if c.Status == uint8(ChannelOpen) {
		return c.ExpiresAt
	}
	return c.ClosesAt
}

// stepQueueChannelDeadline queues the end of an open channel's life, or of a closing one's window.
func stepQueueChannelDeadline(m *Machine, s State) Step {
	k := record.DeadlineKey(dueAt(&m.Channel), record.DueChannel, m.Op.Id)
	m.write(s, k, nil, (&record.Deadline{Id: m.Op.Id}).Encode())
	switch m.Op.Status {
	case channelSwept:
		return SweepNext
	case channelOpened:
		return OpenChannelAccount
	}
	return TxEnd
}

// channelPayouts is what a closed channel pays: what the recorded state gives, and what it leaves undivided.
func channelPayouts(c *record.Channel) (a, b uint256.Int) {
	a.Sub(a.Add(&c.BalanceA, &c.FundedA), &c.DepositA)
	b.Sub(b.Add(&c.BalanceB, &c.FundedB), &c.DepositB)
	return a, b
}

// rewardShare: a tenth of a slashed stake goes to who reported it.
const rewardShare = 10

// stepPayChannel pays a party of a closed channel, first A, then B, and lets its stake go or takes from it.
func stepPayChannel(m *Machine, s State) Step {
	agent := m.Channel.AgentA
	wei, other := channelPayouts(&m.Channel)
	if m.Op.Index == 1 {
		agent, wei = m.Channel.AgentB, other
	}
	k := record.AccountKey(agent)
	old := m.get(s, k)
	a := account(old)
	assert(a.Holds > 0, "the party of a channel is not held")
	a.Balance.Add(&a.Balance, &wei)
	a.Holds--
	if m.Op.Status == channelDoubleSigned {
		m.slash(&a, agent)
	}
	m.write(s, k, old, a.Encode())
	if m.Op.Index++; m.Op.Index == 1 {
		return PayChannel
	}
	return ClearChannelPair
}

// slash takes from a stake: a part for the sender, the rest to be burned.
func (m *Machine) slash(a *record.Account, agent common.Address) {
	slashed := m.Policy.DoubleSignSlashWei
	if a.Stake.Lt(&slashed) {
		slashed = a.Stake
	}
	a.Stake.Sub(&a.Stake, &slashed)
	var reward, burned uint256.Int
	reward.Div(&slashed, uint256.NewInt(rewardShare))
	burned.Sub(&slashed, &reward)
	m.Op.Credit.Add(&m.Op.Credit, &reward)
	burned.Add(&burned, new(uint256.Int).SetBytes32(m.Op.Word[:]))
	m.Op.Word = burned.Bytes32()
	m.emit((&abi.SlashedEvent{Agent: agent, Id: m.Op.Id, SlashedWei: slashed, RewardWei: reward}).Log(abi.Address))
}

// stepClearChannelPair lets the pair open another channel.
func stepClearChannelPair(m *Machine, s State) Step {
	k := record.ChannelPairKey(m.Channel.AgentA, m.Channel.AgentB)
	old := m.get(s, k)
	p := decoded(record.DecodeChannelPair(old))
	p.ChannelId = common.Hash{}
	m.write(s, k, old, p.Encode())
	if m.Op.Status == channelSwept {
		return SweepNext
	}
	return TxEnd
}

// stepSweepChannel ends what has lasted its time: an open channel begins to close with its recorded state, a closing one is closed.
func stepSweepChannel(m *Machine, s State) Step {
	m.Op.Status, m.Op.Index = channelSwept, 0
	k := record.ChannelKey(m.Op.Id)
	c := decoded(record.DecodeChannel(m.get(s, k)))
	next := PayChannel
	if c.Status == uint8(ChannelOpen) {
		m.beginClosing(&c)
		next = QueueChannelDeadline
	} else {
		assert(c.Status == uint8(ChannelClosing), "queued channel is closed")
		m.closed(&c)
	}
	m.put(s, k, c.Encode())
	m.Channel = c
	return next
}
