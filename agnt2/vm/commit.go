package vm

import (
	"encoding/binary"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/gas"
	"github.com/agnt2/agnt2/agnt2/record"
)

// Commit–reveal (paper App. F.1): for capabilities whose buyers must not be seen before they have bought. A commit binds the
// caller to an INVOKE that nobody can read; the deposit makes it costly to prepare many and to open only the best.

const (
	// revealDelayBlocks is how much later than its commit a reveal may be: a sequencer that sees a reveal can no longer put
	// a commit of its own into a block before it.
	revealDelayBlocks = 2
	commitmentRecords = 2 // the commitment and its entry of the deadline queue
)

// CommitmentHash is what commit takes: keccak256(abi.encode(chainID, caller, commitSalt, keccak256(invokeData))), invokeData
// the calldata of invoke.
func CommitmentHash(chainID uint64, caller common.Address, commitSalt common.Hash, invokeData []byte) common.Hash {
	var b [128]byte
	binary.BigEndian.PutUint64(b[24:], chainID)
	copy(b[44:], caller[:])
	copy(b[64:], commitSalt[:])
	copy(b[96:], crypto.Keccak256(invokeData))
	return record.Keccak256(b[:])
}

// CommitmentID identifies a caller's commitment: nobody can take another's by committing to the same.
func CommitmentID(caller common.Address, commitment common.Hash) common.Hash {
	var b [52]byte
	copy(b[:], caller[:])
	copy(b[20:], commitment[:])
	return record.Keccak256(b[:])
}

func stepCommitment(m *Machine, s State) Step {
	if c, ok := m.args.(*abi.RevealCall); ok {
		return m.reveal(s, c)
	}
	c, o := m.args.(*abi.CommitCall), &m.Op
	if !m.use(gas.AgentOperation(&m.Params, commitmentRecords)) {
		return m.outOfGas()
	}
	if o.Value.Lt(&m.Policy.MinCommitDepositWei) {
		return m.fail(&abi.DepositBelowMinimum{DepositWei: o.Value, MinimumWei: m.Policy.MinCommitDepositWei})
	}
	o.Id = CommitmentID(o.From, c.Commitment)
	k := record.CommitmentKey(o.Id)
	if m.get(s, k) != nil {
		return m.fail(&abi.DuplicateCommitment{Commitment: c.Commitment})
	}
	x := record.Commitment{
		Caller: o.From, Commitment: c.Commitment, DepositWei: o.Value, RevealableFrom: m.Block.Number + revealDelayBlocks,
		Deadline: m.Block.Time + uint64(m.Policy.CommitWindowSeconds),
	}
	m.set(s, k, nil, x.Encode())
	o.Pairs = x.Deadline
	m.emit((&abi.CommittedEvent{
		Caller: x.Caller, Commitment: x.Commitment, DepositWei: x.DepositWei, RevealableFrom: x.RevealableFrom, Deadline: x.Deadline,
	}).Log(abi.Address))
	return CommitmentDeadline
}

// reveal ends a commitment; the INVOKE follows, and if that fails the commitment is there again.
func (m *Machine) reveal(s State, c *abi.RevealCall) Step {
	o := &m.Op
	if !m.use(commitmentRecords * m.Params.GasPerRecord) {
		return m.outOfGas()
	}
	commitment := CommitmentHash(m.ChainID, o.From, c.CommitSalt, invokeData(m.data))
	o.Id = CommitmentID(o.From, commitment)
	k := record.CommitmentKey(o.Id)
	old := m.get(s, k)
	if old == nil {
		return m.fail(&abi.CommitmentUnknown{Commitment: commitment})
	}
	x := decoded(record.DecodeCommitment(old))
	switch {
	case m.Block.Number < x.RevealableFrom:
		return m.fail(&abi.RevealTooEarly{RevealableFrom: x.RevealableFrom})
	case m.Block.Time > x.Deadline:
		return m.fail(&abi.RevealTooLate{Deadline: x.Deadline})
	}
	m.set(s, k, old, nil)
	o.Credit, o.Pairs, o.Flag = x.DepositWei, x.Deadline, true
	m.emit((&abi.RevealedEvent{Caller: x.Caller, Commitment: commitment, DepositWei: x.DepositWei}).Log(abi.Address))
	return CommitmentDeadline
}

// invokeData is the calldata of the INVOKE in that of a reveal: the same words but the first.
func invokeData(reveal []byte) []byte {
	return append(abi.InvokeSelector[:], reveal[4+32:]...)
}

// revealed is the INVOKE of a reveal.
func revealed(c *abi.RevealCall) *abi.InvokeCall {
	return &abi.InvokeCall{
		Salt: c.Salt, Callee: c.Callee, Capability: c.Capability, ParamsHash: c.ParamsHash, TtlSeconds: c.TtlSeconds,
		MaxPriceWei: c.MaxPriceWei, SessionId: c.SessionId, CompositionId: c.CompositionId, Da: c.Da,
	}
}

func stepCommitmentDeadline(m *Machine, s State) Step {
	o := &m.Op
	k := record.DeadlineKey(o.Pairs, record.DueCommitment, o.Id)
	old := m.get(s, k)
	o.Pairs = 0
	if o.Flag {
		assert(old != nil, "commitment is not queued")
		m.set(s, k, old, nil)
		return InvokeArgs
	}
	m.set(s, k, old, (&record.Deadline{Id: o.Id}).Encode())
	return TxEnd
}

// refuse ends an INVOKE that its callee does not take. A reveal has kept its promise, so it gets payment and deposit back and
// leaves no interaction.
func (m *Machine) refuse(callee common.Address, why abi.Revert) Step {
	o := &m.Op
	if !o.Flag {
		return m.fail(why)
	}
	o.Credit.Add(&o.Credit, &o.Value)
	m.logs, o.Logs = m.logs[:0], common.Hash{} // nothing was invoked
	m.emit((&abi.RevealRefundedEvent{Id: o.Id, Caller: o.From, Callee: callee, RefundedWei: o.Credit}).Log(abi.Address))
	return TxEnd
}

// stepSweepCommitment forfeits the deposit of a commitment that was not revealed, to the base fee vault.
func stepSweepCommitment(m *Machine, s State) Step {
	k := record.CommitmentKey(m.Op.Id)
	x := decoded(record.DecodeCommitment(m.get(s, k)))
	m.put(s, k, nil)
	m.Sums.BaseFees.Add(&m.Sums.BaseFees, &x.DepositWei)
	m.emit((&abi.CommitmentForfeitedEvent{Caller: x.Caller, Commitment: x.Commitment, DepositWei: x.DepositWei}).Log(abi.Address))
	return SweepNext
}
