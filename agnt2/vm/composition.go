package vm

import (
	"math/bits"

	"github.com/ethereum/go-ethereum/common"

	"github.com/agnt2/agnt2/agnt2/abi"
	"github.com/agnt2/agnt2/agnt2/record"
)

// What COMPOSE's operations and sweeps share: ids, the masks of a composition and how it goes on. A composition's record is
// its escrow sub-account and says in one word what has become of every constituent, so every decision about the graph is made
// in a micro-step that touches this record alone.

// CompositionStatus mirrors IAGNT2.CompositionStatus.
type CompositionStatus uint8

const (
	NoComposition CompositionStatus = iota
	CompositionActive
	CompositionCommitted
	CompositionReverted
	CompositionSettled
)

// Guard mirrors IAGNT2.Guard.
type Guard uint8

const (
	NoGuard Guard = iota
	GuardEquals
	GuardDiffers
	guards
)

const (
	// MaxConstituents of a composition: the width of its masks and arrays.
	MaxConstituents = 20
	// MaxLoopIterations of a loop of a composition.
	MaxLoopIterations = 16
	// weightOfStep is what one constituent's activation or settlement counts for in a block's sweeps: its event and its
	// micro-steps are about three times those of a timeout.
	weightOfStep = 3
	// mostValueBits bounds a composition's value, so that no sum of payments overflows.
	mostValueBits = 128
)

// Bits of Interaction.constituent beside 1 + index.
const (
	constituentIndex  uint8 = 0x1f
	constituentNeeded uint8 = 1 << 5
	constituentAtomic uint8 = 1 << 7
)

// Fields of Composition.edges.
const (
	edgeDepends     = 1<<MaxConstituents - 1
	edgeGuardOn     = 20
	edgeGuard       = 25
	edgeGuardBranch = 32
)

// compositionTag separates ids of compositions from those of interactions, which are hashes of two words.
var compositionTag = record.Keccak256([]byte("composition"))

// CompositionID is keccak256(abi.encode(initiator, keccak256("composition"), salt)).
func CompositionID(initiator common.Address, salt common.Hash) common.Hash {
	var b [96]byte
	copy(b[12:], initiator[:])
	copy(b[32:], compositionTag[:])
	copy(b[64:], salt[:])
	return record.Keccak256(b[:])
}

// ConstituentID is the id of a constituent's interaction: keccak256(abi.encode(composition, index, iteration)), iterations
// counted from 1. No INVOKE can have it: its own is a hash of two words.
func ConstituentID(composition common.Hash, index, iteration uint8) common.Hash {
	var b [96]byte
	copy(b[:], composition[:])
	b[63], b[95] = index, iteration
	return record.Keccak256(b[:])
}

// ResultCommitment is what RESPOND carries in an atomic composition: keccak256(abi.encode(resultHash, salt)).
func ResultCommitment(resultHash, salt common.Hash) common.Hash {
	return record.Keccak256(append(resultHash[:], salt[:]...))
}

// FoldInput is the params hash with one more input: keccak256(abi.encode(paramsHash, resultHash)). A constituent's params
// hash is its template with the results of its dependencies folded into it, in the order of their indices.
func FoldInput(paramsHash, resultHash common.Hash) common.Hash {
	return record.Keccak256(append(paramsHash[:], resultHash[:]...))
}

func composition(b []byte) record.Composition { return decoded(record.DecodeComposition(b)) }

func constituentOf(i *record.Interaction) (index uint8, bit uint32) {
	index = i.Constituent&constituentIndex - 1
	return index, 1 << index
}

func isAtomic(i *record.Interaction) bool { return i.Constituent&constituentAtomic != 0 }

func isNeeded(i *record.Interaction) bool { return i.Constituent&constituentNeeded != 0 }

// resolve decides, in the order of indices, which constituents without a fate are skipped or failed, and returns those that
// can be activated. One that waits for another stays as it is.
func resolve(c *record.Composition) (ready uint32) {
	for i := range c.Count {
		bit := uint32(1) << i
		settled := c.Done | c.Skipped | c.Failed
		edges := c.Edges[i]
		depends := uint32(edges & edgeDepends)
		if (c.Active|settled)&bit != 0 || depends&^settled != 0 {
			continue
		}
		switch {
		case depends&c.Failed != 0:
			c.Failed |= bit
		case depends != 0 && depends&^c.Skipped == 0, !taken(c, edges):
			c.Skipped |= bit
		default:
			ready |= bit
		}
	}
	return ready
}

// taken reports whether a constituent's guard, if any, lets it run.
func taken(c *record.Composition, edges uint64) bool {
	kind := Guard(edges >> edgeGuard & 3)
	if kind == NoGuard {
		return true
	}
	on := edges >> edgeGuardOn & uint64(constituentIndex)
	if c.Skipped>>on&1 != 0 {
		return false
	}
	return (c.Branches[on] == uint32(edges>>edgeGuardBranch)) == (kind == GuardEquals)
}

// stop gives up what is not active: nothing more is invoked.
func stop(c *record.Composition) {
	c.Failed |= all(c) &^ (c.Active | c.Done | c.Skipped)
}

func all(c *record.Composition) uint32 { return 1<<c.Count - 1 }

// conclude resolves an active composition, ends it if every constituent has its fate, and returns those that can be activated.
func (m *Machine) conclude(c *record.Composition, id common.Hash) (ready uint32) {
	ready = resolve(c)
	if c.Done|c.Skipped|c.Failed == all(c) {
		status := CompositionSettled
		if c.Atomic {
			status = CompositionCommitted
		}
		m.end(c, id, status)
	}
	return ready
}

// progress concludes, and reports whether the next block's sweep has something to do.
func (m *Machine) progress(c *record.Composition, id common.Hash) (more bool) {
	return m.conclude(c, id) != 0 || c.Status != uint8(CompositionActive)
}

// end gives a composition its final status: for an atomic one, the atomic point. Sweeps pay or refund afterwards.
func (m *Machine) end(c *record.Composition, id common.Hash, status CompositionStatus) {
	c.Status, c.SettledAt = uint8(status), m.Block.Time
	c.Active = 0
	if status == CompositionCommitted {
		c.Deadline = m.Block.Time + uint64(c.WindowSeconds)
	}
	m.Op.Count++ // in a sweep, the event counts
	m.emit((&abi.CompositionEndedEvent{Id: id, Initiator: c.Initiator, Status: c.Status, Culprit: c.Culprit}).Log(abi.Address))
}

// credit gives a constituent its provisional credit for one answer.
func credit(c *record.Composition, bit uint32, i *record.Interaction) {
	c.Credited |= bit
	c.OwedWei.Add(&c.OwedWei, &i.PaymentWei)
}

// finish marks a constituent's result as there.
func finish(c *record.Composition, index uint8, branch uint32) {
	bit := uint32(1) << index
	c.Active &^= bit
	c.Done |= bit
	c.Branches[index] = branch
}

// queueLater sets the registers of QueueEntry.
func (m *Machine) queueLater(time uint64, kind record.DeadlineKind, id common.Hash, then Step) Step {
	m.Op.Pairs, m.Op.Index, m.Op.Word, m.Op.Branch = time, uint32(kind), id, uint32(then)
	return QueueEntry
}

// advanceLater has the next block's sweep go on with a composition.
func (m *Machine) advanceLater(id common.Hash, then Step) Step {
	return m.queueLater(m.Block.Time, record.DueComposition, id, then)
}

// stepQueueEntry writes an entry of the deadline queue that the step before has described. An entry that is there already is
// the same. The index becomes 0, where COMPOSE begins with its constituents.
func stepQueueEntry(m *Machine, s State) Step {
	k := record.DeadlineKey(m.Op.Pairs, record.DeadlineKind(m.Op.Index), m.Op.Word)
	m.Op.Index = 0
	m.set(s, k, m.get(s, k), (&record.Deadline{Id: m.Op.Word}).Encode())
	return Step(m.Op.Branch)
}

func lowest(mask uint32) uint8 { return uint8(bits.TrailingZeros32(mask)) }

func loopMask(from, end uint8) uint64 { return 1<<(end+1) - 1<<from }

// edgesOf packs what a composition keeps of a constituent's place in the graph.
func edgesOf(x *abi.ConstituentSpec) uint64 {
	return uint64(x.DependsOn) | uint64(x.GuardOn)<<edgeGuardOn | uint64(x.Guard)<<edgeGuard | uint64(x.GuardBranch)<<edgeGuardBranch
}
